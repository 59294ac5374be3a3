//! Step-up: a dangerous action asks for a recent proof of who is there, so that an unattended browser is not enough.

use crate::types::{Problem, Timestamp};
use std::time::Duration;

/// How long a password or a code proves that it is still them (ASVS 5.0, 7.5.3).
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);

/// Somebody has shown lately who they are. A dangerous verb takes one.
#[derive(Debug, Clone, Copy)]
pub struct Proof(());

impl Proof {
    /// The proof that was given at `proved`.
    ///
    /// # Errors
    /// `Unproven` when there is none, or it is older than 10 minutes.
    pub fn given(proved: Option<Timestamp>, now: Timestamp) -> Result<Self, Problem> {
        match proved {
            Some(at) if now.since(at) <= GOOD_FOR => Ok(Self(())),
            _ => Err(Problem::Unproven),
        }
    }

    /// Who has a shell on the server has shown the operating system who they are.
    pub fn at_the_shell() -> Self {
        Self(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_ten_minutes() {
        let at = Timestamp(1_795_238_411_000_000);
        assert!(Proof::given(Some(at), at.plus(GOOD_FOR)).is_ok());
        assert_eq!(Proof::given(Some(at), at.plus(GOOD_FOR + Duration::from_micros(1))).err(), Some(Problem::Unproven));
        assert_eq!(Proof::given(None, at).err(), Some(Problem::Unproven));
    }
}
