//! Ids: UUIDv7, so that they sort by the time they were made on both engines.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "services", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
        }
    )+ };
}

ids! {
    /// A client of the platform.
    AccountId;
    /// A person of an account.
    UserId;
    /// A person whom an account texts with: it stands in addresses in place of their number.
    ContactId;
    /// A line.
    LineId;
    /// An automatic reply of a line.
    ResponderId;
    /// One line with one contact number.
    ConversationId;
    /// One SMS or MMS.
    MessageId;
    /// One body sent to many recipients of a line.
    BlastId;
    /// A blast that staff have written and not sent yet.
    DraftId;
    /// An account's sign-in to RingCentral.
    ConnectionId;
    /// A written-down wish to make one post, committed before the call.
    IntentId;
    /// A member of the staff.
    StaffId;
    /// A named set of permissions.
    RoleId;
    /// A search for a contact by number.
    SearchId;
    /// The erasure of one contact.
    ErasureId;
    /// One entry of the audit.
    AuditId;
    /// What waits for a second person.
    ApprovalId;
    /// One execution of a data utility.
    RunId;
    /// A saved view of a list.
    ViewId;
    /// What takes back something that was just done.
    UndoId;
}
