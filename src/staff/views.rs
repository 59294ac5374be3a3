//! Lists as their readers arrange them: saved views, which are what a list is narrowed to, under a name, for oneself or shared with a role;
//! and the columns that somebody has chosen.
//!
//! The rule: a view keeps the fields that its list is known to have and nothing else, so nothing of contacts; and it shows its reader only
//! what they may see anyway.

use super::roles::no_such_role;
use super::{Entry, Member, record};
use crate::clock::Now;
use crate::db::{Db, Result as Done, Tx, is_duplicate, json};
use crate::staff::may;
use crate::types::{Arrangement, ListKind, Permission, Problem, RoleId, SavedView, StaffId, ViewField, ViewId, without_numbers};
use serde_json::{Value, json};

/// So many views of a list somebody saves.
const MOST: i64 = 50;
/// A field's value is not longer.
const LONGEST: usize = 200;

#[derive(sqlx::FromRow)]
struct Row {
    id: ViewId,
    staff_id: StaffId,
    name: String,
    fields: String,
    role: Option<String>,
    version: i64,
}

impl Row {
    fn shown(self, member: &Member) -> SavedView {
        let may_change = if self.role.is_some() { may_share(member) } else { self.staff_id == member.id() };
        SavedView {
            id: self.id,
            name: self.name,
            fields: serde_json::from_str(&self.fields).unwrap_or_default(),
            shared_with: self.role,
            may_change,
            version: self.version,
        }
    }
}

fn may_share(member: &Member) -> bool {
    member.signed_in().may(Permission::ManageRoles)
}

/// A list as the member has arranged it: their views, those that are shared with their roles, and the columns that they have chosen.
///
/// # Errors
/// What the database says.
pub async fn read(db: &Db, member: &Member, list: ListKind) -> Done<Arrangement> {
    let rows: Vec<Row> = db
        .all(
            "select v.id, v.staff_id, v.name, v.fields, r.name as role, v.version
             from saved_view v
             left join role r on r.id = v.role_id
             where v.list = $2 and (v.staff_id = $1 or v.role_id in (select role_id from staff_role where staff_id = $1))
             order by v.name, v.id",
            (member.id(), list),
        )
        .await?;
    let roles: Vec<(RoleId, String)> =
        if may_share(member) { db.all("select id, name from role order by name, id", ()).await? } else { Vec::new() };
    let columns: Option<(String,)> =
        db.opt("select columns from list_setting where staff_id = $1 and list = $2", (member.id(), list)).await?;
    Ok(Arrangement {
        views: rows.into_iter().map(|row| row.shown(member)).collect(),
        roles,
        columns: columns.and_then(|(columns,)| serde_json::from_str(&columns).ok()),
    })
}

/// Chooses the columns of a list for oneself; words that the list does not have are left out.
///
/// # Errors
/// What the database says.
pub async fn choose_columns(db: &Db, member: &Member, list: ListKind, words: &[String]) -> Done<()> {
    let words: Vec<&str> = list.shown(Some(words)).into_iter().map(|column| column.word).collect();
    db.work(async |tx| {
        tx.run(
            "insert into list_setting (staff_id, list, columns) values ($1, $2, $3)
             on conflict (staff_id, list) do update set columns = excluded.columns",
            (member.id(), list, json(&words)),
        )
        .await
        .map(|_| ())
    })
    .await
}

fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 40 || name.chars().any(char::is_control) {
        return Err(Problem::invalid("name", "Write a name of at most 40 characters."));
    }
    Ok(name.to_owned())
}

/// What a view keeps, in the list's order; empty values and unknown fields are left out.
fn kept(list: ListKind, fields: &[ViewField]) -> Result<Vec<ViewField>, Problem> {
    let known = list.saved();
    let value = |name: &str| fields.iter().find(|(field, value)| field == name && !value.is_empty()).map(|(_, value)| value.clone());
    let kept: Vec<ViewField> = known.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect();
    if kept.is_empty() {
        return Err(Problem::invalid("", "There is nothing of it to be kept. Narrow the list or sort it first."));
    }
    if kept.iter().any(|(name, value)| name == "q" && without_numbers(value) != *value) {
        return Err(Problem::invalid("name", "A view keeps no phone numbers. Search for a label, an account or fewer digits."));
    }
    if kept.iter().any(|(_, value)| value.chars().count() > LONGEST) {
        return Err(Problem::invalid("", "What is searched for is too long to be kept."));
    }
    Ok(kept)
}

