//! The Consent Import: who has opted in and out, from a CSV file, for a line or for all lines of an account. docs/consent-import.md says
//! what a file may hold.
//!
//! The rule: the file is read once, by the plan, and kept sorted by number in pieces; a batch takes one piece for one line and writes what
//! became of each row beside it. When all are in, each is recounted. What wins over what is said by the room that owns consent: see
//! [`crate::messaging::consent`].

mod file;
mod plan;
mod recount;

use super::{Asking, Batch, Leave, Proposal, Stop, Utility, Work, beside, cells, pieces};
use crate::db::{Result as Done, Tx};
use crate::directory::lines;
use crate::messaging::consent::erased_contacts;
use crate::messaging::consent::import::{self, Imported, Outcome, Said};
use crate::staff::{Member, may};
use crate::types::{AccountId, FieldKind, FormField, LineId, Permission, PhoneNumber, Problem, Timestamp, UtilityAbout, UtilityKind};
use async_trait::async_trait;
use file::{Bad, Row};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The utility.
#[derive(Debug)]
pub struct ConsentImport;

/// A file is not larger than this.
const MOST: u64 = 100_000_000;

const INVALID: &str = "invalid";
const IMPORT: &str = "import";
/// The steps that recount those.
const CHECK_INVALID: &str = "check_invalid";
const CHECK_IMPORT: &str = "check_import";

/// The columns of the result.
const COLUMNS: &[&str] = &["row", "number", "line", "status", "outcome", "reason"];

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parameters {
    account: AccountId,
    /// Each with its label.
    lines: Vec<(LineId, String)>,
    /// For all lines of the account, as they were at the plan.
    is_account: bool,
    /// Pieces with rows that cannot be taken; they come first.
    bad: i64,
    /// Pieces with the others.
    good: i64,
    /// It is recounted, and pieces are forgotten then. Runs that were planned before there was a recount forget them when they are done.
    #[serde(default)]
    recounted: bool,
}

impl Parameters {
    fn of(work: &Work<'_>) -> Result<Self, Stop> {
        Self::deserialize(work.parameters).map_err(super::unreadable)
    }

    fn holds(&self) -> String {
        match self.lines.first() {
            Some((line, _)) if !self.is_account => format!("line:{line}"),
            _ => format!("account:{}", self.account),
        }
    }
}

/// How far the import is: what comes next, and what was counted until now.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Place {
    piece: i64,
    line: usize,
    created: i64,
    updated: i64,
    unchanged: i64,
    kept: i64,
    moved: i64,
    #[serde(default)]
    erased: i64,
}

/// Stands in the result in place of the number of a contact who was erased, as it does where the erasure came later.
const ERASED: &str = "erased";
/// Why such a row is not taken.
const WAS_ERASED: &str = "its contact was erased here";
/// What becomes of an opt-out of theirs.
const KEPT_AS_HASH: &str = "its contact was erased here: nobody texts them, and their number does not come back";

#[async_trait]
impl Utility for ConsentImport {
    fn about(&self) -> UtilityAbout {
        UtilityAbout {
            kind: UtilityKind::ConsentImport,
            name: "Consent Import".to_owned(),
            does: "Takes in from a CSV file who has opted in and out, for a line or for all lines of an account.".to_owned(),
            notes: vec![
                "Columns: number, status (opted_in or opted_out), at (when it was given), evidence. The last two may be missing."
                    .to_owned(),
                "Duplicates are normal, and the same file twice changes nothing.".to_owned(),
                "Whoever has opted out stays so, unless the file has a later opt-in with its time and its evidence.".to_owned(),
                "At the end every row is recounted against what is on record.".to_owned(),
            ],
            permission: Permission::ImportConsent,
            is_reversible: false,
            fields: vec![
                FormField::new("line", "Line", "The line that consent was given to. Or choose an account.", FieldKind::Line).optional(),
                FormField::new("account", "Account", "For all lines of this account, instead of one line.", FieldKind::Account).optional(),
                FormField::new(
                    "file",
                    "File",
                    "A CSV file in UTF-8, with up to 1,000,000 rows.",
                    FieldKind::File { most: MOST, accept: ".csv,text/csv".to_owned() },
                ),
            ],
        }
    }

