//! The schemas of the two engines say the same, and keep the rules that the plan builds on.

use crate::harness::{DbEngine, with_database};
use std::collections::{BTreeMap, BTreeSet};
use switchyard::db::Db;
use switchyard::utilities::line_transfer;

/// A column: its class (`bytes`, `text`, `integer`) and whether it may be null.
type Columns = BTreeMap<String, (String, bool)>;
/// An index: its columns in order, whether it is unique, whether it is partial, whether it is the primary key.
type Index = (Vec<String>, bool, bool, bool);
type Indexes = BTreeSet<Index>;

#[derive(Debug, PartialEq)]
struct Table {
    columns: Columns,
    indexes: Indexes,
}

async fn tables_of_sqlite(db: &Db) -> BTreeMap<String, Table> {
    let columns: Vec<(String, String, String, bool)> = db
        .all(
            // Generated columns are in the longer one of the two lists alone; `type` says how they come about, too.
            "select m.name, c.name, replace(lower(c.type), ' generated always', ''), c.\"notnull\" = 0
             from sqlite_master m
             join pragma_table_xinfo(m.name) c
             where m.type = 'table' and m.name not like '\\_sqlx%' escape '\\' and m.name not like 'sqlite%'",
            (),
        )
        .await
        .unwrap();
    let indexes: Vec<(String, String, bool, bool, bool, String)> = db
        .all(
            "select m.name, i.name, i.\"unique\", i.partial, i.origin = 'pk', c.name
             from sqlite_master m
             join pragma_index_list(m.name) i
             join pragma_index_info(i.name) c
             where m.type = 'table' and m.name not like '\\_sqlx%' escape '\\' and m.name not like 'sqlite%'
             order by m.name, i.name, c.seqno",
            (),
        )
        .await
        .unwrap();
    gathered(columns, indexes)
}

async fn tables_of_postgres(db: &Db) -> BTreeMap<String, Table> {
    let columns: Vec<(String, String, String, bool)> = db
        .all(
            "select c.relname::text, a.attname::text, t.typname::text, not a.attnotnull
             from pg_class c
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             join pg_type t on t.oid = a.atttypid
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like '\\_sqlx%'",
            (),
        )
        .await
        .unwrap();
    let indexes: Vec<(String, String, bool, bool, bool, String)> = db
        .all(
            "select c.relname::text, n.relname::text, i.indisunique, i.indpred is not null, i.indisprimary, a.attname::text
             from pg_index i
             join pg_class c on c.oid = i.indrelid
             join pg_class n on n.oid = i.indexrelid
             join lateral unnest(i.indkey) with ordinality k (attnum, place) on true
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
             where c.relnamespace = 'public'::regnamespace and c.relname not like '\\_sqlx%'
             order by c.relname, n.relname, k.place",
            (),
        )
        .await
        .unwrap();
    gathered(columns, indexes)
}

fn gathered(
    columns: Vec<(String, String, String, bool)>,
    indexes: Vec<(String, String, bool, bool, bool, String)>,
) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (table, column, kind, nullable) in columns {
        let class = match kind.as_str() {
            "blob" | "uuid" | "bytea" => "bytes",
            "integer" | "int8" | "bool" => "integer",
            other => other,
        };
        let table = tables.entry(table).or_insert_with(|| Table { columns: Columns::new(), indexes: Indexes::new() });
        table.columns.insert(column, (class.to_owned(), nullable));
    }
    let mut keys: BTreeMap<(String, String), Index> = BTreeMap::new();
    for (table, index, unique, partial, primary, column) in indexes {
        keys.entry((table, index)).or_insert((Vec::new(), unique, partial, primary)).0.push(column);
    }
    for ((table, _), index) in keys {
        tables.get_mut(&table).unwrap().indexes.insert(index);
    }
    tables
}

async fn migrated(url: &str) -> Db {
    let db = Db::open(url, 2).await.unwrap();
    db.migrate().await.unwrap();
    db
}

