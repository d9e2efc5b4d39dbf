//! Numbers in the headers of a tar: octal text, or big-endian binary where the first bit is set.
//!
//! It reads what Go's `archive/tar` reads, since that is what unpacks layers. Overflow is no number.

/// The number in a field. A field that is empty is 0.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => binary(field),
        _ => octal(field),
    }
}

/// A two's complement number, without the first bit.
fn binary(field: &[u8]) -> Option<i64> {
    let is_negative = field.first().is_some_and(|first| first & 0x40 != 0);
    let mut bytes = field.iter().copied();
    let first = bytes.next().map(|first| if is_negative { first } else { first & 0x7f })?;
    let start = if is_negative { -1 } else { 0 };
    std::iter::once(first)
        .chain(bytes)
        .try_fold(start, |number: i64, byte| Some(number.checked_mul(256)? | i64::from(byte)))
}

fn octal(field: &[u8]) -> Option<i64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_padding(byte)).unwrap_or(field.len());
    let digits = field.get(start..)?.split(|byte| *byte == 0).next()?;
    let digits = digits.trim_ascii_end();
    digits.iter().try_fold(0_i64, |number, digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// A decimal number of an extended header.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number| i64::try_from(*number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_numbers_may_be_padded_on_both_sides() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0 644\0", Some(0o644)),
            (b"644\0zzzz", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"    ", Some(0)),
            (b"", Some(0)),
            (b"77777777777", Some(0o77_777_777_777)),
            (b"648", None),
            (b"-1", None),
            (b"6 4", None),
            (b"7777777777777777777777777", None),
        ] {
            assert_eq!(number(field), value, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn binary_numbers_have_a_sign() {
        for (field, value) in [
            (&[0x80, 0, 0, 1][..], Some(1)),
            (&[0x80, 0, 1, 0], Some(256)),
            (&[0xff, 0xff, 0xff, 0xff], Some(-1)),
            (&[0xff, 0xff, 0xff, 0x00], Some(-256)),
            (&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Some(i64::MAX)),
            (&[0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Some(i64::MIN)),
            (&[0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0], None),
            (&[0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None),
        ] {
            assert_eq!(number(field), value, "{field:x?}");
        }
    }

    #[test]
    fn decimal_numbers_are_of_an_extended_header() {
        assert_eq!(decimal(b"9223372036854775807"), Some(i64::MAX as u64));
        for text in [&b"9223372036854775808"[..], b"-1", b"", b"1.5", b"\xff"] {
            assert_eq!(decimal(text), None, "{}", text.escape_ascii());
        }
    }
}
