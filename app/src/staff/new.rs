//! Inviting a member: the form, and the link it makes.

use super::{OneTimeLink, invited_just_now};
use crate::fault::{Fault, Reply};
use crate::ui::{
    Button, ButtonLink, Choice, CopyText, FaultView, Field, FormFault, Loading, Look, PageHead, Select, SendForm, Sending, fault_of,
    field_error, load, waits,
};
use leptos::prelude::*;
use switchyard::types::{RoleId, RoleRow};

#[cfg(feature = "ssr")]
use {
    super::handed_out,
    crate::context::{member, permit, proof, services},
    switchyard::staff::{self, may},
};

/// The roles that an invitation can give.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/roles")]
pub async fn list_roles() -> Result<Vec<RoleRow>, Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    Ok(staff::roles::list(&services()?.db).await?)
}

/// Invites a member; the answer is their one-time link, which is shown now and never again.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/invite")]
pub async fn invite_member(email: String, name: String, role: RoleId) -> Result<OneTimeLink, Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    let invited = staff::invite(&services.db, &services.now, &member, proof, &email, &name, role).await?;
    Ok(handed_out(&services, &invited))
}

/// What a one-time link shows of itself.
pub(super) fn shown(made: OneTimeLink, words: &'static str, back: String) -> impl IntoView {
    view! {
        <section class="panel flex flex-col gap-3 border-success p-5">
            <p class="font-semibold">{words}" Hand over this link now: it is shown only once."</p>
            {made
                .waits
                .then(|| {
                    view! {
                        <p>
                            "The role holds dangerous permissions: it waits under "
                            <a href="/approvals" class="text-link">"Approvals"</a> " for a second person. Until then they have no role."
                        </p>
                    }
                })}
            <CopyText label="One-time link, good for a day" text=made.link />
            <div>
                <ButtonLink href=back>"Done"</ButtonLink>
            </div>
        </section>
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
    let made_link = move || made.with(|made| made.as_ref().and_then(|made| serde_json::from_str::<OneTimeLink>(made.as_ref().ok()?).ok()));
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
                                link.map(|link| shown(link, "Invited.", "/staff".to_owned()))
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
                                                help="What each role allows stands under Roles. More roles can be given on the member’s page."
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
