//! The simulator: a contact's handset beside the agent's chat, so that the job can be watched. Only where the sandbox runs.
//!
//! The rule: it sends by the product's own verbs and invented numbers, and shows what the sandbox has, never what we think it has.

mod chat;
#[cfg(feature = "ssr")]
mod sandbox;

use crate::conversation::concerns_line;
use crate::fault::{Fault, Reply};
use crate::live::{Followed, follow};
use crate::sync::SyncBadge;
use crate::ui::{
    Badge, Button, ButtonLink, Choice, Empty, FaultView, FilterBar, FormFault, Loading, Look, Number, PageHead, Select, SendForm, Sending,
    TextArea, Time, Tone, fault_of, field_error, load, query_field, toast_on_success, waits,
};
use leptos::html;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{BlastId, BlastRow, ConversationDetail, ConversationId, ConversationRow, LineId, LineRow, PhoneNumber, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    sandbox::Sandbox,
    serde_json::json,
    switchyard::directory,
    switchyard::messaging::blast,
    switchyard::staff::may,
    switchyard::sync,
    switchyard::types::{IntegrationType, LineFilter, Problem},
};

/// How many lines and conversations are offered.
#[cfg(feature = "ssr")]
const OFFERED: usize = 100;
/// How many contacts a blast goes to.
const RECIPIENTS: usize = 200;
/// Area codes of invented recipients; 555-0100 to 555-0199 are reserved for examples in each (North American Numbering Plan).
#[cfg(feature = "ssr")]
const AREAS: [u32; 4] = [312, 503, 617, 713];

/// Something that the sandbox is told to do wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mischief {
    /// The next post is accepted and its answer lost.
    LoseAnswer,
    /// The next post is answered with 429.
    TooMany,
    /// The next post is refused.
    Refuse,
}

/// A text on the handset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandsetText {
    /// The contact wrote it.
    pub own: bool,
    /// What it says.
    pub text: String,
    /// When it was sent.
    pub at: Timestamp,
    /// How many pictures it has.
    pub pictures: usize,
    /// Why it did not arrive.
    pub failure: Option<String>,
}

/// A post in the agent's chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChatPost {
    /// Its text.
    pub text: String,
    /// When it was made.
    pub at: Timestamp,
    /// It brings the blast.
    pub is_blast: bool,
}

/// What became of a blast, counted from the sandbox's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastEffect {
    /// The blast as its sender sees it.
    pub blast: BlastRow,
    /// SMS that the carrier took.
    pub sms: usize,
    /// Posts that carry it.
    pub posts: usize,
    /// Chats that show it.
    pub chats: usize,
}

/// One conversation as both sides see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// Its head.
    pub detail: ConversationDetail,
    /// The handset, the oldest first.
    pub handset: Vec<HandsetText>,
    /// The agent's chat, the oldest first; `None` when there is none.
    pub chat: Option<Vec<ChatPost>>,
    /// The blast that was sent from here.
    pub blast: Option<BlastEffect>,
    /// What goes wrong with the next posts, in words.
    pub armed: Vec<String>,
}

/// What there is to choose, and the scene that is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The lines that are connected to RingCentral.
    pub lines: Vec<LineRow>,
    /// The chosen one.
    pub line: Option<LineId>,
    /// Its newest conversations.
    pub contacts: Vec<ConversationRow>,
    /// The chosen one.
    pub contact: Option<ConversationId>,
    /// Both sides of it.
    pub scene: Option<Scene>,
    /// The sandbox as a browser reaches it.
    pub sandbox: Option<String>,
}

