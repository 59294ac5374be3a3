//! Help where the question arises: a question that unfolds its answer in place, without JavaScript too.

use leptos::prelude::*;

/// A question and its answer.
#[component]
pub fn Help(
    /// What one asks oneself here.
    question: &'static str,
    /// What to know, in the words of support.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="help mb-3 text-sm">
            <summary class="text-link inline-flex min-h-6 cursor-pointer items-center">{question}</summary>
            <div class="panel mt-2 flex max-w-3xl flex-col gap-2 p-4">{children()}</div>
        </details>
    }
}
