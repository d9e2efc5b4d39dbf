//! Compact JSON spread over lines, as Go's `json.MarshalIndent` does with two spaces.
//!
//! For the output of this crate's writers: it never checks that a text is JSON.

/// The text with one member or item a line; empty objects and lists stay `{}` and `[]`.
pub(crate) fn indented(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut rest = compact.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                if let Some(close) = rest.next_if(|next| matches!(next, b'}' | b']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(depth, &mut out);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(depth, &mut out);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(depth, &mut out);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out
}

fn new_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_members_and_items_and_never_inside_strings() {
        let compact = br#"{"a":[1,{"b":"{,:\"}\\"},[]],"c":{}}"#;
        let want = "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"{,:\\\"}\\\\\"\n    },\n    []\n  ],\n  \"c\": {}\n}";
        assert_eq!(String::from_utf8(indented(compact)).unwrap(), want);
    }
}
