//! The kill-test of the Line Transfer: real processes are killed at every named point and at random moments while a line moves, and contacts,
//! programs and agents write all the while. `make kill-test ROUNDS=50 SEED=3`; `ENGINE=postgres`, `MESSAGES=100000`; `BREAK=<guard>` takes
//! one guard out.
//!
//! The rule: the verdict is a scan by other code ([`judge`]), and each guard, taken out, turns it red.

mod judge;
mod reigns;
mod scene;
mod writer;

use crate::harness::{DbEngine, told, told_engine, with_database};
use futures_util::future::join_all;
use judge::{Figures, judge};
use scene::{LATE, LEASE, PATIENCE, Process, Scene, Told};
use server::sandbox::{Fault, On, What};
use std::collections::{BTreeSet, VecDeque};
use std::io::Write;
use std::time::{Duration, Instant};
use switchyard::clock::Rng;
use switchyard::staff::{self, Member, Proof};
use switchyard::types::{AccountId, RoleId, RunAct, RunId};
use switchyard::work::faults::UtilityGuard;
use tokio_util::sync::CancellationToken;
use writer::{Record, Writer};

/// The first round's seed unless said otherwise.
const SEED: u64 = 3;
/// Messages of the line in a small round.
const FEW: usize = 200;
/// So many rounds are played until it is seen that a guard is missing.
const TRIES: u64 = 3;
/// Every point at which a worker may die, in the order in which it comes to them.
const POINTS: [&str; 29] = [
    "utility_claimed",
    "utility_batch",
    "utility_flip",
    "utility_committed",
    "utility_responders",
    "utility_consent",
    "utility_erased_opt_out",
    "utility_conversation",
    "utility_message",
    "utility_consent_event",
    "utility_blast",
    "utility_lane",
    "utility_sync_entry",
    "utility_intent",
    "utility_agent_post",
    "utility_contacts",
    "utility_access",
    "utility_opt_ins",
    "utility_check_consent",
    "utility_check_erased_opt_out",
    "utility_check_conversation",
    "utility_check_message",
    "utility_check_consent_event",
    "utility_check_blast",
    "utility_check_lane",
    "utility_check_sync_entry",
    "utility_check_intent",
    "utility_check_agent_post",
    "utility_open",
];
/// The one that only the way back has.
const POINT_BACK: &str = "utility_back";
/// What is asked for where every step is to have something to do.
const ALL_STEPS: [(&str, &str); 3] = [("access", "keep"), ("responders", "drop"), ("opt_ins", "reset")];
const FEW_STEPS: [(&str, &str); 3] = [("access", "drop"), ("responders", "move"), ("opt_ins", "keep")];

/// What a round is about; each does what one of the guards is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The worker dies at named points; opt-ins are reset, and come back with the line.
    There,
    /// The worker dies at named points and at random.
    Points,
    /// Workers are suspended and killed at random; posts are under way when the line moves, and it stands half way for a while.
    Random,
    /// A worker sleeps through its lease, and goes on when the line has moved there and back.
    Sleeper,
}

impl Kind {
    const ALL: [Self; 4] = [Self::There, Self::Random, Self::Points, Self::Sleeper];

    /// The round that a guard is for.
    fn of(guard: UtilityGuard) -> Self {
        match guard {
            UtilityGuard::OptOutMerge => Self::There,
            UtilityGuard::Checkpoint => Self::Points,
            UtilityGuard::Scope => Self::Random,
            UtilityGuard::Fence => Self::Sleeper,
        }
    }
}

/// A round as it is to be played.
struct Round {
    kind: Kind,
    seed: u64,
    messages: usize,
    broken: Option<UtilityGuard>,
    /// Where its workers die, in order.
    points: Vec<&'static str>,
}

/// The processes of a round, and what is still to happen to them.
struct Supervisor<'a> {
    scene: &'a Scene,
    rng: Rng,
    processes: Vec<(&'static str, Process)>,
    points: VecDeque<&'static str>,
    kills_left: u64,
    suspensions_left: u64,
    kills: usize,
    reached: BTreeSet<String>,
}

