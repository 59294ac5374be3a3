//! Roles: a matrix of roles and permissions, edited as a whole, with who has each permission.

mod role;

pub use role::RolePage;

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, EditFold, FaultView, Field, FormFault, Loading, Look, Notice, PageHead, SendForm, Sending, Tone, fault_of, field_error,
    load, waits,
};
use leptos::prelude::*;
use switchyard::types::{Holder, Holds, Outcome, Permission, RoleDetail, RoleId, RoleMatrix};

#[cfg(feature = "ssr")]
use {
    crate::approvals::lead,
    crate::context::{member, permit, proof, services},
    switchyard::staff::may,
    switchyard::staff::roles::{self, Edit, RoleEdit},
    switchyard::types::Problem,
};

/// Roles and what they allow.
#[server(prefix = "/fn", output = Reply, endpoint = "roles/matrix")]
pub async fn read_matrix() -> Result<RoleMatrix, Fault> {
    let permit = permit::<may::SeeStaff>().await?;
    Ok(roles::matrix(&services()?.db, &permit).await?)
}

/// Adds a role that allows nothing yet.
#[server(prefix = "/fn", output = Reply, endpoint = "roles/add")]
pub async fn add_role(name: String) -> Result<RoleId, Fault> {
    let permit = permit::<may::ManageRoles>().await?;
    let (services, proof) = (services()?, proof().await?);
    let id = roles::add(&services.db, &services.now, &permit, proof, &name).await?;
    leptos_axum::redirect("/roles?done=added");
    Ok(id)
}

/// Changes what roles allow, as the matrix was edited: each role with its version (`role:version`), each checked box (`role:permission`),
/// and what needs a second factor.
#[server(prefix = "/fn", output = Reply, endpoint = "roles/edit")]
pub async fn edit_roles(
    #[server(default)] versions: Vec<String>,
    #[server(default)] grants: Vec<String>,
    #[server(default)] second_factor: Vec<Permission>,
    #[server(default)] note: String,
) -> Result<Outcome, Fault> {
    let _permit = permit::<may::ManageRoles>().await?;
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    let see = member.permit::<may::SeeStaff>()?;
    let matrix = roles::matrix(&services.db, &see).await?;
    let edits = versions.iter().map(|version| edit_of(version, &grants, &matrix)).collect::<Result<Vec<_>, _>>()?;
    let wanted = Edit { roles: edits, second_factor: Some(second_factor) };
    let outcome = roles::edit(&services.db, &services.now, &member, proof, wanted, &note).await?;
    lead(outcome, "/roles?done=edited");
    Ok(outcome)
}

/// One role as the matrix was edited; its name and accounts stay.
#[cfg(feature = "ssr")]
fn edit_of(version: &str, grants: &[String], matrix: &RoleMatrix) -> Result<RoleEdit, Problem> {
    let unreadable = || Problem::invalid("", "The matrix could not be read. Reload the page and try again.");
    let (role, version) = version.split_once(':').ok_or_else(unreadable)?;
    let (role, version): (RoleId, i64) = (role.parse().map_err(|_| unreadable())?, version.parse().map_err(|_| unreadable())?);
    let standing = matrix.roles.iter().find(|known| known.row.id == role);
    let standing = standing.ok_or_else(|| Problem::conflict("One of the roles was removed meanwhile. Look again, then decide."))?;
    let of_role = grants.iter().filter_map(|grant| grant.split_once(':')).filter(|(of, _)| of.parse() == Ok(role));
    let permissions = of_role.map(|(_, word)| word.parse().map_err(|_| unreadable())).collect::<Result<Vec<Permission>, _>>()?;
    let accounts = (!standing.row.everywhere).then(|| standing.accounts.iter().map(|(account, _)| *account).collect());
    Ok(RoleEdit { role, version, name: standing.row.name.clone(), accounts, permissions })
}

