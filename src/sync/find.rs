//! Finding a conversation by its contact's number or, on one line, by how their name begins.
//!
//! The rule: what is searched for is neither in a URL nor kept: the search leaves only what it found, for the page that shows
//! it. Who may not see numbers finds by a whole one alone, so many times in a while, and each of those searches is in the audit.

use crate::clock::Now;
use crate::db::{Db, Result, json, one_more};
use crate::search::Prefix;
use crate::secret::Keyring;
use crate::staff::throttle::{Subject, take};
use crate::staff::{Entry, Permit, Seen, may, record, sealed_number};
use crate::types::{
    AccountId, AuditOutcome, ConversationId, FoundRow, LineId, Part, Permission, PhoneNumber, Problem, SearchId, ShownNumber, Timestamp,
};
use std::time::Duration;

/// What a search shows, at most. One more is looked for and kept, which says that there are more.
const MOST_FOUND: usize = 50;
/// So many searches within [`WINDOW`] are open to who may not see numbers.
const MOST_SEARCHES: i64 = 20;
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// A search can be looked at again for so long.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// Fewer digits say nothing.
const FEWEST_DIGITS: usize = 3;
/// More of a name, or of a number, is not looked at.
const LONGEST: usize = 200;

/// How the name of a contact begins, as the column that is searched has it.
fn begin_of(name: &str) -> Prefix {
    Prefix::of(&name.trim().to_lowercase().chars().take(LONGEST).collect::<String>())
}

/// Looks for conversations with this contact. Within a line that its searcher sees personal data of, part of the number is enough, or the
/// beginning of the name that the account knows them by.
///
/// # Errors
/// `Invalid` for what is no number, `TooMany` for who may not see numbers and has searched too often.
pub async fn find(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::SeeMessages>,
    line: Option<LineId>,
    number: &str,
) -> Result<SearchId, Problem> {
    let (scope, sight, at, id) = (permit.scope(), permit.sight(), now.at(), SearchId(now.id()));
    let sees = match line {
        Some(line) if sight.somewhere && !sight.everywhere => {
            let (sees,): (bool,) = db
                .one(
                    "select count(*) > 0 from line l
                     where l.id = $1 and l.account_id in
                       (select account_id from staff_scope where staff_id = $2 and permission = $3)",
                    (line, scope.staff, sight.permission),
                )
                .await?;
            sees
        }
        _ => sight.everywhere,
    };
    let digits: String = number.chars().filter(char::is_ascii_digit).take(LONGEST).collect();
    let name = line.filter(|_| sees && number.chars().any(char::is_alphabetic)).map(|line| (line, begin_of(number)));
    let (whole, part) = match (PhoneNumber::parse(number), line) {
        _ if name.is_some() => (None, None),
        (_, Some(_)) if sees && digits.len() >= FEWEST_DIGITS => (None, Some(format!("%{digits}%"))),
        (Ok(number), _) => (Some(number), None),
        (Err(_), Some(_)) if sees => return Err(Problem::invalid("number", "Write at least three digits of the number.")),
        (Err(_), _) => return Err(Problem::invalid("number", "Write the whole number, as in +1 202 555 0143.")),
    };
    let most = one_more(MOST_FOUND);
    let found: Vec<(LineId, ConversationId, AccountId)> = match (name, whole.clone(), part) {
        (Some((line, name)), ..) => {
            db.all(
                "select c.line_id, c.id, l.account_id
                 from line l
                 join contact k on k.account_id = l.account_id
                 join conversation c on c.line_id = l.id and c.number = k.number
                 where l.id = $1 and k.search >= $2 and k.search < $3
                   and ($4 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
                 order by k.search, k.number
                 limit $7",
                (line, name.from, name.to, scope.everywhere, scope.staff, scope.permission, most),
            )
            .await?
        }
        (None, Some(number), _) => {
            db.all(
                "select c.line_id, c.id, l.account_id
                 from conversation c
                 join line l on l.id = c.line_id
                 where c.tail = $1 and (c.line_id = $2 or $2 is null)
                   and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
                 order by c.last_at desc, c.id desc
                 limit $6",
                (number.expose().chars().rev().collect::<String>(), line, scope.everywhere, scope.staff, scope.permission, most),
            )
            .await?
        }
        (None, None, part) => {
            db.all(
                "select c.line_id, c.id, l.account_id
                 from conversation c
                 join line l on l.id = c.line_id
                 where c.line_id = $1 and c.number like $2
                   and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
                 order by c.last_at desc, c.id desc
                 limit $6",
                (line, part.unwrap_or_default(), scope.everywhere, scope.staff, scope.permission, most),
            )
            .await?
        }
    };
    let searched = db
        .work(async |tx| {
            if !sees {
                let mut searches = [Subject::within(WINDOW, &format!("search {}", scope.staff), MOST_SEARCHES)];
                if !take(tx, now, &mut searches).await? {
                    return Ok(false);
                }
                let subject_id = if let [(_, conversation, _)] = found[..] { Some(conversation.0) } else { None };
                let entry =
                    Entry { action: "conversation.find", outcome: AuditOutcome::Seen, line_id: line, subject_id, ..Entry::default() };
                // Of whom nothing is found, nothing is kept either.
                let sealed = match (&whole, found.first()) {
                    (Some(number), Some((.., account))) => sealed_number(tx, now, keys, *account, number).await?,
                    _ => None,
                };
                let asked = serde_json::json!({ "found": found.len().min(MOST_FOUND), "number_sealed": sealed });
                record(tx, now, permit.actor(), entry.change((), asked)).await?;
            }
            let kept: Vec<_> = found.iter().map(|(line, conversation, _)| (line, conversation)).collect();
            tx.run("insert into number_search (staff_id, id, at, found) values ($1, $2, $3, $4)", (scope.staff, id, at, json(&kept)))
                .await?;
            Ok::<_, crate::db::Error>(true)
        })
        .await?;
    if !searched {
        permit.lacked(Permission::SeePersonalData);
        return Err(Problem::too_many(
            "You have searched for many numbers. Wait ten minutes, or ask an administrator for the permission to see whole numbers.",
        ));
    }
    Ok(id)
}

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    account: String,
    line: String,
    number: PhoneNumber,
    sees: bool,
    contact: Option<String>,
    last_at: Timestamp,
}

