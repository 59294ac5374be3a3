//! The database: one SQL text, two engines (SQLite, PostgreSQL), native types.
//!
//! [`Db`] reads; a [`Tx`], lent by [`Db::work`], reads and writes. Every statement is a literal with `$1` placeholders, which
//! both drivers accept; where the dialects part it is a named pair, [`Sql`]. Rules that keep both engines equal: ids are
//! UUIDs, times are microseconds in BIGINT, sums are cast to BIGINT, text keys compare bytewise, time is bound and never
//! `now()`; `returning` names columns without their table, which SQLite wants, so a joined table has none of these names. Where
//! a part of a key is a parameter, a list narrows by `in (select … from json_each …)`: SQLite reads a joined one again for each
//! row. A test prepares every statement on both engines, another holds the two schemas against each other.

mod bell;
mod turn;
mod write_back;

pub use bell::Bell;

use crate::types::{Change, Problem};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Arguments, Database, Encode, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Transaction, Type, query_as_with, query_with};
use std::sync::Arc;
use std::time::Duration;
use turn::{Turn, Turns};
use write_back::WriteBack;

pub use sqlx::Error;
/// A database result; rooms put their own error in place of [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which engine a [`Db`] speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one process.
    Sqlite,
    /// PostgreSQL, or what speaks its protocol.
    Postgres,
}

impl Engine {
    /// Which one a URL names, as [`Db::open`] reads it.
    pub fn of(url: &str) -> Self {
        if url.starts_with("postgres") { Self::Postgres } else { Self::Sqlite }
    }
}

#[derive(Clone, Debug)]
enum Pools {
    Sqlite { read: SqlitePool, write: SqlitePool, log: WriteBack },
    Postgres(PgPool),
}

/// A handle on the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    bell: Bell,
    turns: Arc<Turns>,
    is_background: bool,
}

#[derive(Debug)]
enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A transaction under way, lent by [`Db::work`].
#[derive(Debug)]
pub struct Tx {
    open: Open,
    changes: Vec<Change>,
}

/// See [`Tx::mark`].
#[derive(Debug)]
#[must_use = "it is kept or undone"]
pub struct Mark {
    /// Changes that were told before it.
    told: usize,
}

/// A statement: one text for both engines, or a named pair where the dialects part.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Self {
        Sql { sqlite: both, postgres: both }
    }
}

/// A row either engine can fill: `#[derive(FromRow)]` over shared types, or a tuple.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be read from both engines")]
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// The values of `$1, $2, …` for one engine.
#[diagnostic::on_unimplemented(message = "`{Self}` is not an argument list: write `[value]`, `(a, b)` or `()`")]
pub trait Bind<DB: Database>: Send {
    /// Encodes the values in order.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    fn bind(self) -> Result<DB::Arguments>;
}

/// The values of `$1, $2, …`: a tuple, or an array such as `[id]`.
pub trait Args: Bind<Sqlite> + Bind<Postgres> {}
impl<A: Bind<Sqlite> + Bind<Postgres>> Args for A {}

impl<DB: Database, T: for<'q> Encode<'q, DB> + Type<DB> + Send, const N: usize> Bind<DB> for [T; N] {
    fn bind(self) -> Result<DB::Arguments> {
        let mut list = DB::Arguments::default();
        self.into_iter().try_for_each(|v| list.add(v)).map_err(Error::Encode)?;
        Ok(list)
    }
}

macro_rules! bind_tuples { ($($($T:ident)*;)+) => { $(
    impl<DB: Database, $($T: for<'q> Encode<'q, DB> + Type<DB> + Send),*> Bind<DB> for ($($T,)*) {
        #[allow(non_snake_case, unused_mut)]
        fn bind(self) -> Result<DB::Arguments> {
            let ($($T,)*) = self;
            let mut list = DB::Arguments::default();
            $(list.add($T).map_err(Error::Encode)?;)*
            Ok(list)
        }
    }
)+ } }
bind_tuples!(; A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; A B C D E F G H I;
    A B C D E F G H I J; A B C D E F G H I J K; A B C D E F G H I J K L; A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N; A B C D E F G H I J K L M N O; A B C D E F G H I J K L M N O P;);

