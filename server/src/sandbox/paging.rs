//! Pages of lists by `recordCount` and `pageToken`.
//!
//! The one rule: a token names a place, not a number of records, so that what is added meanwhile does not move the pages.

use super::Id;
use super::Text;
use super::answer::Answer;
use super::asked::Asked;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PAGE: usize = 30;
const LONGEST_PAGE: usize = 250;

/// Which page is asked for: how many records, and the place to go on from.
pub(super) struct Page {
    pub count: usize,
    pub from: From,
}

/// A page token: `o` and a place for what is older than it, `n` for what is newer.
pub(super) enum From {
    Start,
    Older(u64),
    Newer(u64),
}

impl Page {
    pub fn asked(asked: &Asked) -> Result<Self, Answer> {
        let count = match asked.value("recordCount") {
            None => PAGE,
            Some(text) => {
                let number = text.parse().ok().filter(|count| (1..=LONGEST_PAGE).contains(count));
                number.ok_or_else(|| Answer::invalid("recordCount", Some(text)))?
            }
        };
        let from = match asked.value("pageToken").filter(|text| !text.is_empty()) {
            None => From::Start,
            Some(text) => {
                let place = text.get(1..).and_then(|place| place.parse().ok());
                match (text.get(..1), place) {
                    (Some("o"), Some(place)) => From::Older(place),
                    (Some("n"), Some(place)) => From::Newer(place),
                    _ => return Err(Answer::invalid("pageToken", Some(text))),
                }
            }
        };
        Ok(Self { count, from })
    }

    /// The page of these ids that are `wanted`, oldest first, with the tokens of the pages before and after it.
    pub fn of(&self, all: &BTreeSet<Id>, wanted: impl Fn(&Id) -> bool) -> (Vec<Id>, Option<String>, Option<String>) {
        let ids: Vec<Id> = match self.from {
            From::Start => all.iter().copied().filter(&wanted).take(self.count).collect(),
            From::Newer(place) => all.range(Id(place.saturating_add(1))..).copied().filter(&wanted).take(self.count).collect(),
            From::Older(place) => {
                let mut ids: Vec<_> = all.range(..Id(place)).rev().copied().filter(&wanted).take(self.count).collect();
                ids.reverse();
                ids
            }
        };
        let prev = ids.first().filter(|first| all.range(..**first).any(&wanted)).map(|first| format!("o{first}"));
        let next = ids.last().filter(|last| all.range(Id(last.0 + 1)..).any(&wanted)).map(|last| format!("n{last}"));
        (ids, prev, next)
    }
}

/// Lists are journaled with their page token as text, so that a reader sees which pages were looked at.
pub(super) fn page_token(asked: &Asked) -> Option<Text> {
    asked.value("pageToken").map(Text::from)
}

pub(super) fn list_json(records: Vec<Value>, prev: Option<String>, next: Option<String>) -> Answer {
    Answer::ok(json!({ "records": records, "navigation": { "prevPageToken": prev, "nextPageToken": next } }))
}
