//! The bulk change: one act on more rows than are changed at once, as a data utility. There is one for each act; [`crate::bulk`] says what
//! it does to a row.
//!
//! The rule: the plan writes down the rows that it looked at, each with its version; a batch takes one piece of them and writes what came
//! of each row beside it. Who asked must still be allowed to, batch by batch.

use super::{Asking, Batch, Leave, Proposal, StepPlan, Stop, Utility, Work, cells, pieces};
use crate::bulk::{self, Act};
use crate::db::{Tx, json};
use crate::directory::integration;
use crate::staff::{Actor, Member, may};
use crate::types::{
    AccountId, BulkAct, BulkFilter, BulkRow, BulkWhich, FieldKind, FormField, IntegrationType, LineId, Obstacle, OpenOrClosed, Permission,
    Plan, PlanCount, Problem, Trouble, UtilityAbout,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The utility that does this to many rows.
#[derive(Debug)]
pub struct BulkChange(pub BulkAct);

/// A run does not change more rows than these.
const MOST: usize = 100_000;
/// Rows that the plan looks at together.
const PAGE: usize = 1_000;
/// Rows of a piece, each of them some ten statements: others wait for so many at most.
const PIECE: usize = 25;
/// Rows in a second, roughly, for the plan's guess.
const RATE: i64 = 200;

const ROWS: &str = "rows";

/// The columns of the result.
const COLUMNS: &[&str] = &["id", "name", "about", "outcome", "reason"];

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parameters {
    /// What lines are set to.
    to: Option<IntegrationType>,
    /// Pieces of rows.
    pieces: i64,
}

/// How far it is: the next piece, and what was counted until now.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Place {
    piece: i64,
    changed: i64,
    left_out: i64,
}

#[async_trait]
impl Utility for BulkChange {
    fn about(&self) -> UtilityAbout {
        let narrowed = || FormField::new("account", "Account", "Only of this account.", FieldKind::Account).optional();
        let (name, does, permission, fields) = match self.0 {
            BulkAct::SetTypes => (
                "Set Integration Types",
                "Sets what the incoming messages of many lines flow into: all that match, or those chosen in the list of lines.",
                Permission::SetIntegrationType,
                vec![narrowed(), from_field(), to_field()],
            ),
            BulkAct::RetryLanes => (
                "Retry Stalled Conversations",
                "Has the deliveries of all stalled conversations tried again at once, or of those chosen under Sync.",
                Permission::ManageSync,
                vec![narrowed()],
            ),
            BulkAct::SkipHeld => (
                "Skip Held Messages",
                "Skips what is held, and what of ours waits to be posted, in many conversations: all that match, or those chosen under Sync.",
                Permission::ManageSync,
                vec![
                    FormField::new("account", "Account", "The account whose conversations they are.", FieldKind::Account),
                    FormField::new("line", "Line", "Only of this line.", FieldKind::Line).optional(),
                    trouble_field(),
                ],
            ),
            BulkAct::CloseUsers => (
                "Close People",
                "Closes all people of an account, or those chosen in their list: each loses access to every line.",
                Permission::ManageDirectory,
                vec![FormField::new("account", "Account", "The account whose people are closed.", FieldKind::Account)],
            ),
        };
        UtilityAbout {
            kind: self.0.utility(),
            name: name.to_owned(),
            does: does.to_owned(),
            notes: vec![
                "Each row is changed as its own page would change it, with its own entry in the audit.".to_owned(),
                "What somebody changed since the plan is left out, and listed in the result with the reason.".to_owned(),
            ],
            permission,
            is_reversible: false,
            fields,
        }
    }

    fn leave(&self, member: &Member) -> Result<Leave, Problem> {
        // Many may do it to a few rows and see no runs: they would be led to what they cannot see.
        member.permit::<may::SeeRuns>()?;
        Ok(match self.0 {
            BulkAct::SetTypes => Leave::of(&member.permit::<may::SetIntegrationType>()?),
            BulkAct::RetryLanes | BulkAct::SkipHeld => Leave::of(&member.permit::<may::ManageSync>()?),
            BulkAct::CloseUsers => Leave::of(&member.permit::<may::ManageDirectory>()?),
        })
    }

