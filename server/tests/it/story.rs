//! Stories: what programs, contacts, agents and staff do and what goes wrong meanwhile, in any order, played against the real code by
//! two workers that doze, answer slowly and die. The same seed tells the same story, to the last id.
//!
//! What must come of it is worked out from the sandbox's journal and from what the story did ([`promise`]), never from the code.
//! `property` looks for the shortest story that breaks a promise, `soak` counts over many.

mod judge;
mod promise;
mod scene;

use crate::harness::{DbEngine, TestApp, run_with};
use crate::verdict::Verdict;
use proptest::prelude::*;
use scene::Scene;
use server::sandbox::{Entry, On, What};
use switchyard::clock::Rng;
use switchyard::types::IntegrationType::{self, Inbox, None as BlastOnly, Ringcentral};
use switchyard::work::faults::Guard;

/// Contacts of each of the two lines.
const CONTACTS: usize = 2;
/// What the lines' responder listens to and says.
const KEYWORD: &str = "hours";
const REPLY: &str = "We are open from nine to five r0001.";
/// A call ends within this time, so its answer comes sooner.
const SLOWEST: u64 = 14;

/// One step of a story. Where there are two workers, `second` says which.
#[derive(Debug, Clone)]
pub enum Step {
    /// The account's program sends a message.
    Send { line: usize, contact: usize },
    /// … or a blast, to some of the contacts.
    Blast { line: usize, contacts: [bool; CONTACTS] },
    /// A contact writes; later than sent, if there are minutes.
    Reply { line: usize, contact: usize, minutes: u64 },
    /// A contact asks what the responder answers.
    Ask { line: usize, contact: usize },
    /// An agent writes in the contact's chat.
    Answer { line: usize, contact: usize },
    /// The carrier repeats an earlier webhook.
    Repeat { which: usize },
    /// Staff set the line's type.
    SetType { line: usize, to: IntegrationType },
    /// Staff are impatient with every conversation of a line, and a worker hears of it.
    Retry { line: usize },
    /// A worker records a blast, or makes a recorded one due.
    Record,
    /// A worker sends what is due.
    SendOutbox,
    /// What RingCentral and the carrier tell comes in, and a worker works events off.
    Listen,
    /// A worker looks after the subscriptions, and whether events were lost.
    LookAfter,
    /// A worker delivers a lane.
    Deliver { second: bool },
    /// Time passes, and one worker does all that is due.
    Work { seconds: u64 },
    /// A worker looks at the lanes that are due, and falls asleep before it calls.
    Doze,
    /// It wakes up, perhaps long after its lease.
    Wake,
    /// A worker delivers a lane, and its call is answered slowly; the others go on meanwhile.
    Slow { second: bool, on: On, seconds: u64 },
    /// A worker dies before it calls.
    Die,
    /// A worker dies amid a call, which RingCentral hears, or hears and shows later, or does not hear.
    DieCalling { second: bool, on: On, what: What },
    /// Something goes wrong with the next calls or events of a kind.
    Arm { on: On, what: What, times: u32 },
    /// RingCentral refuses one of the texts, until the faults end.
    Refuse { which: usize },
    /// Every token is stale.
    ExpireTokens,
    /// Time passes.
    Pass { seconds: u64 },
}

