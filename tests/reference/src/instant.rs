//! Instants as numbers.

use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, Time};

/// The instant of a text of RFC 3339, in nanoseconds since 1970. `None` for other texts.
pub fn instant(text: &str) -> Option<i128> {
    Some(OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos())
}

/// The last instant of a UTC day, as `2026-11-28`. `None` for other texts.
pub fn last_instant(day: &str) -> Option<i128> {
    let start = instant(&format!("{day}T00:00:00Z"))?;
    let date = Date::from_julian_day(OffsetDateTime::from_unix_timestamp_nanos(start).ok()?.to_julian_day());
    let last = Time::from_hms_nano(23, 59, 59, 999_999_999).ok()?;
    Some(OffsetDateTime::new_utc(date.ok()?, last).unix_timestamp_nanos())
}
