//! Closing an account, and opening it again: previewed with counts, then done in one transaction.
//!
//! The rule: a closed account takes nothing new, its programs and its connection do nothing, and nothing of it is lost. What comes in is
//! still recorded, and STOP is honoured.

use super::edit::why_not;
use super::no_such_account;
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx};
use crate::messaging::blast;
use crate::staff::{Entry, Permit, Proof, may, record};
use crate::types::{AccountClosing, AccountId, BlastId, IntegrationType, Problem, Timestamp};
use crate::undo::{self, Step};
use crate::{ringcentral, sync};

/// What hangs on an account that is to be closed; changes nothing.
///
/// # Errors
/// `NotFound` outside the permit's scope.
pub async fn closing(
    db: &Db,
    see: &Permit<may::SeeDirectory>,
    permit: &Permit<may::ManageDirectory>,
    id: AccountId,
) -> Result<AccountClosing, Problem> {
    let scope = permit.scope();
    let found: Option<(i64,)> = db
        .opt(
            "select version from account
             where id = $1 and ($2 or id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let (version,) = found.ok_or_else(no_such_account)?;
    let row = super::get(db, see, id).await?;
    let lines: Vec<(IntegrationType, i64)> = db
        .all(
            "select integration_type, count(*) from line
             where account_id = $1 and closed_at is null
             group by integration_type
             order by integration_type",
            [id],
        )
        .await?;
    let (users,): (i64,) = db.one("select count(*) from account_user where account_id = $1 and closed_at is null", [id]).await?;
    let (tokens,): (i64,) = db.one("select count(*) from api_token where account_id = $1 and revoked_at is null", [id]).await?;
    let (held, queued) = sync::waiting_of_account(db, id).await?;
    let (scheduled_blasts, blasts_under_way) = blast::unsent_of_account(db, id).await?;
    Ok(AccountClosing { row, version, lines, held, queued, scheduled_blasts, blasts_under_way, users, tokens })
}

/// Closes an account, as previewed at `version`.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when somebody else was first, or it is closed already.
pub async fn close(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    _proof: Proof,
    id: AccountId,
    version: i64,
) -> Result<(), Problem> {
    let (scope, at) = (permit.scope(), now.at());
    db.work(async |tx| {
        let closed: Option<(AccountId,)> = tx
            .opt(
                "update account set version = version + 1, closed_at = $3
                 where id = $1 and version = $2 and closed_at is null
                   and ($4 or id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
                 returning id",
                (id, version, at, scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        if closed.is_none() {
            return Err(why_not(tx, permit, id).await?);
        }
        let blasts = blast::pause_scheduled(tx, id).await?;
        let connection = ringcentral::account_closed(tx, id, at).await?;
        let entry = Entry { action: "account.close", account_id: Some(id), ..Entry::default() };
        let after = serde_json::json!({ "blasts_paused": blasts.len(), "connection_paused": connection });
        record(tx, now, permit.actor(), entry.change((), after)).await?;
        let step = Step::ReopenAccount { id, version: version + 1, blasts };
        Ok(undo::leave(tx, now, permit, "The account was closed.", vec![step]).await?)
    })
    .await
}

/// Opens a closed account again. Its connection goes on, unless somebody had paused it before; blasts that were paused wait for a decision.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when somebody else was first, or it is open.
pub async fn reopen(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, id: AccountId, version: i64) -> Result<(), Problem> {
    db.work(async |tx| reopen_one(tx, now, permit, id, version, &[]).await).await
}

/// The same in the caller's transaction; these blasts of it are scheduled again.
///
/// # Errors
/// As [`reopen`].
pub(crate) async fn reopen_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: AccountId,
    version: i64,
    blasts: &[BlastId],
) -> Result<(), Problem> {
    let scope = permit.scope();
    let since: Option<(Timestamp,)> = tx
        .opt(
            "update account set version = version + 1
             where id = $1 and version = $2 and closed_at is not null
               and ($3 or id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             returning closed_at",
            (id, version, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let Some((since,)) = since else { return Err(why_not(tx, permit, id).await?) };
    tx.run("update account set closed_at = null where id = $1", [id]).await?;
    let connection = ringcentral::account_reopened(tx, id, since, now.at()).await?;
    let scheduled = blast::schedule_again(tx, id, blasts).await?;
    let entry = Entry { action: "account.reopen", account_id: Some(id), ..Entry::default() };
    let after = serde_json::json!({ "connection_resumed": connection, "blasts_scheduled": scheduled });
    Ok(record(tx, now, permit.actor(), entry.change((), after)).await?)
}

/// On PostgreSQL the row is share-locked, so that the account is not closed meanwhile.
const OPEN: Sql = Sql {
    sqlite: "select name, closed_at is null from account where id = $1",
    postgres: "select name, closed_at is null from account where id = $1 for share",
};

/// Refuses what a closed account does not take, until the transaction ends. Ask whether the permit holds there first.
///
/// # Errors
/// `Conflict` while it is closed.
pub(crate) async fn hold_open(tx: &mut Tx, id: AccountId) -> Result<(), Problem> {
    match tx.opt::<(String, bool)>(OPEN, [id]).await? {
        Some((name, false)) => Err(Problem::conflict(format!("{name} is closed. Reopen it first."))),
        _ => Ok(()),
    }
}
