//! Conversations and messages of the platform's first version, taken over into lines, many at a time.
//!
//! The rule: they are history. Nothing is sent, nothing is held, no lane and no worker wakes, and nothing is written twice.

use super::inbound::list_as_stored;
use crate::clock::Now;
use crate::db::{Result, Tx, json};
use crate::types::{AccountId, Change, ConversationId, Direction, LineId, Media, MessageId, MessageState, Origin, PhoneNumber, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use uuid::Uuid;

/// A message as it was: which way it went, what sent it, how far it came, when, what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldMessage {
    #[serde(rename = "d")]
    pub(crate) direction: Direction,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<Origin>,
    #[serde(rename = "s")]
    pub(crate) state: MessageState,
    #[serde(rename = "a")]
    pub(crate) at: Timestamp,
    #[serde(rename = "b")]
    pub(crate) body: String,
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) media: Vec<Media>,
}

/// Where a message belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thread {
    pub(crate) line: LineId,
    pub(crate) conversation: ConversationId,
    pub(crate) number: PhoneNumber,
    /// When it was last written in.
    pub(crate) last_at: Timestamp,
}

/// Finds or makes the conversation of each line and number, last written in at that time.
///
/// # Errors
/// What the database says.
pub(crate) async fn take_conversations(
    tx: &mut Tx,
    now: &Now,
    account: AccountId,
    wanted: &[(LineId, PhoneNumber, Timestamp)],
) -> Result<HashMap<(LineId, PhoneNumber), ConversationId>> {
    let rows: Vec<_> = wanted.iter().map(|(line, number, at)| (line, now.id(), number, at)).collect();
    tx.run(
        "insert into conversation (line_id, id, account_id, number, last_at)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), $2, j.value->>2, cast(j.value->>3 as bigint)
         from json_each($1) j
         where true
         on conflict (line_id, number) do nothing",
        (json(&rows), account),
    )
    .await?;
    let found: Vec<(LineId, PhoneNumber, ConversationId)> = tx
        .all(
            "select c.line_id, c.number, c.id
             from json_each($1) j
             join conversation c on c.line_id = unhex(j.value->>0, '-') and c.number = j.value->>2",
            [json(&rows)],
        )
        .await?;
    for (line, ..) in wanted {
        tx.tell(Change::Conversations { account_id: account, line_id: *line });
    }
    Ok(found.into_iter().map(|(line, number, id)| ((line, number), id)).collect())
}

/// Which of these conversations are there: one whose contact was erased is not.
///
/// # Errors
/// What the database says.
pub(crate) async fn threads(tx: &mut Tx, wanted: &[(LineId, ConversationId)]) -> Result<HashMap<ConversationId, Thread>> {
    let found: Vec<(LineId, ConversationId, PhoneNumber, Timestamp)> = tx
        .all(
            "select c.line_id, c.id, c.number, c.last_at
             from json_each($1) j
             join conversation c on c.line_id = unhex(j.value->>0, '-') and c.id = unhex(j.value->>1, '-')",
            [json(wanted)],
        )
        .await?;
    let threads = found.into_iter().map(|(line, conversation, number, last_at)| Thread { line, conversation, number, last_at });
    Ok(threads.map(|thread| (thread.conversation, thread)).collect())
}

/// The id of a message that was taken over: it tells the message's own time, and is the same whenever it is taken over again. It is made of
/// its line, which keeps it with whatever account it goes to; an earlier version of this program made it of the account.
pub(crate) fn message_id(of: Uuid, v1_id: &str, at: Timestamp) -> MessageId {
    let hash = Sha256::new().chain_update(of.as_bytes()).chain_update(b" message ").chain_update(v1_id).finalize();
    let mut tail = [0; 10];
    tail.copy_from_slice(&hash[..10]);
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    MessageId(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
}

/// Which of these messages are there, and in which conversation.
///
/// # Errors
/// What the database says.
pub(crate) async fn there(tx: &mut Tx, wanted: &[(LineId, MessageId)]) -> Result<HashMap<(LineId, MessageId), Option<ConversationId>>> {
    let found: Vec<(LineId, MessageId, Option<ConversationId>)> = tx
        .all(
            "select m.line_id, m.id, m.conversation_id
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')",
            [json(wanted)],
        )
        .await?;
    Ok(found.into_iter().map(|(line, id, conversation)| ((line, id), conversation)).collect())
}

/// Writes the messages that are not there; says how many.
///
/// # Errors
/// What the database says.
pub(crate) async fn take_messages(tx: &mut Tx, account: AccountId, messages: &[(MessageId, &Thread, &OldMessage)]) -> Result<u64> {
    if messages.is_empty() {
        return Ok(0);
    }
    let rows: Vec<_> = messages
        .iter()
        .map(|(id, of, m)| {
            let accepted_at = (m.direction == Direction::Outbound && m.state != MessageState::Failed).then_some(m.at);
            let media = list_as_stored(&m.media);
            (of.line, id, of.conversation, &of.number, m.direction, m.origin, &m.body, media, m.state, m.at, accepted_at)
        })
        .collect();
    let written = tx
        .run(
            "insert into message (line_id, id, account_id, conversation_id, number, direction, origin, body, media, state, carrier_at,
               created_at, accepted_at, attempts)
             select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), $2, unhex(j.value->>2, '-'), j.value->>3, j.value->>4,
               j.value->>5, j.value->>6, j.value->>7, j.value->>8, cast(j.value->>9 as bigint), cast(j.value->>9 as bigint),
               cast(j.value->>10 as bigint), 0
             from json_each($1) j
             where true
             on conflict (line_id, id) do nothing",
            (json(&rows), account),
        )
        .await?;
    if written == 0 {
        return Ok(0);
    }
    let (mut newest, mut oldest): (HashMap<(LineId, ConversationId), Timestamp>, HashMap<LineId, MessageId>) = Default::default();
    for (id, of, message) in messages {
        let at = newest.entry((of.line, of.conversation)).or_insert(message.at);
        *at = message.at.max(*at);
        let first = oldest.entry(of.line).or_insert(*id);
        *first = (*id).min(*first);
    }
    let newest: Vec<_> = newest.into_iter().map(|((line, conversation), at)| (line, conversation, at)).collect();
    tx.run(
        "update conversation as c set last_at = cast(j.value->>2 as bigint)
         from json_each($1) j
         where c.line_id = unhex(j.value->>0, '-') and c.id = unhex(j.value->>1, '-') and c.last_at < cast(j.value->>2 as bigint)",
        [json(&newest)],
    )
    .await?;
    for line in oldest.keys() {
        tx.tell(Change::Conversations { account_id: account, line_id: *line });
    }
    let oldest: Vec<_> = oldest.into_iter().collect();
    super::retention::begin_again(tx, &oldest).await?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_messages_id_tells_its_time_and_is_always_the_same() {
        let line = Uuid::from_u128(7);
        let id = |v1_id: &str, at| message_id(line, v1_id, Timestamp(at));
        assert_eq!(id("17", 1_500_000_000_000_000), id("17", 1_500_000_000_000_000));
        assert!(id("17", 1_500_000_000_000_000) < id("16", 1_500_000_000_001_000));
        assert_ne!(id("17", 1_500_000_000_000_000), id("18", 1_500_000_000_000_000));
        assert_eq!(id("17", 1_500_000_000_000_000).0.get_version_num(), 7);
    }
}
