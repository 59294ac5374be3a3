//! An account in a form or a filter: those that are offered, and where these are not all, a search for the others by name.
//!
//! The rule: the account that is chosen is always offered, wherever it stands in the alphabet and whatever is searched for next.

use crate::fault::{Fault, Reply};
use crate::find::{FindField, find_name, found_list, told};
use crate::frame::who_am_i;
use crate::ui::{Choice, Loaded, load};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};
use switchyard::types::{AccountId, AccountRow, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
    switchyard::types::OpenOrClosed,
};

/// How many accounts a form or a filter offers; beyond them one searches.
#[cfg(feature = "ssr")]
const OFFERED: usize = 500;

/// How many it offers of those that a search finds: it is made anew with each letter.
#[cfg(feature = "ssr")]
const FOUND: usize = 50;

/// Accounts to choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// By name.
    pub rows: Vec<AccountRow>,
    /// There are more than these.
    pub is_part: bool,
    /// The one that is chosen already, where it is not among them.
    pub kept: Option<AccountRow>,
}

impl Offered {
    /// Each of them, the chosen one first where it stands apart.
    pub fn each(&self) -> impl Iterator<Item = &AccountRow> {
        self.kept.iter().chain(&self.rows)
    }

    /// All of them, or only those without a connection.
    fn only(mut self, unconnected: bool) -> Self {
        if unconnected {
            self.rows.retain(|account| !account.connected);
            self.kept = self.kept.filter(|account| !account.connected);
        }
        self
    }

    /// The same, with the one that is `chosen` if it was offered `before`.
    fn keeping(self, before: &Self, chosen: &str) -> Self {
        let Ok(chosen) = chosen.parse::<AccountId>() else { return Self { kept: None, ..self } };
        if self.rows.iter().any(|account| account.id == chosen) {
            return Self { kept: None, ..self };
        }
        let kept = self.kept.iter().chain(before.each()).find(|account| account.id == chosen).cloned();
        Self { kept, ..self }
    }

    /// Whether an account is chosen that is not offered.
    fn lacks(&self, chosen: &str) -> bool {
        chosen.parse::<AccountId>().is_ok_and(|chosen| self.each().all(|account| account.id != chosen))
    }

    /// As a list has them; `none` is what no account is called, if that can be chosen.
    fn choices(&self, none: &str) -> Vec<Choice> {
        let none = (!none.is_empty()).then(|| Choice::new("", none));
        none.into_iter().chain(self.each().map(|account| Choice::new(account.id, account.name.clone()))).collect()
    }
}

/// The accounts that forms and filters offer: those that `search` finds, and the one that is `chosen` already. `open` leaves out the
/// closed ones.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/offered")]
pub async fn offered_accounts(
    chosen: Option<AccountId>,
    #[server(default)] search: String,
    #[server(default)] open: bool,
) -> Result<Offered, Fault> {
    let (permit, services) = (permit::<may::SeeDirectory>().await?, services()?);
    let state = open.then_some(OpenOrClosed::Open);
    let most = if search.trim().is_empty() { OFFERED } else { FOUND };
    let page = directory::accounts::narrowed(&services.db, &permit, &search, state, None, most).await?;
    let kept = match chosen.filter(|id| page.rows.iter().all(|row| row.id != *id)) {
        Some(id) => directory::accounts::get(&services.db, &permit, id).await.ok(),
        None => None,
    };
    Ok(Offered { rows: page.rows, is_part: page.next.is_some(), kept })
}

/// What somebody chooses and searches for. It outlives what is loaded: a page makes it where it begins.
#[derive(Debug, Clone, Copy)]
pub struct Choosing {
    /// What a link, a list's URL or a form that came back has chosen.
    said: Signal<String>,
    chosen: RwSignal<String>,
    search: RwSignal<String>,
    /// Only open accounts are offered.
    open: bool,
}

impl Choosing {
    /// For the field of this name; the URL may have answered it.
    pub fn of(name: &str, open: bool) -> Self {
        let (query, field) = (use_query_map(), name.to_owned());
        let said = Memo::new(move |_| query.with(|query| query.get(&field)).unwrap_or_default());
        Self::following(said.into(), name, open)
    }

