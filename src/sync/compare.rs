//! What RingCentral shows of a conversation beside what we know.
//!
//! The rule: staff ask for it, and it is one call, from the half of each minute that deliveries do not need. What is not certain is no
//! difference: a post that may not be listed yet, or one from before the oldest that was read.

use super::agents::plain;
use super::compose::{reference_in, says};
use crate::clock::Now;
use crate::db::{Db, Result, json};
use crate::messaging::timeline::{media, others};
use crate::ringcentral::events::PostBody;
use crate::ringcentral::{self, Call, Client, Connection, Group, Leave, Outcome};
use crate::staff::{Permit, Seen, may};
use crate::types::{
    AccountId, AgentOutcome, Agreement, ComparedMessage, ComparedPost, Comparison, ConnectionId, ConversationId, Direction, EntryState,
    LineId, MessageId, Origin, Problem, Timestamp, Writer, Written,
};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// So many posts are read, in one call.
const POSTS: usize = 100;
/// So many of our messages are held against them.
const MESSAGES: i64 = 1_000;
const CALL: Duration = Duration::from_secs(10);
/// RingCentral's clock and ours differ by no more.
const CLOCKS_DIFFER: Duration = Duration::from_secs(10 * 60);
/// A post is listed within this time.
const LISTED: Duration = Duration::from_secs(30);

#[derive(sqlx::FromRow)]
struct Head {
    account_id: AccountId,
    chat_id: Option<String>,
    connection_id: Option<ConnectionId>,
    sees: bool,
}

#[derive(sqlx::FromRow)]
struct Ours {
    id: MessageId,
    direction: Direction,
    origin: Option<Origin>,
    body: String,
    removed_after: Option<i64>,
    media: Option<String>,
    others: Option<String>,
    created_at: Timestamp,
    accepted_at: Option<Timestamp>,
    state: EntryState,
    post_id: Option<String>,
    posted_at: Option<Timestamp>,
    chat_id: Option<String>,
}

impl Ours {
    fn at(&self) -> Timestamp {
        self.accepted_at.unwrap_or(self.created_at)
    }

    fn shown(&self, sees: bool) -> ComparedMessage {
        let writer = match self.direction {
            Direction::Inbound => Some(Writer::Contact),
            Direction::Outbound => self.origin.and_then(|origin| origin.as_str().parse().ok()),
        };
        let written = match self.removed_after {
            Some(after_days) => Written::Removed { after_days },
            None => Written::of(self.body.clone(), media(self.media.as_deref()), others(self.others.as_deref()), sees),
        };
        ComparedMessage { id: self.id, writer, written, at: self.at() }
    }
}

/// What is known of posts that are in no message of ours that was read.
struct Known {
    /// Posts of ours.
    posts: HashSet<String>,
    /// What agents wrote, and what became of it.
    agents: HashMap<String, AgentOutcome>,
    /// References of our words to agents.
    notices: HashSet<String>,
}

/// Reads the newest posts of a conversation's chat and holds them against what we know. It spends one call of the account's connection.
///
/// # Errors
/// `NotFound` outside the permit's scope; `Conflict` when there is no chat, or it is another account's; `TooMany` while the connection has
/// no call to spare; `Unavailable` with what went wrong at RingCentral.
pub async fn compare(
    db: &Db,
    now: &Now,
    client: &Client,
    permit: &Permit<may::ManageSync>,
    line: LineId,
    id: ConversationId,
) -> Result<Comparison, Problem> {
    let head = head(db, permit, line, id).await?;
    let (connection, chat) = chat_of(db, &head).await?;
    if let Leave::Wait { until } = ringcentral::ask_leave(db, now, &connection, Call::Unhurried(Group::Medium)).await? {
        return Err(Problem::too_many_until("The connection has no call to spare: it is paused, or deliveries need them.", until));
    }
    let (posts, goes_on) = match client.newest_posts(&connection, &chat, POSTS, CALL).await {
        Outcome::Accepted(found) => found,
        other => return Err(Problem::unavailable(format!("RingCentral: {}", other.words()))),
    };
    let ours = ours(db, line, id).await?;
    let known = known(db, line, id, &posts).await?;
    if head.sees {
        permit.saw(Seen::Conversation(head.account_id, line, id));
    }
    let at = now.at();
    let since = goes_on.then(|| posts.iter().filter_map(time_of).min()).flatten();
    Ok(Comparison { at, since, rows: rows(&posts, &ours, &known, &chat, Span { since, at }, head.sees) })
}

