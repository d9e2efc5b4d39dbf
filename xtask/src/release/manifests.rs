//! The one version, in the manifest of the workspace: of its packages, and of the crates that depend on one another.

use anyhow::{Context, Result};
use semver::Version;
use toml_edit::{DocumentMut, Item, TableLike};

/// The version of the workspace's packages.
pub(crate) fn version(manifest: &str) -> Result<Version> {
    let mut document = parse(manifest)?;
    let item = table(document.as_item_mut(), &["workspace", "package"])?.get("version");
    let text = item.and_then(Item::as_str).context("Cargo.toml has no workspace.package.version")?;
    text.parse().with_context(|| format!("workspace.package.version is {text}"))
}

/// The manifest with another version: of the packages, and of every dependency that has a path.
pub(crate) fn with_version(manifest: &str, version: &Version) -> Result<String> {
    let mut document = parse(manifest)?;
    let package = table(document.as_item_mut(), &["workspace", "package"])?;
    set_version(package, version);
    let dependencies = table(document.as_item_mut(), &["workspace", "dependencies"])?;
    for (_, dependency) in dependencies.iter_mut() {
        if let Some(dependency) = dependency.as_table_like_mut().filter(|table| table.contains_key("path")) {
            set_version(dependency, version);
        }
    }
    Ok(document.to_string())
}

fn parse(manifest: &str) -> Result<DocumentMut> {
    manifest.parse().context("Cargo.toml cannot be read")
}

fn table<'a>(item: &'a mut Item, path: &[&str]) -> Result<&'a mut dyn TableLike> {
    let found = path.iter().try_fold(item, |item, key| item.get_mut(key));
    found
        .and_then(Item::as_table_like_mut)
        .with_context(|| format!("Cargo.toml has no table {}", path.join(".")))
}

/// Replaces a version, and keeps the white space and comments around it.
fn set_version(table: &mut dyn TableLike, version: &Version) {
    if let Some(value) = table.get_mut("version").and_then(Item::as_value_mut) {
        let decor = value.decor().clone();
        *value = version.to_string().into();
        *value.decor_mut() = decor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"[workspace]
members = ["crates/*"]

[workspace.package]
version = "0.1.0" # of all
edition = "2024"

[workspace.dependencies]
base = { path = "crates/base", version = "0.1.0", default-features = false }
other = { version = "0.1.0" } # from elsewhere
third = "0.1.0"
"#;

    #[test]
    fn the_version_is_that_of_the_workspace() {
        assert_eq!(version(MANIFEST).unwrap(), Version::new(0, 1, 0));
        let error = version("[workspace.package]\nedition = \"2024\"\n").unwrap_err();
        assert_eq!(error.to_string(), "Cargo.toml has no workspace.package.version");
    }

    #[test]
    fn a_new_version_changes_the_packages_and_the_dependencies_with_a_path_and_no_other_byte() {
        let expected = MANIFEST
            .replace("version = \"0.1.0\" # of all", "version = \"0.2.0\" # of all")
            .replace("base\", version = \"0.1.0\"", "base\", version = \"0.2.0\"");
        assert_eq!(with_version(MANIFEST, &Version::new(0, 2, 0)).unwrap(), expected);
    }

    #[test]
    fn this_workspace_has_one_version_and_keeps_its_manifest() {
        let manifest = std::fs::read_to_string(crate::command::root().join("Cargo.toml")).unwrap();
        let version = version(&manifest).unwrap();
        assert_eq!(with_version(&manifest, &version).unwrap(), manifest);
    }
}
