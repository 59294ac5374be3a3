//! Taking a transfer back: what was dropped, reset or merged is restored from what was written down before it was. Later edits win, and the
//! run's result lists them: contacts, people and blasts by their ids, automatic replies by their words, opt-ins by the conversation or the
//! contact that they are of.

use super::super::{Batch, Stop, Work, cells, count, unreadable};
use super::{ACCESS, CONTACTS, Done, FLIP, Parameters, RESPONDERS, Scheduled, directory, messaging};
use crate::db::Tx;
use crate::directory::transfer::{Access, Contacts, Dropped};
use crate::types::{PhoneNumber, RunId, counted};
use crate::work::faults::UtilityGuard;
use uuid::Uuid;

/// The place of the step once its records are worked off: behind which number opt-ins are restored.
const NUMBERS: &str = "number:";

/// The columns of the result.
const COLUMNS: &[&str] = &["what", "id", "outcome"];

/// Something that is not as the record has it: what, which one, and why.
type Kept = (&'static str, String, &'static str);

/// Adds to the result what keeps a later edit.
async fn list(tx: &mut Tx, work: &Work<'_>, kept: &[Kept]) -> Done<()> {
    if kept.is_empty() {
        return Ok(());
    }
    let (n,): (i64,) = tx.one("select count(*) from utility_output where run_id = $1", [work.run]).await?;
    let mut text = String::new();
    if n == 0 {
        cells::add_row(&mut text, COLUMNS);
    }
    for (what, id, outcome) in kept {
        cells::add_row(&mut text, &[what, id, outcome]);
    }
    tx.run("insert into utility_output (run_id, n, body) values ($1, $2, $3)", (work.run, n, text)).await?;
    Ok(())
}

/// One record of the run that is taken back, and at the end the opt-ins, a batch at a time.
pub(super) async fn batch(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let Some(of) = work.reverses else { return Ok(Batch::last(0)) };
    if let Some(behind) = work.place.and_then(|place| place.strip_prefix(NUMBERS)) {
        return opt_ins(tx, work, p, of, behind).await;
    }
    if work.place.is_none() {
        // A step that was done is asked for again: it lists anew.
        tx.run("delete from utility_output where run_id = $1", [work.run]).await?;
    }
    let behind: Uuid = work.place.and_then(|place| place.parse().ok()).unwrap_or(Uuid::nil());
    let next: Option<(Uuid, String, String)> =
        tx.opt("select id, step, body from utility_record where run_id = $1 and id > $2 order by id limit 1", (of, behind)).await?;
    let Some((id, step, body)) = next else { return Ok(Batch { place: Some(NUMBERS.to_owned()), ..Batch::default() }) };
    let done = Batch { place: Some(id.to_string()), ..Batch::default() };
    Ok(match step.as_str() {
        CONTACTS => {
            let was: Contacts = serde_json::from_str(&body).map_err(unreadable)?;
            let edited = directory::restore_contacts(tx, work.now, p.line, (p.from, p.to), &was).await?;
            let kept: Vec<Kept> = edited.iter().map(|id| ("contact", id.to_string(), "edited since: the edit stays")).collect();
            list(tx, work, &kept).await?;
            let done = Batch { rows: count(was.made.len() + was.merged.len()), ..done };
            match edited.len() {
                0 => done,
                edited => done.saying(format!("Contacts that were edited since keep the edit: {edited}.")),
            }
        }
        ACCESS => {
            let was: Access = serde_json::from_str(&body).map_err(unreadable)?;
            let have = directory::restore_access(tx, work.now, p.line, &was).await?;
            let without = was.dropped.iter().filter(|id| !have.contains(id));
            let kept: Vec<Kept> = without.map(|id| ("person", id.to_string(), "closed since: no access came back")).collect();
            list(tx, work, &kept).await?;
            let says = format!("Access came back for {}.", counted(count(have.len()), "person", "people"));
            let done = Batch { rows: count(have.len()), ..done }.saying(says);
            match kept.len() {
                0 => done,
                closed => done.saying(format!("People who were closed since, and stay without access: {closed}.")),
            }
        }
        RESPONDERS => {
            let was: Vec<Dropped> = serde_json::from_str(&body).map_err(unreadable)?;
            let back = directory::restore_responders(tx, p.line, &was).await?;
            let newer = was.iter().filter(|reply| !back.contains(&reply.id));
            let kept: Vec<Kept> =
                newer.map(|reply| ("automatic reply", reply.keyword.clone(), "has a new answer since: it stays")).collect();
            list(tx, work, &kept).await?;
            let says = format!("Automatic replies that came back: {}; words that have a new answer since: {}.", back.len(), kept.len());
            Batch { rows: count(back.len()), ..done }.saying(says)
        }
        FLIP => {
            let was: Scheduled = serde_json::from_str(&body).map_err(unreadable)?;
            if was.paused {
                let (back, stay) = messaging::schedule_again(tx, p.line, &was.seen(), work.now.at()).await?;
                let why = |is_decided: bool| {
                    if is_decided { "somebody has decided since: it stays so" } else { "its time has passed: it stays paused" }
                };
                let kept: Vec<Kept> = stay.iter().map(|(id, is_decided)| ("blast", id.to_string(), why(*is_decided))).collect();
                list(tx, work, &kept).await?;
                let decided = stay.iter().filter(|(_, is_decided)| *is_decided).count();
                let over = stay.len() - decided;
                let mut done = done.saying(format!("Blasts that are scheduled again: {back} of {}.", was.blasts.len()));
                if over > 0 {
                    let says = "Blasts whose time has passed meanwhile, and that stay paused until somebody decides";
                    done = done.saying(format!("{says}: {over}."));
                }
                if decided > 0 {
                    done = done.saying(format!("Blasts that stay as they are, since somebody has decided since: {decided}."));
                }
                done
            } else {
                let with = match was.recipients.iter().sum::<i64>() {
                    0 => String::new(),
                    recipients => format!(", with {}", counted(recipients, "recipient", "recipients")),
                };
                done.saying(format!("Blasts that were cancelled, and do not come back: {}{with}.", was.blasts.len()))
            }
        }
        _ => done,
    })
}

