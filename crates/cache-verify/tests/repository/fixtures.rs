//! Real caches that BuildKit wrote: none has a finding, not even a note.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};
use cache_verify::{Report, VerifyOptions, verify};

pub(crate) fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.join("oci-layout").is_file());
    found.sort();
    assert!(found.len() >= 18, "{found:?}");
    found
}

async fn verified(path: &Path, options: &VerifyOptions) -> Report {
    let store = LayoutStore::open(path, LayoutOptions::default()).await.unwrap();
    verify(&store, &Name::Unspecified, options, &Job::default()).await.unwrap()
}

#[tokio::test]
async fn no_real_cache_has_a_finding() {
    let mut all = String::new();
    for path in fixtures() {
        let report = verified(&path, &VerifyOptions::default()).await;
        assert_eq!(report.findings, [], "{path:?}");
        let form = report.form.map_or("inline".to_owned(), |form| form.to_string());
        let name = path.file_name().unwrap().to_str().unwrap();
        let Report { blobs, bytes, records, .. } = report;
        assert_eq!((report.blobs_read, report.configs, report.manifests), (blobs, 1, 1), "{path:?}");
        writeln!(all, "{name}: {form}, {blobs} blobs, {bytes} bytes, {records} records").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn without_the_blobs_contents_the_findings_are_the_same_and_no_layer_is_read() {
    let options = VerifyOptions::default().with_blobs(false);
    for path in fixtures() {
        let read = verified(&path, &VerifyOptions::default()).await;
        let asked = verified(&path, &options).await;
        assert_eq!((asked.blobs, asked.blobs_read), (read.blobs, 0));
        assert!(asked.bytes < read.bytes);
        let lines = |report: &Report| report.findings.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(lines(&asked), lines(&read));
    }
}

#[tokio::test]
async fn every_blob_of_a_real_cache_that_goes_missing_is_named() {
    for path in fixtures() {
        let folder = copied(&path);
        let blobs = folder.0.join("blobs/sha256");
        for entry in fs::read_dir(&blobs).unwrap().map(Result::unwrap) {
            let digest = entry.file_name();
            let bytes = fs::read(entry.path()).unwrap();
            fs::remove_file(entry.path()).unwrap();
            let report = verified(&folder.0, &VerifyOptions::default()).await;
            assert!(!report.is_sound(), "{path:?} {digest:?}");
            let named = report.findings.iter().any(|finding| {
                finding.kind.code() == "missing-blob"
                    && finding.digest().is_some_and(|named| named.hex() == digest.to_str().unwrap())
            });
            assert!(named, "{path:?} {digest:?}: {:?}", report.findings);
            let is_layer = report.findings.iter().any(|finding| !finding.layers().is_empty());
            assert_eq!(report.blobs - report.blobs_read, u64::from(is_layer), "{path:?} {digest:?}");
            fs::write(entry.path(), bytes).unwrap();
        }
    }
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copied(path: &Path) -> Folder {
    let name = path.file_name().unwrap().to_str().unwrap();
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let folder = Folder(to.clone());
    fs::create_dir_all(to.join("blobs/sha256")).unwrap();
    for file in ["index.json", "oci-layout"] {
        fs::copy(path.join(file), to.join(file)).unwrap();
    }
    for entry in fs::read_dir(path.join("blobs/sha256")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join("blobs/sha256").join(entry.file_name())).unwrap();
    }
    folder
}
