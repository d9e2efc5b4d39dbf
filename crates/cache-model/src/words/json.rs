//! JSON texts as Go's `encoding/json` writes them.
//!
//! It is part of the model because BuildKit orders descriptors by their JSON texts. It only writes texts, numbers, lists
//! and objects, and never reads.

/// Appends `text` as a JSON string with the escapes of Go's encoder: `<`, `>`, `&`, U+2028 and U+2029 as `\u003c`…,
/// control characters as `\n`, `\t`, `\r`, `\b`, `\f` or `\u00XX`, all other text as it is.
///
/// ```
/// let mut out = Vec::new();
/// cache_model::json::push_string("<a> & \"b\"", &mut out);
/// assert_eq!(out, br#""\u003ca\u003e \u0026 \"b\"""#);
/// ```
pub fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    // Most texts need no escape. The compiler vectorizes a fold over all bytes, but not a search.
    let mut rest = text;
    if !text.bytes().fold(false, |found, byte| found | may_be_special(byte)) {
        out.extend_from_slice(text.as_bytes());
        rest = "";
    }
    while let Some((plain, special, after)) = split_special(rest) {
        out.extend_from_slice(plain.as_bytes());
        push_escape(special, out);
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Whether a character that needs an escape may start with this byte: 0xE2 opens U+2028 and U+2029, and others.
fn may_be_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xE2)
}

/// The text before the first character that needs an escape, that character, and the text after it.
fn split_special(text: &str) -> Option<(&str, char, &str)> {
    let mut from = 0;
    loop {
        let bytes = text.as_bytes().get(from..)?;
        let at = from + bytes.iter().position(|b| may_be_special(*b))?;
        let (plain, tail) = text.split_at_checked(at)?;
        let special = tail.chars().next()?;
        if special.is_ascii() || matches!(special, '\u{2028}' | '\u{2029}') {
            return Some((plain, special, tail.get(special.len_utf8()..)?));
        }
        from = at + special.len_utf8();
    }
}

fn push_escape(special: char, out: &mut Vec<u8>) {
    match special {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        other => out.extend_from_slice(format!("\\u{:04x}", u32::from(other)).as_bytes()),
    }
}

/// Appends a number in decimal digits.
pub fn push_number(value: impl Into<i128>, out: &mut Vec<u8>) {
    let value: i128 = value.into();
    if value < 0 {
        out.push(b'-');
    }
    match u64::try_from(value.unsigned_abs()) {
        Ok(small) => push_digits(small, out),
        Err(_) => out.extend_from_slice(value.unsigned_abs().to_string().as_bytes()),
    }
}

/// Appends the decimal digits of a 64-bit number. A 128-bit division would cost more than everything else here.
fn push_digits(mut rest: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        // The remainder is below 10, so it fits the lowest byte.
        *slot = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Writes the members of one JSON object, keeping track of the comma.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Appends a member's key and gives the output, to which the caller appends exactly one value.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        push_string(key, self.out);
        self.out.push(b':');
        self.out
    }

    /// [`Object::key`] for a key that needs no escapes, which is not searched for any.
    #[inline]
    pub fn plain_key(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.out.extend_from_slice(if self.first { b"\"" } else { b",\"" });
        self.first = false;
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Appends a member with a string.
    pub fn string(&mut self, key: &str, value: &str) {
        push_string(value, self.key(key));
    }

    /// Appends a member with a string, unless the string is empty (Go's `omitempty`).
    pub fn string_unless_empty(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.string(key, value);
        }
    }

    /// Appends a member with a list of strings, unless the list is empty.
    pub fn strings_unless_empty(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            push_list(values, self.key(key), |value, out| push_string(value, out));
        }
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// Appends a JSON array; `push` writes each item.
pub fn push_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut push: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (n, item) in items.into_iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        push(item, out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        push_string(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_have_the_escapes_of_go() {
        assert_eq!(string("plain é ☃ 😀 \u{7f}"), "\"plain é ☃ 😀 \u{7f}\"");
        assert_eq!(string("<&>"), r#""\u003c\u0026\u003e""#);
        assert_eq!(string("\u{2028}é\u{2029}\u{2027}"), "\"\\u2028é\\u2029\u{2027}\"");
        assert_eq!(string("\u{8}\u{c}\n\r\t\u{0}\u{1f}\"\\/"), r#""\b\f\n\r\t\u0000\u001f\"\\/""#);
    }

    #[test]
    fn a_list_has_commas_between_its_items() {
        for (items, text) in [(&[][..], "[]"), (&[1], "[1]"), (&[1, 2, 3], "[1,2,3]")] {
            let mut out = Vec::new();
            push_list(items, &mut out, |n, out| push_number(*n, out));
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for n in [0i64, 7, -1, 10, 1_099_511_627_776, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            push_number(n, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
        for n in [i128::MIN, i128::from(u64::MAX), i128::from(u64::MAX) + 1, i128::MAX] {
            let mut out = Vec::new();
            push_number(n, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
    }
}
