//! Catching up after a gap: when events of a connection may have been lost, it is asked which chats have news, and those are read.

use super::{Agents, CALL, READING};
use crate::db::{Result, Tx, json};
use crate::ringcentral::{self, Call, ChatNews, Connection, Group, Leave, MOST_RECENT, Outcome, events};
use crate::sync::engine::CLOCKS_DIFFER;
use crate::types::{AccountId, Change, ConnectionId, Timestamp};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// When chats with news could not be listed, it is tried again after this time.
const NEWS_PAUSE: Duration = Duration::from_secs(2 * 60);

impl Agents {
    /// Asks which chats of a connection have news, one call at a time, and has those read that we have not seen it of: the latest first,
    /// and when their list does not reach back to the last look, all chats. Whether there was a call, and it succeeded.
    pub(super) async fn look_for_news(&self, connection: ConnectionId, stop: &CancellationToken) -> Result<bool> {
        let at = self.now.at();
        let Some(look) = events::take_news(&self.db, connection, at, at.plus(READING)).await? else { return Ok(false) };
        let Some(found) = ringcentral::find(&self.db, Some(connection), AccountId(Uuid::nil())).await? else { return Ok(false) };
        // A list of all is nothing that anybody waits for.
        let call = if look.page.is_some() { Call::Unhurried(Group::Medium) } else { Call::Other(Group::Light) };
        let listed = match ringcentral::ask_leave(&self.db, &self.now, &found, call).await? {
            Leave::Wait { until } => Outcome::Parked { until, reason: String::new() },
            Leave::Granted { .. } => tokio::select! {
                listed = self.list(&found, &look) => listed,
                // Listing changes nothing: whoever comes next lists them.
                () = stop.cancelled() => return Ok(false),
            },
        };
        let later = self.now.at().plus(NEWS_PAUSE);
        let (page, due) = match listed {
            Outcome::Accepted((news, next)) => {
                self.db
                    .work(async |tx| {
                        // Rows of many chats: one worker at a time.
                        events::hold(tx, connection).await?;
                        have_read(tx, connection, at, news).await?;
                        tx.tell(Change::EventDue);
                        match next {
                            Some(_) => events::news_go_on(tx, connection, &look, next, None).await,
                            None => events::news_are_seen(tx, connection, &look).await,
                        }
                    })
                    .await?;
                return Ok(true);
            }
            Outcome::Parked { until, .. } => (look.page.clone(), until),
            // It may be the place that is refused: the next look begins anew.
            Outcome::Refused(_) => (None, later),
            Outcome::Unreachable(_) | Outcome::Unknown(_) => (look.page.clone(), later),
        };
        self.db.work(async |tx| events::news_go_on(tx, connection, &look, page, Some(due)).await).await?;
        Ok(false)
    }

    /// Chats with when something happened in each, and the page that comes next.
    async fn list(&self, connection: &Connection, look: &events::News) -> Outcome<(Vec<ChatNews>, Option<String>)> {
        match &look.page {
            Some(page) => self.client.teams(connection, page, CALL).await,
            None => self.client.recent_chats(connection, CALL).await.map(|recent| {
                let next = (!reaches_back(&recent, look.seen_at)).then(String::new);
                (recent, next)
            }),
        }
    }
}

/// Whether a list of chats with news, the latest first, has all that there were since the last look. One that is full ends somewhere.
fn reaches_back(recent: &[ChatNews], seen_at: Option<Timestamp>) -> bool {
    let oldest = || recent.iter().filter_map(|(_, changed)| Timestamp::from_rfc3339(changed.as_deref()?)).min();
    recent.len() < MOST_RECENT || seen_at.is_some_and(|seen| oldest().is_some_and(|oldest| oldest <= seen.minus(CLOCKS_DIFFER)))
}

/// Chats in which something happened that we have not seen are read, the latest first. What is read so is seen.
async fn have_read(tx: &mut Tx, connection: ConnectionId, at: Timestamp, mut news: Vec<ChatNews>) -> Result<()> {
    news.sort_by(|(_, one), (_, other)| other.cmp(one));
    let rows: Vec<_> = news.iter().enumerate().map(|(n, (chat, changed))| (chat, changed, news.len() - n)).collect();
    tx.run(
        "update chat as c
         set catch_up_at = $2 - d.place, read_up_to = coalesce(d.changed, c.read_up_to)
         from (select j.value->>0 as its_chat, j.value->>1 as changed, cast(j.value->>2 as bigint) as place from json_each($3) j) d
         where c.connection_id = $1 and c.chat_id = d.its_chat and c.catch_up_at is null
           and (c.read_up_to < d.changed or c.read_up_to is null or d.changed is null)",
        (connection, at, json(&rows)),
    )
    .await?;
    Ok(())
}
