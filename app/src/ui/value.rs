//! Values as people read them: times, phone numbers in groups, text to copy.

use leptos::prelude::*;
use switchyard::types::{PhoneNumber, ShownNumber, Timestamp};

/// A moment, to the minute; the exact one in its title, and for machines. In UTC, until `times.js` writes it in the reader's zone: that
/// needs the text to be one.
#[component]
pub fn Time(
    /// The moment.
    at: Timestamp,
) -> impl IntoView {
    let exact = at.rfc3339();
    view! { <time datetime=exact.clone() title=exact class="whitespace-nowrap">{format!("{} UTC", at.minute())}</time> }
}

/// A phone number in groups, which `copy.js` takes out of what is copied. Shown only where the reader's permission has been checked.
#[component]
pub fn Number(
    /// The number.
    number: PhoneNumber,
) -> impl IntoView {
    view! { <span class="whitespace-nowrap">{number.readable()}</span> }
}

/// A contact's number, whole or masked, as the service gave it.
pub fn contact_number(number: &ShownNumber) -> impl IntoView + use<> {
    let hint = number.whole().is_none().then_some(MASKED);
    view! { <span class="whitespace-nowrap" title=hint>{number.readable()}</span> }
}

/// What a masked number or text says of itself.
pub const MASKED: &str = "Masked: your roles do not show personal data of this account. Ask an administrator for it.";

/// A word above what is masked; nothing where nothing is.
pub fn masked_note(is_masked: bool) -> impl IntoView {
    is_masked.then(|| view! { <p class="muted mb-3 text-sm" role="note">{MASKED}</p> })
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
