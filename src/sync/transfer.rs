//! What sync owns of a line, and how it follows the line to another account.
//!
//! The rule: from the flip on nothing of the line is posted into a chat of the old account. Lanes with something to deliver, or held, change
//! hands in the flip, and their workers lose their leases; lanes that are in sync follow in batches, since nothing reads whose they are.

use crate::clock::Now;
use crate::db::{Result, Sql, Tx};
use crate::directory::transfer::{Fate, LineTable, Moving};
use crate::types::{AccountId, Change, LineId};

/// Sync's entries of the list of what a line owns.
pub(crate) const TABLES: &[LineTable] = &[
    LineTable { table: "lane", fate: Fate::Moves, how: "those with something held or queued at the flip, the others in batches" },
    LineTable {
        table: "sync_entry",
        fate: Fate::Moves,
        how: "in batches; what is held stays held, and is delivered into chats of the new account",
    },
    LineTable {
        table: "intent",
        fate: Fate::Moves,
        how: "in batches; one that is open is settled against the connection and the chat that it names",
    },
    LineTable { table: "agent_post", fate: Fate::Moves, how: "in batches" },
    LineTable {
        table: "chat",
        fate: Fate::Stays,
        how: "tells which conversation a chat of the old account showed, so that who writes there gets a notice",
    },
    LineTable { table: "notice", fate: Fate::Follows, how: "words to agents are posted where they were meant for" },
    LineTable { table: "line_members", fate: Fate::Follows, how: "the members of the line's chats are looked at anew" },
];

/// How they move.
pub(crate) const MOVING: &[Moving] = &[LANE, SYNC_ENTRY, INTENT, AGENT_POST];

const LANE: Moving = Moving {
    table: "lane",
    title: "Lanes",
    check: "check_lane",
    first: "00000000000000000000000000000000",
    last: None,
    is_settled: false,
    range: Sql {
        sqlite: "select count(*) as found, nullif(lower(hex(max(k))), '') as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                   cast(coalesce(group_concat(holds, char(10)), '') as blob) as content
                 from (select conversation_id as k, account_id <> $4 as other,
                         conversation_id as holds
                       from lane where line_id = $1 and conversation_id > unhex($2, '-') and conversation_id <= unhex($3, '-') order by conversation_id limit $5)",
        postgres: "select count(*) as found, max(k::text) as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                     convert_to(coalesce(string_agg(holds, chr(10) order by k), ''), 'UTF8') as content
                   from (select conversation_id as k, case when account_id <> $4 then 1 else 0 end as other,
                           conversation_id::text as holds
                         from lane where line_id = $1 and conversation_id > unhex($2, '-') and conversation_id <= unhex($3, '-') order by conversation_id limit $5) r",
    },
    give: "update lane set account_id = $4 where line_id = $1 and conversation_id > unhex($2, '-') and conversation_id <= unhex($3, '-') and account_id <> $4",
};

const SYNC_ENTRY: Moving = Moving {
    table: "sync_entry",
    title: "Deliveries",
    check: "check_sync_entry",
    first: "00000000000000000000000000000000",
    last: None,
    is_settled: true,
    range: Sql {
        sqlite: "select count(*) as found, nullif(lower(hex(max(k))), '') as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                   cast(coalesce(group_concat(holds, char(10)), '') as blob) as content
                 from (select message_id as k, account_id <> $4 as other,
                         message_id || '|' || conversation_id as holds
                       from sync_entry where line_id = $1 and message_id > unhex($2, '-') and message_id <= unhex($3, '-') order by message_id limit $5)",
        postgres: "select count(*) as found, max(k::text) as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                     convert_to(coalesce(string_agg(holds, chr(10) order by k), ''), 'UTF8') as content
                   from (select message_id as k, case when account_id <> $4 then 1 else 0 end as other,
                           message_id::text || '|' || conversation_id::text as holds
                         from sync_entry where line_id = $1 and message_id > unhex($2, '-') and message_id <= unhex($3, '-') order by message_id limit $5) r",
    },
    give: "update sync_entry set account_id = $4 where line_id = $1 and message_id > unhex($2, '-') and message_id <= unhex($3, '-') and account_id <> $4",
};

const INTENT: Moving = Moving {
    table: "intent",
    title: "Posts",
    check: "check_intent",
    first: "00000000000000000000000000000000",
    last: None,
    is_settled: true,
    range: Sql {
        sqlite: "select count(*) as found, nullif(lower(hex(max(k))), '') as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                   cast(coalesce(group_concat(holds, char(10)), '') as blob) as content
                 from (select id as k, account_id <> $4 as other,
                         id || '|' || conversation_id || '|' || connection_id || '|' || chat_id || '|' || reference as holds
                       from intent where line_id = $1 and id > unhex($2, '-') and id <= unhex($3, '-') order by id limit $5)",
        postgres: "select count(*) as found, max(k::text) as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                     convert_to(coalesce(string_agg(holds, chr(10) order by k), ''), 'UTF8') as content
                   from (select id as k, case when account_id <> $4 then 1 else 0 end as other,
                           id::text || '|' || conversation_id::text || '|' || connection_id::text || '|' || chat_id || '|' || reference as holds
                         from intent where line_id = $1 and id > unhex($2, '-') and id <= unhex($3, '-') order by id limit $5) r",
    },
    give: "update intent set account_id = $4 where line_id = $1 and id > unhex($2, '-') and id <= unhex($3, '-') and account_id <> $4",
};

const AGENT_POST: Moving = Moving {
    table: "agent_post",
    title: "Posts of agents",
    check: "check_agent_post",
    first: "",
    last: Some("~"),
    is_settled: false,
    range: Sql {
        sqlite: "select count(*) as found, max(k) as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                   cast(coalesce(group_concat(holds, char(10)), '') as blob) as content
                 from (select post_id as k, account_id <> $4 as other,
                         post_id || '|' || conversation_id || '|' || chat_id || '|' || creator_id || '|' || outcome as holds
                       from agent_post where line_id = $1 and post_id > $2 and post_id <= $3 order by post_id limit $5)",
        postgres: "select count(*) as found, max(k) as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                     convert_to(coalesce(string_agg(holds, chr(10) order by k), ''), 'UTF8') as content
                   from (select post_id as k, case when account_id <> $4 then 1 else 0 end as other,
                           post_id || '|' || conversation_id::text || '|' || chat_id || '|' || creator_id || '|' || outcome as holds
                         from agent_post where line_id = $1 and post_id > $2 and post_id <= $3 order by post_id limit $5) r",
    },
    give: "update agent_post set account_id = $4 where line_id = $1 and post_id > $2 and post_id <= $3 and account_id <> $4",
};

/// Lanes with something held or queued are the new account's at once: they show in its lists alone, and whoever works one at this moment
/// finds that the lease is lost. What was called before is settled where it was called. Says how many there were.
///
/// # Errors
/// What the database says.
pub(crate) async fn flip(tx: &mut Tx, now: &Now, line: LineId, to: AccountId) -> Result<u64> {
    let moved = tx
        .run(
            "update lane
             set account_id = $2, fence = fence + 1, lease_until = null, due_at = case when queued > 0 then cast($3 as bigint) end
             where line_id = $1 and trouble > 0",
            (line, to, now.at()),
        )
        .await?;
    super::access_changed(tx, now.at(), line).await?;
    tx.tell(Change::LaneDue);
    Ok(moved)
}
