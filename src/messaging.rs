//! Messaging: inbound and outbound messages, conversations, blasts, consent, and the carrier that carries them.
//!
//! The rule of this room: a message is recorded before it is answered or sent, once, and consent comes before everything else.
//! Incoming messages and delivery statuses are written set-wise; the line's integration type decides where a message flows.

pub mod blast;
pub mod carrier;
pub mod consent;
pub(crate) mod erasure;
mod findings;
pub mod idempotency;
pub mod inbound;
mod of_contact;
pub mod outbound;
pub mod reply;
pub(crate) mod retention;
pub mod timeline;
pub(crate) mod transfer;
pub mod unknown;
pub(crate) mod v1;

pub(crate) use findings::look_blast_only;
pub use of_contact::lines_of_contact;

use crate::clock::first_id_at;
use crate::db::{Db, Result, Tx};
use crate::types::{LineId, MessageId, Timestamp};

/// How many conversations a line has; for a preview, so it may take its time.
///
/// # Errors
/// What the database says.
pub async fn conversations_of_line(db: &Db, line: LineId) -> Result<i64> {
    let (count,): (i64,) = db.one("select count(*) from conversation where line_id = $1", [line]).await?;
    Ok(count)
}

/// Whether a message of the line came in or was to be sent since then; told by the time in its id.
///
/// # Errors
/// What the database says.
pub(crate) async fn came_or_went_since(tx: &mut Tx, line: LineId, since: Timestamp) -> Result<bool> {
    let found: Option<(MessageId,)> =
        tx.opt("select id from message where line_id = $1 and id >= $2 order by id limit 1", (line, first_id_at(since))).await?;
    Ok(found.is_some())
}