impl Supervisor<'_> {
    fn start(&mut self, command: &'static str, told: Told) {
        let process = self.scene.start(command, told);
        self.processes.push((command, process));
    }

    fn next_point(&mut self) -> Told {
        Told { die_at: self.points.pop_front().map(str::to_owned), hangs: None }
    }

    /// Starts again what has died, with where it dies next; one that was killed on its way there is told the same again.
    fn raise_the_dead(&mut self) {
        for n in 0..self.processes.len() {
            let Some(at_a_point) = self.processes[n].1.died() else { continue };
            let (command, dead) = self.processes.swap_remove(n);
            self.kills += 1;
            let told = match dead.told.die_at.clone() {
                Some(point) if !at_a_point => Told { die_at: Some(point), hangs: None },
                point => {
                    self.reached.extend(point);
                    self.next_point()
                }
            };
            drop(dead);
            self.start(command, told);
        }
    }

    /// Something happens to one of them, now and then.
    async fn fate(&mut self) {
        let n = usize::try_from(self.rng.below(self.processes.len() as u64)).unwrap();
        match self.rng.below(50) {
            0 if self.kills_left > 0 => {
                self.kills_left -= 1;
                self.kill(n).await;
            }
            1 if self.suspensions_left > 0 => {
                self.suspensions_left -= 1;
                let process = &self.processes[n].1;
                process.signal("STOP");
                tokio::time::sleep(LEASE * 3 / 2).await;
                process.signal("CONT");
            }
            _ => {}
        }
    }

    async fn kill(&mut self, n: usize) {
        let process = &mut self.processes[n].1;
        process.signal("KILL");
        let began = Instant::now();
        while process.died().is_none() && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Goes with a run to its end, whatever happens on the way; says whether it came to a good one.
    async fn see_through(&mut self, run: RunId) -> bool {
        let began = Instant::now();
        loop {
            self.raise_the_dead();
            match self.scene.state(run).await.as_str() {
                "succeeded" => return true,
                "failed" | "cancelled" => return false,
                _ => {}
            }
            assert!(began.elapsed() < PATIENCE * 5, "the run comes to no end");
            self.fate().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whatever dies while this goes on is started again.
    async fn alive_during<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return done,
                () = tokio::time::sleep(Duration::from_millis(20)) => self.raise_the_dead(),
            }
        }
    }

    /// From now on nothing happens to anybody.
    fn leave_alone(&mut self) {
        self.raise_the_dead();
        self.points.clear();
        for (command, process) in std::mem::take(&mut self.processes) {
            if process.told.die_at.is_some() {
                drop(process);
                self.start(command, Told::default());
            } else {
                self.processes.push((command, process));
            }
        }
    }
}

/// People who look after one of the accounts each.
async fn members_of(scene: &Scene) -> Vec<Member> {
    let mut members = Vec::new();
    for (n, account) in scene.accounts.iter().enumerate() {
        let role = RoleId(scene.now.id());
        let (at, name) = (scene.now.at(), format!("Account {n}"));
        scene
            .db
            .work(async |tx| {
                tx.run("insert into role (id, name, everywhere, created_at) values ($1, $2, false, $3)", (role, name.clone(), at)).await?;
                tx.run("insert into role_permission (role_id, permission) values ($1, 'see_messages')", [role]).await?;
                tx.run("insert into role_account (role_id, account_id) values ($1, $2)", (role, account.id)).await
            })
            .await
            .unwrap();
        let email = format!("member{n}@example.com");
        let proof = Proof::at_the_shell();
        let invited = staff::invite(&scene.db, &scene.now, scene.staff(), proof, &email, "Somebody", role).await.unwrap();
        members.push(Member::load(&scene.db, invited.id).await.unwrap().unwrap());
    }
    members
}

