//! A chat and its posts: a team, or a conversation of a few people.
//!
//! The one rule: posts keep the order in which they appeared, which for a late one is not the order of ids.

use super::{Id, Text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use switchyard::types::Timestamp;

/// RingCentral's kinds of chat, by its own words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatKind {
    /// Has a name, and people come and go.
    #[default]
    Team,
    /// Three people or more, always the same.
    Group,
    /// Two people.
    Direct,
    /// One's own notes.
    Personal,
}

impl ChatKind {
    /// The word in `type`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Team => "Team",
            Self::Group => "Group",
            Self::Direct => "Direct",
            Self::Personal => "Personal",
        }
    }
}

/// A chat as it was made, and as it was changed since.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Team {
    pub id: Id,
    #[serde(default)]
    pub kind: ChatKind,
    /// Empty for a conversation.
    pub name: Text,
    pub description: Option<Text>,
    pub public: bool,
    pub creator: Text,
    /// The creator first.
    pub members: Vec<Text>,
    pub created_at: Timestamp,
}

/// What a post carries besides its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id.
    pub id: Text,
    /// `File`, `Note`, `Event` or `Card`.
    pub kind: Text,
    /// A file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Where a file can be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_uri: Option<Text>,
}

/// One post in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The post's id.
    pub id: Id,
    /// The chat it stands in.
    pub chat_id: Id,
    /// Its text, as it was posted or last edited.
    pub text: Text,
    /// The extension id of its author.
    pub creator_id: Text,
    /// When it appeared; microseconds since 1970 in JSON.
    pub created_at: Timestamp,
    /// When it was last edited, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// The post that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Id>,
    /// The thread it stands in: the id of the thread's first post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<Id>,
    /// Files and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

impl Post {
    /// A post of this text alone.
    pub(super) fn new(id: Id, chat_id: Id, creator_id: Text, text: Text, created_at: Timestamp) -> Self {
        Self { id, chat_id, text, creator_id, created_at, modified_at: None, parent_id: None, thread_id: None, attachments: Vec::new() }
    }
}

/// A chat, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSummary {
    /// The chat's id.
    pub id: Id,
    /// What it is.
    #[serde(default)]
    pub kind: ChatKind,
    /// The team's name; empty for a conversation.
    pub name: Text,
    /// The team's description.
    pub description: Option<Text>,
    /// The extension id of who created it.
    pub creator_id: Text,
    /// The extension ids of its members, the creator first.
    #[serde(default)]
    pub members: Vec<Text>,
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
    posts: BTreeMap<u64, Post>,
    places: HashMap<Id, u64>,
    next_place: u64,
}

impl Chat {
    pub fn new(team: Team) -> Self {
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

    pub fn add(&mut self, post: Post) {
        self.modified_at = post.created_at;
        self.places.insert(post.id, self.next_place);
        self.posts.insert(self.next_place, post);
        self.next_place += 1;
    }

    pub fn edit(&mut self, id: Id, text: Text, at: Timestamp) {
        if let Some(post) = self.places.get(&id).and_then(|place| self.posts.get_mut(place)) {
            (post.text, post.modified_at) = (text, Some(at));
        }
    }

    pub fn remove(&mut self, id: Id) {
        if let Some(place) = self.places.remove(&id) {
            self.posts.remove(&place);
        }
    }

    pub fn has_member(&self, owner: &Text) -> bool {
        self.team.public || self.team.members.contains(owner)
    }

    pub fn summary(&self) -> ChatSummary {
        ChatSummary {
            id: self.team.id,
            kind: self.team.kind,
            name: self.team.name.clone(),
            description: self.team.description.clone(),
            creator_id: self.team.creator.clone(),
            members: self.team.members.clone(),
            archived: self.archived,
            created_at: self.team.created_at,
            posts: self.posts.len(),
            last_post_at: self.posts.last_key_value().map(|(_, post)| post.created_at),
        }
    }
}
