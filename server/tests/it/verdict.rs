//! The verdict: what the sandbox's journal says arrived, held against what the test says it sent. It knows nothing of the product's
//! tables or functions: a mistake there cannot hide itself here.

use server::sandbox::{Entry, Id, Kind, Sandbox};
use std::collections::{BTreeMap, BTreeSet};

/// What each contact's chat must show, in order: every text once. Texts are unique, see `TestApp::text`.
#[derive(Debug, Default)]
pub struct Said(BTreeMap<String, Vec<String>>);

impl Said {
    /// This text comes next in the contact's chat.
    pub fn then(&mut self, contact: &str, text: &str) {
        self.0.entry(contact.to_owned()).or_default().push(text.to_owned());
    }
}

/// How many texts are not as they should be; all zero is good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// In no chat of their contact.
    pub lost: usize,
    /// There more than once.
    pub doubled: usize,
    /// Before one that should come before them.
    pub disordered: usize,
    /// In the chat of another contact.
    pub astray: usize,
}

impl Verdict {
    /// How many altogether.
    pub fn sum(&self) -> usize {
        self.lost + self.doubled + self.disordered + self.astray
    }
}

pub const GOOD: Verdict = Verdict { lost: 0, doubled: 0, disordered: 0, astray: 0 };

/// The posts that stand in the chats, in the order in which they appeared.
pub fn standing_posts(journal: &[Entry]) -> Vec<&Entry> {
    let mut standing: Vec<&Entry> = Vec::new();
    let mut late: Vec<&Entry> = Vec::new();
    for entry in journal.iter().filter(|entry| entry.accepted) {
        match entry.kind {
            Kind::Post if entry.appears_at.is_some() => late.push(entry),
            Kind::Post => standing.push(entry),
            Kind::Appeared => standing.extend(late.iter().copied().filter(|post| post.post_id.is_some() && post.post_id == entry.post_id)),
            Kind::PostDelete | Kind::AgentDelete => standing.retain(|post| post.post_id != entry.post_id),
            _ => {}
        }
    }
    standing
}

/// A number without its signs, as the name of a chat and a contact have it alike.
pub fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The chats that were made for a contact: their name ends with the number.
pub fn chats_of(journal: &[Entry], contact: &str) -> Vec<Id> {
    let wanted = digits(contact);
    let teams = journal.iter().filter(|entry| entry.kind == Kind::Team && entry.accepted);
    teams.filter(|team| team.text.as_deref().is_some_and(|name| digits(name) == wanted)).filter_map(|team| team.chat_id).collect()
}

/// The calls that RingCentral had, of any kind but signing in.
pub fn ringcentral_calls(journal: &[Entry]) -> usize {
    journal.iter().filter(|entry| entry.kind.is_ringcentral_call()).count()
}

/// The texts that a handset received, each time it did.
pub fn received(journal: &[Entry], contact: &str) -> Vec<String> {
    let sms = journal.iter().filter(|entry| entry.kind == Kind::Sms && entry.accepted && entry.to.as_deref() == Some(contact));
    sms.filter_map(|entry| entry.text.as_deref().map(str::to_owned)).collect()
}

/// What must have come to a contact's phone. Texts are unique.
#[derive(Debug, Default)]
pub struct Phone {
    pub contact: String,
    /// In one SMS each.
    pub once: Vec<String>,
    /// In one, or in none.
    pub at_most_once: Vec<String>,
    /// In none: what the contact wrote, and what nobody was to be sent.
    pub never: Vec<String>,
    /// If both came, the first came first.
    pub in_order: Vec<(String, String)>,
}

impl Phone {
    /// How the phone's texts differ from what must have come. What should never have come counts as doubled: it is said elsewhere.
    pub fn verdict(&self, journal: &[Entry]) -> Verdict {
        let texts = received(journal, &self.contact);
        let times = |text: &String| texts.iter().filter(|sms| sms.contains(text.as_str())).count();
        let place = |text: &String| texts.iter().position(|sms| sms.contains(text.as_str()));
        let crossed = |(first, second): &&(String, String)| place(first).zip(place(second)).is_some_and(|(first, second)| second < first);
        let doubled = self.once.iter().chain(&self.at_most_once).filter(|text| times(text) > 1).count();
        Verdict {
            lost: self.once.iter().filter(|text| times(text) == 0).count(),
            doubled: doubled + self.never.iter().filter(|text| times(text) > 0).count(),
            disordered: self.in_order.iter().filter(crossed).count(),
            astray: 0,
        }
    }
}

/// How often something went wrong on the way: an answer or a call was lost, came late or was an error; a webhook or an event came
/// again, or after one that is newer.
pub fn faults_in(journal: &[Entry]) -> usize {
    let (mut told, mut newest) = (BTreeSet::new(), BTreeMap::new());
    let went_wrong = |entry: &&Entry| {
        let failed = entry.answer_lost || (!entry.accepted && entry.status >= 400);
        let again = match entry.kind {
            Kind::InboundWebhook => !told.insert(entry.message_id.clone()),
            Kind::EventDelivery => !told.insert(entry.event_id.clone()),
            _ => false,
        };
        let overtaken = entry.kind == Kind::EventDelivery && {
            let newest = newest.entry(entry.subscription_id.clone()).or_insert(entry.post_id);
            let overtaken = entry.post_id < *newest;
            *newest = entry.post_id.max(*newest);
            overtaken
        };
        failed || again || overtaken
    };
    journal.iter().filter(went_wrong).count()
}

