//! `bkcache prune`.

use std::path::Path;

use serde_json::{Value, json};

use super::builds::{BUILD, NOW, export, record, sorted};
use crate::support::caches::records;
use crate::support::{Ran, bkcache, files, fixture, layout, only_manifest, program, run};

/// Runs the program at a fixed time.
fn at(now: &str, args: &[&str]) -> Ran {
    run(program().env("SOURCE_DATE_EPOCH", now).args(args), b"")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn what_is_old_goes_and_what_a_fresh_result_was_made_from_stays() {
    let folder = tempfile::tempdir().unwrap();
    let source = path(folder.path(), "cache");
    export(folder.path(), &source, BUILD);
    for (n, limit) in ["27d", "2026-11-01", "2026-11-01T00:00:00Z", "648h"].into_iter().enumerate() {
        let to = path(folder.path(), &format!("to-{n}"));
        let ran = at(NOW, &["prune", "--progress", "none", "--older-than", limit, &source, &to]).ok();
        assert_eq!(records(&to), sorted(&["source", "base", "app"]), "{limit}");
        bkcache(["verify", &to]).ok();
        if n == 0 {
            insta::assert_snapshot!("older_than", ran.shown(folder.path()));
        }
    }
    assert_eq!(
        records(&source),
        sorted(&["source", "base", "app", "tool", "unused"]),
        "the source is as it was"
    );
}

#[test]
fn json_says_what_goes_and_what_stays_although_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let (source, to) = (path(folder.path(), "cache"), path(folder.path(), "to"));
    export(folder.path(), &source, BUILD);
    let args = ["prune", "--dry-run", "--json", "--older-than", "27d", &source, &to];
    let shown = at(NOW, &args).ok().json();
    assert_eq!(shown["dryRun"], true);
    assert_eq!(shown["before"], json!({"records": 5, "results": 3, "blobs": 3, "bytes": 20}));
    assert_eq!(shown["after"], json!({"records": 3, "results": 2, "blobs": 2, "bytes": 11}));
    let dropped =
        json!([{"record": record("tool"), "createdAt": "2026-02-01T00:00:00Z", "layers": 2, "bytes": 9}]);
    assert_eq!(shown["dropped"], dropped);
    let old =
        json!([{"record": record("base"), "createdAt": "2026-01-01T00:00:00Z", "neededBy": record("app")}]);
    assert_eq!(shown["old"], old);
    assert!(!Path::new(&to).exists(), "a dry run makes no folder");
    let written = at(NOW, &["prune", "--json", "--older-than", "27d", &source, &to]).ok().json();
    let manifest = only_manifest(Path::new(&to));
    assert_eq!((&written["manifest"]["digest"], &written["dryRun"]), (&json!(manifest), &json!(false)));
    assert_eq!(shown["manifest"], written["manifest"], "a dry run names the manifest that would be written");
    for key in ["before", "after", "dropped", "old"] {
        assert_eq!(written[key], shown[key], "{key}");
    }
}

#[test]
fn a_mark_of_use_keeps_what_is_old_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let [source, marked] = ["source", "marked"].map(|name| path(folder.path(), name));
    export(folder.path(), &source, BUILD);
    at(NOW, &["merge", "-q", "--append", &source, &marked]).ok();
    let ten_days_later = "1796688000";
    let args = ["prune", "--json", "--in-place", "--older-than", "27d", &marked];
    let shown = at(ten_days_later, &args).ok().json();
    assert_eq!((&shown["dropped"], &shown["after"]["results"]), (&json!([]), &json!(3)));
    let old = |step: &str, created_at: &str| json!({"record": record(step), "createdAt": created_at, "usedOn": "2026-11-28"});
    let expected = [old("base", "2026-01-01T00:00:00Z"), old("tool", "2026-02-01T00:00:00Z")];
    assert_eq!(shown["old"], json!(expected));
    let manifest = bkcache(["manifest", &marked]).ok().json();
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["annotations"]["bkcache/used"], "2026-11-28", "{layer}");
    }
    // Without a new mark, all is old in the end.
    let ran = at("1799020800", &["prune", "-q", "--in-place", "--older-than", "27d", &marked]);
    assert!(ran.code == 1 && ran.stderr.contains(": no result would be left; "), "{}", ran.stderr);
}

