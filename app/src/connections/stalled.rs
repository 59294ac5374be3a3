//! Conversations whose deliveries do not go on: since when, why, and what to do about it.

use super::Whole;
use super::state::sentence;
use crate::sync::contact;
use crate::ui::{ButtonLink, Cell, Table, Time};
use leptos::prelude::*;
use switchyard::types::{ConnectionRow, ConnectionState, SyncRow, SyncState};

/// What staff can do about a delivery that fails for this reason, as the delivery engine words it.
pub fn advice(connection: &ConnectionRow, why: &str) -> &'static str {
    if matches!(connection.state, ConnectionState::Paused { .. }) {
        "Resume the connection; deliveries then go on by themselves."
    } else if why.starts_with("the sign-in was refused") {
        "Give the connection new secrets; deliveries then go on by themselves."
    } else if why.starts_with("RingCentral does not permit it") {
        "In RingCentral, check the app’s permissions and that its user may post in the chat. Then retry in the conversation."
    } else if why.starts_with("the post was refused") {
        "Open the conversation and skip the message that is refused."
    } else if why.starts_with("no clear answer") {
        "It is looked for and tried again by itself, in smaller posts. If other conversations go on, RingCentral fails on the first queued message of this one: open it and skip that message; those behind it follow at once."
    } else if why.starts_with("the chat is gone") {
        "Nothing: a new chat is made by itself."
    } else {
        "Nothing yet: it is tried again by itself. If it stays, retry in the conversation, or skip the message."
    }
}

/// The stalled conversations; nothing when there are none or the reader may not see messages.
pub fn stalled(whole: &Whole) -> impl IntoView + use<> {
    let found = whole.stalled.as_ref().filter(|rows| !rows.is_empty())?;
    let rows = found.iter().map(|row| self::row(&whole.detail.row, row.clone())).collect_view();
    let all = whole.more_stalled.then(|| {
        let href = format!("/sync?state=stalled&account={}", whole.detail.row.account_id);
        view! { <ButtonLink href=href>"All in Sync"</ButtonLink> }
    });
    Some(view! {
        <section class="panel">
            <header class="flex flex-wrap items-center justify-between gap-2 border-b border-base-300 px-4 py-3">
                <div>
                    <h2 class="font-semibold">"Stalled conversations"</h2>
                    <p class="muted text-xs">"Their deliveries fail. Nothing is lost: messages keep their order and wait."</p>
                </div>
                {all}
            </header>
            <Table label="Stalled conversations" head=&["Contact", "Line", "Since", "Why", "What to do"]>
                {rows}
            </Table>
        </section>
    })
}

fn row(connection: &ConnectionRow, row: SyncRow) -> impl IntoView + use<> {
    let (since, why) = match row.sync {
        SyncState::Stalled { since, why } => (since, why),
        _ => (row.changed_at, String::new()),
    };
    let advice = advice(connection, &why);
    let shown = if why.is_empty() { "Not known".to_owned() } else { sentence(&why) };
    view! {
        <tr role="row">
            <Cell of="Contact">
                {contact(row.contact, row.number, format!("/lines/{}/conversations/{}", row.line_id, row.conversation_id))}
            </Cell>
            <Cell of="Line">{row.line}</Cell>
            <Cell of="Since">
                <Time at=since />
            </Cell>
            <Cell of="Why">{shown}</Cell>
            <Cell of="What to do">{advice}</Cell>
        </tr>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use switchyard::ringcentral::Refusal;
    use switchyard::types::{AccountId, ConnectionId, Timestamp};

    fn connection(state: ConnectionState) -> ConnectionRow {
        ConnectionRow {
            id: ConnectionId(uuid::Uuid::nil()),
            account_id: AccountId(uuid::Uuid::nil()),
            account: String::new(),
            base_url: String::new(),
            client_id: String::new(),
            state,
            posts_this_minute: 0,
            posts_per_minute: None,
            posts_today: 0,
            posts_per_day: None,
            subscribed_until: None,
            subscription_error: None,
            heard_at: None,
            version: 1,
        }
    }

    #[test]
    fn every_refusal_has_an_advice_of_its_own() {
        let refusals = [Refusal::ChatGone, Refusal::SignIn("x".into()), Refusal::Forbidden("x".into()), Refusal::Content("x".into())]
            .map(|r| r.to_string());
        let signed_in = connection(ConnectionState::SignedIn);
        let mut told: BTreeSet<_> = refusals.iter().map(|why| advice(&signed_in, why)).collect();
        told.insert(advice(&signed_in, "no clear answer: the answer was lost"));
        told.insert(advice(&signed_in, "RingCentral was not reached"));
        told.insert(advice(&connection(ConnectionState::Paused { since: Timestamp(0) }), &refusals[0]));
        assert_eq!(told.len(), 7);
    }
}
