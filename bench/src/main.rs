//! The speed figures: prints a table and writes `target/bench/results.json`. `SCALE=full` uses the sizes of the goals, `ONLY=hold`
//! runs one. PostgreSQL is measured when TEST_POSTGRES_URL names a server whose databases may be made and dropped.

// A bench prints, and its numbers are made up.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

use serde::Serialize;
use server::sandbox::{Sandbox, SandboxConfig};
use std::time::{Duration, Instant};
use switchyard::clock::{Clock, Now, Rng};
use switchyard::db::{Db, Sql};
use switchyard::directory::{accounts, lines};
use switchyard::messaging::blast;
use switchyard::messaging::inbound::{Incoming, Received, receive};
use switchyard::messaging::outbound::{self, Delivery};
use switchyard::ringcentral::{self, Client, NewConnection};
use switchyard::secret::{Keyring, new_key};
use switchyard::staff::{self, Member, Passwords};
use switchyard::sync::{self, Engine, EngineConfig};
use switchyard::types::{AccountId, IntegrationType, LineFilter, LineId, PhoneNumber, SyncFilter};
use switchyard::work::Batcher;
use tokio_util::sync::CancellationToken;

/// One figure.
#[derive(Serialize)]
struct Figure {
    name: String,
    engine: &'static str,
    value: f64,
    unit: &'static str,
    goal: Option<f64>,
    met: Option<bool>,
    rows: u64,
    durability: &'static str,
    samples: u64,
}

struct Bench {
    full: bool,
    only: Option<String>,
    figures: Vec<Figure>,
}

/// A database with one account on RingCentral and its lines.
struct World {
    engine: &'static str,
    durability: &'static str,
    db: Db,
    now: Now,
    member: Member,
    account: AccountId,
    lines: Vec<(LineId, PhoneNumber)>,
    stop: CancellationToken,
    _folder: Option<tempdir::Folder>,
}

/// Where figures and databases are written, whatever folder it is started in.
const OUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench");

