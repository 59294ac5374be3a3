//! What is taken in from files: consent, and the platform's first version. Each row has its outcome, nothing goes in twice, and no import
//! texts anybody or weakens an opt-out.

mod consent;
mod shell;
mod v1;

use crate::harness::{TestApp, TestLine};
use crate::house::proof;
use std::collections::BTreeMap;
use switchyard::staff::Member;
use switchyard::types::{Problem, RunAct, RunDetail, RunError, RunId, RunState, UtilityKind};
use switchyard::utilities::{self, Worker, WorkerConfig};

/// More rows than a test has.
const ALONE: i64 = 1_000_000;

async fn plan(app: &TestApp, member: &Member, kind: UtilityKind, answers: &[(&str, String)], file: &str) -> Result<RunId, Problem> {
    let answers: BTreeMap<String, String> = answers.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect();
    utilities::plan(&app.db, &app.now, member, kind, &answers, Some(file.as_bytes()), ALONE).await
}

async fn seen(app: &TestApp, run: RunId) -> RunDetail {
    utilities::get(&app.db, &app.now, &app.staff, run).await.unwrap()
}

async fn start(app: &TestApp, run: RunId) {
    let typed = seen(app, run).await.plan.confirm.unwrap().1;
    utilities::start(&app.db, &app.now, &app.staff, proof(), run, &typed, "").await.unwrap();
}

fn worker(app: &TestApp) -> Worker {
    Worker::new(app.db.clone(), app.now.clone(), WorkerConfig::default())
}

/// Works until the run is over; says what it wrote in the log behind its last step.
async fn finish(app: &TestApp, run: RunId) -> RunDetail {
    while worker(app).step().await.unwrap() {}
    let run = seen(app, run).await;
    assert_eq!(run.row.state, RunState::Succeeded, "{:?}", run.error);
    assert_eq!(run.row.done, run.row.total);
    assert!(run.events.iter().any(|event| event.text.starts_with("Verifying: ")), "{:?}", run.events);
    let (left,): (i64,) = app.db.one("select count(*) from utility_input where run_id = $1", [run.row.id]).await.unwrap();
    assert_eq!(left, 0, "what is done with is forgotten");
    run
}

/// Works until the file is in and nothing of it is recounted.
async fn take_in(app: &TestApp, run: RunId) {
    let left = "select count(*) from utility_step where run_id = $1 and not is_check and ended_at is null";
    while app.db.one::<(i64,)>(left, [run]).await.unwrap().0 > 0 {
        assert!(worker(app).step().await.unwrap());
    }
    assert_eq!(seen(app, run).await.row.state, RunState::Running);
}

/// Works until the recount fails; says with what.
async fn stopped(app: &TestApp, run: RunId) -> RunError {
    while worker(app).step().await.unwrap() {}
    let run = seen(app, run).await;
    assert_eq!(run.row.state, RunState::Failed);
    assert_eq!(run.acts, [RunAct::Resume, RunAct::Cancel]);
    let error = run.error.unwrap();
    assert!(error.text.starts_with("Not everything is as the result says. ") && error.step.starts_with("Recount: "), "{error:?}");
    assert!(run.events.iter().any(|event| event.text.contains(&error.text) && event.text.contains(&error.what_to_do)));
    error
}

/// What to do about what the file brings again.
const AGAIN: &str = "Run the same file again: what is there stays as it is.";

async fn cancel(app: &TestApp, run: RunId) {
    utilities::act(&app.db, &app.now, &app.staff, run, RunAct::Cancel).await.unwrap();
    assert_eq!(seen(app, run).await.row.state, RunState::Cancelled);
}

/// The result as it is downloaded.
async fn result(app: &TestApp, run: RunId) -> String {
    let (mut text, mut piece) = (String::new(), 0);
    while let Some(part) = utilities::result(&app.db, &app.staff, run, piece).await.unwrap() {
        text.push_str(&part);
        piece += 1;
    }
    text
}

/// The cells of the result, by the row of the file; none holds a quote or a comma.
async fn outcomes(app: &TestApp, run: RunId) -> BTreeMap<i64, Vec<String>> {
    let text = result(app, run).await;
    let mut rows = BTreeMap::new();
    for line in text.lines().skip(1) {
        let mut cells = line.strip_prefix('"').unwrap().strip_suffix('"').unwrap().split("\",\"").map(str::to_owned);
        let row = cells.next().unwrap().parse().unwrap();
        assert!(rows.insert(row, cells.collect()).is_none(), "row {row} stands there once");
    }
    rows
}

/// What is on record of a line: number, state, source, whether it has evidence, when.
async fn consents(app: &TestApp, line: &TestLine) -> Vec<(String, String, String, bool, i64)> {
    let text = "select number, state, source, evidence is not null, at from consent where line_id = $1 order by number";
    app.db.all(text, [line.id]).await.unwrap()
}

/// What a statement counts.
pub async fn count(app: &TestApp, text: &'static str) -> i64 {
    let (count,): (i64,) = app.db.one(text, ()).await.unwrap();
    count
}
