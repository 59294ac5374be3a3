//! Every server function and every route, asked by nobody, by every role, and by somebody who may do everything, but on another
//! account only. One that is in the code and not in these tables fails the test; so does an answer that tells a stranger anything.

mod downloads;
mod hearing;
mod spare;
mod table;

pub use table::{FUNCTIONS, ROUTES};

use crate::harness::{SECRET, TestApp, TestLine, contact, keys, on_both_engines, serve};
use crate::house::{PASSWORD, house, proof};
use crate::source::{Token, files};
use axum::Router;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use server::application::{self, Site, Web};
use spare::Spare;
use std::collections::BTreeSet;
use std::time::Duration;
use switchyard::directory::{accounts, contacts, lines, people};
use switchyard::messaging::blast;
use switchyard::ringcentral;
use switchyard::staff::approvals::Alone;
use switchyard::staff::{self, Member, SessionRows};
use switchyard::types::IntegrationType::{Inbox, Ringcentral};
use switchyard::types::{AccountId, ConversationId, LineId, MessageId, RoleId, RunId, StaffId, Timestamp, UtilityKind};
use switchyard::utilities;
use table::{NEVER, PLAN};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

on_both_engines![
    who_was_signed_in_is_nobody,
    nobody_learns_what_a_function_takes,
    the_stream_of_events_is_told_what_its_member_may_see_and_ends_with_the_session,
    every_server_function_answers_each_person_as_the_table_says,
    every_route_answers_each_person_as_the_table_says,
    an_accounts_program_reaches_its_own_account_only,
];

/// Nobody · a viewer · support · who may do everything, on another account only · an administrator.
pub const PEOPLE: [&str; 5] = ["nobody", "viewer", "support", "elsewhere", "administrator"];
/// Whoever asks has an answer within this time.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);
/// Nobody and elsewhere: they must learn nothing of the account.
const STRANGERS: [usize; 2] = [0, 3];
/// What only the accounts' data says.
const SECRETS: [&str; 7] = ["zq7hush", "Account 0", "Account 1", "2025550100", "202 555 0100", "2025550121", "202 555 0121"];

/// What only who may see personal data is told: the viewer is not.
const PERSONAL: [&str; 5] = ["2025550121", "202 555 0121", "Hello zq7hush", "order zq7hush", "Vera zq7hush"];

/// In the table and no route of its own: what answers when nothing else does.
const FALLBACK: &str = "/nothing/here";

/// The application with everybody in it, and one line with a conversation.
pub struct Doors<'a> {
    app: &'a TestApp,
    pub url: String,
    pub line: TestLine,
    account: String,
    pub conversation: ConversationId,
    message: MessageId,
    role: RoleId,
    /// As [`PEOPLE`].
    people: [Option<Member>; 5],
    /// The account that the fourth of them looks after.
    pub elsewhere: AccountId,
    /// A bearer token of it.
    token_elsewhere: String,
    /// What words in braces stand for; and what rows act on that would take away what others are about.
    spare: Spare,
}

/// The transfer of a line, planned by the administrator.
pub async fn planned(app: &TestApp, line: LineId, to: AccountId) -> RunId {
    let (line, to) = (line.to_string(), to.to_string());
    let answers = [("line", line.as_str()), ("to", &to), ("access", "drop"), ("responders", "move"), ("opt_ins", "keep")];
    let answers = answers.into_iter().map(|(name, answer)| (name.to_owned(), answer.to_owned())).collect();
    utilities::plan(&app.db, &app.now, &app.staff, UtilityKind::LineTransfer, &answers, None, 10_000).await.unwrap()
}

/// What is served.
fn router(app: &TestApp) -> Router {
    router_until(app, &app.stop)
}

/// The same, until it is told to stop.
pub fn router_until(app: &TestApp, stop: &CancellationToken) -> Router {
    let site = Site {
        public_url: "http://console.test".to_owned(),
        site_root: "target/none".to_owned(),
        sandbox_url: Some(app.sandbox_url.clone()),
        secrets: vec![("sandbox".to_owned(), SECRET.to_owned())],
        keys: keys(),
        http: app.http.clone(),
        web: Web::default(),
        alone: Alone { lines: 10, rows: 10_000, at_once: 100 },
        environment: None,
        window: switchyard::sync::ReleaseWindow::default(),
    };
    application::router(&app.db, &app.now, site, None, stop).unwrap()
}

