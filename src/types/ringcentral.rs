//! Connections to RingCentral as screens show them. Their secrets are never among it.

use crate::types::{AccountId, ConnectionId, LineId, PhoneNumber, Timestamp, UserId, words};
use serde::{Deserialize, Serialize};

/// How a connection is, at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectionState {
    /// Staff paused it: nobody calls.
    Paused {
        /// Since when.
        since: Timestamp,
    },
    /// RingCentral refused its sign-in.
    Refused {
        /// In words.
        why: String,
    },
    /// A limit is reached; it goes on by itself.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// In words.
        why: String,
    },
    /// It is signed in.
    SignedIn,
    /// Nothing has been called yet, or its token has run out since.
    Idle,
}

words! {
    /// What the list of connections is narrowed to; without it, all are shown.
    ConnectionFilter {
        /// What Home counts: paused, refused, or not told of what agents write.
        Trouble = "trouble",
        /// Paused by staff.
        Paused = "paused",
        /// RingCentral refuses the sign-in, and nobody paused it.
        Refused = "refused",
    }
}

impl ConnectionFilter {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trouble => "In trouble",
            Self::Paused => "Paused",
            Self::Refused => "Sign-in refused",
        }
    }
}

/// A connection in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// The connection.
    pub id: ConnectionId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// RingCentral's address.
    pub base_url: String,
    /// The application's id, which is no secret.
    pub client_id: String,
    /// How it is.
    pub state: ConnectionState,
    /// Posts in the last minute, and how many are allowed.
    pub posts_this_minute: i64,
    /// Posts allowed in a minute; `None` for no limit.
    pub posts_per_minute: Option<i64>,
    /// Posts today.
    pub posts_today: i64,
    /// Posts allowed a day; `None` for no limit.
    pub posts_per_day: Option<i64>,
    /// Until when RingCentral tells us what agents write; `None` while it does not.
    pub subscribed_until: Option<Timestamp>,
    /// What hinders the subscription.
    pub subscription_error: Option<String>,
    /// When RingCentral last told us something.
    pub heard_at: Option<Timestamp>,
    /// Grows with each change; whoever changes it names the version that they saw.
    pub version: i64,
}

words! {
    /// The rate group of a call (API description, `x-throttling-group`).
    RateGroup {
        /// Reading one thing: 50 a minute.
        Light = "light",
        /// Lists, and most of what changes something: 40 a minute.
        Medium = "medium",
        /// Call logs and files: 10 a minute.
        Heavy = "heavy",
        /// Signing in: 5 a minute.
        Auth = "auth",
        /// No group of RingCentral's: what the daily limit of posts parks.
        Posting = "posting",
    }
}

impl RateGroup {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Light => "Reading (Light)",
            Self::Medium => "Posts, chats and lists (Medium)",
            Self::Heavy => "Call logs and files (Heavy)",
            Self::Auth => "Signing in (Auth)",
            Self::Posting => "Posts in a day",
        }
    }
}

/// What is left of a rate group's budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateBudget {
    /// The group.
    pub group: RateGroup,
    /// Calls in the last minute; for [`RateGroup::Posting`] the posts of the day.
    pub used: i64,
    /// How many are allowed; `None` for no limit.
    pub allowed: Option<i64>,
    /// Nobody calls before.
    pub parked_until: Option<Timestamp>,
    /// Why, in words.
    pub parked_reason: Option<String>,
}

/// Somebody with access to a line whom RingCentral does not know, so that they are in none of its chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownPerson {
    /// Who.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail, by which they were looked for.
    pub email: String,
    /// What RingCentral said.
    pub reason: String,
    /// When.
    pub seen_at: Timestamp,
}

/// A line whose conversations go through a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectedLine {
    /// The line.
    pub id: LineId,
    /// Its number.
    pub number: PhoneNumber,
    /// Its label.
    pub label: String,
}

/// A connection, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionDetail {
    /// As in the list.
    pub row: ConnectionRow,
    /// The budgets of its rate groups.
    pub budgets: Vec<RateBudget>,
    /// What went wrong last, in words, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// Events that wait to be worked off, up to [`ConnectionDetail::MOST_EVENTS`].
    pub events_waiting: i64,
    /// Since when the oldest of them waits.
    pub events_since: Option<Timestamp>,
    /// The lines set to RingCentral, up to 200.
    pub lines: Vec<ConnectedLine>,
    /// People whom RingCentral does not know, up to 200.
    pub unknown_people: Vec<UnknownPerson>,
    /// Why it cannot be removed now, and what to do about it; `None` when it can.
    pub stays_because: Option<String>,
}

impl ConnectionDetail {
    /// Counting stops here: a screen says “at least”.
    pub const MOST_EVENTS: i64 = 1_000;
}
