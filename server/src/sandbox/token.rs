//! RingCentral's sign-in: apps with a JWT, access and refresh tokens, and their errors.
//!
//! The one rule: a refresh token is used once; for a short time after, using it again gives the same new pair (developer guide).

use super::answer::{Answer, Call, count};
use super::journal::Kind;
use super::limits::Group;
use super::state::Core;
use super::{Sandbox, Text};
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use switchyard::types::Timestamp;

/// The app that every sandbox knows.
pub const DEFAULT_CLIENT_ID: &str = "sandbox-client";
/// Its secret.
pub const DEFAULT_CLIENT_SECRET: &str = "sandbox-secret";
/// Its JWT.
pub const DEFAULT_JWT: &str = "sandbox-jwt";
/// The extension id of its user.
pub const DEFAULT_OWNER: &str = "62534323";
/// An app whose id, secret and JWT all begin with this is let in without being registered; its id decides who its user is.
pub const DEMO_PREFIX: &str = "sandbox-demo-";

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const REFRESH_TTL: Duration = Duration::from_secs(604_800);
/// What a caller may ask for, in seconds; anything else is ignored (@ringcentral/sdk asks for -1).
const ACCESS_TTLS: std::ops::RangeInclusive<u64> = 600..=3_600;
const REFRESH_TTLS: std::ops::RangeInclusive<u64> = 1..=2_592_000;
const SCOPE: &str = "ReadAccounts ReadMessages TeamMessaging SubscriptionWebhook CallControl";
/// Sessions of one user in one app; the oldest ends when another begins (developer guide).
const SESSIONS: usize = 5;
/// How long an old refresh token still gives the new pair: after the pair was first used, and while it is unused.
const GRACE_USED: Duration = Duration::from_secs(10);
const GRACE_UNUSED: Duration = Duration::from_secs(3_600);

/// A registered app with its one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The app's id.
    pub client_id: Text,
    /// The app's secret.
    pub client_secret: Text,
    /// The JWT credential of its user.
    pub jwt: Text,
    /// The extension id of that user.
    pub owner_extension_id: Text,
}

struct Session {
    owner: Text,
    client: Text,
    access: Text,
    access_until: Timestamp,
    refresh: Text,
    refresh_until: Timestamp,
    spent_refresh: Option<Text>,
    issued_at: Timestamp,
    first_used_at: Option<Timestamp>,
}

/// How long the tokens live that a call gives out.
#[derive(Clone, Copy)]
struct Lives {
    access: Duration,
    refresh: Duration,
}

/// Apps and sessions. Sessions do not outlive the process: its callers sign in again.
pub(super) struct TokenDesk {
    pub ttl: Duration,
    pub refresh_ttl: Duration,
    clients: HashMap<Text, Client>,
    sessions: HashMap<u64, Session>,
    by_access: HashMap<Text, u64>,
    by_refresh: HashMap<Text, u64>,
    by_user: HashMap<(Text, Text), VecDeque<u64>>,
    last: u64,
}

impl TokenDesk {
    pub fn new(ttl: Duration) -> Self {
        let mut desk = Self {
            ttl,
            refresh_ttl: REFRESH_TTL,
            clients: HashMap::new(),
            sessions: HashMap::new(),
            by_access: HashMap::new(),
            by_refresh: HashMap::new(),
            by_user: HashMap::new(),
            last: 0,
        };
        desk.register(Client {
            client_id: DEFAULT_CLIENT_ID.into(),
            client_secret: DEFAULT_CLIENT_SECRET.into(),
            jwt: DEFAULT_JWT.into(),
            owner_extension_id: DEFAULT_OWNER.into(),
        });
        desk
    }

    pub fn register(&mut self, client: Client) {
        self.clients.insert(client.client_id.clone(), client);
    }

    pub fn expire_all(&mut self, now: Timestamp) {
        for session in self.sessions.values_mut() {
            session.access_until = session.access_until.min(now);
        }
    }

    /// Whose token this is: owner and app.
    pub fn holder(&mut self, access: &str, now: Timestamp) -> Result<(Text, Text), Answer> {
        let session = self.by_access.get(access).and_then(|id| self.sessions.get_mut(id));
        let Some(session) = session else { return Err(Answer::error(401, "OAU-129", "Access token corrupted")) };
        if session.access_until <= now {
            return Err(Answer::error(401, "OAU-128", "Access token expired"));
        }
        session.first_used_at.get_or_insert(now);
        Ok((session.owner.clone(), session.client.clone()))
    }

