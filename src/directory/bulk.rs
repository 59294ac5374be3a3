//! What a bulk change looks at in the directory: lines whose type is to be set, and people who are to be closed, each with why it is
//! left out.

use super::accounts::lacking;
use super::integration::CLOSED;
use super::{lines, users};
use crate::db::{Db, Result as Done};
use crate::staff::Scope;
use crate::types::{AccountId, BulkFilter, BulkRow, BulkWhich, Cursor, IntegrationType, LineFilter, LineId, Page, Problem, UserId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Lines whose type is to be set.
///
/// # Errors
/// `NotFound` for a chosen one that is not there or out of scope.
pub(crate) async fn look_at_lines(
    db: &Db,
    scope: Scope,
    to: IntegrationType,
    which: &BulkWhich,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<BulkRow>, Problem> {
    let found = match which {
        BulkWhich::All(BulkFilter { search, account, integration_type, state, .. }) => {
            let filter = LineFilter {
                search: search.clone(),
                account: *account,
                integration_type: *integration_type,
                state: *state,
                ..LineFilter::default()
            };
            lines::rows(db, scope, &filter, after, limit).await?
        }
        BulkWhich::Chosen(keys) => {
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                let id: LineId = key.parse().map_err(|_| lines::no_such_line())?;
                rows.push(lines::row(db, scope, id).await?.ok_or_else(lines::no_such_line)?);
            }
            Page { rows, next: None }
        }
    };
    let mut lacks: HashMap<AccountId, Option<String>> = HashMap::new();
    for row in &found.rows {
        if let Entry::Vacant(place) = lacks.entry(row.account_id) {
            place.insert(lacks_for(db, row.account_id, to).await?);
        }
    }
    Ok(found.map(|row| {
        let refused = if row.closed_at.is_some() {
            Some(CLOSED.to_owned())
        } else if row.is_moving {
            Some("The line is being transferred.".to_owned())
        } else if row.integration_type == to {
            Some(format!("It is set to {} already.", to.name()))
        } else {
            lacks.get(&row.account_id).cloned().flatten()
        };
        BulkRow {
            key: row.id.to_string(),
            version: row.version,
            account_id: row.account_id,
            name: row.label,
            about: row.account,
            href: format!("/lines/{}", row.id),
            refused,
            messages: None,
            lines: None,
        }
    }))
}

/// Why no line of the account can be set to this type.
async fn lacks_for(db: &Db, account: AccountId, to: IntegrationType) -> Done<Option<String>> {
    if to == IntegrationType::Ringcentral && crate::ringcentral::connected(db, [account]).await?.is_empty() {
        return Ok(Some("The account has no connection to RingCentral.".to_owned()));
    }
    lacking(db, account, to).await
}

/// People who are to be closed.
///
/// # Errors
/// `NotFound` for a chosen one or an account that is not there or out of scope; `Invalid` without an account.
pub(crate) async fn look_at_people(
    db: &Db,
    scope: Scope,
    which: &BulkWhich,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<BulkRow>, Problem> {
    match which {
        BulkWhich::All(filter) => {
            let account = filter.account.ok_or_else(|| Problem::invalid("account", "Choose the account whose people are closed."))?;
            Ok(users::rows(db, scope, account, &filter.search, filter.state, after, limit).await?.map(|row| person(account, row)))
        }
        BulkWhich::Chosen(keys) => {
            let mut rows = Vec::with_capacity(keys.len());
            for key in keys {
                let id: UserId = key.parse().map_err(|_| users::no_such_user())?;
                let whole = users::whole(db, scope, id).await?;
                rows.push(person(whole.account_id, whole.row));
            }
            Ok(Page { rows, next: None })
        }
    }
}

fn person(account_id: AccountId, row: users::Row) -> BulkRow {
    BulkRow {
        key: row.id.to_string(),
        version: row.version,
        account_id,
        refused: row.closed_at.map(|_| users::already_closed(&row.name)),
        name: row.name,
        about: row.email,
        href: format!("/users/{}", row.id),
        messages: None,
        lines: Some(row.lines),
    }
}
