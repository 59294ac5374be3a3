//! How long personal data is kept: what each account and the platform say, and the chore that works it off.
//!
//! The rule: this room knows how long, the rooms whose rows they are know how. Everything goes in small batches in the background, and
//! what is under way is left for the next pass. Each change of what is kept is audited, and so is each cut of the audit itself.

use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::messaging::{idempotency, retention as messages, unknown};
use crate::staff::{self, Entry, Permit, Proof, may, record};
use crate::sync;
use crate::types::{AccountId, Days, LineId, Problem, Retention, RetentionPreview, Timestamp};
use crate::utilities;
use crate::work::is_my_turn;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Counting for a preview stops here.
const COUNT_CAP: i64 = 10_000;
/// The longest that can be asked for: a hundred years.
const MOST_DAYS: i64 = 36_500;
/// The audit is kept at least so long.
const AUDIT_AT_LEAST: i64 = 90;
const EVERY: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(sqlx::FromRow)]
struct Row {
    message_days: Days,
    held_days: Days,
    unknown_days: Days,
    audit_days: Days,
    version: i64,
}

impl From<Row> for Retention {
    fn from(row: Row) -> Self {
        Self {
            message_days: row.message_days,
            held_days: row.held_days,
            unknown_days: row.unknown_days,
            audit_days: row.audit_days,
            version: row.version,
        }
    }
}

/// The account's key, or the platform's.
fn owner(account: Option<AccountId>) -> Uuid {
    account.map_or(Uuid::nil(), |account| account.0)
}

async fn read(db: &Db, account: Option<AccountId>) -> Result<Retention> {
    let row: Option<Row> = db
        .opt("select message_days, held_days, unknown_days, audit_days, version from retention where owner_id = $1", [owner(account)])
        .await?;
    Ok(row.map(Retention::from).unwrap_or_default())
}

