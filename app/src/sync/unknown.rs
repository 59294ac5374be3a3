//! Messages to unknown lines: what came in for numbers that were no line of ours, the way to make them one, and the numbers that are set
//! aside.
//!
//! The rule: the search takes the number that was texted, never the contact's, because what is searched for stands in the URL.

use crate::conversation::written;
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::live::{Followed, follow};
use crate::ui::{
    Button, ButtonLink, Cell, Choice, CsvLink, Empty, FaultView, Field, FilterBar, FormFault, Loading, Look, Number, PageHead, Pager,
    RowLink, Search, Select, SendForm, Sending, Table, Time, contact_number, csv_url, fault_of, field_error, load, masked_note,
    query_field, toast_on_success, waits,
};
use crate::views::{Arranged, ListTools, Views};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{AsideNumber, Change, Cursor, ListKind, Page, Permission, PhoneNumber, SetAside, Timestamp, UnknownRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::messaging::unknown,
    switchyard::staff::may,
    switchyard::types::Problem,
};

/// How many messages or numbers a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;
/// The filter's word for numbers that are set aside.
const ASIDE: &str = "aside";

/// One page of messages, and how the number stands to which they are narrowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strays {
    /// The messages.
    pub page: Page<UnknownRow>,
    /// How the number is set aside, if they are narrowed to one and it is.
    pub aside: Option<SetAside>,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shown {
    Messages(Strays),
    Aside(Page<AsideNumber>),
}

/// The number that is searched for; `Err` for what is no whole one.
#[cfg(feature = "ssr")]
fn searched(number: &str) -> Result<Option<PhoneNumber>, ()> {
    match number.trim() {
        "" => Ok(None),
        number => PhoneNumber::parse(number).map(Some).map_err(|_| ()),
    }
}

#[cfg(feature = "ssr")]
fn whole(number: &str) -> Result<PhoneNumber, Problem> {
    PhoneNumber::parse(number).map_err(|e| Problem::invalid("number", format!("This is {e}.")))
}

/// Messages to unknown lines, the newest first, without those to numbers that are set aside; a number narrows them to those that went to
/// it. What is no whole number finds none.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/unknown")]
pub async fn unknown_messages(#[server(default)] number: String, after: Option<Cursor>) -> Result<Strays, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let Ok(to) = searched(&number) else { return Ok(Strays { page: Page { rows: Vec::new(), next: None }, aside: None }) };
    let db = services()?.db;
    let page = unknown::list(&db, &permit, to.as_ref(), after.as_ref(), PAGE).await?;
    let aside = match &to {
        Some(to) => unknown::list_aside(&db, &permit, Some(to), None, 1).await?.rows.pop().map(|found| found.aside),
        None => None,
    };
    Ok(Strays { page, aside })
}

/// Numbers that are set aside, the latest first, or the one.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/unknown/aside")]
pub async fn aside_numbers(#[server(default)] number: String, after: Option<Cursor>) -> Result<Page<AsideNumber>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let Ok(number) = searched(&number) else { return Ok(Page { rows: Vec::new(), next: None }) };
    Ok(unknown::list_aside(&services()?.db, &permit, number.as_ref(), after.as_ref(), PAGE).await?)
}

/// Sets a number aside.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/unknown/set-aside")]
pub async fn set_number_aside(number: String, #[server(default)] reason: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(unknown::set_aside(&services.db, &services.now, &permit, &whole(&number)?, &reason).await?)
}

/// Brings a number back.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/unknown/bring-back")]
pub async fn bring_number_back(number: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(unknown::bring_back(&services.db, &services.now, &permit, &whole(&number)?).await?)
}

fn cursor(after: String) -> Option<Cursor> {
    (!after.is_empty()).then_some(Cursor(after))
}

/// The page of one number. Only digits stand behind the sign.
fn page_of(number: &PhoneNumber) -> String {
    format!("/sync/unknown?q={}", number.expose().replace('+', "%2B"))
}

