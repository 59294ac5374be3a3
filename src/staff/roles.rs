//! Roles: named sets of permissions, on all accounts or on named ones, edited as a whole.
//!
//! The rule: nobody hands out more than they may do themselves, on all accounts; and what makes others more powerful waits for a second
//! person.

use super::approvals::{self, Wish};
use super::invite::void_weaker_links;
use super::members::{authority, leaving_somebody};
use super::{Actor, Entry, Member, Permit, Proof, may, record};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::types::{AccountId, Holder, Holders, Holds, Outcome, Permission, Problem, RoleDetail, RoleId, RoleMatrix, RoleRow, StaffId};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How many of a list are named.
const NAMED: usize = 20;

/// What a role is to be from now on, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleEdit {
    /// The role.
    pub role: RoleId,
    /// Its version when the editor saw it.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// The accounts it holds on; `None` for all.
    pub accounts: Option<Vec<AccountId>>,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

/// The roles and rules that an editor leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The roles that change.
    pub roles: Vec<RoleEdit>,
    /// What only somebody with a second factor may do; `None` leaves it as it is.
    pub second_factor: Option<Vec<Permission>>,
}

/// The roles, by name.
///
/// # Errors
/// What the database says.
pub async fn list(db: &Db) -> Result<Vec<RoleRow>> {
    let permissions = permissions(db).await?;
    let rows: Vec<(RoleId, String, bool)> = db.all("select id, name, everywhere from role order by name", ()).await?;
    Ok(rows.into_iter().map(|(id, name, everywhere)| row(id, name, everywhere, &permissions)).collect())
}

fn row(id: RoleId, name: String, everywhere: bool, permissions: &[(RoleId, Permission)]) -> RoleRow {
    let dangerous = permissions.iter().any(|(role, permission)| *role == id && permission.is_dangerous());
    RoleRow { id, name, everywhere, dangerous }
}

/// What each role allows, in the order of the matrix. A word of a newer or older program is left out.
async fn permissions(db: &Db) -> Result<Vec<(RoleId, Permission)>> {
    let rows: Vec<(RoleId, String)> = db.all("select role_id, permission from role_permission", ()).await?;
    let mut known: Vec<_> = rows.into_iter().filter_map(|(role, word)| Some((role, word.parse::<Permission>().ok()?))).collect();
    known.sort_by_key(|(_, permission)| *permission);
    Ok(known)
}

/// The roles of a member.
///
/// # Errors
/// What the database says.
pub(super) async fn of_member(tx: &mut Tx, id: StaffId) -> Result<Vec<RoleId>> {
    let rows: Vec<(RoleId,)> = tx.all("select role_id from staff_role where staff_id = $1", [id]).await?;
    Ok(rows.into_iter().map(|(role,)| role).collect())
}

/// A member who has a role and is not disabled.
#[derive(sqlx::FromRow)]
struct Bearer {
    role_id: RoleId,
    id: StaffId,
    name: String,
    has_joined: bool,
    has_second_factor: bool,
}

/// Who has a permission, of members by name, each with all of their roles side by side; `is_ruled` when it needs a second factor.
fn holders(permission: Permission, is_ruled: bool, roles: &[RoleDetail], bearers: &[Bearer]) -> Holders {
    // What is about no account is not given on some.
    let gives = |role: &&RoleDetail| role.permissions.contains(&permission) && (role.row.everywhere || !permission.is_of_platform());
    let giving: Vec<RoleId> = roles.iter().filter(gives).map(|role| role.row.id).collect();
    let holder = |of_one: &[Bearer]| {
        let member = of_one.first()?;
        let roles: Vec<RoleId> = giving.iter().copied().filter(|role| of_one.iter().any(|bearer| bearer.role_id == *role)).collect();
        let holds = match (member.has_joined, member.has_second_factor || !is_ruled) {
            (false, _) => Holds::OnceJoined,
            (true, false) => Holds::OnceSecondFactor,
            (true, true) => Holds::Now,
        };
        (!roles.is_empty()).then(|| Holder { id: member.id, name: member.name.clone(), roles, holds })
    };
    let mut first: Vec<Holder> = bearers.chunk_by(|one, next| one.id == next.id).filter_map(holder).collect();
    let (all, now) = (first.len(), first.iter().filter(|holder| holder.holds == Holds::Now).count());
    first.sort_by_key(|holder| holder.holds != Holds::Now);
    first.truncate(NAMED);
    Holders { permission, now, later: all - now, more: all - first.len(), first }
}

