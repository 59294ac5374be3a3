//! What staff do about connections: pause, resume, test, change the limits, give new secrets, remove. Each act is audited; secrets are
//! written, never shown.

use super::answer::Outcome;
use super::budget::{Call, Group, Leave, ask_leave};
use super::client::{Client, Request};
use super::connection::{CLIENT_SECRET, Connection, JWT, check_limits, find};
use super::subscription;
use super::view::{KEEPS, no_such_connection, stays_because};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::directory::accounts;
use crate::secret::Keyring;
use crate::staff::{Entry, Permit, Proof, may, record};
use crate::types::{AccountId, Change, ConnectionId, Problem, Timestamp, UserId};
use crate::undo::{self, Step};
use std::time::Duration;

const CALL: Duration = Duration::from_secs(10);
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
    let (account, current) = found.ok_or_else(no_such_connection)?;
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
/// As [`pause`]; `Conflict` while its account is closed.
pub async fn resume(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, id: ConnectionId, version: i64) -> Result<(), Problem> {
    let scope = permit.scope();
    db.work(async |tx| {
        let owner: Option<(AccountId,)> = tx
            .opt(
                "select account_id from connection
                 where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
                (id, scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        // Before the connection's row is locked: who closes an account locks them in this order.
        if let Some((owner,)) = owner {
            accounts::hold_open(tx, owner).await?;
        }
        let account = changes(tx, permit, id, version).await?;
        tx.run("update connection set paused_at = null where id = $1", [id]).await?;
        tx.run("update subscription set due_at = $2 where connection_id = $1", (id, now.at())).await?;
        tx.tell(Change::LaneDue);
        Ok(record(tx, now, permit.actor(), entry("connection.resume", account, id)).await?)
    })
    .await
}

/// An account is closed: its connection pauses, unless it is paused already. Says whether it did.
///
/// # Errors
/// What the database says.
pub(crate) async fn account_closed(tx: &mut Tx, account: AccountId, at: Timestamp) -> Result<bool> {
    let paused = tx
        .run("update connection set paused_at = $2, version = version + 1 where account_id = $1 and paused_at is null", (account, at))
        .await?;
    Ok(paused > 0)
}

/// An account is open again: its connection goes on if it paused when the account was closed. Says whether it did.
///
/// # Errors
/// What the database says.
pub(crate) async fn account_reopened(tx: &mut Tx, account: AccountId, closed_at: Timestamp, at: Timestamp) -> Result<bool> {
    let resumed: Option<(ConnectionId,)> = tx
        .opt(
            "update connection set paused_at = null, version = version + 1 where account_id = $1 and paused_at = $2 returning id",
            (account, closed_at),
        )
        .await?;
    if let Some((id,)) = resumed {
        tx.run("update subscription set due_at = $2 where connection_id = $1", (id, at)).await?;
        tx.tell(Change::LaneDue);
    }
    Ok(resumed.is_some())
}

/// Changes how many posts a connection may make in any 60 seconds and in a day; `None` for no limit. Every worker goes by them from its
/// next look at a lane, and what waits for the limits of before is due at once. The address stays: another one is another connection.
///
/// # Errors
/// `Invalid` for a limit that lets nothing through; otherwise as [`pause`].
pub async fn edit_limits(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    seen: (ConnectionId, i64),
    limits: (Option<i64>, Option<i64>),
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = limits_one(tx, now, permit, seen, limits).await?;
        Ok(undo::leave(tx, now, permit, "The limits were changed.", vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`edit_limits`].
pub(crate) async fn limits_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    (id, version): (ConnectionId, i64),
    (posts_per_minute, posts_per_day): (Option<i64>, Option<i64>),
) -> Result<Step, Problem> {
    check_limits(posts_per_minute, posts_per_day)?;
    let said = |posts_per_minute: Option<i64>, posts_per_day: Option<i64>| serde_json::json!({ "posts_per_minute": posts_per_minute, "posts_per_day": posts_per_day });
    let account = changes(tx, permit, id, version).await?;
    let was: (Option<i64>, Option<i64>) = tx.one("select posts_per_minute, posts_per_day from connection where id = $1", [id]).await?;
    tx.run("update connection set posts_per_minute = $2, posts_per_day = $3 where id = $1", (id, posts_per_minute, posts_per_day)).await?;
    crate::sync::limits_changed(tx, now.at(), account).await?;
    let entry = entry("connection.limits", account, id).change(said(was.0, was.1), said(posts_per_minute, posts_per_day));
    record(tx, now, permit.actor(), entry).await?;
    Ok(Step::EditLimits { id, version: version + 1, posts_per_minute: was.0, posts_per_day: was.1 })
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
    _proof: Proof,
    (id, version): (ConnectionId, i64),
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

async fn within_scope(db: &Db, permit: &Permit<may::ManageDirectory>, id: ConnectionId) -> Result<Connection, Problem> {
    let scope = permit.scope();
    let may: Option<(ConnectionId,)> = db
        .opt(
            "select id from connection
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let found = match may {
        Some(_) => find(db, Some(id), AccountId(uuid::Uuid::nil())).await?,
        None => None,
    };
    found.ok_or_else(no_such_connection)
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
    let connection = within_scope(&client.db, permit, id).await?;
    if let Leave::Wait { .. } = ask_leave(&client.db, &client.now, &connection, Call::Other(Group::Light)).await? {
        return Err(Problem::unavailable("The connection is paused or its limit is reached; it cannot be tested now."));
    }
    let request = Request::get(Group::Light, "/restapi/v1.0/account/~/extension/~");
    match client.call::<Extension>(&connection, request, CALL).await {
        Outcome::Accepted(extension) => Ok(extension.name.unwrap_or_else(|| "an extension without a name".to_owned())),
        other => Err(Problem::unavailable(format!("RingCentral: {}", other.words()))),
    }
}

/// Tries the people again whom RingCentral did not know by their e-mail address: the chats of their lines are looked at anew.
///
/// # Errors
/// As [`pause`].
pub async fn try_people_again(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: ConnectionId,
    version: i64,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let account = changes(tx, permit, id, version).await?;
        let people: Vec<(UserId,)> = tx.all("delete from unknown_person where connection_id = $1 returning user_id", [id]).await?;
        let people: Vec<UserId> = people.into_iter().map(|(user,)| user).collect();
        crate::sync::people_changed(tx, now.at(), &people).await?;
        tx.tell(Change::EventDue);
        Ok(record(tx, now, permit.actor(), entry("connection.try_people", account, id)).await?)
    })
    .await
}

/// Removes a connection: its subscription at RingCentral first, then what is stored of it, the secrets above all. The history stays.
/// A subscription that cannot be deleted, since the credential is revoked, say, hinders nothing: it ends by itself.
///
/// # Errors
/// `Conflict` while lines are set to RingCentral or messages are on their way, with what to do; otherwise as [`pause`].
pub async fn remove(
    client: &Client,
    permit: &Permit<may::ManageDirectory>,
    _proof: Proof,
    id: ConnectionId,
    version: i64,
) -> Result<(), Problem> {
    let (db, now) = (&client.db, &client.now);
    let connection = within_scope(db, permit, id).await?;
    // Paused first, under the version that was seen: nobody calls or subscribes anew while it is being removed.
    pause(db, now, permit, id, version).await?;
    let subscription = subscription::end(client, &connection).await?;
    db.work(async |tx| {
        let account = changes(tx, permit, id, version + 1).await?;
        if let Some(why) = stays_because(tx.one(KEEPS, (account, id)).await?) {
            return Err(Problem::conflict(why));
        }
        tx.run("delete from connection_token where connection_id = $1", [id]).await?;
        tx.run("delete from connection_group where connection_id = $1", [id]).await?;
        tx.run("delete from connection_call where connection_id = $1", [id]).await?;
        tx.run("delete from ringcentral_event where connection_id = $1", [id]).await?;
        tx.run("delete from subscription where connection_id = $1", [id]).await?;
        tx.run("delete from unknown_person where connection_id = $1", [id]).await?;
        tx.run("delete from ringcentral_person where connection_id = $1", [id]).await?;
        tx.run("delete from connection where id = $1", [id]).await?;
        let before = serde_json::json!({ "base_url": connection.base_url, "client_id": connection.client_id });
        let entry = entry("connection.remove", account, id).change(before, serde_json::json!({ "subscription": subscription }));
        Ok(record(tx, now, permit.actor(), entry).await?)
    })
    .await
}
