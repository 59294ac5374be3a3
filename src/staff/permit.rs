//! Permits: the proof, as a value, that the signed-in member may do a thing, and on which accounts.

use super::notebook::{Notebook, Seen};
use crate::db::{Db, Result, Tx};
use crate::types::{AccountId, Permission, Problem, SignedIn, StaffId, UndoId};
use std::marker::PhantomData;
use uuid::Uuid;

/// Permissions as types, so that a verb's signature says what it needs.
pub mod may {
    use crate::types::Permission;

    /// A permission as a type.
    pub trait May {
        /// The permission it stands for.
        const PERMISSION: Permission;
    }

    macro_rules! permissions { ($($name:ident),+) => { $(
        #[doc = concat!("See [`Permission::", stringify!($name), "`].")]
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl May for $name { const PERMISSION: Permission = Permission::$name; }
    )+ } }
    permissions!(
        SeeDirectory,
        SeeMessages,
        SeePersonalData,
        ManageDirectory,
        SetIntegrationType,
        SendMessages,
        ManageSync,
        SeeStaff,
        ManageStaff,
        ManageRoles,
        Approve,
        SeeAudit,
        ManagePersonalData,
        SeeRuns,
        ControlRuns,
        TransferLine,
        ImportConsent,
        MigrateFromV1
    );
}

/// Who did it, as the audit writes it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A member of the staff, in the console or the shell.
    Staff {
        /// The member.
        id: StaffId,
        /// Their name at the time.
        name: String,
        /// From where: the client's address, or `shell`.
        address: Option<String>,
    },
    /// A program of an account, by its token.
    Api {
        /// The account.
        account_id: AccountId,
        /// The token's name.
        name: String,
        /// From where.
        address: Option<String>,
    },
    /// Somebody who is not signed in.
    Nobody {
        /// From where.
        address: Option<String>,
    },
    /// The program itself, such as the first start.
    System,
}

impl Actor {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Staff { .. } => "staff",
            Self::Api { .. } => "api",
            Self::Nobody { .. } => "nobody",
            Self::System => "system",
        }
    }

    pub(super) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Staff { id, .. } => Some(id.0),
            Self::Api { account_id, .. } => Some(account_id.0),
            Self::Nobody { .. } | Self::System => None,
        }
    }

    pub(super) fn address(&self) -> Option<&str> {
        match self {
            Self::Staff { address, .. } | Self::Api { address, .. } | Self::Nobody { address } => address.as_deref(),
            Self::System => None,
        }
    }

    /// The name that is shown.
    pub fn name(&self) -> &str {
        match self {
            Self::Staff { name, .. } | Self::Api { name, .. } => name,
            Self::Nobody { .. } => "Not signed in",
            Self::System => "Switchyard",
        }
    }
}

/// A member whose session is valid, with the permissions that their roles give at this moment.
#[derive(Debug, Clone)]
pub struct Member {
    id: StaffId,
    name: String,
    /// Each permission once; `true` when one of the roles that give it holds on all accounts.
    permissions: Vec<(Permission, bool)>,
    /// What the roles give to whoever has a second factor, which this member has not.
    withheld: Vec<Permission>,
    address: Option<String>,
    notebook: Notebook,
}

/// Name, second factor, and each permission with whether it holds everywhere and needs a second factor.
type MemberRow = (String, bool, Option<String>, bool, bool);

/// Without the accounts of the roles, which may be thousands: each statement asks for those itself.
const MEMBER: &str = "select m.name, m.second_factor is not null, rp.permission, coalesce(r.everywhere, false), f.permission is not null
     from staff_member m
     left join staff_role sr on sr.staff_id = m.id
     left join role r on r.id = sr.role_id
     left join role_permission rp on rp.role_id = r.id
     left join second_factor_rule f on f.permission = rp.permission
     where m.id = $1 and m.disabled_at is null
     order by rp.permission";

