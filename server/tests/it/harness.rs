//! One helper starts the whole application: its routes on a free port, the sandbox on another, a database of its own.
//!
//! Nothing runs by itself and the clock stands still: a test says when the workers take a step ([`TestApp::work`]).

use futures_util::FutureExt;
use server::application::{self, Site, Web};
use server::sandbox::{HandsetText, Limits, Sandbox, SandboxConfig, sign};
use std::fmt::Display;
use std::io::Write;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use switchyard::clock::{Clock, Now, Rng};
use switchyard::db::Db;
use switchyard::directory::{accounts, integration, lines};
use switchyard::messaging::carrier::Carrier;
use switchyard::messaging::{blast, outbound};
use switchyard::ringcentral::{self, Client, NewConnection};
use switchyard::secret::Keyring;
use switchyard::staff::approvals::Alone;
use switchyard::staff::{self, Member, Proof, SessionRows};
use switchyard::sync::{self, Engine, EngineConfig};
use switchyard::types::{ConversationRow, IntegrationType, LineId, TimelineFilter, TimelineRow, Timestamp};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

pub use switchyard::db::Engine as DbEngine;

/// Where the clock begins.
pub const START: Timestamp = Timestamp(1_795_238_411_000_000);
/// The carrier's name in the webhooks' paths, and its two secrets, the newer one first.
pub const CARRIER: &str = "sandbox";
pub const SECRET: &str = "the-newer-webhook-secret";
pub const OLD_SECRET: &str = "the-older-webhook-secret";
/// What opens the figures from elsewhere.
pub const METRICS_TOKEN: &str = "a-token-for-the-figures";
/// Virtual time after which a test that still waits has failed.
const LONGEST_WAIT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Makes two tests of each function: `<function>::sqlite` and `<function>::postgres`.
macro_rules! on_both_engines { ($($promise:ident),+ $(,)?) => { $(
    mod $promise {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn sqlite() {
            crate::harness::run(crate::harness::DbEngine::Sqlite, super::$promise).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn postgres() {
            crate::harness::run(crate::harness::DbEngine::Postgres, super::$promise).await;
        }
    }
)+ } }
pub(crate) use on_both_engines;

/// Runs a test on an application of its own and takes everything away afterwards, also when it fails.
pub async fn run(engine: DbEngine, test: impl AsyncFnOnce(&TestApp)) {
    run_with(engine, Rng::from_os(), test).await;
}

/// The same; all ids and all chance of the product come from here.
pub async fn run_with(engine: DbEngine, rng: Rng, test: impl AsyncFnOnce(&TestApp)) {
    let Some(app) = TestApp::start(engine, rng).await else { return };
    let ended = AssertUnwindSafe(test(&app)).catch_unwind().await;
    app.end().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// What `make` was told by a variable; nothing and an empty one are the same.
pub fn told<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The database that `ENGINE` names.
pub fn told_engine() -> DbEngine {
    match told::<String>("ENGINE").as_deref() {
        None | Some("sqlite") => DbEngine::Sqlite,
        Some("postgres") => DbEngine::Postgres,
        Some(other) => panic!("ENGINE: sqlite or postgres, not {other}"),
    }
}

/// Where a test's data is.
enum Home {
    Folder(tempfile::TempDir),
    Database { server: String, name: String },
}

impl Home {
    /// `None` when there is no PostgreSQL to test with.
    async fn new(engine: DbEngine) -> Option<Self> {
        if engine == DbEngine::Sqlite {
            return Some(Self::Folder(tempfile::tempdir().unwrap()));
        }
        let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
            // Past the capture of a test's output: who reads a green run must see what it did not run.
            let _ = writeln!(std::io::stderr(), "\n*** SKIPPED on PostgreSQL: set TEST_POSTGRES_URL, or use .ci/postgres run … ***");
            return None;
        };
        let name = format!("test_{}", uuid::Builder::from_random_bytes(Rng::from_os().bytes()).into_uuid().simple());
        statement(&server, format!("create database {name} locale 'C' template template0")).await;
        Some(Self::Database { server, name })
    }

    fn url(&self) -> String {
        match self {
            Self::Folder(folder) => format!("sqlite:{}", folder.path().join("switchyard.db").display()),
            Self::Database { server, name } => {
                let (base, _) = server.rsplit_once('/').unwrap();
                format!("{base}/{name}")
            }
        }
    }

    async fn remove(self) {
        if let Self::Database { server, name } = self {
            statement(&server, format!("drop database {name} with (force)")).await;
        }
    }
}

/// Runs a statement outside any transaction.
async fn statement(url: &str, text: String) {
    let db = Db::open(url, 2).await.unwrap();
    let text: &'static str = text.leak();
    let _: Vec<(i64,)> = db.all(text, ()).await.unwrap();
    db.close().await;
}

/// A database of its own, without an application.
pub async fn with_database(engine: DbEngine, test: impl AsyncFnOnce(&str)) {
    let Some(home) = Home::new(engine).await else { return };
    let ended = AssertUnwindSafe(test(&home.url())).catch_unwind().await;
    home.remove().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// The running application.
pub struct TestApp {
    pub db: Db,
    pub now: Now,
    pub sandbox: Sandbox,
    pub http: reqwest::Client,
    /// The product's address.
    pub url: String,
    pub engine: Engine,
    pub carrier: Carrier,
    /// An administrator.
    pub staff: Member,
    pub stop: CancellationToken,
    pub sandbox_url: String,
    numbers: AtomicU32,
    texts: AtomicU32,
    home: Home,
}

/// A line with the account that owns it.
#[derive(Debug, Clone)]
pub struct TestLine {
    pub id: LineId,
    pub number: String,
    /// The bearer token of the account's program.
    pub token: String,
    /// The account's RingCentral app; its secret and credential are the same.
    pub client: String,
}

/// A contact's number: 0 to 79 are numbers reserved for fiction, further ones are too long to be anybody's.
pub fn contact(n: usize) -> String {
    match n {
        0..80 => format!("+120255501{:02}", n + 20),
        n => format!("+120255501{n:05}"),
    }
}

/// One of them, by chance.
pub fn pick<'a, T>(rng: &Rng, of: &'a [T]) -> &'a T {
    &of[usize::try_from(rng.below(of.len() as u64)).unwrap()]
}

