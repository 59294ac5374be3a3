//! The scene of a story: two lines and their contacts, two workers, and how each step is taken.
//!
//! One thing at a time: whatever is awaited here is awaited to its end, or dropped at a known place. That makes a story repeatable.

use super::{CONTACTS, KEYWORD, REPLY, SLOWEST, Stage, Step};
use crate::harness::{TestApp, TestLine, contact};
use server::sandbox::{AgentPost, Fault, HandsetText, On, Sandbox, What};
use std::collections::BTreeSet;
use std::time::Duration;
use switchyard::db;
use switchyard::directory::people;
use switchyard::messaging::{blast, outbound};
use switchyard::ringcentral::subscription::Subscriptions;
use switchyard::sync::{self, Agents, Engine, EngineConfig, Next, Prepared};
use switchyard::types::IntegrationType::{self, None as BlastOnly, Ringcentral};
use switchyard::types::{Problem, Timestamp};
use switchyard::work::faults::Guard;
use tokio::task::JoinHandle;

/// A story whose workers still have something to do after so many rounds comes to no end.
const MOST_ROUNDS: usize = 150;

/// What the story did, each with the journal's last entry before it.
#[derive(Debug)]
pub enum Did {
    /// The line has this type from now on.
    SetType(usize, IntegrationType),
    /// A message to this contact is recorded.
    Recorded { line: usize, contact: String, text: String, at: Timestamp },
    /// A worker works off the events that came in.
    Listened,
}

/// A delivery whose answer is on its way.
type Slow = (Timestamp, JoinHandle<db::Result<usize>>);

pub struct Scene<'a> {
    pub app: &'a TestApp,
    pub lines: Vec<TestLine>,
    pub did: Vec<(u64, Did)>,
    /// Texts that RingCentral was told to refuse.
    pub refused: BTreeSet<String>,
    /// Workers that died, dozed or had a slow answer.
    pub workers_failed: usize,
    /// Nobody ever had nothing to do.
    pub endless: bool,
    workers: [Engine; 2],
    agents: Agents,
    subscriptions: Subscriptions,
    broken: Option<Guard>,
    kinds: Vec<IntegrationType>,
    /// Blasts that are taken and not recorded yet.
    blasts: Vec<(usize, Vec<String>, String)>,
    /// The blast before these is recorded and not yet due.
    is_recorded: bool,
    /// What our side said, each text once.
    texts: Vec<String>,
    /// The carrier's ids of what contacts wrote.
    inbound: Vec<String>,
    dozing: Vec<Prepared>,
    slow: Vec<Slow>,
}

pub fn contact_of(line: usize, contact_of_line: usize) -> String {
    contact(line * CONTACTS + contact_of_line)
}