impl<'a> Doors<'a> {
    pub async fn open(app: &'a TestApp) -> Doors<'a> {
        let url = serve(router(app), &app.stop).await;
        let (db, now, h) = (&app.db, &app.now, house(app));
        let line = app.line(Ringcentral).await;
        let shown = accounts::list(db, &app.staff.permit().unwrap(), "", None, 50).await.unwrap();
        let account = shown.rows[0].id;
        let user =
            people::add_user(db, now, &app.staff.permit().unwrap(), account, "Grace zq7hush", "grace.zq7hush@example.com").await.unwrap();
        let number = switchyard::types::PhoneNumber::parse(&contact(1)).unwrap();
        people::name_contact(db, now, &app.staff.permit().unwrap(), account, &number, "Vera zq7hush").await.unwrap();
        let responder = people::add_responder(db, now, &app.staff.permit().unwrap(), line.id, "zq7hush hours", "Always").await.unwrap();
        // A chat that stands, and a message that is held.
        app.reply(&contact(1), &line, "Hello zq7hush").await;
        app.work().await;
        app.send(&line, &contact(1), "Your order zq7hush is ready").await;
        app.work().await;
        let conversation = app.conversation(&line, &contact(1)).await.id;
        let message = app.timeline(&line, &contact(1)).await.last().unwrap().id;

        let elsewhere = h.account("Elsewhere").await;
        let token_elsewhere = accounts::add_api_token(db, now, &app.staff.permit().unwrap(), proof(), elsewhere, "program").await.unwrap();
        let people = [
            None,
            Some(h.member("vera@example.com", h.role("Viewer").await).await),
            Some(h.member("sam@example.com", h.role("Support").await).await),
            Some(h.member_of(elsewhere).await),
            Some(app.staff.clone()),
        ];
        let victim = h.member("victim@example.com", h.role("Viewer").await).await.id();
        let run = planned(app, line.id, elsewhere).await;
        let contact = contacts::list(db, &app.staff.permit().unwrap(), account, None, 1).await.unwrap().rows[0].id;
        let to = [1, 4, 5].map(|n| switchyard::types::PhoneNumber::parse(&crate::harness::contact(n)).unwrap());
        let blast = blast::take_as_staff(db, now, &app.staff.permit().unwrap(), line.id, "Your order zq7hush is here", &to).await.unwrap();
        let (account, role) = (account.to_string(), h.role("Viewer").await);
        let connection = ringcentral::list(db, now, &app.staff.permit().unwrap(), None, 1).await.unwrap().rows[0].id;
        let mut spare = Spare::open(app, &h, &line, conversation, people[2].as_ref().unwrap(), role).await;
        spare.words.extend([
            ("line", line.id.to_string()),
            ("account", account.clone()),
            ("connection", connection.to_string()),
            ("conversation", conversation.to_string()),
            ("message", message.to_string()),
            ("user", user.to_string()),
            ("contact", contact.to_string()),
            ("blast", blast.to_string()),
            ("role", role.to_string()),
            ("responder", responder.to_string()),
            ("run", run.to_string()),
            ("kind", UtilityKind::LineTransfer.as_str().to_owned()),
            ("victim", victim.to_string()),
            ("password", PASSWORD.to_owned()),
        ]);
        let doors = Doors { app, url, line, account, conversation, message, role, people, elsewhere, token_elsewhere, spare };
        // Somewhere they are signed in.
        doors.session(victim, now.at(), 3_600).await;
        doors
    }

    /// The cookie of a new session of this person; signing out ends only this one.
    pub async fn cookie(&self, person: usize) -> Option<String> {
        let member = self.people[person].as_ref()?;
        Some(format!("switchyard={}", self.session(member.id(), self.app.now.at(), 3_600).await))
    }

    fn sessions(&self) -> SessionRows {
        SessionRows::new(self.app.db.clone(), self.app.now.clock.clone())
    }

    /// A session that began then and is good for so many seconds more.
    async fn session(&self, member: StaffId, since: Timestamp, seconds: i64) -> Id {
        let at = serde_json::to_value(since).unwrap();
        let begun = serde_json::to_value(self.app.now.at()).unwrap();
        let data =
            [("staff", serde_json::to_value(member).unwrap()), ("since", at.clone()), ("proved", at), (switchyard::staff::BEGUN, begun)];
        let expiry = OffsetDateTime::from_unix_timestamp(self.app.now.at().0 / 1_000_000 + seconds).unwrap();
        let data = data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut record = Record { id: Id::default(), data, expiry_date: expiry };
        self.sessions().create(&mut record).await.unwrap();
        record.id
    }

    /// Puts what is there into a form or a path; `{n}` is a digit.
    pub fn filled(&self, text: &str, n: usize) -> String {
        self.spare.filled(text, n).replace("{n}", &(n % 10).to_string())
    }

    /// A form's fields, filled.
    pub fn fields(&self, form: &str, n: usize) -> Vec<(String, String)> {
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), self.filled(value, n))).collect()
    }

    /// A route of the table as a path.
    pub fn path(&self, route: &str) -> String {
        let route = match route {
            "/bulk" => "/bulk?act=close_users&account={account}&all=true",
            "/erasures/{id}" => "/erasures/{erasure}",
            "/erasures/{id}/certificate.txt" => "/erasures/{erased}/certificate.txt",
            "/invitation" => "/invitation?token={link}",
            "/utilities/runs/{id}/result.csv" => "/utilities/runs/{done}/result.csv",
            other => other,
        };
        let path = route.replace("/lines/{id}", "/lines/{line}").replace("/connections/{id}", "/connections/{connection}");
        let path = path.replace("/staff/{id}", "/staff/{victim}").replace("/roles/{id}", "/roles/{role}");
        let path = path.replace("/accounts/{id}", "/accounts/{account}").replace("/utilities/runs/{id}", "/utilities/runs/{run}");
        let path = path.replace("/users/{id}", "/users/{user}").replace("/contacts/{id}", "/contacts/{contact}");
        let path = path.replace("{line}/consent", "{line}/consent?conversation={conversation}");
        let path = path.replace("{id}", "{message}").replace("{carrier}", "sandbox");
        self.filled(&path.replace("{*rest}", "v2").replace("{line}/type", "{line}/type?to=inbox"), 0)
    }

    async fn ask(&self, person: usize, method: Method, path: &str, form: &str, site: &str) -> Response {
        let (cookie, fields, path) = (self.cookie(person).await, self.fields(form, person), self.filled(path, person));
        let answer = self.send(method.clone(), &path, cookie.as_deref(), &fields, site);
        let answer = tokio::time::timeout(LONGEST_ANSWER, answer).await;
        answer.unwrap_or_else(|_| panic!("{method} {path}: {} has no answer", PEOPLE[person]))
    }

    /// Sends this with this cookie.
    pub async fn send(&self, method: Method, path: &str, cookie: Option<&str>, fields: &[(String, String)], site: &str) -> Response {
        let mut request = self.app.http.request(method.clone(), format!("{}{path}", self.url));
        request = request.header("accept", "application/json").header("sec-fetch-site", site);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        if method == Method::POST {
            request = if path.starts_with("/utilities/plan/") { multipart(request, fields) } else { request.form(fields) };
        }
        request.send().await.unwrap()
    }

    /// Asks everybody; says where the answers part from the table, and whether the administrator was told a secret.
    async fn ask_all(&self, method: Method, path: &str, form: &str, wanted: [u16; 5]) -> (Vec<String>, bool) {
        let (mut wrong, mut told) = (Vec::new(), false);
        for (person, wanted) in wanted.into_iter().enumerate() {
            let answer = self.ask(person, method.clone(), path, form, "same-origin").await;
            let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
            // A stream of events has no end.
            let text = if path == "/events" { String::new() } else { answer.text().await.unwrap() };
            let secret = SECRETS.into_iter().find(|secret| text.contains(secret) || headers.contains(secret));
            if status != wanted {
                wrong.push(format!("{path}: {} gets {status}, the table says {wanted}: {}", PEOPLE[person], &text[..text.len().min(300)]));
            }
            if let Some(secret) = secret.filter(|_| STRANGERS.contains(&person)) {
                wrong.push(format!("{path}: {} is told {secret}: {text}", PEOPLE[person]));
            }
            if let Some(personal) =
                PERSONAL.into_iter().find(|personal| person == 1 && (text.contains(personal) || headers.contains(personal)))
            {
                wrong.push(format!("{path}: the viewer is told {personal}: {text}"));
            }
            told |= person == 4 && secret.is_some();
        }
        (wrong, told)
    }
}

