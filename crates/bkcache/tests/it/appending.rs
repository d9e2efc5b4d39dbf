//! `bkcache merge --append` by many jobs at once, in folders and in registries: none is lost.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::caches::{Caches, records};
use serde_json::{Value, json};
use test_registries::{Behavior, DockerRegistry, Fault, Guard, On, Registry, Server};

use crate::support::{Ran, bkcache, fixture, sha256};

/// The number of jobs that append at once.
const JOBS: usize = 16;
const AMD64: &str = "app-max-manifest-oci-gzip";

fn append(from: &str, to: &str) -> Ran {
    bkcache(["merge", "--append", "--json", "--progress", "none", from, to])
}

/// The step of a job.
fn step(job: usize) -> String {
    format!("step of job {job:02}")
}

/// Appends the caches of all jobs at once, each by a process of its own. Gives their summaries.
fn append_all(caches: &Caches, to: &str) -> Vec<Value> {
    let sources: Vec<String> =
        (0..JOBS).map(|job| caches.export_step(&format!("job{job}"), &step(job))).collect();
    let jobs = |from: &String| {
        let (from, to) = (from.clone(), to.to_owned());
        thread::spawn(move || append(&from, &to))
    };
    let jobs: Vec<_> = sources.iter().map(jobs).collect();
    jobs.into_iter().map(|job| job.join().unwrap().ok().json()).collect()
}

/// Checks that a cache has the step of each job, with its layer, and is sound.
fn has_all(place: &str) {
    assert_eq!(records(place), (0..JOBS).map(step).collect::<Vec<_>>());
    let manifest = bkcache(["manifest", place]).ok().json();
    assert_eq!(manifest["layers"].as_array().unwrap().len(), JOBS);
    let verified = bkcache(["verify", place]).ok().text();
    assert!(verified.contains(": sound"), "{verified}");
}

#[test]
fn of_sixteen_jobs_that_append_to_one_tag_of_a_folder_none_is_lost() {
    let caches = Caches::new();
    let to = caches.at("shared:cache");
    let summaries = append_all(&caches, &to);
    has_all(&to);
    // The last of them has published what stands there now, with everything in it.
    let manifest = sha256(&bkcache(["manifest", &to]).ok().stdout);
    let last = summaries.iter().filter(|summary| summary["manifest"]["digest"] == json!(manifest)).count();
    assert_eq!(last, 1);
    let sizes: Vec<u64> =
        summaries.iter().map(|summary| summary["result"]["records"].as_u64().unwrap()).collect();
    let mut sorted = sizes.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        (1..=JOBS as u64).collect::<Vec<_>>(),
        "each has added to what another has left: {sizes:?}"
    );
    let listed = bkcache(["ls", "--json", &caches.at("shared")]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_jobs_that_append_to_one_tag_of_a_registry_none_is_lost() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (caches, to) = (Caches::new(), format!("{}/team/app:cache", server.host()));
    append_all(&caches, &to);
    has_all(&to);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_jobs_that_append_to_one_tag_of_dockers_registry_none_is_lost() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let (caches, to) = (Caches::new(), format!("{}/team/app:cache", registry.host()));
    append_all(&caches, &to);
    has_all(&to);
}

/// Another job published at the same moment, and has not seen this one's manifest.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_manifest_was_replaced_right_after_its_publish_appends_again() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (caches, to) = (Caches::new(), format!("{}/app:cache", server.host()));
    let (a, b) = (caches.export_step("a", "one"), caches.export_step("b", "two"));
    append(&a, &to).ok();
    let content = &server.service.content;
    let (_, media_type, other) = content.manifest("app", "cache").unwrap();
    server.forget_seen();
    let job = thread::spawn({
        let to = to.clone();
        move || append(&b, &to)
    });
    // It looks before and after its publish, and a second later.
    let looks = || server.seen_with("HEAD", "/manifests/cache").len();
    while looks() < 2 {
        assert!(!job.is_finished(), "it looks");
        thread::sleep(Duration::from_millis(1));
    }
    content.insert_manifest("app", Some("cache"), &media_type, other);
    let summary = job.join().unwrap().ok().json();
    assert_eq!(summary["attempts"], json!(2));
    assert_eq!(records(&to), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blobs_of_a_registry_are_mounted_and_each_repository_is_asked_for_its_own() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let at = |reference: &str| format!("{}/{reference}", server.host());
    let caches = Caches::new();
    let (a, b) = (caches.export_step("a", "one"), caches.export_step("b", "two"));
    bkcache(["copy", "--quiet", &a, &at("job/a:cache")]).ok();
    bkcache(["copy", "--quiet", &b, &at("job/b:cache")]).ok();
    server.forget_seen();
    let merge =
        ["merge", "--json", "--progress", "none", &at("job/a:cache"), &at("job/b:cache"), &at("app:cache")];
    let summary = bkcache(merge).ok().json();
    assert_eq!((&summary["mounted"]["blobs"], &summary["written"]["blobs"]), (&json!(2), &json!(0)));
    for (own, other) in [("one", "two"), ("two", "one")] {
        let (own, other) = (sha256(own.as_bytes()), sha256(other.as_bytes()));
        let repository = if own == sha256(b"one") { "job/a" } else { "job/b" };
        assert_eq!(server.seen_with("HEAD", &format!("/v2/{repository}/blobs/{own}")).len(), 1);
        assert!(server.seen_with("HEAD", &format!("/v2/{repository}/blobs/{other}")).is_empty());
        assert!(server.seen_with("GET", &format!("/blobs/{own}")).is_empty(), "no layer is read");
    }
    assert_eq!(records(&at("app:cache")), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_cannot_tell_what_it_has_ends_a_merge_and_its_dry_run() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (caches, from) = (Caches::new(), format!("{}/app:cache", server.host()));
    bkcache(["copy", "--quiet", &fixture(AMD64).display().to_string(), &from]).ok();
    for more in [&[][..], &["--dry-run"]] {
        server.fault(On::new("HEAD", "/blobs/").always(), Fault::status(503));
        let other = caches.export_step("other", "one");
        let args = ["merge", "--retries", "0", "--progress", "none", &other, &from, &caches.at("to")];
        let ran = bkcache(args.iter().chain(more));
        assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
        assert!(ran.stderr.contains("503"), "{}", ran.stderr);
        server.heal();
    }
    assert!(!caches.folder("to").join("index.json").exists());
}

/// Waits for the lock as long as the program does.
#[test]
fn a_folder_that_is_locked_is_one_line_and_its_tag_stays() {
    let caches = Caches::new();
    let (a, to) = (caches.export_step("a", "one"), caches.export_step("b", "two"));
    let lock = fs::File::create(caches.folder("b").join("index.json.lock")).unwrap();
    lock.try_lock().unwrap();
    let ran = append(&a, &to);
    let path = caches.folder("b").join("index.json.lock");
    let line = format!(
        "bkcache: cannot write to {to}:latest: destination: lock {}: another process holds the lock, for 30s now; try again when it has finished\n",
        path.display()
    );
    assert_eq!((ran.code, ran.stderr), (1, line));
    drop(lock);
    assert_eq!(records(&to), ["two"]);
    append(&a, &to).ok();
    assert_eq!(records(&to), ["one", "two"]);
}
