//! Finds and reads the test data.

use std::fs;
use std::path::{Path, PathBuf};

use cache_format::ManifestOrIndex;
use cache_model::Digest;
use serde_json::Value;

/// A real cache: an OCI layout that BuildKit wrote.
pub(crate) struct Fixture {
    pub(crate) name: String,
    folder: PathBuf,
}

impl Fixture {
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), folder: tests().join("fixtures").join(name) }
    }

    /// All fixtures, by name.
    pub(crate) fn all() -> Vec<Self> {
        let mut names: Vec<String> = fs::read_dir(tests().join("fixtures"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("index.json").exists())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert!(names.len() >= 18, "{names:?}");
        names.iter().map(|name| Self::named(name)).collect()
    }

    /// The fixtures that are caches of their own, without images that have a cache inside.
    pub(crate) fn caches() -> Vec<Self> {
        Self::all().into_iter().filter(|fixture| !fixture.name.starts_with("inline")).collect()
    }

    pub(crate) fn index(&self) -> Vec<u8> {
        fs::read(self.folder.join("index.json")).unwrap()
    }

    pub(crate) fn blob(&self, digest: &Digest) -> Vec<u8> {
        fs::read(self.folder.join("blobs").join(digest.algorithm().name()).join(digest.hex())).unwrap()
    }

    /// The digest of the only entry of the layout's index.
    pub(crate) fn manifest_digest(&self) -> Digest {
        let ManifestOrIndex::Index(index) = ManifestOrIndex::decode(&self.index()).unwrap() else {
            panic!("{}", self.name)
        };
        assert_eq!(index.manifests.len(), 1);
        index.manifests[0].digest
    }

    pub(crate) fn manifest(&self) -> Vec<u8> {
        self.blob(&self.manifest_digest())
    }
}

/// The lines of one file of vectors.
pub(crate) fn vectors(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(tests().join("vectors").join(name)).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 100, "{name} has {} lines", lines.len());
    lines
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}
