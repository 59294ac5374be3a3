//! Signing in: the same words and the same time for a stranger, a wrong password and a disabled member; failures are counted
//! per person and per address, and make the next tries wait without locking anybody out for long.

use super::{Actor, Entry, Passwords, hash_token, record};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::types::{Problem, StaffId};
use std::time::Duration;

/// Failures are forgotten after this time.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures within the window for one person before further tries must wait.
const PER_PERSON: i64 = 10;
/// Failures within the window from one address.
const PER_ADDRESS: i64 = 50;

#[derive(sqlx::FromRow)]
struct Found {
    id: StaffId,
    name: String,
    password_hash: Option<String>,
}

/// Checks e-mail and password and says who it is. `address` is the client's, for counting failures.
///
/// # Errors
/// `Forbidden` when the pair does not fit, `TooMany` after too many failures.
pub async fn sign_in(db: &Db, now: &Now, passwords: &Passwords, email: &str, password: String, address: &str) -> Result<StaffId, Problem> {
    let email = email.trim().to_lowercase();
    let subjects = [
        (hash_token(format!("person {email}").as_bytes()), PER_PERSON),
        (hash_token(format!("address {address}").as_bytes()), PER_ADDRESS),
    ];
    let since = now.at().minus(WINDOW);
    for (subject, most) in &subjects {
        let (failures,): (i64,) =
            db.one("select count(*) from sign_in_failure where subject_hash = $1 and at > $2", (subject.clone(), since)).await?;
        if failures >= *most {
            return Err(Problem::too_many("Too many failed tries. Wait a quarter of an hour, then try again."));
        }
    }
    let found: Option<Found> =
        db.opt("select id, name, password_hash from staff_member where email = $1 and disabled_at is null", [email]).await?;
    let hash = found.as_ref().and_then(|f| f.password_hash.clone());
    let fits = passwords.verify(password, hash).await?;
    match found.filter(|_| fits) {
        Some(found) => {
            let actor = Actor::Staff { id: found.id, name: found.name };
            db.work(async |tx| {
                let entry = Entry { action: "staff.sign_in", subject_id: Some(found.id.0), ..Entry::default() };
                record(tx, now, &actor, entry).await
            })
            .await?;
            Ok(found.id)
        }
        None => {
            db.work(async |tx| {
                for (subject, _) in subjects {
                    tx.run("insert into sign_in_failure (id, subject_hash, at) values ($1, $2, $3)", (now.id(), subject, now.at())).await?;
                }
                Ok::<_, crate::db::Error>(())
            })
            .await?;
            Err(Problem::forbidden("This e-mail and password do not fit together."))
        }
    }
}

/// Deletes failures that no longer count.
///
/// # Errors
/// What the database says.
pub async fn sign_in_history_is_pruned(db: &Db, now: &Now) -> Result<u64> {
    let since = now.at().minus(WINDOW);
    db.work(async |tx| tx.run("delete from sign_in_failure where at <= $1", [since]).await).await
}
