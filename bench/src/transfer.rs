//! The Line Transfer: its speed beside the same changes as plain updates, its memory, and what it costs those who wait meanwhile.

use crate::platform::{conversations, id_of, messages};
use crate::world::{World, world};
use crate::{Bench, percentile, resident_mib};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use switchyard::clock::Now;
use switchyard::directory::accounts;
use switchyard::messaging::inbound;
use switchyard::staff::Proof;
use switchyard::types::{AccountId, LineId, RunId, RunState, UtilityKind};
use switchyard::utilities::{self, Worker, WorkerConfig};
use tokio_util::sync::CancellationToken;

/// A message comes in so often, to other lines.
const PACE: Duration = Duration::from_millis(20);
const SAMPLES: u64 = 500;

/// A line's history: messages of conversations, one after the other, as they were over the last months.
async fn fill(w: &World, line: LineId, account: AccountId, message_count: u64, conversation_count: u64) {
    let begin = Now::system().at().minus(Duration::from_secs(200 * 24 * 60 * 60));
    let talks = conversations(w, &[(line, account)], 2_000_000, conversation_count).await;
    let at = |n: u64| begin.plus(Duration::from_millis(n));
    messages(w, (0..message_count).zip(talks.iter().cycle()).map(|(n, talk)| (id_of(n, at(n)), at(n), talk))).await;
}

/// Plans a transfer.
pub(crate) async fn planned(w: &World, line: LineId, to: AccountId) -> RunId {
    let answers: BTreeMap<String, String> = [
        ("line", line.to_string()),
        ("to", to.to_string()),
        ("access", "drop".to_owned()),
        ("responders", "move".to_owned()),
        ("opt_ins", "keep".to_owned()),
        ("scheduled", "pause".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    utilities::plan(&w.db, &w.now, &w.member, UtilityKind::LineTransfer, &answers, None, i64::MAX).await.unwrap()
}

/// Plans and starts a transfer.
async fn start(w: &World, line: usize, to: AccountId) -> RunId {
    let (id, own) = (w.lines[line].0, w.lines[line].1.clone());
    let run = planned(w, id, to).await;
    utilities::start(&w.db, &w.now, &w.member, Proof::at_the_shell(), run, own.expose(), "Bench").await.unwrap();
    run
}

async fn until_done(w: &World, run: RunId) {
    loop {
        let seen = utilities::get(&w.db, &w.now, &w.member, run).await.unwrap();
        match seen.row.state {
            RunState::Succeeded => return,
            RunState::Failed | RunState::Cancelled => panic!("{:?} {:?}", seen.error, seen.events),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// How long single messages to other lines wait for their answer.
async fn answers(w: &World, first: u64, count: u64) -> Vec<Duration> {
    let mut every = tokio::time::interval(PACE);
    let mut times = Vec::new();
    for n in 0..count {
        every.tick().await;
        // The first two lines are those that are measured.
        let mut message = w.incoming(first + n, 9_000_000 + n);
        message.to = w.lines[2 + usize::try_from(n % 8).unwrap()].1.clone();
        let began = Instant::now();
        inbound::receive(&w.db, &w.now, &[message]).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

impl Bench {
    pub(crate) async fn transfer(&mut self, engine: &'static str) {
        let (messages, conversations) = if self.full { (5_000_000, 200_000) } else { (500_000, 20_000) };
        let Some(w) = world(engine, 10).await else { return };
        let account: AccountId = {
            let (id,): (AccountId,) = w.db.one("select account_id from line where id = $1", [w.lines[0].0]).await.unwrap();
            id
        };
        let to = accounts::add(&w.db, &w.now, &w.member.permit().unwrap(), "Target", true, true).await.unwrap();
        let (plain, own) = (w.lines[0].0, w.lines[1].0);
        for line in [plain, own] {
            w.db.work(async |tx| tx.run("update line set integration_type = 'inbox' where id = $1", [line]).await).await.unwrap();
            fill(&w, line, account, messages, conversations).await;
        }
        w.settle().await;

        // The limit: the same changes, one statement a table, one transaction.
        let began = Instant::now();
        w.db.work(async |tx| {
            tx.run("update conversation set account_id = $2 where line_id = $1", (plain, to)).await?;
            tx.run("update message set account_id = $2 where line_id = $1", (plain, to)).await
        })
        .await
        .unwrap();
        let limit = began.elapsed();
        let rows = messages + conversations;
        self.note(Some(&w), "transfer: the limit, plain updates", rows as f64 / limit.as_secs_f64(), "rows/s", None, rows, 1);

        let before = resident_mib();
        let run = start(&w, 1, to).await;
        let stop = CancellationToken::new();
        let worker = Worker::new(w.db.clone(), w.now.clone(), WorkerConfig { share: 1.0, ..WorkerConfig::default() });
        let working = tokio::spawn(worker.run(stop.clone()));
        let began = Instant::now();
        until_done(&w, run).await;
        let took = began.elapsed();
        stop.cancel();
        working.await.unwrap();
        self.note(Some(&w), "transfer: unthrottled, verified", rows as f64 / took.as_secs_f64(), "rows/s", None, rows, 1);
        let share = 100.0 * limit.as_secs_f64() / took.as_secs_f64();
        self.note(Some(&w), "transfer: of the limit's speed", share, "%", Some((60.0, false)), rows, 1);
        self.note(Some(&w), "transfer: memory that it took", (resident_mib() - before).max(0.0), "MiB", Some((50.0, true)), rows, 1);

        // Beside it, throttled as by default: what others wait. The first ones pay for what the transfer left to be written.
        answers(&w, 3_000_000, SAMPLES).await;
        let idle = answers(&w, 1_000_000, SAMPLES).await;
        let back = utilities::plan_reverse(&w.db, &w.now, &w.member, run, i64::MAX).await.unwrap();
        utilities::start(&w.db, &w.now, &w.member, Proof::at_the_shell(), back, w.lines[1].1.expose(), "Bench").await.unwrap();
        let stop = CancellationToken::new();
        let working = tokio::spawn(Worker::new(w.db.clone(), w.now.clone(), WorkerConfig::default()).run(stop.clone()));
        let beside = answers(&w, 2_000_000, SAMPLES).await;
        let seen = utilities::get(&w.db, &w.now, &w.member, back).await.unwrap();
        stop.cancel();
        working.await.unwrap();
        self.note(Some(&w), "transfer: p99 of inbound, idle", percentile(&idle, 99), "ms", None, SAMPLES, SAMPLES);
        self.note(Some(&w), "transfer: p99 of inbound beside it, throttled", percentile(&beside, 99), "ms", None, SAMPLES, SAMPLES);
        let ratio = percentile(&beside, 99) / percentile(&idle, 99).max(0.001);
        self.note(Some(&w), "transfer: the same as a ratio", ratio, "x", Some((2.0, true)), SAMPLES, SAMPLES);
        let rate = seen.rows_per_second.unwrap_or(0);
        self.note(Some(&w), "transfer: throttled", rate as f64, "rows/s", None, rows, 1);
        w.end().await;
    }
}
