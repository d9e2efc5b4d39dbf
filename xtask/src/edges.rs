//! The allowed dependencies between crates, as tables, and the check that the manifests keep to them.
//!
//! It checks the dependencies that a manifest names, not their own dependencies.

use crate::workspace::{Dependency, Kind, Package};

/// The allowed dependencies of one crate.
struct Row {
    name: &'static str,
    /// Crates of the workspace.
    uses: &'static [&'static str],
    /// Further crates of the workspace, for its tests only.
    tests_use: &'static [&'static str],
    /// External crates that it must not use; its tests may. A final `*` stands for any ending.
    never: &'static [&'static str],
}

const HASH: &str = "cache-hash";
const MODEL: &str = "cache-model";
const KEYS: &str = "cache-keys";
const EXPLAIN: &str = "cache-explain";
const INPUTS: &str = "cache-inputs";
const EDIT: &str = "cache-edit";
const FORMAT: &str = "cache-format";
const INGEST: &str = "cache-ingest";
const COMPRESS: &str = "cache-compress";
const TARGET: &str = "cache-target";
const REGISTRY: &str = "cache-registry";
const CONFORMANCE: &str = "cache-conformance";
const EXPORT: &str = "cache-export";
const IMPORT: &str = "cache-import";
const VERIFY: &str = "cache-verify";
const REPORT: &str = "cache-report";
const CLI: &str = "bkcache";
const TESTS: &str = "tests";
const REFERENCE: &str = "reference";
const REGISTRIES: &str = "test-registries";
const BENCH: &str = "bench";
const CRASH: &str = "crash";
const XTASK: &str = "xtask";
const FUZZ_TARGETS: &str = "bkcache-fuzz-targets";

const LIBRARIES: &[&str] = &[
    HASH,
    MODEL,
    KEYS,
    EXPLAIN,
    INPUTS,
    EDIT,
    FORMAT,
    INGEST,
    COMPRESS,
    TARGET,
    REGISTRY,
    CONFORMANCE,
    EXPORT,
    IMPORT,
    VERIFY,
    REPORT,
];
const FUZZED: &[&str] = &[
    HASH,
    MODEL,
    KEYS,
    EXPLAIN,
    INPUTS,
    EDIT,
    FORMAT,
    INGEST,
    COMPRESS,
    TARGET,
    REGISTRY,
    CONFORMANCE,
    EXPORT,
    IMPORT,
    VERIFY,
    REPORT,
    REFERENCE,
];
const EVERYTHING: &[&str] = &[
    HASH,
    MODEL,
    KEYS,
    EXPLAIN,
    INPUTS,
    EDIT,
    FORMAT,
    INGEST,
    COMPRESS,
    TARGET,
    REGISTRY,
    CONFORMANCE,
    EXPORT,
    IMPORT,
    VERIFY,
    REPORT,
    CLI,
];

