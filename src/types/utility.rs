//! Data utilities and their runs, as the browser knows them: forms, plans, states, progress.

use crate::types::{AccountId, ApprovalId, LineId, Permission, RunId, StaffId, Timestamp, words};
use serde::{Deserialize, Serialize};

words! {
    /// The utilities that there are.
    UtilityKind {
        /// Moves a line with its whole history to another account.
        LineTransfer = "line_transfer",
        /// Takes in who has consented, from a CSV file.
        ConsentImport = "consent_import",
        /// Takes in lines, contacts, conversations and messages of the platform's first version.
        V1Migration = "v1_migration",
        /// Sets the integration type of many lines.
        SetTypes = "set_types",
        /// Tries the deliveries of many stalled conversations again at once.
        RetryLanes = "retry_lanes",
        /// Skips what is held in many conversations, and what of ours waits to be posted.
        SkipHeld = "skip_held",
        /// Closes many people of an account.
        CloseUsers = "close_users",
    }
}

words! {
    /// How far a run is. What may follow what, and why, is one table: `utilities::state::EDGES`.
    RunState {
        /// It is looked at; nothing was started.
        Planned = "planned",
        /// Waits for a second person.
        AwaitingApproval = "awaiting_approval",
        /// Waits for a worker.
        Queued = "queued",
        /// A worker is at it.
        Running = "running",
        /// It stops after the batch under way.
        Pausing = "pausing",
        /// It stands still until somebody resumes it.
        Paused = "paused",
        /// Everything is done; it is being recounted.
        Verifying = "verifying",
        /// Done, and verified.
        Succeeded = "succeeded",
        /// It could not go on; nothing is lost, and it can be resumed from here.
        Failed = "failed",
        /// It ends after the batch under way.
        Cancelling = "cancelling",
        /// It was ended before it was done.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::AwaitingApproval => "Awaiting approval",
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Pausing => "Pausing",
            Self::Paused => "Paused",
            Self::Verifying => "Verifying",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Nothing follows.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Cancelled)
    }

    /// It moves by itself: a page about it follows it.
    pub fn is_moving(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Pausing | Self::Verifying | Self::Cancelling)
    }
}

words! {
    /// What somebody may do to a run.
    RunAct {
        /// Stop after the batch under way.
        Pause = "pause",
        /// Go on: after a pause, or after a failure from where it failed.
        Resume = "resume",
        /// End it before it is done.
        Cancel = "cancel",
    }
}

impl RunAct {
    /// As a button says it, for a run in this state.
    pub fn name(self, state: RunState) -> &'static str {
        match (self, state) {
            (Self::Pause, _) => "Pause",
            (Self::Resume, RunState::Failed) => "Resume from here",
            (Self::Resume, _) => "Resume",
            (Self::Cancel, _) => "Cancel",
        }
    }
}

/// What a utility is, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UtilityAbout {
    /// Which.
    pub kind: UtilityKind,
    /// As staff call it.
    pub name: String,
    /// What it does, in a sentence or two.
    pub does: String,
    /// What to know before one starts it, a sentence each.
    pub notes: Vec<String>,
    /// Who has this may launch it.
    pub permission: Permission,
    /// What it did can be taken back.
    pub is_reversible: bool,
    /// Its form, in order.
    pub fields: Vec<FormField>,
}

/// A field of a utility's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormField {
    /// The parameter that it sets.
    pub name: String,
    /// As the form says it.
    pub label: String,
    /// What to know when filling it in.
    pub help: String,
    /// What it takes.
    pub kind: FieldKind,
    /// It may stay empty.
    pub optional: bool,
}

impl FormField {
    /// A field that has to be filled in.
    pub fn new(name: &str, label: &str, help: &str, kind: FieldKind) -> Self {
        Self { name: name.to_owned(), label: label.to_owned(), help: help.to_owned(), kind, optional: false }
    }

    /// The same, which may stay empty.
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldKind {
    /// A line, by its id.
    Line,
    /// An account, by its id.
    Account,
    /// One of these: the word that is sent, and what the form says. The first one is chosen to begin with.
    Choice(Vec<(String, String)>),
    /// A file of at most so many bytes, with these endings, as `accept` of HTML takes them.
    File {
        /// Bytes.
        most: u64,
        /// Such as `.csv,text/csv`.
        accept: String,
    },
}

impl FieldKind {
    /// One of these: the word that is sent, and what the form says.
    pub fn choice(choices: &[(&str, &str)]) -> Self {
        Self::Choice(choices.iter().map(|(word, says)| ((*word).to_owned(), (*says).to_owned())).collect())
    }
}

/// What a run would do, looked at before anything is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it touches: as staff call it, how many, and what becomes of them.
    pub counts: Vec<PlanCount>,
    /// What it does beside, a sentence each.
    pub effects: Vec<String>,
    /// Where two things meet, and which one wins.
    pub conflicts: Vec<String>,
    /// Why it cannot be started now; empty when it can.
    pub obstacles: Vec<Obstacle>,
    /// All rows that it touches.
    pub rows: i64,
    /// How long it may take, in seconds; `None` when nobody knows.
    pub seconds: Option<i64>,
    /// What has to be typed before it starts: what it is, and the text.
    pub confirm: Option<(String, String)>,
    /// A second person has to agree to it.
    pub needs_approval: bool,
}

