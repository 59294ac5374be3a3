//! The Line Transfer: a line moves with its whole history to another account.
//!
//! The rule: the line flips first, in one transaction. From then on its account alone decides who may see, send and connect; `account_id`
//! on the rows follows in batches, and is recounted before the line opens. Messages and STOP flow all the while, into the new account.
//!
//! What a line owns is said by the rooms that own the tables: see [`crate::directory::transfer`]. The steps here only go through them.

mod back;
mod moving;
mod plan;

use super::{Ahead, Asking, Batch, Leave, Proposal, Reversed, Stop, Utility, Work, beside, count, keep, unreadable};
use crate::clock::first_id_at;
use crate::db::{Db, Result as Done, Sql, Tx};
use crate::directory::transfer::{self as directory, Contacts, LineTable, Moving, WayBack};
use crate::messaging::transfer as messaging;
use crate::staff::{Entry, Member, may, record};
use crate::sync::transfer as sync;
use crate::types::{
    AccountId, BlastId, ConversationId, FieldKind, FormField, IntegrationType, LineId, Permission, PhoneNumber, Problem, RunId, Timestamp,
    UtilityAbout, UtilityKind, counted,
};
use crate::work::faults::UtilityGuard;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What of an installation tells of a line and is not the line's: it stays as it was.
const STAYING: &[LineTable] = &[
    LineTable { table: "audit_entry", fate: directory::Fate::Stays, how: "tells what was done, and to whom the line belonged then" },
    LineTable { table: "utility_run", fate: directory::Fate::Stays, how: "the line's runs are seen by both accounts" },
];

/// Everything that hangs on a line, and what a transfer does to it.
pub fn owned() -> impl Iterator<Item = &'static LineTable> {
    directory::TABLES.iter().chain(messaging::TABLES).chain(sync::TABLES).chain(STAYING)
}

/// The tables whose rows follow in batches.
fn moving() -> impl Iterator<Item = &'static Moving> {
    messaging::MOVING.iter().chain(sync::MOVING)
}

/// Whether the rows of a table follow in batches.
pub fn moves(table: &str) -> bool {
    moving().any(|moving| moving.table == table)
}

/// The statements that move tables, by table: they are made by a macro, and a test prepares them.
pub fn statements() -> impl Iterator<Item = (&'static str, [Sql; 2])> {
    moving().map(|moving| (moving.table, [moving.range, moving.give.into()]))
}

/// Whether it tells what was, and stays.
pub fn stays(entry: &LineTable) -> bool {
    entry.fate == directory::Fate::Stays
}

/// Rows with ids of the last moments before the flip may be written after it, by who asked for the time before: they are moved, and not
/// recounted. Clocks of machines differ by less.
const SETTLING: Duration = Duration::from_secs(10);

/// What becomes of people's access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AccessChoice {
    Drop,
    Keep,
}

/// What becomes of what contacts opted in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OptInChoice {
    Keep,
    Reset,
}

/// What becomes of automatic replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResponderChoice {
    Move,
    Drop,
}

/// What becomes of blasts that have not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScheduledChoice {
    Pause,
    Cancel,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Parameters {
    pub(super) line: LineId,
    pub(super) from: AccountId,
    pub(super) to: AccountId,
    /// The line's version when it was planned.
    pub(super) version: i64,
    pub(super) integration_type: IntegrationType,
    pub(super) conversations: i64,
    /// `None` in runs of before they were kept: nothing is compared.
    #[serde(default)]
    pub(super) messages: Option<i64>,
    #[serde(default)]
    pub(super) consents: Option<i64>,
    pub(super) access: AccessChoice,
    pub(super) responders: ResponderChoice,
    pub(super) opt_ins: OptInChoice,
    pub(super) scheduled: ScheduledChoice,
}

/// How much there is of a line, as far as a plan holds by it.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
struct Size {
    conversations: i64,
    messages: i64,
    consents: i64,
}

const SIZE: &str = "select (select count(*) from conversation where line_id = $1) as conversations,
                      (select count(*) from message where line_id = $1) as messages,
                      (select count(*) from consent where line_id = $1) as consents";

/// The utility.
#[derive(Debug)]
pub struct LineTransfer;

const FLIP: &str = "flip";
const CONTACTS: &str = "contacts";
const ACCESS: &str = "access";
const RESPONDERS: &str = "responders";
const OPT_INS: &str = "opt_ins";
const BACK: &str = "back";
const OPEN: &str = "open";

#[async_trait]
impl Utility for LineTransfer {
    /// What a way back lists are ids, and words of automatic replies.
    fn names_contacts(&self) -> bool {
        false
    }

