//! The limits of a connection were changed: whatever waits to be delivered is looked at again at once, in the order of its arrival; what
//! waits after a failure, too, since it may wait for leave by now.
//!
//! The rule: a lane that somebody holds is left alone, and a call whose end is not known is still waited for.

use crate::db::{Result, Sql, Tx};
use crate::types::{AccountId, Change, Timestamp};

/// Lanes that wait, all due now, each a microsecond behind the one before it.
const ASK_AGAIN: Sql = Sql {
    sqlite: "update lane as l
             set due_at = $2 - d.place
             from (select n.line_id as its_line, n.conversation_id as its_conversation,
                     row_number() over (order by n.queued_since desc, n.line_id desc, n.conversation_id desc) - 1 as place
                   from lane n
                   where n.account_id = $1 and n.trouble > 0 and n.trouble >= 2 and n.due_at > $2
                     and (n.lease_until is null or n.lease_until <= $2)) d
             where l.line_id = d.its_line and l.conversation_id = d.its_conversation",
    postgres: "update lane as l
               set due_at = $2 - d.place
               from (select n.line_id, n.conversation_id,
                       row_number() over (order by n.queued_since desc, n.line_id desc, n.conversation_id desc) - 1 as place
                     from (select w.line_id, w.conversation_id, w.queued_since
                           from lane w
                           where w.account_id = $1 and w.trouble > 0 and w.trouble >= 2 and w.due_at > $2
                             and (w.lease_until is null or w.lease_until <= $2)
                           for update of w skip locked) n) d
               where l.line_id = d.line_id and l.conversation_id = d.conversation_id",
};

/// Has the account's lanes that wait for their time looked at now: the limits that they wait for are others.
///
/// # Errors
/// What the database says.
pub(crate) async fn limits_changed(tx: &mut Tx, at: Timestamp, account: AccountId) -> Result<()> {
    tx.run(ASK_AGAIN, (account, at)).await?;
    tx.tell(Change::LaneDue);
    Ok(())
}
