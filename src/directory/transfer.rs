//! What a transfer of a line does to the tables that hang on it: the words for it, and this room's own entries.
//!
//! Everything that a line owns is on one list, made of the entries of the rooms that own the tables; a test reads the schema and fails when
//! a table with `line_id` is on none. To add one: an entry in its room's list and, if it has `account_id`, its [`Moving`].

use crate::clock::Now;
use crate::db::{Result, Sql, Tx};
use crate::messaging::inbound::json;
use crate::types::{AccountId, Change, ConversationId, LineId, ResponderId, RunId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

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

/// Gives access back as it was, to those who still are there.
///
/// # Errors
/// What the database says.
pub(crate) async fn restore_access(tx: &mut Tx, now: &Now, line: LineId, was: &Access) -> Result<()> {
    let list = |ids: &[UserId]| json(&ids.iter().map(|id| [*id]).collect::<Vec<_>>());
    tx.run(
        "insert into line_user (line_id, user_id)
         select $1, u.id from json_each($2) j join account_user u on u.id = unhex(j.value->>0, '-') and u.closed_at is null
         where true
         on conflict do nothing",
        (line, list(&was.dropped)),
    )
    .await?;
    crate::sync::access_changed(tx, now.at(), line).await
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

/// Brings automatic replies back; words that were given a new answer meanwhile keep it. Says how many came back.
///
/// # Errors
/// What the database says.
pub(crate) async fn restore_responders(tx: &mut Tx, line: LineId, dropped: &[Dropped]) -> Result<u64> {
    let rows: Vec<_> = dropped.iter().map(|r| (r.id, &r.keyword, &r.reply)).collect();
    tx.run(
        "insert into responder (line_id, id, keyword, reply)
         select $1, unhex(j.value->>0, '-'), j.value->>1, j.value->>2 from json_each($2) j
         where true
         on conflict do nothing",
        (line, json(&rows)),
    )
    .await
}

/// What became of contacts, by the conversations that lead to them: their numbers stand nowhere else.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Contacts {
    /// Made in the new account.
    pub(crate) made: Vec<ConversationId>,
    /// Known there: the name and the note that it had, and those it has now.
    pub(crate) merged: Vec<Merged>,
    /// What the old account gave of each of these; nothing in records of before this was kept.
    #[serde(default)]
    pub(crate) given: Vec<Given>,
    /// Closed in the old account, which has no other use for them.
    pub(crate) closed: Vec<ConversationId>,
}

/// A contact that two accounts knew: name, note, whether it was closed and when; and name and note since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Merged {
    pub(crate) conversation: ConversationId,
    pub(crate) before: (String, String, bool),
    #[serde(default)]
    pub(crate) closed_at: Option<Timestamp>,
    pub(crate) after: (String, String),
}

/// The name and the note that an account gave of a contact, as digests: they tell whether it was edited there since, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) conversation: ConversationId,
    pub(crate) name: String,
    pub(crate) note: String,
}

impl Given {
    fn of(conversation: ConversationId, name: &str, note: &str) -> Self {
        Self { conversation, name: digest(conversation, name), note: digest(conversation, note) }
    }
}

fn digest(conversation: ConversationId, text: &str) -> String {
    let hash = Sha256::new().chain_update(conversation.0.as_bytes()).chain_update(text).finalize();
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(sqlx::FromRow)]
struct Pair {
    id: ConversationId,
    number: String,
    name: String,
    note: String,
    closed: bool,
    their_name: Option<String>,
    their_note: Option<String>,
    they_closed_at: Option<Timestamp>,
    elsewhere: bool,
}

/// Two notes as one: what both say is said once.
fn joined(theirs: &str, ours: &str) -> String {
    if ours.is_empty() || theirs.contains(ours) {
        theirs.to_owned()
    } else if theirs.is_empty() {
        ours.to_owned()
    } else {
        format!("{theirs}\n{ours}")
    }
}

/// What [`joined`] made of `theirs` and another note, without `theirs`: `None` when nobody can tell the two apart any more.
fn without<'a>(joined: &'a str, theirs: &str) -> Option<&'a str> {
    match joined.strip_prefix(theirs)? {
        rest if theirs.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('\n'),
    }
}

