//! The v1 Migration: lines, contacts, conversations and messages of the platform's first version, from an export in JSON Lines, into an
//! account. docs/v1-export.md says what an export holds.
//!
//! The rule: what is good goes in, what is bad is listed with its line number and the reason, and nothing goes in twice: `v1_record` tells
//! what was taken over as what, and a message's id is made of its line, of its time and of the id that it had. When all is in, each row is
//! recounted.

mod file;
mod plan;
mod recount;

use super::{Asking, Batch, Leave, Proposal, Stop, Utility, Work, beside, cells, pieces};
use crate::db::{Result as Done, Tx, json};
use crate::directory::{accounts, lines, v1 as directory};
use crate::messaging::consent::erased_contacts;
use crate::messaging::v1::{self as messaging, OldMessage, Thread};
use crate::staff::{Member, may};
use crate::types::{
    AccountId, ConversationId, FieldKind, FormField, IntegrationType, LineId, MessageId, Permission, PhoneNumber, Problem, Timestamp,
    UtilityAbout, UtilityKind,
};
use async_trait::async_trait;
use file::{Bad, Item, OldConversation};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The utility.
#[derive(Debug)]
pub struct V1Migration;

/// An export is not larger than this.
const MOST: u64 = 100_000_000;

const UNREADABLE: &str = "unreadable";
const LINES: &str = "lines";
const CONTACTS: &str = "contacts";
const CONVERSATIONS: &str = "conversations";
const MESSAGES: &str = "messages";

/// The steps that recount those, in the same order.
const CHECKS: [&str; 5] = ["check_unreadable", "check_lines", "check_contacts", "check_conversations", "check_messages"];
/// Stands before the name of the step that is recounted.
const CHECK: &str = "check_";

/// The columns of the result.
const COLUMNS: &[&str] = &["row", "type", "id", "reason"];

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parameters {
    account: AccountId,
    /// Of each step the first piece, and the one behind the last.
    pieces: Vec<(String, i64, i64)>,
    /// It is recounted, and pieces are forgotten then. Runs that were planned before there was a recount forget them when they are done.
    #[serde(default)]
    recounted: bool,
}

impl Parameters {
    /// The pieces of a step.
    fn range(&self, step: &str) -> (i64, i64) {
        self.pieces.iter().find(|(name, ..)| name == step).map_or((0, 0), |(_, from, to)| (*from, *to))
    }
}

/// How far a step is: the next piece, and what was counted until now.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Place {
    piece: i64,
    rows: i64,
    added: i64,
    bad: i64,
}

/// What came of a piece.
#[derive(Debug, Default)]
struct Came {
    rows: usize,
    added: u64,
    bad: Vec<Bad>,
}

fn holds(account: AccountId) -> String {
    format!("account:{account}")
}

/// Reads an export as a plan does, and does nothing with it: the numbers of the lines that can be taken, messages behind all others and as
/// they are stored; and those of the lines that cannot, as they stand in the file.
///
/// # Errors
/// `Invalid` when it is no text.
pub fn read_file(bytes: Vec<u8>, now: Timestamp) -> Result<(Vec<i64>, Vec<i64>), Problem> {
    let read = file::read(&super::text_of(bytes)?, now);
    let mut taken: Vec<i64> = read.lines.iter().map(|line| line.0).collect();
    taken.extend(read.contacts.iter().map(|contact| contact.0));
    taken.extend(read.conversations.iter().map(|conversation| conversation.0));
    for (_, piece) in &read.messages {
        let piece: Vec<Item<(String, OldMessage)>> = serde_json::from_str(piece).unwrap_or_default();
        taken.extend(piece.iter().map(|message| message.0));
    }
    Ok((taken, read.bad.into_iter().map(|bad| bad.0).collect()))
}