    async fn plan(&self, asking: &Asking<'_>) -> Result<Proposal, Problem> {
        plan(self.0, asking).await
    }

    async fn still_holds(&self, _tx: &mut Tx, _work: &Work<'_>) -> Result<(), Stop> {
        // Each row is checked when its turn has come.
        Ok(())
    }

    fn piece(&self) -> Option<i64> {
        Some(super::count(PIECE))
    }

    fn names_contacts(&self) -> bool {
        false
    }

    async fn batch(&self, tx: &mut Tx, work: &Work<'_>) -> Result<Batch, Stop> {
        let p = Parameters::deserialize(work.parameters).map_err(super::unreadable)?;
        let mut place: Place = work.place.and_then(|place| serde_json::from_str(place).ok()).unwrap_or_default();
        let (mut rows, mut is_done) = (0, true);
        if let Some(mut piece) = pieces::take(tx, work, place.piece, place.piece).await? {
            let act = act_of(tx, work, self.0, p.to).await?;
            let some: Vec<BulkRow> = piece.rows(work)?;
            rows = super::count(some.len());
            let mut text = piece.begin(place.piece, COLUMNS);
            for row in &some {
                let came = match &row.refused {
                    Some(why) => Err(why.clone()),
                    None => bulk::try_one(tx, work.now, &act, row).await?,
                };
                let (outcome, why) = match came {
                    Ok(()) => ("changed", String::new()),
                    Err(why) => ("left out", why),
                };
                *(if why.is_empty() { &mut place.changed } else { &mut place.left_out }) += 1;
                cells::add_row(&mut text, &[&row.key, &row.name, &row.about, outcome, &why]);
            }
            pieces::settle(tx, work, &piece, place.piece, text, Some(place.piece)).await?;
            is_done = piece.is_last();
        }
        place.piece += i64::from(is_done);
        if place.piece < p.pieces {
            return Ok(Batch { rows, place: serde_json::to_string(&place).ok(), ..Batch::default() });
        }
        Ok(Batch::last(rows).saying(format!("Changed {}, left out {}.", place.changed, place.left_out)))
    }
}

fn from_field() -> FormField {
    let any = ("", "Any type");
    let types = IntegrationType::ALL.iter().map(|of| (of.as_str(), of.name()));
    let choices: Vec<_> = std::iter::once(any).chain(types).collect();
    FormField::new("type", "Type now", "Only lines that are set to this.", FieldKind::choice(&choices)).optional()
}

fn trouble_field() -> FormField {
    let choices = [("", "Any state"), ("held", "Held"), ("delivering", "Delivering"), ("stalled", "Stalled")];
    FormField::new("trouble", "State", "Only conversations that are in this state.", FieldKind::choice(&choices)).optional()
}

fn to_field() -> FormField {
    let choices: Vec<_> = IntegrationType::ALL.iter().map(|of| (of.as_str(), of.name())).collect();
    FormField::new("to", "Set to", "What their incoming messages flow into from then on.", FieldKind::choice(&choices))
}

/// The act in the name of who asked, as their roles are now.
async fn act_of(tx: &mut Tx, work: &Work<'_>, act: BulkAct, to: Option<IntegrationType>) -> Result<Act, Stop> {
    let stop = |text: String| Stop::fault(text, "Cancel this run, and have somebody who may do this plan it anew.");
    let Actor::Staff { id, .. } = &work.asked_by else { return Err(stop("Nobody is known to have asked for this.".to_owned())) };
    let member = Member::load_in(tx, *id).await?;
    let member = member.ok_or_else(|| stop("Who asked for this does not work here any more.".to_owned()))?;
    Act::of(&member, act, to).map_err(|problem| stop(format!("Who asked for this may not do it any more. {problem}")))
}

