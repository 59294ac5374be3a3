//! Counting tries, so that guessing is slow: so many for one subject within a window, in the database, by all processes together.

use super::hash_token;
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use std::net::IpAddr;
use std::time::Duration;

/// The longest window.
pub(super) const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What tries are counted for, and how many are let through within its window, which begins with the first one.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    hash: Vec<u8>,
    most: i64,
    window: Duration,
}

impl Subject {
    /// So many within a quarter of an hour. `of` may be personal: only its hash is stored.
    pub(super) fn new(of: &str, most: i64) -> Self {
        Self::within(LONGEST, of, most)
    }

    /// So many within `window`, a quarter of an hour at most.
    pub(crate) fn within(window: Duration, of: &str, most: i64) -> Self {
        Self { hash: hash_token(of.as_bytes()), most, window: window.min(LONGEST) }
    }
}

/// An address without what its user can change at will: of IPv6 the network of 64 bits.
pub(super) fn network(address: &str) -> String {
    first_bits(address, 64)
}

/// An address without what whoever has it can choose: of IPv6 the site of 48 bits, which holds as many networks as an IPv4 address ports.
pub(super) fn site(address: &str) -> String {
    first_bits(address, 48)
}

fn first_bits(address: &str, bits: u32) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => format!("{:x}", v6.to_bits() >> (128 - bits)),
        _ => address.to_owned(),
    }
}

/// Whether a subject has no try left. Asked first, nothing is written for who goes on all the same.
///
/// # Errors
/// What the database says.
pub(super) async fn is_used_up(db: &Db, now: &Now, subject: &Subject) -> Result<bool> {
    let found: Option<(i64,)> = db
        .opt(
            "select tries from throttle where subject_hash = $1 and since > $2 and tries >= $3",
            (subject.hash.clone(), now.at().minus(subject.window), subject.most),
        )
        .await?;
    Ok(found.is_some())
}

/// Counts a try for each subject before it is made; says whether every one has tries left. When not, roll back: a try that is not let
/// through does not prolong the wait.
///
/// # Errors
/// What the database says.
pub(crate) async fn take(tx: &mut Tx, now: &Now, subjects: &mut [Subject]) -> Result<bool> {
    // In one order, so that two at once do not wait for each other in a circle.
    subjects.sort_by(|a, b| a.hash.cmp(&b.hash));
    let at = now.at();
    for subject in &*subjects {
        let (tries,): (i64,) = tx
            .one(
                "insert into throttle (subject_hash, since, tries) values ($1, $2, 1)
                 on conflict (subject_hash) do update
                 set tries = case when throttle.since <= $3 then 1 else throttle.tries + 1 end,
                     since = case when throttle.since <= $3 then $2 else throttle.since end
                 returning tries",
                (subject.hash.clone(), at, at.minus(subject.window)),
            )
            .await?;
        if tries > subject.most {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes a try back: it was none that guesses.
///
/// # Errors
/// What the database says.
pub(super) async fn give_back(tx: &mut Tx, subjects: &[Subject]) -> Result<()> {
    for subject in subjects {
        tx.run("update throttle set tries = tries - 1 where subject_hash = $1 and tries > 0", [subject.hash.clone()]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{network, site};

    #[test]
    fn who_changes_the_rest_of_an_ipv6_address_is_the_same_stranger() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
        assert_eq!(site("2001:db8:0:1::1"), site("2001:db8::1"));
        assert_ne!(site("2001:db8:1::1"), site("2001:db8::1"));
        assert_eq!(site("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_ne!(network("::ffff:192.0.2.7"), network("::ffff:192.0.2.8"));
    }
}
