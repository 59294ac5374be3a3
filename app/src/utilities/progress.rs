//! How far a run is: all of it, each step, and the log of what happened.

use super::{in_words, percent};
use crate::ui::{Badge, Time, Tone, grouped};
use leptos::prelude::*;
use switchyard::types::{RunDetail, RunEvent, RunEventKind, RunState, RunStep};

/// All of it: one bar, the step under way, the rate and what is left.
pub fn summary(run: &RunDetail) -> impl IntoView + use<> {
    let row = &run.row;
    let of = row.total.max(row.done);
    // What was planned and was not there any more is done, too.
    let done = if row.state == RunState::Succeeded { 100 } else { percent(row.done, of) };
    let says = match row.state {
        RunState::Planned => "Not started.".to_owned(),
        RunState::AwaitingApproval => "Nothing was changed yet.".to_owned(),
        RunState::Queued => "Waits for a worker.".to_owned(),
        RunState::Pausing => "Stops after the batch under way.".to_owned(),
        RunState::Cancelling => "Ends after the batch under way.".to_owned(),
        RunState::Paused => "Stands still until somebody resumes it.".to_owned(),
        RunState::Failed => "Stands still; it can be resumed from here.".to_owned(),
        RunState::Succeeded if run.steps.iter().any(|step| step.is_check) => "Done, and recounted.".to_owned(),
        RunState::Succeeded => "Done.".to_owned(),
        RunState::Cancelled => "Ended before it was done.".to_owned(),
        RunState::Running | RunState::Verifying => {
            let step = run.steps.iter().find(|step| step.ended_at.is_none());
            step.map_or_else(|| "Nearly done.".to_owned(), |step| format!("Now: {}", step.name))
        }
    };
    let left = match (run.seconds_left, row.state.is_moving()) {
        (Some(seconds), true) => in_words(seconds),
        _ => "–".to_owned(),
    };
    let took = row.started_at.zip(row.ended_at).map(|(from, to)| in_words(i64::try_from(to.since(from).as_secs()).unwrap_or(i64::MAX)));
    let stats = [
        ("Rows done", format!("{} of {}", grouped(row.done), grouped(of))),
        ("Rows a second", run.rows_per_second.map_or_else(|| "–".to_owned(), grouped)),
        took.map_or(("Time left", left), |took| ("Took", took)),
    ];
    let stats = stats.map(|(label, value)| {
        view! {
            <div class="flex min-w-0 flex-col-reverse">
                <dt class="muted text-xs">{label}</dt>
                <dd class="font-semibold">{value}</dd>
            </div>
        }
    });
    view! {
        <div class="flex items-baseline justify-between gap-3">
            <p class="min-w-0 wrap-anywhere">{says}</p>
            <p class="text-xl font-semibold whitespace-nowrap">{done} " %"</p>
        </div>
        <progress class="progress progress-primary my-3 block w-full" aria-label="All of it" value=done.to_string() max="100"></progress>
        <dl class="grid grid-cols-2 gap-3 sm:grid-cols-3">{stats.collect_view()}</dl>
    }
}

/// Each step with its bar; those that recount stand apart.
pub fn steps(run: &RunDetail) -> impl IntoView + use<> {
    let list = |is_check: bool| run.steps.iter().filter(|step| step.is_check == is_check).map(step).collect_view();
    let is_checked = run.steps.iter().any(|step| step.is_check);
    let checks = is_checked.then(|| {
        view! {
            <h2 class="border-y border-base-300 px-4 py-2.5 font-semibold">
                "Verification" <span class="muted text-xs font-normal">" · counts again what was done"</span>
            </h2>
            <ol class="divide-y divide-base-300/60">{list(true)}</ol>
        }
    });
    view! {
        <h2 class="border-b border-base-300 px-4 py-2.5 font-semibold">"Steps"</h2>
        <ol class="divide-y divide-base-300/60">{list(false)}</ol>
        {checks}
    }
}

fn step(step: &RunStep) -> impl IntoView + use<> {
    let is_done = step.ended_at.is_some();
    let of = step.total.max(step.done);
    let (mark, says) = match (is_done, step.began_at) {
        (true, _) => ("M4.5 10.5l3.5 3.5 7.5-8", "done"),
        (false, Some(_)) => ("M5 10h.1M10 10h.1M15 10h.1", "under way"),
        (false, None) => ("", "to come"),
    };
    let class = if is_done { "text-success" } else { "muted" };
    let numbers = match (is_done, of) {
        (true, done) => grouped(done),
        (false, 0) => "0".to_owned(),
        (false, of) => format!("{} of {}", grouped(step.done), grouped(of)),
    };
    // A step without rows is done or not.
    let (value, max) = if of == 0 { (i64::from(is_done), 1) } else { (if is_done { of } else { step.done }, of) };
    view! {
        <li class="run-step" aria-current=(!is_done && step.began_at.is_some()).then_some("step")>
            <span class=class>
                <svg class="size-4" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
                    <path d=mark />
                </svg>
                <span class="sr-only">{says}</span>
            </span>
            <span class="min-w-0 wrap-anywhere">{step.name.clone()}</span>
            <progress class="progress progress-primary" aria-label=step.name.clone() value=value.to_string() max=max.to_string()></progress>
            <span class="muted text-end text-xs whitespace-nowrap tabular-nums">{numbers}</span>
        </li>
    }
}

/// What happened, the latest first.
pub fn log(now: ReadSignal<RunDetail>) -> impl IntoView {
    let is_cut = move || now.with(|run| run.events.len() >= RunDetail::EVENTS);
    view! {
        <section class="panel" aria-labelledby="log">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 id="log" class="font-semibold">"Log"</h2>
                <p class="muted text-xs">"The latest first."</p>
            </header>
            <ol class="divide-y divide-base-300/60">
                <For each=move || now.with(|run| run.events.clone()) key=|event| (event.at, event.text.clone()) children=entry />
            </ol>
            <Show when=is_cut>
                <p class="muted border-t border-base-300 px-4 py-3 text-xs">"Earlier entries are in the report."</p>
            </Show>
        </section>
    }
}

fn entry(event: RunEvent) -> impl IntoView {
    let badge = match event.kind {
        RunEventKind::Info => None,
        RunEventKind::Warning => Some((Tone::Warning, "Warning")),
        RunEventKind::Error => Some((Tone::Bad, "Error")),
    };
    view! {
        <li class="run-event">
            <span class="muted text-xs">
                <Time at=event.at />
            </span>
            <span class="min-w-0 wrap-anywhere">
                {badge.map(|(tone, word)| view! { <Badge tone=tone>{word}</Badge> " " })} {event.text}
                {event.by.map(|by| view! { <span class="muted text-xs">" · " {by}</span> })}
            </span>
        </li>
    }
}
