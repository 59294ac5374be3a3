//! The webhook subscription of each connection: made with a handshake, renewed ahead of time, looked at on a schedule, made anew
//! when it is blacklisted or gone.
//!
//! The rule: never more than one alive. Before one is made, the list is read, and whatever leads to this address is taken over or
//! deleted, so that a lost answer leaves no second one.

use super::answer::{Outcome, Refusal};
use super::budget::{Call, Group, Leave, ask_leave};
use super::client::{Client, Request};
use super::{Connection, find};
use crate::db::{Db, Result};
use crate::types::{AccountId, Change, ConnectionId, Timestamp};
use crate::work::backoff;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What we want to hear of (developer guide, webhooks; API description, event filters).
const FILTERS: [&str; 4] = [
    "/team-messaging/v1/posts",
    "/restapi/v1.0/account/~/extension/~/message-store",
    "/restapi/v1.0/account/~/extension/~/telephony/sessions",
    "/restapi/v1.0/subscription/~?threshold=259200&interval=43200",
];
/// How long a subscription is asked to live.
const LIVES: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// It is renewed when less than this is left.
const RENEW: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// It is looked at so often, since nobody tells us that it was blacklisted.
const LOOK: Duration = Duration::from_secs(10 * 60);
const LEASE: Duration = Duration::from_secs(90);
const CALL: Duration = Duration::from_secs(15);

const COLUMN: &str = "subscription:verification_token";

#[derive(Debug, Clone, sqlx::FromRow)]
struct Claim {
    connection_id: ConnectionId,
    hook: String,
    verification_token: String,
    remote_id: Option<String>,
    fence: i64,
    attempts: i64,
}

/// A subscription as RingCentral shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remote {
    id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    expiration_time: Option<String>,
    #[serde(default)]
    delivery_mode: Option<DeliveryMode>,
    #[serde(default)]
    blacklisted_data: Option<Blacklisted>,
}

#[derive(Debug, Deserialize)]
struct DeliveryMode {
    #[serde(default)]
    address: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Blacklisted {
    #[serde(default)]
    reason: Option<String>,
}

impl Remote {
    fn is_active(&self) -> bool {
        self.status.as_deref().is_none_or(|status| status == "Active")
    }

    fn leads_to(&self, address: &str) -> bool {
        self.delivery_mode.as_ref().and_then(|mode| mode.address.as_deref()) == Some(address)
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.expiration_time.as_deref().and_then(Timestamp::from_rfc3339)
    }
}

/// Keeps the subscriptions of every connection.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    client: Client,
    /// Where the product is reached from outside, before the webhook's path.
    base: String,
}

