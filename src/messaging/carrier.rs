//! The carrier: one HTTP contract, in JSON, by which SMS go out. `docs/carrier.md` has all of it, the webhooks that come back too.
//!
//! The rule: the same reference again is the same message and is not sent twice, so that everything but a definite no may be repeated.

mod standing;

pub use standing::failing;
pub(crate) use standing::trouble;
pub(super) use standing::{Standing, ended};

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
    /// Nobody knows, or the carrier cannot just now, and why: it counts as a try, and the same again is safe.
    Later(String),
    /// It was not looked at, and nothing else would be: that is no try, and nobody calls for a while.
    Parked {
        /// For how long, when the carrier says.
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

    /// Its address, by which processes know that they speak of the same one.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sends one SMS; safe to repeat after any ending but `Refused`.
    pub async fn send(&self, sms: &Sms, limit: Duration) -> Sent {
        let later = |why: &str| Sent::Later(why.to_owned());
        let body = serde_json::json!({
            "reference": reference(sms.line_id, sms.message_id),
            "from": sms.from.expose(),
            "to": sms.to.expose(),
            "text": sms.text,
            "media": [],
        });
        let request = self.http.post(format!("{}/v1/messages", self.url)).bearer_auth(&self.key).json(&body).timeout(limit);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return later("the carrier could not be reached"),
            Err(_) => return later("the carrier did not answer"),
        };
        let status = answer.status();
        let asked: Option<u64> = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
        let parked = |why: &str| Sent::Parked { pause: asked.map(Duration::from_secs), why: why.to_owned() };
        match status.as_u16() {
            429 => return parked("the carrier asked us to wait (429)"),
            401 => return parked("the carrier does not know our key (401)"),
            403 => return parked("the carrier does not let our key send (403)"),
            _ => {}
        }
        match answer.bytes().await {
            Err(_) => later("the carrier's answer was lost"),
            Ok(body) if status.is_success() => match serde_json::from_slice::<Accepted>(&body) {
                Ok(accepted) => Sent::Accepted(accepted.id),
                Err(_) => later("the carrier's answer was unreadable"),
            },
            Ok(body) if status.is_client_error() && status.as_u16() != 408 => Sent::Refused(
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
