//! The chat of a lane: found by the reference that stands in it, or made, by the same rules as a post.

use super::lease::{free, holds};
use super::{Claim, ELSEWHERE, Engine, LOOK_AGAIN, Next, OTHER, new_reference};
use crate::db::{Result, Tx, json};
use crate::messaging::timeline;
use crate::ringcentral::{self, Connection, Leave, Outcome, Refusal, events};
use crate::sync::members;
use crate::types::{Change, ConnectionId, Timestamp, UserId};
use crate::work::faults;
use std::time::Duration;

/// A chat that is known within this time has missed nothing but events that came before it was known, and those are remembered.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Engine {
    /// Finds the chat that was asked for, or asks for one, by the same rules as a post: reference first, then the call.
    pub(super) async fn find_or_make_chat(&self, mut claim: Claim, connection: Connection, has_leave: bool) -> Result<Next> {
        if claim.connection_id != Some(connection.id) {
            if !self.is_settled_elsewhere(&claim).await? {
                return Ok(Next::Nothing);
            }
            // What was asked for elsewhere says nothing here.
            (claim.chat_reference, claim.chat_asked_at) = (None, None);
        }
        if let Some(asked) = claim.chat_asked_at {
            let settled_at = asked.plus(self.config.call + self.config.settle);
            if self.now.at() < settled_at {
                self.let_go(&claim, settled_at).await?;
                return Ok(Next::Nothing);
            }
        }
        // For making it: whoever has looked through all of them must not have to look again. Looking asks for itself.
        if !has_leave && let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, OTHER).await? {
            self.let_go(&claim, until).await?;
            return Ok(Next::Nothing);
        }
        let asked = claim.chat_asked_at.unwrap_or_else(|| self.now.at());
        let mut found = None;
        if let (Some(reference), Some(_)) = (&claim.chat_reference, claim.chat_asked_at) {
            match self.client.find_team(&connection, reference, self.config.call).await {
                Outcome::Accepted(team) => found = team,
                Outcome::Unknown(why) | Outcome::Unreachable(why) => {
                    self.failed(&claim, Outcome::Unreachable(why), true).await?;
                    return Ok(Next::Nothing);
                }
                // The look goes on then.
                Outcome::Parked { until, .. } => {
                    self.let_go(&claim, until).await?;
                    return Ok(Next::Nothing);
                }
                Outcome::Refused(refusal) => {
                    self.failed(&claim, Outcome::Refused(refusal), true).await?;
                    return Ok(Next::Nothing);
                }
            }
        }
        let (outcome, added) = match found {
            Some(chat) => {
                let asked_with = claim.chat_members.as_deref().and_then(|list| serde_json::from_str(list).ok());
                (Outcome::Accepted(chat), asked_with.unwrap_or_default())
            }
            None => match self.make_chat(&claim, &connection).await? {
                Some(made) => made,
                None => return Ok(Next::Nothing),
            },
        };
        match outcome {
            Outcome::Accepted(chat) => self.chat_known(&claim, &connection, chat, &added, asked).await?,
            // Not made for certain: the next try need not look.
            certain @ (Outcome::Refused(_) | Outcome::Parked { .. } | Outcome::Unreachable(_)) => {
                self.forget_chat_intent(&claim).await?;
                self.failed(&claim, certain, true).await?;
            }
            unknown @ Outcome::Unknown(_) => self.failed(&claim, unknown, false).await?,
        }
        Ok(Next::Nothing)
    }

    /// Looks for a chat that was asked for where the line was before: if it is there, somebody may write in it, and is told that nobody
    /// gets it. `false` when it is to be looked for later.
    async fn is_settled_elsewhere(&self, claim: &Claim) -> Result<bool> {
        let (Some(asked), Some(reference), Some(_)) = (claim.chat_asked_at, &claim.chat_reference, claim.connection_id) else {
            return Ok(true);
        };
        let settled_at = asked.plus(self.config.call + self.config.settle);
        if self.now.at() < settled_at {
            self.let_go(claim, settled_at).await?;
            return Ok(false);
        }
        let Some(before) = ringcentral::find(&self.db, claim.connection_id, claim.account_id).await? else { return Ok(true) };
        match self.client.find_team(&before, reference, self.config.call).await {
            Outcome::Accepted(None) => Ok(true),
            Outcome::Accepted(Some(chat)) => {
                self.db.work(async |tx| know_chat(tx, claim, before.id, chat, &[], (asked, Some(self.now.at()))).await).await?;
                Ok(true)
            }
            Outcome::Refused(_) => Ok(true),
            Outcome::Parked { .. } | Outcome::Unreachable(_) | Outcome::Unknown(_) => {
                let at = self.now.at();
                if at.since(asked) > ELSEWHERE {
                    tracing::warn!(connection = %before.id, reference, "a chat of the account that had the line before could not be looked for");
                    return Ok(true);
                }
                self.let_go(claim, at.plus(LOOK_AGAIN)).await?;
                Ok(false)
            }
        }
    }

    /// Asks for a chat, and says how that ended and whom it was made with; `None` when the lease was lost meanwhile.
    async fn make_chat(&self, claim: &Claim, connection: &Connection) -> Result<Option<(Outcome<String>, Vec<UserId>)>> {
        let reference = claim.chat_reference.clone().unwrap_or_else(|| new_reference(&self.now));
        let about = format!("Text messages with this contact. Made by Switchyard, ref {reference}");
        let name = timeline::contact_name(&self.db, claim.line_id, claim.conversation_id).await?;
        let people = members::wanted(&self.db, claim.line_id, connection).await?;
        let emails: Vec<&str> = people.values().map(String::as_str).collect();
        // The next holder counts from the intent: whatever is called ends by then.
        let deadline = self.now.at().plus(self.config.call);
        let left = || deadline.since(self.now.at());
        let members: Vec<UserId> = people.keys().copied().collect();
        if !self.write_chat_intent(claim, connection, &reference, &members).await? {
            return Ok(None);
        }
        faults::point("chat_intent");
        let outcome = self.client.create_team(connection, &name, &about, &emails, left()).await;
        let made = match outcome {
            // Somebody is unknown there. The conversation does not wait for it: they are added one by one, later.
            Outcome::Refused(Refusal::Content(_)) if !people.is_empty() => {
                if !self.write_chat_intent(claim, connection, &reference, &[]).await? {
                    return Ok(None);
                }
                let outcome = match ringcentral::ask_leave(&self.db, &self.now, connection, OTHER).await? {
                    Leave::Granted { .. } => self.client.create_team(connection, &name, &about, &[], left()).await,
                    Leave::Wait { until } => Outcome::Parked { until, reason: "the rate limit is reached".to_owned() },
                };
                (outcome, Vec::new())
            }
            outcome => (outcome, members),
        };
        faults::point("chat_called");
        Ok(Some(made))
    }

    async fn write_chat_intent(&self, claim: &Claim, connection: &Connection, reference: &str, members: &[UserId]) -> Result<bool> {
        let (at, fence, reference) = (self.now.at(), self.fence(claim), reference.to_owned());
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(false);
                }
                tx.run(
                    "update lane set chat_id = null, chat_reference = $3, chat_asked_at = $4, connection_id = $5, chat_members = $6
                     where line_id = $1 and conversation_id = $2",
                    (claim.line_id, claim.conversation_id, reference, at, connection.id, json(members)),
                )
                .await?;
                Ok::<_, crate::db::Error>(true)
            })
            .await
    }

    async fn forget_chat_intent(&self, claim: &Claim) -> Result<()> {
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if holds(tx, claim, fence).await? {
                    tx.run(
                        "update lane set chat_reference = null, chat_asked_at = null where line_id = $1 and conversation_id = $2",
                        (claim.line_id, claim.conversation_id),
                    )
                    .await?;
                }
                Ok::<_, crate::db::Error>(())
            })
            .await
    }

    /// The chat is there, perhaps since it was asked for: what was written in it before we knew it is read. It is known also when the lane
    /// has gone elsewhere meanwhile: whoever writes in it must not be left without a word.
    async fn chat_known(&self, claim: &Claim, connection: &Connection, chat: String, members: &[UserId], asked: Timestamp) -> Result<()> {
        let (at, fence) = (self.now.at(), self.fence(claim));
        let read_at = (at.since(asked) > AT_ONCE).then_some(at);
        self.db
            .work(async |tx| {
                // Whoever works events off has this lock, too, before that of a lane.
                let strayed_at = events::strayed_at(tx, connection.id, &chat).await?;
                let is_ours = holds(tx, claim, fence).await?;
                if is_ours {
                    tx.run(
                        "update lane set chat_id = $3, chat_reference = null, chat_asked_at = null, chat_members = null, connection_id = $4
                         where line_id = $1 and conversation_id = $2",
                        (claim.line_id, claim.conversation_id, chat.clone(), connection.id),
                    )
                    .await?;
                }
                know_chat(tx, claim, connection.id, chat, members, (asked, read_at.or(strayed_at))).await?;
                members::chat_made(tx, at, claim.line_id).await?;
                if is_ours {
                    free(tx, claim, at).await?;
                    tx.tell(Change::LaneDue);
                }
                Ok::<_, crate::db::Error>(())
            })
            .await
    }
}

/// From now on it is known which conversation the chat shows; asked for then, and to be read from the beginning if somebody may have
/// written in it meanwhile.
async fn know_chat(
    tx: &mut Tx,
    claim: &Claim,
    connection: ConnectionId,
    chat: String,
    members: &[UserId],
    (asked, read_at): (Timestamp, Option<Timestamp>),
) -> Result<()> {
    tx.run(
        "insert into chat (connection_id, chat_id, line_id, conversation_id, made_at, members, catch_up_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing",
        (connection, chat, claim.line_id, claim.conversation_id, asked, json(members), read_at),
    )
    .await?;
    tx.tell(Change::EventDue);
    Ok(())
}
