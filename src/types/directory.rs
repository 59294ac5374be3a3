//! The directory as screens show it.

use crate::types::{AccountId, LineId, PhoneNumber, ResponderId, RunId, Timestamp, UserId, words};
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

impl IntegrationType {
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
}

/// A line in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Who has access.
    pub users: Vec<LineUser>,
    /// Its automatic replies.
    pub responders: Vec<ResponderRow>,
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
    /// What becomes of each, in sentences.
    pub effects: Vec<String>,
    /// Why it cannot be done, if it cannot.
    pub obstacle: Option<String>,
}
