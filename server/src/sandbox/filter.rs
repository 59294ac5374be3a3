//! Event filters: which there are, and what `~` in them stands for.
//!
//! The one rule: a filter is kept as RingCentral returns it, resolved; that text is also the `event` of what it lets through.

use super::Text;
use super::asked::own;

/// The one account of the sandbox.
pub(super) const ACCOUNT: &str = "1000000001";

/// What a filter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Posts,
    Chats,
    MessageStore,
    InstantMessage,
    Voicemail,
    Telephony,
    Presence,
    /// Reminders of this subscription's expiry: so many seconds ahead, and so many apart.
    Reminder {
        threshold: u64,
        interval: u64,
    },
}

impl Filter {
    /// The filter with its ids in place, and what it asks for; `None` when there is no such filter.
    pub fn read(given: &str, owner: &Text, subscription: &str) -> Option<(String, Self)> {
        let (path, query) = given.split_once('?').map_or((given, None), |(path, query)| (path, Some(query)));
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let account = Text::from(ACCOUNT);
        let (path, filter) = match parts.as_slice() {
            ["team-messaging", "v1", "posts"] | ["restapi", "v1.0", "glip", "posts"] => (path.to_owned(), Self::Posts),
            ["team-messaging", "v1", "chats" | "groups"] | ["restapi", "v1.0", "glip", "groups"] => (path.to_owned(), Self::Chats),
            ["restapi", "v1.0", "subscription", id] if own(id, &Text::from(subscription)) => {
                let number = |name: &str| pairs(query).find(|(given, _)| *given == name).and_then(|(_, value)| value.parse().ok());
                let (threshold, interval) = (number("threshold")?, number("interval")?);
                (format!("/restapi/v1.0/subscription/{subscription}"), Self::Reminder { threshold, interval })
            }
            ["restapi", "v1.0", "account", id, rest @ ..] if own(id, &account) => match rest {
                ["extension", id, rest @ ..] if own(id, owner) => {
                    let filter = match rest {
                        ["message-store"] => Self::MessageStore,
                        ["message-store", "instant"] => Self::InstantMessage,
                        ["voicemail"] => Self::Voicemail,
                        ["telephony", "sessions"] => Self::Telephony,
                        ["presence"] => Self::Presence,
                        _ => return None,
                    };
                    (format!("/restapi/v1.0/account/{ACCOUNT}/extension/{owner}/{}", rest.join("/")), filter)
                }
                ["telephony", "sessions"] => (format!("/restapi/v1.0/account/{ACCOUNT}/telephony/sessions"), Self::Telephony),
                ["presence"] => (format!("/restapi/v1.0/account/{ACCOUNT}/presence"), Self::Presence),
                _ => return None,
            },
            _ => return None,
        };
        Some((query.map_or(path.clone(), |query| format!("{path}?{query}")), filter))
    }

    /// Whether reminders are as far apart as RingCentral wants them (developer guide): half the lifetime ahead at most, and at
    /// least twice before the end.
    pub fn fits(self, lifetime: u64) -> bool {
        match self {
            Self::Reminder { threshold, interval } => interval > 0 && threshold <= lifetime / 2 && interval <= threshold / 2,
            _ => true,
        }
    }
}

/// Whether a resolved filter's query lets this value through: it does when it does not name it.
pub(super) fn allows(filter: &str, name: &str, value: &str) -> bool {
    let query = filter.split_once('?').map(|(_, query)| query);
    let mut named = pairs(query).filter(|(given, _)| *given == name).peekable();
    named.peek().is_none() || named.any(|(_, wanted)| wanted == value)
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='))
}