/// Roles and what they allow, with who has each role and each permission.
///
/// # Errors
/// What the database says.
pub async fn matrix(db: &Db, _permit: &Permit<may::SeeStaff>) -> Result<RoleMatrix> {
    let permissions = permissions(db).await?;
    let rows: Vec<(RoleId, String, bool, i64)> = db.all("select id, name, everywhere, version from role order by name", ()).await?;
    let accounts: Vec<(RoleId, AccountId, String)> = db
        .all("select ra.role_id, a.id, a.name from role_account ra join account a on a.id = ra.account_id order by a.name, a.id", ())
        .await?;
    let bearers: Vec<Bearer> = db
        .all(
            "select sr.role_id, m.id, m.name, m.password_hash is not null as has_joined, m.second_factor is not null as has_second_factor
             from staff_role sr
             join staff_member m on m.id = sr.staff_id and m.disabled_at is null
             order by m.name, m.id",
            (),
        )
        .await?;
    let roles: Vec<RoleDetail> = rows
        .into_iter()
        .map(|(id, name, everywhere, version)| RoleDetail {
            row: row(id, name, everywhere, &permissions),
            version,
            permissions: permissions.iter().filter(|(role, _)| *role == id).map(|(_, permission)| *permission).collect(),
            accounts: accounts.iter().filter(|(role, ..)| *role == id).map(|(_, id, name)| (*id, name.clone())).collect(),
            members: bearers.iter().filter(|bearer| bearer.role_id == id).map(|bearer| (bearer.id, bearer.name.clone())).collect(),
        })
        .collect();
    let rules: Vec<(String,)> = db.all("select permission from second_factor_rule order by permission", ()).await?;
    let second_factor: Vec<Permission> = rules.into_iter().filter_map(|(word,)| word.parse().ok()).collect();
    let holders = Permission::ALL.iter().map(|of| holders(*of, second_factor.contains(of), &roles, &bearers)).collect();
    Ok(RoleMatrix { roles, second_factor, holders })
}

/// A role that is about to be given to somebody.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// Its name.
    pub name: String,
    /// Grows with each change of what it allows.
    pub version: i64,
    /// It holds dangerous permissions.
    pub dangerous: bool,
}

/// Whether a member may give this role to others: they may do all that it allows, on all accounts. To be asked in the transaction that
/// gives it, under [`authority`]: a role that becomes more powerful meanwhile is judged as what it has become.
///
/// # Errors
/// `NotFound` for an unknown role, `Forbidden` with what they may not do themselves.
pub(super) async fn may_hand_out(tx: &mut Tx, member: &Member, role: RoleId) -> Result<Given, Problem> {
    let found: Option<(String, i64)> = tx.opt("select name, version from role where id = $1", [role]).await?;
    let (name, version) = found.ok_or_else(no_such_role)?;
    let words: Vec<(String,)> = tx.all("select permission from role_permission where role_id = $1 order by permission", [role]).await?;
    let mut dangerous = false;
    for permission in words.into_iter().filter_map(|(word,)| word.parse::<Permission>().ok()) {
        may_pass_on(member, permission)?;
        dangerous |= permission.is_dangerous();
    }
    Ok(Given { name, version, dangerous })
}

fn may_pass_on(member: &Member, permission: Permission) -> Result<(), Problem> {
    if member.may_everywhere(permission) {
        return Ok(());
    }
    member.notebook().refused(permission);
    Err(Problem::forbidden(format!(
        "This would let somebody {}. You cannot hand that out, since you may not do it on all accounts yourself.",
        permission.sentence()
    )))
}

pub(super) fn no_such_role() -> Problem {
    Problem::not_found("There is no such role: it may have been removed. Roles lists them all.")
}

fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 60 {
        return Err(Problem::invalid("name", "Write a name of at most 60 characters."));
    }
    Ok(name.to_owned())
}

/// Adds a role that allows nothing yet and that nobody has.
///
/// # Errors
/// `Invalid` for a bad or taken name.
pub async fn add(db: &Db, now: &Now, permit: &Permit<may::ManageRoles>, _proof: Proof, name: &str) -> Result<RoleId, Problem> {
    let name = checked_name(name)?;
    let id = RoleId(now.id());
    db.work(async |tx| {
        let added = tx
            .run(
                "insert into role (id, name, everywhere, created_at, version) values ($1, $2, $3, $4, 1)",
                (id, name.clone(), true, now.at()),
            )
            .await;
        match added {
            Err(error) if is_duplicate(&error) => return Err(taken()),
            other => other?,
        };
        let entry = Entry { action: "role.add", subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, permit.actor(), entry.change((), json!({ "name": name }))).await?;
        Ok(id)
    })
    .await
}

