//! What BuildKit hashes of an entry beside its name and its bytes.

use std::sync::Arc;

/// Permissions, owner and extended attributes of an entry. Times do not count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Header {
    /// The permissions, with 0o4000 for setuid, 0o2000 for setgid and 0o1000 for sticky. Other bits do not count.
    pub mode: u32,
    /// The user that owns the entry. 0 for every entry of a local folder.
    pub uid: u32,
    /// The group that owns the entry. 0 for every entry of a local folder.
    pub gid: u32,
    /// The extended attributes that count.
    pub xattrs: Xattrs,
}

/// Extended attributes, sorted by name, each name once. Attributes `security.*` but `security.capability`, and attributes
/// `system.*`, do not count and are left out (BuildKit's `cache/contenthash`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Xattrs(Option<Arc<Vec<Xattr>>>);

/// A name and a value.
type Xattr = (Vec<u8>, Vec<u8>);

impl Header {
    /// A header without extended attributes.
    pub fn new(mode: u32, uid: u32, gid: u32) -> Self {
        Self { mode, uid, gid, xattrs: Xattrs::default() }
    }

    /// The same header with these extended attributes.
    pub fn with_xattrs(mut self, xattrs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        self.xattrs = xattrs.into_iter().collect();
        self
    }
}

impl Default for Header {
    /// The header of a folder that nothing describes, as the root of a stage: mode 0755, owned by root.
    fn default() -> Self {
        Self::new(0o755, 0, 0)
    }
}

impl Xattrs {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let pairs = self.0.as_deref().map(Vec::as_slice).unwrap_or_default();
        pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether an attribute of this name counts.
    pub fn is_counted(name: &[u8]) -> bool {
        name == b"security.capability" || !(name.starts_with(b"security.") || name.starts_with(b"system."))
    }
}

impl FromIterator<Xattr> for Xattrs {
    /// Of several values of one name the last one is kept.
    fn from_iter<I: IntoIterator<Item = Xattr>>(pairs: I) -> Self {
        let counted: std::collections::BTreeMap<_, _> =
            pairs.into_iter().filter(|(name, _)| Self::is_counted(name)).collect();
        Self((!counted.is_empty()).then(|| Arc::new(counted.into_iter().collect())))
    }
}
