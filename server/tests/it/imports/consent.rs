//! The Consent Import.

use super::{AGAIN, cancel, consents, count, finish, outcomes, plan, result, seen, start, stopped, take_in, worker};
use crate::harness::{TestApp, TestLine, contact, keys, on_both_engines, tells};
use crate::house::{house, proof};
use crate::transfer::account_of;
use reqwest::Method;
use std::fmt::Write;
use std::time::Duration;
use switchyard::directory::lines;
use switchyard::types::IntegrationType::Inbox;
use switchyard::types::{Problem, Retention, RunAct, RunDetail, RunFilter, RunId, RunState, UtilityKind};
use switchyard::utilities::{Worker, WorkerConfig};
use switchyard::{erasure, retention, utilities};

on_both_engines!(
    every_row_has_its_outcome,
    the_same_file_twice_changes_nothing,
    an_older_import_never_undoes_an_opt_out,
    an_opt_in_of_the_future_is_not_taken,
    an_import_for_an_account_reaches_each_of_its_lines,
    an_import_that_failed_goes_on_behind_its_last_piece,
    a_cancelled_import_leaves_whole_pieces_and_forgets_the_rest,
    whoever_takes_a_result_is_in_the_audit,
    a_result_goes_when_its_account_has_kept_it_long_enough,
    a_plan_says_what_would_be_and_changes_nothing,
    a_plan_whose_planner_left_before_its_file_was_stored_is_nobodys_and_goes,
    what_cannot_be_taken_is_refused_in_words,
    nobody_imports_into_an_account_out_of_their_scope,
    an_erased_contact_is_in_no_result,
    an_erased_contact_is_in_no_result_of_what_could_not_be_taken,
    whoever_was_erased_does_not_come_back_by_a_file,
    an_account_that_was_closed_since_the_plan_gets_nothing,
    a_piece_that_takes_too_long_is_done_in_parts,
    a_good_import_is_recounted_and_its_log_says_so,
    what_is_lost_behind_an_imports_back_fails_it_in_words,
    what_somebody_says_during_an_import_is_newer_and_no_difference,
    a_recount_looks_at_everything_and_when_it_is_resumed_at_what_differed,
    rows_of_a_number_that_lie_in_several_batches_are_no_difference,
);

const KIND: UtilityKind = UtilityKind::ConsentImport;

fn for_line(line: &TestLine) -> Vec<(&'static str, String)> {
    vec![("line", line.id.to_string())]
}

async fn planned(app: &TestApp, line: &TestLine, file: &str) -> RunId {
    plan(app, &app.staff, KIND, &for_line(line), file).await.unwrap()
}

async fn import(app: &TestApp, line: &TestLine, file: &str) -> RunDetail {
    let run = planned(app, line, file).await;
    start(app, run).await;
    finish(app, run).await
}

/// An outcome and its reason.
fn of(rows: &std::collections::BTreeMap<i64, Vec<String>>, row: i64) -> (&str, &str) {
    (rows[&row][3].as_str(), rows[&row][4].as_str())
}

async fn erase(app: &TestApp, line: &TestLine, number: &str) {
    let account = account_of(app, line.id).await;
    let permit = || app.staff.permit().unwrap();
    let id = erasure::ask(&app.db, &app.now, &keys(), &permit(), account, number, "Request 7").await.unwrap();
    erasure::erase(&app.db, &app.now, &keys(), &permit(), proof(), id, &number[number.len() - 4..]).await.unwrap();
}

/// Many contacts, none of whom is known.
fn many(rows: usize) -> String {
    let mut text = "number,status\n".to_owned();
    for n in (100..100 + rows).rev() {
        writeln!(text, "{},opted_in", contact(n)).unwrap();
    }
    text
}

