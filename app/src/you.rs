//! Your account: the password, the second factor, and the browsers in which you are signed in.

use crate::fault::{Fault, Reply};
use crate::staff::session_row;
use crate::ui::{
    Badge, Button, ConfirmFold, FaultView, Field, FormFault, Loading, Look, PageHead, Panel, SendForm, Sending, Tone, fault_of,
    field_error, load, toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{OwnAccount, SecondFactorOffer, SessionRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, proof, services, session},
    switchyard::staff::{self, second_factor, session_handle, session_key},
    switchyard::types::Problem,
    tower_sessions::session::Id,
};

/// The session that asks.
#[cfg(feature = "ssr")]
fn here() -> Result<Id, Problem> {
    session()?.id().ok_or(Problem::SignedOut)
}

/// One's own account.
#[server(prefix = "/fn", output = Reply, endpoint = "you")]
pub async fn read_own_account() -> Result<OwnAccount, Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(staff::own_account(&services.db, &services.now, &member, session_handle(&here()?)).await?)
}

/// Changes one's own password; the other sessions end.
#[server(prefix = "/fn", output = Reply, endpoint = "you/password")]
pub async fn change_password(present: String, password: String) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    let keep = session_key(&here()?);
    Ok(staff::change_password(&services.db, &services.now, &services.passwords, &member, present, password, &keep).await?)
}

/// Begins to set up a second factor: the answer is the secret, which counts for nothing until its first code.
#[server(prefix = "/fn", output = Reply, endpoint = "you/second-factor/offer")]
pub async fn offer_second_factor() -> Result<SecondFactorOffer, Fault> {
    let (services, member) = (services()?, member().await?);
    let proof = proof().await?;
    Ok(second_factor::offer(&services.db, &services.now, &services.keys, proof, member.id()).await?)
}

/// Sets up the second factor by its first code: the answer is the recovery codes, shown now and never again. The other sessions end.
#[server(prefix = "/fn", output = Reply, endpoint = "you/second-factor/confirm")]
pub async fn confirm_second_factor(code: String) -> Result<Vec<String>, Fault> {
    let (services, member) = (services()?, member().await?);
    let proof = proof().await?;
    let keep = session_key(&here()?);
    Ok(second_factor::confirm(&services.db, &services.now, &services.keys, proof, &member, &code, &keep).await?)
}

/// Gives up the second factor; the other sessions end.
#[server(prefix = "/fn", output = Reply, endpoint = "you/second-factor/remove")]
pub async fn remove_second_factor(present: String) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    proof().await?;
    let keep = session_key(&here()?);
    Ok(staff::remove_second_factor(&services.db, &services.now, &services.passwords, &member, present, &keep).await?)
}

/// New recovery codes in place of the earlier ones.
#[server(prefix = "/fn", output = Reply, endpoint = "you/recovery-codes")]
pub async fn new_recovery_codes() -> Result<Vec<String>, Fault> {
    let (services, member) = (services()?, member().await?);
    let proof = proof().await?;
    Ok(second_factor::new_recovery_codes(&services.db, &services.now, proof, &member).await?)
}

/// Ends one of one's own sessions, or all others when none is named.
#[server(prefix = "/fn", output = Reply, endpoint = "you/sessions/end")]
pub async fn end_own_session(#[server(default)] handle: String) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    let handle = (!handle.is_empty()).then_some(handle.as_str());
    Ok(staff::end_own_session(&services.db, &services.now, &member, handle, &session_key(&here()?)).await?)
}

#[derive(Clone, Copy)]
struct Acts {
    password: Sending,
    offer: Sending,
    confirm: Sending,
    remove: Sending,
    codes: Sending,
    end: Sending,
}

