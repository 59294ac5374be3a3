//! A conversation as a CSV file, with the filters of its page, the newest message first. What its reader may not see is masked.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::staff::{Seen, may};
use switchyard::sync;
use switchyard::types::{ConversationId, Cursor, LineId, Origin, Problem, TimelineFilter, TimelineRow, Written};

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    writer: String,
    #[serde(default)]
    sms: String,
    #[serde(default)]
    post: String,
}

/// `GET /lines/{id}/conversations/{conversation}/messages.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path((line, id)): Path<(String, String)>,
    Query(filters): Query<Filters>,
) -> Response {
    let permit = match csv::permit::<may::SeeMessages>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let (Ok(line), Ok(id)) = (line.parse::<LineId>(), id.parse::<ConversationId>()) else {
        return csv::in_words(&Problem::not_found("There is no such conversation. The address may be mistyped."));
    };
    let detail = match sync::find_conversation(&services.db, &permit, line, id).await {
        Ok(detail) => detail,
        Err(problem) => return csv::in_words(&problem),
    };
    // What the stream sees later would be noted too late.
    if detail.number.whole().is_some() {
        permit.saw(Seen::ConversationFile(detail.account_id, line, id));
    }
    let filter = TimelineFilter { writer: filters.writer.parse().ok(), sms: filters.sms.parse().ok(), entry: filters.post.parse().ok() };
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { sync::timeline(&asked.0.db, &asked.1, (line, id), &asked.2, after.as_ref(), csv::PAGE).await }
    };
    csv::file(
        "messages.csv",
        "message_id,at,sent_at,direction,written_by,text,attachments,sms,sms_error,ringcentral,post_id,reference,posted_at,reason",
        read,
        fields,
    )
}

fn fields(row: &TimelineRow) -> Vec<String> {
    let (text, attachments) = match &row.written {
        Written::Whole { body, media, .. } => (csv::quoted(body), media.len().to_string()),
        Written::Masked { media } => ("masked".to_owned(), media.to_string()),
        Written::Removed { .. } => ("removed".to_owned(), String::new()),
    };
    let named = |of: Option<&String>| csv::quoted(of.map(String::as_str).unwrap_or_default());
    vec![
        row.id.to_string(),
        row.accepted_at.unwrap_or(row.created_at).rfc3339(),
        csv::when(row.sent_at),
        row.direction.as_str().to_owned(),
        row.origin.map_or("contact", Origin::as_str).to_owned(),
        text,
        attachments,
        row.state.as_str().to_owned(),
        named(row.error.as_ref()),
        row.entry.map(|entry| entry.as_str().to_owned()).unwrap_or_default(),
        named(row.post_id.as_ref()),
        named(row.reference.as_ref()),
        csv::when(row.posted_at),
        named(row.reason.as_ref()),
    ]
}
