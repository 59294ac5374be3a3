//! The audit: every change, in the transaction that makes it, by whom, from where, with before and after; and what was refused, and
//! who saw personal data.

use super::{Actor, Permit, may};
use crate::clock::{Now, first_id_at};
use crate::db::{Db, Result, Tx, json, one_more};
use crate::types::{AccountId, AuditEntry, AuditFilter, AuditOutcome, AuditRow, Cursor, LineId, Page, StaffId, Timestamp};
use serde::Serialize;
use uuid::Uuid;

/// What an entry is about. Values hold no message bodies and no contacts' numbers.
#[derive(Debug, Default)]
pub struct Entry<'a> {
    /// What was done, as `subject.verb`: `line.integration_type`.
    pub action: &'a str,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The account it was done to.
    pub account_id: Option<AccountId>,
    /// The line it was done to.
    pub line_id: Option<LineId>,
    /// The row it was done to, when it is neither.
    pub subject_id: Option<Uuid>,
    /// The fields before.
    pub before: Option<serde_json::Value>,
    /// The fields after.
    pub after: Option<serde_json::Value>,
}

impl Entry<'_> {
    /// Sets the fields before and after.
    #[must_use]
    pub fn change(mut self, before: impl Serialize, after: impl Serialize) -> Self {
        self.before = serde_json::to_value(before).ok();
        self.after = serde_json::to_value(after).ok();
        self
    }
}

/// Writes an entry in the transaction of the change it describes.
///
/// # Errors
/// What the database says; the change must then not commit.
pub async fn record(tx: &mut Tx, now: &Now, actor: &Actor, entry: Entry<'_>) -> Result<()> {
    let at = now.at();
    tx.run(
        "insert into audit_entry (id, at, actor_kind, actor_id, actor_name, action, account_id, line_id, subject_id, before, after,
           address, outcome)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        (
            now.id_at(at),
            at,
            actor.kind(),
            actor.id(),
            actor.name().to_owned(),
            entry.action.to_owned(),
            entry.account_id,
            entry.line_id,
            entry.subject_id,
            entry.before.map(|v| v.to_string()),
            entry.after.map(|v| v.to_string()),
            actor.address().map(ToOwned::to_owned),
            entry.outcome,
        ),
    )
    .await?;
    Ok(())
}

/// Writes these entries at once.
pub(super) async fn record_all(tx: &mut Tx, now: &Now, actor: &Actor, entries: Vec<Entry<'_>>) -> Result<()> {
    let at = now.at();
    let row = |entry: Entry<'_>| {
        let (before, after) = (entry.before.map(|v| v.to_string()), entry.after.map(|v| v.to_string()));
        let of = (entry.account_id, entry.line_id, entry.subject_id);
        (now.id_at(at), entry.action.to_owned(), entry.outcome.as_str(), of.0, of.1, of.2, before, after)
    };
    let rows: Vec<_> = entries.into_iter().map(row).collect();
    tx.run(
        "insert into audit_entry (id, at, actor_kind, actor_id, actor_name, action, account_id, line_id, subject_id, before, after,
           address, outcome)
         select unhex(j.value->>0, '-'), $1, $2, $3, $4, j.value->>1, unhex(j.value->>3, '-'), unhex(j.value->>4, '-'),
           unhex(j.value->>5, '-'), j.value->>6, j.value->>7, $5, j.value->>2
         from json_each($6) j",
        (at, actor.kind(), actor.id(), actor.name().to_owned(), actor.address().map(ToOwned::to_owned), json(&rows)),
    )
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: Timestamp,
    actor_name: String,
    action: String,
    before: Option<String>,
    after: Option<String>,
}

