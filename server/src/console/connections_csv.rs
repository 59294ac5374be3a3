//! The list of connections as a CSV file, with the filters of its page. Their secrets are never among it.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::ringcentral;
use switchyard::staff::may;
use switchyard::types::{ConnectionRow, ConnectionState, Cursor};

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
}

/// `GET /connections.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filter): Query<Filter>,
) -> Response {
    let permit = match csv::permit::<may::SeeDirectory>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let state = filter.state.parse().ok();
    let asked = Arc::new((services, permit, filter.q));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { ringcentral::search(&asked.0.db, &asked.0.now, &asked.1, &asked.2, state, after.as_ref(), csv::PAGE).await }
    };
    let columns = "id,account,base_url,client_id,state,since,until,reason,posts_this_minute,posts_per_minute,posts_today,posts_per_day,\
                   subscribed_until,subscription_error,last_event_at";
    csv::file("connections.csv", columns, read, fields)
}

fn fields(row: &ConnectionRow) -> Vec<String> {
    let (state, since, until, reason) = match &row.state {
        ConnectionState::Paused { since } => ("paused", Some(*since), None, ""),
        ConnectionState::Refused { why } => ("refused", None, None, why.as_str()),
        ConnectionState::Waiting { until, why } => ("waiting", None, Some(*until), why.as_str()),
        ConnectionState::SignedIn => ("signed_in", None, None, ""),
        ConnectionState::Idle => ("idle", None, None, ""),
    };
    let limit = |of: Option<i64>| of.map(|of| of.to_string()).unwrap_or_default();
    vec![
        row.id.to_string(),
        csv::quoted(&row.account),
        csv::quoted(&row.base_url),
        csv::quoted(&row.client_id),
        state.to_owned(),
        csv::when(since),
        csv::when(until),
        csv::quoted(reason),
        row.posts_this_minute.to_string(),
        limit(row.posts_per_minute),
        row.posts_today.to_string(),
        limit(row.posts_per_day),
        csv::when(row.subscribed_until),
        csv::quoted(row.subscription_error.as_deref().unwrap_or_default()),
        csv::when(row.heard_at),
    ]
}
