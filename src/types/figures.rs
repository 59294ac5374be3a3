//! Figures over time, as graphs show them.

use crate::types::{Timestamp, words};
use serde::{Deserialize, Serialize};

words! {
    /// How far back a graph reaches.
    Span {
        /// Sixty minutes.
        Hour = "hour",
        /// A day, in quarters of an hour.
        Day = "day",
        /// Thirty days, in steps of six hours.
        Month = "month",
    }
}

impl Span {
    /// Seconds of one step.
    pub fn step_seconds(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Day => 15 * 60,
            Self::Month => 6 * 60 * 60,
        }
    }

    /// How many steps it has.
    pub fn steps(self) -> usize {
        match self {
            Self::Hour => 60,
            Self::Day => 96,
            Self::Month => 120,
        }
    }
}

words! {
    /// Why a delivery to RingCentral did not succeed.
    FailureKind {
        /// A rate limit or the daily limit.
        Limit = "limit",
        /// RingCentral was not reached.
        Unreachable = "unreachable",
        /// The answer was lost, late, or an error that does not say.
        Unclear = "unclear",
        /// The sign-in was refused.
        SignIn = "sign_in",
        /// RingCentral does not permit it.
        Forbidden = "forbidden",
        /// The text was refused.
        Content = "content",
        /// The chat was deleted or archived.
        ChatGone = "chat_gone",
        /// The account has no connection.
        NoConnection = "no_connection",
    }
}

impl FailureKind {
    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Limit => "A limit of RingCentral's was reached; it goes on by itself",
            Self::Unreachable => "RingCentral was not reached",
            Self::Unclear => "RingCentral did not answer, or not clearly; it was looked up before the next try",
            Self::SignIn => "RingCentral refused the sign-in",
            Self::Forbidden => "RingCentral does not permit it",
            Self::Content => "RingCentral refused the text",
            Self::ChatGone => "The chat was deleted or archived; a new one was made",
            Self::NoConnection => "The account has no connection",
        }
    }
}

words! {
    /// How long something has waited.
    Age {
        /// Up to a minute.
        Minute = "minute",
        /// Up to an hour.
        Hour = "hour",
        /// Up to a day.
        Day = "day",
        /// Up to a week.
        Week = "week",
        /// Longer.
        Older = "older",
    }
}

impl Age {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Minute => "under a minute",
            Self::Hour => "under an hour",
            Self::Day => "under a day",
            Self::Week => "under a week",
            Self::Older => "a week and longer",
        }
    }
}

/// What waits, by how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// How long.
    pub age: Age,
    /// Messages held until their contact writes.
    pub held: i64,
    /// Messages on their way into RingCentral.
    pub queued: i64,
}

/// How an account's deliveries to RingCentral went over a span; each list has one number for each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// The span.
    pub span: Span,
    /// Where the first step begins.
    pub from: Timestamp,
    /// Posts made.
    pub posted: Vec<i64>,
    /// Tries that did not succeed.
    pub failed: Vec<i64>,
    /// The most messages that were held.
    pub held: Vec<i64>,
    /// The most messages that were queued.
    pub queued: Vec<i64>,
    /// Posts that the limits allow in one step; `None` without limits.
    pub limit: Option<i64>,
    /// Tries that did not succeed, by reason, the most frequent first.
    pub reasons: Vec<(FailureKind, i64)>,
    /// What waits now; a sample that is at most two minutes old.
    pub waiting: Vec<Waiting>,
}
