//! Blasts: the list of an account or a line, and one with its figures and what can be decided about it.

use super::{line, line_of_path, no_such_line, tabs};
use crate::accounts::{account_tabs, closed_badge, get_account, id_of_path, look_again, mistyped};
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::ui::{
    Badge, Button, Cell, ConfirmFold, CsvLink, Empty, FaultView, FormFault, Loading, Look, PageHead, Pager, Panel, RowLink, SendForm,
    Sending, Stat, Table, Tabs, Time, Tone, TypeBadge, fault_of, grouped, load, masked_note, query_field, toast_on_success, waits,
};
use futures_util::future::try_join;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};
use switchyard::types::{AccountId, BlastDetail, BlastId, BlastListRow, BlastState, Cursor, LineDetail, LineId, Page, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::messaging::blast,
    switchyard::staff::may,
};

/// How many blasts a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// What staff decide about a blast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlastAct {
    /// It starts at its time, or at once if that is over.
    Resume,
    /// It does not start before somebody decides.
    Pause,
    /// It never starts.
    Cancel,
}

/// The blasts of a line, or of an account, the newest first.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/list")]
pub async fn list_blasts(account: Option<AccountId>, line: Option<LineId>, after: Option<Cursor>) -> Result<Page<BlastListRow>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(blast::list(&services()?.db, &permit, account, line, after.as_ref(), PAGE).await?)
}

/// A blast, whole.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/get")]
pub async fn get_blast(line: LineId, id: BlastId) -> Result<BlastDetail, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(blast::shown(&services()?.db, &permit, line, id).await?)
}

/// Decides about a blast that has not started.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/decide")]
pub async fn decide_blast(line: LineId, id: BlastId, act: BlastAct) -> Result<(), Fault> {
    let permit = permit::<may::SendMessages>().await?;
    let services = services()?;
    let decision = match act {
        BlastAct::Resume => blast::Decision::Resume,
        BlastAct::Pause => blast::Decision::Pause,
        BlastAct::Cancel => blast::Decision::Cancel,
    };
    Ok(blast::decide_as_staff(&services.db, &services.now, &permit, line, id, decision).await?)
}

fn state_badge(of: BlastState) -> impl IntoView {
    let tone = match of {
        BlastState::Sent => Tone::Good,
        BlastState::Recording | BlastState::Sending => Tone::Info,
        BlastState::Paused => Tone::Warning,
        BlastState::Scheduled | BlastState::Cancelled => Tone::Plain,
    };
    view! { <Badge tone=tone>{of.name()}</Badge> }
}

