//! Choosing rows of a table: boxes in a plain GET form, which works by itself. The bar with what can be done appears as soon as a row is
//! chosen. With JavaScript the head's box chooses the page, and the bar counts.
//!
//! The rule: all that match are chosen in so many words, and then it is the list's filter that travels, not the rows. The list's own
//! address goes along, so that who is done, or wants others, is back where they were.

use super::Choice;
use super::Select;
use leptos::context::Provider;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::{use_location, use_query_map};
use web_sys::HtmlInputElement;

/// The fields of a list's URL that say which rows it shows, and in what order.
const OF_LISTS: [&str; 8] = ["q", "account", "line", "type", "state", "kind", "sort", "after"];

/// The address of the list at `path`, of whose `query` only that is kept which says what the list shows: not what was just done, nor what
/// no list has.
pub fn list_at(path: &str, query: &str) -> String {
    let is_of_list = |field: &&str| {
        let (name, value) = field.split_once('=').unwrap_or_default();
        OF_LISTS.contains(&name) && !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
    };
    let query = query.trim_start_matches('?').split('&').filter(is_of_list).collect::<Vec<_>>().join("&");
    format!("{path}?{query}").trim_end_matches('?').to_owned()
}

/// The list's own address as the field `back` of a form, for the way back to it.
pub fn back_field() -> impl IntoView {
    let here = use_location();
    let back = move || list_at(&here.pathname.get(), &here.search.get());
    view! { <input type="hidden" name="back" prop:value=back value=untrack(back) /> }
}

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
        let chosen = self.boxes().iter().filter(|input| input.checked()).count();
        self.chosen.try_set(chosen);
        mark(chosen > 0);
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

/// Says on the document whether rows are chosen: what lies over the page keeps clear of the bar.
fn mark(is_picked: bool) {
    let Some(root) = document().document_element() else { return };
    // Fails only for a name that no attribute can have.
    let _ = if is_picked { root.set_attribute("data-picked", "") } else { root.remove_attribute("data-picked") };
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
    /// Only those chosen here can be meant: where it leads, nobody knows the list's filter.
    #[prop(optional)]
    only_chosen: bool,
    /// What can be done: the fields and the button.
    #[prop(into)]
    bar: ViewFn,
    /// The table.
    children: Children,
) -> impl IntoView {
    let picks = Picks { form: NodeRef::new(), chosen: RwSignal::new(0), is_due: StoredValue::new(false) };
    // A browser that comes back to a page chooses again what was chosen.
    Effect::new(move |_| {
        picks.count_soon();
        on_cleanup(|| mark(false));
    });
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
    let which = (!only_chosen).then(|| {
        let which = vec![Choice::new("", "Those chosen here"), Choice::new("1", all)];
        view! {
            <div class="w-full sm:w-56">
                <Select label="Which rows" name="all" id=id choices=which bare=true />
            </div>
        }
    });
    let says = move || match picks.chosen.get() {
        0 => String::new(),
        chosen => format!("{chosen} chosen"),
    };
    view! {
        <form method="get" action=action class="picking" node_ref=picks.form on:change=move |_: ev::Event| picks.count()>
            <Provider value=picks>{children()}</Provider>
            <div class="pick-bar panel" role="group" aria-label="With the chosen rows">
                {hidden}
                {back_field()}
                <p class="font-medium empty:hidden" aria-live="polite">{says}</p>
                {which}
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

#[cfg(test)]
mod tests {
    use super::list_at;

    #[test]
    fn an_address_keeps_what_arranges_a_list_and_nothing_else() {
        assert_eq!(list_at("/lines", "?q=front+desk&done=types&sort=label_down"), "/lines?q=front+desk&sort=label_down");
        assert_eq!(list_at("/sync", "state=stalled&account=&after=x%2Cy"), "/sync?state=stalled&after=x%2Cy");
        for nothing in ["", "?", "__err=x&row=1", "q=a\nb", "q=a#b", "q=ä", "q"] {
            assert_eq!(list_at("/lines", nothing), "/lines", "{nothing:?}");
        }
    }
}
