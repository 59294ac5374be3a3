//! The figures of many accounts together, as Home draws them.
//!
//! The rule: of all accounts they are the sums of [`super::sum_up`], a minute old at most; of named ones they are added up here.

use super::{DAY, HOUR, MINUTE, floor};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::staff::{Permit, may};
use crate::types::{AccountId, Activity, Age, Held, HeldByAccount, Span, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many steps has a day …
const HOURS: u32 = 24;
/// … and so many a month.
const DAYS: u32 = 30;

/// How it went over a day or a month, of the accounts where the permit holds.
///
/// # Errors
/// What the database says.
pub(crate) async fn activity(db: &Db, now: &Now, permit: &Permit<may::SeeDirectory>, span: Span) -> Result<Activity> {
    let scope = permit.scope();
    let (kept_by, step, steps) = if span == Span::Month { ("day", DAY, DAYS) } else { ("hour", HOUR, HOURS) };
    // The last step is the one that has begun.
    let from = floor(now.at(), step).minus(step * (steps - 1));
    let rows: Vec<(String, Timestamp, i64)> = if scope.everywhere {
        db.all(
            "select name, at, value
             from figure_total
             where at >= $1 and (name in ('inbound', 'outbound', 'posted', 'held') or name like 'failed.%')",
            [from],
        )
        .await?
    } else {
        db.all(
            "select name, at, cast(sum(value) as bigint)
             from figure
             where account_id in (select account_id from staff_scope where staff_id = $1 and permission = $2) and span = $3 and at >= $4
               and (name in ('inbound', 'outbound', 'posted', 'held') or name like 'failed.%')
             group by name, at",
            (scope.staff, scope.permission, kept_by, from),
        )
        .await?
    };
    Ok(drawn(span, from, step, usize::try_from(steps).unwrap_or(1), rows))
}

fn drawn(span: Span, from: Timestamp, step: Duration, steps: usize, rows: Vec<(String, Timestamp, i64)>) -> Activity {
    let empty = || vec![0; steps];
    let step_seconds = i64::try_from(step.as_secs()).unwrap_or(1);
    let mut out = Activity {
        span: if span == Span::Month { Span::Month } else { Span::Day },
        from,
        step_seconds,
        inbound: empty(),
        outbound: empty(),
        posted: empty(),
        failed: empty(),
        held: empty(),
    };
    for (name, at, value) in rows {
        let place = usize::try_from(at.since(from).as_micros() / step.as_micros()).unwrap_or(0).min(steps - 1);
        match name.as_str() {
            "inbound" => out.inbound[place] += value,
            "outbound" => out.outbound[place] += value,
            "posted" => out.posted[place] += value,
            "held" => out.held[place] = out.held[place].max(value),
            name if name.starts_with("failed.") => out.failed[place] += value,
            _ => {}
        }
    }
    out
}

/// What is held by the newest sample, and the accounts that hold the most for a week and longer.
///
/// # Errors
/// What the database says.
pub(crate) async fn held(db: &Db, now: &Now, permit: &Permit<may::SeeMessages>, named: usize) -> Result<Held> {
    let scope = permit.scope();
    let newest: Option<(Timestamp,)> = db
        .opt(
            "select at from figure where span = 'minute' and at >= $1 and name = 'held' order by at desc limit 1",
            [floor(now.at(), MINUTE).minus(MINUTE)],
        )
        .await?;
    let Some((newest,)) = newest else { return Ok(Held::default()) };
    let rows: Vec<(AccountId, String, String, i64)> = db
        .all(
            "select f.account_id, a.name, f.name, f.value
             from figure f
             join account a on a.id = f.account_id
             where f.span = 'minute' and f.at = $1 and f.name like 'held.%'
               and ($2 or f.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (newest, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let mut by_age: BTreeMap<Age, i64> = BTreeMap::new();
    let mut accounts = Vec::new();
    for (id, name, what, value) in rows {
        let Some(age) = what.strip_prefix("held.").and_then(|age| age.parse::<Age>().ok()) else { continue };
        *by_age.entry(age).or_default() += value;
        if age == Age::Older {
            accounts.push(HeldByAccount { id, name, old: value });
        }
    }
    accounts.sort_by(|a, b| b.old.cmp(&a.old).then_with(|| a.name.cmp(&b.name)));
    accounts.truncate(named);
    Ok(Held { by_age: Age::ALL.iter().map(|age| (*age, by_age.get(age).copied().unwrap_or(0))).collect(), accounts })
}
