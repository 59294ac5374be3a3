//! The simulator: a contact's handset beside the agent's chat, so that the job can be watched. Only where the sandbox runs.
//!
//! The rule: it sends by the product's own verbs and invented numbers, and shows what the sandbox has, never what we think it has.

mod chat;
#[cfg(feature = "ssr")]
mod sandbox;
mod stand;

use crate::fault::{Fault, Reply};
use crate::ui::{ButtonLink, Choice, Empty, FaultView, FilterBar, Loading, PageHead, Select, load, query_field};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use stand::{BlastPanel, Stand};
use switchyard::types::{BlastId, BlastRow, ConversationDetail, ConversationId, ConversationRow, LineId, LineRow, ShownNumber, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    sandbox::Sandbox,
    serde_json::json,
    switchyard::directory,
    switchyard::messaging::blast,
    switchyard::ringcentral,
    switchyard::staff::may,
    switchyard::sync,
    switchyard::types::{IntegrationType, LineFilter, PhoneNumber, Problem},
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
    /// The next event comes ten seconds late.
    DelayEvent,
    /// The next event comes twice.
    DoubleEvent,
    /// The next event never comes.
    DropEvent,
    /// The next event comes behind the one after it.
    OvertakeEvent,
}

/// Something that is broken in the sandbox at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breakage {
    /// Every access token runs out.
    Token,
    /// The subscription of the line's connection is blacklisted.
    Subscription,
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
    /// An agent wrote it, and not Switchyard.
    pub is_agents: bool,
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
    /// What goes wrong with the next posts and events, in words.
    pub armed: Vec<String>,
    /// RingCentral tells nobody of what happens in the chat: the subscription is blacklisted.
    pub is_blacklisted: bool,
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
    let see_lines = permit::<may::SeeDirectory>().await?;
    let permit = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let sandbox = Sandbox::of(&services)?;
    let detail = sync::find_conversation(&services.db, &permit, line, contact).await?;
    let connection = ringcentral::of_account(&services.db, &services.now, &see_lines, detail.account_id).await?;
    let is_blacklisted = match connection {
        Some(connection) => sandbox.subscriptions(&connection.client_id).await?.iter().any(sandbox::Subscription::is_blacklisted),
        None => false,
    };
    let blast = match blast {
        Some(id) => blast::get(&services.db, detail.account_id, line, id).await?,
        None => None,
    };
    let (number, line_number) = (whole(&detail.number)?.expose(), detail.line_number.expose());
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
    let chat = chat.map(|(made_by, posts)| {
        let shown = |post: sandbox::Post| ChatPost {
            is_blast: carries(&post.text),
            is_agents: post.creator_id != made_by,
            text: post.text,
            at: post.created_at,
        };
        posts.into_iter().map(shown).collect()
    });
    let armed = sandbox.armed().await?.iter().filter_map(in_words).map(ToOwned::to_owned).collect();
    let blast = match blast {
        Some(row) => Some(effect(&sandbox, row, mark).await?),
        None => None,
    };
    Ok(Scene { detail, handset, chat, blast, armed, is_blacklisted })
}

/// A contact's number, for who may see it: the simulator plays both sides.
#[cfg(feature = "ssr")]
fn whole(number: &ShownNumber) -> Result<&PhoneNumber, Problem> {
    number.whole().ok_or_else(|| Problem::forbidden("The simulator shows both sides: it needs the permission to see personal data."))
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
        ("delay_event", _) => Some("The next event is late"),
        ("double_event", _) => Some("The next event comes twice"),
        ("drop_event", _) => Some("The next event is lost"),
        ("overtake_event", _) => Some("The next event is overtaken"),
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
        Some(contact) => Some(whole(&sync::find_conversation(&services.db, &see, line, contact).await?.number)?.clone()),
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
    Ok(Sandbox::of(&services)?.send(whole(&detail.number)?.expose(), detail.line_number.expose(), text).await?)
}

/// Writes in the chat as an agent does in the RingCentral app.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/agent")]
pub async fn write_as_agent(line: LineId, contact: ConversationId, answer: String) -> Result<(), Fault> {
    permit::<may::SendMessages>().await?;
    let see = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let text = answer.trim();
    if text.is_empty() || text.chars().count() > 1_000 {
        return Err(Problem::invalid("answer", "Write a text of at most 1,000 characters.").into());
    }
    let detail = sync::find_conversation(&services.db, &see, line, contact).await?;
    let Some(chat) = detail.chat_id.as_deref() else {
        return Err(Problem::invalid("answer", "There is no chat yet. It appears with the contact’s first reply.").into());
    };
    Ok(Sandbox::of(&services)?.write_as_agent(chat, text).await?)
}

/// Has the sandbox break something at once.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/break")]
pub async fn break_now(line: LineId, contact: ConversationId, what: Breakage) -> Result<(), Fault> {
    permit::<may::SendMessages>().await?;
    let see_lines = permit::<may::SeeDirectory>().await?;
    let see = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let detail = sync::find_conversation(&services.db, &see, line, contact).await?;
    let sandbox = Sandbox::of(&services)?;
    if what == Breakage::Token {
        return Ok(sandbox.expire_tokens().await?);
    }
    let connection = ringcentral::of_account(&services.db, &services.now, &see_lines, detail.account_id).await?;
    let subscriptions = match connection {
        Some(connection) => sandbox.subscriptions(&connection.client_id).await?,
        None => Vec::new(),
    };
    if subscriptions.is_empty() {
        return Err(Problem::conflict("There is no subscription yet. It is made within seconds of the start; try again then.").into());
    }
    for subscription in subscriptions {
        sandbox.blacklist(&subscription).await?;
    }
    Ok(())
}

/// Has the sandbox do something wrong with the next post or event.
#[server(prefix = "/fn", output = Reply, endpoint = "simulator/fault")]
pub async fn arm_fault(mischief: Mischief) -> Result<(), Fault> {
    permit::<may::SendMessages>().await?;
    let fault = match mischief {
        Mischief::LoseAnswer => json!({ "on": "post", "fault": "lose_answer" }),
        Mischief::TooMany => json!({ "on": "post", "fault": "status", "status": 429, "retry_after": 15 }),
        Mischief::Refuse => json!({ "on": "post", "fault": "status", "status": 400 }),
        Mischief::DelayEvent => json!({ "on": "event", "fault": "delay_event", "ms": 10_000 }),
        Mischief::DoubleEvent => json!({ "on": "event", "fault": "double_event" }),
        Mischief::DropEvent => json!({ "on": "event", "fault": "drop_event" }),
        Mischief::OvertakeEvent => json!({ "on": "event", "fault": "overtake_event" }),
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

fn named(name: Option<&str>, number: &ShownNumber) -> String {
    name.map_or_else(|| number.readable(), |name| format!("{name} · {}", number.readable()))
}
