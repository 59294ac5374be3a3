//! Whom a blast went to: what became of it for each number, narrowed by the state of the SMS.

use crate::fault::{Fault, Reply};
use crate::live::Followed;
use crate::ui::{
    Badge, Cell, Choice, CsvLink, Empty, FilterBar, Pager, RowLink, Select, Table, Time, Tone, contact_number, grouped, query_field,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{BlastDetail, BlastId, BlastRecipient, BlastState, Cursor, LineId, MessageState, Page};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::messaging::blast,
    switchyard::staff::may,
};

/// How many recipients a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// What a message of a blast can be.
const STATES: [MessageState; 5] =
    [MessageState::Queued, MessageState::Accepted, MessageState::Delivered, MessageState::Failed, MessageState::OptedOut];

/// What became of a blast for each number; `sms` leaves those whose SMS is so far.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/recipients")]
pub async fn list_recipients(
    line: LineId,
    id: BlastId,
    sms: Option<MessageState>,
    after: Option<Cursor>,
) -> Result<Page<BlastRecipient>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(blast::recipients(&services()?.db, &permit, (line, id), sms, after.as_ref(), PAGE).await?)
}

/// Which recipients the URL asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Those whose SMS is so far.
    pub sms: Option<MessageState>,
    /// Those behind this one.
    pub after: Option<Cursor>,
}

/// What the URL asks for.
pub(super) fn asked() -> Memo<Asked> {
    let (sms, after) = (query_field("sms"), query_field("after"));
    Memo::new(move |_| Asked { sms: sms.get().parse().ok(), after: Some(after.get()).filter(|after| !after.is_empty()).map(Cursor) })
}

/// The recipients' list, live, and what narrows it.
pub(super) fn recipients(
    of: (LineId, BlastId),
    sms: Option<MessageState>,
    followed: Followed<(BlastDetail, Page<BlastRecipient>)>,
) -> impl IntoView {
    let (line, id) = of;
    let query = sms.map(|sms| format!("?sms={}", sms.as_str())).unwrap_or_default();
    let choices: Vec<Choice> = std::iter::once(Choice::new("", "Any state of the SMS"))
        .chain(STATES.iter().map(|state| Choice::new(state.as_str(), state.name())))
        .collect();
    let left_out = Memo::new(move |_| followed.now.with(|(blast, _)| blast.row.opted_out));
    let nothing = Memo::new(move |_| {
        followed.now.with(|(blast, page)| page.rows.is_empty().then(|| nobody(blast.row.state, sms.is_some(), page.next.is_some())))
    });
    let next = Memo::new(move |_| followed.now.with(|(_, page)| page.next.clone()));
    view! {
        <section class="mt-6" aria-labelledby="recipients">
            <div class="mb-3 flex flex-wrap items-center justify-between gap-2">
                <h2 id="recipients" class="text-base font-semibold">"Who got it"</h2>
                <CsvLink href=format!("/lines/{line}/blasts/{id}/recipients.csv{query}") />
            </div>
            <FilterBar>
                <div class="w-[calc(50%-0.25rem)] sm:w-52">
                    <Select label="SMS" name="sms" choices=choices value=query_field("sms") bare=true />
                </div>
            </FilterBar>
            <Show when=move || left_out.get() != 0>
                <p class="muted mb-3 text-xs">
                    "Opted out before it was recorded, and not in this list: " {move || grouped(left_out.get())} "."
                </p>
            </Show>
            <div class="panel">
                <Show
                    when=move || nothing.with(Option::is_some)
                    fallback=move || {
                        view! {
                            <Table label="Recipients of the blast" head=&["Number", "SMS", "When", "Consent"]>
                                <For
                                    each=move || followed.now.with(|(_, page)| page.rows.clone())
                                    key=Clone::clone
                                    children=move |of| row(line, of)
                                />
                            </Table>
                        }
                    }
                >
                    <Empty title="Nobody">{move || nothing.get()}</Empty>
                </Show>
            </div>
            {move || view! { <Pager label="Pages of recipients" next=next.get() /> }}
        </section>
    }
}

/// Why the list is empty.
fn nobody(state: BlastState, is_narrowed: bool, goes_on: bool) -> &'static str {
    match (is_narrowed, goes_on, state) {
        (true, true, _) => "None of the messages that were looked through is in this state. Go on to the next page.",
        (true, false, _) => "No message of the blast is in this state.",
        (false, _, BlastState::Scheduled | BlastState::Paused) => "Its messages are recorded when it starts.",
        (false, _, BlastState::Cancelled) => "It was cancelled before any message of it was recorded.",
        (false, _, BlastState::Recording | BlastState::Sending | BlastState::Sent) => "No message is recorded.",
    }
}

fn row(line: LineId, row: BlastRecipient) -> impl IntoView {
    let number = contact_number(&row.number);
    let number = match row.conversation {
        Some(id) => view! { <RowLink href=format!("/lines/{line}/conversations/{id}")>{number}</RowLink> }.into_any(),
        None => number.into_any(),
    };
    let tone = match row.state {
        MessageState::Delivered => Tone::Good,
        MessageState::Failed => Tone::Bad,
        MessageState::OptedOut => Tone::Warning,
        MessageState::Accepted => Tone::Info,
        MessageState::Queued | MessageState::Received => Tone::Plain,
    };
    // Of an opt-out the state says it all.
    let why = row.error.filter(|_| row.state != MessageState::OptedOut);
    view! {
        <tr role="row">
            <Cell of="Number">{number}</Cell>
            <Cell of="SMS">
                <Badge tone=tone>{row.state.name()}</Badge>
                {why.map(|why| view! { <span class="muted ms-1.5 text-xs break-words">{why}</span> })}
            </Cell>
            <Cell of="When">
                <Time at=row.at />
            </Cell>
            <Cell of="Consent">
                <a class="text-link above" href=format!("/lines/{line}/consent?message={}", row.message)>
                    "Consent"
                    <span class="sr-only">" of " {row.number.readable()}</span>
                </a>
            </Cell>
        </tr>
    }
}
