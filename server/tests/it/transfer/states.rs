//! The life of a run: started once, by who may, with a second person where there is one; paused, resumed and cancelled in every state.

use super::*;
use crate::harness::on_both_engines;
use crate::house::PASSWORD;
use switchyard::directory::{accounts, integration};
use switchyard::staff::{self, approvals};
use switchyard::types::IntegrationType::Inbox;
use switchyard::types::{ApprovalId, RunFilter};

on_both_engines![
    a_second_request_is_answered_with_the_first,
    a_wrong_confirmation_starts_nothing,
    what_stands_in_the_way_is_said_and_nothing_is_started,
    nobody_agrees_to_their_own_run_and_a_second_person_starts_it,
    a_run_that_nobody_agrees_to_is_cancelled,
    a_run_is_paused_and_resumed_at_every_batch,
    a_run_is_cancelled_until_the_line_has_moved,
    what_was_paused_half_way_can_be_taken_back,
    acts_that_the_state_does_not_allow_are_refused,
    a_line_on_its_way_is_not_changed_otherwise,
    runs_are_found_by_line_number_state_and_account,
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

/// Two administrators with passwords: then a transfer waits for a second person.
async fn two(app: &TestApp) -> (Member, Member) {
    let h = house(app);
    let first = h.member("first@example.com", h.role("Administrator").await).await;
    let invited = staff::invite(&app.db, &app.now, &first, proof(), "second@example.com", "Second", h.role("Administrator").await).await;
    let invited = invited.unwrap();
    staff::accept(&app.db, &app.now, h.passwords(), &invited.token, PASSWORD.into(), None).await.unwrap();
    if let Some(waits) = invited.waits {
        approvals::decide(&app.db, &app.now, &app.staff, proof(), waits, true, "").await.unwrap();
    }
    (first, Member::load(&app.db, invited.id).await.unwrap().unwrap())
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

async fn a_run_is_paused_and_resumed_at_every_batch(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    let worker = worker(app);
    let mut batches = 0;
    loop {
        scene.act(run, RunAct::Pause).await.unwrap();
        scene.act(run, RunAct::Pause).await.unwrap();
        assert_eq!(scene.state(run).await, RunState::Paused);
        assert!(!worker.step().await.unwrap(), "it stands still");
        scene.act(run, RunAct::Resume).await.unwrap();
        scene.act(run, RunAct::Resume).await.unwrap();
        assert!(worker.step().await.unwrap());
        batches += 1;
        if scene.state(run).await == RunState::Succeeded {
            break;
        }
    }
    assert!(batches > 20, "{batches}");
    scene.belongs_to(scene.to).await;
}

async fn a_run_is_cancelled_until_the_line_has_moved(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.act(run, RunAct::Cancel).await.unwrap();
    scene.act(run, RunAct::Cancel).await.unwrap();
    assert_eq!(scene.state(run).await, RunState::Cancelled);
    assert!(!worker(app).step().await.unwrap());
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(1).await;
    let refused = scene.act(run, RunAct::Cancel).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("let it finish")), "{refused:?}");
    assert!(scene.seen(run).await.past_cancelling.is_some());
    scene.finish(run).await;
    scene.belongs_to(scene.to).await;
}

async fn what_was_paused_half_way_can_be_taken_back(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let before = dump(app, &["message", "conversation", "consent", "contact", "line_user"]).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(7).await;
    scene.act(run, RunAct::Pause).await.unwrap();
    assert!(scene.seen(run).await.may_reverse);
    scene.back(run).await;
    assert_eq!(scene.state(run).await, RunState::Cancelled);
    scene.belongs_to(scene.from).await;
    assert_eq!(dump(app, &["message", "conversation", "consent", "contact", "line_user"]).await, before);
}

async fn acts_that_the_state_does_not_allow_are_refused(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    for act in [RunAct::Pause, RunAct::Resume, RunAct::Cancel] {
        let refused = scene.act(run, act).await;
        assert!(matches!(refused, Err(Problem::Conflict { .. })), "{act:?} of a plan: {refused:?}");
    }
    scene.start(run).await;
    scene.finish(run).await;
    for act in [RunAct::Pause, RunAct::Cancel] {
        let refused = scene.act(run, act).await;
        assert!(matches!(refused, Err(Problem::Conflict { .. })), "{act:?} of what is done: {refused:?}");
    }
    let early = utilities::plan_reverse(
        &app.db,
        &app.now,
        &app.staff,
        scene.plan_with(&app.staff, &[("to", &scene.from.to_string())]).await.unwrap(),
        ALONE,
    );
    assert!(matches!(early.await, Err(Problem::Conflict { .. })), "a plan cannot be taken back");
}

async fn a_line_on_its_way_is_not_changed_otherwise(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(2).await;
    let permit = app.staff.permit().unwrap();
    let version = integration::preview(&app.db, &permit, scene.line.id, Ringcentral).await.unwrap().version;
    let refused = integration::set(&app.db, &app.now, &permit, scene.line.id, Ringcentral, version).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("being transferred")), "{refused:?}");
    scene.finish(run).await;
    let version = integration::preview(&app.db, &permit, scene.line.id, Ringcentral).await.unwrap().version;
    integration::set(&app.db, &app.now, &permit, scene.line.id, Ringcentral, version).await.unwrap();
}

async fn runs_are_found_by_line_number_state_and_account(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.transfer(&[]).await;
    let digits = scene.line.number[scene.line.number.len() - 4..].to_owned();
    let found = async |filter: RunFilter| {
        let page = utilities::list(&app.db, &app.staff.permit().unwrap(), &filter, None, 10).await.unwrap();
        page.rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let none = RunFilter::default;
    for filter in [
        none(),
        RunFilter { search: digits, ..none() },
        RunFilter { search: "front".to_owned(), ..none() },
        RunFilter { search: "account 1".to_owned(), ..none() },
        RunFilter { line: Some(scene.line.id), ..none() },
        RunFilter { account: Some(scene.from), ..none() },
        RunFilter { account: Some(scene.to), ..none() },
        RunFilter { state: Some(RunState::Succeeded), ..none() },
        RunFilter { kind: Some(UtilityKind::LineTransfer), ..none() },
        RunFilter { asked_by: Some(app.staff.id()), ..none() },
    ] {
        assert_eq!(found(filter.clone()).await, [run], "{filter:?}");
    }
    for filter in [RunFilter { state: Some(RunState::Failed), ..none() }, RunFilter { search: "0199".to_owned(), ..none() }] {
        assert_eq!(found(filter.clone()).await, [], "{filter:?}");
    }
    let report = utilities::report(&app.db, &app.staff.permit().unwrap(), run).await.unwrap();
    assert!(report.steps.iter().any(|step| step.title == "Messages" && step.ranges > 1 && step.done == step.total), "{report:?}");
}
