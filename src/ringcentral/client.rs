//! The client: sign in by JWT, make a team, make, list and delete posts (RingCentral API description, Team Messaging v1).
//!
//! Unknown fields, null fields, ids as number or as string are all survived. A 401 is answered by a new token and a repeat;
//! a 429 parks the rate group for everybody before the caller hears of it. Whoever calls has leave for one call: what takes more than one
//! asks for each further one itself.

use super::Connection;
use super::answer::{Answer, Outcome, Refusal, Sorted};
use super::budget::{self, Call, Group, Leave, ask_leave, park};
use super::events::PostBody;
use super::token::Token;
use crate::clock::Now;
use crate::db::Db;
use crate::secret::Keyring;
use crate::types::{ConnectionId, Timestamp};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Posts a page (API description: at most 250).
const PAGE: usize = 250;
/// The same error again within this time is written down once.
const SAME_ERROR: Duration = Duration::from_secs(30);
/// Pages that a look-up reads at most.
const MOST_PAGES: usize = 40;
/// A look through posts that nobody has come back to for so long is forgotten.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The teams in which something happened lately, the latest first, without pages.
const RECENT_TEAMS: &str = "/team-messaging/v1/recent/chats?type=Team&recordCount=250";
/// So many chats the list of those with news has at most, without a way to older ones (API description).
pub const MOST_RECENT: usize = 250;
/// All teams, the oldest first, page by page (API description: at most 250 in each).
const TEAMS: &str = "/team-messaging/v1/chats?type=Team&recordCount=250";

#[derive(Deserialize)]
struct Chat {
    #[serde(deserialize_with = "text_or_number")]
    id: String,
    #[serde(default)]
    description: Option<String>,
    /// `Active` or `Archived`.
    #[serde(default)]
    status: Option<String>,
    #[serde(default, rename = "lastModifiedTime")]
    last_modified_time: Option<String>,
    #[serde(default)]
    members: Option<Vec<ChatMember>>,
}

#[derive(Deserialize)]
struct ChatMember {
    #[serde(deserialize_with = "text_or_number")]
    id: String,
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

pub(super) fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
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

pub(super) fn maybe_text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "text_or_number")] String);
    Ok(Option::<Wrapped>::deserialize(from)?.map(|Wrapped(text)| text))
}

/// A chat, and when something happened in it last, as RingCentral writes it.
pub type ChatNews = (String, Option<String>);

impl Chat {
    fn news(self) -> ChatNews {
        (self.id, self.last_modified_time)
    }

    fn carries(&self, reference: &str) -> bool {
        self.description.as_deref().is_some_and(|text| text.contains(reference))
    }
}

/// What is looked for in a chat.
struct Sought<'a> {
    chat: &'a str,
    /// What the posts carry, unless all are meant.
    reference: Option<&'a str>,
    /// They are not older.
    since: &'a str,
    /// As what leave is asked for a page.
    call: Call,
    /// For each page.
    limit: Duration,
}

impl Sought<'_> {
    fn is(&self, post: &PostBody) -> bool {
        self.reference.is_none_or(|reference| post.text.as_deref().is_some_and(|text| text.contains(reference)))
    }
}

/// A post's id, and when it was written.
type Seen = (String, Option<String>);

/// How far a look through a chat's posts has come. It goes from the newest to the oldest; what was written after it began is looked
/// through once more, behind it, so that in the end nothing is left out that stood there when it was last asked for.
#[derive(Default)]
struct Look {
    /// What was found before this time through, newest first.
    found: Vec<PostBody>,
    /// How far back this time through goes, when there was one before it: to the newest that it had seen.
    up_to: Option<Seen>,
    /// What this time through has found, newest first.
    newer: Vec<PostBody>,
    /// The newest that it has seen.
    newest: Option<Seen>,
    /// The token of the page that is next in it; none at its beginning.
    next: Option<String>,
}

impl Look {
    /// Takes a page in. Whether this time through is over.
    fn take(&mut self, sought: &Sought<'_>, (posts, next): (Vec<PostBody>, Option<String>)) -> bool {
        if self.next.is_none() {
            self.newest = posts.first().map(|post| (post.id.clone(), post.creation_time.clone()));
        }
        self.next = next;
        let (seen, since) = match &self.up_to {
            Some((id, time)) => (Some(id), time.as_deref().unwrap_or(sought.since)),
            None => (None, sought.since),
        };
        for post in posts {
            if seen == Some(&post.id) || post.creation_time.as_deref().is_some_and(|time| time < since) {
                return true;
            }
            if sought.is(&post) {
                self.newer.push(post);
            }
        }
        self.next.is_none()
    }

