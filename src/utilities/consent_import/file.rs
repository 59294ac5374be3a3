//! Reading the file: what each row says, or why it cannot be taken, with the number of its line. Nothing here quotes a cell in an error.

use crate::messaging::consent::import::{Said, is_ahead};
use crate::types::{PhoneNumber, Problem, Timestamp};
use csv::{ReaderBuilder, StringRecord};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A file has no more rows than these.
const MOST_ROWS: usize = 1_000_000;
/// A cell in quotes that goes over more lines was not closed.
const MOST_LINES: i64 = 100;
const LONGEST_EVIDENCE: usize = 500;
/// So much of a cell that cannot be taken is kept for the result.
const LONGEST_QUOTE: usize = 40;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A row that can be taken, as it is stored: the number of its line in the file, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row(pub(super) i64, pub(super) PhoneNumber, bool, Option<Timestamp>, Option<String>);

/// One that cannot: the number of its line, its number and status as they are written, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bad(pub(super) i64, pub(super) String, pub(super) String, pub(super) String);

impl Row {
    /// The number of its line, and what it says.
    pub(super) fn said(self) -> (i64, Said) {
        let Self(line, number, out, at, evidence) = self;
        (line, Said { number, out, at, evidence })
    }

    pub(super) fn is_out(&self) -> bool {
        self.2
    }

    /// When an opt-in was given that has evidence: an older opt-out is lifted.
    pub(super) fn lifts_before(&self) -> Option<Timestamp> {
        if self.2 || self.4.is_none() { None } else { self.3 }
    }
}

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// By number; rows of one number in the order of the file.
    pub(super) rows: Vec<Row>,
    /// In the order of the file.
    pub(super) bad: Vec<Bad>,
}

/// Where each column is.
struct Columns {
    number: usize,
    status: usize,
    at: Option<usize>,
    evidence: Option<usize>,
}

/// What each column may be called; docs/consent-import.md names the same.
const NUMBER: &[&str] = &["number", "phone", "phone_number"];
const STATUS: &[&str] = &["status", "consent"];
const AT: &[&str] = &["at", "date", "given_at"];
const EVIDENCE: &[&str] = &["evidence", "source"];

impl Columns {
    /// Finds them by their names. Of two that could be the same one nobody knows which is meant: one may be an opt-in where the other says
    /// that it was taken back.
    fn find(header: &StringRecord) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|name| name.trim().to_lowercase().replace([' ', '-'], "_")).collect();
        let named = |known: &[&'static str]| {
            // Our own words for them: an error quotes no cell.
            let mut found = names.iter().enumerate().filter_map(|(at, name)| Some((at, known.iter().find(|word| *word == name)?)));
            match (found.next(), found.next()) {
                (Some((_, first)), Some((_, second))) => Err(format!(
                    "Two columns could be the {}: {first} and {second}. Keep one of them, or rename the other, and choose the file again.",
                    known[0]
                )),
                (first, _) => Ok(first.map(|(at, _)| at)),
            }
        };
        let (number, status) = (named(NUMBER)?, named(STATUS)?);
        let (Some(number), Some(status)) = (number, status) else {
            return Err("The first line has to name the columns: number and status, and at and evidence if you have them.".to_owned());
        };
        Ok(Self { number, status, at: named(AT)?, evidence: named(EVIDENCE)? })
    }
}

/// Where a record stands in the file: the reader counts lines that end with CR and LF one too late.
struct Place<'a> {
    text: &'a [u8],
    byte: usize,
    line: i64,
}

impl Place<'_> {
    fn lines_between(&self, from: usize, to: usize) -> i64 {
        let between = self.text.get(from..to.min(self.text.len())).unwrap_or_default();
        between.iter().filter(|byte| **byte == b'\n').fold(0, |lines, _| lines + 1)
    }

    /// The line that a record begins on, behind the empty ones before it.
    fn begin_of(&mut self, record: &StringRecord) -> i64 {
        let from = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
        let empty = self.text.get(from..).unwrap_or_default().iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.line += self.lines_between(self.byte, from + empty);
        self.byte = from + empty;
        self.line
    }

    /// How many lines the record goes over that ends there.
    fn lines_to(&self, end: &csv::Position) -> i64 {
        self.lines_between(self.byte, usize::try_from(end.byte()).unwrap_or(usize::MAX))
    }
}

