//! What a search everywhere finds in the directory: accounts, people, lines and contacts.
//!
//! The rule: the text is the beginning of a key that an index carries, and the scope is asked of the few rows that it leads to.

use crate::db::{Db, Result, Sql, Tx, json, one_more};
use crate::search::{PartOfNumber, Prefix, fold, of_contacts};
use crate::staff::{Permit, Seen, may};
use crate::types::{AccountId, FoundAccount, FoundContact, FoundUser, LineId, LineRow, Part, PhoneNumber};

/// Writes down the ends of new lines' numbers, by which any part of one is found.
///
/// # Errors
/// What the database says.
pub(crate) async fn write_digits(tx: &mut Tx, lines: &[(LineId, &PhoneNumber)]) -> Result<()> {
    let ends = |number: &str| -> Vec<String> {
        let digits = number.trim_start_matches('+');
        (0..digits.len().saturating_sub(2)).map(|at| digits[at..].to_owned()).collect()
    };
    let rows: Vec<(LineId, String)> =
        lines.iter().flat_map(|(line, number)| ends(number.expose()).into_iter().map(|digits| (*line, digits))).collect();
    tx.run("insert into line_digits (line_id, digits) select unhex(j.value->>0, '-'), j.value->>1 from json_each($1) j", [json(&rows)])
        .await?;
    Ok(())
}

/// Folds the names of accounts, people and contacts that an older version wrote.
///
/// # Errors
/// What the database says.
pub(crate) async fn fold_older(db: &Db) -> Result<()> {
    fold(
        db,
        "select id, name from account where search = '' and name <> '' limit $1",
        "update account set search = j.value->>2
         from json_each($1) j
         where account.id = unhex(j.value->>0, '-') and account.name = j.value->>1",
    )
    .await?;
    fold(
        db,
        "select id, name from account_user where search = '' and name <> '' limit $1",
        "update account_user set search = j.value->>2
         from json_each($1) j
         where account_user.id = unhex(j.value->>0, '-') and account_user.name = j.value->>1",
    )
    .await?;
    fold(
        db,
        "select id, name from contact where search = '' and name <> '' limit $1",
        "update contact set search = j.value->>2
         from json_each($1) j
         where contact.id = unhex(j.value->>0, '-') and contact.name = j.value->>1",
    )
    .await
}

/// Accounts whose name begins so.
///
/// # Errors
/// What the database says.
pub(crate) async fn accounts(db: &Db, permit: &Permit<may::SeeDirectory>, name: &Prefix, most: usize) -> Result<Part<FoundAccount>> {
    let scope = permit.scope();
    let rows = db
        .all(
            "select a.id, a.name, a.closed_at
             from account a
             where a.search >= $1 and a.search < $2
               and ($3 or a.id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             order by a.search, a.id
             limit $6",
            (name.from.clone(), name.to.clone(), scope.everywhere, scope.staff, scope.permission, one_more(most)),
        )
        .await?;
    Ok(Part::of(rows, most))
}

macro_rules! list_sql {
    ($key:literal) => {
        concat!(
            "select u.id, u.name, u.email, u.account_id, a.name as account, u.closed_at
             from account_user u
             join account a on a.id = u.account_id
             where ($3 or u.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5)) ",
            $key,
            "limit $6"
        )
    };
}

/// People of accounts whose name or e-mail address begins so.
///
/// # Errors
/// What the database says.
pub(crate) async fn users(db: &Db, permit: &Permit<may::SeeDirectory>, text: &Prefix, most: usize) -> Result<Part<FoundUser>> {
    let scope = permit.scope();
    let args = || (text.from.clone(), text.to.clone(), scope.everywhere, scope.staff, scope.permission, one_more(most));
    // One text for each key, so that each walks an index of its own.
    let mut rows: Vec<FoundUser> =
        db.all(list_sql!("and u.search >= $1 and u.search < $2 order by u.search, u.account_id, u.id "), args()).await?;
    let by_email: Vec<FoundUser> =
        db.all(list_sql!("and u.email >= $1 and u.email < $2 order by u.email, u.account_id, u.id "), args()).await?;
    for user in by_email {
        if rows.iter().all(|row| row.id != user.id) {
            rows.push(user);
        }
    }
    Ok(Part::of(rows, most))
}

/// Lines whose number holds these digits or whose label begins so, and lines of these accounts. The account's name may stand behind a
/// label.
///
/// # Errors
/// What the database says.
pub(crate) async fn lines(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    digits: Option<&Prefix>,
    label: Option<&Prefix>,
    accounts: &[AccountId],
    most: usize,
) -> Result<Part<LineRow>> {
    let mut rows: Vec<LineRow> = match digits {
        Some(digits) => by_digits(db, permit, digits, most).await?,
        None => Vec::new(),
    };
    let mut more = match label {
        Some(label) => by_label(db, permit, label, most).await?,
        None => Vec::new(),
    };
    if !accounts.is_empty() {
        more.extend(of_accounts(db, permit, accounts, most).await?);
    }
    for line in more {
        if rows.iter().all(|row| row.id != line.id) {
            rows.push(line);
        }
    }
    Ok(Part::of(rows, most))
}

