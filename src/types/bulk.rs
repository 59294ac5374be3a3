//! Bulk changes as screens know them: one act on many rows of a list.

use crate::types::{AccountId, IntegrationType, LineId, OpenOrClosed, Trouble, UtilityKind, counted, words};
use serde::{Deserialize, Serialize};

words! {
    /// What can be done to many rows at once.
    BulkAct {
        /// Set the integration type of lines.
        SetTypes = "set_types",
        /// Try stalled conversations again at once.
        RetryLanes = "retry_lanes",
        /// Skip what is held in conversations, and what of ours waits to be posted.
        SkipHeld = "skip_held",
        /// Close people of an account.
        CloseUsers = "close_users",
    }
}

impl BulkAct {
    /// The data utility that does it to very many.
    pub fn utility(self) -> UtilityKind {
        match self {
            Self::SetTypes => UtilityKind::SetTypes,
            Self::RetryLanes => UtilityKind::RetryLanes,
            Self::SkipHeld => UtilityKind::SkipHeld,
            Self::CloseUsers => UtilityKind::CloseUsers,
        }
    }

    /// So many of what it is done to: `1 line`, `40 people`.
    pub fn counted(self, count: i64) -> String {
        let (one, many) = match self {
            Self::SetTypes => ("line", "lines"),
            Self::RetryLanes | Self::SkipHeld => ("conversation", "conversations"),
            Self::CloseUsers => ("person", "people"),
        };
        counted(count, one, many)
    }

    /// It is done to conversations, which are chosen in the Sync list.
    pub fn is_of_conversations(self) -> bool {
        matches!(self, Self::RetryLanes | Self::SkipHeld)
    }
}

/// What a list is narrowed to, as a bulk change takes it over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkFilter {
    /// What is searched for.
    #[serde(default)]
    pub search: String,
    /// Only this account's.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Only of this line.
    #[serde(default)]
    pub line: Option<LineId>,
    /// Only lines of this type.
    #[serde(default)]
    pub integration_type: Option<IntegrationType>,
    /// Only what is open, or closed.
    #[serde(default)]
    pub state: Option<OpenOrClosed>,
    /// Only conversations in this kind of trouble.
    #[serde(default)]
    pub trouble: Option<Trouble>,
}

/// Which rows a bulk change is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkWhich {
    /// Those that were chosen one by one, by their keys.
    Chosen(Vec<String>),
    /// All that match.
    All(BulkFilter),
}

/// A row that a bulk change looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRow {
    /// A line's or person's id; of a conversation the line's and its own, with a colon between.
    pub key: String,
    /// The version that was looked at; a change names it.
    pub version: i64,
    /// Whose it is.
    pub account_id: AccountId,
    /// What staff call it; no personal data of contacts.
    pub name: String,
    /// What tells it from others of its name.
    pub about: String,
    /// Where it is looked at.
    pub href: String,
    /// Why it is left out, if it is.
    pub refused: Option<String>,
    /// How many messages of it are changed, where it is messages.
    #[serde(default)]
    pub messages: Option<i64>,
    /// To how many lines the person has access, where it is people.
    #[serde(default)]
    pub lines: Option<i64>,
}

/// What a bulk change would do; nothing is changed by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkLook {
    /// The rows, as many as are changed at once.
    pub rows: Vec<BulkRow>,
    /// There are more: they are changed by a data utility.
    pub is_large: bool,
    /// So many are changed at once.
    pub at_once: usize,
}
