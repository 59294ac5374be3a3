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

use crate::db::{Db, Result};
use crate::types::LineId;

/// How many conversations a line has; for a preview, so it may take its time.
///
/// # Errors
/// What the database says.
pub async fn conversations_of_line(db: &Db, line: LineId) -> Result<i64> {
    let (count,): (i64,) = db.one("select count(*) from conversation where line_id = $1", [line]).await?;
    Ok(count)
}
