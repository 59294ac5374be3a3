//! Switchyard's services: what the console, the webhooks, the public API and the workers all call.
//!
//! One room per subject; a room owns its tables, its SQL and its rules, and exports verbs. A request flows one way:
//! route or server function → [`staff::Permit`] → verb → SQL in one transaction → answer.
//!
//! A room writes its own tables only, but for two: [`ringcentral`] deletes what [`sync`] has found out about a connection's people, with
//! the connection or to have them tried again; and [`staff`]'s seal of the audit holds its row of [`work`]'s `chore`, as its lock.
//! It may read others' in a join, where a verb would cost a statement a row: above all the directory's `account`, `line` and `contact` and
//! the staff's `staff_scope`, or `staff_scope_role` with `role_account`, since who may see a row is decided there.
//!
//! To add a verb: write it in the room that owns the tables, let it take the permit of the permission that it needs,
//! apply the permit's scope in its SQL, and write its audit entry in the same transaction.

pub mod types;

#[cfg(feature = "services")]
pub mod bulk;
#[cfg(feature = "services")]
pub mod clock;
#[cfg(feature = "services")]
pub mod db;
#[cfg(feature = "services")]
pub mod directory;
#[cfg(feature = "services")]
pub mod erasure;
#[cfg(feature = "services")]
pub mod figures;
#[cfg(feature = "services")]
pub mod home;
#[cfg(feature = "services")]
pub mod messaging;
#[cfg(feature = "services")]
pub mod retention;
#[cfg(feature = "services")]
pub mod ringcentral;
#[cfg(feature = "services")]
pub mod search;
#[cfg(feature = "services")]
pub mod secret;
#[cfg(feature = "services")]
pub mod staff;
#[cfg(feature = "services")]
pub mod sync;
#[cfg(feature = "services")]
pub mod undo;
#[cfg(feature = "services")]
pub mod utilities;
#[cfg(feature = "services")]
pub mod work;
