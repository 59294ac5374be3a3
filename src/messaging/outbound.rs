//! Outgoing messages: recorded with their held row in one transaction, sent by a paced worker, never sent twice: the carrier
//! knows the reference. Consent is checked at the moment of sending. On a RingCentral line the SMS is never delayed; only its
//! post is held. What was tried without a clear answer is not known to be unsent: the carrier's word on it counts, however late it comes.

use super::carrier::{Carrier, Sent, Sms, from_reference};
use super::inbound::json;
use super::{consent, inbound};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx};
use crate::figures::{self, Counter};
use crate::sync::{self, NotReached};
use crate::types::{
    AccountId, BlastId, Change, ConversationId, IntegrationType, LineId, MessageId, MessageState, Origin, PhoneNumber, Problem, Timestamp,
};
use crate::work::{Batcher, backoff, wait_for};
use futures_util::stream::{self, StreamExt};
use std::collections::HashSet;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The longest message: ten SMS parts of GSM text (153 characters each), rounded.
pub const LONGEST: usize = 1_600;
/// A claimed message is tried again by another worker after this time.
const CLAIM: Duration = Duration::from_secs(60);
/// The carrier's answer is waited for this long.
const CALL: Duration = Duration::from_secs(20);
/// After so many tries a message fails.
const TRIES: i64 = 12;
/// So many calls are under way at once, at most: some that hang leave room for others.
const CALLS: usize = 128;
/// At most every so often something is claimed, so that not every call that ends makes a transaction.
const BETWEEN_CLAIMS: Duration = Duration::from_millis(10);

/// A message to be queued.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) line_id: LineId,
    pub(super) id: MessageId,
    pub(super) account_id: AccountId,
    pub(super) conversation_id: Option<ConversationId>,
    pub(super) number: PhoneNumber,
    pub(super) origin: Origin,
    pub(super) body: String,
    pub(super) answers: Option<MessageId>,
    pub(super) blast_id: Option<BlastId>,
}

/// Records messages as queued; those of a blast wait until the blast is complete.
pub(super) async fn queue(tx: &mut Tx, at: Timestamp, rows: &[Outgoing]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = rows
        .iter()
        .map(|m| {
            let due = m.blast_id.is_none().then_some(at);
            (m.line_id, m.id, m.account_id, m.conversation_id, &m.number, m.origin, &m.body, at, m.blast_id, m.answers, due)
        })
        .collect();
    tx.run(
        "insert into message (line_id, id, account_id, conversation_id, number, direction, origin, body, state, created_at, blast_id,
           answers, due_at, attempts)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), unhex(j.value->>3, '-'), j.value->>4,
           'outbound', j.value->>5, j.value->>6, 'queued', cast(j.value->>7 as bigint), unhex(j.value->>8, '-'),
           unhex(j.value->>9, '-'), cast(j.value->>10 as bigint), 0
         from json_each($1) j",
        [json(&list)],
    )
    .await?;
    if rows.iter().any(|m| m.blast_id.is_none()) {
        tx.tell(Change::OutboxDue);
    }
    Ok(())
}

/// A line as a sender needs it; share-locked on PostgreSQL, so that no change of type passes by.
pub(super) const ROUTE: Sql = Sql {
    sqlite: "select l.id, l.account_id, l.integration_type, l.closed_at is not null or a.closed_at is not null as is_closed
             from line l join account a on a.id = l.account_id where l.id = $1",
    postgres: "select l.id, l.account_id, l.integration_type, l.closed_at is not null or a.closed_at is not null as is_closed
               from line l join account a on a.id = l.account_id where l.id = $1 for share of l",
};

/// The line that a message is to be sent from.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Sender {
    #[sqlx(flatten)]
    route: inbound::Route,
    is_closed: bool,
}

/// The account's line, from which something new is sent.
///
/// # Errors
/// `NotFound` when it is not the account's, `Conflict` when it or the account is closed.
pub(super) async fn sender(tx: &mut Tx, account: AccountId, line: LineId) -> Result<inbound::Route, Problem> {
    let found: Option<Sender> = tx.opt(ROUTE, [line]).await?;
    match found.filter(|sender| sender.route.account_id == account) {
        None => Err(Problem::not_found("This account has no such line.")),
        Some(sender) if sender.is_closed => Err(Problem::conflict("This line is closed, or its account is. Nothing is sent from it.")),
        Some(sender) => Ok(sender.route),
    }
}

