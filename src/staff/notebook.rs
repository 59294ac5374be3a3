//! The notebook of a request: what its member was refused, what personal data they were shown, and what they can take back, so that reads
//! stay reads. Whoever serves the request writes it down before the answer leaves; a sign-in that failed, beside the answer.
//!
//! The rule: the same thing of the same person is written down once in ten minutes, so that a loop of requests cannot fill the audit.

use super::audit::record_all;
use super::throttle::network;
use super::{Actor, Entry, Member, record};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, json};
use crate::types::{
    AccountId, AuditOutcome, BlastId, ContactId, ConversationId, ErasureId, LineId, Permission, RunId, StaffId, Timestamp, UndoId,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// The same thing is not written down again for so long.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Personal data that somebody was shown whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// One conversation: its contact's number and what was written.
    Conversation(AccountId, LineId, ConversationId),
    /// One conversation as a file.
    ConversationFile(AccountId, LineId, ConversationId),
    /// The contacts of a line.
    Contacts(AccountId, LineId),
    /// The contacts of an account.
    AccountContacts(AccountId),
    /// One contact: their number, their name, what is noted about them.
    Contact(AccountId, ContactId),
    /// The number of a contact whose erasure was asked for.
    Erasure(AccountId, ErasureId),
    /// What a blast says, and to whom.
    Blast(AccountId, LineId, BlastId),
    /// Whom a blast went to, as a file.
    BlastFile(AccountId, LineId, BlastId),
    /// Contacts in the Sync list, as it was narrowed.
    SyncList(Option<AccountId>, Option<LineId>),
    /// The Sync list as a file.
    SyncFile(Option<AccountId>, Option<LineId>),
    /// Messages to unknown lines.
    UnknownInbound,
    /// Messages to unknown lines, as a file.
    UnknownFile,
    /// One conversation that a search found: its contact's number and name.
    Found(AccountId, LineId, ConversationId),
    /// One contact whom a search found: their number and their name.
    FoundContact(AccountId, ContactId),
    /// Numbers that entries of the audit hold.
    AuditNumbers,
    /// What came of each record of a file that a run took in.
    RunResult(Option<AccountId>, Option<LineId>, RunId),
}

impl Seen {
    fn entry(self) -> Entry<'static> {
        let entry = Entry { outcome: AuditOutcome::Seen, ..Entry::default() };
        match self {
            Self::Conversation(account, line, id) => {
                Entry { action: "conversation.see", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..entry }
            }
            Self::ConversationFile(account, line, id) => {
                Entry { action: "conversation.take_file", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..entry }
            }
            Self::Contacts(account, line) => Entry { action: "line.see_contacts", account_id: Some(account), line_id: Some(line), ..entry },
            Self::AccountContacts(account) => Entry { action: "account.see_contacts", account_id: Some(account), ..entry },
            Self::Contact(account, id) => Entry { action: "contact.see", account_id: Some(account), subject_id: Some(id.0), ..entry },
            Self::Erasure(account, id) => {
                Entry { action: "contact.see_erasure", account_id: Some(account), subject_id: Some(id.0), ..entry }
            }
            Self::Blast(account, line, id) => {
                Entry { action: "blast.see", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..entry }
            }
            Self::BlastFile(account, line, id) => {
                Entry { action: "blast.take_file", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..entry }
            }
            Self::SyncList(account_id, line_id) => Entry { action: "sync.see_contacts", account_id, line_id, ..entry },
            Self::SyncFile(account_id, line_id) => Entry { action: "sync.take_file", account_id, line_id, ..entry },
            Self::UnknownInbound => Entry { action: "unknown.see", ..entry },
            Self::UnknownFile => Entry { action: "unknown.take_file", ..entry },
            Self::AuditNumbers => Entry { action: "audit.see_numbers", ..entry },
            Self::RunResult(account_id, line_id, run) => {
                Entry { action: "utility.take_result", account_id, line_id, subject_id: Some(run.0), ..entry }
            }
            Self::Found(account, line, id) => {
                Entry { action: "conversation.see_found", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..entry }
            }
            Self::FoundContact(account, id) => {
                Entry { action: "contact.see_found", account_id: Some(account), subject_id: Some(id.0), ..entry }
            }
        }
    }
}

#[derive(Debug, Default)]
struct Notes {
    asked: Vec<Permission>,
    refused: Vec<Permission>,
    seen: Vec<Seen>,
    is_asked_for_proof: bool,
    undo: Option<UndoId>,
}