async fn head(db: &Db, permit: &Permit<may::ManageSync>, line: LineId, id: ConversationId) -> Result<Head, Problem> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let head: Option<Head> = db
        .opt(
            "select l.account_id, n.chat_id, n.connection_id,
               coalesce($6 or l.account_id in
                 (select account_id from staff_scope where staff_id = $4 and permission = $7), false) as sees
             from conversation c
             join line l on l.id = c.line_id
             left join lane n on n.line_id = c.line_id and n.conversation_id = c.id
             where c.line_id = $1 and c.id = $2
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))",
            (line, id, scope.everywhere, scope.staff, scope.permission, sight.everywhere, sight.permission),
        )
        .await?;
    head.ok_or_else(super::no_such_conversation)
}

/// The conversation's chat, and the connection of the line's account by which it is read.
async fn chat_of(db: &Db, head: &Head) -> Result<(Connection, String), Problem> {
    let (Some(chat), Some(id)) = (head.chat_id.clone(), head.connection_id) else {
        return Err(Problem::conflict("There is no chat yet, so RingCentral shows nothing of this conversation."));
    };
    let found = ringcentral::find(db, Some(id), head.account_id).await?.filter(|connection| connection.account_id == head.account_id);
    let connection = found.ok_or_else(|| {
        Problem::conflict("The chat was made through a connection that the line’s account does not have any more. It cannot be read.")
    })?;
    Ok((connection, chat))
}

/// The newest messages of the conversation that have to do with RingCentral.
async fn ours(db: &Db, line: LineId, id: ConversationId) -> Result<Vec<Ours>> {
    db.all(
        "select m.id, m.direction, m.origin, m.body, m.removed_after, m.media, m.others, m.created_at, m.accepted_at, e.state, e.post_id,
           e.posted_at, coalesce(i.chat_id, p.chat_id) as chat_id
         from message m
         join sync_entry e on e.line_id = m.line_id and e.message_id = m.id
         left join intent i on i.line_id = e.line_id and i.id = e.intent_id
         left join agent_post p on p.line_id = e.line_id and p.post_id = e.post_id
         where m.line_id = $1 and m.conversation_id = $2
         order by m.id desc
         limit $3",
        (line, id, MESSAGES),
    )
    .await
}

async fn known(db: &Db, line: LineId, id: ConversationId, posts: &[PostBody]) -> Result<Known> {
    let ids = json(&posts.iter().map(|post| [&post.id]).collect::<Vec<_>>());
    let references = json(&posts.iter().filter_map(|post| Some([reference_in(post.text.as_deref()?)?])).collect::<Vec<_>>());
    let ours: Vec<(String,)> = db
        .all(
            "select post_id from intent
             where line_id = $1 and conversation_id = $2 and post_id in (select j.value->>0 from json_each($3) j)",
            (line, id, ids.clone()),
        )
        .await?;
    let agents: Vec<(String, AgentOutcome)> = db
        .all(
            "select post_id, outcome from agent_post where line_id = $1 and post_id in (select j.value->>0 from json_each($2) j)",
            (line, ids),
        )
        .await?;
    let notices: Vec<(String,)> = db
        .all(
            "select reference from notice where line_id = $1 and reference in (select j.value->>0 from json_each($2) j)",
            (line, references),
        )
        .await?;
    Ok(Known {
        posts: ours.into_iter().map(|(id,)| id).collect(),
        agents: agents.into_iter().collect(),
        notices: notices.into_iter().map(|(reference,)| reference).collect(),
    })
}

fn time_of(post: &PostBody) -> Option<Timestamp> {
    post.creation_time.as_deref().and_then(Timestamp::from_rfc3339)
}

