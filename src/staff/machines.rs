//! Who knocks and is known to nobody: a token that is no account's or not the figures', a webhook that is not signed as it should be or
//! that there is none of, a link that is not good.
//!
//! The rule: whoever guesses stands in the audit, once in ten minutes for each address; who guesses API tokens is slowed down, too. Nothing
//! of what they sent is written down, and nobody else at the same address is kept out: what is good was taken before anybody asks here.

use super::notebook::refused_stranger;
use super::throttle::{LONGEST, Subject, is_used_up, network, take};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::types::Problem;
use std::time::Duration;

/// Wrong tokens from one address within the window: an office may stand behind it.
const TOKENS_PER_ADDRESS: i64 = 50;

/// Who has no try left waits no longer than this.
pub const LONGEST_WAIT: Duration = LONGEST;

fn too_many() -> Problem {
    Problem::too_many("Too many wrong tokens came from this address. Wait a quarter of an hour. A good token is taken at once.")
}

/// Somebody sent a token that is no account's.
///
/// # Errors
/// `TooMany` when their address has sent too many.
pub async fn refused_api_token(db: &Db, now: &Now, address: &str) -> Result<(), Problem> {
    refused_stranger(db, now, "access.api_token", address).await?;
    let mut subjects = [Subject::new(&format!("api token {}", network(address)), TOKENS_PER_ADDRESS)];
    if is_used_up(db, now, &subjects[0]).await? {
        return Err(too_many());
    }
    db.work(async |tx| {
        if take(tx, now, &mut subjects).await? {
            return Ok(());
        }
        Err(too_many())
    })
    .await
}

/// Somebody sent a webhook that the carrier, or RingCentral, did not sign.
///
/// # Errors
/// What the database says.
pub async fn refused_webhook(db: &Db, now: &Now, address: &str) -> Result<()> {
    refused_stranger(db, now, "access.webhook", address).await
}

/// Somebody called a webhook of RingCentral that there is none of.
///
/// # Errors
/// What the database says.
pub async fn refused_unknown_webhook(db: &Db, now: &Now, address: &str) -> Result<()> {
    refused_stranger(db, now, "access.unknown_webhook", address).await
}

/// Somebody sent a wrong token for the figures.
///
/// # Errors
/// What the database says.
pub async fn refused_metrics_token(db: &Db, now: &Now, address: &str) -> Result<()> {
    refused_stranger(db, now, "access.metrics_token", address).await
}

/// Somebody opened a one-time link that is not good: it is unknown, used, void or too old.
///
/// # Errors
/// What the database says.
pub(super) async fn refused_link(db: &Db, now: &Now, address: &str) -> Result<()> {
    refused_stranger(db, now, "access.link", address).await
}
