//! Every statement in the code is prepared by both engines: a misspelt column or one dialect's word is found without a test that runs
//! it. The statements are read from the source, so a new one is held to it by being written.

mod plans;

use crate::harness::{DbEngine, with_database};
use crate::source::{Token, files};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};
use switchyard::db::Db;
use switchyard::utilities::line_transfer;

/// Where statements may be; screens have none.
const FOLDERS: [&str; 2] = ["src", "server/src"];
const SCREENS: &str = "app/src";
/// The verbs of `Db` and `Tx`.
const VERBS: [&str; 5] = ["one", "opt", "all", "run", "stream"];
/// What makes statements of a text: macros, each in the file that uses it.
const MACROS: [&str; 11] = [
    "approvals_sql",
    "audit_sql",
    "erasure_sql",
    "list_sql",
    "members_sql",
    "named_sql",
    "oldest_sql",
    "pairs_sql",
    "row_sql",
    "runs_sql",
    "unsent_sql",
];
/// First arguments of verbs that are neither a text nor a constant: the file, the name, and why it is covered all the same.
const NAMED: [(&str, &str, &str); 4] = [
    ("src/search.rs", "unfolded", "one of the texts of the rooms that have names"),
    ("src/search.rs", "write", "one of the texts of the rooms that have names"),
    ("src/sync/engine/lease.rs", "claim", "one of the constants CLAIM and CLAIM_WITHOUT_LOCK"),
    ("src/utilities/line_transfer/moving.rs", "moving", "one of the constants of the rooms that own a line's tables"),
];
/// What only one engine is ever asked: how it begins, and why.
const POSTGRES_ONLY: [(&str, &str); 2] = [
    ("select pg_notify", "SQLite has one process and needs no notices"),
    ("select pg_backend_pid", "so that a process knows its own notices"),
];
/// There were some 900 statements and as many calls when this was written; a scan that finds far fewer is broken.
const AT_LEAST: usize = 850;

#[derive(Debug)]
struct Statement {
    place: String,
    text: String,
    on: Vec<DbEngine>,
}

fn begins_a_statement(text: &str) -> bool {
    let word = text.trim_start().split([' ', '\n']).next().unwrap_or_default();
    ["select", "insert", "update", "delete", "with"].contains(&word) && text.trim_start().contains([' ', '\n'])
}

/// What only one engine is asked stands behind its name.
fn engines_of(field: Option<&str>) -> Vec<DbEngine> {
    match field {
        Some("sqlite") => vec![DbEngine::Sqlite],
        Some("postgres") => vec![DbEngine::Postgres],
        _ => vec![DbEngine::Sqlite, DbEngine::Postgres],
    }
}

/// What a macro makes of a text: this around it.
struct Template {
    name: String,
    head: String,
    tail: String,
    on: Vec<DbEngine>,
}

/// The statements of a file: texts that begin as one, and what a macro makes of a text around its one parameter, which may hold macros
/// that are a text.
fn statements_of(path: &str, tokens: &[Token]) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut templates: Vec<Template> = Vec::new();
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    let mut macro_name = "";
    let mut n = 0;
    while n < tokens.len() {
        let before = |back: usize| n.checked_sub(back).map(|n| &tokens[n]);
        if before(2).is_some_and(|t| t.is("macro_rules")) {
            macro_name = tokens[n].name().unwrap_or_default();
        }
        let field = before(2).filter(|_| before(1).is_some_and(|t| t.is(":"))).and_then(Token::name);
        if tokens[n].is("concat") && tokens[n + 2].is("(") {
            let mut depth = 0;
            let end = (n..tokens.len()).find(|at| {
                depth += i32::from(tokens[*at].is("(")) - i32::from(tokens[*at].is(")"));
                depth == 0 && tokens[*at].is(")")
            });
            let end = end.unwrap();
            let parameter = (n..end).find(|at| tokens[*at].is("$")).unwrap_or(end);
            let joined = |part: &[Token]| {
                let texts = part.iter().filter_map(|t| t.text().or_else(|| texts.get(t.name()?).copied()));
                texts.collect::<String>()
            };
            if begins_a_statement(&joined(&tokens[n..end])) {
                templates.push(Template {
                    name: macro_name.to_owned(),
                    head: joined(&tokens[n..parameter]),
                    tail: joined(&tokens[parameter..end]),
                    on: engines_of(field),
                });
            }
            n = end;
            continue;
        }
        let place = || format!("{path}:{}", tokens[n].line);
        if let Some(text) = tokens[n].text() {
            let invoked = before(3).and_then(Token::name).filter(|_| before(2).is_some_and(|t| t.is("!")));
            let made: Vec<_> = templates.iter().filter(|template| invoked == Some(&template.name)).collect();
            if !made.is_empty() {
                found.extend(made.into_iter().map(|Template { head, tail, on, .. }| Statement {
                    place: place(),
                    text: format!("{head}{text}{tail}"),
                    on: on.clone(),
                }));
            } else if begins_a_statement(text) {
                let only_postgres = POSTGRES_ONLY.iter().any(|(begin, _)| text.starts_with(begin));
                let on = engines_of(if only_postgres { Some("postgres") } else { field });
                found.push(Statement { place: place(), text: text.to_owned(), on });
            } else if before(9).is_some_and(|t| t.is("macro_rules")) {
                // macro_rules! name { () => { "…
                texts.insert(macro_name, text);
            }
        }
        n += 1;
    }
    found
}