/// What a search of one's own found, as JSON: line and conversation of each, as many as are shown.
pub(super) async fn kept(db: &Db, now: &Now, permit: &Permit<may::SeeMessages>, search: SearchId) -> Result<String, Problem> {
    Ok(json(&all_kept(db, now, permit, search).await?.rows))
}

/// Whether a search of one's own found more than is shown.
///
/// # Errors
/// `NotFound` when it was an hour ago, or somebody else's.
pub async fn found_more(db: &Db, now: &Now, permit: &Permit<may::SeeMessages>, search: SearchId) -> Result<bool, Problem> {
    Ok(all_kept(db, now, permit, search).await?.is_cut)
}

async fn all_kept(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SeeMessages>,
    search: SearchId,
) -> Result<Part<(LineId, ConversationId)>, Problem> {
    let since = now.at().minus(KEPT);
    let kept: Option<(String,)> = db
        .opt("select found from number_search where staff_id = $1 and id = $2 and at > $3", (permit.scope().staff, search, since))
        .await?;
    let found: Option<Vec<(LineId, ConversationId)>> = kept.and_then(|(list,)| serde_json::from_str(&list).ok());
    let found = found.ok_or_else(|| Problem::not_found("This search was too long ago. Search again."))?;
    Ok(Part::of(found, MOST_FOUND))
}

/// What a search of one's own found, the newest first.
///
/// # Errors
/// `NotFound` when it was an hour ago, or somebody else's.
pub async fn found(db: &Db, now: &Now, permit: &Permit<may::SeeMessages>, search: SearchId) -> Result<Part<FoundRow>, Problem> {
    let (scope, kept) = (permit.scope(), all_kept(db, now, permit, search).await?);
    let list = json(&kept.rows);
    let rows: Vec<Row> = db
        .all(
            "select c.line_id, c.id as conversation_id, l.account_id, a.name as account, l.label as line, c.number, k.name as contact, c.last_at,
               coalesce($5 or l.account_id in
                 (select account_id from staff_scope where staff_id = $3 and permission = $6), false) as sees
             from json_each($1) j
             join conversation c on c.line_id = unhex(j.value->>0, '-') and c.id = unhex(j.value->>1, '-')
             join line l on l.id = c.line_id
             join account a on a.id = l.account_id
             left join contact k on k.account_id = l.account_id and k.number = c.number
             where $2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4)
             order by c.last_at desc, c.id desc",
            (list, scope.everywhere, scope.staff, scope.permission, permit.sight().everywhere, permit.sight().permission),
        )
        .await?;
    for row in rows.iter().filter(|row| row.sees) {
        permit.saw(Seen::Found(row.account_id, row.line_id, row.conversation_id));
    }
    let shown = |row: Row| FoundRow {
        line_id: row.line_id,
        conversation_id: row.conversation_id,
        account_id: row.account_id,
        account: row.account,
        line: row.line,
        number: ShownNumber::of(row.number, row.sees),
        contact: row.contact.filter(|_| row.sees),
        last_at: row.last_at,
    };
    Ok(Part { rows: rows.into_iter().map(shown).collect(), is_cut: kept.is_cut })
}

/// Forgets searches that nobody can look at any more.
///
/// # Errors
/// What the database says.
pub async fn forget_old_searches(db: &Db, now: &Now) -> Result<u64> {
    let before = now.at().minus(KEPT);
    db.work(async |tx| tx.run("delete from number_search where at <= $1", [before]).await).await
}
