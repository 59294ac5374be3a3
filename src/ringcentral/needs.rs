//! What of connections needs a person: those that are paused, that RingCentral refuses, or that are not told of agents' posts.

use crate::db::{Db, Result};
use crate::home::most_read;
use crate::staff::{Permit, may};
use crate::types::{ConnectionId, ConnectionState, Counted, Timestamp, TroubledConnection};

#[derive(sqlx::FromRow)]
struct Row {
    id: ConnectionId,
    account: String,
    paused_at: Option<Timestamp>,
    refused_until: Option<Timestamp>,
    refused_reason: Option<String>,
    last_error: Option<String>,
    last_error_at: Option<Timestamp>,
}

impl From<Row> for TroubledConnection {
    fn from(row: Row) -> Self {
        let state = match (row.paused_at, row.refused_until) {
            (Some(since), _) => ConnectionState::Paused { since },
            (None, Some(_)) => ConnectionState::Refused { why: row.refused_reason.unwrap_or_default() },
            (None, None) => ConnectionState::Idle,
        };
        Self { id: row.id, account: row.account, state, subscription_error: row.last_error, since: row.paused_at.or(row.last_error_at) }
    }
}

/// Connections in trouble, counted up to a cap, and the oldest of them. A limit that is reached is none: it goes on by itself. The
/// list is narrowed to the same ones: see [`crate::types::ConnectionFilter::Trouble`].
///
/// # Errors
/// What the database says.
pub(crate) async fn in_trouble(db: &Db, permit: &Permit<may::SeeDirectory>, named: usize) -> Result<Counted<TroubledConnection>> {
    let scope = permit.scope();
    let rows: Vec<Row> = db
        .all(
            "select c.id, a.name as account, c.paused_at, t.refused_until, t.refused_reason, s.last_error, c.last_error_at
             from (select id from connection where paused_at is not null
                   union
                   select connection_id from connection_token where refused_until is not null
                   union
                   select connection_id from subscription where last_error is not null) n
             join connection c on c.id = n.id
             join account a on a.id = c.account_id
             left join connection_token t on t.connection_id = c.id
             left join subscription s on s.connection_id = c.id
             where $1 or c.account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3)
             order by coalesce(c.paused_at, c.last_error_at, c.created_at), c.id
             limit $4",
            (scope.everywhere, scope.staff, scope.permission, most_read()),
        )
        .await?;
    Ok(Counted::of(rows.into_iter().map(TroubledConnection::from).collect(), named))
}
