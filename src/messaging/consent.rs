//! Consent: STOP, START, HELP and their synonyms, for line and number, on every type of line. Opted-out wins until the contact
//! writes START. Keywords: CTIA Messaging Principles; 47 CFR 64.1200(a)(10) for what counts as revoking.

use crate::db::{Result, Tx};
use crate::types::{AccountId, LineId, PhoneNumber, Timestamp};
use std::collections::HashSet;

/// What a keyword asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// Who is this?
    Help,
}

/// The keyword that a message is, if it is one: the whole message, in any case, with spaces and closing signs dropped.
pub fn keyword(body: &str) -> Option<Keyword> {
    let word = body.trim().trim_end_matches(['.', '!', '?', '"']).trim_start_matches('"');
    if word.len() > 20 {
        return None;
    }
    match word.to_lowercase().replace('-', " ").as_str() {
        "stop" | "stopall" | "stop all" | "unsubscribe" | "cancel" | "end" | "quit" | "revoke" | "optout" | "opt out" => {
            Some(Keyword::Stop)
        }
        "start" | "unstop" | "yes" | "subscribe" | "optin" | "opt in" => Some(Keyword::Start),
        "help" | "info" => Some(Keyword::Help),
        _ => None,
    }
}

impl Keyword {
    /// The one answer that is sent.
    pub fn answer(self) -> &'static str {
        match self {
            Self::Stop => "You have been unsubscribed and will get no more messages from this number. Reply START to get them again.",
            Self::Start => "You are subscribed again. Reply STOP to get no more messages, HELP for help.",
            Self::Help => {
                "This number sends messages on behalf of a business. Reply STOP to get no more of them. Message and data rates may apply."
            }
        }
    }
}

/// Consent as it is written down.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Given(pub LineId, pub PhoneNumber, pub AccountId, pub &'static str, pub Timestamp);

/// Writes consent; the last one given for a number wins.
pub(super) async fn write(tx: &mut Tx, given: &[Given]) -> Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    tx.run(
        "insert into consent (line_id, number, account_id, state, source, at)
         select unhex(j.value->>0, '-'), j.value->>1, unhex(j.value->>2, '-'), j.value->>3, 'keyword', cast(j.value->>4 as bigint)
         from json_each($1) j
         where true
         on conflict (line_id, number) do update set state = excluded.state, source = excluded.source, at = excluded.at",
        [super::inbound::json(given)],
    )
    .await?;
    Ok(())
}

/// Which of these numbers have opted out of the line.
pub(super) async fn opted_out(tx: &mut Tx, line: LineId, numbers: &[PhoneNumber]) -> Result<HashSet<PhoneNumber>> {
    let rows: Vec<(PhoneNumber,)> = tx
        .all(
            "select c.number
             from json_each($2) j
             join consent c on c.line_id = $1 and c.number = j.value->>0 and c.state = 'opted_out'",
            (line, super::inbound::json(&numbers.iter().map(|n| [n]).collect::<Vec<_>>())),
        )
        .await?;
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_whole_messages() {
        for text in ["STOP", " stop ", "Stop.", "stop!", "UNSUBSCRIBE", "opt-out", "Quit"] {
            assert_eq!(keyword(text), Some(Keyword::Stop), "{text}");
        }
        assert_eq!(keyword("start"), Some(Keyword::Start));
        assert_eq!(keyword("Help"), Some(Keyword::Help));
        for text in ["", "please stop by at nine", "stopp", "don't stop", "yes please"] {
            assert_eq!(keyword(text), None, "{text}");
        }
    }
}
