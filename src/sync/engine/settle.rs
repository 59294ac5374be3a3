//! After an ambiguous end: wait for the settle time, look the reference up, and only then call again; and look once more, later,
//! for what was accepted twice.

use super::lease::holds;
use super::{CLOCKS_DIFFER, Claim, Engine, Next, OTHER, OpenIntent, WATCH};
use crate::db::Result;
use crate::ringcentral::{self, Call, Connection, Leave, Outcome, Refusal};
use crate::types::{AccountId, LineId};
use crate::work::faults::Guard;

#[derive(sqlx::FromRow)]
struct Watched {
    line_id: LineId,
    #[sqlx(flatten)]
    intent: OpenIntent,
}

impl Engine {
    /// An earlier holder left an intent open: nobody knows whether its post was accepted. Wait, look, then decide.
    pub(super) async fn settle(&self, claim: Claim, connection: Connection, open: OpenIntent) -> Result<Next> {
        let broken = self.config.broken;
        let settled_at = open.deadline_at.plus(self.config.settle);
        if broken != Some(Guard::Settle) && self.now.at() < settled_at {
            self.let_go(&claim, settled_at).await?;
            return Ok(Next::Nothing);
        }
        if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, OTHER).await? {
            self.let_go(&claim, until).await?;
            return Ok(Next::Nothing);
        }
        let since = open.made_at.minus(CLOCKS_DIFFER);
        let found = if broken == Some(Guard::LookUp) {
            Outcome::Accepted(Vec::new())
        } else {
            self.client.find_posts(&connection, &open.chat_id, &open.reference, since, self.config.call).await
        };
        metrics::counter!("switchyard_look_ups_total").increment(1);
        match found {
            Outcome::Accepted(mut posts) => match posts.pop() {
                // Newest first: the oldest stays, copies of it go.
                Some(oldest) => {
                    for copy in posts {
                        self.delete_copy(&connection, &open.chat_id, &copy.id).await;
                    }
                    self.record(claim, open.id, Outcome::Accepted(oldest.id)).await?;
                    Ok(Next::Nothing)
                }
                // The line has another owner since, and nothing of theirs goes into this chat: it is posted where they read.
                None if connection.account_id != claim.account_id => self.moved_on(&claim, open.id).await,
                None => self.post_again(claim, connection, open).await,
            },
            other => {
                let ended: Outcome<String> = match other {
                    // Looking changed nothing: whatever went wrong with it, the intent is as open as before.
                    Outcome::Unknown(why) => Outcome::Unreachable(why),
                    Outcome::Refused(refusal) => Outcome::Refused(refusal),
                    Outcome::Parked { until, reason } => Outcome::Parked { until, reason },
                    Outcome::Unreachable(why) => Outcome::Unreachable(why),
                    Outcome::Accepted(_) => return Ok(Next::Nothing),
                };
                match ended {
                    Outcome::Refused(Refusal::ChatGone) => self.record(claim, open.id, ended).await?,
                    _ => self.failed(&claim, ended, false).await?,
                }
                Ok(Next::Nothing)
            }
        }
    }

    /// It was looked for and is not there: the same intent is called again, under the same reference.
    pub(super) async fn post_again(&self, claim: Claim, connection: Connection, open: OpenIntent) -> Result<Next> {
        if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, Call::Incoming).await? {
            self.let_go(&claim, until).await?;
            return Ok(Next::Nothing);
        }
        let deadline = self.now.at().plus(self.config.call);
        let fence = self.fence(&claim);
        let still_ours = self
            .db
            .work(async |tx| {
                if !holds(tx, &claim, fence).await? {
                    return Ok(false);
                }
                let run = tx
                    .run(
                        "update intent set deadline_at = $3, calls = calls + 1 where line_id = $1 and id = $2 and state = 'open'",
                        (claim.line_id, open.id, deadline),
                    )
                    .await?;
                Ok::<_, crate::db::Error>(run == 1)
            })
            .await?;
        if !still_ours {
            return Ok(Next::Nothing);
        }
        let text = open.body.unwrap_or_default();
        let outcome = self.client.create_post(&connection, &open.chat_id, &text, self.config.call).await;
        self.record(claim, open.id, outcome).await?;
        Ok(Next::Nothing)
    }

    pub(super) async fn delete_copy(&self, connection: &Connection, chat: &str, post: &str) -> bool {
        let outcome = self.client.delete_post(connection, chat, post, self.config.call).await;
        let deleted = matches!(outcome, Outcome::Accepted(()));
        metrics::counter!("switchyard_doubles_deleted_total").increment(u64::from(deleted));
        tracing::warn!(deleted, post, "a post stood twice; the newer copy is deleted");
        deleted
    }

    /// After a post was called twice, looks once more whether both were accepted, late; deletes the newer copy. Whatever hinders it
    /// puts it off: the next look is written down before this one.
    pub(super) async fn look_for_doubles(&self) -> Result<()> {
        let at = self.now.at();
        let due: Vec<(LineId, OpenIntent)> = self
            .db
            .work(async |tx| {
                let rows: Vec<Watched> = tx
                    .all(
                        "update intent set watch_at = $2 where watch_at <= $1
                         returning line_id, id, connection_id, chat_id, reference, body, made_at, deadline_at",
                        (at, at.plus(WATCH)),
                    )
                    .await?;
                Ok::<_, crate::db::Error>(rows.into_iter().map(|row| (row.line_id, row.intent)).collect())
            })
            .await?;
        for (line, intent) in due {
            if self.watched(&intent).await? {
                self.db
                    .work(async |tx| tx.run("update intent set watch_at = null where line_id = $1 and id = $2", (line, intent.id)).await)
                    .await?;
            }
        }
        Ok(())
    }

    /// Deletes what stands twice of an intent; `false` when it could not be seen to.
    pub(super) async fn watched(&self, intent: &OpenIntent) -> Result<bool> {
        // Without the connection nobody can look any more.
        let Some(connection) = ringcentral::find(&self.db, Some(intent.connection_id), AccountId(uuid::Uuid::nil())).await? else {
            return Ok(true);
        };
        if !matches!(ringcentral::ask_leave(&self.db, &self.now, &connection, OTHER).await?, Leave::Granted { .. }) {
            return Ok(false);
        }
        let since = intent.made_at.minus(CLOCKS_DIFFER);
        match self.client.find_posts(&connection, &intent.chat_id, &intent.reference, since, self.config.call).await {
            Outcome::Accepted(mut posts) => {
                posts.pop();
                let mut all_gone = true;
                for copy in posts {
                    all_gone &= self.delete_copy(&connection, &intent.chat_id, &copy.id).await;
                }
                Ok(all_gone)
            }
            Outcome::Refused(Refusal::ChatGone) => Ok(true),
            Outcome::Refused(_) | Outcome::Parked { .. } | Outcome::Unreachable(_) | Outcome::Unknown(_) => Ok(false),
        }
    }
}
