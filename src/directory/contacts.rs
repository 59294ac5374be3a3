//! The contacts that an account knows by name.
//!
//! The rule: a contact's name, number and note are personal data: masked without the permission to see it, edited only by who sees them,
//! and never in an address or in the audit, which says which fields were changed. A search is named by what was kept of it, sealed.

use super::accounts::{no_such_account, standing};
use super::{begin_of, past, short_text};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, one_more};
use crate::search;
use crate::secret::Keyring;
use crate::staff::{Entry, Permit, Seen, may, record};
use crate::types::{
    AccountId, ContactDetail, ContactId, ContactRow, Cursor, OpenOrClosed, Page, Part, Permission, PhoneNumber, Problem, SearchId,
    ShownNumber, Timestamp,
};
use crate::undo::{self, Step};
use serde_json::json;

/// A search shows so many, at most, and says when there are more.
const MOST_FOUND: usize = 20;
/// The longest note, in characters.
const LONGEST_NOTE: usize = 2_000;

#[derive(sqlx::FromRow)]
struct Row {
    id: ContactId,
    number: PhoneNumber,
    name: String,
    closed_at: Option<Timestamp>,
}

impl Row {
    fn shown(self, sees: bool) -> ContactRow {
        let name = sees.then_some(self.name);
        ContactRow { id: self.id, name, number: ShownNumber::of(self.number, sees), closed_at: self.closed_at }
    }
}

/// Whether personal data of the account is seen.
///
/// # Errors
/// `NotFound` when the account is not within the permit's scope.
async fn sees(db: &Db, permit: &Permit<may::SeeDirectory>, account: AccountId) -> Result<bool, Problem> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let found: Option<(bool,)> = db
        .opt(
            "select coalesce($5 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $6), false)
             from account a
             where a.id = $1 and ($2 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (account, scope.everywhere, scope.staff, scope.permission, sight.everywhere, sight.permission),
        )
        .await?;
    found.map(|(sees,)| sees).ok_or_else(no_such_account)
}

/// Contacts of an account by name.
macro_rules! list_sql {
    ($narrow:literal) => {
        concat!(
            "select id, number, name, closed_at from contact
             where account_id = $1 and (search, number) > ($2, $3) ",
            $narrow,
            "order by search, number
             limit $4"
        )
    };
}

/// The same in no telling order.
macro_rules! row_sql {
    ($narrow:literal) => {
        concat!(
            "select id, number, name, closed_at from contact
             where account_id = $1 and id > $2 ",
            $narrow,
            "order by id
             limit $3"
        )
    };
}

/// The contacts of an account, open and closed: by name for who sees it, else in no telling order. A page's cursor is a contact, since it
/// stands in an address.
///
/// # Errors
/// `NotFound` when the account is not within the permit's scope.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    account: AccountId,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ContactRow>, Problem> {
    narrowed(db, permit, account, None, after, limit).await
}

