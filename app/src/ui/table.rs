//! Tables: dense and calm, the head in sight, a row led by one link. On a narrow screen each row becomes a card.
//!
//! The roles are written out because a row that is laid out as a card would otherwise no longer be a row to a screen reader.

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use switchyard::types::{Cursor, ListColumn, Order};

/// The head of a column.
#[derive(Debug, Clone)]
pub struct Head {
    /// What it says.
    name: &'static str,
    /// Its column holds numbers, which end in one line.
    is_number: bool,
    /// How the list is sorted by it, if it is now, and where a click on it leads; `None` for a column that no index sorts by.
    sort: Option<(Option<Order>, String)>,
}

/// The heads of a table's columns.
#[derive(Debug, Clone)]
pub struct Heads(Vec<Head>);

impl Heads {
    /// The same; a click on the column of this name leads `to` where the list is sorted by it; `now` says how it is sorted by it already.
    #[must_use]
    pub fn sorted(mut self, name: &str, now: Option<Order>, to: String) -> Self {
        for head in self.0.iter_mut().filter(|head| head.name == name) {
            head.sort = Some((now, to.clone()));
        }
        self
    }

    /// The same; the columns of these names hold numbers. Their cells say so, too.
    #[must_use]
    pub fn numbers(mut self, names: &[&str]) -> Self {
        for head in self.0.iter_mut().filter(|head| names.contains(&head.name)) {
            head.is_number = true;
        }
        self
    }

    /// The first column, then those that are shown.
    pub fn of(first: &'static str, shown: &[ListColumn]) -> Self {
        let shown = shown.iter().map(|column| Head { is_number: column.is_number, ..Head::from(column.head) });
        Self(std::iter::once(Head::from(first)).chain(shown).collect())
    }
}

impl From<&'static str> for Head {
    fn from(name: &'static str) -> Self {
        Self { name, is_number: false, sort: None }
    }
}

impl From<&'static [&'static str]> for Heads {
    fn from(names: &'static [&'static str]) -> Self {
        Self(names.iter().map(|name| Head::from(*name)).collect())
    }
}

impl<const N: usize> From<&'static [&'static str; N]> for Heads {
    fn from(names: &'static [&'static str; N]) -> Self {
        Self::from(names.as_slice())
    }
}

fn head_cell(head: Head) -> impl IntoView {
    let Head { name, is_number, sort } = head;
    let (order, shown) = match sort {
        Some((order, href)) => {
            let mark = order.map(|order| if order == Order::Up { "↑" } else { "↓" });
            let link = view! {
                <a class="sort-link" href=href>
                    {name} <span aria-hidden="true">{mark}</span>
                </a>
            };
            (order, link.into_any())
        }
        None if name.is_empty() => (None, view! { <span class="sr-only">"Actions"</span> }.into_any()),
        None => (None, name.into_any()),
    };
    let sorted = order.map(|order| if order == Order::Up { "ascending" } else { "descending" });
    view! {
        <th role="columnheader" scope="col" aria-sort=sorted class=number_class(is_number)>
            {shown}
        </th>
    }
}

/// Numbers end in one line where rows are rows; in a card they stand beside their heads.
fn number_class(is_number: bool) -> &'static str {
    if is_number { "sm:text-end" } else { "" }
}

/// A table. Its rows are `<tr role="row">` of [`Cell`]s.
#[component]
pub fn Table(
    /// What it lists, for a screen reader.
    label: &'static str,
    /// The columns' heads; an empty one is for actions.
    #[prop(into)]
    head: Heads,
    /// The rows.
    children: Children,
) -> impl IntoView {
    let heads = head.0.into_iter().map(head_cell).collect_view();
    view! {
        <table class="rows" role="table" aria-label=label>
            <thead role="rowgroup">
                <tr role="row">{super::pick::pick_head()} {heads}</tr>
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
    /// It holds a number that is compared with those above and below it; the head says so, too, by [`Heads::numbers`].
    #[prop(optional)]
    number: bool,
    /// What it holds.
    children: Children,
) -> impl IntoView {
    view! {
        <td role="cell" data-label=of class=number_class(number)>
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

/// Where the cursor of a page's one list stands.
const AFTER: &str = "after";

/// The URL of this list with `after` in place of the cursor it has in the field `name`; without one, of its first page.
pub fn page_url(path: &str, mut query: leptos_router::params::ParamsMap, name: &'static str, after: Option<&Cursor>) -> String {
    query.remove(name);
    query.remove("done");
    if let Some(after) = after {
        query.insert(name, after.0.clone());
    }
    format!("{path}{}", query.to_query_string())
}

/// The URL of this list in another order, from its beginning.
pub fn sort_url(sort: &str) -> String {
    let mut query = use_query_map().get_untracked();
    query.remove("sort");
    if !sort.is_empty() {
        query.insert("sort", sort.to_owned());
    }
    page_url(&use_location().pathname.get_untracked(), query, AFTER, None)
}

/// What this list shows as a CSV file, which is at `path`.
pub fn csv_url(path: impl Into<String>) -> Signal<String> {
    let (path, search) = (path.into(), use_location().search);
    Signal::derive(move || format!("{path}?{}", search.get()))
}

/// Keeps a list's order in the form of its filters.
pub fn keep_sort(sort: Signal<String>) -> impl IntoView {
    view! {
        <Show when=move || !sort.get().is_empty()>
            <input type="hidden" name="sort" value=move || sort.get() />
        </Show>
    }
}

/// First and next page of a keyset list; a page is its URL.
#[component]
pub fn Pager(
    /// What is listed, for a screen reader.
    label: &'static str,
    /// Where the next page begins, if there is one.
    next: Option<Cursor>,
    /// The field of the URL in which its cursor stands, where a page has more than one list.
    #[prop(default = AFTER)]
    name: &'static str,
) -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let query = use_query_map().get_untracked();
    let first = query.get(name).map(|_| page_url(&path, query.clone(), name, None));
    let next = next.map(|next| page_url(&path, query, name, Some(&next)));
    (first.is_some() || next.is_some()).then(|| {
        view! {
            <nav aria-label=label class="mt-3 flex justify-end gap-2">
                {first.map(|href| view! { <a href=href class="btn btn-sm border-base-300 bg-base-100 font-medium">"First page"</a> })}
                {next.map(|href| view! { <a href=href rel="next" class="btn btn-sm border-base-300 bg-base-100 font-medium">"Next page"</a> })}
            </nav>
        }
    })
}
