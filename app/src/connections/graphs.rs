//! Is it keeping up? A verdict in a sentence, and the graphs that it is drawn from: posts against the limit, what waits, what failed.

use crate::ui::{Chart, Graph, Ink, Series, Shape, Share, Tone, grouped};
use leptos::prelude::*;
use switchyard::types::{Age, ConnectionDetail, ConnectionId, ConnectionState, Deliveries, Span, counted};

/// How it goes: in a tone and a sentence.
pub fn verdict(detail: &ConnectionDetail, drawn: &Deliveries) -> (Tone, String) {
    let row = &detail.row;
    let queued = |ages: &[Age]| drawn.waiting.iter().filter(|w| ages.contains(&w.age)).map(|w| w.queued).sum::<i64>();
    let (all, minutes, hours) = (queued(Age::ALL), queued(&[Age::Hour]), queued(&[Age::Day, Age::Week, Age::Older]));
    let messages = |count| counted(count, "message", "messages");
    let are = |count| if count == 1 { "is" } else { "are" };
    match &row.state {
        ConnectionState::Paused { .. } if all == 0 => {
            return (Tone::Warning, "Paused: nothing is posted, and nothing waits to be posted.".to_owned());
        }
        ConnectionState::Paused { .. } => {
            return (Tone::Warning, format!("Paused: nothing is posted. {} {} waiting to be posted.", messages(all), are(all)));
        }
        ConnectionState::Refused { .. } => {
            return (
                Tone::Bad,
                "Not keeping up: RingCentral refuses the sign-in, and nothing is posted until it has new secrets.".to_owned(),
            );
        }
        _ => {}
    }
    // What is drawn is the most of each step: less than most of it now means that it shrinks.
    let shrinks = drawn.queued.iter().max().is_some_and(|most| all * 10 < most * 9);
    if hours > 0 && shrinks && !matches!(row.state, ConnectionState::Waiting { .. }) {
        return (
            Tone::Warning,
            format!("Catching up: {} {} on the way for more than an hour, and there are fewer.", messages(hours), has(hours)),
        );
    }
    if hours > 0 {
        let why = if matches!(row.state, ConnectionState::Waiting { .. }) { ": a limit is reached" } else { "" };
        return (Tone::Bad, format!("Not keeping up{why}. {} {} on the way for more than an hour.", messages(hours), has(hours)));
    }
    if minutes > 0 {
        return (Tone::Warning, format!("A little behind: {} {} on the way for more than a minute.", messages(minutes), has(minutes)));
    }
    if detail.lines.is_empty() && drawn.posted.iter().all(|posted| *posted == 0) {
        return (Tone::Plain, "Nothing to do yet: no line of the account is set to RingCentral.".to_owned());
    }
    let at_limit = drawn.limit.map_or(0, |limit| drawn.posted.iter().filter(|posted| **posted >= limit).count());
    let failed: i64 = drawn.failed.iter().sum();
    let mut text = "Keeping up: nothing is on the way for more than a minute.".to_owned();
    if at_limit > 0 {
        text += &format!(" At the limit in {at_limit} of {} steps.", drawn.posted.len());
    }
    if failed > 0 {
        let tries = if failed == 1 {
            "1 try did not succeed and was made again".to_owned()
        } else {
            format!("{} tries did not succeed and were made again", grouped(failed))
        };
        text += &format!(" {tries}.");
    }
    (Tone::Good, text)
}

fn has(count: i64) -> &'static str {
    if count == 1 { "has been" } else { "have been" }
}

/// The span in words.
fn last(span: Span) -> &'static str {
    match span {
        Span::Hour => "the last hour",
        Span::Day => "the last day",
        Span::Month => "the last 30 days",
    }
}

/// One step of the span in words.
fn each(span: Span) -> &'static str {
    match span {
        Span::Hour => "a minute",
        Span::Day => "in 15 minutes",
        Span::Month => "in 6 hours",
    }
}

fn graph(drawn: &Deliveries, says: String, limit: Option<i64>, series: Vec<Series>) -> Graph {
    Graph { says, from: drawn.from, step_seconds: drawn.span.step_seconds(), series, limit }
}

