//! Members: who works here, their sessions, and what is done about them. Nobody ever sees or sets another's password.
//!
//! The rule: somebody who can manage staff and roles is always left.

use super::approvals::{self, Wish};
use super::invite::{add_invitation, void_links_of_disabled, void_weaker_links};
use super::{Actor, Entry, Invited, Member, Permit, Proof, end_session, end_sessions, may, record, roles, sessions_of};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::types::{ApprovalId, Change, Outcome, Problem, RoleId, StaffDetail, StaffId, StaffRow, Timestamp};
use serde_json::json;

macro_rules! members_sql {
    ($narrow:literal) => {
        concat!(
            "select id, name, email, disabled_at, password_hash is not null as active, second_factor is not null as second_factor
             from staff_member ",
            $narrow
        )
    };
}

#[derive(sqlx::FromRow)]
struct Found {
    id: StaffId,
    name: String,
    email: String,
    disabled_at: Option<Timestamp>,
    active: bool,
    second_factor: bool,
}

impl Found {
    fn row(self, roles: &[(StaffId, String)]) -> StaffRow {
        let Self { id, name, email, disabled_at, active, second_factor } = self;
        let roles = roles.iter().filter(|(staff, _)| *staff == id).map(|(_, role)| role.clone()).collect();
        StaffRow { id, name, email, roles, active, second_factor, disabled_at }
    }
}

async fn role_names(db: &Db) -> Result<Vec<(StaffId, String)>> {
    db.all("select sr.staff_id, r.name from staff_role sr join role r on r.id = sr.role_id order by r.name", ()).await
}

/// What came of asking for a link to a new password.
#[derive(Debug, Clone)]
pub enum Reset {
    /// The link.
    Made(Invited),
    /// A second person has to agree.
    Waits(ApprovalId),
}

fn no_such_member() -> Problem {
    Problem::not_found("There is no such member of the staff. Staff lists them all, disabled ones too.")
}

/// Who works here, by name. Staff are few: one page holds them all.
///
/// # Errors
/// What the database says.
pub async fn list(db: &Db, _permit: &Permit<may::SeeStaff>) -> Result<Vec<StaffRow>> {
    let members: Vec<Found> = db.all(members_sql!("order by name, id limit 1000"), ()).await?;
    let roles = role_names(db).await?;
    Ok(members.into_iter().map(|found| found.row(&roles)).collect())
}

/// A member as in the list.
///
/// # Errors
/// What the database says.
pub(super) async fn find(db: &Db, id: StaffId) -> Result<Option<StaffRow>> {
    let found: Option<Found> = db.opt(members_sql!("where id = $1"), [id]).await?;
    let Some(found) = found else { return Ok(None) };
    Ok(Some(found.row(&role_names(db).await?)))
}

/// A member with their roles and where they are signed in.
///
/// # Errors
/// `NotFound` for a stranger.
pub async fn get(db: &Db, now: &Now, _permit: &Permit<may::SeeStaff>, id: StaffId) -> Result<StaffDetail, Problem> {
    let row = find(db, id).await?.ok_or_else(no_such_member)?;
    let roles = roles::list(db).await?.into_iter().map(|role| {
        let has = row.roles.contains(&role.name);
        (role, has)
    });
    let link: Option<(Timestamp,)> = db
        .opt(
            "select expires_at from invitation
             where staff_id = $1 and used_at is null and expires_at > $2
             order by expires_at desc
             limit 1",
            (id, now.at()),
        )
        .await?;
    let link_until = link.map(|(until,)| until);
    Ok(StaffDetail { roles: roles.collect(), sessions: sessions_of(db, now, id).await?, link_until, row })
}

/// Members who manage staff and roles on all accounts and can sign in.
async fn governors(tx: &mut Tx) -> Result<i64> {
    let (count,): (i64,) = tx
        .one(
            "select count(*)
             from staff_member m
             where m.password_hash is not null
               and 2 = (select count(distinct s.permission)
                        from staff_scope_role s
                        join role r on r.id = s.role_id and r.everywhere
                        where s.staff_id = m.id and s.permission in ('manage_staff', 'manage_roles'))",
            (),
        )
        .await?;
    Ok(count)
}

/// Waits for its turn to change who may do what: two such changes at once would each be judged by what was before the other.
///
/// # Errors
/// What the database says.
pub(super) async fn authority(tx: &mut Tx) -> Result<()> {
    tx.run("update staff_turn set turn = turn + 1 where name = 'authority'", ()).await?;
    Ok(())
}

/// Does something that may take authority from somebody, one after the other, and refuses what leaves nobody in charge. Who becomes the
/// only one who can agree by it is not alone at once: see [`approvals::is_needed`].
///
/// # Errors
/// `Conflict` when nobody would be left; what `change` answers.
pub(super) async fn leaving_somebody<T>(
    tx: &mut Tx,
    now: &Now,
    actor: &Actor,
    change: impl AsyncFnOnce(&mut Tx) -> Result<T, Problem>,
) -> Result<T, Problem> {
    authority(tx).await?;
    let before = governors(tx).await?;
    let was_beside_others = approvals::is_needed(tx, now, actor).await?;
    let done = change(tx).await?;
    if before > 0 && governors(tx).await? == 0 {
        return Err(Problem::conflict("Nobody would be left who can manage staff and roles. Give somebody else these permissions first."));
    }
    if was_beside_others && !approvals::is_needed(tx, now, actor).await? {
        approvals::wait_though_alone(tx, now).await?;
    }
    tx.tell(Change::Staff);
    Ok(done)
}

