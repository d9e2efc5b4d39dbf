//! `bkcache doctor` as a user sees it: the points, the commands that mend them, and the exit codes.
#![cfg(unix)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Ran, bkcache, blob, copy_of, fixture, layout, program, run, sha256, store};

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

/// A cache that is wrong in one way, and the kind of what is found.
struct Damaged {
    cache: String,
    kind: &'static str,
}

/// Caches with two layers and a record for each. Each cache has one fault.
fn damaged(folder: &Path) -> Vec<Damaged> {
    let tar = |text: &str| {
        let mut tar = vec![0; 2048];
        tar[..text.len()].copy_from_slice(text.as_bytes());
        tar
    };
    let [one, two] = ["one", "two"].map(tar);
    let layer = |bytes: &[u8], media_type: &str, diff_id: Option<&str>| {
        let mut layer = json!({"mediaType": media_type, "digest": sha256(bytes), "size": bytes.len()});
        if let Some(diff_id) = diff_id {
            layer["annotations"] = json!({"containerd.io/uncompressed": diff_id});
        }
        layer
    };
    let oci = "application/vnd.oci.image.layer.v1.tar";
    let a = layer(&one, oci, Some(&sha256(&one)));
    let b = layer(&two, oci, Some(&sha256(&two)));
    let lowest = json!({"blob": sha256(&one), "parent": -1});
    let upper = json!({"blob": sha256(&two), "parent": 0});
    let record = |text: &str, layer: usize| {
        let digest = sha256(text.as_bytes());
        json!({"digest": digest, "layers": [{"layer": layer, "createdAt": "2026-11-24T00:00:00Z"}]})
    };
    let [first, second] = [record("first", 0), record("second", 1)];
    let both = json!({"layers": [lowest, upper], "records": [first, second]}).to_string();
    let of =
        |layers: &[&Value], records: &[&Value]| json!({"layers": layers, "records": records}).to_string();
    let cases: Vec<(&'static str, String, Vec<Value>)> = vec![
        ("config-unreadable", r#"{"layers":"#.to_owned(), vec![a.clone()]),
        ("graph-unsound", of(&[&lowest], &[&record("first", 7)]), vec![a.clone()]),
        ("layer-list-mismatch", both.clone(), vec![b.clone(), a.clone()]),
        ("layer-not-in-config", of(&[&lowest], &[&first]), vec![a.clone(), b.clone()]),
        ("duplicate-layer", of(&[&lowest, &lowest], &[&first, &second]), vec![a.clone()]),
        ("unreachable-layer", of(&[&lowest, &upper], &[&first]), vec![a.clone(), b.clone()]),
        ("dropped-result", both.clone(), vec![a.clone()]),
        ("unknown-media-type", both.clone(), vec![a.clone(), layer(&two, "x/y", Some(&sha256(&two)))]),
        ("diff-id-missing", both.clone(), vec![a.clone(), layer(&two, oci, None)]),
        ("diff-id-invalid", both.clone(), vec![a.clone(), layer(&two, oci, Some("odd"))]),
        ("duplicate-record", of(&[&lowest, &upper], &[&first, &second, &second]), vec![a.clone(), b.clone()]),
        ("missing-blob", both.clone(), vec![a.clone(), b.clone()]),
        ("short-blob", both.clone(), vec![a.clone(), b.clone()]),
        ("long-blob", both, vec![a, b]),
    ];
    let make = |(kind, config, layers): (&'static str, String, Vec<Value>)| {
        let cache = layout(folder, kind, config.as_bytes(), &layers);
        store(Path::new(&cache), &one);
        store(Path::new(&cache), &two);
        let upper = blob(Path::new(&cache), &sha256(&two));
        match kind {
            "missing-blob" => fs::remove_file(upper).unwrap(),
            "short-blob" => fs::write(upper, &two[1..]).unwrap(),
            "long-blob" => fs::write(upper, [&two[..], b"x"].concat()).unwrap(),
            _ => {}
        }
        Damaged { cache, kind }
    };
    cases.into_iter().map(make).collect()
}

#[test]
fn what_is_found_has_a_command_that_mends_it_or_is_to_be_exported_again() {
    let folder = tempfile::tempdir().unwrap();
    let found = |cache: &str, kind: &str| {
        let ran = doctor(&["--json", cache]);
        let points = ran.json()["points"].as_array().unwrap().clone();
        points.into_iter().find(|point| point["kinds"].as_array().unwrap().contains(&json!(kind)))
    };
    let mut mended = Vec::new();
    for Damaged { cache, kind } in damaged(folder.path()) {
        let point = found(&cache, kind).unwrap_or_else(|| panic!("{kind} is not found"));
        let Some(command) = point["command"].as_str() else {
            let text = point["text"].as_str().unwrap();
            assert!(text.contains("; export the cache again"), "{kind}: {text}");
            continue;
        };
        let copy = folder.path().join(format!("{kind}-mended")).display().to_string();
        paste(&command.replace(" DST", &format!(" {copy}")));
        let result = if command.ends_with(" DST") { copy } else { cache };
        assert_eq!(found(&result, kind), None, "{command}");
        mended.push(kind);
    }
    let expected = [
        "layer-list-mismatch",
        "layer-not-in-config",
        "duplicate-layer",
        "unreachable-layer",
        "dropped-result",
        "diff-id-missing",
        "duplicate-record",
        "missing-blob",
        "short-blob",
        "long-blob",
    ];
    assert_eq!(mended, expected);
}

#[test]
fn a_manifest_that_cannot_be_read_is_the_only_point() {
    let folder = tempfile::tempdir().unwrap();
    let name = "app-max-manifest-oci-gzip";
    let cache = copy_of(name, &folder.path().join("cache"));
    let digest = doctor(&["--json", cache.to_str().unwrap()]).ok().json()["manifest"].clone();
    let manifest = blob(&cache, digest.as_str().unwrap());
    let bytes = fs::read(&manifest).unwrap();
    let examined = || {
        let ran = doctor(&[cache.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
        let text = ran.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("error    form "), "{lines:?}");
        assert!(lines[1].ends_with(": BuildKit will not import it"), "{lines:?}");
        lines[0].to_owned()
    };
    fs::remove_file(&manifest).unwrap();
    assert!(examined().ends_with("it is missing; export the cache again"));
    fs::write(&manifest, &bytes[1..]).unwrap();
    assert!(examined().ends_with("; export the cache again"));
    fs::write(&manifest, [&bytes[1..], b" "].concat()).unwrap();
    assert!(examined().contains("it has other content"));
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
