//! What a transfer of a line does to the tables that hang on it: the words for it, and this room's own entries.
//!
//! Everything that a line owns is on one list, made of the entries of the rooms that own the tables; a test reads the schema and fails when
//! a table with `line_id` is on none. To add one: an entry in its room's list and, if it has `account_id`, its [`Moving`].

mod contacts;

pub(crate) use contacts::{Contacts, WayBack, contacts_of, move_contacts, move_contacts_alone, restore_contacts};

use crate::clock::Now;
use crate::db::{Result, Sql, Tx, json};
use crate::types::{AccountId, Change, LineId, ResponderId, RunId, UserId};
use serde::{Deserialize, Serialize};

/// What becomes of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Their `account_id` follows in batches, and is recounted.
    Moves,
    /// They belong to the line by their key and name no account.
    Follows,
    /// A step of their own sees to them.
    Settles,
    /// They tell what was, and stay as they are.
    Stays,
}

/// A table of a line.
#[derive(Debug, Clone, Copy)]
pub struct LineTable {
    /// Its name.
    pub table: &'static str,
    /// What becomes of its rows.
    pub fate: Fate,
    /// The same in words.
    pub how: &'static str,
}

/// How a table's rows move, in ranges of its key.
#[derive(Debug, Clone, Copy)]
pub struct Moving {
    /// The table, which is also the step's word.
    pub table: &'static str,
    /// As staff call its rows.
    pub title: &'static str,
    /// The step that recounts it.
    pub check: &'static str,
    /// The key before the first one.
    pub first: &'static str,
    /// The last key that there can be; `None` where keys are ids that tell their time.
    pub last: Option<&'static str>,
    /// What [`Moving::range`] reads of a row never changes while a line moves, so that it is recounted at the end; else it is compared at
    /// once.
    pub is_settled: bool,
    /// What [`Moving::range`] reads of rows of before the flip never changes, though others are added meanwhile: it is compared at the end,
    /// too.
    pub keeps_its_past: bool,
    /// Of line `$1`, the rows behind key `$2` up to key `$3`, at most `$5`: how many, the last key, how many are not of account `$4`, and
    /// what they hold, as one text.
    pub range: Sql,
    /// Gives the rows of line `$1` behind key `$2` up to key `$3` to account `$4`.
    pub give: &'static str,
}

/// How a table moves whose key behind the line is an id, or a text. `holds` is what a row holds, as one text on both engines. PostgreSQL sums
/// it up where the rows are; SQLite has nothing to do that with.
macro_rules! moving {
    (id $table:literal, $title:literal, key $key:literal, settled $settled:literal, holds $holds:literal) => {
        moving!(@ $table, $title, $key, $settled, $holds, "00000000000000000000000000000000", None,
            "unhex($2, '-')", "unhex($3, '-')", "nullif(lower(hex(max(k))), '')", "max(k::text)")
    };
    (text $table:literal, $title:literal, key $key:literal, settled $settled:literal, holds $holds:literal) => {
        moving!(@ $table, $title, $key, $settled, $holds, "", Some("~"), "$2", "$3", "max(k)", "max(k)")
    };
    (@ $table:literal, $title:literal, $key:literal, $settled:literal, $holds:literal, $first:literal, $last:expr,
        $behind:literal, $up_to:literal, $sqlite:literal, $postgres:literal) => {
        $crate::directory::transfer::Moving {
            table: $table,
            title: $title,
            check: concat!("check_", $table),
            first: $first,
            last: $last,
            is_settled: $settled,
            keeps_its_past: false,
            range: $crate::db::Sql {
                sqlite: concat!(
                    "select count(*) as found, ", $sqlite, " as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                       cast(coalesce(group_concat(holds, char(10)), '') as blob) as content
                     from (select ", $key, " as k, account_id <> $4 as other, ", $holds, " as holds
                           from ", $table, "
                           where line_id = $1 and ", $key, " > ", $behind, " and ", $key, " <= ", $up_to, "
                           order by ", $key, "
                           limit $5)"
                ),
                postgres: concat!(
                    "select count(*) as found, ", $postgres, " as up_to, cast(coalesce(sum(other), 0) as bigint) as others,
                       sha256(convert_to(coalesce(string_agg(holds, chr(10) order by k), ''), 'UTF8')) as content
                     from (select ", $key, " as k, case when account_id <> $4 then 1 else 0 end as other, ", $holds, " as holds
                           from ", $table, "
                           where line_id = $1 and ", $key, " > ", $behind, " and ", $key, " <= ", $up_to, "
                           order by ", $key, "
                           limit $5) r"
                ),
            },
            give: concat!(
                "update ", $table, " set account_id = $4
                 where line_id = $1 and ", $key, " > ", $behind, " and ", $key, " <= ", $up_to, " and account_id <> $4"
            ),
        }
    };
}
pub(crate) use moving;