async fn every_row_has_its_outcome(app: &TestApp) {
    let line = app.line(Inbox).await;
    for (n, word) in [(1, "STOP"), (2, "START"), (3, "STOP"), (4, "STOP")] {
        app.reply(&contact(n), &line, word).await;
    }
    app.work().await;
    erase(app, &line, &contact(3)).await;
    app.pass(2 * 24 * 60 * 60);
    let [stopped, started, erased, later, new] = [1, 2, 3, 4, 10].map(contact);
    let file = format!(
        "number,status,at,evidence\n\
         {new},opted_in,,\n\
         {new},opted in,,\n\
         {new},STOP,2026-11-21T10:00:00Z,\n\
         {stopped},opted_in,,paper form\n\
         {stopped},opted_in,2020-01-01,paper form\n\
         {stopped},opted_in,2026-11-22,\n\
         {later},opted_in,2026-11-22,paper form 17\n\
         {started},opted_in,2026-11-22,\n\
         {started},opted_out,2020-01-01,\n\
         2025550143,opted_in,,\n\
         {new},maybe,,\n\
         {erased},opted_in,2026-11-22,paper form\n\
         {erased},opted_out,,\n\
         {new},opted_in,2031-01-01,\n"
    );
    let run = import(app, &line, &file).await;
    let rows = outcomes(app, run.row.id).await;
    let found: Vec<(&str, &str)> = (2..=15).map(|row| of(&rows, row)).collect();
    assert_eq!(
        found,
        [
            ("created", ""),
            ("unchanged", ""),
            ("updated", ""),
            ("kept opted-out", "it does not say when it was given"),
            ("kept opted-out", "it is not later than the opt-out"),
            ("kept opted-out", "it is later than the opt-out, and has no evidence"),
            ("updated", ""),
            ("unchanged", ""),
            ("unchanged", "older than the opt-in that is on record"),
            ("invalid", "the number is not one with + and country code"),
            ("invalid", "the status is neither opted_in nor opted_out"),
            ("kept opted-out", "opted out before they were erased; that stays"),
            ("unchanged", "opted out before they were erased"),
            ("invalid", "the time lies in the future"),
        ]
    );
    let first_line = result(app, run.row.id).await.lines().next().unwrap().to_owned();
    assert_eq!(first_line, "\"row\",\"number\",\"line\",\"status\",\"outcome\",\"reason\"");
    assert_eq!(rows[&2][..3], [format!("'{new}"), "Front desk".to_owned(), "opted_in".to_owned()], "no cell begins as a formula");
    assert!(run.events.iter().any(|event| event.text == "Created 1, updated 2, unchanged 4, kept opted-out 4."), "{:?}", run.events);
    let says = run.events.iter().map(|event| event.text.as_str()).chain([run.row.summary.as_str()]).collect::<String>();
    assert!(!says.contains("2025550"), "the log holds no number: {says}");

    let stands: Vec<_> = consents(app, &line).await.into_iter().map(|row| (row.0, row.1, row.2, row.3)).collect();
    let stand = |number: &str, state: &str, source: &str, evidence| (number.to_owned(), state.to_owned(), source.to_owned(), evidence);
    let wanted = [
        stand(&stopped, "opted_out", "keyword", false),
        stand(&started, "opted_in", "keyword", false),
        stand(&later, "opted_in", "import", true),
        stand(&new, "opted_out", "import", false),
    ];
    assert_eq!(stands, wanted);
    let said: Vec<(String, String)> =
        app.db.all("select state, source from consent_event where line_id = $1 and number = $2 order by id", (line.id, new)).await.unwrap();
    assert_eq!(said, [("opted_in".to_owned(), "import".to_owned()), ("opted_out".to_owned(), "import".to_owned())]);
}

async fn the_same_file_twice_changes_nothing(app: &TestApp) {
    let line = app.line(Inbox).await;
    let [a, b, c] = [1, 2, 3].map(contact);
    let file = format!(
        "status;evidence;number;at\nin;web form;{a};2026-01-05T10:00:00Z\nout;;{b};\nin;;{c};\nin;web form;{a};2026-01-05T10:00:00Z\nout;;{c};2026-01-05\n"
    );
    import(app, &line, &file).await;
    let (before, events) = (consents(app, &line).await, count(app, "select count(*) from consent_event").await);
    assert_eq!((before.len(), events), (3, 4));
    app.pass(3_600);
    let again = import(app, &line, &file).await;
    let rows = outcomes(app, again.row.id).await;
    let found: Vec<&str> = (2..=6).map(|row| of(&rows, row).0).collect();
    assert_eq!(found, ["unchanged", "unchanged", "kept opted-out", "unchanged", "unchanged"]);
    assert_eq!(consents(app, &line).await, before);
    assert_eq!(count(app, "select count(*) from consent_event").await, events);
}

async fn an_older_import_never_undoes_an_opt_out(app: &TestApp) {
    let line = app.line(Inbox).await;
    let number = contact(1);
    let state = async || consents(app, &line).await.pop().unwrap().1;
    let row = |status: &str, at: &str, evidence: &str| format!("number,status,at,evidence\n{number},{status},{at},{evidence}\n");
    import(app, &line, &row("opted_out", "2026-03-01", "")).await;
    for (at, evidence) in [("2026-02-01", "form"), ("", "form"), ("2026-03-01", "form"), ("2026-04-01", "")] {
        let run = import(app, &line, &row("opted_in", at, evidence)).await;
        assert_eq!(of(&outcomes(app, run.row.id).await, 2).0, "kept opted-out", "{at} {evidence}");
        assert_eq!(state().await, "opted_out", "{at} {evidence}");
    }
    import(app, &line, &row("opted_in", "2026-04-01", "form")).await;
    assert_eq!(state().await, "opted_in");
    import(app, &line, &row("opted_out", "2026-03-01", "")).await;
    assert_eq!(state().await, "opted_in", "it is older than what lifted it");
    import(app, &line, &row("opted_out", "", "")).await;
    assert_eq!(state().await, "opted_out", "nobody says when: the more restrictive reading counts");
    // What the contact says for themselves counts at once.
    app.reply(&number, &line, "START").await;
    assert_eq!(state().await, "opted_in");
    let ahead = seen(app, planned(app, &line, &row("opted_out", "2027-01-01", "")).await).await;
    assert!(ahead.plan.conflicts[0].contains("the time lies in the future"), "{:?}", ahead.plan.conflicts);
}

