//! The client: sign in by JWT, make a team, make, list and delete posts (RingCentral API description, Team Messaging v1).
//!
//! Unknown fields, null fields, ids as number or as string are all survived. A token is kept until shortly before it
//! expires; one task at a time refreshes it; a 401 is answered by one refresh and one repeat.

use super::Connection;
use crate::clock::Clock;
use crate::types::{ConnectionId, Timestamp};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// RingCentral's text of the daily posting limit; it comes as a 500 (developer guide, posting).
const DAILY_LIMIT_TEXT: &str = "You have exceeded your limits for this action";
/// When a 429 does not say how long (developer guide, rate limits).
const PENALTY: Duration = Duration::from_secs(30);
/// A day's limit lifts when the day is over; RingCentral does not say when, so we look hourly.
const DAILY_LIMIT_PAUSE: Duration = Duration::from_secs(60 * 60);
/// Posts a page (API description: at most 250).
const PAGE: usize = 250;
/// Pages that a look-up reads at most.
const MOST_PAGES: usize = 40;

/// How a call that changes something ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It had effect.
    Accepted(T),
    /// It had none, and would have none again.
    Refused(Refusal),
    /// It had none; after the time named it may be made again. Nobody may call before.
    Parked {
        /// How long.
        pause: Duration,
        /// Why, in words.
        reason: String,
    },
    /// It had none: RingCentral was not reached at all.
    Unreachable(String),
    /// Nobody knows: the answer was lost, or was an error that does not say.
    Unknown(String),
}

/// Why RingCentral refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The chat is gone: deleted, archived, or we are no longer in it.
    ChatGone,
    /// Our sign-in is not accepted.
    SignIn(String),
    /// We may not do this there.
    Forbidden(String),
    /// The content is not accepted.
    Content(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ChatGone => f.write_str("the chat is gone"),
            Self::SignIn(text) => write!(f, "the sign-in was refused: {text}"),
            Self::Forbidden(text) => write!(f, "RingCentral does not permit it: {text}"),
            Self::Content(text) => write!(f, "the post was refused: {text}"),
        }
    }
}

/// A post as far as we need it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Post {
    /// Its id.
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    /// What it says; a removed one has none.
    #[serde(default)]
    pub text: Option<String>,
    /// RFC 3339; always the time of the call.
    #[serde(default, rename = "creationTime")]
    pub creation_time: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    #[serde(deserialize_with = "text_or_number")]
    id: String,
    #[serde(default)]
    description: Option<String>,
    /// `Active` or `Archived`.
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    records: Vec<T>,
    #[serde(default)]
    navigation: Option<Navigation>,
}

#[derive(Deserialize)]
struct Navigation {
    #[serde(default, rename = "nextPageToken")]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// Errors have `errors[]`, a top-level `message`, or OAuth's `error_description`.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    errors: Option<Vec<ErrorItem>>,
}

