//! The console: screens and the server functions behind them.
//!
//! One folder or file per screen: its component, then its server functions. A server function's first line takes the permit,
//! then it calls the service's verb; nothing changes on GET, and every form works without JavaScript.
//!
//! To add a screen: a module with its component, a route in [`app::App`] that says whose code it is part of, a link in [`frame`].

#![recursion_limit = "256"]

mod accounts;
mod app;
mod approvals;
mod audit;
mod bulk;
mod connections;
#[cfg(feature = "ssr")]
pub mod context;
mod conversation;
mod erasure;
mod fault;
mod find;
mod frame;
mod history;
mod home;
mod invitation;
mod lines;
mod live;
mod parts;
mod retention;
mod roles;
mod screen;
mod search;
mod sign_in;
mod simulator;
mod staff;
mod sync;
pub mod ui;
mod undo;
mod utilities;
mod views;
mod you;

pub use app::App;
#[cfg(feature = "ssr")]
pub use app::{Assets, shell};
pub use fault::Fault;

/// The document has this attribute once the page is taken over. Tests wait for it: before, a click is a plain link or form.
#[cfg(feature = "hydrate")]
const READY: &str = "data-ready";

/// Takes over the page that the server rendered, once the code of its screen is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    use leptos::prelude::document;
    console_error_panic_hook::set_once();
    wasm_bindgen_futures::spawn_local(async {
        leptos::mount::hydrate_from_async(leptos::tachys::dom::body(), App).await.forget();
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute(READY, "true");
        }
    });
}
