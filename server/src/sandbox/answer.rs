//! The way of a call through the sandbox: who calls and how often, which fault it meets, what it does, what the caller is told.
//!
//! The one rule: all of it but the telling is one step under the lock, and is journaled there.

use super::fault::What;
use super::journal::{Entry, Kind};
use super::limits::{Budget, TooMany};
use super::state::{Change, Core};
use super::token::Client;
use super::{Sandbox, Text};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use std::time::Duration;
use switchyard::clock::Clock;
use switchyard::types::Timestamp;

const REQUEST_ID: HeaderName = HeaderName::from_static("rcrequestid");
/// RingCentral's words at the daily limit (developer guide, posting): the status alone does not tell it from another 500.
const DAILY_LIMIT: &str = "You have exceeded your limits for this action.";

/// A call on its way.
pub(super) struct Call {
    /// What the journal will say of it.
    pub entry: Entry,
    /// What its rate is counted by, once the caller is known.
    pub budget: Option<Budget>,
    /// The app of the caller's token.
    pub app: Option<Text>,
    /// The app that asks for a token, once its secret was seen to be right.
    pub client: Option<Client>,
    /// What a fault wants of the carrier: to report this SMS as failed.
    pub undeliverable: Option<String>,
    headers: Vec<(HeaderName, String)>,
    request_id: Option<HeaderValue>,
}

impl Call {
    pub fn new(kind: Kind, headers: &HeaderMap) -> Self {
        Self {
            entry: Entry::new(kind, Timestamp(0)),
            budget: None,
            app: None,
            client: None,
            undeliverable: None,
            headers: Vec::new(),
            request_id: headers.get(&REQUEST_ID).cloned(),
        }
    }

    /// The owner of the token; an empty text before he is known.
    pub fn owner(&self) -> Text {
        self.entry.owner.clone().unwrap_or_else(|| "".into())
    }

    /// Adds a header to whatever the answer will be.
    pub fn header(&mut self, name: HeaderName, value: impl ToString) {
        self.headers.push((name, value.to_string()));
    }
}

/// What the caller is told, and what his call changes.
pub(super) struct Answer {
    pub status: u16,
    pub body: Option<Value>,
    pub accepted: bool,
    pub change: Option<Box<Change>>,
}

impl Answer {
    /// The call is served and changes nothing.
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), accepted: true, change: None }
    }

    /// The call is served and changes this.
    pub fn changed(status: u16, body: Option<Value>, change: Change) -> Self {
        Self { status, body, accepted: true, change: Some(Box::new(change)) }
    }

    /// The call is refused.
    pub fn refused(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), accepted: false, change: None }
    }

    /// RingCentral's error body: the list, and the first error once more at the top, as it is still sent.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::refused(status, json!({ "errorCode": code, "message": message, "errors": [{ "errorCode": code, "message": message }] }))
    }

    /// The same with the parameter that was wrong.
    pub fn parameter(status: u16, code: &str, message: &str, name: &str, value: Option<&str>) -> Self {
        let mut error = json!({ "errorCode": code, "message": message, "parameterName": name });
        if let Some(value) = value {
            error["parameterValue"] = value.into();
        }
        Self::refused(
            status,
            json!({ "errorCode": code, "message": message, "errors": [error], "parameterName": name, "parameterValue": value }),
        )
    }

    /// 404: this parameter names nothing that is there, or nothing that the caller may see.
    pub fn missing(parameter: &str) -> Self {
        Self::parameter(404, "CMN-102", &format!("Resource for parameter [{parameter}] is not found"), parameter, None)
    }

    /// 400: this parameter cannot have this value.
    pub fn invalid(parameter: &str, value: Option<&str>) -> Self {
        Self::parameter(400, "CMN-101", &format!("Parameter [{parameter}] value is invalid"), parameter, value)
    }

    /// 400: the body is no JSON, or not this call's.
    pub fn unreadable() -> Self {
        Self::error(400, "CMN-103", "The JSON body cannot be read")
    }

    /// The status of refusals by permission is published, their code is not: an inference.
    pub fn forbidden(message: &str) -> Self {
        Self::error(403, "InsufficientPermissions", message)
    }

    /// The carrier's error body.
    pub fn carrier_error(status: u16, code: &str, message: &str) -> Self {
        Self::refused(status, json!({ "error": { "code": code, "message": message } }))
    }

    /// RingCentral's 429. Where no limit is set the `X-Rate-Limit-*` headers are missing, as with its defensive limits.
    pub fn too_many(call: &mut Call, excess: &TooMany) -> Self {
        if let (Some(limit), Some((.., group))) = (excess.limit, &call.budget) {
            let word = group.word();
            rate_headers(call, word, limit, 0, excess.window);
        }
        call.header(header::RETRY_AFTER, excess.retry_after.as_secs());
        Self::error(429, "CMN-301", "Request rate exceeded")
    }

    fn nothing() -> Self {
        Self { status: 0, body: None, accepted: false, change: None }
    }
}