/// A line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCount {
    /// As staff call them.
    pub name: String,
    /// How many.
    pub rows: i64,
    /// What becomes of them.
    pub fate: String,
}

/// Why a run cannot be started, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// What is in the way.
    pub text: String,
    /// What to do: what a link says, and where in the console it leads.
    pub offer: Option<(String, String)>,
}

impl Obstacle {
    /// With nothing to click.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), offer: None }
    }
    /// With a link to where it is mended.
    pub fn with(text: impl Into<String>, link: impl Into<String>, to: impl Into<String>) -> Self {
        Self { text: text.into(), offer: Some((link.into(), to.into())) }
    }
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The run.
    pub id: RunId,
    /// Of which utility.
    pub kind: UtilityKind,
    /// What it does, in a sentence; holds no personal data.
    pub summary: String,
    /// How far it is.
    pub state: RunState,
    /// The line that it is about, if it is about one, and its label; its number for who does not look after its account any more.
    pub line: Option<(LineId, String)>,
    /// Who asked for it.
    pub asked_by: (StaffId, String),
    /// When.
    pub asked_at: Timestamp,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// Rows that are done, of all its steps.
    pub done: i64,
    /// Rows that there are to do, as far as they were counted.
    pub total: i64,
}

/// A run, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetail {
    /// As in the list.
    pub row: RunRow,
    /// The utility's name.
    pub utility: String,
    /// Changes with each act of somebody's.
    pub version: i64,
    /// What was asked for: the form's labels and what was answered.
    pub parameters: Vec<(String, String)>,
    /// The accounts that it touches and whose pages the asking member may open, by name.
    pub accounts: Vec<(AccountId, String)>,
    /// What was planned.
    pub plan: Plan,
    /// How far each step is, in order.
    pub steps: Vec<RunStep>,
    /// What happened, the latest first; at most [`RunDetail::EVENTS`].
    pub events: Vec<RunEvent>,
    /// Why it stands still, when it failed.
    pub error: Option<RunError>,
    /// The approval that it waits for, or that was given.
    pub approval: Option<ApprovalId>,
    /// Who agreed to it.
    pub approved_by: Option<String>,
    /// What the asking member may do to it now.
    pub acts: Vec<RunAct>,
    /// They may start it: it is planned, and theirs.
    pub may_start: bool,
    /// They may plan its reverse.
    pub may_reverse: bool,
    /// Why it cannot be cancelled any more, and what to do.
    pub past_cancelling: Option<String>,
    /// Rows a second, of the time that batches took and the pauses between them, since it was last taken up.
    pub rows_per_second: Option<i64>,
    /// Seconds that are left, by that rate.
    pub seconds_left: Option<i64>,
    /// The run that this one takes back.
    pub reverses: Option<RunId>,
    /// The run that took this one back.
    pub reversed_by: Option<RunId>,
    /// There is a result to download: its file name.
    pub result: Option<String>,
}

impl RunDetail {
    /// So many events are shown.
    pub const EVENTS: usize = 200;
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStep {
    /// As staff call it.
    pub name: String,
    /// It recounts and changes nothing.
    pub is_check: bool,
    /// Rows done.
    pub done: i64,
    /// Rows that the plan counted.
    pub total: i64,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// When it was done.
    pub ended_at: Option<Timestamp>,
}

words! {
    /// What kind of thing happened to a run.
    RunEventKind {
        /// It went on as it should.
        Info = "info",
        /// Something to know of; it went on.
        Warning = "warning",
        /// It could not go on.
        Error = "error",
    }
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEvent {
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: RunEventKind,
    /// In words.
    pub text: String,
    /// Who did it; `None` for the worker.
    pub by: Option<String>,
}

/// Why a run stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// What went wrong, in words.
    pub text: String,
    /// What to do about it.
    pub what_to_do: String,
    /// The step that it happened in.
    pub step: String,
    /// How far the step had come: behind how many rows.
    pub behind: i64,
}

/// Narrows the list of runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFilter {
    /// Only of this utility.
    pub kind: Option<UtilityKind>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only what was started and is not over.
    #[serde(default)]
    pub under_way: bool,
    /// Only of this line.
    pub line: Option<LineId>,
    /// Only from or to this account.
    pub account: Option<AccountId>,
    /// Only asked for by this member.
    pub asked_by: Option<StaffId>,
    /// Only of lines whose number holds these digits, three at least, or whose label or account begins so.
    pub search: String,
}

/// What came of starting a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The run that is under way now: the one that was asked for, or the one that was first.
    pub run: RunId,
    /// It waits for a second person.
    pub waits: Option<ApprovalId>,
    /// Another run was at it already; that one is named.
    pub was_first: bool,
}
