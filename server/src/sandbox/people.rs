//! People and their company, as RingCentral's directory shows them.
//!
//! The one rule: whoever has an id or an e-mail is somebody, unless the control API said that nobody is.

use super::answer::Answer;
use super::asked::Asked;
use super::filter::ACCOUNT;
use super::journal::Kind;
use super::limits::Group;
use super::state::Core;
use super::{Sandbox, Text};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use switchyard::types::Timestamp;

/// Ids in one request (OpenAPI).
const MOST: usize = 30;
/// When the account and everyone in it began.
const BEGAN: Timestamp = Timestamp(1_704_067_200_000_000);

/// A person, as the control API names one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The extension id.
    pub id: Text,
    /// The first name; made up when left out.
    #[serde(default)]
    pub first_name: Option<Text>,
    /// The last name; made up when left out.
    #[serde(default)]
    pub last_name: Option<Text>,
    /// The e-mail; made up when left out.
    #[serde(default)]
    pub email: Option<Text>,
    /// `false`: nobody has this id or e-mail.
    #[serde(default = "known")]
    pub known: bool,
}

fn known() -> bool {
    true
}

/// The people that the control API named; all others are made up.
#[derive(Default)]
pub(super) struct People {
    named: HashMap<Text, Person>,
    by_email: HashMap<String, Text>,
    /// Whoever was asked for by e-mail: shown with it from then on, until the sandbox ends.
    asked_for: Mutex<HashMap<Text, String>>,
}

impl People {
    pub fn know(&mut self, person: Person) {
        if let Some(email) = &person.email {
            self.by_email.insert(email.to_lowercase(), person.id.clone());
        }
        self.named.insert(person.id.clone(), person);
    }

    /// The person with this id; `None` when nobody has it.
    pub fn by_id(&self, id: &str) -> Option<Person> {
        match self.named.get(id) {
            Some(person) => person.known.then(|| person.clone()),
            None => {
                let id: Text = id.parse::<u64>().ok()?.to_string().into();
                let email = self.asked_for().get(&id).map(|email| email.as_str().into());
                Some(Person { id, first_name: None, last_name: None, email, known: true })
            }
        }
    }

    /// The id that an e-mail stands for: one that was named, or one that is always the same for the address.
    pub fn id_of(&self, email: &str) -> Option<Text> {
        let email = email.to_lowercase();
        if let Some(id) = self.by_email.get(&email) {
            return self.by_id(id).map(|person| person.id);
        }
        let digest = Sha256::digest(email.as_bytes());
        let number = digest.iter().take(4).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        email.contains('@').then(|| {
            let id: Text = (1_000_000_000 + number).to_string().into();
            self.asked_for().insert(id.clone(), email);
            id
        })
    }

    fn asked_for(&self) -> MutexGuard<'_, HashMap<Text, String>> {
        self.asked_for.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Person {
    pub(super) fn first_name(&self) -> Text {
        self.first_name.clone().unwrap_or_else(|| "Switchyard".into())
    }

    pub(super) fn last_name(&self) -> Text {
        self.last_name.clone().unwrap_or_else(|| self.id.clone())
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.first_name(), self.last_name())
    }

    pub(super) fn email(&self) -> Text {
        self.email.clone().unwrap_or_else(|| format!("switchyard.{}@example.com", self.id).into())
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "firstName": self.first_name(),
            "lastName": self.last_name(),
            "email": self.email(),
            "avatar": null,
            "companyId": ACCOUNT,
            "creationTime": BEGAN.rfc3339(),
            "lastModifiedTime": BEGAN.rfc3339(),
        })
    }
}

