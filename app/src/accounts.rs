//! Accounts: the list, adding one, and each with its people, contacts and what can be done with it.

mod account;
mod close;
mod contact;
mod contacts;
mod tokens;
mod user;
mod users;

pub use account::AccountPage;
pub use close::CloseAccountPage;
pub use contact::{ContactPage, NameContact};
pub use contacts::ContactsPage;
pub use user::UserPage;
pub use users::UsersPage;

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, ButtonLink, Cell, Check, CsvLink, Empty, FaultView, Field, FilterBar, FormFault, Icon, Loading, Look, PageHead, Pager,
    RowLink, Search, SendForm, Sending, Table, Time, Tone, closed_badge, closed_filter, csv_url, fault_of, field_error, grouped, icon,
    load, query_field, waits,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use switchyard::types::{AccountDetail, AccountId, AccountRow, Cursor, ListKind, OpenOrClosed, Page, Permission, Problem};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// How many accounts a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// Accounts by name.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/list")]
pub async fn list_accounts(
    #[server(default)] search: String,
    state: Option<OpenOrClosed>,
    after: Option<Cursor>,
) -> Result<Page<AccountRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::accounts::narrowed(&services()?.db, &permit, &search, state, after.as_ref(), PAGE).await?)
}

/// Adds an account.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/add")]
pub async fn add_account(
    name: String,
    #[server(default)] sends_blasts: bool,
    #[server(default)] has_conversations: bool,
) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let id = directory::accounts::add(&services.db, &services.now, &permit, &name, sends_blasts, has_conversations).await?;
    leptos_axum::redirect(&format!("/accounts/{id}?done=added"));
    Ok(())
}

/// An account, whole.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/get")]
pub async fn get_account(id: AccountId) -> Result<AccountDetail, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::accounts::detail(&services()?.db, &permit, id).await?)
}

/// The views of an account.
pub fn account_tabs(id: AccountId, sees_messages: bool) -> Vec<(&'static str, String)> {
    let mut tabs = vec![
        ("Overview", format!("/accounts/{id}")),
        ("People", format!("/accounts/{id}/users")),
        ("Contacts", format!("/accounts/{id}/contacts")),
    ];
    if sees_messages {
        tabs.push(("Blasts", format!("/accounts/{id}/blasts")));
    }
    tabs.push(("Retention", format!("/accounts/{id}/retention")));
    tabs
}

/// The way to an account's pages.
pub fn above_account(id: AccountId, name: &str) -> Vec<(String, String)> {
    vec![("Accounts".to_owned(), "/accounts".to_owned()), (name.to_owned(), format!("/accounts/{id}"))]
}

/// The list of accounts.
#[component]
pub fn AccountsPage() -> impl IntoView {
    let (q, state, after) = (query_field("q"), query_field("state"), query_field("after"));
    let arranged = Arranged::of(ListKind::Accounts);
    let page = load(
        move || (q.get(), state.get(), after.get()),
        |(q, state, after)| list_accounts(q, state.parse().ok(), (!after.is_empty()).then_some(Cursor(after))),
    );
    let me = use_me();
    view! {
        <PageHead title="Accounts">
            <ButtonLink href="/findings">"Findings"</ButtonLink>
            <CsvLink href=csv_url("/accounts.csv") />
            <Suspense>
                {move || Suspend::new(async move {
                    me.await
                        .is_ok_and(|me| me.may_everywhere(Permission::ManageDirectory))
                        .then(|| {
                            view! {
                                <ButtonLink href="/accounts/new" look=Look::Main>
                                    {icon(Icon::Plus)}
                                    "Add account"
                                </ButtonLink>
                            }
                        })
                })}
            </Suspense>
        </PageHead>
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <Search label="Name of the account" value=q />
            {closed_filter(state)}
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Show
                                    when=move || q.get().is_empty() && state.get().is_empty()
                                    fallback=|| {
                                        view! {
                                            <Empty title="No account fits">
                                                <span>"Search for less of the name, or for open and closed."</span>
                                                <ButtonLink href="/accounts">"Show all accounts"</ButtonLink>
                                            </Empty>
                                        }
                                    }
                                >
                                    <Empty title="No accounts yet">"Add the first account; then give it lines."</Empty>
                                </Show>
                            </div>
                        }
                            .into_any()
                    }
                    Ok(page) => {
                        view! {
                            <div class="panel">
                                <Table label="Accounts" head=shown.heads("Name")>
                                    {page.rows.into_iter().map(|account| row(account, &shown)).collect_view()}
                                </Table>
                            </div>
                            <Pager label="Pages of accounts" next=page.next />
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn row(account: AccountRow, shown: &Shown) -> impl IntoView + use<> {
    let (tone, connected) = if account.connected { (Tone::Good, "Connected") } else { (Tone::Plain, "Not connected") };
    let (id, products, is_closed) = (account.id, account.products(), account.closed_at.is_some());
    view! {
        <tr role="row">
            <Cell of="Name">
                <RowLink href=format!("/accounts/{id}")>{account.name}</RowLink>
                " "
                {closed_badge(is_closed)}
            </Cell>
            {shown.has("products").then(|| view! { <Cell of="Products">{products}</Cell> })}
            {shown
                .has("lines")
                .then(|| {
                    view! {
                        <Cell of="Lines" number=true>
                            <a class="text-link above" href=format!("/lines?account={id}")>{grouped(account.lines)}</a>
                        </Cell>
                    }
                })}
            {shown
                .has("ringcentral")
                .then(|| {
                    view! {
                        <Cell of="RingCentral">
                            <Badge tone=tone>{connected}</Badge>
                        </Cell>
                    }
                })}
            {shown.has("closed").then(|| view! { <Cell of="Closed">{account.closed_at.map(|at| view! { <Time at=at /> })}</Cell> })}
        </tr>
    }
}

/// The form that adds an account.
#[component]
pub fn NewAccountPage() -> impl IntoView {
    let me = use_me();
    view! {
        <PageHead title="Add an account" above=vec![("Accounts".to_owned(), "/accounts".to_owned())] />
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match me.await {
                    Ok(me) if me.may_everywhere(Permission::ManageDirectory) => view! { <NewAccount /> }.into_any(),
                    Ok(me) => {
                        let fault = Problem::forbidden(match me.may(Permission::ManageDirectory) {
                            true => "Only someone whose role holds on all accounts can add one.",
                            false => "Your roles do not let you add accounts.",
                        })
                        .into();
                        view! { <FaultView fault=fault /> }.into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn NewAccount() -> impl IntoView {
    let action = Sending::to::<AddAccount>();
    let fault = fault_of(action);
    view! {
        <div class="panel max-w-xl p-5">
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <FormFault fault=fault fields=&["name"] />
                    <Field label="Name" name="name" help="The client's name, as staff know it." error=field_error(fault, "name") />
                    <fieldset class="flex flex-col gap-1">
                        <legend class="mb-1 font-medium">"Products"</legend>
                        <Check label="Blast: one message to many" name="sends_blasts" checked=true />
                        <Check label="Conversation: messages back and forth" name="has_conversations" checked=true />
                    </fieldset>
                    <div class="flex gap-2">
                        <Button look=Look::Main pending=waits(action)>
                            "Add account"
                        </Button>
                        <ButtonLink href="/accounts">"Cancel"</ButtonLink>
                    </div>
                </div>
            </SendForm>
        </div>
    }
}