async fn an_opt_in_of_the_future_is_not_taken(app: &TestApp) {
    let line = app.line(Inbox).await;
    let (at, soon) = (app.now.at(), app.now.at().plus(Duration::from_secs(3_600)));
    let (now, ahead) = (at.rfc3339(), soon.rfc3339());
    let [fresh, stored] = [1, 2].map(contact);
    // One that was taken in before such were refused.
    let (account, number) = (account_of(app, line.id).await, stored.clone());
    app.db
        .work(async |tx| {
            tx.run(
                "insert into consent (line_id, number, account_id, state, source, evidence, at)
                 values ($1, $2, $3, 'opted_in', 'import', 'form', $4)",
                (line.id, number, account, soon),
            )
            .await
        })
        .await
        .unwrap();
    let file = format!("number,status,at,evidence\n{fresh},opted_in,{ahead},form\n{fresh},opted_out,{now},\n{stored},opted_out,{now},\n");
    let run = import(app, &line, &file).await;
    let rows = outcomes(app, run.row.id).await;
    assert_eq!(of(&rows, 2), ("invalid", "the time lies in the future"));
    assert_eq!((of(&rows, 3), of(&rows, 4)), (("created", ""), ("updated", "")));
    let states: Vec<String> = consents(app, &line).await.into_iter().map(|row| row.1).collect();
    assert_eq!(states, ["opted_out", "opted_out"], "a later opt-out is not beaten by what nobody can have said yet");
}

async fn an_import_for_an_account_reaches_each_of_its_lines(app: &TestApp) {
    let (first, foreign) = (app.line(Inbox).await, app.line(Inbox).await);
    let account = account_of(app, first.id).await;
    let permit = app.staff.permit().unwrap();
    let mut ids = vec![first.id];
    for (number, label) in [("+12025550118", "Kitchen"), ("+12025550119", "Garden")] {
        ids.push(lines::add(&app.db, &app.now, &permit, account, number, label, Inbox).await.unwrap());
    }
    let file = format!("number,status\n{},opted_out\nnobody,opted_out\n{},opted_in\n", contact(1), contact(2));
    let run = plan(app, &app.staff, KIND, &[("account", account.to_string())], &file).await.unwrap();
    assert_eq!(seen(app, run).await.plan.confirm.unwrap(), ("the account’s name".to_owned(), "Account 0".to_owned()));
    start(app, run).await;
    // One of them is given away before its turn.
    let (gone, to) = (ids[2], account_of(app, foreign.id).await);
    app.db.work(async |tx| tx.run("update line set account_id = $2 where id = $1", (gone, to)).await).await.unwrap();
    let run = finish(app, run).await;
    let text = result(app, run.row.id).await;
    assert_eq!(text.lines().count(), 1 + 1 + 2 * 3, "{text}");
    for (label, outcome) in [("Front desk", "created"), ("Kitchen", "created"), ("Garden", "invalid")] {
        let rows = text.lines().filter(|row| row.contains(&format!("\"{label}\"")) && row.contains(&format!("\"{outcome}\"")));
        assert_eq!(rows.count(), 2, "{label}: {text}");
    }
    let stands: Vec<(i64,)> = app.db.all("select count(*) from consent group by line_id", ()).await.unwrap();
    assert_eq!(stands, [(2,), (2,)]);
}

async fn an_import_that_failed_goes_on_behind_its_last_piece(app: &TestApp) {
    let line = app.line(Inbox).await;
    let run = planned(app, &line, &many(5_000)).await;
    start(app, run).await;
    assert!(worker(app).step().await.unwrap());
    let (body,): (String,) = app.db.one("select body from utility_input where run_id = $1 and n = 1", [run]).await.unwrap();
    app.db.work(async |tx| tx.run("update utility_input set body = 'rubbish' where run_id = $1 and n = 1", [run]).await).await.unwrap();
    assert!(worker(app).step().await.unwrap());
    let failed = seen(app, run).await;
    assert_eq!((failed.row.state, failed.row.done), (RunState::Failed, 2_000));
    assert_eq!(failed.error.unwrap().behind, 2_000);
    assert_eq!(count(app, "select count(*) from consent").await, 2_000, "nothing of the piece that failed");

    app.db.work(async |tx| tx.run("update utility_input set body = $2 where run_id = $1 and n = 1", (run, body)).await).await.unwrap();
    utilities::act(&app.db, &app.now, &app.staff, run, RunAct::Resume).await.unwrap();
    let run = finish(app, run).await;
    assert!(run.events.iter().any(|event| event.text.starts_with("Created 5000, updated 0, unchanged 0")), "{:?}", run.events);
    assert_eq!(count(app, "select count(*) from consent").await, 5_000);
    assert_eq!(count(app, "select count(*) from consent_event").await, 5_000);
    let rows = outcomes(app, run.row.id).await;
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (2..=5_001).collect::<Vec<i64>>());

    // A batch that was done, and is asked for again all the same, changes nothing.
    let before = result(app, run.row.id).await;
    app.db
        .work(async |tx| {
            tx.run("update utility_run set state = 'running', due_at = 0, lease_until = null where id = $1", [run.row.id]).await?;
            tx.run("update utility_step set ended_at = null, place = null where run_id = $1", [run.row.id]).await
        })
        .await
        .unwrap();
    while worker(app).step().await.unwrap() {}
    assert_eq!(result(app, run.row.id).await, before);
    assert_eq!(count(app, "select count(*) from consent_event").await, 5_000);
}

