//! Accounts, and an account's people and contacts, as CSV files: what the page lists, masked as the page is.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::directory::{accounts, contacts, users};
use switchyard::staff::{Permit, may};
use switchyard::types::{AccountId, AccountRow, ContactRow, Cursor, OpenOrClosed, Page, Problem, UserRow};

/// The filter as the page's URL has it; an empty field is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    found: String,
}

impl Filter {
    fn state(&self) -> Option<OpenOrClosed> {
        self.state.parse().ok()
    }
}

/// `GET /accounts.csv`.
pub(super) async fn of_accounts(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Query(filter): Query<Filter>,
) -> Response {
    let permit = match csv::permit::<may::SeeDirectory>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { accounts::narrowed(&asked.0.db, &asked.1, &asked.2.q, asked.2.state(), after.as_ref(), csv::PAGE).await }
    };
    let fields = |row: &AccountRow| {
        let products = csv::quoted(row.products());
        vec![
            row.id.to_string(),
            csv::quoted(&row.name),
            products,
            row.lines.to_string(),
            row.connected.to_string(),
            csv::when(row.closed_at),
        ]
    };
    csv::file("accounts.csv", "id,name,products,lines,connected,closed_at", read, fields)
}

/// The account that the path names, if the permit holds there: a file that has begun cannot be refused any more.
async fn account(services: &Services, permit: &Permit<may::SeeDirectory>, id: &str) -> Result<AccountId, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("There is no such account. The address may be mistyped."))?;
    Ok(accounts::get(&services.db, permit, id).await?.id)
}

/// `GET /accounts/{id}/users.csv`.
pub(super) async fn of_users(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
) -> Response {
    let permit = match csv::permit::<may::SeeDirectory>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let account = match account(&services, &permit, &id).await {
        Ok(account) => account,
        Err(problem) => return csv::in_words(&problem),
    };
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { users::narrowed(&asked.0.db, &asked.1, account, &asked.2.q, asked.2.state(), after.as_ref(), csv::PAGE).await }
    };
    let fields = |row: &UserRow| {
        vec![row.id.to_string(), csv::quoted(&row.name), csv::quoted(&row.email), row.lines.to_string(), csv::when(row.closed_at)]
    };
    csv::file("people.csv", "id,name,email,lines,closed_at", read, fields)
}

/// A page of the contacts, as their list narrows them.
async fn contacts_page(
    services: &Services,
    permit: &Permit<may::SeeDirectory>,
    account: AccountId,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ContactRow>, Problem> {
    let state = filter.state();
    match filter.found.parse() {
        Ok(search) => contacts::found(&services.db, &services.now, &services.keys, permit, account, state, search).await,
        Err(_) => contacts::narrowed(&services.db, permit, account, state, after, limit).await,
    }
}

/// `GET /accounts/{id}/contacts.csv`.
pub(super) async fn of_contacts(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
) -> Response {
    let permit = match csv::permit::<may::SeeDirectory>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let account = match account(&services, &permit, &id).await {
        Ok(account) => account,
        Err(problem) => return csv::in_words(&problem),
    };
    // Who sees the first contact whole sees them all: it is written down before the file begins.
    if let Err(problem) = contacts_page(&services, &permit, account, &filter, None, 1).await {
        return csv::in_words(&problem);
    }
    let asked = Arc::new((services, permit, filter));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { contacts_page(&asked.0, &asked.1, account, &asked.2, after.as_ref(), csv::PAGE).await }
    };
    let fields = |row: &ContactRow| {
        let name = csv::quoted(row.name.as_deref().unwrap_or_default());
        vec![row.id.to_string(), name, csv::number(&row.number), csv::when(row.closed_at)]
    };
    csv::file("contacts.csv", "id,name,number,closed_at", read, fields)
}