#[derive(Deserialize)]
struct ErrorItem {
    #[serde(default, rename = "errorCode")]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(i64),
    }
    Ok(match Either::deserialize(from)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

#[derive(Default)]
struct Kept {
    token: Option<(String, Timestamp)>,
}

/// The client for every connection; cheap to clone, tokens are shared.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    clock: Clock,
    tokens: Arc<Mutex<HashMap<ConnectionId, Arc<Mutex<Kept>>>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ringcentral::Client")
    }
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Client {
    /// A client on this HTTP stack.
    pub fn new(http: reqwest::Client, clock: Clock) -> Self {
        Self { http, clock, tokens: Arc::default() }
    }

    /// Makes a team with this name; `description` carries our reference, by which [`Client::find_team`] knows it again.
    pub async fn create_team(&self, at: &Connection, name: &str, description: &str, limit: Duration) -> Outcome<String> {
        let body = serde_json::json!({ "name": name, "description": description, "public": false });
        self.change(at, Method::POST, "/team-messaging/v1/teams", Some(&body), limit, |chat: Chat| chat.id).await
    }

    /// Makes a post in a chat.
    pub async fn create_post(&self, at: &Connection, chat: &str, text: &str, limit: Duration) -> Outcome<String> {
        let body = serde_json::json!({ "text": text });
        let path = format!("/team-messaging/v1/chats/{chat}/posts");
        match self.change(at, Method::POST, &path, Some(&body), limit, |post: Post| post.id).await {
            // An archived team is refused like a missing permission; only the chat itself tells which it is.
            Outcome::Refused(Refusal::Forbidden(_)) if self.is_archived(at, chat, limit).await => Outcome::Refused(Refusal::ChatGone),
            ended => ended,
        }
    }

    async fn is_archived(&self, at: &Connection, chat: &str, limit: Duration) -> bool {
        let answer = self.send(at, Method::GET, &format!("/team-messaging/v1/chats/{chat}"), None, limit).await;
        let chat = answer.ok().and_then(|answer| serde_json::from_slice::<Chat>(&answer.body).ok());
        chat.and_then(|chat| chat.status).is_some_and(|status| status == "Archived")
    }

    /// Deletes a post of ours; one that is gone already counts as deleted.
    pub async fn delete_post(&self, at: &Connection, chat: &str, post: &str, limit: Duration) -> Outcome<()> {
        let path = format!("/team-messaging/v1/chats/{chat}/posts/{post}");
        match self.send(at, Method::DELETE, &path, None, limit).await {
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => Outcome::Accepted(()),
            Ok(answer) if answer.status.is_success() => Outcome::Accepted(()),
            Ok(answer) => self.sort(&answer),
            Err(outcome) => outcome.cast(),
        }
    }

    /// The posts of a chat that carry `reference`, newest first, not older than `since`, through all pages.
    pub async fn find_posts(&self, at: &Connection, chat: &str, reference: &str, since: Timestamp, limit: Duration) -> Outcome<Vec<Post>> {
        let path = format!("/team-messaging/v1/chats/{chat}/posts?recordCount={PAGE}");
        let oldest = since.rfc3339();
        let mut found = Vec::new();
        let done = self
            .pages(at, &path, limit, |post: Post| {
                let too_old = post.creation_time.as_deref().is_some_and(|time| time < oldest.as_str());
                if post.text.as_deref().is_some_and(|text| text.contains(reference)) {
                    found.push(post);
                }
                !too_old
            })
            .await;
        match done {
            Ok(()) => Outcome::Accepted(found),
            Err(outcome) => outcome.cast(),
        }
    }

    /// The team whose description carries `reference`, if there is one.
    pub async fn find_team(&self, at: &Connection, reference: &str, limit: Duration) -> Outcome<Option<String>> {
        let mut found = None;
        let path = format!("/team-messaging/v1/chats?type=Team&recordCount={PAGE}");
        let done = self
            .pages(at, &path, limit, |chat: Chat| {
                if chat.description.as_deref().is_some_and(|text| text.contains(reference)) {
                    found = Some(chat.id);
                }
                found.is_none()
            })
            .await;
        match done {
            Ok(()) => Outcome::Accepted(found),
            Err(outcome) => outcome.cast(),
        }
    }

    /// Reads page after page while `keep` wants more.
    async fn pages<T: DeserializeOwned>(
        &self,
        at: &Connection,
        path: &str,
        limit: Duration,
        mut keep: impl FnMut(T) -> bool,
    ) -> Result<(), Outcome<()>> {
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let path = token.as_ref().map_or_else(|| path.to_owned(), |token| format!("{path}&pageToken={token}"));
            let answer = self.send(at, Method::GET, &path, None, limit).await?;
            if !answer.status.is_success() {
                return Err(self.sort(&answer));
            }
            let list: List<T> = serde_json::from_slice(&answer.body).map_err(|e| Outcome::Unknown(format!("unreadable list: {e}")))?;
            for record in list.records {
                if !keep(record) {
                    return Ok(());
                }
            }
            token = list.navigation.and_then(|n| n.next_page_token).filter(|t| !t.is_empty());
            if token.is_none() {
                return Ok(());
            }
        }
        Err(Outcome::Unknown(format!("more than {MOST_PAGES} pages")))
    }

    async fn change<T: DeserializeOwned, U>(
        &self,
        at: &Connection,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        limit: Duration,
        pick: impl FnOnce(T) -> U,
    ) -> Outcome<U> {
        match self.send(at, method, path, body, limit).await {
            Ok(answer) if answer.status.is_success() => match serde_json::from_slice(&answer.body) {
                Ok(value) => Outcome::Accepted(pick(value)),
                // It was accepted, but as what is only known by looking.
                Err(error) => Outcome::Unknown(format!("unreadable answer: {error}")),
            },
            Ok(answer) => self.sort(&answer),
            Err(outcome) => outcome.cast(),
        }
    }

    /// What an answer other than success means.
    fn sort<T>(&self, answer: &Answer) -> Outcome<T> {
        let body: ErrorBody = serde_json::from_slice(&answer.body).unwrap_or_default();
        let item = body.errors.as_ref().and_then(|items| items.first());
        let text = item
            .and_then(|i| i.message.clone())
            .or(body.message.clone())
            .or(body.error_description.clone())
            .unwrap_or_else(|| answer.status.to_string());
        let code = item.and_then(|i| i.code.clone()).unwrap_or_default();
        let text = if code.is_empty() { text } else { format!("{text} ({code})") };
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS => {
                Outcome::Parked { pause: answer.retry_after.unwrap_or(PENALTY), reason: "RingCentral asked us to wait (429)".to_owned() }
            }
            _ if String::from_utf8_lossy(&answer.body).contains(DAILY_LIMIT_TEXT) => Outcome::Parked {
                pause: answer.retry_after.unwrap_or(DAILY_LIMIT_PAUSE),
                reason: "RingCentral's daily limit of posts is reached".to_owned(),
            },
            StatusCode::NOT_FOUND => Outcome::Refused(Refusal::ChatGone),
            StatusCode::UNAUTHORIZED => Outcome::Refused(Refusal::SignIn(text)),
            StatusCode::FORBIDDEN => Outcome::Refused(Refusal::Forbidden(text)),
            StatusCode::REQUEST_TIMEOUT => Outcome::Unknown(text),
            status if status.is_client_error() => Outcome::Refused(Refusal::Content(text)),
            _ => Outcome::Unknown(text),
        }
    }

    /// One call, which has ended within `limit` with everything that belongs to it: signing in, and a second try after a 401.
    /// Whoever looks up what became of it relies on that.
    async fn send(
        &self,
        at: &Connection,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        limit: Duration,
    ) -> Result<Answer, Outcome<()>> {
        let end = Instant::now() + limit;
        let token = self.token_until(at, None, end).await?;
        let answer = self.once(at, method.clone(), path, body, &token, left(end)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let token = self.token_until(at, Some(&token), end).await?;
        self.once(at, method, path, body, &token, left(end)).await
    }

    /// A token, waiting no longer than to `end`, also for somebody else who is fetching one.
    async fn token_until(&self, at: &Connection, spent: Option<&str>, end: Instant) -> Result<String, Outcome<()>> {
        match tokio::time::timeout(left(end), self.token(at, spent, left(end))).await {
            Ok(token) => token,
            Err(_) => Err(Outcome::Unreachable("RingCentral did not sign us in in time".to_owned())),
        }
    }

    async fn once(
        &self,
        at: &Connection,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        token: &str,
        limit: Duration,
    ) -> Result<Answer, Outcome<()>> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", at.base_url)).bearer_auth(token).timeout(limit);
        if let Some(body) = body {
            request = request.json(body);
        }
        let began = Instant::now();
        let answer = Self::read(request).await;
        let status = answer.as_ref().map_or_else(|_| "none".to_owned(), |answer| answer.status.as_u16().to_string());
        metrics::counter!("switchyard_ringcentral_calls_total", "method" => method.to_string(), "status" => status).increment(1);
        metrics::histogram!("switchyard_ringcentral_call_seconds").record(began.elapsed());
        answer
    }

    async fn read(request: reqwest::RequestBuilder) -> Result<Answer, Outcome<()>> {
        let unsure = |error: reqwest::Error| {
            // Not even a connection: the request did not leave. Everything later may have arrived.
            if error.is_connect() {
                Outcome::Unreachable("RingCentral was not reached".to_owned())
            } else if error.is_timeout() {
                Outcome::Unknown("RingCentral did not answer in time".to_owned())
            } else {
                Outcome::Unknown("the answer was lost".to_owned())
            }
        };
        let response = request.send().await.map_err(unsure)?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.trim().parse::<u64>().ok())
            .map(Duration::from_secs);
        let body = response.bytes().await.map_err(unsure)?.to_vec();
        Ok(Answer { status, retry_after, body })
    }

    /// A valid token. `spent` is one that was just refused: if it is still the kept one, it is replaced.
    async fn token(&self, at: &Connection, spent: Option<&str>, limit: Duration) -> Result<String, Outcome<()>> {
        let slot = self.tokens.lock().await.entry(at.id).or_default().clone();
        // Held over the call: one refresher at a time, the others take what it brings.
        let mut kept = slot.lock().await;
        if let Some((token, until)) = &kept.token
            && *until > self.clock.now()
            && spent != Some(token.as_str())
        {
            return Ok(token.clone());
        }
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", at.jwt.as_str())];
        let request = self
            .http
            .post(format!("{}/restapi/oauth/token", at.base_url))
            .basic_auth(&at.client_id, Some(&at.client_secret))
            .form(&form)
            .timeout(limit);
        // A sign-in posts nothing: whatever went wrong, it can be tried again.
        let answer = Self::read(request).await.map_err(|outcome| match outcome {
            Outcome::Unknown(text) => Outcome::Unreachable(text),
            other => other,
        })?;
        if !answer.status.is_success() {
            return Err(match self.sort::<()>(&answer) {
                Outcome::Refused(Refusal::Content(text) | Refusal::SignIn(text) | Refusal::Forbidden(text)) => {
                    Outcome::Refused(Refusal::SignIn(text))
                }
                Outcome::Refused(Refusal::ChatGone) => Outcome::Unreachable("there is no RingCentral at this address".to_owned()),
                Outcome::Unknown(text) => Outcome::Unreachable(text),
                other => other,
            });
        }
        let token: Token =
            serde_json::from_slice(&answer.body).map_err(|_| Outcome::Unreachable("the sign-in's answer was unreadable".to_owned()))?;
        let lasts = Duration::from_secs(token.expires_in.unwrap_or(3_600));
        let until = self.clock.now().plus(lasts.saturating_sub(Duration::from_secs(60)).max(lasts / 2));
        kept.token = Some((token.access_token.clone(), until));
        Ok(token.access_token)
    }
}

impl Outcome<()> {
    /// The same ending for a call of another kind; only for endings that are not `Accepted`.
    fn cast<T>(self) -> Outcome<T> {
        match self {
            Self::Accepted(()) => Outcome::Unknown("an empty answer".to_owned()),
            Self::Refused(refusal) => Outcome::Refused(refusal),
            Self::Parked { pause, reason } => Outcome::Parked { pause, reason },
            Self::Unreachable(text) => Outcome::Unreachable(text),
            Self::Unknown(text) => Outcome::Unknown(text),
        }
    }
}
