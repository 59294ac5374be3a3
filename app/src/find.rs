//! Finding one of many for a form: the field that searches as one types, the list of what it finds, and what says that there are more.
//!
//! The rule: what is chosen stays chosen, whatever is searched for next.

use crate::ui::Choice;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;

/// The name of the field that searches for what the list of this name offers.
pub fn find_name(list: &str) -> String {
    format!("find-{list}")
}

/// A field that searches for what a list offers. Without JavaScript it is sent, and the page comes back with what was found.
#[component]
pub fn FindField(
    /// What is looked for: `a line`.
    what: &'static str,
    /// What can be typed.
    hint: &'static str,
    /// The list's name, which is its id.
    list: String,
    /// What is searched for; it follows what is typed.
    search: RwSignal<String>,
    /// Where it is sent without JavaScript, with the answers of its form. None: the form has a button for that already.
    to: Option<String>,
    /// The id of its form, where what stands around it must not be sent along.
    form: Option<&'static str>,
) -> impl IntoView {
    let name = find_name(&list);
    let node = NodeRef::<html::Input>::new();
    let works = RwSignal::new(false);
    Effect::new(move |_| {
        let Some(input) = node.get() else { return };
        works.set(true);
        // What was typed before the program came is searched for, too.
        let typed = input.value();
        if search.with_untracked(|search| *search != typed) {
            search.set(typed);
        }
    });
    // What is typed is being looked for already: nothing is to be sent.
    let press = move |event: ev::KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
        }
    };
    let button = to.map(|to| {
        view! {
            <button
                type=move || if works.get() { "button" } else { "submit" } formmethod="get" formaction=to formnovalidate=true form=form
                class="btn h-10 border-base-300 bg-base-100 text-sm font-medium" on:click=move |event| event.prevent_default()
            >
                "Find"
                <span class="sr-only">{format!(" {what}")}</span>
            </button>
        }
    });
    view! {
        <div class="flex gap-2">
            // Its name is for who has no JavaScript: a filter's URL and a form's answers are without it.
            <input
                name=move || (!works.get()).then(|| name.clone()) form=form type="search" value=search.get_untracked() node_ref=node
                class="input min-w-0 grow" placeholder=hint aria-label=format!("Find {what}") aria-controls=list autocomplete="off"
                on:input=move |event| search.set(event_target_value(&event)) on:change=move |event| event.stop_propagation() on:keydown=press
            />
            {button}
        </div>
    }
}

/// A list whose choices may change; `chosen` follows what is chosen. What is not offered, an empty value too, leaves the first choice
/// chosen.
pub fn found_list(
    name: String,
    choices: Vec<Choice>,
    chosen: RwSignal<String>,
    required: bool,
    error: Signal<Option<String>>,
    described: Signal<Option<String>>,
) -> impl IntoView + use<> {
    let offered: Vec<String> = choices.iter().map(|choice| choice.value.clone()).collect();
    let shown = move || {
        let now = chosen.get();
        if offered.contains(&now) { now } else { offered.first().cloned().unwrap_or_default() }
    };
    let first = untrack(&shown);
    let node = NodeRef::<html::Select>::new();
    // After the options are there: those of another search come into the same list.
    Effect::new(move |_| {
        let now = shown();
        if let Some(select) = node.get() {
            select.set_value(&now);
        }
    });
    let options = choices
        .into_iter()
        .map(|choice| {
            let selected = choice.value == first;
            view! { <option value=choice.value selected=selected>{choice.text}</option> }
        })
        .collect_view();
    view! {
        <select
            id=name.clone() name=name required=required class="select w-full" node_ref=node
            class:select-error=move || error.with(Option::is_some)
            aria-invalid=move || error.with(Option::is_some).then_some("true") aria-describedby=move || described.get()
            on:change=move |event| chosen.set(event_target_value(&event))
        >
            {options}
        </select>
    }
}

/// How many a list offers of what is called `one`, and whether there are more.
pub fn told(one: &str, count: usize, more: bool) -> String {
    match (count, more) {
        (0, false) => format!("No {one} fits. Search for less."),
        (0, true) => "None of the first fits; search to see the others".to_owned(),
        (1, false) => format!("1 {one}"),
        (count, false) => format!("{count} {one}s"),
        (count, true) => format!("The first {count} {one}s; search to see the others"),
    }
}

/// Below what a search found, where it shows no more of them.
pub fn there_are_more(is_cut: bool) -> Option<impl IntoView + use<>> {
    is_cut.then(|| view! { <p class="muted border-t border-base-300 px-4 py-2 text-xs">"There are more: type more of it."</p> })
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn counts_are_said_as_people_read_them() {
        assert_eq!(told("line", 1, false), "1 line");
        assert_eq!(told("line", 50, true), "The first 50 lines; search to see the others");
        assert_eq!(told("account", 0, false), "No account fits. Search for less.");
        assert_eq!(told("account", 0, true), "None of the first fits; search to see the others");
    }
}
