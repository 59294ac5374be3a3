//! Home: what needs a person now, and how it went, of what a member may see.
//!
//! The rule: each room says what of its own needs somebody, within its permit; nothing is counted beyond [`MOST_COUNTED`].

use crate::clock::Now;
use crate::db::{Db, Result, one_more};
use crate::staff::{Member, approvals, may};
use crate::types::{Activity, MOST_COUNTED, Needs, Span};
use crate::{figures, messaging, ringcentral, sync, utilities};

/// So many of each kind are named.
const NAMED: usize = 5;

/// What needs the member now.
///
/// # Errors
/// What the database says.
pub async fn needs(db: &Db, now: &Now, member: &Member) -> Result<Needs> {
    let mut needs = Needs { to_decide: approvals::oldest_to_decide(db, now, member, NAMED).await?, ..Needs::default() };
    if let Some(permit) = member.permit_if_any::<may::SeeMessages>() {
        needs.carrier = messaging::carrier::trouble(db, now, &permit).await?;
        needs.stalled = Some(sync::oldest_stalled(db, &permit, NAMED).await?);
        needs.unknown = messaging::unknown::numbers(db, &permit, NAMED).await?;
        needs.held = Some(figures::held(db, now, &permit, NAMED).await?);
        needs.blasts = Some(messaging::blast::waiting(db, now.at(), &permit).await?);
    }
    if let Some(permit) = member.permit_if_any::<may::SeeDirectory>() {
        needs.connections = Some(ringcentral::in_trouble(db, &permit, NAMED).await?);
    }
    if let Some(permit) = member.permit_if_any::<may::SeeRuns>() {
        needs.failed = Some(utilities::oldest_failed(db, &permit, NAMED).await?);
        needs.standing = Some(utilities::oldest_standing(db, &permit, NAMED).await?);
    }
    Ok(needs)
}

/// How it went over a day or a month, of the member's accounts; `None` for who may not see the directory.
///
/// # Errors
/// What the database says.
pub async fn activity(db: &Db, now: &Now, member: &Member, span: Span) -> Result<Option<Activity>> {
    match member.permit_if_any::<may::SeeDirectory>() {
        Some(permit) => Ok(Some(figures::activity(db, now, &permit, span).await?)),
        None => Ok(None),
    }
}

/// What is read so that it can be said that there are more.
pub(crate) fn most_read() -> i64 {
    one_more(MOST_COUNTED)
}
