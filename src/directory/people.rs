//! Who has access to a line, and its automatic replies.

use super::lines::no_such_line;
use super::short_text;
use crate::clock::Now;
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::staff::{Entry, Permit, may, record};
use crate::types::{AccountId, Change, LineId, LineUser, Problem, ResponderId, ResponderRow, UserId};
use crate::undo::{self, Step};

pub use super::contacts::name_contact;
pub(crate) use super::contacts::{erase_contact, knows_contact};
pub use super::users::add as add_user;

/// So many people of the account a line's page offers.
const PEOPLE: i64 = 500;

/// The open people of the line's account by name, up to [`PEOPLE`], and how many there are. Those with access are there before anybody
/// else is.
pub(super) async fn users_of(db: &Db, line: LineId, account: AccountId) -> Result<(Vec<LineUser>, i64)> {
    // Two statements: who has access is found by the line, and the others are read off the index by name, however many they are.
    let mut rows: Vec<(String, UserId, String, String, bool)> = db
        .all(
            "select u.search, u.id, u.name, u.email, true
             from line_user lu
             join account_user u on u.id = lu.user_id
             where lu.line_id = $1 and u.account_id = $2 and u.closed_at is null
             order by u.search, u.id
             limit $3",
            (line, account, PEOPLE),
        )
        .await?;
    let left = PEOPLE - i64::try_from(rows.len()).unwrap_or(PEOPLE);
    let others: Vec<(String, UserId, String, String, bool)> = db
        .all(
            "select u.search, u.id, u.name, u.email, false
             from account_user u
             where u.account_id = $2 and u.closed_at is null
               and not exists (select 1 from line_user lu where lu.line_id = $1 and lu.user_id = u.id)
             order by u.search, u.id
             limit $3",
            (line, account, left),
        )
        .await?;
    rows.extend(others);
    rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    // Whose access went between the two is in both.
    rows.dedup_by_key(|row| row.1);
    let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let all = if found < PEOPLE {
        found
    } else {
        let (all,): (i64,) = db.one("select count(*) from account_user where account_id = $1 and closed_at is null", [account]).await?;
        all
    };
    Ok((rows.into_iter().map(|(_, id, name, email, access)| LineUser { id, name, email, access }).collect(), all))
}

/// How many open people of the line's account have access to it.
pub(super) async fn count_with_access(db: &Db, line: LineId, account: AccountId) -> Result<i64> {
    let (count,): (i64,) = db
        .one(
            "select count(*) from line_user lu
             join account_user u on u.id = lu.user_id
             where lu.line_id = $1 and u.account_id = $2 and u.closed_at is null",
            (line, account),
        )
        .await?;
    Ok(count)
}

pub(super) async fn responders_of(db: &Db, line: LineId) -> Result<Vec<ResponderRow>> {
    let rows: Vec<(ResponderId, String, String)> =
        db.all("select id, keyword, reply from responder where line_id = $1 order by keyword limit 500", [line]).await?;
    Ok(rows.into_iter().map(|(id, keyword, reply)| ResponderRow { id, keyword, reply }).collect())
}