    /// This time through is over; the next one is through what was written since it began.
    fn begin_again(&mut self) {
        let known: HashSet<&str> = self.found.iter().map(|post| post.id.as_str()).collect();
        // Should the newest be deleted meanwhile, what was written in the same moment is met again.
        self.newer.retain(|post| !known.contains(post.id.as_str()));
        self.newer.append(&mut self.found);
        self.found = std::mem::take(&mut self.newer);
        if self.newest.is_some() {
            self.up_to = self.newest.take();
        }
        self.next = None;
    }
}

type Slot<T> = Arc<Mutex<Option<T>>>;
type Limits = HashMap<(ConnectionId, Group), (i64, Duration)>;
/// The chat, the reference or nothing, and since when.
type LookKey = (ConnectionId, String, String, String);
/// Each with when it was last asked for.
type Looks = HashMap<LookKey, (Timestamp, Arc<Mutex<Look>>)>;

/// The client for every connection; cheap to clone, tokens are shared.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) db: Db,
    pub(super) now: Now,
    pub(super) keys: Keyring,
    pub(super) tokens: Arc<Mutex<HashMap<ConnectionId, Slot<Token>>>>,
    /// What the rate limits were last said to be.
    limits: Arc<Mutex<Limits>>,
    /// Where the look for a team goes on, by its reference: the token of the page that is next.
    places: Arc<Mutex<HashMap<(ConnectionId, String), String>>>,
    /// Looks through posts that are not at their end.
    looks: Arc<Mutex<Looks>>,
    /// What went wrong last.
    errors: Arc<Mutex<HashMap<ConnectionId, (Timestamp, String)>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ringcentral::Client")
    }
}

pub(super) fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

/// What becomes of people in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// They are members from now on.
    Add,
    /// They are no longer.
    Remove,
}

fn by_email(people: &[&str]) -> serde_json::Value {
    people.iter().map(|email| serde_json::json!({ "email": email })).collect()
}

/// A call, before it is signed.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) group: Group,
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a serde_json::Value>,
}

impl<'a> Request<'a> {
    pub(super) fn get(group: Group, path: &'a str) -> Self {
        Self { group, method: Method::GET, path, body: None }
    }

    pub(super) fn post(path: &'a str, body: &'a serde_json::Value) -> Self {
        Self { group: Group::Medium, method: Method::POST, path, body: Some(body) }
    }

    pub(super) fn delete(path: &'a str) -> Self {
        Self { group: Group::Medium, method: Method::DELETE, path, body: None }
    }
}

impl Client {
    /// A client on this HTTP stack, which shares tokens and rate limits with other processes through the database.
    pub fn new(http: reqwest::Client, db: Db, now: Now, keys: Keyring) -> Self {
        Self {
            http,
            db,
            now,
            keys,
            tokens: Arc::default(),
            limits: Arc::default(),
            places: Arc::default(),
            looks: Arc::default(),
            errors: Arc::default(),
        }
    }

    /// Makes a team with this name; `description` carries our reference, by which [`Client::find_team`] knows it again.
    /// Who makes a team is in it; `members` are others, by their e-mail addresses. One whom RingCentral does not know refuses it all.
    pub async fn create_team(&self, at: &Connection, name: &str, description: &str, members: &[&str], limit: Duration) -> Outcome<String> {
        let body = serde_json::json!({ "name": name, "description": description, "public": false, "members": by_email(members) });
        self.change(at, Request::post("/team-messaging/v1/teams", &body), limit, |chat: Chat| chat.id).await
    }

    /// Adds people to a team, by their e-mail addresses, or removes them, by their ids alone (API description).
    pub async fn change_members(&self, at: &Connection, chat: &str, what: Membership, members: &[&str], limit: Duration) -> Outcome<()> {
        let (verb, members) = match what {
            Membership::Add => ("add", by_email(members)),
            Membership::Remove => ("remove", members.iter().map(|id| serde_json::json!({ "id": id })).collect()),
        };
        let body = serde_json::json!({ "members": members });
        let path = format!("/team-messaging/v1/teams/{chat}/{verb}");
        match self.send(at, Request::post(&path, &body), limit).await {
            Ok(answer) if answer.status.is_success() => Outcome::Accepted(()),
            Ok(answer) => self.sort(at, Group::Medium, &answer).await,
            Err(outcome) => outcome,
        }
    }

