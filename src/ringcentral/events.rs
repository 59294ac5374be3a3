//! Events as they come in: stored before they are answered, each once, worked off later in the order in which they came.
//!
//! The rule: an event says that something may have happened, never that nothing else did. Each can be lost, come twice or late;
//! whatever counts is read from the chats themselves when there was a gap.

use super::client::{maybe_text_or_number, text_or_number};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, json};
use crate::types::{Change, ConnectionId, Timestamp};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use uuid::Uuid;

/// Worked-off events are forgotten after this time; RingCentral repeats none of them later.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An event as the webhook brings it (developer guide, webhooks: the envelope).
#[derive(Debug, Clone, Deserialize)]
pub struct Envelope {
    /// The same for a repeated one.
    pub uuid: String,
    /// The filter that it answers, with its ids filled in.
    pub event: String,
    /// What happened.
    #[serde(default)]
    pub body: serde_json::Value,
}

/// A post as events and lists show it; a removed one has an id alone (developer guide, team messaging events).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostBody {
    /// Its id.
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    /// The chat.
    #[serde(default, deserialize_with = "maybe_text_or_number")]
    pub group_id: Option<String>,
    /// `PostAdded`, `PostChanged`, `PostRemoved`; a list has none.
    #[serde(default)]
    pub event_type: Option<String>,
    /// `TextMessage`, or what happened to the chat.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// What it says.
    #[serde(default)]
    pub text: Option<String>,
    /// Who wrote it.
    #[serde(default, deserialize_with = "maybe_text_or_number")]
    pub creator_id: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub creation_time: Option<String>,
    /// Files and cards.
    #[serde(default)]
    pub attachments: Option<Vec<Attachment>>,
    /// Whom it names.
    #[serde(default)]
    pub mentions: Option<Vec<Mention>>,
}

/// A file or card in a post.
#[derive(Debug, Clone, Deserialize)]
pub struct Attachment {
    /// The file's name.
    #[serde(default)]
    pub name: Option<String>,
}

/// Somebody or something that a post names as `![:Person](id)`.
#[derive(Debug, Clone, Deserialize)]
pub struct Mention {
    /// The id in the text.
    #[serde(default, deserialize_with = "maybe_text_or_number")]
    pub id: Option<String>,
    /// How it is shown.
    #[serde(default)]
    pub name: Option<String>,
}

/// An event that waits, as the room that works it off reads it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Waiting {
    /// Ours; grows in the order of arrival.
    pub id: Uuid,
    /// The filter.
    pub event: String,
    /// JSON.
    pub body: Option<String>,
}

/// Stores events set-wise; repeated ones change nothing. Says of each whether it was new.
///
/// # Errors
/// What the database says.
pub async fn receive(db: &Db, now: &Now, batch: &[(ConnectionId, Envelope)]) -> Result<Vec<bool>> {
    let at = now.at();
    // Ids of one millisecond are in no order; arrival order is.
    let mut ids: Vec<Uuid> = batch.iter().map(|_| now.id_at(at)).collect();
    ids.sort_unstable();
    let rows: Vec<_> = batch.iter().zip(&ids).map(|((id, e), own)| (id, own, &e.uuid, &e.event, e.body.to_string())).collect();
    let connections: HashSet<ConnectionId> = batch.iter().map(|(id, _)| *id).collect();
    let mut connections: Vec<[ConnectionId; 1]> = connections.into_iter().map(|id| [id]).collect();
    connections.sort_unstable();
    let stored: Vec<(Uuid,)> = db
        .work(async |tx| {
            let stored = tx
                .all(
                    "insert into ringcentral_event (connection_id, id, uuid, event, body, received_at, state)
                     select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), j.value->>2, j.value->>3, j.value->>4, $2, 'new'
                     from json_each($1) j
                     where true
                     on conflict do nothing
                     returning id",
                    (json(&rows), at),
                )
                .await?;
            tx.run(
                "update subscription as s set heard_at = $2
                 from json_each($1) j
                 where s.connection_id = unhex(j.value->>0, '-')",
                (json(&connections), at),
            )
            .await?;
            tx.tell(Change::EventDue);
            Ok::<_, crate::db::Error>(stored)
        })
        .await?;
    let stored: HashSet<Uuid> = stored.into_iter().map(|(id,)| id).collect();
    Ok(ids.iter().map(|id| stored.contains(id)).collect())
}

