//! Bulk changes: what would be done to the chosen rows of a list, or to all that match, then doing it: at once, or as a data utility where
//! they are very many.

use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::ui::{
    Badge, Button, ButtonLink, Cell, Empty, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, Stat, Table, Tone,
    fault_of, field_error, list_at, load, query_field, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use leptos_router::params::ParamsMap;
use switchyard::types::{BulkAct, BulkFilter, BulkLook, BulkRow, IntegrationType, Outcome, Permission, Problem, RunId, counted};

#[cfg(feature = "ssr")]
use {
    crate::approvals::lead,
    crate::context::{local_path, member, proof, services},
    std::collections::BTreeMap,
    switchyard::bulk::{self, Act},
    switchyard::types::BulkWhich,
    switchyard::utilities,
};

/// What a bulk change would do to the rows, or to all that match; changes nothing.
#[server(prefix = "/fn", output = Reply, endpoint = "bulk/look")]
pub async fn look_bulk(
    act: BulkAct,
    to: Option<IntegrationType>,
    #[server(default)] all: bool,
    #[server(default)] rows: Vec<String>,
    #[server(default)] filter: BulkFilter,
) -> Result<BulkLook, Fault> {
    let (services, member) = (services()?, member().await?);
    let act = Act::of(&member, act, to)?;
    let which = if all { BulkWhich::All(filter) } else { BulkWhich::Chosen(rows) };
    Ok(bulk::look(&services.db, &act, &which, services.alone.at_once).await?)
}

/// Changes the rows, each as it was looked at (`key:version`): all or none. Setting types and closing people ask again who is there.
/// `confirm` is how many; `back` is the address of the list that it leads back to.
#[server(prefix = "/fn", output = Reply, endpoint = "bulk/do")]
pub async fn do_bulk(
    act: BulkAct,
    to: Option<IntegrationType>,
    #[server(default)] rows: Vec<String>,
    #[server(default)] filter: BulkFilter,
    #[server(default)] confirm: String,
    #[server(default)] back: String,
) -> Result<Outcome, Fault> {
    let (services, member) = (services()?, member().await?);
    let allowed = Act::of(&member, act, to)?;
    if matches!(act, BulkAct::SetTypes | BulkAct::CloseUsers) {
        proof().await?;
    }
    let seen = |row: &String| {
        let (key, version) = row.rsplit_once(':')?;
        Some((key.to_owned(), version.parse::<i64>().ok()?))
    };
    let seen: Option<Vec<_>> = rows.iter().map(seen).collect();
    let seen = seen.ok_or_else(|| Problem::invalid("rows", "Choose the rows anew."))?;
    if act != BulkAct::RetryLanes && confirm.trim() != seen.len().to_string() {
        return Err(Problem::invalid("confirm", "This is not how many are to be changed.").into());
    }
    let outcome = bulk::change(&services.db, &services.now, &member, &allowed, &seen, services.alone, "").await?;
    let done = if act == BulkAct::SkipHeld { "skipped" } else { "bulk" };
    lead(outcome, &list_done(act, &filter, &back, done));
    Ok(outcome)
}

/// Plans a data utility that changes the rows, or all that match, and leads to its plan; nothing else is changed.
#[server(prefix = "/fn", output = Reply, endpoint = "bulk/plan")]
pub async fn plan_bulk(
    act: BulkAct,
    to: Option<IntegrationType>,
    #[server(default)] all: bool,
    #[server(default)] rows: Vec<String>,
    #[server(default)] filter: BulkFilter,
) -> Result<RunId, Fault> {
    let (services, member) = (services()?, member().await?);
    let mut answers = BTreeMap::new();
    let mut answer = |name: &str, value: Option<String>| {
        answers.extend(value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)));
    };
    answer("to", to.map(|to| to.as_str().to_owned()));
    if all {
        answer("q", Some(filter.search));
        answer("account", filter.account.map(|id| id.to_string()));
        answer("line", filter.line.map(|id| id.to_string()));
        answer("type", filter.integration_type.map(|of| of.as_str().to_owned()));
        answer("state", filter.state.map(|state| state.as_str().to_owned()));
        answer("trouble", filter.trouble.map(|of| of.as_str().to_owned()));
    } else if rows.is_empty() {
        return Err(Problem::invalid("rows", "Choose at least one row.").into());
    } else {
        answer("rows", Some(rows.join(" ")));
    }
    let run = utilities::plan(&services.db, &services.now, &member, act.utility(), &answers, None, services.alone.rows).await?;
    leptos_axum::redirect(&format!("/utilities/runs/{run}"));
    Ok(run)
}