fn not_oneself(actor: &Actor, id: StaffId, what: &str) -> Result<(), Problem> {
    match actor {
        Actor::Staff { id: own, .. } if *own == id => {
            Err(Problem::invalid("", format!("You cannot {what} yourself. Ask another administrator.")))
        }
        _ => Ok(()),
    }
}

/// Disables a member and ends their sessions at once; links to their account, and those that they have made, are void.
///
/// # Errors
/// `NotFound` for a stranger, `Invalid` for oneself, `Conflict` for the last one in charge.
pub async fn disable(db: &Db, now: &Now, permit: &Permit<may::ManageStaff>, _proof: Proof, id: StaffId) -> Result<(), Problem> {
    not_oneself(permit.actor(), id, "disable")?;
    db.work(async |tx| {
        leaving_somebody(tx, now, permit.actor(), async |tx| {
            let done = tx
                .run(
                    "update staff_member set disabled_at = $2, version = version + 1 where id = $1 and disabled_at is null",
                    (id, now.at()),
                )
                .await?;
            if done == 0 {
                return Err(Problem::not_found("There is no such member, or they are disabled already."));
            }
            end_sessions(tx, now, id).await?;
            void_links_of_disabled(tx, now, permit.actor(), id).await?;
            let entry = Entry { action: "staff.disable", subject_id: Some(id.0), ..Entry::default() };
            Ok(record(tx, now, permit.actor(), entry).await?)
        })
        .await
    })
    .await
}

/// Lets a disabled member sign in again, with their password and roles as before.
///
/// # Errors
/// `NotFound` for a stranger or one who is not disabled, `Forbidden` when their roles allow more than one may oneself.
pub async fn enable(db: &Db, now: &Now, member: &Member, _proof: Proof, id: StaffId) -> Result<(), Problem> {
    let permit = member.permit::<may::ManageStaff>()?;
    db.work(async |tx| {
        authority(tx).await?;
        for role in roles::of_member(tx, id).await? {
            roles::may_hand_out(tx, member, role).await?;
        }
        let done = tx
            .run("update staff_member set disabled_at = null, version = version + 1 where id = $1 and disabled_at is not null", [id])
            .await?;
        if done == 0 {
            return Err(Problem::not_found("There is no such member, or they are not disabled."));
        }
        tx.tell(Change::Staff);
        let entry = Entry { action: "staff.enable", subject_id: Some(id.0), ..Entry::default() };
        Ok(record(tx, now, permit.actor(), entry).await?)
    })
    .await
}

/// Makes a one-time link by which a member chooses a new password, in place of those that are open. The old password holds until then,
/// and so does their second factor: `lost_second_factor` has the link take it away, so that a short password never stands alone. For
/// somebody who holds dangerous permissions a second person has to agree first, while there is one beside them: the answer is then what
/// waits, and asking again within a day of the consent makes the link.
///
/// # Errors
/// `NotFound` for a stranger or a disabled one, `Invalid` for oneself or without a note where a second person is needed, `Forbidden` when
/// their roles allow more than one may oneself.
pub async fn reset(
    db: &Db,
    now: &Now,
    member: &Member,
    _proof: Proof,
    id: StaffId,
    lost_second_factor: bool,
    note: &str,
) -> Result<Reset, Problem> {
    let permit = member.permit::<may::ManageStaff>()?;
    not_oneself(permit.actor(), id, "make a link for")?;
    db.work(async |tx| {
        authority(tx).await?;
        let found: Option<(String,)> = tx.opt("select name from staff_member where id = $1 and disabled_at is null", [id]).await?;
        let (name,) = found.ok_or_else(no_such_member)?;
        // The link opens their account: who hands it out must not gain by it.
        let (mut dangerous, mut held) = (false, Vec::new());
        for role in roles::of_member(tx, id).await? {
            let given = roles::may_hand_out(tx, member, role).await?;
            dangerous |= given.dangerous;
            held.push((role, given.version));
        }
        held.sort_unstable();
        let wish = Wish::Reset { staff: id, lost_second_factor, roles: held };
        if dangerous
            && approvals::is_needed_beside(tx, now, permit.actor(), Some(id)).await?
            && !approvals::use_up(tx, now, permit.actor(), &wish).await?
        {
            let lost = if lost_second_factor { ", and remove their second factor" } else { "" };
            let summary = format!("Make a link to a new password for {name}{lost}");
            return Ok(Reset::Waits(approvals::ask(tx, now, permit.actor(), None, summary, &wish, note).await?));
        }
        if lost_second_factor {
            end_sessions(tx, now, id).await?;
        }
        let token = add_invitation(tx, now, permit.actor(), id, lost_second_factor).await?;
        let entry = Entry { action: "staff.reset", subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, permit.actor(), entry.change((), json!({ "second_factor_removed": lost_second_factor }))).await?;
        Ok(Reset::Made(Invited { id, token, waits: None }))
    })
    .await
}

