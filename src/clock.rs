//! Time and chance, handed in and never read from the air, so that every test can set them.

use crate::types::Timestamp;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// Where the time comes from: the system, or a hand that a test moves.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until [`Clock::advance`] moves it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that a test moves, starting at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.0)))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Manual(hand) => Timestamp(hand.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock on; the system's clock cannot be moved and stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(hand) = self {
            hand.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// Where chance comes from: the operating system's generator, or a seeded one for tests.
#[derive(Clone)]
pub struct Rng(Arc<Mutex<StdRng>>);

impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rng")
    }
}

impl Rng {
    /// Seeded by the operating system; cryptographically strong (ChaCha).
    pub fn from_os() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// The same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(&mut out);
        out
    }

    /// A number below `bound`, for jitter and choice; 0 when the bound is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { u64::from_le_bytes(self.bytes()) % bound }
    }
}

/// The smallest id of a moment: ids sort by the time they were made.
pub fn first_id_at(at: Timestamp) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(at.millis()).unwrap_or(0), &[0; 10]).into_uuid()
}

/// Clock and chance together: what a verb needs to make ids and stamps.
#[derive(Debug, Clone)]
pub struct Now {
    /// The clock.
    pub clock: Clock,
    /// The random source.
    pub rng: Rng,
}

impl Now {
    /// The machine's clock and the operating system's randomness.
    pub fn system() -> Self {
        Self { clock: Clock::System, rng: Rng::from_os() }
    }

    /// The time now.
    pub fn at(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new UUIDv7: 48 bits of milliseconds, 74 of chance (RFC 9562 §5.7).
    pub fn id(&self) -> Uuid {
        self.id_at(self.at())
    }

    /// A new UUIDv7 for a moment that was already read.
    pub fn id_at(&self, at: Timestamp) -> Uuid {
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.rng.bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let now = Now { clock: Clock::manual(Timestamp(1_795_238_411_000_000)), rng: Rng::seeded(7) };
        let first = now.id();
        now.clock.advance(Duration::from_millis(1));
        let second = now.id();
        assert!(first < second);
        assert_eq!(first.get_version_num(), 7);
    }
}