/// What the page's URL asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What is to be done.
    pub act: BulkAct,
    /// What lines are set to.
    pub to: Option<IntegrationType>,
    /// To all that match.
    pub all: bool,
    /// To these.
    pub rows: Vec<String>,
    /// What the list is narrowed to.
    pub filter: BulkFilter,
    /// The list that the rows were chosen in, as it was left.
    pub back: String,
}

impl Asked {
    /// As the URL has it; `rows` is the field that the chosen rows stand in, and `search` the query as it is written.
    pub fn of(act: BulkAct, rows: &str, query: &ParamsMap, search: &str) -> Self {
        let field = |name: &str| query.get(name).unwrap_or_default();
        let all = !field("all").is_empty();
        let filter = BulkFilter {
            search: field("q"),
            account: field("account").parse().ok(),
            line: field("line").parse().ok().filter(|_| act.is_of_conversations()),
            integration_type: field("type").parse().ok(),
            state: field("state").parse().ok(),
            trouble: field("state").parse().ok().filter(|_| act.is_of_conversations()),
        };
        Self {
            act,
            to: field("to").parse().ok(),
            all,
            rows: if all { Vec::new() } else { query.get_all(rows).unwrap_or_default() },
            back: list_of(act, &filter, &back_in(search)),
            filter,
        }
    }

    /// The fields of a form that says the same.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("act", self.act.as_str().to_owned())];
        fields.extend(self.to.map(|to| ("to", to.as_str().to_owned())));
        fields.extend(self.list_fields());
        fields
    }

    /// Those of them that say what the list is narrowed to, and how to come back to it.
    pub fn list_fields(&self) -> Vec<(&'static str, String)> {
        let (filter, mut fields) = (&self.filter, Vec::new());
        fields.extend(Some(("filter[search]", filter.search.clone())).filter(|(_, text)| !text.is_empty()));
        fields.extend(filter.account.map(|id| ("filter[account]", id.to_string())));
        fields.extend(filter.line.map(|id| ("filter[line]", id.to_string())));
        fields.extend(filter.integration_type.map(|of| ("filter[integration_type]", of.as_str().to_owned())));
        fields.extend(filter.state.map(|state| ("filter[state]", state.as_str().to_owned())));
        fields.extend(filter.trouble.map(|of| ("filter[trouble]", of.as_str().to_owned())));
        fields.push(("back", self.back.clone()));
        fields
    }
}

/// Fields that nobody sees.
pub fn hidden(fields: Vec<(&'static str, String)>) -> impl IntoView {
    fields.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view()
}

/// The field `back` of a query as it is written. The router's map would read it twice, and take its fields apart.
fn back_in(search: &str) -> String {
    let back = search.trim_start_matches('?').split('&').find_map(|field| field.strip_prefix("back="));
    back.map(|back| leptos_router::location::Url::unescape(&back.replace('+', " "))).unwrap_or_default()
}

/// Where lines are chosen, beside their list.
const CHOOSER: &str = "/lines/types";

/// The list that the rows were chosen in: `back` is its address, if it is that of a list of such rows; else the list narrowed as the
/// change is. Nothing else is led to, whatever a URL says.
fn list_of(act: BulkAct, filter: &BulkFilter, back: &str) -> String {
    let (path, query) = back.split_once('?').unwrap_or((back, ""));
    let is_list = match (act, filter.account) {
        (BulkAct::SetTypes, _) => path == "/lines" || path == "/findings" || path == CHOOSER,
        (BulkAct::RetryLanes | BulkAct::SkipHeld, _) => path == "/sync",
        (BulkAct::CloseUsers, account) => account.is_some_and(|account| path == format!("/accounts/{account}/users")),
    };
    if is_list { list_at(path, query) } else { narrowed(act, filter) }
}

/// The list itself: lines are chosen on a page of their own, too.
pub fn above_chooser(list: &str) -> String {
    list.strip_prefix(CHOOSER).map_or_else(|| list.to_owned(), |query| format!("/lines{query}"))
}

/// The list that the rows were chosen in, which is to say what was `done`.
#[cfg(feature = "ssr")]
pub fn list_done(act: BulkAct, filter: &BulkFilter, back: &str, done: &str) -> String {
    let list = above_chooser(&list_of(act, filter, back));
    let and = if list.contains('?') { '&' } else { '?' };
    local_path(&format!("{list}{and}done={done}")).to_owned()
}

/// The list of such rows, narrowed as a change of all that match is.
fn narrowed(act: BulkAct, filter: &BulkFilter) -> String {
    let mut query = ParamsMap::new();
    let mut keep = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.insert(name, value);
        }
    };
    keep("q", Some(filter.search.clone()));
    keep("state", filter.state.map(|state| state.as_str().to_owned()));
    keep("state", filter.trouble.map(|of| of.as_str().to_owned()));
    let path = match (act, filter.account) {
        (BulkAct::CloseUsers, None) => return "/accounts".to_owned(),
        (BulkAct::CloseUsers, Some(account)) => format!("/accounts/{account}/users"),
        (BulkAct::SetTypes | BulkAct::RetryLanes | BulkAct::SkipHeld, account) => {
            keep("account", account.map(|id| id.to_string()));
            keep("type", filter.integration_type.map(|of| of.as_str().to_owned()));
            keep("line", filter.line.map(|id| id.to_string()));
            if act == BulkAct::SetTypes { "/lines".to_owned() } else { "/sync".to_owned() }
        }
    };
    format!("{path}{}", query.to_query_string())
}

