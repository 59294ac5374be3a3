//! One blast, live: its figures, what can be decided about it, and whom it went to.
//!
//! The rule: it is decided on with the text and the start that the reader came for. Another text is shown at once, but nothing is decided
//! with it before they have looked again.

use super::edit::{EditBlast, edit_form};
use super::recipients::{Asked, asked, list_recipients, recipients};
use super::state_badge;
use crate::audit::audit_fact;
use crate::conversation::concerns_line;
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::live::follow;
use crate::ui::{
    Button, ConfirmFold, FaultView, FormFault, Loading, Look, Notice, PageHead, Panel, SendForm, Sending, Stat, Time, fault_of, grouped,
    load, look_again, masked_note, mistyped, toast_on_success, waits,
};
use futures_util::future::try_join;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};
use switchyard::types::{BlastDetail, BlastId, BlastRecipient, BlastState, Closed, LineId, Page, Permission, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, proof, services},
    switchyard::messaging::blast,
    switchyard::staff::may,
};

/// What staff decide about a blast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlastAct {
    /// It starts at its time, or at once if that is over.
    Resume,
    /// It does not start before somebody decides.
    Pause,
    /// It never starts.
    Cancel,
    /// It has begun: whoever was not sent to yet is not.
    CancelRest,
}

/// A blast, whole.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/get")]
pub async fn get_blast(line: LineId, id: BlastId) -> Result<BlastDetail, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(blast::shown(&services()?.db, &permit, line, id).await?)
}

/// Decides about a blast that has not started, as it was seen on `version`, or cancels the rest of one that has.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/decide")]
pub async fn decide_blast(line: LineId, id: BlastId, version: i64, act: BlastAct) -> Result<(), Fault> {
    let permit = permit::<may::SendMessages>().await?;
    let services = services()?;
    let decision = match act {
        BlastAct::Resume => {
            // It goes out: as with a new one, a browser that nobody minds is not enough.
            proof().await?;
            blast::Decision::Resume
        }
        BlastAct::Pause => blast::Decision::Pause,
        BlastAct::Cancel => blast::Decision::Cancel,
        // What it says is settled.
        BlastAct::CancelRest => {
            return Ok(blast::cancel_rest(&services.db, &services.now, &permit, line, id).await.map(|_| ())?);
        }
    };
    Ok(blast::decide_as_staff(&services.db, &services.now, &permit, (line, id), version, decision).await?)
}

