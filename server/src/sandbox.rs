//! The sandbox: RingCentral as its own SDKs know it, and a carrier with handsets, so that the whole product runs without either.
//!
//! It keeps a state and a journal of its own and knows nothing of Switchyard's tables: what it journals is the verdict on what
//! really arrived. The one rule: a call and its effect are journaled in one step, before the answer leaves.

mod agent;
mod answer;
mod asked;
pub mod carrier;
mod chat;
mod chats;
mod control;
mod delivery;
mod event;
mod fault;
mod filter;
mod id;
mod journal;
mod limits;
mod markup;
mod pages;
mod paging;
mod people;
mod picture;
mod posts;
mod ringcentral;
mod state;
mod subscription;
mod subscriptions;
mod teams;
mod token;
mod webhooks;

#[cfg(test)]
mod tests;

pub use agent::{AgentFile, AgentPost};
pub use carrier::{CarrierMessage, HandsetSummary, HandsetText, Media, Sent};
pub use chat::{Attachment, ChatKind, ChatSummary, Post};
pub use fault::{ArmedFault, Fault, On, What};
pub use id::{Id, Text};
pub use journal::{Entry, Kind};
pub use limits::Limits;
pub use people::Person;
pub use subscription::Subscription;

/// A post's text as the app shows it, in HTML.
pub fn shown(text: &str) -> String {
    markup::render(text)
}
pub use token::{Client, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_JWT, DEFAULT_OWNER, DEMO_PREFIX};
pub use webhooks::{SIGNATURE, sign};

use axum::Router;
use state::{Change, Core};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use switchyard::clock::{Clock, Rng};
use switchyard::types::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How a sandbox is set up. [`SandboxConfig::new`] has the values of a demo.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where the sandbox reads the time. On a manual clock nothing in it sleeps but the retries of webhooks and answers that
    /// are told to be slow, which look at it every millisecond.
    pub clock: Clock,
    /// The client that webhooks are sent with; handed in, because TLS is set up once, at start-up.
    pub http: reqwest::Client,
    /// Where webhooks go, such as `http://127.0.0.1:3000`; none are sent until it is known (also [`Sandbox::set_webhook_base`]).
    pub webhook_base: Option<String>,
    /// The secret that webhooks are signed with.
    pub webhook_secret: String,
    /// The carrier's name in the webhooks' paths.
    pub carrier_name: String,
    /// The bearer key that the carrier's API asks for.
    pub carrier_key: String,
    /// Whether the carrier tells what became of each SMS. Off, every SMS is simply delivered.
    pub deliver_statuses: bool,
    /// The sandbox's own address, for links to pictures (also [`Sandbox::set_own_base`]).
    pub own_base: Option<String>,
    /// How long an access token lives.
    pub token_ttl: Duration,
    /// A file of JSON lines that is appended to; at start the state is rebuilt from it.
    pub journal: Option<PathBuf>,
    /// RingCentral's Medium limit for one user and app; `None` switches all limits off but the daily one.
    pub posts_per_minute: Option<u32>,
    /// Posts that one user may make in a day (UTC); `None` is without end.
    pub posts_per_day: Option<u32>,
}

impl SandboxConfig {
    /// A demo's sandbox: RingCentral's limits, the default keys, nothing kept on disk, no webhooks until their address is known.
    pub fn new(clock: Clock, http: reqwest::Client) -> Self {
        Self {
            clock,
            http,
            webhook_base: None,
            webhook_secret: "sandbox-webhook-secret".into(),
            carrier_name: "sandbox".into(),
            carrier_key: "sandbox-carrier-key".into(),
            deliver_statuses: true,
            own_base: None,
            token_ttl: Duration::from_secs(3_600),
            journal: None,
            posts_per_minute: Some(40),
            posts_per_day: Some(2_500),
        }
    }
}

/// Why the sandbox could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A number that no handset or line can have.
    #[error("“{0}” is not a phone number: write + and the country code, as in +12025550143, or a short code")]
    NotANumber(String),
    /// No handset sent a message with this id.
    #[error("no handset sent a message with the id “{0}”")]
    UnknownMessage(String),
    /// A fault that can never match.
    #[error("a fault `refuse_text` needs `text_contains`")]
    NothingToRefuse,
    /// A fault that such calls cannot meet.
    #[error("this fault is not for these calls: the faults of events are `on` `event`, `refuse_handshake` is `on` `subscribe`")]
    MisplacedFault,
    /// No chat has this id.
    #[error("there is no chat {0}")]
    UnknownChat(String),
    /// No post in the chat has this id.
    #[error("there is no such post in this chat")]
    UnknownPost,
    /// An agent who is not in the chat.
    #[error("{0} is not a member of this chat")]
    NotAMember(String),
    /// No subscription has this id.
    #[error("there is no subscription {0}")]
    UnknownSubscription(String),
    /// The journal could not be read or opened.
    #[error("the sandbox's journal cannot be used: {0}")]
    Journal(#[from] std::io::Error),
}

