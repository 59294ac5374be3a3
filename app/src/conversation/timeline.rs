//! The messages of a conversation, the newest at the bottom: on one side what was written, on the other whether RingCentral has it.
//!
//! The rule: a message keeps its elements while its state changes, so that an open step and the focus stay where they are.

use super::{Asked, Conversation, RestoreMessage, SkipMessage, read_after, written};
use crate::live::Followed;
use crate::ui::{Badge, Button, ConfirmFold, Empty, FormFault, Look, SendForm, Sending, Time, Tone, fault_of, toast_on_success, waits};
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use switchyard::types::{ConversationId, Direction, EntryState, LineId, MessageId, MessageState, Origin, TimelineRow, Timestamp};

/// Which page of the messages the list showed when it was painted.
const OF: &str = "data-of";

/// A row of the list: a message, or the line below which RingCentral knows of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    Message(MessageId),
    /// Whether anything stands above it.
    Border(bool),
}

/// The page's messages, the oldest first, with the border where RingCentral's knowledge ends.
fn items(newest_first: &[TimelineRow], is_older: bool) -> Vec<Item> {
    let waits = |row: &&TimelineRow| row.entry.is_some_and(|entry| entry != EntryState::Posted);
    // Behind the last posted one; on a page of older messages the border may lie further on.
    let behind = newest_first.iter().take_while(|row| row.entry != Some(EntryState::Posted)).count();
    let tail = &newest_first[..behind];
    let border = tail.iter().rposition(|row| waits(&row)).filter(|_| !is_older);
    let mut items = Vec::with_capacity(newest_first.len() + 1);
    for (at, row) in newest_first.iter().enumerate().rev() {
        if border == Some(at) {
            items.push(Item::Border(!items.is_empty()));
        }
        items.push(Item::Message(row.id));
    }
    items
}

/// The messages and what can be done about each.
#[component]
pub fn Timeline(
    /// The conversation.
    id: ConversationId,
    /// Its line.
    line: LineId,
    /// Its page.
    page: String,
    /// What is shown.
    followed: Followed<Conversation>,
    /// What of the conversation is shown.
    asked: Asked,
    /// The reader may skip and restore.
    may_manage: bool,
    /// There is something to press below it: however much comes in, the list is as high as it is.
    has_below: bool,
) -> impl IntoView {
    let skip = Sending::to::<SkipMessage>();
    let restore = Sending::to::<RestoreMessage>();
    read_after(skip, followed);
    read_after(restore, followed);
    toast_on_success(skip, "The message is skipped.");
    toast_on_success(restore, "The message is restored.");
    let nothing = Memo::new(move |_| followed.now.with(|all| all.messages.rows.is_empty()));
    let (is_newest, is_all) = (asked.is_newest(), asked.filter.is_all());
    // Among messages that are left out, or newer ones, the border may lie elsewhere.
    let is_part = !(is_newest && is_all);
    let newest = format!("{page}{}", asked.filter_query());
    // Turned over, a browser opens it at the newest message and stays there; not so where the first one is meant.
    let direction = if asked.is_from_first() { "flex-col" } else { "flex-col-reverse" };
    let height = if has_below { "h-[calc(100dvh-22rem)]" } else { "max-h-[calc(100dvh-22rem)]" };
    let list = NodeRef::<html::Div>::new();
    let shown = use_location().search.get_untracked();
    Effect::new(move |_| {
        let Some(list) = list.get() else { return };
        // What is painted anew takes over the elements that are there, and how far they were scrolled: another page begins where it begins.
        if list.get_attribute(OF).is_some_and(|before| before != shown) {
            list.set_scroll_top(0);
        }
        // Fails only for a name that no attribute can have.
        let _ = list.set_attribute(OF, &shown);
    });
    let ways = move || {
        followed.now.with(|all| {
            let ways = [("Older", "older", &all.messages.older), ("Newer", "newer", &all.messages.newer)];
            let ways = ways.map(|(name, word, cursor)| {
                let href = cursor.as_ref().map(|cursor| format!("{page}{}", asked.query(Some((word, cursor)))));
                href.map(|href| view! { <a class="text-link" href=href>{name}</a> })
            });
            ways.collect_view()
        })
    };
    let says_nothing = move || match (is_all, followed.now.with(|all| all.messages.older.is_some() || all.messages.newer.is_some())) {
        (true, _) => "Nothing was written here.",
        (false, true) => "None of the messages that were looked through is of this kind. Go on to older or newer ones.",
        (false, false) => "No message of the conversation is of this kind.",
    };
    let item = move |item: Item| match item {
        Item::Border(has_above) => view! { <Border has_above=has_above /> }.into_any(),
        Item::Message(id) => message(followed, id)
            .map(|row| view! { <Message row=row line=line skip=skip restore=restore may_manage=may_manage /> })
            .into_any(),
    };
    view! {
        <section class="panel min-w-0">
            <header class="flex flex-wrap items-center justify-between gap-2 border-b border-base-300 px-4 py-3">
                <h2 id="messages" class="font-semibold">"Messages"</h2>
                <p class="flex gap-4">
                    {ways}
                    {(!is_newest).then(|| view! { <a class="text-link" href=newest>"Newest"</a> })}
                </p>
            </header>
            <FormFault fault=fault_of(skip) />
            <FormFault fault=fault_of(restore) />
            <div
                node_ref=list class=format!("flex {height} min-h-80 {direction} overflow-y-auto") tabindex="0" role="region"
                aria-labelledby="messages"
            >
                <Show when=move || nothing.get()>
                    <div class="my-auto">
                        <Empty title="No messages">{says_nothing}</Empty>
                    </div>
                </Show>
                <ol class="flex flex-col gap-3 p-4" data-conversation=id.to_string()>
                    <For each=move || followed.now.with(|all| items(&all.messages.rows, is_part)) key=|item| *item children=item />
                </ol>
            </div>
        </section>
    }
}

