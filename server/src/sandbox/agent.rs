//! Agents: people who write in the RingCentral app, told to by the sandbox's page or the control API; and what else happens there
//! without a call of the product: texts and calls that reach RingCentral's own numbers.
//!
//! The one rule: an agent writes only in chats that he is a member of, and the post carries his id.

use super::chat::{Attachment, Post};
use super::filter::{ACCOUNT, Filter};
use super::journal::{Entry, Kind};
use super::state::{Change, Core};
use super::{Id, Sandbox, SandboxError, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchyard::types::Timestamp;

/// Who writes where the chat has nobody but its owner: he joins it first.
const USUAL_AGENT: &str = "700700700";

/// A file that an agent attaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFile {
    /// Its name.
    pub name: Text,
    /// Where it can be fetched; the sandbox paints a picture for the name when left out.
    #[serde(default)]
    pub uri: Option<Text>,
}

/// What an agent writes. In JSON all but `chat_id` may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPost {
    /// The chat.
    pub chat_id: String,
    /// The text.
    #[serde(default)]
    pub text: String,
    /// The agent's extension id. Left out: the first member who did not make the chat, or else one who joins it.
    #[serde(default)]
    pub agent_id: Option<Text>,
    /// Files.
    #[serde(default)]
    pub files: Vec<AgentFile>,
}

impl Sandbox {
    /// An agent writes in a chat.
    pub fn agent_post(&self, new: AgentPost) -> Result<Post, SandboxError> {
        self.locked(|core, now| {
            let (chat_id, agent) = core.agent_in(&new.chat_id, new.agent_id.as_ref(), now)?;
            let base = core.carrier.own_base.clone().unwrap_or_default();
            let file = |file: AgentFile| Attachment {
                id: core.next_id().to_string().into(),
                kind: "File".into(),
                content_uri: Some(file.uri.unwrap_or_else(|| format!("{base}/media/{}", file.name).into())),
                name: Some(file.name),
            };
            let attachments = new.files.into_iter().map(file).collect();
            let post = Post { attachments, ..Post::new(core.next_id(), chat_id, agent, new.text.into(), now) };
            let entry = Entry { text: Some(post.text.clone()), ..about(&post, &post.creator_id, Kind::AgentPost, now) };
            core.record(entry, Some(Change::PostAdded(post.clone())));
            Ok(post)
        })
    }

    /// An agent edits a post.
    pub fn agent_edit(&self, chat_id: &str, post_id: &str, text: &str) -> Result<Post, SandboxError> {
        self.locked(|core, now| {
            let post = core.post_in(chat_id, post_id)?;
            let text = Text::from(text);
            let entry = Entry { text: Some(text.clone()), ..about(&post, &post.creator_id, Kind::AgentEdit, now) };
            let change = Change::PostEdited { chat_id: post.chat_id, post_id: post.id, text: text.clone(), at: now };
            core.record(entry, Some(change));
            Ok(Post { text, modified_at: Some(now), ..post })
        })
    }

    /// An agent deletes a post.
    pub fn agent_delete(&self, chat_id: &str, post_id: &str) -> Result<(), SandboxError> {
        self.locked(|core, now| {
            let post = core.post_in(chat_id, post_id)?;
            let change = Change::PostDeleted { chat_id: post.chat_id, post_id: post.id };
            core.record(about(&post, &post.creator_id, Kind::AgentDelete, now), Some(change));
            Ok(())
        })
    }

    /// Tells who subscribed to message-store events of this type (`SMS`, `VoiceMail` …) that so many messages are new or changed,
    /// and returns how many events that made. Without an owner everyone is told.
    pub fn message_store_event(&self, owner: Option<&Text>, of: &str, new_ids: &[Text], updated: usize) -> usize {
        let body = |owner: &Text, now: Timestamp| {
            json!({
                "accountId": ACCOUNT,
                "extensionId": owner,
                "lastUpdated": now.rfc3339(),
                "changes": [{ "type": of, "newCount": new_ids.len(), "updatedCount": updated, "newMessageIds": new_ids }],
            })
        };
        self.locked(|core, now| core.tell(Filter::MessageStore, owner, of, |owner| body(owner, now), now))
    }

    /// Tells who subscribed to telephony sessions of one, and returns how many events that made. `session` is the body; a small one
    /// with a party that rings is made up when it is null.
    pub fn telephony_event(&self, owner: Option<&Text>, session: &Value) -> usize {
        self.locked(|core, now| {
            let number = core.next_id();
            let body = |owner: &Text| if session.is_null() { ringing(owner, number, now) } else { session.clone() };
            core.tell(Filter::Telephony, owner, "Telephony", body, now)
        })
    }
}

/// A call that begins to ring.
fn ringing(owner: &Text, number: Id, now: Timestamp) -> Value {
    json!({
        "sequence": 2,
        "sessionId": number,
        "telephonySessionId": format!("s-{number:032}"),
        "serverId": "10.0.0.1.SBX",
        "eventTime": now.rfc3339(),
        "origin": { "type": "Call" },
        "parties": [{
            "accountId": ACCOUNT,
            "extensionId": owner,
            "id": format!("p-{number:032}-1"),
            "direction": "Inbound",
            "to": { "phoneNumber": "+12025550100", "extensionId": owner },
            "from": { "phoneNumber": "+12025550143" },
            "status": { "code": "Proceeding", "rcc": false },
            "missedCall": false,
            "standAlone": false,
            "muted": false,
        }],
    })
}

fn about(post: &Post, agent: &Text, kind: Kind, now: Timestamp) -> Entry {
    Entry { owner: Some(agent.clone()), chat_id: Some(post.chat_id), post_id: Some(post.id), accepted: true, ..Entry::new(kind, now) }
}

impl Core {
    /// The chat, and who writes in it.
    fn agent_in(&mut self, chat_id: &str, agent: Option<&Text>, now: Timestamp) -> Result<(Id, Text), SandboxError> {
        let found = chat_id.parse().ok().and_then(|id: Id| self.chats.get(&id));
        let chat = found.ok_or_else(|| SandboxError::UnknownChat(chat_id.to_owned()))?;
        let id = chat.team.id;
        match agent {
            Some(agent) if chat.has_member(agent) => Ok((id, agent.clone())),
            Some(agent) => Err(SandboxError::NotAMember(agent.to_string())),
            None => {
                if let Some(member) = chat.team.members.iter().find(|member| **member != chat.team.creator) {
                    return Ok((id, member.clone()));
                }
                let agent = Text::from(USUAL_AGENT);
                // Not by `change`: who subscribed hears of it.
                let entry = Entry { owner: Some(agent.clone()), chat_id: Some(id), accepted: true, ..Entry::new(Kind::AgentJoin, now) };
                self.record(entry, Some(Change::MembersAdded { chat_id: id, members: vec![agent.clone()], at: now }));
                Ok((id, agent))
            }
        }
    }

    fn post_in(&self, chat_id: &str, post_id: &str) -> Result<Post, SandboxError> {
        let chat = chat_id.parse().ok().and_then(|id: Id| self.chats.get(&id));
        let chat = chat.ok_or_else(|| SandboxError::UnknownChat(chat_id.to_owned()))?;
        post_id.parse().ok().and_then(|id| chat.post(id)).cloned().ok_or(SandboxError::UnknownPost)
    }
}
