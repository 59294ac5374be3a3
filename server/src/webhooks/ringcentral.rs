//! RingCentral's webhook: the handshake, and events, which are stored before they are answered.
//!
//! The rule: RingCentral waits three seconds, sends nothing twice and gives up on an address that fails. So nothing is done here but
//! checking and storing, and the answer is empty.

use super::{Client, note_refusal};
use crate::api::problem::{Refusal, read};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::ringcentral::events::{self, Envelope};
use switchyard::ringcentral::subscription;
use switchyard::secret::Keyring;
use switchyard::types::ConnectionId;
use switchyard::work::Batcher;
use tokio::sync::Mutex;

/// A post has 10,000 characters at most; what comes with it is small.
const LONGEST_BODY: usize = 256 * 1024;
/// Events that share a transaction at most.
const BATCH: usize = 256;
/// The handshake, to be given back (developer guide, webhooks).
const VALIDATION: &str = "validation-token";
/// The token that we chose, on each event.
const VERIFICATION: &str = "verification-token";

/// The webhook of every connection.
#[derive(Clone)]
pub struct Hooks(Arc<Inner>);

struct Inner {
    db: Db,
    now: Now,
    keys: Keyring,
    events: Batcher<(ConnectionId, Envelope), Result<bool, String>>,
    /// By the unguessable part of the path; a hook never changes.
    known: Mutex<HashMap<String, (ConnectionId, String)>>,
}

impl Hooks {
    /// Its batcher runs on the current tokio runtime.
    pub fn new(db: Db, now: Now, keys: Keyring) -> Self {
        let events = {
            let (db, now) = (db.clone(), now.clone());
            Batcher::start(
                BATCH,
                move |batch: Vec<(ConnectionId, Envelope)>| {
                    let (db, now) = (db.clone(), now.clone());
                    async move { Ok(events::receive(&db, &now, &batch).await?.into_iter().map(Ok).collect()) }
                },
                |error: switchyard::db::Error| Err(error.to_string()),
            )
        };
        Self(Arc::new(Inner { db, now, keys, events, known: Mutex::default() }))
    }

    /// The route.
    pub fn router(self) -> Router {
        Router::new().route("/webhooks/ringcentral/{hook}", post(event)).with_state(self)
    }

    async fn of(&self, hook: &str) -> Result<Option<(ConnectionId, String)>, switchyard::db::Error> {
        if let Some(known) = self.0.known.lock().await.get(hook) {
            return Ok(Some(known.clone()));
        }
        let found = subscription::of_hook(&self.0.db, &self.0.keys, hook).await?;
        if let Some(found) = &found {
            self.0.known.lock().await.insert(hook.to_owned(), found.clone());
        }
        Ok(found)
    }
}

async fn event(State(hooks): State<Hooks>, client: Client, Path(hook): Path<String>, headers: HeaderMap, body: Body) -> Response {
    match accept(&hooks, &hook, &headers, body).await {
        Ok(response) => response,
        Err(refusal) => {
            match refusal.status() {
                StatusCode::UNAUTHORIZED => note_refusal(&hooks.0.db, &hooks.0.now, client, true).await,
                StatusCode::NOT_FOUND => note_refusal(&hooks.0.db, &hooks.0.now, client, false).await,
                _ => {}
            }
            refusal.into_response()
        }
    }
}

async fn accept(hooks: &Hooks, hook: &str, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
    let nowhere = || Refusal::new(StatusCode::NOT_FOUND, "There is no such webhook.");
    let (connection, token) = hooks.of(hook).await?.ok_or_else(nowhere)?;
    let body = read(body, LONGEST_BODY).await?;
    let carries = |name: &str| headers.get(name).is_some_and(|value| bool::from(value.as_bytes().ct_eq(token.as_bytes())));
    if let Some(handshake) = headers.get(VALIDATION).filter(|_| body.is_empty()) {
        if headers.contains_key(VERIFICATION) && !carries(VERIFICATION) {
            return Err(refused());
        }
        let json = HeaderValue::from_static("application/json");
        return Ok(([(header::HeaderName::from_static(VALIDATION), handshake.clone()), (header::CONTENT_TYPE, json)], "").into_response());
    }
    // The guide names both headers; either proves that the caller knows the token.
    if !carries(VERIFICATION) && !carries(VALIDATION) {
        return Err(refused());
    }
    let envelope = event_in(&body)?;
    let busy = |error: &str| {
        tracing::error!(error, "an event could not be stored");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "The event could not be stored. Try again.")
    };
    match hooks.0.events.submit((connection, envelope)).await {
        Ok(Ok(new)) => {
            metrics::counter!("switchyard_events_total", "result" => if new { "new" } else { "repeated" }).increment(1);
            Ok(StatusCode::OK.into_response())
        }
        Ok(Err(error)) => {
            // Perhaps the connection was removed: looked for anew next time.
            hooks.0.known.lock().await.remove(hook);
            Err(busy(&error))
        }
        Err(stopped) => Err(busy(&stopped.to_string())),
    }
}

/// An event as RingCentral sent it.
pub(crate) fn event_in(body: &[u8]) -> Result<Envelope, Refusal> {
    serde_json::from_slice(body)
        .map_err(|_| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "The body is no event: it needs uuid, event and body."))
}

fn refused() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "The token does not fit.")
}
