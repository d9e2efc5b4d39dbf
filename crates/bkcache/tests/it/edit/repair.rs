//! `bkcache repair`.

use std::path::Path;

use serde_json::{Value, json};
use test_registries::{Behavior, DockerRegistry, Fault, Guard, On, Registry, Server};

use crate::support::{bkcache, blob, copy_of, files, fixture};

const CACHE: &str = "app-max-manifest-oci-gzip";
const LAYER: &str = "sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";

/// Something that can happen to the file of a blob: its name, and how it is found.
type Damage = (&'static str, fn(&Path), &'static str);

const DAMAGES: [Damage; 4] = [
    ("missing", |file| std::fs::remove_file(file).unwrap(), "missing-blob"),
    ("truncated", |file| std::fs::write(file, &std::fs::read(file).unwrap()[..100]).unwrap(), "short-blob"),
    ("over-long", |file| std::fs::write(file, vec![7; 3052]).unwrap(), "long-blob"),
    ("swapped", |file| std::fs::write(file, vec![7; 3051]).unwrap(), "wrong-digest"),
];

/// Checks a cache that had all but this layer, and was repaired.
fn check(place: &str) {
    let verified = bkcache(["verify", place]).ok().text();
    assert!(verified.contains(": sound"), "{verified}");
    let shown = bkcache(["inspect", "--json", place]).ok().json();
    let cache = &shown["caches"][0];
    assert!(!cache["layers"].as_array().unwrap().is_empty() && !cache["layers"].to_string().contains(LAYER));
    // Each record has a result, or something that stays was made from it.
    let records = cache["records"].as_array().unwrap();
    let links = |record: &Value| record["inputs"].to_string();
    for (position, record) in records.iter().enumerate() {
        let is_source = records.iter().any(|other| links(other).contains(&format!("\"record\":{position},")));
        assert!(is_source || !record["results"].as_array().unwrap().is_empty(), "{record}");
    }
}

#[test]
fn each_damage_is_found_and_the_rest_of_a_folder_stays() {
    let temp = tempfile::tempdir().unwrap();
    for (name, damage, defect) in DAMAGES {
        let source = copy_of(CACHE, &temp.path().join(name));
        damage(&blob(&source, LAYER));
        let place = source.display().to_string();
        let read = if name == "swapped" { &["--read"][..] } else { &[] };
        let before = files(&source);
        let dry = ["repair", "--progress", "none", "--dry-run", "--json", "--in-place", &place];
        let planned = bkcache([&dry, read].concat()).ok().json();
        assert_eq!(files(&source), before, "{name}: a dry run changes nothing");
        let damaged = json!([{"digest": LAYER, "size": 3051, "defect": defect}]);
        assert_eq!((&planned["damaged"], &planned["blobs"]), (&damaged, &json!(10)), "{name}");
        let to = temp.path().join(format!("{name}-copy")).display().to_string();
        bkcache([&["repair", "-q"], read, &[&place, &to]].concat()).ok();
        check(&to);
        let ran = bkcache([&["repair", "--progress", "none", "--in-place"], read, &[&place]].concat()).ok();
        check(&place);
        insta::assert_snapshot!(format!("repair_{name}"), ran.shown(temp.path()));
        let again = bkcache(["repair", "--json", "--progress", "none", "--in-place", &place]).ok().json();
        assert_eq!((&again["damaged"], &again["before"]), (&json!([]), &again["after"]), "{name}");
    }
}

#[test]
fn a_blob_of_the_right_size_is_believed_unless_it_is_read() {
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(CACHE, &temp.path().join("source"));
    std::fs::write(blob(&source, LAYER), vec![7; 3051]).unwrap();
    let place = source.display().to_string();
    let found = |args: &[&str]| {
        let args = [&["repair", "--progress", "none", "--dry-run", "--json", "--in-place"], args, &[&place]];
        bkcache(args.concat()).ok().json()["damaged"].as_array().unwrap().len()
    };
    assert_eq!((found(&[]), found(&["--read"])), (0, 1));
}

