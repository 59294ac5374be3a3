//! The list of lines: searched, filtered, paged by its URL.

use super::{LineFilters, types};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Button, ButtonLink, Cell, CsvLink, Empty, FaultView, Heads, Icon, Loading, Look, Notice, Number, PageHead, Pager, Pick, Picking,
    RowLink, Select, Table, Time, TypeBadge, closed_badge, csv_url, icon, list_at, load, query_field, sort_url,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use switchyard::types::{AccountId, Cursor, IntegrationType, LineRow, LineSort, ListKind, OpenOrClosed, Order, Page, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
    switchyard::types::LineFilter,
};

/// How many lines a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// Lines by number.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/list")]
pub async fn list_lines(
    #[server(default)] search: String,
    account: Option<AccountId>,
    integration_type: Option<IntegrationType>,
    state: Option<OpenOrClosed>,
    sort: Option<LineSort>,
    after: Option<Cursor>,
) -> Result<Page<LineRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let filter = LineFilter { search, account, integration_type, state, sort: sort.unwrap_or_default() };
    Ok(directory::lines::list(&services()?.db, &permit, &filter, after.as_ref(), PAGE).await?)
}

/// The list of lines.
#[component]
pub fn LinesPage() -> impl IntoView {
    let (q, account, of_type, after) = (query_field("q"), query_field("account"), query_field("type"), query_field("after"));
    let (sort, state) = (query_field("sort"), query_field("state"));
    let page = load(
        move || (q.get(), account.get(), of_type.get(), state.get(), sort.get(), after.get()),
        |(q, account, of_type, state, sort, after)| {
            let after = (!after.is_empty()).then_some(Cursor(after));
            list_lines(q, account.parse().ok(), of_type.parse().ok(), state.parse().ok(), sort.parse().ok(), after)
        },
    );
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Lines));
    let search = use_location().search;
    let set_some = Signal::derive(move || search.with(|search| list_at("/lines/types", search)));
    let is_narrowed = move || [q, account, of_type, state].iter().any(|field| !field.get().is_empty());
    view! {
        <PageHead title="Lines">
            <CsvLink href=csv_url("/lines.csv") />
            <Suspense>
                {move || Suspend::new(async move {
                    let me = me.await.ok()?;
                    let types = me
                        .may(Permission::SetIntegrationType)
                        .then(|| view! { <ButtonLink href=set_some>"Set types"</ButtonLink> });
                    let add = me
                        .may(Permission::ManageDirectory)
                        .then(|| {
                            view! {
                                <ButtonLink href="/lines/new" look=Look::Main>
                                    {icon(Icon::Plus)}
                                    "Add line"
                                </ButtonLink>
                            }
                        });
                    Some(view! {
                        {types}
                        {add}
                    })
                })}
            </Suspense>
        </PageHead>
        <Notice words=&[("types", "The integration types are set.")] />
        <Views of=arranged />
        <LineFilters q=q account=account of_type=of_type state=state sort=sort beside=move || view! { <ListTools of=arranged /> } />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                let may_set = me.await.is_ok_and(|me| me.may(Permission::SetIntegrationType));
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Show
                                    when=is_narrowed
                                    fallback=|| view! { <Empty title="No lines yet">"Add the first line to an account to see it here."</Empty> }
                                >
                                    <Empty title="No line fits">
                                        <span>"Search for less, or choose another account or type, or open and closed."</span>
                                        <ButtonLink href="/lines">"Show all lines"</ButtonLink>
                                    </Empty>
                                </Show>
                            </div>
                        }
                            .into_any()
                    }
                    Ok(page) => {
                        let (rows, next) = (page.rows, page.next);
                        let is_part = next.is_some() || !after.get_untracked().is_empty();
                        let count = rows.len();
                        let heads = sorted(shown.heads("Number"), sort.get_untracked().parse().unwrap_or_default());
                        let table = move || {
                            view! {
                                <div class="panel">
                                    <Table label="Lines" head=heads>
                                        {rows.into_iter().map(|line| row(line, may_set, &shown)).collect_view()}
                                    </Table>
                                </div>
                            }
                        };
                        let list = match may_set {
                            true => {
                                view! {
                                    <Picking action="/lines/types" filter=&["q", "account", "type", "state"] rows=count is_part=is_part bar=set_types>
                                        {table()}
                                    </Picking>
                                }
                                    .into_any()
                            }
                            false => table().into_any(),
                        };
                        view! {
                            {list}
                            <Pager label="Pages of lines" next=next />
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// The heads that lead to the list in another order; the one that it is in says so.
fn sorted(heads: Heads, now: LineSort) -> Heads {
    let (of_number, of_label) = match now {
        LineSort::Number => (Some(Order::Up), None),
        LineSort::NumberDown => (Some(Order::Down), None),
        LineSort::Label => (None, Some(Order::Up)),
        LineSort::LabelDown => (None, Some(Order::Down)),
    };
    let number = if of_number == Some(Order::Up) { LineSort::NumberDown } else { LineSort::Number };
    let label = if of_label == Some(Order::Up) { LineSort::LabelDown } else { LineSort::Label };
    heads.sorted("Number", of_number, sort_url(number.as_str())).sorted("Label", of_label, sort_url(label.as_str()))
}

/// What can be done with chosen lines.
fn set_types() -> impl IntoView {
    view! {
        <div class="w-44">
            <Select label="Set to" name="to" choices=types().collect() bare=true />
        </div>
        <Button>"Set type…"</Button>
    }
}

fn row(line: LineRow, may_pick: bool, shown: &Shown) -> impl IntoView + use<> {
    let label = format!("{}, {}", line.number.readable(), line.label);
    view! {
        <tr role="row">
            {may_pick.then(|| view! { <Pick name="line" value=line.id.to_string() label=label /> })}
            <Cell of="Number">
                <RowLink href=format!("/lines/{}", line.id)>
                    <Number number=line.number />
                </RowLink>
                " "
                {closed_badge(line.closed_at.is_some())}
            </Cell>
            {shown.has("label").then(|| view! { <Cell of="Label">{line.label}</Cell> })}
            {shown
                .has("account")
                .then(|| {
                    view! {
                        <Cell of="Account">
                            <a class="text-link above" href=format!("/accounts/{}", line.account_id)>{line.account}</a>
                        </Cell>
                    }
                })}
            {shown
                .has("type")
                .then(|| {
                    view! {
                        <Cell of="Type">
                            <TypeBadge of=line.integration_type />
                        </Cell>
                    }
                })}
            {shown
                .has("added")
                .then(|| {
                    view! {
                        <Cell of="Added">
                            <Time at=line.created_at />
                        </Cell>
                    }
                })}
            {shown.has("closed").then(|| view! { <Cell of="Closed">{line.closed_at.map(|at| view! { <Time at=at /> })}</Cell> })}
        </tr>
    }
}
