//! Layers that hold what their keys name are sound, layers that were tampered with are not, and what cannot be told is said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use cache_compress::Decoder;
use cache_explain::{
    AddedFiles, Build, BuildInputs, Cache, ContentCheck, ContentChecks, ContentPlan, ContentVerdict,
    content_checks,
};
use cache_inputs::{
    ContextOptions, IgnoreFile, LayerOptions, read_added_file, read_builds, read_context, read_tar,
};
use cache_keys::{LayerTree, Tree};
use cache_model::{CacheChains, Digest};
use tests::why::WhyCase;

/// Reads what the plan wants, as a program does.
fn checks_of(case: &WhyCase, build: &Build, chains: &CacheChains, with_folders: bool) -> ContentChecks {
    let graph = chains.graph().unwrap();
    let folders = if with_folders { case.contexts() } else { Vec::new() };
    let names: Vec<&str> = folders.iter().map(|(name, _)| name.as_str()).collect();
    let plan = Arc::new(ContentPlan::new(build, &Cache::new(&graph, &HashMap::new()), &names));
    let layers: HashMap<Digest, LayerTree> =
        plan.layers().map(|digest| (*digest, read_layer(&plan, digest, &case.blob(digest)))).collect();
    let cache = Cache::new(&graph, &layers);
    let trees: BTreeMap<String, Tree> = folders
        .iter()
        .map(|(name, folder)| {
            let mut options = ContextOptions::default();
            options.also = Arc::new(|_, _, _| vec![ContentPlan::common_header()]);
            if name == "context" {
                options.ignore = IgnoreFile::OfDockerfile(case.folder.join("Dockerfile"));
            }
            (name.clone(), read_context(folder, &options, &()).unwrap())
        })
        .collect();
    let added: BTreeMap<&str, AddedFiles> = folders
        .iter()
        .map(|(name, folder)| {
            let files = plan.added_files(name, &trees[name]).into_iter().map(|path| {
                let file = fs::File::open(folder.join(OsStr::from_bytes(&path))).unwrap();
                let mut options = LayerOptions::default();
                options.also = Arc::new(|_, _, _| vec![ContentPlan::common_header()]);
                (path, read_added_file(file, &options).unwrap())
            });
            (name.as_str(), files.collect())
        })
        .collect();
    let mut inputs = BuildInputs::new(build);
    for (name, tree) in &trees {
        inputs = inputs.with_context(name, tree).with_added_files(name, &added[name.as_str()]);
    }
    content_checks(&inputs, &cache)
}

fn read_layer(plan: &Arc<ContentPlan>, digest: &Digest, blob: &[u8]) -> LayerTree {
    let mut options = LayerOptions::default();
    let (kept, plan, digest) = (Arc::clone(plan), Arc::clone(plan), *digest);
    options.keeps = Arc::new(move |path, size| kept.keeps(&digest, path, size));
    options.also = Arc::new(move |_, header, size| plan.layer_headers(&digest, header, size));
    read_tar(Decoder::new(blob, 1 << 30).unwrap(), &options).unwrap()
}

fn shown(check: &ContentCheck) -> String {
    let flaws = match &check.verdict {
        ContentVerdict::Mismatch { flaws } => flaws
            .iter()
            .map(|flaw| format!("{} {}", flaw.kind.name(), String::from_utf8_lossy(&flaw.path)))
            .collect(),
        ContentVerdict::CannotTell { reason } => vec![reason.clone()],
        _ => Vec::new(),
    };
    format!("line {:?}, {}: {} {flaws:?}", check.line, check.instruction, check.verdict.name())
}

#[test]
fn every_copy_of_the_builds_with_known_content_is_judged_as_it_is() {
    let (mut judged, mut untold) = (0, 0);
    for case in WhyCase::all() {
        let Some(steps) = case.truth["content"]["steps"].as_array() else { continue };
        for build in &read_builds(&case.provenance()).unwrap() {
            for with_folders in [true, false] {
                let checks = checks_of(&case, build, &case.chains(), with_folders);
                for step in steps {
                    let line = step["line"].as_u64().unwrap() as usize;
                    let check = checks.checks.iter().find(|check| check.line == Some(line));
                    let check = check.unwrap_or_else(|| panic!("{}: line {line}", case.name));
                    assert_eq!(check.instruction, step["instruction"].as_str().unwrap(), "{}", case.name);
                    // Without the folder a checksum may prove more than is expected, but nothing else.
                    let verdict = step["verdict"].as_str().unwrap();
                    let without = step["without_context"].as_str().filter(|_| !with_folders);
                    let is_right = check.verdict.name() == verdict || Some(check.verdict.name()) == without;
                    assert!(is_right, "{} (folders {with_folders}): {}", case.name, shown(check));
                    untold += usize::from(check.verdict.name() == "unknown");
                    judged += 1;
                }
                assert_eq!(checks.checks.len(), steps.len(), "{}", case.name);
                assert_eq!(checks.unnamed, 0, "{}", case.name);
            }
        }
    }
    assert_eq!((judged, untold), (62, 5));
}

#[test]
fn no_honest_cache_has_a_mismatch() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut untold = Vec::new();
    for case in WhyCase::all() {
        if case.truth["content"]["poisoned"] == true {
            continue;
        }
        for build in &read_builds(&case.provenance()).unwrap() {
            for with_folders in [true, false] {
                for check in checks_of(&case, build, &case.chains(), with_folders).checks {
                    assert!(
                        !matches!(check.verdict, ContentVerdict::Mismatch { .. }),
                        "{} (folders {with_folders}): {}",
                        case.name,
                        shown(&check)
                    );
                    *counts.entry(check.verdict.name()).or_default() += 1;
                    if check.verdict != ContentVerdict::Sound && with_folders {
                        untold.push(format!("{}: {}", case.name, shown(&check)));
                    }
                }
            }
        }
    }
    assert_eq!(untold, Vec::<String>::new());
    assert_eq!(counts, BTreeMap::from([("sound", 542), ("unknown", 6)]));
}
