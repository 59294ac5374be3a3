//! CSV files (RFC 4180) of what a page lists, read page by page, so that any size fits in memory.

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Extension};
use futures_util::{TryStream, stream};
use switchyard::staff::{Member, Permit, may};
use switchyard::types::{Cursor, Page, Problem, ShownNumber, Timestamp};
pub(crate) use switchyard::utilities::quoted;

/// Rows read at a time.
pub(super) const PAGE: usize = 1_000;

/// The permit of who asks for a file, or the answer that they get instead.
#[allow(clippy::result_large_err, reason = "the error is the answer itself")]
pub(super) fn permit<P: may::May>(member: Option<Member>) -> Result<Permit<P>, Response> {
    member.ok_or(Problem::SignedOut).and_then(|member| member.permit()).map_err(|problem| in_words(&problem))
}

/// A problem as who asks for a file reads it.
pub(super) fn in_words(problem: &Problem) -> Response {
    (StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), format!("{problem}\n")).into_response()
}

/// A moment, as every file writes it; nothing for none.
pub(super) fn when(at: Option<Timestamp>) -> String {
    at.map(Timestamp::rfc3339).unwrap_or_default()
}

/// A contact's number: whole, or masked for who may not see it.
pub(super) fn number(of: &ShownNumber) -> String {
    of.whole().map_or_else(|| of.readable(), |number| number.expose().to_owned())
}

/// What makes a browser keep a text as a file of this name.
pub(super) fn named(kind: &str, name: &str) -> [(HeaderName, String); 2] {
    [(header::CONTENT_TYPE, format!("{kind}; charset=utf-8")), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))]
}

/// On an answer that is read page by page: its session is looked at again with each further page.
#[derive(Debug, Clone, Copy)]
pub(super) struct InPages;

/// A file of this name that is read page by page. It goes on as long as who asked for it may have it.
pub(super) fn in_pages<S>(name: &str, pages: S) -> Response
where
    S: TryStream + Send + 'static,
    S::Ok: Into<Bytes>,
    S::Error: Into<BoxError>,
{
    (Extension(InPages), named("text/csv", name), Body::from_stream(pages)).into_response()
}

/// A file of this name: a line that names the columns, then the rows of every page that `read` gives. An error ends the download
/// short, which the browser reports as a failed one.
pub(super) fn file<R, F, E>(
    name: &'static str,
    columns: &'static str,
    read: impl Fn(Option<Cursor>) -> F + Send + 'static,
    fields: fn(&R) -> Vec<String>,
) -> Response
where
    R: Send + 'static,
    F: Future<Output = Result<Page<R>, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let pages = stream::try_unfold(Some((None, true)), move |next| {
        let reading = next.map(|(after, is_first): (Option<Cursor>, bool)| (read(after), is_first));
        async move {
            let Some((page, is_first)) = reading else { return Ok(None) };
            let page = page.await?;
            let mut text = if is_first { format!("{columns}\r\n") } else { String::new() };
            for row in &page.rows {
                text.push_str(&fields(row).join(","));
                text.push_str("\r\n");
            }
            Ok::<_, E>(Some((text, page.next.map(|next| (Some(next), false)))))
        }
    });
    in_pages(name, pages)
}
