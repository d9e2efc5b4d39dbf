//! Layers and folders against each other: the tar that GNU tar writes of a folder is the folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use cache_inputs::{ContextOptions, IgnoreFile, LayerOptions, TarError, read_context, read_tar};
use cache_keys::{Header, Tree};

/// A folder with entries of every kind that a user can make.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let file = |path: &str, bytes: &[u8], mode: u32| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("a", b"some bytes", 0o644);
    file("run", b"#!/bin/sh\n", 0o4755);
    file("empty", b"", 0o600);
    file("exact", &[7; 1024], 0o444);
    file("large", &vec![1; 300_000], 0o640);
    file("d/e/f", b"deep", 0o644);
    file("d-e", b"sorted", 0o644);
    file("uml\u{e4}ut \u{1f600}", b"text", 0o644);
    symlink("d/e", root.join("link")).unwrap();
    symlink("missing", root.join("d/dangling")).unwrap();
    fs::hard_link(root.join("a"), root.join("d/hard")).unwrap();
    fs::create_dir(root.join("bare")).unwrap();
    fs::set_permissions(root.join("bare"), fs::Permissions::from_mode(0o1777)).unwrap();
    folder
}

/// Adds what old formats cannot hold.
fn add_long_names(root: &Path) {
    let long = format!("{}/{}", "n".repeat(90), "m".repeat(200));
    fs::create_dir_all(root.join(&long)).unwrap();
    fs::write(root.join(&long).join("x".repeat(150)), "long").unwrap();
    symlink("t".repeat(180), root.join("long-link")).unwrap();
    let invalid = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"no\xfftext");
    fs::write(root.join(invalid), "bytes").unwrap();
}

fn tar(root: &Path, options: &[&str]) -> Vec<u8> {
    let tar = Command::new("tar")
        .args(["--create", "--numeric-owner", "--owner=0", "--group=0", "--directory"])
        .arg(root)
        .args(options)
        .arg(".")
        .output()
        .unwrap();
    assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
    tar.stdout
}

fn assert_same(tar: &[u8], root: &Path) {
    let mut options = ContextOptions::default();
    options.ignore = IgnoreFile::Absent;
    let expected = read_context(root, &options, &()).unwrap();
    let mut tree = Tree::rooted(Header::default());
    tree.apply(&read_tar(tar, &LayerOptions::default()).unwrap()).unwrap();
    let entries = |tree: &Tree| -> Vec<_> {
        tree.iter()
            .map(|(path, entry)| (path, entry.kind().clone(), entry.header().clone(), *entry.digest()))
            .collect()
    };
    assert_eq!(entries(&tree), entries(&expected));
    assert!(entries(&tree).len() > 12);
}

#[test]
fn the_tar_of_a_folder_is_the_folder_in_every_format() {
    let folder = folder();
    for format in ["v7", "ustar", "oldgnu", "gnu", "pax"] {
        assert_same(&tar(folder.path(), &[&format!("--format={format}")]), folder.path());
    }
    add_long_names(folder.path());
    for format in ["gnu", "pax"] {
        assert_same(&tar(folder.path(), &[&format!("--format={format}")]), folder.path());
    }
}

#[test]
fn the_tar_of_a_sparse_file_is_the_file() {
    let folder = folder();
    let sparse = fs::File::create(folder.path().join("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    for (offset, bytes) in [(1 << 20, b"middle".as_slice()), ((2 << 20) + 5, b"later")] {
        std::os::unix::fs::FileExt::write_all_at(&sparse, bytes, offset).unwrap();
    }
    for version in ["0.0", "0.1", "1.0"] {
        let options = ["--format=pax", "--sparse", &format!("--sparse-version={version}")];
        let tar = tar(folder.path(), &options);
        assert!(tar.len() < 1 << 20, "{}: it is sparse", tar.len());
        assert_same(&tar, folder.path());
    }
    // containerd does not unpack the old form.
    let old = tar(folder.path(), &["--format=gnu", "--sparse"]);
    let error = read_tar(&*old, &LayerOptions::default()).unwrap_err();
    assert!(matches!(error, TarError::UnknownKind { flag: 'S', .. }), "{error}");
}
