//! Data utilities: operations that change data on a massive scale, in the background, such as the Line Transfer.
//!
//! The rule of this room: a plan changes nothing, a batch and its checkpoint commit together, and each write of a worker carries the
//! number of its attempt: one that is stale changes nothing. What goes wrong is said in words with what to do, and can be resumed from
//! there.
//!
//! To add a utility: a module with a type that implements [`Utility`], a variant of [`UtilityKind`], and a line in [`ALL`]. Its form,
//! plan, progress, log and history come from here and from the console's screens. What stands elsewhere: a permission of its own, when none
//! of those that there are fits (`types::staff::Permission`, the permit in `staff::permit`, and the roles that have it), the line by which
//! the search everywhere offers to start it (`app/src/search/ways.rs`), and a button where staff would look for it, as a line's page has.

mod beside;
mod bulk_change;
mod cells;
pub mod consent_import;
mod control;
mod launch;
pub mod line_transfer;
mod log;
mod pieces;
mod recount;
mod search;
mod state;
pub mod v1_migration;
mod view;
mod worker;

pub use cells::quoted;
pub use control::act;
pub(crate) use launch::{approved, not_approved};
pub use launch::{plan, plan_reverse, start};
pub(crate) use pieces::{forget_contact, gives_a_line_away, remove_results_before, takes_file_in};
pub(crate) use search::of_found;
pub use view::{Report, ReportStep, about, askers, catalogue, get, list, of_line, report, result};
pub(crate) use view::{oldest_failed, oldest_standing};
pub use worker::{Sleeper, Worker, WorkerConfig};

use crate::clock::Now;
use crate::db::{Db, Error, Tx, json};
use crate::staff::{Actor, Member, Permit, Scope};
use crate::types::{AccountId, BulkAct, LineId, Plan, Problem, RunId, UtilityAbout, UtilityKind};
use crate::work::faults::UtilityGuard;
use async_trait::async_trait;
use serde_json::Value;
use std::any::Any;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Every utility, in the order of the catalogue.
pub const ALL: &[&dyn Utility] = &[
    &line_transfer::LineTransfer,
    &consent_import::ConsentImport,
    &v1_migration::V1Migration,
    &bulk_change::BulkChange(BulkAct::SetTypes),
    &bulk_change::BulkChange(BulkAct::RetryLanes),
    &bulk_change::BulkChange(BulkAct::SkipHeld),
    &bulk_change::BulkChange(BulkAct::CloseUsers),
];

/// A utility: what it asks for, what it would do, and how it does it, batch by batch.
#[async_trait]
pub trait Utility: Send + Sync {
    /// What it is called and asks for.
    fn about(&self) -> UtilityAbout;

    /// The permit that launching it needs; see [`Leave::of`].
    ///
    /// # Errors
    /// `Forbidden` without the permission.
    fn leave(&self, member: &Member) -> Result<Leave, Problem>;

