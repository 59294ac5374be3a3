//! Findings: what contradicts itself in the directory, or looks like a mistake. Each is a line, with what mends it one link away.

use super::lines::Row;
use crate::db::{Db, Result, one_more};
use crate::staff::{Permit, may};
use crate::types::{Cursor, FindingKind, LineId, LineRow, Page, PhoneNumber};
use std::collections::HashSet;

/// So many lines are looked at in one statement, and so many times for one page.
const CHUNK: i64 = 500;
const CHUNKS: usize = 20;

macro_rules! list_sql {
    ($narrow:literal) => {
        concat!(
            "with mine as materialized (select role_id from staff_scope_role where staff_id = $3 and permission = $4)
             select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.version, l.created_at, l.closed_at,
               l.transfer_id is not null as is_moving
             from line l
             join account a on a.id = l.account_id
             where l.number > $1 and l.closed_at is null
               and ($2 or exists (select 1 from mine join role_account s on s.role_id = mine.role_id where s.account_id = l.account_id limit 1 offset 0))
               and ",
            $narrow,
            " order by l.number
             limit $5"
        )
    };
}

/// The lines that a finding is about, by number.
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
    let scope = permit.scope();
    let after = after.and_then(Cursor::key::<String>).unwrap_or_default();
    if kind == FindingKind::LooksBlastOnly {
        return look_blast_only(db, permit, after, limit).await;
    }
    let args = (after, scope.everywhere, scope.staff, scope.permission, one_more(limit));
    let rows: Vec<Row> = match kind {
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

fn page(rows: Vec<Row>, limit: usize) -> Page<LineRow> {
    Page::of(rows, limit, |row| row.number.expose().to_owned()).map(LineRow::from)
}

/// Lines by number, a chunk at a time, and of each chunk those that look blast-only. After many chunks without enough of them the page ends
/// early, and the next one goes on from there.
async fn look_blast_only(db: &Db, permit: &Permit<may::SeeDirectory>, after: String, limit: usize) -> Result<Page<LineRow>> {
    let scope = permit.scope();
    let (mut behind, mut found): (String, Vec<Row>) = (after, Vec::new());
    for _ in 0..CHUNKS {
        let chunk: Vec<Row> = db
            .all(list_sql!("l.integration_type <> 'none'"), (behind.clone(), scope.everywhere, scope.staff, scope.permission, CHUNK))
            .await?;
        let Some(last) = chunk.last().map(|row| row.number.clone()) else { return Ok(page(found, limit)) };
        let ids: Vec<LineId> = chunk.iter().map(|row| row.id).collect();
        let such: HashSet<LineId> = crate::messaging::look_blast_only(db, permit, &ids).await?.into_iter().collect();
        let is_end = chunk.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
        found.extend(chunk.into_iter().filter(|row| such.contains(&row.id)));
        if is_end || found.len() > limit {
            return Ok(page(found, limit));
        }
        behind = PhoneNumber::expose(&last).to_owned();
    }
    Ok(Page { rows: found.into_iter().map(LineRow::from).collect(), next: Some(Cursor::at(&behind)) })
}
