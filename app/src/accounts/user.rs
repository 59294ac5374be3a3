//! One person of an account: name and e-mail, access to lines, closing and opening again.

use super::above_account;
use crate::audit::audit_fact;
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::lines::{SetAccess, only_first};
use crate::ui::{
    Badge, Button, ConfirmFold, Empty, FaultView, Field, FormFault, Loading, Look, Notice, Number, PageHead, Panel, SendForm, Sending,
    Time, Tone, TypeBadge, closed_badge, closed_fact, fault_of, field_error, grouped, id_of_path, load, look_again, mistyped,
    toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{LineRow, Permission, UserDetail, UserId, UserRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// A person, whole.
#[server(prefix = "/fn", output = Reply, endpoint = "users/get")]
pub async fn get_user(id: UserId) -> Result<UserDetail, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::users::get(&services()?.db, &permit, id).await?)
}

/// Edits a person's name and e-mail.
#[server(prefix = "/fn", output = Reply, endpoint = "users/edit")]
pub async fn edit_user(id: UserId, version: i64, name: String, email: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::users::edit(&services.db, &services.now, &permit, id, version, &name, &email).await?)
}

/// Closes a person: they lose access to every line.
#[server(prefix = "/fn", output = Reply, endpoint = "users/close")]
pub async fn close_user(id: UserId, version: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::users::close(&services.db, &services.now, &permit, id, version).await?)
}

/// Opens a closed person again.
#[server(prefix = "/fn", output = Reply, endpoint = "users/reopen")]
pub async fn reopen_user(id: UserId, version: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::users::reopen(&services.db, &services.now, &permit, id, version).await?)
}

/// What can be done on the page; each form has its own.
#[derive(Clone, Copy)]
struct Acts {
    edit: Sending,
    close: Sending,
    reopen: Sending,
    access: Sending,
}

