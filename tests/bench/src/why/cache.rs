//! Makes the cache that a builder would export for a build, with contents and layers of the caller's.

use std::path::Path;

use anyhow::{Context, Result};
use cache_explain::Build;
use cache_format::encode_config;
use cache_keys::{ContentRule, ImageSource, Op, SourceKind};
use cache_model::{
    CacheChains, Descriptor, Digest, LayerId, Link, NewResult, RecordDigest, RecordId, Timestamp,
};
use serde_json::Value;

use crate::layouts::write_layout;

/// What a build gave, beside its steps.
pub(crate) trait Made {
    /// The content record of an input of a step.
    fn content(&mut self, step: usize, input: usize, rule: &ContentRule) -> Result<RecordDigest>;
    /// The layer that a step made.
    fn layer(&mut self, step: usize) -> Result<Descriptor>;
}

/// The records of a step's output 0, and the layers of its files.
#[derive(Clone, Default)]
struct Exported {
    records: Vec<RecordId>,
    layer: Option<LayerId>,
}

/// The cache of a build all of whose steps were exported.
pub(crate) fn chains(build: &Build, made: &mut dyn Made) -> Result<CacheChains> {
    let mut chains = CacheChains::new();
    let mut exported: Vec<Exported> = Vec::new();
    for (position, step) in build.definition.steps().iter().enumerate() {
        let keys = match &step.op {
            Op::Source(source) => match source.kind() {
                SourceKind::Image(image) => {
                    let manifest = image.digest().context("an image without a digest")?;
                    let layers = ImageSource::layers_key(&[manifest]).context("an image without layers")?;
                    vec![image.manifest_key(&manifest, &build.platform), layers]
                }
                _ => Vec::new(),
            },
            Op::End => Vec::new(),
            _ => vec![step.key(&build.platform)?.digest()],
        };
        let mut slots: Vec<Vec<(RecordId, String)>> = Vec::new();
        for (input, (from, dep)) in step.inputs.iter().zip(step.deps()).enumerate() {
            let selector = dep.selector.map(|selector| selector.to_string()).unwrap_or_default();
            let records = exported.get(from.step).map(|from| from.records.as_slice()).unwrap_or_default();
            let mut links: Vec<(RecordId, String)> =
                records.iter().map(|record| (*record, selector.clone())).collect();
            if let Some(rule) = &dep.content {
                let content = made.content(position, input, rule)?;
                links.extend(chains.add(&content, &[], &[])?.map(|record| (record, String::new())));
            }
            slots.push(links);
        }
        let has_layer = !keys.is_empty() && !matches!(step.op, Op::Source(_));
        let below =
            step.inputs.first().and_then(|input| exported.get(input.step)).and_then(|from| from.layer);
        let layer = match has_layer {
            true => Some(chains.layer(below, &made.layer(position)?)?),
            false => None,
        };
        let created = Timestamp::from_unix(1_767_225_600, 0).context("no such time")?;
        let results: Vec<NewResult> =
            layer.iter().map(|layer| NewResult::new(Some(*layer), created)).collect();
        let links: Vec<Vec<Link<'_>>> = slots
            .iter()
            .map(|slot| slot.iter().map(|(source, selector)| Link::new(*source, selector)).collect())
            .collect();
        let links: Vec<&[Link<'_>]> = links.iter().map(Vec::as_slice).collect();
        let mut records = Vec::new();
        for key in keys {
            records.extend(chains.add(&RecordDigest::of_output(key, 0), &links, &results)?);
        }
        exported.push(Exported { records, layer });
    }
    Ok(chains)
}

/// Writes a cache to a folder that has its layers as `blobs/sha256/…` already.
pub(crate) fn write(chains: &CacheChains, folder: &Path) -> Result<()> {
    let marshalled = chains.marshal(&|_: &Digest| true)?;
    let layers: Vec<Value> = marshalled
        .layer_descriptors()
        .map(|layer| serde_json::from_slice(&layer.json()))
        .collect::<serde_json::Result<_>>()?;
    write_layout(folder, &serde_json::from_slice(&encode_config(&marshalled.config))?, &layers)
}
