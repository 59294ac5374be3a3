//! One conversation: what stands in RingCentral, what is held here, what staff can do about a delivery that does not go on, and a reply
//! as the line.
//!
//! The rule: a press acts on the message or lane that the reader sees; the verb asks again whether it still is as it was shown.

mod asked;
mod compare;
mod content;
mod facts;
mod reply;
mod timeline;

pub use compare::ComparePage;
pub use content::written;

use asked::{Asked, Filters, asked};
use facts::Facts;
use reply::ReplyPanel;

use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::live::{Followed, follow};
use crate::sync::SyncBadge;
use crate::ui::{
    Badge, Button, ConfirmFold, CsvLink, FaultView, FormFault, Loading, Look, Notice, PageHead, Panel, SendForm, Sending, Tabs, Time, Tone,
    fault_of, load, masked_note, toast_on_success, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};
use switchyard::types::{
    Change, Closed, ConversationDetail, ConversationId, Cursor, LineId, MessageId, Permission, Problem, Skippable, Stretch, SyncState,
    TimelineFilter, UnsentPost, Untold, counted,
};
use timeline::Timeline;

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    asked::from_where,
    switchyard::messaging,
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
    pub messages: Stretch,
    /// What agents wrote and the contact did not get, the newest first.
    pub unsent: Vec<UnsentPost>,
    /// What agents could not be told in RingCentral, the newest first.
    pub untold: Vec<Untold>,
    /// What makes a reply's form one that is sent once.
    pub token: String,
    /// What is closed, so that no reply is sent.
    pub closed: Option<Closed>,
    /// What of it waits for RingCentral.
    pub waiting: Skippable,
}

/// A conversation with its newest messages, narrowed; or those before `older`, behind `newer`, or from a `date` on.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/get")]
pub async fn read_conversation(
    line: LineId,
    id: ConversationId,
    #[server(default)] filter: TimelineFilter,
    older: Option<Cursor>,
    newer: Option<Cursor>,
    date: Option<String>,
) -> Result<Conversation, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let db = services.db;
    let detail = sync::find_conversation(&db, &permit, line, id).await?;
    let closed = messaging::reply::closed(&db, &permit, line).await?;
    let unsent = sync::unsent_posts(&db, &permit, line, id).await?;
    let untold = sync::untold(&db, &permit, line, id).await?;
    let messages = sync::stretch(&db, &permit, (line, id), &filter, &from_where(older, newer, date), PAGE).await?;
    let waits = matches!(detail.sync, SyncState::Held { .. } | SyncState::Delivering { .. } | SyncState::Stalled { .. });
    let waiting = if waits { sync::waiting(&db, &permit, line, id).await? } else { Skippable::default() };
    Ok(Conversation { detail, messages, unsent, untold, token: services.now.id().to_string(), closed, waiting })
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

/// Skips all that is held, and what of ours waits to be posted, as it was `seen`: [`Skippable::version`].
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/skip-all")]
pub async fn skip_held(line: LineId, conversation: ConversationId, seen: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageSync>().await?;
    let services = services()?;
    Ok(sync::skip_held(&services.db, &services.now, &permit, line, conversation, seen).await?)
}

/// Restores a message that was skipped or refused.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/restore")]
pub async fn restore_message(line: LineId, message: MessageId) -> Result<(), Fault> {
    let permit = permit::<may::ManageSync>().await?;
    let services = services()?;
    Ok(sync::restore(&services.db, &services.now, &permit, line, message).await?)
}

/// The conversation that the path names.
fn of_path() -> Memo<Option<(LineId, ConversationId)>> {
    let params = use_params_map();
    Memo::new(move |_| {
        params.with(|params| {
            let line = params.get_str("id").and_then(|id| id.parse::<LineId>().ok())?;
            Some((line, params.get_str("conversation").and_then(|id| id.parse::<ConversationId>().ok())?))
        })
    })
}

fn no_such_conversation() -> Fault {
    Problem::not_found("There is no such conversation. The address may be mistyped.").into()
}