async fn by_digits(db: &Db, permit: &Permit<may::SeeDirectory>, digits: &Prefix, most: usize) -> Result<Vec<LineRow>> {
    let scope = permit.scope();
    if scope.everywhere {
        // Where a number holds the digits twice, the longer end counts.
        return db
            .all(
                "select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.created_at, l.closed_at
                 from line_digits d
                 join line l on l.id = d.line_id
                 join account a on a.id = l.account_id
                 where d.digits >= $1 and d.digits < $2
                   and not exists (select 1 from line_digits e
                                   where e.line_id = d.line_id and e.digits >= $1 and e.digits < $2
                                     and length(e.digits) > length(d.digits))
                 order by d.digits, d.line_id
                 limit $3",
                (digits.from.clone(), digits.to.clone(), one_more(most)),
            )
            .await;
    }
    // Whoever looks after named accounts: their lines are fewer than those of all that hold three digits.
    db.all(
        "select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.created_at, l.closed_at
         from line l
         join account a on a.id = l.account_id
         where l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4)
           and exists (select 1 from line_digits d where d.line_id = l.id and d.digits >= $1 and d.digits < $2)
         order by l.account_id, l.number
         limit $5",
        (digits.from.clone(), digits.to.clone(), scope.staff, scope.permission, one_more(most)),
    )
    .await
}

async fn by_label(db: &Db, permit: &Permit<may::SeeDirectory>, label: &Prefix, most: usize) -> Result<Vec<LineRow>> {
    let scope = permit.scope();
    db.all(
        "select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.created_at, l.closed_at
         from line l
         join account a on a.id = l.account_id
         where l.search >= $1 and l.search < $2
           and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
         order by l.search, l.id
         limit $6",
        (label.from.clone(), label.to.clone(), scope.everywhere, scope.staff, scope.permission, one_more(most)),
    )
    .await
}

/// PostgreSQL would rather walk all accounts, or all lines, until enough lines are of these: it is asked for those of one after the other.
const LINES_OF_ACCOUNTS: Sql = Sql {
    sqlite: "select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.created_at, l.closed_at
             from line l
             join account a on a.id = l.account_id
             where l.account_id in (select unhex(j.value->>0, '-') from json_each($1) j)
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
             order by l.account_id, l.number
             limit $5",
    postgres: "select f.id, f.number, f.label, f.account_id, a.name as account, f.integration_type, f.created_at, f.closed_at
               from json_each($1) j
               join account a on a.id = unhex(j.value->>0, '-')
               cross join lateral (
                 select l.id, l.number, l.label, l.account_id, l.integration_type, l.created_at, l.closed_at
                 from line l
                 where l.account_id = a.id
                   and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
                 order by l.number
                 limit $5) f
               order by f.account_id, f.number
               limit $5",
};

async fn of_accounts(db: &Db, permit: &Permit<may::SeeDirectory>, accounts: &[AccountId], most: usize) -> Result<Vec<LineRow>> {
    let scope = permit.scope();
    let accounts: Vec<_> = accounts.iter().map(|account| [account]).collect();
    db.all(LINES_OF_ACCOUNTS, (json(&accounts), scope.everywhere, scope.staff, scope.permission, one_more(most))).await
}

/// A contact is personal data: it is found on the accounts where the permit's holder sees that.
macro_rules! row_sql {
    ($key:literal) => {
        concat!(
            "select k.id, k.account_id, a.name as account, k.number, k.name, k.closed_at
             from contact k
             join account a on a.id = k.account_id
             where ($3 or k.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
               and ($4 or k.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $7)) ",
            $key,
            "limit $8"
        )
    };
}

/// Contacts whose name begins so.
///
/// # Errors
/// What the database says.
pub(crate) async fn contacts_by_name(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    name: &Prefix,
    most: usize,
) -> Result<Part<FoundContact>> {
    let Some(args) = of_contacts(permit, name, most) else { return Ok(Part::default()) };
    let rows: Vec<FoundContact> =
        db.all(row_sql!("and k.search >= $1 and k.search < $2 order by k.search, k.account_id, k.number "), args).await?;
    Ok(seen(permit, rows, most))
}

/// Contacts whose number ends or begins so.
///
/// # Errors
/// What the database says.
pub(crate) async fn contacts_by_number(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    part: &PartOfNumber,
    most: usize,
) -> Result<Part<FoundContact>> {
    let Some(args) = of_contacts(permit, &part.tail, most) else { return Ok(Part::default()) };
    let mut rows: Vec<FoundContact> =
        db.all(row_sql!("and k.tail >= $1 and k.tail < $2 order by k.tail, k.account_id, k.number "), args).await?;
    let is_of_all = permit.scope().everywhere && permit.sight().everywhere;
    for head in &part.heads {
        let Some(args) = of_contacts(permit, head, most) else { continue };
        let more: Vec<FoundContact> = if is_of_all {
            db.all(row_sql!("and k.number >= $1 and k.number < $2 order by k.number, k.account_id "), args).await?
        } else {
            // Very many numbers begin alike: for whoever looks after named accounts, each of these accounts' own are walked. What holds
            // on some accounts alone names them.
            db.all(
                "select k.id, k.account_id, a.name as account, k.number, k.name, k.closed_at
                 from account a
                 cross join contact k
                 where k.account_id = a.id and k.number >= $1 and k.number < $2
                   and a.id in (select account_id from staff_scope where staff_id = $5 and permission in ($6, $7))
                   and ($3 or a.id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
                   and ($4 or a.id in (select account_id from staff_scope where staff_id = $5 and permission = $7))
                 order by a.id, k.number
                 limit $8",
                args,
            )
            .await?
        };
        for contact in more {
            if rows.iter().all(|row| row.id != contact.id) {
                rows.push(contact);
            }
        }
    }
    Ok(seen(permit, rows, most))
}

fn seen(permit: &Permit<may::SeeDirectory>, rows: Vec<FoundContact>, most: usize) -> Part<FoundContact> {
    let part = Part::of(rows, most);
    for row in &part.rows {
        permit.saw(Seen::FoundContact(row.account_id, row.id));
    }
    part
}
