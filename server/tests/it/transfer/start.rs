//! How a run starts: once, by who may, with a second person where there is one, and while its plan holds.

use super::states::until_waiting;
use super::*;
use crate::harness::on_both_engines;
use switchyard::directory::accounts;
use switchyard::messaging::blast;
use switchyard::types::ApprovalId;
use switchyard::types::IntegrationType::Inbox;

on_both_engines![
    a_second_request_is_answered_with_the_first,
    two_who_start_at_once_make_one_run,
    a_wrong_confirmation_starts_nothing,
    what_stands_in_the_way_is_said_and_nothing_is_started,
    a_line_that_is_being_transferred_stands_in_the_way_of_another_plan,
    a_plan_that_does_not_hold_any_more_stops_before_the_flip,
    a_product_that_was_lost_since_the_plan_stops_the_run_in_words,
    nobody_agrees_to_their_own_run_and_a_second_person_starts_it,
    whoever_asked_does_not_resume_what_waits_for_a_second_person,
    a_run_that_nobody_agrees_to_is_cancelled,
    whoever_lost_an_account_since_they_asked_starts_nothing_there,
];

async fn a_second_request_is_answered_with_the_first(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let first = scene.plan().await;
    let other = of_account(app, "other", None).await;
    let second = scene.plan_with(&other, &[]).await.unwrap();
    assert_eq!(scene.start(first).await.run, first);
    assert_eq!(scene.start(first).await, Started { run: first, waits: None, was_first: false }, "a double click");
    let answered = utilities::start(&app.db, &app.now, &other, proof(), second, &scene.line.number, "Me too.").await.unwrap();
    assert_eq!(answered, Started { run: first, waits: None, was_first: true });
    scene.finish(first).await;
    let (runs,): (i64,) = app.db.one("select count(*) from utility_run where state <> 'planned'", ()).await.unwrap();
    assert_eq!(runs, 1);
    // What was planned before the line moved does not hold any more.
    utilities::start(&app.db, &app.now, &other, proof(), second, &scene.line.number, "Now.").await.unwrap();
    scene.finish(second).await;
    let seen = scene.seen(second).await;
    assert_eq!(seen.row.state, RunState::Failed);
    assert!(seen.error.unwrap().text.contains("changed since the plan"));
    scene.belongs_to(scene.to).await;
}

/// Two starts that both find nothing under way: somebody has the rows of what is planned until both have come to them.
async fn started_at_once(scene: &Scene<'_>, [one, other]: [(&Member, RunId); 2]) -> [Started; 2] {
    let app = scene.app;
    let is_held = tokio::sync::Notify::new();
    let holds = app.db.work(async |tx| {
        tx.run("update utility_run set version = version where state = 'planned'", ()).await?;
        is_held.notify_one();
        until_waiting(app, 2).await;
        Ok::<_, switchyard::db::Error>(())
    });
    let starts = async {
        is_held.notified().await;
        let (number, note) = (scene.line.number.as_str(), "The shop was sold.");
        tokio::join!(
            utilities::start(&app.db, &app.now, one.0, proof(), one.1, number, note),
            utilities::start(&app.db, &app.now, other.0, proof(), other.1, number, note),
        )
    };
    let (held, (first, second)) = tokio::join!(holds, starts);
    held.unwrap();
    [first.unwrap(), second.unwrap()]
}

/// Two starts of one plan at once, then of two plans of the line; what was made is cancelled again.
async fn one_run_is_made(scene: &Scene<'_>, one: &Member, other: &Member, is_agreed_to: bool) {
    let app = scene.app;
    let ends = async |by: &Member, run: RunId| {
        let begun = "select id from utility_run where state not in ('planned', 'cancelled')";
        assert_eq!(app.db.all::<(RunId,)>(begun, ()).await.unwrap(), [(run,)]);
        let asked = "select count(*) from approval where state = 'open' and kind = 'start_run'";
        let (asked,): (i64,) = app.db.one(asked, ()).await.unwrap();
        assert_eq!(asked, i64::from(is_agreed_to), "a second person is asked once");
        utilities::act(&app.db, &app.now, by, run, RunAct::Cancel).await.unwrap();
        app.pass(1);
    };
    let run = scene.plan_with(one, &[]).await.unwrap();
    let [first, second] = started_at_once(scene, [(one, run), (one, run)]).await;
    assert_eq!((first.run, first.waits.is_some(), first.was_first), (run, is_agreed_to, false));
    assert_eq!(first, second, "both are told what becomes of it");
    ends(one, run).await;

    let mine = scene.plan_with(one, &[]).await.unwrap();
    let theirs = scene.plan_with(other, &[]).await.unwrap();
    let [first, second] = started_at_once(scene, [(one, mine), (other, theirs)]).await;
    assert_eq!(first.run, second.run);
    assert_eq!([first, second].map(|started| started.was_first), [first.run != mine, second.run != theirs]);
    let (by, told) = if first.run == mine { (one, first) } else { (other, second) };
    assert_eq!(told.waits.is_some(), is_agreed_to);
    ends(by, told.run).await;
}

