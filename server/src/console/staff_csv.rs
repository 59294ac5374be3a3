//! The list of staff as a CSV file.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;
use switchyard::db;
use switchyard::staff::{self, may};
use switchyard::types::{Cursor, Page, StaffRow};

/// `GET /staff.csv`.
pub(super) async fn download(State(services): State<Services>, Extension(Visitor(member)): Extension<Visitor>) -> Response {
    let permit = match csv::permit::<may::SeeStaff>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let asked = Arc::new((services, permit));
    // Staff are few: one page holds them all.
    let read = move |_: Option<Cursor>| {
        let asked = asked.clone();
        async move { Ok::<_, db::Error>(Page { rows: staff::list(&asked.0.db, &asked.1).await?, next: None }) }
    };
    csv::file("staff.csv", "id,name,email,roles,second_factor,state,disabled_at", read, fields)
}

fn fields(row: &StaffRow) -> Vec<String> {
    let state = match (row.disabled_at, row.active) {
        (Some(_), _) => "disabled",
        (None, true) => "active",
        (None, false) => "invited",
    };
    vec![
        row.id.to_string(),
        csv::quoted(&row.name),
        csv::quoted(&row.email),
        csv::quoted(&row.roles.join("; ")),
        row.second_factor.to_string(),
        state.to_owned(),
        csv::when(row.disabled_at),
    ]
}
