//! `bkcache ls` on folders: every entry has its line, for any name and any number of entries.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{bkcache, blob, copy_of, fixture, only_manifest, sha256};

const APP: &str = "app-max-manifest-oci-gzip";
const TAG: &str = "org.opencontainers.image.ref.name";
const IMAGE: &str = "io.containerd.image.name";

/// A copy of a real cache whose index has one entry for each of these annotations, all for its only manifest.
fn named(folder: &Path, annotations: impl IntoIterator<Item = Value>) -> String {
    let layout = copy_of(APP, folder);
    let digest = only_manifest(&layout);
    let size = std::fs::metadata(blob(&layout, &digest)).unwrap().len();
    let entry = |annotations| json!({"digest": digest, "size": size, "annotations": annotations});
    let entries: Vec<Value> = annotations.into_iter().map(entry).collect();
    write_index(&layout, &entries);
    layout.display().to_string()
}

fn write_index(layout: &Path, entries: &[Value]) {
    let index = json!({"schemaVersion": 2, "manifests": entries}).to_string();
    std::fs::write(layout.join("index.json"), index).unwrap();
}

fn names(list: &Value) -> Vec<Option<&str>> {
    list.as_array().unwrap().iter().map(|line| line["name"].as_str()).collect()
}

#[test]
fn a_long_name_is_cut_in_the_table_and_whole_in_json() {
    let temp = tempfile::tempdir().unwrap();
    let long = "x".repeat(70_000);
    let place = named(&temp.path().join("long"), [json!({TAG: long}), json!({TAG: "main"})]);
    let shown = bkcache(["ls", &place]).ok().text();
    assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
    assert!(shown.contains("xxx…  cache (manifest)"), "{shown}");
    assert_eq!(names(&bkcache(["ls", "--json", &place]).ok().json()), [Some("main"), Some(long.as_str())]);
    // An invalid entry may have such a name too.
    let entries = [json!({"digest": "md5:0", "annotations": {TAG: long}})];
    write_index(Path::new(&place), &entries);
    let ran = bkcache(["ls", &place]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.text().contains("xxx…  error: "));
}

#[test]
fn a_long_media_type_is_cut_in_the_table_and_whole_in_json() {
    let temp = tempfile::tempdir().unwrap();
    let layout = copy_of(APP, &temp.path().join("odd"));
    let media_type = format!("application/{}", "x".repeat(70_000));
    let digest = only_manifest(&layout);
    let mut manifest: Value =
        serde_json::from_slice(&std::fs::read(blob(&layout, &digest)).unwrap()).unwrap();
    manifest["config"]["mediaType"] = json!(media_type);
    manifest["layers"] = json!([]);
    let text = manifest.to_string();
    let digest = sha256(text.as_bytes());
    std::fs::write(blob(&layout, &digest), &text).unwrap();
    write_index(&layout, &[json!({"digest": digest, "size": text.len()})]);
    let place = layout.display().to_string();
    let shown = bkcache(["ls", &place]).ok().text();
    assert!(shown.contains("application/xxx") && shown.chars().count() < 1000, "{shown}");
    assert_eq!(bkcache(["ls", "--json", &place]).ok().json()[0]["artifact"], json!(media_type));
}

#[test]
fn the_time_of_a_list_is_linear_in_its_tags() {
    let temp = tempfile::tempdir().unwrap();
    let tags = (0..8000).map(|n| json!({TAG: format!("build-{n}")}));
    let place = named(&temp.path().join("many"), tags);
    let started = Instant::now();
    let ran = bkcache(["ls", "--progress", "json", &place]).ok();
    let took = started.elapsed();
    assert_eq!(ran.text().lines().count(), 8002, "with the headings and the total");
    let total = ran.text().lines().last().unwrap().to_owned();
    assert_eq!(total, "8,000 names, 8,000 caches: 25.42 KiB, shared blobs counted once");
    // It takes about a second. Reading the index once per entry took minutes.
    assert!(took < Duration::from_secs(30), "{took:?}");
    let events: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |event: &str| events.iter().filter(|value| value["event"] == event).count();
    assert_eq!((count("planned"), count("started"), count("finished")), (1, 1, 1), "all have one manifest");
    assert_eq!(events[0]["blobs"], json!(1));
}

#[test]
fn images_with_one_tag_each_have_a_line_whose_name_can_be_typed() {
    let temp = tempfile::tempdir().unwrap();
    let place = named(
        &temp.path().join("images"),
        [
            json!({TAG: "latest", IMAGE: "docker.io/foo/bar:latest"}),
            json!({TAG: "latest", IMAGE: "docker.io/foo/baz:latest"}),
            json!({TAG: "v1", IMAGE: "docker.io/foo/bar:v1"}),
        ],
    );
    let list = bkcache(["ls", "--json", &place]).ok().json();
    let expected = ["docker.io/foo/bar:latest", "docker.io/foo/baz:latest", "v1"];
    assert_eq!(names(&list), expected.map(Some));
    for name in expected.into_iter().chain(["latest", "docker.io/foo/bar:v1"]) {
        let place = format!("{place}:{name}");
        bkcache(["inspect", &place]).ok();
        assert_eq!(names(&bkcache(["ls", "--json", &place]).ok().json()), [Some(name)]);
    }
}