    fn leave(&self, member: &Member) -> Result<Leave, Problem> {
        Ok(Leave::of(&member.permit::<may::ImportConsent>()?))
    }

    async fn plan(&self, asking: &Asking<'_>) -> Result<Proposal, Problem> {
        plan::plan(asking).await
    }

    async fn still_holds(&self, tx: &mut Tx, work: &Work<'_>) -> Result<(), Stop> {
        let p = Parameters::of(work)?;
        if beside::is_busy(tx, p.account, &p.holds(), p.is_account).await? {
            return Err(beside::stop());
        }
        let closed: Option<(bool,)> = tx.opt("select closed_at is not null from account where id = $1", [p.account]).await?;
        if closed.is_none_or(|(closed,)| closed) {
            return Err(Stop::fault("The account was closed since the plan.", "Have it reopened, then resume from here."));
        }
        for (line, label) in p.lines.iter().filter(|_| !p.is_account) {
            if !is_theirs(tx, *line, p.account).await? {
                return Err(elsewhere(label));
            }
        }
        Ok(())
    }

    fn piece(&self) -> Option<i64> {
        Some(super::count(pieces::ROWS))
    }

    async fn batch(&self, tx: &mut Tx, work: &Work<'_>) -> Result<Batch, Stop> {
        let p = Parameters::of(work)?;
        match work.step {
            INVALID => invalid(tx, work, &p).await,
            CHECK_INVALID => recount::invalid(tx, work, &p).await,
            CHECK_IMPORT => recount::consents(tx, work, &p).await,
            _ => piece(tx, work, &p).await,
        }
    }
}

/// A row that can be taken: the number of its line in the file, and the phone number that stands there.
pub type Taken = (i64, PhoneNumber);

/// Reads a file as a plan does, and does nothing with it: the rows that can be taken, by phone number; and the numbers of the lines of the
/// others, as they stand in the file.
///
/// # Errors
/// `Invalid` when it is no file that can be read.
pub fn read_file(bytes: Vec<u8>, now: Timestamp) -> Result<(Vec<Taken>, Vec<i64>), Problem> {
    let read = file::read(&super::text_of(bytes)?, now)?;
    Ok((read.rows.into_iter().map(|row| (row.0, row.1)).collect(), read.bad.into_iter().map(|bad| bad.0).collect()))
}

/// Whether the line belongs to this account, until the transaction ends.
async fn is_theirs(tx: &mut Tx, line: LineId, account: AccountId) -> Done<bool> {
    Ok(lines::hold(tx, line).await?.is_some_and(|(owner, _)| owner == account))
}

fn elsewhere(label: &str) -> Stop {
    Stop::fault(format!("{label} belongs to another account since the plan."), "Plan the import anew, for the line as it is now.")
}

/// The result begins with what has to be mended.
async fn invalid(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let n: i64 = work.place.and_then(|place| place.parse().ok()).unwrap_or(0);
    let (mut rows, mut is_done) = (0, true);
    if let Some(mut piece) = pieces::take(tx, work, n, n).await? {
        let bad: Vec<Bad> = piece.rows(work)?;
        let numbers: Vec<PhoneNumber> =
            bad.iter().flat_map(|bad| [&bad.1, &bad.2]).filter_map(|cell| PhoneNumber::parse(cell).ok()).collect();
        let gone = erased_contacts(tx, p.account, &numbers).await?;
        let mut text = piece.begin(n, COLUMNS);
        for Bad(row, number, status, reason) in &bad {
            // Either of the two when the columns of the file are swapped.
            let [number, status] = [number, status].map(|cell| {
                let is_gone = PhoneNumber::parse(cell).is_ok_and(|number| gone.contains(&number));
                if is_gone { ERASED } else { cell.as_str() }
            });
            cells::add_row(&mut text, &[&row.to_string(), number, "", status, "invalid", reason]);
        }
        rows = super::count(bad.len());
        pieces::settle(tx, work, &piece, n, text, (!p.recounted).then_some(n)).await?;
        is_done = piece.is_last();
    }
    let next = if is_done { n + 1 } else { n };
    Ok(Batch { rows, place: (next < p.bad).then(|| next.to_string()), ..Batch::default() })
}

