//! The fields of a utility's form, by what they take: a line, an account, a choice, a file.
//!
//! The rule: what was answered stays. It stands in the URL where a browser sends the form by itself.

use crate::Fault;
use crate::lines::{line, list_lines, offered_accounts};
use crate::ui::{grouped, load, query_field};
use leptos::prelude::*;
use switchyard::types::{FieldKind, FormField, LineId, LineRow, UtilityKind};

/// More choices than these are a list to open; fewer stand side by side.
const RADIOS: usize = 6;

/// How a field names what stands below it.
#[derive(Clone)]
struct Below {
    name: String,
    help: String,
    error: Signal<Option<String>>,
}

impl Below {
    fn ids(&self) -> impl Fn() -> String + Clone + Send + Sync + 'static {
        let (name, error) = (self.name.clone(), self.error);
        move || if error.with(Option::is_some) { format!("{name}-help {name}-error") } else { format!("{name}-help") }
    }

    fn is_wrong(&self) -> impl Fn() -> Option<&'static str> + Clone + Send + Sync + 'static {
        let error = self.error;
        move || error.with(Option::is_some).then_some("true")
    }

    fn view(&self) -> impl IntoView + use<> {
        let (help, error_id, error) = (format!("{}-help", self.name), format!("{}-error", self.name), self.error);
        view! {
            <p id=help class="muted text-xs">{self.help.clone()}</p>
            <Show when=move || error.with(Option::is_some)>
                <p id=error_id.clone() class="text-error text-xs font-medium">{move || error.get()}</p>
            </Show>
        }
    }
}

/// A field of the form of this utility.
pub fn field(kind: UtilityKind, of: FormField, fault: Signal<Option<Fault>>) -> impl IntoView {
    let name = of.name.clone();
    let error = Signal::derive(move || {
        fault.with(|fault| fault.as_ref().filter(|fault| fault.0.field() == Some(name.as_str())).map(ToString::to_string))
    });
    let help = match &of.kind {
        FieldKind::File { most, .. } => format!("{} At most {}.", of.help, size(*most)),
        _ => of.help.clone(),
    };
    let below = Below { name: of.name.clone(), help, error };
    match of.kind.clone() {
        FieldKind::Line => view! { <LinePick kind=kind of=of below=below /> }.into_any(),
        FieldKind::Account => view! { <AccountPick of=of below=below /> }.into_any(),
        FieldKind::Choice(choices) if choices.len() <= RADIOS => radios(&of, choices, &below).into_any(),
        FieldKind::Choice(choices) => {
            let chosen = answer(&of.name);
            let is_known = choices.iter().any(|(word, _)| *word == chosen);
            let chosen = if is_known { chosen } else { choices.first().map(|(word, _)| word.clone()).unwrap_or_default() };
            select(&of, choices, &RwSignal::new(chosen), &below, false).into_any()
        }
        FieldKind::File { accept, .. } => view! {
            <div class="flex flex-col gap-1">
                {label(&of)}
                <input
                    id=of.name.clone() name=of.name.clone() type="file" accept=accept required=!of.optional class="file-input w-full"
                    class:file-input-error=move || error.with(Option::is_some) aria-invalid=below.is_wrong() aria-describedby=below.ids()
                />
                {below.view()}
            </div>
        }
        .into_any(),
    }
}

/// What the URL answers to a field.
fn answer(name: &str) -> String {
    leptos_router::hooks::use_query_map().with_untracked(|query| query.get(name)).unwrap_or_default()
}

fn label(of: &FormField) -> impl IntoView + use<> {
    view! {
        <label for=of.name.clone() class="font-medium">
            {of.label.clone()} {of.optional.then(|| view! { <span class="muted font-normal">" (optional)"</span> })}
        </label>
    }
}

/// `640 kB`, `100 MB`.
fn size(bytes: u64) -> String {
    let (of, unit) = if bytes >= 1_000_000 { (1_000_000, "MB") } else { (1_000, "kB") };
    format!("{} {unit}", grouped(i64::try_from(bytes / of).unwrap_or(i64::MAX)))
}

fn radios(of: &FormField, choices: Vec<(String, String)>, below: &Below) -> impl IntoView + use<> {
    let name = of.name.clone();
    let answered = answer(&name);
    let chosen = choices.iter().position(|(word, _)| *word == answered).unwrap_or(0);
    let choices = choices.into_iter().enumerate().map(|(at, (word, says))| {
        view! {
            <label class="flex min-h-6 items-start gap-2">
                <input type="radio" name=name.clone() value=word checked=at == chosen class="radio radio-sm radio-primary" />
                <span>{says}</span>
            </label>
        }
    });
    view! {
        <fieldset class="flex flex-col gap-1.5" aria-describedby=below.ids()>
            <legend class="mb-1 font-medium">{of.label.clone()}</legend>
            {choices.collect_view()}
            {below.view()}
        </fieldset>
    }
}

