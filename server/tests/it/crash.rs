//! A real process dies as by SIGKILL between intent, call and record, in each place, and is started again. Lost and doubled are
//! counted from the sandbox's journal alone.

use crate::harness::{SECRET_KEY, keys};
use server::sandbox::{Kind, SIGNATURE, Sandbox, SandboxConfig, sign};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use switchyard::clock::{Clock, Now};
use switchyard::db::Db;
use switchyard::directory::{accounts, lines};
use switchyard::messaging::blast;
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{self, Member, Passwords};
use switchyard::types::{IntegrationType, PhoneNumber};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "crash-test-webhook-secret";
const LINE: &str = "+12025550101";
const CONTACT: &str = "+12025550150";
/// How long the whole story may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

struct Story {
    folder: TempDir,
    sandbox: Sandbox,
    sandbox_url: String,
    http: reqwest::Client,
    port: u16,
    stop: CancellationToken,
}

/// The process, ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Story {
    /// A line on RingCentral, its contact, and one held message of a blast that is still to be recorded.
    async fn begin() -> Story {
        let http = server::application::http_client().expect("an HTTP client");
        let mut config = SandboxConfig::new(Clock::System, http.clone());
        (config.posts_per_minute, config.posts_per_day, config.deliver_statuses) = (None, None, false);
        let sandbox = Sandbox::new(config).expect("a sandbox");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let sandbox_url = format!("http://{}", listener.local_addr().expect("bound"));
        let stop = CancellationToken::new();
        let (router, ended) = (sandbox.router(), stop.clone());
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await });
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let story = Story { folder: TempDir::new().expect("a folder"), sandbox, sandbox_url, http, port, stop };

        let db = story.open().await;
        db.migrate().await.expect("migrated");
        let now = Now::system();
        let passwords = Passwords::new(now.rng.clone()).expect("argon2 works");
        let invited = staff::first_administrator(&db, &now, "ada@example.com", "Ada").await.expect("invited").expect("no staff yet");
        let id = staff::accept(&db, &now, &passwords, &invited.token, "a long enough password".into()).await.expect("accepted");
        let ada = Member::load(&db, id).await.expect("read").expect("a member");
        let permit = ada.permit().expect("may");
        let account = accounts::add(&db, &now, &permit, "Lakeside", true, true).await.expect("added");
        let new = NewConnection {
            base_url: story.sandbox_url.clone(),
            client_id: "sandbox-client".into(),
            client_secret: "sandbox-secret".into(),
            jwt: "sandbox-jwt".into(),
            posts_per_minute: None,
            posts_per_day: None,
        };
        ringcentral::connect(&db, &now, &keys(), &permit, account, new).await.expect("connected");
        let line = lines::add(&db, &now, &permit, account, LINE, "Front desk", IntegrationType::Ringcentral).await.expect("added");
        let recipients = [PhoneNumber::parse(CONTACT).expect("valid")];
        blast::take_as_staff(&db, &now, &ada.permit().expect("may"), line, "Sale on Saturday", &recipients).await.expect("taken");
        db.close().await;
        story
    }

    async fn open(&self) -> Db {
        Db::open(&self.database(), 2).await.expect("opened")
    }

    fn database(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("crash.db").display())
    }

    fn start(&self, die_at: Option<&str>) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .arg("serve")
            .env("DATABASE_URL", self.database())
            .env("LISTEN", format!("127.0.0.1:{}", self.port))
            .env("CARRIER_URL", format!("{}/carrier", self.sandbox_url))
            .env("CARRIER_KEY", "sandbox-carrier-key")
            .env("CARRIER_SECRETS", format!("sandbox={SECRET}"))
            .env("SECRET_KEY", SECRET_KEY)
            .env("RINGCENTRAL_CALL_MS", "1500")
            .env("RINGCENTRAL_SETTLE_MS", "500")
            .env("LOG", "off")
            .env_remove("SWITCHYARD_DIE_AT")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(point) = die_at {
            command.env("SWITCHYARD_DIE_AT", point);
        }
        Process(command.spawn().expect("started"))
    }

    /// The contact writes; the carrier repeats until it has an answer, as carriers do.
    async fn contact_writes(&self) {
        let body = serde_json::json!({ "id": "in-1", "from": CONTACT, "to": [LINE], "text": "Yes please", "media": [] }).to_string();
        self.until("the webhook is answered", async || {
            let request = self
                .http
                .post(format!("http://127.0.0.1:{}/webhooks/carrier/sandbox/messages", self.port))
                .header(SIGNATURE, sign(SECRET, Clock::System.now(), body.as_bytes()))
                .header("content-type", "application/json")
                .body(body.clone());
            request.send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    async fn until(&self, what: &str, met: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !met().await {
            assert!(began.elapsed() < PATIENCE, "waited too long: {what}; journal: {:#?}", self.sandbox.journal(0));
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The posts that had effect, in order, each by what it says.
    fn posted(&self) -> Vec<&'static str> {
        let accepted = self.sandbox.journal(0).into_iter().filter(|e| e.kind == Kind::Post && e.accepted);
        accepted
            .flat_map(|e| {
                let text = e.text.as_deref().unwrap_or_default().to_owned();
                ["Sale on Saturday", "Yes please"].into_iter().filter(move |part| text.contains(part))
            })
            .collect()
    }
}

/// Dies at `point`, is started again, and in the end everything stands in the chat once, in order, and went out as SMS once.
async fn nothing_lost_nothing_twice(point: &str, dies_before_the_reply: bool) {
    let story = Story::begin().await;
    let mut dying = story.start(Some(point));
    if !dies_before_the_reply {
        story.until("the blast is sent", async || story.sandbox.journal(0).iter().any(|e| e.kind == Kind::Sms && e.accepted)).await;
        // The carrier's answer must be recorded too, or nothing is releasable yet.
        let db = story.open().await;
        story
            .until("the blast is releasable", async || {
                let held: Vec<(i64,)> =
                    db.all("select accepted_at from sync_entry where accepted_at is not null", ()).await.unwrap_or_default();
                !held.is_empty()
            })
            .await;
        db.close().await;
        story.contact_writes().await;
    }
    let began = Instant::now();
    while dying.0.try_wait().expect("waited").is_none() {
        assert!(began.elapsed() < PATIENCE, "it never came to {point}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    drop(dying);

    let _again = story.start(None);
    if dies_before_the_reply {
        let db = story.open().await;
        story
            .until("the blast is releasable", async || {
                let held: Vec<(i64,)> =
                    db.all("select accepted_at from sync_entry where accepted_at is not null", ()).await.unwrap_or_default();
                !held.is_empty()
            })
            .await;
        db.close().await;
        story.contact_writes().await;
    }
    story.until("both stand in the chat", async || story.posted().len() >= 2).await;
    let db = story.open().await;
    story
        .until("the lane is empty", async || {
            let open: Vec<(i64,)> = db.all("select queued from lane where queued > 0", ()).await.unwrap_or_default();
            open.is_empty()
        })
        .await;
    db.close().await;
    assert_eq!(story.posted(), ["Sale on Saturday", "Yes please"], "died at {point}");
    let sms = story.sandbox.journal(0).iter().filter(|e| e.kind == Kind::Sms && e.accepted).count();
    assert_eq!(sms, 1, "the SMS went out once");
    assert_eq!(story.sandbox.chats().len(), 1, "one conversation, one chat");
    story.stop.cancel();
}

macro_rules! crashes { ($($name:ident: $point:literal $(, $before:literal)?;)+) => { $(
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn $name() {
        let dies_before_the_reply = false $(|| $before)?;
        nothing_lost_nothing_twice($point, dies_before_the_reply).await;
    }
)+ } }

crashes! {
    a_crash_while_a_blast_is_recorded: "blast_chunk", true;
    a_crash_with_a_lane_claimed: "claimed";
    a_crash_between_the_chats_intent_and_its_call: "chat_intent";
    a_crash_between_the_chats_call_and_its_record: "chat_called";
    a_crash_between_intent_and_call: "intent";
    a_crash_between_call_and_record: "called";
    a_crash_after_the_record: "recorded";
}
