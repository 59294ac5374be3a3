//! Messages that come in while lanes drain, and a blast that is held. What comes in is measured from the service's batcher on, without
//! HTTP.

use crate::world::{World, number, world};
use crate::{Bench, percentile, resident_mib};
use std::time::{Duration, Instant};
use switchyard::messaging::blast;
use switchyard::messaging::inbound::{Incoming, Received, receive};
use switchyard::types::PhoneNumber;
use switchyard::work::Batcher;
use tokio_util::sync::CancellationToken;

/// The first contact for whom something is held; the others come behind it.
const HELD: u64 = 10_000_000;

impl Bench {
    pub(crate) async fn hold(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 1).await else { return };
        let count: u64 = if self.full { 100_000 } else { 20_000 };
        let recipients: Vec<PhoneNumber> = (0..count).map(|n| number(1_000_000 + n)).collect();
        let before = resident_mib();
        let began = Instant::now();
        blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), w.lines[0].0, "Sale!", &recipients).await.unwrap();
        while blast::record_next(&w.db, &w.now).await.unwrap() {}
        let seconds = began.elapsed().as_secs_f64();
        let goal = 5.0 * count as f64 / 100_000.0;
        self.note(Some(&w), "hold: a blast recorded as held", seconds, "s", Some((goal, true)), count, 1);
        self.note(Some(&w), "hold: memory grown", resident_mib() - before, "MiB", Some((64.0, true)), count, 1);
        w.end().await;
    }

    pub(crate) async fn inbound(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 50).await else { return };
        let (messages, held, seconds) = if self.full { (1_000_000, 100_000, 10) } else { (50_000, 20_000, 4) };
        fill(&w, messages, held).await;
        let engine_task = tokio::spawn(w.delivery(&w.db).run(w.stop.clone()));
        let batcher = batcher(&w);

        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for run in 0..5 {
            let mut times = steady(&w, &batcher, 2_000, seconds, run).await;
            times.sort_unstable();
            p50.push(percentile(&times, 50));
            p99.push(percentile(&times, 99));
        }
        p50.sort_by(f64::total_cmp);
        p99.sort_by(f64::total_cmp);
        let samples = 5 * 2_000 * seconds;
        let (left,): (i64,) = w.db.one("select count(*) from sync_entry where state = 'held'", ()).await.unwrap();
        assert_eq!(u64::try_from(left).unwrap(), held - samples / 2, "each answer released what was held for its contact");
        self.note(Some(&w), "inbound: p50 at 2,000/s, median of 5 runs", p50[2], "ms", Some((5.0, true)), messages, samples);
        self.note(Some(&w), "inbound: p99 at 2,000/s, median of 5 runs", p99[2], "ms", Some((30.0, true)), messages, samples);
        let rate = closed_loop(&w, &batcher, seconds, 50_000_000).await;
        self.note(Some(&w), "inbound: highest rate", rate, "msg/s", Some((2_000.0, false)), messages, 1);

        let recipients: Vec<PhoneNumber> = (0..if self.full { 100_000 } else { 20_000 }).map(|n| number(90_000_000 + n)).collect();
        blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), w.lines[0].0, "Sale!", &recipients).await.unwrap();
        let stop = CancellationToken::new();
        let recording = tokio::spawn(blast::run(w.db.clone(), w.now.clone(), stop.clone()));
        let rate = closed_loop(&w, &batcher, 2, 60_000_000).await;
        self.note(Some(&w), "inbound: rate while a blast is recorded", rate, "msg/s", None, messages, 1);
        stop.cancel();
        recording.await.unwrap();
        w.stop.cancel();
        engine_task.await.unwrap();
        w.end().await;
    }
}

/// Earlier messages and held ones, by the product's own verbs.
async fn fill(w: &World, messages: u64, held: u64) {
    let mut n = 0;
    while n < messages {
        let batch: Vec<Incoming> = (n..(n + 500).min(messages)).map(|n| w.incoming(n, 5_000_000 + n % 50_000)).collect();
        n += batch.len() as u64;
        receive(&w.db, &w.now, &batch).await.unwrap();
    }
    // What lies in the lanes is done: the bench measures what comes now.
    w.db.work(async |tx| {
        tx.run("update sync_entry set state = 'posted' where state = 'queued'", ()).await?;
        tx.run("update lane set queued = 0, trouble = 0, due_at = null", ()).await
    })
    .await
    .unwrap();
    // Each contact's is held by the line that a message of the contact's own number goes to: see `World::incoming`.
    for (place, (line, _)) in w.lines.iter().enumerate() {
        let its_own = (HELD..HELD + held).filter(|contact| usize::try_from(*contact).unwrap() % w.lines.len() == place);
        let recipients: Vec<PhoneNumber> = its_own.map(number).collect();
        blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), *line, "Sale!", &recipients).await.unwrap();
    }
    while blast::record_next(&w.db, &w.now).await.unwrap() {}
    w.carrier_takes_what_is_held().await;
    w.settle().await;
}

type Inbound = Batcher<Incoming, Result<Received, String>>;

fn batcher(w: &World) -> Inbound {
    let (db, now) = (w.db.clone(), w.now.clone());
    Batcher::start(
        128,
        move |batch: Vec<Incoming>| {
            let (db, now) = (db.clone(), now.clone());
            async move { Ok(receive(&db, &now, &batch).await?.into_iter().map(Ok).collect()) }
        },
        |error: switchyard::db::Error| Err(error.to_string()),
    )
}

/// Messages at an even rate, four at the same instant, each timed from that instant to the batcher's answer. Every second one is a
/// contact's answer to the line that holds something for them, one of each contact in all runs; the others come from contacts who wrote
/// before.
async fn steady(w: &World, batcher: &Inbound, rate: u64, seconds: u64, run: u64) -> Vec<Duration> {
    let began = tokio::time::Instant::now();
    let first = run * rate * seconds;
    let mut tasks = Vec::new();
    for group in 0..rate * seconds / 4 {
        let due = began + Duration::from_micros(group * 4_000_000 / rate);
        tokio::time::sleep_until(due).await;
        for n in first + group * 4..first + group * 4 + 4 {
            let (n, contact) = if n % 2 == 0 { (HELD + n / 2, HELD + n / 2) } else { (20_000_000 + n, 5_000_000 + n % 50_000) };
            let (batcher, message) = (batcher.clone(), w.incoming(n, contact));
            tasks.push(tokio::spawn(async move {
                batcher.submit(message).await.unwrap().unwrap();
                due.elapsed()
            }));
        }
    }
    let mut times = Vec::with_capacity(tasks.len());
    for task in tasks {
        times.push(task.await.unwrap());
    }
    times
}

/// As fast as 256 callers can.
async fn closed_loop(w: &World, batcher: &Inbound, seconds: u64, from: u64) -> f64 {
    let until = Instant::now() + Duration::from_secs(seconds);
    let counts = futures_util::future::join_all((0..256).map(async |caller: u64| {
        let mut done = 0;
        while Instant::now() < until {
            // No divisor of the contacts' number: all of them write.
            let n = from + caller * 20_011 + done;
            batcher.submit(w.incoming(n, 5_000_000 + n % 50_000)).await.unwrap().unwrap();
            done += 1;
        }
        done
    }))
    .await;
    counts.iter().sum::<u64>() as f64 / seconds as f64
}
