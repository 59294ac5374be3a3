//! RingCentral's side: the extension, teams, chats and posts, in the shapes of its published API description.
//!
//! The one rule: where RingCentral's behaviour is not published, the comment says that ours is an inference.

use super::answer::{Answer, Call, count, daily_limit};
use super::journal::Kind;
use super::limits::Group;
use super::state::{Change, Chat, Core, Post, Team};
use super::{Id, Sandbox, Text, token};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use switchyard::types::Timestamp;

/// A post's text at most, in characters (OpenAPI, TMCreatePostRequest).
const LONGEST_TEXT: usize = 10_000;
const PAGE: usize = 30;
const LONGEST_PAGE: usize = 250;

/// The query's pairs, in which a name may stand more than once.
type Pairs = Query<Vec<(String, String)>>;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/restapi/oauth/token", post(token::issue))
        .route("/restapi/v1.0/account/~/extension/~", get(extension))
        .route("/team-messaging/v1/teams", post(create_team))
        .route("/team-messaging/v1/teams/{chat}/archive", post(archive_team))
        .route("/team-messaging/v1/teams/{chat}/unarchive", post(unarchive_team))
        .route("/team-messaging/v1/teams/{chat}", axum::routing::delete(delete_team))
        .route("/team-messaging/v1/chats", get(list_chats))
        .route("/team-messaging/v1/chats/{chat}", get(read_chat))
        .route("/team-messaging/v1/chats/{chat}/posts", get(list_posts).post(create_post))
        .route("/team-messaging/v1/chats/{chat}/posts/{post}", get(read_post).delete(delete_post))
}

/// Whatever else is asked for.
pub(super) async fn unknown() -> Response {
    let error = json!({ "errorCode": "CMN-120", "message": "Invalid URI" });
    (StatusCode::NOT_FOUND, axum::Json(json!({ "errorCode": "CMN-120", "message": "Invalid URI", "errors": [error] }))).into_response()
}

/// What every call with a token begins with: whose it is, and whether he may call yet.
fn admitted<'a>(
    headers: &'a HeaderMap,
    query: &'a [(String, String)],
    group: Group,
) -> impl FnOnce(&mut Core, &mut Call, Timestamp) -> Result<(), Answer> + 'a {
    move |core, call, now| {
        let (owner, client) = core.desk.holder(bearer(headers, query)?, now)?;
        call.entry.owner = Some(owner.clone());
        count(core, call, (owner, client, group), now)
    }
}

/// The access token, from the header or (as media links have it) from the query.
fn bearer<'a>(headers: &'a HeaderMap, query: &'a [(String, String)]) -> Result<&'a str, Answer> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        let in_query = query.iter().find(|(name, _)| name == "access_token").map(|(_, value)| value.as_str());
        return in_query.ok_or_else(|| Answer::error(401, "OAU-123", "Authorization header is not specified"));
    };
    let parts = value.to_str().ok().and_then(|value| value.split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Answer::error(401, "OAU-134", "Authorization header is invalid")),
    }
}

fn missing(parameter: &str) -> Answer {
    Answer::parameter(404, "CMN-102", &format!("Resource for parameter [{parameter}] is not found"), parameter, None)
}

fn invalid(parameter: &str, value: Option<&str>) -> Answer {
    Answer::parameter(400, "CMN-101", &format!("Parameter [{parameter}] value is invalid"), parameter, value)
}

/// The status of refusals by permission is published, their code is not: an inference.
fn forbidden(message: &str) -> Answer {
    Answer::error(403, "InsufficientPermissions", message)
}

async fn extension(State(sandbox): State<Sandbox>, Query(query): Pairs, headers: HeaderMap) -> Response {
    let call = Call::new(Kind::Extension, &headers);
    let act = |_: &mut Core, call: &mut Call, _| {
        let owner = call.owner();
        let number: u64 = owner.parse().unwrap_or_default();
        Answer::ok(json!({
            "uri": format!("/restapi/v1.0/account/1000000001/extension/{owner}"),
            "id": number,
            "extensionNumber": "101",
            "name": format!("Switchyard {owner}"),
            "type": "User",
            "status": "Enabled",
            "account": { "uri": "/restapi/v1.0/account/1000000001", "id": "1000000001" },
            "contact": { "firstName": "Switchyard", "lastName": owner, "email": format!("switchyard.{owner}@example.com") },
        }))
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Light), act).await
}