/// What was noted while one request ran; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Notebook(Arc<Mutex<Notes>>);

impl Notebook {
    /// The member asked for this, and was given it, somewhere at least.
    pub(super) fn asked_for(&self, permission: Permission) {
        let asked = &mut self.notes().asked;
        if !asked.contains(&permission) {
            asked.push(permission);
        }
    }

    /// What the member asked for and was given.
    pub(super) fn asked(&self) -> Vec<Permission> {
        self.notes().asked.clone()
    }

    /// The member was refused this.
    pub(super) fn refused(&self, permission: Permission) {
        let refused = &mut self.notes().refused;
        if !refused.contains(&permission) {
            refused.push(permission);
        }
    }

    /// The member was shown this whole.
    pub(super) fn saw(&self, this: Seen) {
        let seen = &mut self.notes().seen;
        if !seen.contains(&this) {
            seen.push(this);
        }
    }

    /// The member was asked to show again who they are.
    pub(super) fn asked_for_proof(&self) {
        self.notes().is_asked_for_proof = true;
    }

    /// The member can take back what they did, by this.
    pub(super) fn can_undo(&self, id: UndoId) {
        self.notes().undo = Some(id);
    }

    /// What the member can take back.
    pub(super) fn undo(&self) -> Option<UndoId> {
        self.notes().undo
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Notes {
        std::mem::take(&mut *self.notes())
    }
}

/// Where a request was made.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What there is few of: the route, or the shell's command.
    pub route: &'a str,
    /// The path that was asked for, without its query.
    pub path: &'a str,
    /// The answer is a refusal.
    pub is_refused: bool,
}

impl Place<'_> {
    /// The path as far as it is the route's own words and ids: what somebody types may be a phone number.
    pub(super) fn without_what_was_typed(&self) -> String {
        let known: Vec<&str> = self.route.split('/').collect();
        let part = |part: &str| if known.contains(&part) || part.parse::<Uuid>().is_ok() { part.to_owned() } else { "…".to_owned() };
        self.path.split('/').take(known.len()).map(part).collect::<Vec<_>>().join("/")
    }
}

