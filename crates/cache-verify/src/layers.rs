//! The layers of all caches: the blobs to check, and the findings about their descriptors and contents.
//!
//! A blob is checked once, even with many descriptors. Then each descriptor is compared with it. A finding names all layers
//! and records of its blob, so that a blob has one finding of each kind: the report stays as small as the cache, however
//! many descriptors the blob has.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use cache_compress::{DecodeFailure, LayerContent, Undecodable};
use cache_model::{ANNOTATION_DIFF_ID, Algorithm, Compression, Descriptor, Digest};

use crate::blob::{BlobCheck, BlobOutcome};
use crate::cache_findings::CacheFindings;
use crate::needs::LayerNeeds;
use crate::{Finding, FindingKind, Place, Severity};

/// The distinct blobs. If one digest has descriptors of two sizes, one of them is wrong, so both are checked.
pub(crate) struct BlobChecks {
    list: Vec<BlobCheck>,
    place_of: HashMap<(Digest, u64), usize>,
}

impl BlobChecks {
    pub(crate) fn of<'d>(descriptors: impl Iterator<Item = &'d Descriptor>) -> Self {
        let mut checks = Self { list: Vec::new(), place_of: HashMap::new() };
        let mut known = HashSet::new();
        for descriptor in descriptors {
            let algorithm = descriptor.diff_id().map_or(Algorithm::Sha256, |diff_id| diff_id.algorithm());
            let place = *checks.place_of.entry(blob_of(descriptor)).or_insert(checks.list.len());
            match checks.list.get_mut(place) {
                None => {
                    checks.list.push(BlobCheck {
                        descriptor: descriptor.clone(),
                        algorithms: vec![algorithm],
                        is_other_size: !known.insert(descriptor.digest),
                    });
                }
                Some(check) if !check.algorithms.contains(&algorithm) => check.algorithms.push(algorithm),
                Some(_) => {}
            }
        }
        checks
    }

    pub(crate) fn list(&self) -> &[BlobCheck] {
        &self.list
    }

    /// The findings about the layers of a cache: of each blob, the first of each kind. `steps` bounds the search for the
    /// records that need a layer.
    pub(crate) fn findings(
        &self,
        section: &CacheFindings,
        outcomes: &[BlobOutcome],
        steps: &mut u64,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let needs = OnceCell::new();
        let mut found = HashSet::new();
        let mut push = |descriptor: &Descriptor, kind: FindingKind| {
            if !found.insert((descriptor.digest, kind.code())) {
                return;
            }
            let config = section.config.as_ref();
            let needs = config.map(|config| needs.get_or_init(|| LayerNeeds::of(config)));
            let positions = needs.map_or(&[][..], |needs| needs.positions(&descriptor.digest)).to_vec();
            let is_lost = kind.severity() == Severity::Error;
            let needed_by = needs.filter(|_| is_lost).and_then(|needs| needs.records(&positions, steps));
            let place = Place::Layer { positions, digest: Some(descriptor.digest) };
            findings.push(Finding { image: section.image, place, kind, needed_by });
        };
        for (_, blob) in grouped(section.layers.iter(), blob_of) {
            let Some(first) = blob.first() else { continue };
            let place = self.place_of.get(&blob_of(first));
            let outcome = place.and_then(|place| outcomes.get(*place));
            let contents = match outcome.map(|outcome| &outcome.verdict) {
                Some(Err(kind)) => {
                    push(first, kind.clone());
                    None
                }
                Some(Ok(contents)) => contents.as_ref(),
                None => None,
            };
            for ((_, diff_id), alike) in grouped(blob.into_iter(), claims_of) {
                let Some(descriptor) = alike.first() else { continue };
                let mut kinds = about_claims(descriptor, diff_id);
                if let Some(contents) = contents {
                    about_contents(descriptor, contents, &mut kinds);
                }
                kinds.into_iter().for_each(|kind| push(descriptor, kind));
            }
        }
        findings
    }
}

fn blob_of(descriptor: &Descriptor) -> (Digest, u64) {
    (descriptor.digest, descriptor.size)
}

/// The claims of a descriptor about its blob's content: the media type and the diff ID.
fn claims_of(descriptor: &Descriptor) -> (&str, Option<&str>) {
    (descriptor.media_type.as_str(), descriptor.annotations.get(ANNOTATION_DIFF_ID))
}

/// The layers grouped by a key, in the order of the groups' first layers.
fn grouped<'d, K: Copy + Eq + Hash>(
    layers: impl Iterator<Item = &'d Descriptor>,
    key_of: impl Fn(&'d Descriptor) -> K,
) -> Vec<(K, Vec<&'d Descriptor>)> {
    let mut groups: Vec<(K, Vec<&'d Descriptor>)> = Vec::new();
    let mut place_of = HashMap::new();
    for layer in layers {
        let key = key_of(layer);
        let place = *place_of.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(layer),
            None => groups.push((key, vec![layer])),
        }
    }
    groups
}

/// The defects of a descriptor that do not depend on the blob.
fn about_claims(descriptor: &Descriptor, diff_id: Option<&str>) -> Vec<FindingKind> {
    let mut kinds = Vec::new();
    if descriptor.media_type.compression().is_none() {
        kinds.push(FindingKind::UnknownMediaType { media_type: descriptor.media_type.clone() });
    }
    match diff_id {
        None => kinds.push(FindingKind::DiffIdMissing),
        Some(text) if text.parse::<Digest>().is_err() => {
            kinds.push(FindingKind::DiffIdInvalid { text: text.to_owned() });
        }
        Some(_) => {}
    }
    kinds
}

/// The defects of a descriptor that show in the content.
fn about_contents(descriptor: &Descriptor, contents: &LayerContent, kinds: &mut Vec<FindingKind>) {
    let declared = descriptor.media_type.compression();
    match (declared, contents.compression) {
        (Some(compression @ (Compression::Gzip | Compression::Zstd)), None) => {
            kinds.push(FindingKind::NotDecompressible { compression, reason: Undecodable::NotCompressed });
            return;
        }
        (Some(declared), Some(found)) if declared != found => {
            kinds.push(FindingKind::MediaTypeMismatch { media_type: descriptor.media_type.clone(), found });
        }
        _ => {}
    }
    match &contents.diff_ids {
        Err(DecodeFailure::Limit { limit }) => kinds.push(FindingKind::ExpansionLimit { limit: *limit }),
        Err(DecodeFailure::Undecodable(reason)) => {
            let compression = contents.compression.unwrap_or(Compression::Uncompressed);
            kinds.push(FindingKind::NotDecompressible { compression, reason: reason.clone() });
        }
        // The compression is unknown, so the diff ID cannot be computed.
        Ok(_) if declared.is_none() && contents.compression.is_none() => {}
        Ok(diff_ids) => kinds.extend(diff_id_mismatch(descriptor, diff_ids)),
    }
}

fn diff_id_mismatch(descriptor: &Descriptor, diff_ids: &[Digest]) -> Option<FindingKind> {
    let expected = descriptor.diff_id()?;
    let actual = *diff_ids.iter().find(|actual| actual.algorithm() == expected.algorithm())?;
    (actual != expected).then_some(FindingKind::DiffIdMismatch { expected, actual })
}
