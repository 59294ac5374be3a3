//! What a transfer would do: counted, with what stands in its way, before anything is changed.

use super::super::{Asking, Proposal, Reversed, StepPlan, beside};
use super::{
    ACCESS, AccessChoice, BACK, CONTACTS, FLIP, OPEN, OPT_INS, OptInChoice, Parameters, RESPONDERS, ResponderChoice, ScheduledChoice,
    holds, messaging, moving,
};
use crate::db::Db;
use crate::types::{AccountId, IntegrationType, LineId, Obstacle, PhoneNumber, Plan, PlanCount, Problem};
use serde::de::DeserializeOwned;

/// Rows a second, while nothing was transferred that it could be learnt from.
const RATE: i64 = 20_000;

#[derive(sqlx::FromRow)]
struct Line {
    id: LineId,
    number: PhoneNumber,
    label: String,
    account_id: AccountId,
    account: String,
    integration_type: IntegrationType,
    version: i64,
    transferring: bool,
}

async fn line(asking: &Asking<'_>, id: LineId) -> Result<Line, Problem> {
    let scope = asking.leave.scope;
    let found: Option<Line> = asking
        .db
        .opt(
            "select l.id, l.number, l.label, l.account_id, a.name as account, l.integration_type, l.version,
               l.transfer_id is not null as transferring
             from line l
             join account a on a.id = l.account_id
             where l.id = $1 and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.ok_or_else(|| Problem::invalid("line", "There is no such line, or it belongs to an account that you may not do this to."))
}

#[derive(sqlx::FromRow)]
struct Counts {
    conversations: i64,
    /// Numbers that the line knows and that no conversation leads to.
    alone: i64,
    messages: i64,
    consents: i64,
    opted_out: i64,
    opted_in: i64,
    events: i64,
    erased: i64,
    lanes: i64,
    waiting: i64,
    held: i64,
    entries: i64,
    intents: i64,
    agent_posts: i64,
    blasts: i64,
    scheduled: i64,
    paused: i64,
    people: i64,
    responders: i64,
}

impl Counts {
    /// Of a table that moves.
    fn of(&self, table: &str) -> i64 {
        match table {
            "consent" => self.consents,
            "consent_event" => self.events,
            "erased_opt_out" => self.erased,
            "conversation" => self.conversations,
            "message" => self.messages,
            "blast" => self.blasts,
            "lane" => self.lanes,
            "sync_entry" => self.entries,
            "intent" => self.intents,
            "agent_post" => self.agent_posts,
            _ => 0,
        }
    }

    fn rows(&self) -> i64 {
        moving().map(|moving| self.of(moving.table)).sum()
    }

    /// Numbers that contacts may have.
    fn contacts(&self) -> i64 {
        self.conversations + self.alone
    }
}

/// It may take its time: it is for a preview, and reads keys alone.
async fn counts(db: &Db, line: LineId) -> Result<Counts, Problem> {
    Ok(db
        .one(
            "select (select count(*) from conversation where line_id = $1) as conversations,
               (select count(*)
                from (select number from consent where line_id = $1
                      union select number from message where line_id = $1 and conversation_id is null) n
                where not exists (select 1 from conversation c where c.line_id = $1 and c.number = n.number)) as alone,
               (select count(*) from message where line_id = $1) as messages,
               (select count(*) from consent where line_id = $1) as consents,
               (select count(*) from consent where line_id = $1 and state = 'opted_out') as opted_out,
               (select count(*) from consent where line_id = $1 and state = 'opted_in') as opted_in,
               (select count(*) from consent_event where line_id = $1) as events,
               (select count(*) from erased_opt_out where line_id = $1) as erased,
               (select count(*) from lane where line_id = $1) as lanes,
               (select count(*) from lane where line_id = $1 and trouble > 0) as waiting,
               (select cast(coalesce(sum(held), 0) as bigint) from lane where line_id = $1 and trouble > 0) as held,
               (select count(*) from sync_entry where line_id = $1) as entries,
               (select count(*) from intent where line_id = $1) as intents,
               (select count(*) from agent_post where line_id = $1) as agent_posts,
               (select count(*) from blast where line_id = $1) as blasts,
               (select count(*) from blast
                where line_id = $1 and (state = 'scheduled' or (state = 'recording' and recorded = 0 and opted_out = 0))) as scheduled,
               (select count(*) from blast where line_id = $1 and state = 'paused') as paused,
               (select count(*) from line_user where line_id = $1) as people,
               (select count(*) from responder where line_id = $1) as responders",
            [line],
        )
        .await?)
}

/// Seconds that so many rows may take, as the transfers before did that one worker did without a pause.
async fn seconds(db: &Db, rows: i64) -> Result<i64, Problem> {
    let (done, micros): (i64, i64) = db
        .one(
            "select cast(coalesce(sum(s.done), 0) as bigint), cast(coalesce(sum(s.ended_at - s.began_at), 0) as bigint)
             from utility_step s
             join utility_run r on r.id = s.run_id
             where r.utility = 'line_transfer' and r.state = 'succeeded' and r.attempt = 1
               and s.done > 1000 and s.ended_at > s.began_at",
            (),
        )
        .await?;
    let learnt = i128::from(done) * 1_000_000 / i128::from(micros.max(1));
    let rate = if done > 0 { i64::try_from(learnt).unwrap_or(RATE).max(1) } else { RATE };
    // Everything is read once more to recount it.
    Ok(rows * 2 / rate + 2)
}

/// What stands in the way of moving this line to that account.
async fn obstacles(asking: &Asking<'_>, line: &Line, to: AccountId, to_name: &str, closed: bool) -> Result<Vec<Obstacle>, Problem> {
    let (db, id) = (asking.db, line.id);
    let mut found = Vec::new();
    if line.account_id == to {
        found.push(Obstacle::new(format!("The line belongs to {to_name} already. Choose another account.")));
    }
    if closed {
        found.push(Obstacle::new(format!("{to_name} is closed. Choose another account, or have it reopened.")));
    }
    if line.transferring {
        let link = format!("/utilities/history?line={id}");
        found.push(Obstacle::with("The line is being transferred now. Wait until it is done.", "See its runs", link));
    }
    if line.integration_type == IntegrationType::Ringcentral && crate::ringcentral::connected(db, [to]).await?.is_empty() {
        found.push(Obstacle::with(
            format!("The line is set to RingCentral, and {to_name} has no connection to it. Change the line’s type first, or connect it."),
            "Change the line’s type",
            format!("/lines/{id}"),
        ));
    }
    if let Some(lacks) = crate::directory::accounts::lacking(db, to, line.integration_type).await? {
        found.push(Obstacle::with(lacks, "See the account", format!("/accounts/{to}")));
    }
    if let Some((blast, began)) = db.work(async |tx| messaging::half_sent(tx, id).await).await? {
        let text =
            format!("The blast of {} UTC is half sent. Wait until it is sent, or cancel the rest of it, then plan again.", began.minute());
        found.push(Obstacle::with(text, "See the blast", format!("/lines/{id}/blasts/{blast}")));
    }
    for (account, name) in [(line.account_id, line.account.as_str()), (to, to_name)] {
        if db.work(async |tx| beside::is_busy(tx, account, &holds(id), false).await).await? {
            found.push(beside::obstacle(account, name));
        }
    }
    Ok(found)
}

fn step(name: &'static str, title: &str, total: i64) -> StepPlan {
    StepPlan { name, title: title.to_owned(), is_check: false, total }
}

/// The line changes hands; what its new owner is not to have is dropped at once; the tables follow, then what has steps of its own;
/// everything is recounted, and the line opens.
fn steps(counts: &Counts, dropped: Option<StepPlan>, own: Vec<StepPlan>) -> Vec<StepPlan> {
    let moves = moving().map(|m| step(m.table, m.title, counts.of(m.table)));
    let checks = moving().map(|m| StepPlan {
        name: m.check,
        title: format!("Recount: {}", m.title.to_lowercase()),
        is_check: true,
        total: counts.of(m.table),
    });
    let open = StepPlan { is_check: true, ..step(OPEN, "The line opens", 0) };
    [step(FLIP, "The line changes hands", 1)].into_iter().chain(dropped).chain(moves).chain(own).chain(checks).chain([open]).collect()
}

fn fate(name: &str, rows: i64, fate: &str) -> PlanCount {
    PlanCount { name: name.to_owned(), rows, fate: fate.to_owned() }
}

/// What was chosen, or what the form begins with.
fn choice<T: DeserializeOwned>(asking: &Asking<'_>, field: &'static str, first: &str) -> Result<T, Problem> {
    let word = asking.answers.get(field).filter(|word| !word.is_empty()).map_or(first, String::as_str).to_owned();
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|_| Problem::invalid(field, "This is none of those that can be chosen."))
}

