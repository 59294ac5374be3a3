//! What of a conversation is asked for: it stands in the URL.

use super::{Conversation, read_conversation};
use crate::fault::Fault;
use crate::ui::{Choice, FilterBar, MomentField, Select, query_field};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{ConversationId, Cursor, EntryState, LineId, MessageState, TimelineFilter, Writer};

#[cfg(feature = "ssr")]
use switchyard::types::{TimelineFrom, Timestamp};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// What the messages are narrowed to.
    pub filter: TimelineFilter,
    older: Option<Cursor>,
    newer: Option<Cursor>,
    date: Option<String>,
}

impl Asked {
    /// Reads it.
    pub async fn read(self, line: LineId, id: ConversationId) -> Result<Conversation, Fault> {
        read_conversation(line, id, self.filter, self.older, self.newer, self.date).await
    }

    /// The page begins at the newest message.
    pub fn is_newest(&self) -> bool {
        self.older.is_none() && self.newer.is_none() && self.date.is_none()
    }

    /// The page begins with an old message and goes on from there, as from a day on: its first message is the one to be seen.
    pub fn is_from_first(&self) -> bool {
        self.older.is_none() && (self.newer.is_some() || self.date.is_some())
    }

    /// The filters as a query.
    pub fn filter_query(&self) -> String {
        self.query(None)
    }

    /// The filters and where the page begins, as a query.
    pub fn query(&self, begin: Option<(&str, &Cursor)>) -> String {
        let words = [
            ("writer", self.filter.writer.map(Writer::as_str)),
            ("sms", self.filter.sms.map(MessageState::as_str)),
            ("post", self.filter.entry.map(EntryState::as_str)),
            begin.map_or(("", None), |(name, cursor)| (name, Some(cursor.0.as_str()))),
        ];
        let words: Vec<String> = words.into_iter().filter_map(|(name, word)| Some(format!("{name}={}", word?))).collect();
        if words.is_empty() { String::new() } else { format!("?{}", words.join("&")) }
    }
}

/// What the URL asks for.
pub(super) fn asked() -> Memo<Asked> {
    let [writer, sms, post, older, newer, date] = ["writer", "sms", "post", "older", "newer", "date"].map(query_field);
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Memo::new(move |_| Asked {
        filter: TimelineFilter { writer: writer.get().parse().ok(), sms: sms.get().parse().ok(), entry: post.get().parse().ok() },
        older: some(older.get()).map(Cursor),
        newer: some(newer.get()).map(Cursor),
        date: some(date.get()),
    })
}

/// Where the page begins. A date is a moment in UTC, or a day in UTC; what is neither begins at the newest message.
#[cfg(feature = "ssr")]
pub(super) fn from_where(older: Option<Cursor>, newer: Option<Cursor>, date: Option<String>) -> TimelineFrom {
    match (older, newer, date.as_deref().and_then(Timestamp::from_day)) {
        (Some(older), ..) => TimelineFrom::Before(older),
        (None, Some(newer), _) => TimelineFrom::After(newer),
        (None, None, Some(moment)) => TimelineFrom::At(moment),
        (None, None, None) => TimelineFrom::Newest,
    }
}

/// The bar that narrows the messages and jumps to a date.
#[component]
pub(super) fn Filters(
    /// What is shown.
    asked: Asked,
) -> impl IntoView {
    let writers = offered("Anybody", Writer::ALL.iter().map(|of| (of.as_str(), of.name())));
    let states = offered("Any state of the SMS", MessageState::ALL.iter().map(|of| (of.as_str(), of.name())));
    let entries = offered("Any state in RingCentral", EntryState::ALL.iter().map(|of| (of.as_str(), of.name())));
    let [writer, sms, post] = ["writer", "sms", "post"].map(query_field);
    view! {
        <FilterBar>
            <div class="w-[calc(50%-0.25rem)] sm:w-40">
                <Select label="Written by" name="writer" choices=writers value=writer bare=true />
            </div>
            <div class="w-[calc(50%-0.25rem)] sm:w-48">
                <Select label="SMS" name="sms" choices=states value=sms bare=true />
            </div>
            <div class="w-[calc(50%-0.25rem)] sm:w-56">
                <Select label="RingCentral" name="post" choices=entries value=post bare=true />
            </div>
            <div class="w-[calc(50%-0.25rem)] sm:w-44">
                <MomentField label="From this day on" name="date" day=asked.date.unwrap_or_default() bare=true />
            </div>
        </FilterBar>
    }
}

fn offered(all: &str, words: impl Iterator<Item = (&'static str, &'static str)>) -> Vec<Choice> {
    std::iter::once(Choice::new("", all)).chain(words.map(|(word, name)| Choice::new(word, name))).collect()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_what_is_newer_are_read_from_their_first_message_on() {
        let page = |older: bool, newer: bool, date: bool| {
            let cursor = |is_there: bool| is_there.then(|| Cursor("5b5d".to_owned()));
            let date = date.then(|| "2026-11-21".to_owned());
            Asked { filter: TimelineFilter::default(), older: cursor(older), newer: cursor(newer), date }.is_from_first()
        };
        assert_eq!([page(false, false, true), page(false, true, false)], [true, true]);
        assert_eq!([page(false, false, false), page(true, false, false)], [false, false], "the newest, and what is older");
    }

    #[test]
    fn a_date_is_a_moment_or_a_day_in_utc_and_what_is_neither_is_no_error() {
        let on = |date: &str| from_where(None, None, Some(date.to_owned()));
        assert_eq!(on("2026-11-21T05:00:00"), TimelineFrom::At(Timestamp::from_rfc3339("2026-11-21T05:00:00Z").expect("a moment")));
        assert_eq!(on("2026-11-21"), TimelineFrom::At(Timestamp::from_rfc3339("2026-11-21T00:00:00Z").expect("a moment")));
        assert_eq!(on("yesterday"), TimelineFrom::Newest);
    }
}
