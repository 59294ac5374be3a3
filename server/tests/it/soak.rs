//! The fault soak: many random schedules of crashes, lost and late answers, errors, repeated and overtaking webhooks and events, with
//! two workers, counted from the sandbox's journal. `make soak SCHEDULES=1000 SEED=7`; `BREAK=<guard>` takes one guard out.
//!
//! Each schedule has a seed of its own, one above the last: `make soak SCHEDULES=1 SEED=<that>` plays it alone, and prints its story.

use crate::harness::{DbEngine, START, told, told_engine};
use crate::story::{Ended, Stage, Step, play, steps};
use futures_util::StreamExt;
use futures_util::stream;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use server::sandbox::Entry;
use std::fmt::Display;
use std::io::Write;
use switchyard::work::faults::Guard;

/// The first schedule's seed unless said otherwise.
const SEED: u64 = 7;
/// Schedules that are played at the same time: they wait for disks more than for processors.
const AT_ONCE: usize = 3;

/// What a soak counted.
#[derive(Debug, Default)]
struct Soak {
    schedules: usize,
    faults: usize,
    lost: usize,
    doubled: usize,
    disordered: usize,
    /// What went wrong, with its seed.
    words: Vec<String>,
}

impl Display for Soak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { schedules, faults, lost, doubled, disordered, .. } = self;
        write!(f, "schedules {schedules} faults {faults} lost {lost} doubled {doubled} disordered {disordered}")
    }
}

impl Soak {
    fn is_good(&self) -> bool {
        self.lost + self.doubled + self.disordered == 0
    }

    fn add(&mut self, seed: u64, ended: Ended) {
        self.schedules += 1;
        self.faults += ended.faults;
        self.lost += ended.verdict.lost;
        self.doubled += ended.verdict.doubled;
        // What stands where it does not belong is out of its order, too.
        self.disordered += ended.verdict.disordered + ended.verdict.astray;
        self.words.extend(ended.words.into_iter().map(|words| format!("SEED={seed} {words}")));
    }
}

/// The story of this seed.
fn story(seed: u64) -> Vec<Step> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    steps().new_tree(&mut runner).expect("a story").current()
}

/// Plays the schedule of this stage's seed. One that breaks off has lost something.
async fn schedule(stage: Stage) -> (u64, Ended) {
    let played = tokio::spawn(async move { play(stage, &story(stage.seed)).await }).await;
    let ended = played.unwrap_or_else(|panic| {
        let mut ended = Ended { words: vec![panic.to_string()], ..Ended::default() };
        ended.verdict.lost = 1;
        ended
    });
    (stage.seed, ended)
}

/// Plays so many schedules, or only until the first that goes wrong.
async fn soak(engine: DbEngine, first: u64, schedules: usize, broken: Option<Guard>, to_the_end: bool) -> Soak {
    let mut soak = Soak::default();
    let mut played = stream::iter(first..).take(schedules).map(|seed| schedule(Stage { engine, seed, lanes: 1, broken })).buffered(AT_ONCE);
    while let Some((seed, ended)) = played.next().await {
        soak.add(seed, ended);
        if !to_the_end && !soak.is_good() {
            break;
        }
    }
    soak
}

/// An entry in a line.
fn told_of(entry: &Entry) -> String {
    let Entry { n, at, kind, status, chat_id, post_id, to, .. } = entry;
    let seconds = at.since(START).as_secs_f32();
    let ids = [chat_id.map(|id| format!("chat {id}")), post_id.map(|id| format!("post {id}")), to.as_ref().map(|to| format!("to {to}"))];
    let ids: Vec<String> = ids.into_iter().flatten().collect();
    let how = [(!entry.accepted, "without effect"), (entry.answer_lost, "answer lost"), (entry.appears_at.is_some(), "late")];
    let how: Vec<&str> = how.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    let text = entry.text.as_deref().unwrap_or_default().replace('\n', " / ");
    format!("{n} {seconds:.2}s {kind:?} {status} {} {} {text}", ids.join(" "), how.join(", "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by make soak"]
async fn as_told_by_the_environment() {
    let (schedules, seed) = (told("SCHEDULES").unwrap_or(1_000), told("SEED").unwrap_or(SEED));
    let broken: Option<Guard> = told("BREAK");
    let engine = told_engine();
    let mut out = std::io::stdout();
    let without = broken.map_or("every guard in place".to_owned(), |guard| format!("without the guard {}", guard.name()));
    writeln!(out, "schedules from SEED={seed} on, {without}").unwrap();
    if schedules == 1 {
        story(seed).iter().for_each(|step| writeln!(out, "{step:?}").unwrap());
        let (_, ended) = schedule(Stage { engine, seed, lanes: 1, broken }).await;
        ended.journal.iter().for_each(|entry| writeln!(out, "{}", told_of(entry)).unwrap());
    }
    let soak = soak(engine, seed, schedules, broken, true).await;
    soak.words.iter().for_each(|words| writeln!(out, "{words}").unwrap());
    writeln!(out, "{soak}").unwrap();
    // The count is the last word: the test runner adds nothing.
    std::process::exit(i32::from(!soak.is_good()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_soak_loses_doubles_and_disorders_nothing() {
    let soak = soak(DbEngine::Sqlite, SEED, 40, None, true).await;
    assert!(soak.is_good(), "{soak}\n{:#?}", soak.words);
    assert!(soak.faults > 200, "{soak}");
}

/// The schedules reach what each guard is for. (For each guard alone, see `guards`.)
macro_rules! turns_red { ($($name:ident: $guard:ident;)+) => { $(
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn $name() {
        let soak = soak(DbEngine::Sqlite, SEED, 60, Some(Guard::$guard), false).await;
        assert!(!soak.is_good(), "{soak}");
    }
)+ } }

turns_red! {
    a_soak_without_the_intent_turns_red: Intent;
    a_soak_without_the_look_up_turns_red: LookUp;
    a_soak_without_the_settle_time_turns_red: Settle;
    a_soak_without_the_fence_turns_red: Fence;
    a_soak_without_the_lanes_lock_turns_red: LaneLock;
    a_soak_without_the_echo_guard_turns_red: Echo;
}
