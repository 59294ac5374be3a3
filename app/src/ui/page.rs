//! The parts of a page: its head, its tabs, panels, figures, and the notice of what was just done.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_query_map};
use switchyard::types::grouped;

/// A page's title, the way to it, and what can be done on it.
#[component]
pub fn PageHead(
    /// The title, also the browser's.
    #[prop(into)]
    title: String,
    /// What stands beside the title.
    #[prop(optional, into)]
    beside: ViewFn,
    /// The pages above it: name and path.
    #[prop(optional)]
    above: Vec<(String, String)>,
    /// What can be done here.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let crumbs = (!above.is_empty()).then(|| {
        let links = above
            .into_iter()
            .enumerate()
            .map(|(at, (name, path))| {
                view! {
                    <li class="flex items-center gap-1.5">
                        {(at > 0).then(|| view! { <span class="muted" aria-hidden="true">"/"</span> })}
                        <a href=path class="text-link inline-flex min-h-6 items-center">{name}</a>
                    </li>
                }
            })
            .collect_view();
        view! {
            <nav aria-label="Breadcrumb">
                <ol class="flex flex-wrap gap-1.5">{links}</ol>
            </nav>
        }
    });
    view! {
        <Title text=title.clone() />
        <div class="mb-4 flex flex-col gap-1">
            {crumbs}
            <div class="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
                <div class="flex min-w-0 flex-wrap items-center gap-3">
                    <h1 class="text-xl font-semibold">{title}</h1>
                    {beside.run()}
                </div>
                <div class="flex flex-wrap gap-2 empty:hidden">{children.map(|children| children())}</div>
            </div>
        </div>
    }
}

/// The views of one thing, each a page of its own: name and path.
#[component]
pub fn Tabs(
    /// Whose views they are.
    label: &'static str,
    /// Name and path of each.
    tabs: Vec<(&'static str, String)>,
) -> impl IntoView {
    let here = use_location().pathname;
    let links = tabs
        .into_iter()
        .map(|(name, path)| {
            let is_here = {
                let path = path.clone();
                move || here.with(|here| *here == path).then_some("page")
            };
            view! {
                <li>
                    <a href=path class="tab-link" aria-current=is_here>{name}</a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav aria-label=label class="mb-4 border-b border-base-300">
            <ul class="-mb-px flex flex-wrap gap-x-6">{links}</ul>
        </nav>
    }
}

/// A framed part of a page under a heading.
#[component]
pub fn Panel(
    /// The heading.
    title: &'static str,
    /// A word under the heading.
    #[prop(optional)]
    note: &'static str,
    /// Its content.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">{title}</h2>
                {(!note.is_empty()).then(|| view! { <p class="muted text-xs">{note}</p> })}
            </header>
            <div class="p-4">{children()}</div>
        </section>
    }
}

/// A figure and what it counts.
#[component]
pub fn Stat(
    /// What it counts.
    label: &'static str,
    /// How many.
    value: i64,
) -> impl IntoView {
    view! {
        <div class="flex flex-col-reverse">
            <dt class="muted text-xs">{label}</dt>
            <dd class="text-xl font-semibold">{grouped(value)}</dd>
        </div>
    }
}

/// What a step does, or leaves as it is, before it is confirmed.
#[component]
pub fn Effects(
    /// The heading.
    title: &'static str,
    /// A sentence for each.
    each: Vec<String>,
) -> impl IntoView {
    view! {
        <div class="flex flex-col gap-2">
            <h2 class="font-semibold">{title}</h2>
            <ul class="flex list-disc flex-col gap-1.5 ps-5">{each.into_iter().map(|effect| view! { <li>{effect}</li> }).collect_view()}</ul>
        </div>
    }
}

/// What was just done, on the page it led to: the URL's `done` chooses among fixed words, so that it works without JavaScript
/// and nobody else's words can be put there.
#[component]
pub fn Notice(
    /// The value of `done` and its words.
    words: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let query = use_query_map();
    let text = move || {
        let done = query.with(|query| query.get("done"))?;
        words.iter().find(|(key, _)| *key == done).map(|(_, text)| *text)
    };
    view! {
        <div role="status" class="empty:absolute">
            {move || text().map(|text| view! { <p class="alert alert-success alert-soft mb-4 py-2.5 text-sm">{text}</p> })}
        </div>
    }
}
