//! Staff as the browser knows them: permissions, the signed-in member, invitations.

use crate::types::{AccountId, LineId, RoleId, StaffId, Timestamp, words};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

words! {
    /// What a role may allow. Each service verb that changes or reveals something needs one of these.
    Permission {
        /// See accounts, users, lines and their settings.
        SeeDirectory = "see_directory",
        /// See conversations, contacts' numbers and what was written.
        SeeMessages = "see_messages",
        /// Add accounts and lines, give access, edit responders.
        ManageDirectory = "manage_directory",
        /// Set what a line's messages flow into.
        SetIntegrationType = "set_integration_type",
        /// Send messages and blasts.
        SendMessages = "send_messages",
        /// Retry stalled lanes, skip and restore messages.
        ManageSync = "manage_sync",
        /// See who works here and what they may do.
        SeeStaff = "see_staff",
        /// Invite and disable staff.
        ManageStaff = "manage_staff",
        /// See the audit.
        SeeAudit = "see_audit",
    }
}

impl Permission {
    /// What it allows, as the end of “You may …”.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SeeDirectory => "see accounts, people and lines",
            Self::SeeMessages => "see conversations and what was written in them",
            Self::ManageDirectory => "add accounts and lines, give access and edit responders",
            Self::SetIntegrationType => "set the integration type of a line",
            Self::SendMessages => "send messages and blasts",
            Self::ManageSync => "retry stalled deliveries, skip and restore messages",
            Self::SeeStaff => "see who works here",
            Self::ManageStaff => "invite and disable staff",
            Self::SeeAudit => "see who changed what in the audit",
        }
    }
}

/// The signed-in member, as the console's header shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// The member.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// What their roles allow, anywhere.
    pub permissions: Vec<Permission>,
}

impl SignedIn {
    /// Whether any role allows it somewhere. Screens ask this to show or hide; the verb asks again.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

/// A member in the list of staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffRow {
    /// The member.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// Their e-mail, by which they sign in.
    pub email: String,
    /// The names of their roles.
    pub roles: Vec<String>,
    /// Whether they have set a password.
    pub active: bool,
    /// Since when they may no longer sign in.
    pub disabled_at: Option<Timestamp>,
}

/// A role in a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRow {
    /// The role.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// Whether it holds on all accounts.
    pub everywhere: bool,
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who: a member, an API token, or the program.
    pub actor: String,
    /// What, such as `line.integration_type`.
    pub action: String,
    /// The fields before, as JSON.
    pub before: Option<String>,
    /// The fields after, as JSON.
    pub after: Option<String>,
}

/// Narrows the audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Only what this member did.
    pub actor: Option<StaffId>,
    /// Only this, such as `line.integration_type`.
    pub action: Option<String>,
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only of this line.
    pub line: Option<LineId>,
    /// Only what was done before this moment.
    pub until: Option<Timestamp>,
}

/// An entry of the audit, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The entry.
    pub id: Uuid,
    /// Its number in the chain; `None` until it is sealed, within seconds.
    pub number: Option<i64>,
    /// What it says.
    pub row: AuditRow,
    /// The member who did it; `None` for a program.
    pub staff: Option<StaffId>,
    /// The account it was done to, and its name.
    pub account: Option<(AccountId, String)>,
    /// The line it was done to, and what staff call it.
    pub line: Option<(LineId, String)>,
}