/// The matrix.
#[component]
pub fn RolesPage() -> impl IntoView {
    let looks = RwSignal::new(0_u32);
    let edit = Sending::to::<EditRoles>();
    let add = Sending::to::<AddRole>();
    for act in [edit, add] {
        act.on_success(move || looks.update(|looks| *looks += 1));
    }
    let found = load(move || looks.get(), |_| read_matrix());
    let me = use_me();
    view! {
        <PageHead title="Roles">
            <Suspense>
                {move || Suspend::new(async move {
                    me.await.is_ok_and(|me| me.may(Permission::ManageRoles)).then(|| add_fold(add))
                })}
            </Suspense>
        </PageHead>
        <Notice words=&[
            ("edited", "The roles are changed. What they allow holds from everybody’s next click."),
            ("added", "The role was added. It allows nothing yet: check its boxes below."),
            ("removed", "The role was removed."),
        ] />
        <FormFault fault=fault_of(edit) fields=&["note"] />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(found)) => {
                        let may = me.may(Permission::ManageRoles);
                        let table = table(&found, may);
                        match may {
                            true => {
                                view! {
                                    <SendForm action=edit>
                                        {table}
                                        <div class="panel mt-4 flex flex-col items-start gap-4 p-4">
                                            <div class="w-full max-w-xl">
                                                <Field
                                                    label="Why" name="note" optional=true error=field_error(fault_of(edit), "note")
                                                    help="Needed when members gain a dangerous permission or a second factor is no longer needed: then a second person has to agree."
                                                />
                                            </div>
                                            <p class="muted text-sm">
                                                "Somebody who can manage staff and roles is always left: what would take that from the last one is refused."
                                            </p>
                                            <Button look=Look::Main pending=waits(edit)>
                                                "Save the matrix"
                                            </Button>
                                        </div>
                                    </SendForm>
                                }
                                    .into_any()
                            }
                            false => table.into_any(),
                        }
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn add_fold(action: Sending) -> impl IntoView {
    let fault = fault_of(action);
    view! {
        <EditFold label="Add a role" of="" plain=true>
            <SendForm action=action>
                <div class="flex flex-col items-start gap-3">
                    <FormFault fault=fault fields=&["name"] />
                    <Field label="Name" name="name" error=field_error(fault, "name") />
                    <Button look=Look::Main pending=waits(action)>
                        "Add"
                    </Button>
                </div>
            </SendForm>
        </EditFold>
    }
}

/// Roles across, permissions down, grouped by screen.
fn table(matrix: &RoleMatrix, may: bool) -> impl IntoView + use<> {
    let heads = matrix.roles.iter().map(head).collect_view();
    let versions = matrix
        .roles
        .iter()
        .map(|role| view! { <input type="hidden" name="versions[]" value=format!("{}:{}", role.row.id, role.version) /> })
        .collect_view();
    let mut screens: Vec<&'static str> = Vec::new();
    for permission in Permission::ALL {
        if !screens.contains(&permission.screen()) {
            screens.push(permission.screen());
        }
    }
    let columns = (matrix.roles.len() + 2).to_string();
    let groups = screens
        .into_iter()
        .map(|screen| {
            let rows =
                Permission::ALL.iter().filter(|permission| permission.screen() == screen).map(|of| row(*of, matrix, may)).collect_view();
            view! {
                <tbody>
                    <tr>
                        <th scope="rowgroup" colspan=columns.clone()>
                            {screen}
                        </th>
                    </tr>
                    {rows}
                </tbody>
            }
        })
        .collect_view();
    view! {
        {versions}
        <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Roles and permissions">
            <table class="matrix">
                <thead>
                    <tr>
                        <th scope="col">"Permission"</th>
                        {heads}
                        <th scope="col">"Only with a second factor"</th>
                    </tr>
                </thead>
                {groups}
            </table>
        </div>
    }
}

fn head(role: &RoleDetail) -> impl IntoView + use<> {
    let names = role.members.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ");
    let members = match role.members.len() {
        0 => view! { <span class="muted block text-xs font-normal">"Nobody"</span> }.into_any(),
        1 | 2 => view! { <span class="muted block text-xs font-normal">{names}</span> }.into_any(),
        n => view! {
            <details class="muted text-xs font-normal">
                <summary class="text-link inline-flex min-h-6 cursor-pointer items-center">{format!("{n} members")}</summary>
                {names}
            </details>
        }
        .into_any(),
    };
    let scope = match (role.row.everywhere, role.accounts.len()) {
        (true, _) => "All accounts".to_owned(),
        (false, 1) => role.accounts[0].1.clone(),
        (false, n) => format!("{n} accounts"),
    };
    view! {
        <th scope="col">
            <a href=format!("/roles/{}", role.row.id) class="text-link font-semibold">{role.row.name.clone()}</a>
            <span class="muted block text-xs font-normal">{scope}</span>
            {members}
        </th>
    }
}

fn row(of: Permission, matrix: &RoleMatrix, may: bool) -> impl IntoView + use<> {
    let cells = matrix
        .roles
        .iter()
        .map(|role| {
            let name = format!("{}: {}", role.row.name, of.name());
            let value = format!("{}:{}", role.row.id, of.as_str());
            view! { <td>{mark("grants[]", value, name, role.permissions.contains(&of), may)}</td> }
        })
        .collect_view();
    let rule = format!("{} only with a second factor", of.name());
    let is_ruled = matrix.second_factor.contains(&of);
    view! {
        <tr>
            <th scope="row">
                <span class="flex flex-wrap items-center gap-2 font-medium">
                    {of.name()} {of.is_dangerous().then(|| view! { <Badge tone=Tone::Warning>"Dangerous"</Badge> })}
                </span>
                <span class="muted block text-xs font-normal">"They may " {of.sentence()} "."</span>
                {who_has(of, matrix)}
            </th>
            {cells}
            <td>{mark("second_factor[]", of.as_str().to_owned(), rule, is_ruled, may)}</td>
        </tr>
    }
}

/// Who has a permission: how many, and unfolded who, by which roles, and on which accounts.
fn who_has(of: Permission, matrix: &RoleMatrix) -> AnyView {
    let Some(held) = matrix.holders.iter().find(|held| held.permission == of && !held.first.is_empty()) else {
        return view! { <span class="muted block text-xs font-normal">"Nobody has it"</span> }.into_any();
    };
    let mut label = match held.now {
        0 => "Nobody".to_owned(),
        1 => "1 person".to_owned(),
        n => format!("{n} people"),
    };
    if held.later > 0 {
        label = format!("{label}, {} not yet", held.later);
    }
    let first = held.first.iter().map(|member| holder(member, &matrix.roles)).collect_view();
    let more = (held.more > 0).then(|| format!("and {} more", held.more)).map(|more| view! { <li class="muted">{more}</li> });
    view! {
        <details class="text-xs font-normal">
            <summary class="text-link inline-flex min-h-6 cursor-pointer items-center">
                {label} <span class="sr-only">": " {of.name()}</span>
            </summary>
            <ul class="flex flex-col gap-1 pb-1">{first} {more}</ul>
        </details>
    }
    .into_any()
}

fn holder(member: &Holder, roles: &[RoleDetail]) -> impl IntoView + use<> {
    let by = roles.iter().filter(|role| member.roles.contains(&role.row.id)).map(with_scope).collect::<Vec<_>>().join(", ");
    let not_yet = match member.holds {
        Holds::Now => None,
        Holds::OnceSecondFactor => Some("Not yet: they have no second factor"),
        Holds::OnceJoined => Some("Not yet: the invitation was not accepted"),
    };
    view! {
        <li class="wrap-anywhere">
            <a href=format!("/staff/{}", member.id) class="text-link inline-flex min-h-6 items-center">{member.name.clone()}</a>
            <span class="muted block">{by}</span>
            {not_yet.map(|words| view! { <span class="muted block">{words}</span> })}
        </li>
    }
}

/// A role by its name, with the accounts it holds on when these are not all.
fn with_scope(role: &RoleDetail) -> String {
    /// How many accounts are named.
    const NAMED: usize = 3;
    let name = &role.row.name;
    let accounts = role.accounts.iter().take(NAMED).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ");
    match (role.row.everywhere, role.accounts.len()) {
        (true, _) => name.clone(),
        (false, 0) => format!("{name} (no account)"),
        (false, n) if n > NAMED => format!("{name} (accounts: {accounts} and {} more)", n - NAMED),
        (false, _) => format!("{name} (accounts: {accounts})"),
    }
}

/// A box of the matrix; for who only reads, a mark.
fn mark(name: &'static str, value: String, label: String, checked: bool, may: bool) -> AnyView {
    if may {
        view! {
            <label class="box">
                <input type="checkbox" name=name value=value checked=checked aria-label=label class="checkbox checkbox-sm checkbox-primary" />
            </label>
        }
        .into_any()
    } else if checked {
        view! { <span aria-label="Yes" role="img">"✓"</span> }.into_any()
    } else {
        view! { <span class="muted" aria-label="No" role="img">"–"</span> }.into_any()
    }
}
