//! RingCentral: an account's connection, its budget of calls, and the client.
//!
//! The rule of this room: no call is made outside the connection's budget, and an answer is sorted into what is certain
//! (accepted, refused, not taken) and what is not ([`Outcome::Unknown`]), since a repeated post would be a second post.

mod budget;
mod client;
mod connection;

pub use budget::{Leave, ask_leave, park};
pub use client::{Client, Outcome, Post, Refusal};
pub use connection::{Connection, NewConnection, connect, connected, find, is_connected};
