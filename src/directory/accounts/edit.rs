//! Editing an account: its name, and its products.
//!
//! The rule: a product that a line's type needs is not taken away; the line is set to another type first.

use super::{name_is_taken, no_such_account, short_text};
use crate::clock::Now;
use crate::db::{Db, Tx, is_duplicate, json, one_more};
use crate::directory::lines;
use crate::staff::{Entry, Permit, may, record};
use crate::types::{AccountId, Change, IntegrationType, LineId, Problem};
use crate::undo::{self, Step};

/// So many lines are named in a refusal.
const NAMED: usize = 5;

#[derive(sqlx::FromRow)]
struct Was {
    name: String,
    sends_blasts: bool,
    has_conversations: bool,
}

/// Edits an account's name and products, as they were seen at `version`.
///
/// # Errors
/// `NotFound` outside the permit's scope; `Conflict` when somebody else was first; `Invalid` for a bad or taken name, or a product that
/// lines of the account need.
pub async fn edit(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    id: AccountId,
    version: i64,
    name: &str,
    products: (bool, bool),
) -> Result<(), Problem> {
    db.work(async |tx| {
        let step = edit_one(tx, now, permit, id, version, name, products).await?;
        Ok(undo::leave(tx, now, permit, "The account was changed.", vec![step]).await?)
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
    id: AccountId,
    version: i64,
    name: &str,
    (sends_blasts, has_conversations): (bool, bool),
) -> Result<Step, Problem> {
    let name = short_text("name", name, 80)?;
    let was = take(tx, permit, id, version).await?;
    if was.sends_blasts && !sends_blasts {
        nothing_needs(tx, id, "sends_blasts", &[IntegrationType::None]).await?;
    }
    if was.has_conversations && !has_conversations {
        nothing_needs(tx, id, "has_conversations", &[IntegrationType::Inbox, IntegrationType::Ringcentral]).await?;
    }
    let edited = tx
        .run(
            "update account set name = $2, search = $3, sends_blasts = $4, has_conversations = $5 where id = $1",
            (id, name.clone(), name.to_lowercase(), sends_blasts, has_conversations),
        )
        .await;
    match edited {
        Err(error) if is_duplicate(&error) => return Err(name_is_taken()),
        other => other?,
    };
    if was.name != name {
        lines_are_found_by(tx, id, &name).await?;
    }
    let entry = Entry { action: "account.edit", account_id: Some(id), ..Entry::default() };
    let said = |name: &str, sends_blasts: bool, has_conversations: bool| serde_json::json!({ "name": name, "sends_blasts": sends_blasts, "has_conversations": has_conversations });
    let before = said(&was.name, was.sends_blasts, was.has_conversations);
    record(tx, now, permit.actor(), entry.change(before, said(&name, sends_blasts, has_conversations))).await?;
    Ok(Step::EditAccount { id, version: version + 1, name: was.name, products: (was.sends_blasts, was.has_conversations) })
}

/// Takes the row's lock, if the permit holds there and nobody was first; says what it holds.
async fn take(tx: &mut Tx, permit: &Permit<may::ManageDirectory>, id: AccountId, version: i64) -> Result<Was, Problem> {
    let scope = permit.scope();
    let was: Option<Was> = tx
        .opt(
            "update account set version = version + 1
             where id = $1 and version = $2
               and ($3 or id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             returning name, sends_blasts, has_conversations",
            (id, version, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    match was {
        Some(was) => Ok(was),
        None => Err(why_not(tx, permit, id).await?),
    }
}

/// Why no row was changed: gone or out of scope, or somebody was first.
pub(super) async fn why_not(tx: &mut Tx, permit: &Permit<may::ManageDirectory>, id: AccountId) -> Result<Problem, Problem> {
    let scope = permit.scope();
    let seen: Option<(String,)> = tx
        .opt(
            "select name from account
             where id = $1 and ($2 or id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(match seen {
        None => no_such_account(),
        Some((name,)) => Problem::conflict(format!(
            "Somebody changed {name} while you were looking at it. Nothing of yours was changed: look again, then decide."
        )),
    })
}

/// Refuses while lines of the account have one of these types, and names them.
async fn nothing_needs(tx: &mut Tx, id: AccountId, field: &str, types: &[IntegrationType]) -> Result<(), Problem> {
    let types = json(&types.iter().map(|of| [of.as_str()]).collect::<Vec<_>>());
    let lines: Vec<(String,)> = tx
        .all(
            "select label from line
             where account_id = $1 and closed_at is null and integration_type in (select j.value->>0 from json_each($2) j)
             order by number
             limit $3",
            (id, types, one_more(NAMED)),
        )
        .await?;
    if lines.is_empty() {
        return Ok(());
    }
    let more = if lines.len() > NAMED { " and more" } else { "" };
    let named = lines.into_iter().take(NAMED).map(|(label,)| label).collect::<Vec<_>>().join(", ");
    Err(Problem::invalid(field, format!("Lines need it for their type: {named}{more}. Set them to another type first, or close them.")))
}

/// Lines are found by their account's name.
async fn lines_are_found_by(tx: &mut Tx, id: AccountId, name: &str) -> Result<(), Problem> {
    let all: Vec<(LineId, String)> = tx.all("select id, label from line where account_id = $1", [id]).await?;
    let rows: Vec<(LineId, String)> = all.into_iter().map(|(line, label)| (line, lines::search_text(&label, name))).collect();
    tx.run("update line set search = j.value->>1 from json_each($1) j where line.id = unhex(j.value->>0, '-')", [json(&rows)]).await?;
    for (line, _) in rows {
        tx.tell(Change::Line { account_id: id, line_id: line });
    }
    Ok(())
}
