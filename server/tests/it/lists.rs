//! Lists: what is done to many of their rows, and how their readers arrange them.

mod bulk;
mod files;
mod opinion;
mod views;
