//! How the last day or month went: what came in and went out, what was posted, what failed, and what is held.

use crate::ui::{Chart, Graph, Ink, Series, Shape, Share, grouped};
use leptos::prelude::*;
use switchyard::types::{Activity, Age, Span};

/// The graphs and the spans to choose from.
pub fn graphs(drawn: &Activity, held: &[(Age, i64)]) -> impl IntoView + use<> {
    let spans = [(Span::Day, "Day"), (Span::Month, "Month")].map(|(span, name)| {
        let is_here = (span == drawn.span).then_some("page");
        view! {
            <li>
                <a href=format!("/?span={}", span.as_str()) class="tab-link" aria-current=is_here data-noscroll="true">
                    {name}
                </a>
            </li>
        }
    });
    let sum = |values: &[i64]| grouped(values.iter().sum());
    let last = if drawn.span == Span::Month { "30 days" } else { "24 hours" };
    let messages = graph(
        drawn,
        format!("{} came in and {} went out in {last}.", sum(&drawn.inbound), sum(&drawn.outbound)),
        [("inbound", Ink::Main, &drawn.inbound), ("outbound", Ink::Other, &drawn.outbound)].into(),
    );
    let posts = graph(drawn, format!("{} made in {last}.", sum(&drawn.posted)), [("posts", Ink::Main, &drawn.posted)].into());
    let failed = graph(
        drawn,
        format!("{} in {last}; each was or will be made again.", sum(&drawn.failed)),
        [("failed tries", Ink::Bad, &drawn.failed)].into(),
    );
    let now = grouped(held.iter().map(|(_, count)| count).sum());
    let backlog = graph(drawn, format!("{now} now; they wait for their contacts to write."), [("held", Ink::Waiting, &drawn.held)].into());
    view! {
        // It stands below what needs somebody, which is more and less.
        <section class="panel" data-moves="">
            <header class="flex flex-wrap items-end justify-between gap-x-6 border-b border-base-300 px-4 pt-3">
                <div class="pb-3">
                    <h2 class="font-semibold">"How it goes"</h2>
                    <p class="muted text-xs">"Of the accounts that you look after. Counted as it happens, and summed up every minute."</p>
                </div>
                <nav aria-label="How far back">
                    <ul class="-mb-px flex gap-5">{spans}</ul>
                </nav>
            </header>
            <div class="grid gap-x-8 gap-y-6 p-4 lg:grid-cols-2">
                <Chart title="Messages" shape=Shape::Lines graph=messages />
                <Chart title="Posts in RingCentral" shape=Shape::Bars graph=posts />
                <Chart title="Held" shape=Shape::Lines graph=backlog />
                <Chart title="Failed tries to post" shape=Shape::Bars graph=failed />
                {ages(held)}
            </div>
        </section>
    }
}

fn graph(drawn: &Activity, says: String, series: Vec<(&'static str, Ink, &Vec<i64>)>) -> Graph {
    let series = series.into_iter().map(|(name, ink, values)| Series { name, ink, values: values.clone() }).collect();
    Graph { says, from: drawn.from, step_seconds: drawn.step_seconds, series, limit: None }
}

/// What is held now, by how long; nothing when nothing is.
fn ages(held: &[(Age, i64)]) -> Option<impl IntoView + use<>> {
    let most = held.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if most == 0 {
        return None;
    }
    let rows = held
        .iter()
        .map(|&(age, count)| {
            view! {
                <tr>
                    <th scope="row" class="py-1 pe-3 text-start font-normal whitespace-nowrap">{age.label()}</th>
                    <td>
                        <span class="flex items-center gap-2">
                            <span class="w-16 text-end font-medium">{grouped(count)}</span>
                            <Share value=count of=most ink=Ink::Waiting />
                        </span>
                    </td>
                </tr>
            }
        })
        .collect_view();
    Some(view! {
        <div class="flex min-w-0 flex-col gap-2">
            <div>
                <h3 class="font-medium">"Held now, by age"</h3>
                <p class="muted text-xs">
                    "By how long the oldest message of each conversation has been held. " <a href="/sync?state=held" class="text-link">"All held conversations"</a>
                </p>
            </div>
            <table class="w-full text-xs">
                <thead class="sr-only">
                    <tr>
                        <th scope="col">"For"</th>
                        <th scope="col">"Messages"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    })
}
