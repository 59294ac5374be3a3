//! A short word of ours to the agent, in the chat: why nothing was sent, or did not come to the contact.
//!
//! The rule: it is written down with what it is about, and posted once; after a lost answer its reference is looked up first. It waits for
//! leave, and for its connection, as long as it takes; what counts as a try is a call.

use super::engine::new_reference;
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::ringcentral::{self, Call, Client, Group, Leave, Outcome, Refusal, events};
use crate::types::{AccountId, Change, ConnectionId, LineId, Timestamp};
use crate::work::backoff;
use std::time::Duration;
use uuid::Uuid;

const CALL: Duration = Duration::from_secs(15);
/// A look-up takes no longer, however many pages it reads.
const LOOK: Duration = Duration::from_secs(30);
/// A call is over so long after its notice was taken.
const CALLED: Duration = Duration::from_secs(60);
/// A notice that a worker has taken is left alone for so long: for all its calls, and until an accepted post would be listed.
const TAKEN: Duration = Duration::from_secs(120);
/// After a call without an answer it is left alone for so long: the call's own time, and until an accepted post would be listed.
const SETTLED: Duration = Duration::from_secs(40);
/// A refused sign-in is not repeated for half a minute, by any worker.
const SIGN_IN: Duration = Duration::from_secs(40);
/// After so many tries a notice is given up: by then the agent has seen it elsewhere.
const TRIES: i64 = 8;
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Writes a notice down; it is posted soon.
pub(super) async fn write(tx: &mut Tx, now: &Now, line: LineId, connection: ConnectionId, chat: &str, word: &str) -> Result<()> {
    tx.run(
        "insert into notice (line_id, id, connection_id, chat_id, reference, body, due_at, attempts)
         values ($1, $2, $3, $4, $5, $6, $7, 0)",
        (line, now.id(), connection, chat.to_owned(), new_reference(now), word.to_owned(), now.at()),
    )
    .await?;
    tx.tell(Change::EventDue);
    Ok(())
}

