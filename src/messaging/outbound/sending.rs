//! Sending what is due, at the carrier's pace: claimed, called, and written down how each call ended.
//!
//! The rule: a claim runs out by itself, and the same message is sent again under the same reference.

use super::super::carrier::{self, Carrier, Sent, Sms, Standing};
use super::super::consent::Keyword;
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx, json};
use crate::figures::{self, Counter};
use crate::sync::{self, NotReached};
use crate::types::{AccountId, BlastId, Change, ConversationId, LineId, MessageId, Origin, PhoneNumber, Timestamp};
use crate::work::{Batcher, backoff, wait_for};
use futures_util::stream::{self, StreamExt};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A claimed message is tried again by another worker after this time.
const CLAIM: Duration = Duration::from_secs(60);
/// The carrier's answer is waited for this long.
const CALL: Duration = Duration::from_secs(20);
/// A message fails after so many tries, and not before it has waited for a day: so long a carrier may be down.
const TRIES: i64 = 12;
const WAITS: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// When nothing is due it is looked again after this time.
const IDLE: Duration = Duration::from_secs(1);
/// So many calls are under way at once, at most: some that hang leave room for others.
const CALLS: usize = 128;
/// At most every so often something is claimed, so that not every call that ends makes a transaction.
const BETWEEN_CLAIMS: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, sqlx::FromRow)]
struct Due {
    line_id: LineId,
    id: MessageId,
    account_id: AccountId,
    conversation_id: Option<ConversationId>,
    number: PhoneNumber,
    origin: Origin,
    body: String,
    blast_id: Option<BlastId>,
    attempts: i64,
    created_at: Timestamp,
    line_number: PhoneNumber,
    opted_out: bool,
}

impl Due {
    /// Whether it is kept back, since the contact has opted out. That they have, and who writes here, they are told all the same; not that
    /// they are subscribed again, when that had to wait and is over.
    fn is_kept_back(&self) -> bool {
        let told_all_the_same = [Keyword::Stop, Keyword::Help].map(Keyword::answer);
        self.opted_out && !(self.origin == Origin::Confirmation && told_all_the_same.contains(&self.body.as_str()))
    }
}

/// Claims what is due by moving its time on: a worker that dies leaves it to be tried again. What agents, staff and programs say to a
/// contact waits for what was said to them before.
const CLAIM_TALK: Sql = Sql {
    sqlite: "update message as m set due_at = $2, attempts = m.attempts + 1
             from (select n.line_id, n.id from message n
                   where n.due_at <= $1 and n.blast_id is null
                     and (n.origin not in ('agent', 'api', 'staff') or not exists (
                       select 1 from message e
                       where e.line_id = n.line_id and e.number = n.number and e.due_at is not null and e.blast_id is null
                         and e.origin in ('agent', 'api', 'staff') and e.id < n.id))
                   order by n.due_at, n.line_id, n.id limit $3) d
             where m.line_id = d.line_id and m.id = d.id
             returning line_id, id",
    postgres: "update message as m set due_at = $2, attempts = m.attempts + 1
               from (select n.line_id, n.id from message n
                     where n.due_at <= $1 and n.blast_id is null
                       and (n.origin not in ('agent', 'api', 'staff') or not exists (
                         select 1 from message e
                         where e.line_id = n.line_id and e.number = n.number and e.due_at is not null and e.blast_id is null
                           and e.origin in ('agent', 'api', 'staff') and e.id < n.id))
                     order by n.due_at, n.line_id, n.id limit $3 for update skip locked) d
               where m.line_id = d.line_id and m.id = d.id
               returning m.line_id, m.id",
};

/// The same for blasts, which take what room is left.
const CLAIM_BLAST: Sql = Sql {
    sqlite: "update message as m set due_at = $2, attempts = m.attempts + 1
             from (select line_id, id from message
                   where due_at <= $1 and blast_id is not null order by due_at, line_id, id limit $3) d
             where m.line_id = d.line_id and m.id = d.id
             returning line_id, id",
    postgres: "update message as m set due_at = $2, attempts = m.attempts + 1
               from (select line_id, id from message
                     where due_at <= $1 and blast_id is not null order by due_at, line_id, id limit $3 for update skip locked) d
               where m.line_id = d.line_id and m.id = d.id
               returning m.line_id, m.id",
};

/// What was claimed, and when nothing may be: until when.
#[derive(Debug, Default)]
struct Claimed {
    due: Vec<Due>,
    closed_until: Option<Timestamp>,
}

