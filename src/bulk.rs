//! Bulk changes: one act on many rows of a list, chosen one by one, or all that match.
//!
//! The rule: a row is changed by the verb that changes it alone, with its permit, version check and audit, whether at once or by the data
//! utility that does it to very many; and what is left out is said beforehand, row by row.

use crate::clock::Now;
use crate::db::{Db, Tx};
use crate::directory::{self, integration, lines, users};
use crate::staff::approvals::Alone;
use crate::staff::{Member, Permit, Scope, may};
use crate::sync;
use crate::types::{BulkAct, BulkLook, BulkRow, BulkWhich, Cursor, IntegrationType, LineId, Outcome, Page, Problem, UserId};
use crate::undo::{self, Step};

/// An act that its member may do.
#[derive(Debug)]
pub enum Act {
    /// Set the type of lines.
    SetTypes(Permit<may::SetIntegrationType>, IntegrationType),
    /// Try stalled conversations again at once.
    RetryLanes(Permit<may::ManageSync>),
    /// Skip what is held in conversations, and what of ours waits to be posted.
    SkipHeld(Permit<may::ManageSync>),
    /// Close people.
    CloseUsers(Permit<may::ManageDirectory>),
}

impl Act {
    /// The act, if the member may do it; `to` is the type that lines are set to.
    ///
    /// # Errors
    /// `Forbidden` without the permission, `Invalid` when it is not said which type.
    pub fn of(member: &Member, act: BulkAct, to: Option<IntegrationType>) -> Result<Self, Problem> {
        Ok(match act {
            BulkAct::SetTypes => Self::SetTypes(member.permit()?, to.ok_or_else(no_type)?),
            BulkAct::RetryLanes => Self::RetryLanes(member.permit()?),
            BulkAct::SkipHeld => Self::SkipHeld(member.permit()?),
            BulkAct::CloseUsers => Self::CloseUsers(member.permit()?),
        })
    }

    fn scope(&self) -> Scope {
        match self {
            Self::SetTypes(permit, _) => permit.scope(),
            Self::RetryLanes(permit) | Self::SkipHeld(permit) => permit.scope(),
            Self::CloseUsers(permit) => permit.scope(),
        }
    }

    fn to(&self) -> Option<IntegrationType> {
        match self {
            Self::SetTypes(_, to) => Some(*to),
            Self::RetryLanes(_) | Self::SkipHeld(_) | Self::CloseUsers(_) => None,
        }
    }

    fn kind(&self) -> BulkAct {
        match self {
            Self::SetTypes(..) => BulkAct::SetTypes,
            Self::RetryLanes(_) => BulkAct::RetryLanes,
            Self::SkipHeld(_) => BulkAct::SkipHeld,
            Self::CloseUsers(_) => BulkAct::CloseUsers,
        }
    }
}

fn no_type() -> Problem {
    Problem::invalid("to", "Choose one of the integration types.")
}

