//! Teams: made, read, renamed, joined and left, archived and deleted.
//!
//! The one rule: only who made a team may change it (its one administrator here; RingCentral can have more).

use super::answer::{Answer, Call};
use super::asked::{Asked, body_as};
use super::chat::{Chat, ChatKind, Team};
use super::chats::{NewMember, Whose, list_chats};
use super::journal::Kind;
use super::limits::Group;
use super::state::{Change, Core};
use super::{Sandbox, Text};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use switchyard::types::Timestamp;

#[derive(Deserialize)]
struct NewTeam {
    name: Option<Text>,
    description: Option<Text>,
    public: Option<bool>,
    #[serde(default)]
    members: Vec<NewMember>,
}

pub(super) async fn create(State(sandbox): State<Sandbox>, asked: Asked, body: Bytes) -> Response {
    let team: Option<NewTeam> = body_as(&body);
    let mut call = asked.call(Kind::Team);
    call.entry.text = team.as_ref().and_then(|team| team.name.clone());
    let act = |core: &mut Core, call: &mut Call, at| {
        let Some(new) = team else { return Answer::unreadable() };
        let Some(name) = new.name.filter(|name| !name.trim().is_empty()) else { return Answer::invalid("name", None) };
        let creator = call.owner();
        let members = match NewMember::all(core, &new.members, Some(&creator)) {
            Ok(members) => members,
            Err(refused) => return refused,
        };
        let id = core.next_id();
        let (description, public) = (new.description, new.public.unwrap_or(false));
        let team = Team { id, kind: ChatKind::Team, name, description, public, creator, members, created_at: at };
        call.entry.chat_id = Some(id);
        Answer::changed(201, Some(team_json(&team, false, at)), Change::TeamCreated(team))
    };
    sandbox.answer(call, asked.admitted(Group::Medium), act).await
}

pub(super) async fn list(State(sandbox): State<Sandbox>, asked: Asked) -> Response {
    list_chats(sandbox, asked, Whose::Teams).await
}

pub(super) async fn read(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    let act = |_: &Core, chat: &Chat, _: &Text, _| Answer::ok(team_json(&chat.team, chat.archived, chat.modified_at));
    about(sandbox, Kind::ChatGet, chat, asked, Group::Light, act).await
}

/// A call about one team: `act` gets the team, if the caller may see it.
async fn about(
    sandbox: Sandbox,
    kind: Kind,
    chat: String,
    asked: Asked,
    group: Group,
    act: impl FnOnce(&Core, &Chat, &Text, Timestamp) -> Answer,
) -> Response {
    let mut call = asked.call(kind);
    call.entry.chat_id = chat.parse().ok();
    let act = |core: &mut Core, call: &mut Call, at| {
        let owner = call.owner();
        let team = core.chat_of(&owner, call.entry.chat_id).filter(|chat| chat.team.kind == ChatKind::Team);
        team.map_or_else(|| Answer::missing("chatId"), |team| act(core, team, &owner, at))
    };
    sandbox.answer(call, asked.admitted(group), act).await
}

/// The same, for its administrator alone.
async fn change(sandbox: Sandbox, kind: Kind, chat: String, asked: Asked, act: impl FnOnce(&Core, &Chat, Timestamp) -> Answer) -> Response {
    let act = |core: &Core, chat: &Chat, owner: &Text, at| {
        if chat.team.creator != *owner { Answer::forbidden("User is not Team Admin") } else { act(core, chat, at) }
    };
    about(sandbox, kind, chat, asked, Group::Medium, act).await
}

#[derive(Deserialize)]
struct Edit {
    name: Option<Text>,
    description: Option<Text>,
    public: Option<bool>,
}

pub(super) async fn edit(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked, body: Bytes) -> Response {
    let edit: Option<Edit> = body_as(&body);
    let act = |_: &Core, chat: &Chat, at| {
        let Some(edit) = edit else { return Answer::unreadable() };
        if edit.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return Answer::invalid("name", None);
        }
        if chat.archived {
            return Answer::forbidden("Team is not active");
        }
        let mut team = chat.team.clone();
        team.name = edit.name.unwrap_or(team.name);
        team.description = edit.description.or(team.description);
        team.public = edit.public.unwrap_or(team.public);
        let shown = team_json(&team, false, at);
        let change = Change::TeamEdited { chat_id: team.id, name: team.name, description: team.description, public: team.public, at };
        Answer::changed(200, Some(shown), change)
    };
    change(sandbox, Kind::TeamPatch, chat, asked, act).await
}

pub(super) async fn archive(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    let act = |_: &Core, chat: &Chat, at| Answer::changed(204, None, Change::TeamStatus { chat_id: chat.team.id, archived: true, at });
    change(sandbox, Kind::TeamArchive, chat, asked, act).await
}

pub(super) async fn unarchive(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    let act = |_: &Core, chat: &Chat, at| Answer::changed(204, None, Change::TeamStatus { chat_id: chat.team.id, archived: false, at });
    change(sandbox, Kind::TeamUnarchive, chat, asked, act).await
}

pub(super) async fn delete(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    let act = |_: &Core, chat: &Chat, _| Answer::changed(204, None, Change::TeamDeleted { chat_id: chat.team.id });
    change(sandbox, Kind::TeamDelete, chat, asked, act).await
}

#[derive(Deserialize)]
struct Members {
    members: Vec<NewMember>,
}

pub(super) async fn add(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked, body: Bytes) -> Response {
    let given: Option<Members> = body_as(&body);
    let act = |core: &Core, chat: &Chat, at| {
        let Some(given) = given else { return Answer::unreadable() };
        match NewMember::all(core, &given.members, None) {
            Ok(members) => Answer::changed(204, None, Change::MembersAdded { chat_id: chat.team.id, members, at }),
            Err(refused) => refused,
        }
    };
    change(sandbox, Kind::TeamAdd, chat, asked, act).await
}

pub(super) async fn remove(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked, body: Bytes) -> Response {
    let given: Option<Members> = body_as(&body);
    let act = |core: &Core, chat: &Chat, at| {
        let Some(given) = given.filter(|given| given.members.iter().all(NewMember::has_id)) else { return Answer::unreadable() };
        match NewMember::all(core, &given.members, None) {
            Ok(members) => Answer::changed(204, None, Change::MembersRemoved { chat_id: chat.team.id, members, at }),
            Err(refused) => refused,
        }
    };
    change(sandbox, Kind::TeamRemove, chat, asked, act).await
}

pub(super) async fn join(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    let act = |_: &Core, chat: &Chat, owner: &Text, at| {
        Answer::changed(204, None, Change::MembersAdded { chat_id: chat.team.id, members: vec![owner.clone()], at })
    };
    about(sandbox, Kind::TeamJoin, chat, asked, Group::Medium, act).await
}

pub(super) async fn leave(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    let act = |_: &Core, chat: &Chat, owner: &Text, at| {
        Answer::changed(204, None, Change::MembersRemoved { chat_id: chat.team.id, members: vec![owner.clone()], at })
    };
    about(sandbox, Kind::TeamLeave, chat, asked, Group::Medium, act).await
}

pub(super) fn team_json(team: &Team, archived: bool, modified_at: Timestamp) -> Value {
    json!({
        "id": team.id,
        "type": "Team",
        "public": team.public,
        "name": team.name,
        "description": team.description,
        "status": if archived { "Archived" } else { "Active" },
        "creationTime": team.created_at.rfc3339(),
        "lastModifiedTime": modified_at.rfc3339(),
    })
}