#[test]
fn a_dry_run_in_place_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let source = path(folder.path(), "cache");
    export(folder.path(), &source, BUILD);
    let before = files(Path::new(&source));
    let args = ["prune", "--progress", "none", "--dry-run", "--in-place", "--older-than", "27d", &source];
    let ran = at(NOW, &args).ok();
    insta::assert_snapshot!(
        "dry_run",
        ran.shown(folder.path()).replace(&only_manifest(Path::new(&source)), "BEFORE")
    );
    assert_eq!(files(Path::new(&source)), before);
}

#[test]
fn the_form_and_the_metadata_file_are_those_of_any_export() {
    let folder = tempfile::tempdir().unwrap();
    let [source, to, metadata] = ["cache", "to", "metadata.json"].map(|name| path(folder.path(), name));
    export(folder.path(), &source, BUILD);
    bkcache(["prune", "-q", "--form", "index", "--metadata-file", &metadata, &source, &to]).ok();
    let metadata: Value = serde_json::from_slice(&std::fs::read(&metadata).unwrap()).unwrap();
    let manifest: Value = serde_json::from_str(metadata["cache.manifest"].as_str().unwrap()).unwrap();
    assert_eq!(manifest["digest"], json!(only_manifest(Path::new(&to))));
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.index.v1+json");
}

#[test]
fn a_size_keeps_first_what_the_freshest_build_stands_on() {
    let folder = tempfile::tempdir().unwrap();
    let source = path(folder.path(), "cache");
    export(folder.path(), &source, BUILD);
    for (limit, kept) in [
        ("20", &["source", "base", "app", "tool"][..]),
        ("19B", &["source", "base", "app"]),
        ("11", &["source", "base", "app"]),
        ("10", &["source", "base"]),
        ("4", &["source", "base"]),
    ] {
        let to = path(folder.path(), &format!("to-{limit}"));
        bkcache(["prune", "-q", "--keep-bytes", limit, &source, &to]).ok();
        assert_eq!(records(&to), sorted(kept), "{limit}");
    }
}

#[test]
fn a_config_fits_into_its_limit_and_no_more_goes_than_has_to() {
    let app = fixture("app-max-manifest-oci-gzip").display().to_string();
    let config = |args: &[&str]| bkcache([&["prune", "--print-config"], args, &[&app]].concat()).ok().stdout;
    let whole = config(&[]).len();
    assert_eq!(config(&["--fit", "buildkit"]).len(), whole);
    assert_eq!(config(&["--fit", "1MiB"]).len(), whole);
    assert_eq!(config(&["--fit", &whole.to_string()]).len(), whole);
    let smaller = config(&["--fit", &(whole - 1).to_string()]).len();
    assert!(smaller < whole && smaller > whole / 2, "{smaller} of {whole}");
    assert_eq!(config(&["--fit", "2"]), b"{}");
}

#[test]
fn limits_together_choose_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let source = path(folder.path(), "cache");
    export(folder.path(), &source, BUILD);
    let config =
        |args: &[&str]| at(NOW, &[&["prune", "--print-config"], args, &[&source]].concat()).ok().json();
    let names = |config: Value| {
        let records = config["records"].as_array().unwrap().iter();
        records.map(|record| record["digest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Alone, the size would keep the tool, which is old.
    assert_eq!(names(config(&["--keep-bytes", "20"])), sorted(&["source", "base", "app", "tool"]));
    assert_eq!(
        names(config(&["--keep-bytes", "20", "--older-than", "27d"])),
        sorted(&["source", "base", "app"])
    );
    let fit = ["--keep-bytes", "20", "--older-than", "27d", "--fit", "450"];
    assert_eq!(names(config(&fit)), sorted(&["source", "base"]));
}

#[test]
fn several_sources_are_merged_first_and_pruning_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, to] = ["a", "b", "to"].map(|name| path(folder.path(), name));
    export(folder.path(), &a, &BUILD[..3]);
    export(folder.path(), &b, BUILD);
    let limit = ["--older-than", "27d"];
    at(NOW, &[&["prune", "-q"], &limit[..], &[&a, &b, &to]].concat()).ok();
    assert_eq!(records(&to), sorted(&["source", "base", "app"]));
    let manifest = only_manifest(Path::new(&to));
    at(NOW, &[&["prune", "-q", "--in-place"], &limit[..], &[&to]].concat()).ok();
    assert_eq!(only_manifest(Path::new(&to)), manifest);
}

