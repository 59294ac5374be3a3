//! What sync has of conversations that are erased: their lanes, entries, chats and what agents wrote. What stands in RingCentral stays
//! there; we say which.

use crate::clock::Now;
use crate::db::{Result, Tx, json};
use crate::types::{ConversationId, LineId, MessageId};
use std::collections::BTreeSet;

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct InSync {
    /// Messages held.
    pub(crate) held: i64,
    /// Messages, posts and calls that are on their way.
    pub(crate) under_way: i64,
    /// Posts in RingCentral.
    pub(crate) posts: i64,
    /// The chats that they stand in.
    pub(crate) chats: Vec<String>,
}

/// Looks for what there is of these conversations, and of group texts in others that name the contact.
pub(crate) async fn look_for_erasure(
    tx: &mut Tx,
    now: &Now,
    conversations: &[(LineId, ConversationId)],
    group_texts: &[(LineId, MessageId)],
) -> Result<InSync> {
    let keys = json(conversations);
    let (held, lanes): (i64, i64) = tx
        .one(
            "select cast(coalesce(sum(n.held), 0) as bigint),
               count(case when n.queued > 0 or n.lease_until > $2 or n.chat_asked_at is not null then 1 end)
             from json_each($1) j
             join lane n on n.line_id = unhex(j.value->>0, '-') and n.conversation_id = unhex(j.value->>1, '-')",
            (keys.clone(), now.at()),
        )
        .await?;
    let (calls,): (i64,) = tx
        .one(
            "select count(*)
             from json_each($1) j
             join intent i on i.line_id = unhex(j.value->>0, '-') and i.conversation_id = unhex(j.value->>1, '-')
             where i.state = 'open' or i.watch_at is not null",
            [keys.clone()],
        )
        .await?;
    let (notices,): (i64,) = tx
        .one(
            "select count(*)
             from json_each($1) j
             join chat c on c.line_id = unhex(j.value->>0, '-') and c.conversation_id = unhex(j.value->>1, '-')
             join notice n on n.line_id = c.line_id and n.connection_id = c.connection_id and n.chat_id = c.chat_id
             where n.due_at is not null",
            [keys.clone()],
        )
        .await?;
    let (posts,): (i64,) = tx
        .one(
            "select count(distinct e.post_id)
             from json_each($1) j
             join message m on m.line_id = unhex(j.value->>0, '-') and m.conversation_id = unhex(j.value->>1, '-')
             join sync_entry e on e.line_id = m.line_id and e.message_id = m.id
             where e.state = 'posted'",
            [keys.clone()],
        )
        .await?;
    let chats: Vec<(String,)> = tx
        .all(
            "select distinct c.chat_id
             from json_each($1) j
             join chat c on c.line_id = unhex(j.value->>0, '-') and c.conversation_id = unhex(j.value->>1, '-')
             order by c.chat_id",
            [keys],
        )
        .await?;
    let named: Vec<(String, String)> = tx
        .all(
            "select distinct e.post_id, c.chat_id
             from json_each($1) j
             join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
             join chat c on c.line_id = e.line_id and c.conversation_id = e.conversation_id
             where e.state = 'posted' and e.post_id is not null",
            [json(group_texts)],
        )
        .await?;
    let of_others: BTreeSet<&String> = named.iter().map(|(post, _)| post).collect();
    let posts = posts + i64::try_from(of_others.len()).unwrap_or(i64::MAX);
    let chats: BTreeSet<String> = chats.into_iter().map(|(chat,)| chat).chain(named.iter().map(|(_, chat)| chat.clone())).collect();
    Ok(InSync { held, under_way: lanes + calls + notices, posts, chats: chats.into_iter().collect() })
}

/// Erases it. The messages are still there, and go afterwards.
pub(crate) async fn erase(tx: &mut Tx, conversations: &[(LineId, ConversationId)]) -> Result<()> {
    let keys = json(conversations);
    tx.run(
        "delete from agent_post
         where (line_id, post_id) in (
           select e.line_id, e.post_id
           from json_each($1) j
           join message m on m.line_id = unhex(j.value->>0, '-') and m.conversation_id = unhex(j.value->>1, '-')
           join sync_entry e on e.line_id = m.line_id and e.message_id = m.id
           where e.post_id is not null)",
        [keys.clone()],
    )
    .await?;
    tx.run(
        "delete from agent_post
         where outcome <> 'sent'
           and (line_id, conversation_id) in (select unhex(j.value->>0, '-'), unhex(j.value->>1, '-') from json_each($1) j)",
        [keys.clone()],
    )
    .await?;
    tx.run(
        "delete from sync_entry
         where (line_id, message_id) in (
           select m.line_id, m.id
           from json_each($1) j
           join message m on m.line_id = unhex(j.value->>0, '-') and m.conversation_id = unhex(j.value->>1, '-'))",
        [keys.clone()],
    )
    .await?;
    tx.run(
        "delete from notice
         where (line_id, connection_id, chat_id) in (
           select c.line_id, c.connection_id, c.chat_id
           from json_each($1) j
           join chat c on c.line_id = unhex(j.value->>0, '-') and c.conversation_id = unhex(j.value->>1, '-'))",
        [keys.clone()],
    )
    .await?;
    tx.run(
        "delete from intent
         where (line_id, conversation_id) in (select unhex(j.value->>0, '-'), unhex(j.value->>1, '-') from json_each($1) j)",
        [keys.clone()],
    )
    .await?;
    tx.run(
        "delete from chat
         where (line_id, conversation_id) in (select unhex(j.value->>0, '-'), unhex(j.value->>1, '-') from json_each($1) j)",
        [keys.clone()],
    )
    .await?;
    tx.run(
        "delete from lane
         where (line_id, conversation_id) in (select unhex(j.value->>0, '-'), unhex(j.value->>1, '-') from json_each($1) j)",
        [keys],
    )
    .await?;
    Ok(())
}
