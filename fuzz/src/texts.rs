//! Writers of text: what a customer typed is shown as typed, and is never more than text, to RingCentral's app and to spreadsheets.

use server::outside;
use switchyard::sync::compose::{LONGEST_POST, Line, escape, post, reference_in};
use switchyard::types::{Media, MessageState, Origin, PhoneNumber, Timestamp};

const REFERENCE: &str = "sw-fuzzfuzz";

/// A customer's text in a post: nothing in it is interpreted, nothing is lost, and the post fits.
pub fn posts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let escaped = escape(&text);
    let plain: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    // Read back sign by sign, unless the text held a look-alike itself.
    let same = |(a, b): (char, char)| a == b || LOOK_ALIKES.contains(&(a, b));
    assert_eq!(plain.chars().count(), escaped.chars().count(), "no sign is lost");
    assert!(plain.chars().zip(escaped.chars()).all(same), "each sign stands for itself: {text:?} became {escaped:?}");
    let shown = outside::shown_post(&escaped);
    for marked in ["<strong>", "<em>", "<u>", "<a ", "class=\"mention\"", "<blockquote>"] {
        assert!(!shown.contains(marked), "{marked} comes of {text:?}: {shown}");
    }
    let number = PhoneNumber::parse("+12025550143").ok();
    let parts: Vec<&str> = text.split('|').collect();
    let media = parts.iter().skip(1).map(|part| Media { url: (*part).to_owned(), content_type: (*part).to_owned() }).collect();
    let line = |inbound: bool| Line {
        inbound,
        origin: Some(Origin::Blast).filter(|_| !inbound),
        body: parts[0].to_owned(),
        media: Vec::clone(&media),
        others: number.iter().cycle().take(if inbound { data.len() } else { 0 }).cloned().collect(),
        state: MessageState::Failed,
        at: Timestamp(1_795_238_411_000_000),
        carrier_at: Some(Timestamp(i64::try_from(data.len()).unwrap_or(0))),
        console: "https://console.example.com/lines/0197f0b2-0000-7000-8000-000000000000/conversations/0197f0b2".to_owned(),
    };
    for inbound in [true, false] {
        let made = post(&[line(inbound)], 3, REFERENCE, Timestamp(i64::MAX));
        let length = made.chars().count();
        assert!(length <= LONGEST_POST, "{length} characters are more than RingCentral takes");
        assert_eq!(reference_in(&made), Some(REFERENCE), "the reference is found again");
        assert_eq!(made.matches("![:").count(), 0, "nobody is mentioned");
    }
}

/// A sign, and the one that [`escape`] writes in its place.
const LOOK_ALIKES: [(char, char); 9] =
    [('*', '∗'), ('`', 'ˋ'), ('~', '∼'), ('_', 'ˍ'), ('[', '［'), (']', '］'), ('>', '›'), ('#', '＃'), ('@', '＠')];

/// A cell of a CSV file: read back it is what was written, and no spreadsheet takes it for a formula.
pub fn cells(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let fields: Vec<&str> = text.split('\u{1}').collect();
    let line = fields.iter().map(|field| outside::csv_cell(field)).collect::<Vec<_>>().join(",") + "\r\n";
    let read = read_line(&line);
    assert_eq!(read.as_ref().map(Vec::len), Some(fields.len()), "as many cells as were written: {line:?}");
    for (cell, field) in read.iter().flatten().zip(fields) {
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
        assert!(!is_formula, "a spreadsheet would run {cell:?}");
        assert!(cell == field || cell.strip_prefix('\'') == Some(field), "{field:?} came back as {cell:?}");
    }
}

/// The cells of one line (RFC 4180), or nothing when it is not one line of quoted cells.
fn read_line(line: &str) -> Option<Vec<String>> {
    let (mut cells, mut rest) = (Vec::new(), line);
    loop {
        let (mut cell, mut inside) = (String::new(), rest.strip_prefix('"')?);
        loop {
            let (part, after) = inside.split_once('"')?;
            cell.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    cell.push('"');
                    inside = more;
                }
                None => {
                    rest = after;
                    break;
                }
            }
        }
        cells.push(cell);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (rest == "\r\n").then_some(cells),
        }
    }
}
