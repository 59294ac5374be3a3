//! Findings: what contradicts itself in the directory, or looks like a mistake. Each is a line, or an account as such, with what mends it
//! one link away.
//!
//! The rule: what staff have set aside is listed apart, until it is brought back, or the line has another owner or another type. An account
//! is not set aside: its products say what it has.

mod aside;

pub use aside::{bring_back, set_aside};
pub(crate) use aside::{bring_one_back, set_one_aside};

use crate::db::{Db, Result, one_more};
use crate::staff::{Permit, may};
use crate::types::{
    AccountFinding, AccountId, Cursor, FindingAccount, FindingKind, FindingRow, LineId, LineRow, Page, PhoneNumber, SetAside, Timestamp,
};
use std::collections::HashSet;

/// So many lines are looked at in one statement, and so many times for one page.
const CHUNK: i64 = 500;
const CHUNKS: usize = 20;

/// A line that a finding is about, and how it was set aside, if it was.
#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    line: LineRow,
    reason: Option<String>,
    set_by: Option<String>,
    set_at: Option<Timestamp>,
}

macro_rules! list_sql {
    ($narrow:literal) => {
        concat!(
            "with mine as materialized (select role_id from staff_scope_role where staff_id = $3 and permission = $4)
             select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.created_at, l.closed_at,
               s.reason, s.set_by, s.set_at
             from line l
             join account a on a.id = l.account_id
             left join finding_aside s
               on s.line_id = l.id and s.kind = $6 and s.owner_id = l.account_id and s.integration_type = l.integration_type
             where l.number > $1 and l.closed_at is null and (s.line_id is not null) = $7
               and ($2 or exists (select 1 from mine join role_account s on s.role_id = mine.role_id where s.account_id = l.account_id limit 1 offset 0))
               and ",
            $narrow,
            " order by l.number
             limit $5"
        )
    };
}

/// The lines that a finding is about, by number, without those that it is set aside for.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    kind: FindingKind,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<LineRow>> {
    Ok(found(db, permit, kind, false, after, limit).await?.map(|found| found.line))
}

/// The lines that a finding is about and is set aside for, by number.
///
/// # Errors
/// What the database says.
pub async fn list_aside(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    kind: FindingKind,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<FindingRow>> {
    Ok(found(db, permit, kind, true, after, limit).await?.map(|found| FindingRow {
        line: found.line,
        aside: found.reason.zip(found.set_by).zip(found.set_at).map(|((reason, by), at)| SetAside { reason, by, at }),
    }))
}

macro_rules! row_sql {
    ($narrow:literal) => {
        concat!(
            "select a.id, a.name,
               (select count(*) from line l where l.account_id = a.id and l.closed_at is null) as lines
             from account a
             where (a.name, a.id) > ($1, $2) and a.closed_at is null
               and ($3 or a.id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
               and ",
            $narrow,
            " order by a.name, a.id
             limit $6"
        )
    };
}

/// The accounts that a finding is about, by name.
///
/// # Errors
/// What the database says.
pub async fn accounts(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    of: AccountFinding,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<FindingAccount>> {
    let scope = permit.scope();
    let (name, id) = after.and_then(Cursor::key::<(String, AccountId)>).unwrap_or((String::new(), AccountId(uuid::Uuid::nil())));
    let args = (name, id, scope.everywhere, scope.staff, scope.permission, one_more(limit));
    let rows: Vec<FindingAccount> = match of {
        AccountFinding::ConnectedWithoutConversation => {
            db.all(row_sql!("not a.has_conversations and exists (select 1 from connection c where c.account_id = a.id)"), args).await?
        }
        AccountFinding::NoProduct => {
            db.all(
                row_sql!(
                    "not a.has_conversations and not a.sends_blasts
                     and exists (select 1 from line l where l.account_id = a.id and l.closed_at is null)"
                ),
                args,
            )
            .await?
        }
    };
    Ok(Page::of(rows, limit, |row| (row.name.clone(), row.id)))
}

async fn found(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    kind: FindingKind,
    is_aside: bool,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<Found>> {
    let scope = permit.scope();
    let after = after.and_then(Cursor::key::<String>).unwrap_or_default();
    if kind == FindingKind::LooksBlastOnly {
        return look_blast_only(db, permit, is_aside, after, limit).await;
    }
    let args = (after, scope.everywhere, scope.staff, scope.permission, one_more(limit), kind, is_aside);
    let rows: Vec<Found> = match kind {
        FindingKind::ProductMissing => {
            db.all(
                list_sql!(
                    "((l.integration_type = 'none' and not a.sends_blasts) or (l.integration_type <> 'none' and not a.has_conversations))"
                ),
                args,
            )
            .await?
        }
        FindingKind::NotConnected => {
            db.all(
                list_sql!(
                    "l.integration_type = 'ringcentral' and not exists (select 1 from connection c where c.account_id = l.account_id)"
                ),
                args,
            )
            .await?
        }
        FindingKind::OpenInClosedAccount | FindingKind::LooksBlastOnly => db.all(list_sql!("a.closed_at is not null"), args).await?,
    };
    Ok(page(rows, limit))
}

fn page(rows: Vec<Found>, limit: usize) -> Page<Found> {
    Page::of(rows, limit, |found| found.line.number.expose().to_owned())
}

/// Lines by number, a chunk at a time, and of each chunk those that look blast-only. After many chunks without enough of them the page ends
/// early, and the next one goes on from there.
async fn look_blast_only(db: &Db, permit: &Permit<may::SeeDirectory>, is_aside: bool, after: String, limit: usize) -> Result<Page<Found>> {
    let (scope, kind) = (permit.scope(), FindingKind::LooksBlastOnly);
    let (mut behind, mut rows): (String, Vec<Found>) = (after, Vec::new());
    for _ in 0..CHUNKS {
        let args = (behind.clone(), scope.everywhere, scope.staff, scope.permission, CHUNK, kind, is_aside);
        let chunk: Vec<Found> = db.all(list_sql!("l.integration_type <> 'none'"), args).await?;
        let Some(last) = chunk.last().map(|found| found.line.number.clone()) else { return Ok(page(rows, limit)) };
        let ids: Vec<LineId> = chunk.iter().map(|found| found.line.id).collect();
        let such: HashSet<LineId> = crate::messaging::look_blast_only(db, permit, &ids).await?.into_iter().collect();
        let is_end = chunk.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
        rows.extend(chunk.into_iter().filter(|found| such.contains(&found.line.id)));
        if is_end || rows.len() > limit {
            return Ok(page(rows, limit));
        }
        behind = PhoneNumber::expose(&last).to_owned();
    }
    Ok(Page { rows, next: Some(Cursor::at(&behind)) })
}