/// Refuses an account out of the permit's scope; the platform is for who looks after all accounts.
async fn within_scope<P: may::May>(db: &Db, permit: &Permit<P>, account: Option<AccountId>) -> Result<(), Problem> {
    let Some(account) = account else {
        return permit.on_all_accounts("How long the platform keeps things is for who looks after all accounts.");
    };
    let scope = permit.scope();
    let found: Option<(AccountId,)> = db
        .opt(
            "select id from account
             where id = $1 and ($2 or id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (account, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.map(|_| ()).ok_or_else(|| Problem::not_found("There is no such account, or it is one that you do not look after."))
}

/// What an account says, or the platform.
///
/// # Errors
/// `NotFound` out of scope, `Forbidden` for the platform and who does not look after all accounts.
pub async fn get(db: &Db, permit: &Permit<may::SeeDirectory>, account: Option<AccountId>) -> Result<Retention, Problem> {
    within_scope(db, permit, account).await?;
    Ok(read(db, account).await?)
}

fn before(now: &Now, days: i64) -> Timestamp {
    now.at().minus(DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX)))
}

/// Checks what is asked for, and drops what is not this owner's to say.
fn checked(account: Option<AccountId>, wanted: Retention) -> Result<Retention, Problem> {
    let fields = [
        ("message_days", wanted.message_days, 1),
        ("held_days", wanted.held_days, 1),
        ("unknown_days", wanted.unknown_days, 1),
        ("audit_days", wanted.audit_days, AUDIT_AT_LEAST),
    ];
    for (field, days, least) in fields {
        if days.is_some_and(|days| !(least..=MOST_DAYS).contains(&days)) {
            return Err(Problem::invalid(
                field,
                format!("Write a number of days from {least} to {MOST_DAYS}, or nothing to keep it for good."),
            ));
        }
    }
    Ok(match account {
        Some(_) => Retention { unknown_days: None, audit_days: None, ..wanted },
        None => Retention { message_days: None, held_days: None, ..wanted },
    })
}

/// What would go at once; nothing is changed by asking.
///
/// # Errors
/// `Invalid` for days that cannot be, and as [`get`].
pub async fn preview(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManagePersonalData>,
    account: Option<AccountId>,
    wanted: Retention,
) -> Result<RetentionPreview, Problem> {
    within_scope(db, permit, account).await?;
    let wanted = checked(account, wanted)?;
    let mut preview = RetentionPreview { cap: COUNT_CAP, ..RetentionPreview::default() };
    if let (Some(account), Some(days)) = (account, wanted.message_days) {
        preview.messages = messages::count_before(db, account, before(now, days), COUNT_CAP).await?;
    }
    if let (Some(account), Some(days)) = (account, wanted.held_days) {
        preview.held = sync::count_held_before(db, account, before(now, days), COUNT_CAP).await?;
    }
    if let Some(days) = wanted.unknown_days {
        preview.unknown = unknown::count_before(db, before(now, days), COUNT_CAP).await?;
    }
    if let Some(days) = wanted.audit_days {
        preview.audit = staff::count_before(db, before(now, days), COUNT_CAP).await?;
    }
    Ok(preview)
}

/// Sets how long an account's data is kept, or the platform's, as it was shown in `wanted.version`.
///
/// # Errors
/// `Conflict` when somebody else was first, and as [`preview`].
pub async fn set(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManagePersonalData>,
    _proof: Proof,
    account: Option<AccountId>,
    wanted: Retention,
) -> Result<(), Problem> {
    within_scope(db, permit, account).await?;
    let wanted = checked(account, wanted)?;
    let said = read(db, account).await?;
    db.work(async |tx| {
        if write(tx, owner(account), wanted).await? == 0 {
            return Err(Problem::conflict("Somebody else has just changed this. Look again, then decide."));
        }
        let entry = Entry { action: "retention.set", account_id: account, ..Entry::default() };
        Ok(record(tx, now, permit.actor(), entry.change(said, wanted)).await?)
    })
    .await
}

async fn write(tx: &mut Tx, owner: Uuid, wanted: Retention) -> Result<u64> {
    let Retention { message_days, held_days, unknown_days, audit_days, version } = wanted;
    tx.run(
        "insert into retention (owner_id, message_days, held_days, unknown_days, audit_days, version)
         values ($1, $2, $3, $4, $5, 1)
         on conflict (owner_id) do update
           set message_days = excluded.message_days, held_days = excluded.held_days, unknown_days = excluded.unknown_days,
             audit_days = excluded.audit_days, version = retention.version + 1
           where retention.version = $6",
        (owner, message_days, held_days, unknown_days, audit_days, version),
    )
    .await
}

/// Works off once what is older than it may be.
///
/// # Errors
/// What the database says.
pub async fn work_off(db: &Db, now: &Now) -> Result<()> {
    let mut account = AccountId(Uuid::nil());
    loop {
        let next: Option<(AccountId, Days, Days)> = db
            .opt(
                "select owner_id, message_days, held_days from retention
                 where owner_id > $1 and (message_days is not null or held_days is not null)
                 order by owner_id
                 limit 1",
                [account],
            )
            .await?;
        let Some((id, message_days, held_days)) = next else { break };
        account = id;
        lines(db, now, account, message_days, held_days).await?;
        if let Some(days) = message_days {
            let mut after = String::new();
            while let Some(last) = idempotency::remove_text_before(db, account, &after, before(now, days)).await? {
                after = last;
            }
            while utilities::remove_results_before(db, now, account, before(now, days), days).await? {}
        }
    }
    let platform = read(db, None).await?;
    if let Some(days) = platform.unknown_days {
        while unknown::forget_before(db, before(now, days)).await? > 0 {}
        while unknown::forget_aside_before(db, before(now, days)).await? > 0 {}
    }
    if let Some(days) = platform.audit_days {
        while staff::cut(db, now, before(now, days), days).await? {}
    }
    Ok(())
}

/// The lines that an account owns now, one after the other.
async fn lines(db: &Db, now: &Now, account: AccountId, message_days: Days, held_days: Days) -> Result<()> {
    let mut line = LineId(Uuid::nil());
    loop {
        let next: Option<(LineId,)> = db
            .opt(
                // A line that is being transferred is recounted: it has its turn afterwards. Each batch looks again.
                "select id from line where account_id = $1 and transfer_id is null and id > $2 order by id limit 1",
                (account, line),
            )
            .await?;
        let Some((id,)) = next else { return Ok(()) };
        line = id;
        if let Some(days) = held_days {
            while sync::skip_held_before(db, now, (account, line), before(now, days), days).await? {}
        }
        if let Some(days) = message_days {
            let mut after = None;
            loop {
                after = messages::remove_before(db, now, (account, line), after, before(now, days), days).await?;
                if after.is_none() {
                    break;
                }
            }
            while messages::remove_blasts_before(db, (account, line), before(now, days)).await? > 0 {}
        }
    }
}

/// Works off every hour, one process for all, until told to stop.
pub async fn run(db: Db, now: Now, stop: CancellationToken) {
    let db = db.in_background();
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(300)) => {}
            () = stop.cancelled() => return,
        }
        if !is_my_turn(&db, &now, "retention", EVERY).await.unwrap_or(false) {
            continue;
        }
        tokio::select! {
            done = work_off(&db, &now) => if let Err(error) = done {
                tracing::warn!(%error, "old personal data could not be removed");
            },
            () = stop.cancelled() => return,
        }
    }
}