#[async_trait]
impl Utility for V1Migration {
    fn about(&self) -> UtilityAbout {
        UtilityAbout {
            kind: UtilityKind::V1Migration,
            name: "v1 Migration".to_owned(),
            does: "Takes lines, contacts, conversations and messages of the platform’s first version into an account, from an export."
                .to_owned(),
            notes: vec![
                "It is history: nothing is sent to anybody, and nothing is posted into RingCentral.".to_owned(),
                "It can be run again, with the same export or a newer one: nothing is taken over twice.".to_owned(),
                "Rows that cannot be taken are listed in the result with their line number and the reason; the others go in.".to_owned(),
                "At the end every row is recounted against what is stored.".to_owned(),
            ],
            permission: Permission::MigrateFromV1,
            is_reversible: false,
            fields: vec![
                FormField::new("account", "Into account", "The account that gets them.", FieldKind::Account),
                FormField::new(
                    "file",
                    "Export",
                    "A v1 export in JSON Lines, UTF-8. A larger one can be split between any two lines.",
                    FieldKind::File { most: MOST, accept: ".jsonl,.ndjson,.json,application/x-ndjson".to_owned() },
                ),
            ],
        }
    }

    fn leave(&self, member: &Member) -> Result<Leave, Problem> {
        Ok(Leave::of(&member.permit::<may::MigrateFromV1>()?))
    }

    async fn plan(&self, asking: &Asking<'_>) -> Result<Proposal, Problem> {
        plan::plan(asking).await
    }

    async fn still_holds(&self, tx: &mut Tx, work: &Work<'_>) -> Result<(), Stop> {
        let p = Parameters::deserialize(work.parameters).map_err(super::unreadable)?;
        if beside::is_busy(tx, p.account, &holds(p.account), true).await? {
            return Err(beside::stop());
        }
        let closed: Option<(bool,)> = tx.opt("select closed_at is not null from account where id = $1", [p.account]).await?;
        if closed.is_none_or(|(closed,)| closed) {
            return Err(Stop::fault("The account was closed since the plan.", "Have it reopened, then resume from here."));
        }
        Ok(())
    }

    fn piece(&self) -> Option<i64> {
        Some(super::count(pieces::ROWS))
    }

    async fn batch(&self, tx: &mut Tx, work: &Work<'_>) -> Result<Batch, Stop> {
        let p = Parameters::deserialize(work.parameters).map_err(super::unreadable)?;
        if let Some(step) = work.step.strip_prefix(CHECK) {
            return recount::batch(tx, work, &p, step).await;
        }
        let range = p.range(work.step);
        let mut place = match work.place {
            Some(place) => pieces::read(place)?,
            None => Place { piece: range.0, ..Place::default() },
        };
        let n = place.piece;
        let (mut rows, mut is_done) = (0, true);
        if let Some(mut piece) = pieces::take(tx, work, n, n).await? {
            let came = match work.step {
                UNREADABLE => Came::bad(piece.rows(work)?),
                LINES => take_lines(tx, work, p.account, piece.rows(work)?).await?,
                CONTACTS => take_contacts(tx, work, p.account, piece.rows(work)?).await?,
                CONVERSATIONS => take_conversations(tx, work, p.account, piece.rows(work)?).await?,
                _ => take_messages(tx, p.account, piece.rows(work)?).await?,
            };
            let mut text = piece.begin(n, COLUMNS);
            for Bad(row, kind, id, reason) in &came.bad {
                cells::add_row(&mut text, &[&row.to_string(), kind, id, reason]);
            }
            pieces::settle(tx, work, &piece, n, text, (!p.recounted).then_some(n)).await?;
            rows = super::count(came.rows);
            place.rows += rows;
            place.added += i64::try_from(came.added).unwrap_or(i64::MAX);
            place.bad += super::count(came.bad.len());
            is_done = piece.is_last();
        }
        place.piece += i64::from(is_done);
        if place.piece < range.1 {
            return Ok(Batch { rows, place: Some(json(&place)), ..Batch::default() });
        }
        let batch = Batch::last(rows);
        Ok(if work.step == UNREADABLE { batch } else { batch.saying(place.sentence(work.step)) })
    }
}

impl Place {
    fn sentence(&self, step: &str) -> String {
        let Self { rows, added, bad, .. } = self;
        let mut name = step.to_owned();
        name[..1].make_ascii_uppercase();
        format!("{name}: {added} added, {} there already, {bad} could not be taken.", rows - added - bad)
    }
}

