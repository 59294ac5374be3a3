//! What is not in sync as a CSV file (RFC 4180): the same filters as the page, read page by page. It names contacts by number, so it
//! needs the permission to see messages.

use super::lines_csv::quoted;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use switchyard::staff::{Permit, may};
use switchyard::sync;
use switchyard::types::{Cursor, Problem, SyncFilter, SyncRow, SyncState};

/// Conversations read at a time.
const PAGE: usize = 1_000;

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    account: String,
    #[serde(default)]
    line: String,
    #[serde(default)]
    state: String,
}

struct Reading {
    services: Services,
    permit: Permit<may::SeeMessages>,
    filter: SyncFilter,
    after: Option<Cursor>,
    is_first: bool,
}

/// `GET /sync.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Response {
    let permit = match member.ok_or(Problem::SignedOut).and_then(|member| member.permit()) {
        Ok(permit) => permit,
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::FORBIDDEN);
            return (status, format!("{problem}\n")).into_response();
        }
    };
    let filter = SyncFilter { account: filters.account.parse().ok(), line: filters.line.parse().ok(), trouble: filters.state.parse().ok() };
    let start = Reading { services, permit, filter, after: None, is_first: true };
    let pages = stream::try_unfold(Some(start), async |reading| match reading {
        Some(reading) => next_page(reading).await.map(Some),
        None => Ok(None),
    });
    let named = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, "attachment; filename=\"sync.csv\"")];
    (named, Body::from_stream(pages)).into_response()
}

/// One page as text, and where to read on. An error ends the download short, which the browser reports as a failed one.
async fn next_page(mut reading: Reading) -> Result<(String, Option<Reading>), switchyard::db::Error> {
    let page = sync::list(&reading.services.db, &reading.permit, &reading.filter, reading.after.as_ref(), PAGE).await?;
    let mut text = String::new();
    if reading.is_first {
        text.push_str("line_id,conversation_id,account,line,number,contact,state,messages,since,reason,changed_at\r\n");
    }
    page.rows.iter().for_each(|row| push(&mut text, row));
    reading.is_first = false;
    reading.after = page.next;
    Ok((text, reading.after.is_some().then_some(reading)))
}

fn push(text: &mut String, row: &SyncRow) {
    let (state, count, since, reason) = match &row.sync {
        SyncState::NotConnected => ("not_connected", None, None, ""),
        SyncState::InSync => ("in_sync", None, None, ""),
        SyncState::Held { count } => ("held", Some(*count), None, ""),
        SyncState::Delivering { count } => ("delivering", Some(*count), None, ""),
        SyncState::Stalled { since, why } => ("stalled", None, Some(*since), why.as_str()),
    };
    let fields = [
        row.line_id.to_string(),
        row.conversation_id.to_string(),
        quoted(&row.account),
        quoted(&row.line),
        row.number.expose().to_owned(),
        quoted(row.contact.as_deref().unwrap_or_default()),
        state.to_owned(),
        count.map(|count| count.to_string()).unwrap_or_default(),
        since.map(|since| since.rfc3339()).unwrap_or_default(),
        quoted(reason),
        row.changed_at.rfc3339(),
    ];
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}
