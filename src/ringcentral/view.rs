//! What staff see of connections: the list, one whole, its deliveries over time. Their secrets are never among it.

use super::budget::{Group, documented};
use crate::clock::Now;
use crate::db::{Db, Result, one_more};
use crate::directory::accounts::contains;
use crate::figures;
use crate::staff::{Permit, may};
use crate::types::{
    AccountId, ConnectedLine, ConnectionDetail, ConnectionFilter, ConnectionId, ConnectionRow, ConnectionState, Cursor, Deliveries, LineId,
    Page, PhoneNumber, Problem, RateBudget, Span, Timestamp, UnknownPerson, UserId,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(sqlx::FromRow)]
struct Row {
    id: ConnectionId,
    account_id: AccountId,
    account: String,
    base_url: String,
    client_id: String,
    posts_per_minute: Option<i64>,
    posts_per_day: Option<i64>,
    posts_this_minute: i64,
    posts_today: i64,
    paused_at: Option<Timestamp>,
    token_until: Option<Timestamp>,
    refused_until: Option<Timestamp>,
    refused_reason: Option<String>,
    parked_until: Option<Timestamp>,
    parked_reason: Option<String>,
    subscribed_until: Option<Timestamp>,
    subscription_error: Option<String>,
    heard_at: Option<Timestamp>,
    version: i64,
}

impl Row {
    fn shown(self, at: Timestamp) -> ConnectionRow {
        let refused = self.refused_until.is_some();
        let state = match (self.paused_at, self.parked_until.filter(|until| *until > at)) {
            (Some(since), _) => ConnectionState::Paused { since },
            _ if refused => ConnectionState::Refused { why: self.refused_reason.unwrap_or_default() },
            (_, Some(until)) => ConnectionState::Waiting { until, why: self.parked_reason.unwrap_or_default() },
            _ if self.token_until.is_some_and(|until| until > at) => ConnectionState::SignedIn,
            _ => ConnectionState::Idle,
        };
        ConnectionRow {
            id: self.id,
            account_id: self.account_id,
            account: self.account,
            base_url: self.base_url,
            client_id: self.client_id,
            state,
            posts_this_minute: self.posts_this_minute,
            posts_per_minute: self.posts_per_minute,
            posts_today: self.posts_today,
            posts_per_day: self.posts_per_day,
            subscribed_until: self.subscribed_until.filter(|until| *until > at),
            subscription_error: self.subscription_error,
            heard_at: self.heard_at,
            version: self.version,
        }
    }
}

/// The columns of a row, within the permit's scope; `$1` and `$2` are a minute and a day ago.
macro_rules! row_sql {
    ($which:literal) => {
        concat!(
            "select c.id, c.account_id, a.name as account, c.base_url, c.client_id, c.posts_per_minute, c.posts_per_day,
               (select count(*) from connection_call k where k.connection_id = c.id and k.name = 'medium' and k.at > $1) as posts_this_minute,
               case when c.day_started_at > $2 then c.day_calls else 0 end as posts_today,
               c.paused_at, t.expires_at as token_until, t.refused_until, t.refused_reason,
               g.parked_until, g.parked_reason,
               case when s.remote_id is not null then s.expires_at end as subscribed_until, s.last_error as subscription_error, s.heard_at,
               c.version
             from connection c
             join account a on a.id = c.account_id
               and ($3 or c.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             left join connection_token t on t.connection_id = c.id
             left join subscription s on s.connection_id = c.id
             left join connection_group g on g.connection_id = c.id and g.name = (
               select p.name from connection_group p
               where p.connection_id = c.id and p.parked_until is not null
               order by p.parked_until desc limit 1) ",
            $which
        )
    };
}

/// Connections by their account's name.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SeeDirectory>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ConnectionRow>> {
    search(db, now, permit, "", None, after, limit).await
}

