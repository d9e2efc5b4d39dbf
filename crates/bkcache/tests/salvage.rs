//! Salvaging: an error about a missing or damaged blob names a command, and the command makes a good cache of the rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Ran, bkcache, blob, copy_of, fixture};
use test_registries::{Behavior, Fault, On, Registry, Server};

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

/// Follows the advice of a failed copy, and checks the cache that it makes.
fn follow(source: &str, failed: &Ran, to: &Path) {
    let at = to.display().to_string();
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    let error: Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["event"], "error", "{error}");
    let command = advised(error["advice"].as_str().unwrap_or_else(|| panic!("no advice: {error}")));
    assert_eq!(command, ["copy", "--canonical", source, &at]);
    let salvaged =
        bkcache(command.iter().map(String::as_str).chain(["--progress", "plain", "--retries", "0"])).ok();
    assert!(salvaged.stderr.contains("warning: "), "what is left out is said: {}", salvaged.stderr);
    let verified = bkcache(["verify", &at]).ok().text();
    assert!(verified.contains(": sound"), "{verified}");
    let layers = bkcache(["inspect", "--json", &at]).ok().json()["caches"][0]["layers"].clone();
    assert!(!layers.as_array().unwrap().is_empty() && !layers.to_string().contains(LAYER), "{layers}");
    assert_eq!(records(&at), 22, "records without a result stay: others lead through them");
    // The same command again finds everything there.
    let again = bkcache(command.iter().map(String::as_str).chain(["--retries", "0"])).ok().text();
    let outcome = again.lines().nth(1).unwrap();
    assert_eq!(outcome, "9 blobs (13.19 KiB), 1 config already there; 1 manifest written");
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
        follow(&source, &failed, &to);
        let verified = bkcache(["verify", &source]);
        assert_eq!(verified.code, 3);
        assert_eq!(advised(&verified.stderr), ["copy", "--canonical", &source, "DST"]);
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
        follow(&source, &bkcache(copy), &to);
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
    assert!(
        !error["advice"].to_string().contains("--canonical"),
        "without its config nothing is left: {error}"
    );
    let verified = bkcache(["verify", &at("source")]);
    assert_eq!((verified.code, verified.stderr.contains("--canonical")), (3, false), "{}", verified.stderr);
    // A cache whose every layer is gone: nothing is written.
    let source = copy_of(CACHE, &temp.path().join("empty"));
    let manifest = bkcache(["manifest", &at("empty")]).ok().json();
    for layer in manifest["layers"].as_array().unwrap() {
        let _ = std::fs::remove_file(blob(&source, layer["digest"].as_str().unwrap()));
    }
    let ran = bkcache(["copy", "--canonical", &at("empty"), &at("nothing")]).ok();
    assert!(ran.text().contains("skipping cache export for empty result"), "{}", ran.text());
    assert_eq!(
        json!(ran.stderr.contains("failed to match any cache with layers")),
        json!(true),
        "{}",
        ran.stderr
    );
}
