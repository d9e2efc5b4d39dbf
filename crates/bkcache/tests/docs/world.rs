//! What all pages share: copies of the fixtures, and a folder with the program as it was built.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use tests::why::WhyCase;

use crate::page::root;

/// Made when the first page needs it, so that listing the tests costs nothing.
#[derive(Default)]
pub struct World(OnceLock<TempDir>);

impl World {
    /// A copy of `tests/fixtures`.
    pub fn fixtures(&self) -> PathBuf {
        self.folder().join("fixtures")
    }

    /// A copy of `tests/why`. Its contexts have the modes that git does not keep.
    pub fn why(&self) -> PathBuf {
        self.folder().join("why")
    }

    /// A folder for `PATH` with the built program.
    pub fn programs(&self) -> PathBuf {
        self.folder().join("bin")
    }

    fn folder(&self) -> &Path {
        self.0.get_or_init(make).path()
    }
}

fn make() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&root().join("tests/fixtures"), folder.path());
    copy(&root().join("tests/why"), folder.path());
    for name in WhyCase::names() {
        let case = WhyCase::load(&name);
        for entry in fs::read_dir(case.context().parent().unwrap()).unwrap() {
            copy(&entry.unwrap().path(), &folder.path().join("why").join(&name));
        }
    }
    fs::create_dir(folder.path().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_bkcache"), folder.path().join("bin/bkcache")).unwrap();
    folder
}

/// `cp -a` keeps modes, times and links.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}
