//! What a search everywhere finds of runs: those of lines and accounts that it found.

use crate::db::{Db, Result, Sql, json, one_more};
use crate::staff::{Permit, may};
use crate::types::{AccountId, FoundRun, LineId, Part};

macro_rules! seen_sql {
    () => {
        "r.version > 0 and (r.state <> 'planned' or r.asked_by = $1)
         and ($2 or r.account_id in (select account_id from staff_scope where staff_id = $1 and permission = $3)
           or r.target_id in (select account_id from staff_scope where staff_id = $1 and permission = $3)) "
    };
}

/// One text for each key, so that each walks an index of its own. PostgreSQL would rather walk all runs, the latest first, until enough of
/// them are of these: it is asked for those of one after the other.
macro_rules! runs_sql {
    ($key:literal) => {
        Sql {
            sqlite: concat!(
                "select r.id, r.utility, r.summary, r.state, r.asked_at
                 from utility_run r
                 where ",
                seen_sql!(),
                "and r.",
                $key,
                " in (select unhex(j.value->>0, '-') from json_each($4) j)
                 order by r.id desc
                 limit $5"
            ),
            postgres: concat!(
                "select f.id, f.utility, f.summary, f.state, f.asked_at
                 from json_each($4) j
                 cross join lateral (
                   select r.id, r.utility, r.summary, r.state, r.asked_at
                   from utility_run r
                   where r.",
                $key,
                " = unhex(j.value->>0, '-') and ",
                seen_sql!(),
                "order by r.id desc
                 limit $5) f
                 order by f.id desc
                 limit $5"
            ),
        }
    };
}

/// Runs about one of these lines, or from or to one of these accounts, the latest first.
///
/// # Errors
/// What the database says.
pub(crate) async fn of_found(
    db: &Db,
    permit: &Permit<may::SeeRuns>,
    lines: &[LineId],
    accounts: &[AccountId],
    most: usize,
) -> Result<Part<FoundRun>> {
    // An engine may walk all runs to find none about no account.
    let (any_lines, any_accounts) = (!lines.is_empty(), !accounts.is_empty());
    let scope = permit.scope();
    let [lines, accounts] =
        [json(&lines.iter().map(|line| [line]).collect::<Vec<_>>()), json(&accounts.iter().map(|account| [account]).collect::<Vec<_>>())];
    let args = |ids: &String| (scope.staff, scope.everywhere, scope.permission, ids.clone(), one_more(most));
    let mut rows: Vec<FoundRun> = Vec::new();
    if any_lines {
        rows.extend(db.all::<FoundRun>(runs_sql!("line_id"), args(&lines)).await?);
    }
    if any_accounts {
        rows.extend(db.all::<FoundRun>(runs_sql!("account_id"), args(&accounts)).await?);
        rows.extend(db.all::<FoundRun>(runs_sql!("target_id"), args(&accounts)).await?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    rows.dedup_by_key(|row| row.id);
    Ok(Part::of(rows, most))
}
