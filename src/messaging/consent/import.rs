//! Consent that somebody brings along, in a file or by hand, for a line: a batch at a time, set-wise.
//!
//! The rule: the most restrictive reading wins, in whatever order things with a time are imported. What lifts an opt-out is an opt-in that is
//! known to be later and has evidence; nothing else does, and nothing lifts that of an erased contact. Nobody has opted in in the future.
//! A file brings no erased contact back: their opt-ins are left out, and their opt-outs are kept as hashes.

use super::{erased, erased_contacts, keep_erased};
use crate::clock::Now;
use crate::db::{Result, Tx, json};
use crate::types::{AccountId, ConsentSource, LineId, PhoneNumber, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Clocks differ by less: what lies further ahead has not been said yet.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Whether an opt-in of this moment lies in the future.
pub(crate) fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at > now.plus(AHEAD)
}

/// An opt-in of which nobody said when it was given: it is older than everything.
const UNSAID: Timestamp = Timestamp(0);

/// What a row of the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The contact.
    pub(crate) number: PhoneNumber,
    /// They opted out; else in.
    pub(crate) out: bool,
    /// When, if that is said.
    pub(crate) at: Option<Timestamp>,
    /// Where it comes from, in words.
    pub(crate) evidence: Option<String>,
}

impl Said {
    /// It lifts an opt-out that is older.
    fn lifts(&self) -> bool {
        !self.out && self.at.is_some() && self.evidence.is_some()
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was known of this number on this line.
    Created,
    /// Something else was known, or less.
    Updated,
    /// It was known, or what is known is as good.
    Unchanged(&'static str),
    /// An opt-in that does not lift the opt-out; the reason.
    KeptOptedOut(&'static str),
}

/// What is known of a number on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    out: bool,
    at: Timestamp,
    /// An older opt-out does not touch it.
    lifts: bool,
}

const LIES_AHEAD: &str = "its time lies in the future";

/// What a row does to what is known; `None` for nothing.
fn decide(known: Option<Known>, is_erased: bool, row: &Said, now: Timestamp) -> (Outcome, Option<Known>) {
    if !row.out && row.at.is_some_and(|at| is_ahead(at, now)) {
        let outcome = match known {
            _ if is_erased => Outcome::KeptOptedOut("opted out before they were erased; that stays"),
            Some(known) if known.out => Outcome::KeptOptedOut(LIES_AHEAD),
            _ => Outcome::Unchanged(LIES_AHEAD),
        };
        return (outcome, None);
    }
    // One that was taken in all the same stands in the way of nothing.
    let known = known.map(|known| Known { lifts: known.lifts && !is_ahead(known.at, now), ..known });
    let becomes = Known { out: row.out, at: row.at.unwrap_or(if row.out { now } else { UNSAID }), lifts: row.lifts() };
    if is_erased {
        let outcome = if row.out {
            Outcome::Unchanged("opted out before they were erased")
        } else {
            Outcome::KeptOptedOut("opted out before they were erased; that stays")
        };
        return (outcome, None);
    }
    let outcome = match (known, row.out) {
        (None, _) => Outcome::Created,
        (Some(known), true) if known.out => {
            // Of a later one, an opt-in has to be later still.
            if row.at.is_some_and(|at| at > known.at) { Outcome::Updated } else { Outcome::Unchanged("") }
        }
        (Some(known), true) => {
            if known.lifts && row.at.is_some_and(|at| at < known.at) {
                Outcome::Unchanged("older than the opt-in that is on record")
            } else {
                Outcome::Updated
            }
        }
        (Some(known), false) if known.out => match row.at {
            None => Outcome::KeptOptedOut("it does not say when it was given"),
            Some(at) if at <= known.at => Outcome::KeptOptedOut("it is not later than the opt-out"),
            Some(_) if row.evidence.is_none() => Outcome::KeptOptedOut("it is later than the opt-out, and has no evidence"),
            Some(_) => Outcome::Updated,
        },
        (Some(known), false) => {
            let is_later = becomes.at > known.at;
            let says_more = if becomes.lifts { !known.lifts || is_later } else { !known.lifts && is_later };
            if says_more { Outcome::Updated } else { Outcome::Unchanged("") }
        }
    };
    let changes = matches!(outcome, Outcome::Created | Outcome::Updated);
    (outcome, changes.then_some(becomes))
}

/// What became of a row of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Imported {
    /// It was taken like any other.
    Taken(Outcome),
    /// It is about a contact who had opted out and was erased.
    OfErasedOut(Outcome),
    /// An opt-out of an erased contact of whom the line knows nothing: it is kept as a hash.
    KeptAsHash,
    /// An opt-in of an erased contact: it is left out.
    LeftOut,
}

/// Takes in what these rows of a file say, in order; a number may stand there several times. Answers one by one.
///
/// # Errors
/// What the database says.
pub(crate) async fn import(tx: &mut Tx, now: &Now, of: (LineId, AccountId), rows: &[Said]) -> Result<Vec<Imported>> {
    let (line, account) = of;
    let numbers: Vec<PhoneNumber> = rows.iter().map(|row| row.number.clone()).collect();
    let gone = erased_contacts(tx, account, &numbers).await?;
    let gone_out = erased(tx, line, &numbers).await?;
    if gone.is_empty() && gone_out.is_empty() {
        return Ok(take_in(tx, now, of, rows, ConsentSource::Import).await?.into_iter().map(Imported::Taken).collect());
    }
    // Of whom the line knows something, they have written again: that they want no more is taken as they are known now.
    let list: Vec<_> = gone.iter().map(|number| [number]).collect();
    let known: Vec<(PhoneNumber,)> = tx
        .all(
            "select c.number from consent c where c.line_id = $1 and c.number in (select j.value->>0 from json_each($2) j)",
            (line, json(&list)),
        )
        .await?;
    let known: HashSet<PhoneNumber> = known.into_iter().map(|(number,)| number).collect();
    let of_erased = |row: &Said| !gone_out.contains(&row.number) && gone.contains(&row.number);
    let left_out = |row: &Said| of_erased(row) && !row.out;
    let as_hash = |row: &Said| of_erased(row) && row.out && !known.contains(&row.number);
    let outs: Vec<(&PhoneNumber, Timestamp)> =
        rows.iter().filter(|row| as_hash(row)).map(|row| (&row.number, row.at.unwrap_or_else(|| now.at()))).collect();
    keep_erased(tx, of, &outs).await?;
    let others: Vec<Said> = rows.iter().filter(|row| !left_out(row) && !as_hash(row)).cloned().collect();
    let mut outcomes = take_in(tx, now, of, &others, ConsentSource::Import).await?.into_iter();
    let mut imported = Vec::with_capacity(rows.len());
    for row in rows {
        imported.push(if left_out(row) {
            Imported::LeftOut
        } else if as_hash(row) {
            Imported::KeptAsHash
        } else {
            let Some(outcome) = outcomes.next() else { break };
            if gone_out.contains(&row.number) { Imported::OfErasedOut(outcome) } else { Imported::Taken(outcome) }
        });
    }
    Ok(imported)
}

/// The same, from wherever it comes.
///
/// # Errors
/// What the database says.
pub(super) async fn take_in(
    tx: &mut Tx,
    now: &Now,
    (line, account): (LineId, AccountId),
    rows: &[Said],
    source: ConsentSource,
) -> Result<Vec<Outcome>> {
    let at = now.at();
    let numbers: Vec<PhoneNumber> = rows.iter().map(|row| row.number.clone()).collect();
    let stored: Vec<(PhoneNumber, String, bool, Timestamp)> = tx
        .all(
            "select c.number, c.state, c.source <> 'import' or c.evidence is not null, c.at
             from consent c
             where c.line_id = $1 and c.number in (select j.value->>0 from json_each($2) j)",
            (line, json(&numbers.iter().map(|number| [number]).collect::<Vec<_>>())),
        )
        .await?;
    let mut known: HashMap<PhoneNumber, Known> =
        stored.into_iter().map(|(number, state, lifts, at)| (number, Known { out: state == "opted_out", at, lifts })).collect();
    let erased = erased(tx, line, &numbers).await?;

    let mut outcomes = Vec::with_capacity(rows.len());
    let mut changed: Vec<(&Said, Timestamp)> = Vec::new();
    for row in rows {
        let (outcome, becomes) = decide(known.get(&row.number).copied(), erased.contains(&row.number), row, at);
        if let Some(becomes) = becomes {
            known.insert(row.number.clone(), becomes);
            changed.push((row, becomes.at));
        }
        outcomes.push(outcome);
    }
    write(tx, now, (line, account), &changed, source).await?;
    Ok(outcomes)
}

/// Writes what has changed, in order.
async fn write(
    tx: &mut Tx,
    now: &Now,
    (line, account): (LineId, AccountId),
    changed: &[(&Said, Timestamp)],
    source: ConsentSource,
) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let at = now.at();
    // Ids of one millisecond are in no order; the order in which it was said is.
    let mut ids: Vec<uuid::Uuid> = changed.iter().map(|_| now.id_at(at)).collect();
    ids.sort_unstable();
    let events: Vec<_> = changed.iter().zip(&ids).map(|((row, at), id)| (&row.number, state(row), &row.evidence, at, id)).collect();
    tx.run(
        "insert into consent_event (line_id, number, id, account_id, state, source, evidence, at)
         select $1, j.value->>0, unhex(j.value->>4, '-'), $2, j.value->>1, $4, j.value->>2, cast(j.value->>3 as bigint)
         from json_each($3) j",
        (line, account, json(&events), source),
    )
    .await?;
    let last: HashMap<&PhoneNumber, usize> = changed.iter().enumerate().map(|(n, (row, _))| (&row.number, n)).collect();
    let stands: Vec<_> = changed.iter().enumerate().filter(|(n, (row, _))| last.get(&row.number) == Some(n)).collect();
    let stands: Vec<_> = stands.into_iter().map(|(_, (row, at))| (&row.number, state(row), &row.evidence, at)).collect();
    tx.run(
        "insert into consent (line_id, number, account_id, state, source, evidence, at)
         select $1, j.value->>0, $2, j.value->>1, $4, j.value->>2, cast(j.value->>3 as bigint)
         from json_each($3) j
         where true
         on conflict (line_id, number) do update
         set account_id = excluded.account_id, state = excluded.state, source = excluded.source, evidence = excluded.evidence,
           at = excluded.at",
        (line, account, json(&stands), source),
    )
    .await?;
    Ok(())
}