#[derive(Deserialize)]
struct NewTeam {
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    public: bool,
    #[serde(default)]
    members: Vec<NewMember>,
}

#[derive(Deserialize)]
struct NewMember {
    id: Option<String>,
    email: Option<String>,
}

impl NewMember {
    /// The member's extension id; one invited by e-mail gets an id that is always the same for the address.
    fn id(self) -> Option<Text> {
        let by_email = |email: String| {
            let digest = Sha256::digest(email.to_lowercase().as_bytes());
            let number = digest.iter().take(4).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            (1_000_000_000 + number).to_string()
        };
        self.id.or_else(|| self.email.map(by_email)).map(Text::from)
    }
}

fn unreadable() -> Answer {
    Answer::error(400, "CMN-103", "The JSON body cannot be read")
}

async fn create_team(State(sandbox): State<Sandbox>, Query(query): Pairs, headers: HeaderMap, body: Bytes) -> Response {
    let team: Option<NewTeam> = serde_json::from_slice(&body).ok();
    let mut call = Call::new(Kind::Team, &headers);
    call.entry.text = team.as_ref().and_then(|team| team.name.as_deref()).map(Text::from);
    let act = |core: &mut Core, call: &mut Call, at| {
        let Some(new) = team else { return unreadable() };
        let Some(name) = call.entry.text.clone().filter(|name| !name.trim().is_empty()) else { return invalid("name", None) };
        let creator = call.owner();
        let mut members = vec![creator.clone()];
        for member in new.members.into_iter().filter_map(NewMember::id) {
            if !members.contains(&member) {
                members.push(member);
            }
        }
        let id = core.next_id();
        let description = new.description.map(Text::from);
        let team = Team { id, name, description, public: new.public, creator, members, created_at: at };
        call.entry.chat_id = Some(id);
        Answer::changed(201, Some(team_json(&team, false, at)), Change::TeamCreated(team))
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Medium), act).await
}

async fn set_team(sandbox: Sandbox, kind: Kind, chat: &str, query: &[(String, String)], headers: &HeaderMap) -> Response {
    let mut call = Call::new(kind, headers);
    call.entry.chat_id = chat.parse().ok();
    let act = |core: &mut Core, call: &mut Call, at| {
        let Some(chat) = core.chat_of(&call.owner(), call.entry.chat_id) else { return missing("chatId") };
        if chat.team.creator != call.owner() {
            return forbidden("User is not Team Admin");
        }
        let chat_id = chat.team.id;
        let change = match kind {
            Kind::TeamDelete => Change::TeamDeleted { chat_id },
            kind => Change::TeamStatus { chat_id, archived: kind == Kind::TeamArchive, at },
        };
        Answer::changed(204, None, change)
    };
    sandbox.answer(call, admitted(headers, query, Group::Medium), act).await
}

async fn archive_team(State(sandbox): State<Sandbox>, Path(chat): Path<String>, Query(query): Pairs, headers: HeaderMap) -> Response {
    set_team(sandbox, Kind::TeamArchive, &chat, &query, &headers).await
}

async fn unarchive_team(State(sandbox): State<Sandbox>, Path(chat): Path<String>, Query(query): Pairs, headers: HeaderMap) -> Response {
    set_team(sandbox, Kind::TeamUnarchive, &chat, &query, &headers).await
}

async fn delete_team(State(sandbox): State<Sandbox>, Path(chat): Path<String>, Query(query): Pairs, headers: HeaderMap) -> Response {
    set_team(sandbox, Kind::TeamDelete, &chat, &query, &headers).await
}

/// Which page is asked for: how many records, and the place to go on from.
struct Page {
    count: usize,
    from: From,
}

/// A page token: `o` and a place for what is older than it, `n` for what is newer.
enum From {
    Start,
    Older(u64),
    Newer(u64),
}

impl Page {
    fn asked(query: &[(String, String)]) -> Result<Self, Answer> {
        let value = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let count = match value("recordCount") {
            None => PAGE,
            Some(text) => {
                let number = text.parse().ok().filter(|count| (1..=LONGEST_PAGE).contains(count));
                number.ok_or_else(|| invalid("recordCount", Some(text)))?
            }
        };
        let from = match value("pageToken").filter(|text| !text.is_empty()) {
            None => From::Start,
            Some(text) => {
                let place = text.get(1..).and_then(|place| place.parse().ok());
                match (text.get(..1), place) {
                    (Some("o"), Some(place)) => From::Older(place),
                    (Some("n"), Some(place)) => From::Newer(place),
                    _ => return Err(invalid("pageToken", Some(text))),
                }
            }
        };
        Ok(Self { count, from })
    }
}