fn entry(action: &'static str, id: ViewId) -> Entry<'static> {
    Entry { action, subject_id: Some(id.0), ..Entry::default() }
}

fn name_is_taken() -> Problem {
    Problem::invalid("name", "You have a view of this name already. Choose another name.")
}

/// Saves a view, for oneself or for who has a role.
///
/// # Errors
/// `Invalid` for a bad or taken name, `Forbidden` to share without the permission to manage roles, `NotFound` for an unknown role.
pub async fn save(
    db: &Db,
    now: &Now,
    member: &Member,
    list: ListKind,
    name: &str,
    fields: &[ViewField],
    role: Option<RoleId>,
) -> Result<ViewId, Problem> {
    let (name, fields) = (checked_name(name)?, kept(list, fields)?);
    if role.is_some() {
        member.permit::<may::ManageRoles>()?;
    }
    let id = ViewId(now.id());
    db.work(async |tx| {
        let (count,): (i64,) = tx.one("select count(*) from saved_view where staff_id = $1 and list = $2", (member.id(), list)).await?;
        if count >= MOST {
            return Err(Problem::conflict(format!("You have {MOST} views of this list already. Delete one first.")));
        }
        let shared_with = match role {
            Some(role) => Some(role_name(tx, role).await?),
            None => None,
        };
        let saved = tx
            .run(
                "insert into saved_view (id, staff_id, role_id, list, name, fields, created_at, version)
                 values ($1, $2, $3, $4, $5, $6, $7, 1)",
                (id, member.id(), role, list, name.clone(), json(&fields), now.at()),
            )
            .await;
        match saved {
            Err(error) if is_duplicate(&error) => return Err(name_is_taken()),
            other => other?,
        };
        let after = json!({ "name": name, "list": list, "role": shared_with });
        record(tx, now, &member.actor(), entry("view.save", id).change((), after)).await?;
        Ok(id)
    })
    .await
}

async fn role_name(tx: &mut Tx, role: RoleId) -> Result<String, Problem> {
    let found: Option<(String,)> = tx.opt("select name from role where id = $1", [role]).await?;
    found.map(|(name,)| name).ok_or_else(no_such_role)
}

/// The view as it was seen at `version`, if the member may change it: its name, and the role that it is shared with. Its row is locked.
async fn take(tx: &mut Tx, member: &Member, id: ViewId, version: i64) -> Result<(String, Option<RoleId>), Problem> {
    let found: Option<(StaffId, String, Option<RoleId>, i64)> =
        tx.opt("update saved_view set version = version + 1 where id = $1 returning staff_id, name, role_id, version", [id]).await?;
    let none = || Problem::not_found("There is no such view, or it is somebody else’s.");
    let (owner, name, role, now) = found.ok_or_else(none)?;
    if role.is_some() {
        member.permit::<may::ManageRoles>()?;
    } else if owner != member.id() {
        return Err(none());
    }
    if now != version + 1 {
        return Err(Problem::conflict("Somebody changed this view while you were looking at it. Reload the page, then decide."));
    }
    Ok((name, role))
}

/// Gives a view another name.
///
/// # Errors
/// `Invalid` for a bad or taken name, `NotFound` for somebody else's, `Forbidden` for a shared one without the permission to manage roles,
/// `Conflict` when somebody was first.
pub async fn rename(db: &Db, now: &Now, member: &Member, id: ViewId, version: i64, name: &str) -> Result<(), Problem> {
    let name = checked_name(name)?;
    db.work(async |tx| {
        let (was, _) = take(tx, member, id, version).await?;
        match tx.run("update saved_view set name = $2 where id = $1", (id, name.clone())).await {
            Err(error) if is_duplicate(&error) => return Err(name_is_taken()),
            other => other?,
        };
        let entry = entry("view.rename", id).change(json!({ "name": was }), json!({ "name": name }));
        Ok(record(tx, now, &member.actor(), entry).await?)
    })
    .await
}

/// Deletes a view.
///
/// # Errors
/// As [`rename`].
pub async fn remove(db: &Db, now: &Now, member: &Member, id: ViewId, version: i64) -> Result<(), Problem> {
    db.work(async |tx| {
        let (was, _) = take(tx, member, id, version).await?;
        tx.run("delete from saved_view where id = $1", [id]).await?;
        let entry = entry("view.remove", id).change(json!({ "name": was }), Value::Null);
        Ok(record(tx, now, &member.actor(), entry).await?)
    })
    .await
}

/// A role is removed: nobody has it, so nobody misses the views that were shared with it.
///
/// # Errors
/// What the database says.
pub(super) async fn forget_role(tx: &mut Tx, role: RoleId) -> Done<()> {
    tx.run("delete from saved_view where role_id = $1", [role]).await.map(|_| ())
}
