//! Setting aside what was found about a line, and bringing it back.
//!
//! The rule: who may mend it may set it aside, on the account that owns the line now.

use crate::clock::Now;
use crate::db::{Db, Tx};
use crate::directory::lines::no_such_line;
use crate::directory::short_text;
use crate::staff::{Entry, Member, Permit, may, record};
use crate::types::{AccountId, Change, FindingKind, IntegrationType, LineId, Problem};
use crate::undo::{self, Step};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// Which finding, of which line.
type Of = (FindingKind, LineId);

/// Sets a finding of a line aside. It comes back by itself when the line has another owner or another type.
///
/// # Errors
/// `Invalid` without a reason, `Forbidden` for who may not mend it, `NotFound` outside the permit's scope, `Conflict` when it is set aside
/// already.
pub async fn set_aside(db: &Db, now: &Now, member: &Member, of: Of, reason: &str) -> Result<(), Problem> {
    match of.0 {
        FindingKind::LooksBlastOnly => set(db, now, &member.permit::<may::SetIntegrationType>()?, of, reason).await,
        FindingKind::ProductMissing | FindingKind::NotConnected | FindingKind::OpenInClosedAccount => {
            set(db, now, &member.permit::<may::ManageDirectory>()?, of, reason).await
        }
    }
}

/// Brings a finding of a line back.
///
/// # Errors
/// `Forbidden` for who may not mend it, `NotFound` outside the permit's scope, `Conflict` when it is not set aside any more.
pub async fn bring_back(db: &Db, now: &Now, member: &Member, of: Of) -> Result<(), Problem> {
    match of.0 {
        FindingKind::LooksBlastOnly => back(db, now, &member.permit::<may::SetIntegrationType>()?, of).await,
        FindingKind::ProductMissing | FindingKind::NotConnected | FindingKind::OpenInClosedAccount => {
            back(db, now, &member.permit::<may::ManageDirectory>()?, of).await
        }
    }
}

/// Sets it aside in the caller's transaction, to take back that it was brought back.
///
/// # Errors
/// As [`set_aside`].
pub(crate) async fn set_one_aside(tx: &mut Tx, now: &Now, member: &Member, of: Of, reason: &str) -> Result<Step, Problem> {
    match of.0 {
        FindingKind::LooksBlastOnly => set_in(tx, now, &member.permit::<may::SetIntegrationType>()?, of, reason).await,
        FindingKind::ProductMissing | FindingKind::NotConnected | FindingKind::OpenInClosedAccount => {
            set_in(tx, now, &member.permit::<may::ManageDirectory>()?, of, reason).await
        }
    }
}

/// Brings it back in the caller's transaction, to take back that it was set aside.
///
/// # Errors
/// As [`bring_back`].
pub(crate) async fn bring_one_back(tx: &mut Tx, now: &Now, member: &Member, of: Of) -> Result<Step, Problem> {
    match of.0 {
        FindingKind::LooksBlastOnly => back_in(tx, now, &member.permit::<may::SetIntegrationType>()?, of).await,
        FindingKind::ProductMissing | FindingKind::NotConnected | FindingKind::OpenInClosedAccount => {
            back_in(tx, now, &member.permit::<may::ManageDirectory>()?, of).await
        }
    }
}

async fn set<P>(db: &Db, now: &Now, permit: &Permit<P>, of: Of, reason: &str) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = set_in(tx, now, permit, of, reason).await?;
        Ok(undo::leave(tx, now, permit, "The finding was set aside.", vec![step]).await?)
    })
    .await
}

async fn back<P>(db: &Db, now: &Now, permit: &Permit<P>, of: Of) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = back_in(tx, now, permit, of).await?;
        Ok(undo::leave(tx, now, permit, "The finding was brought back.", vec![step]).await?)
    })
    .await
}

/// Whose the line is and what its type, if the permit holds there.
async fn line_of<P>(tx: &mut Tx, permit: &Permit<P>, line: LineId) -> Result<(AccountId, IntegrationType), Problem> {
    let scope = permit.scope();
    let found: Option<(AccountId, IntegrationType)> = tx
        .opt(
            "select l.account_id, l.integration_type from line l
             where l.id = $1 and l.closed_at is null
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.ok_or_else(no_such_line)
}

fn entry(action: &'static str, account: AccountId, line: LineId) -> Entry<'static> {
    Entry { action, account_id: Some(account), line_id: Some(line), ..Entry::default() }
}

async fn set_in<P>(tx: &mut Tx, now: &Now, permit: &Permit<P>, (kind, line): Of, reason: &str) -> Result<Step, Problem> {
    let reason = short_text("reason", reason, LONGEST_REASON)?;
    let (account, of_type) = line_of(tx, permit, line).await?;
    let set = tx
        .run(
            // One that another owner or another type has brought back is written over.
            "insert into finding_aside (line_id, kind, owner_id, integration_type, reason, set_by, set_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (line_id, kind) do update
               set owner_id = excluded.owner_id, integration_type = excluded.integration_type, reason = excluded.reason,
                 set_by = excluded.set_by, set_at = excluded.set_at
               where finding_aside.owner_id <> excluded.owner_id or finding_aside.integration_type <> excluded.integration_type",
            (line, kind, account, of_type, reason.clone(), permit.actor().name().to_owned(), now.at()),
        )
        .await?;
    if set == 0 {
        return Err(Problem::conflict("Somebody has set this aside already. Look under “Set aside”: it says who, and why."));
    }
    tx.tell(Change::Line { account_id: account, line_id: line });
    let after = serde_json::json!({ "finding": kind, "reason": reason });
    record(tx, now, permit.actor(), entry("finding.set_aside", account, line).change((), after)).await?;
    Ok(Step::BringFindingBack { kind, line })
}

async fn back_in<P>(tx: &mut Tx, now: &Now, permit: &Permit<P>, (kind, line): Of) -> Result<Step, Problem> {
    let (account, of_type) = line_of(tx, permit, line).await?;
    let was: Option<(String,)> = tx
        .opt(
            "delete from finding_aside
             where line_id = $1 and kind = $2 and owner_id = $3 and integration_type = $4
             returning reason",
            (line, kind, account, of_type),
        )
        .await?;
    let Some((reason,)) = was else {
        return Err(Problem::conflict("This is not set aside any more: somebody brought it back, or the line has changed."));
    };
    tx.tell(Change::Line { account_id: account, line_id: line });
    let before = serde_json::json!({ "finding": kind, "reason": reason });
    record(tx, now, permit.actor(), entry("finding.bring_back", account, line).change(before, ())).await?;
    Ok(Step::SetFindingAside { kind, line, reason })
}
