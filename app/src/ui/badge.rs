//! Badges: a state in one word, told by the word and only helped by the colour.

use leptos::prelude::*;
use switchyard::types::IntegrationType;

/// What kind of state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Something to know.
    Info,
    /// As it should be.
    Good,
    /// Somebody should look.
    Warning,
    /// It failed.
    Bad,
}

/// A state in one word.
#[component]
pub fn Badge(
    /// What kind of state it is.
    #[prop(optional)]
    tone: Tone,
    /// The word.
    children: Children,
) -> impl IntoView {
    let class = match tone {
        Tone::Plain => "badge badge-sm badge-soft badge-neutral whitespace-nowrap",
        Tone::Info => "badge badge-sm badge-soft badge-info whitespace-nowrap",
        Tone::Good => "badge badge-sm badge-soft badge-success whitespace-nowrap",
        Tone::Warning => "badge badge-sm badge-soft badge-warning whitespace-nowrap",
        Tone::Bad => "badge badge-sm badge-soft badge-error whitespace-nowrap",
    };
    view! { <span class=class>{children()}</span> }
}

/// A line's integration type.
#[component]
pub fn TypeBadge(
    /// The type.
    of: IntegrationType,
) -> impl IntoView {
    let tone = match of {
        IntegrationType::None => Tone::Plain,
        IntegrationType::Inbox => Tone::Good,
        IntegrationType::Ringcentral => Tone::Info,
    };
    view! { <Badge tone=tone>{of.name()}</Badge> }
}
