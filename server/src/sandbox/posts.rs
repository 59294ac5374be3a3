//! Posts: made, listed newest first, read, edited and deleted, alone and in threads.
//!
//! The one rule: a post's time is now and its author is the token's owner; RingCentral takes nobody's word for either.

use super::answer::{Answer, Call, daily_limit};
use super::asked::{Asked, body_as};
use super::chat::{Attachment, Chat, Post};
use super::journal::Kind;
use super::limits::Group;
use super::markup::mentions;
use super::paging::{From, Page, list_json, page_token};
use super::state::{Change, Core};
use super::{Id, Sandbox, Text};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

/// A post's text at most, in characters, and its attachments (OpenAPI, TMCreatePostRequest).
const LONGEST_TEXT: usize = 10_000;
const MOST_ATTACHMENTS: usize = 25;

#[derive(Deserialize)]
struct NewAttachment {
    id: Option<Text>,
    #[serde(rename = "type")]
    kind: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPost {
    text: Option<Text>,
    parent_post_id: Option<Text>,
    thread_id: Option<Text>,
    attachments: Option<Vec<NewAttachment>>,
}

/// Whether RingCentral takes a text of this length.
pub(super) fn fits(text: &str) -> bool {
    // The number of bytes is never the smaller one, so that counting characters is rare.
    text.len() <= LONGEST_TEXT || text.chars().count() <= LONGEST_TEXT
}

impl NewPost {
    fn attachments(&self) -> Result<Vec<Attachment>, Answer> {
        let given = self.attachments.as_deref().unwrap_or_default();
        if given.len() > MOST_ATTACHMENTS {
            return Err(Answer::invalid("attachments", None));
        }
        let read = |(number, one): (usize, &NewAttachment)| {
            let kind = one.kind.clone().filter(|kind| ["File", "Note", "Event", "Card"].contains(&&**kind));
            let kind = kind.ok_or_else(|| Answer::invalid(&format!("attachments[{number}].type"), one.kind.as_deref()))?;
            let id = one.id.clone().ok_or_else(|| Answer::invalid(&format!("attachments[{number}].id"), None))?;
            Ok(Attachment { id, kind, name: None, content_uri: None })
        };
        given.iter().enumerate().map(read).collect()
    }