/// A form that may hold files (RFC 7578).
fn multipart(request: RequestBuilder, fields: &[(String, String)]) -> RequestBuilder {
    let part = |(name, value): &(String, String)| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let body: String = fields.iter().map(part).chain(["--x--\r\n".to_owned()]).collect();
    request.header("content-type", "multipart/form-data; boundary=x").body(body)
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} answers are not as the table says:\n{}", wrong.len(), wrong.join("\n"));
}

async fn every_server_function_answers_each_person_as_the_table_says(app: &TestApp) {
    let in_code: BTreeSet<(String, Method)> =
        leptos::server_fn::axum::server_fn_paths().map(|(path, method)| (path.to_owned(), method)).collect();
    let in_table: BTreeSet<(String, Method)> = FUNCTIONS.iter().map(|(path, ..)| (format!("/fn/{path}"), Method::POST)).collect();
    assert!(in_code.len() > 30, "the functions are registered");
    assert_eq!(in_code, in_table, "the code left, the table right");
    // An example that is refused to everybody says little about who may.
    for (path, _, wanted) in FUNCTIONS {
        let why = NEVER.iter().find(|(never, _)| never == path);
        let is_done = wanted.contains(&200);
        assert!(is_done || why.is_some(), "{path}: nobody does it; mend its example, or say in NEVER why that cannot be");
        assert!(!is_done || why.is_none(), "{path}: somebody does it, and NEVER says that nobody can: {why:?}");
    }
    for (never, _) in NEVER {
        assert!(FUNCTIONS.iter().any(|(path, ..)| path == never), "{never} stands in NEVER and is no function");
    }

    let doors = Doors::open(app).await;
    let (mut wrong, mut telling) = (Vec::new(), 0);
    for (path, form, wanted) in FUNCTIONS {
        let path = format!("/fn/{path}");
        // Another site's page cannot have the browser do it, whoever it belongs to; and nothing changes on GET.
        let foreign = doors.ask(4, Method::POST, &path, form, "cross-site").await.status();
        assert_eq!(foreign, StatusCode::FORBIDDEN, "{path} from another site");
        let read = doors.ask(4, Method::GET, &path, "", "same-origin").await.status();
        assert!(matches!(read, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED), "GET {path}: {read}");
        let (parts, told) = doors.ask_all(Method::POST, &path, form, *wanted).await;
        wrong.extend(parts);
        telling += usize::from(told);
    }
    report(&wrong);
    assert!(telling >= 8, "the secrets are ones that answers tell: {telling} did");
}