/// Your account.
#[component]
pub fn YouPage() -> impl IntoView {
    let acts = Acts {
        password: Sending::to::<ChangePassword>(),
        offer: Sending::to::<OfferSecondFactor>(),
        confirm: Sending::to::<ConfirmSecondFactor>(),
        remove: Sending::to::<RemoveSecondFactor>(),
        codes: Sending::to::<NewRecoveryCodes>(),
        end: Sending::to::<EndOwnSession>(),
    };
    let looks = RwSignal::new(0_u32);
    for act in [acts.password, acts.remove, acts.codes, acts.end, acts.confirm] {
        act.on_success(move || looks.update(|looks| *looks += 1));
    }
    acts.remove.on_success(move || acts.confirm.clear());
    acts.confirm.on_success(move || acts.offer.clear());
    toast_on_success(acts.password, "The password is changed, and your other sessions ended.");
    toast_on_success(acts.remove, "The second factor is removed, and your other sessions ended.");
    toast_on_success(acts.end, "Ended.");
    let found = load(move || looks.get(), |_| read_own_account());
    view! {
        <PageHead title="Your account" />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(own) => page(own, acts).into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn page(own: OwnAccount, acts: Acts) -> impl IntoView {
    let OwnAccount { row, sessions, here, recovery_codes } = own;
    let roles = if row.roles.is_empty() { "None".to_owned() } else { row.roles.join(", ") };
    let fault = fault_of(acts.password);
    let length = if row.second_factor { "At least 8 characters beside your second factor." } else { "At least 15 characters." };
    let email = row.email.clone();
    let more = sessions.len() > 1;
    let end = move |session: &SessionRow| {
        let (handle, device) = (session.handle.clone(), session.device.clone());
        view! {
            <SendForm action=acts.end>
                <input type="hidden" name="handle" value=handle />
                <Button look=Look::Quiet pending=waits(acts.end)>
                    "End" <span class="sr-only">" the session of " {device}</span>
                </Button>
            </SendForm>
        }
    };
    let rows = sessions
        .iter()
        .map(|session| {
            let is_here = session.handle == here;
            session_row(session, is_here.then_some("This one"), (!is_here).then(|| end(session)))
        })
        .collect_view();
    view! {
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <div class="flex min-w-0 flex-col gap-4">
                <Panel title="You">
                    <dl class="facts">
                        <dt>"Name"</dt>
                        <dd>{row.name}</dd>
                        <dt>"E-mail"</dt>
                        <dd class="wrap-anywhere">{email}</dd>
                        <dt>"Roles"</dt>
                        <dd>{roles}</dd>
                    </dl>
                </Panel>
                // Only scripts know of zones; without them times are in UTC.
                <div class="scripted">
                    <Panel title="Times" note="In this browser. Point at a time for the exact one; copied, it is exact, too.">
                        <label for="zone" class="mb-1 block font-medium">"Time zone"</label>
                        <select id="zone" class="select w-full" data-zones=""></select>
                    </Panel>
                </div>
                <Panel title="Password" note="Your other sessions end when it changes.">
                    <SendForm action=acts.password>
                        <div class="flex flex-col gap-4">
                            <FormFault fault=fault fields=&["present", "password"] />
                            // So that a password manager files the password under the right name.
                            <input type="email" value=row.email autocomplete="username" class="hidden" readonly=true />
                            <Field
                                label="Present password" name="present" kind="password" autocomplete="current-password"
                                error=field_error(fault, "present")
                            />
                            <Field
                                label="New password" name="password" kind="password" autocomplete="new-password" help=length
                                error=field_error(fault, "password")
                            />
                            <div>
                                <Button look=Look::Main pending=waits(acts.password)>
                                    "Change the password"
                                </Button>
                            </div>
                        </div>
                    </SendForm>
                </Panel>
            </div>
            <div class="flex min-w-0 flex-col gap-4">
                {second_factor_panel(row.second_factor, recovery_codes, acts)}
                <section class="panel">
                    <header class="border-b border-base-300 px-4 py-3">
                        <h2 class="font-semibold">"Sessions"</h2>
                        <p class="muted text-xs">"The browsers in which you are signed in. End what you do not know, then change your password."</p>
                    </header>
                    <div class="px-4 pt-2 empty:hidden">
                        <FormFault fault=fault_of(acts.end) />
                    </div>
                    <ul class="divide-y divide-base-300/60">
                        {rows}
                    </ul>
                    {more
                        .then(|| view! {
                            <div class="border-t border-base-300 p-4">
                                <SendForm action=acts.end>
                                    <Button pending=waits(acts.end)>"End all other sessions"</Button>
                                </SendForm>
                            </div>
                        })}
                </section>
            </div>
        </div>
    }
}

fn second_factor_panel(is_set: bool, recovery_codes: i64, acts: Acts) -> impl IntoView {
    let codes = move || {
        let made = [acts.confirm, acts.codes]
            .into_iter()
            .find_map(|act| act.answer().with(|answer| serde_json::from_str::<Vec<String>>(answer.as_ref()?.as_ref().ok()?).ok()));
        made.map(recovery_list)
    };
    let body = if is_set {
        let fault = fault_of(acts.remove);
        view! {
            <p class="flex flex-wrap items-center gap-2">
                <Badge tone=Tone::Good>"On"</Badge>
                {format!("{recovery_codes} recovery codes are left.")}
            </p>
            <div class="flex flex-wrap gap-2">
                <ConfirmFold label="New recovery codes" of="" plain=true>
                    <p>"The earlier ones are worth nothing from then on."</p>
                    <SendForm action=acts.codes>
                        <Button look=Look::Main pending=waits(acts.codes)>
                            "Make new ones"
                        </Button>
                    </SendForm>
                </ConfirmFold>
                <ConfirmFold label="Remove" of="the second factor">
                    <SendForm action=acts.remove>
                        <div class="flex flex-col items-start gap-3">
                            <p>"Your other sessions end, too."</p>
                            <Field
                                label="Your password" name="present" kind="password" autocomplete="current-password"
                                error=field_error(fault, "present")
                            />
                            <Button look=Look::Danger pending=waits(acts.remove)>
                                "Remove the second factor"
                            </Button>
                        </div>
                    </SendForm>
                </ConfirmFold>
            </div>
        }
        .into_any()
    } else {
        view! {
            <p>
                "Codes of an authenticator on your phone, asked for after the password. Some permissions hold only with it. Your other sessions end when it is set up."
            </p>
            {move || offered(acts)}
            <noscript>
                <p class="muted text-xs">"Setting it up needs JavaScript in this browser."</p>
            </noscript>
        }
        .into_any()
    };
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Second factor"</h2>
            </header>
            <div class="flex flex-col gap-4 p-4">
                <FormFault fault=fault_of(acts.offer) />
                <FormFault fault=fault_of(acts.codes) />
                <FormFault fault=fault_of(acts.remove) fields=&["present"] />
                <div role="status" class="empty:absolute">{codes}</div>
                {body}
            </div>
        </section>
    }
}

/// The QR code and the field for its first code; before that, the button that begins.
fn offered(acts: Acts) -> AnyView {
    let offer = acts.offer.answer().with(|answer| serde_json::from_str::<SecondFactorOffer>(answer.as_ref()?.as_ref().ok()?).ok());
    let Some(offer) = offer else {
        return view! {
            <SendForm action=acts.offer>
                <Button look=Look::Main pending=waits(acts.offer)>
                    "Set up"
                </Button>
            </SendForm>
        }
        .into_any();
    };
    let fault = fault_of(acts.confirm);
    view! {
        <ol class="flex list-decimal flex-col gap-4 ps-5">
            <li>
                <p>"Take a picture of this with your authenticator, or type the key into it."</p>
                <div class="my-2 inline-block rounded-box bg-white p-2" role="img" aria-label="QR code" inner_html=offer.picture></div>
                <p class="font-mono text-xs break-all" data-secret="">{offer.secret}</p>
            </li>
            <li>
                <SendForm action=acts.confirm>
                    <div class="flex flex-col items-start gap-3">
                        <FormFault fault=fault fields=&["code"] />
                        <Field
                            label="The six digits it shows now" name="code" autocomplete="one-time-code" inputmode="numeric"
                            error=field_error(fault, "code")
                        />
                        <Button look=Look::Main pending=waits(acts.confirm)>
                            "Confirm"
                        </Button>
                    </div>
                </SendForm>
            </li>
        </ol>
    }
    .into_any()
}

fn recovery_list(codes: Vec<String>) -> impl IntoView {
    let all = codes.join("\n");
    view! {
        <div class="rounded-box border border-success p-4">
            <p class="mb-2 font-semibold">"Your recovery codes: they are shown only now."</p>
            <p class="mb-2">"Each lets you in once when the phone is lost. Keep them where you keep passwords."</p>
            <pre class="font-mono text-xs" data-recovery-codes="">{all}</pre>
        </div>
    }
}
