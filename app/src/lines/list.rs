//! The list of lines: searched, filtered, paged by its URL.

use super::LineFilters;
use crate::accounts::closed_badge;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    ButtonLink, Cell, Empty, FaultView, Icon, Loading, Look, Notice, Number, PageHead, Pager, RowLink, Table, TypeBadge, icon, load,
    query_field,
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use switchyard::types::{AccountId, Cursor, IntegrationType, LineRow, Page, Permission};

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
    after: Option<Cursor>,
) -> Result<Page<LineRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let filter = LineFilter { search, account, integration_type };
    Ok(directory::lines::list(&services()?.db, &permit, &filter, after.as_ref(), PAGE).await?)
}

/// The list of lines.
#[component]
pub fn LinesPage() -> impl IntoView {
    let (q, account, of_type, after) = (query_field("q"), query_field("account"), query_field("type"), query_field("after"));
    let page = load(
        move || (q.get(), account.get(), of_type.get(), after.get()),
        |(q, account, of_type, after)| {
            let after = (!after.is_empty()).then_some(Cursor(after));
            list_lines(q, account.parse().ok(), of_type.parse().ok(), after)
        },
    );
    let me = use_me();
    let search = use_location().search;
    let csv = Signal::derive(move || format!("/lines.csv?{}", search.get()));
    let is_narrowed = move || !(q.get().is_empty() && account.get().is_empty() && of_type.get().is_empty());
    view! {
        <PageHead title="Lines">
            <ButtonLink href=csv external=true>
                {icon(Icon::Download)}
                "CSV"
            </ButtonLink>
            <Suspense>
                {move || Suspend::new(async move {
                    let me = me.await.ok()?;
                    let types = me
                        .may(Permission::SetIntegrationType)
                        .then(|| view! { <ButtonLink href="/lines/types">"Set types"</ButtonLink> });
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
        <LineFilters q=q account=account of_type=of_type />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Show
                                    when=is_narrowed
                                    fallback=|| view! { <Empty title="No lines yet">"Add the first line to an account to see it here."</Empty> }
                                >
                                    <Empty title="No line fits">
                                        <span>"Search for less, or choose another account or type."</span>
                                        <ButtonLink href="/lines">"Show all lines"</ButtonLink>
                                    </Empty>
                                </Show>
                            </div>
                        }
                            .into_any()
                    }
                    Ok(page) => {
                        view! {
                            <div class="panel">
                                <Table label="Lines" head=&["Number", "Label", "Account", "Type"]>
                                    {page.rows.into_iter().map(row).collect_view()}
                                </Table>
                            </div>
                            <Pager label="Pages of lines" next=page.next />
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn row(line: LineRow) -> impl IntoView {
    view! {
        <tr role="row">
            <Cell of="Number">
                <RowLink href=format!("/lines/{}", line.id)>
                    <Number number=line.number />
                </RowLink>
            </Cell>
            <Cell of="Label">{line.label} " " {closed_badge(line.closed_at.is_some())}</Cell>
            <Cell of="Account">
                <a class="text-link above" href=format!("/accounts/{}", line.account_id)>{line.account}</a>
            </Cell>
            <Cell of="Type">
                <TypeBadge of=line.integration_type />
            </Cell>
        </tr>
    }
}
