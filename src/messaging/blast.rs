//! Blasts: one body to many recipients. Taking a blast stores its recipients; recording turns them into messages and held rows
//! in resumable batches; only a complete blast is sent. It costs no RingCentral call.

mod by_staff;
mod draft;
mod edit;
mod needs;
mod recipients;
mod rest;

pub use by_staff::{decide_as_staff, list, shown};
pub use draft::{Wanted, draft, drafted, forget_old_drafts, take_draft};
pub use edit::{Edit, edit};
pub use recipients::recipients;
pub use rest::cancel_rest;

pub(crate) use draft::forget_drafts;
pub(crate) use edit::set_back;
pub(crate) use needs::waiting;

use super::consent;
use super::inbound;
use super::outbound::{self, Outgoing};
use crate::clock::Now;
use crate::db::{Db, Error, Result, Tx, json};
use crate::directory::lines::no_such_line;
use crate::staff::{Actor, Entry, Permit, may, record};
use crate::sync;
use crate::types::{
    AccountId, BlastId, BlastRow, BlastState, Change, ConversationId, IntegrationType, LineId, MessageId, Origin, PhoneNumber, Problem,
    Timestamp,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Recipients that one transaction records; on SQLite it must leave room for other writers.
const BATCH: usize = 500;
/// Recipients a blast may have.
pub const MOST: usize = 500_000;

/// Takes a blast of an account's program. Recording begins at once, in the background.
///
/// # Errors
/// `NotFound` when the line is not the account's, `Invalid` for a bad body or no recipients, `Conflict` when the line is closed.
pub async fn take(
    tx: &mut Tx,
    now: &Now,
    actor: &Actor,
    account: AccountId,
    line: LineId,
    text: &str,
    recipients: &[PhoneNumber],
) -> Result<BlastId, Problem> {
    let text = outbound::body(text)?;
    if recipients.is_empty() {
        return Err(Problem::invalid("recipients", "Name at least one recipient."));
    }
    if recipients.len() > MOST {
        return Err(Problem::invalid("recipients", format!("Name at most {MOST} recipients; split a larger list.")));
    }
    outbound::sender(tx, account, line).await?;
    let mut distinct: Vec<&PhoneNumber> = recipients.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let id = BlastId(now.id());
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    tx.run(
        "insert into blast (line_id, id, account_id, body, state, created_by, created_at, recipients, recorded, opted_out, duplicates)
         values ($1, $2, $3, $4, 'recording', $5, $6, $7, 0, 0, $8)",
        (line, id, account, text, actor.name().to_owned(), now.at(), count(recipients.len()), count(recipients.len() - distinct.len())),
    )
    .await?;
    for (n, chunk) in distinct.chunks(BATCH).enumerate() {
        tx.run("insert into blast_chunk (line_id, blast_id, n, numbers) values ($1, $2, $3, $4)", (line, id, count(n), json(&chunk)))
            .await?;
    }
    let entry = Entry { action: "blast.take", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..Entry::default() };
    record(tx, now, actor, entry.change((), serde_json::json!({ "recipients": recipients.len() }))).await?;
    tx.tell(Change::OutboxDue);
    Ok(id)
}

/// The longest that a blast waits: a year.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Has a blast that this transaction has just taken start later. Nothing of it is recorded before, so that who opts out meanwhile is left
/// out.
///
/// # Errors
/// `Invalid` for a moment that is over, or too far away.
pub async fn schedule(tx: &mut Tx, now: &Now, line: LineId, id: BlastId, starts_at: Timestamp) -> Result<(), Problem> {
    check_start(now, starts_at)?;
    tx.run("update blast set state = 'scheduled', starts_at = $3 where line_id = $1 and id = $2", (line, id, starts_at)).await?;
    Ok(())
}

/// Checks when a blast is to start.
fn check_start(now: &Now, starts_at: Timestamp) -> Result<(), Problem> {
    let at = now.at();
    if starts_at <= at || starts_at > at.plus(LONGEST_WAIT) {
        return Err(Problem::invalid("starts_at", "Name a moment within the next year, or leave this out to send at once."));
    }
    Ok(())
}

/// Blasts whose time has come are recorded now; those of a line that is being transferred when it opens, and none of a closed line or
/// account. Says how many.
///
/// # Errors
/// What the database says.
pub async fn start_due(db: &Db, now: &Now) -> Result<u64> {
    let at = now.at();
    let due: Option<(BlastId,)> =
        db.opt("select id from blast where state = 'scheduled' and starts_at <= $1 order by starts_at, line_id, id limit 1", [at]).await?;
    if due.is_none() {
        return Ok(0);
    }
    db.work(async |tx| {
        tx.run(
            "update blast set state = 'recording'
             where state = 'scheduled' and starts_at <= $1
               and exists (select 1 from line l
                           join account a on a.id = l.account_id and a.closed_at is null
                           where l.id = line_id and l.transfer_id is null and l.closed_at is null)",
            [at],
        )
        .await
    })
    .await
}

/// What the owner of a line decides about a blast that has not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It starts at its time, or at once if that is over.
    Resume,
    /// It does not start before somebody decides.
    Pause,
    /// It does not start, and its recipients are forgotten.
    Cancel,
}

