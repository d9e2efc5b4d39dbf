//! A file system that is really full: nothing is named, nothing is left behind, and all is well when there is room.
//!
//! Needs the right to mount. With `BKCACHE_REQUIRE_PEERS` set, not having it fails.

use std::fs;
use std::io::{ErrorKind as Io, Write};
use std::path::Path;
use std::process::Command;

use cache_ingest::{
    ErrorKind, Expect, Job, LayoutOptions, LayoutStore, Name, Provider, ProviderExt, Publisher, Resolver,
    Side, Step, Stored, copy,
};
use cache_model::MediaType;

use crate::faults::{Faulty, describe, noise, options};
use crate::whole;

/// A file system of one mebibyte in memory, which goes when this is dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// Mounts it; `None`, and why on standard error, where that is not allowed.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "bkcache-test"]).arg(folder.path());
        let failed = match mount.output() {
            Ok(output) if output.status.success() => return Some(Self(folder)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(cause) => cause.to_string(),
        };
        let message = format!("a small file system cannot be mounted: {failed}");
        assert!(std::env::var_os("BKCACHE_REQUIRE_PEERS").is_none(), "{message}");
        eprintln!("skipped: {message}");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a file that is open still must not keep it.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Fills what is left of the file system, and leaves `room` bytes.
fn fill(path: &Path, room: u64) {
    let mut file = fs::File::create(path).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[7; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), Io::StorageFull);
    file.set_len(file.metadata().unwrap().len() - room).unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_leaves_the_layout_as_it_was() {
    let Some(mounted) = Mounted::new() else { return };
    let (root, ballast) = (mounted.0.path().join("cache"), mounted.0.path().join("ballast"));
    let to = LayoutStore::open(&root, LayoutOptions::create()).await.unwrap();
    let publish = async |n: u32, expect| {
        let bytes = format!(r#"{{"n":{n},"pad":"{}"}}"#, " ".repeat(8000));
        let mut descriptor = describe(bytes.as_bytes());
        descriptor.media_type = MediaType::OCI_MANIFEST;
        let published = to.publish(&Name::Tag("a".into()), &descriptor, bytes.into(), expect).await;
        published.map(|()| descriptor.digest)
    };
    let first = publish(1, Expect::Absent).await.unwrap();

    let bytes = noise(600_000, 1);
    let blob = describe(&bytes);
    let elsewhere = tempfile::tempdir().unwrap();
    let files = LayoutStore::open(elsewhere.path(), LayoutOptions::create()).await.unwrap();
    fs::write(elsewhere.path().join("blobs/sha256").join(blob.digest.hex()), &bytes).unwrap();
    let stream = Faulty::new(bytes.clone(), []).in_chunks_of(50_000);
    let providers: [&dyn Provider; 2] = [&stream, &files];
    for room in [0, 200_000] {
        fill(&ballast, room);
        for from in providers {
            let options = options(5);
            let error = copy(Step::Layer, &blob, from, &to, &options).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.side()),
                (ErrorKind::NoSpace, Some(Side::Destination)),
                "{error}"
            );
            assert_eq!(options.budget.left(), 5, "no room now is no room in a second");
            assert_eq!((count(&root.join("blobs/sha256")), count(&root.join("ingest"))), (1, 0));
        }
    }
    fill(&ballast, 0);
    assert_eq!(publish(2, Expect::Any).await.unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(to.resolve(&Name::Unspecified).await.unwrap().descriptor.digest, first);
    assert_eq!(count(&root.join("ingest")), 0);

    fs::remove_file(&ballast).unwrap();
    assert_eq!(copy(Step::Layer, &blob, &files, &to, &options(0)).await.unwrap(), Stored::Stored);
    assert_eq!(to.read(&blob, &Job::default()).await.unwrap(), bytes);
    let second = publish(2, Expect::Digest(first)).await.unwrap();
    assert_eq!(to.resolve(&Name::Unspecified).await.unwrap().descriptor.digest, second);
}

#[tokio::test]
async fn a_disk_that_gets_full_at_any_write_keeps_a_whole_layout() {
    const PAGE: u64 = 4096;
    let Some(mounted) = Mounted::new() else { return };
    let (root, ballast) = (mounted.0.path().join("cache"), mounted.0.path().join("ballast"));
    let bytes = noise(20_000, 1);
    let blob = describe(&bytes);
    let from = Faulty::new(bytes, []).in_chunks_of(5_000);
    let copy_all = async || {
        let to = LayoutStore::open(&root, LayoutOptions::create()).await?;
        copy(Step::Layer, &blob, &from, &to, &options(0)).await?;
        whole::publish(&to, "a", &[&blob], Expect::Any).await
    };
    let mut pages = 0;
    loop {
        fill(&ballast, pages * PAGE);
        let copied = copy_all().await;
        whole::check(&root).await;
        assert!(whole::names(&root.join("ingest")).is_empty(), "with {pages} pages");
        fs::remove_file(&ballast).unwrap();
        copy_all().await.unwrap();
        assert_eq!(whole::check(&root).await, ["a"]);
        match copied {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NoSpace, "with {pages} pages: {error}"),
        }
        fs::remove_dir_all(&root).unwrap();
        pages += 1;
    }
    assert!(pages >= 7, "it had room enough with {pages} pages");
}
