//! Live figures: a page is told that something changed and reads it anew. Ids come over the stream, never rows.
//!
//! The rule: what is being typed, chosen or read stays where it is; and who holds the page still is told that it waits. The
//! stream itself is in `live.js`, shared by all tabs of a browser.

use crate::Fault;
use leptos::leptos_dom::helpers::window_event_listener_untyped;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::use_location;
use serde::Deserialize;
use std::rc::Rc;
use std::time::Duration;
use switchyard::types::Change;

/// What comes within this time of each other is read once.
const GATHER: Duration = Duration::from_millis(400);
/// So many different changes are remembered one by one while a page is being loaded.
const REMEMBERED: usize = 100;
/// An answer that is not there by then is asked for again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The script that keeps the stream; it stands in the document.
#[cfg(feature = "ssr")]
pub const SCRIPT: &str = include_str!("live.js");

/// How live a page is.
#[derive(Clone, Copy)]
struct Live {
    /// The reader holds it still.
    still: RwSignal<bool>,
    /// The pointer or the focus is on something to press that a change could move: it must not move from under them.
    on_row: RwSignal<bool>,
    /// What has changed while it was held.
    waiting: RwSignal<Vec<Heard>>,
    /// Grows when the reader wants to see what waits, held or not.
    shown: RwSignal<u32>,
    /// The stream is interrupted.
    lost: RwSignal<bool>,
    /// The page is out of sight: another tab is in front of it.
    hidden: RwSignal<bool>,
    /// What the screen itself says over the page.
    note: RwSignal<Option<Note>>,
    /// What was heard since the page was asked for: some of it may have come after its rows were read and before it listened.
    since: StoredValue<Vec<Heard>>,
}

/// Something that a screen says over the page, and what its button does.
#[derive(Clone, Copy)]
struct Note {
    words: &'static str,
    button: &'static str,
    press: Callback<()>,
}

/// What the stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    One(Change),
    /// Changes may have been missed.
    Anything,
    Lost,
}

impl Live {
    /// Whether a change has to wait.
    fn is_held(self) -> bool {
        // Asked of the page, too: a row that is gone tells nobody that the pointer has left it.
        self.still.try_get() == Some(true) || self.on_row.try_get() == Some(true) && is_on_row()
    }

    /// Shows what waits.
    fn show(self) {
        self.waiting.update(Vec::clear);
        self.shown.update(|n| *n += 1);
    }
}

impl Heard {
    fn concerns(self, relevant: impl Fn(Change) -> bool) -> bool {
        match self {
            Self::One(change) => relevant(change),
            Self::Anything => true,
            Self::Lost => false,
        }
    }
}

/// The stream's own words beside the changes.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Word {
    All,
    Open,
    Lost,
}

fn heard(event: &web_sys::Event) -> Option<Heard> {
    let text = event.dyn_ref::<web_sys::CustomEvent>()?.detail().as_string()?;
    let word = serde_json::from_str(&text).ok().map(|word| match word {
        Word::All | Word::Open => Heard::Anything,
        Word::Lost => Heard::Lost,
    });
    word.or_else(|| serde_json::from_str(&text).ok().map(Heard::One))
}

