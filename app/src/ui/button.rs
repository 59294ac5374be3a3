//! Buttons and links that look like them. A button acts, a link leads somewhere.

use super::{Icon, icon};
use leptos::prelude::*;

/// How much a button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// The one thing to do on a screen.
    Main,
    /// One of several things.
    #[default]
    Plain,
    /// Beside other things, as in a row.
    Quiet,
    /// What cannot easily be taken back.
    Danger,
}

impl Look {
    /// Its classes, for a button that is none of these.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Main => "btn btn-sm h-9 text-sm btn-primary",
            Self::Plain => "btn btn-sm h-9 text-sm bg-base-100 border-base-300 font-medium",
            Self::Quiet => "btn btn-sm text-sm btn-ghost font-medium text-primary",
            Self::Danger => "btn btn-sm h-9 text-sm btn-error",
        }
    }
}

/// Sends the form it stands in. While it waits it says so and cannot be pressed again.
#[component]
pub fn Button(
    /// How much it asks for.
    #[prop(optional)]
    look: Look,
    /// Whether its answer is awaited.
    #[prop(optional, into)]
    pending: Signal<bool>,
    /// The field that its press is, where a form can be sent in more than one way …
    #[prop(optional)]
    name: Option<&'static str>,
    /// … and what it says.
    #[prop(optional)]
    value: Option<&'static str>,
    /// What it does, in a verb.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type="submit" name=name value=value class=look.class() aria-busy=move || pending.get().then_some("true")
            on:click=move |event| {
                if pending.get_untracked() {
                    event.prevent_default();
                }
            }
        >
            <Show when=move || pending.get()>
                <span class="loading loading-spinner loading-xs" aria-hidden="true"></span>
            </Show>
            {children()}
        </button>
    }
}

/// A link that looks like a button.
#[component]
pub fn ButtonLink(
    /// Where it leads.
    #[prop(into)]
    href: Signal<String>,
    /// How much it asks for.
    #[prop(optional)]
    look: Look,
    /// Not a page of the console: the browser follows it by itself.
    #[prop(optional)]
    external: bool,
    /// Where it leads, in words.
    children: Children,
) -> impl IntoView {
    view! { <a href=move || href.get() class=look.class() rel=external.then_some("external")>{children()}</a> }
}

/// The way to what a list shows as a CSV file.
#[component]
pub fn CsvLink(
    /// The file.
    #[prop(into)]
    href: Signal<String>,
) -> impl IntoView {
    view! {
        <ButtonLink href=href external=true>
            {icon(Icon::Download)}
            "CSV"
        </ButtonLink>
    }
}
