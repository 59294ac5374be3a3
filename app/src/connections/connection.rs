//! One connection: how it is at a glance, whether it keeps up, what stands still, and what staff do about it.

use super::acts::Acts;
use super::graphs::{graphs, verdict};
use super::limits::Limits;
use super::stalled::stalled;
use super::state::{hearing, of_limit, plain, sentence};
use super::{StateBadge, Whole, connection_of_path, lasted, no_such_connection, read_connection, state_sentence};
use crate::audit::audit_fact;
use crate::frame::{Me, use_me};
use crate::live::{Followed, every, follow};
use crate::ui::{
    Badge, ButtonLink, Cell, FaultView, Icon, Ink, Loading, Notice, Number, PageHead, Panel, Share, Table, Time, Tone, icon, load,
    query_field,
};
use leptos::prelude::*;
use std::time::Duration;
use switchyard::types::{ConnectedLine, ConnectionDetail, ConnectionId, Permission, RateBudget, Span, UnknownPerson, counted};

/// Budgets fill up by time alone: the page is read anew so often.
const AGAIN: Duration = Duration::from_secs(5);

/// One connection.
#[component]
pub fn ConnectionPage() -> impl IntoView {
    let id = connection_of_path();
    let span = query_field("span");
    let found = load(
        move || (id.get(), span.get()),
        |(id, span)| async move {
            let Some(id) = id else { return Err(no_such_connection()) };
            let span = span.parse().unwrap_or(Span::Hour);
            Ok((id, span, read_connection(id, span).await?))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((id, span, first))) => {
                        let account = first.detail.row.account_id;
                        let followed = follow(first, move |change| change.account() == Some(account), move || read_connection(id, span));
                        every(AGAIN, move || followed.read_again());
                        view! { <Page id=id followed=followed me=me /> }.into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Page(id: ConnectionId, followed: Followed<Whole>, me: Me) -> impl IntoView {
    let acts = Acts::new(id, followed);
    let (may, sees_audit) = (me.may(Permission::ManageDirectory), me.may(Permission::SeeAudit));
    let limits = may.then(|| Limits::new(id, followed));
    let (account, account_id) = followed.now.with_untracked(|whole| (whole.detail.row.account.clone(), whole.detail.row.account_id));
    let state = move || followed.now.with(|whole| view! { <StateBadge of=whole.detail.row.state.clone() /> });
    view! {
        <PageHead title=account above=vec![("Connections".to_owned(), "/connections".to_owned())] beside=move || view! { {state} }>
            <ButtonLink href=format!("/accounts/{account_id}")>"The account"</ButtonLink>
            {may.then(|| acts.buttons())}
        </PageHead>
        <div class:hidden=acts.has_outcome()>
            <Notice words=&[
                ("added", "The connection was added. Test it to see whether RingCentral accepts it."),
                ("secrets", "The new secrets are stored. Test the connection to see whether RingCentral accepts them."),
                ("tested", "It works: RingCentral accepts the credential."),
            ] />
        </div>
        {acts.outcome()}
        // Painted as a whole each time: the nodes stay, and with them what is open or has the focus.
        {move || followed.now.with(|whole| painted(whole, may.then_some(acts), limits, sees_audit))}
    }
}

fn painted(whole: &Whole, acts: Option<Acts>, limits: Option<Limits>, sees_audit: bool) -> impl IntoView + use<> {
    let (tone, says) = verdict(&whole.detail, &whole.deliveries);
    let alert = match tone {
        Tone::Bad => "alert alert-error alert-soft mb-4 items-start py-2.5 text-sm",
        Tone::Warning => "alert alert-warning alert-soft mb-4 items-start py-2.5 text-sm",
        Tone::Plain | Tone::Info => "alert alert-info alert-soft mb-4 items-start py-2.5 text-sm",
        Tone::Good => "alert alert-success alert-soft mb-4 items-start py-2.5 text-sm",
    };
    view! {
        <p class=alert data-verdict="">
            {matches!(tone, Tone::Warning | Tone::Bad).then(|| icon(Icon::Warning))} <span>{says}</span>
        </p>
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <div class="flex min-w-0 flex-col gap-4">
                {glance(whole, sees_audit)}
                {lines(&whole.detail)}
            </div>
            <div class="flex min-w-0 flex-col gap-4">
                {budgets(&whole.detail, limits)}
                {people(&whole.detail, acts)}
            </div>
            <div class="flex min-w-0 flex-col gap-4 lg:col-span-2">
                {stalled(whole)}
                {graphs(whole.detail.row.id, &whole.deliveries)}
            </div>
        </div>
    }
}

/// How it is, in facts.
fn glance(whole: &Whole, sees_audit: bool) -> impl IntoView + use<> {
    let row = &whole.detail.row;
    let ((tone, hears, says), id) = (hearing(row), row.id.0);
    let error = match &whole.detail.last_error {
        Some((at, words)) => view! {
            {sentence(words)}
            <p class="muted text-xs">
                <Time at=*at />
            </p>
        }
        .into_any(),
        None => view! { <span class="muted">"None"</span> }.into_any(),
    };
    let heard = match row.heard_at {
        Some(at) => view! { <Time at=at /> }.into_any(),
        None => view! { <span class="muted">"None yet"</span> }.into_any(),
    };
    let facts = [
        ("Sign-in", state_sentence(&row.state).into_any()),
        (
            "Subscription",
            view! {
                <Badge tone=tone>{hears}</Badge>
                <p class="muted text-xs">{says}</p>
            }
            .into_any(),
        ),
        ("Last event", heard),
        ("Event lag", lag(whole).into_any()),
        ("Posts today", of_limit(row.posts_today, row.posts_per_day).into_any()),
        ("Last error", error),
        ("RingCentral", row.base_url.clone().into_any()),
        ("Client ID", row.client_id.clone().into_any()),
        ("Secrets", view! { <span class="muted">"Stored sealed, never shown"</span> }.into_any()),
    ];
    let facts = facts
        .into_iter()
        .map(|(name, value)| {
            view! {
                <dt>{name}</dt>
                <dd>{value}</dd>
            }
        })
        .collect_view();
    view! {
        <Panel title="At a glance">
            <dl class="facts">{facts} {audit_fact(sees_audit, id, "Audit of this connection")}</dl>
        </Panel>
    }
}

/// How far behind the events are.
fn lag(whole: &Whole) -> String {
    let detail = &whole.detail;
    match (detail.events_waiting, detail.events_since) {
        (0, _) | (_, None) => "None: no event waits".to_owned(),
        (count, Some(since)) => {
            let at_least = if count >= ConnectionDetail::MOST_EVENTS { "At least " } else { "" };
            let waits = if count == 1 { "waits" } else { "wait" };
            format!("{at_least}{} {waits}, the oldest for {}", counted(count, "event", "events"), lasted(whole.at.since(since)))
        }
    }
}

/// What is left of each rate group's budget, and the form that changes what is ours to choose of it.
fn budgets(detail: &ConnectionDetail, limits: Option<Limits>) -> impl IntoView + use<> {
    let row = |budget: &RateBudget| {
        let left = budget.allowed.map_or(0, |allowed| (allowed - budget.used).max(0));
        let parked = budget.parked_until.map(|until| {
            let why = budget.parked_reason.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
            view! { <p class="mt-1 text-xs font-medium text-warning">"Waits until " <Time at=until /> {why}</p> }
        });
        let (name, text) = (budget.group.label(), of_limit(left, budget.allowed));
        let share = budget.allowed.map(|allowed| view! { <Share value=left of=allowed ink=Ink::Main /> });
        view! {
            <tr role="row">
                <Cell of="Calls">{name} {parked}</Cell>
                <Cell of="Left">
                    <span class="flex flex-col gap-1 pb-0.5">{text} {share}</span>
                </Cell>
            </tr>
        }
    };
    let rows = detail.budgets.iter().map(row).collect_view();
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Budget"</h2>
                <p class="muted text-xs">
                    "What is left of the calls that RingCentral allows in any 60 seconds, by group. Near a limit, replies go before history; at it, calls wait."
                </p>
            </header>
            <Table label="Budget by group" head=&["Calls", "Left"]>
                {rows}
            </Table>
            {limits.map(Limits::fold)}
        </section>
    }
}

/// The lines whose conversations go through it.
fn lines(detail: &ConnectionDetail) -> impl IntoView + use<> {
    let row = |line: &ConnectedLine| {
        view! {
            <li class="flex flex-wrap items-baseline justify-between gap-x-4 px-4 py-2">
                <a class="text-link font-medium" href=format!("/lines/{}", line.id)>
                    <Number number=line.number.clone() />
                </a>
                <span class="muted">{line.label.clone()}</span>
            </li>
        }
    };
    let none = detail.lines.is_empty().then(|| {
        let href = format!("/lines?account={}", detail.row.account_id);
        view! {
            <p class="p-4">
                "None yet. Set one of " <a class="text-link" href=href>"the account’s lines"</a> " to RingCentral."
            </p>
        }
    });
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Lines"</h2>
                <p class="muted text-xs">"The account’s lines that are set to RingCentral. Each conversation has a chat of its own."</p>
            </header>
            {none}
            <ul class="max-h-96 divide-y divide-base-300/60 overflow-y-auto">{detail.lines.iter().map(row).collect_view()}</ul>
        </section>
    }
}

/// People who are in no chat because RingCentral does not know them; nothing when there are none.
fn people(detail: &ConnectionDetail, acts: Option<Acts>) -> impl IntoView + use<> {
    let row = |person: &UnknownPerson| {
        view! {
            <li class="px-4 py-2">
                <p class="font-medium wrap-anywhere">{person.name.clone()}</p>
                <p class="muted text-xs wrap-anywhere">{person.email.clone()}</p>
                <p class="text-xs">{sentence(&person.reason)} " · " <Time at=person.seen_at /></p>
            </li>
        }
    };
    (!detail.unknown_people.is_empty()).then(|| {
        view! {
            <section class="panel">
                <header class="border-b border-base-300 px-4 py-3">
                    <h2 class="font-semibold">"People in no chat"</h2>
                    <p class="muted text-xs">
                        "They have access to a line, and RingCentral knows nobody by their e-mail address. Add them there, or correct the address; then look again."
                    </p>
                </header>
                <ul class="max-h-80 divide-y divide-base-300/60 overflow-y-auto">{detail.unknown_people.iter().map(row).collect_view()}</ul>
                {acts.map(|acts| view! { <div class="border-t border-base-300 p-4">{acts.people_button()}</div> })}
            </section>
        }
    })
}