/// The stage as the URL has it; what is not chosen is chosen for the reader. `mark` is the journal's last entry before the blast.
/// `None` where no sandbox runs.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/stage")]
pub async fn read_stage(
    line: Option<LineId>,
    contact: Option<ConversationId>,
    blast: Option<BlastId>,
    #[server(default)] mark: u64,
) -> Result<Option<Stage>, Fault> {
    permit::<may::SendMessages>().await?;
    let see_lines = permit::<may::SeeDirectory>().await?;
    let see_messages = permit::<may::SeeMessages>().await?;
    let services = services()?;
    if services.sandbox_url.is_none() {
        return Ok(None);
    }
    let filter = LineFilter { integration_type: Some(IntegrationType::Ringcentral), ..LineFilter::default() };
    let lines = directory::lines::list(&services.db, &see_lines, &filter, None, OFFERED).await?.rows;
    let line = line.filter(|line| lines.iter().any(|offered| offered.id == *line)).or_else(|| lines.first().map(|line| line.id));
    let contacts = match line {
        Some(line) => sync::conversations_of_line(&services.db, &see_messages, line, None, OFFERED).await?.rows,
        None => Vec::new(),
    };
    let contact = match (line, contact) {
        // Another line was chosen: the contact was one of the line before.
        (Some(line), Some(contact)) if sync::find_conversation(&services.db, &see_messages, line, contact).await.is_ok() => Some(contact),
        _ => contacts.first().map(|contact| contact.id),
    };
    let scene = match (line, contact) {
        (Some(line), Some(contact)) => Some(read_scene(line, contact, blast, mark).await?),
        _ => None,
    };
    Ok(Some(Stage { lines, line, contacts, contact, scene, sandbox: services.sandbox_public_url }))
}

/// Both sides of a conversation, and what became of a blast.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/scene")]
pub async fn read_scene(
    line: LineId,
    contact: ConversationId,
    blast: Option<BlastId>,
    #[server(default)] mark: u64,
) -> Result<Scene, Fault> {
    permit::<may::SendMessages>().await?;
    let permit = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let sandbox = Sandbox::of(&services)?;
    let detail = sync::find_conversation(&services.db, &permit, line, contact).await?;
    let blast = match blast {
        Some(id) => blast::get(&services.db, detail.account_id, line, id).await?,
        None => None,
    };
    let (number, line_number) = (detail.number.expose(), detail.line_number.expose());
    let handset =
        sandbox.handset(number).await?.into_iter().filter(|text| text.from == line_number || text.to.iter().any(|to| to == line_number));
    let handset = handset
        .map(|text| HandsetText {
            own: text.from == number,
            text: text.text,
            at: text.at,
            pictures: text.media.len(),
            failure: text.failure,
        })
        .collect();
    let chat = match detail.chat_id.as_deref() {
        Some(id) => sandbox.chat(id).await?,
        None => None,
    };
    let carries = |text: &str| blast.as_ref().is_some_and(|blast| text.contains(&blast.body));
    let chat = chat.map(|posts| {
        posts.into_iter().map(|post| ChatPost { is_blast: carries(&post.text), text: post.text, at: post.created_at }).collect()
    });
    let armed = sandbox.armed().await?.iter().filter_map(in_words).map(ToOwned::to_owned).collect();
    let blast = match blast {
        Some(row) => Some(effect(&sandbox, row, mark).await?),
        None => None,
    };
    Ok(Scene { detail, handset, chat, blast, armed })
}

/// Counts what became of a blast. The verdict is the journal's: it knows nothing of our tables.
#[cfg(feature = "ssr")]
async fn effect(sandbox: &Sandbox, blast: BlastRow, mark: u64) -> Result<BlastEffect, Problem> {
    let (entries, _) = sandbox.journal(mark).await?;
    let mine = |kind: &str| {
        let of_kind = entries.iter().filter(move |entry| entry.accepted && entry.kind == kind);
        of_kind.filter(|entry| entry.text.as_ref().is_some_and(|text| text.contains(&blast.body))).collect::<Vec<_>>()
    };
    let (sms, posts) = (mine("sms").len(), mine("post"));
    let chats: std::collections::HashSet<_> = posts.iter().filter_map(|post| post.chat_id.as_deref()).collect();
    Ok(BlastEffect { sms, posts: posts.len(), chats: chats.len(), blast })
}

