//! A line's integration type: what each change of it does, said beforehand, then done in one transaction.

use super::accounts::{lacking, standing};
use super::lines::no_such_line;
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::staff::approvals::{self, Wish};
use crate::staff::{Entry, Member, Permit, may, record, roles};
use crate::types::IntegrationType::{Inbox, None, Ringcentral};
use crate::types::{AccountId, BulkAct, Change, IntegrationType, LineId, Outcome, Problem, Timestamp, TypeChangePreview, counted};
use crate::undo::{self, Step};

/// Lines whose type is set in one transaction, at most: it stays short.
pub const MOST_AT_ONCE: usize = 200;

/// One change of type: what becomes of what is under way. Messages and conversations themselves always stay.
#[derive(Debug)]
pub struct Edge {
    /// The type before.
    pub from: IntegrationType,
    /// The type after.
    pub to: IntegrationType,
    /// The account must have a connection to RingCentral.
    pub needs_connection: bool,
    /// Held messages become skipped; queued ones are still delivered.
    pub leaves_ringcentral: bool,
    /// What becomes of the chats.
    pub chat: &'static str,
}

const TO_NONE: &str = "From now on a reply is recorded and STOP, START and HELP are honoured; it is not routed and makes no conversation.";
const TO_INBOX: &str = "From now on a reply becomes a conversation in the inbox.";
const TO_RINGCENTRAL: &str = "From now on a reply is posted into RingCentral, with the messages that were recorded since this change ahead of it. Earlier history is not posted.";
const CHATS_STAY: &str = "The RingCentral chats stay as they are; nothing further is posted into them once the queue is empty.";
const CHATS_COME: &str = "A chat is made, or the earlier one used again, when a contact next writes.";
const NO_CHATS: &str = "No RingCentral chat is touched.";

/// The six changes of type.
#[rustfmt::skip]
pub const EDGES: [Edge; 6] = [
    Edge { from: None, to: Inbox, needs_connection: false, leaves_ringcentral: false, chat: NO_CHATS },
    Edge { from: None, to: Ringcentral, needs_connection: true, leaves_ringcentral: false, chat: CHATS_COME },
    Edge { from: Inbox, to: None, needs_connection: false, leaves_ringcentral: false, chat: NO_CHATS },
    Edge { from: Inbox, to: Ringcentral, needs_connection: true, leaves_ringcentral: false, chat: CHATS_COME },
    Edge { from: Ringcentral, to: None, needs_connection: false, leaves_ringcentral: true, chat: CHATS_STAY },
    Edge { from: Ringcentral, to: Inbox, needs_connection: false, leaves_ringcentral: true, chat: CHATS_STAY },
];

fn edge(from: IntegrationType, to: IntegrationType) -> Result<&'static Edge, Problem> {
    EDGES.iter().find(|e| e.from == from && e.to == to).ok_or_else(|| {
        Problem::conflict(format!("The line is set to {} already. Somebody may have been first: look at its history.", to.name()))
    })
}

#[derive(sqlx::FromRow)]
struct Current {
    account_id: AccountId,
    integration_type: IntegrationType,
    version: i64,
    is_closed: bool,
}

pub(super) const CLOSED: &str = "The line is closed. Reopen it first.";

