//! The erasure of one contact of an account on request: asked for with the number and a reference, previewed with counts, confirmed, done
//! in one transaction, and certified.
//!
//! The rule: this room knows that, the rooms whose rows they are know how. What is under way is waited for, since what the carrier or
//! RingCentral is about to get cannot be taken back. Once it is done the number stands nowhere here.

use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::directory::{lines, people};
use crate::messaging::erasure as messages;
use crate::search;
use crate::secret::Keyring;
use crate::staff::{self, Entry, Permit, Proof, Seen, may, record};
use crate::sync;
use crate::types::{AccountId, Change, ErasureCounts, ErasureDetail, ErasureId, PhoneNumber, Problem, ShownNumber, Timestamp};
use crate::utilities;
use serde_json::json;
use std::time::Duration;

/// What was asked for and not done is forgotten after this time, with the number.
const OPEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How many an account's list shows.
const SHOWN: i64 = 100;

#[derive(sqlx::FromRow)]
struct Row {
    id: ErasureId,
    account_id: AccountId,
    account: String,
    reference: String,
    number: Option<String>,
    asked_by: String,
    asked_at: Timestamp,
    done_by: Option<String>,
    done_at: Option<Timestamp>,
    counts: Option<String>,
    sees: bool,
}

fn no_such() -> Problem {
    Problem::not_found("There is no such erasure. One that was asked for is forgotten after a day.")
}

/// Asks for the erasure of an account's contact; nothing is erased yet.
///
/// # Errors
/// `Invalid` for what is no number or no reference, `NotFound` for an account out of scope.
pub async fn ask(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::ManagePersonalData>,
    account: AccountId,
    number: &str,
    reference: &str,
) -> Result<ErasureId, Problem> {
    let number = PhoneNumber::parse(number).map_err(|_| Problem::invalid("number", "Write the whole number, as in +1 202 555 0143."))?;
    let reference = reference.trim().to_owned();
    if reference.is_empty() || reference.chars().count() > 80 || reference.chars().any(char::is_control) {
        return Err(Problem::invalid("reference", "Write where the request is filed, such as its number; at most 80 characters."));
    }
    let (scope, id) = (permit.scope(), ErasureId(now.id()));
    let sealed = keys.seal(&now.rng, "erasure", id.0, number.expose());
    db.work(async |tx| {
        let asked = tx
            .run(
                "insert into erasure (id, account_id, reference, number, asked_by, asked_at)
                 select $1, a.id, $3, $4, $5, $6
                 from account a
                 where a.id = $2 and ($7 or a.id in (select account_id from staff_scope where staff_id = $8 and permission = $9))",
                (
                    id,
                    account,
                    reference.clone(),
                    sealed,
                    permit.actor().name().to_owned(),
                    now.at(),
                    scope.everywhere,
                    scope.staff,
                    scope.permission,
                ),
            )
            .await?;
        if asked == 0 {
            return Err(Problem::not_found("There is no such account, or it is one that you do not look after."));
        }
        let entry = Entry { action: "contact.ask_erasure", account_id: Some(account), subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, permit.actor(), entry.change((), json!({ "reference": reference }))).await?;
        Ok(id)
    })
    .await
}

macro_rules! erasure_sql {
    ($narrow:literal) => {
        concat!(
            "select e.id, e.account_id, a.name as account, e.reference, e.number, e.asked_by, e.asked_at, e.done_by, e.done_at, e.counts,
               coalesce($4 or e.account_id in
                 (select account_id from staff_scope where staff_id = $2 and permission = $5), false) as sees
             from erasure e
             join account a on a.id = e.account_id
             where ($1 or e.account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3)) ",
            $narrow
        )
    };
}

/// What there is of a contact now, and why it cannot be erased at this moment, if it cannot.
async fn look(tx: &mut Tx, now: &Now, account: AccountId, number: &PhoneNumber) -> Result<(ErasureCounts, Option<String>, messages::Held)> {
    let held = messages::look(tx, account, number).await?;
    let synced = sync::look_for_erasure(tx, now, &held.conversations, &held.group_texts).await?;
    let obstacle = if held.transferring || utilities::gives_a_line_away(tx, account).await? {
        Some("A line that has texted with this contact is being transferred. Wait until it is, then look again.")
    } else if held.waiting > 0 {
        Some("A message to this contact waits to be sent. Wait until it is sent, then look again.")
    } else if held.recording > 0 {
        Some(
            "A blast of this account has not started or is being recorded, and this contact may be among its recipients. Wait until it is sent, or have it cancelled, then look again.",
        )
    } else if utilities::takes_file_in(tx, account).await? {
        Some(
            "A file is being taken into this account, and this contact may be in it. Wait until it is done, or cancel it, then look again.",
        )
    } else if synced.under_way > 0 {
        Some("A delivery into RingCentral is under way or not settled yet. Wait a minute, or skip what is stalled, then look again.")
    } else {
        None
    };
    let counts = ErasureCounts {
        conversations: i64::try_from(held.conversations.len()).unwrap_or(i64::MAX),
        messages: held.messages,
        held: synced.held,
        group_texts: i64::try_from(held.group_texts.len()).unwrap_or(i64::MAX),
        names: people::knows_contact(tx, account, number).await?.into(),
        opt_outs: held.opt_outs,
        posts: synced.posts,
        chats: synced.chats,
    };
    Ok((counts, obstacle.map(ToOwned::to_owned), held))
}

