//! One connection: how it is at a glance, whether it keeps up, what stands still, and what staff do about it.

use super::acts::Acts;
use super::graphs::{Graphs, verdict};
use super::stalled::Stalled;
use super::state::{hearing, of_limit, plain, sentence};
use super::{StateBadge, Whole, connection_of_path, counted, lasted, no_such_connection, read_connection, state_sentence};
use crate::frame::{Me, use_me};
use crate::live::{Followed, every, follow};
use crate::ui::{
    Badge, Cell, FaultView, Icon, Ink, Loading, Notice, Number, PageHead, Panel, Share, Table, Time, Tone, icon, load, query_field,
};
use leptos::prelude::*;
use std::time::Duration;
use switchyard::types::{ConnectedLine, ConnectionDetail, ConnectionId, Permission, RateBudget, RateGroup, Span, UnknownPerson};

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
                        view! { <Page id=id span=span followed=followed me=me /> }.into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Page(id: ConnectionId, span: Span, followed: Followed<Whole>, me: Me) -> impl IntoView {
    let acts = Acts::new(id, followed);
    let may = me.may(Permission::ManageDirectory);
    let account = followed.now.with_untracked(|whole| whole.detail.row.account.clone());
    let state = Memo::new(move |_| followed.now.with(|whole| whole.detail.row.state.clone()));
    let verdict = Memo::new(move |_| followed.now.with(|whole| verdict(&whole.detail, &whole.deliveries)));
    let alert = move || match verdict.with(|(tone, _)| *tone) {
        Tone::Bad => "alert alert-error alert-soft mb-4 items-start py-2.5 text-sm",
        Tone::Warning => "alert alert-warning alert-soft mb-4 items-start py-2.5 text-sm",
        Tone::Plain | Tone::Info => "alert alert-info alert-soft mb-4 items-start py-2.5 text-sm",
        Tone::Good => "alert alert-success alert-soft mb-4 items-start py-2.5 text-sm",
    };
    view! {
        <PageHead
            title=account above=vec![("Connections".to_owned(), "/connections".to_owned())]
            beside=move || view! { {move || view! { <StateBadge of=state.get() /> }} }
        >
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
        <p class=alert data-verdict="">
            {move || verdict.with(|(tone, _)| matches!(tone, Tone::Warning | Tone::Bad)).then(|| icon(Icon::Warning))}
            <span>{move || verdict.with(|(_, text)| text.clone())}</span>
        </p>
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <div class="flex min-w-0 flex-col gap-4">
                <Glance followed=followed />
                <Lines followed=followed />
            </div>
            <div class="flex min-w-0 flex-col gap-4">
                <Budgets followed=followed />
                <People followed=followed acts=may.then_some(acts) />
            </div>
            <div class="flex min-w-0 flex-col gap-4 lg:col-span-2">
                <Stalled followed=followed />
                <Graphs id=id span=span followed=followed />
            </div>
        </div>
    }
}