/// One piece, for one line.
async fn piece(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let mut place: Place = work.place.and_then(|place| serde_json::from_str(place).ok()).unwrap_or_default();
    let Some((line, label)) = p.lines.get(place.line) else {
        return Err(Stop::fault("The account has no lines.", "Cancel this run, add a line, and plan it anew."));
    };
    let (n, of) = (p.bad + place.piece, super::count(p.lines.len()));
    let output = p.bad + place.piece * of + super::count(place.line);
    let is_last_line = place.line + 1 == p.lines.len();
    let (mut rows, mut is_done) = (0, true);
    if let Some(mut piece) = pieces::take(tx, work, n, output).await? {
        let file: Vec<Row> = piece.rows(work)?;
        rows = super::count(file.len());
        let (numbers, said): (Vec<i64>, Vec<Said>) = file.into_iter().map(Row::said).unzip();
        let is_theirs = is_theirs(tx, *line, p.account).await?;
        if !is_theirs && !p.is_account {
            return Err(elsewhere(label));
        }
        let (imported, gone) = if is_theirs {
            (import::import(tx, work.now, (*line, p.account), &said).await?, HashSet::new())
        } else {
            let numbers: Vec<PhoneNumber> = said.iter().map(|said| said.number.clone()).collect();
            (Vec::new(), erased_contacts(tx, p.account, &numbers).await?)
        };
        place.moved += if is_theirs { 0 } else { rows };
        let mut text = piece.begin(output, COLUMNS);
        for (n, (row, said)) in numbers.iter().zip(&said).enumerate() {
            let came = imported.get(n).copied();
            let (outcome, reason) = match came {
                Some(came) => place.count(came),
                None => ("invalid", "the line belongs to another account since the plan"),
            };
            let is_named = match came {
                Some(came) => matches!(came, Imported::Taken(_)),
                None => !gone.contains(&said.number),
            };
            let number = if is_named { said.number.expose() } else { ERASED };
            let status = if said.out { "opted_out" } else { "opted_in" };
            cells::add_row(&mut text, &[&row.to_string(), number, label, status, outcome, reason]);
        }
        pieces::settle(tx, work, &piece, output, text, (is_last_line && !p.recounted).then_some(n)).await?;
        is_done = piece.is_last();
    }
    if is_done {
        (place.piece, place.line) = if is_last_line { (place.piece + 1, 0) } else { (place.piece, place.line + 1) };
    }
    if place.piece < p.good {
        return Ok(Batch { rows, place: serde_json::to_string(&place).ok(), ..Batch::default() });
    }
    Ok(Batch::last(rows).saying(place.sentence()))
}

impl Place {
    /// Counts what came of a row; in words, and why.
    fn count(&mut self, came: Imported) -> (&'static str, &'static str) {
        let outcome = match came {
            Imported::Taken(outcome) | Imported::OfErasedOut(outcome) => outcome,
            Imported::KeptAsHash => {
                self.created += 1;
                return ("created", KEPT_AS_HASH);
            }
            Imported::LeftOut => {
                self.erased += 1;
                return ("invalid", WAS_ERASED);
            }
        };
        let (count, words) = match outcome {
            Outcome::Created => (&mut self.created, ("created", "")),
            Outcome::Updated => (&mut self.updated, ("updated", "")),
            Outcome::Unchanged(reason) => (&mut self.unchanged, ("unchanged", reason)),
            Outcome::KeptOptedOut(reason) => (&mut self.kept, ("kept opted-out", reason)),
        };
        *count += 1;
        words
    }

    fn sentence(&self) -> String {
        let Self { created, updated, unchanged, kept, moved, erased, .. } = self;
        let mut text = format!("Created {created}, updated {updated}, unchanged {unchanged}, kept opted-out {kept}.");
        if *moved > 0 {
            text.push_str(&format!(" Left out, of lines that have moved to another account: {moved}."));
        }
        if *erased > 0 {
            text.push_str(&format!(" Left out, of contacts who were erased here: {erased}."));
        }
        text
    }
}
