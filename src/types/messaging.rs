//! Messages, conversations and their sync state as screens show them.

use crate::types::{
    AccountId, BlastId, ContactId, ConversationId, IntegrationType, LineId, MessageId, PhoneNumber, SearchId, ShownNumber, Timestamp,
    Written, words,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

words! {
    /// Which way a message went.
    Direction {
        /// From the contact to the line.
        Inbound = "inbound",
        /// From the line to the contact.
        Outbound = "outbound",
    }
}

words! {
    /// What sent an outbound message.
    Origin {
        /// Typed by an agent in the RingCentral app.
        Agent = "agent",
        /// One recipient of a blast.
        Blast = "blast",
        /// An account's program.
        Api = "api",
        /// An automatic reply.
        Responder = "responder",
        /// The answer to STOP, START or HELP; it is sent whatever the consent is.
        Confirmation = "confirmation",
        /// Typed by staff in the console.
        Staff = "staff",
    }
}

impl Origin {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Blast => "Blast",
            Self::Api => "API",
            Self::Responder => "Automatic reply",
            Self::Confirmation => "Confirmation",
            Self::Staff => "Staff",
        }
    }
}

words! {
    /// How far a message is.
    MessageState {
        /// It came in.
        Received = "received",
        /// It waits to be sent.
        Queued = "queued",
        /// The carrier took it.
        Accepted = "accepted",
        /// The contact's phone has it.
        Delivered = "delivered",
        /// It was not sent, or did not arrive; the error says why.
        Failed = "failed",
        /// It was not sent: the contact has opted out.
        OptedOut = "opted_out",
    }
}

impl MessageState {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::Queued => "Waits to be sent",
            Self::Accepted => "Sent",
            Self::Delivered => "Delivered",
            Self::Failed => "Failed",
            Self::OptedOut => "Not sent: opted out",
        }
    }
}

words! {
    /// How far a message is on its way into RingCentral.
    EntryState {
        /// RingCentral does not know of it yet.
        Held = "held",
        /// It has its place in the lane.
        Queued = "queued",
        /// It stands in the chat.
        Posted = "posted",
        /// It will not be posted; the reason says why. It can be restored.
        Skipped = "skipped",
        /// RingCentral refused it; the reason says why. It can be tried again.
        Failed = "failed",
    }
}

impl EntryState {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "Held",
            Self::Queued => "Queued",
            Self::Posted => "Posted",
            Self::Skipped => "Skipped",
            Self::Failed => "Refused",
        }
    }
}

/// Whether RingCentral knows of everything in a conversation. Screens and tests share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SyncState {
    /// The line is not connected to RingCentral.
    NotConnected,
    /// RingCentral knows everything.
    InSync,
    /// So many messages wait for the contact's next reply.
    Held {
        /// How many.
        count: i64,
    },
    /// So many messages are on their way.
    Delivering {
        /// How many.
        count: i64,
    },
    /// Deliveries fail.
    Stalled {
        /// Since when.
        since: Timestamp,
        /// Why, in words.
        why: String,
    },
}

impl SyncState {
    /// In words, for a badge.
    pub fn label(&self) -> String {
        match self {
            Self::NotConnected => "Not connected".to_owned(),
            Self::InSync => "In sync".to_owned(),
            Self::Held { count } => format!("Held ({count})"),
            Self::Delivering { count } => format!("Delivering ({count})"),
            Self::Stalled { .. } => "Stalled".to_owned(),
        }
    }
}

words! {
    /// A kind of trouble by which the Sync list is filtered.
    Trouble {
        /// Messages wait for the contact's next reply.
        Held = "held",
        /// Messages are on their way.
        Delivering = "delivering",
        /// Deliveries fail.
        Stalled = "stalled",
    }
}

impl Trouble {
    /// Its rank in the list: trouble first.
    pub fn rank(self) -> i64 {
        match self {
            Self::Held => 1,
            Self::Delivering => 2,
            Self::Stalled => 3,
        }
    }
}

