//! Findings: lines that look like a mistake, and accounts that contradict themselves, each with what mends it one link away; that of a line
//! may be set aside by who may mend it.
//!
//! The rule: a finding is set aside over the lists, where the URL names it: within a list its lines are chosen by a form of their own.

use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::ui::{
    Button, ButtonLink, Cell, Choice, CsvLink, Empty, FaultView, Field, FilterBar, FormFault, Heads, Loading, Look, Notice, Number,
    PageHead, Pager, Panel, Pick, Picking, RowLink, Select, SendForm, Sending, Table, Time, TypeBadge, fault_of, field_error, grouped,
    load, query_field, toast_on_success, waits,
};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::use_query_map;
use switchyard::types::{
    AccountFinding, Cursor, FindingAccount, FindingKind, FindingRow, IntegrationType, LineId, LineRow, Page, Permission, SetAside,
};
use web_sys::HtmlElement;

#[cfg(feature = "ssr")]
use {
    crate::context::{member, permit, services},
    switchyard::directory::findings,
    switchyard::staff::may,
};

/// How many lines or accounts of each kind the overview shows.
#[cfg(feature = "ssr")]
const FEW: usize = 10;
/// How many the page of one kind shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;
/// The filter's word for what is set aside.
const ASIDE: &str = "aside";

/// The lines that a finding is about, or is set aside for; `few` for the overview.
#[server(prefix = "/fn", output = Reply, endpoint = "findings/list")]
pub async fn list_findings(
    kind: FindingKind,
    #[server(default)] few: bool,
    #[server(default)] aside: bool,
    after: Option<Cursor>,
) -> Result<Page<FindingRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let (db, limit) = (services()?.db, if few { FEW } else { PAGE });
    if aside {
        return Ok(findings::list_aside(&db, &permit, kind, after.as_ref(), limit).await?);
    }
    Ok(findings::list(&db, &permit, kind, after.as_ref(), limit).await?.map(|line| FindingRow { line, aside: None }))
}

/// The accounts that a finding is about; `few` for the overview.
#[server(prefix = "/fn", output = Reply, endpoint = "findings/accounts")]
pub async fn list_account_findings(
    kind: AccountFinding,
    #[server(default)] few: bool,
    after: Option<Cursor>,
) -> Result<Page<FindingAccount>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(findings::accounts(&services()?.db, &permit, kind, after.as_ref(), if few { FEW } else { PAGE }).await?)
}

/// Sets a finding of a line aside.
#[server(prefix = "/fn", output = Reply, endpoint = "findings/set-aside")]
pub async fn set_finding_aside(kind: FindingKind, line: LineId, #[server(default)] reason: String) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(findings::set_aside(&services.db, &services.now, &member, (kind, line), &reason).await?)
}

/// Brings a finding of a line back.
#[server(prefix = "/fn", output = Reply, endpoint = "findings/bring-back")]
pub async fn bring_finding_back(kind: FindingKind, line: LineId) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(findings::bring_back(&services.db, &services.now, &member, (kind, line)).await?)
}

/// What is done about a finding here.
#[derive(Clone, Copy)]
struct Acts {
    set: Sending,
    back: Sending,
}

/// What was found of lines, and of accounts as such, by kind.
type Lines = Vec<(FindingKind, Page<FindingRow>)>;
type Accounts = Vec<(AccountFinding, Page<FindingAccount>)>;