#[component]
fn Border(has_above: bool) -> impl IntoView {
    view! {
        <li class="message-border">
            {has_above.then(|| view! { <span class="text-success">"↑ RingCentral has this"</span> })}
            <span class="text-warning">"↓ Only here, not in RingCentral"</span>
        </li>
    }
}

/// A message as it is now; nothing for one that is not on the page.
fn message(followed: Followed<Conversation>, id: MessageId) -> Option<Memo<TimelineRow>> {
    let find = move |all: &Conversation| all.messages.rows.iter().find(|row| row.id == id).cloned();
    let first = followed.now.with_untracked(find)?;
    Some(Memo::new(move |before: Option<&TimelineRow>| {
        // One that leaves the page stays as it was until it is gone.
        followed.now.with(find).or_else(|| before.cloned()).unwrap_or_else(|| first.clone())
    }))
}

#[component]
fn Message(row: Memo<TimelineRow>, line: LineId, skip: Sending, restore: Sending, may_manage: bool) -> impl IntoView {
    let (inbound, who) = row.with_untracked(|row| match row.direction {
        Direction::Inbound => (true, "Contact"),
        Direction::Outbound => (false, row.origin.map_or("Message", Origin::name)),
    });
    let missing = move || row.with(|row| row.entry.is_some_and(|entry| entry != EntryState::Posted));
    let at = Memo::new(move |_| row.with(|row| row.accepted_at.unwrap_or(row.created_at)));
    let words = Memo::new(move |_| row.with(|row| row.written.clone()));
    let tone = if inbound { Tone::Info } else { Tone::Plain };
    let blast = row.with_untracked(|row| row.blast);
    let blast = blast.map(|id| view! { <a class="text-link text-xs" href=format!("/lines/{line}/blasts/{id}")>"The whole blast"</a> });
    let act = may_manage.then(|| acts(row, line, skip, restore));
    view! {
        <li class="message" class:message-in=inbound class:message-missing=missing>
            <article class="message-text">
                <header class="mb-1 flex flex-wrap items-center gap-x-2 gap-y-1">
                    <Badge tone=tone>{who}</Badge>
                    <span class="muted text-xs">{move || view! { <Time at=at.get() /> }}</span>
                    <span class="sr-only">{if inbound { "from the contact" } else { "to the contact" }}</span>
                    {blast}
                </header>
                {move || words.with(written)}
                <p class="mt-1 text-xs">{move || row.with(sms)}</p>
            </article>
            <div class="message-state">{move || row.with(entry)} {act}</div>
        </li>
    }
}

