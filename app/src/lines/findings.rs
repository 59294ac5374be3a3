//! Findings: lines that look like a mistake, each with what mends it one link away.

use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::ui::{ButtonLink, Cell, CsvLink, Empty, FaultView, Loading, Number, PageHead, Pager, Table, TypeBadge, load, query_field};
use leptos::prelude::*;
use switchyard::types::{Cursor, FindingKind, IntegrationType, LineRow, Page, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// How many lines of each kind the overview shows.
#[cfg(feature = "ssr")]
const FEW: usize = 10;
/// How many lines the page of one kind shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// The lines that a finding is about; `few` for the overview.
#[server(prefix = "/fn", output = Reply, endpoint = "findings/list")]
pub async fn list_findings(kind: FindingKind, #[server(default)] few: bool, after: Option<Cursor>) -> Result<Page<LineRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let limit = if few { FEW } else { PAGE };
    Ok(directory::findings::list(&services()?.db, &permit, kind, after.as_ref(), limit).await?)
}

/// What looks like a mistake, all kinds or one.
#[component]
pub fn FindingsPage() -> impl IntoView {
    let (kind, after) = (query_field("kind"), query_field("after"));
    let found = load(
        move || (kind.get(), after.get()),
        |(kind, after)| async move {
            let after = (!after.is_empty()).then_some(Cursor(after));
            if let Ok(kind) = kind.parse::<FindingKind>() {
                return Ok((true, vec![(kind, list_findings(kind, false, after).await?)]));
            }
            let mut all = Vec::new();
            for kind in FindingKind::ALL {
                all.push((*kind, list_findings(*kind, true, None).await?));
            }
            Ok::<_, Fault>((false, all))
        },
    );
    let me = use_me();
    let csv = Signal::derive(move || format!("/findings.csv?kind={}", kind.get()));
    view! {
        <PageHead title="Findings" above=vec![("Accounts".to_owned(), "/accounts".to_owned())]>
            <CsvLink href=csv />
        </PageHead>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((is_one, all))) => whole(&me, is_one, all).into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(me: &Me, is_one: bool, all: Vec<(FindingKind, Page<LineRow>)>) -> impl IntoView + use<> {
    let nothing = !is_one && all.iter().all(|(_, page)| page.rows.is_empty());
    if nothing {
        return view! {
            <div class="panel">
                <Empty title="Nothing to mend">"No line looks blast-only, and every account’s set-up agrees with its lines."</Empty>
            </div>
        }
        .into_any();
    }
    let next = all.first().and_then(|(_, page)| page.next.clone()).filter(|_| is_one);
    let shown = all.into_iter().filter(|(_, page)| is_one || !page.rows.is_empty());
    let sections = shown.map(|(kind, page)| section(me, kind, page, is_one)).collect_view();
    view! {
        <div class="flex flex-col gap-4">{sections}</div>
        {is_one
            .then(|| {
                view! {
                    <Pager label="Pages of findings" next=next />
                    <p class="mt-3">
                        <a class="text-link" href="/findings">"All findings"</a>
                    </p>
                }
            })}
    }
    .into_any()
}

fn section(me: &Me, kind: FindingKind, page: Page<LineRow>, is_one: bool) -> impl IntoView + use<> {
    let more = (!is_one && page.next.is_some()).then(|| {
        view! {
            <p class="border-t border-base-300 px-4 py-3">
                <a class="text-link" href=format!("/findings?kind={}", kind.as_str())>"Show all of these"</a>
            </p>
        }
    });
    let none = page.rows.is_empty();
    let rows = page.rows.into_iter().map(|line| row(me, kind, line)).collect_view();
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">{kind.name()}</h2>
                <p class="muted text-xs">{kind.sentence()}</p>
            </header>
            {if none {
                view! { <p class="muted px-4 py-4">"None on this page."</p> }.into_any()
            } else {
                view! {
                    <Table label=kind.name() head=&["Line", "Account", "Type", ""]>
                        {rows}
                    </Table>
                }
                    .into_any()
            }}
            {more}
        </section>
    }
}

fn row(me: &Me, kind: FindingKind, line: LineRow) -> impl IntoView + use<> {
    let (account, id) = (line.account_id, line.id);
    let may_set = me.may(Permission::SetIntegrationType);
    let may_manage = me.may(Permission::ManageDirectory);
    let ways: Vec<(&'static str, String)> = match kind {
        FindingKind::LooksBlastOnly => vec![(may_set, "Set to None…", format!("/lines/{id}/type?to={}", IntegrationType::None.as_str()))],
        FindingKind::ProductMissing => {
            vec![(may_manage, "Edit products", format!("/accounts/{account}")), (may_set, "Set type", format!("/lines/{id}"))]
        }
        FindingKind::NotConnected => {
            vec![(may_manage, "Connect", format!("/connections/new?account={account}")), (may_set, "Set type", format!("/lines/{id}"))]
        }
        FindingKind::OpenInClosedAccount => {
            vec![(may_manage, "Close line…", format!("/lines/{id}/close")), (may_manage, "Account", format!("/accounts/{account}"))]
        }
    }
    .into_iter()
    .filter_map(|(may, words, href)| may.then_some((words, href)))
    .collect();
    view! {
        <tr role="row">
            <Cell of="Line">
                <a class="text-link font-medium" href=format!("/lines/{id}")>
                    <Number number=line.number />
                </a>
                <span class="muted block text-xs">{line.label}</span>
            </Cell>
            <Cell of="Account">
                <a class="text-link" href=format!("/accounts/{account}")>{line.account}</a>
            </Cell>
            <Cell of="Type">
                <TypeBadge of=line.integration_type />
            </Cell>
            <Cell of="">
                <span class="flex flex-wrap gap-2">
                    {ways.into_iter().map(|(words, href)| view! { <ButtonLink href=href>{words}</ButtonLink> }).collect_view()}
                </span>
            </Cell>
        </tr>
    }
}
