//! Salvaging: an error about a missing or damaged blob names a command, and the command makes a good cache of the rest.

use std::path::Path;

use serde_json::{Value, json};
use test_registries::{Behavior, Fault, On, Registry, Server};

use crate::support::{self, Ran, bkcache, blob, copy_of, fixture, only_manifest};

const CACHE: &str = "app-max-manifest-oci-gzip";
const LAYER: &str = "sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";

/// The command between the back quotes of an advice, without the name of the program.
fn advised(advice: &str) -> Vec<String> {
    let command = advice.split('`').nth(1).unwrap_or_else(|| panic!("no command: {advice}"));
    let words = command.strip_prefix("bkcache ").unwrap();
    // None of the names in these tests has a space.
    words.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect()
}

fn records(place: &str) -> u64 {
    let value = bkcache(["inspect", "--json", place]).ok().json();
    value["caches"][0]["records"].as_array().unwrap().len() as u64
}

/// Follows the advice of a failed copy, and checks the cache that it makes. Where a look finds the damage, records go that lead
/// to no result then; where only the copy finds it, they stay.
fn follow(source: &str, failed: &Ran, to: &Path, is_found_by_a_look: bool) {
    let at = to.display().to_string();
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    let error: Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["event"], "error", "{error}");
    let command = advised(error["advice"].as_str().unwrap_or_else(|| panic!("no advice: {error}")));
    assert_eq!(command, ["repair", source, &at]);
    let salvaged =
        bkcache(command.iter().map(String::as_str).chain(["--progress", "plain", "--retries", "0"])).ok();
    let said = salvaged.text() + &salvaged.stderr;
    assert!(said.contains("missing or damaged"), "what is left out is said: {said}");
    let verified = bkcache(["verify", &at]).ok().text();
    assert!(verified.contains(": sound"), "{verified}");
    let layers = bkcache(["inspect", "--json", &at]).ok().json()["caches"][0]["layers"].clone();
    assert!(!layers.as_array().unwrap().is_empty() && !layers.to_string().contains(LAYER), "{layers}");
    assert_eq!(records(&at), if is_found_by_a_look { 17 } else { 22 });
    // The same command again finds everything there.
    let again = bkcache(command.iter().map(String::as_str).chain(["--retries", "0"])).ok().text();
    let outcome = again.lines().nth(1).unwrap();
    assert_eq!(
        outcome,
        "1 manifest written; 9 blobs (13.19 KiB), 1 config already there (trusted; --rehash checks)"
    );
}

/// Something that can happen to the file of a blob.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 4] = [
    ("missing", |file| std::fs::remove_file(file).unwrap()),
    ("truncated", |file| std::fs::write(file, &std::fs::read(file).unwrap()[..100]).unwrap()),
    ("swapped", |file| std::fs::write(file, vec![7; 3051]).unwrap()),
    ("over-long", |file| std::fs::write(file, vec![7; 3052]).unwrap()),
];

#[test]
fn the_rest_of_a_folder_can_be_copied() {
    let temp = tempfile::tempdir().unwrap();
    for (name, damage) in DAMAGES {
        let source = copy_of(CACHE, &temp.path().join(name));
        damage(&blob(&source, LAYER));
        let source = source.display().to_string();
        let to = temp.path().join(format!("{name}-copy"));
        let failed = bkcache(["copy", "--progress", "json", &source, &to.display().to_string()]);
        follow(&source, &failed, &to, name != "swapped");
        let verified = bkcache(["verify", &source]);
        assert_eq!(verified.code, 3);
        let command = advised(&verified.stderr);
        let read = (name != "missing").then_some("--read");
        let words = ["repair", "--in-place"].into_iter().chain(read).chain([source.as_str()]);
        assert_eq!(command, words.collect::<Vec<_>>());
        bkcache(command).ok();
        bkcache(["verify", &source]).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_cache_in_a_registry_can_be_copied() {
    let temp = tempfile::tempdir().unwrap();
    let get = || On::new("GET", &format!("/blobs/{LAYER}")).always();
    for name in ["missing", "truncated", "swapped", "gone when it is read"] {
        let server = Server::start(Registry::new(Behavior::default())).await;
        let source = format!("{}/app:main", server.host());
        bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &source]).ok();
        match name {
            "missing" => server.service.content.lose_blob("app", LAYER),
            "truncated" => server.service.content.corrupt_blob(LAYER, vec![7; 100]),
            "swapped" => server.service.content.corrupt_blob(LAYER, vec![7; 3051]),
            _ => server.fault(get(), Fault::status(404)),
        }
        let to = temp.path().join(name.replace(' ', "-"));
        let copy = ["copy", "--retries", "0", "--progress", "json", &source, &to.display().to_string()];
        follow(&source, &bkcache(copy), &to, ["missing", "truncated"].contains(&name));
    }
}

#[test]
fn nothing_is_advised_that_does_not_help() {
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(CACHE, &temp.path().join("source"));
    let at = |name: &str| temp.path().join(name).display().to_string();
    let config =
        bkcache(["inspect", "--json", &at("source")]).ok().json()["caches"][0]["config"]["digest"].clone();
    std::fs::remove_file(blob(&source, config.as_str().unwrap())).unwrap();
    let ran = bkcache(["copy", "--progress", "json", &at("source"), &at("to")]);
    let error: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert!(!error["advice"].to_string().contains("repair"), "without its config nothing is left: {error}");
    let verified = bkcache(["verify", &at("source")]);
    assert_eq!((verified.code, verified.stderr.contains("repair")), (3, false), "{}", verified.stderr);
}