fn taken() -> Problem {
    Problem::invalid("name", "There is a role of this name already. Choose another name.")
}

/// Removes a role that nobody has.
///
/// # Errors
/// `NotFound`, or `Conflict` while somebody has it.
pub async fn remove(db: &Db, now: &Now, permit: &Permit<may::ManageRoles>, _proof: Proof, id: RoleId) -> Result<(), Problem> {
    db.work(async |tx| {
        authority(tx).await?;
        let found: Option<(String,)> = tx.opt("select name from role where id = $1", [id]).await?;
        let (name,) = found.ok_or_else(no_such_role)?;
        let (members,): (i64,) = tx.one("select count(*) from staff_role where role_id = $1", [id]).await?;
        if members > 0 {
            return Err(Problem::conflict(format!("{members} members have this role, disabled ones too. Take it from them first.")));
        }
        super::views::forget_role(tx, id).await?;
        tx.run("delete from role_permission where role_id = $1", [id]).await?;
        tx.run("delete from role_account where role_id = $1", [id]).await?;
        tx.run("delete from role where id = $1", [id]).await?;
        let entry = Entry { action: "role.remove", subject_id: Some(id.0), ..Entry::default() };
        Ok(record(tx, now, permit.actor(), entry.change(json!({ "name": name }), ())).await?)
    })
    .await
}

/// A role as it stands, for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    name: String,
    accounts: Option<Vec<AccountId>>,
    permissions: Vec<Permission>,
    members: i64,
}

async fn standing(tx: &mut Tx, edit: &RoleEdit) -> Result<Standing, Problem> {
    let found: Option<(String, bool, i64)> = tx.opt("select name, everywhere, version from role where id = $1", [edit.role]).await?;
    let (name, everywhere, version) = found.ok_or_else(no_such_role)?;
    if version != edit.version {
        return Err(Problem::conflict(format!(
            "Somebody changed the role {name} while you were looking at it. Nothing of yours was changed: look again, then decide."
        )));
    }
    let accounts: Vec<(AccountId,)> =
        tx.all("select account_id from role_account where role_id = $1 order by account_id", [edit.role]).await?;
    let words: Vec<(String,)> = tx.all("select permission from role_permission where role_id = $1", [edit.role]).await?;
    let mut permissions: Vec<Permission> = words.into_iter().filter_map(|(word,)| word.parse().ok()).collect();
    permissions.sort_unstable();
    let (members,): (i64,) = tx.one("select count(*) from staff_role where role_id = $1", [edit.role]).await?;
    let accounts = (!everywhere).then(|| accounts.into_iter().map(|(account,)| account).collect());
    Ok(Standing { name, accounts, permissions, members })
}

impl RoleEdit {
    /// Whether somebody becomes more powerful by it in a dangerous way.
    fn is_dangerous(&self, before: &Standing) -> bool {
        let gains = self.permissions.iter().any(|p| p.is_dangerous() && !before.permissions.contains(p));
        before.members > 0 && (gains || (self.is_wider(before) && self.permissions.iter().any(|p| p.is_dangerous())))
    }

    /// Whether it holds on accounts on which it did not hold.
    fn is_wider(&self, before: &Standing) -> bool {
        match (&before.accounts, &self.accounts) {
            (Some(_), None) => true,
            (Some(before), Some(after)) => after.iter().any(|account| !before.contains(account)),
            (None, _) => false,
        }
    }

    /// Whether who has it may do more by it.
    fn allows_more(&self, before: &Standing) -> bool {
        self.is_wider(before) || self.permissions.iter().any(|p| !before.permissions.contains(p))
    }

    /// Whether a member may make it so: they may do, on all accounts, whatever somebody gains by it.
    fn may_be_made_by(&self, member: &Member, before: &Standing) -> Result<(), Problem> {
        let is_elsewhere = before.accounts != self.accounts;
        let mut gained = self.permissions.iter().filter(|p| is_elsewhere || !before.permissions.contains(p));
        gained.try_for_each(|permission| may_pass_on(member, *permission))
    }
}

/// Who may do more by it: they have a role that will allow what none of their roles allows on all accounts.
///
/// # Errors
/// `Conflict` when a role has changed since, `NotFound` when there is none any more.
pub(super) async fn gainers(tx: &mut Tx, wanted: &Edit) -> Result<Vec<StaffId>, Problem> {
    let mut gainers = Vec::new();
    for role in &wanted.roles {
        let before = standing(tx, role).await?;
        let is_wider = role.is_wider(&before);
        for permission in role.permissions.iter().filter(|p| is_wider || !before.permissions.contains(p)) {
            let rows: Vec<(StaffId,)> = tx
                .all(
                    "select sr.staff_id
                     from staff_role sr
                     where sr.role_id = $1
                       and not exists (select 1
                                       from staff_scope_role s
                                       join role r on r.id = s.role_id and r.everywhere
                                       where s.staff_id = sr.staff_id and s.permission = $2)",
                    (role.role, permission.as_str()),
                )
                .await?;
            gainers.extend(rows.into_iter().map(|(member,)| member));
        }
    }
    Ok(gainers)
}

