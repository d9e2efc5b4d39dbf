//! Random graphs as scripts of adds, which can be added in any order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails"
)]
#![allow(dead_code, unreachable_pub, clippy::type_complexity, reason = "each test file uses a part")]

use cache_model::{
    AddError, CacheChains, CacheConfig, Descriptor, Digest, Link, Marshalled, MediaType, NewResult,
    RecordDigest, RecordId, Rule, Timestamp,
};
use proptest::prelude::*;

/// One add: its digest, links to earlier adds, results.
#[derive(Clone, Debug)]
pub struct Add {
    pub digest: String,
    pub inputs: Vec<Vec<(usize, String)>>,
    /// Seconds and offset hours of the time, and the layers, each a number and a variant of its descriptor.
    pub results: Vec<(i64, i8, Vec<(u8, u8)>)>,
}

impl Add {
    /// An add without results; `inputs` as in `&[&[(0, "")]]`.
    pub fn new(digest: &str, inputs: &[&[(usize, &str)]]) -> Self {
        let inputs = inputs.iter().map(|l| l.iter().map(|(n, s)| (*n, (*s).to_owned())).collect()).collect();
        Self { digest: digest.to_owned(), inputs, results: Vec::new() }
    }

    pub fn with_result(mut self, seconds: i64, layers: &[u8]) -> Self {
        self.results.push((seconds, 0, layers.iter().map(|layer| (*layer, 0)).collect()));
        self
    }
}

/// The limits of random scripts.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The number of digests to choose from; 0 gives each add a digest of its own.
    pub digests: usize,
    /// The greatest number of inputs.
    pub inputs: usize,
    /// Whether the number of inputs follows from the digest.
    pub inputs_by_digest: bool,
    /// The number of selectors to choose from, at most 3.
    pub selectors: usize,
    pub len: usize,
}

pub fn script(kind: Kind) -> impl Strategy<Value = Vec<Add>> {
    let selector =
        (0..5usize).prop_map(move |n| ["", "a", "<b>"][n.saturating_sub(2).min(kind.selectors - 1)]);
    let link = (any::<prop::sample::Index>(), selector);
    let input = prop::collection::vec(link, 1..4);
    let layers = prop::collection::vec((0u8..5, 0u8..2), 0..4);
    let result = (0i64..4, prop_oneof![4 => Just(0i8), 1 => Just(1)], layers);
    let add = (
        any::<prop::sample::Index>(),
        prop::collection::vec(input, 0..=kind.inputs),
        prop::collection::vec(result, 0..3),
    );
    prop::collection::vec(add, 1..kind.len).prop_map(move |adds| {
        let mut script = Vec::<Add>::new();
        for (n, (digest, inputs, results)) in adds.into_iter().enumerate() {
            let digest = if kind.digests == 0 { n } else { digest.index(kind.digests) };
            let resolve =
                |(source, selector): (prop::sample::Index, &str)| (source.index(n), selector.to_owned());
            let mut inputs: Vec<Vec<_>> = match n {
                0 => Vec::new(),
                _ => inputs.into_iter().map(|links| links.into_iter().map(resolve).collect()).collect(),
            };
            if kind.inputs_by_digest {
                inputs.truncate(digest % (kind.inputs + 1));
            }
            // If the digest fixes the number of inputs, repeat the last input up to that number.
            while kind.inputs_by_digest && n > 0 && inputs.len() < digest % (kind.inputs + 1) {
                inputs.push(inputs.last().cloned().unwrap_or_else(|| vec![(n - 1, String::new())]));
            }
            if kind.inputs_by_digest && n == 0 && digest % (kind.inputs + 1) > 0 {
                script.push(Add { digest: "root".to_owned(), inputs, results });
            } else {
                script.push(Add { digest: format!("sha256:{digest:064x}"), inputs, results });
            }
        }
        script
    })
}

pub fn descriptor(layer: u8, variant: u8) -> Descriptor {
    let media_type = match layer % 3 {
        0 => MediaType::DOCKER_LAYER_GZIP,
        1 => MediaType::OCI_LAYER_ZSTD,
        _ => MediaType::new("application/x-unknown"),
    };
    let plain = Descriptor::new(media_type, blob(layer), u64::from(layer) + 1);
    if variant == 0 { plain } else { plain.with_annotation("variant", &variant.to_string()) }
}

pub fn blob(layer: u8) -> Digest {
    Digest::sha256([layer; 32])
}

