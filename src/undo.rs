//! Taking back what was just done: offered for ten seconds to who did it.
//!
//! The rule: an act that can be taken back leaves, in its own transaction, the steps that do so, with the version that its row has since.
//! A step runs the verb that its member could run by hand, with its permit, its version check and its audit; so nothing that somebody else
//! did meanwhile is lost, and asking twice takes back once.
//!
//! To make an act one that can be taken back: let its verb say the [`Step`], call [`leave`] in its transaction, and add the arm in
//! `Step::run`.

use crate::clock::Now;
use crate::db::{Db, Result as Done, Tx, json};
use crate::directory::{accounts, contacts, findings, integration, lines, people, users};
use crate::messaging::{blast, unknown};
use crate::ringcentral;
use crate::staff::{Actor, Member, Permit};
use crate::sync;
use crate::types::{
    AccountId, BlastId, ConnectionId, ContactId, ConversationId, FindingKind, IntegrationType, LineId, PhoneNumber, Problem, ResponderId,
    Timestamp, UndoId, UndoOffer, UserId,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// It is offered for so long.
const OFFERED: Duration = Duration::from_secs(10);
/// It works for so long: who holds the offer still with the pointer or the keyboard, or reads slowly, is not cut off.
const WORKS: Duration = Duration::from_secs(60);

/// What takes one act back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    EditAccount { id: AccountId, version: i64, name: String, products: (bool, bool) },
    ReopenAccount { id: AccountId, version: i64, blasts: Vec<BlastId> },
    EditUser { id: UserId, version: i64, name: String, email: String },
    ReopenUser { id: UserId, version: i64, lines: Vec<LineId> },
    EditContact { id: ContactId, version: i64, name: String, note: String },
    CloseContact { id: ContactId, version: i64, closed: bool },
    EditLimits { id: ConnectionId, version: i64, posts_per_minute: Option<i64>, posts_per_day: Option<i64> },
    EditLine { id: LineId, version: i64, label: String },
    ReopenLine { id: LineId, version: i64, was: LineWas },
    SetType { id: LineId, version: i64, to: IntegrationType, since: Timestamp },
    EditResponder { line: LineId, id: ResponderId, is: (String, String), was: (String, String) },
    AddResponder { line: LineId, id: ResponderId, was: (String, String) },
    SetAccess { line: LineId, user: UserId, access: bool },
    EditBlast { line: LineId, id: BlastId, version: i64, text: String, starts_at: Option<Timestamp> },
    RestoreSkipped { line: LineId, conversation: ConversationId, since: Timestamp },
    SetNumberAside { number: PhoneNumber, reason: String },
    BringNumberBack { number: PhoneNumber },
    SetFindingAside { kind: FindingKind, line: LineId, reason: String },
    BringFindingBack { kind: FindingKind, line: LineId },
}

/// A line as it was before it was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LineWas {
    /// Its type.
    pub(crate) integration_type: IntegrationType,
    /// When it was closed.
    pub(crate) since: Timestamp,
    /// The blasts that have waited for a decision since.
    pub(crate) blasts: Vec<BlastId>,
}

impl Step {
    async fn run(self, tx: &mut Tx, now: &Now, member: &Member) -> Result<(), Problem> {
        match self {
            Self::EditAccount { id, version, name, products } => {
                accounts::edit_one(tx, now, &member.permit()?, id, version, &name, products).await.map(|_| ())
            }
            Self::ReopenAccount { id, version, blasts } => accounts::reopen_one(tx, now, &member.permit()?, id, version, &blasts).await,
            Self::EditUser { id, version, name, email } => {
                users::edit_one(tx, now, &member.permit()?, id, version, &name, &email).await.map(|_| ())
            }
            Self::ReopenUser { id, version, lines } => users::reopen_one(tx, now, &member.permit()?, id, version, &lines).await,
            Self::EditContact { id, version, name, note } => {
                contacts::edit_one(tx, now, &member.permit()?, id, version, &name, &note).await.map(|_| ())
            }
            Self::CloseContact { id, version, closed } => {
                contacts::set_closed_one(tx, now, &member.permit()?, id, version, closed).await.map(|_| ())
            }
            Self::EditLimits { id, version, posts_per_minute, posts_per_day } => {
                let was = (posts_per_minute, posts_per_day);
                ringcentral::limits_one(tx, now, &member.permit()?, (id, version), was).await.map(|_| ())
            }
            Self::EditLine { id, version, label } => lines::edit_one(tx, now, &member.permit()?, id, version, &label).await.map(|_| ()),
            Self::ReopenLine { id, version, was } => lines::reopen_as_it_was(tx, now, &member.permit()?, id, version, &was).await,
            Self::SetType { id, version, to, since } => integration::set_back(tx, now, &member.permit()?, id, version, to, since).await,
            Self::EditResponder { line, id, is, was } => {
                let (is, was) = ((is.0.as_str(), is.1.as_str()), (was.0.as_str(), was.1.as_str()));
                people::edit_one_responder(tx, now, &member.permit()?, (line, id), is, was).await.map(|_| ())
            }
            Self::AddResponder { line, id, was } => people::put_responder(tx, now, &member.permit()?, (line, id), was).await,
            Self::SetAccess { line, user, access } => {
                let set = people::set_access_one(tx, now, &member.permit()?, (line, user), access).await?;
                set.map(|_| ()).ok_or_else(|| Problem::conflict("Somebody else changed it back already."))
            }
            Self::EditBlast { line, id, version, text, starts_at } => {
                blast::set_back(tx, now, &member.permit()?, (line, id), version, text, starts_at).await
            }
            Self::RestoreSkipped { line, conversation, since } => {
                sync::restore_skipped(tx, now, &member.permit()?, (line, conversation), since).await
            }
            Self::SetNumberAside { number, reason } => {
                unknown::set_one_aside(tx, now, &member.permit()?, &number, &reason).await.map(|_| ())
            }
            Self::BringNumberBack { number } => unknown::bring_one_back(tx, now, &member.permit()?, &number).await.map(|_| ()),
            Self::SetFindingAside { kind, line, reason } => {
                findings::set_one_aside(tx, now, member, (kind, line), &reason).await.map(|_| ())
            }
            Self::BringFindingBack { kind, line } => findings::bring_one_back(tx, now, member, (kind, line)).await.map(|_| ()),
        }
    }
}