/// What looks like a mistake, all kinds or one.
#[component]
pub fn FindingsPage() -> impl IntoView {
    let (kind, show, after) = (query_field("kind"), query_field("show"), query_field("after"));
    let acts = Acts { set: Sending::to::<SetFindingAside>(), back: Sending::to::<BringFindingBack>() };
    let changes = RwSignal::new(0_u32);
    for act in [acts.set, acts.back] {
        act.on_success(move || changes.update(|changes| *changes += 1));
    }
    toast_on_success(acts.set, "The finding is set aside.");
    toast_on_success(acts.back, "The finding is brought back.");
    let found = load(
        move || (kind.get(), show.get(), after.get(), changes.get()),
        |(kind, show, after, _)| async move {
            let (after, is_aside) = ((!after.is_empty()).then_some(Cursor(after)), show == ASIDE);
            if let Ok(kind) = kind.parse::<FindingKind>() {
                return Ok((true, vec![(kind, list_findings(kind, false, is_aside, after).await?)], Accounts::new()));
            }
            // An account is not set aside.
            if let (Ok(kind), false) = (kind.parse::<AccountFinding>(), is_aside) {
                return Ok((true, Lines::new(), vec![(kind, list_account_findings(kind, false, after).await?)]));
            }
            let (mut lines, mut accounts) = (Lines::new(), Accounts::new());
            for kind in FindingKind::ALL {
                lines.push((*kind, list_findings(*kind, true, is_aside, None).await?));
            }
            if !is_aside {
                for kind in AccountFinding::ALL {
                    accounts.push((*kind, list_account_findings(*kind, true, None).await?));
                }
            }
            Ok::<_, Fault>((false, lines, accounts))
        },
    );
    let me = use_me();
    let csv = Signal::derive(move || format!("/findings.csv?kind={}", kind.get()));
    let choices = vec![Choice::new("", "To mend"), Choice::new(ASIDE, "Set aside")];
    view! {
        <PageHead title="Findings" above=vec![("Accounts".to_owned(), "/accounts".to_owned())]>
            <Show when=move || show.get() != ASIDE>
                <CsvLink href=csv />
            </Show>
        </PageHead>
        <Notice words=&[("types", "The integration types are set.")] />
        <FilterBar>
            <input type="hidden" name="kind" value=move || kind.get() />
            <div class="w-full sm:w-40">
                <Select label="Show" name="show" choices=choices value=show bare=true />
            </div>
        </FilterBar>
        <FormFault fault=fault_of(acts.back) />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((is_one, lines, accounts))) => {
                        whole(&me, (is_one, show.get_untracked() == ASIDE), lines, accounts, acts).into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(me: &Me, (is_one, is_aside): (bool, bool), all: Lines, accounts: Accounts, acts: Acts) -> impl IntoView + use<> {
    let nothing = all.iter().all(|(_, page)| page.rows.is_empty()) && accounts.iter().all(|(_, page)| page.rows.is_empty());
    let nothing = !is_one && nothing;
    if nothing && is_aside {
        return view! {
            <div class="panel">
                <Empty title="No finding is set aside">
                    <span>"What is so on purpose can be set aside from its list. It comes back when its line has another type or another account."</span>
                    <ButtonLink href="/findings">"Show what is to mend"</ButtonLink>
                </Empty>
            </div>
        }
        .into_any();
    }
    if nothing {
        return view! {
            <div class="panel">
                <Empty title="Nothing to mend">"No line looks blast-only, and every account’s set-up agrees with its lines. What is set aside is not counted."</Empty>
            </div>
        }
        .into_any();
    }
    let form = set_form(me, &all, acts);
    let next = all.first().and_then(|(_, page)| page.next.clone()).or_else(|| accounts.first().and_then(|(_, page)| page.next.clone()));
    let next = next.filter(|_| is_one);
    let shown = all.into_iter().filter(|(_, page)| is_one || !page.rows.is_empty());
    let sections = shown.map(|(kind, page)| section(me, kind, page, (is_one, is_aside), acts)).collect_view();
    let shown = accounts.into_iter().filter(|(_, page)| is_one || !page.rows.is_empty());
    let of_accounts = shown.map(|(kind, page)| account_section(me, kind, page, is_one)).collect_view();
    let all_of_them = if is_aside { format!("/findings?show={ASIDE}") } else { "/findings".to_owned() };
    view! {
        {form}
        <div class="flex flex-col gap-4">{sections} {of_accounts}</div>
        {is_one
            .then(|| {
                view! {
                    <Pager label="Pages of findings" next=next />
                    <p class="mt-3">
                        <a class="text-link" href=all_of_them>"All findings"</a>
                    </p>
                }
            })}
    }
    .into_any()
}

/// The form that sets the finding aside which the URL names, if it is one of those that are shown.
fn set_form(me: &Me, all: &[(FindingKind, Page<FindingRow>)], acts: Acts) -> impl IntoView + use<> {
    let (finding, named) = (query_field("finding"), query_field("line"));
    let may: Vec<FindingKind> = FindingKind::ALL.iter().copied().filter(|kind| me.may(kind.mended_with())).collect();
    let rows: Vec<(FindingKind, LineRow)> = all
        .iter()
        .flat_map(|(kind, page)| page.rows.iter().filter(|row| row.aside.is_none()).map(move |row| (*kind, row.line.clone())))
        .filter(|(kind, _)| may.contains(kind))
        .collect();
    let fault = fault_of(acts.set);
    let key = |(kind, line): &(FindingKind, LineRow)| (*kind, line.id);
    let chosen = Memo::new(move |_| {
        let (finding, named) = (finding.get().parse::<FindingKind>().ok()?, named.get().parse::<LineId>().ok()?);
        rows.iter().find(|(kind, line)| *kind == finding && line.id == named).cloned()
    });
    // What was refused for one is not said of another.
    Effect::new(move |before: Option<Option<(FindingKind, LineId)>>| {
        let now = chosen.with(|chosen| chosen.as_ref().map(key));
        if before.flatten().is_some_and(|before| Some(before) != now) {
            acts.set.clear();
        }
        now
    });
    let form = move |(kind, line): (FindingKind, LineRow)| {
        let of = format!("{}: {}, {}", kind.name(), line.number.readable(), line.label);
        let (kind, line) = (kind.as_str(), line.id.to_string());
        // Whoever asked for it is far below, in one of the lists.
        Effect::new(|_| {
            let field = document().get_element_by_id("reason").and_then(|field| field.dyn_into::<HtmlElement>().ok());
            if let Some(field) = field {
                let _ = field.focus();
            }
        });
        view! {
            <div class="mb-4">
                <Panel title="Set a finding aside" note="For what is so on purpose. It comes back when the line has another type or another account.">
                    <SendForm action=acts.set>
                        <div class="flex max-w-md flex-col gap-3">
                            <p class="text-sm font-medium">{of}</p>
                            <FormFault fault=fault fields=&["reason"] />
                            <input type="hidden" name="kind" value=kind />
                            <input type="hidden" name="line" value=line />
                            <Field
                                label="Why" name="reason" help="At most 200 characters, and nothing of a contact: the audit keeps it."
                                error=field_error(fault, "reason")
                            />
                            <div>
                                <Button look=Look::Main pending=waits(acts.set)>
                                    "Set it aside"
                                </Button>
                            </div>
                        </div>
                    </SendForm>
                </Panel>
            </div>
        }
    };
    // One that is named anew gets a form of its own: what was typed for another is not saved for it.
    view! { <For each=move || chosen.get() key=key children=form /> }
}

fn section(me: &Me, kind: FindingKind, page: Page<FindingRow>, (is_one, is_aside): (bool, bool), acts: Acts) -> impl IntoView + use<> {
    let more = (!is_one && page.next.is_some()).then(|| {
        let show = if is_aside { format!("&show={ASIDE}") } else { String::new() };
        view! {
            <p class="border-t border-base-300 px-4 py-3">
                <a class="text-link" href=format!("/findings?kind={}{show}", kind.as_str())>"Show all of these"</a>
            </p>
        }
    });
    let (count, is_part) = (page.rows.len(), page.next.is_some());
    // What mends them is the same for all of these, and has a preview of many at once.
    let may_pick = kind == FindingKind::LooksBlastOnly && !is_aside && me.may(Permission::SetIntegrationType);
    let (me, found) = (me.clone(), page.rows);
    // Made where it stands: its boxes belong to the form around it.
    let table = move || {
        const HEAD: &[&str] = &["Line", "Account", "Type", ""];
        const HEAD_ASIDE: &[&str] = &["Line", "Account", "Type", "Set aside", ""];
        view! {
            <Table label=kind.name() head=if is_aside { HEAD_ASIDE } else { HEAD }>
                {found.into_iter().map(|found| row(&me, kind, may_pick, found, acts)).collect_view()}
            </Table>
        }
    };
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">{kind.name()}</h2>
                <p class="muted text-xs">{kind.sentence()}</p>
            </header>
            {match (count, may_pick) {
                (0, _) => view! { <p class="muted px-4 py-4">"None on this page."</p> }.into_any(),
                (_, true) => {
                    let fixed = vec![("to", IntegrationType::None.as_str().to_owned())];
                    view! {
                        <Picking action="/lines/types" filter=&[] fixed=fixed rows=count is_part=is_part only_chosen=true bar=set_to_none>
                            {table()}
                        </Picking>
                    }
                        .into_any()
                }
                (_, false) => table().into_any(),
            }}
            {more}
        </section>
    }
}

fn account_section(me: &Me, kind: AccountFinding, page: Page<FindingAccount>, is_one: bool) -> impl IntoView + use<> {
    let more = (!is_one && page.next.is_some()).then(|| {
        view! {
            <p class="border-t border-base-300 px-4 py-3">
                <a class="text-link" href=format!("/findings?kind={}", kind.as_str())>"Show all of these"</a>
            </p>
        }
    });
    let may_manage = me.may(Permission::ManageDirectory);
    let row = move |found: FindingAccount| {
        let id = found.id;
        let way = may_manage.then(|| view! { <ButtonLink href=format!("/accounts/{id}#products")>"Edit products"</ButtonLink> });
        view! {
            <tr role="row">
                <Cell of="Account">
                    <RowLink href=format!("/accounts/{id}")>{found.name}</RowLink>
                </Cell>
                <Cell of="Open lines" number=true>
                    <a class="text-link above" href=format!("/lines?account={id}")>{grouped(found.lines)}</a>
                </Cell>
                <Cell of="">
                    <span class="above flex flex-wrap gap-2">{way}</span>
                </Cell>
            </tr>
        }
    };
    let table = if page.rows.is_empty() {
        view! { <p class="muted px-4 py-4">"None on this page."</p> }.into_any()
    } else {
        let heads = Heads::from(&["Account", "Open lines", ""]).numbers(&["Open lines"]);
        view! {
            <Table label=kind.name() head=heads>
                {page.rows.into_iter().map(row).collect_view()}
            </Table>
        }
        .into_any()
    };
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">{kind.name()}</h2>
                <p class="muted text-xs">{kind.sentence()}</p>
            </header>
            {table}
            {more}
        </section>
    }
}

