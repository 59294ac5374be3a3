//! The panels of a line's page. Who may not change a thing sees it without the control.

use crate::connections::{StateBadge, state_sentence};
use crate::fault::{Fault, Reply};
use crate::frame::Me;
use crate::history::HistoryRow;
use crate::ui::{
    Badge, Button, ButtonLink, Cell, Empty, FaultView, FormFault, Loaded, Loading, Look, Panel, SendForm, Sending, Table, Time, Tone,
    fault_of, grouped, toast_on_success,
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use switchyard::types::{AccountId, ConnectionRow, IntegrationType, LineId, LineUser, Page, Permission, UserId};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// Gives a person access to a line, or takes it away.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/access")]
pub async fn set_access(line: LineId, user: UserId, access: bool) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::people::set_access(&services.db, &services.now, &permit, line, user, access).await?)
}

/// Has the page read anew after each change that went well.
pub(super) fn reload_after(action: Sending, changes: RwSignal<u32>) {
    action.on_success(move || changes.update(|n| *n += 1));
}

/// What the line's messages flow into, and the way to change it.
#[component]
pub fn TypePanel(
    /// The line.
    id: LineId,
    /// Its type now.
    of_type: IntegrationType,
    /// It is closed: no other type can be set.
    is_closed: bool,
    /// The account has a connection to RingCentral.
    connected: bool,
    /// Who looks at it.
    me: Me,
) -> impl IntoView {
    let may = me.may(Permission::SetIntegrationType) && !is_closed;
    let rows = IntegrationType::ALL
        .iter()
        .map(|&of| {
            let control = if of == of_type {
                view! { <Badge tone=Tone::Good>"Current"</Badge> }.into_any()
            } else if !may {
                ().into_any()
            } else if of == IntegrationType::Ringcentral && !connected {
                view! { <span class="muted text-xs">"Needs a connection"</span> }.into_any()
            } else {
                view! { <ButtonLink href=format!("/lines/{id}/type?to={}", of.as_str())>"Change to " {of.name()} "…"</ButtonLink> }
                    .into_any()
            };
            let shown = may || of == of_type;
            shown.then(|| {
                view! {
                    <li class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 px-4 py-3">
                        <div class="min-w-0 flex-1 basis-60">
                            <p class="font-medium">{of.name()}</p>
                            <p class="muted text-xs">{of.sentence()}</p>
                        </div>
                        <div class="shrink-0">{control}</div>
                    </li>
                }
            })
        })
        .collect_view();
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Integration type"</h2>
                <p class="muted text-xs">
                    {if may { "What incoming messages flow into. A change shows first what it does." } else { "What incoming messages flow into." }}
                </p>
            </header>
            <ul class="divide-y divide-base-300/60">{rows}</ul>
        </section>
    }
}

/// The connection that the line's messages would go through, and how it is.
#[component]
pub fn Connection(
    /// The account's connection.
    of: Option<ConnectionRow>,
    /// The account.
    account: AccountId,
    /// The line's type.
    of_type: IntegrationType,
    /// The reader may add one.
    may: bool,
) -> impl IntoView {
    let body = match of {
        Some(row) => {
            let chats = match of_type {
                IntegrationType::Ringcentral => "Each conversation of the line has a chat of its own; the conversations say which.",
                IntegrationType::None | IntegrationType::Inbox => "The line does not use it now.",
            };
            view! {
                <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                    <a class="text-link" href=format!("/connections/{}", row.id)>"The account’s connection"</a>
                    <StateBadge of=row.state.clone() />
                </div>
                <p class="muted mt-1 text-xs">{state_sentence(&row.state)}</p>
                <p class="muted text-xs">{chats}</p>
            }
            .into_any()
        }
        None => {
            let add = may.then(|| view! { <ButtonLink href=format!("/connections/new?account={account}")>"Add a connection"</ButtonLink> });
            view! {
                <p class="mb-2">"The account is not connected; the line cannot be set to RingCentral."</p>
                {add}
            }
            .into_any()
        }
    };
    view! { <Panel title="RingCentral">{body}</Panel> }
}

