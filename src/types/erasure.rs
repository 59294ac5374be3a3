//! The erasure of one contact, as screens show it.

use crate::types::{AccountId, ErasureId, ShownNumber, Timestamp};
use serde::{Deserialize, Serialize};

/// What an account has of a contact, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCounts {
    /// Conversations, with all that was written in them.
    pub conversations: i64,
    /// Messages.
    pub messages: i64,
    /// Messages that were held; they are not posted any more.
    pub held: i64,
    /// Group texts of others that named the contact.
    #[serde(default)]
    pub group_texts: i64,
    /// The contact's name.
    pub names: i64,
    /// Opt-outs: they stay, as a hash of the number.
    pub opt_outs: i64,
    /// Posts in RingCentral: they stay there until the account removes them.
    pub posts: i64,
    /// The chats that these posts stand in.
    pub chats: Vec<String>,
}

/// An erasure: what it would do, or what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureDetail {
    /// The erasure.
    pub id: ErasureId,
    /// Whose contact.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// What staff wrote of the request, such as its number.
    pub reference: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// The contact's number; `None` when it is erased.
    pub number: Option<ShownNumber>,
    /// What there is, or what was erased.
    pub counts: ErasureCounts,
    /// Why it cannot be done now, if it cannot.
    pub obstacle: Option<String>,
    /// Who did it, and when.
    pub done: Option<(String, Timestamp)>,
}

impl ErasureDetail {
    /// The certificate of one that is done, as a text to keep.
    pub fn certificate(&self) -> Option<String> {
        let (by, at) = self.done.as_ref()?;
        let ErasureCounts { conversations, messages, held, group_texts, names, opt_outs, posts, chats } = &self.counts;
        let stays = match (posts, chats.len()) {
            (0, _) => "Nothing of it stands in RingCentral.".to_owned(),
            (posts, of) => format!(
                "{posts} posts in {of} chats stand in the account's RingCentral. Its RingCentral administrator has to remove them there: {}.",
                chats.join(", ")
            ),
        };
        let opt_out = match opt_outs {
            0 => "There was no opt-out.".to_owned(),
            many => format!("{many} opt-outs are kept as a hash of the number, so that the contact is not texted again."),
        };
        Some(format!(
            "Certificate of erasure\n\nReference: {}\nCertificate: {}\nAccount: {}\nErased: {}\nBy: {by}\n\nWhat was erased of one contact: {conversations} conversations, \
             {messages} messages ({held} of them held), {names} names, the number in {group_texts} group texts of others, and the key under which the audit kept the number.\n\n{stays}\n{opt_out}\n",
            self.reference,
            self.id,
            self.account,
            at.rfc3339()
        ))
    }
}