/// Asks for the stream as long as the frame stands, and makes it known to the screens within.
pub fn provide_live() {
    let live = Live {
        still: RwSignal::new(false),
        on_row: RwSignal::new(false),
        waiting: RwSignal::new(Vec::new()),
        shown: RwSignal::new(0),
        lost: RwSignal::new(false),
        hidden: RwSignal::new(false),
        note: RwSignal::new(None),
        since: StoredValue::new(Vec::new()),
    };
    provide_context(live);
    let here = use_location();
    Effect::new(move |_| {
        here.pathname.track();
        here.search.track();
        live.since.update_value(Vec::clear);
        live.waiting.update(Vec::clear);
    });
    Effect::new(move |_| {
        let moved = window_event_listener_untyped("switchyard:row", move |_| {
            let is_there = is_on_row();
            if live.on_row.get_untracked() != is_there {
                live.on_row.set(is_there);
            }
        });
        on_cleanup(move || moved.remove());
    });
    Effect::new(move |_| {
        let look = move || {
            let hidden = document().hidden();
            if live.hidden.get_untracked() != hidden {
                live.hidden.set(hidden);
            }
        };
        look();
        let seen = window_event_listener_untyped("visibilitychange", move |_| look());
        on_cleanup(move || seen.remove());
    });
    Effect::new(move |_| {
        if !live.is_held() {
            live.waiting.update(Vec::clear);
        }
    });
    Effect::new(move |_| {
        let listener = window_event_listener_untyped("switchyard:change", move |event| {
            let Some(heard) = heard(&event) else { return };
            live.lost.set(heard == Heard::Lost);
            live.since.update_value(|since| {
                if since.len() >= REMEMBERED {
                    *since = vec![Heard::Anything];
                } else if !since.contains(&heard) {
                    since.push(heard);
                }
            });
        });
        ask("on");
        on_cleanup(move || {
            listener.remove();
            ask("off");
        });
    });
}

/// Turns the stream on or off for this tab.
fn ask(word: &str) {
    let told = document().document_element().map(|root| root.set_attribute("data-live", word));
    if let (Some(Ok(())), Ok(event)) = (told, web_sys::Event::new("switchyard:live")) {
        // False only if a listener cancels it, which none does.
        let _ = window().dispatch_event(&event);
    }
}

/// Calls `read` some time after a change that is `relevant`, once for all that come together; not while the page is held still, and out
/// of sight only once it is seen again.
pub fn on_change(relevant: impl Fn(Change) -> bool + 'static, read: impl Fn() + Clone + 'static) {
    let Some(live) = use_context::<Live>() else { return };
    let due = StoredValue::new(false);
    let changed = RwSignal::new(false);
    let relevant = Rc::new(relevant);
    Effect::new(move |_| {
        let relevant = relevant.clone();
        if live.since.with_value(|since| since.iter().any(|heard| heard.concerns(&*relevant))) {
            changed.set(true);
        }
        let listener = window_event_listener_untyped("switchyard:change", move |event| {
            let Some(heard) = heard(&event).filter(|heard| heard.concerns(&*relevant)) else { return };
            changed.try_set(true);
            let is_new = untrack(|| live.is_held()) && live.waiting.with_untracked(|all| all.len() < REMEMBERED && !all.contains(&heard));
            if is_new {
                live.waiting.update(|all| all.push(heard));
            }
        });
        on_cleanup(move || listener.remove());
    });
    Effect::new(move |before: Option<u32>| {
        let shown = live.shown.get();
        let is_wanted = before.is_some_and(|before| before != shown);
        let waits = changed.get() && ((live.is_held() && !is_wanted) || live.hidden.get());
        if changed.get() && !waits && !due.get_value() {
            due.set_value(true);
            let read = read.clone();
            let later = move || {
                due.try_set_value(false);
                if live.hidden.try_get_untracked() != Some(false) {
                    return;
                }
                // The pointer may have come to a row meanwhile.
                if !is_wanted && untrack(|| live.is_held()) {
                    live.waiting.update(|all| {
                        if all.is_empty() {
                            all.push(Heard::Anything);
                        }
                    });
                    return;
                }
                // Gone with its page, nothing is to be read any more.
                if changed.try_set(false).is_none() {
                    read();
                }
            };
            set_timeout(later, GATHER);
        }
        shown
    });
}

/// Calls `read` every `period`, for what changes by time alone; not while the page is held still, and out of sight only once it is seen
/// again.
pub fn every(period: Duration, read: impl Fn() + 'static) {
    let Some(live) = use_context::<Live>() else { return };
    let is_held = move || live.still.try_get_untracked() != Some(false) || is_on_row();
    let missed = StoredValue::new(false);
    let read = Rc::new(read);
    let at_once = read.clone();
    Effect::new(move |_| {
        let read = read.clone();
        let now_and_then = move || {
            if document().hidden() {
                missed.try_set_value(true);
            } else if !is_held() {
                read();
            }
        };
        if let Ok(handle) = set_interval_with_handle(now_and_then, period) {
            on_cleanup(move || handle.clear());
        }
    });
    Effect::new(move |_| {
        if !live.hidden.get() && missed.get_value() {
            missed.set_value(false);
            // What is held is read in its turn.
            if !is_held() {
                untrack(&*at_once);
            }
        }
    });
}

