//! One conversation on the simulator's stage: the blast, the handset beside the agent's chat, and what can be made to go wrong.

use super::{
    ArmFault, BlastEffect, BreakNow, ChatPost, DisarmFaults, HandsetText, RECIPIENTS, Scene, SendBlast, SendReply, WriteAsAgent, named,
    read_scene,
};
use crate::conversation::concerns_line;
use crate::live::{Followed, follow};
use crate::sync::SyncBadge;
use crate::ui::{
    Badge, Button, Empty, FormFault, Look, SendForm, Sending, TextArea, Time, Tone, contact_number, fault_of, field_error,
    toast_on_success, waits,
};
use leptos::html;
use leptos::prelude::*;
use switchyard::types::{BlastId, ConversationId, LineId};

/// One conversation: the blast, both sides, and what can be made to go wrong.
#[component]
pub(super) fn Stand(line: LineId, contact: ConversationId, first: Scene, sent: (Option<BlastId>, u64)) -> impl IntoView {
    let (blast, mark) = sent;
    let detail = first.detail.clone();
    let page = format!("/lines/{line}/conversations/{contact}");
    // The blast's posts may turn up in any chat of the line.
    let followed = follow(first, move |change| concerns_line(change, line), move || read_scene(line, contact, blast, mark));
    let state = move || followed.now.with(|scene| scene.detail.sync.clone());
    view! {
        <BlastPanel line=line contact=Some(contact) effect=Signal::derive(move || followed.now.with(|scene| scene.blast.clone())) />
        <div class="my-3 flex flex-wrap items-center gap-x-3 gap-y-1">
            <span class="font-semibold">{named(detail.contact.as_deref(), &detail.number)}</span>
            {move || view! { <SyncBadge of=state() /> }}
            <a class="text-link" href=page>"The conversation in Switchyard"</a>
        </div>
        <div class="grid items-stretch gap-4 lg:grid-cols-2">
            <Handset line=line contact=contact followed=followed />
            <Chat line=line contact=contact followed=followed />
        </div>
        <Faults line=line contact=contact followed=followed />
    }
}

/// Sends the blast and counts what becomes of it.
#[component]
pub(super) fn BlastPanel(line: LineId, contact: Option<ConversationId>, effect: Signal<Option<BlastEffect>>) -> impl IntoView {
    let action = Sending::to::<SendBlast>();
    let figure = |label: &'static str, value: String| {
        view! {
            <div class="flex flex-col-reverse justify-end">
                <dt class="muted text-xs">{label}</dt>
                <dd class="text-lg leading-tight font-semibold whitespace-nowrap sm:text-xl">{value}</dd>
            </div>
        }
    };
    view! {
        <section class="panel flex flex-wrap items-center gap-x-10 gap-y-4 p-4" aria-labelledby="blast">
            <div class="flex min-w-0 flex-1 basis-80 flex-col items-start gap-2">
                <h2 id="blast" class="font-semibold">"Blast"</h2>
                <p class="muted text-xs">
                    "The SMS go out at once. RingCentral hears of them contact by contact, when one replies: the blast then stands above the reply, in that chat and nowhere else."
                </p>
                <FormFault fault=fault_of(action) />
                <SendForm action=action>
                    <input type="hidden" name="line" value=line.to_string() />
                    {contact.map(|contact| view! { <input type="hidden" name="contact" value=contact.to_string() /> })}
                    <Button look=Look::Main pending=waits(action)>
                        "Send a blast to "
                        {RECIPIENTS}
                        " contacts"
                    </Button>
                </SendForm>
            </div>
            <div role="status" class="flex-1 basis-80">
                {move || match effect.get() {
                    Some(effect) => {
                        let (sms, wanted) = (effect.sms, effect.blast.recipients - effect.blast.opted_out - effect.blast.duplicates);
                        view! {
                            <dl class="grid grid-cols-3 gap-4" data-blast="">
                                {figure("SMS sent", format!("{sms} of {wanted}"))} {figure("Posts that carry it", effect.posts.to_string())}
                                {figure("Chats touched", effect.chats.to_string())}
                            </dl>
                        }
                            .into_any()
                    }
                    None => view! { <p class="muted text-xs">"No blast was sent from here yet. Its figures appear here."</p> }.into_any(),
                }}
            </div>
        </section>
    }
}

