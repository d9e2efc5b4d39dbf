//! The file `oci-layout`: written into every layout, and read only for its version.
//!
//! BuildKit never reads the file, rewrites it in place at every export, and wrote none before 0.12 (moby/buildkit#3729). So
//! a folder with an index and blobs is a layout without it. An empty file, or one that is cut short, states no version. A file
//! that cannot be read is an error, as it may state another one.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::layout::files::read_small;
use crate::layout::folder::LayoutFolder;
use crate::{Error, ErrorKind};

/// The name of the file.
const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const LAYOUT_VERSION: &str = "1.0.0";
/// The greatest size, in bytes, of a file that is read.
const LAYOUT_LIMIT: u64 = 64 * 1024;
/// What may lie in a folder that becomes a layout: remains of a layout whose making was cut short, and what a fresh file
/// system has.
const REMAINS: [&str; 4] = ["blobs", "ingest", "index.json.lock", "lost+found"];

/// Whether a folder is a layout: it has the file `oci-layout`, or `index.json` and the folder `blobs`. An error if this
/// process may not look into the folder.
pub(crate) fn is_layout(root: &Path) -> Result<bool, Error> {
    let is_any = |name: &str, is_wanted: fn(&Metadata) -> bool| match fs::metadata(root.join(name)) {
        Ok(metadata) => Ok(is_wanted(&metadata)),
        Err(cause) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&cause.kind()) => {
            Ok(false)
        }
        Err(cause) => Err(Error::io("open", root.display(), cause)),
    };
    let has_index = || Ok(is_any("index.json", |_| true)? && is_any("blobs", Metadata::is_dir)?);
    if is_any(LAYOUT_FILE, |_| true)? { Ok(true) } else { has_index() }
}

/// Checks that a folder is a layout, and states no other version than the one that is known.
pub(crate) fn check(root: &Path) -> Result<(), Error> {
    let metadata = fs::metadata(root).map_err(|cause| Error::io("open", root.display(), cause))?;
    let is_no_layout = |reason: &str| Err(Error::new(ErrorKind::Invalid, "open", root.display(), reason));
    if !metadata.is_dir() {
        let is_part = root.file_name().is_some_and(|name| name == "index.json" || name == LAYOUT_FILE);
        return is_no_layout(match is_part {
            true => "it is a file of an OCI layout: name its folder",
            false => {
                "it is not an OCI layout: it is not a folder; unpack an archive first, and name the folder"
            }
        });
    }
    if !is_layout(root)? {
        return is_no_layout(
            "it is not an OCI layout, for it has neither oci-layout nor index.json and blobs; name the folder that a cache was exported to",
        );
    }
    has_version(root).map(drop)
}

/// Makes a folder a layout; one that is a layout already is checked.
pub(crate) fn make(folder: &LayoutFolder) -> Result<(), Error> {
    let root = folder.root();
    if is_layout(root)? {
        return check(root);
    }
    make_root(folder)?;
    if !can_become_layout(root)? {
        return check(root);
    }
    folder.prepare()?;
    complete(folder)
}

/// Checks that a folder is a layout, or can be made one. Makes nothing.
pub(crate) fn check_makeable(root: &Path) -> Result<(), Error> {
    if is_layout(root)? {
        return check(root);
    }
    match fs::symlink_metadata(root) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => can_become_layout(root).map(drop),
    }
}

/// Whether a folder can be made a layout; false if another process has made it one meanwhile. An error if it has something
/// else in it.
fn can_become_layout(root: &Path) -> Result<bool, Error> {
    let failed = |cause| Error::io("read", root.display(), cause);
    for entry in fs::read_dir(root).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if REMAINS.iter().any(|remains| name == *remains) {
            continue;
        }
        if is_layout(root)? {
            return Ok(false);
        }
        let reason = format_args!(
            "it is not an OCI layout and not empty: it has {:?}; give an empty or new folder",
            name.to_string_lossy()
        );
        return Err(Error::new(ErrorKind::Invalid, "create", root.display(), reason));
    }
    Ok(true)
}

/// Writes the file if it is absent, empty or cut short, as BuildKit does at every export. Makes it durable otherwise: the
/// process that wrote it may not have waited for the disk.
pub(crate) fn complete(folder: &LayoutFolder) -> Result<(), Error> {
    let root = folder.root();
    if has_version(root)? {
        return folder.sync_text(LAYOUT_FILE);
    }
    let mut staged = folder.stage()?;
    staged.write(LAYOUT_TEXT)?;
    staged.sync()?;
    staged.rename(&root.join(LAYOUT_FILE))?;
    folder.disk().sync_folder(root)
}

/// Whether the file states the version that is known; an error if it states another one.
fn has_version(root: &Path) -> Result<bool, Error> {
    let path = root.join(LAYOUT_FILE);
    let too_large = || Error::above_metadata_limit("read", path.display(), None, LAYOUT_LIMIT);
    let text = read_small(&path, LAYOUT_LIMIT, too_large)?.unwrap_or_default();
    // A file that is cut short is no JSON.
    let layout: Value = serde_json::from_slice(&text).unwrap_or_default();
    match layout.get("imageLayoutVersion").unwrap_or(&Value::Null) {
        Value::Null => Ok(false),
        version if version == LAYOUT_VERSION => Ok(true),
        other => {
            let reason = format_args!("its imageLayoutVersion is {other}; only {LAYOUT_VERSION} is known");
            Err(Error::new(ErrorKind::Unsupported, "read", path.display(), reason))
        }
    }
}

/// Makes the root and its missing parents, durably.
fn make_root(folder: &LayoutFolder) -> Result<(), Error> {
    let mut missing = Vec::new();
    for ancestor in folder.root().ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()) {
        if ancestor.is_dir() {
            // The process that made it may have been killed before its name was durable.
            match sync_parent(folder, ancestor) {
                // It is not ours then: it lies in a folder that this process may not even open.
                Err(error) if error.kind() == ErrorKind::Denied => {}
                synced => synced?,
            }
            break;
        }
        missing.push(ancestor);
    }
    for ancestor in missing.into_iter().rev() {
        folder.disk().ensure_folder(ancestor)?;
        sync_parent(folder, ancestor)?;
    }
    Ok(())
}

fn sync_parent(folder: &LayoutFolder, path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => folder.disk().sync_folder(Path::new(".")),
        Some(parent) => folder.disk().sync_folder(parent),
        None => Ok(()),
    }
}