/// The first texts of calls such as `.route("/path", …)`.
fn routes_in(tokens: &[Token]) -> impl Iterator<Item = &str> {
    let calls = tokens.windows(4).filter(|t| t[0].is(".") && t[2].is("("));
    calls.filter(|t| ["route", "route_service", "nest_service", "nest"].iter().any(|name| t[1].is(name))).filter_map(|t| t[3].text())
}

async fn every_route_answers_each_person_as_the_table_says(app: &TestApp) {
    let files = files("server/src");
    let files = files.iter().filter(|(path, _)| !path.contains("/sandbox"));
    let mut in_code: BTreeSet<String> = files.flat_map(|(_, tokens)| routes_in(tokens)).map(ToOwned::to_owned).collect();
    assert!(in_code.len() > 10, "the routes were read");
    let pages = server::console::pages();
    assert!(pages.len() > 10, "the pages were read");
    in_code.extend(pages.iter().map(|page| page.path().to_owned()));
    let in_table: BTreeSet<String> = ROUTES.iter().map(|(_, path, _)| (*path).to_owned()).filter(|path| path != FALLBACK).collect();
    assert_eq!(in_code, in_table, "the code left, the table right");

    let doors = Doors::open(app).await;
    let (mut wrong, mut telling) = (Vec::new(), 0);
    for (method, route, wanted) in ROUTES {
        let path = doors.path(route);
        let form = if *route == PLAN.0 { PLAN.1 } else { "" };
        let (parts, told) = doors.ask_all(method.parse().unwrap(), &path, form, *wanted).await;
        wrong.extend(parts);
        telling += usize::from(told);
    }
    report(&wrong);
    assert!(telling >= 8, "the secrets are ones that answers tell: {telling} did");
}

