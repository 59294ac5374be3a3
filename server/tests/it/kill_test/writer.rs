//! Who writes all the while: contacts, programs, agents. Each keeps their own record of what they were acknowledged.
//!
//! The rule: who has no answer asks again in the same words, under the same id, as carriers and programs do.

use super::scene::{LEAVERS, LINE, SECRET, SILENT, STOPPERS, Scene, TALKERS};
use crate::harness::contact;
use crate::verdict::digits;
use server::sandbox::{AgentPost, SIGNATURE, sign};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use switchyard::clock::{Clock, Rng};
use switchyard::staff::Member;
use switchyard::types::{AccountId, Timestamp};
use tokio_util::sync::CancellationToken;

/// An agent's word into a chat.
#[derive(Debug, Clone)]
pub struct AgentSaid {
    pub text: String,
    pub chat: String,
    pub at: Timestamp,
}

/// What was acknowledged, by those who said it.
#[derive(Debug, Default)]
pub struct Record {
    /// What contacts wrote, with when they began to.
    pub inbound: Vec<(String, Timestamp)>,
    /// What programs had taken.
    pub sent: Vec<String>,
    /// What agents wrote.
    pub agents: Vec<AgentSaid>,
    /// Whether a number's last word was STOP.
    pub stopped: BTreeMap<String, bool>,
    /// What a stranger saw or sent.
    pub leaks: Vec<String>,
    /// What was taken for a number after its STOP.
    pub weakened: Vec<String>,
}

impl Record {
    pub fn add(&mut self, other: Record) {
        self.inbound.extend(other.inbound);
        self.sent.extend(other.sent);
        self.agents.extend(other.agents);
        self.stopped.extend(other.stopped);
        self.leaks.extend(other.leaks);
        self.weakened.extend(other.weakened);
    }
}

/// One who writes; texts are unique by the name.
pub struct Writer<'a> {
    scene: &'a Scene,
    rng: Rng,
    name: &'static str,
    said: u32,
    record: Record,
    /// Where messages that programs sent can be read.
    addresses: Vec<String>,
    /// Who looks after one of the accounts alone.
    members: &'a [Member],
}

impl<'a> Writer<'a> {
    pub fn new(scene: &'a Scene, members: &'a [Member], name: &'static str, seed: u64) -> Self {
        Self { scene, rng: Rng::seeded(seed), name, said: 0, record: Record::default(), addresses: Vec::new(), members }
    }

    fn text(&mut self, words: &str) -> String {
        self.said += 1;
        format!("{words} {}{:04}.", self.name, self.said)
    }

    fn one_of(&self, numbers: std::ops::Range<usize>) -> String {
        let offset = usize::try_from(self.rng.below(numbers.len() as u64)).unwrap();
        contact(numbers.start + offset)
    }

    /// The longer it goes on, the slower: what is written has to be posted, too.
    async fn breathe(&self) {
        let slower = u64::from(self.said) / 4;
        tokio::time::sleep(Duration::from_millis(20 + self.rng.below(40) + slower.min(300))).await;
    }

    /// The silent ones write, once each.
    pub async fn says_before(mut self) -> Record {
        for number in SILENT.map(contact) {
            let text = self.text("Before");
            self.writes(&number, text).await;
        }
        self.record
    }

    /// Some who had opted in before the line moved write STOP, and nothing since: it must not be forgotten on the way back.
    pub async fn leaves(mut self) -> Record {
        for number in LEAVERS.map(contact) {
            self.writes(&number, "STOP".to_owned()).await;
            self.record.stopped.insert(number, true);
        }
        self.record
    }

    /// Contacts, programs and agents talk until told to stop.
    pub async fn talks(mut self, stop: CancellationToken) -> Record {
        while !stop.is_cancelled() {
            match self.rng.below(8) {
                0..3 => {
                    let (number, text) = (self.one_of(TALKERS), self.text("Hello"));
                    self.writes(&number, text).await;
                }
                3..5 => self.sends().await,
                5 => self.answers(),
                6 => self.reads().await,
                _ => self.looks().await,
            }
            self.breathe().await;
        }
        self.record
    }

    /// Contacts write STOP and START until told to stop.
    pub async fn wavers(mut self, stop: CancellationToken) -> Record {
        while !stop.is_cancelled() {
            let number = self.one_of(STOPPERS);
            // Most stay with their STOP.
            let stops = self.rng.below(3) > 0;
            self.writes(&number, if stops { "STOP" } else { "START" }.to_owned()).await;
            self.record.stopped.insert(number.clone(), stops);
            if stops && self.rng.below(3) == 0 {
                self.sends_to_who_stopped(&number).await;
            }
            self.breathe().await;
        }
        self.record
    }