impl Came {
    fn bad(bad: Vec<Bad>) -> Self {
        Self { rows: bad.len(), added: 0, bad }
    }

    /// A row that cannot be taken.
    fn leave_out<T>(&mut self, kind: &str, Item(row, id, _): &Item<T>, reason: &str) {
        self.bad.push(Bad(*row, kind.to_owned(), id.clone(), reason.to_owned()));
    }
}

/// What was taken over before under these ids.
async fn known(
    tx: &mut Tx,
    account: AccountId,
    kind: &'static str,
    ids: impl Iterator<Item = &str>,
) -> Done<HashMap<String, (Uuid, Option<LineId>)>> {
    let ids: HashSet<[&str; 1]> = ids.map(|id| [id]).collect();
    let found: Vec<(String, Uuid, Option<LineId>)> = tx
        .all(
            "select v.v1_id, v.v2_id, v.v2_line
             from v1_record v
             where v.account_id = $2 and v.kind = $3 and v.v1_id in (select j.value->>0 from json_each($1) j)",
            (json(&ids), account, kind),
        )
        .await?;
    Ok(found.into_iter().map(|(v1_id, v2_id, v2_line)| (v1_id, (v2_id, v2_line))).collect())
}

/// Writes down what was taken over as what.
async fn remember(tx: &mut Tx, account: AccountId, kind: &'static str, taken: &[(&str, Uuid, Option<LineId>)]) -> Done<()> {
    tx.run(
        "insert into v1_record (account_id, kind, v1_id, v2_id, v2_line)
         select $2, $3, j.value->>0, unhex(j.value->>1, '-'), unhex(j.value->>2, '-')
         from json_each($1) j
         where true
         on conflict (account_id, kind, v1_id) do nothing",
        (json(taken), account, kind),
    )
    .await?;
    Ok(())
}

async fn take_lines(tx: &mut Tx, work: &Work<'_>, account: AccountId, rows: Vec<Item<directory::OldLine>>) -> Result<Came, Stop> {
    let mut came = Came { rows: rows.len(), ..Came::default() };
    let before = known(tx, account, "line", rows.iter().map(|row| row.1.as_str())).await?;
    let new: Vec<_> = rows.iter().filter(|row| !before.contains_key(&row.1)).collect();
    // The account may have lost a product since the plan.
    let types: Vec<IntegrationType> = IntegrationType::ALL.iter().copied().filter(|of| new.iter().any(|row| row.2.2 == *of)).collect();
    let mut lacking = Vec::with_capacity(types.len());
    for of in types {
        lacking.extend(accounts::lacking_now(tx, account, of).await?.map(|lacks| (of, lacks)));
    }
    let lines: Vec<_> = new.iter().map(|row| &row.2).collect();
    let became = directory::take_lines(tx, work.now, &work.asked_by, account, &lines).await?;
    let mut taken = Vec::new();
    for (row, became) in new.into_iter().zip(became) {
        match became {
            directory::Line::Made(id) => {
                if let Some((_, lacks)) = lacking.iter().find(|(of, _)| *of == row.2.2) {
                    return Err(Stop::fault(lacks.clone(), "Add the product to the account, then resume from here."));
                }
                came.added += 1;
                taken.push((row.1.as_str(), id.0, None));
            }
            directory::Line::Known(id) => taken.push((row.1.as_str(), id.0, None)),
            directory::Line::Foreign => came.leave_out("line", row, "the number is a line of another account"),
        }
    }
    remember(tx, account, "line", &taken).await?;
    Ok(came)
}

