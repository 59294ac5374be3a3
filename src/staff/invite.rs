//! How members come: an invitation is a one-time link, valid for a day, by which they choose their password themselves.
//!
//! The rule: a link opens what it was judged for when it was made. When its member may do more from then on, is disabled, or is made
//! another one, it is void.

use super::approvals::{self, Wish};
use super::machines::refused_link;
use super::members::authority;
use super::{Actor, Chosen, Entry, Member, Passwords, Proof, Step, end_sessions, hash_token, may, record, roles, second_factor};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::types::{ApprovalId, Change, Permission, Problem, RoleId, StaffId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;

/// How long an invitation is good for.
const VALID: Duration = Duration::from_secs(24 * 60 * 60);

/// The built-in roles and what each allows.
const ROLES: [(&str, &[Permission]); 3] = [
    ("Viewer", &[Permission::SeeDirectory, Permission::SeeMessages]),
    (
        "Support",
        &[
            Permission::SeeDirectory,
            Permission::SeeMessages,
            Permission::SeePersonalData,
            Permission::ManageDirectory,
            Permission::SetIntegrationType,
            Permission::SendMessages,
            Permission::ManageSync,
            Permission::SeeRuns,
        ],
    ),
    ("Administrator", Permission::ALL),
];

/// A member who was invited, and the secret of the link: shown once, stored as a hash.
#[derive(Debug, Clone)]
pub struct Invited {
    /// The member.
    pub id: StaffId,
    /// The token for `/invitation?token=…`.
    pub token: String,
    /// The role waits for a second person; until then they have none.
    pub waits: Option<ApprovalId>,
}

async fn ensure_roles(tx: &mut Tx, now: &Now) -> Result<()> {
    for (name, permissions) in ROLES {
        let made = tx
            .run(
                "insert into role (id, name, everywhere, created_at) values ($1, $2, $3, $4) on conflict (name) do nothing",
                (now.id(), name.to_owned(), true, now.at()),
            )
            .await?;
        if made == 0 {
            continue;
        }
        for permission in permissions {
            tx.run(
                "insert into role_permission (role_id, permission) select id, $2 from role where name = $1",
                (name.to_owned(), permission.as_str()),
            )
            .await?;
        }
    }
    Ok(())
}

/// Adds a link in place of those that are open; `lost_second_factor` has it take the second factor away when it is used.
pub(super) async fn add_invitation(tx: &mut Tx, now: &Now, actor: &Actor, id: StaffId, lost_second_factor: bool) -> Result<String> {
    let void =
        tx.run("update invitation set used_at = $2 where staff_id = $1 and used_at is null and expires_at > $2", (id, now.at())).await?;
    note_void(tx, now, actor, id, void, "another").await?;
    let token = URL_SAFE_NO_PAD.encode(now.rng.bytes::<32>());
    let made_by = match actor {
        Actor::Staff { id, .. } => Some(*id),
        Actor::Api { .. } | Actor::Nobody { .. } | Actor::System => None,
    };
    tx.run(
        "insert into invitation (token_hash, staff_id, expires_at, lost_second_factor, made_by) values ($1, $2, $3, $4, $5)",
        (hash_token(token.as_bytes()), id, now.at().plus(VALID), lost_second_factor, made_by),
    )
    .await?;
    Ok(token)
}

/// A member is disabled: their open links are void, and those that they have made for others, since they know them.
pub(super) async fn void_links_of_disabled(tx: &mut Tx, now: &Now, actor: &Actor, id: StaffId) -> Result<()> {
    let void = tx
        .run(
            "update invitation set used_at = $2
             where (staff_id = $1 or made_by = $1) and used_at is null and expires_at > $2",
            (id, now.at()),
        )
        .await?;
    note_void(tx, now, actor, id, void, "disabled").await
}

/// A member may do more from now on, by what `actor` has just done: open links to their account are void, since who made one was judged
/// by less. A first link, which opens what nobody has used yet, stays good when `actor` made it: they were judged by all of it.
pub(super) async fn void_weaker_links(tx: &mut Tx, now: &Now, actor: &Actor, id: StaffId) -> Result<()> {
    let void = tx
        .run(
            "update invitation set used_at = $2
             where staff_id = $1 and used_at is null and expires_at > $2
               and (coalesce(made_by <> $3, true)
                 or exists (select 1 from staff_member m where m.id = invitation.staff_id and m.password_hash is not null))",
            (id, now.at(), actor.id()),
        )
        .await?;
    note_void(tx, now, actor, id, void, "more_power").await
}

/// Writes down that so many links became void, if any did.
async fn note_void(tx: &mut Tx, now: &Now, actor: &Actor, id: StaffId, links: u64, because: &str) -> Result<()> {
    if links == 0 {
        return Ok(());
    }
    tx.tell(Change::Staff);
    let entry = Entry { action: "staff.void_links", subject_id: Some(id.0), ..Entry::default() };
    record(tx, now, actor, entry.change((), serde_json::json!({ "links": links, "because": because }))).await
}

/// An e-mail, as it is looked for when its owner signs in, and a name.
fn checked<'a>(email: &str, name: &'a str) -> Result<(String, &'a str), Problem> {
    let email = email.trim().to_lowercase();
    let name = name.trim();
    if email.len() > 200 || email.split('@').filter(|part| !part.is_empty()).count() != 2 || email.contains(char::is_whitespace) {
        return Err(Problem::invalid("email", "Write an e-mail address, such as ada@example.com."));
    }
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Problem::invalid("name", "Write a name of at most 100 characters."));
    }
    Ok((email, name))
}

