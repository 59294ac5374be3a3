//! The log of a run: what happened, in words, kept for ever. It holds no personal data.

use crate::clock::Now;
use crate::db::{Result, Tx};
use crate::types::{AccountId, Change, RunEventKind, RunId};

/// Writes down what happened to a run, and tells who watches it.
pub(super) async fn write(tx: &mut Tx, now: &Now, run: RunId, kind: RunEventKind, text: String, by: Option<&str>) -> Result<()> {
    let at = now.at();
    tx.run(
        "insert into utility_event (run_id, id, at, kind, text, actor) values ($1, $2, $3, $4, $5, $6)",
        (run, now.id_at(at), at, kind, text, by.map(str::to_owned)),
    )
    .await?;
    tell(tx, run).await
}

/// Tells who watches a run that it has come on.
pub(super) async fn tell(tx: &mut Tx, run: RunId) -> Result<()> {
    let of: Option<(Option<AccountId>, Option<AccountId>)> =
        tx.opt("select account_id, target_id from utility_run where id = $1", [run]).await?;
    let (account, target) = of.unwrap_or_default();
    for account_id in [account, target].into_iter().flatten() {
        tx.tell(Change::Run { account_id: Some(account_id), run_id: run });
    }
    if account.is_none() && target.is_none() {
        // One over several accounts is seen by who looks after all of them.
        tx.tell(Change::Run { account_id: None, run_id: run });
    }
    Ok(())
}