fn title(act: BulkAct) -> (&'static str, &'static str) {
    match act {
        BulkAct::SetTypes => ("Set the type of lines", "Lines"),
        BulkAct::RetryLanes => ("Retry conversations now", "Sync"),
        BulkAct::SkipHeld => ("Skip what is held in conversations", "Sync"),
        BulkAct::CloseUsers => ("Close people", "People"),
    }
}

/// The page: what would be done, and doing it.
#[component]
pub fn BulkPage() -> impl IntoView {
    let (query, search) = (use_query_map(), use_location().search);
    let act = query_field("act");
    let asked = Memo::new(move |_| {
        let act = act.get().parse().ok()?;
        Some(query.with(|query| search.with(|search| Asked::of(act, "row", query, search))))
    });
    let me = use_me();
    let found = load(
        move || asked.get(),
        |asked: Option<Asked>| async move {
            let none = || Problem::not_found("Nothing is chosen. Choose rows in a list, and say there what is to be done with them.");
            let asked = asked.ok_or_else(none)?;
            look_bulk(asked.act, asked.to, asked.all, asked.rows, asked.filter).await
        },
    );
    view! {
        {move || {
            let (title, list) = asked.get().map_or(("Bulk change", "Lines"), |asked| title(asked.act));
            let above = asked.get().map(|asked| vec![(list.to_owned(), asked.back)]).unwrap_or_default();
            view! { <PageHead title=title above=above /> }
        }}
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await, asked.get_untracked()) {
                    (Ok(me), Ok(look), Some(asked)) if look.is_large => large(me.may(Permission::SeeRuns), asked, look.at_once).into_any(),
                    (Ok(_), Ok(look), Some(asked)) => small(&asked, look).into_any(),
                    (Ok(me), Err(_), None) => unasked(&me).into_any(),
                    (Err(fault), ..) | (_, Err(fault), _) => view! { <FaultView fault=fault /> }.into_any(),
                    (_, _, None) => ().into_any(),
                }
            })}
        </Transition>
    }
}

/// Where rows are chosen, for who comes here without any.
fn unasked(me: &Me) -> impl IntoView + use<> {
    let sync = me.may(Permission::SeeMessages).then(|| view! { <ButtonLink href="/sync">"Sync"</ButtonLink> });
    view! {
        <div class="panel">
            <Empty title="Nothing is chosen">
                <span>"Choose rows in a list, and say there what is to be done with them."</span>
                <span class="flex flex-wrap justify-center gap-2">
                    <ButtonLink href="/lines">"Lines"</ButtonLink>
                    {sync}
                </span>
            </Empty>
        </div>
    }
}

