//! Reading an export: what each line of it says, or why it cannot be taken, with its number. No reason quotes what stands there.

use crate::db::json;
use crate::directory::v1::{OldContact, OldLine, name};
use crate::messaging::v1::OldMessage;
use crate::types::{Direction, IntegrationType, Media, MessageState, Origin, PhoneNumber, Timestamp};
use crate::utilities::pieces;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::Duration;

const LONGEST_ID: usize = 100;
const LONGEST_NOTE: usize = 2_000;
const LONGEST_BODY: usize = 20_000;
/// A piece of messages is not much longer, in bytes.
const LONGEST_PIECE: usize = 500_000;
/// Clocks of two systems differ by less.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// A row that can be taken: the number of its line, the id that it had, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item<T>(pub(super) i64, pub(super) String, pub(super) T);

/// One that cannot: the number of its line, its type and id, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bad(pub(super) i64, pub(super) String, pub(super) String, pub(super) String);

/// A conversation as it was: its line's id, the contact's number, when it was last written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OldConversation {
    pub(super) line: String,
    pub(super) number: PhoneNumber,
    pub(super) at: Option<Timestamp>,
}

/// What is in an export.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) lines: Vec<Item<OldLine>>,
    pub(super) contacts: Vec<Item<OldContact>>,
    pub(super) conversations: Vec<Item<OldConversation>>,
    /// Messages, in pieces as they are stored, since there are many.
    pub(super) messages: Vec<(i64, String)>,
    /// How many they are.
    pub(super) messages_found: usize,
    /// Those whose conversation is not in this export.
    pub(super) strays: usize,
    pub(super) bad: Vec<Bad>,
}

/// A line of the export.
enum Found {
    Line(OldLine),
    Contact(OldContact),
    Conversation(OldConversation),
    Message(String, OldMessage),
}

type Fields = Map<String, Value>;

/// Reads a whole export.
pub(super) fn read(text: &str, now: Timestamp) -> Read {
    let mut read = Read::default();
    let mut seen: [HashMap<String, i64>; 3] = Default::default();
    let mut written: HashMap<String, (Timestamp, usize)> = HashMap::new();
    let (mut piece, mut bytes) = (Vec::new(), 0);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, text) in (1_i64..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else {
            read.bad.push(Bad(line, String::new(), String::new(), "this is no JSON object".to_owned()));
            continue;
        };
        let mut refuse = |reason: String| {
            let said = |field: &str| id(&fields, field).unwrap_or_default().chars().take(LONGEST_ID).collect();
            read.bad.push(Bad(line, said("type"), said("id"), reason));
        };
        let (id, found) = match row(&fields, now) {
            Ok(row) => row,
            Err(reason) => {
                refuse(reason);
                continue;
            }
        };
        let kind = match &found {
            Found::Line(_) => Some(0),
            Found::Contact(_) => Some(1),
            Found::Conversation(_) => Some(2),
            Found::Message(..) => None,
        };
        if let Some(first) = kind.and_then(|kind| seen[kind].insert(id.clone(), line)) {
            refuse(format!("the same id stands on line {first}"));
            continue;
        }
        match found {
            Found::Line(found) => read.lines.push(Item(line, id, found)),
            Found::Contact(found) => read.contacts.push(Item(line, id, found)),
            Found::Conversation(found) => read.conversations.push(Item(line, id, found)),
            Found::Message(conversation, found) => {
                let (last, count) = written.entry(conversation.clone()).or_insert((found.at, 0));
                (*last, *count) = ((*last).max(found.at), *count + 1);
                bytes += text.len();
                piece.push(Item(line, id, (conversation, found)));
                read.messages_found += 1;
                if piece.len() == pieces::ROWS || bytes > LONGEST_PIECE {
                    read.messages.push((piece[0].0, json(&piece)));
                    piece.clear();
                    bytes = 0;
                }
            }
        }
    }
    if let Some(first) = piece.first() {
        read.messages.push((first.0, json(&piece)));
    }
    for Item(_, id, conversation) in &mut read.conversations {
        if let Some((last, _)) = written.remove(id) {
            conversation.at = conversation.at.max(Some(last));
        }
    }
    read.strays = written.values().map(|(_, count)| count).sum();
    read
}

