//! A line's conversations, the newest first, each with how far RingCentral is.

use super::{line, line_of_path, no_such_line};
use crate::conversation::concerns_line;
use crate::fault::{Fault, Reply};
use crate::live::follow;
use crate::sync::{SyncBadge, SyncReason, contact};
use crate::ui::{
    ButtonLink, Cell, CsvLink, Empty, FaultView, Loading, PageHead, Pager, Table, Tabs, Time, TypeBadge, load, masked_note, query_field,
};
use futures_util::future::try_join;
use leptos::prelude::*;
use switchyard::types::{ConversationRow, Cursor, IntegrationType, LineId, LineRow, Page};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::staff::may,
    switchyard::sync,
};

/// How many conversations a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// Conversations of a line, the newest first.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/conversations")]
pub async fn line_conversations(id: LineId, after: Option<Cursor>) -> Result<Page<ConversationRow>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(sync::conversations_of_line(&services()?.db, &permit, id, after.as_ref(), PAGE).await?)
}

/// The views of a line.
pub fn tabs(id: LineId, sees_messages: bool) -> Vec<(&'static str, String)> {
    let mut tabs = vec![("Overview", format!("/lines/{id}"))];
    if sees_messages {
        tabs.push(("Conversations", format!("/lines/{id}/conversations")));
        tabs.push(("Blasts", format!("/lines/{id}/blasts")));
    }
    tabs
}

/// A line's conversations.
#[component]
pub fn ConversationsPage() -> impl IntoView {
    let id = line_of_path();
    let after = query_field("after");
    let found = load(
        move || (id.get(), after.get()),
        |(id, after)| async move {
            let Some(id) = id else { return Err(no_such_line()) };
            let after = (!after.is_empty()).then_some(Cursor(after));
            let (of, first) = try_join(line(id), line_conversations(id, after.clone())).await?;
            Ok((of.line, after, first))
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok((line, after, first)) => whole(line, after, first).into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(line: LineRow, after: Option<Cursor>, first: Page<ConversationRow>) -> impl IntoView {
    let (id, of_type) = (line.id, line.integration_type);
    let followed = follow(first, move |change| concerns_line(change, id), move || line_conversations(id, after.clone()));
    let nothing = Memo::new(move |_| followed.now.with(|page| page.rows.is_empty()));
    let next = Memo::new(move |_| followed.now.with(|page| page.next.clone()));
    let is_masked = Memo::new(move |_| followed.now.with(|page| page.rows.iter().any(|row| row.number.whole().is_none())));
    let has_chats = of_type == IntegrationType::Ringcentral;
    let head: &'static [&'static str] =
        if has_chats { &["Contact", "Sync", "Chat", "Last message"] } else { &["Contact", "Sync", "Last message"] };
    let row = move |row: ConversationRow| {
        view! {
            <tr role="row">
                <Cell of="Contact">{contact(row.contact, row.number, format!("/lines/{id}/conversations/{}", row.id))}</Cell>
                <Cell of="Sync">
                    <span class="me-1.5">
                        <SyncBadge of=row.sync.clone() />
                    </span>
                    <SyncReason of=row.sync />
                </Cell>
                {has_chats
                    .then(|| {
                        view! {
                            <Cell of="Chat">
                                <span class="muted break-all">{row.chat_id.unwrap_or_else(|| "None yet".to_owned())}</span>
                            </Cell>
                        }
                    })}
                <Cell of="Last message">
                    <Time at=row.last_at />
                </Cell>
            </tr>
        }
    };
    view! {
        <PageHead
            title=line.number.readable() above=vec![("Lines".to_owned(), "/lines".to_owned())]
            beside=move || view! { <TypeBadge of=of_type /> }
        >
            <ButtonLink href=format!("/sync/find?line={id}")>"Find by number"</ButtonLink>
            <CsvLink href=format!("/lines/{id}/conversations.csv") />
        </PageHead>
        <Tabs label="This line" tabs=tabs(id, true) />
        {move || masked_note(is_masked.get())}
        <div class="panel">
            <Show
                when=move || nothing.get()
                fallback=move || {
                    view! {
                        <Table label="Conversations of the line" head=head>
                            <For each=move || followed.now.with(|page| page.rows.clone()) key=Clone::clone children=row />
                        </Table>
                    }
                }
            >
                <Empty title="No conversations">
                    {if of_type == IntegrationType::None {
                        "The line is set to None: replies are recorded, and no conversation is made of them."
                    } else {
                        "A conversation begins with the first message to or from a contact."
                    }}
                </Empty>
            </Show>
        </div>
        {move || view! { <Pager label="Pages of conversations" next=next.get() /> }}
    }
}
