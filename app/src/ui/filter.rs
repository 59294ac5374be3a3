//! The bar above a list: a plain GET form whose state is the URL. With JavaScript it sends itself when something is chosen and
//! leaves empty fields out of the URL. What stands at its end is no part of the form.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use web_sys::{FormData, HtmlFormElement, UrlSearchParams};

/// The filters of a list.
#[component]
pub fn FilterBar(
    /// What stands at its end.
    #[prop(optional, into)]
    beside: ViewFn,
    /// The fields.
    children: Children,
) -> impl IntoView {
    let form = NodeRef::<html::Form>::new();
    let here = use_location().pathname;
    let navigate = use_navigate();
    let send = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let Some(form) = form.get_untracked() else { return };
        let query = query_of(&form);
        let path = here.get_untracked();
        navigate(
            &if query.is_empty() { path } else { format!("{path}?{query}") },
            leptos_router::NavigateOptions { scroll: false, ..Default::default() },
        );
    };
    let chosen = move |_| {
        if let Some(form) = form.get_untracked() {
            // Goes through the submit event, as the button does.
            let _ = form.request_submit();
        }
    };
    view! {
        // One row, as far as it is wide enough: the form's fields are among what it holds.
        <div class="mb-3 flex flex-wrap items-end gap-2">
            <form node_ref=form method="get" role="search" class="contents" on:submit=send on:change=chosen>
                {children()}
                <button type="submit" class="btn btn-sm h-10 border-base-300 bg-base-100 text-sm font-medium">"Apply"</button>
            </form>
            {beside.run()}
        </div>
    }
}

/// The form's fields as a query, without the empty ones.
fn query_of(form: &HtmlFormElement) -> String {
    let query = UrlSearchParams::new();
    if let (Ok(query), Ok(data)) = (query, FormData::new_with_form(form)) {
        for field in form.query_selector_all("[name]").into_iter().flat_map(|list| (0..list.length()).filter_map(move |at| list.item(at))) {
            let name = field.dyn_into::<web_sys::Element>().ok().and_then(|field| field.get_attribute("name")).unwrap_or_default();
            if let Some(value) = data.get(&name).as_string().filter(|value| !value.is_empty()) {
                query.append(&name, &value);
            }
        }
        return String::from(query.to_string());
    }
    String::new()
}

/// The search field of a list; `/` leads to it.
#[component]
pub fn Search(
    /// What is searched, as its label and its hint.
    label: &'static str,
    /// What is searched for now; it follows the URL.
    value: Signal<String>,
    /// The field of the URL that it is.
    #[prop(default = "q")]
    name: &'static str,
) -> impl IntoView {
    view! {
        <div class="min-w-0 grow basis-60 sm:max-w-md">
            <label for=name class="sr-only">{label}</label>
            <input
                id=name name=name type="search" value=value.get_untracked() prop:value=move || value.get() placeholder=label class="input w-full"
                autocomplete="off" data-search=""
            />
        </div>
    }
}

/// One field of the URL's query, as a signal: how a filter reads its state.
pub fn query_field(name: &'static str) -> Signal<String> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get(name)).unwrap_or_default()).into()
}
