//! Accounts: the clients of the platform, and the tokens of their programs.

mod close;
mod edit;

pub(crate) use close::hold_open;
pub(crate) use close::reopen_one;
pub use close::{close, closing, reopen};
pub use edit::edit;
pub(crate) use edit::edit_one;

use super::{LONGEST_SEARCH, short_text};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx, is_duplicate, one_more};
use crate::staff::{Entry, Permit, Proof, Scope, hash_token, may, record};
use crate::types::{
    AccountDetail, AccountId, AccountRow, ApiTokenRow, Cursor, IntegrationType, OpenOrClosed, Page, Problem, Product, Timestamp,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[derive(sqlx::FromRow)]
struct Row {
    id: AccountId,
    name: String,
    sends_blasts: bool,
    has_conversations: bool,
    closed_at: Option<Timestamp>,
    lines: i64,
}

impl Row {
    fn shown(self, connected: bool) -> AccountRow {
        AccountRow {
            id: self.id,
            name: self.name,
            sends_blasts: self.sends_blasts,
            has_conversations: self.has_conversations,
            lines: self.lines,
            connected,
            closed_at: self.closed_at,
        }
    }
}

/// Accounts by name, open and closed; `search` is part of it.
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
    narrowed(db, permit, search, None, after, limit).await
}

