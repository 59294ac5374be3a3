//! What the palette holds: the field, what was found for what is typed, and the keys that choose among it.
//!
//! The rule: an answer that is older than what is typed is never shown, and the field keeps the focus.

use super::ways::{SIGN_OUT, ways};
use super::{Group, Hit, Hits, KeepSearch, Kind, search_everywhere, told_apart};
use crate::fault::Fault;
use crate::frame::palette::Palette;
use crate::frame::{Me, SignOut, use_me};
use crate::sync::FindContact;
use crate::ui::{Button, FormFault, SendForm, Sending, fault_of, icon, waits};
use leptos::ev;
use leptos::html;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use std::time::Duration;
use web_sys::HtmlElement;

/// What is typed within this time of each other is looked for once.
const GATHER: Duration = Duration::from_millis(20);
/// So many screens and actions are shown beside what was found.
const WAYS: usize = 4;
/// Leads to the page with all that was found.
const ALL: &str = "#all";

/// What can be searched, for who found nothing.
pub const NOTHING: &str = "Search for three or more digits of a line’s number; the beginning of an account’s, a user’s or a colleague’s \
     name or e-mail address, or of a line’s label; a contact’s name, or the first five or last four digits of \
     their number; or a screen.";

/// The forms that choosing a row may send.
const SIGN_OUT_FORM: &str = "palette-sign-out";
const ALL_FORM: &str = "palette-all";

/// What is typed, and what was found for it.
#[derive(Clone, Copy)]
struct Looking {
    open: RwSignal<bool>,
    text: RwSignal<String>,
    hits: RwSignal<Hits>,
    /// What the hits are of; behind what is typed while an answer is awaited.
    answered: RwSignal<String>,
    failed: RwSignal<bool>,
    chosen: RwSignal<usize>,
    timer: StoredValue<Option<TimeoutHandle>>,
    /// Enter came before its answer: the first row of that is meant, or the one that was gone to.
    entered: StoredValue<bool>,
    groups: Memo<Vec<Group>>,
    is_cut: Memo<bool>,
    /// How many rows there are to choose from.
    count: Memo<usize>,
}

impl Looking {
    fn new(open: RwSignal<bool>) -> Self {
        let me = me_when_known();
        let (text, hits) = (RwSignal::new(String::new()), RwSignal::new(Hits::default()));
        let groups = Memo::new(move |_| {
            let typed = text.get();
            let most = if typed.trim().is_empty() { usize::MAX } else { WAYS };
            let go = me.get().map(|me| ways(&me, &typed, most));
            let found = if typed.trim().is_empty() { Vec::new() } else { hits.with(|hits| hits.groups.clone()) };
            go.into_iter().chain(found).filter(|group| !group.hits.is_empty()).collect::<Vec<Group>>()
        });
        let is_cut = Memo::new(move |_| groups.with(|groups| groups.iter().any(|group| group.is_cut)));
        let count = Memo::new(move |_| {
            let found = groups.with(|groups| groups.iter().map(|group| group.hits.len()).sum::<usize>());
            found + usize::from(is_cut.get())
        });
        Self {
            open,
            text,
            hits,
            answered: RwSignal::new(String::new()),
            failed: RwSignal::new(false),
            chosen: RwSignal::new(0),
            timer: StoredValue::new(None),
            entered: StoredValue::new(false),
            groups,
            is_cut,
            count,
        }
    }

    fn look(self) {
        let asked = self.text.get_untracked();
        spawn_local(async move {
            let answer = search_everywhere(asked.clone()).await;
            // An older answer that comes late must not cover a newer one.
            if self.text.try_get_untracked().as_ref() == Some(&asked) {
                self.show(asked, answer);
            }
        });
    }

    fn show(self, asked: String, answer: Result<Hits, Fault>) {
        let was = self.chosen.get_untracked();
        let meant = self.groups.with_untracked(|groups| places(groups).nth(was));
        self.failed.set(answer.is_err());
        self.hits.set(answer.unwrap_or_default());
        self.answered.set(asked);
        // Whoever has gone down to a row meanwhile stays on it; otherwise the first of what is found is chosen.
        let place = self.groups.with_untracked(|groups| places(groups).position(|place| Some(place) == meant)).filter(|_| was > 0);
        let at = place.unwrap_or(0);
        self.chosen.set(at);
        let is_entered = self.entered.get_value() && self.open.get_untracked();
        self.entered.set_value(false);
        // A row that was gone to and is there no more is not taken for another.
        if is_entered && (was == 0 || place.is_some()) {
            // Once the rows are painted.
            request_animation_frame(move || press(at));
        }
    }