/// Rows of a bulk change, a page at a time, within the scope; each says why it is left out, if it is.
///
/// # Errors
/// `NotFound` for a chosen one that is not there or out of scope, `Invalid` for a filter that cannot be taken.
pub(crate) async fn rows(
    db: &Db,
    scope: Scope,
    act: BulkAct,
    to: Option<IntegrationType>,
    which: &BulkWhich,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<BulkRow>, Problem> {
    match act {
        BulkAct::SetTypes => directory::bulk::look_at_lines(db, scope, to.ok_or_else(no_type)?, which, after, limit).await,
        BulkAct::RetryLanes => sync::look_for_bulk(db, scope, which, after, limit).await,
        BulkAct::SkipHeld => sync::look_at_held(db, scope, which, after, limit).await,
        BulkAct::CloseUsers => directory::bulk::look_at_people(db, scope, which, after, limit).await,
    }
}

/// What a bulk change would do; changes nothing. It looks at no more rows than are changed at once.
///
/// # Errors
/// `NotFound` for a chosen row that is not there or out of scope, `Invalid` when none is chosen.
pub async fn look(db: &Db, act: &Act, which: &BulkWhich, at_once: usize) -> Result<BulkLook, Problem> {
    let which = match which {
        BulkWhich::Chosen(keys) if keys.is_empty() => return Err(Problem::invalid("rows", "Choose at least one row.")),
        BulkWhich::Chosen(keys) => BulkWhich::Chosen(keys.iter().take(at_once + 1).cloned().collect()),
        BulkWhich::All(filter) => BulkWhich::All(filter.clone()),
    };
    let Page { mut rows, next } = rows(db, act.scope(), act.kind(), act.to(), &which, None, at_once).await?;
    let is_large = next.is_some() || rows.len() > at_once;
    rows.truncate(at_once);
    Ok(BulkLook { rows, is_large, at_once })
}

/// Changes rows, each as it was looked at (key and version), in one transaction: all or none. Setting the type of many lines waits for a
/// second person.
///
/// # Errors
/// As the verb that changes one row; `Invalid` for none or too many.
pub async fn change(
    db: &Db,
    now: &Now,
    member: &Member,
    act: &Act,
    seen: &[(String, i64)],
    alone: Alone,
    note: &str,
) -> Result<Outcome, Problem> {
    if seen.is_empty() || seen.len() > alone.at_once {
        return Err(Problem::invalid("rows", format!("Choose between 1 and {} rows.", alone.at_once)));
    }
    if let Act::SetTypes(_, to) = act {
        let lines = seen.iter().map(|(key, version)| Ok((line_of(key)?, *version))).collect::<Result<Vec<_>, Problem>>()?;
        return integration::set_many(db, now, member, &lines, *to, alone.lines, note).await;
    }
    let mut seen: Vec<&(String, i64)> = seen.iter().collect();
    if act.kind().is_of_conversations() {
        // Lanes are always locked in the order of their keys.
        seen.sort_unstable();
    }
    db.work(async |tx| {
        let mut steps = Vec::new();
        for (key, version) in &seen {
            steps.extend(change_one(tx, now, act, key, *version).await?);
        }
        let counted = act.kind().counted(i64::try_from(steps.len()).unwrap_or(i64::MAX));
        match act {
            _ if steps.is_empty() => {}
            Act::CloseUsers(permit) => undo::leave(tx, now, permit, &format!("{counted} closed."), steps).await?,
            Act::SkipHeld(permit) => undo::leave(tx, now, permit, &format!("What was held in {counted} is skipped."), steps).await?,
            Act::SetTypes(..) | Act::RetryLanes(_) => {}
        }
        Ok(Outcome::Done)
    })
    .await
}

fn line_of(key: &str) -> Result<LineId, Problem> {
    key.parse().map_err(|_| lines::no_such_line())
}

/// Says what takes it back, if something does.
async fn change_one(tx: &mut Tx, now: &Now, act: &Act, key: &str, version: i64) -> Result<Option<Step>, Problem> {
    match act {
        Act::SetTypes(permit, to) => integration::set_one(tx, now, permit, line_of(key)?, *to, version).await.map(Some),
        Act::RetryLanes(permit) => {
            let (line, conversation) = sync::lane_of(key).ok_or_else(sync::no_such_conversation)?;
            sync::retry_one(tx, now, permit, line, conversation).await.map(|()| None)
        }
        Act::SkipHeld(permit) => {
            let key = sync::lane_of(key).ok_or_else(sync::no_such_conversation)?;
            sync::skip_held_of_one(tx, now, permit, key, version).await.map(|skipped| skipped.undo)
        }
        Act::CloseUsers(permit) => {
            let id: UserId = key.parse().map_err(|_| users::no_such_user())?;
            users::close_one(tx, now, permit, id, version).await.map(Some)
        }
    }
}

/// Changes one row of many in the caller's transaction; when it is refused, nothing of it is changed, and the words say why.
///
/// # Errors
/// What the database says.
pub(crate) async fn try_one(tx: &mut Tx, now: &Now, act: &Act, row: &BulkRow) -> Result<Result<(), String>, Problem> {
    let mark = tx.mark().await?;
    match change_one(tx, now, act, &row.key, row.version).await {
        Ok(_) => {
            tx.keep(mark).await?;
            Ok(Ok(()))
        }
        Err(internal @ Problem::Internal { .. }) => Err(internal),
        Err(refused) => {
            tx.undo(mark).await?;
            Ok(Err(refused.to_string()))
        }
    }
}
