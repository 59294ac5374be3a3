//! Blasts that wait for a decision: nothing of a paused one is sent before somebody says so, and its line or account may have been closed
//! or moved since.

use crate::db::{Db, Result};
use crate::home::most_read;
use crate::staff::{Permit, may};
use crate::types::{BlastId, Counted, LineId, MOST_COUNTED, Timestamp, WaitingBlast};

#[derive(sqlx::FromRow)]
struct Row {
    id: BlastId,
    line_id: LineId,
    line: String,
    account: String,
    recipients: i64,
    starts_at: Option<Timestamp>,
}

/// Paused blasts, counted up to a cap, those first whose start was or is the earliest. All that are counted are named: no list has the
/// blasts of more than one account.
///
/// # Errors
/// What the database says.
pub(crate) async fn waiting(db: &Db, at: Timestamp, permit: &Permit<may::SeeMessages>) -> Result<Counted<WaitingBlast>> {
    let scope = permit.scope();
    let rows: Vec<Row> = db
        .all(
            "select b.id, b.line_id, l.label as line, a.name as account, b.recipients, b.starts_at
             from blast b
             join line l on l.id = b.line_id
             join account a on a.id = l.account_id
             where b.state = 'paused'
               and ($1 or l.account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3))
             order by b.starts_at, b.line_id, b.id
             limit $4",
            (scope.everywhere, scope.staff, scope.permission, most_read()),
        )
        .await?;
    let shown = |row: Row| WaitingBlast {
        id: row.id,
        line_id: row.line_id,
        line: row.line,
        account: row.account,
        recipients: row.recipients,
        late_since: row.starts_at.filter(|starts_at| *starts_at <= at),
    };
    Ok(Counted::of(rows.into_iter().map(shown).collect(), MOST_COUNTED))
}
