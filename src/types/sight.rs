//! Personal data as a reader may see it: contacts' numbers and what was written, whole or masked before it leaves the service.
//!
//! The rule: what a reader may not see is not in the value, so no screen, file or event can give it away. A line's own number is the
//! client's and no personal data.

use crate::types::{Media, PhoneNumber};
use serde::{Deserialize, Serialize};

/// A contact's number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownNumber {
    /// All of it.
    Whole(PhoneNumber),
    /// Its last digits, at most four and never more than half.
    Masked(String),
}

impl ShownNumber {
    /// The number as who `sees` it, or does not, may know it.
    pub fn of(number: PhoneNumber, sees: bool) -> Self {
        if sees {
            return Self::Whole(number);
        }
        let digits = number.expose().trim_start_matches('+');
        Self::Masked(digits[digits.len() - (digits.len() / 2).min(4)..].to_owned())
    }

    /// As people read it: `+1 202 555 0143`, or `•••• 0143`.
    pub fn readable(&self) -> String {
        match self {
            Self::Whole(number) => number.readable(),
            Self::Masked(end) => format!("•••• {end}"),
        }
    }

    /// All of it, for who may see it.
    pub fn whole(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Masked(_) => None,
        }
    }
}

/// What was written in a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// All of it.
    Whole {
        /// Its words.
        body: String,
        /// Its attachments.
        media: Vec<Media>,
        /// The other numbers of a group text.
        others: Vec<PhoneNumber>,
    },
    /// The reader may not see it.
    Masked {
        /// How many attachments it has.
        media: usize,
    },
    /// It is gone: it was kept for so many days.
    Removed {
        /// How many.
        after_days: i64,
    },
}

impl Written {
    /// What was written as who `sees` it, or does not, may know it.
    pub fn of(body: String, media: Vec<Media>, others: Vec<PhoneNumber>, sees: bool) -> Self {
        if sees { Self::Whole { body, media, others } } else { Self::Masked { media: media.len() } }
    }

    /// Its words, for who may see them.
    pub fn body(&self) -> Option<&str> {
        match self {
            Self::Whole { body, .. } => Some(body),
            Self::Masked { .. } | Self::Removed { .. } => None,
        }
    }
}

/// A text from outside, such as a carrier's reason, for who may not see numbers: each run that may be one is masked.
pub fn without_numbers(text: &str) -> String {
    const FEWEST_DIGITS: usize = 7;
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | '(' | ')' | ' ' | '\u{a0}');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || c == '+') {
        out.push_str(&rest[..start]);
        let run = &rest[start..];
        let run = &run[..run.find(|c: char| !is_part(c)).unwrap_or(run.len())];
        let end = run.trim_end_matches(|c: char| !c.is_ascii_digit()).len().max(1);
        let is_number = run.bytes().filter(u8::is_ascii_digit).count() >= FEWEST_DIGITS;
        out.push_str(if is_number { "••••" } else { &run[..end] });
        rest = &rest[start + end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_number_ends_as_the_number_does_and_says_no_more() {
        let shown = |text: &str, sees| ShownNumber::of(PhoneNumber::parse(text).expect("a number"), sees);
        assert_eq!(shown("+12025550143", true).readable(), "+1 202 555 0143");
        assert_eq!(shown("+12025550143", false).readable(), "•••• 0143");
        assert_eq!(shown("55501", false).readable(), "•••• 01", "of a short code at most half");
        let json = serde_json::to_string(&shown("+12025550143", false)).expect("JSON");
        assert!(!json.contains("202555"), "{json}");
    }

    #[test]
    fn masked_words_are_not_in_the_value() {
        let other = PhoneNumber::parse("+12025550144").expect("a number");
        let media = vec![Media { url: "https://example.com/face.jpg".to_owned(), content_type: String::new() }];
        let masked = Written::of("See you at 5".to_owned(), media, vec![other], false);
        assert_eq!(masked, Written::Masked { media: 1 });
    }

    #[test]
    fn numbers_in_a_reason_are_masked_and_codes_are_not() {
        assert_eq!(without_numbers("+1 (202) 555-0143 is unreachable"), "•••• is unreachable");
        assert_eq!(without_numbers("to 12025550143: error 404, twice."), "to ••••: error 404, twice.");
        assert_eq!(without_numbers("30003: landline"), "30003: landline");
        for text in ["", "refused", "code 404 (CMN-101)", "+", "1 + 1"] {
            assert_eq!(without_numbers(text), text);
        }
    }
}
