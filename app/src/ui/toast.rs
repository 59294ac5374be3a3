//! Toasts: a short word about what was just done in place, in a region that a screen reader listens to.

use super::Sending;
use leptos::prelude::*;
use std::time::Duration;

/// How long a toast stays; what it says is also visible on the page, so nothing is lost with it.
const STAYS: Duration = Duration::from_secs(6);

#[derive(Clone, Copy)]
struct Toasts(RwSignal<Vec<(u32, String)>>);

/// Makes toasts possible below this point.
pub fn provide_toasts() {
    provide_context(Toasts(RwSignal::new(Vec::new())));
}

/// Says something for a few seconds.
pub fn toast(text: impl Into<String>) {
    let Some(Toasts(list)) = use_context() else { return };
    let key = list.with_untracked(|list| list.last().map_or(0, |(key, _)| key + 1));
    list.update(|list| list.push((key, text.into())));
    set_timeout(move || list.update(|list| list.retain(|(other, _)| *other != key)), STAYS);
}

/// Says something each time a form has gone well.
pub fn toast_on_success(sending: Sending, text: &'static str) {
    sending.on_success(move || toast(text));
}

/// Where toasts appear, above what else is said there.
#[component]
pub fn ToastRegion(
    /// What else.
    children: Children,
) -> impl IntoView {
    let list = use_context::<Toasts>().map(|toasts| toasts.0);
    view! {
        <div role="status" aria-live="polite" class="flex max-w-full flex-col gap-2">
            <For each=move || list.map(|list| list.get()).unwrap_or_default() key=|(key, _)| *key let((_, text))>
                <p class="rounded-box bg-neutral px-4 py-2.5 text-sm font-medium text-neutral-content shadow-lg">{text}</p>
            </For>
            {children()}
        </div>
    }
}
