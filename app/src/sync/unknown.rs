//! Messages to unknown lines: what came in for numbers that were no line of ours, and the way to make them one.
//!
//! The rule: the search takes the number that was texted, never the contact's, because what is searched for stands in the URL.

use crate::conversation::written;
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::live::{Followed, follow};
use crate::ui::{
    ButtonLink, Cell, Empty, FaultView, FilterBar, Loading, Number, PageHead, Pager, Search, Table, Time, contact_number, load,
    masked_note, query_field,
};
use leptos::prelude::*;
use switchyard::types::{Change, Cursor, Page, Permission, Timestamp, UnknownRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::messaging::unknown,
    switchyard::staff::may,
    switchyard::types::PhoneNumber,
};

/// How many messages a page shows.
#[cfg(feature = "ssr")]
const PAGE: usize = 50;

/// Messages to unknown lines, the newest first; a number narrows them to those that went to it. What is no whole number finds none.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/unknown")]
pub async fn unknown_messages(#[server(default)] number: String, after: Option<Cursor>) -> Result<Page<UnknownRow>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let to = match number.trim() {
        "" => None,
        number => match PhoneNumber::parse(number) {
            Ok(number) => Some(number),
            Err(_) => return Ok(Page { rows: Vec::new(), next: None }),
        },
    };
    Ok(unknown::list(&services()?.db, &permit, to.as_ref(), after.as_ref(), PAGE).await?)
}

/// The list.
#[component]
pub fn UnknownPage() -> impl IntoView {
    let (q, after) = (query_field("q"), query_field("after"));
    let read = |(q, after): (String, String)| unknown_messages(q, (!after.is_empty()).then_some(Cursor(after)));
    let found = load(move || (q.get(), after.get()), move |asked| async move { (asked.clone(), read(asked).await) });
    let me = use_me();
    view! {
        <PageHead title="Messages to unknown lines" above=vec![("Sync".to_owned(), "/sync".to_owned())] />
        <p class="muted mb-4 max-w-3xl">
            "These came in for numbers that belong to no account, so nobody was told of them. Add the number as a line of its account: what is texted to it from then on flows as the line’s type says. What came before stays here."
        </p>
        <FilterBar>
            <Search label="Whole number that was texted" value=q />
        </FilterBar>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), (asked, Ok(first))) => {
                        let followed = follow(first, concerns_unknown, move || read(asked.clone()));
                        view! { <List followed=followed searched=q me=me /> }.into_any()
                    }
                    (Err(fault), _) | (_, (_, Err(fault))) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

/// Whether a change can be about what this screen shows: a message, or that its number is a line now.
fn concerns_unknown(change: Change) -> bool {
    matches!(change, Change::UnknownLine | Change::Line { .. })
}

#[component]
fn List(followed: Followed<Page<UnknownRow>>, searched: Signal<String>, me: Me) -> impl IntoView {
    let may_add = me.may(Permission::ManageDirectory);
    // A page is short and seldom changes: it is painted anew as a whole.
    let rows = move || {
        let messages = followed.now.with(|page| page.rows.clone());
        match (messages.is_empty(), searched.with(String::is_empty)) {
            (false, _) => view! {
                <Table label="Messages to unknown lines" head=&["To", "From", "Message", "Received", ""]>
                    {messages.into_iter().map(|message| row(message, may_add).into_any()).collect_view()}
                </Table>
            }
            .into_any(),
            (true, true) => view! {
                <Empty title="No messages to unknown lines">"Every message that came in was for a line of an account."</Empty>
            }
            .into_any(),
            (true, false) => view! {
                <Empty title="Nothing came in for this number">
                    <span>"Write the whole number that was texted, as in +1 202 555 0143, or a short code."</span>
                    <ButtonLink href="/sync/unknown">"Show all"</ButtonLink>
                </Empty>
            }
            .into_any(),
        }
    };
    let is_masked = move || followed.now.with(|page| page.rows.iter().any(|row| row.from.whole().is_none()));
    view! {
        {move || masked_note(is_masked())}
        <div class="panel">{rows}</div>
        {move || view! { <Pager label="Pages of messages" next=followed.now.with(|page| page.next.clone()) /> }}
    }
}

fn row(message: UnknownRow, may_add: bool) -> impl IntoView {
    // The minute is what is shown: only another one says something.
    let is_late = |sent: &Timestamp| sent.minute() != message.received_at.minute();
    let sent = message.sent_at.filter(is_late);
    let way = match message.line {
        Some(line) => Some((format!("/lines/{line}"), "Now a line")),
        // Only digits stand behind the sign.
        None => may_add.then(|| (format!("/lines/new?number={}", message.to.expose().replace('+', "%2B")), "Add as a line")),
    };
    view! {
        <tr role="row">
            <Cell of="To">
                <span class="font-medium">
                    <Number number=message.to />
                </span>
            </Cell>
            <Cell of="From">{contact_number(&message.from)}</Cell>
            <Cell of="Message">
                {written(&message.written)}
            </Cell>
            <Cell of="Received">
                <Time at=message.received_at />
                {sent
                    .map(|at| {
                        view! {
                            <span class="muted block text-xs whitespace-nowrap">"Sent " <Time at=at /></span>
                        }
                    })}
            </Cell>
            <Cell of="">
                {way.map(|(href, words)| view! { <a class="text-link inline-flex min-h-6 items-center whitespace-nowrap" href=href>{words}</a> })}
            </Cell>
        </tr>
    }
}
