//! Setting the integration type of several lines: choose them, look at what it would do to each, then do it for all or for none. Many at
//! once need a second person.

use super::{LineFilters, list_lines, no_such_line, types};
use crate::bulk::{Asked, above_chooser, hidden, large, look_bulk};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, ButtonLink, Cell, Effects, Empty, FaultView, Field, FormFault, Loading, Look, Number, PageHead, Pager, Select, SendForm,
    Sending, Stat, Table, Tone, TypeBadge, back_field, fault_of, field_error, list_at, load, query_field, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use serde::{Deserialize, Serialize};
use switchyard::types::{
    BulkAct, BulkFilter, Cursor, IntegrationType, LineId, LineRow, Outcome, Page, Permission, Problem, TypeChangePreview,
};

#[cfg(feature = "ssr")]
use {
    crate::approvals::lead,
    crate::bulk::list_done,
    crate::context::{member, permit, proof, services},
    switchyard::directory::{self, integration},
    switchyard::staff::may,
};

/// What setting the type of several lines would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypesPreview {
    /// Each line; the words say why it cannot be set.
    pub lines: Vec<(LineRow, Result<TypeChangePreview, String>)>,
    /// What becomes of what they have, in sentences, all lines together.
    pub effects: Vec<String>,
    /// A second person has to agree to so many.
    pub needs_second_person: bool,
}

/// What setting the type of these lines would do; changes nothing.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/types/preview")]
pub async fn preview_types(#[server(default)] lines: Vec<LineId>, to: IntegrationType) -> Result<TypesPreview, Fault> {
    let permit = permit::<may::SetIntegrationType>().await?;
    let see = crate::context::permit::<may::SeeDirectory>().await?;
    let services = services()?;
    if lines.is_empty() || lines.len() > integration::MOST_AT_ONCE {
        return Err(Problem::invalid("lines", format!("Choose between 1 and {} lines.", integration::MOST_AT_ONCE)).into());
    }
    let mut previews = Vec::with_capacity(lines.len());
    for id in lines {
        let line = directory::lines::get(&services.db, &see, id).await?.line;
        let preview = match integration::preview(&services.db, &permit, id, to).await {
            Ok(preview) => match preview.obstacle.clone() {
                Some(obstacle) => Err(obstacle),
                None => Ok(preview),
            },
            Err(Problem::Conflict { .. }) => Err(format!("It is set to {} already.", to.name())),
            Err(other) => return Err(other.into()),
        };
        previews.push((line, preview));
    }
    let good: Vec<&TypeChangePreview> = previews.iter().filter_map(|(_, preview)| preview.as_ref().ok()).collect();
    let (needs_second_person, effects) = (good.len() > services.alone.lines, integration::effects(&good));
    Ok(TypesPreview { lines: previews, effects, needs_second_person })
}

/// Sets the type of several lines, each as previewed (`line:version`): all or none. More than one at once asks again who is there.
/// `confirm` is how many; `filter` is that of the list that it leads back to, and `back` its address.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/types/set")]
pub async fn set_types(
    #[server(default)] lines: Vec<String>,
    to: IntegrationType,
    #[server(default)] confirm: String,
    #[server(default)] note: String,
    #[server(default)] filter: BulkFilter,
    #[server(default)] back: String,
) -> Result<Outcome, Fault> {
    let _permit = permit::<may::SetIntegrationType>().await?;
    let (services, member) = (services()?, member().await?);
    if lines.len() > 1 {
        proof().await?;
    }
    let seen = |text: &String| {
        let (id, version) = text.split_once(':')?;
        Some((id.parse::<LineId>().ok()?, version.parse::<i64>().ok()?))
    };
    let lines = lines.iter().map(|line| seen(line).ok_or_else(no_such_line)).collect::<Result<Vec<_>, _>>()?;
    if confirm.trim() != lines.len().to_string() {
        return Err(Problem::invalid("confirm", "This is not how many lines are to be set.").into());
    }
    let outcome = integration::set_many(&services.db, &services.now, &member, &lines, to, services.alone.lines, &note).await?;
    lead(outcome, &list_done(BulkAct::SetTypes, &filter, &back, "types"));
    Ok(outcome)
}