/// The directory's entries.
pub const TABLES: &[LineTable] = &[
    LineTable { table: "line_user", fate: Fate::Settles, how: "dropped, or kept for people whom the new account knows by e-mail address" },
    LineTable { table: "responder", fate: Fate::Settles, how: "moved along, or dropped" },
    LineTable { table: "line_digits", fate: Fate::Follows, how: "what the line's number is found by is the line's" },
    LineTable { table: "finding_aside", fate: Fate::Follows, how: "what was set aside of the line comes back with another owner" },
    LineTable { table: "retention_mark", fate: Fate::Follows, how: "how far a line is worked off is the line's" },
];

/// The line gets another owner, and says by which run; `None` when it is not as it was planned any more. One that is half way belongs to
/// the run `instead_of`, which is being taken back.
///
/// # Errors
/// What the database says.
pub(crate) async fn flip(
    tx: &mut Tx,
    line: LineId,
    (from, to): (AccountId, AccountId),
    run: RunId,
    version: i64,
    instead_of: Option<RunId>,
) -> Result<Option<String>> {
    let flipped: Option<(String,)> = tx
        .opt(
            "update line set account_id = $3, transfer_id = $4, version = version + 1
             where id = $1 and account_id = $2 and version = $5 and (transfer_id is null or transfer_id = $6)
             returning label",
            (line, from, to, run, version, instead_of),
        )
        .await?;
    let Some((label,)) = flipped else { return Ok(None) };
    let (name,): (String,) = tx.one("select name from account where id = $1", [to]).await?;
    tx.run("update line set search = $2 where id = $1", (line, super::lines::search_text(&label, &name))).await?;
    tx.tell(Change::Line { account_id: from, line_id: line });
    tx.tell(Change::Line { account_id: to, line_id: line });
    Ok(Some(label))
}

/// Share-locked on PostgreSQL: a flip waits, what comes in does not.
const RESTS: Sql = Sql {
    sqlite: "select id from line where id = $1 and account_id = $2 and transfer_id is null",
    postgres: "select id from line where id = $1 and account_id = $2 and transfer_id is null for share",
};

/// Whether the line is this account's and is not being transferred, until the transaction ends.
///
/// # Errors
/// What the database says.
pub(crate) async fn rests_with(tx: &mut Tx, line: LineId, account: AccountId) -> Result<bool> {
    let found: Option<(LineId,)> = tx.opt(RESTS, (line, account)).await?;
    Ok(found.is_some())
}

/// The line is whole with its new account.
///
/// # Errors
/// What the database says.
pub(crate) async fn open(tx: &mut Tx, line: LineId, account: AccountId, run: RunId) -> Result<()> {
    tx.run("update line set transfer_id = null, version = version + 1 where id = $1 and transfer_id = $2", (line, run)).await?;
    tx.tell(Change::Line { account_id: account, line_id: line });
    tx.tell(Change::OutboxDue);
    Ok(())
}

/// Who had access, and who was given it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) dropped: Vec<UserId>,
    pub(crate) given: Vec<UserId>,
}

