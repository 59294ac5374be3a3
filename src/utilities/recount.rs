//! The recount of a file that was taken in, piece by piece: what was written down of each row is held against the file, and what is stored
//! against both.
//!
//! The rule: a piece that is right is forgotten, and one that is not is kept. A step looks at all its pieces before the run fails with what
//! differs, and at those that are left when it is resumed.

use super::{Batch, Stop, Work, count, pieces};
use crate::db::{Result as Done, Tx, json};
use crate::types::counted;
use csv::{ReaderBuilder, StringRecord};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// What to do about what the file brings again.
const AGAIN: &str = "Cancel this run. Run the same file again: what is there stays as it is.";
/// The same, where some of it is nothing that the file brings.
const LOOK_FIRST: &str = "Have an engineer look first: the file does not mend all of it. Then cancel this run and run the same file again.";

/// Rows of which nothing was written down, or more than one thing.
pub(super) const WITHOUT_OUTCOME: &str = "Rows of the file without exactly one outcome";

/// How far it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Place {
    /// The piece that comes next.
    piece: i64,
    /// For which of several it was taken in, as for one line after the other.
    turn: i64,
    /// Rows of it that were looked at before.
    from: usize,
    /// Rows of the step that were looked at, all in all.
    rows: i64,
    /// Something of this piece differs, in this turn.
    differs_here: bool,
    /// The same in any turn: it is kept.
    is_kept: bool,
    /// What differs, in words, and how many.
    differs: BTreeMap<String, i64>,
    /// How many of these the file does not mend.
    beyond_the_file: i64,
    /// The step was looked at before: its rows count no more for how far the run is.
    is_again: bool,
    /// Everything was looked at and something differs: the version of the run at that time.
    told_at: Option<i64>,
}

impl Place {
    fn fault(&self) -> Stop {
        let differs: Vec<String> = self.differs.iter().map(|(what, rows)| format!("{what}: {rows}.")).collect();
        let text = format!("Not everything is as the result says. {}", differs.join(" "));
        Stop::fault(text, if self.beyond_the_file > 0 { LOOK_FIRST } else { AGAIN })
    }
}

/// What a batch has read of a piece.
#[derive(Debug)]
struct Window {
    output: i64,
    rows: usize,
    end: usize,
    of: usize,
}

/// The recount of one step, as far as it is.
#[derive(Debug)]
pub(super) struct Recount {
    place: Place,
    /// The piece behind the last one.
    end: i64,
    /// How often each piece was taken in.
    turns: i64,
    read: Option<Window>,
}

/// Rows that are recounted, and what was written down of their piece.
#[derive(Debug)]
pub(super) struct Part<T> {
    /// The rows.
    pub(super) rows: Vec<T>,
    /// What came of rows, as far as that was written down.
    pub(super) came: Outcomes,
    /// What came of the piece was written down to its end.
    pub(super) is_whole: bool,
}

/// What stands in the result of a piece, by the number of the row in the file.
#[derive(Debug)]
pub(super) struct Outcomes(HashMap<i64, Option<StringRecord>>);

/// What was written down of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Came<'a> {
    /// Nothing.
    Nothing,
    /// One thing: its cells.
    One(&'a StringRecord),
    /// More than one.
    Several,
}

impl Outcomes {
    /// Of a result as it is stored; the names of its columns are no row.
    fn read(text: &str) -> Self {
        let mut found = HashMap::new();
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        for cells in reader.into_records().map_while(Result::ok) {
            let Some(row) = cells.get(0).and_then(|row| row.parse::<i64>().ok()) else { continue };
            found.entry(row).and_modify(|several| *several = None).or_insert(Some(cells));
        }
        Self(found)
    }

    /// What was written down of this row.
    pub(super) fn of(&self, row: i64) -> Came<'_> {
        match self.0.get(&row) {
            None => Came::Nothing,
            Some(Some(cells)) => Came::One(cells),
            Some(None) => Came::Several,
        }
    }
}

impl Recount {
    /// Goes on with a step over the pieces from the first to the one before `end`, each of which was taken in so many times.
    ///
    /// # Errors
    /// [`Stop::Fault`] with what differs, when everything was looked at.
    pub(super) async fn go_on(tx: &mut Tx, work: &Work<'_>, (first, end): (i64, i64), turns: i64) -> Result<Self, Stop> {
        let begin = |is_again: bool| Place { piece: first, is_again, ..Place::default() };
        let mut place = match work.place {
            Some(place) => pieces::read::<Place>(place)?,
            None => begin(false),
        };
        if let Some(told_at) = place.told_at {
            // A run that stood still since has another version: somebody may have mended it.
            let (version, _) = version_and_rows(tx, work).await?;
            if version == told_at {
                return Err(place.fault());
            }
            place = begin(true);
        }
        Ok(Self { place, end, turns, read: None })
    }

    /// The piece that comes next.
    pub(super) fn piece(&self) -> i64 {
        self.place.piece
    }

    /// For which of several.
    pub(super) fn turn(&self) -> i64 {
        self.place.turn
    }