#[test]
fn an_invalid_entry_hides_no_other() {
    let temp = tempfile::tempdir().unwrap();
    let place = named(&temp.path().join("broken"), [json!({TAG: "main"})]);
    let text = std::fs::read(Path::new(&place).join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&text).unwrap();
    let entries = [json!({"digest": "md5:0", "size": 1}), index["manifests"][0].clone()];
    write_index(Path::new(&place), &entries);
    let ran = bkcache(["ls", &place]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.ends_with("1 of 2 names cannot be read\n"), "{}", ran.stderr);
    let shown = ran.text();
    assert!(shown.contains("\n-     error: read entry without a name of index.json: "), "{shown}");
    assert!(shown.contains("\nmain  cache (manifest)  "), "{shown}");
    let list = bkcache(["ls", "--json", &place]).json();
    assert_eq!(names(&list), [None, Some("main")]);
    assert!(list[0]["error"].is_string());
}

#[test]
fn a_name_that_is_given_is_the_one_that_is_listed() {
    let temp = tempfile::tempdir().unwrap();
    let place = named(&temp.path().join("two"), [json!({TAG: "a"}), json!({TAG: "b"})]);
    let digest = only_manifest(&copy_of(APP, &temp.path().join("one")));
    let absent = format!("sha256:{}", "a".repeat(64));
    for (given, name) in [(":b".to_owned(), "b"), (format!("@{digest}"), digest.as_str())] {
        let list = bkcache(["ls", "--json", &format!("{place}{given}")]).ok().json();
        assert_eq!(names(&list), [Some(name)]);
        assert_eq!(list[0]["digest"], json!(digest));
    }
    for (given, reason) in [(":c", "there is no such tag"), (&format!("@{absent}"), "there is no such blob")]
    {
        let ran = bkcache(["ls", &format!("{place}{given}")]);
        assert_eq!((ran.code, ran.text().as_str()), (1, ""));
        assert!(ran.stderr.starts_with(&format!("bkcache: cannot read {place}{given}: ")), "{}", ran.stderr);
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

#[test]
fn a_name_with_control_characters_is_escaped_in_the_table_and_exact_in_json() {
    let temp = tempfile::tempdir().unwrap();
    let name = "a\u{202e}b\u{2028}c\u{2066}d\u{200b}e\u{1b}[31m";
    let shown_as = r"a\u{202e}b\u{2028}c\u{2066}d\u{200b}e\u{1b}[31m";
    let place = named(&temp.path().join("odd"), [json!({TAG: name})]);
    let shown = bkcache(["ls", &place]).ok().text();
    assert!(shown.lines().nth(1).unwrap().starts_with(&format!("{shown_as}  cache (manifest)")), "{shown}");
    assert_eq!(names(&bkcache(["ls", "--json", &place]).ok().json()), [Some(name)]);
    let ran = bkcache(["inspect", "-v", &format!("{place}:gone")]);
    assert!(ran.stderr.contains(shown_as), "{}", ran.stderr);
    assert!(
        ran.stderr.lines().all(|line| !line.contains(['\u{202e}', '\u{2028}', '\u{1b}'])),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_list_is_sorted_as_asked_and_its_total_left_out_with_quiet() {
    let temp = tempfile::tempdir().unwrap();
    let place = temp.path().join("cache").display().to_string();
    for (fixture_name, tag) in [("platforms-2", "a"), ("deep-100", "b"), (APP, "c")] {
        bkcache(["copy", "-q", &fixture(fixture_name).display().to_string(), &format!("{place}:{tag}")]).ok();
    }
    for (sort, expected) in [("name", ["a", "b", "c"]), ("size", ["b", "c", "a"])] {
        let list = bkcache(["ls", "--json", "--sort", sort, &place]).ok().json();
        assert_eq!(names(&list), expected.map(Some), "{sort}");
    }
    let list = bkcache(["ls", "--json", "--sort", "age", &place]).ok().json();
    let times: Vec<&str> =
        list.as_array().unwrap().iter().map(|line| line["newest"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert!(bkcache(["ls", &place]).ok().text().lines().last().unwrap().starts_with("3 names, 3 caches: "));
    assert_eq!(bkcache(["ls", "--quiet", &place]).ok().text().lines().count(), 4);
}

#[test]
fn a_place_without_any_tag_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let place = temp.path().display().to_string();
    std::fs::write(temp.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    write_index(temp.path(), &[]);
    assert_eq!(bkcache(["ls", &place]).ok().stderr, format!("no tags in {place}\n"));
    assert_eq!(bkcache(["ls", "--caches", &place]).ok().stderr, format!("no caches in {place}\n"));
    assert_eq!(bkcache(["ls", "--quiet", &place]).ok().stderr, "");
    let listed = bkcache(["ls", "--json", &place]).ok();
    assert_eq!((listed.json(), listed.stderr.as_str()), (json!([]), ""));
}

#[test]
fn a_folder_whose_index_is_gone_does_not_count_as_one_without_tags() {
    let temp = tempfile::tempdir().unwrap();
    let layout = copy_of(APP, &temp.path().join("cache"));
    std::fs::remove_file(layout.join("index.json")).unwrap();
    let place = layout.display().to_string();
    for command in [&["ls"][..], &["ls", "--caches"], &["inspect"], &["verify"]] {
        let ran = bkcache(command.iter().copied().chain([place.as_str()]));
        assert_eq!((ran.code, ran.text().as_str()), (1, ""), "{command:?}");
        let reason = format!("read {place}/index.json: there is no such file, so no tags are known");
        assert!(ran.stderr.contains(&reason), "{}", ran.stderr);
    }
}
