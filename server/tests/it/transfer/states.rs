//! The life of a run that was started: paused, resumed and cancelled in every state, and what is said of it.

use super::*;
use crate::harness::{keys, on_both_engines};
use crate::sights::role;
use crate::verdict::received;
use std::time::Duration;
use switchyard::directory::{accounts, integration};
use switchyard::erasure;
use switchyard::messaging::{blast, outbound};
use switchyard::types::IntegrationType::Inbox;
use switchyard::types::{BlastId, RunFilter};

on_both_engines![
    a_run_is_paused_and_resumed_at_every_batch,
    a_run_is_cancelled_until_the_line_has_moved,
    what_was_paused_half_way_can_be_taken_back,
    a_cancel_that_is_clicked_while_the_line_moves_comes_too_late,
    a_cancel_that_was_taken_all_the_same_leaves_the_run_standing,
    a_way_back_that_comes_to_nothing_leaves_the_run_as_it_was,
    a_line_that_a_cancelled_run_left_half_way_is_taken_back,
    the_rest_of_a_blast_that_is_half_sent_is_cancelled_and_the_line_may_move,
    acts_that_the_state_does_not_allow_are_refused,
    who_looks_after_one_of_the_accounts_is_offered_no_act,
    what_each_act_leads_to_in_each_state,
    a_cancel_under_a_live_lease_ends_behind_the_batch_under_way,
    a_line_on_its_way_is_not_changed_otherwise,
    a_chunk_that_is_taken_while_the_line_moves_stays_with_its_paused_blast,
    an_erasure_does_not_pass_by_a_line_that_changes_hands,
    the_rate_is_of_the_time_that_somebody_worked,
    an_estimate_goes_by_transfers_that_nobody_paused,
    what_was_planned_and_is_gone_is_not_left_to_do,
    runs_are_found_by_line_number_state_and_account,
    the_audit_of_both_accounts_shows_the_move,
];

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

/// Waits until so many wait for somebody's lock. One engine shows none of them: they come to its one writer in the order in which they ask.
pub(super) async fn until_waiting(app: &TestApp, count: i64) {
    if app.db.engine() == DbEngine::Sqlite {
        tokio::time::sleep(Duration::from_millis(100 * count.unsigned_abs())).await;
        return;
    }
    while app.db.one::<(i64,)>(super::trouble::WAITING, ()).await.unwrap().0 < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_cancel_that_is_clicked_while_the_line_moves_comes_too_late(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    let flips = worker(app).hold().await.unwrap().unwrap();
    // Somebody has the line's row: the flip waits for them, and the click for the flip.
    let is_held = tokio::sync::Notify::new();
    let holds = app.db.work(async |tx| {
        tx.run("update line set label = label where id = $1", [scene.line.id]).await?;
        is_held.notify_one();
        until_waiting(app, 2).await;
        Ok::<_, switchyard::db::Error>(())
    });
    let flip = async {
        is_held.notified().await;
        flips.wake().await
    };
    let click = async {
        until_waiting(app, 1).await;
        scene.act(run, RunAct::Cancel).await
    };
    let (held, flipped, clicked) = tokio::join!(holds, flip, click);
    held.unwrap();
    assert!(flipped.unwrap(), "the line has moved");
    assert!(matches!(&clicked, Err(Problem::Conflict { text }) if text.contains("let it finish")), "{clicked:?}");
    assert_eq!(scene.state(run).await, RunState::Running);
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Succeeded);
    scene.belongs_to(scene.to).await;
}

async fn a_cancel_that_was_taken_all_the_same_leaves_the_run_standing(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(1).await;
    app.db.work(async |tx| tx.run("update utility_run set state = 'cancelling' where id = $1", [run]).await).await.unwrap();
    scene.steps(1).await;
    let seen = scene.seen(run).await;
    assert_eq!(seen.row.state, RunState::Paused);
    assert!(seen.may_reverse && seen.acts.contains(&RunAct::Resume), "{:?}", seen.acts);
    assert!(seen.events.iter().any(|event| event.text.contains("is not left half way")), "{:?}", seen.events);
    scene.act(run, RunAct::Resume).await.unwrap();
    scene.finish(run).await;
    assert_eq!(scene.state(run).await, RunState::Succeeded);
    scene.belongs_to(scene.to).await;
}

