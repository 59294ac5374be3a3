//! The lane's rows: holding, releasing in order, skipping. Every function runs in the transaction of what caused it.

use crate::clock::Now;
use crate::db::{Result, Sql, Tx, json};
use crate::types::{AccountId, Change, ConversationId, IntegrationType, LineId, MessageId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much of what is held a contact's reply releases; the post says how many it leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseWindow {
    /// It reaches back this far …
    pub reach: Duration,
    /// … and takes at most the newest so many.
    pub most: u16,
}

impl Default for ReleaseWindow {
    /// Ninety days, two hundred messages.
    fn default() -> Self {
        Self { reach: Duration::from_secs(90 * 24 * 60 * 60), most: 200 }
    }
}

/// Why what was not sent is skipped; what was sent after all is found by it.
const NOT_SENT: &str = "the message was not sent";

/// A message that RingCentral does not know of yet.
#[derive(Debug, Clone, Copy)]
pub struct Hold {
    /// The line.
    pub line_id: LineId,
    /// The account that owns it now.
    pub account_id: AccountId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
}

/// An incoming message on a RingCentral line.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The line.
    pub line_id: LineId,
    /// The account that owns it now.
    pub account_id: AccountId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// The automatic reply that follows it directly.
    pub reply: Option<MessageId>,
}

/// A lane's key; lanes are always locked in its order.
type Key = (LineId, ConversationId);

/// Finds or makes the lanes and takes their locks. What is only locked keeps all that an index is on: [`shift_by`] writes that once.
const LOCK_LANES: &str =
    "insert into lane (line_id, conversation_id, account_id, next_seq, held, queued, trouble, changed_at, fence, attempts, left_out,
       held_since)
     select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), 1, cast(j.value->>3 as bigint), 0,
       case when cast(j.value->>3 as bigint) > 0 then 1 else 0 end, cast(j.value->>4 as bigint), 0, 0, 0,
       case when cast(j.value->>3 as bigint) > 0 then cast(j.value->>4 as bigint) end
     from json_each($1) j
     where true
     on conflict (line_id, conversation_id) do update
     set account_id = excluded.account_id,
         held = lane.held + excluded.held,
         trouble = case when lane.trouble < excluded.trouble then excluded.trouble else lane.trouble end,
         held_since = coalesce(lane.held_since, excluded.held_since),
         changed_at = case when excluded.held > 0 then excluded.changed_at else lane.changed_at end
     returning line_id, conversation_id, next_seq, held";

/// Holds messages; it costs no RingCentral call.
///
/// # Errors
/// What the database says.
pub async fn hold(tx: &mut Tx, now: &Now, rows: &[Hold]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let entries: Vec<_> = rows.iter().map(|h| (h.line_id, h.message_id, h.account_id, h.conversation_id)).collect();
    tx.run(
        "insert into sync_entry (line_id, message_id, account_id, conversation_id, state, inbound, alone)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), unhex(j.value->>3, '-'), 'held', false, false
         from json_each($1) j",
        [json(&entries)],
    )
    .await?;
    let mut lanes: BTreeMap<Key, (AccountId, i64)> = BTreeMap::new();
    for h in rows {
        lanes.entry((h.line_id, h.conversation_id)).or_insert((h.account_id, 0)).1 += 1;
    }
    let at = now.at();
    let list: Vec<_> = lanes.into_iter().map(|((line, conversation), (account, held))| (line, conversation, account, held, at)).collect();
    let _: Vec<(LineId, ConversationId, i64, i64)> = tx.all(LOCK_LANES, [json(&list)]).await?;
    metrics::counter!("switchyard_messages_held_total").increment(rows.len() as u64);
    Ok(())
}

/// The carrier took these messages: they may be released with the contact's next reply.
///
/// # Errors
/// What the database says.
pub async fn releasable(tx: &mut Tx, at: Timestamp, messages: &[(LineId, MessageId)]) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    tx.run(
        "update sync_entry as e set accepted_at = $2
         from json_each($1) j
         where e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-') and e.accepted_at is null",
        (json(&messages), at),
    )
    .await?;
    Ok(())
}

