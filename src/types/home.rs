//! What needs a person now, as Home shows it.

use crate::types::{
    AccountId, Age, ApprovalRow, BlastId, ConnectionId, ConnectionState, LineId, PhoneNumber, RunRow, Span, SyncRow, Timestamp,
};
use serde::{Deserialize, Serialize};

/// How many there are, and the oldest of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted<T> {
    /// How many, up to [`MOST_COUNTED`].
    pub count: i64,
    /// There are more than were counted.
    pub is_more: bool,
    /// The oldest, a few.
    pub oldest: Vec<T>,
}

/// Counting stops here: a screen says “100 or more”.
pub const MOST_COUNTED: usize = 100;

impl<T> Counted<T> {
    /// Of the rows that were read, [`MOST_COUNTED`] and one more at most, the oldest first, so many are named.
    pub fn of(mut rows: Vec<T>, named: usize) -> Self {
        let count = rows.len().min(MOST_COUNTED);
        let is_more = rows.len() > MOST_COUNTED;
        rows.truncate(named);
        Self { count: i64::try_from(count).unwrap_or(0), is_more, oldest: rows }
    }
}

/// A connection that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubledConnection {
    /// The connection.
    pub id: ConnectionId,
    /// Whose it is.
    pub account: String,
    /// How it is.
    pub state: ConnectionState,
    /// What hinders its subscription.
    pub subscription_error: Option<String>,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

/// A blast that is paused: nothing of it is sent before somebody decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingBlast {
    /// The blast.
    pub id: BlastId,
    /// Its line.
    pub line_id: LineId,
    /// What staff call the line.
    pub line: String,
    /// The account that owns the line now.
    pub account: String,
    /// Recipients as given.
    pub recipients: i64,
    /// When it would have started; `None` while that is still to come.
    pub late_since: Option<Timestamp>,
}

/// The carrier takes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct CarrierTrouble {
    /// Why, in words.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when nobody calls it; it may be over.
    pub until: Option<Timestamp>,
}

/// A number that is no line, and that was texted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct UnknownNumber {
    /// The number that was texted.
    pub number: PhoneNumber,
    /// How often, among the newest messages.
    pub messages: i64,
    /// When first, among them.
    pub since: Timestamp,
}

/// What an account holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldByAccount {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Messages held for a week and longer.
    pub old: i64,
}

/// What is held, as it was sampled last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Messages, by how long the oldest of their conversation has been held.
    pub by_age: Vec<(Age, i64)>,
    /// Accounts that hold messages for a week and longer, those with the most first; a few.
    pub accounts: Vec<HeldByAccount>,
}

impl Held {
    /// Messages held for a week and longer.
    pub fn old(&self) -> i64 {
        self.by_age.iter().find(|(age, _)| *age == Age::Older).map_or(0, |(_, count)| *count)
    }
}

/// What needs a person now; `None` where the reader may not see it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Needs {
    /// The carrier, when it has taken nothing for minutes.
    pub carrier: Option<CarrierTrouble>,
    /// Conversations whose deliveries fail.
    pub stalled: Option<Counted<SyncRow>>,
    /// Runs that failed and can be resumed.
    pub failed: Option<Counted<RunRow>>,
    /// Runs that are paused or wait for a second person.
    pub standing: Option<Counted<RunRow>>,
    /// What waits for the reader's decision.
    pub to_decide: Option<Counted<ApprovalRow>>,
    /// Connections in trouble.
    pub connections: Option<Counted<TroubledConnection>>,
    /// Blasts that are paused, all that are counted.
    pub blasts: Option<Counted<WaitingBlast>>,
    /// Numbers that were texted and are no line.
    pub unknown: Option<Counted<UnknownNumber>>,
    /// What is held.
    pub held: Option<Held>,
}

/// What came in, went out and was posted over a span, of all accounts of the reader's; each list has one number for each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The span: a day by hours, or thirty days.
    pub span: Span,
    /// Where the first step begins.
    pub from: Timestamp,
    /// Seconds of a step.
    pub step_seconds: i64,
    /// Messages that came in.
    pub inbound: Vec<i64>,
    /// Messages that the carrier took.
    pub outbound: Vec<i64>,
    /// Posts made in RingCentral.
    pub posted: Vec<i64>,
    /// Tries to post that did not succeed.
    pub failed: Vec<i64>,
    /// The most messages that were held.
    pub held: Vec<i64>,
}