async fn two_who_start_at_once_make_one_run(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let other = of_account(app, "other", None).await;
    one_run_is_made(&scene, &app.staff, &other, false).await;
    let (first, second) = two(app).await;
    one_run_is_made(&scene, &first, &second, true).await;
}

async fn a_wrong_confirmation_starts_nothing(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    for typed in ["", "+12025550199", "Front desk"] {
        let refused = utilities::start(&app.db, &app.now, &app.staff, proof(), run, typed, "").await;
        assert!(matches!(&refused, Err(Problem::Invalid { field, .. }) if field == "typed"), "{refused:?}");
    }
    assert_eq!(scene.state(run).await, RunState::Planned);
    assert!(!worker(app).step().await.unwrap());
}

async fn what_stands_in_the_way_is_said_and_nothing_is_started(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let permit = app.staff.permit().unwrap();
    let bare = accounts::add(&app.db, &app.now, &permit, "No connection", true, true).await.unwrap();
    let own = scene.from.to_string();
    for (to, words) in [(own.as_str(), "belongs to"), (bare.to_string().as_str(), "no connection to it")] {
        let run = scene.plan_with(&app.staff, &[("to", to)]).await.unwrap();
        let plan = scene.seen(run).await.plan;
        assert!(plan.obstacles.iter().any(|obstacle| obstacle.text.contains(words)), "{words}: {:?}", plan.obstacles);
        let refused = utilities::start(&app.db, &app.now, &app.staff, proof(), run, &scene.line.number, "").await;
        assert!(matches!(refused, Err(Problem::Conflict { .. })), "{refused:?}");
    }
    app.db.work(async |tx| tx.run("update account set closed_at = 1 where id = $1", [bare]).await).await.unwrap();
    let run = scene.plan_with(&app.staff, &[("to", &bare.to_string())]).await.unwrap();
    assert!(scene.seen(run).await.plan.obstacles.iter().any(|obstacle| obstacle.text.contains("is closed")));
    // A blast that is half sent.
    app.blast(&scene.line, &[contact(1), contact(2)], &app.text("Half")).await;
    while switchyard::messaging::blast::record_next(&app.db, &app.now).await.unwrap() {}
    let run = scene.plan().await;
    let obstacles = scene.seen(run).await.plan.obstacles;
    assert!(obstacles.iter().any(|o| o.text.contains("half sent") && o.offer.is_some()), "{obstacles:?}");
    app.work().await;
    assert_eq!(scene.seen(scene.plan().await).await.plan.obstacles, []);
    assert_eq!(account_of(app, scene.line.id).await, scene.from);
}

async fn a_line_that_is_being_transferred_stands_in_the_way_of_another_plan(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(1).await;
    let next = scene.plan_with(&app.staff, &[("to", &scene.from.to_string())]).await.unwrap();
    let obstacles = scene.seen(next).await.plan.obstacles;
    assert!(obstacles.iter().any(|o| o.text.contains("is being transferred now") && o.offer.is_some()), "{obstacles:?}");
    scene.finish(run).await;
    scene.belongs_to(scene.to).await;
}