fn state(row: &Said) -> &'static str {
    if row.out { "opted_out" } else { "opted_in" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn row(out: bool, at: Option<i64>, evidence: bool) -> Said {
        let number = PhoneNumber::parse("+12025550143").expect("valid");
        Said { number, out, at: at.map(Timestamp), evidence: evidence.then(|| "web form".to_owned()) }
    }

    /// Every row that there can be, of a few moments.
    fn every_row() -> Vec<Said> {
        let times = [None, Some(10), Some(20), Some(30)];
        let all =
            times.into_iter().flat_map(|at| [(false, at), (true, at)]).flat_map(|(out, at)| [row(out, at, false), row(out, at, true)]);
        all.collect()
    }

    /// Imports these one after the other; in the end, whether the number is opted out.
    fn end(rows: &[&Said]) -> Option<bool> {
        let known = rows.iter().fold(None, |known, row| decide(known, false, row, NOW).1.or(known));
        known.map(|known| known.out)
    }

    #[test]
    fn only_a_later_opt_in_with_evidence_lifts_an_opt_out() {
        let known = Some(Known { out: true, at: Timestamp(20), lifts: false });
        for row in every_row().iter().filter(|row| !row.out) {
            let lifts = row.at == Some(Timestamp(30)) && row.evidence.is_some();
            let (outcome, _) = decide(known, false, row, NOW);
            assert_eq!(outcome == Outcome::Updated, lifts, "{row:?}: {outcome:?}");
            assert_eq!(matches!(outcome, Outcome::KeptOptedOut(_)), !lifts);
            let (outcome, becomes) = decide(known, true, row, NOW);
            assert!(matches!(outcome, Outcome::KeptOptedOut(_)) && becomes.is_none(), "an erased contact's opt-out stays");
        }
    }

    #[test]
    fn rows_lead_to_the_same_end_in_any_order() {
        // An opt-out that does not say when counts from the import on, unless one is known: of that alone, two at a time.
        for a in every_row() {
            for b in every_row() {
                assert_eq!(end(&[&a, &b]), end(&[&b, &a]), "{a:?} {b:?}");
            }
        }
        let rows: Vec<Said> = every_row().into_iter().filter(|row| !row.out || row.at.is_some()).collect();
        let triples = rows.iter().flat_map(|a| rows.iter().map(move |b| (a, b))).flat_map(|(a, b)| rows.iter().map(move |c| (a, b, c)));
        for (a, b, c) in triples {
            for other in [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
                assert_eq!(end(&[a, b, c]), end(&other), "{a:?} {b:?} {c:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_opt_in_of_the_future_counts_for_nothing() {
        let late = NOW.plus(AHEAD).0;
        let known = |out, at| Some(Known { out, at: Timestamp(at), lifts: !out });
        for evidence in [false, true] {
            let row = row(false, Some(late + 1), evidence);
            assert_eq!(decide(None, false, &row, NOW), (Outcome::Unchanged(LIES_AHEAD), None));
            assert_eq!(decide(known(true, 20), false, &row, NOW), (Outcome::KeptOptedOut(LIES_AHEAD), None));
        }
        assert_eq!(decide(known(true, 20), false, &row(false, Some(late), true), NOW).0, Outcome::Updated, "clocks differ");
        // What was taken in before that was so.
        let stops = row(true, Some(30), false);
        assert_eq!(decide(known(false, late + 1), false, &stops, NOW).0, Outcome::Updated);
        assert!(matches!(decide(known(false, late), false, &stops, NOW).0, Outcome::Unchanged(_)));
    }

    #[test]
    fn the_same_row_twice_changes_nothing() {
        for row in every_row() {
            let (_, known) = decide(None, false, &row, NOW);
            let again = decide(known, false, &row, Timestamp(NOW.0 + 1));
            assert_eq!(again, (Outcome::Unchanged(""), None), "{row:?}");
        }
    }
}
