//! What messaging owns of a line, and how it follows the line to another account.

use crate::clock::Now;
use crate::db::{Result, Sql, Tx, json};
use crate::directory::transfer::{Fate, LineTable, Moving, moving};
use crate::types::{AccountId, BlastId, BlastState, ConversationId, LineId, PhoneNumber, RunId, Timestamp};
use std::collections::{HashMap, HashSet};

/// Messaging's entries of the list of what a line owns.
pub(crate) const TABLES: &[LineTable] = &[
    LineTable {
        table: "consent",
        fate: Fate::Moves,
        how: "who has opted out at the flip, the others in batches, reset if that is asked for",
    },
    LineTable { table: "consent_event", fate: Fate::Moves, how: "all that was ever said comes along" },
    LineTable {
        table: "erased_opt_out",
        fate: Fate::Moves,
        how: "who was erased and had opted out is not texted by the new account either",
    },
    LineTable { table: "conversation", fate: Fate::Moves, how: "in batches" },
    LineTable { table: "message", fate: Fate::Moves, how: "in batches" },
    LineTable {
        table: "blast",
        fate: Fate::Moves,
        how: "what was sent stays with the line's history; what has not started is paused or cancelled",
    },
    LineTable { table: "blast_chunk", fate: Fate::Follows, how: "recipients belong to their blast" },
];

/// How they move.
pub(crate) const MOVING: &[Moving] = &[CONSENT, ERASED, CONVERSATION, MESSAGE, CONSENT_EVENT, BLAST];

const CONSENT: Moving = moving!(text "consent", "Consents", key "number", settled false, holds "concat_ws('|', number, state, source, coalesce(evidence, ''), at)");

const ERASED: Moving = moving!(text "erased_opt_out", "Opt-outs of erased contacts", key "number_hash", settled false, holds "concat_ws('|', number_hash, at)");

const CONVERSATION: Moving = moving!(id "conversation", "Conversations", key "id", settled true, holds "concat_ws('|', id, number)");

const MESSAGE: Moving = moving!(
    id "message", "Messages",
    key "id",
    settled true,
    holds "concat_ws('|', id, conversation_id, number, direction, coalesce(origin, ''), body, coalesce(others, ''), coalesce(media, ''),
                     created_at, blast_id)"
);

const BLAST: Moving = moving!(id "blast", "Blasts", key "id", settled false, holds "concat_ws('|', id, body, recipients)");

// A number has several: a range ends behind all of them. What was said up to the flip never changes, and is read again at the end.
const CONSENT_EVENT: Moving = Moving {
    table: "consent_event",
    title: "History of consent",
    check: "check_consent_event",
    first: "",
    last: Some("~"),
    is_settled: false,
    keeps_its_past: true,
    range: Sql {
        sqlite: "select count(*) as found, max(k) as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                   cast(coalesce(group_concat(holds, char(10)), '') as blob) as content
                 from (select number as k, account_id <> $4 as other,
                         case when id <= (select r.watermark from line l join utility_run r on r.id = l.transfer_id where l.id = $1)
                           then number || '|' || id || '|' || state || '|' || source || '|' || coalesce(evidence, '') || '|' || at
                         end as holds
                       from consent_event
                       where line_id = $1 and number > $2 and number <= (
                         select max(number) from (
                           select distinct number from consent_event where line_id = $1 and number > $2 and number <= $3
                           order by number limit $5) n)
                       order by number, id)",
        postgres: "select count(*) as found, max(k) as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                     sha256(convert_to(coalesce(string_agg(holds, chr(10) order by holds), ''), 'UTF8')) as content
                   from (select number as k, case when account_id <> $4 then 1 else 0 end as other,
                           case when id <= (select r.watermark from line l join utility_run r on r.id = l.transfer_id where l.id = $1)
                             then number || '|' || id::text || '|' || state || '|' || source || '|' || coalesce(evidence, '') || '|'
                               || at::text
                           end as holds
                         from consent_event
                       where line_id = $1 and number > $2 and number <= (
                         select max(number) from (
                           select distinct number from consent_event where line_id = $1 and number > $2 and number <= $3
                           order by number limit $5) n)
                       order by number, id) r",
    },
    give: "update consent_event set account_id = $4 where line_id = $1 and number > $2 and number <= $3 and account_id <> $4",
};

