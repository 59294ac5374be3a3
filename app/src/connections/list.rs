//! The list of connections, each at a glance.

use super::state::{hearing, of_limit};
use super::{StateBadge, state_sentence};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, ButtonLink, Cell, Choice, CsvLink, Empty, FaultView, FilterBar, Icon, Loading, Look, Notice, PageHead, Pager, RowLink, Search,
    Select, Table, Time, Tone, csv_url, icon, load, query_field,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use switchyard::types::{ConnectionFilter, ConnectionRow, ConnectionState, Cursor, ListKind, Page, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::ringcentral,
    switchyard::staff::may,
};

/// How many connections a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// Connections by their account's name.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/list")]
pub async fn list_connections(
    #[server(default)] search: String,
    state: Option<ConnectionFilter>,
    after: Option<Cursor>,
) -> Result<Page<ConnectionRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let services = services()?;
    Ok(ringcentral::search(&services.db, &services.now, &permit, &search, state, after.as_ref(), PAGE).await?)
}

/// The list of connections.
#[component]
pub fn ConnectionsPage() -> impl IntoView {
    let (q, state, after) = (query_field("q"), query_field("state"), query_field("after"));
    let page = load(
        move || (q.get(), state.get(), after.get()),
        |(q, state, after)| list_connections(q, state.parse().ok(), (!after.is_empty()).then_some(Cursor(after))),
    );
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Connections));
    view! {
        <PageHead title="Connections">
            <CsvLink href=csv_url("/connections.csv") />
            <Suspense>
                {move || Suspend::new(async move {
                    me.await
                        .is_ok_and(|me| me.may(Permission::ManageDirectory))
                        .then(|| {
                            view! {
                                <ButtonLink href="/connections/new" look=Look::Main>
                                    {icon(Icon::Plus)}
                                    "Add connection"
                                </ButtonLink>
                            }
                        })
                })}
            </Suspense>
        </PageHead>
        <Notice words=&[("removed", "The connection was removed.")] />
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <Search label="Name of the account" value=q />
            <div class="w-[calc(50%-0.25rem)] sm:w-44">
                <Select label="State" name="state" choices=states() value=state bare=true />
            </div>
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Show
                                    when=move || q.get().is_empty() && state.get().is_empty()
                                    fallback=|| {
                                        view! {
                                            <Empty title="No connection fits">
                                                <span>"Search for less of the account’s name, or for every state."</span>
                                                <ButtonLink href="/connections">"Show all connections"</ButtonLink>
                                            </Empty>
                                        }
                                    }
                                >
                                    <Empty title="No connections yet">
                                        "A connection lets an account’s lines write into RingCentral. Add one; then set a line to RingCentral."
                                    </Empty>
                                </Show>
                            </div>
                        }
                            .into_any()
                    }
                    Ok(page) => {
                        view! {
                            <div class="panel">
                                <Table label="Connections" head=shown.heads("Account")>
                                    {page.rows.into_iter().map(|connection| row(connection, &shown)).collect_view()}
                                </Table>
                            </div>
                            <Pager label="Pages of connections" next=page.next />
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// What the list can be narrowed to.
fn states() -> Vec<Choice> {
    let each = ConnectionFilter::ALL.iter().map(|state| Choice::new(state.as_str(), state.name()));
    [Choice::new("", "Every state")].into_iter().chain(each).collect()
}

fn row(row: ConnectionRow, shown: &Shown) -> impl IntoView + use<> {
    let (tone, hears, says) = hearing(&row);
    // What is as it should be needs no more words.
    let why = (!matches!(row.state, ConnectionState::SignedIn | ConnectionState::Idle)).then(|| state_sentence(&row.state));
    let why_deaf = (tone != Tone::Good && row.subscription_error.is_some()).then_some(says);
    let (minute, today) = (of_limit(row.posts_this_minute, row.posts_per_minute), of_limit(row.posts_today, row.posts_per_day));
    view! {
        <tr role="row">
            <Cell of="Account">
                <RowLink href=format!("/connections/{}", row.id)>{row.account}</RowLink>
            </Cell>
            {shown
                .has("state")
                .then(|| {
                    view! {
                        <Cell of="State">
                            <StateBadge of=row.state />
                            {why.map(|why| view! { <p class="muted mt-0.5 max-w-80 text-xs">{why}</p> })}
                        </Cell>
                    }
                })}
            {shown
                .has("subscription")
                .then(|| {
                    view! {
                        <Cell of="Subscription">
                            <Badge tone=tone>{hears}</Badge>
                            {row.subscribed_until
                                .map(|until| {
                                    view! {
                                        <p class="muted mt-0.5 text-xs">
                                            "Until " <Time at=until />
                                        </p>
                                    }
                                })}
                            {why_deaf.map(|why| view! { <p class="muted mt-0.5 max-w-64 text-xs">{why}</p> })}
                        </Cell>
                    }
                })}
            {shown
                .has("minute")
                .then(|| {
                    view! {
                        <Cell of="Posts a minute">
                            <span class="whitespace-nowrap">{minute}</span>
                        </Cell>
                    }
                })}
            {shown
                .has("today")
                .then(|| {
                    view! {
                        <Cell of="Posts today">
                            <span class="whitespace-nowrap">{today}</span>
                        </Cell>
                    }
                })}
            {shown
                .has("heard")
                .then(|| {
                    view! {
                        <Cell of="Last event">
                            {match row.heard_at {
                                Some(at) => view! { <Time at=at /> }.into_any(),
                                None => view! { <span class="muted">"None yet"</span> }.into_any(),
                            }}
                        </Cell>
                    }
                })}
        </tr>
    }
}
