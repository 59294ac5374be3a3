//! One run, from its plan to its end: what it would do and the start; then how far it is, live, and what may be done about it.
//!
//! The rule: what is pressed stands where it stood. What changes by itself changes its words and its bars, not its place.

use super::plan::planned;
use super::progress::{log, steps, summary};
use super::{RunBadge, in_words};
use crate::audit::audit_fact;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::live::{Followed, follow};
use crate::ui::{
    Button, ButtonLink, ConfirmFold, FaultView, FormFault, Icon, Loading, Look, Notice, PageHead, Panel, SendForm, Sending, Time, fault_of,
    icon, load, toast_on_success, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use switchyard::types::{Change, Permission, Problem, RunAct, RunDetail, RunId, RunState, counted};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, proof, services},
    switchyard::utilities,
};

/// A run, whole.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/get")]
pub async fn read_run(id: RunId) -> Result<RunDetail, Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(utilities::get(&services.db, &services.now, &member, id).await?)
}

/// Pauses, resumes or cancels a run.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/act")]
pub async fn act_on_run(id: RunId, act: RunAct) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(utilities::act(&services.db, &services.now, &member, id, act).await?)
}

/// Starts a run as it is planned; `typed` is the confirmation that the plan asks for, `note` is for a second person.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/start")]
pub async fn start_run(id: RunId, #[server(default)] typed: String, #[server(default)] note: String) -> Result<(), Fault> {
    let (services, member, proof) = (services()?, member().await?, proof().await?);
    let started = utilities::start(&services.db, &services.now, &member, proof, id, &typed, &note).await?;
    let done = match (started.was_first, started.waits) {
        (true, _) => "first",
        (false, Some(_)) => "waits",
        (false, None) => "started",
    };
    leptos_axum::redirect(&format!("/utilities/runs/{}?done={done}", started.run));
    Ok(())
}

/// Plans what takes a run back, and leads to that plan.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/reverse")]
pub async fn reverse_run(id: RunId) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    let planned = utilities::plan_reverse(&services.db, &services.now, &member, id, services.alone.rows).await?;
    leptos_axum::redirect(&format!("/utilities/runs/{planned}"));
    Ok(())
}

