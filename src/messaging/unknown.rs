//! Messages to unknown lines: what came in for a number that was no line of ours, kept whole and shown, so that somebody adds
//! the line.
//!
//! The rule: they belong to no account, so only who looks after all accounts sees them, and who texted and what only who sees personal
//! data on all accounts. Once the number is a line, a STOP among them counts. Of a number that is set aside nobody is told: its messages are
//! marked, and read by whoever asks for the number.

mod aside;

pub(crate) use aside::{are_lines_now, bring_one_back, forget_aside_before, set_one_aside};
pub use aside::{bring_back, list_aside, set_aside};

use super::consent::{self, Given, Keyword};
use super::inbound::{Incoming, list_as_stored};
use super::timeline::{media, others};
use crate::clock::{Now, first_id_at};
use crate::db::{Db, Result, Tx, json, one_more};
use crate::home::most_read;
use crate::staff::{Permit, Seen, may};
use crate::types::{
    AccountId, Change, Counted, Cursor, LineId, Page, PhoneNumber, Problem, ShownNumber, Timestamp, UnknownNumber, UnknownRow, Written,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Counting looks at so many, the newest ones: a number that has become a line is no trouble any more.
pub const COUNTED: i64 = 1_000;
/// What was kept for numbers that have become lines is read so much at a time.
const PAGE: i64 = 500;
const ELSE_SAY: &str = "Messages to unknown lines belong to no account, so only who looks after all accounts sees them.";

/// Keeps messages that no line takes, each once.
pub(super) async fn keep(tx: &mut Tx, now: &Now, at: Timestamp, strays: &[&Incoming]) -> Result<()> {
    if strays.is_empty() {
        return Ok(());
    }
    let aside = aside::of(tx, strays).await?;
    // Ids of one millisecond are in no order; arrival order is.
    let mut ids: Vec<Uuid> = strays.iter().map(|_| now.id_at(at)).collect();
    ids.sort_unstable();
    let rows: Vec<_> = strays
        .iter()
        .zip(ids)
        .map(|(m, id)| {
            let aside_at = aside.contains(&m.to).then_some(at);
            (id, &m.carrier_id, &m.from, &m.to, list_as_stored(&m.others), &m.body, list_as_stored(&m.media), m.sent_at, at, aside_at)
        })
        .collect();
    let kept = tx
        .run(
            "insert into unknown_inbound (id, carrier_id, from_number, to_number, others, body, media, carrier_at, received_at, aside_at)
             select unhex(j.value->>0, '-'), j.value->>1, j.value->>2, j.value->>3, j.value->>4, j.value->>5, j.value->>6,
               cast(j.value->>7 as bigint), cast(j.value->>8 as bigint), cast(j.value->>9 as bigint)
             from json_each($1) j
             where true
             on conflict do nothing",
            [json(&rows)],
        )
        .await?;
    if kept > 0 {
        tx.tell(Change::UnknownLine);
    }
    Ok(())
}

/// What people asked these lines for by keyword before they were lines counts from when they wrote it. It is not answered any more.
async fn count_keywords(tx: &mut Tx, now: &Now, lines: &[(LineId, AccountId, &PhoneNumber)]) -> Result<()> {
    let numbers: Vec<[&PhoneNumber; 1]> = lines.iter().map(|(.., number)| [*number]).collect();
    let of: HashMap<_, _> = lines.iter().map(|(line, account, number)| (*number, (*line, *account))).collect();
    let (list, mut behind) = (json(&numbers), Uuid::nil());
    loop {
        let kept: Vec<(Uuid, PhoneNumber, PhoneNumber, String, Option<Timestamp>, Timestamp)> = tx
            .all(
                "select u.id, u.to_number, u.from_number, u.body, u.carrier_at, u.received_at
                 from unknown_inbound u
                 where u.to_number in (select j.value->>0 from json_each($1) j) and u.id > $2
                 order by u.id
                 limit $3",
                (list.clone(), behind, PAGE),
            )
            .await?;
        let Some((last, ..)) = kept.last() else { return Ok(()) };
        behind = *last;
        let given = kept.into_iter().filter_map(|(_, to, from, body, sent_at, received_at)| {
            let keyword = consent::keyword(&body).filter(|keyword| *keyword != Keyword::Help)?;
            let (line_id, account_id) = *of.get(&to)?;
            let at = sent_at.map_or(received_at, |sent| sent.min(received_at));
            Some(Given { line_id, number: from, account_id, keyword, at })
        });
        let given: Vec<Given> = given.collect();
        consent::write(tx, now, now.at(), &given).await?;
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    to_number: PhoneNumber,
    from_number: PhoneNumber,
    others: Option<String>,
    body: String,
    media: Option<String>,
    carrier_at: Option<Timestamp>,
    received_at: Timestamp,
    line: Option<LineId>,
}

macro_rules! list_sql {
    ($narrow:literal) => {
        concat!(
            "select u.id, u.to_number, u.from_number, u.others, u.body, u.media, u.carrier_at, u.received_at, l.id as line
             from unknown_inbound u
             left join line l on l.number = u.to_number
             where u.id < $1 ",
            $narrow,
            "order by u.id desc
             limit $2"
        )
    };
}

/// Messages to unknown lines, the newest first, without those to numbers that are set aside; `to` narrows them to one number, set aside or
/// not.
///
/// # Errors
/// `Forbidden` for who does not look after all accounts; what the database says.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    to: Option<&PhoneNumber>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<UnknownRow>, Problem> {
    permit.on_all_accounts(ELSE_SAY)?;
    let before = after.and_then(Cursor::key::<Uuid>).unwrap_or(Uuid::max());
    let most = one_more(limit);
    // One text for each way of narrowing, so that each walks an index of its own.
    let rows: Vec<Row> = match to {
        Some(to) => db.all(list_sql!("and u.to_number = $3 "), (before, most, to.clone())).await?,
        // While a number is being set aside, what comes in for it may be not marked yet.
        None => {
            db.all(
                list_sql!(
                    "and u.aside_at is null and not exists (select 1 from unknown_aside s where s.number = u.to_number limit 1 offset 0) "
                ),
                (before, most),
            )
            .await?
        }
    };
    let sees = permit.sight().everywhere;
    if sees && !rows.is_empty() {
        permit.saw(Seen::UnknownInbound);
    }
    Ok(Page::of(rows, limit, |row| row.id).map(|row| UnknownRow {
        to: row.to_number,
        from: ShownNumber::of(row.from_number, sees),
        written: Written::of(row.body, media(row.media.as_deref()), others(row.others.as_deref()), sees),
        sent_at: row.carrier_at,
        received_at: row.received_at,
        line: row.line,
    }))
}

/// Removes messages to unknown lines of before a moment, one batch; says how many.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget_before(db: &Db, before: Timestamp) -> Result<u64> {
    let before = first_id_at(before);
    db.work(async |tx| {
        let done = tx
            .run("delete from unknown_inbound where id in (select id from unknown_inbound where id < $1 order by id limit 500)", [before])
            .await?;
        if done > 0 {
            tx.tell(Change::UnknownLine);
        }
        Ok(done)
    })
    .await
}