#[cfg(feature = "ssr")]
fn in_words(armed: &serde_json::Value) -> Option<&'static str> {
    match (armed.get("fault")?.as_str()?, armed.get("status").and_then(serde_json::Value::as_u64)) {
        ("lose_answer", _) => Some("The next answer is lost"),
        ("status", Some(429)) => Some("The next post gets 429"),
        ("status", Some(400)) => Some("The next post is refused"),
        _ => Some("Another fault is armed"),
    }
}

/// Sends a blast to the chosen contact and invented ones, and shows what becomes of it.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/blast")]
pub async fn send_blast(line: LineId, contact: Option<ConversationId>) -> Result<(), Fault> {
    let send = permit::<may::SendMessages>().await?;
    let see = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let (_, mark) = Sandbox::of(&services)?.journal(0).await?;
    let own = match contact {
        Some(contact) => Some(sync::find_conversation(&services.db, &see, line, contact).await?.number),
        None => None,
    };
    let invented = AREAS.iter().flat_map(|area| (0..100).step_by(2).map(move |n| format!("+1{area}55501{n:02}")));
    let others = invented.filter_map(|number| PhoneNumber::parse(&number).ok()).filter(|number| own.as_ref() != Some(number));
    let recipients: Vec<PhoneNumber> = own.iter().cloned().chain(others).take(RECIPIENTS).collect();
    // The code tells this blast from every other in the journal.
    let code = 100_000 + services.now.rng.below(900_000);
    let text = format!("This week only: 20% off everything. Show code {code} at the counter. Reply STOP to opt out.");
    let blast = blast::take_as_staff(&services.db, &services.now, &send, line, &text, &recipients).await?;
    let contact = contact.map(|contact| format!("&contact={contact}")).unwrap_or_default();
    leptos_axum::redirect(&format!("/simulator?line={line}{contact}&blast={blast}&mark={mark}"));
    Ok(())
}

/// Sends a text from the contact's handset to the line.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/reply")]
pub async fn send_reply(line: LineId, contact: ConversationId, text: String) -> Result<(), Fault> {
    permit::<may::SendMessages>().await?;
    let see = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 1_000 {
        return Err(Problem::invalid("text", "Write a text of at most 1,000 characters.").into());
    }
    let detail = sync::find_conversation(&services.db, &see, line, contact).await?;
    Ok(Sandbox::of(&services)?.send(detail.number.expose(), detail.line_number.expose(), text).await?)
}

/// Has the sandbox do something wrong with the next post.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/fault")]
pub async fn arm_fault(mischief: Mischief) -> Result<(), Fault> {
    permit::<may::SendMessages>().await?;
    let fault = match mischief {
        Mischief::LoseAnswer => json!({ "on": "post", "fault": "lose_answer" }),
        Mischief::TooMany => json!({ "on": "post", "fault": "status", "status": 429, "retry_after": 15 }),
        Mischief::Refuse => json!({ "on": "post", "fault": "status", "status": 400 }),
    };
    Ok(Sandbox::of(&services()?)?.arm(&fault).await?)
}

/// Has the sandbox do everything right again.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/disarm")]
pub async fn disarm_faults() -> Result<(), Fault> {
    permit::<may::SendMessages>().await?;
    Ok(Sandbox::of(&services()?)?.disarm().await?)
}

