//! The keyboard: single keys that move and go, never while something is typed, and off for who wants them off (WCAG 2.1.4).

use super::palette::Palette;
use crate::ui::{Dialog, UnderWay};
use crate::undo;
use leptos::ev;
use leptos::leptos_dom::helpers::window_event_listener;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::{use_navigate, use_query_map};
use web_sys::{HtmlDocument, HtmlElement, HtmlFormElement, HtmlInputElement};

/// The cookie that keeps the choice: a sign-out clears the browser's storage, and leaves cookies.
const COOKIE: &str = "switchyard_keys";
/// What it says while the keys are off.
const OFF: &str = "off";
/// A year, in seconds.
const KEPT: u32 = 365 * 24 * 60 * 60;

/// The second key of `g …` and where it leads.
const WAYS: [(&str, &str, &str); 10] = [
    ("h", "/", "Home"),
    ("l", "/lines", "Lines"),
    ("a", "/accounts", "Accounts"),
    ("c", "/connections", "Connections"),
    ("s", "/sync", "Sync"),
    ("m", "/simulator", "Simulator"),
    ("d", "/utilities", "Utilities"),
    ("t", "/staff", "Staff"),
    ("p", "/approvals", "Approvals"),
    ("u", "/audit", "Audit"),
];

/// Whether the help is open, and whether the keys that it explains are off.
#[derive(Clone, Copy)]
struct Help {
    open: RwSignal<bool>,
    off: RwSignal<bool>,
}

/// Makes the help known to its button and its dialog.
pub fn provide_help() {
    provide_context(Help { open: RwSignal::new(false), off: RwSignal::new(false) });
}

/// Opens the help, also while the keys are off; there only once they work.
#[component]
pub fn KeysButton() -> impl IntoView {
    let Help { open: help, off } = expect_context();
    let works = RwSignal::new(false);
    Effect::new(move |_| works.set(true));
    view! {
        <Show when=move || works.get()>
            <button type="button" class="btn btn-sm btn-ghost text-sm font-medium" on:click=move |_| help.set(true)>
                "Keyboard"
                <Show when=move || !off.get()>
                    <kbd class="kbd kbd-sm" aria-hidden="true">"?"</kbd>
                </Show>
            </button>
        </Show>
    }
}

/// Listens to the keys and holds the dialog that explains them.
#[component]
pub fn Keys() -> impl IntoView {
    let Help { open: help, off } = expect_context();
    let Palette { open: palette } = expect_context();
    let going = StoredValue::new(false);
    let (navigate, query) = (use_navigate(), use_query_map());
    let under_way: UnderWay = expect_context();
    Effect::new(move |_| {
        off.set(are_off());
        let (navigate, under_way) = (navigate.clone(), under_way.clone());
        let listener = window_event_listener(ev::keydown, move |event| {
            // No single key, so it is never off, and it works in a field, too.
            if opens_palette(&event) {
                event.prevent_default();
                palette.update(|open| *open = !*open);
                return;
            }
            if event.default_prevented() {
                return;
            }
            // These are no single keys of WCAG 2.1.4 either: nothing is written with them.
            if let Some(field) = left_search(&event) {
                let shown = query.with_untracked(|query| query.get(&field.name()));
                if go_to_rows(field, &shown.unwrap_or_default(), &under_way) {
                    event.prevent_default();
                    return;
                }
            }
            if is_typing(&event) {
                return;
            }
            if takes_back(&event) {
                if undo::press() {
                    event.prevent_default();
                }
                return;
            }
            if event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            let key = event.key();
            // All of them: the way back is the button below the menu.
            if off.get_untracked() {
                return;
            }
            let gone = going.get_value();
            going.set_value(!gone && key == "g");
            let done = match key.as_str() {
                _ if gone => match WAYS.iter().find(|(second, _, _)| *second == key) {
                    Some((_, path, _)) if is_a_way(path) => {
                        navigate(path, Default::default());
                        true
                    }
                    _ => false,
                },
                "/" => {
                    if !focus("[data-search]") {
                        palette.set(true);
                    }
                    true
                }
                "?" => {
                    help.set(true);
                    true
                }
                "z" => undo::press(),
                "j" => step(1),
                "k" => step(-1),
                _ => false,
            };
            if done {
                event.prevent_default();
            }
        });
        on_cleanup(move || listener.remove());
    });
    let switch = move |event: ev::Event| {
        let on = event_target_checked(&event);
        off.set(!on);
        keep(!on);
    };
    let key = |key: &'static str, does: &'static str| {
        view! {
            <dt>
                <kbd class="kbd kbd-sm">{key}</kbd>
            </dt>
            <dd>{does}</dd>
        }
    };
    view! {
        <Dialog title="Keyboard" open=help>
            <dl class="grid grid-cols-[5rem_1fr] items-center gap-y-2">
                {key("Ctrl K", "Search everywhere; ⌘ K on a Mac")} {key("/", "Search this list, or everywhere where there is none")} {key("j  k", "Next and previous row")} {key("↓  Esc", "From a list’s search to its first row")} {key("Enter", "Open the row")} {key("z", "Undo what you have just done, while it is offered; Ctrl Z, too")}
                {WAYS.map(|(second, _, name)| {
                    view! {
                        <dt>
                            <kbd class="kbd kbd-sm">"g  " {second}</kbd>
                        </dt>
                        <dd>"Go to " {name}</dd>
                    }
                })} {key("?", "This help")}
            </dl>
            <label class="flex min-h-6 items-center gap-2" for="keys-on">
                <input
                    id="keys-on" type="checkbox" class="checkbox checkbox-sm checkbox-primary" prop:checked=move || !off.get() on:change=switch
                />
                "Single keys are on"
            </label>
        </Dialog>
    }
}