impl Subscriptions {
    /// Subscriptions that lead to this address of ours.
    pub fn new(client: Client, base: &str) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned() }
    }

    /// Looks after subscriptions until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        // Whatever came while nobody listened is caught up with.
        if let Err(error) = self.look_now().await {
            tracing::error!(%error, "subscriptions could not be looked after");
        }
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(0) => {
                    tokio::select! { () = tokio::time::sleep(Duration::from_secs(2)) => {}, () = stop.cancelled() => {} }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "subscriptions could not be looked after");
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
            }
        }
    }

    async fn look_now(&self) -> Result<()> {
        let at = self.client.now.at();
        self.client.db.work(async |tx| tx.run("update subscription set due_at = $1 where due_at > $1", [at]).await).await?;
        Ok(())
    }

    /// Looks after those that are due, and says how many there were.
    ///
    /// # Errors
    /// What the database says.
    pub async fn step(&self) -> Result<usize> {
        let db = &self.client.db;
        self.begin_missing().await?;
        let now = self.client.now.at();
        let claims: Vec<Claim> = db
            .work(async |tx| {
                tx.all(
                    "update subscription set fence = fence + 1, lease_until = $2
                     where connection_id in (
                       select s.connection_id from subscription s
                       join connection c on c.id = s.connection_id and c.paused_at is null
                       where s.due_at <= $1 and (s.lease_until is null or s.lease_until <= $1)
                       order by s.due_at limit 4)
                       and (lease_until is null or lease_until <= $1)
                     returning connection_id, hook, verification_token, remote_id, fence, attempts",
                    (now, now.plus(LEASE)),
                )
                .await
            })
            .await?;
        for claim in &claims {
            let Some(connection) = find(db, Some(claim.connection_id), AccountId(Uuid::nil())).await? else { continue };
            let ended = self.look_after(&connection, claim).await;
            self.write_down(claim, ended).await?;
        }
        Ok(claims.len())
    }

    /// A row for each connection that has none yet.
    async fn begin_missing(&self) -> Result<()> {
        let (db, now) = (&self.client.db, &self.client.now);
        let missing: Vec<(ConnectionId,)> = db
            .all("select c.id from connection c where not exists (select 1 from subscription s where s.connection_id = c.id) limit 100", ())
            .await?;
        for (id,) in missing {
            let hook = URL_SAFE_NO_PAD.encode(now.rng.bytes::<24>());
            let token = URL_SAFE_NO_PAD.encode(now.rng.bytes::<24>());
            let sealed = self.client.keys.seal(&now.rng, COLUMN, id.0, &token);
            db.work(async |tx| {
                tx.run(
                    "insert into subscription (connection_id, hook, verification_token, due_at, fence, attempts, changed_at)
                     values ($1, $2, $3, $4, 0, 0, $4)
                     on conflict do nothing",
                    (id, hook.clone(), sealed.clone(), now.at()),
                )
                .await
            })
            .await?;
        }
        Ok(())
    }

    async fn look_after(&self, at: &Connection, claim: &Claim) -> Result<Remote, Outcome<()>> {
        if let Some(id) = &claim.remote_id {
            match self.read(at, id).await? {
                Some(remote) if remote.is_active() => {
                    let soon = self.client.now.at().plus(RENEW);
                    let remote = if remote.expires_at().is_some_and(|end| end < soon) { self.renew(at, id).await? } else { remote };
                    return Ok(remote);
                }
                Some(remote) => {
                    let reason = remote.blacklisted_data.and_then(|data| data.reason).unwrap_or_default();
                    tracing::warn!(connection = %at.id, reason, "the subscription is blacklisted; it is made anew");
                    self.delete(at, id).await?;
                }
                None => tracing::warn!(connection = %at.id, "the subscription is gone; it is made anew"),
            }
        }
        let address = self.address(&claim.hook);
        let mut kept = None;
        for remote in self.list(at).await?.into_iter().filter(|remote| remote.leads_to(&address)) {
            if kept.is_none() && remote.is_active() {
                kept = Some(remote);
            } else {
                self.delete(at, &remote.id).await?;
            }
        }
        match kept {
            Some(remote) => Ok(remote),
            None => self.create(at, claim, &address).await,
        }
    }

    fn address(&self, hook: &str) -> String {
        format!("{}/webhooks/ringcentral/{hook}", self.base)
    }

    async fn leave(&self, at: &Connection, group: Group) -> Result<(), Outcome<()>> {
        match ask_leave(&self.client.db, &self.client.now, at, Call::Other(group)).await {
            Ok(Leave::Granted { .. }) => Ok(()),
            Ok(Leave::Wait { until }) => Err(Outcome::Parked { until, reason: "the rate limit is reached".to_owned() }),
            Err(error) => Err(Outcome::Unreachable(error.to_string())),
        }
    }

    async fn read(&self, at: &Connection, id: &str) -> Result<Option<Remote>, Outcome<()>> {
        self.leave(at, Group::Light).await?;
        match self.client.call(at, Request::get(Group::Light, &format!("/restapi/v1.0/subscription/{id}")), CALL).await {
            Outcome::Accepted(remote) => Ok(Some(remote)),
            Outcome::Refused(Refusal::ChatGone) => Ok(None),
            other => Err(other.drop_value()),
        }
    }

    async fn list(&self, at: &Connection) -> Result<Vec<Remote>, Outcome<()>> {
        #[derive(Deserialize)]
        struct List {
            #[serde(default)]
            records: Vec<Remote>,
        }
        self.leave(at, Group::Light).await?;
        match self.client.call::<List>(at, Request::get(Group::Light, "/restapi/v1.0/subscription"), CALL).await {
            Outcome::Accepted(list) => Ok(list.records),
            other => Err(other.drop_value()),
        }
    }

    async fn create(&self, at: &Connection, claim: &Claim, address: &str) -> Result<Remote, Outcome<()>> {
        self.leave(at, Group::Medium).await?;
        let token = self.client.keys.open(COLUMN, at.id.0, &claim.verification_token);
        let token = token.map_err(|error| Outcome::Refused(Refusal::SignIn(error.to_string())))?;
        let body = serde_json::json!({
            "eventFilters": FILTERS,
            // At the top level: inside deliveryMode it is ignored.
            "expiresIn": LIVES.as_secs(),
            "deliveryMode": { "transportType": "WebHook", "address": address, "verificationToken": token },
        });
        match self.client.call(at, Request::post("/restapi/v1.0/subscription", &body), CALL).await {
            Outcome::Accepted(remote) => Ok(remote),
            other => Err(other.drop_value()),
        }
    }

    async fn renew(&self, at: &Connection, id: &str) -> Result<Remote, Outcome<()>> {
        self.leave(at, Group::Light).await?;
        let path = format!("/restapi/v1.0/subscription/{id}/renew");
        let request = Request { group: Group::Light, method: reqwest::Method::POST, path: &path, body: None };
        match self.client.call(at, request, CALL).await {
            Outcome::Accepted(remote) => Ok(remote),
            other => Err(other.drop_value()),
        }
    }

    async fn delete(&self, at: &Connection, id: &str) -> Result<(), Outcome<()>> {
        self.leave(at, Group::Medium).await?;
        self.client.delete(at, &format!("/restapi/v1.0/subscription/{id}"), CALL).await.done()
    }

    /// Writes down how a look ended, unless another worker has taken over.
    async fn write_down(&self, claim: &Claim, ended: Result<Remote, Outcome<()>>) -> Result<()> {
        let now = self.client.now.at();
        let (remote_id, expires_at, error, due, attempts) = match &ended {
            Ok(remote) => (Some(remote.id.clone()), remote.expires_at(), None, now.plus(LOOK), 0),
            Err(outcome) => {
                let pause = backoff(claim.attempts + 1, Duration::from_secs(300), &self.client.now.rng);
                let due = if let Outcome::Parked { until, .. } = outcome { *until } else { now.plus(pause) };
                (claim.remote_id.clone(), None, Some(outcome.words()), due, claim.attempts + 1)
            }
        };
        // Each look is followed by a look at the chats: nobody tells us which events were lost.
        let gap_at = ended.is_ok().then_some(now);
        if let Some(error) = &error {
            tracing::warn!(connection = %claim.connection_id, error, "the subscription could not be looked after");
        }
        self.client
            .db
            .work(async |tx| {
                tx.run(
                    "update subscription
                     set remote_id = $3, expires_at = coalesce($4, expires_at), last_error = $5, due_at = $6, attempts = $7,
                       gap_at = coalesce($8, gap_at), lease_until = null, changed_at = $9
                     where connection_id = $1 and fence = $2",
                    (claim.connection_id, claim.fence, remote_id.clone(), expires_at, error.clone(), due, attempts, gap_at, now),
                )
                .await?;
                tx.tell(Change::EventDue);
                Ok(())
            })
            .await
    }
}

/// Deletes a connection's subscription at RingCentral, whether it is paused or not; says in words how that ended.
pub(super) async fn end(client: &Client, connection: &Connection) -> Result<String> {
    let known: Option<(Option<String>,)> =
        client.db.opt("select remote_id from subscription where connection_id = $1", [connection.id]).await?;
    let Some(id) = known.and_then(|(id,)| id) else { return Ok("there was none".to_owned()) };
    let ended = client.delete(connection, &format!("/restapi/v1.0/subscription/{id}"), CALL).await;
    Ok(match ended {
        Outcome::Accepted(()) => "deleted".to_owned(),
        other => format!("not deleted, it ends by itself: {}", other.words()),
    })
}

/// The connection whose webhook this is, with the token that its events carry.
///
/// # Errors
/// What the database says.
pub async fn of_hook(db: &Db, keys: &crate::secret::Keyring, hook: &str) -> Result<Option<(ConnectionId, String)>> {
    let row: Option<(ConnectionId, String)> =
        db.opt("select connection_id, verification_token from subscription where hook = $1", [hook.to_owned()]).await?;
    Ok(row.and_then(|(id, sealed)| Some((id, keys.open(COLUMN, id.0, &sealed).ok()?))))
}