pub(super) async fn plan(asking: &Asking<'_>) -> Result<Proposal, Problem> {
    let line = line(asking, asking.answer("line")?).await?;
    let to: AccountId = asking.answer("to")?;
    let (to_name, closed) = asking.account("to", to).await?;
    let chosen = Chosen {
        access: choice(asking, "access", "drop")?,
        responders: choice(asking, "responders", "move")?,
        opt_ins: choice(asking, "opt_ins", "keep")?,
        scheduled: choice(asking, "scheduled", "pause")?,
    };
    let counts = counts(asking.db, line.id).await?;
    let (known,): (i64,) = asking
        .db
        .one(
            "select count(*)
             from (select number from conversation where line_id = $1
                   union select number from consent where line_id = $1
                   union select number from message where line_id = $1 and conversation_id is null) n
             join contact k on k.account_id = $2 and k.number = n.number
             join contact t on t.account_id = $3 and t.number = n.number",
            (line.id, line.account_id, to),
        )
        .await?;
    let mut conflicts = Vec::new();
    if known > 0 {
        conflicts.push(format!("Contacts that both accounts know: {known}. {to_name} keeps its names; other names join the notes."));
    }
    let mut effects = vec![
        format!("From the first moment nobody of {} sees the line or sends from it.", line.account),
        "Messages, and STOP, are taken all the while, into the new account.".to_owned(),
    ];
    if line.integration_type == IntegrationType::Ringcentral {
        effects.push(format!("{}’s people are taken out of the line’s chats in RingCentral; what stands there stays.", line.account));
        effects.push(format!("The history goes on in new chats of {to_name}."));
        let (waiting, held) = (counts.waiting, counts.held);
        effects.push(format!("Conversations that are not in sync now: {waiting}, with {held} held messages. They are delivered in those."));
    }
    let (keeps_access, drops, resets, pauses) = (
        chosen.access == AccessChoice::Keep,
        chosen.responders == ResponderChoice::Drop,
        chosen.opt_ins == OptInChoice::Reset,
        chosen.scheduled == ScheduledChoice::Pause,
    );
    let rows = counts.rows();
    let plan = Plan {
        counts: vec![
            fate("Messages", counts.messages, "move along"),
            fate("Conversations", counts.conversations, "move along"),
            fate(
                "Contacts, at most",
                counts.contacts(),
                "matched by number, else made; closed in the old account where it has no other use",
            ),
            fate("Opt-outs", counts.opted_out + counts.erased, "stay opted out"),
            fate(
                "Opt-ins",
                counts.opted_in,
                if resets { "reset to unknown, and kept on record" } else { "kept, with where they come from" },
            ),
            fate("Deliveries into RingCentral", counts.entries, "move along; what is held stays held"),
            fate("Blasts", counts.blasts, "stay with the line"),
            if pauses {
                fate("Scheduled blasts", counts.scheduled, "paused until the new owner decides")
            } else {
                fate("Scheduled blasts", counts.scheduled + counts.paused, "cancelled, and so are those that are paused")
            },
            fate(
                "People with access",
                counts.people,
                if keeps_access {
                    "kept where the new account knows the e-mail address, else dropped"
                } else {
                    "dropped, and kept on record"
                },
            ),
            fate("Automatic replies", counts.responders, if drops { "dropped, and kept on record" } else { "move along" }),
        ],
        effects,
        conflicts,
        obstacles: obstacles(asking, &line, to, &to_name, closed).await?,
        rows,
        seconds: Some(seconds(asking.db, rows).await?),
        confirm: Some(("the line’s number".to_owned(), line.number.expose().to_owned())),
        needs_approval: true,
    };
    let dropped = drops.then(|| step(RESPONDERS, "Automatic replies", counts.responders));
    let mut own = vec![step(CONTACTS, "Contacts", counts.contacts()), step(ACCESS, "People’s access", counts.people)];
    if resets {
        own.push(step(OPT_INS, "Opt-ins are reset", counts.opted_in));
    }
    let said = |label: &str, text: &str| (label.to_owned(), text.to_owned());
    Ok(Proposal {
        summary: format!("Transfer {} from {} to {to_name}", line.label, line.account),
        line: Some(line.id),
        account: Some(line.account_id),
        target: Some(to),
        holds: holds(line.id),
        answers: vec![
            said("Line", &line.label),
            said("From account", &line.account),
            said("To account", &to_name),
            said("People’s access", if keeps_access { "Keep where the new account knows the e-mail address" } else { "Drop" }),
            said("Automatic replies", if drops { "Drop" } else { "Move along" }),
            said("Opt-ins", if resets { "Reset to unknown" } else { "Keep" }),
            said("Scheduled blasts", if pauses { "Pause" } else { "Cancel" }),
        ],
        steps: steps(&counts, dropped, own),
        parameters: parameters(&line, to, &counts, chosen),
        plan,
        input: Vec::new(),
        reverses: None,
    })
}

