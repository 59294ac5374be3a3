//! Incoming messages, many at once: recorded, deduplicated, consent set, routed by the line's type, in one transaction.

use super::consent::{self, Became, Keyword};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx, json};
use crate::figures::{self, Counter};
use crate::sync::{self, Arrival, ReleaseWindow};
use crate::types::{
    AccountId, Change, ConversationId, IntegrationType, LineId, Media, MessageId, Origin, PhoneNumber, ResponderId, Timestamp,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An incoming message as the carrier tells it.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The carrier's id of it; the same id again is the same message.
    pub carrier_id: String,
    /// The contact.
    pub from: PhoneNumber,
    /// The line.
    pub to: PhoneNumber,
    /// The other numbers of a group text.
    pub others: Vec<PhoneNumber>,
    /// What it says.
    pub body: String,
    /// Its attachments.
    pub media: Vec<Media>,
    /// The carrier's time: for display, and for which of two keywords was written later.
    pub sent_at: Option<Timestamp>,
}

/// What became of an incoming message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is recorded.
    Recorded,
    /// It was recorded before.
    Repeated,
    /// Its number is no line of ours; it is kept and shown.
    UnknownLine,
}

/// Attachments or the other numbers of a group text as a column holds them.
pub(super) fn list_as_stored<T: Serialize>(list: &[T]) -> Option<String> {
    (!list.is_empty()).then(|| json(list))
}

#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct Route {
    pub(super) id: LineId,
    pub(super) account_id: AccountId,
    pub(super) integration_type: IntegrationType,
}

/// On PostgreSQL the lines' rows are share-locked, so that no change of type passes a message that is being routed.
const ROUTES: Sql = Sql {
    sqlite: "select l.number, l.id, l.account_id, l.integration_type from json_each($1) j join line l on l.number = j.value->>0",
    postgres: "select l.number, l.id, l.account_id, l.integration_type from json_each($1) j join line l on l.number = j.value->>0
               order by l.id for share of l",
};

/// A message on its way through the steps below.
struct New<'a> {
    incoming: &'a Incoming,
    route: Route,
    id: MessageId,
    conversation: Option<ConversationId>,
    keyword: Option<Keyword>,
    /// The keyword has an answer of its own: nobody is told twice that they opted out, nor that they are subscribed again who always were.
    is_answered: bool,
}

/// Records a batch; answers one by one, in order. All or nothing: after an error nothing is recorded. A reply releases what lies within
/// the usual window.
///
/// # Errors
/// What the database says.
pub async fn receive(db: &Db, now: &Now, batch: &[Incoming]) -> Result<Vec<Received>> {
    receive_within(db, now, ReleaseWindow::default(), batch).await
}