fn posts(drawn: &Deliveries) -> Graph {
    let (sum, most) = (drawn.posted.iter().sum::<i64>(), drawn.posted.iter().max().copied().unwrap_or(0));
    let (last, each) = (last(drawn.span), each(drawn.span));
    let limit = drawn.limit.map(|limit| format!(" of {} allowed", grouped(limit))).unwrap_or_default();
    let says = if sum == 0 {
        format!("None in {last}.")
    } else {
        format!("{} in {last}, at most {}{limit} {each}.", counted(sum, "post", "posts"), grouped(most))
    };
    graph(drawn, says, drawn.limit, vec![Series { name: "posts", ink: Ink::Main, values: drawn.posted.clone() }])
}

fn backlog(drawn: &Deliveries) -> Graph {
    let (queued, held) = drawn.waiting.iter().fold((0, 0), |(queued, held), w| (queued + w.queued, held + w.held));
    let says = format!("Now {} on the way and {} held until their contacts write.", grouped(queued), grouped(held));
    // The step that has just begun may have no sample of its own yet.
    let up_to_now = |values: &[i64], now: i64| {
        let mut values = values.to_vec();
        if let Some(last) = values.last_mut() {
            *last = now.max(*last);
        }
        values
    };
    let series = vec![
        Series { name: "on the way", ink: Ink::Moving, values: up_to_now(&drawn.queued, queued) },
        Series { name: "held", ink: Ink::Waiting, values: up_to_now(&drawn.held, held) },
    ];
    graph(drawn, says, None, series)
}

fn failures(drawn: &Deliveries) -> Graph {
    let sum: i64 = drawn.failed.iter().sum();
    let says = if sum == 0 {
        format!("None in {}.", last(drawn.span))
    } else {
        format!("{} in {}; each was or will be made again.", counted(sum, "try", "tries"), last(drawn.span))
    };
    graph(drawn, says, None, vec![Series { name: "failed tries", ink: Ink::Bad, values: drawn.failed.clone() }])
}