/// People of other accounts lose access; `keep` gives it to those of the new account with the same e-mail address.
///
/// # Errors
/// What the database says.
pub(crate) async fn settle_access(tx: &mut Tx, now: &Now, line: LineId, account: AccountId, keep: bool) -> Result<Access> {
    let mut access = Access::default();
    if keep {
        let given: Vec<(UserId,)> = tx
            .all(
                "insert into line_user (line_id, user_id)
                 select distinct lu.line_id, n.id
                 from line_user lu
                 join account_user o on o.id = lu.user_id and o.account_id <> $2
                 join account_user n on n.account_id = $2 and lower(n.email) = lower(o.email) and n.closed_at is null
                 where lu.line_id = $1
                 on conflict do nothing
                 returning user_id",
                (line, account),
            )
            .await?;
        access.given = given.into_iter().map(|(id,)| id).collect();
    }
    let dropped: Vec<(UserId,)> = tx
        .all(
            "delete from line_user
             where line_id = $1 and user_id in (
               select u.id from line_user lu join account_user u on u.id = lu.user_id where lu.line_id = $1 and u.account_id <> $2)
             returning user_id",
            (line, account),
        )
        .await?;
    access.dropped = dropped.into_iter().map(|(id,)| id).collect();
    crate::sync::access_changed(tx, now.at(), line).await?;
    Ok(access)
}

/// Gives access back as it was, to those who still are there. Says who of them has it now.
///
/// # Errors
/// What the database says.
pub(crate) async fn restore_access(tx: &mut Tx, now: &Now, line: LineId, was: &Access) -> Result<Vec<UserId>> {
    let list = |ids: &[UserId]| json(&ids.iter().map(|id| [*id]).collect::<Vec<_>>());
    tx.run(
        "insert into line_user (line_id, user_id)
         select $1, u.id from json_each($2) j join account_user u on u.id = unhex(j.value->>0, '-') and u.closed_at is null
         where true
         on conflict do nothing",
        (line, list(&was.dropped)),
    )
    .await?;
    let have: Vec<(UserId,)> = tx
        .all(
            "select user_id from line_user
             where line_id = $1 and user_id in (select unhex(j.value->>0, '-') from json_each($2) j)",
            (line, list(&was.dropped)),
        )
        .await?;
    crate::sync::access_changed(tx, now.at(), line).await?;
    Ok(have.into_iter().map(|(id,)| id).collect())
}

/// An automatic reply that was dropped.
#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Dropped {
    pub(crate) id: ResponderId,
    pub(crate) keyword: String,
    pub(crate) reply: String,
}

/// Drops a line's automatic replies.
///
/// # Errors
/// What the database says.
pub(crate) async fn drop_responders(tx: &mut Tx, line: LineId) -> Result<Vec<Dropped>> {
    tx.all("delete from responder where line_id = $1 returning id, keyword, reply", [line]).await
}

/// Brings automatic replies back; words that were given a new answer meanwhile keep it. Says which are back.
///
/// # Errors
/// What the database says.
pub(crate) async fn restore_responders(tx: &mut Tx, line: LineId, dropped: &[Dropped]) -> Result<Vec<ResponderId>> {
    let rows: Vec<_> = dropped.iter().map(|r| (r.id, &r.keyword, &r.reply)).collect();
    tx.run(
        "insert into responder (line_id, id, keyword, reply)
         select $1, unhex(j.value->>0, '-'), j.value->>1, j.value->>2 from json_each($2) j
         where true
         on conflict do nothing",
        (line, json(&rows)),
    )
    .await?;
    let back: Vec<(ResponderId,)> = tx
        .all(
            "select id from responder
             where line_id = $1 and id in (select unhex(j.value->>0, '-') from json_each($2) j)",
            (line, json(&rows)),
        )
        .await?;
    Ok(back.into_iter().map(|(id,)| id).collect())
}
