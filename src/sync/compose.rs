//! What a post says. A customer's text is never interpreted; every post carries a short reference, by which it is found again.

use crate::types::{LATE_AFTER, Media, MessageState, Origin, PhoneNumber, Timestamp};

/// RingCentral takes 10,000 characters a post (API description, TMCreatePostRequest.text).
pub const LONGEST_POST: usize = 10_000;
/// A single message is cut here; the console has the whole of it.
const LONGEST_BODY: usize = 7_000;
/// What a new line of a quoted message takes: itself and the sign of a quote.
const NEW_LINE: usize = 3;
/// So many attachments, and numbers of a group text, are named.
const MOST_NAMED: usize = 10;

/// A message as a post shows it.
#[derive(Debug, Clone)]
pub struct Line {
    /// It came from the contact.
    pub inbound: bool,
    /// What sent it, if it went out.
    pub origin: Option<Origin>,
    /// What it says.
    pub body: String,
    /// Its attachments.
    pub media: Vec<Media>,
    /// The other numbers of a group text.
    pub others: Vec<PhoneNumber>,
    /// How far the SMS is.
    pub state: MessageState,
    /// Our time: when the carrier took it, or when it came in.
    pub at: Timestamp,
    /// The carrier's time of an incoming one.
    pub carrier_at: Option<Timestamp>,
    /// The console's page of the message's conversation, for what a post cannot hold.
    pub console: String,
}

/// Makes text harmless: RingCentral would read bold, links and mentions (`![:Team](…)` would call the whole team) in it. No escape
/// sign is documented, so the signs themselves are replaced by look-alikes.
pub fn escape(text: &str) -> String {
    let chars: Vec<char> = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let before = |at: usize| at.checked_sub(1).and_then(|at| chars.get(at));
    let goes_on = |at: usize| chars.get(at + 1).is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '/' | '=' | '-'));
    let mut out = String::with_capacity(text.len());
    for (at, c) in chars.iter().copied().enumerate() {
        let line_start = at == 0 || chars.get(at - 1) == Some(&'\n');
        match c {
            '*' => out.push('∗'),
            '`' => out.push('ˋ'),
            '~' => out.push('∼'),
            // Within a word it is part of a name or an address; behind a sign it would begin an underlined text.
            '_' if !(before(at).is_some_and(|c| c.is_alphanumeric()) && goes_on(at)) => out.push('ˍ'),
            '[' => out.push('［'),
            ']' => out.push('］'),
            '>' if line_start => out.push('›'),
            '#' if line_start => out.push('＃'),
            '@' if line_start || chars.get(at - 1).is_some_and(|c| c.is_whitespace()) => out.push('＠'),
            c => out.push(c),
        }
    }
    out
}

/// What was written, as a post shows it.
fn words(body: &str) -> String {
    let mut text = escape(body.trim());
    let mut length = 0;
    let cut = text.char_indices().find_map(|(at, c)| {
        length += if c == '\n' { NEW_LINE } else { 1 };
        (length > LONGEST_BODY).then_some(at)
    });
    if let Some(cut) = cut {
        text.truncate(cut);
        text.push_str(" … (cut; the whole text is in Switchyard)");
    }
    text
}

/// Whether a post says what was written.
pub fn says(post: &str, body: &str) -> bool {
    let words = words(body);
    post.contains(&words) || post.contains(&quoted(&words))
}

fn quoted(text: &str) -> String {
    text.replace('\n', "\n> ")
}

fn shown(line: &Line) -> String {
    let mut text = words(&line.body);
    for (n, media) in line.media.iter().take(MOST_NAMED).enumerate() {
        let kind: String = media.content_type.chars().take_while(char::is_ascii_alphanumeric).take(20).collect();
        let kind = if kind.is_empty() { "file" } else { &kind };
        text.push_str(&format!("\n[attachment {} ({kind})]({})", n + 1, line.console));
    }
    if line.media.len() > MOST_NAMED {
        text.push_str(&format!("\n(and {} attachments more)", line.media.len() - MOST_NAMED));
    }
    text
}

/// A message that was sent outside RingCentral, in a post of such messages.
fn history_line(line: &Line) -> String {
    let origin = line.origin.map_or("Message", Origin::name);
    let failed = if line.state == MessageState::Failed { " · **not delivered**" } else { "" };
    format!("> **{origin}** · {} UTC{failed}\n> {}", line.at.minute(), quoted(&shown(line)))
}

/// What the contact wrote, as it is posted `at` that time.
fn inbound_line(line: &Line, at: Timestamp) -> String {
    let mut text = shown(line);
    if text.is_empty() {
        text.push_str("(an empty message)");
    }
    if !line.others.is_empty() {
        let others: Vec<String> = line.others.iter().take(MOST_NAMED).map(PhoneNumber::readable).collect();
        let more = line.others.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text.push_str(&format!("\n*Group text, also to {}{more}*", others.join(", ")));
    }
    // The carrier was late, or we were: the connection was paused, or at its limit, or RingCentral was not there.
    let sent = line.carrier_at.map_or(line.at, |sent| sent.min(line.at));
    if at.since(sent) > LATE_AFTER {
        text.push_str(&format!("\n*Sent {} UTC, arrived late*", sent.minute()));
    }
    text
}