/// What was loaded with the page and is kept as it is in the database.
pub struct Followed<T: Send + Sync + 'static> {
    /// The latest.
    pub now: ReadSignal<T>,
    reads: Reads,
}

/// The readings of a page, one at a time: an answer that a newer reading overtook would not be shown, and where each takes longer than
/// changes come, none would be.
#[derive(Clone, Copy)]
struct Reads {
    /// Another one is wanted; what is under way may have begun before the change.
    wanted: RwSignal<bool>,
    under_way: RwSignal<bool>,
    /// One has begun a moment ago.
    rests: RwSignal<bool>,
    /// The latest that has begun.
    turn: StoredValue<u32>,
}

impl Reads {
    fn new() -> Self {
        let no = || RwSignal::new(false);
        Self { wanted: no(), under_way: no(), rests: no(), turn: StoredValue::new(0) }
    }

    /// Whether one is wanted and nothing stands in its way.
    fn is_due(self) -> bool {
        self.wanted.get() && !self.under_way.get() && !self.rests.get()
    }

    /// Begins one, and gives its number.
    fn begin(self) -> u32 {
        let mine = self.turn.get_value().wrapping_add(1);
        self.turn.set_value(mine);
        self.wanted.set(false);
        self.under_way.set(true);
        self.rests.set(true);
        let rested = move || {
            self.rests.try_set(false);
        };
        set_timeout(rested, GATHER);
        set_timeout(move || self.end(mine), PATIENCE);
        mine
    }

    /// Whether none has begun since; not so once the page is gone.
    fn is_latest(self, one: u32) -> bool {
        self.turn.try_get_value() == Some(one)
    }

    /// It is over, or waited for no longer.
    fn end(self, one: u32) {
        if self.is_latest(one) {
            self.under_way.try_set(false);
        }
    }
}

impl<T: Send + Sync + 'static> Clone for Followed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Followed<T> {}

impl<T: Send + Sync + 'static> Followed<T> {
    /// Reads anew, as after a change that was made here: at once, or as soon as the answer is there that is on its way.
    pub fn read_again(&self) {
        self.reads.rests.try_set(false);
        self.reads.wanted.try_set(true);
    }
}

/// Follows what was loaded as `first`: `read` is called again after each `relevant` change, one call at a time, and none out of sight. A
/// reading that fails changes nothing on the page and shows as an interruption.
pub fn follow<T, F>(first: T, relevant: impl Fn(Change) -> bool + 'static, read: impl Fn() -> F + Clone + 'static) -> Followed<T>
where
    T: Send + Sync + 'static,
    F: Future<Output = Result<T, Fault>> + 'static,
{
    let (now, set_now) = signal(first);
    let reads = Reads::new();
    let live = use_context::<Live>();
    Effect::new(move |_| {
        if !reads.is_due() || live.is_some_and(|live| live.hidden.get()) {
            return;
        }
        let mine = reads.begin();
        let read = untrack(&read);
        spawn_local(async move {
            let answer = read.await;
            // It was waited for so long that another has begun since.
            if !reads.is_latest(mine) {
                return;
            }
            match answer {
                Ok(value) => {
                    set_now.try_set(value);
                }
                Err(_) => {
                    live.map(|live| live.lost.try_set(true));
                }
            }
            reads.end(mine);
        });
    });
    on_change(relevant, move || {
        reads.wanted.try_set(true);
    });
    Followed { now, reads }
}

