//! What happens to every request before and after its route: who the client is, a reference, a time limit, and words when our own
//! code fails.
//!
//! The rule: every line that is logged for a request carries its reference, and every answer too, so that either finds the other.

use super::{Limits, TrustedProxies};
use crate::api::problem::{Refusal, read};
use app::Fault;
use app::context::ClientAddress;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use leptos::server_fn::error::FromServerFnError;
use std::any::Any;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use switchyard::clock::Rng;
use switchyard::types::Problem;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutBody;
use tracing::Instrument;

/// No form of the console is larger …
pub const LARGEST_FORM: usize = 256 * 1024;
/// … but that of a new blast, so that who pastes too many numbers is told what to do with them.
const LARGEST_BLAST: (&str, usize) = ("/fn/blasts/draft", 1024 * 1024);
/// What is sent here may be a file of 100 MB, or half a million numbers. Who sends it is known before it is read.
const UPLOADS: [&str; 2] = ["/utilities/plan/{kind}", "/api/v1/blasts"];
/// The reference, on every answer.
const REFERENCE: HeaderName = HeaderName::from_static("x-request-id");

/// Puts a request into its frame: address, reference, time limit, last resort.
pub async fn asked(State((limits, proxies)): State<(Limits, TrustedProxies)>, mut request: Request, next: Next) -> Response {
    // Not from the chance that is handed in: what a test replays must not hang on how often somebody asks.
    let reference: String = Rng::from_os().bytes::<6>().iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let client = ClientAddress {
            address: proxies.client(peer.ip(), request.headers()),
            is_this_machine: proxies.is_this_machine(peer.ip(), request.headers()),
        };
        request.extensions_mut().insert(client);
    }
    // PostgreSQL stores no U+0000, and nobody means it.
    let is_text = !request.uri().path_and_query().is_some_and(|address| address.as_str().contains("%00"));
    // The route, not the path: what somebody types may be a phone number.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    // At the level of errors, so that it is there whatever is logged.
    let span = tracing::error_span!("request", reference, method = %request.method(), route);
    let is_for_machines = ["/api/", "/webhooks/"].iter().any(|start| request.uri().path().starts_with(start));
    // Told when nobody reads on: all of it has come, or it is refused.
    let arrived = CancellationToken::new();
    let arriving = arrived.clone().drop_guard();
    let is_upload = UPLOADS.contains(&route.as_str());
    let request = request.map(|body| {
        let body = TimeoutBody::new(limits.body, body);
        if !is_upload {
            drop(arriving);
            return Body::new(body);
        }
        Body::new(body.map_frame(move |frame| {
            let _arriving = &arriving;
            frame
        }))
    });
    async {
        let began = Instant::now();
        if !is_text {
            return in_words(StatusCode::BAD_REQUEST, "This address holds a sign that no text has.".to_owned(), is_for_machines);
        }
        let answered = tokio::select! {
            biased;
            answered = AssertUnwindSafe(super::tasks::together(next.run(request))).catch_unwind() => Ok(answered),
            () = time_is_up(&limits, &arrived) => Err(()),
        };
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => {
                tracing::error!(words = words(&*panic), "a request's handler panicked");
                let text = format!("Something went wrong on our side. If it happens again, report it with the reference {reference}.");
                in_words(StatusCode::INTERNAL_SERVER_ERROR, text, is_for_machines)
            }
            Err(()) => {
                tracing::warn!("a request took too long and was ended");
                let text =
                    format!("This took too long and was ended. Try again. If it happens again, report it with the reference {reference}.");
                in_words(StatusCode::SERVICE_UNAVAILABLE, text, is_for_machines)
            }
        };
        let (status, took) = (response.status().as_u16(), began.elapsed().as_millis());
        if status >= 500 {
            tracing::warn!(status, took, "answered");
        } else {
            tracing::debug!(status, took, "answered");
        }
        if let Ok(reference) = HeaderValue::from_str(&reference) {
            response.headers_mut().insert(REFERENCE, reference);
        }
        response
    }
    .instrument(span)
    .await
}

/// Ends when an answer is late. Its time begins when what was sent has arrived, which has a time of its own.
async fn time_is_up(limits: &Limits, arrived: &CancellationToken) {
    if tokio::time::timeout(limits.upload, arrived.cancelled()).await.is_ok() {
        tokio::time::sleep(limits.answer).await;
    }
}

/// What our own code says of a panic. Words that were put together at run time may quote a message or a number: they stay out.
fn words(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("(not logged)")
}

/// An answer without a page around it.
fn in_words(status: StatusCode, text: String, is_for_machines: bool) -> Response {
    if is_for_machines {
        return Refusal::new(status, text).into_response();
    }
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text + "\n").into_response()
}

/// A form as it was sent, beside its answer; it travels no further than the console.
#[derive(Debug, Clone)]
pub struct Form(pub Bytes);

/// Reads the whole form before anybody looks at it, or refuses it in words.
pub async fn small(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let most = if parts.uri.path() == LARGEST_BLAST.0 { LARGEST_BLAST.1 } else { LARGEST_FORM };
    let (status, text) = match read(body, most).await {
        Ok(whole) if whole.contains(&0) || whole.windows(3).any(|signs| signs == b"%00") => {
            (StatusCode::UNPROCESSABLE_ENTITY, "This form holds a sign that no text has (U+0000). Remove it and send it again.".to_owned())
        }
        Ok(whole) => {
            let mut response = next.run(Request::from_parts(parts, Body::from(whole.clone()))).await;
            response.extensions_mut().insert(Form(whole));
            return response;
        }
        Err(refusal) if refusal.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let text = format!("This form is too large: {} kB are the most. Shorten it and send it again.", most / 1024);
            (StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        Err(refusal) => (refusal.status(), "This form did not arrive whole. Send it again.".to_owned()),
    };
    if is_plain_form(&parts.headers) {
        return in_words(status, text, false);
    }
    let fault = Fault(Problem::invalid("", text)).ser();
    (status, [(header::CONTENT_TYPE, "application/json")], fault).into_response()
}

/// Whether a browser sent this form by itself, without JavaScript.
pub fn is_plain_form(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accepts| accepts.contains("text/html"))
}
