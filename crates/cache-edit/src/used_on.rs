//! Marks of use: the day on which a layer was last used, as an annotation of its descriptor.
//!
//! A cache config says when a result was made, not when a build last used it. A mark is a day, not an instant, so that a
//! cache that did not change keeps its bytes within the day.

use std::fmt;
use std::str::FromStr;

use cache_model::{Descriptor, Timestamp};

/// The key of a layer's annotation. Its value is the UTC day on which the layer was last used, such as `2026-11-28`.
/// BuildKit ignores the annotation.
pub const ANNOTATION_USED: &str = "bkcache/used";

const SECONDS_OF_A_DAY: i64 = 86_400;
const LAST_NANOSECOND: u32 = 999_999_999;

/// A UTC day on which a layer was of use.
///
/// ```
/// use cache_edit::UsedOn;
/// let day = UsedOn::of("2026-11-29T00:30:00+01:00".parse()?);
/// assert_eq!(day.to_string(), "2026-11-28");
/// assert_eq!(day.last_instant().to_string(), "2026-11-28T23:59:59.999999999Z");
/// # Ok::<(), cache_model::TimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsedOn(
    /// The last instant of the day, in UTC.
    Timestamp,
);

/// A text that is not a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a day: it should look like 2026-11-28")]
pub struct UsedOnError(String);

impl UsedOn {
    /// The UTC day of an instant. An instant that lies outside the years 0001 to 9999 in UTC has the nearest day.
    pub fn of(instant: Timestamp) -> Self {
        let seconds = instant.unix_seconds();
        let last_second = seconds - seconds.rem_euclid(SECONDS_OF_A_DAY) + SECONDS_OF_A_DAY - 1;
        let nearest = |seconds: i64| Timestamp::from_unix(seconds, LAST_NANOSECOND);
        let neighbours = [last_second, last_second + SECONDS_OF_A_DAY, last_second - SECONDS_OF_A_DAY];
        Self(neighbours.into_iter().find_map(nearest).unwrap_or(Timestamp::ZERO))
    }

    /// The mark of a layer. An annotation that is not a day is no mark.
    pub fn of_layer(layer: &Descriptor) -> Option<Self> {
        layer.annotations.get(ANNOTATION_USED)?.parse().ok()
    }

    /// The last instant of the day. For what is fresh, a mark counts as this instant.
    pub fn last_instant(self) -> Timestamp {
        self.0
    }
}

impl FromStr for UsedOn {
    type Err = UsedOnError;

    fn from_str(text: &str) -> Result<Self, UsedOnError> {
        let last_instant = format!("{text}T23:59:59.{LAST_NANOSECOND}Z").parse();
        last_instant.map(Self).map_err(|_| UsedOnError(text.to_owned()))
    }
}

impl fmt::Display for UsedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        f.pad(text.split_once('T').map_or(&text, |(day, _)| day))
    }
}

#[cfg(test)]
mod tests {
    use cache_model::MediaType;

    use super::*;

    #[test]
    fn a_day_is_read_and_written() {
        for day in ["2026-11-28", "0001-01-01", "9999-12-31", "2024-02-29"] {
            assert_eq!(day.parse::<UsedOn>().unwrap().to_string(), day);
        }
        for text in
            ["", "2026-11-31", "2026-2-01", "2026-11-28T00:00:00Z", "yesterday", "0000-01-01", "2025-02-29"]
        {
            let error = text.parse::<UsedOn>().unwrap_err();
            assert_eq!(error.to_string(), format!("{text:?} is not a day: it should look like 2026-11-28"));
        }
    }

    #[test]
    fn an_instant_belongs_to_its_day_in_utc() {
        for (instant, day) in [
            ("2026-11-28T00:00:00Z", "2026-11-28"),
            ("2026-11-28T23:59:59.999999999Z", "2026-11-28"),
            ("2026-11-28T23:30:00-01:00", "2026-11-29"),
            ("1969-12-31T12:00:00Z", "1969-12-31"),
            ("0001-01-01T00:00:00+01:00", "0001-01-01"),
            ("9999-12-31T23:30:00-01:00", "9999-12-31"),
        ] {
            assert_eq!(UsedOn::of(instant.parse().unwrap()), day.parse().unwrap(), "{instant}");
        }
    }

    #[test]
    fn a_wrong_date_in_the_annotation_is_no_mark() {
        let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, "a layer");
        assert_eq!(UsedOn::of_layer(&layer), None);
        let marked = |day: &str| UsedOn::of_layer(&layer.clone().with_annotation(ANNOTATION_USED, day));
        assert_eq!(marked("2026-11-28").map(|day| day.to_string()).as_deref(), Some("2026-11-28"));
        assert_eq!(marked("28.11.2026"), None);
    }
}
