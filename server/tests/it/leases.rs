//! Who works a lane: a dead worker's lanes go on within seconds, a living one keeps its own, and a stale one changes nothing.

use crate::harness::{TestApp, TestLine, contact, eventually, on_both_engines};
use crate::verdict::{GOOD, Said, verdict};
use server::sandbox::{Fault, Kind, On, What};
use std::time::Duration;
use switchyard::sync::{EngineConfig, Next};
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::types::{EntryState, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

on_both_engines![
    the_lane_of_a_dead_worker_goes_on_within_seconds,
    a_worker_keeps_its_lane_while_its_heart_beats,
    a_worker_that_hangs_loses_its_lane_although_its_heart_beats,
    a_stop_finishes_the_post_under_way_and_gives_its_lease_back,
    an_account_whose_calls_hang_has_nearly_all_lanes_and_leaves_room_for_another,
];

/// A chat that stands, and one more message that waits to be posted.
async fn one_waits(app: &TestApp) -> (TestLine, Said) {
    let line = app.line(Ringcentral).await;
    let mut said = Said::default();
    for n in 0..2 {
        let text = app.text("Hello");
        app.reply(&contact(1), &line, &text).await;
        said.then(&contact(1), &text);
        if n == 0 {
            app.work().await;
        }
    }
    (line, said)
}

async fn the_lane_of_a_dead_worker_goes_on_within_seconds(app: &TestApp) {
    let (_line, said) = one_waits(app).await;
    let dead = app.further_engine(EngineConfig::default());
    let claim = dead.claim(8).await.unwrap().remove(0);
    let Next::Post(_) = dead.prepare(claim).await.unwrap() else { panic!("it had something to post") };
    assert!(app.engine.claim(8).await.unwrap().is_empty(), "one lane, one holder");
    app.pass(7);
    assert_eq!(app.engine.step().await.unwrap(), 1);
    assert_eq!(verdict(&app.sandbox, &said), GOOD);
}

/// A worker in the middle of a call whose answer does not come.
async fn hanging(app: &TestApp) -> (switchyard::sync::Engine, JoinHandle<()>) {
    let engine = app.further_engine(EngineConfig::default());
    app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: true })).unwrap();
    let before = app.sandbox.journal(0).len() as u64;
    let working = engine.clone();
    let worker = tokio::spawn(async move {
        working.step().await.unwrap();
    });
    eventually("RingCentral has the post", async || app.sandbox.journal(before).iter().any(|e| e.kind == Kind::Post && e.accepted)).await;
    (engine, worker)
}

async fn a_worker_keeps_its_lane_while_its_heart_beats(app: &TestApp) {
    let (_line, said) = one_waits(app).await;
    let (engine, worker) = hanging(app).await;
    for _ in 0..4 {
        app.pass(4);
        engine.renew_leases().await.unwrap();
        assert!(app.engine.claim(8).await.unwrap().is_empty());
    }
    worker.abort();
    // Out of its hand: the beat renews it no more.
    assert!(worker.await.unwrap_err().is_cancelled());
    app.pass(4);
    engine.renew_leases().await.unwrap();
    app.pass(4);
    assert_eq!(app.engine.claim(8).await.unwrap().len(), 1);
    app.pass(7);
    app.work().await;
    assert_eq!(verdict(&app.sandbox, &said), GOOD);
}

async fn a_worker_that_hangs_loses_its_lane_although_its_heart_beats(app: &TestApp) {
    let (_line, said) = one_waits(app).await;
    let (engine, worker) = hanging(app).await;
    app.pass(61);
    engine.renew_leases().await.unwrap();
    app.work().await;
    assert_eq!(verdict(&app.sandbox, &said), GOOD);
    worker.abort();
}

async fn a_stop_finishes_the_post_under_way_and_gives_its_lease_back(app: &TestApp) {
    let (line, said) = one_waits(app).await;
    app.sandbox.arm(Fault::new(On::Post, What::Slow { ms: 5_000 })).unwrap();
    let before = app.sandbox.journal(0).len() as u64;
    let calls = |kind: Kind| app.sandbox.journal(before).iter().filter(|entry| entry.kind == kind).count();
    let stop = CancellationToken::new();
    let working = tokio::spawn(app.further_engine(EngineConfig::default()).run(stop.clone()));
    eventually("RingCentral has the post", async || calls(Kind::Post) == 1).await;
    stop.cancel();
    // It hears of it, and has no answer yet.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!working.is_finished(), "it waits for what is under way");
    app.pass(5);
    tokio::time::timeout(Duration::from_secs(30), working).await.expect("it ends with the answer").unwrap();
    assert!(app.timeline(&line, &contact(1)).await.iter().all(|row| row.entry == Some(EntryState::Posted)));
    let (lease,): (Option<Timestamp>,) = app.db.one("select lease_until from lane where line_id = $1", [line.id]).await.unwrap();
    assert_eq!(lease, None);
    app.pass(60);
    app.work().await;
    assert_eq!(verdict(&app.sandbox, &said), GOOD);
    assert_eq!((calls(Kind::Post), calls(Kind::PostList)), (1, 0), "nobody had to look what became of it");
}

async fn an_account_whose_calls_hang_has_nearly_all_lanes_and_leaves_room_for_another(app: &TestApp) {
    let (hangs, line) = (app.line(Ringcentral).await, app.line(Ringcentral).await);
    for n in 0..40 {
        app.reply(&contact(n), &hangs, &app.text("Hello")).await;
    }
    app.reply(&contact(50), &line, &app.text("Hello")).await;
    app.work().await;
    app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: true }).times(0).containing("Hangs")).unwrap();
    let before = app.sandbox.journal(0).len() as u64;
    for n in 0..40 {
        app.reply(&contact(n), &hangs, &app.text("Hangs")).await;
    }
    let prompt = app.text("Prompt");
    app.reply(&contact(50), &line, &prompt).await;
    let engine = app.further_engine(EngineConfig { call: Duration::from_secs(120), ..EngineConfig::default() });
    let working = tokio::spawn(engine.run(app.stop.clone()));
    let posts = |part: &str| {
        let is_one = |text: &str| text.contains(part);
        app.sandbox.journal(before).iter().filter(|e| e.kind == Kind::Post && e.text.as_deref().is_some_and(is_one)).count()
    };
    eventually("the other account's reply is posted", async || posts(&prompt) == 1).await;
    eventually("the calls of the first are under way", async || posts("Hangs") == 28).await;
    working.abort();
}
