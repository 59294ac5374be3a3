//! Reading messages: what a post needs of them.

use crate::db::{Db, Result, json};
use crate::sync::compose::Line;
use crate::types::{ConversationId, Direction, LineId, Media, MessageId, MessageState, Origin, PhoneNumber, Timestamp};
use std::collections::HashMap;

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    id: MessageId,
    conversation_id: ConversationId,
    direction: Direction,
    origin: Option<Origin>,
    body: String,
    others: Option<String>,
    media: Option<String>,
    state: MessageState,
    carrier_at: Option<Timestamp>,
    created_at: Timestamp,
    accepted_at: Option<Timestamp>,
}

/// Attachments as they are stored.
pub(crate) fn media(stored: Option<&str>) -> Vec<Media> {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The other numbers of a group text as they are stored.
pub(crate) fn others(stored: Option<&str>) -> Vec<PhoneNumber> {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What a post shows of these messages; `console` is the address that a conversation's page begins with.
///
/// # Errors
/// What the database says.
pub async fn lines(db: &Db, messages: &[(LineId, MessageId)], console: &str) -> Result<HashMap<(LineId, MessageId), Line>> {
    let rows: Vec<Row> = db
        .all(
            "select m.line_id, m.id, m.conversation_id, m.direction, m.origin, m.body, m.others, m.media, m.state, m.carrier_at,
               m.created_at, m.accepted_at
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')",
            [json(messages)],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let shown = Line {
                inbound: row.direction == Direction::Inbound,
                origin: row.origin,
                body: row.body,
                media: media(row.media.as_deref()),
                others: others(row.others.as_deref()),
                state: row.state,
                at: row.accepted_at.unwrap_or(row.created_at),
                carrier_at: row.carrier_at,
                console: format!("{console}/lines/{}/conversations/{}", row.line_id, row.conversation_id),
            };
            ((row.line_id, row.id), shown)
        })
        .collect())
}

/// What the chat of a conversation is called: the contact's name and number, or the number.
///
/// # Errors
/// What the database says.
pub async fn contact_name(db: &Db, line: LineId, conversation: ConversationId) -> Result<String> {
    let (number, name): (PhoneNumber, Option<String>) = db
        .one(
            "select c.number, k.name
             from conversation c
             join line l on l.id = c.line_id
             left join contact k on k.account_id = l.account_id and k.number = c.number
             where c.line_id = $1 and c.id = $2",
            (line, conversation),
        )
        .await?;
    Ok(match name {
        Some(name) => format!("{name} ({})", number.readable()),
        None => number.readable(),
    })
}