/// More than are changed at once: a data utility's plan counts what it would do.
pub fn large(sees_runs: bool, asked: Asked, at_once: usize) -> impl IntoView + use<> {
    let action = Sending::to::<PlanBulk>();
    let fault = fault_of(action);
    let back = asked.back.clone();
    let mut fields = asked.fields();
    if asked.all {
        fields.push(("all", "true".to_owned()));
    }
    fields.extend(asked.rows.iter().map(|row| ("rows[]", row.clone())));
    let form = if sees_runs {
        view! {
            <FormFault fault=fault />
            <SendForm action=action>
                {hidden(fields)}
                <div class="flex flex-wrap gap-2">
                    <Button look=Look::Main pending=waits(action)>
                        "See what it would do"
                    </Button>
                    <ButtonLink href=back>"Cancel"</ButtonLink>
                </div>
            </SendForm>
        }
        .into_any()
    } else {
        view! {
            <p>"Your roles do not let you see runs of data utilities. Narrow the list down, or ask somebody who may."</p>
            <div>
                <ButtonLink href=back>"Back to the list"</ButtonLink>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="panel flex max-w-2xl flex-col gap-4 p-5">
            <h2 class="font-semibold">{format!("More than {}", asked.act.counted(i64::try_from(at_once).unwrap_or(i64::MAX)))}</h2>
            <p>
                "So many are changed by a data utility, in the background. Its plan counts what would be done and what is left out, and why. Nothing is changed before you start it."
            </p>
            {form}
        </section>
    }
}

fn small(asked: &Asked, look: BulkLook) -> impl IntoView + use<> {
    let good: Vec<&BulkRow> = look.rows.iter().filter(|row| row.refused.is_none()).collect();
    let count = i64::try_from(good.len()).unwrap_or(i64::MAX);
    let left_out = i64::try_from(look.rows.len()).unwrap_or(i64::MAX) - count;
    let versions: Vec<_> = good.iter().map(|row| ("rows[]", format!("{}:{}", row.key, row.version))).collect();
    let about = match asked.act {
        BulkAct::SetTypes | BulkAct::RetryLanes | BulkAct::SkipHeld => "Account",
        BulkAct::CloseUsers => "E-mail",
    };
    let messages = (asked.act == BulkAct::SkipHeld).then(|| good.iter().filter_map(|row| row.messages).sum::<i64>());
    let lines = (asked.act == BulkAct::CloseUsers).then(|| good.iter().filter_map(|row| row.lines).sum::<i64>());
    let only = (asked.all && asked.act == BulkAct::RetryLanes).then_some(" Of all that match, only those that are stalled are looked at.");
    let form = if count == 0 { nothing(asked).into_any() } else { confirm(asked, count, versions).into_any() };
    let table = if look.rows.is_empty() {
        view! { <Empty title="Nothing matches">"Nothing is in this state any more. Look at the list again."</Empty> }.into_any()
    } else {
        let rows = look.rows.into_iter().map(|of| row(of, about)).collect_view();
        let head: &'static [&'static str] =
            if asked.act == BulkAct::CloseUsers { &["Name", "E-mail", "What is done"] } else { &["Line", "Account", "What is done"] };
        view! {
            <Table label="The rows" head=head>
                {rows}
            </Table>
        }
        .into_any()
    };
    view! {
        <section class="panel flex flex-col gap-5 p-5">
            <dl class="grid max-w-md grid-cols-2 gap-4">
                <Stat label="To be changed" value=count />
                <Stat label="Left out" value=left_out />
                {messages.map(|messages| view! { <Stat label="Messages to be skipped" value=messages /> })}
                {lines.map(|lines| view! { <Stat label="Access to lines taken away" value=lines /> })}
            </dl>
            <p>{effect(asked.act)} {only}</p>
            {form}
        </section>
        <div class="panel mt-4">{table}</div>
    }
}

fn effect(act: BulkAct) -> &'static str {
    match act {
        BulkAct::SetTypes => "The lines get this type.",
        BulkAct::RetryLanes => {
            "Their deliveries are tried again at once. A conversation whose last call is not settled still waits for that: posting earlier could post twice."
        }
        BulkAct::SkipHeld => {
            "What is held in them, and what of ours waits to be posted, is skipped: it stays in Switchyard, is not put into RingCentral, and each message can be restored. The SMS are not touched. What the contacts wrote is still posted, and a message that a call is under way for is left alone."
        }
        BulkAct::CloseUsers => {
            "Each loses access to every line at once, and is taken out of RingCentral’s chats. They can be reopened one by one."
        }
    }
}

fn nothing(asked: &Asked) -> impl IntoView + use<> {
    view! {
        <div>
            <ButtonLink href=asked.back.clone()>"Back to the list"</ButtonLink>
        </div>
    }
}

