//! The code of a screen comes to the browser when somebody goes there: screens that are used together form a room, and each room
//! is a WebAssembly file of its own in a release build (feature `split`).
//!
//! The rule: a room that cannot be loaded is no dead end. The page that the server rendered stays as it is, and a way that leads
//! elsewhere is gone by a full load, as without JavaScript; so a tab that was open during an update finds its way.

use leptos::prelude::*;
use leptos::wasm_split::SplitLoaderError;
use leptos_router::ChooseView;
use leptos_router::hooks::use_params_map;
use leptos_router::params::ParamsMap;
use std::pin::Pin;

/// What is loaded before it is there.
type Coming<T> = Pin<Box<dyn Future<Output = Result<T, SplitLoaderError>>>>;

/// A screen of a room, as a route shows it. Made by [`screen!`].
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whose code it is part of.
    #[cfg_attr(not(feature = "ssr"), expect(dead_code, reason = "only the server has the list of a room's files"))]
    pub room: &'static str,
    /// Loads the room.
    pub load: fn() -> Coming<()>,
    /// Shows the screen.
    pub show: fn() -> Coming<AnyView>,
}

/// `screen!(room, Page)`: the component `Page`, whose code is in `room`.
#[cfg(feature = "split")]
macro_rules! screen {
    ($room:ident, $page:ident) => {{
        #[allow(non_snake_case)]
        mod $page {
            use leptos::prelude::AnyView;
            use leptos::wasm_split::{SplitLoaderError, wasm_split};

            #[wasm_split($room, wasm_split_path = leptos::wasm_split, fallible, preload(load))]
            pub fn $page() -> Result<AnyView, SplitLoaderError> {
                Ok($crate::screen::of_the_path(super::$page))
            }
        }
        $crate::screen::Screen { room: stringify!($room), load: || Box::pin($page::load()), show: || Box::pin($page::$page()) }
    }};
}

/// `screen!(room, Page)`: the component `Page`. Not split, it is there already.
#[cfg(not(feature = "split"))]
macro_rules! screen {
    ($room:ident, $page:ident) => {
        $crate::screen::Screen {
            room: stringify!($room),
            load: || Box::pin(async { Ok(()) }),
            show: || Box::pin(async { Ok($crate::screen::of_the_path($page)) }),
        }
    };
}

pub(crate) use screen;

/// A screen of what its path names, made anew when it names another: what was typed or answered for the one is not the other's. The
/// router by itself keeps the elements of a screen while only the names in its path change.
pub fn of_the_path<V: IntoView + 'static>(page: impl Fn() -> V + Clone + Send + Sync + 'static) -> AnyView {
    let params = use_params_map();
    let names = Memo::new(move |_| params.with(ParamsMap::to_query_string));
    view! { <For each=move || [names.get()] key=Clone::clone children=move |_| page() /> }.into_any()
}

impl ChooseView for Screen {
    async fn choose(self) -> AnyView {
        #[cfg(feature = "ssr")]
        announce(self.room);
        match (self.show)().await {
            Ok(view) => view,
            Err(_) => never().await,
        }
    }

    async fn preload(&self) {
        if (self.load)().await.is_err() {
            #[cfg(feature = "hydrate")]
            leave();
            never().await
        }
    }
}

/// What is waited for does not come any more.
async fn never<T>() -> T {
    std::future::pending().await
}

/// Has the browser fetch a room's code together with the program and not after it.
#[cfg(feature = "ssr")]
fn announce(room: &str) {
    use leptos_meta::Link;
    let Some(assets) = use_context::<crate::Assets>() else { return };
    for file in assets.rooms.get(room).into_iter().flatten() {
        let href = format!("{}/{file}.wasm", assets.folder);
        // Rendering puts it into the document's head.
        let _ = view! { <Link rel="preload" href=href as_="fetch" type_="application/wasm" crossorigin="" /> }.to_html();
    }
}

/// Goes by a full load where the router was about to go, as soon as the console answers; not from a page that is not taken over yet,
/// which would load itself for ever.
#[cfg(feature = "hydrate")]
fn leave() {
    let Some(root) = document().document_element().filter(|root| root.has_attribute(crate::READY)) else { return };
    let to = leptos_router::hooks::use_url().with_untracked(|url| format!("{}?{}", url.path(), url.search()));
    // Fails only for a name that is none.
    let _ = root.set_attribute("data-leave", to.trim_end_matches('?'));
    crate::fault::look_for_the_console();
}