    fn typed(self, typed: String) {
        self.text.set(typed);
        self.chosen.set(0);
        self.entered.set_value(false);
        if let Some(timer) = self.timer.get_value() {
            timer.clear();
        }
        if self.text.with_untracked(|text| text.trim().is_empty()) {
            self.hits.set(Hits::default());
            self.answered.set(String::new());
            return;
        }
        self.timer.set_value(set_timeout_with_handle(move || self.look(), GATHER).ok());
    }

    fn step(self, by: isize) {
        let count = self.count.get_untracked();
        if count > 0 {
            self.chosen.update(|at| *at = at.saturating_add_signed(by).min(count - 1));
            if let Some(row) = row(self.chosen.get_untracked()) {
                row.scroll_into_view_with_scroll_into_view_options(&nearest());
            }
        }
    }

    fn key(self, event: &ev::KeyboardEvent) {
        match event.key().as_str() {
            "ArrowDown" => self.step(1),
            "ArrowUp" => self.step(-1),
            "PageDown" => self.step(8),
            "PageUp" => self.step(-8),
            "Enter" => {
                // While one composes a letter, Enter ends the letter.
                if event.is_composing() {
                    return;
                }
                if untrack(|| self.is_waiting()) {
                    self.entered.set_value(true);
                } else {
                    press(self.chosen.get_untracked());
                }
            }
            _ => return,
        }
        event.prevent_default();
    }

    fn choose(self, event: &ev::MouseEvent) {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let Some(row) = target.and_then(|target| target.closest("[role=option]").ok().flatten()) else { return };
        let form = match row.get_attribute("href").as_deref() {
            Some(SIGN_OUT) => Some(SIGN_OUT_FORM),
            Some(ALL) => Some(ALL_FORM),
            _ => None,
        };
        if let Some(form) = form {
            event.prevent_default();
            submit(form);
        }
        if !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
            self.open.set(false);
        }
    }

    fn is_waiting(self) -> bool {
        self.text.with(|text| !text.trim().is_empty()) && self.text.get() != self.answered.get()
    }

    fn has_nothing(self) -> bool {
        !self.is_waiting() && !self.failed.get() && self.count.get() == 0 && !self.hits.with(|hits| hits.is_whole_number)
    }

    /// What a screen reader hears of it.
    fn said(self) -> String {
        if self.is_waiting() {
            String::new()
        } else if self.failed.get() {
            "The search did not answer. Type on to try again.".to_owned()
        } else if self.has_nothing() {
            "Nothing found".to_owned()
        } else {
            format!("{} results", self.count.get())
        }
    }
}

/// What the palette holds.
#[component]
pub fn Panel() -> impl IntoView {
    let Palette { open, .. } = expect_context();
    let looking = Looking::new(open);
    let Looking { text, hits, answered, failed, chosen, groups, is_cut, count, .. } = looking;
    let field = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if open.get()
            && let Some(field) = field.get()
        {
            // The last search stands there still, and is typed over.
            field.select();
            let _ = field.focus();
        }
    });
    let is_waiting = move || looking.is_waiting();
    let (sign_out, all) = (Sending::to::<SignOut>(), Sending::to::<KeepSearch>());
    view! {
        <div class="palette-field">
            {icon(crate::ui::Icon::Search)}
            <input
                node_ref=field type="text" role="combobox" aria-label="Search everywhere" aria-autocomplete="list" aria-expanded=move || (count.get() > 0).to_string()
                aria-controls="palette-list" aria-activedescendant=move || (count.get() > 0).then(|| format!("palette-{}", chosen.get()))
                placeholder="Number, name, screen or action" autocomplete="off" autocapitalize="off" spellcheck="false"
                enterkeyhint="go" maxlength="200" on:input=move |event| looking.typed(event_target_value(&event))
                on:keydown=move |event| looking.key(&event)
            />
            <span
                class="loading loading-spinner loading-xs" class:invisible=move || !is_waiting() aria-hidden="true"
            ></span>
            <kbd class="kbd kbd-sm" aria-hidden="true">"Esc"</kbd>
        </div>
        <p class="sr-only" role="status">{move || looking.said()}</p>
        <div
            class="palette-list" id="palette-list" role="listbox" aria-label="Results" aria-busy=move || is_waiting().to_string()
            on:click=move |event| looking.choose(&event)
        >
            {move || groups.with(|groups| rows(groups, chosen))}
            {move || {
                is_cut
                    .get()
                    .then(|| {
                        let at = count.get() - 1;
                        let (title, detail) = ("All results".to_owned(), "On a page of their own".to_owned());
                        let all = Hit { href: ALL.to_owned(), title, detail, at: None };
                        view! {
                            <div role="group" aria-label="More">{option(at, Kind::Way, all, chosen)}</div>
                        }
                    })
            }}
        </div>
        <Show when=move || hits.with(|hits| hits.is_whole_number)>
            <div class="palette-note">{move || number_form(Some(answered.get()))}</div>
        </Show>
        <Show when=move || failed.get()>
            <p class="palette-note text-error">"The search did not answer. Type on to try again."</p>
        </Show>
        <Show when=move || looking.has_nothing()>
            <div class="palette-note">
                <p class="font-semibold">"Nothing found"</p>
                <p class="muted">{NOTHING}</p>
            </div>
        </Show>
        <div class="hidden">
            <SendForm id=SIGN_OUT_FORM action=sign_out>
                ""
            </SendForm>
            <SendForm id=ALL_FORM action=all>
                <input type="hidden" name="text" prop:value=move || text.get() />
            </SendForm>
        </div>
    }
}

