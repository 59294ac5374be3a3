//! A plan: what a run would do, with counts, conflicts and what stands in its way; and its start, by a typed confirmation.

use super::in_words;
use super::run::parameters;
use crate::ui::{
    Button, ButtonLink, Cell, FormFault, Heads, Icon, Look, Panel, SendForm, Sending, Table, TextArea, fault_of, field_error, grouped,
    icon, waits,
};
use leptos::prelude::*;
use switchyard::types::{Obstacle, Plan, RunDetail};

/// A run that was planned and not started.
pub fn planned(run: &RunDetail, start: Sending, reverse: Sending) -> impl IntoView + use<> {
    let plan = &run.plan;
    let duration = match plan.seconds {
        None => "Nobody knows yet how long that takes.".to_owned(),
        Some(seconds) if seconds < 60 => "That takes less than a minute, while everything else goes on.".to_owned(),
        Some(seconds) => format!("That takes about {}, while everything else goes on.", in_words(seconds)),
    };
    let conflicts = (!plan.conflicts.is_empty()).then(|| {
        let items = plan.conflicts.iter().map(|text| view! { <li>{text.clone()}</li> }).collect_view();
        view! {
            <div class="border-t border-base-300 p-4">
                <h3 class="mb-1.5 flex items-center gap-2 font-semibold">
                    <span class="text-warning">{icon(Icon::Warning)}</span>
                    "Where two things meet"
                </h3>
                <ul class="flex list-disc flex-col gap-1.5 ps-5">{items}</ul>
            </div>
        }
    });
    let effects = (!plan.effects.is_empty()).then(|| {
        let items = plan.effects.iter().map(|text| view! { <li>{text.clone()}</li> }).collect_view();
        view! {
            <div class="border-t border-base-300 p-4">
                <h3 class="mb-1.5 font-semibold">"What else happens"</h3>
                <ul class="flex list-disc flex-col gap-1.5 ps-5">{items}</ul>
            </div>
        }
    });
    let rows = grouped(plan.rows);
    let counts = counts(plan);
    let way = if plan.obstacles.is_empty() { confirmation(run, start, reverse).into_any() } else { obstacles(run, reverse).into_any() };
    let asked = parameters(run);
    view! {
        <FormFault fault=fault_of(reverse) />
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
            <section class="panel min-w-0">
                <header class="border-b border-base-300 px-4 py-3">
                    <h2 class="font-semibold">"What it would do"</h2>
                    <p class="muted text-xs">"Nothing is changed yet. " {rows} " rows in all. " {duration}</p>
                </header>
                {counts}
                {effects}
                {conflicts}
            </section>
            <div class="flex min-w-0 flex-col gap-4">
                {way}
                <Panel title="What was asked for">{asked}</Panel>
            </div>
        </div>
    }
}

fn counts(plan: &Plan) -> impl IntoView + use<> {
    let rows = plan.counts.iter().cloned().map(|count| {
        view! {
            <tr role="row">
                <Cell of="What">{count.name}</Cell>
                <Cell of="How many" number=true>{grouped(count.rows)}</Cell>
                <Cell of="What becomes of them">{count.fate}</Cell>
            </tr>
        }
    });
    let rows = rows.collect_view();
    let heads = Heads::from(&["What", "How many", "What becomes of them"]).numbers(&["How many"]);
    view! {
        <Table label="What it touches" head=heads>
            {rows}
        </Table>
    }
}

/// Why it cannot be started now, each with where it is mended.
fn obstacles(run: &RunDetail, reverse: Sending) -> impl IntoView + use<> {
    let items = run.plan.obstacles.iter().map(obstacle).collect_view();
    view! {
        <section class="panel flex flex-col gap-4 p-4" aria-labelledby="obstacles">
            <h2 id="obstacles" class="font-semibold">"It cannot be started now"</h2>
            <ul class="flex flex-col gap-2">{items}</ul>
            <div class="flex flex-wrap gap-2">{ways_back(run, reverse)}</div>
        </section>
    }
}

fn obstacle(of: &Obstacle) -> impl IntoView + use<> {
    let offer = of.offer.clone().map(|(says, to)| view! { <a class="text-link font-medium" href=to>{says}</a> });
    view! {
        <li class="alert alert-warning alert-soft items-start py-2.5 text-sm">
            {icon(Icon::Warning)}
            <div class="flex min-w-0 flex-col items-start gap-1">
                <span>{of.text.clone()}</span>
                {offer}
            </div>
        </li>
    }
}

/// The typed confirmation, the words for a second person, and the start.
fn confirmation(run: &RunDetail, start: Sending, reverse: Sending) -> impl IntoView + use<> {
    let fault = fault_of(start);
    let typed = run.plan.confirm.clone().map(|(what, wanted)| {
        let error = field_error(fault, "typed");
        view! {
            <div class="flex flex-col gap-1">
                <label for="typed" class="font-medium">"To confirm, type " {what}</label>
                <p class="muted" id="typed-help">
                    <strong class="font-semibold wrap-anywhere">{wanted}</strong>
                </p>
                <input
                    id="typed" name="typed" required=true autocomplete="off" spellcheck="false" class="input w-full"
                    class:input-error=move || error.with(Option::is_some)
                    aria-invalid=move || error.with(Option::is_some).then_some("true") aria-describedby="typed-help typed-error"
                />
                <p id="typed-error" class="text-error text-xs font-medium empty:hidden">{move || error.get()}</p>
            </div>
        }
    });
    let note = run.plan.needs_approval.then(|| {
        view! {
            <TextArea
                label="Why it is needed" name="note" required=false error=field_error(fault, "note")
                help="A second person has to agree: this is what they read. While there is nobody else who could, it starts at once."
            />
        }
    });
    let ways = ways_back(run, reverse);
    let id = run.row.id;
    // The form that plans anew cannot stand in the form that starts.
    view! {
        <section class="panel flex flex-col gap-4 p-4" aria-labelledby="start">
            <h2 id="start" class="font-semibold">"Start it"</h2>
            <SendForm action=start>
                <div class="flex flex-col gap-4">
                    <FormFault fault=fault fields=&["typed", "note"] />
                    <input type="hidden" name="id" value=id.to_string() />
                    {typed}
                    {note}
                    <div>
                        <Button look=Look::Danger pending=waits(start)>
                            "Start"
                        </Button>
                    </div>
                </div>
            </SendForm>
            <div class="flex flex-wrap gap-2 border-t border-base-300 pt-4">{ways}</div>
        </section>
    }
}

/// Planning it anew, and leaving it: a plan that nobody starts is forgotten.
fn ways_back(run: &RunDetail, reverse: Sending) -> impl IntoView + use<> {
    let anew = match (run.reverses, &run.row.line) {
        (Some(of), _) => view! {
            <SendForm action=reverse>
                <input type="hidden" name="id" value=of.to_string() />
                <Button pending=waits(reverse)>"Plan anew"</Button>
            </SendForm>
        }
        .into_any(),
        (None, line) => {
            let query = line.as_ref().map(|(line, _)| format!("?line={line}")).unwrap_or_default();
            view! { <ButtonLink href=format!("/utilities/new/{}{query}", run.row.kind.as_str())>"Plan anew"</ButtonLink> }.into_any()
        }
    };
    view! {
        {anew}
        <ButtonLink href="/utilities">"Discard"</ButtonLink>
    }
}
