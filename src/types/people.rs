//! People as screens show them: those of an account, its contacts, and what a contact has agreed to.

use crate::types::{
    AccountId, ContactId, ConversationId, LineId, LineRow, MessageId, Permission, PhoneNumber, ShownNumber, Timestamp, UserId, words,
};
use serde::{Deserialize, Serialize};

/// A person of an account in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail.
    pub email: String,
    /// How many lines they have access to.
    pub lines: i64,
    /// Since when they are closed.
    pub closed_at: Option<Timestamp>,
}

/// A person of an account, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDetail {
    /// As in the list.
    pub row: UserRow,
    /// Their account.
    pub account_id: AccountId,
    /// Its name.
    pub account: String,
    /// Grows with each change; a change names the version it was made on.
    pub version: i64,
    /// When they were added.
    pub created_at: Timestamp,
    /// The account's lines, and whether they have access to each; where not all fit, those with access come before the others.
    pub lines: Vec<(LineRow, bool)>,
    /// How many lines the account has.
    pub lines_of_account: i64,
}

/// A contact in an account's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRow {
    /// The contact.
    pub id: ContactId,
    /// Their name; `None` for who may not see it.
    pub name: Option<String>,
    /// Their number.
    pub number: ShownNumber,
    /// Since when they are closed.
    pub closed_at: Option<Timestamp>,
}

/// A contact, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactDetail {
    /// As in the list.
    pub row: ContactRow,
    /// Their account.
    pub account_id: AccountId,
    /// Its name.
    pub account: String,
    /// What the account notes about them; `None` for who may not see it.
    pub note: Option<String>,
    /// Grows with each change; a change names the version it was made on.
    pub version: i64,
}

words! {
    /// Whether a contact wants messages of a line.
    ConsentState {
        /// They agreed.
        OptedIn = "opted_in",
        /// They want none.
        OptedOut = "opted_out",
        /// It was said once, and is not known any more.
        Unknown = "unknown",
    }
}

impl ConsentState {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OptedIn => "Opted in",
            Self::OptedOut => "Opted out",
            Self::Unknown => "Unknown",
        }
    }
}

words! {
    /// Where consent comes from.
    ConsentSource {
        /// The contact wrote a word such as STOP or START.
        Keyword = "keyword",
        /// Staff set it by hand.
        Staff = "staff",
        /// A file was imported.
        Import = "import",
        /// The line was transferred.
        Transfer = "transfer",
    }
}

impl ConsentSource {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keyword => "The contact wrote it",
            Self::Staff => "Staff set it",
            Self::Import => "An import",
            Self::Transfer => "A transfer of the line",
        }
    }
}

/// Whose consent it is, on a line: a conversation's, a contact's, or whoever a message is from or for. Their number stands in no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentOf {
    /// The contact of this conversation.
    Conversation(ConversationId),
    /// This contact of the line's account.
    Contact(ContactId),
    /// The contact of this message of the line: of one that is set to None, who got a blast has neither of the others.
    Message(MessageId),
}

/// What was said once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentSaid {
    /// What.
    pub state: ConsentState,
    /// Where it comes from.
    pub source: ConsentSource,
    /// The evidence, in words; left out for who may not see personal data.
    pub evidence: Option<String>,
    /// When it was said.
    pub at: Timestamp,
}

/// The consent of a line and a number, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentDetail {
    /// The line.
    pub line_id: LineId,
    /// What staff call it.
    pub line: String,
    /// Its number.
    pub line_number: PhoneNumber,
    /// Its account.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// The contact's number.
    pub number: ShownNumber,
    /// The contact, if the account knows them by name.
    pub contact: Option<ContactId>,
    /// Their conversation on the line, if there is one.
    pub conversation: Option<ConversationId>,
    /// What holds now; `None`: nothing was ever said.
    pub now: Option<ConsentSaid>,
    /// They had opted out and were erased since: that stays.
    pub is_erased: bool,
    /// All that was said, the newest first, up to 100.
    pub history: Vec<ConsentSaid>,
}

/// A contact on one line of their account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactLine {
    /// The line.
    pub line_id: LineId,
    /// What staff call it.
    pub line: String,
    /// Its number.
    pub line_number: PhoneNumber,
    /// Their conversation, if there is one, and when its newest message was written.
    pub conversation: Option<(ConversationId, Timestamp)>,
    /// What they agreed to, if they ever said.
    pub consent: Option<ConsentState>,
}

words! {
    /// What contradicts itself in the directory, or looks like a mistake.
    FindingKind {
        /// A line sends blasts, nobody writes to it but STOP and START, and it is not set to None.
        LooksBlastOnly = "looks_blast_only",
        /// A line's type needs a product that its account does not have.
        ProductMissing = "product_missing",
        /// A line is set to RingCentral and its account has no connection.
        NotConnected = "not_connected",
        /// The account is closed and the line is not.
        OpenInClosedAccount = "open_in_closed_account",
    }
}

words! {
    /// What contradicts itself in an account as such, whatever its lines are set to.
    AccountFinding {
        /// It is connected to RingCentral and does not have the product Conversation.
        ConnectedWithoutConversation = "connected_without_conversation",
        /// It has open lines and no product.
        NoProduct = "no_product",
    }
}

impl AccountFinding {
    /// As a heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectedWithoutConversation => "Connected accounts without the product Conversation",
            Self::NoProduct => "Accounts with open lines and no product",
        }
    }

    /// What it means and what to do, in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::ConnectedWithoutConversation => {
                "No line of theirs may be set to RingCentral, so the connection serves nothing. Add the product, or remove the connection."
            }
            Self::NoProduct => "Their lines may be set to no type at all. Add the products that the account has, or close its lines.",
        }
    }
}

/// An account that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct FindingAccount {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// How many open lines it has.
    pub lines: i64,
}

impl FindingKind {
    /// As a heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::LooksBlastOnly => "Lines that look blast-only",
            Self::ProductMissing => "Lines whose account lacks the product",
            Self::NotConnected => "RingCentral lines without a connection",
            Self::OpenInClosedAccount => "Open lines of closed accounts",
        }
    }

    /// What it means and what to do, in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::LooksBlastOnly => {
                "They have sent blasts, and nobody has written to them but words such as STOP. If no conversation is wanted, set them to None."
            }
            Self::ProductMissing => {
                "Their integration type needs a product that the account does not have. Add the product, or set another type."
            }
            Self::NotConnected => "Nothing can be posted for them. Connect the account, or set another type.",
            Self::OpenInClosedAccount => {
                "What comes in for them still flows by their type. Close the line, transfer it, or reopen the account."
            }
        }
    }

    /// What one must be allowed to mend it, and to set it aside.
    pub fn mended_with(self) -> Permission {
        match self {
            Self::LooksBlastOnly => Permission::SetIntegrationType,
            Self::ProductMissing | Self::NotConnected | Self::OpenInClosedAccount => Permission::ManageDirectory,
        }
    }
}
