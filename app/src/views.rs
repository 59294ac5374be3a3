//! What stands above a list: its saved views, one's own and those shared with one's roles; and at the end of its filters what can be done
//! about them, and the choice of its columns.
//!
//! The rule: a view is its URL. A list shows one because its fields stand in the URL, not because it was clicked. Nothing here comes or
//! goes while one narrows the list.

use crate::fault::{Fault, Reply};
use crate::ui::{Button, Choice, Field, FormFault, Heads, Loaded, Look, Select, SendForm, Sending, fault_of, field_error, load, waits};
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
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
    let value = |name: &str| query.get(name).filter(|value| !value.is_empty());
    list.saved().iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect()
}

/// What the list is narrowed to, now and whenever that changes.
fn narrowed_to(list: ListKind) -> Memo<Vec<ViewField>> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| fields_of(list, query)))
}

/// The view that the list shows, of several that show the same the one that the member may change, and rather their own.
fn in_use<'a>(views: &'a [SavedView], now: &[ViewField]) -> Option<&'a SavedView> {
    views.iter().filter(|view| view.fields == now).min_by_key(|view| (!view.may_change, view.shared_with.is_some()))
}

/// Something that can be done about the views of a list as it is narrowed now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// It is not narrowed.
    Nothing,
    /// A view that shows it can be renamed and deleted.
    Change(SavedView),
    /// It can be saved, for oneself or for who has a role: where there is no such view yet.
    Save { fields: Vec<ViewField>, own: bool, shared: bool },
}

impl Step {
    /// What is written into a form is of one view as it was seen, or of what the list is narrowed to.
    fn key(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Change(view) => format!("{} {}", view.id, view.version),
            Self::Save { fields, own, shared } => format!("{fields:?} {own} {shared}"),
        }
    }
}

fn steps(views: &[SavedView], now: &[ViewField], may_share: bool) -> Vec<Step> {
    let equal: Vec<&SavedView> = views.iter().filter(|view| view.fields == now).collect();
    let own = equal.iter().all(|view| view.shared_with.is_some());
    let shared = may_share && equal.iter().all(|view| view.shared_with.is_none());
    let change = equal.iter().filter(|view| view.may_change).map(|view| Step::Change((*view).clone()));
    let save = (!now.is_empty() && (own || shared)).then(|| Step::Save { fields: now.to_vec(), own, shared });
    let steps: Vec<Step> = change.chain(save).collect();
    if steps.is_empty() { vec![Step::Nothing] } else { steps }
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

/// What stands above a list: its saved views.
#[component]
pub fn Views(
    /// The list's arrangement.
    of: Arranged,
) -> impl IntoView {
    let Arranged { list, found, .. } = of;
    let now = narrowed_to(list);
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let views = found.await.unwrap_or_default().views;
                let shown = {
                    let views = views.clone();
                    Memo::new(move |_| now.with(|now| in_use(&views, now).map(|view| view.id)))
                };
                links(views, shown)
            })}
        </Transition>
    }
}