/// How far the SMS is; what came in needs no word, unless it came late.
fn sms(row: &TimelineRow) -> impl IntoView + use<> {
    let (class, word) = match row.state {
        MessageState::Received => return late(row).into_any(),
        MessageState::Queued => ("muted", "SMS waits to be sent"),
        MessageState::Accepted => ("muted", "SMS sent"),
        MessageState::Delivered => ("muted", "SMS delivered"),
        MessageState::Failed => ("text-error font-medium", "SMS failed"),
        MessageState::OptedOut => ("text-warning font-medium", "SMS not sent: the contact has opted out"),
    };
    let why = row.error.clone().filter(|_| row.state != MessageState::OptedOut);
    view! {
        <span class=class>{word}</span>
        {why.map(|why| view! { <span class="muted">": " {why}</span> })}
    }
    .into_any()
}

/// When the contact sent what came in late; nothing for anything else.
fn late(row: &TimelineRow) -> impl IntoView + use<> {
    row.sent_late().map(|sent| view! { <span class="muted">"Sent " <Time at=sent /> ", arrived late"</span> })
}

/// Whether RingCentral has it.
fn entry(row: &TimelineRow) -> impl IntoView + use<> {
    let Some(state) = row.entry else { return view! { <span class="muted text-xs">"Not for RingCentral"</span> }.into_any() };
    let tone = match state {
        EntryState::Posted => Tone::Good,
        EntryState::Held => Tone::Warning,
        EntryState::Queued => Tone::Info,
        EntryState::Skipped => Tone::Plain,
        EntryState::Failed => Tone::Bad,
    };
    let place = row.seq.filter(|_| state == EntryState::Queued).map(|seq| format!(" as no. {seq}"));
    let note = match state {
        EntryState::Posted => posted(row).into_any(),
        EntryState::Held if row.accepted_at.is_none() => "Until the SMS is sent and the contact replies".into_any(),
        EntryState::Held => "Until the contact’s next reply".into_any(),
        EntryState::Queued => "On its way into RingCentral".into_any(),
        EntryState::Skipped | EntryState::Failed => row.reason.clone().unwrap_or_default().into_any(),
    };
    view! {
        <Badge tone=tone>{state.name()} {place}</Badge>
        <span class="muted text-xs break-words">{note}</span>
    }
    .into_any()
}

/// The post that carries it: which, by what reference an agent can quote it, since when, and what RingCentral has said of it since.
fn posted(row: &TimelineRow) -> impl IntoView + use<> {
    let is_agents = row.origin == Some(Origin::Agent);
    let at = row.posted_at.map(|at| view! { <Time at=at /> });
    let post = row.post_id.clone().map(|post| view! { <span class="block">"Post " <span class="break-all">{post}</span></span> });
    let reference = row.reference.clone().map(|reference| view! { <span class="block break-all">"ref " {reference}</span> });
    // An agent's own post comes to us as an event; ours is shown back as one.
    let echo = (!is_agents).then(|| match row.echoed_at {
        Some(at) => view! { <span class="block">"Echo " <Time at=at /></span> }.into_any(),
        None => view! { <span class="block">"No echo yet"</span> }.into_any(),
    });
    let since = |what: &'static str, at: Timestamp, then: &'static str| {
        view! { <span class="block font-medium text-warning">{what} " " <Time at=at /> {then}</span> }
    };
    let edited = row.edited_at.map(|at| since("Changed in RingCentral", at, "; the contact has the text shown here"));
    let removed = row.removed_at.map(|at| since("Deleted in RingCentral", at, "; the contact has it all the same"));
    view! {
        {is_agents.then_some("Written in RingCentral ")}
        {at}
        {post}
        {reference}
        {echo}
        {edited}
        {removed}
    }
}

