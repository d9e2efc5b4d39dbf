//! The small rules that the compiler does not check, over the text of the repository.
//!
//! It reads files and reports findings; it changes no file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::published;

/// Folders of generated files and test data.
const SKIPPED: &[&str] = &["target", "fixtures", "vectors", "corpus", "artifacts"];
/// Folders with Rust code.
const CODE: &[&str] = &["crates", "xtask", "tests", "fuzz"];
/// The greatest length of a source file, in lines: a longer one holds more than one idea.
const LONGEST: usize = 600;
/// The least length of a crate's description, in bytes.
const SHORTEST_DESCRIPTION: usize = 20;

/// Text that code must not contain, and why. Each is split in two, so that this file does not contain it.
const BANNED: &[(&str, &str, &str)] = &[
    ("todo", "!(", "an unfinished place"),
    ("unimplemented", "!(", "an unfinished place"),
    ("dbg", "!(", "left from debugging"),
    ("#[ig", "nore", "a test that never runs"),
    ("TO", "DO", "an unfinished place"),
    ("FIX", "ME", "an unfinished place"),
];

/// The one file that may allow unsafe code: it calls functions compiled for processor features after it has detected
/// them. The text is split in two, as above.
const UNSAFE: (&str, &str, &str) = ("crates/cache-hash/src/x86_64.rs", "unsafe", "_code");

/// How absolute paths of a developer's machine begin. Split in two, as above.
const MACHINE_PATHS: &[(&str, &str)] =
    &[("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("C:\\Us", "ers\\")];

/// One line for each finding, sorted by path.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = published::check(root)?;
    for path in files(root)? {
        let name = display(root, &path);
        if name.ends_with(".snap.new") {
            findings.push(format!("{name}: a snapshot that nobody has reviewed"));
            continue;
        }
        let Some(kind) = Kind::of(&name) else { continue };
        let bytes = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => findings.extend(kind.findings(&name, text, root)),
            Err(_) => findings.push(format!("{name}: is not UTF-8")),
        }
    }
    Ok(findings)
}

/// The kinds of file that have different rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rust,
    CrateManifest,
    Text,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        let in_code = CODE.iter().any(|folder| name.starts_with(&format!("{folder}/")));
        let (_, file) = name.rsplit_once('/').unwrap_or(("", name));
        if file == "Cargo.toml" && in_code {
            return Some(Self::CrateManifest);
        }
        match file.rsplit_once('.') {
            Some((_, "rs")) if in_code => Some(Self::Rust),
            Some((_, "md" | "toml" | "rs" | "sh" | "yml" | "yaml")) => Some(Self::Text),
            _ if name.starts_with(".ci/") => Some(Self::Text),
            _ => None,
        }
    }

    fn findings(self, name: &str, text: &str, root: &Path) -> Vec<String> {
        let mut findings = lines(name, text, root, self);
        match self {
            Self::Rust => findings.extend(rust(name, text)),
            Self::CrateManifest => findings.extend(manifest(name, text)),
            Self::Text => {}
        }
        findings
    }
}

