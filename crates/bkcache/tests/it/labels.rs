//! The program where it keeps beside a cache what explains it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use test_registries::{Behavior, DockerRegistry, Guard, Registry, Server};

use crate::support::{age, bkcache, only_manifest};

fn build(name: &str, part: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/why").join(name).join(part);
    folder.display().to_string()
}

/// A copy of the cache of the build `web`, which has a label.
fn labelled(folder: &Path) -> String {
    let cache = folder.join("web").display().to_string();
    bkcache(["copy", "--progress", "none", &build("web", "cache"), &format!("{cache}:main")]).ok();
    bkcache(["label", "--progress", "none", &cache, "--record", &build("web", "dockerbuild")]).ok();
    cache
}

/// Deletes all blobs that are no JSON: the layers of the cache.
fn lose_layers(cache: &str) {
    let mut lost = 0;
    for blob in fs::read_dir(Path::new(cache).join("blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        if !fs::read(&path).unwrap().starts_with(b"{") {
            fs::remove_file(path).unwrap();
            lost += 1;
        }
    }
    assert!(lost > 10);
}

/// The causes for which the build `web-file` missed an older cache, as far as the truth has them.
fn causes(was: &str) -> Value {
    let ran = bkcache([
        "why",
        "--json",
        "--progress",
        "none",
        &build("web-file", "cache"),
        "--was",
        was,
        "--record",
        &build("web-file", "dockerbuild"),
    ])
    .ok();
    let known = ["kind", "line", "instruction", "follow", "files"];
    let cause = |cause: &Value| -> Value {
        let cause = cause.as_object().unwrap().iter();
        cause
            .filter(|(name, _)| known.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    ran.json()["causes"].as_array().unwrap().iter().map(cause).collect()
}

fn truth() -> Value {
    let truth: Value = serde_json::from_slice(&fs::read(build("web-file", "truth.json")).unwrap()).unwrap();
    truth["against"]["causes"].clone()
}

#[test]
fn a_label_explains_a_miss_without_the_record_and_the_layers_of_the_older_build() {
    let folder = tempfile::tempdir().unwrap();
    let cache = labelled(folder.path());
    lose_layers(&cache);
    assert_eq!(causes(&cache), truth());
    // Without it the files are not known.
    fs::write(
        Path::new(&cache).join("index.json"),
        fs::read_to_string(Path::new(&cache).join("index.json")).unwrap().replace("vnd.bkcache.subject", "x"),
    )
    .unwrap();
    let ran = bkcache([
        "why",
        "--json",
        "--progress",
        "none",
        &build("web-file", "cache"),
        "--was",
        &format!("{cache}:main"),
        "--record",
        &build("web-file", "dockerbuild"),
    ]);
    assert_eq!(ran.ok().json()["causes"][0]["files"], Value::Null);
}

#[test]
fn a_label_is_stored_once_and_says_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let cache = labelled(folder.path());
    let files = || fs::read_dir(Path::new(&cache).join("blobs/sha256")).unwrap().count();
    let before = (files(), fs::read(Path::new(&cache).join("index.json")).unwrap());
    let args = ["label", "--progress", "none", "--json", &cache, "--record", &build("web", "dockerbuild")];
    let stored = bkcache(args).ok().json();
    assert_eq!((files(), fs::read(Path::new(&cache).join("index.json")).unwrap()), before);
    assert_eq!(stored["manifest"], only_manifest(Path::new(&build("web", "cache"))));
    assert_eq!(stored["builds"], 1);
    assert!(stored["records"].as_u64().unwrap() == 20 && stored["files"].as_u64().unwrap() > 10, "{stored}");
    let planned = bkcache([&args[..], &["--dry-run"]].concat()).ok().json();
    assert_eq!(planned["label"], Value::Null);
    assert_eq!((&planned["bytes"], &planned["files"]), (&stored["bytes"], &stored["files"]));
    let line = bkcache(["label", "--progress", "none", &cache, "--record", &build("web", "dockerbuild")])
        .ok()
        .text();
    assert!(
        line.starts_with(&format!(
            "{cache}: {} has the label {}",
            stored["manifest"].as_str().unwrap(),
            stored["label"].as_str().unwrap()
        )),
        "{line}"
    );
}

#[test]
fn a_label_needs_a_record() {
    let ran = bkcache(["label", &build("web", "cache")]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("name the record of its build with --record"), "{}", ran.stderr);
}

#[test]
fn a_record_of_another_build_is_no_label() {
    let folder = tempfile::tempdir().unwrap();
    let cache = labelled(folder.path());
    let ran = bkcache(["label", "--progress", "none", &cache, "--record", &build("svc", "dockerbuild")]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("give the record of the build that wrote the cache"), "{}", ran.stderr);
}

#[test]
fn a_label_goes_with_the_last_tag_of_its_cache_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let cache = labelled(folder.path());
    let blobs = || fs::read_dir(Path::new(&cache).join("blobs/sha256")).unwrap().count();
    let all = blobs();
    bkcache(["tag", &cache, "again"]).ok();
    bkcache(["rm", &format!("{cache}:main")]).ok();
    age(Path::new(&cache));
    bkcache(["gc", &cache]).ok();
    assert_eq!(blobs(), all);
    assert_eq!(causes(&cache), truth());
    bkcache(["rm", &format!("{cache}:again")]).ok();
    bkcache(["gc", &cache]).ok();
    assert_eq!(blobs(), 0);
}

/// To a registry and back, in the same form and in another one.
async fn takes_labels_along(host: &str) {
    let folder = tempfile::tempdir().unwrap();
    let cache = labelled(folder.path());
    let (remote, back) = (format!("{host}/app:cache"), folder.path().join("back").display().to_string());
    let (remote, cache, back) = (remote.clone(), cache.clone(), back.clone());
    let causes = tokio::task::spawn_blocking(move || {
        bkcache(["copy", "--progress", "none", "--form", "index", &cache, &remote]).ok();
        let of_remote = causes(&remote);
        bkcache(["copy", "--progress", "none", &remote, &format!("{back}:x")]).ok();
        lose_layers(&back);
        [of_remote, causes(&back)]
    })
    .await
    .unwrap();
    assert_eq!(causes, [truth(), truth()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_labels_along_through_dockers_registry() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    takes_labels_along(&registry.host()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_labels_along_through_a_registry_that_lists_them() {
    let server =
        Server::start(Registry::new(Behavior { lists_referrers: true, ..Behavior::default() })).await;
    takes_labels_along(&server.host()).await;
    let tags = bkcache(["ls", "--json", "--progress", "none", &format!("{}/app", server.host())]);
    assert_eq!(tags.ok().json().as_array().unwrap().len(), 1);
}
