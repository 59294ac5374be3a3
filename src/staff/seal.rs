//! The seal of the audit: committed entries are numbered and chained by hash, every second, by one process of all.
//!
//! The rule: an entry's hash covers the hash before it and everything that the entry says, so whoever changes, removes or slips in
//! one has to change all that follow; and who keeps a number with its hash elsewhere notices even that. Writers never wait for it.

use super::{Actor, Entry, record};
use crate::clock::Now;
use crate::db::{Db, Result, json};
use crate::types::{AuditOutcome, Timestamp};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Entries that one transaction seals, and one step of the check reads.
const BATCH: i64 = 500;
/// The last entry that was cut off.
const CUT: &str = "select number, hash from audit_cut order by number desc limit 1";
const EVERY: Duration = Duration::from_secs(1);

#[derive(sqlx::FromRow)]
struct Sealed {
    number: i64,
    hash: String,
}

/// Everything that an entry says.
#[derive(sqlx::FromRow)]
struct Said {
    id: Uuid,
    at: Timestamp,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    action: String,
    account_id: Option<Uuid>,
    line_id: Option<Uuid>,
    subject_id: Option<Uuid>,
    before: Option<String>,
    after: Option<String>,
    address: Option<String>,
    outcome: AuditOutcome,
}

/// Whether these fields of an entry tell of this cut.
fn says(after: Option<&str>, cut: &Sealed) -> bool {
    let told = after.and_then(|after| serde_json::from_str::<serde_json::Value>(after).ok()).unwrap_or_default();
    told.get("number").and_then(serde_json::Value::as_i64) == Some(cut.number)
        && told.get("hash").and_then(serde_json::Value::as_str) == Some(cut.hash.as_str())
}

impl Said {
    fn says_cut(&self, cut: &Sealed) -> bool {
        self.action == "audit.cut" && self.actor_kind == "system" && says(self.after.as_deref(), cut)
    }

    /// The entry's hash as the `number`th, behind the one before.
    fn hash(&self, number: i64, previous: &str) -> String {
        // One text for one entry: a list of values in a fixed order, as JSON writes it.
        let who = (number, self.id, self.at, &self.actor_kind, self.actor_id, &self.actor_name);
        let what = (&self.action, self.account_id, self.line_id, self.subject_id, &self.before, &self.after);
        // An entry of the time before these two were written down is a list of two: its seal stays good.
        let said = match (&self.address, self.outcome) {
            (None, AuditOutcome::Done) => json(&(who, what)),
            (address, outcome) => json(&(who, what, (address, outcome))),
        };
        let hash = Sha256::new().chain_update(previous).chain_update(said).finalize();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Seals what is committed and not sealed yet; says how many entries that were.
///
/// # Errors
/// What the database says.
pub async fn seal(db: &Db, now: &Now) -> Result<usize> {
    // Read first: nothing is written while there is nothing to seal.
    let waits: Option<(Uuid,)> = db.opt("select id from audit_entry where number is null order by id limit 1", ()).await?;
    if waits.is_none() {
        return Ok(0);
    }
    let at = now.at();
    db.work(async |tx| {
        // The row's lock makes this the one that seals until the commit.
        if tx.run("update chore set due_at = $1 where name = 'seal'", [at]).await? == 0 {
            return Ok(0);
        }
        let last: Option<Sealed> =
            tx.opt("select number, hash from audit_entry where number is not null order by number desc limit 1", ()).await?;
        let last = match last {
            Some(last) => Some(last),
            None => tx.opt(CUT, ()).await?,
        };
        let (mut number, mut hash) = last.map_or((0, String::new()), |last| (last.number, last.hash));
        let entries: Vec<Said> = tx
            .all(
                "select id, at, actor_kind, actor_id, actor_name, action, account_id, line_id, subject_id, before, after,
                   address, outcome
                 from audit_entry where number is null order by id limit $1",
                [BATCH],
            )
            .await?;
        let mut rows = Vec::with_capacity(entries.len());
        for entry in &entries {
            number += 1;
            hash = entry.hash(number, &hash);
            rows.push((entry.id, number, hash.clone()));
        }
        tx.run(
            "update audit_entry as e set number = cast(j.value->>1 as bigint), hash = j.value->>2
             from json_each($1) j
             where e.id = unhex(j.value->>0, '-')",
            [json(&rows)],
        )
        .await?;
        Ok(entries.len())
    })
    .await
}

/// Seals every second until told to stop.
pub async fn run_seal(db: Db, now: Now, stop: CancellationToken) {
    let db = db.in_background();
    loop {
        match seal(&db, &now).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "the audit could not be sealed"),
        }
        tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = stop.cancelled() => return }
    }
}

/// What a check of the audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Entries whose seal is good.
    pub sealed: i64,
    /// The last of them, to be kept elsewhere: its number and hash.
    pub head: Option<(i64, String)>,
    /// The first whose seal is broken, with its number; without an id one that is missing.
    pub broken: Option<(i64, Uuid)>,
    /// Entries that are not sealed yet, with the time of the oldest.
    pub unsealed: i64,
    /// The oldest of those.
    pub unsealed_since: Option<Timestamp>,
    /// The entries up to this number were kept long enough and are gone.
    pub cut: i64,
}

