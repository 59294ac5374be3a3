//! Choosing rows of a table: boxes in a plain GET form, which works by itself. The bar with what can be done appears as soon as a row is
//! chosen. With JavaScript the head's box chooses the page, and the bar counts.
//!
//! The rule: all that match are chosen in so many words, and then it is the list's filter that travels, not the rows.

use super::Choice;
use super::Select;
use leptos::context::Provider;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::use_query_map;
use web_sys::HtmlInputElement;

/// A table within a [`Picking`] finds its form by this.
#[derive(Clone, Copy)]
pub(super) struct Picks {
    form: NodeRef<html::Form>,
    chosen: RwSignal<usize>,
    /// They are counted before the next frame.
    is_due: StoredValue<bool>,
}

impl Picks {
    fn boxes(self) -> Vec<HtmlInputElement> {
        let Some(Some(form)) = self.form.try_get_untracked() else { return Vec::new() };
        let Ok(found) = form.query_selector_all("input[data-pick]") else { return Vec::new() };
        (0..found.length()).filter_map(|at| found.item(at)?.dyn_into().ok()).collect()
    }

    fn count(self) {
        self.is_due.try_set_value(false);
        self.chosen.try_set(self.boxes().iter().filter(|input| input.checked()).count());
    }

    /// Once, however many rows come and go at the same time.
    fn count_soon(self) {
        if self.is_due.try_get_value() == Some(false) {
            self.is_due.set_value(true);
            request_animation_frame(move || self.count());
        }
    }

    fn choose_all(self, yes: bool) {
        for input in self.boxes() {
            input.set_checked(yes);
        }
    }
}

/// A form around a table whose rows are [`Pick`]ed.
#[component]
pub fn Picking(
    /// The page that it leads to.
    action: &'static str,
    /// The fields of the list's filter that go along when all that match are chosen.
    filter: &'static [&'static str],
    /// Fields that always go along: name and value.
    #[prop(optional)]
    fixed: Vec<(&'static str, String)>,
    /// Rows on this page.
    rows: usize,
    /// There are further pages, or there were.
    is_part: bool,
    /// The id of the field that chooses between these and all, where the form stands on the page more than once.
    #[prop(default = "all")]
    id: &'static str,
    /// What the choice of all says, where they are not simply all that match.
    #[prop(optional)]
    all: Option<&'static str>,
    /// What can be done: the fields and the button.
    #[prop(into)]
    bar: ViewFn,
    /// The table.
    children: Children,
) -> impl IntoView {
    let picks = Picks { form: NodeRef::new(), chosen: RwSignal::new(0), is_due: StoredValue::new(false) };
    // A browser that comes back to a page chooses again what was chosen.
    Effect::new(move |_| picks.count_soon());
    let query = use_query_map().get_untracked();
    let of_list = filter.iter().filter_map(|name| Some((*name, query.get(name).filter(|value| !value.is_empty())?)));
    let hidden = of_list.chain(fixed).map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    let all = if let Some(all) = all {
        all.to_owned()
    } else if is_part {
        "All that match, on every page".to_owned()
    } else {
        format!("All {rows} that match")
    };
    let which = vec![Choice::new("", "Those chosen here"), Choice::new("1", all)];
    let says = move || match picks.chosen.get() {
        0 => String::new(),
        chosen => format!("{chosen} chosen"),
    };
    view! {
        <form method="get" action=action class="picking" node_ref=picks.form on:change=move |_: ev::Event| picks.count()>
            <Provider value=picks>{children()}</Provider>
            <div class="pick-bar panel" role="group" aria-label="With the chosen rows">
                {hidden}
                <p class="font-medium empty:hidden" aria-live="polite">{says}</p>
                <div class="w-full sm:w-56">
                    <Select label="Which rows" name="all" id=id choices=which bare=true />
                </div>
                {bar.run()}
            </div>
        </form>
    }
}

/// The head of the column of boxes, within a [`Picking`].
pub(super) fn pick_head() -> Option<impl IntoView> {
    let picks = use_context::<Picks>()?;
    let works = RwSignal::new(false);
    Effect::new(move |_| works.set(true));
    let is_checked = move || picks.chosen.get() > 0 && picks.chosen.get() == picks.boxes().len();
    Some(view! {
        <th role="columnheader" scope="col" class="pick">
            <Show when=move || works.get() fallback=|| view! { <span class="sr-only">"Choose"</span> }>
                <label class="box">
                    <input
                        type="checkbox" class="checkbox checkbox-sm checkbox-primary" aria-label="Choose all on this page" prop:checked=is_checked
                        on:change=move |event| picks.choose_all(event_target_checked(&event))
                    />
                </label>
            </Show>
        </th>
    })
}

/// The box of a row.
#[component]
pub fn Pick(
    /// The field that it is sent by.
    name: &'static str,
    /// The row's key.
    value: String,
    /// What the row is, for a screen reader.
    label: String,
    /// It is chosen at first.
    #[prop(optional)]
    checked: bool,
) -> impl IntoView {
    if let Some(picks) = use_context::<Picks>() {
        // A chosen row that leaves the page is counted no more.
        Effect::new(move |_| on_cleanup(move || picks.count_soon()));
    }
    view! {
        <td role="cell" data-label="" class="pick">
            <label class="box above">
                <input
                    type="checkbox" name=name value=value checked=checked aria-label=format!("Choose {label}") data-pick=""
                    class="checkbox checkbox-sm checkbox-primary"
                />
            </label>
        </td>
    }
}
