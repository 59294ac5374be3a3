//! Where what the audit tells of is looked at: the accounts, lines and other subjects of entries that have a page, for who reads them.
//!
//! The rule: a page is named to who may open it, as it is now: within the scope of the permission that the page asks for. Nothing is
//! named that is gone, or that has moved to an account that its reader does not look after.

use super::{Member, Permit, may};
use crate::db::{Db, Result, json};
use crate::types::{
    AccountId, AuditEntry, AuditSubject, BlastId, ConnectionId, ContactId, ConversationId, ErasureId, LineId, RoleId, RunId, StaffId,
    UserId,
};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The pages that entries of the audit lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Of these accounts.
    pub accounts: HashSet<AccountId>,
    /// Of these lines.
    pub lines: HashSet<LineId>,
    /// Of these subjects, by the id that the entry has.
    pub subjects: HashMap<Uuid, AuditSubject>,
}

/// What kind of row an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Contact,
    Conversation,
    Blast,
    Connection,
    Run,
    Erasure,
    Member,
    Role,
}

/// What an action may be about. Consent is that of a contact or of a conversation, as it was come to.
fn kinds(action: &str) -> &'static [Kind] {
    match action.split_once('.').unwrap_or((action, "")) {
        ("user", _) | ("line", "access") => &[Kind::User],
        ("contact", "ask_erasure" | "see_erasure" | "erase") => &[Kind::Erasure],
        ("contact", _) => &[Kind::Contact],
        ("consent", _) => &[Kind::Contact, Kind::Conversation],
        ("conversation" | "message", _) => &[Kind::Conversation],
        ("blast", _) => &[Kind::Blast],
        ("connection", _) | ("account", "connect") => &[Kind::Connection],
        ("utility", _) | ("line", "transfer" | "transfer_done") => &[Kind::Run],
        ("staff", _) => &[Kind::Member],
        ("role", _) => &[Kind::Role],
        ("access", "reach") => &[Kind::Contact, Kind::Conversation],
        _ => &[],
    }
}

/// Ids as a statement takes them: a row each, and nothing when there are none.
pub(super) fn listed<T: Serialize>(ids: impl Iterator<Item = T>) -> Option<String> {
    let ids: Vec<[T; 1]> = ids.map(|id| [id]).collect();
    (!ids.is_empty()).then(|| json(&ids))
}

/// The pages of what these entries are about that the member may open.
///
/// # Errors
/// What the database says.
pub async fn places(db: &Db, member: &Member, entries: &[AuditEntry]) -> Result<Places> {
    let of = |kind: Kind| {
        let about = entries.iter().filter(move |entry| kinds(&entry.row.action).contains(&kind));
        listed(about.filter_map(|entry| entry.subject).collect::<HashSet<_>>().into_iter())
    };
    let mut found = Places::default();
    if let Some(permit) = member.permit_if_any::<may::SeeDirectory>() {
        found.accounts = accounts(db, &permit, entries).await?;
        found.lines = lines(db, &permit, entries).await?;
        if let Some(ids) = of(Kind::User) {
            found.subjects.extend(users(db, &permit, ids).await?);
        }
        if let Some(ids) = of(Kind::Contact) {
            found.subjects.extend(contacts(db, &permit, ids).await?);
        }
        if let Some(ids) = of(Kind::Connection) {
            found.subjects.extend(connections(db, &permit, ids).await?);
        }
    }
    if let Some(permit) = member.permit_if_any::<may::SeeMessages>() {
        if let Some(ids) = listed_by_line(entries, Kind::Conversation) {
            found.subjects.extend(conversations(db, &permit, ids).await?);
        }
        if let Some(ids) = listed_by_line(entries, Kind::Blast) {
            found.subjects.extend(blasts(db, &permit, ids).await?);
        }
    }
    if let (Some(permit), Some(ids)) = (member.permit_if_any::<may::SeeRuns>(), of(Kind::Run)) {
        found.subjects.extend(runs(db, &permit, ids).await?);
    }
    if let (Some(permit), Some(ids)) = (member.permit_if_any::<may::ManagePersonalData>(), of(Kind::Erasure)) {
        found.subjects.extend(erasures(db, &permit, ids).await?);
    }
    if let Some(permit) = member.permit_if_any::<may::SeeStaff>() {
        if let Some(ids) = of(Kind::Member) {
            found.subjects.extend(members(db, &permit, ids).await?);
        }
        if let Some(ids) = of(Kind::Role) {
            found.subjects.extend(roles(db, &permit, ids).await?);
        }
    }
    Ok(found)
}