/// A field that is a text, or a number where ids are numbers.
fn id(fields: &Fields, field: &str) -> Option<String> {
    match fields.get(field)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty() && !text.contains('\0')),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn needed_id(fields: &Fields, field: &str) -> Result<String, String> {
    let id = id(fields, field).ok_or_else(|| format!("{field} is missing"))?;
    if id.chars().count() > LONGEST_ID { Err(format!("{field} is longer than {LONGEST_ID} characters")) } else { Ok(id) }
}

fn text<'a>(fields: &'a Fields, field: &str) -> Option<&'a str> {
    fields.get(field).and_then(Value::as_str)
}

fn needed<'a>(fields: &'a Fields, field: &str) -> Result<&'a str, String> {
    text(fields, field).ok_or_else(|| format!("{field} is missing"))
}

/// A word of these, and nothing when the field is not there.
fn word<T: std::str::FromStr>(fields: &Fields, field: &str, known: &str) -> Result<Option<T>, String> {
    let parsed = text(fields, field).map(|word| word.parse().map_err(|_| format!("{field} is none of {known}")));
    parsed.transpose()
}

fn number(fields: &Fields) -> Result<PhoneNumber, String> {
    PhoneNumber::parse(needed(fields, "number")?).map_err(|_| "number is not one with + and country code, and no short code".to_owned())
}

fn short(fields: &Fields, field: &str) -> Result<String, String> {
    name(needed(fields, field)?).map_err(|_| format!("{field} is empty, longer than 80 characters, or on several lines"))
}

/// A text as it is stored: without what no database takes, and not endless.
fn long(text: &str, field: &str, most: usize) -> Result<String, String> {
    if text.chars().count() > most {
        return Err(format!("{field} is longer than {most} characters"));
    }
    Ok(text.chars().filter(|c| *c != '\0').collect())
}

fn moment(fields: &Fields, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let Some(at) = text(fields, "at") else { return Ok(None) };
    match Timestamp::from_rfc3339(at) {
        None => Err("at is no time such as 2026-11-21T05:20:11Z".to_owned()),
        Some(at) if at > now.plus(AHEAD) => Err("at lies in the future".to_owned()),
        Some(at) if at <= Timestamp(0) => Err("at lies before 1970".to_owned()),
        at => Ok(at),
    }
}

fn row(fields: &Fields, now: Timestamp) -> Result<(String, Found), String> {
    let kind = needed(fields, "type")?;
    let read = match kind {
        "line" => line,
        "contact" => contact,
        "conversation" => conversation,
        "message" => message,
        _ => return Err("type is none of line, contact, conversation, message".to_owned()),
    };
    Ok((needed_id(fields, "id")?, read(fields, now)?))
}

fn line(fields: &Fields, _: Timestamp) -> Result<Found, String> {
    let kind = match text(fields, "integration_type") {
        Some("none") => IntegrationType::None,
        Some("inbox") | None => IntegrationType::Inbox,
        Some(_) => return Err("integration_type is none of none, inbox; other types are set in the console afterwards".to_owned()),
    };
    Ok(Found::Line(OldLine(number(fields)?, short(fields, "label")?, kind)))
}

fn contact(fields: &Fields, _: Timestamp) -> Result<Found, String> {
    let note = long(text(fields, "note").unwrap_or_default().trim(), "note", LONGEST_NOTE)?;
    Ok(Found::Contact(OldContact(number(fields)?, short(fields, "name")?, note)))
}

fn conversation(fields: &Fields, now: Timestamp) -> Result<Found, String> {
    Ok(Found::Conversation(OldConversation { line: needed_id(fields, "line")?, number: number(fields)?, at: moment(fields, now)? }))
}

