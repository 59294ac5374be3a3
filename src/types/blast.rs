//! Blasts as screens show them: in the list, whole, whom one went to, and what one that is being written would do.

use crate::types::{AccountId, BlastId, Closed, ConversationId, LineId, MessageId, MessageState, ShownNumber, Timestamp, words};
use serde::{Deserialize, Serialize};

words! {
    /// How far a blast is.
    BlastState {
        /// It starts later.
        Scheduled = "scheduled",
        /// It was scheduled, and waits for a decision: its line got another owner, it or its account was closed, or staff paused it.
        Paused = "paused",
        /// It was called off before it started, or the rest of it was after: nothing of it waits that nobody has tried to send.
        Cancelled = "cancelled",
        /// Its messages are being recorded.
        Recording = "recording",
        /// Its messages are being sent.
        Sending = "sending",
        /// Every message was sent, or failed.
        Sent = "sent",
    }
}

impl BlastState {
    /// Those that a list is narrowed to, in the order in which a blast comes through them.
    pub const OFFERED: &'static [Self] = &[Self::Scheduled, Self::Paused, Self::Recording, Self::Sending, Self::Sent, Self::Cancelled];

    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Paused => "Paused",
            Self::Cancelled => "Cancelled",
            Self::Recording => "Being recorded",
            Self::Sending => "Being sent",
            Self::Sent => "Sent",
        }
    }
}

/// A blast as its sender sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRow {
    /// The blast.
    pub id: BlastId,
    /// The line it is sent from.
    pub line_id: LineId,
    /// What it says.
    pub body: String,
    /// How far it is.
    pub state: BlastState,
    /// Recipients as given.
    pub recipients: i64,
    /// Messages recorded.
    pub recorded: i64,
    /// Left out: they have opted out.
    pub opted_out: i64,
    /// Left out: the same number again.
    pub duplicates: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it starts; `None`: it started at once.
    pub starts_at: Option<Timestamp>,
}

/// A blast in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastListRow {
    /// The blast.
    pub id: BlastId,
    /// The line it is sent from.
    pub line_id: LineId,
    /// What staff call it.
    pub line: String,
    /// The account that owns the line now.
    pub account_id: AccountId,
    /// Its name.
    pub account: String,
    /// How far it is.
    pub state: BlastState,
    /// Recipients as given.
    pub recipients: i64,
    /// Messages recorded.
    pub recorded: i64,
    /// Left out: they have opted out.
    pub opted_out: i64,
    /// Left out: the same number again.
    pub duplicates: i64,
    /// Who sent it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it starts; `None`: it started at once.
    pub starts_at: Option<Timestamp>,
}

/// A blast, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastDetail {
    /// As in the list.
    pub row: BlastListRow,
    /// What it says; `None` for who may not see it.
    pub body: Option<String>,
    /// Messages that the carrier took.
    pub sent: i64,
    /// Of these, delivered to the contact's phone.
    pub delivered: i64,
    /// Messages that failed.
    pub failed: i64,
    /// Messages that wait to be sent.
    pub waiting: i64,
    /// Messages that were not sent since the contact opted out meanwhile.
    pub stopped: i64,
    /// Only so many messages were counted.
    pub counted: i64,
    /// Grows with each change; a change names the version it was made on.
    pub version: i64,
    /// What of its line and account is closed: it does not start before that is open again.
    pub closed: Option<Closed>,
}

/// What became of a blast for one number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlastRecipient {
    /// Its message.
    pub message: MessageId,
    /// The number.
    pub number: ShownNumber,
    /// How far the SMS is.
    pub state: MessageState,
    /// What went wrong with the SMS.
    pub error: Option<String>,
    /// When the carrier took it, or when it was recorded.
    pub at: Timestamp,
    /// The conversation that it stands in; a line that is set to None has none.
    pub conversation: Option<ConversationId>,
}

/// What a blast that staff have written would do; nothing is sent before they confirm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastPreview {
    /// What it says.
    pub text: String,
    /// The numbers as they were pasted, where they are to be changed.
    pub pasted: Option<String>,
    /// When it starts; `None`: at once.
    pub starts_at: Option<Timestamp>,
    /// Who would get it.
    pub recipients: i64,
    /// Left out: the same number again.
    pub duplicates: i64,
    /// Left out: they have opted out.
    pub opted_out: i64,
    /// Left out: they cannot be read as numbers.
    pub unreadable: i64,
    /// The first of these: the row that each stands in, and what stands there.
    pub first_unreadable: Vec<(usize, String)>,
}

/// So many numbers staff send to at once; a program sends to more.
pub const MOST_BY_HAND: usize = 10_000;
