//! Everything that reads what comes from outside, and does nothing with it: the way in of the fuzz targets (`fuzz/`).
//!
//! The rule: these are the readers that the routes use, not copies of them.

use crate::sandbox::sign;
use crate::{api, console, webhooks};
use switchyard::messaging::inbound::Incoming;
use switchyard::messaging::outbound::Delivery;
use switchyard::ringcentral::events::Envelope;
use switchyard::types::{PhoneNumber, Timestamp};
use switchyard::utilities::{consent_import, v1_migration};

/// A contact's message, as a carrier sends it.
pub fn carrier_message(body: &[u8]) -> Option<Incoming> {
    webhooks::message_in(body).ok()
}

/// A delivery status, as a carrier sends it.
pub fn carrier_status(body: &[u8]) -> Option<Delivery> {
    webhooks::status_in(body).ok()
}

/// Whether a signature fits.
pub fn signature_fits(signature: &str, secret: &str, body: &[u8], at: Timestamp) -> bool {
    webhooks::fits(signature, &[secret.to_owned()], body, at)
}

/// A signature that fits.
pub fn signature(secret: &str, body: &[u8], at: Timestamp) -> String {
    sign(secret, at, body)
}

/// An event, as RingCentral sends it.
pub fn ringcentral_event(body: &[u8]) -> Option<Envelope> {
    webhooks::ringcentral::event_in(body).ok()
}

/// A message, as an account's program sends it: line, recipient, text.
pub fn api_message(body: &[u8]) -> Option<(String, PhoneNumber, String)> {
    api::message_in(body).ok()
}

/// A blast, as an account's program sends it: line, text, recipients.
pub fn api_blast(body: &[u8]) -> Option<(String, String, Vec<PhoneNumber>)> {
    api::blast_in(body).ok().map(|blast| (blast.line, blast.text, blast.recipients))
}

/// A CSV file of consents, as staff give it: its rows as the number of the line and the phone number, and the lines that cannot be taken.
pub fn consents(file: &[u8], at: Timestamp) -> Option<(Vec<consent_import::Taken>, Vec<i64>)> {
    consent_import::read_file(file.to_vec(), at).ok()
}

/// An export of the first version in JSON Lines, as staff give it: the lines that can be taken, and those that cannot.
pub fn export(file: &[u8], at: Timestamp) -> Option<(Vec<i64>, Vec<i64>)> {
    v1_migration::read_file(file.to_vec(), at).ok()
}

/// A text as a cell of a CSV file.
pub fn csv_cell(text: &str) -> String {
    console::csv::quoted(text)
}

/// A post's text as RingCentral's app would show it, by the sandbox's reading.
pub fn shown_post(text: &str) -> String {
    crate::sandbox::shown(text)
}
