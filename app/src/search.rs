//! Search everywhere: what is typed, in the palette or on a page of its own, found by kind.
//!
//! The rule: what is typed may be a contact's number or name. It travels in the body of a request and stands in no URL: a page of results
//! names the search, which only its searcher can look at.

mod page;
mod panel;
mod ways;

pub use page::SearchPage;
pub use panel::Panel;

use crate::fault::{Fault, Reply};
use crate::ui::{Icon, Time};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{SearchId, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{member, services},
    switchyard::search,
    switchyard::types::{Found, OpenOrClosed, Part},
};

/// How many of each kind the palette shows.
#[cfg(feature = "ssr")]
const FEW: usize = 5;
/// How many of each kind the page shows.
#[cfg(feature = "ssr")]
const MANY: usize = 50;

/// What is found, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Screens and actions.
    Way,
    /// Lines.
    Line,
    /// Conversations.
    Conversation,
    /// Contacts of accounts.
    Contact,
    /// Accounts.
    Account,
    /// People of accounts.
    User,
    /// Runs of data utilities.
    Run,
    /// Members of the staff.
    Member,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Way => "Go to",
            Self::Line => "Lines",
            Self::Conversation => "Conversations",
            Self::Contact => "Contacts",
            Self::Account => "Accounts",
            Self::User => "Users",
            Self::Run => "Runs",
            Self::Member => "Staff",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Self::Way => Icon::Go,
            Self::Line => Icon::Lines,
            Self::Conversation => Icon::Conversation,
            Self::Contact | Self::User => Icon::Person,
            Self::Account => Icon::Accounts,
            Self::Run => Icon::Utilities,
            Self::Member => Icon::Staff,
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Where it is.
    pub href: String,
    /// What it is called.
    pub title: String,
    /// What tells it from others of this name.
    pub detail: String,
    /// A moment that tells it from them, too.
    pub at: Option<Timestamp>,
}

/// What tells a hit from others of its name.
fn told_apart(detail: String, at: Option<Timestamp>) -> impl IntoView {
    let apart = if detail.is_empty() { "" } else { " · " };
    let at = at.map(|at| view! { {apart} <Time at=at /> });
    view! { {detail} {at} }
}

/// What was found of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The kind.
    pub kind: Kind,
    /// What was found.
    pub hits: Vec<Hit>,
    /// There are more.
    pub is_cut: bool,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hits {
    /// By kind, without those of which nothing was found.
    pub groups: Vec<Group>,
    /// It is a whole number: conversations with it are found by a search of their own, which the audit notes.
    pub is_whole_number: bool,
}

/// A search that has a page of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What was typed.
    pub text: String,
    /// What it finds now.
    pub hits: Hits,
}

/// Looks for a text everywhere, a few of each kind.
#[server(prefix = "/fn", output = Reply, endpoint = "search")]
pub async fn search_everywhere(#[server(default)] text: String) -> Result<Hits, Fault> {
    let member = member().await?;
    Ok(hits(search::everywhere(&services()?.db, &member, &text, FEW).await?))
}

/// Keeps a search and leads to its page.
#[server(prefix = "/fn", output = Reply, endpoint = "search/keep")]
pub async fn keep_search(#[server(default)] text: String) -> Result<(), Fault> {
    let member = member().await?;
    let services = services()?;
    let search = search::keep(&services.db, &services.now, &services.keys, &member, &text).await?;
    leptos_axum::redirect(&format!("/search?search={search}"));
    Ok(())
}

/// What one's own search was for, and what it finds now.
#[server(prefix = "/fn", output = Reply, endpoint = "search/kept")]
pub async fn kept_search(search: SearchId) -> Result<Kept, Fault> {
    let member = member().await?;
    let services = services()?;
    let text = search::kept(&services.db, &services.now, &services.keys, &member, search).await?;
    let hits = hits(search::everywhere(&services.db, &member, &text, MANY).await?);
    Ok(Kept { text, hits })
}

/// What tells a thing from others, in one text.
#[cfg(feature = "ssr")]
fn joined<const N: usize>(parts: [&str; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// What is closed says so, first: a narrow palette cuts the rest off.
#[cfg(feature = "ssr")]
fn closed(closed_at: Option<Timestamp>) -> &'static str {
    if closed_at.is_some() { OpenOrClosed::Closed.name() } else { "" }
}

#[cfg(feature = "ssr")]
fn group<T>(kind: Kind, part: Part<T>, hit: impl FnMut(T) -> Hit) -> Group {
    Group { kind, is_cut: part.is_cut, hits: part.rows.into_iter().map(hit).collect() }
}

/// What was found, as screens show it.
#[cfg(feature = "ssr")]
fn hits(found: Found) -> Hits {
    let groups = [
        group(Kind::Line, found.lines, |line| Hit {
            href: format!("/lines/{}", line.id),
            title: line.number.readable(),
            detail: joined([closed(line.closed_at), &line.label, &line.account, line.integration_type.name()]),
            at: None,
        }),
        group(Kind::Conversation, found.conversations, |row| {
            let number = row.number.readable();
            let (title, number) = match row.contact {
                Some(name) => (name, number),
                None => (number, String::new()),
            };
            let href = format!("/lines/{}/conversations/{}", row.line_id, row.conversation_id);
            Hit { href, title, detail: joined([&number, &row.line, &row.account]), at: None }
        }),
        group(Kind::Contact, found.contacts, |contact| Hit {
            href: format!("/contacts/{}", contact.id),
            title: contact.name,
            detail: joined([closed(contact.closed_at), &contact.number.readable(), &contact.account]),
            at: None,
        }),
        group(Kind::Account, found.accounts, |account| Hit {
            href: format!("/accounts/{}", account.id),
            title: account.name,
            detail: closed(account.closed_at).to_owned(),
            at: None,
        }),
        group(Kind::User, found.users, |user| Hit {
            href: format!("/users/{}", user.id),
            title: user.name,
            detail: joined([closed(user.closed_at), &user.email, &user.account]),
            at: None,
        }),
        group(Kind::Run, found.runs, |run| Hit {
            href: format!("/utilities/runs/{}", run.id),
            title: run.summary,
            detail: run.state.name().to_owned(),
            at: Some(run.asked_at),
        }),
        group(Kind::Member, found.staff, |member| Hit {
            href: format!("/staff/{}", member.id),
            title: member.name,
            detail: member.email,
            at: None,
        }),
    ];
    Hits { groups: groups.into_iter().filter(|group| !group.hits.is_empty()).collect(), is_whole_number: found.is_whole_number }
}
