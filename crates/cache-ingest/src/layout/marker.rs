//! The file `oci-layout`, which marks a folder as a layout: checked when a layout is opened, and made with it.
//!
//! It never reads or writes an index or a blob.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::layout::files::read_small;
use crate::layout::folder::LayoutFolder;
use crate::{Error, ErrorKind};

/// The name of the file.
pub(crate) const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The greatest size of the file, in bytes.
const LAYOUT_LIMIT: u64 = 64 * 1024;
/// What may lie in a folder that becomes a layout: remains of a layout whose making was cut short, and what a fresh file
/// system has.
const REMAINS: [&str; 4] = ["blobs", "ingest", "index.json.lock", "lost+found"];

/// Checks that a folder is a layout of the version that is known.
pub(crate) fn check(root: &Path) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Layout {
        #[serde(rename = "imageLayoutVersion")]
        version: Option<String>,
    }
    let metadata = fs::metadata(root).map_err(|cause| Error::io("open", root.display(), cause))?;
    let is_no_layout = |reason: &str| Err(Error::new(ErrorKind::Invalid, "open", root.display(), reason));
    if !metadata.is_dir() {
        return is_no_layout("it is not an OCI layout: it is not a folder");
    }
    let path = root.join(LAYOUT_FILE);
    let too_large = || {
        let reason = format_args!("it is larger than the {LAYOUT_LIMIT} bytes allowed here");
        Error::new(ErrorKind::TooLarge, "read", path.display(), reason)
    };
    let Some(text) = read_small(&path, LAYOUT_LIMIT, too_large)? else {
        return is_no_layout(
            "it is not an OCI layout, for it has no file oci-layout; name the folder that a cache was exported to",
        );
    };
    let layout: Layout = serde_json::from_slice(&text)
        .map_err(|cause| Error::new(ErrorKind::Corrupt, "read", path.display(), &cause).with_cause(cause))?;
    match layout.version.unwrap_or_default().as_str() {
        "1.0.0" => Ok(()),
        other => {
            let reason = format_args!("its imageLayoutVersion is {other:?}; only 1.0.0 is known");
            Err(Error::new(ErrorKind::Unsupported, "read", path.display(), reason))
        }
    }
}

/// Makes a folder a layout; one that is a layout already is checked.
pub(crate) fn make(folder: &LayoutFolder) -> Result<(), Error> {
    let root = folder.root();
    let failed = |cause| Error::io("read", root.display(), cause);
    if root.join(LAYOUT_FILE).exists() {
        return check(root);
    }
    make_root(folder)?;
    for entry in fs::read_dir(root).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !REMAINS.iter().any(|remains| name == *remains) && name != LAYOUT_FILE {
            // Another process may have made the layout in the meantime.
            if root.join(LAYOUT_FILE).exists() {
                return check(root);
            }
            let reason = format_args!(
                "it is not an OCI layout and not empty: it has {:?}; give an empty or new folder",
                name.to_string_lossy()
            );
            return Err(Error::new(ErrorKind::Invalid, "create", root.display(), reason));
        }
    }
    folder.prepare()?;
    let mut staged = folder.stage()?;
    staged.write(LAYOUT_TEXT)?;
    staged.sync()?;
    staged.rename(&root.join(LAYOUT_FILE))?;
    folder.disk().sync_folder(root)
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
