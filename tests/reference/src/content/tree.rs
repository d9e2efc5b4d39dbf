//! A tree of files with their bytes, and the digest of one entry.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The files of an input.
#[derive(Clone, Debug)]
pub struct ContentTree {
    /// Entries by path, with a NUL before each name; the root is empty. Every folder above an entry is there.
    pub entries: BTreeMap<Vec<u8>, ContentEntry>,
    /// Whether a client sent it.
    pub is_sent: bool,
}

/// An entry.
#[derive(Clone, Debug)]
pub struct ContentEntry {
    /// What it is.
    pub kind: ContentKind,
    /// Permissions, setuid, setgid, sticky.
    pub mode: u32,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Extended attributes, also such that do not count.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// A file with its bytes.
    File(Vec<u8>),
    /// A folder.
    Folder,
    /// A link with its text.
    Link(Vec<u8>),
    /// A character device with its number.
    Device(u32, u32),
    /// A pipe.
    Fifo,
}

/// What is selected of a tree.
#[derive(Clone, Debug, Default)]
pub struct ContentSelection {
    /// The path.
    pub path: String,
    /// Whether the path has wildcards.
    pub wildcard: bool,
    /// Whether links are followed.
    pub follow: bool,
    /// Patterns.
    pub include: Vec<String>,
    /// Patterns.
    pub exclude: Vec<String>,
}

impl ContentEntry {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == ContentKind::Folder
    }

    pub(super) fn digest(&self) -> String {
        let mut text = b"name".to_vec();
        let mut field = |name: &str, value: &[u8]| text.extend([name.as_bytes(), value].concat());
        let number = |number: u64| number.to_string().into_bytes();
        let (flag, size, target, data, device): (_, _, &[u8], &[u8], _) = match &self.kind {
            ContentKind::File(data) => ("0", data.len(), b"", data, (0, 0)),
            ContentKind::Link(target) => ("2", 0, target, b"", (0, 0)),
            ContentKind::Device(major, minor) => ("3", 0, b"", b"", (*major, *minor)),
            ContentKind::Folder => ("5", 0, b"", b"", (0, 0)),
            ContentKind::Fifo => ("6", 0, b"", b"", (0, 0)),
        };
        let mode = if flag == "2" { 511 } else { self.mode };
        field("mode", &number(mode.into()));
        field("uid", &number(self.uid.into()));
        field("gid", &number(self.gid.into()));
        field("size", size.to_string().as_bytes());
        field("typeflag", flag.as_bytes());
        field("linkname", target);
        field("uname", b"");
        field("gname", b"");
        field("devmajor", &number(device.0.into()));
        field("devminor", &number(device.1.into()));
        for (name, value) in &self.xattrs {
            let is_security = name.starts_with(b"security.") && name != b"security.capability";
            if !is_security && !name.starts_with(b"system.") {
                text.extend([name.as_slice(), value].concat());
            }
        }
        text.extend(data);
        sha(&text)
    }
}

pub(super) fn sha(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
