//! What the sandbox holds: chats with their posts, the carrier's messages, tokens, limits, faults and the journal.
//!
//! The one rule: every lasting change is a [`Change`], applied in one place, so that the journal alone brings the state back.

use super::carrier::{Carrier, CarrierMessage};
use super::chat::{Chat, ChatSummary, Post, Team};
use super::event::{Events, News};
use super::fault::Faults;
use super::journal::{Entry, Journal, Kind};
use super::limits::{Limits, RateLimits};
use super::people::{People, Person};
use super::subscription::{Book, Subscription};
use super::token::{Client, TokenDesk};
use super::{Id, SandboxConfig, SandboxError, Text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use switchyard::types::Timestamp;

/// A lasting change, as the journal's file keeps it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Change {
    ClientRegistered(Client),
    TeamCreated(Team),
    TeamStatus {
        chat_id: Id,
        archived: bool,
        at: Timestamp,
    },
    TeamDeleted {
        chat_id: Id,
    },
    TeamEdited {
        chat_id: Id,
        name: Text,
        description: Option<Text>,
        public: bool,
        at: Timestamp,
    },
    MembersAdded {
        chat_id: Id,
        members: Vec<Text>,
        at: Timestamp,
    },
    MembersRemoved {
        chat_id: Id,
        members: Vec<Text>,
        at: Timestamp,
    },
    PostAdded(Post),
    PostEdited {
        chat_id: Id,
        post_id: Id,
        text: Text,
        at: Timestamp,
    },
    PostDeleted {
        chat_id: Id,
        post_id: Id,
    },
    PersonKnown(Person),
    /// Made, renewed, changed or blacklisted.
    Subscribed(Subscription),
    Unsubscribed {
        id: Text,
    },
    MessageAdded(CarrierMessage),
    /// A message's webhook was answered with a 2xx.
    Told {
        id: Text,
    },
    /// Accepted, but to show only when this time has come.
    Late {
        due: Timestamp,
        key: u64,
        change: Box<Change>,
    },
    /// A late change has shown.
    Appeared {
        due: Timestamp,
        key: u64,
    },
}

impl Change {
    fn ids(&self) -> (Option<Id>, Option<Id>) {
        match self {
            Self::TeamCreated(team) => (Some(team.id), None),
            Self::TeamStatus { chat_id, .. }
            | Self::TeamEdited { chat_id, .. }
            | Self::MembersAdded { chat_id, .. }
            | Self::MembersRemoved { chat_id, .. }
            | Self::TeamDeleted { chat_id } => (Some(*chat_id), None),
            Self::PostAdded(post) => (Some(post.chat_id), Some(post.id)),
            Self::PostEdited { chat_id, post_id, .. } | Self::PostDeleted { chat_id, post_id } => (Some(*chat_id), Some(*post_id)),
            _ => (None, None),
        }
    }
}

/// Everything behind the lock.
pub(super) struct Core {
    pub journal: Journal,
    pub faults: Faults,
    pub limits: RateLimits,
    pub desk: TokenDesk,
    pub carrier: Carrier,
    pub people: People,
    pub subscriptions: Book,
    pub events: Events,
    /// By id, which is by age.
    pub chats: BTreeMap<Id, Chat>,
    /// The chats that each user is a member of.
    pub chats_of: HashMap<Text, BTreeSet<Id>>,
    late: BTreeMap<(Timestamp, u64), Change>,
    last_id: u64,
}

impl Core {
    /// An empty state, or the one that the configured journal tells of.
    pub fn open(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let now = config.clock.now();
        let mut core = Self {
            journal: Journal::default(),
            faults: Faults::default(),
            limits: RateLimits::new(Limits { posts_per_minute: config.posts_per_minute, posts_per_day: config.posts_per_day }),
            desk: TokenDesk::new(config.token_ttl),
            carrier: Carrier::new(config.webhook_base.clone(), config.own_base.clone(), config.deliver_statuses),
            people: People::default(),
            subscriptions: Book::default(),
            events: Events::default(),
            chats: BTreeMap::new(),
            chats_of: HashMap::new(),
            late: BTreeMap::new(),
            // Ids begin at the time of the start, so that a sandbox without a journal never gives one out again.
            last_id: u64::try_from(now.0).unwrap_or(0),
        };
        if let Some(path) = &config.journal {
            let journal = Journal::open(path, |journal, line| {
                if let Some(entry) = line.entry {
                    journal.replayed(entry);
                }
                if let Some(change) = line.change {
                    core.apply(change);
                }
            })?;
            core.journal = journal;
            core.carrier.queue_untold(now);
        }
        Ok(core)
    }

    /// An id that was never given out.
    pub fn next_id(&mut self) -> Id {
        self.last_id += 1;
        Id(self.last_id)
    }

    /// Records what happened together with what it changed, and changes it.
    pub fn record(&mut self, entry: Entry, change: Option<Change>) {
        let (now, sms) = (entry.at, entry.kind == Kind::Sms);
        self.journal.record(entry, change.as_ref());
        let Some(change) = change else { return };
        self.make(change, now);
        if sms {
            self.carrier.queue_latest(now);
        }
    }

