//! The directory: accounts, their people, and the lines with what each is connected to.
//!
//! The rule of this room: who may see or change a row is decided by the account that owns the line now, in SQL, by the
//! permit's scope. What a change of a line's integration type does is one table, [`integration::EDGES`].

pub mod accounts;
pub(crate) mod bulk;
pub mod contacts;
pub mod findings;
pub mod integration;
pub mod lines;
pub mod people;
pub(crate) mod search;
pub mod transfer;
pub mod users;
pub(crate) mod v1;

use crate::types::Problem;

/// What a label, name, keyword or reason may be: not empty, not longer than `most` characters, no control characters.
pub(crate) fn short_text(field: &str, text: &str, most: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::invalid(field, "This must not be empty."));
    }
    if text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(Problem::invalid(field, format!("Use at most {most} characters, on one line.")));
    }
    Ok(text.to_owned())
}

/// Nothing that is searched is longer; SQLite takes no pattern of more than 50,000 bytes.
pub(crate) const LONGEST_SEARCH: usize = 200;

/// How what is searched begins, in lower case.
fn begin_of(search: &str) -> String {
    search.trim().to_lowercase().chars().take(LONGEST_SEARCH).collect()
}

/// The key behind all that begin like this.
fn past(begin: &str) -> String {
    format!("{begin}{}", char::MAX)
}