/// These messages will never be sent: what is held or still queued of them is skipped.
///
/// # Errors
/// What the database says.
pub async fn not_sent(tx: &mut Tx, now: &Now, messages: &[(LineId, MessageId)]) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    // The lanes' locks first, as whoever releases or skips takes them.
    tx.run(
        "update lane as l set held = l.held
         from (select distinct e.line_id as its_line, e.conversation_id as its_conversation
               from json_each($1) j
               join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
               where e.state in ('held', 'queued')) d
         where l.line_id = d.its_line and l.conversation_id = d.its_conversation",
        [json(&messages)],
    )
    .await?;
    let held: Vec<Key> = tx
        .all(
            "update sync_entry as e set state = 'skipped', reason = $2
             from json_each($1) j
             where e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-') and e.state = 'held'
             returning line_id, conversation_id",
            (json(&messages), NOT_SENT.to_owned()),
        )
        .await?;
    let queued: Vec<Key> = tx
        .all(
            "update sync_entry as e set state = 'skipped', reason = $2
             from json_each($1) j
             where e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
               and e.state = 'queued' and e.intent_id is null
             returning line_id, conversation_id",
            (json(&messages), NOT_SENT.to_owned()),
        )
        .await?;
    let moves = held.into_iter().map(|key| (key, -1, 0)).chain(queued.into_iter().map(|key| (key, 0, -1)));
    shift(tx, now.at(), moves).await
}

/// What was taken for not sent, on lines that are set to RingCentral; they keep that type until the transaction ends.
const TAKEN_FOR_NOT_SENT: Sql = Sql {
    sqlite: "select e.line_id, e.message_id, e.conversation_id, l.account_id, e.seq is not null
             from json_each($1) j
             join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
             join line l on l.id = e.line_id
             where e.state = 'skipped' and e.reason = $2 and l.integration_type = 'ringcentral'
             order by e.line_id, e.conversation_id, e.message_id",
    postgres: "select e.line_id, e.message_id, e.conversation_id, l.account_id, e.seq is not null
               from json_each($1) j
               join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
               join line l on l.id = e.line_id
               where e.state = 'skipped' and e.reason = $2 and l.integration_type = 'ringcentral'
               order by e.line_id, e.conversation_id, e.message_id
               for share of l",
};

/// The carrier had these messages after all: what [`not_sent`] skipped of them comes back. What never had a place is held for the next
/// reply; what had one is queued at the end of its lane. On a line of another type it stays skipped, and can be restored by hand.
///
/// # Errors
/// What the database says.
pub async fn sent_after_all(tx: &mut Tx, now: &Now, messages: &[(LineId, MessageId)]) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let at = now.at();
    let skipped: Vec<(LineId, MessageId, ConversationId, AccountId, bool)> =
        tx.all(TAKEN_FOR_NOT_SENT, (json(&messages), NOT_SENT.to_owned())).await?;
    if skipped.is_empty() {
        return Ok(());
    }
    // The lanes' locks first: places are given under them.
    let lanes: BTreeMap<Key, AccountId> =
        skipped.iter().map(|(line, _, conversation, account, _)| ((*line, *conversation), *account)).collect();
    let list: Vec<_> = lanes.iter().map(|((line, conversation), account)| (line, conversation, account, 0, at)).collect();
    let locked: Vec<(LineId, ConversationId, i64, i64)> = tx.all(LOCK_LANES, [json(&list)]).await?;
    let mut next: BTreeMap<Key, i64> = locked.iter().map(|(line, conversation, seq, _)| ((*line, *conversation), *seq)).collect();
    let mut entries: Vec<(LineId, MessageId, Option<i64>)> = Vec::with_capacity(skipped.len());
    for (line, message, conversation, _, had_place) in skipped {
        let mut place = None;
        if had_place {
            let next = next.entry((line, conversation)).or_insert(1);
            place = Some(*next);
            *next += 1;
        }
        entries.push((line, message, place));
    }
    let back: Vec<(LineId, ConversationId, bool)> = tx
        .all(
            "update sync_entry as e
             set state = case when j.value->>2 is null then 'held' else 'queued' end, seq = cast(j.value->>2 as bigint), reason = null
             from json_each($1) j
             where e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-') and e.state = 'skipped'
             returning line_id, conversation_id, seq is not null",
            [json(&entries)],
        )
        .await?;
    let mut shifts: BTreeMap<Key, Shift> =
        next.into_iter().map(|(key, seq)| (key, Shift { next_seq: Some(seq), ..Shift::default() })).collect();
    for (line, conversation, is_queued) in back {
        shifts.entry((line, conversation)).or_default().add(i64::from(!is_queued), i64::from(is_queued));
    }
    shift_by(tx, at, shifts).await?;
    tx.tell(Change::LaneDue);
    Ok(())
}

/// What changes of a lane at once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shift {
    held: i64,
    queued: i64,
    left_out: i64,
    /// The place that is given next, if it changes.
    next_seq: Option<i64>,
    /// When what is queued is due, if that changes.
    due_at: Option<Timestamp>,
}