/// The contact's handset, and the reply.
#[component]
fn Handset(line: LineId, contact: ConversationId, followed: Followed<Scene>) -> impl IntoView {
    let writing = writing(Sending::to::<SendReply>(), "text", "Reply as the contact", "Send reply", line, contact, followed);
    let nothing = Memo::new(move |_| followed.now.with(|scene| scene.handset.is_empty()));
    let number = followed.now.with_untracked(|scene| scene.detail.number.clone());
    view! {
        <section class="panel flex min-w-0 flex-col">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 id="handset" class="font-semibold">"The contact’s handset"</h2>
                <p class="muted text-xs">
                    {contact_number(&number)}
                </p>
            </header>
            <div class="flex h-72 grow flex-col-reverse overflow-y-auto" tabindex="0" role="region" aria-labelledby="handset">
                <Show
                    when=move || nothing.get()
                    fallback=move || {
                        view! {
                            <ol class="flex flex-col gap-2 p-4">
                                <For
                                    each=move || followed.now.with(|scene| numbered(&scene.handset))
                                    key=Clone::clone
                                    children=|(_, text)| bubble(text)
                                />
                            </ol>
                        }
                    }
                >
                    <div class="my-auto">
                        <Empty title="No texts">"Send a blast, or write as the contact."</Empty>
                    </div>
                </Show>
            </div>
            {writing}
        </section>
    }
}

/// Where somebody writes into the conversation: a form with one text, empty again when it is sent.
fn writing(
    action: Sending,
    name: &'static str,
    label: &'static str,
    send: &'static str,
    line: LineId,
    contact: ConversationId,
    followed: Followed<Scene>,
) -> impl IntoView {
    let fault = fault_of(action);
    let form = NodeRef::<html::Form>::new();
    action.on_success(move || {
        followed.read_again();
        if let Some(form) = form.get_untracked() {
            form.reset();
        }
    });
    view! {
        <div class="border-t border-base-300 p-4">
            <SendForm action=action node_ref=form>
                <div class="flex flex-col gap-3">
                    <FormFault fault=fault fields=&["text", "answer"] />
                    <input type="hidden" name="line" value=line.to_string() />
                    <input type="hidden" name="contact" value=contact.to_string() />
                    <TextArea label=label name=name rows=2 error=field_error(fault, name) />
                    <div>
                        <Button look=Look::Main pending=waits(action)>{send}</Button>
                    </div>
                </div>
            </SendForm>
        </div>
    }
}

/// With their places: the same text may stand there twice.
fn numbered<T: Clone>(list: &[T]) -> Vec<(usize, T)> {
    list.iter().cloned().enumerate().collect()
}

fn bubble(text: HandsetText) -> impl IntoView {
    let pictures = (text.pictures > 0).then(|| {
        let noun = if text.pictures == 1 { " attachment" } else { " attachments" };
        view! { <p class="text-xs">{text.pictures} {noun}</p> }
    });
    view! {
        <li class="bubble" class:bubble-own=text.own>
            <p class="break-words whitespace-pre-line">{text.text}</p>
            {pictures}
            <p class="muted mt-0.5 text-xs">
                <span class="sr-only">{if text.own { "Written by the contact, " } else { "Received, " }}</span>
                <Time at=text.at />
            </p>
            {text.failure.map(|why| view! { <p class="text-error text-xs">"Not delivered: " {why}</p> })}
        </li>
    }
}

/// The agent's chat, and the answer.
#[component]
fn Chat(line: LineId, contact: ConversationId, followed: Followed<Scene>) -> impl IntoView {
    let writing = writing(Sending::to::<WriteAsAgent>(), "answer", "Answer as the agent", "Send answer", line, contact, followed);
    let is_blacklisted = Memo::new(move |_| followed.now.with(|scene| scene.is_blacklisted));
    let nothing = Memo::new(move |_| followed.now.with(|scene| scene.chat.as_ref().is_none_or(Vec::is_empty)));
    let detail = followed.now.with_untracked(|scene| scene.detail.clone());
    view! {
        <section class="panel flex min-w-0 flex-col">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 id="chat" class="font-semibold">"The agent’s chat in RingCentral"</h2>
                <p class="muted text-xs">{detail.account} " · " {detail.line}</p>
                <Show when=move || is_blacklisted.get()>
                    <p class="pt-1">
                        <Badge tone=Tone::Warning>"Blacklisted: Switchyard is told nothing"</Badge>
                    </p>
                </Show>
            </header>
            <div class="flex h-72 flex-col-reverse overflow-y-auto" tabindex="0" role="region" aria-labelledby="chat">
                <Show
                    when=move || nothing.get()
                    fallback=move || {
                        view! {
                            <ol class="flex flex-col gap-1 p-3" data-chat="">
                                <For
                                    each=move || followed.now.with(|scene| numbered(scene.chat.as_deref().unwrap_or_default()))
                                    key=Clone::clone
                                    children=|(_, post)| in_chat(post)
                                />
                            </ol>
                        }
                    }
                >
                    <div class="my-auto">
                        <Empty title="No posts">"RingCentral knows nothing of this contact. A chat appears with their first reply."</Empty>
                    </div>
                </Show>
            </div>
            {writing}
        </section>
    }
}

