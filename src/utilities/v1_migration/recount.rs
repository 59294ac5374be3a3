//! The recount of a migration: each row of the export that was not left out has what it says in the account.
//!
//! The rule: nothing is written. What hangs on a line that belongs to another account by now is passed by.

use super::file::{Bad, Item, OldConversation};
use super::{CONTACTS, CONVERSATIONS, LINES, Parameters, UNREADABLE, earlier_ids, known};
use crate::db::{Result as Done, Tx};
use crate::directory::v1::{self as directory, OldContact, OldLine};
use crate::messaging::v1::{self as messaging, OldMessage, Thread};
use crate::types::{AccountId, ConversationId, LineId, PhoneNumber};
use crate::utilities::recount::{Came, Part, Recount, WITHOUT_OUTCOME};
use crate::utilities::{Batch, Stop, Work};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The rows of a piece of what this step took over.
pub(super) async fn batch(tx: &mut Tx, work: &Work<'_>, p: &Parameters, step: &str) -> Result<Batch, Stop> {
    let mut recount = Recount::go_on(tx, work, p.range(step), 1).await?;
    let (n, account) = (recount.piece(), p.account);
    let what = match step {
        UNREADABLE => {
            if let Some(Part { rows, came, .. }) = recount.part::<Bad>(tx, work, n).await? {
                recount.differ(WITHOUT_OUTCOME, rows.iter().filter(|bad| !matches!(came.of(bad.0), Came::One(_))).count());
            }
            "Rows that cannot be taken"
        }
        LINES => {
            if let Some(part) = recount.part::<Item<OldLine>>(tx, work, n).await? {
                let rows = good(&mut recount, part);
                let lost = lost_lines(tx, account, &rows).await?;
                recount.differ_beyond_the_file("Lines that are not there", lost);
            }
            "Lines"
        }
        CONTACTS => {
            if let Some(part) = recount.part::<Item<OldContact>>(tx, work, n).await? {
                let rows = good(&mut recount, part);
                let numbers: Vec<&PhoneNumber> = rows.iter().map(|row| &row.2.0).collect();
                let there = directory::numbers_known(tx, account, &numbers).await?;
                recount.differ("Contacts that are not there", rows.iter().filter(|row| !there.contains(&row.2.0)).count());
            }
            "Contacts"
        }
        CONVERSATIONS => {
            if let Some(part) = recount.part::<Item<OldConversation>>(tx, work, n).await? {
                let rows = good(&mut recount, part);
                let places = Places::of(tx, account, rows.iter().map(|row| row.1.as_str())).await?;
                let lost = rows.iter().filter(|row| matches!(places.place(&row.1), Place::Nowhere)).count();
                recount.differ_beyond_the_file("Conversations that are not there", lost);
            }
            "Conversations"
        }
        _ => {
            if let Some(part) = recount.part::<Item<(String, OldMessage)>>(tx, work, n).await? {
                let rows = good(&mut recount, part);
                messages(tx, account, &mut recount, &rows).await?;
            }
            "Messages"
        }
    };
    recount.settle(tx, work, what).await
}

/// The rows that were not left out.
fn good<T>(recount: &mut Recount, part: Part<Item<T>>) -> Vec<Item<T>> {
    let Part { rows, came, is_whole } = part;
    if !is_whole {
        recount.differ(WITHOUT_OUTCOME, rows.len());
        return Vec::new();
    }
    let (mut good, mut several) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        match came.of(row.0) {
            Came::Nothing => good.push(row),
            Came::One(_) => {}
            Came::Several => several += 1,
        }
    }
    recount.differ(WITHOUT_OUTCOME, several);
    good
}

async fn lost_lines(tx: &mut Tx, account: AccountId, rows: &[Item<OldLine>]) -> Done<usize> {
    let known = known(tx, account, "line", rows.iter().map(|row| row.1.as_str())).await?;
    let ids: Vec<LineId> = known.values().map(|(id, _)| LineId(*id)).collect();
    let owners = directory::owners(tx, &ids).await?;
    let is_lost = |v1_id: &str| known.get(v1_id).is_none_or(|(id, _)| !owners.contains_key(&LineId(*id)));
    Ok(rows.iter().filter(|row| is_lost(&row.1)).count())
}

/// Where conversations are that were taken over.
struct Places {
    account: AccountId,
    known: HashMap<String, (Uuid, Option<LineId>)>,
    owners: HashMap<LineId, AccountId>,
    threads: HashMap<ConversationId, Thread>,
}

/// Where one is.
enum Place<'a> {
    There(&'a Thread),
    /// Its line belongs to another account, which knows what became of it.
    Elsewhere,
    Nowhere,
}

impl Places {
    async fn of(tx: &mut Tx, account: AccountId, v1_ids: impl Iterator<Item = &str>) -> Done<Self> {
        let known = known(tx, account, "conversation", v1_ids).await?;
        let places: Vec<_> = known.values().filter_map(|(id, line)| Some(((*line)?, ConversationId(*id)))).collect();
        let lines: Vec<LineId> = places.iter().map(|(line, _)| *line).collect();
        let owners = directory::owners(tx, &lines).await?;
        let threads = messaging::threads(tx, &places).await?;
        Ok(Self { account, known, owners, threads })
    }

    fn place(&self, v1_id: &str) -> Place<'_> {
        let Some((id, Some(line))) = self.known.get(v1_id) else { return Place::Nowhere };
        match self.threads.get(&ConversationId(*id)) {
            _ if self.owners.get(line).is_some_and(|owner| *owner != self.account) => Place::Elsewhere,
            Some(thread) => Place::There(thread),
            None => Place::Nowhere,
        }
    }
}

/// Each message stands in its conversation, which was written in last no earlier than that.
async fn messages(tx: &mut Tx, account: AccountId, recount: &mut Recount, rows: &[Item<(String, OldMessage)>]) -> Done<()> {
    let places = Places::of(tx, account, rows.iter().map(|row| row.2.0.as_str())).await?;
    let (mut wanted, mut lost) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        match places.place(&row.2.0) {
            Place::There(thread) => wanted.push((row.1.as_str(), thread, &row.2.1)),
            Place::Elsewhere => {}
            Place::Nowhere => lost += 1,
        }
    }
    let mut ids = earlier_ids(tx, account, &wanted).await?;
    let made = wanted.iter().enumerate();
    ids.extend(made.map(|(n, (v1_id, of, message))| (n, (of.line, messaging::message_id(of.line.0, v1_id, message.at)))));
    let there = messaging::there(tx, &ids.iter().map(|(_, id)| *id).collect::<Vec<_>>()).await?;
    // Of each, the conversation in which it stands.
    let mut found: HashMap<usize, Option<ConversationId>> = HashMap::new();
    for (n, id) in &ids {
        found.extend(there.get(id).map(|stands_in| (*n, *stands_in)));
    }
    let (mut astray, mut late) = (0, HashSet::new());
    for (n, (_, thread, message)) in wanted.iter().enumerate() {
        match found.get(&n) {
            None => lost += 1,
            Some(stands_in) if *stands_in != Some(thread.conversation) => astray += 1,
            Some(_) if thread.last_at < message.at => {
                late.insert(thread.conversation);
            }
            Some(_) => {}
        }
    }
    recount.differ("Messages that are not in their conversation", lost);
    recount.differ_beyond_the_file("Messages that stand in another conversation, under the id that they had", astray);
    recount.differ_beyond_the_file("Conversations whose newest message is newer than they say", late.len());
    Ok(())
}
