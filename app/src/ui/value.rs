//! Values as people read them: times in UTC, phone numbers in groups, text to copy.

use leptos::prelude::*;
use switchyard::types::{PhoneNumber, Timestamp};

/// A moment, to the minute, in UTC; the exact one for machines.
#[component]
pub fn Time(
    /// The moment.
    at: Timestamp,
) -> impl IntoView {
    let exact = at.rfc3339();
    view! { <time datetime=exact.clone() title=exact class="whitespace-nowrap">{at.minute()} " UTC"</time> }
}

/// A phone number in groups. Shown only where the reader's permission has been checked.
#[component]
pub fn Number(
    /// The number.
    number: PhoneNumber,
) -> impl IntoView {
    view! { <span class="whitespace-nowrap">{number.readable()}</span> }
}

/// Text to take away, with a button that copies it where JavaScript runs.
#[component]
pub fn CopyText(
    /// What it is, as the field's label.
    label: &'static str,
    /// The text.
    text: String,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let shown = text.clone();
    let copy = move |_| {
        // Without permission the text is still there to be selected.
        let _ = window().navigator().clipboard().write_text(&text);
        copied.set(true);
    };
    let select = |event: leptos::ev::FocusEvent| event_target::<web_sys::HtmlInputElement>(&event).select();
    view! {
        <div class="flex flex-col gap-1">
            <label for="copy-text" class="font-medium">{label}</label>
            <div class="flex gap-2">
                <input id="copy-text" readonly=true value=shown class="input w-full font-mono text-xs" on:focus=select />
                <button type="button" class="btn btn-sm h-10 border-base-300 bg-base-100 text-sm font-medium" on:click=copy>
                    {move || if copied.get() { "Copied" } else { "Copy" }}
                </button>
            </div>
        </div>
    }
}
