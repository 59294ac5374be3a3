//! The public API, `/api/v1`: an account's programs send messages and blasts, and read both. See `docs/api.md`.
//!
//! The rules: a token sees its own account's lines only; what is refused has done nothing; phone numbers are never in a path. A wrong token
//! is counted for the address that sent it, and a good one from there is taken all the same.

pub(crate) mod problem;

use app::context::address_of;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use problem::{FieldError, Refusal, read};
use serde_json::{Map, Value, json};
use std::str::FromStr;
use switchyard::clock::Now;
use switchyard::db::{Db, Tx};
use switchyard::directory::{accounts, lines};
use switchyard::messaging::idempotency::{self, Answer, Request};
use switchyard::messaging::{blast, outbound};
use switchyard::staff::{self, Actor};
use switchyard::types::{AccountId, BlastId, BlastRow, LineId, MessageId, PhoneNumber, Problem, Timestamp};

/// A message's text is short; the rest is room for what JSON adds.
const LONGEST_MESSAGE: usize = 64 * 1024;
/// Half a million numbers fit.
const LONGEST_BLAST: usize = 32 * 1024 * 1024;
/// So many wrong recipients are named.
const MOST_NAMED: usize = 10;

/// Everything under `/api`.
pub fn router(db: Db, now: Now) -> Router {
    Router::new()
        .route("/api/v1/messages", post(send).fallback(not_allowed))
        .route("/api/v1/lines/{line}/messages/{id}", get(read_message).fallback(not_allowed))
        .route("/api/v1/blasts", post(take_blast).fallback(not_allowed))
        .route("/api/v1/lines/{line}/blasts/{id}", get(read_blast).fallback(not_allowed))
        .route("/api/v1/lines/{line}/blasts/{id}/resume", post(resume_blast).fallback(not_allowed))
        .route("/api/v1/lines/{line}/blasts/{id}/cancel", post(cancel_blast).fallback(not_allowed))
        .route("/api", any(nothing_here))
        .route("/api/{*rest}", any(nothing_here))
        .with_state(Api { db, now })
}

#[derive(Debug, Clone)]
struct Api {
    db: Db,
    now: Now,
}

/// The account whose token was sent.
struct Caller {
    account: AccountId,
    token_name: String,
    address: Option<String>,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else { return Err(Problem::SignedOut.into()) };
        match accounts::by_api_token(&api.db, token.trim()).await? {
            Some((account, token_name)) => Ok(Self { account, token_name, address: address_of(&parts.extensions) }),
            None => {
                let address = address_of(&parts.extensions);
                staff::refused_api_token(&api.db, &api.now, address.as_deref().unwrap_or("unknown")).await?;
                Err(Problem::SignedOut.into())
            }
        }
    }
}

async fn nothing_here() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

async fn not_allowed(method: Method) -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("This address does not take {method}."))
}

/// The fields of a JSON object. Each is taken once; what is left over is refused, so that a misspelt field is not overlooked.
struct Fields(Map<String, Value>);

impl Fields {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "Send a JSON object.")),
            Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("The body is not JSON: {error}."))),
        }
    }

    fn take(&mut self, field: &str) -> Result<Value, Refusal> {
        self.0.remove(field).ok_or_else(|| Refusal::invalid(field, "This field is missing."))
    }

    fn text(&mut self, field: &str) -> Result<String, Refusal> {
        match self.take(field)? {
            Value::String(text) => Ok(text),
            _ => Err(Refusal::invalid(field, "Write this as a JSON string.")),
        }
    }

    fn list(&mut self, field: &str) -> Result<Vec<Value>, Refusal> {
        match self.take(field)? {
            Value::Array(list) => Ok(list),
            _ => Err(Refusal::invalid(field, "Write this as a JSON array.")),
        }
    }

    fn finish(self) -> Result<(), Refusal> {
        match self.0.keys().next() {
            Some(field) => Err(Refusal::invalid(&field.chars().take(80).collect::<String>(), "There is no such field.")),
            None => Ok(()),
        }
    }
}

/// A line as a program names it.
enum Line {
    Id(LineId),
    Number(PhoneNumber),
}

impl Line {
    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => PhoneNumber::parse(text)
                .map(Self::Number)
                .map_err(|error| Refusal::invalid("line", format!("This is neither a line's id nor its number: {error}."))),
        }
    }

    /// Its id. A number is looked up within the request's effect: a repeated request gets its first answer, whoever owns the line by then.
    async fn find(&self, tx: &mut Tx, account: AccountId) -> Result<LineId, Problem> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Number(number) => {
                let found = lines::by_number_of_account(tx, account, number).await?;
                found.ok_or_else(|| Problem::invalid("line", "This account has no such line."))
            }
        }
    }
}

