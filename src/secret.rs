//! Secrets at rest: sealed under a key from the environment with XChaCha20-Poly1305, bound to the row and the column they stand in.
//!
//! The rule: what is written to the database is sealed, what is logged or shown is neither. A sealed text that was copied to
//! another row, or that another key sealed, does not open.

use crate::clock::Rng;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use std::sync::Arc;
use uuid::Uuid;

/// Stands before a sealed text; another way of sealing would have another one.
const VERSION: &str = "s1.";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The keys of an installation: the first seals, every one opens. Cheap to clone; prints nothing of them.
#[derive(Clone)]
pub struct Keyring(Arc<[XChaCha20Poly1305]>);

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}

/// Why the keys could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// There is none.
    #[error("there is no key: make one with `switchyard key`, keep it safe, and set SECRET_KEY to it")]
    Missing,
    /// One is not 32 bytes in base64.
    #[error("SECRET_KEY is not understood: it is 32 bytes in base64, as `switchyard key` prints; several with commas, the newest first")]
    Malformed,
}

/// A sealed text does not open: another key sealed it, or it belongs elsewhere.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the secret does not open with this installation's SECRET_KEY; enter it again, or give back the key that sealed it")]
pub struct DoesNotOpen;

impl Keyring {
    /// Reads keys as [`new_key`] writes them, several with commas: while a key is being replaced, the newest first.
    ///
    /// # Errors
    /// When there is none, or one is malformed.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            return Err(KeyError::Missing);
        }
        let key = |part: &str| {
            let bytes = BASE64.decode(part.trim_end_matches('=')).map_err(|_| KeyError::Malformed)?;
            let key: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| KeyError::Malformed)?;
            Ok(XChaCha20Poly1305::new(&Key::from(key)))
        };
        Ok(Self(parts.into_iter().map(key).collect::<Result<_, _>>()?))
    }

    /// Seals a secret for one column of one row.
    pub fn seal(&self, rng: &Rng, column: &str, row: Uuid, secret: &str) -> String {
        let nonce = XNonce::from(rng.bytes::<NONCE_BYTES>());
        let place = place(column, row);
        let sealed = self.0[0].encrypt(&nonce, Payload { msg: secret.as_bytes(), aad: &place });
        // Sealing fails only for texts of 256 GiB.
        let sealed = sealed.unwrap_or_else(|_| unreachable!("a secret fits into memory"));
        format!("{VERSION}{}", BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`Keyring::seal`] made for the same column of the same row.
    ///
    /// # Errors
    /// When no key opens it there.
    pub fn open(&self, column: &str, row: Uuid, sealed: &str) -> Result<String, DoesNotOpen> {
        let bytes = sealed.strip_prefix(VERSION).and_then(|text| BASE64.decode(text).ok()).ok_or(DoesNotOpen)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(DoesNotOpen)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| DoesNotOpen)?;
        let place = place(column, row);
        let opened = self.0.iter().find_map(|key| key.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &place }).ok());
        opened.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(DoesNotOpen)
    }
}

fn place(column: &str, row: Uuid) -> Vec<u8> {
    [column.as_bytes(), b"\0", row.as_bytes()].concat()
}

/// A new key, as [`Keyring::parse`] reads it.
pub fn new_key(rng: &Rng) -> String {
    BASE64.encode(rng.bytes::<KEY_BYTES>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_where_it_was_sealed_and_only_with_its_key() {
        let rng = Rng::seeded(1);
        let (old, new) = (new_key(&rng), new_key(&rng));
        let ring = Keyring::parse(&old).expect("a key");
        let (row, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = ring.seal(&rng, "jwt", row, "a secret");
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, ring.seal(&rng, "jwt", row, "a secret"), "each time another nonce");
        assert_eq!(ring.open("jwt", row, &sealed).as_deref(), Ok("a secret"));
        assert_eq!(ring.open("jwt", other, &sealed), Err(DoesNotOpen));
        assert_eq!(ring.open("client_secret", row, &sealed), Err(DoesNotOpen));
        assert_eq!(ring.open("jwt", row, "a secret"), Err(DoesNotOpen), "an unsealed one is not taken");
        assert_eq!(ring.open("jwt", row, &sealed.replace(&sealed[20..22], "zz")), Err(DoesNotOpen));
        assert_eq!(Keyring::parse(&new).expect("a key").open("jwt", row, &sealed), Err(DoesNotOpen));
        let both = Keyring::parse(&format!("{new}, {old}")).expect("two keys");
        assert_eq!(both.open("jwt", row, &sealed).as_deref(), Ok("a secret"), "the old key opens while it is being replaced");
    }

    #[test]
    fn a_missing_or_malformed_key_is_said() {
        assert_eq!(Keyring::parse(" ").err(), Some(KeyError::Missing));
        assert_eq!(Keyring::parse("c2hvcnQ").err(), Some(KeyError::Malformed));
    }
}
