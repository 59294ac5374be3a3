//! Lines: the list, one line, adding one, and changing what a line is connected to.

mod accounts;
mod blasts;
mod close;
mod consent;
mod conversations;
mod facts;
mod findings;
mod line;
mod list;
mod new;
mod parts;
mod responders;
mod type_change;
mod types;

pub use accounts::{AccountChoice, AccountFilter, AccountSelect, Choosing, Offered, offered_accounts};
pub use blasts::{AccountBlastsPage, BlastPage, LineBlastsPage, NewBlastPage};
pub use close::CloseLinePage;
pub use consent::{ConsentPage, consent_badge};
pub use conversations::{ConversationsPage, tabs};
pub use findings::FindingsPage;
pub use line::LinePage;
pub use list::LinesPage;
pub use list::list_lines;
pub use new::NewLinePage;
pub use parts::{SetAccess, only_first};
pub use type_change::TypeChangePage;
pub use types::TypesPage;

use crate::fault::{Fault, Reply};
use crate::ui::{Choice, FilterBar, Search, Select, closed_filter, keep_sort};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use switchyard::types::{IntegrationType, LineDetail, LineId, Problem};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// The integration types as a form offers them.
fn types() -> impl Iterator<Item = Choice> {
    IntegrationType::ALL.iter().map(|of| Choice::new(of.as_str(), of.name()))
}

/// Narrows a list of lines.
#[component]
fn LineFilters(
    /// What is searched for.
    q: Signal<String>,
    /// The account that is chosen.
    account: Signal<String>,
    /// The type that is chosen.
    of_type: Signal<String>,
    /// Whether it is narrowed to what is open, or closed.
    state: Signal<String>,
    /// How the list is sorted; it stays so.
    #[prop(optional, into)]
    sort: Signal<String>,
    /// What stands at their end.
    #[prop(optional, into)]
    beside: ViewFn,
) -> impl IntoView {
    let choices = [Choice::new("", "All types")].into_iter().chain(types()).collect::<Vec<_>>();
    view! {
        <FilterBar beside=beside>
            <Search label="Number, label or account" value=q />
            <div class="w-[calc(50%-0.25rem)] empty:hidden sm:w-52">
                <AccountFilter account=account />
            </div>
            <div class="w-[calc(50%-0.25rem)] sm:w-40">
                <Select label="Integration type" name="type" choices=choices value=of_type bare=true />
            </div>
            {closed_filter(state)}
            {keep_sort(sort)}
        </FilterBar>
    }
}

/// A line, whole.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/get")]
pub async fn line(id: LineId) -> Result<LineDetail, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::lines::get(&services()?.db, &permit, id).await?)
}

/// The line that the path names; `None` for what is no line's id.
pub fn line_of_path() -> Memo<Option<LineId>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get_str("id").and_then(|id| id.parse().ok())))
}

/// The answer for a path that names no line.
pub fn no_such_line() -> Fault {
    Problem::not_found("There is no such line. The address may be mistyped.").into()
}

/// A type by its word in a URL.
pub fn type_of(word: &str) -> Option<IntegrationType> {
    word.parse().ok()
}