async fn a_way_back_that_comes_to_nothing_leaves_the_run_as_it_was(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(7).await;
    scene.act(run, RunAct::Pause).await.unwrap();
    let (first, second) = two(app).await;
    let ask = async || {
        let back = utilities::plan_reverse(&app.db, &app.now, &first, run, ALONE).await.unwrap();
        let started = utilities::start(&app.db, &app.now, &first, proof(), back, &scene.line.number, "It was not sold.").await.unwrap();
        assert_eq!((started.run, started.was_first), (back, false));
        // Until it has moved the line, the run that it takes back stands still, and one of the two has the line.
        assert_eq!(scene.state(run).await, RunState::Paused);
        let refused = scene.act(run, RunAct::Resume).await;
        assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("take this one back")), "{refused:?}");
        assert_eq!(scene.seen(run).await.acts, []);
        let other = utilities::plan_reverse(&app.db, &app.now, &app.staff, run, ALONE).await.unwrap();
        assert_eq!(scene.start(other).await, Started { run: back, waits: None, was_first: true });
        (back, started.waits.expect("a second person has to agree"))
    };
    let is_as_it_was = async |back: RunId| {
        assert_eq!((scene.state(back).await, scene.state(run).await), (RunState::Cancelled, RunState::Paused));
        let seen = scene.seen(run).await;
        assert!(seen.may_reverse && seen.acts.contains(&RunAct::Resume), "{:?}", seen.acts);
        assert_eq!(account_of(app, scene.line.id).await, scene.to);
        app.pass(1);
    };
    let (declined, waits) = ask().await;
    approvals::decide(&app.db, &app.now, &second, proof(), waits, false, "It was.").await.unwrap();
    is_as_it_was(declined).await;
    let (withdrawn, waits) = ask().await;
    approvals::withdraw(&app.db, &app.now, &first, waits).await.unwrap();
    is_as_it_was(withdrawn).await;
    let (cancelled, _) = ask().await;
    utilities::act(&app.db, &app.now, &first, cancelled, RunAct::Cancel).await.unwrap();
    is_as_it_was(cancelled).await;
    let (forgotten, _) = ask().await;
    app.pass(4 * 24 * 60 * 60);
    worker(app).step().await.unwrap();
    is_as_it_was(forgotten).await;
    scene.act(run, RunAct::Resume).await.unwrap();
    scene.act(run, RunAct::Pause).await.unwrap();
    // In the end somebody agrees: with the line the first run goes.
    let (back, waits) = ask().await;
    approvals::decide(&app.db, &app.now, &second, proof(), waits, true, "").await.unwrap();
    assert_eq!(scene.state(run).await, RunState::Paused);
    scene.steps(1).await;
    assert_eq!(scene.state(run).await, RunState::Cancelled);
    scene.finish(back).await;
    assert_eq!(scene.state(back).await, RunState::Succeeded);
    scene.belongs_to(scene.from).await;
}

async fn a_line_that_a_cancelled_run_left_half_way_is_taken_back(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(7).await;
    // As it could be before this was refused.
    let stuck = "update utility_run set state = 'cancelled', held = null, due_at = null, lease_until = null where id = $1";
    app.db.work(async |tx| tx.run(stuck, [run]).await).await.unwrap();
    assert!(scene.seen(run).await.may_reverse);
    scene.back(run).await;
    scene.belongs_to(scene.from).await;
    let (moving,): (bool,) = app.db.one("select transfer_id is not null from line where id = $1", [scene.line.id]).await.unwrap();
    assert!(!moving, "the line is open");
    assert!(!scene.seen(run).await.may_reverse, "once");
}

