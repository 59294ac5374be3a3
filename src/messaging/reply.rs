//! A reply as the line, which staff write in the console.
//!
//! The rule: the form's token is the request's key, written with the message: the same form sent twice sends once.

use super::{idempotency, inbound, outbound};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::staff::{Entry, Permit, may, record};
use crate::sync;
use crate::types::{AccountId, Closed, ConversationId, IntegrationType, LineId, Origin, PhoneNumber, Problem};
use uuid::Uuid;

/// Sends `text` to the contact of a conversation, as its line; `token` is the form's.
///
/// # Errors
/// `NotFound` outside the permit's scope; `Invalid` for a bad text; `Conflict` when the contact has opted out, the line is set to None or
/// closed, or the form has sent another text already.
pub async fn as_line(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SendMessages>,
    (line, id): (LineId, ConversationId),
    token: Uuid,
    text: &str,
) -> Result<(), Problem> {
    let (scope, text) = (permit.scope(), outbound::body(text)?);
    let answer = db
        .work(async |tx| {
            let found: Option<(AccountId, PhoneNumber)> = tx
                .opt(
                    "select l.account_id, c.number
                     from conversation c
                     join line l on l.id = c.line_id
                     where c.line_id = $1 and c.id = $2
                       and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))",
                    (line, id, scope.everywhere, scope.staff, scope.permission),
                )
                .await?;
            let (account, number) = found.ok_or_else(sync::no_such_conversation)?;
            let key = format!("console {} {token}", scope.staff);
            let request = idempotency::Request::new(account, &key, "reply", &id.to_string(), text.as_bytes())?;
            idempotency::once(tx, now, Some(&request), async |tx| {
                let route = outbound::sender(tx, account, line).await?;
                refuse_none(&route)?;
                let (message, _) = outbound::send_from(tx, now, &route, &number, text, Origin::Staff).await?;
                let entry = Entry {
                    action: "conversation.reply",
                    account_id: Some(account),
                    line_id: Some(line),
                    subject_id: Some(id.0),
                    ..Entry::default()
                };
                record(tx, now, permit.actor(), entry.change((), serde_json::json!({ "message": message }))).await?;
                Ok(idempotency::Answer { status: 200, body: String::new() })
            })
            .await
        })
        .await;
    match answer {
        Err(Problem::Invalid { field, .. }) if field == "Idempotency-Key" => Err(Problem::conflict(
            "This form has sent another text already. Look at the conversation, reload the page, discard the draft, and write again.",
        )),
        other => other.map(|_| ()),
    }
}

/// What is closed, so that a reply from this line would be refused; nothing for a line that is open.
///
/// # Errors
/// `NotFound` when it is not there or not within the permit's scope.
pub async fn closed(db: &Db, permit: &Permit<may::SeeMessages>, line: LineId) -> Result<Option<Closed>, Problem> {
    let scope = permit.scope();
    let found: Option<(bool, bool)> = db
        .opt(
            "select l.closed_at is not null, a.closed_at is not null
             from line l
             join account a on a.id = l.account_id
             where l.id = $1
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let (line, account) = found.ok_or_else(sync::no_such_conversation)?;
    Ok(Closed::of(line, account))
}

fn refuse_none(route: &inbound::Route) -> Result<(), Problem> {
    if route.integration_type == IntegrationType::None {
        return Err(Problem::conflict(
            "The line is set to None: it sends blasts and has no conversations, so a reply to yours would be seen by nobody. Set it to Inbox or RingCentral first.",
        ));
    }
    Ok(())
}
