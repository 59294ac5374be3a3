//! Members and how they come: an invitation is a one-time link, valid for a day; nobody ever sets another's password.

use super::{Actor, Entry, Member, Passwords, Permit, end_sessions, hash_token, may, record};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::types::{Permission, Problem, RoleId, RoleRow, StaffId, StaffRow, Timestamp};
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
            Permission::ManageDirectory,
            Permission::SetIntegrationType,
            Permission::SendMessages,
            Permission::ManageSync,
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

async fn add_invitation(tx: &mut Tx, now: &Now, id: StaffId) -> Result<String> {
    let token = URL_SAFE_NO_PAD.encode(now.rng.bytes::<32>());
    tx.run(
        "insert into invitation (token_hash, staff_id, expires_at) values ($1, $2, $3)",
        (hash_token(token.as_bytes()), id, now.at().plus(VALID)),
    )
    .await?;
    Ok(token)
}

async fn add_member(tx: &mut Tx, now: &Now, actor: &Actor, email: &str, name: &str, role: RoleId) -> Result<Invited, Problem> {
    let id = StaffId(now.id());
    let added = tx
        .run(
            "insert into staff_member (id, email, name, created_at, version) values ($1, $2, $3, $4, 1)",
            (id, email.to_owned(), name.to_owned(), now.at()),
        )
        .await;
    match added {
        Err(error) if is_duplicate(&error) => return Err(Problem::conflict("Somebody with this e-mail works here already.")),
        other => other?,
    };
    tx.run("insert into staff_role (staff_id, role_id) values ($1, $2)", (id, role)).await?;
    let token = add_invitation(tx, now, id).await?;
    let entry = Entry { action: "staff.invite", subject_id: Some(id.0), ..Entry::default() };
    record(tx, now, actor, entry.change((), serde_json::json!({ "name": name, "role": role }))).await?;
    Ok(Invited { id, token })
}

/// Invites a member with one role.
///
/// # Errors
/// `Invalid` for a bad e-mail or name, `Conflict` when they work here already, `NotFound` for an unknown role.
pub async fn invite(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageStaff>,
    email: &str,
    name: &str,
    role: RoleId,
) -> Result<Invited, Problem> {
    let email = email.trim().to_lowercase();
    let name = name.trim();
    if email.len() > 200 || email.split('@').filter(|part| !part.is_empty()).count() != 2 || email.contains(char::is_whitespace) {
        return Err(Problem::invalid("email", "Write an e-mail address, such as ada@example.com."));
    }
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Problem::invalid("name", "Write a name of at most 100 characters."));
    }
    db.work(async |tx| {
        // Whoever may invite only for some accounts must not hand out more than that.
        let known: Option<(bool,)> = tx.opt("select everywhere from role where id = $1", [role]).await?;
        match known {
            None => return Err(Problem::not_found("There is no such role.")),
            Some(_) if !permit.scope().everywhere => {
                return Err(Problem::forbidden("Only someone whose role holds on all accounts can invite staff."));
            }
            Some(_) => {}
        }
        add_member(tx, now, permit.actor(), &email, name, role).await
    })
    .await
}

/// On a database without staff: makes the three roles and invites the first administrator. `None` when there is staff.
///
/// # Errors
/// What the database says.
pub async fn first_administrator(db: &Db, now: &Now, email: &str, name: &str) -> Result<Option<Invited>, Problem> {
    db.work(async |tx| {
        ensure_roles(tx, now).await?;
        let someone: Option<(StaffId, Option<String>)> =
            tx.opt("select id, password_hash from staff_member order by id limit 1", ()).await?;
        match someone {
            None => {
                let (role,): (RoleId,) = tx.one("select id from role where name = 'Administrator'", ()).await?;
                add_member(tx, now, &Actor::System, email, name, role).await.map(Some)
            }
            // Never accepted: the link may be lost, so a new start makes a new one.
            Some((id, None)) => Ok(Some(Invited { id, token: add_invitation(tx, now, id).await? })),
            Some(_) => Ok(None),
        }
    })
    .await
}

/// Whom an invitation is for, while it is good.
///
/// # Errors
/// `NotFound` when it is unknown, used or too old.
pub async fn peek(db: &Db, now: &Now, token: &str) -> Result<String, Problem> {
    let found: Option<(String,)> = db
        .opt(
            "select m.email
             from invitation i
             join staff_member m on m.id = i.staff_id and m.disabled_at is null
             where i.token_hash = $1 and i.used_at is null and i.expires_at > $2",
            (hash_token(token.as_bytes()), now.at()),
        )
        .await?;
    found.map(|(email,)| email).ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::not_found("This link has been used or is older than a day. Ask for a new one.")
}