    fn client(&self, id: &str, secret: &str) -> Option<Client> {
        if let Some(client) = self.clients.get(id) {
            return (&*client.client_secret == secret).then(|| client.clone());
        }
        (id.starts_with(DEMO_PREFIX) && secret.starts_with(DEMO_PREFIX)).then(|| Client {
            client_id: id.into(),
            client_secret: secret.into(),
            jwt: DEMO_PREFIX.into(),
            owner_extension_id: demo_owner(id),
        })
    }

    /// An app that keeps no secret names itself in the body.
    fn public_client(&self, id: &str) -> Option<Client> {
        let client = self.clients.get(id).cloned().or_else(|| self.client(id, DEMO_PREFIX));
        client.filter(|client| client.client_secret.is_empty() || &*client.client_secret == DEMO_PREFIX)
    }

    /// Ends a session by either of its tokens.
    fn revoke(&mut self, token: &str, app: &Text) {
        let id = self.by_access.get(token).or_else(|| self.by_refresh.get(token)).copied();
        let Some(id) = id.filter(|id| self.sessions.get(id).is_some_and(|session| session.client == *app)) else { return };
        self.end(id);
        for of_user in self.by_user.values_mut() {
            of_user.retain(|one| *one != id);
        }
    }

    fn end(&mut self, id: u64) {
        let Some(ended) = self.sessions.remove(&id) else { return };
        self.by_access.remove(&ended.access);
        self.by_refresh.remove(&ended.refresh);
        if let Some(spent) = ended.spent_refresh {
            self.by_refresh.remove(&spent);
        }
    }

    /// The lives that a call asks for, within what the sandbox was set to.
    fn lives(&self, form: &HashMap<String, String>) -> Lives {
        let asked = |name: &str, range: std::ops::RangeInclusive<u64>, most: Duration| {
            let seconds = form.get(name).and_then(|text| text.parse().ok()).filter(|seconds| range.contains(seconds));
            seconds.map_or(most, |seconds| Duration::from_secs(seconds).min(most))
        };
        Lives {
            access: asked("access_token_ttl", ACCESS_TTLS, self.ttl),
            refresh: asked("refresh_token_ttl", REFRESH_TTLS, self.refresh_ttl),
        }
    }

    fn open(&mut self, client: &Client, secrets: Secrets, lives: Lives, now: Timestamp) -> u64 {
        self.last += 1;
        let id = self.last;
        let (owner, app) = (client.owner_extension_id.clone(), client.client_id.clone());
        let of_user = self.by_user.entry((owner.clone(), app.clone())).or_default();
        of_user.push_back(id);
        let oldest = if of_user.len() > SESSIONS { of_user.pop_front() } else { None };
        if let Some(oldest) = oldest {
            self.end(oldest);
        }
        self.by_access.insert(secrets.access.clone(), id);
        self.by_refresh.insert(secrets.refresh.clone(), id);
        let session = Session {
            owner,
            client: app,
            access: secrets.access,
            access_until: now.plus(lives.access),
            refresh: secrets.refresh,
            refresh_until: now.plus(lives.refresh),
            spent_refresh: None,
            issued_at: now,
            first_used_at: None,
        };
        self.sessions.insert(id, session);
        id
    }

    fn refresh(&mut self, client: &Client, token: &str, secrets: Secrets, lives: Lives, now: Timestamp) -> Option<u64> {
        let id = *self.by_refresh.get(token)?;
        let session = self.sessions.get_mut(&id)?;
        if session.client != client.client_id || session.refresh_until <= now {
            return None;
        }
        if &*session.refresh != token {
            let in_grace = match session.first_used_at {
                Some(used) => now.since(used) <= GRACE_USED,
                None => now.since(session.issued_at) <= GRACE_UNUSED,
            };
            return in_grace.then_some(id);
        }
        self.by_access.remove(&session.access);
        if let Some(older) = session.spent_refresh.take() {
            self.by_refresh.remove(&older);
        }
        session.spent_refresh = Some(std::mem::replace(&mut session.refresh, secrets.refresh.clone()));
        session.access = secrets.access.clone();
        session.access_until = now.plus(lives.access);
        session.refresh_until = now.plus(lives.refresh);
        session.issued_at = now;
        session.first_used_at = None;
        self.by_access.insert(secrets.access, id);
        self.by_refresh.insert(secrets.refresh, id);
        Some(id)
    }

    fn info(&self, id: u64, now: Timestamp) -> Option<Answer> {
        let session = self.sessions.get(&id)?;
        Some(Answer::ok(json!({
            "access_token": session.access,
            "token_type": "bearer",
            "expires_in": session.access_until.since(now).as_secs(),
            "refresh_token": session.refresh,
            "refresh_token_expires_in": session.refresh_until.since(now).as_secs(),
            "scope": SCOPE,
            "owner_id": session.owner,
            "endpoint_id": session.client,
            "session_id": id.to_string(),
        })))
    }
}

