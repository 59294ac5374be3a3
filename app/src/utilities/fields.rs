//! The fields of a utility's form, by what they take: a line, an account, a choice, a file.
//!
//! The rule: what was answered stays. It stands in the URL where a browser sends the form by itself.

use crate::Fault;
use crate::find::{FindField, find_name, found_list, told};
use crate::lines::{AccountChoice, Choosing, line, list_lines};
use crate::ui::{Choice, grouped, load, query_field};
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
    fn ids(&self) -> impl Fn() -> String + Clone + Send + Sync + use<> {
        let (name, error) = (self.name.clone(), self.error);
        move || if error.with(Option::is_some) { format!("{name}-help {name}-error") } else { format!("{name}-help") }
    }

    fn described(&self) -> Signal<Option<String>> {
        let ids = self.ids();
        Signal::derive(move || Some(ids()))
    }

    fn is_wrong(&self) -> impl Fn() -> Option<&'static str> + Clone + Send + Sync + use<> {
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
        FieldKind::Account => view! { <AccountPick kind=kind of=of below=below /> }.into_any(),
        FieldKind::Choice(choices) if choices.len() <= RADIOS => radios(&of, choices, &below).into_any(),
        FieldKind::Choice(choices) => {
            let choices = choices.into_iter().map(|(word, says)| Choice::new(word, says)).collect();
            select(&of, choices, RwSignal::new(answer(&of.name)), &below, false).into_any()
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

/// Where the form of this utility stands; it takes its own answers, too.
fn form_of(kind: UtilityKind) -> String {
    format!("/utilities/new/{}", kind.as_str())
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

/// A list of choices; `chosen` follows what is chosen. A bare one has its label and what stands below it around it.
fn select(of: &FormField, choices: Vec<Choice>, chosen: RwSignal<String>, below: &Below, bare: bool) -> impl IntoView + use<> {
    let list = found_list(of.name.clone(), choices, chosen, !of.optional, below.error, below.described());
    view! {
        <div class="flex flex-col gap-1">
            {(!bare).then(|| label(of))} {list} {(!bare).then(|| below.view())}
        </div>
    }
}

/// An account, found by name where they are many. Without JavaScript the search is sent with the form's answers and comes back with them.
#[component]
fn AccountPick(kind: UtilityKind, of: FormField, below: Below) -> impl IntoView {
    let choosing = Choosing::of(&of.name, false);
    let accounts = choosing.offered();
    view! {
        <Transition>
            {move || {
                let (of, below) = (of.clone(), below.clone());
                Suspend::new(async move {
                    let none = if of.optional { "No account" } else { "Choose an account…" };
                    let first = accounts.await.unwrap_or_default();
                    view! {
                        <div class="flex flex-col gap-1">
                            {label(&of)}
                            <AccountChoice
                                choosing=choosing first=first name=of.name.clone() none=none required=!of.optional to=Some(form_of(kind))
                                error=below.error described=below.described()
                            />
                            {below.view()}
                        </div>
                    }
                })
            }}
        </Transition>
    }
}

/// A line, found by number, label or account. Without JavaScript the search is sent with the form's answers and comes back with them.
#[component]
fn LinePick(kind: UtilityKind, of: FormField, below: Below) -> impl IntoView {
    // A link from a line's page names it so, whatever the field is called.
    let preset = query_field("line").get_untracked();
    let first = Some(answer(&of.name)).filter(|answer| !answer.is_empty()).unwrap_or(preset);
    let (chosen, search) = (RwSignal::new(first), RwSignal::new(answer(&find_name(&of.name))));
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
            <FindField what="a line" hint="Number, label or account" list=name search=search to=Some(form_of(kind)) form=None />
            <Transition>
                {move || {
                    let (of, below) = (of.clone(), below.clone());
                    Suspend::new(async move {
                        let (rows, more) = lines.await.unwrap_or_default();
                        let found = told("line", rows.len(), more);
                        // The only one that fits is meant.
                        if let ([only], false) = (rows.as_slice(), search.get_untracked().is_empty()) {
                            chosen.set(only.id.to_string());
                        }
                        view! {
                            {select(&of, offered(rows, of.optional), chosen, &below, true)}
                            <p class="muted text-xs" role="status">{found}</p>
                        }
                    })
                }}
            </Transition>
            {shown}
        </div>
    }
}

fn offered(rows: Vec<LineRow>, optional: bool) -> Vec<Choice> {
    let first = [Choice::new("", if optional { "No line" } else { "Choose a line…" })].into_iter();
    first
        .chain(rows.into_iter().map(|row| Choice::new(row.id, format!("{} · {} · {}", row.number.readable(), row.label, row.account))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_said_as_people_read_them() {
        assert_eq!([size(100_000_000), size(640_000)], ["100 MB", "640 kB"]);
    }
}
