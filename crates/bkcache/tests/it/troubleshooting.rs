//! `docs/troubleshooting.md` has a section for each kind of error and of finding, and none for anything else.
//!
//! The kinds are the words in the functions that give a kind its name. Their matches have no default, so a new kind is a
//! new word.

use std::collections::BTreeSet;
use std::path::Path;

/// The words in quotes in the only function of this name in a file.
fn words(file: &str, function: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, body) = text.split_once(&format!("fn {function}(")).unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    let words: Vec<String> = body.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(!words.is_empty(), "{file} has no words in {function}");
    words
}

#[test]
fn each_kind_has_one_section_and_each_section_a_kind() {
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    kinds.extend(words("cache-ingest/src/error.rs", "name"));
    kinds.extend(words("bkcache/src/failure.rs", "kind_name"));
    kinds.extend(words("cache-verify/src/kind.rs", "code_and_severity"));
    let flaws = words("cache-explain/src/content_check/check.rs", "name");
    kinds.extend(flaws.iter().map(|flaw| format!("content-{flaw}")));

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/troubleshooting.md");
    let page = std::fs::read_to_string(page).unwrap();
    let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut sorted: Vec<&str> = sections.clone();
    sorted.sort_unstable();
    // A second heading of one name would have another anchor.
    assert_eq!(sorted, kinds.iter().map(String::as_str).collect::<Vec<_>>());
    for kind in &kinds {
        // A forge makes an anchor of a heading in lower case with hyphens without changing it.
        assert!(kind.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{kind}");
        assert!(
            page.contains(&format!("| [{kind}](#{kind}) |")),
            "the table on top has no message of {kind}"
        );
    }
}
