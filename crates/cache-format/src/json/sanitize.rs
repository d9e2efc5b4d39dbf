//! Text that is not quite Unicode, repaired as Go's decoder repairs it.
//!
//! Every byte outside a UTF-8 sequence becomes U+FFFD, and so does every escape of a surrogate without a partner. It
//! never looks at the structure of the text: invalid JSON stays invalid.

/// The text with both kinds of damage replaced; `None` for a clean text.
pub(crate) fn sanitize(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(bytes.len());
    let mut damaged = false;
    for chunk in bytes.utf8_chunks() {
        clean.extend_from_slice(chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            damaged = true;
            clean.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
    damaged |= replace_lone_surrogates(&mut clean);
    damaged.then_some(clean)
}

/// Replaces each lone `\ud800` to `\udfff` by `\ufffd`, which is six bytes long as well.
fn replace_lone_surrogates(text: &mut [u8]) -> bool {
    let mut replaced = false;
    let mut rest = text;
    loop {
        let Some(at) = rest.iter().position(|byte| *byte == b'\\') else { return replaced };
        rest = rest.split_at_mut(at).1;
        let skip = match unit(rest) {
            None => 2,
            Some(0xD800..=0xDBFF) if rest.get(6..).and_then(unit).is_some_and(is_low) => 12,
            Some(0xD800..=0xDFFF) => {
                if let Some(digits) = rest.get_mut(2..6) {
                    digits.copy_from_slice(b"fffd");
                }
                replaced = true;
                6
            }
            Some(_) => 6,
        };
        rest = rest.get_mut(skip..).unwrap_or_default();
    }
}

fn is_low(unit: u16) -> bool {
    (0xDC00..=0xDFFF).contains(&unit)
}

/// The UTF-16 unit, if the text starts with an escape `\uXXXX`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0u16, |unit, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JSON string's inside, and the text that Go reads from it.
    fn check(inside: &[u8], want: &str) {
        let quoted = [b"\"", inside, b"\""].concat();
        let clean = sanitize(&quoted).unwrap_or_else(|| quoted.clone());
        assert_eq!(serde_json::from_slice::<String>(&clean).unwrap(), want, "{}", quoted.escape_ascii());
    }

    #[test]
    fn every_invalid_byte_becomes_a_replacement_character() {
        check(b"a\xffb", "a\u{FFFD}b");
        check(b"\xf0\x9f\x98", "\u{FFFD}\u{FFFD}\u{FFFD}");
        check(b"\xe2\x82A", "\u{FFFD}\u{FFFD}A");
        check(b"\xed\xa0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}");
        check("é☃😀".as_bytes(), "é☃😀");
    }

    #[test]
    fn a_surrogate_without_partner_becomes_a_replacement_character() {
        check(br"\ud800", "\u{FFFD}");
        check(br"\uDC00x", "\u{FFFD}x");
        check(br"\ud800\u0041", "\u{FFFD}A");
        check(br"\ud83d\ude00", "😀");
        check(br"\ud83d\ud83d\uDE00", "\u{FFFD}😀");
        check(br"\ude00\ud83d", "\u{FFFD}\u{FFFD}");
        check(br"\\ud800", r"\ud800");
        check(br"\\\ud800\n", "\\\u{FFFD}\n");
    }

    #[test]
    fn clean_text_is_left_alone() {
        assert_eq!(sanitize(br#"{"a":"\ud83d\ude00 \\ud800 \u00e9"}"#), None);
        assert_eq!(sanitize(b""), None);
        assert_eq!(sanitize(b"\\"), None);
        assert_eq!(sanitize(b"\\u12"), None);
    }
}
