//! Many programs on one folder at the same time: what each reports done is there, and none gets in another's way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{bkcache, fixture, only_manifest};

/// How many programs run at once.
const PROGRAMS: usize = 16;
/// How long new ones are started.
const TIME: Duration = Duration::from_secs(5);
/// Caches of which some share layers.
const CACHES: [&str; 4] =
    ["app-max-manifest-oci-gzip", "app-max-index-oci-gzip", "app-min-manifest-oci-gzip", "platforms-2"];
/// What a program may say that does not succeed.
const LOCKED: &str = "another process holds the lock, for 30s now";

/// The digest of each tag of a layout's index.
fn tags(layout: &Path) -> Vec<(String, String)> {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let entry = |entry: &Value| {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap();
        (tag.to_owned(), entry["digest"].as_str().unwrap().to_owned())
    };
    index["manifests"].as_array().unwrap().iter().map(entry).collect()
}

/// Copies one cache after another for a while, and gives the tags that were reported done and the last digest of each.
fn copy_for_a_while(program: usize, layout: &Path) -> Vec<(String, String)> {
    let began = Instant::now();
    let mut done = Vec::new();
    for number in 0.. {
        if began.elapsed() > TIME {
            break;
        }
        let cache = fixture(CACHES[(program / 2 + number) % CACHES.len()]);
        let tag =
            if program.is_multiple_of(2) { "same".to_owned() } else { format!("program{program}-{number}") };
        let to = format!("{}:{tag}", layout.display());
        let ran = bkcache(["copy", "--progress", "none", &cache.display().to_string(), &to]);
        if ran.code == 0 {
            assert!(ran.text().contains(&only_manifest(&cache)), "{}", ran.text());
            done.push((tag, only_manifest(&cache)));
        } else {
            assert!(ran.code == 1 && ran.stderr.contains(LOCKED), "{to}: {}", ran.stderr);
        }
    }
    done
}

#[test]
fn sixteen_programs_that_copy_into_one_folder_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("cache");
    let done: Vec<Vec<_>> = std::thread::scope(|scope| {
        let copies: Vec<_> = (0..PROGRAMS)
            .map(|program| {
                scope.spawn({
                    let layout = &layout;
                    move || copy_for_a_while(program, layout)
                })
            })
            .collect();
        copies.into_iter().map(|copies| copies.join().unwrap()).collect()
    });
    assert!(done.iter().all(|done| !done.is_empty()), "each has copied something");
    let (same, own): (Vec<_>, Vec<_>) = done.concat().into_iter().partition(|(tag, _)| tag == "same");

    let found = tags(&layout);
    let by_tag: BTreeMap<_, _> = found.iter().cloned().collect();
    assert_eq!(by_tag.len(), found.len(), "each tag has one entry");
    assert_eq!(by_tag.len(), own.len() + 1, "there is nothing that nobody reported");
    for (tag, digest) in &own {
        assert_eq!(by_tag.get(tag), Some(digest), "{tag} was reported done");
    }
    assert!(same.iter().any(|(_, digest)| by_tag["same"] == *digest), "{:?}", by_tag["same"]);
    for digest in by_tag.values().collect::<BTreeSet<_>>() {
        bkcache(["verify", &format!("{}@{digest}", layout.display())]).ok();
    }
    assert_eq!(fs::read_dir(layout.join("ingest")).unwrap().count(), 0, "nothing is staged");
}

#[test]
fn a_lock_on_the_index_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("cache");
    let to = format!("{}:a", layout.display());
    let cache = fixture(CACHES[2]).display().to_string();
    bkcache(["copy", "--quiet", &cache, &to]).ok();
    let lock = fs::File::create(layout.join("index.json.lock")).unwrap();
    lock.try_lock().unwrap();
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_bkcache"))
        .args(["copy", "--quiet", &fixture(CACHES[3]).display().to_string(), &to])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(waiting.try_wait().unwrap().is_none(), "it waits");
    assert_eq!(tags(&layout), [("a".to_owned(), only_manifest(&fixture(CACHES[2])))]);
    drop(lock);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(tags(&layout), [("a".to_owned(), only_manifest(&fixture(CACHES[3])))]);
}
