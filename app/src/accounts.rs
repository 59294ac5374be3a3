//! Accounts: the list, and adding one.

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, ButtonLink, Cell, Check, Empty, FaultView, Field, FilterBar, FormFault, Icon, Loading, Look, Notice, PageHead, Pager,
    RowLink, Search, SendForm, Sending, Table, Tone, fault_of, field_error, icon, load, query_field, waits,
};
use leptos::prelude::*;
use switchyard::types::{AccountRow, Cursor, Page, Permission};

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
pub async fn list_accounts(#[server(default)] search: String, after: Option<Cursor>) -> Result<Page<AccountRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::accounts::list(&services()?.db, &permit, &search, after.as_ref(), PAGE).await?)
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
    directory::accounts::add(&services.db, &services.now, &permit, &name, sends_blasts, has_conversations).await?;
    leptos_axum::redirect("/accounts?done=added");
    Ok(())
}

/// The list of accounts.
#[component]
pub fn AccountsPage() -> impl IntoView {
    let (q, after) = (query_field("q"), query_field("after"));
    let page = load(move || (q.get(), after.get()), |(q, after)| list_accounts(q, (!after.is_empty()).then_some(Cursor(after))));
    let me = use_me();
    view! {
        <PageHead title="Accounts">
            <Suspense>
                {move || Suspend::new(async move {
                    me.await
                        .is_ok_and(|me| me.may(Permission::ManageDirectory))
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
        <Notice words=&[("added", "The account was added.")] />
        <FilterBar>
            <Search label="Name of the account" value=q />
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Show
                                    when=move || q.get().is_empty()
                                    fallback=|| view! { <Empty title="No account fits">"Search for less of the name."</Empty> }
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
                                <Table label="Accounts" head=&["Name", "Products", "Lines", "RingCentral"]>
                                    {page.rows.into_iter().map(row).collect_view()}
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

fn row(account: AccountRow) -> impl IntoView {
    let products = match (account.sends_blasts, account.has_conversations) {
        (true, true) => "Blast, Conversation",
        (true, false) => "Blast",
        (false, true) => "Conversation",
        (false, false) => "None",
    };
    let (tone, connected) = if account.connected { (Tone::Good, "Connected") } else { (Tone::Plain, "Not connected") };
    view! {
        <tr role="row">
            <Cell of="Name">
                <RowLink href=format!("/accounts/{}", account.id)>{account.name}</RowLink>
            </Cell>
            <Cell of="Products">{products}</Cell>
            <Cell of="Lines">{account.lines}</Cell>
            <Cell of="RingCentral">
                <Badge tone=tone>{connected}</Badge>
            </Cell>
        </tr>
    }
}

/// The form that adds an account.
#[component]
pub fn NewAccountPage() -> impl IntoView {
    let action = Sending::to::<AddAccount>();
    let fault = fault_of(action);
    view! {
        <PageHead title="Add an account" above=vec![("Accounts".to_owned(), "/accounts".to_owned())] />
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
