//! What the carriers call: incoming messages and delivery statuses, signed.
//!
//! The rule: a 200 means that it is committed. Anything else makes the carrier call again, and the same message again changes
//! nothing. A caller that cannot sign learns nothing, not even which part was wrong.

pub mod ringcentral;

use crate::api::problem::{Refusal, read};
use app::context::ClientAddress;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use switchyard::clock::Now;
use switchyard::db::Db;
use switchyard::messaging::inbound::{self, Incoming, Received};
use switchyard::messaging::outbound::{self, Delivery};
use switchyard::staff;
use switchyard::sync::ReleaseWindow;
use switchyard::types::{Media, PhoneNumber, Timestamp};
use switchyard::work::Batcher;

/// A signature is good for so long, before and after the time it names.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Text and links only; pictures themselves stay with the carrier.
const LONGEST_BODY: usize = 256 * 1024;
/// So many webhooks share a transaction at most; on SQLite it must stay short.
const BATCH: usize = 128;
/// Signatures that are looked at; a carrier that replaces its secret sends two.
const MOST_SIGNATURES: usize = 8;

/// The carriers' webhooks and what checks them.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    db: Db,
    now: Now,
    secrets: HashMap<String, Vec<String>>,
    messages: Batcher<Incoming, Result<Received, String>>,
    statuses: Batcher<Delivery, Result<(), String>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").field("carriers", &self.secrets.keys()).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// `secrets` are by the carrier's name, as it stands in the path; several while one is being replaced. A reply releases what lies
    /// within the window. Its batchers run on the current tokio runtime.
    pub fn new(db: Db, now: Now, secrets: HashMap<String, Vec<String>>, window: ReleaseWindow) -> Self {
        let messages = {
            let (db, now) = (db.clone(), now.clone());
            Batcher::start(
                BATCH,
                move |batch: Vec<Incoming>| {
                    let (db, now) = (db.clone(), now.clone());
                    async move { Ok(inbound::receive_within(&db, &now, window, &batch).await?.into_iter().map(Ok).collect()) }
                },
                |error: switchyard::db::Error| Err(error.to_string()),
            )
        };
        let statuses = {
            let (db, now) = (db.clone(), now.clone());
            Batcher::start(
                BATCH,
                move |batch: Vec<Delivery>| {
                    let (db, now) = (db.clone(), now.clone());
                    async move { outbound::delivered(&db, &now, &batch).await.map(|()| vec![Ok(()); batch.len()]) }
                },
                |error: switchyard::db::Error| Err(error.to_string()),
            )
        };
        Self(Arc::new(Inner { db, now, secrets, messages, statuses }))
    }

    /// The two routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/webhooks/carrier/{carrier}/messages", post(message))
            .route("/webhooks/carrier/{carrier}/status", post(status))
            .with_state(self)
    }

    /// A body whose signature fits one of the carrier's secrets.
    async fn signed(&self, client: Client, carrier: &str, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
        let body: Bytes = read(body, LONGEST_BODY).await?;
        let signature = headers.get(crate::sandbox::SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let secrets = self.0.secrets.get(carrier).map(Vec::as_slice).unwrap_or_default();
        if !fits(signature, secrets, &body, self.0.now.at()) {
            note_refusal(&self.0.db, &self.0.now, client, true).await;
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "The signature does not fit."));
        }
        Ok(body)
    }
}

/// From where a request comes.
type Client = Option<Extension<ClientAddress>>;

/// A webhook that is not signed as it should be, or that there is none of, is counted, and stands in the audit, once in ten minutes for
/// each address.
async fn note_refusal(db: &Db, now: &Now, client: Client, is_known: bool) {
    metrics::counter!("switchyard_webhooks_refused_total").increment(1);
    let address = address_or_unknown(client);
    let noted =
        if is_known { staff::refused_webhook(db, now, &address).await } else { staff::refused_unknown_webhook(db, now, &address).await };
    if let Err(error) = noted {
        tracing::error!(%error, "the audit could not be written");
    }
}

pub(crate) fn address_or_unknown(client: Client) -> String {
    client.map_or_else(|| "unknown".to_owned(), |client| client.address.to_string())
}

fn as_contracted<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("The body is not as the contract has it: {error}.")))
}

/// A contact's message as the carrier sent it.
pub(crate) fn message_in(body: &[u8]) -> Result<Incoming, Refusal> {
    as_contracted(body).and_then(incoming)
}

/// A delivery status as the carrier sent it.
pub(crate) fn status_in(body: &[u8]) -> Result<Delivery, Refusal> {
    as_contracted(body).and_then(delivery)
}

/// Whether `t=<unix seconds>,v1=<hex>[,v1=<hex>…]` signs this body under one of the secrets, at about this time.
pub(crate) fn fits(signature: &str, secrets: &[String], body: &[u8], at: Timestamp) -> bool {
    let mut seconds = None;
    let mut given = Vec::new();
    for (name, value) in signature.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" => seconds = Some(value),
            "v1" if given.len() < MOST_SIGNATURES => given.extend(from_hex(value)),
            _ => {}
        }
    }
    let Some(seconds) = seconds else { return false };
    // The digits are signed as they stand, so that only one spelling of a number is good.
    let Some(signed_at) = seconds.parse::<i64>().ok().and_then(|s| s.checked_mul(1_000_000)).map(Timestamp) else { return false };
    if at.since(signed_at).max(signed_at.since(at)) > WINDOW {
        return false;
    }
    let mac_of = |secret: &String| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        mac.update(seconds.as_bytes());
        mac.update(b".");
        mac.update(body);
        Some(mac)
    };
    // `verify_slice` takes the same time wherever the first difference is.
    secrets.iter().filter_map(mac_of).any(|mac| given.iter().any(|signature| mac.clone().verify_slice(signature).is_ok()))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[derive(Deserialize)]