async fn add_member(tx: &mut Tx, now: &Now, actor: &Actor, email: &str, name: &str, role: Option<RoleId>) -> Result<Invited, Problem> {
    let id = StaffId(now.id());
    let added = tx
        .run(
            "insert into staff_member (id, email, name, search, created_at, version) values ($1, $2, $3, $4, $5, 1)",
            (id, email.to_owned(), name.to_owned(), name.to_lowercase(), now.at()),
        )
        .await;
    match added {
        Err(error) if is_duplicate(&error) => {
            let text = "Somebody with this e-mail works here already, or did. Choose another, or look for them under Staff.";
            return Err(Problem::invalid("email", text));
        }
        other => other?,
    };
    if let Some(role) = role {
        tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (id, role)).await?;
    }
    tx.tell(Change::Staff);
    let token = add_invitation(tx, now, actor, id, false).await?;
    let entry = Entry { action: "staff.invite", subject_id: Some(id.0), ..Entry::default() };
    record(tx, now, actor, entry.change((), serde_json::json!({ "name": name, "role": role }))).await?;
    Ok(Invited { id, token, waits: None })
}

/// Invites a member with one role. A role that holds dangerous permissions waits for a second person, while there is one; the invitation
/// itself is good at once.
///
/// # Errors
/// `Invalid` for a bad e-mail or name, or the e-mail of somebody who works here already; `NotFound` for an unknown role; `Forbidden` when
/// the role allows more than one may oneself.
pub async fn invite(db: &Db, now: &Now, member: &Member, _proof: Proof, email: &str, name: &str, role: RoleId) -> Result<Invited, Problem> {
    let permit = member.permit::<may::ManageStaff>()?;
    let (email, name) = checked(email, name)?;
    db.work(async |tx| {
        authority(tx).await?;
        let given = roles::may_hand_out(tx, member, role).await?;
        if !given.dangerous || !approvals::is_needed(tx, now, permit.actor()).await? {
            return add_member(tx, now, permit.actor(), &email, name, Some(role)).await;
        }
        let invited = add_member(tx, now, permit.actor(), &email, name, None).await?;
        let summary = format!("Give {name} the role {}", given.name);
        let wish = Wish::GiveRole { staff: invited.id, role, version: Some(given.version) };
        let waits = approvals::ask(tx, now, permit.actor(), None, summary, &wish, "Invited with this role.").await?;
        Ok(Invited { waits: Some(waits), ..invited })
    })
    .await
}

/// On a database without staff: makes the three roles and invites the first administrator. `None` when there is staff. `strict` lets
/// dangerous permissions hold only with a second factor from the start; administrators change that under Roles.
///
/// # Errors
/// `Invalid` for a bad e-mail or name of the one who is invited.
pub async fn first_administrator(db: &Db, now: &Now, email: &str, name: &str, strict: bool) -> Result<Option<Invited>, Problem> {
    db.work(async |tx| {
        ensure_roles(tx, now).await?;
        let someone: Option<(StaffId, Option<String>)> =
            tx.opt("select id, password_hash from staff_member order by id limit 1", ()).await?;
        match someone {
            None => {
                let (email, name) = checked(email, name)?;
                let (role,): (RoleId,) = tx.one("select id from role where name = 'Administrator'", ()).await?;
                for permission in Permission::ALL.iter().filter(|permission| strict && permission.is_dangerous()) {
                    tx.run("insert into second_factor_rule (permission) values ($1)", [permission.as_str()]).await?;
                }
                add_member(tx, now, &Actor::System, &email, name, Some(role)).await.map(Some)
            }
            // Never accepted: the link may be lost, so a new start makes a new one.
            Some((id, None)) => Ok(Some(Invited { id, token: add_invitation(tx, now, &Actor::System, id, false).await?, waits: None })),
            Some(_) => Ok(None),
        }
    })
    .await
}

