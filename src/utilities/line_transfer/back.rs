//! Taking a transfer back: what was dropped, reset or merged is restored from what was written down before it was. Later edits win.

use super::super::{Batch, Stop, Work, count, unreadable};
use super::{ACCESS, CONTACTS, FLIP, Parameters, RESPONDERS, Scheduled, directory, messaging};
use crate::db::Tx;
use crate::directory::transfer::{Access, Contacts, Dropped};
use crate::types::{RunId, counted};
use crate::work::faults::UtilityGuard;
use uuid::Uuid;

/// The place of the step once its records are worked off: behind which number opt-ins are restored.
const NUMBERS: &str = "number:";

/// One record of the run that is taken back, and at the end the opt-ins, a batch at a time.
pub(super) async fn batch(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let Some(of) = work.reverses else { return Ok(Batch::last(0)) };
    if let Some(behind) = work.place.and_then(|place| place.strip_prefix(NUMBERS)) {
        return opt_ins(tx, work, p, of, behind).await;
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
            let done = Batch { rows: count(was.made.len() + was.merged.len()), ..done };
            if edited > 0 { done.saying(format!("Contacts that were edited since keep the edit: {edited}.")) } else { done }
        }
        ACCESS => {
            let was: Access = serde_json::from_str(&body).map_err(unreadable)?;
            directory::restore_access(tx, work.now, p.line, &was).await?;
            let says = format!("Access came back for {}.", counted(count(was.dropped.len()), "person", "people"));
            Batch { rows: count(was.dropped.len()), ..done }.saying(says)
        }
        RESPONDERS => {
            let was: Vec<Dropped> = serde_json::from_str(&body).map_err(unreadable)?;
            let back = i64::try_from(directory::restore_responders(tx, p.line, &was).await?).unwrap_or(i64::MAX);
            let newer = count(was.len()) - back;
            let says = format!("Automatic replies that came back: {back}; words that have a new answer since: {newer}.");
            Batch { rows: back, ..done }.saying(says)
        }
        FLIP => {
            let was: Scheduled = serde_json::from_str(&body).map_err(unreadable)?;
            if was.paused {
                let (back, over, decided) = messaging::schedule_again(tx, p.line, &was.seen(), work.now.at()).await?;
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
                done.saying(format!("Blasts that were cancelled, and do not come back: {}.", was.blasts.len()))
            }
        }
        _ => done,
    })
}

async fn opt_ins(tx: &mut Tx, work: &Work<'_>, p: &Parameters, of: RunId, behind: &str) -> Result<Batch, Stop> {
    let guarded = work.broken != Some(UtilityGuard::OptOutMerge);
    let (rows, last) = messaging::restore_opt_ins(tx, work.now, (p.line, p.to), of, behind, work.size, guarded).await?;
    Ok(Batch { rows, place: last.map(|last| format!("{NUMBERS}{last}")), ..Batch::default() })
}