/// The line's account, if the permit holds there.
async fn within_scope(tx: &mut Tx, permit: &Permit<may::ManageDirectory>, line: LineId) -> Result<AccountId, Problem> {
    let scope = permit.scope();
    let found: Option<(AccountId,)> = tx
        .opt(
            "select l.account_id from line l
             where l.id = $1
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.map(|(account,)| account).ok_or_else(no_such_line)
}

/// Gives a person of the account access to the line, or takes it away. Saying it twice changes nothing.
///
/// # Errors
/// `NotFound` outside the permit's scope, or when the person belongs to another account; `Conflict` when they are closed.
pub async fn set_access(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    user: UserId,
    access: bool,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let Some((name, step)) = set_access_one(tx, now, permit, (line, user), access).await? else { return Ok(()) };
        let what = format!("{name} {} the line.", if access { "was given access to" } else { "lost access to" });
        Ok(undo::leave(tx, now, permit, &what, vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says whose access it is and what takes it back, and nothing where it was so already.
///
/// # Errors
/// As [`set_access`].
pub(crate) async fn set_access_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    (line, user): (LineId, UserId),
    access: bool,
) -> Result<Option<(String, Step)>, Problem> {
    let account = within_scope(tx, permit, line).await?;
    // The row is locked: nobody closes the person meanwhile.
    let named: Option<(String, bool)> = tx
        .opt(
            "update account_user set version = version where id = $1 and account_id = $2 returning name, closed_at is not null",
            (user, account),
        )
        .await?;
    let Some((name, is_closed)) = named else {
        return Err(Problem::not_found("This person does not belong to the line's account."));
    };
    if access && is_closed {
        return Err(Problem::conflict(format!("{name} is closed. Reopen them first.")));
    }
    let changed = if access {
        tx.run("insert into line_user (line_id, user_id) values ($1, $2) on conflict do nothing", (line, user)).await?
    } else {
        tx.run("delete from line_user where line_id = $1 and user_id = $2", (line, user)).await?
    };
    if changed == 0 {
        return Ok(None);
    }
    crate::sync::access_changed(tx, now.at(), line).await?;
    tx.tell(Change::Line { account_id: account, line_id: line });
    let entry =
        Entry { action: "line.access", account_id: Some(account), line_id: Some(line), subject_id: Some(user.0), ..Entry::default() };
    let state = |access: bool| serde_json::json!({ "person": name, "access": access });
    record(tx, now, permit.actor(), entry.change(state(!access), state(access))).await?;
    Ok(Some((name, Step::SetAccess { line, user, access: !access })))
}

/// A responder's word and reply, as they are stored.
fn said(keyword: &str, reply: &str) -> Result<(String, String), Problem> {
    let keyword = short_text("keyword", keyword, 40)?.to_lowercase();
    if crate::messaging::consent::is_reserved(&keyword) {
        return Err(Problem::invalid("keyword", "This word sets consent and is answered by the platform. Choose another."));
    }
    let reply = reply.trim().to_owned();
    if reply.is_empty() || reply.chars().count() > 1_000 {
        return Err(Problem::invalid("reply", "Write a reply of at most 1,000 characters."));
    }
    Ok((keyword, reply))
}

fn word_is_taken() -> Problem {
    Problem::invalid("keyword", "The line answers this word already. Choose another word, or change that reply.")
}

/// Adds an automatic reply: a message that is this word, in any case, gets it.
///
/// # Errors
/// `Invalid` for a bad keyword, one that sets consent, or one that the line has already; `NotFound` outside the scope.
pub async fn add_responder(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    keyword: &str,
    reply: &str,
) -> Result<ResponderId, Problem> {
    let (keyword, reply) = said(keyword, reply)?;
    let id = ResponderId(now.id());
    db.work(async |tx| put_responder(tx, now, permit, (line, id), (keyword.clone(), reply.clone())).await).await?;
    Ok(id)
}

/// The same in the caller's transaction, under this id.
///
/// # Errors
/// As [`add_responder`].
pub(crate) async fn put_responder(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    (line, id): (LineId, ResponderId),
    (keyword, reply): (String, String),
) -> Result<(), Problem> {
    let account = within_scope(tx, permit, line).await?;
    let added = tx
        .run("insert into responder (line_id, id, keyword, reply) values ($1, $2, $3, $4)", (line, id, keyword.clone(), reply.clone()))
        .await;
    match added {
        Err(error) if is_duplicate(&error) => return Err(word_is_taken()),
        other => other?,
    };
    tx.tell(Change::Line { account_id: account, line_id: line });
    let entry =
        Entry { action: "line.add_responder", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..Entry::default() };
    Ok(record(tx, now, permit.actor(), entry.change((), serde_json::json!({ "keyword": keyword, "reply": reply }))).await?)
}

/// Edits an automatic reply that was seen as `was`: its word and its reply.
///
/// # Errors
/// As [`add_responder`]; `Conflict` when somebody else was first.
pub async fn edit_responder(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    (line, id): (LineId, ResponderId),
    was: (&str, &str),
    keyword: &str,
    reply: &str,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = edit_one_responder(tx, now, permit, (line, id), was, (keyword, reply)).await?;
        Ok(undo::leave(tx, now, permit, "The responder was changed.", vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`edit_responder`].
pub(crate) async fn edit_one_responder(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    (line, id): (LineId, ResponderId),
    was: (&str, &str),
    (keyword, reply): (&str, &str),
) -> Result<Step, Problem> {
    let (keyword, reply) = said(keyword, &with_plain_breaks(reply))?;
    let (was_keyword, was_reply) = (was.0.to_owned(), with_plain_breaks(was.1));
    let account = within_scope(tx, permit, line).await?;
    take(tx, (line, id), (&was_keyword, &was_reply)).await?;
    let edited = tx
        .run("update responder set keyword = $3, reply = $4 where line_id = $1 and id = $2", (line, id, keyword.clone(), reply.clone()))
        .await;
    match edited {
        Err(error) if is_duplicate(&error) => return Err(word_is_taken()),
        other => other?,
    };
    tx.tell(Change::Line { account_id: account, line_id: line });
    let entry =
        Entry { action: "line.edit_responder", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..Entry::default() };
    let before = serde_json::json!({ "keyword": was_keyword, "reply": was_reply });
    record(tx, now, permit.actor(), entry.change(before, serde_json::json!({ "keyword": keyword, "reply": reply }))).await?;
    Ok(Step::EditResponder { line, id, is: (keyword, reply), was: (was_keyword, was_reply) })
}

/// Takes the row's lock, if it says what was seen; says what is stored.
async fn take(tx: &mut Tx, (line, id): (LineId, ResponderId), was: (&str, &str)) -> Result<(String, String), Problem> {
    let found: Option<(String, String)> =
        tx.opt("update responder set reply = reply where line_id = $1 and id = $2 returning keyword, reply", (line, id)).await?;
    let (keyword, reply) = found.ok_or_else(|| Problem::not_found("This responder is gone already."))?;
    if keyword != was.0 || with_plain_breaks(&reply) != with_plain_breaks(was.1) {
        return Err(Problem::conflict("Somebody else has just changed this responder. Look again, then decide."));
    }
    Ok((keyword, reply))
}

/// A browser sends each line break of a form as two signs.
fn with_plain_breaks(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Removes an automatic reply that was seen as `was`: its word and its reply.
///
/// # Errors
/// `NotFound` when it is not there or outside the permit's scope, `Conflict` when somebody else was first.
pub async fn remove_responder(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    (line, id): (LineId, ResponderId),
    was: (&str, &str),
) -> Result<(), Problem> {
    db.work(async |tx| {
        let account = within_scope(tx, permit, line).await?;
        let (keyword, reply) = take(tx, (line, id), was).await?;
        tx.run("delete from responder where line_id = $1 and id = $2", (line, id)).await?;
        tx.tell(Change::Line { account_id: account, line_id: line });
        let entry = Entry {
            action: "line.remove_responder",
            account_id: Some(account),
            line_id: Some(line),
            subject_id: Some(id.0),
            ..Entry::default()
        };
        record(tx, now, permit.actor(), entry.change(serde_json::json!({ "keyword": keyword, "reply": reply }), ())).await?;
        let step = Step::AddResponder { line, id, was: (keyword, reply) };
        Ok(undo::leave(tx, now, permit, "The responder was removed.", vec![step]).await?)
    })
    .await
}
