//! Opening, making and reading a layout: what is no layout is refused, and no link is followed.

use std::fs;
use std::path::Path;

use cache_ingest::{
    DiskHook, DiskOperation, ErrorKind, Expect, Job, LayoutOptions, LayoutStore, Lister, Name, Provider,
    ProviderExt, Resolver,
};
use futures_util::StreamExt;

use crate::faults::{describe, noise};

const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// A folder with these files; one whose name ends with a slash is a folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::write(path, text).unwrap();
        }
    }
    folder
}

async fn refused(path: &Path, kind: ErrorKind, text: &str) {
    let error = LayoutStore::open(path, LayoutOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(!error.to_string().contains('\n'));
}

#[tokio::test]
async fn what_is_no_layout_is_refused_by_name_and_reason() {
    refused(
        &folder(&[]).path().join("absent"),
        ErrorKind::NotFound,
        if cfg!(unix) { "No such file" } else { "(os error 2)" },
    )
    .await;
    let neither = "it has neither oci-layout nor index.json and blobs";
    for files in [&[][..], &[("index.json", "{}")], &[("blobs/sha256/", "")]] {
        refused(folder(files).path(), ErrorKind::Invalid, neither).await;
    }
    let file = folder(&[("file", "")]);
    refused(&file.path().join("file"), ErrorKind::Invalid, "it is not a folder").await;
    for version in [r#""2.0.0""#, "2", "[1]"] {
        let stated = folder(&[("oci-layout", &format!(r#"{{"imageLayoutVersion":{version}}}"#))]);
        let reason = format!("imageLayoutVersion is {version}; only 1.0.0 is known");
        refused(stated.path(), ErrorKind::Unsupported, &reason).await;
    }
    for broken in [
        "{",
        "[]",
        r#"{"manifests":[1]}"#,
        r#"{"manifests":[],"manifests":[]}"#,
        r#"{"manifests":[{"annotations":{"k":"a","k":"b"}}]}"#,
    ] {
        refused(
            folder(&[("oci-layout", LAYOUT), ("index.json", broken)]).path(),
            ErrorKind::Corrupt,
            "index.json",
        )
        .await;
    }
    let large = folder(&[("oci-layout", LAYOUT)]);
    fs::File::create(large.path().join("index.json")).unwrap().set_len((64 << 20) + 1).unwrap();
    refused(large.path(), ErrorKind::TooLarge, "67,108,864 bytes").await;
}

/// BuildKit before 0.12 wrote no `oci-layout`, and later versions truncate it and write it again while others read.
#[tokio::test]
async fn a_layout_without_oci_layout_or_with_a_cut_one_is_read_and_completed_when_it_is_written_to() {
    let index = index_of(&[(&describe(b"x").digest.to_string(), 1, "old", "")]);
    for text in [None, Some(""), Some("{"), Some(r#"{"imageLayoutVersion":"1.0"#), Some("[]"), Some("{}")] {
        let folder = folder(&[("blobs/sha256/", ""), ("index.json", &index)]);
        let file = folder.path().join("oci-layout");
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        let read = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
        assert_eq!(read.tags().await.unwrap(), ["old"], "{text:?}");
        assert_eq!(fs::read_to_string(&file).ok().as_deref(), text, "reading changes nothing");
        let written = LayoutStore::open(folder.path(), LayoutOptions::create()).await.unwrap();
        crate::whole::publish(&written, "new", &[], Expect::Any).await.unwrap();
        assert_eq!(read.tags().await.unwrap(), ["old", "new"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), LAYOUT, "{text:?}");
    }
}

#[tokio::test]
async fn without_an_index_the_tags_are_unknown_and_blobs_are_read() {
    let folder = folder(&[("oci-layout", LAYOUT), ("blobs/sha256/", "")]);
    let blob = describe(b"x");
    fs::write(folder.path().join("blobs/sha256").join(blob.digest.hex()), b"x").unwrap();
    let store = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
    for error in [
        store.tags().await.unwrap_err(),
        store.list().await.unwrap_err(),
        store.resolve(&Name::Unspecified).await.unwrap_err(),
        store.resolve(&Name::Tag("main".into())).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("index.json: there is no such file"), "{error}");
    }
    assert_eq!(store.resolve(&Name::Digest(blob.digest)).await.unwrap().descriptor.size, 1);
    assert_eq!(store.read(&blob, &Job::default()).await.unwrap(), "x");
    let written = LayoutStore::open(folder.path(), LayoutOptions::create()).await.unwrap();
    assert!(written.list().await.unwrap().is_empty(), "nothing was published yet");
    crate::whole::publish(&written, "main", &[&blob], Expect::Absent).await.unwrap();
    assert_eq!(store.tags().await.unwrap(), ["main"]);
}

#[tokio::test]
async fn a_layout_is_made_in_an_absent_or_empty_folder_and_nowhere_else() {
    let parent = folder(&[("empty/", ""), ("full/", ""), ("full/notes.txt", "mine"), ("left/ingest/", "")]);
    for name in ["new/nested", "empty", "left"] {
        let path = parent.path().join(name);
        LayoutStore::open(&path, LayoutOptions::create()).await.unwrap();
        assert_eq!(fs::read_to_string(path.join("oci-layout")).unwrap(), LAYOUT);
        LayoutStore::open(&path, LayoutOptions::create()).await.unwrap();
        let store = LayoutStore::open(&path, LayoutOptions::create()).await.unwrap();
        assert!(store.tags().await.unwrap().is_empty());
        let error = store.resolve(&Name::Unspecified).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("the layout has no entries"), "{error}");
    }
    let error = LayoutStore::open(parent.path().join("full"), LayoutOptions::create()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(r#"it has "notes.txt""#), "{error}");
    assert_eq!(fs::read_dir(parent.path().join("full")).unwrap().count(), 1, "nothing was made in it");
    assert!(
        LayoutStore::open(parent.path().join("full/notes.txt/x"), LayoutOptions::create()).await.is_err()
    );
}

#[tokio::test]
async fn entries_that_cannot_be_understood_are_listed_and_refused_when_asked_for() {
    let hex = "ab".repeat(32);
    let entry = |digest: &str, size: &str, tag: &str| {
        format!(
            r#"{{"digest":"{digest}","size":{size},"annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}"#
        )
    };
    let index = format!(
        r#"{{"manifests":[{},{},{}]}}"#,
        entry("sha384:00", "1", "odd"),
        entry(&format!("sha256:{hex}"), "-1", "negative"),
        entry(&format!("sha256:{hex}"), "5", "good"),
    );
    let folder = folder(&[("oci-layout", LAYOUT), ("index.json", &index)]);
    let store = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
    assert_eq!(store.tags().await.unwrap(), ["odd", "negative", "good"]);
    let names = ["odd", "negative", "good"].map(|tag| Name::Tag(tag.into()));
    let listed = store.list().await.unwrap();
    assert_eq!(listed.into_iter().map(|listed| listed.name.unwrap()).collect::<Vec<_>>(), names);
    for tag in ["odd", "negative"] {
        assert_eq!(store.resolve(&Name::Tag(tag.into())).await.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert_eq!(store.resolve(&Name::Tag("good".into())).await.unwrap().descriptor.size, 5);
    let error = store.resolve(&Name::Tag("gone".into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().ends_with("there is no such tag; the tags are: good, negative, odd"),
        "{error}"
    );
    let error = store.resolve(&Name::Unspecified).await.unwrap_err();
    assert!(error.to_string().contains("there is no tag latest and more than one entry"), "{error}");
}

/// An index with an entry for each digest, size, tag and full image name; what is empty is left out.
fn index_of(entries: &[(&str, i64, &str, &str)]) -> String {
    let entry = |(digest, size, tag, image): &(&str, i64, &str, &str)| {
        let annotation = |key: &str, value: &str| {
            if value.is_empty() { Vec::new() } else { vec![format!(r#""{key}":"{value}""#)] }
        };
        let names = [
            annotation("org.opencontainers.image.ref.name", tag),
            annotation("io.containerd.image.name", image),
        ];
        format!(r#"{{"digest":"{digest}","size":{size},"annotations":{{{}}}}}"#, names.concat().join(","))
    };
    format!(r#"{{"manifests":[{}]}}"#, entries.iter().map(entry).collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn every_entry_is_listed_by_a_name_that_stands_for_it() {
    let digests: Vec<String> = (0..9).map(|n| format!("sha256:{}{n}", "ab".repeat(31) + "a")).collect();
    let digest = |n: usize| digests[n].as_str();
    let index = index_of(&[
        (digest(0), 0, "latest", "docker.io/foo/bar:latest"),
        (digest(1), 1, "latest", "docker.io/foo/baz:latest"),
        (digest(2), 2, "v1", "docker.io/foo/bar:v1"),
        (digest(3), 3, "v1", ""),
        (digest(4), 4, "main", "docker.io/foo/bar:main"),
        (digest(5), 5, "v1", ""),
        (digest(6), 6, "", ""),
        (digest(6), 6, "", ""),
        ("sha384:00", 7, "", ""),
        (digest(8), 8, "", "docker.io/foo/only"),
        (digest(8), 8, "docker.io/foo/only", ""),
    ]);
    let folder = folder(&[("oci-layout", LAYOUT), ("index.json", &index)]);
    let store = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
    let listed = store.list().await.unwrap();
    let mut told = Vec::new();
    for listed in &listed {
        let (name, found) = (listed.name.as_ref(), listed.descriptor.as_ref().unwrap());
        if let (Some(name), Ok(found)) = (name, found) {
            assert_eq!(&store.resolve(name).await.unwrap().descriptor, found, "{name}");
        }
        let name = name.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        told.push((name, found.as_ref().map_or(0, |found| found.size)));
    }
    let expected = [
        (r#"tag "docker.io/foo/bar:latest""#, 0),
        (r#"tag "docker.io/foo/baz:latest""#, 1),
        (r#"tag "docker.io/foo/bar:v1""#, 2),
        (r#"tag "v1""#, 3),
        (r#"tag "main""#, 4),
        (digest(5), 5),
        (digest(6), 6),
        ("nothing", 0),
        (r#"tag "docker.io/foo/only""#, 8),
        (digest(8), 8),
    ];
    assert_eq!(told, expected.map(|(name, size)| (name.to_owned(), size)));
    let error = listed[7].descriptor.as_ref().unwrap().as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("entry without a name of index.json"), "{error}");
    let error = store.resolve(&Name::Tag("gone".into())).await.unwrap_err();
    let tags = "docker.io/foo/bar:latest, docker.io/foo/bar:v1, docker.io/foo/baz:latest, docker.io/foo/only, main, v1";
    assert!(error.to_string().ends_with(&format!("the tags are: {tags}")), "{error}");
    // A tag that several have is one name still.
    assert_eq!(store.resolve(&Name::Tag("latest".into())).await.unwrap().descriptor.size, 0);
}

#[tokio::test]
async fn a_large_blob_streams_from_any_offset() {
    let folder = folder(&[("oci-layout", LAYOUT), ("blobs/sha256/", "")]);
    let bytes = noise(3 * 1024 * 1024 + 17, 1);
    let blob = describe(&bytes);
    fs::write(folder.path().join("blobs/sha256").join(blob.digest.hex()), &bytes).unwrap();
    let store = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
    assert_eq!(store.read(&blob, &Job::default()).await.unwrap(), bytes);
    for offset in [0, 1, 512 * 1024, 1024 * 1024 + 5, bytes.len() - 1, bytes.len()] {
        let mut stream = store.open(&blob, offset as u64).await.unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = stream.next().await {
            read.extend_from_slice(&chunk.unwrap());
        }
        assert!(read == bytes[offset..], "from offset {offset}");
    }
    let beyond = store.open(&blob, bytes.len() as u64 + 1).await.err().unwrap();
    assert_eq!(beyond.kind(), ErrorKind::Invalid);
    assert_eq!(store.info(&describe(b"gone")).await.unwrap_err().kind(), ErrorKind::NotFound);
    drop(store.open(&blob, 0).await.unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_and_what_is_no_file_are_refused_below_blobs() {
    use std::os::unix::fs::symlink;
    let folder = folder(&[("oci-layout", LAYOUT), ("blobs/sha256/", ""), ("secret", "secret")]);
    let blobs = folder.path().join("blobs/sha256");
    let (link, dir) = (describe(b"secret"), describe(b"dir"));
    symlink("../../secret", blobs.join(link.digest.hex())).unwrap();
    fs::create_dir(blobs.join(dir.digest.hex())).unwrap();
    let store = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
    for (blob, kind) in [(&link, ErrorKind::Invalid), (&dir, ErrorKind::Invalid)] {
        assert_eq!(store.info(blob).await.unwrap_err().kind(), kind);
        assert_eq!(store.open(blob, 0).await.err().unwrap().kind(), kind);
        assert!(store.file(blob).is_none());
    }
    fs::rename(&blobs, folder.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", &blobs).unwrap();
    assert_eq!(store.info(&describe(b"any")).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn an_error_stays_on_one_line_whatever_the_tags_hold() {
    let digest = describe(b"x").digest;
    let entry = format!(
        r#"{{"digest":"{digest}","size":1,"annotations":{{"org.opencontainers.image.ref.name":"two\nlines"}}}}"#
    );
    let index = format!(r#"{{"manifests":[{entry}]}}"#);
    let folder = folder(&[("oci-layout", LAYOUT), ("index.json", &index)]);
    let store = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
    let error = store.resolve(&Name::Tag("main".to_owned())).await.unwrap_err();
    assert!(error.to_string().ends_with(r"the tags are: two\nlines"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let pipe =
        |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    let index = folder(&[("oci-layout", LAYOUT), ("blobs/sha256/", "")]);
    pipe(&index.path().join("index.json"));
    refused(index.path(), ErrorKind::Invalid, "it is not a regular file").await;
    let marker = folder(&[("blobs/sha256/", ""), ("index.json", "{}")]);
    pipe(&marker.path().join("oci-layout"));
    refused(marker.path(), ErrorKind::Invalid, "it is not a regular file").await;
}

/// It may state another version.
#[cfg(unix)]
#[tokio::test]
async fn an_oci_layout_that_cannot_be_read_is_an_error_and_never_replaced() {
    let unreadable = folder(&[("blobs/sha256/", ""), ("index.json", "{}")]);
    let file = unreadable.path().join("oci-layout");
    // No one can read a file behind a circle of links, not even root.
    std::os::unix::fs::symlink("oci-layout", &file).unwrap();
    refused(unreadable.path(), ErrorKind::Other, "Too many levels of symbolic links").await;
    assert!(LayoutStore::open(unreadable.path(), LayoutOptions::create()).await.is_err());
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    let large = folder(&[("blobs/sha256/", ""), ("index.json", "{}")]);
    fs::File::create(large.path().join("oci-layout")).unwrap().set_len(64 * 1024 + 1).unwrap();
    refused(large.path(), ErrorKind::TooLarge, "oci-layout").await;
}

#[tokio::test]
async fn a_layout_that_vanished_is_not_an_empty_one() {
    let folder = folder(&[("oci-layout", LAYOUT)]);
    let store = LayoutStore::open(folder.path(), LayoutOptions::default()).await.unwrap();
    assert_eq!(store.info(&describe(b"x")).await.unwrap_err().kind(), ErrorKind::NotFound);
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(store.info(&describe(b"x")).await.unwrap_err().kind(), ErrorKind::Other);
}

/// Another process makes the layout just before the first change of this one.
struct Overtaken(std::sync::atomic::AtomicBool);

impl DiskHook for Overtaken {
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        work()?;
        if let DiskOperation::CreateFolder(path) = operation
            && !self.0.swap(true, std::sync::atomic::Ordering::SeqCst)
        {
            fs::write(path.join("oci-layout"), LAYOUT)?;
            fs::write(path.join("index.json"), r#"{"manifests":[]}"#)?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_layout_that_another_process_makes_at_the_same_time_is_one() {
    let parent = tempfile::tempdir().unwrap();
    let hook = std::sync::Arc::new(Overtaken(false.into()));
    let store = LayoutStore::open(parent.path().join("cache"), LayoutOptions::create().with_hook(hook))
        .await
        .unwrap();
    assert!(store.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dry_run_makes_no_folder_and_refuses_what_a_run_refuses() {
    let options = LayoutOptions::create().with_dry_run(true);
    let new = folder(&[]);
    let absent = new.path().join("a/b");
    for path in [absent.as_path(), new.path()] {
        let store = LayoutStore::open(path, options.clone()).await.unwrap();
        let tag = Name::Tag("a".to_owned());
        assert_eq!(store.resolve(&tag).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(store.info(&describe(b"x")).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(store.entries().await.unwrap().is_empty());
    }
    assert!(!absent.exists());
    assert_eq!(fs::read_dir(new.path()).unwrap().count(), 0);

    let other = folder(&[("file", "")]);
    let error = LayoutStore::open(other.path(), options.clone()).await.unwrap_err();
    assert!(error.to_string().contains(r#"it is not an OCI layout and not empty: it has "file""#), "{error}");
    let file = other.path().join("file");
    assert!(LayoutStore::open(&file, options.clone()).await.is_err());
    let newer = folder(&[("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#)]);
    let error = LayoutStore::open(newer.path(), options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
