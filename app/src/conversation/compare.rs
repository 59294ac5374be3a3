//! What RingCentral shows of a conversation beside what we know. It is asked on demand: each look spends a call of the account's connection.

use super::{above, asked::asked, no_such_conversation, of_path, tabs, written};
use crate::fault::{Fault, Reply};
use crate::ui::{
    Badge, Button, Cell, Empty, FaultView, FormFault, Loading, Look, PageHead, SendForm, Sending, Table, Tabs, Time, Tone, fault_of, load,
    masked_note, waits,
};
use leptos::prelude::*;
use switchyard::types::{Agreement, ComparedMessage, ComparedPost, Comparison, ConversationDetail, ConversationId, LineId, Writer};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::staff::may,
    switchyard::sync,
};

/// Reads the newest posts of the chat and holds them against what we know.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/compare")]
pub async fn compare_conversation(line: LineId, conversation: ConversationId) -> Result<Comparison, Fault> {
    let permit = permit::<may::ManageSync>().await?;
    let services = services()?;
    Ok(sync::compare(&services.db, &services.now, &services.ringcentral, &permit, line, conversation).await?)
}

/// A conversation beside RingCentral.
#[component]
pub fn ComparePage() -> impl IntoView {
    let id = of_path();
    let wanted = asked();
    let found = load(
        move || id.get(),
        move |id| {
            let asked = wanted.get_untracked();
            async move {
                let Some((line, id)) = id else { return Err(no_such_conversation()) };
                Ok((id, asked.read(line, id).await?.detail))
            }
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok((id, detail)) => view! { <Beside id=id detail=detail /> }.into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Beside(id: ConversationId, detail: ConversationDetail) -> impl IntoView {
    let action = Sending::to::<CompareConversation>();
    let page = format!("/lines/{}/conversations/{id}", detail.line_id);
    let answer = move || {
        let found = action.answer().with(|answer| match answer {
            Some(Ok(text)) => serde_json::from_str::<Comparison>(text).ok(),
            _ => None,
        });
        found.map(shown)
    };
    view! {
        <PageHead title=detail.contact.clone().unwrap_or_else(|| detail.number.readable()) above=above(&detail) />
        <Tabs label="This conversation" tabs=tabs(&page) />
        {masked_note(detail.number.whole().is_none())}
        <section class="panel mb-4 flex flex-col gap-3 p-4">
            <p>
                "Reads the chat’s newest 100 posts and holds them against our messages. Each look is one call of the account’s connection, of those that deliveries do not need."
            </p>
            <noscript>
                <p class="muted">"This needs JavaScript: what RingCentral answers is shown and not kept."</p>
            </noscript>
            <FormFault fault=fault_of(action) />
            <div class="scripted">
                <SendForm action=action>
                    <input type="hidden" name="line" value=detail.line_id.to_string() />
                    <input type="hidden" name="conversation" value=id.to_string() />
                    <Button look=Look::Main pending=waits(action)>
                        "Look in RingCentral now"
                    </Button>
                </SendForm>
            </div>
        </section>
        <div aria-live="polite">{answer}</div>
    }
}

fn shown(found: Comparison) -> impl IntoView {
    let differences = found.rows.iter().filter(|row| row.agreement.is_difference()).count();
    let summary = match differences {
        0 => "No difference".to_owned(),
        1 => "1 difference".to_owned(),
        many => format!("{many} differences"),
    };
    let tone = if differences == 0 { Tone::Good } else { Tone::Warning };
    let span = match found.since {
        Some(since) => view! { ", of posts since " <Time at=since /> }.into_any(),
        None => ", of all posts in the chat".into_any(),
    };
    let nothing = found.rows.is_empty();
    let rows = found.rows.into_iter().map(row).collect_view();
    view! {
        <p class="mb-3 flex flex-wrap items-center gap-2 text-sm">
            <Badge tone=tone>{summary}</Badge>
            <span class="muted">"RingCentral was asked " <Time at=found.at /> {span} "."</span>
        </p>
        <div class="panel">
            {if nothing {
                view! { <Empty title="Nothing to compare">"The chat has no posts, and nothing waits for it."</Empty> }.into_any()
            } else {
                view! {
                    <Table label="RingCentral beside our messages" head=&["When", "RingCentral", "Here", "Together"]>
                        {rows}
                    </Table>
                }
                    .into_any()
            }}
        </div>
    }
}

fn row(row: ComparedPost) -> impl IntoView {
    let there = match (row.is_there, row.says) {
        (true, Some(text)) => view! { <p class="max-w-prose text-xs wrap-anywhere whitespace-pre-line">{text}</p> }.into_any(),
        (true, None) => view! { <p class="muted">"•••• masked text"</p> }.into_any(),
        (false, _) => view! { <p class="muted">"Not there"</p> }.into_any(),
    };
    let id = row.post_id.map(|id| view! { <p class="muted text-xs wrap-anywhere">"Post " {id}</p> });
    let nothing = row.here.is_empty().then(|| view! { <p class="muted">"No message of ours"</p> });
    let here = row.here.into_iter().map(message).collect_view();
    let tone = match row.agreement {
        Agreement::Same => Tone::Good,
        Agreement::Waits => Tone::Info,
        Agreement::NotPosted | Agreement::Aside => Tone::Plain,
        Agreement::Missing | Agreement::OtherText => Tone::Bad,
        Agreement::Edited | Agreement::Unknown | Agreement::NotSent => Tone::Warning,
    };
    view! {
        <tr role="row">
            <Cell of="When">{row.at.map(|at| view! { <Time at=at /> })}</Cell>
            <Cell of="RingCentral">{there} {id}</Cell>
            <Cell of="Here">{here} {nothing}</Cell>
            <Cell of="Together">
                <Badge tone=tone>{row.agreement.name()}</Badge>
            </Cell>
        </tr>
    }
}

fn message(of: ComparedMessage) -> impl IntoView {
    view! {
        <div class="mb-1 max-w-prose text-xs">
            <p class="muted">{of.writer.map_or("Message", Writer::name)} ", " <Time at=of.at /></p>
            {written(&of.written)}
        </div>
    }
}
