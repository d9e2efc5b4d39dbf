//! Points in time as Go writes them: RFC 3339 with the offset kept and trailing zeros dropped.
//!
//! Never loses the offset, and reads the clock in [`Timestamp::now`] only.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

const YEAR_ONE: Date = match Date::from_ordinal_date(1, 1) {
    Ok(date) => date,
    Err(_) => Date::MIN,
};

/// An instant, to the nanosecond, with the UTC offset in which it was written.
///
/// Two timestamps are **equal when their instants are**, whatever their offsets (as Go's `time.Time.Equal`), and
/// they order as their instants do. The text is that of Go's `time.RFC3339Nano`: years 0001 to 9999, at most nine
/// fraction digits, trailing zeros dropped, a zero offset written `Z`.
///
/// ```
/// use cache_model::Timestamp;
/// let a: Timestamp = "2026-01-02T03:04:05.120Z".parse()?;
/// let b: Timestamp = "2026-01-02T04:04:05.12+01:00".parse()?;
/// assert_eq!(a, b);
/// assert_eq!(a.to_string(), "2026-01-02T03:04:05.12Z");
/// assert_eq!(b.to_string(), "2026-01-02T04:04:05.12+01:00");
///
/// let now = Timestamp::now();
/// let time = std::time::SystemTime::try_from(now)?;
/// assert_eq!(Timestamp::try_from(time)?, now);
/// # Ok::<(), cache_model::TimestampError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Timestamp(OffsetDateTime);

/// Why something is not a timestamp, or has none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// A text that does not have the form of RFC 3339.
    #[error("{0:?} is not a timestamp such as 2026-01-02T03:04:05.678Z (RFC 3339)")]
    Form(String),
    /// A system time outside the years 0001 to 9999.
    #[error("the time is outside the years 0001 to 9999")]
    Range,
    /// An instant that this platform's `SystemTime` cannot hold.
    #[error("this platform's system time cannot hold {0}")]
    Platform(Timestamp),
}

impl Timestamp {
    /// Go's zero time, `0001-01-01T00:00:00Z`.
    pub const ZERO: Self = Self(PrimitiveDateTime::new(YEAR_ONE, Time::MIDNIGHT).assume_utc());

    /// The timestamp of a number of seconds and nanoseconds since 1970-01-01T00:00:00Z, written in UTC.
    ///
    /// `None` outside the years 0001 to 9999.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let whole = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        let instant = whole.replace_nanosecond(nanoseconds).ok()?;
        (1..=9999).contains(&instant.year()).then_some(Self(instant))
    }

    /// The time of the system's clock, in UTC.
    pub fn now() -> Self {
        Self(OffsetDateTime::now_utc())
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn unix_seconds(&self) -> i64 {
        self.0.unix_timestamp()
    }

    /// The nanoseconds after [`unix_seconds`](Self::unix_seconds), below 1,000,000,000.
    pub fn subsec_nanoseconds(&self) -> u32 {
        self.0.nanosecond()
    }

    /// Whether this is the instant of Go's zero time.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// Orders by instant, then by text. [`Ord`] compares the instants only.
    pub fn cmp_with_text(&self, other: &Self) -> Ordering {
        self.cmp(other).then_with(|| {
            if self.0.offset() == other.0.offset() {
                Ordering::Equal
            } else {
                self.to_string().cmp(&other.to_string())
            }
        })
    }

    /// Appends the text to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let t = self.0;
        let year = u32::try_from(t.year()).unwrap_or(0);
        push_digits(out, year, 4);
        out.push(b'-');
        push_digits(out, u32::from(u8::from(t.month())), 2);
        out.push(b'-');
        push_digits(out, u32::from(t.day()), 2);
        out.push(b'T');
        push_digits(out, u32::from(t.hour()), 2);
        out.push(b':');
        push_digits(out, u32::from(t.minute()), 2);
        out.push(b':');
        push_digits(out, u32::from(t.second()), 2);
        let (mut fraction, mut width) = (t.nanosecond(), 9);
        if fraction != 0 {
            while fraction % 10 == 0 {
                fraction /= 10;
                width -= 1;
            }
            out.push(b'.');
            push_digits(out, fraction, width);
        }
        let minutes = i32::from(t.offset().whole_minutes());
        if minutes == 0 {
            out.push(b'Z');
        } else {
            out.push(if minutes < 0 { b'-' } else { b'+' });
            push_digits(out, minutes.unsigned_abs() / 60, 2);
            out.push(b':');
            push_digits(out, minutes.unsigned_abs() % 60, 2);
        }
    }
}

