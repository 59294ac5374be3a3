//! The budget of a connection: 40 posts in any 60 seconds and 2,500 a day (RingCentral developer guide), counted in the
//! database so that all workers share it; a penalty parks the connection, and nobody calls while it lasts.

use super::Connection;
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::types::{ConnectionId, Timestamp};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

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
struct State {
    parked_until: Option<Timestamp>,
    day_started_at: Timestamp,
    day_calls: i64,
}

/// Asks for one call. Inbound messages may use the whole budget; `history` leaves a quarter of each minute to them.
///
/// # Errors
/// What the database says.
pub async fn ask_leave(db: &Db, now: &Now, connection: &Connection, history: bool) -> Result<Leave> {
    let at = now.at();
    if connection.posts_per_minute.is_none() && connection.posts_per_day.is_none() {
        let parked: Option<(Option<Timestamp>,)> = db.opt("select parked_until from connection where id = $1", [connection.id]).await?;
        return Ok(match parked.and_then(|(until,)| until).filter(|until| *until > at) {
            Some(until) => Leave::Wait { until },
            None => Leave::Granted { few_left: false },
        });
    }
    db.work(async |tx| {
        // The write comes first: it takes the row's lock, so that two workers do not count the same calls.
        let state: State = tx
            .one(
                "update connection
                 set day_calls = case when day_started_at <= $2 then 0 else day_calls end,
                     day_started_at = case when day_started_at <= $2 then $3 else day_started_at end
                 where id = $1
                 returning parked_until, day_started_at, day_calls",
                (connection.id, at.minus(DAY), at),
            )
            .await?;
        if let Some(until) = state.parked_until.filter(|until| *until > at) {
            return Ok(Leave::Wait { until });
        }
        let day_left = connection.posts_per_day.map_or(i64::MAX, |most| most - state.day_calls);
        if day_left <= 0 {
            return Ok(Leave::Wait { until: state.day_started_at.plus(DAY) });
        }
        tx.run("delete from connection_call where connection_id = $1 and at <= $2", (connection.id, at.minus(MINUTE))).await?;
        let (used, oldest): (i64, Option<Timestamp>) =
            tx.one("select count(*), min(at) from connection_call where connection_id = $1", [connection.id]).await?;
        let most = connection.posts_per_minute.unwrap_or(i64::MAX);
        let open_to_me = if history { most - most / 4 } else { most };
        if used >= open_to_me {
            return Ok(Leave::Wait { until: oldest.unwrap_or(at).plus(MINUTE).plus(Duration::from_millis(1)) });
        }
        tx.run("insert into connection_call (connection_id, id, at) values ($1, $2, $3)", (connection.id, now.id(), at)).await?;
        tx.run("update connection set day_calls = day_calls + 1 where id = $1", [connection.id]).await?;
        let few_left = most - used <= most / 4 || connection.posts_per_day.is_some_and(|most| day_left <= most / 10);
        Ok(Leave::Granted { few_left })
    })
    .await
}

/// Parks a connection: nobody calls before `until`. A later end wins over an earlier one.
///
/// # Errors
/// What the database says.
pub async fn park(db: &Db, connection: ConnectionId, until: Timestamp, reason: &str) -> Result<()> {
    let reason = reason.to_owned();
    db.work(async |tx| {
        tx.run(
            "update connection set parked_until = $2, parked_reason = $3
             where id = $1 and (parked_until is null or parked_until < $2)",
            (connection, until, reason),
        )
        .await?;
        Ok(())
    })
    .await
}