    fn about(&self) -> UtilityAbout {
        UtilityAbout {
            kind: UtilityKind::LineTransfer,
            name: "Line Transfer".to_owned(),
            does: "Moves a line with its conversations, messages, contacts, consents and deliveries to another account.".to_owned(),
            notes: vec![
                "From the first moment the old account's people and programs neither see the line nor send from it.".to_owned(),
                "Messages and STOP are taken all the while, into the new account. Whoever has opted out stays opted out.".to_owned(),
                "It can be paused and resumed at any time, and taken back when it is done.".to_owned(),
            ],
            permission: Permission::TransferLine,
            is_reversible: true,
            fields: vec![
                FormField::new("line", "Line", "The line that moves.", FieldKind::Line),
                FormField::new(
                    "to",
                    "To account",
                    "The account that gets it. You need this permission on both accounts.",
                    FieldKind::Account,
                ),
                FormField::new(
                    "access",
                    "People’s access",
                    "People belong to an account; those of the old one lose access in any case.",
                    FieldKind::choice(&[
                        ("drop", "Drop it"),
                        ("keep", "Keep it for people whom the new account knows by the same e-mail address"),
                    ]),
                ),
                FormField::new(
                    "responders",
                    "Automatic replies",
                    "They belong to the line. What is dropped comes back with a transfer back.",
                    FieldKind::choice(&[("move", "Move along"), ("drop", "Drop them")]),
                ),
                FormField::new(
                    "opt_ins",
                    "Opt-ins",
                    "Consent was given to the old owner. Whether it holds for the new one is for your lawyers; opt-outs always stay.",
                    FieldKind::choice(&[
                        ("keep", "Keep, with where they come from"),
                        ("reset", "Reset to unknown: the new owner asks anew"),
                    ]),
                ),
                FormField::new(
                    "scheduled",
                    "Scheduled blasts",
                    "Blasts that have not started, also those that are paused already. The new owner’s program resumes or cancels what is paused; a cancelled one does not come back, nor do its recipients.",
                    FieldKind::choice(&[("pause", "Move along, paused"), ("cancel", "Cancel them")]),
                ),
            ],
        }
    }

    fn leave(&self, member: &Member) -> Result<Leave, Problem> {
        Ok(Leave::of(&member.permit::<may::TransferLine>()?))
    }

    async fn plan(&self, asking: &Asking<'_>) -> Result<Proposal, Problem> {
        plan::plan(asking).await
    }

    async fn plan_reverse(&self, asking: &Asking<'_>, of: &Reversed) -> Result<Option<Proposal>, Problem> {
        plan::back(asking, of).await.map(Some)
    }

    async fn still_holds(&self, tx: &mut Tx, work: &Work<'_>) -> Result<(), Stop> {
        let p = parameters(work)?;
        let anew = "Plan the transfer anew, and look at what has changed.";
        let closed: Option<(bool,)> = tx.opt("select closed_at is not null from account where id = $1", [p.to]).await?;
        if closed.is_none_or(|(closed,)| closed) {
            return Err(Stop::fault("The new account was closed since the plan.", anew));
        }
        if p.integration_type == IntegrationType::Ringcentral && !crate::ringcentral::is_connected(tx, p.to).await? {
            return Err(Stop::fault(
                "The new account has no connection to RingCentral any more.",
                "Connect it, or cancel this run, set the line's type to Inbox, and plan the transfer anew.",
            ));
        }
        if let Some(lacks) = crate::directory::accounts::lacking_now(tx, p.to, p.integration_type).await? {
            return Err(Stop::fault(lacks, "Add the product to the account, then resume from here."));
        }
        for account in [p.from, p.to] {
            if beside::is_busy(tx, account, &holds(p.line), false).await? {
                return Err(beside::stop());
            }
        }
        none_half_sent(tx, p.line).await?;
        let ahead = work.ahead.and_then(|ahead| ahead.read.downcast_ref::<Size>());
        let now = match ahead {
            Some(size) => *size,
            None => tx.one(SIZE, [p.line]).await?,
        };
        // A fifth more, and a little on top: a line that is in use grows while somebody is asked to agree.
        let planned = [
            ("conversations", Some(p.conversations), now.conversations, 100),
            ("messages", p.messages, now.messages, 1_000),
            ("consents", p.consents, now.consents, 100),
        ];
        for (what, planned, now, a_little) in planned {
            if let Some(planned) = planned.filter(|planned| now > planned + planned / 5 + a_little) {
                return Err(Stop::fault(format!("The plan counted {planned} {what}, and now there are {now}."), anew));
            }
        }
        Ok(())
    }

