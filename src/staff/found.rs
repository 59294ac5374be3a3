//! What a search everywhere finds of the staff: by the beginning of a name or of an e-mail address.

use super::{Permit, may};
use crate::db::{Db, Result, one_more};
use crate::search::{Prefix, fold};
use crate::types::{FoundMember, Part};

/// Members whose name or e-mail address begins so.
///
/// # Errors
/// What the database says.
pub(crate) async fn found(db: &Db, _permit: &Permit<may::SeeStaff>, text: &Prefix, most: usize) -> Result<Part<FoundMember>> {
    let args = || (text.from.clone(), text.to.clone(), one_more(most));
    // One text for each key, so that each walks an index of its own.
    let mut rows: Vec<FoundMember> =
        db.all("select id, name, email from staff_member where search >= $1 and search < $2 order by search, id limit $3", args()).await?;
    let by_email: Vec<FoundMember> =
        db.all("select id, name, email from staff_member where email >= $1 and email < $2 order by email limit $3", args()).await?;
    for member in by_email {
        if rows.iter().all(|row| row.id != member.id) {
            rows.push(member);
        }
    }
    Ok(Part::of(rows, most))
}

/// Folds the names of members that an older version wrote.
///
/// # Errors
/// What the database says.
pub(crate) async fn fold_older(db: &Db) -> Result<()> {
    fold(
        db,
        "select id, name from staff_member where search = '' and name <> '' limit $1",
        "update staff_member set search = j.value->>2
         from json_each($1) j
         where staff_member.id = unhex(j.value->>0, '-') and staff_member.name = j.value->>1",
    )
    .await
}
