//! The palette: search everywhere, over the page. What it holds is code of its own, fetched when the page has come to rest.
//!
//! The rule: it opens at once, the browser keeps the focus within it and gives it back, and without JavaScript its button is a link to the
//! page of the search.

use crate::screen::{Screen, screen};
use crate::search::Panel;
use crate::ui::{Icon, icon};
use leptos::ev;
use leptos::html;
use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos::reactive::computed::ScopedFuture;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use std::time::Duration;

/// By then what the page itself needs is there.
const AT_REST: Duration = Duration::from_secs(1);

/// Whether the palette is open.
#[derive(Clone, Copy)]
pub struct Palette {
    /// Whoever sets it opens or closes it.
    pub open: RwSignal<bool>,
}

/// Makes the palette known to its button, its keys and itself.
pub fn provide_palette() {
    provide_context(Palette { open: RwSignal::new(false) });
}

/// Opens the palette.
#[component]
pub fn PaletteButton() -> impl IntoView {
    let Palette { open } = expect_context();
    let press = move |event: ev::MouseEvent| {
        // A new tab or window gets the page.
        if !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
            event.prevent_default();
            open.set(true);
        }
    };
    view! {
        <a href="/search" class="palette-button" aria-keyshortcuts="Control+K Meta+K" on:click=press>
            {icon(Icon::Search)} <span class="sr-only lg:not-sr-only">"Search"</span>
            <kbd class="kbd kbd-sm ms-auto hidden lg:inline-flex" aria-hidden="true">"Ctrl K"</kbd>
        </a>
    }
}

/// The palette.
#[component]
pub fn PaletteDialog() -> impl IntoView {
    let Palette { open } = expect_context();
    let dialog = NodeRef::<html::Dialog>::new();
    let place = NodeRef::<html::Div>::new();
    let is_fetched = StoredValue::new(false);
    let owner = Owner::current();
    Effect::new(move |_| {
        let open = open.get();
        let (Some(dialog), Some(place)) = (dialog.get(), place.get()) else { return };
        match (open, dialog.open()) {
            // Fails only for a dialog that is shown already or not in the page.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
        if open && !is_fetched.get_value() {
            is_fetched.set_value(true);
            if let Some(owner) = owner.clone() {
                fill(place, owner);
            }
        }
    });
    // Ahead of the first time.
    Effect::new(move |_| {
        let fetch = || spawn_local(async { drop((panel().load)().await) });
        if let Ok(timer) = set_timeout_with_handle(fetch, AT_REST) {
            on_cleanup(move || timer.clear());
        }
    });
    // Beside what it holds.
    let press = move |event: ev::MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlDialogElement>().ok());
        if target.is_some() {
            open.set(false);
        }
    };
    view! {
        <dialog node_ref=dialog class="palette" aria-label="Search everywhere" on:close=move |_| open.set(false) on:click=press>
            <div node_ref=place></div>
        </dialog>
    }
}

/// What the palette holds.
fn panel() -> Screen {
    screen!(search, Panel)
}

/// Fetches what the palette holds, and shows it. Where it cannot be had, the page of the search is there.
fn fill(place: web_sys::HtmlDivElement, owner: Owner) {
    spawn_local(async move {
        let shown = owner.with(|| ScopedFuture::new((panel().show)()));
        match shown.await {
            Ok(view) => owner.with(|| mount_to(place.into(), move || view).forget()),
            // Fails only for an address that cannot be parsed.
            Err(_) => drop(window().location().set_href("/search")),
        }
    });
}
