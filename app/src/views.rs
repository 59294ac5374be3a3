//! What stands above a list: its saved views, one's own and those shared with one's roles, and the choice of its columns.
//!
//! The rule: a view is its URL. A list shows one because its fields stand in the URL, not because it was clicked.

use crate::fault::{Fault, Reply};
use crate::ui::{Button, Choice, Field, FormFault, Heads, Loaded, Look, Select, SendForm, Sending, fault_of, field_error, load, waits};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use leptos_router::params::ParamsMap;
use switchyard::types::{Arrangement, ListColumn, ListKind, RoleId, SavedView, ViewField, ViewId};

#[cfg(feature = "ssr")]
use {
    crate::context::{local_path, member, services},
    switchyard::staff::views,
};

/// A list as its reader has arranged it.
#[server(prefix = "/fn", output = Reply, endpoint = "lists/read")]
pub async fn read_arrangement(list: ListKind) -> Result<Arrangement, Fault> {
    Ok(views::read(&services()?.db, &member().await?, list).await?)
}

/// Chooses the columns of a list, for oneself.
#[server(prefix = "/fn", output = Reply, endpoint = "lists/columns")]
pub async fn choose_columns(list: ListKind, #[server(default)] columns: Vec<String>, #[server(default)] back: String) -> Result<(), Fault> {
    views::choose_columns(&services()?.db, &member().await?, list, &columns).await?;
    leptos_axum::redirect(local_path(&back));
    Ok(())
}

/// Saves what a list is narrowed to: fields of its URL by name and value; `role` is empty for oneself.
#[server(prefix = "/fn", output = Reply, endpoint = "views/save")]
pub async fn save_view(
    list: ListKind,
    name: String,
    #[server(default)] names: Vec<String>,
    #[server(default)] values: Vec<String>,
    #[server(default)] role: String,
    #[server(default)] back: String,
) -> Result<ViewId, Fault> {
    let (services, member) = (services()?, member().await?);
    let fields: Vec<ViewField> = names.into_iter().zip(values).collect();
    let role: Option<RoleId> = role.parse().ok();
    let id = views::save(&services.db, &services.now, &member, list, &name, &fields, role).await?;
    leptos_axum::redirect(local_path(&back));
    Ok(id)
}

/// Gives a view another name.
#[server(prefix = "/fn", output = Reply, endpoint = "views/rename")]
pub async fn rename_view(id: ViewId, version: i64, name: String, #[server(default)] back: String) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    views::rename(&services.db, &services.now, &member, id, version, &name).await?;
    leptos_axum::redirect(local_path(&back));
    Ok(())
}

/// Deletes a view.
#[server(prefix = "/fn", output = Reply, endpoint = "views/remove")]
pub async fn remove_view(id: ViewId, version: i64, #[server(default)] back: String) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    views::remove(&services.db, &services.now, &member, id, version).await?;
    leptos_axum::redirect(local_path(&back));
    Ok(())
}

/// What the URL narrows the list to, in the order in which a view keeps it.
fn fields_of(list: ListKind, query: &ParamsMap) -> Vec<ViewField> {
    let known = list.saved().map(|(_, known)| known).unwrap_or_default();
    known.iter().filter_map(|name| Some(((*name).to_owned(), query.get(name).filter(|value| !value.is_empty())?))).collect()
}

fn address(list: ListKind, fields: &[ViewField]) -> String {
    let path = list.saved().map(|(path, _)| path).unwrap_or("/");
    let query: ParamsMap = fields.iter().cloned().collect();
    format!("{path}{}", query.to_query_string())
}

/// A list's arrangement, read once for what stands above it and for its table.
#[derive(Debug, Clone, Copy)]
pub struct Arranged {
    list: ListKind,
    found: Loaded<Result<Arrangement, Fault>>,
    looks: RwSignal<u32>,
}

impl Arranged {
    /// That of this list.
    pub fn of(list: ListKind) -> Self {
        let looks = RwSignal::new(0_u32);
        Self { list, found: load(move || looks.get(), move |_| read_arrangement(list)), looks }
    }