    /// Looks at what a run would do, within what the member may do; changes nothing.
    ///
    /// # Errors
    /// `Invalid` at a field that cannot be taken, `NotFound` out of scope. What can be taken but not started is an obstacle of the plan.
    async fn plan(&self, asking: &Asking<'_>) -> Result<Proposal, Problem>;

    /// Whether the world is still as it was planned, at the begin of the first batch and in its transaction.
    ///
    /// # Errors
    /// [`Stop::Fault`] with what has changed.
    async fn still_holds(&self, tx: &mut Tx, work: &Work<'_>) -> Result<(), Stop>;

    /// Reads what a batch will need and what changes no more, before the batch's transaction, which is the shorter for it.
    ///
    /// # Errors
    /// What the database says.
    async fn look(&self, _db: &Db, _work: &Work<'_>) -> crate::db::Result<Option<Ahead>> {
        Ok(None)
    }

    /// One batch of a step, in the transaction that holds its checkpoint. A step may be asked again for a batch that was rolled back, and
    /// for one that it has done already: both must lead to the same end.
    ///
    /// # Errors
    /// [`Stop`].
    async fn batch(&self, tx: &mut Tx, work: &Work<'_>) -> Result<Batch, Stop>;

    /// Rows of a piece of what is stored with a run, which a batch takes whole unless that takes longer than it should; `None`: a batch
    /// takes as many rows as it has time for.
    fn piece(&self) -> Option<i64> {
        None
    }

    /// What came of its records may name contacts by their numbers: who may not see these does not get its result.
    fn names_contacts(&self) -> bool {
        true
    }

    /// What takes a finished run back; `None` when there is no such thing.
    ///
    /// # Errors
    /// As [`Utility::plan`].
    async fn plan_reverse(&self, _asking: &Asking<'_>, _of: &Reversed) -> Result<Option<Proposal>, Problem> {
        Ok(None)
    }
}

/// The utility of this kind.
pub(crate) fn utility(kind: UtilityKind) -> Result<&'static dyn Utility, Problem> {
    let found = ALL.iter().find(|utility| utility.about().kind == kind);
    found.copied().ok_or_else(|| Problem::not_found("There is no such utility in this version of the program."))
}

/// Who may launch a utility, and where.
#[derive(Debug, Clone)]
pub struct Leave {
    /// Who.
    pub actor: Actor,
    /// On which accounts.
    pub scope: Scope,
}

impl Leave {
    /// That of a permit.
    pub fn of<P>(permit: &Permit<P>) -> Self {
        Self { actor: permit.actor().clone(), scope: permit.scope() }
    }
}

/// What was asked for, and by whom.
pub struct Asking<'a> {
    /// The database.
    pub db: &'a Db,
    /// The clock.
    pub now: &'a Now,
    /// Who asks.
    pub leave: Leave,
    /// What was answered to the form, by the fields' names.
    pub answers: &'a BTreeMap<String, String>,
    /// The file that was given, if any.
    pub file: Option<&'a [u8]>,
}

impl Asking<'_> {
    /// The answer to a field, parsed.
    ///
    /// # Errors
    /// `Invalid` when it is missing or cannot be read.
    pub fn answer<T: std::str::FromStr>(&self, field: &str) -> Result<T, Problem> {
        let text = self.answers.get(field).map(|text| text.trim()).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Problem::invalid(field, "Choose one."))?;
        text.parse().map_err(|_| Problem::invalid(field, "This is none of those that can be chosen."))
    }

    /// The account, within the asking member's scope, with its name and whether it is closed.
    ///
    /// # Errors
    /// `Invalid` at the field when there is none such.
    pub async fn account(&self, field: &str, id: AccountId) -> Result<(String, bool), Problem> {
        let scope = self.leave.scope;
        let found: Option<(String, bool)> = self
            .db
            .opt(
                "select name, closed_at is not null from account
                 where id = $1 and ($2 or id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
                (id, scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        found.ok_or_else(|| Problem::invalid(field, "There is no such account, or it is one that you may not do this to."))
    }
}

/// What a run would do, as a utility proposes it.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// In a sentence, without personal data.
    pub summary: String,
    /// The line that it is about.
    pub line: Option<LineId>,
    /// Whose data it touches.
    pub account: Option<AccountId>,
    /// Where they go, when they go elsewhere.
    pub target: Option<AccountId>,
    /// What no other run may touch meanwhile, such as `line:<id>`.
    pub holds: String,
    /// What was asked for, as the utility reads it again.
    pub parameters: Value,
    /// The same for people: the form's labels and what was answered.
    pub answers: Vec<(String, String)>,
    /// What it would do.
    pub plan: Plan,
    /// Its steps, in order.
    pub steps: Vec<StepPlan>,
    /// The pieces of the file that was given: the number of the first line of each, and the text.
    pub input: Vec<(i64, String)>,
    /// The run that this one takes back.
    pub reverses: Option<RunId>,
}

/// A step, as it is planned.
#[derive(Debug, Clone)]
pub struct StepPlan {
    /// Its word.
    pub name: &'static str,
    /// As staff call it.
    pub title: String,
    /// It recounts and changes nothing; such steps come last.
    pub is_check: bool,
    /// Rows that are to be done.
    pub total: i64,
}

/// A run that is to be taken back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Reversed {
    /// The run.
    pub id: RunId,
    /// The line that it was about.
    pub line_id: Option<LineId>,
    /// Whose data it touched.
    pub account_id: Option<AccountId>,
    /// Where they went.
    pub target_id: Option<AccountId>,
    /// What was asked for, as JSON.
    pub parameters: String,
}

