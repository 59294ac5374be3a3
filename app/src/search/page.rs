//! The search on a page of its own: without JavaScript, and for more than the palette shows.

use super::panel::{NOTHING, number_form};
use super::ways::{SIGN_OUT, ways};
use super::{Group, KeepSearch, Kept, kept_search, told_apart};
use crate::find::there_are_more;
use crate::frame::{Me, use_me};
use crate::ui::{
    Button, Empty, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, fault_of, field_error, icon, load, query_field,
    waits,
};
use leptos::prelude::*;

/// The form, and what was found.
#[component]
pub fn SearchPage() -> impl IntoView {
    let search = query_field("search");
    let me = use_me();
    let found = load(
        move || search.get(),
        |search| async move {
            match search.parse() {
                Ok(search) => kept_search(search).await.map(Some),
                Err(_) => Ok(None),
            }
        },
    );
    view! {
        <PageHead title="Search" />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(Some(kept))) => {
                        view! {
                            {form(kept.text.clone())}
                            {results(&me, kept)}
                        }
                            .into_any()
                    }
                    (Ok(_), Ok(None)) => view! { {form(String::new())} }.into_any(),
                    (Err(fault), _) | (_, Err(fault)) => {
                        view! {
                            {form(String::new())}
                            <FaultView fault=fault />
                        }
                            .into_any()
                    }
                }
            })}
        </Transition>
    }
}

fn form(text: String) -> impl IntoView {
    let action = Sending::to::<KeepSearch>();
    let fault = fault_of(action);
    view! {
        <div class="panel mb-4 max-w-2xl p-5">
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <FormFault fault=fault fields=&["text"] />
                    <Field
                        label="Search everywhere" name="text" kind="search" value=text autofocus=true
                        help="Part of a line’s number, or the beginning of a name, a label or an e-mail address; of a contact, the name, or the first five or last four digits."
                        error=field_error(fault, "text")
                    />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "Search"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </div>
    }
}

fn results(me: &Me, kept: Kept) -> impl IntoView + use<> {
    let mut go = ways(me, &kept.text, 50);
    go.hits.retain(|hit| hit.href != SIGN_OUT);
    let groups: Vec<Group> = [go].into_iter().chain(kept.hits.groups).filter(|group| !group.hits.is_empty()).collect();
    let number = kept.hits.is_whole_number.then(|| view! { <div class="panel mb-4 max-w-2xl p-5">{number_form(Some(kept.text))}</div> });
    let list = if groups.is_empty() && number.is_none() {
        view! {
            <div class="panel">
                <Empty title="Nothing found">{NOTHING}</Empty>
            </div>
        }
        .into_any()
    } else {
        groups.into_iter().map(panel).collect_view().into_any()
    };
    view! {
        {number}
        <div class="grid items-start gap-4 lg:grid-cols-2">{list}</div>
    }
}

fn panel(group: Group) -> impl IntoView {
    let kind = group.kind;
    let rows = group
        .hits
        .into_iter()
        .map(|hit| {
            view! {
                <li class="relative px-4 py-2 hover:bg-base-200">
                    <a href=hit.href data-row-link="" class="font-medium text-primary after:absolute after:inset-0">
                        {hit.title}
                    </a>
                    {(!hit.detail.is_empty()).then(|| view! { <span class="muted block text-xs">{told_apart(hit.detail, hit.at)}</span> })}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel">
            <header class="flex items-center gap-2 border-b border-base-300 px-4 py-3">
                <span class="muted">{icon(kind.icon())}</span>
                <h2 class="font-semibold">{kind.name()}</h2>
            </header>
            <ul class="divide-y divide-base-300">{rows}</ul>
            {there_are_more(group.is_cut)}
        </section>
    }
}
