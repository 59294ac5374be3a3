//! What goes wrong: each step fails once, each is done twice, workers die or sleep, and what does not add up stops the run in words.

use super::*;
use crate::harness::on_both_engines;
use crate::verdict::chats_of;
use server::sandbox::AgentPost;
use std::time::Duration;
use switchyard::db::Sql;
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::sync::Agents;
use switchyard::types::IntegrationType::Inbox;
use switchyard::utilities::line_transfer;

on_both_engines![
    each_step_fails_once_and_the_end_is_the_same,
    each_step_is_done_twice_and_the_end_is_the_same,
    what_the_database_refuses_for_good_fails_the_run_and_is_resumed_from_there,
    a_row_that_was_changed_behind_its_back_stops_the_run_in_words,
    a_row_that_was_lost_stops_the_run_in_words,
    a_post_that_was_changed_stops_the_run_in_words,
    an_agents_post_that_was_lost_stops_the_run_in_words,
    an_opt_out_that_was_lost_stops_the_run_in_words,
    a_row_that_stayed_behind_stops_the_run_in_words,
    a_range_that_no_batch_counted_stops_the_run_in_words,
    what_cannot_be_read_ahead_fails_the_run_in_words,
    a_stop_that_comes_while_its_row_is_counted_only_delays_the_run,
    a_worker_that_slept_through_its_lease_changes_nothing,
    a_dead_workers_run_is_taken_over,
];

const TABLES: [&str; 13] = [
    "line",
    "consent",
    "erased_opt_out",
    "conversation",
    "message",
    "blast",
    "lane",
    "sync_entry",
    "intent",
    "agent_post",
    "responder",
    "line_user",
    "contact",
];

/// A line that has something in each of its tables: beside its history an agent has written to a contact, and one who had opted out was
/// erased.
async fn whole(app: &TestApp) -> Scene<'_> {
    let scene = Scene::of(app, Ringcentral).await;
    let agents = Agents::new(app.db.clone(), app.now.clone(), app.client());
    Subscriptions::new(app.client(), &app.url).step().await.unwrap();
    app.reply(&contact(13), &scene.line, &app.text("Hello")).await;
    app.work().await;
    let settled = async || {
        while app.sandbox.deliver_due().await + agents.step().await.unwrap() > 0 {}
    };
    settled().await;
    let chat_id = chats_of(&app.sandbox.journal(0), &contact(13))[0].to_string();
    app.sandbox.agent_post(AgentPost { chat_id, text: app.text("Yes, at ten"), ..AgentPost::default() }).unwrap();
    settled().await;
    app.work().await;
    settled().await;
    erase(app, scene.from, &contact(4)).await;
    app.pass(60);
    scene
}

/// Fails unless a run had rows of every table to move.
async fn every_table_had_rows(app: &TestApp, run: RunId) {
    let steps: Vec<(String, i64)> = app.db.all("select name, done from utility_step where run_id = $1 order by n", [run]).await.unwrap();
    let moved: Vec<(String, i64)> = steps.into_iter().filter(|(name, _)| line_transfer::moves(name)).collect();
    assert!(moved.len() >= 10 && moved.iter().all(|(_, done)| *done > 0), "{moved:?}");
}

/// The database refuses the checkpoint of the steps in `test_fault`.
async fn with_faults(app: &TestApp) {
    let statements = [
        Sql { sqlite: "create table test_fault (n integer)", postgres: "create table test_fault (n bigint)" },
        Sql {
            sqlite: "create trigger test_fault before update on utility_step when new.n in (select n from test_fault)
                     begin select raise(abort, 'a fault of the test'); end",
            postgres: "create function test_fault() returns trigger language plpgsql as
                       'begin if new.n in (select n from test_fault) then raise ''a fault of the test''; end if; return new; end'",
        },
        Sql {
            sqlite: "select 1",
            postgres: "create trigger test_fault before update on utility_step for each row execute function test_fault()",
        },
    ];
    for statement in statements {
        app.db.work(async |tx| tx.run(statement, ()).await).await.unwrap();
    }
}

