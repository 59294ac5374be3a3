//! Readers: what is taken is as it should be, and what is not as it should be is refused, without a panic.

use server::outside;
use switchyard::ringcentral::events::PostBody;
use switchyard::types::{Cursor, PhoneNumber, Timestamp};

const AT: Timestamp = Timestamp(1_795_238_411_000_000);
const SECRET: &str = "the-secret-of-a-carrier";

fn is_number(number: &PhoneNumber) -> bool {
    let text = number.expose();
    let digits = text.strip_prefix('+').unwrap_or(text);
    (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The carrier's webhooks: messages, statuses and their signatures. The first line is the signature.
pub fn carrier(data: &[u8]) {
    let (signature, body) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let signature = String::from_utf8_lossy(signature);
    let fits = outside::signature_fits(&signature, SECRET, body, AT);
    let good = outside::signature(SECRET, body, AT);
    assert!(!fits || signature.contains(good.rsplit('=').next().unwrap_or("?")), "a signature fits that is not the body's");
    assert!(outside::signature_fits(&good, SECRET, body, AT), "the body's own signature fits");
    for body in [body, data] {
        if let Some(message) = outside::carrier_message(body) {
            assert!(!message.carrier_id.is_empty() && message.carrier_id.chars().count() <= 200, "an id of 1 to 200 characters");
            assert!(!message.carrier_id.contains(char::is_control), "an id without control signs");
            assert!(is_number(&message.from) && is_number(&message.to) && message.others.iter().all(is_number), "numbers are numbers");
            assert!(!message.body.contains('\0') && message.media.iter().all(|media| !media.url.contains('\0')), "what PostgreSQL stores");
        }
        if let Some(status) = outside::carrier_status(body) {
            assert!(!status.carrier_id.is_empty() && !status.error.unwrap_or_default().contains('\0'), "what PostgreSQL stores");
        }
    }
}

/// RingCentral's webhook: the envelope, and the post that it may hold.
pub fn ringcentral(data: &[u8]) {
    let Some(envelope) = outside::ringcentral_event(data) else { return };
    if let Ok(post) = serde_json::from_value::<PostBody>(envelope.body) {
        let _ = post.creation_time.as_deref().map(Timestamp::from_rfc3339);
        assert!(post.id.parse::<f64>().is_err() || !post.id.contains(['e', 'E']), "an id is not a rounded number: {}", post.id);
    }
}

/// The API's JSON.
pub fn api(data: &[u8]) {
    if let Some((.., to, _)) = outside::api_message(data) {
        assert!(is_number(&to), "the recipient is a number");
    }
    if let Some((.., recipients)) = outside::api_blast(data) {
        assert!(recipients.iter().all(is_number), "each recipient is a number");
    }
}

/// Phone numbers: read once or twice, a number stays the same; and it prints masked.
pub fn phones(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(number) = PhoneNumber::parse(&text) else { return };
    assert!(is_number(&number), "{:?} is no number", number.expose());
    assert_eq!(PhoneNumber::parse(number.expose()).as_ref(), Ok(&number), "read again it is the same");
    assert_eq!(PhoneNumber::parse(&number.readable()).as_ref(), Ok(&number), "as people read it it is the same");
    for shown in [number.to_string(), format!("{number:?}")] {
        assert!(!shown.contains(number.expose()), "it prints masked: {shown}");
    }
}

/// Cursors: text from a URL is a key or nothing, and a key comes back as it was.
pub fn cursors(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let given = Cursor(text.clone());
    let _ = given.key::<i64>();
    if let Some(key) = given.key::<(String, i64)>() {
        assert_eq!(Cursor::at(&key).key::<(String, i64)>(), Some(key), "a key that was read is a key that can be written");
    }
    let key = (text.chars().take(100).collect::<String>(), data.len());
    assert_eq!(Cursor::at(&key).key::<(String, usize)>(), Some(key), "a key comes back");
}

/// A text without the mark that some programs begin it with.
fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The lines of a CSV file that hold something, behind the one that names the columns, where nothing stands in quotes.
fn lines_with_something(text: &str) -> usize {
    let text = unmarked(text);
    let names = text.lines().next().unwrap_or_default();
    let delimiter = [',', ';', '\t'].into_iter().find(|sign| names.contains(*sign)).unwrap_or(',');
    // The reader of CSV takes away a second mark.
    let lines = unmarked(text).split(['\r', '\n']).filter(|line| !line.is_empty());
    lines.skip(1).filter(|line| line.split(delimiter).any(|cell| !cell.trim().is_empty())).count()
}

/// A CSV file of consents: each row is taken or listed, once and with the number of its line.
pub fn consents(data: &[u8]) {
    let Some((rows, bad)) = outside::consents(data, AT) else { return };
    let text = std::str::from_utf8(data).unwrap_or_default();
    assert!(rows.iter().all(|(_, number)| is_number(number) && number.expose().starts_with('+')), "each is a number with its country");
    assert!(rows.windows(2).all(|pair| (&pair[0].1, pair[0].0) <= (&pair[1].1, pair[1].0)), "rows of one number in their order");
    assert!(bad.windows(2).all(|pair| pair[0] <= pair[1]), "line numbers rise: {bad:?}");
    let lines: Vec<&str> = text.lines().collect();
    let mut all: Vec<i64> = rows.iter().map(|(line, _)| *line).chain(bad).collect();
    all.sort_unstable();
    let is_there = |line: &i64| usize::try_from(*line).is_ok_and(|line| (1..=lines.len()).contains(&line));
    assert!(all.iter().all(is_there), "each is a line of the file: {all:?}");
    if text.contains('"') {
        return;
    }
    assert_eq!(all.len(), lines_with_something(text), "nothing is lost, and nothing made up");
    // Where a line ends with CR alone, it has the number of the one before: editors count so.
    if text.replace("\r\n", "").contains('\r') {
        return;
    }
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "a line has its number for itself: {all:?}");
    for (line, number) in &rows {
        let written = usize::try_from(line - 1).ok().and_then(|line| lines.get(line)).copied().unwrap_or_default();
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        assert!(digits.contains(number.expose().trim_start_matches('+')), "line {line} has its number: {written:?}");
    }
}

/// An export of the first version: each line is taken or listed, once.
pub fn exports(data: &[u8]) {
    let Some((taken, bad)) = outside::export(data, AT) else { return };
    let text = unmarked(std::str::from_utf8(data).unwrap_or_default());
    assert!(bad.windows(2).all(|pair| pair[0] < pair[1]), "line numbers rise: {bad:?}");
    let mut all: Vec<i64> = taken.into_iter().chain(bad).collect();
    all.sort_unstable();
    let wanted: Vec<i64> = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).map(|(line, _)| line).collect();
    assert_eq!(all, wanted, "nothing is lost, and nothing made up");
}
