//! The scene of a kill-test: two accounts, a line with a history, the sandbox, and the processes that are killed.
//!
//! The rule: what a process is told is in its environment, and what it did is read from the database and the journal; nothing is shared.

use super::reigns::Reigns;
use crate::harness::{DbEngine, SECRET_KEY, contact, keys};
use server::sandbox::{Kind, Limits, Sandbox, SandboxConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use switchyard::clock::{Clock, Now};
use switchyard::db::Db;
use switchyard::directory::{accounts, lines};
use switchyard::ringcentral::{self, NewConnection};
use switchyard::staff::{self, Member, Proof};
use switchyard::types::{AccountId, IntegrationType, LineId, RunAct, RunId, UtilityKind};
use switchyard::utilities;
use switchyard::work::faults::UtilityGuard;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What signs the carrier's webhooks.
pub const SECRET: &str = "kill-test-webhook-secret";
/// The line.
pub const LINE: &str = "+12025550101";
/// A worker that gave no sign of life for so long has lost its run.
pub const LEASE: Duration = Duration::from_millis(1_000);
/// A call to RingCentral ends within this time.
pub const CALL: Duration = Duration::from_millis(1_500);
/// What was called before the line moved has reached RingCentral by then, however busy this machine is.
pub const LATE: Duration = Duration::from_secs(3);
/// How long anything may take on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Contacts with whom is talked; they never opt out.
pub const TALKERS: std::ops::Range<usize> = 0..8;
/// Contacts who write STOP and START all the while.
pub const STOPPERS: std::ops::Range<usize> = 8..20;
/// Contacts who wrote before the line moved, and not since.
pub const SILENT: std::ops::Range<usize> = 20..24;
/// Contacts who write STOP once, between the way there and the way back.
pub const LEAVERS: std::ops::Range<usize> = 24..30;
/// The sandbox names the user of each account's app by these.
const OWNERS: [&str; 2] = ["880001", "880002"];

/// An account, with what its program signs in with.
pub struct Account {
    pub id: AccountId,
    pub token: String,
    /// The RingCentral extension that posts for it.
    pub extension: &'static str,
}

/// What a process is told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub die_at: Option<String>,
    pub hangs: Option<PathBuf>,
}

/// A process of the product, ended with the test.
pub struct Process {
    child: Child,
    pub told: Told,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("CONT");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).stderr(Stdio::null()).status();
    }

    /// `None` while it lives; whether it died at a named point.
    pub fn died(&mut self) -> Option<bool> {
        self.child.try_wait().unwrap().map(|status| status.signal() == Some(6))
    }
}

pub struct Scene {
    pub engine: DbEngine,
    pub db: Db,
    pub now: Now,
    pub sandbox: Sandbox,
    pub http: reqwest::Client,
    pub url: String,
    pub accounts: [Account; 2],
    pub line: LineId,
    pub reigns: Reigns,
    /// Ids of messages that were there before.
    pub history: BTreeSet<Uuid>,
    /// Of whom the last word, before anybody wrote, was STOP.
    pub opted_out: BTreeSet<String>,
    pub stop: CancellationToken,
    /// Where files that processes wait for lie.
    pub folder: tempfile::TempDir,
    staff: Member,
    database: String,
    sandbox_url: String,
    port: u16,
    broken: Option<UtilityGuard>,
    rows_in_a_batch: usize,
}

