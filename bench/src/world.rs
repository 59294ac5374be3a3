//! What is measured on: a database with one account on RingCentral, its lines, and a sandbox without limits.

use crate::OUT;
use server::sandbox::{Sandbox, SandboxConfig};
use switchyard::clock::{Clock, Now, Rng};
use switchyard::db::{Db, Sql};
use switchyard::directory::{accounts, lines};
use switchyard::messaging::carrier::reference;
use switchyard::messaging::inbound::Incoming;
use switchyard::messaging::outbound::{self, Delivery};
use switchyard::ringcentral::{self, Client, NewConnection};
use switchyard::secret::{Keyring, new_key};
use switchyard::staff::{self, Member, Passwords};
use switchyard::sync::{Engine, EngineConfig};
use switchyard::types::{IntegrationType, LineId, MessageId, PhoneNumber};
use tokio_util::sync::CancellationToken;

/// A database with one account on RingCentral and its lines.
pub(crate) struct World {
    pub(crate) engine: &'static str,
    pub(crate) durability: &'static str,
    pub(crate) db: Db,
    pub(crate) now: Now,
    pub(crate) member: Member,
    pub(crate) lines: Vec<(LineId, PhoneNumber)>,
    pub(crate) sandbox: Sandbox,
    /// Where the database is, for further workers.
    pub(crate) url: String,
    pub(crate) stop: CancellationToken,
    _folder: Option<tempfile::TempDir>,
}

pub(crate) fn keys() -> Keyring {
    Keyring::parse(&new_key(&Rng::seeded(1))).unwrap()
}

/// Numbers of country code 999, which is not assigned.
pub(crate) fn number(n: u64) -> PhoneNumber {
    PhoneNumber::parse(&format!("+999{n:010}")).unwrap()
}

pub(crate) async fn world(engine: &'static str, line_count: u64) -> Option<World> {
    let (url, folder, durability) = if engine == "sqlite" {
        let folder = tempfile::tempdir_in(OUT).unwrap();
        (format!("sqlite:{}", folder.path().join("bench.db").display()), Some(folder), "WAL, synchronous=FULL")
    } else {
        let server = std::env::var("TEST_POSTGRES_URL").ok()?;
        (fresh_database(&server).await, None, "fsync on, synchronous_commit on")
    };
    let db = Db::open(&url, if folder.is_some() { 8 } else { 24 }).await.unwrap();
    db.migrate().await.unwrap();
    db.hear_other_processes().await.unwrap();
    let now = Now::system();
    let passwords = Passwords::new(now.rng.clone()).unwrap();
    let invited = staff::first_administrator(&db, &now, "bench@example.com", "Bench", false).await.unwrap().unwrap();
    let id = staff::accept(&db, &now, &passwords, &invited.token, "a long enough password".into(), None).await.unwrap().id();
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
    Some(World { engine, durability, db, now, member, lines: made, sandbox, url, stop, _folder: folder })
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

impl World {
    /// A delivery engine on this database, as `serve` has one.
    pub(crate) fn delivery(&self, db: &Db) -> Engine {
        let http = server::application::http_client().unwrap();
        Engine::new(db.clone(), self.now.clone(), Client::new(http, db.clone(), self.now.clone(), keys()), EngineConfig::default())
    }

    /// What comes in as the `n`th message of all, to one line after the other.
    pub(crate) fn incoming(&self, n: u64, contact: u64) -> Incoming {
        let line = &self.lines[usize::try_from(n).unwrap() % self.lines.len()].1;
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

    /// The carrier took everything that is held: the next reply releases it.
    pub(crate) async fn carrier_takes_what_is_held(&self) {
        let sent: Vec<(LineId, MessageId)> =
            self.db.all("select line_id, message_id from sync_entry where state = 'held' and accepted_at is null", ()).await.unwrap();
        for part in sent.chunks(5_000) {
            let part: Vec<Delivery> = part
                .iter()
                .map(|(line, id)| Delivery { reference: reference(*line, *id), carrier_id: id.to_string(), delivered: true, error: None })
                .collect();
            outbound::delivered(&self.db, &self.now, &part).await.unwrap();
        }
    }

    /// What the engines do by themselves a minute after so many rows came: PostgreSQL's autovacuum analyzes.
    pub(crate) async fn settle(&self) {
        let statistics = Sql { sqlite: "pragma optimize", postgres: "analyze" };
        self.db.work(async |tx| tx.run(statistics, ()).await).await.unwrap();
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.db.close().await;
    }
}
