//! What is known of a conversation, and the ways to everything that hangs on it.

use crate::accounts::NameContact;
use crate::connections::{advice, connection_of};
use crate::frame::Me;
use crate::sync::SyncReason;
use crate::ui::{Panel, Time, contact_number, load};
use leptos::prelude::*;
use switchyard::types::{AccountId, ConversationDetail, ConversationId, Permission, SyncState};

/// A conversation's facts.
#[component]
pub fn Facts(
    /// The conversation.
    id: ConversationId,
    /// What is shown of it.
    detail: Memo<ConversationDetail>,
    /// Who looks at it.
    me: Me,
) -> impl IntoView {
    let ConversationDetail { line_id, line, account_id, account, number, contact_id, .. } = detail.get_untracked();
    let may_name = contact_id.is_none() && number.whole().is_some() && me.may(Permission::ManageDirectory);
    let contact = match contact_id {
        Some(contact) => view! { <a class="text-link" href=format!("/contacts/{contact}")>{contact_number(&number)}</a> }.into_any(),
        None => contact_number(&number).into_any(),
    };
    let stalls = Memo::new(move |_| {
        detail.with(|detail| match &detail.sync {
            SyncState::Stalled { why, .. } => Some(why.clone()),
            _ => None,
        })
    });
    let ways = [
        (Permission::SeeMessages, "Blasts of the line", format!("/lines/{line_id}/blasts")),
        (Permission::SeeRuns, "Runs of the line", format!("/utilities/history?line={line_id}")),
        (Permission::SeeAudit, "Audit of this conversation", format!("/audit?subject={id}")),
        (Permission::SeeAudit, "Audit of the line", format!("/audit?line={line_id}")),
    ];
    let ways = ways.into_iter().filter(move |(permission, ..)| me.may(*permission)).map(|(_, name, href)| {
        view! {
            <li>
                <a class="text-link" href=href>{name}</a>
            </li>
        }
    });
    view! {
        <Panel title="Facts">
            <dl class="facts facts-narrow">
                <dt>"Contact"</dt>
                <dd>
                    {contact} {may_name.then(|| view! { <NameContact line=line_id conversation=id /> })}
                </dd>
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
                {move || stalls.get().map(|why| remedy(account_id, why))}
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
                <dt>"Also"</dt>
                <dd>
                    <ul class="flex flex-col gap-1">{ways.collect_view()}</ul>
                </dd>
            </dl>
        </Panel>
    }
}

/// What can be done about a delivery that fails, and where.
fn remedy(account: AccountId, why: String) -> impl IntoView {
    let connection = load(move || account, connection_of);
    view! {
        <Suspense>
            {move || {
                let why = why.clone();
                Suspend::new(async move {
                    let connection = connection.await.ok().flatten()?;
                    let advice = advice(&connection, &why);
                    Some(view! {
                        <dt>"What to do"</dt>
                        <dd>
                            {advice} " "
                            <a class="text-link whitespace-nowrap" href=format!("/connections/{}", connection.id)>"Open the connection"</a>
                        </dd>
                    })
                })
            }}
        </Suspense>
    }
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