impl Shift {
    /// What is queued, if anything, is due then.
    pub(super) fn due(at: Timestamp) -> Self {
        Self { due_at: Some(at), ..Self::default() }
    }

    pub(super) fn add(&mut self, held: i64, queued: i64) {
        self.held += held;
        self.queued += queued;
    }
}

/// Adds to the counts of lanes; see [`shift_by`].
pub(super) async fn shift(tx: &mut Tx, at: Timestamp, moves: impl IntoIterator<Item = (Key, i64, i64)>) -> Result<()> {
    let mut shifts: BTreeMap<Key, Shift> = BTreeMap::new();
    for (key, held, queued) in moves {
        shifts.entry(key).or_default().add(held, queued);
    }
    shift_by(tx, at, shifts).await
}

/// Changes lanes, and derives from their counts what the Sync list sorts by and whether a worker is needed.
pub(super) async fn shift_by(tx: &mut Tx, at: Timestamp, shifts: BTreeMap<Key, Shift>) -> Result<()> {
    if shifts.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = shifts
        .into_iter()
        .map(|((line, conversation), s)| (line, conversation, s.held, s.queued, s.left_out, s.next_seq, s.due_at))
        .collect();
    tx.run(
        "update lane as l
         set held = l.held + d.held,
             queued = l.queued + d.queued,
             left_out = l.left_out + d.left_out,
             next_seq = coalesce(d.next_seq, l.next_seq),
             trouble = case when l.queued + d.queued > 0 then case when l.stalled_since is null then 2 else 3 end
                            when l.held + d.held > 0 then 1 else 0 end,
             stalled_since = case when l.queued + d.queued > 0 then l.stalled_since end,
             stalled_reason = case when l.queued + d.queued > 0 then l.stalled_reason end,
             due_at = case when l.queued + d.queued > 0 then coalesce(d.due_at, l.due_at, $2) end,
             held_since = case when l.held + d.held > 0 then coalesce(l.held_since, $2) end,
             queued_since = case when l.queued + d.queued > 0 then coalesce(l.queued_since, $2) end,
             changed_at = $2
         from (select unhex(j.value->>0, '-') as line_id, unhex(j.value->>1, '-') as conversation_id,
                 cast(j.value->>2 as bigint) as held, cast(j.value->>3 as bigint) as queued, cast(j.value->>4 as bigint) as left_out,
                 cast(j.value->>5 as bigint) as next_seq, cast(j.value->>6 as bigint) as due_at
               from json_each($1) j) d
         where l.line_id = d.line_id and l.conversation_id = d.conversation_id",
        (json(&rows), at),
    )
    .await?;
    Ok(())
}

/// Contacts wrote: what is releasable in their lanes and lies within the window is queued, in the order in which the carrier took it, and
/// each incoming message behind it, with its automatic reply directly following. The lanes' locks are held until the transaction ends.
///
/// # Errors
/// What the database says.
pub async fn arrive(tx: &mut Tx, now: &Now, window: ReleaseWindow, arrivals: &[Arrival]) -> Result<()> {
    if arrivals.is_empty() {
        return Ok(());
    }
    let at = now.at();
    let mut lanes: BTreeMap<Key, AccountId> = BTreeMap::new();
    for a in arrivals {
        lanes.insert((a.line_id, a.conversation_id), a.account_id);
    }
    let list: Vec<_> = lanes.iter().map(|((line, conversation), account)| (line, conversation, account, 0, at)).collect();
    let locked: Vec<(LineId, ConversationId, i64, i64)> = tx.all(LOCK_LANES, [json(&list)]).await?;
    let mut next: BTreeMap<Key, i64> = locked.iter().map(|(line, conversation, seq, _)| ((*line, *conversation), *seq)).collect();
    let mut shifts: BTreeMap<Key, Shift> = BTreeMap::new();

    let holding: Vec<(LineId, ConversationId, i64)> =
        locked.iter().filter(|(.., held)| *held > 0).map(|(line, conversation, seq, _)| (*line, *conversation, *seq)).collect();
    if !holding.is_empty() {
        for key in leave_out_old(tx, at, window, &holding).await? {
            let shift = shifts.entry(key).or_default();
            shift.add(-1, 0);
            shift.left_out += 1;
        }
        let released = release(tx, &holding).await?;
        metrics::counter!("switchyard_messages_released_total").increment(released.len() as u64);
        for (line, conversation, seq) in released {
            let key = (line, conversation);
            shifts.entry(key).or_default().add(-1, 1);
            let place = next.entry(key).or_insert(1);
            *place = (*place).max(seq + 1);
        }
    }

    let mut entries = Vec::with_capacity(arrivals.len());
    for a in arrivals {
        let key = (a.line_id, a.conversation_id);
        let place = next.entry(key).or_insert(1);
        for (message, inbound) in [(Some(a.message_id), 1), (a.reply, 0)] {
            let Some(message) = message else { continue };
            entries.push((a.line_id, message, a.account_id, a.conversation_id, inbound, *place));
            *place += 1;
            shifts.entry(key).or_default().add(0, 1);
        }
    }
    tx.run(
        "insert into sync_entry (line_id, message_id, account_id, conversation_id, state, inbound, seq, alone)
         select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), unhex(j.value->>3, '-'), 'queued',
           cast(j.value->>4 as bigint) = 1, cast(j.value->>5 as bigint), false
         from json_each($1) j",
        [json(&entries)],
    )
    .await?;
    for (key, place) in next {
        shifts.entry(key).or_default().next_seq = Some(place);
    }
    shift_by(tx, at, shifts).await?;
    tx.tell(Change::LaneDue);
    Ok(())
}