/// The same, or only those who are open, or closed.
///
/// # Errors
/// `NotFound` when the account is not within the permit's scope.
pub async fn narrowed(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    account: AccountId,
    state: Option<OpenOrClosed>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ContactRow>, Problem> {
    let sees = sees(db, permit, account).await?;
    let after = after.and_then(Cursor::key::<ContactId>);
    let most = one_more(limit);
    let rows: Vec<Row> = if sees {
        let behind: Option<(String, String)> = match after {
            Some(id) => db.opt("select search, number from contact where id = $1 and account_id = $2", (id, account)).await?,
            None => None,
        };
        let (search, number) = behind.unwrap_or_default();
        // One text for each: of very many contacts the few that are closed have an index of their own.
        let args = (account, search, number, most);
        match state {
            None => db.all(list_sql!(""), args).await?,
            Some(OpenOrClosed::Open) => db.all(list_sql!("and closed_at is null "), args).await?,
            Some(OpenOrClosed::Closed) => db.all(list_sql!("and closed_at is not null "), args).await?,
        }
    } else {
        let args = (account, after.unwrap_or(ContactId(uuid::Uuid::nil())), most);
        match state {
            None => db.all(row_sql!(""), args).await?,
            Some(OpenOrClosed::Open) => db.all(row_sql!("and closed_at is null "), args).await?,
            Some(OpenOrClosed::Closed) => db.all(row_sql!("and closed_at is not null "), args).await?,
        }
    };
    if sees && !rows.is_empty() {
        permit.saw(Seen::AccountContacts(account));
    }
    Ok(Page::of(rows, limit, |row| row.id).map(|row| row.shown(sees)))
}

/// The contacts of an account whose name begins like this, or who has this whole number. For who sees personal data there.
///
/// # Errors
/// `Invalid` for nothing, `Forbidden` for who may not see it, `NotFound` outside the permit's scope.
pub async fn find(db: &Db, permit: &Permit<may::SeeDirectory>, account: AccountId, text: &str) -> Result<Part<ContactRow>, Problem> {
    if !sees(db, permit, account).await? {
        permit.lacked(Permission::SeePersonalData);
        return Err(Problem::forbidden("Your roles do not let you see contacts’ names and numbers. Ask an administrator for it."));
    }
    let begin = begin_of(text);
    if begin.is_empty() {
        return Err(Problem::invalid("text", "Write how the name begins, or the whole number."));
    }
    let rows: Vec<Row> = match PhoneNumber::parse(text) {
        Ok(number) => {
            db.all("select id, number, name, closed_at from contact where account_id = $1 and number = $2", (account, number)).await?
        }
        Err(_) => {
            let end = past(&begin);
            db.all(
                "select id, number, name, closed_at from contact
                 where account_id = $1 and search >= $2 and search < $3
                 order by search, number
                 limit $4",
                (account, begin, end, one_more(MOST_FOUND)),
            )
            .await?
        }
    };
    if !rows.is_empty() {
        permit.saw(Seen::AccountContacts(account));
    }
    Ok(Part::of(rows.into_iter().map(|row| row.shown(true)).collect(), MOST_FOUND))
}

/// The same, and keeps a search that found several, so that the list can show them again.
///
/// # Errors
/// As [`find`].
pub async fn look_for(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::SeeDirectory>,
    account: AccountId,
    text: &str,
) -> Result<(Part<ContactRow>, Option<SearchId>), Problem> {
    let found = find(db, permit, account, text).await?;
    let kept = match found.rows.len() {
        0 | 1 => None,
        _ => Some(search::keep_for(db, now, keys, permit.scope().staff, text).await?),
    };
    Ok((found, kept))
}

/// What a search of one's own finds among the contacts of an account now, or those of it who are open, or closed.
///
/// # Errors
/// As [`find`]; `NotFound` also when the search was an hour ago, or somebody else's.
pub async fn found(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::SeeDirectory>,
    account: AccountId,
    state: Option<OpenOrClosed>,
    kept: SearchId,
) -> Result<Page<ContactRow>, Problem> {
    let text = search::kept_for(db, now, keys, permit.scope().staff, kept).await?;
    let mut rows = find(db, permit, account, &text).await?.rows;
    rows.retain(|row| state.is_none_or(|state| state.is_open() == row.closed_at.is_none()));
    Ok(Page { rows, next: None })
}

pub(crate) fn no_such_contact() -> Problem {
    Problem::not_found("There is no such contact, or they belong to an account that you do not look after.")
}

#[derive(sqlx::FromRow)]
struct Whole {
    #[sqlx(flatten)]
    row: Row,
    account_id: AccountId,
    account: String,
    note: String,
    version: i64,
}

/// A contact, whole.
///
/// # Errors
/// `NotFound` when they are not there or not within the permit's scope.
pub async fn get(db: &Db, permit: &Permit<may::SeeDirectory>, id: ContactId) -> Result<ContactDetail, Problem> {
    let scope = permit.scope();
    let found: Option<Whole> = db
        .opt(
            "select k.id, k.number, k.name, k.closed_at, k.account_id, a.name as account, k.note, k.version
             from contact k
             join account a on a.id = k.account_id
             where k.id = $1
               and ($2 or k.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let Whole { row, account_id, account, note, version } = found.ok_or_else(no_such_contact)?;
    let sees = sees(db, permit, account_id).await?;
    if sees {
        permit.saw(Seen::Contact(account_id, id));
    }
    Ok(ContactDetail { row: row.shown(sees), account_id, account, note: sees.then_some(note), version })
}

fn entry(action: &'static str, account: AccountId, id: ContactId) -> Entry<'static> {
    Entry { action, account_id: Some(account), subject_id: Some(id.0), ..Entry::default() }
}

/// A contact that is to be changed.
#[derive(sqlx::FromRow)]
struct Changing {
    account_id: AccountId,
    name: String,
    note: String,
    is_closed: bool,
    version: i64,
}

/// Takes the row's lock, if the permit holds there and nobody was first.
async fn take(tx: &mut Tx, permit: &Permit<may::ManageDirectory>, id: ContactId, version: i64) -> Result<Changing, Problem> {
    let scope = permit.scope();
    let found: Option<Changing> = tx
        .opt(
            "update contact set version = version + 1
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
             returning account_id, name, note, closed_at is not null as is_closed, version",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    match found {
        None => Err(no_such_contact()),
        Some(contact) if contact.version == version + 1 => Ok(contact),
        Some(_) => Err(Problem::conflict(
            "Somebody changed this contact while you were looking at them. Nothing of yours was changed: look again, then decide.",
        )),
    }
}

/// Edits a contact's name and note, as they were seen at `version`.
///
/// # Errors
/// `Invalid` for a bad name or note, `Forbidden` for who may not see them, `Conflict` when somebody else was first, `NotFound` outside the
/// permit's scope.
pub async fn edit(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: ContactId,
    version: i64,
    name: &str,
    note: &str,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = edit_one(tx, now, permit, id, version, name, note).await?;
        Ok(undo::leave(tx, now, permit, "The contact was changed.", vec![step]).await?)
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
    id: ContactId,
    version: i64,
    name: &str,
    note: &str,
) -> Result<Step, Problem> {
    let name = short_text("name", name, 80)?;
    let note = note.trim().replace("\r\n", "\n");
    if note.chars().count() > LONGEST_NOTE || note.contains('\0') {
        return Err(Problem::invalid("note", format!("Use at most {LONGEST_NOTE} characters.")));
    }
    let was = take(tx, permit, id, version).await?;
    if !sees_within(tx, permit, was.account_id).await? {
        permit.lacked(Permission::SeePersonalData);
        return Err(Problem::forbidden("Your roles do not show you what you would write over. Ask an administrator for it."));
    }
    tx.run("update contact set name = $2, note = $3, search = $4 where id = $1", (id, name.clone(), note.clone(), name.to_lowercase()))
        .await?;
    let changed = [("name", was.name != name), ("note", was.note != note)];
    let changed: Vec<&str> = changed.into_iter().filter_map(|(field, is_changed)| is_changed.then_some(field)).collect();
    let entry = entry("contact.edit", was.account_id, id).change((), json!({ "changed": changed }));
    record(tx, now, permit.actor(), entry).await?;
    Ok(Step::EditContact { id, version: version + 1, name: was.name, note: was.note })
}

/// Closes a contact, as they were seen at `version`, or opens them again. It puts them away and stops nothing: consent does that.
///
/// # Errors
/// `Conflict` when somebody else was first, `NotFound` outside the permit's scope.
pub async fn set_closed(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: ContactId,
    version: i64,
    closed: bool,
) -> Result<(), Problem> {
    let what = if closed { "The contact was closed." } else { "The contact is open again." };
    db.work(async |tx| {
        let step = set_closed_one(tx, now, permit, id, version, closed).await?;
        Ok(undo::leave(tx, now, permit, what, vec![step]).await?)
    })
    .await
}

/// The same in the caller's transaction; says what takes it back.
///
/// # Errors
/// As [`set_closed`].
pub(crate) async fn set_closed_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: ContactId,
    version: i64,
    closed: bool,
) -> Result<Step, Problem> {
    let was = take(tx, permit, id, version).await?;
    if was.is_closed == closed {
        return Err(Problem::conflict(if closed { "This contact is closed already." } else { "This contact is open already." }));
    }
    tx.run("update contact set closed_at = $2 where id = $1", (id, closed.then(|| now.at()))).await?;
    let action = if closed { "contact.close" } else { "contact.reopen" };
    record(tx, now, permit.actor(), entry(action, was.account_id, id)).await?;
    Ok(Step::CloseContact { id, version: version + 1, closed: !closed })
}

/// Gives a number a name, which makes it a contact of the account.
///
/// # Errors
/// `Invalid` for a bad name or a number that has one already, `Forbidden` for who may not see contacts there, `Conflict` while the account is
/// closed, `NotFound` outside the permit's scope.
pub async fn name_contact(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    account: AccountId,
    number: &PhoneNumber,
    name: &str,
) -> Result<ContactId, Problem> {
    let name = short_text("name", name, 80)?;
    let id = ContactId(now.id());
    db.work(async |tx| {
        standing(tx, permit.scope(), account).await?.is_open()?;
        if !sees_within(tx, permit, account).await? {
            permit.lacked(Permission::SeePersonalData);
            return Err(Problem::forbidden("Your roles do not let you see contacts’ names and numbers. Ask an administrator for it."));
        }
        let made = tx
            .run(
                "insert into contact (account_id, number, name, search, id) values ($1, $2, $3, $4, $5)
                 on conflict (account_id, number) do nothing",
                (account, number.clone(), name.clone(), name.to_lowercase(), id),
            )
            .await?;
        if made == 0 {
            return Err(Problem::invalid("number", "The account has a contact with this number already. Find them by it."));
        }
        record(tx, now, permit.actor(), entry("contact.add", account, id)).await?;
        Ok(id)
    })
    .await
}

/// Whether personal data of the account is seen by who changes something there.
async fn sees_within(tx: &mut Tx, permit: &Permit<may::ManageDirectory>, account: AccountId) -> Result<bool> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let (sees,): (bool,) = tx
        .one(
            "select coalesce($1 or exists (select 1 from staff_scope s where s.staff_id = $2 and s.permission = $3 and s.account_id = $4),
               false)",
            (sight.everywhere, scope.staff, sight.permission, account),
        )
        .await?;
    Ok(sees)
}

/// Whether an account knows a contact by name.
///
/// # Errors
/// What the database says.
pub(crate) async fn knows_contact(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Result<bool> {
    let found: Option<(String,)> =
        tx.opt("select name from contact where account_id = $1 and number = $2", (account, number.clone())).await?;
    Ok(found.is_some())
}

const NUMBER_OF: &str = "select account_id, number from contact where id = $1";

/// Whose contact this is, and their number; for what other rooms know of them.
///
/// # Errors
/// What the database says.
pub(crate) async fn number_of(db: &Db, id: ContactId) -> Result<Option<(AccountId, PhoneNumber)>> {
    db.opt(NUMBER_OF, [id]).await
}

/// The same, within a transaction.
///
/// # Errors
/// What the database says.
pub(crate) async fn number_within(tx: &mut Tx, id: ContactId) -> Result<Option<(AccountId, PhoneNumber)>> {
    tx.opt(NUMBER_OF, [id]).await
}

/// The contact of an account with this number, if the account knows them.
///
/// # Errors
/// What the database says.
pub(crate) async fn by_number(db: &Db, account: AccountId, number: &PhoneNumber) -> Result<Option<ContactId>> {
    let found: Option<(ContactId,)> =
        db.opt("select id from contact where account_id = $1 and number = $2", (account, number.clone())).await?;
    Ok(found.map(|(id,)| id))
}

/// Erases what an account calls a contact, and what would bring back what it called them before.
///
/// # Errors
/// What the database says.
pub(crate) async fn erase_contact(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Result<()> {
    let erased: Option<(ContactId,)> =
        tx.opt("delete from contact where account_id = $1 and number = $2 returning id", (account, number.clone())).await?;
    match erased {
        Some((id,)) => undo::forget_contact(tx, id).await,
        None => Ok(()),
    }
}
