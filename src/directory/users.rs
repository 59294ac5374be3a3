//! The people of an account: who may be given access to its lines.
//!
//! The rule: closing somebody takes their access to every line in the same transaction, and RingCentral's chats follow.

use super::accounts::{no_such_account, standing};
use super::{begin_of, lines, past, short_text};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, json, one_more};
use crate::staff::{Entry, Permit, Scope, may, record};
use crate::types::{AccountId, Change, Cursor, LineId, OpenOrClosed, Page, Problem, Timestamp, UserDetail, UserId, UserRow};
use crate::undo::{self, Step};
use serde_json::json;

/// So many lines of the account a person's page offers.
const LINES: i64 = 500;

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: UserId,
    pub(super) name: String,
    pub(super) email: String,
    search: String,
    pub(super) version: i64,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) lines: i64,
}

impl From<Row> for UserRow {
    fn from(row: Row) -> Self {
        UserRow { id: row.id, name: row.name, email: row.email, lines: row.lines, closed_at: row.closed_at }
    }
}

macro_rules! list_sql {
    ($narrow:literal) => {
        concat!(
            "select u.id, u.name, u.email, u.search, u.version, u.closed_at,
               (select count(*) from line_user lu where lu.user_id = u.id) as lines
             from account_user u
             where u.account_id = $1 and (u.search, u.id) > ($2, $3)
               and ((u.closed_at is null) = $5 or $5 is null) ",
            $narrow,
            " order by u.search, u.id
             limit $4"
        )
    };
}

/// The people of an account by name, open and closed; `search` is how their name or their e-mail begins.
///
/// # Errors
/// `NotFound` outside the permit's scope.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    account: AccountId,
    search: &str,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<UserRow>, Problem> {
    narrowed(db, permit, account, search, None, after, limit).await
}

