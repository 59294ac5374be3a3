//! A real process dies as by SIGKILL between intent, call and record, in each place, and is started again; or another one, which
//! shares the lanes with it, takes over. Lost and doubled are counted from the sandbox's journal alone.

use crate::harness::{DbEngine, SECRET_KEY, contact, keys, with_database};
use crate::verdict::{GOOD, Said, received, verdict};
use futures_util::future::join_all;
use server::sandbox::{Fault, Kind, On, SIGNATURE, Sandbox, SandboxConfig, What, sign};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use switchyard::clock::{Clock, Now};
use switchyard::db::Db;
use switchyard::directory::{accounts, lines};
use switchyard::messaging::blast;
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{self, Member, Passwords, Proof};
use switchyard::sync::compose;
use switchyard::types::{IntegrationType, PhoneNumber};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "crash-test-webhook-secret";
const LINE: &str = "+12025550101";
const CONTACT: &str = "+12025550150";
const BLAST: &str = "Sale on Saturday";
const REPLY: &str = "Yes please";
/// A call ends within this time.
const CALL: Duration = Duration::from_millis(1_500);
/// How long the whole story may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

struct Story {
    database: String,
    sandbox: Sandbox,
    sandbox_url: String,
    http: reqwest::Client,
    port: u16,
    stop: CancellationToken,
}

