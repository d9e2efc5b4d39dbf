//! The values of `--older-than`: an age such as `14d`, or an instant.

use std::fmt;
use std::time::Duration;

use cache_model::Timestamp;

use crate::cli::values::parse_age;
use crate::failure::Failure;

/// What counts as old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgeLimit {
    /// As it was typed.
    text: String,
    bound: AgeBound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AgeBound {
    /// This long before now.
    Age(Duration),
    /// At that instant.
    Instant(Timestamp),
}

impl AgeLimit {
    /// The instant before which everything is old.
    pub(crate) fn instant(&self, now: Timestamp) -> Timestamp {
        match self.bound {
            AgeBound::Instant(instant) => instant,
            AgeBound::Age(age) => before(now, age),
        }
    }

    /// The instant before which everything is old, which must not be in the future: everything would be old.
    pub(crate) fn past_instant(&self, now: Timestamp) -> Result<Timestamp, Failure> {
        match self.instant(now) {
            instant if instant > now => Err(Failure::Usage(format!(
                "--older-than {self} is in the future, so that everything would go; now is {now}"
            ))),
            instant => Ok(instant),
        }
    }
}

impl fmt::Display for AgeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The instant that lies this long before another; the first of all where time does not go back so far.
fn before(now: Timestamp, age: Duration) -> Timestamp {
    let seconds = i64::try_from(age.as_secs()).ok().and_then(|age| now.unix_seconds().checked_sub(age));
    let instant = seconds.and_then(|seconds| Timestamp::from_unix(seconds, now.subsec_nanoseconds()));
    instant.unwrap_or(Timestamp::ZERO)
}

/// An age, a date (its beginning in UTC), or an instant of RFC 3339.
pub(crate) fn parse_age_limit(text: &str) -> Result<AgeLimit, String> {
    let midnight = || format!("{text}T00:00:00Z").parse().ok();
    let instant = text.parse().ok().or_else(midnight).map(AgeBound::Instant);
    let bound = match instant {
        Some(instant) => instant,
        None => match parse_age(text) {
            Ok(Duration::ZERO) => return Err("the age is zero, so that everything would go".to_owned()),
            Ok(age) => AgeBound::Age(age),
            Err(error) => return Err(format!("{error}; or give a date such as 2026-11-28")),
        },
    };
    Ok(AgeLimit { text: text.to_owned(), bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-28T12:00:00.5Z";

    fn instant(text: &str) -> String {
        let instant = parse_age_limit(text).unwrap().past_instant(NOW.parse().unwrap());
        instant.map_or_else(|failure| failure.line().unwrap(), |instant| instant.to_string())
    }

    #[test]
    fn an_age_counts_back_from_now() {
        for (text, expected) in [
            ("30s", "2026-11-28T11:59:30.5Z"),
            ("2 m", "2026-11-28T11:58:00.5Z"),
            ("12h", "2026-11-28T00:00:00.5Z"),
            ("14d", "2026-11-14T12:00:00.5Z"),
            ("2w", "2026-11-14T12:00:00.5Z"),
            ("9999999w", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn a_date_begins_at_midnight_and_an_instant_is_exact() {
        assert_eq!(instant("2026-11-01"), "2026-11-01T00:00:00Z");
        assert_eq!(instant("2026-11-01T03:04:05.6+01:00"), "2026-11-01T03:04:05.6+01:00");
        assert_eq!(instant("2026-11-28"), "2026-11-28T00:00:00Z");
        let future = "--older-than 2026-11-29 is in the future, so that everything would go; now is 2026-11-28T12:00:00.5Z";
        assert_eq!(instant("2026-11-29"), future);
    }

    #[test]
    fn what_is_neither_is_refused() {
        let refused = |text| parse_age_limit(text).unwrap_err();
        let or_a_date = "; or give a date such as 2026-11-28";
        assert_eq!(refused("14"), format!("the unit is missing: 14d are days, 14h hours{or_a_date}"));
        for bad in ["", "d", "-1d", "1.5d", "14ms", "2026-13-01", "2026-11-01T00:00:00", "yesterday"] {
            assert!(refused(bad).starts_with("expected an age such as 14d"), "{bad}: {}", refused(bad));
        }
        assert_eq!(refused("0d"), "the age is zero, so that everything would go");
    }
}
