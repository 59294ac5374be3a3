//! Who has access to a line, and its automatic replies.

use super::lines::no_such_line;
use super::short_text;
use crate::clock::Now;
use crate::db::{Db, Result, Tx, is_duplicate};
use crate::staff::{Entry, Permit, may, record};
use crate::types::{AccountId, Change, LineId, LineUser, Problem, ResponderId, ResponderRow, UserId};

pub(super) async fn users_of(db: &Db, line: LineId, account: AccountId) -> Result<Vec<LineUser>> {
    let rows: Vec<(UserId, String, String, bool)> = db
        .all(
            "select u.id, u.name, u.email, lu.line_id is not null
             from account_user u
             left join line_user lu on lu.user_id = u.id and lu.line_id = $1
             where u.account_id = $2
             order by u.name, u.id
             limit 500",
            (line, account),
        )
        .await?;
    Ok(rows.into_iter().map(|(id, name, email, access)| LineUser { id, name, email, access }).collect())
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

/// Adds a person to an account.
///
/// # Errors
/// `Invalid` for a bad name or e-mail, `NotFound` outside the permit's scope.
pub async fn add_user(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    account: AccountId,
    name: &str,
    email: &str,
) -> Result<UserId, Problem> {
    let name = short_text("name", name, 80)?;
    let email = short_text("email", email, 200)?.to_lowercase();
    let scope = permit.scope();
    let id = UserId(now.id());
    db.work(async |tx| {
        let added = tx
            .run(
                "insert into account_user (id, account_id, name, email, created_at)
                 select $1, a.id, $3, $4, $5
                 from account a
                 where a.id = $2
                   and ($6 or a.id in (select account_id from staff_scope where staff_id = $7 and permission = $8))",
                (id, account, name.clone(), email, now.at(), scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        if added == 0 {
            return Err(Problem::not_found("There is no such account."));
        }
        let entry = Entry { action: "user.add", account_id: Some(account), subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, permit.actor(), entry.change((), serde_json::json!({ "name": name }))).await?;
        Ok(id)
    })
    .await
}

/// Gives a person of the account access to the line, or takes it away. Saying it twice changes nothing.
///
/// # Errors
/// `NotFound` outside the permit's scope, or when the person belongs to another account.
pub async fn set_access(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    user: UserId,
    access: bool,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let account = within_scope(tx, permit, line).await?;
        let named: Option<(String,)> = tx.opt("select name from account_user where id = $1 and account_id = $2", (user, account)).await?;
        let Some((name,)) = named else { return Err(Problem::not_found("This person does not belong to the line's account.")) };
        let changed = if access {
            tx.run("insert into line_user (line_id, user_id) values ($1, $2) on conflict do nothing", (line, user)).await?
        } else {
            tx.run("delete from line_user where line_id = $1 and user_id = $2", (line, user)).await?
        };
        if changed == 0 {
            return Ok(());
        }
        crate::sync::access_changed(tx, now.at(), line).await?;
        tx.tell(Change::Line { account_id: account, line_id: line });
        let entry =
            Entry { action: "line.access", account_id: Some(account), line_id: Some(line), subject_id: Some(user.0), ..Entry::default() };
        let state = |access: bool| serde_json::json!({ "person": name, "access": access });
        Ok(record(tx, now, permit.actor(), entry.change(state(!access), state(access))).await?)
    })
    .await
}

/// Adds an automatic reply: a message that is this word, in any case, gets it.
///
/// # Errors
/// `Invalid` for a bad keyword or one that sets consent, `Conflict` when the line has it already, `NotFound` outside the scope.
pub async fn add_responder(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    keyword: &str,
    reply: &str,
) -> Result<ResponderId, Problem> {
    let keyword = short_text("keyword", keyword, 40)?.to_lowercase();
    if crate::messaging::consent::keyword(&keyword).is_some() {
        return Err(Problem::invalid("keyword", "This word sets consent and is answered by the platform. Choose another."));
    }
    let reply = reply.trim().to_owned();
    if reply.is_empty() || reply.chars().count() > 1_000 {
        return Err(Problem::invalid("reply", "Write a reply of at most 1,000 characters."));
    }
    let id = ResponderId(now.id());
    db.work(async |tx| {
        let account = within_scope(tx, permit, line).await?;
        let added = tx
            .run("insert into responder (line_id, id, keyword, reply) values ($1, $2, $3, $4)", (line, id, keyword.clone(), reply.clone()))
            .await;
        match added {
            Err(error) if is_duplicate(&error) => return Err(Problem::conflict("The line answers this word already.")),
            other => other?,
        };
        tx.tell(Change::Line { account_id: account, line_id: line });
        let entry = Entry {
            action: "line.add_responder",
            account_id: Some(account),
            line_id: Some(line),
            subject_id: Some(id.0),
            ..Entry::default()
        };
        record(tx, now, permit.actor(), entry.change((), serde_json::json!({ "keyword": keyword, "reply": reply }))).await?;
        Ok(id)
    })
    .await
}

/// Removes an automatic reply.
///
/// # Errors
/// `NotFound` when it is not there or outside the permit's scope.
pub async fn remove_responder(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    id: ResponderId,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let account = within_scope(tx, permit, line).await?;
        let was: Option<(String, String)> =
            tx.opt("delete from responder where line_id = $1 and id = $2 returning keyword, reply", (line, id)).await?;
        let Some((keyword, reply)) = was else { return Err(Problem::not_found("This responder is gone already.")) };
        tx.tell(Change::Line { account_id: account, line_id: line });
        let entry = Entry {
            action: "line.remove_responder",
            account_id: Some(account),
            line_id: Some(line),
            subject_id: Some(id.0),
            ..Entry::default()
        };
        Ok(record(tx, now, permit.actor(), entry.change(serde_json::json!({ "keyword": keyword, "reply": reply }), ())).await?)
    })
    .await
}

/// Gives a contact of an account a name; the last one given stays.
///
/// # Errors
/// `Invalid` for a bad name, `NotFound` outside the permit's scope.
pub async fn name_contact(
    db: &Db,
    permit: &Permit<may::ManageDirectory>,
    account: AccountId,
    number: &crate::types::PhoneNumber,
    name: &str,
) -> Result<(), Problem> {
    let name = short_text("name", name, 80)?;
    let scope = permit.scope();
    db.work(async |tx| {
        let named = tx
            .run(
                "insert into contact (account_id, number, name)
                 select a.id, $2, $3
                 from account a
                 where a.id = $1
                   and ($4 or a.id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
                 on conflict (account_id, number) do update set name = excluded.name",
                (account, number.clone(), name, scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        if named == 0 { Err(Problem::not_found("There is no such account.")) } else { Ok(()) }
    })
    .await
}

/// Whether an account knows a contact by name.
///
/// # Errors
/// What the database says.
pub(crate) async fn knows_contact(tx: &mut Tx, account: AccountId, number: &crate::types::PhoneNumber) -> Result<bool> {
    let found: Option<(String,)> =
        tx.opt("select name from contact where account_id = $1 and number = $2", (account, number.clone())).await?;
    Ok(found.is_some())
}

/// Erases what an account calls a contact.
///
/// # Errors
/// What the database says.
pub(crate) async fn erase_contact(tx: &mut Tx, account: AccountId, number: &crate::types::PhoneNumber) -> Result<u64> {
    tx.run("delete from contact where account_id = $1 and number = $2", (account, number.clone())).await
}
