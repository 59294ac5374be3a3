//! The contacts of an account that it knows by name, and finding one.
//!
//! The rule: what is searched for is a name or a number: it travels in the body of a request and stands in no address.

use super::contact::{AddContact, add_contact_fold};
use super::{account_tabs, get_account};
use crate::fault::{Fault, Reply};
use crate::find::there_are_more;
use crate::frame::use_me;
use crate::ui::{
    Button, Cell, CsvLink, Empty, FaultView, FilterBar, FormFault, Loading, PageHead, Pager, RowLink, SendForm, Sending, Table, Tabs, Time,
    closed_badge, closed_filter, contact_number, csv_url, fault_of, field_error, id_of_path, load, masked_note, mistyped, query_field,
    waits,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use futures_util::future::try_join;
use leptos::prelude::*;
use switchyard::types::{AccountId, ContactRow, Cursor, ListKind, OpenOrClosed, Page, Part, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{is_plain_form, permit, services},
    switchyard::directory,
    switchyard::staff::may,
    switchyard::types::Problem,
};

/// How many contacts a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// The contacts of an account.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/list")]
pub async fn list_contacts(account: AccountId, state: Option<OpenOrClosed>, after: Option<Cursor>) -> Result<Page<ContactRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::contacts::narrowed(&services()?.db, &permit, account, state, after.as_ref(), PAGE).await?)
}

/// Finds contacts by how their name begins, or by their whole number; leads to the one, if it is one.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/find")]
pub async fn find_contacts(account: AccountId, text: String) -> Result<Part<ContactRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let found = directory::contacts::find(&services()?.db, &permit, account, &text).await?;
    match &found.rows[..] {
        [] => return Err(Problem::invalid("text", "Nobody fits. Write less of how the name begins, or the whole number.").into()),
        [one] => leptos_axum::redirect(&format!("/contacts/{}", one.id)),
        // Without JavaScript there is no place for what was found.
        _ if is_plain_form() => return Err(Problem::invalid("text", "Several fit. Write more of the name.").into()),
        _ => {}
    }
    Ok(found)
}

/// The contacts of an account.
#[component]
pub fn ContactsPage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let (state, after) = (query_field("state"), query_field("after"));
    let (find, add) = (Sending::to::<FindContacts>(), Sending::to::<AddContact>());
    let found = load(
        move || (id.get(), state.get(), after.get()),
        |(id, state, after)| async move {
            let Some(id) = id else { return Err(mistyped()) };
            try_join(get_account(id), list_contacts(id, state.parse().ok(), (!after.is_empty()).then_some(Cursor(after)))).await
        },
    );
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Contacts));
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((account, page))) => {
                        let id = account.row.id;
                        let is_closed = account.row.closed_at.is_some();
                        let is_masked = page.rows.iter().any(|row| row.name.is_none());
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
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>{closed_filter(state)}</FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                match found.await {
                    Ok((_, page)) => list(page, !state.get_untracked().is_empty(), &shown).into_any(),
                    // The head says it already.
                    Err(_) => ().into_any(),
                }
            })}
        </Transition>
    }
}

fn list(page: Page<ContactRow>, is_narrowed: bool, shown: &Shown) -> impl IntoView + use<> {
    if page.rows.is_empty() {
        let (title, says) = if is_narrowed {
            ("Nobody fits", "Choose open and closed to see every contact.")
        } else {
            (
                "No contacts yet",
                "An account knows a contact by name once somebody has added them here, or on their conversation. Conversations are there without it.",
            )
        };
        return view! {
            <div class="panel">
                <Empty title=title>{says}</Empty>
            </div>
        }
        .into_any();
    }
    view! {
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
    let found = move || {
        let part = action.answer().with(|answer| serde_json::from_str::<Part<ContactRow>>(answer.as_ref()?.as_ref().ok()?).ok());
        part.filter(|part| part.rows.len() > 1).map(|part| {
            view! {
                <section class="panel mb-4">
                    <h2 class="border-b border-base-300 px-4 py-3 font-semibold">"Found"</h2>
                    {table(part.rows, &Shown::by_default(ListKind::Contacts))}
                    {there_are_more(part.is_cut)}
                </section>
            }
        })
    };
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
        {found}
    }
}