async fn who_was_signed_in_is_nobody(app: &TestApp) {
    let doors = Doors::open(app).await;
    let (admin, now) = (app.staff.id(), app.now.at());
    let revoked = doors.session(admin, now, 3_600).await;
    doors.sessions().delete(&revoked).await.unwrap();
    let disabled = house(app).member("gone@example.com", doors.role).await.id();
    let early = doors.session(disabled, now, 3_600).await;
    staff::disable(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), disabled).await.unwrap();
    // One that stands all the same.
    let barred = house(app).member("barred@example.com", doors.role).await.id();
    let kept = doors.session(barred, now, 3_600).await;
    let text = "update staff_member set disabled_at = $2 where id = $1";
    app.db.work(async |tx| tx.run(text, (barred, now)).await).await.unwrap();
    let good = doors.session(admin, now, 3_600).await;
    let cookies = [
        ("a session that ran out", format!("switchyard={}", doors.session(admin, now, -1).await)),
        ("a revoked session", format!("switchyard={revoked}")),
        ("a session that ended with its member", format!("switchyard={early}")),
        ("a disabled member's session", format!("switchyard={kept}")),
        ("a session that never was", format!("switchyard={}", Id::default())),
        ("the good one by another name", format!("session={good}; __Host-switchyard={good}")),
        ("no session's id", "switchyard=\"><script>; switchyard=".to_owned()),
    ];
    let mut wrong = Vec::new();
    let functions = FUNCTIONS.iter().map(|(path, form, wanted)| ("POST", format!("/fn/{path}"), *form, wanted[0]));
    let routes = ROUTES.iter().map(|(method, route, wanted)| (*method, doors.path(route), "", wanted[0]));
    for (method, path, form, wanted) in functions.chain(routes) {
        // Whoever comes with one that is too old ends it.
        let began = now.minus(Duration::from_secs(8 * 86_400));
        let too_old = ("a session that is too old", format!("switchyard={}", doors.session(admin, began, 3_600).await));
        for (n, (what, cookie)) in cookies.iter().chain([&too_old]).enumerate() {
            let fields = doors.fields(form, n);
            let answer = doors.send(method.parse().unwrap(), &path, Some(cookie), &fields, "same-origin").await;
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            if status != wanted || SECRETS.iter().any(|secret| text.contains(secret)) {
                wrong.push(format!("{path}: {what} gets {status}, nobody gets {wanted}: {}", &text[..text.len().min(300)]));
            }
        }
    }
    report(&wrong);
    let good = format!("switchyard={good}");
    let seen = doors.send(Method::GET, "/lines", Some(&good), &[], "same-origin").await;
    assert_eq!(seen.status(), StatusCode::OK, "the good session is good");
}

/// The console's own functions for whoever comes: the ones that answer nobody something else than 401.
fn is_open(wanted: &[u16; 5]) -> bool {
    wanted[0] != 401
}

async fn nobody_learns_what_a_function_takes(app: &TestApp) {
    let doors = Doors::open(app).await;
    let mut refusals = BTreeSet::new();
    let paths = FUNCTIONS.iter().filter(|(.., wanted)| !is_open(wanted)).map(|(path, ..)| format!("/fn/{path}"));
    let paths: Vec<String> = paths.chain(["/fn/nothing".to_owned(), "/fn/".to_owned(), "/fn/lines/get/".to_owned()]).collect();
    assert!(paths.len() > 40);
    let bodies: [(&str, &[u8]); 6] = [
        ("application/x-www-form-urlencoded", b""),
        ("application/x-www-form-urlencoded", b"id=not-an-id&line=%FF%FE&version=-1"),
        ("application/x-www-form-urlencoded", b"%%%=[]&&&=1"),
        ("application/json", b"{\"id\":"),
        ("multipart/form-data; boundary=x", b"--x"),
        ("application/octet-stream", b"\xff\xfe\x00"),
    ];
    for path in &paths {
        for (kind, body) in bodies {
            let request =
                app.http.post(format!("{}{path}", doors.url)).header("sec-fetch-site", "same-origin").header("content-type", kind);
            let answer = request.header("accept", "application/json").body(body.to_vec()).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
            refusals.insert(answer.text().await.unwrap());
        }
    }
    assert_eq!(refusals.len(), 1, "one answer for all: {refusals:?}");
    // A form that a browser sends by itself leads to the sign-in page.
    let form = app.http.post(format!("{}/fn/lines/add", doors.url)).header("sec-fetch-site", "same-origin").header("accept", "text/html");
    let answer = form.body("").send().await.unwrap();
    assert_eq!((answer.status(), answer.headers()["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/sign-in"));
}

/// A stream of events as one person has it.
struct Listening(Response, String);

impl Listening {
    async fn begin(doors: &Doors<'_>, cookie: &str) -> Self {
        let answer = doors.send(Method::GET, "/events", Some(cookie), &[], "same-origin").await;
        assert_eq!(answer.status(), StatusCode::OK);
        Self(answer, String::new())
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.1 = rest;
                if let Some(data) = event.strip_prefix("data:") {
                    return Some(data.trim().to_owned());
                }
                continue;
            }
            let part = tokio::time::timeout(LONGEST_ANSWER, self.0.chunk()).await.expect("an event, or the end").ok().flatten()?;
            self.1.push_str(&String::from_utf8_lossy(&part));
        }
    }
}

