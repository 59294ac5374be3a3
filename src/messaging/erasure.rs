//! What messaging has of one contact of an account, and its erasure. An opt-out stays, as a hash.

use super::inbound::list_as_stored;
use super::{consent, timeline};
use crate::clock::Now;
use crate::db::{Result, Tx, json};
use crate::types::{AccountId, ConversationId, LineId, MessageId, PhoneNumber};

/// What there is of a contact.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The conversations, on the lines that the account owns now.
    pub(crate) conversations: Vec<(LineId, ConversationId)>,
    /// Messages, in conversations and without.
    pub(crate) messages: i64,
    /// Those that wait to be sent.
    pub(crate) waiting: i64,
    /// Blasts of the account that are being recorded: the contact may be among the recipients.
    pub(crate) recording: i64,
    /// Group texts of others that name the contact.
    pub(crate) group_texts: Vec<(LineId, MessageId)>,
    /// Opt-outs.
    pub(crate) opt_outs: i64,
    /// A line is on its way to the account.
    pub(crate) transferring: bool,
}

/// Looks for what there is.
pub(crate) async fn look(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Result<Held> {
    let conversations: Vec<(LineId, ConversationId)> = tx
        .all(
            "select c.line_id, c.id
             from conversation c
             join line l on l.id = c.line_id
             where c.number = $2 and l.account_id = $1
             order by c.line_id, c.id",
            (account, number.clone()),
        )
        .await?;
    let (talked, waiting): (i64, i64) = tx
        .one(
            "select count(*), count(m.due_at)
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.conversation_id = unhex(j.value->>1, '-')",
            [json(&conversations)],
        )
        .await?;
    let (alone, waiting_alone): (i64, i64) = tx
        .one(
            "select count(*), count(m.due_at)
             from line l
             join message m on m.line_id = l.id and m.number = $2 and m.conversation_id is null
             where l.account_id = $1",
            (account, number.clone()),
        )
        .await?;
    let (recording,): (i64,) = tx
        .one(
            "select count(*) from blast b
             join line l on l.id = b.line_id
             where b.state in ('recording', 'scheduled', 'paused') and l.account_id = $1",
            [account],
        )
        .await?;
    let (opt_outs,): (i64,) = tx
        .one(
            "select count(*)
             from line l
             join consent c on c.line_id = l.id and c.number = $2 and c.state = 'opted_out'
             where l.account_id = $1",
            (account, number.clone()),
        )
        .await?;
    let group_texts: Vec<(LineId, MessageId)> = tx
        .all(
            "select m.line_id, m.id
             from line l
             join message m on m.line_id = l.id and m.others is not null
             where l.account_id = $1 and m.number <> $2 and m.others like $3",
            (account, number.clone(), naming(number)),
        )
        .await?;
    let (transferring,): (bool,) =
        tx.one("select count(*) > 0 from line where account_id = $1 and transfer_id is not null", [account]).await?;
    let (messages, waiting) = (talked + alone, waiting + waiting_alone);
    Ok(Held { transferring, conversations, messages, waiting, recording, group_texts, opt_outs })
}

/// What a list of numbers that names this one looks like.
pub(super) fn naming(number: &PhoneNumber) -> String {
    format!("%\"{}\"%", number.expose())
}

/// Takes the number out of these group texts.
async fn erase_from_group_texts(tx: &mut Tx, texts: &[(LineId, MessageId)], number: &PhoneNumber) -> Result<()> {
    let found: Vec<(LineId, MessageId, String)> = tx
        .all(
            "select m.line_id, m.id, m.others
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
             where m.others is not null",
            [json(texts)],
        )
        .await?;
    let without = |stored: String| {
        let mut left = timeline::others(Some(&stored));
        left.retain(|other| other != number);
        list_as_stored(&left)
    };
    let left: Vec<_> = found.into_iter().map(|(line, id, stored)| (line, id, without(stored))).collect();
    tx.run(
        "update message as m set others = j.value->>2
         from json_each($1) j
         where m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')",
        [json(&left)],
    )
    .await?;
    Ok(())
}

/// Erases it; what other rooms have of the conversations is gone already.
pub(crate) async fn erase(tx: &mut Tx, now: &Now, account: AccountId, number: &PhoneNumber, held: &Held) -> Result<()> {
    let keys = json(&held.conversations);
    tx.run(
        "delete from message
         where (line_id, conversation_id) in (select unhex(j.value->>0, '-'), unhex(j.value->>1, '-') from json_each($1) j)",
        [keys.clone()],
    )
    .await?;
    tx.run(
        "delete from message
         where conversation_id is null and number = $2 and line_id in (select id from line where account_id = $1)",
        (account, number.clone()),
    )
    .await?;
    tx.run(
        "delete from conversation where (line_id, id) in (select unhex(j.value->>0, '-'), unhex(j.value->>1, '-') from json_each($1) j)",
        [keys],
    )
    .await?;
    erase_from_group_texts(tx, &held.group_texts, number).await?;
    super::idempotency::forget_number(tx, account, number).await?;
    super::blast::forget_drafts(tx).await?;
    consent::erase(tx, now, account, number).await
}
