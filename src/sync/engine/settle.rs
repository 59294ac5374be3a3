//! After an ambiguous end: wait for the settle time, look the reference up, and only then call again; and look once more, later,
//! for what was accepted twice.

use super::lease::holds;
use super::{
    CALLED_IN_VAIN, CLOCKS_DIFFER, Claim, ELSEWHERE, Engine, LOOK_AGAIN, Next, OTHER, OpenIntent, UNHURRIED, WATCH, WATCHED, WATCHED_FOR,
};
use crate::db::Result;
use crate::messaging::timeline;
use crate::ringcentral::{self, Call, Connection, Leave, Outcome, Refusal};
use crate::sync::compose::{self, Line};
use crate::types::{AccountId, LATE_AFTER, LineId, MessageId, Timestamp};
use crate::work::faults::{self, Guard};

#[derive(sqlx::FromRow)]
struct Watched {
    line_id: LineId,
    #[sqlx(flatten)]
    intent: OpenIntent,
    is_posted: bool,
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
        // The line has another owner since.
        let is_elsewhere = connection.account_id != claim.account_id;
        if is_elsewhere && connection.paused_at.is_some() {
            return self.nobody_can_look(&claim, &open).await;
        }
        if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, OTHER).await? {
            self.let_go(&claim, until).await?;
            return Ok(Next::Nothing);
        }
        let since = open.made_at.minus(CLOCKS_DIFFER);
        let found = if broken == Some(Guard::LookUp) {
            Outcome::Accepted(Vec::new())
        } else {
            self.client.find_posts(&connection, &open.chat_id, &open.reference, since, OTHER, self.config.call).await
        };
        metrics::counter!("switchyard_look_ups_total").increment(1);
        faults::point("looked");
        match found {
            Outcome::Accepted(mut posts) => match posts.pop() {
                // Newest first: the oldest stays, copies of it go.
                Some(oldest) => {
                    for copy in posts {
                        self.delete_copy(&connection, &open.chat_id, &copy.id).await?;
                    }
                    self.record(claim, open.id, Outcome::Accepted(oldest.id)).await?;
                    Ok(Next::Nothing)
                }
                // Nothing of the new owner's goes into this chat: it is posted where they read.
                None if is_elsewhere => self.moved_on(&claim, open.id).await,
                None if open.calls >= CALLED_IN_VAIN && open.settled_at.is_none() => self.called_in_vain(&claim, &open).await,
                None => self.post_again(claim, connection, open).await,
            },
            Outcome::Refused(Refusal::SignIn(_) | Refusal::Forbidden(_) | Refusal::Content(_)) if is_elsewhere => {
                self.nobody_can_look(&claim, &open).await
            }
            // The look goes on then.
            Outcome::Parked { until, .. } => {
                self.let_go(&claim, until).await?;
                Ok(Next::Nothing)
            }
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

    /// What was called where the line was before cannot be looked for: the connection is gone, paused or refused. Its new owner can do
    /// nothing about that, so after a while it counts as not there.
    pub(super) async fn nobody_can_look(&self, claim: &Claim, open: &OpenIntent) -> Result<Next> {
        let at = self.now.at();
        if at.since(open.deadline_at) > ELSEWHERE {
            tracing::warn!(
                connection = %open.connection_id,
                reference = open.reference,
                "a post of the account that had the line before could not be looked for"
            );
            return self.moved_on(claim, open.id).await;
        }
        self.let_go(claim, at.plus(LOOK_AGAIN)).await?;
        Ok(Next::Nothing)
    }

    /// It was looked for and is not there: the same intent is called again, under the same reference.
    pub(super) async fn post_again(&self, claim: Claim, connection: Connection, open: OpenIntent) -> Result<Next> {
        if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, Call::Incoming).await? {
            self.let_go(&claim, until).await?;
            return Ok(Next::Nothing);
        }
        let text = self.words_now(&claim, &open).await?;
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
                        "update intent set deadline_at = $3, calls = calls + 1, body = $4, settled_at = null
                         where line_id = $1 and id = $2 and state = 'open'",
                        (claim.line_id, open.id, deadline, text.clone()),
                    )
                    .await?;
                Ok::<_, crate::db::Error>(run == 1)
            })
            .await?;
        if !still_ours {
            return Ok(Next::Nothing);
        }
        faults::point("intent_again");
        faults::hang("intent_again").await;
        // However long it took to come here: the call ends by the deadline that the next holder goes by.
        let limit = deadline.since(self.now.at());
        let outcome = self.client.create_post(&connection, &open.chat_id, &text, limit).await;
        faults::point("called_again");
        self.record(claim, open.id, outcome).await?;
        faults::point("recorded_again");
        Ok(Next::Nothing)
    }

    /// What an open intent's post says now: the same as before, until it comes late and has to say when the contact wrote. It is looked
    /// up by its reference alone, which stays.
    async fn words_now(&self, claim: &Claim, open: &OpenIntent) -> Result<String> {
        let (at, before) = (self.now.at(), open.body.clone().unwrap_or_default());
        if at.since(open.made_at) <= LATE_AFTER {
            return Ok(before);
        }
        let messages: Vec<(LineId, MessageId)> = self
            .db
            .all(
                "select line_id, message_id from sync_entry where line_id = $1 and intent_id = $2 and state = 'queued' order by seq",
                (claim.line_id, open.id),
            )
            .await?;
        let mut found = timeline::lines(&self.db, &messages, &self.config.public_url).await?;
        let lines: Vec<Line> = messages.iter().filter_map(|message| found.remove(message)).collect();
        let now = compose::post(&lines, claim.left_out, &open.reference, at);
        let is_good = !lines.is_empty() && now.chars().count() <= compose::LONGEST_POST;
        Ok(if is_good { now } else { before })
    }

    /// Deletes a copy, if there is leave to; whether it is gone. What stays is looked for again later.
    pub(super) async fn delete_copy(&self, connection: &Connection, chat: &str, post: &str) -> Result<bool> {
        if let Leave::Wait { .. } = ringcentral::ask_leave(&self.db, &self.now, connection, OTHER).await? {
            return Ok(false);
        }
        let outcome = self.client.delete_post(connection, chat, post, self.config.call).await;
        let deleted = matches!(outcome, Outcome::Accepted(()));
        metrics::counter!("switchyard_doubles_deleted_total").increment(u64::from(deleted));
        tracing::warn!(deleted, post, "a post stood twice; the newer copy is deleted");
        Ok(deleted)
    }

    /// After a post was called twice, looks once more whether both were accepted, late; deletes the newer copy, and each of a post that was
    /// given up. A few at a time, since an outage leaves many. Whatever hinders it puts it off: the next look is written down before this
    /// one.
    pub(super) async fn look_for_doubles(&self) -> Result<()> {
        let at = self.now.at();
        let due: Vec<Watched> = self
            .db
            .work(async |tx| {
                tx.all(
                    "update intent set watch_at = $2
                     where (line_id, id) in (select line_id, id from intent where watch_at <= $1 order by watch_at limit $3)
                       and watch_at <= $1
                     returning line_id, id, connection_id, chat_id, reference, body, made_at, deadline_at, calls, settled_at,
                       state = 'posted' as is_posted",
                    (at, at.plus(WATCH), WATCHED),
                )
                .await
            })
            .await?;
        for watched in due {
            let again = self.watched(&watched, at.plus(WATCH)).await?;
            let (line, intent) = (watched.line_id, watched.intent.id);
            self.db
                .work(async |tx| tx.run("update intent set watch_at = $3 where line_id = $1 and id = $2", (line, intent, again)).await)
                .await?;
        }
        Ok(())
    }

    /// Deletes what stands twice of an intent; says when to look again if it could not be seen to: `later`, or when there is a call for it.
    async fn watched(&self, Watched { intent, is_posted, .. }: &Watched, later: Timestamp) -> Result<Option<Timestamp>> {
        // Without the connection nobody can look any more.
        let Some(connection) = ringcentral::find(&self.db, Some(intent.connection_id), AccountId(uuid::Uuid::nil())).await? else {
            return Ok(None);
        };
        // Nor is anything expected any more.
        let later = (self.now.at().since(intent.deadline_at) < WATCHED_FOR).then_some(later);
        if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, UNHURRIED).await? {
            return Ok(later.map(|_| until));
        }
        let since = intent.made_at.minus(CLOCKS_DIFFER);
        match self.client.find_posts(&connection, &intent.chat_id, &intent.reference, since, UNHURRIED, self.config.call).await {
            Outcome::Accepted(mut posts) => {
                // The oldest stays, unless its messages were posted anew or skipped.
                if *is_posted {
                    posts.pop();
                }
                let mut all_gone = true;
                for copy in posts {
                    all_gone &= self.delete_copy(&connection, &intent.chat_id, &copy.id).await?;
                }
                Ok(later.filter(|_| !all_gone))
            }
            Outcome::Refused(Refusal::ChatGone) => Ok(None),
            // The look goes on then.
            Outcome::Parked { until, .. } => Ok(later.map(|_| until)),
            Outcome::Refused(_) | Outcome::Unreachable(_) | Outcome::Unknown(_) => Ok(later),
        }
    }
}
