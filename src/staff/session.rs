//! Sessions as rows. The row's key is a hash, so that who reads the table cannot sign in with it.
//!
//! The rule: a request in flight revives no session that was ended meanwhile. Saving updates an existing row only; and a new row of a
//! member is made only by a request that began after their sessions were ended the last time, as it says itself under [`BEGUN`].

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

/// The key in a session under which stands when the request began that begins it: see [`SessionRows`].
pub const BEGUN: &str = "begun";
/// The key in a session under which stands whose password was right, and when; a code is still needed.
pub const HALF: &str = "half";

/// The key in a session under which its handle of before stands, once it has got another token.
pub const WAS: &str = "was";

/// Ends every session of a member, in the caller's transaction; one whose code is still to come, too.
///
/// # Errors
/// What the database says.
pub async fn end_sessions(tx: &mut Tx, now: &Now, staff: StaffId) -> Result<u64> {
    none_from_before(tx, now, staff).await?;
    tx.run("delete from session where staff_id = $1", [staff]).await
}

/// No request that is under way begins a session any more.
async fn none_from_before(tx: &mut Tx, now: &Now, staff: StaffId) -> Result<()> {
    tx.tell(Change::Staff);
    tx.run("update staff_member set sessions_ended_at = $2 where id = $1", (staff, now.at())).await?;
    Ok(())
}

/// Ends a session that is about to get another token; says whether it was still there.
///
/// # Errors
/// What the database says.
pub async fn replace_session(db: &Db, id: &Id) -> Result<bool> {
    let key = key(id);
    Ok(db.work(async |tx| tx.run("delete from session where id_hash = $1", [key]).await).await? == 1)
}

/// Ends every session of a member but one, in the caller's transaction; says how many.
///
/// # Errors
/// What the database says.
pub(super) async fn end_other_sessions(tx: &mut Tx, now: &Now, staff: StaffId, keep: &[u8]) -> Result<u64> {
    none_from_before(tx, now, staff).await?;
    tx.run("delete from session where staff_id = $1 and id_hash <> $2", (staff, keep.to_vec())).await
}

/// Ends the session of a member that has this handle, in the caller's transaction; says how many that were. Where it is not there any
/// more, it may be getting another token at this moment: then it ends under that one, and no request that is under way begins one. What
/// else stands goes on.
///
/// # Errors
/// What the database says.
pub(super) async fn end_session(tx: &mut Tx, now: &Now, staff: StaffId, handle: &str) -> Result<u64> {
    let Some(hash) = hash_of(handle) else { return Ok(0) };
    tx.tell(Change::Staff);
    let ended = tx.run("delete from session where staff_id = $1 and id_hash = $2", (staff, hash)).await?;
    if ended > 0 {
        return Ok(ended);
    }
    none_from_before(tx, now, staff).await?;
    let others: Vec<(Vec<u8>, String)> = tx.all("select id_hash, data from session where staff_id = $1", [staff]).await?;
    let Some((own, _)) = others.into_iter().find(|(_, data)| Notes::read(data).was == handle) else { return Ok(0) };
    tx.run("delete from session where staff_id = $1 and id_hash = $2", (staff, own)).await
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
    staff: Option<StaffId>,
    since: Option<Timestamp>,
    seen: Option<Timestamp>,
    address: String,
    device: String,
    /// Its handle before it got another token: [`WAS`].
    was: String,
}

impl Notes {
    fn read(data: &str) -> Self {
        serde_json::from_str(data).unwrap_or_default()
    }
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
        .filter_map(|(hash, data, created_at)| {
            let notes = Notes::read(&data);
            // One whose code is still to come is none yet.
            notes.staff?;
            let since = notes.since.unwrap_or(created_at);
            Some(SessionRow {
                handle: handle_of(&hash),
                since,
                seen: notes.seen.unwrap_or(since),
                address: notes.address,
                device: notes.device,
            })
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

/// Who the session's data says is signed in, or has given their password.
fn staff_of(record: &Record) -> Option<StaffId> {
    let read = |value: &serde_json::Value| serde_json::from_value(value.clone()).ok();
    record.data.get("staff").or_else(|| record.data.get(HALF)?.get(0)).and_then(read)
}

fn begun(record: &Record) -> Timestamp {
    record.data.get(BEGUN).and_then(|at| serde_json::from_value(at.clone()).ok()).unwrap_or(Timestamp(0))
}

fn expiry(record: &Record) -> Timestamp {
    Timestamp(record.expiry_date.unix_timestamp().saturating_mul(1_000_000))
}

#[async_trait]
impl SessionStore for SessionRows {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        loop {
            let data = serde_json::to_string(&record.data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
            let (staff, begun) = (staff_of(record), begun(record));
            let row = (key(&record.id), staff, data, self.clock.now(), expiry(record));
            let made = self
                .db
                .work(async |tx| {
                    // The member's row is locked: who ends their sessions at this moment comes before or after.
                    if let Some(staff) = staff {
                        let may = tx.run(
                            "update staff_member set version = version where id = $1 and disabled_at is null and sessions_ended_at <= $2",
                            (staff, begun),
                        );
                        if may.await? == 0 {
                            return Ok(0);
                        }
                    }
                    tx.run("insert into session (id_hash, staff_id, data, created_at, expires_at) values ($1, $2, $3, $4, $5)", row).await
                })
                .await;
            match made {
                // None was made: the browser's next request finds that it is signed out.
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