/// Whether a text tells a number that ends with these digits, or only them: as digits of their own, not within an id or a time.
pub fn tells(text: &str, last: &str) -> bool {
    text.match_indices(last).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + last.len()..]);
        let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
        let own = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
        match digits {
            0 => own(before.chars().next_back()) && own(after.chars().next()),
            // With or without the code of its area and its country.
            3 | 6 | 7 => !after.starts_with(|c: char| c.is_ascii_alphanumeric()),
            // A space, as a URL spells it.
            2 if before.ends_with("%20") => !after.starts_with(|c: char| c.is_ascii_alphanumeric()),
            _ => false,
        }
    })
}

#[test]
fn a_number_is_told_apart_from_an_id() {
    for told in [
        "0121",
        "•• 0121, gone",
        "555 0121",
        "+12025550121",
        "tel=%2B12025550121&",
        "q=%2B1%20202%20555%200121",
        "2025550121<",
        "(5550121)",
    ] {
        assert!(tells(told, "0121"), "{told}");
    }
    for id in ["01a20121-82c6-70d8-9b59-b44aa5a9d013", "82c6-0121-9b59", "1795450121033835", "q0121", "0121f"] {
        assert!(!tells(id, "0121"), "{id}");
    }
}

/// What seals the secrets of connections here.
pub const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

pub fn keys() -> Keyring {
    Keyring::parse(SECRET_KEY).unwrap()
}

