//! Blasts as screens show them beside the list: whom one went to, and what one that is being written would do.

use crate::types::{ConversationId, MessageId, MessageState, ShownNumber, Timestamp};
use serde::{Deserialize, Serialize};

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
