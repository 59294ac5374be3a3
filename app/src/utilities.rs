//! Data utilities: the catalogue, the form that launches one, one run from plan to end, and the history.
//!
//! The rule: these screens know no utility by name. What a utility asks for, does and counts comes from the service; a new one has its
//! form, its plan and its progress here without a line of its own. The way to the Line Transfer from a line's page alone is by name.

mod catalogue;
mod fields;
mod history;
mod launch;
mod of_line;
mod plan;
mod progress;
mod run;

pub use catalogue::UtilitiesPage;
pub use history::RunsPage;
pub use launch::LaunchPage;
pub use of_line::{TransferBanner, line_runs};
pub use run::RunPage;

use crate::connections::lasted;
use crate::ui::{Badge, Cell, RowLink, Table, Time, Tone, grouped};
use crate::views::Shown;
use leptos::prelude::*;
use std::time::Duration;
use switchyard::types::{RunRow, RunState, Timestamp};

/// How far a run is, in a word.
#[component]
pub(crate) fn RunBadge(
    /// How far.
    of: RunState,
) -> impl IntoView {
    let tone = match of {
        RunState::Planned | RunState::Cancelled => Tone::Plain,
        RunState::Queued | RunState::Running | RunState::Pausing | RunState::Verifying | RunState::Cancelling => Tone::Info,
        RunState::AwaitingApproval | RunState::Paused => Tone::Warning,
        RunState::Succeeded => Tone::Good,
        RunState::Failed => Tone::Bad,
    };
    view! { <Badge tone=tone>{of.name()}</Badge> }
}

/// So many hundredths are done; 100 only when it is all.
fn percent(done: i64, total: i64) -> i64 {
    match total {
        0 => 0,
        _ if done >= total => 100,
        _ => (done.max(0) * 100 / total).min(99),
    }
}

/// Seconds, as people say them.
fn in_words(seconds: i64) -> String {
    lasted(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Runs as rows, each followed by what leads to it.
fn run_table(rows: Vec<RunRow>, shown: &Shown) -> impl IntoView + use<> {
    let (heads, rows) = (shown.heads("What"), rows.into_iter().map(|row| run_row(row, shown)).collect_view());
    view! {
        <Table label="Runs" head=heads>
            {rows}
        </Table>
    }
}

fn run_row(row: RunRow, shown: &Shown) -> impl IntoView + use<> {
    let is_part = !(row.state.is_over() || matches!(row.state, RunState::Planned | RunState::AwaitingApproval));
    view! {
        <tr role="row">
            <Cell of="What">
                <RowLink href=format!("/utilities/runs/{}", row.id)>{row.summary}</RowLink>
            </Cell>
            {shown
                .has("state")
                .then(|| {
                    view! {
                        <Cell of="State">
                            <RunBadge of=row.state />
                            {is_part.then(|| view! { <span class="muted ms-1.5 text-xs whitespace-nowrap">{percent(row.done, row.total)} " %"</span> })}
                        </Cell>
                    }
                })}
            {shown.has("by").then(|| view! { <Cell of="Asked by">{row.asked_by.1}</Cell> })}
            {shown.has("asked").then(|| view! { <Cell of="Asked">{time(Some(row.asked_at))}</Cell> })}
            {shown.has("started").then(|| view! { <Cell of="Started">{time(row.started_at)}</Cell> })}
            {shown.has("ended").then(|| view! { <Cell of="Ended">{time(row.ended_at)}</Cell> })}
            {shown
                .has("line")
                .then(|| {
                    let line = row.line.map(|(id, label)| view! { <a class="text-link above" href=format!("/lines/{id}")>{label}</a> });
                    view! { <Cell of="Line">{line}</Cell> }
                })}
            {shown
                .has("rows")
                .then(|| view! { <Cell of="Rows" number=true>{format!("{} of {}", grouped(row.done), grouped(row.total))}</Cell> })}
        </tr>
    }
}

fn time(at: Option<Timestamp>) -> impl IntoView {
    at.map(|at| view! { <Time at=at /> })
}

#[cfg(test)]
mod tests {
    use super::{in_words, percent};

    #[test]
    fn a_hundred_percent_is_all_and_nothing_less() {
        assert_eq!([percent(0, 0), percent(0, 3), percent(999, 1_000), percent(1_000, 1_000), percent(7, 5)], [0, 0, 99, 100, 100]);
    }

    #[test]
    fn what_is_left_is_told_in_its_largest_unit() {
        assert_eq!([in_words(0), in_words(130), in_words(-5)], ["less than a minute", "2 minutes", "less than a minute"]);
    }
}
