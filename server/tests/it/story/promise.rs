//! What the promises say of one contact of a line, worked out from the sandbox's journal and from what the story did, in the order in
//! which they took place. It knows nothing of the product's tables or functions.

use super::KEYWORD;
use super::scene::Did;
use crate::harness::TestLine;
use crate::verdict::digits;
use server::sandbox::{Entry, Id, Kind};
use std::collections::{BTreeMap, BTreeSet};
use switchyard::types::IntegrationType::{None as BlastOnly, Ringcentral};
use switchyard::types::Timestamp;

/// What must have come of everything that was said to and by a contact.
#[derive(Debug, Default)]
pub struct Lane {
    pub line: usize,
    pub contact: String,
    /// Must stand in the chat, in this order.
    pub posted: Vec<String>,
    /// Must be kept as skipped, or as held.
    pub skipped: Vec<String>,
    pub held: Vec<String>,
    /// Has no business with RingCentral.
    pub absent: Vec<String>,
    /// Must have come to the phone.
    pub sent: Vec<String>,
    /// The contact wrote it: it must not come back.
    pub written: Vec<String>,
    /// What agents wrote, in the order in which they did.
    pub answers: Vec<Answer>,
    pub replies_posted: usize,
    pub replies_sent: usize,
    pub conversation: bool,
    pub chat: bool,
}

/// What an agent wrote.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    /// Grows in the order of writing.
    pub post: Id,
    /// After so many times that a worker listened we were told. What was written first and told together, or earlier, goes out first.
    pub told: usize,
    /// It must go out, or must not; `None` when the line's type changed meanwhile.
    pub goes_out: Option<bool>,
}

/// What an agent wrote and nobody has listened to.
struct Untold {
    key: Key,
    text: String,
    in_chat: Id,
    /// After so many times that a worker listened we were told.
    told: Option<usize>,
    /// We did not know the chat then: the post is found when the chat is read, at some later time.
    early: bool,
    /// The line was on RingCentral while a worker listened; or it was not.
    connected: bool,
    disconnected: bool,
}

type Key = (usize, String);
/// A message that waits for a reply: when the product knew that the carrier has it, when it was recorded, what it says.
type Waiting = (Option<Timestamp>, Timestamp, String);

/// Plays the journal and what the story did.
pub fn expected(journal: &[Entry], did: &[(u64, Did)], lines: &[TestLine]) -> Vec<Lane> {
    let mut play = Play::new(lines);
    let mut did = did.iter().peekable();
    for n in 0..=journal.len() {
        while let Some((_, did)) = did.next_if(|(before, _)| *before <= n as u64) {
            play.did(did);
        }
        if let Some(entry) = journal.get(n) {
            play.entry(entry);
        }
    }
    play.end()
}

struct Play<'a> {
    lines: &'a [TestLine],
    kinds: Vec<switchyard::types::IntegrationType>,
    lanes: BTreeMap<Key, Lane>,
    waiting: BTreeMap<Key, Vec<Waiting>>,
    /// SMS that the product knows the carrier has.
    known: BTreeSet<(String, String)>,
    /// What handsets sent, and what of it has come in.
    texts: BTreeMap<Option<String>, String>,
    arrived: BTreeSet<Option<String>>,
    /// Chats, by the digits of the contact's number.
    chats: BTreeMap<Id, String>,
    /// Chats that the product knows for sure: it has called them.
    called: BTreeSet<Id>,
    untold: BTreeMap<Id, Untold>,
    listened: usize,
}

impl<'a> Play<'a> {
    fn new(lines: &'a [TestLine]) -> Self {
        Play {
            lines,
            kinds: vec![BlastOnly; lines.len()],
            lanes: BTreeMap::new(),
            waiting: BTreeMap::new(),
            known: BTreeSet::new(),
            texts: BTreeMap::new(),
            arrived: BTreeSet::new(),
            chats: BTreeMap::new(),
            called: BTreeSet::new(),
            untold: BTreeMap::new(),
            listened: 0,
        }
    }

    fn lane(&mut self, key: &Key) -> &mut Lane {
        self.lanes.entry(key.clone()).or_insert_with(|| Lane { line: key.0, contact: key.1.clone(), ..Lane::default() })
    }

    fn did(&mut self, did: &Did) {
        match did {
            Did::SetType(line, kind) => {
                if self.kinds[*line] == Ringcentral {
                    for (key, waiting) in self.waiting.iter_mut().filter(|(key, _)| key.0 == *line) {
                        self.lanes.get_mut(key).unwrap().skipped.extend(waiting.drain(..).map(|(.., text)| text));
                    }
                }
                self.kinds[*line] = *kind;
            }
            Did::Recorded { line, contact, text, at } => {
                let (key, kind) = ((*line, contact.clone()), self.kinds[*line]);
                let lane = self.lane(&key);
                lane.conversation |= kind != BlastOnly;
                lane.sent.push(text.clone());
                match kind {
                    Ringcentral => self.waiting.entry(key).or_default().push((None, *at, text.clone())),
                    _ => lane.absent.push(text.clone()),
                }
            }
            Did::Listened => self.listen(),
        }
    }