/// The list.
#[component]
pub fn UnknownPage() -> impl IntoView {
    let (q, show, after) = (query_field("q"), query_field("show"), query_field("after"));
    let read = |(q, show, after): (String, String, String)| async move {
        Ok::<_, Fault>(if show == ASIDE {
            Shown::Aside(aside_numbers(q, cursor(after)).await?)
        } else {
            Shown::Messages(unknown_messages(q, cursor(after)).await?)
        })
    };
    let found = load(move || (q.get(), show.get(), after.get()), move |asked| async move { (asked.clone(), read(asked).await) });
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Unknown));
    let choices = vec![Choice::new("", "Messages"), Choice::new(ASIDE, "Set aside")];
    view! {
        <PageHead title="Messages to unknown lines" above=vec![("Sync".to_owned(), "/sync".to_owned())]>
            <CsvLink href=csv_url("/sync/unknown.csv") />
        </PageHead>
        <p class="muted mb-4 max-w-3xl">
            "These came in for numbers that belong to no account, so nobody was told of them. Add the number as a line of its account: what is texted to it from then on flows as the line’s type says. What came before stays here. A number that is no line on purpose is set aside: nobody is told of it any more."
        </p>
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <Search label="Whole number that was texted" value=q />
            <div class="w-full sm:w-40">
                <Select label="Show" name="show" choices=choices value=show bare=true />
            </div>
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), ((q_asked, _, after), Ok(Shown::Messages(first)))) => {
                        let asked = q_asked.clone();
                        let followed = follow(first, concerns_unknown, move || unknown_messages(asked.clone(), cursor(after.clone())));
                        view! { <List followed=followed searched=q_asked me=me /> }.into_any()
                    }
                    (Ok(me), ((q_asked, _, after), Ok(Shown::Aside(first)))) => {
                        let followed = follow(first, concerns_unknown, move || aside_numbers(q_asked.clone(), cursor(after.clone())));
                        view! { <AsideList followed=followed searched=q me=me /> }.into_any()
                    }
                    (Err(fault), _) | (_, (_, Err(fault))) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// Whether a change can be about what this screen shows: a message, that its number is a line now, or is set aside.
fn concerns_unknown(change: Change) -> bool {
    matches!(change, Change::UnknownLine | Change::Line { .. })
}

/// How the number stands to which the messages are narrowed.
#[derive(Debug, Clone, PartialEq)]
enum Standing {
    /// It is no line, and may be set aside.
    NoLine(PhoneNumber),
    /// It is set aside.
    Aside(PhoneNumber, SetAside),
}

impl Standing {
    fn of(strays: &Strays, searched: &str) -> Option<Self> {
        let number = PhoneNumber::parse(searched).ok()?;
        match &strays.aside {
            Some(aside) => Some(Self::Aside(number, aside.clone())),
            None => strays.page.rows.first().filter(|row| row.line.is_none()).map(|_| Self::NoLine(number)),
        }
    }

    /// What is written here is of this number, as it stands.
    fn key(&self) -> String {
        match self {
            Self::NoLine(number) => number.expose().to_owned(),
            Self::Aside(number, aside) => format!("{} {aside:?}", number.expose()),
        }
    }
}

