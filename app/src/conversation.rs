//! One conversation: what stands in RingCentral, what is held here, and what staff can do about a delivery that does not go on.
//!
//! The rule: a press acts on the message or lane that the reader sees; the verb asks again whether it still is as it was shown.

mod content;
mod timeline;

pub use content::written;

use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::live::{Followed, follow};
use crate::sync::{SyncBadge, SyncReason};
use crate::ui::{
    Badge, Button, FaultView, FormFault, Loading, PageHead, Panel, SendForm, Sending, Time, Tone, contact_number, fault_of, load,
    masked_note, query_field, toast_on_success, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};
use switchyard::types::{
    Change, ConversationDetail, ConversationId, Cursor, LineId, MessageId, Page, Permission, Problem, SyncState, TimelineRow, UnsentPost,
};
use timeline::Timeline;

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::staff::may,
    switchyard::sync,
};

/// How many messages a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// A conversation's head and one page of its messages, read together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its head.
    pub detail: ConversationDetail,
    /// Its messages, the newest first.
    pub messages: Page<TimelineRow>,
    /// What agents wrote and the contact did not get, the newest first.
    pub unsent: Vec<UnsentPost>,
}

/// A conversation with its newest messages, or those before `before`.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/get")]
pub async fn read_conversation(line: LineId, id: ConversationId, before: Option<Cursor>) -> Result<Conversation, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let db = services()?.db;
    let detail = sync::find_conversation(&db, &permit, line, id).await?;
    let unsent = sync::unsent_posts(&db, &permit, line, id).await?;
    Ok(Conversation { detail, messages: sync::timeline(&db, &permit, line, id, before.as_ref(), PAGE).await?, unsent })
}

/// Has the lane tried at once.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/retry")]
pub async fn retry_now(line: LineId, conversation: ConversationId) -> Result<(), Fault> {
    let permit = permit::<may::ManageSync>().await?;
    let services = services()?;
    Ok(sync::retry_now(&services.db, &services.now, &permit, line, conversation).await?)
}

/// Skips a message: it will not be posted.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/skip")]
pub async fn skip_message(line: LineId, message: MessageId) -> Result<(), Fault> {
    let permit = permit::<may::ManageSync>().await?;
    let services = services()?;
    Ok(sync::skip(&services.db, &services.now, &permit, line, message).await?)
}

/// Restores a message that was skipped or refused.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/restore")]
pub async fn restore_message(line: LineId, message: MessageId) -> Result<(), Fault> {
    let permit = permit::<may::ManageSync>().await?;
    let services = services()?;
    Ok(sync::restore(&services.db, &services.now, &permit, line, message).await?)
}

