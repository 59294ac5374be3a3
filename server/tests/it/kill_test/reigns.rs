//! Who owned the line when, as it was seen from outside: what a moment's owner is said to be is certain, or left open.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use switchyard::clock::Clock;
use switchyard::db::Db;
use switchyard::types::{AccountId, LineId, Timestamp};
use tokio_util::sync::CancellationToken;

/// An account was seen to own the line at both moments, and so all the while between.
#[derive(Debug, Clone, Copy)]
pub struct Reign {
    pub account: AccountId,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// All that was seen; a clone sees the same.
#[derive(Debug, Clone)]
pub struct Reigns(Arc<Mutex<Vec<Reign>>>);

impl Reigns {
    /// Looks at the line's owner all the while.
    pub fn watch(db: Db, line: LineId, first: AccountId, stop: CancellationToken) -> Self {
        let at = Clock::System.now();
        let reigns = Self(Arc::new(Mutex::new(vec![Reign { account: first, from: at, until: at }])));
        let seen = reigns.clone();
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                let asked = Clock::System.now();
                let owner: Result<(AccountId,), _> = db.one("select account_id from line where id = $1", [line]).await;
                if let Ok((account,)) = owner {
                    seen.saw(account, asked, Clock::System.now());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        reigns
    }

    /// The owner was read between these moments.
    fn saw(&self, account: AccountId, asked: Timestamp, answered: Timestamp) {
        let mut all = self.0.lock().unwrap();
        match all.last_mut() {
            Some(last) if last.account == account => last.until = asked.max(last.until),
            _ => all.push(Reign { account, from: answered, until: answered }),
        }
    }

    /// The owner that was seen last.
    pub fn owner(&self) -> AccountId {
        self.0.lock().unwrap().last().unwrap().account
    }

    /// When it was looked last.
    pub fn last_look(&self) -> Timestamp {
        self.0.lock().unwrap().last().unwrap().until
    }

    /// How many owners there were, one after the other.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The account certainly did not own the line at any moment between these two.
    pub fn is_stranger(&self, account: AccountId, from: Timestamp, until: Timestamp) -> bool {
        self.0.lock().unwrap().iter().any(|reign| reign.account != account && reign.from <= from && until <= reign.until)
    }

    /// The account certainly owned the line from this moment to the end.
    pub fn stayed(&self, account: AccountId, from: Timestamp) -> bool {
        self.0.lock().unwrap().last().is_some_and(|reign| reign.account == account && reign.from <= from)
    }
}

#[test]
fn between_two_owners_nothing_is_certain() {
    let (first, second) = (AccountId(uuid::Uuid::from_u128(1)), AccountId(uuid::Uuid::from_u128(2)));
    let reigns = Reigns(Arc::new(Mutex::new(vec![Reign { account: first, from: Timestamp(0), until: Timestamp(0) }])));
    reigns.saw(first, Timestamp(10), Timestamp(11));
    reigns.saw(second, Timestamp(20), Timestamp(21));
    reigns.saw(second, Timestamp(30), Timestamp(31));
    assert!(reigns.is_stranger(second, Timestamp(1), Timestamp(10)));
    assert!(!reigns.is_stranger(second, Timestamp(1), Timestamp(12)), "it may have had it by then");
    assert!(reigns.is_stranger(first, Timestamp(21), Timestamp(30)));
    assert!(!reigns.is_stranger(first, Timestamp(20), Timestamp(30)), "it may have had it still");
    assert!(reigns.stayed(second, Timestamp(21)) && !reigns.stayed(second, Timestamp(20)) && !reigns.stayed(first, Timestamp(5)));
    assert_eq!((reigns.owner(), reigns.count()), (second, 2));
}