    /// Makes a change that no call made.
    pub fn change(&mut self, change: Change) {
        self.journal.note(&change);
        self.apply(change);
    }

    /// Makes a change, and tells those who subscribed to it.
    fn make(&mut self, change: Change, now: Timestamp) {
        // What is late is news when it appears.
        let news = match &change {
            _ if self.subscriptions.is_empty() => None,
            Change::Appeared { due, key } => self.late.get(&(*due, *key)).and_then(|change| News::of(self, change)),
            change => News::of(self, change),
        };
        self.apply(change);
        if let Some(news) = news {
            self.announce(news, now);
        }
    }

    /// Lets everything show whose time has come.
    pub fn settle(&mut self, now: Timestamp) {
        while let Some((&(due, key), change)) = self.late.first_key_value() {
            if due > now {
                break;
            }
            let (chat_id, post_id) = change.ids();
            let entry = Entry { chat_id, post_id, accepted: true, ..Entry::new(Kind::Appeared, now) };
            self.record(entry, Some(Change::Appeared { due, key }));
        }
        self.carrier.settle(now);
        self.settle_subscriptions(now);
    }

    /// The chat, if this user may see it.
    pub fn chat_of(&self, owner: &Text, id: Option<Id>) -> Option<&Chat> {
        self.chats.get(&id?).filter(|chat| chat.has_member(owner))
    }

    /// Every chat, oldest first.
    pub fn summaries(&self) -> impl DoubleEndedIterator<Item = ChatSummary> {
        self.chats.values().map(Chat::summary)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::ClientRegistered(client) => self.desk.register(client),
            Change::TeamCreated(team) => {
                self.seen(team.id);
                for member in &team.members {
                    self.chats_of.entry(member.clone()).or_default().insert(team.id);
                }
                self.chats.insert(team.id, Chat::new(team));
            }
            Change::TeamStatus { chat_id, archived, at } => {
                if let Some(chat) = self.chats.get_mut(&chat_id) {
                    (chat.archived, chat.modified_at) = (archived, at);
                }
            }
            Change::TeamEdited { chat_id, name, description, public, at } => {
                if let Some(chat) = self.chats.get_mut(&chat_id) {
                    (chat.team.name, chat.team.description, chat.team.public) = (name, description, public);
                    chat.modified_at = at;
                }
            }
            Change::MembersAdded { chat_id, members, at } => {
                if let Some(chat) = self.chats.get_mut(&chat_id) {
                    for member in members {
                        self.chats_of.entry(member.clone()).or_default().insert(chat_id);
                        if !chat.team.members.contains(&member) {
                            chat.team.members.push(member);
                        }
                    }
                    chat.modified_at = at;
                }
            }
            Change::MembersRemoved { chat_id, members, at } => {
                if let Some(chat) = self.chats.get_mut(&chat_id) {
                    chat.team.members.retain(|member| !members.contains(member));
                    chat.modified_at = at;
                }
                self.leave(chat_id, &members);
            }
            Change::TeamDeleted { chat_id } => {
                if let Some(chat) = self.chats.remove(&chat_id) {
                    self.leave(chat_id, &chat.team.members);
                }
            }
            Change::PostAdded(post) => {
                self.seen(post.id);
                self.limits.posted(&post.creator_id, post.created_at);
                if let Some(chat) = self.chats.get_mut(&post.chat_id) {
                    chat.add(post);
                }
            }
            Change::PostEdited { chat_id, post_id, text, at } => {
                if let Some(chat) = self.chats.get_mut(&chat_id) {
                    chat.edit(post_id, text, at);
                }
            }
            Change::PostDeleted { chat_id, post_id } => {
                if let Some(chat) = self.chats.get_mut(&chat_id) {
                    chat.remove(post_id);
                }
            }
            Change::PersonKnown(person) => self.people.know(person),
            Change::Subscribed(subscription) => self.subscriptions.put(subscription),
            Change::Unsubscribed { id } => {
                self.subscriptions.remove(&id);
                self.events.forget(&id);
            }
            Change::MessageAdded(message) => {
                if let Some(id) = message.number() {
                    self.seen(id);
                }
                self.carrier.add(message);
            }
            Change::Told { id } => self.carrier.told(&id),
            Change::Late { due, key, change } => {
                self.seen(Id(key));
                self.late.insert((due, key), *change);
            }
            Change::Appeared { due, key } => {
                if let Some(change) = self.late.remove(&(due, key)) {
                    self.apply(change);
                }
            }
        }
    }

    fn leave(&mut self, chat_id: Id, members: &[Text]) {
        for member in members {
            if let Some(chats) = self.chats_of.get_mut(member) {
                chats.remove(&chat_id);
            }
        }
    }

    fn seen(&mut self, id: Id) {
        self.last_id = self.last_id.max(id.0);
    }
}
