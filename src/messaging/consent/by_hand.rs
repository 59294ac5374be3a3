//! One contact's consent on one line, as staff see it and set it by hand.
//!
//! The rule: it obeys what an import obeys. An opt-out is always taken; an opt-in lifts one only when it was given later, with the reason
//! as its evidence; nothing lifts that of an erased contact.

use super::erased;
use super::import::{Outcome, Said, take_in};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::directory::{contacts, lines};
use crate::staff::{Entry, Permit, Seen, may, record};
use crate::types::{
    AccountId, Change, ConsentDetail, ConsentOf, ConsentSaid, ConsentSource, ConsentState, ConversationId, LineId, PhoneNumber, Problem,
    Timestamp,
};
use serde_json::json;
use uuid::Uuid;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

#[derive(sqlx::FromRow)]
struct Line {
    label: String,
    number: PhoneNumber,
    account_id: AccountId,
    account: String,
    sees: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    state: ConsentState,
    source: ConsentSource,
    evidence: Option<String>,
    at: Timestamp,
}

impl Row {
    fn shown(self, sees: bool) -> ConsentSaid {
        ConsentSaid { state: self.state, source: self.source, evidence: self.evidence.filter(|_| sees), at: self.at }
    }
}

fn nobody() -> Problem {
    Problem::not_found("There is no such contact on this line, or it belongs to an account that you do not look after.")
}

const OF_CONVERSATION: &str = "select number from conversation where line_id = $1 and id = $2";
const OF_MESSAGE: &str = "select number from message where line_id = $1 and id = $2";

/// The consent of a line and a contact: what holds, why, and all that was ever said.
///
/// # Errors
/// `NotFound` when the line or the contact is not there or not within the permit's scope.
pub async fn of(db: &Db, permit: &Permit<may::SeeMessages>, line: LineId, of: ConsentOf) -> Result<ConsentDetail, Problem> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let found: Option<Line> = db
        .opt(
            "select l.label, l.number, l.account_id, a.name as account,
               coalesce($5 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $6), false) as sees
             from line l
             join account a on a.id = l.account_id
             where l.id = $1
               and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission, sight.everywhere, sight.permission),
        )
        .await?;
    let Line { label, number: line_number, account_id, account, sees } = found.ok_or_else(nobody)?;
    let number: Option<PhoneNumber> = match of {
        ConsentOf::Conversation(id) => db.opt::<(PhoneNumber,)>(OF_CONVERSATION, (line, id)).await?.map(|(number,)| number),
        ConsentOf::Contact(id) => contacts::number_of(db, id).await?.filter(|(owner, _)| *owner == account_id).map(|(_, number)| number),
        ConsentOf::Message(id) => db.opt::<(PhoneNumber,)>(OF_MESSAGE, (line, id)).await?.map(|(number,)| number),
    };
    let number = number.ok_or_else(nobody)?;
    let now: Option<Row> =
        db.opt("select state, source, evidence, at from consent where line_id = $1 and number = $2", (line, number.clone())).await?;
    let history: Vec<Row> = db
        .all(
            "select state, source, evidence, at from consent_event
             where line_id = $1 and number = $2
             order by id desc
             limit 100",
            (line, number.clone()),
        )
        .await?;
    let conversation: Option<(ConversationId,)> =
        db.opt("select id from conversation where line_id = $1 and number = $2", (line, number.clone())).await?;
    let is_erased = !db.work(async |tx| erased(tx, line, std::slice::from_ref(&number)).await).await?.is_empty();
    let contact = contacts::by_number(db, account_id, &number).await?;
    let conversation = conversation.map(|(id,)| id);
    if sees {
        permit.saw(match (contact, conversation) {
            (_, Some(id)) => Seen::Conversation(account_id, line, id),
            (Some(id), None) => Seen::Contact(account_id, id),
            (None, None) => Seen::Contacts(account_id, line),
        });
    }
    Ok(ConsentDetail {
        line_id: line,
        line: label,
        line_number,
        account_id,
        account,
        number: crate::types::ShownNumber::of(number, sees),
        contact,
        conversation,
        now: now.map(|row| row.shown(sees)),
        is_erased,
        history: history.into_iter().map(|row| row.shown(sees)).collect(),
    })
}