/// A script goes on after a copy that succeeds, and then needs a cache.
#[test]
fn a_copy_of_which_nothing_is_left_fails() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).display().to_string();
    for (cache, option) in [(CACHE, Some("--canonical")), ("inline-oci-true", None)] {
        let source = copy_of(cache, &temp.path().join(cache));
        let manifest = bkcache(["manifest", &at(cache)]).ok().json();
        for layer in manifest["layers"].as_array().unwrap() {
            let _ = std::fs::remove_file(blob(&source, layer["digest"].as_str().unwrap()));
        }
        let ran =
            bkcache(["copy", "--progress", "none", &at(cache), &at("to")].iter().copied().chain(option));
        assert_eq!((ran.code, ran.text().as_str()), (1, ""), "{}", ran.stderr);
        let error = ran.stderr.lines().last().unwrap();
        let start = format!("bkcache: nothing was exported to {}:latest: the records name ", at("to"));
        assert!(error.starts_with(&start), "{error}");
        let end = format!(
            ", but no result has all of its blobs; `bkcache verify {}` lists what is missing",
            at(cache)
        );
        assert!(error.ends_with(&end), "{error}");
        assert!(!temp.path().join("to/index.json").exists());
    }
}

#[test]
fn what_was_left_out_is_no_part_of_the_outcome_and_fails_in_the_summary() {
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(CACHE, &temp.path().join("source"));
    std::fs::write(blob(&source, LAYER), vec![7; 3051]).unwrap();
    let at = |name: &str| temp.path().join(name).display().to_string();
    let ran = bkcache(["copy", "--canonical", "--progress", "plain", &at("source"), &at("to")]).ok();
    assert!(ran.text().contains("\n9 blobs (13.19 KiB), 1 config, 1 manifest written\n"), "{}", ran.text());
    let summary = ran.stderr.lines().last().unwrap();
    assert!(summary.starts_with("9 blobs written, 1 failed; "), "{}", ran.stderr);
    let manifest = bkcache(["manifest", &at("to")]).ok().json();
    let layers = manifest["layers"].as_array().unwrap().iter();
    let blobs: std::collections::HashSet<String> = layers.map(|layer| layer["digest"].to_string()).collect();
    assert_eq!(blobs.len(), 9);
}

#[test]
fn an_advice_has_the_options_that_the_command_needs() {
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(CACHE, &temp.path().join("source"));
    std::fs::remove_file(blob(&source, LAYER)).unwrap();
    let (at, to) = (source.display().to_string(), temp.path().join("to").display().to_string());
    let verified = bkcache(["verify", "--insecure", "--json", &at]);
    assert_eq!(advised(&verified.stderr), ["repair", "--in-place", "--insecure", &at]);
    let copied = bkcache(["copy", "-q", "--insecure", "--form", "index", &at, &to]);
    let command = advised(&copied.stderr);
    assert_eq!(command, ["repair", "--form", "index", "--insecure", &at, &to]);
    bkcache(command).ok();
    assert!(bkcache(["inspect", &to]).ok().text().contains("index"));
}

#[test]
fn a_repair_that_cannot_work_is_not_advised() {
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(CACHE, &temp.path().join("source"));
    let at = source.display().to_string();
    std::fs::remove_file(blob(&source, LAYER)).unwrap();
    assert!(bkcache(["verify", &at]).stderr.contains("`bkcache repair --in-place "));
    let by_digest = format!("{at}@{}", only_manifest(&source));
    assert_eq!(advised(&bkcache(["verify", &by_digest]).stderr), ["repair", &by_digest, "DST"]);
    // The first record needs itself: the records cannot be read.
    let config = bkcache(["config", &at]).ok().json();
    let mut looped = config;
    looped["records"][0]["inputs"] = json!([[{"link": 0}]]);
    let manifest = bkcache(["manifest", &at]).ok();
    let text = |value: &Value| serde_json::to_vec(value).unwrap();
    let (old, new) =
        (support::sha256(&bkcache(["config", &at]).ok().stdout), support::sha256(&text(&looped)));
    std::fs::write(blob(&source, &new), text(&looped)).unwrap();
    let mut manifest = manifest.json();
    assert_eq!(manifest["config"]["digest"], json!(old));
    manifest["config"]["digest"] = json!(new);
    manifest["config"]["size"] = json!(text(&looped).len());
    let root = support::sha256(&text(&manifest));
    std::fs::write(blob(&source, &root), text(&manifest)).unwrap();
    let mut index: Value =
        serde_json::from_slice(&std::fs::read(source.join("index.json")).unwrap()).unwrap();
    index["manifests"][0]["digest"] = json!(root);
    index["manifests"][0]["size"] = json!(text(&manifest).len());
    std::fs::write(source.join("index.json"), text(&index)).unwrap();
    let verified = bkcache(["verify", &at]);
    assert_eq!((verified.code, verified.stderr.as_str()), (3, ""), "{}", verified.text());
    assert!(verified.text().contains("nothing can be imported") && verified.text().contains(LAYER));
    assert_eq!(bkcache(["copy", "--canonical", &at, "unused"]).code, 1);
}