struct InboundBody {
    id: String,
    from: PhoneNumber,
    to: Vec<PhoneNumber>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    media: Vec<Media>,
    #[serde(default)]
    sent_at: Option<String>,
}

async fn message(
    State(webhooks): State<Webhooks>,
    client: Client,
    Path(carrier): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let incoming = match webhooks.signed(client, &carrier, &headers, body).await.and_then(|body| message_in(&body)) {
        Ok(incoming) => incoming,
        Err(refusal) => return refusal.into_response(),
    };
    let result = match webhooks.0.messages.submit(incoming).await {
        Ok(Ok(Received::Recorded)) => "recorded",
        Ok(Ok(Received::Repeated)) => "repeated",
        Ok(Ok(Received::UnknownLine)) => "unknown_line",
        Ok(Err(error)) => return not_now(&error),
        Err(stopped) => return not_now(&stopped.to_string()),
    };
    metrics::counter!("switchyard_inbound_total", "result" => result).increment(1);
    Json(serde_json::json!({ "result": result })).into_response()
}

fn incoming(body: InboundBody) -> Result<Incoming, Refusal> {
    let mut to = body.to.into_iter();
    let Some(line) = to.next() else { return Err(Refusal::invalid("to", "Name the line first, then the other numbers of a group text.")) };
    let sent_at = match body.sent_at.as_deref().map(Timestamp::from_rfc3339) {
        Some(None) => return Err(Refusal::invalid("sent_at", "Write the time as RFC 3339, as in 2026-11-21T05:20:11Z.")),
        sent_at => sent_at.flatten(),
    };
    Ok(Incoming {
        carrier_id: carrier_id(body.id)?,
        from: body.from,
        to: line,
        others: to.collect(),
        body: plain(body.text.unwrap_or_default()),
        media: body.media.into_iter().map(|media| Media { url: plain(media.url), content_type: plain(media.content_type) }).collect(),
        sent_at,
    })
}

/// PostgreSQL stores no U+0000, and nobody misses it.
fn plain(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

fn carrier_id(id: String) -> Result<String, Refusal> {
    if id.is_empty() || id.chars().count() > 200 || id.chars().any(char::is_control) {
        return Err(Refusal::invalid("id", "Send an id of 1 to 200 characters."));
    }
    Ok(id)
}

#[derive(Deserialize)]
struct StatusBody {
    id: String,
    reference: String,
    status: Outcome,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Delivered,
    Failed,
}

async fn status(State(webhooks): State<Webhooks>, client: Client, Path(carrier): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let delivery = match webhooks.signed(client, &carrier, &headers, body).await.and_then(|body| status_in(&body)) {
        Ok(delivery) => delivery,
        Err(refusal) => return refusal.into_response(),
    };
    match webhooks.0.statuses.submit(delivery).await {
        Ok(Ok(())) => Json(serde_json::json!({ "result": "recorded" })).into_response(),
        Ok(Err(error)) => not_now(&error),
        Err(stopped) => not_now(&stopped.to_string()),
    }
}

fn delivery(body: StatusBody) -> Result<Delivery, Refusal> {
    Ok(Delivery {
        carrier_id: carrier_id(body.id)?,
        reference: body.reference,
        delivered: matches!(body.status, Outcome::Delivered),
        error: body.error.map(plain),
    })
}

/// Nothing is recorded: the carrier calls again.
fn not_now(cause: &str) -> Response {
    tracing::error!(cause, "a webhook could not be recorded");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "It could not be recorded. Send it again.").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::sign;

    const AT: Timestamp = Timestamp(1_795_238_411_000_000);

    #[test]
    fn a_signature_fits_its_body_secret_and_time_only() {
        let (old, new) = ("the-older-secret".to_owned(), "the-newer-secret".to_owned());
        let both = [new.clone(), old.clone()];
        let header = sign(&old, AT, b"{}");
        assert!(fits(&header, &both, b"{}", AT));
        assert!(!fits(&header, &both, b"{ }", AT), "another body");
        assert!(!fits(&header, std::slice::from_ref(&new), b"{}", AT), "the secret is gone");
        assert!(!fits(&header, &[], b"{}", AT), "no such carrier");
        for (by, good) in [(299, true), (300, true), (301, false)] {
            assert_eq!(fits(&header, &both, b"{}", AT.plus(Duration::from_secs(by))), good, "{by} s later");
            assert_eq!(fits(&header, &both, b"{}", AT.minus(Duration::from_secs(by))), good, "{by} s earlier");
        }
        let twice = format!("{},{}", sign("a-wrong-secret", AT, b"{}"), header.split_once(',').map(|(_, v1)| v1).unwrap_or_default());
        assert!(fits(&twice, &both, b"{}", AT), "one of several fits");
    }

    #[test]
    fn a_broken_signature_is_refused_and_breaks_nothing() {
        let secrets = ["a-secret-of-a-carrier".to_owned()];
        for header in
            ["", "t=", "t=1795238411", "v1=00", "t=1795238411,v1=", "t=1795238411,v1=zz", "t=99999999999999999999,v1=00", "t=1,v1=é0"]
        {
            assert!(!fits(header, &secrets, b"{}", AT), "{header}");
        }
    }
}
