//! Runs the program on real caches.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support, of which each test file uses a part"
)]

pub mod caches;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The output of a run.
pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Everything that a user sees, with the paths of this machine replaced.
    pub fn shown(&self, folder: &Path) -> String {
        let fixtures = fixture("").display().to_string();
        let text = format!("{}{}exit code {}", self.text(), self.stderr, self.code);
        let text = text.replace(&folder.display().to_string(), "DIR").replace(&fixtures, "FIXTURES/");
        if cfg!(windows) { text.replace('\\', "/") } else { text }
    }

    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

/// Runs the program in a pipe.
pub fn bkcache<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    bkcache_with_input(args, b"")
}

pub fn bkcache_with_input<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Ran {
    run(program().args(args), input)
}

/// The program in an environment without credentials, and without variables that decide about colours: with `CI`, a
/// terminal has them even where `TERM` is `dumb`.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bkcache"));
    for colours in ["CI", "CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR"] {
        command.env_remove(colours);
    }
    command.env_remove("DOCKER_AUTH_CONFIG").env_remove("REGISTRY_AUTH_FILE");
    command
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("XDG_CONFIG_HOME")
        .env("HOME", "/nonexistent")
        .env("DOCKER_CONFIG", "/nonexistent");
    command
}

pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

pub fn vectors(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(file);
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of all real caches except inline ones.
pub fn standalone() -> Vec<String> {
    let folder = std::fs::read_dir(fixture("")).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = folder
        .filter(|entry| entry.path().join("oci-layout").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("inline-"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 17);
    names
}

/// The digest of the only entry of a layout.
pub fn only_manifest(layout: &Path) -> String {
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

/// The file of a blob.
pub fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

/// Every file below a folder with its content.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => folders.push(entry),
                false => drop(found.insert(entry.clone(), std::fs::read(&entry).unwrap())),
            }
        }
    }
    found
}

/// Stores a blob in a layout. Also returns its size.
pub fn store(layout: &Path, bytes: &[u8]) -> (String, usize) {
    let digest = sha256(bytes);
    std::fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    std::fs::write(blob(layout, &digest), bytes).unwrap();
    (digest, bytes.len())
}

/// A layout with a cache of this config, and these layer descriptors.
pub fn layout(folder: &Path, name: &str, config: &[u8], layers: &[Value]) -> String {
    let layout = folder.join(name);
    let (digest, size) = store(&layout, config);
    let mut manifests = layers.to_vec();
    manifests.push(
        json!({"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": digest, "size": size}),
    );
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
    let (digest, size) = store(&layout, index.as_bytes());
    let entry = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": size,
        "annotations": {"org.opencontainers.image.ref.name": "latest"}});
    std::fs::write(layout.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string())
        .unwrap();
    std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    layout.display().to_string()
}

/// A copy of a fixture, to be damaged.
pub fn copy_of(name: &str, to: &Path) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    copy(&fixture(name), to);
    to.to_owned()
}

/// Makes everything below a folder two hours old.
pub fn age(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        match entry.path().is_dir() {
            true => age(&entry.path()),
            false => {
                let two_hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
                std::fs::File::open(entry.path()).unwrap().set_modified(two_hours_ago).unwrap();
            }
        }
    }
}
