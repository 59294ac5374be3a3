//! Messages to unknown lines as a CSV file, or the numbers that are set aside, as their page is narrowed. Who texted, and what, is masked as
//! it is there.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::messaging::unknown;
use switchyard::staff::{Permit, Seen, may};
use switchyard::types::{AsideNumber, Cursor, Page, PhoneNumber, Problem, UnknownRow, Written};

/// The filters as the page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    show: String,
}

/// The number that is searched for, or that it is no whole one, which finds nothing.
#[derive(Debug)]
enum Wanted {
    All,
    One(PhoneNumber),
    Nothing,
}

impl Wanted {
    fn of(number: &str) -> Self {
        match number.trim() {
            "" => Self::All,
            number => PhoneNumber::parse(number).map_or(Self::Nothing, Self::One),
        }
    }

    fn number(&self) -> Option<&PhoneNumber> {
        if let Self::One(number) = self { Some(number) } else { None }
    }
}

/// `GET /sync/unknown.csv`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Response {
    let permit = match csv::permit::<may::SeeMessages>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let wanted = Wanted::of(&filters.q);
    if filters.show == "aside" { aside(services, permit, wanted).await } else { messages(services, permit, wanted).await }
}

async fn messages(services: Services, permit: Permit<may::SeeMessages>, wanted: Wanted) -> Response {
    // A file that has begun cannot be refused any more, and what its stream sees would be noted too late.
    match read_messages(&services, &permit, &wanted, None, 1).await {
        Ok(first) if first.rows.iter().any(|row| row.from.whole().is_some()) => permit.saw(Seen::UnknownFile),
        Ok(_) => {}
        Err(problem) => return csv::in_words(&problem),
    }
    let asked = Arc::new((services, permit, wanted));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { read_messages(&asked.0, &asked.1, &asked.2, after.as_ref(), csv::PAGE).await }
    };
    let fields = |row: &UnknownRow| {
        let (text, attachments) = match &row.written {
            Written::Whole { body, media, .. } => (csv::quoted(body), media.len().to_string()),
            Written::Masked { media } => ("masked".to_owned(), media.to_string()),
            Written::Removed { .. } => ("removed".to_owned(), String::new()),
        };
        let line = row.line.map(|line| line.to_string()).unwrap_or_default();
        let (sent, received) = (csv::when(row.sent_at), row.received_at.rfc3339());
        vec![row.to.expose().to_owned(), csv::number(&row.from), text, attachments, sent, received, line]
    };
    csv::file("unknown-lines.csv", "number,from,text,attachments,sent_at,received_at,line_id", read, fields)
}

async fn read_messages(
    services: &Services,
    permit: &Permit<may::SeeMessages>,
    wanted: &Wanted,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<UnknownRow>, Problem> {
    if let Wanted::Nothing = wanted {
        // Whether they may be seen at all is asked all the same.
        return read_aside(services, permit, wanted, None, 1).await.map(|_| Page { rows: Vec::new(), next: None });
    }
    unknown::list(&services.db, permit, wanted.number(), after, limit).await
}

async fn aside(services: Services, permit: Permit<may::SeeMessages>, wanted: Wanted) -> Response {
    if let Err(problem) = read_aside(&services, &permit, &wanted, None, 1).await {
        return csv::in_words(&problem);
    }
    let asked = Arc::new((services, permit, wanted));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { read_aside(&asked.0, &asked.1, &asked.2, after.as_ref(), csv::PAGE).await }
    };
    let fields = |row: &AsideNumber| {
        let (reason, by) = (csv::quoted(&row.aside.reason), csv::quoted(&row.aside.by));
        vec![row.number.expose().to_owned(), reason, by, row.aside.at.rfc3339(), csv::when(row.texted_at)]
    };
    csv::file("set-aside.csv", "number,reason,set_by,set_at,texted_at", read, fields)
}

async fn read_aside(
    services: &Services,
    permit: &Permit<may::SeeMessages>,
    wanted: &Wanted,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AsideNumber>, Problem> {
    let page = unknown::list_aside(&services.db, permit, wanted.number(), after, limit).await?;
    Ok(if let Wanted::Nothing = wanted { Page { rows: Vec::new(), next: None } } else { page })
}
