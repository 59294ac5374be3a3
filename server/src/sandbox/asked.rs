//! What every call with a token begins with: whose token it is, and whether he may call yet.
//!
//! The one rule: a call is counted once, before anything is looked at (RingCentral counts refused calls too).

use super::answer::{Answer, Call, count};
use super::journal::Kind;
use super::limits::Group;
use super::state::Core;
use super::{Sandbox, Text};
use axum::extract::{FromRequestParts, Query};
use axum::http::HeaderMap;
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use switchyard::types::Timestamp;

/// The head of a request: headers, and the query's pairs, in which a name may stand more than once.
pub(super) struct Asked {
    pub headers: HeaderMap,
    pub query: Vec<(String, String)>,
}

impl FromRequestParts<Sandbox> for Asked {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &Sandbox) -> Result<Self, Infallible> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|query| query.0).unwrap_or_default();
        Ok(Self { headers: parts.headers.clone(), query })
    }
}

impl Asked {
    pub fn call(&self, kind: Kind) -> Call {
        Call::new(kind, &self.headers)
    }

    /// The first value of this name in the query.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Every value of this name: repeated, or with commas.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let given = self.query.iter().filter(|(given, _)| given == name);
        given.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty()).collect()
    }

    /// The address by which the caller reached the sandbox, for links in answers.
    pub fn base(&self) -> String {
        let host = self.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        format!("http://{host}")
    }

    /// The check of a call with a token; it counts the call in its group.
    pub fn admitted(&self, group: Group) -> impl FnOnce(&mut Core, &mut Call, Timestamp) -> Result<(), Answer> + '_ {
        move |core, call, now| {
            let (owner, client) = core.desk.holder(self.bearer()?, now)?;
            call.entry.owner = Some(owner.clone());
            call.app = Some(client.clone());
            count(core, call, (owner, client, group), now)
        }
    }

    /// The access token, from the header or (as media links have it) from the query.
    fn bearer(&self) -> Result<&str, Answer> {
        let Some(value) = self.headers.get(header::AUTHORIZATION) else {
            return self.value("access_token").ok_or_else(|| Answer::error(401, "OAU-123", "Authorization header is not specified"));
        };
        let parts = value.to_str().ok().and_then(|value| value.split_once(' '));
        match parts {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
            _ => Err(Answer::error(401, "OAU-134", "Authorization header is invalid")),
        }
    }
}

/// A JSON body; `None` when it cannot be read as `T`.
pub(super) fn body_as<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// An id in a path: `~` is the caller's own.
pub(super) fn own(given: &str, own: &Text) -> bool {
    given == "~" || given == &**own
}
