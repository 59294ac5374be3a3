//! Nothing there, not there yet, and on its way.

use leptos::prelude::*;

/// An empty list: says what would be here and what to do.
#[component]
pub fn Empty(
    /// What is not there.
    title: &'static str,
    /// What to do about it.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="flex flex-col items-center gap-2 px-6 py-12 text-center">
            <p class="font-semibold">{title}</p>
            <div class="muted flex max-w-md flex-col items-center gap-3">{children()}</div>
        </div>
    }
}

/// In place of what is being loaded. It appears late, so that quick answers do not flicker.
#[component]
pub fn Loading() -> impl IntoView {
    view! {
        <div class="flex items-center gap-3 p-6" role="status">
            <span class="loading loading-spinner loading-sm" aria-hidden="true"></span>
            <span class="muted">"Loading…"</span>
        </div>
    }
}

/// How far something is.
#[component]
pub fn Progress(
    /// What is under way.
    label: &'static str,
    /// How much is done.
    #[prop(into)]
    done: Signal<i64>,
    /// How much there is.
    #[prop(into)]
    of: Signal<i64>,
) -> impl IntoView {
    view! {
        <div class="flex flex-col gap-1">
            <div class="flex justify-between text-xs">
                <span>{label}</span>
                <span class="muted">{move || format!("{} of {}", done.get(), of.get())}</span>
            </div>
            <progress
                class="progress progress-primary w-full" aria-label=label value=move || done.get().to_string()
                max=move || of.get().max(1).to_string()
            ></progress>
        </div>
    }
}