async fn take_contacts(tx: &mut Tx, work: &Work<'_>, account: AccountId, rows: Vec<Item<directory::OldContact>>) -> Result<Came, Stop> {
    let mut came = Came { rows: rows.len(), ..Came::default() };
    // One that was taken over before was named here since: as long as it is there it stays as it is.
    let before = known(tx, account, "contact", rows.iter().map(|row| row.1.as_str())).await?;
    let named: Vec<&PhoneNumber> = rows.iter().filter(|row| before.contains_key(&row.1)).map(|row| &row.2.0).collect();
    let there = directory::numbers_known(tx, account, &named).await?;
    let gone = erased(tx, account, rows.iter().map(|row| &row.2.0)).await?;
    let mut new = Vec::new();
    for row in &rows {
        if gone.contains(&row.2.0) {
            came.leave_out("contact", row, WAS_ERASED);
        } else if !before.contains_key(&row.1) || !there.contains(&row.2.0) {
            new.push(row);
        }
    }
    let contacts: Vec<_> = new.iter().map(|row| &row.2).collect();
    came.added = directory::take_contacts(tx, work.now, account, &contacts).await?;
    let taken: Vec<_> = new.iter().map(|row| (row.1.as_str(), stand_in(account, &row.1), None)).collect();
    remember(tx, account, "contact", &taken).await?;
    Ok(came)
}

const WAS_ERASED: &str = "its contact was erased here";

/// Which of these numbers are of contacts who were erased here: whatever an export calls them, and whenever it is taken, they stay so.
async fn erased(tx: &mut Tx, account: AccountId, numbers: impl Iterator<Item = &PhoneNumber>) -> Done<HashSet<PhoneNumber>> {
    let numbers: Vec<PhoneNumber> = numbers.cloned().collect();
    erased_contacts(tx, account, &numbers).await
}

/// Stands for what has no id here; it is nobody else's.
fn stand_in(account: AccountId, v1_id: &str) -> Uuid {
    messaging::message_id(account.0, v1_id, Timestamp(0)).0
}

/// Which of these lines belong to the account, until the transaction ends.
async fn of_account(tx: &mut Tx, account: AccountId, wanted: BTreeSet<LineId>) -> Result<HashSet<LineId>, Stop> {
    let mut theirs = HashSet::new();
    // In one order everywhere, so that two transactions cannot wait for each other.
    for line in wanted {
        match lines::hold(tx, line).await? {
            // Messages of before would be recounted as if they had come along.
            Some((owner, true)) if owner == account => {
                return Err(Stop::fault("A line of the account is being transferred.", "Resume from here when the transfer is done."));
            }
            Some((owner, false)) if owner == account => {
                theirs.insert(line);
            }
            _ => {}
        }
    }
    Ok(theirs)
}

const MOVED: &str = "the line belongs to another account now";
const IS_GONE: &str = "it was taken over before, and is not there any more";

async fn take_conversations(tx: &mut Tx, work: &Work<'_>, account: AccountId, rows: Vec<Item<OldConversation>>) -> Result<Came, Stop> {
    let mut came = Came { rows: rows.len(), ..Came::default() };
    let before = known(tx, account, "conversation", rows.iter().map(|row| row.1.as_str())).await?;
    let lines = known(tx, account, "line", rows.iter().map(|row| row.2.line.as_str())).await?;
    let places: Vec<_> = before.values().filter_map(|(id, line)| Some(((*line)?, ConversationId(*id)))).collect();
    let of_either = lines.values().map(|(line, _)| LineId(*line)).chain(places.iter().map(|(line, _)| *line));
    let theirs = of_account(tx, account, of_either.collect()).await?;
    let threads = messaging::threads(tx, &places).await?;
    let gone = erased(tx, account, rows.iter().map(|row| &row.2.number)).await?;
    let (mut new, mut gone_with) = (Vec::new(), Vec::new());
    for row in &rows {
        let line = lines.get(&row.2.line).map(|(line, _)| LineId(*line));
        if gone.contains(&row.2.number) {
            came.leave_out("conversation", row, WAS_ERASED);
            // That it is known and not there says the same of its messages.
            gone_with.extend(line.map(|line| (row.1.as_str(), stand_in(account, &row.1), Some(line))));
            continue;
        }
        if let Some((id, on)) = before.get(&row.1) {
            // What became of one whose line has moved is known elsewhere.
            if on.is_some_and(|line| theirs.contains(&line)) && !threads.contains_key(&ConversationId(*id)) {
                came.leave_out("conversation", row, IS_GONE);
            }
            continue;
        }
        match line {
            None => came.leave_out("conversation", row, "its line is not known: no row of type line with that id was taken"),
            Some(line) if !theirs.contains(&line) => came.leave_out("conversation", row, MOVED),
            Some(line) => new.push((row, line)),
        }
    }
    let wanted: Vec<_> = new.iter().map(|(row, line)| (*line, row.2.number.clone(), row.2.at.unwrap_or_else(|| work.now.at()))).collect();
    let ids = messaging::take_conversations(tx, work.now, account, &wanted).await?;
    let taken: Vec<_> =
        new.iter().filter_map(|(row, line)| Some((row.1.as_str(), ids.get(&(*line, row.2.number.clone()))?.0, Some(*line)))).collect();
    remember(tx, account, "conversation", &taken).await?;
    remember(tx, account, "conversation", &gone_with).await?;
    came.added = u64::try_from(taken.len()).unwrap_or(u64::MAX);
    Ok(came)
}