/// Skips what lies before the window, so that a release stays short; the post says how many it leaves out. What staff restored goes out all
/// the same, and takes nobody's room: of what is held they alone make something go `alone`.
async fn leave_out_old(tx: &mut Tx, at: Timestamp, window: ReleaseWindow, lanes: &[(LineId, ConversationId, i64)]) -> Result<Vec<Key>> {
    tx.all(
        "update sync_entry as e set state = 'skipped', reason = 'older than what a release reaches back to'
         from (select s.line_id as its_line, s.message_id as its_message, s.accepted_at as its_time,
                 row_number() over (partition by s.line_id, s.conversation_id order by s.accepted_at desc, s.message_id desc) as age
               from json_each($1) j
               join sync_entry s on s.line_id = unhex(j.value->>0, '-') and s.conversation_id = unhex(j.value->>1, '-')
               where s.state = 'held' and s.accepted_at is not null and not s.alone) r
         where e.line_id = r.its_line and e.message_id = r.its_message and (r.age > $2 or r.its_time < $3)
         returning line_id, conversation_id",
        (json(&lanes), i64::from(window.most), at.minus(window.reach)),
    )
    .await
}

/// Queues what is releasable, each with its place.
async fn release(tx: &mut Tx, lanes: &[(LineId, ConversationId, i64)]) -> Result<Vec<(LineId, ConversationId, i64)>> {
    tx.all(
        "update sync_entry as e set state = 'queued', seq = r.place
         from (select s.line_id as its_line, s.message_id as its_message,
                 cast(j.value->>2 as bigint) - 1
                   + row_number() over (partition by s.line_id, s.conversation_id order by s.accepted_at, s.message_id) as place
               from json_each($1) j
               join sync_entry s on s.line_id = unhex(j.value->>0, '-') and s.conversation_id = unhex(j.value->>1, '-')
               where s.state = 'held' and s.accepted_at is not null) r
         where e.line_id = r.its_line and e.message_id = r.its_message
         returning line_id, conversation_id, seq",
        [json(&lanes)],
    )
    .await
}

/// What staff skip of a lane at once: all that is held, and what of ours is queued without a call under way. What the contact wrote keeps its
/// place: agents would never see it. Says which were held, and which were queued.
///
/// # Errors
/// What the database says.
pub(super) async fn skip_waiting(tx: &mut Tx, at: Timestamp, key: Key, why: String) -> Result<(Vec<MessageId>, Vec<MessageId>)> {
    let (line, conversation) = key;
    lock(tx, key).await?;
    let held: Vec<(MessageId,)> = tx
        .all(
            "update sync_entry set state = 'skipped', reason = $3, skipped_at = $4
             where line_id = $1 and conversation_id = $2 and state = 'held'
             returning message_id",
            (line, conversation, why.clone(), at),
        )
        .await?;
    let queued: Vec<(MessageId,)> = tx
        .all(
            "update sync_entry set state = 'skipped', reason = $3, skipped_at = $4
             where line_id = $1 and conversation_id = $2 and state = 'queued' and not inbound and intent_id is null
             returning message_id",
            (line, conversation, why, at),
        )
        .await?;
    if !(held.is_empty() && queued.is_empty()) {
        shift(tx, at, [(key, -counted(&held), -counted(&queued))]).await?;
    }
    let ids = |rows: Vec<(MessageId,)>| rows.into_iter().map(|(id,)| id).collect();
    Ok((ids(held), ids(queued)))
}