/// The running sandbox. A clone is another handle to the same one.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    core: Mutex<Core>,
    clock: Clock,
    rng: Rng,
    http: reqwest::Client,
    webhook_secret: String,
    carrier_name: String,
    carrier_key: String,
    /// Rung when a webhook waits to be sent.
    bell: Notify,
    /// Rung when an event does.
    event_bell: Notify,
    /// Ends the answers that are held back for good, so that a shutdown is not held up by them.
    ended: CancellationToken,
}

impl Sandbox {
    /// Makes a sandbox, from its journal when there is one. Fails only when the journal cannot be read or opened.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let core = Core::open(&config)?;
        Ok(Self(Arc::new(Inner {
            core: Mutex::new(core),
            clock: config.clock,
            rng: Rng::from_os(),
            http: config.http,
            webhook_secret: config.webhook_secret,
            carrier_name: config.carrier_name,
            carrier_key: config.carrier_key,
            bell: Notify::new(),
            event_bell: Notify::new(),
            ended: CancellationToken::new(),
        })))
    }

    /// Everything that the sandbox answers: RingCentral's paths, the carrier's, the control API and the pages.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(ringcentral::routes())
            .merge(carrier::routes())
            .merge(pages::routes())
            .nest("/sandbox/v1", control::routes())
            .fallback(ringcentral::unknown)
            .with_state(self.clone())
    }

    /// The journal's entries after number `after` (0 = from the beginning), oldest first.
    pub fn journal(&self, after: u64) -> Vec<Entry> {
        self.locked(|core, _| core.journal.after(after, usize::MAX).to_vec())
    }

    /// Every chat that is not deleted, oldest first.
    pub fn chats(&self) -> Vec<ChatSummary> {
        self.locked(|core, _| core.summaries().collect())
    }

    /// The posts of a chat, oldest first; empty for a chat that does not exist.
    pub fn posts(&self, chat_id: &str) -> Vec<Post> {
        self.locked(|core, _| {
            let chat = chat_id.parse().ok().and_then(|id: Id| core.chats.get(&id));
            chat.map(|chat| chat.posts().cloned().collect()).unwrap_or_default()
        })
    }

    /// Arms a fault and returns its number.
    pub fn arm(&self, fault: Fault) -> Result<u64, SandboxError> {
        if fault.what == What::RefuseText && fault.text_contains.as_deref().unwrap_or_default().is_empty() {
            return Err(SandboxError::NothingToRefuse);
        }
        if !fault.what.fits(fault.on) {
            return Err(SandboxError::MisplacedFault);
        }
        Ok(self.locked(|core, _| core.faults.arm(fault)))
    }

    /// The faults that are still armed.
    pub fn faults(&self) -> Vec<ArmedFault> {
        self.locked(|core, _| core.faults.armed().to_vec())
    }

    /// Disarms every fault.
    pub fn disarm(&self) {
        self.locked(|core, _| core.faults.disarm());
    }

    /// Disarms one fault; false when it was not armed any more.
    pub fn disarm_one(&self, id: u64) -> bool {
        self.locked(|core, _| core.faults.disarm_one(id))
    }

    /// Sets both limits; what was counted and any penalty is forgotten.
    pub fn set_limits(&self, limits: Limits) {
        self.locked(|core, _| core.limits.set(limits));
    }

    /// Within what time requests are counted, which is also the usual penalty (a minute at the start).
    pub fn set_window(&self, window: Duration) {
        self.locked(|core, _| core.limits.set_window(window));
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.locked(|core, _| core.limits.now())
    }

    /// Registers a RingCentral app with its one user; the same `client_id` again replaces it. Kept in the journal.
    pub fn register_client(&self, client_id: &str, client_secret: &str, jwt: &str, owner_extension_id: &str) {
        let client = Client {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            jwt: jwt.into(),
            owner_extension_id: owner_extension_id.into(),
        };
        self.locked(|core, _| core.change(Change::ClientRegistered(client)));
    }

    /// Makes every access token stale at once; refresh tokens stay good.
    pub fn expire_tokens(&self) {
        self.locked(|core, now| core.desk.expire_all(now));
    }

    /// How long the access tokens live that are given out from now on.
    pub fn set_token_ttl(&self, ttl: Duration) {
        self.locked(|core, _| core.desk.ttl = ttl);
    }

    /// How long the refresh tokens live that are given out from now on.
    pub fn set_refresh_ttl(&self, ttl: Duration) {
        self.locked(|core, _| core.desk.refresh_ttl = ttl);
    }

    /// Every subscription that lives, blacklisted ones too, the oldest first.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.locked(|core, _| {
            let mut all: Vec<_> = core.subscriptions.iter().cloned().collect();
            all.sort_by_key(|one| one.created_at);
            all
        })
    }

    /// Blacklists a subscription at once, as after ten minutes of failing deliveries; what waited for it is lost.
    pub fn blacklist(&self, id: &str, reason: &str) -> Result<(), SandboxError> {
        self.locked(|core, now| {
            let one = core.subscriptions.get(id).cloned().ok_or_else(|| SandboxError::UnknownSubscription(id.to_owned()))?;
            core.blacklist(one, reason, now);
            Ok(())
        })
    }

    /// Ends a subscription at once, as at its expiry.
    pub fn expire_subscription(&self, id: &str) -> Result<(), SandboxError> {
        self.locked(|core, now| {
            let mut one = core.subscriptions.get(id).cloned().ok_or_else(|| SandboxError::UnknownSubscription(id.to_owned()))?;
            one.expires_at = now;
            core.change(Change::Subscribed(one));
            core.settle(now);
            Ok(())
        })
    }

    /// How long an address may fail before its subscription is blacklisted; 0 = at its first failure.
    pub fn set_patience(&self, patience: Duration) {
        self.locked(|core, _| core.subscriptions.patience = patience);
    }

    /// How many events may be under way to one address. One (as at the start) keeps them in order.
    pub fn set_events_at_once(&self, at_once: usize) {
        self.locked(|core, _| core.events.at_once = at_once.max(1));
        self.0.event_bell.notify_one();
    }

    /// How many events wait to be sent, or are under way.
    pub fn waiting_events(&self) -> usize {
        self.locked(|core, _| core.events.waiting())
    }

    /// Says who somebody is, or (`known: false`) that nobody has this id. Kept in the journal.
    pub fn know_person(&self, person: Person) {
        self.locked(|core, _| core.change(Change::PersonKnown(person)));
    }

    /// Sets where webhooks go; those that waited for an address are sent.
    pub fn set_webhook_base(&self, base: &str) {
        self.locked(|core, _| core.carrier.webhook_base = Some(base.trim_end_matches('/').to_owned()));
        self.0.bell.notify_one();
    }

    /// Sets the sandbox's own address, for links to pictures.
    pub fn set_own_base(&self, base: &str) {
        self.locked(|core, _| core.carrier.own_base = Some(base.trim_end_matches('/').to_owned()));
    }

    /// Whether the carrier tells what becomes of each SMS from now on.
    pub fn set_deliver_statuses(&self, deliver: bool) {
        self.locked(|core, _| core.carrier.deliver_statuses = deliver);
    }

    /// What a handset received and sent, oldest first; empty for a number that never texted.
    pub fn handset(&self, number: &str) -> Vec<CarrierMessage> {
        self.locked(|core, _| core.carrier.thread(number).cloned().collect())
    }

    /// At most `limit` handsets whose number contains `search`, the latest text first.
    pub fn handsets(&self, search: &str, limit: usize) -> Vec<HandsetSummary> {
        self.locked(|core, _| core.carrier.summaries(search, limit))
    }

    /// Runs `f` alone with the state, after everything whose time has come has taken place.
    fn locked<R>(&self, f: impl FnOnce(&mut Core, Timestamp) -> R) -> R {
        let mut core = self.0.core.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that the journal's times never run backwards.
        let now = self.0.clock.now();
        core.settle(now);
        let result = f(&mut core, now);
        let (waiting, happened) = (core.carrier.take_bell(), core.events.take_bell());
        drop(core);
        if waiting {
            self.0.bell.notify_one();
        }
        if happened {
            self.0.event_bell.notify_one();
        }
        result
    }

    /// A random UUID as text.
    fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.0.rng.bytes()).into_uuid().to_string()
    }
}
