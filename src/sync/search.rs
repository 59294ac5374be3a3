//! What a search everywhere finds of conversations: by the contact's name, or by the beginning or the end of their number.
//!
//! The rule: only where its searcher sees personal data. Elsewhere a whole number finds, by [`super::find`].

use crate::db::{Db, Result};
use crate::search::{PartOfNumber, Prefix, of_contacts};
use crate::staff::{Permit, Seen, may};
use crate::types::{AccountId, ConversationId, FoundConversation, LineId, Part, PhoneNumber, ShownNumber};

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    account: String,
    line: String,
    number: PhoneNumber,
    contact: Option<String>,
}

/// Conversations of contacts by a key of their own.
macro_rules! row_sql {
    ($key:literal) => {
        concat!(
            "select c.line_id, c.id as conversation_id, l.account_id, a.name as account, l.label as line, c.number, k.name as contact
             from conversation c
             join line l on l.id = c.line_id
             join account a on a.id = l.account_id
             left join contact k on k.account_id = l.account_id and k.number = c.number
             where ($3 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
               and ($4 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $7)) ",
            $key,
            "limit $8"
        )
    };
}

/// Conversations with contacts whose number ends or begins so.
///
/// # Errors
/// What the database says.
pub(crate) async fn conversations_by_number(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    part: &PartOfNumber,
    most: usize,
) -> Result<Part<FoundConversation>> {
    let Some(args) = of_contacts(permit, &part.tail, most) else { return Ok(Part::default()) };
    let mut rows: Vec<Row> = db.all(row_sql!("and c.tail >= $1 and c.tail < $2 order by c.tail, c.line_id "), args).await?;
    let is_of_all = permit.scope().everywhere && permit.sight().everywhere;
    for head in &part.heads {
        let Some(args) = of_contacts(permit, head, most) else { continue };
        let more: Vec<Row> = if is_of_all {
            db.all(row_sql!("and c.number >= $1 and c.number < $2 order by c.number, c.line_id "), args).await?
        } else {
            // Very many numbers begin alike: for whoever looks after named accounts, each of their lines' own are walked. What holds on
            // some accounts alone names them.
            db.all(
                "select c.line_id, c.id as conversation_id, l.account_id, a.name as account, l.label as line, c.number, k.name as contact
                 from line l
                 cross join conversation c
                 join account a on a.id = l.account_id
                 left join contact k on k.account_id = l.account_id and k.number = c.number
                 where c.line_id = l.id and c.number >= $1 and c.number < $2
                   and l.account_id in (select account_id from staff_scope where staff_id = $5 and permission in ($6, $7))
                   and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
                   and ($4 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $7))
                 order by l.account_id, l.number, c.number
                 limit $8",
                args,
            )
            .await?
        };
        for row in more {
            if rows.iter().all(|of| of.conversation_id != row.conversation_id) {
                rows.push(row);
            }
        }
    }
    Ok(shown(permit, rows, most))
}

/// Conversations with contacts whose name begins so.
///
/// # Errors
/// What the database says.
pub(crate) async fn conversations_by_name(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    name: &Prefix,
    most: usize,
) -> Result<Part<FoundConversation>> {
    let Some(args) = of_contacts(permit, name, most) else { return Ok(Part::default()) };
    let rows: Vec<Row> = db
        .all(
            "select c.line_id, c.id as conversation_id, l.account_id, a.name as account, l.label as line, c.number, k.name as contact
             from contact k
             join conversation c on c.tail = k.tail
             join line l on l.id = c.line_id and l.account_id = k.account_id
             join account a on a.id = k.account_id
             where k.search >= $1 and k.search < $2
               and ($3 or k.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
               and ($4 or k.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $7))
             order by k.search, k.account_id, k.number, c.line_id
             limit $8",
            args,
        )
        .await?;
    Ok(shown(permit, rows, most))
}

fn shown(permit: &Permit<may::SeeMessages>, rows: Vec<Row>, most: usize) -> Part<FoundConversation> {
    let part = Part::of(rows, most);
    for row in &part.rows {
        permit.saw(Seen::Found(row.account_id, row.line_id, row.conversation_id));
    }
    let of = |row: Row| FoundConversation {
        line_id: row.line_id,
        conversation_id: row.conversation_id,
        account: row.account,
        line: row.line,
        number: ShownNumber::Whole(row.number),
        contact: row.contact,
    };
    Part { rows: part.rows.into_iter().map(of).collect(), is_cut: part.is_cut }
}
