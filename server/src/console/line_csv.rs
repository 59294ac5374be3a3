//! A line's conversations, and the blasts of a line or an account, as CSV files with the filters of their pages. Contacts are masked as
//! they are on its pages; what a blast says is in neither.

use super::csv;
use super::sync_csv::in_columns;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use switchyard::messaging::blast;
use switchyard::staff::{Member, Permit, may};
use switchyard::types::{AccountId, BlastListRow, ConversationFilter, ConversationRow, Cursor, LineId, OLDEST, Problem};
use switchyard::{directory, sync};

/// The line that the path names and the permit for its messages, if both hold: a file that has begun cannot be refused any more.
async fn line(services: &Services, member: Option<Member>, id: &str) -> Result<(LineId, Permit<may::SeeMessages>), Problem> {
    let member = member.ok_or(Problem::SignedOut)?;
    let permit = member.permit()?;
    let id = id.parse().map_err(|_| Problem::not_found("There is no such line. The address may be mistyped."))?;
    directory::lines::get(&services.db, &member.permit()?, id).await?;
    Ok((id, permit))
}

/// The filters of the conversations as their page's URL has them; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    #[serde(default)]
    state: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    found: String,
}

/// `GET /lines/{id}/conversations.csv`.
pub(super) async fn of_conversations(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
    Query(filters): Query<Filters>,
) -> Response {
    let (id, permit) = match line(&services, member, &id).await {
        Ok(found) => found,
        Err(problem) => return csv::in_words(&problem),
    };
    let filter =
        ConversationFilter { trouble: filters.state.parse().ok(), oldest_first: filters.sort == OLDEST, found: filters.found.parse().ok() };
    // Who sees the first contact whole sees them all: it is written down before the file begins.
    if let Err(problem) = sync::conversations_narrowed(&services.db, &services.now, &permit, id, filter, None, 1).await {
        return csv::in_words(&problem);
    }
    let asked = Arc::new((services, permit));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move {
            let (db, now) = (&asked.0.db, &asked.0.now);
            sync::conversations_narrowed(db, now, &asked.1, id, filter, after.as_ref(), csv::PAGE).await
        }
    };
    let fields = |row: &ConversationRow| {
        let [state, count, since, reason] = in_columns(&row.sync);
        let contact = csv::quoted(row.contact.as_deref().unwrap_or_default());
        let chat = csv::quoted(row.chat_id.as_deref().unwrap_or_default());
        let (last, changed) = (row.last_at.rfc3339(), csv::when(row.changed_at));
        vec![row.id.to_string(), csv::number(&row.number), contact, state, count, since, reason, chat, last, changed]
    };
    let columns = "id,number,contact,state,messages,since,reason,chat_id,last_message_at,changed_at";
    csv::file("conversations.csv", columns, read, fields)
}

/// The filter of the blasts as their page's URL has it; an empty one is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct BlastFilters {
    #[serde(default)]
    state: String,
}

/// `GET /lines/{id}/blasts.csv`.
pub(super) async fn of_blasts(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
    Query(filters): Query<BlastFilters>,
) -> Response {
    let (id, permit) = match line(&services, member, &id).await {
        Ok(found) => found,
        Err(problem) => return csv::in_words(&problem),
    };
    let state = filters.state.parse().ok();
    let asked = Arc::new((services, permit));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { blast::list(&asked.0.db, &asked.1, None, Some(id), state, after.as_ref(), csv::PAGE).await }
    };
    let fields = |row: &BlastListRow| [row.id.to_string()].into_iter().chain(of_blast(row)).collect();
    csv::file("blasts.csv", "id,state,recipients,recorded,opted_out,duplicates,created_by,created_at,starts_at", read, fields)
}

/// `state,recipients,recorded,opted_out,duplicates,created_by,created_at,starts_at`.
fn of_blast(row: &BlastListRow) -> Vec<String> {
    let counts = [row.recipients, row.recorded, row.opted_out, row.duplicates].map(|count| count.to_string());
    let tail = [csv::quoted(&row.created_by), row.created_at.rfc3339(), csv::when(row.starts_at)];
    [row.state.as_str().to_owned()].into_iter().chain(counts).chain(tail).collect()
}

/// The account that the path names and the permit for its messages, if both hold.
async fn account(services: &Services, member: Option<Member>, id: &str) -> Result<(AccountId, Permit<may::SeeMessages>), Problem> {
    let member = member.ok_or(Problem::SignedOut)?;
    let permit = member.permit()?;
    let id = id.parse().map_err(|_| Problem::not_found("There is no such account. The address may be mistyped."))?;
    directory::accounts::get(&services.db, &member.permit()?, id).await?;
    Ok((id, permit))
}

/// `GET /accounts/{id}/blasts.csv`.
pub(super) async fn of_account_blasts(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
    Query(filters): Query<BlastFilters>,
) -> Response {
    let (id, permit) = match account(&services, member, &id).await {
        Ok(found) => found,
        Err(problem) => return csv::in_words(&problem),
    };
    let state = filters.state.parse().ok();
    let asked = Arc::new((services, permit));
    let read = move |after: Option<Cursor>| {
        let asked = asked.clone();
        async move { blast::list(&asked.0.db, &asked.1, Some(id), None, state, after.as_ref(), csv::PAGE).await }
    };
    let fields = |row: &BlastListRow| {
        let head = [row.id.to_string(), row.line_id.to_string(), csv::quoted(&row.line)];
        head.into_iter().chain(of_blast(row)).collect()
    };
    let columns = "id,line_id,line,state,recipients,recorded,opted_out,duplicates,created_by,created_at,starts_at";
    csv::file("blasts.csv", columns, read, fields)
}
