//! RingCentral's rate limits: requests in a sliding minute for each user, app and group, a penalty, and a daily limit of posts.
//!
//! The one rule: a request during the penalty starts the penalty anew (RingCentral developer guide, rate limits).

use super::Text;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use switchyard::types::Timestamp;

/// The window in which requests are counted, and the usual penalty, unless the control API shortens it.
const WINDOW: Duration = Duration::from_secs(60);
const DAY_MICROS: i64 = 86_400_000_000;

/// The limits that can be set. `posts_per_minute: None` switches every limit off but the daily one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests of the Medium group in a minute, for one user and app (RingCentral: 40).
    #[serde(default)]
    pub posts_per_minute: Option<u32>,
    /// Posts in a day (UTC) for one user (RingCentral: 2,500).
    #[serde(default)]
    pub posts_per_day: Option<u32>,
}

/// RingCentral's usage plan groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Group {
    Auth,
    Light,
    Medium,
}

impl Group {
    /// The word in `X-Rate-Limit-Group`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Light => "light",
            Self::Medium => "medium",
        }
    }
}

/// Whose requests are counted together: user, app, group.
pub(super) type Budget = (Text, Text, Group);

/// What `X-Rate-Limit-*` say of a request.
pub(super) struct Standing {
    pub limit: u32,
    pub remaining: u32,
    pub window: Duration,
}

/// A request too many: come back after this long. The standing is missing where no limit is set and a fault alone refused.
pub(super) struct TooMany {
    pub retry_after: Duration,
    pub limit: Option<u32>,
    pub window: Duration,
}

#[derive(Default)]
struct Meter {
    requests: VecDeque<Timestamp>,
    penalty: Option<Penalty>,
}

struct Penalty {
    until: Timestamp,
    length: Duration,
}

/// The meters of all users.
pub(super) struct RateLimits {
    limits: Limits,
    window: Duration,
    meters: HashMap<Budget, Meter>,
    posts: HashMap<Text, (i64, u32)>,
}

impl RateLimits {
    pub fn new(limits: Limits) -> Self {
        Self { limits, window: WINDOW, meters: HashMap::new(), posts: HashMap::new() }
    }

    pub fn now(&self) -> Limits {
        self.limits
    }

    pub fn set(&mut self, limits: Limits) {
        *self = Self { window: self.window, ..Self::new(limits) };
    }

    /// Sets the window and the usual penalty; what was counted and any penalty is forgotten.
    pub fn set_window(&mut self, window: Duration) {
        *self = Self { window, ..Self::new(self.limits) };
    }

    fn limit(&self, group: Group) -> Option<u32> {
        let medium = self.limits.posts_per_minute?;
        Some(match group {
            Group::Auth => 5,
            Group::Light => 50,
            Group::Medium => medium,
        })
    }

    /// Counts a request. `Ok(None)` where there is no limit.
    pub fn request(&mut self, budget: &Budget, now: Timestamp) -> Result<Option<Standing>, TooMany> {
        let (limit, window) = (self.limit(budget.2), self.window);
        if limit.is_none() && self.meters.is_empty() {
            return Ok(None);
        }
        let meter = self.meters.entry(budget.clone()).or_default();
        if let Some(penalty) = &mut meter.penalty {
            if now < penalty.until {
                penalty.until = now.plus(penalty.length);
                return Err(TooMany { retry_after: penalty.length, limit, window });
            }
            meter.penalty = None;
        }
        let Some(limit) = limit else { return Ok(None) };
        while meter.requests.front().is_some_and(|first| now.since(*first) >= window) {
            meter.requests.pop_front();
        }
        let used = u32::try_from(meter.requests.len()).unwrap_or(u32::MAX);
        if used >= limit {
            meter.penalty = Some(Penalty { until: now.plus(window), length: window });
            return Err(TooMany { retry_after: window, limit: Some(limit), window });
        }
        meter.requests.push_back(now);
        Ok(Some(Standing { limit, remaining: limit - used - 1, window }))
    }

    /// Starts a penalty by hand (a fault), with the same trap as a real one.
    pub fn penalise(&mut self, budget: &Budget, now: Timestamp, length: Duration) -> TooMany {
        let limit = self.limit(budget.2);
        self.meters.entry(budget.clone()).or_default().penalty = Some(Penalty { until: now.plus(length), length });
        TooMany { retry_after: length, limit, window: self.window }
    }

    /// Whether this user may make one more post today.
    pub fn may_post(&self, owner: &Text, now: Timestamp) -> bool {
        let Some(limit) = self.limits.posts_per_day else { return true };
        self.posts.get(owner).is_none_or(|(day, count)| *day != day_of(now) || *count < limit)
    }

    /// Counts a post that was made.
    pub fn posted(&mut self, owner: &Text, at: Timestamp) {
        match self.posts.get_mut(owner) {
            Some((day, count)) if *day == day_of(at) => *count += 1,
            Some(counted) => *counted = (day_of(at), 1),
            None => {
                self.posts.insert(owner.clone(), (day_of(at), 1));
            }
        }
    }
}

fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MICROS)
}
