//! `bkcache verify --content` on builds whose layers hold what their keys name, and on caches that were tampered with.
#![cfg(unix)]

use std::path::Path;

use tests::why::WhyCase;

use crate::support::{Ran, bkcache};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `verify` on the cache of a build, with its record.
fn verify(case: &WhyCase, options: &[&str]) -> Ran {
    let (cache, record) = (case.cache_folder(), case.folder.join("provenance.json"));
    let command = ["verify", "--record", text(&record), text(&cache)];
    bkcache(command.iter().chain(options))
}

#[test]
fn tampered_caches_are_errors_and_honest_ones_are_not() {
    for case in WhyCase::all() {
        let content = &case.truth["content"];
        let Some(steps) = content["steps"].as_array() else { continue };
        let poisoned = content["poisoned"] == true;
        let context = case.context();
        for options in [&["--content", "--json", "--context", text(&context)][..], &["--content", "--json"]] {
            let ran = verify(&case, options);
            assert_eq!(ran.code, if poisoned { 3 } else { 0 }, "{}: {}", case.name, ran.stderr);
            let report = ran.json();
            assert_eq!(report["sound"], !poisoned, "{}", case.name);
            let judged = report["content"][0]["steps"].as_array().unwrap();
            for step in steps {
                let judged = judged.iter().find(|judged| judged["line"] == step["line"]).unwrap();
                let is_right = judged["verdict"] == step["verdict"]
                    || options.len() < 4 && judged["verdict"] == step["without_context"];
                assert!(is_right, "{}: {judged}", case.name);
                assert_eq!(judged["reason"].is_string(), judged["verdict"] == "unknown", "{judged}");
            }
            let findings = report["findings"].as_array().unwrap();
            let is_named = |path: &str| findings.iter().any(|finding| finding["path"] == path);
            if let (Some(path), 4) = (content["path"].as_str(), options.len()) {
                assert!(is_named(path), "{}: {findings:?}", case.name);
            }
            assert_eq!(findings.is_empty(), !poisoned, "{}: {findings:?}", case.name);
        }
    }
}

#[test]
fn a_planted_file_is_named_with_the_line_that_did_not_write_it() {
    let case = WhyCase::load("content-outside");
    let ran = verify(&case, &["--content", "--context", text(&case.context())]);
    assert_eq!(ran.code, 3);
    let shown = ran.text();
    let mut lines = shown.lines();
    assert_eq!(
        lines.next().unwrap(),
        "error: line 3, COPY --chmod=0755 tool.sh /usr/bin/tool: the layer \
         sha256:b53dc1908714a2a79d9365db778ee2b2088839ab57127fa92a56a931e8ae5948 has or hides etc/profile, which the \
         step does not write; do not build from this cache"
    );
    assert_eq!(
        lines.next().unwrap(),
        "content: steps that only change files: 2 as their keys say, 1 wrong; layers of 1 command cannot be checked"
    );
    assert!(lines.next().unwrap().contains(": 1 error; 7 blobs"), "{shown}");
    assert_eq!(lines.next(), None);
}

#[test]
fn what_cannot_be_told_is_said_and_is_no_error() {
    let case = WhyCase::load("content-honest-tar");
    let ran = verify(&case, &["--content"]);
    assert_eq!(ran.code, 0);
    let shown = ran.text();
    let note = "note: line 2, ADD a.tar b.tar.gz /un/: its content cannot be told: the files of an archive that was \
                unpacked do not tell what the archive was\n";
    assert!(shown.starts_with(note), "{shown}");
    assert_eq!(verify(&case, &["--content", "--quiet"]).text(), "");
}

#[test]
fn the_record_is_needed_and_layers_have_to_be_read() {
    let case = WhyCase::load("content-outside");
    let cache = case.cache_folder();
    let without = bkcache(["verify", "--content", text(&cache)]);
    assert_eq!(without.code, 2);
    assert!(
        without.stderr.contains("--content needs --record, the record of the build"),
        "{}",
        without.stderr
    );
    let unread = verify(&case, &["--content", "--no-read"]);
    assert_eq!(unread.code, 2, "{}", unread.stderr);
}

#[test]
fn a_damaged_cache_is_reported_as_it_is_without_a_record() {
    let case = WhyCase::load("content-outside");
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let copied = std::process::Command::new("cp").arg("-r").arg(case.cache_folder()).arg(&cache).status();
    assert!(copied.unwrap().success());
    let layer = "b53dc1908714a2a79d9365db778ee2b2088839ab57127fa92a56a931e8ae5948";
    std::fs::write(cache.join("blobs/sha256").join(layer), b"other").unwrap();
    let record = case.folder.join("provenance.json");
    let ran = bkcache(["verify", "--content", "--json", "--record", text(&record), text(&cache)]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["findings"][0]["kind"], "short-blob");
    let named = report["findings"][0]["names"].as_array().unwrap();
    assert!(named.iter().any(|name| name == "line 3, COPY --chmod=0755 tool.sh /usr/bin/tool"), "{named:?}");
    let steps = report["content"][0]["steps"].as_array().unwrap();
    let copy = steps.iter().find(|step| step["line"] == 3).unwrap();
    assert_eq!(copy["verdict"], "unknown");
}