/// What [`skip_waiting`] skipped at this moment and nobody has restored since, in its order, each with whether it had a place. The lane's
/// lock is held until the transaction ends.
///
/// # Errors
/// What the database says.
pub(super) async fn skipped_together(tx: &mut Tx, key: Key, since: Timestamp) -> Result<Vec<(MessageId, bool)>> {
    lock(tx, key).await?;
    tx.all(
        "select message_id, seq is not null
         from sync_entry
         where line_id = $1 and conversation_id = $2 and skipped_at = $3 and state = 'skipped' and intent_id is null
         order by seq, message_id",
        (key.0, key.1, since),
    )
    .await
}

/// Skipped messages come back: what never had a place is held for the next reply; what had one is queued at the end of its lane, in the
/// order given. Says how many are held, and how many queued. The lane's lock is held already.
///
/// # Errors
/// What the database says.
pub(super) async fn bring_back(
    tx: &mut Tx,
    at: Timestamp,
    key: Key,
    account: AccountId,
    messages: &[(MessageId, bool)],
) -> Result<(i64, i64)> {
    let (line, conversation) = key;
    let places = messages.iter().filter(|(_, had_place)| *had_place).count();
    let (mut next,): (i64,) = tx
        .one(
            "update lane set next_seq = next_seq + $3, account_id = $4
             where line_id = $1 and conversation_id = $2
             returning next_seq - $3",
            (line, conversation, i64::try_from(places).unwrap_or(i64::MAX), account),
        )
        .await?;
    let mut entries: Vec<(MessageId, Option<i64>)> = Vec::with_capacity(messages.len());
    for (message, had_place) in messages {
        entries.push((*message, had_place.then_some(next)));
        next += i64::from(*had_place);
    }
    let back: Vec<(bool,)> = tx
        .all(
            "update sync_entry as e
             set state = case when j.value->>1 is null then 'held' else 'queued' end, seq = cast(j.value->>1 as bigint), reason = null,
               skipped_at = null
             from json_each($2) j
             where e.line_id = $1 and e.message_id = unhex(j.value->>0, '-') and e.state = 'skipped' and e.intent_id is null
             returning seq is not null",
            (line, json(&entries)),
        )
        .await?;
    let queued = i64::try_from(back.iter().filter(|(is_queued,)| *is_queued).count()).unwrap_or(i64::MAX);
    let held = counted(&back) - queued;
    shift(tx, at, [(key, held, queued)]).await?;
    tx.tell(Change::LaneDue);
    Ok((held, queued))
}

/// Takes a lane's lock: places are given, and intents are written, under it.
async fn lock(tx: &mut Tx, (line, conversation): Key) -> Result<()> {
    tx.run("update lane set held = held where line_id = $1 and conversation_id = $2", (line, conversation)).await.map(|_| ())
}

fn counted<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// The line leaves RingCentral: held messages become skipped, in the transaction that changes its type. Says how many.
///
/// # Errors
/// What the database says.
pub async fn skip_held_of_line(tx: &mut Tx, at: Timestamp, line: LineId, to: IntegrationType) -> Result<u64> {
    // The lanes' locks come before those of their messages; the line's own keeps anything more from being held.
    tx.run(
        "update lane set held = 0, held_since = null, trouble = case when trouble = 1 then 0 else trouble end, changed_at = $2
         where line_id = $1 and held > 0",
        (line, at),
    )
    .await?;
    tx.run(
        "update sync_entry set state = 'skipped', reason = $2, skipped_at = $3 where line_id = $1 and state = 'held'",
        (line, format!("the line's type was set to {}", to.name()), at),
    )
    .await
}

/// The line's leaving at `since` is taken back: what it skipped is held again. Says how many.
///
/// # Errors
/// What the database says.
pub(crate) async fn hold_again(tx: &mut Tx, at: Timestamp, line: LineId, since: Timestamp) -> Result<u64> {
    tx.run(
        "update lane as l
         set held = l.held + d.held,
             trouble = case when l.trouble = 0 then 1 else l.trouble end,
             held_since = coalesce(l.held_since, d.first, $3),
             changed_at = $3
         from (select e.conversation_id as its_conversation, count(*) as held, min(e.accepted_at) as first
               from sync_entry e
               where e.line_id = $1 and e.skipped_at = $2 and e.state = 'skipped'
               group by e.conversation_id) d
         where l.line_id = $1 and l.conversation_id = d.its_conversation",
        (line, since, at),
    )
    .await?;
    tx.run(
        "update sync_entry set state = 'held', reason = null, skipped_at = null
         where line_id = $1 and skipped_at = $2 and state = 'skipped'",
        (line, since),
    )
    .await
}
