//! Taking back what was just done.

use super::UndoId;
use serde::{Deserialize, Serialize};

/// The header of an answer that names the [`UndoId`] of what was done.
pub const UNDO_HEADER: &str = "switchyard-undo";

/// What its member may take back at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoOffer {
    /// Which step.
    pub id: UndoId,
    /// What was done, in words.
    pub what: String,
    /// So many seconds it is still offered.
    pub seconds: u64,
}
