//! A line's conversations, each with how far RingCentral is: narrowed to what is not in sync, sorted, and found by their contact.
//!
//! The rule: what is searched for is a name or a number: it travels in the body of a request. The URL names the search alone, which only
//! its searcher can look at.

use super::{line, line_of_path, no_such_line};
use crate::conversation::concerns_line;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::live::follow;
use crate::sync::{SyncBadge, SyncReason, contact, trouble_name};
use crate::ui::{
    Button, ButtonLink, Cell, Choice, CsvLink, Empty, FaultView, FilterBar, FormFault, Heads, Loading, PageHead, Pager, Select, SendForm,
    Sending, Table, Tabs, Time, TypeBadge, csv_url, fault_of, field_error, keep_sort, load, masked_note, query_field, sort_url, waits,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use switchyard::types::{
    ConversationFilter, ConversationRow, Cursor, IntegrationType, LineId, LineRow, ListKind, OLDEST, Order, Page, Permission, SearchId,
    Trouble,
};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::staff::may,
    switchyard::sync,
};

/// How many conversations a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// Conversations of a line, the newest first.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/conversations")]
pub async fn line_conversations(
    id: LineId,
    trouble: Option<Trouble>,
    #[server(default)] sort: String,
    found: Option<SearchId>,
    after: Option<Cursor>,
) -> Result<Page<ConversationRow>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let filter = ConversationFilter { trouble, oldest_first: sort == OLDEST, found };
    Ok(sync::conversations_narrowed(&services.db, &services.now, &permit, id, filter, after.as_ref(), PAGE).await?)
}

/// Finds conversations of a line by the contact's number, or by how their name begins, and leads to what was found.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/find")]
pub async fn find_on_line(line: LineId, number: String) -> Result<(), Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let search = sync::find(&services.db, &services.now, &services.keys, &permit, Some(line), &number).await?;
    let more = sync::found_more(&services.db, &services.now, &permit, search).await?;
    leptos_axum::redirect(&format!("/lines/{line}/conversations?found={search}{}", if more { "&more=true" } else { "" }));
    Ok(())
}

/// The views of a line.
pub fn tabs(id: LineId, sees_messages: bool) -> Vec<(&'static str, String)> {
    let mut tabs = vec![("Overview", format!("/lines/{id}"))];
    if sees_messages {
        tabs.push(("Conversations", format!("/lines/{id}/conversations")));
        tabs.push(("Blasts", format!("/lines/{id}/blasts")));
    }
    tabs
}

/// The fields of the URL that say which conversations are shown: their state, their order, the search, and where the page begins.
type Fields = [String; 4];

/// What they narrow the list to.
fn filter_of([state, sort, found, _]: &Fields) -> ConversationFilter {
    ConversationFilter { trouble: state.parse().ok(), oldest_first: sort == OLDEST, found: found.parse().ok() }
}

async fn read(id: LineId, [state, sort, found, after]: Fields) -> Result<Page<ConversationRow>, Fault> {
    let after = (!after.is_empty()).then_some(Cursor(after));
    line_conversations(id, state.parse().ok(), sort, found.parse().ok(), after).await
}

/// A line's conversations.
#[component]
pub fn ConversationsPage() -> impl IntoView {
    let id = line_of_path();
    let (state, sort, found, after) = (query_field("state"), query_field("sort"), query_field("found"), query_field("after"));
    let more = query_field("more");
    let of = load(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => Ok(line(id).await?.line),
                None => Err(no_such_line()),
            }
        },
    );
    let page = load(
        move || (id.get(), [state, sort, found, after].map(|field| field.get())),
        |(id, fields)| async move {
            match id {
                Some(id) => Ok((fields.clone(), read(id, fields).await?)),
                None => Err(no_such_line()),
            }
        },
    );
    let (me, arranged, find) = (use_me(), Arranged::of(ListKind::Conversations), Sending::to::<FindOnLine>());
    let states = || {
        let all = [Choice::new("", "All states")];
        all.into_iter().chain(Trouble::ALL.iter().map(|of| Choice::new(of.as_str(), trouble_name(*of)))).collect::<Vec<_>>()
    };
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match of.await {
                    Ok(line) => {
                        let sees = me.await.is_ok_and(|me| me.may(Permission::SeePersonalData));
                        let (id, of_type) = (line.id, line.integration_type);
                        view! {
                            <PageHead
                                title=line.number.readable() above=vec![("Lines".to_owned(), "/lines".to_owned())]
                                beside=move || view! { <TypeBadge of=of_type /> }
                            >
                                <CsvLink href=csv_url(format!("/lines/{id}/conversations.csv")) />
                            </PageHead>
                            <Tabs label="This line" tabs=tabs(id, true) />
                            <Find line=id sees=sees action=find />
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <div class="w-[calc(50%-0.25rem)] sm:w-40">
                <Select label="State" name="state" choices=states() value=state bare=true />
            </div>
            {keep_sort(sort)}
            <Show when=move || !found.get().is_empty()>
                <input type="hidden" name="found" value=move || found.get() />
                <Show when=move || !more.get().is_empty()>
                    <input type="hidden" name="more" value="true" />
                </Show>
            </Show>
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                match (of.await, page.await) {
                    (Ok(line), Ok((fields, first))) => list(&line, fields, first, shown, !more.get_untracked().is_empty()).into_any(),
                    (Ok(_), Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                    // The head says it already.
                    (Err(_), _) => ().into_any(),
                }
            })}
        </Transition>
    }
}

