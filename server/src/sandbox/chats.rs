//! Chats of every kind, and conversations: opened when they exist, made when they do not.
//!
//! The one rule: a chat that the caller is not in does not exist for him.

use super::answer::{Answer, Call};
use super::asked::{Asked, body_as};
use super::chat::{Chat, ChatKind, Team};
use super::journal::Kind;
use super::limits::Group;
use super::paging::{Page, list_json, page_token};
use super::state::{Change, Core};
use super::teams::team_json;
use super::{Sandbox, Text};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

/// Members of a conversation besides oneself (OpenAPI).
const MOST_MEMBERS: usize = 15;
const RECENT: usize = 30;

/// Somebody, by extension id or by e-mail.
#[derive(Deserialize)]
pub(super) struct NewMember {
    id: Option<Text>,
    email: Option<String>,
}

impl NewMember {
    /// Whether it names an id; who is removed from a team is named so and not otherwise (OpenAPI).
    pub fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// The extension ids of all of them, each once, `first` first. That somebody unknown refuses the whole call is an inference.
    pub fn all(core: &Core, given: &[Self], first: Option<&Text>) -> Result<Vec<Text>, Answer> {
        let mut ids: Vec<Text> = first.cloned().into_iter().collect();
        for member in given {
            let id = match (&member.id, &member.email) {
                (Some(id), _) => core.people.by_id(id).map(|person| person.id),
                (None, Some(email)) => core.people.id_of(email),
                (None, None) => None,
            };
            let Some(id) = id else {
                return Err(Answer::invalid("members", member.id.as_deref().or(member.email.as_deref())));
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}

/// Which of the chats of a user a list is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    All,
    Teams,
    Conversations,
}

pub(super) async fn list(State(sandbox): State<Sandbox>, asked: Asked) -> Response {
    list_chats(sandbox, asked, Whose::All).await
}

pub(super) async fn list_conversations(State(sandbox): State<Sandbox>, asked: Asked) -> Response {
    list_chats(sandbox, asked, Whose::Conversations).await
}

/// A page of the caller's chats, oldest first.
pub(super) async fn list_chats(sandbox: Sandbox, asked: Asked, whose: Whose) -> Response {
    let mut call = asked.call(Kind::ChatList);
    call.entry.text = page_token(&asked);
    let act = |core: &mut Core, call: &mut Call, _| {
        let page = match Page::asked(&asked) {
            Ok(page) => page,
            Err(refused) => return refused,
        };
        let types = asked.values("type");
        let wanted = |kind: ChatKind| match whose {
            Whose::All => types.is_empty() || types.contains(&kind.word()),
            Whose::Teams => kind == ChatKind::Team,
            Whose::Conversations => kind != ChatKind::Team,
        };
        let Some(chats) = core.chats_of.get(&call.owner()) else { return list_json(Vec::new(), None, None) };
        let (ids, prev, next) = page.of(chats, |id| core.chats.get(id).is_some_and(|chat| wanted(chat.team.kind)));
        let found = ids.iter().filter_map(|id| core.chats.get(id));
        let records = match whose {
            Whose::Teams => found.map(|chat| team_json(&chat.team, chat.archived, chat.modified_at)).collect(),
            _ => found.map(chat_json).collect(),
        };
        list_json(records, prev, next)
    };
    sandbox.answer(call, asked.admitted(Group::Medium), act).await
}

/// The chats in which something happened last, the latest first; without pages.
pub(super) async fn recent(State(sandbox): State<Sandbox>, asked: Asked) -> Response {
    let act = |core: &mut Core, call: &mut Call, _| {
        let page = match Page::asked(&asked) {
            Ok(page) => page,
            Err(refused) => return refused,
        };
        let types = asked.values("type");
        let ids = core.chats_of.get(&call.owner()).into_iter().flatten();
        let mut chats: Vec<&Chat> = ids.filter_map(|id| core.chats.get(id)).collect();
        chats.retain(|chat| types.is_empty() || types.contains(&chat.team.kind.word()));
        chats.sort_by_key(|chat| std::cmp::Reverse((chat.modified_at, chat.team.id)));
        let count = if asked.value("recordCount").is_some() { page.count } else { RECENT };
        Answer::ok(json!({ "records": chats.into_iter().take(count).map(chat_json).collect::<Vec<_>>() }))
    };
    sandbox.answer(asked.call(Kind::ChatList), asked.admitted(Group::Light), act).await
}

pub(super) async fn read(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    read_where(sandbox, chat, asked, |_| true).await
}

pub(super) async fn read_conversation(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    read_where(sandbox, chat, asked, |chat| chat.team.kind != ChatKind::Team).await
}

async fn read_where(sandbox: Sandbox, chat: String, asked: Asked, wanted: impl FnOnce(&Chat) -> bool) -> Response {
    let mut call = asked.call(Kind::ChatGet);
    call.entry.chat_id = chat.parse().ok();
    let act = |core: &mut Core, call: &mut Call, _| match core.chat_of(&call.owner(), call.entry.chat_id) {
        Some(chat) if wanted(chat) => Answer::ok(chat_json(chat)),
        _ => Answer::missing("chatId"),
    };
    sandbox.answer(call, asked.admitted(Group::Light), act).await
}

#[derive(Deserialize)]
struct NewConversation {
    members: Option<Vec<NewMember>>,
}

/// Opens the conversation of the caller with these people: 200 when there is one, 201 when it is made.
pub(super) async fn open_conversation(State(sandbox): State<Sandbox>, asked: Asked, body: Bytes) -> Response {
    let given: Option<NewConversation> = body_as(&body);
    let act = |core: &mut Core, call: &mut Call, at| {
        let Some(given) = given else { return Answer::unreadable() };
        let Some(members) = given.members.filter(|all| !all.is_empty() && all.len() <= MOST_MEMBERS) else {
            return Answer::invalid("members", None);
        };
        let creator = call.owner();
        let members = match NewMember::all(core, &members, Some(&creator)) {
            Ok(members) => members,
            Err(refused) => return refused,
        };
        let same = |chat: &&Chat| {
            chat.team.kind != ChatKind::Team
                && chat.team.members.len() == members.len()
                && members.iter().all(|member| chat.team.members.contains(member))
        };
        let own = core.chats_of.get(&creator).into_iter().flatten().filter_map(|id| core.chats.get(id));
        if let Some(chat) = own.into_iter().find(same) {
            call.entry.chat_id = Some(chat.team.id);
            return Answer::ok(chat_json(chat));
        }
        let kind = match members.len() {
            1 => ChatKind::Personal,
            2 => ChatKind::Direct,
            _ => ChatKind::Group,
        };
        let id = core.next_id();
        call.entry.chat_id = Some(id);
        let team = Team { id, kind, name: "".into(), description: None, public: false, creator, members, created_at: at };
        Answer::changed(201, Some(chat_json(&Chat::new(team.clone()))), Change::TeamCreated(team))
    };
    sandbox.answer(asked.call(Kind::Conversation), asked.admitted(Group::Medium), act).await
}

/// A chat with its members; what only teams have is there for teams only.
pub(super) fn chat_json(chat: &Chat) -> Value {
    let mut value = match chat.team.kind {
        ChatKind::Team => team_json(&chat.team, chat.archived, chat.modified_at),
        kind => json!({
            "id": chat.team.id,
            "type": kind.word(),
            "creationTime": chat.team.created_at.rfc3339(),
            "lastModifiedTime": chat.modified_at.rfc3339(),
        }),
    };
    value["members"] = chat.team.members.iter().map(|id| json!({ "id": id })).collect();
    value
}
