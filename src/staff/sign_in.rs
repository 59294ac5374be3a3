//! Signing in: the same words and the same time for a stranger, a wrong password and a disabled member.
//!
//! The rule: guessing is slow, and no stranger can keep a member out. Tries from a browser that the member has signed in with before
//! are counted for that browser alone; others for the pair of person and site, the address, and the person. When the person's are used
//! up, a site that has not failed for them itself has a few all the same. A site is an IPv4 address, or an IPv6 network of 48 bits: who has
//! one has as many addresses of it as they like.

use super::notebook::sign_in_failed;
use super::throttle::{LONGEST, Subject, give_back, network, site, take};
use super::{Actor, By, Entry, Passwords, hash_token, record, second_factor};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::secret::Keyring;
use crate::types::{Problem, StaffId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tracing::Instrument;

/// Tries within the window for one person from one site.
const PER_PAIR: i64 = 10;
/// For one person from a browser that they have signed in with.
const PER_DEVICE: i64 = 10;
/// From one address: an office may stand behind it.
const PER_ADDRESS: i64 = 50;
/// For one person from anywhere: against a password that is on no list, so few lead nowhere.
const PER_PERSON: i64 = 100;
/// For one person from one site when [`PER_PERSON`] are used up, with those from there before: strangers elsewhere keep nobody out of a
/// new browser.
const PER_FRESH_PAIR: i64 = 3;
/// For one person from all such sites together. Who guesses from however many has so many more within the window, 1,100 in all.
const FRESH_PER_PERSON: i64 = 1_000;
/// One-time codes for one person, whose password was right.
const CODES_PER_PERSON: i64 = 10;

/// Where a try comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The client's address.
    pub address: &'a str,
    /// What [`remember_device`] gave this browser.
    pub device: Option<&'a str>,
}

/// How far signing in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// They are signed in.
    In(StaffId),
    /// The password fits; a one-time code is still needed.
    NeedsCode(StaffId),
}

