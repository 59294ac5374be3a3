//! One member: their roles, where they are signed in, and what is done about them.

use super::new::shown;
use super::{OneTimeLink, invited_just_now, state};
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::ui::{
    Badge, Button, Check, ConfirmFold, FaultView, FormFault, Loading, Look, PageHead, Panel, SendForm, Sending, Time, Tone, fault_of, load,
    toast_on_success, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use switchyard::types::{Outcome, Permission, Problem, RoleId, RoleRow, SessionRow, StaffDetail, StaffId, Timestamp};

#[cfg(feature = "ssr")]
use {
    super::handed_out,
    crate::approvals::where_it_waits,
    crate::context::{is_plain_form, member, permit, proof, services},
    switchyard::staff::{self, Reset, may},
};

/// A member with their roles and sessions.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/get")]
pub async fn get_member(id: StaffId) -> Result<StaffDetail, Fault> {
    let permit = permit::<may::SeeStaff>().await?;
    let services = services()?;
    Ok(staff::get(&services.db, &services.now, &permit, id).await?)
}

/// Disables a member and ends their sessions.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/disable")]
pub async fn disable_member(id: StaffId) -> Result<(), Fault> {
    let permit = permit::<may::ManageStaff>().await?;
    let (services, proof) = (services()?, proof().await?);
    Ok(staff::disable(&services.db, &services.now, &permit, proof, id).await?)
}

/// Lets a disabled member sign in again.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/enable")]
pub async fn enable_member(id: StaffId) -> Result<(), Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    Ok(staff::enable(&services.db, &services.now, &member, proof, id).await?)
}

/// Makes a one-time link to a new password; the answer is the link, or nothing while a second person has to agree.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/reset")]
pub async fn reset_member(
    id: StaffId,
    #[server(default)] lost_second_factor: bool,
    #[server(default)] note: String,
) -> Result<Option<OneTimeLink>, Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    match staff::reset(&services.db, &services.now, &member, proof, id, lost_second_factor, &note).await? {
        Reset::Made(invited) => Ok(Some(handed_out(&services, &invited))),
        Reset::Waits(id) => {
            leptos_axum::redirect(&where_it_waits(id));
            Ok(None)
        }
    }
}

/// Gives a member a role, or asks for a second person.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/roles/give")]
pub async fn give_role(id: StaffId, role: RoleId, #[server(default)] note: String) -> Result<Outcome, Fault> {
    let _permit = permit::<may::ManageStaff>().await?;
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    let outcome = staff::give_role(&services.db, &services.now, &member, proof, id, role, &note).await?;
    if let (Outcome::Waits(id), true) = (outcome, is_plain_form()) {
        leptos_axum::redirect(&where_it_waits(id));
    }
    Ok(outcome)
}

/// Takes a role from a member.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/roles/take")]
pub async fn take_role(id: StaffId, role: RoleId) -> Result<(), Fault> {
    let permit = permit::<may::ManageStaff>().await?;
    let (services, proof) = (services()?, proof().await?);
    Ok(staff::take_role(&services.db, &services.now, &permit, proof, id, role).await?)
}

/// Ends a member's session, or all when none is named.
#[server(prefix = "/fn", output = Reply, endpoint = "staff/sessions/end")]
pub async fn end_member_session(id: StaffId, #[server(default)] handle: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageStaff>().await?;
    let (services, proof) = (services()?, proof().await?);
    let handle = (!handle.is_empty()).then_some(handle.as_str());
    Ok(staff::end_session_of(&services.db, &services.now, &permit, proof, id, handle).await?)
}

/// What can be done on the page; each form has its own.
#[derive(Clone, Copy)]
struct Acts {
    disable: Sending,
    enable: Sending,
    reset: Sending,
    give: Sending,
    take: Sending,
    end: Sending,
}

impl Acts {
    fn all(self) -> [Sending; 6] {
        [self.disable, self.enable, self.reset, self.give, self.take, self.end]
    }
}

