//! The audit: who changed what, and when. Every entry is sealed within seconds; its number says so.
//!
//! The rule: the screen changes nothing, and neither can anybody else: `switchyard audit verify` finds out.

use crate::fault::{Fault, Reply};
use crate::frame::who_am_i;
use crate::history::HistoryRow;
use crate::lines::AccountFilter;
use crate::staff::list_staff;
use crate::ui::{
    Badge, ButtonLink, Cell, Choice, CsvLink, Empty, FaultView, FilterBar, Loading, MomentField, PageHead, Pager, Select, Table, Time,
    Tone, csv_url, load, query_field,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{AccountId, AuditFilter, AuditOutcome, Cursor, LineId, ListKind, Page, Permission, StaffId};
use uuid::Uuid;

#[cfg(feature = "ssr")]
use {
    crate::context::{member, permit, services},
    crate::history::{action_name, in_words},
    switchyard::staff::{self, may},
    switchyard::types::AuditSubject,
};

/// How many entries a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// An entry in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditShown {
    /// What it says.
    pub row: HistoryRow,
    /// Its number in the chain; `None` until it is sealed.
    pub number: Option<i64>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// From where.
    pub address: Option<String>,
    /// The member who did it.
    pub staff: Option<StaffId>,
    /// The account it was done to, and whether its reader may open its page.
    pub account: Option<(AccountId, String, bool)>,
    /// The line it was done to, and whether its reader may open its page.
    pub line: Option<(LineId, String, bool)>,
    /// What else it is about, where that has a page that its reader may open: its address, and what it is called.
    pub subject: Option<(String, String)>,
}

/// Entries of the audit, newest first.
#[server(prefix = "/fn", output = Reply, endpoint = "audit/list")]
pub async fn list_audit(#[server(default)] filter: AuditFilter, after: Option<Cursor>) -> Result<Page<AuditShown>, Fault> {
    let permit = permit::<may::SeeAudit>().await?;
    let services = services()?;
    let page = staff::search(&services.db, &permit, &filter, after.as_ref(), PAGE).await?;
    let page = staff::with_numbers(&services.db, &services.keys, &permit, page).await?;
    let places = staff::places(&services.db, &member().await?, &page.rows).await?;
    Ok(page.map(|entry| AuditShown {
        number: entry.number,
        outcome: entry.outcome,
        address: entry.address,
        staff: entry.staff,
        account: entry.account.map(|(id, name)| (id, name, places.accounts.contains(&id))),
        line: entry.line.map(|(id, label)| (id, label, places.lines.contains(&id))),
        subject: entry.subject.and_then(|id| places.subjects.get(&id)).map(page_of),
        row: in_words(entry.row),
    }))
}

/// Where a subject is looked at, and what it is called; a contact by no name, which is personal data.
#[cfg(feature = "ssr")]
fn page_of(subject: &AuditSubject) -> (String, String) {
    match subject {
        AuditSubject::User(id, name) => (format!("/users/{id}"), name.clone()),
        AuditSubject::Contact(id) => (format!("/contacts/{id}"), "The contact".to_owned()),
        AuditSubject::Conversation(line, id) => (format!("/lines/{line}/conversations/{id}"), "The conversation".to_owned()),
        AuditSubject::Blast(line, id) => (format!("/lines/{line}/blasts/{id}"), "The blast".to_owned()),
        AuditSubject::Connection(id) => (format!("/connections/{id}"), "The connection".to_owned()),
        AuditSubject::Run(id) => (format!("/utilities/runs/{id}"), "The run".to_owned()),
        AuditSubject::Erasure(id) => (format!("/erasures/{id}"), "The erasure".to_owned()),
        AuditSubject::Member(id, name) => (format!("/staff/{id}"), name.clone()),
        AuditSubject::Role(id, name) => (format!("/roles/{id}"), name.clone()),
    }
}

/// The audit of what a page shows, among its facts; nothing for who may not see the audit.
pub fn audit_fact(sees_audit: bool, subject: Uuid, says: &'static str) -> impl IntoView {
    sees_audit.then(|| {
        view! {
            <dt>"Audit"</dt>
            <dd>
                <a class="text-link" href=format!("/audit?subject={subject}")>{says}</a>
            </dd>
        }
    })
}

/// What the audit can be narrowed to, each with its name.
#[server(prefix = "/fn", output = Reply, endpoint = "audit/actions")]
pub async fn audit_actions() -> Result<Vec<(String, String)>, Fault> {
    let permit = permit::<may::SeeAudit>().await?;
    let actions = staff::actions(&services()?.db, &permit).await?;
    Ok(actions.into_iter().map(|action| (action.clone(), action_name(&action))).collect())
}