/// Finds conversations by a whole number, for who may not see numbers: a step of its own, which the audit notes and which is counted.
pub fn number_form(number: Option<String>) -> impl IntoView {
    let action = Sending::to::<FindContact>();
    let fault = fault_of(action);
    let Palette { open, .. } = expect_context();
    action.on_success(move || open.set(false));
    view! {
        <SendForm action=action>
            <div class="flex flex-wrap items-center justify-between gap-3">
                <FormFault fault=fault fields=&[] />
                <input type="hidden" name="number" value=number />
                <span class="muted">"You may not see contacts’ numbers. The whole number finds its conversations; the audit notes the search."</span>
                <Button pending=waits(action)>"Find conversations with this number"</Button>
            </div>
        </SendForm>
    }
}

/// Who is signed in, once that is known.
fn me_when_known() -> ReadSignal<Option<Me>> {
    let (me, set_me) = signal(None);
    let loaded = use_me();
    spawn_local(async move {
        set_me.try_set(loaded.await.ok());
    });
    me
}

/// What stands at each place, whichever answer it came with: its kind, and where it leads.
fn places(groups: &[Group]) -> impl Iterator<Item = (Kind, String)> {
    let is_cut = groups.iter().any(|group| group.is_cut);
    let hits = groups.iter().flat_map(|group| group.hits.iter().map(|hit| (group.kind, hit.href.clone())));
    hits.chain(is_cut.then(|| (Kind::Way, ALL.to_owned())))
}

fn rows(groups: &[Group], chosen: RwSignal<usize>) -> impl IntoView + use<> {
    let mut at = 0;
    groups
        .iter()
        .map(|group| {
            let (kind, name) = (group.kind, group.kind.name());
            let options = group
                .hits
                .iter()
                .map(|hit| {
                    at += 1;
                    option(at - 1, kind, hit.clone(), chosen)
                })
                .collect_view();
            view! {
                <div role="group" aria-label=name>
                    <p class="palette-head" aria-hidden="true">{name}</p>
                    {options}
                </div>
            }
        })
        .collect_view()
}

fn option(at: usize, kind: Kind, hit: Hit, chosen: RwSignal<usize>) -> impl IntoView {
    view! {
        <a
            role="option" id=format!("palette-{at}") href=hit.href tabindex="-1" class="palette-row"
            aria-selected=move || (chosen.get() == at).to_string() on:mousemove=move |_| {
                if chosen.get_untracked() != at {
                    chosen.set(at);
                }
            }
        >
            <span class="muted">{icon(kind.icon())}</span>
            <span class="truncate font-medium">{hit.title}</span>
            <span class="muted truncate text-xs">{told_apart(hit.detail, hit.at)}</span>
        </a>
    }
}

fn row(at: usize) -> Option<HtmlElement> {
    document().get_element_by_id(&format!("palette-{at}"))?.dyn_into().ok()
}

fn press(at: usize) {
    if let Some(row) = row(at) {
        row.click();
    }
}

fn submit(form: &str) {
    let found = document().get_element_by_id(form).and_then(|form| form.dyn_into::<web_sys::HtmlFormElement>().ok());
    if let Some(form) = found {
        // Goes through the submit event, as a button does.
        let _ = form.request_submit();
    }
}

fn nearest() -> web_sys::ScrollIntoViewOptions {
    let options = web_sys::ScrollIntoViewOptions::new();
    options.set_block(web_sys::ScrollLogicalPosition::Nearest);
    options
}
