//! Sync: what is held, delivering or stalled across the platform, trouble first, by the state that the delivery engine goes by.
//!
//! The rule: a number in a tile and the list that it leads to are read by the same service verbs, within the reader's scope.

mod badge;
mod find;
mod unknown;

pub use badge::{SyncBadge, SyncReason};
pub use find::{FindContact, FindPage};
pub use unknown::UnknownPage;

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::lines::AccountFilter;
use crate::live::{Followed, follow};
use crate::ui::{
    Button, ButtonLink, Cell, Choice, CsvLink, Empty, FaultView, FilterBar, Heads, Help, Loading, Notice, PageHead, Pager, Pick, Picking,
    RowLink, Select, Table, Time, contact_number, csv_url, keep_sort, load, masked_note, query_field, sort_url,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use serde::{Deserialize, Serialize};
use switchyard::types::{
    AccountId, BulkAct, Change, ConversationId, Cursor, LineId, LineRow, ListKind, OLDEST, Order, Permission, ShownNumber, SyncCounts,
    SyncRow, SyncState, Trouble,
};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::messaging,
    switchyard::staff::may,
    switchyard::sync,
    switchyard::types::{LineFilter, Page, SyncFilter},
};

/// How many conversations a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;
/// How many lines of an account the filter offers.
#[cfg(feature = "ssr")]
const OFFERED: usize = 500;

/// The counts and one page of the list, read together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// Across the platform, whatever the list is narrowed to.
    pub counts: SyncCounts,
    /// Messages to numbers that are no line; `None` for who may not see them.
    pub unknown: Option<i64>,
    /// The conversations that are not in sync, trouble first.
    pub rows: Vec<SyncRow>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
}

/// What is not in sync.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/list")]
pub async fn sync_board(
    account: Option<AccountId>,
    line: Option<LineId>,
    trouble: Option<Trouble>,
    #[server(default)] sort: String,
    after: Option<Cursor>,
) -> Result<Board, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let db = services()?.db;
    let filter = SyncFilter { account, line, trouble, oldest_first: sort == OLDEST };
    let Page { rows, next } = sync::list(&db, &permit, &filter, after.as_ref(), PAGE).await?;
    Ok(Board { counts: sync::counts(&db, &permit).await?, unknown: messaging::unknown::count(&db, &permit).await?, rows, next })
}

/// The lines that the filter offers: those of the account, or the one that the list is narrowed to.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/lines")]
pub async fn offered_lines(account: Option<AccountId>, line: Option<LineId>) -> Result<Vec<LineRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let db = services()?.db;
    match (account, line) {
        (Some(_), _) => {
            let filter = LineFilter { account, ..LineFilter::default() };
            Ok(directory::lines::list(&db, &permit, &filter, None, OFFERED).await?.rows)
        }
        (None, Some(line)) => Ok(vec![directory::lines::get(&db, &permit, line).await?.line]),
        (None, None) => Ok(Vec::new()),
    }
}

