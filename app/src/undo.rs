//! Taking back what was just done: a bar at the foot of the page offers it for ten seconds, to the pointer, to the keyboard and without
//! JavaScript.
//!
//! The rule: it stays while the pointer or the focus is on it, and what is taken back shows on the page at once.

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{FormFault, SendForm, Sending, fault_of, load_again, toast, waits};
use leptos::leptos_dom::helpers::IntervalHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use std::time::Duration;
use switchyard::types::{UndoId, UndoOffer};
use web_sys::{HtmlElement, HtmlFormElement};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, services},
    switchyard::undo,
};

/// This step, if the member may take it back at this moment.
#[server(prefix = "/fn", output = Reply, endpoint = "undo/offered")]
pub async fn offered_undo(id: UndoId) -> Result<Option<UndoOffer>, Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(undo::offered(&services.db, &services.now, &member, Some(id)).await?)
}

/// Takes back what the member has just done: all of it, or nothing.
#[server(prefix = "/fn", output = Reply, endpoint = "undo/take")]
pub async fn take_back(id: UndoId) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    Ok(undo::take(&services.db, &services.now, &member, id).await?)
}

/// What takes back what a form has just done.
#[derive(Debug, Clone, Copy)]
pub struct Done(RwSignal<Option<UndoId>>);

impl Done {
    /// A form has gone well, and this takes it back.
    pub fn tell(self, id: UndoId) {
        // Whoever has left the console does not hear of it any more.
        self.0.try_set(Some(id));
    }
}

/// Makes forms below this point tell of what can be taken back.
pub fn provide_undo() {
    provide_context(Done(RwSignal::new(None)));
}

/// Presses the button that takes back, if it is offered.
pub fn press() -> bool {
    let button = document().query_selector("[data-undo]").ok().flatten().and_then(|found| found.dyn_into::<HtmlElement>().ok());
    button.inspect(HtmlElement::click).is_some()
}

/// Offers to take back.
#[component]
pub fn UndoBar() -> impl IntoView {
    let me = use_me();
    view! {
        <Suspense>{move || Suspend::new(async move { me.await.ok().map(|me| view! { <Bar first=me.undo /> }) })}</Suspense>
    }
}

#[component]
fn Bar(
    /// What is offered as the page is opened.
    first: Option<UndoOffer>,
) -> impl IntoView {
    let Done(done) = expect_context();
    let action = Sending::to::<TakeBack>();
    let fault = fault_of(action);
    let left = RwSignal::new(first.as_ref().map_or(0, |offer| offer.seconds));
    let offer = RwSignal::new(first);
    let held = RwSignal::new(false);
    Effect::new(move |_| {
        let Some(id) = done.get() else {
            // What came with the page was for who has no JavaScript: it may be of another tab.
            offer.set(None);
            return;
        };
        spawn_local(async move {
            // Whoever cannot be told of it can still change it by hand.
            let Ok(found) = offered_undo(id).await else { return };
            action.clear();
            left.set(found.as_ref().map_or(0, |offer| offer.seconds));
            offer.set(found);
        });
    });
    let is_offered = Memo::new(move |_| offer.with(Option::is_some));
    let ticks = StoredValue::new(None::<IntervalHandle>);
    Effect::new(move |_| {
        if let Some(before) = ticks.try_update_value(Option::take).flatten() {
            before.clear();
        }
        if is_offered.get() {
            let tick = move || {
                if held.get_untracked() || waits(action).get_untracked() || fault.get_untracked().is_some() {
                    return;
                }
                left.update(|left| *left = left.saturating_sub(1));
                if left.get_untracked() == 0 {
                    offer.set(None);
                }
            };
            ticks.set_value(set_interval_with_handle(tick, Duration::from_secs(1)).ok());
        }
    });
    let close = move || {
        leave_focus();
        held.set(false);
        action.clear();
        offer.set(None);
    };
    action.on_success(move || {
        close();
        forget_what_was_typed();
        load_again();
        toast("Taken back.");
    });
    view! { <Show when=move || is_offered.get()>{offer_view(offer, left, held, action, close)}</Show> }
}

/// What is offered, as it looks: what was done, the way back, and for how many more seconds.
pub(crate) fn offer_view(
    offer: RwSignal<Option<UndoOffer>>,
    left: RwSignal<u64>,
    held: RwSignal<bool>,
    action: Sending,
    close: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let fault = fault_of(action);
    view! {
        <div
            role="group" aria-label="Undo" class="undo" on:pointerenter=move |_| held.set(true) on:pointerleave=move |_| held.set(false)
            on:focusin=move |_| held.set(true) on:focusout=move |_| held.set(false)
        >
            <FormFault fault=fault />
            <div class="flex items-center gap-3">
                <span class="min-w-0 grow">{move || offer.get().map(|offer| offer.what)}</span>
                <Show
                    when=move || fault.with(Option::is_none)
                    fallback=move || view! { <button type="button" class="btn btn-sm" on:click=move |_| close()>"Close"</button> }
                >
                    <SendForm action=action>
                        <input type="hidden" name="id" value=move || offer.get().map(|offer| offer.id.to_string()) />
                        // Not disabled while it is sent: it would lose the focus.
                        <button type="submit" class="btn btn-sm" data-undo="" aria-keyshortcuts="z Control+Z">
                            "Undo"
                        </button>
                    </SendForm>
                    <span class="w-8 text-end tabular-nums" aria-hidden="true">{left} " s"</span>
                </Show>
            </div>
        </div>
    }
}

/// The focus must not go down with the bar.
fn leave_focus() {
    let is_in_bar = document().active_element().is_some_and(|active| matches!(active.closest(".undo"), Ok(Some(_))));
    let main = document().get_element_by_id("main").and_then(|main| main.dyn_into::<HtmlElement>().ok());
    if let (true, Some(main)) = (is_in_bar, main) {
        // Fails only for what cannot have the focus.
        let _ = main.focus();
    }
}

/// A field keeps what was typed into it over what the page says: not so after that was taken back.
fn forget_what_was_typed() {
    let Ok(forms) = document().query_selector_all("form[data-sent]") else { return };
    for form in (0..forms.length()).filter_map(|at| forms.item(at)?.dyn_into::<HtmlFormElement>().ok()) {
        form.reset();
    }
}
