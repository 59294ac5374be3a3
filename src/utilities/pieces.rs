//! A file that was given to a run, in pieces, and what came of each.
//!
//! The rule: what came of a piece is written in the transaction that did it, once; then the piece is forgotten, with the personal data in it.

use super::{Stop, Work, cells, log};
use crate::clock::Now;
use crate::db::{Db, Result as Done, Tx};
use crate::messaging::inbound::json;
use crate::types::{AccountId, ConversationId, PhoneNumber, RunEventKind, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Rows of a piece.
pub(super) const ROWS: usize = 2_000;

/// A piece as it is stored: the number of its first line in the file, and its rows.
pub(super) fn pieces<T: Serialize>(rows: &[T], line: fn(&T) -> i64) -> impl Iterator<Item = (i64, String)> {
    rows.chunks(ROWS).map(move |piece| (piece.first().map_or(0, line), json(piece)))
}

/// A piece; `None` when what came of it is written down already: then a batch that was done is asked for again.
///
/// # Errors
/// [`Stop::Fault`] when it is not there.
pub(super) async fn take(tx: &mut Tx, work: &Work<'_>, piece: i64, output: i64) -> Result<Option<String>, Stop> {
    let (body, is_done): (Option<String>, bool) = tx
        .one(
            "select (select i.body from utility_input i where i.run_id = $1 and i.n = $2),
               exists (select 1 from utility_output o where o.run_id = $1 and o.n = $3)",
            (work.run, piece, output),
        )
        .await?;
    match body {
        _ if is_done => Ok(None),
        Some(body) => Ok(Some(body)),
        None => Err(Stop::fault("A piece of the file is missing.", "Cancel this run and plan it anew, with the file.")),
    }
}

/// What is stored with a run, as the utility reads it.
///
/// # Errors
/// [`Stop::Fault`] when another version of the program wrote it.
pub(super) fn read<T: for<'a> Deserialize<'a>>(stored: &str) -> Result<T, Stop> {
    serde_json::from_str(stored).map_err(super::unreadable)
}

/// Writes down what came of a piece, and forgets the piece when nobody needs it any more.
///
/// # Errors
/// What the database says.
pub(super) async fn settle(tx: &mut Tx, work: &Work<'_>, output: i64, body: String, done_with: Option<i64>) -> Done<()> {
    tx.run("insert into utility_output (run_id, n, body) values ($1, $2, $3)", (work.run, output, body)).await?;
    if let Some(piece) = done_with {
        tx.run("delete from utility_input where run_id = $1 and n = $2", (work.run, piece)).await?;
    }
    Ok(())
}

/// The begin of what came of a piece: the first one names the columns.
pub(super) fn begin(output: i64, columns: &[&str]) -> String {
    let mut text = String::new();
    if output == 0 {
        cells::add_row(&mut text, columns);
    }
    text
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

/// Takes out of the records of runs what they say of a contact: the name and the note that they had.
async fn forget_records(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Done<()> {
    let talks: Vec<(ConversationId,)> = tx
        .all(
            "select id from conversation
             where number = $2 and line_id in (select line_id from utility_run where account_id = $1 or target_id = $1)",
            (account, number.clone()),
        )
        .await?;
    for talk in talks.into_iter().map(|(id,)| id.to_string()) {
        let records: Vec<(RunId, Uuid, String)> = tx
            .all(
                "select run_id, id, body from utility_record
                 where run_id in (select id from utility_run where account_id = $1 or target_id = $1) and body like '%' || $2 || '%'",
                (account, talk.clone()),
            )
            .await?;
        for (run, id, body) in records {
            let Ok(mut record) = serde_json::from_str::<Value>(&body) else { continue };
            drop_named(&mut record, &talk);
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

/// Removes the results of an account's runs that ended before a moment: what came of each record names contacts. One run's at a time; says
/// whether there was one.
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
        tx.run("delete from utility_output where run_id = $1", [run]).await?;
        let text = format!("The result was removed: the account keeps what names contacts for {days} days.");
        log::write(tx, now, run, RunEventKind::Info, text, None).await?;
        Ok(true)
    })
    .await
}