/// Checks a body.
pub(super) fn body(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.contains('\0') {
        return Err(Problem::invalid("text", "Leave out the character U+0000; no phone shows it."));
    }
    match text.chars().count() {
        0 => Err(Problem::invalid("text", "Write a message.")),
        n if n > LONGEST => Err(Problem::invalid("text", format!("Use at most {LONGEST} characters; this has {n}."))),
        _ => Ok(text.to_owned()),
    }
}

/// Sends one message of an account's program from one of its lines: recorded, held if the line is connected to RingCentral.
///
/// # Errors
/// `NotFound` when the line is not the account's, `Invalid` for a bad body, `Conflict` when the contact has opted out or the line is
/// closed.
pub async fn send(tx: &mut Tx, now: &Now, account: AccountId, line: LineId, to: &PhoneNumber, text: &str) -> Result<MessageId, Problem> {
    let text = body(text)?;
    let route = sender(tx, account, line).await?;
    send_from(tx, now, &route, to, text, Origin::Api).await
}

/// Sends one message from this line: recorded, held if the line is connected to RingCentral.
///
/// # Errors
/// `Conflict` when the contact has opted out.
pub(super) async fn send_from(
    tx: &mut Tx,
    now: &Now,
    route: &inbound::Route,
    to: &PhoneNumber,
    text: String,
    origin: Origin,
) -> Result<MessageId, Problem> {
    let (line, account, at) = (route.id, route.account_id, now.at());
    if !consent::opted_out(tx, line, std::slice::from_ref(to)).await?.is_empty() {
        return Err(Problem::conflict("The recipient has opted out of this line; nothing is sent until they write START."));
    }
    let conversation = match route.integration_type {
        IntegrationType::None => None,
        _ => inbound::conversations(tx, now, at, &[(line, account, to)]).await?.into_values().next(),
    };
    let message = Outgoing {
        line_id: line,
        id: MessageId(now.id_at(at)),
        account_id: account,
        conversation_id: conversation,
        number: to.clone(),
        origin,
        body: text,
        answers: None,
        blast_id: None,
    };
    let id = message.id;
    queue(tx, at, &[message]).await?;
    if let Some(conversation_id) = conversation {
        if route.integration_type == IntegrationType::Ringcentral {
            sync::hold(tx, now, &[sync::Hold { line_id: line, account_id: account, conversation_id, message_id: id }]).await?;
        }
        tx.tell(Change::Conversation { account_id: account, line_id: line, conversation_id });
    }
    Ok(id)
}

/// What became of an agent's reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentReply {
    /// It will be sent, in so many messages.
    Sent(Vec<MessageId>),
    /// The contact has opted out: nothing is sent.
    OptedOut,
}

/// Records what an agent wrote to a contact; a text that is too long for one message is sent in several. It is not held: it stands
/// in RingCentral already.
///
/// # Errors
/// What the database says.
pub async fn reply_as_agent(
    tx: &mut Tx,
    now: &Now,
    line: LineId,
    account: AccountId,
    conversation: ConversationId,
    text: &str,
) -> Result<AgentReply> {
    let at = now.at();
    let (number,): (PhoneNumber,) = tx.one("select number from conversation where line_id = $1 and id = $2", (line, conversation)).await?;
    if !consent::opted_out(tx, line, std::slice::from_ref(&number)).await?.is_empty() {
        return Ok(AgentReply::OptedOut);
    }
    // Ids of one millisecond are in no order; what one agent writes is, so each id is above those that still wait.
    let newest: Option<(MessageId,)> = tx
        .opt(
            "select id from message
             where line_id = $1 and conversation_id = $2 and due_at is not null and origin = 'agent'
             order by id desc
             limit 1",
            (line, conversation),
        )
        .await?;
    let mut last = newest.map(|(id,)| id);
    let mut ids: Vec<MessageId> = Vec::new();
    let mut rows = Vec::new();
    let chars: Vec<char> = text.chars().filter(|c| *c != '\0').collect();
    for part in chars.chunks(LONGEST) {
        let drawn = MessageId(now.id_at(at));
        let id = last.map_or(drawn, |last| drawn.max(MessageId(Uuid::from_u128(last.0.as_u128() + 1))));
        last = Some(id);
        ids.push(id);
        rows.push(Outgoing {
            line_id: line,
            id,
            account_id: account,
            conversation_id: Some(conversation),
            number: number.clone(),
            origin: Origin::Agent,
            body: part.iter().collect(),
            answers: None,
            blast_id: None,
        });
    }
    queue(tx, at, &rows).await?;
    tx.run("update conversation set last_at = $3 where line_id = $1 and id = $2", (line, conversation, at)).await?;
    tx.tell(Change::Conversation { account_id: account, line_id: line, conversation_id: conversation });
    Ok(AgentReply::Sent(ids))
}