    fn listen(&mut self) {
        for untold in self.untold.values_mut() {
            match self.kinds[untold.key.0] == Ringcentral {
                true => untold.connected = true,
                false => untold.disconnected = true,
            }
        }
        // In the order of their ids, which is that of writing.
        let told: Vec<(Id, Untold)> = self.untold.extract_if(.., |_, untold| untold.told.is_some() && !untold.early).collect();
        told.into_iter().for_each(|(post, untold)| self.tell(post, untold));
        self.listened += 1;
    }

    fn tell(&mut self, post: Id, untold: Untold) {
        let goes_out = (untold.connected != untold.disconnected).then_some(untold.connected);
        let told = untold.told.unwrap_or(self.listened);
        let lane = self.lane(&untold.key);
        // It stands in the chat as the agent's; we do not post it again.
        lane.absent.push(untold.text.clone());
        lane.answers.push(Answer { text: untold.text, post, told, goes_out });
    }

    fn entry(&mut self, entry: &Entry) {
        let line_of = |number: Option<&str>| self.lines.iter().position(|line| Some(line.number.as_str()) == number);
        match entry.kind {
            // Only an answer that arrived tells the product.
            Kind::Sms if matches!(entry.status, 200 | 202) && !entry.answer_lost => {
                let (Some(line), Some(to), Some(text)) = (line_of(entry.from.as_deref()), entry.to.as_deref(), entry.text.as_deref())
                else {
                    return;
                };
                if self.known.insert((to.to_owned(), text.to_owned())) {
                    let waiting = self.waiting.entry((line, to.to_owned())).or_default();
                    waiting.iter_mut().filter(|(.., waits)| waits == text).for_each(|waits| waits.0 = Some(entry.at));
                }
            }
            Kind::HandsetText => {
                self.texts.insert(named(entry), entry.text.as_deref().unwrap_or_default().to_owned());
            }
            Kind::InboundWebhook if entry.accepted && self.arrived.insert(named(entry)) => {
                let (Some(line), Some(from)) = (line_of(entry.to.as_deref()), entry.from.as_deref()) else { return };
                self.arrives((line, from.to_owned()), self.texts[&named(entry)].clone());
            }
            Kind::Team if entry.accepted => {
                self.chats.extend(entry.chat_id.map(|id| (id, digits(entry.text.as_deref().unwrap_or_default()))));
            }
            Kind::Post => self.called.extend(entry.chat_id),
            Kind::AgentPost => {
                let (Some(chat), Some(post), Some(text)) = (entry.chat_id, entry.post_id, entry.text.as_deref()) else { return };
                let Some(key) = self.lanes.keys().find(|key| Some(&digits(&key.1)) == self.chats.get(&chat)) else { return };
                let (key, text) = (key.clone(), text.to_owned());
                let untold = Untold { key, text, in_chat: chat, told: None, early: false, connected: false, disconnected: false };
                self.untold.insert(post, untold);
            }
            Kind::EventDelivery if entry.accepted => {
                let untold = entry.post_id.and_then(|post| self.untold.get_mut(&post));
                if let Some(untold) = untold.filter(|untold| untold.told.is_none()) {
                    (untold.told, untold.early) = (Some(self.listened), !self.called.contains(&untold.in_chat));
                }
            }
            _ => {}
        }
    }

    /// A contact's text comes in for the first time.
    fn arrives(&mut self, key: Key, text: String) {
        let (asks, kind) = (text == KEYWORD, self.kinds[key.0]);
        let lane = self.lane(&key);
        lane.conversation |= kind != BlastOnly;
        lane.replies_sent += usize::from(asks && kind != BlastOnly);
        if !asks {
            lane.written.push(text.clone());
        }
        if kind != Ringcentral {
            lane.absent.extend((!asks).then_some(text));
            return;
        }
        lane.chat = true;
        lane.replies_posted += usize::from(asks);
        let waiting = self.waiting.entry(key.clone()).or_default();
        waiting.sort_by_key(|(known, recorded, _)| (*known, *recorded));
        let released: Vec<String> = waiting.extract_if(.., |(known, ..)| known.is_some()).map(|(.., text)| text).collect();
        self.lane(&key).posted.extend(released.into_iter().chain((!asks).then_some(text)));
    }

    fn end(mut self) -> Vec<Lane> {
        // Every event that was held back has come by now, or its post was found by reading the chat.
        std::mem::take(&mut self.untold).into_iter().for_each(|(post, untold)| self.tell(post, untold));
        for (key, waiting) in self.waiting {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.held.extend(waiting.into_iter().map(|(.., text)| text));
            }
        }
        self.lanes.into_values().collect()
    }
}

fn named(entry: &Entry) -> Option<String> {
    entry.message_id.as_deref().map(str::to_owned)
}