/// A folder that goes with its owner.
mod tempdir {
    pub struct Folder(pub std::path::PathBuf);
    impl Folder {
        pub fn new(name: &str) -> Self {
            let path = std::path::Path::new(super::OUT).join(format!("{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn keys() -> Keyring {
    Keyring::parse(&new_key(&Rng::seeded(1))).unwrap()
}

/// Numbers of country code 999, which is not assigned.
fn number(n: u64) -> PhoneNumber {
    PhoneNumber::parse(&format!("+999{n:010}")).unwrap()
}

async fn world(engine: &'static str, line_count: u64) -> Option<World> {
    let (db, folder, durability) = if engine == "sqlite" {
        let folder = tempdir::Folder::new("sqlite");
        let db = Db::open(&format!("sqlite:{}", folder.0.join("bench.db").display()), 8).await.unwrap();
        (db, Some(folder), "WAL, synchronous=FULL")
    } else {
        let url = std::env::var("TEST_POSTGRES_URL").ok()?;
        let admin = Db::open(&url, 2).await.unwrap();
        admin.close().await;
        (Db::open(&fresh_database(&url).await, 24).await.unwrap(), None, "fsync on, synchronous_commit on")
    };
    db.migrate().await.unwrap();
    db.hear_other_processes().await.unwrap();
    let now = Now::system();
    let passwords = Passwords::new(now.rng.clone()).unwrap();
    let invited = staff::first_administrator(&db, &now, "bench@example.com", "Bench").await.unwrap().unwrap();
    let id = staff::accept(&db, &now, &passwords, &invited.token, "a long enough password".into()).await.unwrap();
    let member = Member::load(&db, id).await.unwrap().unwrap();
    let permit = member.permit().unwrap();
    let account = accounts::add(&db, &now, &permit, "Bench", true, true).await.unwrap();

    let stop = CancellationToken::new();
    let http = server::application::http_client().unwrap();
    let mut config = SandboxConfig::new(Clock::System, http);
    (config.posts_per_minute, config.posts_per_day, config.deliver_statuses) = (None, None, false);
    let sandbox = Sandbox::new(config).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (router, ended) = (sandbox.router(), stop.clone());
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await });
    let (client_id, client_secret, jwt) = ("sandbox-client".into(), "sandbox-secret".into(), "sandbox-jwt".into());
    let connection = NewConnection { base_url, client_id, client_secret, jwt, posts_per_minute: None, posts_per_day: None };
    ringcentral::connect(&db, &now, &keys(), &permit, account, connection).await.unwrap();

    let mut made = Vec::new();
    for n in 0..line_count {
        let own = number(n);
        let id = lines::add(&db, &now, &permit, account, own.expose(), &format!("Line {n}"), IntegrationType::Ringcentral).await.unwrap();
        made.push((id, own));
    }
    Some(World { engine, durability, db, now, member, account, lines: made, stop, _folder: folder })
}

async fn fresh_database(url: &str) -> String {
    use sqlx::{AssertSqlSafe, Connection};
    let name = format!("bench_{}_{}", std::process::id(), Now::system().rng.below(1 << 40));
    let mut admin = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
    let (base, query) = url.split_once('?').map_or((url, String::new()), |(base, query)| (base, format!("?{query}")));
    let (server, _) = base.rsplit_once('/').unwrap();
    format!("{server}/{name}{query}")
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    #[allow(clippy::too_many_arguments)]
    fn note(
        &mut self,
        world: Option<&World>,
        name: &str,
        value: f64,
        unit: &'static str,
        goal: Option<(f64, bool)>,
        rows: u64,
        samples: u64,
    ) {
        // A goal is met from above (true: at most) or from below.
        let met = goal.map(|(goal, at_most)| if at_most { value <= goal } else { value >= goal });
        let figure = Figure {
            name: name.to_owned(),
            engine: world.map_or("-", |w| w.engine),
            value,
            unit,
            goal: goal.map(|(goal, _)| goal),
            met,
            rows,
            durability: world.map_or("-", |w| w.durability),
            samples,
        };
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let goal = figure.goal.map_or(String::new(), |goal| format!("goal {goal}"));
        println!("{:<44} {:<9} {:>10.2} {:<6} {:<12} {verdict:<7} rows {rows}", figure.name, figure.engine, value, unit, goal);
        self.figures.push(figure);
    }

    async fn hold(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 1).await else { return };
        let count: u64 = if self.full { 100_000 } else { 20_000 };
        let recipients: Vec<PhoneNumber> = (0..count).map(|n| number(1_000_000 + n)).collect();
        let before = resident_mib();
        let began = Instant::now();
        blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), w.lines[0].0, "Sale!", &recipients).await.unwrap();
        while blast::record_next(&w.db, &w.now).await.unwrap() {}
        let seconds = began.elapsed().as_secs_f64();
        let goal = 5.0 * count as f64 / 100_000.0;
        self.note(Some(&w), "hold: a blast recorded as held", seconds, "s", Some((goal, true)), count, 1);
        self.note(Some(&w), "hold: memory grown", resident_mib() - before, "MiB", Some((64.0, true)), count, 1);
        w.end().await;
    }

    async fn inbound(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 50).await else { return };
        let (messages, held, seconds) = if self.full { (1_000_000, 100_000, 10) } else { (50_000, 10_000, 4) };
        fill(&w, messages, held).await;
        let http = server::application::http_client().unwrap();
        let engine_task =
            Engine::new(w.db.clone(), w.now.clone(), Client::new(http, w.db.clone(), w.now.clone(), keys()), EngineConfig::default())
                .run(w.stop.clone());
        let engine_task = tokio::spawn(engine_task);
        let batcher = batcher(&w);

        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for run in 0..5 {
            let mut times = steady(&w, &batcher, 2_000, seconds, 10_000_000 + run * 1_000_000).await;
            times.sort_unstable();
            p50.push(percentile(&times, 50));
            p99.push(percentile(&times, 99));
        }
        p50.sort_by(f64::total_cmp);
        p99.sort_by(f64::total_cmp);
        let samples = 5 * 2_000 * seconds;
        self.note(Some(&w), "inbound: p50 at 2,000/s, median of 5 runs", p50[2], "ms", Some((5.0, true)), messages, samples);
        self.note(Some(&w), "inbound: p99 at 2,000/s, median of 5 runs", p99[2], "ms", Some((30.0, true)), messages, samples);
        let rate = closed_loop(&w, &batcher, seconds, 50_000_000).await;
        self.note(Some(&w), "inbound: highest rate", rate, "msg/s", Some((2_000.0, false)), messages, 1);

        let recipients: Vec<PhoneNumber> = (0..if self.full { 100_000 } else { 20_000 }).map(|n| number(90_000_000 + n)).collect();
        blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), w.lines[0].0, "Sale!", &recipients).await.unwrap();
        let stop = CancellationToken::new();
        let recording = tokio::spawn(blast::run(w.db.clone(), w.now.clone(), stop.clone()));
        let rate = closed_loop(&w, &batcher, 2, 60_000_000).await;
        self.note(Some(&w), "inbound: rate while a blast is recorded", rate, "msg/s", None, messages, 1);
        stop.cancel();
        recording.await.unwrap();
        w.stop.cancel();
        engine_task.await.unwrap();
        w.end().await;
    }

    async fn lists(&mut self, engine: &'static str) {
        let sizes: &[u64] = if self.full { &[10_000, 1_000_000] } else { &[10_000, 100_000] };
        for &size in sizes {
            let Some(w) = world(engine, 200).await else { return };
            for (n, chunk) in (0..size).collect::<Vec<_>>().chunks(100_000).enumerate() {
                let recipients: Vec<PhoneNumber> = chunk.iter().map(|n| number(1_000_000 + n)).collect();
                let line = w.lines[n % w.lines.len()].0;
                blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), line, "Sale!", &recipients).await.unwrap();
                while blast::record_next(&w.db, &w.now).await.unwrap() {}
            }
            w.settle().await;
            let see = w.member.permit().unwrap();
            let (mut first, mut deep, mut own) = (Vec::new(), Vec::new(), Vec::new());
            let mut cursor = None;
            for _ in 0..300 {
                let began = Instant::now();
                let page = sync::list(&w.db, &see, &SyncFilter::default(), None, 50).await.unwrap();
                first.push(began.elapsed());
                let began = Instant::now();
                let next = sync::list(&w.db, &see, &SyncFilter::default(), cursor.as_ref().or(page.next.as_ref()), 50).await.unwrap();
                deep.push(began.elapsed());
                cursor = next.next;
                let began = Instant::now();
                lines::list(&w.db, &w.member.permit().unwrap(), &LineFilter { search: "line 1".into(), ..LineFilter::default() }, None, 50)
                    .await
                    .unwrap();
                own.push(began.elapsed());
            }
            for (name, mut times) in [("first page", first), ("a later page", deep), ("lines, searched", own)] {
                times.sort_unstable();
                let name = format!("lists: p99 {name}, {size} conversations");
                self.note(Some(&w), &name, percentile(&times, 99), "ms", Some((20.0, true)), size, 300);
            }
            w.end().await;
        }
    }

    fn wasm(&mut self) {
        for part in std::env::var("WASM_BROTLI").unwrap_or_default().split_whitespace() {
            let (room, size) = part.split_once('=').unwrap();
            let name = format!("wasm: a first page of {room}, brotli");
            self.note(None, &name, size.parse::<f64>().unwrap() / 1_000.0, "kB", Some((400.0, true)), 0, 1);
        }
    }
}

