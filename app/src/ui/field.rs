//! Form fields: a visible label, help and error that belong to the field for a screen reader too.

use leptos::prelude::*;

/// What stands under a field, and the ids by which the field names it.
fn below(id: &str, help: &'static str, error: Signal<Option<String>>) -> impl IntoView + use<> {
    let error_id = format!("{id}-error");
    view! {
        {(!help.is_empty()).then(|| view! { <p id=format!("{id}-help") class="muted text-xs">{help}</p> })}
        <Show when=move || error.with(Option::is_some)>
            <p id=error_id.clone() class="text-error text-xs font-medium">
                {move || error.get()}
            </p>
        </Show>
    }
}

fn described(id: &str, help: &'static str, error: Signal<Option<String>>) -> impl Fn() -> Option<String> + Clone + use<> {
    let id = id.to_owned();
    move || match (help.is_empty(), error.with(Option::is_some)) {
        (true, false) => None,
        (false, false) => Some(format!("{id}-help")),
        (true, true) => Some(format!("{id}-error")),
        (false, true) => Some(format!("{id}-help {id}-error")),
    }
}

fn label_of(id: &str, label: &'static str, optional: bool) -> impl IntoView + use<> {
    view! {
        <label for=id.to_owned() class="font-medium">
            {label}
            {optional.then(|| view! { <span class="muted font-normal">" (optional)"</span> })}
        </label>
    }
}

/// A field of one line.
#[component]
pub fn Field(
    /// The visible label.
    label: &'static str,
    /// The name it is sent by, and its id.
    name: &'static str,
    /// Its id, where the form stands on the page more than once.
    #[prop(optional, into)]
    id: Option<String>,
    /// The kind of input.
    #[prop(default = "text")]
    kind: &'static str,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// What to write.
    #[prop(optional)]
    help: &'static str,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// It may stay empty.
    #[prop(optional)]
    optional: bool,
    /// What the browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Which keyboard a phone shows.
    #[prop(optional)]
    inputmode: Option<&'static str>,
    /// The pattern that it must match.
    #[prop(optional, into)]
    pattern: Option<String>,
    /// What the pattern means, for who does not match it.
    #[prop(optional, into)]
    title: Option<String>,
    /// The cursor starts here.
    #[prop(optional)]
    autofocus: bool,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.to_owned());
    let described = described(&id, help, error);
    view! {
        <div class="flex flex-col gap-1">
            {label_of(&id, label, optional)}
            <input
                id=id.clone() name=name type=kind value=value required=!optional autocomplete=autocomplete inputmode=inputmode pattern=pattern
                title=title autofocus=autofocus class="input w-full" class:input-error=move || error.with(Option::is_some)
                aria-invalid=move || error.with(Option::is_some).then_some("true") aria-describedby=described
                spellcheck="false"
            />
            {below(&id, help, error)}
        </div>
    }
}

/// A field for a time. In the reader's zone, which `times.js` names in the label, and sent in UTC; without JavaScript in UTC.
#[component]
pub fn MomentField(
    /// The visible label; the zone comes behind it.
    label: &'static str,
    /// The name it is sent by, and its id.
    name: &'static str,
    /// It asks for the day alone, and means its beginning; what it holds at first: a moment in UTC to the second, or a day of UTC.
    #[prop(optional, into)]
    day: Option<String>,
    /// It means the day's last second, which only the reader's zone tells: some days have 23 hours.
    #[prop(optional)]
    last: bool,
    /// What to write.
    #[prop(optional)]
    help: &'static str,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Its label is for screen readers alone, as in a filter bar.
    #[prop(optional)]
    bare: bool,
) -> impl IntoView {
    let kind = if day.is_some() { "date" } else { "datetime-local" };
    let value = day.as_ref().map(|day| day.get(..10).unwrap_or_default().to_owned());
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label for=name class=if bare { "sr-only" } else { "font-medium" }>
                {label} ", in " <span data-zone="">"UTC"</span> {(!bare).then(|| view! { <span class="muted font-normal">" (optional)"</span> })}
            </label>
            <input
                id=name name=name type=kind value=value autocomplete="off" title=bare.then(|| format!("{label}, in UTC")) data-zoned=""
                data-moment=day data-last=last.then_some("") class="input w-full" class:input-error=move || error.with(Option::is_some)
                aria-invalid=move || error.with(Option::is_some).then_some("true") aria-describedby=described(name, help, error)
            />
            {below(name, help, error)}
        </div>
    }
}