/// Plays a round and has it judged; says at which points workers died.
async fn play(engine: DbEngine, database: &str, round: &Round) -> (Figures, BTreeSet<String>) {
    let scene = Scene::begin(engine, database, round.messages, round.broken).await;
    let members = members_of(&scene).await;
    let rng = Rng::seeded(round.seed);
    let (kills, suspensions) = match round.kind {
        // Who sleeps must live to wake up.
        Kind::Sleeper => (0, 0),
        _ if round.broken.is_some() => (0, 0),
        Kind::There => (1, 0),
        Kind::Points => (2, 0),
        Kind::Random => (2 + rng.below(3), 2),
    };
    let mut workers = Supervisor {
        scene: &scene,
        rng,
        processes: Vec::new(),
        points: round.points.iter().copied().collect(),
        kills_left: kills,
        suspensions_left: suspensions,
        kills: 0,
        reached: BTreeSet::new(),
    };
    let quiet = CancellationToken::new();
    let story = async {
        let done = move_the_line(&scene, &mut workers, round).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        workers.leave_alone();
        quiet.cancel();
        done
    };
    let (done, talk, words) = tokio::join!(
        story,
        Writer::new(&scene, &members, "talk", round.seed).talks(quiet.clone()),
        Writer::new(&scene, &members, "word", round.seed + 1).wavers(quiet.clone()),
    );
    let Story { mut record, should_own, words: said } = done;
    record.add(talk);
    record.add(words);
    let is_drained = scene.is_drained_within(if round.broken.is_some() { LATE } else { PATIENCE }).await;
    let Supervisor { processes, kills, reached, .. } = workers;
    drop(processes);
    let mut figures = judge(&scene, &record, should_own).await;
    figures.kills = kills;
    figures.words.extend(said);
    if !is_drained {
        figures.words.push("something still waits to be delivered".to_owned());
    }
    if !figures.is_good() {
        figures.words.insert(0, format!("SEED={} {:?} on {engine:?}", round.seed, round.kind));
    }
    scene.end().await;
    (figures, reached)
}

/// What was said and done beside the writers.
struct Story {
    record: Record,
    should_own: AccountId,
    words: Vec<String>,
}

/// The line moves, and in some rounds back, while things happen to the workers.
async fn move_the_line(scene: &Scene, workers: &mut Supervisor<'_>, round: &Round) -> Story {
    let hanging = scene.folder.path().join("hangs");
    let sleeps = round.kind == Kind::Sleeper;
    let first = if sleeps { Told { die_at: None, hangs: Some(hanging.clone()) } } else { workers.next_point() };
    workers.start("serve", first);
    if round.kind == Kind::Random && scene.engine == DbEngine::Postgres {
        workers.start("work", Told::default());
    }
    scene.until("conversations stand in RingCentral", async || scene.sandbox.chats().len() >= 4).await;
    let mut story = Story { record: Record::default(), should_own: scene.accounts[1].id, words: Vec::new() };
    if round.kind == Kind::Random {
        // What was said before the line moves is not posted before it has moved.
        scene.sandbox.arm(Fault::new(On::Post, What::Status { status: 503, retry_after: None, code: None }).times(0)).unwrap();
        story.record.add(Writer::new(scene, &[], "before", round.seed + 2).says_before().await);
    }
    let steps = if matches!(round.kind, Kind::There | Kind::Points) { ALL_STEPS } else { FEW_STEPS };
    let run = scene.transfer(&steps).await;
    let stands_half_way = async {
        if round.kind == Kind::Random {
            scene.until("the line has moved", async || scene.reigns.count() > 1).await;
            let is_paused = scene.act(run, RunAct::Pause).await;
            tokio::time::sleep(LATE + Duration::from_millis(200)).await;
            scene.sandbox.disarm();
            let wanted: Vec<String> = story.record.inbound.iter().map(|(text, _)| text.clone()).collect();
            scene.are_posted_within(&wanted, LATE * 4).await;
            if is_paused {
                scene.until("the run goes on", async || scene.act(run, RunAct::Resume).await).await;
            }
        }
    };
    let meanwhile = async {
        if sleeps {
            scene.until("a worker sleeps", async || hanging.exists()).await;
        }
    };
    let (is_there, ..) = tokio::join!(workers.see_through(run), stands_half_way, meanwhile);
    if !is_there {
        story.words.push(format!("the transfer did not succeed: {}", scene.why(run).await));
    }
    if is_there && (sleeps || round.kind == Kind::There) {
        if round.kind == Kind::There {
            story.record.add(workers.alive_during(Writer::new(scene, &[], "leave", round.seed + 3).leaves()).await);
        }
        if round.kind == Kind::There && round.broken.is_none() {
            workers.points.push_back(POINT_BACK);
            workers.kill(0).await;
        }
        story.should_own = scene.accounts[0].id;
        let back = scene.transfer_back(run).await;
        if !workers.see_through(back).await {
            story.words.push(format!("the way back did not succeed: {}", scene.why(back).await));
        }
    }
    if sleeps {
        // It wakes up, and goes on with what it had looked at.
        let _ = std::fs::remove_file(&hanging);
        tokio::time::sleep(LEASE).await;
    }
    story
}

