//! What is in a file that an `ADD` takes: it unpacks archives.

use std::collections::HashMap;

use cache_keys::LayerTree;

/// A file of a folder, as far as it matters to an `ADD`.
#[derive(Clone, Debug)]
pub enum AddedFile {
    /// It is no archive, so it is copied.
    Plain,
    /// It is an archive with these entries. It hides nothing: in an archive, a name that begins with `.wh.` is a name as any other.
    Archive(Box<LayerTree>),
    /// The data at hand does not decide it.
    Unknown,
}

/// The files of a folder that were looked at, by their paths without links.
pub type AddedFiles = HashMap<Vec<u8>, AddedFile>;
