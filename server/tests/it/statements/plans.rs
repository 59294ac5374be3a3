//! An index carries every search, on both engines: what they plan for each statement that a search runs.
//!
//! SQLite plans by its schema alone. PostgreSQL plans by what it knows of its tables, so they are filled first, and it is asked for plans
//! that hold for any values and join row by row: each table then shows by what it is read.

use super::{Statement, statements_of};
use crate::harness::{DbEngine, with_database};
use crate::source::files;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, raw_sql};
use switchyard::db::Db;

/// Where the statements of searches are: of the one everywhere, and of the one for a conversation.
const SEARCHES: [&str; 6] =
    ["src/directory/search.rs", "src/search.rs", "src/staff/found.rs", "src/sync/find.rs", "src/sync/search.rs", "src/utilities/search.rs"];
/// There were 33 when this was written; a scan that finds far fewer is broken.
const AT_LEAST: usize = 30;
/// Tables that grow with the platform. Roles and what they name are few.
const GROW: [&str; 8] = ["account", "account_user", "contact", "conversation", "line", "line_digits", "staff_member", "utility_run"];
/// What reads a whole table, and why that is meant.
const WHOLE: [(&str, &str); 1] = [("delete from kept_search", "an erasure forgets every search that is kept")];
/// What no index carries.
const WITHOUT_INDEX: &str = "select id from contact where note = $1";

/// Joins row by row, no table read from its beginning to its end where any index will do, and no value known.
const ROW_BY_ROW: &str = "set enable_seqscan = off;
    set enable_hashjoin = off;
    set enable_mergejoin = off;
    set enable_material = off;
    set enable_memoize = off;
    set plan_cache_mode = force_generic_plan";

/// Some thousand rows of each.
const FILLED: &str = "
    insert into account (id, name, search, sends_blasts, has_conversations, created_at, version)
    select unhex(md5('account ' || n), ''), 'Account ' || n, 'account ' || n, true, true, 0, 1
    from generate_series(1, 500) n;
    insert into line (id, account_id, number, label, search, integration_type, created_at, version)
    select unhex(md5('line ' || n), ''), unhex(md5('account ' || (1 + n % 500)), ''), '+1202' || (5550000 + n), 'Line ' || n,
      'line ' || n, 'inbox', 0, 1
    from generate_series(1, 5000) n;
    insert into line_digits (line_id, digits)
    select l.id, substr(l.number, 2 + n) from line l cross join generate_series(0, 8) n;
    insert into contact (account_id, number, name, id, search)
    select unhex(md5('account ' || (1 + n % 500)), ''), '+1303' || (5550000 + n), 'Contact ' || n, unhex(md5('contact ' || n), ''),
      'contact ' || n
    from generate_series(1, 20000) n;
    insert into conversation (line_id, id, account_id, number, last_at)
    select l.id, unhex(md5('conversation ' || n), ''), l.account_id, '+1303' || (5550000 + n), n
    from generate_series(1, 40000) n
    join line l on l.id = unhex(md5('line ' || (1 + n % 5000)), '');
    insert into account_user (id, account_id, name, email, search, created_at)
    select unhex(md5('user ' || n), ''), unhex(md5('account ' || (1 + n % 500)), ''), 'User ' || n, 'user' || n || '@example.com',
      'user ' || n, 0
    from generate_series(1, 5000) n;
    insert into staff_member (id, email, name, search, created_at, version)
    select unhex(md5('staff ' || n), ''), 'staff' || n || '@example.com', 'Staff ' || n, 'staff ' || n, 0, 1
    from generate_series(1, 2000) n;
    insert into utility_run (id, utility, state, summary, line_id, account_id, target_id, holds, parameters, answers, plan, version,
      asked_by, asked_at, attempt, failures, batch_size, taken_done)
    select unhex(md5('run ' || n), ''), 'line_transfer', 'succeeded', '', unhex(md5('line ' || n), ''),
      unhex(md5('account ' || (1 + n % 500)), ''), unhex(md5('account ' || (1 + (n + 1) % 500)), ''), '', '{}', '[]', '{}', 1,
      unhex(md5('staff 1'), ''), 0, 0, 0, 1, 0
    from generate_series(1, 5000) n;
    analyze";