/// One run.
#[component]
pub fn RunPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get_str("id").and_then(|id| id.parse::<RunId>().ok())));
    let found = load(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => read_run(id).await,
                None => Err(Problem::not_found("There is no such run. The address may be mistyped.").into()),
            }
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(first) => {
                        let sees_audit = me.await.is_ok_and(|me| me.may(Permission::SeeAudit));
                        let id = first.row.id;
                        let concerns = move |change| matches!(change, Change::Run { run_id, .. } if run_id == id);
                        let followed = follow(first, concerns, move || read_run(id));
                        view! { <Whole id=id followed=followed sees_audit=sees_audit /> }.into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Whole(id: RunId, followed: Followed<RunDetail>, sees_audit: bool) -> impl IntoView {
    let now = followed.now;
    let (start, act, reverse) = (Sending::to::<StartRun>(), Sending::to::<ActOnRun>(), Sending::to::<ReverseRun>());
    for sending in [start, act] {
        sending.on_answer(move || followed.read_again());
    }
    toast_on_success(act, "Done. The log says what becomes of it.");
    let title = now.with_untracked(|run| run.utility.clone());
    let what = now.with_untracked(|run| run.row.summary.clone());
    let state = Memo::new(move |_| now.with(|run| run.row.state));
    let is_planned = Memo::new(move |_| state.get() == RunState::Planned);
    let above = vec![("Utilities".to_owned(), "/utilities".to_owned()), ("History".to_owned(), "/utilities/history".to_owned())];
    view! {
        <PageHead title=title above=above beside=move || view! { {move || view! { <RunBadge of=state.get() /> }} } />
        <p class="mb-4 text-base wrap-anywhere">{what}</p>
        <Notice words=&[
            ("started", "It is started: a worker takes it within seconds. It goes on when this page is closed."),
            ("waits", "A second person has to agree. It waits under Approvals until then."),
            ("first", "Another run was at this already, so nothing new was started: this is that run."),
        ] />
        {move || {
            if is_planned.get() {
                now.with_untracked(|run| planned(run, start, reverse)).into_any()
            } else {
                under_way(id, now, sees_audit, state, act, reverse).into_any()
            }
        }}
    }
}

fn under_way(
    id: RunId,
    now: ReadSignal<RunDetail>,
    sees_audit: bool,
    state: Memo<RunState>,
    act: Sending,
    reverse: Sending,
) -> impl IntoView {
    view! {
        {buttons(id, now, state, act, reverse)}
        {move || now.with(trouble)}
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
            <div class="flex min-w-0 flex-col gap-4">
                <section class="panel p-4" aria-label="Progress">{move || now.with(summary)}</section>
                <section class="panel" aria-label="Steps">{move || now.with(steps)}</section>
            </div>
            <div class="flex min-w-0 flex-col gap-4">
                <Panel title="Facts">{move || now.with(|run| facts(run, sees_audit))}</Panel>
                <Panel title="What was asked for">{now.with_untracked(parameters)}</Panel>
                <Panel title="To take away">{move || now.with(files)}</Panel>
            </div>
            <div class="min-w-0 lg:col-span-2">{log(now)}</div>
        </div>
    }
}

/// What may be done now. Each has a place of its own, whatever the others do.
fn buttons(id: RunId, now: ReadSignal<RunDetail>, state: Memo<RunState>, act: Sending, reverse: Sending) -> impl IntoView {
    let may = move |act: RunAct| Memo::new(move |_| now.with(|run| run.acts.contains(&act)));
    let (may_pause, may_resume, may_cancel) = (may(RunAct::Pause), may(RunAct::Resume), may(RunAct::Cancel));
    let may_reverse = Memo::new(move |_| now.with(|run| run.may_reverse));
    let past = Memo::new(move |_| now.with(|run| run.past_cancelling.clone()));
    let any = move || may_pause.get() || may_resume.get() || may_cancel.get() || may_reverse.get() || past.with(Option::is_some);
    let form = move |of: RunAct, look: Look| {
        view! {
            <SendForm action=act>
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="act" value=of.as_str() />
                <Button look=look pending=waits(act)>
                    {move || of.name(state.get())}
                </Button>
            </SendForm>
        }
    };
    view! {
        <FormFault fault=fault_of(act) />
        <FormFault fault=fault_of(reverse) />
        <div class="mb-4 flex min-h-9 flex-wrap items-start gap-2" class:hidden=move || !any() role="group" aria-label="What can be done">
            <Show when=move || may_pause.get()>{form(RunAct::Pause, Look::Plain)}</Show>
            <Show when=move || may_resume.get()>{form(RunAct::Resume, Look::Main)}</Show>
            <Show when=move || may_cancel.get()>
                <ConfirmFold label="Cancel" of="the run" plain=true>
                    <p>"It ends after the batch under way. What was done until then stays done; the log says how far it came."</p>
                    {form(RunAct::Cancel, Look::Danger)}
                </ConfirmFold>
            </Show>
            <Show when=move || past.with(Option::is_some)>
                <p class="muted max-w-prose min-w-0 basis-60 grow self-center text-xs">{move || past.get()}</p>
            </Show>
            <Show when=move || may_reverse.get()>
                <SendForm action=reverse>
                    <input type="hidden" name="id" value=id.to_string() />
                    <Button pending=waits(reverse)>"Transfer back…"</Button>
                </SendForm>
            </Show>
        </div>
    }
}

/// Why it stands still, and what to do: a failure, or a second person.
fn trouble(run: &RunDetail) -> impl IntoView + use<> {
    let failed = run.error.as_ref().filter(|_| run.row.state == RunState::Failed).map(|error| {
        view! {
            <div class="alert alert-error alert-soft items-start py-2.5 text-sm" role="alert">
                {icon(Icon::Warning)}
                <div class="flex min-w-0 flex-col gap-1">
                    <p class="font-medium wrap-anywhere">{error.text.clone()}</p>
                    <p class="wrap-anywhere">"What to do: " {error.what_to_do.clone()}</p>
                    <p class="text-xs">"In the step “" {error.step.clone()} "”, behind row " {crate::ui::grouped(error.behind)} ". Nothing is lost."</p>
                </div>
            </div>
        }
    });
    let waits = (run.row.state == RunState::AwaitingApproval).then(|| {
        view! {
            <p class="alert alert-warning alert-soft items-start py-2.5 text-sm">
                {icon(Icon::Approvals)}
                <span>"It waits for a second person. " <a class="text-link font-medium" href=approval(run)>"To the approvals"</a></span>
            </p>
        }
    });
    view! { <div class="flex flex-col gap-2 not-empty:has-[.alert]:mb-4">{failed} {waits}</div> }
}

/// Where a second person decides on it, or has decided.
fn approval(run: &RunDetail) -> String {
    run.approval.map_or_else(|| "/approvals".to_owned(), |id| format!("/approvals?approval={id}"))
}

/// Who, when, and what it hangs together with.
fn facts(run: &RunDetail, sees_audit: bool) -> impl IntoView + use<> {
    let row = &run.row;
    let moment = |at| match at {
        Some(at) => view! { <Time at=at /> }.into_any(),
        None => view! { <span class="muted">"Not yet"</span> }.into_any(),
    };
    let link = |href: String, says: String| view! { <a class="text-link" href=href>{says}</a> }.into_any();
    let to_run = |id: RunId| link(format!("/utilities/runs/{id}"), "That run".to_owned());
    let asker = link(format!("/utilities/history?by={}", row.asked_by.0), row.asked_by.1.clone());
    let mut facts = vec![
        ("Asked by", view! { {asker} ", " <Time at=row.asked_at /> }.into_any()),
        (
            "Agreed by",
            match (&run.approved_by, run.approval) {
                (Some(name), _) => link(approval(run), name.clone()),
                (None, Some(_)) => link(approval(run), "Nobody yet".to_owned()),
                (None, None) => view! { <span class="muted">"Needs nobody"</span> }.into_any(),
            },
        ),
        ("Begun", moment(row.started_at)),
        ("Ended", moment(row.ended_at)),
        ("Planned", counted(run.plan.rows, "row", "rows").into_any()),
        ("Estimated", run.plan.seconds.map_or_else(|| "Nobody knows".to_owned(), in_words).into_any()),
    ];
    if let Some((line, label)) = &row.line {
        facts.push(("Line", link(format!("/lines/{line}"), label.clone())));
    }
    if !run.accounts.is_empty() {
        let each = run.accounts.iter().map(|(id, name)| {
            view! {
                <a class="text-link flex min-h-6 w-fit items-center" href=format!("/accounts/{id}")>{name.clone()}</a>
            }
        });
        facts.push((if run.accounts.len() == 1 { "Account" } else { "Accounts" }, each.collect_view().into_any()));
    }
    if let Some(of) = run.reverses {
        facts.push(("Takes back", to_run(of)));
    }
    if let Some(by) = run.reversed_by {
        facts.push(("Taken back by", to_run(by)));
    }
    let facts = facts.into_iter().map(|(name, value)| {
        view! {
            <dt>{name}</dt>
            <dd>{value}</dd>
        }
    });
    view! { <dl class="facts">{facts.collect_view()} {audit_fact(sees_audit, row.id.0, "Audit of this run")}</dl> }
}

/// What was answered to the form.
pub(super) fn parameters(run: &RunDetail) -> impl IntoView + use<> {
    let rows = run.parameters.iter().map(|(name, value)| {
        view! {
            <dt>{name.clone()}</dt>
            <dd>{value.clone()}</dd>
        }
    });
    view! { <dl class="facts">{rows.collect_view()}</dl> }
}

fn files(run: &RunDetail) -> impl IntoView + use<> {
    let page = format!("/utilities/runs/{}", run.row.id);
    let result = run.result.is_some().then(|| {
        view! {
            <ButtonLink href=format!("{page}/result.csv") external=true>
                {icon(Icon::Download)}
                "Result of each record, CSV"
            </ButtonLink>
        }
    });
    view! {
        <div class="flex flex-wrap gap-2">
            <ButtonLink href=format!("{page}/report.csv") external=true>
                {icon(Icon::Download)}
                "Report, CSV"
            </ButtonLink>
            {result}
        </div>
    }
}
