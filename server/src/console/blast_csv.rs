//! Whom a blast went to as a CSV file, with the filter of its page. Numbers are masked as they are there; what the blast says is not in it.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::messaging::blast;
use switchyard::staff::{Seen, may};
use switchyard::types::{BlastId, BlastRecipient, Cursor, LineId, Problem};

/// The filter as the page's URL has it; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    sms: String,
}

/// `GET /lines/{id}/blasts/{blast}/recipients.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path((line, id)): Path<(String, String)>,
    Query(filter): Query<Filter>,
) -> Response {
    let permit = match csv::permit::<may::SeeMessages>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let (Ok(line), Ok(id)) = (line.parse::<LineId>(), id.parse::<BlastId>()) else {
        return csv::in_words(&Problem::not_found("There is no such blast. The address may be mistyped."));
    };
    let whole = match blast::shown(&services.db, &permit, line, id).await {
        Ok(whole) => whole,
        Err(problem) => return csv::in_words(&problem),
    };
    // What the stream sees later would be noted too late.
    if whole.body.is_some() {
        permit.saw(Seen::BlastFile(whole.row.account_id, line, id));
    }
    let state = filter.sms.parse().ok();
    let asked = Arc::new((services, permit));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { blast::recipients(&asked.0.db, &asked.1, (line, id), state, after.as_ref(), csv::PAGE).await }
    };
    csv::file("recipients.csv", "message_id,number,sms,sms_error,at,conversation_id", read, fields)
}

fn fields(row: &BlastRecipient) -> Vec<String> {
    vec![
        row.message.to_string(),
        csv::number(&row.number),
        row.state.as_str().to_owned(),
        csv::quoted(row.error.as_deref().unwrap_or_default()),
        row.at.rfc3339(),
        row.conversation.map(|id| id.to_string()).unwrap_or_default(),
    ]
}