    async fn look(&self, db: &Db, work: &Work<'_>) -> Done<Option<Ahead>> {
        // A batch says it in words.
        let Ok(p) = parameters(work) else { return Ok(None) };
        if work.step == FLIP {
            // Nobody waits for the flip while a long history is counted.
            let size: Size = db.one(SIZE, [p.line]).await?;
            return Ok(Some(Ahead { next: None, read: Box::new(size) }));
        }
        match moving().find(|moving| moving.table == work.step || moving.check == work.step) {
            Some(moving) if moving.check == work.step => moving::look_again(db, work, p.line, p.to, moving).await,
            Some(moving) => moving::look(db, work, p.line, p.to, moving).await,
            None => Ok(None),
        }
    }

    async fn batch(&self, tx: &mut Tx, work: &Work<'_>) -> Result<Batch, Stop> {
        let p = parameters(work)?;
        match work.step {
            FLIP => flip(tx, work, &p).await,
            CONTACTS => contacts(tx, work, &p).await,
            ACCESS => {
                let done = directory::settle_access(tx, work.now, p.line, p.to, p.access == AccessChoice::Keep).await?;
                keep(tx, work, &done).await?;
                let rows = done.dropped.len() + done.given.len();
                let lost = counted(count(done.dropped.len()), "person", "people");
                let have = counted(count(done.given.len()), "has", "have");
                let says = format!("Access: {lost} lost it, {have} it in the new account.");
                Ok(Batch::last(count(rows)).saying(says))
            }
            RESPONDERS => {
                let dropped = directory::drop_responders(tx, p.line).await?;
                keep(tx, work, &dropped).await?;
                Ok(Batch::last(count(dropped.len())).saying(format!("Automatic replies that were dropped: {}.", dropped.len())))
            }
            OPT_INS => {
                let guarded = work.broken != Some(UtilityGuard::OptOutMerge);
                let behind = work.place.unwrap_or_default();
                let (flipped,): (Option<Timestamp>,) = tx.one("select flipped_at from utility_run where id = $1", [work.run]).await?;
                let by = (work.run, flipped.unwrap_or_else(|| work.now.at()));
                let (rows, place) = messaging::reset_opt_ins(tx, work.now, (p.line, p.to), by, behind, work.size, guarded).await?;
                Ok(Batch { rows, place, ..Batch::default() })
            }
            BACK => back::batch(tx, work, &p).await,
            OPEN => {
                directory::open(tx, p.line, p.to, work.run).await?;
                audit(tx, work, &p, "line.transfer_done").await?;
                Ok(Batch::last(0).saying("The line is open: everything of it is with its new account."))
            }
            step => match moving().find(|moving| moving.table == step || moving.check == step) {
                Some(moving) if moving.check == step => moving::recount(tx, work, &p, moving).await,
                Some(moving) => moving::batch(tx, work, p.line, p.to, moving).await,
                None => Err(Stop::fault(format!("This program knows no step “{step}”."), "Have an engineer look at it.")),
            },
        }
    }
}

/// One run a line.
fn holds(line: LineId) -> String {
    format!("line:{line}")
}

fn parameters(work: &Work<'_>) -> Result<Parameters, Stop> {
    Parameters::deserialize(work.parameters).map_err(unreadable)
}

/// Blasts that had not started.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Scheduled {
    pub(super) paused: bool,
    pub(super) blasts: Vec<BlastId>,
    /// The version of each, in the same order: it tells whether somebody has decided since. Nothing in records of before this was kept.
    #[serde(default)]
    pub(super) versions: Vec<i64>,
    /// How many recipients each had, in the same order. Of those that were cancelled no more is kept.
    #[serde(default)]
    pub(super) recipients: Vec<i64>,
}

impl Scheduled {
    /// Each with its version, as far as that was kept.
    fn seen(&self) -> Vec<(BlastId, Option<i64>)> {
        self.blasts.iter().enumerate().map(|(n, id)| (*id, self.versions.get(n).copied())).collect()
    }
}

/// A blast that has begun is one account's, from its first message to its last.
async fn none_half_sent(tx: &mut Tx, line: LineId) -> Result<(), Stop> {
    match messaging::half_sent(tx, line).await? {
        None => Ok(()),
        Some((_, began)) => Err(Stop::fault(
            format!("The blast of {} UTC is half sent.", began.minute()),
            "Wait until it is sent, or cancel the rest of it under the line’s blasts. Then resume from here.",
        )),
    }
}