/// How it is, in facts.
#[component]
fn Glance(followed: Followed<Whole>) -> impl IntoView {
    let of = move |text: fn(&Whole) -> String| move || followed.now.with(text);
    let hears = Memo::new(move |_| followed.now.with(|whole| hearing(&whole.detail.row)));
    let error = Memo::new(move |_| followed.now.with(|whole| whole.detail.last_error.clone()));
    let heard = Memo::new(move |_| followed.now.with(|whole| whole.detail.row.heard_at));
    let (base_url, client_id) =
        followed.now.with_untracked(|whole| (whole.detail.row.base_url.clone(), whole.detail.row.client_id.clone()));
    view! {
        <Panel title="At a glance">
            <dl class="facts">
                <dt>"Sign-in"</dt>
                <dd>{of(|whole| state_sentence(&whole.detail.row.state))}</dd>
                <dt>"Subscription"</dt>
                <dd>
                    {move || {
                        let (tone, word, _) = hears.get();
                        view! { <Badge tone=tone>{word}</Badge> }
                    }}
                    <p class="muted text-xs">{move || hears.with(|(_, _, says)| says.clone())}</p>
                </dd>
                <dt>"Last event"</dt>
                <dd>
                    {move || match heard.get() {
                        Some(at) => view! { <Time at=at /> }.into_any(),
                        None => view! { <span class="muted">"None yet"</span> }.into_any(),
                    }}
                </dd>
                <dt>"Event lag"</dt>
                <dd>{of(lag)}</dd>
                <dt>"Posts today"</dt>
                <dd>{of(|whole| of_limit(whole.detail.row.posts_today, whole.detail.row.posts_per_day))}</dd>
                <dt>"Last error"</dt>
                <dd>
                    {move || match error.get() {
                        Some((at, words)) => {
                            view! {
                                {sentence(&words)}
                                <p class="muted text-xs">
                                    <Time at=at />
                                </p>
                            }
                                .into_any()
                        }
                        None => view! { <span class="muted">"None"</span> }.into_any(),
                    }}
                </dd>
                <dt>"RingCentral"</dt>
                <dd>{base_url}</dd>
                <dt>"Client ID"</dt>
                <dd>{client_id}</dd>
                <dt>"Secrets"</dt>
                <dd class="muted">"Stored sealed, never shown"</dd>
            </dl>
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

/// What is left of each rate group's budget.
#[component]
fn Budgets(followed: Followed<Whole>) -> impl IntoView {
    let budgets = Memo::new(move |_| followed.now.with(|whole| whole.detail.budgets.clone()));
    let row = move |group: RateGroup| {
        let of = Memo::new(move |_| budgets.with(|all| all.iter().find(|budget| budget.group == group).cloned()));
        let left = |of: &RateBudget| of.allowed.map_or(0, |allowed| (allowed - of.used).max(0));
        let text = move || of.with(|of| of.as_ref().map(|of| of_limit(left(of), of.allowed)));
        let rest = Signal::derive(move || of.with(|of| of.as_ref().map_or(0, left)));
        let allowed = Memo::new(move |_| of.with(|of| of.as_ref().and_then(|of| of.allowed)));
        let parked = move || {
            of.with(|of| {
                let of = of.as_ref()?;
                let until = of.parked_until?;
                let why = of.parked_reason.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
                Some(view! { <p class="mt-1 text-xs font-medium text-warning">"Waits until " <Time at=until /> {why}</p> })
            })
        };
        view! {
            <tr role="row">
                <Cell of="Calls">{group.label()} {parked}</Cell>
                <Cell of="Left">
                    <span class="flex flex-col gap-1 pb-0.5">
                        {text}
                        <Show when=move || allowed.get().is_some()>
                            <Share value=rest of=Signal::derive(move || allowed.get().unwrap_or(1)) ink=Ink::Main />
                        </Show>
                    </span>
                </Cell>
            </tr>
        }
    };
    let groups: Vec<RateGroup> = budgets.with_untracked(|all| all.iter().map(|budget| budget.group).collect());
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Budget"</h2>
                <p class="muted text-xs">
                    "What is left of the calls that RingCentral allows in any 60 seconds, by group. Near a limit, replies go before history; at it, calls wait."
                </p>
            </header>
            <Table label="Budget by group" head=&["Calls", "Left"]>
                {groups.into_iter().map(row).collect_view()}
            </Table>
        </section>
    }
}

/// The lines whose conversations go through it.
#[component]
fn Lines(followed: Followed<Whole>) -> impl IntoView {
    let lines = Memo::new(move |_| followed.now.with(|whole| whole.detail.lines.clone()));
    let account = followed.now.with_untracked(|whole| whole.detail.row.account_id);
    let row = |line: ConnectedLine| {
        view! {
            <li class="flex flex-wrap items-baseline justify-between gap-x-4 px-4 py-2">
                <a class="text-link font-medium" href=format!("/lines/{}", line.id)>
                    <Number number=line.number />
                </a>
                <span class="muted">{line.label}</span>
            </li>
        }
    };
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Lines"</h2>
                <p class="muted text-xs">"The account’s lines that are set to RingCentral. Each conversation has a chat of its own."</p>
            </header>
            <Show
                when=move || lines.with(|lines| !lines.is_empty())
                fallback=move || {
                    view! {
                        <p class="p-4">
                            "None yet. Set one of "
                            <a class="text-link" href=format!("/lines?account={account}")>"the account’s lines"</a> " to RingCentral."
                        </p>
                    }
                }
            >
                <ul class="max-h-96 divide-y divide-base-300/60 overflow-y-auto">
                    <For each=move || lines.get() key=|line| line.id children=row />
                </ul>
            </Show>
        </section>
    }
}

/// People who are in no chat because RingCentral does not know them; nothing when there are none.
#[component]
fn People(followed: Followed<Whole>, acts: Option<Acts>) -> impl IntoView {
    let people = Memo::new(move |_| followed.now.with(|whole| whole.detail.unknown_people.clone()));
    let row = |person: UnknownPerson| {
        view! {
            <li class="px-4 py-2">
                <p class="font-medium wrap-anywhere">{person.name}</p>
                <p class="muted text-xs wrap-anywhere">{person.email}</p>
                <p class="text-xs">{sentence(&person.reason)} " · " <Time at=person.seen_at /></p>
            </li>
        }
    };
    view! {
        <Show when=move || people.with(|people| !people.is_empty())>
            <section class="panel">
                <header class="border-b border-base-300 px-4 py-3">
                    <h2 class="font-semibold">"People in no chat"</h2>
                    <p class="muted text-xs">
                        "They have access to a line, and RingCentral knows nobody by their e-mail address. Add them there, or correct the address; then look again."
                    </p>
                </header>
                <ul class="max-h-80 divide-y divide-base-300/60 overflow-y-auto">
                    <For each=move || people.get() key=|person| person.id children=row />
                </ul>
                {acts.map(|acts| view! { <div class="border-t border-base-300 p-4">{acts.people_button()}</div> })}
            </section>
        </Show>
    }
}