async fn the_stream_of_events_is_told_what_its_member_may_see_and_ends_with_the_session(app: &TestApp) {
    let doors = Doors::open(app).await;
    let mut cookies = Vec::new();
    for person in 1..PEOPLE.len() {
        cookies.push(doors.cookie(person).await.unwrap());
    }
    let mut streams = Vec::new();
    for cookie in &cookies {
        streams.push(Listening::begin(&doors, cookie).await);
    }
    // First something of the account, then something of the account elsewhere.
    app.reply(&contact(1), &doors.line, "Hello again zq7hush").await;
    lines::add(&app.db, &app.now, &app.staff.permit().unwrap(), doors.elsewhere, "+12025550190", "Elsewhere's", Inbox).await.unwrap();
    let (own, other) = (doors.account.clone(), doors.elsewhere.to_string());
    for (person, stream) in (1..).zip(&mut streams) {
        let first = stream.next().await.unwrap();
        if person == 3 {
            assert!(first.contains(&other), "{} hears of another account first: {first}", PEOPLE[person]);
        } else {
            assert!(first.contains(&own), "{} hears of the account: {first}", PEOPLE[person]);
        }
        assert!(!SECRETS.iter().any(|secret| first.contains(secret)), "ids alone: {first}");
    }
    // Signing out, a revoked session and a disabled member each end their stream, and no other.
    let sign_out = doors.send(Method::POST, "/fn/sign-out", Some(&cookies[0]), &[], "same-origin").await;
    assert_eq!(sign_out.headers()["clear-site-data"], "\"cache\", \"storage\"");
    let of_support: Id = cookies[1].strip_prefix("switchyard=").unwrap().parse().unwrap();
    doors.sessions().delete(&of_support).await.unwrap();
    let elsewhere = doors.people[3].as_ref().unwrap().id();
    staff::disable(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), elsewhere).await.unwrap();
    for (person, stream) in (1..4).zip(&mut streams) {
        let ended = tokio::time::timeout(LONGEST_ANSWER, async { while stream.next().await.is_some() {} }).await;
        assert!(ended.is_ok(), "{}'s stream goes on", PEOPLE[person]);
    }
    app.reply(&contact(1), &doors.line, "And again zq7hush").await;
    assert!(streams[3].next().await.is_some(), "the administrator's stream goes on");
}

async fn an_accounts_program_reaches_its_own_account_only(app: &TestApp) {
    let doors = Doors::open(app).await;
    let line = doors.line.id;
    let blast = app.blast(&doors.line, &[contact(2)], "Sale zq7hush").await["id"].as_str().unwrap().to_owned();
    let send = serde_json::json!({ "line": line, "to": contact(3), "text": "Hello" });
    let mass = serde_json::json!({ "line": line, "recipients": [contact(3)], "text": "Hello" });
    // Without a token · with a stranger's · with another account's · with its own.
    let tokens = ["", "sw_of-nobody", doors.token_elsewhere.as_str(), doors.line.token.as_str()];
    // Another account's line is as unknown as one that nobody has: a field that is wrong.
    let table = [
        (Method::POST, "/api/v1/messages".to_owned(), Some(&send), [401, 401, 422, 201]),
        (Method::POST, "/api/v1/blasts".to_owned(), Some(&mass), [401, 401, 422, 202]),
        (Method::GET, format!("/api/v1/lines/{line}/messages/{}", doors.message), None, [401, 401, 404, 200]),
        (Method::GET, format!("/api/v1/lines/{line}/blasts/{blast}"), None, [401, 401, 404, 200]),
        (Method::POST, format!("/api/v1/lines/{line}/blasts/{blast}/resume"), None, [401, 401, 404, 409]),
        (Method::POST, format!("/api/v1/lines/{line}/blasts/{blast}/cancel"), None, [401, 401, 404, 409]),
    ];
    for (method, path, body, wanted) in table {
        for (token, wanted) in tokens.into_iter().zip(wanted) {
            let mut request = app.http.request(method.clone(), format!("{}{path}", doors.url));
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), wanted, "{path}");
            let text = answer.text().await.unwrap();
            assert!(wanted < 300 || !SECRETS.iter().any(|secret| text.contains(secret)), "{path}: {text}");
        }
    }
}