/// Works a run to its end whose every step is refused once.
async fn each_step_is_refused_once(scene: &Scene<'_>, run: RunId) {
    let app = scene.app;
    let steps = scene.seen(run).await.steps.len();
    assert!(steps > 20, "{steps}");
    let worker = worker(app);
    for n in 0..i64::try_from(steps).unwrap() {
        let waits = async || {
            let (open,): (i64,) = app
                .db
                .one("select count(*) from utility_step where run_id = $1 and n = $2 and ended_at is not null", (run, n))
                .await
                .unwrap();
            open == 0
        };
        app.db.work(async |tx| tx.run("insert into test_fault (n) values ($1)", [n]).await).await.unwrap();
        worker.step().await.unwrap();
        assert!(waits().await, "step {n} was refused");
        app.db.work(async |tx| tx.run("delete from test_fault", ()).await).await.unwrap();
        app.pass(600);
        while waits().await {
            assert!(worker.step().await.unwrap(), "{:?}", scene.seen(run).await.error);
        }
    }
    let seen = scene.seen(run).await;
    assert_eq!(seen.row.state, RunState::Succeeded, "{:?}", seen.error);
    assert!(seen.events.iter().filter(|event| event.text.contains("It is tried again")).count() >= steps - 1, "{:?}", seen.events);
    assert!(seen.events.iter().all(|event| !event.text.contains("a fault of the test")), "the cause stands in the log, not here");
    every_table_had_rows(app, run).await;
}

/// The transfer back, started.
async fn begun_back(scene: &Scene<'_>, run: RunId) -> RunId {
    let app = scene.app;
    let back = utilities::plan_reverse(&app.db, &app.now, &app.staff, run, ALONE).await.unwrap();
    scene.start(back).await;
    back
}

async fn each_step_fails_once_and_the_end_is_the_same(app: &TestApp) {
    let scene = whole(app).await;
    let before = dump(app, &TABLES).await;
    let expected = {
        let run = scene.transfer(&[("opt_ins", "reset"), ("responders", "drop"), ("access", "keep")]).await;
        let dumped = dump(app, &TABLES).await;
        app.pass(60);
        scene.back(run).await;
        dumped
    };
    app.pass(60);
    with_faults(app).await;
    let run = scene.plan_with(&app.staff, &[("opt_ins", "reset"), ("responders", "drop"), ("access", "keep")]).await.unwrap();
    scene.start(run).await;
    each_step_is_refused_once(&scene, run).await;
    let without_times = |dumped: BTreeMap<String, Vec<String>>| -> BTreeMap<String, Vec<String>> {
        dumped.into_iter().filter(|(table, _)| table != "contact").collect()
    };
    assert_eq!(without_times(dump(app, &TABLES).await), without_times(expected));
    scene.belongs_to(scene.to).await;
    app.pass(60);
    let back = begun_back(&scene, run).await;
    each_step_is_refused_once(&scene, back).await;
    scene.belongs_to(scene.from).await;
    assert_eq!(dump(app, &TABLES).await, before);
}

/// Works a run to its end and does each of its steps twice.
async fn each_step_is_repeated(scene: &Scene<'_>, run: RunId) {
    let app = scene.app;
    let worker = worker(app);
    // The flip happens once: doing it again is refused, since the line is not as it was planned any more.
    worker.step().await.unwrap();
    let mut seen = -1_i64;
    while worker.step().await.unwrap() {
        let (done,): (i64,) =
            app.db.one("select coalesce(max(n), -1) from utility_step where run_id = $1 and ended_at is not null", [run]).await.unwrap();
        if done > seen && scene.state(run).await.is_moving() {
            seen = done;
            app.db
                .work(async |tx| {
                    tx.run("delete from utility_check where run_id = $1 and step = (select 'check_' || name from utility_step where run_id = $1 and n = $2)", (run, done)).await?;
                    tx.run("update utility_step set place = null, ended_at = null, done = 0 where run_id = $1 and n = $2 and n > 0", (run, done)).await
                })
                .await
                .unwrap();
        }
    }
    let ended = scene.seen(run).await;
    assert_eq!(ended.row.state, RunState::Succeeded, "{:?}", ended.error);
    every_table_had_rows(app, run).await;
}