/// Connections whose account's name contains `text`, or those of them that are in trouble, paused, or refused.
///
/// # Errors
/// What the database says.
pub async fn search(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SeeDirectory>,
    text: &str,
    state: Option<ConnectionFilter>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ConnectionRow>> {
    let scope = permit.scope();
    let at = now.at();
    let (name, id) = after.and_then(Cursor::key::<(String, ConnectionId)>).unwrap_or((String::new(), ConnectionId(uuid::Uuid::nil())));
    let most = one_more(limit);
    // One text for each: of many connections the few that need somebody are found by the index of their own kind.
    let args = (at.minus(MINUTE), at.minus(DAY), scope.everywhere, scope.staff, scope.permission, name, id, most, contains(text));
    let rows: Vec<Row> = match state {
        None => {
            db.all(
                row_sql!(
                    "where (a.name > $6 or (a.name = $6 and c.id > $7)) and ($9 = '%%' or a.search like $9)
                     order by a.name, c.id
                     limit $8"
                ),
                args,
            )
            .await?
        }
        // Those that `in_trouble` counts.
        Some(ConnectionFilter::Trouble) => {
            db.all(
                row_sql!(
                    "where (a.name > $6 or (a.name = $6 and c.id > $7)) and ($9 = '%%' or a.search like $9)
                       and c.id in (select id from connection where paused_at is not null
                                    union
                                    select connection_id from connection_token where refused_until is not null
                                    union
                                    select connection_id from subscription where last_error is not null)
                     order by a.name, c.id
                     limit $8"
                ),
                args,
            )
            .await?
        }
        Some(ConnectionFilter::Paused) => {
            db.all(
                row_sql!(
                    "where (a.name > $6 or (a.name = $6 and c.id > $7)) and ($9 = '%%' or a.search like $9)
                       and c.paused_at is not null
                     order by a.name, c.id
                     limit $8"
                ),
                args,
            )
            .await?
        }
        Some(ConnectionFilter::Refused) => {
            db.all(
                row_sql!(
                    "where (a.name > $6 or (a.name = $6 and c.id > $7)) and ($9 = '%%' or a.search like $9)
                       and c.paused_at is null
                       and c.id in (select connection_id from connection_token where refused_until is not null)
                     order by a.name, c.id
                     limit $8"
                ),
                args,
            )
            .await?
        }
    };
    let page = Page::of(rows, limit, |row| (row.account.clone(), row.id));
    Ok(page.map(|row| row.shown(at)))
}

/// The connection of an account, if it has one.
///
/// # Errors
/// What the database says.
pub async fn of_account(db: &Db, now: &Now, permit: &Permit<may::SeeDirectory>, account: AccountId) -> Result<Option<ConnectionRow>> {
    let (at, scope) = (now.at(), permit.scope());
    let row: Option<Row> = db
        .opt(
            row_sql!("where c.account_id = $6"),
            (at.minus(MINUTE), at.minus(DAY), scope.everywhere, scope.staff, scope.permission, account),
        )
        .await?;
    Ok(row.map(|row| row.shown(at)))
}

/// A connection, whole.
///
/// # Errors
/// `NotFound` when it is not there or outside the permit's scope.
pub async fn get(db: &Db, now: &Now, permit: &Permit<may::SeeDirectory>, id: ConnectionId) -> Result<ConnectionDetail, Problem> {
    let (at, scope) = (now.at(), permit.scope());
    let row: Option<Row> =
        db.opt(row_sql!("where c.id = $6"), (at.minus(MINUTE), at.minus(DAY), scope.everywhere, scope.staff, scope.permission, id)).await?;
    let row = row.ok_or_else(no_such_connection)?.shown(at);
    let (last_error, last_error_at): (Option<String>, Option<Timestamp>) =
        db.one("select last_error, last_error_at from connection where id = $1", [id]).await?;
    let (events_waiting, events_since): (i64, Option<Timestamp>) = db
        .one(
            "select count(*), min(received_at) from (
               select received_at from ringcentral_event where connection_id = $1 and state = 'new' order by id limit $2) n",
            (id, ConnectionDetail::MOST_EVENTS),
        )
        .await?;
    let lines: Vec<(LineId, PhoneNumber, String)> = db
        .all(
            "select id, number, label from line where account_id = $1 and integration_type = 'ringcentral' order by label, id limit 200",
            [row.account_id],
        )
        .await?;
    let people: Vec<(UserId, String, String, String, Timestamp)> = db
        .all(
            "select p.user_id, u.name, u.email, p.reason, p.seen_at
             from unknown_person p
             join account_user u on u.id = p.user_id
             where p.connection_id = $1
             order by u.name, u.id
             limit 200",
            [id],
        )
        .await?;
    let keeps = db.one(KEEPS, (row.account_id, id)).await?;
    Ok(ConnectionDetail {
        budgets: budgets(db, at, &row).await?,
        last_error: last_error_at.zip(last_error),
        events_waiting,
        events_since,
        lines: lines.into_iter().map(|(id, number, label)| ConnectedLine { id, number, label }).collect(),
        unknown_people: people
            .into_iter()
            .map(|(id, name, email, reason, seen_at)| UnknownPerson { id, name, email, reason, seen_at })
            .collect(),
        stays_because: stays_because(keeps).map(str::to_owned),
        row,
    })
}