/// Reads a whole file.
///
/// # Errors
/// `Invalid` at the file when it is none that can be read, with the line where that shows.
pub(super) fn read(text: &str, now: Timestamp) -> Result<Read, Problem> {
    let refused = |text: String| Problem::invalid("file", text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'].into_iter().find(|sign| header.as_bytes().contains(sign)).unwrap_or(b',');
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        refused(format!("Line {line} cannot be read as CSV."))
    };
    let columns = Columns::find(reader.headers().map_err(unreadable)?).map_err(refused)?;
    let (mut read, mut record) = (Read::default(), StringRecord::new());
    let mut place = Place { text: text.as_bytes(), byte: 0, line: 1 };
    while reader.read_record(&mut record).map_err(unreadable)? {
        let line = place.begin_of(&record);
        if place.lines_to(reader.position()) > MOST_LINES {
            return Err(refused(format!(
                "On line {line} a text in quotes begins that is not closed. Mend it, then choose the file again."
            )));
        }
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if read.rows.len() + read.bad.len() == MOST_ROWS {
            return Err(refused("The file has more than 1,000,000 rows. Split it, and import the parts one after the other.".to_owned()));
        }
        match row(line, &record, &columns, now) {
            Ok(row) => read.rows.push(row),
            Err(reason) => {
                let cell = |at: usize| as_kept(record.get(at).unwrap_or_default().trim());
                read.bad.push(Bad(line, cell(columns.number), cell(columns.status), reason.to_owned()));
            }
        }
    }
    // Rows that lie beside each other in the database are written together, and all rows of a number in their order.
    read.rows.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(read)
}

fn row(line: i64, record: &StringRecord, columns: &Columns, now: Timestamp) -> Result<Row, &'static str> {
    let cell = |at: usize| record.get(at).unwrap_or_default().trim();
    let number = unmarked(cell(columns.number));
    if !number.starts_with('+') {
        return Err("the number is not one with + and country code");
    }
    let number = PhoneNumber::parse(number).map_err(|_| "the number is not one with + and country code")?;
    let out = is_out(cell(columns.status)).ok_or("the status is neither opted_in nor opted_out")?;
    let at = columns.at.map(cell).filter(|at| !at.is_empty()).map(|at| moment(at, out, now)).transpose()?;
    let evidence = columns.evidence.map(cell).filter(|evidence| !evidence.is_empty());
    if evidence.is_some_and(|evidence| evidence.len() > LONGEST_EVIDENCE && evidence.chars().count() > LONGEST_EVIDENCE) {
        return Err("the evidence is longer than 500 characters");
    }
    Ok(Row(line, number, out, at, evidence.map(str::to_owned)))
}

/// A cell of a row that cannot be taken, as it is kept for the result. What is a number is kept as numbers are, however it was written: the
/// result is looked through for it when its contact is erased.
fn as_kept(cell: &str) -> String {
    match PhoneNumber::parse(unmarked(cell)) {
        Ok(number) => number.expose().to_owned(),
        Err(_) => cell.chars().take(LONGEST_QUOTE).collect(),
    }
}