/// Counts the call against its caller's rate; refuses it when it is one too many.
pub(super) fn count(core: &mut Core, call: &mut Call, budget: Budget, now: Timestamp) -> Result<(), Answer> {
    let standing = core.limits.request(&budget, now);
    let group = budget.2.word();
    call.budget = Some(budget);
    match standing {
        Ok(Some(standing)) => rate_headers(call, group, standing.limit, standing.remaining, standing.window),
        Ok(None) => {}
        Err(excess) => return Err(Answer::too_many(call, &excess)),
    }
    Ok(())
}

/// Adds RingCentral's four headers about the caller's rate.
fn rate_headers(call: &mut Call, group: &str, limit: u32, remaining: u32, window: Duration) {
    call.header(HeaderName::from_static("x-rate-limit-group"), group);
    call.header(HeaderName::from_static("x-rate-limit-limit"), limit);
    call.header(HeaderName::from_static("x-rate-limit-remaining"), remaining);
    call.header(HeaderName::from_static("x-rate-limit-window"), window.as_secs());
}

/// How the answer goes out.
enum Way {
    AtOnce,
    After(Duration),
    Dropped,
    Never,
}

impl Way {
    fn lost(hang: bool) -> Self {
        if hang { Self::Never } else { Self::Dropped }
    }
}

impl Sandbox {
    /// Lets a call in that has an errand to do before it is answered; `Err` is the answer of one that is refused. A call that was
    /// let in goes on to [`Sandbox::answer`] with nothing left to check.
    pub(super) fn admit(
        &self,
        mut call: Call,
        check: impl FnOnce(&mut Core, &mut Call, Timestamp) -> Result<(), Answer>,
    ) -> Result<Call, Box<Response>> {
        let refused = self.locked(|core, now| {
            call.entry.at = now;
            let refused = check(core, &mut call, now).err()?;
            core.record(Entry { status: refused.status, ..call.entry.clone() }, None);
            Some(refused)
        });
        match refused {
            None => Ok(call),
            Some(refused) => Err(Box::new(self.respond(call, refused))),
        }
    }

