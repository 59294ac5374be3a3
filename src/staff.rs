//! Staff: who works here, what they may do, their sessions, and the audit of what they did.
//!
//! The rule of this room: authority comes from the roles as they stand in the database now. A verb elsewhere takes a
//! [`Permit`], only [`Member::permit`] yields one, and its scope is applied by the verb's SQL through the view `staff_scope`.

mod audit;
mod invite;
mod password;
mod permit;
mod seal;
mod session;
mod sign_in;

pub use audit::{Entry, actions, line_history, record, search};
pub use invite::{Invited, accept, disable, first_administrator, invite, list, peek, roles};
pub use password::{Passwords, WeakPassword};
pub use permit::{Actor, Member, Permit, Scope, may};
pub use seal::{Verdict, run_seal, seal, verify};
pub use session::{SessionRows, end_sessions, hash_token};
pub use sign_in::{sign_in, sign_in_history_is_pruned};
