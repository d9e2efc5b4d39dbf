//! How sizes, digests and numbers are shown.

use std::time::{SystemTime, UNIX_EPOCH};

use cache_model::{Digest, OneLine, Timestamp};
use humansize::{BINARY, format_size};

/// A size in bytes for people, as in `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    format_size(bytes, BINARY)
}

/// A number with its noun, as in `1 blob` and `2 blobs`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(number)) }
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long ago a time was, in its largest unit, as in `3 days`; `0 seconds` for one that is to come.
pub(crate) fn age(time: Timestamp, now: SystemTime) -> String {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = u64::try_from(time.unix_seconds()).map_or(now, |then| now.saturating_sub(then));
    let units = [("year", 31_557_600), ("day", 86_400), ("hour", 3600), ("minute", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds >= *length);
    let (noun, length) = unit.unwrap_or(("second", 1));
    count(seconds / length, noun)
}

/// The first twelve digits of a digest: enough to tell the blobs of one cache apart.
pub(crate) fn short(digest: &Digest) -> String {
    shorten(&digest.to_string())
}

/// The same of any digest's text; of a text that is none the text, cut.
pub(crate) fn shorten(text: &str) -> String {
    let hex = text.split_once(':').map_or(text, |(_, hex)| hex);
    printable(hex).chars().take(12).collect()
}

/// Text from outside, so that it neither breaks a line nor moves what is around it.
pub(crate) fn printable(text: &str) -> String {
    OneLine(text).to_string()
}

/// The same of a text that may be of any length, so that no more than so many characters are shown of it.
pub(crate) fn cut(text: &str, most: usize) -> String {
    // What one character becomes is one at least, so that no more of them are needed to see that there are more.
    let shown = printable(&text.chars().take(most.saturating_add(1)).collect::<String>());
    if shown.chars().count() <= most {
        return shown;
    }
    shown.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Text with spaces behind it up to a width in characters, which may be any: that of a format string may not be.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(spaces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
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
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(count(1, "blob"), "1 blob");
        assert_eq!(count(2, "blob"), "2 blobs");
    }

    #[test]
    fn no_more_of_a_text_is_shown_than_was_asked_for() {
        for (text, shown) in
            [("", ""), ("abcd", "abcd"), ("abcde", "abc…"), ("ab\n", "ab\\n"), ("abc\n", "abc…")]
        {
            assert_eq!(cut(text, 4), shown, "{text:?}");
        }
        assert_eq!(cut(&"x".repeat(1_000_000), 100).chars().count(), 100);
    }

    #[test]
    fn a_column_may_be_of_any_width() {
        for (text, width, shown) in
            [("a", 3, "a  "), ("ü…", 3, "ü… "), ("abc", 3, "abc"), ("abcd", 3, "abcd")]
        {
            assert_eq!(padded(text, width), shown);
        }
        assert_eq!(padded("a", 100_000).len(), 100_000);
    }
}
