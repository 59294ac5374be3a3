//! Reaching for what another account has: who names such a row is answered that there is none, and it stands in the audit.
//!
//! The rule: the answer tells nothing, and neither does the time that it takes: this is asked when the answer is on its way. The same row
//! of the same person is written down once in ten minutes.

use super::notebook::{Place, is_due, pause};
use super::places::listed;
use super::{Entry, Member, record};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::types::{AccountId, AuditOutcome, ContactId, ConversationId, LineId, Permission};
use serde_json::json;
use uuid::Uuid;

/// Those rows that were named, of accounts where the member may not do all that was asked for.
macro_rules! named_sql {
    ($rows:literal) => {
        concat!(
            "select n.* from (",
            $rows,
            ") n
             where n.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and exists (
                 select 1 from json_each($2) p
                 where not exists (
                   select 1 from staff_scope s where s.staff_id = $3 and s.permission = p.value->>0 and s.account_id = n.account_id))"
        )
    };
}

/// Writes down which of the rows that a request named belong to accounts where the member may not do what they asked for. `asked` is what
/// [`Member::asked_on_some`] says.
///
/// # Errors
/// What the database says.
pub async fn reached(db: &Db, now: &Now, member: &Member, asked: &[Permission], place: Place<'_>, named: &[Uuid]) -> Result<()> {
    let (Some(ids), Some(permissions)) = (listed(named.iter()), listed(asked.iter().map(|asked| asked.as_str()))) else { return Ok(()) };
    let path = place.without_what_was_typed();
    let entry = |account: AccountId| {
        let entry = Entry { action: "access.reach", outcome: AuditOutcome::Denied, account_id: Some(account), ..Entry::default() };
        entry.change((), json!({ "permission": asked.first().map(|asked| asked.as_str()), "path": path }))
    };
    let args = || (ids.clone(), permissions.clone(), member.id());
    let accounts: Vec<(AccountId, AccountId)> = db.all(named_sql!("select a.id, a.id as account_id from account a"), args()).await?;
    let lines: Vec<(LineId, AccountId)> = db.all(named_sql!("select l.id, l.account_id from line l"), args()).await?;
    let contacts: Vec<(ContactId, AccountId)> = db.all(named_sql!("select k.id, k.account_id from contact k"), args()).await?;
    // A conversation is found on its line, which is named with it.
    let conversations: Vec<(ConversationId, AccountId, LineId)> = db
        .all(
            named_sql!(
                "select c.id, l.account_id, c.line_id
                 from conversation c
                 join line l on l.id = c.line_id
                 where c.line_id in (select unhex(j.value->>0, '-') from json_each($1) j)"
            ),
            args(),
        )
        .await?;
    let found = accounts.into_iter().map(|(id, account)| (id.0, entry(account)));
    let found = found.chain(lines.into_iter().map(|(id, account)| (id.0, Entry { line_id: Some(id), ..entry(account) })));
    let found = found.chain(contacts.into_iter().map(|(id, account)| (id.0, Entry { subject_id: Some(id.0), ..entry(account) })));
    let found = found.chain(conversations.into_iter().map(|(id, account, line)| {
        let entry = Entry { line_id: Some(line), subject_id: Some(id.0), ..entry(account) };
        (id.0, entry)
    }));
    let found: Vec<(Uuid, Entry<'_>)> = found.collect();
    let (who, actor, mut due) = (member.id().0, member.actor(), Vec::new());
    for (id, entry) in found {
        let what = format!("denied reach {id}");
        if is_due(db, now, who, &what).await? {
            due.push((what, entry));
        }
    }
    if due.is_empty() {
        return Ok(());
    }
    db.work(async |tx| {
        for (what, entry) in due {
            if pause(tx, now, who, what).await? {
                record(tx, now, &actor, entry).await?;
            }
        }
        Ok(())
    })
    .await
}