/// Changes roles and the rule of the second factor, all or nothing. What makes members more powerful in a dangerous way waits for a
/// second person, while there is one.
///
/// # Errors
/// `Conflict` when somebody was first or nobody would be left in charge, `Forbidden` when it hands out more than one may oneself,
/// `Invalid` for a bad or taken name, an unknown account, or without a note where a second person is needed.
pub async fn edit(db: &Db, now: &Now, member: &Member, _proof: Proof, wanted: Edit, note: &str) -> Result<Outcome, Problem> {
    let permit = member.permit::<may::ManageRoles>()?;
    let mut wanted = wanted;
    for role in &mut wanted.roles {
        role.name = checked_name(&role.name)?;
        role.permissions.sort_unstable();
        role.permissions.dedup();
        if let Some(accounts) = &mut role.accounts {
            accounts.sort_unstable();
            accounts.dedup();
            if accounts.is_empty() {
                return Err(Problem::invalid("accounts", "Name at least one account, or let the role hold on all."));
            }
        }
    }
    db.work(async |tx| {
        // Whoever is given one of the roles at this moment counts.
        authority(tx).await?;
        let (mut changed, mut dangerous, mut words) = (Vec::new(), false, Vec::new());
        for role in wanted.roles {
            let before = standing(tx, &role).await?;
            let same = before.name == role.name && before.accounts == role.accounts && before.permissions == role.permissions;
            if same {
                continue;
            }
            role.may_be_made_by(member, &before)?;
            dangerous |= role.is_dangerous(&before);
            words.push(role_in_words(tx, &role, &before).await?);
            changed.push(role);
        }
        let rules = rules(tx).await?;
        let second_factor =
            wanted.second_factor.filter(|wanted| wanted.iter().any(|p| !rules.contains(p)) || rules.iter().any(|p| !wanted.contains(p)));
        dangerous |= second_factor.as_ref().is_some_and(|wanted| rules.iter().any(|p| !wanted.contains(p)));
        if changed.is_empty() && second_factor.is_none() {
            return Err(Problem::invalid("", "Nothing was changed: it is as it was."));
        }
        let wanted = Edit { roles: changed, second_factor };
        if dangerous && approvals::is_needed(tx, now, permit.actor()).await? {
            words.extend(wanted.second_factor.as_deref().map(|wanted| rules_in_words(wanted, &rules)));
            let summary = words.join(". ");
            return Ok(Outcome::Waits(approvals::ask(tx, now, permit.actor(), None, summary, &Wish::EditRoles(wanted), note).await?));
        }
        change(tx, now, member, permit.actor(), wanted).await?;
        Ok(Outcome::Done)
    })
    .await
}

fn names_of<'a>(permissions: impl IntoIterator<Item = &'a Permission>) -> String {
    permissions.into_iter().map(|permission| permission.name()).collect::<Vec<_>>().join(", ")
}

/// What a role gains and loses, so that the second person knows what they agree to.
async fn role_in_words(tx: &mut Tx, role: &RoleEdit, before: &Standing) -> Result<String> {
    let mut parts = Vec::new();
    let gained = names_of(role.permissions.iter().filter(|p| !before.permissions.contains(p)));
    let lost = names_of(before.permissions.iter().filter(|p| !role.permissions.contains(p)));
    for (what, permissions) in [("gains", gained), ("loses", lost)] {
        if !permissions.is_empty() {
            parts.push(format!("{what} {permissions}"));
        }
    }
    if before.accounts != role.accounts {
        parts.push(match &role.accounts {
            None => "holds on all accounts".to_owned(),
            Some(accounts) => {
                let names: Vec<(String,)> = tx
                    .all(
                        "select a.name from json_each($1) j join account a on a.id = unhex(j.value->>0, '-') order by a.name",
                        [json!(accounts.iter().map(|account| [account]).collect::<Vec<_>>()).to_string()],
                    )
                    .await?;
                format!("holds on {}", some_of(names.into_iter().map(|(name,)| name).collect()))
            }
        });
    }
    if before.name != role.name {
        parts.push(format!("is called {}", role.name));
    }
    let who = if before.members == 1 { "1 member has it".to_owned() } else { format!("{} members have it", before.members) };
    Ok(format!("The role {} ({who}) {}", before.name, parts.join("; ")))
}