/// Decides about a blast that is paused or scheduled. Saying it twice is saying it once.
///
/// # Errors
/// `NotFound` when the line is not the account's, `Conflict` when it has started.
pub async fn decide(
    tx: &mut Tx,
    now: &Now,
    actor: &Actor,
    account: AccountId,
    blast: (LineId, BlastId),
    decision: Decision,
) -> Result<(), Problem> {
    decide_as_seen(tx, now, actor, account, blast, None, decision).await
}

/// The same, of a blast that was `seen` on this version; `None`: whatever it says by now.
async fn decide_as_seen(
    tx: &mut Tx,
    now: &Now,
    actor: &Actor,
    account: AccountId,
    (line, id): (LineId, BlastId),
    seen: Option<i64>,
    decision: Decision,
) -> Result<(), Problem> {
    let found: Option<(BlastState, i64)> = tx
        .opt(
            "update blast set state = state
             where line_id = $1 and id = $2 and exists (select 1 from line l where l.id = $1 and l.account_id = $3)
             returning state, version",
            (line, id, account),
        )
        .await?;
    let (state, version) = found.ok_or_else(|| Problem::not_found("This account has no such blast."))?;
    let (after, action) = match decision {
        Decision::Resume => (BlastState::Scheduled, "blast.resume"),
        Decision::Pause => (BlastState::Paused, "blast.pause"),
        Decision::Cancel => (BlastState::Cancelled, "blast.cancel"),
    };
    let is_decided = state == after;
    if !is_decided && !matches!(state, BlastState::Scheduled | BlastState::Paused) {
        return Err(Problem::conflict("This blast has started already, or was cancelled."));
    }
    // The same press again finds nothing but its own change since.
    let is_as_seen = seen.is_none_or(|seen| seen == version || is_decided && seen == version - 1);
    if !is_as_seen {
        return Err(Problem::conflict("Somebody has just changed this blast. Nothing was decided: look again, then decide."));
    }
    if is_decided {
        return Ok(());
    }
    tx.run("update blast set state = $3, version = version + 1 where line_id = $1 and id = $2", (line, id, after)).await?;
    if after == BlastState::Cancelled {
        tx.run("delete from blast_chunk where line_id = $1 and blast_id = $2", (line, id)).await?;
    }
    tx.tell(Change::OutboxDue);
    tx.tell(Change::Line { account_id: account, line_id: line });
    let entry = Entry { action, account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..Entry::default() };
    Ok(record(tx, now, actor, entry.change(serde_json::json!({ "state": state }), serde_json::json!({ "state": after }))).await?)
}

