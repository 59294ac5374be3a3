//! A file that was given to a run, in pieces, and what came of each.
//!
//! The rule: what came of a piece is written in the transaction that did it, once; then the piece is forgotten, with the personal data in
//! it; one that is recounted, when that is done. A piece that takes too long is done a part at a time, and what was written tells how far
//! it is.

use super::{Stop, Work, cells, count, log};
use crate::clock::Now;
use crate::db::{Db, Result as Done, Tx, json};
use crate::types::{AccountId, PhoneNumber, RunEventKind, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Rows of a piece.
pub(super) const ROWS: usize = 2_000;

/// What came of so many pieces one transaction removes.
const REMOVED_AT_ONCE: i64 = 50;

/// A piece as it is stored: the number of its first line in the file, and its rows.
pub(super) fn pieces<T: Serialize>(rows: &[T], line: fn(&T) -> i64) -> impl Iterator<Item = (i64, String)> {
    rows.chunks(ROWS).map(move |piece| (piece.first().map_or(0, line), json(piece)))
}

/// A piece, as far as it is not done.
#[derive(Debug)]
pub(super) struct Piece {
    body: String,
    /// Rows of it that were done before.
    from: usize,
    /// Rows of it that are done behind this batch; `None` for all of them.
    covers: Option<usize>,
}

/// A piece; `None` when all that came of it is written down already: then a batch that was done is asked for again.
///
/// # Errors
/// [`Stop::Fault`] when it is not there.
pub(super) async fn take(tx: &mut Tx, work: &Work<'_>, piece: i64, output: i64) -> Result<Option<Piece>, Stop> {
    let (body, is_begun, covers): (Option<String>, bool, Option<i64>) = tx
        .one(
            "select (select i.body from utility_input i where i.run_id = $1 and i.n = $2),
               exists (select 1 from utility_output o where o.run_id = $1 and o.n = $3),
               (select o.covers from utility_output o where o.run_id = $1 and o.n = $3)",
            (work.run, piece, output),
        )
        .await?;
    match body {
        _ if is_begun && covers.is_none() => Ok(None),
        Some(body) => Ok(Some(Piece { body, from: covers.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(0), covers: None })),
        None => Err(Stop::fault("A piece of the file is missing.", "Cancel this run and plan it anew, with the file.")),
    }
}

impl Piece {
    /// Its next rows, as many as a batch takes.
    ///
    /// # Errors
    /// [`Stop::Fault`] when another version of the program wrote it.
    pub(super) fn rows<T: for<'a> Deserialize<'a>>(&mut self, work: &Work<'_>) -> Result<Vec<T>, Stop> {
        let mut rows: Vec<T> = read(&self.body)?;
        let end = self.from.saturating_add(usize::try_from(work.size).unwrap_or(usize::MAX).max(1));
        self.covers = (end < rows.len()).then_some(end);
        rows.truncate(end);
        Ok(rows.split_off(self.from.min(rows.len())))
    }

    /// Whether it is done behind this batch.
    pub(super) fn is_last(&self) -> bool {
        self.covers.is_none()
    }

    /// The begin of what came of this batch: the file's first row is behind the columns' names.
    pub(super) fn begin(&self, output: i64, columns: &[&str]) -> String {
        let mut text = String::new();
        if output == 0 && self.from == 0 {
            cells::add_row(&mut text, columns);
        }
        text
    }
}

/// What is stored with a run, as the utility reads it.
///
/// # Errors
/// [`Stop::Fault`] when another version of the program wrote it.
pub(super) fn read<T: for<'a> Deserialize<'a>>(stored: &str) -> Result<T, Stop> {
    serde_json::from_str(stored).map_err(super::unreadable)
}

/// Writes down what came of these rows of a piece, and forgets the piece when it is done and nobody needs it any more.
///
/// # Errors
/// What the database says.
pub(super) async fn settle(tx: &mut Tx, work: &Work<'_>, piece: &Piece, output: i64, body: String, done_with: Option<i64>) -> Done<()> {
    tx.run(
        "insert into utility_output (run_id, n, body, covers) values ($1, $2, $3, $4)
         on conflict (run_id, n) do update set body = utility_output.body || excluded.body, covers = excluded.covers",
        (work.run, output, body, piece.covers.map(count)),
    )
    .await?;
    if let Some(n) = done_with.filter(|_| piece.is_last()) {
        tx.run("delete from utility_input where run_id = $1 and n = $2", (work.run, n)).await?;
    }
    Ok(())
}

/// Whether a file is being taken into the account: a contact's number may be in it.
///
/// # Errors
/// What the database says.
pub(crate) async fn takes_file_in(tx: &mut Tx, account: AccountId) -> Done<bool> {
    let (found,): (bool,) = tx
        .one(
            "select exists (
               select 1 from utility_run r
               where r.account_id = $1 and r.held is not null and exists (select 1 from utility_input i where i.run_id = r.id))",
            [account],
        )
        .await?;
    Ok(found)
}