/// One person of an account.
#[component]
pub fn UserPage() -> impl IntoView {
    let id = id_of_path::<UserId>();
    let acts = Acts {
        edit: Sending::to::<EditUser>(),
        close: Sending::to::<CloseUser>(),
        reopen: Sending::to::<ReopenUser>(),
        access: Sending::to::<SetAccess>(),
    };
    let looks = RwSignal::new(0_u32);
    for act in [acts.edit, acts.close, acts.reopen, acts.access] {
        act.on_success(move || looks.update(|looks| *looks += 1));
    }
    toast_on_success(acts.reopen, "The person is open again. Give them access to lines.");
    toast_on_success(acts.access, "Access was changed.");
    let found = load(
        move || (id.get(), looks.get()),
        |(id, _)| async move {
            match id {
                Some(id) => get_user(id).await,
                None => Err(mistyped()),
            }
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(user)) => whole(&me, user, acts, looks).into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(me: &Me, user: UserDetail, acts: Acts, looks: RwSignal<u32>) -> impl IntoView + use<> {
    let (may, sees_audit) = (me.may(Permission::ManageDirectory), me.may(Permission::SeeAudit));
    let UserDetail { row, account_id, account, version, created_at, lines, lines_of_account } = user;
    let (id, is_closed) = (row.id, row.closed_at.is_some());
    let mut above = above_account(account_id, &account);
    above.push(("People".to_owned(), format!("/accounts/{account_id}/users")));
    let with_access: Vec<LineRow> = lines.iter().filter(|(_, has)| *has).map(|(line, _)| line.clone()).collect();
    let act = may.then(|| {
        if is_closed {
            reopen_fold(id, version, &row.name, acts.reopen).into_any()
        } else {
            close_fold(id, version, &row, &with_access, acts.close).into_any()
        }
    });
    let fault = fault_of(acts.edit);
    let (name, email, closed_at) = (row.name.clone(), row.email.clone(), row.closed_at);
    let edit = may.then(|| {
        view! {
            <Panel title="Name and e-mail">
                <SendForm action=acts.edit>
                    <div class="flex max-w-md flex-col gap-3">
                        <FormFault fault=fault fields=&["name", "email"] />
                        {look_again(acts.edit, looks)}
                        <input type="hidden" name="id" value=id.to_string() />
                        <input type="hidden" name="version" value=version.to_string() />
                        <Field label="Name" name="name" value=name error=field_error(fault, "name") />
                        <Field
                            label="E-mail" name="email" kind="email" value=email
                            help="By this address RingCentral knows them. The chats of their lines follow a new one." error=field_error(fault, "email")
                        />
                        <div>
                            <Button look=Look::Main pending=waits(acts.edit)>
                                "Save"
                            </Button>
                        </div>
                    </div>
                </SendForm>
            </Panel>
        }
    });
    view! {
        <PageHead title=row.name above=above beside=move || closed_badge(is_closed)>
            {act}
        </PageHead>
        <Notice words=&[("added", "The person was added. Give them access to lines.")] />
        <FormFault fault=fault_of(acts.close) />
        <FormFault fault=fault_of(acts.reopen) />
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <div class="flex min-w-0 flex-col gap-4">
                <Panel title="Facts">
                    <dl class="facts">
                        <dt>"E-mail"</dt>
                        <dd>{row.email}</dd>
                        <dt>"Account"</dt>
                        <dd>
                            <a class="text-link" href=format!("/accounts/{account_id}")>{account}</a>
                        </dd>
                        <dt>"Added"</dt>
                        <dd>
                            <Time at=created_at />
                        </dd>
                        {closed_fact(closed_at)}
                        {audit_fact(sees_audit, id.0, "Audit of this person")}
                    </dl>
                </Panel>
                {edit}
            </div>
            {access_panel(id, lines, lines_of_account, may && !is_closed, acts.access)}
        </div>
    }
}

/// Closing takes all their access: how much that is says the person's row, and these are the first of the lines.
fn close_fold(id: UserId, version: i64, row: &UserRow, lines: &[LineRow], action: Sending) -> impl IntoView + use<> {
    let name = row.name.clone();
    let first = &lines[..lines.len().min(10)];
    let named = first.iter().map(|line| view! { <li>{line.label.clone()} " · " {line.number.readable()}</li> }).collect_view();
    let more = row.lines.saturating_sub(i64::try_from(first.len()).unwrap_or(i64::MAX));
    let none = row.lines == 0;
    view! {
        <ConfirmFold label="Close" of=name.clone()>
            {if none {
                view! { <p>{name} " has access to no line. They can be reopened."</p> }.into_any()
            } else {
                view! {
                    <p>{name} " loses access to these lines at once, and leaves their RingCentral chats:"</p>
                    <ul class="list-disc ps-5">{named}</ul>
                    {(more > 0).then(|| view! { <p>{format!("and {} more.", grouped(more))}</p> })}
                    <p>"They can be reopened; access is then given anew."</p>
                }
                    .into_any()
            }}
            <SendForm action=action>
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="version" value=version.to_string() />
                <Button look=Look::Danger pending=waits(action)>
                    "Close the person"
                </Button>
            </SendForm>
        </ConfirmFold>
    }
}

fn reopen_fold(id: UserId, version: i64, name: &str, action: Sending) -> impl IntoView + use<> {
    view! {
        <ConfirmFold label="Reopen" of=name.to_owned() plain=true>
            <p>"They can be given access to lines again."</p>
            <SendForm action=action>
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="version" value=version.to_string() />
                <Button look=Look::Main pending=waits(action)>
                    "Reopen the person"
                </Button>
            </SendForm>
        </ConfirmFold>
    }
}

fn access_panel(id: UserId, lines: Vec<(LineRow, bool)>, of_account: i64, may: bool, action: Sending) -> impl IntoView {
    let none = lines.is_empty();
    let cut = only_first(lines.len(), of_account, "lines", "Access to another line is given on the line’s page.");
    let row = move |(line, has): (LineRow, bool)| {
        let (id_of_line, number, label, of_type) = (line.id, line.number, line.label.clone(), line.integration_type);
        let control = may.then(|| {
            view! {
                // As wide for either word, so that the states stand below each other.
                <div class="-me-3 w-20 text-end">
                    <SendForm action=action>
                        <input type="hidden" name="line" value=id_of_line.to_string() />
                        <input type="hidden" name="user" value=id.to_string() />
                        <input type="hidden" name="access" value=(!has).to_string() />
                        <Button look=Look::Quiet>
                            {if has { "Remove" } else { "Give" }} <span class="sr-only">" access to " {line.label}</span>
                        </Button>
                    </SendForm>
                </div>
            }
        });
        view! {
            <li class="flex items-center justify-between gap-3 px-4 py-2">
                <div class="min-w-0">
                    <a class="text-link font-medium" href=format!("/lines/{id_of_line}")>
                        <Number number=number />
                    </a>
                    <p class="muted text-xs wrap-anywhere">{label}</p>
                </div>
                <div class="flex shrink-0 items-center gap-2">
                    <TypeBadge of=of_type />
                    {has.then(|| view! { <Badge tone=Tone::Good>"Has access"</Badge> })} {control}
                </div>
            </li>
        }
    };
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Access to lines"</h2>
                <p class="muted text-xs">"The account’s lines. The RingCentral chats of a line follow who has access."</p>
                {cut}
            </header>
            <div class="has-[.alert]:p-3">
                <FormFault fault=fault_of(action) />
            </div>
            {if none {
                view! { <Empty title="No lines">"The account has no lines yet."</Empty> }.into_any()
            } else {
                view! { <ul class="divide-y divide-base-300/60">{lines.into_iter().map(row).collect_view()}</ul> }.into_any()
            }}
        </section>
    }
}