pub(super) fn no_such_connection() -> Problem {
    Problem::not_found("There is no such connection, or it belongs to an account that you do not look after.")
}

#[derive(sqlx::FromRow)]
struct Told {
    name: String,
    calls: Option<i64>,
    parked_until: Option<Timestamp>,
    parked_reason: Option<String>,
}

async fn budgets(db: &Db, at: Timestamp, row: &ConnectionRow) -> Result<Vec<RateBudget>> {
    let told: Vec<Told> =
        db.all("select name, calls, parked_until, parked_reason from connection_group where connection_id = $1", [row.id]).await?;
    let used: Vec<(String, i64)> = db
        .all("select name, count(*) from connection_call where connection_id = $1 and at > $2 group by name", (row.id, at.minus(MINUTE)))
        .await?;
    let budget = |group: Group| {
        let told = told.iter().find(|told| told.name == group.as_str());
        let parked_until = told.and_then(|told| told.parked_until).filter(|until| *until > at);
        let in_minute = used.iter().find(|(name, _)| name == group.as_str()).map_or(0, |(_, count)| *count);
        let (used, configured) = match group {
            Group::Posting => (row.posts_today, row.posts_per_day),
            Group::Medium => (in_minute, row.posts_per_minute),
            Group::Light | Group::Heavy | Group::Auth => (in_minute, documented(group)),
        };
        RateBudget {
            group,
            used,
            allowed: configured.into_iter().chain(told.and_then(|told| told.calls)).min(),
            parked_until,
            parked_reason: parked_until.and(told.and_then(|told| told.parked_reason.clone())),
        }
    };
    Ok(Group::ALL.iter().copied().map(budget).collect())
}

/// What keeps a connection: lines set to RingCentral, messages on their way, a call whose end is not known, also one for a line that has
/// another owner since: while it is there, it can be asked.
pub(super) const KEEPS: &str = "select exists (select 1 from line where account_id = $1 and integration_type = 'ringcentral'),
       exists (select 1 from lane where account_id = $1 and trouble > 0 and trouble >= 2)
         or exists (select 1 from intent where connection_id = $2 and state = 'open')";

/// What [`KEEPS`] found, and what to do about it; `None` when nothing keeps it.
pub(super) fn stays_because((is_set, waits): (bool, bool)) -> Option<&'static str> {
    if is_set {
        Some("Lines of this account are set to RingCentral. Set them to another type first; what they hold is kept.")
    } else if waits {
        Some("Messages of this account are still on their way into RingCentral. Wait for them, or skip them in Sync.")
    } else {
        None
    }
}

/// How the deliveries through a connection went over a span.
///
/// # Errors
/// `NotFound` when it is not there or outside the permit's scope.
pub async fn deliveries(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SeeDirectory>,
    id: ConnectionId,
    span: Span,
) -> Result<Deliveries, Problem> {
    let scope = permit.scope();
    let found: Option<(AccountId, Option<i64>, Option<i64>)> = db
        .opt(
            "select account_id, posts_per_minute, posts_per_day from connection
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let (account, per_minute, per_day) = found.ok_or_else(no_such_connection)?;
    Ok(figures::deliveries(db, now, account, span, per_minute, per_day).await?)
}