#[test]
fn a_blob_can_be_taken_as_missing_without_a_look() {
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(CACHE, &temp.path().join("source"));
    let place = source.display().to_string();
    let unused = format!("sha256:{}", "0".repeat(64));
    let args =
        ["repair", "--progress", "plain", "--missing", LAYER, "--missing", &unused, "--in-place", &place];
    let ran = bkcache(args).ok();
    let warning = format!("warning: --missing {unused}: no result has such a blob; check the digest\n");
    assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    check(&place);
    assert!(blob(&source, LAYER).exists(), "no blob is deleted");
    let ran = bkcache(["repair", "--missing", "sha256:1", "--in-place", &place]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--missing <DIGEST>"), "{}", ran.stderr);
}

#[test]
fn a_cache_that_has_lost_everything_is_an_error_that_names_the_way_out() {
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(CACHE, &temp.path().join("source"));
    let place = source.display().to_string();
    let shown = bkcache(["inspect", "--json", &place]).ok().json();
    for layer in shown["caches"][0]["layers"].as_array().unwrap() {
        let _ = std::fs::remove_file(blob(&source, layer["blob"].as_str().unwrap()));
    }
    let before = files(&source);
    let ran = bkcache(["repair", "--progress", "none", "--in-place", &place]);
    insta::assert_snapshot!("repair_nothing_left", ran.shown(temp.path()));
    assert_eq!((ran.code, files(&source)), (1, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_has_lost_is_dropped_and_a_registry_that_cannot_tell_ends_it() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let place = format!("{}/app:main", server.host());
    bkcache(["copy", "-q", &fixture(CACHE).display().to_string(), &place]).ok();
    let before = server.service.content.manifest("app", "main").unwrap();
    let repair = ["repair", "--retries", "0", "--progress", "none", "--in-place", &place];
    for status in [401, 403, 500, 503] {
        server.fault(On::new("HEAD", &format!("/blobs/{LAYER}")).always(), Fault::status(status));
        server.fault(On::new("GET", &format!("/blobs/{LAYER}")).always(), Fault::status(status));
        let ran = bkcache(repair);
        assert_eq!((ran.code, ran.text().as_str()), (1, ""), "{status}: {}", ran.stderr);
        assert!(
            ran.stderr.starts_with(&format!("bkcache: cannot tell what {place} has: ")),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains(LAYER) && ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!(server.service.content.manifest("app", "main").unwrap(), before, "{status}");
        server.heal();
    }
    server.service.content.lose_blob("app", LAYER);
    server.forget_seen();
    let ran = bkcache(repair).ok();
    assert!(ran.text().contains("1 of 10 blobs"), "{}", ran.text());
    // A HEAD for each blob, no GET of any.
    assert_eq!(server.seen_with("HEAD", &format!("/blobs/{LAYER}")).len(), 1);
    assert!(server.seen_with("GET", "/blobs/").len() <= 1, "the config alone is read");
    check(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_states_no_size_is_believed_for_presence() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let place = format!("{}/app:main", server.host());
    bkcache(["copy", "-q", &fixture(CACHE).display().to_string(), &place]).ok();
    server.fault(On::new("HEAD", "/blobs/").always(), Fault::Header("Content-Length", None));
    let repair = ["repair", "--dry-run", "--json", "--progress", "none", "--in-place", &place];
    assert_eq!(bkcache(repair).ok().json()["damaged"], json!([]));
}

/// Docker's registry, whose storage has lost a blob behind its back. One that keeps descriptors in memory says that it has the
/// blob, and breaks off when it is read. That could be the network, so it ends the repair.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_dockers_registry_has_lost_is_dropped() {
    for keeps_descriptors in [false, true] {
        let started = match keeps_descriptors {
            false => DockerRegistry::start(Guard::Open).await,
            true => DockerRegistry::start_with_descriptors_in_memory().await,
        };
        let Some(registry) = started else { return };
        let place = format!("{}/app:main", registry.host());
        bkcache(["copy", "-q", &fixture(CACHE).display().to_string(), &place]).ok();
        let hex = LAYER.strip_prefix("sha256:").unwrap();
        let folder = hex.get(..2).unwrap();
        let data = format!("data/docker/registry/v2/blobs/sha256/{folder}/{hex}/data");
        std::fs::remove_file(registry.folder().join(data)).unwrap();
        let repair = |options: &[&str]| {
            let args = ["repair", "--json", "--progress", "none", "--retries", "1", "--in-place"];
            bkcache([&args, options, &[&place]].concat())
        };
        if keeps_descriptors {
            assert_eq!(repair(&["--dry-run"]).ok().json()["damaged"], json!([]), "it says that it has it");
            let ran = repair(&["--read"]);
            assert!(
                ran.code == 1 && ran.stderr.contains("no blob counts as missing on a guess"),
                "{}",
                ran.stderr
            );
            repair(&["--missing", LAYER]).ok();
        } else {
            let shown = repair(&[]).ok().json();
            assert_eq!(shown["damaged"], json!([{"digest": LAYER, "size": 3051, "defect": "missing-blob"}]));
        }
        check(&place);
    }
}
