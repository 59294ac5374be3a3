//! What RingCentral answered, sorted into what is certain and what is not.
//!
//! The rule: by status and `errors[].errorCode`, never by the message alone, save for the daily limit of posts, which has no code.
//! Unknown fields, null fields and missing bodies are all survived.

use super::budget::Group;
use crate::types::{FailureKind, Timestamp};
use reqwest::StatusCode;
use serde::Deserialize;
use std::time::Duration;

/// RingCentral's text of the daily posting limit; it comes as a 500 (developer guide, posting).
const DAILY_LIMIT_TEXT: &str = "You have exceeded your limits for this action";
/// When a 429 does not say how long (developer guide, rate limits).
const PENALTY: Duration = Duration::from_secs(30);
/// A day's limit lifts when the day is over; RingCentral does not say when, so we look hourly.
const DAILY_LIMIT_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How a call that changes something ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It had effect.
    Accepted(T),
    /// It had none, and would have none again.
    Refused(Refusal),
    /// It had none; after the time named it may be made again, and nobody calls before.
    Parked {
        /// Until when; the group is parked already.
        until: Timestamp,
        /// Why, in words.
        reason: String,
    },
    /// It had none: RingCentral was not reached at all.
    Unreachable(String),
    /// Nobody knows: the answer was lost, or was an error that does not say.
    Unknown(String),
}

/// Why RingCentral refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The chat is gone: deleted, archived, or we are no longer in it.
    ChatGone,
    /// Our sign-in is not accepted.
    SignIn(String),
    /// We may not do this there.
    Forbidden(String),
    /// The content is not accepted.
    Content(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ChatGone => f.write_str("the chat is gone"),
            Self::SignIn(text) => write!(f, "the sign-in was refused: {text}"),
            Self::Forbidden(text) => write!(f, "RingCentral does not permit it: {text}"),
            Self::Content(text) => write!(f, "the post was refused: {text}"),
        }
    }
}

/// Errors have `errors[]`, a top-level `message`, or OAuth's `error_description`.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    errors: Option<Vec<ErrorItem>>,
}

#[derive(Deserialize)]
struct ErrorItem {
    #[serde(default, rename = "errorCode")]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// `X-Rate-Limit-Limit` in `X-Rate-Limit-Window`.
    pub(super) limit: Option<(i64, Duration)>,
    pub(super) body: Vec<u8>,
}

/// What an answer other than success means.
pub(super) enum Sorted {
    /// It had no effect and may be made again later.
    Wait {
        /// What is parked, if it is not the call's own group.
        group: Option<Group>,
        pause: Duration,
        reason: &'static str,
    },
    Refused(Refusal),
    Unknown(String),
}

impl Answer {
    pub(super) fn sort(&self) -> Sorted {
        let body: ErrorBody = serde_json::from_slice(&self.body).unwrap_or_default();
        let item = body.errors.as_ref().and_then(|items| items.first());
        let text = item
            .and_then(|i| i.message.clone())
            .or(body.message.clone())
            .or(body.error_description.clone())
            .unwrap_or_else(|| self.status.to_string());
        let code = item.and_then(|i| i.code.clone()).unwrap_or_default();
        let text = if code.is_empty() { text } else { format!("{text} ({code})") };
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => {
                Sorted::Wait { group: None, pause: self.retry_after.unwrap_or(PENALTY), reason: "RingCentral asked us to wait (429)" }
            }
            _ if String::from_utf8_lossy(&self.body).contains(DAILY_LIMIT_TEXT) => Sorted::Wait {
                group: Some(Group::Posting),
                pause: self.retry_after.unwrap_or(DAILY_LIMIT_PAUSE),
                reason: "RingCentral's daily limit of posts is reached",
            },
            StatusCode::NOT_FOUND => Sorted::Refused(Refusal::ChatGone),
            StatusCode::UNAUTHORIZED => Sorted::Refused(Refusal::SignIn(text)),
            StatusCode::FORBIDDEN => Sorted::Refused(Refusal::Forbidden(text)),
            StatusCode::REQUEST_TIMEOUT => Sorted::Unknown(text),
            status if status.is_client_error() => Sorted::Refused(Refusal::Content(text)),
            _ => Sorted::Unknown(text),
        }
    }
}

impl<T> Outcome<T> {
    /// The same ending with what becomes of the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Accepted(value) => Outcome::Accepted(change(value)),
            Self::Refused(refusal) => Outcome::Refused(refusal),
            Self::Parked { until, reason } => Outcome::Parked { until, reason },
            Self::Unreachable(text) => Outcome::Unreachable(text),
            Self::Unknown(text) => Outcome::Unknown(text),
        }
    }

    /// The same ending without the value.
    pub(super) fn drop_value(self) -> Outcome<()> {
        self.map(|_| ())
    }

    /// What kind of failure it is; `None` for success.
    pub fn failure(&self) -> Option<FailureKind> {
        Some(match self {
            Self::Accepted(_) => return None,
            Self::Refused(Refusal::ChatGone) => FailureKind::ChatGone,
            Self::Refused(Refusal::SignIn(_)) => FailureKind::SignIn,
            Self::Refused(Refusal::Forbidden(_)) => FailureKind::Forbidden,
            Self::Refused(Refusal::Content(_)) => FailureKind::Content,
            Self::Parked { .. } => FailureKind::Limit,
            Self::Unreachable(_) => FailureKind::Unreachable,
            Self::Unknown(_) => FailureKind::Unclear,
        })
    }

    /// What went wrong, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Accepted(_) => String::new(),
            Self::Refused(refusal) => refusal.to_string(),
            Self::Parked { reason: text, .. } | Self::Unreachable(text) | Self::Unknown(text) => text.clone(),
        }
    }
}

impl Outcome<()> {
    /// An error, unless it was accepted.
    pub(super) fn done(self) -> Result<(), Self> {
        if self == Self::Accepted(()) { Ok(()) } else { Err(self) }
    }

    /// The same ending for a call of another kind; only for endings that are not `Accepted`.
    pub(super) fn cast<T>(self) -> Outcome<T> {
        match self {
            Self::Accepted(()) => Outcome::Unknown("an empty answer".to_owned()),
            Self::Refused(refusal) => Outcome::Refused(refusal),
            Self::Parked { until, reason } => Outcome::Parked { until, reason },
            Self::Unreachable(text) => Outcome::Unreachable(text),
            Self::Unknown(text) => Outcome::Unknown(text),
        }
    }
}
