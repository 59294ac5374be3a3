//! The people of an account: the list, and adding one.

use super::{account_tabs, get_account};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Button, ButtonLink, Cell, CsvLink, Empty, FaultView, Field, FilterBar, FormFault, Loading, Look, Notice, PageHead, Pager, Pick,
    Picking, RowLink, Search, SendForm, Sending, Table, Tabs, Time, closed_badge, closed_filter, csv_url, fault_of, field_error, grouped,
    id_of_path, load, mistyped, query_field, waits,
};
use crate::views::{Arranged, ListTools, Shown, Views};
use leptos::prelude::*;
use switchyard::types::{AccountDetail, AccountId, BulkAct, Cursor, ListKind, OpenOrClosed, Page, Permission, UserRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// How many people a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// The people of an account, by name; `search` is how their name or e-mail begins.
#[server(prefix = "/fn", output = Reply, endpoint = "users/list")]
pub async fn list_users(
    account: AccountId,
    #[server(default)] search: String,
    state: Option<OpenOrClosed>,
    after: Option<Cursor>,
) -> Result<Page<UserRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::users::narrowed(&services()?.db, &permit, account, &search, state, after.as_ref(), PAGE).await?)
}

/// Adds a person to an account and leads to them.
#[server(prefix = "/fn", output = Reply, endpoint = "users/add")]
pub async fn add_user(account: AccountId, name: String, email: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let id = directory::users::add(&services.db, &services.now, &permit, account, &name, &email).await?;
    leptos_axum::redirect(&format!("/users/{id}?done=added"));
    Ok(())
}

/// The people of an account.
#[component]
pub fn UsersPage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let (q, state, after) = (query_field("q"), query_field("state"), query_field("after"));
    let add = Sending::to::<AddUser>();
    let account = load(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => get_account(id).await,
                None => Err(mistyped()),
            }
        },
    );
    let page = load(
        move || (id.get(), q.get(), state.get(), after.get()),
        |(id, q, state, after)| async move {
            match id {
                Some(id) => list_users(id, q, state.parse().ok(), (!after.is_empty()).then_some(Cursor(after))).await,
                None => Err(mistyped()),
            }
        },
    );
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Users));
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, account.await) {
                    (Ok(me), Ok(account)) => {
                        let may_add = me.may(Permission::ManageDirectory) && account.row.closed_at.is_none();
                        view! {
                            <PageHead
                                title=account.row.name.clone() above=vec![("Accounts".to_owned(), "/accounts".to_owned())]
                                beside={
                                    let is_closed = account.row.closed_at.is_some();
                                    move || closed_badge(is_closed)
                                }
                            >
                                <CsvLink href=csv_url(format!("/accounts/{}/users.csv", account.row.id)) />
                            </PageHead>
                            <Tabs label="This account" tabs=account_tabs(account.row.id, me.may(Permission::SeeMessages)) />
                            {may_add.then(|| add_form(&account, add))}
                        }
                            .into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
        <Notice words=&[("bulk", "They are closed.")] />
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <Search label="How the name or e-mail begins" value=q />
            {closed_filter(state)}
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                let may_close = me.await.is_ok_and(|me| me.may(Permission::ManageDirectory));
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Show
                                    when=move || q.get().is_empty() && state.get().is_empty()
                                    fallback=|| {
                                        view! {
                                            <Empty title="Nobody fits">
                                                "Write less of how the name or the e-mail begins, or choose open and closed."
                                            </Empty>
                                        }
                                    }
                                >
                                    <Empty title="No people yet">"People of the client are given access to lines. Add the first one."</Empty>
                                </Show>
                            </div>
                        }
                            .into_any()
                    }
                    Ok(page) => {
                        let (rows, next) = (page.rows, page.next);
                        let is_part = next.is_some() || !after.get_untracked().is_empty();
                        let count = rows.len();
                        let table = move || {
                            view! {
                                <div class="panel">
                                    <Table label="People of the account" head=shown.heads("Name")>
                                        {rows.into_iter().map(|user| row(user, may_close, &shown)).collect_view()}
                                    </Table>
                                </div>
                            }
                        };
                        let account = id.get_untracked().map(|id| id.to_string()).unwrap_or_default();
                        let fixed = vec![("act", BulkAct::CloseUsers.as_str().to_owned()), ("account", account)];
                        let list = match may_close {
                            true => {
                                view! {
                                    <Picking action="/bulk" filter=&["q", "state"] fixed=fixed rows=count is_part=is_part bar=close>
                                        {table()}
                                    </Picking>
                                }
                                    .into_any()
                            }
                            false => table().into_any(),
                        };
                        view! {
                            {list}
                            <Pager label="Pages of people" next=next />
                        }
                            .into_any()
                    }
                    // The head says it already.
                    Err(_) => ().into_any(),
                }
            })}
        </Transition>
    }
}

/// What can be done with chosen people.
fn close() -> impl IntoView {
    view! { <Button>"Close…"</Button> }
}

fn row(user: UserRow, may_pick: bool, shown: &Shown) -> impl IntoView + use<> {
    view! {
        <tr role="row">
            {may_pick.then(|| view! { <Pick name="row" value=user.id.to_string() label=user.name.clone() /> })}
            <Cell of="Name">
                <RowLink href=format!("/users/{}", user.id)>{user.name}</RowLink>
                " "
                {closed_badge(user.closed_at.is_some())}
            </Cell>
            {shown.has("email").then(|| view! { <Cell of="E-mail">{user.email}</Cell> })}
            {shown.has("lines").then(|| view! { <Cell of="Lines" number=true>{grouped(user.lines)}</Cell> })}
            {shown.has("closed").then(|| view! { <Cell of="Closed">{user.closed_at.map(|at| view! { <Time at=at /> })}</Cell> })}
        </tr>
    }
}

fn add_form(account: &AccountDetail, action: Sending) -> impl IntoView + use<> {
    let fault = fault_of(action);
    let id = account.row.id;
    view! {
        <details class="fold panel mb-4" open=move || fault.with(Option::is_some)>
            <summary class="px-4 py-3 font-medium text-primary">"Add a person…"</summary>
            <div class="px-4 pb-4">
                <SendForm action=action>
                    <div class="flex max-w-md flex-col gap-3">
                        <FormFault fault=fault fields=&["name", "email"] />
                        <input type="hidden" name="account" value=id.to_string() />
                        <Field label="Name" name="name" error=field_error(fault, "name") />
                        <Field
                            label="E-mail" name="email" kind="email" help="By this address RingCentral knows them." error=field_error(fault, "email")
                        />
                        <div class="flex gap-2">
                            <Button look=Look::Main pending=waits(action)>
                                "Add person"
                            </Button>
                            <ButtonLink href=format!("/accounts/{id}")>"Cancel"</ButtonLink>
                        </div>
                    </div>
                </SendForm>
            </div>
        </details>
    }
}