/// The blasts of an account.
#[component]
pub fn AccountBlastsPage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let after = query_field("after");
    let found = load(
        move || (id.get(), after.get()),
        |(id, after)| async move {
            let Some(id) = id else { return Err(mistyped()) };
            let after = (!after.is_empty()).then_some(Cursor(after));
            try_join(get_account(id), list_blasts(Some(id), None, after)).await
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok((account, page)) => {
                        let is_closed = account.row.closed_at.is_some();
                        view! {
                            <PageHead
                                title=account.row.name.clone() above=vec![("Accounts".to_owned(), "/accounts".to_owned())]
                                beside=move || closed_badge(is_closed)
                            />
                            <Tabs label="This account" tabs=account_tabs(account.row.id, true) />
                            {list(page, true)}
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// The blasts of a line.
#[component]
pub fn LineBlastsPage() -> impl IntoView {
    let id = line_of_path();
    let after = query_field("after");
    let found = load(
        move || (id.get(), after.get()),
        |(id, after)| async move {
            let Some(id) = id else { return Err(no_such_line()) };
            let after = (!after.is_empty()).then_some(Cursor(after));
            try_join(line(id), list_blasts(None, Some(id), after)).await
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok((LineDetail { line, .. }, page)) => {
                        let of_type = line.integration_type;
                        view! {
                            <PageHead
                                title=line.number.readable() above=vec![("Lines".to_owned(), "/lines".to_owned())]
                                beside=move || view! { <TypeBadge of=of_type /> }
                            >
                                <CsvLink href=format!("/lines/{}/blasts.csv", line.id) />
                            </PageHead>
                            <Tabs label="This line" tabs=tabs(line.id, true) />
                            {list(page, false)}
                        }
                            .into_any()
                    }
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn list(page: Page<BlastListRow>, of_account: bool) -> impl IntoView {
    if page.rows.is_empty() {
        return view! {
            <div class="panel">
                <Empty title="No blasts">"A blast is one message to many. The client’s programs send them; here they are seen."</Empty>
            </div>
        }
        .into_any();
    }
    let head: &'static [&'static str] = if of_account {
        &["When", "State", "Line", "Recipients", "Recorded", "Left out", "By"]
    } else {
        &["When", "State", "Recipients", "Recorded", "Left out", "By"]
    };
    let row = move |row: BlastListRow| {
        let line = row.line_id;
        view! {
            <tr role="row">
                <Cell of="When">
                    <RowLink href=format!("/lines/{line}/blasts/{}", row.id)>
                        <Time at=row.starts_at.unwrap_or(row.created_at) />
                    </RowLink>
                </Cell>
                <Cell of="State">{state_badge(row.state)}</Cell>
                {of_account
                    .then(|| {
                        view! {
                            <Cell of="Line">
                                <a class="text-link above" href=format!("/lines/{line}")>{row.line}</a>
                            </Cell>
                        }
                    })}
                <Cell of="Recipients">{grouped(row.recipients)}</Cell>
                <Cell of="Recorded">{grouped(row.recorded)}</Cell>
                <Cell of="Left out">{grouped(row.opted_out + row.duplicates)}</Cell>
                <Cell of="By">{row.created_by}</Cell>
            </tr>
        }
    };
    view! {
        <div class="panel">
            <Table label="Blasts" head=head>
                {page.rows.into_iter().map(row).collect_view()}
            </Table>
        </div>
        <Pager label="Pages of blasts" next=page.next />
    }
    .into_any()
}

/// One blast.
#[component]
pub fn BlastPage() -> impl IntoView {
    let params = use_params_map();
    let ids = Memo::new(move |_| {
        params.with(|params| {
            let line = params.get_str("id").and_then(|id| id.parse::<LineId>().ok())?;
            Some((line, params.get_str("blast").and_then(|id| id.parse::<BlastId>().ok())?))
        })
    });
    let action = Sending::to::<DecideBlast>();
    let looks = RwSignal::new(0_u32);
    action.on_success(move || looks.update(|looks| *looks += 1));
    toast_on_success(action, "Done.");
    let found = load(
        move || (ids.get(), looks.get()),
        |(ids, _)| async move {
            match ids {
                Some((line, id)) => get_blast(line, id).await,
                None => Err(mistyped()),
            }
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(blast)) => whole(&me, blast, action, looks).into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(me: &Me, blast: BlastDetail, action: Sending, looks: RwSignal<u32>) -> impl IntoView + use<> {
    let BlastDetail { row, body, sent, delivered, failed, waiting, stopped, counted } = blast;
    let (line, state) = (row.line_id, row.state);
    let acts = me.may(Permission::SendMessages).then(|| acts(&row, action));
    let figures = [
        ("Recipients", row.recipients),
        ("Left out: opted out", row.opted_out),
        ("Left out: twice", row.duplicates),
        ("Recorded", row.recorded),
        ("Waiting to be sent", waiting),
        ("Sent", sent),
        ("Of these, delivered", delivered),
        ("Failed", failed),
        ("Opted out meanwhile", stopped),
    ];
    let is_part = counted < row.recorded;
    view! {
        <PageHead
            title="Blast"
            above=vec![
                ("Lines".to_owned(), "/lines".to_owned()),
                (row.line.clone(), format!("/lines/{line}")),
                ("Blasts".to_owned(), format!("/lines/{line}/blasts")),
            ]
            beside=move || state_badge(state)
        >
            {acts}
        </PageHead>
        <FormFault fault=fault_of(action) />
        {look_again(action, looks)}
        {masked_note(body.is_none())}
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <Panel title="Figures">
                <dl class="grid grid-cols-2 gap-4 sm:grid-cols-3">
                    {figures.map(|(label, value)| view! { <Stat label=label value=value /> }).collect_view()}
                </dl>
                {is_part
                    .then(|| {
                        view! {
                            <p class="muted mt-3 text-xs">
                                "Waiting, sent and failed are of the first " {grouped(counted)} " messages that were recorded."
                            </p>
                        }
                    })}
            </Panel>
            <Panel title="Facts">
                <dl class="facts">
                    <dt>"Line"</dt>
                    <dd>
                        <a class="text-link" href=format!("/lines/{line}")>{row.line}</a>
                    </dd>
                    <dt>"Account"</dt>
                    <dd>
                        <a class="text-link" href=format!("/accounts/{}", row.account_id)>{row.account}</a>
                    </dd>
                    <dt>"Sent by"</dt>
                    <dd>{row.created_by}</dd>
                    <dt>"Taken"</dt>
                    <dd>
                        <Time at=row.created_at />
                    </dd>
                    {row
                        .starts_at
                        .map(|at| {
                            view! {
                                <dt>"Starts"</dt>
                                <dd>
                                    <Time at=at />
                                </dd>
                            }
                        })}
                    {body
                        .map(|body| {
                            view! {
                                <dt>"Text"</dt>
                                <dd class="whitespace-pre-line">{if body.is_empty() { "Removed".to_owned() } else { body }}</dd>
                            }
                        })}
                </dl>
            </Panel>
        </div>
    }
}

/// What can be decided about it now.
fn acts(row: &BlastListRow, action: Sending) -> impl IntoView + use<> {
    let (line, id, state) = (row.line_id, row.id, row.state);
    let form = move |act: &'static str, words: &'static str, look: Look| {
        view! {
            <SendForm action=action>
                <input type="hidden" name="line" value=line.to_string() />
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="act" value=act />
                <Button look=look pending=waits(action)>
                    {words}
                </Button>
            </SendForm>
        }
    };
    let cancel = move || {
        view! {
            <ConfirmFold label="Cancel blast" of="this blast">
                <p>"It is never sent, and its recipients are forgotten. This cannot be taken back."</p>
                {form("cancel", "Cancel the blast", Look::Danger)}
            </ConfirmFold>
        }
    };
    match state {
        BlastState::Scheduled => view! {
            {form("pause", "Pause", Look::Plain)}
            {cancel()}
        }
        .into_any(),
        BlastState::Paused => view! {
            {form("resume", "Resume", Look::Main)}
            {cancel()}
        }
        .into_any(),
        BlastState::Cancelled | BlastState::Recording | BlastState::Sending | BlastState::Sent => ().into_any(),
    }
}