    /// The columns that are shown. Await it within a `Suspend`.
    pub async fn shown(self) -> Shown {
        let chosen = self.found.await.unwrap_or_default().columns;
        Shown(self.list.shown(chosen.as_deref()))
    }
}

/// The columns of a list that are shown, beside the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(Vec<ListColumn>);

impl Shown {
    /// Those of who has chosen nothing.
    pub fn by_default(list: ListKind) -> Self {
        Self(list.shown(None))
    }

    /// Whether this one is.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|column| column.word == word)
    }

    /// The same with this column or without it, whatever was chosen: for one that the list is sorted by, or that can hold nothing.
    #[must_use]
    pub fn set(self, list: ListKind, word: &str, is_shown: bool) -> Self {
        let is_kept = |column: &&ListColumn| if column.word == word { is_shown } else { self.has(column.word) };
        Self(list.columns().iter().filter(is_kept).copied().collect())
    }

    /// The heads, with that of the first column.
    pub fn heads(&self, first: &'static str) -> Heads {
        Heads::of(first, &self.0)
    }
}

/// What stands above a list: its saved views, what can be done about them, and the choice of its columns.
#[component]
pub fn Views(
    /// The list's arrangement.
    of: Arranged,
) -> impl IntoView {
    let Arranged { list, found, looks } = of;
    let (save, rename, remove) = (Sending::to::<SaveView>(), Sending::to::<RenameView>(), Sending::to::<RemoveView>());
    let choose = Sending::to::<ChooseColumns>();
    for act in [save, rename, remove, choose] {
        act.on_success(move || looks.update(|looks| *looks += 1));
    }
    let query = use_query_map();
    let now = Memo::new(move |_| query.with(|query| fields_of(list, query)));
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let Arrangement { views, roles, columns } = found.await.unwrap_or_default();
                let in_use = {
                    let views = views.clone();
                    Memo::new(move |_| now.with(|now| views.iter().find(|view| view.fields == *now).cloned()))
                };
                let links = links(list, views, in_use);
                view! {
                    {links}
                    <div class="mb-3 flex flex-wrap gap-x-5">
                        {move || match in_use.get() {
                            Some(view) => view.may_change.then(|| change_form(view, rename, remove)).into_any(),
                            None => (!now.with(Vec::is_empty)).then(|| save_form(list, now.get(), roles.clone(), save)).into_any(),
                        }}
                        {columns_form(list, &list.shown(columns.as_deref()), choose)}
                    </div>
                }
            })}
        </Transition>
    }
}

/// The form, folded, that chooses a list's columns.
pub(crate) fn columns_form(list: ListKind, shown: &[ListColumn], action: Sending) -> impl IntoView + use<> {
    let boxes = list
        .columns()
        .iter()
        .map(|column| {
            let is_shown = shown.contains(column);
            view! {
                <label class="flex min-h-6 items-center gap-2">
                    <input type="checkbox" name="columns[]" value=column.word checked=is_shown class="checkbox checkbox-sm checkbox-primary" />
                    {column.head}
                </label>
            }
        })
        .collect_view();
    view! {
        <details class="fold open:basis-full">
            <summary class="text-link inline-flex min-h-6 items-center text-sm">"Columns…"</summary>
            <div class="panel mt-2 max-w-3xl p-4">
                <FormFault fault=fault_of(action) />
                <SendForm action=action>
                    <input type="hidden" name="list" value=list.as_str() />
                    {here()}
                    <fieldset class="mb-3">
                        <legend class="mb-1 font-medium">"Columns that are shown"</legend>
                        <div class="flex flex-wrap gap-x-5 gap-y-1.5">{boxes}</div>
                    </fieldset>
                    <Button pending=waits(action)>"Show these"</Button>
                </SendForm>
            </div>
        </details>
    }
}

/// The saved views of a list; the one in use is marked.
pub(crate) fn links(list: ListKind, views: Vec<SavedView>, in_use: Memo<Option<SavedView>>) -> impl IntoView {
    let link = |view: SavedView| {
        let (id, href) = (view.id, address(list, &view.fields));
        let is_in_use = move || in_use.with(|of| of.as_ref().is_some_and(|of| of.id == id)).then_some("true");
        let shared = view.shared_with.map(|role| view! { <span class="muted text-xs">{format!("· {role}")}</span> });
        view! {
            <li>
                <a href=href class="view-link" aria-current=is_in_use>
                    {view.name}
                    {shared}
                </a>
            </li>
        }
    };
    (!views.is_empty()).then(|| {
        view! {
            <nav aria-label="Saved views" class="mb-2">
                <ul class="flex flex-wrap gap-1.5">{views.into_iter().map(link).collect_view()}</ul>
            </nav>
        }
    })
}