/// Says `words` over the page while it `is_so`, with a button that does something about it: within the page it would move what one is
/// about to press.
pub fn say_while(is_so: RwSignal<bool>, words: &'static str, button: &'static str, press: impl Fn() + Send + Sync + 'static) {
    let Some(live) = use_context::<Live>() else { return };
    let press = Callback::new(move |()| press());
    Effect::new(move |_| live.note.set(is_so.get().then_some(Note { words, button, press })));
    on_cleanup(move || {
        live.note.try_set(None);
    });
}

/// Whether nothing is being typed, chosen or unfolded on the page, so that it may be painted anew as a whole.
pub fn is_idle() -> bool {
    let busy = "main :is(input, textarea, select):focus, main details[open], main dialog[open]";
    matches!(document().query_selector(busy), Ok(None))
}

/// Whether the pointer or the focus is on a row or a message in which something can be pressed, or the pointer on anything to press where
/// a screen says that it moves (`data-moves`). Ways, tiles, cards and groups of buttons keep their places by themselves.
fn is_on_row() -> bool {
    let row = "main :is(tr, li:not(.panel)):is(:hover, :has(:focus)):has(a:not(.tile), button, summary, input):not(nav *, [role=group] *)";
    let moving = "main [data-moves] :is(a, button, summary):hover";
    [row, moving].iter().any(|what| matches!(document().query_selector(what), Ok(Some(_))))
}

/// `3 changes wait`.
fn count(of: usize) -> String {
    match of {
        1 => "1 change waits".to_owned(),
        many => format!("{many} changes wait"),
    }
}

/// Says over the page how much has changed while it was held, and shows it when the reader wants to; and what the screen itself has to
/// say.
#[component]
pub fn Waiting() -> impl IntoView {
    let live = use_context::<Live>()?;
    let waits = Memo::new(move |_| live.waiting.with(Vec::len));
    Some(view! {
        <div class="meanwhile" role="status">
            {move || live.note.get().map(note)}
        </div>
        {waiting(waits.into(), move || live.show())}
    })
}

fn note(Note { words, button, press }: Note) -> impl IntoView {
    view! {
        <span>{words}</span>
        <button type="button" class="btn btn-xs btn-primary" on:click=move |_| press.run(())>
            {button}
        </button>
    }
}

/// That so many changes wait, and the button that shows them; nothing for none.
pub fn waiting(waits: Signal<usize>, show: impl Fn() + Copy + Send + Sync + 'static) -> impl IntoView {
    view! {
        <div class="waiting" role="status">
            <Show when=move || waits.get() != 0>
                <span>{move || count(waits.get())}</span>
                <button type="button" class="btn btn-xs btn-primary" on:click=move |_| show()>
                    "Show"
                </button>
            </Show>
        </div>
    }
}

/// Shows whether the page is live, and lets the reader hold it still.
#[component]
pub fn LiveSwitch() -> impl IntoView {
    let Some(live) = use_context::<Live>() else { return ().into_any() };
    let state = move || match (live.still.get(), live.waiting.with(Vec::len), live.lost.get()) {
        (true, 0, _) => "Still".to_owned(),
        (true, waits, _) => format!("Still; {}", count(waits)),
        (false, _, true) => "Interrupted".to_owned(),
        (false, _, false) => "Live".to_owned(),
    };
    let dot = move || match (live.still.get(), live.lost.get()) {
        (true, _) => "size-2 shrink-0 rounded-full bg-neutral",
        (false, true) => "size-2 shrink-0 rounded-full bg-warning",
        (false, false) => "size-2 shrink-0 rounded-full bg-success",
    };
    let switch = move |_| {
        live.still.update(|still| *still = !*still);
    };
    view! {
        // Without JavaScript nothing is live, and nothing is offered.
        <div class="scripted flex items-center justify-between gap-2">
            <p class="flex min-w-0 items-center gap-2 text-xs" role="status">
                <span class=dot aria-hidden="true"></span>
                <span class="muted">{state}</span>
            </p>
            <button
                type="button" class="btn btn-xs btn-ghost shrink-0 font-medium text-primary"
                aria-pressed=move || live.still.get().to_string() on:click=switch
            >
                "Hold still"
            </button>
        </div>
    }
    .into_any()
}