/// An answer that may be missing.
fn optional<T: std::str::FromStr>(asking: &Asking<'_>, field: &str) -> Result<Option<T>, Problem> {
    let is_there = asking.answers.get(field).is_some_and(|text| !text.trim().is_empty());
    if is_there { asking.answer(field).map(Some) } else { Ok(None) }
}

fn which(asking: &Asking<'_>) -> Result<BulkWhich, Problem> {
    if let Some(rows) = asking.answers.get("rows").filter(|rows| !rows.trim().is_empty()) {
        let mut keys: Vec<String> = rows.split_whitespace().map(str::to_owned).collect();
        keys.sort();
        keys.dedup();
        return Ok(BulkWhich::Chosen(keys));
    }
    Ok(BulkWhich::All(BulkFilter {
        search: asking.answers.get("q").cloned().unwrap_or_default(),
        account: optional::<AccountId>(asking, "account")?,
        line: optional::<LineId>(asking, "line")?,
        integration_type: optional::<IntegrationType>(asking, "type")?,
        state: optional::<OpenOrClosed>(asking, "state")?,
        trouble: optional::<Trouble>(asking, "trouble")?,
    }))
}

/// Every row, each once.
async fn all(asking: &Asking<'_>, act: BulkAct, to: Option<IntegrationType>, which: &BulkWhich) -> Result<Vec<BulkRow>, Problem> {
    let (mut found, mut known, mut after): (Vec<BulkRow>, BTreeSet<String>, _) = (Vec::new(), BTreeSet::new(), None);
    loop {
        let page = bulk::rows(asking.db, asking.leave.scope, act, to, which, after.as_ref(), PAGE).await?;
        found.extend(page.rows.into_iter().filter(|row| known.insert(row.key.clone())));
        if found.len() > MOST {
            return Err(Problem::invalid("account", "More than 100,000 rows match. Narrow them down, to one account for example."));
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// The account of all the rows that are changed, if it is one. Somebody who looks after named accounts has a run for each, so that it is
/// seen by those who look after it.
fn one_account(asking: &Asking<'_>, rows: &[BulkRow]) -> Result<Option<AccountId>, Problem> {
    let accounts: BTreeSet<AccountId> = rows.iter().map(|row| row.account_id).collect();
    match (accounts.len(), accounts.first()) {
        (1, Some(one)) => Ok(Some(*one)),
        _ if asking.leave.scope.everywhere => Ok(None),
        _ => Err(Problem::invalid("account", "These belong to several accounts. Narrow them down to one account, then the next.")),
    }
}

async fn plan(act: BulkAct, asking: &Asking<'_>) -> Result<Proposal, Problem> {
    let to = if act == BulkAct::SetTypes { Some(asking.answer::<IntegrationType>("to")?) } else { None };
    let which = which(asking)?;
    let mut rows = all(asking, act, to, &which).await?;
    if act.is_of_conversations() {
        // Lanes are always locked in the order of their keys.
        rows.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    }
    let rows = rows;
    let account = one_account(asking, &rows)?;
    let good = super::count(rows.iter().filter(|row| row.refused.is_none()).count());
    let does = says(act, to, good);
    let mut reasons: BTreeMap<&str, i64> = BTreeMap::new();
    for why in rows.iter().filter_map(|row| row.refused.as_deref()) {
        *reasons.entry(why).or_default() += 1;
    }
    let counted = |name: &str, rows: i64, fate: String| PlanCount { name: name.to_owned(), rows, fate };
    let (name, fate) = match act {
        BulkAct::SetTypes => ("Lines", format!("set to {}", to.map(IntegrationType::name).unwrap_or_default())),
        BulkAct::RetryLanes => ("Conversations", "their deliveries are tried again at once".to_owned()),
        BulkAct::SkipHeld => ("Conversations", "what waits in them is skipped".to_owned()),
        BulkAct::CloseUsers => ("People", "closed: each loses access to every line".to_owned()),
    };
    let mut counts = vec![counted(name, good, fate)];
    if act == BulkAct::SkipHeld {
        let messages: i64 = rows.iter().filter_map(|row| row.messages).sum();
        counts.push(counted("Messages", messages, "skipped: they stay in Switchyard and are not put into RingCentral".to_owned()));
    }
    if act == BulkAct::CloseUsers {
        let lines: i64 = rows.iter().filter(|row| row.refused.is_none()).filter_map(|row| row.lines).sum();
        counts.push(counted("Access to lines", lines, "taken away".to_owned()));
    }
    counts.extend(reasons.into_iter().map(|(why, rows)| counted("Left out", rows, why.to_owned())));
    let whom = match &which {
        BulkWhich::Chosen(keys) => format!("{} chosen rows", keys.len()),
        BulkWhich::All(filter) if *filter == BulkFilter::default() => "All".to_owned(),
        BulkWhich::All(_) => "All that match".to_owned(),
    };
    let mut answers = vec![("For".to_owned(), whom)];
    answers.extend(to.map(|to| ("Set to".to_owned(), to.name().to_owned())));
    let input: Vec<(i64, String)> = rows.chunks(PIECE).map(|piece| (0, json(&piece))).collect();
    let parameters = Parameters { to, pieces: super::count(input.len()) };
    let plan = Plan {
        counts,
        effects: effects(asking, act, to, &rows).await?,
        conflicts: Vec::new(),
        obstacles: if good == 0 {
            vec![Obstacle::new("There is nothing to change: none is there, or each is left out.")]
        } else {
            Vec::new()
        },
        rows: good,
        seconds: Some(good / RATE + 1),
        confirm: Some(("how many are changed".to_owned(), good.to_string())),
        needs_approval: act == BulkAct::SetTypes,
    };
    Ok(Proposal {
        summary: does,
        line: None,
        account,
        target: None,
        holds: format!("bulk:{}", asking.now.id()),
        parameters: serde_json::to_value(parameters).unwrap_or_default(),
        answers,
        steps: vec![StepPlan { name: ROWS, title: name.to_owned(), is_check: false, total: super::count(rows.len()) }],
        plan,
        input,
        reverses: None,
    })
}

fn says(act: BulkAct, to: Option<IntegrationType>, good: i64) -> String {
    let counted = act.counted(good);
    match act {
        BulkAct::SetTypes => format!("Set the integration type of {counted} to {}", to.map(IntegrationType::name).unwrap_or_default()),
        BulkAct::RetryLanes => format!("Retry {counted} at once"),
        BulkAct::SkipHeld => format!("Skip what is held in {counted}"),
        BulkAct::CloseUsers => format!("Close {counted}"),
    }
}

/// What it does beside.
async fn effects(asking: &Asking<'_>, act: BulkAct, to: Option<IntegrationType>, rows: &[BulkRow]) -> Result<Vec<String>, Problem> {
    Ok(match act {
        BulkAct::RetryLanes => {
            vec!["A conversation whose last call is not settled still waits for that: posting earlier could post twice.".to_owned()]
        }
        BulkAct::SkipHeld => vec![
            "The SMS are not touched. Each message can be restored on its conversation’s page.".to_owned(),
            "What the contacts wrote is still posted, and a message that a call is under way for is left alone.".to_owned(),
        ],
        BulkAct::CloseUsers => vec!["RingCentral’s chats follow: closed people are taken out of them.".to_owned()],
        BulkAct::SetTypes if to == Some(IntegrationType::Ringcentral) => {
            vec![integration::of_inbound(IntegrationType::Ringcentral).to_owned()]
        }
        BulkAct::SetTypes => {
            let inbound = to.map(|to| integration::of_inbound(to).to_owned());
            let good: Vec<LineId> = rows.iter().filter(|row| row.refused.is_none()).filter_map(|row| row.key.parse().ok()).collect();
            let (held, queued) = crate::sync::waiting_of_lines(asking.db, &good).await?;
            inbound.into_iter().chain([integration::of_held(held), integration::of_queued(queued)]).collect()
        }
    })
}