    /// A contact writes; the carrier repeats until it has an answer.
    async fn writes(&mut self, number: &str, text: String) {
        let began = Clock::System.now();
        self.said += 1;
        let id = format!("in-{}-{}", self.name, self.said);
        let body = serde_json::json!({ "id": id, "from": number, "to": [LINE], "text": text, "media": [] }).to_string();
        self.until_answered(async || {
            let request = self
                .scene
                .http
                .post(format!("{}/webhooks/carrier/sandbox/messages", self.scene.url))
                .header(SIGNATURE, sign(SECRET, Clock::System.now(), body.as_bytes()))
                .header("content-type", "application/json")
                .body(body.clone());
            let answer = request.timeout(Duration::from_secs(20)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        if text != "STOP" && text != "START" {
            self.record.inbound.push((text, began));
        }
    }

    async fn until_answered<T>(&self, ask: impl AsyncFn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(began.elapsed() < super::scene::PATIENCE, "nobody answers any more");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// A program's request; answers with its status and what was made.
    async fn asks_for(&mut self, token: &str, number: &str, text: &str) -> (u16, serde_json::Value) {
        self.said += 1;
        let key = format!("key-{}-{}-{}", self.name, self.said, self.rng.below(u64::MAX));
        let body = serde_json::json!({ "line": self.scene.line, "to": number, "text": text });
        self.until_answered(async || {
            let request = self.scene.http.post(format!("{}/api/v1/messages", self.scene.url)).bearer_auth(token);
            let answer = request.header("idempotency-key", &key).json(&body).timeout(Duration::from_secs(20)).send().await.ok()?;
            let status = answer.status().as_u16();
            let said = answer.json().await.ok()?;
            (status < 500 && status != 429).then_some((status, said))
        })
        .await
    }

    fn token_of(&self, account: AccountId) -> String {
        self.scene.accounts.iter().find(|one| one.id == account).unwrap().token.clone()
    }

    /// An account's program sends: mostly the owner's, now and then the other one's.
    async fn sends(&mut self) {
        let owner = self.scene.reigns.owner();
        let other = self.scene.accounts.iter().find(|one| one.id != owner).unwrap().id;
        let account = if self.rng.below(3) == 0 { other } else { owner };
        let (token, number, text) = (self.token_of(account), self.one_of(TALKERS), self.text("Offer"));
        let began = Clock::System.now();
        let (status, said) = self.asks_for(&token, &number, &text).await;
        if status == 201 {
            if self.scene.reigns.is_stranger(account, began, Clock::System.now()) {
                self.record.leaks.push(format!("a program of the other account sent {text}"));
            }
            self.addresses.extend(said["url"].as_str().map(str::to_owned));
            self.record.sent.push(text);
        }
    }

    async fn sends_to_who_stopped(&mut self, number: &str) {
        let (token, text) = (self.token_of(self.scene.reigns.owner()), self.text("Unwanted"));
        let (status, _) = self.asks_for(&token, number, &text).await;
        if status == 201 {
            self.record.weakened.push(format!("{text} was taken for a number that had said STOP"));
            self.record.sent.push(text);
        }
    }

    /// The other account's program reads what was sent.
    async fn reads(&mut self) {
        let owner = self.scene.reigns.owner();
        let other = self.scene.accounts.iter().find(|one| one.id != owner).unwrap();
        let Some(address) = self.addresses.last().cloned() else { return };
        let began = Clock::System.now();
        let request = self.scene.http.get(format!("{}{address}", self.scene.url)).bearer_auth(&other.token);
        let Ok(answer) = request.timeout(Duration::from_secs(20)).send().await else { return };
        if answer.status() == 200 && self.scene.reigns.is_stranger(other.id, began, Clock::System.now()) {
            self.record.leaks.push("a program of the other account read a message".to_owned());
        }
    }

    /// Somebody who looks after one account alone looks at the line.
    async fn looks(&mut self) {
        for (member, account) in self.members.iter().zip(&self.scene.accounts) {
            let began = Clock::System.now();
            let permit = member.permit().unwrap();
            let seen = switchyard::sync::conversations_of_line(&self.scene.db, &permit, self.scene.line, None, 3).await;
            let is_seen = seen.is_ok_and(|page| !page.rows.is_empty());
            if is_seen && self.scene.reigns.is_stranger(account.id, began, Clock::System.now()) {
                self.record.leaks.push("a member of the other account saw conversations".to_owned());
            }
        }
    }

    /// An agent writes in a chat of a contact, one of any account.
    fn answers(&mut self) {
        let number = self.one_of(TALKERS);
        let chats: Vec<_> = self.scene.sandbox.chats().into_iter().filter(|chat| digits(&chat.name) == digits(&number)).collect();
        let Some(n) = usize::try_from(self.rng.below(chats.len() as u64)).ok().filter(|n| *n < chats.len()) else { return };
        let (chat, text) = (chats[n].id.to_string(), self.text("Answer"));
        let at = Clock::System.now();
        let post = AgentPost { chat_id: chat.clone(), text: text.clone(), ..AgentPost::default() };
        if self.scene.sandbox.agent_post(post).is_ok() {
            self.record.agents.push(AgentSaid { text, chat, at });
        }
    }
}