/// Claims at most `most`; nothing while the carrier is parked, nor more than so many a second of all processes together.
async fn claim(tx: &mut Tx, at: Timestamp, url: &str, most: i64, per_second: Option<u32>) -> Result<Claimed> {
    let standing = Standing::lock(tx, url).await?;
    if let Some(until) = standing.closed_until(at, per_second.is_some()) {
        return Ok(Claimed { closed_until: Some(until), ..Claimed::default() });
    }
    let mut claimed: Vec<(LineId, MessageId)> = tx.all(CLAIM_TALK, (at, at.plus(CLAIM), most)).await?;
    let left = most - i64::try_from(claimed.len()).unwrap_or(most);
    if left > 0 {
        claimed.extend(tx.all::<(LineId, MessageId)>(CLAIM_BLAST, (at, at.plus(CLAIM), left)).await?);
    }
    if claimed.is_empty() {
        return Ok(Claimed::default());
    }
    if let Some(per_second) = per_second {
        standing.pace(tx, at, url, claimed.len(), per_second).await?;
    }
    let due = tx
        .all(
            "select m.line_id, m.id, l.account_id, m.conversation_id, m.number, m.origin, m.body, m.blast_id, m.attempts, m.created_at,
               l.number as line_number, coalesce(c.state = 'opted_out', false) as opted_out
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
             join line l on l.id = m.line_id
             left join consent c on c.line_id = m.line_id and c.number = m.number
             order by m.id",
            [json(&claimed)],
        )
        .await?;
    Ok(Claimed { due, closed_until: None })
}

/// How sending a message ended, as it is written down.
#[derive(Debug, Clone)]
struct Attempt {
    due: Due,
    sent: Option<Sent>,
}

impl Attempt {
    /// Why the message did not come to the contact, when it ends with this.
    fn not_reached(&self) -> NotReached {
        match self.sent {
            None if self.due.attempts > 1 => NotReached::OptedOutSince,
            None => NotReached::OptedOut,
            Some(Sent::Refused(_)) => NotReached::Refused,
            Some(_) => NotReached::Unanswered,
        }
    }
}

/// Which of these messages still wait to be sent; they do until the transaction ends.
const STILL_QUEUED: Sql = Sql {
    sqlite: "select m.line_id, m.id
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
             where m.state = 'queued'",
    postgres: "select m.line_id, m.id
               from json_each($1) j
               join message m on m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
               where m.state = 'queued'
               order by m.line_id, m.id
               for update of m",
};

/// Writes results set-wise.
async fn record(db: &Db, now: &Now, carrier: &Carrier, results: Vec<Attempt>) -> Result<Vec<Result<(), String>>> {
    let count = results.len();
    db.work(async |tx| {
        let at = now.at();
        let calls: Vec<&Sent> = results.iter().filter_map(|attempt| attempt.sent.as_ref()).collect();
        let parked_until = carrier::ended(tx, now, carrier.url(), &calls).await?;
        let mut rows = Vec::with_capacity(count);
        let mut releasable = Vec::new();
        let mut dropped = Vec::new();
        for Attempt { due, sent } in &results {
            let key = (due.line_id, due.id);
            let (state, carrier_id, accepted, error, next): (_, Option<&str>, Option<Timestamp>, Option<&str>, Option<Timestamp>) =
                match sent {
                    None if due.attempts > 1 => {
                        ("opted_out", None, None, Some("the contact has opted out; an earlier try may have reached them"), None)
                    }
                    None => ("opted_out", None, None, Some("the contact has opted out"), None),
                    Some(Sent::Accepted(id)) => ("accepted", Some(id), Some(at), None, None),
                    Some(Sent::Refused(why)) => ("failed", None, None, Some(why), None),
                    Some(Sent::Later(why)) if due.attempts >= TRIES && at.since(due.created_at) >= WAITS => {
                        ("failed", None, None, Some(why), None)
                    }
                    Some(Sent::Later(why)) => {
                        ("queued", None, None, Some(why), Some(at.plus(backoff(due.attempts, LONGEST_PAUSE, &now.rng))))
                    }
                    Some(Sent::Parked { why, .. }) => ("queued", None, None, Some(why), Some(parked_until.unwrap_or(at))),
                };
            // What the carrier did not look at was no try.
            let is_parked = matches!(sent, Some(Sent::Parked { .. }));
            metrics::counter!("switchyard_sms_total", "result" => if is_parked { "parked" } else { state }).increment(1);
            rows.push((key.0, key.1, state, carrier_id, accepted, error, next, i64::from(is_parked)));
            match state {
                "accepted" => releasable.push(key),
                "queued" => {}
                _ => dropped.push(key),
            }
            if let Some(conversation_id) = due.conversation_id {
                tx.tell(if due.blast_id.is_some() {
                    Change::Conversations { account_id: due.account_id, line_id: due.line_id }
                } else {
                    Change::Conversation { account_id: due.account_id, line_id: due.line_id, conversation_id }
                });
            }
        }
        // A delivery status may have been first: such a message was sent, and neither its post nor its agent is told otherwise.
        let dropped: Vec<(LineId, MessageId)> = if dropped.is_empty() { dropped } else { tx.all(STILL_QUEUED, [json(&dropped)]).await? };
        let replies: Vec<_> = results
            .iter()
            .filter(|attempt| attempt.due.origin == Origin::Agent && dropped.contains(&(attempt.due.line_id, attempt.due.id)))
            .map(|attempt| (attempt.due.line_id, attempt.due.id, attempt.not_reached()))
            .collect();
        tx.run(
            "update message as m
             set state = case when m.state = 'queued' then j.value->>2 else m.state end,
                 carrier_id = coalesce(j.value->>3, m.carrier_id), accepted_at = coalesce(m.accepted_at, cast(j.value->>4 as bigint)),
                 -- A delivery status may have been first; then it knows better.
                 error = case when m.state = 'queued' then j.value->>5 else m.error end,
                 due_at = case when m.state = 'queued' then cast(j.value->>6 as bigint) end,
                 attempts = m.attempts - case when m.state = 'queued' then cast(j.value->>7 as bigint) else 0 end
             from json_each($1) j
             where m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')",
            [json(&rows)],
        )
        .await?;
        // It takes the lanes' locks, which come before those of their messages.
        sync::not_sent(tx, now, &dropped).await?;
        sync::releasable(tx, at, &releasable).await?;
        sync::reply_did_not_arrive(tx, now, &replies).await?;
        let taken = results.iter().filter(|attempt| matches!(attempt.sent, Some(Sent::Accepted(_))));
        figures::count(tx, at, taken.map(|attempt| (attempt.due.account_id, Counter::Outbound))).await?;
        Ok(vec![Ok(()); count])
    })
    .await
}