/// Who has opted out has opted out of the line: that changes hands with it, in the same moment.
///
/// # Errors
/// What the database says.
pub(crate) async fn flip(tx: &mut Tx, line: LineId, to: AccountId) -> Result<u64> {
    tx.run("update consent set account_id = $2 where line_id = $1 and state = 'opted_out'", (line, to)).await
}

/// How many numbers of a line, behind this one and up to that one, have opted out in the last that their history says, and do not stand as
/// opted out: nothing in the history says what stands.
///
/// # Errors
/// What the database says.
pub(crate) async fn turned(tx: &mut Tx, line: LineId, behind: String, up_to: String) -> Result<i64> {
    let (turned,): (i64,) = tx
        .one(
            "select count(*) from consent_event e
             where e.line_id = $1 and e.number > $2 and e.number <= $3 and e.state = 'opted_out'
               and not exists (select 1 from consent_event b where b.line_id = $1 and b.number = e.number and b.id > e.id)
               and not exists (
                 select 1 from consent c
                 where c.line_id = $1 and c.number = e.number
                   and (c.state = 'opted_out' or exists (
                     select 1 from consent_event s
                     where s.line_id = $1 and s.number = c.number and s.state = c.state and s.at = c.at)))",
            (line, behind, up_to),
        )
        .await?;
    Ok(turned)
}

/// Takes back what contacts opted in to before the line changed hands, one batch behind a number: the new owner asks anew. Who has opted
/// out is left alone; a test takes that guard out. What stood is the last that the history says before it: where it is not, since something
/// older came in late, it is said again. Answers how many, and the last number.
///
/// # Errors
/// What the database says.
pub(crate) async fn reset_opt_ins(
    tx: &mut Tx,
    now: &Now,
    (line, account): (LineId, AccountId),
    (run, flipped_at): (RunId, Timestamp),
    behind: &str,
    size: i64,
    guarded: bool,
) -> Result<(i64, Option<String>)> {
    let numbers: Vec<(String,)> = tx
        .all(
            "select number from consent
             where line_id = $1 and number > $2 and ((state = 'opted_in' and at <= $5) or not $4)
             order by number
             limit $3",
            (line, behind.to_owned(), size, guarded, flipped_at),
        )
        .await?;
    let Some((last,)) = numbers.last().cloned() else { return Ok((0, None)) };
    // Somebody may have said something else since they were read: only what goes is on record as gone.
    let stood: Vec<Said> = tx
        .all(
            "delete from consent
             where line_id = $1 and number in (select j.value->>0 from json_each($2) j) and ((state = 'opted_in' and at <= $4) or not $3)
             returning number, state, source, evidence, at",
            (line, json(&numbers), guarded, flipped_at),
        )
        .await?;
    let last_said: Vec<Said> = tx
        .all(
            "select e.number, e.state, e.source, e.evidence, e.at
             from consent_event e
             where e.line_id = $1 and e.number in (select j.value->>0 from json_each($2) j) and e.id = (
               select b.id from consent_event b where b.line_id = $1 and b.number = e.number order by b.id desc limit 1)",
            (line, json(&numbers)),
        )
        .await?;
    let last_said: HashMap<&str, &Said> = last_said.iter().map(|said| (said.number.as_str(), said)).collect();
    let (at, run) = (now.at(), run.to_string());
    let mut events = Vec::with_capacity(stood.len());
    for said in &stood {
        // Ids of one millisecond are in no order; what stood comes before that it is reset.
        let mut ids = [now.id_at(at), now.id_at(at)];
        ids.sort_unstable();
        if last_said.get(said.number.as_str()) != Some(&said) {
            events.push((&said.number, ids[0], said.state.as_str(), said.source.as_str(), said.evidence.as_deref(), said.at));
        }
        events.push((&said.number, ids[1], "unknown", "transfer", Some(run.as_str()), at));
    }
    tx.run(
        "insert into consent_event (line_id, number, id, account_id, state, source, evidence, at)
         select $1, j.value->>0, unhex(j.value->>1, '-'), $3, j.value->>2, j.value->>3, j.value->>4, cast(j.value->>5 as bigint)
         from json_each($2) j",
        (line, json(&events), account),
    )
    .await?;
    Ok((i64::try_from(stood.len()).unwrap_or(i64::MAX), Some(last)))
}