/// A batch that is to be done.
pub struct Work<'a> {
    /// The run.
    pub run: RunId,
    /// The clock.
    pub now: &'a Now,
    /// What was asked for.
    pub parameters: &'a Value,
    /// Whose data it touches.
    pub account: Option<AccountId>,
    /// Where they go.
    pub target: Option<AccountId>,
    /// The line.
    pub line: Option<LineId>,
    /// Who asked.
    pub asked_by: Actor,
    /// The plan that was agreed to.
    pub plan: &'a Plan,
    /// The step's word.
    pub step: &'a str,
    /// Where the step stands; `None` at its beginning.
    pub place: Option<&'a str>,
    /// How many rows to take, about.
    pub size: i64,
    /// Ids up to this one were there at the flip.
    pub watermark: Option<Uuid>,
    /// The run that this one takes back.
    pub reverses: Option<RunId>,
    /// What [`Utility::look`] read for this place, if it did.
    pub ahead: Option<&'a Ahead>,
    /// A guard that a test took out.
    pub broken: Option<UtilityGuard>,
}

/// What was read ahead of a batch.
#[derive(Debug)]
pub struct Ahead {
    /// Where the step will stand behind the batch, so that the next one is looked at meanwhile; `None` when that is not known.
    pub next: Option<String>,
    /// What was read, as the utility knows it.
    pub read: Box<dyn Any + Send + Sync>,
}

/// What a batch did.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Rows that it did.
    pub rows: i64,
    /// Where the step stands now; `None` when it is done.
    pub place: Option<String>,
    /// What to say in the log.
    pub says: Vec<String>,
    /// From now on the run is finished or taken back, never left half way; rows with ids up to this one were there.
    pub flipped: Option<Uuid>,
}

impl Batch {
    /// The step is done with these rows.
    pub fn last(rows: i64) -> Self {
        Self { rows, ..Self::default() }
    }

    /// The same, with something to say.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.says.push(text.into());
        self
    }
}

/// Why a batch was not done.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The database did not take it; it is tried again.
    #[error(transparent)]
    Database(#[from] Error),
    /// It cannot be done until somebody has done something.
    #[error("{text}")]
    Fault {
        /// What is wrong.
        text: String,
        /// What to do about it.
        what_to_do: String,
    },
    /// It looks wrong, and looks so, too, when somebody else changes the same rows at this moment: it is tried again.
    #[error("{text}")]
    Again {
        /// What is wrong.
        text: String,
        /// What to do about it, if it stays so.
        what_to_do: String,
    },
}

impl Stop {
    /// It cannot be done until somebody has done something.
    pub fn fault(text: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::Fault { text: text.into(), what_to_do: what_to_do.into() }
    }

    /// What would be a fault is tried again first.
    #[must_use]
    pub fn again(self) -> Self {
        match self {
            Self::Fault { text, what_to_do } => Self::Again { text, what_to_do },
            other => other,
        }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::fault(problem.to_string(), "Plan it anew, or ask an engineer.")
    }
}

/// Writes down what is dropped, renamed, reset or merged, before it is: a run that takes this one back goes by it.
pub(crate) async fn keep(tx: &mut Tx, work: &Work<'_>, body: &impl serde::Serialize) -> crate::db::Result<()> {
    tx.run(
        "insert into utility_record (run_id, id, step, body) values ($1, $2, $3, $4)",
        (work.run, work.now.id(), work.step.to_owned(), json(body)),
    )
    .await?;
    Ok(())
}

/// A file that was given, as the text that it has to be.
fn text_of(file: Vec<u8>) -> Result<String, Problem> {
    let refused = |before: &[u8]| {
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Problem::invalid("file", format!("On line {line} the file is no text in UTF-8. Save it as UTF-8, then choose it again."))
    };
    let text = String::from_utf8(file).map_err(|error| refused(&error.as_bytes()[..error.utf8_error().valid_up_to()]))?;
    match text.bytes().position(|byte| byte == 0) {
        Some(at) => Err(refused(&text.as_bytes()[..at])),
        None => Ok(text),
    }
}

/// What is stored with a run cannot be read.
fn unreadable(error: serde_json::Error) -> Stop {
    tracing::error!(line = error.line(), column = error.column(), "what is stored with a run could not be read");
    Stop::fault("This run was planned by another version of the program.", "Cancel it and plan it anew.")
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