/// The time that is compared.
#[derive(Clone, Copy)]
struct Span {
    /// The oldest post that was read, if there are older ones.
    since: Option<Timestamp>,
    /// When RingCentral was asked.
    at: Timestamp,
}

impl Span {
    /// What was posted then must be listed.
    fn is_certain(self, posted: Timestamp) -> bool {
        self.since.is_none_or(|since| posted > since.plus(CLOCKS_DIFFER)) && posted <= self.at.minus(LISTED)
    }
}

/// Everything, the newest first.
fn rows(posts: &[PostBody], ours: &[Ours], known: &Known, chat: &str, span: Span, sees: bool) -> Vec<ComparedPost> {
    let mut of_post: HashMap<&str, Vec<&Ours>> = HashMap::new();
    for message in ours.iter().rev() {
        if let Some(post) = &message.post_id {
            of_post.entry(post).or_default().push(message);
        }
    }
    let shown = |messages: &[&Ours]| messages.iter().map(|message| message.shown(sees)).collect::<Vec<_>>();
    let mut rows: Vec<ComparedPost> = Vec::with_capacity(posts.len());
    for post in posts {
        let here = of_post.remove(post.id.as_str()).unwrap_or_default();
        rows.push(ComparedPost {
            post_id: Some(post.id.clone()),
            at: time_of(post),
            is_there: true,
            says: post.text.clone().filter(|_| sees),
            agreement: agreement(post, &here, known),
            here: shown(&here),
        });
    }
    let gone = of_post.into_iter().filter_map(|(post, messages)| Some((post, messages.first()?.posted_at?, messages)));
    let gone = gone.filter(|(_, at, messages)| span.is_certain(*at) && messages.iter().all(|m| m.chat_id.as_deref() == Some(chat)));
    rows.extend(gone.map(|(post, at, messages)| ComparedPost {
        post_id: Some(post.to_owned()),
        at: Some(at),
        is_there: false,
        says: None,
        here: shown(&messages),
        agreement: Agreement::Missing,
    }));
    let not_there = ours.iter().filter(|m| m.post_id.is_none() && span.since.is_none_or(|since| m.at() > since));
    rows.extend(not_there.map(|message| ComparedPost {
        post_id: None,
        at: Some(message.at()),
        is_there: false,
        says: None,
        here: shown(&[message]),
        agreement: match message.state {
            EntryState::Held | EntryState::Queued | EntryState::Posted => Agreement::Waits,
            EntryState::Skipped | EntryState::Failed => Agreement::NotPosted,
        },
    }));
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    rows
}

/// How a post goes together with what we know of it.
fn agreement(post: &PostBody, here: &[&Ours], known: &Known) -> Agreement {
    if post.kind.as_deref().is_some_and(|kind| kind != "TextMessage") {
        return Agreement::Aside;
    }
    if !here.is_empty() {
        return if is_same(post, here) {
            Agreement::Same
        } else if here.iter().any(|message| message.origin == Some(Origin::Agent)) {
            Agreement::Edited
        } else {
            Agreement::OtherText
        };
    }
    match known.agents.get(&post.id) {
        Some(AgentOutcome::Sent) => return Agreement::Same,
        Some(_) => return Agreement::NotSent,
        None if known.posts.contains(&post.id) => return Agreement::Same,
        None => {}
    }
    let reference = post.text.as_deref().and_then(reference_in);
    if reference.is_some_and(|reference| known.notices.contains(reference)) { Agreement::Aside } else { Agreement::Unknown }
}

/// Whether a post says what our messages in it say, as far as we still know that.
fn is_same(post: &PostBody, here: &[&Ours]) -> bool {
    if here.iter().any(|message| message.removed_after.is_some()) {
        return true;
    }
    if here.iter().all(|message| message.origin == Some(Origin::Agent)) {
        // What is too long for one message was sent in several.
        let sent: String = here.iter().map(|message| message.body.as_str()).collect();
        return sent.trim() == plain(post).replace('\0', "");
    }
    let text = post.text.as_deref().unwrap_or_default();
    here.iter().all(|message| says(text, &message.body))
}
