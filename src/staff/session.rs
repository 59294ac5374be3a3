//! Sessions as rows. The row's key is a hash, so that who reads the table cannot sign in with it; saving updates an existing
//! row only, so that a request in flight cannot revive a session that was revoked meanwhile.

use crate::clock::{Clock, Now};
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::types::{Change, SessionRow, StaffId, Timestamp};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store;

/// SHA-256 of a secret that is random already (a session's id, an invitation's token, an API token).
pub fn hash_token(token: &[u8]) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

fn key(id: &Id) -> Vec<u8> {
    hash_token(&id.0.to_be_bytes())
}

/// Ends every session of a member, in the caller's transaction.
///
/// # Errors
/// What the database says.
pub async fn end_sessions(tx: &mut Tx, staff: StaffId) -> Result<u64> {
    tx.tell(Change::Staff);
    tx.run("delete from session where staff_id = $1", [staff]).await
}

/// Ends every session of a member but one, in the caller's transaction; says how many.
///
/// # Errors
/// What the database says.
pub(super) async fn end_other_sessions(tx: &mut Tx, staff: StaffId, keep: &[u8]) -> Result<u64> {
    tx.tell(Change::Staff);
    tx.run("delete from session where staff_id = $1 and id_hash <> $2", (staff, keep.to_vec())).await
}

/// Ends the session of a member that has this handle, in the caller's transaction; says how many that were.
///
/// # Errors
/// What the database says.
pub(super) async fn end_session(tx: &mut Tx, staff: StaffId, handle: &str) -> Result<u64> {
    let Some(hash) = hash_of(handle) else { return Ok(0) };
    tx.tell(Change::Staff);
    tx.run("delete from session where staff_id = $1 and id_hash = $2", (staff, hash)).await
}

/// The key of a session's row: what [`end_other_sessions`] keeps.
pub fn session_key(id: &Id) -> Vec<u8> {
    key(id)
}

/// Names a session to people; nobody can sign in with it.
pub fn session_handle(id: &Id) -> String {
    handle_of(&key(id))
}

fn handle_of(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

fn hash_of(handle: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(handle).ok()
}

/// What is written into a session at its beginning, and now and then while it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Notes {
    since: Option<Timestamp>,
    seen: Option<Timestamp>,
    address: String,
    device: String,
}

/// Where a member is signed in, the latest first.
///
/// # Errors
/// What the database says.
pub(super) async fn sessions_of(db: &Db, now: &Now, staff: StaffId) -> Result<Vec<SessionRow>> {
    let rows: Vec<(Vec<u8>, String, Timestamp)> = db
        .all(
            "select id_hash, data, created_at from session where staff_id = $1 and expires_at > $2 order by created_at desc limit 100",
            (staff, now.at()),
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|(hash, data, created_at)| {
            let notes: Notes = serde_json::from_str(&data).unwrap_or_default();
            let since = notes.since.unwrap_or(created_at);
            SessionRow { handle: handle_of(&hash), since, seen: notes.seen.unwrap_or(since), address: notes.address, device: notes.device }
        })
        .collect())
}

/// The session table behind tower-sessions.
#[derive(Debug, Clone)]
pub struct SessionRows {
    db: Db,
    clock: Clock,
}

impl SessionRows {
    /// A store on this database.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Deletes sessions that have run out; says how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prune(&self) -> Result<u64> {
        let now = self.clock.now();
        self.db.work(async |tx| tx.run("delete from session where expires_at <= $1", [now]).await).await
    }
}

fn failed(error: impl std::fmt::Display) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

/// Who the session's data says is signed in.
fn staff_of(record: &Record) -> Option<StaffId> {
    record.data.get("staff").and_then(|v| serde_json::from_value(v.clone()).ok())
}

fn expiry(record: &Record) -> Timestamp {
    Timestamp(record.expiry_date.unix_timestamp().saturating_mul(1_000_000))
}

#[async_trait]
impl SessionStore for SessionRows {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        loop {
            let data = serde_json::to_string(&record.data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
            let row = (key(&record.id), staff_of(record), data, self.clock.now(), expiry(record));
            let made = self
                .db
                .work(async |tx| {
                    tx.run("insert into session (id_hash, staff_id, data, created_at, expires_at) values ($1, $2, $3, $4, $5)", row).await
                })
                .await;
            match made {
                Ok(_) => return Ok(()),
                Err(error) if is_duplicate(&error) => record.id = Id::default(),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let data = serde_json::to_string(&record.data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
        let row = (key(&record.id), staff_of(record), data, expiry(record));
        self.db
            .work(async |tx| tx.run("update session set staff_id = $2, data = $3, expires_at = $4 where id_hash = $1", row).await)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let row: Option<(String, Timestamp)> = self
            .db
            .opt("select data, expires_at from session where id_hash = $1 and expires_at > $2", (key(id), self.clock.now()))
            .await
            .map_err(failed)?;
        let Some((data, expires)) = row else { return Ok(None) };
        Ok(Some(Record {
            id: *id,
            data: serde_json::from_str(&data).map_err(|e| session_store::Error::Decode(e.to_string()))?,
            expiry_date: OffsetDateTime::from_unix_timestamp(expires.0.div_euclid(1_000_000)).map_err(failed)?,
        }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let key = key(id);
        self.db
            .work(async |tx| {
                // Open event streams look again at once and end with the session.
                tx.tell(Change::Staff);
                tx.run("delete from session where id_hash = $1", [key]).await
            })
            .await
            .map_err(failed)?;
        Ok(())
    }
}
