//! Staff: who works here, inviting somebody, and what is done about a member.

mod member;
mod new;

pub use member::MemberPage;
pub(crate) use member::session_row;
pub use new::NewMemberPage;

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{Badge, ButtonLink, Cell, CsvLink, FaultView, Icon, Loading, Look, PageHead, RowLink, Table, Tone, icon, load};
use crate::views::{Arranged, ListTools, Shown};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{ListKind, Permission, StaffRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{Services, cookie, is_plain_form, permit, services, set_cookie},
    switchyard::staff::{self, Invited, may},
};

/// Carries a one-time link over the redirect after a plain form; only to the pages that show it, and only for a moment.
#[cfg(feature = "ssr")]
const COOKIE: &str = "switchyard_invitation";

/// A one-time link that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeLink {
    /// The link: shown now and never again.
    pub link: String,
    /// The role waits for a second person.
    pub waits: bool,
}

/// Who works here.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/list")]
pub async fn list_staff() -> Result<Vec<StaffRow>, Fault> {
    let permit = permit::<may::SeeStaff>().await?;
    Ok(staff::list(&services()?.db, &permit).await?)
}

/// The link that a plain form has just made, once.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/invited")]
pub async fn invited_just_now() -> Result<Option<OneTimeLink>, Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    let Some((waits, token)) = cookie(COOKIE).and_then(|kept| kept.split_once('.').map(|(waits, token)| (waits == "1", token.to_owned())))
    else {
        return Ok(None);
    };
    set_cookie(&format!("{COOKIE}=; Path=/staff; Max-Age=0; SameSite=Strict; HttpOnly"));
    Ok(Some(OneTimeLink { link: link(&services()?, &token), waits }))
}

#[cfg(feature = "ssr")]
fn link(services: &Services, token: &str) -> String {
    format!("{}/invitation?token={token}", services.public_url)
}

/// The link of an invitation, also for the page that a plain form leads to.
#[cfg(feature = "ssr")]
fn handed_out(services: &Services, invited: &Invited) -> OneTimeLink {
    let waits = invited.waits.is_some();
    if is_plain_form() {
        let secure = if services.secure_cookies { "; Secure" } else { "" };
        let kept = format!("{}.{}", u8::from(waits), invited.token);
        set_cookie(&format!("{COOKIE}={kept}; Path=/staff; Max-Age=60; SameSite=Strict; HttpOnly{secure}"));
    }
    OneTimeLink { link: link(services, &invited.token), waits }
}

/// The list of staff.
#[component]
pub fn StaffPage() -> impl IntoView {
    let members = load(|| (), |()| list_staff());
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Staff));
    view! {
        <PageHead title="Staff">
            <ListTools of=arranged in_head=true />
            <CsvLink href="/staff.csv" />
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
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = arranged.shown().await;
                match members.await {
                    Ok(members) => {
                        view! {
                            <div class="panel">
                                <Table label="Staff" head=shown.heads("Name")>
                                    {members.into_iter().map(|member| row(member, &shown)).collect_view()}
                                </Table>
                            </div>
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// How a member stands.
fn state(member: &StaffRow) -> (Tone, &'static str) {
    match (member.disabled_at, member.active) {
        (Some(_), _) => (Tone::Bad, "Disabled"),
        (None, true) => (Tone::Good, "Active"),
        (None, false) => (Tone::Warning, "Invited"),
    }
}

fn row(member: StaffRow, shown: &Shown) -> impl IntoView + use<> {
    let roles = match member.roles.is_empty() {
        true => view! { <span class="muted">"None"</span> }.into_any(),
        false => member.roles.join(", ").into_any(),
    };
    let (tone, state) = state(&member);
    view! {
        <tr role="row">
            <Cell of="Name">
                <RowLink href=format!("/staff/{}", member.id)>{member.name}</RowLink>
            </Cell>
            {shown
                .has("email")
                .then(|| {
                    view! {
                        <Cell of="E-mail">
                            <span class="wrap-anywhere">{member.email}</span>
                        </Cell>
                    }
                })}
            {shown.has("roles").then(|| view! { <Cell of="Roles">{roles}</Cell> })}
            {shown
                .has("factor")
                .then(|| view! { <Cell of="Second factor">{if member.second_factor { "Yes" } else { "No" }}</Cell> })}
            {shown
                .has("state")
                .then(|| {
                    view! {
                        <Cell of="State">
                            <Badge tone=tone>{state}</Badge>
                        </Cell>
                    }
                })}
        </tr>
    }
}
