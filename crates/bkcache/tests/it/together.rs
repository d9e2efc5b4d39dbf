//! Many programs on one folder at the same time: each finished export is there, and no program disturbs another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{self, bkcache, bkcache_with_input, blob, fixture, only_manifest};

/// The number of programs that run at once.
const PROGRAMS: usize = 16;
/// The number of them that write the same tag.
const RIVALS: usize = 6;
/// The time during which new ones are started.
const TIME: Duration = Duration::from_secs(5);
/// Caches of which some share layers.
const CACHES: [&str; 4] =
    ["app-max-manifest-oci-gzip", "app-max-index-oci-gzip", "app-min-manifest-oci-gzip", "platforms-2"];
/// The cache whose layers are exported.
const LAYERS: &str = "app-min-manifest-oci-gzip";
/// The only error with which a program may fail.
const LOCKED: &str = "another process holds the lock, for 30s now";

/// The digest of each tag of a layout's index.
fn tags(layout: &Path) -> Vec<(String, String)> {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let entry = |entry: &Value| {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap();
        (tag.to_owned(), entry["digest"].as_str().unwrap().to_owned())
    };
    index["manifests"].as_array().unwrap().iter().map(entry).collect()
}

/// The digest of a tag; `None` before there is an index.
fn find(layout: &Path, tag: &str) -> Option<String> {
    layout
        .join("index.json")
        .exists()
        .then(|| tags(layout))?
        .into_iter()
        .find_map(|(name, digest)| (name == tag).then_some(digest))
}

/// A successful run of a program.
struct Done {
    tag: String,
    digest: String,
    began: Instant,
    ended: Instant,
}

/// Copies a cache; `None` if the lock could not be taken.
fn copy(cache: &str, layout: &Path, tag: &str) -> Option<Done> {
    let (began, cache) = (Instant::now(), fixture(cache));
    let to = format!("{}:{tag}", layout.display());
    let ran = bkcache(["copy", "--progress", "none", &cache.display().to_string(), &to]);
    done(tag, began, &ran).inspect(|done| assert_eq!(done.digest, only_manifest(&cache)))
}

/// Exports a cache that no other program exports: the name of its record is unique.
fn export(record: &str, layout: &Path, tag: &str) -> Option<Done> {
    let (began, blobs) = (Instant::now(), fixture(LAYERS));
    let manifest: Value =
        serde_json::from_slice(&fs::read(blob(&blobs, &only_manifest(&blobs))).unwrap()).unwrap();
    let results = json!([{"createdAt": "2026-01-02T03:04:05Z", "layers": manifest["layers"]}]);
    let record = json!({"digest": record, "results": results}).to_string();
    let (blobs, to) = (blobs.display().to_string(), format!("{}:{tag}", layout.display()));
    let args = ["export", "--progress", "none", "--records", "-", "--blobs", &blobs, "--to", &to];
    done(tag, began, &bkcache_with_input(args, record.as_bytes()))
}

fn done(tag: &str, began: Instant, ran: &support::Ran) -> Option<Done> {
    if ran.code != 0 {
        assert!(ran.code == 1 && ran.stderr.contains(LOCKED), "{tag}: {}", ran.stderr);
        return None;
    }
    let text = ran.text();
    let digest = text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert!(digest.starts_with("sha256:"), "{text}");
    Some(Done { tag: tag.to_owned(), digest, began, ended: Instant::now() })
}

/// Writes the tag that others write too, a different cache each time.
fn write_the_same_tag(program: usize, layout: &Path) -> Vec<Done> {
    let began = Instant::now();
    (0..)
        .take_while(|_| began.elapsed() < TIME)
        .filter_map(|number| export(&format!("record {number} of {program}"), layout, "same"))
        .collect()
}

/// Writes tags that no other program writes: new ones, and one that is replaced repeatedly.
fn write_own_tags(program: usize, layout: &Path) -> Vec<Done> {
    let (began, mut all) = (Instant::now(), Vec::new());
    let replaced = format!("program{program}");
    let mut current = None;
    for number in (0..).take_while(|_| began.elapsed() < TIME) {
        let tag = if number % 2 == 0 { replaced.clone() } else { format!("{replaced}-{number}") };
        let done = if number % 4 < 2 {
            export(&format!("record {number} of {program}"), layout, &tag)
        } else {
            copy(CACHES[(program + number / 4) % CACHES.len()], layout, &tag)
        };
        // No other program writes this tag; a program that restores its old digest has lost this export.
        if let Some(done) = done.iter().find(|done| done.tag == replaced) {
            current = Some(done.digest.clone());
        }
        assert_eq!(find(layout, &replaced), current, "{replaced} is what was last reported, after {number}");
        all.extend(done);
    }
    all
}

