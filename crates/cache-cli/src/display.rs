//! How sizes, digests and numbers are shown.

use cache_model::Digest;
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

/// The first twelve digits of a digest: enough to tell the blobs of one cache apart.
pub(crate) fn short(digest: &Digest) -> String {
    shorten(&digest.to_string())
}

/// The same of any digest's text; of a text that is none the text, cut.
pub(crate) fn shorten(text: &str) -> String {
    let hex = text.split_once(':').map_or(text, |(_, hex)| hex);
    printable(hex).chars().take(12).collect()
}

/// Text from outside, so that it neither breaks a line nor moves the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(count(1, "blob"), "1 blob");
        assert_eq!(count(2, "blob"), "2 blobs");
    }
}