/// The rules for single lines.
fn lines(name: &str, text: &str, root: &Path, kind: Kind) -> Vec<String> {
    let mut findings = Vec::new();
    let checkout = root.to_str().filter(|path| path.matches('/').count() > 1);
    for (number, line) in (1..).zip(text.lines()) {
        let mut find = |what: &str| findings.push(format!("{name}:{number}: {what}"));
        if line.ends_with([' ', '\t', '\r']) {
            find("white space at the end of the line");
        }
        let at_home = MACHINE_PATHS.iter().any(|(a, b)| line.contains(&format!("{a}{b}")));
        if at_home || checkout.is_some_and(|path| line.contains(path)) {
            find("a path of one machine");
        }
        if kind == Kind::Rust {
            for (a, b, why) in BANNED {
                if line.contains(&format!("{a}{b}")) {
                    find(&format!("{a}{b}: {why}"));
                }
            }
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(format!("{name}: does not end with a line break"));
    }
    findings
}

/// The rules for a Rust file as a whole.
fn rust(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if !text.starts_with("//! ") {
        findings.push(format!("{name}: does not open with `//!`"));
    }
    let (allowed, a, b) = UNSAFE;
    if text.contains(&format!("{a}{b}")) && name != allowed {
        findings.push(format!("{name}: {a}{b}: may be allowed in {allowed} alone"));
    }
    let length = text.lines().count();
    if name.contains("/src/") && length > LONGEST {
        findings.push(format!("{name}: {length} lines, more than {LONGEST}: more than one idea"));
    }
    findings
}

/// The rules for the manifest of a crate.
fn manifest(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    // The manifest of a workspace alone.
    if !text.contains("[package]\n") {
        return findings;
    }
    let description = text.lines().find_map(|line| line.strip_prefix("description = "));
    if description.is_none_or(|text| text.len() < SHORTEST_DESCRIPTION) {
        findings.push(format!("{name}: has no description"));
    }
    // The fuzzers are a workspace of their own and inherit nothing.
    if name != "fuzz/Cargo.toml" {
        if !text.contains("\n[lints]\nworkspace = true\n") {
            findings.push(format!("{name}: does not take the lints of the workspace"));
        }
        if !text.contains("\nlicense.workspace = true\n") {
            findings.push(format!("{name}: does not take the license of the workspace"));
        }
    }
    findings
}

/// All files below a folder, sorted, without hidden files and [`SKIPPED`] folders.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().with_context(|| format!("cannot look at {name}"))?;
            let hidden = name.starts_with('.') && name != ".ci";
            if kind.is_dir() && !hidden && !SKIPPED.contains(&name.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() && !hidden {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A path relative to the root, with slashes on every system.
fn display(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    inner.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, text: &str) -> Vec<String> {
        Kind::of(name).map_or_else(Vec::new, |kind| kind.findings(name, text, Path::new("/srv/checkout")))
    }

    #[test]
    fn this_repository_is_tidy() {
        assert_eq!(check(&crate::command::root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_rust_file_opens_with_a_module_comment() {
        assert_eq!(findings("crates/a/src/lib.rs", "//! A.\n"), Vec::<String>::new());
        assert_eq!(
            findings("crates/a/src/lib.rs", "use b;\n"),
            ["crates/a/src/lib.rs: does not open with `//!`"]
        );
    }

    #[test]
    fn unfinished_code_is_found_at_its_line() {
        for (a, b, _) in BANNED {
            let text = format!("//! A.\n\n{a}{b})\n");
            let found = findings("xtask/src/a.rs", &text);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("xtask/src/a.rs:3: {a}{b}: ")), "{found:?}");
        }
    }

    #[test]
    fn code_that_is_not_safe_has_one_place() {
        let (allowed, a, b) = UNSAFE;
        let text = format!("//! A.\n\n#[expect({a}{b}, reason = \"x\")]\n");
        assert_eq!(findings(allowed, &text), Vec::<String>::new());
        assert_eq!(findings("crates/a/src/b.rs", &text).len(), 1);
    }

    #[test]
    fn white_space_at_the_end_of_a_line_is_found() {
        assert_eq!(findings("README.md", "a \n"), ["README.md:1: white space at the end of the line"]);
        assert_eq!(findings("README.md", "a"), ["README.md: does not end with a line break"]);
        assert_eq!(findings("logo.svg", "a "), Vec::<String>::new());
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for (a, b) in MACHINE_PATHS {
            let found = findings(".ci/run", &format!("cd {a}{b}x\n"));
            assert_eq!(found, [".ci/run:1: a path of one machine"]);
        }
        assert_eq!(findings("a.toml", "/srv/checkout/x\n"), ["a.toml:1: a path of one machine"]);
    }

    #[test]
    fn a_long_file_is_more_than_one_idea() {
        let text = format!("//! A.\n{}", "\n".repeat(LONGEST));
        for name in ["crates/a/src/b.rs", "tests/a/src/b.rs", "fuzz/targets/src/b.rs", "xtask/src/b.rs"] {
            assert_eq!(findings(name, &text).len(), 1, "{name}");
        }
        assert_eq!(findings("crates/a/tests/b.rs", &text), Vec::<String>::new());
    }

    #[test]
    fn a_manifest_inherits_lints_and_license_from_the_workspace() {
        let good = "[package]\nname = \"a\"\ndescription = \"What this crate is for\"\nlicense.workspace = true\n\n[lints]\nworkspace = true\n";
        assert_eq!(findings("crates/a/Cargo.toml", good), Vec::<String>::new());
        assert_eq!(findings("crates/a/Cargo.toml", "[package]\n").len(), 3);
        assert_eq!(findings("fuzz/Cargo.toml", "[package]\n").len(), 1);
    }

    #[test]
    fn a_snapshot_that_nobody_has_reviewed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = folder.path().join("crates/a/tests/snapshots");
        fs::create_dir_all(&snapshots).unwrap();
        fs::write(snapshots.join("b.snap.new"), "x").unwrap();
        assert_eq!(
            check(folder.path()).unwrap(),
            ["crates/a/tests/snapshots/b.snap.new: a snapshot that nobody has reviewed"]
        );
    }
}