/// Any story.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Most happens on the line that begins with RingCentral.
    let (line, contact) = (prop_oneof![3 => Just(0), 1 => Just(1)], 0..CONTACTS);
    let kinds = prop::sample::select(vec![BlastOnly, Inbox, Ringcentral, Ringcentral]);
    // RingCentral is assumed to show a post within twenty seconds. Most interesting is what comes after the lease of who asked for it.
    let late = |hang| prop_oneof![1_000..19_000_u64, 10_000..19_000_u64].prop_map(move |after_ms| What::AcceptLate { after_ms, hang });
    let whats = prop_oneof![
        5 => Just(What::LoseAnswer { hang: false }),
        2 => Just(What::LoseRequest { hang: false }),
        5 => late(false),
        1 => (10..60_u64).prop_map(|seconds| What::Status { status: 429, retry_after: Some(seconds), code: None }),
        2 => prop::sample::select(vec![429, 500, 502, 503]).prop_map(|status| What::Status { status, retry_after: None, code: None }),
        1 => Just(What::DailyLimit),
    ];
    let deadly = prop_oneof![
        2 => Just(What::LoseAnswer { hang: true }),
        1 => Just(What::LoseRequest { hang: true }),
        3 => late(true),
    ];
    let events =
        prop_oneof![Just(What::DoubleEvent), Just(What::OvertakeEvent), (1_000..60_000_u64).prop_map(|ms| What::DelayEvent { ms })];
    let on = prop::sample::select(vec![On::Post, On::Post, On::Post, On::Post, On::Team, On::List, On::Token, On::Sms]);
    let slow = prop::sample::select(vec![On::Post, On::Post, On::Team]);
    let amid = prop::sample::select(vec![On::Post, On::Post, On::Post, On::Team, On::List]);
    let talk = prop_oneof![
        6 => (line.clone(), contact.clone()).prop_map(|(line, contact)| Step::Send { line, contact }),
        4 => (line.clone(), any::<[bool; CONTACTS]>()).prop_map(|(line, contacts)| Step::Blast { line, contacts }),
        16 => (line.clone(), contact.clone(), prop_oneof![3 => Just(0), 1 => 1..90_u64])
            .prop_map(|(line, contact, minutes)| Step::Reply { line, contact, minutes }),
        2 => (line.clone(), contact.clone()).prop_map(|(line, contact)| Step::Ask { line, contact }),
        5 => (line.clone(), contact).prop_map(|(line, contact)| Step::Answer { line, contact }),
        3 => any::<usize>().prop_map(|which| Step::Repeat { which }),
        2 => (line.clone(), kinds).prop_map(|(line, to)| Step::SetType { line, to }),
        4 => line.prop_map(|line| Step::Retry { line }),
    ];
    let work = prop_oneof![
        4 => Just(Step::Record),
        8 => Just(Step::SendOutbox),
        6 => Just(Step::Listen),
        1 => Just(Step::LookAfter),
        16 => any::<bool>().prop_map(|second| Step::Deliver { second }),
        3 => Just(Step::Doze),
        3 => Just(Step::Wake),
        3 => (any::<bool>(), slow, 1..SLOWEST).prop_map(|(second, on, seconds)| Step::Slow { second, on, seconds }),
        10 => prop_oneof![3 => 1..10_u64, 1 => 10..40_u64].prop_map(|seconds| Step::Work { seconds }),
        8 => prop_oneof![6 => 1..10_u64, 3 => 10..60_u64, 1 => 60..4_000_u64].prop_map(|seconds| Step::Pass { seconds }),
    ];
    let trouble = prop_oneof![
        8 => (on, whats, 1..3_u32).prop_map(|(on, what, times)| Step::Arm { on, what, times }),
        3 => (events, 1..3_u32).prop_map(|(what, times)| Step::Arm { on: On::Event, what, times }),
        1 => Just(Step::Die),
        6 => (any::<bool>(), amid, deadly).prop_map(|(second, on, what)| Step::DieCalling { second, on, what }),
        1 => any::<usize>().prop_map(|which| Step::Refuse { which }),
        1 => Just(Step::ExpireTokens),
    ];
    prop::collection::vec(prop_oneof![40 => talk, 60 => work, 30 => trouble], 30..80)
}

/// How a story ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// How many texts are not as they should be.
    pub verdict: Verdict,
    /// The same in words, one for each.
    pub words: Vec<String>,
    /// What went wrong on purpose.
    pub faults: usize,
    /// All that reached RingCentral and the carrier.
    pub journal: Vec<Entry>,
}

/// How a story is played.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub engine: DbEngine,
    /// All chance of the product comes from it.
    pub seed: u64,
    /// Lanes that a worker delivers at the same time. With more than one, which call is first is chance.
    pub lanes: usize,
    /// The guard that is taken out.
    pub broken: Option<Guard>,
}

/// Plays a story on an application of its own.
pub async fn play(stage: Stage, steps: &[Step]) -> Ended {
    let mut ended = Ended::default();
    run_with(stage.engine, Rng::seeded(stage.seed), async |app: &TestApp| {
        let mut scene = Scene::begin(app, stage).await;
        for step in steps {
            scene.take(step).await;
        }
        scene.end().await;
        ended = scene.judge().await;
    })
    .await;
    ended
}