fn in_chat(post: ChatPost) -> impl IntoView {
    view! {
        <li class="post" class:post-blast=post.is_blast>
            <p class="mb-0.5 flex flex-wrap items-center gap-2 text-xs">
                <span class="font-semibold">{if post.is_agents { "Agent" } else { "Switchyard" }}</span>
                <span class="muted">
                    <Time at=post.at />
                </span>
                {post.is_blast.then(|| view! { <Badge tone=Tone::Info>"This blast"</Badge> })}
            </p>
            <div class="break-words">{super::chat::post(&post.text)}</div>
        </li>
    }
}

/// What the sandbox can be told to do wrong.
#[component]
fn Faults(line: LineId, contact: ConversationId, followed: Followed<Scene>) -> impl IntoView {
    let arming = Sending::to::<ArmFault>();
    let disarming = Sending::to::<DisarmFaults>();
    let breaking = Sending::to::<BreakNow>();
    for action in [arming, disarming, breaking] {
        action.on_answer(move || followed.read_again());
    }
    toast_on_success(arming, "Armed. Now write as the contact or the agent.");
    toast_on_success(breaking, "Done. Now write as the contact or the agent.");
    view! {
        <section class="panel mt-4" aria-labelledby="faults">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 id="faults" class="font-semibold">"Make RingCentral fail"</h2>
                <p class="muted text-xs">
                    "A post is what Switchyard writes into a chat; an event is how it hears of a post. Each fault is for the next one of any conversation."
                </p>
            </header>
            <div class="flex flex-col gap-5 p-4">
                <FormFault fault=fault_of(arming) />
                <SendForm action=arming>
                    <div class="flex flex-col gap-5">
                        {mischiefs("mischief", "The next post", POSTS)} {mischiefs("mischief", "The next event", EVENTS)}
                    </div>
                </SendForm>
                <FormFault fault=fault_of(breaking) />
                <SendForm action=breaking>
                    <input type="hidden" name="line" value=line.to_string() />
                    <input type="hidden" name="contact" value=contact.to_string() />
                    {mischiefs("what", "At once", BREAKAGES)}
                </SendForm>
                <div role="status" class="empty:hidden">
                    {move || {
                        let armed = followed.now.with(|scene| scene.armed.clone());
                        (!armed.is_empty())
                            .then(|| {
                                view! {
                                    <div class="flex flex-wrap items-center gap-2 border-t border-base-300 pt-3">
                                        <span class="font-medium">"Armed:"</span>
                                        {armed.into_iter().map(|text| view! { <Badge tone=Tone::Warning>{text}</Badge> }).collect_view()}
                                        <SendForm action=disarming>
                                            <Button look=Look::Quiet>"Disarm all"</Button>
                                        </SendForm>
                                    </div>
                                }
                            })
                    }}
                </div>
            </div>
        </section>
    }
}

/// What a button sends, what it says, and what comes of it.
type Told = (&'static str, &'static str, &'static str);

const POSTS: &[Told] = &[
    (
        "lose_answer",
        "Lose the next answer",
        "The post is accepted, but nobody tells us. Switchyard waits until it has settled, looks for it, and does not post it twice. Takes half a minute.",
    ),
    ("too_many", "Answer 429 once", "RingCentral is called too often. Nobody calls for 15 seconds; then the lane goes on in sequence."),
    (
        "refuse",
        "Refuse the next post",
        "A bundle is halved until the refused message is alone. It is marked as refused and never blocks those behind it.",
    ),
];
const EVENTS: &[Told] = &[
    ("delay_event", "Delay the next event", "It comes ten seconds late. An agent’s answer waits so long and is then sent, once."),
    ("double_event", "Double the next event", "It comes twice. An agent’s answer is on the handset once all the same."),
    (
        "drop_event",
        "Drop the next event",
        "It never comes. Switchyard reads chats that had news every ten minutes, finds the answer and sends it.",
    ),
    ("overtake_event", "Have the next event overtaken", "It comes behind the one after it. Answer twice: both are sent, each once."),
];
const BREAKAGES: &[Told] = &[
    ("token", "Expire the tokens", "The next call is refused. Switchyard signs in anew and makes it again: nobody notices."),
    (
        "subscription",
        "Blacklist the subscription",
        "RingCentral tells us of nothing any more. Within ten minutes Switchyard notices, subscribes anew and reads what was missed.",
    ),
];

/// Buttons, each with what comes of it.
fn mischiefs(name: &'static str, title: &'static str, told: &'static [Told]) -> impl IntoView {
    view! {
        <div class="flex flex-col gap-2" role="group" aria-label=title>
            <h3 class="text-sm font-semibold">{title}</h3>
            <ul class="grid gap-4 sm:grid-cols-2 xl:grid-cols-4">
                {told
                    .iter()
                    .map(|(word, label, what)| {
                        view! {
                            <li class="flex flex-col items-start gap-1.5">
                                <button type="submit" name=name value=*word class="btn btn-sm h-9 border-base-300 bg-base-100 text-sm font-medium">
                                    {*label}
                                </button>
                                <p class="muted text-xs">{*what}</p>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </div>
    }
}
