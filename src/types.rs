//! What the browser may know: ids, numbers, states, rows and pages. It compiles to wasm and knows nothing of a database.
//!
//! Values are parsed at the edge and trusted inside: a [`PhoneNumber`] that exists is one.

mod approval;
mod aside;
mod blast;
mod bulk;
mod change;
mod conversation;
mod count;
mod directory;
mod erasure;
mod figures;
mod home;
mod id;
mod list;
mod messaging;
mod page;
mod people;
mod phone;
mod problem;
mod retention;
mod ringcentral;
mod search;
mod sight;
mod staff;
mod timestamp;
mod undo;
mod utility;

pub use approval::*;
pub use aside::*;
pub use blast::*;
pub use bulk::*;
pub use change::*;
pub use conversation::*;
pub use count::*;
pub use directory::*;
pub use erasure::*;
pub use figures::*;
pub use home::*;
pub use id::*;
pub use list::*;
pub use messaging::*;
pub use page::*;
pub use people::*;
pub use phone::*;
pub use problem::*;
pub use retention::*;
pub use ringcentral::*;
pub use search::*;
pub use sight::*;
pub use staff::*;
pub use timestamp::*;
pub use undo::*;
pub use utility::*;

/// A text enum that is stored, sent and shown by one snake_case word: `as_str`, `FromStr`, `ALL`, serde, sqlx.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "services", derive(sqlx::Type), sqlx(type_name = "text", rename_all = "snake_case"))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in the order in which it is offered.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that is stored and sent.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::types::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
                    .ok_or_else(|| $crate::types::UnknownWord(text.chars().take(40).collect()))
            }
        }
    };
}
pub(crate) use words;

/// A word that is none of those expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not one of the values this field takes")]
pub struct UnknownWord(pub String);