/// A process, ended with its test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Story {
    /// A line on RingCentral, its contacts, and a blast to them that is still to be recorded.
    async fn begin(database: &str, contacts: &[String]) -> Story {
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
        let story = Story { database: database.to_owned(), sandbox, sandbox_url, http, port, stop };

        let db = story.open().await;
        db.migrate().await.expect("migrated");
        let now = Now::system();
        let passwords = Passwords::new(now.rng.clone()).expect("argon2 works");
        let invited = staff::first_administrator(&db, &now, "ada@example.com", "Ada", false).await.expect("invited").expect("no staff yet");
        let id = staff::accept(&db, &now, &passwords, &invited.token, "a long enough password".into(), None).await.expect("accepted").id();
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
        ringcentral::connect(&db, &now, &keys(), &permit, Proof::at_the_shell(), account, new).await.expect("connected");
        let line = lines::add(&db, &now, &permit, account, LINE, "Front desk", IntegrationType::Ringcentral).await.expect("added");
        let recipients: Vec<_> = contacts.iter().map(|number| PhoneNumber::parse(number).expect("valid")).collect();
        blast::take_as_staff(&db, &now, &ada.permit().expect("may"), line, BLAST, &recipients).await.expect("taken");
        db.close().await;
        story
    }

    async fn open(&self) -> Db {
        Db::open(&self.database, 2).await.expect("opened")
    }

    /// Starts `serve` or `work`.
    fn start(&self, command: &str, die_at: Option<&str>) -> Process {
        self.start_with(command, |process| {
            if let Some(point) = die_at {
                process.env("SWITCHYARD_DIE_AT", point);
            }
        })
    }

    /// The same, set up in some way more.
    fn start_with(&self, command: &str, set_up: impl FnOnce(&mut Command)) -> Process {
        let mut process = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        process
            .arg(command)
            .env("DATABASE_URL", &self.database)
            .env("LISTEN", format!("127.0.0.1:{}", self.port))
            .env("CARRIER_URL", format!("{}/carrier", self.sandbox_url))
            .env("CARRIER_KEY", "sandbox-carrier-key")
            .env("CARRIER_SECRETS", format!("sandbox={SECRET}"))
            .env("SECRET_KEY", SECRET_KEY)
            .env("RINGCENTRAL_CALL_MS", CALL.as_millis().to_string())
            .env("RINGCENTRAL_SETTLE_MS", "500")
            .env("LOG", "off")
            .env_remove("SWITCHYARD_DIE_AT")
            .env_remove("SWITCHYARD_HANG_AT")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        set_up(&mut process);
        Process(process.spawn().expect("started"))
    }

    /// A contact writes; the carrier repeats until it has an answer, as carriers do.
    async fn writes(&self, contact: &str, text: &str) {
        let id = format!("in-{contact}");
        let body = serde_json::json!({ "id": id, "from": contact, "to": [LINE], "text": text, "media": [] }).to_string();
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

    /// Waits until the carrier's answers about so many messages are recorded: before, nothing is releasable.
    async fn until_releasable(&self, count: usize) {
        let db = self.open().await;
        self.until("the blast is releasable", async || {
            let held: Vec<(i64,)> =
                db.all("select accepted_at from sync_entry where accepted_at is not null", ()).await.unwrap_or_default();
            held.len() >= count
        })
        .await;
        db.close().await;
    }

    /// Waits until nothing is queued any more.
    async fn until_drained(&self) {
        let db = self.open().await;
        self.until("the lanes are empty", async || {
            let open: Result<Vec<(i64,)>, _> = db.all("select queued from lane where queued > 0", ()).await;
            open.is_ok_and(|open| open.is_empty())
        })
        .await;
        db.close().await;
    }

    /// Waits until the blast and the reply stand in the chat and nothing is left to do; once each and in order.
    async fn ends_well(&self, what: &str) {
        self.until("both stand in the chat", async || self.count(|kind| kind == Kind::Post) >= 2).await;
        self.until_drained().await;
        let mut said = Said::default();
        said.then(CONTACT, BLAST);
        said.then(CONTACT, REPLY);
        assert_eq!(verdict(&self.sandbox, &said), GOOD, "{what}");
        assert_eq!(received(&self.sandbox.journal(0), CONTACT), [BLAST], "the SMS went out once");
        assert_eq!(self.sandbox.chats().len(), 1, "one conversation, one chat");
        self.stop.cancel();
    }

    fn count(&self, of: impl Fn(Kind) -> bool) -> usize {
        self.sandbox.journal(0).into_iter().filter(|entry| of(entry.kind) && entry.accepted).count()
    }

    async fn until(&self, what: &str, met: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !met().await {
            assert!(began.elapsed() < PATIENCE, "waited too long: {what}; journal: {:#?}", self.sandbox.journal(0));
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// When a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dies {
    /// Before the contact has written.
    BeforeTheReply,
    /// While what was held, and the reply, are delivered.
    Delivering,
    /// While what did not come to RingCentral is looked for, and called again.
    CallingAgain,
}

/// Dies at `point`, is started again, and in the end everything stands in the chat once, in order, and went out as SMS once.
async fn nothing_lost_nothing_twice(database: &str, point: &str, dies: Dies) {
    let story = Story::begin(database, &[CONTACT.to_owned()]).await;
    if dies == Dies::CallingAgain {
        story.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false })).expect("armed");
    }
    let mut dying = story.start("serve", Some(point));
    if dies != Dies::BeforeTheReply {
        story.until_releasable(1).await;
        story.writes(CONTACT, REPLY).await;
    }
    let began = Instant::now();
    while dying.0.try_wait().expect("waited").is_none() {
        assert!(began.elapsed() < PATIENCE, "it never came to {point}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    drop(dying);

    let _again = story.start("serve", None);
    if dies == Dies::BeforeTheReply {
        story.until_releasable(1).await;
        story.writes(CONTACT, REPLY).await;
    }
    story.ends_well(point).await;
}

macro_rules! crashes { ($($name:ident: $point:literal, $dies:ident;)+) => { $(
    mod $name {
        use super::*;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn sqlite() {
            with_database(DbEngine::Sqlite, async |url: &str| nothing_lost_nothing_twice(url, $point, Dies::$dies).await).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn postgres() {
            with_database(DbEngine::Postgres, async |url: &str| nothing_lost_nothing_twice(url, $point, Dies::$dies).await).await;
        }
    }
)+ } }

crashes! {
    a_crash_while_a_blast_is_recorded: "blast_chunk", BeforeTheReply;
    a_crash_with_a_lane_claimed: "claimed", Delivering;
    a_crash_between_the_chats_intent_and_its_call: "chat_intent", Delivering;
    a_crash_between_the_chats_call_and_its_record: "chat_called", Delivering;
    a_crash_between_intent_and_call: "intent", Delivering;
    a_crash_between_call_and_record: "called", Delivering;
    a_crash_after_the_record: "recorded", Delivering;
    a_crash_after_the_look_for_a_lost_post: "looked", CallingAgain;
    a_crash_before_the_second_call: "intent_again", CallingAgain;
    a_crash_between_the_second_call_and_its_record: "called_again", CallingAgain;
    a_crash_after_the_second_calls_record: "recorded_again", CallingAgain;
}

/// Makes two tests of a story: `<story>::sqlite` and `<story>::postgres`.
macro_rules! stories { ($($story:ident),+ $(,)?) => { $(
    mod $story {
        use super::*;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn sqlite() {
            with_database(DbEngine::Sqlite, async |url: &str| super::$story(url).await).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn postgres() {
            with_database(DbEngine::Postgres, async |url: &str| super::$story(url).await).await;
        }
    }
)+ } }

stories![a_process_that_is_suspended_before_its_second_call_does_not_make_it, the_log_tells_no_contacts_number_and_no_words];

/// What is called when its time is over, the next holder may have looked for already.
async fn a_process_that_is_suspended_before_its_second_call_does_not_make_it(database: &str) {
    let story = Story::begin(database, &[CONTACT.to_owned()]).await;
    story.sandbox.arm(Fault::new(On::Post, What::LoseRequest { hang: false })).expect("armed");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("suspended");
    let _process = story.start_with("serve", |process| {
        process.env("SWITCHYARD_HANG_AT", format!("intent_again:1:{}", file.display()));
    });
    story.until_releasable(1).await;
    story.writes(CONTACT, REPLY).await;
    story.until("it is about to call again", async || file.exists()).await;
    tokio::time::sleep(CALL + Duration::from_millis(200)).await;
    fs::remove_file(&file).expect("removed");
    story.ends_well("suspended before the second call").await;
    let journal = story.sandbox.journal(0);
    let posts: Vec<&str> = journal.iter().filter(|entry| entry.kind == Kind::Post).filter_map(|entry| entry.text.as_deref()).collect();
    let lost = compose::reference_in(posts[0]).expect("a reference");
    assert_eq!(posts.iter().filter(|post| post.contains(lost)).count(), 1, "{posts:?}");
}

/// Everything is logged, and RingCentral's errors name the contact.
async fn the_log_tells_no_contacts_number_and_no_words(database: &str) {
    let story = Story::begin(database, &[CONTACT.to_owned()]).await;
    // A chat that takes a second to be made is read at once: somebody may have written in it meanwhile.
    story.sandbox.arm(Fault::new(On::Team, What::Slow { ms: 1_200 })).expect("armed");
    let error = What::Status { status: 500, retry_after: None, code: Some(format!("nothing for {CONTACT}")) };
    for on in [On::Post, On::List] {
        story.sandbox.arm(Fault::new(on, error.clone()).times(0)).expect("armed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log");
    let kept = fs::File::create(&file).expect("created");
    let process = story.start_with("serve", |process| {
        process.env("LOG", "debug").env("RINGCENTRAL_CALL_MS", "5000").stderr(kept);
    });
    story.until_releasable(1).await;
    story.writes(CONTACT, REPLY).await;
    let failures = ["a delivery did not succeed", "a chat could not be read"];
    story
        .until("both failures are in the log", async || {
            let log = fs::read_to_string(&file).unwrap_or_default();
            failures.iter().all(|words| log.lines().any(|line| line.contains(words) && line.contains("nothing for ••••")))
        })
        .await;
    story.sandbox.disarm();
    story.ends_well("with all of it logged").await;
    drop(process);
    let log = fs::read_to_string(&file).expect("read");
    let contact = PhoneNumber::parse(CONTACT).expect("valid");
    for told in [&CONTACT[2..], &contact.readable()[3..], BLAST, REPLY] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(told)).collect();
        assert!(lines.is_empty(), "{told}: {lines:#?}");
    }
}

/// Two processes share the lanes; one is killed amid its calls; the other one takes over what it held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_amid_its_calls_is_taken_over_by_another_process() {
    with_database(DbEngine::Postgres, async |url: &str| {
        let contacts: Vec<String> = (0..80).map(contact).collect();
        let story = Story::begin(url, &contacts).await;
        let _stays = story.start("serve", None);
        let mut killed = story.start("work", None);
        story.until_releasable(contacts.len()).await;
        for on in [On::Team, On::Post] {
            story.sandbox.arm(Fault::new(on, What::Slow { ms: 900 }).times(0)).expect("armed");
        }
        let reply = |contact: &str| format!("Yes please, {contact}.");
        let (story_at, reply_of) = (&story, &reply);
        join_all(contacts.iter().map(async |contact| story_at.writes(contact, &reply_of(contact)).await)).await;

        // A process works at most 32 lanes at a time: beyond that both are at it.
        story.until("both are at work", async || story.count(|kind| matches!(kind, Kind::Team | Kind::Post)) > 64).await;
        assert!(killed.0.try_wait().expect("waited").is_none(), "it works");
        killed.0.kill().expect("killed");
        killed.0.wait().expect("gone");
        story.sandbox.disarm();

        story.until("the lanes were worked", async || story.count(|kind| kind == Kind::Post) >= 2 * contacts.len()).await;
        story.until_drained().await;
        let mut said = Said::default();
        for contact in &contacts {
            said.then(contact, BLAST);
            said.then(contact, &reply(contact));
        }
        assert_eq!(verdict(&story.sandbox, &said), GOOD);
        let journal = story.sandbox.journal(0);
        assert!(contacts.iter().all(|contact| received(&journal, contact) == [BLAST]), "each SMS went out once");
        assert_eq!(story.sandbox.chats().len(), contacts.len(), "one chat for each");
        let looked = story.count(|kind| matches!(kind, Kind::ChatList | Kind::PostList));
        assert!(looked > 0, "what was under way when it died was looked up");
        story.stop.cancel();
    })
    .await;
}