async fn a_cancelled_import_leaves_whole_pieces_and_forgets_the_rest(app: &TestApp) {
    let line = app.line(Inbox).await;
    let run = planned(app, &line, &many(5_000)).await;
    start(app, run).await;
    assert!(worker(app).step().await.unwrap());
    utilities::act(&app.db, &app.now, &app.staff, run, RunAct::Cancel).await.unwrap();
    while worker(app).step().await.unwrap() {}
    assert_eq!(seen(app, run).await.row.state, RunState::Cancelled);
    assert_eq!(count(app, "select count(*) from consent").await, 2_000);
    assert_eq!(outcomes(app, run).await.len(), 2_000);
    assert_eq!(count(app, "select count(*) from utility_input").await, 0);
}

async fn whoever_takes_a_result_is_in_the_audit(app: &TestApp) {
    let line = app.line(Inbox).await;
    let run = import(app, &line, &format!("number,status\n{},in\n", contact(1))).await.row.id;
    let taken = || count(app, "select count(*) from audit_entry where action = 'utility.take_result' and outcome = 'seen'");
    let before = taken().await;
    for _ in 0..2 {
        let answer = app.ask(&app.staff, Method::GET, &format!("/utilities/runs/{run}/result.csv"), &[]).await;
        assert!(answer.text().await.unwrap().contains(&contact(1)));
    }
    assert_eq!(taken().await, before + 1, "once in ten minutes");
}

async fn a_result_goes_when_its_account_has_kept_it_long_enough(app: &TestApp) {
    let line = app.line(Inbox).await;
    let run = import(app, &line, &format!("number,status\n{},in\n", contact(1))).await.row.id;
    let wanted = Retention { message_days: Some(30), ..Retention::default() };
    let account = account_of(app, line.id).await;
    retention::set(&app.db, &app.now, &app.staff.permit().unwrap(), proof(), Some(account), wanted).await.unwrap();
    retention::work_off(&app.db, &app.now).await.unwrap();
    assert!(seen(app, run).await.result.is_some());
    app.pass(31 * 24 * 60 * 60);
    retention::work_off(&app.db, &app.now).await.unwrap();
    let seen = seen(app, run).await;
    assert!(seen.result.is_none() && seen.events[0].text.contains("for 30 days"), "{:?}", seen.events);
}

async fn a_plan_says_what_would_be_and_changes_nothing(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(1), &line, "STOP").await;
    let before = consents(app, &line).await;
    let (stopped, new) = (contact(1), contact(2));
    let file = format!("number,status,at,evidence\n{stopped},in,,\n{new},in,,\n{new},out,,\n{stopped}x,in,,\n");
    let run = seen(app, planned(app, &line, &file).await).await;
    let counts: Vec<i64> = run.plan.counts.iter().map(|count| count.rows).collect();
    assert_eq!(counts, [1, 2, 1], "opt-outs, opt-ins, rows that cannot be taken");
    assert_eq!((run.plan.rows, run.plan.needs_approval), (3, false));
    let said = run.plan.conflicts.join("\n");
    assert!(said.contains("opted out, and stay so, as far as is known now: 1."), "{said}");
    assert!(said.contains("Rows whose number stands in the file before: 1."), "{said}");
    assert!(said.contains("An opt-out wins, unless a later opt-in says when it was given and has evidence."), "{said}");
    assert!(said.contains("listed in the result: 1. The first: line 5: the number"), "{said}");
    assert!(!said.contains("202555"), "{said}");
    assert_eq!(run.plan.confirm.unwrap().1, line.number);
    assert_eq!(consents(app, &line).await, before);
    assert_eq!(count(app, "select count(*) from utility_output").await, 0);
    let answers = [("line".to_owned(), line.id.to_string())].into();
    let many = utilities::plan(&app.db, &app.now, &app.staff, KIND, &answers, Some(file.as_bytes()), 2);
    assert!(seen(app, many.await.unwrap()).await.plan.needs_approval, "above so many rows a second person has to agree");
}

/// Twenty pieces, stored in three transactions.
const STORED: i64 = 20;