/// The page of a member.
#[component]
pub fn MemberPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<StaffId>().ok())));
    let acts = Acts {
        disable: Sending::to::<DisableMember>(),
        enable: Sending::to::<EnableMember>(),
        reset: Sending::to::<ResetMember>(),
        give: Sending::to::<GiveRole>(),
        take: Sending::to::<TakeRole>(),
        end: Sending::to::<EndMemberSession>(),
    };
    let looks = RwSignal::new(0_u32);
    for act in acts.all() {
        act.on_success(move || looks.update(|looks| *looks += 1));
    }
    toast_on_success(acts.disable, "The member was disabled, and their sessions ended.");
    toast_on_success(acts.enable, "The member can sign in again.");
    toast_on_success(acts.take, "The role was taken from them.");
    toast_on_success(acts.end, "Ended.");
    let found = load(
        move || (id.get(), looks.get()),
        |(id, _)| async move {
            match id {
                Some(id) => get_member(id).await,
                None => Err(Problem::not_found("There is no such member of the staff. The address may be mistyped.").into()),
            }
        },
    );
    let earlier = load(|| (), |()| invited_just_now());
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(found)) => {
                        let earlier = earlier.await.ok().flatten();
                        let is_own = me.member.id == found.row.id;
                        page(&me, found, is_own, acts, earlier).into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn page(me: &Me, member: StaffDetail, is_own: bool, acts: Acts, earlier: Option<OneTimeLink>) -> impl IntoView + use<> {
    let (may, sees_audit) = (me.may(Permission::ManageStaff), me.may(Permission::SeeAudit));
    let StaffDetail { row, roles, sessions, link_until } = member;
    let (id, name) = (row.id, row.name.clone());
    let back = format!("/staff/{id}");
    let made = move || {
        let made =
            acts.reset.answer().with(|made| serde_json::from_str::<Option<OneTimeLink>>(made.as_ref()?.as_ref().ok()?).ok().flatten());
        made.or_else(|| earlier.clone()).map(|made| shown(made, "The link is made.", back.clone()))
    };
    let waits_for_second = move || {
        let waits = acts.give.answer().with(|answer| serde_json::from_str::<Outcome>(answer.as_ref()?.as_ref().ok()?).ok());
        matches!(waits, Some(Outcome::Waits(_))).then(|| {
            view! {
                <p class="alert alert-info alert-soft mb-4 py-2.5 text-sm">
                    <span>"The role waits under " <a href="/approvals" class="text-link">"Approvals"</a> " for a second person."</span>
                </p>
            }
        })
    };
    let (tone, stands) = state(&row);
    let facts = view! {
        <dl class="facts">
            <dt>"E-mail"</dt>
            <dd class="wrap-anywhere">{row.email.clone()}</dd>
            <dt>"Password"</dt>
            <dd>{if row.active { "Set" } else { "Not set yet: the invitation was not accepted" }}</dd>
            {link_fact(link_until, row.active || row.disabled_at.is_some())}
            <dt>"Second factor"</dt>
            <dd>{if row.second_factor { "Yes" } else { "No" }}</dd>
            {row.disabled_at
                .map(|at| {
                    view! {
                        <dt>"Disabled"</dt>
                        <dd>
                            <Time at=at />
                        </dd>
                    }
                })}
            {sees_audit
                .then(|| {
                    view! {
                        <dt>"Audit"</dt>
                        <dd>
                            <a class="text-link" href=format!("/audit?subject={id}")>"Audit of this member"</a>
                            " · "
                            <a class="text-link" href=format!("/audit?who={id}")>"What this member did"</a>
                        </dd>
                    }
                })}
        </dl>
    };
    let (is_disabled, is_active) = (row.disabled_at.is_some(), row.active);
    let has_second_factor = row.second_factor;
    let is_dangerous = roles.iter().any(|(role, has)| *has && role.dangerous);
    view! {
        <PageHead title=name.clone() above=vec![("Staff".to_owned(), "/staff".to_owned())] beside=move || view! { <Badge tone=tone>{stands}</Badge> }>
            {(may && !is_own)
                .then(|| {
                    view! {
                        {(!is_disabled).then(|| reset_fold(id, &name, is_active, has_second_factor, is_dangerous, acts.reset))}
                        {if is_disabled { enable_fold(id, &name, acts.enable).into_any() } else { disable_fold(id, &name, is_dangerous, acts.disable).into_any() }}
                    }
                })}
        </PageHead>
        {acts.all().map(|act| view! { <FormFault fault=fault_of(act) /> }).collect_view()}
        <div role="status" class="empty:absolute">{waits_for_second} {made}</div>
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <div class="flex min-w-0 flex-col gap-4">
                <Panel title="At a glance">{facts}</Panel>
                {sessions_panel(id, sessions, may, acts.end)}
            </div>
            {roles_panel(id, roles, may, acts)}
        </div>
    }
}

/// Until when a one-time link is good; that there is none, where somebody needs one.
fn link_fact(until: Option<Timestamp>, needs_none: bool) -> impl IntoView {
    let link = match until {
        Some(at) => view! { "Good until " <Time at=at /> }.into_any(),
        None if needs_none => return ().into_any(),
        None => "None is open: a new one has to be made".into_any(),
    };
    view! {
        <dt>"One-time link"</dt>
        <dd>{link}</dd>
    }
    .into_any()
}

fn disable_fold(id: StaffId, name: &str, governs: bool, action: Sending) -> impl IntoView + use<> {
    let name = name.to_owned();
    view! {
        <ConfirmFold label="Disable" of=name.clone()>
            <p>
                {name}
                " can no longer sign in, and their sessions end at once. One-time links to their account, and those that they have made, are void. You can enable them again."
            </p>
            {governs.then(|| view! { <p>"The last one who can manage staff and roles cannot be disabled."</p> })}
            <SendForm action=action>
                <input type="hidden" name="id" value=id.to_string() />
                <Button look=Look::Danger pending=waits(action)>
                    "Disable the member"
                </Button>
            </SendForm>
        </ConfirmFold>
    }
}

fn enable_fold(id: StaffId, name: &str, action: Sending) -> impl IntoView + use<> {
    let name = name.to_owned();
    view! {
        <ConfirmFold label="Enable" of=name.clone() plain=true>
            <p>{name} " can sign in again, with their password and roles as before."</p>
            <SendForm action=action>
                <input type="hidden" name="id" value=id.to_string() />
                <Button look=Look::Main pending=waits(action)>
                    "Enable the member"
                </Button>
            </SendForm>
        </ConfirmFold>
    }
}

fn reset_fold(
    id: StaffId,
    name: &str,
    is_active: bool,
    has_second_factor: bool,
    is_dangerous: bool,
    action: Sending,
) -> impl IntoView + use<> {
    let name = name.to_owned();
    let (label, until_then) = match is_active {
        true => ("New password", " chooses a new password. The old one holds until then. Earlier links are void."),
        false => ("New link", " chooses a password and is in. Earlier links are void."),
    };
    view! {
        <ConfirmFold label=label of=name.clone() plain=true>
            <p>"A one-time link, good for a day, by which " {name} {until_then}</p>
            <SendForm action=action>
                <div class="flex flex-col items-start gap-3">
                    <input type="hidden" name="id" value=id.to_string() />
                    {has_second_factor
                        .then(|| view! { <Check label="Their second factor is lost: remove it, end their sessions" name="lost_second_factor" /> })}
                    {is_dangerous
                        .then(|| {
                            view! {
                                <label class="flex w-full flex-col gap-1">
                                    <span>
                                        "They hold dangerous permissions: a second person has to agree, then you make the link here. Why is it needed?"
                                    </span>
                                    <input name="note" maxlength="500" class="input w-full" autocomplete="off" />
                                </label>
                            }
                        })}
                    <Button look=Look::Main pending=waits(action)>
                        "Make the link"
                    </Button>
                </div>
            </SendForm>
        </ConfirmFold>
    }
}

fn roles_panel(id: StaffId, roles: Vec<(RoleRow, bool)>, may: bool, acts: Acts) -> impl IntoView {
    let row = move |(role, has): (RoleRow, bool)| {
        let name = role.name.clone();
        let control = may.then(|| match has {
            true => view! {
                <ConfirmFold label="Take" of=name.clone() quiet=true>
                    <p>"What only this role allows ends with their next click."</p>
                    {role
                        .dangerous
                        .then(|| view! { <p>"It cannot be taken from the last one who can manage staff and roles."</p> })}
                    <SendForm action=acts.take>
                        <input type="hidden" name="id" value=id.to_string() />
                        <input type="hidden" name="role" value=role.id.to_string() />
                        <Button look=Look::Danger pending=waits(acts.take)>
                            "Take the role"
                        </Button>
                    </SendForm>
                </ConfirmFold>
            }
            .into_any(),
            false => view! {
                <ConfirmFold label="Give" of=name.clone() quiet=true>
                    <SendForm action=acts.give>
                        <div class="flex flex-col items-start gap-3">
                            <input type="hidden" name="id" value=id.to_string() />
                            <input type="hidden" name="role" value=role.id.to_string() />
                            {role
                                .dangerous
                                .then(|| {
                                    view! {
                                        <label class="flex w-full flex-col gap-1">
                                            <span>"It holds dangerous permissions: a second person has to agree. Why is it needed?"</span>
                                            <input name="note" maxlength="500" class="input w-full" autocomplete="off" />
                                        </label>
                                    }
                                })}
                            <Button look=Look::Main pending=waits(acts.give)>
                                "Give the role"
                            </Button>
                        </div>
                    </SendForm>
                </ConfirmFold>
            }
            .into_any(),
        });
        view! {
            <li class="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2">
                <span class="flex flex-wrap items-center gap-2">
                    <span class=if has { "font-medium" } else { "muted" }>{role.name}</span>
                    {has.then(|| view! { <Badge tone=Tone::Good>"Has it"</Badge> })}
                    {(!role.everywhere).then(|| view! { <span class="muted text-xs">"on named accounts"</span> })}
                </span>
                {control}
            </li>
        }
    };
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Roles"</h2>
                <p class="muted text-xs">
                    "They may do what any of their roles allows. What each allows stands under " <a href="/roles" class="text-link">"Roles"</a> "."
                </p>
            </header>
            <ul class="divide-y divide-base-300/60">{roles.into_iter().map(row).collect_view()}</ul>
        </section>
    }
}