/// Brings the contacts of some conversations, given with their numbers, from one account to the other: matched by number, else made; the
/// other account's name stays, notes are joined. One that the first account's other lines neither text with nor know the consent of is
/// closed there.
///
/// # Errors
/// What the database says.
pub(crate) async fn move_contacts(
    tx: &mut Tx,
    now: &Now,
    line: LineId,
    (from, to): (AccountId, AccountId),
    conversations: &[ConversationId],
) -> Result<Contacts> {
    let mut done = Contacts::default();
    let ids: Vec<[ConversationId; 1]> = conversations.iter().map(|id| [*id]).collect();
    let pairs: Vec<Pair> = tx
        .all(
            "select c.id, c.number, k.name, k.note, k.closed_at is not null as closed, t.name as their_name, t.note as their_note,
               t.closed_at as they_closed_at,
               exists (select 1 from conversation o join line l on l.id = o.line_id and l.account_id = $2
                       where o.number = c.number and o.line_id <> $1)
                 or exists (select 1 from line l
                            where l.account_id = $2 and l.id <> $1
                              and (exists (select 1 from consent s where s.line_id = l.id and s.number = c.number)
                                or exists (select 1 from message m
                                           where m.line_id = l.id and m.number = c.number and m.conversation_id is null))) as elsewhere
             from conversation c
             join contact k on k.account_id = $2 and k.number = c.number
             left join contact t on t.account_id = $3 and t.number = c.number
             where c.line_id = $1 and c.id in (select unhex(j.value->>0, '-') from json_each($4) j)
             order by c.number",
            (line, from, to, json(&ids)),
        )
        .await?;
    let (mut rows, mut closing) = (Vec::new(), Vec::new());
    for pair in &pairs {
        // A closed one was left behind before: there is nothing of it to bring.
        if !pair.closed {
            match (&pair.their_name, &pair.their_note) {
                (Some(name), Some(note)) => {
                    let after = (if name.is_empty() { pair.name.clone() } else { name.clone() }, joined(note, &pair.note));
                    if pair.they_closed_at.is_some() || after != (name.clone(), note.clone()) {
                        let before = (name.clone(), note.clone(), pair.they_closed_at.is_some());
                        done.merged.push(Merged { conversation: pair.id, before, closed_at: pair.they_closed_at, after: after.clone() });
                        done.given.push(Given::of(pair.id, &pair.name, &pair.note));
                        let search = after.0.to_lowercase();
                        rows.push((pair.number.clone(), after.0, after.1, search, now.id()));
                    }
                }
                _ => {
                    done.made.push(pair.id);
                    done.given.push(Given::of(pair.id, &pair.name, &pair.note));
                    rows.push((pair.number.clone(), pair.name.clone(), pair.note.clone(), pair.name.to_lowercase(), now.id()));
                }
            }
            if !pair.elsewhere {
                done.closed.push(pair.id);
                closing.push([pair.number.clone()]);
            }
        }
    }
    tx.run(
        "insert into contact (account_id, number, name, note, search, id)
         select $1, j.value->>0, j.value->>1, j.value->>2, j.value->>3, unhex(j.value->>4, '-') from json_each($2) j
         where true
         on conflict (account_id, number) do update
         set name = excluded.name, note = excluded.note, search = excluded.search, version = contact.version + 1, closed_at = null",
        (to, json(&rows)),
    )
    .await?;
    tx.run(
        "update contact set closed_at = $3 where account_id = $1 and number in (select j.value->>0 from json_each($2) j)",
        (from, json(&closing), now.at()),
    )
    .await?;
    Ok(done)
}

/// A contact as two accounts know it now: the one that is left, and the one that it goes back to.
#[derive(sqlx::FromRow)]
struct Standing {
    id: ConversationId,
    number: String,
    name: String,
    note: String,
    own_name: String,
    own_note: String,
}

impl Standing {
    /// Whether the account that it goes back to has edited name and note since it gave them; where that was not kept, it may have.
    fn own_edits(&self, given: Option<&Given>) -> (bool, bool) {
        given.map_or((true, true), |given| (digest(self.id, &self.own_name) != given.name, digest(self.id, &self.own_note) != given.note))
    }

    /// Name and note that the account gets back of one that was made of its own, and whether the copy was edited: of a field that both
    /// have edited its own name stays, and notes are joined.
    fn made(&self, given: Option<&Given>) -> ((String, String), bool) {
        let (own_name, own_note) = self.own_edits(given);
        let (name, note) = match given {
            Some(given) => (digest(self.id, &self.name) != given.name, digest(self.id, &self.note) != given.note),
            None => (self.name != self.own_name, self.note != self.own_note),
        };
        let named = if name && (!own_name || self.own_name.is_empty()) { &self.name } else { &self.own_name };
        let noted = match (note, own_note) {
            (false, _) => self.own_note.clone(),
            (true, false) => self.note.clone(),
            (true, true) => joined(&self.own_note, &self.note),
        };
        ((named.clone(), noted), name || note)
    }

    /// The same of one that was merged and edited. What the other account knew of it before is none of this one's business: a note in
    /// which that cannot be told apart stays there.
    fn merged(&self, given: Option<&Given>, merged: &Merged) -> (String, String) {
        let own_name = given.is_some() && self.own_edits(given).0;
        let name = if self.name != merged.after.0 && !own_name { &self.name } else { &self.own_name };
        let was = without(&merged.after.1, &merged.before.1).unwrap_or_default();
        let note = match without(&self.note, &merged.before.1) {
            Some(is) if is == was || is.is_empty() => self.own_note.clone(),
            Some(is) if self.own_note == was => is.to_owned(),
            Some(is) => joined(&self.own_note, is),
            None => self.own_note.clone(),
        };
        (name.clone(), note)
    }
}