impl World {
    /// What the engines do by themselves a minute after so many rows came: PostgreSQL's autovacuum analyzes.
    async fn settle(&self) {
        let statistics = Sql { sqlite: "pragma optimize", postgres: "analyze" };
        self.db.work(async |tx| tx.run(statistics, ()).await).await.unwrap();
    }

    async fn end(self) {
        self.stop.cancel();
        self.db.close().await;
    }
}

/// Earlier messages and held ones, by the product's own verbs.
async fn fill(w: &World, messages: u64, held: u64) {
    let mut n = 0;
    while n < messages {
        let batch: Vec<Incoming> = (n..(n + 500).min(messages)).map(|n| incoming(w, n, 5_000_000 + n % 50_000)).collect();
        n += batch.len() as u64;
        receive(&w.db, &w.now, &batch).await.unwrap();
    }
    // What lies in the lanes is done: the bench measures what comes now.
    w.db.work(async |tx| {
        tx.run("update sync_entry set state = 'posted' where state = 'queued'", ()).await?;
        tx.run("update lane set queued = 0, trouble = 0, due_at = null", ()).await
    })
    .await
    .unwrap();
    let recipients: Vec<PhoneNumber> = (0..held).map(|n| number(10_000_000 + n)).collect();
    for (part, (line, _)) in recipients.chunks((recipients.len() / w.lines.len()).max(1)).zip(&w.lines) {
        blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), *line, "Sale!", part).await.unwrap();
    }
    while blast::record_next(&w.db, &w.now).await.unwrap() {}
    let sent: Vec<(LineId, switchyard::types::MessageId)> =
        w.db.all("select line_id, message_id from sync_entry where state = 'held'", ()).await.unwrap();
    for part in sent.chunks(5_000) {
        let part: Vec<Delivery> = part
            .iter()
            .map(|(line, id)| Delivery {
                reference: switchyard::messaging::carrier::reference(*line, *id),
                carrier_id: id.to_string(),
                delivered: true,
                error: None,
            })
            .collect();
        outbound::delivered(&w.db, &w.now, &part).await.unwrap();
    }
    let _ = w.account;
}

