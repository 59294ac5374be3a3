//! The design system: small, finished parts on top of Tailwind and daisyUI, with the tokens of `style/main.css`.
//!
//! The rule: every part works before the WebAssembly arrives and without it, names itself to a screen reader, and is reached and
//! used by keyboard. A screen takes its looks from here, so that a change of look is made once; each stands on `/ui` in every state (`parts`).

mod address;
mod badge;
mod button;
mod chart;
mod closed;
mod dialog;
mod fault;
mod field;
mod filter;
mod help;
mod icon;
mod load;
mod page;
mod pick;
mod send;
mod state;
mod table;
mod toast;
mod value;

pub use address::{id_of_path, mistyped};
pub use badge::{Badge, Tone, TypeBadge};
pub use button::{Button, ButtonLink, CsvLink, Look};
pub use chart::{Chart, Graph, Ink, Series, Shape, Share};
pub use closed::{closed_badge, closed_fact, closed_filter};
pub use dialog::{ConfirmFold, Dialog, EditFold};
pub use fault::{Asking, FaultView, FormFault, PROOF_FORM, ProofFault, field_error, look_again};
pub use field::{Check, Choice, Field, MomentField, Select, TextArea};
pub use filter::{FilterBar, Search, query_field};
pub use help::Help;
pub use icon::{Icon, icon};
pub use load::{Loaded, UnderWay, load, load_again, provide_again};
pub use page::{Effects, Notice, PageHead, Panel, Stat, Tabs};
pub use pick::{Pick, Picking, back_field, list_at};
pub use send::{SendForm, Sending, UploadForm, fault_of, waits};
pub use state::{Empty, Loading, Progress, no_account};
pub use switchyard::types::grouped;
pub use table::{Cell, Heads, Pager, RowLink, Table, csv_url, keep_sort, page_url, sort_url};
pub use toast::{ToastRegion, provide_toasts, toast, toast_on_success};
pub use value::{CopyText, MASKED, Number, Time, contact_number, masked_note};
