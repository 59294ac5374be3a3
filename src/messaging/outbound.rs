//! Outgoing messages: recorded with their held row in one transaction, sent by a paced worker, never sent twice: the carrier
//! knows the reference. Consent is checked at the moment of sending. On a RingCentral line the SMS is never delayed; only its
//! post is held. What was tried without a clear answer is not known to be unsent: the carrier's word on it counts, however late it comes.
//! A carrier that is down is tried for a day; while it asks to wait or refuses our key, nothing is tried and nothing fails.

mod delivery;
mod sending;

pub use delivery::{Delivery, delivered};
pub use sending::{run, step};

use super::{consent, inbound};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx, json};
use crate::staff::{Actor, Entry, record};
use crate::sync;
use crate::types::{
    AccountId, BlastId, Change, ConversationId, IntegrationType, LineId, MessageId, MessageState, Origin, PhoneNumber, Problem, Timestamp,
};
use std::collections::HashSet;
use uuid::Uuid;

/// The longest message: ten SMS parts of GSM text (153 characters each), rounded.
pub const LONGEST: usize = 1_600;

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

/// A line as a sender needs it; share-locked on PostgreSQL, so that no change of type passes by. Locked before it is joined: who waited
/// for a line that changed hands joins it to its new account.
pub(super) const ROUTE: Sql = Sql {
    sqlite: "select l.id, l.account_id, l.integration_type, l.closed_at is not null or a.closed_at is not null as is_closed
             from line l join account a on a.id = l.account_id where l.id = $1",
    postgres: "select l.id, l.account_id, l.integration_type, l.closed_at is not null or a.closed_at is not null as is_closed
               from (select id, account_id, integration_type, closed_at from line where id = $1 for share) l
               join account a on a.id = l.account_id",
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
pub async fn send(
    tx: &mut Tx,
    now: &Now,
    actor: &Actor,
    account: AccountId,
    line: LineId,
    to: &PhoneNumber,
    text: &str,
) -> Result<MessageId, Problem> {
    let text = body(text)?;
    let route = sender(tx, account, line).await?;
    let (id, conversation) = send_from(tx, now, &route, to, text, Origin::Api).await?;
    let subject_id = conversation.map(|conversation| conversation.0);
    let entry = Entry { action: "message.send", account_id: Some(account), line_id: Some(line), subject_id, ..Entry::default() };
    record(tx, now, actor, entry.change((), serde_json::json!({ "message": id }))).await?;
    Ok(id)
}

/// Sends one message from this line: recorded, held if the line is connected to RingCentral. Says in which conversation, if in one.
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
) -> Result<(MessageId, Option<ConversationId>), Problem> {
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
        id: id_behind(tx, now, line, to).await?,
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
    Ok((id, conversation))
}

/// The id of what is said to a contact now, above those of what was said before and still waits: ids of one millisecond are in no order,
/// and the clocks of machines differ.
async fn id_behind(tx: &mut Tx, now: &Now, line: LineId, number: &PhoneNumber) -> Result<MessageId> {
    let newest: Option<(MessageId,)> = tx
        .opt(
            "select id from message
             where line_id = $1 and number = $2 and due_at is not null and blast_id is null and origin in ('agent', 'api', 'staff')
             order by id desc
             limit 1",
            (line, number.clone()),
        )
        .await?;
    let drawn = MessageId(now.id());
    // Two that come at the same moment draw different ones.
    let above = |newest: MessageId| MessageId(Uuid::from_u128(newest.0.as_u128() + 1 + u128::from(now.rng.below(1 << 32))));
    Ok(newest.map_or(drawn, |(newest,)| drawn.max(above(newest))))
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
    let mut next = id_behind(tx, now, line, &number).await?;
    let mut ids: Vec<MessageId> = Vec::new();
    let mut rows = Vec::new();
    let chars: Vec<char> = text.chars().filter(|c| *c != '\0').collect();
    for part in chars.chunks(LONGEST) {
        let id = next;
        next = MessageId(Uuid::from_u128(id.0.as_u128() + 1));
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