fn searches(engine: DbEngine) -> Vec<Statement> {
    let of_searches = files("src").into_iter().filter(|(path, _)| SEARCHES.contains(&path.as_str()));
    let mut found: Vec<Statement> = of_searches.flat_map(|(path, tokens)| statements_of(&path, &tokens)).collect();
    found.retain(|statement| statement.on.contains(&engine));
    assert!(found.len() >= AT_LEAST, "{} statements were found", found.len());
    for path in SEARCHES {
        assert!(found.iter().any(|statement| statement.place.starts_with(&format!("{path}:"))), "{path} has statements");
    }
    for (text, why) in WHOLE {
        assert!(found.iter().any(|statement| statement.text == text), "{text} is there no more: {why}");
    }
    found.retain(|statement| WHOLE.iter().all(|(text, _)| statement.text != *text));
    found
}

/// What of SQLite's plan reads more than an index leads to.
async fn read_whole_by_sqlite(connection: &mut SqliteConnection, text: &str) -> Vec<String> {
    let plan = raw_sql(AssertSqlSafe(format!("explain query plan {text}"))).fetch_all(connection).await.unwrap();
    let steps = plan.iter().map(|row| row.get::<String, _>("detail"));
    // A list that is bound is a virtual table. For an index that is made for the occasion its table is read whole.
    steps.filter(|step| (step.starts_with("SCAN ") && !step.contains("VIRTUAL TABLE")) || step.contains("AUTOMATIC")).collect()
}

/// The same of PostgreSQL's.
async fn read_whole_by_postgres(connection: &mut PgConnection, text: &str) -> Vec<String> {
    let count = text.split('$').skip(1).map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>());
    let count = count.map(|digits| digits.parse::<usize>().unwrap()).max().unwrap_or(0);
    let values = if count == 0 { String::new() } else { format!("({})", vec!["null"; count].join(", ")) };
    raw_sql(AssertSqlSafe(format!("prepare search as {text}"))).execute(&mut *connection).await.unwrap();
    let plan = raw_sql(AssertSqlSafe(format!("explain (format json) execute search{values}"))).fetch_one(&mut *connection).await.unwrap();
    raw_sql("deallocate search").execute(connection).await.unwrap();
    let plan: Value = serde_json::from_str(&plan.get_unchecked::<String, _>(0)).unwrap();
    let mut found = Vec::new();
    gather(&plan[0]["Plan"], &mut found);
    found
}

fn gather(plan: &Value, found: &mut Vec<String>) {
    let word = |key: &str| plan[key].as_str().unwrap_or_default();
    let (kind, table) = (word("Node Type"), word("Relation Name"));
    // A bitmap is of what the index below it was asked for.
    let is_led = !plan["Index Cond"].is_null() || kind == "Bitmap Heap Scan";
    if GROW.contains(&table) && kind.ends_with("Scan") && !is_led {
        found.push(format!("{kind} of {table}"));
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        gather(below, found);
    }
}

fn none_is(refused: &[(Statement, Vec<String>)]) {
    let told = refused.iter().map(|(statement, steps)| format!("{}: {steps:?}\n{}\n\n", statement.place, statement.text));
    assert!(refused.is_empty(), "what no index carries:\n{}", told.collect::<String>());
}

#[tokio::test]
async fn each_search_walks_its_index_on_sqlite() {
    with_database(DbEngine::Sqlite, async |url: &str| {
        let db = Db::open(url, 2).await.unwrap();
        db.migrate().await.unwrap();
        db.close().await;
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        assert_ne!(read_whole_by_sqlite(&mut connection, WITHOUT_INDEX).await, [] as [String; 0], "what has no index is found out");
        let mut refused = Vec::new();
        for statement in searches(DbEngine::Sqlite) {
            let steps = read_whole_by_sqlite(&mut connection, &statement.text).await;
            if !steps.is_empty() {
                refused.push((statement, steps));
            }
        }
        none_is(&refused);
    })
    .await;
}

#[tokio::test]
async fn each_search_walks_its_index_on_postgres() {
    with_database(DbEngine::Postgres, async |url: &str| {
        let db = Db::open(url, 2).await.unwrap();
        db.migrate().await.unwrap();
        db.close().await;
        let mut connection = PgConnection::connect(url).await.unwrap();
        raw_sql(FILLED).execute(&mut connection).await.unwrap();
        raw_sql(ROW_BY_ROW).execute(&mut connection).await.unwrap();
        assert_ne!(read_whole_by_postgres(&mut connection, WITHOUT_INDEX).await, [] as [String; 0], "what has no index is found out");
        let mut refused = Vec::new();
        for statement in searches(DbEngine::Postgres) {
            let steps = read_whole_by_postgres(&mut connection, &statement.text).await;
            if !steps.is_empty() {
                refused.push((statement, steps));
            }
        }
        none_is(&refused);
    })
    .await;
}
