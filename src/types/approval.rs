//! What waits for a second person, as the browser knows it.

use crate::types::{ApprovalId, RunId, StaffId, Timestamp, words};
use serde::{Deserialize, Serialize};

words! {
    /// How far something that a second person has to agree to has come.
    ApprovalState {
        /// Waits for somebody else.
        Open = "open",
        /// Agreed to, and done.
        Approved = "approved",
        /// Refused.
        Declined = "declined",
        /// Taken back by who asked.
        Withdrawn = "withdrawn",
        /// Nobody decided in time.
        Expired = "expired",
    }
}

/// What waits, or waited, for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRow {
    /// It.
    pub id: ApprovalId,
    /// What is asked for, in a sentence.
    pub summary: String,
    /// Why.
    pub note: String,
    /// Who asked.
    pub asked_by: (StaffId, String),
    /// When.
    pub asked_at: Timestamp,
    /// Until when it can be decided.
    pub expires_at: Timestamp,
    /// How far it has come.
    pub state: ApprovalState,
    /// Who decided, when and with which words.
    pub decided: Option<(String, Timestamp, String)>,
    /// The run of a data utility that it is about.
    pub run: Option<RunId>,
}

/// What came of an action that may need a second person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It waits for a second person.
    Waits(ApprovalId),
}