/// Whether a line of the account is on its way to another one.
///
/// # Errors
/// What the database says.
pub(crate) async fn gives_a_line_away(tx: &mut Tx, account: AccountId) -> Done<bool> {
    let (found,): (bool,) = tx
        .one(
            "select exists (
               select 1 from utility_run r
               join line l on l.id = r.line_id and l.transfer_id = r.id
               where r.account_id = $1)",
            [account],
        )
        .await?;
    Ok(found)
}

/// Erases a contact from what came of files that were taken into the account, and from what runs to it and from it recorded; files that
/// were only looked at are forgotten.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget_contact(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Done<()> {
    tx.run("delete from utility_input where run_id in (select id from utility_run where account_id = $1 and state = 'planned')", [account])
        .await?;
    tx.run(
        "update utility_output set body = replace(body, $2, $3)
         where run_id in (select id from utility_run where account_id = $1) and body like '%' || $2 || '%'",
        (account, cells::quoted(number.expose()), cells::quoted("erased")),
    )
    .await?;
    // Keys between which rows were counted: of a table of numbers they are numbers. A run that is over counts no more.
    tx.run(
        "update utility_check set behind = '', up_to = ''
         where run_id in (select id from utility_run where (account_id = $1 or target_id = $1) and held is null)
           and (behind like '%' || $2 || '%' or up_to like '%' || $2 || '%')",
        (account, number.expose().to_owned()),
    )
    .await?;
    forget_records(tx, account, number).await
}

/// Takes out of the records of runs what they say of a contact: the name and the note that they had. Records name them by a conversation, or
/// by the id that they have in one of the run's accounts; so does what came of a transfer back.
async fn forget_records(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Done<()> {
    let known_as: Vec<(Uuid,)> = tx
        .all(
            "select id from conversation
             where number = $2 and line_id in (select line_id from utility_run where account_id = $1 or target_id = $1)
             union
             select id from contact
             where number = $2 and (account_id in (select account_id from utility_run where account_id = $1 or target_id = $1)
               or account_id in (select target_id from utility_run where account_id = $1 or target_id = $1))",
            (account, number.clone()),
        )
        .await?;
    for name in known_as.into_iter().map(|(id,)| id.to_string()) {
        tx.run(
            "update utility_output set body = replace(body, $2, $3)
             where run_id in (select id from utility_run where utility = 'line_transfer' and (account_id = $1 or target_id = $1))
               and body like '%' || $2 || '%'",
            (account, cells::quoted(&name), cells::quoted("erased")),
        )
        .await?;
        let records: Vec<(RunId, Uuid, String)> = tx
            .all(
                "select run_id, id, body from utility_record
                 where run_id in (select id from utility_run where account_id = $1 or target_id = $1) and body like '%' || $2 || '%'",
                (account, name.clone()),
            )
            .await?;
        for (run, id, body) in records {
            let Ok(mut record) = serde_json::from_str::<Value>(&body) else { continue };
            drop_named(&mut record, &name);
            tx.run("update utility_record set body = $3 where run_id = $1 and id = $2", (run, id, record.to_string())).await?;
        }
    }
    Ok(())
}

/// Takes the items that name this out of every list.
fn drop_named(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !names(item, name));
            items.iter_mut().for_each(|item| drop_named(item, name));
        }
        Value::Object(fields) => fields.values_mut().for_each(|field| drop_named(field, name)),
        _ => {}
    }
}

fn names(item: &Value, name: &str) -> bool {
    match item {
        Value::String(text) => text == name,
        Value::Object(fields) => fields.values().any(|field| field.as_str() == Some(name)),
        _ => false,
    }
}

/// Removes the results of an account's runs that ended before a moment: what came of each record names contacts. One batch of one run's at
/// a time; says whether there was one.
///
/// # Errors
/// What the database says.
pub(crate) async fn remove_results_before(db: &Db, now: &Now, account: AccountId, before: Timestamp, days: i64) -> Done<bool> {
    db.work(async |tx| {
        let old: Option<(RunId,)> = tx
            .opt(
                "select r.id from utility_run r
                 where r.account_id = $1 and r.ended_at < $2 and exists (select 1 from utility_output o where o.run_id = r.id)
                 limit 1",
                (account, before),
            )
            .await?;
        let Some((run,)) = old else { return Ok(false) };
        tx.run(
            "delete from utility_output
             where run_id = $1 and n in (select n from utility_output where run_id = $1 order by n limit $2)",
            (run, REMOVED_AT_ONCE),
        )
        .await?;
        let (is_more,): (bool,) = tx.one("select exists (select 1 from utility_output where run_id = $1)", [run]).await?;
        if is_more {
            return Ok(true);
        }
        let text = format!("The result was removed: the account keeps what names contacts for {days} days.");
        log::write(tx, now, run, RunEventKind::Info, text, None).await?;
        Ok(true)
    })
    .await
}
