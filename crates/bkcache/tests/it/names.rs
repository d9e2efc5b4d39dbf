//! The program where it changes names only, and where it deletes what no name leads to.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use test_registries::{Behavior, Deletion, DockerRegistry, Guard, Registry, Server};

use crate::support::{Ran, age, bkcache, blob, copy_of, fixture, only_manifest};

const CACHE: &str = "app-max-manifest-oci-gzip";
const OTHER: &str = "platforms-2";

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

/// The output of a run that fails with one line.
fn line(ran: &Ran, code: i32) -> String {
    assert_eq!((ran.code, ran.stderr.lines().count()), (code, 1), "{}", ran.stderr);
    ran.stderr.trim_end().to_owned()
}

fn tags(place: &str) -> Vec<String> {
    let listed = bkcache(["ls", "--json", place]).ok().json();
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

/// A folder with two caches, whose tags are `main` and `old`.
fn two_caches(folder: &Path) -> String {
    let cache = folder.join("cache").display().to_string();
    for (from, tag) in [(CACHE, "main"), (OTHER, "old")] {
        bkcache(["copy", "--progress", "none", &path(from), &format!("{cache}:{tag}")]).ok();
    }
    cache
}

#[test]
fn a_removed_cache_is_collected_and_the_others_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let cache = two_caches(folder.path());
    let removed = bkcache(["rm", &format!("{cache}:old")]).ok();
    let old = only_manifest(&fixture(OTHER));
    let expected = format!(
        "{cache}:old: {old} removed\nno blob is deleted; `bkcache gc {cache}` deletes those that no tag leads to\n"
    );
    assert_eq!(removed.text(), expected);
    assert_eq!(tags(&cache), ["main"]);

    // All of it is young.
    let young = bkcache(["gc", &cache]).ok().text();
    assert!(young.contains(": no blob deleted; 12 blobs (") && young.contains("younger than 1 h"), "{young}");
    age(&folder.path().join("cache/blobs"));
    let dry = bkcache(["gc", "--dry-run", &cache]).ok().text();
    assert!(dry.contains(&old) && dry.contains(" would be deleted; 12 blobs ("), "{dry}");
    assert!(blob(Path::new(&cache), &old).exists());
    let told = bkcache(["gc", "--dry-run", "--json", &cache]).ok().json();
    let listed = dry.lines().filter(|line| line.contains("  sha256:")).count();
    assert_eq!(json!(listed), told["deleted"]["blobs"], "{dry}");
    let done = bkcache(["gc", "--json", &cache]).ok().json();
    assert_eq!((&told["dryRun"], &done["dryRun"]), (&json!(true), &json!(false)));
    for member in ["deleted", "deletedBlobs", "leftovers", "named", "young", "deferred", "upload"] {
        assert_eq!(told[member], done[member], "{member}");
    }
    assert!(done["deleted"]["blobs"].as_u64().unwrap() > 2 && done["named"]["blobs"] == 12, "{done}");
    assert!(!blob(Path::new(&cache), &old).exists());
    let verified = bkcache(["verify", &format!("{cache}:main")]).ok().text();
    assert!(verified.contains(": sound; 10 blobs"), "{verified}");
    let again = bkcache(["gc", &cache]).ok().text();
    assert_eq!(again.lines().count(), 1);
    assert!(again.contains(": no blob deleted; 12 blobs ("), "{again}");
}

#[test]
fn leftovers_are_deleted_and_an_upload_of_another_program_keeps_every_blob() {
    let folder = tempfile::tempdir().unwrap();
    let cache = two_caches(folder.path());
    bkcache(["rm", &format!("{cache}:old")]).ok();
    let upload = folder.path().join("cache/ingest/0123");
    fs::create_dir(&upload).unwrap();
    fs::write(upload.join("data"), "half of it").unwrap();
    fs::write(folder.path().join("cache/ingest/bkcache-1234"), "a remain").unwrap();
    age(&folder.path().join("cache/blobs"));
    let kept = bkcache(["gc", &cache]).ok().text();
    assert!(kept.contains(": no blob and 1 upload leftover (8 B) deleted; "), "{kept}");
    let why = format!("another program may be writing to the folder ({})", upload.display());
    assert!(kept.contains(&why), "{kept}");
    // It was killed. Its folder is as old as its files.
    age(&upload);
    File::open(&upload).unwrap().set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
    let collected = bkcache(["gc", "--progress", "plain", &cache]).ok();
    assert!(
        collected.text().contains(" and 1 upload leftover (10 B) deleted; 12 blobs"),
        "{}",
        collected.text()
    );
    assert!(collected.stderr.contains(" deleted; "), "{}", collected.stderr);
    assert!(!upload.exists());
}