    /// The ids of a chat's members.
    pub async fn chat_members(&self, at: &Connection, chat: &str, limit: Duration) -> Outcome<Vec<String>> {
        let path = format!("/team-messaging/v1/chats/{chat}");
        self.change(at, Request::get(Group::Light, &path), limit, |chat: Chat| {
            chat.members.into_iter().flatten().map(|member| member.id).collect()
        })
        .await
    }

    /// The e-mail address of a person; `None` when it is not shown.
    pub async fn email_of(&self, at: &Connection, person: &str, limit: Duration) -> Outcome<Option<String>> {
        #[derive(Deserialize)]
        struct Person {
            #[serde(default)]
            email: Option<String>,
        }
        let path = format!("/team-messaging/v1/persons/{person}");
        self.change(at, Request::get(Group::Light, &path), limit, |person: Person| person.email).await
    }

    /// Makes a post in a chat.
    pub async fn create_post(&self, at: &Connection, chat: &str, text: &str, limit: Duration) -> Outcome<String> {
        let body = serde_json::json!({ "text": text });
        let path = format!("/team-messaging/v1/chats/{chat}/posts");
        match self.change(at, Request::post(&path, &body), limit, |post: PostBody| post.id).await {
            // An archived team is refused like a missing permission; only the chat itself tells which it is.
            Outcome::Refused(Refusal::Forbidden(_)) if self.is_archived(at, chat, limit).await => Outcome::Refused(Refusal::ChatGone),
            ended => ended,
        }
    }

    /// Whether it is known to be: without leave to ask it is not.
    async fn is_archived(&self, at: &Connection, chat: &str, limit: Duration) -> bool {
        if self.leave(at, Call::Other(Group::Light)).await.is_err() {
            return false;
        }
        let answer = self.send(at, Request::get(Group::Light, &format!("/team-messaging/v1/chats/{chat}")), limit).await;
        let chat = answer.ok().and_then(|answer| serde_json::from_slice::<Chat>(&answer.body).ok());
        chat.and_then(|chat| chat.status).is_some_and(|status| status == "Archived")
    }

    /// Deletes a post of ours; one that is gone already counts as deleted.
    pub async fn delete_post(&self, at: &Connection, chat: &str, post: &str, limit: Duration) -> Outcome<()> {
        self.delete(at, &format!("/team-messaging/v1/chats/{chat}/posts/{post}"), limit).await
    }

    /// Deletes a thing; one that is gone already counts as deleted.
    pub(super) async fn delete(&self, at: &Connection, path: &str, limit: Duration) -> Outcome<()> {
        match self.send(at, Request::delete(path), limit).await {
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => Outcome::Accepted(()),
            Ok(answer) if answer.status.is_success() => Outcome::Accepted(()),
            Ok(answer) => self.sort(at, Group::Medium, &answer).await,
            Err(outcome) => outcome.cast(),
        }
    }

    /// The posts of a chat that carry `reference`, newest first, not older than `since`. It asks for leave, for such a call, for each page
    /// behind the first. With `Parked` it has not seen all of them yet, and goes on there when it is asked again.
    pub async fn find_posts(
        &self,
        at: &Connection,
        chat: &str,
        reference: &str,
        since: Timestamp,
        call: Call,
        limit: Duration,
    ) -> Outcome<Vec<PostBody>> {
        self.look(at, &Sought { chat, reference: Some(reference), since: &since.rfc3339(), call, limit }).await
    }

    /// The posts of a chat, newest first, not older than `since`. As for [`Client::find_posts`], it may have to be asked again.
    pub async fn posts_since(&self, at: &Connection, chat: &str, since: &str, call: Call, limit: Duration) -> Outcome<Vec<PostBody>> {
        self.look(at, &Sought { chat, reference: None, since, call, limit }).await
    }

    /// Looks through a chat, on from where an earlier look for the same had to stop. Whoever stops waiting for it loses nothing.
    async fn look(&self, at: &Connection, sought: &Sought<'_>) -> Outcome<Vec<PostBody>> {
        let key = (at.id, sought.chat.to_owned(), sought.reference.unwrap_or_default().to_owned(), sought.since.to_owned());
        let kept = self.kept_look(&key).await;
        let mut look = kept.lock().await;
        let ended = self.look_on(at, sought, &mut look).await;
        match ended {
            Ok(()) => Outcome::Accepted(self.end_look(&key, &mut look).await),
            // It may be the place that is refused: the next look begins anew.
            Err(refused @ Outcome::Refused(_)) => {
                self.end_look(&key, &mut look).await;
                refused.cast()
            }
            Err(outcome) => outcome.cast(),
        }
    }