/// The graphs and the spans to choose from.
pub fn graphs(id: ConnectionId, drawn: &Deliveries) -> impl IntoView + use<> {
    let spans = Span::ALL
        .iter()
        .map(|&span| {
            let name = match span {
                Span::Hour => "Hour",
                Span::Day => "Day",
                Span::Month => "Month",
            };
            let is_here = (span == drawn.span).then_some("page");
            view! {
                <li>
                    <a href=format!("/connections/{id}?span={}", span.as_str()) class="tab-link" aria-current=is_here data-noscroll="true">
                        {name}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel">
            <header class="flex flex-wrap items-end justify-between gap-x-6 border-b border-base-300 px-4 pt-3">
                <div class="pb-3">
                    <h2 class="font-semibold">"Is it keeping up?"</h2>
                    <p class="muted text-xs">"Counted as it happens; what waits is sampled every minute."</p>
                </div>
                <nav aria-label="How far back">
                    <ul class="-mb-px flex gap-5">{spans}</ul>
                </nav>
            </header>
            <div class="grid gap-x-8 gap-y-6 p-4 lg:grid-cols-2">
                <Chart title="Posts" shape=Shape::Bars graph=posts(drawn) limit="limit" />
                <Chart title="Waiting" shape=Shape::Lines graph=backlog(drawn) />
                <div class="flex min-w-0 flex-col gap-3">
                    <Chart title="Failed tries" shape=Shape::Bars graph=failures(drawn) />
                    {reasons(drawn)}
                </div>
                {ages(drawn)}
            </div>
        </section>
    }
}

/// Failures by reason; nothing when there are none.
fn reasons(drawn: &Deliveries) -> impl IntoView + use<> {
    let all: i64 = drawn.reasons.iter().map(|(_, count)| count).sum();
    let rows = drawn
        .reasons
        .iter()
        .map(|&(kind, count)| {
            view! {
                <li class="flex flex-col gap-0.5">
                    <span class="flex justify-between gap-4">
                        <span>{kind.sentence()}</span>
                        <span class="font-medium">{grouped(count)}</span>
                    </span>
                    <Share value=count of=all ink=Ink::Bad />
                </li>
            }
        })
        .collect_view();
    view! { <ul class="flex flex-col gap-2 text-xs empty:hidden" aria-label="Failed tries by reason">{rows}</ul> }
}

/// What waits now, by how long.
fn ages(drawn: &Deliveries) -> impl IntoView + use<> {
    let most = drawn.waiting.iter().flat_map(|waiting| [waiting.held, waiting.queued]).max().unwrap_or(0);
    let part = |value: i64, ink: Ink| {
        view! {
            <td>
                <span class="flex items-center gap-2">
                    <span class="w-12 text-end font-medium">{grouped(value)}</span>
                    <Share value=value of=most ink=ink />
                </span>
            </td>
        }
    };
    let rows = Age::ALL
        .iter()
        .map(|&age| {
            let (queued, held) = drawn.waiting.iter().find(|waiting| waiting.age == age).map_or((0, 0), |found| (found.queued, found.held));
            view! {
                <tr>
                    <th scope="row" class="py-1 pe-3 text-start font-normal whitespace-nowrap">{age.label()}</th>
                    {part(queued, Ink::Moving)}
                    {part(held, Ink::Waiting)}
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="flex min-w-0 flex-col gap-2">
            <div>
                <h3 class="font-medium">"Waiting now, by age"</h3>
                <p class="muted text-xs">
                    "By how long the oldest message of each conversation has waited. Held messages wait for their contact to write, however long."
                </p>
            </div>
            <table class="w-full text-xs">
                <thead>
                    <tr class="muted">
                        <th scope="col" class="py-1 text-start font-semibold">"For"</th>
                        <th scope="col" class="w-2/5 py-1 ps-2 text-start font-semibold">"On the way"</th>
                        <th scope="col" class="w-2/5 py-1 ps-2 text-start font-semibold">"Held"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard::types::{AccountId, ConnectionRow, FailureKind, Timestamp, Waiting};

    fn detail(state: ConnectionState) -> ConnectionDetail {
        let row = ConnectionRow {
            id: ConnectionId(uuid::Uuid::nil()),
            account_id: AccountId(uuid::Uuid::nil()),
            account: String::new(),
            base_url: String::new(),
            client_id: String::new(),
            state,
            posts_this_minute: 0,
            posts_per_minute: Some(40),
            posts_today: 0,
            posts_per_day: None,
            subscribed_until: None,
            subscription_error: None,
            heard_at: None,
            version: 1,
        };
        ConnectionDetail {
            row,
            budgets: Vec::new(),
            last_error: None,
            events_waiting: 0,
            events_since: None,
            lines: Vec::new(),
            unknown_people: Vec::new(),
            stays_because: None,
        }
    }

    fn drawn(posted: &[i64], failed: i64, waiting: &[(Age, i64)]) -> Deliveries {
        Deliveries {
            span: Span::Hour,
            from: Timestamp(0),
            posted: posted.to_vec(),
            failed: vec![failed],
            held: vec![0],
            queued: vec![0],
            limit: Some(40),
            reasons: vec![(FailureKind::Limit, failed)],
            waiting: waiting.iter().map(|&(age, queued)| Waiting { age, held: 7, queued }).collect(),
        }
    }

    #[test]
    fn the_verdict_names_what_is_worst() {
        let says = |state, drawn: &Deliveries| verdict(&detail(state), drawn).1;
        let quiet = drawn(&[3, 0], 0, &[(Age::Minute, 2)]);
        assert_eq!(says(ConnectionState::SignedIn, &quiet), "Keeping up: nothing is on the way for more than a minute.");
        let busy = drawn(&[40, 12], 2, &[]);
        assert!(
            says(ConnectionState::SignedIn, &busy).ends_with("At the limit in 1 of 2 steps. 2 tries did not succeed and were made again.")
        );
        let behind = drawn(&[40], 0, &[(Age::Hour, 1)]);
        assert_eq!(says(ConnectionState::SignedIn, &behind), "A little behind: 1 message has been on the way for more than a minute.");
        let mut fewer = drawn(&[40], 0, &[(Age::Day, 20)]);
        fewer.queued = vec![300, 20];
        assert!(says(ConnectionState::SignedIn, &fewer).starts_with("Catching up: 20 messages have been"));
        let lost = drawn(&[40], 0, &[(Age::Hour, 1), (Age::Older, 1_200)]);
        assert!(says(ConnectionState::SignedIn, &lost).starts_with("Not keeping up. 1,200 messages have been"));
        assert!(says(ConnectionState::Paused { since: Timestamp(0) }, &lost).starts_with("Paused: nothing is posted. 1,201 messages are"));
        let idle = drawn(&[0], 0, &[]);
        assert!(says(ConnectionState::Idle, &idle).starts_with("Nothing to do yet"));
        assert!(says(ConnectionState::Paused { since: Timestamp(0) }, &idle).contains("nothing waits"));
        assert!(says(ConnectionState::Refused { why: String::new() }, &quiet).contains("new secrets"));
    }
}