/// A cell without its apostrophe: our own results have one there, so that a spreadsheet takes a number for a text.
fn unmarked(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// Whether a status says that the number has opted out.
fn is_out(status: &str) -> Option<bool> {
    let word = status.to_ascii_lowercase().replace([' ', '-'], "_");
    match word.as_str() {
        "opted_out" | "opt_out" | "optout" | "out" | "unsubscribed" | "stop" | "stopped" | "no" => Some(true),
        "opted_in" | "opt_in" | "optin" | "in" | "subscribed" | "start" | "yes" => Some(false),
        _ => None,
    }
}

/// When it was given. Of a date alone the more restrictive reading counts: an opt-in as the day begins where it begins first, an opt-out as
/// it ends in UTC. An opt-out may lie a day ahead, as today's date does; an opt-in may not.
fn moment(text: &str, out: bool, now: Timestamp) -> Result<Timestamp, &'static str> {
    let at = match (text.len() == 10, out) {
        (true, true) => Timestamp::from_rfc3339(&format!("{text}T00:00:00Z")).map(|begin| Timestamp(begin.plus(DAY).0 - 1)),
        (true, false) => Timestamp::from_rfc3339(&format!("{text}T00:00:00+14:00")),
        (false, _) => Timestamp::from_rfc3339(text),
    };
    let at = at.ok_or("the time is neither a date such as 2026-11-21 nor a time such as 2026-11-21T05:20:11Z")?;
    if if out { at > now.plus(DAY) } else { is_ahead(at, now) } {
        return Err("the time lies in the future");
    }
    if at <= Timestamp(0) { Err("the time lies before 1970") } else { Ok(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_238_411_000_000);

    fn reasons(text: &str) -> Vec<(i64, String)> {
        read(text, NOW).expect("read").bad.into_iter().map(|bad| (bad.0, bad.3)).collect()
    }

    #[test]
    fn rows_are_read_as_people_write_them() {
        let text = "\u{feff}Status;Phone Number;Evidence\r\nOpted In;+1 (202) 555-0143;\"web form;\nsecond line\"\r\n\r\nSTOP;'+12025550142;\r\n;;\r\n";
        let read = read(text, NOW).expect("read");
        assert_eq!(read.bad, []);
        let rows: Vec<_> = read.rows.into_iter().map(Row::said).collect();
        let number = |text| PhoneNumber::parse(text).expect("valid");
        assert_eq!(rows[0], (5, Said { number: number("+12025550142"), out: true, at: None, evidence: None }));
        let evidence = Some("web form;\nsecond line".to_owned());
        assert_eq!(rows[1], (2, Said { number: number("+12025550143"), out: false, at: None, evidence }));
    }

    #[test]
    fn a_date_alone_counts_as_the_more_restrictive_end_of_its_day() {
        let text = "number,status,at\n+12025550143,in,2026-11-20\n+12025550143,out,2026-11-20\n+12025550143,in,2026-11-20T10:00:00+02:00\n";
        let at: Vec<_> = read(text, NOW).expect("read").rows.into_iter().filter_map(|row| row.3).map(Timestamp::rfc3339).collect();
        assert_eq!(at, ["2026-11-19T10:00:00.000Z", "2026-11-20T23:59:59.999Z", "2026-11-20T08:00:00.000Z"]);
    }

    #[test]
    fn an_opt_in_does_not_lie_ahead() {
        // It is 05:20:11 UTC on the 21st.
        let found = |row: &str| reasons(&format!("number,status,at\n+12025550143,{row}\n")).len();
        for taken in ["in,2026-11-21T05:25:00Z", "in,2026-11-21", "out,2026-11-21", "out,2026-11-21T20:00:00Z"] {
            assert_eq!(found(taken), 0, "{taken}");
        }
        for refused in
            ["in,2026-11-21T05:26:00Z", "in,2026-11-21T01:00:00-05:00", "in,2026-11-22", "out,2026-11-22", "out,2026-11-22T06:00:00Z"]
        {
            assert_eq!(found(refused), 1, "{refused}");
        }
    }

    #[test]
    fn of_two_columns_for_the_same_nobody_chooses_one() {
        let row = "+12025550143,opted_in,opted_out,x,y\n";
        for (header, says) in [
            ("number,consent,status,at,evidence", "could be the status: consent and status"),
            ("number,status,Status,at,evidence", "could be the status: status and status"),
            ("number,status,x,date,given at", "could be the at: date and given_at"),
            ("number,status,phone,at,evidence", "could be the number: number and phone"),
            ("number,status,x,source,evidence", "could be the evidence: source and evidence"),
        ] {
            let refused = read(&format!("{header}\n{row}"), NOW).expect_err("refused").to_string();
            assert!(refused.contains(says), "{header}: {refused}");
        }
    }

    #[test]
    fn each_row_that_cannot_be_taken_says_why_and_where() {
        let long = "x".repeat(501);
        let text = format!(
            "number,status,at,evidence\n2025550143,in,,\n55501,in,,\n+12025550143,maybe,,\n+12025550143,in,yesterday,\n\
             +12025550143,in,2027-01-01,\n+12025550143,in,1969-01-01,\n+12025550143,in,,{long}\n+12025550143\n"
        );
        let found = reasons(&text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7, 8, 9]);
        let words = ["country code", "country code", "neither opted_in", "neither a date", "future", "1970", "500 characters", "opted_in"];
        for ((_, reason), word) in found.iter().zip(words) {
            assert!(reason.contains(word), "{reason}: {word}");
        }
    }

    #[test]
    fn a_number_that_cannot_be_taken_is_kept_as_numbers_are() {
        let text = "number,status\n'+1 (202) 555-0143,maybe\nmaybe,+1 202 555.0143\n2025550143,in\n";
        let kept: Vec<_> = read(text, NOW).expect("read").bad.into_iter().map(|bad| (bad.1, bad.2)).collect();
        let wanted = [("+12025550143", "maybe"), ("maybe", "+12025550143"), ("2025550143", "in")];
        assert_eq!(kept, wanted.map(|(number, status)| (number.to_owned(), status.to_owned())));
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_the_place() {
        let refused = |text: &str| read(text, NOW).expect_err("refused").to_string();
        assert!(refused("").contains("name the columns"));
        assert!(refused("+12025550143,opted_in\n").contains("name the columns"));
        let open = format!("number,status\n+12025550143,\"opted_in\n{}", "+12025550142,opted_in\n".repeat(200));
        assert!(refused(&open).contains("On line 2 a text in quotes"));
    }
}