/// The scheduled blasts of an account that is closed wait for a decision. Says which.
///
/// # Errors
/// What the database says.
pub(crate) async fn pause_scheduled(tx: &mut Tx, account: AccountId) -> Result<Vec<BlastId>> {
    let paused: Vec<(BlastId,)> = tx
        .all(
            "update blast set state = 'paused'
             where state = 'scheduled' and line_id in (select id from line where account_id = $1)
             returning id",
            [account],
        )
        .await?;
    Ok(paused.into_iter().map(|(id,)| id).collect())
}

/// The same of a line that is closed.
///
/// # Errors
/// What the database says.
pub(crate) async fn pause_scheduled_of_line(tx: &mut Tx, line: LineId) -> Result<Vec<BlastId>> {
    let paused: Vec<(BlastId,)> =
        tx.all("update blast set state = 'paused' where line_id = $1 and state = 'scheduled' returning id", [line]).await?;
    Ok(paused.into_iter().map(|(id,)| id).collect())
}

/// The pause of these blasts of an account is taken back. Says how many were still paused.
///
/// # Errors
/// What the database says.
pub(crate) async fn schedule_again(tx: &mut Tx, account: AccountId, blasts: &[BlastId]) -> Result<u64> {
    let blasts: Vec<[BlastId; 1]> = blasts.iter().map(|id| [*id]).collect();
    let scheduled = tx
        .run(
            "update blast set state = 'scheduled'
             where state = 'paused' and line_id in (select id from line where account_id = $1)
               and id in (select unhex(j.value->>0, '-') from json_each($2) j)",
            (account, json(&blasts)),
        )
        .await?;
    if scheduled > 0 {
        tx.tell(Change::OutboxDue);
    }
    Ok(scheduled)
}

macro_rules! unsent_sql {
    ($which:literal) => {
        concat!(
            "select count(case when b.state = 'scheduled' then 1 end),
               count(case when b.state = 'recording'
                 or (b.state = 'sending'
                     and exists (select 1 from message m where m.line_id = b.line_id and m.blast_id = b.id and m.due_at > 0)) then 1 end)
             from line l
             join blast b on b.line_id = l.id and b.state in ('scheduled', 'recording', 'sending')
             where ",
            $which
        )
    };
}

/// How many blasts of an account start later, and how many are being sent; for a preview, so it may take its time.
///
/// # Errors
/// What the database says.
pub(crate) async fn unsent_of_account(db: &Db, account: AccountId) -> Result<(i64, i64)> {
    db.one(unsent_sql!("l.account_id = $1"), [account]).await
}

/// The same of a line.
///
/// # Errors
/// What the database says.
pub(crate) async fn unsent_of_line(db: &Db, line: LineId) -> Result<(i64, i64)> {
    db.one(unsent_sql!("l.id = $1"), [line]).await
}

/// Takes a blast of a staff member, within their scope.
///
/// # Errors
/// As [`take`].
pub async fn take_as_staff(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SendMessages>,
    line: LineId,
    text: &str,
    recipients: &[PhoneNumber],
) -> Result<BlastId, Problem> {
    db.work(async |tx| {
        let account = owner(tx, permit, line).await?;
        take(tx, now, permit.actor(), account, line, text, recipients).await
    })
    .await
}

