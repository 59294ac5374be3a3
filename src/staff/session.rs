//! Sessions as rows. The row's key is a hash, so that who reads the table cannot sign in with it; saving updates an existing
//! row only, so that a request in flight cannot revive a session that was revoked meanwhile.

use crate::clock::Clock;
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::types::{Change, StaffId, Timestamp};
use async_trait::async_trait;
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
