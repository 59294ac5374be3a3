//! Lines: the list, one line whole, adding one, editing and closing it.

mod change;

pub use change::{close, closing, edit, reopen};
pub(crate) use change::{edit_one, reopen_as_it_was};

use super::accounts::{contains, standing};
use super::{LONGEST_SEARCH, people, short_text};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx, is_duplicate, one_more};
use crate::staff::{Entry, Permit, Scope, may, record};
use crate::types::{
    AccountId, Change, Cursor, IntegrationType, LineDetail, LineFilter, LineId, LineRow, LineSort, OpenOrClosed, Page, PhoneNumber,
    Problem, RunId, Timestamp, UserId,
};

/// A list's row as it is stored.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: LineId,
    pub(super) number: PhoneNumber,
    pub(super) label: String,
    pub(super) account_id: AccountId,
    pub(super) account: String,
    pub(super) integration_type: IntegrationType,
    pub(super) version: i64,
    pub(super) created_at: Timestamp,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) is_moving: bool,
}

impl From<Row> for LineRow {
    fn from(row: Row) -> Self {
        LineRow {
            id: row.id,
            number: row.number,
            label: row.label,
            account_id: row.account_id,
            account: row.account,
            integration_type: row.integration_type,
            created_at: row.created_at,
            closed_at: row.closed_at,
        }
    }
}

/// What a line is found by.
pub(super) fn search_text(label: &str, account: &str) -> String {
    format!("{label} {account}").to_lowercase()
}

macro_rules! list_sql {
    ($page:literal) => {
        concat!(
            "with mine as materialized (select role_id from staff_scope_role where staff_id = $2 and permission = $3)
             select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.version, l.created_at,
               l.closed_at, l.transfer_id is not null as is_moving
             from line l
             join account a on a.id = l.account_id
             where ($1 or exists (select 1 from mine join role_account s on s.role_id = mine.role_id where s.account_id = l.account_id limit 1 offset 0))
               and ($4 = '%%' or l.search like $4 or l.number like $5)
               and (l.account_id = $6 or $6 is null)
               and (l.integration_type = $7 or $7 is null)
               and ((l.closed_at is null) = $9 or $9 is null) ",
            $page
        )
    };
}

/// Lines, sorted as the filter says.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    filter: &LineFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<LineRow>> {
    Ok(rows(db, permit.scope(), filter, after, limit).await?.map(LineRow::from))
}

/// The same as they are stored.
pub(super) async fn rows(db: &Db, scope: Scope, filter: &LineFilter, after: Option<&Cursor>, limit: usize) -> Result<Page<Row>> {
    let text = contains(&filter.search.to_lowercase());
    // A number is searched by its digits, however it is written.
    let digits: String = filter.search.chars().filter(char::is_ascii_digit).take(LONGEST_SEARCH).collect();
    let number = if digits.len() >= 3 { format!("%{digits}%") } else { String::new() };
    let (a, b, c, d, e) = (scope.everywhere, scope.staff, scope.permission, text, number);
    let (f, g, most) = (filter.account, filter.integration_type, one_more(limit));
    let is_open = filter.state.map(OpenOrClosed::is_open);
    let last = || char::MAX.to_string();
    // One text for each way, so that each walks an index of its own.
    match filter.sort {
        LineSort::Number | LineSort::NumberDown => {
            let behind = after.and_then(Cursor::key::<String>);
            let rows: Vec<Row> = if filter.sort == LineSort::Number {
                let behind = behind.unwrap_or_default();
                db.all(list_sql!("and l.number > $10 order by l.number limit $8"), (a, b, c, d, e, f, g, most, is_open, behind)).await?
            } else {
                let behind = behind.unwrap_or_else(last);
                let args = (a, b, c, d, e, f, g, most, is_open, behind);
                db.all(list_sql!("and l.number < $10 order by l.number desc limit $8"), args).await?
            };
            Ok(Page::of(rows, limit, |row| row.number.expose().to_owned()))
        }
        LineSort::Label | LineSort::LabelDown => {
            let behind = after.and_then(Cursor::key::<(String, LineId)>);
            let rows: Vec<Row> = if filter.sort == LineSort::Label {
                let (label, id) = behind.unwrap_or((String::new(), LineId(uuid::Uuid::nil())));
                let args = (a, b, c, d, e, f, g, most, is_open, label, id);
                db.all(list_sql!("and (l.folded, l.id) > ($10, $11) order by l.folded, l.id limit $8"), args).await?
            } else {
                let (label, id) = behind.unwrap_or((last(), LineId(uuid::Uuid::max())));
                let args = (a, b, c, d, e, f, g, most, is_open, label, id);
                db.all(list_sql!("and (l.folded, l.id) < ($10, $11) order by l.folded desc, l.id desc limit $8"), args).await?
            };
            // As the database folds it: letters of ASCII alone.
            Ok(Page::of(rows, limit, |row| (row.label.to_ascii_lowercase(), row.id)))
        }
    }
}

