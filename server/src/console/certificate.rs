//! The certificate of an erasure as a text to keep.

use super::csv;
use app::context::{Services, Visitor};
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use switchyard::erasure;
use switchyard::staff::may;
use switchyard::types::{ErasureId, Problem};

/// `GET /erasures/{id}/certificate.txt`.
pub(super) async fn download(
    State(services): State<Services>,
    Extension(Visitor(member)): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    let permit = match csv::permit::<may::ManagePersonalData>(member) {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let not_yet = || Problem::not_found("There is no such certificate.");
    let found = match id.parse::<ErasureId>() {
        Ok(id) => erasure::get(&services.db, &services.now, &services.keys, &permit, id).await,
        Err(_) => Err(not_yet()),
    };
    match found.and_then(|erasure| erasure.certificate().ok_or_else(not_yet)) {
        Ok(text) => (csv::named("text/plain", "certificate-of-erasure.txt"), text).into_response(),
        Err(problem) => csv::in_words(&problem),
    }
}
