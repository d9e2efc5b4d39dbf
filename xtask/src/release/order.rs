//! Which crates are published, in which order, with which version.

use anyhow::{Context, Result, bail};

use crate::workspace::{Kind, Package};

/// The published crates, each after the crates that it depends on.
pub(crate) fn publication_order(packages: &[Package]) -> Result<Vec<&Package>> {
    let mut waiting: Vec<&Package> = packages.iter().filter(|package| package.published).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let needs = |package: &Package| {
            let mut needed = package.dependencies.iter().filter(|dep| dep.kind != Kind::Dev || dep.versioned);
            needed.any(|dep| waiting.iter().any(|other| other.name == dep.name))
        };
        let (blocked, ready): (Vec<&Package>, Vec<&Package>) =
            waiting.iter().partition(|package| needs(package));
        if ready.is_empty() {
            let names: Vec<&str> = blocked.iter().map(|package| package.name.as_str()).collect();
            bail!("these crates need one another, so none can be published first: {}", names.join(", "));
        }
        order.extend(ready);
        waiting = blocked;
    }
    Ok(order)
}

/// The version that all crates share.
pub(crate) fn one_version(packages: &[&Package]) -> Result<String> {
    let first = packages.first().context("no crate of this workspace is published")?;
    if let Some(other) = packages.iter().find(|package| package.version != first.version) {
        bail!(
            "{} has version {}, {} has {}; both take it from the workspace: version.workspace = true",
            first.name,
            first.version,
            other.name,
            other.version
        );
    }
    Ok(first.version.clone())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::command::root;
    use crate::workspace::{Dependency, Workspace};

    fn package(name: &str, dependencies: &[(&str, Kind, bool)]) -> Package {
        let dependency = |(name, kind, versioned): &(&str, Kind, bool)| Dependency {
            name: (*name).to_owned(),
            kind: *kind,
            versioned: *versioned,
        };
        Package {
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            folder: PathBuf::new(),
            roots: Vec::new(),
            is_library: true,
            published: true,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    fn order(packages: &[Package]) -> Result<Vec<&str>> {
        Ok(publication_order(packages)?.iter().map(|package| package.name.as_str()).collect())
    }

    #[test]
    fn a_crate_is_published_after_its_dependencies() {
        let packages = [
            package("program", &[("library", Kind::Normal, true)]),
            package("library", &[("base", Kind::Normal, true), ("program", Kind::Dev, false)]),
            package("base", &[]),
        ];
        assert_eq!(order(&packages).unwrap(), ["base", "library", "program"]);
    }

    #[test]
    fn crates_that_depend_on_one_another_cannot_be_published() {
        let packages = [package("a", &[("b", Kind::Dev, true)]), package("b", &[("a", Kind::Normal, true)])];
        assert!(order(&packages).unwrap_err().to_string().ends_with(": a, b"));
    }

    #[test]
    fn this_workspace_has_an_order_and_one_version() {
        let workspace = Workspace::load(&root()).unwrap();
        let published = publication_order(&workspace.packages).unwrap();
        assert!(one_version(&published).is_ok());
        let is_ours = |name: &str| name == "bkcache" || name.starts_with("cache-");
        assert!(published.iter().all(|package| is_ours(&package.name)));
    }
}
