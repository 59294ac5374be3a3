//! The carrier: one HTTP contract, in JSON, by which SMS go out.
//!
//! `POST {url}/v1/messages`, `Authorization: Bearer <key>`, body
//! `{"reference", "from", "to", "text", "media": ["https://…"]}` → 202 or 200 `{"id", "reference", "accepted_at"}`. The same
//! reference again is the same message: it is not sent twice. 4xx `{"error": {"code", "message"}}` is a definite no, except 429,
//! which names Retry-After in seconds; everything else may be tried again.
//!
//! Back come two signed webhooks, see the README: incoming messages and delivery statuses.

use crate::types::{LineId, MessageId, PhoneNumber};
use serde::Deserialize;
use std::time::Duration;

/// One SMS to be sent.
#[derive(Debug, Clone)]
pub struct Sms {
    /// The line's id; with the message's it is the reference.
    pub line_id: LineId,
    /// The message.
    pub message_id: MessageId,
    /// The line's number.
    pub from: PhoneNumber,
    /// The contact's.
    pub to: PhoneNumber,
    /// What it says.
    pub text: String,
}

/// How sending ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The carrier took it under this id.
    Accepted(String),
    /// A definite no, in words.
    Refused(String),
    /// Not now; the same again is safe.
    Later {
        /// How long to wait, when the carrier says.
        pause: Option<Duration>,
        /// What happened.
        why: String,
    },
}

/// The carrier's address and key.
#[derive(Clone)]
pub struct Carrier {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Carrier({})", self.url)
    }
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

#[derive(Deserialize)]
struct Refused {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    message: String,
}

impl Carrier {
    /// A carrier at `url`, which ends before `/v1`.
    pub fn new(http: reqwest::Client, url: &str, key: String) -> Self {
        Self { http, url: url.trim_end_matches('/').to_owned(), key }
    }

    /// Sends one SMS; safe to repeat after any ending but `Refused`.
    pub async fn send(&self, sms: &Sms, limit: Duration) -> Sent {
        let later = |why: &str| Sent::Later { pause: None, why: why.to_owned() };
        let body = serde_json::json!({
            "reference": reference(sms.line_id, sms.message_id),
            "from": sms.from.expose(),
            "to": sms.to.expose(),
            "text": sms.text,
            "media": [],
        });
        let request = self.http.post(format!("{}/v1/messages", self.url)).bearer_auth(&self.key).json(&body).timeout(limit);
        let Ok(answer) = request.send().await else { return later("the carrier did not answer") };
        let status = answer.status();
        let pause =
            answer.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok()).map(Duration::from_secs);
        match answer.bytes().await {
            Err(_) => later("the carrier's answer was lost"),
            Ok(body) if status.is_success() => match serde_json::from_slice::<Accepted>(&body) {
                Ok(accepted) => Sent::Accepted(accepted.id),
                Err(_) => later("the carrier's answer was unreadable"),
            },
            Ok(_) if status.as_u16() == 429 => Sent::Later { pause, why: "the carrier asked us to wait".to_owned() },
            Ok(body) if status.is_client_error() && status.as_u16() != 401 && status.as_u16() != 408 => Sent::Refused(
                serde_json::from_slice::<Refused>(&body).map_or_else(|_| format!("the carrier refused it ({status})"), |r| r.error.message),
            ),
            Ok(_) => later(&format!("the carrier answered {status}")),
        }
    }
}

/// The reference of a message in the carrier's contract: `<line>.<message>`.
pub fn reference(line: LineId, message: MessageId) -> String {
    format!("{line}.{message}")
}

/// The line and message behind a reference; `None` for one that is not ours.
pub fn from_reference(text: &str) -> Option<(LineId, MessageId)> {
    let (line, message) = text.split_once('.')?;
    Some((line.parse().ok()?, message.parse().ok()?))
}
