//! Each guard of the deliveries matters: a scenario that is good with it turns red when it is taken out. And without all of them in
//! place these tests would prove nothing: the verdict can see what it is there to see.

use crate::harness::{TestApp, TestLine, contact, eventually, on_both_engines};
use crate::verdict::{GOOD, Said, Verdict, verdict};
use server::sandbox::{Fault, Kind, On, What};
use switchyard::sync::{self, Engine, EngineConfig, Next, Prepared};
use switchyard::types::IntegrationType::Ringcentral;
use switchyard::work::faults::Guard;

on_both_engines![
    without_the_intent_a_crash_after_the_call_posts_twice,
    without_the_look_up_a_lost_answer_posts_twice,
    without_the_settle_time_a_late_post_stands_twice,
    without_the_fence_a_stale_worker_posts_twice,
    without_the_lanes_lock_two_workers_post_the_same,
];

/// Plays `scene` with all guards and with one taken out, each with a contact of its own.
async fn proves(app: &TestApp, guard: Guard, scene: impl AsyncFn(&TestApp, &TestLine, &str, &Engine) -> Said) {
    let line = app.line(Ringcentral).await;
    for (n, broken) in [None, Some(guard)].into_iter().enumerate() {
        let engine = app.further_engine(EngineConfig { broken, ..EngineConfig::default() });
        let said = scene(app, &line, &contact(n), &engine).await;
        // What comes late has come by then.
        app.pass(120);
        let found = verdict(&app.sandbox, &said);
        match broken {
            None => assert_eq!(found, GOOD, "with every guard"),
            Some(_) => assert!(found.doubled > 0 && Verdict { doubled: 0, ..found } == GOOD, "without {guard:?}: {found:?}"),
        }
    }
}

/// A chat that stands, and a further message that waits to be posted into it.
async fn one_waits(app: &TestApp, line: &TestLine, contact: &str) -> Said {
    let mut said = Said::default();
    for n in 0..2 {
        let text = app.text("Hello");
        app.reply(contact, line, &text).await;
        said.then(contact, &text);
        if n == 0 {
            app.work().await;
        }
    }
    said
}

async fn prepared(engine: &Engine) -> Vec<Prepared> {
    let mut posts = Vec::new();
    for claim in engine.claim(8).await.unwrap() {
        if let Next::Post(post) = engine.prepare(claim).await.unwrap() {
            posts.push(*post);
        }
    }
    posts
}

async fn without_the_intent_a_crash_after_the_call_posts_twice(app: &TestApp) {
    proves(app, Guard::Intent, async |app, line, contact, engine| {
        let said = one_waits(app, line, contact).await;
        app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: true })).unwrap();
        let before = app.sandbox.journal(0).len() as u64;
        let post = prepared(engine).await.remove(0);
        let worker = tokio::spawn({
            let engine = engine.clone();
            async move { engine.carry_out(post).await }
        });
        eventually("RingCentral has the post", async || app.sandbox.journal(before).iter().any(|e| e.kind == Kind::Post && e.accepted))
            .await;
        // Here the worker dies: the call was made, its answer never came.
        worker.abort();
        app.work_with(engine).await;
        said
    })
    .await;
}

async fn without_the_look_up_a_lost_answer_posts_twice(app: &TestApp) {
    proves(app, Guard::LookUp, async |app, line, contact, engine| {
        let said = one_waits(app, line, contact).await;
        app.sandbox.arm(Fault::new(On::Post, What::LoseAnswer { hang: false })).unwrap();
        app.work_with(engine).await;
        said
    })
    .await;
}

async fn without_the_settle_time_a_late_post_stands_twice(app: &TestApp) {
    proves(app, Guard::Settle, async |app, line, contact, engine| {
        let said = one_waits(app, line, contact).await;
        app.sandbox.arm(Fault::new(On::Post, What::AcceptLate { after_ms: 15_000, hang: false })).unwrap();
        engine.step().await.unwrap();
        // Staff are impatient.
        let conversation = app.conversation(line, contact).await.id;
        sync::retry_now(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, conversation).await.unwrap();
        app.work_with(engine).await;
        said
    })
    .await;
}

async fn without_the_fence_a_stale_worker_posts_twice(app: &TestApp) {
    proves(app, Guard::Fence, async |app, line, contact, engine| {
        let said = one_waits(app, line, contact).await;
        let stale = prepared(engine).await.remove(0);
        // It sleeps until its lease is over; another one delivers; then it wakes up.
        app.pass(61);
        app.work_with(&app.engine).await;
        engine.carry_out(stale).await.unwrap();
        app.work().await;
        said
    })
    .await;
}

async fn without_the_lanes_lock_two_workers_post_the_same(app: &TestApp) {
    proves(app, Guard::LaneLock, async |app, line, contact, engine| {
        let said = one_waits(app, line, contact).await;
        let other = engine.clone();
        let (first, second) = (prepared(engine).await, prepared(&other).await);
        for post in first.into_iter().chain(second) {
            engine.carry_out(post).await.unwrap();
        }
        app.work_with(engine).await;
        said
    })
    .await;
}
