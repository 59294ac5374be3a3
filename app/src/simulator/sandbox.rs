//! The sandbox as the simulator uses it: its control API over HTTP, as a test would. Only on the server, only where it runs.

use crate::context::Services;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use switchyard::types::{Problem, Timestamp};

/// Entries of the journal that are read at a time.
const JOURNAL_PAGE: usize = 5_000;

/// A way to the running sandbox.
pub(super) struct Sandbox {
    http: reqwest::Client,
    base: String,
}

/// A text on a handset.
#[derive(Debug, Deserialize)]
pub(super) struct Text {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) text: String,
    pub(super) at: Timestamp,
    pub(super) media: Vec<serde_json::Value>,
    pub(super) failure: Option<String>,
}

/// A post in a chat.
#[derive(Debug, Deserialize)]
pub(super) struct Post {
    pub(super) creator_id: String,
    pub(super) text: String,
    pub(super) created_at: Timestamp,
}

/// A webhook subscription.
#[derive(Debug, Deserialize)]
pub(super) struct Subscription {
    id: String,
    client_id: String,
    #[serde(default)]
    blacklisted: Option<serde_json::Value>,
}

impl Subscription {
    /// It is told of nothing any more.
    pub(super) fn is_blacklisted(&self) -> bool {
        self.blacklisted.is_some()
    }
}

/// A call as the sandbox journaled it.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) chat_id: Option<String>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) accepted: bool,
}

fn silent(error: &reqwest::Error) -> Problem {
    tracing::warn!(%error, "the sandbox did not answer");
    Problem::unavailable("The sandbox does not answer. Is it still running?")
}

/// A call whose answer says nothing.
async fn done(request: reqwest::RequestBuilder) -> Result<(), Problem> {
    let answer = request.send().await.map_err(|error| silent(&error))?;
    answer.error_for_status().map(|_| ()).map_err(|error| silent(&error))
}

impl Sandbox {
    /// The sandbox of this installation.
    pub(super) fn of(services: &Services) -> Result<Self, Problem> {
        let Some(url) = services.sandbox_url.as_deref() else {
            return Err(Problem::not_found("There is no sandbox in this installation, so nothing can be simulated."));
        };
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().map_err(|error| silent(&error))?;
        Ok(Self { http, base: format!("{}/sandbox/v1", url.trim_end_matches('/')) })
    }

    async fn answer<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<Option<T>, Problem> {
        let response = request.send().await.map_err(|error| silent(&error))?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = response.error_for_status().map_err(|error| silent(&error))?;
        response.json().await.map(Some).map_err(|error| silent(&error))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Problem> {
        Self::answer(self.http.get(format!("{}/{path}", self.base))).await
    }

    /// What a handset received and sent, the oldest first.
    pub(super) async fn handset(&self, number: &str) -> Result<Vec<Text>, Problem> {
        #[derive(Deserialize)]
        struct Handset {
            messages: Vec<Text>,
        }
        let path = format!("handsets/{}", number.replace('+', "%2B"));
        Ok(self.get::<Handset>(&path).await?.map(|handset| handset.messages).unwrap_or_default())
    }

    /// Who made a chat, which is Switchyard, and its posts, the oldest first; `None` when there is no such chat.
    pub(super) async fn chat(&self, id: &str) -> Result<Option<(String, Vec<Post>)>, Problem> {
        #[derive(Deserialize)]
        struct Chat {
            creator_id: String,
        }
        #[derive(Deserialize)]
        struct Whole {
            chat: Chat,
            posts: Vec<Post>,
        }
        // An id of ours is made of digits; anything else names no chat and must not become a path.
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        Ok(self.get::<Whole>(&format!("chats/{id}")).await?.map(|whole| (whole.chat.creator_id, whole.posts)))
    }

    /// The journal's entries after number `after`, and the last one's number.
    pub(super) async fn journal(&self, after: u64) -> Result<(Vec<Entry>, u64), Problem> {
        #[derive(Deserialize)]
        struct Journal {
            entries: Vec<Entry>,
            last: u64,
        }
        let (mut all, mut last) = (Vec::new(), after);
        loop {
            let path = format!("journal?after={last}&limit={JOURNAL_PAGE}");
            let Some(page) = self.get::<Journal>(&path).await? else { return Ok((all, last)) };
            let is_last = page.entries.len() < JOURNAL_PAGE;
            last = page.last;
            all.extend(page.entries);
            if is_last {
                return Ok((all, last));
            }
        }
    }

    /// Sends a text from a handset to a line.
    pub(super) async fn send(&self, from: &str, to: &str, text: &str) -> Result<(), Problem> {
        #[derive(Deserialize)]
        struct Sent {
            webhook_status: Option<u16>,
        }
        let body = serde_json::json!({ "from": from, "to": to, "text": text });
        let sent: Option<Sent> = Self::answer(self.http.post(format!("{}/handsets/send", self.base)).json(&body)).await?;
        match sent.and_then(|sent| sent.webhook_status) {
            Some(status) if !(200..300).contains(&status) => Err(Problem::unavailable(format!(
                "The text was sent, but its webhook was answered with {status}. The carrier tries again."
            ))),
            _ => Ok(()),
        }
    }

    /// Arms a fault.
    pub(super) async fn arm(&self, fault: &impl Serialize) -> Result<(), Problem> {
        let _: Option<serde_json::Value> = Self::answer(self.http.post(format!("{}/faults", self.base)).json(fault)).await?;
        Ok(())
    }

    /// The faults that wait for their call, as their kind.
    pub(super) async fn armed(&self) -> Result<Vec<serde_json::Value>, Problem> {
        #[derive(Deserialize)]
        struct Faults {
            faults: Vec<serde_json::Value>,
        }
        Ok(self.get::<Faults>("faults").await?.map(|faults| faults.faults).unwrap_or_default())
    }

    /// Disarms every fault.
    pub(super) async fn disarm(&self) -> Result<(), Problem> {
        done(self.http.delete(format!("{}/faults", self.base))).await
    }

    /// An agent writes in a chat: a member of it, or one who joins.
    pub(super) async fn write_as_agent(&self, chat: &str, text: &str) -> Result<(), Problem> {
        let body = serde_json::json!({ "chat_id": chat, "text": text });
        let made: Option<serde_json::Value> = Self::answer(self.http.post(format!("{}/agents/post", self.base)).json(&body)).await?;
        made.map(|_| ())
            .ok_or_else(|| Problem::conflict("RingCentral has this chat no more. It is made anew with the contact’s next reply."))
    }

    /// Every access token has run out.
    pub(super) async fn expire_tokens(&self) -> Result<(), Problem> {
        done(self.http.post(format!("{}/tokens/expire", self.base))).await
    }

    /// The subscriptions of a connection's app.
    pub(super) async fn subscriptions(&self, client_id: &str) -> Result<Vec<Subscription>, Problem> {
        #[derive(Deserialize)]
        struct All {
            subscriptions: Vec<Subscription>,
        }
        let all = self.get::<All>("subscriptions").await?.map(|all| all.subscriptions).unwrap_or_default();
        Ok(all.into_iter().filter(|subscription| subscription.client_id == client_id).collect())
    }

    /// A subscription is told of nothing any more.
    pub(super) async fn blacklist(&self, subscription: &Subscription) -> Result<(), Problem> {
        done(self.http.post(format!("{}/subscriptions/{}/blacklist", self.base, subscription.id))).await
    }
}
