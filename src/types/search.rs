//! What a search everywhere finds, by kind.

use crate::types::{
    AccountId, ContactId, ConversationId, LineId, LineRow, PhoneNumber, RunId, RunState, ShownNumber, StaffId, Timestamp, UserId,
    UtilityKind,
};
use serde::{Deserialize, Serialize};

/// What was found of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part<T> {
    /// The rows, as many as were asked for at most.
    pub rows: Vec<T>,
    /// There are more.
    pub is_cut: bool,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), is_cut: false }
    }
}

impl<T> Part<T> {
    /// Makes a part of `most` rows from the `most + 1` that were read.
    pub fn of(mut rows: Vec<T>, most: usize) -> Self {
        let is_cut = rows.len() > most;
        rows.truncate(most);
        Self { rows, is_cut }
    }
}

/// An account that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct FoundAccount {
    /// The account.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Since when it is closed.
    pub closed_at: Option<Timestamp>,
}

/// A person of an account who was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct FoundUser {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// Their account.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// Since when they are closed.
    pub closed_at: Option<Timestamp>,
}

/// A contact who was found; only who may see them whole finds one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct FoundContact {
    /// The contact.
    pub id: ContactId,
    /// The account that knows them.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// Their number.
    pub number: PhoneNumber,
    /// Their name.
    pub name: String,
    /// Since when they are closed.
    pub closed_at: Option<Timestamp>,
}

/// A run of a data utility that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct FoundRun {
    /// The run.
    pub id: RunId,
    /// Of which utility.
    #[cfg_attr(feature = "services", sqlx(rename = "utility"))]
    pub kind: UtilityKind,
    /// What it does, in a sentence.
    pub summary: String,
    /// How far it is.
    pub state: RunState,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

/// A member of the staff who was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::FromRow))]
pub struct FoundMember {
    /// The member.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// A conversation that was found by its contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundConversation {
    /// The line.
    pub line_id: LineId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The account's name.
    pub account: String,
    /// The line's label.
    pub line: String,
    /// The contact's number.
    pub number: ShownNumber,
    /// The contact's name, if the account knows one.
    pub contact: Option<String>,
}

/// All that a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Lines, by part of the number, by label or account.
    pub lines: Part<LineRow>,
    /// Conversations, by the contact's name, or the beginning or the end of the number.
    pub conversations: Part<FoundConversation>,
    /// Contacts, by the same.
    pub contacts: Part<FoundContact>,
    /// Accounts, by name.
    pub accounts: Part<FoundAccount>,
    /// People of accounts, by name or e-mail address.
    pub users: Part<FoundUser>,
    /// Runs of data utilities, by line or account.
    pub runs: Part<FoundRun>,
    /// Members of the staff, by name or e-mail address.
    pub staff: Part<FoundMember>,
    /// It is a whole number, and its searcher finds conversations by a whole one alone; see `sync::find`.
    pub is_whole_number: bool,
}
