//! RingCentral's side: events that are accepted, how soon a reply reaches RingCentral, how fast lanes drain, how many calls it takes.

use crate::world::{World, keys, number, world};
use crate::{Bench, percentile};
use axum::http::HeaderName;
use futures_util::future::join_all;
use server::sandbox::Entry;
use server::webhooks::ringcentral::Hooks;
use std::time::{Duration, Instant};
use switchyard::db::Db;
use switchyard::messaging::blast;
use switchyard::messaging::inbound::receive;
use switchyard::ringcentral::Client;
use switchyard::ringcentral::subscription::{Subscriptions, of_hook};
use switchyard::types::PhoneNumber;
use tokio_util::sync::CancellationToken;

/// Callers that bring events at the same time; RingCentral does not say how many it has.
const CALLERS: u64 = 64;

impl Bench {
    /// Events over HTTP, each stored before it is answered.
    pub(crate) async fn events(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 1).await else { return };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (router, ended) = (Hooks::new(w.db.clone(), w.now.clone(), keys()).router(), w.stop.clone());
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await });
        let http = server::application::http_client().unwrap();
        let client = Client::new(http.clone(), w.db.clone(), w.now.clone(), keys());
        Subscriptions::new(client, &base).step().await.unwrap();
        let (hook,): (String,) = w.db.one("select hook from subscription", ()).await.unwrap();
        let (_, token) = of_hook(&w.db, &keys(), &hook).await.unwrap().unwrap();
        let url = format!("{base}/webhooks/ringcentral/{hook}");
        let seconds = if self.full { 20 } else { 4 };
        let until = Instant::now() + Duration::from_secs(seconds);
        let times = join_all((0..CALLERS).map(async |caller| {
            let mut times = Vec::new();
            while Instant::now() < until {
                let event = event(&format!("{caller}-{}", times.len()));
                let began = Instant::now();
                let request = http.post(&url).header(HeaderName::from_static("verification-token"), &token).json(&event);
                assert_eq!(request.send().await.unwrap().status(), 200);
                times.push(began.elapsed());
            }
            times
        }))
        .await;
        let mut times: Vec<Duration> = times.into_iter().flatten().collect();
        times.sort_unstable();
        let count = times.len() as u64;
        let (stored,): (i64,) = w.db.one("select count(*) from ringcentral_event", ()).await.unwrap();
        assert_eq!(stored, i64::try_from(count).unwrap(), "each is stored");
        self.note(Some(&w), "events: accepted a second", count as f64 / seconds as f64, "ev/s", None, count, count);
        // RingCentral waits three seconds.
        self.note(Some(&w), "events: p99 with 64 callers", percentile(&times, 99), "ms", Some((3_000.0, true)), count, count);
        w.end().await;
    }

    /// From an incoming message to the first call at RingCentral, with a worker that is idle.
    pub(crate) async fn wake(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 10).await else { return };
        let working = tokio::spawn(w.delivery(&w.db).run(w.stop.clone()));
        let samples = if self.full { 1_000 } else { 200 };
        let mut times = Vec::new();
        // The first of each contact makes its chat; then the chats stand.
        for n in 0..50 + samples {
            let before = w.sandbox.journal(0).last().map_or(0, |entry| entry.n);
            let began = Instant::now();
            receive(&w.db, &w.now, &[w.incoming(n, 5_000_000 + n % 50)]).await.unwrap();
            while !w.sandbox.journal(before).iter().any(is_call) {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            if n >= 50 {
                times.push(began.elapsed());
            }
            w.is_drained().await;
        }
        times.sort_unstable();
        let rows = times.len() as u64;
        self.note(Some(&w), "wake: p50 from a reply to the first call", percentile(&times, 50), "ms", None, rows, rows);
        self.note(Some(&w), "wake: p99 from a reply to the first call", percentile(&times, 99), "ms", Some((50.0, true)), rows, rows);
        w.stop.cancel();
        working.await.unwrap();
        w.end().await;
    }

    /// Lanes with one reply each, whose chats stand, worked by one worker and by four.
    pub(crate) async fn drain(&mut self, engine: &'static str) {
        for workers in [1, 4] {
            // On SQLite there is one process.
            if engine == "sqlite" && workers > 1 {
                continue;
            }
            let Some(w) = world(engine, 20).await else { return };
            let lanes = if self.full { 5_000 } else { 1_000 };
            for with_chat in [false, true] {
                for from in (0..lanes).step_by(500) {
                    let batch: Vec<_> = (from..(from + 500).min(lanes))
                        .map(|n| w.incoming(n + if with_chat { 10_000_000 } else { 0 }, 5_000_000 + n))
                        .collect();
                    receive(&w.db, &w.now, &batch).await.unwrap();
                }
                let stop = CancellationToken::new();
                // Each has a pool of its own, as a process has.
                let mut own = Vec::new();
                for _ in 0..workers {
                    let db = if workers == 1 { w.db.clone() } else { Db::open(&w.url, 8).await.unwrap() };
                    own.push(tokio::spawn(w.delivery(&db).run(stop.clone())));
                }
                let began = Instant::now();
                w.is_drained().await;
                let rate = lanes as f64 / began.elapsed().as_secs_f64();
                stop.cancel();
                for worker in own {
                    worker.await.unwrap();
                }
                if with_chat {
                    let name = format!("drain: lanes a second, {workers} worker{}", if workers > 1 { "s" } else { "" });
                    self.note(Some(&w), &name, rate, "/s", None, lanes, 1);
                }
            }
            w.end().await;
        }
    }

    /// Calls for one reply that releases so many held messages, in a chat that stands.
    pub(crate) async fn calls(&mut self, engine: &'static str) {
        let Some(w) = world(engine, 1).await else { return };
        let working = tokio::spawn(w.delivery(&w.db).run(w.stop.clone()));
        for (n, held) in [0_u64, 1, 10, 100].into_iter().enumerate() {
            for _ in 0..held {
                let to: Vec<PhoneNumber> = vec![number(5_000_000)];
                let text = "We have free places for a check-up next week. Reply YES and we call you.";
                blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), w.lines[0].0, text, &to).await.unwrap();
                while blast::record_next(&w.db, &w.now).await.unwrap() {}
            }
            w.carrier_takes_what_is_held().await;
            let before = w.sandbox.journal(0).last().map_or(0, |entry| entry.n);
            receive(&w.db, &w.now, &[w.incoming(n as u64, 5_000_000)]).await.unwrap();
            w.is_drained().await;
            let calls = w.sandbox.journal(before).iter().filter(|entry| is_call(entry)).count();
            if held > 0 {
                let name = format!("calls: for a reply with {held} held (one each: {})", held + 1);
                self.note(Some(&w), &name, calls as f64, "calls", Some((held as f64 + 1.0, true)), held, 1);
            }
        }
        w.stop.cancel();
        working.await.unwrap();
        w.end().await;
    }
}

fn is_call(entry: &Entry) -> bool {
    entry.kind.is_ringcentral_call()
}

fn event(uuid: &str) -> serde_json::Value {
    serde_json::json!({
        "uuid": uuid,
        "event": "/team-messaging/v1/posts",
        "timestamp": "2026-11-21T05:20:11.042Z",
        "subscriptionId": "5d3a1f0c",
        "ownerId": "709204023",
        "body": {
            "id": "58712068", "groupId": "1238245379", "type": "TextMessage", "text": "Yes, on Thursday at ten.",
            "creatorId": "709204024", "addedPersonIds": null, "creationTime": "2026-11-21T05:20:11.042Z",
            "lastModifiedTime": "2026-11-21T05:20:11.042Z", "attachments": null, "mentions": null, "eventType": "PostAdded",
        },
    })
}

impl World {
    /// Waits until no lane has anything to deliver.
    async fn is_drained(&self) {
        loop {
            let (waits,): (bool,) = self.db.one("select exists (select 1 from lane where due_at is not null)", ()).await.unwrap();
            if !waits {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
