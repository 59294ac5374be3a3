//! One's own account: what one sees of it, the password, the second factor, the sessions, and the proof of who is there.
//!
//! The rule: an open session alone changes neither password nor second factor.

use super::members::{self, end};
use super::notebook::proof_failed;
use super::sign_in::{check_code, count};
use super::throttle::{Subject, give_back};
use super::{Actor, Chosen, Entry, Member, Passwords, end_other_sessions, end_session, password, record, second_factor, sessions_of};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::secret::Keyring;
use crate::types::{OwnAccount, Problem, StaffId};

/// Wrong passwords within the window by somebody who is signed in.
const PROOFS: i64 = 10;

/// A member who does something to their own account, and from where.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The member.
    pub id: StaffId,
    /// The client's address.
    pub address: Option<&'a str>,
}

impl By<'_> {
    pub(super) fn actor(self, name: String) -> Actor {
        Actor::Staff { id: self.id, name, address: self.address.map(ToOwned::to_owned) }
    }
}

impl From<StaffId> for By<'_> {
    fn from(id: StaffId) -> Self {
        Self { id, address: None }
    }
}

impl<'a> From<&'a Member> for By<'a> {
    fn from(member: &'a Member) -> Self {
        Self { id: member.id(), address: member.address() }
    }
}

/// One's own account; `here` is the handle of the session that asks.
///
/// # Errors
/// `SignedOut` when one may no longer sign in.
pub async fn own_account(db: &Db, now: &Now, member: &Member, here: String) -> Result<OwnAccount, Problem> {
    let row = members::find(db, member.id()).await?.ok_or(Problem::SignedOut)?;
    let (recovery_codes,): (i64,) =
        db.one("select count(*) from recovery_code where staff_id = $1 and used_at is null", [member.id()]).await?;
    Ok(OwnAccount { row, sessions: sessions_of(db, now, member.id()).await?, here, recovery_codes })
}

/// Proves again who is there, by their password or, with a second factor, by a code.
///
/// # Errors
/// `Invalid` when it is not right, `TooMany` after too many tries, `SignedOut` when they may no longer sign in.
pub async fn prove(
    db: &Db,
    now: &Now,
    passwords: &Passwords,
    keys: &Keyring,
    by: impl Into<By<'_>>,
    secret: String,
) -> Result<(), Problem> {
    let by = by.into();
    let done = is_proved(db, now, passwords, keys, by, secret).await;
    noted(db, now, by, done).await
}

async fn is_proved(db: &Db, now: &Now, passwords: &Passwords, keys: &Keyring, by: By<'_>, secret: String) -> Result<(), Problem> {
    let id = by.id;
    let found: Option<(bool,)> =
        db.opt("select second_factor is not null from staff_member where id = $1 and disabled_at is null", [id]).await?;
    let (has_second_factor,) = found.ok_or(Problem::SignedOut)?;
    if has_second_factor {
        return check_code(db, now, keys, id, &secret).await.map(|_| ());
    }
    check_password(db, now, passwords, id, secret, Problem::invalid("code", "This is not your password.")).await
}

/// Writes down a password or a code that was refused to somebody who is signed in.
async fn noted<T>(db: &Db, now: &Now, by: By<'_>, done: Result<T, Problem>) -> Result<T, Problem> {
    if let Err(Problem::Invalid { .. } | Problem::TooMany { .. }) = done {
        db.work(async |tx| {
            let (name,): (String,) = tx.one("select name from staff_member where id = $1", [by.id]).await?;
            proof_failed(tx, now, &by.actor(name), by.id).await
        })
        .await?;
    }
    done
}

/// Whether it is the member's password, else `wrong`; tries are counted.
async fn check_password(db: &Db, now: &Now, passwords: &Passwords, id: StaffId, password: String, wrong: Problem) -> Result<(), Problem> {
    let mut subjects = [Subject::new(&format!("proof {id}"), PROOFS)];
    count(db, now, &mut subjects).await?;
    let found: Option<(Option<String>,)> = db.opt("select password_hash from staff_member where id = $1", [id]).await?;
    let fits = passwords.verify(password, found.and_then(|(hash,)| hash)).await?;
    if !fits {
        return Err(wrong);
    }
    Ok(db.work(async |tx| give_back(tx, &subjects).await).await?)
}

/// Changes one's own password; every other session than `keep` ends.
///
/// # Errors
/// `Invalid` for the wrong present password or a weak new one, `TooMany` after too many tries.
pub async fn change_password(
    db: &Db,
    now: &Now,
    passwords: &Passwords,
    by: impl Into<By<'_>>,
    present: String,
    new: String,
    keep: &[u8],
) -> Result<(), Problem> {
    let by = by.into();
    let id = by.id;
    let wrong = Problem::invalid("present", "This is not your present password.");
    noted(db, now, by, check_password(db, now, passwords, id, present, wrong).await).await?;
    let (email, name, second_factor): (String, String, bool) =
        db.one("select email, name, second_factor is not null from staff_member where id = $1", [id]).await?;
    let hash = passwords.hash(Chosen { password: new, second_factor, about: vec![email, name.clone()] }).await?;
    db.work(async |tx| {
        tx.run("update staff_member set password_hash = $2, version = version + 1 where id = $1", (id, hash)).await?;
        end_other_sessions(tx, now, id, keep).await?;
        let entry = Entry { action: "staff.change_password", subject_id: Some(id.0), ..Entry::default() };
        Ok(record(tx, now, &by.actor(name), entry).await?)
    })
    .await
}

/// Gives up one's second factor; every other session than `keep` ends. The password must then be long enough to stand alone.
///
/// # Errors
/// `Invalid` for the wrong password, or one that is too short to be the only factor.
pub async fn remove_second_factor(
    db: &Db,
    now: &Now,
    passwords: &Passwords,
    by: impl Into<By<'_>>,
    present: String,
    keep: &[u8],
) -> Result<(), Problem> {
    let by = by.into();
    let id = by.id;
    let stands_alone = password::stands_alone(&present);
    let wrong = Problem::invalid("present", "This is not your password.");
    noted(db, now, by, check_password(db, now, passwords, id, present, wrong).await).await?;
    if !stands_alone {
        return Err(Problem::conflict("Your password is too short to be the only factor. Set one of at least 15 characters first."));
    }
    db.work(async |tx| {
        let (name,): (String,) = tx.one("select name from staff_member where id = $1", [id]).await?;
        second_factor::forget(tx, id).await?;
        end_other_sessions(tx, now, id, keep).await?;
        let entry = Entry { action: "staff.remove_second_factor", subject_id: Some(id.0), ..Entry::default() };
        Ok(record(tx, now, &by.actor(name), entry).await?)
    })
    .await
}

/// Ends the session that asks, whose handle this is: its member signs out. One that has ended already leaves no entry.
///
/// # Errors
/// What the database says.
pub async fn sign_out(db: &Db, now: &Now, member: &Member, here: &str) -> Result<()> {
    db.work(async |tx| {
        if end_session(tx, now, member.id(), here).await? == 0 {
            return Ok(());
        }
        let entry = Entry { action: "staff.sign_out", subject_id: Some(member.id().0), ..Entry::default() };
        record(tx, now, &member.actor(), entry).await
    })
    .await
}

/// Ends one of one's own sessions, or all but the one that asks.
///
/// # Errors
/// `NotFound` when it has ended already.
pub async fn end_own_session(db: &Db, now: &Now, member: &Member, handle: Option<&str>, here: &[u8]) -> Result<(), Problem> {
    end(db, now, &member.actor(), member.id(), handle, Some(here)).await
}