/// Takes [`move_contacts`] back: `to` is the account that had them first. Who was edited since keeps the edit, whichever account made it;
/// says how many.
///
/// # Errors
/// What the database says.
pub(crate) async fn restore_contacts(
    tx: &mut Tx,
    now: &Now,
    line: LineId,
    (from, to): (AccountId, AccountId),
    was: &Contacts,
) -> Result<i64> {
    let ids = |list: &[ConversationId]| json(&list.iter().map(|id| [*id]).collect::<Vec<_>>());
    let mut edited = 0;
    let all: Vec<ConversationId> = was.made.iter().copied().chain(was.merged.iter().map(|m| m.conversation)).collect();
    let merged_of: HashMap<ConversationId, &Merged> = was.merged.iter().map(|m| (m.conversation, m)).collect();
    let given_of: HashMap<ConversationId, &Given> = was.given.iter().map(|g| (g.conversation, g)).collect();
    let standing: Vec<Standing> = tx
        .all(
            "select c.id, c.number, k.name, k.note, o.name as own_name, o.note as own_note
             from conversation c
             join contact k on k.account_id = $2 and k.number = c.number
             join contact o on o.account_id = $3 and o.number = c.number
             where c.line_id = $1 and c.id in (select unhex(j.value->>0, '-') from json_each($4) j)
             order by c.number",
            (line, from, to, ids(&all)),
        )
        .await?;
    let (mut gone, mut back, mut newer) = (Vec::new(), Vec::new(), Vec::new());
    for stands in standing {
        let (merged, given) = (merged_of.get(&stands.id).copied(), given_of.get(&stands.id).copied());
        let (own, is_edited) = match merged {
            Some(merged) if (&stands.name, &stands.note) == (&merged.after.0, &merged.after.1) => {
                let (name, note, was_closed) = merged.before.clone();
                let closed_at = merged.closed_at.or_else(|| was_closed.then(|| now.at()));
                let search = name.to_lowercase();
                back.push((stands.number.clone(), name, note, closed_at, search, now.id()));
                ((stands.own_name.clone(), stands.own_note.clone()), false)
            }
            Some(merged) => (stands.merged(given, merged), true),
            None => stands.made(given),
        };
        if merged.is_none() && !is_edited {
            gone.push([stands.number.clone()]);
        }
        let own_edits = given.map_or((false, false), |given| stands.own_edits(Some(given)));
        edited += i64::from(is_edited || own_edits != (false, false));
        if (&stands.own_name, &stands.own_note) != (&own.0, &own.1) {
            let search = own.0.to_lowercase();
            newer.push((stands.number, own.0, own.1, search, now.id()));
        }
    }
    tx.run(
        "delete from contact
         where account_id = $1 and number in (select j.value->>0 from json_each($2) j)
           and not exists (select 1 from conversation c join line l on l.id = c.line_id and l.account_id = $1
                           where c.number = contact.number and c.line_id <> $3)
           and not exists (select 1 from line l
                           where l.account_id = $1 and l.id <> $3
                             and (exists (select 1 from consent s where s.line_id = l.id and s.number = contact.number)
                               or exists (select 1 from message m
                                          where m.line_id = l.id and m.number = contact.number and m.conversation_id is null)))",
        (from, json(&gone), line),
    )
    .await?;
    tx.run(
        "insert into contact (account_id, number, name, note, closed_at, search, id)
         select $1, j.value->>0, j.value->>1, j.value->>2, cast(j.value->>3 as bigint), j.value->>4, unhex(j.value->>5, '-')
         from json_each($2) j
         where true
         on conflict (account_id, number) do update
         set name = excluded.name, note = excluded.note, search = excluded.search, version = contact.version + 1,
           closed_at = coalesce(contact.closed_at, excluded.closed_at)",
        (from, json(&back)),
    )
    .await?;
    tx.run(
        "insert into contact (account_id, number, name, note, search, id)
         select $1, j.value->>0, j.value->>1, j.value->>2, j.value->>3, unhex(j.value->>4, '-') from json_each($2) j
         where true
         on conflict (account_id, number) do update
         set name = excluded.name, note = excluded.note, search = excluded.search, version = contact.version + 1",
        (to, json(&newer)),
    )
    .await?;
    tx.run(
        "update contact set closed_at = null
         where account_id = $2 and number in (
           select c.number from conversation c
           where c.line_id = $1 and c.id in (select unhex(j.value->>0, '-') from json_each($3) j))",
        (line, to, ids(&was.closed)),
    )
    .await?;
    Ok(edited)
}
