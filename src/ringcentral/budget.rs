//! The budget of a connection: so many calls of a group in any 60 seconds, 2,500 posts a day (RingCentral developer guide, rate
//! limits and posting), counted in the database so that all workers share it. A penalty parks the group, and nobody calls in it.

use super::Connection;
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::types::{ConnectionId, Timestamp};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// A paused connection is asked about again after this time; resuming it wakes its lanes earlier.
const PAUSED: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub use crate::types::RateGroup as Group;

/// Calls a minute until RingCentral says otherwise (developer guide, rate limits).
pub(super) fn documented(group: Group) -> Option<i64> {
    match group {
        Group::Light => Some(50),
        Group::Heavy => Some(10),
        Group::Auth => Some(5),
        // Configured per connection.
        Group::Medium | Group::Posting => None,
    }
}

/// What is to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A post with an incoming message in it: it may use the whole budget.
    Incoming,
    /// A post of history alone: it leaves a quarter of each minute to the others.
    History,
    /// Anything but a post.
    Other(Group),
    /// The same, of which nobody waits for the end: it leaves half of each minute to the others.
    Unhurried(Group),
}

impl Call {
    /// The group that it counts in, and whether it is a post.
    fn counts_in(self) -> (Group, bool) {
        match self {
            Self::Incoming | Self::History => (Group::Medium, true),
            Self::Other(group) | Self::Unhurried(group) => (group, false),
        }
    }

    /// How many of a minute's calls may be used up before this one has none left.
    fn open_of(self, most: i64) -> i64 {
        match self {
            Self::Incoming | Self::Other(_) => most,
            Self::History => most - most / 4,
            Self::Unhurried(_) => most - most / 2,
        }
    }
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Make it now; `few_left` when history should travel with the incoming message instead of in posts of its own.
    Granted {
        /// Less than a quarter of the minute's or a tenth of the day's calls remain.
        few_left: bool,
    },
    /// Not before then.
    Wait {
        /// When to ask again.
        until: Timestamp,
    },
}

#[derive(sqlx::FromRow)]
struct GroupRow {
    name: String,
    calls: Option<i64>,
    parked_until: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Day {
    day_started_at: Timestamp,
    day_calls: i64,
}

/// What is known of a connection's limits, read once for several calls.
pub struct Budget(Vec<GroupRow>);

/// Asks for one call.
///
/// # Errors
/// What the database says.
pub async fn ask_leave(db: &Db, now: &Now, connection: &Connection, call: Call) -> Result<Leave> {
    Budget::read(db, connection).await?.ask(db, now, connection, call).await
}

impl Budget {
    /// Reads what is known now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn read(db: &Db, connection: &Connection) -> Result<Self> {
        let known = db.all("select name, calls, parked_until from connection_group where connection_id = $1", [connection.id]).await?;
        Ok(Self(known))
    }

    /// How many such calls a minute has room for.
    pub fn a_minute(&self, connection: &Connection, call: Call) -> i64 {
        self.most(connection, call.counts_in().0).map_or(i64::MAX, |most| call.open_of(most).max(1))
    }

    /// Calls of a group that a minute has room for; `None` without a limit.
    fn most(&self, connection: &Connection, group: Group) -> Option<i64> {
        let told = self.0.iter().find(|row| row.name == group.as_str()).and_then(|row| row.calls);
        let configured = if group == Group::Medium { connection.posts_per_minute } else { documented(group) };
        // What is configured may be less than RingCentral allows, to leave room for other programs; it cannot be more.
        configured.into_iter().chain(told).min()
    }