async fn a_plan_that_does_not_hold_any_more_stops_before_the_flip(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let bare = accounts::add(&app.db, &app.now, &app.staff.permit().unwrap(), "No connection", true, true).await.unwrap();
    let begun = async || {
        let run = scene.plan().await;
        assert_eq!(scene.start(run).await, Started { run, waits: None, was_first: false });
        run
    };
    let stops = async |run: RunId, words: &str| {
        scene.steps(1).await;
        let seen = scene.seen(run).await;
        let error = seen.error.expect("it says what has changed");
        assert_eq!(seen.row.state, RunState::Failed, "{words}");
        assert!(error.text.contains(words) && !error.what_to_do.is_empty(), "{words}: {error:?}");
        assert_eq!(account_of(app, scene.line.id).await, scene.from, "{words}");
        scene.act(run, RunAct::Cancel).await.unwrap();
    };
    let change = async |text: &'static str, one: AccountId, other: AccountId| {
        assert_eq!(app.db.work(async |tx| tx.run(text, (one, other)).await).await.unwrap(), 1, "{text}");
    };

    let run = begun().await;
    change("update account set closed_at = 1 where id = $1 and id <> $2", scene.to, scene.from).await;
    stops(run, "closed since the plan").await;
    change("update account set closed_at = null where id = $1 and id <> $2", scene.to, scene.from).await;

    let run = begun().await;
    let gives_connection = "update connection set account_id = $2 where account_id = $1";
    change(gives_connection, scene.to, bare).await;
    stops(run, "no connection to RingCentral any more").await;
    change(gives_connection, bare, scene.to).await;

    let run = scene.plan().await;
    let import = an_import(&scene, scene.to).await;
    scene.act(import, RunAct::Pause).await.unwrap();
    scene.start(run).await;
    stops(run, "Another run is at work").await;
    scene.act(import, RunAct::Cancel).await.unwrap();

    let run = begun().await;
    app.blast(&scene.line, &[contact(1), contact(2)], &app.text("Half")).await;
    while blast::record_next(&app.db, &app.now).await.unwrap() {}
    stops(run, "is half sent").await;
    app.work().await;

    let grows = [
        (
            "conversations, and now there are",
            "insert into conversation (line_id, id, account_id, number, last_at)
             select $1, unhex(j.value->>0, '-'), $2, j.value->>1, $3 from json_each($4) j",
        ),
        (
            "messages, and now there are",
            "insert into message (line_id, id, account_id, number, direction, body, state, created_at, attempts)
             select $1, unhex(j.value->>0, '-'), $2, j.value->>1, 'inbound', 'Hello', 'received', $3, 0 from json_each($4) j",
        ),
        (
            "consents, and now there are",
            "insert into consent (line_id, number, account_id, state, source, at)
             select $1, j.value->>1, $2, 'opted_in', 'import', $3 from json_each($4) j",
        ),
    ];
    for (words, text) in grows {
        let run = begun().await;
        let rows: Vec<(String, String)> = (1_000..2_200).map(|n| (app.now.id().to_string(), contact(n))).collect();
        let (rows, at) = (serde_json::to_string(&rows).unwrap(), app.now.at());
        app.db.work(async |tx| tx.run(text, (scene.line.id, scene.from, at, rows.clone())).await).await.unwrap();
        stops(run, words).await;
    }
    // Of what was planned before these were kept nothing is compared.
    let run = begun().await;
    let (kept,): (String,) = app.db.one("select parameters from utility_run where id = $1", [run]).await.unwrap();
    let mut kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    for name in ["messages", "consents"] {
        assert!(kept.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    }
    let kept = kept.to_string();
    app.db.work(async |tx| tx.run("update utility_run set parameters = $2 where id = $1", (run, kept.clone())).await).await.unwrap();
    scene.steps(1).await;
    assert_eq!(account_of(app, scene.line.id).await, scene.to);
}

async fn a_product_that_was_lost_since_the_plan_stops_the_run_in_words(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let permit = app.staff.permit().unwrap();
    let products = async |version: i64, products: (bool, bool)| {
        accounts::edit(&app.db, &app.now, &permit, scene.to, version, "Account 1", products).await.unwrap();
    };
    let run = scene.plan().await;
    assert_eq!(scene.seen(run).await.plan.obstacles, []);
    scene.start(run).await;
    // Its own line needs the product no more.
    app.set_type(&scene.theirs, IntegrationType::None).await;
    products(1, (true, false)).await;
    scene.finish(run).await;
    let stopped = scene.seen(run).await;
    assert_eq!(stopped.row.state, RunState::Failed);
    let error = stopped.error.unwrap();
    assert!(error.text.contains("product Conversation") && error.what_to_do.contains("resume"), "{error:?}");
    assert_eq!(account_of(app, scene.line.id).await, scene.from, "nothing has moved");
    products(2, (true, true)).await;
    scene.act(run, RunAct::Resume).await.unwrap();
    scene.finish(run).await;
    scene.belongs_to(scene.to).await;
}

async fn asked(app: &TestApp, scene: &Scene<'_>, by: &Member) -> (RunId, ApprovalId) {
    let run = scene.plan_with(by, &[]).await.unwrap();
    let started = utilities::start(&app.db, &app.now, by, proof(), run, &scene.line.number, "The shop was sold.").await.unwrap();
    let again = utilities::start(&app.db, &app.now, by, proof(), run, &scene.line.number, "The shop was sold.").await.unwrap();
    assert_eq!(started, again, "a double click asks once");
    (run, started.waits.expect("it waits for a second person"))
}