pub fn time(seconds: i64, offset_hours: i8) -> Timestamp {
    let utc = Timestamp::from_unix(seconds + 3600 * i64::from(offset_hours), 5).unwrap().to_string();
    if offset_hours == 0 { utc.parse().unwrap() } else { utc.replace('Z', "+01:00").parse().unwrap() }
}

/// Adds a script in the order given by positions.
pub fn add_in_order(chains: &mut CacheChains, script: &[Add], order: &[usize]) -> Vec<RecordId> {
    let mut ids = vec![None; script.len()];
    for at in order {
        ids[*at] = Some(add(chains, &script[*at], |source| ids[source].unwrap()).unwrap().unwrap());
    }
    ids.into_iter().map(Option::unwrap).collect()
}

pub fn add(
    chains: &mut CacheChains,
    add: &Add,
    id: impl Fn(usize) -> RecordId,
) -> Result<Option<RecordId>, AddError> {
    let inputs: Vec<Vec<Link<'_>>> = add
        .inputs
        .iter()
        .map(|links| links.iter().map(|(n, selector)| Link { source: id(*n), selector }).collect())
        .collect();
    let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
    let mut results = Vec::new();
    for (seconds, offset, layers) in &add.results {
        let layers: Vec<_> = layers.iter().map(|(layer, variant)| descriptor(*layer, *variant)).collect();
        results.push(NewResult { created_at: time(*seconds, *offset), layer: chains.layers(&layers)? });
    }
    chains.add(&RecordDigest::new(&add.digest), &inputs, &results)
}

pub fn chains(script: &[Add]) -> CacheChains {
    let mut chains = CacheChains::new();
    add_in_order(&mut chains, script, &(0..script.len()).collect::<Vec<_>>());
    chains
}

/// The same chains under the closed rule.
pub fn closed(chains: &CacheChains) -> CacheChains {
    let mut closed = chains.clone();
    closed.set_rule(Rule::Closed);
    closed
}

/// Marshals chains with every blob present.
pub fn marshal(chains: &CacheChains) -> Marshalled {
    chains.marshal(&all).unwrap()
}

pub fn all(_: &Digest) -> bool {
    true
}

/// An order of a script's adds with sources first, led by random priorities; links and results are shuffled too.
pub fn shuffled(script: &[Add], priorities: &[u32]) -> (Vec<Add>, Vec<usize>) {
    let priority = |n: usize| {
        priorities[n % priorities.len()].wrapping_mul(2_654_435_761).wrapping_add(n as u32 * 40_503)
    };
    let mut order: Vec<usize> = Vec::new();
    while order.len() < script.len() {
        let is_ready =
            |n: &usize| script[*n].inputs.iter().flatten().all(|(source, _)| order.contains(source));
        let next =
            (0..script.len()).filter(|n| !order.contains(n)).filter(is_ready).min_by_key(|n| priority(*n));
        order.push(next.unwrap());
    }
    let mut mixed = script.to_vec();
    for (n, add) in mixed.iter_mut().enumerate() {
        add.inputs.iter_mut().for_each(|links| {
            let by = n % links.len();
            links.rotate_left(by);
        });
        add.results.reverse();
    }
    (mixed, order)
}

/// Loads a marshalled config and marshals it again, by the closed rule if `close`, otherwise by BuildKit's.
pub fn again(marshalled: &Marshalled, close: bool) -> CacheConfig {
    let mut loaded = CacheChains::from_config(&marshalled.config, &marshalled.descriptors).unwrap();
    assert!(loaded.dropped.is_empty());
    loaded.chains.set_rule(if close { Rule::Closed } else { Rule::BuildKit });
    marshal(&loaded.chains).config
}

/// The config as text, short enough to read in a failed test.
pub fn text(config: &CacheConfig) -> String {
    let mut text = String::new();
    for (n, layer) in config.layers().iter().enumerate() {
        let blob = layer.blob.map(|blob| blob.as_bytes()[0]);
        text.push_str(&format!("layer {n}: blob {blob:?} on {}\n", layer.parent));
    }
    for record in config.records() {
        text.push_str(&format!("record {}: {} {:?}", record.position(), record.digest(), record.results()));
        for input in record.inputs() {
            let links: Vec<String> =
                input.map(|link| format!("{}{:?}", link.record, link.selector)).collect();
            text.push_str(&format!(" [{}]", links.join(" ")));
        }
        text.push('\n');
    }
    text
}