#[test]
fn what_cannot_be_collected_fails_with_one_line_and_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let cache = copy_of(CACHE, &folder.path().join("cache"));
    age(&cache);
    let cache = cache.display().to_string();
    let gc = |args: &[&str]| bkcache(["gc"].iter().chain(args));
    let registry = line(&gc(&["localhost:1/app"]), 2);
    assert!(registry.contains("a registry collects its own garbage, after `bkcache rm` has"), "{registry}");
    let tagged = line(&gc(&[&format!("{cache}:latest")]), 2);
    assert!(tagged.contains("name it without a tag"), "{tagged}");
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let plain = line(&gc(&[plain.to_str().unwrap()]), 1);
    assert!(plain.contains("it is not an OCI layout"), "{plain}");
    let absent = line(&gc(&[folder.path().join("absent").to_str().unwrap()]), 1);
    assert!(absent.ends_with("check the path"), "{absent}");
    assert_eq!(gc(&["--older-than", "1", &cache]).code, 2);
    assert_eq!(gc(&["--dry-run", "--yes", &cache]).code, 2);

    let manifest = only_manifest(Path::new(&cache));
    let config = bkcache(["manifest", &cache]).ok().json()["config"]["digest"].as_str().unwrap().to_owned();
    fs::remove_file(blob(Path::new(&cache), &manifest)).unwrap();
    let missing = line(&gc(&[&cache]), 1);
    assert!(missing.contains(&format!("read {manifest}: it is missing, so it is unknown")), "{missing}");
    assert!(missing.ends_with("nothing is deleted") && blob(Path::new(&cache), &config).exists());
    fs::remove_file(Path::new(&cache).join("index.json")).unwrap();
    assert!(line(&gc(&[&cache]), 1).contains("no tags are known"));
}

