//! The history: every run, kept for ever, searched, filtered and paged by its URL.

use super::run_table;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::lines::AccountFilter;
use crate::live::follow;
use crate::ui::{
    ButtonLink, Choice, CsvLink, Empty, FaultView, FilterBar, Loading, PageHead, Pager, Search, Select, csv_url, load, query_field,
};
use crate::views::{Arranged, ListTools, Views};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{AccountId, Change, Cursor, LineId, ListKind, Page, RunRow, RunState, StaffId, UtilityKind};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, services},
    switchyard::staff::may,
    switchyard::types::RunFilter,
    switchyard::utilities,
};

/// How many runs a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// A page of the history, and what it can be narrowed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// The runs, the latest first.
    pub page: Page<RunRow>,
    /// Every utility.
    pub names: Vec<(UtilityKind, String)>,
}

/// Runs, the latest first.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/list")]
pub async fn list_runs(
    #[server(default)] search: String,
    kind: Option<UtilityKind>,
    state: Option<RunState>,
    account: Option<AccountId>,
    line: Option<LineId>,
    asked_by: Option<StaffId>,
    after: Option<Cursor>,
) -> Result<Runs, Fault> {
    let member = member().await?;
    let permit = member.permit::<may::SeeRuns>()?;
    let filter = RunFilter { kind, state, line, account, asked_by, search, ..RunFilter::default() };
    let services = services()?;
    let page = utilities::list(&services.db, &permit, &filter, after.as_ref(), PAGE).await?;
    let names = utilities::catalogue(&member).into_iter().map(|(about, _)| (about.kind, about.name)).collect();
    Ok(Runs { page, names })
}

/// Who has asked for a run that the reader may see, by name.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/askers")]
pub async fn list_askers() -> Result<Vec<(StaffId, String)>, Fault> {
    let permit = member().await?.permit::<may::SeeRuns>()?;
    Ok(utilities::askers(&services()?.db, &permit).await?)
}

fn read([q, kind, state, account, line, by, after]: [String; 7]) -> impl Future<Output = Result<Runs, Fault>> {
    let after = (!after.is_empty()).then_some(Cursor(after));
    list_runs(q, kind.parse().ok(), state.parse().ok(), account.parse().ok(), line.parse().ok(), by.parse().ok(), after)
}

/// The history.
#[component]
pub fn RunsPage() -> impl IntoView {
    let fields = ["q", "utility", "state", "account", "line", "by", "after"].map(query_field);
    let [q, kind, state, account, line, by, _] = fields;
    let asked = move || fields.map(|field| field.get());
    let found = load(asked, |asked| async move { (asked.clone(), read(asked).await) });
    let askers = load(|| (), |()| list_askers());
    let (me, arranged) = (use_me(), Arranged::of(ListKind::Runs));
    let is_narrowed = Signal::derive(move || [q, kind, state, account, line, by].iter().any(|field| !field.get().is_empty()));
    let of_one_line = move || !line.get().is_empty();
    let states = [Choice::new("", "All states")].into_iter();
    let states: Vec<Choice> = states.chain(RunState::ALL.iter().map(|state| Choice::new(state.as_str(), state.name()))).collect();
    view! {
        <PageHead title="History" above=vec![("Utilities".to_owned(), "/utilities".to_owned())]>
            <CsvLink href=csv_url("/utilities/history.csv") />
        </PageHead>
        <Views of=arranged />
        <FilterBar beside=move || view! { <ListTools of=arranged /> }>
            <Search label="Digits or words" value=q />
            <div class="w-[calc(50%-0.25rem)] sm:w-44">
                <Transition>
                    {move || Suspend::new(async move {
                        let names = found.await.1.map(|runs| runs.names).unwrap_or_default();
                        let choices = [Choice::new("", "All utilities")]
                            .into_iter()
                            .chain(names.into_iter().map(|(kind, name)| Choice::new(kind.as_str(), name)))
                            .collect::<Vec<_>>();
                        view! { <Select label="Utility" name="utility" choices=choices value=kind bare=true /> }
                    })}
                </Transition>
            </div>
            <div class="w-[calc(50%-0.25rem)] sm:w-40">
                <Select label="State" name="state" choices=states value=state bare=true />
            </div>
            <div class="w-[calc(50%-0.25rem)] empty:hidden sm:w-48">
                <AccountFilter account=account />
            </div>
            <div class="w-[calc(50%-0.25rem)] sm:w-40">
                <Transition>
                    {move || Suspend::new(async move {
                        let own = me.await.map(|me| me.member.id).ok();
                        let asked = askers.await.unwrap_or_default();
                        view! { <Select label="Asked by" name="by" choices=people(own, &by.get(), &asked) value=by bare=true /> }
                    })}
                </Transition>
            </div>
            <Show when=of_one_line>
                <input type="hidden" name="line" value=line.get_untracked() />
            </Show>
        </FilterBar>
        <Show when=of_one_line>
            <p class="mb-3 text-sm">"Runs of one line only. " <a class="text-link" href="/utilities/history">"Show all"</a></p>
        </Show>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let shown = StoredValue::new(arranged.shown().await);
                match found.await {
                    (asked, Ok(first)) => {
                        let followed = follow(first, |change| matches!(change, Change::Run { .. }), move || read(asked.clone()));
                        let none = Memo::new(move |_| followed.now.with(|runs| runs.page.rows.is_empty()));
                        let next = Memo::new(move |_| followed.now.with(|runs| runs.page.next.clone()));
                        view! {
                            <div class="panel">
                                <Show
                                    when=move || none.get()
                                    fallback=move || view! { {move || followed.now.with(|runs| shown.with_value(|shown| run_table(runs.page.rows.clone(), shown)))} }
                                >
                                    {nothing(is_narrowed)}
                                </Show>
                            </div>
                            {move || view! { <Pager label="Pages of runs" next=next.get() /> }}
                        }
                            .into_any()
                    }
                    (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// Anybody, the reader, and everybody else who has asked for a run; and who is chosen, whoever that is.
fn people(own: Option<StaffId>, chosen: &str, asked: &[(StaffId, String)]) -> Vec<Choice> {
    let mut choices = vec![Choice::new("", "Anybody")];
    choices.extend(own.map(|own| Choice::new(own, "You")));
    choices.extend(asked.iter().filter(|(id, _)| Some(*id) != own).map(|(id, name)| Choice::new(*id, name)));
    if let Ok(chosen) = chosen.parse::<StaffId>()
        && Some(chosen) != own
        && asked.iter().all(|(id, _)| *id != chosen)
    {
        choices.push(Choice::new(chosen, "One person"));
    }
    choices
}

fn nothing(is_narrowed: Signal<bool>) -> impl IntoView {
    view! {
        <Show
            when=move || is_narrowed.get()
            fallback=|| {
                view! {
                    <Empty title="Nothing was run yet">
                        <span>"Every run is kept here for ever: who asked, what it did, how it ended."</span>
                        <ButtonLink href="/utilities">"To the utilities"</ButtonLink>
                    </Empty>
                }
            }
        >
            <Empty title="No run fits">
                <span>"Search for less, or choose another utility, state, account or person."</span>
                <ButtonLink href="/utilities/history">"Show all runs"</ButtonLink>
            </Empty>
        </Show>
    }
}