/// Writes down what the member was refused and shown since the last time. To be called before the answer leaves, and when it fails, the answer
/// must not.
///
/// # Errors
/// What the database says.
pub async fn write_down(db: &Db, now: &Now, member: &Member, place: Place<'_>) -> Result<()> {
    let notes = member.notebook().take();
    let mut refused: Vec<Option<Permission>> = notes.refused.into_iter().map(Some).collect();
    if refused.is_empty() && place.is_refused && !notes.is_asked_for_proof {
        refused.push(None);
    }
    let path = place.without_what_was_typed();
    let refusals = refused.into_iter().map(|permission| {
        let permission = permission.map(Permission::as_str);
        let entry = Entry { action: "access.refuse", outcome: AuditOutcome::Denied, ..Entry::default() };
        let what = format!("denied {} {}", permission.unwrap_or("-"), place.route);
        (what, entry.change((), serde_json::json!({ "permission": permission, "path": path })))
    });
    let sights = notes.seen.into_iter().map(|seen| (format!("seen {seen:?}"), seen.entry()));
    let who = member.id().0;
    let mut due: Vec<(String, Entry<'_>)> = refusals.chain(sights).collect();
    if due.is_empty() {
        return Ok(());
    }
    // A search may show a hundred contacts: all are asked for at once, and written at once.
    let (at, over) = (now.at(), now.at().minus(PAUSE));
    let paused: Vec<(String,)> = db
        .all(
            "select p.what
             from audit_pause p
             where p.who = $1 and p.at > $2 and p.what in (select j.value->>0 from json_each($3) j)",
            (who, over, listed(&due)),
        )
        .await?;
    due.retain(|(what, _)| paused.iter().all(|(paused,)| paused != what));
    if due.is_empty() {
        return Ok(());
    }
    let actor = member.actor();
    db.work(async |tx| {
        let begun: Vec<(String,)> = tx
            .all(
                "insert into audit_pause (who, what, at)
                 select $1, j.value->>0, $2
                 from json_each($3) j
                 where true
                 on conflict (who, what) do update set at = excluded.at where audit_pause.at <= $4
                 returning what",
                (who, at, listed(&due), over),
            )
            .await?;
        let begun = due.into_iter().filter(|(what, _)| begun.iter().any(|(begun,)| begun == what));
        record_all(tx, now, &actor, begun.map(|(_, entry)| entry).collect()).await
    })
    .await
}

/// What pauses are kept of, as a statement takes it.
fn listed(due: &[(String, Entry<'_>)]) -> String {
    json(&due.iter().map(|(what, _)| [what]).collect::<Vec<_>>())
}

/// Writes down a sign-in that failed: for whom, if that is known, and from where.
///
/// # Errors
/// What the database says.
pub(super) async fn sign_in_failed(tx: &mut Tx, now: &Now, known: Option<(StaffId, &str)>, address: &str) -> Result<()> {
    let who = known.map_or(Uuid::nil(), |(id, _)| id.0);
    if pause(tx, now, who, format!("denied sign-in {}", network(address))).await? {
        let entry = Entry {
            action: "staff.sign_in_fail",
            outcome: AuditOutcome::Denied,
            subject_id: known.map(|(id, _)| id.0),
            ..Entry::default()
        };
        let actor = Actor::Nobody { address: Some(address.to_owned()) };
        record(tx, now, &actor, entry.change((), serde_json::json!({ "name": known.map(|(_, name)| name) }))).await?;
    }
    Ok(())
}

/// Writes down that somebody who is signed in gave a wrong password or code.
///
/// # Errors
/// What the database says.
pub(super) async fn proof_failed(tx: &mut Tx, now: &Now, actor: &Actor, id: StaffId) -> Result<()> {
    if pause(tx, now, id.0, "denied proof".to_owned()).await? {
        let entry = Entry { action: "staff.prove_fail", outcome: AuditOutcome::Denied, subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, actor, entry).await?;
    }
    Ok(())
}

/// Writes down that a page of another site had a browser send something here.
///
/// # Errors
/// What the database says.
pub async fn refused_another_site(db: &Db, now: &Now, address: &str) -> Result<()> {
    refused_stranger(db, now, "access.other_site", address).await
}

/// Writes down what somebody was refused who is not signed in.
///
/// # Errors
/// What the database says.
pub(super) async fn refused_stranger(db: &Db, now: &Now, action: &'static str, address: &str) -> Result<()> {
    let what = format!("denied {action} {}", network(address));
    if !is_due(db, now, Uuid::nil(), &what).await? {
        return Ok(());
    }
    db.work(async |tx| {
        if pause(tx, now, Uuid::nil(), what).await? {
            let entry = Entry { action, outcome: AuditOutcome::Denied, ..Entry::default() };
            record(tx, now, &Actor::Nobody { address: Some(address.to_owned()) }, entry).await?;
        }
        Ok(())
    })
    .await
}

/// Whether the last entry is long enough ago; asked first, so that nothing is written while it is not.
pub(super) async fn is_due(db: &Db, now: &Now, who: Uuid, what: &str) -> Result<bool> {
    let last: Option<(Timestamp,)> = db.opt("select at from audit_pause where who = $1 and what = $2", (who, what.to_owned())).await?;
    Ok(last.is_none_or(|(at,)| at <= now.at().minus(PAUSE)))
}

/// Begins a pause, unless one is under way.
pub(super) async fn pause(tx: &mut Tx, now: &Now, who: Uuid, what: String) -> Result<bool> {
    let at = now.at();
    let begun = tx
        .run(
            "insert into audit_pause (who, what, at) values ($1, $2, $3)
             on conflict (who, what) do update set at = excluded.at where audit_pause.at <= $4",
            (who, what, at, at.minus(PAUSE)),
        )
        .await?;
    Ok(begun == 1)
}

/// Forgets pauses that are over.
///
/// # Errors
/// What the database says.
pub async fn forget_old_pauses(db: &Db, now: &Now) -> Result<u64> {
    let over = now.at().minus(PAUSE);
    db.work(async |tx| tx.run("delete from audit_pause where at <= $1", [over]).await).await
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn what_somebody_types_into_an_address_is_not_written_down() {
        let place = |route, path| Place { route, path, is_refused: true }.without_what_was_typed();
        let id = "/lines/01890f5e-0000-7000-8000-000000000001/type";
        assert_eq!(place("/lines/{id}/type", id), id);
        assert_eq!(place("/lines/{id}/type", "/lines/+12025550143/type"), "/lines/…/type");
        assert_eq!(place("-", "/+12025550143"), "…");
        assert_eq!(place("staff add", "staff add"), "staff add");
    }
}
