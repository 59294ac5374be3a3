//! Bulk changes: what would be done to the chosen rows of a list, or to all that match, then doing it: at once, or as a data utility where
//! they are very many.

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, ButtonLink, Cell, Empty, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, Stat, Table, Tone,
    fault_of, field_error, load, query_field, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use switchyard::types::{BulkAct, BulkFilter, BulkLook, BulkRow, IntegrationType, Outcome, Permission, Problem, RunId};

#[cfg(feature = "ssr")]
use {
    crate::approvals::lead,
    crate::context::{member, services},
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

/// Changes the rows, each as it was looked at (`key:version`): all or none. `confirm` is how many.
#[server(prefix = "/fn", output = Reply, endpoint = "bulk/do")]
pub async fn do_bulk(
    act: BulkAct,
    to: Option<IntegrationType>,
    #[server(default)] rows: Vec<String>,
    #[server(default)] filter: BulkFilter,
    #[server(default)] confirm: String,
) -> Result<Outcome, Fault> {
    let (services, member) = (services()?, member().await?);
    let allowed = Act::of(&member, act, to)?;
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
    lead(outcome, &list_of(act, &filter, Some("bulk")));
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
}

impl Asked {
    /// As the URL has it; `rows` is the field that the chosen rows stand in.
    pub fn of(act: BulkAct, rows: &str, query: &ParamsMap) -> Self {
        let field = |name: &str| query.get(name).unwrap_or_default();
        let all = !field("all").is_empty();
        Self {
            act,
            to: field("to").parse().ok(),
            all,
            rows: if all { Vec::new() } else { query.get_all(rows).unwrap_or_default() },
            filter: BulkFilter {
                search: field("q"),
                account: field("account").parse().ok(),
                line: if act == BulkAct::RetryLanes { field("line").parse().ok() } else { None },
                integration_type: field("type").parse().ok(),
                state: field("state").parse().ok(),
            },
        }
    }

    /// The fields of a form that says the same.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("act", self.act.as_str().to_owned())];
        fields.extend(self.to.map(|to| ("to", to.as_str().to_owned())));
        fields.extend(self.filter_fields());
        fields
    }

    /// Those of them that say what the list is narrowed to.
    pub fn filter_fields(&self) -> Vec<(&'static str, String)> {
        let (filter, mut fields) = (&self.filter, Vec::new());
        fields.extend(Some(("filter[search]", filter.search.clone())).filter(|(_, text)| !text.is_empty()));
        fields.extend(filter.account.map(|id| ("filter[account]", id.to_string())));
        fields.extend(filter.line.map(|id| ("filter[line]", id.to_string())));
        fields.extend(filter.integration_type.map(|of| ("filter[integration_type]", of.as_str().to_owned())));
        fields.extend(filter.state.map(|state| ("filter[state]", state.as_str().to_owned())));
        fields
    }
}

/// Fields that nobody sees.
pub fn hidden(fields: Vec<(&'static str, String)>) -> impl IntoView {
    fields.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view()
}

/// The list that the rows are of, narrowed as it was; `done` is what it is to say.
pub fn list_of(act: BulkAct, filter: &BulkFilter, done: Option<&str>) -> String {
    let mut query = ParamsMap::new();
    let mut keep = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.insert(name, value);
        }
    };
    keep("done", done.map(ToOwned::to_owned));
    keep("q", Some(filter.search.clone()));
    keep("state", filter.state.map(|state| state.as_str().to_owned()));
    let path = match (act, filter.account) {
        (BulkAct::CloseUsers, None) => return "/accounts".to_owned(),
        (BulkAct::CloseUsers, Some(account)) => format!("/accounts/{account}/users"),
        (BulkAct::SetTypes | BulkAct::RetryLanes, account) => {
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
        BulkAct::CloseUsers => ("Close people", "People"),
    }
}

/// The page: what would be done, and doing it.
#[component]
pub fn BulkPage() -> impl IntoView {
    let query = use_query_map();
    let act = query_field("act");
    let asked = Memo::new(move |_| act.get().parse().ok().map(|act| query.with(|query| Asked::of(act, "row", query))));
    let me = use_me();
    let found = load(
        move || asked.get(),
        |asked: Option<Asked>| async move {
            let none = || Problem::not_found("Nothing is chosen. Go to a list, choose rows, and say what is to be done.");
            let asked = asked.ok_or_else(none)?;
            look_bulk(asked.act, asked.to, asked.all, asked.rows, asked.filter).await
        },
    );
    view! {
        {move || {
            let (title, list) = asked.get().map_or(("Bulk change", "Lines"), |asked| title(asked.act));
            let above = asked.get().map(|asked| vec![(list.to_owned(), list_of(asked.act, &asked.filter, None))]).unwrap_or_default();
            view! { <PageHead title=title above=above /> }
        }}
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await, asked.get_untracked()) {
                    (Ok(me), Ok(look), Some(asked)) if look.is_large => large(me.may(Permission::SeeRuns), asked, look.at_once).into_any(),
                    (Ok(_), Ok(look), Some(asked)) => small(&asked, look).into_any(),
                    (Err(fault), ..) | (_, Err(fault), _) => view! { <FaultView fault=fault /> }.into_any(),
                    (_, _, None) => ().into_any(),
                }
            })}
        </Transition>
    }
}

/// More than are changed at once: a data utility's plan counts what it would do.
pub fn large(sees_runs: bool, asked: Asked, at_once: usize) -> impl IntoView + use<> {
    let action = Sending::to::<PlanBulk>();
    let fault = fault_of(action);
    let back = list_of(asked.act, &asked.filter, None);
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
        BulkAct::SetTypes => "Account",
        BulkAct::RetryLanes => "Account",
        BulkAct::CloseUsers => "E-mail",
    };
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
            </dl>
            <p>{effect(asked.act)}</p>
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
        BulkAct::CloseUsers => {
            "Each loses access to every line at once, and is taken out of RingCentral’s chats. They can be reopened one by one."
        }
    }
}

fn nothing(asked: &Asked) -> impl IntoView + use<> {
    view! {
        <div>
            <ButtonLink href=list_of(asked.act, &asked.filter, None)>"Back to the list"</ButtonLink>
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
        BulkAct::CloseUsers => (format!("Close {counted}"), Look::Danger, true),
    };
    let back = list_of(asked.act, &asked.filter, None);
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
    let what = match row.refused {
        None => "Changed".into_any(),
        Some(why) => view! {
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
