//! How a connection is, in a word and in a sentence that says what to do: the same in every list.

use crate::ui::{Badge, Time, Tone, grouped};
use leptos::prelude::*;
use switchyard::types::{ConnectionRow, ConnectionState, Timestamp};

/// The state in a word.
#[component]
pub fn StateBadge(
    /// The state.
    of: ConnectionState,
) -> impl IntoView {
    let (tone, word) = match of {
        ConnectionState::Paused { .. } => (Tone::Warning, "Paused"),
        ConnectionState::Refused { .. } => (Tone::Bad, "Sign-in refused"),
        ConnectionState::Waiting { .. } => (Tone::Warning, "Waits"),
        ConnectionState::SignedIn => (Tone::Good, "Signed in"),
        ConnectionState::Idle => (Tone::Plain, "Not signed in"),
    };
    view! { <Badge tone=tone>{word}</Badge> }
}

/// What the state means, and what to do about it.
pub fn state_sentence(of: &ConnectionState) -> impl IntoView + use<> {
    match of {
        ConnectionState::Paused { since } => around("Paused by staff since ", *since, ". What is to be posted waits."),
        ConnectionState::Refused { why } => {
            format!("RingCentral refused the sign-in: {}. Check the app and its credential there, then give new secrets here.", plain(why))
                .into_any()
        }
        ConnectionState::Waiting { until, why } => around(format!("{}. It goes on by itself at ", sentence(why)), *until, "."),
        ConnectionState::SignedIn => "RingCentral accepts the credential.".into_any(),
        ConnectionState::Idle => "It signs in by itself with the next call.".into_any(),
    }
}

/// A sentence with a moment in it.
fn around(before: impl Into<String>, at: Timestamp, after: impl Into<String>) -> AnyView {
    let (before, after): (String, String) = (before.into(), after.into());
    view! {
        {before}
        <Time at=at />
        {after}
    }
    .into_any()
}

/// Words of RingCentral's, without the full stop that our sentence has of its own.
pub fn plain(words: &str) -> &str {
    words.trim().trim_end_matches('.')
}

/// The same with a capital letter, to begin a sentence.
pub fn sentence(words: &str) -> String {
    let mut rest = plain(words).chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// Whether RingCentral tells us what happens, in a word and in a sentence.
pub fn hearing(row: &ConnectionRow) -> (Tone, &'static str, AnyView) {
    match (row.subscribed_until, &row.subscription_error) {
        (Some(until), None) => (Tone::Good, "Alive", around("Until ", until, "; it is renewed by itself well before.")),
        (Some(until), Some(error)) => {
            (Tone::Warning, "Alive", around("Until ", until, format!(", but it could not be renewed: {}.", plain(error))))
        }
        (None, _) if matches!(row.state, ConnectionState::Refused { .. }) => {
            (Tone::Bad, "Not there", "It needs the sign-in; until then what agents write does not arrive.".into_any())
        }
        (None, Some(error)) => (
            Tone::Bad,
            "Not there",
            format!("{}. It is tried again by itself; until then what agents write arrives late.", sentence(error)).into_any(),
        ),
        (None, None) if matches!(row.state, ConnectionState::Paused { .. }) => {
            (Tone::Plain, "Not there", "A paused connection asks for none.".into_any())
        }
        (None, None) => (Tone::Plain, "Not there yet", "It is asked for by itself within seconds.".into_any()),
    }
}

/// `12 of 40`. Without a limit nothing is counted.
pub fn of_limit(count: i64, limit: Option<i64>) -> String {
    limit.map_or_else(|| "No limit".to_owned(), |limit| format!("{} of {}", grouped(count), grouped(limit)))
}