/// Connections with notices that are due.
pub(super) async fn due(db: &Db, at: Timestamp) -> Result<Vec<ConnectionId>> {
    let rows: Vec<(ConnectionId,)> = db.all("select distinct connection_id from notice where due_at <= $1", [at]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A notice that this worker has taken.
#[derive(Debug, sqlx::FromRow)]
struct Taken {
    line_id: LineId,
    id: Uuid,
    chat_id: String,
    reference: String,
    body: String,
    asked_at: Option<Timestamp>,
    attempts: i64,
    /// Its fence, too: who takes it later sets another time.
    due_at: Timestamp,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It stands there.
    Done,
    /// It never will.
    Never,
    /// Nothing can be called before then, for any of the connection's notices: no try.
    NoLeave(Timestamp),
    /// It was not taken, and nobody calls before then: no try.
    Waits(Timestamp),
    /// A call had no effect for certain.
    NoEffect,
    /// A call had no answer: it may stand there.
    Unknown,
    /// Another worker has it by now.
    Lost,
}

/// Posts the next notice of a connection that is due; whether there was one, and leave to call.
pub(super) async fn step(db: &Db, now: &Now, client: &Client, connection: ConnectionId) -> Result<bool> {
    let at = now.at();
    let taken: Option<Taken> = db
        .work(async |tx| {
            tx.opt(
                "update notice set due_at = $3
                 where (line_id, id) in (
                   select line_id, id from notice where connection_id = $1 and due_at <= $2 order by due_at, id limit 1)
                   and due_at <= $2
                 returning line_id, id, chat_id, reference, body, asked_at, attempts, due_at",
                (connection, at, at.plus(TAKEN)),
            )
            .await
        })
        .await?;
    let Some(taken) = taken else { return Ok(false) };
    let ended = post(db, now, client, connection, (at, &taken)).await?;
    let at = now.at();
    let tries = taken.attempts + i64::from(matches!(ended, Ended::NoEffect | Ended::Unknown));
    let pause = backoff(tries + 2, LONGEST, &now.rng);
    let (due, given_up) = match ended {
        Ended::Done => (None, None),
        Ended::Never => (None, Some(at)),
        Ended::NoLeave(until) => {
            wait(db, connection, &taken, (at, until)).await?;
            return Ok(false);
        }
        Ended::Waits(until) => (Some(until), None),
        Ended::NoEffect | Ended::Unknown if tries >= TRIES => (None, Some(at)),
        Ended::NoEffect => (Some(at.plus(pause)), None),
        Ended::Unknown => (Some(at.plus(pause.max(SETTLED))), None),
        Ended::Lost => return Ok(true),
    };
    if given_up.is_some() {
        tracing::warn!(line = %taken.line_id, chat = taken.chat_id, reference = taken.reference, "an agent could not be told in the chat");
    }
    // What certainly had no effect need not be looked up.
    let is_certain = matches!(ended, Ended::NoEffect | Ended::Waits(_)) && taken.asked_at.is_none();
    db.work(async |tx| {
        tx.run(
            "update notice
             set due_at = $4, attempts = $5, given_up_at = $6, asked_at = case when $7 then null else asked_at end
             where line_id = $1 and id = $2 and due_at = $3",
            (taken.line_id, taken.id, taken.due_at, due, tries, given_up, is_certain),
        )
        .await
    })
    .await?;
    Ok(true)
}

/// There is no leave to call before `until`: what is due of the connection waits for it, in its order.
async fn wait(db: &Db, connection: ConnectionId, taken: &Taken, (at, until): (Timestamp, Timestamp)) -> Result<()> {
    db.work(async |tx| {
        // Rows of many chats: one worker at a time.
        events::hold(tx, connection).await?;
        tx.run(
            "update notice set due_at = $5
             where (line_id = $1 and id = $2 and due_at = $3) or (connection_id = $4 and due_at <= $6)",
            (taken.line_id, taken.id, taken.due_at, connection, until, at),
        )
        .await
    })
    .await?;
    Ok(())
}

/// One try of a notice that was taken at a time.
async fn post(db: &Db, now: &Now, client: &Client, connection: ConnectionId, (at, notice): (Timestamp, &Taken)) -> Result<Ended> {
    let Some(connection) = ringcentral::find(db, Some(connection), AccountId(Uuid::nil())).await? else { return Ok(Ended::Never) };
    if let Some(asked_at) = notice.asked_at {
        if let Leave::Wait { until } = ringcentral::ask_leave(db, now, &connection, Call::Other(Group::Medium)).await? {
            return Ok(Ended::NoLeave(until));
        }
        let since = asked_at.minus(Duration::from_secs(300));
        let look = client.find_posts(&connection, &notice.chat_id, &notice.reference, since, Call::Other(Group::Medium), CALL);
        match tokio::time::timeout(LOOK, look).await {
            Ok(Outcome::Accepted(posts)) if posts.is_empty() => {}
            Ok(Outcome::Accepted(_)) => return Ok(Ended::Done),
            Ok(Outcome::Refused(Refusal::ChatGone)) => return Ok(Ended::Never),
            Ok(Outcome::Parked { until, .. }) => return Ok(Ended::Waits(until)),
            Ok(Outcome::Refused(Refusal::SignIn(_))) => return Ok(Ended::Waits(now.at().plus(SIGN_IN))),
            Ok(Outcome::Unreachable(_) | Outcome::Unknown(_) | Outcome::Refused(_)) | Err(_) => return Ok(Ended::NoEffect),
        }
    }
    if let Leave::Wait { until } = ringcentral::ask_leave(db, now, &connection, Call::History).await? {
        return Ok(Ended::NoLeave(until));
    }
    let is_ours = db
        .work(async |tx| {
            tx.run(
                "update notice set asked_at = coalesce(asked_at, $4) where line_id = $1 and id = $2 and due_at = $3",
                (notice.line_id, notice.id, notice.due_at, now.at()),
            )
            .await
        })
        .await?;
    // However long it took to come here: the call ends before the next one looks.
    let limit = at.plus(CALLED).since(now.at()).min(CALL);
    if is_ours == 0 || limit.is_zero() {
        return Ok(Ended::Lost);
    }
    let text = format!("*{}*\n*ref {}*", notice.body, notice.reference);
    Ok(match client.create_post(&connection, &notice.chat_id, &text, limit).await {
        Outcome::Accepted(_) => Ended::Done,
        Outcome::Refused(Refusal::Content(_) | Refusal::ChatGone) => Ended::Never,
        Outcome::Parked { until, .. } => Ended::Waits(until),
        Outcome::Refused(Refusal::SignIn(_)) => Ended::Waits(now.at().plus(SIGN_IN)),
        Outcome::Unreachable(_) | Outcome::Refused(Refusal::Forbidden(_)) => Ended::NoEffect,
        Outcome::Unknown(_) => Ended::Unknown,
    })
}