impl Member {
    /// Reads a member who may sign in; `None` for a stranger or a disabled one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(db: &Db, id: StaffId) -> Result<Option<Member>> {
        Ok(Self::of_rows(id, db.all(MEMBER, [id]).await?))
    }

    /// The same within the caller's transaction, for what is done in somebody's name later.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn load_in(tx: &mut Tx, id: StaffId) -> Result<Option<Member>> {
        Ok(Self::of_rows(id, tx.all(MEMBER, [id]).await?))
    }

    fn of_rows(id: StaffId, rows: Vec<MemberRow>) -> Option<Member> {
        let (name, second_factor, ..) = rows.first().cloned()?;
        let (mut permissions, mut withheld): (Vec<(Permission, bool)>, Vec<Permission>) = Default::default();
        for (.., word, everywhere, needs_second_factor) in rows {
            // A word of a newer or older program gives nothing; what is about no account is not given on some.
            let Some(permission) = word.and_then(|word| word.parse::<Permission>().ok()) else { continue };
            if permission.is_of_platform() && !everywhere {
                continue;
            }
            if needs_second_factor && !second_factor {
                withheld.push(permission);
                continue;
            }
            match permissions.iter_mut().find(|(known, _)| *known == permission) {
                Some((_, all)) => *all |= everywhere,
                None => permissions.push((permission, everywhere)),
            }
        }
        withheld.dedup();
        Some(Member { id, name, permissions, withheld, address: None, notebook: Notebook::default() })
    }

    /// The same member, asking from this address: what they do from now on says so in the audit.
    #[must_use]
    pub fn from(self, address: Option<String>) -> Member {
        Member { address, ..self }
    }

    /// From where they ask.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// They were asked to show again who they are: no refusal, but a step on the way.
    pub fn is_asked_for_proof(&self) {
        self.notebook.asked_for_proof();
    }

    /// The member's id.
    pub fn id(&self) -> StaffId {
        self.id
    }

    /// As the audit writes them down.
    pub fn actor(&self) -> Actor {
        Actor::Staff { id: self.id, name: self.name.clone(), address: self.address.clone() }
    }

    /// As the console's header shows them.
    pub fn signed_in(&self) -> SignedIn {
        SignedIn {
            id: self.id,
            name: self.name.clone(),
            permissions: self.permissions.iter().map(|(p, _)| *p).collect(),
            everywhere: self.permissions.iter().filter(|(_, all)| *all).map(|(p, _)| *p).collect(),
            withheld: self.withheld.clone(),
        }
    }

    /// Whether the roles give it on all accounts.
    pub fn may_everywhere(&self, permission: Permission) -> bool {
        self.permissions.contains(&(permission, true))
    }

    /// The permit for `P`; a refusal is noted, for the audit.
    ///
    /// # Errors
    /// `Forbidden`, with the permission in words, when no role gives it.
    pub fn permit<P: may::May>(&self) -> std::result::Result<Permit<P>, Problem> {
        self.permit_if_any().inspect(|_| self.notebook.asked_for(P::PERMISSION)).ok_or_else(|| {
            self.notebook.refused(P::PERMISSION);
            let sentence = P::PERMISSION.sentence();
            Problem::forbidden(if self.withheld.contains(&P::PERMISSION) {
                format!("To {sentence} you need a second factor. Set it up under “Your account”, then do this again.")
            } else {
                format!("Your roles do not let you {sentence}. Ask an administrator for it.")
            })
        })
    }

    /// The permit for `P`, for what is shown to those who have it and left out for the others.
    pub fn permit_if_any<P: may::May>(&self) -> Option<Permit<P>> {
        let everywhere = self.permissions.iter().find(|(p, _)| *p == P::PERMISSION).map(|(_, all)| *all)?;
        let scope = Scope { everywhere, staff: self.id, permission: P::PERMISSION.as_str() };
        let personal = self.permissions.iter().find(|(p, _)| *p == Permission::SeePersonalData).map(|(_, all)| *all);
        let word = if personal.is_some() { Permission::SeePersonalData.as_str() } else { "" };
        let sight = Sight { everywhere: personal == Some(true), somewhere: personal.is_some(), permission: word };
        Some(Permit { actor: self.actor(), scope, sight, notebook: self.notebook.clone(), of: PhantomData })
    }

    /// What they asked to do in this request, and may do on some accounts alone. To be asked before the notebook is written down.
    pub fn asked_on_some(&self) -> Vec<Permission> {
        self.notebook.asked().into_iter().filter(|permission| !self.may_everywhere(*permission)).collect()
    }

    /// What takes back what they did in this request, if something does. To be asked before the notebook is written down.
    pub fn can_undo(&self) -> Option<UndoId> {
        self.notebook.undo()
    }

    pub(super) fn notebook(&self) -> &Notebook {
        &self.notebook
    }
}

/// Where a permit holds, as the three values that a statement binds:
/// `($1 or account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3))`. A long list asks for the roles,
/// once, and by `exists` whether one of them names its row's account: thousands of accounts are not gathered for fifty rows. `limit 1
/// offset 0` keeps PostgreSQL from gathering them all the same.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// On all accounts.
    pub everywhere: bool,
    /// Whose roles name the accounts otherwise.
    pub staff: StaffId,
    /// The permission's word.
    pub permission: &'static str,
}

/// Where the holder of a permit sees personal data whole. A statement decides it by the row's account:
/// `coalesce($1 or account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3), false)`.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// On all accounts.
    pub everywhere: bool,
    /// On some account.
    pub somewhere: bool,
    /// The permission's word; none that there is when it holds nowhere, such as for want of a second factor.
    pub permission: &'static str,
}

/// The proof that somebody may do what `P` names, and where.
#[derive(Debug, Clone)]
pub struct Permit<P> {
    actor: Actor,
    scope: Scope,
    sight: Sight,
    notebook: Notebook,
    of: PhantomData<P>,
}

impl<P: may::May> Permit<P> {
    /// Refuses who does not hold it on all accounts, with these words; noted, for the audit.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn on_all_accounts(&self, else_say: &str) -> std::result::Result<(), Problem> {
        if self.scope.everywhere {
            return Ok(());
        }
        self.notebook.refused(P::PERMISSION);
        Err(Problem::forbidden(else_say))
    }
}

impl<P> Permit<P> {
    /// Who holds it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Where it holds.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Where its holder sees personal data whole; everywhere else it is masked.
    pub fn sight(&self) -> Sight {
        self.sight
    }

    /// Notes that its holder is shown this whole, for the audit.
    pub fn saw(&self, seen: Seen) {
        self.notebook.saw(seen);
    }

    /// Notes what takes back what its holder has just done.
    pub(crate) fn can_undo(&self, id: UndoId) {
        self.notebook.can_undo(id);
    }

    /// Notes that its holder would have needed a further permission, for the audit.
    pub(crate) fn lacked(&self, permission: Permission) {
        self.notebook.refused(permission);
    }
}