/// The user of an app that was never registered: always the same for the same app.
fn demo_owner(client_id: &str) -> Text {
    let digest = Sha256::digest(client_id.as_bytes());
    let number = digest.iter().take(4).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (100_000_000 + number % 900_000_000).to_string().into()
}

struct Secrets {
    access: Text,
    refresh: Text,
}

fn oauth_error(error: &str, code: &str, message: &str) -> Answer {
    let errors = json!([{ "errorCode": code, "message": message }]);
    Answer::refused(400, json!({ "error": error, "error_description": message, "errors": errors }))
}

/// Reads `Authorization: Basic`; the scheme's name in any case.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// `POST /restapi/oauth/token`.
pub(super) async fn issue(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    form: Result<Form<HashMap<String, String>>, FormRejection>,
) -> Response {
    let form = form.map(|Form(form)| form);
    let fields = form.as_ref().ok().cloned();
    let secret = || Text::from(URL_SAFE_NO_PAD.encode(sandbox.0.rng.bytes::<30>()));
    let secrets = Secrets { access: secret(), refresh: secret() };
    sandbox
        .answer(
            Call::new(Kind::Token, &headers),
            |core, call, now| known_client(core, call, &headers, fields.as_ref(), now),
            |core, call, now| match (call.client.take(), form) {
                (Some(client), Ok(form)) => grant(core, &client, &form, secrets, now),
                (_, Err(rejection)) => {
                    let errors = json!([{ "errorCode": "CMN-101", "message": rejection.body_text() }]);
                    Answer::refused(rejection.status().as_u16(), json!({ "error": "invalid_request", "errors": errors }))
                }
                (None, _) => unknown_client(),
            },
        )
        .await
}

/// `POST /restapi/oauth/revoke`: ends the session that the token, access or refresh, belongs to. One that is unknown is as good as
/// revoked (RFC 7009).
pub(super) async fn revoke(
    State(sandbox): State<Sandbox>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    form: Result<Form<HashMap<String, String>>, FormRejection>,
) -> Response {
    let form = form.map(|Form(form)| form).unwrap_or_default();
    let check = |core: &mut Core, call: &mut Call, now| known_client(core, call, &headers, Some(&form), now);
    let act = |core: &mut Core, call: &mut Call, _| {
        let Some(token) = form.get("token").or_else(|| query.get("token")) else {
            return oauth_error("invalid_request", "CMN-101", "Parameter [token] value is invalid");
        };
        if let Some(client) = &call.client {
            core.desk.revoke(token, &client.client_id);
        }
        Answer { body: None, ..Answer::ok(json!(null)) }
    };
    sandbox.answer(Call::new(Kind::Revoke, &headers), check, act).await
}

/// The app that asks, by its Basic credentials or, when it has no secret, by its id in the body; and whether it may ask yet.
fn known_client(
    core: &mut Core,
    call: &mut Call,
    headers: &HeaderMap,
    form: Option<&HashMap<String, String>>,
    now: Timestamp,
) -> Result<(), Answer> {
    let known = match basic(headers) {
        Some((id, secret)) => core.desk.client(&id, &secret),
        None => form.and_then(|form| form.get("client_id")).and_then(|id| core.desk.public_client(id)),
    };
    let client = known.ok_or_else(unknown_client)?;
    call.entry.owner = Some(client.owner_extension_id.clone());
    let budget = (client.owner_extension_id.clone(), client.client_id.clone(), Group::Auth);
    call.client = Some(client);
    count(core, call, budget, now)
}

fn unknown_client() -> Answer {
    oauth_error("invalid_client", "OAU-146", "Invalid client credentials")
}

fn grant(core: &mut Core, client: &Client, form: &HashMap<String, String>, secrets: Secrets, now: Timestamp) -> Answer {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let lives = core.desk.lives(form);
    let session = match field("grant_type") {
        JWT_BEARER => {
            let assertion = field("assertion");
            // A demo app has no JWT of its own: any with the prefix is good.
            let demo = &*client.jwt == DEMO_PREFIX && assertion.starts_with(DEMO_PREFIX);
            if !demo && assertion != &*client.jwt {
                return oauth_error("invalid_grant", "OAU-140", "Invalid resource owner credentials");
            }
            Some(core.desk.open(client, secrets, lives, now))
        }
        "refresh_token" => core.desk.refresh(client, field("refresh_token"), secrets, lives, now),
        "" => return oauth_error("invalid_request", "CMN-101", "Parameter [grant_type] value is invalid"),
        _ => return oauth_error("unsupported_grant_type", "OAU-125", "Grant type is not allowed for this application"),
    };
    let info = session.and_then(|id| core.desk.info(id, now));
    info.unwrap_or_else(|| oauth_error("invalid_grant", "OAU-213", "Token not found"))
}
