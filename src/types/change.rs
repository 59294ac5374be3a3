//! What the live stream carries: that something changed, never what.

use crate::types::{AccountId, ConversationId, LineId, RunId};
use serde::{Deserialize, Serialize};

/// Something that changed, as ids: whoever may see it reads it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A line's facts.
    Line {
        /// The account that owns it now.
        account_id: AccountId,
        /// The line.
        line_id: LineId,
    },
    /// A conversation: its messages, or how far they are in sync.
    Conversation {
        /// The account that owns the line now.
        account_id: AccountId,
        /// The line.
        line_id: LineId,
        /// The conversation.
        conversation_id: ConversationId,
    },
    /// Many conversations of a line at once, such as a blast that was recorded.
    Conversations {
        /// The account that owns the line now.
        account_id: AccountId,
        /// The line.
        line_id: LineId,
    },
    /// A message came in for a number that is no line of ours, or such a number was set aside or brought back.
    UnknownLine,
    /// A run of a data utility has come on.
    Run {
        /// An account that it touches; none for one that touches several and is no transfer.
        account_id: Option<AccountId>,
        /// The run.
        run_id: RunId,
    },
    /// A run waits for a worker.
    RunDue,
    /// A lane has deliveries to make: workers wake up.
    LaneDue,
    /// A message waits to be sent: senders wake up.
    OutboxDue,
    /// RingCentral told us something: it is worked off.
    EventDue,
    /// Somebody's roles or sessions: open streams check again.
    Staff,
}

impl Change {
    /// The account whose people may hear of it; `None` for what belongs to no account, or to several.
    pub fn account(self) -> Option<AccountId> {
        match self {
            Self::Line { account_id, .. } | Self::Conversation { account_id, .. } | Self::Conversations { account_id, .. } => {
                Some(account_id)
            }
            Self::Run { account_id, .. } => account_id,
            Self::UnknownLine | Self::LaneDue | Self::RunDue | Self::OutboxDue | Self::EventDue | Self::Staff => None,
        }
    }
}
