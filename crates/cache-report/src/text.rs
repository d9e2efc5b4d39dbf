//! Sizes, ages, digests and foreign text, as people read them.
//!
//! Nothing here knows caches.

use std::time::{SystemTime, UNIX_EPOCH};

use cache_model::{Digest, OneLine, Timestamp, count};
use humansize::{BINARY, format_size};

/// The most characters of an algorithm's name in front of a digest.
const LONGEST_ALGORITHM: usize = 32;
/// The number of characters of a digest that are shown.
const SHORT: usize = 12;

/// A size in bytes for people, as in `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    format_size(bytes, BINARY)
}

/// The time since `time` in its largest unit, as in `3 days`; `0 seconds` for a time in the future.
pub fn age(time: Timestamp, now: SystemTime) -> String {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = u64::try_from(time.unix_seconds()).map_or(now, |then| now.saturating_sub(then));
    let units = [("year", 31_557_600), ("day", 86_400), ("hour", 3600), ("minute", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds >= *length);
    let (noun, length) = unit.unwrap_or(("second", 1));
    count(seconds / length, noun)
}

/// A time in UTC, without the fraction of its second.
pub fn seconds(time: Timestamp) -> String {
    Timestamp::from_unix(time.unix_seconds(), 0).unwrap_or(time).to_string()
}

/// The first twelve hexadecimal digits of a digest: enough to tell the blobs of one cache apart.
pub fn short(digest: &Digest) -> String {
    shorten(&digest.to_string())
}

/// [`short`] for the text of a digest, such as a record's; any other text is cut at twelve characters.
pub fn shorten(text: &str) -> String {
    // A text may be as long as a config, and a tree shows it once for each link. So only its beginning is read.
    let colon = text.chars().take(LONGEST_ALGORITHM + 1).position(|c| c == ':');
    let hex: String = text.chars().skip(colon.map_or(0, |colon| colon + 1)).take(SHORT).collect();
    printable(&hex).chars().take(SHORT).collect()
}

/// Foreign text with everything escaped that breaks a line or moves a cursor ([`OneLine`]).
pub fn printable(text: &str) -> String {
    OneLine(text).to_string()
}

/// [`printable`], cut to at most `most` characters, the last of which is `…` if anything was cut.
pub fn cut(text: &str, most: usize) -> String {
    // Each character prints as at least one, so `most + 1` characters suffice to detect a cut.
    let shown = printable(&text.chars().take(most.saturating_add(1)).collect::<String>());
    if shown.chars().count() <= most {
        return shown;
    }
    shown.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// [`cut`], but what follows the last ` (` stays: a size or a form that is more telling than the end of a name.
pub fn fitted(text: &str, most: usize) -> String {
    if text.chars().count() > most
        && let Some((head, tail)) = text.rsplit_once(" (")
        && let Some(room) = most.checked_sub(tail.chars().count() + 2).filter(|room| *room > 0)
    {
        return format!("{} ({tail}", cut(head, room));
    }
    cut(text, most)
}

/// Text filled with spaces up to a width in characters. Format strings limit the width to 65,535; this does not.
pub fn padded(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(spaces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_the_largest_unit_that_fits() {
        let now = UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
        let ago = |seconds: i64| {
            let then = Timestamp::from_unix(1_800_000_000 - seconds, 0).unwrap();
            age(then, now)
        };
        for (seconds, text) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (7199, "1 hour"),
            (86_400 * 365, "365 days"),
            (86_400 * 366, "1 year"),
        ] {
            assert_eq!(ago(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn a_digest_is_shortened_to_the_beginning_of_its_hash() {
        let (long, colon) = ("x".repeat(1_000_000), format!("{}:hash", "x".repeat(33)));
        for (text, short) in [
            ("sha256:0123456789abcdef", "0123456789ab"),
            ("base", "base"),
            ("sha256:\n\n", r"\n\n"),
            (":", ""),
            (&long, "xxxxxxxxxxxx"),
            (&colon, "xxxxxxxxxxxx"),
        ] {
            assert_eq!(shorten(text), short);
        }
    }

    #[test]
    fn a_text_is_cut_at_the_given_number_of_characters() {
        for (text, shown) in
            [("", ""), ("abcd", "abcd"), ("abcde", "abc…"), ("ab\n", "ab\\n"), ("abc\n", "abc…")]
        {
            assert_eq!(cut(text, 4), shown, "{text:?}");
        }
        assert_eq!(cut(&"x".repeat(1_000_000), 100).chars().count(), 100);
    }

    #[test]
    fn a_text_is_fitted_in_front_of_its_last_parenthesis() {
        for (text, most, shown) in [
            ("sha256:0123 (5 B)", 17, "sha256:0123 (5 B)"),
            ("sha256:0123 (5 B)", 14, "sha256:… (5 B)"),
            ("sha256:0123 (5 B)", 6, "sha25…"),
            ("a name", 4, "a n…"),
        ] {
            assert_eq!(fitted(text, most), shown);
        }
    }

    #[test]
    fn a_time_is_shown_to_the_second_in_utc() {
        let time: Timestamp = "2026-11-24T02:33:29.842413024+02:00".parse().unwrap();
        assert_eq!(seconds(time), "2026-11-24T00:33:29Z");
    }

    #[test]
    fn a_column_may_have_any_width() {
        for (text, width, shown) in
            [("a", 3, "a  "), ("ü…", 3, "ü… "), ("abc", 3, "abc"), ("abcd", 3, "abcd")]
        {
            assert_eq!(padded(text, width), shown);
        }
        assert_eq!(padded("a", 100_000).len(), 100_000);
    }
}
