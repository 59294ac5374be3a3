//! What is closed: said beside its name, among its facts, and asked for in a list.

use super::{Badge, Choice, Select, Time, Tone};
use leptos::prelude::*;
use switchyard::types::{OpenOrClosed, Timestamp};

/// A badge for what is closed; nothing for what is open.
pub fn closed_badge(is_closed: bool) -> impl IntoView {
    is_closed.then(|| view! { <Badge tone=Tone::Warning>"Closed"</Badge> })
}

/// Since when something is closed, among its facts; nothing for what is open.
pub fn closed_fact(closed_at: Option<Timestamp>) -> impl IntoView {
    closed_at.map(|at| {
        view! {
            <dt>"Closed"</dt>
            <dd>
                <Time at=at />
            </dd>
        }
    })
}

/// Narrows a list to what is open, or closed.
pub fn closed_filter(state: Signal<String>) -> impl IntoView {
    let each = OpenOrClosed::ALL.iter().map(|state| Choice::new(state.as_str(), state.name()));
    let choices = [Choice::new("", "Open and closed")].into_iter().chain(each).collect::<Vec<_>>();
    view! {
        <div class="w-[calc(50%-0.25rem)] sm:w-40">
            <Select label="Open or closed" name="state" choices=choices value=state bare=true />
        </div>
    }
}