pub fn verdict(sandbox: &Sandbox, said: &Said) -> Verdict {
    judge(&sandbox.journal(0), said)
}

fn judge(journal: &[Entry], said: &Said) -> Verdict {
    let posts = standing_posts(journal);
    let mut verdict = Verdict::default();
    for (contact, texts) in &said.0 {
        let whole = texts_in(&posts, &chats_of(journal, contact));
        let mut furthest = 0;
        for text in texts {
            match whole.matches(text.as_str()).count() {
                0 => verdict.lost += 1,
                1 => {}
                _ => verdict.doubled += 1,
            }
            if let Some(place) = whole.find(text.as_str()) {
                verdict.disordered += usize::from(place < furthest);
                furthest = furthest.max(place);
            }
        }
        // A blast is said to many; what another contact alone was told has no place here.
        let to_others = said.0.values().flatten().filter(|text| !texts.contains(text));
        verdict.astray += to_others.filter(|text| whole.contains(text.as_str())).count();
    }
    verdict
}

fn texts_in(posts: &[&Entry], chats: &[Id]) -> String {
    let here = posts.iter().filter(|post| post.chat_id.is_some_and(|id| chats.contains(&id)));
    here.filter_map(|post| post.text.as_deref()).collect::<Vec<_>>().join("\n")
}

/// Fails, with the chats as they are, unless the verdict is good.
#[track_caller]
pub fn assert_good(sandbox: &Sandbox, said: &Said) {
    let found = verdict(sandbox, said);
    if found != GOOD {
        let journal = sandbox.journal(0);
        for post in standing_posts(&journal) {
            eprintln!("--- chat {:?}\n{}", post.chat_id, post.text.as_deref().unwrap_or_default());
        }
        panic!("{found:?}");
    }
}

#[test]
fn the_verdict_sees_what_is_lost_doubled_disordered_and_astray() {
    use switchyard::types::Timestamp;
    let entry = |kind, chat: u64, post: u64, text: &str| Entry {
        chat_id: Some(Id(chat)),
        post_id: Some(Id(post)),
        text: Some(text.into()),
        status: 201,
        accepted: true,
        ..Entry::new(kind, Timestamp(0))
    };
    let journal = [
        entry(Kind::Team, 1, 0, "Ada (+1 202 555 0120)"),
        entry(Kind::Team, 2, 0, "+1 202 555 0121"),
        entry(Kind::Post, 1, 11, "two m0002. and one m0001."),
        entry(Kind::Post, 1, 12, "one m0001."),
        entry(Kind::Post, 1, 13, "deleted m0003."),
        entry(Kind::PostDelete, 1, 13, ""),
        entry(Kind::Post, 2, 14, "four m0004. and five m0005."),
    ];
    assert_eq!(chats_of(&journal, "+12025550120"), [Id(1)]);
    let standing: Vec<_> = standing_posts(&journal).iter().map(|post| post.post_id.unwrap().0).collect();
    assert_eq!(standing, [11, 12, 14]);
    let mut said = Said::default();
    for text in ["one m0001.", "two m0002.", "deleted m0003.", "four m0004."] {
        said.then("+12025550120", text);
    }
    said.then("+12025550121", "five m0005.");
    assert_eq!(judge(&journal, &said), Verdict { lost: 2, doubled: 1, disordered: 1, astray: 1 });
}

#[test]
fn the_verdict_sees_what_a_phone_did_not_get_or_got_twice_and_counts_faults() {
    use switchyard::types::Timestamp;
    let sms = |text: &str| Entry {
        to: Some("+12025550120".into()),
        text: Some(text.into()),
        status: 200,
        accepted: true,
        ..Entry::new(Kind::Sms, Timestamp(0))
    };
    let event = |id: &str, post| Entry {
        event_id: Some(id.into()),
        post_id: Some(Id(post)),
        accepted: true,
        ..Entry::new(Kind::EventDelivery, Timestamp(0))
    };
    let journal = [
        sms("two m0002."),
        Entry { answer_lost: true, ..sms("one m0001.") },
        sms("said m0003.\n*ref sw-22222*"),
        sms("two m0002."),
        event("a", 12),
        event("b", 11),
        event("b", 11),
        Entry { status: 503, accepted: false, ..sms("five m0005.") },
    ];
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let phone = Phone {
        contact: "+12025550120".to_owned(),
        once: texts(&["one m0001.", "two m0002.", "four m0004."]),
        at_most_once: texts(&["five m0005."]),
        never: texts(&["said m0003."]),
        in_order: vec![("one m0001.".to_owned(), "two m0002.".to_owned()), ("one m0001.".to_owned(), "four m0004.".to_owned())],
    };
    assert_eq!(phone.verdict(&journal), Verdict { lost: 1, doubled: 2, disordered: 1, astray: 0 });
    assert_eq!(faults_in(&journal), 4, "a lost answer, an event overtaken, the same again, an error");
}
