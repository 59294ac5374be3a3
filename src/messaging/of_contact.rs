//! A contact on the lines of their account: conversations, and what they agreed to.

use crate::db::{Db, Result};
use crate::directory::contacts;
use crate::staff::{Permit, may};
use crate::types::{ConsentState, ContactId, ContactLine, ConversationId, LineId, PhoneNumber, Problem, Timestamp};

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    line: String,
    line_number: PhoneNumber,
    conversation: Option<ConversationId>,
    last_at: Option<Timestamp>,
    consent: Option<ConsentState>,
}

/// The lines of a contact's account, first those that have texted with them or hold their consent: consent is of each line by itself, and
/// may be set before anything was written. It tells no number of the contact.
///
/// # Errors
/// `NotFound` when the contact is not there or not within the permit's scope.
pub async fn lines_of_contact(db: &Db, permit: &Permit<may::SeeMessages>, id: ContactId) -> Result<Vec<ContactLine>, Problem> {
    let scope = permit.scope();
    let found = contacts::number_of(db, id).await?;
    let (account, number) = found.ok_or_else(contacts::no_such_contact)?;
    let rows: Vec<Row> = db
        .all(
            "select l.id as line_id, l.label as line, l.number as line_number, c.id as conversation, c.last_at, o.state as consent
             from line l
             left join conversation c on c.line_id = l.id and c.number = $2
             left join consent o on o.line_id = l.id and o.number = $2
             where l.account_id = $1 and (l.closed_at is null or c.id is not null or o.state is not null)
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             order by case when c.id is null and o.state is null then 1 else 0 end, l.number
             limit 500",
            (account, number, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let shown = |row: Row| ContactLine {
        line_id: row.line_id,
        line: row.line,
        line_number: row.line_number,
        conversation: row.conversation.zip(row.last_at),
        consent: row.consent,
    };
    Ok(rows.into_iter().map(shown).collect())
}
