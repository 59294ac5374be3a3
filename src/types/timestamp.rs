//! A moment: microseconds since 1970 in UTC, an integer on both engines so that it sorts the same.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `by` later; stays at the end of time instead of wrapping.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The moment `by` earlier.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Reads RFC 3339, in any offset: `2026-11-21T05:20:11.042Z`, `2026-11-21T00:20:11-05:00`.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let nanos = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?.unix_timestamp_nanos();
        i64::try_from(nanos.div_euclid(1_000)).ok().map(Self)
    }

    /// Reads what a field for a day sends: a moment in UTC to the second, or a day of UTC, which means its beginning.
    pub fn from_day(text: &str) -> Option<Self> {
        Self::from_rfc3339(&format!("{text}Z")).or_else(|| Self::from_rfc3339(&format!("{text}T00:00:00Z")))
    }

    fn parts(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1_000_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// For people: `2026-11-21 05:20`, in UTC.
    pub fn minute(self) -> String {
        let t = self.parts();
        format!("{:04}-{:02}-{:02} {:02}:{:02}", t.year(), u8::from(t.month()), t.day(), t.hour(), t.minute())
    }

    /// For machines: RFC 3339 with milliseconds, `2026-11-21T05:20:11.042Z`.
    pub fn rfc3339(self) -> String {
        let t = self.parts();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            self.0.rem_euclid(1_000_000) / 1_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_prints_for_people_and_for_machines() {
        let moment = Timestamp(1_795_238_411_042_999);
        assert_eq!(moment.minute(), "2026-11-21 05:20");
        assert_eq!(moment.rfc3339(), "2026-11-21T05:20:11.042Z");
        assert_eq!(Timestamp(-1).rfc3339(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_moment_is_read_in_any_offset() {
        for text in ["2026-11-21T05:20:11.042Z", "2026-11-21T00:20:11.042-05:00", " 2026-11-21T05:20:11.042000Z "] {
            assert_eq!(Timestamp::from_rfc3339(text), Some(Timestamp(1_795_238_411_042_000)), "{text}");
        }
        for text in ["", "yesterday", "2026-11-21", "2026-11-21 05:20", "1795238411"] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }
}
