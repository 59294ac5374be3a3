//! Figures over time: what was counted as it happened, and what waits, sampled every minute. Screens draw their graphs from these
//! rows and count nothing again.
//!
//! The rule: a counter is written in the transaction of what it counts, last, so that its row is locked for the shortest time.

mod home;

pub(crate) use home::{activity, held};

use crate::clock::Now;
use crate::db::{Db, Result, Tx, json};
use crate::types::{AccountId, Age, Deliveries, FailureKind, Span, Timestamp, Waiting};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Figures by the minute are kept so long …
const MINUTES_KEPT: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// … and figures by the hour and by the day so long.
const HOURS_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Messages that came in.
    Inbound,
    /// Messages that the carrier took.
    Outbound,
    /// Posts made.
    Posted,
    /// Tries that did not succeed.
    Failed(FailureKind),
}

impl Counter {
    fn name(self) -> String {
        match self {
            Self::Inbound => "inbound".to_owned(),
            Self::Outbound => "outbound".to_owned(),
            Self::Posted => "posted".to_owned(),
            Self::Failed(kind) => format!("failed.{}", kind.as_str()),
        }
    }
}

/// The beginning of the minute, of the hour and of the day.
fn beginnings(at: Timestamp) -> [(&'static str, Timestamp); 3] {
    [("minute", MINUTE), ("hour", HOUR), ("day", DAY)].map(|(span, length)| (span, floor(at, length)))
}

fn floor(at: Timestamp, length: Duration) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(i64::try_from(length.as_micros()).unwrap_or(1)))
}

/// Adds to an account's counters.
///
/// # Errors
/// What the database says.
pub async fn count(tx: &mut Tx, at: Timestamp, counted: impl IntoIterator<Item = (AccountId, Counter)>) -> Result<()> {
    let mut sums: BTreeMap<(AccountId, Counter), i64> = BTreeMap::new();
    for key in counted {
        *sums.entry(key).or_default() += 1;
    }
    if sums.is_empty() {
        return Ok(());
    }
    // In one order, so that two who count the same do not wait for each other crosswise.
    let rows: Vec<_> = sums
        .iter()
        .flat_map(|((account, counter), sum)| beginnings(at).map(|(span, begin)| (*account, span, begin, counter.name(), *sum)))
        .collect();
    tx.run(
        "insert into figure (account_id, span, at, name, value)
         select unhex(j.value->>0, '-'), j.value->>1, cast(j.value->>2 as bigint), j.value->>3, cast(j.value->>4 as bigint)
         from json_each($1) j
         where true
         on conflict (account_id, span, at, name) do update set value = figure.value + excluded.value",
        [json(&rows)],
    )
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Sample {
    account_id: AccountId,
    held: i64,
    held_minute: i64,
    held_hour: i64,
    held_day: i64,
    held_week: i64,
    queued: i64,
    queued_minute: i64,
    queued_hour: i64,
    queued_day: i64,
    queued_week: i64,
}

impl Sample {
    /// Each age by itself: the columns hold everything that is younger.
    fn rows(&self) -> impl Iterator<Item = (AccountId, String, i64)> {
        let by_age = |all: i64, younger: [i64; 4]| {
            let [minute, hour, day, week] = younger;
            [minute, hour - minute, day - hour, week - day, all - week]
        };
        let held = by_age(self.held, [self.held_minute, self.held_hour, self.held_day, self.held_week]);
        let queued = by_age(self.queued, [self.queued_minute, self.queued_hour, self.queued_day, self.queued_week]);
        let named = |what: &'static str, values: [i64; 5], all: i64| {
            let ages = Age::ALL.iter().map(move |age| format!("{what}.{}", age.as_str())).zip(values);
            ages.chain([(what.to_owned(), all)])
        };
        let rows = named("held", held, self.held).chain(named("queued", queued, self.queued));
        let account = self.account_id;
        rows.filter(|(_, value)| *value > 0).map(move |(name, value)| (account, name, value))
    }
}

