//! A short word of ours to the agent, in the chat: why nothing was sent, or did not come to the contact.
//!
//! The rule: it is written down with what it is about, and posted once; after a lost answer its reference is looked up first.

use super::engine::new_reference;
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::ringcentral::{self, Call, Client, Leave, Outcome, Refusal};
use crate::types::{AccountId, Change, ConnectionId, LineId, Timestamp};
use crate::work::backoff;
use std::time::Duration;
use uuid::Uuid;

const CALL: Duration = Duration::from_secs(15);
/// A notice that another worker has taken is left alone for so long: its call, and until an accepted post would be listed.
const TAKEN: Duration = Duration::from_secs(40);
/// After so many tries a notice is given up: by then the agent has seen it elsewhere.
const TRIES: i64 = 8;
const AT_ONCE: i64 = 8;

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

#[derive(Debug, sqlx::FromRow)]
struct Due {
    line_id: LineId,
    id: Uuid,
    connection_id: ConnectionId,
    chat_id: String,
    reference: String,
    body: String,
    asked_at: Option<Timestamp>,
    attempts: i64,
}

/// Posts the notices that are due, and says how many there were.
pub(super) async fn step(db: &Db, now: &Now, client: &Client) -> Result<usize> {
    let at = now.at();
    let due: Vec<Due> = db
        .work(async |tx| {
            tx.all(
                "update notice set due_at = $2, attempts = attempts + 1
                 where (line_id, id) in (select line_id, id from notice where due_at <= $1 order by due_at limit $3) and due_at <= $1
                 returning line_id, id, connection_id, chat_id, reference, body, asked_at, attempts",
                (at, at.plus(TAKEN), AT_ONCE),
            )
            .await
        })
        .await?;
    for notice in &due {
        let next = post(db, now, client, notice).await?;
        let next = next.filter(|_| notice.attempts < TRIES);
        db.work(async |tx| tx.run("update notice set due_at = $3 where line_id = $1 and id = $2", (notice.line_id, notice.id, next)).await)
            .await?;
    }
    Ok(due.len())
}

/// One try; says when to try again, `None` when it is done.
async fn post(db: &Db, now: &Now, client: &Client, notice: &Due) -> Result<Option<Timestamp>> {
    let Some(connection) = ringcentral::find(db, Some(notice.connection_id), AccountId(Uuid::nil())).await? else { return Ok(None) };
    let later = now.at().plus(backoff(notice.attempts, Duration::from_secs(300), &now.rng));
    if let Leave::Wait { until } = ringcentral::ask_leave(db, now, &connection, Call::History).await? {
        return Ok(Some(until));
    }
    if let Some(asked_at) = notice.asked_at {
        let since = asked_at.minus(Duration::from_secs(300));
        match client.find_posts(&connection, &notice.chat_id, &notice.reference, since, CALL).await {
            Outcome::Accepted(posts) if posts.is_empty() => {}
            Outcome::Accepted(_) | Outcome::Refused(Refusal::ChatGone) => return Ok(None),
            Outcome::Parked { until, .. } => return Ok(Some(until)),
            Outcome::Unreachable(_) | Outcome::Unknown(_) | Outcome::Refused(_) => return Ok(Some(later)),
        }
    }
    db.work(async |tx| {
        tx.run("update notice set asked_at = coalesce(asked_at, $3) where line_id = $1 and id = $2", (notice.line_id, notice.id, now.at()))
            .await
    })
    .await?;
    let text = format!("*{}*\n*ref {}*", notice.body, notice.reference);
    Ok(match client.create_post(&connection, &notice.chat_id, &text, CALL).await {
        Outcome::Accepted(_) | Outcome::Refused(Refusal::Content(_) | Refusal::ChatGone) => None,
        Outcome::Parked { until, .. } => Some(until),
        Outcome::Unreachable(_) | Outcome::Refused(Refusal::SignIn(_) | Refusal::Forbidden(_)) => Some(later),
        // Accepted or not: an accepted one is listed by then.
        Outcome::Unknown(_) => Some(now.at().plus(TAKEN)),
    })
}