#[derive(sqlx::FromRow)]
struct Offered {
    #[sqlx(flatten)]
    row: Row,
    has_access: bool,
}

/// The lines of a person's account by number, up to `most`, each with whether they have access, and how many there are. Those with access
/// are there before any other, and what is open before what is closed.
///
/// # Errors
/// What the database says.
pub(super) async fn of_person(db: &Db, account: AccountId, user: UserId, most: i64) -> Result<(Vec<(LineRow, bool)>, i64)> {
    let rows: Vec<Offered> = db
        .all(
            "select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.version, l.created_at, l.closed_at,
               l.transfer_id is not null as is_moving, n.has_access
             from (select k.id, u.line_id is not null as has_access
                   from line k
                   left join line_user u on u.line_id = k.id and u.user_id = $2
                   where k.account_id = $1
                   order by u.line_id is null, k.closed_at is not null, k.number
                   limit $3) n
             join line l on l.id = n.id
             join account a on a.id = l.account_id
             order by l.number",
            (account, user, most),
        )
        .await?;
    let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let all = if found < most {
        found
    } else {
        let (all,): (i64,) = db.one("select count(*) from line where account_id = $1", [account]).await?;
        all
    };
    Ok((rows.into_iter().map(|Offered { row, has_access }| (row.into(), has_access)).collect(), all))
}

/// A line, whole.
///
/// # Errors
/// `NotFound` when it is not there or not within the permit's scope.
pub async fn get(db: &Db, permit: &Permit<may::SeeDirectory>, line: LineId) -> Result<LineDetail, Problem> {
    let row = row(db, permit.scope(), line).await?.ok_or_else(no_such_line)?;
    let (transfer,): (Option<RunId>,) = db.one("select transfer_id from line where id = $1", [line]).await?;
    let (users, users_of_account) = people::users_of(db, line, row.account_id).await?;
    Ok(LineDetail {
        version: row.version,
        created_at: row.created_at,
        connected: !crate::ringcentral::connected(db, [row.account_id]).await?.is_empty(),
        transfer,
        users,
        users_of_account,
        responders: people::responders_of(db, line).await?,
        line: row.into(),
    })
}

/// A line as it is stored, if it is within the scope.
pub(super) async fn row(db: &Db, scope: Scope, line: LineId) -> Result<Option<Row>> {
    db.opt(
        "select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.version, l.created_at,
               l.closed_at, l.transfer_id is not null as is_moving
             from line l
             join account a on a.id = l.account_id
             where l.id = $1
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
        (line, scope.everywhere, scope.staff, scope.permission),
    )
    .await
}

/// The account's line with this number, for programs that know their lines by number.
///
/// # Errors
/// What the database says.
pub async fn by_number_of_account(tx: &mut Tx, account: AccountId, number: &PhoneNumber) -> Result<Option<LineId>> {
    let found: Option<(LineId,)> = tx.opt("select id from line where number = $1 and account_id = $2", (number.clone(), account)).await?;
    Ok(found.map(|(id,)| id))
}