/// Whose a line is, within the permit's scope.
async fn owner(tx: &mut Tx, permit: &Permit<may::SendMessages>, line: LineId) -> Result<AccountId, Problem> {
    let scope = permit.scope();
    let owner: Option<(AccountId,)> = tx
        .opt(
            "select account_id from line
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    owner.map(|(account,)| account).ok_or_else(no_such_line)
}

#[derive(sqlx::FromRow)]
struct Chunk {
    line_id: LineId,
    blast_id: BlastId,
    n: i64,
    numbers: String,
}

/// Why a chunk is left where it is.
enum Left {
    /// Its blast is not being recorded any more: the line changed hands behind the look for it.
    Stopped,
    /// What the database says.
    Database(Error),
}

impl From<Error> for Left {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// One step of the blast that was taken first, of a line that is not being transferred: records a chunk of it or, when all are recorded, makes a batch of its messages due.
/// Says whether there was one. The chunk goes in the same transaction, so that a crash repeats nothing and loses nothing.
///
/// # Errors
/// What the database says.
pub async fn record_next(db: &Db, now: &Now) -> Result<bool> {
    let recorded = db.work(async |tx| {
        if make_due(tx, now.at()).await? {
            return Ok(true);
        }
        let next: Option<Chunk> = tx
            .opt(
                "delete from blast_chunk
                 where (line_id, blast_id, n) in (
                   select c.line_id, c.blast_id, c.n
                   from blast b
                   join line l on l.id = b.line_id and l.transfer_id is null
                   join blast_chunk c on c.line_id = b.line_id and c.blast_id = b.id
                   where b.state = 'recording'
                   order by b.id, c.n
                   limit 1)
                 returning line_id, blast_id, n, numbers",
                (),
            )
            .await?;
        let Some(chunk) = next else { return Ok(false) };
        crate::work::faults::point("blast_chunk");
        let at = now.at();
        let route: inbound::Route = tx.one(outbound::ROUTE, [chunk.line_id]).await?;
        // Behind the line's lock: a flip that was waited for has paused it, and then the chunk stays.
        let body: Option<(String,)> = tx
            .opt(
                "update blast set state = state where line_id = $1 and id = $2 and state = 'recording' returning body",
                (chunk.line_id, chunk.blast_id),
            )
            .await?;
        let Some((body,)) = body else { return Err(Left::Stopped) };
        let numbers: Vec<PhoneNumber> = serde_json::from_str(&chunk.numbers).unwrap_or_default();
        let out = consent::opted_out(tx, chunk.line_id, &numbers).await?;
        let wanted: Vec<&PhoneNumber> = numbers.iter().filter(|n| !out.contains(*n)).collect();
        let conversations = if route.integration_type == IntegrationType::None {
            std::collections::HashMap::new()
        } else {
            let keys: Vec<_> = wanted.iter().map(|number| (chunk.line_id, route.account_id, *number)).collect();
            inbound::conversations(tx, now, at, &keys).await?
        };
        let messages: Vec<Outgoing> = wanted
            .iter()
            .map(|number| Outgoing {
                line_id: chunk.line_id,
                id: MessageId(now.id_at(at)),
                account_id: route.account_id,
                conversation_id: conversations.get(&(chunk.line_id, (*number).clone())).copied(),
                number: (*number).clone(),
                origin: Origin::Blast,
                body: body.clone(),
                answers: None,
                blast_id: Some(chunk.blast_id),
            })
            .collect();
        outbound::queue(tx, at, &messages).await?;
        if route.integration_type == IntegrationType::Ringcentral {
            let held: Vec<sync::Hold> = messages
                .iter()
                .filter_map(|m| {
                    let conversation_id: ConversationId = m.conversation_id?;
                    Some(sync::Hold { line_id: m.line_id, account_id: m.account_id, conversation_id, message_id: m.id })
                })
                .collect();
            sync::hold(tx, now, &held).await?;
        }
        tx.run(
            "update blast set recorded = recorded + $3, opted_out = opted_out + $4 where line_id = $1 and id = $2",
            (chunk.line_id, chunk.blast_id, i64::try_from(messages.len()).unwrap_or(0), i64::try_from(out.len()).unwrap_or(0)),
        )
        .await?;
        tracing::debug!(chunk = chunk.n, recorded = messages.len(), "blast chunk recorded");
        tx.tell(Change::Conversations { account_id: route.account_id, line_id: chunk.line_id });
        Ok(true)
    });
    match recorded.await {
        Ok(was_one) => Ok(was_one),
        // It is not found again; there may be another one.
        Err(Left::Stopped) => Ok(true),
        Err(Left::Database(error)) => Err(error),
    }
}

/// A blast whose recipients are all recorded is sent: its messages become due, a batch at a time in the order of their ids, so that
/// other writers get their turn.
async fn make_due(tx: &mut Tx, at: Timestamp) -> Result<bool> {
    // The update takes the row's lock: of two workers the second sees how far the first has come.
    let recorded: Option<(LineId, BlastId, Option<MessageId>)> = tx
        .opt(
            "update blast set state = state
             where state = 'recording' and (line_id, id) in (
               select b.line_id, b.id from blast b
               join line l on l.id = b.line_id and l.transfer_id is null
               where b.state = 'recording'
                 and not exists (select 1 from blast_chunk c where c.line_id = b.line_id and c.blast_id = b.id)
               order by b.id
               limit 1)
             returning line_id, id, due_up_to",
            (),
        )
        .await?;
    let Some((line, blast, up_to)) = recorded else { return Ok(false) };
    let due: Vec<(MessageId,)> = tx
        .all(
            "update message set due_at = case when state = 'queued' then cast($5 as bigint) end
             where line_id = $1 and id in (
               select id from message where line_id = $1 and blast_id = $2 and id > $3 order by id limit $4)
             returning id",
            (line, blast, up_to.unwrap_or(MessageId(uuid::Uuid::nil())), i64::try_from(BATCH).unwrap_or(i64::MAX), at),
        )
        .await?;
    let (count, last) = (due.len(), due.into_iter().map(|(id,)| id).max());
    let state = if count < BATCH { BlastState::Sending } else { BlastState::Recording };
    tx.run("update blast set due_up_to = coalesce($3, due_up_to), state = $4 where line_id = $1 and id = $2", (line, blast, last, state))
        .await?;
    tx.tell(Change::OutboxDue);
    Ok(true)
}

/// Records blasts until told to stop.
pub async fn run(db: Db, now: Now, stop: CancellationToken) {
    let db = db.in_background();
    let mut bell = db.changes();
    while !stop.is_cancelled() {
        if let Err(error) = start_due(&db, &now).await {
            tracing::error!(%error, "scheduled blasts could not be started");
        }
        match record_next(&db, &now).await {
            // Others write too: between two batches is their turn.
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => {
                let idle = crate::work::wait_for(&mut bell, Change::OutboxDue, Duration::from_secs(2));
                tokio::select! { () = idle => {}, () = stop.cancelled() => {} }
            }
            Err(error) => {
                tracing::error!(%error, "a blast could not be recorded");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: BlastId,
    line_id: LineId,
    body: String,
    state: BlastState,
    recipients: i64,
    recorded: i64,
    opted_out: i64,
    duplicates: i64,
    created_at: Timestamp,
    starts_at: Option<Timestamp>,
    unsent: bool,
}

const ROW: &str = "select b.id, b.line_id, b.body, b.state, b.recipients, b.recorded, b.opted_out, b.duplicates, b.created_at, b.starts_at,
       exists (select 1 from message m where m.line_id = b.line_id and m.blast_id = b.id and m.due_at > 0) as unsent
     from blast b
     join line l on l.id = b.line_id and l.account_id = $1
     where b.line_id = $2 and b.id = $3";

/// Reads a blast of an account's line.
///
/// # Errors
/// What the database says.
pub async fn get(db: &Db, account: AccountId, line: LineId, id: BlastId) -> Result<Option<BlastRow>> {
    Ok(db.opt::<Row>(ROW, (account, line, id)).await?.map(BlastRow::from))
}

/// Reads a blast that this transaction has just taken.
///
/// # Errors
/// What the database says.
pub async fn get_new(tx: &mut Tx, account: AccountId, line: LineId, id: BlastId) -> Result<BlastRow> {
    Ok(tx.one::<Row>(ROW, (account, line, id)).await?.into())
}

impl From<Row> for BlastRow {
    fn from(row: Row) -> Self {
        BlastRow {
            id: row.id,
            line_id: row.line_id,
            body: row.body,
            // Nobody counts down: it is sent when nothing of it is due any more.
            state: if row.state == BlastState::Sending && !row.unsent { BlastState::Sent } else { row.state },
            recipients: row.recipients,
            recorded: row.recorded,
            opted_out: row.opted_out,
            duplicates: row.duplicates,
            created_at: row.created_at,
            starts_at: row.starts_at,
        }
    }
}
