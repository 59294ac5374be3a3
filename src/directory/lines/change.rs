//! Editing a line's label, closing a line, and opening it again.
//!
//! The rule: a closed line is set to None and sends nothing; what comes in is recorded, STOP is honoured, and its number stays its own.

use super::{no_such_line, search_text, short_text};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::directory::accounts::{Standing, standing};
use crate::directory::{integration, people};
use crate::messaging::{blast, conversations_of_line};
use crate::staff::{Entry, Permit, may, record};
use crate::types::{AccountId, Change, IntegrationType, LineClosing, LineId, Problem};
use crate::undo::{self, LineWas, Step};

/// The line's account and how it stands, if the permit holds there; on PostgreSQL it stays so. It comes before the line is locked.
async fn account_of(tx: &mut Tx, permit: &Permit<may::ManageDirectory>, line: LineId) -> Result<(AccountId, Standing), Problem> {
    let owner: Option<(AccountId,)> = tx.opt("select account_id from line where id = $1", [line]).await?;
    let (owner,) = owner.ok_or_else(no_such_line)?;
    match standing(tx, permit.scope(), owner).await {
        Ok(account) => Ok((owner, account)),
        Err(Problem::NotFound { .. }) => Err(no_such_line()),
        Err(other) => Err(other),
    }
}

fn somebody_was_first() -> Problem {
    Problem::conflict("Somebody changed this line while you were looking at it. Nothing of yours was changed: look again, then decide.")
}