    /// Reads the next rows of the piece, and what came of them, which stands in this piece of the result; `None` when there are none to
    /// look at: they were right before, or are not there, and are missed at the end.
    ///
    /// # Errors
    /// [`Stop::Fault`] when another version of the program wrote it.
    pub(super) async fn part<T: for<'a> Deserialize<'a>>(
        &mut self,
        tx: &mut Tx,
        work: &Work<'_>,
        output: i64,
    ) -> Result<Option<Part<T>>, Stop> {
        let (body, came, was_right): (Option<String>, Option<String>, Option<i64>) = tx
            .one(
                "select (select i.body from utility_input i where i.run_id = $1 and i.n = $2),
                   (select o.body from utility_output o where o.run_id = $1 and o.n = $3 and o.covers is null),
                   (select c.rows_counted from utility_check c where c.run_id = $1 and c.step = $4 and c.n = $3)",
                (work.run, self.place.piece, output, work.step.to_owned()),
            )
            .await?;
        if let Some(rows) = was_right {
            self.place.rows += rows - count(self.place.from);
            return Ok(None);
        }
        let Some(body) = body else { return Ok(None) };
        let mut rows: Vec<T> = pieces::read(&body)?;
        let (of, from) = (rows.len(), self.place.from.min(rows.len()));
        let end = from.saturating_add(usize::try_from(work.size).unwrap_or(usize::MAX).max(1)).min(of);
        rows.truncate(end);
        let rows = rows.split_off(from);
        self.read = Some(Window { output, rows: rows.len(), end, of });
        Ok(Some(Part { rows, is_whole: came.is_some(), came: Outcomes::read(came.as_deref().unwrap_or_default()) }))
    }

    /// So many differ, and the same file brings them again.
    pub(super) fn differ(&mut self, what: &str, rows: usize) {
        if rows > 0 {
            *self.place.differs.entry(what.to_owned()).or_default() += count(rows);
            self.place.differs_here = true;
        }
    }

    /// So many differ, and the file does not mend that.
    pub(super) fn differ_beyond_the_file(&mut self, what: &str, rows: usize) {
        self.place.beyond_the_file += count(rows);
        self.differ(what, rows);
    }

    /// Ends the batch. The step is done when all its rows were looked at and nothing differs; `what` they are is said in the log.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn settle(mut self, tx: &mut Tx, work: &Work<'_>, what: &str) -> Result<Batch, Stop> {
        let (mut rows, mut is_done) = (0, true);
        if let Some(read) = self.read.take() {
            self.place.rows += count(read.rows);
            self.place.from = read.end;
            rows = if self.place.is_again { 0 } else { count(read.rows) };
            is_done = read.end >= read.of;
            if is_done && !self.place.differs_here {
                tx.run(
                    "insert into utility_check (run_id, step, n, behind, up_to, rows_counted, digest) values ($1, $2, $3, '', '', $4, '')",
                    (work.run, work.step.to_owned(), read.output, count(read.of)),
                )
                .await?;
            }
        }
        if is_done {
            self.turn_is_done(tx, work).await?;
        }
        if self.place.piece < self.end {
            return Ok(Batch { rows, place: Some(json(&self.place)), ..Batch::default() });
        }
        let (version, planned) = version_and_rows(tx, work).await?;
        self.differ(WITHOUT_OUTCOME, usize::try_from(planned - self.place.rows).unwrap_or(0));
        if self.place.differs.is_empty() {
            let all = counted(self.place.rows, "row", "rows");
            return Ok(Batch::last(rows).saying(format!("{what} recounted: {all}. Each has one outcome, and what is stored agrees.")));
        }
        self.place.told_at = Some(version);
        Ok(Batch { rows, place: Some(json(&self.place)), ..Batch::default() })
    }

    /// Nobody needs a piece any more that is right each time that it was taken in.
    async fn turn_is_done(&mut self, tx: &mut Tx, work: &Work<'_>) -> Done<()> {
        let place = &mut self.place;
        place.is_kept |= place.differs_here;
        place.differs_here = false;
        place.from = 0;
        place.turn += 1;
        if place.turn < self.turns {
            return Ok(());
        }
        if !place.is_kept {
            tx.run("delete from utility_input where run_id = $1 and n = $2", (work.run, place.piece)).await?;
        }
        place.is_kept = false;
        place.turn = 0;
        place.piece += 1;
        Ok(())
    }
}

/// The version of the run, and the rows that its plan has for the step.
async fn version_and_rows(tx: &mut Tx, work: &Work<'_>) -> Done<(i64, i64)> {
    tx.one(
        "select r.version, s.total
         from utility_run r
         join utility_step s on s.run_id = r.id and s.name = $2
         where r.id = $1",
        (work.run, work.step.to_owned()),
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::{Came, Outcomes};
    use crate::utilities::cells;

    #[test]
    fn what_came_of_a_row_is_read_as_it_was_written() {
        let mut text = String::new();
        for cells in [["row", "id", "reason"], ["7", "=a\r\n\"8\",b", "first"], ["9", "c", "once"], ["9", "c", "again"]] {
            cells::add_row(&mut text, &cells);
        }
        let found = Outcomes::read(&text);
        assert!(matches!(found.of(7), Came::One(cells) if cells.get(1) == Some("'=a\r\n\"8\",b") && cells.get(2) == Some("first")));
        assert!(matches!((found.of(9), found.of(8)), (Came::Several, Came::Nothing)));
        assert!(matches!(Outcomes::read("").of(7), Came::Nothing));
    }
}
