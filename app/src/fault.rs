//! The one error of all server functions: a [`Problem`] with its HTTP status.
//!
//! A plain form post (no JavaScript) is answered by a redirect back to its page, with the error in the URL, where the form shows
//! it; everything else gets the status itself. The text holds no personal data.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use switchyard::types::Problem;

/// What a server function answers when it cannot do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fault(pub Problem);

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

impl FromServerFnError for Fault {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Serialization(_) => {
                Problem::invalid("", "Something in this form could not be read. Check what you typed and send it again.").into()
            }
            _ => Problem::unavailable("The console did not answer. Check your connection, reload the page and try again.").into(),
        }
    }
}