#[test]
fn a_real_cache_without_limits_stays_as_it_is() {
    for name in ["app-max-manifest-oci-gzip", "deep-100", "wide-40", "platforms-2"] {
        let source = fixture(name).display().to_string();
        let stored = bkcache(["config", &source]).ok().stdout;
        assert_eq!(bkcache(["prune", "--print-config", &source]).ok().stdout, stored, "{name}");
    }
}

#[test]
fn a_prune_that_would_leave_nothing_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = path(folder.path(), "cache");
    export(folder.path(), &source, BUILD);
    let before = std::fs::read(Path::new(&source).join("index.json")).unwrap();
    let ran = at(NOW, &["prune", "--progress", "none", "--in-place", "--older-than", "1d", &source]);
    insta::assert_snapshot!("nothing_left", ran.shown(folder.path()));
    assert_eq!((ran.code, std::fs::read(Path::new(&source).join("index.json")).unwrap()), (1, before));
    let to = path(folder.path(), "to");
    let ran = at(NOW, &["prune", "--progress", "none", "--older-than", "1d", &source, &to]);
    assert!(
        ran.code == 1 && ran.stderr.ends_with("no result would be left; choose other limits\n"),
        "{}",
        ran.stderr
    );
    assert!(!Path::new(&to).exists(), "no folder is made for nothing");
}

#[test]
fn of_a_cache_without_results_it_is_said_that_it_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let empty = layout(folder.path(), "empty", b"{}", &[]);
    for command in ["prune", "repair"] {
        let to = path(folder.path(), "to");
        let ran = bkcache([command, "--progress", "none", &empty, &to]);
        let expected = format!("bkcache: nothing was written to {to}: the caches have no results\n");
        assert_eq!((ran.code, ran.stderr), (1, expected), "{command}");
    }
}

#[test]
fn what_was_typed_wrong_is_one_line_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = path(folder.path(), "cache");
    export(folder.path(), &source, BUILD);
    let before = std::fs::read(Path::new(&source).join("index.json")).unwrap();
    let mut shown = String::new();
    for args in [
        &["--keep-bytes", "0", "--in-place", &source][..],
        &["--keep-bytes", "5 GB of it", "--in-place", &source],
        &["--older-than", "14", "--in-place", &source],
        &["--older-than", "14x", "--in-place", &source],
        &["--older-than", "2026-11-29", "--in-place", &source],
        &["--older-than", "2026-13-01", "--in-place", &source],
        &["--fit", "1", "--in-place", &source],
        &["--fit", "docker", "--in-place", &source],
        &["--in-place", &source, &source],
        &["--in-place", &format!("{source}@{}", only_manifest(Path::new(&source)))],
        &["--in-place", &format!("{source}:absent")],
        &[&source],
        &["--in-place", "--print-config", &source],
        &[],
    ] {
        let ran = at(NOW, &[&["prune", "--progress", "none"], args].concat());
        let text = ran.shown(folder.path()).replace(&only_manifest(Path::new(&source)), "MANIFEST");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("For more information"));
        let lines: Vec<&str> = lines.collect();
        assert!(ran.code == 1 || ran.code == 2, "{args:?}: {text}");
        shown += &format!("{}\n  {}\n", args.join(" ").replace(&source, "SRC"), lines.join("\n  "));
    }
    insta::assert_snapshot!("typed_wrong", shown);
    assert_eq!(std::fs::read(Path::new(&source).join("index.json")).unwrap(), before);
}

#[test]
fn an_epoch_that_is_no_number_is_refused() {
    let ran = at("today", &["prune", "--print-config", "--older-than", "1d", "x"]);
    let line = "bkcache: SOURCE_DATE_EPOCH is \"today\", not a number of seconds since 1970\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, line));
}