/// Samples what waits, of all accounts; it reads every lane that is not in sync, in a reader's time and not a writer's.
///
/// # Errors
/// What the database says.
pub async fn sample(db: &Db, now: &Now) -> Result<()> {
    let at = now.at();
    let samples: Vec<Sample> = db
        .all(
            "select account_id, cast(sum(held) as bigint) as held, cast(sum(queued) as bigint) as queued,
               cast(sum(case when held_since > $1 then held else 0 end) as bigint) as held_minute,
               cast(sum(case when held_since > $2 then held else 0 end) as bigint) as held_hour,
               cast(sum(case when held_since > $3 then held else 0 end) as bigint) as held_day,
               cast(sum(case when held_since > $4 then held else 0 end) as bigint) as held_week,
               cast(sum(case when queued_since > $1 then queued else 0 end) as bigint) as queued_minute,
               cast(sum(case when queued_since > $2 then queued else 0 end) as bigint) as queued_hour,
               cast(sum(case when queued_since > $3 then queued else 0 end) as bigint) as queued_day,
               cast(sum(case when queued_since > $4 then queued else 0 end) as bigint) as queued_week
             from lane
             where trouble > 0
             group by account_id",
            (at.minus(MINUTE), at.minus(HOUR), at.minus(DAY), at.minus(WEEK)),
        )
        .await?;
    let rows: Vec<_> = samples
        .iter()
        .flat_map(Sample::rows)
        .flat_map(|(account, name, value)| beginnings(at).map(|(span, begin)| (account, span, begin, name.clone(), value)))
        .collect();
    for rows in rows.chunks(1_000) {
        db.work(async |tx| {
            tx.run(
                "insert into figure (account_id, span, at, name, value)
                 select unhex(j.value->>0, '-'), j.value->>1, cast(j.value->>2 as bigint), j.value->>3, cast(j.value->>4 as bigint)
                 from json_each($1) j
                 where true
                 on conflict (account_id, span, at, name) do update
                 set value = case when excluded.value > figure.value then excluded.value else figure.value end",
                [json(rows)],
            )
            .await
        })
        .await?;
    }
    Ok(())
}

/// Deletes figures that are old; says how many.
///
/// # Errors
/// What the database says.
pub async fn forget_old(db: &Db, now: &Now) -> Result<u64> {
    let mut count = 0;
    for (span, kept) in [("minute", MINUTES_KEPT), ("hour", HOURS_KEPT), ("day", HOURS_KEPT)] {
        let before = now.at().minus(kept);
        count += db.work(async |tx| tx.run("delete from figure where span = $1 and at < $2", (span, before)).await).await?;
    }
    let before = now.at().minus(HOURS_KEPT);
    count += db.work(async |tx| tx.run("delete from figure_total where at < $1", [before]).await).await?;
    Ok(count)
}

/// Sums up the figures of all accounts, from the hour before the last one that was summed up. What counts does not do it: all accounts
/// would wait for one row.
///
/// # Errors
/// What the database says.
pub async fn sum_up(db: &Db, now: &Now) -> Result<()> {
    let (last,): (Option<Timestamp>,) = db.one("select max(at) from figure_total", ()).await?;
    let from = last.map_or(Timestamp(0), |last| last.min(floor(now.at(), HOUR)).minus(HOUR));
    let sums: Vec<(Timestamp, String, i64)> = db
        .all("select at, name, cast(sum(value) as bigint) from figure where span = 'hour' and at >= $1 group by at, name", [from])
        .await?;
    if sums.is_empty() {
        return Ok(());
    }
    db.work(async |tx| {
        tx.run(
            "insert into figure_total (at, name, value)
             select cast(j.value->>0 as bigint), j.value->>1, cast(j.value->>2 as bigint) from json_each($1) j
             where true
             on conflict (at, name) do update set value = excluded.value",
            [json(&sums)],
        )
        .await
    })
    .await?;
    Ok(())
}

