//! The Consent Import: who has opted in and out, from a CSV file, for a line or for all lines of an account. docs/consent-import.md says
//! what a file may hold.
//!
//! The rule: the file is read once, by the plan, and kept sorted by number in pieces; a batch takes one piece for one line and writes what
//! became of each row beside it. What wins over what is said by the room that owns consent: see [`crate::messaging::consent`].

mod file;
mod plan;

use super::{Asking, Batch, Leave, Proposal, Stop, Utility, Work, beside, cells, pieces};
use crate::db::{Result as Done, Tx};
use crate::directory::lines;
use crate::messaging::consent::import::{self, Outcome, Said};
use crate::staff::{Member, may};
use crate::types::{AccountId, FieldKind, FormField, LineId, Permission, Problem, UtilityAbout, UtilityKind};
use async_trait::async_trait;
use file::{Bad, Row};
use serde::{Deserialize, Serialize};

/// The utility.
#[derive(Debug)]
pub struct ConsentImport;

/// A file is not larger than this.
const MOST: u64 = 100_000_000;

const INVALID: &str = "invalid";
const IMPORT: &str = "import";

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
}

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
        for (line, label) in p.lines.iter().filter(|_| !p.is_account) {
            if !is_theirs(tx, *line, p.account).await? {
                return Err(elsewhere(label));
            }
        }
        Ok(())
    }

    async fn batch(&self, tx: &mut Tx, work: &Work<'_>) -> Result<Batch, Stop> {
        let p = Parameters::of(work)?;
        if work.step == INVALID { invalid(tx, work, &p).await } else { piece(tx, work, &p).await }
    }
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
    let mut rows = 0;
    if let Some(body) = pieces::take(tx, work, n, n).await? {
        let bad: Vec<Bad> = pieces::read(&body)?;
        let mut text = pieces::begin(n, COLUMNS);
        for Bad(row, number, status, reason) in &bad {
            cells::add_row(&mut text, &[&row.to_string(), number, "", status, "invalid", reason]);
        }
        rows = super::count(bad.len());
        pieces::settle(tx, work, n, text, Some(n)).await?;
    }
    Ok(Batch { rows, place: (n + 1 < p.bad).then(|| (n + 1).to_string()), ..Batch::default() })
}

/// One piece, for one line.
async fn piece(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let mut place: Place = work.place.and_then(|place| serde_json::from_str(place).ok()).unwrap_or_default();
    let Some((line, label)) = p.lines.get(place.line) else {
        return Err(Stop::fault("The account has no lines.", "Cancel this run, add a line, and plan it anew."));
    };
    let (piece, of) = (p.bad + place.piece, super::count(p.lines.len()));
    let output = p.bad + place.piece * of + super::count(place.line);
    let is_last_line = place.line + 1 == p.lines.len();
    let mut rows = 0;
    if let Some(body) = pieces::take(tx, work, piece, output).await? {
        let file: Vec<Row> = pieces::read(&body)?;
        rows = super::count(file.len());
        let (numbers, said): (Vec<i64>, Vec<Said>) = file.into_iter().map(Row::said).unzip();
        let is_theirs = is_theirs(tx, *line, p.account).await?;
        if !is_theirs && !p.is_account {
            return Err(elsewhere(label));
        }
        let outcomes = if is_theirs { import::import(tx, work.now, (*line, p.account), &said).await? } else { Vec::new() };
        place.moved += if is_theirs { 0 } else { rows };
        let mut text = pieces::begin(output, COLUMNS);
        for (n, (row, said)) in numbers.iter().zip(&said).enumerate() {
            let (outcome, reason) = match outcomes.get(n) {
                Some(outcome) => place.count(*outcome),
                None => ("invalid", "the line belongs to another account since the plan"),
            };
            let status = if said.out { "opted_out" } else { "opted_in" };
            cells::add_row(&mut text, &[&row.to_string(), said.number.expose(), label, status, outcome, reason]);
        }
        pieces::settle(tx, work, output, text, is_last_line.then_some(piece)).await?;
    }
    (place.piece, place.line) = if is_last_line { (place.piece + 1, 0) } else { (place.piece, place.line + 1) };
    if place.piece < p.good {
        return Ok(Batch { rows, place: serde_json::to_string(&place).ok(), ..Batch::default() });
    }
    Ok(Batch::last(rows).saying(place.sentence()))
}

impl Place {
    /// Counts an outcome; in words, and why.
    fn count(&mut self, outcome: Outcome) -> (&'static str, &'static str) {
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
        let Self { created, updated, unchanged, kept, moved, .. } = self;
        let mut text = format!("Created {created}, updated {updated}, unchanged {unchanged}, kept opted-out {kept}.");
        if *moved > 0 {
            text.push_str(&format!(" Left out, of lines that have moved to another account: {moved}."));
        }
        text
    }
}
