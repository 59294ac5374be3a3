//! Findings as a CSV file: of the kind that its page shows, or of every kind, one behind the other.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::db;
use switchyard::directory::findings;
use switchyard::staff::may;
use switchyard::types::{Cursor, FindingKind, LineRow, Page};

/// The kind as the page's URL has it; an empty one is every kind.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    kind: String,
}

/// `GET /findings.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filter): Query<Filter>,
) -> Response {
    let permit = match csv::permit::<may::SeeDirectory>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let kinds = filter.kind.parse().map_or_else(|_| FindingKind::ALL.to_vec(), |kind| vec![kind]);
    let asked = Arc::new((services, permit, kinds));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move {
            let (services, permit, kinds) = &*asked;
            // Which of the kinds, and where in it.
            let (at, within): (usize, Option<Cursor>) = after.and_then(|after| after.key()).unwrap_or_default();
            let Some(kind) = kinds.get(at).copied() else { return Ok(Page { rows: Vec::new(), next: None }) };
            let page = findings::list(&services.db, permit, kind, within.as_ref(), csv::PAGE).await?;
            let next = match page.next {
                Some(within) => Some((at, Some(within))),
                None => (at + 1 < kinds.len()).then_some((at + 1, None)),
            };
            let rows = page.rows.into_iter().map(|line| (kind, line)).collect();
            Ok::<_, db::Error>(Page { rows, next: next.map(|next| Cursor::at(&next)) })
        }
    };
    csv::file("findings.csv", "finding,line_id,number,label,account,integration_type", read, fields)
}

fn fields((kind, line): &(FindingKind, LineRow)) -> Vec<String> {
    vec![
        kind.as_str().to_owned(),
        line.id.to_string(),
        line.number.expose().to_owned(),
        csv::quoted(&line.label),
        csv::quoted(&line.account),
        line.integration_type.as_str().to_owned(),
    ]
}