/// The simulator.
#[component]
pub fn SimulatorPage() -> impl IntoView {
    let (line, contact, blast, mark) = (query_field("line"), query_field("contact"), query_field("blast"), query_field("mark"));
    let found = load(
        move || (line.get().parse().ok(), contact.get().parse().ok(), blast.get().parse().ok(), mark.get().parse().unwrap_or(0)),
        |(line, contact, blast, mark)| async move { ((blast, mark), read_stage(line, contact, blast, mark).await) },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    (sent, Ok(Some(stage))) => view! { <Whole stage=stage sent=sent /> }.into_any(),
                    (_, Ok(None)) => {
                        view! {
                            <PageHead title="Simulator" />
                            <div class="panel">
                                <Empty title="No sandbox runs here">
                                    "The simulator needs the RingCentral sandbox, which runs with “switchyard demo” and never beside real lines."
                                </Empty>
                            </div>
                        }
                            .into_any()
                    }
                    (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Whole(stage: Stage, sent: (Option<BlastId>, u64)) -> impl IntoView {
    let Stage { lines, line, contacts, contact, scene: first, sandbox } = stage;
    let text_of = |id: Option<String>| Signal::stored(id.unwrap_or_default());
    let lines: Vec<_> = lines
        .into_iter()
        .map(|line| Choice::new(line.id, format!("{} · {} · {}", line.label, line.account, line.number.readable())))
        .collect();
    let mut offered: Vec<_> = contacts.iter().map(|row| Choice::new(row.id, named(row.contact.as_deref(), &row.number))).collect();
    if let (Some(first), Some(contact)) = (&first, contact)
        && contacts.iter().all(|row| row.id != contact)
    {
        offered.insert(0, Choice::new(contact, named(first.detail.contact.as_deref(), &first.detail.number)));
    }
    let stand = match (line, contact, first) {
        (Some(line), Some(contact), Some(first)) => view! { <Stand line=line contact=contact first=first sent=sent /> }.into_any(),
        (Some(line), ..) => view! { <BlastPanel line=line contact=None effect=Signal::stored(None) /> }.into_any(),
        (None, ..) => view! {
            <div class="panel">
                <Empty title="No RingCentral line">
                    <span>"The simulator needs a line that is set to RingCentral."</span>
                    <ButtonLink href="/lines">"Go to the lines"</ButtonLink>
                </Empty>
            </div>
        }
        .into_any(),
    };
    view! {
        <PageHead title="Simulator">
            {sandbox.map(|url| view! { <ButtonLink href=url external=true>"All chats and handsets"</ButtonLink> })}
        </PageHead>
        <FilterBar>
            <div class="w-full sm:w-96">
                <Select label="Line" name="line" choices=lines value=text_of(line.map(|id| id.to_string())) bare=true />
            </div>
            <div class="w-full sm:w-80">
                <Select label="Contact" name="contact" choices=offered value=text_of(contact.map(|id| id.to_string())) bare=true />
            </div>
        </FilterBar>
        {stand}
    }
}

fn named(name: Option<&str>, number: &PhoneNumber) -> String {
    name.map_or_else(|| number.readable(), |name| format!("{name} · {}", number.readable()))
}

/// One conversation: the blast, both sides, and what can be made to go wrong.
#[component]
fn Stand(line: LineId, contact: ConversationId, first: Scene, sent: (Option<BlastId>, u64)) -> impl IntoView {
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
            <Chat followed=followed />
        </div>
        <Faults followed=followed />
    }
}

/// Sends the blast and counts what becomes of it.
#[component]
fn BlastPanel(line: LineId, contact: Option<ConversationId>, effect: Signal<Option<BlastEffect>>) -> impl IntoView {
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
    let action = Sending::to::<SendReply>();
    let fault = fault_of(action);
    let form = NodeRef::<html::Form>::new();
    action.on_success(move || {
        followed.read_again();
        if let Some(form) = form.get_untracked() {
            form.reset();
        }
    });
    let nothing = Memo::new(move |_| followed.now.with(|scene| scene.handset.is_empty()));
    let number = followed.now.with_untracked(|scene| scene.detail.number.clone());
    view! {
        <section class="panel flex min-w-0 flex-col">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 id="handset" class="font-semibold">"The contact’s handset"</h2>
                <p class="muted text-xs">
                    <Number number=number />
                </p>
            </header>
            <div class="flex h-72 flex-col-reverse overflow-y-auto" tabindex="0" role="region" aria-labelledby="handset">
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
            <div class="border-t border-base-300 p-4">
                <SendForm action=action node_ref=form>
                    <div class="flex flex-col gap-3">
                        <FormFault fault=fault fields=&["text"] />
                        <input type="hidden" name="line" value=line.to_string() />
                        <input type="hidden" name="contact" value=contact.to_string() />
                        <TextArea label="Reply as the contact" name="text" rows=2 error=field_error(fault, "text") />
                        <div>
                            <Button look=Look::Main pending=waits(action)>
                                "Send reply"
                            </Button>
                        </div>
                    </div>
                </SendForm>
            </div>
        </section>
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

/// The agent's chat.
#[component]
fn Chat(followed: Followed<Scene>) -> impl IntoView {
    let nothing = Memo::new(move |_| followed.now.with(|scene| scene.chat.as_ref().is_none_or(Vec::is_empty)));
    let detail = followed.now.with_untracked(|scene| scene.detail.clone());
    view! {
        <section class="panel flex min-w-0 flex-col">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 id="chat" class="font-semibold">"The agent’s chat in RingCentral"</h2>
                <p class="muted text-xs">{detail.account} " · " {detail.line}</p>
            </header>
            <div class="flex h-72 grow flex-col-reverse overflow-y-auto" tabindex="0" role="region" aria-labelledby="chat">
                <Show
                    when=move || nothing.get()
                    fallback=move || {
                        view! {
                            <ol class="flex flex-col gap-1 p-3" data-chat="">
                                <For
                                    each=move || followed.now.with(|scene| numbered(scene.chat.as_deref().unwrap_or_default()))
                                    key=Clone::clone
                                    children=|(_, post)| agents_post(post)
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
        </section>
    }
}

fn agents_post(post: ChatPost) -> impl IntoView {
    view! {
        <li class="post" class:post-blast=post.is_blast>
            <p class="mb-0.5 flex flex-wrap items-center gap-2 text-xs">
                <span class="font-semibold">"Switchyard"</span>
                <span class="muted">
                    <Time at=post.at />
                </span>
                {post.is_blast.then(|| view! { <Badge tone=Tone::Info>"This blast"</Badge> })}
            </p>
            <div class="break-words">{chat::post(&post.text)}</div>
        </li>
    }
}

/// What the sandbox can be told to do wrong.
#[component]
fn Faults(followed: Followed<Scene>) -> impl IntoView {
    let arming = Sending::to::<ArmFault>();
    let disarming = Sending::to::<DisarmFaults>();
    arming.on_answer(move || followed.read_again());
    disarming.on_answer(move || followed.read_again());
    toast_on_success(arming, "Armed. Now reply as the contact.");
    let mischief = |word: &'static str, label: &'static str, what: &'static str| {
        view! {
            <li class="flex flex-col items-start gap-1.5">
                <button type="submit" name="mischief" value=word class="btn btn-sm h-9 border-base-300 bg-base-100 text-sm font-medium">
                    {label}
                </button>
                <p class="muted text-xs">{what}</p>
            </li>
        }
    };
    view! {
        <section class="panel mt-4" aria-labelledby="faults">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 id="faults" class="font-semibold">"Make RingCentral fail"</h2>
                <p class="muted text-xs">"Each is for the next post of any conversation. Arm one, then reply as the contact."</p>
            </header>
            <div class="p-4">
                <FormFault fault=fault_of(arming) />
                <SendForm action=arming>
                    <ul class="grid gap-4 sm:grid-cols-3">
                        {mischief(
                            "lose_answer",
                            "Lose the next answer",
                            "The post is accepted, but nobody tells us. Switchyard waits until it has settled, looks for it, and does not post it twice. Takes half a minute.",
                        )}
                        {mischief("too_many", "Answer 429 once", "RingCentral is called too often. Nobody calls for 15 seconds; then the lane goes on in sequence.")}
                        {mischief(
                            "refuse",
                            "Refuse the next post",
                            "A bundle is halved until the refused message is alone. It is marked as refused and never blocks those behind it.",
                        )}
                    </ul>
                </SendForm>
                <div role="status">
                    {move || {
                        let armed = followed.now.with(|scene| scene.armed.clone());
                        (!armed.is_empty())
                            .then(|| {
                                view! {
                                    <div class="mt-4 flex flex-wrap items-center gap-2 border-t border-base-300 pt-3">
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