/// A message as its sender's program sees it.
#[derive(Debug, Clone, sqlx::FromRow, serde::Serialize)]
pub struct Status {
    /// The message.
    pub id: MessageId,
    /// The line.
    pub line_id: LineId,
    /// Whom it is for.
    #[sqlx(rename = "number")]
    pub to: PhoneNumber,
    /// What it says.
    #[sqlx(rename = "body")]
    pub text: String,
    /// How far it is.
    pub state: MessageState,
    /// What went wrong.
    pub error: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

const STATUS: &str = "select m.id, m.line_id, m.number, m.body, m.state, m.error, m.created_at
     from message m
     join line l on l.id = m.line_id and l.account_id = $1
     where m.line_id = $2 and m.id = $3 and m.direction = 'outbound'";

/// Reads a message of an account's line.
///
/// # Errors
/// What the database says.
pub async fn status(db: &Db, account: AccountId, line: LineId, id: MessageId) -> Result<Option<Status>> {
    db.opt(STATUS, (account, line, id)).await
}

/// Reads a message that this transaction has just recorded.
///
/// # Errors
/// What the database says.
pub async fn status_of_new(tx: &mut Tx, account: AccountId, line: LineId, id: MessageId) -> Result<Status> {
    tx.one(STATUS, (account, line, id)).await
}

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
    line_number: PhoneNumber,
    opted_out: bool,
}

