//! One role: its name, the accounts it holds on, who has it, and its end.

use super::read_matrix;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::lines::offered_accounts;
use crate::ui::{
    Button, ButtonLink, ConfirmFold, FaultView, Field, FormFault, Loading, Look, PageHead, Panel, SendForm, Sending, fault_of, field_error,
    load, query_field, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use switchyard::types::{AccountId, Outcome, Permission, Problem, RoleDetail, RoleId};

#[cfg(feature = "ssr")]
use {
    crate::approvals::lead,
    crate::context::{member, permit, proof, services},
    switchyard::staff::may,
    switchyard::staff::roles::{self, Edit, RoleEdit},
};

/// How many accounts the page offers at once.
const OFFERED: usize = 50;

/// Names a role anew and sets where it holds; what it allows stays.
#[server(prefix = "/fn", output = Reply, endpoint = "roles/set")]
pub async fn set_role(
    id: RoleId,
    version: i64,
    name: String,
    #[server(default)] everywhere: bool,
    #[server(default)] accounts: Vec<AccountId>,
    #[server(default)] note: String,
) -> Result<Outcome, Fault> {
    let _permit = permit::<may::ManageRoles>().await?;
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    let see = member.permit::<may::SeeStaff>()?;
    let matrix = roles::matrix(&services.db, &see).await?;
    let standing = matrix.roles.into_iter().find(|role| role.row.id == id).ok_or_else(no_such_role)?;
    let accounts = (!everywhere).then_some(accounts);
    let edit = RoleEdit { role: id, version, name, accounts, permissions: standing.permissions };
    let wanted = Edit { roles: vec![edit], second_factor: None };
    let outcome = roles::edit(&services.db, &services.now, &member, proof, wanted, &note).await?;
    lead(outcome, "/roles?done=edited");
    Ok(outcome)
}

/// Removes a role that nobody has.
#[server(prefix = "/fn", output = Reply, endpoint = "roles/remove")]
pub async fn remove_role(id: RoleId) -> Result<(), Fault> {
    let permit = permit::<may::ManageRoles>().await?;
    let (services, proof) = (services()?, proof().await?);
    roles::remove(&services.db, &services.now, &permit, proof, id).await?;
    leptos_axum::redirect("/roles?done=removed");
    Ok(())
}

fn no_such_role() -> Problem {
    Problem::not_found("There is no such role: it may have been removed. Roles lists them all.")
}

/// The page of a role.
#[component]
pub fn RolePage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<RoleId>().ok())));
    let set = Sending::to::<SetRole>();
    let remove = Sending::to::<RemoveRole>();
    let found = load(
        move || id.get(),
        |id| async move {
            let role = read_matrix().await?.roles.into_iter().find(|role| Some(role.row.id) == id);
            role.ok_or_else(|| no_such_role().into())
        },
    );
    let find = query_field("find");
    let offered = load(move || find.get(), |find| offered_accounts(None, find, false));
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(role)) => {
                        let may = me.may(Permission::ManageRoles);
                        let offered = offered.await.unwrap_or_default();
                        // Who has found some may look for others.
                        let is_part = offered.is_part || !find.get_untracked().is_empty();
                        let is_offered = |(id, _): &(AccountId, String)| !role.accounts.iter().any(|(known, _)| known == id);
                        let offered: Vec<_> = offered.rows.into_iter().map(|account| (account.id, account.name)).filter(is_offered).collect();
                        let more = is_part || offered.len() > OFFERED;
                        page(role, (offered, more), may, me.may(Permission::SeeAudit), set, remove).into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// The accounts that are offered beside those the role names, and whether there are more.
type Offered = (Vec<(AccountId, String)>, bool);

fn page(role: RoleDetail, offered: Offered, may: bool, sees_audit: bool, set: Sending, remove: Sending) -> impl IntoView {
    let allows = role.permissions.iter().map(|of| view! { <li>"They may " {of.sentence()} "."</li> }).collect_view();
    let members = role
        .members
        .iter()
        .map(|(id, name)| {
            view! {
                <li class="px-4 py-2">
                    <a href=format!("/staff/{id}") class="text-link">{name.clone()}</a>
                </li>
            }
        })
        .collect_view();
    let nobody = role.members.is_empty().then(|| view! { <p class="muted p-4">"Nobody. Give it on a member’s page."</p> });
    let nothing = role.permissions.is_empty().then(|| view! { <p class="muted">"Nothing yet. Check its boxes in the matrix."</p> });
    let end = may.then(|| {
        view! {
            <ConfirmFold label="Remove" of=role.row.name.clone()>
                <p>"A role can be removed when nobody has it."</p>
                <SendForm action=remove>
                    <input type="hidden" name="id" value=role.row.id.to_string() />
                    <Button look=Look::Danger pending=waits(remove)>
                        "Remove the role"
                    </Button>
                </SendForm>
            </ConfirmFold>
        }
    });
    let audit = sees_audit.then(|| {
        let href = format!("/audit?subject={}", role.row.id);
        view! { <ButtonLink href=href>"Audit of this role"</ButtonLink> }
    });
    view! {
        <PageHead title=role.row.name.clone() above=vec![("Roles".to_owned(), "/roles".to_owned())]>
            {audit}
            {end}
        </PageHead>
        <FormFault fault=fault_of(remove) />
        <FormFault fault=fault_of(set) fields=&["name", "note"] />
        <div class="grid items-start gap-4 lg:grid-cols-2">
            {may.then(|| form(&role, offered, set))}
            <div class="flex min-w-0 flex-col gap-4">
                <Panel title="What it allows">
                    {nothing} <ul class="flex list-disc flex-col gap-1 ps-5">{allows}</ul>
                </Panel>
                <section class="panel">
                    <header class="border-b border-base-300 px-4 py-3">
                        <h2 class="font-semibold">"Who has it"</h2>
                    </header>
                    {nobody} <ul class="divide-y divide-base-300/60">{members}</ul>
                </section>
            </div>
        </div>
    }
}

fn form(role: &RoleDetail, (offered, more): Offered, set: Sending) -> impl IntoView + use<> {
    let account = |id: AccountId, name: String, checked: bool| {
        view! {
            <label class="flex min-h-6 items-center gap-2">
                <input type="checkbox" name="accounts[]" value=id.to_string() checked=checked class="checkbox checkbox-sm checkbox-primary" />
                {name}
            </label>
        }
    };
    let find = query_field("find").get_untracked();
    let says = match (find.is_empty(), offered.is_empty()) {
        (true, _) => "Not all are shown: search below.".to_owned(),
        (false, true) => format!("No other account fits “{find}”."),
        (false, false) => format!("Of the others, only what fits “{find}” is shown."),
    };
    let named = role.accounts.iter().map(|(id, name)| account(*id, name.clone(), true)).collect_view();
    let others = offered.into_iter().take(OFFERED).map(|(id, name)| account(id, name, false)).collect_view();
    let (everywhere, dangerous) = (role.row.everywhere, role.row.dangerous);
    let (id, version, name) = (role.row.id.to_string(), role.version.to_string(), role.row.name.clone());
    view! {
        <Panel title="Name and scope">
            <SendForm action=set>
                <div class="flex flex-col gap-4">
                    <input type="hidden" name="id" value=id />
                    <input type="hidden" name="version" value=version />
                    <Field label="Name" name="name" value=name error=field_error(fault_of(set), "name") />
                    <fieldset class="flex flex-col gap-2">
                        <legend class="font-medium">"It holds on"</legend>
                        <label class="flex min-h-6 items-center gap-2">
                            <input type="radio" name="everywhere" value="true" checked=everywhere class="radio radio-sm radio-primary" />
                            "All accounts"
                        </label>
                        <label class="flex min-h-6 items-center gap-2">
                            <input type="radio" name="everywhere" value="false" checked=!everywhere class="radio radio-sm radio-primary" />
                            "The accounts checked here"
                        </label>
                        <div class="ms-6 flex max-h-72 flex-col gap-1 overflow-y-auto" tabindex="0" role="group" aria-label="Accounts">
                            {named} {others}
                        </div>
                        {more.then(|| view! { <p class="muted ms-6 text-xs">{says}</p> })}
                    </fieldset>
                    <Field
                        label="Why" name="note" optional=true error=field_error(fault_of(set), "note")
                        help="Needed when members gain a dangerous permission: then a second person has to agree."
                    />
                    {dangerous
                        .then(|| {
                            view! {
                                <p class="muted text-sm">
                                    "Somebody who can manage staff and roles on all accounts is always left: what would take that from the last one is refused."
                                </p>
                            }
                        })}
                    <div>
                        <Button look=Look::Main pending=waits(set)>
                            "Save"
                        </Button>
                    </div>
                </div>
            </SendForm>
            {more
                .then(|| {
                    view! {
                        <form method="get" class="mt-4 flex items-end gap-2 border-t border-base-300 pt-4">
                            <Field label="Find an account" name="find" optional=true value=find />
                            <Button>"Find"</Button>
                        </form>
                    }
                })}
        </Panel>
    }
}
