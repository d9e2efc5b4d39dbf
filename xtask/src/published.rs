//! The rules for the packages in `crates`, which are published: what crates.io shows of them, and what they have to hold.
//!
//! It reads files and reports findings, as `tidy`; it builds nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The licence texts, which each package holds as copies: a symbolic link is a text file in some checkouts on Windows.
const LICENSES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];
/// The most keywords, and the most categories, that crates.io takes.
const MOST_WORDS: usize = 5;
/// The most characters of a keyword.
const LONGEST_KEYWORD: usize = 20;
/// The categories of crates.io that crates of this workspace are in. crates.io drops one that it does not know.
const CATEGORIES: [&str; 16] = [
    "algorithms",
    "asynchronous",
    "caching",
    "command-line-utilities",
    "compression",
    "cryptography",
    "data-structures",
    "development-tools::build-utils",
    "development-tools::debugging",
    "development-tools::testing",
    "encoding",
    "filesystem",
    "parser-implementations",
    "value-formatting",
    "visualization",
    "web-programming::http-client",
];

/// One line for each finding.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for folder in folders(&root.join("crates"))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let mut found = manifest(&text(&folder.join("Cargo.toml")));
        found.extend(readme(&name, &text(&folder.join("README.md")), &examples(&folder)));
        if folder.join("src/lib.rs").is_file() && examples(&folder).is_empty() {
            found.push("has no example".to_owned());
        }
        for license in LICENSES {
            if text(&folder.join(license)) != text(&root.join(license)) {
                found.push(format!("its {license} is not that of the repository"));
            }
        }
        findings.extend(found.into_iter().map(|finding| format!("crates/{name}: {finding}")));
    }
    Ok(findings)
}

/// The folders of packages, sorted.
fn folders(crates: &Path) -> Result<Vec<PathBuf>> {
    if !crates.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(crates).with_context(|| format!("cannot list {}", crates.display()))? {
        let folder = entry.with_context(|| format!("cannot list {}", crates.display()))?.path();
        if folder.join("Cargo.toml").is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

/// The names of a package's examples, sorted.
fn examples(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("examples")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Findings about what crates.io and docs.rs read from a manifest.
fn manifest(text: &str) -> Vec<String> {
    let value = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ")).unwrap_or_default()
    };
    let words = |key: &str| serde_json::from_str::<Vec<String>>(value(key)).unwrap_or_default();
    let mut findings = Vec::new();
    if value("readme") != "\"README.md\"" {
        findings.push("its readme is not README.md".to_owned());
    }
    if value("documentation").is_empty() {
        findings.push("its manifest has no documentation".to_owned());
    }
    if !text.contains("\n[package.metadata.docs.rs]\nall-features = true\n") {
        findings.push("docs.rs would not document all features".to_owned());
    }
    for key in ["keywords", "categories"] {
        if !(1..=MOST_WORDS).contains(&words(key).len()) {
            findings.push(format!("its manifest does not have 1 to {MOST_WORDS} {key}"));
        }
    }
    for keyword in words("keywords") {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if keyword.len() > LONGEST_KEYWORD || !keyword.chars().all(fits) {
            findings.push(format!("{keyword}: crates.io does not take this keyword"));
        }
    }
    for category in words("categories") {
        if !CATEGORIES.contains(&category.as_str()) {
            findings.push(format!("{category}: not among the known categories of crates.io"));
        }
    }
    findings
}

/// Findings about a README.
fn readme(name: &str, text: &str, examples: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    if !text.starts_with(&format!("# {name}\n")) {
        findings.push(format!("has no README.md that opens with `# {name}`"));
    }
    if !text.contains("\n```rust") && !text.contains("\n```console\n") {
        findings.push("its README has no example".to_owned());
    }
    for example in examples {
        if !text.contains(&format!("--example {example}")) {
            findings.push(format!("its README does not name the example {example}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nreadme = \"README.md\"\ndocumentation = \"https://docs.rs/a\"\nkeywords = [\"a-b\"]\ncategories = [\"caching\"]\n\n[package.metadata.docs.rs]\nall-features = true\n";

    #[test]
    fn the_packages_of_this_repository_keep_the_rules() {
        assert_eq!(check(&crate::command::root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_manifest_has_what_the_registry_shows() {
        assert_eq!(manifest(GOOD), Vec::<String>::new());
        assert_eq!(manifest("[package]\n").len(), 5);
        for (from, to) in [
            ("[\"a-b\"]", "[\"a b\"]"),
            ("[\"a-b\"]", "[\"abcdefghijklmnopqrstu\"]"),
            ("[\"a-b\"]", "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]"),
            ("\"caching\"", "\"cacheing\""),
            ("README.md", "../../README.md"),
        ] {
            assert_eq!(manifest(&GOOD.replace(from, to)).len(), 1, "{to}");
        }
    }

    #[test]
    fn a_readme_has_an_example_and_names_those_of_the_package() {
        let good = "# a\n\n```rust\n```\n\n`cargo run --example b`\n";
        assert_eq!(readme("a", good, &["b".to_owned()]), Vec::<String>::new());
        assert_eq!(readme("a", good, &["c".to_owned()]).len(), 1);
        assert_eq!(readme("a", "# b\n", &[]).len(), 2);
    }

    #[test]
    fn a_package_holds_the_licence_texts_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("crates/a");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("Cargo.toml"), GOOD).unwrap();
        fs::write(package.join("README.md"), "# a\n\n```rust\n```\n").unwrap();
        for license in LICENSES {
            fs::write(folder.path().join(license), "free").unwrap();
        }
        fs::write(package.join("LICENSE-MIT"), "free").unwrap();
        assert_eq!(
            check(folder.path()).unwrap(),
            ["crates/a: its LICENSE-APACHE is not that of the repository"]
        );
    }
}