/// What the Sync list is narrowed to; it stands in the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncFilter {
    /// Only this account's.
    pub account: Option<AccountId>,
    /// Only this line's.
    pub line: Option<LineId>,
    /// Only this kind.
    pub trouble: Option<Trouble>,
    /// The other way round: what has waited longest comes first.
    #[serde(default)]
    pub oldest_first: bool,
}

/// The word in a URL for [`SyncFilter::oldest_first`] and [`ConversationFilter::oldest_first`].
pub const OLDEST: &str = "oldest";

/// A conversation in the Sync list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SyncRow {
    /// The line.
    pub line_id: LineId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The account that owns the line now.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// The line's label.
    pub line: String,
    /// The contact's number.
    pub number: ShownNumber,
    /// The contact's name, if the account knows one and the reader may see it.
    pub contact: Option<String>,
    /// How far it is.
    pub sync: SyncState,
    /// When that last changed.
    pub changed_at: Timestamp,
}

/// How many conversations are in each kind of trouble; a count that reached its cap says “at least”.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCounts {
    /// Held.
    pub held: i64,
    /// Delivering.
    pub delivering: i64,
    /// Stalled.
    pub stalled: i64,
    /// A count that has reached this is at least this.
    pub cap: i64,
}

/// A conversation in a line's list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConversationRow {
    /// The conversation.
    pub id: ConversationId,
    /// The contact's number.
    pub number: ShownNumber,
    /// The contact's name, if the account knows one and the reader may see it.
    pub contact: Option<String>,
    /// When the newest message was written.
    pub last_at: Timestamp,
    /// How far RingCentral is.
    pub sync: SyncState,
    /// Its chat in RingCentral, if there is one.
    pub chat_id: Option<String>,
    /// When its delivery into RingCentral changed last; `None` while nothing was ever to be delivered.
    pub changed_at: Option<Timestamp>,
}

/// What a line's list of conversations is narrowed to; it stands in the URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationFilter {
    /// Only this kind; they are sorted by when that changed.
    pub trouble: Option<Trouble>,
    /// The other way round: what has waited longest comes first.
    pub oldest_first: bool,
    /// Only what this search of the reader's own found.
    pub found: Option<SearchId>,
}

impl ConversationFilter {
    /// Whether it is sorted by the last change in the delivery; otherwise it is by the newest message.
    pub fn is_by_change(&self) -> bool {
        self.trouble.is_some() && self.found.is_none()
    }
}

/// A conversation that was found by its contact's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRow {
    /// The line.
    pub line_id: LineId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The account that owns the line now.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// The line's label.
    pub line: String,
    /// The contact's number.
    pub number: ShownNumber,
    /// The contact's name, if the account knows one and the reader may see it.
    pub contact: Option<String>,
    /// When the newest message was written.
    pub last_at: Timestamp,
}

/// A conversation's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationDetail {
    /// The line.
    pub line_id: LineId,
    /// The line's label.
    pub line: String,
    /// The line's number.
    pub line_number: PhoneNumber,
    /// The account.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// The contact's number.
    pub number: ShownNumber,
    /// The contact's name, if the account knows one and the reader may see it.
    pub contact: Option<String>,
    /// The contact as the account knows them.
    pub contact_id: Option<ContactId>,
    /// What the line's messages flow into.
    pub integration_type: IntegrationType,
    /// The contact has opted out.
    pub opted_out: bool,
    /// How far RingCentral is.
    pub sync: SyncState,
    /// The RingCentral chat, once there is one.
    pub chat_id: Option<String>,
    /// The next try of a lane that has something to deliver.
    pub due_at: Option<Timestamp>,
}

/// What is closed, so that nothing new is sent from a line; where both are, the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closed {
    /// The line.
    Line,
    /// Its account.
    Account,
}