/// One conversation.
#[component]
pub fn ConversationPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| {
            let line = params.get_str("id").and_then(|id| id.parse::<LineId>().ok())?;
            Some((line, params.get_str("conversation").and_then(|id| id.parse::<ConversationId>().ok())?))
        })
    });
    let older = query_field("older");
    let found = load(
        move || (id.get(), older.get()),
        |(id, older)| async move {
            let Some((line, id)) = id else {
                return Err(Problem::not_found("There is no such conversation. The address may be mistyped.").into());
            };
            let before = (!older.is_empty()).then_some(Cursor(older));
            Ok((id, before.clone(), read_conversation(line, id, before).await?))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((id, before, first))) => {
                        let line = first.detail.line_id;
                        let is_older = before.is_some();
                        let followed = follow(
                            first,
                            move |change| concerns(change, line, id),
                            move || read_conversation(line, id, before.clone()),
                        );
                        view! { <Whole id=id followed=followed is_older=is_older me=me /> }.into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// Whether a change is about this conversation.
fn concerns(change: Change, line: LineId, id: ConversationId) -> bool {
    match change {
        Change::Conversation { conversation_id, .. } => conversation_id == id,
        other => concerns_line(other, line),
    }
}

/// Whether a change is about a line or any of its conversations.
pub fn concerns_line(change: Change, line: LineId) -> bool {
    match change {
        Change::Conversation { line_id, .. } | Change::Conversations { line_id, .. } | Change::Line { line_id, .. } => line_id == line,
        _ => false,
    }
}

/// Reads the page anew after each change made here.
fn read_after(action: Sending, followed: Followed<Conversation>) {
    action.on_answer(move || followed.read_again());
}

#[component]
fn Whole(id: ConversationId, followed: Followed<Conversation>, is_older: bool, me: Me) -> impl IntoView {
    let detail = Memo::new(move |_| followed.now.with(|all| all.detail.clone()));
    let ConversationDetail { line_id, line, line_number, account_id, account, number, contact, .. } = detail.get_untracked();
    let page = format!("/lines/{line_id}/conversations/{id}");
    let may_manage = me.may(Permission::ManageSync);
    let retry = Sending::to::<RetryNow>();
    read_after(retry, followed);
    toast_on_success(retry, "The lane is tried now.");
    let beside = move || {
        view! {
            {move || view! { <SyncBadge of=detail.with(|detail| detail.sync.clone()) /> }}
            {move || detail.with(|detail| detail.opted_out).then(|| view! { <Badge tone=Tone::Warning>"Opted out"</Badge> })}
        }
    };
    let waits_for_delivery = move || detail.with(|detail| matches!(detail.sync, SyncState::Delivering { .. } | SyncState::Stalled { .. }));
    view! {
        <PageHead
            title=contact.clone().unwrap_or_else(|| number.readable())
            above=vec![
                ("Lines".to_owned(), "/lines".to_owned()),
                (line_number.readable(), format!("/lines/{line_id}")),
                ("Conversations".to_owned(), format!("/lines/{line_id}/conversations")),
            ]
            beside=beside
        >
            <Show when=move || may_manage && waits_for_delivery()>
                <SendForm action=retry>
                    <input type="hidden" name="line" value=line_id.to_string() />
                    <input type="hidden" name="conversation" value=id.to_string() />
                    <Button pending=waits(retry)>"Retry now"</Button>
                </SendForm>
            </Show>
        </PageHead>
        <FormFault fault=fault_of(retry) />
        {masked_note(number.whole().is_none())}
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
            <Timeline id=id line=line_id page=page followed=followed is_older=is_older may_manage=may_manage />
            <div class="row-start-1 flex min-w-0 flex-col gap-4 lg:col-start-2">
                <Panel title="Facts">
                    <dl class="facts facts-narrow">
                        <dt>"Contact"</dt>
                        <dd>{contact_number(&number)}</dd>
                        <dt>"Line"</dt>
                        <dd>
                            <a class="text-link" href=format!("/lines/{line_id}")>{line}</a>
                        </dd>
                        <dt>"Account"</dt>
                        <dd>
                            <a class="text-link" href=format!("/accounts/{account_id}")>{account}</a>
                        </dd>
                        <dt>"Consent"</dt>
                        <dd>
                            <a class="text-link" href=format!("/lines/{line_id}/consent?conversation={id}")>
                                {move || detail.with(|detail| if detail.opted_out { "Opted out" } else { "Not opted out" })}
                            </a>
                        </dd>
                        <dt>"Sync"</dt>
                        <dd>{move || detail.with(|detail| in_words(&detail.sync))}</dd>
                        <dt>"Chat"</dt>
                        <dd>{move || detail.with(|detail| detail.chat_id.clone()).unwrap_or_else(|| "None yet".to_owned())}</dd>
                        {move || {
                            detail
                                .with(|detail| detail.due_at)
                                .map(|at| {
                                    view! {
                                        <dt>"Next try"</dt>
                                        <dd>
                                            <Time at=at />
                                        </dd>
                                    }
                                })
                        }}
                    </dl>
                </Panel>
                {move || followed.now.with(|all| unsent(&all.unsent))}
            </div>
        </div>
    }
}

/// What agents wrote in RingCentral and the contact did not get; nothing when there is nothing.
fn unsent(posts: &[UnsentPost]) -> impl IntoView + use<> {
    let rows = posts
        .iter()
        .map(|post| {
            let (why, id, at) = (post.outcome.sentence(), post.post_id.clone(), post.seen_at);
            view! {
                <li class="text-xs">
                    <p class="font-medium">{why}</p>
                    <p class="muted">"Post " <span class="break-all">{id}</span> ", seen " <Time at=at /></p>
                </li>
            }
        })
        .collect_view();
    (!posts.is_empty()).then(|| {
        view! {
            <Panel title="Not sent" note="What agents wrote in RingCentral and the contact did not get.">
                <ul class="flex flex-col gap-2">{rows}</ul>
            </Panel>
        }
    })
}

/// What the state means for the contact's chat.
fn in_words(of: &SyncState) -> impl IntoView + use<> {
    let messages = |count: i64| if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
    let text = match of {
        SyncState::NotConnected => "The line is not set to RingCentral".to_owned(),
        SyncState::InSync => "Nothing is held or on its way".to_owned(),
        SyncState::Held { count } => format!("{} held until the contact’s next reply", messages(*count)),
        SyncState::Delivering { count } => format!("{} on the way into RingCentral", messages(*count)),
        SyncState::Stalled { .. } => "Deliveries fail; they are tried again".to_owned(),
    };
    view! {
        {text}
        <p>
            <SyncReason of=of.clone() />
        </p>
    }
}