async fn each_step_is_done_twice_and_the_end_is_the_same(app: &TestApp) {
    let scene = whole(app).await;
    let before = dump(app, &TABLES).await;
    let run = scene.plan_with(&app.staff, &[("opt_ins", "reset"), ("responders", "drop"), ("access", "keep")]).await.unwrap();
    scene.start(run).await;
    each_step_is_repeated(&scene, run).await;
    scene.belongs_to(scene.to).await;
    assert_eq!(known(app, scene.to, &contact(1)).await.unwrap(), ("Known here".to_owned(), String::new(), false));
    app.pass(60);
    let back = begun_back(&scene, run).await;
    each_step_is_repeated(&scene, back).await;
    scene.belongs_to(scene.from).await;
    assert_eq!(scene.seen(back).await.result, None, "what came back is no later edit");
    assert_eq!(dump(app, &TABLES).await, before);
    assert_eq!(known(app, scene.to, &contact(1)).await, None);
    let (responders, people): (i64, i64) = app
        .db
        .one(
            "select (select count(*) from responder where line_id = $1), (select count(*) from line_user where line_id = $1)",
            [scene.line.id],
        )
        .await
        .unwrap();
    assert_eq!((responders, people), (1, 2), "what was dropped came back");
}

async fn what_the_database_refuses_for_good_fails_the_run_and_is_resumed_from_there(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    with_faults(app).await;
    let run = scene.plan().await;
    scene.start(run).await;
    app.db.work(async |tx| tx.run("insert into test_fault (n) values (5)", ()).await).await.unwrap();
    scene.finish(run).await;
    let seen = scene.seen(run).await;
    assert_eq!(seen.row.state, RunState::Failed);
    let error = seen.error.unwrap();
    assert!(error.text.contains("The log has the cause") && error.what_to_do.contains("resume"), "{error:?}");
    assert_eq!(error.step, seen.steps[5].name);
    assert!(seen.steps[4].ended_at.is_some() && seen.steps[5].ended_at.is_none());
    assert!(seen.acts.contains(&RunAct::Resume) && !seen.acts.contains(&RunAct::Cancel));
    app.db.work(async |tx| tx.run("delete from test_fault", ()).await).await.unwrap();
    scene.act(run, RunAct::Resume).await.unwrap();
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Succeeded);
    scene.belongs_to(scene.to).await;
}

/// What a run says whose rows somebody harms when they have all moved and are not recounted yet; `$1` is the line.
async fn stopped_by(app: &TestApp, harm: &'static str) -> String {
    stopped_in(&Scene::of(app, Inbox).await, harm).await
}

async fn stopped_in(scene: &Scene<'_>, harm: &'static str) -> String {
    let run = scene.plan().await;
    scene.start(run).await;
    while scene.state(run).await != RunState::Verifying {
        scene.steps(1).await;
    }
    scene.app.db.work(async |tx| tx.run(harm, [scene.line.id]).await).await.unwrap();
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Failed);
    let error = scene.seen(run).await.error.unwrap();
    assert!(!error.what_to_do.is_empty());
    error.text
}

async fn a_row_that_was_changed_behind_its_back_stops_the_run_in_words(app: &TestApp) {
    let forged =
        "update message set body = 'Forged' where line_id = $1 and id in (select id from message where line_id = $1 order by id limit 1)";
    let text = stopped_by(app, forged).await;
    assert!(text.contains("Messages: what") && text.contains("is not what they held before"), "{text}");
}

async fn a_row_that_was_lost_stops_the_run_in_words(app: &TestApp) {
    let lost = "delete from message where line_id = $1 and id in (select id from message where line_id = $1 order by id limit 1)";
    let text = stopped_by(app, lost).await;
    assert!(text.contains("3 rows were counted before, and 2 after"), "{text}");
}

async fn a_post_that_was_changed_stops_the_run_in_words(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let forged = "update intent set reference = 'Forged'
                  where line_id = $1 and id in (select id from intent where line_id = $1 order by id limit 1)";
    let text = stopped_in(&scene, forged).await;
    assert!(text.contains("Posts: what") && text.contains("is not what they held before"), "{text}");
}

async fn an_agents_post_that_was_lost_stops_the_run_in_words(app: &TestApp) {
    let text = stopped_in(&whole(app).await, "delete from agent_post where line_id = $1").await;
    assert!(text.contains("Posts of agents: 1 rows were counted before, and 0 after"), "{text}");
}

async fn an_opt_out_that_was_lost_stops_the_run_in_words(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    // More than what is recounted in the batch with which the verification begins, and read ahead beside it.
    for n in 7..=24 {
        app.reply(&contact(n), &scene.line, "STOP").await;
    }
    app.work().await;
    app.pass(60);
    let lost = "delete from consent
                where line_id = $1 and number in (
                  select number from consent where line_id = $1 and state = 'opted_out' order by number desc limit 1 offset 1)";
    let text = stopped_in(&scene, lost).await;
    assert!(text.contains("Consents: 3 rows were counted before, and 2 after"), "{text}");
}

