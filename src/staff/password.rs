//! Passwords: argon2id with the parameters that OWASP names (19 MiB, 2 passes, 1 lane), hashed off the async threads.

use crate::clock::Rng;
use crate::types::Problem;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// NIST SP 800-63B-4: 15 characters where the password is the only factor; at least 64 must be allowed.
const SHORTEST: usize = 15;
const LONGEST: usize = 256;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than 15 characters.
    #[error("Use at least {SHORTEST} characters; a few words in a row are easy to remember.")]
    Short,
    /// More than 256 characters.
    #[error("Use at most {LONGEST} characters.")]
    Long,
    /// One character again and again.
    #[error("This password is too easy to guess.")]
    Plain,
}

/// Hashes and checks passwords, a few at a time, since each takes 19 MiB.
#[derive(Debug, Clone)]
pub struct Passwords {
    rng: Rng,
    turns: Arc<Semaphore>,
    /// Checked when there is no such member, so that both answers take as long.
    nobody: Arc<str>,
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

fn hash_now(password: &str, salt: [u8; 16]) -> Result<String, argon2::password_hash::Error> {
    let salt = SaltString::encode_b64(&salt)?;
    Ok(argon2().hash_password(password.as_bytes(), &salt)?.to_string())
}

fn broken(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "password hashing failed");
    Problem::unavailable("Passwords cannot be checked right now. Try again in a minute.")
}

impl Passwords {
    /// Ready to hash; takes the time of one hash.
    ///
    /// # Errors
    /// When the parameters are not accepted, which would be a mistake in this program.
    pub fn new(rng: Rng) -> Result<Self, Problem> {
        let nobody = hash_now("nobody's password", rng.bytes()).map_err(broken)?;
        let turns = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self { rng, turns: Arc::new(Semaphore::new(turns)), nobody: nobody.into() })
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// `Invalid` for a weak password.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        check(&password).map_err(|weak| Problem::invalid("password", weak.to_string()))?;
        let salt = self.rng.bytes();
        let _turn = self.turns.acquire().await.map_err(broken)?;
        tokio::task::spawn_blocking(move || hash_now(&password, salt)).await.map_err(broken)?.map_err(broken)
    }

    /// Whether the password is the one behind `hash`; without a hash it takes as long and says no.
    ///
    /// # Errors
    /// When hashing itself fails.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let _turn = self.turns.acquire().await.map_err(broken)?;
        let matches = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|parsed| argon2().verify_password(password.as_bytes(), &parsed).is_ok())
        })
        .await
        .map_err(broken)?;
        Ok(matches && known)
    }
}

fn check(password: &str) -> Result<(), WeakPassword> {
    let length = password.chars().count();
    let mut seen: Vec<char> = password.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    match length {
        n if n < SHORTEST => Err(WeakPassword::Short),
        n if n > LONGEST => Err(WeakPassword::Long),
        _ if seen.len() < 5 => Err(WeakPassword::Plain),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_what_counts() {
        assert_eq!(check("short"), Err(WeakPassword::Short));
        assert_eq!(check("aaaaaaaaaaaaaaaaaaaa"), Err(WeakPassword::Plain));
        assert_eq!(check("vier Wörter ohne Sinn"), Ok(()));
        assert_eq!(check(&"long pass ".repeat(26)), Err(WeakPassword::Long));
    }

    #[tokio::test]
    async fn only_the_right_password_is_accepted_and_nobody_has_none() {
        let passwords = Passwords::new(Rng::seeded(1)).expect("argon2 works");
        let hash = passwords.hash("correct horse battery".into()).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(passwords.verify("correct horse battery".into(), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify("correct horse batteri".into(), Some(hash)).await, Ok(false));
        assert_eq!(passwords.verify("nobody's password".into(), None).await, Ok(false));
    }
}
