//! The control API under `/sandbox/v1`: what a test, the simulator screen or a person tells the sandbox, and asks of it.
//!
//! - `GET journal?after=N&limit=M`: `{"entries": […], "last": N}`; read on with `after=last` until the list is empty
//! - `GET chats?limit=M`, `GET chats/{id}`: newest first; one chat with its posts, oldest first
//! - `POST faults` `{"on", "fault", …}`: `{"id"}`; `GET faults`; `DELETE faults` (all), `DELETE faults/{id}`
//! - `GET handsets?search=&limit=M`, `GET handsets/{number}`; `POST handsets/send` `{"from", "to", "text", "others", "media",
//!   "delay_ms"}` or `{"repeat_id"}`: `{"id", "webhook_status"}`
//! - `GET limits`, `POST limits` `{"posts_per_minute", "posts_per_day"}`: both are set; null or left out = without limit
//! - `POST limits/window` `{"seconds"}`: requests are counted within it, and it is the usual penalty (60 s at the start)
//! - `POST clients` `{"client_id", "client_secret", "jwt", "owner_extension_id"}`
//! - `POST tokens/expire`; `POST tokens/ttl` `{"seconds", "refresh_seconds"}`
//! - `GET subscriptions`: with how many events wait; `POST subscriptions/settings` `{"patience_seconds", "events_at_once"}`: each may
//!   be left out; `POST subscriptions/{id}/blacklist`, `POST subscriptions/{id}/expire`: now
//! - `POST agents/post` `{"chat_id", "text", "agent_id", "files": [{"name", "uri"}]}`; `POST agents/edit` `{"chat_id", "post_id",
//!   "text"}`; `POST agents/delete` `{"chat_id", "post_id"}`
//! - `POST people` `{"id", "first_name", "last_name", "email", "known"}`: who somebody is, or that nobody has this id
//! - `POST events/message-store` `{"owner", "type", "new_ids", "updated"}`, `POST events/telephony` `{"owner", "session"}`: `{"made"}`
//! - `POST webhooks` `{"base", "own_base", "deliver_statuses"}`: each may be left out
//!
//! The one rule: it needs no key, so the sandbox's port is for the machine itself and its tests.

use super::{AgentPost, Client, Fault, HandsetText, Limits, Person, Post, Sandbox, SandboxError, Text};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/journal", get(journal))
        .route("/chats", get(chats))
        .route("/chats/{id}", get(chat))
        .route("/faults", get(faults).post(arm).delete(disarm))
        .route("/faults/{id}", delete(disarm_one))
        .route("/handsets", get(handsets))
        .route("/handsets/{number}", get(handset))
        .route("/handsets/send", post(send))
        .route("/limits", get(limits).post(set_limits))
        .route("/limits/window", post(set_window))
        .route("/clients", post(register))
        .route("/tokens/expire", post(expire))
        .route("/tokens/ttl", post(set_ttl))
        .route("/webhooks", post(set_webhooks))
        .route("/subscriptions", get(subscriptions))
        .route("/subscriptions/settings", post(set_subscriptions))
        .route("/subscriptions/{id}/blacklist", post(blacklist))
        .route("/subscriptions/{id}/expire", post(expire_subscription))
        .route("/agents/post", post(agent_post))
        .route("/agents/edit", post(agent_edit))
        .route("/agents/delete", post(agent_delete))
        .route("/people", post(know_person))
        .route("/events/message-store", post(message_store_event))
        .route("/events/telephony", post(telephony_event))
}

impl IntoResponse for SandboxError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotANumber(_) | Self::NothingToRefuse | Self::MisplacedFault | Self::NotAMember(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UnknownMessage(_) | Self::UnknownChat(_) | Self::UnknownPost | Self::UnknownSubscription(_) => StatusCode::NOT_FOUND,
            Self::Journal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

#[derive(Deserialize)]
struct Window {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    search: String,
    limit: Option<usize>,
}

async fn journal(State(sandbox): State<Sandbox>, Query(window): Query<Window>) -> Json<Value> {
    let limit = window.limit.unwrap_or(10_000);
    let entries = sandbox.locked(|core, _| core.journal.after(window.after, limit).to_vec());
    let last = entries.last().map_or(window.after, |entry| entry.n);
    Json(json!({ "entries": entries, "last": last }))
}

async fn chats(State(sandbox): State<Sandbox>, Query(window): Query<Window>) -> Json<Value> {
    let limit = window.limit.unwrap_or(1_000);
    let chats: Vec<_> = sandbox.locked(|core, _| core.summaries().rev().take(limit).collect());
    Json(json!({ "chats": chats }))
}

async fn chat(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Response {
    let found = sandbox.locked(|core, _| {
        let chat = core.chats.get(&id.parse().ok()?)?;
        Some((chat.summary(), chat.posts().cloned().collect::<Vec<_>>()))
    });
    match found {
        Some((chat, posts)) => Json(json!({ "chat": chat, "posts": posts })).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({ "error": "there is no such chat" }))).into_response(),
    }
}

async fn faults(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({ "faults": sandbox.faults() }))
}

async fn arm(State(sandbox): State<Sandbox>, Json(fault): Json<Fault>) -> Result<Json<Value>, SandboxError> {
    Ok(Json(json!({ "id": sandbox.arm(fault)? })))
}

async fn disarm(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.disarm();
    StatusCode::NO_CONTENT
}

