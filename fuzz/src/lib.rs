//! What must hold for every input from outside, whatever it is. One function a reader: `make fuzz` feeds them for long
//! (`fuzz/long`), `make test` for a moment (`tests/any_input.rs`).
//!
//! The rule: a target fails by panicking, and says in words what did not hold. To add one: a function here, its line in
//! [`TARGETS`], a file in `fuzz/long/fuzz_targets`, its entry in the `Cargo.toml` beside it, and some seeds in `fuzz/seeds`.

mod readers;
mod texts;

pub use readers::{api, carrier, consents, cursors, exports, phones, ringcentral};
pub use texts::{cells, posts};

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("carrier", carrier),
    ("ringcentral", ringcentral),
    ("api", api),
    ("phones", phones),
    ("cursors", cursors),
    ("posts", posts),
    ("cells", cells),
    ("consents", consents),
    ("exports", exports),
];