/// Connections with events that wait.
///
/// # Errors
/// What the database says.
pub async fn waiting_connections(db: &Db) -> Result<Vec<ConnectionId>> {
    let rows: Vec<(ConnectionId,)> = db
        .all(
            "select s.connection_id from subscription s
             where exists (select 1 from ringcentral_event e where e.connection_id = s.connection_id and e.state = 'new')
             limit 50",
            (),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Takes the lock of a connection's subscription: one at a time works its posts off, or makes a chat of it known.
///
/// # Errors
/// What the database says.
pub async fn hold(tx: &mut Tx, connection: ConnectionId) -> Result<()> {
    tx.run("update subscription set fence = fence where connection_id = $1", [connection]).await?;
    Ok(())
}

/// The oldest events of a connection that wait, held.
///
/// # Errors
/// What the database says.
pub async fn take(tx: &mut Tx, connection: ConnectionId, most: i64) -> Result<Vec<Waiting>> {
    hold(tx, connection).await?;
    tx.all(
        "select id, event, body from ringcentral_event where connection_id = $1 and state = 'new' order by id limit $2",
        (connection, most),
    )
    .await
}

/// Marks events as worked off; what they said is dropped. Of those in `strays` the chat is kept that nobody knew: it may be ours before
/// long.
///
/// # Errors
/// What the database says.
pub async fn done(tx: &mut Tx, connection: ConnectionId, events: &[Waiting], strays: &HashMap<Uuid, String>) -> Result<()> {
    let rows: Vec<(Uuid, Option<&String>)> = events.iter().map(|event| (event.id, strays.get(&event.id))).collect();
    tx.run(
        "update ringcentral_event as e set state = 'done', body = null, stray_chat_id = j.value->>1
         from json_each($2) j
         where e.connection_id = $1 and e.id = unhex(j.value->>0, '-')",
        (connection, json(&rows)),
    )
    .await?;
    Ok(())
}

/// When somebody wrote in a chat that nobody knew then; held, so that no event of it is being worked off while the chat becomes known.
///
/// # Errors
/// What the database says.
pub async fn strayed_at(tx: &mut Tx, connection: ConnectionId, chat: &str) -> Result<Option<Timestamp>> {
    hold(tx, connection).await?;
    let (at,): (Option<Timestamp>,) = tx
        .one(
            "select max(received_at) from ringcentral_event where connection_id = $1 and stray_chat_id = $2",
            (connection, chat.to_owned()),
        )
        .await?;
    Ok(at)
}

/// A look for chats with news, since events may have been lost; it is this worker's until a time.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct News {
    /// When it began.
    pub begun_at: Timestamp,
    /// When the last one began that saw all news; `None` when there was none yet.
    pub seen_at: Option<Timestamp>,
    /// Where it goes on among all chats, empty at their beginning; `None` while those with news lately are enough.
    pub page: Option<String>,
    /// Another worker may go on with it then.
    pub taken_until: Timestamp,
}

/// Connections where chats with news are to be looked for now: their events may have a gap.
///
/// # Errors
/// What the database says.
pub async fn with_gaps(db: &Db, at: Timestamp) -> Result<Vec<ConnectionId>> {
    let rows: Vec<(ConnectionId,)> = db
        .all("select connection_id from subscription where gap_at is not null and (news_due_at is null or news_due_at <= $1)", [at])
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Takes the look for a connection's chats with news, or goes on with it, if that is due.
///
/// # Errors
/// What the database says.
pub async fn take_news(db: &Db, connection: ConnectionId, at: Timestamp, until: Timestamp) -> Result<Option<News>> {
    db.work(async |tx| {
        tx.opt(
            "update subscription
             set news_due_at = $3, news_begun_at = case when news_page is null then cast($2 as bigint) else news_begun_at end
             where connection_id = $1 and gap_at is not null and (news_due_at is null or news_due_at <= $2)
             returning news_begun_at as begun_at, news_seen_at as seen_at, news_page as page, news_due_at as taken_until",
            (connection, at, until),
        )
        .await
    })
    .await
}

/// The look goes on with this page, at once or at `due`.
///
/// # Errors
/// What the database says.
pub async fn news_go_on(tx: &mut Tx, connection: ConnectionId, news: &News, page: Option<String>, due: Option<Timestamp>) -> Result<()> {
    tx.run(
        "update subscription set news_page = $3, news_due_at = $4 where connection_id = $1 and news_due_at = $2",
        (connection, news.taken_until, page, due),
    )
    .await?;
    Ok(())
}

/// All chats with news are known: the gap that was known when the look began is no more.
///
/// # Errors
/// What the database says.
pub async fn news_are_seen(tx: &mut Tx, connection: ConnectionId, news: &News) -> Result<()> {
    tx.run(
        "update subscription
         set news_seen_at = news_begun_at, news_page = null, news_due_at = null,
           gap_at = case when gap_at <= news_begun_at then null else gap_at end
         where connection_id = $1 and news_due_at = $2",
        (connection, news.taken_until),
    )
    .await?;
    Ok(())
}

/// Forgets worked-off events that are old; says how many.
///
/// # Errors
/// What the database says.
pub async fn forget_old(db: &Db, now: &Now) -> Result<u64> {
    let before = now.at().minus(KEPT);
    db.work(async |tx| tx.run("delete from ringcentral_event where received_at < $1 and state = 'done'", [before]).await).await
}