/// Appends `value` with leading zeros to `width` digits.
fn push_digits(out: &mut Vec<u8>, mut value: u32, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for slot in out.iter_mut().skip(start).rev() {
        *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Whether the text has RFC 3339's shape as Go insists on it: upper-case `T` and `Z`, no leap second.
fn has_go_shape(text: &[u8]) -> bool {
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(want, got): (&u8, &u8)| if *want == b'd' { got.is_ascii_digit() } else { want == got };
    let Some((head, tail)) = text.split_at_checked(pattern.len()) else { return false };
    if !pattern.iter().zip(head).all(fits) || head.ends_with(b"60") {
        return false;
    }
    let tail = match tail.split_first() {
        Some((b'.', rest)) => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            rest.get(digits..).unwrap_or_default()
        }
        _ => tail,
    };
    match tail {
        [b'Z'] => true,
        [b'+' | b'-', rest @ ..] => rest.len() == 5 && b"dd:dd".iter().zip(rest).all(fits),
        _ => false,
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let error = || TimestampError::Form(text.to_owned());
        if !has_go_shape(text.as_bytes()) || text.starts_with("0000") {
            return Err(error());
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| error())?;
        // The shape has no seconds in the offset, so none are lost.
        Ok(Self(if parsed.offset().is_utc() { parsed.replace_offset(UtcOffset::UTC) } else { parsed }))
    }
}

impl TryFrom<&str> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: &str) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(35);
        self.write_to(&mut out);
        f.pad(&String::from_utf8_lossy(&out))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = TimestampError;

    /// The same instant, in UTC. An error outside the years 0001 to 9999.
    fn try_from(time: SystemTime) -> Result<Self, TimestampError> {
        let instant = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).ok().map(|seconds| (seconds, after.subsec_nanos())),
            // Seconds round down, so that nanoseconds count from them upwards.
            Err(error) => {
                let before = error.duration();
                let (seconds, nanoseconds) = (before.as_secs(), before.subsec_nanos());
                let (seconds, nanoseconds) =
                    if nanoseconds == 0 { (seconds, 0) } else { (seconds + 1, 1_000_000_000 - nanoseconds) };
                0i64.checked_sub_unsigned(seconds).map(|seconds| (seconds, nanoseconds))
            }
        };
        let timestamp = instant.and_then(|(seconds, nanoseconds)| Self::from_unix(seconds, nanoseconds));
        timestamp.ok_or(TimestampError::Range)
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampError;

    /// The same instant. An error where the platform's range is smaller: that of Windows begins in 1601. It
    /// has steps of 100 ns, so a finer part is cut off there.
    fn try_from(timestamp: Timestamp) -> Result<Self, TimestampError> {
        let seconds = timestamp.unix_seconds();
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            Self::UNIX_EPOCH.checked_sub(whole)
        } else {
            Self::UNIX_EPOCH.checked_add(whole)
        };
        let fraction = Duration::from_nanos(timestamp.subsec_nanoseconds().into());
        time.and_then(|time| time.checked_add(fraction)).ok_or(TimestampError::Platform(timestamp))
    }
}