/// The audit.
#[component]
pub fn AuditPage() -> impl IntoView {
    let [who, action, account, line, after] = ["who", "action", "account", "line", "after"].map(query_field);
    let [subject, outcome, from, until] = ["subject", "outcome", "from", "until"].map(query_field);
    let page = load(
        move || [who, action, account, line, subject, outcome, from, until, after].map(|field| field.get()),
        |[who, action, account, line, subject, outcome, from, until, after]| {
            let filter = AuditFilter {
                actor: who.parse().ok(),
                action: Some(action).filter(|action| !action.is_empty()),
                account: account.parse().ok(),
                line: line.parse().ok(),
                subject: subject.parse().ok(),
                outcome: outcome.parse().ok(),
                ..AuditFilter::default()
            };
            list_audit(filter.of_days(&from, &until), (!after.is_empty()).then_some(Cursor(after)))
        },
    );
    let arranged = Arranged::of(ListKind::Audit);
    let actions = load(|| (), |()| audit_actions());
    let members = load(
        || (),
        |()| async {
            // Who may not see the staff narrows by the links alone.
            match who_am_i().await?.may(Permission::SeeStaff) {
                true => list_staff().await,
                false => Ok(Vec::new()),
            }
        },
    );
    let is_narrowed = move || [who, action, account, line, subject, outcome, from, until].iter().any(|field| !field.get().is_empty());
    view! {
        <PageHead title="Audit">
            <ButtonLink href="/audit/retention">"How long it is kept"</ButtonLink>
            <CsvLink href=csv_url("/audit.csv") />
        </PageHead>
        <p class="muted mb-4 max-w-3xl">
            "Every change, every refusal and every sight of personal data: by whom, when and from where. Entries are numbered and sealed within seconds: one that is altered or taken out afterwards is found by the check that engineers run."
        </p>
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <div class="w-[calc(50%-0.25rem)] sm:w-56">
                <Suspense>
                    {move || Suspend::new(async move {
                        let offered = actions.await.unwrap_or_default();
                        let choices = [Choice::new("", "All changes")]
                            .into_iter()
                            .chain(offered.into_iter().map(|(action, name)| Choice::new(action, name)))
                            .collect::<Vec<_>>();
                        view! { <Select label="Change" name="action" choices=choices value=action bare=true /> }
                    })}
                </Suspense>
            </div>
            <div class="w-[calc(50%-0.25rem)] empty:hidden sm:w-44">
                <AccountFilter account=account />
            </div>
            <div class="w-[calc(50%-0.25rem)] sm:w-36">
                <Select label="Outcome" name="outcome" choices=outcomes() value=outcome bare=true />
            </div>
            <Suspense>
                {move || Suspend::new(async move {
                    let members = members.await.unwrap_or_default();
                    if members.is_empty() {
                        return view! {
                            <input type="hidden" name="who" prop:value=move || who.get() value=who.get_untracked() />
                        }
                        .into_any();
                    }
                    let each = members.into_iter().map(|member| Choice::new(member.id, member.name));
                    let choices = std::iter::once(Choice::new("", "Anybody")).chain(each).collect::<Vec<_>>();
                    view! {
                        <div class="w-[calc(50%-0.25rem)] sm:w-40">
                            <Select label="Member" name="who" choices=choices value=who bare=true />
                        </div>
                    }
                        .into_any()
                })}
            </Suspense>
            {[("From", "from", from), ("Until", "until", until)]
                .map(|(label, name, day)| {
                    view! {
                        <div class="flex w-[calc(50%-0.25rem)] flex-col gap-x-2 gap-y-1 sm:w-auto sm:flex-row sm:items-center">
                            <span class="muted" aria-hidden="true">{label}</span>
                            {move || view! { <MomentField label=label name=name day=day.get() last=name == "until" bare=true /> }}
                        </div>
                    }
                })}
            {[("line", line), ("subject", subject)]
                .map(|(name, field)| {
                    view! { <input type="hidden" name=name prop:value=move || field.get() value=field.get_untracked() /> }
                })}
        </FilterBar>
        {move || {
            only(&[who, line, subject].map(|field| !field.get().is_empty()))
                .map(|only| {
                    view! {
                        <p class="mb-3 text-sm">{only} " " <a class="text-link" href="/audit">"Show all"</a></p>
                    }
                })
        }}
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Show
                                    when=is_narrowed
                                    fallback=|| view! { <Empty title="Nothing was changed yet">"Every change will stand here, with who made it."</Empty> }
                                >
                                    <Empty title="No change fits">
                                        <span>"Choose another change, account or day."</span>
                                        <ButtonLink href="/audit">"Show all"</ButtonLink>
                                    </Empty>
                                </Show>
                            </div>
                        }
                            .into_any()
                    }
                    Ok(page) => {
                        view! {
                            <div class="panel">
                                <Table label="Audit" head=shown.heads("When")>
                                    {page.rows.into_iter().map(|entry| row(entry, &shown)).collect_view()}
                                </Table>
                            </div>
                            <Pager label="Pages of the audit" next=page.next />
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// What the audit is narrowed to by links alone, in words: a member, a line, and what else has a page with such a link.
fn only(by: &[bool; 3]) -> Option<String> {
    let [who, line, subject] = *by;
    let did = if who { "what one member did" } else { "what was done" };
    let to = match (subject, line) {
        (true, _) => " about the one thing whose page led here",
        (false, true) => " to one line",
        (false, false) => "",
    };
    (who || line || subject).then(|| format!("Only {did}{to}."))
}

/// What the outcome can be narrowed to.
fn outcomes() -> Vec<Choice> {
    let each = AuditOutcome::ALL.iter().map(|outcome| Choice::new(outcome.as_str(), outcome.name()));
    [Choice::new("", "All outcomes")].into_iter().chain(each).collect()
}

/// Something that an entry names: a link to its page, or its bare name where there is none for this reader; `else_say` for what has no
/// name any more.
fn place(href: Option<String>, name: String, else_say: &'static str) -> impl IntoView {
    let name = if name.is_empty() { else_say.to_owned() } else { name };
    match href {
        Some(href) => view! { <a class="text-link" href=href>{name}</a> }.into_any(),
        None => name.into_any(),
    }
}

/// What the small link beside an account leads to.
const ONLY: &str = "Only this account’s entries";

fn row(entry: AuditShown, shown: &Shown) -> impl IntoView + use<> {
    let AuditShown { row, number, outcome, address, staff, account, line, subject } = entry;
    let who = match staff {
        Some(id) => view! { <a class="text-link" href=format!("/audit?who={id}")>{row.actor}</a> }.into_any(),
        None => row.actor.into_any(),
    };
    let only_account = account.as_ref().map(|(id, ..)| {
        view! {
            " "
            <a class="text-link text-xs" href=format!("/audit?account={id}") aria-label=ONLY title=ONLY>
                "only"
            </a>
        }
    });
    let of_account = account.map(|(id, name, opens)| place(opens.then(|| format!("/accounts/{id}")), name, "An account"));
    let of_line = line.map(|(id, label, opens)| place(opens.then(|| format!("/lines/{id}")), label, "A line"));
    let of_subject = subject.map(|(href, name)| place(Some(href), name, "What it is about"));
    let dot = |is_needed: bool| is_needed.then_some(" · ");
    let badge = (outcome != AuditOutcome::Done).then(|| {
        let tone = if outcome == AuditOutcome::Denied { Tone::Warning } else { Tone::Plain };
        view! {
            " "
            <Badge tone=tone>{outcome.name()}</Badge>
        }
    });
    let none = || "–".to_owned();
    let before_line = dot(of_account.is_some() && of_line.is_some());
    let before_subject = dot((of_account.is_some() || of_line.is_some()) && of_subject.is_some());
    let places = view! {
        // Several links may stand above each other here: each has its room.
        <span class="leading-6">
            {of_account} {only_account} {before_line} {of_line} {before_subject} {of_subject}
        </span>
    };
    view! {
        <tr role="row">
            <Cell of="When">
                <Time at=row.at />
            </Cell>
            {shown.has("who").then(|| view! { <Cell of="Who">{who}</Cell> })}
            {shown.has("from").then(|| view! { <Cell of="From">{address.unwrap_or_else(none)}</Cell> })}
            {shown.has("what").then(|| view! { <Cell of="What">{row.text} {badge}</Cell> })}
            {shown.has("where").then(|| view! { <Cell of="Where">{places}</Cell> })}
            {shown.has("before").then(|| view! { <Cell of="Before">{row.before.unwrap_or_else(none)}</Cell> })}
            {shown.has("after").then(|| view! { <Cell of="After">{row.after.unwrap_or_else(none)}</Cell> })}
            {shown
                .has("number")
                .then(|| {
                    let number = number.map_or_else(|| "being sealed".to_owned(), |number| number.to_string());
                    view! { <Cell of="No." number=true>{number}</Cell> }
                })}
        </tr>
    }
}