impl TestApp {
    pub async fn start(engine: DbEngine, rng: Rng) -> Option<Self> {
        let home = Home::new(engine).await?;
        let clock = Clock::manual(START);
        let now = Now { clock: clock.clone(), rng };
        let http = application::http_client().unwrap();
        let db = application::open(&home.url(), 12).await.unwrap();
        let stop = CancellationToken::new();

        let config = SandboxConfig {
            webhook_secret: SECRET.to_owned(),
            carrier_name: CARRIER.to_owned(),
            posts_per_minute: None,
            posts_per_day: None,
            ..SandboxConfig::new(clock.clone(), http.clone())
        };
        let carrier_key = config.carrier_key.clone();
        let sandbox = Sandbox::new(config).unwrap();
        let sandbox_url = serve(sandbox.router(), &stop).await;
        sandbox.set_own_base(&sandbox_url);

        let site = Site {
            public_url: "http://console.test".to_owned(),
            site_root: "target/site".to_owned(),
            sandbox_url: None,
            secrets: vec![(CARRIER.to_owned(), SECRET.to_owned()), (CARRIER.to_owned(), OLD_SECRET.to_owned())],
            keys: keys(),
            http: http.clone(),
            web: Web { metrics_token: Some(METRICS_TOKEN.to_owned()), ..Web::default() },
            alone: Alone { lines: 3, rows: 10_000, at_once: 20 },
            environment: Some("Staging".to_owned()),
            window: switchyard::sync::ReleaseWindow::default(),
        };
        let url = serve(application::router(&db, &now, site, None, &stop).unwrap(), &stop).await;
        sandbox.set_webhook_base(&url);

        let invited = staff::first_administrator(&db, &now, "admin@example.com", "Ada Byron", false).await.unwrap().unwrap();
        let staff = Member::load(&db, invited.id).await.unwrap().unwrap();
        let carrier = Carrier::new(http.clone(), &format!("{sandbox_url}/carrier"), carrier_key);
        let engine =
            Engine::new(db.clone(), now.clone(), Client::new(http.clone(), db.clone(), now.clone(), keys()), EngineConfig::default());
        Some(Self {
            db,
            now,
            sandbox,
            http,
            url,
            engine,
            carrier,
            staff,
            stop,
            sandbox_url,
            numbers: AtomicU32::new(0),
            texts: AtomicU32::new(0),
            home,
        })
    }

    async fn end(self) {
        self.stop.cancel();
        self.db.close().await;
        self.home.remove().await;
    }

    /// Where the data is, for another process.
    pub fn database(&self) -> String {
        self.home.url()
    }

    /// A further engine, as another process would have it.
    pub fn further_engine(&self, config: EngineConfig) -> Engine {
        Engine::new(self.db.clone(), self.now.clone(), self.client(), config)
    }

    /// A further client of RingCentral, as another process would have it.
    pub fn client(&self) -> Client {
        Client::new(self.http.clone(), self.db.clone(), self.now.clone(), keys())
    }

    /// A line of this type, of an account of its own that is connected to the sandbox without limits.
    pub async fn line(&self, kind: IntegrationType) -> TestLine {
        self.line_with_limits(kind, Limits { posts_per_minute: None, posts_per_day: None }).await
    }

    /// The same; the connection and the sandbox have these limits.
    pub async fn line_with_limits(&self, kind: IntegrationType, limits: Limits) -> TestLine {
        self.sandbox.set_limits(limits);
        let n = self.numbers.fetch_add(1, Ordering::SeqCst);
        assert!(n < 20, "numbers below +1 202 555 0120 are the lines'");
        let permit = self.staff.permit().unwrap();
        let account = accounts::add(&self.db, &self.now, &permit, &format!("Account {n}"), true, true).await.unwrap();
        let client = format!("sandbox-demo-{n}");
        let new = NewConnection {
            base_url: self.sandbox_url.clone(),
            client_id: client.clone(),
            client_secret: client.clone(),
            jwt: client.clone(),
            posts_per_minute: limits.posts_per_minute.map(i64::from),
            posts_per_day: limits.posts_per_day.map(i64::from),
        };
        ringcentral::connect(&self.db, &self.now, &keys(), &permit, Proof::at_the_shell(), account, new).await.unwrap();
        let number = format!("+120255501{n:02}");
        let id = lines::add(&self.db, &self.now, &permit, account, &number, "Front desk", kind).await.unwrap();
        let token = accounts::add_api_token(&self.db, &self.now, &permit, Proof::at_the_shell(), account, "program").await.unwrap();
        TestLine { id, number, token, client }
    }

    /// Moves the clock on.
    pub fn pass(&self, seconds: u64) {
        self.now.clock.advance(Duration::from_secs(seconds));
    }

