//! Random configs that no build exports: few digests, selectors, blobs and instants, so that records overlap, results
//! tie, and links close cycles.

use super::dice::Dice;
use super::text::digest;
use crate::marshal::Exported;

const DIGESTS: usize = 8;
const BLOBS: usize = 6;
const SELECTORS: [&str; 3] = ["", "", "/src"];
/// Some instants have two texts.
const TIMES: [&str; 6] = [
    "2026-01-02T03:04:05Z",
    "2026-01-02T04:04:05+01:00",
    "2026-01-02T03:04:05.5Z",
    "2026-01-02T03:04:06.123456789Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
];
/// Days of marks; one is no day.
const DAYS: [&str; 4] = ["2026-01-02", "2026-01-03", "2025-12-31", "2026-02-30"];
const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/x-unknown",
];

/// One to four sources, each the text of a config with those of its descriptors. All of them can be read.
pub fn hostile_sources(dice: &mut Dice) -> Vec<Exported> {
    let sizes: Vec<usize> = (0..BLOBS).map(|_| dice.below(100)).collect();
    let are_alike = dice.percent(50);
    let source = |dice: &mut Dice| Exported {
        config: config(are_alike, dice),
        descriptors: descriptors(&sizes, dice),
    };
    (0..1 + dice.below(4)).map(|_| source(dice)).collect()
}

/// A config. If its records are alike, the number of inputs follows from the digest.
fn config(are_alike: bool, dice: &mut Dice) -> String {
    let layers = dice.below(6);
    let parent = |at: usize, dice: &mut Dice| match dice.below(at + 1) {
        0 => "-1".to_owned(),
        above => (above - 1).to_string(),
    };
    let layer = |at: usize, dice: &mut Dice| {
        let blob = blob(dice.below(BLOBS));
        format!(r#"{{"blob":"{blob}","parent":{}}}"#, parent(at, dice))
    };
    let records = 1 + dice.below(14);
    let layer_texts: Vec<String> = (0..layers).map(|at| layer(at, dice)).collect();
    let records: Vec<String> = (0..records).map(|at| record(at, layers, are_alike, dice)).collect();
    format!(r#"{{"layers":[{}],"records":[{}]}}"#, layer_texts.join(","), records.join(","))
}

fn record(at: usize, layers: usize, are_alike: bool, dice: &mut Dice) -> String {
    let number = if at == 0 { 0 } else { dice.below(DIGESTS) };
    let inputs = match at {
        0 => 0,
        _ if are_alike => number % 3,
        _ => dice.below(3),
    };
    let inputs: Vec<String> = (0..inputs).map(|_| input(at, dice)).collect();
    let results = if layers == 0 { 0 } else { dice.below(3) };
    let results: Vec<String> = (0..results)
        .map(|_| format!(r#"{{"layer":{},"createdAt":"{}"}}"#, dice.below(layers), dice.one_of(&TIMES)))
        .collect();
    let chains = usize::from(dice.percent(15));
    let chains: Vec<String> = (0..chains).map(|_| chain(layers, dice)).collect();
    let digest = digest(&format!("record {number}"));
    format!(
        r#"{{"layers":[{}],"chains":[{}],"digest":"{digest}","inputs":[{}]}}"#,
        results.join(","),
        chains.join(","),
        inputs.join(",")
    )
}

/// An input that links to earlier records.
fn input(at: usize, dice: &mut Dice) -> String {
    let link = |dice: &mut Dice| {
        format!(r#"{{"selector":"{}","link":{}}}"#, dice.one_of(&SELECTORS), dice.below(at))
    };
    let links: Vec<String> = (0..1 + dice.below(3)).map(|_| link(dice)).collect();
    format!("[{}]", links.join(","))
}

/// A result that lists each of its layers; it may have none.
fn chain(layers: usize, dice: &mut Dice) -> String {
    let len = if layers == 0 { 0 } else { dice.below(3) };
    let list: Vec<String> = (0..len).map(|_| dice.below(layers).to_string()).collect();
    format!(r#"{{"layers":[{}],"createdAt":"{}"}}"#, list.join(","), dice.one_of(&TIMES))
}

/// A descriptor for each blob, seldom without one of them, or with another size than in the other sources.
fn descriptors(sizes: &[usize], dice: &mut Dice) -> Vec<String> {
    let mut descriptors = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        let is_absent = dice.percent(4);
        let size = if dice.percent(1) { size + 1 } else { *size };
        let mut annotations: Vec<String> = Vec::new();
        if dice.percent(15) {
            annotations.push(format!(r#""bkcache/used":"{}""#, dice.one_of(&DAYS)));
        }
        if dice.percent(20) {
            annotations.push(format!(r#""buildkit/description":"{}""#, dice.below(2)));
        }
        // The blobs 0 and 1 are twins, as are 2 and 3.
        if at < 4 && dice.percent(80) {
            let diff_id = digest(&format!("diff {}", at / 2));
            annotations.push(format!(r#""containerd.io/uncompressed":"{diff_id}""#));
        }
        let annotations = match annotations.is_empty() {
            true => String::new(),
            false => format!(r#","annotations":{{{}}}"#, annotations.join(",")),
        };
        let (media_type, blob) = (dice.one_of(&MEDIA_TYPES), blob(at));
        if !is_absent {
            descriptors.push(format!(
                r#"{{"mediaType":"{media_type}","digest":"{blob}","size":{size}{annotations}}}"#
            ));
        }
    }
    descriptors
}

fn blob(at: usize) -> String {
    digest(&format!("blob {at}"))
}
