//! The directory as screens show it.

use crate::types::{AccountId, LineId, OpenOrClosed, PhoneNumber, ResponderId, RunId, Timestamp, UserId, words};
use serde::{Deserialize, Serialize};

words! {
    /// What a line's incoming messages flow into.
    IntegrationType {
        /// A blast-only line: recorded, STOP/START/HELP honoured, nothing else.
        None = "none",
        /// The platform's own inbox.
        Inbox = "inbox",
        /// A RingCentral team-messaging chat per conversation.
        Ringcentral = "ringcentral",
    }
}

words! {
    /// What an account has bought.
    Product {
        /// One message to many.
        Blast = "blast",
        /// Messages back and forth.
        Conversation = "conversation",
    }
}

impl Product {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blast => "Blast",
            Self::Conversation => "Conversation",
        }
    }
}

impl IntegrationType {
    /// The product that an account must have for it.
    pub fn needs(self) -> Product {
        match self {
            Self::None => Product::Blast,
            Self::Inbox | Self::Ringcentral => Product::Conversation,
        }
    }

    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Inbox => "Inbox",
            Self::Ringcentral => "RingCentral",
        }
    }

    /// What it means, in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::None => {
                "Blast only. Replies are recorded and STOP, START and HELP are honoured; nothing is routed and no conversation is made."
            }
            Self::Inbox => "Replies become conversations in the platform's own inbox.",
            Self::Ringcentral => {
                "Each conversation is a RingCentral chat. Messages sent elsewhere are held and inserted ahead of the contact's next reply."
            }
        }
    }
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// It has the product Blast.
    pub sends_blasts: bool,
    /// It has the product Conversation.
    pub has_conversations: bool,
    /// How many lines it has.
    pub lines: i64,
    /// It has a connection to RingCentral.
    pub connected: bool,
    /// Since when it is closed.
    pub closed_at: Option<Timestamp>,
}

impl AccountRow {
    /// Its products, as a sentence has them.
    pub fn products(&self) -> &'static str {
        match (self.sends_blasts, self.has_conversations) {
            (true, true) => "Blast, Conversation",
            (true, false) => "Blast",
            (false, true) => "Conversation",
            (false, false) => "None",
        }
    }
}

/// An account, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDetail {
    /// As in the list.
    pub row: AccountRow,
    /// Grows with each change; a change names the version it was made on.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// The tokens of its programs, those that are good first, the latest first.
    pub tokens: Vec<ApiTokenRow>,
}

/// A token of an account's programs. The token itself is shown once, and stored as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiTokenRow {
    /// Names it when it is to be revoked; nobody can call with it.
    pub handle: String,
    /// What it is called.
    pub name: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom, where that was written down.
    pub made_by: Option<String>,
    /// When it was revoked, and by whom.
    pub revoked: Option<(Timestamp, String)>,
}

/// What hangs on an account that is to be closed; nothing is changed by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountClosing {
    /// The account.
    pub row: AccountRow,
    /// Its version that was looked at; the change must name it.
    pub version: i64,
    /// Its lines that are not closed, by type.
    pub lines: Vec<(IntegrationType, i64)>,
    /// Held messages.
    pub held: i64,
    /// Queued messages: on their way into RingCentral.
    pub queued: i64,
    /// Blasts that start later.
    pub scheduled_blasts: i64,
    /// Blasts that are being sent.
    pub blasts_under_way: i64,
    /// Its people who are not closed.
    pub users: i64,
    /// The tokens of its programs.
    pub tokens: i64,
}

/// What the Lines list is narrowed to; it stands in the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineFilter {
    /// Part of the number, of the label or of the account's name.
    pub search: String,
    /// Only this account's.
    pub account: Option<AccountId>,
    /// Only of this type.
    pub integration_type: Option<IntegrationType>,
    /// Only those that are open, or closed.
    #[serde(default)]
    pub state: Option<OpenOrClosed>,
    /// How they are sorted.
    #[serde(default)]
    pub sort: LineSort,
}

words! {
    /// How the list of lines is sorted; an index carries each.
    #[derive(Default)]
    LineSort {
        /// By number.
        #[default]
        Number = "number",
        /// By number, the greatest first.
        NumberDown = "number_down",
        /// By label, in lower case.
        Label = "label",
        /// By label, the last first.
        LabelDown = "label_down",
    }
}

/// A line in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct LineRow {
    /// The line.
    pub id: LineId,
    /// Its number.
    pub number: PhoneNumber,
    /// What staff call it.
    pub label: String,
    /// The account that owns it now.
    pub account_id: AccountId,
    /// That account's name.
    pub account: String,
    /// What its messages flow into.
    pub integration_type: IntegrationType,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when it is closed.
    pub closed_at: Option<Timestamp>,
}

/// A line, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineDetail {
    /// As in the list.
    pub line: LineRow,
    /// Grows with each change; a change names the version it was made on.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// The account has a connection to RingCentral.
    pub connected: bool,
    /// The run that is moving it to this account now.
    pub transfer: Option<RunId>,
    /// The account's people who are open; where not all fit, those with access come before the others.
    pub users: Vec<LineUser>,
    /// How many people of the account are open.
    pub users_of_account: i64,
    /// Its automatic replies.
    pub responders: Vec<ResponderRow>,
}

/// What hangs on a line that is to be closed; nothing is changed by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineClosing {
    /// The line.
    pub line: LineRow,
    /// Its version that was looked at; the change must name it.
    pub version: i64,
    /// Its conversations; they stay.
    pub conversations: i64,
    /// Held messages.
    pub held: i64,
    /// Queued messages: on their way into RingCentral.
    pub queued: i64,
    /// Blasts that start later.
    pub scheduled_blasts: i64,
    /// Blasts that are being sent.
    pub blasts_under_way: i64,
    /// People who have access.
    pub users: i64,
    /// It is moving to this account now.
    pub is_transferring: bool,
}

/// A person of the account and whether they have access to the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineUser {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail.
    pub email: String,
    /// They have access.
    pub access: bool,
}

/// An automatic reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderRow {
    /// The responder.
    pub id: ResponderId,
    /// A message that is this word gets the reply.
    pub keyword: String,
    /// The reply.
    pub reply: String,
}

/// What a change of a line's type would do; nothing is changed by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeChangePreview {
    /// The type now.
    pub from: IntegrationType,
    /// The type asked for.
    pub to: IntegrationType,
    /// The line's version that was looked at; the change must name it.
    pub version: i64,
    /// Conversations of the line; their messages stay as they are.
    pub conversations: i64,
    /// Held messages.
    pub held: i64,
    /// Queued messages: on their way into RingCentral.
    pub queued: i64,
    /// Skipped messages that could be restored afterwards.
    pub restorable: i64,
    /// Messages on their way that RingCentral will not show, as they were recorded before.
    pub unsent: i64,
    /// Why it cannot be done, if it cannot.
    pub obstacle: Option<String>,
}
