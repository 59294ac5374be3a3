//! Staff: who works here, inviting somebody, and disabling somebody.

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, ButtonLink, Cell, Choice, ConfirmFold, CopyText, FaultView, Field, FormFault, Icon, Loading, Look, PageHead, Select,
    SendForm, Sending, Table, Tone, fault_of, field_error, icon, load, toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{Permission, RoleId, RoleRow, StaffId, StaffRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{cookie, is_plain_form, permit, services, set_cookie},
    switchyard::staff::{self, may},
};

/// Carries the one-time link over the redirect after a plain form; only to the page that shows it, and only for a moment.
#[cfg(feature = "ssr")]
const COOKIE: &str = "switchyard_invitation";

/// Who works here.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/list")]
pub async fn list_staff() -> Result<Vec<StaffRow>, Fault> {
    let permit = permit::<may::SeeStaff>().await?;
    Ok(staff::list(&services()?.db, &permit).await?)
}

/// The roles that an invitation can give.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/roles")]
pub async fn list_roles() -> Result<Vec<RoleRow>, Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    Ok(staff::roles(&services()?.db).await?)
}

/// Invites a member; the answer is their one-time link, which is shown now and never again.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/invite")]
pub async fn invite_member(email: String, name: String, role: RoleId) -> Result<String, Fault> {
    let permit = permit::<may::ManageStaff>().await?;
    let services = services()?;
    let invited = staff::invite(&services.db, &services.now, &permit, &email, &name, role).await?;
    if is_plain_form() {
        let secure = if services.secure_cookies { "; Secure" } else { "" };
        set_cookie(&format!("{COOKIE}={}; Path=/staff/new; Max-Age=60; SameSite=Strict; HttpOnly{secure}", invited.token));
    }
    Ok(link(&services, &invited.token))
}

#[cfg(feature = "ssr")]
fn link(services: &crate::context::Services, token: &str) -> String {
    format!("{}/invitation?token={token}", services.public_url)
}

/// The link of an invitation that a plain form has just made, once.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/invited")]
pub async fn invited_just_now() -> Result<Option<String>, Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    let Some(token) = cookie(COOKIE) else { return Ok(None) };
    set_cookie(&format!("{COOKIE}=; Path=/staff/new; Max-Age=0; SameSite=Strict; HttpOnly"));
    Ok(Some(link(&services()?, &token)))
}

/// Disables a member and ends their sessions.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/disable")]
pub async fn disable_member(id: StaffId) -> Result<(), Fault> {
    let permit = permit::<may::ManageStaff>().await?;
    let services = services()?;
    Ok(staff::disable(&services.db, &services.now, &permit, id).await?)
}

