//! Lines and contacts of the platform's first version, taken over into an account, many at a time.
//!
//! The rule: what is here already stays as it is; a number is a line of one account.

use super::lines::search_text;
use super::short_text;
use crate::clock::Now;
use crate::db::{Result, Tx, json};
use crate::staff::{Actor, Entry, record};
use crate::types::{AccountId, Change, IntegrationType, LineId, PhoneNumber, Problem};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A label or a name may be so long, in characters.
const LONGEST: usize = 80;

/// A line as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldLine(pub(crate) PhoneNumber, pub(crate) String, pub(crate) IntegrationType);

/// A contact as it was: number, name, note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldContact(pub(crate) PhoneNumber, pub(crate) String, pub(crate) String);

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It was made.
    Made(LineId),
    /// The account has it already.
    Known(LineId),
    /// It is another account's.
    Foreign,
}

/// A label or a name as it is stored.
///
/// # Errors
/// `Invalid` when it is empty, too long, or on several lines.
pub(crate) fn name(text: &str) -> std::result::Result<String, Problem> {
    short_text("", text, LONGEST)
}

/// Makes the lines that are not there; answers one by one.
///
/// # Errors
/// What the database says.
pub(crate) async fn take_lines(tx: &mut Tx, now: &Now, actor: &Actor, account: AccountId, lines: &[&OldLine]) -> Result<Vec<Line>> {
    let (name,): (String,) = tx.one("select name from account where id = $1", [account]).await?;
    let rows: Vec<_> =
        lines.iter().map(|OldLine(number, label, kind)| (LineId(now.id()), number, label, search_text(label, &name), kind)).collect();
    let made: Vec<(LineId,)> = tx
        .all(
            "insert into line (id, account_id, number, label, search, integration_type, created_at, version)
             select unhex(j.value->>0, '-'), $2, j.value->>1, j.value->>2, j.value->>3, j.value->>4, $3, 1
             from json_each($1) j
             where true
             on conflict (number) do nothing
             returning id",
            (json(&rows), account, now.at()),
        )
        .await?;
    let mut made: HashSet<LineId> = made.into_iter().map(|(id,)| id).collect();
    let new: Vec<(LineId, &PhoneNumber)> = rows.iter().filter(|row| made.contains(&row.0)).map(|row| (row.0, row.1)).collect();
    super::search::write_digits(tx, &new).await?;
    let added: Vec<_> = new.iter().map(|(line, number)| (*line, account, *number)).collect();
    crate::messaging::unknown::are_lines_now(tx, now, &added).await?;
    for (id, _, label, _, kind) in rows.iter().filter(|row| made.contains(&row.0)) {
        tx.tell(Change::Line { account_id: account, line_id: *id });
        let entry = Entry { action: "line.add", account_id: Some(account), line_id: Some(*id), ..Entry::default() };
        record(tx, now, actor, entry.change((), serde_json::json!({ "label": label, "integration_type": kind }))).await?;
    }
    let numbers: Vec<_> = lines.iter().map(|line| [&line.0]).collect();
    let there: Vec<(PhoneNumber, LineId, AccountId)> =
        tx.all("select l.number, l.id, l.account_id from json_each($1) j join line l on l.number = j.value->>0", [json(&numbers)]).await?;
    let there: HashMap<PhoneNumber, (LineId, AccountId)> = there.into_iter().map(|(number, id, owner)| (number, (id, owner))).collect();
    let became = lines.iter().map(|line| match there.get(&line.0) {
        Some((id, owner)) if *owner == account => {
            if made.remove(id) {
                Line::Made(*id)
            } else {
                Line::Known(*id)
            }
        }
        _ => Line::Foreign,
    });
    Ok(became.collect())
}

/// Whose these lines are.
///
/// # Errors
/// What the database says.
pub(crate) async fn owners(tx: &mut Tx, lines: &[LineId]) -> Result<HashMap<LineId, AccountId>> {
    let lines: HashSet<[LineId; 1]> = lines.iter().map(|line| [*line]).collect();
    let found: Vec<(LineId, AccountId)> = tx
        .all(
            "select l.id, l.account_id
             from line l
             where l.id in (select unhex(j.value->>0, '-') from json_each($1) j)",
            [json(&lines)],
        )
        .await?;
    Ok(found.into_iter().collect())
}

/// Which of these numbers the account knows a contact of, closed or not.
///
/// # Errors
/// What the database says.
pub(crate) async fn numbers_known(tx: &mut Tx, account: AccountId, numbers: &[&PhoneNumber]) -> Result<HashSet<PhoneNumber>> {
    let numbers: HashSet<[&PhoneNumber; 1]> = numbers.iter().map(|number| [*number]).collect();
    let found: Vec<(PhoneNumber,)> = tx
        .all(
            "select k.number
             from contact k
             where k.account_id = $2 and k.number in (select j.value->>0 from json_each($1) j)",
            (json(&numbers), account),
        )
        .await?;
    Ok(found.into_iter().map(|(number,)| number).collect())
}

/// Makes the contacts that the account does not know; one that was closed is opened again. Says how many.
///
/// # Errors
/// What the database says.
pub(crate) async fn take_contacts(tx: &mut Tx, now: &Now, account: AccountId, contacts: &[&OldContact]) -> Result<u64> {
    // A number may stand there several times; a statement touches each row once.
    let mut seen = HashSet::new();
    let once = contacts.iter().filter(|contact| seen.insert(&contact.0));
    let once: Vec<_> = once.map(|OldContact(number, name, note)| (number, name, note, name.to_lowercase(), now.id())).collect();
    tx.run(
        "insert into contact (account_id, number, name, note, search, id)
         select $2, j.value->>0, j.value->>1, j.value->>2, j.value->>3, unhex(j.value->>4, '-')
         from json_each($1) j
         where true
         on conflict (account_id, number) do update set closed_at = null where contact.closed_at is not null",
        (json(&once), account),
    )
    .await
}