/// So many rounds, one after the other; all guards in place unless one is taken out.
fn rounds(count: usize, seed: u64, messages: usize, broken: Option<UtilityGuard>) -> Vec<Round> {
    let kinds: Vec<Kind> = (0..count).map(|n| broken.map_or(Kind::ALL[n % Kind::ALL.len()], Kind::of)).collect();
    let dying = kinds.iter().filter(|kind| matches!(kind, Kind::There | Kind::Points)).count();
    // Each point at least once.
    let each = POINTS.len().div_ceil(dying.max(1)).max(2);
    let mut next = 0;
    let mut points = |kind: Kind| match (kind, broken) {
        (Kind::There | Kind::Points, None) => {
            let mut some: Vec<usize> = (next..next + each).map(|n| n % POINTS.len()).collect();
            next += each;
            // In the order in which a worker comes to them.
            some.sort_unstable();
            some.dedup();
            some.into_iter().map(|n| POINTS[n]).collect()
        }
        // Opt-ins are reset in the end, whatever became of them before: what is missed of conversations stays missed.
        (_, Some(UtilityGuard::Checkpoint)) => vec!["utility_checkpoint_conversation"],
        _ => Vec::new(),
    };
    kinds.into_iter().zip(seed..).map(|(kind, seed)| Round { kind, seed, messages, broken, points: points(kind) }).collect()
}

/// Plays them, all at the same time.
async fn kill_test(engine: DbEngine, rounds: Vec<Round>) -> (Figures, BTreeSet<String>) {
    let each = rounds.into_iter().map(async |round| {
        let mut played = None;
        with_database(engine, async |url: &str| played = Some(play(engine, url, &round).await)).await;
        played
    });
    let (mut figures, mut reached) = (Figures::default(), BTreeSet::new());
    for (found, points) in join_all(each).await.into_iter().flatten() {
        figures.add(found);
        reached.extend(points);
    }
    (figures, reached)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by make kill-test"]
async fn as_told_by_the_environment() {
    let (count, seed, messages) = (told("ROUNDS").unwrap_or(50), told("SEED").unwrap_or(SEED), told("MESSAGES").unwrap_or(FEW));
    let broken: Option<UtilityGuard> = told("BREAK");
    let engine = told_engine();
    let mut out = std::io::stdout();
    let without = broken.map_or("every guard in place".to_owned(), |guard| format!("without the guard {}", guard.name()));
    writeln!(out, "rounds from SEED={seed} on, {messages} messages each, {without}").unwrap();
    let mut figures = Figures::default();
    for round in rounds(count, seed, messages, broken) {
        let (seed, kind) = (round.seed, round.kind);
        let (found, _) = kill_test(engine, vec![round]).await;
        found.words.iter().for_each(|words| writeln!(out, "SEED={seed} {words}").unwrap());
        figures.add(found);
        // A long run says how far it is.
        writeln!(out, "SEED={seed} {kind:?}; so far: {figures}").unwrap();
    }
    writeln!(out, "{figures}").unwrap();
    // The count is the last word: the test runner adds nothing.
    std::process::exit(i32::from(!figures.is_good() || figures.rounds != count));
}

/// Makes two tests of each, one for each engine; they want no application of the harness. Their processes go by real seconds and want the
/// machine for themselves: `make test` runs them after the others, one by one.
macro_rules! on_both_databases { ($($promise:ident),+ $(,)?) => { $(
    mod $promise {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "real processes and real seconds: it wants the machine for itself"]
        async fn sqlite() {
            super::$promise(crate::harness::DbEngine::Sqlite).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "real processes and real seconds: it wants the machine for itself"]
        async fn postgres() {
            super::$promise(crate::harness::DbEngine::Postgres).await;
        }
    }
)+ } }