/// A list of values and what they say; `chosen` follows what is chosen.
fn select(of: &FormField, choices: Vec<(String, String)>, chosen: &RwSignal<String>, below: &Below, bare: bool) -> impl IntoView + use<> {
    let (chosen, error) = (*chosen, below.error);
    let now = chosen.get_untracked();
    let node = NodeRef::<leptos::html::Select>::new();
    // After the options are there: those of another search come into the same list.
    Effect::new(move |_| {
        let now = chosen.get();
        if let Some(select) = node.get() {
            select.set_value(&now);
        }
    });
    let options = choices
        .into_iter()
        .map(|(value, text)| {
            let selected = value == now;
            view! { <option value=value selected=selected>{text}</option> }
        })
        .collect_view();
    view! {
        <div class="flex flex-col gap-1">
            {(!bare).then(|| label(of))}
            <select
                id=of.name.clone() name=of.name.clone() required=!of.optional class="select w-full" node_ref=node
                class:select-error=move || error.with(Option::is_some) aria-invalid=below.is_wrong() aria-describedby=below.ids()
                on:change=move |event| chosen.set(event_target_value(&event))
            >
                {options}
            </select>
            {(!bare).then(|| below.view())}
        </div>
    }
}

#[component]
fn AccountPick(of: FormField, below: Below) -> impl IntoView {
    let chosen = RwSignal::new(answer(&of.name));
    let accounts = load(move || chosen.get_untracked().parse().ok(), |chosen| offered_accounts(chosen, String::new(), false));
    view! {
        <Suspense>
            {move || {
                let (of, below) = (of.clone(), below.clone());
                Suspend::new(async move {
                    let none = if of.optional { "No account" } else { "Choose an account…" };
                    let first = [(String::new(), none.to_owned())].into_iter();
                    let accounts = accounts.await.unwrap_or_default();
                    let choices = first.chain(accounts.into_iter().map(|account| (account.id.to_string(), account.name))).collect();
                    select(&of, choices, &chosen, &below, false)
                })
            }}
        </Suspense>
    }
}

/// A line, found by number, label or account. Without JavaScript the search is sent with the form's answers and comes back with them.
#[component]
fn LinePick(kind: UtilityKind, of: FormField, below: Below) -> impl IntoView {
    let find = format!("find-{}", of.name);
    // A link from a line's page names it so, whatever the field is called.
    let preset = query_field("line").get_untracked();
    let first = Some(answer(&of.name)).filter(|answer| !answer.is_empty()).unwrap_or(preset);
    let (chosen, search) = (RwSignal::new(first), RwSignal::new(answer(&find)));
    let lines = load(
        move || search.get(),
        move |search| {
            let chosen: Option<LineId> = chosen.get_untracked().parse().ok();
            async move {
                let page = list_lines(search, None, None, None, None, None).await?;
                let (mut rows, more) = (page.rows, page.next.is_some());
                // What is chosen stays offered.
                if let Some(id) = chosen.filter(|id| rows.iter().all(|row| row.id != *id))
                    && let Ok(detail) = line(id).await
                {
                    rows.insert(0, detail.line);
                }
                Ok((rows, more))
            }
        },
    );
    let (name, shown) = (of.name.clone(), below.view());
    view! {
        <div class="flex flex-col gap-1">
            {label(&of)}
            <div class="flex gap-2">
                <input
                    name=find type="search" value=search.get_untracked() class="input min-w-0 grow" placeholder="Number, label or account"
                    aria-label="Find a line" aria-controls=name autocomplete="off" on:input=move |event| search.set(event_target_value(&event))
                />
                <button
                    type="submit" formmethod="get" formaction=format!("/utilities/new/{}", kind.as_str()) formnovalidate=true
                    class="btn h-10 border-base-300 bg-base-100 text-sm font-medium" on:click=move |event| event.prevent_default()
                >
                    "Find"
                </button>
            </div>
            <Transition>
                {move || {
                    let (of, below) = (of.clone(), below.clone());
                    Suspend::new(async move {
                        let (rows, more) = lines.await.unwrap_or_default();
                        let found = told(rows.len(), more);
                        // The only one that fits is meant.
                        if let ([only], false) = (rows.as_slice(), search.get_untracked().is_empty()) {
                            chosen.set(only.id.to_string());
                        }
                        view! {
                            {select(&of, offered(rows, of.optional), &chosen, &below, true)}
                            <p class="muted text-xs" role="status">{found}</p>
                        }
                    })
                }}
            </Transition>
            {shown}
        </div>
    }
}

fn offered(rows: Vec<LineRow>, optional: bool) -> Vec<(String, String)> {
    let none = if optional { "No line" } else { "Choose a line…" };
    let first = [(String::new(), none.to_owned())].into_iter();
    first
        .chain(rows.into_iter().map(|row| (row.id.to_string(), format!("{} · {} · {}", row.number.readable(), row.label, row.account))))
        .collect()
}

/// How many lines the list offers.
fn told(count: usize, more: bool) -> String {
    match (count, more) {
        (0, _) => "No line fits. Search for less.".to_owned(),
        (1, _) => "1 line".to_owned(),
        (count, false) => format!("{count} lines"),
        (count, true) => format!("The first {count} lines; search to see the others"),
    }
}

#[cfg(test)]
mod tests {
    use super::{size, told};

    #[test]
    fn sizes_and_counts_are_said_as_people_read_them() {
        assert_eq!([size(100_000_000), size(640_000)], ["100 MB", "640 kB"]);
        assert_eq!(told(1, false), "1 line");
        assert_eq!(told(50, true), "The first 50 lines; search to see the others");
    }
}
