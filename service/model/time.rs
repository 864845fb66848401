//! A moment, as Unix milliseconds. Where "now" comes from is the caller's affair.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z; printed as RFC 3339 in UTC with whole seconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Unix milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The moment this many milliseconds later (earlier if negative), saturating.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Parses RFC 3339, with or without a fraction, as NetBox prints it.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    /// The calendar day in UTC, `2026-11-20`.
    pub fn day(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.div_euclid(1000)) {
            Ok(moment) => fmt::Display::fmt(&moment, f),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_rfc3339() {
        let moment = Timestamp::parse("2026-11-20T10:52:00.123456Z").unwrap();
        assert_eq!(moment.to_string(), "2026-11-20T10:52:00Z");
        assert_eq!(moment.millis() % 1000, 123);
        assert_eq!(moment.day(), "2026-11-20");
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
