//! What the sandbox holds: chats with their posts, the carrier's messages, tokens, limits, faults and the journal.
//!
//! The one rule: every lasting change is a [`Change`], applied in one place, so that the journal alone brings the state back.

use super::carrier::{Carrier, CarrierMessage};
use super::fault::Faults;
use super::journal::{Entry, Journal, Kind};
use super::limits::{Limits, RateLimits};
use super::token::{Client, TokenDesk};
use super::{Id, SandboxConfig, SandboxError, Text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use switchyard::types::Timestamp;

/// A team as it was created.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Team {
    pub id: Id,
    pub name: Text,
    pub description: Option<Text>,
    pub public: bool,
    pub creator: Text,
    /// The creator first.
    pub members: Vec<Text>,
    pub created_at: Timestamp,
}

/// One post in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The post's id.
    pub id: Id,
    /// The chat it stands in.
    pub chat_id: Id,
    /// Its text, as it was posted.
    pub text: Text,
    /// The extension id of its author.
    pub creator_id: Text,
    /// When it appeared; microseconds since 1970 in JSON.
    pub created_at: Timestamp,
}

/// A chat, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSummary {
    /// The chat's id.
    pub id: Id,
    /// The team's name.
    pub name: Text,
    /// The team's description.
    pub description: Option<Text>,
    /// The extension id of who created it.
    pub creator_id: Text,
    /// Whether it is archived.
    pub archived: bool,
    /// When it was created; microseconds since 1970 in JSON.
    pub created_at: Timestamp,
    /// How many posts it has.
    pub posts: usize,
    /// When the newest post appeared.
    pub last_post_at: Option<Timestamp>,
}

/// A chat and its posts.
pub(super) struct Chat {
    pub team: Team,
    pub archived: bool,
    pub modified_at: Timestamp,
    /// By the order in which they appeared, which for a late one is not the order of ids.
    posts: BTreeMap<u64, Post>,
    places: HashMap<Id, u64>,
    next_place: u64,
}

impl Chat {
    fn new(team: Team) -> Self {
        let modified_at = team.created_at;
        Self { team, archived: false, modified_at, posts: BTreeMap::new(), places: HashMap::new(), next_place: 1 }
    }

    /// Oldest first.
    pub fn posts(&self) -> impl DoubleEndedIterator<Item = &Post> {
        self.posts.values()
    }

    /// With their places, oldest first, those from `start` up to but not including `end`.
    pub fn places(&self, start: u64, end: u64) -> impl DoubleEndedIterator<Item = (u64, &Post)> {
        self.posts.range(start.min(end)..end).map(|(place, post)| (*place, post))
    }

    pub fn post(&self, id: Id) -> Option<&Post> {
        self.places.get(&id).and_then(|place| self.posts.get(place))
    }

    pub fn has_member(&self, owner: &Text) -> bool {
        self.team.public || self.team.members.contains(owner)
    }

    pub fn summary(&self) -> ChatSummary {
        ChatSummary {
            id: self.team.id,
            name: self.team.name.clone(),
            description: self.team.description.clone(),
            creator_id: self.team.creator.clone(),
            archived: self.archived,
            created_at: self.team.created_at,
            posts: self.posts.len(),
            last_post_at: self.posts.last_key_value().map(|(_, post)| post.created_at),
        }
    }
}

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
    PostAdded(Post),
    PostDeleted {
        chat_id: Id,
        post_id: Id,
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
            Self::TeamStatus { chat_id, .. } | Self::TeamDeleted { chat_id } => (Some(*chat_id), None),
            Self::PostAdded(post) => (Some(post.chat_id), Some(post.id)),
            Self::PostDeleted { chat_id, post_id } => (Some(*chat_id), Some(*post_id)),
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
        self.apply(change);
        if sms {
            self.carrier.queue_latest(now);
        }
    }

    /// Makes a change that no call made.
    pub fn change(&mut self, change: Change) {
        self.journal.note(&change);
        self.apply(change);
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
            Change::TeamDeleted { chat_id } => {
                if let Some(chat) = self.chats.remove(&chat_id) {
                    for member in &chat.team.members {
                        if let Some(chats) = self.chats_of.get_mut(member) {
                            chats.remove(&chat_id);
                        }
                    }
                }
            }
            Change::PostAdded(post) => {
                self.seen(post.id);
                self.limits.posted(&post.creator_id, post.created_at);
                if let Some(chat) = self.chats.get_mut(&post.chat_id) {
                    chat.modified_at = post.created_at;
                    chat.places.insert(post.id, chat.next_place);
                    chat.posts.insert(chat.next_place, post);
                    chat.next_place += 1;
                }
            }
            Change::PostDeleted { chat_id, post_id } => {
                if let Some(chat) = self.chats.get_mut(&chat_id)
                    && let Some(place) = chat.places.remove(&post_id)
                {
                    chat.posts.remove(&place);
                }
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

    fn seen(&mut self, id: Id) {
        self.last_id = self.last_id.max(id.0);
    }
}
