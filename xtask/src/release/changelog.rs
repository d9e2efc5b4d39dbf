//! The changelog: the section of what is not released, and how it becomes the section of a version.

use anyhow::{Context, Result, bail};

/// The heading of what is not released.
const UNRELEASED: &str = "## Unreleased";

/// An error unless something is written under Unreleased.
pub(crate) fn check(text: &str) -> Result<()> {
    let (_, after) = split(text)?;
    let mut section = after.lines().take_while(|line| !line.starts_with("## "));
    if !section.any(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        bail!("`{UNRELEASED}` of CHANGELOG.md is empty; write what users notice, or release nothing");
    }
    Ok(())
}

/// The changelog in which Unreleased is the section of a version, and a new, empty one stands above it.
pub(crate) fn release(text: &str, version: &str, date: &str) -> Result<String> {
    let (before, after) = split(text)?;
    Ok(format!("{before}{UNRELEASED}\n\n## {version} - {date}\n{after}"))
}

/// What stands before the heading, and what stands after its line.
fn split(text: &str) -> Result<(&str, &str)> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == UNRELEASED {
            let (before, rest) = text.split_at_checked(offset).unwrap_or_default();
            return Ok((before, rest.strip_prefix(line).unwrap_or_default()));
        }
        offset += line.len();
    }
    None.with_context(|| format!("CHANGELOG.md has no line `{UNRELEASED}`; add it above the newest version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreleased_becomes_the_version_below_an_empty_one() {
        let text = "# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0 - 2026-01-02\n\n- First.\n";
        let released = release(text, "0.2.0", "2026-03-04").unwrap();
        assert_eq!(
            released,
            "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-03-04\n\n- New.\n\n## 0.1.0 - 2026-01-02\n\n- First.\n"
        );
        assert!(check(text).is_ok());
        assert!(check(&released).is_err());
    }

    #[test]
    fn headings_alone_are_empty() {
        let error = check("## Unreleased\n\n### Fixed\n\n## 0.1.0 - 2026-01-02\n\n- First.\n").unwrap_err();
        assert!(error.to_string().starts_with("`## Unreleased` of CHANGELOG.md is empty"));
    }

    #[test]
    fn without_the_heading_there_is_nothing_to_release() {
        let error = check("# Changelog\n\n## Unreleased things\n\n- New.\n").unwrap_err();
        assert!(error.to_string().starts_with("CHANGELOG.md has no line `## Unreleased`"));
    }

    #[test]
    fn this_changelog_has_the_section() {
        let text = std::fs::read_to_string(crate::command::root().join("CHANGELOG.md")).unwrap();
        assert!(split(&text).is_ok());
    }
}
