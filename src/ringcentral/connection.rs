//! A connection: how an account signs in to RingCentral. One per account.

use crate::clock::Now;
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::directory::accounts;
use crate::secret::Keyring;
use crate::staff::{Entry, Permit, Proof, may, record};
use crate::types::{AccountId, Change, ConnectionId, Problem, Timestamp};
use std::collections::HashSet;

/// Where the secrets stand; a sealed one opens nowhere else.
pub(super) const CLIENT_SECRET: &str = "connection:client_secret";
pub(super) const JWT: &str = "connection:jwt";

/// A connection as a worker needs it.
#[derive(Clone, sqlx::FromRow)]
pub struct Connection {
    /// The connection.
    pub id: ConnectionId,
    /// Whose it is.
    pub account_id: AccountId,
    /// `https://platform.ringcentral.com`, or a sandbox.
    pub base_url: String,
    /// The application's id.
    pub client_id: String,
    /// The application's secret, sealed.
    pub(super) client_secret: String,
    /// The JWT credential that is exchanged for a token, sealed.
    pub(super) jwt: String,
    /// Posts in any 60 seconds; `None` for no limit.
    pub posts_per_minute: Option<i64>,
    /// Posts a day; `None` for no limit.
    pub posts_per_day: Option<i64>,
    /// Staff paused it: nobody calls.
    pub paused_at: Option<Timestamp>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// What a connection is made of.
#[derive(Clone)]
pub struct NewConnection {
    /// `https://platform.ringcentral.com`, or a sandbox.
    pub base_url: String,
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: String,
    /// The JWT credential.
    pub jwt: String,
    /// Posts in any 60 seconds; RingCentral allows 40 (developer guide, rate limits, group Medium). `None` for no limit.
    pub posts_per_minute: Option<i64>,
    /// Posts a day; RingCentral allows 2,500 (developer guide, posting). `None` for no limit.
    pub posts_per_day: Option<i64>,
}

impl std::fmt::Debug for NewConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewConnection").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl NewConnection {
    fn check(&self) -> Result<(), Problem> {
        // Secrets travel there: without TLS to this machine only, where a sandbox may run.
        let is_here = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
            .iter()
            .any(|here| self.base_url.strip_prefix(here).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
        if !is_here && !self.base_url.starts_with("https://") {
            return Err(Problem::invalid(
                "base_url",
                "Write an address that begins with https://, such as https://platform.ringcentral.com.",
            ));
        }
        for (field, value) in [("client_id", &self.client_id), ("client_secret", &self.client_secret), ("jwt", &self.jwt)] {
            if value.trim().is_empty() {
                return Err(Problem::invalid(field, "Fill this in; you find it in RingCentral's developer console."));
            }
        }
        check_limits(self.posts_per_minute, self.posts_per_day)
    }
}

/// Refuses limits that let nothing through.
pub(super) fn check_limits(posts_per_minute: Option<i64>, posts_per_day: Option<i64>) -> Result<(), Problem> {
    for (field, value) in [("posts_per_minute", posts_per_minute), ("posts_per_day", posts_per_day)] {
        if value.is_some_and(|most| most < 1) {
            return Err(Problem::invalid(field, "Write a number of at least 1."));
        }
    }
    Ok(())
}

/// Connects an account. Its secrets are sealed before they are written.
///
/// # Errors
/// `Invalid` for a bad field, `Conflict` when it is connected already, `NotFound` outside the permit's scope.
pub async fn connect(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::ManageDirectory>,
    _proof: Proof,
    account: AccountId,
    new: NewConnection,
) -> Result<ConnectionId, Problem> {
    new.check()?;
    let scope = permit.scope();
    let id = ConnectionId(now.id());
    db.work(async |tx| {
        let entry = Entry { action: "account.connect", account_id: Some(account), subject_id: Some(id.0), ..Entry::default() };
        let entry = entry.change((), serde_json::json!({ "base_url": new.base_url }));
        let added = tx
            .run(
                "insert into connection (id, account_id, base_url, client_id, client_secret, jwt, posts_per_minute, posts_per_day,
                   day_started_at, day_calls, created_at, version)
                 select $1, a.id, $3, $4, $5, $6, $7, $8, $9, 0, $9, 1
                 from account a
                 where a.id = $2
                   and ($10 or a.id in (select account_id from staff_scope where staff_id = $11 and permission = $12))",
                (
                    id,
                    account,
                    new.base_url.trim_end_matches('/').to_owned(),
                    new.client_id,
                    keys.seal(&now.rng, CLIENT_SECRET, id.0, &new.client_secret),
                    keys.seal(&now.rng, JWT, id.0, &new.jwt),
                    new.posts_per_minute,
                    new.posts_per_day,
                    now.at(),
                    scope.everywhere,
                    scope.staff,
                    scope.permission,
                ),
            )
            .await;
        match added {
            Err(error) if is_duplicate(&error) => return Err(Problem::conflict("This account is connected already.")),
            Ok(0) => return Err(Problem::not_found("There is no such account, or you do not look after it.")),
            other => other?,
        };
        // An error takes the row away again.
        accounts::hold_open(tx, account).await?;
        // What waited for a connection goes on.
        tx.tell(Change::LaneDue);
        record(tx, now, permit.actor(), entry).await?;
        Ok(id)
    })
    .await
}

/// Which of these accounts have a connection.
///
/// # Errors
/// What the database says.
pub async fn connected(db: &Db, accounts: impl IntoIterator<Item = AccountId>) -> Result<HashSet<AccountId>> {
    let mut found = HashSet::new();
    for account in accounts {
        let row: Option<(AccountId,)> = db.opt("select account_id from connection where account_id = $1", [account]).await?;
        found.extend(row.map(|(id,)| id));
    }
    Ok(found)
}

/// Whether the account has a connection, within the caller's transaction.
///
/// # Errors
/// What the database says.
pub async fn is_connected(tx: &mut Tx, account: AccountId) -> Result<bool> {
    let row: Option<(AccountId,)> = tx.opt("select account_id from connection where account_id = $1", [account]).await?;
    Ok(row.is_some())
}

/// The connection with this id, or the account's.
///
/// # Errors
/// What the database says.
pub async fn find(db: &Db, id: Option<ConnectionId>, account: AccountId) -> Result<Option<Connection>> {
    db.opt(
        "select id, account_id, base_url, client_id, client_secret, jwt, posts_per_minute, posts_per_day, paused_at
         from connection
         where (id = $1) or ($1 is null and account_id = $2)",
        (id, account),
    )
    .await
}
