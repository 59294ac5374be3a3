//! The product as its neighbours meet it: over HTTP, on both engines, against the sandbox, on a clock that the test moves.
//!
//! A test is a function on a running [`harness::TestApp`], named by `on_both_engines!`; what it judges by is the sandbox's journal
//! ([`verdict`]), never the product's own code. `.ci/postgres run cargo test -p server --test it` runs both halves.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod harness;
mod source;
mod story;
mod verdict;

mod access;
mod agents;
mod api;
mod attacks;
mod audit;
mod blasts;
mod carrier;
mod connections;
mod contrast;
mod conversation;
mod crash;
mod denials;
mod directory;
mod doors;
mod erasure;
mod faults;
mod guards;
mod home;
mod house;
mod imports;
mod kill_test;
mod leases;
mod lists;
mod members;
mod messages;
mod property;
mod retention;
mod schema;
mod search;
mod shell;
mod sights;
mod skip_held;
mod sms;
mod soak;
mod statements;
mod transfer;
mod type_change;
mod undo;
mod unknown;
mod web;
mod webhooks;
