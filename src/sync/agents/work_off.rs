//! The events' loop: what waits of a connection is worked off in one transaction, in the order in which its posts were written.

use super::Agents;
use crate::db::Result;
use crate::ringcentral::events::{self, PostBody};
use crate::types::{Change, ConnectionId};
use crate::work::wait_for;
use std::collections::HashMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events that one transaction works off.
const BATCH: i64 = 100;

impl Agents {
    /// Works off what comes, until told to stop.
    pub(super) async fn listen(&self, stop: &CancellationToken) {
        let mut bell = self.db.changes();
        while !stop.is_cancelled() {
            let pause = match self.work_off_all(stop).await {
                Ok(0) => wait_for(&mut bell, Change::EventDue, Duration::from_secs(1)),
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(%error, "events could not be worked off");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            tokio::select! { () = pause => {}, () = stop.cancelled() => {} }
        }
    }

    /// Works off what waits of every connection, until told to stop; what cannot be worked off of one hinders no other.
    pub(super) async fn work_off_all(&self, stop: &CancellationToken) -> Result<usize> {
        let (mut count, mut failed) = (0, None);
        for connection in events::waiting_connections(&self.db).await? {
            if stop.is_cancelled() {
                break;
            }
            match self.work_off(connection).await {
                Ok(done) => count += done,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(count), Err)
    }

    async fn work_off(&self, connection: ConnectionId) -> Result<usize> {
        self.db
            .work(async |tx| {
                let waiting = events::take(tx, connection, BATCH).await?;
                let mut posts = Vec::new();
                // Other filters are kept for the rooms that will read them.
                for event in waiting.iter().filter(|event| event.event.contains("/posts")) {
                    match serde_json::from_str::<PostBody>(event.body.as_deref().unwrap_or_default()) {
                        Ok(post) => posts.push((event.id, post)),
                        Err(error) => tracing::warn!(%error, %connection, "an event of a post could not be read"),
                    }
                }
                // Events overtake each other; ids of posts grow. What happens to one post stays as it came.
                posts.sort_by_key(|(_, post)| post.id.parse::<u64>().unwrap_or(u64::MAX));
                let mut strays = HashMap::new();
                for (event, post) in &posts {
                    if let Some(chat) = self.apply(tx, connection, post).await? {
                        strays.insert(*event, chat);
                    }
                }
                events::done(tx, connection, &waiting, &strays).await?;
                Ok::<_, crate::db::Error>(waiting.len())
            })
            .await
    }
}