/// The same, or only those who are open, or closed.
///
/// # Errors
/// `NotFound` outside the permit's scope.
pub async fn narrowed(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    account: AccountId,
    search: &str,
    state: Option<OpenOrClosed>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<UserRow>, Problem> {
    Ok(rows(db, permit.scope(), account, search, state, after, limit).await?.map(UserRow::from))
}

/// The same as they are stored.
pub(super) async fn rows(
    db: &Db,
    scope: Scope,
    account: AccountId,
    search: &str,
    state: Option<OpenOrClosed>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<Row>, Problem> {
    within(db, scope, account).await?;
    let is_open = state.map(OpenOrClosed::is_open);
    let (name, id) = after.and_then(Cursor::key::<(String, UserId)>).unwrap_or((String::new(), UserId(uuid::Uuid::nil())));
    let most = one_more(limit);
    let begin = begin_of(search);
    let rows: Vec<Row> = if begin.is_empty() {
        db.all(list_sql!(""), (account, name, id, most, is_open)).await?
    } else {
        let end = past(&begin);
        db.all(
            list_sql!(
                "and u.id in (select n.id from account_user n where n.account_id = $1 and n.search >= $6 and n.search < $7
                              union
                              select e.id from account_user e where e.account_id = $1 and e.email >= $6 and e.email < $7)"
            ),
            (account, name, id, most, is_open, begin, end),
        )
        .await?
    };
    Ok(Page::of(rows, limit, |row| (row.search.clone(), row.id)))
}

/// Whether the account is within the scope.
async fn within(db: &Db, scope: Scope, account: AccountId) -> Result<(), Problem> {
    let found: Option<(AccountId,)> = db
        .opt(
            "select id from account
             where id = $1 and ($2 or id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (account, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.map(|_| ()).ok_or_else(no_such_account)
}

pub(crate) fn no_such_user() -> Problem {
    Problem::not_found("There is no such person, or they belong to an account that you do not look after.")
}

#[derive(sqlx::FromRow)]
pub(super) struct Whole {
    #[sqlx(flatten)]
    pub(super) row: Row,
    pub(super) account_id: AccountId,
    account: String,
    created_at: Timestamp,
}

/// A person, whole, with the account's lines and whether they have access to each.
///
/// # Errors
/// `NotFound` when they are not there or not within the permit's scope.
pub async fn get(db: &Db, permit: &Permit<may::SeeDirectory>, id: UserId) -> Result<UserDetail, Problem> {
    let Whole { row, account_id, account, created_at } = whole(db, permit.scope(), id).await?;
    let (lines, lines_of_account) = lines::of_person(db, account_id, id, LINES).await?;
    Ok(UserDetail { version: row.version, row: row.into(), account_id, account, created_at, lines, lines_of_account })
}

/// A person as they are stored.
pub(super) async fn whole(db: &Db, scope: Scope, id: UserId) -> Result<Whole, Problem> {
    let found: Option<Whole> = db
        .opt(
            "select u.id, u.name, u.email, u.search, u.closed_at, u.account_id, a.name as account, u.version, u.created_at,
               (select count(*) from line_user lu where lu.user_id = u.id) as lines
             from account_user u
             join account a on a.id = u.account_id
             where u.id = $1
               and ($2 or u.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.ok_or_else(no_such_user)
}

/// A person's name and e-mail as they are stored.
fn said(name: &str, email: &str) -> Result<(String, String), Problem> {
    let name = short_text("name", name, 80)?;
    let email = short_text("email", email, 200)?.to_lowercase();
    let is_address = email.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.')) && !email.contains(' ');
    if is_address { Ok((name, email)) } else { Err(Problem::invalid("email", "Write an e-mail address, as in grace@example.com.")) }
}

fn entry(action: &'static str, account: AccountId, id: UserId) -> Entry<'static> {
    Entry { action, account_id: Some(account), subject_id: Some(id.0), ..Entry::default() }
}

/// Adds a person to an account.
///
/// # Errors
/// `Invalid` for a bad name or e-mail, or one that somebody of the account has; `Conflict` when the account is closed; `NotFound` outside
/// the permit's scope.
pub async fn add(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    account: AccountId,
    name: &str,
    email: &str,
) -> Result<UserId, Problem> {
    let (name, email) = said(name, email)?;
    let id = UserId(now.id());
    db.work(async |tx| {
        standing(tx, permit.scope(), account).await?.is_open()?;
        is_free(tx, account, id, &email).await?;
        tx.run(
            "insert into account_user (id, account_id, name, email, search, created_at) values ($1, $2, $3, $4, $5, $6)",
            (id, account, name.clone(), email, name.to_lowercase(), now.at()),
        )
        .await?;
        record(tx, now, permit.actor(), entry("user.add", account, id).change((), json!({ "name": name }))).await?;
        Ok(id)
    })
    .await
}

/// Refuses an e-mail address that somebody else of the account has.
async fn is_free(tx: &mut Tx, account: AccountId, id: UserId, email: &str) -> Result<(), Problem> {
    let other: Option<(String, bool)> = tx
        .opt(
            "select name, closed_at is not null from account_user where account_id = $1 and email = $2 and id <> $3 order by id limit 1",
            (account, email.to_owned(), id),
        )
        .await?;
    match other {
        None => Ok(()),
        Some((name, is_closed)) => {
            let advice = if is_closed { "They are closed: reopen them, or choose another address." } else { "Choose another address." };
            Err(Problem::invalid("email", format!("{name} has this address already. {advice}")))
        }
    }
}

/// Takes the row's lock, if the permit holds there and nobody was first; says whose they are, their name and e-mail, and whether they are
/// closed.
async fn take(
    tx: &mut Tx,
    permit: &Permit<may::ManageDirectory>,
    id: UserId,
    version: i64,
) -> Result<(AccountId, String, String, bool), Problem> {
    let scope = permit.scope();
    let found: Option<(AccountId, String, String, bool, i64)> = tx
        .opt(
            "update account_user set version = version + 1
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
             returning account_id, name, email, closed_at is not null, version",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    match found {
        None => Err(no_such_user()),
        Some((account, name, email, is_closed, now)) if now == version + 1 => Ok((account, name, email, is_closed)),
        Some((_, name, ..)) => Err(Problem::conflict(format!(
            "Somebody changed {name} while you were looking at them. Nothing of yours was changed: look again, then decide."
        ))),
    }
}

/// Edits a person, as they were seen at `version`. The chats of their lines follow a new e-mail address.
///
/// # Errors
/// `Invalid` for a bad name or e-mail, `Conflict` when somebody else was first, `NotFound` outside the permit's scope.
pub async fn edit(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: UserId,
    version: i64,
    name: &str,
    email: &str,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = edit_one(tx, now, permit, id, version, name, email).await?;
        Ok(undo::leave(tx, now, permit, "The person was changed.", vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`edit`].
pub(crate) async fn edit_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: UserId,
    version: i64,
    name: &str,
    email: &str,
) -> Result<Step, Problem> {
    let (name, email) = said(name, email)?;
    let (account, was_name, was_email, _) = take(tx, permit, id, version).await?;
    is_free(tx, account, id, &email).await?;
    tx.run(
        "update account_user set name = $2, email = $3, search = $4 where id = $1",
        (id, name.clone(), email.clone(), name.to_lowercase()),
    )
    .await?;
    if email != was_email {
        crate::sync::people_changed(tx, now.at(), &[id]).await?;
    }
    let (before, after) = (json!({ "name": was_name, "email": was_email }), json!({ "name": name, "email": email }));
    record(tx, now, permit.actor(), entry("user.edit", account, id).change(before, after)).await?;
    Ok(Step::EditUser { id, version: version + 1, name: was_name, email: was_email })
}

/// Closes a person, as they were seen at `version`: they lose access to every line.
///
/// # Errors
/// `Conflict` when somebody else was first, `NotFound` outside the permit's scope.
pub async fn close(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, id: UserId, version: i64) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = close_one(tx, now, permit, id, version).await?;
        Ok(undo::leave(tx, now, permit, "The person was closed, and their access is gone.", vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`close`].
pub(crate) async fn close_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: UserId,
    version: i64,
) -> Result<Step, Problem> {
    let (account, name, _, is_closed) = take(tx, permit, id, version).await?;
    if is_closed {
        return Err(Problem::conflict(already_closed(&name)));
    }
    tx.run("update account_user set closed_at = $2 where id = $1", (id, now.at())).await?;
    let lines: Vec<(LineId,)> = tx.all("delete from line_user where user_id = $1 returning line_id", [id]).await?;
    for (line,) in &lines {
        crate::sync::access_changed(tx, now.at(), *line).await?;
        tx.tell(Change::Line { account_id: account, line_id: *line });
    }
    let lines: Vec<LineId> = lines.into_iter().map(|(line,)| line).collect();
    let entry = entry("user.close", account, id).change(json!({ "name": name, "lines": lines }), json!({ "lines": [] }));
    record(tx, now, permit.actor(), entry).await?;
    Ok(Step::ReopenUser { id, version: version + 1, lines })
}

pub(super) fn already_closed(name: &str) -> String {
    format!("{name} is closed already.")
}

/// Opens a closed person again. Access to lines is given anew, line by line.
///
/// # Errors
/// `Conflict` when somebody else was first or the account is closed, `NotFound` outside the permit's scope.
pub async fn reopen(db: &Db, now: &Now, permit: &Permit<may::ManageDirectory>, id: UserId, version: i64) -> Result<(), Problem> {
    db.work(async |tx| reopen_one(tx, now, permit, id, version, &[]).await).await
}

/// The same in the caller's transaction, with access to these lines, as far as they are still the account's.
///
/// # Errors
/// As [`reopen`].
pub(crate) async fn reopen_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: UserId,
    version: i64,
    lines: &[LineId],
) -> Result<(), Problem> {
    let owner: Option<(AccountId,)> = tx.opt("select account_id from account_user where id = $1", [id]).await?;
    let (owner,) = owner.ok_or_else(no_such_user)?;
    match standing(tx, permit.scope(), owner).await {
        Ok(account) => account.is_open()?,
        Err(Problem::NotFound { .. }) => return Err(no_such_user()),
        Err(other) => return Err(other),
    }
    let (account, name, email, is_closed) = take(tx, permit, id, version).await?;
    if !is_closed {
        return Err(Problem::conflict(format!("{name} is open already.")));
    }
    is_free(tx, account, id, &email).await?;
    tx.run("update account_user set closed_at = null where id = $1", [id]).await?;
    let lines = give_access(tx, now, account, id, lines).await?;
    let after = json!({ "name": name, "lines": lines });
    Ok(record(tx, now, permit.actor(), entry("user.reopen", account, id).change((), after)).await?)
}

/// Gives a person of the account access to those of the lines that are the account's; says which.
async fn give_access(tx: &mut Tx, now: &Now, account: AccountId, id: UserId, lines: &[LineId]) -> Result<Vec<LineId>> {
    let lines: Vec<[LineId; 1]> = lines.iter().map(|line| [*line]).collect();
    let given: Vec<(LineId,)> = tx
        .all(
            "insert into line_user (line_id, user_id)
             select l.id, $2 from line l
             where l.account_id = $1 and l.id in (select unhex(j.value->>0, '-') from json_each($3) j)
             on conflict do nothing
             returning line_id",
            (account, id, json(&lines)),
        )
        .await?;
    for (line,) in &given {
        crate::sync::access_changed(tx, now.at(), *line).await?;
        tx.tell(Change::Line { account_id: account, line_id: *line });
    }
    Ok(given.into_iter().map(|(line,)| line).collect())
}
