//! Numbers that are no line and are set aside: a misprint or a line that is gone, which people go on texting.
//!
//! The rule: what comes in for them is kept as before and only marked, so that nobody is told of it; once the number is a line, or is
//! brought back, nothing is marked any more.

use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx, json, one_more};
use crate::directory::short_text;
use crate::messaging::inbound::Incoming;
use crate::staff::{Entry, Permit, may, record};
use crate::types::{AccountId, AsideNumber, Change, Cursor, LineId, Page, PhoneNumber, Problem, SetAside, Timestamp};
use crate::undo::{self, Step};
use std::collections::HashSet;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;
const ELSE_SAY: &str = "Numbers that are no line belong to no account, so only who manages the directory of all accounts sets them aside.";

/// On PostgreSQL the rows are share-locked: who brings a number back waits for what is being kept, and finds it.
const ASIDE: Sql = Sql {
    sqlite: "select a.number from json_each($1) j join unknown_aside a on a.number = j.value->>0",
    postgres: "select a.number from json_each($1) j join unknown_aside a on a.number = j.value->>0
               order by a.number for key share of a",
};

/// Those of the messages' numbers that are set aside.
pub(super) async fn of(tx: &mut Tx, strays: &[&Incoming]) -> Result<HashSet<PhoneNumber>> {
    let mut numbers: Vec<[&PhoneNumber; 1]> = strays.iter().map(|m| [&m.to]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let rows: Vec<(PhoneNumber,)> = tx.all(ASIDE, [json(&numbers)]).await?;
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// Messages to these numbers are shown and counted again.
async fn unmark(tx: &mut Tx, numbers: &[(PhoneNumber,)]) -> Result<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    tx.run(
        "update unknown_inbound set aside_at = null
         where aside_at is not null and to_number in (select j.value->>0 from json_each($1) j)",
        [json(numbers)],
    )
    .await?;
    tx.tell(Change::UnknownLine);
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    number: PhoneNumber,
    reason: String,
    set_by: String,
    set_at: Timestamp,
    texted_at: Option<Timestamp>,
}

impl From<Row> for AsideNumber {
    fn from(row: Row) -> Self {
        let aside = SetAside { reason: row.reason, by: row.set_by, at: row.set_at };
        AsideNumber { number: row.number, aside, texted_at: row.texted_at }
    }
}

/// Numbers that are set aside, the latest first; `number` narrows them to one.
///
/// # Errors
/// `Forbidden` for who does not look after all accounts; what the database says.
pub async fn list_aside(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    number: Option<&PhoneNumber>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AsideNumber>, Problem> {
    permit.on_all_accounts(super::ELSE_SAY)?;
    let (at, behind) = after.and_then(Cursor::key::<(Timestamp, String)>).unwrap_or((Timestamp(i64::MAX), String::new()));
    let rows: Vec<Row> = db
        .all(
            "select s.number, s.reason, s.set_by, s.set_at,
               (select u.received_at from unknown_inbound u where u.to_number = s.number order by u.id desc limit 1) as texted_at
             from unknown_aside s
             where (s.set_at, s.number) < ($1, $2) and (s.number = $3 or $3 is null)
             order by s.set_at desc, s.number desc
             limit $4",
            (at, behind, number.cloned(), one_more(limit)),
        )
        .await?;
    Ok(Page::of(rows, limit, |row| (row.set_at, row.number.expose().to_owned())).map(AsideNumber::from))
}

/// Sets a number aside that was texted and is no line: until it is brought back, nobody is told of what comes in for it.
///
/// # Errors
/// `Invalid` without a reason, `Forbidden` when the permit holds on named accounts only, `NotFound` when nothing came in for the number,
/// `Conflict` when it is a line or set aside already.
pub async fn set_aside(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    number: &PhoneNumber,
    reason: &str,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = set_one_aside(tx, now, permit, number, reason).await?;
        Ok(undo::leave(tx, now, permit, "The number was set aside.", vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`set_aside`].
pub(crate) async fn set_one_aside(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    number: &PhoneNumber,
    reason: &str,
) -> Result<Step, Problem> {
    permit.on_all_accounts(ELSE_SAY)?;
    let (reason, at) = (short_text("reason", reason, LONGEST_REASON)?, now.at());
    let set = tx
        .run(
            "insert into unknown_aside (number, reason, set_by, set_at)
             select $1, $2, $3, $4
             where exists (select 1 from unknown_inbound u where u.to_number = $1)
               and not exists (select 1 from line l where l.number = $1)
             on conflict do nothing",
            (number.clone(), reason.clone(), permit.actor().name().to_owned(), at),
        )
        .await?;
    if set == 0 {
        let (is_aside, is_line): (bool, bool) = tx
            .one(
                "select (select count(*) from unknown_aside s where s.number = $1) > 0,
                   (select count(*) from line l where l.number = $1) > 0",
                [number.clone()],
            )
            .await?;
        return Err(match (is_aside, is_line) {
            (true, _) => Problem::conflict("Somebody has set this number aside already. Look again: the page says who, and why."),
            (_, true) => Problem::conflict("This number is a line now: what comes in for it flows."),
            (false, false) => Problem::not_found("Nothing came in for this number, or nothing of it is kept any more."),
        });
    }
    tx.run("update unknown_inbound set aside_at = $2 where to_number = $1 and aside_at is null", (number.clone(), at)).await?;
    tx.tell(Change::UnknownLine);
    let entry = Entry { action: "unknown.set_aside", ..Entry::default() };
    record(tx, now, permit.actor(), entry.change((), serde_json::json!({ "number": number, "reason": reason }))).await?;
    Ok(Step::BringNumberBack { number: number.clone() })
}

/// Brings a number back: what came in for it is shown and counted again.
///
/// # Errors
/// `Forbidden` when the permit holds on named accounts only, `Conflict` when it is not set aside any more.
pub async fn bring_back(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, number: &PhoneNumber) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = bring_one_back(tx, now, permit, number).await?;
        Ok(undo::leave(tx, now, permit, "The number was brought back.", vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`bring_back`].
pub(crate) async fn bring_one_back(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    number: &PhoneNumber,
) -> Result<Step, Problem> {
    permit.on_all_accounts(ELSE_SAY)?;
    let was: Option<(String,)> = tx.opt("delete from unknown_aside where number = $1 returning reason", [number.clone()]).await?;
    let Some((reason,)) = was else {
        return Err(Problem::conflict("This number is not set aside any more: somebody brought it back, or it is a line now."));
    };
    unmark(tx, &[(number.clone(),)]).await?;
    let entry = Entry { action: "unknown.bring_back", ..Entry::default() };
    record(tx, now, permit.actor(), entry.change(serde_json::json!({ "number": number, "reason": reason }), ())).await?;
    Ok(Step::SetNumberAside { number: number.clone(), reason })
}

/// These numbers are lines of these accounts from now on: that one was set aside is over, and what was asked for by keyword counts.
///
/// # Errors
/// What the database says.
pub(crate) async fn are_lines_now(tx: &mut Tx, now: &Now, lines: &[(LineId, AccountId, &PhoneNumber)]) -> Result<()> {
    let numbers: Vec<[&PhoneNumber; 1]> = lines.iter().map(|(.., number)| [*number]).collect();
    let over: Vec<(PhoneNumber,)> = tx
        .all("delete from unknown_aside where number in (select j.value->>0 from json_each($1) j) returning number", [json(&numbers)])
        .await?;
    unmark(tx, &over).await?;
    super::count_keywords(tx, now, lines).await
}

/// Forgets numbers that were set aside before a moment and of which no message is kept any more, one batch; says how many. Whoever texts
/// one later is told of again.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget_aside_before(db: &Db, before: Timestamp) -> Result<usize> {
    db.work(async |tx| {
        let over: Vec<(PhoneNumber,)> = tx
            .all(
                "delete from unknown_aside
                 where number in (
                   select s.number from unknown_aside s
                   where s.set_at < $1 and not exists (select 1 from unknown_inbound u where u.to_number = s.number)
                   order by s.set_at, s.number
                   limit 500)
                 returning number",
                [before],
            )
            .await?;
        // One that came in meanwhile was marked.
        unmark(tx, &over).await?;
        Ok(over.len())
    })
    .await
}