    /// Nobody goes on with it; says what it has found.
    async fn end_look(&self, key: &LookKey, look: &mut Look) -> Vec<PostBody> {
        self.looks.lock().await.remove(key);
        std::mem::take(look).found
    }

    async fn kept_look(&self, key: &LookKey) -> Arc<Mutex<Look>> {
        let now = self.now.at();
        let mut looks = self.looks.lock().await;
        looks.retain(|_, (asked_at, _)| now.since(*asked_at) < KEPT);
        let (asked_at, look) = looks.entry(key.clone()).or_insert_with(|| (now, Arc::default()));
        *asked_at = now;
        look.clone()
    }

    /// Reads page after page. Whoever asks has leave for the first one.
    async fn look_on(&self, at: &Connection, sought: &Sought<'_>, look: &mut Look) -> Result<(), Outcome<()>> {
        let path = format!("/team-messaging/v1/chats/{}/posts?recordCount={PAGE}", sought.chat);
        let mut is_of_before = look.next.is_some();
        for n in 0..MOST_PAGES {
            if n > 0 {
                self.leave(at, sought.call).await?;
            }
            let page = self.page::<PostBody>(at, &path, look.next.as_deref(), sought.limit).await?;
            if look.take(sought, page) {
                look.begin_again();
                if !is_of_before {
                    return Ok(());
                }
                is_of_before = false;
            }
        }
        Err(Outcome::Parked { until: self.now.at(), reason: "there are many posts to look through".to_owned() })
    }

    /// The newest posts of a chat, newest first, in one call; and whether there are older ones.
    pub async fn newest_posts(&self, at: &Connection, chat: &str, most: usize, limit: Duration) -> Outcome<(Vec<PostBody>, bool)> {
        let path = format!("/team-messaging/v1/chats/{chat}/posts?recordCount={most}");
        self.change(at, Request::get(Group::Medium, &path), limit, |list: List<PostBody>| {
            let goes_on = list.navigation.and_then(|n| n.next_page_token).is_some_and(|token| !token.is_empty());
            (list.records, goes_on)
        })
        .await
    }

    /// The chats in which something happened lately, each with when, the latest first; at most [`MOST_RECENT`].
    pub async fn recent_chats(&self, at: &Connection, limit: Duration) -> Outcome<Vec<ChatNews>> {
        self.change(at, Request::get(Group::Light, RECENT_TEAMS), limit, |list: List<Chat>| {
            list.records.into_iter().map(Chat::news).collect()
        })
        .await
    }

    /// A page of all teams, each with when something happened in it last, the oldest team first; and the next page, if there is one.
    /// The empty page is the first.
    pub async fn teams(&self, at: &Connection, page: &str, limit: Duration) -> Outcome<(Vec<ChatNews>, Option<String>)> {
        match self.page::<Chat>(at, TEAMS, Some(page).filter(|page| !page.is_empty()), limit).await {
            Ok((teams, next)) => Outcome::Accepted((teams.into_iter().map(Chat::news).collect(), next)),
            Err(outcome) => outcome.cast(),
        }
    }

    /// The team whose description carries `reference`, if there is one. It asks for leave for each of its calls: it looks among the teams
    /// with news, where a new one is, and only then through all of them, which are sorted with the oldest first (API description). With
    /// `Parked` it has not seen all of them yet, and goes on there when it is asked again.
    pub async fn find_team(&self, at: &Connection, reference: &str, limit: Duration) -> Outcome<Option<String>> {
        if self.leave(at, Call::Other(Group::Light)).await.is_ok() {
            let request = Request::get(Group::Light, RECENT_TEAMS);
            let team = |list: List<Chat>| list.records.into_iter().find(|chat| chat.carries(reference));
            if let Outcome::Accepted(Some(team)) = self.change(at, request, limit, team).await {
                return Outcome::Accepted(Some(team.id));
            }
        }
        let key = (at.id, reference.to_owned());
        let mut token = self.places.lock().await.remove(&key);
        for _ in 0..MOST_PAGES {
            let page = match self.leave(at, Call::Other(Group::Medium)).await {
                Ok(()) => self.page::<Chat>(at, TEAMS, token.as_deref(), limit).await,
                Err(wait) => Err(wait),
            };
            match page {
                Ok((teams, next)) => {
                    let team = teams.into_iter().find(|chat| chat.carries(reference));
                    if team.is_some() || next.is_none() {
                        return Outcome::Accepted(team.map(|team| team.id));
                    }
                    token = next;
                }
                // It may be the place that is refused: the next look begins anew.
                Err(refused @ Outcome::Refused(_)) => return refused.cast(),
                Err(outcome) => {
                    self.look_on_from(key, token).await;
                    return outcome.cast();
                }
            }
        }
        self.look_on_from(key, token).await;
        Outcome::Parked { until: self.now.at(), reason: "there are many teams to look through".to_owned() }
    }

