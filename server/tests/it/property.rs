//! Any interleaving of sends, replies, answers, changes of type, faults and workers keeps the promises of the delivery engine. The first
//! story that does not is made as short as can be.
//!
//! `PROPERTY_SEED=<number>` plays other stories, `PROPERTY_CASES=<number>` more of them.

use crate::harness::DbEngine;
use crate::story::{Stage, Step, play, steps};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// The stories that are told unless said otherwise.
const SEED: u64 = 20_261_121;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Plays so many stories; the first that goes wrong, made as short as can be within a few seconds.
fn first_that_fails(engine: DbEngine, cases: u64, seed: u64) -> Option<(String, Vec<Step>)> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let cases = u32::try_from(cases).unwrap();
    let config = Config { cases, max_shrink_iters: 200, max_shrink_time: 20_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let played = runner.run(&steps(), |steps| {
        let ended = block_in_place(|| Handle::current().block_on(play(Stage { engine, seed, lanes: 32, broken: None }, &steps)));
        if ended.words.is_empty() { Ok(()) } else { Err(TestCaseError::fail(ended.words.join("\n"))) }
    });
    match played {
        Ok(()) => None,
        Err(TestError::Fail(why, steps)) => Some((why.to_string(), steps)),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

fn keeps_the_promises(engine: DbEngine, cases: u64) {
    let seed = number("PROPERTY_SEED", SEED);
    if let Some((why, steps)) = first_that_fails(engine, number("PROPERTY_CASES", cases), seed) {
        panic!("PROPERTY_SEED={seed}: {why}\nthe shortest story that was found: {steps:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_keeps_the_promises_on_sqlite() {
    keeps_the_promises(DbEngine::Sqlite, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_keeps_the_promises_on_postgres() {
    // Where there is none, it is said once.
    let cases = if std::env::var_os("TEST_POSTGRES_URL").is_some() { 16 } else { 1 };
    keeps_the_promises(DbEngine::Postgres, cases);
}
