//! The notebook of a request: what its member was refused, so that reads stay reads. Whoever serves the request writes it down
//! before the answer leaves.
//!
//! The rule: the same thing of the same person is written down once in ten minutes, so that a loop of requests cannot fill the audit.

use super::{Actor, Entry, Member, record};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::types::{Outcome, Permission, StaffId, Timestamp};
use serde_json::json;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// The same thing is not written down again for so long.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// A path that is written down is cut here.
const LONGEST_PATH: usize = 200;

/// What was noted while one request ran; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Notebook(Arc<Mutex<Vec<Permission>>>);

impl Notebook {
    /// The member was refused this.
    pub(super) fn refused(&self, permission: Permission) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !noted.contains(&permission) {
            noted.push(permission);
        }
    }

    fn take(&self) -> Vec<Permission> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a request was made.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What there is few of: the route, or the shell's command.
    pub route: &'a str,
    /// The path that was asked for, without its query.
    pub path: &'a str,
    /// The answer is a refusal.
    pub is_refused: bool,
}

/// Writes down what the member was refused since the last time. To be called before the answer leaves, and when it fails, the answer
/// must not.
///
/// # Errors
/// What the database says.
pub async fn write_down(db: &Db, now: &Now, member: &Member, place: Place<'_>) -> Result<()> {
    let mut refused: Vec<Option<Permission>> = member.notebook().take().into_iter().map(Some).collect();
    if refused.is_empty() && place.is_refused {
        refused.push(None);
    }
    let who = member.id().0;
    let mut due = Vec::new();
    for permission in refused {
        let what = format!("denied {} {}", permission.map_or("-", Permission::as_str), place.route);
        if is_due(db, now, who, &what).await? {
            due.push((permission, what));
        }
    }
    if due.is_empty() {
        return Ok(());
    }
    let path: String = place.path.chars().take(LONGEST_PATH).collect();
    let actor = member.actor();
    db.work(async |tx| {
        for (permission, what) in due {
            if pause(tx, now, who, what).await? {
                let entry = Entry { action: "access.refuse", outcome: Outcome::Denied, ..Entry::default() };
                let asked = json!({ "permission": permission.map(Permission::as_str), "path": path });
                record(tx, now, &actor, entry.change((), asked)).await?;
            }
        }
        Ok(())
    })
    .await
}

/// Writes down a sign-in that failed: for whom, if that is known, and from where.
///
/// # Errors
/// What the database says.
pub(super) async fn sign_in_failed(tx: &mut Tx, now: &Now, known: Option<(StaffId, &str)>, address: &str) -> Result<()> {
    let who = known.map_or(Uuid::nil(), |(id, _)| id.0);
    if pause(tx, now, who, format!("denied sign-in {}", network(address))).await? {
        let entry =
            Entry { action: "staff.sign_in_fail", outcome: Outcome::Denied, subject_id: known.map(|(id, _)| id.0), ..Entry::default() };
        let actor = Actor::Nobody { address: Some(address.to_owned()) };
        record(tx, now, &actor, entry.change((), json!({ "name": known.map(|(_, name)| name) }))).await?;
    }
    Ok(())
}

/// An address without what its user can change at will: of IPv6 the network of 64 bits.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => format!("{:x}", v6.to_bits() >> 64),
        _ => address.to_owned(),
    }
}

/// Whether the last entry is long enough ago; asked first, so that nothing is written while it is not.
async fn is_due(db: &Db, now: &Now, who: Uuid, what: &str) -> Result<bool> {
    let last: Option<(Timestamp,)> = db.opt("select at from audit_pause where who = $1 and what = $2", (who, what.to_owned())).await?;
    Ok(last.is_none_or(|(at,)| at <= now.at().minus(PAUSE)))
}

/// Begins a pause, unless one is under way.
async fn pause(tx: &mut Tx, now: &Now, who: Uuid, what: String) -> Result<bool> {
    let at = now.at();
    let begun = tx
        .run(
            "insert into audit_pause (who, what, at) values ($1, $2, $3)
             on conflict (who, what) do update set at = excluded.at where audit_pause.at <= $4",
            (who, what, at, at.minus(PAUSE)),
        )
        .await?;
    Ok(begun == 1)
}

/// Forgets pauses that are over.
///
/// # Errors
/// What the database says.
pub async fn forget_old_pauses(db: &Db, now: &Now) -> Result<u64> {
    let over = now.at().minus(PAUSE);
    db.work(async |tx| tx.run("delete from audit_pause where at <= $1", [over]).await).await
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn who_changes_the_rest_of_an_ipv6_address_is_the_same_stranger() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_ne!(network("::ffff:192.0.2.7"), network("::ffff:192.0.2.8"));
    }
}
