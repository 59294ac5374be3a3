//! The contacts of an account that it knows by name, and finding one.
//!
//! The rule: what is searched for is a name or a number: it travels in the body of a request. The URL names the search alone, which only
//! its searcher can look at.

use super::contact::{AddContact, add_contact_fold};
use super::{account_tabs, get_account};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Button, ButtonLink, Cell, CsvLink, Empty, FaultView, FilterBar, FormFault, Loading, PageHead, Pager, RowLink, SendForm, Sending, Table,
    Tabs, Time, closed_badge, closed_filter, contact_number, csv_url, fault_of, field_error, id_of_path, load, masked_note, mistyped,
    query_field, waits,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use switchyard::types::{AccountId, ContactRow, Cursor, ListKind, OpenOrClosed, Page, Permission, SearchId};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
    switchyard::types::Problem,
};

/// How many contacts a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// The contacts of an account, or those of them whom a search has found.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/list")]
pub async fn list_contacts(
    account: AccountId,
    state: Option<OpenOrClosed>,
    found: Option<SearchId>,
    after: Option<Cursor>,
) -> Result<Page<ContactRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let services = services()?;
    Ok(match found {
        Some(search) => directory::contacts::found(&services.db, &services.now, &services.keys, &permit, account, state, search).await?,
        None => directory::contacts::narrowed(&services.db, &permit, account, state, after.as_ref(), PAGE).await?,
    })
}

/// Finds contacts by how their name begins, or by their whole number; leads to the one, if it is one, else to what was found.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/find")]
pub async fn find_contacts(account: AccountId, text: String) -> Result<(), Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let services = services()?;
    let (found, kept) = directory::contacts::look_for(&services.db, &services.now, &services.keys, &permit, account, &text).await?;
    let to = match (kept, found.rows.first()) {
        (Some(search), _) => format!("/accounts/{account}/contacts?found={search}{}", if found.is_cut { "&more=true" } else { "" }),
        (None, Some(one)) => format!("/contacts/{}", one.id),
        (None, None) => return Err(Problem::invalid("text", "Nobody fits. Write less of how the name begins, or the whole number.").into()),
    };
    leptos_axum::redirect(&to);
    Ok(())
}

/// The fields of the URL that say which contacts are shown: their state, the search, and where the page begins.
type Fields = [String; 3];

async fn read(id: AccountId, [state, found, after]: Fields) -> Result<Page<ContactRow>, Fault> {
    list_contacts(id, state.parse().ok(), found.parse().ok(), (!after.is_empty()).then_some(Cursor(after))).await
}

/// The contacts of an account.
#[component]
pub fn ContactsPage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let (state, found, after, more) = (query_field("state"), query_field("found"), query_field("after"), query_field("more"));
    let (find, add) = (Sending::to::<FindContacts>(), Sending::to::<AddContact>());
    let of = load(
        move || id.get(),
        |id| async move {
            let Some(id) = id else { return Err(mistyped()) };
            get_account(id).await
        },
    );
    let page = load(
        move || (id.get(), [state, found, after].map(|field| field.get())),
        |(id, fields)| async move {
            let Some(id) = id else { return Err(mistyped()) };
            Ok((fields.clone(), read(id, fields).await?))
        },
    );
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Contacts));
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, of.await, page.await) {
                    (Ok(me), Ok(account), page) => {
                        let id = account.row.id;
                        let is_closed = account.row.closed_at.is_some();
                        let is_masked = page.is_ok_and(|(_, page)| page.rows.iter().any(|row| row.name.is_none()));
                        let may_find = me.may(Permission::SeePersonalData) && !is_masked;
                        let may_add = may_find && !is_closed && me.may(Permission::ManageDirectory);
                        view! {
                            <PageHead
                                title=account.row.name.clone() above=vec![("Accounts".to_owned(), "/accounts".to_owned())]
                                beside=move || closed_badge(is_closed)
                            >
                                <CsvLink href=csv_url(format!("/accounts/{id}/contacts.csv")) />
                                {may_add.then(|| add_contact_fold(id, &account.row.name, add))}
                            </PageHead>
                            <Tabs label="This account" tabs=account_tabs(id, me.may(Permission::SeeMessages)) />
                            {masked_note(is_masked)}
                            {may_find.then(|| view! { <Find account=id action=find /> })}
                        }
                            .into_any()
                    }
                    (Err(fault), ..) | (_, Err(fault), _) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            {closed_filter(state)}
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
                    (Ok(account), Ok((fields, page))) => {
                        list(account.row.id, &fields, page, !more.get_untracked().is_empty(), &shown).into_any()
                    }
                    (Ok(_), Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                    // The head says it already.
                    (Err(_), _) => ().into_any(),
                }
            })}
        </Transition>
    }
}

