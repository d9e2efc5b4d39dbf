//! What loading a config takes: the descriptors of its layers, and the time.

use std::time::{Duration, Instant};

use cache_model::{CacheConfig, Descriptor, MediaType};

/// The descriptors that a manifest lists for the layers of a config.
pub(super) fn descriptors(config: &CacheConfig) -> Vec<Descriptor> {
    let gzip = MediaType::OCI_LAYER_GZIP;
    let blobs = config.layers().iter().filter_map(|layer| layer.blob);
    blobs.map(|blob| Descriptor::new(gzip.clone(), blob, 1)).collect()
}

pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}