/// What stands at the end of a list's filters: what can be done about its saved views, and the choice of its columns.
#[component]
pub fn ListTools(
    /// The list's arrangement.
    of: Arranged,
    /// The list has no filters: they stand among the buttons of the page.
    #[prop(optional)]
    in_head: bool,
) -> impl IntoView {
    let Arranged { list, found, looks } = of;
    let (save, rename, remove) = (Sending::to::<SaveView>(), Sending::to::<RenameView>(), Sending::to::<RemoveView>());
    let choose = Sending::to::<ChooseColumns>();
    let (of_views, of_columns) = (NodeRef::new(), NodeRef::new());
    for (act, tool) in [(save, of_views), (rename, of_views), (remove, of_views), (choose, of_columns)] {
        act.on_success(move || {
            fold_up(tool);
            looks.update(|looks| *looks += 1);
        });
    }
    let now = narrowed_to(list);
    // As high as what they stand beside.
    let height = if in_head { "h-9" } else { "h-10" };
    let failed = |acts: &[Sending]| {
        let faults: Vec<_> = acts.iter().map(|act| fault_of(*act)).collect();
        Signal::derive(move || faults.iter().any(|fault| fault.with(Option::is_some)))
    };
    let columns = (!list.columns().is_empty()).then(|| {
        let form = view! {
            <Transition>
                {move || Suspend::new(async move {
                    let columns = found.await.unwrap_or_default().columns;
                    columns_form(list, &list.shown(columns.as_deref()), choose)
                })}
            </Transition>
        };
        tool("Columns…", of_columns, failed(&[choose]), height, form.into_any())
    });
    let views = (!list.saved().is_empty()).then(|| {
        let form = view! {
            <FormFault fault=fault_of(save) fields=&["name"] />
            <FormFault fault=fault_of(rename) fields=&["name"] />
            <FormFault fault=fault_of(remove) />
            <Transition>
                {move || Suspend::new(async move {
                    let Arrangement { views, roles, .. } = found.await.unwrap_or_default();
                    let may_share = !roles.is_empty();
                    let roles = StoredValue::new(roles);
                    let steps = Memo::new(move |_| now.with(|now| steps(&views, now, may_share)));
                    let step = move |step: Step| match step {
                        Step::Nothing => view! { <p>"Narrow the list or sort it: then it can be kept here under a name."</p> }.into_any(),
                        Step::Change(view) => change_form(view, rename, remove).into_any(),
                        Step::Save { fields, own, shared } => {
                            let roles = if shared { roles.get_value() } else { Vec::new() };
                            save_form(list, fields, own, roles, save).into_any()
                        }
                    };
                    view! { <For each=move || steps.get() key=Step::key children=step /> }
                })}
            </Transition>
        };
        tool("Views…", of_views, failed(&[save, rename, remove]), height, form.into_any())
    });
    view! { <div class="ms-auto flex flex-wrap gap-2">{columns} {views}</div> }
}

/// A form at the end of the filters, folded. It unfolds over what is below it, and folds up what was unfolded beside it.
pub(crate) fn tool(
    label: &'static str,
    node: NodeRef<html::Details>,
    is_open: Signal<bool>,
    height: &'static str,
    form: AnyView,
) -> impl IntoView {
    view! {
        <details node_ref=node name="list-tools" class="fold unfolds max-sm:open:w-full" open=move || is_open.get()>
            <summary class=format!("btn btn-sm {height} border-base-300 bg-base-100 text-sm font-medium")>{label}</summary>
            <div class="unfolded">{form}</div>
        </details>
    }
}

/// What was to be done is done, and what it covered is seen again. The focus does not go down with it.
fn fold_up(tool: NodeRef<html::Details>) {
    let Some(tool) = tool.get_untracked() else { return };
    let has_focus = document().active_element().is_some_and(|active| tool.contains(Some(&active)));
    let summary = tool.query_selector("summary").ok().flatten().and_then(|found| found.dyn_into::<web_sys::HtmlElement>().ok());
    if let (true, Some(summary)) = (has_focus, summary) {
        // Fails only for what cannot have the focus.
        let _ = summary.focus();
    }
    tool.set_open(false);
}

/// The form that chooses a list's columns.
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
    }
}