impl Closed {
    /// What is closed of a line and its account; `None` where both are open.
    pub fn of(line: bool, account: bool) -> Option<Self> {
        match (line, account) {
            (_, true) => Some(Self::Account),
            (true, false) => Some(Self::Line),
            (false, false) => None,
        }
    }

    /// Why nothing is sent, and until when.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Line => "The line is closed: nothing is sent from it until it is opened again.",
            Self::Account => "The account is closed: nothing is sent from its lines until it is opened again.",
        }
    }
}

/// How late what a contact wrote may come in, or stand in its chat, before it is said when they sent it.
pub const LATE_AFTER: Duration = Duration::from_secs(120);

/// A message in a conversation's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimelineRow {
    /// The message.
    pub id: MessageId,
    /// Which way it went.
    pub direction: Direction,
    /// What sent it, if it went out.
    pub origin: Option<Origin>,
    /// What it says.
    pub written: Written,
    /// How far the SMS is.
    pub state: MessageState,
    /// What went wrong with the SMS.
    pub error: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When the contact sent it, as the carrier says.
    pub sent_at: Option<Timestamp>,
    /// When the carrier took it.
    pub accepted_at: Option<Timestamp>,
    /// How far the post is; `None` when the line was not connected to RingCentral.
    pub entry: Option<EntryState>,
    /// Its place in the lane.
    pub seq: Option<i64>,
    /// The post that says it.
    pub post_id: Option<String>,
    /// The reference that ends the post, if it is ours: all of it that an agent can quote.
    pub reference: Option<String>,
    /// When that was made.
    pub posted_at: Option<Timestamp>,
    /// When RingCentral showed us our post, as an event.
    pub echoed_at: Option<Timestamp>,
    /// When the agent who wrote it changed it in RingCentral; the contact has it as it was.
    pub edited_at: Option<Timestamp>,
    /// When the agent who wrote it deleted it in RingCentral; the contact has it all the same.
    pub removed_at: Option<Timestamp>,
    /// Why it was skipped or refused.
    pub reason: Option<String>,
    /// The blast that it is one message of.
    pub blast: Option<BlastId>,
}

impl TimelineRow {
    /// When the contact sent it, if it came in late: later than [`LATE_AFTER`].
    pub fn sent_late(&self) -> Option<Timestamp> {
        self.sent_at.filter(|sent| self.created_at.since(*sent) > LATE_AFTER)
    }
}

words! {
    /// What became of what an agent wrote in RingCentral.
    AgentOutcome {
        /// It was sent to the contact.
        Sent = "sent",
        /// The contact has opted out.
        OptedOut = "opted_out",
        /// The line was not set to RingCentral.
        NotConnected = "not_connected",
        /// The line belonged to another account.
        Moved = "moved",
        /// There was nothing to send.
        Empty = "empty",
    }
}

impl AgentOutcome {
    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Sent => "Sent to the contact",
            Self::OptedOut => "Not sent: the contact has opted out",
            Self::NotConnected => "Not sent: the line was not set to RingCentral",
            Self::Moved => "Not sent: the line belonged to another account by then",
            Self::Empty => "Not sent: there was no text in it",
        }
    }
}

/// A post of an agent's that the contact did not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsentPost {
    /// The post in RingCentral.
    pub post_id: String,
    /// Why.
    pub outcome: AgentOutcome,
    /// When we saw it.
    pub seen_at: Timestamp,
}

/// A word to an agent that could not be brought into the chat in RingCentral.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// What they would have read.
    pub words: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// A message that came in for a number that was no line of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnknownRow {
    /// The number that was texted.
    pub to: PhoneNumber,
    /// Who texted it.
    pub from: ShownNumber,
    /// What it says.
    pub written: Written,
    /// The carrier's time.
    pub sent_at: Option<Timestamp>,
    /// When it came in.
    pub received_at: Timestamp,
    /// The line, if the number has become one since.
    pub line: Option<LineId>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Media {
    /// Where the carrier keeps it.
    pub url: String,
    /// Its content type.
    #[serde(default)]
    pub content_type: String,
}
