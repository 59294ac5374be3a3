//! Accounts: the clients of the platform, and the tokens of their programs.

use super::short_text;
use crate::clock::Now;
use crate::db::{Db, Result, is_duplicate};
use crate::staff::{Entry, Permit, hash_token, may, record};
use crate::types::{AccountId, AccountRow, Cursor, Page, Problem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[derive(sqlx::FromRow)]
struct Row {
    id: AccountId,
    name: String,
    sends_blasts: bool,
    has_conversations: bool,
    lines: i64,
}

/// Accounts by name; `search` is part of it.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    search: &str,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AccountRow>> {
    let scope = permit.scope();
    let (name, id) = after.and_then(Cursor::key::<(String, AccountId)>).unwrap_or((String::new(), AccountId(uuid::Uuid::nil())));
    let rows: Vec<Row> = db
        .all(
            "select a.id, a.name, a.sends_blasts, a.has_conversations,
               (select count(*) from line l where l.account_id = a.id) as lines
             from account a
             where (a.name > $1 or (a.name = $1 and a.id > $2))
               and ($3 or a.id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
               and ($6 = '%%' or lower(a.name) like $6)
             order by a.name, a.id
             limit $7",
            (name, id, scope.everywhere, scope.staff, scope.permission, contains(search), i64::try_from(limit + 1).unwrap_or(i64::MAX)),
        )
        .await?;
    let page = Page::of(rows, limit, |row| (row.name.clone(), row.id));
    let ids: Vec<AccountId> = page.rows.iter().map(|row| row.id).collect();
    let connected = crate::ringcentral::connected(db, ids).await?;
    Ok(page.map(|row| AccountRow {
        connected: connected.contains(&row.id),
        id: row.id,
        name: row.name,
        sends_blasts: row.sends_blasts,
        has_conversations: row.has_conversations,
        lines: row.lines,
    }))
}

/// One account.
///
/// # Errors
/// `NotFound` when it is not there or not within the permit's scope.
pub async fn get(db: &Db, permit: &Permit<may::SeeDirectory>, id: AccountId) -> Result<AccountRow, Problem> {
    let scope = permit.scope();
    let row: Option<Row> = db
        .opt(
            "select a.id, a.name, a.sends_blasts, a.has_conversations,
               (select count(*) from line l where l.account_id = a.id) as lines
             from account a
             where a.id = $1
               and ($2 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let row = row.ok_or_else(|| Problem::not_found("There is no such account, or it is one that you do not look after."))?;
    Ok(AccountRow {
        connected: !crate::ringcentral::connected(db, [row.id]).await?.is_empty(),
        id: row.id,
        name: row.name,
        sends_blasts: row.sends_blasts,
        has_conversations: row.has_conversations,
        lines: row.lines,
    })
}

/// Nothing that is searched is longer; SQLite takes no pattern of more than 50,000 bytes.
const LONGEST_SEARCH: usize = 200;

/// A `like` pattern for text that contains `part`, in lower case, with the pattern's own signs dropped.
pub(crate) fn contains(part: &str) -> String {
    let plain = part.trim().to_lowercase().chars().filter(|c| !matches!(c, '%' | '_' | '\\')).take(LONGEST_SEARCH).collect::<String>();
    format!("%{plain}%")
}

/// Adds an account.
///
/// # Errors
/// `Invalid` for a bad name, `Conflict` when the name is taken, `Forbidden` when the permit holds on named accounts only.
pub async fn add(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    name: &str,
    sends_blasts: bool,
    has_conversations: bool,
) -> Result<AccountId, Problem> {
    let name = short_text("name", name, 80)?;
    permit.on_all_accounts("Only someone whose role holds on all accounts can add one.")?;
    let id = AccountId(now.id());
    db.work(async |tx| {
        let added = tx
            .run(
                "insert into account (id, name, sends_blasts, has_conversations, created_at, version) values ($1, $2, $3, $4, $5, 1)",
                (id, name.clone(), sends_blasts, has_conversations, now.at()),
            )
            .await;
        match added {
            Err(error) if is_duplicate(&error) => return Err(Problem::conflict("There is an account of this name already.")),
            other => other?,
        };
        let entry = Entry { action: "account.add", account_id: Some(id), ..Entry::default() };
        let after = serde_json::json!({ "name": name, "sends_blasts": sends_blasts, "has_conversations": has_conversations });
        record(tx, now, permit.actor(), entry.change((), after)).await?;
        Ok(id)
    })
    .await
}

/// Makes a bearer token for an account's programs; it is shown once and stored as a hash.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Invalid` for a bad name.
pub async fn add_api_token(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    account: AccountId,
    name: &str,
) -> Result<String, Problem> {
    let name = short_text("name", name, 80)?;
    let scope = permit.scope();
    let token = format!("sw_{}", URL_SAFE_NO_PAD.encode(now.rng.bytes::<32>()));
    let hash = hash_token(token.as_bytes());
    db.work(async |tx| {
        let made = tx
            .run(
                "insert into api_token (token_hash, account_id, name, created_at)
                 select $1, a.id, $3, $4
                 from account a
                 where a.id = $2
                   and ($5 or a.id in (select account_id from staff_scope where staff_id = $6 and permission = $7))",
                (hash, account, name.clone(), now.at(), scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        if made == 0 {
            return Err(Problem::not_found("There is no such account."));
        }
        let entry = Entry { action: "account.add_api_token", account_id: Some(account), ..Entry::default() };
        Ok(record(tx, now, permit.actor(), entry.change((), serde_json::json!({ "name": name }))).await?)
    })
    .await?;
    Ok(token)
}

/// Whose token this is and what it is called; `None` for a stranger's or a revoked one.
///
/// # Errors
/// What the database says.
pub async fn by_api_token(db: &Db, token: &str) -> Result<Option<(AccountId, String)>> {
    db.opt("select account_id, name from api_token where token_hash = $1 and revoked_at is null", [hash_token(token.as_bytes())]).await
}
