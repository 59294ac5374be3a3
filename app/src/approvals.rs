//! Approvals: what waits for a second person, and what became of it.

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, ConfirmFold, Empty, FaultView, FormFault, Loading, Look, Notice, PageHead, Pager, SendForm, Sending, Time, Tone,
    fault_of, load, query_field, toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{ApprovalId, ApprovalRow, ApprovalState, Cursor, Page, Permission, StaffId};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, permit, proof, services},
    switchyard::staff::{approvals, may},
    switchyard::types::Outcome,
};

/// How many a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 25;

/// Where the cursor of what waits stands in the URL, beside that of what was decided.
const OPEN_AFTER: &str = "waiting";

/// What waits, or waited, for a second person: what one may decide and what one asked for. What somebody came for, `approval`, stands
/// first, whatever has become of it.
#[server(prefix = "/fn", output = Reply, endpoint = "approvals/list")]
pub async fn list_approvals(
    #[server(default)] open: bool,
    after: Option<Cursor>,
    approval: Option<ApprovalId>,
) -> Result<Page<ApprovalRow>, Fault> {
    let (services, member) = (services()?, member().await?);
    let mut page = approvals::list(&services.db, &services.now, &member, open, after.as_ref(), PAGE).await?;
    if let Some(id) = approval
        && let Some(first) = approvals::find(&services.db, &services.now, &member, id).await?
    {
        page.rows.retain(|row| row.id != id);
        page.rows.insert(0, first);
    }
    Ok(page)
}

/// Agrees, and has it done; or declines.
#[server(prefix = "/fn", output = Reply, endpoint = "approvals/decide")]
pub async fn decide_approval(id: ApprovalId, #[server(default)] agrees: bool, #[server(default)] note: String) -> Result<(), Fault> {
    let _permit = permit::<may::Approve>().await?;
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    Ok(approvals::decide(&services.db, &services.now, &member, proof, id, agrees, &note).await?)
}

/// Takes back what one asked for.
#[server(prefix = "/fn", output = Reply, endpoint = "approvals/withdraw")]
pub async fn withdraw_approval(id: ApprovalId) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(approvals::withdraw(&services.db, &services.now, &member, id).await?)
}

/// Leads on from a change that may need a second person: to `done`, or to where it waits.
#[cfg(feature = "ssr")]
pub(crate) fn lead(outcome: Outcome, done: &str) {
    match outcome {
        Outcome::Done => leptos_axum::redirect(done),
        Outcome::Waits(id) => leptos_axum::redirect(&where_it_waits(id)),
    }
}

/// Where what was just asked for waits.
#[cfg(feature = "ssr")]
pub(crate) fn where_it_waits(id: ApprovalId) -> String {
    format!("/approvals?done=asked&approval={id}")
}

