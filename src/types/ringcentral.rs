//! Connections to RingCentral as screens show them. Their secrets are never among it.

use crate::types::{AccountId, ConnectionId, Timestamp};
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