#[test]
fn a_folder_that_is_locked_is_waited_for_and_then_reported() {
    let folder = tempfile::tempdir().unwrap();
    let cache = copy_of(CACHE, &folder.path().join("cache"));
    let lock = File::create(cache.join("index.json.lock")).unwrap();
    lock.lock().unwrap();
    let cache = cache.display().to_string();
    let rm = std::thread::spawn({
        let name = format!("{cache}:latest");
        move || bkcache(["rm", &name])
    });
    for ran in [bkcache(["gc", &cache]), rm.join().unwrap()] {
        assert!(
            line(&ran, 1).contains("another process holds the lock, for 30s now; try again"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(tags(&cache), ["latest"]);
}

#[test]
fn a_cache_gets_other_tags_without_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let cache = two_caches(folder.path());
    let blobs = || fs::read_dir(Path::new(&cache).join("blobs/sha256")).unwrap().count();
    let before = blobs();
    let main = format!("{cache}:main");
    let dry = bkcache(["tag", "--dry-run", &main, "stable", "old"]).ok().text();
    assert!(dry.contains("(not done)") && dry.contains(":old points at "), "{dry}");
    assert_eq!(tags(&cache), ["main", "old"]);
    let tagged =
        bkcache(["tag", &main, "stable", &format!("{cache}:old"), &format!("{cache}:example.com/app:v1")]);
    let (new, old) = (only_manifest(&fixture(CACHE)), only_manifest(&fixture(OTHER)));
    let expected = format!(
        "{cache}:stable: {new}\n{cache}:old: {new}\n{cache}:old pointed at {old} before\n{cache}:example.com/app:v1: {new}\n"
    );
    assert_eq!(tagged.ok().text(), expected);
    assert_eq!(tags(&cache), ["main", "old", "stable", "v1"]);
    assert_eq!(blobs(), before);
    let by_digest = bkcache(["tag", "--json", &format!("{cache}@{old}"), "again"]).ok().json();
    assert_eq!(
        by_digest,
        json!([{"name": format!("{cache}:again"), "manifest": old, "replaced": null, "dryRun": false}])
    );

    let elsewhere = folder.path().join("elsewhere").display().to_string();
    let refused = line(&bkcache(["tag", &main, &format!("{elsewhere}:x")]), 2);
    assert!(refused.ends_with(&format!("use `bkcache copy {main} {elsewhere}:x`")), "{refused}");
    assert!(!Path::new(&elsewhere).exists());
    let absent = line(&bkcache(["tag", &format!("{cache}:absent"), "x"]), 1);
    assert!(absent.contains("there is no such tag; the tags are: "), "{absent}");
}

#[test]
fn rm_needs_a_name_and_says_which_other_names_would_go() {
    let folder = tempfile::tempdir().unwrap();
    let cache = two_caches(folder.path());
    let main = format!("{cache}:main");
    bkcache(["tag", &main, "stable"]).ok();
    let unnamed = line(&bkcache(["rm", &cache]), 2);
    assert!(unnamed.contains("name the tag or the digest to remove"), "{unnamed}");
    let absent = bkcache(["rm", &format!("{cache}:absent"), &format!("{cache}:old")]);
    assert!(line(&absent, 1).contains("there is no such tag"));
    assert_eq!(tags(&cache), ["main", "stable"], "the other one is removed");
    let by_digest = format!("{cache}@{}", only_manifest(&fixture(CACHE)));
    let refused = line(&bkcache(["rm", &by_digest]), 1);
    assert!(refused.contains(r#"has others: tag "main", tag "stable"; --yes removes them all"#), "{refused}");
    let dry = bkcache(["rm", "--dry-run", "--json", &by_digest]).ok().json();
    assert_eq!((&dry[0]["others"], &dry[0]["dryRun"]), (&json!(["main", "stable"]), &json!(true)));
    assert_eq!(tags(&cache), ["main", "stable"]);
    let removed = bkcache(["rm", "--yes", &by_digest]).ok().text();
    assert!(removed.contains(" removed; with it: main, stable\n"), "{removed}");
    assert_eq!(tags(&cache), [] as [&str; 0]);
}

/// Pushes a cache with the tags `main` and `stable`, and another one as `old`.
fn push(host: &str) -> String {
    let app = format!("{host}/team/app");
    for (from, tag) in [(CACHE, "main"), (OTHER, "old")] {
        bkcache(["copy", "--progress", "none", &path(from), &format!("{app}:{tag}")]).ok();
    }
    let tagged = bkcache(["tag", &format!("{app}:main"), "stable", &format!("{app}:other")]).ok().text();
    assert_eq!(tagged.lines().count(), 2, "{tagged}");
    bkcache(["rm", &format!("{app}:other")]);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_removes_a_tag_alone_or_the_manifest_or_nothing() {
    let behaving = |deletion| Registry::new(Behavior { deletion, ..Behavior::default() });
    let server = Server::start(behaving(Deletion::TagsAndManifests)).await;
    let app = push(&server.host());
    let removed = bkcache(["rm", &format!("{app}:main")]).ok().text();
    assert!(removed.contains("registry garbage-collect CONFIG"), "{removed}");
    assert_eq!(tags(&app), ["old", "stable"]);
    let elsewhere = line(&bkcache(["tag", &format!("{app}:old"), &format!("{}/other:x", server.host())]), 2);
    assert!(elsewhere.contains("use `bkcache copy "), "{elsewhere}");

    let server = Server::start(behaving(Deletion::Manifests)).await;
    let app = push(&server.host());
    assert_eq!(tags(&app), ["main", "old", "other", "stable"], "a tag alone is not removed");
    let refused = line(&bkcache(["rm", &format!("{app}:main")]), 1);
    assert!(refused.contains("this store removes a manifest with all of its names"), "{refused}");
    assert!(
        refused.ends_with(r#"has others: tag "other", tag "stable"; --yes removes them all"#),
        "{refused}"
    );
    bkcache(["rm", &format!("{app}:old")]).ok();
    let removed = bkcache(["rm", "--yes", &format!("{app}:main")]).ok().text();
    assert!(removed.contains(" removed; with it: other, stable\n"), "{removed}");
    assert_eq!(tags(&app), [] as [&str; 0]);

    let server = Server::start(behaving(Deletion::Nothing)).await;
    let app = push(&server.host());
    for name in ["old".to_owned(), "main".to_owned()] {
        let refused = line(&bkcache(["rm", "--yes", &format!("{app}:{name}")]), 1);
        assert!(
            refused.contains("405 Method Not Allowed") && refused.contains("REGISTRY_STORAGE_DELETE_ENABLED")
        );
    }
    assert!(line(&bkcache(["rm", &format!("{app}:absent")]), 1).contains("there is no such tag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dockers_registry_removes_names_and_gets_new_ones() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let app = push(&registry.host());
    assert_eq!(tags(&app), ["main", "old", "other", "stable"], "version 2 removes no tag alone");
    let refused = line(&bkcache(["rm", &format!("{app}:main")]), 1);
    assert!(
        refused.ends_with(r#"has others: tag "other", tag "stable"; --yes removes them all"#),
        "{refused}"
    );
    let dry = bkcache(["rm", "--dry-run", &format!("{app}:main")]).ok().text();
    assert!(dry.contains("would be removed; other names of it: other, stable"), "{dry}");
    bkcache(["rm", "--yes", &format!("{app}:main")]).ok();
    assert_eq!(tags(&app), ["old"]);
    bkcache(["tag", &format!("{app}:old"), "new"]).ok();
    let verified = bkcache(["verify", &format!("{app}:new")]).ok().text();
    assert!(verified.contains(": sound; "), "{verified}");
}
