//! Sync: what RingCentral knows of, what it does not, and the lanes that deliver in between.
//!
//! The rules of this room: a held message costs no call; a message's place in its lane is its sequence number, given once, for
//! good; an intent is committed before each call; nothing that was held disappears: it is posted, or kept as skipped or failed
//! with the reason. A worker's writes carry the fence of its lease, and a stale one changes nothing.

mod agents;
mod bulk;
mod compare;
pub mod compose;
mod engine;
mod erasure;
mod find;
mod lane;
mod limits;
mod members;
mod needs;
mod notice;
mod of_line;
mod retention;
mod search;
mod skip_held;
mod staff_acts;
mod timeline;
pub(crate) mod transfer;
mod view;
mod waiting;

pub use agents::{Agents, NotReached, reply_did_not_arrive};
pub(crate) use bulk::{lane_of, look as look_for_bulk, look_at_held};
pub use compare::compare;
pub use engine::{Claim, Engine, EngineConfig, Next, Prepared};
pub(crate) use erasure::{erase, look_for_erasure};
pub use find::{find, forget_old_searches, found, found_more};
pub(crate) use lane::hold_again;
pub use lane::{Arrival, Hold, ReleaseWindow, arrive, hold, not_sent, releasable, sent_after_all, skip_held_of_line};
pub(crate) use limits::limits_changed;
pub use members::{access_changed, people_changed};
pub(crate) use needs::oldest_stalled;
pub use of_line::{conversations_narrowed, conversations_of_line};
pub(crate) use retention::{count_held_before, skip_held_before, text_is_removed};
pub(crate) use search::{conversations_by_name, conversations_by_number};
pub use skip_held::skip_held;
pub(crate) use skip_held::{restore_skipped, skip_held_of_one};
pub(crate) use staff_acts::retry_one;
pub use staff_acts::{restore, retry_now, skip};
pub use timeline::{stretch, timeline, unsent_posts, untold};
pub(crate) use view::waiting_of_lines;
pub use view::{Backlog, LineCounts, backlog, counts, counts_of_line, find_conversation, list, waiting_of_account};
pub use waiting::waiting;

use crate::types::Problem;

/// What is said of a conversation that is not there or out of scope: the same, so that nobody learns which.
pub(crate) fn no_such_conversation() -> Problem {
    Problem::not_found("There is no such conversation, or its line belongs to an account that you do not look after.")
}
