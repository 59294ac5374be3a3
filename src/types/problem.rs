//! The one error that leaves a service for a person or a program: a status and words without personal data.
//!
//! Which one when: `SignedOut` nobody is signed in · `Forbidden` the person may not · `NotFound` it is not there, or not
//! within the person's scope (the two are not told apart) · `Conflict` someone else was first · `Invalid` the input is
//! wrong and the person can mend it · `TooMany` ask again later · `Unavailable` something outside does not answer ·
//! `Internal` our fault; the cause is in the log under the reference · `Unproven` the person may, but has to prove again
//! that it is them.

use crate::types::Timestamp;
use serde::{Deserialize, Serialize};

/// An error in words, with the HTTP status it is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Problem {
    /// 401: sign in first.
    #[error("You are signed out. Sign in and try again.")]
    SignedOut,
    /// 403: signed in, but without the permission.
    #[error("{text}")]
    Forbidden {
        /// What is missing.
        text: String,
    },
    /// 403: they may, but the last proof of who they are is too old for a dangerous action.
    #[error("Confirm that it is you, then do this again: your last proof is older than 10 minutes. Nothing was changed.")]
    Unproven,
    /// 404.
    #[error("{text}")]
    NotFound {
        /// What was not found.
        text: String,
    },
    /// 409: it changed meanwhile.
    #[error("{text}")]
    Conflict {
        /// What happened and what to do.
        text: String,
    },
    /// 422: the input cannot be taken.
    #[error("{text}")]
    Invalid {
        /// The field, as the form or the API names it; empty when it is none in particular.
        field: String,
        /// What is wrong with it.
        text: String,
    },
    /// 429: too many tries.
    #[error("{text}{}", .until.map(again_after).unwrap_or_default())]
    TooMany {
        /// What to do.
        text: String,
        /// When to try again, if that is a moment: a screen says it in the reader's zone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// 503: something outside does not answer.
    #[error("{text}")]
    Unavailable {
        /// What does not answer.
        text: String,
    },
    /// 500: our fault.
    #[error("Something went wrong on our side. Nothing was changed. If it happens again, report it with the reference {reference}.")]
    Internal {
        /// Finds the log line.
        reference: String,
    },
}

fn again_after(until: Timestamp) -> String {
    format!(" Try again after {} UTC.", until.minute())
}

impl Problem {
    /// 403 with what is missing.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::Forbidden { text: text.into() }
    }
    /// 404 with what was looked for.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::NotFound { text: text.into() }
    }
    /// 409 with what happened.
    pub fn conflict(text: impl Into<String>) -> Self {
        Self::Conflict { text: text.into() }
    }
    /// 422 with the field and what is wrong.
    pub fn invalid(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), text: text.into() }
    }
    /// 429 with what to do.
    pub fn too_many(text: impl Into<String>) -> Self {
        Self::TooMany { text: text.into(), until: None }
    }
    /// 429 with what is the matter until a moment.
    pub fn too_many_until(text: impl Into<String>, until: Timestamp) -> Self {
        Self::TooMany { text: text.into(), until: Some(until) }
    }
    /// 503 with what does not answer.
    pub fn unavailable(text: impl Into<String>) -> Self {
        Self::Unavailable { text: text.into() }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::SignedOut => 401,
            Self::Forbidden { .. } | Self::Unproven => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Invalid { .. } => 422,
            Self::TooMany { .. } => 429,
            Self::Unavailable { .. } => 503,
            Self::Internal { .. } => 500,
        }
    }

    /// The field an `Invalid` names, if it names one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } if !field.is_empty() => Some(field),
            _ => None,
        }
    }
}