#[derive(PartialEq, Eq, sqlx::FromRow)]
struct Said {
    number: String,
    state: String,
    source: String,
    evidence: Option<String>,
    at: Timestamp,
}

/// A number of which something was said since it was reset, with its conversation, if there is one.
pub(crate) type SaidSince = (PhoneNumber, Option<ConversationId>);

/// Brings back what [`reset_opt_ins`] took, one batch behind a number: what was said last before it, unless something was said since.
/// Answers how many, of whom something was said since, and the last number.
///
/// # Errors
/// What the database says.
pub(crate) async fn restore_opt_ins(
    tx: &mut Tx,
    now: &Now,
    (line, account): (LineId, AccountId),
    reset_by: RunId,
    behind: &str,
    size: i64,
    guarded: bool,
) -> Result<(i64, Vec<SaidSince>, Option<String>)> {
    let numbers: Vec<(String,)> = tx
        .all(
            "select number from consent_event
             where line_id = $1 and number > $2 and source = 'transfer' and evidence = $3
             order by number
             limit $4",
            (line, behind.to_owned(), reset_by.to_string(), size),
        )
        .await?;
    let Some((last,)) = numbers.last().cloned() else { return Ok((0, Vec::new(), None)) };
    let list: Vec<_> = numbers.iter().map(|(number,)| [number]).collect();
    let said: Vec<Said> = tx
        .all(
            "select e.number, e.state, e.source, e.evidence, e.at
             from consent_event e
             where e.line_id = $1 and e.number in (select j.value->>0 from json_each($2) j) and e.id = (
               select b.id from consent_event b
               join consent_event r on r.line_id = b.line_id and r.number = b.number and r.source = 'transfer' and r.evidence = $3
               where b.line_id = $1 and b.number = e.number and b.id < r.id
               order by b.id desc
               limit 1)",
            (line, json(&list), reset_by.to_string()),
        )
        .await?;
    let at = now.at();
    let rows: Vec<_> = said
        .iter()
        .filter(|said| said.state != "unknown")
        .map(|said| (&said.number, &said.state, &said.source, &said.evidence, said.at, now.id_at(at)))
        .collect();
    // Whatever was said since stands in `consent` already; an opt-out above all.
    let back: Vec<(String,)> = if guarded {
        tx.all(
            "insert into consent (line_id, number, account_id, state, source, evidence, at)
             select $1, j.value->>0, $3, j.value->>1, j.value->>2, j.value->>3, cast(j.value->>4 as bigint) from json_each($2) j
             where true
             on conflict (line_id, number) do nothing
             returning number",
            (line, json(&rows), account),
        )
        .await?
    } else {
        tx.all(
            "insert into consent (line_id, number, account_id, state, source, evidence, at)
             select $1, j.value->>0, $3, j.value->>1, j.value->>2, j.value->>3, cast(j.value->>4 as bigint) from json_each($2) j
             where true
             on conflict (line_id, number) do update set state = excluded.state
             returning number",
            (line, json(&rows), account),
        )
        .await?
    };
    let kept: Vec<SaidSince> = tx
        .all(
            "select s.number, c.id
             from consent s
             left join conversation c on c.line_id = s.line_id and c.number = s.number
             where s.line_id = $1 and s.number in (select j.value->>0 from json_each($2) j)
               and (s.number, s.state, s.at) not in (
                 select j.value->>0, j.value->>1, cast(j.value->>4 as bigint) from json_each($2) j)
             order by s.number",
            (line, json(&rows)),
        )
        .await?;
    let back: HashSet<String> = back.into_iter().map(|(number,)| number).collect();
    let events: Vec<_> = rows.iter().filter(|row| back.contains(row.0)).collect();
    tx.run(
        "insert into consent_event (line_id, number, id, account_id, state, source, evidence, at)
         select $1, j.value->>0, unhex(j.value->>5, '-'), $3, j.value->>1, j.value->>2, j.value->>3, cast(j.value->>4 as bigint)
         from json_each($2) j",
        (line, json(&events), account),
    )
    .await?;
    Ok((i64::try_from(back.len()).unwrap_or(i64::MAX), kept, Some(last)))
}