    /// The same; what is chosen follows `said`.
    fn following(said: Signal<String>, name: &str, open: bool) -> Self {
        let searched = use_query_map().with_untracked(|query| query.get(&find_name(name))).unwrap_or_default();
        let (chosen, search) = (RwSignal::new(said.get_untracked()), RwSignal::new(searched));
        Effect::new(move |before: Option<()>| {
            let now = said.get();
            if before.is_some() {
                chosen.set(now);
            }
        });
        Self { said, chosen, search, open }
    }

    /// What is offered at first.
    pub fn offered(self) -> Loaded<Result<Offered, Fault>> {
        load(move || self.said.get(), move |said| offered_accounts(said.parse().ok(), self.search.get_untracked(), self.open))
    }

    /// What is chosen now.
    pub fn now(self) -> String {
        self.chosen.get_untracked()
    }

    /// Whether these are all that there are: none is left out, and none is searched for.
    pub fn are_all(self, offered: &Offered) -> bool {
        !offered.is_part && self.search.with_untracked(String::is_empty)
    }
}

/// The list of accounts, and where it is not all of them, the field above it that finds another. Its label and help stand around it.
#[component]
pub fn AccountChoice(
    /// What is chosen and searched for.
    choosing: Choosing,
    /// What is offered at first.
    first: Offered,
    /// The name that the list is sent by, and its id.
    #[prop(into)]
    name: String,
    /// What no account is called; empty where there is no such choice.
    none: &'static str,
    /// Only accounts without a connection are offered.
    #[prop(optional)]
    unconnected: bool,
    /// The browser insists on a choice.
    #[prop(optional)]
    required: bool,
    /// How many there are is for screen readers alone, as in a filter bar.
    #[prop(optional)]
    bare: bool,
    /// Where a search is sent without JavaScript, with the answers of its form. None: the form has a button for that already.
    #[prop(optional_no_strip)]
    to: Option<String>,
    /// The id of the form that a search is sent with, where what stands around it must not be sent along.
    #[prop(optional_no_strip)]
    form: Option<&'static str>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The ids of what is said of it.
    #[prop(optional, into)]
    described: Signal<Option<String>>,
) -> impl IntoView {
    let Choosing { chosen, search, open, .. } = choosing;
    let finds = !choosing.are_all(&first);
    let offered = RwSignal::new(first.only(unconnected));
    let look = move |text: String| {
        let asked: Option<AccountId> = chosen.with_untracked(|chosen| chosen.parse().ok());
        spawn_local(async move {
            let answer = offered_accounts(asked, text.clone(), open).await;
            // Without an answer the list stays as it is; an older one that comes late must not cover a newer one.
            let (Ok(found), true) = (answer, search.try_get_untracked() == Some(text)) else { return };
            if let (Some(before), Some(chosen)) = (offered.try_get_untracked(), chosen.try_get_untracked()) {
                offered.try_set(found.only(unconnected).keeping(&before, &chosen));
            }
        });
    };
    let at_first = search.get_untracked();
    Effect::new(move |before: Option<String>| {
        let text = search.get();
        // What was chosen before the page was loaded anew may have been found by a search.
        let is_lost = before.is_none() && finds && chosen.with_untracked(|chosen| offered.with_untracked(|offered| offered.lacks(chosen)));
        if is_lost || *before.as_ref().unwrap_or(&at_first) != text {
            look(text.clone());
        }
        text
    });
    let field = finds.then(|| {
        view! { <FindField what="an account" hint="Name of the account" list=name.clone() search=search to=to form=form /> }
    });
    let found = finds.then(|| {
        let found = move || offered.with(|offered| told("account", offered.rows.len(), offered.is_part));
        view! {
            <p class=if bare { "sr-only" } else { "muted text-xs" } role="status">
                {found}
            </p>
        }
    });
    let list = move || found_list(name.clone(), offered.with(|offered| offered.choices(none)), chosen, required, error, described);
    view! {
        {field}
        {list}
        {found}
    }
}