/// The verbs, written once and compiled for each engine: `$l` and `$p` are what sqlx runs the statement on.
macro_rules! verbs { ($Room:ty, $me:ident: $Me:ty, $turn:expr, $on:expr, $lite:pat => $l:expr, $pg:pat => $p:expr) => { impl $Room {
    verbs! { @ $me: $Me, $turn, $on, $lite => $l, $pg => $p;
        /// Exactly one row.
        ///
        /// # Errors
        /// `RowNotFound` when there is none; otherwise what the database says.
        one fetch_one T;
        /// The row, if there is one.
        ///
        /// # Errors
        /// What the database says.
        opt fetch_optional Option<T>;
        /// Every row.
        ///
        /// # Errors
        /// What the database says.
        all fetch_all Vec<T>; }

    /// The rows as they come, for results that do not fit a page.
    pub fn stream<'s, T: Row + 's>($me: $Me, sql: impl Into<Sql>, args: impl Args) -> BoxStream<'s, Result<T>> {
        let sql = sql.into();
        let rows = match $on {
            $lite => Bind::<Sqlite>::bind(args).map(|a| query_as_with(sql.sqlite, a).fetch($l)),
            $pg => Bind::<Postgres>::bind(args).map(|a| query_as_with(sql.postgres, a).fetch($p)),
        };
        stream::once(async { rows }).try_flatten().boxed()
    }
} };
(@ $me:ident: $Me:ty, $turn:expr, $on:expr, $lite:pat => $l:expr, $pg:pat => $p:expr; $($(#[$doc:meta])+ $verb:ident $fetch:ident $Out:ty;)+) => { $(
    $(#[$doc])+
    pub async fn $verb<'s, T: Row>($me: $Me, sql: impl Into<Sql>, args: impl Args) -> Result<$Out> {
        let sql = sql.into();
        let _turn = $turn;
        match $on {
            $lite => query_as_with(sql.sqlite, Bind::<Sqlite>::bind(args)?).$fetch($l).await,
            $pg => query_as_with(sql.postgres, Bind::<Postgres>::bind(args)?).$fetch($p).await,
        }
    }
)+ } }
verbs!(Db, self: &'s Self, self.turn_to_read().await, &self.pools, Pools::Sqlite { read, .. } => read, Pools::Postgres(pool) => pool);
verbs!(Tx, self: &'s mut Self, (), &mut self.open, Open::Sqlite(tx) => &mut **tx, Open::Postgres(tx) => &mut **tx);

impl Tx {
    /// Runs a write and says how many rows it touched.
    ///
    /// # Errors
    /// What the database says; a broken constraint is told by [`is_duplicate`].
    pub async fn run(&mut self, sql: impl Into<Sql>, args: impl Args) -> Result<u64> {
        let sql = sql.into();
        Ok(match &mut self.open {
            Open::Sqlite(tx) => query_with(sql.sqlite, Bind::<Sqlite>::bind(args)?).execute(&mut **tx).await?.rows_affected(),
            Open::Postgres(tx) => query_with(sql.postgres, Bind::<Postgres>::bind(args)?).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// A place to go back to within the transaction: what one row of many did can be undone without the others.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mark(&mut self) -> Result<Mark> {
        self.run("savepoint mark", ()).await?;
        Ok(Mark { told: self.changes.len() })
    }

    /// Keeps what was done since the mark.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep(&mut self, _mark: Mark) -> Result<()> {
        self.run("release savepoint mark", ()).await.map(|_| ())
    }

    /// Undoes what was done since the mark.
    ///
    /// # Errors
    /// What the database says.
    pub async fn undo(&mut self, mark: Mark) -> Result<()> {
        self.changes.truncate(mark.told);
        self.run("rollback to savepoint mark", ()).await?;
        self.run("release savepoint mark", ()).await.map(|_| ())
    }

    /// Tells every listener of this change once, and only if, the transaction commits.
    pub fn tell(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }
}

/// What each session of PostgreSQL is told. A process that is suspended within a transaction holds its locks, and no transaction of ours
/// pauses for a minute. What is read by keys lies in memory, or on a disk without a head: at the price of one that has a head, a page of
/// fifty rows may be joined by walks through whole tables. No statement of ours is worth compiling.
const SESSION: [(&str, &str); 3] = [("idle_in_transaction_session_timeout", "60000"), ("random_page_cost", "1.1"), ("jit", "off")];

impl Db {
    /// Opens the database that `url` names: `sqlite:<file>` or `postgres://…`. It changes nothing yet: see [`Db::migrate`].
    ///
    /// # Errors
    /// When the URL is not understood or the server does not answer.
    pub async fn open(url: &str, connections: u32) -> Result<Db> {
        let bell = Bell::new();
        if Engine::of(url) == Engine::Postgres {
            let options = url.parse::<PgConnectOptions>()?.statement_cache_capacity(256).options(SESSION);
            // A ping at every acquire costs a round trip; a broken connection shows itself at its first statement.
            let pool = PgPoolOptions::new()
                .max_connections(connections.max(2))
                .acquire_timeout(Duration::from_secs(10))
                .test_before_acquire(false);
            let pools = Pools::Postgres(pool.connect_with(options).await?);
            return Ok(Db { pools, bell, turns: Arc::new(Turns::new()), is_background: false });
        }
        let file = url
            .parse::<SqliteConnectOptions>()?
            .create_if_missing(true)
            .foreign_keys(true)
            .statement_cache_capacity(256)
            .busy_timeout(Duration::from_secs(5))
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged message survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", write_back::LONGEST)
            .pragma("cache_size", "-65536")
            .pragma("mmap_size", "1073741824");
        let pool = |n| SqlitePoolOptions::new().max_connections(n).test_before_acquire(false).idle_timeout(None).max_lifetime(None);
        let write = pool(1).acquire_timeout(Duration::from_secs(30)).connect_with(file.clone()).await?;
        let log = WriteBack::begin(pool(1).connect_lazy_with(file.clone()));
        let read = pool(connections.max(2)).connect_with(file.pragma("query_only", "on")).await?;
        Ok(Db { pools: Pools::Sqlite { read, write, log }, bell, turns: Arc::new(Turns::new()), is_background: false })
    }

    /// The same database for work that nobody waits for: it goes one unit at a time, and steps back while somebody waits.
    #[must_use]
    pub fn in_background(&self) -> Db {
        Db { is_background: true, ..self.clone() }
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// Brings the schema to this program's version; does nothing when it is there. Safe to run from several processes at once.
    ///
    /// # Errors
    /// When a step fails, or the database is newer than this program.
    pub async fn migrate(&self) -> std::result::Result<(), sqlx::migrate::MigrateError> {
        match &self.pools {
            Pools::Sqlite { write, .. } => sqlx::migrate!("migrations/sqlite").run(write).await,
            Pools::Postgres(pool) => sqlx::migrate!("migrations/postgres").run(pool).await,
        }
    }

    /// One unit of work: commits when `unit` answers `Ok`, else rolls back. On SQLite it waits for its turn to write.
    ///
    /// # Errors
    /// What `unit` answers, or what the database says at begin or commit. After a failed commit nothing is written.
    pub async fn work<T, E: From<Error>>(&self, unit: impl AsyncFnOnce(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        let _turn = self.turn().await;
        let open = match &self.pools {
            // Immediate: a transaction that reads first and writes later could otherwise fail as “busy” without waiting.
            Pools::Sqlite { write, .. } => Open::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => Open::Postgres(pool.begin().await?),
        };
        let mut tx = Tx { open, changes: Vec::new() };
        let out = unit(&mut tx).await?;
        self.commit(tx).await?;
        Ok(out)
    }

    /// Background work waits here; everything else passes.
    async fn turn(&self) -> Turn<'_> {
        if self.is_background { self.turns.background().await } else { self.turns.foreground() }
    }

    /// SQLite's readers are in nobody's way; PostgreSQL's take its processors.
    async fn turn_to_read(&self) -> Option<Turn<'_>> {
        if self.engine() == Engine::Postgres { Some(self.turn().await) } else { None }
    }

    async fn commit(&self, tx: Tx) -> Result<()> {
        match tx.open {
            Open::Sqlite(open) => {
                open.commit().await?;
                if let Pools::Sqlite { log, .. } = &self.pools {
                    log.changed();
                }
                self.bell.ring(&tx.changes);
            }
            Open::Postgres(mut open) => {
                // A process that does not listen, such as the shell's, tells others in the transaction itself.
                if !self.bell.rings_elsewhere() {
                    bell::notify(&mut open, &tx.changes).await?;
                }
                open.commit().await?;
                self.bell.ring(&tx.changes);
                self.bell.ring_elsewhere(&tx.changes);
            }
        }
        Ok(())
    }

    /// What has changed, from now on. Subscribe before you read, so that nothing falls between.
    pub fn changes(&self) -> tokio::sync::broadcast::Receiver<Change> {
        self.bell.listen()
    }

    /// Starts to hear the changes of other processes; does nothing on SQLite, which has none. Ends with the last handle.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn hear_other_processes(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { .. } => Ok(()),
            Pools::Postgres(pool) => self.bell.follow(pool).await,
        }
    }

    /// Closes every connection after the statements under way.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write, log } => {
                log.close().await;
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

/// A list as the one argument of a set-wise statement, which reads it with `json_each($1)`, or what a column keeps, as JSON.
pub(crate) fn json(rows: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(rows).expect("lists, texts and numbers can always be written as JSON")
}

/// A page's rows and one more, which says whether another page follows.
pub(crate) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX)
}

/// Whether the error says that a row with this key exists already.
pub fn is_duplicate(error: &Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

impl From<Error> for Problem {
    /// The person gets a reference, the log gets the cause.
    fn from(error: Error) -> Self {
        let reference =
            uuid::Builder::from_random_bytes(crate::clock::Rng::from_os().bytes()).into_uuid().simple().to_string()[..12].to_owned();
        tracing::error!(%reference, %error, "database error");
        Problem::Internal { reference }
    }
}