/// This page's address, for a form to lead back to.
fn here() -> impl IntoView {
    let here = use_location();
    let back = move || {
        let search = here.search.get();
        let fields = search.trim_start_matches('?').split('&').filter(|field| !field.is_empty() && !field.starts_with("__"));
        format!("{}?{}", here.pathname.get(), fields.collect::<Vec<_>>().join("&")).trim_end_matches('?').to_owned()
    };
    view! { <input type="hidden" name="back" prop:value=back value=untrack(back) /> }
}

fn save_form(list: ListKind, fields: Vec<ViewField>, roles: Vec<(RoleId, String)>, action: Sending) -> impl IntoView {
    let fault = fault_of(action);
    let hidden = fields
        .into_iter()
        .map(|(name, value)| {
            view! {
                <input type="hidden" name="names[]" value=name />
                <input type="hidden" name="values[]" value=value />
            }
        })
        .collect_view();
    let shared = (!roles.is_empty()).then(|| {
        let choices = std::iter::once(Choice::new("", "Myself"))
            .chain(roles.into_iter().map(|(id, name)| Choice::new(id, format!("All who have the role {name}"))));
        view! {
            <div class="w-full sm:w-72">
                <Select label="For" name="role" choices=choices.collect() />
            </div>
        }
    });
    view! {
        <details class="fold open:basis-full" open=move || fault.with(Option::is_some)>
            <summary class="text-link inline-flex min-h-6 items-center text-sm">"Save this view…"</summary>
            <div class="panel mt-2 max-w-3xl p-4">
                <SendForm action=action>
                    <div class="flex flex-col gap-3">
                        <FormFault fault=fault fields=&["name"] />
                        <input type="hidden" name="list" value=list.as_str() />
                        {hidden}
                        {here()}
                        <div class="flex flex-wrap items-end gap-3">
                            <div class="w-full sm:w-72">
                                <Field label="Name" name="name" error=field_error(fault, "name") />
                            </div>
                            {shared}
                            <Button look=Look::Main pending=waits(action)>
                                "Save view"
                            </Button>
                        </div>
                    </div>
                </SendForm>
            </div>
        </details>
    }
}

/// The fields that say which view a form is about.
fn of_view(id: ViewId, version: i64) -> impl IntoView {
    view! {
        <input type="hidden" name="id" value=id.to_string() />
        <input type="hidden" name="version" value=version.to_string() />
        {here()}
    }
}

fn change_form(view: SavedView, rename: Sending, remove: Sending) -> impl IntoView {
    let (fault, fault_of_removing) = (fault_of(rename), fault_of(remove));
    let (id, version) = (view.id, view.version);
    view! {
        <details class="fold open:basis-full" open=move || fault.with(Option::is_some) || fault_of_removing.with(Option::is_some)>
            <summary class="text-link inline-flex min-h-6 items-center text-sm">"Rename or delete this view…"</summary>
            <div class="panel mt-2 max-w-3xl p-4">
                <FormFault fault=fault fields=&["name"] />
                <FormFault fault=fault_of_removing />
                <div class="flex flex-wrap items-end gap-3">
                    <SendForm action=rename>
                        {of_view(id, version)}
                        <div class="flex flex-wrap items-end gap-3">
                            <div class="w-full sm:w-72">
                                <Field label="Name" name="name" value=view.name error=field_error(fault, "name") />
                            </div>
                            <Button pending=waits(rename)>"Rename"</Button>
                        </div>
                    </SendForm>
                    <SendForm action=remove>
                        {of_view(id, version)}
                        <Button look=Look::Danger pending=waits(remove)>
                            "Delete this view"
                        </Button>
                    </SendForm>
                </div>
            </div>
        </details>
    }
}