/// Who of the account has access to the line.
#[component]
pub fn Access(
    /// The line.
    id: LineId,
    /// The line's account.
    account: AccountId,
    /// The account's people; of very many the first, and all who have access before anybody else.
    users: Vec<LineUser>,
    /// How many people the account has.
    of_account: i64,
    /// Who looks at it.
    me: Me,
    /// Grows with each change.
    changes: RwSignal<u32>,
) -> impl IntoView {
    let action = Sending::to::<SetAccess>();
    reload_after(action, changes);
    toast_on_success(action, "Access was changed.");
    let may = me.may(Permission::ManageDirectory);
    let nobody = users.is_empty();
    let cut = only_first(users.len(), of_account, "people", "Others are given access on their own page.");
    let rows = users
        .into_iter()
        .map(|user| {
            let control = if may {
                let (verb, name) = (if user.access { "Remove" } else { "Give" }, user.name.clone());
                view! {
                    // As wide for either word, so that the states stand below each other.
                    <div class="-me-3 w-20 text-end">
                        <SendForm action=action>
                            <input type="hidden" name="line" value=id.to_string() />
                            <input type="hidden" name="user" value=user.id.to_string() />
                            <input type="hidden" name="access" value=(!user.access).to_string() />
                            <Button look=Look::Quiet>{verb} <span class="sr-only">" access of " {name}</span></Button>
                        </SendForm>
                    </div>
                }
                .into_any()
            } else {
                ().into_any()
            };
            view! {
                <li class="flex items-center justify-between gap-3 px-4 py-2">
                    <div class="min-w-0">
                        <a class="text-link font-medium wrap-anywhere" href=format!("/users/{}", user.id)>{user.name}</a>
                        <p class="muted text-xs wrap-anywhere">{user.email}</p>
                    </div>
                    <div class="flex shrink-0 items-center gap-2">
                        {match (user.access, may) {
                            (true, _) => Some(view! { <Badge tone=Tone::Good>"Has access"</Badge> }),
                            (false, false) => Some(view! { <Badge>"No access"</Badge> }),
                            // The button says it.
                            (false, true) => None,
                        }} {control}
                    </div>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Access"</h2>
                <p class="muted text-xs">
                    "Which of " <a class="text-link" href=format!("/accounts/{account}/users")>"the account’s people"</a> " see this line."
                </p>
                {cut}
            </header>
            <div class="has-[.alert]:p-3">
                <FormFault fault=fault_of(action) />
            </div>
            {if nobody {
                view! { <Empty title="No people">"The account has no people yet, so nobody sees this line."</Empty> }.into_any()
            } else {
                view! { <ul class="divide-y divide-base-300/60">{rows}</ul> }.into_any()
            }}
        </section>
    }
}

/// Says that a list of access is cut, and where the rest is; nothing where all are shown.
pub fn only_first(shown: usize, all: i64, what: &'static str, elsewhere: &'static str) -> impl IntoView + use<> {
    let shown = i64::try_from(shown).unwrap_or(i64::MAX);
    (shown < all).then(|| {
        let count = format!("The first {} of {} {what}, those with access before any other. ", grouped(shown), grouped(all));
        view! {
            <p class="text-xs font-medium">
                {count}
                {elsewhere}
            </p>
        }
    })
}

/// What was changed by whom.
#[component]
pub fn History(
    /// The changes.
    history: Loaded<Result<Page<HistoryRow>, Fault>>,
) -> impl IntoView {
    let path = use_location().pathname;
    view! {
        <section class="panel" id="history">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"History"</h2>
            </header>
            <Transition fallback=Loading>
                {move || Suspend::new(async move {
                    match history.await {
                        Ok(page) if page.rows.is_empty() => {
                            view! { <p class="muted px-4 py-4">"Nothing was changed yet."</p> }.into_any()
                        }
                        Ok(page) => {
                            let older = page.next.map(|next| format!("{}?older={}#history", path.get_untracked(), next.0));
                            view! {
                                <Table label="History" head=&["When", "Who", "What", "Before", "After"]>
                                    {page.rows.into_iter().map(change).collect_view()}
                                </Table>
                                {older
                                    .map(|href| {
                                        view! {
                                            <p class="border-t border-base-300 px-4 py-3">
                                                <a class="text-link" href=href>"Older changes"</a>
                                            </p>
                                        }
                                    })}
                            }
                                .into_any()
                        }
                        Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                    }
                })}
            </Transition>
        </section>
    }
}

fn change(row: HistoryRow) -> impl IntoView {
    view! {
        <tr role="row">
            <Cell of="When">
                <Time at=row.at />
            </Cell>
            <Cell of="Who">
                <span class="sm:inline-block sm:min-w-36">{row.actor}</span>
            </Cell>
            <Cell of="What">{row.text}</Cell>
            <Cell of="Before">{row.before.unwrap_or_else(|| "–".to_owned())}</Cell>
            <Cell of="After">{row.after.unwrap_or_else(|| "–".to_owned())}</Cell>
        </tr>
    }
}