/// The changes of a line, newest first. What programs sent from it is none, and stands in its conversations.
///
/// # Errors
/// What the database says.
pub async fn line_history(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    line: LineId,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AuditRow>> {
    let scope = permit.scope();
    let before_id = after.and_then(Cursor::key::<Uuid>).unwrap_or(Uuid::max());
    let rows: Vec<Row> = db
        .all(
            "select e.id, e.at, e.actor_name, e.action, e.before, e.after
             from audit_entry e
             join line l on l.id = e.line_id
             where e.line_id = $1 and e.id < $2 and e.outcome = 'done' and e.action <> 'message.send'
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             order by e.id desc
             limit $6",
            (line, before_id, scope.everywhere, scope.staff, scope.permission, one_more(limit)),
        )
        .await?;
    Ok(Page::of(rows, limit, |row| row.id).map(|row| AuditRow {
        at: row.at,
        actor: row.actor_name,
        action: row.action,
        before: row.before,
        after: row.after,
    }))
}

#[derive(sqlx::FromRow)]
struct Whole {
    #[sqlx(flatten)]
    row: Row,
    number: Option<i64>,
    outcome: AuditOutcome,
    address: Option<String>,
    staff: Option<StaffId>,
    account_id: Option<AccountId>,
    account: Option<String>,
    line_id: Option<LineId>,
    line: Option<String>,
    subject_id: Option<Uuid>,
}

/// What a line is called is its present account's: others are told its number.
macro_rules! audit_sql {
    ($narrow:literal) => {
        concat!(
            "select e.id, e.at, e.actor_name, e.action, e.before, e.after, e.number, e.outcome, e.address,
               case when e.actor_kind = 'staff' then e.actor_id end as staff, e.account_id, a.name as account, e.line_id,
               case when $2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4)
                 then l.label else l.number end as line,
               e.subject_id
             from audit_entry e
             left join account a on a.id = e.account_id
             left join line l on l.id = e.line_id
             where e.id < $1 and e.id >= $12
               and ($2 or e.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
               and (e.actor_id = $5 or $5 is null) and (e.action = $6 or $6 is null) and (e.account_id = $7 or $7 is null)
               and (e.line_id = $8 or $8 is null) and (e.outcome = $9 or $9 is null) and (e.subject_id = $10 or $10 is null) ",
            $narrow,
            " order by e.id desc limit $11"
        )
    };
}

/// Entries of the audit, newest first. Who looks after named accounts sees theirs; what belongs to no account is for those who look
/// after all.
///
/// # Errors
/// What the database says.
pub async fn search(
    db: &Db,
    permit: &Permit<may::SeeAudit>,
    filter: &AuditFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AuditEntry>> {
    let scope = permit.scope();
    let until = filter.until.map_or(Uuid::max(), first_id_at);
    let args = (
        after.and_then(Cursor::key::<Uuid>).map_or(until, |id| id.min(until)),
        scope.everywhere,
        scope.staff,
        scope.permission,
        filter.actor,
        filter.action.clone(),
        filter.account,
        filter.line,
        filter.outcome,
        filter.subject,
        one_more(limit),
        filter.from.map_or(Uuid::nil(), first_id_at),
    );
    // One text for each index that may carry it.
    let rows: Vec<Whole> = match filter {
        AuditFilter { subject: Some(_), .. } => db.all(audit_sql!("and e.subject_id = $10"), args).await?,
        AuditFilter { line: Some(_), .. } => db.all(audit_sql!("and e.line_id = $8"), args).await?,
        AuditFilter { actor: Some(_), .. } => db.all(audit_sql!("and e.actor_id = $5"), args).await?,
        AuditFilter { account: Some(_), .. } => db.all(audit_sql!("and e.account_id = $7"), args).await?,
        AuditFilter { action: Some(_), .. } => db.all(audit_sql!("and e.action = $6"), args).await?,
        AuditFilter { outcome: Some(_), .. } => db.all(audit_sql!("and e.outcome = $9"), args).await?,
        AuditFilter { .. } => db.all(audit_sql!(""), args).await?,
    };
    Ok(Page::of(rows, limit, |whole| whole.row.id).map(|whole| AuditEntry {
        id: whole.row.id,
        number: whole.number,
        outcome: whole.outcome,
        address: whole.address,
        row: AuditRow {
            at: whole.row.at,
            actor: whole.row.actor_name,
            action: whole.row.action,
            before: whole.row.before,
            after: whole.row.after,
        },
        staff: whole.staff,
        account: whole.account_id.map(|id| (id, whole.account.unwrap_or_default())),
        line: whole.line_id.map(|id| (id, whole.line.unwrap_or_default())),
        subject: whole.subject_id,
    }))
}

/// The actions that the audit has entries of, in order; for a filter.
///
/// # Errors
/// What the database says.
pub async fn actions(db: &Db, _permit: &Permit<may::SeeAudit>) -> Result<Vec<String>> {
    // From word to word along the index, however many entries each has.
    let mut found: Vec<String> = Vec::new();
    loop {
        let last = found.last().cloned().unwrap_or_default();
        let next: Option<(Option<String>,)> = db.opt("select min(action) from audit_entry where action > $1", [last]).await?;
        match next.and_then(|(action,)| action) {
            Some(action) if found.len() < 200 => found.push(action),
            _ => return Ok(found),
        }
    }
}