/// `cache-format` and `cache-ingest` never depend on each other, not even in tests: a user can encode without async,
/// and store without the formats.
const ROWS: &[Row] = &[
    // Bytes in, digests out.
    Row {
        name: HASH,
        uses: &[],
        tests_use: &[],
        never: &["serde*", "tokio*", "async-*", "futures*", "bytes", "oci-spec", "reqwest", "http"],
    },
    Row {
        name: MODEL,
        uses: &[],
        tests_use: &[REFERENCE],
        never: &["serde*", "tokio*", "async-*", "futures*", "bytes", "oci-spec", "reqwest", "http"],
    },
    Row {
        name: KEYS,
        uses: &[MODEL],
        tests_use: &[REFERENCE],
        never: &["serde*", "tokio*", "async-*", "futures*", "bytes", "oci-spec", "reqwest", "http"],
    },
    // Builds and trees are handed to it.
    Row {
        name: EXPLAIN,
        uses: &[MODEL, KEYS],
        tests_use: &[],
        never: &["serde*", "tokio*", "async-*", "futures*", "bytes", "oci-spec", "reqwest", "http"],
    },
    Row {
        name: INPUTS,
        uses: &[MODEL, KEYS, EXPLAIN, FORMAT, INGEST, COMPRESS],
        tests_use: &[REFERENCE, CONFORMANCE],
        never: &["reqwest", "http"],
    },
    Row {
        name: EDIT,
        uses: &[MODEL],
        tests_use: &[FORMAT, REFERENCE],
        never: &["serde*", "tokio*", "async-*", "futures*", "bytes", "oci-spec", "reqwest", "http"],
    },
    Row {
        name: FORMAT,
        uses: &[MODEL],
        tests_use: &[],
        never: &["tokio*", "async-*", "futures*", "reqwest", "http", "rustix"],
    },
    Row { name: INGEST, uses: &[HASH, MODEL], tests_use: &[CONFORMANCE], never: &["reqwest", "http"] },
    // Layers as bytes; what a cache is made of is not known here.
    Row {
        name: COMPRESS,
        uses: &[MODEL, INGEST],
        tests_use: &[],
        never: &["serde*", "oci-spec", "reqwest", "http"],
    },
    Row {
        name: TARGET,
        uses: &[MODEL, INGEST],
        tests_use: &[CONFORMANCE],
        never: &["serde*", "reqwest", "http"],
    },
    Row {
        name: REGISTRY,
        uses: &[MODEL, INGEST, TARGET],
        tests_use: &[CONFORMANCE, REGISTRIES, EXPORT],
        never: &[],
    },
    Row { name: CONFORMANCE, uses: &[MODEL, INGEST], tests_use: &[], never: &["reqwest", "http"] },
    Row {
        name: EXPORT,
        uses: &[MODEL, FORMAT, INGEST, COMPRESS, TARGET],
        tests_use: &[CONFORMANCE],
        never: &["reqwest", "http"],
    },
    Row {
        name: IMPORT,
        uses: &[MODEL, FORMAT, INGEST],
        tests_use: &[CONFORMANCE, EXPORT, KEYS],
        never: &["reqwest", "http"],
    },
    Row {
        name: VERIFY,
        uses: &[MODEL, FORMAT, INGEST, COMPRESS],
        tests_use: &[CONFORMANCE],
        never: &["reqwest", "http"],
    },
    // It shows what others read.
    Row {
        name: REPORT,
        uses: &[MODEL, FORMAT],
        tests_use: &[INGEST, IMPORT],
        never: &["tokio*", "async-*", "futures*", "bytes", "oci-spec", "reqwest", "http", "rustix"],
    },
    Row { name: CLI, uses: LIBRARIES, tests_use: &[REGISTRIES, TESTS], never: &[] },
    Row { name: TESTS, uses: EVERYTHING, tests_use: &[REFERENCE, REGISTRIES], never: &[] },
    // Independent of the crates that they test, so that no mistake is made twice.
    Row { name: REFERENCE, uses: &[], tests_use: &[], never: &[] },
    Row { name: REGISTRIES, uses: &[], tests_use: &[], never: &["reqwest", "http", "hyper*"] },
    // It starts the same servers as the tests.
    Row {
        name: BENCH,
        uses: &[MODEL, KEYS, EXPLAIN, INPUTS, EDIT, FORMAT, INGEST, IMPORT, VERIFY, REGISTRIES],
        tests_use: &[],
        never: &[],
    },
    Row { name: CRASH, uses: &[MODEL, FORMAT, INGEST, EXPORT, IMPORT, VERIFY], tests_use: &[], never: &[] },
    // No crate of the product, so that it builds in seconds.
    Row { name: XTASK, uses: &[], tests_use: &[REGISTRIES], never: &["reqwest", "rustls*", "tokio*"] },
    Row { name: FUZZ_TARGETS, uses: FUZZED, tests_use: &[], never: &[] },
];

/// External crates that only some crates of the workspace may use; tests always may.
const OWNED: &[(&str, &[&str])] = &[
    ("anyhow", &[CLI, XTASK, TESTS, BENCH, CRASH]),
    ("clap*", &[CLI, XTASK, BENCH, CRASH]),
    ("indicatif", &[CLI]),
    ("tracing-subscriber", &[CLI]),
    ("flate2", &[COMPRESS, BENCH, XTASK]),
    ("zstd", &[COMPRESS]),
    ("oci-spec", &[FORMAT]),
    ("reqwest", &[REGISTRY]),
];

