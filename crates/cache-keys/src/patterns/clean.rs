//! The shortest path that means the same, by its text alone: Go's `path.Clean`.

/// A path without empty parts and `.`; each `..` takes away the part before it. The empty path is `.`.
pub(super) fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_absolute => {}
            _ => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_path_is_cleaned_by_its_text() {
        for (path, cleaned) in [
            ("", "."),
            ("a//b/./c/", "a/b/c"),
            ("/", "/"),
            ("//a/../..", "/"),
            ("../a/../..", "../.."),
            ("a/..", "."),
            ("!a/", "!a"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }
}