async fn a_row_that_stayed_behind_stops_the_run_in_words(app: &TestApp) {
    let behind = "update message set account_id = (select id from account where id not in (select account_id from line where id = $1)
                                                 order by id limit 1)
                  where line_id = $1";
    let text = stopped_by(app, behind).await;
    assert!(text.contains("Messages: 3 of 3 rows do not belong to the new account"), "{text}");
}

async fn a_range_that_no_batch_counted_stops_the_run_in_words(app: &TestApp) {
    let passed_over = "delete from utility_check
                       where step = 'check_message' and run_id in (select transfer_id from line where id = $1)";
    let text = stopped_by(app, passed_over).await;
    assert!(text.contains("Messages: there are rows that no batch has counted"), "{text}");
}

async fn what_cannot_be_read_ahead_fails_the_run_in_words(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    let renamed = async |rename: &'static str| app.db.work(async |tx| tx.run(rename, ()).await).await.unwrap();
    renamed("alter table intent rename to intent_elsewhere").await;
    scene.finish(run).await;
    let seen = scene.seen(run).await;
    let error = seen.error.unwrap();
    assert_eq!((seen.row.state, error.step.as_str()), (RunState::Failed, "Posts"));
    assert!(error.text.contains("The log has the cause") && error.what_to_do.contains("resume"), "{error:?}");
    let tried_again = seen.events.iter().filter(|event| event.text.contains("It is tried again")).count();
    assert_eq!(i64::try_from(tried_again).unwrap(), WorkerConfig::default().tries - 1);
    renamed("alter table intent_elsewhere rename to intent").await;
    scene.act(run, RunAct::Resume).await.unwrap();
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Succeeded);
    scene.belongs_to(scene.to).await;
}

/// How many wait for somebody's lock; one engine has one writer at a time, and none of them shows.
pub(super) const WAITING: Sql = Sql {
    sqlite: "select 1",
    postgres: "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
};

async fn a_stop_that_comes_while_its_row_is_counted_only_delays_the_run(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(1).await;
    // The batch counts the row as it was, waits for who changes it, and counts it as it is.
    let is_changed = tokio::sync::Notify::new();
    let changes = app.db.work(async |tx| {
        tx.run(
            "update consent set state = 'opted_out', source = 'keyword', at = at + 1 where line_id = $1 and number = $2",
            (scene.line.id, contact(5)),
        )
        .await?;
        is_changed.notify_one();
        while app.db.one::<(i64,)>(WAITING, ()).await?.0 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok::<_, switchyard::db::Error>(())
    });
    let counts = async {
        is_changed.notified().await;
        scene.steps(1).await;
    };
    let (changed, ()) = tokio::join!(changes, counts);
    changed.unwrap();
    let delayed = scene.seen(run).await.events.iter().filter(|event| event.text.contains("It is tried again")).count();
    assert_eq!(delayed, usize::from(app.db.engine() == DbEngine::Postgres));
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Succeeded);
    scene.belongs_to(scene.to).await;
    let (stopped,): (bool,) = app
        .db
        .one("select state = 'opted_out' from consent where line_id = $1 and number = $2", (scene.line.id, contact(5)))
        .await
        .unwrap();
    assert!(stopped);
}

async fn a_worker_that_slept_through_its_lease_changes_nothing(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(2).await;
    let sleeper = worker(app).hold().await.unwrap().unwrap();
    app.pass(31);
    scene.finish(run).await;
    app.pass(60);
    scene.back(run).await;
    let before = dump(app, &TABLES).await;
    assert!(!sleeper.wake().await.unwrap(), "it finds that it is stale");
    assert_eq!(dump(app, &TABLES).await, before);
    scene.belongs_to(scene.from).await;
}

async fn a_dead_workers_run_is_taken_over(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(2).await;
    let dead = worker(app).hold().await.unwrap().unwrap();
    drop(dead);
    assert!(!worker(app).step().await.unwrap(), "it may still live");
    app.now.clock.advance(Duration::from_secs(31));
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Succeeded);
    scene.belongs_to(scene.to).await;
}
