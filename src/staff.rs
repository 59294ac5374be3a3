//! Staff: who works here, what they may do, their sessions, and the audit of what they did.
//!
//! The rule of this room: authority comes from the roles as they stand in the database now. A verb elsewhere takes a
//! [`Permit`], only [`Member::permit`] yields one, and its scope is applied by the verb's SQL through the view `staff_scope`.

pub mod approvals;
mod audit;
mod contact_key;
mod found;
mod invite;
mod machines;
mod members;
mod notebook;
mod own;
mod password;
mod permit;
mod places;
mod proof;
mod reach;
pub mod roles;
mod seal;
pub mod second_factor;
mod session;
mod sign_in;
pub(crate) mod throttle;
pub mod views;

pub use audit::{Entry, actions, line_history, record, search};
pub(crate) use contact_key::forget_key;
pub use contact_key::{sealed_number, with_numbers};
pub(crate) use found::{fold_older, found};
pub use invite::{Invited, accept, first_administrator, invite, peek};
pub use machines::{LONGEST_WAIT, refused_api_token, refused_metrics_token, refused_unknown_webhook, refused_webhook};
pub use members::{Reset, disable, enable, end_session_of, get, give_role, list, reset, take_role};
pub use notebook::{Place, Seen, forget_old_pauses, refused_another_site, write_down};
pub use own::{By, change_password, end_own_session, own_account, prove, remove_second_factor, sign_out};
pub use password::{Chosen, Passwords, WeakPassword};
pub use permit::{Actor, Member, Permit, Scope, Sight, may};
pub use places::{Places, places};
pub use proof::Proof;
pub use reach::reached;
pub use seal::{Verdict, count_before, cut, run_seal, seal, verify};
pub use session::{BEGUN, HALF, SessionRows, WAS, end_sessions, hash_token, replace_session, session_handle, session_key};
pub use sign_in::{Origin, Step, remember_device, sign_in, sign_in_history_is_pruned, sign_in_with_code};

use session::{end_other_sessions, end_session, sessions_of};