/// Whether this browser's reader wants no single keys.
fn are_off() -> bool {
    let cookies = document().dyn_into::<HtmlDocument>().ok().and_then(|page| page.cookie().ok()).unwrap_or_default();
    cookies.split(';').any(|cookie| cookie.trim().split_once('=') == Some((COOKIE, OFF)))
}

/// Keeps the choice for a year.
fn keep(off: bool) {
    let Ok(page) = document().dyn_into::<HtmlDocument>() else { return };
    let (value, age) = if off { (OFF, KEPT) } else { ("", 0) };
    let is_https = window().location().protocol().is_ok_and(|protocol| protocol == "https:");
    let secure = if is_https { "; Secure" } else { "" };
    // A browser that keeps nothing forgets the choice with the page.
    let _ = page.set_cookie(&format!("{COOKIE}={value}; Path=/; Max-Age={age}; SameSite=Lax{secure}"));
}

/// Ctrl-K, or ⌘-K; not while another dialog waits for its answer.
fn opens_palette(event: &ev::KeyboardEvent) -> bool {
    let is_it = (event.ctrl_key() != event.meta_key()) && !event.alt_key() && !event.shift_key() && event.key().eq_ignore_ascii_case("k");
    is_it && matches!(document().query_selector("dialog[open]:not(.palette)"), Ok(None))
}

/// Ctrl-Z, or ⌘-Z.
fn takes_back(event: &ev::KeyboardEvent) -> bool {
    (event.ctrl_key() != event.meta_key()) && !event.alt_key() && !event.shift_key() && event.key().eq_ignore_ascii_case("z")
}

/// Whether the key belongs to a field that is written into, or to a dialog that is open. A box is ticked and not written into.
fn is_typing(event: &ev::KeyboardEvent) -> bool {
    const WRITTEN: &str = "input:not([type=checkbox], [type=radio]), textarea, select, dialog";
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some_and(|target| target.is_content_editable() || matches!(target.closest(WRITTEN), Ok(Some(_))))
}

/// The search field of a list, left with ↓ or Esc.
fn left_search(event: &ev::KeyboardEvent) -> Option<HtmlInputElement> {
    let has_more = event.ctrl_key() || event.meta_key() || event.alt_key() || event.shift_key();
    if has_more || event.is_composing() || !matches!(event.key().as_str(), "ArrowDown" | "Escape") {
        return None;
    }
    let target = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    target.filter(|target| target.has_attribute("data-search"))
}

/// From the search to the first row. In a filter, what is typed is applied first, and the focus waits for the list to show it: a row that
/// the answer turns into another one is not for Enter. `shown` is what the list is asked for already.
fn go_to_rows(field: HtmlInputElement, shown: &str, under_way: &UnderWay) -> bool {
    let filter = field.closest("form[role=search]").ok().flatten().and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
    let Some(filter) = filter else { return first_row() };
    let typed = field.value();
    let is_new = typed != shown;
    if is_new && filter.request_submit().is_err() {
        return false;
    }
    if !is_new && !under_way.is_any() {
        return first_row();
    }
    first_row_when_there(field, typed, under_way.clone());
    true
}

/// Moves the focus to the first row once the list shows the answer; not if somebody has typed on or gone elsewhere meanwhile.
fn first_row_when_there(field: HtmlInputElement, typed: String, under_way: UnderWay) {
    request_animation_frame(move || {
        let is_there = document().active_element().is_some_and(|active| active.is_same_node(Some(&field)));
        if !is_there || field.value() != typed {
            return;
        }
        if under_way.is_any() {
            first_row_when_there(field, typed, under_way);
        } else {
            first_row();
        }
    });
}

/// Whether the frame offers this way to the member.
fn is_a_way(path: &str) -> bool {
    matches!(document().query_selector(&format!("nav a[href='{path}']")), Ok(Some(_)))
}

fn focus(selector: &str) -> bool {
    let found = document().query_selector(selector).ok().flatten().and_then(|found| found.dyn_into::<HtmlElement>().ok());
    found.is_some_and(|found| found.focus().is_ok())
}

/// Moves the focus to the first row, if there is one.
fn first_row() -> bool {
    focus("[data-row-link]")
}

/// Moves the focus `by` rows; from anywhere else to the first or last.
fn step(by: i32) -> bool {
    let Ok(links) = document().query_selector_all("[data-row-link]") else { return false };
    let rows: Vec<HtmlElement> = (0..links.length()).filter_map(|at| links.item(at)?.dyn_into().ok()).collect();
    let active = document().active_element();
    let at = rows.iter().position(|row| active.as_ref().is_some_and(|active| row.is_same_node(Some(active))));
    let last = i32::try_from(rows.len()).unwrap_or(i32::MAX) - 1;
    let next = match at {
        Some(at) => (i32::try_from(at).unwrap_or(0) + by).clamp(0, last.max(0)),
        None if by > 0 => 0,
        None => last.max(0),
    };
    rows.get(usize::try_from(next).unwrap_or(0)).is_some_and(|row| row.focus().is_ok())
}