async fn accounts(db: &Db, permit: &Permit<may::SeeDirectory>, entries: &[AuditEntry]) -> Result<HashSet<AccountId>> {
    let scope = permit.scope();
    let ids: HashSet<AccountId> = entries.iter().filter_map(|entry| Some(entry.account.as_ref()?.0)).collect();
    let Some(ids) = listed(ids.into_iter()) else { return Ok(HashSet::new()) };
    let rows: Vec<(AccountId,)> = db
        .all(
            "select a.id
             from account a
             where a.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and ($2 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

async fn lines(db: &Db, permit: &Permit<may::SeeDirectory>, entries: &[AuditEntry]) -> Result<HashSet<LineId>> {
    let scope = permit.scope();
    let ids: HashSet<LineId> = entries.iter().filter_map(|entry| Some(entry.line.as_ref()?.0)).collect();
    let Some(ids) = listed(ids.into_iter()) else { return Ok(HashSet::new()) };
    let rows: Vec<(LineId,)> = db
        .all(
            "select l.id
             from line l
             where l.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

async fn users(db: &Db, permit: &Permit<may::SeeDirectory>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let scope = permit.scope();
    let rows: Vec<(UserId, String)> = db
        .all(
            "select u.id, u.name
             from account_user u
             where u.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and ($2 or u.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(id, name)| (id.0, AuditSubject::User(id, name))).collect())
}

async fn contacts(db: &Db, permit: &Permit<may::SeeDirectory>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let scope = permit.scope();
    let rows: Vec<(ContactId,)> = db
        .all(
            "select k.id
             from contact k
             where k.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and ($2 or k.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| (id.0, AuditSubject::Contact(id))).collect())
}

async fn connections(db: &Db, permit: &Permit<may::SeeDirectory>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let scope = permit.scope();
    let rows: Vec<(ConnectionId,)> = db
        .all(
            "select c.id
             from connection c
             where c.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and ($2 or c.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| (id.0, AuditSubject::Connection(id))).collect())
}

/// Lines and ids of subjects that are kept by both; an entry that names no line leads nowhere.
fn listed_by_line(entries: &[AuditEntry], kind: Kind) -> Option<String> {
    let about = entries.iter().filter(|entry| kinds(&entry.row.action).contains(&kind));
    let ids: HashSet<(LineId, Uuid)> = about.filter_map(|entry| Some((entry.line.as_ref()?.0, entry.subject?))).collect();
    (!ids.is_empty()).then(|| json(&ids.into_iter().collect::<Vec<_>>()))
}

async fn conversations(db: &Db, permit: &Permit<may::SeeMessages>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let scope = permit.scope();
    let rows: Vec<(LineId, ConversationId)> = db
        .all(
            "select c.line_id, c.id
             from json_each($1) j
             cross join conversation c
             join line l on l.id = c.line_id
             where c.line_id = unhex(j.value->>0, '-') and c.id = unhex(j.value->>1, '-')
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(line, id)| (id.0, AuditSubject::Conversation(line, id))).collect())
}

async fn blasts(db: &Db, permit: &Permit<may::SeeMessages>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let scope = permit.scope();
    let rows: Vec<(LineId, BlastId)> = db
        .all(
            "select b.line_id, b.id
             from json_each($1) j
             cross join blast b
             join line l on l.id = b.line_id
             where b.line_id = unhex(j.value->>0, '-') and b.id = unhex(j.value->>1, '-')
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(line, id)| (id.0, AuditSubject::Blast(line, id))).collect())
}

/// A run is seen by who may see runs of one of its accounts; a plan by its planner alone.
async fn runs(db: &Db, permit: &Permit<may::SeeRuns>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let scope = permit.scope();
    let rows: Vec<(RunId,)> = db
        .all(
            "select r.id
             from utility_run r
             where r.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and (r.state <> 'planned' or r.asked_by = $3)
               and ($2 or r.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4)
                 or r.target_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| (id.0, AuditSubject::Run(id))).collect())
}

async fn erasures(db: &Db, permit: &Permit<may::ManagePersonalData>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let scope = permit.scope();
    let rows: Vec<(ErasureId,)> = db
        .all(
            "select e.id
             from erasure e
             where e.id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and ($2 or e.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (ids, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| (id.0, AuditSubject::Erasure(id))).collect())
}

/// Staff are nobody's account: who sees them sees them all.
async fn members(db: &Db, _permit: &Permit<may::SeeStaff>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let rows: Vec<(StaffId, String)> = db
        .all(
            "select m.id, m.name
             from staff_member m
             where m.id in (select unhex(j.value->>0, '-') from json_each($1) j)",
            [ids],
        )
        .await?;
    Ok(rows.into_iter().map(|(id, name)| (id.0, AuditSubject::Member(id, name))).collect())
}

async fn roles(db: &Db, _permit: &Permit<may::SeeStaff>, ids: String) -> Result<Vec<(Uuid, AuditSubject)>> {
    let rows: Vec<(RoleId, String)> = db
        .all(
            "select r.id, r.name
             from role r
             where r.id in (select unhex(j.value->>0, '-') from json_each($1) j)",
            [ids],
        )
        .await?;
    Ok(rows.into_iter().map(|(id, name)| (id.0, AuditSubject::Role(id, name))).collect())
}