fn message(fields: &Fields, now: Timestamp) -> Result<Found, String> {
    let conversation = needed_id(fields, "conversation")?;
    let direction: Direction = word(fields, "direction", "inbound, outbound")?.ok_or("direction is missing")?;
    let (origin, state) = if direction == Direction::Inbound {
        (None, MessageState::Received)
    } else {
        let origin: Option<Origin> = word(fields, "origin", "agent, blast, api, responder, confirmation")?;
        let state = match text(fields, "state") {
            None | Some("delivered") => MessageState::Delivered,
            Some("accepted") => MessageState::Accepted,
            Some("failed") => MessageState::Failed,
            Some(_) => return Err("state is none of delivered, accepted, failed".to_owned()),
        };
        (Some(origin.unwrap_or(Origin::Api)), state)
    };
    let media: Vec<Media> = match fields.get("media") {
        None | Some(Value::Null) => Vec::new(),
        Some(media) => serde_json::from_value(media.clone()).map_err(|_| "media is no list of objects with url and content_type")?,
    };
    let media_length: usize = media.iter().map(|one| one.url.len() + one.content_type.len()).sum();
    if media_length > LONGEST_BODY || media.iter().any(|one| one.url.contains('\0') || one.content_type.contains('\0')) {
        return Err("media is too long, or holds what cannot be stored".to_owned());
    }
    let body = long(needed(fields, "body")?, "body", LONGEST_BODY)?;
    let at = moment(fields, now)?.ok_or("at is missing")?;
    Ok(Found::Message(conversation, OldMessage { direction, origin, state, at, body, media }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_238_411_000_000);

    fn reasons(text: &str) -> Vec<(i64, String)> {
        read(text, NOW).bad.into_iter().map(|bad| (bad.0, bad.3)).collect()
    }

    #[test]
    fn an_export_is_read_in_any_order_and_a_conversation_knows_its_last_message() {
        let text = r#"{"type":"message","id":1,"conversation":"c","direction":"inbound","body":"Hello","at":"2019-05-02T10:00:00Z"}

{"type":"conversation","id":"c","line":17,"number":"+12025550143","unknown":{"field":[]}}
{"type":"line","id":17,"number":"+12025550100","label":"Front desk","integration_type":"none"}
{"type":"contact","id":"k","number":"+12025550143","name":"Grace"}
{"type":"message","id":2,"conversation":"c","direction":"outbound","body":"Hello","at":"2019-05-02T09:00:00Z"}
{"type":"message","id":3,"conversation":"elsewhere","direction":"outbound","body":"Hello","at":"2019-05-02T09:00:00Z"}
"#;
        let read = read(text, NOW);
        assert_eq!(read.bad, []);
        let counts = (read.lines.len(), read.contacts.len(), read.conversations.len(), read.messages_found, read.strays);
        assert_eq!(counts, (1, 1, 1, 3, 1));
        assert_eq!(read.lines[0].2.2, IntegrationType::None);
        let conversation = &read.conversations[0];
        assert_eq!((conversation.0, conversation.2.line.as_str()), (3, "17"));
        assert_eq!(conversation.2.at, Timestamp::from_rfc3339("2019-05-02T10:00:00Z"));
        let messages: Vec<Item<(String, OldMessage)>> = serde_json::from_str(&read.messages[0].1).expect("as stored");
        assert_eq!(messages[1].2.1.state, MessageState::Delivered);
    }

    #[test]
    fn each_line_that_cannot_be_taken_says_why_and_where() {
        let text = r#"not json
[]
{"id":1}
{"type":"blast","id":1}
{"type":"line","number":"+12025550100","label":"Front desk"}
{"type":"line","id":1,"number":"2025550100","label":"Front desk"}
{"type":"line","id":1,"number":"+12025550100","label":"Front desk","integration_type":"ringcentral"}
{"type":"contact","id":1,"number":"+12025550143","name":""}
{"type":"conversation","id":1,"number":"+12025550143"}
{"type":"message","id":1,"conversation":1,"direction":"up","body":"","at":"2019-05-02T10:00:00Z"}
{"type":"message","id":1,"conversation":1,"direction":"inbound","body":""}
{"type":"message","id":1,"conversation":1,"direction":"outbound","body":"","state":"queued","at":"2019-05-02T10:00:00Z"}
{"type":"message","id":1,"conversation":1,"direction":"inbound","body":"","at":"2039-05-02T10:00:00Z"}
{"type":"contact","id":2,"number":"+12025550143","name":"Grace"}
{"type":"contact","id":2,"number":"+12025550144","name":"Ada"}
"#;
        let words = [
            "no JSON object",
            "no JSON object",
            "type is missing",
            "type is none of",
            "id is missing",
            "number is not one",
            "integration_type",
            "name is empty",
            "line is missing",
            "direction is none of",
            "at is missing",
            "state is none of",
            "future",
            "the same id stands on line 14",
        ];
        let found = reasons(text);
        assert_eq!(found.len(), words.len(), "{found:?}");
        for ((_, reason), word) in found.iter().zip(words) {
            assert!(reason.contains(word), "{reason}: {word}");
        }
        assert_eq!(found[13].0, 15);
    }
}