#[component]
fn List(followed: Followed<Strays>, searched: String, me: Me) -> impl IntoView {
    // These numbers belong to no account, so that only who looks after all of them sets one aside.
    let (may_add, may_set) = (me.may(Permission::ManageDirectory), me.may_everywhere(Permission::ManageDirectory));
    let is_searched = !searched.is_empty();
    let (set, back) = (Sending::to::<SetNumberAside>(), Sending::to::<BringNumberBack>());
    for act in [set, back] {
        act.on_answer(move || followed.read_again());
    }
    toast_on_success(set, "The number is set aside.");
    toast_on_success(back, "The number is brought back.");
    // Only a number that stands differently is painted anew: somebody may be writing why.
    let standing = Memo::new(move |_| followed.now.with(|strays| Standing::of(strays, &searched)));
    // A page is short and seldom changes: it is painted anew as a whole.
    let rows = move || {
        let messages = followed.now.with(|strays| strays.page.rows.clone());
        match (messages.is_empty(), is_searched) {
            (false, _) => view! {
                <Table label="Messages to unknown lines" head=&["To", "From", "Message", "Received", ""]>
                    {messages.into_iter().map(|message| row(message, may_add, may_set && !is_searched).into_any()).collect_view()}
                </Table>
            }
            .into_any(),
            (true, false) => view! {
                <Empty title="No messages to unknown lines">
                    "Every message that came in was for a line of an account, or for a number that is set aside."
                </Empty>
            }
            .into_any(),
            (true, true) => view! {
                <Empty title="Nothing came in for this number">
                    <span>"Write the whole number that was texted, as in +1 202 555 0143, or a short code."</span>
                    <ButtonLink href="/sync/unknown">"Show all"</ButtonLink>
                </Empty>
            }
            .into_any(),
        }
    };
    let is_masked = move || followed.now.with(|strays| strays.page.rows.iter().any(|row| row.from.whole().is_none()));
    view! {
        <For
            each=move || standing.get()
            key=Standing::key
            children=move |standing| match standing {
                Standing::NoLine(number) => may_set.then(|| set_form(&number, set)).into_any(),
                Standing::Aside(number, aside) => aside_note(&number, aside, may_set, back).into_any(),
            }
        />
        {move || masked_note(is_masked())}
        <div class="panel">{rows}</div>
        {move || view! { <Pager label="Pages of messages" next=followed.now.with(|strays| strays.page.next.clone()) /> }}
    }
}

/// The form that sets a number aside, folded.
fn set_form(number: &PhoneNumber, action: Sending) -> impl IntoView + use<> {
    let fault = fault_of(action);
    let number = number.expose().to_owned();
    view! {
        <details class="panel fold mb-3" open=move || fault.with(Option::is_some)>
            <summary class="px-4 py-3 font-medium text-primary">"Set this number aside…"</summary>
            <div class="px-4 pb-4">
                <SendForm action=action>
                    <div class="flex max-w-md flex-col gap-3">
                        <p class="text-sm">
                            "For a number that is no line on purpose, such as a misprint or a line that is gone. What comes in for it is kept as before, and nobody is told of it until somebody brings it back."
                        </p>
                        <FormFault fault=fault fields=&["reason"] />
                        <input type="hidden" name="number" value=number />
                        <Field
                            label="Why" name="reason" help="At most 200 characters, and nothing of a contact: the audit keeps it."
                            error=field_error(fault, "reason")
                        />
                        <div>
                            <Button look=Look::Main pending=waits(action)>
                                "Set it aside"
                            </Button>
                        </div>
                    </div>
                </SendForm>
            </div>
        </details>
    }
}

/// That a number is set aside: why, by whom, since when, and the way back.
fn aside_note(number: &PhoneNumber, aside: SetAside, may_bring: bool, action: Sending) -> impl IntoView + use<> {
    view! {
        <div class="panel mb-3 flex flex-wrap items-center justify-between gap-3 px-4 py-3">
            <div class="min-w-0">
                <p class="break-words">
                    <span class="font-medium">"Set aside: "</span>
                    {aside.reason}
                </p>
                <p class="muted text-xs">{aside.by} ", " <Time at=aside.at /></p>
            </div>
            <FormFault fault=fault_of(action) />
            {may_bring.then(|| back_form(number, action))}
        </div>
    }
}

fn back_form(number: &PhoneNumber, action: Sending) -> impl IntoView + use<> {
    let (number, of) = (number.expose().to_owned(), number.readable());
    view! {
        <SendForm action=action>
            <input type="hidden" name="number" value=number />
            <Button pending=waits(action)>"Bring back" <span class="sr-only">" " {of}</span></Button>
        </SendForm>
    }
}

