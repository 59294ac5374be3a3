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