/// The first names of a list, and how many more there are.
pub(crate) fn some_of(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let named = names.join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

fn rules_in_words(wanted: &[Permission], now: &[Permission]) -> String {
    let part = |what: &str, permissions: String| if permissions.is_empty() { None } else { Some(format!("{what} {permissions}")) };
    let more = part("is needed for", names_of(wanted.iter().filter(|p| !now.contains(p))));
    let less = part("is needed no more for", names_of(now.iter().filter(|p| !wanted.contains(p))));
    format!("A second factor {}", more.into_iter().chain(less).collect::<Vec<_>>().join(", and "))
}

async fn rules(tx: &mut Tx) -> Result<Vec<Permission>> {
    let words: Vec<(String,)> = tx.all("select permission from second_factor_rule", ()).await?;
    Ok(words.into_iter().filter_map(|(word,)| word.parse().ok()).collect())
}

/// Who has the role, and a link that nobody has used yet.
async fn with_open_links(tx: &mut Tx, now: &Now, role: RoleId) -> Result<Vec<StaffId>> {
    let rows: Vec<(StaffId,)> = tx
        .all(
            "select distinct i.staff_id
             from invitation i
             join staff_role sr on sr.staff_id = i.staff_id
             where sr.role_id = $1 and i.used_at is null and i.expires_at > $2
             order by i.staff_id",
            (role, now.at()),
        )
        .await?;
    Ok(rows.into_iter().map(|(member,)| member).collect())
}

/// Changes the roles, as was decided, by what who asked may hand out by now. Links that were made when a role allowed less are void.
///
/// # Errors
/// `Conflict` when a role has changed since, or nobody would be left in charge; `Forbidden` when it hands out more than `asker` may;
/// `Invalid` when a name is taken by now.
pub(super) async fn change(tx: &mut Tx, now: &Now, asker: &Member, actor: &Actor, wanted: Edit) -> Result<(), Problem> {
    leaving_somebody(tx, now, actor, async |tx| {
        for role in &wanted.roles {
            let before = standing(tx, role).await?;
            role.may_be_made_by(asker, &before)?;
            let renamed = tx
                .run(
                    "update role set name = $3, everywhere = $4, version = version + 1 where id = $1 and version = $2",
                    (role.role, role.version, role.name.clone(), role.accounts.is_none()),
                )
                .await;
            match renamed {
                Err(error) if is_duplicate(&error) => return Err(taken()),
                other => other?,
            };
            tx.run("delete from role_account where role_id = $1", [role.role]).await?;
            for account in role.accounts.iter().flatten() {
                let named = tx
                    .run("insert into role_account (role_id, account_id) select $1, id from account where id = $2", (role.role, *account))
                    .await?;
                if named == 0 {
                    return Err(Problem::invalid("accounts", "One of the accounts does not exist any more."));
                }
            }
            // Words of a newer program stay.
            for permission in before.permissions.iter().filter(|p| !role.permissions.contains(p)) {
                let word = permission.as_str();
                tx.run("delete from role_permission where role_id = $1 and permission = $2", (role.role, word)).await?;
            }
            for permission in role.permissions.iter().filter(|p| !before.permissions.contains(p)) {
                let word = permission.as_str();
                tx.run("insert into role_permission (role_id, permission) values ($1, $2)", (role.role, word)).await?;
            }
            if role.allows_more(&before) {
                for member in with_open_links(tx, now, role.role).await? {
                    void_weaker_links(tx, now, actor, member).await?;
                }
            }
            let entry = Entry { action: "role.edit", subject_id: Some(role.role.0), ..Entry::default() };
            let before = json!({ "name": before.name, "accounts": before.accounts, "permissions": before.permissions });
            let after = json!({ "name": role.name, "accounts": role.accounts, "permissions": role.permissions });
            record(tx, now, actor, entry.change(before, after)).await?;
        }
        if let Some(wanted) = &wanted.second_factor {
            let before = rules(tx).await?;
            tx.run("delete from second_factor_rule", ()).await?;
            for permission in wanted {
                tx.run("insert into second_factor_rule (permission) values ($1)", [permission.as_str()]).await?;
            }
            let entry = Entry { action: "role.second_factor", ..Entry::default() };
            record(tx, now, actor, entry.change(json!({ "permissions": before }), json!({ "permissions": wanted }))).await?;
        }
        Ok(())
    })
    .await
}
