//! `bkcache doctor` as a user sees it: the points, the commands that mend them, and the exit codes.
#![cfg(unix)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Ran, bkcache, blob, copy_of, fixture, layout, program, run, sha256};

/// Runs it at a time at which the results of the fixtures are some days old.
fn doctor(args: &[&str]) -> Ran {
    let mut program = program();
    run(program.env("SOURCE_DATE_EPOCH", "1796000000").arg("doctor").args(args), b"")
}

/// The point about a topic.
fn point(ran: &Ran, topic: &str) -> Value {
    ran.json()["points"].as_array().unwrap().iter().find(|point| point["topic"] == topic).unwrap().clone()
}

#[test]
fn each_form_has_its_points() {
    let mut text = String::new();
    for name in [
        "app-max-manifest-oci-gzip",
        "app-max-index-oci-gzip",
        "app-max-index-docker-gzip",
        "inline-oci-true",
    ] {
        let ran = doctor(&[fixture(name).to_str().unwrap()]).ok();
        writeln!(text, "{}", ran.shown(Path::new("/nowhere"))).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_missing_blob_is_an_error_that_its_command_mends() {
    let folder = tempfile::tempdir().unwrap();
    let cache = copy_of("app-max-manifest-oci-gzip", &folder.path().join("it's lost"));
    fs::remove_file(blob(&cache, "sha256:2d8e0f4f7ab80e41eb7ecd327341f550c33778be7dc4bd878ed04fcfcd42b545"))
        .unwrap();
    let ran = doctor(&["--json", cache.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    let found = point(&ran, "blobs");
    assert_eq!((&found["mark"], &found["kinds"]), (&json!("error"), &json!(["missing-blob"])));
    paste(found["command"].as_str().unwrap());
    doctor(&[cache.to_str().unwrap()]).ok();
}

#[test]
fn the_verdict_says_whether_anything_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = |cache: &str| {
        let ran = doctor(&[cache]);
        assert_eq!(ran.code, 3);
        ran.text().rsplit_once(": ").unwrap().1.to_owned()
    };
    let parts =
        "BuildKit will import it, but steps that need what is missing or wrong will fail or run again\n";
    let cache = copy_of("app-max-manifest-oci-gzip", &folder.path().join("cache"));
    fs::remove_file(blob(&cache, "sha256:2d8e0f4f7ab80e41eb7ecd327341f550c33778be7dc4bd878ed04fcfcd42b545"))
        .unwrap();
    assert_eq!(verdict(cache.to_str().unwrap()), parts);
    let config = r#"{"layers":[{"blob":"sha256:00","parent":-1}],"records":[{"digest":"r","layers":[{"layer":0,"createdAt":"2026-01-02T00:00:00Z"}]}]}"#;
    let config = config.replace("sha256:00", &sha256(b"not listed"));
    assert_eq!(verdict(&layout(folder.path(), "unlisted", config.as_bytes(), &[])), parts);
    fs::remove_file(blob(&cache, "sha256:ad91037b41fb8ffbf6e19fec2645b597992fd6f1dec8d79dae75a2e5789e4322"))
        .unwrap();
    assert_eq!(verdict(cache.to_str().unwrap()), "BuildKit will not import it\n");
}

#[test]
fn a_config_above_the_limit_of_buildkit_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let record = |n: usize| json!({"digest": format!("sha256:{n:064}")});
    let config = json!({"records": (0..15_000).map(record).collect::<Vec<_>>()}).to_string();
    let cache = layout(folder.path(), "large", config.as_bytes(), &[]);
    let ran = doctor(&["--json", &cache]);
    assert_eq!(ran.code, 3);
    let found = point(&ran, "config");
    assert_eq!((&found["mark"], &found["kinds"]), (&json!("error"), &json!(["above-import-limit"])));
    let command = found["command"].as_str().unwrap();
    assert_eq!(command, format!("bkcache prune --fit buildkit --in-place {cache}"));
    let quiet = doctor(&["-q", &cache]);
    assert_eq!((quiet.code, quiet.text().lines().count()), (3, 2));
}

#[test]
fn an_index_becomes_a_manifest_by_its_command() {
    let cache = fixture("app-max-index-oci-gzip");
    let ran = doctor(&["--json", cache.to_str().unwrap()]).ok();
    let found = point(&ran, "registries");
    assert_eq!(found["mark"], "warning");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy").display().to_string();
    paste(&found["command"].as_str().unwrap().replace(" DST", &format!(" {copy}")));
    assert_eq!(point(&doctor(&["--json", &copy]).ok(), "registries")["mark"], "ok");
}

#[test]
fn what_is_no_cache_is_refused() {
    let ran = bkcache(["doctor", "./nothing-here"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("check the path"), "{}", ran.stderr);
}

#[test]
fn the_page_about_registries_names_those_that_refuse_an_index() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/registries.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("| yes | no |"));
    let mut refusing: Vec<&str> =
        rows.flat_map(|row| row.split('|').nth(1).unwrap().split(", ")).map(str::trim).collect();
    refusing.sort_unstable();
    let ran = doctor(&["--json", fixture("app-max-index-oci-gzip").to_str().unwrap()]).ok();
    let text = point(&ran, "registries")["text"].as_str().unwrap().to_owned();
    let (names, _) = text.split_once(" refuse ").unwrap();
    let mut named: Vec<&str> = names.split(", ").flat_map(|names| names.split(" and ")).collect();
    named.sort_unstable();
    assert_eq!(named, refusing);
}

/// Runs a command as a user would who pastes it into a shell.
fn paste(command: &str) {
    let program = env!("CARGO_BIN_EXE_bkcache");
    let command = command.replacen("bkcache", &format!("'{program}'"), 1);
    let status = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(status.status.success(), "{command}: {}", String::from_utf8_lossy(&status.stderr));
}