    async fn look_on_from(&self, key: (ConnectionId, String), place: Option<String>) {
        if let Some(place) = place {
            self.places.lock().await.insert(key, place);
        }
    }

    /// Leave for one such call.
    async fn leave(&self, at: &Connection, call: Call) -> Result<(), Outcome<()>> {
        match ask_leave(&self.db, &self.now, at, call).await {
            Ok(Leave::Granted { .. }) => Ok(()),
            Ok(Leave::Wait { until }) => Err(Outcome::Parked { until, reason: "the rate limit is reached".to_owned() }),
            Err(error) => {
                tracing::error!(%error, "the budget of a connection could not be read");
                Err(Outcome::Unreachable("the budget of calls could not be read".to_owned()))
            }
        }
    }

    /// The page of a list that a token names, or the first one, and the token of the next.
    async fn page<T: DeserializeOwned>(
        &self,
        at: &Connection,
        path: &str,
        token: Option<&str>,
        limit: Duration,
    ) -> Result<(Vec<T>, Option<String>), Outcome<()>> {
        let path = token.map_or_else(|| path.to_owned(), |token| format!("{path}&pageToken={token}"));
        let answer = self.send(at, Request::get(Group::Medium, &path), limit).await?;
        if !answer.status.is_success() {
            return Err(self.sort(at, Group::Medium, &answer).await);
        }
        let list: List<T> = serde_json::from_slice(&answer.body).map_err(|e| Outcome::Unknown(format!("unreadable list: {e}")))?;
        Ok((list.records, list.navigation.and_then(|n| n.next_page_token).filter(|token| !token.is_empty())))
    }

    /// One call, and what it answered.
    pub(super) async fn call<T: DeserializeOwned>(&self, at: &Connection, request: Request<'_>, limit: Duration) -> Outcome<T> {
        self.change(at, request, limit, |value: T| value).await
    }

    async fn change<T: DeserializeOwned, U>(
        &self,
        at: &Connection,
        request: Request<'_>,
        limit: Duration,
        pick: impl FnOnce(T) -> U,
    ) -> Outcome<U> {
        let group = request.group;
        match self.send(at, request, limit).await {
            Ok(answer) if answer.status.is_success() => match serde_json::from_slice(&answer.body) {
                Ok(value) => Outcome::Accepted(pick(value)),
                // It was accepted, but as what is only known by looking.
                Err(error) => Outcome::Unknown(format!("unreadable answer: {error}")),
            },
            Ok(answer) => self.sort(at, group, &answer).await,
            Err(outcome) => outcome.cast(),
        }
    }

    /// What an answer other than success means. What it says of the limits is written down for all workers.
    pub(super) async fn sort<T>(&self, at: &Connection, group: Group, answer: &Answer) -> Outcome<T> {
        let outcome = match self.sorted(at, group, answer).await {
            // What is refused there is the credential, whatever the status.
            Outcome::Refused(Refusal::Content(text) | Refusal::Forbidden(text)) if group == Group::Auth => {
                Outcome::Refused(Refusal::SignIn(text))
            }
            other => other,
        };
        // A thing that is not there is an answer like another.
        if answer.status != StatusCode::NOT_FOUND {
            self.note_error(at, &outcome).await;
        }
        outcome
    }

