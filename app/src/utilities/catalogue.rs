//! The catalogue: what each utility does, and the runs that are under way.

use super::run_table;
use crate::fault::{Fault, Reply};
use crate::live::follow;
use crate::ui::{ButtonLink, Empty, FaultView, Icon, Loading, PageHead, icon, load};
use crate::views::Shown;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{Change, ListKind, RunRow, UtilityAbout};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, services},
    switchyard::staff::may,
    switchyard::types::RunFilter,
    switchyard::utilities,
};

/// How many runs under way are shown; the history has them all.
#[cfg(feature = "ssr")]
const UNDER_WAY: usize = 20;

/// The catalogue and what is under way, read together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// Every utility, and whether the reader may launch it.
    pub utilities: Vec<(UtilityAbout, bool)>,
    /// Runs that were started and are not over.
    pub under_way: Vec<RunRow>,
}

/// Every utility, and the runs under way.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/catalogue")]
pub async fn read_catalogue() -> Result<Catalogue, Fault> {
    let member = member().await?;
    let permit = member.permit::<may::SeeRuns>()?;
    let filter = RunFilter { under_way: true, ..RunFilter::default() };
    let under_way = utilities::list(&services()?.db, &permit, &filter, None, UNDER_WAY).await?.rows;
    Ok(Catalogue { utilities: utilities::catalogue(&member), under_way })
}

/// The catalogue.
#[component]
pub fn UtilitiesPage() -> impl IntoView {
    let found = load(|| (), |()| read_catalogue());
    view! {
        <PageHead title="Utilities">
            <ButtonLink href="/utilities/history">"History"</ButtonLink>
        </PageHead>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(first) => {
                        let cards = first.utilities.clone().into_iter().map(card).collect_view();
                        let followed = follow(first, |change| matches!(change, Change::Run { .. }), read_catalogue);
                        let none = Memo::new(move |_| followed.now.with(|now| now.under_way.is_empty()));
                        view! {
                            <ul class="mb-6 grid gap-4 md:grid-cols-2 xl:grid-cols-3">{cards}</ul>
                            <section class="panel" aria-labelledby="under-way">
                                <h2 id="under-way" class="border-b border-base-300 px-4 py-3 font-semibold">"Under way"</h2>
                                <Show
                                    when=move || none.get()
                                    fallback=move || view! { {move || followed.now.with(|now| run_table(now.under_way.clone(), &Shown::by_default(ListKind::Runs)))} }
                                >
                                    <Empty title="Nothing is under way">
                                        <span>"What is started appears here. What is done stands in the "
                                            <a class="text-link" href="/utilities/history">"history"</a> "."</span>
                                    </Empty>
                                </Show>
                            </section>
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn card((about, may): (UtilityAbout, bool)) -> impl IntoView {
    let notes = about.notes.into_iter().map(|note| view! { <li>{note}</li> }).collect_view();
    let href = format!("/utilities/new/{}", about.kind.as_str());
    let name = about.name.clone();
    let launch = if may {
        view! {
            <ButtonLink href=href>
                "Launch" <span class="sr-only">" " {name}</span>
            </ButtonLink>
        }
        .into_any()
    } else {
        view! { <p class="muted text-xs">"Your roles do not let you " {about.permission.sentence()} "."</p> }.into_any()
    };
    view! {
        <li class="panel flex flex-col gap-3 p-4">
            <div class="flex items-center gap-2">
                <span class="text-primary">{icon(Icon::Utilities)}</span>
                <h2 class="font-semibold">{about.name}</h2>
            </div>
            <p>{about.does}</p>
            <ul class="muted flex list-disc flex-col gap-1 ps-5 text-xs">{notes}</ul>
            <div class="mt-auto pt-1">{launch}</div>
        </li>
    }
}