/// Claims what is due by moving its time on: a worker that dies leaves it to be tried again. What an agent writes waits for what he
/// wrote to this contact before.
const CLAIM_TALK: Sql = Sql {
    sqlite: "update message as m set due_at = $2, attempts = m.attempts + 1
             from (select n.line_id, n.id from message n
                   where n.due_at <= $1 and n.blast_id is null
                     and (n.origin <> 'agent' or not exists (
                       select 1 from message e
                       where e.line_id = n.line_id and e.conversation_id = n.conversation_id and e.due_at is not null
                         and e.origin = 'agent' and e.id < n.id))
                   order by n.due_at, n.line_id, n.id limit $3) d
             where m.line_id = d.line_id and m.id = d.id
             returning line_id, id",
    postgres: "update message as m set due_at = $2, attempts = m.attempts + 1
               from (select n.line_id, n.id from message n
                     where n.due_at <= $1 and n.blast_id is null
                       and (n.origin <> 'agent' or not exists (
                         select 1 from message e
                         where e.line_id = n.line_id and e.conversation_id = n.conversation_id and e.due_at is not null
                           and e.origin = 'agent' and e.id < n.id))
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

async fn claim(tx: &mut Tx, at: Timestamp, most: i64) -> Result<Vec<Due>> {
    let mut claimed: Vec<(LineId, MessageId)> = tx.all(CLAIM_TALK, (at, at.plus(CLAIM), most)).await?;
    let left = most - i64::try_from(claimed.len()).unwrap_or(most);
    if left > 0 {
        claimed.extend(tx.all::<(LineId, MessageId)>(CLAIM_BLAST, (at, at.plus(CLAIM), left)).await?);
    }
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    tx.all(
        "select m.line_id, m.id, l.account_id, m.conversation_id, m.number, m.origin, m.body, m.blast_id, m.attempts,
           l.number as line_number, coalesce(c.state = 'opted_out', false) as opted_out
         from json_each($1) j
         join message m on m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
         join line l on l.id = m.line_id
         left join consent c on c.line_id = m.line_id and c.number = m.number
         order by m.id",
        [json(&claimed)],
    )
    .await
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
async fn record(db: &Db, now: &Now, results: Vec<Attempt>) -> Result<Vec<Result<(), String>>> {
    let count = results.len();
    db.work(async |tx| {
        let at = now.at();
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
                    Some(Sent::Later { why, .. }) if due.attempts >= TRIES => ("failed", None, None, Some(why), None),
                    Some(Sent::Later { pause, why }) => {
                        let pause = pause.unwrap_or_else(|| backoff(due.attempts, Duration::from_secs(300), &now.rng));
                        ("queued", None, None, Some(why), Some(at.plus(pause)))
                    }
                };
            metrics::counter!("switchyard_sms_total", "result" => state).increment(1);
            rows.push((key.0, key.1, state, carrier_id, accepted, error, next));
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
                 due_at = case when m.state = 'queued' then cast(j.value->>6 as bigint) end
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

fn recorder(db: &Db, now: &Now) -> Recorder {
    let (db, now) = (db.clone(), now.clone());
    Batcher::start(
        200,
        move |results| {
            let (db, now) = (db.clone(), now.clone());
            async move { record(&db, &now, results).await }
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
    let recorder = recorder(db, now);
    let due = claim_due(db, now, most as usize).await?;
    let count = due.len();
    stream::iter(due).for_each_concurrent(32, |due| send_one(carrier.clone(), recorder.clone(), due)).await;
    Ok(count)
}

/// Claims what is due now, at most `most`.
async fn claim_due(db: &Db, now: &Now, most: usize) -> Result<Vec<Due>> {
    db.work(async |tx| claim(tx, now.at(), i64::try_from(most).unwrap_or(i64::MAX)).await).await
}

/// Sends one message, and has it written down how that ended.
async fn send_one(carrier: Carrier, recorder: Recorder, due: Due) {
    let sms =
        Sms { line_id: due.line_id, message_id: due.id, from: due.line_number.clone(), to: due.number.clone(), text: due.body.clone() };
    let sent = if due.opted_out && due.origin != Origin::Confirmation { None } else { Some(carrier.send(&sms, CALL).await) };
    match recorder.submit(Attempt { due, sent }).await {
        Ok(Ok(())) => {}
        // Not recorded: it is claimed until the claim runs out, then sent again under the same reference.
        Ok(Err(error)) => tracing::error!(%error, "a sent message could not be recorded; it will be tried again"),
        Err(stopped) => tracing::warn!(%stopped, "a sent message is not recorded yet; it will be tried again"),
    }
}

/// Sends what is due until told to stop; then finishes the calls under way. `per_second` paces all of it: so many are claimed, and only
/// while there is room for their calls, so that one that hangs holds up nobody and a claim does not run out before its call begins.
pub async fn run(db: Db, now: Now, carrier: Carrier, per_second: u32, stop: CancellationToken) {
    let db = db.in_background();
    let mut bell = db.changes();
    let recorder = recorder(&db, &now);
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
        let due = claim_due(&db, &now, share.min(room)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            Vec::new()
        });
        let count = due.len();
        for due in due {
            under_way.spawn(send_one(carrier.clone(), recorder.clone(), due));
        }
        if count == 0 {
            // What an agent wrote next is due when a call has ended.
            tokio::select! {
                () = wait_for(&mut bell, Change::OutboxDue, Duration::from_secs(1)) => {}
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

/// How many messages of a line are recorded and not sent yet; for a preview, so it may take its time.
///
/// # Errors
/// What the database says.
pub(crate) async fn unsent_of_line(db: &Db, line: LineId) -> Result<i64> {
    let (count,): (i64,) = db
        .one(
            // What is due is little, and read whole; a line's messages are many.
            "with due as materialized (
               select line_id from message where due_at > 0 and blast_id is null
               union all
               select line_id from message where due_at > 0 and blast_id is not null)
             select (select count(*) from due where line_id = $1) + (
               select count(*)
               from blast b
               join message m on m.line_id = b.line_id and m.blast_id = b.id and m.state = 'queued' and m.due_at is null
               where b.line_id = $1 and b.state = 'recording')",
            [line],
        )
        .await?;
    Ok(count)
}

/// Whether the contact has, or will have, this message: it came in, waits, or was taken by the carrier, even if it did not arrive.
///
/// # Errors
/// What the database says.
pub async fn counts_as_sent(tx: &mut Tx, line: LineId, message: MessageId) -> Result<bool> {
    let found: Option<(MessageState, bool)> =
        tx.opt("select state, accepted_at is not null from message where line_id = $1 and id = $2", (line, message)).await?;
    Ok(found.is_some_and(|(state, accepted)| accepted || !matches!(state, MessageState::Failed | MessageState::OptedOut)))
}

/// Those of a line's messages that [`counts_as_sent`] holds for and whose text is kept: they can be shown in RingCentral.
///
/// # Errors
/// What the database says.
pub(crate) async fn can_be_shown(tx: &mut Tx, line: LineId, messages: &[MessageId]) -> Result<HashSet<MessageId>> {
    let rows: Vec<(MessageId,)> = tx
        .all(
            "select m.id
             from json_each($2) j
             join message m on m.line_id = $1 and m.id = unhex(j.value->>0, '-')
             where m.removed_after is null and (m.accepted_at is not null or m.state not in ('failed', 'opted_out'))",
            (line, json(&messages.iter().map(|id| [id]).collect::<Vec<_>>())),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A delivery status as the carrier tells it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The reference that we gave.
    pub reference: String,
    /// The carrier's id.
    pub carrier_id: String,
    /// It arrived; otherwise it failed.
    pub delivered: bool,
    /// Why it failed.
    pub error: Option<String>,
}

/// Writes delivery statuses set-wise; unknown ones and repeated ones change nothing. A status may overtake the answer to the
/// call it belongs to: it says that the carrier took the message, so the message counts as accepted. It corrects one that was given up
/// after a try without a clear answer too.
///
/// # Errors
/// What the database says.
pub async fn delivered(db: &Db, now: &Now, batch: &[Delivery]) -> Result<()> {
    let rows: Vec<_> = batch
        .iter()
        .filter_map(|d| {
            let (line, message) = from_reference(&d.reference)?;
            Some((line, message, if d.delivered { "delivered" } else { "failed" }, &d.carrier_id, &d.error))
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    db.work(async |tx| {
        let at = now.at();
        let mut changed: Vec<(LineId, MessageId, AccountId, Option<ConversationId>, bool)> = tx
            .all(
                "update message as m
                 set state = j.value->>2, error = j.value->>4, carrier_id = coalesce(m.carrier_id, j.value->>3),
                     accepted_at = coalesce(m.accepted_at, $2), due_at = null
                 from json_each($1) j
                 where m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
                   and m.direction = 'outbound' and m.state in ('queued', 'accepted')
                 returning line_id, id, (select l.account_id from line l where l.id = line_id), conversation_id,
                   coalesce(origin = 'agent' and state = 'failed', false)",
                (json(&rows), at),
            )
            .await?;
        let undelivered: Vec<_> =
            changed.iter().filter(|(.., failed)| *failed).map(|(line, id, ..)| (*line, *id, NotReached::Undelivered)).collect();
        let known: HashSet<(LineId, MessageId)> = changed.iter().map(|(line, id, ..)| (*line, *id)).collect();
        let left: Vec<_> = rows.iter().filter(|(line, id, ..)| !known.contains(&(*line, *id))).collect();
        if !left.is_empty() {
            // Nobody has taken it yet and somebody tried: so this was that try. Its agent was told already that it may not have come.
            let given_up: Vec<(LineId, MessageId, AccountId, Option<ConversationId>, bool)> = tx
                .all(
                    "update message as m
                     set state = j.value->>2, error = j.value->>4, carrier_id = j.value->>3, accepted_at = $2
                     from json_each($1) j
                     where m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
                       and m.direction = 'outbound' and m.state in ('failed', 'opted_out') and m.attempts > 0 and m.accepted_at is null
                     returning line_id, id, (select l.account_id from line l where l.id = line_id), conversation_id,
                       removed_after is null",
                    (json(&left), at),
                )
                .await?;
            let back: Vec<(LineId, MessageId)> =
                given_up.iter().filter(|(.., has_text)| *has_text).map(|(line, id, ..)| (*line, *id)).collect();
            sync::sent_after_all(tx, now, &back).await?;
            changed.extend(given_up);
        }
        let keys: Vec<(LineId, MessageId)> = changed.iter().map(|(line, id, ..)| (*line, *id)).collect();
        sync::releasable(tx, at, &keys).await?;
        sync::reply_did_not_arrive(tx, now, &undelivered).await?;
        for (line_id, _, account_id, conversation, _) in changed {
            if let Some(conversation_id) = conversation {
                tx.tell(Change::Conversation { account_id, line_id, conversation_id });
            }
        }
        Ok(())
    })
    .await
}
