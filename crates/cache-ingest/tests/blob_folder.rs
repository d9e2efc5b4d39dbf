//! A folder of files named by their digests gives just those blobs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use cache_ingest::{BlobFolder, ErrorKind, Hasher, Job, Provider, ProviderExt};
use cache_model::{Algorithm, Descriptor, MediaType};

#[tokio::test]
async fn blobs_are_found_by_any_of_the_usual_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sha256")).unwrap();
    let mut descriptors = Vec::new();
    for (n, prefix) in ["sha256:", "sha256-", "sha256/", ""].into_iter().enumerate() {
        let bytes = format!("blob {n}").into_bytes();
        let digest = Hasher::digest(Algorithm::Sha256, &bytes);
        std::fs::write(folder.path().join(format!("{prefix}{}", digest.hex())), &bytes).unwrap();
        descriptors.push((Descriptor::new(MediaType::default(), digest, bytes.len() as u64), bytes));
    }
    let blobs = BlobFolder::open(folder.path()).await.unwrap();
    for (descriptor, bytes) in &descriptors {
        assert_eq!(blobs.info(descriptor).await.unwrap().size, descriptor.size);
        assert_eq!(blobs.read(descriptor, &Job::default()).await.unwrap(), bytes.as_slice());
        assert!(blobs.file(descriptor).is_some());
    }
    let absent = Descriptor::new(MediaType::default(), Hasher::digest(Algorithm::Sha512, b"absent"), 6);
    assert_eq!(blobs.info(&absent).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(BlobFolder::open(folder.path().join("none")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_no_blob_and_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let digest = Hasher::digest(Algorithm::Sha256, b"pipe");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join(digest.hex())).status().unwrap();
    assert!(made.success());
    let blobs = BlobFolder::open(folder.path()).await.unwrap();
    let descriptor = Descriptor::new(MediaType::default(), digest, 4);
    assert_eq!(blobs.info(&descriptor).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(blobs.file(&descriptor).is_none());
}