/// Removes sealed entries of before a moment, one batch, from the first on; says whether there are more. The chain stays checkable
/// from the last of them, which the audit itself says.
///
/// # Errors
/// What the database says.
pub async fn cut(db: &Db, now: &Now, before: Timestamp, days: i64) -> Result<bool> {
    #[derive(sqlx::FromRow)]
    struct Old {
        number: i64,
        hash: String,
        at: Timestamp,
    }
    // Read first: nothing is written while there is nothing to cut.
    let oldest: Option<(Timestamp,)> = db.opt("select at from audit_entry where number is not null order by number limit 1", ()).await?;
    if oldest.is_none_or(|(at,)| at >= before) {
        return Ok(false);
    }
    db.work(async |tx| {
        // Sealing waits: one changes the chain at a time.
        tx.run("update chore set due_at = due_at where name = 'seal'", ()).await?;
        let rows: Vec<Old> =
            tx.all("select number, hash, at from audit_entry where number is not null order by number limit $1", [BATCH]).await?;
        let old: Vec<&Old> = rows.iter().take_while(|row| row.at < before).collect();
        let Some(last) = old.last() else { return Ok(false) };
        tx.run("delete from audit_entry where number <= $1", [last.number]).await?;
        tx.run("delete from audit_cut", ()).await?;
        tx.run("insert into audit_cut (number, hash, at) values ($1, $2, $3)", (last.number, last.hash.clone(), now.at())).await?;
        let said = serde_json::json!({ "number": last.number, "hash": last.hash, "days": days });
        record(tx, now, &Actor::System, Entry { action: "audit.cut", ..Entry::default() }.change((), said)).await?;
        Ok(old.len() == rows.len())
    })
    .await
}

/// How many sealed entries are of before a moment, up to `cap`.
///
/// # Errors
/// What the database says.
pub async fn count_before(db: &Db, before: Timestamp, cap: i64) -> Result<i64> {
    let (count,): (i64,) = db
        .one(
            "select count(*) from (select 1 from audit_entry where number is not null and id < $1 limit $2) n",
            (crate::clock::first_id_at(before), cap),
        )
        .await?;
    Ok(count)
}

/// Checks every seal, from the first entry on that is kept. `known` is a number with its hash that was kept elsewhere; one that was cut
/// off since cannot be compared.
///
/// # Errors
/// What the database says.
pub async fn verify(db: &Db, known: Option<(i64, String)>) -> Result<Verdict> {
    #[derive(sqlx::FromRow)]
    struct Row {
        number: i64,
        hash: String,
        #[sqlx(flatten)]
        said: Said,
    }
    let cut: Option<Sealed> = db.opt(CUT, ()).await?;
    let mut cut_is_said = cut.is_none();
    let start = cut.as_ref().map_or(0, |cut| cut.number);
    let (mut number, mut hash, mut broken) = (start, cut.as_ref().map_or(String::new(), |cut| cut.hash.clone()), None);
    let mut known_is_met = known.as_ref().is_none_or(|(n, kept)| *n < number || (*n == number && *kept == hash));
    'all: loop {
        let rows: Vec<Row> = db
            .all(
                "select number, hash, id, at, actor_kind, actor_id, actor_name, action, account_id, line_id, subject_id, before, after,
                   address, outcome
                 from audit_entry where number > $1 order by number limit $2",
                (number, BATCH),
            )
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let expected = row.said.hash(number + 1, &hash);
            let is_known = known.as_ref().is_none_or(|(n, kept)| *n != row.number || *kept == expected);
            // Numbers have no gaps: the one behind a gap tells of the one that was removed.
            if row.number > number + 1 {
                broken = Some((number + 1, Uuid::nil()));
                break 'all;
            }
            if row.number != number + 1 || row.hash != expected || !is_known {
                broken = Some((row.number, row.said.id));
                break 'all;
            }
            cut_is_said |= cut.as_ref().is_some_and(|cut| row.said.says_cut(cut));
            known_is_met |= known.as_ref().is_some_and(|(n, _)| *n == row.number);
            (number, hash) = (row.number, expected);
        }
    }
    // A cut that no entry tells of is none of ours; its entry may not be sealed yet.
    if let Some(cut) = cut.filter(|_| broken.is_none() && !cut_is_said) {
        let told: Vec<(Option<String>,)> =
            db.all("select after from audit_entry where number is null and action = 'audit.cut' order by id limit 1000", ()).await?;
        if !told.iter().any(|(after,)| says(after.as_deref(), &cut)) {
            broken = Some((cut.number, Uuid::nil()));
        }
    }
    // What was kept elsewhere is not there any more: the end was cut off.
    if broken.is_none() && !known_is_met {
        broken = Some((number + 1, Uuid::nil()));
    }
    let (unsealed, unsealed_since): (i64, Option<Timestamp>) =
        db.one("select count(*), min(at) from audit_entry where number is null", ()).await?;
    Ok(Verdict { sealed: number - start, head: (number > 0).then_some((number, hash)), broken, unsealed, unsealed_since, cut: start })
}
