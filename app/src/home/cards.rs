//! What needs somebody, in the words of support: each kind with what to do about it, the worst kinds first.

use super::{Card, Item};
use crate::ui::grouped;
use switchyard::types::{
    self, ApprovalRow, CarrierTrouble, ConnectionState, Counted, Held, Needs, RunRow, RunState, SyncRow, SyncState, TroubledConnection,
    UnknownNumber, WaitingBlast,
};

/// The cards; a kind that needs nobody has none.
pub(super) fn cards(needs: Needs) -> Vec<Card> {
    let cards = [
        needs.carrier.map(carrier),
        needs.stalled.and_then(stalled),
        needs.failed.and_then(failed),
        needs.connections.and_then(connections),
        needs.to_decide.and_then(to_decide),
        needs.standing.and_then(standing),
        needs.blasts.and_then(blasts),
        needs.unknown.and_then(unknown),
        needs.held.and_then(held),
    ];
    cards.into_iter().flatten().collect()
}

/// `7`, or `100 or more` where counting stopped.
fn count<T>(counted: &Counted<T>) -> String {
    if counted.is_more { format!("{} or more", counted.count) } else { counted.count.to_string() }
}

fn card<T>(
    counted: Counted<T>,
    is_mild: bool,
    [title, says]: [&str; 2],
    (href, all): (&str, &str),
    item: impl FnMut(T) -> Item,
) -> Option<Card> {
    (counted.count > 0).then(|| Card {
        title: title.to_owned(),
        says: says.to_owned(),
        count: count(&counted),
        is_mild,
        href: href.to_owned(),
        all: all.to_owned(),
        items: counted.oldest.into_iter().map(item).collect(),
    })
}

