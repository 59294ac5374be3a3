//! The members of chats follow the people who have access to the line. Whom RingCentral does not know is reported, and hinders
//! nobody else.
//!
//! The rule: adding somebody who is a member and removing somebody who is none change nothing, so each call may be repeated. Posts
//! come first: these calls leave them half of the budget.

use crate::clock::Now;
use crate::db::{Db, Result, Tx, json};
use crate::ringcentral::{self, Call, Client, Connection, Group, Leave, Membership, Outcome, Refusal};
use crate::types::{AccountId, Change, ConnectionId, LineId, Timestamp, UserId, without_numbers};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Lines of a connection, and chats of all of them, that one step looks at.
const LINES: i64 = 4;
const CHATS: usize = 8;
/// Lines that are found to be settled at a time.
const SETTLED: i64 = 100;
/// A chat that is being looked at is left to another worker after this time.
const LOOKING: Duration = Duration::from_secs(60);
/// After a failure a chat is left alone for this time.
const PAUSE: Duration = Duration::from_secs(120);
const CALL: Duration = Duration::from_secs(15);

/// A person by their e-mail address.
type People = BTreeMap<UserId, String>;

#[derive(Debug, sqlx::FromRow)]
struct Chat {
    chat_id: String,
    members: Option<String>,
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

/// Connections with chats whose members may be others than they should be. Lines without such a chat are settled, or wait for their first.
pub(super) async fn due(db: &Db, at: Timestamp) -> Result<Vec<ConnectionId>> {
    let settled: Vec<(LineId,)> = db
        .all(
            "select m.line_id
             from line_members m
             where m.due_at <= $1
               and not exists (select 1 from chat c
                               where c.line_id = m.line_id and c.members_version < m.version
                                 and (c.members_due_at is null or c.members_due_at <= $1))
             order by m.due_at, m.line_id
             limit $2",
            (at, SETTLED),
        )
        .await?;
    for (line,) in settled {
        settle(db, at, line).await?;
    }
    let rows: Vec<(ConnectionId,)> = db
        .all(
            "select distinct c.connection_id
             from line_members m
             join chat c on c.line_id = m.line_id
             where m.due_at <= $1 and c.members_version < m.version and (c.members_due_at is null or c.members_due_at <= $1)",
            [at],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The line is due again with the first of its chats that waits, or not at all.
async fn settle(db: &Db, at: Timestamp, line: LineId) -> Result<()> {
    db.work(async |tx| {
        // Its lock first: a chat that is being made is seen, then.
        tx.run("update line_members set version = version where line_id = $1", [line]).await?;
        tx.run(
            "update line_members
             set due_at = (select min(coalesce(c.members_due_at, $2)) from chat c
                           where c.line_id = $1 and c.members_version < line_members.version)
             where line_id = $1 and due_at <= $2",
            (line, at),
        )
        .await
    })
    .await?;
    Ok(())
}

/// Looks at chats of a connection whose members may be others than they should be, until told to stop; says how many.
pub(super) async fn step(db: &Db, now: &Now, client: &Client, connection: ConnectionId, stop: &CancellationToken) -> Result<usize> {
    let lines: Vec<(LineId, i64)> = db
        .all(
            "select m.line_id, m.version
             from line_members m
             where m.due_at <= $1
               and exists (select 1 from chat c
                           where c.line_id = m.line_id and c.connection_id = $2 and c.members_version < m.version
                             and (c.members_due_at is null or c.members_due_at <= $1))
             order by m.due_at, m.line_id
             limit $3",
            (now.at(), connection, LINES),
        )
        .await?;
    let mut count = 0;
    for line in lines {
        while count < CHATS && !stop.is_cancelled() && step_of_line(db, now, client, connection, line, stop).await? {
            count += 1;
        }
    }
    Ok(count)
}

/// Looks at the next chat of a line; whether there was one, and leave to call.
async fn step_of_line(
    db: &Db,
    now: &Now,
    client: &Client,
    connection: ConnectionId,
    (line, version): (LineId, i64),
    stop: &CancellationToken,
) -> Result<bool> {
    let at = now.at();
    let chat: Option<Chat> = db
        .work(async |tx| {
            tx.opt(
                "update chat set members_due_at = $4
                 where (connection_id, chat_id) in (
                   select connection_id, chat_id from chat
                   where line_id = $1 and connection_id = $2 and members_version < $3 and (members_due_at is null or members_due_at <= $5)
                   limit 1)
                   and (members_due_at is null or members_due_at <= $5)
                 returning chat_id, members",
                (line, connection, version, at.plus(LOOKING), at),
            )
            .await
        })
        .await?;
    let Some(chat) = chat else { return Ok(false) };
    let mut members: BTreeSet<UserId> = chat.members.as_deref().and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
    let ended = match ringcentral::find(db, Some(connection), AccountId(uuid::Uuid::nil())).await? {
        Some(connection) => {
            let wanted = wanted(db, line, &connection).await?;
            Look { db, now, client, connection: &connection, chat: &chat.chat_id, stop }.settle(&wanted, &mut members).await?
        }
        // Nobody can call there any more.
        None => Ok(()),
    };
    let (settled, due) = match &ended {
        Ok(()) => (Some(version), None),
        Err(Wait { until, .. }) => (None, Some(*until)),
    };
    let without_leave = matches!(&ended, Err(Wait { of_all: true, .. }));
    db.work(async |tx| {
        if without_leave {
            // Nor has any other chat of the line leave before then.
            tx.run("update line_members set due_at = $2 where line_id = $1 and due_at <= $3", (line, due, at)).await?;
        }
        tx.run(
            "update chat set members = $3, members_version = coalesce($4, members_version), members_due_at = $5
             where connection_id = $1 and chat_id = $2",
            (connection, chat.chat_id.clone(), json(&members), settled, due),
        )
        .await
    })
    .await?;
    Ok(!without_leave)
}

/// Why a chat is left for later.
struct Wait {
    /// When it is tried again.
    until: Timestamp,
    /// Nobody has leave to call before.
    of_all: bool,
}

/// What a step on a chat ends with: done, or to be tried again; the database's errors stand outside.
type Done<T> = Result<std::result::Result<T, Wait>>;

/// Looks after the members of one chat.
struct Look<'a> {
    db: &'a Db,
    now: &'a Now,
    client: &'a Client,
    connection: &'a Connection,
    chat: &'a str,
    stop: &'a CancellationToken,
}

impl Look<'_> {
    /// Adds who is missing and removes who should not be there; `members` is kept up to date on the way.
    async fn settle(&self, wanted: &People, members: &mut BTreeSet<UserId>) -> Done<()> {
        let missing: People = wanted.iter().filter(|(id, _)| !members.contains(*id)).map(|(id, email)| (*id, email.clone())).collect();
        let too_many: Vec<[UserId; 1]> = members.iter().filter(|id| !wanted.contains_key(*id)).map(|id| [*id]).collect();
        // Who lost access goes first.
        if !too_many.is_empty() {
            let gone: Vec<(UserId, String)> = self
                .db
                .all("select u.id, u.email from json_each($1) j join account_user u on u.id = unhex(j.value->>0, '-')", [json(&too_many)])
                .await?;
            let ids = match self.person_ids(gone.into_iter().collect()).await? {
                Ok(ids) => ids,
                Err(wait) => return Ok(Err(wait)),
            };
            // Whom the chat does not have is out of it already.
            members.retain(|id| wanted.contains_key(id) || ids.contains_key(id));
            if let Err(wait) = self.call(Membership::Remove, ids, members).await? {
                return Ok(Err(wait));
            }
        }
        self.call(Membership::Add, missing, members).await
    }

    /// The ids by which RingCentral knows those of these people who are in the chat, or were asked for before.
    async fn person_ids(&self, people: People) -> Done<People> {
        let found = self.known_ids(&people).await?;
        if found.len() == people.len() {
            return Ok(Ok(found));
        }
        if let Err(wait) = self.leave(Group::Light).await? {
            return Ok(Err(wait));
        }
        let members = match self.client.chat_members(self.connection, self.chat, CALL).await {
            Outcome::Accepted(members) => members,
            other => return Ok(self.no_answer(&other).map(|()| found)),
        };
        for person in members {
            let known: Option<(String,)> = self
                .db
                .opt(
                    "select email from ringcentral_person where connection_id = $1 and person_id = $2",
                    (self.connection.id, person.clone()),
                )
                .await?;
            if known.is_some() {
                continue;
            }
            if let Err(wait) = self.leave(Group::Light).await? {
                return Ok(Err(wait));
            }
            let email = match self.client.email_of(self.connection, &person, CALL).await {
                Outcome::Accepted(email) => email.unwrap_or_default(),
                // Nobody: not to be asked for again.
                Outcome::Refused(Refusal::ChatGone) => String::new(),
                other => return Ok(self.no_answer(&other).map(|()| found)),
            };
            let at = self.now.at();
            self.db
                .work(async |tx| {
                    tx.run(
                        "insert into ringcentral_person (connection_id, person_id, email, seen_at) values ($1, $2, $3, $4)
                         on conflict (connection_id, person_id) do update set email = excluded.email, seen_at = excluded.seen_at",
                        (self.connection.id, person.clone(), email.to_lowercase(), at),
                    )
                    .await
                })
                .await?;
        }
        Ok(Ok(self.known_ids(&people).await?))
    }

    async fn known_ids(&self, people: &People) -> Result<People> {
        let mut found = People::new();
        for (user, email) in people {
            let id: Option<(String,)> = self
                .db
                .opt(
                    "select person_id from ringcentral_person where connection_id = $1 and email = $2 order by seen_at desc limit 1",
                    (self.connection.id, email.to_lowercase()),
                )
                .await?;
            found.extend(id.map(|(id,)| (*user, id)));
        }
        Ok(found)
    }

    /// One call for all, and one for each if they are refused together.
    async fn call(&self, what: Membership, people: People, members: &mut BTreeSet<UserId>) -> Done<()> {
        let mut groups = vec![people];
        while let Some(people) = groups.pop() {
            if people.is_empty() {
                continue;
            }
            if let Err(wait) = self.leave(Group::Medium).await? {
                return Ok(Err(wait));
            }
            let names: Vec<&str> = people.values().map(String::as_str).collect();
            match self.client.change_members(self.connection, self.chat, what, &names, CALL).await {
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
                        report(self.db, self.now, self.connection.id, *id, &why).await?;
                        members.remove(id);
                    }
                }
                other => return Ok(self.no_answer(&other)),
            }
        }
        Ok(Ok(()))
    }

    async fn leave(&self, group: Group) -> Done<()> {
        // What was called is kept; the rest is for whoever comes next.
        if self.stop.is_cancelled() {
            return Ok(Err(Wait { until: self.now.at(), of_all: false }));
        }
        Ok(match ringcentral::ask_leave(self.db, self.now, self.connection, Call::Unhurried(group)).await? {
            Leave::Granted { .. } => Ok(()),
            Leave::Wait { until } => Err(Wait { until, of_all: true }),
        })
    }

    /// When to try again after a call that did not succeed.
    fn no_answer<T>(&self, ended: &Outcome<T>) -> std::result::Result<(), Wait> {
        match ended {
            // There is nothing to be a member of: the next post finds that out and makes a new chat.
            Outcome::Refused(Refusal::ChatGone) => Ok(()),
            Outcome::Parked { until, .. } => Err(Wait { until: *until, of_all: true }),
            other => {
                let why = without_numbers(&other.words());
                tracing::warn!(chat = self.chat, why, "the members of a chat could not be changed");
                Err(Wait { until: self.now.at().plus(PAUSE), of_all: false })
            }
        }
    }
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