impl Default for Timestamp {
    /// Go's zero time, [`Timestamp::ZERO`].
    fn default() -> Self {
        Self::ZERO
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Hash for Timestamp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first second of a `SystemTime`.
    const SYSTEM_TIME_BEGINS: i64 = if cfg!(windows) { -11_644_473_600 } else { -62_135_596_800 };

    /// Checks that `text` is written back as `want`, or is refused if that is `None`, as Go refuses it.
    fn check(text: &str, want: Option<&str>) {
        assert_eq!(text.parse::<Timestamp>().ok().map(|t| t.to_string()).as_deref(), want, "{text}");
    }

    #[test]
    fn texts_are_read_and_written_as_go_does() {
        check("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05Z"));
        check("2026-01-02T03:04:05.120Z", Some("2026-01-02T03:04:05.12Z"));
        check("2026-01-02T03:04:05.000Z", Some("2026-01-02T03:04:05Z"));
        check("2026-01-02T03:04:05.123456789+05:30", Some("2026-01-02T03:04:05.123456789+05:30"));
        check("2026-01-02T03:04:05.1234567899Z", Some("2026-01-02T03:04:05.123456789Z"));
        check("2033-10-03T13:31:32-11:30", Some("2033-10-03T13:31:32-11:30"));
        check("2026-01-02T03:04:05+00:00", Some("2026-01-02T03:04:05Z"));
        check("2026-01-02T03:04:05-00:00", Some("2026-01-02T03:04:05Z"));
        check("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z"));
        check("0001-01-01T00:00:00+23:00", Some("0001-01-01T00:00:00+23:00"));
        check("9999-12-31T23:59:59.999999999-23:59", Some("9999-12-31T23:59:59.999999999-23:59"));
        for bad in [
            "",
            "now",
            "2026-01-02",
            "2026-01-02t03:04:05Z",
            "2026-01-02T03:04:05z",
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04:60Z",
            "2026-02-30T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05,5Z",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05+0530",
            "2026-01-02T03:04:05Z ",
            "12026-01-02T03:04:05Z",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn the_zero_time_is_year_one() {
        assert_eq!(Timestamp::ZERO.to_string(), "0001-01-01T00:00:00Z");
        assert!("0001-01-01T01:00:00+01:00".parse::<Timestamp>().unwrap().is_zero());
        assert!(!"0001-01-01T00:00:00+01:00".parse::<Timestamp>().unwrap().is_zero());
    }

    #[test]
    fn one_instant_in_two_offsets_is_equal_and_orders_by_text() {
        let a: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let b: Timestamp = "2026-01-02T01:00:00+01:00".parse().unwrap();
        assert_eq!(a, b);
        assert_eq!(a.cmp_with_text(&b), Ordering::Less);
        assert_ne!(a, "2026-01-02T00:00:00.000000001Z".parse().unwrap());
    }

    #[test]
    fn a_time_that_the_other_side_cannot_hold_is_an_error() {
        let beyond = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(253_402_300_800)).unwrap();
        assert_eq!(Timestamp::try_from(beyond), Err(TimestampError::Range));
        let before = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(62_135_596_801));
        assert!(before.is_none_or(|before| Timestamp::try_from(before) == Err(TimestampError::Range)));
        assert!(Timestamp::now() > Timestamp::from_unix(1_700_000_000, 0).unwrap());
    }

    proptest! {
        /// Law: a printed time reads back to the same instant and the same text; seconds are rounded down.
        #[test]
        fn written_text_reads_back(seconds in -62_135_596_800i64..253_402_300_799, nanos in 0u32..1_000_000_000) {
            let t = Timestamp::from_unix(seconds, nanos).unwrap();
            let back: Timestamp = t.to_string().parse().unwrap();
            prop_assert_eq!(back, t);
            prop_assert_eq!(back.to_string(), t.to_string());
            prop_assert_eq!((back.unix_seconds(), back.subsec_nanoseconds()), (seconds, nanos));
            prop_assert_eq!(Timestamp::try_from(t.to_string().as_str()), Ok(t));
        }

        /// Law: a system time has the same instant, before 1970 and after.
        #[test]
        fn system_times_keep_the_instant(
            seconds in SYSTEM_TIME_BEGINS..253_402_300_799,
            nanos in prop_oneof![Just(0u32), 0u32..1_000_000_000],
        ) {
            let nanos = if cfg!(windows) { nanos - nanos % 100 } else { nanos };
            let t = Timestamp::from_unix(seconds, nanos).unwrap();
            prop_assert_eq!(SystemTime::try_from(t).and_then(Timestamp::try_from), Ok(t));
        }
    }
}
