//! Who else reads layers while they are verified, so that no blob is read twice.

use std::io::Read;

use cache_model::Digest;

/// Reads the tars of layers in the pass that verifies them. `()` reads none.
pub trait LayerReader: Send + Sync {
    /// Reads one layer, by the digest of its blob. `None` if its tar is of no interest.
    ///
    /// The task runs on a thread that may block. It reads bytes that are not verified yet, and need not read to the end. What it
    /// returns is run only if the blob has its digest.
    fn read(&self, layer: &Digest) -> Option<LayerTask>;
}

/// Reads the tar of one layer.
pub type LayerTask = Box<dyn FnOnce(&mut dyn Read) -> LayerDone + Send>;

/// Takes over what was read of a layer.
pub type LayerDone = Box<dyn FnOnce() + Send>;

impl LayerReader for () {
    fn read(&self, _layer: &Digest) -> Option<LayerTask> {
        None
    }
}
