//! Blasts: the list of an account or a line, one of them, and writing a new one.

mod edit;
mod new;
mod one;
mod recipients;

pub use new::NewBlastPage;
pub use one::BlastPage;

use super::{line_of_path, no_such_line, tabs};
use crate::accounts::{account_tabs, get_account};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, ButtonLink, Cell, Choice, CsvLink, Empty, FaultView, FilterBar, Loading, Look, PageHead, Pager, RowLink, Select, Table, Tabs,
    Time, Tone, TypeBadge, closed_badge, csv_url, grouped, id_of_path, load, mistyped, query_field,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use switchyard::types::{AccountId, BlastListRow, BlastState, Closed, Cursor, LineId, LineRow, ListKind, Page, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::messaging::blast,
    switchyard::staff::may,
    switchyard::types::{Problem, Timestamp},
};

/// How many blasts a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// The blasts of a line, or of an account, the newest first; `state` leaves those that are so far.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/list")]
pub async fn list_blasts(
    account: Option<AccountId>,
    line: Option<LineId>,
    state: Option<BlastState>,
    after: Option<Cursor>,
) -> Result<Page<BlastListRow>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(blast::list(&services()?.db, &permit, account, line, state, after.as_ref(), PAGE).await?)
}

/// When a form says that a blast starts: a moment in UTC, or empty.
#[cfg(feature = "ssr")]
fn start_of(text: &str) -> Result<Option<Timestamp>, Problem> {
    match text.trim() {
        "" => Ok(None),
        text => {
            let moment = Timestamp::from_rfc3339(&format!("{text}:00Z")).or_else(|| Timestamp::from_rfc3339(&format!("{text}Z")));
            moment.map(Some).ok_or_else(|| Problem::invalid("starts_at", "Write a moment, such as 2026-11-21T09:00, or nothing."))
        }
    }
}

/// A line, and what of it and its account is closed, so that no blast of it is taken.
async fn line(id: LineId) -> Result<(LineRow, Option<Closed>), Fault> {
    let line = super::line(id).await?.line;
    let account = get_account(line.account_id).await?.row;
    let closed = Closed::of(line.closed_at.is_some(), account.closed_at.is_some());
    Ok((line, closed))
}

fn state_badge(of: BlastState) -> impl IntoView {
    let tone = match of {
        BlastState::Sent => Tone::Good,
        BlastState::Recording | BlastState::Sending => Tone::Info,
        BlastState::Paused => Tone::Warning,
        BlastState::Scheduled | BlastState::Cancelled => Tone::Plain,
    };
    view! { <Badge tone=tone>{of.name()}</Badge> }
}

/// The fields of the URL that say which blasts are shown: their state, and where the page begins.
type Fields = [String; 2];

async fn read(account: Option<AccountId>, line: Option<LineId>, [state, after]: Fields) -> Result<Page<BlastListRow>, Fault> {
    list_blasts(account, line, state.parse().ok(), (!after.is_empty()).then_some(Cursor(after))).await
}

/// What narrows the list.
#[component]
fn Narrow(
    /// The state that is chosen.
    state: Signal<String>,
    /// The list's arrangement.
    of: Arranged,
) -> impl IntoView {
    let each = BlastState::OFFERED.iter().map(|state| Choice::new(state.as_str(), state.name()));
    let choices: Vec<Choice> = std::iter::once(Choice::new("", "All states")).chain(each).collect();
    view! {
        <Views of=of />
        <FilterBar beside=move || view! { <ListTools of=of /> }>
            <div class="w-[calc(50%-0.25rem)] sm:w-40">
                <Select label="State" name="state" choices=choices value=state bare=true />
            </div>
        </FilterBar>
    }
}

/// The blasts of an account.
#[component]
pub fn AccountBlastsPage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let (state, after) = (query_field("state"), query_field("after"));
    let of = load(
        move || id.get(),
        |id| async move {
            let Some(id) = id else { return Err(mistyped()) };
            get_account(id).await
        },
    );
    let page = load(
        move || (id.get(), [state, after].map(|field| field.get())),
        |(id, fields)| async move {
            let Some(id) = id else { return Err(mistyped()) };
            Ok((fields.clone(), read(Some(id), None, fields).await?))
        },
    );
    let arranged = Arranged::of(ListKind::Blasts);
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match of.await {
                    Ok(account) => {
                        let id = account.row.id;
                        let is_closed = account.row.closed_at.is_some();
                        view! {
                            <PageHead
                                title=account.row.name.clone() above=vec![("Accounts".to_owned(), "/accounts".to_owned())]
                                beside=move || closed_badge(is_closed)
                            >
                                <CsvLink href=csv_url(format!("/accounts/{id}/blasts.csv")) />
                            </PageHead>
                            <Tabs label="This account" tabs=account_tabs(id, true) />
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
        <Narrow state=state of=arranged />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                match (of.await, page.await) {
                    (Ok(_), Ok((fields, page))) => list(&fields, page, &shown).into_any(),
                    (Ok(_), Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                    // The head says it already.
                    (Err(_), _) => ().into_any(),
                }
            })}
        </Transition>
    }
}