    /// A text that no other message has: `Hello m0007.`
    pub fn text(&self, words: &str) -> String {
        format!("{words} m{:04}.", self.texts.fetch_add(1, Ordering::SeqCst))
    }

    /// What the account's program is answered.
    pub async fn post(&self, line: &TestLine, path: &str, body: &serde_json::Value) -> reqwest::Response {
        self.http.post(format!("{}/api/v1/{path}", self.url)).bearer_auth(&line.token).json(body).send().await.unwrap()
    }

    /// What the account's program reads.
    pub async fn get(&self, line: &TestLine, path: &str) -> serde_json::Value {
        let answer = self.http.get(format!("{}{path}", self.url)).bearer_auth(&line.token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// The account's program sends a message.
    pub async fn send(&self, line: &TestLine, to: &str, text: &str) -> serde_json::Value {
        self.now.clock.advance(Duration::from_millis(10));
        let answer = self.post(line, "messages", &serde_json::json!({ "line": line.number, "to": to, "text": text })).await;
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }

    /// The account's program sends a blast.
    pub async fn blast(&self, line: &TestLine, to: &[String], text: &str) -> serde_json::Value {
        self.now.clock.advance(Duration::from_millis(10));
        let answer = self.post(line, "blasts", &serde_json::json!({ "line": line.id, "text": text, "recipients": to })).await;
        assert_eq!(answer.status(), 202);
        answer.json().await.unwrap()
    }

    /// A contact texts the line; says the carrier's id of it.
    pub async fn reply(&self, from: &str, line: &TestLine, text: &str) -> String {
        self.now.clock.advance(Duration::from_millis(10));
        let text = HandsetText { from: from.to_owned(), to: line.number.clone(), text: text.to_owned(), ..HandsetText::default() };
        let sent = self.sandbox.send_from_handset(text).await.unwrap();
        assert_eq!(sent.webhook_status, Some(200));
        sent.id.to_string()
    }

    /// What a member asks of the console, in a session of its own.
    pub async fn ask(&self, member: &Member, method: reqwest::Method, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let request = self.http.request(method.clone(), format!("{}{path}", self.url)).header("sec-fetch-site", "same-origin");
        let request = request.header("accept", "application/json").header("cookie", self.cookie(member).await);
        let request = if method == reqwest::Method::POST { request.form(form) } else { request };
        request.send().await.unwrap()
    }

    /// The cookie of a browser in which the member has just signed in.
    pub async fn cookie(&self, member: &Member) -> String {
        let data = [("staff", serde_json::to_value(member.id()).unwrap()), ("since", serde_json::to_value(self.now.at()).unwrap())];
        let data = data.into_iter().chain(["proved", staff::BEGUN].map(|key| (key, serde_json::to_value(self.now.at()).unwrap())));
        let expiry = time::OffsetDateTime::from_unix_timestamp(self.now.at().0 / 1_000_000 + 3_600).unwrap();
        let data = data.map(|(key, value)| (key.to_owned(), value)).collect();
        let mut record = Record { id: Id::default(), data, expiry_date: expiry };
        SessionRows::new(self.db.clone(), self.now.clock.clone()).create(&mut record).await.unwrap();
        format!("switchyard={}", record.id)
    }

    /// A webhook as a carrier with this secret would send it.
    pub async fn webhook(&self, kind: &str, secret: &str, body: &serde_json::Value) -> reqwest::Response {
        let body = body.to_string();
        let signature = sign(secret, self.now.at(), body.as_bytes());
        self.signed_webhook(CARRIER, kind, &signature, body).await
    }

    /// A webhook with this signature.
    pub async fn signed_webhook(&self, carrier: &str, kind: &str, signature: &str, body: String) -> reqwest::Response {
        let url = format!("{}/webhooks/carrier/{carrier}/{kind}", self.url);
        self.http.post(url).header("switchyard-signature", signature).body(body).send().await.unwrap()
    }

    /// Sends what waits to be sent; says how many messages were taken.
    pub async fn send_outbox(&self) -> usize {
        let mut sent = 0;
        loop {
            blast::start_due(&self.db, &self.now).await.unwrap();
            let recorded = blast::record_next(&self.db, &self.now).await.unwrap();
            let taken = outbound::step(&self.db, &self.now, &self.carrier, 500).await.unwrap();
            sent += taken;
            if taken == 0 && !recorded {
                return sent;
            }
        }
    }

    /// Works everything off, moving the clock on where something waits for its time.
    pub async fn work(&self) {
        self.work_with(&self.engine).await;
    }

    /// The same with this engine.
    pub async fn work_with(&self, engine: &Engine) {
        let began = self.now.at();
        loop {
            let done = self.send_outbox().await + self.sandbox.deliver_due().await + engine.step().await.unwrap();
            if done > 0 {
                continue;
            }
            if !self.wait(began).await {
                return;
            }
        }
    }

    /// Moves the clock on to when a worker has something to do; `false` if nobody has. Fails when it has waited for days since then.
    pub async fn wait(&self, began: Timestamp) -> bool {
        let Some(next) = self.next_due().await else { return false };
        assert!(self.now.at().since(began) < LONGEST_WAIT, "something waits for ever");
        self.now.clock.advance(next.since(self.now.at()).max(Duration::from_secs(1)));
        true
    }

    /// The line's conversations, as staff see them.
    pub async fn conversations(&self, line: &TestLine) -> Vec<ConversationRow> {
        let permit = self.staff.permit().unwrap();
        sync::conversations_of_line(&self.db, &permit, line.id, None, 100).await.unwrap().rows
    }

    /// The conversation with a contact, as staff see it.
    pub async fn conversation(&self, line: &TestLine, contact: &str) -> ConversationRow {
        self.conversations(line).await.into_iter().find(|row| row.number.whole().unwrap().expose() == contact).unwrap()
    }

    /// The messages with a contact, as staff see them, oldest first.
    pub async fn timeline(&self, line: &TestLine, contact: &str) -> Vec<TimelineRow> {
        let id = self.conversation(line, contact).await.id;
        let permit = self.staff.permit().unwrap();
        let mut rows = sync::timeline(&self.db, &permit, (line.id, id), &TimelineFilter::default(), None, 300).await.unwrap().rows;
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// Sets the line's type, as staff do.
    pub async fn set_type(&self, line: &TestLine, to: IntegrationType) {
        let permit = self.staff.permit().unwrap();
        let version = integration::preview(&self.db, &permit, line.id, to).await.unwrap().version;
        integration::set(&self.db, &self.now, &self.staff.permit().unwrap(), line.id, to, version).await.unwrap();
    }

    /// A call to the sandbox's RingCentral, as an agent of the line's account makes it in the app.
    pub async fn as_agent(&self, line: &TestLine, method: reqwest::Method, path: &str) -> reqwest::Response {
        let client = &line.client;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", client.as_str())];
        let url = format!("{}/restapi/oauth/token", self.sandbox_url);
        let token = self.http.post(url).basic_auth(client, Some(client)).form(&form).send().await.unwrap();
        let token: serde_json::Value = token.json().await.unwrap();
        let url = format!("{}/team-messaging/v1{path}", self.sandbox_url);
        self.http.request(method, url).bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap()
    }

    /// When a worker has something to do next. Only for knowing when to go on and when to stop; no verdict comes from it.
    async fn next_due(&self) -> Option<Timestamp> {
        let (next,): (Option<Timestamp>,) = self
            .db
            .one(
                "select min(at) from (
                   select case when lease_until > due_at then lease_until else due_at end as at from lane where queued > 0
                   union all
                   select case when m.due_at < c.until then c.until else m.due_at end as at
                   from message m
                   cross join (select coalesce(max(parked_until), 0) as until from carrier) c
                   where m.due_at is not null
                   union all
                   select created_at from blast where state = 'recording'
                   union all
                   select starts_at from blast where state = 'scheduled') due",
                (),
            )
            .await
            .unwrap();
        next
    }

    /// Whether a worker has something to do, now or later.
    pub async fn something_waits(&self) -> bool {
        self.next_due().await.is_some()
    }
}

/// Serves this on a free port; says where.
pub async fn serve(router: axum::Router, stop: &CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(application::serve(listener, router, stop.clone()));
    format!("http://{address}")
}

/// Waits until `holds`, looking often; fails after half a minute of real time.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let looked = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), looked).await.is_ok(), "{what}");
}