/// One blast.
#[component]
pub fn BlastPage() -> impl IntoView {
    let params = use_params_map();
    let ids = Memo::new(move |_| {
        params.with(|params| {
            let line = params.get_str("id").and_then(|id| id.parse::<LineId>().ok())?;
            Some((line, params.get_str("blast").and_then(|id| id.parse::<BlastId>().ok())?))
        })
    });
    let (action, edit) = (Sending::to::<DecideBlast>(), Sending::to::<EditBlast>());
    let looks = RwSignal::new(0_u32);
    for sending in [action, edit] {
        sending.on_success(move || looks.update(|looks| *looks += 1));
    }
    toast_on_success(action, "Done.");
    toast_on_success(edit, "The blast was changed.");
    let wanted = asked();
    let found = load(
        move || (ids.get(), wanted.get(), looks.get()),
        |(ids, asked, _)| async move {
            let Some((line, id)) = ids else { return Err(mistyped()) };
            let (blast, page) = try_join(get_blast(line, id), list_recipients(line, id, asked.sms, asked.after.clone())).await?;
            Ok((blast, asked, page))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((blast, asked, page))) => whole(&me, blast, (asked, page), (action, edit), looks).into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(
    me: &Me,
    blast: BlastDetail,
    (asked, page): (Asked, Page<BlastRecipient>),
    (action, edit): (Sending, Sending),
    looks: RwSignal<u32>,
) -> impl IntoView + use<> {
    let (may_send, sees_audit) = (me.may(Permission::SendMessages), me.may(Permission::SeeAudit));
    let form = may_send.then(|| edit_form(&blast, edit, looks));
    let BlastDetail { row, body, version: first_version, .. } = blast.clone();
    let (line, id, sms) = (row.line_id, row.id, asked.sms);
    let read = move || {
        let after = asked.after.clone();
        async move { try_join(get_blast(line, id), list_recipients(line, id, sms, after)).await }
    };
    let followed = follow((blast, page), move |change| concerns_line(change, line), read);
    let state = Memo::new(move |_| followed.now.with(|(blast, _)| blast.row.state));
    let closed = Memo::new(move |_| followed.now.with(|(blast, _)| blast.closed));
    let waits_for = move || closed.get().filter(|_| state.get() == BlastState::Paused);
    let has_begun = move || !matches!(state.get(), BlastState::Scheduled | BlastState::Paused);
    let says = Memo::new(move |_| followed.now.with(|(blast, _)| (blast.row.starts_at, blast.body.clone())));
    let first = (row.starts_at, body.clone());
    let is_other = Memo::new(move |_| says.with(|says| *says != first));
    // Somebody else's text stands on the page as soon as it is theirs; the buttons are of the one that was read here.
    let version = Memo::new(move |_| if is_other.get() { first_version } else { followed.now.with(|(blast, _)| blast.version) });
    view! {
        <PageHead
            title="Blast"
            above=vec![
                ("Lines".to_owned(), "/lines".to_owned()),
                (row.line.clone(), format!("/lines/{line}")),
                ("Blasts".to_owned(), format!("/lines/{line}/blasts")),
            ]
            beside=move || move || state_badge(state.get())
        >
            {may_send.then_some(move || acts((line, id), version, state.get(), closed.get(), action))}
        </PageHead>
        <Notice words=&[("taken", "The blast was taken.")] />
        <FormFault fault=fault_of(action) />
        {look_again(action, looks)}
        <div role="status">
            <Show when=move || is_other.get() && !has_begun()>
                <p class="alert alert-warning alert-soft mb-4 flex flex-wrap justify-between gap-2 py-2.5 text-sm">
                    "Its text or its start was changed meanwhile. Read it before you decide."
                    <button
                        type="button" class="btn btn-sm border-base-300 bg-base-100 font-medium"
                        on:click=move |_| {
                            action.clear();
                            looks.update(|looks| *looks += 1);
                        }
                    >
                        "I have read it"
                    </button>
                </p>
            </Show>
        </div>
        {move || waits_for().map(|closed| view! { <p class="alert alert-warning alert-soft mb-4 py-2.5 text-sm">{closed.sentence()}</p> })}
        {masked_note(body.is_none())}
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <Panel title="Figures">
                {move || followed.now.with(|(blast, _)| figures(blast))}
            </Panel>
            <Panel title="Facts">
                <dl class="facts">
                    <dt>"Line"</dt>
                    <dd>
                        <a class="text-link" href=format!("/lines/{line}")>{row.line}</a>
                    </dd>
                    <dt>"Account"</dt>
                    <dd>
                        <a class="text-link" href=format!("/accounts/{}", row.account_id)>{row.account}</a>
                    </dd>
                    <dt>"Sent by"</dt>
                    <dd>{row.created_by}</dd>
                    <dt>"Taken"</dt>
                    <dd>
                        <Time at=row.created_at />
                    </dd>
                    {move || says.with(|(starts_at, body)| start_and_text(*starts_at, body.clone()))}
                    {audit_fact(sees_audit, id.0, "Audit of this blast")}
                </dl>
            </Panel>
            <div class:hidden=has_begun>{form}</div>
        </div>
        {recipients((line, id), sms, followed)}
    }
}

/// When it starts and what it says, among its facts; the text only for who may see it.
fn start_and_text(starts_at: Option<Timestamp>, body: Option<String>) -> impl IntoView {
    view! {
        {starts_at
            .map(|at| {
                view! {
                    <dt>"Starts"</dt>
                    <dd>
                        <Time at=at />
                    </dd>
                }
            })}
        {body
            .map(|body| {
                view! {
                    <dt>"Text"</dt>
                    <dd class="whitespace-pre-line">{if body.is_empty() { "Removed".to_owned() } else { body }}</dd>
                }
            })}
    }
}

fn figures(blast: &BlastDetail) -> impl IntoView + use<> {
    let BlastDetail { row, sent, delivered, failed, waiting, stopped, counted, .. } = blast;
    let figures = [
        ("Recipients", row.recipients),
        ("Left out: opted out", row.opted_out),
        ("Left out: twice", row.duplicates),
        ("Recorded", row.recorded),
        ("Waiting to be sent", *waiting),
        ("Sent", *sent),
        ("Of these, delivered", *delivered),
        ("Failed", *failed),
        ("Opted out meanwhile", *stopped),
    ];
    let counted = *counted;
    view! {
        <dl class="grid grid-cols-2 gap-4 sm:grid-cols-3">
            {figures.map(|(label, value)| view! { <Stat label=label value=value /> }).collect_view()}
        </dl>
        {(counted < row.recorded)
            .then(|| {
                view! {
                    <p class="muted mt-3 text-xs">
                        "Waiting, sent and failed are of the first " {grouped(counted)} " messages that were recorded."
                    </p>
                }
            })}
    }
}

/// What can be decided about it now, as it was seen on this version. One whose line or account is closed cannot be resumed.
fn acts(
    (line, id): (LineId, BlastId),
    version: Memo<i64>,
    state: BlastState,
    closed: Option<Closed>,
    action: Sending,
) -> impl IntoView + use<> {
    let form = move |act: &'static str, words: &'static str, look: Look| {
        view! {
            <SendForm action=action>
                <input type="hidden" name="line" value=line.to_string() />
                <input type="hidden" name="id" value=id.to_string() />
                <input
                    type="hidden" name="version" value=version.get_untracked().to_string()
                    prop:value=move || version.get().to_string()
                />
                <input type="hidden" name="act" value=act />
                <Button look=look pending=waits(action)>
                    {words}
                </Button>
            </SendForm>
        }
    };
    let cancel = move || {
        view! {
            <ConfirmFold label="Cancel blast" of="this blast">
                <p>"It is never sent, and its recipients are forgotten. This cannot be taken back."</p>
                {form("cancel", "Cancel the blast", Look::Danger)}
            </ConfirmFold>
        }
    };
    match state {
        BlastState::Scheduled => view! {
            {form("pause", "Pause", Look::Plain)}
            {cancel()}
        }
        .into_any(),
        BlastState::Paused => view! {
            {closed.is_none().then(|| form("resume", "Resume", Look::Main))}
            {cancel()}
        }
        .into_any(),
        BlastState::Recording | BlastState::Sending => view! {
            <ConfirmFold label="Cancel the rest" of="this blast">
                <p>"What was given to the carrier is left to end; whoever was not sent to yet is not. This cannot be taken back."</p>
                {form("cancel_rest", "Cancel the rest of it", Look::Danger)}
            </ConfirmFold>
        }
        .into_any(),
        BlastState::Cancelled | BlastState::Sent => ().into_any(),
    }
}
