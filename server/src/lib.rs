//! The server: the console, the webhooks, the public API and the workers, in one binary with several commands.
//!
//! Routes hold no rules: they read the request, take the permit or the token, call one verb of the services, and answer.

// Components' types nest deeply.
#![recursion_limit = "256"]

pub mod api;
pub mod application;
pub mod config;
pub mod console;
pub mod demo;
pub mod front;
pub mod live;
pub mod outside;
pub mod sandbox;
pub mod shell;
pub mod webhooks;