/// The list of staff.
#[component]
pub fn StaffPage() -> impl IntoView {
    let action = Sending::to::<DisableMember>();
    toast_on_success(action, "The member was disabled.");
    let changes = RwSignal::new(0_u32);
    action.on_success(move || changes.update(|n| *n += 1));
    let members = load(move || changes.get(), |_| list_staff());
    let me = use_me();
    view! {
        <PageHead title="Staff">
            <Suspense>
                {move || Suspend::new(async move {
                    me.await
                        .is_ok_and(|me| me.may(Permission::ManageStaff))
                        .then(|| {
                            view! {
                                <ButtonLink href="/staff/new" look=Look::Main>
                                    {icon(Icon::Plus)}
                                    "Invite"
                                </ButtonLink>
                            }
                        })
                })}
            </Suspense>
        </PageHead>
        <FormFault fault=fault_of(action) />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, members.await) {
                    (Ok(me), Ok(members)) => {
                        let may = me.may(Permission::ManageStaff);
                        let rows = members
                            .into_iter()
                            .map(|member| {
                                let may = may && member.id != me.member.id && member.disabled_at.is_none();
                                row(member, may, action)
                            })
                            .collect_view();
                        view! {
                            <div class="panel">
                                <Table label="Staff" head=&["Name", "E-mail", "Roles", "State", ""]>
                                    {rows}
                                </Table>
                            </div>
                        }
                            .into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn row(member: StaffRow, may_disable: bool, action: Sending) -> impl IntoView {
    let (tone, state) = match (member.disabled_at, member.active) {
        (Some(_), _) => (Tone::Bad, "Disabled"),
        (None, true) => (Tone::Good, "Active"),
        (None, false) => (Tone::Warning, "Invited"),
    };
    let control = may_disable.then(|| {
        let name = member.name.clone();
        view! {
            <ConfirmFold label="Disable" of=name.clone()>
                <p>{name} " can no longer sign in, and their sessions end at once."</p>
                <SendForm action=action>
                    <input type="hidden" name="id" value=member.id.to_string() />
                    <Button look=Look::Danger pending=waits(action)>
                        "Disable the member"
                    </Button>
                </SendForm>
            </ConfirmFold>
        }
    });
    view! {
        <tr role="row">
            <Cell of="Name">
                <span class="font-medium">{member.name}</span>
            </Cell>
            <Cell of="E-mail">{member.email}</Cell>
            <Cell of="Roles">{member.roles.join(", ")}</Cell>
            <Cell of="State">
                <Badge tone=tone>{state}</Badge>
            </Cell>
            <Cell of="">{control}</Cell>
        </tr>
    }
}

/// The form that invites a member, and the link it makes.
#[component]
pub fn NewMemberPage() -> impl IntoView {
    let roles = load(|| (), |()| list_roles());
    let earlier = load(|| (), |()| invited_just_now());
    let action = Sending::to::<InviteMember>();
    let fault = fault_of(action);
    let made = action.answer();
    let is_made = move || made.with(|made| matches!(made, Some(Ok(_))));
    let made_link = move || made.with(|made| made.as_ref().and_then(|made| serde_json::from_str::<String>(made.as_ref().ok()?).ok()));
    view! {
        <PageHead title="Invite to the staff" above=vec![("Staff".to_owned(), "/staff".to_owned())] />
        <div class="flex max-w-xl flex-col gap-4">
            <Suspense>
                {move || Suspend::new(async move {
                    let earlier = earlier.await.ok().flatten();
                    view! {
                        <div role="status" class="empty:absolute">
                            {move || {
                                let link = made_link().or_else(|| earlier.clone());
                                link.map(|link| {
                                    view! {
                                        <section class="panel flex flex-col gap-3 border-success p-5">
                                            <p class="font-semibold">"Invited. Hand over this link now: it is shown only once."</p>
                                            <CopyText label="One-time link, good for a day" text=link />
                                            <div>
                                                <ButtonLink href="/staff">"Done"</ButtonLink>
                                            </div>
                                        </section>
                                    }
                                })
                            }}
                        </div>
                    }
                })}
            </Suspense>
            <Suspense fallback=Loading>
                {move || Suspend::new(async move {
                    match roles.await {
                        Ok(roles) => {
                            let roles = roles.into_iter().map(|role| Choice::new(role.id, role.name)).collect::<Vec<_>>();
                            view! {
                                <div class="panel p-5" class:hidden=is_made>
                                    <SendForm action=action>
                                        <div class="flex flex-col gap-4">
                                            <FormFault fault=fault fields=&["email", "name"] />
                                            <Field label="Name" name="name" error=field_error(fault, "name") />
                                            <Field
                                                label="E-mail" name="email" kind="email" help="They sign in with it."
                                                error=field_error(fault, "email")
                                            />
                                            <Select
                                                label="Role" name="role" choices=roles
                                                help="Viewers read. Support also changes lines and sends. Administrators also invite and disable staff."
                                            />
                                            <div class="flex gap-2">
                                                <Button look=Look::Main pending=waits(action)>
                                                    "Invite"
                                                </Button>
                                                <ButtonLink href="/staff">"Cancel"</ButtonLink>
                                            </div>
                                        </div>
                                    </SendForm>
                                </div>
                            }
                                .into_any()
                        }
                        Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                    }
                })}
            </Suspense>
        </div>
    }
}
