//! Nothing there, not there yet, and on its way.

use super::{ButtonLink, Look};
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

/// In place of a form that needs an account while there is none; `why` says what it is needed for. Who may add one is led there.
pub fn no_account(why: &'static str, may_add: bool) -> impl IntoView {
    let first = if may_add { "Add the account first." } else { "Someone whose role holds on all accounts has to add it first." };
    view! {
        <div class="panel">
            <Empty title="No account yet">
                <span>{why} " " {first}</span>
                {may_add
                    .then(|| {
                        view! {
                            <ButtonLink href="/accounts/new" look=Look::Main>
                                "Add an account"
                            </ButtonLink>
                        }
                    })}
            </Empty>
        </div>
    }
}

/// How many rows stand in place of those that are on their way.
const ROWS: usize = 8;

/// In place of what is being loaded: rows as high as a table's, so that nothing jumps when they come. They take their place at once and
/// are seen late, so that quick answers do not flicker.
#[component]
pub fn Loading() -> impl IntoView {
    view! {
        <div class="skeleton-list">
            <p class="sr-only" role="status">
                "Loading…"
            </p>
            <div class="panel" aria-busy="true">
                {[(); ROWS].map(|()| view! { <div class="skeleton-row"></div> }).collect_view()}
            </div>
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
