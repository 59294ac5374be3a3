//! Passwords: argon2id with the parameters that OWASP names (19 MiB, 2 passes, 1 lane), hashed off the async threads.
//!
//! The rule: length counts and what is guessed first is refused; there are no rules of composition (NIST SP 800-63B-4).

use crate::clock::Rng;
use crate::types::Problem;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

/// NIST SP 800-63B-4: 15 characters where the password is the only factor, 8 beside a second one; at least 64 must be allowed.
const SHORTEST: usize = 15;
const SHORTEST_OF_TWO: usize = 8;
const LONGEST: usize = 256;

/// A password that somebody chooses.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// It, as typed.
    pub password: String,
    /// They sign in with a second factor too.
    pub second_factor: bool,
    /// What is no secret about them: their name and e-mail.
    pub about: Vec<String>,
}

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer characters than are needed: 15, or 8 beside a second factor.
    #[error("Use at least {0} characters; a few words in a row are easy to remember.")]
    Short(usize),
    /// More than 256 characters.
    #[error("Use at most {LONGEST} characters.")]
    Long,
    /// On the lists of common passwords, or made of them, of a pattern, or of their own name.
    #[error("This password is among the first that somebody would guess. Use a few words that have nothing to do with each other.")]
    Common,
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
        // One core is left to everybody else.
        let turns = std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
        Ok(Self { rng, turns: Arc::new(Semaphore::new(turns)), nobody: nobody.into() })
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// `Invalid` for a weak password.
    pub async fn hash(&self, chosen: Chosen) -> Result<String, Problem> {
        let salt = self.rng.bytes();
        let _turn = self.turns.acquire().await.map_err(broken)?;
        let hash = tokio::task::spawn_blocking(move || {
            check(&chosen).map_err(|weak| Problem::invalid("password", weak.to_string()))?;
            hash_now(&chosen.password, salt).map_err(broken)
        });
        hash.await.map_err(broken)?
    }

    /// The PHC string with the parameters of today for a password that was just verified against `hash`; `None` when it has them.
    ///
    /// # Errors
    /// When hashing itself fails.
    pub async fn renewed(&self, password: String, hash: &str) -> Result<Option<String>, Problem> {
        if !is_outdated(hash) {
            return Ok(None);
        }
        let salt = self.rng.bytes();
        let _turn = self.turns.acquire().await.map_err(broken)?;
        tokio::task::spawn_blocking(move || hash_now(&password, salt)).await.map_err(broken)?.map(Some).map_err(broken)
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

/// Whether a hash was made with other parameters than those of today.
fn is_outdated(hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return true };
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    let is_of_today = hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(&hash).is_ok_and(|params| costs(&params) == costs(&Params::default()));
    !is_of_today
}

fn check(chosen: &Chosen) -> Result<(), WeakPassword> {
    let shortest = if chosen.second_factor { SHORTEST_OF_TWO } else { SHORTEST };
    let about: Vec<&str> = chosen.about.iter().map(String::as_str).chain(["switchyard", "ringcentral"]).collect();
    match chosen.password.chars().count() {
        n if n < shortest => Err(WeakPassword::Short(shortest)),
        n if n > LONGEST => Err(WeakPassword::Long),
        // Below it are the lists of common passwords and what is made of them by simple rules.
        _ if zxcvbn(&chosen.password, &about).score() < Score::Three => Err(WeakPassword::Common),
        _ => Ok(()),
    }
}

/// Whether a password is long enough to be the only factor.
pub(super) fn stands_alone(password: &str) -> bool {
    password.chars().count() >= SHORTEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(password: &str) -> Chosen {
        Chosen { password: password.to_owned(), second_factor: false, about: vec!["Ada Byron".to_owned(), "ada@example.com".to_owned()] }
    }

    #[test]
    fn length_is_what_counts_and_what_is_guessed_first_is_refused() {
        assert_eq!(check(&chosen("short")), Err(WeakPassword::Short(15)));
        assert_eq!(check(&chosen("vier Wörter ohne Sinn")), Ok(()));
        assert_eq!(check(&chosen(&"long pass ".repeat(26))), Err(WeakPassword::Long));
        for common in ["aaaaaaaaaaaaaaaaaaaa", "passwordpassword", "qwertyuiopasdfghjkl", "123456789012345", "adabyronadabyron"] {
            assert_eq!(check(&chosen(common)), Err(WeakPassword::Common), "{common}");
        }
    }

    #[test]
    fn beside_a_second_factor_eight_characters_do() {
        let beside = |password: &str| check(&Chosen { second_factor: true, ..chosen(password) });
        assert_eq!(beside("v7 Kx!q"), Err(WeakPassword::Short(8)));
        assert_eq!(beside("v7 Kx!q2w"), Ok(()));
        assert_eq!(beside("password1"), Err(WeakPassword::Common));
    }

    #[tokio::test]
    async fn only_the_right_password_is_accepted_and_nobody_has_none() {
        let passwords = Passwords::new(Rng::seeded(1)).expect("argon2 works");
        let hash = passwords.hash(chosen("correct horse battery")).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(passwords.verify("correct horse battery".into(), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify("correct horse batteri".into(), Some(hash.clone())).await, Ok(false));
        assert_eq!(passwords.verify("nobody's password".into(), None).await, Ok(false));
        assert!(!is_outdated(&passwords.nobody), "who is not there costs as much as who is");
        assert_eq!(passwords.renewed("correct horse battery".into(), &hash).await, Ok(None));
        let older = hash.replace("m=19456", "m=9728");
        assert!(passwords.renewed("correct horse battery".into(), &older).await.is_ok_and(|new| new.is_some_and(|new| !is_outdated(&new))));
    }
}