/// The first step, in one transaction: line, opt-outs, lanes, blasts that have not started, watermark.
async fn flip(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let at = work.now.at();
    let Some(_) = directory::flip(tx, p.line, (p.from, p.to), work.run, p.version, work.reverses).await? else {
        return Err(Stop::fault(
            "The line was changed since the plan: it has another owner, another type or another label, or is being transferred.",
            "Plan the transfer anew, and look at what has changed.",
        ));
    };
    // Who recorded the begin of one at this moment had the line until now.
    none_half_sent(tx, p.line).await?;
    let opted_out = messaging::flip(tx, p.line, p.to).await?;
    let lanes = if work.broken == Some(UtilityGuard::Scope) { 0 } else { sync::flip(tx, work.now, p.line, p.to).await? };
    let scheduled = messaging::settle_scheduled(tx, p.line, p.scheduled == ScheduledChoice::Pause).await?;
    if !scheduled.is_empty() {
        let mut was = Scheduled { paused: p.scheduled == ScheduledChoice::Pause, ..Scheduled::default() };
        for (blast, version, recipients) in scheduled {
            was.blasts.push(blast);
            was.versions.push(version);
            was.recipients.push(recipients);
        }
        keep(tx, work, &was).await?;
    }
    audit(tx, work, p, "line.transfer").await?;
    let said = |rows: u64, one: &str, many: &str| counted(i64::try_from(rows).unwrap_or(i64::MAX), one, many);
    let opt_outs = said(opted_out, "opt-out", "opt-outs");
    let lanes = said(lanes, "conversation that is", "conversations that are");
    let says = format!("The line belongs to its new account now, with {opt_outs} and {lanes} not in sync.");
    Ok(Batch { flipped: Some(first_id_at(at.minus(SETTLING))), ..Batch::last(1) }.saying(says))
}

/// Both accounts' audits show the move.
async fn audit(tx: &mut Tx, work: &Work<'_>, p: &Parameters, action: &'static str) -> Done<()> {
    let (from, to): (String, String) =
        tx.one("select a.name, b.name from account a join account b on b.id = $2 where a.id = $1", (p.from, p.to)).await?;
    for account in [p.from, p.to] {
        let entry = Entry { action, account_id: Some(account), line_id: Some(p.line), subject_id: Some(work.run.0), ..Entry::default() };
        let (before, after) = (serde_json::json!({ "account": from }), serde_json::json!({ "account": to }));
        record(tx, work.now, &work.asked_by, entry.change(before, after)).await?;
    }
    Ok(())
}

/// The place of the step once all conversations are done: behind which number the others are looked at.
const NUMBERS: &str = "number:";

/// Contacts follow their conversations, a batch of them at a time; those whom none leads to follow their numbers.
async fn contacts(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let back = match work.reverses {
        Some(of) => Some(way_back(tx, of).await?),
        None => None,
    };
    if let Some(behind) = work.place.and_then(|place| place.strip_prefix(NUMBERS)) {
        let page = messaging::numbers(tx, p.line, behind, work.size).await?;
        let last = page.last().filter(|_| count(page.len()) >= work.size).map(|(number, _)| format!("{NUMBERS}{}", number.expose()));
        let alone: Vec<PhoneNumber> = page.into_iter().filter(|(_, alone)| *alone).map(|(number, _)| number).collect();
        let done = directory::move_contacts_alone(tx, work.now, p.line, (p.from, p.to), back, &alone).await?;
        return recorded(tx, work, &done, Batch { rows: count(alone.len()), place: last, ..Batch::default() }).await;
    }
    let behind = work.place.and_then(|place| place.parse().ok()).unwrap_or(ConversationId(uuid::Uuid::nil()));
    let ids: Vec<(ConversationId,)> =
        tx.all("select id from conversation where line_id = $1 and id > $2 order by id limit $3", (p.line, behind, work.size)).await?;
    let Some((last,)) = ids.last().copied() else { return Ok(Batch { place: Some(NUMBERS.to_owned()), ..Batch::default() }) };
    let ids: Vec<ConversationId> = ids.into_iter().map(|(id,)| id).collect();
    let done = directory::move_contacts(tx, work.now, p.line, (p.from, p.to), back, &ids).await?;
    recorded(tx, work, &done, Batch { rows: count(ids.len()), place: Some(last.to_string()), ..Batch::default() }).await
}

/// What was brought here is restored from its record. What came since goes along, and so does whom somebody wrote down since. Where what is
/// taken back is a way back itself, that was stopped half way, whoever the other account does not know goes along: it has no record.
async fn way_back(tx: &mut Tx, of: RunId) -> Done<WayBack> {
    let (flipped, is_back): (Option<Timestamp>, bool) =
        tx.one("select flipped_at, reverses is not null from utility_run where id = $1", [of]).await?;
    Ok(WayBack { since: flipped.map_or(uuid::Uuid::max(), first_id_at), only_since: !is_back })
}

/// Writes down what became of contacts.
async fn recorded(tx: &mut Tx, work: &Work<'_>, done: &Contacts, batch: Batch) -> Result<Batch, Stop> {
    if !done.is_empty() {
        keep(tx, work, done).await?;
    }
    let says = format!("Contacts that the other account does not know, and that come along: {}.", done.unknown);
    Ok(if done.unknown > 0 { batch.saying(says) } else { batch })
}
