//! The one error of all server functions: a [`Problem`] with its HTTP status.
//!
//! A plain form post (no JavaScript) is answered by a redirect back to its page, with the error in the URL, where the form shows
//! it; everything else gets the status itself. The text holds no personal data.

use leptos::server_fn::codec::{JsonEncoding, Post};
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use switchyard::types::{Problem, Timestamp};

/// What a server function answers when it cannot do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct Fault(pub Problem);

/// What stands in the field's place when a proof is missing.
const UNPROVEN: &str = "proof";

/// A fault as it is sent: smaller to read than the enum with its tag, in the WebAssembly too.
#[derive(Serialize, Deserialize)]
struct Wire {
    status: u16,
    field: String,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl From<Fault> for Wire {
    fn from(Fault(problem): Fault) -> Self {
        let status = problem.status();
        let field = match &problem {
            Problem::Unproven => UNPROVEN,
            other => other.field().unwrap_or_default(),
        };
        let field = field.to_owned();
        let (text, until) = match problem {
            Problem::Internal { reference } => (reference, None),
            Problem::TooMany { text, until } => (text, until),
            other => (other.to_string(), None),
        };
        Self { status, field, text, until }
    }
}

impl From<Wire> for Fault {
    fn from(Wire { status, field, text, until }: Wire) -> Self {
        Self(match status {
            401 => Problem::SignedOut,
            403 if field == UNPROVEN => Problem::Unproven,
            403 => Problem::Forbidden { text },
            404 => Problem::NotFound { text },
            409 => Problem::Conflict { text },
            422 => Problem::Invalid { field, text },
            429 => Problem::TooMany { text, until },
            503 => Problem::Unavailable { text },
            _ => Problem::Internal { reference: text },
        })
    }
}

/// How a server function's answer is sent: JSON, read as text like the data that came with the page, so that the WebAssembly
/// carries one reader of each type and not two. `output = Reply` in `#[server]`.
pub type Reply = Post<ReplyEncoding>;

/// The encoding behind [`Reply`].
#[derive(Debug)]
pub struct ReplyEncoding;

impl ContentType for ReplyEncoding {
    const CONTENT_TYPE: &'static str = JsonEncoding::CONTENT_TYPE;
}

impl FormatType for ReplyEncoding {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for ReplyEncoding {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for ReplyEncoding {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<T, Self::Error> {
        serde_json::from_str(&String::from_utf8_lossy(&bytes))
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        #[cfg(feature = "ssr")]
        crate::context::answer_with(problem.status());
        Self(problem)
    }
}

#[cfg(feature = "ssr")]
impl From<switchyard::db::Error> for Fault {
    fn from(error: switchyard::db::Error) -> Self {
        Problem::from(error).into()
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}

/// Has `connection.js` look whether the console answers anybody.
#[cfg(not(feature = "ssr"))]
pub fn look_for_the_console() {
    if let Ok(event) = web_sys::Event::new("switchyard:unanswered") {
        // False only if a listener cancels it, which none does.
        let _ = leptos::prelude::window().dispatch_event(&event);
    }
}

/// The answer that did not come.
pub fn unanswered() -> Fault {
    #[cfg(not(feature = "ssr"))]
    look_for_the_console();
    Problem::unavailable("The console did not answer. Nothing here is lost: try again when the connection is back.").into()
}

impl FromServerFnError for Fault {
    type Encoder = ReplyEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Serialization(_) => {
                Problem::invalid("", "Something in this form could not be read. Check what you typed and send it again.").into()
            }
            _ => unanswered(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_arrives_as_it_was_sent() {
        let faults = [
            Problem::SignedOut,
            Problem::forbidden("no"),
            Problem::Unproven,
            Problem::not_found("gone"),
            Problem::conflict("late"),
            Problem::invalid("name", "empty"),
            Problem::too_many("wait"),
            Problem::too_many_until("wait", Timestamp(1_795_238_411_042_000)),
            Problem::unavailable("down"),
            Problem::Internal { reference: "0123abcd".into() },
        ];
        for problem in faults {
            assert_eq!(Fault::de(Fault(problem.clone()).ser()), Fault(problem));
        }
    }
}
