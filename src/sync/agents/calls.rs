//! Calls, side by side: of several connections at a time, of each one after the other, so that no kind of call waits for all of another.

use super::Agents;
use crate::db::Result;
use crate::ringcentral::events;
use crate::sync::{members, notice};
use crate::types::{Change, ConnectionId};
use crate::work::wait_for;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Connections whose calls are made side by side.
const SIDE_BY_SIDE: usize = 8;
/// Calls of a kind that are made for a connection before those of another kind have their turn.
const IN_TURN: usize = 8;

impl Agents {
    /// Makes the calls that are due, until told to stop, and waits for those under way.
    pub(super) async fn call(&self, stop: &CancellationToken) {
        let mut bell = self.db.changes();
        let mut under_way = JoinSet::new();
        let mut busy: HashMap<ConnectionId, AbortHandle> = HashMap::new();
        let mut last: Option<ConnectionId> = None;
        while !stop.is_cancelled() {
            while under_way.try_join_next().is_some() {}
            busy.retain(|_, task| !task.is_finished());
            let due = self.due().await.unwrap_or_else(|error| {
                tracing::error!(%error, "what is to be called could not be read");
                BTreeSet::new()
            });
            let room = SIDE_BY_SIDE.saturating_sub(busy.len());
            // In turn: who comes behind the last one is first.
            let (ahead, behind): (Vec<_>, Vec<_>) =
                due.into_iter().filter(|connection| !busy.contains_key(connection)).partition(|connection| Some(*connection) > last);
            let next: Vec<ConnectionId> = ahead.into_iter().chain(behind).take(room).collect();
            last = next.last().copied().or(last);
            for connection in next {
                let (agents, stop) = (self.clone(), stop.clone());
                let task = under_way.spawn(async move {
                    if let Err(error) = agents.see_to(connection, &stop).await {
                        tracing::error!(%error, %connection, "what is due of a connection could not be seen to");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                });
                busy.insert(connection, task);
            }
            tokio::select! {
                () = wait_for(&mut bell, Change::EventDue, Duration::from_secs(1)) => {}
                Some(_) = under_way.join_next() => {}
                () = stop.cancelled() => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Connections for which a call is due.
    pub(super) async fn due(&self) -> Result<BTreeSet<ConnectionId>> {
        let at = self.now.at();
        let chats: Vec<(ConnectionId,)> = self
            .db
            .all(
                "select connection_id from chat where catch_up_at <= $1
                 union
                 select connection_id from chat where check_at <= $1 and catch_up_at is null",
                [at],
            )
            .await?;
        let mut due: BTreeSet<ConnectionId> = chats.into_iter().map(|(id,)| id).collect();
        due.extend(notice::due(&self.db, at).await?);
        due.extend(events::with_gaps(&self.db, at).await?);
        due.extend(members::due(&self.db, at).await?);
        Ok(due)
    }

    /// Makes the calls that are due for a connection, one after the other, until told to stop: so many of a kind that none waits for all
    /// of another. Says how many there were.
    pub(super) async fn see_to(&self, connection: ConnectionId, stop: &CancellationToken) -> Result<usize> {
        let mut count = 0;
        for _ in 0..IN_TURN {
            if stop.is_cancelled() || !notice::step(&self.db, &self.now, &self.client, connection).await? {
                break;
            }
            count += 1;
        }
        for _ in 0..IN_TURN {
            if stop.is_cancelled() || !self.look_for_news(connection, stop).await? {
                break;
            }
            count += 1;
        }
        for _ in 0..IN_TURN {
            if stop.is_cancelled() || !self.read_next(connection, stop).await? {
                break;
            }
            count += 1;
        }
        Ok(count + members::step(&self.db, &self.now, &self.client, connection, stop).await?)
    }
}
