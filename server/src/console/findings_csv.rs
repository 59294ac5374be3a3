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
use switchyard::types::{AccountFinding, Cursor, FindingAccount, FindingKind, LineRow, Page};

/// The kind as the page's URL has it; an empty one is every kind.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    kind: String,
}

/// A kind of finding: of lines, or of accounts as such.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Line(FindingKind),
    Account(AccountFinding),
}

/// What was found.
enum Row {
    Line(FindingKind, LineRow),
    Account(AccountFinding, FindingAccount),
}

impl Kind {
    fn named(word: &str) -> Vec<Self> {
        let (line, account) = (word.parse().ok().map(Self::Line), word.parse().ok().map(Self::Account));
        if let Some(kind) = line.or(account) {
            return vec![kind];
        }
        FindingKind::ALL.iter().copied().map(Self::Line).chain(AccountFinding::ALL.iter().copied().map(Self::Account)).collect()
    }
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
    let asked = Arc::new((services, permit, Kind::named(&filter.kind)));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move {
            let (services, permit, kinds) = &*asked;
            // Which of the kinds, and where in it.
            let (at, within): (usize, Option<Cursor>) = after.and_then(|after| after.key()).unwrap_or_default();
            let Some(kind) = kinds.get(at).copied() else { return Ok(Page { rows: Vec::new(), next: None }) };
            let page = match kind {
                Kind::Line(kind) => {
                    findings::list(&services.db, permit, kind, within.as_ref(), csv::PAGE).await?.map(|line| Row::Line(kind, line))
                }
                Kind::Account(of) => {
                    findings::accounts(&services.db, permit, of, within.as_ref(), csv::PAGE).await?.map(|found| Row::Account(of, found))
                }
            };
            let next = match page.next {
                Some(within) => Some((at, Some(within))),
                None => (at + 1 < kinds.len()).then_some((at + 1, None)),
            };
            Ok::<_, db::Error>(Page { rows: page.rows, next: next.map(|next| Cursor::at(&next)) })
        }
    };
    csv::file("findings.csv", "finding,line_id,number,label,account_id,account,integration_type", read, fields)
}

fn fields(row: &Row) -> Vec<String> {
    match row {
        Row::Line(kind, line) => vec![
            kind.as_str().to_owned(),
            line.id.to_string(),
            line.number.expose().to_owned(),
            csv::quoted(&line.label),
            line.account_id.to_string(),
            csv::quoted(&line.account),
            line.integration_type.as_str().to_owned(),
        ],
        // No line of it is meant.
        Row::Account(of, account) => {
            let (id, name, none) = (account.id.to_string(), csv::quoted(&account.name), String::new);
            vec![of.as_str().to_owned(), none(), none(), none(), id, name, none()]
        }
    }
}