/// Gives a member a role. One that holds dangerous permissions waits for a second person, while there is one beside them.
///
/// # Errors
/// `NotFound` for a stranger or an unknown role, `Conflict` when they have it, `Forbidden` when it allows more than one may oneself,
/// `Invalid` without a note where a second person is needed.
pub async fn give_role(
    db: &Db,
    now: &Now,
    member: &Member,
    _proof: Proof,
    id: StaffId,
    role: RoleId,
    note: &str,
) -> Result<Outcome, Problem> {
    let permit = member.permit::<may::ManageStaff>()?;
    db.work(async |tx| {
        authority(tx).await?;
        let given = roles::may_hand_out(tx, member, role).await?;
        let found: Option<(String,)> = tx.opt("select name from staff_member where id = $1", [id]).await?;
        let (name,) = found.ok_or_else(no_such_member)?;
        if given.dangerous && approvals::is_needed_beside(tx, now, permit.actor(), Some(id)).await? {
            let summary = format!("Give {name} the role {}", given.name);
            let wish = Wish::GiveRole { staff: id, role, version: Some(given.version) };
            let waits = approvals::ask(tx, now, permit.actor(), None, summary, &wish, note).await?;
            return Ok(Outcome::Waits(waits));
        }
        add_role(tx, now, permit.actor(), id, role).await?;
        Ok(Outcome::Done)
    })
    .await
}

/// Gives the role, as was decided; links that were made when the member might do less are void.
///
/// # Errors
/// `Conflict` when they have it already, `NotFound` when there is no such member or role any more.
pub(super) async fn add_role(tx: &mut Tx, now: &Now, actor: &Actor, id: StaffId, role: RoleId) -> Result<(), Problem> {
    let named: Option<(String,)> = tx.opt("select name from role where id = $1", [role]).await?;
    let (name,) = named.ok_or_else(roles::no_such_role)?;
    let given = tx
        .run(
            "insert into staff_role (staff_id, role_id) select id, $2 from staff_member where id = $1
             on conflict (staff_id, role_id) do nothing",
            (id, role),
        )
        .await?;
    if given == 0 {
        return Err(Problem::conflict(format!("They have the role {name} already, or do not work here any more.")));
    }
    void_weaker_links(tx, now, actor, id).await?;
    tx.tell(Change::Staff);
    let entry = Entry { action: "staff.give_role", subject_id: Some(id.0), ..Entry::default() };
    Ok(record(tx, now, actor, entry.change((), json!({ "role": name }))).await?)
}

/// Takes a role from a member, at once.
///
/// # Errors
/// `NotFound` when they do not have it, `Conflict` when nobody would be left in charge.
pub async fn take_role(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageStaff>,
    _proof: Proof,
    id: StaffId,
    role: RoleId,
) -> Result<(), Problem> {
    db.work(async |tx| {
        leaving_somebody(tx, now, permit.actor(), async |tx| {
            let named: Option<(String,)> = tx.opt("select name from role where id = $1", [role]).await?;
            let (name,) = named.ok_or_else(roles::no_such_role)?;
            let taken = tx.run("delete from staff_role where staff_id = $1 and role_id = $2", (id, role)).await?;
            if taken == 0 {
                return Err(Problem::not_found("They do not have this role."));
            }
            let entry = Entry { action: "staff.take_role", subject_id: Some(id.0), ..Entry::default() };
            Ok(record(tx, now, permit.actor(), entry.change(json!({ "role": name }), ())).await?)
        })
        .await
    })
    .await
}

/// Ends one session of a member, or all of them.
///
/// # Errors
/// `NotFound` when it has ended already.
pub async fn end_session_of(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageStaff>,
    _proof: Proof,
    id: StaffId,
    handle: Option<&str>,
) -> Result<(), Problem> {
    end(db, now, permit.actor(), id, handle, None).await
}

pub(super) async fn end(db: &Db, now: &Now, actor: &Actor, id: StaffId, handle: Option<&str>, keep: Option<&[u8]>) -> Result<(), Problem> {
    let ended = db.work(async |tx| {
        let ended = match (handle, keep) {
            (Some(handle), _) => end_session(tx, now, id, handle).await?,
            (None, Some(keep)) => super::end_other_sessions(tx, now, id, keep).await?,
            (None, None) => end_sessions(tx, now, id).await?,
        };
        if ended > 0 {
            let entry = Entry { action: "staff.end_sessions", subject_id: Some(id.0), ..Entry::default() };
            record(tx, now, actor, entry.change((), json!({ "sessions": ended }))).await?;
        }
        Ok::<_, Problem>(ended)
    });
    // Not within: that no request under way begins a session holds although none stood.
    if ended.await? == 0 {
        return Err(Problem::not_found("There is no such session any more."));
    }
    Ok(())
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