/// What setting the line's type to `to` would do; changes nothing.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when the line has this type already.
pub async fn preview(
    db: &Db,
    permit: &Permit<may::SetIntegrationType>,
    line: LineId,
    to: IntegrationType,
) -> Result<TypeChangePreview, Problem> {
    let scope = permit.scope();
    let current: Option<Current> = db
        .opt(
            "select l.account_id, l.integration_type, l.version, l.closed_at is not null as is_closed from line l
             where l.id = $1
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let current = current.ok_or_else(no_such_line)?;
    let edge = edge(current.integration_type, to)?;
    let sync = crate::sync::counts_of_line(db, line).await?;
    let conversations = crate::messaging::conversations_of_line(db, line).await?;
    let connected = !crate::ringcentral::connected(db, [current.account_id]).await?.is_empty();
    let unsent = if edge.needs_connection { crate::messaging::outbound::unsent_of_line(db, line).await? } else { 0 };
    let obstacle = if current.is_closed {
        Some(CLOSED.to_owned())
    } else if edge.needs_connection && !connected {
        Some("The account has no connection to RingCentral. Until it has one, this type cannot be set.".to_owned())
    } else {
        lacking(db, current.account_id, to).await?
    };
    Ok(TypeChangePreview {
        from: current.integration_type,
        to,
        version: current.version,
        conversations,
        held: sync.held,
        queued: sync.queued,
        restorable: if edge.needs_connection { sync.skipped } else { 0 },
        unsent,
        obstacle,
    })
}

/// What becomes of each, in sentences, when these lines change together.
pub fn effects(previews: &[&TypeChangePreview]) -> Vec<String> {
    let edges: Vec<&Edge> = EDGES.iter().filter(|edge| previews.iter().any(|of| (of.from, of.to) == (edge.from, edge.to))).collect();
    let sum = |of: fn(&TypeChangePreview) -> i64| previews.iter().map(|preview| of(preview)).sum::<i64>();
    let (conversations, queued, restorable, unsent) =
        (sum(|of| of.conversations), sum(|of| of.queued), sum(|of| of.restorable), sum(|of| of.unsent));
    let leaves_ringcentral = edges.iter().any(|edge| edge.leaves_ringcentral);
    let mut effects: Vec<String> = edges.iter().take(1).map(|edge| of_inbound(edge.to).to_owned()).collect();
    if conversations > 0 {
        effects.push(format!("Conversations stay, with all their messages: {conversations}."));
    }
    if leaves_ringcentral {
        effects.push(of_held(sum(|of| of.held)));
    }
    if leaves_ringcentral || queued > 0 {
        effects.push(of_queued(queued));
    }
    if restorable > 0 {
        effects.push(format!("Skipped messages stay skipped, and each can be restored: {restorable}."));
    }
    if unsent > 0 {
        effects.push(format!("Messages on their way, recorded before this change, are sent and not shown in RingCentral: {unsent}."));
    }
    for chat in edges.iter().map(|edge| edge.chat) {
        if !effects.iter().any(|said| said == chat) {
            effects.push(chat.to_owned());
        }
    }
    effects
}

/// What becomes of the next incoming message of a line that is set to this.
pub(crate) fn of_inbound(to: IntegrationType) -> &'static str {
    match to {
        None => TO_NONE,
        Inbox => TO_INBOX,
        Ringcentral => TO_RINGCENTRAL,
    }
}

/// What becomes of so many held messages of lines that leave RingCentral.
pub(crate) fn of_held(held: i64) -> String {
    match held {
        0 => "Nothing is held.".to_owned(),
        n => format!("Held messages become skipped: {n}. They can be restored one by one if the line comes back to RingCentral."),
    }
}

/// What becomes of so many queued ones.
pub(crate) fn of_queued(queued: i64) -> String {
    match queued {
        0 => "Nothing is on its way into RingCentral.".to_owned(),
        n => format!("Queued messages are still delivered: {n}."),
    }
}

/// Sets the line's type, as previewed on `version`.
///
/// # Errors
/// `Conflict` when the line has changed since, is closed, or has this type already; `Invalid` when RingCentral lacks a connection, or the
/// account the product;
/// `NotFound` outside the permit's scope.
pub async fn set(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SetIntegrationType>,
    line: LineId,
    to: IntegrationType,
    version: i64,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = set_one(tx, now, permit, line, to, version).await?;
        Ok(undo::leave(tx, now, permit, &format!("The line was set to {}.", to.name()), vec![step]).await?)
    })
    .await
}

