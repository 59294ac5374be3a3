//! How the carrier stands, as all processes know it: until when nobody calls it, how fast it is called, and since when it has taken
//! nothing.
//!
//! The rule: its row is locked before any other of a transaction, so that two that need it cannot wait for each other.

use super::Sent;
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx};
use crate::staff::{Permit, may};
use crate::types::{CarrierTrouble, Timestamp};
use std::time::Duration;

/// When the carrier does not say for how long, it is left alone for as long again as it has taken nothing, within these.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// What the carrier says counts within these.
const SHORTEST_ASKED: Duration = Duration::from_secs(1);
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);
/// What the pace would have let out a moment ago may leave now, so much of it.
const CATCH_UP: Duration = Duration::from_millis(100);
/// The pace never lies further ahead, unless the clock of another machine does.
const LONGEST_PACE: Duration = Duration::from_secs(60);
/// It takes nothing for so long before anybody is told.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// What failed before, and was not tried again since, says nothing of now.
const STALE: Duration = Duration::from_secs(20 * 60);

/// The carrier's row, locked until the transaction ends.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(in crate::messaging) struct Standing {
    parked_until: Option<Timestamp>,
    next_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    failed_at: Option<Timestamp>,
}

const LOCK: Sql = Sql {
    sqlite: "select parked_until, next_at, failing_since, failed_at from carrier where url = $1",
    postgres: "select parked_until, next_at, failing_since, failed_at from carrier where url = $1 for update",
};

impl Standing {
    /// Finds or makes the row of the carrier at `url`.
    pub(in crate::messaging) async fn lock(tx: &mut Tx, url: &str) -> Result<Self> {
        if let Some(standing) = tx.opt(LOCK, [url.to_owned()]).await? {
            return Ok(standing);
        }
        tx.run("insert into carrier (url) values ($1) on conflict (url) do nothing", [url.to_owned()]).await?;
        tx.one(LOCK, [url.to_owned()]).await
    }

    /// Until when nobody calls it, if anybody may not now; `is_paced` when the pace counts, too.
    pub(in crate::messaging) fn closed_until(&self, at: Timestamp, is_paced: bool) -> Option<Timestamp> {
        // What lies further ahead was written by a clock that is wrong.
        let parked = self.parked_until.filter(|until| until.since(at) <= LONGEST_ASKED);
        let paced = self.next_at.filter(|next| is_paced && next.since(at) <= LONGEST_PACE);
        parked.into_iter().chain(paced).filter(|until| *until > at).max()
    }

    /// Since when it has taken nothing, when it takes nothing now.
    fn failing_since(&self, at: Timestamp) -> Timestamp {
        let last = self.failed_at.max(self.parked_until);
        self.failing_since.filter(|_| last.is_some_and(|last| at.since(last) <= STALE)).unwrap_or(at)
    }

    /// So many messages leave now; the next one does when the pace lets it.
    pub(in crate::messaging) async fn pace(&self, tx: &mut Tx, at: Timestamp, url: &str, count: usize, per_second: u32) -> Result<()> {
        let from = self.next_at.filter(|next| next.since(at) <= LONGEST_PACE).map_or(at, |next| next.max(at.minus(CATCH_UP)));
        let next = from.plus(Duration::from_secs_f64(count as f64 / f64::from(per_second.max(1))));
        tx.run("update carrier set next_at = $2 where url = $1", (url.to_owned(), next)).await?;
        Ok(())
    }
}

/// Writes down how calls of the carrier at `url` have ended. Says until when what it did not look at waits, if there is such.
pub(in crate::messaging) async fn ended(tx: &mut Tx, now: &Now, url: &str, calls: &[&Sent]) -> Result<Option<Timestamp>> {
    let at = now.at();
    let takes_some = calls.iter().any(|sent| matches!(sent, Sent::Accepted(_) | Sent::Refused(_)));
    if takes_some {
        let failed = tx
            .run(
                "update carrier set failing_since = null, failed_at = null, failing_why = null
                 where url = $1 and failing_since is not null",
                [url.to_owned()],
            )
            .await?;
        if failed > 0 {
            tracing::info!("the carrier takes messages again");
        }
    }
    // A call that went wrong beside others that went well is tried again by itself.
    if takes_some && !calls.iter().any(|sent| matches!(sent, Sent::Parked { .. })) {
        return Ok(None);
    }
    let Some(why) = reason(calls) else { return Ok(None) };
    let standing = Standing::lock(tx, url).await?;
    let since = standing.failing_since(at);
    let closed = standing.closed_until(at, false);
    let until = pause(calls, at.since(since)).map(|pause| closed.map_or(at.plus(pause), |closed| closed.max(at.plus(pause))));
    tx.run(
        "update carrier
         set failing_since = $2, failed_at = $3, failing_why = $4, parked_until = coalesce($5, parked_until)
         where url = $1",
        (url.to_owned(), since, at, why.clone(), until),
    )
    .await?;
    let seconds = until.map_or(0, |until| until.since(at).as_secs());
    if until.is_some() {
        metrics::counter!("switchyard_carrier_parked_total").increment(1);
    }
    if standing.failing_since.is_none() || (until.is_some() && closed.is_none()) {
        tracing::warn!(why, seconds, "the carrier takes nothing; what waits is tried again");
    }
    Ok(until)
}

/// Why it took nothing, if it did not; what stands in everybody's way first.
fn reason(calls: &[&Sent]) -> Option<String> {
    let mut later = None;
    for sent in calls {
        match sent {
            Sent::Parked { why, .. } => return Some(why.clone()),
            Sent::Later(why) => later = Some(why.clone()),
            Sent::Accepted(_) | Sent::Refused(_) => {}
        }
    }
    later
}

/// For how long nobody calls it, if it asked for that, when it has taken nothing for so long.
fn pause(calls: &[&Sent], lasted: Duration) -> Option<Duration> {
    let pauses = calls.iter().filter_map(|sent| match sent {
        Sent::Parked { pause: Some(asked), .. } => Some((*asked).clamp(SHORTEST_ASKED, LONGEST_ASKED)),
        Sent::Parked { pause: None, .. } => Some(lasted.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)),
        _ => None,
    });
    pauses.max()
}

/// Since when the carrier has taken nothing, and why; `None` while it takes messages, and while there is nothing to send.
///
/// # Errors
/// What the database says.
pub async fn failing(db: &Db, now: &Now) -> Result<Option<CarrierTrouble>> {
    let at = now.at();
    db.opt(
        "select failing_why as why, failing_since as since, parked_until as until
         from carrier
         where failing_since is not null and (failed_at > $1 or parked_until > $2)
         order by failing_since, url
         limit 1",
        (at.minus(STALE), at),
    )
    .await
}

/// The same when it has lasted so long that a person should know. It concerns whoever sees messages: those of all accounts wait.
///
/// # Errors
/// What the database says.
pub(crate) async fn trouble(db: &Db, now: &Now, _permit: &Permit<may::SeeMessages>) -> Result<Option<CarrierTrouble>> {
    Ok(failing(db, now).await?.filter(|trouble| now.at().since(trouble.since) >= PATIENCE))
}
