//! The diff IDs of layers that state none, computed from their content.
//!
//! Only a form that needs diff IDs has layers read here. Nothing is written.

use std::collections::{BTreeMap, HashMap};

use cache_compress::{
    DEFAULT_MAX_EXPANSION, DecodeFailure, LayerContent, Undecodable, read_concurrency, read_layer,
};
use cache_format::Form;
use cache_ingest::{Error, ErrorKind, Event, Job, Provider, Side, Source, Step, Stored};
use cache_model::{ANNOTATION_DIFF_ID, Algorithm, Compression, Descriptor, Digest};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::ExportError;

/// Completes the diff IDs of layers, if the form needs them. A blob without one is read, several at a time. A layer whose media
/// type says no compression is left as it is, since such a form refuses it.
///
/// # Errors
/// [`ExportError::Store`] for a blob that cannot be read, [`ExportError::NoDiffId`] for one that cannot be decompressed.
pub(crate) async fn complete_diff_ids(
    layers: &mut [Descriptor],
    form: Form,
    provider: &dyn Provider,
    job: &Job,
) -> Result<(), ExportError> {
    if !form.is_inline() {
        return Ok(());
    }
    let stated = layers.iter().filter_map(|layer| Some((layer.digest, layer.diff_id()?)));
    let mut known: HashMap<Digest, Digest> = stated.collect();
    let wanted = |layer: &&Descriptor| layer.media_type.is_layer() && !known.contains_key(&layer.digest);
    let unknown: BTreeMap<Digest, Descriptor> =
        layers.iter().filter(wanted).map(|layer| (layer.digest, layer.clone())).collect();
    if !unknown.is_empty() {
        let bytes = unknown.values().fold(0u64, |sum, layer| sum.saturating_add(layer.size));
        job.event(&Event::Planned { blobs: unknown.len() as u64, bytes });
    }
    let computed: Vec<(Digest, Digest)> = stream::iter(unknown.into_values())
        .map(|layer| async move { Ok((layer.digest, read_diff_id(&layer, provider, job).await?)) })
        .buffer_unordered(read_concurrency(job))
        .try_collect()
        .await?;
    known.extend(computed);
    for layer in layers.iter_mut().filter(|layer| layer.diff_id().is_none()) {
        if let Some(diff_id) = known.get(&layer.digest) {
            layer.annotations.set(ANNOTATION_DIFF_ID, &diff_id.to_string());
        }
    }
    Ok(())
}

async fn read_diff_id(layer: &Descriptor, provider: &dyn Provider, job: &Job) -> Result<Digest, ExportError> {
    let begun = job.begin(Step::ReadLayer, layer);
    let source = Source::new(provider, layer.clone(), job);
    let read = read_layer(&source, &[Algorithm::Sha256], DEFAULT_MAX_EXPANSION).await;
    let content = match read.content {
        Ok(content) => content,
        Err(error) => {
            let error = error.on(Side::Source);
            begun.fail(&error);
            return Err(ExportError::Store(error));
        }
    };
    match diff_id_of(layer, content) {
        Ok(diff_id) => {
            begun.finish(Stored::AlreadyPresent);
            Ok(diff_id)
        }
        Err(cause) => {
            begun.fail(&Error::new(ErrorKind::Corrupt, "decompress", layer.digest, &cause));
            Err(ExportError::NoDiffId { layer: Box::new(layer.clone()), cause })
        }
    }
}

/// The diff ID. Content of no known kind is taken for what it is only where the media type says that it is not compressed.
fn diff_id_of(layer: &Descriptor, content: LayerContent) -> Result<Digest, DecodeFailure> {
    let not_compressed = || DecodeFailure::Undecodable(Undecodable::NotCompressed);
    if content.compression.is_none() && layer.media_type.compression() != Some(Compression::Uncompressed) {
        return Err(not_compressed());
    }
    content.diff_ids?.first().copied().ok_or_else(not_compressed)
}