/// Sets the type of one line in the caller's transaction, as it was at its version; says what takes it back.
///
/// # Errors
/// As [`set`].
pub(crate) async fn set_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::SetIntegrationType>,
    line: LineId,
    to: IntegrationType,
    version: i64,
) -> Result<Step, Problem> {
    let (scope, at) = (permit.scope(), now.at());
    let owner: Option<(AccountId,)> = tx.opt("select account_id from line where id = $1", [line]).await?;
    let (owner,) = owner.ok_or_else(no_such_line)?;
    // Should the line change hands meanwhile, its version does too.
    let of = standing(tx, scope, owner).await.map_err(|problem| match problem {
        Problem::NotFound { .. } => no_such_line(),
        other => other,
    })?;
    // The write comes before the line is read: it takes the row's lock, so that no message is routed by the old type behind our back.
    let moved: Option<(AccountId,)> = tx
        .opt(
            "update line set version = version + 1
             where id = $1 and version = $2
               and ($3 or account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             returning account_id",
            (line, version, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let Some((account_id,)) = moved else { return Err(why_not(tx, permit, line).await?) };
    let (from, transferring, closed): (IntegrationType, bool, bool) =
        tx.one("select integration_type, transfer_id is not null, closed_at is not null from line where id = $1", [line]).await?;
    if closed {
        return Err(Problem::conflict(CLOSED));
    }
    if transferring {
        return Err(Problem::conflict("The line is being transferred. Set its type when that is done: its runs say how far it is."));
    }
    let edge = edge(from, to)?;
    of.allows(to)?;
    if edge.needs_connection && !crate::ringcentral::is_connected(tx, account_id).await? {
        return Err(Problem::invalid("integration_type", "The account has no connection to RingCentral."));
    }
    tx.run("update line set integration_type = $2 where id = $1", (line, to)).await?;
    let skipped = if edge.leaves_ringcentral { crate::sync::skip_held_of_line(tx, at, line, to).await? } else { 0 };
    tx.tell(Change::Line { account_id, line_id: line });
    let entry = Entry { action: "line.integration_type", account_id: Some(account_id), line_id: Some(line), ..Entry::default() };
    let before = serde_json::json!({ "integration_type": from });
    let after = serde_json::json!({ "integration_type": to, "held_now_skipped": skipped });
    record(tx, now, permit.actor(), entry.change(before, after)).await?;
    Ok(Step::SetType { id: line, version: version + 1, to: from, since: at })
}

/// Takes a change of type back in the caller's transaction: what it skipped is held again.
///
/// # Errors
/// As [`set`]; `Conflict` when messages came or went since.
pub(crate) async fn set_back(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::SetIntegrationType>,
    line: LineId,
    version: i64,
    to: IntegrationType,
    since: Timestamp,
) -> Result<(), Problem> {
    set_one(tx, now, permit, line, to, version).await?;
    is_quiet_since(tx, line, since).await?;
    // Only leaving RingCentral skips anything.
    crate::sync::hold_again(tx, now.at(), line, since).await?;
    Ok(())
}

/// Refuses to take back what messages have followed already. The line's lock is held: none comes meanwhile.
pub(super) async fn is_quiet_since(tx: &mut Tx, line: LineId, since: Timestamp) -> Result<(), Problem> {
    if !crate::messaging::came_or_went_since(tx, line, since).await? {
        return Ok(());
    }
    let (label,): (String,) = tx.one("select label from line where id = $1", [line]).await?;
    Err(Problem::conflict(format!(
        "Messages of {label} came or went since, by the type that it has now. Set its type by hand: the page says what that does."
    )))
}

/// Sets the type of several lines in the caller's transaction, each as it was at its version: all or none; says what takes it back.
///
/// # Errors
/// As [`set`], with the line named by its label.
pub(crate) async fn set_all(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::SetIntegrationType>,
    lines: &[(LineId, i64)],
    to: IntegrationType,
) -> Result<Vec<Step>, Problem> {
    let mut steps = Vec::with_capacity(lines.len());
    for (line, version) in lines {
        let set = set_one(tx, now, permit, *line, to, *version).await;
        if let Err(problem) = set {
            let named: Option<(String,)> = tx.opt("select label from line where id = $1", [*line]).await?;
            return Err(match (problem, named) {
                (Problem::Conflict { text }, Some((label,))) => Problem::conflict(format!("{label}: {text}")),
                (Problem::Invalid { text, .. }, Some((label,))) => Problem::conflict(format!("{label}: {text}")),
                (other, _) => other,
            });
        }
        steps.extend(set);
    }
    Ok(steps)
}

/// Sets the type of several lines, each as previewed at its version: all or none. More than `alone` wait for a second person, while there
/// is one.
///
/// # Errors
/// As [`set`]; `Invalid` for no line, for more than [`MOST_AT_ONCE`], or without a note where a second person is needed.
pub async fn set_many(
    db: &Db,
    now: &Now,
    member: &Member,
    lines: &[(LineId, i64)],
    to: IntegrationType,
    alone: usize,
    note: &str,
) -> Result<Outcome, Problem> {
    let permit = member.permit::<may::SetIntegrationType>()?;
    if lines.is_empty() || lines.len() > MOST_AT_ONCE {
        return Err(Problem::invalid("lines", format!("Choose between 1 and {MOST_AT_ONCE} lines.")));
    }
    let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    db.work(async |tx| {
        if lines.len() <= alone || !approvals::is_needed(tx, now, permit.actor()).await? {
            let steps = set_all(tx, now, &permit, lines, to).await?;
            let what = format!("{} set to {}.", counted(count, "line was", "lines were"), to.name());
            undo::leave(tx, now, &permit, &what, steps).await?;
            return Ok(Outcome::Done);
        }
        let (account, names) = whose(tx, &permit, lines).await?;
        let of = BulkAct::SetTypes.counted(count);
        let summary = format!("Set the integration type of {of} to {}: {}", to.name(), roles::some_of(names));
        let wish = Wish::SetTypes { lines: lines.to_vec(), to };
        Ok(Outcome::Waits(approvals::ask(tx, now, permit.actor(), account, summary, &wish, note).await?))
    })
    .await
}

/// The account that all the lines belong to, if it is one; and each line with its account's name, for who agrees.
///
/// # Errors
/// `NotFound` when one is outside the permit's scope.
async fn whose(
    tx: &mut Tx,
    permit: &Permit<may::SetIntegrationType>,
    lines: &[(LineId, i64)],
) -> Result<(Option<AccountId>, Vec<String>), Problem> {
    let scope = permit.scope();
    let (mut accounts, mut names): (Vec<AccountId>, Vec<String>) = (Vec::new(), Vec::new());
    for (line, _) in lines {
        let found: Option<(AccountId, String, String)> = tx
            .opt(
                "select a.id, a.name, l.label from line l join account a on a.id = l.account_id
                 where l.id = $1
                   and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
                (*line, scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        let (account, of, label) = found.ok_or_else(no_such_line)?;
        names.push(format!("{label} of {of}"));
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    Ok((if let [account] = accounts[..] { Some(account) } else { Option::None }, names))
}

/// Why no row was changed: gone or out of scope, or somebody was first.
async fn why_not(tx: &mut Tx, permit: &Permit<may::SetIntegrationType>, line: LineId) -> Result<Problem> {
    let scope = permit.scope();
    let seen: Option<(IntegrationType,)> = tx
        .opt(
            "select l.integration_type from line l
             where l.id = $1
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(match seen {
        Option::None => no_such_line(),
        Some((now,)) => Problem::conflict(format!(
            "Somebody changed this line while you were looking at it. Its type is now {}. Nothing of yours was changed: look again, then decide.",
            now.name()
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_type_is_in_the_table_once() {
        for &from in IntegrationType::ALL {
            for &to in IntegrationType::ALL {
                let found = EDGES.iter().filter(|e| e.from == from && e.to == to).count();
                assert_eq!(found, usize::from(from != to), "{from:?} → {to:?}");
            }
        }
    }

    #[test]
    fn only_changes_to_ringcentral_need_a_connection_and_only_changes_from_it_skip() {
        for e in &EDGES {
            assert_eq!(e.needs_connection, e.to == Ringcentral);
            assert_eq!(e.leaves_ringcentral, e.from == Ringcentral);
        }
    }
}
