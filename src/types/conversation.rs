//! A conversation as support looks through it: narrowed, from a date on, and beside what RingCentral shows.

use crate::types::{Cursor, EntryState, MessageId, MessageState, Origin, TimelineRow, Timestamp, Written, words};
use serde::{Deserialize, Serialize};

words! {
    /// Who wrote a message.
    Writer {
        /// The contact.
        Contact = "contact",
        /// An agent in the RingCentral app.
        Agent = "agent",
        /// Staff in the console.
        Staff = "staff",
        /// A blast.
        Blast = "blast",
        /// An account's program.
        Api = "api",
        /// An automatic reply.
        Responder = "responder",
        /// The answer to STOP, START or HELP.
        Confirmation = "confirmation",
    }
}

impl Writer {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contact => "Contact",
            Self::Agent => Origin::Agent.name(),
            Self::Staff => Origin::Staff.name(),
            Self::Blast => Origin::Blast.name(),
            Self::Api => Origin::Api.name(),
            Self::Responder => Origin::Responder.name(),
            Self::Confirmation => Origin::Confirmation.name(),
        }
    }
}

/// What a conversation is narrowed to; it stands in the URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineFilter {
    /// Only what they wrote.
    pub writer: Option<Writer>,
    /// Only messages whose SMS is so far.
    pub sms: Option<MessageState>,
    /// Only messages that are so far on their way into RingCentral.
    pub entry: Option<EntryState>,
}

impl TimelineFilter {
    /// Nothing is left out.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// What of a conversation waits for RingCentral, counted for who would skip it at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skippable {
    /// Held until the contact's next reply.
    pub held: i64,
    /// Ours, queued, and no call for them is under way.
    pub queued: i64,
    /// Ours, queued, and a call for them is under way: they are left alone.
    pub under_way: i64,
    /// What the contact wrote, queued: it is left alone, since agents would never see it.
    pub inbound: i64,
    /// What would be skipped, as it was looked at; whoever skips it names it.
    pub version: i64,
}

impl Skippable {
    /// So many would be skipped.
    pub fn messages(&self) -> i64 {
        self.held + self.queued
    }

    /// The version of so many messages of which this is the newest: one that comes, and one that goes, makes it another, and so does a
    /// reply of the contact, by which what was held is queued.
    pub fn version_of(held: i64, queued: i64, newest: MessageId) -> i64 {
        // The half of an id that begins with the time that it was made.
        let newest = i64::try_from(newest.0.as_u128() >> 64).unwrap_or(i64::MAX);
        newest.wrapping_add(held).wrapping_add(queued.wrapping_mul(1_000_003))
    }
}

/// Where a page of a conversation begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineFrom {
    /// At the newest message, back in time.
    #[default]
    Newest,
    /// Before this message, back in time.
    Before(Cursor),
    /// Behind this message, on in time.
    After(Cursor),
    /// At this moment, on in time.
    At(Timestamp),
}

/// A page of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// The messages, the newest first.
    pub rows: Vec<TimelineRow>,
    /// Where older ones begin, if there are any.
    pub older: Option<Cursor>,
    /// Where newer ones begin, if there are any.
    pub newer: Option<Cursor>,
}

words! {
    /// How a post in RingCentral and what we know of it go together.
    Agreement {
        /// Both say the same.
        Same = "same",
        /// The post says something else than what we posted.
        OtherText = "other_text",
        /// An agent changed their post after it was sent.
        Edited = "edited",
        /// We posted it, or it was written there, and it is not there.
        Missing = "missing",
        /// It is there, and we know nothing of it.
        Unknown = "unknown",
        /// An agent wrote it, and the contact did not get it.
        NotSent = "not_sent",
        /// It is on its way there.
        Waits = "waits",
        /// It is not to be posted.
        NotPosted = "not_posted",
        /// It is no message: a word of ours to the agents, or what happened to the chat.
        Aside = "aside",
    }
}

impl Agreement {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "Same",
            Self::OtherText => "Other text",
            Self::Edited => "Edited there",
            Self::Missing => "Missing there",
            Self::Unknown => "Unknown here",
            Self::NotSent => "Not sent",
            Self::Waits => "Not there yet",
            Self::NotPosted => "Not posted",
            Self::Aside => "No message",
        }
    }

    /// Somebody should look at it.
    pub fn is_difference(self) -> bool {
        matches!(self, Self::OtherText | Self::Edited | Self::Missing | Self::Unknown | Self::NotSent)
    }
}

/// A message of ours beside a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedMessage {
    /// The message.
    pub id: MessageId,
    /// Who wrote it.
    pub writer: Option<Writer>,
    /// What it says.
    pub written: Written,
    /// When the carrier took it, or when it came in.
    pub at: Timestamp,
}

/// A post in RingCentral, what we know of it, and how the two go together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedPost {
    /// The post; `None` for what was never posted.
    pub post_id: Option<String>,
    /// When it was written there, or when we posted it.
    pub at: Option<Timestamp>,
    /// It stands there.
    pub is_there: bool,
    /// What it says there, for who may see it.
    pub says: Option<String>,
    /// Our messages in it.
    pub here: Vec<ComparedMessage>,
    /// How they go together.
    pub agreement: Agreement,
}

/// What RingCentral shows of a conversation beside what we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// When RingCentral was asked.
    pub at: Timestamp,
    /// Since when posts were compared; `None`: since the chat was made.
    pub since: Option<Timestamp>,
    /// The posts, the newest first.
    pub rows: Vec<ComparedPost>,
}