    /// Asks for one call of this connection.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ask(&self, db: &Db, now: &Now, connection: &Connection, call: Call) -> Result<Leave> {
        let at = now.at();
        if connection.paused_at.is_some() {
            return Ok(Leave::Wait { until: at.plus(PAUSED) });
        }
        let (group, is_post) = call.counts_in();
        let counts = |row: &&GroupRow| row.name == group.as_str() || (is_post && row.name == Group::Posting.as_str());
        let parked = self.0.iter().filter(counts).filter_map(|row| row.parked_until).filter(|until| *until > at).max();
        if let Some(until) = parked {
            return Ok(Leave::Wait { until });
        }
        let most = self.most(connection, group);
        let per_day = connection.posts_per_day.filter(|_| is_post);
        if most.is_none() && per_day.is_none() {
            return Ok(Leave::Granted { few_left: false });
        }
        let most = most.unwrap_or(i64::MAX);
        db.work(async |tx| {
            // The write comes first: it takes the row's lock, so that two workers do not count the same calls.
            let day: Day = tx
                .one(
                    "update connection
                     set day_calls = case when day_started_at <= $2 then 0 else day_calls end,
                         day_started_at = case when day_started_at <= $2 then $3 else day_started_at end
                     where id = $1
                     returning day_started_at, day_calls",
                    (connection.id, at.minus(DAY), at),
                )
                .await?;
            let day_left = per_day.map_or(i64::MAX, |most| most - day.day_calls);
            if day_left <= 0 {
                return Ok(Leave::Wait { until: day.day_started_at.plus(DAY) });
            }
            tx.run("delete from connection_call where connection_id = $1 and at <= $2", (connection.id, at.minus(MINUTE))).await?;
            let (used,): (i64,) = tx
                .one("select count(*) from connection_call where connection_id = $1 and name = $2", (connection.id, group.as_str()))
                .await?;
            let too_many = used - call.open_of(most);
            if too_many >= 0 {
                // So many of the oldest must be a minute ago before this one has room.
                let last: Option<(Timestamp,)> = tx
                    .opt(
                        "select at from connection_call where connection_id = $1 and name = $2 order by at limit 1 offset $3",
                        (connection.id, group.as_str(), too_many),
                    )
                    .await?;
                let last = last.map_or(at, |(last,)| last);
                return Ok(Leave::Wait { until: last.plus(MINUTE).plus(Duration::from_millis(1)) });
            }
            tx.run(
                "insert into connection_call (connection_id, id, name, at) values ($1, $2, $3, $4)",
                (connection.id, now.id(), group.as_str(), at),
            )
            .await?;
            if is_post {
                tx.run("update connection set day_calls = day_calls + 1 where id = $1", [connection.id]).await?;
            }
            let few_left = most - used <= most / 4 || per_day.is_some_and(|most| day_left <= most / 10);
            Ok(Leave::Granted { few_left })
        })
        .await
    }
}

/// Parks a group of a connection: nobody calls in it before `until`. A later end wins over an earlier one.
///
/// # Errors
/// What the database says.
pub async fn park(db: &Db, connection: ConnectionId, group: Group, until: Timestamp, reason: &str) -> Result<()> {
    db.work(async |tx| {
        tx.run(
            "insert into connection_group (connection_id, name, parked_until, parked_reason) values ($1, $2, $3, $4)
             on conflict (connection_id, name) do update set parked_until = excluded.parked_until, parked_reason = excluded.parked_reason
             where connection_group.parked_until is null or connection_group.parked_until < excluded.parked_until",
            (connection, group.as_str(), until, reason.to_owned()),
        )
        .await?;
        Ok(())
    })
    .await
}

/// Writes down what RingCentral's headers say of a group: `calls` in each `window`, as calls a minute.
///
/// # Errors
/// What the database says.
pub(super) async fn learn(db: &Db, connection: ConnectionId, group: Group, calls: i64, window: Duration) -> Result<()> {
    let seconds = i64::try_from(window.as_secs()).unwrap_or(60).max(1);
    db.work(async |tx| {
        tx.run(
            "insert into connection_group (connection_id, name, calls, window_seconds) values ($1, $2, $3, $4)
             on conflict (connection_id, name) do update set calls = excluded.calls, window_seconds = excluded.window_seconds",
            (connection, group.as_str(), (calls * 60 / seconds).max(1), seconds),
        )
        .await?;
        Ok(())
    })
    .await
}
