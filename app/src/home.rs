//! Home: what needs a person now, each one click from its remedy, and how the last day or month went.
//!
//! The rule: what is shown is said by the rooms that own it, within the reader's scope; this screen only puts it into words.

#[cfg(feature = "ssr")]
mod cards;
mod graphs;

use crate::fault::{Fault, Reply};
use crate::live::{every, follow};
use crate::ui::{Empty, FaultView, Icon, Loading, PageHead, Time, icon, load, query_field};
use graphs::graphs;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use switchyard::types::{Activity, Age, Change, Span, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, services},
    switchyard::home,
};

/// What tells nobody that it changed, such as a connection, is read anew so often.
const AGAIN: Duration = Duration::from_secs(30);

/// One thing that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Where its remedy is; empty where no screen has it.
    pub href: String,
    /// What it is called.
    pub title: String,
    /// What is the matter.
    pub detail: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Things of one kind that need somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What they are.
    pub title: String,
    /// What to do about them, in a sentence.
    pub says: String,
    /// How many, as people read it.
    pub count: String,
    /// It goes on by itself when somebody has decided; nothing failed.
    pub is_mild: bool,
    /// All of them; empty where no list has them, and the card names all that are counted.
    pub href: String,
    /// What leads there.
    pub all: String,
    /// The oldest.
    pub items: Vec<Item>,
}

/// What Home shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// What needs somebody.
    pub cards: Vec<Card>,
    /// What is held now, by age; nothing for who may not see messages.
    pub held: Vec<(Age, i64)>,
    /// How it went; nothing for who may not see the directory.
    pub activity: Option<Activity>,
}

/// What needs whoever asks, and how it went over a day or a month.
#[server(prefix = "/fn", output = Reply, endpoint = "home")]
pub async fn home_board(span: Option<Span>) -> Result<Board, Fault> {
    let member = member().await?;
    let services = services()?;
    let needs = home::needs(&services.db, &services.now, &member).await?;
    let activity = home::activity(&services.db, &services.now, &member, span.unwrap_or(Span::Day)).await?;
    let held = needs.held.as_ref().map(|held| held.by_age.clone()).unwrap_or_default();
    Ok(Board { cards: cards::cards(needs), held, activity })
}

/// Home.
#[component]
pub fn HomePage() -> impl IntoView {
    let span = query_field("span");
    let found = load(move || span.get().parse::<Span>().ok(), |span| async move { (span, home_board(span).await) });
    view! {
        <PageHead title="Home" />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    (span, Ok(first)) => {
                        let followed = follow(first, concerns_home, move || home_board(span));
                        every(AGAIN, move || followed.read_again());
                        // Painted as a whole each time: the nodes stay, and with them what is open or has the focus.
                        view! { {move || followed.now.with(painted)} }.into_any()
                    }
                    (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// Whether a change can be about what this screen shows.
fn concerns_home(change: Change) -> bool {
    matches!(
        change,
        Change::Conversation { .. } | Change::Conversations { .. } | Change::Line { .. } | Change::UnknownLine | Change::Run { .. }
    )
}

fn painted(board: &Board) -> impl IntoView + use<> {
    let needs = if board.cards.is_empty() {
        view! {
            <div class="panel">
                <Empty title="Nothing needs anybody">
                    <span class="text-success">{icon(Icon::Check)}</span>
                    "Of what you look after, nothing is stalled or failed, and nothing waits for a decision of yours."
                </Empty>
            </div>
        }
        .into_any()
    } else {
        let cards = board.cards.iter().map(card).collect_view();
        view! { <div class="grid items-start gap-4 lg:grid-cols-2">{cards}</div> }.into_any()
    };
    let activity = board.activity.as_ref().map(|activity| graphs(activity, &board.held));
    view! {
        <section aria-labelledby="needs" class="mb-6" data-moves="">
            <h2 id="needs" class="sr-only">"What needs somebody now"</h2>
            {needs}
        </section>
        {activity}
    }
}

fn card(card: &Card) -> impl IntoView + use<> {
    let Card { title, says, count, is_mild, href, all, items } = card.clone();
    let named = title.clone();
    let badge = if is_mild { "badge badge-soft badge-warning font-semibold" } else { "badge badge-soft badge-error font-semibold" };
    // Where the card names them all, they may be many.
    let list = if href.is_empty() { "max-h-96 divide-y divide-base-300 overflow-y-auto" } else { "divide-y divide-base-300" };
    let rows = items
        .into_iter()
        .map(|item| {
            view! {
                <li class="relative flex flex-col gap-x-4 px-4 py-2 hover:bg-base-200 sm:flex-row sm:items-start sm:justify-between">
                    <span class="min-w-0">
                        {if item.href.is_empty() {
                            view! { <span class="font-medium">{item.title}</span> }.into_any()
                        } else {
                            view! {
                                <a href=item.href data-row-link="" class="font-medium text-primary after:absolute after:inset-0">
                                    {item.title}
                                </a>
                            }
                                .into_any()
                        }}
                        {(!item.detail.is_empty()).then(|| view! { <span class="muted block text-xs">{item.detail}</span> })}
                    </span>
                    {item
                        .since
                        .map(|since| {
                            view! {
                                <span class="muted shrink-0 text-xs">
                                    <Time at=since />
                                </span>
                            }
                        })}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel" data-need=named>
            <header class="flex items-start justify-between gap-4 border-b border-base-300 px-4 py-3">
                <div class="min-w-0">
                    <h3 class="font-semibold">{title}</h3>
                    <p class="muted text-xs">{says}</p>
                </div>
                <span class=badge>{count}</span>
            </header>
            <ul class=list>{rows}</ul>
            {(!href.is_empty())
                .then(|| {
                    view! {
                        <p class="border-t border-base-300 px-4 py-2">
                            <a href=href class="text-link inline-flex min-h-6 items-center text-sm">{all}</a>
                        </p>
                    }
                })}
        </section>
    }
}