    /// Keeps what went wrong last, for people; the same again within half a minute is not written again.
    pub(super) async fn note_error<T>(&self, at: &Connection, outcome: &Outcome<T>) {
        let (now, words) = (self.now.at(), outcome.words());
        {
            let mut last = self.errors.lock().await;
            if last.get(&at.id).is_some_and(|(when, text)| *text == words && now.since(*when) < SAME_ERROR) {
                return;
            }
            last.insert(at.id, (now, words.clone()));
        }
        let noted = self
            .db
            .work(async |tx| tx.run("update connection set last_error = $2, last_error_at = $3 where id = $1", (at.id, words, now)).await)
            .await;
        if let Err(error) = noted {
            tracing::error!(%error, "an error of RingCentral could not be written down");
        }
    }

    async fn sorted<T>(&self, at: &Connection, group: Group, answer: &Answer) -> Outcome<T> {
        match answer.sort() {
            Sorted::Wait { group: named, pause, reason } => {
                let (until, group) = (self.now.at().plus(pause), named.unwrap_or(group));
                if let Err(error) = park(&self.db, at.id, group, until, reason).await {
                    tracing::error!(%error, "a rate limit could not be written down");
                }
                Outcome::Parked { until, reason: reason.to_owned() }
            }
            Sorted::Refused(refusal) => Outcome::Refused(refusal),
            Sorted::Unknown(text) => Outcome::Unknown(text),
        }
    }

    /// One call, which has ended within `limit` with everything that belongs to it: signing in, and further tries after a 401.
    /// Whoever looks up what became of it relies on that. A repeat asks for leave: without it, it had no effect.
    async fn send(&self, at: &Connection, request: Request<'_>, limit: Duration) -> Result<Answer, Outcome<()>> {
        let end = Instant::now() + limit;
        let mut spent: Option<String> = None;
        // What another worker fetched meanwhile may be spent as well.
        for _ in 0..2 {
            let token = self.token(at, spent.as_deref(), end).await?;
            if spent.is_some() {
                self.leave(at, Call::Other(request.group)).await?;
            }
            let answer = self.once(at, request.clone(), &token, left(end)).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            spent = Some(token);
        }
        let token = self.token(at, spent.as_deref(), end).await?;
        self.leave(at, Call::Other(request.group)).await?;
        self.once(at, request, &token, left(end)).await
    }

    async fn once(&self, at: &Connection, request: Request<'_>, token: &str, limit: Duration) -> Result<Answer, Outcome<()>> {
        // Nothing leaves any more: its end is certain, and need not be looked up.
        if limit.is_zero() {
            return Err(Outcome::Unreachable("no call was made: its time was over before it began".to_owned()));
        }
        let url = format!("{}{}", at.base_url, request.path);
        let mut signed = self.http.request(request.method, url).bearer_auth(token).timeout(limit);
        if let Some(body) = request.body {
            signed = signed.json(body);
        }
        self.read(at, request.group, signed).await
    }

    pub(super) async fn read(&self, at: &Connection, group: Group, request: reqwest::RequestBuilder) -> Result<Answer, Outcome<()>> {
        let began = Instant::now();
        let answer = Self::answer(request).await;
        if let Err(outcome) = &answer {
            self.note_error(at, outcome).await;
        }
        let status = answer.as_ref().map_or_else(|_| "none".to_owned(), |answer| answer.status.as_u16().to_string());
        metrics::counter!("switchyard_ringcentral_calls_total", "group" => group.as_str(), "status" => status).increment(1);
        metrics::histogram!("switchyard_ringcentral_call_seconds").record(began.elapsed());
        if let Some((calls, window)) = answer.as_ref().ok().and_then(|answer| answer.limit) {
            self.learn(at, group, calls, window).await;
        }
        answer
    }

    /// Keeps what the headers say of a group, when it is news.
    async fn learn(&self, at: &Connection, group: Group, calls: i64, window: Duration) {
        let told = (calls, window);
        if self.limits.lock().await.insert((at.id, group), told) == Some(told) {
            return;
        }
        if let Err(error) = budget::learn(&self.db, at.id, group, calls, window).await {
            tracing::error!(%error, "a rate limit could not be written down");
        }
    }

    async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, Outcome<()>> {
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
        let number = |name: &str| response.headers().get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let retry_after = number("retry-after").map(|seconds| Duration::from_secs(seconds.into()));
        let window = number("x-rate-limit-window").filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds.into()));
        let limit = number("x-rate-limit-limit").map(i64::from).zip(window);
        let body = response.bytes().await.map_err(unsure)?.to_vec();
        Ok(Answer { status, retry_after, limit, body })
    }
}
