//! The labels of a cache: read for a comparison, and taken along with a copy.
//!
//! A label only adds to what is known. So one that cannot be read or stored is a warning.

use cache_ingest::{Event, ReferrerStore};
use cache_inputs::{Label, find_labels, publish_label};
use cache_model::Descriptor;

use crate::inputs::{Builds, LayerTrees};
use crate::open::OpenedSource;
use crate::stores::Stores;

/// Reads the labels of a cache: its builds, with their folders and layers.
pub(crate) async fn read_labels(stores: &Stores, source: &OpenedSource) -> (Builds, LayerTrees) {
    let (mut builds, mut layers) = (Builds::default(), LayerTrees::default());
    for text in texts(stores, source).await {
        let Some(label) = warned(stores, source, Label::read(&text)) else { continue };
        builds.builds.extend(label.builds);
        builds.contexts.extend(label.contexts);
        layers.trees.extend(label.layers);
    }
    (builds, layers)
}

/// Stores the labels of a cache beside a copy of it, and gives their number.
pub(crate) async fn copy_labels(
    stores: &Stores,
    source: &OpenedSource,
    to: Option<&dyn ReferrerStore>,
    copy: &Descriptor,
) -> usize {
    let Some(to) = to else { return 0 };
    let mut copied = 0;
    for text in texts(stores, source).await {
        let published = publish_label(text, copy, to, &stores.job).await;
        copied += usize::from(warned(stores, source, published).is_some());
    }
    copied
}

async fn texts(stores: &Stores, source: &OpenedSource) -> Vec<Vec<u8>> {
    let Some(referrers) = &source.target.referrers else { return Vec::new() };
    let subject = &source.cache.descriptor;
    let found = find_labels(subject, &*source.target.store, &**referrers, &stores.job).await;
    warned(stores, source, found).unwrap_or_default()
}

fn warned<T, E: std::fmt::Display>(
    stores: &Stores,
    source: &OpenedSource,
    result: Result<T, E>,
) -> Option<T> {
    result
        .map_err(|error| {
            let message = format!("the label of {} is left out: {error}", source.place());
            stores.job.event(&Event::Warning { message: &message });
        })
        .ok()
}