/// The ids by which an earlier version of this program may have taken these messages over, when the line was this account's or another's:
/// it made them of the account.
async fn earlier_ids(
    tx: &mut Tx,
    account: AccountId,
    messages: &[(&str, &Thread, &OldMessage)],
) -> Done<Vec<(usize, (LineId, MessageId))>> {
    let lines: BTreeSet<[LineId; 1]> = messages.iter().map(|(_, thread, _)| [thread.line]).collect();
    let moves: Vec<(LineId, AccountId, AccountId)> = tx
        .all(
            "select r.line_id, r.account_id, r.target_id
             from utility_run r
             where r.line_id in (select unhex(j.value->>0, '-') from json_each($1) j) and r.flipped_at is not null
               and r.account_id is not null and r.target_id is not null",
            [json(&lines)],
        )
        .await?;
    let mut owners: HashMap<LineId, BTreeSet<AccountId>> = lines.iter().map(|[line]| (*line, [account].into())).collect();
    for (line, from, to) in moves {
        owners.entry(line).or_default().extend([from, to]);
    }
    let mut ids = Vec::new();
    for (n, (v1_id, thread, message)) in messages.iter().enumerate() {
        for owner in owners.get(&thread.line).into_iter().flatten() {
            ids.push((n, (thread.line, messaging::message_id(owner.0, v1_id, message.at))));
        }
    }
    Ok(ids)
}

/// Which of these messages an earlier version of this program took over.
async fn taken_before(tx: &mut Tx, account: AccountId, messages: &[(&str, &Thread, &OldMessage)]) -> Done<HashSet<usize>> {
    let ids = earlier_ids(tx, account, messages).await?;
    let there = messaging::there(tx, &ids.iter().map(|(_, id)| *id).collect::<Vec<_>>()).await?;
    Ok(ids.into_iter().filter(|(_, id)| there.contains_key(id)).map(|(n, _)| n).collect())
}

async fn take_messages(tx: &mut Tx, account: AccountId, rows: Vec<Item<(String, OldMessage)>>) -> Result<Came, Stop> {
    let mut came = Came { rows: rows.len(), ..Came::default() };
    let known = known(tx, account, "conversation", rows.iter().map(|row| row.2.0.as_str())).await?;
    let places: Vec<_> = known.values().filter_map(|(id, line)| Some(((*line)?, ConversationId(*id)))).collect();
    let theirs = of_account(tx, account, places.iter().map(|(line, _)| *line).collect()).await?;
    let threads = messaging::threads(tx, &places).await?;
    let mut messages = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some((id, line)) = known.get(&row.2.0) else {
            came.leave_out("message", row, "its conversation is not known: no row of type conversation with that id was taken");
            continue;
        };
        match threads.get(&ConversationId(*id)) {
            _ if !line.is_some_and(|line| theirs.contains(&line)) => came.leave_out("message", row, MOVED),
            None => came.leave_out("message", row, WAS_ERASED),
            Some(thread) => messages.push((row.1.as_str(), thread, &row.2.1)),
        }
    }
    let before = taken_before(tx, account, &messages).await?;
    let new = messages.into_iter().enumerate().filter(|(n, _)| !before.contains(n));
    let messages: Vec<_> =
        new.map(|(_, (v1_id, thread, message))| (messaging::message_id(thread.line.0, v1_id, message.at), thread, message)).collect();
    came.added = messaging::take_messages(tx, account, &messages).await?;
    Ok(came)
}
