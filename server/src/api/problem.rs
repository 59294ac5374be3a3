//! Errors of the machines' routes: RFC 9457 problem documents, with the field named where it is known.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use switchyard::staff::LONGEST_WAIT;
use switchyard::types::Problem;

/// A problem document. Its `type` is `about:blank`: the status says what kind it is (RFC 9457 §4.2.1).
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// One of several things that are wrong.
#[derive(Debug, Serialize)]
pub(crate) struct FieldError {
    /// The field, such as `recipients[3]`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Refusal {
    /// A refusal with this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { kind: "about:blank", title, status: status.as_u16(), detail: detail.into(), field: None, errors: Vec::new() }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// 422 for a field.
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Problem::invalid(field, detail).into()
    }

    /// The same with every wrong part named.
    pub fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let detail = match &problem {
            Problem::SignedOut => "Send a valid token: Authorization: Bearer <token>.".to_owned(),
            other => other.to_string(),
        };
        Self { field: problem.field().map(str::to_owned), ..Self::new(status, detail) }
    }
}

impl From<switchyard::db::Error> for Refusal {
    fn from(error: switchyard::db::Error) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(LONGEST_WAIT.as_secs()));
        }
        response
    }
}

/// Reads a body of at most `most` bytes.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    match Limited::new(body, most).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The body may be {most} bytes long at most.")))
        }
        Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "The body ended before it was whole.")),
    }
}