/// On PostgreSQL this waits for messages that are being routed, and they for it: each takes a share of the line's row.
const HOLD: Sql = Sql {
    sqlite: "select account_id, transfer_id is not null from line where id = $1",
    postgres: "select account_id, transfer_id is not null from line where id = $1 for no key update",
};

/// Whose the line is, and whether it is being transferred, until the transaction ends: meanwhile it does not change hands, and nothing
/// comes in for it.
///
/// # Errors
/// What the database says.
pub(crate) async fn hold(tx: &mut Tx, line: LineId) -> Result<Option<(AccountId, bool)>> {
    tx.opt(HOLD, [line]).await
}

/// The account before its lines, as everywhere: two transactions cannot wait for each other.
const HOLD_ACCOUNT: Sql =
    Sql { sqlite: "select id from account where id = $1", postgres: "select id from account where id = $1 for no key update" };

const HOLD_ALL: Sql = Sql {
    sqlite: "select id from line where account_id = $1 order by id",
    postgres: "select id from line where account_id = $1 order by id for no key update",
};

/// Holds every line that is the account's now: none of them changes hands until the transaction ends.
///
/// # Errors
/// What the database says.
pub(crate) async fn hold_all(tx: &mut Tx, account: AccountId) -> Result<()> {
    tx.opt::<(AccountId,)>(HOLD_ACCOUNT, [account]).await?;
    tx.all::<(LineId,)>(HOLD_ALL, [account]).await.map(|_| ())
}

pub(crate) fn no_such_line() -> Problem {
    Problem::not_found("There is no such line, or it belongs to an account that you do not look after.")
}

/// Adds a line to an account. A blast-only line is set to None as it is set up.
///
/// # Errors
/// `Invalid` for a bad number or label, a number that is a line already, RingCentral without a connection, or a type whose product the
/// account does not have; `Conflict` when the account is closed; `NotFound` outside the permit's scope.
pub async fn add(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    account: AccountId,
    number: &str,
    label: &str,
    integration_type: IntegrationType,
) -> Result<LineId, Problem> {
    let number = PhoneNumber::parse(number).map_err(|e| Problem::invalid("number", format!("This is {e}.")))?;
    let label = short_text("label", label, 80)?;
    if integration_type == IntegrationType::Ringcentral && crate::ringcentral::connected(db, [account]).await?.is_empty() {
        return Err(Problem::invalid(
            "integration_type",
            "This account has no connection to RingCentral. Connect it first, or choose another type.",
        ));
    }
    let scope = permit.scope();
    let id = LineId(now.id());
    db.work(async |tx| {
        let of = standing(tx, scope, account).await?;
        of.is_open()?;
        of.allows(integration_type)?;
        let added = tx
            .run(
                "insert into line (id, account_id, number, label, search, integration_type, created_at, version)
                 values ($1, $2, $3, $4, $5, $6, $7, 1)",
                (id, account, number.clone(), label.clone(), search_text(&label, &of.name), integration_type, now.at()),
            )
            .await;
        match added {
            Err(error) if is_duplicate(&error) => {
                return Err(Problem::invalid("number", "This number is a line already. Choose another number."));
            }
            other => other?,
        };
        super::search::write_digits(tx, &[(id, &number)]).await?;
        crate::messaging::unknown::are_lines_now(tx, now, &[(id, account, &number)]).await?;
        tx.tell(Change::Line { account_id: account, line_id: id });
        let entry = Entry { action: "line.add", account_id: Some(account), line_id: Some(id), ..Entry::default() };
        let after = serde_json::json!({ "label": label, "integration_type": integration_type });
        record(tx, now, permit.actor(), entry.change((), after)).await?;
        Ok(id)
    })
    .await
}