/// The verb says 404 for a line that is not the account's; here the line is a field of the request.
fn in_body(problem: Problem) -> Problem {
    match problem {
        Problem::NotFound { text } => Problem::invalid("line", text),
        other => other,
    }
}

fn idempotent(caller: &Caller, headers: &HeaderMap, method: &Method, uri: &Uri, body: &Bytes) -> Result<Option<Request>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    // What is no text becomes an empty key, which is refused.
    Ok(Some(Request::new(caller.account, key.to_str().unwrap_or_default(), method.as_str(), uri.path(), body)?))
}

/// An answer as it is given, and given again.
fn answered(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    (status, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response()
}

/// An answer that made something: its body says where that is.
fn made(answer: Answer) -> Response {
    let at = serde_json::from_str::<Value>(&answer.body).ok().and_then(|body| Some(body.get("url")?.as_str()?.to_owned()));
    match at {
        Some(at) => ([(header::LOCATION, at)], answered(answer)).into_response(),
        None => answered(answer),
    }
}

fn message_json(message: &outbound::Status) -> Value {
    json!({
        "id": message.id,
        "line_id": message.line_id,
        "url": format!("/api/v1/lines/{}/messages/{}", message.line_id, message.id),
        "to": message.to,
        "text": message.text,
        "state": message.state,
        "error": message.error,
        "created_at": message.created_at.rfc3339(),
    })
}

fn blast_json(blast: &BlastRow) -> Value {
    json!({
        "id": blast.id,
        "line_id": blast.line_id,
        "url": format!("/api/v1/lines/{}/blasts/{}", blast.line_id, blast.id),
        "text": blast.body,
        "state": blast.state,
        "recipients": blast.recipients,
        "recorded": blast.recorded,
        "opted_out": blast.opted_out,
        "duplicates": blast.duplicates,
        "created_at": blast.created_at.rfc3339(),
        "starts_at": blast.starts_at.map(Timestamp::rfc3339),
    })
}

/// A message as it was sent: the line, the recipient, the text.
pub(crate) fn message_in(body: &[u8]) -> Result<(String, PhoneNumber, String), Refusal> {
    let mut fields = Fields::parse(body)?;
    let (line, to, text) = (fields.text("line")?, fields.text("to")?, fields.text("text")?);
    fields.finish()?;
    let to = PhoneNumber::parse(&to).map_err(|error| Refusal::invalid("to", format!("This is {error}.")))?;
    Ok((line, to, text))
}

/// A blast as it was sent.
pub(crate) fn blast_in(body: &[u8]) -> Result<NewBlast, Refusal> {
    let mut fields = Fields::parse(body)?;
    let (line, text, recipients) = (fields.text("line")?, fields.text("text")?, fields.list("recipients")?);
    let starts_at = match fields.0.remove("starts_at") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_str()
                .and_then(Timestamp::from_rfc3339)
                .ok_or_else(|| Refusal::invalid("starts_at", "Write a moment as RFC 3339 has it, such as 2026-11-21T09:00:00Z."))?,
        ),
    };
    fields.finish()?;
    Ok(NewBlast { line, text, recipients: numbers(recipients)?, starts_at })
}

/// A blast as a program asks for it.
#[derive(Debug)]
pub(crate) struct NewBlast {
    pub(crate) line: String,
    pub(crate) text: String,
    pub(crate) recipients: Vec<PhoneNumber>,
    starts_at: Option<Timestamp>,
}

async fn send(
    State(api): State<Api>,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = read(body, LONGEST_MESSAGE).await?;
    let request = idempotent(&caller, &headers, &method, &uri, &body)?;
    let (line, to, text) = message_in(&body)?;
    let line = Line::parse(&line)?;
    let actor = Actor::Api { account_id: caller.account, name: caller.token_name, address: caller.address };
    let effect = async |tx: &mut Tx| {
        let line = line.find(tx, caller.account).await?;
        let id = outbound::send(tx, &api.now, &actor, caller.account, line, &to, &text).await?;
        let message = outbound::status_of_new(tx, caller.account, line, id).await?;
        Ok(Answer { status: 201, body: message_json(&message).to_string() })
    };
    let answer = api.db.work(async |tx| idempotency::once(tx, &api.now, request.as_ref(), effect).await).await.map_err(in_body)?;
    Ok(made(answer))
}

async fn read_message(State(api): State<Api>, caller: Caller, ids: Ids) -> Result<Response, Refusal> {
    let Some((line, id)) = parsed::<MessageId>(ids) else { return Err(no_such("message")) };
    let message = outbound::status(&api.db, caller.account, line, id).await?.ok_or_else(|| no_such("message"))?;
    Ok(axum::Json(message_json(&message)).into_response())
}