impl Step {
    /// Who it is.
    pub fn id(self) -> StaffId {
        match self {
            Self::In(id) | Self::NeedsCode(id) => id,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    id: StaffId,
    name: String,
    password_hash: Option<String>,
    second_factor: bool,
}

/// Counts a try before it is made, so that many at once are not all let through.
///
/// # Errors
/// `TooMany` when there is none left.
pub(super) async fn count(db: &Db, now: &Now, subjects: &mut [Subject]) -> Result<(), Problem> {
    db.work(async |tx| {
        if take(tx, now, subjects).await? {
            return Ok(());
        }
        Err(Problem::too_many("Too many failed tries. Wait a quarter of an hour, then try again."))
    })
    .await
}

/// Checks e-mail and password.
///
/// # Errors
/// `Forbidden` when the pair does not fit, `TooMany` after too many failures.
pub async fn sign_in(db: &Db, now: &Now, passwords: &Passwords, email: &str, password: String, from: Origin<'_>) -> Result<Step, Problem> {
    let email = email.trim().to_lowercase();
    let found: Option<Found> = db
        .opt(
            "select id, name, password_hash, second_factor is not null as second_factor
             from staff_member where email = $1 and disabled_at is null",
            [email.clone()],
        )
        .await?;
    let device = hash_token(from.device.unwrap_or_default().as_bytes());
    let known: Option<(StaffId,)> = db.opt("select staff_id from known_device where token_hash = $1", [device]).await?;
    let pair = |most| Subject::new(&format!("pair {email} {}", site(from.address)), most);
    let of_address = || Subject::new(&format!("address {}", network(from.address)), PER_ADDRESS);
    let (mut subjects, fresh) = match (from.device, known) {
        (Some(device), Some((owner,))) if found.as_ref().is_some_and(|found| found.id == owner) => {
            (vec![Subject::new(&format!("device {device}"), PER_DEVICE)], None)
        }
        _ => (
            vec![pair(PER_PAIR), of_address(), Subject::new(&format!("person {email}"), PER_PERSON)],
            Some(vec![pair(PER_FRESH_PAIR), of_address(), Subject::new(&format!("fresh {email}"), FRESH_PER_PERSON)]),
        ),
    };
    let mut counted = count(db, now, &mut subjects).await;
    // When the pair or the address was used up, it is here, too: only the person's own count is left out.
    if let Some(fresh) = fresh.filter(|_| matches!(counted, Err(Problem::TooMany { .. }))) {
        subjects = fresh;
        counted = count(db, now, &mut subjects).await;
    }
    let known = found.as_ref().map(|found| (found.id, found.name.clone()));
    if let Err(problem) = counted {
        failed(db, now, known, from.address);
        return Err(problem);
    }
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let fits = passwords.verify(password.clone(), hash.clone()).await?;
    let found = match found {
        Some(found) if fits => found,
        _ => {
            failed(db, now, known, from.address);
            return Err(Problem::forbidden("This e-mail and password do not fit together."));
        }
    };
    let hash = hash.unwrap_or_default();
    let renewed = passwords.renewed(password, &hash).await?;
    db.work(async |tx| {
        give_back(tx, &subjects).await?;
        if let Some(renewed) = renewed {
            // Only in place of the one that was checked: a password that was changed meanwhile stays.
            tx.run("update staff_member set password_hash = $3 where id = $1 and password_hash = $2", (found.id, hash, renewed)).await?;
        }
        if found.second_factor {
            return Ok(Step::NeedsCode(found.id));
        }
        let entry = Entry { action: "staff.sign_in", subject_id: Some(found.id.0), ..Entry::default() };
        record(tx, now, &Actor::Staff { id: found.id, name: found.name, address: Some(from.address.to_owned()) }, entry).await?;
        Ok(Step::In(found.id))
    })
    .await
}

/// Writes down a sign-in that failed, beside its answer: for a member and for a stranger different things are written, and who waits for
/// the answer must not be able to tell.
fn failed(db: &Db, now: &Now, known: Option<(StaffId, String)>, address: &str) {
    let (db, now, address) = (db.clone(), now.clone(), address.to_owned());
    let write = async move {
        let known = known.as_ref().map(|(id, name)| (*id, name.as_str()));
        if let Err(error) = db.work(async |tx| sign_in_failed(tx, &now, known, &address).await).await {
            tracing::error!(%error, "a sign-in that failed could not be written down");
        }
    };
    tokio::spawn(write.in_current_span());
}

/// The second step: a one-time code, or a recovery code. Each works once.
///
/// # Errors
/// `Invalid` when the code is wrong or used, `TooMany` after too many, `SignedOut` when they may no longer sign in.
pub async fn sign_in_with_code(db: &Db, now: &Now, keys: &Keyring, by: impl Into<By<'_>>, code: &str) -> Result<(), Problem> {
    let by = by.into();
    let name = match check_code(db, now, keys, by.id, code).await {
        Ok(name) => name,
        Err(problem) => {
            // The password was right: this one failed, too.
            let named: Option<(String,)> = db.opt("select name from staff_member where id = $1", [by.id]).await?;
            let name = named.map(|(name,)| name).unwrap_or_default();
            db.work(async |tx| sign_in_failed(tx, now, Some((by.id, &name)), by.address.unwrap_or("unknown")).await).await?;
            return Err(problem);
        }
    };
    db.work(async |tx| {
        let entry = Entry { action: "staff.sign_in", subject_id: Some(by.id.0), ..Entry::default() };
        Ok(record(tx, now, &by.actor(name), entry.change((), serde_json::json!({ "second_factor": true }))).await?)
    })
    .await
}

/// Uses up a code, slowly; says the member's name.
pub(super) async fn check_code(db: &Db, now: &Now, keys: &Keyring, id: StaffId, code: &str) -> Result<String, Problem> {
    let mut subjects = [Subject::new(&format!("code {id}"), CODES_PER_PERSON)];
    count(db, now, &mut subjects).await?;
    db.work(async |tx| {
        let found: Option<(String,)> = tx.opt("select name from staff_member where id = $1 and disabled_at is null", [id]).await?;
        let (name,) = found.ok_or(Problem::SignedOut)?;
        if !second_factor::use_up(tx, now, keys, id, code).await? {
            return Err(Problem::invalid("code", "This code is wrong, too old, or was used already. Wait for the next one."));
        }
        give_back(tx, &subjects).await?;
        Ok(name)
    })
    .await
}

/// Remembers a browser that a member has signed in with: the token for its cookie. A token that is theirs already stays; any other, also one
/// that somebody planted, is replaced.
///
/// # Errors
/// What the database says.
pub async fn remember_device(db: &Db, now: &Now, id: StaffId, present: Option<&str>) -> Result<String> {
    let at = now.at();
    db.work(async |tx| {
        if let Some(present) = present {
            let hash = hash_token(present.as_bytes());
            if tx.run("update known_device set seen_at = $3 where token_hash = $1 and staff_id = $2", (hash, id, at)).await? == 1 {
                return Ok(present.to_owned());
            }
        }
        let token = URL_SAFE_NO_PAD.encode(now.rng.bytes::<32>());
        let hash = hash_token(token.as_bytes());
        tx.run("insert into known_device (token_hash, staff_id, seen_at) values ($1, $2, $3)", (hash, id, at)).await?;
        Ok(token)
    })
    .await
}

/// Deletes counts that no longer count and browsers that were not seen for 90 days.
///
/// # Errors
/// What the database says.
pub async fn sign_in_history_is_pruned(db: &Db, now: &Now) -> Result<u64> {
    let (since, seen) = (now.at().minus(LONGEST), now.at().minus(std::time::Duration::from_secs(90 * 24 * 60 * 60)));
    db.work(async |tx| {
        let counts = tx.run("delete from throttle where since <= $1", [since]).await?;
        Ok(counts + tx.run("delete from known_device where seen_at <= $1", [seen]).await?)
    })
    .await
}
