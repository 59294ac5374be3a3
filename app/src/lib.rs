//! The console: screens and the server functions behind them.
//!
//! One folder or file per screen: its component, then its server functions. A server function's first line takes the permit,
//! then it calls the service's verb; nothing changes on GET, and every form works without JavaScript.
//!
//! To add a screen: a module with its component, a route in [`app::App`], a link in [`frame`].

#![recursion_limit = "256"]

mod accounts;
mod app;
#[cfg(feature = "ssr")]
pub mod context;
mod conversation;
mod fault;
mod frame;
mod invitation;
mod lines;
mod live;
mod sign_in;
mod simulator;
mod staff;
mod sync;
pub mod ui;

pub use app::App;
#[cfg(feature = "ssr")]
pub use app::{Assets, shell};
pub use fault::Fault;

/// Takes over the page that the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(App);
    // Tests wait for it: before, a click is a plain link or form.
    if let Some(root) = leptos::prelude::document().document_element() {
        let _ = root.set_attribute("data-ready", "true");
    }
}
