//! Every component of `ui` in every state, in both themes beside each other: what a look is judged by, and what its tests look at.
//!
//! The rule: a component that is new, or has a new state, stands here, too.

mod forms;
mod lists;
mod notes;
mod shown;

use crate::ui::PageHead;
use forms::{finding, forms};
use leptos::prelude::*;
use leptos_meta::Title;
use lists::lists;
use notes::notes;
use shown::{charts, faults, marks, tables};

/// A component's name and what it looks like.
type Example = (&'static str, AnyView);

/// The ids of the fields of one theme: two of the same name cannot stand on a page.
#[derive(Debug, Clone, Copy)]
struct Names {
    plain: &'static str,
    helped: &'static str,
    wrong: &'static str,
    optional: &'static str,
    area: &'static str,
    wrong_area: &'static str,
    choice: &'static str,
    wrong_choice: &'static str,
    checked: &'static str,
    unchecked: &'static str,
    search: &'static str,
    filter: &'static str,
    file: &'static str,
    moment: &'static str,
    day: &'static str,
    rows: &'static str,
    account: &'static str,
}

const LIGHT: Names = Names {
    plain: "light-plain",
    helped: "light-helped",
    wrong: "light-wrong",
    optional: "light-optional",
    area: "light-area",
    wrong_area: "light-wrong-area",
    choice: "light-choice",
    wrong_choice: "light-wrong-choice",
    checked: "light-checked",
    unchecked: "light-unchecked",
    search: "light-q",
    filter: "light-filter",
    file: "light-file",
    moment: "light-moment",
    day: "light-day",
    rows: "light-rows",
    account: "light-account",
};

const DARK: Names = Names {
    plain: "dark-plain",
    helped: "dark-helped",
    wrong: "dark-wrong",
    optional: "dark-optional",
    area: "dark-area",
    wrong_area: "dark-wrong-area",
    choice: "dark-choice",
    wrong_choice: "dark-wrong-choice",
    checked: "dark-checked",
    unchecked: "dark-unchecked",
    search: "dark-q",
    filter: "dark-filter",
    file: "dark-file",
    moment: "dark-moment",
    day: "dark-day",
    rows: "dark-rows",
    account: "dark-account",
};

/// The components.
#[component]
pub fn PartsPage() -> impl IntoView {
    view! {
        <PageHead title="Components" />
        <p class="muted mb-4">"Every part of the screens in every state. Nothing here does anything."</p>
        <div class="grid gap-4 xl:grid-cols-2">{theme("light", "Light", LIGHT)} {theme("dark", "Dark", DARK)}</div>
        // A fault names its page; this one keeps its own name.
        <Title text="Components" />
    }
}

fn theme(theme: &'static str, name: &'static str, names: Names) -> impl IntoView {
    let examples = [marks(), forms(names), finding(names), lists(names), tables(), charts(), notes(), faults()]
        .into_iter()
        .flatten()
        .map(|(name, shown)| {
            view! {
                <section class="flex flex-col gap-2 border-t border-base-300 pt-3" data-part=name>
                    <h3 class="muted text-xs font-semibold">{name}</h3>
                    {shown}
                </section>
            }
        })
        .collect_view();
    view! {
        <section data-theme=theme class="flex min-w-0 flex-col gap-4 rounded-box border border-base-300 bg-base-200 p-4 text-base-content">
            <h2 class="font-semibold">{name}</h2>
            {examples}
        </section>
    }
}
