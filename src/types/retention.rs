//! How long personal data is kept.

use serde::{Deserialize, Serialize};

/// For how many days something is kept; `None`: for good.
pub type Days = Option<i64>;

/// What an account says, or the platform: the first two are an account's, the others the platform's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// What was written in messages.
    pub message_days: Days,
    /// Held messages: older ones become skipped.
    pub held_days: Days,
    /// Messages to unknown lines.
    pub unknown_days: Days,
    /// Entries of the audit.
    pub audit_days: Days,
    /// Grows with each change; a change names the version it was made on. 0: nothing was ever said.
    pub version: i64,
}

/// What would go at once with a retention; a count that has reached the cap is at least that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPreview {
    /// Messages that lose what was written in them.
    pub messages: i64,
    /// Held messages that become skipped.
    pub held: i64,
    /// Messages to unknown lines that are removed.
    pub unknown: i64,
    /// Entries of the audit that are removed.
    pub audit: i64,
    /// Counting stops here.
    pub cap: i64,
}