/// What was chosen in the form.
struct Chosen {
    access: AccessChoice,
    responders: ResponderChoice,
    opt_ins: OptInChoice,
    scheduled: ScheduledChoice,
}

fn parameters(line: &Line, to: AccountId, counts: &Counts, chosen: Chosen) -> serde_json::Value {
    let Chosen { access, responders, opt_ins, scheduled } = chosen;
    let parameters = Parameters {
        line: line.id,
        from: line.account_id,
        to,
        version: line.version,
        integration_type: line.integration_type,
        conversations: counts.conversations,
        messages: Some(counts.messages),
        consents: Some(counts.consents),
        access,
        responders,
        opt_ins,
        scheduled,
    };
    serde_json::to_value(parameters).unwrap_or_default()
}

/// The way back of a transfer, from what it wrote down.
pub(super) async fn back(asking: &Asking<'_>, of: &Reversed) -> Result<Proposal, Problem> {
    let was: Parameters = serde_json::from_str(&of.parameters)
        .map_err(|_| Problem::conflict("This run was made by another version of the program, and cannot be taken back by a button."))?;
    let line = line(asking, was.line).await?;
    if line.account_id != was.to {
        let owner = &line.account;
        return Err(Problem::conflict(format!("The line belongs to {owner} now: it has moved on since. Transfer it as any other line.")));
    }
    let (to_name, closed) = asking.account("", was.from).await?;
    let counts = counts(asking.db, was.line).await?;
    let (records,): (i64,) = asking.db.one("select count(*) from utility_record where run_id = $1", [of.id]).await?;
    // Half way is just what is taken back.
    let line = Line { transferring: false, ..line };
    let rows = counts.rows();
    let plan = Plan {
        counts: vec![
            fate("Messages", counts.messages, "move back"),
            fate("Conversations", counts.conversations, "move back"),
            fate("Opt-outs", counts.opted_out + counts.erased, "stay opted out"),
            fate("Records of what was dropped, reset or merged", records, "restored, where nobody has edited since"),
        ],
        effects: vec![format!("From the first moment nobody of {} sees the line or sends from it.", line.account)],
        conflicts: vec!["What was edited since keeps the edit, and is listed in the result.".to_owned()],
        obstacles: obstacles(asking, &line, was.from, &to_name, closed).await?,
        rows,
        seconds: Some(seconds(asking.db, rows).await?),
        confirm: Some(("the line’s number".to_owned(), line.number.expose().to_owned())),
        needs_approval: true,
    };
    let own = vec![
        step(CONTACTS, "Contacts", counts.contacts()),
        step(ACCESS, "People’s access", counts.people),
        step(BACK, "What was dropped, reset or merged", records),
    ];
    let said = |label: &str, text: &str| (label.to_owned(), text.to_owned());
    // Nothing is dropped on the way back; what the first way dropped is restored.
    let chosen = Chosen {
        access: AccessChoice::Drop,
        responders: ResponderChoice::Move,
        opt_ins: OptInChoice::Keep,
        scheduled: ScheduledChoice::Pause,
    };
    Ok(Proposal {
        summary: format!("Transfer {} back from {} to {to_name}", line.label, line.account),
        line: Some(was.line),
        account: Some(was.to),
        target: Some(was.from),
        holds: holds(was.line),
        answers: vec![said("Line", &line.label), said("From account", &line.account), said("Back to account", &to_name)],
        steps: steps(&counts, None, own),
        parameters: parameters(&line, was.from, &counts, chosen),
        plan,
        input: Vec::new(),
        reverses: Some(of.id),
    })
}