fn incoming(w: &World, n: u64, contact: u64) -> Incoming {
    let line = &w.lines[usize::try_from(n).unwrap() % w.lines.len()].1;
    Incoming {
        carrier_id: format!("bench-{n}"),
        from: number(contact),
        to: line.clone(),
        others: Vec::new(),
        body: "Yes please, that suits me well".to_owned(),
        media: Vec::new(),
        sent_at: None,
    }
}

type Inbound = Batcher<Incoming, Result<Received, String>>;

fn batcher(w: &World) -> Inbound {
    let (db, now) = (w.db.clone(), w.now.clone());
    Batcher::start(
        128,
        move |batch: Vec<Incoming>| {
            let (db, now) = (db.clone(), now.clone());
            async move { Ok(receive(&db, &now, &batch).await?.into_iter().map(Ok).collect()) }
        },
        |error: switchyard::db::Error| Err(error.to_string()),
    )
}

/// Messages at an even rate, each timed from when it was due; half of them answer a held one.
async fn steady(w: &World, batcher: &Inbound, rate: u64, seconds: u64, from: u64) -> Vec<Duration> {
    let began = tokio::time::Instant::now();
    let mut tasks = Vec::new();
    for n in 0..rate * seconds {
        let due = began + Duration::from_micros(n * 1_000_000 / rate);
        if n % 4 == 0 {
            tokio::time::sleep_until(due).await;
        }
        let contact = if n % 2 == 0 { 10_000_000 + (from + n) % 100_000 } else { 5_000_000 + n % 50_000 };
        let (batcher, message) = (batcher.clone(), incoming(w, from + n, contact));
        tasks.push(tokio::spawn(async move {
            let submitted = tokio::time::Instant::now().max(due);
            batcher.submit(message).await.unwrap().unwrap();
            submitted.elapsed()
        }));
    }
    let mut times = Vec::with_capacity(tasks.len());
    for task in tasks {
        times.push(task.await.unwrap());
    }
    times
}

/// As fast as 256 callers can.
async fn closed_loop(w: &World, batcher: &Inbound, seconds: u64, from: u64) -> f64 {
    let until = Instant::now() + Duration::from_secs(seconds);
    let counts = futures_util::future::join_all((0..256).map(async |caller: u64| {
        let mut done = 0;
        while Instant::now() < until {
            let n = from + caller * 20_000 + done;
            batcher.submit(incoming(w, n, 5_000_000 + n % 50_000)).await.unwrap().unwrap();
            done += 1;
        }
        done
    }))
    .await;
    counts.iter().sum::<u64>() as f64 / seconds as f64
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1_024.0
}

#[tokio::main]
async fn main() {
    let mut bench = Bench {
        full: std::env::var("SCALE").is_ok_and(|s| s == "full"),
        only: std::env::var("ONLY").ok().filter(|o| !o.is_empty()),
        figures: Vec::new(),
    };
    std::fs::create_dir_all(OUT).unwrap();
    for engine in ["sqlite", "postgres"] {
        if bench.wants("hold") {
            bench.hold(engine).await;
        }
        if bench.wants("inbound") {
            bench.inbound(engine).await;
        }
        if bench.wants("lists") {
            bench.lists(engine).await;
        }
    }
    if bench.wants("wasm") {
        bench.wasm();
    }
    std::fs::write(format!("{OUT}/results.json"), serde_json::to_string_pretty(&bench.figures).unwrap()).unwrap();
    println!("written: target/bench/results.json");
}