fn opened(keys: &Keyring, id: ErasureId, sealed: &str) -> Result<PhoneNumber, Problem> {
    let number = keys.open("erasure", id.0, sealed).ok().and_then(|number| PhoneNumber::parse(&number).ok());
    number.ok_or_else(|| Problem::conflict("The number does not open with this installation's key any more. Ask for the erasure again."))
}

fn shown(row: Row, number: Option<&PhoneNumber>, counts: ErasureCounts, obstacle: Option<String>) -> ErasureDetail {
    ErasureDetail {
        id: row.id,
        account_id: row.account_id,
        account: row.account,
        reference: row.reference,
        asked_by: row.asked_by,
        asked_at: row.asked_at,
        number: number.map(|number| ShownNumber::of(number.clone(), row.sees)),
        counts,
        obstacle,
        done: row.done_by.zip(row.done_at),
    }
}

fn stored(counts: Option<&String>) -> ErasureCounts {
    counts.and_then(|counts| serde_json::from_str(counts).ok()).unwrap_or_default()
}

/// An erasure: what it would do, or what it did.
///
/// # Errors
/// `NotFound` when it is not there or out of scope.
pub async fn get(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::ManagePersonalData>,
    id: ErasureId,
) -> Result<ErasureDetail, Problem> {
    let scope = permit.scope();
    let row: Option<Row> = db
        .opt(
            erasure_sql!("and e.id = $6"),
            (scope.everywhere, scope.staff, scope.permission, permit.sight().everywhere, permit.sight().permission, id),
        )
        .await?;
    let row = row.ok_or_else(no_such)?;
    let Some(sealed) = &row.number else {
        let counts = stored(row.counts.as_ref());
        return Ok(shown(row, None, counts, None));
    };
    let number = opened(keys, id, sealed)?;
    if row.sees {
        permit.saw(Seen::Erasure(row.account_id, id));
    }
    let (counts, obstacle, _) = db.work(async |tx| look(tx, now, row.account_id, &number).await).await?;
    Ok(shown(row, Some(&number), counts, obstacle))
}

/// The erasures of an account that are done, the newest first.
///
/// # Errors
/// What the database says.
pub async fn list(db: &Db, permit: &Permit<may::ManagePersonalData>, account: AccountId) -> Result<Vec<ErasureDetail>> {
    let scope = permit.scope();
    let rows: Vec<Row> = db
        .all(
            erasure_sql!("and e.account_id = $6 and e.done_at is not null order by e.id desc limit $7"),
            (scope.everywhere, scope.staff, scope.permission, permit.sight().everywhere, permit.sight().permission, account, SHOWN),
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let counts = stored(row.counts.as_ref());
            shown(row, None, counts, None)
        })
        .collect())
}

/// Erases the contact. `confirm` is the number's last four digits.
///
/// # Errors
/// `Conflict` while something is under way, or when it is done already; `Invalid` for another confirmation; `NotFound` as [`get`].
pub async fn erase(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::ManagePersonalData>,
    _proof: Proof,
    id: ErasureId,
    confirm: &str,
) -> Result<(), Problem> {
    let scope = permit.scope();
    db.work(async |tx| {
        // The row's lock: of two who confirm at once the second finds it done.
        tx.run("update erasure set reference = reference where id = $1", [id]).await?;
        let row: Option<Row> = tx
            .opt(
                erasure_sql!("and e.id = $6"),
                (scope.everywhere, scope.staff, scope.permission, permit.sight().everywhere, permit.sight().permission, id),
            )
            .await?;
        let row = row.ok_or_else(no_such)?;
        let Some(sealed) = &row.number else { return Err(Problem::conflict("This contact is erased already.")) };
        let number = opened(keys, id, sealed)?;
        let digits = number.expose();
        if confirm.trim() != &digits[digits.len().saturating_sub(4)..] {
            return Err(Problem::invalid("confirm", "These are not the last four digits of the number."));
        }
        let account = row.account_id;
        // What is looked at now stays the account's until it is erased.
        lines::hold_all(tx, account).await?;
        let (counts, obstacle, held) = look(tx, now, account, &number).await?;
        if let Some(obstacle) = obstacle {
            return Err(Problem::conflict(obstacle));
        }
        // Its records name conversations, which must still be there.
        utilities::forget_contact(tx, account, &number).await?;
        sync::erase(tx, &held.conversations).await?;
        messages::erase(tx, now, account, &number, &held).await?;
        people::erase_contact(tx, account, &number).await?;
        staff::forget_key(tx, account, &number).await?;
        search::forget_all(tx).await?;
        tx.run(
            "update erasure set number = null, done_by = $2, done_at = $3, counts = $4 where id = $1",
            (id, permit.actor().name().to_owned(), now.at(), json!(counts).to_string()),
        )
        .await?;
        for (line_id, _) in &held.conversations {
            tx.tell(Change::Conversations { account_id: account, line_id: *line_id });
        }
        let entry = Entry { action: "contact.erase", account_id: Some(account), subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, permit.actor(), entry.change((), counts)).await?;
        Ok(())
    })
    .await
}

/// Forgets what was asked for and not done.
///
/// # Errors
/// What the database says.
pub async fn forget_open(db: &Db, now: &Now) -> Result<u64> {
    let before = now.at().minus(OPEN_FOR);
    db.work(async |tx| tx.run("delete from erasure where done_at is null and asked_at <= $1", [before]).await).await
}