fn confirm(asked: &Asked, count: i64, versions: Vec<(&'static str, String)>) -> impl IntoView + use<> {
    let action = Sending::to::<DoBulk>();
    let fault = fault_of(action);
    let mut fields = asked.fields();
    fields.extend(versions);
    let counted = asked.act.counted(count);
    let (does, look, is_typed) = match asked.act {
        BulkAct::SetTypes => (format!("Set {counted}"), Look::Danger, true),
        BulkAct::RetryLanes => (format!("Retry {counted}"), Look::Main, false),
        BulkAct::SkipHeld => (format!("Skip what is held in {counted}"), Look::Danger, true),
        BulkAct::CloseUsers => (format!("Close {counted}"), Look::Danger, true),
    };
    let back = asked.back.clone();
    view! {
        <FormFault fault=fault fields=&["confirm"] />
        <SendForm action=action>
            <div class="flex max-w-md flex-col gap-4">
                {hidden(fields)}
                {is_typed
                    .then(|| {
                        view! {
                            <Field
                                label="Type how many are changed, to confirm" name="confirm" inputmode="numeric" pattern=count.to_string()
                                title="How many are changed" error=field_error(fault, "confirm")
                            />
                        }
                    })}
                <div class="flex flex-wrap gap-2">
                    <Button look=look pending=waits(action)>
                        {does}
                    </Button>
                    <ButtonLink href=back>"Cancel"</ButtonLink>
                </div>
            </div>
        </SendForm>
    }
}

fn row(row: BulkRow, about: &'static str) -> impl IntoView {
    let what = match (row.refused, row.messages, row.lines) {
        (None, None, None) => "Changed".into_any(),
        (None, None, Some(0)) => "Closed; has access to no line".into_any(),
        (None, None, Some(lines)) => format!("Closed; loses access to {}", counted(lines, "line", "lines")).into_any(),
        (None, Some(1), _) => "1 message is skipped".into_any(),
        (None, Some(messages), _) => format!("{messages} messages are skipped").into_any(),
        (Some(why), ..) => view! {
            <Badge tone=Tone::Warning>"Left out"</Badge>
            " "
            {why}
        }
        .into_any(),
    };
    view! {
        <tr role="row">
            <Cell of="Name">
                <a class="text-link" href=row.href>{row.name}</a>
            </Cell>
            <Cell of=about>{row.about}</Cell>
            <Cell of="What is done">{what}</Cell>
        </tr>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use switchyard::types::{AccountId, Trouble};

    #[test]
    fn the_way_back_is_the_list_as_it_was_left() {
        let none = BulkFilter::default();
        let search = "?row=x&act=retry_lanes&back=%2Fsync%3Fstate%3Dstalled%26q%3Da%252Bb%26sort%3Doldest%26done%3Dbulk";
        assert_eq!(list_of(BulkAct::RetryLanes, &none, &back_in(search)), "/sync?state=stalled&q=a%2Bb&sort=oldest");
        assert_eq!(list_of(BulkAct::SkipHeld, &none, &back_in(search)), "/sync?state=stalled&q=a%2Bb&sort=oldest");
        let held = BulkFilter { trouble: Some(Trouble::Held), ..BulkFilter::default() };
        assert_eq!(list_of(BulkAct::SkipHeld, &held, ""), "/sync?state=held");
        assert_eq!(list_of(BulkAct::SetTypes, &none, "/lines?type=inbox&sort=label"), "/lines?type=inbox&sort=label");
        assert_eq!(above_chooser(&list_of(BulkAct::SetTypes, &none, "/lines/types?q=desk")), "/lines?q=desk");
        assert_eq!(above_chooser("/lines?q=desk"), "/lines?q=desk");
        let own = BulkFilter { account: Some(AccountId(uuid::Uuid::nil())), ..BulkFilter::default() };
        let users = "/accounts/00000000-0000-0000-0000-000000000000/users";
        assert_eq!(list_of(BulkAct::CloseUsers, &own, &format!("{users}?state=open")), format!("{users}?state=open"));
    }

    #[test]
    fn the_way_back_leads_to_no_other_place() {
        let none = BulkFilter::default();
        for other in ["", "//evil.example", "https://evil.example/lines", "javascript:alert(1)", "/lines/../staff", "/staff?q=x"] {
            assert_eq!(list_of(BulkAct::SetTypes, &none, other), "/lines", "{other:?}");
            assert_eq!(list_of(BulkAct::RetryLanes, &none, other), "/sync", "{other:?}");
            assert_eq!(list_of(BulkAct::CloseUsers, &none, other), "/accounts", "{other:?}");
        }
        assert_eq!(list_of(BulkAct::SetTypes, &none, "/lines?q=a\r\nSet-Cookie: x=y&sort=label"), "/lines?sort=label");
    }
}