fn sessions_panel(id: StaffId, sessions: Vec<SessionRow>, may: bool, action: Sending) -> impl IntoView {
    let end_all = (may && sessions.len() > 1).then(|| {
        view! {
            <div class="border-t border-base-300 p-4">
                <SendForm action=action>
                    <input type="hidden" name="id" value=id.to_string() />
                    <Button pending=waits(action)>"End all sessions"</Button>
                </SendForm>
            </div>
        }
    });
    let none = sessions.is_empty().then(|| view! { <p class="muted p-4">"They are not signed in anywhere."</p> });
    let row = move |session: SessionRow| {
        let (handle, device) = (session.handle.clone(), session.device.clone());
        let control = may.then(|| {
            view! {
                <SendForm action=action>
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="handle" value=handle />
                    <Button look=Look::Quiet pending=waits(action)>
                        "End" <span class="sr-only">" the session of " {device}</span>
                    </Button>
                </SendForm>
            }
        });
        session_row(&session, None, control)
    };
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Sessions"</h2>
                <p class="muted text-xs">"The browsers in which they are signed in."</p>
            </header>
            {none}
            <ul class="divide-y divide-base-300/60">{sessions.into_iter().map(row).collect_view()}</ul>
            {end_all}
        </section>
    }
}

/// One session in a list.
pub(crate) fn session_row<T: IntoView>(session: &SessionRow, beside: Option<&'static str>, control: T) -> impl IntoView + use<T> {
    view! {
        <li class="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2">
            <span class="flex min-w-0 flex-col">
                <span class="flex flex-wrap items-center gap-2">
                    <span class="font-medium">{session.device.clone()}</span>
                    {beside.map(|beside| view! { <Badge tone=Tone::Good>{beside}</Badge> })}
                </span>
                <span class="muted text-xs">
                    {session.address.clone()} " · since " <Time at=session.since /> " · last used " <Time at=session.seen />
                </span>
            </span>
            {control}
        </li>
    }
}