/// Lists are journaled with their page token as text, so that a reader sees which pages were looked at.
fn page_token(query: &[(String, String)]) -> Option<Text> {
    query.iter().find(|(name, _)| name == "pageToken").map(|(_, value)| Text::from(value.as_str()))
}

fn list_json(records: Vec<Value>, prev: Option<String>, next: Option<String>) -> Answer {
    Answer::ok(json!({ "records": records, "navigation": { "prevPageToken": prev, "nextPageToken": next } }))
}

async fn list_chats(State(sandbox): State<Sandbox>, Query(query): Pairs, headers: HeaderMap) -> Response {
    let mut call = Call::new(Kind::ChatList, &headers);
    call.entry.text = page_token(&query);
    let act = |core: &mut Core, call: &mut Call, _| {
        let page = match Page::asked(&query) {
            Ok(page) => page,
            Err(refused) => return refused,
        };
        let types: Vec<_> = query.iter().filter(|(name, _)| name == "type").flat_map(|(_, value)| value.split(',')).collect();
        let chats = core.chats_of.get(&call.owner()).filter(|_| types.is_empty() || types.contains(&"Team"));
        let Some(chats) = chats else { return list_json(Vec::new(), None, None) };
        let mut ids: Vec<Id> = match page.from {
            From::Start => chats.iter().take(page.count + 1).copied().collect(),
            From::Newer(place) => chats.range(Id(place.saturating_add(1))..).take(page.count + 1).copied().collect(),
            From::Older(place) => {
                let mut ids: Vec<_> = chats.range(..Id(place)).rev().take(page.count).copied().collect();
                ids.reverse();
                ids
            }
        };
        ids.truncate(page.count);
        let more_before = ids.first().is_some_and(|first| chats.first() < Some(first));
        let more_after = ids.last().is_some_and(|last| chats.last() > Some(last));
        let prev = ids.first().filter(|_| more_before).map(|first| format!("o{first}"));
        let next = ids.last().filter(|_| more_after).map(|last| format!("n{last}"));
        list_json(ids.iter().filter_map(|id| core.chats.get(id)).map(chat_json).collect(), prev, next)
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Medium), act).await
}

async fn read_chat(State(sandbox): State<Sandbox>, Path(chat): Path<String>, Query(query): Pairs, headers: HeaderMap) -> Response {
    let mut call = Call::new(Kind::ChatGet, &headers);
    call.entry.chat_id = chat.parse().ok();
    let act = |core: &mut Core, call: &mut Call, _| match core.chat_of(&call.owner(), call.entry.chat_id) {
        Some(chat) => Answer::ok(chat_json(chat)),
        None => missing("chatId"),
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Light), act).await
}

#[derive(Deserialize)]
struct NewPost {
    text: Option<String>,
}

async fn create_post(
    State(sandbox): State<Sandbox>,
    Path(chat): Path<String>,
    Query(query): Pairs,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let new: Option<NewPost> = serde_json::from_slice(&body).ok();
    let readable = new.is_some();
    let mut call = Call::new(Kind::Post, &headers);
    call.entry.chat_id = chat.parse().ok();
    call.entry.text = new.and_then(|new| new.text).map(Text::from);
    let act = |core: &mut Core, call: &mut Call, at| {
        if !readable {
            return unreadable();
        }
        let owner = call.owner();
        let Some(chat) = core.chat_of(&owner, call.entry.chat_id) else { return missing("chatId") };
        let (chat_id, archived) = (chat.team.id, chat.archived);
        let Some(text) = call.entry.text.clone().filter(|text| !text.is_empty()) else { return invalid("text", None) };
        // The number of bytes is never the smaller one, so that counting characters is rare.
        if text.len() > LONGEST_TEXT && text.chars().count() > LONGEST_TEXT {
            return invalid("text", None);
        }
        if archived {
            return forbidden("Team is not active");
        }
        if !core.limits.may_post(&owner, at) {
            return daily_limit();
        }
        let post = Post { id: core.next_id(), chat_id, text, creator_id: owner, created_at: at };
        call.entry.post_id = Some(post.id);
        Answer::changed(201, Some(post_json(&post)), Change::PostAdded(post))
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Medium), act).await
}

