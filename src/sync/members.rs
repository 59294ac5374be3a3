//! The members of chats follow the people who have access to the line. Whom RingCentral does not know is reported, and hinders
//! nobody else.
//!
//! The rule: adding somebody who is a member and removing somebody who is none change nothing, so each call may be repeated. Posts
//! come first: these calls leave them half of the budget.

use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::messaging::inbound::json;
use crate::ringcentral::{self, Call, Client, Connection, Group, Leave, Membership, Outcome, Refusal};
use crate::types::{AccountId, Change, ConnectionId, LineId, Timestamp, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Lines, and chats of each, that one step looks at.
const LINES: i64 = 4;
const CHATS: i64 = 8;
/// A chat that is being looked at is left to another worker after this time.
const LOOKING: Duration = Duration::from_secs(60);
/// After a failure a chat is left alone for this time.
const PAUSE: Duration = Duration::from_secs(120);
const CALL: Duration = Duration::from_secs(15);

/// A person by their e-mail address.
type People = BTreeMap<UserId, String>;

#[derive(Debug, sqlx::FromRow)]
struct Chat {
    connection_id: ConnectionId,
    chat_id: String,
    members: Option<String>,
}

/// How looking at a chat ended.
enum Ended {
    /// Its members are these, and as they should be.
    Settled(BTreeSet<UserId>),
    /// Its members are these; the rest is tried at this time.
    Later(BTreeSet<UserId>, Timestamp),
}

/// People were given access to a line, or lost it: its chats follow.
///
/// # Errors
/// What the database says.
pub async fn access_changed(tx: &mut Tx, at: Timestamp, line: LineId) -> Result<()> {
    tx.run(
        "insert into line_members (line_id, version, due_at) values ($1, 1, $2)
         on conflict (line_id) do update set version = line_members.version + 1, due_at = excluded.due_at",
        (line, at),
    )
    .await?;
    tx.tell(Change::EventDue);
    Ok(())
}

/// The same for every line that these people have access to.
///
/// # Errors
/// What the database says.
pub async fn people_changed(tx: &mut Tx, at: Timestamp, people: &[UserId]) -> Result<()> {
    let people: Vec<[UserId; 1]> = people.iter().map(|id| [*id]).collect();
    let lines: Vec<(LineId,)> = tx
        .all(
            "select distinct lu.line_id from json_each($1) j join line_user lu on lu.user_id = unhex(j.value->>0, '-') order by lu.line_id",
            [json(&people)],
        )
        .await?;
    for (line,) in lines {
        access_changed(tx, at, line).await?;
    }
    Ok(())
}

/// A chat was made with these members: it is looked at once more, since access may have changed meanwhile.
pub(super) async fn chat_made(tx: &mut Tx, at: Timestamp, line: LineId) -> Result<()> {
    tx.run(
        "insert into line_members (line_id, version, due_at) values ($1, 1, $2)
         on conflict (line_id) do update set due_at = excluded.due_at",
        (line, at),
    )
    .await?;
    Ok(())
}

/// Who should be in the chats of a line on this connection: who has access, while the line belongs to its account.
pub(super) async fn wanted(db: &Db, line: LineId, connection: &Connection) -> Result<People> {
    let rows: Vec<(UserId, String)> = db
        .all(
            "select u.id, u.email
             from line_user lu
             join account_user u on u.id = lu.user_id
             join line l on l.id = lu.line_id and l.account_id = u.account_id
             where lu.line_id = $1 and l.account_id = $2
             order by u.id
             limit 500",
            (line, connection.account_id),
        )
        .await?;
    let unknown: Vec<(UserId,)> = db.all("select user_id from unknown_person where connection_id = $1", [connection.id]).await?;
    let mut people: People = rows.into_iter().collect();
    for (id,) in unknown {
        people.remove(&id);
    }
    Ok(people)
}

/// Looks at chats whose members may be others than they should be; says how many.
pub(super) async fn step(db: &Db, now: &Now, client: &Client) -> Result<usize> {
    let lines: Vec<(LineId, i64)> =
        db.all("select line_id, version from line_members where due_at <= $1 order by due_at, line_id limit $2", (now.at(), LINES)).await?;
    let mut count = 0;
    for (line, version) in lines {
        count += step_of_line(db, now, client, line, version).await?;
    }
    Ok(count)
}

async fn step_of_line(db: &Db, now: &Now, client: &Client, line: LineId, version: i64) -> Result<usize> {
    let at = now.at();
    let chats: Vec<Chat> = db
        .work(async |tx| {
            let chats: Vec<Chat> = tx
                .all(
                    "update chat set members_due_at = $3
                     where (connection_id, chat_id) in (
                       select connection_id, chat_id from chat
                       where line_id = $1 and members_version < $2 and (members_due_at is null or members_due_at <= $4)
                       limit $5)
                       and (members_due_at is null or members_due_at <= $4)
                     returning connection_id, chat_id, members",
                    (line, version, at.plus(LOOKING), at, CHATS),
                )
                .await?;
            if chats.is_empty() {
                // Settled, or until the first one that waits.
                tx.run(
                    "update line_members
                     set due_at = (select min(members_due_at) from chat where line_id = $1 and members_version < $2)
                     where line_id = $1 and version = $2",
                    (line, version),
                )
                .await?;
            }
            Ok::<_, crate::db::Error>(chats)
        })
        .await?;
    for chat in &chats {
        let ended = match ringcentral::find(db, Some(chat.connection_id), AccountId(uuid::Uuid::nil())).await? {
            Some(connection) => look_at(db, now, client, line, &connection, chat).await?,
            // Nobody can call there any more.
            None => Ended::Settled(BTreeSet::new()),
        };
        let (members, version, due) = match ended {
            Ended::Settled(members) => (members, Some(version), None),
            Ended::Later(members, due) => (members, None, Some(due)),
        };
        db.work(async |tx| {
            tx.run(
                "update chat set members = $3, members_version = coalesce($4, members_version), members_due_at = $5
                 where connection_id = $1 and chat_id = $2",
                (chat.connection_id, chat.chat_id.clone(), json(&members), version, due),
            )
            .await
        })
        .await?;
    }
    Ok(chats.len())
}

/// Adds who is missing and removes who should not be there.
async fn look_at(db: &Db, now: &Now, client: &Client, line: LineId, connection: &Connection, chat: &Chat) -> Result<Ended> {
    let mut members: BTreeSet<UserId> = chat.members.as_deref().and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
    let wanted = wanted(db, line, connection).await?;
    let missing: People = wanted.iter().filter(|(id, _)| !members.contains(*id)).map(|(id, email)| (*id, email.clone())).collect();
    let too_many: Vec<[UserId; 1]> = members.iter().filter(|id| !wanted.contains_key(*id)).map(|id| [*id]).collect();
    let too_many: Vec<(UserId, String)> = db
        .all("select u.id, u.email from json_each($1) j join account_user u on u.id = unhex(j.value->>0, '-')", [json(&too_many)])
        .await?;
    // Who lost access goes first.
    for (what, people) in [(Membership::Remove, too_many.into_iter().collect()), (Membership::Add, missing)] {
        if let Some(due) = call(db, now, client, connection, chat, what, people, &mut members).await? {
            return Ok(Ended::Later(members, due));
        }
    }
    Ok(Ended::Settled(members))
}

/// One call for all, and one for each if they are refused together; says when to try again, if something hinders it.
#[expect(clippy::too_many_arguments, reason = "one loop's body, named")]
async fn call(
    db: &Db,
    now: &Now,
    client: &Client,
    connection: &Connection,
    chat: &Chat,
    what: Membership,
    people: People,
    members: &mut BTreeSet<UserId>,
) -> Result<Option<Timestamp>> {
    let mut groups = vec![people];
    while let Some(people) = groups.pop() {
        if people.is_empty() {
            continue;
        }
        if let Leave::Wait { until } = ringcentral::ask_leave(db, now, connection, Call::Unhurried(Group::Medium)).await? {
            return Ok(Some(until));
        }
        let emails: Vec<&str> = people.values().map(String::as_str).collect();
        match client.change_members(connection, &chat.chat_id, what, &emails, CALL).await {
            Outcome::Accepted(()) => match what {
                Membership::Add => members.extend(people.keys()),
                Membership::Remove => members.retain(|id| !people.contains_key(id)),
            },
            // One whom RingCentral does not know refuses the call for all.
            Outcome::Refused(Refusal::Content(_)) if people.len() > 1 => {
                groups.extend(people.into_iter().map(|person| People::from([person])));
            }
            Outcome::Refused(Refusal::Content(why)) => {
                for id in people.keys() {
                    report(db, now, connection.id, *id, &why).await?;
                    members.remove(id);
                }
            }
            // There is nothing to be a member of: the next post finds that out and makes a new chat.
            Outcome::Refused(Refusal::ChatGone) => return Ok(None),
            Outcome::Parked { until, .. } => return Ok(Some(until)),
            other => {
                tracing::warn!(chat = chat.chat_id, ended = ?other, "the members of a chat could not be changed");
                return Ok(Some(now.at().plus(PAUSE)));
            }
        }
    }
    Ok(None)
}

async fn report(db: &Db, now: &Now, connection: ConnectionId, user: UserId, why: &str) -> Result<()> {
    db.work(async |tx| {
        tx.run(
            "insert into unknown_person (connection_id, user_id, reason, seen_at) values ($1, $2, $3, $4)
             on conflict (connection_id, user_id) do update set reason = excluded.reason, seen_at = excluded.seen_at",
            (connection, user, why.to_owned(), now.at()),
        )
        .await?;
        Ok(())
    })
    .await
}
