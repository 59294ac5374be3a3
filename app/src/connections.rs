//! Connections: an account's sign-in to RingCentral, how it is, whether it keeps up, and what staff do about it.
//!
//! The rule: secrets are written, never shown; and a press names the version of the connection that the reader saw.

mod acts;
mod connection;
mod graphs;
mod limits;
mod list;
mod new;
mod remove;
mod secrets;
mod stalled;
mod state;

pub use connection::ConnectionPage;
pub use list::ConnectionsPage;
pub use new::NewConnectionPage;
pub use remove::RemoveConnectionPage;
pub use secrets::NewSecretsPage;
pub use stalled::advice;
pub use state::{StateBadge, state_sentence};

use crate::fault::{Fault, Reply};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use switchyard::types::{AccountId, ConnectionDetail, ConnectionId, ConnectionRow, Deliveries, Problem, Span, SyncRow, Timestamp, counted};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::ringcentral,
    switchyard::staff::may,
    switchyard::sync,
    switchyard::types::{SyncFilter, Trouble},
};

/// How many stalled conversations the page shows; Sync has them all.
#[cfg(feature = "ssr")]
const STALLED: usize = 5;

/// All that a connection's page shows, read together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// The connection.
    pub detail: ConnectionDetail,
    /// How its deliveries went.
    pub deliveries: Deliveries,
    /// The first conversations whose deliveries do not go on; `None` for who may not see messages.
    pub stalled: Option<Vec<SyncRow>>,
    /// There are more of them.
    pub more_stalled: bool,
    /// When it was read.
    pub at: Timestamp,
}

/// A connection, whole, with its deliveries over a span.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/get")]
pub async fn read_connection(id: ConnectionId, span: Span) -> Result<Whole, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let services = services()?;
    let detail = ringcentral::get(&services.db, &services.now, &permit, id).await?;
    let deliveries = ringcentral::deliveries(&services.db, &services.now, &permit, id, span).await?;
    let stalled = match crate::context::member().await?.permit_if_any::<may::SeeMessages>() {
        Some(permit) => {
            let filter = SyncFilter { account: Some(detail.row.account_id), trouble: Some(Trouble::Stalled), ..SyncFilter::default() };
            Some(sync::list(&services.db, &permit, &filter, None, STALLED).await?)
        }
        None => None,
    };
    let more_stalled = stalled.as_ref().is_some_and(|page| page.next.is_some());
    Ok(Whole { detail, deliveries, stalled: stalled.map(|page| page.rows), more_stalled, at: services.now.at() })
}

/// The connection of an account, if it has one.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/of-account")]
pub async fn connection_of(account: AccountId) -> Result<Option<ConnectionRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let services = services()?;
    Ok(ringcentral::of_account(&services.db, &services.now, &permit, account).await?)
}

/// The connection that the path names; `None` for what is no connection's id.
fn connection_of_path() -> Memo<Option<ConnectionId>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("id").and_then(|id| id.parse().ok())))
}

/// The answer for a path that names no connection.
fn no_such_connection() -> Fault {
    Problem::not_found("There is no such connection. The address may be mistyped.").into()
}

/// The way to the pages below a connection's.
fn above(row: &ConnectionRow) -> Vec<(String, String)> {
    vec![("Connections".to_owned(), "/connections".to_owned()), (row.account.clone(), format!("/connections/{}", row.id))]
}

/// How long something has lasted, as people say it.
pub(crate) fn lasted(time: Duration) -> String {
    let count = |seconds: u64| i64::try_from(time.as_secs() / seconds).unwrap_or(i64::MAX);
    match time.as_secs() {
        0..60 => "less than a minute".to_owned(),
        60..3_600 => counted(count(60), "minute", "minutes"),
        3_600..86_400 => counted(count(3_600), "hour", "hours"),
        _ => counted(count(86_400), "day", "days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_its_largest_unit() {
        let told = [0, 59, 60, 150, 3_600, 90_000, 200_000].map(|seconds| lasted(Duration::from_secs(seconds)));
        assert_eq!(told, ["less than a minute", "less than a minute", "1 minute", "2 minutes", "1 hour", "1 day", "2 days"]);
    }
}
