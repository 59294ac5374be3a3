//! How far RingCentral is with a conversation: the same word in every list and on the conversation itself.

use crate::ui::{Badge, Time, Tone};
use leptos::prelude::*;
use switchyard::types::SyncState;

/// The state in a word.
#[component]
pub fn SyncBadge(
    /// The state.
    of: SyncState,
) -> impl IntoView {
    let tone = match of {
        SyncState::NotConnected => Tone::Plain,
        SyncState::InSync => Tone::Good,
        SyncState::Held { .. } => Tone::Warning,
        SyncState::Delivering { .. } => Tone::Info,
        SyncState::Stalled { .. } => Tone::Bad,
    };
    view! { <Badge tone=tone>{of.label()}</Badge> }
}

/// Since when a stalled one is, and why; nothing for the others.
#[component]
pub fn SyncReason(
    /// The state.
    of: SyncState,
) -> impl IntoView {
    match of {
        SyncState::Stalled { since, why } => Some(view! {
            <span class="muted block text-xs sm:inline">"Since " <Time at=since /> {(!why.is_empty()).then(|| format!(": {why}"))}</span>
        }),
        _ => None,
    }
}