/// Samples every minute, one process for all, until told to stop.
pub async fn run(db: Db, now: Now, stop: CancellationToken) {
    let db = db.in_background();
    let mut every = tokio::time::interval(MINUTE / 4);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        let done = async {
            if crate::work::is_my_turn(&db, &now, "sample", MINUTE).await? {
                sample(&db, &now).await?;
                sum_up(&db, &now).await?;
            }
            Ok::<_, crate::db::Error>(())
        };
        if let Err(error) = done.await {
            tracing::warn!(%error, "what waits could not be sampled");
        }
    }
}

/// How an account's deliveries went; `per_minute` and `per_day` are the limits of its connection.
pub(crate) async fn deliveries(
    db: &Db,
    now: &Now,
    account: AccountId,
    span: Span,
    per_minute: Option<i64>,
    per_day: Option<i64>,
) -> Result<Deliveries> {
    let at = now.at();
    let step = Duration::from_secs(u64::try_from(span.step_seconds()).unwrap_or(60));
    let steps = span.steps();
    // The last step is the one that has begun.
    let from = floor(at, step).minus(step * u32::try_from(steps - 1).unwrap_or(0));
    let kept_by = if span == Span::Month { "hour" } else { "minute" };
    let rows: Vec<(String, Timestamp, i64)> = db
        .all(
            "select name, at, value from figure where account_id = $1 and span = $2 and at >= $3 order by at, name",
            (account, kept_by, from),
        )
        .await?;
    let empty = || vec![0; steps];
    let (mut posted, mut failed, mut held, mut queued) = (empty(), empty(), empty(), empty());
    let mut reasons: BTreeMap<FailureKind, i64> = BTreeMap::new();
    for (name, begin, value) in rows {
        let place = usize::try_from(begin.since(from).as_micros() / step.as_micros()).unwrap_or(0).min(steps - 1);
        match name.as_str() {
            "posted" => posted[place] += value,
            "held" => held[place] = held[place].max(value),
            "queued" => queued[place] = queued[place].max(value),
            name => {
                if let Some(kind) = name.strip_prefix("failed.").and_then(|kind| kind.parse().ok()) {
                    failed[place] += value;
                    *reasons.entry(kind).or_default() += value;
                }
            }
        }
    }
    let mut reasons: Vec<(FailureKind, i64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let minutes = span.step_seconds() / 60;
    let by_day = per_day.map(|day| (day * minutes / (24 * 60)).max(1));
    // A day's posts may be made within minutes: its limit says something of longer steps only.
    let by_day = by_day.filter(|_| span == Span::Month);
    let limit = per_minute.map(|minute| minute * minutes).into_iter().chain(by_day).min();
    Ok(Deliveries { span, from, posted, failed, held, queued, limit, reasons, waiting: waiting(db, now, account).await? })
}

/// What the newest sample says.
async fn waiting(db: &Db, now: &Now, account: AccountId) -> Result<Vec<Waiting>> {
    let newest = floor(now.at(), MINUTE);
    let rows: Vec<(String, Timestamp, i64)> = db
        .all(
            "select name, at, value from figure where account_id = $1 and span = 'minute' and at >= $2 order by at desc, name",
            (account, newest.minus(MINUTE)),
        )
        .await?;
    let sampled: Vec<_> = rows.iter().filter(|(name, ..)| name.starts_with("held") || name.starts_with("queued")).collect();
    let Some(last) = sampled.first().map(|(_, at, _)| *at) else { return Ok(Vec::new()) };
    let value = |what: &str, age: Age| {
        let name = format!("{what}.{}", age.as_str());
        sampled.iter().find(|(n, at, _)| *n == name && *at == last).map_or(0, |(.., value)| *value)
    };
    Ok(Age::ALL.iter().map(|&age| Waiting { age, held: value("held", age), queued: value("queued", age) }).collect())
}