/// The page: first the lines to choose from, then what it would do.
#[component]
pub fn TypesPage() -> impl IntoView {
    let (query, search) = (use_query_map(), use_location().search);
    let asked = Memo::new(move |_| query.with(|query| search.with(|search| Asked::of(BulkAct::SetTypes, "line", query, search))));
    let me = use_me();
    let is_chosen = move || asked.with(|asked| (asked.all || !asked.rows.is_empty()) && asked.to.is_some());
    let list = move || match is_chosen() {
        true => asked.with(|asked| above_chooser(&asked.back)),
        false => search.with(|search| list_at("/lines", search)),
    };
    view! {
        {move || {
            let list = list();
            let name = if list.starts_with("/findings") { "Findings" } else { "Lines" };
            let above = vec![(name.to_owned(), list)];
            view! { <PageHead title="Set the type of several lines" above=above /> }
        }}
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match me.await {
                    Ok(me) if me.may(Permission::SetIntegrationType) => {
                        match is_chosen() {
                            true => view! { <Confirm asked=asked sees_runs=me.may(Permission::SeeRuns) /> }.into_any(),
                            false => view! { <Choose /> }.into_any(),
                        }
                    }
                    Ok(_) => {
                        let fault = Problem::forbidden("Your roles do not let you set the integration type of a line.").into();
                        view! { <FaultView fault=fault /> }.into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Choose() -> impl IntoView {
    let (q, account, of_type, after) = (query_field("q"), query_field("account"), query_field("type"), query_field("after"));
    let (state, sort) = (query_field("state"), query_field("sort"));
    let page = load(
        move || (q.get(), account.get(), of_type.get(), state.get(), sort.get(), after.get()),
        |(q, account, of_type, state, sort, after)| {
            let after = (!after.is_empty()).then_some(Cursor(after));
            list_lines(q, account.parse().ok(), of_type.parse().ok(), state.parse().ok(), sort.parse().ok(), after)
        },
    );
    view! {
        <LineFilters q=q account=account of_type=of_type state=state sort=sort />
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) if page.rows.is_empty() => {
                        view! {
                            <div class="panel">
                                <Empty title="No line fits">"Search for less, or choose another account or type, or open and closed."</Empty>
                            </div>
                        }
                            .into_any()
                    }
                    Ok(page) => choices(page).into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn choices(page: Page<LineRow>) -> impl IntoView {
    let search = use_location().search;
    let list = Signal::derive(move || search.with(|search| list_at("/lines", search)));
    let row = |line: LineRow| {
        let label = format!("{}, {}", line.number.readable(), line.label);
        view! {
            <tr role="row">
                <Cell of="Choose">
                    <label class="box">
                        <input type="checkbox" name="line" value=line.id.to_string() aria-label=label class="checkbox checkbox-sm checkbox-primary" />
                    </label>
                </Cell>
                <Cell of="Number">
                    <Number number=line.number />
                </Cell>
                <Cell of="Label">{line.label}</Cell>
                <Cell of="Account">{line.account}</Cell>
                <Cell of="Type">
                    <TypeBadge of=line.integration_type />
                </Cell>
            </tr>
        }
    };
    view! {
        <form method="get" action="/lines/types">
            {back_field()}
            <div class="panel">
                <Table label="Lines to choose from" head=&["Choose", "Number", "Label", "Account", "Type"]>
                    {page.rows.into_iter().map(row).collect_view()}
                </Table>
            </div>
            <div class="panel sticky bottom-0 mt-3 flex flex-wrap items-end gap-3 p-3">
                <div class="w-44">
                    <Select label="Set to" name="to" choices=types().collect() />
                </div>
                <Button look=Look::Main>"Look at what it would do"</Button>
                <ButtonLink href=list>"Cancel"</ButtonLink>
            </div>
        </form>
        <Pager label="Pages of lines" next=page.next />
    }
}

#[component]
fn Confirm(asked: Memo<Asked>, sees_runs: bool) -> impl IntoView {
    let action = Sending::to::<SetTypes>();
    let found = load(move || asked.get(), would_do);
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok((to, Would::Be(preview))) => confirm(to, &preview, &asked.get_untracked(), action).into_any(),
                    Ok((_, Would::BeMoreThan(at_once))) => large(sees_runs, asked.get_untracked(), at_once).into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// What setting the types would do: to each line, or to more than are set at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Would {
    Be(TypesPreview),
    BeMoreThan(usize),
}

async fn would_do(asked: Asked) -> Result<(IntegrationType, Would), Fault> {
    let to = asked.to.ok_or_else(|| Problem::invalid("to", "Choose one of the integration types."))?;
    let mut keys = asked.rows;
    if asked.all {
        let look = look_bulk(BulkAct::SetTypes, Some(to), true, Vec::new(), asked.filter).await?;
        if look.is_large {
            return Ok((to, Would::BeMoreThan(look.at_once)));
        }
        keys = look.rows.into_iter().map(|row| row.key).collect();
    }
    let lines = keys.iter().map(|id| id.parse().map_err(|_| no_such_line())).collect::<Result<Vec<LineId>, Fault>>()?;
    Ok((to, Would::Be(preview_types(lines, to).await?)))
}

fn confirm(to: IntegrationType, preview: &TypesPreview, asked: &Asked, action: Sending) -> impl IntoView + use<> {
    let (list_fields, back) = (hidden(asked.list_fields()), asked.back.clone());
    let fault = fault_of(action);
    let good: Vec<_> = preview.lines.iter().filter_map(|(line, preview)| Some((line.id, preview.as_ref().ok()?))).collect();
    let sum = |of: fn(&TypeChangePreview) -> i64| good.iter().map(|(_, preview)| of(preview)).sum::<i64>();
    let (count, needs_second_person) = (good.len(), preview.needs_second_person);
    let stats = view! {
        <dl class="grid grid-cols-2 gap-4 sm:grid-cols-4">
            <Stat label="Lines" value=i64::try_from(count).unwrap_or(0) />
            <Stat label="Conversations" value=sum(|of| of.conversations) />
            <Stat label="Held messages" value=sum(|of| of.held) />
            <Stat label="Queued messages" value=sum(|of| of.queued) />
        </dl>
    };
    let versions = good
        .iter()
        .map(|(id, preview)| view! { <input type="hidden" name="lines[]" value=format!("{id}:{}", preview.version) /> })
        .collect_view();
    let rows = preview
        .lines
        .iter()
        .map(|(line, preview)| {
            let what = match preview {
                Ok(preview) => format!("{} held, {} queued", preview.held, preview.queued).into_any(),
                Err(why) => {
                    let why = why.clone();
                    view! {
                        <Badge tone=Tone::Warning>"Left out"</Badge>
                        " "
                        {why}
                    }
                    .into_any()
                }
            };
            let (number, label, is_now) = (line.number.clone(), format!("{} · {}", line.label, line.account), line.integration_type);
            view! {
                <tr role="row">
                    <Cell of="Number">
                        <Number number=number />
                    </Cell>
                    <Cell of="Label">{label}</Cell>
                    <Cell of="Type now">
                        <TypeBadge of=is_now />
                    </Cell>
                    <Cell of="Messages">{what}</Cell>
                </tr>
            }
        })
        .collect_view();
    let form = match count {
        0 => view! {
            <p>"None of these lines can be set to " {to.name()} "."</p>
            <div>
                <ButtonLink href=back>"Choose others"</ButtonLink>
            </div>
        }
        .into_any(),
        _ => view! {
            <FormFault fault=fault fields=&["confirm", "note"] />
            <SendForm action=action>
                <div class="flex max-w-md flex-col gap-4">
                    {versions}
                    {list_fields}
                    <input type="hidden" name="to" value=to.as_str() />
                    {needs_second_person
                        .then(|| {
                            view! {
                                <Field
                                    label="Why" name="note" optional=true error=field_error(fault, "note")
                                    help="So many lines at once need a second person. They read this, and nothing is changed until they agree."
                                />
                            }
                        })}
                    <Field
                        label="Type how many lines are set, to confirm" name="confirm" inputmode="numeric" pattern=count.to_string()
                        title="How many lines are set" error=field_error(fault, "confirm")
                    />
                    <div class="flex flex-wrap gap-2">
                        <Button look=Look::Danger pending=waits(action)>
                            {format!("Set {count} {} to {}", if count == 1 { "line" } else { "lines" }, to.name())}
                        </Button>
                        <ButtonLink href=back>"Choose others"</ButtonLink>
                    </div>
                </div>
            </SendForm>
        }
        .into_any(),
    };
    view! {
        <section class="panel flex flex-col gap-5 p-5">
            <div class="flex items-center gap-3">
                <span class="font-semibold">"They become"</span>
                <TypeBadge of=to />
            </div>
            {stats}
            <Effects title="What will happen" each=preview.effects.clone() />
            {form}
        </section>
        <div class="panel mt-4">
            <Table label="The lines" head=&["Number", "Label", "Type now", "Messages"]>
                {rows}
            </Table>
        </div>
    }
}