async fn the_rest_of_a_blast_that_is_half_sent_is_cancelled_and_the_line_may_move(app: &TestApp) {
    let scene = Scene::of(app, Ringcentral).await;
    let heard = |to: &[String]| {
        let journal = app.sandbox.journal(0);
        to.iter().flat_map(|to| received(&journal, to)).filter(|text| text.contains("Half")).count()
    };
    // What stands in the way names it, and leads to it.
    let in_the_way = async || {
        let obstacles = scene.seen(scene.plan().await).await.plan.obstacles;
        let (words, link) = obstacles.iter().find(|o| o.text.contains("half sent")).unwrap().offer.clone().unwrap();
        let id: BlastId = link.strip_prefix(&format!("/lines/{}/blasts/", scene.line.id)).unwrap().parse().unwrap();
        assert_eq!(words, "See the blast");
        id
    };
    let cancel_rest = async |id: BlastId| blast::cancel_rest(&app.db, &app.now, &app.staff.permit().unwrap(), scene.line.id, id).await;
    let three = [contact(10), contact(11), contact(12)];
    app.blast(&scene.line, &three, &app.text("Half")).await;
    while blast::record_next(&app.db, &app.now).await.unwrap() {}
    outbound::step(&app.db, &app.now, &app.carrier, 1).await.unwrap();
    let id = in_the_way().await;
    assert_eq!(cancel_rest(id).await, Ok(2));
    let again = cancel_rest(id).await;
    assert!(matches!(again, Err(Problem::Conflict { .. })), "{again:?}");
    app.work().await;
    assert_eq!(heard(&three), 1);
    let blast = blast::shown(&app.db, &app.staff.permit().unwrap(), scene.line.id, id).await.unwrap();
    assert_eq!((blast.row.state, blast.sent, blast.failed, blast.waiting), (switchyard::types::BlastState::Cancelled, 1, 2, 0));
    // One of which not everybody is recorded yet.
    let many: Vec<String> = (100..700).map(contact).collect();
    app.blast(&scene.line, &many, &app.text("Half")).await;
    assert!(blast::record_next(&app.db, &app.now).await.unwrap());
    assert_eq!(cancel_rest(in_the_way().await).await, Ok(600));
    app.work().await;
    assert_eq!(heard(&many), 0);
    let (audited,): (i64,) = app.db.one("select count(*) from audit_entry where action = 'blast.cancel_rest'", ()).await.unwrap();
    assert_eq!(audited, 2);
    let (held,): (i64,) = app
        .db
        .one(
            "select count(*) from sync_entry e
             join message m on m.line_id = e.line_id and m.id = e.message_id and m.state = 'failed'
             where e.line_id = $1 and e.state = 'held'",
            [scene.line.id],
        )
        .await
        .unwrap();
    assert_eq!(held, 0, "what is not sent is not posted");
    assert_eq!(scene.seen(scene.plan().await).await.plan.obstacles, []);
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

async fn who_looks_after_one_of_the_accounts_is_offered_no_act(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let permissions = [Permission::SeeRuns, Permission::TransferLine, Permission::ControlRuns];
    let of = async |name: &str, accounts: &[AccountId]| {
        let role = role(app, name, &permissions, Some(accounts)).await;
        house(app).member(&format!("{name}@example.com"), role).await
    };
    let (source, target) = (of("source", &[scene.from]).await, of("target", &[scene.to]).await);
    let both = of("both", &[scene.from, scene.to]).await;
    let offered = async |member: &Member, run: RunId| {
        let seen = utilities::get(&app.db, &app.now, member, run).await.unwrap();
        (seen.acts, seen.may_reverse)
    };
    let run = scene.plan().await;
    scene.start(run).await;
    for one in [&source, &target] {
        assert_eq!(offered(one, run).await, (Vec::new(), false));
        let refused = utilities::act(&app.db, &app.now, one, run, RunAct::Pause).await;
        assert!(matches!(refused, Err(Problem::NotFound { .. })), "{refused:?}");
    }
    let (acts, _) = offered(&both, run).await;
    assert!(acts.contains(&RunAct::Pause) && acts.contains(&RunAct::Cancel), "{acts:?}");
    for act in [RunAct::Pause, RunAct::Resume] {
        utilities::act(&app.db, &app.now, &both, run, act).await.unwrap();
    }
    scene.finish(run).await;
    for one in [&source, &target] {
        assert_eq!(offered(one, run).await, (Vec::new(), false));
        let refused = utilities::plan_reverse(&app.db, &app.now, one, run, ALONE).await;
        assert!(matches!(refused, Err(Problem::NotFound { .. })), "{refused:?}");
    }
    assert_eq!(offered(&both, run).await, (Vec::new(), true));
    let back = utilities::plan_reverse(&app.db, &app.now, &both, run, ALONE).await.unwrap();
    assert!(utilities::get(&app.db, &app.now, &both, back).await.unwrap().may_start);
}

async fn what_each_act_leads_to_in_each_state(app: &TestApp) {
    use RunState::{AwaitingApproval, Cancelled, Cancelling, Failed, Paused, Pausing, Planned, Queued, Running, Succeeded, Verifying};

    const PLANNED: Result<RunState, &str> = Err("only planned");
    const PAUSE: Result<RunState, &str> = Err("can be paused");
    const RESUME: Result<RunState, &str> = Err("can be resumed");
    const CANCEL: Result<RunState, &str> = Err("nothing to cancel");
    // Whether a worker is at it; then what comes of a pause, a resume and a cancel.
    let table = [
        (Planned, false, [PLANNED, PLANNED, PLANNED]),
        (AwaitingApproval, false, [PAUSE, RESUME, Ok(Cancelled)]),
        (Queued, false, [Ok(Paused), Ok(Queued), Ok(Cancelled)]),
        (Running, false, [Ok(Paused), Ok(Running), Ok(Cancelled)]),
        (Running, true, [Ok(Pausing), Ok(Running), Ok(Cancelling)]),
        (Verifying, false, [Ok(Paused), Ok(Verifying), Ok(Cancelled)]),
        (Verifying, true, [Ok(Pausing), Ok(Verifying), Ok(Cancelling)]),
        (Pausing, false, [Ok(Pausing), Ok(Queued), Ok(Cancelling)]),
        (Pausing, true, [Ok(Pausing), Ok(Queued), Ok(Cancelling)]),
        (Paused, false, [Ok(Paused), Ok(Queued), Ok(Cancelled)]),
        (Failed, false, [PAUSE, Ok(Queued), Ok(Cancelled)]),
        (Cancelling, false, [PAUSE, RESUME, Ok(Cancelling)]),
        (Cancelling, true, [PAUSE, RESUME, Ok(Cancelling)]),
        (Cancelled, false, [PAUSE, RESUME, Ok(Cancelled)]),
        (Succeeded, false, [PAUSE, RESUME, CANCEL]),
    ];
    assert!(RunState::ALL.iter().all(|state| table.iter().any(|(of, _, _)| of == state)), "every state stands there");
    let scene = Scene::of(app, Inbox).await;
    let run = an_import(&scene, scene.from).await;
    for (state, is_worked, ends) in table {
        for (act, end) in [RunAct::Pause, RunAct::Resume, RunAct::Cancel].into_iter().zip(ends) {
            let lease = is_worked.then(|| app.now.at().plus(Duration::from_secs(30)));
            let stands = "update utility_run set state = $2, held = holds, lease_until = $3 where id = $1";
            app.db.work(async |tx| tx.run(stands, (run, state, lease)).await).await.unwrap();
            let done = scene.act(run, act).await;
            match end {
                Ok(_) => assert!(done.is_ok(), "{act:?} of {state:?}, {is_worked}: {done:?}"),
                Err(words) => assert!(
                    matches!(&done, Err(Problem::Conflict { text }) if text.contains(words)),
                    "{act:?} of {state:?}, {is_worked}: {done:?}"
                ),
            }
            assert_eq!(scene.state(run).await, end.unwrap_or(state), "{act:?} of {state:?}, {is_worked}");
        }
    }
}

async fn a_cancel_under_a_live_lease_ends_behind_the_batch_under_way(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = an_import(&scene, scene.from).await;
    let works = worker(app).hold().await.unwrap().unwrap();
    assert_eq!(scene.state(run).await, RunState::Running);
    scene.act(run, RunAct::Cancel).await.unwrap();
    assert_eq!(scene.state(run).await, RunState::Cancelling);
    let refused = scene.act(run, RunAct::Pause).await;
    assert!(matches!(&refused, Err(Problem::Conflict { text }) if text.contains("can be paused")), "{refused:?}");
    assert!(!works.wake().await.unwrap(), "it does no batch more");
    assert_eq!(scene.state(run).await, RunState::Cancelled);
    let (taken,): (i64,) = app.db.one("select count(*) from consent where number = $1", [contact(60)]).await.unwrap();
    assert_eq!(taken, 0);
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

async fn a_chunk_that_is_taken_while_the_line_moves_stays_with_its_paused_blast(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let taken = app.blast(&scene.line, &[contact(11), contact(12)], &app.text("Planned")).await;
    let id: BlastId = taken["id"].as_str().unwrap().parse().unwrap();
    // As a flip does it: the line first, then its blasts of which nothing is recorded.
    let is_held = tokio::sync::Notify::new();
    let flip = app.db.work(async |tx| {
        tx.run("update line set account_id = $2 where id = $1", (scene.line.id, scene.to)).await?;
        is_held.notify_one();
        until_waiting(app, 1).await;
        tx.run("update blast set state = 'paused' where line_id = $1 and state = 'recording'", [scene.line.id]).await
    });
    let record = async {
        is_held.notified().await;
        blast::record_next(&app.db, &app.now).await
    };
    let (paused, recorded) = tokio::join!(flip, record);
    assert_eq!(paused.unwrap(), 1);
    recorded.unwrap();
    assert!(!blast::record_next(&app.db, &app.now).await.unwrap(), "it waits for a decision");
    let left: (i64, i64) = app
        .db
        .one(
            "select (select count(*) from message where line_id = $1 and blast_id = $2),
               (select count(*) from blast_chunk where line_id = $1 and blast_id = $2)",
            (scene.line.id, id),
        )
        .await
        .unwrap();
    assert_eq!(left, (0, 1), "nothing of it is recorded, and its recipients are still there");
}

async fn an_erasure_does_not_pass_by_a_line_that_changes_hands(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    let (number, permit) = (contact(3), app.staff.permit().unwrap());
    let id = erasure::ask(&app.db, &app.now, &keys(), &permit, scene.from, &number, "Request 7").await.unwrap();
    // An erasure comes to the conversations before it comes to what was consented to.
    let is_held = tokio::sync::Notify::new();
    let flip = app.db.work(async |tx| {
        tx.run("update line set account_id = $2, transfer_id = $3 where id = $1", (scene.line.id, scene.to, run)).await?;
        tx.run("update conversation set last_at = last_at where line_id = $1", [scene.line.id]).await?;
        is_held.notify_one();
        until_waiting(app, 1).await;
        Ok::<_, switchyard::db::Error>(())
    });
    let erase = async {
        is_held.notified().await;
        erasure::erase(&app.db, &app.now, &keys(), &permit, proof(), id, &number[number.len() - 4..]).await
    };
    let (flipped, erased) = tokio::join!(flip, erase);
    flipped.unwrap();
    assert!(matches!(&erased, Err(Problem::Conflict { text }) if text.contains("being transferred")), "{erased:?}");
    let left: (i64, i64) = app
        .db
        .one(
            "select (select count(*) from conversation where line_id = $1 and number = $2),
               (select count(*) from consent where line_id = $1 and number = $2)",
            (scene.line.id, number.clone()),
        )
        .await
        .unwrap();
    assert_eq!(left, (1, 1), "nothing of it, rather than a part");
}

async fn the_rate_is_of_the_time_that_somebody_worked(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    scene.start(run).await;
    scene.steps(3).await;
    let figures = async || {
        app.pass(2);
        let seen = scene.seen(run).await;
        (seen.rows_per_second.is_some(), seen.seconds_left.is_some())
    };
    assert_eq!(figures().await, (true, true), "it is at work");
    scene.act(run, RunAct::Pause).await.unwrap();
    assert_eq!(figures().await, (false, false), "it stands still");
    scene.act(run, RunAct::Resume).await.unwrap();
    assert_eq!(figures().await, (false, false), "nobody has taken it up yet");
    scene.steps(2).await;
    assert_eq!(figures().await, (true, true));
}

async fn an_estimate_goes_by_transfers_that_nobody_paused(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.transfer(&[]).await;
    let back = scene.from.to_string();
    // Two rows a second.
    let slow = "update utility_step set done = 2000, began_at = 0, ended_at = 1000000000 where run_id = $1 and name = 'message'";
    let estimate = async |attempts: i64| {
        app.db
            .work(async |tx| {
                tx.run(slow, [run]).await?;
                tx.run("update utility_run set attempt = $2 where id = $1", (run, attempts)).await
            })
            .await
            .unwrap();
        let next = scene.plan_with(&app.staff, &[("to", back.as_str())]).await.unwrap();
        scene.seen(next).await.plan.seconds.unwrap()
    };
    assert!(estimate(2).await < 10, "it may have stood still for most of the time");
    assert!(estimate(1).await > 30);
}

async fn what_was_planned_and_is_gone_is_not_left_to_do(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.plan().await;
    let goes = "delete from message where line_id = $1 and id in (select id from message where line_id = $1 order by id limit 1)";
    app.db.work(async |tx| tx.run(goes, [scene.line.id]).await).await.unwrap();
    scene.start(run).await;
    scene.finish(run).await;
    let seen = scene.seen(run).await;
    assert_eq!((seen.row.state, seen.row.done), (RunState::Succeeded, seen.row.total), "{:?}", seen.error);
    let messages = seen.steps.iter().find(|step| step.name == "Messages").unwrap();
    assert_eq!(messages.total - messages.done, 1, "what was planned is still said");
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
        // What it is called, what was answered, and what its log says.
        RunFilter { search: "TRANSFER front desk FROM account 0".to_owned(), ..none() },
        RunFilter { search: "move ALONG".to_owned(), ..none() },
        RunFilter { search: "everything of IT is".to_owned(), ..none() },
        RunFilter { line: Some(scene.line.id), ..none() },
        RunFilter { account: Some(scene.from), ..none() },
        RunFilter { account: Some(scene.to), ..none() },
        RunFilter { state: Some(RunState::Succeeded), ..none() },
        RunFilter { kind: Some(UtilityKind::LineTransfer), ..none() },
        RunFilter { asked_by: Some(app.staff.id()), ..none() },
    ] {
        assert_eq!(found(filter.clone()).await, [run], "{filter:?}");
    }
    let name = "Ärzte am See".to_owned();
    let called = (scene.from, name.clone(), name.to_lowercase());
    app.db.work(async |tx| tx.run("update account set name = $2, search = $3 where id = $1", called).await).await.unwrap();
    assert_eq!(found(RunFilter { search: "Ärzte AM".to_owned(), ..none() }).await, [run], "by an account beyond ASCII");
    for filter in [
        RunFilter { state: Some(RunState::Failed), ..none() },
        RunFilter { search: "0199".to_owned(), ..none() },
        RunFilter { search: "a word that no run has".to_owned(), ..none() },
        // Two signs stand in every log.
        RunFilter { search: "it".to_owned(), ..none() },
    ] {
        assert_eq!(found(filter.clone()).await, [], "{filter:?}");
    }
    // One over several accounts is about no line and names no account.
    app.line(Inbox).await;
    let answers = BTreeMap::from([("to".to_owned(), "none".to_owned())]);
    let bulk = utilities::plan(&app.db, &app.now, &app.staff, UtilityKind::SetTypes, &answers, None, ALONE).await.unwrap();
    let planned = RunFilter { state: Some(RunState::Planned), search: "the integration TYPE of".to_owned(), ..none() };
    assert_eq!(found(planned).await, [bulk]);
    let (of,): (Option<AccountId>,) = app.db.one("select account_id from utility_run where id = $1", [bulk]).await.unwrap();
    assert_eq!(of, None);
    let asked = utilities::askers(&app.db, &app.staff.permit().unwrap()).await.unwrap();
    assert_eq!(asked.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [app.staff.id()]);
    let other = accounts::add(&app.db, &app.now, &app.staff.permit().unwrap(), "Elsewhere", true, true).await.unwrap();
    let elsewhere = of_account(app, "elsewhere", other).await;
    assert!(utilities::askers(&app.db, &elsewhere.permit().unwrap()).await.unwrap().is_empty(), "of no run that they may see");
    let report = utilities::report(&app.db, &app.staff.permit().unwrap(), run).await.unwrap();
    assert!(report.steps.iter().any(|step| step.title == "Messages" && step.ranges > 1 && step.done == step.total), "{report:?}");
}

async fn the_audit_of_both_accounts_shows_the_move(app: &TestApp) {
    let scene = Scene::of(app, Inbox).await;
    let run = scene.transfer(&[]).await;
    for account in [scene.from, scene.to] {
        let told: Vec<(String, i64)> = app
            .db
            .all(
                "select action, count(*) from audit_entry
                 where account_id = $1 and line_id = $2 and subject_id = $3 and action like 'line.transfer%'
                 group by action
                 order by action",
                (account, scene.line.id, run),
            )
            .await
            .unwrap();
        assert_eq!(told, [("line.transfer".to_owned(), 1), ("line.transfer_done".to_owned(), 1)]);
    }
}
