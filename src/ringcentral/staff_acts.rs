//! What staff see of connections, and do about them: pause, resume, test, give new secrets. Each act is audited; secrets are
//! written, never shown.

use super::answer::Outcome;
use super::budget::{Call, Group, Leave, ask_leave};
use super::client::{Client, Request};
use super::connection::{CLIENT_SECRET, JWT, find};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::secret::Keyring;
use crate::staff::{Entry, Permit, may, record};
use crate::types::{AccountId, Change, ConnectionId, ConnectionRow, ConnectionState, Cursor, Page, Problem, Timestamp};
use std::time::Duration;

const CALL: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(sqlx::FromRow)]
struct Row {
    id: ConnectionId,
    account_id: AccountId,
    account: String,
    base_url: String,
    client_id: String,
    posts_per_minute: Option<i64>,
    posts_per_day: Option<i64>,
    posts_this_minute: i64,
    posts_today: i64,
    paused_at: Option<Timestamp>,
    token_until: Option<Timestamp>,
    refused_until: Option<Timestamp>,
    refused_reason: Option<String>,
    parked_until: Option<Timestamp>,
    parked_reason: Option<String>,
    subscribed_until: Option<Timestamp>,
    subscription_error: Option<String>,
    heard_at: Option<Timestamp>,
    version: i64,
}

impl Row {
    fn shown(self, at: Timestamp) -> ConnectionRow {
        let refused = self.refused_until.is_some();
        let state = match (self.paused_at, self.parked_until.filter(|until| *until > at)) {
            (Some(since), _) => ConnectionState::Paused { since },
            _ if refused => ConnectionState::Refused { why: self.refused_reason.unwrap_or_default() },
            (_, Some(until)) => ConnectionState::Waiting { until, why: self.parked_reason.unwrap_or_default() },
            _ if self.token_until.is_some_and(|until| until > at) => ConnectionState::SignedIn,
            _ => ConnectionState::Idle,
        };
        ConnectionRow {
            id: self.id,
            account_id: self.account_id,
            account: self.account,
            base_url: self.base_url,
            client_id: self.client_id,
            state,
            posts_this_minute: self.posts_this_minute,
            posts_per_minute: self.posts_per_minute,
            posts_today: self.posts_today,
            posts_per_day: self.posts_per_day,
            subscribed_until: self.subscribed_until.filter(|until| *until > at),
            subscription_error: self.subscription_error,
            heard_at: self.heard_at,
            version: self.version,
        }
    }
}

/// Connections by their account's name.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SeeDirectory>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ConnectionRow>> {
    let scope = permit.scope();
    let at = now.at();
    let (name, id) = after.and_then(Cursor::key::<(String, ConnectionId)>).unwrap_or((String::new(), ConnectionId(uuid::Uuid::nil())));
    let rows: Vec<Row> = db
        .all(
            "select c.id, c.account_id, a.name as account, c.base_url, c.client_id, c.posts_per_minute, c.posts_per_day,
               (select count(*) from connection_call k where k.connection_id = c.id and k.name = 'medium' and k.at > $3) as posts_this_minute,
               case when c.day_started_at > $4 then c.day_calls else 0 end as posts_today,
               c.paused_at, t.expires_at as token_until, t.refused_until, t.refused_reason,
               g.parked_until, g.parked_reason,
               case when s.remote_id is not null then s.expires_at end as subscribed_until, s.last_error as subscription_error, s.heard_at,
               c.version
             from connection c
             join account a on a.id = c.account_id
             left join connection_token t on t.connection_id = c.id
             left join subscription s on s.connection_id = c.id
             left join connection_group g on g.connection_id = c.id and g.name = (
               select p.name from connection_group p
               where p.connection_id = c.id and p.parked_until is not null
               order by p.parked_until desc limit 1)
             where (a.name > $1 or (a.name = $1 and c.id > $2))
               and ($5 or c.account_id in (select account_id from staff_scope where staff_id = $6 and permission = $7))
             order by a.name, c.id
             limit $8",
            (
                name,
                id,
                at.minus(MINUTE),
                at.minus(Duration::from_secs(24 * 60 * 60)),
                scope.everywhere,
                scope.staff,
                scope.permission,
                i64::try_from(limit + 1).unwrap_or(i64::MAX),
            ),
        )
        .await?;
    let page = Page::of(rows, limit, |row| (row.account.clone(), row.id));
    Ok(page.map(|row| row.shown(at)))
}