    /// The post it answers, and the thread it stands in: a thread is named by its first post.
    fn place(&self, chat: &Chat) -> Result<(Option<Id>, Option<Id>), Answer> {
        let find = |given: &Option<Text>, name: &str| match given {
            None => Ok(None),
            Some(id) => id.parse().ok().and_then(|id| chat.post(id)).map(Some).ok_or_else(|| Answer::invalid(name, Some(id))),
        };
        let parent = find(&self.parent_post_id, "parentPostId")?;
        let thread = find(&self.thread_id, "threadId")?;
        let first = thread.map(|post| post.id).or(parent.map(|post| post.thread_id.unwrap_or(post.id)));
        Ok((parent.or(thread).map(|post| post.id), first))
    }
}

pub(super) async fn create(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked, body: Bytes) -> Response {
    let new: Option<NewPost> = body_as(&body);
    let mut call = asked.call(Kind::Post);
    call.entry.chat_id = chat.parse().ok();
    call.entry.text = new.as_ref().and_then(|new| new.text.clone());
    let act = |core: &mut Core, call: &mut Call, at| {
        let Some(new) = new else { return Answer::unreadable() };
        let owner = call.owner();
        let Some(chat) = core.chat_of(&owner, call.entry.chat_id) else { return Answer::missing("chatId") };
        let (attachments, (parent_id, thread_id)) = match new.attachments().and_then(|all| Ok((all, new.place(chat)?))) {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let text = new.text.unwrap_or_else(|| "".into());
        if (text.is_empty() && attachments.is_empty()) || !fits(&text) {
            return Answer::invalid("text", None);
        }
        let (chat_id, archived) = (chat.team.id, chat.archived);
        if archived {
            return Answer::forbidden("Team is not active");
        }
        if !core.limits.may_post(&owner, at) {
            return daily_limit();
        }
        let post = Post { parent_id, thread_id, attachments, ..Post::new(core.next_id(), chat_id, owner, text, at) };
        call.entry.post_id = Some(post.id);
        Answer::changed(201, Some(post_json(&post)), Change::PostAdded(post))
    };
    sandbox.answer(call, asked.admitted(Group::Medium), act).await
}

pub(super) async fn list(State(sandbox): State<Sandbox>, Path(chat): Path<String>, asked: Asked) -> Response {
    list_where(sandbox, chat, asked, |_| Ok(None)).await
}

pub(super) async fn list_thread(State(sandbox): State<Sandbox>, Path((chat, thread)): Path<(String, String)>, asked: Asked) -> Response {
    let of_thread = move |chat: &Chat| {
        let first: Option<Id> = thread.parse().ok().filter(|id| chat.posts().any(|post| post.thread_id == Some(*id)));
        first.map(Some).ok_or_else(|| Answer::missing("threadId"))
    };
    list_where(sandbox, chat, asked, of_thread).await
}

/// Lists the posts of a chat, or of the thread in it that `only` names.
async fn list_where(sandbox: Sandbox, chat: String, asked: Asked, only: impl FnOnce(&Chat) -> Result<Option<Id>, Answer>) -> Response {
    let mut call = asked.call(Kind::PostList);
    call.entry.chat_id = chat.parse().ok();
    call.entry.text = page_token(&asked);
    let act = |core: &mut Core, call: &mut Call, _| {
        let Some(chat) = core.chat_of(&call.owner(), call.entry.chat_id) else { return Answer::missing("chatId") };
        let (page, thread) = match Page::asked(&asked).and_then(|page| Ok((page, only(chat)?))) {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let shown = |post: &Post| thread.is_none_or(|thread| post.thread_id == Some(thread) || post.id == thread);
        let places = |start, end| chat.places(start, end).filter(|(_, post)| shown(post));
        let found: Vec<(u64, &Post)> = match page.from {
            From::Start => places(0, u64::MAX).rev().take(page.count).collect(),
            From::Older(place) => places(0, place).rev().take(page.count).collect(),
            From::Newer(place) => {
                let mut newer: Vec<_> = places(place.saturating_add(1), u64::MAX).take(page.count).collect();
                newer.reverse();
                newer
            }
        };
        let newest = found.first().map(|(place, _)| *place).filter(|place| places(place + 1, u64::MAX).next().is_some());
        let oldest = found.last().map(|(place, _)| *place).filter(|place| places(0, *place).next().is_some());
        let records = found.iter().map(|(_, post)| post_json(post)).collect();
        list_json(records, newest.map(|place| format!("n{place}")), oldest.map(|place| format!("o{place}")))
    };
    sandbox.answer(call, asked.admitted(Group::Medium), act).await
}

/// A call about one post: `act` gets the post, if the caller may see it.
async fn about(
    sandbox: Sandbox,
    kind: Kind,
    (chat, post): (String, String),
    asked: Asked,
    text: Option<Text>,
    group: Group,
    act: impl FnOnce(&Post, &Text, switchyard::types::Timestamp) -> Answer,
) -> Response {
    let mut call = asked.call(kind);
    (call.entry.chat_id, call.entry.post_id, call.entry.text) = (chat.parse().ok(), post.parse().ok(), text);
    let act = |core: &mut Core, call: &mut Call, at| {
        let owner = call.owner();
        let Some(chat) = core.chat_of(&owner, call.entry.chat_id) else { return Answer::missing("chatId") };
        match call.entry.post_id.and_then(|id| chat.post(id)) {
            Some(post) => act(post, &owner, at),
            None => Answer::missing("postId"),
        }
    };
    sandbox.answer(call, asked.admitted(group), act).await
}

pub(super) async fn read(State(sandbox): State<Sandbox>, Path(path): Path<(String, String)>, asked: Asked) -> Response {
    about(sandbox, Kind::PostGet, path, asked, None, Group::Light, |post, _, _| Answer::ok(post_json(post))).await
}

#[derive(Deserialize)]
struct Edit {
    text: Option<Text>,
}

pub(super) async fn edit(State(sandbox): State<Sandbox>, Path(path): Path<(String, String)>, asked: Asked, body: Bytes) -> Response {
    let edit: Option<Edit> = body_as(&body);
    let text = edit.as_ref().and_then(|edit| edit.text.clone());
    let act = |post: &Post, owner: &Text, at| {
        let Some(edit) = edit else { return Answer::unreadable() };
        let Some(text) = edit.text.filter(|text| !text.is_empty() && fits(text)) else { return Answer::invalid("text", None) };
        // That only the author may is an inference; the 403 is published.
        if post.creator_id != *owner {
            return Answer::forbidden("User has no permission to edit this post");
        }
        let edited = Post { text: text.clone(), modified_at: Some(at), ..post.clone() };
        let change = Change::PostEdited { chat_id: post.chat_id, post_id: post.id, text, at };
        Answer::changed(200, Some(post_json(&edited)), change)
    };
    about(sandbox, Kind::PostPatch, path, asked, text, Group::Medium, act).await
}

/// Deletes a post. A body is tolerated: SDKs send an empty object.
pub(super) async fn delete(State(sandbox): State<Sandbox>, Path(path): Path<(String, String)>, asked: Asked) -> Response {
    let act = |post: &Post, owner: &Text, _| {
        // That only the author may is an inference; the 403 is published.
        if post.creator_id != *owner {
            return Answer::forbidden("User has no permission to delete this post");
        }
        Answer::changed(204, None, Change::PostDeleted { chat_id: post.chat_id, post_id: post.id })
    };
    about(sandbox, Kind::PostDelete, path, asked, None, Group::Medium, act).await
}

/// Fields without a value stand there as null, as RingCentral sends them.
pub(super) fn post_json(post: &Post) -> Value {
    let attachment = |one: &Attachment| {
        let mut value = json!({ "id": one.id, "type": one.kind });
        if let Some(name) = &one.name {
            value["name"] = json!(name);
        }
        if let Some(uri) = &one.content_uri {
            value["contentUri"] = json!(uri);
        }
        value
    };
    let attachments: Vec<_> = post.attachments.iter().map(attachment).collect();
    let mentions: Vec<_> =
        mentions(&post.text).map(|(kind, id)| json!({ "id": id, "type": kind, "name": format!("{kind} {id}") })).collect();
    let mut value = json!({
        "id": post.id,
        "groupId": post.chat_id,
        "type": "TextMessage",
        "text": Some(&post.text).filter(|text| !text.is_empty()),
        "creatorId": post.creator_id,
        "addedPersonIds": null,
        "creationTime": post.created_at.rfc3339(),
        "lastModifiedTime": post.modified_at.unwrap_or(post.created_at).rfc3339(),
        "attachments": Some(attachments).filter(|all| !all.is_empty()),
        "activity": null,
        "title": null,
        "iconUri": null,
        "iconEmoji": null,
        "mentions": Some(mentions).filter(|all| !all.is_empty()),
    });
    if let Some(thread) = post.thread_id {
        value["threadId"] = json!(thread);
        value["parentPostId"] = json!(post.parent_id);
    }
    value
}
