//! A cache config, checked against the manifest's list and against itself.
//!
//! Pure. The config may have indices out of range and layers in circles. No recursion. Takes as long as reading the graph
//! by both rules.

use std::collections::{BTreeMap, HashMap, HashSet};

use cache_model::{CacheChains, CacheConfig, Digest, Graph, RecordDigest, Rule};

use crate::cache_findings::CacheFindings;
use crate::{FindingKind, Place};

/// The checks beyond those of the records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum GraphChecks {
    /// The layers are the config's own.
    OfConfig,
    /// The layers are an image's. The cache need not use all of them.
    OfInline,
}

/// Checks that the manifest lists the layers of the config.
pub(crate) fn check_layer_list(section: &mut CacheFindings, manifest: Place, config: &CacheConfig) {
    let of_config: HashSet<Digest> = config.layers().iter().filter_map(|layer| layer.blob).collect();
    let (mut listed, mut unknown, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (position, layer) in section.layers.iter().enumerate() {
        if of_config.contains(&layer.digest) {
            listed.push((position, layer.digest));
        } else if seen.insert(layer.digest) {
            unknown.push(layer.digest);
        }
    }
    let is_listed: HashSet<Digest> = listed.iter().map(|(_, digest)| *digest).collect();
    // A blob that is not listed is reported with each result that is lost by it.
    let wanted: Vec<Digest> = config
        .layers()
        .iter()
        .filter_map(|layer| layer.blob)
        .filter(|blob| is_listed.contains(blob))
        .collect();
    if let Some(position) = first_difference(&listed, &wanted, section.layers.len()) {
        let (listed, config) = (section.layers.len(), config.layers().len());
        section.metadata(manifest, FindingKind::LayerListMismatch { listed, config, position });
    }
    for digest in unknown {
        section.layer(Vec::new(), Some(digest), FindingKind::LayerNotInConfig);
    }
}

/// The first position at which the manifest's list, `len` long, differs from the config's.
fn first_difference(listed: &[(usize, Digest)], wanted: &[Digest], len: usize) -> Option<usize> {
    let differing = listed.iter().zip(wanted).find(|((_, listed), wanted)| listed != *wanted);
    match differing {
        Some(((position, _), _)) => Some(*position),
        None if listed.len() == wanted.len() => None,
        None => Some(listed.get(wanted.len()).map_or(len, |(position, _)| *position)),
    }
}

/// Checks the records, then the rest that `checks` names.
pub(crate) fn check(section: &mut CacheFindings, place: &Place, config: &CacheConfig, checks: GraphChecks) {
    let loaded = match CacheChains::from_config(config, &section.layers) {
        Ok(loaded) => loaded,
        Err(error) => return section.metadata(place.clone(), FindingKind::GraphUnsound { error }),
    };
    for dropped in loaded.dropped {
        let place = Place::Record { positions: vec![dropped.record], digest: dropped.digest };
        let (layer, blob) = (dropped.layer, dropped.blob);
        section.record(place, FindingKind::DroppedResult { layer, blob });
    }
    if checks == GraphChecks::OfConfig {
        check_layers(section, config);
    }
    let chains = loaded.chains;
    let graph = match chains.graph() {
        Ok(graph) => graph,
        Err(error) => return section.metadata(place.clone(), FindingKind::GraphTangled { error }),
    };
    let positions = positions_by_digest(config);
    check_left_out(section, &positions, &graph);
    match chains.graph_by(Rule::Closed) {
        Ok(closed) => check_duplicates(section, positions, &closed),
        Err(error) => section.metadata(place.clone(), FindingKind::MergeTangled { error }),
    }
}

/// The positions of the records with each digest.
type Positions<'a> = BTreeMap<&'a RecordDigest, Vec<usize>>;

fn positions_by_digest(config: &CacheConfig) -> Positions<'_> {
    let mut positions = Positions::new();
    for record in config.records().filter(|record| !record.digest().is_random()) {
        positions.entry(record.digest()).or_default().push(record.position());
    }
    positions
}

fn check_left_out(section: &mut CacheFindings, positions: &Positions<'_>, graph: &Graph<'_>) {
    let mut reported = HashSet::new();
    for digest in graph.left_out().filter(|digest| reported.insert(*digest)) {
        let positions = positions.get(digest).cloned().unwrap_or_default();
        let place = Place::Record { positions, digest: digest.clone() };
        section.record(place, FindingKind::RecordLeftOut);
    }
}

/// Finds records that mean the same: those that are one when caches are merged.
fn check_duplicates(section: &mut CacheFindings, positions: Positions<'_>, closed: &Graph<'_>) {
    let mut distinct: HashMap<&RecordDigest, usize> = HashMap::new();
    let kept = closed.records().map(|record| record.digest());
    for digest in kept.chain(closed.left_out()) {
        *distinct.entry(digest).or_default() += 1;
    }
    for (digest, positions) in positions {
        let distinct = distinct.get(digest).copied().unwrap_or(0);
        if distinct < positions.len() {
            let place = Place::Record { positions, digest: digest.clone() };
            section.record(place, FindingKind::DuplicateRecord { distinct });
        }
    }
}

/// Finds duplicate layers, and layers that no result uses.
fn check_layers(section: &mut CacheFindings, config: &CacheConfig) {
    let reached = reached(config);
    let mut known = HashMap::new();
    for (position, layer) in config.layers().iter().enumerate() {
        let first = *known.entry((layer.blob, layer.parent)).or_insert(position);
        if first != position {
            section.layer(vec![position], layer.blob, FindingKind::DuplicateLayer { first });
        }
        if reached.get(position) != Some(&true) {
            section.layer(vec![position], layer.blob, FindingKind::UnreachableLayer);
        }
    }
}

/// For each layer whether a result leads to it. BuildKit skips the results of `random:` records.
fn reached(config: &CacheConfig) -> Vec<bool> {
    let mut reached = vec![false; config.layers().len()];
    for record in config.records().filter(|record| !record.digest().is_random()) {
        for result in record.results() {
            let mut at = result.layer;
            while let Some((position, seen)) = slot(&mut reached, at)
                && !*seen
            {
                *seen = true;
                at = config.layers().get(position).map_or(-1, |layer| layer.parent);
            }
        }
    }
    for record in config.records().filter(|record| !record.digest().is_random()) {
        for at in record.chains().flat_map(|chain| chain.layers) {
            if let Some((_, seen)) = slot(&mut reached, *at) {
                *seen = true;
            }
        }
    }
    reached
}

fn slot(reached: &mut [bool], at: i32) -> Option<(usize, &mut bool)> {
    let position = usize::try_from(at).ok()?;
    Some((position, reached.get_mut(position)?))
}
