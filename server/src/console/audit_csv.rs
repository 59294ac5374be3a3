//! The audit as a CSV file, with the filters of the page.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::staff::{self, Seen, may};
use switchyard::types::{AuditEntry, AuditFilter, Cursor};

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    who: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    line: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
}

/// `GET /audit.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Response {
    let permit = match csv::permit::<may::SeeAudit>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let filter = AuditFilter {
        actor: filters.who.parse().ok(),
        action: Some(filters.action).filter(|action| !action.is_empty()),
        account: filters.account.parse().ok(),
        line: filters.line.parse().ok(),
        subject: filters.subject.parse().ok(),
        outcome: filters.outcome.parse().ok(),
        ..AuditFilter::default()
    };
    let filter = filter.of_days(&filters.from, &filters.until);
    // It may hold numbers that were searched for; what the stream sees later would be noted too late.
    if permit.sight().everywhere {
        permit.saw(Seen::AuditNumbers);
    }
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move {
            let page = staff::search(&asked.0.db, &asked.1, &asked.2, after.as_ref(), csv::PAGE).await?;
            staff::with_numbers(&asked.0.db, &asked.0.keys, &asked.1, page).await
        }
    };
    csv::file("audit.csv", "number,at,who,address,action,outcome,account,line,before,after,account_id,line_id,subject_id", read, fields)
}

fn fields(entry: &AuditEntry) -> Vec<String> {
    let id = |of: Option<String>| of.unwrap_or_default();
    let named = |of: Option<&String>| csv::quoted(of.map(String::as_str).unwrap_or_default());
    vec![
        entry.number.map(|number| number.to_string()).unwrap_or_default(),
        entry.row.at.rfc3339(),
        csv::quoted(&entry.row.actor),
        named(entry.address.as_ref()),
        csv::quoted(&entry.row.action),
        entry.outcome.as_str().to_owned(),
        named(entry.account.as_ref().map(|(_, name)| name)),
        named(entry.line.as_ref().map(|(_, label)| label)),
        named(entry.row.before.as_ref()),
        named(entry.row.after.as_ref()),
        id(entry.account.as_ref().map(|(id, _)| id.to_string())),
        id(entry.line.as_ref().map(|(id, _)| id.to_string())),
        id(entry.subject.map(|id| id.to_string())),
    ]
}