impl Scene {
    /// Two accounts, and a line of the first with so many messages.
    pub async fn begin(engine: DbEngine, database: &str, messages: usize, broken: Option<UtilityGuard>) -> Scene {
        let http = server::application::http_client().unwrap();
        let mut config = SandboxConfig::new(Clock::System, http.clone());
        (config.posts_per_minute, config.posts_per_day, config.deliver_statuses) = (None, None, false);
        let sandbox = Sandbox::new(config).unwrap();
        sandbox.set_limits(Limits { posts_per_minute: None, posts_per_day: None });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sandbox_url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let (router, ended) = (sandbox.router(), stop.clone());
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await });
        sandbox.set_own_base(&sandbox_url);
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let url = format!("http://127.0.0.1:{port}");
        sandbox.set_webhook_base(&url);
        drop(sandbox.spawn_webhooks(stop.clone()));

        let db = Db::open(database, 4).await.unwrap();
        db.migrate().await.unwrap();
        let now = Now::system();
        let invited = staff::first_administrator(&db, &now, "ada@example.com", "Ada", false).await.unwrap().unwrap();
        let staff = Member::load(&db, invited.id).await.unwrap().unwrap();
        let permit = staff.permit().unwrap();
        let mut made = Vec::new();
        for (name, extension) in ["Lakeside", "Northwind"].into_iter().zip(OWNERS) {
            let id = accounts::add(&db, &now, &permit, name, true, true).await.unwrap();
            let client = format!("kill-{extension}");
            sandbox.register_client(&client, &client, &client, extension);
            let new = NewConnection {
                base_url: sandbox_url.clone(),
                client_id: client.clone(),
                client_secret: client.clone(),
                jwt: client.clone(),
                posts_per_minute: None,
                posts_per_day: None,
            };
            ringcentral::connect(&db, &now, &keys(), &permit, Proof::at_the_shell(), id, new).await.unwrap();
            let token = accounts::add_api_token(&db, &now, &permit, Proof::at_the_shell(), id, "program").await.unwrap();
            made.push(Account { id, token, extension });
        }
        let line = lines::add(&db, &now, &permit, made[0].id, LINE, "Front desk", IntegrationType::Ringcentral).await.unwrap();
        let accounts: [Account; 2] = made.try_into().ok().unwrap();
        let reigns = Reigns::watch(db.clone(), line, accounts[0].id, stop.clone());
        let mut scene = Scene {
            engine,
            db,
            now,
            sandbox,
            http,
            url,
            accounts,
            line,
            reigns,
            history: BTreeSet::new(),
            opted_out: BTreeSet::new(),
            stop,
            folder: tempfile::tempdir().unwrap(),
            staff,
            database: database.to_owned(),
            sandbox_url,
            port,
            broken,
            // Enough batches to be killed in, and an end before long.
            rows_in_a_batch: (messages / 40).max(20),
        };
        scene.write_history(messages).await;
        scene
    }

    /// A history in every table of a line, as it is when nothing is under way.
    async fn write_history(&mut self, messages: usize) {
        let contacts: Vec<String> = (0..(messages / 20).max(SILENT.end + 40)).map(contact).collect();
        let (now, line, account) = (&self.now, self.line, self.accounts[0].id);
        let began = now.at().minus(Duration::from_secs(24 * 60 * 60));
        let conversations: Vec<(Uuid, String)> = contacts.iter().map(|number| (now.id_at(began), number.clone())).collect();
        let said = |n: usize| began.plus(Duration::from_millis(n as u64));
        let rows: Vec<(Uuid, Uuid, &str, i64, Uuid)> = (0..messages)
            .map(|n| {
                let (conversation, number) = &conversations[n % conversations.len()];
                (now.id_at(said(n)), *conversation, number.as_str(), said(n).0, now.id_at(said(n)))
            })
            .collect();
        self.history = rows.iter().map(|row| row.0).collect();
        let consents: Vec<(&str, &str, Uuid)> = contacts
            .iter()
            .enumerate()
            .skip(STOPPERS.start)
            .filter(|(n, _)| !SILENT.contains(n))
            .map(|(n, number)| (number.as_str(), if n % 3 == 0 { "opted_out" } else { "opted_in" }, now.id_at(began)))
            .collect();
        self.opted_out = consents.iter().filter(|row| row.1 == "opted_out").map(|row| row.0.to_owned()).collect();
        let connection: (Uuid,) = self.db.one("select id from connection where account_id = $1", [account]).await.unwrap();
        let erased: Vec<[String; 1]> = (0..12).map(|n| [format!("{n:064}")]).collect();
        let list = |rows: &serde_json::Value| rows.to_string();
        let conversations = serde_json::json!(conversations);
        self.db
            .work(async |tx| {
                tx.run(
                    "insert into conversation (line_id, id, account_id, number, last_at)
                     select $1, unhex(j.value->>0, '-'), $2, j.value->>1, $3 from json_each($4) j",
                    (line, account, began, list(&conversations)),
                )
                .await?;
                tx.run(
                    "insert into contact (account_id, number, name, search, id)
                     select $1, j.value->>1, 'Somebody', 'somebody', unhex(j.value->>0, '-') from json_each($2) j",
                    (account, list(&conversations)),
                )
                .await?;
                tx.run(
                    "insert into lane (line_id, conversation_id, account_id, next_seq, held, queued, trouble, changed_at, fence, attempts,
                       left_out)
                     select $1, unhex(j.value->>0, '-'), $2, 1, 0, 0, 0, $3, 0, 0, 0 from json_each($4) j",
                    (line, account, began, list(&conversations)),
                )
                .await?;
                for rows in rows.chunks(5_000) {
                    let rows = list(&serde_json::json!(rows));
                    tx.run(
                        "insert into message (line_id, id, account_id, conversation_id, number, direction, body, state, created_at, attempts)
                         select $1, unhex(j.value->>0, '-'), $2, unhex(j.value->>1, '-'), j.value->>2, 'inbound', 'Of before', 'received',
                           cast(j.value->>3 as bigint), 0
                         from json_each($3) j",
                        (line, account, rows.clone()),
                    )
                    .await?;
                    tx.run(
                        "insert into intent (line_id, id, conversation_id, account_id, connection_id, chat_id, reference, state, made_at,
                           deadline_at, calls, post_id)
                         select $1, unhex(j.value->>4, '-'), unhex(j.value->>1, '-'), $2, $3, '1', 'sw-before', 'posted',
                           cast(j.value->>3 as bigint), cast(j.value->>3 as bigint), 1, j.value->>0
                         from json_each($4) j",
                        (line, account, connection.0, rows.clone()),
                    )
                    .await?;
                    tx.run(
                        "insert into sync_entry (line_id, message_id, account_id, conversation_id, state, inbound, alone, intent_id, post_id)
                         select $1, unhex(j.value->>0, '-'), $2, unhex(j.value->>1, '-'), 'posted', true, false, unhex(j.value->>4, '-'),
                           j.value->>0
                         from json_each($3) j",
                        (line, account, rows.clone()),
                    )
                    .await?;
                    tx.run(
                        "insert into agent_post (line_id, post_id, conversation_id, account_id, connection_id, chat_id, creator_id, outcome,
                           seen_at)
                         select $1, 'before-' || (j.value->>0), unhex(j.value->>1, '-'), $2, $3, '1', '1', 'empty', $4
                         from json_each($5) j",
                        (line, account, connection.0, began, rows),
                    )
                    .await?;
                }
                let consents = list(&serde_json::json!(consents));
                tx.run(
                    "insert into consent (line_id, number, account_id, state, source, at)
                     select $1, j.value->>0, $2, j.value->>1, 'keyword', $3 from json_each($4) j",
                    (line, account, began, consents.clone()),
                )
                .await?;
                tx.run(
                    "insert into consent_event (line_id, number, id, account_id, state, source, at)
                     select $1, j.value->>0, unhex(j.value->>2, '-'), $2, j.value->>1, 'keyword', $3 from json_each($4) j",
                    (line, account, began, consents),
                )
                .await?;
                tx.run(
                    "insert into erased_opt_out (line_id, number_hash, account_id, at)
                     select $1, j.value->>0, $2, $3 from json_each($4) j",
                    (line, account, began, list(&serde_json::json!(erased))),
                )
                .await?;
                for _ in 0..12 {
                    tx.run(
                        "insert into blast (line_id, id, account_id, body, state, created_by, created_at, recipients, recorded, opted_out,
                           duplicates)
                         values ($1, $2, $3, 'Of before', 'sent', 'Ada', $4, 0, 0, 0, 0)",
                        (line, now.id_at(began), account, began),
                    )
                    .await?;
                }
                tx.run(
                    "insert into responder (line_id, id, keyword, reply) values ($1, $2, 'hours', 'We open at nine.')",
                    (line, now.id_at(began)),
                )
                .await
            })
            .await
            .unwrap();
    }

    /// Starts `serve` or `work`.
    pub fn start(&self, command: &str, told: Told) -> Process {
        let mut process = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        let broken = self.broken.map(|guard| format!(",break={}", guard.name())).unwrap_or_default();
        let (lease, limit, most) = (LEASE.as_millis(), LEASE.as_millis() * 4 / 5, self.rows_in_a_batch);
        process
            .arg(command)
            .env("DATABASE_URL", &self.database)
            .env("DATABASE_CONNECTIONS", "6")
            .env("LISTEN", format!("127.0.0.1:{}", self.port))
            .env("CARRIER_URL", format!("{}/carrier", self.sandbox_url))
            .env("CARRIER_KEY", "sandbox-carrier-key")
            .env("CARRIER_SECRETS", format!("sandbox={SECRET}"))
            .env("SECRET_KEY", SECRET_KEY)
            .env("RINGCENTRAL_CALL_MS", CALL.as_millis().to_string())
            .env("RINGCENTRAL_SETTLE_MS", "1500")
            .env("UTILITY_SHARE", "90")
            .env("SWITCHYARD_UTILITIES", format!("lease={lease},limit={limit},most={most},tries=1000{broken}"))
            .env("LOG", std::env::var("KILL_TEST_LOG").unwrap_or_else(|_| "off".to_owned()))
            .env_remove("SWITCHYARD_DIE_AT")
            .env_remove("SWITCHYARD_HANG_AT")
            .stdout(Stdio::null());
        if std::env::var("KILL_TEST_LOG").is_err() {
            process.stderr(Stdio::null());
        }
        if let Some(point) = &told.die_at {
            process.env("SWITCHYARD_DIE_AT", point);
        }
        if let Some(file) = &told.hangs {
            // In the first of the tables that follow.
            process.env("SWITCHYARD_HANG_AT", format!("utility_look:3:{}", file.display()));
        }
        Process { child: process.spawn().unwrap(), told }
    }

    /// Plans a transfer to the second account and starts it.
    pub async fn transfer(&self, answers: &[(&str, &str)]) -> RunId {
        let mut all: BTreeMap<String, String> = answers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.insert("line".to_owned(), self.line.to_string());
        all.insert("to".to_owned(), self.accounts[1].id.to_string());
        all.insert("scheduled".to_owned(), "pause".to_owned());
        let planned = utilities::plan(&self.db, &self.now, &self.staff, UtilityKind::LineTransfer, &all, None, i64::MAX).await.unwrap();
        self.launch(planned).await
    }

    /// Plans the way back and starts it.
    pub async fn transfer_back(&self, of: RunId) -> RunId {
        let planned = utilities::plan_reverse(&self.db, &self.now, &self.staff, of, i64::MAX).await.unwrap();
        self.launch(planned).await
    }

    async fn launch(&self, run: RunId) -> RunId {
        let proof = Proof::at_the_shell();
        utilities::start(&self.db, &self.now, &self.staff, proof, run, LINE, "As agreed").await.unwrap();
        run
    }

    /// Pauses or resumes a run; says whether that was done.
    pub async fn act(&self, run: RunId, act: RunAct) -> bool {
        utilities::act(&self.db, &self.now, &self.staff, run, act).await.is_ok()
    }

    /// Waits until these texts were posted, no longer than this.
    pub async fn are_posted_within(&self, texts: &[String], time: Duration) {
        let began = Instant::now();
        let is_posted = |text: &String| {
            let journal = self.sandbox.journal(0);
            journal.iter().any(|e| e.kind == Kind::Post && e.accepted && e.text.as_deref().is_some_and(|post| post.contains(text)))
        };
        while began.elapsed() < time && !texts.iter().all(is_posted) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// How a run stands; only for knowing when to go on.
    pub async fn state(&self, run: RunId) -> String {
        let (state,): (String,) = self.db.one("select state from utility_run where id = $1", [run]).await.unwrap();
        state
    }

    /// Why a run does not go on, in its own words.
    pub async fn why(&self, run: RunId) -> String {
        let (error,): (Option<String>,) = self.db.one("select error from utility_run where id = $1", [run]).await.unwrap();
        error.unwrap_or_default()
    }

    /// Waits until nothing is queued and no event waits, no longer than this; says whether it came to that.
    pub async fn is_drained_within(&self, time: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < time {
            // First what goes in, then what is in: an event on its way from one to the other is seen in one of them.
            let is_told = self.sandbox.waiting_events() == 0;
            let (open,): (i64,) = self
                .db
                .one(
                    "select (select count(*) from lane where queued > 0)
                       + (select count(*) from ringcentral_event where state = 'new')
                       + (select count(*) from chat where catch_up_at is not null)",
                    (),
                )
                .await
                .unwrap();
            if is_told && open == 0 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    /// The administrator.
    pub fn staff(&self) -> &Member {
        &self.staff
    }

    pub async fn until(&self, what: &str, met: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !met().await {
            assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything of it ends.
    pub async fn end(self) {
        self.stop.cancel();
        self.db.close().await;
    }
}
