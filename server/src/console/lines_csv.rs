//! The list of lines as a CSV file, with the filters of the page.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::directory;
use switchyard::staff::may;
use switchyard::types::{Cursor, LineFilter, LineRow};

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    account: String,
    #[serde(default, rename = "type")]
    of_type: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    sort: String,
}

/// `GET /lines.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Response {
    let permit = match csv::permit::<may::SeeDirectory>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let filter = LineFilter {
        search: filters.q,
        account: filters.account.parse().ok(),
        integration_type: filters.of_type.parse().ok(),
        state: filters.state.parse().ok(),
        sort: filters.sort.parse().unwrap_or_default(),
    };
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { directory::lines::list(&asked.0.db, &asked.1, &asked.2, after.as_ref(), csv::PAGE).await }
    };
    csv::file("lines.csv", "id,number,label,account,integration_type,created_at,closed_at", read, fields)
}

fn fields(line: &LineRow) -> Vec<String> {
    vec![
        line.id.to_string(),
        line.number.expose().to_owned(),
        csv::quoted(&line.label),
        csv::quoted(&line.account),
        line.integration_type.as_str().to_owned(),
        line.created_at.rfc3339(),
        csv::when(line.closed_at),
    ]
}