/// Takes the row's lock, if the permit holds there and nobody was first.
async fn changes(tx: &mut Tx, permit: &Permit<may::ManageDirectory>, id: ConnectionId, version: i64) -> Result<AccountId, Problem> {
    let scope = permit.scope();
    // A write first: it takes the lock, so that two who saw the same version cannot both pass.
    let found: Option<(AccountId, i64)> = tx
        .opt(
            "update connection set version = version
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
             returning account_id, version",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let (account, current) =
        found.ok_or_else(|| Problem::not_found("There is no such connection, or it belongs to an account that you do not look after."))?;
    if current != version {
        return Err(Problem::conflict("Somebody else has just changed this connection. Look again, then decide."));
    }
    tx.run("update connection set version = version + 1 where id = $1", [id]).await?;
    Ok(account)
}

fn entry(action: &'static str, account: AccountId, id: ConnectionId) -> Entry<'static> {
    Entry { action, account_id: Some(account), subject_id: Some(id.0), ..Entry::default() }
}

/// Pauses a connection: nothing is called, what is to be posted waits.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when somebody else was first.
pub async fn pause(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, id: ConnectionId, version: i64) -> Result<(), Problem> {
    db.work(async |tx| {
        let account = changes(tx, permit, id, version).await?;
        tx.run("update connection set paused_at = coalesce(paused_at, $2) where id = $1", (id, now.at())).await?;
        Ok(record(tx, now, permit.actor(), entry("connection.pause", account, id)).await?)
    })
    .await
}

/// Lets a paused connection go on.
///
/// # Errors
/// As [`pause`].
pub async fn resume(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, id: ConnectionId, version: i64) -> Result<(), Problem> {
    db.work(async |tx| {
        let account = changes(tx, permit, id, version).await?;
        tx.run("update connection set paused_at = null where id = $1", [id]).await?;
        tx.run("update subscription set due_at = $2 where connection_id = $1", (id, now.at())).await?;
        tx.tell(Change::LaneDue);
        Ok(record(tx, now, permit.actor(), entry("connection.resume", account, id)).await?)
    })
    .await
}

/// Gives a connection a new application and credential; the token of the old ones is dropped.
///
/// # Errors
/// `Invalid` for an empty field; otherwise as [`pause`].
pub async fn renew_secrets(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::ManageDirectory>,
    id: ConnectionId,
    version: i64,
    new: [&str; 3],
) -> Result<(), Problem> {
    for (field, value) in ["client_id", "client_secret", "jwt"].into_iter().zip(new) {
        if value.trim().is_empty() {
            return Err(Problem::invalid(field, "Fill this in; a secret that is stored already is not shown again."));
        }
    }
    let [client_id, client_secret, jwt] = new.map(|value| value.trim().to_owned());
    db.work(async |tx| {
        let account = changes(tx, permit, id, version).await?;
        let (secret, jwt) = (keys.seal(&now.rng, CLIENT_SECRET, id.0, &client_secret), keys.seal(&now.rng, JWT, id.0, &jwt));
        tx.run("update connection set client_id = $2, client_secret = $3, jwt = $4 where id = $1", (id, client_id.clone(), secret, jwt))
            .await?;
        tx.run("delete from connection_token where connection_id = $1", [id]).await?;
        tx.run("update subscription set due_at = $2 where connection_id = $1", (id, now.at())).await?;
        tx.tell(Change::LaneDue);
        let entry = entry("connection.secrets", account, id).change((), serde_json::json!({ "client_id": client_id }));
        Ok(record(tx, now, permit.actor(), entry).await?)
    })
    .await
}

/// Signs in and reads who the connection is at RingCentral: its name, in words. Changes nothing there.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Unavailable` with what went wrong.
pub async fn test(client: &Client, permit: &Permit<may::ManageDirectory>, id: ConnectionId) -> Result<String, Problem> {
    #[derive(serde::Deserialize)]
    struct Extension {
        #[serde(default)]
        name: Option<String>,
    }
    let scope = permit.scope();
    let may: Option<(ConnectionId,)> = client
        .db
        .opt(
            "select id from connection
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let found = match may {
        Some(_) => find(&client.db, Some(id), AccountId(uuid::Uuid::nil())).await?,
        None => None,
    };
    let connection = found.ok_or_else(|| Problem::not_found("There is no such connection."))?;
    if let Leave::Wait { .. } = ask_leave(&client.db, &client.now, &connection, Call::Other(Group::Light)).await? {
        return Err(Problem::unavailable("The connection is paused or its limit is reached; it cannot be tested now."));
    }
    let request = Request::get(Group::Light, "/restapi/v1.0/account/~/extension/~");
    match client.call::<Extension>(&connection, request, CALL).await {
        Outcome::Accepted(extension) => Ok(extension.name.unwrap_or_else(|| "an extension without a name".to_owned())),
        other => Err(Problem::unavailable(format!("RingCentral: {}", other.words()))),
    }
}