/// Finds a conversation by its contact.
#[component]
fn Find(line: LineId, sees: bool, action: Sending) -> impl IntoView {
    let fault = fault_of(action);
    let wrong = field_error(fault, "number");
    let label = if sees { "How the contact’s name begins, or part of their number" } else { "The contact’s whole number" };
    view! {
        <div role="search">
            <SendForm action=action>
                <div class="mb-3 flex flex-wrap items-end gap-2">
                    <input type="hidden" name="line" value=line.to_string() />
                    <div class="min-w-0 grow basis-60 sm:max-w-md">
                        <label for="number" class="sr-only">{label}</label>
                        <input
                            id="number" name="number" type="search" placeholder=label class="input w-full" autocomplete="off" data-search=""
                            required=true aria-describedby="number-error"
                        />
                    </div>
                    <Button pending=waits(action)>"Find"</Button>
                </div>
            </SendForm>
        </div>
        <FormFault fault=fault fields=&["number"] />
        <p id="number-error" class="text-error mb-3 text-xs font-medium empty:hidden" role="alert">
            {move || wrong.get()}
        </p>
    }
}

/// The head that turns the order round.
fn sorted(heads: Heads, filter: ConversationFilter) -> Heads {
    let (now, other) = if filter.oldest_first { (Order::Up, "") } else { (Order::Down, OLDEST) };
    heads.sorted(if filter.is_by_change() { "Changed" } else { "Last message" }, Some(now), sort_url(other))
}

fn list(line: &LineRow, fields: Fields, first: Page<ConversationRow>, shown: Shown, more: bool) -> impl IntoView + use<> {
    let (id, of_type, filter) = (line.id, line.integration_type, filter_of(&fields));
    let followed = follow(first, move |change| concerns_line(change, id), move || read(id, fields.clone()));
    let nothing = Memo::new(move |_| followed.now.with(|page| page.rows.is_empty()));
    let next = Memo::new(move |_| followed.now.with(|page| page.next.clone()));
    let is_masked = Memo::new(move |_| followed.now.with(|page| page.rows.iter().any(|row| row.number.whole().is_none())));
    let (has_chat, has_change) =
        (shown.has("chat") && of_type == IntegrationType::Ringcentral, shown.has("changed") || filter.is_by_change());
    let shown = shown.set(ListKind::Conversations, "chat", has_chat).set(ListKind::Conversations, "changed", has_change);
    let heads = StoredValue::new(sorted(shown.heads("Contact"), filter));
    let shown = StoredValue::new(shown);
    let row = move |row: ConversationRow| {
        view! { <tr role="row">{shown.with_value(|shown| cells(id, row, shown))}</tr> }
    };
    let empty = move || match (filter.found, filter.trouble, of_type) {
        (None, None, of_type) => {
            let says = match of_type {
                IntegrationType::None => "The line is set to None: replies are recorded, and no conversation is made of them.",
                _ => "A conversation begins with the first message to or from a contact.",
            };
            view! { <Empty title="No conversations">{says}</Empty> }.into_any()
        }
        (found, ..) => {
            let says = match found {
                Some(_) => "A contact has a conversation once something was texted to or by them on this line.",
                None => "No conversation is in this state.",
            };
            view! {
                <Empty title="No conversation fits">
                    <span>{says}</span>
                    <ButtonLink href=format!("/lines/{id}/conversations")>"Show all"</ButtonLink>
                </Empty>
            }
            .into_any()
        }
    };
    let only = filter.found.map(|_| {
        view! {
            <p class="mb-3 text-sm">
                "Only what was found. " {more.then_some("There are more: type more of it. ")}
                <a class="text-link" href=format!("/lines/{id}/conversations")>"Show all"</a>
            </p>
        }
    });
    view! {
        {only}
        {move || masked_note(is_masked.get())}
        <div class="panel">
            <Show
                when=move || nothing.get()
                fallback=move || {
                    view! {
                        <Table label="Conversations of the line" head=heads.get_value()>
                            <For each=move || followed.now.with(|page| page.rows.clone()) key=Clone::clone children=row />
                        </Table>
                    }
                }
            >
                {empty()}
            </Show>
        </div>
        {move || view! { <Pager label="Pages of conversations" next=next.get() /> }}
    }
}

fn cells(line: LineId, row: ConversationRow, shown: &Shown) -> impl IntoView + use<> {
    view! {
        <Cell of="Contact">{contact(row.contact, row.number, format!("/lines/{line}/conversations/{}", row.id))}</Cell>
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
            .has("chat")
            .then(|| {
                view! {
                    <Cell of="Chat">
                        <span class="muted break-all">{row.chat_id.unwrap_or_else(|| "None yet".to_owned())}</span>
                    </Cell>
                }
            })}
        {shown
            .has("last")
            .then(|| {
                view! {
                    <Cell of="Last message">
                        <Time at=row.last_at />
                    </Cell>
                }
            })}
        {shown.has("changed").then(|| view! { <Cell of="Changed">{row.changed_at.map(|at| view! { <Time at=at /> })}</Cell> })}
    }
}