/// The blasts of a line.
#[component]
pub fn LineBlastsPage() -> impl IntoView {
    let id = line_of_path();
    let (state, after) = (query_field("state"), query_field("after"));
    let of = load(
        move || id.get(),
        |id| async move {
            let Some(id) = id else { return Err(no_such_line()) };
            line(id).await
        },
    );
    let page = load(
        move || (id.get(), [state, after].map(|field| field.get())),
        |(id, fields)| async move {
            let Some(id) = id else { return Err(no_such_line()) };
            Ok((fields.clone(), read(None, Some(id), fields).await?))
        },
    );
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Blasts));
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, of.await) {
                    (Ok(me), Ok((line, closed))) => {
                        let of_type = line.integration_type;
                        let may_write = me.may(Permission::SendMessages) && closed.is_none();
                        let new = format!("/lines/{}/blasts/new", line.id);
                        view! {
                            <PageHead
                                title=line.number.readable() above=vec![("Lines".to_owned(), "/lines".to_owned())]
                                beside=move || view! { <TypeBadge of=of_type /> }
                            >
                                {may_write
                                    .then(|| {
                                        view! {
                                            <ButtonLink href=new look=Look::Main>
                                                "New blast"
                                            </ButtonLink>
                                        }
                                    })}
                                <CsvLink href=csv_url(format!("/lines/{}/blasts.csv", line.id)) />
                            </PageHead>
                            <Tabs label="This line" tabs=tabs(line.id, true) />
                        }
                            .into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
        <Narrow state=state of=arranged />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                // They are all of this line.
                let shown = arranged.shown().await.set(ListKind::Blasts, "line", false);
                match (of.await, page.await) {
                    (Ok(_), Ok((fields, page))) => list(&fields, page, &shown).into_any(),
                    (Ok(_), Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                    // The head says it already.
                    (Err(_), _) => ().into_any(),
                }
            })}
        </Transition>
    }
}

fn list([state, _]: &Fields, page: Page<BlastListRow>, shown: &Shown) -> impl IntoView + use<> {
    if page.rows.is_empty() && state.parse::<BlastState>().is_ok() {
        return view! {
            <div class="panel">
                <Empty title="No blast fits">"Choose all states to see every blast."</Empty>
            </div>
        }
        .into_any();
    }
    if page.rows.is_empty() {
        return view! {
            <div class="panel">
                <Empty title="No blasts">"A blast is one message to many. The client’s programs send them, and so can staff who may send messages, from a line’s blasts."</Empty>
            </div>
        }
        .into_any();
    }
    let row = |row: BlastListRow| {
        let (line, left_out) = (row.line_id, grouped(row.opted_out + row.duplicates));
        let number = |word: &str, of: &'static str, number: String| {
            shown.has(word).then(|| {
                view! {
                    <Cell of=of number=true>
                        {number}
                    </Cell>
                }
            })
        };
        view! {
            <tr role="row">
                <Cell of="When">
                    <RowLink href=format!("/lines/{line}/blasts/{}", row.id)>
                        <Time at=row.starts_at.unwrap_or(row.created_at) />
                    </RowLink>
                </Cell>
                {shown.has("state").then(|| view! { <Cell of="State">{state_badge(row.state)}</Cell> })}
                {shown
                    .has("line")
                    .then(|| {
                        view! {
                            <Cell of="Line">
                                <a class="text-link above" href=format!("/lines/{line}")>{row.line}</a>
                            </Cell>
                        }
                    })}
                {number("recipients", "Recipients", grouped(row.recipients))}
                {number("recorded", "Recorded", grouped(row.recorded))}
                {number("left_out", "Left out", left_out)}
                {shown.has("by").then(|| view! { <Cell of="By">{row.created_by}</Cell> })}
            </tr>
        }
    };
    let rows = page.rows.into_iter().map(row).collect_view();
    view! {
        <div class="panel">
            <Table label="Blasts" head=shown.heads("When")>
                {rows}
            </Table>
        </div>
        <Pager label="Pages of blasts" next=page.next />
    }
    .into_any()
}
