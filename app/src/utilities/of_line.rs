//! A line's runs on its own page, and the banner while it moves.

use super::run_table;
use crate::fault::{Fault, Reply};
use crate::frame::Me;
use crate::live::follow;
use crate::ui::{ButtonLink, FaultView, Icon, Loading, icon, load};
use crate::views::Shown;
use leptos::prelude::*;
use switchyard::types::{AccountId, Change, LineId, ListKind, Permission, RunId, RunRow, UtilityKind};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::staff::may,
    switchyard::utilities,
};

/// The latest runs of a line.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/of-line")]
pub async fn runs_of_line(line: LineId) -> Result<Vec<RunRow>, Fault> {
    let permit = permit::<may::SeeRuns>().await?;
    Ok(utilities::of_line(&services()?.db, &permit, line).await?)
}

/// Says that a line is moving, and leads to how far it is.
#[component]
pub fn TransferBanner(
    /// The account that it belongs to now.
    account: String,
    /// The run that moves it.
    run: RunId,
    /// Who looks at it.
    me: Me,
) -> impl IntoView {
    let way = me.may(Permission::SeeRuns).then(|| {
        view! {
            " "
            <a class="text-link font-medium" href=format!("/utilities/runs/{run}")>"See how far it is"</a>
        }
    });
    view! {
        <p class="alert alert-info alert-soft mb-4 items-start py-2.5 text-sm" role="note">
            {icon(Icon::Utilities)}
            <span>
                "The line is being transferred to " {account}
                ". It belongs to it already; its history follows. Messages are taken all the while." {way}
            </span>
        </p>
    }
}

/// The panel of a line's runs; nothing for who may not see runs.
pub fn line_runs(id: LineId, account: AccountId, me: &Me) -> impl IntoView + use<> {
    let (may_launch, of) = (me.may(Permission::TransferLine), Some(account));
    me.may(Permission::SeeRuns).then(|| {
        let found = load(move || id, runs_of_line);
        view! {
            <section class="panel" id="runs">
                <header class="flex flex-wrap items-center justify-between gap-2 border-b border-base-300 px-4 py-3">
                    <h2 class="font-semibold">"Utilities"</h2>
                    {may_launch
                        .then(|| view! { <ButtonLink href=format!("/utilities/new/{}?line={id}", UtilityKind::LineTransfer.as_str())>"Transfer this line…"</ButtonLink> })}
                </header>
                <Transition fallback=Loading>
                    {move || Suspend::new(async move {
                        match found.await {
                            Ok(first) => {
                                let concerns = move |change| matches!(change, Change::Run { account_id, .. } if account_id == of);
                                let followed = follow(first, concerns, move || runs_of_line(id));
                                let none = Memo::new(move |_| followed.now.with(Vec::is_empty));
                                view! {
                                    <Show
                                        when=move || none.get()
                                        fallback=move || view! { {move || run_table(followed.now.get(), &Shown::by_default(ListKind::Runs))} }
                                    >
                                        <p class="muted px-4 py-4">"No data utility has touched this line yet."</p>
                                    </Show>
                                }
                                    .into_any()
                            }
                            Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                        }
                    })}
                </Transition>
            </section>
        }
    })
}