/// The digests of the shared tag, one after another, until all are done.
fn watch(layout: &Path, all_done: &AtomicBool) -> Vec<String> {
    let mut seen = Vec::new();
    while !all_done.load(Ordering::Relaxed) {
        seen.extend(find(layout, "same"));
        seen.dedup();
        std::thread::sleep(Duration::from_millis(1));
    }
    seen
}

#[test]
fn sixteen_programs_that_copy_and_export_into_one_folder_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, all_done) = (folder.path().join("cache"), AtomicBool::new(false));
    let (done, seen) = std::thread::scope(|scope| {
        let (layout, all_done) = (&layout, &all_done);
        let watching = scope.spawn(move || watch(layout, all_done));
        let programs: Vec<_> = (0..PROGRAMS)
            .map(|program| {
                let write = if program < RIVALS { write_the_same_tag } else { write_own_tags };
                scope.spawn(move || write(program, layout))
            })
            .collect();
        let done: Vec<_> = programs.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        all_done.store(true, Ordering::Relaxed);
        let done: Vec<Vec<Done>> = done.into_iter().map(|done| done.unwrap()).collect();
        (done, watching.join().unwrap())
    });
    assert!(done.iter().all(|done| !done.is_empty()), "each has written something");
    let (same, own): (Vec<_>, Vec<_>) = done.into_iter().flatten().partition(|done| done.tag == "same");

    let found = tags(&layout);
    let by_tag: BTreeMap<_, _> = found.iter().cloned().collect();
    assert_eq!(by_tag.len(), found.len(), "each tag has one entry");
    let expected: BTreeMap<_, _> = own.into_iter().map(|done| (done.tag, done.digest)).collect();
    let others = by_tag.iter().filter(|(tag, _)| *tag != "same");
    assert!(
        others.eq(&expected),
        "all that was reported is there, and nothing else: {by_tag:?}, {expected:?}"
    );
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "what was replaced never comes back");
    let last = same.iter().find(|done| done.digest == by_tag["same"]).unwrap();
    let later = same.iter().find(|done| done.began > last.ended);
    assert!(later.is_none(), "the tag is not that of a program that began after this one's end");
    for digest in by_tag.values().collect::<BTreeSet<_>>() {
        bkcache(["verify", &format!("{}@{digest}", layout.display())]).ok();
    }
    assert_eq!(fs::read_dir(layout.join("ingest")).unwrap().count(), 0, "nothing is staged");
}

/// Each attempt to lock opens the lock file, and inotify reports it.
#[cfg(target_os = "linux")]
#[test]
fn a_lock_on_the_index_is_waited_for() {
    use rustix::fs::inotify;
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("cache");
    let to = format!("{}:a", layout.display());
    let cache = fixture(CACHES[2]).display().to_string();
    bkcache(["copy", "--quiet", &cache, &to]).ok();
    let lock = fs::File::create(layout.join("index.json.lock")).unwrap();
    lock.try_lock().unwrap();
    let opened = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&opened, layout.join("index.json.lock"), inotify::WatchFlags::OPEN).unwrap();
    let mut waiting = support::program()
        .args(["copy", "--quiet", &fixture(CACHES[3]).display().to_string(), &to])
        .stdin(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
    let mut opened = inotify::Reader::new(opened, &mut buffer);
    let mut tries = 0;
    while tries < 3 {
        assert!(waiting.try_wait().unwrap().is_none(), "it waits, after {tries} tries");
        match opened.next() {
            Ok(_) => tries += 1,
            Err(rustix::io::Errno::AGAIN) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(tags(&layout), [("a".to_owned(), only_manifest(&fixture(CACHES[2])))]);
    drop(lock);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(tags(&layout), [("a".to_owned(), only_manifest(&fixture(CACHES[3])))]);
}
