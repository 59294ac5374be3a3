//! What sync owns of a line, and how it follows the line to another account.
//!
//! The rule: from the flip on nothing of the line is posted into a chat of the old account. Lanes with something to deliver, or held, change
//! hands in the flip, and their workers lose their leases; lanes that are in sync follow in batches, since nothing reads whose they are.

use crate::clock::Now;
use crate::db::{Result, Tx};
use crate::directory::transfer::{Fate, LineTable, Moving, moving};
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
    LineTable {
        table: "line_members",
        fate: Fate::Follows,
        how: "the members of the line's chats are looked at anew: those of the old account are taken out, and come back with the line",
    },
];

/// How they move.
pub(crate) const MOVING: &[Moving] = &[LANE, SYNC_ENTRY, INTENT, AGENT_POST];

const LANE: Moving = moving!(id "lane", "Lanes", key "conversation_id", settled false, holds "concat_ws('|', conversation_id)");

const SYNC_ENTRY: Moving =
    moving!(id "sync_entry", "Deliveries", key "message_id", settled true, holds "concat_ws('|', message_id, conversation_id)");

const INTENT: Moving = moving!(
    id "intent", "Posts",
    key "id",
    settled true,
    holds "concat_ws('|', id, conversation_id, connection_id, chat_id, reference)"
);

const AGENT_POST: Moving = moving!(
    text "agent_post", "Posts of agents",
    key "post_id",
    settled false,
    holds "concat_ws('|', post_id, conversation_id, chat_id, creator_id, outcome)"
);

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
