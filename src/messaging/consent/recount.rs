//! Consent that a file has brought, looked at again when all of it is in.
//!
//! The rule: what was said since stands, a STOP above all, and is no difference. It is known by its entry in the history; what changed
//! without one is a difference.

use super::erased;
use super::import::Said;
use crate::clock::first_id_at;
use crate::db::{Result, Tx, json};
use crate::types::{ConsentSource, ConsentState, LineId, PhoneNumber, Timestamp};
use std::collections::{HashMap, HashSet};

/// What became of a row, as it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Became {
    /// It was stored.
    Stored,
    /// It was so already.
    WasSo,
    /// An opt-in that does not lift the opt-out.
    KeptOptedOut,
    /// It is about a contact who has opted out and was erased: their opt-out is kept as a hash.
    Hashed,
    /// Nothing that is on record.
    Nothing,
}

/// What is not as it was written down, by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Differs {
    /// Opt-outs of the file that do not stand.
    pub(crate) opt_outs: usize,
    /// Opt-ins of the file, of numbers of whom nothing is on record.
    pub(crate) opt_ins: usize,
    /// What is on record and says something else. The file need not mend it.
    pub(crate) others: usize,
    /// Opt-outs that were to stay, and do not. The file does not say them.
    pub(crate) lifted: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct OnRecord {
    number: PhoneNumber,
    state: ConsentState,
    source: ConsentSource,
    evidence: Option<String>,
    at: Timestamp,
}

/// What is on record of a number, if nobody has said anything since.
#[derive(Debug, Clone, Copy)]
enum Stands<'a> {
    As(&'a Said),
    OptedOut { by_file: bool },
    OptedIn,
}

impl Stands<'_> {
    fn fits(self, row: &OnRecord) -> bool {
        match self {
            Self::As(said) => {
                let state = if said.out { ConsentState::OptedOut } else { ConsentState::OptedIn };
                row.source == ConsentSource::Import
                    && row.state == state
                    && row.evidence == said.evidence
                    && said.at.is_none_or(|at| at == row.at)
            }
            Self::OptedOut { .. } => row.state == ConsentState::OptedOut,
            Self::OptedIn => row.state == ConsentState::OptedIn,
        }
    }

    fn is_out(self) -> bool {
        match self {
            Self::As(said) => said.out,
            Self::OptedOut { .. } => true,
            Self::OptedIn => false,
        }
    }
}

/// Compares what is on record of a line with what became of these rows of a file, in order; a number may stand there several times.
/// `since` is a moment before the first row of the file was taken in.
///
/// # Errors
/// What the database says.
pub(crate) async fn recount(tx: &mut Tx, line: LineId, since: Timestamp, rows: &[(Said, Became)]) -> Result<Differs> {
    let (stands, hashed) = expected(rows);
    let numbers: Vec<[&PhoneNumber; 1]> = stands.keys().map(|number| [*number]).collect();
    let found: Vec<OnRecord> = tx
        .all(
            "select c.number, c.state, c.source, c.evidence, c.at
             from consent c
             where c.line_id = $1 and c.number in (select j.value->>0 from json_each($2) j)",
            (line, json(&numbers)),
        )
        .await?;
    let on_record: HashMap<PhoneNumber, OnRecord> = found.into_iter().map(|row| (row.number.clone(), row)).collect();
    let mut doubted: HashSet<&PhoneNumber> = HashSet::new();
    for (number, stands) in &stands {
        if on_record.get(*number).is_none_or(|row| !stands.fits(row)) {
            doubted.insert(*number);
        }
    }
    if !hashed.is_empty() {
        let kept = erased(tx, line, &hashed).await?;
        doubted.extend(hashed.iter().filter(|number| !kept.contains(*number)));
    }
    let mut differs = Differs::default();
    if doubted.is_empty() {
        return Ok(differs);
    }
    let said = said_since(tx, line, since, &doubted).await?;
    for number in doubted {
        let events = said.get(number).map_or(&[][..], Vec::as_slice);
        let row = on_record.get(number);
        let Some(stands) = stands.get(number) else {
            // Who was erased with an opt-out and writes again is known by number from then on.
            differs.lifted += usize::from(events.iter().all(|event| event.source == ConsentSource::Import));
            continue;
        };
        if row.is_some_and(|row| is_newer(row, events)) {
            continue;
        }
        let is_out = row.is_some_and(|row| row.state == ConsentState::OptedOut);
        *(match stands {
            Stands::OptedOut { by_file: false } => &mut differs.lifted,
            stands if stands.is_out() && !is_out => &mut differs.opt_outs,
            _ if row.is_none() => &mut differs.opt_ins,
            _ => &mut differs.others,
        }) += 1;
    }
    Ok(differs)
}