/// Whom an invitation is for, while it is good. One that is not is in the audit, with the address that it was opened from.
///
/// # Errors
/// `NotFound` when it is unknown, used, void or too old.
pub async fn peek(db: &Db, now: &Now, token: &str, address: Option<&str>) -> Result<String, Problem> {
    let found: Option<(String,)> = db
        .opt(
            "select m.email
             from invitation i
             join staff_member m on m.id = i.staff_id and m.disabled_at is null
             where i.token_hash = $1 and i.used_at is null and i.expires_at > $2",
            (hash_token(token.as_bytes()), now.at()),
        )
        .await?;
    let found = found.map(|(email,)| email).ok_or_else(gone);
    noted(db, now, address, found).await
}

/// Writes down that a link was refused.
async fn noted<T>(db: &Db, now: &Now, address: Option<&str>, done: Result<T, Problem>) -> Result<T, Problem> {
    if let Err(Problem::NotFound { .. }) = done {
        refused_link(db, now, address.unwrap_or("unknown")).await?;
    }
    done
}

fn gone() -> Problem {
    Problem::not_found("This link is not good any more: it was used, is a day old, or your account was changed since. Ask for a new one.")
}

/// Accepts an invitation, or a link to a new password; works once. Says who it is, so that they can be signed in; who has a second factor
/// still needs a code.
///
/// # Errors
/// `Invalid` for a weak password, `NotFound` when the link is unknown, used, void or too old.
pub async fn accept(
    db: &Db,
    now: &Now,
    passwords: &Passwords,
    token: &str,
    password: String,
    address: Option<&str>,
) -> Result<Step, Problem> {
    let accepted = take_up(db, now, passwords, token, password, address).await;
    noted(db, now, address, accepted).await
}

async fn take_up(db: &Db, now: &Now, passwords: &Passwords, token: &str, password: String, address: Option<&str>) -> Result<Step, Problem> {
    let token = hash_token(token.as_bytes());
    let at = now.at();
    let found: Option<(String, String, bool)> = db
        .opt(
            "select m.email, m.name, m.second_factor is not null and not i.lost_second_factor
             from invitation i
             join staff_member m on m.id = i.staff_id and m.disabled_at is null
             where i.token_hash = $1 and i.used_at is null and i.expires_at > $2",
            (token.clone(), at),
        )
        .await?;
    let (email, name, second_factor) = found.ok_or_else(gone)?;
    let hash = passwords.hash(Chosen { password, second_factor, about: vec![email, name] }).await?;
    db.work(async |tx| {
        // The member before their links, as who disables them does: two transactions cannot wait for each other.
        tx.run(
            "update staff_member set version = version where id = (select staff_id from invitation where token_hash = $1)",
            [token.clone()],
        )
        .await?;
        let used: Option<(StaffId, bool)> = tx
            .opt(
                "update invitation set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2
                 returning staff_id, lost_second_factor",
                (token, at),
            )
            .await?;
        let Some((id, lost_second_factor)) = used else { return Err(gone()) };
        if lost_second_factor {
            second_factor::forget(tx, id).await?;
        }
        let named: Option<(String, bool)> = tx
            .opt(
                "update staff_member set password_hash = $2, version = version + 1 where id = $1 and disabled_at is null
                 returning name, second_factor is not null",
                (id, hash),
            )
            .await?;
        let Some((name, second_factor)) = named else { return Err(gone()) };
        // Other links of the same person are worth nothing from now on.
        tx.run("update invitation set used_at = $2 where staff_id = $1 and used_at is null", (id, at)).await?;
        end_sessions(tx, now, id).await?;
        let entry = Entry { action: "staff.accept_invitation", subject_id: Some(id.0), ..Entry::default() };
        let entry = entry.change((), serde_json::json!({ "second_factor_removed": lost_second_factor }));
        record(tx, now, &Actor::Staff { id, name, address: address.map(ToOwned::to_owned) }, entry).await?;
        Ok(if second_factor { Step::NeedsCode(id) } else { Step::In(id) })
    })
    .await
}