/// One conversation.
#[component]
pub fn ConversationPage() -> impl IntoView {
    let id = of_path();
    let wanted = asked();
    let found = load(
        move || (id.get(), wanted.get()),
        |(id, asked)| async move {
            let Some((line, id)) = id else { return Err(no_such_conversation()) };
            Ok((id, asked.clone(), asked.read(line, id).await?))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((id, asked, first))) => {
                        let line = first.detail.line_id;
                        let shown = asked.clone();
                        let followed = follow(first, move |change| concerns(change, line, id), move || asked.clone().read(line, id));
                        view! { <Whole id=id followed=followed asked=shown me=me /> }.into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// The views of a conversation.
fn tabs(page: &str) -> Vec<(&'static str, String)> {
    vec![("Messages", page.to_owned()), ("Beside RingCentral", format!("{page}/ringcentral"))]
}

/// The pages above a conversation's.
fn above(detail: &ConversationDetail) -> Vec<(String, String)> {
    let line = detail.line_id;
    vec![
        ("Lines".to_owned(), "/lines".to_owned()),
        (detail.line_number.readable(), format!("/lines/{line}")),
        ("Conversations".to_owned(), format!("/lines/{line}/conversations")),
    ]
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
fn Whole(id: ConversationId, followed: Followed<Conversation>, asked: Asked, me: Me) -> impl IntoView {
    let detail = Memo::new(move |_| followed.now.with(|all| all.detail.clone()));
    let first = detail.get_untracked();
    let (line, number) = (first.line_id, first.number.clone());
    let page = format!("/lines/{line}/conversations/{id}");
    let csv = format!("{page}/messages.csv{}", asked.filter_query());
    let (may_manage, may_reply) = (me.may(Permission::ManageSync), me.may(Permission::SendMessages));
    let retry = Sending::to::<RetryNow>();
    read_after(retry, followed);
    toast_on_success(retry, "The lane is tried now.");
    let skip = Sending::to::<SkipHeld>();
    read_after(skip, followed);
    toast_on_success(skip, "What was held is skipped.");
    let waiting = Memo::new(move |_| followed.now.with(|all| all.waiting));
    let may_skip = Memo::new(move |_| may_manage && waiting.with(|waiting| waiting.messages() > 0));
    let beside = move || {
        view! {
            {move || view! { <SyncBadge of=detail.with(|detail| detail.sync.clone()) /> }}
            {move || detail.with(|detail| detail.opted_out).then(|| view! { <Badge tone=Tone::Warning>"Opted out"</Badge> })}
        }
    };
    let may_retry = Memo::new(move |_| {
        may_manage && detail.with(|detail| matches!(detail.sync, SyncState::Delivering { .. } | SyncState::Stalled { .. }))
    });
    // What has been there keeps its place, and what comes to it comes at the end: nothing beside it moves.
    let retry_place = Memo::new(move |before: Option<&bool>| before == Some(&true) || may_retry.get());
    let skip_place = Memo::new(move |before: Option<&bool>| before == Some(&true) || retry_place.get() || may_skip.get());
    view! {
        <PageHead title=first.contact.clone().unwrap_or_else(|| number.readable()) above=above(&first) beside=beside>
            // On a narrow screen they stand from the left on, on a wide one up to the right edge.
            <Show when=move || retry_place.get()>
                <div class="max-sm:order-3">
                    <Show when=move || may_retry.get() fallback=|| place_of("Retry now")>
                        <SendForm action=retry>
                            <input type="hidden" name="line" value=line.to_string() />
                            <input type="hidden" name="conversation" value=id.to_string() />
                            <Button pending=waits(retry)>"Retry now"</Button>
                        </SendForm>
                    </Show>
                </div>
            </Show>
            <Show when=move || skip_place.get()>
                <div class="max-sm:order-2">
                    <Show when=move || may_skip.get() fallback=|| place_of("Skip all that are held…")>
                        {skip_all(line, id, waiting, skip)}
                    </Show>
                </div>
            </Show>
            <div class="max-sm:order-1">
                <CsvLink href=csv />
            </div>
        </PageHead>
        <FormFault fault=fault_of(retry) />
        <FormFault fault=fault_of(skip) />
        {may_manage.then(|| view! { <Tabs label="This conversation" tabs=tabs(&page) /> })}
        <Notice words=&[("sent", "The reply is on its way to the contact.")] />
        {masked_note(number.whole().is_none())}
        <Filters asked=asked.clone() />
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
            <div class="flex min-w-0 flex-col gap-4">
                <Timeline id=id line=line page=page followed=followed asked=asked may_manage=may_manage has_below=may_reply />
                {may_reply.then(|| view! { <ReplyPanel id=id followed=followed /> })}
            </div>
            <div class="row-start-1 flex min-w-0 flex-col gap-4 lg:col-start-2">
                <Facts id=id detail=detail me=me />
                {move || followed.now.with(|all| unsent(&all.unsent))}
                {move || followed.now.with(|all| untold(&all.untold))}
            </div>
        </div>
    }
}

/// The place of a button that is not there now.
fn place_of(words: &'static str) -> impl IntoView {
    view! {
        <span class="btn btn-sm invisible h-9 text-sm font-medium" aria-hidden="true">
            {words}
        </span>
    }
}

/// Skips at once what waits here.
fn skip_all(line: LineId, conversation: ConversationId, waiting: Memo<Skippable>, skip: Sending) -> impl IntoView {
    view! {
        <ConfirmFold label="Skip all that are held" of="in this conversation" plain=true>
            <p>{move || waiting.with(what_is_skipped)}</p>
            <p>"They stay in Switchyard and are not put into RingCentral. The SMS are not touched. Each can be restored."</p>
            {move || waiting.with(what_is_left_alone).map(|text| view! { <p>{text}</p> })}
            <SendForm action=skip>
                <input type="hidden" name="line" value=line.to_string() />
                <input type="hidden" name="conversation" value=conversation.to_string() />
                <input type="hidden" name="seen" value=move || waiting.with(|waiting| waiting.version.to_string()) />
                <Button look=Look::Danger pending=waits(skip)>
                    "Skip them"
                </Button>
            </SendForm>
        </ConfirmFold>
    }
}

fn what_is_skipped(waiting: &Skippable) -> String {
    let held = counted(waiting.held, "held message", "held messages");
    let queued = counted(waiting.queued, "message of ours that waits to be posted", "messages of ours that wait to be posted");
    match (waiting.held, waiting.queued) {
        (_, 0) => format!("To be skipped: {held}."),
        (0, _) => format!("To be skipped: {queued}."),
        _ => format!("To be skipped: {held}, and {queued}."),
    }
}

fn what_is_left_alone(waiting: &Skippable) -> Option<String> {
    let under_way = counted(waiting.under_way, "message that a call is under way for", "messages that a call is under way for");
    let inbound = counted(waiting.inbound, "message that the contact wrote", "messages that the contact wrote");
    match (waiting.under_way, waiting.inbound) {
        (0, 0) => None,
        (_, 0) => Some(format!("Left alone: {under_way}.")),
        (0, _) => Some(format!("Left alone: {inbound}.")),
        _ => Some(format!("Left alone: {under_way}, and {inbound}.")),
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

/// What agents could not be told in RingCentral; nothing when there is nothing.
fn untold(notices: &[Untold]) -> impl IntoView + use<> {
    let rows = notices
        .iter()
        .map(|notice| {
            let (words, at) = (notice.words.clone(), notice.at);
            view! {
                <li class="text-xs">
                    <p class="font-medium">{words}</p>
                    <p class="muted">"Given up " <Time at=at /></p>
                </li>
            }
        })
        .collect_view();
    (!notices.is_empty()).then(|| {
        view! {
            <Panel title="Not told" note="What we could not tell an agent in the chat in RingCentral.">
                <ul class="flex flex-col gap-2">{rows}</ul>
            </Panel>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_and_what_is_left_alone_is_said_in_numbers() {
        let waiting = |held, queued, under_way, inbound| Skippable { held, queued, under_way, inbound, version: 0 };
        assert_eq!(what_is_skipped(&waiting(3, 0, 0, 0)), "To be skipped: 3 held messages.");
        assert_eq!(what_is_skipped(&waiting(0, 1, 0, 0)), "To be skipped: 1 message of ours that waits to be posted.");
        let both = "To be skipped: 1 held message, and 2 messages of ours that wait to be posted.";
        assert_eq!(what_is_skipped(&waiting(1, 2, 0, 0)), both);
        assert_eq!(what_is_left_alone(&waiting(3, 0, 0, 0)), None);
        let both = "Left alone: 1 message that a call is under way for, and 2 messages that the contact wrote.";
        assert_eq!(what_is_left_alone(&waiting(3, 0, 1, 2)).as_deref(), Some(both));
    }
}