/// What stands of each number behind these rows, and the numbers that are kept as hashes.
fn expected(rows: &[(Said, Became)]) -> (HashMap<&PhoneNumber, Stands<'_>>, Vec<PhoneNumber>) {
    let (mut stands, mut hashed) = (HashMap::new(), Vec::new());
    for (said, became) in rows {
        match became {
            Became::Stored => {
                stands.insert(&said.number, Stands::As(said));
            }
            Became::WasSo if said.out => {
                let was = stands.entry(&said.number).or_insert(Stands::OptedOut { by_file: true });
                if let Stands::OptedOut { by_file } = was {
                    *by_file = true;
                }
            }
            Became::WasSo => {
                stands.entry(&said.number).or_insert(Stands::OptedIn);
            }
            Became::KeptOptedOut => {
                stands.entry(&said.number).or_insert(Stands::OptedOut { by_file: false });
            }
            Became::Hashed => hashed.push(said.number.clone()),
            Became::Nothing => {}
        }
    }
    (stands, hashed)
}

/// All that was said of these numbers since, each in its order.
async fn said_since(
    tx: &mut Tx,
    line: LineId,
    since: Timestamp,
    numbers: &HashSet<&PhoneNumber>,
) -> Result<HashMap<PhoneNumber, Vec<OnRecord>>> {
    let numbers: Vec<[&PhoneNumber; 1]> = numbers.iter().map(|number| [*number]).collect();
    let events: Vec<OnRecord> = tx
        .all(
            "select e.number, e.state, e.source, e.evidence, e.at
             from consent_event e
             where e.line_id = $1 and e.number in (select j.value->>0 from json_each($2) j) and e.id > $3
             order by e.id",
            (line, json(&numbers), first_id_at(since)),
        )
        .await?;
    let mut said: HashMap<PhoneNumber, Vec<OnRecord>> = HashMap::new();
    for event in events {
        said.entry(event.number.clone()).or_default().push(event);
    }
    Ok(said)
}

/// Whether what is on record was said since: by a later row of the file, or by anybody else.
fn is_newer(row: &OnRecord, events: &[OnRecord]) -> bool {
    let by_file = events.iter().rev().find(|event| event.source == ConsentSource::Import);
    let by_another = |event: &OnRecord| event.source != ConsentSource::Import && (event.state, event.source) == (row.state, row.source);
    by_file == Some(row) || events.iter().any(by_another)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number() -> PhoneNumber {
        PhoneNumber::parse("+12025550143").expect("valid")
    }

    fn said(out: bool, at: Option<i64>) -> Said {
        Said { number: number(), out, at: at.map(Timestamp), evidence: None }
    }

    fn row(state: ConsentState, source: ConsentSource, at: i64) -> OnRecord {
        OnRecord { number: number(), state, source, evidence: None, at: Timestamp(at) }
    }

    #[test]
    fn the_last_row_that_changed_something_is_what_stands() {
        use super::Became::{KeptOptedOut, Stored, WasSo};
        let rows = [(said(true, Some(20)), Stored), (said(false, Some(10)), KeptOptedOut), (said(true, Some(10)), WasSo)];
        let (stands, _) = expected(&rows);
        let stands = stands[&number()];
        assert!(stands.fits(&row(ConsentState::OptedOut, ConsentSource::Import, 20)));
        for other in [
            row(ConsentState::OptedIn, ConsentSource::Import, 20),
            row(ConsentState::OptedOut, ConsentSource::Import, 10),
            row(ConsentState::OptedOut, ConsentSource::Keyword, 20),
        ] {
            assert!(!stands.fits(&other), "{other:?}");
        }
        let kept = [(said(false, None), KeptOptedOut)];
        assert!(matches!(expected(&kept).0[&number()], Stands::OptedOut { by_file: false }));
        let kept_and_said = [(said(false, None), KeptOptedOut), (said(true, None), WasSo)];
        assert!(matches!(expected(&kept_and_said).0[&number()], Stands::OptedOut { by_file: true }));
    }

    #[test]
    fn what_somebody_has_said_since_is_newer_and_what_nobody_has_said_is_not() {
        let (out, within) = (ConsentState::OptedOut, ConsentState::OptedIn);
        let imported = |state, at| row(state, ConsentSource::Import, at);
        let stop = row(out, ConsentSource::Keyword, 30);
        assert!(is_newer(&stop, &[imported(within, 10), stop.clone()]));
        assert!(is_newer(&imported(out, 20), &[imported(within, 10), imported(out, 20)]), "a later row of the file");
        assert!(!is_newer(&imported(within, 10), &[imported(within, 10), imported(out, 20)]), "the later one was lost");
        assert!(!is_newer(&stop, &[imported(within, 10)]), "it was forged");
        assert!(!is_newer(&row(within, ConsentSource::Keyword, 30), &[stop]), "they wrote the contrary");
    }
}