/// What staff can do about a message that RingCentral does not have.
fn acts(row: Memo<TimelineRow>, line: LineId, skip: Sending, restore: Sending) -> impl IntoView {
    let message = row.with_untracked(|row| row.id);
    let of = move || row.with_untracked(|row| format!("the message of {}", row.accepted_at.unwrap_or(row.created_at).minute()));
    let may_skip =
        Memo::new(move |_| row.with(|row| matches!(row.entry, Some(EntryState::Held | EntryState::Queued | EntryState::Failed))));
    let may_restore = Memo::new(move |_| row.with(|row| matches!(row.entry, Some(EntryState::Skipped | EntryState::Failed))));
    let has_place = Memo::new(move |_| row.with(|row| row.seq.is_some()));
    let skipping = move || {
        may_skip.get().then(|| {
            view! {
                <ConfirmFold label="Skip" of=of() quiet=true>
                    <p>"It will not be posted to RingCentral. The SMS is not touched. It can be restored."</p>
                    <SendForm action=skip>
                        <input type="hidden" name="line" value=line.to_string() />
                        <input type="hidden" name="message" value=message.to_string() />
                        <Button look=Look::Danger pending=waits(skip)>
                            "Skip the message"
                        </Button>
                    </SendForm>
                </ConfirmFold>
            }
        })
    };
    let what = move || {
        if has_place.get() {
            "It is queued again, at the end of the lane, and posted as soon as its turn comes."
        } else {
            "It is held again, and posted with the contact’s next reply."
        }
    };
    let restoring = move || {
        may_restore.get().then(|| {
            view! {
                <ConfirmFold label="Restore" of=of() quiet=true>
                    <p>{what}</p>
                    <SendForm action=restore>
                        <input type="hidden" name="line" value=line.to_string() />
                        <input type="hidden" name="message" value=message.to_string() />
                        <Button look=Look::Main pending=waits(restore)>
                            "Restore the message"
                        </Button>
                    </SendForm>
                </ConfirmFold>
            }
        })
    };
    view! { <div class="message-acts">{restoring} {skipping}</div> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard::types::{MessageId, Written};

    fn row(n: u128, entry: Option<EntryState>) -> TimelineRow {
        TimelineRow {
            id: MessageId(uuid::Uuid::from_u128(n)),
            direction: Direction::Outbound,
            origin: Some(Origin::Blast),
            written: Written::Masked { media: 0 },
            state: MessageState::Accepted,
            error: None,
            created_at: Timestamp(0),
            sent_at: None,
            accepted_at: None,
            entry,
            seq: None,
            post_id: None,
            reference: None,
            posted_at: None,
            echoed_at: None,
            edited_at: None,
            removed_at: None,
            reason: None,
            blast: None,
        }
    }

    fn border(newest_first: &[Option<EntryState>]) -> Option<usize> {
        let rows: Vec<_> = newest_first.iter().zip(0..).map(|(entry, n)| row(n, *entry)).collect();
        items(&rows, false).iter().position(|item| matches!(item, Item::Border(_)))
    }

    #[test]
    fn the_border_stands_behind_the_last_message_that_ringcentral_has() {
        use EntryState::{Held, Posted, Skipped};
        assert_eq!(border(&[Some(Held), Some(Skipped), Some(Posted), Some(Posted)]), Some(2));
        assert_eq!(border(&[Some(Held), Some(Held)]), Some(0), "a contact who never replied");
        assert_eq!(border(&[Some(Posted), Some(Skipped)]), None, "in sync");
        assert_eq!(border(&[None, None]), None, "a line that is not connected");
    }
}