    /// Takes a call through: `check` says who it is and may refuse, then the call meets its fault, then `act` answers it.
    pub(super) async fn answer(
        &self,
        mut call: Call,
        check: impl FnOnce(&mut Core, &mut Call, Timestamp) -> Result<(), Answer>,
        act: impl FnOnce(&mut Core, &mut Call, Timestamp) -> Answer,
    ) -> Response {
        let (answer, way, entered) = self.locked(|core, now| {
            call.entry.at = now;
            let (mut answer, way) = match check(core, &mut call, now) {
                Err(refused) => (refused, Way::AtOnce),
                Ok(()) => match core.faults.meet(call.entry.kind, call.entry.text.as_deref()) {
                    None => (act(core, &mut call, now), Way::AtOnce),
                    Some(fault) => with_fault(core, &mut call, now, fault, act),
                },
            };
            let mut entry = call.entry.clone();
            entry.status = answer.status;
            entry.accepted = answer.accepted;
            entry.answer_lost = matches!(way, Way::Dropped | Way::Never);
            core.record(entry, answer.change.take().map(|change| *change));
            (answer, way, now)
        });
        match way {
            Way::AtOnce => {}
            Way::After(time) if matches!(self.0.clock, Clock::System) => tokio::time::sleep(time).await,
            // Whoever moves a manual clock does not tell: we look.
            Way::After(time) => {
                while self.0.clock.now() < entered.plus(time) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Way::Dropped => return dropped(),
            Way::Never => {
                self.0.ended.cancelled().await;
                return dropped();
            }
        }
        self.respond(call, answer)
    }

    fn respond(&self, call: Call, answer: Answer) -> Response {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match answer.body {
            Some(body) => (status, axum::Json(body)).into_response(),
            None => status.into_response(),
        };
        let headers = response.headers_mut();
        for (name, value) in call.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        let new_id = || HeaderValue::from_str(&uuid::Builder::from_random_bytes(self.0.rng.bytes()).into_uuid().to_string()).ok();
        if let Some(id) = call.request_id.or_else(new_id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }
}

fn with_fault(
    core: &mut Core,
    call: &mut Call,
    now: Timestamp,
    fault: What,
    act: impl FnOnce(&mut Core, &mut Call, Timestamp) -> Answer,
) -> (Answer, Way) {
    let sms = call.entry.kind == Kind::Sms;
    match fault {
        What::LoseAnswer { hang } => (act(core, call, now), Way::lost(hang)),
        What::LoseRequest { hang } => (Answer::nothing(), Way::lost(hang)),
        What::AcceptLate { hang, .. } if sms => (act(core, call, now), Way::lost(hang)),
        What::AcceptLate { after_ms, hang } => {
            let due = now.plus(Duration::from_millis(after_ms));
            let mut answer = act(core, call, due);
            if let Some(change) = answer.change.take() {
                call.entry.appears_at = Some(due);
                answer.change = Some(Box::new(Change::Late { due, key: core.next_id().0, change }));
            }
            (answer, Way::lost(hang))
        }
        What::Status { status, retry_after, code } => (refusal(core, call, now, status, retry_after, code), Way::AtOnce),
        What::DailyLimit => (daily_limit(), Way::AtOnce),
        What::RefuseText if sms => (Answer::carrier_error(422, "refused", "The text was refused"), Way::AtOnce),
        What::RefuseText => {
            let message = "Parameter [text] value is invalid";
            (Answer::parameter(400, "CMN-101", message, "text", None), Way::AtOnce)
        }
        What::Slow { ms } => (act(core, call, now), Way::After(Duration::from_millis(ms))),
        What::Undeliverable { error } => {
            call.undeliverable = Some(error);
            (act(core, call, now), Way::AtOnce)
        }
        What::RefuseHandshake => (handshake_failed("WebHook server response is invalid"), Way::AtOnce),
        // Only events meet these, see `What::fits`.
        What::DelayEvent { .. } | What::DoubleEvent | What::DropEvent | What::OvertakeEvent => (act(core, call, now), Way::AtOnce),
    }
}

/// RingCentral's answer when an address does not take its handshake.
pub(super) fn handshake_failed(message: &str) -> Answer {
    Answer::error(400, "SUB-525", message)
}

/// RingCentral's answer at the daily limit.
pub(super) fn daily_limit() -> Answer {
    Answer::error(500, "CMN-203", DAILY_LIMIT)
}

fn refusal(core: &mut Core, call: &mut Call, now: Timestamp, status: u16, retry_after: Option<u64>, code: Option<String>) -> Answer {
    let code = code.as_deref();
    if call.entry.kind == Kind::Sms {
        if let Some(seconds) = retry_after {
            call.header(header::RETRY_AFTER, seconds);
        }
        let usual = if status == 429 {
            "too_many_requests"
        } else if status < 500 {
            "refused"
        } else {
            "unavailable"
        };
        return Answer::carrier_error(status, code.unwrap_or(usual), "The sandbox was told to refuse this");
    }
    if status != 429 {
        let usual = if status < 500 { "CMN-101" } else { "CMN-201" };
        return Answer::error(status, code.unwrap_or(usual), "The sandbox was told to refuse this");
    }
    let length = Duration::from_secs(retry_after.unwrap_or(60));
    let excess = match &call.budget {
        Some(budget) => core.limits.penalise(budget, now, length),
        None => TooMany { retry_after: length, limit: None, window: length },
    };
    let mut answer = Answer::too_many(call, &excess);
    if retry_after.is_none() {
        call.headers.retain(|(name, _)| *name != header::RETRY_AFTER);
    }
    if let Some(code) = code {
        answer = Answer::error(429, code, "Request rate exceeded");
    }
    // A limit of the whole account: it says nothing of the caller's own standing.
    if code == Some("CMN-310") {
        call.headers.retain(|(name, _)| !name.as_str().starts_with("x-rate-limit"));
    }
    answer
}

/// Ends the connection without an answer. The body fails before the head has left hyper's buffer, so that not a byte goes out;
/// `a_lost_answer_is_accepted_and_journaled` holds hyper to it.
fn dropped() -> Response {
    let nothing: Result<&'static str, std::io::Error> = Err(std::io::ErrorKind::ConnectionAborted.into());
    Body::from_stream(stream::iter([nothing])).into_response()
}