/// A plan of this moment whose file is not stored whole yet.
async fn half_stored(app: &TestApp) -> RunId {
    let text = "select r.id from utility_run r
         where r.state = 'planned' and r.asked_at = $1 and (select count(*) from utility_input i where i.run_id = r.id) < $2";
    loop {
        if let Some((run,)) = app.db.opt::<(RunId,)>(text, (app.now.at(), STORED)).await.unwrap() {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A plan whose planner leaves while its file is being stored, as a browser does that is closed.
async fn left_half_way(app: &TestApp, line: &TestLine) -> RunId {
    let file = many(40_000);
    for _ in 0..50 {
        app.pass(1);
        let left = tokio::select! {
            biased;
            run = half_stored(app) => run,
            // It was too quick.
            _ = planned(app, line, &file) => continue,
        };
        let stored = "select count(*) from utility_input where run_id = $1";
        let (stored,): (i64,) = app.db.work(async |tx| tx.one(stored, [left]).await).await.unwrap();
        if stored < STORED {
            return left;
        }
    }
    panic!("every file was stored before its planner could leave");
}

async fn a_plan_whose_planner_left_before_its_file_was_stored_is_nobodys_and_goes(app: &TestApp) {
    let line = app.line(Inbox).await;
    let file = format!("number,status\n{},in\n", contact(1));
    let run = left_half_way(app, &line).await;
    assert!(matches!(utilities::get(&app.db, &app.now, &app.staff, run).await, Err(Problem::NotFound { .. })));
    let started = utilities::start(&app.db, &app.now, &app.staff, proof(), run, &line.number, "").await;
    assert!(matches!(started, Err(Problem::NotFound { .. })), "{started:?}");
    let filter = RunFilter { state: Some(RunState::Planned), ..RunFilter::default() };
    let listed = utilities::list(&app.db, &app.staff.permit().unwrap(), &filter, None, 9).await.unwrap().rows;
    assert!(listed.is_empty(), "{listed:?}");
    let left = async || (count(app, "select count(*) from utility_run").await, count(app, "select count(*) from utility_input").await);
    // The next plan of the same takes its place.
    planned(app, &line, &file).await;
    assert_eq!(left().await, (1, 1));
    // Where nobody plans it again, a worker forgets it within the hour.
    left_half_way(app, &line).await;
    app.pass(3_601);
    assert!(!worker(app).step().await.unwrap());
    assert_eq!(left().await, (0, 0), "nothing of the file is left");
    import(app, &line, &file).await;
}

async fn what_cannot_be_taken_is_refused_in_words(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, line.id).await;
    let both = [("line", line.id.to_string()), ("account", account.to_string())];
    let good = format!("number,status\n{},in\n", contact(1));
    let refused = async |answers: &[(&str, String)], file: &str, field: &str, word: &str| {
        let problem = plan(app, &app.staff, KIND, answers, file).await.unwrap_err();
        assert!(problem.field() == Some(field) && problem.to_string().contains(word), "{problem:?}");
    };
    refused(&[], &good, "line", "Choose a line, or an account").await;
    refused(&both, &good, "account", "not both").await;
    refused(&for_line(&line), "", "file", "Choose a CSV file").await;
    refused(&for_line(&line), "name,colour\nx,y\n", "file", "name the columns").await;
    refused(&for_line(&line), "number,status\nx\0,in\n", "file", "On line 2").await;
    let two = format!("number,consent,status\n{},opted_in,opted_out\n", contact(1));
    refused(&for_line(&line), &two, "file", "consent and status").await;
    let answers = [("line".to_owned(), line.id.to_string())].into();
    let latin = utilities::plan(&app.db, &app.now, &app.staff, KIND, &answers, Some(b"number,status\n\n\xff"), 1);
    assert!(latin.await.unwrap_err().to_string().contains("On line 3"));

    let nothing = planned(app, &line, "number,status\nx,in\n").await;
    let started = utilities::start(&app.db, &app.now, &app.staff, proof(), nothing, &line.number, "").await;
    assert!(matches!(started, Err(Problem::Conflict { .. })), "{started:?}");
    // While one is under way for the account, another one is refused for its line.
    let all = plan(app, &app.staff, KIND, &[("account", account.to_string())], &good).await.unwrap();
    start(app, all).await;
    let second = seen(app, planned(app, &line, &good).await).await;
    assert!(second.plan.obstacles[0].text.contains("Another run is at work"), "{:?}", second.plan.obstacles);
    let other = account_of(app, app.line(Inbox).await.id).await;
    let moves = [("line", line.id.to_string()), ("to", other.to_string())].map(|(name, value)| (name.to_owned(), value)).into();
    let transfer = utilities::plan(&app.db, &app.now, &app.staff, UtilityKind::LineTransfer, &moves, None, i64::MAX).await.unwrap();
    let obstacles = seen(app, transfer).await.plan.obstacles;
    assert!(obstacles.iter().any(|obstacle| obstacle.text.contains("Another run is at work")), "nor does its line move: {obstacles:?}");
    finish(app, all).await;
    import(app, &line, &good).await;
}

async fn nobody_imports_into_an_account_out_of_their_scope(app: &TestApp) {
    let (own, foreign) = (app.line(Inbox).await, app.line(Inbox).await);
    let scoped = house(app).member_of(account_of(app, own.id).await).await;
    let file = format!("number,status\n{},in\n", contact(1));
    assert!(plan(app, &scoped, KIND, &for_line(&own), &file).await.is_ok());
    let to = account_of(app, foreign.id).await.to_string();
    for answers in [for_line(&foreign), vec![("account", to)]] {
        let problem = plan(app, &scoped, KIND, &answers, &file).await.unwrap_err();
        assert!(matches!(problem, Problem::Invalid { .. }), "{problem:?}");
    }
    // Nor do they see what others import there.
    let run = import(app, &foreign, &file).await.row.id;
    assert!(matches!(utilities::get(&app.db, &app.now, &scoped, run).await, Err(Problem::NotFound { .. })));
    assert!(matches!(utilities::result(&app.db, &scoped, run, 0).await, Err(Problem::NotFound { .. })));
}

async fn an_erased_contact_is_in_no_result_of_what_could_not_be_taken(app: &TestApp) {
    let line = app.line(Inbox).await;
    let file = format!("number,status\n+1 (202) 555-0121,maybe\n{},out\n", contact(2));
    let run = import(app, &line, &file).await.row.id;
    assert!(result(app, run).await.contains(&contact(1)), "kept as numbers are");
    erase(app, &line, &contact(1)).await;
    let text = result(app, run).await;
    assert!(!tells(&text, "0121") && text.contains("\"erased\"") && text.contains(&contact(2)), "{text}");
}

async fn whoever_was_erased_does_not_come_back_by_a_file(app: &TestApp) {
    let line = app.line(Inbox).await;
    let [gone, other] = [1, 2].map(contact);
    app.reply(&gone, &line, "Hello").await;
    app.work().await;
    erase(app, &line, &gone).await;
    app.pass(3_600);
    let file = format!(
        "number,status,at,evidence\n{gone},in,2026-11-20,web form\n{gone},out,2026-11-19,\n+1 (202) 555-0121,maybe,,\n{other},in,,\n"
    );
    let run = import(app, &line, &file).await;
    let rows = outcomes(app, run.row.id).await;
    assert_eq!(of(&rows, 2), ("invalid", "its contact was erased here"));
    assert_eq!(of(&rows, 3), ("created", "its contact was erased here: nobody texts them, and their number does not come back"));
    assert_eq!((of(&rows, 4).0, of(&rows, 5).0), ("invalid", "created"));
    assert!([2, 3, 4].iter().all(|row| rows[row][0] == "erased"), "{rows:?}");
    assert!(run.events.iter().any(|event| event.text.contains("of contacts who were erased here: 1.")), "{:?}", run.events);
    let known = async || consents(app, &line).await.into_iter().map(|row| (row.0, row.1)).collect::<Vec<_>>();
    assert_eq!(known().await, [(other.clone(), "opted_in".to_owned())]);
    assert_eq!(count(app, "select count(*) from consent_event where number = '+12025550121'").await, 0);
    let send = async || app.post(&line, "messages", &serde_json::json!({ "line": line.number, "to": gone, "text": "Hello" })).await;
    assert_eq!(send().await.status(), 409, "that they opted out holds all the same");
    // The same file again changes nothing.
    let again = import(app, &line, &file).await;
    let rows = outcomes(app, again.row.id).await;
    assert_eq!((of(&rows, 2).0, of(&rows, 3).0, rows[&2][0].as_str()), ("kept opted-out", "unchanged", "erased"));
    assert_eq!(known().await.len(), 1);
    // Who writes again is known again: that they want no more is taken like anybody's, and an older opt-in stays out.
    app.reply(&gone, &line, "START").await;
    app.work().await;
    let run = import(app, &line, &format!("number,status,at,evidence\n{gone},in,2026-11-21,web form\n{gone},out,,\n")).await;
    let rows = outcomes(app, run.row.id).await;
    assert_eq!((of(&rows, 2).0, of(&rows, 3).0), ("invalid", "updated"));
    assert_eq!((rows[&2][0].clone(), rows[&3][0].clone()), ("erased".to_owned(), format!("'{gone}")));
    assert_eq!(known().await, [(gone.clone(), "opted_out".to_owned()), (other.clone(), "opted_in".to_owned())]);
}

async fn an_account_that_was_closed_since_the_plan_gets_nothing(app: &TestApp) {
    let line = app.line(Inbox).await;
    let account = account_of(app, line.id).await;
    let run = planned(app, &line, &format!("number,status\n{},out\n", contact(1))).await;
    start(app, run).await;
    let close = async |at: Option<i64>| {
        app.db.work(async |tx| tx.run("update account set closed_at = $2 where id = $1", (account, at)).await).await.unwrap();
    };
    close(Some(5)).await;
    while worker(app).step().await.unwrap() {}
    let stopped = seen(app, run).await;
    assert_eq!(stopped.row.state, RunState::Failed);
    assert!(stopped.error.unwrap().text.contains("was closed since the plan"));
    assert_eq!(consents(app, &line).await.len(), 0);
    close(None).await;
    utilities::act(&app.db, &app.now, &app.staff, run, RunAct::Resume).await.unwrap();
    finish(app, run).await;
    assert_eq!(consents(app, &line).await.len(), 1);
}

async fn a_piece_that_takes_too_long_is_done_in_parts(app: &TestApp) {
    let line = app.line(Inbox).await;
    let run = planned(app, &line, &many(3_000)).await;
    start(app, run).await;
    let hasty = Worker::new(app.db.clone(), app.now.clone(), WorkerConfig { limit: Duration::ZERO, ..WorkerConfig::default() });
    assert!(hasty.step().await.unwrap());
    let late = seen(app, run).await;
    let says = "A batch of up to 2,000 rows took longer than 0 seconds; the next one takes up to 1,000 rows.";
    assert!(late.events.iter().any(|event| event.text.contains(says)), "{:?}", late.events);
    assert_eq!((late.row.state, late.row.done), (RunState::Running, 0));
    app.pass(600);
    assert!(worker(app).step().await.unwrap());
    assert_eq!((seen(app, run).await.row.done, count(app, "select count(*) from consent").await), (1_000, 1_000));
    let run = finish(app, run).await;
    assert!(run.events.iter().any(|event| event.text.starts_with("Created 3000, updated 0, unchanged 0")), "{:?}", run.events);
    assert_eq!(count(app, "select count(*) from consent_event").await, 3_000, "each row once");
    let rows = outcomes(app, run.row.id).await;
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (2..=3_001).collect::<Vec<i64>>());

    // A part that was done, and is asked for again all the same, changes nothing.
    let before = result(app, run.row.id).await;
    app.db
        .work(async |tx| {
            tx.run("update utility_run set state = 'running', due_at = 0, lease_until = null where id = $1", [run.row.id]).await?;
            tx.run("update utility_step set ended_at = null, place = null where run_id = $1", [run.row.id]).await
        })
        .await
        .unwrap();
    while worker(app).step().await.unwrap() {}
    assert_eq!(result(app, run.row.id).await, before);
    assert_eq!(count(app, "select count(*) from consent_event").await, 3_000);
}

async fn an_erased_contact_is_in_no_result(app: &TestApp) {
    let line = app.line(Inbox).await;
    let file = format!("number,status\n{},out\n{},out\n", contact(1), contact(2));
    let run = import(app, &line, &file).await.row.id;
    planned(app, &line, &file).await;
    erase(app, &line, &contact(1)).await;
    let text = result(app, run).await;
    assert!(!text.contains(&contact(1)) && text.contains("\"erased\"") && text.contains(&contact(2)), "{text}");
    assert_eq!(count(app, "select count(*) from utility_input").await, 0, "what was only looked at is forgotten");
}

async fn a_good_import_is_recounted_and_its_log_says_so(app: &TestApp) {
    let line = app.line(Inbox).await;
    let run = planned(app, &line, &format!("number,status\n{},in\n{},out\nnobody,in\n", contact(1), contact(2))).await;
    start(app, run).await;
    take_in(app, run).await;
    assert!(worker(app).step().await.unwrap());
    assert_eq!(seen(app, run).await.row.state, RunState::Verifying);
    let run = finish(app, run).await;
    let steps: Vec<(&str, bool, i64, i64)> = run.steps.iter().map(|s| (s.name.as_str(), s.is_check, s.done, s.total)).collect();
    assert_eq!(
        steps,
        [
            ("Rows that cannot be taken", false, 1, 1),
            ("Consents", false, 2, 2),
            ("Recount: rows that cannot be taken", true, 1, 1),
            ("Recount: consents", true, 2, 2),
        ]
    );
    for says in [
        "Verifying: Everything is done and has to be recounted.",
        "Rows that cannot be taken recounted: 1 row. Each has one outcome, and what is stored agrees.",
        "Consents recounted: 2 rows. Each has one outcome, and what is stored agrees.",
        "Succeeded: Everything was recounted and is right.",
    ] {
        assert!(run.events.iter().any(|event| event.text == says), "{says}: {:?}", run.events);
    }
}

async fn what_is_lost_behind_an_imports_back_fails_it_in_words(app: &TestApp) {
    let line = app.line(Inbox).await;
    app.reply(&contact(3), &line, "STOP").await;
    app.work().await;
    let file = format!("number,status\n{},in\n{},out\n{},in\nnobody,in\n", contact(1), contact(2), contact(3));
    let harms = [
        ("delete from consent where line_id = $1 and number = '+12025550121'", "Opt-ins of the file that are not on record: 1.", AGAIN),
        ("delete from consent where line_id = $1 and number = '+12025550122'", "Opt-outs of the file that do not stand: 1.", AGAIN),
        (
            "update consent set state = 'opted_in' where line_id = $1 and number = '+12025550122'",
            "Opt-outs of the file that do not stand: 1.",
            AGAIN,
        ),
        (
            "update utility_output set body = '' where run_id in (select id from utility_run where line_id = $1)",
            "Rows of the file without exactly one outcome: 1.",
            AGAIN,
        ),
        (
            "update consent set state = 'opted_in' where line_id = $1 and number = '+12025550123'",
            "Opt-outs that were to stay, and do not: 1.",
            "Have an engineer look first",
        ),
    ];
    for (harm, says, to_do) in harms {
        app.pass(60);
        let run = planned(app, &line, &file).await;
        start(app, run).await;
        take_in(app, run).await;
        app.db.work(async |tx| tx.run(harm, [line.id]).await).await.unwrap();
        let error = stopped(app, run).await;
        assert!(error.text.ends_with(says) && error.what_to_do.contains(to_do), "{harm}: {error:?}");
        cancel(app, run).await;
        import(app, &line, &file).await;
    }
    let stands: Vec<_> = consents(app, &line).await.into_iter().take(2).map(|row| row.1).collect();
    assert_eq!(stands, ["opted_in", "opted_out"], "the same file again has brought them back");
}

async fn what_somebody_says_during_an_import_is_newer_and_no_difference(app: &TestApp) {
    let line = app.line(Inbox).await;
    let [stops, starts, stays] = [1, 2, 3].map(contact);
    let file = format!("number,status,at,evidence\n{stops},in,2026-03-01,web form\n{starts},out,,\n{stays},in,,\n");
    let run = planned(app, &line, &file).await;
    start(app, run).await;
    take_in(app, run).await;
    app.pass(1);
    app.reply(&stops, &line, "STOP").await;
    app.reply(&starts, &line, "START").await;
    app.work().await;
    let run = finish(app, run).await;
    let says = "Consents recounted: 3 rows. Each has one outcome, and what is stored agrees.";
    assert!(run.events.iter().any(|event| event.text == says), "{:?}", run.events);
    let stands: Vec<_> = consents(app, &line).await.into_iter().map(|row| (row.0, row.1, row.2)).collect();
    let stand = |number: &str, state: &str, source: &str| (number.to_owned(), state.to_owned(), source.to_owned());
    let wanted = [stand(&stops, "opted_out", "keyword"), stand(&starts, "opted_in", "keyword"), stand(&stays, "opted_in", "import")];
    assert_eq!(stands, wanted);
}

async fn a_recount_looks_at_everything_and_when_it_is_resumed_at_what_differed(app: &TestApp) {
    let line = app.line(Inbox).await;
    let run = planned(app, &line, &many(5_000)).await;
    start(app, run).await;
    take_in(app, run).await;
    let kept = async || count(app, "select count(*) from utility_input").await;
    assert_eq!(kept().await, 3);
    let set = async |state: &str| {
        let text = "update consent set state = $2 where line_id = $1 and number in ($3, $4)";
        let of = (line.id, state.to_owned(), contact(101), contact(4_000));
        app.db.work(async |tx| tx.run(text, of).await).await.unwrap();
    };
    set("opted_out").await;
    for _ in 0..2 {
        let error = stopped(app, run).await;
        assert!(error.text.ends_with("Consents that are not as their row says: 2."), "{error:?}");
        assert!(error.what_to_do.starts_with("Have an engineer look first"), "{error:?}");
        assert_eq!((error.behind, kept().await), (5_000, 2), "a piece that is right is forgotten");
        utilities::act(&app.db, &app.now, &app.staff, run, RunAct::Resume).await.unwrap();
    }
    set("opted_in").await;
    finish(app, run).await;
}

async fn rows_of_a_number_that_lie_in_several_batches_are_no_difference(app: &TestApp) {
    let line = app.line(Inbox).await;
    let [a, b] = [1, 2].map(contact);
    let file = format!(
        "number,status,at,evidence\n\
         {a},in,,\n\
         {a},out,2026-03-01,\n\
         {a},in,2026-03-05,\n\
         {b},out,2026-03-01,\n\
         {b},in,2026-03-05,form\n"
    );
    let run = planned(app, &line, &file).await;
    start(app, run).await;
    let slow = Worker::new(app.db.clone(), app.now.clone(), WorkerConfig { most: 1, ..WorkerConfig::default() });
    while slow.step().await.unwrap() {
        app.pass(1);
    }
    let run = finish(app, run).await;
    let rows = outcomes(app, run.row.id).await;
    let found: Vec<&str> = (2..=6).map(|row| of(&rows, row).0).collect();
    assert_eq!(found, ["created", "updated", "kept opted-out", "created", "updated"]);
    let states: Vec<String> = consents(app, &line).await.into_iter().map(|row| row.1).collect();
    assert_eq!(states, ["opted_out", "opted_in"]);
}