/// A field of several lines.
#[component]
pub fn TextArea(
    /// The visible label.
    label: &'static str,
    /// The name it is sent by, and its id.
    name: &'static str,
    /// Its id, where the form stands on the page more than once.
    #[prop(optional, into)]
    id: Option<String>,
    /// How many lines it shows.
    #[prop(default = 3)]
    rows: u32,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// The browser insists on it; otherwise the answer says whether it was needed.
    #[prop(default = true)]
    required: bool,
    /// What to write.
    #[prop(optional)]
    help: &'static str,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.to_owned());
    let area = view! {
        <textarea
            id=id.clone() name=name rows=rows required=required class="textarea w-full" class:textarea-error=move || error.with(Option::is_some)
            aria-invalid=move || error.with(Option::is_some).then_some("true") aria-describedby=described(&id, help, error)
            prop:defaultValue=value.clone()
        ></textarea>
    };
    // A page brings what it holds as its child, which Leptos does not look at again in the browser: there it is the property. An empty one
    // has no child, or its placeholder would be what it holds.
    let area =
        if cfg!(feature = "ssr") && !value.is_empty() { area.into_inner().child(area_text(&value)).into_any() } else { area.into_any() };
    view! {
        <div class="flex flex-col gap-1">
            {label_of(&id, label, false)}
            {area}
            {below(&id, help, error)}
        </div>
    }
}

/// What a text area holds, as the child of its element. Leptos writes that into a page as it is, as it does with scripts.
fn area_text(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;")
}

/// One of the things a [`Select`] offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub text: String,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl ToString, text: impl Into<String>) -> Self {
        Self { value: value.to_string(), text: text.into() }
    }
}

/// One of a list.
#[component]
pub fn Select(
    /// The visible label.
    label: &'static str,
    /// The name it is sent by, and its id.
    name: &'static str,
    /// Its id, where the form stands on the page more than once.
    #[prop(optional, into)]
    id: Option<String>,
    /// What it offers.
    choices: Vec<Choice>,
    /// What is chosen; it follows the signal.
    #[prop(optional, into)]
    value: Signal<String>,
    /// What to choose.
    #[prop(optional)]
    help: &'static str,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Its label is for screen readers alone, as in a filter bar.
    #[prop(optional)]
    bare: bool,
    /// The browser insists on a choice: the first one is none.
    #[prop(optional)]
    required: bool,
) -> impl IntoView {
    // A value that is not offered, an empty one too, leaves the first choice chosen.
    let offered: Vec<String> = choices.iter().map(|choice| choice.value.clone()).collect();
    let chosen = Signal::derive(move || {
        let value = value.get();
        if offered.contains(&value) { value } else { offered.first().cloned().unwrap_or_default() }
    });
    let first = chosen.get_untracked();
    let options = choices
        .into_iter()
        .map(|choice| {
            let selected = choice.value == first;
            view! { <option value=choice.value selected=selected>{choice.text}</option> }
        })
        .collect_view();
    let id = id.unwrap_or_else(|| name.to_owned());
    let described = described(&id, help, error);
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label for=id.clone() class=if bare { "sr-only" } else { "font-medium" }>{label}</label>
            <select
                id=id.clone() name=name required=required prop:value=move || chosen.get() class="select w-full"
                class:select-error=move || error.with(Option::is_some)
                aria-invalid=move || error.with(Option::is_some).then_some("true") aria-describedby=described
            >
                {options}
            </select>
            {below(&id, help, error)}
        </div>
    }
}

/// Yes or no. Unchecked, nothing is sent: the server function's argument is `#[server(default)]`.
#[component]
pub fn Check(
    /// The visible label.
    label: &'static str,
    /// The name it is sent by (as `true`), and its id.
    name: &'static str,
    /// Whether it is checked at first.
    #[prop(optional)]
    checked: bool,
) -> impl IntoView {
    view! {
        <label class="flex min-h-6 items-center gap-2" for=name>
            <input id=name name=name type="checkbox" value="true" checked=checked class="checkbox checkbox-sm checkbox-primary" />
            {label}
        </label>
    }
}
