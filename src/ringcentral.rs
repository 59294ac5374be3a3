//! RingCentral: an account's connection, its token and budget of calls, the client, the webhook subscription and its events.
//!
//! The rule of this room: no call is made outside the connection's budget, and an answer is sorted into what is certain
//! (accepted, refused, not taken) and what is not ([`Outcome::Unknown`]), since a repeated post would be a second post.

mod answer;
mod budget;
mod client;
mod connection;
pub mod events;
mod needs;
mod staff_acts;
pub mod subscription;
mod token;
mod view;

pub use answer::{Outcome, Refusal};
pub use budget::{Budget, Call, Group, Leave, ask_leave};
pub use client::{ChatNews, Client, MOST_RECENT, Membership};
pub use connection::{Connection, NewConnection, connect, connected, find, is_connected};
pub(crate) use needs::in_trouble;
pub(crate) use staff_acts::{account_closed, account_reopened, limits_one};
pub use staff_acts::{edit_limits, pause, remove, renew_secrets, resume, test, try_people_again};
pub use view::{deliveries, get, list, of_account, search};
