//! A blast that staff write in the console: kept as a draft while they look at what it would do, taken when they confirm.
//!
//! The rule: a draft sends nothing, is its writer's own, and stands sealed for an hour, since it holds numbers; confirmed, it becomes one
//! blast, however often the form is sent.

use super::{BATCH, check_start, owner, schedule, take};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::messaging::{consent, idempotency, outbound};
use crate::secret::Keyring;
use crate::staff::{Permit, Proof, may};
use crate::types::{BlastId, BlastPreview, DraftId, LineId, MOST_BY_HAND, PhoneNumber, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A draft can be looked at and confirmed for so long.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// What a draft is sealed for.
const COLUMN: &str = "blast_draft";
/// So many of what cannot be read are shown, each so long.
const MOST_SHOWN: usize = 10;
const LONGEST_SHOWN: usize = 40;

/// What staff have written. It prints nothing: there are numbers in it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Wanted {
    /// What it says.
    pub text: String,
    /// The numbers as they were pasted: one a line, or separated by commas or semicolons.
    pub pasted: String,
    /// When it starts; `None`: at once.
    pub starts_at: Option<Timestamp>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted")
    }
}

/// A draft as it is sealed.
#[derive(Serialize, Deserialize)]
struct Draft {
    line: LineId,
    wanted: Wanted,
}

/// What was pasted, as it is read.
#[derive(Debug, Default)]
struct Pasted<'a> {
    numbers: Vec<PhoneNumber>,
    /// The row of each that is no number, from 1 on, and what stands there.
    unreadable: Vec<(usize, &'a str)>,
}

impl<'a> Pasted<'a> {
    fn read(text: &'a str) -> Self {
        let mut read = Self::default();
        for (row, line) in (1..).zip(text.lines()) {
            for part in line.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
                match PhoneNumber::parse(part) {
                    Ok(number) => read.numbers.push(number),
                    Err(_) => read.unreadable.push((row, part)),
                }
            }
        }
        read
    }

    /// That there is somebody to send to, and not too many.
    fn check(&self) -> Result<(), Problem> {
        let count = self.numbers.len() + self.unreadable.len();
        let wrong = match (self.numbers.len(), count) {
            (_, 0) => "Write at least one number, with + and the country code, as in +1 202 555 0143.".to_owned(),
            (0, _) => "None of these can be read. Write each with + and the country code, as in +1 202 555 0143.".to_owned(),
            (_, count) if count > MOST_BY_HAND => format!(
                "These are {count} numbers, and at most {MOST_BY_HAND} are sent to from here. Send to more through the API: POST /api/v1/blasts."
            ),
            _ => return Ok(()),
        };
        Err(Problem::invalid("numbers", wrong))
    }
}

fn no_such_draft() -> Problem {
    Problem::not_found("This blast was written too long ago, or was sent already: look at the line’s blasts. Else write it again.")
}

/// Keeps what a staff member has written, for the page that shows what it would do. Nothing is sent.
///
/// # Errors
/// `Invalid` for a bad text, no number that can be read, too many, or a start that is over; `Conflict` when the line or its account is
/// closed; `NotFound` outside the permit's scope.
pub async fn draft(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::SendMessages>,
    line: LineId,
    wanted: &Wanted,
) -> Result<DraftId, Problem> {
    // A browser ends lines as forms do; a phone does not.
    let text = outbound::body(&wanted.text.replace("\r\n", "\n"))?;
    Pasted::read(&wanted.pasted).check()?;
    if let Some(at) = wanted.starts_at {
        check_start(now, at)?;
    }
    let id = DraftId(now.id());
    let draft = Draft { line, wanted: Wanted { text, ..wanted.clone() } };
    let sealed = keys.seal(&now.rng, COLUMN, id.0, &serde_json::to_string(&draft).unwrap_or_default());
    db.work(async |tx| {
        let account = owner(tx, permit, line).await?;
        outbound::sender(tx, account, line).await?;
        tx.run("insert into blast_draft (staff_id, id, at, sealed) values ($1, $2, $3, $4)", (permit.scope().staff, id, now.at(), sealed))
            .await?;
        Ok(id)
    })
    .await
}

/// Opens a sealed draft, if it is of this line.
fn opened(keys: &Keyring, line: LineId, id: DraftId, sealed: Option<(String,)>) -> Result<Wanted, Problem> {
    let text = sealed.and_then(|(sealed,)| keys.open(COLUMN, id.0, &sealed).ok()).ok_or_else(no_such_draft)?;
    let draft: Option<Draft> = serde_json::from_str(&text).ok();
    draft.filter(|draft| draft.line == line).map(|draft| draft.wanted).ok_or_else(no_such_draft)
}

