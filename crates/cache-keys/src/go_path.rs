//! Paths as texts, in the way of Go's `path` package.

/// A path without empty parts and `.`; each `..` takes away the part before it. The empty path is `.` (Go's `path.Clean`).
pub(crate) fn clean(path: &str) -> String {
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

/// The clean form of a path as if it stood below the root (Go's `path.Join("/", path)`).
pub(crate) fn clean_absolute(path: &str) -> String {
    clean(&format!("/{path}"))
}

/// The paths that stand below no other, each once, in the order of bytes.
pub(crate) fn topmost(mut paths: Vec<String>) -> Vec<String> {
    // A path comes right before the paths below it if `/` is the smallest byte.
    paths.sort_unstable_by(|a, b| by_parts(a).cmp(by_parts(b)).then_with(|| a.cmp(b)));
    paths.dedup_by(|path, top| is_at_or_below(path, top));
    paths.sort_unstable();
    paths
}

fn by_parts(path: &str) -> impl Iterator<Item = u8> {
    // The root has no name after its slash.
    let path = if path == "/" { "" } else { path };
    path.bytes().map(|byte| if byte == b'/' { 0 } else { byte })
}

fn is_at_or_below(path: &str, top: &str) -> bool {
    let rest = path.strip_prefix(top);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || top.ends_with('/'))
}

/// The last part of a path (Go's `path.Base`): `/` of the root, `.` of an empty text.
pub(crate) fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        path => path.rsplit('/').next().unwrap_or(path),
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
