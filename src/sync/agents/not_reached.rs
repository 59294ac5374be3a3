//! What of an agent's reply did not come to the contact is told in the chat where it was written.

use crate::clock::Now;
use crate::db::{Result, Tx, json};
use crate::sync::notice;
use crate::types::{ConnectionId, LineId, MessageId, Timestamp};

/// Why what an agent wrote did not come to the contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReached {
    /// The contact opted out before it was sent.
    OptedOut,
    /// The contact opted out when it had been tried; an answer of the carrier's was lost.
    OptedOutSince,
    /// The carrier did not take it.
    Refused,
    /// The carrier gave no clear answer for too long.
    Unanswered,
    /// The carrier took it, and it did not arrive.
    Undelivered,
}

impl NotReached {
    /// What the agent reads, of a reply that we saw at that time.
    fn words(self, seen_at: Timestamp) -> String {
        let (what, then) = match self {
            Self::OptedOut => ("was not sent: the contact has opted out of text messages", "Write it again when they have written START."),
            Self::OptedOutSince => (
                "may not have reached the contact, who has opted out of text messages since",
                "Nothing more is sent until they write START.",
            ),
            Self::Refused => ("was not sent: the carrier refused it", "Write it in other words, or call the contact."),
            Self::Unanswered => {
                ("may not have reached the contact: for a day the carrier gave no clear answer", "Write it again, or call the contact.")
            }
            Self::Undelivered => {
                ("did not reach the contact: the carrier could not deliver it", "Write it again later, or call the contact.")
            }
        };
        format!("Your reply of {} UTC {what}. {then}", seen_at.minute())
    }
}

/// Tells agents, each in the chat where they wrote it, that these messages of theirs did not come to the contact.
///
/// # Errors
/// What the database says.
pub async fn reply_did_not_arrive(tx: &mut Tx, now: &Now, replies: &[(LineId, MessageId, NotReached)]) -> Result<()> {
    if replies.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = replies.iter().map(|(line, message, _)| (line, message)).collect();
    let written: Vec<(LineId, MessageId, ConnectionId, String, Timestamp)> = tx
        .all(
            "select e.line_id, e.message_id, p.connection_id, p.chat_id, p.seen_at
             from json_each($1) j
             join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
             join agent_post p on p.line_id = e.line_id and p.post_id = e.post_id
             order by e.message_id",
            [json(&keys)],
        )
        .await?;
    for (line, message, connection, chat, seen_at) in written {
        let Some((.., why)) = replies.iter().find(|(of, id, _)| (*of, *id) == (line, message)) else { continue };
        notice::write(tx, now, line, connection, &chat, &why.words(seen_at)).await?;
    }
    Ok(())
}
