//! The journal: every call with its outcome, in the order in which it took effect, in memory and (if wished) in a file.
//!
//! The one rule: an entry and the change that it made are one line, written before the caller has its answer.

use super::state::Change;
use super::{Id, Text};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::Path;
use switchyard::types::Timestamp;

/// What kind of call, or happening, an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// RingCentral: a token was asked for.
    Token,
    /// RingCentral: the token's own extension was read.
    Extension,
    /// RingCentral: a team was created.
    Team,
    /// RingCentral: chats were listed.
    ChatList,
    /// RingCentral: one chat was read.
    ChatGet,
    /// RingCentral: a team was archived.
    TeamArchive,
    /// RingCentral: a team was brought back from the archive.
    TeamUnarchive,
    /// RingCentral: a team was deleted.
    TeamDelete,
    /// RingCentral: a post was made.
    Post,
    /// RingCentral: posts were listed.
    PostList,
    /// RingCentral: one post was read.
    PostGet,
    /// RingCentral: a post was deleted.
    PostDelete,
    /// RingCentral: a post was edited.
    PostPatch,
    /// RingCentral: a session was revoked.
    Revoke,
    /// RingCentral: a team was renamed or described anew.
    TeamPatch,
    /// RingCentral: people were added to a team.
    TeamAdd,
    /// RingCentral: people were removed from a team.
    TeamRemove,
    /// RingCentral: a team was joined.
    TeamJoin,
    /// RingCentral: a team was left.
    TeamLeave,
    /// RingCentral: a conversation was opened or made.
    Conversation,
    /// RingCentral: people were looked up.
    Person,
    /// RingCentral: a company was looked up.
    Company,
    /// RingCentral: a subscription was made.
    Subscribe,
    /// RingCentral: subscriptions were listed.
    SubscriptionList,
    /// RingCentral: one subscription was read.
    SubscriptionGet,
    /// RingCentral: a subscription was changed.
    SubscriptionPut,
    /// RingCentral: a subscription was renewed.
    SubscriptionRenew,
    /// RingCentral: a subscription was deleted.
    SubscriptionDelete,
    /// RingCentral: something was asked for that is not there.
    Unknown,
    /// A subscription reached its end. Not a call.
    SubscriptionExpired,
    /// A subscription was blacklisted, for the reason in `text`. Not a call.
    SubscriptionBlacklisted,
    /// RingCentral called an address (in `to`) to see whether it takes events.
    Handshake,
    /// RingCentral called an address with an event; `text` says which.
    EventDelivery,
    /// An event was lost (fault `drop_event`). Not a call.
    EventDropped,
    /// An agent joined a chat in order to write in it. Not a call.
    AgentJoin,
    /// An agent wrote in a chat. Not a call.
    AgentPost,
    /// An agent edited a post. Not a call.
    AgentEdit,
    /// An agent deleted a post. Not a call.
    AgentDelete,
    /// What an earlier call was accepted for has now appeared (fault `accept_late`). Not a call.
    Appeared,
    /// Carrier: an SMS was handed over.
    Sms,
    /// A handset sent a text. Not a call.
    HandsetText,
    /// The carrier called the product with a handset's text.
    InboundWebhook,
    /// The carrier called the product with what became of an SMS.
    StatusWebhook,
}

impl Kind {
    /// Whether it is a call that was made to RingCentral, signing in and out left aside.
    pub fn is_ringcentral_call(self) -> bool {
        use Kind::*;
        !matches!(
            self,
            // Signing in and out.
            Token | Revoke
            // The carrier's.
            | Sms | HandsetText | InboundWebhook | StatusWebhook
            // What RingCentral does, and what happens in it.
            | Appeared | SubscriptionExpired | SubscriptionBlacklisted | Handshake | EventDelivery | EventDropped
            | AgentJoin | AgentPost | AgentEdit | AgentDelete
        )
    }
}