/// How many messages to unknown lines are of before a moment, up to `cap`.
///
/// # Errors
/// What the database says.
pub(crate) async fn count_before(db: &Db, before: Timestamp, cap: i64) -> Result<i64> {
    let (count,): (i64,) =
        db.one("select count(*) from (select 1 from unknown_inbound where id < $1 limit $2) n", (first_id_at(before), cap)).await?;
    Ok(count)
}

/// How many of the newest [`COUNTED`] to numbers that are not set aside went to one that still is no line; `None` for who may not see
/// them.
///
/// # Errors
/// What the database says.
pub async fn count(db: &Db, permit: &Permit<may::SeeMessages>) -> Result<Option<i64>> {
    if !permit.scope().everywhere {
        return Ok(None);
    }
    let (count,): (i64,) = db
        .one(
            "select count(*)
             from (select to_number from unknown_inbound where aside_at is null order by id desc limit $1) u
             where not exists (select 1 from line l where l.number = u.to_number)
               and not exists (select 1 from unknown_aside s where s.number = u.to_number)",
            [COUNTED],
        )
        .await?;
    Ok(Some(count))
}

/// Numbers that were texted, still are no line and are not set aside, counted up to a cap, and those that have waited longest, of the newest
/// [`COUNTED`] messages; `None` for who may not see them.
///
/// # Errors
/// What the database says.
pub(crate) async fn numbers(db: &Db, permit: &Permit<may::SeeMessages>, named: usize) -> Result<Option<Counted<UnknownNumber>>> {
    if !permit.scope().everywhere {
        return Ok(None);
    }
    let rows = db
        .all(
            "select u.to_number as number, count(*) as messages, min(u.received_at) as since
             from (select to_number, received_at from unknown_inbound where aside_at is null order by id desc limit $1) u
             where not exists (select 1 from line l where l.number = u.to_number)
               and not exists (select 1 from unknown_aside s where s.number = u.to_number)
             group by u.to_number
             order by min(u.received_at), u.to_number
             limit $2",
            (COUNTED, most_read()),
        )
        .await?;
    Ok(Some(Counted::of(rows, named)))
}
