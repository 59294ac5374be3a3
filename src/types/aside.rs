//! What staff have set aside: it nags nobody until it is brought back.

use super::{LineRow, PhoneNumber, Timestamp};
use serde::{Deserialize, Serialize};

/// Why something is set aside, by whom and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Why, in the words of who did it.
    pub reason: String,
    /// Their name.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
}

/// A number that was texted, is no line, and is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideNumber {
    /// The number that was texted.
    pub number: PhoneNumber,
    /// Why, by whom and since when.
    pub aside: SetAside,
    /// When it was texted last; `None` when none of its messages is kept any more.
    pub texted_at: Option<Timestamp>,
}

/// A line that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRow {
    /// The line.
    pub line: LineRow,
    /// How the finding is set aside for it, if it is.
    pub aside: Option<SetAside>,
}