on_both_databases![
    a_line_moves_whole_although_workers_die_at_every_point,
    a_line_moves_whole_although_workers_are_suspended_and_killed_at_random,
    a_worker_that_sleeps_through_its_lease_changes_nothing_when_it_wakes,
    without_the_checkpoints_transaction_rows_are_left_behind,
    without_the_fence_a_worker_that_wakes_takes_rows_along,
    without_the_merge_of_opt_outs_a_stop_is_forgotten,
    without_the_scope_of_lanes_posts_go_to_the_old_account,
];

/// A few small rounds of a kind.
fn few(kinds: &[Kind], broken: Option<UtilityGuard>) -> Vec<Round> {
    rounds(Kind::ALL.len(), SEED, FEW, broken).into_iter().filter(|round| kinds.contains(&round.kind)).collect()
}

fn assert_good(figures: &Figures) {
    assert!(figures.is_good(), "{figures}\n{:#?}", figures.words);
}

async fn a_line_moves_whole_although_workers_die_at_every_point(engine: DbEngine) {
    let (figures, reached) = kill_test(engine, few(&[Kind::There, Kind::Points], None)).await;
    assert_good(&figures);
    let missed: Vec<&str> = POINTS.into_iter().chain([POINT_BACK]).filter(|point| !reached.contains(*point)).collect();
    assert!(figures.rounds == 0 || missed.is_empty(), "nobody died at {missed:?}");
}

async fn a_line_moves_whole_although_workers_are_suspended_and_killed_at_random(engine: DbEngine) {
    assert_good(&kill_test(engine, few(&[Kind::Random], None)).await.0);
}

async fn a_worker_that_sleeps_through_its_lease_changes_nothing_when_it_wakes(engine: DbEngine) {
    assert_good(&kill_test(engine, few(&[Kind::Sleeper], None)).await.0);
}

/// Rounds without a guard, one by one, until it is seen that it is missing: what it is for does not come up in every one.
async fn without(engine: DbEngine, guard: UtilityGuard, seen: impl Fn(&Figures) -> usize) {
    let mut played = Figures::default();
    for seed in SEED..SEED + TRIES {
        let (figures, _) = kill_test(engine, rounds(1, seed, FEW, Some(guard))).await;
        if figures.rounds == 0 || seen(&figures) > 0 {
            return;
        }
        played.add(figures);
    }
    panic!("{played}\n{:#?}", played.words);
}

async fn without_the_checkpoints_transaction_rows_are_left_behind(engine: DbEngine) {
    without(engine, UtilityGuard::Checkpoint, |figures| figures.left_behind).await;
}

async fn without_the_fence_a_worker_that_wakes_takes_rows_along(engine: DbEngine) {
    without(engine, UtilityGuard::Fence, |figures| figures.left_behind).await;
}

async fn without_the_merge_of_opt_outs_a_stop_is_forgotten(engine: DbEngine) {
    without(engine, UtilityGuard::OptOutMerge, |figures| figures.weakened).await;
}

async fn without_the_scope_of_lanes_posts_go_to_the_old_account(engine: DbEngine) {
    without(engine, UtilityGuard::Scope, |figures| figures.leaked).await;
}
