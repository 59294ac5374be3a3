//! Tables: dense and calm, the head in sight, a row led by one link. On a narrow screen each row becomes a card.
//!
//! The roles are written out because a row that is laid out as a card would otherwise no longer be a row to a screen reader.

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use switchyard::types::Cursor;

/// A table. Its rows are `<tr role="row">` of [`Cell`]s.
#[component]
pub fn Table(
    /// What it lists, for a screen reader.
    label: &'static str,
    /// The columns' heads; an empty one is for actions.
    head: &'static [&'static str],
    /// The rows.
    children: Children,
) -> impl IntoView {
    let heads = head
        .iter()
        .map(|name| {
            let shown = if name.is_empty() { view! { <span class="sr-only">"Actions"</span> }.into_any() } else { name.into_any() };
            view! { <th role="columnheader" scope="col">{shown}</th> }
        })
        .collect_view();
    view! {
        <table class="rows" role="table" aria-label=label>
            <thead role="rowgroup">
                <tr role="row">{heads}</tr>
            </thead>
            <tbody role="rowgroup">{children()}</tbody>
        </table>
    }
}

/// A cell; `of` is its column's head, shown beside it on a narrow screen.
#[component]
pub fn Cell(
    /// The column's head.
    of: &'static str,
    /// What it holds.
    children: Children,
) -> impl IntoView {
    view! {
        <td role="cell" data-label=of>
            <div class="min-w-0">{children()}</div>
        </td>
    }
}

/// The link that opens the row; it covers the row, and `j` and `k` move between these.
#[component]
pub fn RowLink(
    /// Where it leads.
    href: String,
    /// The row's name.
    children: Children,
) -> impl IntoView {
    view! { <a href=href class="font-medium text-primary" data-row-link="">{children()}</a> }
}

/// The URL of this list with `after` in place of the cursor it has; without one, of its first page.
pub fn page_url(path: &str, mut query: leptos_router::params::ParamsMap, after: Option<&Cursor>) -> String {
    query.remove("after");
    query.remove("done");
    if let Some(after) = after {
        query.insert("after", after.0.clone());
    }
    format!("{path}{}", query.to_query_string())
}

/// First and next page of a keyset list; a page is its URL.
#[component]
pub fn Pager(
    /// What is listed, for a screen reader.
    label: &'static str,
    /// Where the next page begins, if there is one.
    next: Option<Cursor>,
) -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let query = use_query_map().get_untracked();
    let first = query.get("after").map(|_| page_url(&path, query.clone(), None));
    let next = next.map(|next| page_url(&path, query, Some(&next)));
    (first.is_some() || next.is_some()).then(|| {
        view! {
            <nav aria-label=label class="mt-3 flex justify-end gap-2">
                {first.map(|href| view! { <a href=href class="btn btn-sm border-base-300 bg-base-100 font-medium">"First page"</a> })}
                {next.map(|href| view! { <a href=href rel="next" class="btn btn-sm border-base-300 bg-base-100 font-medium">"Next page"</a> })}
            </nav>
        }
    })
}