/// One of the accounts, in a form that needs one.
#[component]
pub fn AccountSelect(
    /// What is chosen and searched for.
    choosing: Choosing,
    /// What is offered at first.
    first: Offered,
    /// The page that it stands on, which takes a search without JavaScript.
    to: &'static str,
    /// The id of the form that takes a search there, where what stands around it must not be sent along.
    #[prop(optional_no_strip)]
    form: Option<&'static str>,
    /// Only accounts without a connection are offered.
    #[prop(optional)]
    unconnected: bool,
    /// What else is said of them.
    #[prop(optional)]
    help: &'static str,
) -> impl IntoView {
    let are_all = choosing.are_all(&first);
    let first = first.only(unconnected);
    // Nobody's line lands in the account whose name comes first.
    let none = if are_all && first.each().count() == 1 { "" } else { "Choose an account…" };
    let described = Signal::stored((!help.is_empty()).then(|| "account-help".to_owned()));
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label for="account" class="font-medium">
                "Account"
            </label>
            <AccountChoice
                choosing=choosing first=first name="account" none=none unconnected=unconnected required=true to=Some(to.to_owned()) form=form
                described=described
            />
            {(!help.is_empty())
                .then(|| {
                    view! {
                        <p id="account-help" class="muted text-xs">
                            {help}
                        </p>
                    }
                })}
        </div>
    }
}

/// Narrows a list to an account.
#[component]
pub fn AccountFilter(
    /// The account that is chosen; empty for all.
    account: Signal<String>,
) -> impl IntoView {
    let choosing = Choosing::following(account, "account", false);
    let accounts = load(
        move || account.get(),
        move |account| {
            let search = choosing.search.get_untracked();
            async move {
                // Who sees no accounts has the list all the same.
                match who_am_i().await?.may(Permission::SeeDirectory) {
                    true => offered_accounts(account.parse().ok(), search, false).await,
                    false => Ok(Offered::default()),
                }
            }
        },
    );
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let is_any = |first: &Offered| !choosing.are_all(first) || first.each().next().is_some();
                let first = accounts.await.ok().filter(is_any)?;
                Some(view! {
                    <div class="flex min-w-0 flex-col gap-1">
                        <label for="account" class="sr-only">
                            "Account"
                        </label>
                        <AccountChoice choosing=choosing first=first name="account" none="All accounts" bare=true />
                    </div>
                })
            })}
        </Transition>
    }
}

#[cfg(test)]
mod tests {
    use super::Offered;
    use switchyard::types::{AccountId, AccountRow};
    use uuid::Uuid;

    fn account(n: u128, connected: bool) -> AccountRow {
        AccountRow {
            id: AccountId(Uuid::from_u128(n)),
            name: format!("Account {n}"),
            sends_blasts: true,
            has_conversations: true,
            lines: 0,
            connected,
            closed_at: None,
        }
    }

    fn offered(rows: &[AccountRow]) -> Offered {
        Offered { rows: rows.to_vec(), is_part: false, kept: None }
    }

    #[test]
    fn what_is_chosen_stays_offered_whatever_is_searched_for_next() {
        let (first, second) = (account(1, false), account(2, false));
        let chosen = second.id.to_string();
        let found = offered(std::slice::from_ref(&first));
        assert!(found.lacks(&chosen) && !found.lacks(""));
        let found = found.keeping(&offered(std::slice::from_ref(&second)), &chosen);
        assert_eq!(found.each().map(|account| account.id).collect::<Vec<_>>(), [second.id, first.id]);
        // The next search has it from the list that was kept, and one that finds it has it once.
        let next = offered(&[]).keeping(&found, &chosen);
        assert_eq!(next.kept.as_ref(), Some(&second));
        assert_eq!(offered(&[first, second]).keeping(&next, &chosen).kept, None);
        assert_eq!(next.keeping(&Offered::default(), "").kept, None, "nothing is chosen any more");
    }

    #[test]
    fn where_a_connection_is_added_those_that_have_one_are_left_out() {
        let all = Offered { kept: Some(account(3, true)), ..offered(&[account(1, true), account(2, false)]) };
        assert_eq!(all.clone().only(true), offered(&[account(2, false)]));
        assert_eq!(all.only(false).choices("None").len(), 4);
    }
}
