//! The verdict: what the sandbox's journal says arrived, held against what the test says it sent. It knows nothing of the product's
//! tables or functions: a mistake there cannot hide itself here.

use server::sandbox::{Entry, Id, Kind, Sandbox};
use std::collections::BTreeMap;

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

/// The chats that were made for a contact: their name ends with the number.
pub fn chats_of(journal: &[Entry], contact: &str) -> Vec<Id> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
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