/// The inbox, and what was decided.
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    let decide = Sending::to::<DecideApproval>();
    let withdraw = Sending::to::<WithdrawApproval>();
    let looks = RwSignal::new(0_u32);
    for act in [decide, withdraw] {
        act.on_success(move || looks.update(|looks| *looks += 1));
    }
    toast_on_success(decide, "Decided.");
    toast_on_success(withdraw, "Taken back.");
    let [after, open_after, named] = ["after", OPEN_AFTER, "approval"].map(query_field);
    let open = load(
        move || (looks.get(), open_after.get(), named.get()),
        |(_, after, named)| {
            // On the pages behind the first one each stands in its place.
            let named = named.parse().ok().filter(|_| after.is_empty());
            list_approvals(true, cursor(after), named)
        },
    );
    let past = load(move || (looks.get(), after.get()), |(_, after)| list_approvals(false, cursor(after), None));
    let me = use_me();
    view! {
        <PageHead title="Approvals" />
        <Notice words=&[("asked", "A second person has to agree. It waits here; nothing is changed until then.")] />
        <FormFault fault=fault_of(decide) />
        <FormFault fault=fault_of(withdraw) />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, open.await, past.await) {
                    (Ok(me), Ok(open), Ok(mut past)) => {
                        let may = me.may(Permission::Approve);
                        let own = me.member.id;
                        past.rows.retain(|row| open.rows.iter().all(|other| other.id != row.id));
                        let nothing = open.rows.iter().all(|row| row.state != ApprovalState::Open);
                        let waiting = open.rows.into_iter().map(|row| {
                            if row.state == ApprovalState::Open {
                                card(row, own, may, decide, withdraw).into_any()
                            } else {
                                // What one came for was decided meanwhile.
                                view! { <ul class="panel">{past_row(row)}</ul> }.into_any()
                            }
                        });
                        let waiting = waiting.collect_view();
                        view! {
                            <section class="mb-6 flex flex-col gap-3" aria-label="Waiting">
                                {nothing.then(|| view! {
                                    <div class="panel">
                                        <Empty title="Nothing waits">"What needs a second person appears here, for those who may decide and for who asked."</Empty>
                                    </div>
                                })}
                                {waiting}
                                <Pager label="Pages of what waits" next=open.next name=OPEN_AFTER />
                            </section>
                            {(!past.rows.is_empty()).then(|| view! {
                                <h2 class="mb-2 font-semibold">"Decided"</h2>
                                <ul class="panel divide-y divide-base-300/60">{past.rows.into_iter().map(past_row).collect_view()}</ul>
                                <Pager label="Pages of what was decided" next=past.next />
                            })}
                        }
                            .into_any()
                    }
                    (Err(fault), ..) | (_, Err(fault), _) | (.., Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// Where a list goes on; from its beginning for an empty field.
fn cursor(text: String) -> Option<Cursor> {
    Some(text).filter(|text| !text.is_empty()).map(Cursor)
}

fn card(row: ApprovalRow, own: StaffId, may: bool, decide: Sending, withdraw: Sending) -> impl IntoView {
    let id = row.id.to_string();
    let (agree, place) = (id.clone(), format!("approval-{id}"));
    let is_own = row.asked_by.0 == own;
    let acts = match (is_own, may) {
        (true, _) => view! {
            <p class="muted text-xs">"You asked for this: somebody else has to decide."</p>
            <SendForm action=withdraw>
                <input type="hidden" name="id" value=id />
                <Button pending=waits(withdraw)>"Take it back"</Button>
            </SendForm>
        }
        .into_any(),
        (false, true) => view! {
            <ConfirmFold label="Agree" of=row.summary.clone() plain=true>
                {form(agree, true, decide)}
            </ConfirmFold>
            <ConfirmFold label="Decline" of=row.summary.clone()>
                {form(id, false, decide)}
            </ConfirmFold>
        }
        .into_any(),
        (false, false) => ().into_any(),
    };
    view! {
        <article id=place class="panel flex flex-col gap-2 p-4">
            <h2 class="font-semibold wrap-anywhere">{row.summary.clone()}</h2>
            <p class="wrap-anywhere">{row.note}</p>
            {row.run.map(|run| view! { <a class="text-link self-start" href=format!("/utilities/runs/{run}")>"See what it would do"</a> })}
            <p class="muted text-xs">
                {row.asked_by.1} " asked " <Time at=row.asked_at /> ". It can be decided until " <Time at=row.expires_at /> "."
            </p>
            <div class="flex flex-wrap items-center gap-2">{acts}</div>
        </article>
    }
}

/// The form that decides.
fn form(id: String, agrees: bool, decide: Sending) -> impl IntoView {
    let (label, help) = match agrees {
        true => ("Agree and do it", "A word to who asked (optional)"),
        false => ("Decline", "Why, so that who asked knows what to do"),
    };
    view! {
        <SendForm action=decide>
            <div class="flex flex-col items-start gap-3">
                <input type="hidden" name="id" value=id />
                <input type="hidden" name="agrees" value=agrees.to_string() />
                <label class="flex w-full flex-col gap-1">
                    <span>{help}</span>
                    <input name="note" maxlength="500" required=!agrees autocomplete="off" class="input w-full" />
                </label>
                <Button look=if agrees { Look::Main } else { Look::Danger } pending=waits(decide)>
                    {label}
                </Button>
            </div>
        </SendForm>
    }
}

fn past_row(row: ApprovalRow) -> impl IntoView {
    let (tone, state) = match row.state {
        ApprovalState::Approved => (Tone::Good, "Agreed and done"),
        ApprovalState::Declined => (Tone::Bad, "Declined"),
        ApprovalState::Withdrawn => (Tone::Plain, "Taken back"),
        ApprovalState::Expired | ApprovalState::Open => (Tone::Warning, "Expired"),
    };
    let decided = row.decided.map(|(who, at, note)| {
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        view! { <p class="muted text-xs wrap-anywhere">{who} ", " <Time at=at /> {note}</p> }
    });
    view! {
        <li class="flex flex-col gap-1 px-4 py-3">
            <span class="flex flex-wrap items-center gap-2">
                <span class="font-medium wrap-anywhere">{row.summary}</span>
                <Badge tone=tone>{state}</Badge>
                {row.run.map(|run| view! { <a class="text-link" href=format!("/utilities/runs/{run}")>"The run"</a> })}
            </span>
            <p class="muted text-xs wrap-anywhere">{row.asked_by.1} ", " <Time at=row.asked_at /> ": " {row.note}</p>
            {decided}
        </li>
    }
}