async fn tables(db: &Db) -> BTreeMap<String, Table> {
    match db.engine() {
        DbEngine::Sqlite => tables_of_sqlite(db).await,
        DbEngine::Postgres => tables_of_postgres(db).await,
    }
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_indexes() {
    with_database(DbEngine::Postgres, async |postgres: &str| {
        with_database(DbEngine::Sqlite, async |sqlite: &str| {
            let (postgres, sqlite) = (migrated(postgres).await, migrated(sqlite).await);
            let (left, right) = (tables(&postgres).await, tables(&sqlite).await);
            assert!(left.len() >= 70, "{} tables were read", left.len());
            assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
            for (name, table) in &left {
                assert_eq!(*table, right[name], "{name}: PostgreSQL left, SQLite right");
            }
            postgres.close().await;
        })
        .await;
    })
    .await;
}

/// So that rows can be distributed by line, and a transfer never changes the distribution key.
#[tokio::test]
async fn a_lines_tables_have_the_line_first_in_their_key() {
    for engine in [DbEngine::Sqlite, DbEngine::Postgres] {
        with_database(engine, async |url: &str| {
            let db = migrated(url).await;
            let tables = tables(&db).await;
            // The audit and the runs are of the whole platform, and read by line through an index. `chat` leads from RingCentral's id to the
            // line.
            let elsewhere = ["audit_entry", "chat", "utility_run"];
            let of_lines: Vec<_> = tables
                .iter()
                .filter(|(name, table)| table.columns.contains_key("line_id") && !elsewhere.contains(&name.as_str()))
                .collect();
            assert!(of_lines.len() >= 15, "{of_lines:?}");
            for (name, table) in of_lines {
                let Some((columns, ..)) = table.indexes.iter().find(|(.., primary)| *primary) else { continue };
                assert_eq!(columns[0], "line_id", "{name}");
            }
            db.close().await;
        })
        .await;
    }
}

/// A page must come in the same order on both engines.
#[tokio::test]
async fn postgres_compares_every_indexed_text_bytewise() {
    with_database(DbEngine::Postgres, async |url: &str| {
        let db = migrated(url).await;
        let other: Vec<(String, String)> = db
            .all(
                "select distinct c.relname::text, a.attname::text
                 from pg_index i
                 join pg_class c on c.oid = i.indrelid and c.relnamespace = 'public'::regnamespace and c.relname not like '\\_sqlx%'
                 join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
                 join pg_collation k on k.oid = a.attcollation
                 where k.collname <> 'C'",
                (),
            )
            .await
            .unwrap();
        assert_eq!(other, [], "columns that compare by the database's locale");
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    for engine in [DbEngine::Sqlite, DbEngine::Postgres] {
        with_database(engine, async |url: &str| {
            let db = migrated(url).await;
            let before = tables(&db).await;
            db.migrate().await.unwrap();
            assert_eq!(tables(&db).await, before);
            db.close().await;
        })
        .await;
    }
}

/// A transfer must know of everything that hangs on a line.
#[tokio::test]
async fn every_table_with_a_line_is_on_the_list_of_what_a_transfer_does_to_it() {
    with_database(DbEngine::Sqlite, async |url: &str| {
        let db = migrated(url).await;
        let tables = tables(&db).await;
        let with_line: BTreeSet<&str> =
            tables.iter().filter(|(_, table)| table.columns.contains_key("line_id")).map(|(name, _)| name.as_str()).collect();
        let listed: Vec<&str> = line_transfer::owned().map(|entry| entry.table).collect();
        assert_eq!(with_line, listed.iter().copied().collect(), "the schema left, the list right");
        assert_eq!(listed.len(), with_line.len(), "each stands once");
        for entry in line_transfer::owned() {
            let moves = line_transfer::moves(entry.table);
            let names_account = tables[entry.table].columns.contains_key("account_id");
            assert_eq!(moves, names_account && !line_transfer::stays(entry), "{}: {}", entry.table, entry.how);
        }
        db.close().await;
    })
    .await;
}
