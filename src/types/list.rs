//! Lists as their readers have arranged them: saved views, and the columns that are shown.

use crate::types::{RoleId, ViewId, words};
use serde::{Deserialize, Serialize};

words! {
    /// A list that can be arranged.
    ListKind {
        /// Lines.
        Lines = "lines",
        /// Conversations that are not in sync.
        Sync = "sync",
        /// Accounts.
        Accounts = "accounts",
        /// People of an account.
        Users = "users",
        /// Contacts of an account.
        Contacts = "contacts",
        /// Conversations of a line.
        Conversations = "conversations",
        /// Runs of data utilities.
        Runs = "runs",
        /// The audit.
        Audit = "audit",
        /// Connections.
        Connections = "connections",
        /// Staff.
        Staff = "staff",
        /// Blasts of an account, or of a line.
        Blasts = "blasts",
        /// Messages to unknown lines.
        Unknown = "unknown",
    }
}

impl ListKind {
    /// Which fields of its URL a saved view keeps; none for a list that is not narrowed. Of a list that there is for each account, or each
    /// line, a view narrows every one.
    pub fn saved(self) -> &'static [&'static str] {
        match self {
            Self::Lines => &["q", "account", "type", "state", "sort"],
            Self::Sync => &["account", "line", "state", "sort"],
            Self::Accounts | Self::Users | Self::Connections => &["q", "state"],
            Self::Contacts | Self::Blasts => &["state"],
            Self::Conversations => &["state", "sort"],
            Self::Runs => &["q", "utility", "state", "account", "line", "by"],
            Self::Audit => &["who", "action", "account", "line", "subject", "outcome", "from", "until"],
            Self::Unknown => &["q", "show"],
            Self::Staff => &[],
        }
    }
}

words! {
    /// What a list of what can be closed is narrowed to; without it, both are shown.
    OpenOrClosed {
        /// What is open.
        Open = "open",
        /// What is closed.
        Closed = "closed",
    }
}

impl OpenOrClosed {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Closed => "Closed",
        }
    }

    /// Whether it is what is open, as a statement compares it.
    pub fn is_open(self) -> bool {
        self == Self::Open
    }
}

words! {
    /// Which way a list is sorted.
    Order {
        /// The least first.
        Up = "up",
        /// The greatest first.
        Down = "down",
    }
}

/// A field of a list's URL and its value.
pub type ViewField = (String, String);

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// It.
    pub id: ViewId,
    /// What it is called.
    pub name: String,
    /// What the list is narrowed to, in the order of [`ListKind::saved`].
    pub fields: Vec<ViewField>,
    /// The role that it is shared with.
    pub shared_with: Option<String>,
    /// The reader may rename and delete it.
    pub may_change: bool,
    /// Grows with each change; a change names the version it was made on.
    pub version: i64,
}

/// A list as its reader has arranged it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrangement {
    /// Its saved views, by name.
    pub views: Vec<SavedView>,
    /// Roles that a view can be shared with; none for who may not share.
    pub roles: Vec<(RoleId, String)>,
    /// The words of the columns that were chosen; `None` while nothing was.
    pub columns: Option<Vec<String>>,
}

/// A column of a list, beside the first one, which always stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListColumn {
    /// Its word.
    pub word: &'static str,
    /// Its head.
    pub head: &'static str,
    /// It is shown while nothing was chosen.
    pub by_default: bool,
    /// It holds numbers that are compared with each other, one below the other.
    pub is_number: bool,
}

impl ListColumn {
    const fn of_numbers(self) -> Self {
        Self { is_number: true, ..self }
    }
}

const fn column(word: &'static str, head: &'static str) -> ListColumn {
    ListColumn { word, head, by_default: true, is_number: false }
}

const fn further(word: &'static str, head: &'static str) -> ListColumn {
    ListColumn { word, head, by_default: false, is_number: false }
}

impl ListKind {
    /// The columns that can be chosen, in their order.
    pub fn columns(self) -> &'static [ListColumn] {
        const LINES: &[ListColumn] = &[
            column("label", "Label"),
            column("account", "Account"),
            column("type", "Type"),
            further("added", "Added"),
            further("closed", "Closed"),
        ];
        const SYNC: &[ListColumn] = &[
            column("sync", "Sync"),
            column("line", "Line"),
            column("account", "Account"),
            column("changed", "Changed"),
            further("since", "Stalled since"),
        ];
        const ACCOUNTS: &[ListColumn] = &[
            column("products", "Products"),
            column("lines", "Lines").of_numbers(),
            column("ringcentral", "RingCentral"),
            further("closed", "Closed"),
        ];
        const USERS: &[ListColumn] = &[column("email", "E-mail"), column("lines", "Lines").of_numbers(), further("closed", "Closed")];
        const CONTACTS: &[ListColumn] = &[column("number", "Number"), further("closed", "Closed")];
        const CONVERSATIONS: &[ListColumn] =
            &[column("sync", "Sync"), column("chat", "Chat"), column("last", "Last message"), further("changed", "Changed")];
        const RUNS: &[ListColumn] = &[
            column("state", "State"),
            column("by", "Asked by"),
            column("asked", "Asked"),
            further("started", "Started"),
            further("ended", "Ended"),
            further("line", "Line"),
            further("rows", "Rows").of_numbers(),
        ];
        const AUDIT: &[ListColumn] = &[
            column("who", "Who"),
            column("from", "From"),
            column("what", "What"),
            column("where", "Where"),
            column("before", "Before"),
            column("after", "After"),
            column("number", "No.").of_numbers(),
        ];
        const CONNECTIONS: &[ListColumn] = &[
            column("state", "State"),
            column("subscription", "Subscription"),
            column("minute", "Posts a minute"),
            column("today", "Posts today"),
            column("heard", "Last event"),
        ];
        const STAFF: &[ListColumn] =
            &[column("email", "E-mail"), column("roles", "Roles"), column("factor", "Second factor"), column("state", "State")];
        const BLASTS: &[ListColumn] = &[
            column("state", "State"),
            column("line", "Line"),
            column("recipients", "Recipients").of_numbers(),
            column("recorded", "Recorded").of_numbers(),
            column("left_out", "Left out").of_numbers(),
            column("by", "By"),
        ];
        match self {
            Self::Lines => LINES,
            Self::Sync => SYNC,
            Self::Accounts => ACCOUNTS,
            Self::Users => USERS,
            Self::Contacts => CONTACTS,
            Self::Conversations => CONVERSATIONS,
            Self::Runs => RUNS,
            Self::Audit => AUDIT,
            Self::Connections => CONNECTIONS,
            Self::Staff => STAFF,
            Self::Blasts => BLASTS,
            // They are few, and none can be missed.
            Self::Unknown => &[],
        }
    }

    /// The columns that are shown when these were chosen; a word of another version of the program is none.
    pub fn shown(self, chosen: Option<&[String]>) -> Vec<ListColumn> {
        let is_shown = |column: &&ListColumn| match chosen {
            None => column.by_default,
            Some(chosen) => chosen.iter().any(|word| word == column.word),
        };
        self.columns().iter().filter(is_shown).copied().collect()
    }
}
