//! The list of lines as a CSV file (RFC 4180): the same filters as the page, read page by page, so that any size fits in memory.

use app::context::{Services, Visitor};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use switchyard::directory;
use switchyard::staff::{Permit, may};
use switchyard::types::{Cursor, LineFilter, LineRow, Problem};

/// Lines read at a time.
const PAGE: usize = 1_000;

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    account: String,
    #[serde(default, rename = "type")]
    of_type: String,
}

struct Reading {
    services: Services,
    permit: Permit<may::SeeDirectory>,
    filter: LineFilter,
    after: Option<Cursor>,
    is_first: bool,
}

/// `GET /lines.csv`.
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
    let filter = LineFilter { search: filters.q, account: filters.account.parse().ok(), integration_type: filters.of_type.parse().ok() };
    let start = Reading { services, permit, filter, after: None, is_first: true };
    let pages = stream::try_unfold(Some(start), async |reading| match reading {
        Some(reading) => next_page(reading).await.map(Some),
        None => Ok(None),
    });
    let named = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, "attachment; filename=\"lines.csv\"")];
    (named, Body::from_stream(pages)).into_response()
}

/// One page as text, and where to read on. An error ends the download short, which the browser reports as a failed one.
async fn next_page(mut reading: Reading) -> Result<(String, Option<Reading>), switchyard::db::Error> {
    let page = directory::lines::list(&reading.services.db, &reading.permit, &reading.filter, reading.after.as_ref(), PAGE).await?;
    let mut text = String::new();
    if reading.is_first {
        text.push_str("id,number,label,account,integration_type\r\n");
    }
    page.rows.iter().for_each(|line| push(&mut text, line));
    reading.is_first = false;
    reading.after = page.next;
    Ok((text, reading.after.is_some().then_some(reading)))
}

fn push(text: &mut String, line: &LineRow) {
    let fields = [
        line.id.to_string(),
        line.number.expose().to_owned(),
        quoted(&line.label),
        quoted(&line.account),
        line.integration_type.as_str().to_owned(),
    ];
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}

/// A field in quotes. One that a spreadsheet would take for a formula gets an apostrophe (OWASP, CSV injection).
pub(super) fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_label_is_neither_broken_nor_run() {
        assert_eq!(quoted("Front desk, \"north\""), "\"Front desk, \"\"north\"\"\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
