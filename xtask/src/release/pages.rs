//! The pages that name the version: links to what is downloaded, commands that install it, and the archives of the image.
//!
//! A number alone stays as it is, because it may be the version of another program. In `action.yml`, the version to
//! install is a default.

/// What stands before a version of ours.
const BEFORE: [&str; 8] =
    ["bkcache ", "bkcache-", "bkcache_", "bkcache:", "bkcache@v", "blob/v", "download/v", "default: "];

/// The patterns of git for the files that may name the version. The changelog has the old ones, too.
pub(crate) const FILES: [&str; 5] = ["*.md", "*.yml", "*.sh", "packaging/Dockerfile", ":!CHANGELOG.md"];

/// A page with another version.
pub(crate) fn with_version(text: &str, old: &str, new: &str) -> String {
    let replace =
        |text: String, before: &&str| text.replace(&format!("{before}{old}"), &format!("{before}{new}"));
    BEFORE.iter().fold(text.to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::command::root;
    use crate::release::git::Git;

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
    fn no_page_of_this_repository_keeps_the_old_version() {
        let (old, new) = (env!("CARGO_PKG_VERSION"), "99.0.0");
        let git = Git::at(&root()).unwrap();
        let listed = git.output(&[&["ls-files", "-z", "--"], FILES.as_slice()].concat()).unwrap();
        let mut changed = Vec::new();
        for name in listed.split_terminator('\0') {
            let text = fs::read_to_string(root().join(name)).unwrap();
            let released = with_version(&text, old, new);
            for (number, line) in (1..).zip(released.lines()) {
                assert!(
                    !line.contains(old),
                    "{name}:{number}: a release would keep {old} here. If it is the version of bkcache, write before it \
                     what xtask/src/release/pages.rs names; otherwise give another version as the example"
                );
            }
            if released != text {
                changed.push(name);
            }
        }
        for name in ["README.md", "action.yml", "docs/recipes/github-actions.md", "packaging/Dockerfile"] {
            assert!(changed.contains(&name), "{name} has no version");
        }
    }
}