async fn nobody_agrees_to_their_own_run_and_a_second_person_starts_it(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let (first, second) = two(app).await;
    let run = scene.plan_with(&first, &[]).await.unwrap();
    let refused = utilities::start(&app.db, &app.now, &first, proof(), run, &scene.line.number, " ").await;
    assert!(matches!(&refused, Err(Problem::Invalid { field, .. }) if field == "note"), "{refused:?}");
    let (run, waits) = asked(app, &scene, &first).await;
    assert!(!worker(app).step().await.unwrap(), "nothing begins before");
    let refused = approvals::decide(&app.db, &app.now, &first, proof(), waits, true, "").await;
    assert!(matches!(refused, Err(Problem::Forbidden { .. })), "{refused:?}");
    approvals::decide(&app.db, &app.now, &second, proof(), waits, true, "Fine.").await.unwrap();
    assert_eq!(scene.state(run).await, RunState::Queued);
    assert_eq!(scene.seen(run).await.approved_by.as_deref(), Some("Second"));
    scene.finish(run).await;
    scene.belongs_to(scene.to).await;
}

async fn whoever_asked_does_not_resume_what_waits_for_a_second_person(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let (first, second) = two(app).await;
    let (run, waits) = asked(app, &scene, &first).await;
    let acts = utilities::get(&app.db, &app.now, &first, run).await.unwrap().acts;
    assert_eq!(acts, [RunAct::Cancel]);
    let refused = utilities::act(&app.db, &app.now, &first, run, RunAct::Resume).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("can be resumed")), "{refused:?}");
    assert_eq!(scene.state(run).await, RunState::AwaitingApproval);
    assert!(!worker(app).step().await.unwrap(), "nothing begins before");
    approvals::decide(&app.db, &app.now, &second, proof(), waits, true, "Fine.").await.unwrap();
    scene.finish(run).await;
    scene.belongs_to(scene.to).await;
}

async fn a_run_that_nobody_agrees_to_is_cancelled(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let (first, second) = two(app).await;
    let (declined, waits) = asked(app, &scene, &first).await;
    approvals::decide(&app.db, &app.now, &second, proof(), waits, false, "Not today.").await.unwrap();
    assert_eq!(scene.state(declined).await, RunState::Cancelled);
    let (withdrawn, waits) = asked(app, &scene, &first).await;
    approvals::withdraw(&app.db, &app.now, &first, waits).await.unwrap();
    assert_eq!(scene.state(withdrawn).await, RunState::Cancelled);
    let (cancelled, waits) = asked(app, &scene, &first).await;
    utilities::act(&app.db, &app.now, &first, cancelled, RunAct::Cancel).await.unwrap();
    let late = approvals::decide(&app.db, &app.now, &second, proof(), waits, true, "").await;
    assert!(matches!(late, Err(Problem::Conflict { .. })), "{late:?}");
    let (forgotten, _) = asked(app, &scene, &first).await;
    app.pass(4 * 24 * 60 * 60);
    worker(app).step().await.unwrap();
    assert_eq!(scene.state(forgotten).await, RunState::Cancelled);
    assert_eq!(account_of(app, scene.line.id).await, scene.from);
    // The line is free for another one.
    app.pass(1);
    let (next, _) = asked(app, &scene, &first).await;
    assert_eq!(scene.state(next).await, RunState::AwaitingApproval);
}

async fn whoever_lost_an_account_since_they_asked_starts_nothing_there(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let seller = of_account(app, "seller", scene.from).await;
    let gives = "insert into role_account (role_id, account_id) select role_id, $2 from role_account where account_id = $1";
    app.db.work(async |tx| tx.run(gives, (scene.from, scene.to)).await).await.unwrap();
    let (_, second) = two(app).await;
    let (run, waits) = asked(app, &scene, &seller).await;
    app.db.work(async |tx| tx.run("delete from role_account where account_id = $1", [scene.to]).await).await.unwrap();
    let refused = approvals::decide(&app.db, &app.now, &second, proof(), waits, true, "").await;
    assert!(matches!(refused, Err(Problem::Forbidden { .. })), "{refused:?}");
    assert_eq!(scene.state(run).await, RunState::AwaitingApproval, "it waits, or is declined");
    app.db.work(async |tx| tx.run(gives, (scene.from, scene.to)).await).await.unwrap();
    approvals::decide(&app.db, &app.now, &second, proof(), waits, true, "").await.unwrap();
    assert_eq!(scene.state(run).await, RunState::Queued);
}
