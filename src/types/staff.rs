//! Staff as the browser knows them: permissions, the signed-in member, invitations.

use crate::types::{
    AccountId, BlastId, ConnectionId, ContactId, ConversationId, ErasureId, LineId, RoleId, RunId, StaffId, Timestamp, UserId, words,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

words! {
    /// What a role may allow. Each service verb that changes or reveals something needs one of these.
    Permission {
        /// See accounts, users, lines and their settings.
        SeeDirectory = "see_directory",
        /// See conversations and how far they are; numbers and words are masked.
        SeeMessages = "see_messages",
        /// See contacts' whole numbers and what was written.
        SeePersonalData = "see_personal_data",
        /// Add, edit, close and open accounts, people, contacts and lines; give access, edit responders, set consent by hand.
        ManageDirectory = "manage_directory",
        /// Set what a line's messages flow into.
        SetIntegrationType = "set_integration_type",
        /// Send messages and blasts.
        SendMessages = "send_messages",
        /// Retry stalled lanes, skip and restore messages.
        ManageSync = "manage_sync",
        /// See who works here and what they may do.
        SeeStaff = "see_staff",
        /// Invite and disable staff, give and take roles.
        ManageStaff = "manage_staff",
        /// Edit roles and what they allow.
        ManageRoles = "manage_roles",
        /// Decide what waits for a second person.
        Approve = "approve",
        /// See the audit.
        SeeAudit = "see_audit",
        /// Set how long personal data is kept, and erase a contact.
        ManagePersonalData = "manage_personal_data",
        /// See runs of data utilities: how far they are, what they did.
        SeeRuns = "see_runs",
        /// Pause, resume and cancel runs that others started.
        ControlRuns = "control_runs",
        /// Move a line with its history to another account.
        TransferLine = "transfer_line",
        /// Take in consent from a file.
        ImportConsent = "import_consent",
        /// Take in an export of the first version.
        MigrateFromV1 = "migrate_from_v1",
    }
}

impl Permission {
    /// What it allows, as the end of “You may …”.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SeeDirectory => "see accounts, people and lines",
            Self::SeeMessages => "see conversations and how far they are, with phone numbers and words masked",
            Self::SeePersonalData => "see whole phone numbers of contacts and what was written",
            Self::ManageDirectory => "edit accounts, their people, contacts and lines, give access, and set consent",
            Self::SetIntegrationType => "set the integration type of a line",
            Self::SendMessages => "send messages and blasts",
            Self::ManageSync => "retry stalled deliveries, skip and restore messages",
            Self::SeeStaff => "see who works here",
            Self::ManageStaff => "invite and disable staff, give and take roles, end their sessions",
            Self::ManageRoles => "edit roles and what they allow",
            Self::Approve => "decide what waits for a second person",
            Self::SeeAudit => "see who changed what in the audit",
            Self::SeeRuns => "see runs of data utilities and their history",
            Self::ControlRuns => "pause, resume and cancel runs that somebody else started",
            Self::TransferLine => "transfer a line with its whole history to another account",
            Self::ImportConsent => "import consent from a file",
            Self::MigrateFromV1 => "take in an export of the platform's first version",
            Self::ManagePersonalData => "set how long personal data is kept, and erase a contact",
        }
    }

    /// Its name in the matrix.
    pub fn name(self) -> String {
        let mut name = self.as_str().replace('_', " ");
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        name
    }

    /// The screens it belongs to.
    pub fn screen(self) -> &'static str {
        match self {
            Self::SeeDirectory | Self::ManageDirectory | Self::SetIntegrationType => "Lines, accounts, connections",
            Self::SeeMessages | Self::SeePersonalData | Self::SendMessages | Self::ManageSync => "Conversations and Sync",
            Self::SeeRuns | Self::ControlRuns | Self::TransferLine | Self::ImportConsent | Self::MigrateFromV1 => "Utilities",
            Self::SeeStaff | Self::ManageStaff | Self::ManageRoles | Self::Approve | Self::SeeAudit | Self::ManagePersonalData => {
                "Staff and audit"
            }
        }
    }

    /// It gives power over others' permissions: a role that holds it is given by two people, and it asks for a second factor.
    pub fn is_dangerous(self) -> bool {
        matches!(self, Self::ManageStaff | Self::ManageRoles | Self::Approve)
    }

    /// It is about no account: only a role that holds on all accounts gives it.
    pub fn is_of_platform(self) -> bool {
        matches!(self, Self::SeeStaff | Self::ManageStaff | Self::ManageRoles)
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
    /// What their roles allow on all accounts.
    pub everywhere: Vec<Permission>,
    /// What their roles would allow if they had a second factor.
    pub withheld: Vec<Permission>,
}

impl SignedIn {
    /// Whether any role allows it somewhere. Screens ask this to show or hide; the verb asks again.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Whether a role allows it on all accounts. Screens ask this to show or hide; the verb asks again.
    pub fn may_everywhere(&self, permission: Permission) -> bool {
        self.everywhere.contains(&permission)
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
    /// Whether they sign in with a second factor.
    pub second_factor: bool,
    /// Since when they may no longer sign in.
    pub disabled_at: Option<Timestamp>,
}

/// A member, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffDetail {
    /// As in the list.
    pub row: StaffRow,
    /// The roles, and whether they have each.
    pub roles: Vec<(RoleRow, bool)>,
    /// Where they are signed in, the latest first.
    pub sessions: Vec<SessionRow>,
    /// Until when a one-time link to their account is good; `None` while there is none.
    pub link_until: Option<Timestamp>,
}