/// One line of the journal. In JSON, fields that say nothing are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// 1, 2, 3 … without gaps.
    pub n: u64,
    /// When, by the sandbox's clock; microseconds since 1970 in JSON.
    pub at: Timestamp,
    /// What happened.
    pub kind: Kind,
    /// The extension id of the token's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Text>,
    /// The chat, as named in the call or as created by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<Id>,
    /// The post, as named in the call or as created by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<Id>,
    /// The subscription, as named in the call or as made by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<Text>,
    /// The `uuid` of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Text>,
    /// The carrier's id of an SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Text>,
    /// The caller's reference of an SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Text>,
    /// Who sent the SMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Text>,
    /// Who it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Text>,
    /// The text of a post or SMS; the name of a team; the page token of a list; the name of an event; why one was blacklisted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// The HTTP status of the answer, or the one that a lost answer would have had; 0 when there was none.
    pub status: u16,
    /// Whether the call had its effect (for a reading call: was served). The same SMS a second time has none.
    pub accepted: bool,
    /// Whether the caller was left without the answer.
    pub answer_lost: bool,
    /// When the effect of an accepted call shows, if later than at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appears_at: Option<Timestamp>,
}

impl Entry {
    /// An entry to be filled in; its number is given when it is recorded.
    pub fn new(kind: Kind, at: Timestamp) -> Self {
        Self {
            n: 0,
            at,
            kind,
            owner: None,
            chat_id: None,
            post_id: None,
            subscription_id: None,
            event_id: None,
            message_id: None,
            reference: None,
            from: None,
            to: None,
            text: None,
            status: 0,
            accepted: false,
            answer_lost: false,
            appears_at: None,
        }
    }
}

#[derive(Serialize)]
struct LineToWrite<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<&'a Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'a Change>,
}

/// One line of the file: what happened, and what it changed.
#[derive(Deserialize)]
pub(super) struct Line {
    #[serde(default)]
    pub entry: Option<Entry>,
    #[serde(default)]
    pub change: Option<Change>,
}

/// The entries, and the file behind them.
#[derive(Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    file: Option<File>,
}

impl Journal {
    /// Opens the file for appending and hands what it holds to `replay`, line by line.
    pub fn open(path: &Path, mut replay: impl FnMut(&mut Self, Line)) -> std::io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut journal = Self::default();
        let mut reader = BufReader::new(&mut file);
        let (mut text, mut whole) = (Vec::new(), 0_u64);
        loop {
            text.clear();
            let length = reader.read_until(b'\n', &mut text)?;
            if length == 0 {
                break;
            }
            // A process that was killed in the middle of a write leaves half a line: nobody had an answer for it.
            if text.last() != Some(&b'\n') {
                break;
            }
            replay(&mut journal, serde_json::from_slice(&text)?);
            whole += length as u64;
        }
        drop(reader);
        file.set_len(whole)?;
        file.seek(std::io::SeekFrom::End(0))?;
        journal.file = Some(file);
        Ok(journal)
    }

    /// Takes up an entry that is already in the file.
    pub fn replayed(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Numbers the entry, writes it with its change, and keeps it.
    pub fn record(&mut self, mut entry: Entry, change: Option<&Change>) {
        entry.n = self.entries.len() as u64 + 1;
        self.write(&LineToWrite { entry: Some(&entry), change });
        self.entries.push(entry);
    }

    /// Writes a change that no call made.
    pub fn note(&mut self, change: &Change) {
        self.write(&LineToWrite { entry: None, change: Some(change) });
    }

    /// At most `limit` entries after number `n`.
    pub fn after(&self, n: u64, limit: usize) -> &[Entry] {
        let start = usize::try_from(n).unwrap_or(usize::MAX).min(self.entries.len());
        &self.entries[start..start.saturating_add(limit).min(self.entries.len())]
    }

    fn write(&mut self, line: &LineToWrite<'_>) {
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            file.write_all(&bytes)
        });
        if let Err(error) = written {
            tracing::error!(%error, "the sandbox's journal could not be written");
        }
    }
}