fn joined<const N: usize>(parts: [&str; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn carrier(trouble: CarrierTrouble) -> Card {
    let says = "What is to be sent waits, and goes out when the carrier takes it. Tell who runs this installation: its key may be wrong.";
    Card {
        title: "The carrier takes no messages".to_owned(),
        says: says.to_owned(),
        count: "1".to_owned(),
        is_mild: false,
        href: String::new(),
        all: String::new(),
        items: vec![Item { href: String::new(), title: "Nothing is sent".to_owned(), detail: trouble.why, since: Some(trouble.since) }],
    }
}

fn stalled(counted: Counted<SyncRow>) -> Option<Card> {
    let says = "Deliveries into RingCentral fail and are tried again. Look at the reason; retry or skip.";
    card(counted, false, ["Stalled conversations", says], ("/sync?state=stalled", "All stalled conversations"), |row| {
        let (since, why) = match row.sync {
            SyncState::Stalled { since, why } => (since, why),
            _ => (row.changed_at, String::new()),
        };
        Item {
            href: format!("/lines/{}/conversations/{}", row.line_id, row.conversation_id),
            title: row.contact.unwrap_or_else(|| row.number.readable()),
            detail: joined([&row.line, &row.account, &why]),
            since: Some(since),
        }
    })
}

fn run(row: RunRow) -> Item {
    let detail = match row.state {
        RunState::Failed => joined([&format!("asked by {}", row.asked_by.1)]),
        state => joined([state.name(), &format!("asked by {}", row.asked_by.1)]),
    };
    Item { href: format!("/utilities/runs/{}", row.id), title: row.summary, detail, since: Some(row.ended_at.unwrap_or(row.asked_at)) }
}

fn failed(counted: Counted<RunRow>) -> Option<Card> {
    let says = "They stopped where they failed; nothing is lost. Read the reason, then resume or cancel.";
    card(counted, false, ["Failed runs", says], ("/utilities/history?state=failed", "All failed runs"), run)
}

fn standing(counted: Counted<RunRow>) -> Option<Card> {
    let says = "Paused, or waiting for a second person: they go on when somebody resumes or agrees.";
    card(counted, true, ["Runs that wait", says], ("/utilities", "All runs under way"), run)
}

fn to_decide(counted: Counted<ApprovalRow>) -> Option<Card> {
    let says = "Somebody asked for these and needs a second person.";
    card(counted, true, ["For you to decide", says], ("/approvals", "All approvals"), |row| Item {
        href: match row.run {
            Some(run) => format!("/utilities/runs/{run}"),
            None => format!("/approvals?approval={}", row.id),
        },
        title: row.summary,
        detail: joined([&format!("asked by {}", row.asked_by.1), &row.note]),
        since: Some(row.asked_at),
    })
}

fn connections(counted: Counted<TroubledConnection>) -> Option<Card> {
    let says = "Nothing is posted through them, or agents’ answers are not heard.";
    card(counted, false, ["Connections in trouble", says], ("/connections?state=trouble", "All connections in trouble"), |row| {
        let what = match row.state {
            ConnectionState::Paused { .. } => "Paused by staff: nothing is posted".to_owned(),
            ConnectionState::Refused { why } if why.is_empty() => "RingCentral refuses the sign-in".to_owned(),
            ConnectionState::Refused { why } => format!("RingCentral refuses the sign-in: {why}"),
            _ => String::new(),
        };
        let hears = row.subscription_error.map(|error| format!("What agents write is not heard: {error}")).unwrap_or_default();
        Item { href: format!("/connections/{}", row.id), title: row.account, detail: joined([&what, &hears]), since: row.since }
    })
}

fn blasts(counted: Counted<WaitingBlast>) -> Option<Card> {
    let says = "They are paused, and nothing of them is sent before somebody decides. Resume or cancel each on its page.";
    card(counted, true, ["Blasts that wait for a decision", says], ("", ""), |row| {
        let to = types::counted(row.recipients, "recipient", "recipients");
        let start = if row.late_since.is_some() { "its start has passed" } else { "its start is still to come" };
        Item {
            href: format!("/lines/{}/blasts/{}", row.line_id, row.id),
            title: row.line,
            detail: joined([&row.account, &to, start]),
            since: row.late_since,
        }
    })
}

fn unknown(counted: Counted<UnknownNumber>) -> Option<Card> {
    let says = "Somebody texted numbers that are no line of ours; nobody was told. Add the number as a line, or set it aside.";
    card(counted, true, ["Messages to unknown lines", says], ("/sync/unknown", "All messages to unknown lines"), |row| Item {
        // Only digits stand behind the sign.
        href: format!("/sync/unknown?q={}", row.number.expose().replace('+', "%2B")),
        title: row.number.readable(),
        detail: types::counted(row.messages, "message", "messages"),
        since: Some(row.since),
    })
}

fn held(held: Held) -> Option<Card> {
    let old = held.old();
    (old > 0).then(|| Card {
        title: "Held for a week and longer".to_owned(),
        says: "Messages that wait for their contact to write. When nobody will, skip them.".to_owned(),
        count: grouped(old),
        is_mild: true,
        href: "/sync?state=held&sort=oldest".to_owned(),
        all: "All held conversations".to_owned(),
        items: held
            .accounts
            .into_iter()
            .map(|account| Item {
                href: format!("/sync?state=held&sort=oldest&account={}", account.id),
                title: account.name,
                detail: types::counted(account.old, "message", "messages"),
                since: None,
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_where_it_stopped() {
        assert_eq!(count(&Counted::<()>::of(vec![(); 7], 5)), "7");
        assert_eq!(count(&Counted::<()>::of(vec![(); 100], 5)), "100");
        assert_eq!(count(&Counted::<()>::of(vec![(); 101], 5)), "100 or more");
    }

    #[test]
    fn what_needs_nobody_has_no_card() {
        let needs = Needs { failed: Some(Counted::of(Vec::new(), 5)), held: Some(Held::default()), ..Needs::default() };
        assert!(cards(needs).is_empty());
    }
}