/// A whole post, as it is made `at` that time: the messages in sequence, what is left out, and the reference.
pub fn post(lines: &[Line], left_out: i64, reference: &str, at: Timestamp) -> String {
    let mut parts = Vec::with_capacity(lines.len() + 2);
    if left_out > 0 {
        parts.push(format!("*{left_out} older messages are not shown here; they are in Switchyard.*"));
    }
    let mut in_history = false;
    for line in lines {
        if line.inbound {
            parts.push(inbound_line(line, at));
        } else {
            if !in_history {
                parts.push("*Sent outside RingCentral:*".to_owned());
            }
            parts.push(history_line(line));
        }
        in_history = !line.inbound;
    }
    parts.push(format!("*ref {reference}*"));
    parts.join("\n")
}

/// The reference that stands in a post of ours, as [`post`] writes it.
pub fn reference_in(text: &str) -> Option<&str> {
    text.trim_end().lines().next_back()?.trim().strip_prefix("*ref ")?.strip_suffix('*').filter(|reference| reference.starts_with("sw-"))
}

/// How many of these messages, from the first on, go into one post. A post holds history, or incoming messages, or, when calls
/// are few (`join`), both.
pub fn fitting(lines: &[Line], alone: &[bool], join: bool, left_out: i64, reference: &str, at: Timestamp) -> usize {
    let mut count = 0;
    for end in 1..=lines.len() {
        let first = &lines[0];
        let last = &lines[end - 1];
        let together = end == 1 || (!alone[0] && !alone[end - 1] && (join || (!first.inbound && !last.inbound)));
        if !together || (end > 1 && post(&lines[..end], left_out, reference, at).chars().count() > LONGEST_POST) {
            break;
        }
        count = end;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// When the messages came.
    const AT: Timestamp = Timestamp(1_795_238_411_000_000);

    fn out(body: &str) -> Line {
        Line {
            inbound: false,
            origin: Some(Origin::Blast),
            body: body.to_owned(),
            media: Vec::new(),
            others: Vec::new(),
            state: MessageState::Accepted,
            at: AT,
            carrier_at: None,
            console: "http://127.0.0.1/c".to_owned(),
        }
    }

    fn inbound(body: &str) -> Line {
        Line { inbound: true, origin: None, ..out(body) }
    }

    #[test]
    fn a_customers_text_is_never_interpreted() {
        let text = escape("![:Team](1) **bold** _it_ `x` [a](http://b) \n> quote\n@all ~~no~~");
        for sign in ["![", "](", "**", " _it", "`", "\n>", "~~", "\n@"] {
            assert!(!text.contains(sign), "{sign} in {text}");
        }
        assert_eq!(escape("see https://x.example/a_b_c?d=e"), "see https://x.example/a_b_c?d=e", "addresses stay whole");
    }

    #[test]
    fn history_travels_together_and_the_reply_follows_by_itself() {
        let lines = [out("a"), out("b"), inbound("c"), out("d")];
        assert_eq!(fitting(&lines, &[false; 4], false, 0, "x", AT), 2);
        assert_eq!(fitting(&lines[2..], &[false; 2], false, 0, "x", AT), 1);
        assert_eq!(fitting(&lines, &[false; 4], true, 0, "x", AT), 4, "joined when calls are few");
        assert_eq!(fitting(&lines, &[false, true, false, false], false, 0, "x", AT), 1, "a refused one travels alone");
    }

    #[test]
    fn a_post_is_never_longer_than_ringcentral_takes() {
        let lines: Vec<Line> = (0..200).map(|n| out(&format!("{n} {}", "long ".repeat(60)))).collect();
        let count = fitting(&lines, &[false; 200], false, 7, "sw-1", AT);
        assert!(count > 10);
        assert!(post(&lines[..count], 7, "sw-1", AT).chars().count() <= LONGEST_POST);
        for body in ["x".repeat(50_000), "\n.".repeat(5_000)] {
            let one = [Line { media: vec![Media { url: body.clone(), content_type: body.clone() }; 50], ..out(&body) }];
            assert!(post(&one, 0, "sw-1", AT).chars().count() <= LONGEST_POST);
        }
        let mut group = inbound("Hello all");
        group.others = vec![PhoneNumber::parse("+12025550143").unwrap_or_else(|error| unreachable!("{error}")); 900];
        assert!(post(&[group], 0, "sw-1", AT.plus(LATE_AFTER * 2)).chars().count() <= LONGEST_POST);
    }

    #[test]
    fn a_post_says_what_sent_each_message_and_when() {
        let text = post(&[out("Sale!"), inbound("Yes")], 3, "sw-1", AT);
        assert!(text.contains("**Blast** · 2026-11-21 05:20 UTC"), "{text}");
        assert!(text.starts_with("*3 older messages"), "{text}");
        assert_eq!(reference_in(&text), Some("sw-1"), "{text}");
        assert_eq!(reference_in("I saw *ref sw-1* above"), None);
    }

    #[test]
    fn what_a_contact_wrote_says_when_if_anybody_made_it_late() {
        let line = inbound("Yes");
        let sent_before = |by| Line { carrier_at: Some(AT.minus(by)), ..line.clone() };
        let minute = Duration::from_secs(60);
        for (line, at, says) in [
            (&line, AT.plus(LATE_AFTER), None),
            (&line, AT.plus(LATE_AFTER + minute), Some("2026-11-21 05:20")),
            (&sent_before(minute), AT.plus(minute), None),
            (&sent_before(minute * 60), AT, Some("2026-11-21 04:20")),
            (&sent_before(minute), AT.plus(minute * 60), Some("2026-11-21 05:19")),
        ] {
            let text = post(std::slice::from_ref(line), 0, "sw-1", at);
            let late = says.map(|sent| format!("*Sent {sent} UTC, arrived late*"));
            assert_eq!(text.lines().find(|line| line.contains("late")), late.as_deref(), "{text}");
            assert_eq!(reference_in(&text), Some("sw-1"), "{text}");
        }
    }
}
