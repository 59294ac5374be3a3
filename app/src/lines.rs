//! Lines: the list, one line, adding one, and changing what a line is connected to.

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

pub use blasts::{AccountBlastsPage, BlastPage, LineBlastsPage, NewBlastPage};
pub use close::CloseLinePage;
pub use consent::{ConsentPage, consent_badge};
pub use conversations::{ConversationsPage, tabs};
pub use findings::FindingsPage;
pub use line::LinePage;
pub use list::LinesPage;
pub use list::list_lines;
pub use new::NewLinePage;
pub use parts::SetAccess;
pub use type_change::TypeChangePage;
pub use types::TypesPage;

use crate::accounts::closed_filter;
use crate::fault::{Fault, Reply};
use crate::frame::who_am_i;
use crate::ui::{Choice, FilterBar, Search, Select, keep_sort, load, query_field};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use switchyard::types::{AccountId, AccountRow, IntegrationType, LineDetail, LineId, Permission, Problem};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
    switchyard::types::OpenOrClosed,
};

/// How many accounts a form or a filter offers; beyond them an account's own page leads to the form, with the account chosen.
const OFFERED: usize = 500;

/// The accounts that forms and filters offer, by name: those that `search` finds, and the one that is `chosen` already, wherever it
/// stands in the alphabet. `open` leaves out the closed ones.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/offered")]
pub async fn offered_accounts(
    chosen: Option<AccountId>,
    #[server(default)] search: String,
    #[server(default)] open: bool,
) -> Result<Vec<AccountRow>, Fault> {
    let (permit, services) = (permit::<may::SeeDirectory>().await?, services()?);
    let state = open.then_some(OpenOrClosed::Open);
    let mut rows = directory::accounts::narrowed(&services.db, &permit, &search, state, None, OFFERED).await?.rows;
    if let Some(id) = chosen.filter(|id| rows.iter().all(|row| row.id != *id))
        && let Ok(account) = directory::accounts::get(&services.db, &permit, id).await
    {
        rows.insert(0, account);
    }
    Ok(rows)
}

/// One of the accounts, in a form that needs one.
#[component]
pub fn AccountSelect(
    /// Those that are offered.
    accounts: Vec<AccountRow>,
    /// Whether there may be more than these.
    is_part: bool,
    /// What else is said of them.
    #[prop(optional)]
    help: &'static str,
) -> impl IntoView {
    let help = match (is_part, help) {
        (true, _) => "Only the first accounts are offered. For another one, open its page and begin there.",
        (false, help) => help,
    };
    // Nobody's line lands in the account whose name comes first.
    let none = (accounts.len() != 1).then(|| Choice::new("", "Choose an account…"));
    let choices = none.into_iter().chain(accounts.into_iter().map(|account| Choice::new(account.id, account.name))).collect::<Vec<_>>();
    view! { <Select label="Account" name="account" choices=choices value=query_field("account") help=help required=true /> }
}

/// Whether there may be more accounts than these.
pub fn is_part(offered: &[AccountRow]) -> bool {
    offered.len() >= OFFERED
}

/// Narrows a list to an account.
#[component]
pub fn AccountFilter(
    /// The account that is chosen; empty for all.
    account: Signal<String>,
) -> impl IntoView {
    let accounts = load(
        move || account.get().parse().ok(),
        |chosen| async move {
            // Who sees no accounts has the list all the same.
            match who_am_i().await?.may(Permission::SeeDirectory) {
                true => offered_accounts(chosen, String::new(), false).await,
                false => Ok(Vec::new()),
            }
        },
    );
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let accounts = accounts.await.ok().filter(|accounts| !accounts.is_empty())?;
                let choices = [Choice::new("", "All accounts")]
                    .into_iter()
                    .chain(accounts.into_iter().map(|account| Choice::new(account.id, account.name)))
                    .collect::<Vec<_>>();
                Some(view! { <Select label="Account" name="account" choices=choices value=account bare=true /> })
            })}
        </Suspense>
    }
}

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
) -> impl IntoView {
    let choices = [Choice::new("", "All types")].into_iter().chain(types()).collect::<Vec<_>>();
    view! {
        <FilterBar>
            <Search label="Number, label or account" value=q />
            <div class="w-[calc(50%-0.25rem)] sm:w-52">
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