type Recorder = Batcher<Attempt, Result<(), String>>;

fn recorder(db: &Db, now: &Now, carrier: &Carrier) -> Recorder {
    let (db, now, carrier) = (db.clone(), now.clone(), carrier.clone());
    Batcher::start(
        200,
        move |results| {
            let (db, now, carrier) = (db.clone(), now.clone(), carrier.clone());
            async move { record(&db, &now, &carrier, results).await }
        },
        |error: crate::db::Error| Err(error.to_string()),
    )
}

/// Sends what is due now, at most `most`, waits until all of it has ended, and says how many messages it took. For tests, which move the
/// clock themselves.
///
/// # Errors
/// What the database says.
pub async fn step(db: &Db, now: &Now, carrier: &Carrier, most: u32) -> Result<usize> {
    let recorder = recorder(db, now, carrier);
    let Claimed { due, .. } = claim_due(db, now, carrier, most as usize, None).await?;
    let count = due.len();
    stream::iter(due).for_each_concurrent(32, |due| send_one(carrier.clone(), recorder.clone(), due)).await;
    Ok(count)
}

/// Claims what is due now, at most `most`, and at this pace if one is set.
async fn claim_due(db: &Db, now: &Now, carrier: &Carrier, most: usize, per_second: Option<u32>) -> Result<Claimed> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    db.work(async |tx| claim(tx, now.at(), carrier.url(), most, per_second).await).await
}

/// Sends one message, and has it written down how that ended.
async fn send_one(carrier: Carrier, recorder: Recorder, due: Due) {
    let sms =
        Sms { line_id: due.line_id, message_id: due.id, from: due.line_number.clone(), to: due.number.clone(), text: due.body.clone() };
    let sent = if due.is_kept_back() { None } else { Some(carrier.send(&sms, CALL).await) };
    match recorder.submit(Attempt { due, sent }).await {
        Ok(Ok(())) => {}
        // Not recorded: it is claimed until the claim runs out, then sent again under the same reference.
        Ok(Err(error)) => tracing::error!(%error, "a sent message could not be recorded; it will be tried again"),
        Err(stopped) => tracing::warn!(%stopped, "a sent message is not recorded yet; it will be tried again"),
    }
}

/// Sends what is due until told to stop; then finishes the calls under way. `per_second` paces all of it, of all processes together: so
/// many are claimed, and only while there is room for their calls, so that one that hangs holds up nobody and a claim does not run out
/// before its call begins.
pub async fn run(db: Db, now: Now, carrier: Carrier, per_second: u32, stop: CancellationToken) {
    let db = db.in_background();
    let mut bell = db.changes();
    let recorder = recorder(&db, &now, &carrier);
    let per_second = per_second.max(1);
    // A tenth of a second's worth at a time keeps the pace even.
    let share = (per_second / 10).max(1) as usize;
    let mut under_way = JoinSet::new();
    while !stop.is_cancelled() {
        let room = CALLS.saturating_sub(under_way.len());
        if room == 0 {
            tokio::select! { _ = under_way.join_next() => {}, () = stop.cancelled() => {} }
            while under_way.try_join_next().is_some() {}
            continue;
        }
        let began = tokio::time::Instant::now();
        let claimed = claim_due(&db, &now, &carrier, share.min(room), Some(per_second)).await;
        let Claimed { due, closed_until } = claimed.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            Claimed::default()
        });
        let count = due.len();
        for due in due {
            under_way.spawn(send_one(carrier.clone(), recorder.clone(), due));
        }
        if count == 0 {
            let idle = closed_until.map_or(IDLE, |until| until.since(now.at()).min(IDLE));
            // What is said next to a contact is due when a call has ended.
            tokio::select! {
                () = wait_for(&mut bell, Change::OutboxDue, idle) => {}
                Some(_) = under_way.join_next() => {}
                () = stop.cancelled() => {}
            }
        }
        while under_way.try_join_next().is_some() {}
        let pace = Duration::from_secs_f64(count as f64 / f64::from(per_second)).max(BETWEEN_CLAIMS);
        tokio::time::sleep_until(began + pace).await;
    }
    while under_way.join_next().await.is_some() {}
}