/// The Sync list.
#[component]
pub fn SyncPage() -> impl IntoView {
    let (account, line, state, after) = (query_field("account"), query_field("line"), query_field("state"), query_field("after"));
    let sort = query_field("sort");
    let lines = load(move || (account.get(), line.get()), |(account, line)| offered_lines(account.parse().ok(), line.parse().ok()));
    let read = |[account, line, state, sort, after]: [String; 5]| {
        let after = (!after.is_empty()).then_some(Cursor(after));
        sync_board(account.parse().ok(), line.parse().ok(), state.parse().ok(), sort, after)
    };
    let board = load(
        move || [account, line, state, sort, after].map(|field| field.get()),
        move |asked| async move { (asked.clone(), read(asked).await) },
    );
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Sync));
    let states = || {
        let all = [Choice::new("", "All states")];
        all.into_iter().chain(Trouble::ALL.iter().map(|of| Choice::new(of.as_str(), trouble_name(*of)))).collect::<Vec<_>>()
    };
    view! {
        <PageHead title="Sync">
            <ButtonLink href="/sync/find">"Find by number"</ButtonLink>
            <CsvLink href=csv_url("/sync.csv") />
        </PageHead>
        <Notice words=&[
            ("bulk", "Their deliveries are tried again now."),
            ("skipped", "What was held there is skipped. Each message can be restored in its conversation."),
        ] />
        {what_it_means()}
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <div class="w-[calc(50%-0.25rem)] empty:hidden sm:w-52" on:change=move |_| clear("line")>
                <AccountFilter account=account />
            </div>
            <Transition>
                {move || Suspend::new(async move {
                    let lines = lines.await.unwrap_or_default();
                    // Lines are many: an account comes first.
                    (!lines.is_empty())
                        .then(|| {
                            let choices = [Choice::new("", "All lines")]
                                .into_iter()
                                .chain(lines.into_iter().map(|line| Choice::new(line.id, format!("{} · {}", line.label, line.number.readable()))))
                                .collect::<Vec<_>>();
                            view! {
                                <div class="w-full sm:w-64">
                                    <Select label="Line" name="line" choices=choices value=line bare=true />
                                </div>
                            }
                        })
                })}
            </Transition>
            <div class="w-[calc(50%-0.25rem)] sm:w-40">
                <Select label="State" name="state" choices=states() value=state bare=true />
            </div>
            {keep_sort(sort)}
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = StoredValue::new(arranged.shown().await);
                let may_retry = me.await.is_ok_and(|me| me.may(Permission::ManageSync));
                match board.await {
                    (asked, Ok(first)) => {
                        let followed = follow(first, concerns_sync, move || read(asked.clone()));
                        let is_part = Signal::derive(move || !(account.get().is_empty() && line.get().is_empty()));
                        let is_narrowed = Signal::derive(move || is_part.get() || !state.get().is_empty());
                        view! {
                            <Tiles followed=followed chosen=state is_part=is_part />
                            <List followed=followed is_narrowed=is_narrowed may_retry=may_retry shown=shown is_later=!after.get_untracked().is_empty() />
                        }
                            .into_any()
                    }
                    (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// What the states are, and what to do about them.
fn what_it_means() -> impl IntoView {
    view! {
        <Help question="What do held, delivering and stalled mean?">
            <p>
                <b>"Held: "</b>
                "RingCentral does not know of these messages yet. The SMS itself was sent at once. They are posted, in order, ahead of what the contact writes next; nothing is to be done."
            </p>
            <p>
                <b>"Delivering: "</b>
                "on their way into the chat. Near RingCentral’s limits that takes a while; what contacts write goes first."
            </p>
            <p>
                <b>"Stalled: "</b>
                "RingCentral refuses or does not answer, and the next try is set; the row says why. A refused sign-in is mended on the account’s connection, and all of its conversations go on by themselves. When one message alone is refused, or never gets a clear answer while other conversations go on, open the conversation and retry or skip it. Nothing is lost meanwhile, and the order is kept."
            </p>
        </Help>
    }
}

/// Whether a change can be about what this screen shows.
fn concerns_sync(change: Change) -> bool {
    matches!(change, Change::Conversation { .. } | Change::Conversations { .. } | Change::Line { .. } | Change::UnknownLine)
}

/// As staff call it.
pub fn trouble_name(of: Trouble) -> &'static str {
    match of {
        Trouble::Held => "Held",
        Trouble::Delivering => "Delivering",
        Trouble::Stalled => "Stalled",
    }
}

/// Chooses nothing in a filter: another account has other lines.
fn clear(select: &str) {
    let found = document().get_element_by_id(select).and_then(|found| found.dyn_into::<web_sys::HtmlSelectElement>().ok());
    if let Some(found) = found {
        found.set_value("");
    }
}

/// The counts: each of the three leads to its conversations, across the platform, and a fourth to what came in for no line.
#[component]
fn Tiles(followed: Followed<Board>, chosen: Signal<String>, is_part: Signal<bool>) -> impl IntoView {
    let of_trouble = move |of: Trouble, means: &'static str, tone: &'static str| {
        let is_chosen = Signal::derive(move || chosen.with(|chosen| chosen == of.as_str()));
        let count = Signal::derive(move || {
            followed.now.with(|board| match of {
                Trouble::Held => board.counts.held,
                Trouble::Delivering => board.counts.delivering,
                Trouble::Stalled => board.counts.stalled,
            })
        });
        let href = Signal::derive(move || if is_chosen.get() { "/sync".to_owned() } else { format!("/sync?state={}", of.as_str()) });
        tile(trouble_name(of), means, tone, href, is_chosen, shown(followed, count))
    };
    let sees_unknown = Memo::new(move |_| followed.now.with(|board| board.unknown.is_some()));
    let unknown = Signal::derive(move || followed.now.with(|board| board.unknown.unwrap_or_default()));
    view! {
        <ul class="mb-4 grid grid-cols-2 gap-2 sm:auto-cols-fr sm:grid-flow-col sm:grid-cols-none sm:gap-3" aria-label="What is not in sync, across the platform">
            {of_trouble(Trouble::Stalled, "Deliveries fail; they are tried again", "tile-bad")}
            {of_trouble(Trouble::Delivering, "On their way into RingCentral", "tile-info")}
            {of_trouble(Trouble::Held, "Waiting for the contact’s next reply", "tile-plain")}
            <Show when=move || sees_unknown.get()>
                {tile(
                    "Unknown lines",
                    "To numbers of no account",
                    "tile-none",
                    Signal::stored("/sync/unknown".to_owned()),
                    Signal::stored(false),
                    shown(followed, unknown),
                )}
            </Show>
        </ul>
        <Show when=move || is_part.get()>
            <p class="muted mb-2 text-xs">"The counts above are of all accounts; the list below is narrowed."</p>
        </Show>
    }
}

fn tile(
    name: &'static str,
    means: &'static str,
    tone: &'static str,
    href: Signal<String>,
    is_chosen: Signal<bool>,
    count: Signal<String>,
) -> impl IntoView {
    view! {
        <li>
            <a href=href class=format!("tile {tone}") aria-current=move || is_chosen.get().then_some("true")>
                <span class="font-medium">{name}</span>
                <span class="text-2xl leading-tight font-semibold">{count}</span>
                <span class="muted hidden text-xs sm:block">{means}</span>
            </a>
        </li>
    }
}

fn shown(followed: Followed<Board>, count: Signal<i64>) -> Signal<String> {
    Signal::derive(move || at_least(count.get(), followed.now.with(|board| board.counts.cap)))
}

/// `12`, or `≥ 1,000` where counting stopped.
fn at_least(count: i64, cap: i64) -> String {
    let shown = if count >= 1_000 { format!("{},{:03}", count / 1_000, count % 1_000) } else { count.to_string() };
    if cap > 0 && count >= cap { format!("≥ {shown}") } else { shown }
}

#[component]
fn List(followed: Followed<Board>, is_narrowed: Signal<bool>, may_retry: bool, shown: StoredValue<Shown>, is_later: bool) -> impl IntoView {
    let nothing = Memo::new(move |_| followed.now.with(|board| board.rows.is_empty()));
    let next = Memo::new(move |_| followed.now.with(|board| board.next.clone()));
    let is_masked = Memo::new(move |_| followed.now.with(|board| board.rows.iter().any(|row| row.number.whole().is_none())));
    view! {
        {move || masked_note(is_masked.get())}
        <div class="panel">
            <Show
                when=move || nothing.get()
                fallback=move || {
                    let table = move || {
                        view! {
                            <Table label="Conversations that are not in sync" head=sorted(shown.with_value(|shown| shown.heads("Contact")))>
                                <For
                                    each=move || followed.now.with(|board| board.rows.clone())
                                    key=conversation_of
                                    children=move |of| row(of, followed, may_retry, shown)
                                />
                            </Table>
                        }
                    };
                    if !may_retry {
                        return table().into_any();
                    }
                    let rows = followed.now.with_untracked(|board| board.rows.len());
                    let is_part = is_later || next.get_untracked().is_some();
                    view! {
                        <Picking action="/bulk" filter=&["account", "line", "state"] rows=rows is_part=is_part all="All that match" bar=acts>
                            {table()}
                        </Picking>
                    }
                        .into_any()
                }
            >
                <Show
                    when=move || is_narrowed.get()
                    fallback=|| {
                        view! {
                            <Empty title="Everything is in sync">"Nothing is held, on its way or stalled on any RingCentral line."</Empty>
                        }
                    }
                >
                    <Empty title="Nothing fits">
                        <span>"No conversation is in this state. Choose another account, line or state."</span>
                        <ButtonLink href="/sync">"Show all"</ButtonLink>
                    </Empty>
                </Show>
            </Show>
        </div>
        {move || view! { <Pager label="Pages of conversations" next=next.get() /> }}
    }
}

/// A contact by name, with the number below it, or by number alone.
pub fn contact(name: Option<String>, number: ShownNumber, href: String) -> impl IntoView {
    let number = contact_number(&number);
    match name {
        Some(name) => view! {
            <RowLink href=href>{name}</RowLink>
            <span class="muted block text-xs">{number}</span>
        }
        .into_any(),
        None => view! { <RowLink href=href>{number}</RowLink> }.into_any(),
    }
}

/// The head that turns the order round.
fn sorted(heads: Heads) -> Heads {
    let is_oldest = query_field("sort").with_untracked(|sort| sort == OLDEST);
    let (now, other) = if is_oldest { (Order::Up, "") } else { (Order::Down, OLDEST) };
    heads.sorted("Changed", Some(now), sort_url(other))
}

/// What can be done with chosen conversations.
fn acts() -> impl IntoView {
    view! {
        <Button name="act" value=BulkAct::RetryLanes.as_str()>
            "Retry now…"
        </Button>
        <Button name="act" value=BulkAct::SkipHeld.as_str()>
            "Skip what is held…"
        </Button>
    }
}

/// What a row is about: it stays the same row, however it changes.
fn conversation_of(row: &SyncRow) -> (LineId, ConversationId) {
    (row.line_id, row.conversation_id)
}

/// A row. Its cells are made anew when it changes; its box is not, and stays as it is.
fn row(first: SyncRow, followed: Followed<Board>, may_pick: bool, shown: StoredValue<Shown>) -> impl IntoView {
    let of = conversation_of(&first);
    let label = format!("{} on {}", first.contact.clone().unwrap_or_else(|| first.number.readable()), first.line);
    let now = Memo::new(move |before: Option<&SyncRow>| {
        let found = followed.now.with(|board| board.rows.iter().find(|row| conversation_of(row) == of).cloned());
        // One that is gone stays as it was until it is taken off the page.
        found.unwrap_or_else(|| before.unwrap_or(&first).clone())
    });
    view! {
        <tr role="row">
            {may_pick.then(|| view! { <Pick name="row" value=format!("{}:{}", of.0, of.1) label=label /> })}
            {move || shown.with_value(|shown| cells(now.get(), shown))}
        </tr>
    }
}

fn cells(row: SyncRow, shown: &Shown) -> impl IntoView + use<> {
    let since = match row.sync {
        SyncState::Stalled { since, .. } => Some(since),
        _ => None,
    };
    view! {
        <Cell of="Contact">
            {contact(row.contact, row.number, format!("/lines/{}/conversations/{}", row.line_id, row.conversation_id))}
        </Cell>
        {shown
            .has("sync")
            .then(|| {
                view! {
                    <Cell of="Sync">
                        <span class="me-1.5">
                            <SyncBadge of=row.sync.clone() />
                        </span>
                        <SyncReason of=row.sync />
                    </Cell>
                }
            })}
        {shown
            .has("line")
            .then(|| {
                view! {
                    <Cell of="Line">
                        <a class="text-link above" href=format!("/lines/{}", row.line_id)>{row.line}</a>
                    </Cell>
                }
            })}
        {shown
            .has("account")
            .then(|| {
                view! {
                    <Cell of="Account">
                        <a class="text-link above" href=format!("/accounts/{}", row.account_id)>{row.account}</a>
                    </Cell>
                }
            })}
        {shown
            .has("changed")
            .then(|| {
                view! {
                    <Cell of="Changed">
                        <Time at=row.changed_at />
                    </Cell>
                }
            })}
        {shown.has("since").then(|| view! { <Cell of="Stalled since">{since.map(|at| view! { <Time at=at /> })}</Cell> })}
    }
}

#[cfg(test)]
mod tests {
    use super::at_least;

    #[test]
    fn a_count_that_stopped_at_its_cap_says_so() {
        assert_eq!([at_least(0, 1_000), at_least(999, 1_000), at_least(1_000, 1_000)], ["0", "999", "≥ 1,000"]);
    }
}