fn list(account: AccountId, [state, found, _]: &Fields, page: Page<ContactRow>, more: bool, shown: &Shown) -> impl IntoView + use<> {
    let is_found = found.parse::<SearchId>().is_ok();
    if page.rows.is_empty() && is_found {
        return view! {
            <div class="panel">
                <Empty title="Nobody fits">
                    <span>"Of those who were found, nobody is there any more, or in this state."</span>
                    <ButtonLink href=format!("/accounts/{account}/contacts")>"Show all"</ButtonLink>
                </Empty>
            </div>
        }
        .into_any();
    }
    if page.rows.is_empty() {
        let (title, says) = if state.is_empty() {
            (
                "No contacts yet",
                "An account knows a contact by name once somebody has added them here, or on their conversation. Conversations are there without it.",
            )
        } else {
            ("Nobody fits", "Choose open and closed to see every contact.")
        };
        return view! {
            <div class="panel">
                <Empty title=title>{says}</Empty>
            </div>
        }
        .into_any();
    }
    let only = is_found.then(|| {
        view! {
            <p class="mb-3 text-sm">
                "Only who was found. " {more.then_some("There are more: type more of it. ")}
                <a class="text-link" href=format!("/accounts/{account}/contacts")>"Show all"</a>
            </p>
        }
    });
    view! {
        {only}
        <div class="panel">{table(page.rows, shown)}</div>
        <Pager label="Pages of contacts" next=page.next />
    }
    .into_any()
}

fn table(rows: Vec<ContactRow>, shown: &Shown) -> impl IntoView + use<> {
    let row = |row: ContactRow| {
        view! {
            <tr role="row">
                <Cell of="Name">
                    <RowLink href=format!("/contacts/{}", row.id)>{row.name.unwrap_or_else(|| "Name masked".to_owned())}</RowLink>
                    " "
                    {closed_badge(row.closed_at.is_some())}
                </Cell>
                {shown.has("number").then(|| view! { <Cell of="Number">{contact_number(&row.number)}</Cell> })}
                {shown.has("closed").then(|| view! { <Cell of="Closed">{row.closed_at.map(|at| view! { <Time at=at /> })}</Cell> })}
            </tr>
        }
    };
    let (heads, rows) = (shown.heads("Name"), rows.into_iter().map(row).collect_view());
    view! {
        <Table label="Contacts" head=heads>
            {rows}
        </Table>
    }
}

#[component]
fn Find(account: AccountId, action: Sending) -> impl IntoView {
    let fault = fault_of(action);
    let wrong = field_error(fault, "text");
    view! {
        <SendForm action=action>
            <div class="mb-3 flex flex-wrap items-end gap-2" role="search">
                <input type="hidden" name="account" value=account.to_string() />
                <div class="min-w-0 grow basis-60 sm:max-w-md">
                    <label for="text" class="sr-only">"How the name begins, or the whole number"</label>
                    <input
                        id="text" name="text" type="search" placeholder="How the name begins, or the whole number" class="input w-full"
                        autocomplete="off" data-search="" required=true aria-describedby="text-error"
                    />
                </div>
                <Button pending=waits(action)>"Find"</Button>
            </div>
        </SendForm>
        <FormFault fault=fault fields=&["text"] />
        <p id="text-error" class="text-error mb-3 text-xs font-medium empty:hidden" role="alert">
            {move || wrong.get()}
        </p>
    }
}
