//! Prefixes by which other tools choose a kind of store, as in `docker://` and `oci:`, and the spelling without them.
//!
//! A target with such a prefix is never opened: the same letters mean different things to different tools.

use std::path::Path;

use crate::error::TargetError;
use crate::reference::Reference;

/// The prefixes of registries, before `//`. `oci://` is Helm's.
const REGISTRIES: [&str; 5] = ["docker", "http", "https", "oci", "registry"];
/// The prefixes of folders, with or without `//`.
const FOLDERS: [&str; 4] = ["oci", "oci-layout", "dir", "file"];
/// The prefixes of stores that are neither, with or without `//`.
const OTHERS: [&str; 8] = [
    "atomic",
    "containers-storage",
    "docker-archive",
    "docker-daemon",
    "oci-archive",
    "ostree",
    "sif",
    "tarball",
];

/// The error for a text with the prefix of another tool; `None` for any other text, and where the prefix is a path that
/// exists.
pub(crate) fn refusal(text: &str, exists: &dyn Fn(&Path) -> bool) -> Option<TargetError> {
    let (prefix, rest) =
        text.split_once(':').filter(|(prefix, _)| !exists(Path::new(prefix)) && !exists(Path::new(text)))?;
    let (rest, has_slashes) = match rest.strip_prefix("//") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let shown = if has_slashes { format!("{prefix}://") } else { format!("{prefix}:") };
    // `registry:2` is an image.
    let is_registry = has_slashes || (["docker", "registry"].contains(&prefix) && rest.contains('/'));
    let instead = if is_registry && REGISTRIES.contains(&prefix) {
        format!("a registry is named without {shown}, as in {}", reference(rest))
    } else if FOLDERS.contains(&prefix) {
        format!("a folder is named without {shown}, as in {}", folder(rest))
    } else if OTHERS.contains(&prefix) {
        format!("a cache is read from a folder or a registry, not from {shown}")
    } else if has_slashes {
        format!("use type= to name a store, not {shown}")
    } else {
        return None;
    };
    Some(TargetError::usage(format_args!("`{text}`: {instead}")))
}

/// A reference with its host.
fn reference(text: &str) -> String {
    match text.trim_end_matches('/').parse::<Reference>() {
        Ok(reference) => reference.to_string(),
        Err(_) => "registry.example.com/app".to_owned(),
    }
}

/// A path that no one takes for a reference.
fn folder(text: &str) -> String {
    match text {
        "" => "./cache".to_owned(),
        _ if text.starts_with(['/', '.', '~']) => text.to_owned(),
        _ => format!("./{text}"),
    }
}
