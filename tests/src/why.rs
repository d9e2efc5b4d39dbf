//! Builds by BuildKit with known truth: the folders of `tests/why`, each with its contexts as they were when it was built.
//!
//! Git keeps no modes but that of programs, no empty folders and no hard links, so the contexts are copied and get them back from `modes.json`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use cache_format::{Unpacked, decode_config, unpack};
use cache_model::{CacheChains, Descriptor, Digest, MediaType};
use serde_json::Value;
use tempfile::TempDir;

/// One build.
pub struct WhyCase {
    /// The name of its folder.
    pub name: String,
    /// `truth.json`.
    pub truth: Value,
    /// The folder with the Dockerfile, the records of the build and its cache. Its contexts lack modes: see
    /// [`context`](Self::context).
    pub folder: PathBuf,
    restored: TempDir,
}

impl WhyCase {
    /// The names of all builds, sorted.
    pub fn names() -> Vec<String> {
        let folder = fs::read_dir(why("")).unwrap();
        let paths = folder.map(|entry| entry.unwrap().path()).filter(|path| path.join("truth.json").exists());
        let mut names: Vec<String> =
            paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names.len(), 49, "the builds are all there");
        names
    }

    /// All builds, by name.
    pub fn all() -> Vec<Self> {
        Self::names().iter().map(|name| Self::load(name)).collect()
    }

    /// The build of this name, with its contexts restored in a temporary folder.
    pub fn load(name: &str) -> Self {
        let folder = why(name);
        let restored = tempfile::tempdir().unwrap();
        let modes = json_file(&folder.join("modes.json"));
        for (top, entries) in modes.as_object().unwrap() {
            let to = restored.path().join(top);
            copy_folder(&folder.join(top), &to);
            restore(&to, entries.as_array().unwrap());
        }
        Self { name: name.to_owned(), truth: json_file(&folder.join("truth.json")), folder, restored }
    }

    /// The older build that the truth compares this one with.
    pub fn older(&self) -> Option<Self> {
        Some(Self::load(self.truth["against"]["older"].as_str()?))
    }

    /// The folders that were the build's contexts, with the names that the build record has for them: `context`, and the
    /// names of named contexts.
    pub fn contexts(&self) -> Vec<(String, PathBuf)> {
        let folder = fs::read_dir(self.restored.path()).unwrap();
        let mut contexts: Vec<_> = folder
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                (name.strip_prefix("context-").unwrap_or(name).to_owned(), path.clone())
            })
            .collect();
        contexts.sort();
        contexts
    }

    /// The folder of the main context.
    pub fn context(&self) -> PathBuf {
        self.restored.path().join("context")
    }

    /// The build record as the builder's history has it: an SLSA v1 predicate, or several, by platform.
    pub fn provenance(&self) -> Vec<u8> {
        fs::read(self.folder.join("provenance.json")).unwrap()
    }

    /// The build record as `buildx history export` writes it, where the build has one.
    pub fn dockerbuild(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.join("dockerbuild")).ok()
    }

    /// The OCI layout with the cache.
    pub fn cache_folder(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// A blob of the cache.
    pub fn blob(&self, digest: &Digest) -> Vec<u8> {
        fs::read(self.cache_folder().join("blobs").join(digest.algorithm().name()).join(digest.hex()))
            .unwrap()
    }

    /// The cache.
    pub fn chains(&self) -> CacheChains {
        self.chains_of_edited_config(|_| ()).unwrap()
    }

    /// The cache with another config. `None` if the config makes no sense.
    pub fn chains_of_edited_config(&self, edit: impl FnOnce(&mut Value)) -> Option<CacheChains> {
        let index = json_file(&self.cache_folder().join("index.json"));
        let digest: Digest = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
        let root = self.blob(&digest);
        let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &root);
        let Unpacked::Cache(manifest) = unpack(&descriptor, &root).unwrap() else { panic!("a cache") };
        let mut config = serde_json::from_slice(&self.blob(&manifest.config.digest)).unwrap();
        edit(&mut config);
        let config = decode_config(&serde_json::to_vec(&config).unwrap()).unwrap();
        Some(CacheChains::from_config(&config, &manifest.layers).ok()?.chains)
    }
}

fn why(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("why").join(name)
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    // A context of empty folders alone is not in git.
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Gives a context its links, empty folders and modes.
fn restore(context: &Path, entries: &[Value]) {
    for entry in entries {
        let path = context.join(entry["path"].as_str().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // What git has in the place of a link is a file.
        if let Some(target) = entry["symlink"].as_str() {
            fs::remove_file(&path).ok();
            symlink(target, path).unwrap();
        } else if let Some(first) = entry["hardlink"].as_str() {
            fs::remove_file(&path).ok();
            fs::hard_link(context.join(first), path).unwrap();
        } else if entry["dir"] == true {
            fs::create_dir_all(path).unwrap();
        }
    }
    // Modes come last, deepest first, as a folder may refuse further entries.
    for entry in entries.iter().rev() {
        if let Some(mode) = entry["mode"].as_str() {
            let mode = fs::Permissions::from_mode(u32::from_str_radix(mode, 8).unwrap());
            fs::set_permissions(context.join(entry["path"].as_str().unwrap()), mode).unwrap();
        }
    }
}
