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
use switchyard::staff::{self, Member, Passwords, Proof};
use switchyard::sync::{Engine, EngineConfig};
use switchyard::types::{IntegrationType, LineId, MessageId, PhoneNumber};
use tokio_util::sync::CancellationToken;

/// Who signs in.
pub(crate) const EMAIL: &str = "bench@example.com";
pub(crate) const PASSWORD: &str = "a long enough password";

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
    /// Nothing but the account is in it.
    pub(crate) is_new: bool,
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
    let (url, folder) = if engine == "sqlite" {
        let folder = tempfile::tempdir_in(OUT).unwrap();
        (format!("sqlite:{}", folder.path().join("bench.db").display()), Some(folder))
    } else {
        let name = format!("bench_{}_{}", std::process::id(), Now::system().rng.below(1 << 40));
        (database(&std::env::var("TEST_POSTGRES_URL").ok()?, &name).await, None)
    };
    Some(world_at(engine, line_count, url, folder).await)
}

/// The same on a database that is left where it is and found again, when KEEP names one: what takes long to fill is filled once.
pub(crate) async fn kept_world(engine: &'static str, line_count: u64) -> Option<World> {
    let Ok(name) = std::env::var("KEEP") else { return world(engine, line_count).await };
    let url = if engine == "sqlite" {
        format!("sqlite:{OUT}/{name}.db")
    } else {
        database(&std::env::var("TEST_POSTGRES_URL").ok()?, &name).await
    };
    Some(world_at(engine, line_count, url, None).await)
}

async fn world_at(engine: &'static str, line_count: u64, url: String, folder: Option<tempfile::TempDir>) -> World {
    let is_file = engine == "sqlite";
    let durability = if is_file { "WAL, synchronous=FULL" } else { "fsync on, synchronous_commit on" };
    let db = Db::open(&url, if is_file { 8 } else { 24 }).await.unwrap();
    db.migrate().await.unwrap();
    db.hear_other_processes().await.unwrap();
    let now = Now::system();
    let invited = staff::first_administrator(&db, &now, EMAIL, "Bench", false).await.unwrap();
    let is_new = invited.is_some();
    if let Some(invited) = invited {
        let passwords = Passwords::new(now.rng.clone()).unwrap();
        staff::accept(&db, &now, &passwords, &invited.token, PASSWORD.into(), None).await.unwrap();
    }
    let member = Member::by_email(&db, EMAIL).await.unwrap().unwrap();

    let stop = CancellationToken::new();
    let http = server::application::http_client().unwrap();
    let mut config = SandboxConfig::new(Clock::System, http);
    (config.posts_per_minute, config.posts_per_day, config.deliver_statuses) = (None, None, false);
    let sandbox = Sandbox::new(config).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (router, ended) = (sandbox.router(), stop.clone());
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await });
    if is_new {
        let permit = member.permit().unwrap();
        let account = accounts::add(&db, &now, &permit, "Bench", true, true).await.unwrap();
        let (client_id, client_secret, jwt) = ("sandbox-client".into(), "sandbox-secret".into(), "sandbox-jwt".into());
        let connection = NewConnection { base_url, client_id, client_secret, jwt, posts_per_minute: None, posts_per_day: None };
        ringcentral::connect(&db, &now, &keys(), &permit, Proof::at_the_shell(), account, connection).await.unwrap();
        for n in 0..line_count {
            let label = format!("Line {n}");
            lines::add(&db, &now, &permit, account, number(n).expose(), &label, IntegrationType::Ringcentral).await.unwrap();
        }
    }
    let lines = db.all("select id, number from line where number < $1 order by number", [number(line_count)]).await.unwrap();
    World { engine, durability, db, now, member, lines, sandbox, url, is_new, stop, _folder: folder }
}

/// The database of this name on a server; made, if there is none.
pub(crate) async fn database(url: &str, name: &str) -> String {
    use sqlx::{AssertSqlSafe, Connection};
    let mut admin = sqlx::PgConnection::connect(url).await.unwrap();
    let there = sqlx::query("select 1 from pg_database where datname = $1").bind(name).fetch_optional(&mut admin).await.unwrap();
    if there.is_none() {
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
    }
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
