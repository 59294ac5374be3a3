//! The Consent Import, from the file to the last row on record.

use crate::world::{number, world};
use crate::{Bench, resident_mib};
use std::fmt::Write;
use std::time::{Duration, Instant};
use switchyard::staff::Proof;
use switchyard::types::{RunState, UtilityKind};
use switchyard::utilities::{self, Worker, WorkerConfig};
use tokio_util::sync::CancellationToken;

/// Of so many rows one says again what another one says.
const ONE_IN: u64 = 10;

/// A file in no order, as exports are: each number once, and a tenth of the rows again.
fn file(rows: u64) -> String {
    let numbers = rows - rows / ONE_IN;
    let mut text = String::from("number,status,at,evidence\n");
    for n in 0..rows {
        // A step that has no divisor in common with the count visits each number once.
        let which = (n % numbers) * 7_919 % numbers;
        let number = number(10_000_000 + which);
        let (status, evidence) = if which.is_multiple_of(20) { ("opted_out", "") } else { ("opted_in", "Web form of the shop") };
        writeln!(text, "{},{status},2026-03-02T14:05:00Z,{evidence}", number.expose()).unwrap();
    }
    text
}

impl Bench {
    pub(crate) async fn consent_import(&mut self, engine: &'static str) {
        let rows = if self.full { 1_000_000 } else { 100_000 };
        let Some(w) = world(engine, 1).await else { return };
        let text = file(rows);
        let (line, typed) = (w.lines[0].0, w.lines[0].1.expose().to_owned());
        let answers = [("line".to_owned(), line.to_string())].into();

        let began = Instant::now();
        let planned = utilities::plan(&w.db, &w.now, &w.member, UtilityKind::ConsentImport, &answers, Some(text.as_bytes()), i64::MAX);
        let run = planned.await.unwrap();
        let plan_took = began.elapsed();
        utilities::start(&w.db, &w.now, &w.member, Proof::at_the_shell(), run, &typed, "").await.unwrap();
        let (stop, config) = (CancellationToken::new(), WorkerConfig { share: 1.0, ..WorkerConfig::default() });
        let worker = tokio::spawn(Worker::new(w.db.clone(), w.now.clone(), config).run(stop.clone()));
        let mut most = resident_mib();
        let ended = loop {
            let seen = utilities::get(&w.db, &w.now, &w.member, run).await.unwrap();
            most = most.max(resident_mib());
            if !seen.row.state.is_moving() {
                break seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let took = began.elapsed();
        stop.cancel();
        worker.await.unwrap();
        assert_eq!(ended.row.state, RunState::Succeeded, "{:?}", ended.error);
        let (stored,): (i64,) = w.db.one("select count(*) from consent where line_id = $1", [line]).await.unwrap();
        assert_eq!(stored, i64::try_from(rows - rows / ONE_IN).unwrap());

        let goal = (engine == "sqlite").then_some((50_000.0, false));
        let rate = rows as f64 / took.as_secs_f64();
        self.note(Some(&w), "consent-import: plan and run, a tenth doubled", rate, "/s", goal, rows, 1);
        self.note(Some(&w), "consent-import: of that, the plan", plan_took.as_secs_f64(), "s", None, rows, 1);
        self.note(Some(&w), "consent-import: memory, with the file", most, "MiB", None, rows, 1);
        w.end().await;
    }
}