/// One line for each dependency that the tables forbid, in the order of the manifests.
pub(crate) fn check(packages: &[Package]) -> Vec<String> {
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for package in packages {
        let Some(row) = ROWS.iter().find(|row| row.name == package.name) else {
            findings.push(format!("{}: has no row in the table of edges", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let reason = if ours(&dependency.name) { inner(row, dependency) } else { outer(row, dependency) };
            if let Some(reason) = reason {
                let table = match dependency.kind {
                    Kind::Normal => "",
                    Kind::Build => " (build)",
                    Kind::Dev => " (dev)",
                };
                findings.push(format!("{} -> {}{table}: {reason}", row.name, dependency.name));
            }
        }
    }
    findings
}

/// Why an edge between two crates of the workspace is forbidden.
fn inner(row: &Row, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    if row.uses.contains(&name) {
        return None;
    }
    if row.tests_use.contains(&name) {
        return (dependency.kind != Kind::Dev).then(|| "only its tests may use it".to_owned());
    }
    Some("not in the table of edges".to_owned())
}

/// Why an external crate is forbidden.
fn outer(row: &Row, dependency: &Dependency) -> Option<String> {
    if dependency.kind == Kind::Dev {
        return None;
    }
    let name = dependency.name.as_str();
    if row.never.iter().any(|pattern| matches(pattern, name)) {
        return Some("must not enter this crate".to_owned());
    }
    let (_, owners) = OWNED.iter().find(|(pattern, _)| matches(pattern, name))?;
    (!owners.contains(&row.name)).then(|| format!("only {} may use it", owners.join(", ")))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::command::root;
    use crate::workspace::Workspace;

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        let dependency = |(name, kind): &(&str, Kind)| Dependency {
            name: (*name).to_owned(),
            kind: *kind,
            versioned: true,
        };
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            folder: PathBuf::new(),
            roots: Vec::new(),
            is_library: true,
            published: true,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    /// The findings in a workspace of all crates, of which one has these dependencies.
    fn findings(name: &str, dependencies: &[(&str, Kind)]) -> Vec<String> {
        let mut packages: Vec<Package> =
            ROWS.iter().filter(|row| row.name != name).map(|row| package(row.name, &[])).collect();
        packages.push(package(name, dependencies));
        check(&packages)
    }

    #[test]
    fn the_manifests_of_this_workspace_keep_to_the_table() {
        assert_eq!(check(&Workspace::load(&root()).unwrap().packages), Vec::<String>::new());
    }

    #[test]
    fn formats_and_stores_never_meet_not_even_in_tests() {
        for kind in [Kind::Normal, Kind::Build, Kind::Dev] {
            assert_eq!(findings(FORMAT, &[(INGEST, kind)]).len(), 1, "{kind:?}");
            assert_eq!(findings(INGEST, &[(FORMAT, kind)]).len(), 1, "{kind:?}");
        }
        assert_eq!(
            findings(FORMAT, &[(MODEL, Kind::Normal), (INGEST, Kind::Dev)]),
            ["cache-format -> cache-ingest (dev): not in the table of edges"]
        );
    }

    #[test]
    fn the_laws_of_stores_are_for_tests_only() {
        assert_eq!(findings(INGEST, &[(CONFORMANCE, Kind::Dev)]), Vec::<String>::new());
        assert_eq!(
            findings(INGEST, &[(CONFORMANCE, Kind::Normal)]),
            ["cache-ingest -> cache-conformance: only its tests may use it"]
        );
    }

    #[test]
    fn an_external_crate_stays_out_of_crates_that_must_not_use_it() {
        assert_eq!(
            findings(MODEL, &[("serde_json", Kind::Normal), ("tokio", Kind::Build), ("proptest", Kind::Dev)]),
            [
                "cache-model -> serde_json: must not enter this crate",
                "cache-model -> tokio (build): must not enter this crate",
            ]
        );
        assert_eq!(
            findings(EXPORT, &[("zstd", Kind::Normal), ("zstd", Kind::Dev)]),
            ["cache-export -> zstd: only cache-compress may use it"]
        );
        assert_eq!(findings(INGEST, &[("serde_json", Kind::Normal)]), Vec::<String>::new());
    }

    #[test]
    fn no_crate_depends_on_xtask() {
        assert_eq!(
            findings(CLI, &[(XTASK, Kind::Dev)]),
            ["bkcache -> xtask (dev): not in the table of edges"]
        );
    }

    #[test]
    fn a_crate_without_a_row_is_a_finding() {
        assert_eq!(findings("cache-new", &[]), ["cache-new: has no row in the table of edges"]);
    }
}
