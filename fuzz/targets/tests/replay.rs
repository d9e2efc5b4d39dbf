//! Runs every file of the corpora through its target.
//!
//! It needs no fuzzer, and finds again every fault that a fuzzer found once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use bkcache_fuzz_targets::{TARGETS, Target};

/// The longest time for one input, on a slow machine.
const LONGEST: Duration = Duration::from_secs(60);

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a target on one input. Fails if the target panics or takes too long.
fn replay(target: &Target, path: &Path) {
    let bytes = fs::read(path).unwrap();
    let (done, wait) = channel();
    let run = target.run;
    let thread = std::thread::spawn(move || {
        run(&bytes);
        done.send(()).unwrap();
    });
    match wait.recv_timeout(LONGEST) {
        Ok(()) => {}
        Err(RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_err();
            panic!("{} breaks a law: see above", path.display());
        }
        Err(RecvTimeoutError::Timeout) => panic!("{} takes longer than {LONGEST:?}", path.display()),
    }
}

#[test]
fn every_file_of_the_corpora_keeps_the_laws() {
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        let files = names(&folder);
        assert!(!files.is_empty(), "{} is empty", folder.display());
        files.iter().for_each(|file| replay(target, &folder.join(file)));
    }
}

#[test]
fn a_target_is_a_fuzzer_and_has_a_corpus_and_there_are_no_others() {
    let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let fuzzers: Vec<String> = targets.iter().map(|target| format!("{target}.rs")).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), fuzzers);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(manifest.contains(&format!("\nname = \"{target}\"\n")), "{target} is not in the manifest");
    }
}

#[test]
#[should_panic(expected = "breaks a law")]
fn a_broken_law_is_seen() {
    let broken = Target { name: "broken", run: |bytes| assert!(bytes.is_empty()) };
    replay(&broken, &fuzz().join("Cargo.toml"));
}