/// What can be done with chosen lines that look blast-only.
fn set_to_none() -> impl IntoView {
    view! { <Button>"Set to None…"</Button> }
}

/// How a finding is set aside for a line, and the way back.
fn aside_cells(kind: FindingKind, line: LineId, aside: SetAside, may_bring: bool, acts: Acts) -> impl IntoView + use<> {
    let form = may_bring.then(|| {
        view! {
            <SendForm action=acts.back>
                <input type="hidden" name="kind" value=kind.as_str() />
                <input type="hidden" name="line" value=line.to_string() />
                <Button pending=waits(acts.back)>"Bring back"</Button>
            </SendForm>
        }
    });
    view! {
        <Cell of="Set aside">
            <span class="break-words">{aside.reason}</span>
            <span class="muted block text-xs">{aside.by} ", " <Time at=aside.at /></span>
        </Cell>
        <Cell of="">
            <div class="above">{form}</div>
        </Cell>
    }
}

/// This page with the form over its lists that sets the finding aside.
fn set_url(kind: FindingKind, line: LineId) -> String {
    let mut query = use_query_map().get_untracked();
    for gone in ["done", "finding", "line", "__path", "__err"] {
        query.remove(gone);
    }
    query.insert("finding", kind.as_str().to_owned());
    query.insert("line", line.to_string());
    format!("/findings{}", query.to_query_string())
}

