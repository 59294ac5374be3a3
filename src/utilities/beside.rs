//! What else is under way on the same account, for utilities that touch all its lines.

use super::Stop;
use crate::db::{Result, Tx};
use crate::types::{AccountId, Obstacle};

/// Whether another run than the one that holds this is at the account as a whole, or, for one that is about all its lines, at one of them.
///
/// # Errors
/// What the database says.
pub(super) async fn is_busy(tx: &mut Tx, account: AccountId, holds: &str, all_lines: bool) -> Result<bool> {
    let found: Option<(String,)> = tx
        .opt(
            "select held from utility_run
             where held is not null and held <> $1 and (account_id = $2 or target_id = $2) and (line_id is null or $3)
             limit 1",
            (holds.to_owned(), account, all_lines),
        )
        .await?;
    Ok(found.is_some())
}

/// The same as a plan says it.
pub(super) fn obstacle(account: AccountId, name: &str) -> Obstacle {
    let link = format!("/utilities/history?account={account}");
    Obstacle::with(format!("Another run is at work for {name}. Wait until it is done, then plan again."), "See its runs", link)
}

/// The same as a run says it that was planned before.
pub(super) fn stop() -> Stop {
    Stop::fault("Another run is at work for this account.", "Resume from here when it is done, or cancelled.")
}
