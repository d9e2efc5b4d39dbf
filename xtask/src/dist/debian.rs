//! The Debian package, which cargo-deb makes of the files of the archive.
//!
//! Which file goes where, and what the package says of itself, is in `package.metadata.deb` of the manifest of bkcache.
//! Nothing is built here.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use toml_edit::{DocumentMut, Item};

use super::archive::Entry;
use super::files::{read, write};
use crate::command::{cargo, output, root};

/// The folder in `target/dist` where the manifest expects the files, and its path in the manifest.
const FILES: (&str, &str) = ("package", "../../target/dist/package/");
/// Files of the archive that the package leaves out. It has both licences in `copyright`, and Debian has no folder for the
/// completions of these shells.
const LEFT_OUT: [&str; 4] =
    ["LICENSE-APACHE", "LICENSE-MIT", "completions/bkcache.elvish", "completions/bkcache.powershell"];

/// Writes the package of a target to `target/dist`, of files with one time in seconds since 1970. Returns its path.
pub(crate) fn package(target: &str, entries: &[Entry], time: u64) -> Result<PathBuf> {
    if !target.contains("-linux-") {
        bail!("a Debian package is for Linux, and not for {target}: leave out --deb");
    }
    let metadata = metadata()?;
    let sources = sources(&metadata);
    if let Some(entry) = entries.iter().find(|entry| !is_expected(&entry.path, &sources)) {
        bail!("the package has no place for {}: add it to the assets in the manifest of bkcache", entry.path);
    }
    let folder = root().join("target/dist");
    let files = folder.join(FILES.0);
    if files.exists() {
        fs::remove_dir_all(&files).with_context(|| format!("cannot remove {}", files.display()))?;
    }
    let changelog = Entry::text("changelog.Debian", changelog(&metadata, time)?.into_bytes());
    for entry in entries.iter().chain([&changelog]) {
        let file = files.join(&entry.path);
        let parent = file.parent().unwrap_or(&files);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        write(&file, &entry.bytes)?;
    }
    let mut make = cargo();
    make.args(["deb", "--quiet", "--no-build", "--no-strip", "--locked", "--package", "bkcache"]);
    make.args(["--target", target, "--output"]).arg(&folder).env("SOURCE_DATE_EPOCH", time.to_string());
    let printed =
        output(&mut make).context("no package was made; `cargo install cargo-deb` if it is missing")?;
    let printed = String::from_utf8(printed).context("the path of the package is not UTF-8")?;
    Ok(PathBuf::from(printed.trim_end()))
}

/// `package.metadata.deb` of the manifest of bkcache.
fn metadata() -> Result<Item> {
    let manifest = String::from_utf8(read(&root().join("crates/bkcache/Cargo.toml"))?)?;
    let manifest: DocumentMut = manifest.parse().context("the manifest of bkcache is not TOML")?;
    let table = ["package", "metadata", "deb"].iter().try_fold(manifest.as_item(), |item, key| item.get(key));
    table.cloned().context("the manifest of bkcache has no package.metadata.deb")
}

/// The files and patterns that the assets are taken from, below the folder of the files.
fn sources(metadata: &Item) -> Vec<&str> {
    let assets = metadata.get("assets").and_then(Item::as_array).into_iter().flatten();
    let sources = assets.filter_map(|asset| asset.as_array()?.get(0)?.as_str());
    sources.filter_map(|source| source.strip_prefix(FILES.1)).collect()
}

/// Whether a file of the archive is in the package, or left out on purpose.
fn is_expected(path: &str, sources: &[&str]) -> bool {
    let takes =
        |source: &&str| source.strip_suffix('*').map_or(path == *source, |folder| path.starts_with(folder));
    sources.iter().any(takes) || LEFT_OUT.contains(&path)
}

/// Debian's changelog, whose only entry is the version that is packaged.
fn changelog(metadata: &Item, time: u64) -> Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let maintainer = metadata.get("maintainer").and_then(Item::as_str);
    let maintainer = maintainer.context("the package has no maintainer")?;
    let date = OffsetDateTime::from_unix_timestamp(time.try_into()?)?.format(&Rfc2822)?;
    Ok(format!(
        "bkcache ({version}-1) unstable; urgency=medium\n\n  * Version {version}, whose changes are in changelog.gz.\n\n \
         -- {maintainer}  {date}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{SHELLS, TEXTS};
    use super::*;

    #[test]
    fn the_package_has_a_place_for_each_file_of_the_archive_and_for_no_other() {
        let completions = SHELLS.map(|shell| format!("completions/bkcache.{shell}"));
        let others = ["bkcache", "THIRD-PARTY-LICENSES", "bkcache.cdx.json", "man/bkcache.1"];
        let paths: Vec<&str> =
            others.into_iter().chain(TEXTS).chain(completions.iter().map(String::as_str)).collect();
        let metadata = metadata().unwrap();
        let sources = sources(&metadata);
        for path in &paths {
            assert!(is_expected(path, &sources), "{path} is not packaged");
        }
        for source in &sources {
            assert!(
                paths.iter().any(|path| is_expected(path, &[source]) && !LEFT_OUT.contains(path)),
                "{source}"
            );
        }
        assert!(!is_expected("new", &sources));
    }

    #[test]
    fn the_changelog_has_the_form_that_debian_reads() {
        let text = changelog(&metadata().unwrap(), 1_795_910_400).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], concat!("bkcache (", env!("CARGO_PKG_VERSION"), "-1) unstable; urgency=medium"));
        assert!(lines[2].starts_with("  * "), "{text}");
        assert!(
            lines[4].starts_with(" -- ") && lines[4].ends_with(">  Sun, 29 Nov 2026 00:00:00 +0000"),
            "{text}"
        );
        assert_eq!(lines.len(), 5);
    }
}