/// The numbers that are set aside.
#[component]
fn AsideList(followed: Followed<Page<AsideNumber>>, searched: Signal<String>, me: Me) -> impl IntoView {
    let may_bring = me.may_everywhere(Permission::ManageDirectory);
    let back = Sending::to::<BringNumberBack>();
    back.on_answer(move || followed.read_again());
    toast_on_success(back, "The number is brought back.");
    let row = move |found: AsideNumber| {
        let (href, form) = (page_of(&found.number), may_bring.then(|| back_form(&found.number, back)));
        view! {
            <tr role="row">
                <Cell of="To">
                    <RowLink href=href>
                        <Number number=found.number />
                    </RowLink>
                </Cell>
                <Cell of="Why">
                    <span class="break-words">{found.aside.reason}</span>
                </Cell>
                <Cell of="Set aside">
                    <Time at=found.aside.at />
                    <span class="muted block text-xs">{found.aside.by}</span>
                </Cell>
                <Cell of="Texted last">
                    {found.texted_at.map(|at| view! { <Time at=at /> })} {found.texted_at.is_none().then_some("Nothing is kept")}
                </Cell>
                <Cell of="">
                    <div class="above">{form}</div>
                </Cell>
            </tr>
        }
    };
    let rows = move || {
        let numbers = followed.now.with(|page| page.rows.clone());
        match (numbers.is_empty(), searched.with(String::is_empty)) {
            (false, _) => view! {
                <Table label="Numbers that are set aside" head=&["To", "Why", "Set aside", "Texted last", ""]>
                    {numbers.into_iter().map(|found| row(found).into_any()).collect_view()}
                </Table>
            }
            .into_any(),
            (true, true) => view! {
                <Empty title="No number is set aside">
                    <span>
                        "A number that people text and that is no line on purpose can be set aside from its messages. What comes in for it is kept, and nobody is told of it."
                    </span>
                    <ButtonLink href="/sync/unknown">"Show messages"</ButtonLink>
                </Empty>
            }
            .into_any(),
            (true, false) => view! {
                <Empty title="This number is not set aside">
                    <span>"Write the whole number that was texted, as in +1 202 555 0143, or a short code."</span>
                    <ButtonLink href=format!("/sync/unknown?show={ASIDE}")>"Show all that are set aside"</ButtonLink>
                </Empty>
            }
            .into_any(),
        }
    };
    view! {
        <FormFault fault=fault_of(back) />
        <div class="panel">{rows}</div>
        {move || view! { <Pager label="Pages of numbers" next=followed.now.with(|page| page.next.clone()) /> }}
    }
}

/// A message. That its number may be set aside is said over the list, where it is narrowed to that number.
fn row(message: UnknownRow, may_add: bool, may_set: bool) -> impl IntoView {
    // The minute is what is shown: only another one says something.
    let is_late = |sent: &Timestamp| sent.minute() != message.received_at.minute();
    let sent = message.sent_at.filter(is_late);
    let way = match message.line {
        Some(line) => Some((format!("/lines/{line}"), "Now a line")),
        // Only digits stand behind the sign.
        None => may_add.then(|| (format!("/lines/new?number={}", message.to.expose().replace('+', "%2B")), "Add as a line")),
    };
    let aside = (may_set && message.line.is_none()).then(|| page_of(&message.to));
    view! {
        <tr role="row">
            <Cell of="To">
                <span class="font-medium">
                    <Number number=message.to />
                </span>
            </Cell>
            <Cell of="From">{contact_number(&message.from)}</Cell>
            <Cell of="Message">
                <div class="above">{written(&message.written)}</div>
            </Cell>
            <Cell of="Received">
                <Time at=message.received_at />
                {sent
                    .map(|at| {
                        view! {
                            <span class="muted block text-xs whitespace-nowrap">"Sent " <Time at=at /></span>
                        }
                    })}
            </Cell>
            <Cell of="">
                <span class="flex flex-wrap items-center gap-x-4 gap-y-2 whitespace-nowrap sm:flex-nowrap">
                    {way.map(|(href, words)| view! { <RowLink href=href>{words}</RowLink> })}
                    {aside
                        .map(|href| {
                            view! {
                                <a class="text-link above inline-flex min-h-6 items-center" href=href>
                                    "Set aside…"
                                </a>
                            }
                        })}
                </span>
            </Cell>
        </tr>
    }
}