/// What is set by hand.
#[derive(Debug, Clone)]
pub struct SetByHand {
    /// When what was seen to hold was said; `None` when nothing was.
    pub seen: Option<Timestamp>,
    /// They want no messages; else they agree.
    pub out: bool,
    /// When the contact said so; `None` for now.
    pub at: Option<Timestamp>,
    /// Why, and where that is written down.
    pub reason: String,
}

/// Sets the consent of a line and a contact by hand.
///
/// # Errors
/// `Invalid` for a missing reason, a moment to come, or an opt-in that does not lift the opt-out; `Conflict` when somebody else was first,
/// or the line is being transferred; `NotFound` outside the permit's scope.
pub async fn set(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    of: ConsentOf,
    wish: &SetByHand,
) -> Result<(), Problem> {
    let reason = wish.reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        return Err(Problem::invalid("reason", format!("Say why, in at most {LONGEST_REASON} characters, on one line.")));
    }
    let at = wish.at.unwrap_or_else(|| now.at());
    if at > now.at() {
        return Err(Problem::invalid("at", "This moment is still to come."));
    }
    db.work(async |tx| {
        let (account, number, subject) = held(tx, permit, line, of).await?;
        let stands: Option<(ConsentState, Timestamp)> =
            tx.opt("select state, at from consent where line_id = $1 and number = $2", (line, number.clone())).await?;
        if stands.map(|(_, at)| at) != wish.seen {
            return Err(Problem::conflict("Their consent has just changed. Nothing of yours was changed: look again, then decide."));
        }
        let said = Said { number: number.clone(), out: wish.out, at: Some(at), evidence: Some(reason) };
        let outcome = take_in(tx, now, (line, account), &[said], ConsentSource::Staff).await?;
        match outcome.first() {
            Some(Outcome::Created | Outcome::Updated) => {}
            Some(Outcome::KeptOptedOut(why)) => return Err(Problem::invalid("at", format!("They stay opted out: {why}."))),
            Some(Outcome::Unchanged("")) | None => {
                return Err(Problem::conflict("This holds already. Nothing was changed."));
            }
            Some(Outcome::Unchanged(why)) => return Err(Problem::conflict(format!("Nothing was changed: it is {why}."))),
        }
        let conversation: Option<(ConversationId,)> =
            tx.opt("select id from conversation where line_id = $1 and number = $2", (line, number)).await?;
        if let Some((conversation_id,)) = conversation {
            tx.tell(Change::Conversation { account_id: account, line_id: line, conversation_id });
        }
        let entry =
            Entry { action: "consent.set", account_id: Some(account), line_id: Some(line), subject_id: Some(subject), ..Entry::default() };
        let becomes = if wish.out { ConsentState::OptedOut } else { ConsentState::OptedIn };
        // The reason is personal: it stands with what they said, masked and erased with it.
        let after = json!({ "state": becomes });
        Ok(record(tx, now, permit.actor(), entry.change(json!({ "state": stands.map(|(state, _)| state) }), after)).await?)
    })
    .await
}

/// Whose consent it is, with the line held: nothing comes in for it meanwhile.
async fn held(
    tx: &mut Tx,
    permit: &Permit<may::ManageDirectory>,
    line: LineId,
    of: ConsentOf,
) -> Result<(AccountId, PhoneNumber, Uuid), Problem> {
    let scope = permit.scope();
    let held = lines::hold(tx, line).await?;
    let may: Option<(AccountId,)> = tx
        .opt(
            "select account_id from line
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let ((account,), Some((_, transferring))) = (may.ok_or_else(nobody)?, held) else { return Err(nobody()) };
    if transferring {
        return Err(Problem::conflict("The line is being transferred. Set consent when that is done: its runs say how far it is."));
    }
    let (number, subject): (Option<PhoneNumber>, Uuid) = match of {
        ConsentOf::Conversation(id) => (tx.opt::<(PhoneNumber,)>(OF_CONVERSATION, (line, id)).await?.map(|(number,)| number), id.0),
        ConsentOf::Contact(id) => {
            let found = contacts::number_within(tx, id).await?;
            (found.filter(|(owner, _)| *owner == account).map(|(_, number)| number), id.0)
        }
        ConsentOf::Message(id) => (tx.opt::<(PhoneNumber,)>(OF_MESSAGE, (line, id)).await?.map(|(number,)| number), id.0),
    };
    Ok((account, number.ok_or_else(nobody)?, subject))
}