/// One browser in which a member is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Names it when it is to be ended; nobody can sign in with it.
    pub handle: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was last used, to ten minutes.
    pub seen: Timestamp,
    /// The client's address at the beginning.
    pub address: String,
    /// The browser and the system, as the browser says.
    pub device: String,
}

/// What somebody sees of their own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAccount {
    /// As in the list of staff.
    pub row: StaffRow,
    /// Where they are signed in, the latest first.
    pub sessions: Vec<SessionRow>,
    /// The session that asks.
    pub here: String,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
}

/// A second factor that is being set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorOffer {
    /// The secret, to be typed where no picture can be taken: base32.
    pub secret: String,
    /// The QR code as SVG.
    pub picture: String,
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
    /// Whether it holds a dangerous permission, so that a second person has to agree when it is given.
    pub dangerous: bool,
}

/// A role, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDetail {
    /// As in a form.
    pub row: RoleRow,
    /// Changes with each edit.
    pub version: i64,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// The accounts it holds on, by name; empty when it holds on all.
    pub accounts: Vec<(AccountId, String)>,
    /// Who has it, by name.
    pub members: Vec<(StaffId, String)>,
}

/// Roles and what they allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleMatrix {
    /// The roles, by name.
    pub roles: Vec<RoleDetail>,
    /// What only somebody with a second factor may do.
    pub second_factor: Vec<Permission>,
    /// Who has each permission, in the order of [`Permission::ALL`].
    pub holders: Vec<Holders>,
}

/// Who has a permission by any of their roles. Nobody stands there twice, and nobody who is disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holders {
    /// The permission.
    pub permission: Permission,
    /// How many have it now.
    pub now: usize,
    /// How many have it later; see [`Holds`].
    pub later: usize,
    /// The first of them: who has it now before who has it later, each by name.
    pub first: Vec<Holder>,
    /// How many there are beside the first.
    pub more: usize,
}

/// A member whose roles give a permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The member.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// The roles that give it, by name.
    pub roles: Vec<RoleId>,
    /// Whether it holds by now.
    pub holds: Holds,
}

/// Whether what a member's roles give holds by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holds {
    /// It does.
    Now,
    /// It needs a second factor, which they have not set up.
    OnceSecondFactor,
    /// They were invited and have not set a password.
    OnceJoined,
}

words! {
    /// How something that the audit tells of ended.
    #[derive(Default)]
    AuditOutcome {
        /// It was done.
        #[default]
        Done = "done",
        /// It was refused.
        Denied = "denied",
        /// Personal data was looked at.
        Seen = "seen",
    }
}

impl AuditOutcome {
    /// As staff call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Denied => "Denied",
            Self::Seen => "Seen",
        }
    }
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
    /// Only about this one thing, such as a contact, a run or a member.
    pub subject: Option<Uuid>,
    /// Only what ended so.
    pub outcome: Option<AuditOutcome>,
    /// Only what was done from this moment on.
    pub from: Option<Timestamp>,
    /// Only what was done before this moment.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// Narrowed to these days, the last one included; each as a field for a day sends it, and what is none narrows nothing. Of the last
    /// one that is a day of UTC, or the last second of a day of the reader's.
    #[must_use]
    pub fn of_days(self, first: &str, last: &str) -> Self {
        let long = Duration::from_secs(if last.len() > "2026-11-21".len() { 1 } else { 24 * 60 * 60 });
        Self { from: Timestamp::from_day(first), until: Timestamp::from_day(last).map(|last| last.plus(long)), ..self }
    }
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
    /// How it ended.
    pub outcome: AuditOutcome,
    /// From where: the client's address, or `shell`; `None` for the program itself.
    pub address: Option<String>,
    /// The member who did it; `None` for a program.
    pub staff: Option<StaffId>,
    /// The account it was done to, and its name.
    pub account: Option<(AccountId, String)>,
    /// The line it was done to, and what staff call it; its number for who does not look after its account any more.
    pub line: Option<(LineId, String)>,
    /// The row it was done to, when it is neither; what kind of row follows from the action.
    pub subject: Option<Uuid>,
}

/// What an entry of the audit is about, beside its account and its line, where its reader may look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditSubject {
    /// A person of an account, and their name.
    User(UserId, String),
    /// A contact; the name is personal data and stands on their page.
    Contact(ContactId),
    /// A conversation of a line.
    Conversation(LineId, ConversationId),
    /// A blast of a line.
    Blast(LineId, BlastId),
    /// A connection to RingCentral.
    Connection(ConnectionId),
    /// A run of a data utility.
    Run(RunId),
    /// The erasure of a contact.
    Erasure(ErasureId),
    /// A member, and their name.
    Member(StaffId, String),
    /// A role, and its name.
    Role(RoleId, String),
}