async fn list_posts(State(sandbox): State<Sandbox>, Path(chat): Path<String>, Query(query): Pairs, headers: HeaderMap) -> Response {
    let mut call = Call::new(Kind::PostList, &headers);
    call.entry.chat_id = chat.parse().ok();
    call.entry.text = page_token(&query);
    let act = |core: &mut Core, call: &mut Call, _| {
        let Some(chat) = core.chat_of(&call.owner(), call.entry.chat_id) else { return missing("chatId") };
        let page = match Page::asked(&query) {
            Ok(page) => page,
            Err(refused) => return refused,
        };
        let newest_first: Vec<(u64, &Post)> = match page.from {
            From::Start => chat.places(0, u64::MAX).rev().take(page.count).collect(),
            From::Older(place) => chat.places(0, place).rev().take(page.count).collect(),
            From::Newer(place) => {
                let mut posts: Vec<_> = chat.places(place.saturating_add(1), u64::MAX).take(page.count).collect();
                posts.reverse();
                posts
            }
        };
        let newest = newest_first.first().map(|(place, _)| *place);
        let oldest = newest_first.last().map(|(place, _)| *place);
        let prev = newest.filter(|place| chat.places(place + 1, u64::MAX).next().is_some());
        let next = oldest.filter(|place| chat.places(0, *place).next().is_some());
        let records = newest_first.iter().map(|(_, post)| post_json(post)).collect();
        list_json(records, prev.map(|place| format!("n{place}")), next.map(|place| format!("o{place}")))
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Medium), act).await
}

async fn read_post(
    State(sandbox): State<Sandbox>,
    Path((chat, post)): Path<(String, String)>,
    Query(query): Pairs,
    headers: HeaderMap,
) -> Response {
    let mut call = Call::new(Kind::PostGet, &headers);
    (call.entry.chat_id, call.entry.post_id) = (chat.parse().ok(), post.parse().ok());
    let act = |core: &mut Core, call: &mut Call, _| {
        let Some(chat) = core.chat_of(&call.owner(), call.entry.chat_id) else { return missing("chatId") };
        match call.entry.post_id.and_then(|id| chat.post(id)) {
            Some(post) => Answer::ok(post_json(post)),
            None => missing("postId"),
        }
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Light), act).await
}

async fn delete_post(
    State(sandbox): State<Sandbox>,
    Path((chat, post)): Path<(String, String)>,
    Query(query): Pairs,
    headers: HeaderMap,
) -> Response {
    let mut call = Call::new(Kind::PostDelete, &headers);
    (call.entry.chat_id, call.entry.post_id) = (chat.parse().ok(), post.parse().ok());
    let act = |core: &mut Core, call: &mut Call, _| {
        let owner = call.owner();
        let Some(chat) = core.chat_of(&owner, call.entry.chat_id) else { return missing("chatId") };
        let Some(post) = call.entry.post_id.and_then(|id| chat.post(id)) else { return missing("postId") };
        // That only the author may is an inference; the 403 is published.
        if post.creator_id != owner {
            return forbidden("User has no permission to delete this post");
        }
        Answer::changed(204, None, Change::PostDeleted { chat_id: post.chat_id, post_id: post.id })
    };
    sandbox.answer(call, admitted(&headers, &query, Group::Medium), act).await
}

fn status(archived: bool) -> &'static str {
    if archived { "Archived" } else { "Active" }
}

fn team_json(team: &Team, archived: bool, modified_at: Timestamp) -> Value {
    json!({
        "id": team.id,
        "type": "Team",
        "public": team.public,
        "name": team.name,
        "description": team.description,
        "status": status(archived),
        "creationTime": team.created_at.rfc3339(),
        "lastModifiedTime": modified_at.rfc3339(),
    })
}

fn chat_json(chat: &Chat) -> Value {
    let mut value = team_json(&chat.team, chat.archived, chat.modified_at);
    value["members"] = chat.team.members.iter().map(|id| json!({ "id": id })).collect();
    value
}

/// Fields without a value stand there as null, as RingCentral sends them.
fn post_json(post: &Post) -> Value {
    let at = post.created_at.rfc3339();
    json!({
        "id": post.id,
        "groupId": post.chat_id,
        "type": "TextMessage",
        "text": post.text,
        "creatorId": post.creator_id,
        "addedPersonIds": null,
        "creationTime": at,
        "lastModifiedTime": at,
        "attachments": null,
        "activity": null,
        "title": null,
        "iconUri": null,
        "iconEmoji": null,
        "mentions": null,
    })
}