/// The same with this window.
///
/// # Errors
/// What the database says.
pub async fn receive_within(db: &Db, now: &Now, window: ReleaseWindow, batch: &[Incoming]) -> Result<Vec<Received>> {
    db.work(async |tx| {
        let at = now.at();
        let mut numbers: Vec<[&PhoneNumber; 1]> = batch.iter().map(|m| [&m.to]).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let routes: Vec<(PhoneNumber, LineId, AccountId, IntegrationType)> = tx.all(ROUTES, [json(&numbers)]).await?;
        let routes: HashMap<PhoneNumber, Route> = routes
            .into_iter()
            .map(|(number, id, account_id, integration_type)| (number, Route { id, account_id, integration_type }))
            .collect();
        let known = known_already(tx, batch, &routes).await?;

        let mut answers = vec![Received::UnknownLine; batch.len()];
        let mut seen = HashSet::new();
        let mut new: Vec<New<'_>> = Vec::with_capacity(batch.len());
        let mut strays = Vec::new();
        for (incoming, answer) in batch.iter().zip(&mut answers) {
            let Some(route) = routes.get(&incoming.to) else {
                strays.push(incoming);
                continue;
            };
            let key = (route.id, incoming.carrier_id.as_str());
            *answer = if known.contains(&(route.id, incoming.carrier_id.clone())) || !seen.insert(key) {
                Received::Repeated
            } else {
                Received::Recorded
            };
            if *answer == Received::Recorded {
                let keyword = consent::keyword(&incoming.body);
                new.push(New { incoming, route: *route, id: MessageId(now.id_at(at)), conversation: None, keyword, is_answered: true });
            }
        }
        // Ids of one millisecond are in no order; arrival order is.
        let mut ids: Vec<MessageId> = new.iter().map(|m| m.id).collect();
        ids.sort_unstable();
        new.iter_mut().zip(ids).for_each(|(m, id)| m.id = id);

        super::unknown::keep(tx, now, at, &strays).await?;
        let (places, given): (Vec<usize>, Vec<consent::Given>) = given(&new, at).into_iter().unzip();
        for (place, became) in places.into_iter().zip(consent::write(tx, now, at, &given).await?) {
            match became {
                Became::OptedOut | Became::OptedIn => {}
                Became::Noted => new[place].is_answered = false,
                Became::Ordinary => new[place].keyword = None,
            }
        }
        let routed: Vec<(LineId, AccountId, &PhoneNumber)> = new
            .iter()
            .filter(|m| m.route.integration_type != IntegrationType::None)
            .map(|m| (m.route.id, m.route.account_id, &m.incoming.from))
            .collect();
        let conversations = conversations(tx, now, at, &routed).await?;
        for m in &mut new {
            let key = (m.route.id, m.incoming.from.clone());
            m.conversation = conversations.get(&key).copied();
        }
        record(tx, at, &new).await?;
        let replies = reply(tx, now, at, &new).await?;
        let arrivals: Vec<Arrival> = new
            .iter()
            .filter(|m| m.route.integration_type == IntegrationType::Ringcentral)
            .filter_map(|m| {
                Some(Arrival {
                    line_id: m.route.id,
                    account_id: m.route.account_id,
                    conversation_id: m.conversation?,
                    message_id: m.id,
                    reply: replies.get(&m.id).copied(),
                })
            })
            .collect();
        sync::arrive(tx, now, window, &arrivals).await?;
        for m in &new {
            if let Some(conversation_id) = m.conversation {
                tx.tell(Change::Conversation { account_id: m.route.account_id, line_id: m.route.id, conversation_id });
            }
        }
        figures::count(tx, at, new.iter().map(|m| (m.route.account_id, Counter::Inbound))).await?;
        Ok(answers)
    })
    .await
}

async fn known_already(tx: &mut Tx, batch: &[Incoming], routes: &HashMap<PhoneNumber, Route>) -> Result<HashSet<(LineId, String)>> {
    let keys: Vec<(LineId, &str)> = batch.iter().filter_map(|m| Some((routes.get(&m.to)?.id, m.carrier_id.as_str()))).collect();
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<(LineId, String)> = tx
        .all(
            "select m.line_id, m.carrier_id
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.direction = 'inbound' and m.carrier_id = j.value->>1",
            [json(&keys)],
        )
        .await?;
    Ok(rows.into_iter().collect())
}

/// The consent that the batch's keywords give, in order, each with the message's place. It counts from when the carrier says that it was
/// written, and from no later than when it came in: a webhook may be late, and a carrier's clock wrong.
fn given(new: &[New<'_>], at: Timestamp) -> Vec<(usize, consent::Given)> {
    let given = new.iter().enumerate().filter_map(|(place, m)| {
        let keyword = m.keyword.filter(|keyword| *keyword != Keyword::Help)?;
        let given = consent::Given {
            line_id: m.route.id,
            number: m.incoming.from.clone(),
            account_id: m.route.account_id,
            keyword,
            at: m.incoming.sent_at.map_or(at, |sent| sent.min(at)),
        };
        Some((place, given))
    });
    given.collect()
}

/// Finds or makes the conversation of each line and number.
pub(super) async fn conversations(
    tx: &mut Tx,
    now: &Now,
    at: Timestamp,
    wanted: &[(LineId, AccountId, &PhoneNumber)],
) -> Result<HashMap<(LineId, PhoneNumber), ConversationId>> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    // In one order everywhere, so that two transactions cannot wait for each other.
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let rows: Vec<_> = wanted.iter().map(|(line, account, number)| (line, now.id_at(at), account, number, at)).collect();
    let found: Vec<(LineId, PhoneNumber, ConversationId)> = tx
        .all(
            "insert into conversation (line_id, id, account_id, number, last_at)
             select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), j.value->>3, cast(j.value->>4 as bigint)
             from json_each($1) j
             where true
             on conflict (line_id, number) do update set last_at = excluded.last_at
             returning line_id, number, id",
            [json(&rows)],
        )
        .await?;
    Ok(found.into_iter().map(|(line, number, id)| ((line, number), id)).collect())
}