fn row(me: &Me, kind: FindingKind, may_pick: bool, found: FindingRow, acts: Acts) -> impl IntoView + use<> {
    let FindingRow { line, aside } = found;
    let (account, id) = (line.account_id, line.id);
    let may_aside = me.may(kind.mended_with());
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
    .chain([(may_aside, "Set aside…", set_url(kind, id))])
    .filter_map(|(may, words, href)| may.then_some((words, href)))
    .collect();
    let label = format!("{}, {}", line.number.readable(), line.label);
    view! {
        <tr role="row">
            {may_pick.then(|| view! { <Pick name="line" value=id.to_string() label=label /> })}
            <Cell of="Line">
                <RowLink href=format!("/lines/{id}")>
                    <Number number=line.number />
                </RowLink>
                <span class="muted block text-xs">{line.label}</span>
            </Cell>
            <Cell of="Account">
                <a class="text-link above" href=format!("/accounts/{account}")>{line.account}</a>
            </Cell>
            <Cell of="Type">
                <TypeBadge of=line.integration_type />
            </Cell>
            {match aside {
                Some(aside) => aside_cells(kind, id, aside, may_aside, acts).into_any(),
                None => view! {
                    <Cell of="">
                        <span class="above flex flex-wrap gap-2">
                            {ways.into_iter().map(|(words, href)| view! { <ButtonLink href=href>{words}</ButtonLink> }).collect_view()}
                        </span>
                    </Cell>
                }
                .into_any(),
            }}
        </tr>
    }
}