/// `GET /restapi/v1.0/account/~/extension/~`.
pub(super) async fn extension(
    State(sandbox): State<Sandbox>,
    Path((account, extension)): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = asked.call(Kind::Extension);
    let base = asked.base();
    let act = |core: &mut Core, call: &mut super::answer::Call, _| {
        let owner = call.owner();
        if !super::asked::own(&account, &ACCOUNT.into()) {
            return Answer::missing("accountId");
        }
        let Some(person) = core.people.by_id(if extension == "~" { &owner } else { &extension }) else {
            return Answer::missing("extensionId");
        };
        let number: u64 = person.id.parse().unwrap_or_default();
        Answer::ok(json!({
            "uri": format!("{base}/restapi/v1.0/account/{ACCOUNT}/extension/{number}"),
            "id": number,
            "extensionNumber": "101",
            "name": person.name(),
            "type": "User",
            "status": "Enabled",
            "account": { "uri": format!("{base}/restapi/v1.0/account/{ACCOUNT}"), "id": ACCOUNT },
            "contact": { "firstName": person.first_name(), "lastName": person.last_name(), "email": person.email() },
        }))
    };
    sandbox.answer(call, asked.admitted(Group::Light), act).await
}

/// `GET /team-messaging/v1/persons/{id,id,…}`: one person, or many as a multi-status.
pub(super) async fn persons(State(sandbox): State<Sandbox>, Path(ids): Path<String>, asked: Asked) -> Response {
    let find = |core: &Core, id: &str| core.people.by_id(id).map(|person| person.json());
    many(sandbox, Kind::Person, "personId", &ids, &asked, find).await
}

/// `GET /team-messaging/v1/companies/{id}`.
pub(super) async fn companies(State(sandbox): State<Sandbox>, Path(ids): Path<String>, asked: Asked) -> Response {
    let find = |_: &Core, id: &str| {
        super::asked::own(id, &ACCOUNT.into()).then(|| {
            json!({
                "id": ACCOUNT, "name": "Switchyard Sandbox", "domain": "example.com",
                "creationTime": BEGAN.rfc3339(), "lastModifiedTime": BEGAN.rfc3339(),
            })
        })
    };
    many(sandbox, Kind::Company, "companyId", &ids, &asked, find).await
}

/// One resource, or a batch of them (developer guide, batch requests).
async fn many(
    sandbox: Sandbox,
    kind: Kind,
    parameter: &str,
    ids: &str,
    asked: &Asked,
    find: impl Fn(&Core, &str) -> Option<Value>,
) -> Response {
    let mut call = asked.call(kind);
    call.entry.text = Some(ids.into());
    let given: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
    let mut parts = Vec::new();
    let act = |core: &mut Core, _: &mut super::answer::Call, _| {
        if given.is_empty() || given.len() > MOST {
            return Answer::invalid(parameter, Some(ids));
        }
        if let [id] = given.as_slice() {
            return find(core, id).map_or_else(|| Answer::missing(parameter), Answer::ok);
        }
        for id in &given {
            let found = find(core, id);
            let status = if found.is_some() { 200 } else { 404 };
            parts.push((id.to_string(), status, found.or_else(|| Answer::missing(parameter).body).unwrap_or_default()));
        }
        Answer { status: 207, ..Answer::ok(Value::Null) }
    };
    let response = sandbox.answer(call, asked.admitted(Group::Light), act).await;
    if response.status().as_u16() != 207 {
        return response;
    }
    let accept = asked.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (media_type, body) = multi_status(&parts, accept.contains("multipart+json"), &asked.base());
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    (head, body).into_response()
}

/// Parts of JSON, the first of which says how the others went; or one JSON array, for who asks for it.
fn multi_status(parts: &[(String, u16, Value)], as_json: bool, base: &str) -> (&'static str, String) {
    if as_json {
        let all: Vec<_> = parts.iter().map(|(id, status, body)| json!({ "resourceId": id, "status": status, "body": body })).collect();
        return ("application/vnd.ringcentral.multipart+json", json!(all).to_string());
    }
    let head: Vec<_> = parts
        .iter()
        .map(|(id, status, _)| {
            let description = if *status == 200 { "OK" } else { "Not Found" };
            json!({ "href": format!("{base}/team-messaging/v1/persons/{id}"), "status": status, "responseDescription": description })
        })
        .collect();
    let mut out = String::new();
    for part in std::iter::once(json!({ "response": head })).chain(parts.iter().map(|(.., body)| body.clone())) {
        out.push_str(&format!("--Boundary_switchyard\r\nContent-Type: application/json\r\n\r\n{part}\r\n"));
    }
    out.push_str("--Boundary_switchyard--\r\n");
    ("multipart/mixed; boundary=Boundary_switchyard", out)
}