impl<'a> Scene<'a> {
    pub async fn begin(app: &'a TestApp, stage: Stage) -> Scene<'a> {
        let Stage { lanes: at_once, broken, .. } = stage;
        // Statuses come by themselves, in no order that the journal would show.
        app.sandbox.set_deliver_statuses(false);
        let kinds = vec![Ringcentral, BlastOnly];
        let mut lines = Vec::new();
        for kind in &kinds {
            let line = app.line(*kind).await;
            people::add_responder(&app.db, &app.now, &app.staff.permit().unwrap(), line.id, KEYWORD, REPLY).await.unwrap();
            lines.push(line);
        }
        let subscriptions = Subscriptions::new(app.client(), &app.url);
        subscriptions.step().await.unwrap();
        assert_eq!(app.sandbox.subscriptions().len(), lines.len());
        let did = kinds.iter().enumerate().map(|(line, kind)| (0, Did::SetType(line, *kind))).collect();
        let worker = || app.further_engine(EngineConfig { broken, lanes: at_once, ..EngineConfig::default() });
        Scene {
            app,
            lines,
            did,
            refused: BTreeSet::new(),
            workers_failed: 0,
            endless: false,
            workers: [worker(), worker()],
            agents: Agents::new(app.db.clone(), app.now.clone(), app.client()).without(broken),
            subscriptions,
            broken,
            kinds,
            blasts: Vec::new(),
            is_recorded: false,
            texts: Vec::new(),
            inbound: Vec::new(),
            dozing: Vec::new(),
            slow: Vec::new(),
        }
    }

    pub async fn take(&mut self, step: &Step) {
        self.make_room().await;
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
            Step::Answer { line, contact } => {
                let chats = crate::verdict::chats_of(&app.sandbox.journal(0), &contact_of(*line, *contact));
                if let Some(chat) = chats.last() {
                    let text = app.text("At ten");
                    // A chat that is accepted late may not be there yet.
                    let _ = app.sandbox.agent_post(AgentPost { chat_id: chat.to_string(), text, ..AgentPost::default() });
                }
            }
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
                self.workers[0].step().await.unwrap();
            }
            Step::Work { seconds } => {
                self.pass(*seconds).await;
                self.send().await;
                self.listen().await;
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
                self.send().await;
            }
            Step::Listen => {
                self.listen().await;
            }
            Step::LookAfter => {
                self.subscriptions.step().await.unwrap();
            }
            Step::Deliver { second } => {
                app.sandbox.deliver_due().await;
                self.workers[usize::from(*second)].step().await.unwrap();
            }
            Step::Doze => {
                let asleep = prepared(&self.workers[1]).await;
                self.workers_failed += asleep.len();
                self.dozing.extend(asleep);
            }
            Step::Wake => {
                for post in std::mem::take(&mut self.dozing) {
                    let woken = self.workers[1].carry_out(post).await;
                    // Without a guard the database may be what stops it.
                    assert!(woken.is_ok() || self.broken.is_some(), "{woken:?}");
                }
            }
            Step::Slow { second, on, seconds } => self.answer_slowly(usize::from(*second), *on, *seconds).await,
            Step::Die => self.workers_failed += prepared(&self.workers[0]).await.len(),
            Step::DieCalling { second, on, what } => {
                let fault = app.sandbox.arm(Fault::new(*on, what.clone())).unwrap();
                tokio::select! {
                    biased;
                    () = met(&app.sandbox, fault) => self.workers_failed += 1,
                    done = self.workers[usize::from(*second)].step() => {
                        done.unwrap();
                        app.sandbox.disarm_one(fault);
                    }
                }
            }
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
            Step::Pass { seconds } => self.pass(*seconds).await,
        }
    }

    /// Time goes on and everybody who has something to do does it, until the faults have ended and nothing is left; then who was
    /// asleep wakes up.
    pub async fn end(&mut self) {
        while !self.blasts.is_empty() {
            self.take(&Step::Record).await;
        }
        self.pass(SLOWEST).await;
        self.work().await;
        self.app.sandbox.disarm();
        // What the carrier and RingCentral still hold back comes, too.
        self.pass(2 * 60 * 60).await;
        self.work().await;
        self.take(&Step::Wake).await;
        self.work().await;
        self.pass(120).await;
        self.work().await;
    }

    fn note(&mut self, did: Did) {
        self.did.push((self.app.sandbox.journal(0).len() as u64, did));
    }

    fn text(&mut self, words: &str) -> String {
        let text = self.app.text(words);
        self.texts.push(text.clone());
        text
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

    /// Sends what is due, one after the other; says how many messages were taken.
    async fn send(&self) -> usize {
        let (app, mut sent) = (self.app, 0);
        while outbound::step(&app.db, &app.now, &app.carrier, 1).await.unwrap() > 0 {
            sent += 1;
        }
        sent
    }

    /// What waits to be told to us comes in, and a worker works it off; says how much there was.
    async fn listen(&mut self) -> usize {
        let came = self.app.sandbox.deliver_due().await;
        self.note(Did::Listened);
        came + self.agents.step().await.unwrap()
    }

    /// Time goes on and everybody who has something to do does it, until nothing is left.
    async fn work(&mut self) {
        let began = self.app.now.at();
        // Without a guard our own words may be answered by further words of ours, for ever.
        for _ in 0..if self.endless { 1 } else { MOST_ROUNDS } {
            let recorded = usize::from(blast::record_next(&self.app.db, &self.app.now).await.unwrap());
            let done = recorded + self.send().await + self.listen().await + self.workers[0].step().await.unwrap();
            if done == 0 && !self.app.wait(began).await {
                return;
            }
        }
        self.endless = true;
    }

    /// A worker delivers a lane; if it comes to a call of this kind, the answer is on its way for so long.
    async fn answer_slowly(&mut self, worker: usize, on: On, seconds: u64) {
        let app = self.app;
        let fault = app.sandbox.arm(Fault::new(on, What::Slow { ms: seconds * 1_000 })).unwrap();
        let engine = self.workers[worker].clone();
        let mut delivery = tokio::spawn(async move { engine.step().await });
        tokio::select! {
            biased;
            done = &mut delivery => {
                done.unwrap().unwrap();
                app.sandbox.disarm_one(fault);
            }
            () = met(&app.sandbox, fault) => {
                self.workers_failed += 1;
                self.slow.push((app.now.at().plus(Duration::from_secs(seconds)), delivery));
            }
        }
    }

    /// Time passes. Workers that wait for an answer keep their leases, and go on when it is there.
    async fn pass(&mut self, seconds: u64) {
        let mut left = seconds;
        while left > 0 && !self.slow.is_empty() {
            self.app.pass(1);
            left -= 1;
            for worker in &self.workers {
                worker.renew_leases().await.unwrap();
            }
            self.land().await;
        }
        self.app.pass(left);
    }

    /// Steps move the clock by less than a second: an answer that would come meanwhile comes now.
    async fn make_room(&mut self) {
        let soon = self.app.now.at().plus(Duration::from_secs(1));
        if self.slow.iter().any(|(due, _)| *due <= soon) {
            self.pass(1).await;
        }
    }

    async fn land(&mut self) {
        let now = self.app.now.at();
        for (_, delivery) in self.slow.extract_if(.., |(due, _)| *due <= now) {
            delivery.await.unwrap().unwrap();
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

/// Waits until a call meets this fault.
async fn met(sandbox: &Sandbox, fault: u64) {
    while sandbox.faults().iter().any(|armed| armed.id == fault) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
