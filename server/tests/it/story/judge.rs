//! Whether a story ended as the promises say: the chats and the phones by the sandbox's journal, and what must be kept by what staff
//! are shown.

use super::scene::Scene;
use super::{Ended, REPLY, promise};
use crate::verdict::{Phone, Said, chats_of, faults_in, received, standing_posts, verdict};
use server::sandbox::{Entry, Kind};
use switchyard::types::{EntryState, TimelineRow};

impl Scene<'_> {
    /// What went wrong, if anything did.
    pub async fn judge(&self) -> Ended {
        let journal = self.app.sandbox.journal(0);
        let mut ended = Ended { faults: faults_in(&journal) + self.workers_failed, ..Ended::default() };
        ended.lost(usize::from(self.endless), || "it comes to no end".to_owned());
        let mut lanes = promise::expected(&journal, &self.did, &self.lines);
        let mut said = Said::default();
        for lane in &mut lanes {
            let (line, contact) = (&self.lines[lane.line], lane.contact.as_str());
            let is_there = self.app.conversations(line).await.iter().any(|row| row.number.whole().unwrap().expose() == contact);
            let rows = if is_there { self.app.timeline(line, contact).await } else { Vec::new() };
            // A text that RingCentral refuses is kept as failed, with the reason.
            let refused = |text: &String| self.refused.contains(text) && is_kept(&rows, text, EntryState::Failed);
            lane.absent.extend(lane.posted.extract_if(.., |text| refused(text)));
            ended.kept(lane, is_there, &rows);
            ended.chat(&journal, lane);
            lane.posted.iter().for_each(|text| said.then(contact, text));
            let phone = Phone {
                contact: contact.to_owned(),
                once: lane.sent.iter().cloned().chain(lane.goes_out(Some(true))).collect(),
                at_most_once: lane.goes_out(None).collect(),
                never: lane.goes_out(Some(false)).chain(lane.written.iter().cloned()).collect(),
                in_order: lane.pairs(),
            };
            let found = phone.verdict(&journal);
            ended.add(found, || format!("{contact}: the phone got {:?}: {found:?}, {phone:?}", received(&journal, contact)));
        }
        let found = verdict(&self.app.sandbox, &said);
        ended.add(found, || format!("in the chats {found:?}"));

        // RingCentral shows every post within the time that is assumed: then no double ever comes to be, not even one that is deleted.
        let deleted = journal.iter().filter(|entry| entry.kind == Kind::PostDelete).count();
        ended.doubled(deleted, || format!("{deleted} posts stood doubled and were deleted"));
        let teams = journal.iter().filter(|entry| entry.kind == Kind::Team && entry.accepted).count();
        let wanted = lanes.iter().filter(|lane| lane.chat).count();
        ended.as_many(teams, wanted, || format!("{teams} chats were made for {wanted} contacts"));
        // Each answer that did not go out is followed by one word of ours.
        let standing = standing_posts(&journal);
        let notices = standing.iter().filter(|post| post.text.as_deref().is_some_and(|text| text.contains("Nothing was sent"))).count();
        let answers = || lanes.iter().flat_map(|lane| &lane.answers);
        let (must, may) = (answers().filter(|a| a.goes_out == Some(false)).count(), answers().filter(|a| a.goes_out.is_none()).count());
        ended.as_many(notices, notices.clamp(must, must + may), || {
            format!("{notices} notices stand for {must} answers, perhaps {may} more")
        });
        ended.journal = journal;
        ended
    }
}

fn is_kept(rows: &[TimelineRow], text: &str, state: EntryState) -> bool {
    rows.iter().any(|row| row.written.body() == Some(text) && row.entry == Some(state) && row.reason.is_some())
}

impl promise::Lane {
    fn goes_out(&self, wanted: Option<bool>) -> impl Iterator<Item = String> {
        self.answers.iter().filter(move |answer| answer.goes_out == wanted).map(|answer| answer.text.clone())
    }

    /// Answers of which the first must come to the phone before the second.
    fn pairs(&self) -> Vec<(String, String)> {
        let before = |first: &promise::Answer, second: &promise::Answer| first.post < second.post && first.told <= second.told;
        let pairs = self.answers.iter().flat_map(|first| self.answers.iter().map(move |second| (first, second)));
        pairs.filter(|(first, second)| before(first, second)).map(|(first, second)| (first.text.clone(), second.text.clone())).collect()
    }
}

impl Ended {
    fn say(&mut self, count: usize, words: impl FnOnce() -> String) {
        if count > 0 {
            self.words.push(words());
        }
    }

    fn add(&mut self, found: crate::verdict::Verdict, words: impl FnOnce() -> String) {
        self.say(found.sum(), words);
        self.verdict.lost += found.lost;
        self.verdict.doubled += found.doubled;
        self.verdict.disordered += found.disordered;
        self.verdict.astray += found.astray;
    }

    fn lost(&mut self, count: usize, words: impl FnOnce() -> String) {
        self.verdict.lost += count;
        self.say(count, words);
    }

    fn doubled(&mut self, count: usize, words: impl FnOnce() -> String) {
        self.verdict.doubled += count;
        self.say(count, words);
    }

    /// Fewer are lost, more are doubled.
    fn as_many(&mut self, found: usize, wanted: usize, words: impl FnOnce() -> String) {
        self.verdict.lost += wanted.saturating_sub(found);
        self.verdict.doubled += found.saturating_sub(wanted);
        self.say(wanted.abs_diff(found), words);
    }

    /// A conversation is there or not, and shows what is skipped and what is held.
    fn kept(&mut self, lane: &promise::Lane, is_there: bool, rows: &[TimelineRow]) {
        let contact = &lane.contact;
        self.as_many(usize::from(is_there), usize::from(lane.conversation), || format!("{contact}: a conversation is there: {is_there}"));
        for text in lane.skipped.iter().filter(|text| !is_kept(rows, text, EntryState::Skipped)) {
            self.lost(1, || format!("{contact}: {text} was held when its line left RingCentral and is not kept as skipped"));
        }
        for text in lane
            .held
            .iter()
            .filter(|text| !rows.iter().any(|row| row.written.body() == Some(text.as_str()) && row.entry == Some(EntryState::Held)))
        {
            self.lost(1, || format!("{contact}: {text} is held and no longer shown as held"));
        }
    }

    /// What must not stand in the chat does not; and the responder speaks as often as it was asked.
    fn chat(&mut self, journal: &[Entry], lane: &promise::Lane) {
        let contact = &lane.contact;
        let chats = chats_of(journal, contact);
        let posts = standing_posts(journal);
        let here = posts.iter().filter(|post| post.chat_id.is_some_and(|id| chats.contains(&id)));
        let here: String = here.filter_map(|post| post.text.as_deref()).collect();
        for text in lane.absent.iter().chain(&lane.skipped).chain(&lane.held).filter(|text| here.contains(text.as_str())) {
            self.verdict.astray += 1;
            self.say(1, || format!("{contact}: {text} stands in a chat and must not"));
        }
        let posted = here.matches(REPLY).count();
        self.as_many(posted, lane.replies_posted, || {
            format!("{contact}: the responder is posted {posted} times of {}", lane.replies_posted)
        });
        let sent = received(journal, contact).iter().filter(|text| text.contains(REPLY)).count();
        self.as_many(sent, lane.replies_sent, || format!("{contact}: the responder is sent {sent} times of {}", lane.replies_sent));
    }
}