/// Opt-ins behind a number, which the place tells together with how many stayed as they were said since.
async fn opt_ins(tx: &mut Tx, work: &Work<'_>, p: &Parameters, of: RunId, place: &str) -> Result<Batch, Stop> {
    let (behind, before) = place.split_once(' ').unwrap_or((place, "0"));
    let guarded = work.broken != Some(UtilityGuard::OptOutMerge);
    let (rows, since, last) = messaging::restore_opt_ins(tx, work.now, (p.line, p.to), of, behind, work.size, guarded).await?;
    let alone: Vec<PhoneNumber> =
        since.iter().filter(|(_, conversation)| conversation.is_none()).map(|(number, _)| number.clone()).collect();
    let contacts = directory::contacts_of(tx, p.to, &alone).await?;
    let stays = "said since: it stays";
    let kept: Vec<Kept> = since
        .iter()
        .map(|(number, conversation)| match (conversation, contacts.get(number)) {
            (Some(id), _) => ("opt-in of a conversation", id.to_string(), stays),
            (None, Some(id)) => ("opt-in of a contact", id.to_string(), stays),
            // A number stands in no result, and there is nothing else that names it.
            (None, None) => ("opt-in", String::new(), "said since, and of nobody whom the account knows: it stays"),
        })
        .collect();
    list(tx, work, &kept).await?;
    let kept = before.parse::<i64>().unwrap_or(0) + count(kept.len());
    Ok(match last {
        Some(last) => Batch { rows, place: Some(format!("{NUMBERS}{last} {kept}")), ..Batch::default() },
        None if kept > 0 => Batch::last(rows).saying(format!("Opt-ins that stay as their contacts have said since: {kept}.")),
        None => Batch::last(rows),
    })
}