/// A line's blast that stands in the way of a transfer, the oldest: it is being recorded or sent, or what the carrier was given before its
/// rest was cancelled has not ended. With when it began.
///
/// # Errors
/// What the database says.
pub(crate) async fn half_sent(tx: &mut Tx, line: LineId) -> Result<Option<(BlastId, Timestamp)>> {
    tx.opt(
        "select b.id, coalesce(b.starts_at, b.created_at) from blast b
         where b.line_id = $1
           and ((b.state = 'recording' and (b.recorded > 0 or b.opted_out > 0))
             or (b.state in ('sending', 'cancelled') and exists (
               select 1 from message m where m.line_id = b.line_id and m.blast_id = b.id and m.due_at is not null)))
         order by b.id
         limit 1",
        [line],
    )
    .await
}

/// What becomes of a line's blasts that have not started: those that start later, and those of which nothing is recorded yet. Those that
/// are paused already stay so, or are cancelled with the others. Says which were changed, each with its version and how many recipients;
/// a cancelled one forgets them, and they do not come back.
///
/// # Errors
/// What the database says.
pub(crate) async fn settle_scheduled(tx: &mut Tx, line: LineId, pause: bool) -> Result<Vec<(BlastId, i64, i64)>> {
    let state = if pause { BlastState::Paused } else { BlastState::Cancelled };
    let settled: Vec<(BlastId, i64, i64)> = tx
        .all(
            // One that was to start at once was to start when it was taken: resumed, it does.
            "update blast set state = $2, starts_at = coalesce(starts_at, created_at)
             where line_id = $1
               and (state = 'scheduled' or (state = 'paused' and not $3) or (state = 'recording' and recorded = 0 and opted_out = 0))
             returning id, version, recipients",
            (line, state, pause),
        )
        .await?;
    if !pause {
        tx.run(
            "delete from blast_chunk
             where line_id = $1 and blast_id in (select unhex(j.value->>0, '-') from json_each($2) j)",
            (line, json(&settled)),
        )
        .await?;
    }
    Ok(settled)
}

/// Blasts that were paused by a transfer are scheduled again, unless somebody has decided about them since, which their version tells, or
/// their time has passed: whether they are still to go out is for somebody to decide. Says how many are scheduled, and which stay as they
/// are: `true` of those about which somebody has decided, `false` of those that are late.
///
/// # Errors
/// What the database says.
pub(crate) async fn schedule_again(
    tx: &mut Tx,
    line: LineId,
    seen: &[(BlastId, Option<i64>)],
    at: Timestamp,
) -> Result<(u64, Vec<(BlastId, bool)>)> {
    let seen = json(seen);
    let stay: Vec<(BlastId, bool)> = tx
        .all(
            "select b.id, b.version <> coalesce(cast(j.value->>1 as bigint), b.version) as decided
             from json_each($2) j
             join blast b on b.line_id = $1 and b.id = unhex(j.value->>0, '-')
             where b.version <> coalesce(cast(j.value->>1 as bigint), b.version) or (b.state = 'paused' and b.starts_at <= $3)
             order by b.id",
            (line, seen.clone(), at),
        )
        .await?;
    let back = tx
        .run(
            "update blast set state = 'scheduled'
             where line_id = $1 and state = 'paused' and starts_at > $3
               and (id, version) in (
                 select unhex(j.value->>0, '-'), coalesce(cast(j.value->>1 as bigint), blast.version) from json_each($2) j)",
            (line, seen, at),
        )
        .await?;
    Ok((back, stay))
}

/// Numbers behind this one that the line knows by what they consented to, or by messages without a conversation, in order; and of each
/// whether no conversation leads to it.
///
/// # Errors
/// What the database says.
pub(crate) async fn numbers(tx: &mut Tx, line: LineId, behind: &str, size: i64) -> Result<Vec<(PhoneNumber, bool)>> {
    tx.all(
        "select n.number, not exists (select 1 from conversation c where c.line_id = $1 and c.number = n.number) as alone
         from (select s.number
               from (select number from consent where line_id = $1 and number > $2 order by number limit $3) s
               union
               select m.number
               from (select distinct number from message
                     where line_id = $1 and conversation_id is null and number > $2
                     order by number
                     limit $3) m) n
         order by n.number
         limit $3",
        (line, behind.to_owned(), size),
    )
    .await
}