async fn disarm_one(State(sandbox): State<Sandbox>, Path(id): Path<u64>) -> StatusCode {
    if sandbox.disarm_one(id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn handsets(State(sandbox): State<Sandbox>, Query(window): Query<Window>) -> Json<Value> {
    Json(json!({ "handsets": sandbox.handsets(&window.search, window.limit.unwrap_or(200)) }))
}

async fn handset(State(sandbox): State<Sandbox>, Path(number): Path<String>) -> Json<Value> {
    Json(json!({ "number": number, "messages": sandbox.handset(&number) }))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Send {
    Again { repeat_id: String },
    New(HandsetText),
}

async fn send(State(sandbox): State<Sandbox>, Json(send): Json<Send>) -> Result<Json<Value>, SandboxError> {
    let sent = match send {
        Send::Again { repeat_id } => sandbox.repeat_inbound(&repeat_id).await?,
        Send::New(text) => sandbox.send_from_handset(text).await?,
    };
    Ok(Json(json!(sent)))
}

async fn limits(State(sandbox): State<Sandbox>) -> Json<Limits> {
    Json(sandbox.limits())
}

async fn set_limits(State(sandbox): State<Sandbox>, Json(limits): Json<Limits>) -> StatusCode {
    sandbox.set_limits(limits);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Seconds {
    seconds: u64,
}

async fn set_window(State(sandbox): State<Sandbox>, Json(window): Json<Seconds>) -> StatusCode {
    sandbox.set_window(Duration::from_secs(window.seconds));
    StatusCode::NO_CONTENT
}

async fn register(State(sandbox): State<Sandbox>, Json(client): Json<Client>) -> StatusCode {
    sandbox.register_client(&client.client_id, &client.client_secret, &client.jwt, &client.owner_extension_id);
    StatusCode::NO_CONTENT
}

async fn expire(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.expire_tokens();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Ttl {
    seconds: Option<u64>,
    refresh_seconds: Option<u64>,
}

async fn set_ttl(State(sandbox): State<Sandbox>, Json(ttl): Json<Ttl>) -> StatusCode {
    if let Some(seconds) = ttl.seconds {
        sandbox.set_token_ttl(Duration::from_secs(seconds));
    }
    if let Some(seconds) = ttl.refresh_seconds {
        sandbox.set_refresh_ttl(Duration::from_secs(seconds));
    }
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Webhooks {
    base: Option<String>,
    own_base: Option<String>,
    deliver_statuses: Option<bool>,
}

async fn set_webhooks(State(sandbox): State<Sandbox>, Json(webhooks): Json<Webhooks>) -> StatusCode {
    if let Some(base) = webhooks.base {
        sandbox.set_webhook_base(&base);
    }
    if let Some(base) = webhooks.own_base {
        sandbox.set_own_base(&base);
    }
    if let Some(deliver) = webhooks.deliver_statuses {
        sandbox.set_deliver_statuses(deliver);
    }
    StatusCode::NO_CONTENT
}

async fn subscriptions(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({ "subscriptions": sandbox.subscriptions(), "waiting_events": sandbox.waiting_events() }))
}

#[derive(Deserialize)]
struct SubscriptionSettings {
    patience_seconds: Option<u64>,
    events_at_once: Option<usize>,
}

async fn set_subscriptions(State(sandbox): State<Sandbox>, Json(settings): Json<SubscriptionSettings>) -> StatusCode {
    if let Some(seconds) = settings.patience_seconds {
        sandbox.set_patience(Duration::from_secs(seconds));
    }
    if let Some(at_once) = settings.events_at_once {
        sandbox.set_events_at_once(at_once);
    }
    StatusCode::NO_CONTENT
}

async fn blacklist(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Result<StatusCode, SandboxError> {
    sandbox.blacklist(&id, "The sandbox was told to")?;
    Ok(StatusCode::NO_CONTENT)
}

async fn expire_subscription(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Result<StatusCode, SandboxError> {
    sandbox.expire_subscription(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn agent_post(State(sandbox): State<Sandbox>, Json(new): Json<AgentPost>) -> Result<Json<Post>, SandboxError> {
    Ok(Json(sandbox.agent_post(new)?))
}

#[derive(Deserialize)]
struct AgentChange {
    chat_id: String,
    post_id: String,
    #[serde(default)]
    text: String,
}

async fn agent_edit(State(sandbox): State<Sandbox>, Json(change): Json<AgentChange>) -> Result<Json<Post>, SandboxError> {
    Ok(Json(sandbox.agent_edit(&change.chat_id, &change.post_id, &change.text)?))
}

async fn agent_delete(State(sandbox): State<Sandbox>, Json(change): Json<AgentChange>) -> Result<StatusCode, SandboxError> {
    sandbox.agent_delete(&change.chat_id, &change.post_id)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn know_person(State(sandbox): State<Sandbox>, Json(person): Json<Person>) -> StatusCode {
    sandbox.know_person(person);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct MessageStore {
    owner: Option<Text>,
    #[serde(rename = "type")]
    of: String,
    #[serde(default)]
    new_ids: Vec<Text>,
    #[serde(default)]
    updated: usize,
}

async fn message_store_event(State(sandbox): State<Sandbox>, Json(event): Json<MessageStore>) -> Json<Value> {
    let made = sandbox.message_store_event(event.owner.as_ref(), &event.of, &event.new_ids, event.updated);
    Json(json!({ "made": made }))
}

#[derive(Deserialize)]
struct Telephony {
    owner: Option<Text>,
    #[serde(default)]
    session: Value,
}

async fn telephony_event(State(sandbox): State<Sandbox>, Json(event): Json<Telephony>) -> Json<Value> {
    Json(json!({ "made": sandbox.telephony_event(event.owner.as_ref(), &event.session) }))
}