fn statements() -> Vec<Statement> {
    let all: Vec<_> = FOLDERS.iter().flat_map(|folder| files(folder)).flat_map(|(path, tokens)| statements_of(&path, &tokens)).collect();
    assert!(all.len() >= AT_LEAST, "{} statements were found", all.len());
    let made = line_transfer::statements().flat_map(|(table, statements)| statements.map(|sql| (table, sql))).flat_map(|(table, sql)| {
        let of = |text: &str, on| Statement { place: format!("the transfer of {table}"), text: text.to_owned(), on: vec![on] };
        [of(sql.sqlite, DbEngine::Sqlite), of(sql.postgres, DbEngine::Postgres)]
    });
    all.into_iter().chain(made).collect()
}

async fn are_prepared(engine: DbEngine) {
    with_database(engine, async |url: &str| {
        let db = Db::open(url, 2).await.unwrap();
        db.migrate().await.unwrap();
        db.close().await;
        let mut refused = Vec::new();
        let nonsense = Statement { place: "nowhere".to_owned(), text: "select colour from line".to_owned(), on: vec![engine] };
        for statement in statements().into_iter().filter(|s| s.on.contains(&engine)).chain([nonsense]) {
            let sql = AssertSqlSafe(statement.text.clone()).into_sql_str();
            // Each on a connection of its own state: nothing that was prepared before helps the next.
            let prepared = match engine {
                DbEngine::Sqlite => SqliteConnection::connect(url).await.unwrap().prepare(sql).await.map(|_| ()),
                DbEngine::Postgres => PgConnection::connect(url).await.unwrap().prepare(sql).await.map(|_| ()),
            };
            refused.extend(prepared.err().map(|error| (statement.place, error.to_string(), statement.text)));
        }
        let nonsense = refused.pop().unwrap();
        assert!(nonsense.0 == "nowhere" && nonsense.1.contains("colour"), "a wrong statement is refused: {nonsense:?}");
        assert!(
            refused.is_empty(),
            "{}",
            refused.iter().map(|(place, why, text)| format!("{place}: {why}\n{text}\n\n")).collect::<String>()
        );
    })
    .await;
}

#[tokio::test]
async fn every_statement_is_prepared_by_sqlite() {
    are_prepared(DbEngine::Sqlite).await;
}

#[tokio::test]
async fn every_statement_is_prepared_by_postgres() {
    are_prepared(DbEngine::Postgres).await;
}

/// What a verb is given is a text that begins as a statement, a constant that holds one, or a macro that makes one: nothing that
/// the scan above would miss.
#[test]
fn no_statement_is_put_together_while_the_program_runs() {
    let (mut unseen, mut calls) = (Vec::new(), 0);
    let files: Vec<_> = FOLDERS.iter().chain([&SCREENS]).flat_map(|folder| files(folder)).collect();
    let constants: BTreeSet<&str> = files
        .iter()
        .flat_map(|(_, tokens)| {
            let places = (1..tokens.len()).filter(|n| tokens[n - 1].is("const"));
            places.filter_map(|n| {
                let value = tokens[n..].iter().take_while(|t| !t.is(";"));
                value.filter_map(Token::text).any(begins_a_statement).then(|| tokens[n].name())?
            })
        })
        .collect();
    for (path, tokens) in &files {
        for n in 2..tokens.len() {
            let is_verb = tokens[n].name().is_some_and(|name| VERBS.contains(&name)) && tokens[n - 1].is(".");
            if !is_verb || !(tokens[n - 2].is("db") || tokens[n - 2].is("tx")) {
                continue;
            }
            calls += 1;
            // Behind the types, if they are named.
            let open = (n..tokens.len()).find(|at| tokens[*at].is("(") && !tokens[*at - 1].is("<") && !tokens[*at - 1].is(",")).unwrap();
            let first = &tokens[open + 1];
            // Of a path, its last name.
            let last = tokens[open + 1..].iter().take_while(|t| t.name().is_some() || t.is(":")).last();
            let stands_there = first.text().is_some_and(begins_a_statement)
                || MACROS.iter().any(|name| first.is(name))
                || last
                    .and_then(Token::name)
                    .is_some_and(|name| constants.contains(name) || NAMED.iter().any(|(file, known, _)| file == path && *known == name));
            if !stands_there || path.starts_with(SCREENS) {
                unseen.push(format!("{path}:{}: {:?}", tokens[n].line, first.what));
            }
        }
    }
    assert!(calls >= AT_LEAST, "{calls} calls were found");
    assert_eq!(unseen, [] as [String; 0], "a statement must be a literal, so that it is prepared by this test");
}
