//! The pages that name the version: links to what is downloaded, and commands that install it.
//!
//! A number alone stays as it is, because it may be the version of another program. In `action.yml`, the version to
//! install is a default.

/// What stands before a version of ours.
const BEFORE: [&str; 8] =
    ["bkcache ", "bkcache-", "bkcache_", "bkcache:", "bkcache@v", "blob/v", "download/v", "default: "];

/// The patterns of git for the files that may name the version. The changelog has the old ones, too.
pub(crate) const FILES: [&str; 4] = ["*.md", "*.yml", "packaging", ":!CHANGELOG.md"];

/// A page with another version.
pub(crate) fn with_version(text: &str, old: &str, new: &str) -> String {
    let replace =
        |text: String, before: &&str| text.replace(&format!("{before}{old}"), &format!("{before}{new}"));
    BEFORE.iter().fold(text.to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_of_ours_changes() {
        let text =
            "download/v0.1.0/bkcache-0.1.0-x86_64.tar.gz, bkcache_0.1.0-1_amd64.deb, zstd 0.1.0, v0.1.0\n";
        let expected =
            "download/v0.2.0/bkcache-0.2.0-x86_64.tar.gz, bkcache_0.2.0-1_amd64.deb, zstd 0.1.0, v0.1.0\n";
        assert_eq!(with_version(text, "0.1.0", "0.2.0"), expected);
    }

    #[test]
    fn the_action_and_the_pages_that_use_it_get_the_new_version() {
        let version = env!("CARGO_PKG_VERSION");
        let action = with_version(include_str!("../../../action.yml"), version, "99.0.0");
        assert!(action.contains("default: 99.0.0\n"), "{action}");
        let pages =
            [include_str!("../../../README.md"), include_str!("../../../docs/recipes/github-actions.md")];
        for page in pages {
            let uses = page.matches("bkcache/bkcache@v").count();
            assert!(uses > 0, "{page}");
            let changed = with_version(page, version, "99.0.0");
            assert_eq!(changed.matches("bkcache/bkcache@v99.0.0").count(), uses, "{changed}");
        }
    }
}