/// Accepts an invitation with a first password; works once. Says who it is, so that they can be signed in.
///
/// # Errors
/// `Invalid` for a weak password, `NotFound` when the link is unknown, used or too old.
pub async fn accept(db: &Db, now: &Now, passwords: &Passwords, token: &str, password: String) -> Result<StaffId, Problem> {
    peek(db, now, token).await?;
    let hash = passwords.hash(password).await?;
    let token = hash_token(token.as_bytes());
    let at = now.at();
    db.work(async |tx| {
        let used: Option<(StaffId,)> = tx
            .opt(
                "update invitation set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2 returning staff_id",
                (token, at),
            )
            .await?;
        let Some((id,)) = used else { return Err(gone()) };
        let named: Option<(String,)> = tx
            .opt(
                "update staff_member set password_hash = $2, version = version + 1 where id = $1 and disabled_at is null returning name",
                (id, hash),
            )
            .await?;
        let Some((name,)) = named else { return Err(gone()) };
        // Other links of the same person are worth nothing from now on.
        tx.run("update invitation set used_at = $2 where staff_id = $1 and used_at is null", (id, at)).await?;
        end_sessions(tx, id).await?;
        let entry = Entry { action: "staff.accept_invitation", subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, &Actor::Staff { id, name }, entry).await?;
        Ok(id)
    })
    .await
}

/// Disables a member and ends their sessions at once.
///
/// # Errors
/// `NotFound` for a stranger, `Invalid` for oneself.
pub async fn disable(db: &Db, now: &Now, permit: &Permit<may::ManageStaff>, id: StaffId) -> Result<(), Problem> {
    if matches!(permit.actor(), Actor::Staff { id: own, .. } if *own == id) {
        return Err(Problem::invalid("", "You cannot disable yourself."));
    }
    if !permit.scope().everywhere {
        return Err(Problem::forbidden("Only someone whose role holds on all accounts can disable staff."));
    }
    db.work(async |tx| {
        let done = tx
            .run("update staff_member set disabled_at = $2, version = version + 1 where id = $1 and disabled_at is null", (id, now.at()))
            .await?;
        if done == 0 {
            return Err(Problem::not_found("There is no such member, or they are disabled already."));
        }
        end_sessions(tx, id).await?;
        let entry = Entry { action: "staff.disable", subject_id: Some(id.0), ..Entry::default() };
        Ok(record(tx, now, permit.actor(), entry).await?)
    })
    .await
}

/// Who works here, by name. Staff are few: one page holds them all.
///
/// # Errors
/// What the database says.
pub async fn list(db: &Db, _permit: &Permit<may::SeeStaff>) -> Result<Vec<StaffRow>> {
    type Row = (StaffId, String, String, Option<Timestamp>, bool);
    let members: Vec<Row> =
        db.all("select id, name, email, disabled_at, password_hash is not null from staff_member order by name, id limit 1000", ()).await?;
    let roles: Vec<(StaffId, String)> =
        db.all("select sr.staff_id, r.name from staff_role sr join role r on r.id = sr.role_id order by r.name", ()).await?;
    Ok(members
        .into_iter()
        .map(|(id, name, email, disabled_at, active)| StaffRow {
            id,
            name,
            email,
            roles: roles.iter().filter(|(staff, _)| *staff == id).map(|(_, role)| role.clone()).collect(),
            active,
            disabled_at,
        })
        .collect())
}

/// The roles, by name.
///
/// # Errors
/// What the database says.
pub async fn roles(db: &Db) -> Result<Vec<RoleRow>> {
    let rows: Vec<(RoleId, String, bool)> = db.all("select id, name, everywhere from role order by name", ()).await?;
    Ok(rows.into_iter().map(|(id, name, everywhere)| RoleRow { id, name, everywhere }).collect())
}

impl Member {
    /// A member by e-mail, for the shell: it acts as a named person, by the same rules.
    ///
    /// # Errors
    /// What the database says.
    pub async fn by_email(db: &Db, email: &str) -> Result<Option<Member>> {
        let found: Option<(StaffId,)> =
            db.opt("select id from staff_member where email = $1 and disabled_at is null", [email.trim().to_lowercase()]).await?;
        match found {
            Some((id,)) => Member::load(db, id).await,
            None => Ok(None),
        }
    }
}
