//! What is not in sync as a CSV file, with the filters of the page. It names contacts by number, masked for who may not see it.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::staff::{Seen, may};
use switchyard::sync;
use switchyard::types::{Cursor, OLDEST, SyncFilter, SyncRow, SyncState};

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    account: String,
    #[serde(default)]
    line: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    sort: String,
}

/// `GET /sync.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Response {
    let permit = match csv::permit::<may::SeeMessages>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let filter = SyncFilter {
        account: filters.account.parse().ok(),
        line: filters.line.parse().ok(),
        trouble: filters.state.parse().ok(),
        oldest_first: filters.sort == OLDEST,
    };
    if permit.sight().somewhere {
        permit.saw(Seen::SyncFile(filter.account, filter.line));
    }
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { sync::list(&asked.0.db, &asked.1, &asked.2, after.as_ref(), csv::PAGE).await }
    };
    let columns = "line_id,conversation_id,account,line,number,contact,state,messages,since,reason,changed_at";
    csv::file("sync.csv", columns, read, fields)
}

/// How far RingCentral is, as every file writes it: `state,messages,since,reason`.
pub(super) fn in_columns(sync: &SyncState) -> [String; 4] {
    let (state, count, since, reason) = match sync {
        SyncState::NotConnected => ("not_connected", None, None, ""),
        SyncState::InSync => ("in_sync", None, None, ""),
        SyncState::Held { count } => ("held", Some(*count), None, ""),
        SyncState::Delivering { count } => ("delivering", Some(*count), None, ""),
        SyncState::Stalled { since, why } => ("stalled", None, Some(*since), why.as_str()),
    };
    [state.to_owned(), count.map(|count| count.to_string()).unwrap_or_default(), csv::when(since), csv::quoted(reason)]
}

fn fields(row: &SyncRow) -> Vec<String> {
    let [state, count, since, reason] = in_columns(&row.sync);
    vec![
        row.line_id.to_string(),
        row.conversation_id.to_string(),
        csv::quoted(&row.account),
        csv::quoted(&row.line),
        csv::number(&row.number),
        csv::quoted(row.contact.as_deref().unwrap_or_default()),
        state,
        count,
        since,
        reason,
        row.changed_at.rfc3339(),
    ]
}