/// The line and the thing in a path; what is no id names nothing of ours.
type Ids = Result<Path<(String, String)>, PathRejection>;

fn parsed<T: FromStr>(ids: Ids) -> Option<(LineId, T)> {
    let Path((line, id)) = ids.ok()?;
    Some((line.parse().ok()?, id.parse().ok()?))
}

fn no_such(what: &str) -> Refusal {
    Problem::not_found(format!("This account has no such {what}.")).into()
}

async fn take_blast(
    State(api): State<Api>,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = read(body, LONGEST_BLAST).await?;
    let request = idempotent(&caller, &headers, &method, &uri, &body)?;
    let NewBlast { line, text, recipients, starts_at } = blast_in(&body)?;
    drop(body);
    let line = Line::parse(&line)?;
    let actor = Actor::Api { account_id: caller.account, name: caller.token_name, address: caller.address };
    let effect = async |tx: &mut Tx| {
        let line = line.find(tx, caller.account).await?;
        let id = blast::take(tx, &api.now, &actor, caller.account, line, &text, &recipients).await?;
        if let Some(starts_at) = starts_at {
            blast::schedule(tx, &api.now, line, id, starts_at).await?;
        }
        let blast = blast::get_new(tx, caller.account, line, id).await?;
        Ok(Answer { status: 202, body: blast_json(&blast).to_string() })
    };
    let answer = api.db.work(async |tx| idempotency::once(tx, &api.now, request.as_ref(), effect).await).await.map_err(in_body)?;
    Ok(made(answer))
}

/// The recipients, or a refusal that names the first wrong ones by their place. The numbers themselves are not repeated.
fn numbers(given: Vec<Value>) -> Result<Vec<PhoneNumber>, Refusal> {
    let mut numbers = Vec::with_capacity(given.len());
    let mut wrong = Vec::new();
    for (at, value) in given.into_iter().enumerate() {
        let parsed = match value {
            Value::String(text) => PhoneNumber::parse(&text).map_err(|error| format!("This is {error}.")),
            _ => Err("Write this as a JSON string.".to_owned()),
        };
        match parsed {
            Ok(number) => numbers.push(number),
            Err(detail) => wrong.push(FieldError { field: format!("recipients[{at}]"), detail }),
        }
    }
    if wrong.is_empty() {
        return Ok(numbers);
    }
    let count = wrong.len();
    wrong.truncate(MOST_NAMED);
    let places: Vec<&str> = wrong.iter().map(|error| error.field.as_str()).collect();
    let more = if count > MOST_NAMED { format!(", and {} more", count - MOST_NAMED) } else { String::new() };
    let detail = format!("Not phone numbers: {}{more}. Nothing was sent.", places.join(", "));
    Err(Refusal::invalid("recipients", detail).with_errors(wrong))
}

async fn read_blast(State(api): State<Api>, caller: Caller, ids: Ids) -> Result<Response, Refusal> {
    let Some((line, id)) = parsed::<BlastId>(ids) else { return Err(no_such("blast")) };
    let blast = blast::get(&api.db, caller.account, line, id).await?.ok_or_else(|| no_such("blast"))?;
    Ok(axum::Json(blast_json(&blast)).into_response())
}

async fn resume_blast(api: State<Api>, caller: Caller, ids: Ids, request: Parts) -> Result<Response, Refusal> {
    decide(api, caller, ids, request, blast::Decision::Resume).await
}

async fn cancel_blast(api: State<Api>, caller: Caller, ids: Ids, request: Parts) -> Result<Response, Refusal> {
    decide(api, caller, ids, request, blast::Decision::Cancel).await
}

/// What is decided about a blast that has not started. Without a key it is decided again each time: what staff decided meanwhile is undone.
async fn decide(State(api): State<Api>, caller: Caller, ids: Ids, request: Parts, decision: blast::Decision) -> Result<Response, Refusal> {
    let Some((line, id)) = parsed::<BlastId>(ids) else { return Err(no_such("blast")) };
    // It takes no body.
    let request = idempotent(&caller, &request.headers, &request.method, &request.uri, &Bytes::new())?;
    let actor = Actor::Api { account_id: caller.account, name: caller.token_name, address: caller.address };
    let effect = async |tx: &mut Tx| {
        blast::decide(tx, &api.now, &actor, caller.account, (line, id), decision).await?;
        let blast = blast::get_new(tx, caller.account, line, id).await?;
        Ok(Answer { status: 200, body: blast_json(&blast).to_string() })
    };
    let answer = api.db.work(async |tx| idempotency::once(tx, &api.now, request.as_ref(), effect).await).await?;
    Ok(answered(answer))
}