async fn record(tx: &mut Tx, at: Timestamp, new: &[New<'_>]) -> Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = new
        .iter()
        .map(|m| {
            (
                m.route.id,
                m.id,
                m.route.account_id,
                m.conversation,
                &m.incoming.from,
                &m.incoming.body,
                list_as_stored(&m.incoming.others),
                list_as_stored(&m.incoming.media),
                &m.incoming.carrier_id,
                m.incoming.sent_at,
                at,
            )
        })
        .collect();
    tx.run(
        "insert into message (line_id, id, account_id, conversation_id, number, direction, body, others, media, state, carrier_id,
           carrier_at, created_at, attempts)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), unhex(j.value->>3, '-'), j.value->>4,
           'inbound', j.value->>5, j.value->>6, j.value->>7, 'received', j.value->>8, cast(j.value->>9 as bigint),
           cast(j.value->>10 as bigint), 0
         from json_each($1) j",
        [json(&rows)],
    )
    .await?;
    Ok(())
}

/// Queues what answers by itself: the confirmation of a keyword on every type, a responder's reply where messages are routed, the account
/// is open and the contact has not opted out.
async fn reply(tx: &mut Tx, now: &Now, at: Timestamp, new: &[New<'_>]) -> Result<HashMap<MessageId, MessageId>> {
    let words: Vec<(LineId, String)> = new
        .iter()
        .filter(|m| m.keyword.is_none() && m.route.integration_type != IntegrationType::None)
        .map(|m| (m.route.id, m.incoming.body.trim().to_lowercase()))
        .filter(|(_, word)| word.chars().count() <= 40)
        .collect();
    let found: Vec<(LineId, String, ResponderId, String)> = if words.is_empty() {
        Vec::new()
    } else {
        tx.all(
            "select r.line_id, r.keyword, r.id, r.reply
             from json_each($1) j
             join responder r on r.line_id = unhex(j.value->>0, '-') and r.keyword = j.value->>1
             join line l on l.id = r.line_id
             join account a on a.id = l.account_id and a.closed_at is null",
            [json(&words)],
        )
        .await?
    };
    let responders: HashMap<(LineId, String), String> = found.into_iter().map(|(line, word, _, reply)| ((line, word), reply)).collect();
    let mut asked: Vec<Option<&String>> = Vec::with_capacity(new.len());
    let mut asking: BTreeMap<LineId, Vec<PhoneNumber>> = BTreeMap::new();
    for m in new {
        let is_heard = m.keyword.is_none() && m.route.integration_type != IntegrationType::None;
        let reply = responders.get(&(m.route.id, m.incoming.body.trim().to_lowercase())).filter(|_| is_heard);
        if reply.is_some() {
            asking.entry(m.route.id).or_default().push(m.incoming.from.clone());
        }
        asked.push(reply);
    }
    let mut silent: HashSet<(LineId, PhoneNumber)> = HashSet::new();
    for (line, numbers) in asking {
        silent.extend(consent::opted_out(tx, line, &numbers).await?.into_iter().map(|number| (line, number)));
    }
    let mut replies = HashMap::new();
    let mut rows = Vec::new();
    for (m, responder) in new.iter().zip(asked) {
        let (origin, text) = match (m.keyword, responder) {
            (Some(keyword), _) if m.is_answered => (Origin::Confirmation, keyword.answer().to_owned()),
            (None, Some(reply)) if !silent.contains(&(m.route.id, m.incoming.from.clone())) => (Origin::Responder, reply.clone()),
            _ => continue,
        };
        let id = MessageId(now.id_at(at));
        replies.insert(m.id, id);
        rows.push(super::outbound::Outgoing {
            line_id: m.route.id,
            id,
            account_id: m.route.account_id,
            conversation_id: m.conversation,
            number: m.incoming.from.clone(),
            origin,
            body: text,
            answers: Some(m.id),
            blast_id: None,
        });
    }
    super::outbound::queue(tx, at, &rows).await?;
    Ok(replies)
}