/// The saved views of a list; the one that it shows is marked.
pub(crate) fn links(views: Vec<SavedView>, shown: Memo<Option<ViewId>>) -> impl IntoView {
    // Of a list that there is for each account, or each line, this one is narrowed.
    let path = use_location().pathname;
    let link = |view: SavedView| {
        let id = view.id;
        let query = view.fields.into_iter().collect::<ParamsMap>().to_query_string();
        let href = move || format!("{}{query}", path.get());
        let is_shown = move || (shown.get() == Some(id)).then_some("true");
        let shared = view.shared_with.map(|role| view! { <span class="muted text-xs">{format!("· {role}")}</span> });
        view! {
            <li>
                <a href=href class="view-link" aria-current=is_shown>
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

/// Saves what the list is narrowed to; `roles` are those that it may be shared with.
fn save_form(list: ListKind, fields: Vec<ViewField>, own: bool, roles: Vec<(RoleId, String)>, action: Sending) -> impl IntoView {
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
        let myself = own.then(|| Choice::new("", "Myself"));
        let roles = roles.into_iter().map(|(id, name)| Choice::new(id, format!("All who have the role {name}")));
        view! { <Select label="For" name="role" choices=myself.into_iter().chain(roles).collect() /> }
    });
    view! {
        <SendForm action=action>
            <div class="flex flex-col items-start gap-3">
                <input type="hidden" name="list" value=list.as_str() />
                {hidden}
                {here()}
                <Field label="Save this view as" name="name" id="view-name" error=field_error(fault, "name") />
                {shared}
                <Button look=Look::Main pending=waits(action)>
                    "Save view"
                </Button>
            </div>
        </SendForm>
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
    let (id, version) = (view.id, view.version);
    let error = field_error(fault_of(rename), "name");
    let shared = view.shared_with.map(|role| view! { <p class="muted text-xs">{format!("Shared with all who have the role {role}")}</p> });
    view! {
        <div class="flex w-full flex-col items-start gap-3 border-b border-base-300 pb-4 last:border-0 last:pb-0">
            <SendForm action=rename>
                {of_view(id, version)}
                <div class="flex flex-col items-start gap-3">
                    <div>
                        <Field label="Name of this view" name="name" id=format!("name-{id}") value=view.name error=error />
                        {shared}
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(id: u128, state: &str, shared_with: Option<&str>, may_change: bool) -> SavedView {
        SavedView {
            id: ViewId(uuid::Uuid::from_u128(id)),
            name: format!("View {id}"),
            fields: vec![("state".to_owned(), state.to_owned())],
            shared_with: shared_with.map(str::to_owned),
            may_change,
            version: 1,
        }
    }

    #[test]
    fn of_views_that_show_the_same_the_one_that_may_be_changed_is_in_use() {
        let views = [saved(1, "closed", Some("Support"), false), saved(2, "closed", None, true), saved(3, "open", None, true)];
        let now = views[0].fields.clone();
        assert_eq!(in_use(&views, &now).map(|view| view.id), Some(views[1].id));
        assert_eq!(in_use(&views[..1], &now).map(|view| view.id), Some(views[0].id));
        let of_who_shares = [saved(1, "closed", Some("Support"), true), saved(2, "closed", None, true)];
        assert_eq!(in_use(&of_who_shares, &now).map(|view| view.id), Some(views[1].id), "their own");
        assert_eq!(in_use(&views, &[]), None);
    }

    #[test]
    fn a_view_is_saved_where_there_is_none_of_its_own_and_shared_where_none_is() {
        let now = saved(1, "closed", None, true).fields;
        let save = |own, shared| Step::Save { fields: now.clone(), own, shared };
        assert_eq!(steps(&[], &[], true), [Step::Nothing]);
        assert_eq!(steps(&[], &now, false), [save(true, false)]);
        assert_eq!(steps(&[], &now, true), [save(true, true)]);
        let (own, shared) = (saved(1, "closed", None, true), saved(2, "closed", Some("Support"), false));
        assert_eq!(steps(std::slice::from_ref(&shared), &now, false), [save(true, false)], "somebody else's does not stand in the way");
        assert_eq!(steps(std::slice::from_ref(&own), &now, false), [Step::Change(own.clone())]);
        assert_eq!(steps(std::slice::from_ref(&own), &now, true), [Step::Change(own.clone()), save(false, true)]);
        let shared = SavedView { may_change: true, ..shared };
        assert_eq!(steps(&[own.clone(), shared.clone()], &now, true), [Step::Change(own), Step::Change(shared)]);
    }
}