/// The same, or only those that are open, or closed.
///
/// # Errors
/// What the database says.
pub async fn narrowed(
    db: &Db,
    permit: &Permit<may::SeeDirectory>,
    search: &str,
    state: Option<OpenOrClosed>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AccountRow>> {
    let scope = permit.scope();
    let is_open = state.map(OpenOrClosed::is_open);
    let (name, id) = after.and_then(Cursor::key::<(String, AccountId)>).unwrap_or((String::new(), AccountId(uuid::Uuid::nil())));
    let rows: Vec<Row> = db
        .all(
            "select a.id, a.name, a.sends_blasts, a.has_conversations, a.closed_at,
               (select count(*) from line l where l.account_id = a.id) as lines
             from account a
             where (a.name > $1 or (a.name = $1 and a.id > $2))
               and ($3 or a.id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
               and ($6 = '%%' or a.search like $6)
               and ((a.closed_at is null) = $8 or $8 is null)
             order by a.name, a.id
             limit $7",
            (name, id, scope.everywhere, scope.staff, scope.permission, contains(search), one_more(limit), is_open),
        )
        .await?;
    let page = Page::of(rows, limit, |row| (row.name.clone(), row.id));
    let ids: Vec<AccountId> = page.rows.iter().map(|row| row.id).collect();
    let connected = crate::ringcentral::connected(db, ids).await?;
    Ok(page.map(|row| {
        let connected = connected.contains(&row.id);
        row.shown(connected)
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
            "select a.id, a.name, a.sends_blasts, a.has_conversations, a.closed_at,
               (select count(*) from line l where l.account_id = a.id) as lines
             from account a
             where a.id = $1
               and ($2 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let row = row.ok_or_else(no_such_account)?;
    let connected = !crate::ringcentral::connected(db, [row.id]).await?.is_empty();
    Ok(row.shown(connected))
}

/// One account, whole.
///
/// # Errors
/// As [`get`].
pub async fn detail(db: &Db, permit: &Permit<may::SeeDirectory>, id: AccountId) -> Result<AccountDetail, Problem> {
    let row = get(db, permit, id).await?;
    let (version, created_at): (i64, Timestamp) = db.one("select version, created_at from account where id = $1", [id]).await?;
    Ok(AccountDetail { row, version, created_at, tokens: tokens(db, id).await? })
}

#[derive(sqlx::FromRow)]
struct Token {
    token_hash: Vec<u8>,
    name: String,
    created_at: Timestamp,
    made_by: Option<String>,
    revoked_at: Option<Timestamp>,
    revoked_by: Option<String>,
}

/// The tokens of an account's programs. Those that are good come first, and none of them is left out before one that is revoked.
async fn tokens(db: &Db, account: AccountId) -> Result<Vec<ApiTokenRow>> {
    let rows: Vec<Token> = db
        .all(
            "select token_hash, name, created_at, made_by, revoked_at, revoked_by
             from api_token
             where account_id = $1
             order by revoked_at is not null, created_at desc, token_hash
             limit 200",
            [account],
        )
        .await?;
    let shown = |token: Token| ApiTokenRow {
        handle: URL_SAFE_NO_PAD.encode(token.token_hash),
        name: token.name,
        made_at: token.created_at,
        made_by: token.made_by,
        revoked: token.revoked_at.map(|at| (at, token.revoked_by.unwrap_or_default())),
    };
    Ok(rows.into_iter().map(shown).collect())
}

pub(super) fn no_such_account() -> Problem {
    Problem::not_found("There is no such account, or it is one that you do not look after.")
}

fn name_is_taken() -> Problem {
    Problem::invalid("name", "There is an account of this name already. Choose another name.")
}

/// An account that something is to be added to, or a line of which is to change.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Standing {
    pub(super) name: String,
    is_closed: bool,
    sends_blasts: bool,
    has_conversations: bool,
}

impl Standing {
    /// Refuses while it is closed.
    pub(super) fn is_open(&self) -> Result<(), Problem> {
        if self.is_closed { Err(Problem::conflict(format!("{} is closed. Reopen it first.", self.name))) } else { Ok(()) }
    }

    /// Refuses a type whose product it does not have.
    pub(super) fn allows(&self, of: IntegrationType) -> Result<(), Problem> {
        let has = match of.needs() {
            Product::Blast => self.sends_blasts,
            Product::Conversation => self.has_conversations,
        };
        if has { Ok(()) } else { Err(Problem::invalid("integration_type", lacks(&self.name, of))) }
    }
}

/// Why an account's line cannot be set to this type.
pub(super) fn lacks(account: &str, of: IntegrationType) -> String {
    format!("{account} does not have the product {}, which {} needs. Add it to the account first.", of.needs().name(), of.name())
}

/// On PostgreSQL the row is share-locked, so that the account is neither closed nor loses a product meanwhile.
const STANDING: Sql = Sql {
    sqlite: "select a.name, a.closed_at is not null as is_closed, a.sends_blasts, a.has_conversations
             from account a
             where a.id = $1
               and ($2 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
    postgres: "select a.name, a.closed_at is not null as is_closed, a.sends_blasts, a.has_conversations
               from account a
               where a.id = $1
                 and ($2 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
               for share of a",
};

/// What an account lacks for a line of this type, in words.
///
/// # Errors
/// What the database says.
pub(crate) async fn lacking(db: &Db, account: AccountId, of: IntegrationType) -> Result<Option<String>> {
    let found: Option<Standing> = db
        .opt("select name, closed_at is not null as is_closed, sends_blasts, has_conversations from account where id = $1", [account])
        .await?;
    Ok(found.filter(|account| account.allows(of).is_err()).map(|account| lacks(&account.name, of)))
}

/// On PostgreSQL the row is share-locked, so that the account does not lose a product meanwhile.
const PRODUCTS: Sql = Sql {
    sqlite: "select name, closed_at is not null as is_closed, sends_blasts, has_conversations from account where id = $1",
    postgres: "select name, closed_at is not null as is_closed, sends_blasts, has_conversations from account where id = $1 for share",
};

/// The same, until the caller's transaction ends. It comes before any of its lines is locked.
///
/// # Errors
/// What the database says.
pub(crate) async fn lacking_now(tx: &mut Tx, account: AccountId, of: IntegrationType) -> Result<Option<String>> {
    let found: Option<Standing> = tx.opt(PRODUCTS, [account]).await?;
    Ok(found.filter(|account| account.allows(of).is_err()).map(|account| lacks(&account.name, of)))
}

/// How the account stands, until the transaction ends. It comes before any of its lines is locked.
///
/// # Errors
/// `NotFound` outside the scope.
pub(super) async fn standing(tx: &mut Tx, scope: Scope, account: AccountId) -> Result<Standing, Problem> {
    let found: Option<Standing> = tx.opt(STANDING, (account, scope.everywhere, scope.staff, scope.permission)).await?;
    found.ok_or_else(no_such_account)
}

/// A `like` pattern for a `search` that contains `part`, folded as it is, with the pattern's own signs dropped.
pub(crate) fn contains(part: &str) -> String {
    let part = part.trim().to_lowercase();
    let plain = part.chars().filter(|c| !matches!(c, '%' | '_' | '\\')).take(LONGEST_SEARCH).collect::<String>();
    format!("%{plain}%")
}

/// Adds an account.
///
/// # Errors
/// `Invalid` for a bad or taken name, `Forbidden` when the permit holds on named accounts only.
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
                "insert into account (id, name, search, sends_blasts, has_conversations, created_at, version)
                 values ($1, $2, $3, $4, $5, $6, 1)",
                (id, name.clone(), name.to_lowercase(), sends_blasts, has_conversations, now.at()),
            )
            .await;
        match added {
            Err(error) if is_duplicate(&error) => return Err(name_is_taken()),
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
/// `NotFound` outside the permit's scope, `Invalid` for a bad name, `Conflict` while the account is closed.
pub async fn add_api_token(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    _proof: Proof,
    account: AccountId,
    name: &str,
) -> Result<String, Problem> {
    let name = short_text("name", name, 80)?;
    let scope = permit.scope();
    let token = format!("sw_{}", URL_SAFE_NO_PAD.encode(now.rng.bytes::<32>()));
    let hash = hash_token(token.as_bytes());
    db.work(async |tx| {
        standing(tx, scope, account).await?.is_open()?;
        tx.run(
            "insert into api_token (token_hash, account_id, name, created_at, made_by) values ($1, $2, $3, $4, $5)",
            (hash, account, name.clone(), now.at(), permit.actor().name().to_owned()),
        )
        .await?;
        let entry = Entry { action: "account.add_api_token", account_id: Some(account), ..Entry::default() };
        record(tx, now, permit.actor(), entry.change((), serde_json::json!({ "name": name }))).await?;
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(token)
}

/// Revokes a token of an account's programs: the next call with it is refused. A closed account's, too, before it is opened again.
///
/// # Errors
/// `NotFound` outside the permit's scope, or when the account has no such token that is good.
pub async fn revoke_api_token(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    _proof: Proof,
    account: AccountId,
    handle: &str,
) -> Result<(), Problem> {
    let scope = permit.scope();
    let hash = URL_SAFE_NO_PAD.decode(handle).map_err(|_| no_such_token())?;
    db.work(async |tx| {
        standing(tx, scope, account).await?;
        let revoked: Option<(String,)> = tx
            .opt(
                "update api_token set revoked_at = $3, revoked_by = $4
                 where token_hash = $1 and account_id = $2 and revoked_at is null
                 returning name",
                (hash, account, now.at(), permit.actor().name().to_owned()),
            )
            .await?;
        let (name,) = revoked.ok_or_else(no_such_token)?;
        let entry = Entry { action: "account.revoke_api_token", account_id: Some(account), ..Entry::default() };
        Ok(record(tx, now, permit.actor(), entry.change(serde_json::json!({ "name": name }), ())).await?)
    })
    .await
}

fn no_such_token() -> Problem {
    Problem::not_found("There is no such token any more: it was revoked, or it is another account’s. Look again.")
}

/// Whose token this is and what it is called; `None` for a stranger's, a revoked one, or one of a closed account.
///
/// # Errors
/// What the database says.
pub async fn by_api_token(db: &Db, token: &str) -> Result<Option<(AccountId, String)>> {
    db.opt(
        "select t.account_id, t.name
         from api_token t
         join account a on a.id = t.account_id and a.closed_at is null
         where t.token_hash = $1 and t.revoked_at is null",
        [hash_token(token.as_bytes())],
    )
    .await
}