/// What a draft of one's own would do as things are now; with what was pasted where it is to be changed.
///
/// # Errors
/// `NotFound` when it was written an hour ago, by somebody else, or was sent; or outside the permit's scope.
pub async fn drafted(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::SendMessages>,
    (line, id): (LineId, DraftId),
    with_pasted: bool,
) -> Result<BlastPreview, Problem> {
    let sealed: Option<(String,)> = db
        .opt("select sealed from blast_draft where staff_id = $1 and id = $2 and at > $3", (permit.scope().staff, id, now.at().minus(KEPT)))
        .await?;
    let wanted = opened(keys, line, id, sealed)?;
    let pasted = Pasted::read(&wanted.pasted);
    let mut distinct = pasted.numbers.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let opted_out = db
        .work(async |tx| {
            owner(tx, permit, line).await?;
            opted_out(tx, line, &distinct).await
        })
        .await?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let shown = |(row, text): &(usize, &str)| (*row, text.chars().take(LONGEST_SHOWN).collect::<String>());
    Ok(BlastPreview {
        recipients: count(distinct.len() - opted_out),
        duplicates: count(pasted.numbers.len() - distinct.len()),
        opted_out: count(opted_out),
        unreadable: count(pasted.unreadable.len()),
        first_unreadable: pasted.unreadable.iter().take(MOST_SHOWN).map(shown).collect(),
        starts_at: wanted.starts_at,
        pasted: with_pasted.then(|| wanted.pasted.clone()),
        text: wanted.text,
    })
}

/// How many of these have opted out of the line.
async fn opted_out(tx: &mut Tx, line: LineId, numbers: &[PhoneNumber]) -> Result<usize, Problem> {
    let mut out = 0;
    for chunk in numbers.chunks(BATCH) {
        out += consent::opted_out(tx, line, chunk).await?.len();
    }
    Ok(out)
}

/// Makes a blast of a draft of one's own; the draft is gone with that. Confirming it again answers the same blast.
///
/// # Errors
/// As [`take`] and [`schedule`]; `NotFound` when it was written an hour ago or by somebody else, or outside the permit's scope.
pub async fn take_draft(
    db: &Db,
    now: &Now,
    keys: &Keyring,
    permit: &Permit<may::SendMessages>,
    _proof: Proof,
    (line, id): (LineId, DraftId),
) -> Result<BlastId, Problem> {
    let staff = permit.scope().staff;
    let answer = db
        .work(async |tx| {
            let account = owner(tx, permit, line).await?;
            let request = idempotency::Request::new(account, &format!("console {staff} {id}"), "blast", &line.to_string(), b"")?;
            idempotency::once(tx, now, Some(&request), async |tx| {
                let sealed: Option<(String,)> = tx
                    .opt(
                        "delete from blast_draft where staff_id = $1 and id = $2 and at > $3 returning sealed",
                        (staff, id, now.at().minus(KEPT)),
                    )
                    .await?;
                let wanted = opened(keys, line, id, sealed)?;
                let numbers = Pasted::read(&wanted.pasted).numbers;
                let blast = take(tx, now, permit.actor(), account, line, &wanted.text, &numbers).await?;
                if let Some(at) = wanted.starts_at {
                    schedule(tx, now, line, blast, at).await?;
                }
                Ok(idempotency::Answer { status: 200, body: blast.to_string() })
            })
            .await
        })
        .await?;
    answer.body.parse().map_err(|_| no_such_draft())
}

/// Forgets drafts that nobody can confirm any more.
///
/// # Errors
/// What the database says.
pub async fn forget_old_drafts(db: &Db, now: &Now) -> Result<u64> {
    let before = now.at().minus(KEPT);
    db.work(async |tx| tx.run("delete from blast_draft where at <= $1", [before]).await).await
}

/// Forgets every draft: one of them may be to somebody who is being erased.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget_drafts(tx: &mut Tx) -> Result<u64> {
    tx.run("delete from blast_draft", ()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_rows_and_between_commas_and_semicolons() {
        let text = "+1 202 555 0143, +12025550144;\r\n\n  +1 (202) 555-0143\nAnn\n2025550145;55501,";
        let read = Pasted::read(text);
        let numbers: Vec<&str> = read.numbers.iter().map(PhoneNumber::expose).collect();
        assert_eq!(numbers, ["+12025550143", "+12025550144", "+12025550143", "55501"]);
        assert_eq!(read.unreadable, [(4, "Ann"), (5, "2025550145")], "ten bare digits are not guessed at");
        assert!(read.check().is_ok());
    }

    #[test]
    fn nobody_and_too_many_are_refused_at_the_field() {
        let many = "+12025550143\n".repeat(MOST_BY_HAND + 1);
        for (text, words) in [(" \n,", "at least one"), ("Ann\nGrace", "None of these"), (many.as_str(), "POST /api/v1/blasts")] {
            let refused = Pasted::read(text).check().expect_err("refused");
            assert_eq!(refused.field(), Some("numbers"));
            assert!(refused.to_string().contains(words), "{refused}");
        }
        assert!(Pasted::read(&"+12025550143\n".repeat(MOST_BY_HAND)).check().is_ok());
    }
}
