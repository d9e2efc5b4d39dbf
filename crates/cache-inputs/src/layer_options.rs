//! How a layer is read.

use std::fmt;
use std::sync::Arc;

use cache_compress::DEFAULT_MAX_EXPANSION;
use cache_keys::LayerLimits;

use crate::also::{AlsoHeaders, no_headers};

/// Whether the bytes of a file are kept, by its path and its size in bytes.
pub type KeptFiles = Arc<dyn Fn(&[u8], u64) -> bool + Send + Sync>;

/// How a layer is read.
#[derive(Clone)]
#[non_exhaustive]
pub struct LayerOptions {
    /// The most bytes that a compressed layer may have when it is decompressed, and the most bytes of sparse files.
    pub max_expansion: u64,
    /// The most entries, and the most bytes of their names.
    pub limits: LayerLimits,
    /// Further headers under which files are hashed.
    pub also: AlsoHeaders,
    /// The files whose bytes are kept: see [`LayerTree::content`](cache_keys::LayerTree::content). They count against the
    /// limits.
    pub keeps: KeptFiles,
}

impl Default for LayerOptions {
    fn default() -> Self {
        let (max_expansion, limits) = (DEFAULT_MAX_EXPANSION, LayerLimits::default());
        Self { max_expansion, limits, also: no_headers(), keeps: Arc::new(|_, _| false) }
    }
}

impl fmt::Debug for LayerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_expansion, limits, also: _, keeps: _ } = self;
        f.debug_struct("LayerOptions")
            .field("max_expansion", max_expansion)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}