fn entry(action: &'static str, account: AccountId, line: LineId) -> Entry<'static> {
    Entry { action, account_id: Some(account), line_id: Some(line), ..Entry::default() }
}

/// Edits what staff call a line, as it was seen at `version`.
///
/// # Errors
/// `Invalid` for a bad label, `Conflict` when somebody else was first, `NotFound` outside the permit's scope.
pub async fn edit(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    version: i64,
    label: &str,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = edit_one(tx, now, permit, line, version, label).await?;
        Ok(undo::leave(tx, now, permit, "The line’s label was changed.", vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`edit`].
pub(crate) async fn edit_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    version: i64,
    label: &str,
) -> Result<Step, Problem> {
    let label = short_text("label", label, 80)?;
    let (account, of) = account_of(tx, permit, line).await?;
    let was: Option<(String,)> = tx
        .opt(
            "update line set version = version + 1 where id = $1 and version = $2 and account_id = $3 returning label",
            (line, version, account),
        )
        .await?;
    let Some((was,)) = was else { return Err(somebody_was_first()) };
    tx.run("update line set label = $2, search = $3 where id = $1", (line, label.clone(), search_text(&label, &of.name))).await?;
    tx.tell(Change::Line { account_id: account, line_id: line });
    let entry = entry("line.edit", account, line).change(serde_json::json!({ "label": was }), serde_json::json!({ "label": label }));
    record(tx, now, permit.actor(), entry).await?;
    Ok(Step::EditLine { id: line, version: version + 1, label: was })
}

/// What hangs on a line that is to be closed; changes nothing.
///
/// # Errors
/// `NotFound` outside either permit's scope.
pub async fn closing(
    db: &Db,
    see: &Permit<may::SeeDirectory>,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
) -> Result<LineClosing, Problem> {
    let scope = permit.scope();
    let found: Option<(i64,)> = db
        .opt(
            "select version from line
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let (version,) = found.ok_or_else(no_such_line)?;
    let detail = super::get(db, see, line).await?;
    let sync = crate::sync::counts_of_line(db, line).await?;
    let (scheduled_blasts, blasts_under_way) = blast::unsent_of_line(db, line).await?;
    Ok(LineClosing {
        users: people::count_with_access(db, line, detail.line.account_id).await?,
        line: detail.line,
        version,
        conversations: conversations_of_line(db, line).await?,
        held: sync.held,
        queued: sync.queued,
        scheduled_blasts,
        blasts_under_way,
        is_transferring: detail.transfer.is_some(),
    })
}

/// Closes a line, as previewed at `version`: it is set to None, what is held becomes skipped, scheduled blasts wait for a decision.
///
/// # Errors
/// `Conflict` when somebody else was first, or while it is being transferred; `NotFound` outside the permit's scope.
pub async fn close(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, line: LineId, version: i64) -> Result<(), Problem> {
    let at = now.at();
    db.work(async |tx| {
        let (account, _) = account_of(tx, permit, line).await?;
        // The write takes the row's lock: no message is routed meanwhile.
        let was: Option<(IntegrationType, bool)> = tx
            .opt(
                "update line set version = version + 1
                 where id = $1 and version = $2 and account_id = $3 and closed_at is null
                 returning integration_type, transfer_id is not null",
                (line, version, account),
            )
            .await?;
        let Some((was, transferring)) = was else { return Err(somebody_was_first()) };
        if transferring {
            return Err(Problem::conflict("The line is being transferred. Close it when that is done: its runs say how far it is."));
        }
        let none = IntegrationType::None;
        tx.run("update line set integration_type = $2, closed_at = $3 where id = $1", (line, none, at)).await?;
        let is_ringcentral = was == IntegrationType::Ringcentral;
        let skipped = if is_ringcentral { crate::sync::skip_held_of_line(tx, at, line, none).await? } else { 0 };
        let blasts = blast::pause_scheduled_of_line(tx, line).await?;
        tx.tell(Change::Line { account_id: account, line_id: line });
        let after = serde_json::json!({ "integration_type": none, "held_now_skipped": skipped, "blasts_paused": blasts.len() });
        let entry = entry("line.close", account, line).change(serde_json::json!({ "integration_type": was }), after);
        record(tx, now, permit.actor(), entry).await?;
        let step = Step::ReopenLine { id: line, version: version + 1, was: LineWas { integration_type: was, since: at, blasts } };
        Ok(undo::leave(tx, now, permit, "The line was closed.", vec![step]).await?)
    })
    .await
}

/// Opens a closed line again. It stays set to None until somebody sets another type.
///
/// # Errors
/// `Conflict` when somebody else was first, or its account is closed or lacks what a line set to None needs; `NotFound` outside the
/// permit's scope.
pub async fn reopen(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, line: LineId, version: i64) -> Result<(), Problem> {
    db.work(async |tx| {
        let (account, of) = reopen_one(tx, permit, line, version).await?;
        // An error closes it again.
        if of.allows(IntegrationType::None).is_err() {
            return Err(Problem::conflict(format!(
                "A line is opened again as None, and {} does not have the product Blast, which None needs. Add it to the account, open the \
                 line, and set the line to another type: then the product can go again.",
                of.name
            )));
        }
        Ok(record(tx, now, permit.actor(), entry("line.reopen", account, line)).await?)
    })
    .await
}

/// Opens it in the caller's transaction; says whose it is, and how the account stands.
async fn reopen_one(
    tx: &mut Tx,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    version: i64,
) -> Result<(AccountId, Standing), Problem> {
    let (account, of) = account_of(tx, permit, line).await?;
    of.is_open()?;
    let opened = tx
        .run(
            "update line set version = version + 1, closed_at = null
             where id = $1 and version = $2 and account_id = $3 and closed_at is not null",
            (line, version, account),
        )
        .await?;
    if opened == 0 {
        return Err(somebody_was_first());
    }
    tx.tell(Change::Line { account_id: account, line_id: line });
    Ok((account, of))
}

/// Takes a closing back in the caller's transaction: the line has its type again, what it held is held, its blasts are scheduled.
///
/// # Errors
/// As [`reopen`]; `Conflict` when messages came or went meanwhile, `Invalid` when the account lacks what the type needs.
pub(crate) async fn reopen_as_it_was(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    version: i64,
    was: &LineWas,
) -> Result<(), Problem> {
    let (account, of) = reopen_one(tx, permit, line, version).await?;
    let to = was.integration_type;
    of.allows(to)?;
    integration::is_quiet_since(tx, line, was.since).await?;
    tx.run("update line set integration_type = $2 where id = $1", (line, to)).await?;
    let held = crate::sync::hold_again(tx, now.at(), line, was.since).await?;
    let scheduled = blast::schedule_again(tx, account, &was.blasts).await?;
    let after = serde_json::json!({ "integration_type": to, "skipped_now_held": held, "blasts_scheduled": scheduled });
    Ok(record(tx, now, permit.actor(), entry("line.reopen", account, line).change((), after)).await?)
}
