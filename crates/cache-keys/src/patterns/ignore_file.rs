//! The lines of an ignore file as patterns, as BuildKit reads `.dockerignore` (moby/patternmatcher, `ignorefile`).

use crate::go_path::clean;

/// The patterns in an ignore file. A line with `#` in front is a comment; spaces around a pattern, and one `/` in front of it,
/// do not count; a `!` in front makes it an exception.
///
/// ```
/// use cache_keys::ignore_patterns;
/// assert_eq!(ignore_patterns(b"# made here\n/out/\n! out/keep.txt\n"), ["out", "!out/keep.txt"]);
/// ```
pub fn ignore_patterns(file: &[u8]) -> Vec<String> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
    lines.filter_map(|line| ignore_pattern(&go_text(line))).collect()
}

fn ignore_pattern(line: &str) -> Option<String> {
    let line = line.trim();
    let (sign, pattern) = match line.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", line),
    };
    if pattern.is_empty() {
        return (!sign.is_empty()).then(|| sign.to_owned());
    }
    let cleaned = clean(pattern);
    let relative = cleaned.strip_prefix('/').filter(|rest| !rest.is_empty()).unwrap_or(&cleaned);
    Some(format!("{sign}{relative}"))
}

/// Bytes as a text. Each byte that is no UTF-8 is a U+FFFD of its own, as in Go.
pub(super) fn go_text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::ignore_patterns;

    #[test]
    fn lines_are_read_as_buildkit_reads_them() {
        let file = b"\xef\xbb\xbf# comment\r\n  # none\r\n/a/b/\r\n\n ! /c//d \n!\n/\n./e\n../f\n  \n\xff\xfeg\n\"h\"";
        let patterns = ["# none", "a/b", "!c/d", "!", "/", "e", "../f", "\u{fffd}\u{fffd}g", "\"h\""];
        assert_eq!(ignore_patterns(file), patterns);
    }
}