/// Offers to take back what the transaction does; `what` says it in words, without anything of a contact. Only who works in person is
/// offered it.
///
/// # Errors
/// What the database says.
pub(crate) async fn leave<P>(tx: &mut Tx, now: &Now, permit: &Permit<P>, what: &str, steps: Vec<Step>) -> Done<()> {
    let Actor::Staff { id: staff, .. } = permit.actor() else { return Ok(()) };
    let id = UndoId(now.id());
    tx.run(
        "insert into undo_step (id, staff_id, made_at, what, steps) values ($1, $2, $3, $4, $5)",
        (id, *staff, now.at(), what.to_owned(), json(&steps)),
    )
    .await?;
    permit.can_undo(id);
    Ok(())
}

/// What the member may take back now: this, or the latest.
///
/// # Errors
/// What the database says.
pub async fn offered(db: &Db, now: &Now, member: &Member, id: Option<UndoId>) -> Done<Option<UndoOffer>> {
    let at = now.at();
    let found: Option<(UndoId, String, Timestamp)> = db
        .opt(
            "select id, what, made_at from undo_step
             where staff_id = $1 and made_at > $2 and (id = $3 or $3 is null)
             order by made_at desc, id desc
             limit 1",
            (member.id(), at.minus(OFFERED), id),
        )
        .await?;
    Ok(found.map(|(id, what, made_at)| {
        let left = OFFERED.saturating_sub(at.since(made_at));
        UndoOffer { id, what, seconds: left.as_millis().div_ceil(1000).try_into().unwrap_or(1) }
    }))
}

/// Takes back what the member did: all of it, or nothing.
///
/// # Errors
/// `Conflict` when it is too late, was taken back already, or somebody changed it since; otherwise as the verbs that it runs.
pub async fn take(db: &Db, now: &Now, member: &Member, id: UndoId) -> Result<(), Problem> {
    db.work(async |tx| {
        let found: Option<(Timestamp, String)> =
            tx.opt("delete from undo_step where id = $1 and staff_id = $2 returning made_at, steps", (id, member.id())).await?;
        // An update of the program may have changed what a step is: then it is too late, too.
        let steps = found.filter(|(made_at, _)| made_at.plus(WORKS) > now.at()).and_then(|(_, steps)| serde_json::from_str(&steps).ok());
        let steps: Vec<Step> = steps.ok_or_else(|| {
            Problem::conflict("It is too late to take this back. Change it by hand: the history says what was there before.")
        })?;
        for step in steps {
            step.run(tx, now, member).await?;
        }
        // What came before it is not offered again: it may have been of the same row.
        tx.run("delete from undo_step where staff_id = $1", [member.id()]).await?;
        Ok(())
    })
    .await
}

/// Forgets what would take back what was done to a contact: it holds the name and the note that they had.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget_contact(tx: &mut Tx, id: ContactId) -> Done<()> {
    tx.run("delete from undo_step where steps like '%' || $1 || '%'", [id.to_string()]).await.map(|_| ())
}

/// Forgets what is too old to be taken back.
///
/// # Errors
/// What the database says.
pub async fn forget_old(db: &Db, now: &Now) -> Done<u64> {
    let over = now.at().minus(WORKS);
    db.work(async |tx| tx.run("delete from undo_step where made_at <= $1", [over]).await).await
}
