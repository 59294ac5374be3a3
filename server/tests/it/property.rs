//! Any interleaving of sends, replies, changes of type, faults and workers keeps the promises of the delivery engine. What must stand
//! in each chat, and in which order, is worked out from the sandbox's journal and from what the test did, never from the code.
//!
//! `PROPERTY_SEED=<number>` plays other stories, `PROPERTY_CASES=<number>` more of them.

use crate::harness::{DbEngine, TestApp, TestLine, contact, run};
use crate::verdict::{GOOD, Said, chats_of, received, standing_posts, verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use server::sandbox::{Entry, Fault, HandsetText, Kind, On, What};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use switchyard::directory::people;
use switchyard::messaging::{blast, outbound};
use switchyard::sync::{self, Engine, EngineConfig, Next, Prepared};
use switchyard::types::IntegrationType::{self, Inbox, None as BlastOnly, Ringcentral};
use switchyard::types::{EntryState, Problem, Timestamp};
use switchyard::work::faults::Guard;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// The stories that are told unless said otherwise.
const SEED: u64 = 20_261_121;
/// Contacts of each of the two lines.
const CONTACTS: usize = 2;
/// What the lines' responder listens to and says.
const KEYWORD: &str = "hours";
const REPLY: &str = "We are open from nine to five r0001.";

/// One step of a story.
#[derive(Debug, Clone)]
enum Step {
    /// The account's program sends a message.
    Send { line: usize, contact: usize },
    /// … or a blast, to some of the contacts.
    Blast { line: usize, contacts: [bool; CONTACTS] },
    /// A contact writes; later than sent, if there are minutes.
    Reply { line: usize, contact: usize, minutes: u64 },
    /// A contact asks what the responder answers.
    Ask { line: usize, contact: usize },
    /// The carrier repeats an earlier webhook.
    Repeat { which: usize },
    /// Staff set the line's type.
    SetType { line: usize, to: IntegrationType },
    /// Staff are impatient with every conversation of a line.
    Retry { line: usize },
    /// A worker records a blast, or makes a recorded one due.
    Record,
    /// A worker sends what is due.
    SendOutbox,
    /// One of two workers takes a step.
    Deliver { second: bool },
    /// Time passes, and one worker does each of these once.
    Work { seconds: u64 },
    /// A worker looks at the lanes that are due, and falls asleep before it calls.
    Doze,
    /// It wakes up, perhaps long after its lease.
    Wake,
    /// A worker dies before it calls.
    Die,
    /// Something goes wrong with the next calls of a kind.
    Arm { on: On, what: What, times: u32 },
    /// RingCentral refuses one of the texts, until the faults end.
    Refuse { which: usize },
    /// Every token is stale.
    ExpireTokens,
    /// Time passes.
    Pass { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Most happens on the line that begins with RingCentral.
    let (line, contact) = (prop_oneof![3 => Just(0), 1 => Just(1)], 0..CONTACTS);
    let kinds = prop::sample::select(vec![BlastOnly, Inbox, Ringcentral, Ringcentral]);
    let whats = prop_oneof![
        5 => Just(What::LoseAnswer { hang: false }),
        2 => Just(What::LoseRequest { hang: false }),
        // RingCentral is assumed to show a post within twenty seconds.
        4 => (1_000..19_000_u64).prop_map(|after_ms| What::AcceptLate { after_ms, hang: false }),
        1 => (10..60_u64).prop_map(|seconds| What::Status { status: 429, retry_after: Some(seconds), code: None }),
        2 => prop::sample::select(vec![429, 500, 502, 503]).prop_map(|status| What::Status { status, retry_after: None, code: None }),
        1 => Just(What::DailyLimit),
    ];
    let on = prop::sample::select(vec![On::Post, On::Post, On::Post, On::Post, On::Team, On::List, On::Token, On::Sms]);
    let step = prop_oneof![
        6 => (line.clone(), contact.clone()).prop_map(|(line, contact)| Step::Send { line, contact }),
        4 => (line.clone(), any::<[bool; CONTACTS]>()).prop_map(|(line, contacts)| Step::Blast { line, contacts }),
        10 => (line.clone(), contact.clone(), prop_oneof![3 => Just(0), 1 => 1..90_u64])
            .prop_map(|(line, contact, minutes)| Step::Reply { line, contact, minutes }),
        2 => (line.clone(), contact).prop_map(|(line, contact)| Step::Ask { line, contact }),
        3 => line.clone().prop_map(|line| Step::Retry { line }),
        3 => any::<usize>().prop_map(|which| Step::Repeat { which }),
        2 => (line, kinds).prop_map(|(line, to)| Step::SetType { line, to }),
        4 => Just(Step::Record),
        8 => Just(Step::SendOutbox),
        14 => any::<bool>().prop_map(|second| Step::Deliver { second }),
        3 => Just(Step::Doze),
        3 => Just(Step::Wake),
        1 => Just(Step::Die),
        8 => (on, whats, 1..3_u32).prop_map(|(on, what, times)| Step::Arm { on, what, times }),
        1 => any::<usize>().prop_map(|which| Step::Refuse { which }),
        1 => Just(Step::ExpireTokens),
        8 => prop_oneof![8 => 1..60_u64, 1 => 60..4_000_u64].prop_map(|seconds| Step::Pass { seconds }),
        10 => (1..40_u64).prop_map(|seconds| Step::Work { seconds }),
    ];
    prop::collection::vec(step, 20..60)
}

/// What the test did, each with the journal's last entry before it.
#[derive(Debug)]
enum Did {
    /// The line has this type from now on.
    SetType(usize, IntegrationType),
    /// A message to this contact is recorded.
    Recorded { line: usize, contact: String, text: String, at: Timestamp },
}

struct Story<'a> {
    app: &'a TestApp,
    workers: [Engine; 2],
    lines: Vec<TestLine>,
    kinds: Vec<IntegrationType>,
    did: Vec<(u64, Did)>,
    /// Blasts that are taken and not recorded yet.
    blasts: Vec<(usize, Vec<String>, String)>,
    /// The blast before these is recorded and not yet due.
    is_recorded: bool,
    /// Every text that is unique.
    texts: Vec<String>,
    refused: BTreeSet<String>,
    /// The carrier's ids of what contacts wrote.
    inbound: Vec<String>,
    dozing: Vec<Prepared>,
}

fn contact_of(line: usize, contact_of_line: usize) -> String {
    contact(line * CONTACTS + contact_of_line)
}

impl<'a> Story<'a> {
    async fn begin(app: &'a TestApp, broken: Option<Guard>) -> Story<'a> {
        // Statuses come by themselves, in no order that the journal would show.
        app.sandbox.set_deliver_statuses(false);
        let kinds = vec![Ringcentral, BlastOnly];
        let mut lines = Vec::new();
        for kind in &kinds {
            let line = app.line(*kind).await;
            people::add_responder(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, KEYWORD, REPLY).await.unwrap();
            lines.push(line);
        }
        let did = kinds.iter().enumerate().map(|(line, kind)| (0, Did::SetType(line, *kind))).collect();
        let worker = || app.further_engine(EngineConfig { broken, ..EngineConfig::default() });
        Story {
            app,
            workers: [worker(), worker()],
            lines,
            kinds,
            did,
            blasts: Vec::new(),
            is_recorded: false,
            texts: Vec::new(),
            refused: BTreeSet::new(),
            inbound: Vec::new(),
            dozing: Vec::new(),
        }
    }

    fn note(&mut self, did: Did) {
        self.did.push((self.app.sandbox.journal(0).len() as u64, did));
    }

    fn text(&mut self, words: &str) -> String {
        let text = self.app.text(words);
        self.texts.push(text.clone());
        text
    }

    async fn take(&mut self, step: &Step) {
        let app = self.app;
        match step {
            Step::Send { line, contact } => {
                let (to, text) = (contact_of(*line, *contact), self.text("Your order is ready"));
                app.send(&self.lines[*line], &to, &text).await;
                self.note(Did::Recorded { line: *line, contact: to, text, at: app.now.at() });
            }
            Step::Blast { line, contacts } => {
                let to: Vec<String> = (0..CONTACTS).filter(|n| contacts[*n]).map(|n| contact_of(*line, n)).collect();
                if !to.is_empty() {
                    let text = self.text("Sale");
                    app.blast(&self.lines[*line], &to, &text).await;
                    self.blasts.push((*line, to, text));
                }
            }
            Step::Reply { line, contact, minutes } => {
                let text = self.text("Thank you");
                self.write(*line, *contact, text, *minutes).await;
            }
            Step::Ask { line, contact } => self.write(*line, *contact, KEYWORD.to_owned(), 0).await,
            Step::Repeat { which } => {
                if let Some(id) = pick(&self.inbound, *which) {
                    assert_eq!(app.sandbox.repeat_inbound(id).await.unwrap().webhook_status, Some(200));
                }
            }
            Step::SetType { line, to } => {
                if self.kinds[*line] != *to {
                    app.set_type(&self.lines[*line], *to).await;
                    self.kinds[*line] = *to;
                    self.note(Did::SetType(*line, *to));
                }
            }
            Step::Retry { line } => {
                let line = &self.lines[*line];
                for row in app.conversations(line).await {
                    let done = sync::retry_now(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, row.id).await;
                    assert!(matches!(done, Ok(()) | Err(Problem::Conflict { .. })), "{done:?}");
                }
            }
            Step::Work { seconds } => {
                app.pass(*seconds);
                outbound::step(&app.db, &app.now, &app.carrier, 500).await.unwrap();
                app.sandbox.deliver_due().await;
                while self.workers[0].step().await.unwrap() > 0 {}
            }
            Step::Record => {
                app.now.clock.advance(Duration::from_millis(10));
                // One step records a blast as small as these, the next makes it due.
                if blast::record_next(&app.db, &app.now).await.unwrap() && !std::mem::take(&mut self.is_recorded) {
                    self.is_recorded = true;
                    let (line, contacts, text) = self.blasts.remove(0);
                    for contact in contacts {
                        self.note(Did::Recorded { line, contact, text: text.clone(), at: app.now.at() });
                    }
                }
            }
            Step::SendOutbox => {
                outbound::step(&app.db, &app.now, &app.carrier, 500).await.unwrap();
            }
            Step::Deliver { second } => {
                app.sandbox.deliver_due().await;
                self.workers[usize::from(*second)].step().await.unwrap();
            }
            Step::Doze => self.dozing.extend(prepared(&self.workers[1]).await),
            Step::Wake => {
                for post in std::mem::take(&mut self.dozing) {
                    self.workers[1].carry_out(post).await.unwrap();
                }
            }
            Step::Die => drop(prepared(&self.workers[0]).await),
            Step::Arm { on, what, times } => {
                // A daily limit is one of posts, and only what can be looked up may show late.
                let fits = match what {
                    What::DailyLimit => *on == On::Post,
                    What::AcceptLate { .. } => matches!(on, On::Post | On::Team),
                    _ => true,
                };
                if fits {
                    app.sandbox.arm(Fault::new(*on, what.clone()).times(*times)).unwrap();
                }
            }
            Step::Refuse { which } => {
                if let Some(text) = pick(&self.texts, *which) {
                    app.sandbox.arm(Fault::new(On::Post, What::RefuseText).containing(text)).unwrap();
                    self.refused.insert(text.clone());
                }
            }
            Step::ExpireTokens => app.sandbox.expire_tokens(),
            Step::Pass { seconds } => app.pass(*seconds),
        }
    }

    async fn write(&mut self, line: usize, contact: usize, text: String, minutes: u64) {
        self.app.now.clock.advance(Duration::from_millis(10));
        let delay_ms = (minutes > 0).then_some(minutes * 60_000);
        let to = self.lines[line].number.clone();
        let text = HandsetText { from: contact_of(line, contact), to, text, delay_ms, ..HandsetText::default() };
        let sent = self.app.sandbox.send_from_handset(text).await.unwrap();
        assert_eq!(sent.webhook_status, if minutes > 0 { None } else { Some(200) });
        if minutes == 0 {
            self.inbound.push(sent.id.to_string());
        }
    }

    /// Time goes on and everybody who has something to do does it, until the faults have ended and nothing is left; then who was
    /// asleep wakes up.
    async fn end(&mut self) {
        while !self.blasts.is_empty() {
            self.take(&Step::Record).await;
        }
        self.app.work_with(&self.workers[0]).await;
        self.app.sandbox.disarm();
        // What the carrier still holds back comes, too.
        self.app.pass(2 * 60 * 60);
        self.app.work_with(&self.workers[0]).await;
        self.take(&Step::Wake).await;
        self.app.work_with(&self.workers[0]).await;
        self.app.pass(120);
    }

    /// What went wrong, if anything did.
    async fn judge(&self) -> Result<(), String> {
        let journal = self.app.sandbox.journal(0);
        let posts = standing_posts(&journal);
        let mut expected = expected(&journal, &self.did, &self.lines);
        let mut said = Said::default();
        for lane in expected.values_mut() {
            let (line, contact) = (&self.lines[lane.line], lane.contact.as_str());
            let is_there = self.app.conversations(line).await.iter().any(|row| row.number.expose() == contact);
            if is_there != lane.conversation {
                return Err(format!("{contact}: a conversation is there: {is_there}, and must be: {}", lane.conversation));
            }
            let rows = if is_there { self.app.timeline(line, contact).await } else { Vec::new() };
            let kept = |text: &str, state| rows.iter().any(|row| row.body == text && row.entry == Some(state) && row.reason.is_some());
            // A text that RingCentral refuses is kept as failed, with the reason.
            lane.posted.retain(|text| {
                !(self.refused.contains(text) && kept(text, EntryState::Failed) && {
                    lane.absent.push(text.clone());
                    true
                })
            });
            if let Some(text) = lane.skipped.iter().find(|text| !kept(text, EntryState::Skipped)) {
                return Err(format!("{contact}: {text} was held when its line left RingCentral and is not kept as skipped"));
            }
            if let Some(text) =
                lane.held.iter().find(|text| !rows.iter().any(|row| row.body == **text && row.entry == Some(EntryState::Held)))
            {
                return Err(format!("{contact}: {text} is held and no longer shown as held"));
            }
            let chats = chats_of(&journal, contact);
            let here: String =
                posts.iter().filter(|p| p.chat_id.is_some_and(|id| chats.contains(&id))).filter_map(|p| p.text.as_deref()).collect();
            if let Some(text) = lane.absent.iter().chain(&lane.skipped).chain(&lane.held).find(|text| here.contains(text.as_str())) {
                return Err(format!("{contact}: {text} stands in a chat and must not"));
            }
            let replies = (here.matches(REPLY).count(), received(&journal, contact).iter().filter(|text| *text == REPLY).count());
            if replies != (lane.replies_posted, lane.replies_sent) {
                return Err(format!(
                    "{contact}: (posted, sent) of the responder are {replies:?}, and must be ({}, {})",
                    lane.replies_posted, lane.replies_sent
                ));
            }
            lane.posted.iter().for_each(|text| said.then(contact, text));
        }
        let found = verdict(&self.app.sandbox, &said);
        let teams = journal.iter().filter(|entry| entry.kind == Kind::Team && entry.accepted).count();
        // RingCentral shows every post within the time that is assumed: then no double ever comes to be, not even one that is deleted.
        let deleted = journal.iter().filter(|entry| entry.kind == Kind::PostDelete).count();
        let lanes = expected.values().filter(|lane| lane.chat).count();
        match found {
            GOOD if deleted > 0 => Err(format!("{deleted} posts stood doubled and were deleted")),
            GOOD if teams != lanes => Err(format!("{teams} chats were made for {lanes} contacts")),
            GOOD => Ok(()),
            found => Err(format!("{found:?}")),
        }
    }
}

fn pick<T>(list: &[T], which: usize) -> Option<&T> {
    list.get(which.checked_rem(list.len())?)
}

async fn prepared(worker: &Engine) -> Vec<Prepared> {
    let mut posts = Vec::new();
    for claim in worker.claim(8).await.unwrap() {
        if let Next::Post(post) = worker.prepare(claim).await.unwrap() {
            posts.push(*post);
        }
    }
    posts
}

/// What the promises say of one contact of a line.
#[derive(Debug, Default)]
struct Lane {
    line: usize,
    contact: String,
    /// Must stand in the chat, in this order.
    posted: Vec<String>,
    /// Must be kept as skipped, or as held.
    skipped: Vec<String>,
    held: Vec<String>,
    /// Has no business with RingCentral.
    absent: Vec<String>,
    replies_posted: usize,
    replies_sent: usize,
    conversation: bool,
    chat: bool,
}

/// A message that waits for a reply: when the product knew that the carrier has it, when it was recorded, what it says.
type Waiting = (Option<Timestamp>, Timestamp, String);

/// Plays the journal and what the test did, in the order in which they took place.
fn expected(journal: &[Entry], did: &[(u64, Did)], lines: &[TestLine]) -> BTreeMap<(usize, String), Lane> {
    let mut lanes: BTreeMap<(usize, String), Lane> = BTreeMap::new();
    let mut waiting: BTreeMap<(usize, String), Vec<Waiting>> = BTreeMap::new();
    let mut kinds = vec![BlastOnly; lines.len()];
    let (mut known, mut arrived, mut texts) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    let mut did = did.iter().peekable();
    for n in 0..=journal.len() {
        while let Some((_, did)) = did.next_if(|(before, _)| *before <= n as u64) {
            match did {
                Did::SetType(line, kind) => {
                    if kinds[*line] == Ringcentral {
                        for (key, waiting) in waiting.iter_mut().filter(|(key, _)| key.0 == *line) {
                            lanes.get_mut(key).unwrap().skipped.extend(waiting.drain(..).map(|(.., text)| text));
                        }
                    }
                    kinds[*line] = *kind;
                }
                Did::Recorded { line, contact, text, at } => {
                    let key = (*line, contact.clone());
                    let lane =
                        lanes.entry(key.clone()).or_insert_with(|| Lane { line: *line, contact: contact.clone(), ..Lane::default() });
                    lane.conversation |= kinds[*line] != BlastOnly;
                    match kinds[*line] {
                        Ringcentral => waiting.entry(key).or_default().push((None, *at, text.clone())),
                        _ => lane.absent.push(text.clone()),
                    }
                }
            }
        }
        let Some(entry) = journal.get(n) else { break };
        let line_of = |number: Option<&str>| lines.iter().position(|line| Some(line.number.as_str()) == number);
        match entry.kind {
            // Only an answer that arrived tells the product.
            Kind::Sms if matches!(entry.status, 200 | 202) && !entry.answer_lost => {
                let (Some(line), Some(to), Some(text)) = (line_of(entry.from.as_deref()), entry.to.as_deref(), entry.text.as_deref())
                else {
                    continue;
                };
                if known.insert((to.to_owned(), text.to_owned())) {
                    let waiting = waiting.entry((line, to.to_owned())).or_default();
                    waiting.iter_mut().filter(|(.., waits)| waits == text).for_each(|waits| waits.0 = Some(entry.at));
                }
            }
            Kind::HandsetText => {
                texts.insert(entry.message_id.clone(), entry.text.as_deref().unwrap_or_default().to_owned());
            }
            Kind::InboundWebhook if entry.accepted && arrived.insert(entry.message_id.clone()) => {
                let (Some(line), Some(from)) = (line_of(entry.to.as_deref()), entry.from.as_deref()) else { continue };
                let (key, text) = ((line, from.to_owned()), texts[&entry.message_id].clone());
                let lane = lanes.entry(key.clone()).or_insert_with(|| Lane { line, contact: from.to_owned(), ..Lane::default() });
                let (asks, kind) = (text == KEYWORD, kinds[line]);
                lane.conversation |= kind != BlastOnly;
                lane.replies_sent += usize::from(asks && kind != BlastOnly);
                if kind == Ringcentral {
                    lane.chat = true;
                    let waiting = waiting.entry(key).or_default();
                    waiting.sort_by_key(|(known, recorded, _)| (*known, *recorded));
                    lane.posted.extend(waiting.extract_if(.., |(known, ..)| known.is_some()).map(|(.., text)| text));
                    lane.replies_posted += usize::from(asks);
                    if !asks {
                        lane.posted.push(text);
                    }
                } else if !asks {
                    lane.absent.push(text);
                }
            }
            _ => {}
        }
    }
    for (key, waiting) in waiting {
        if let Some(lane) = lanes.get_mut(&key) {
            lane.held.extend(waiting.into_iter().map(|(.., text)| text));
        }
    }
    lanes
}

/// Plays a story on an application of its own; says what went wrong.
async fn play(engine: DbEngine, steps: &[Step], broken: Option<Guard>) -> Result<(), String> {
    let mut found = Ok(());
    run(engine, async |app: &TestApp| {
        let mut story = Story::begin(app, broken).await;
        for step in steps {
            story.take(step).await;
        }
        story.end().await;
        found = story.judge().await;
    })
    .await;
    found
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Plays so many stories; the first that goes wrong, made as short as can be within a few seconds.
fn first_that_fails(engine: DbEngine, cases: u64, seed: u64, broken: Option<Guard>, shrink: u32) -> Option<(String, Vec<Step>)> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let cases = u32::try_from(cases).unwrap();
    let config = Config { cases, max_shrink_iters: shrink, max_shrink_time: 20_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let played = runner.run(&steps(), |steps| {
        let played = block_in_place(|| Handle::current().block_on(play(engine, &steps, broken)));
        played.map_err(TestCaseError::fail)
    });
    match played {
        Ok(()) => None,
        Err(TestError::Fail(why, steps)) => Some((why.to_string(), steps)),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

fn keeps_the_promises(engine: DbEngine, cases: u64) {
    let seed = number("PROPERTY_SEED", SEED);
    if let Some((why, steps)) = first_that_fails(engine, number("PROPERTY_CASES", cases), seed, None, 200) {
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

/// The stories reach what the guards are for: one that is taken out is noticed. (For each guard alone, see `guards`.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stories_notice_a_guard_that_is_taken_out() {
    let noticed = first_that_fails(DbEngine::Sqlite, 60, SEED, Some(Guard::LookUp), 0);
    let (why, _) = noticed.expect("no story needed the look-up");
    assert!(why.contains("doubled"), "{why}");
}
