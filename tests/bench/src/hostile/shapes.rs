//! Cache configs of a given size that are made to be slow.
//!
//! Each shape attacks one step of loading, reading or marshalling. Shapes are written as JSON text, so that no code of the
//! model helps to make them. All of them are valid.

use std::fmt::Write as _;

use clap::ValueEnum;

use super::writer::{INSTANT, Random, Writer};

/// A shape of hostile config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Empty records, all of them the same root
    Empty,
    /// A long chain of records with one digest
    Chain,
    /// Records that link to every earlier record
    Dense,
    /// Records of one digest with links to any earlier records
    Equal,
    /// A record with as many links as fit
    Wide,
    /// A root with a digest of half the size, and as many links to it as fit, half of them from one record
    Long,
    /// Records of one digest with two inputs, which share each input with many others and both with none
    Grid,
    /// Records of one digest that choose one of two links in each input, no two records alike
    Cube,
    /// The cube with twenty links to choose from
    Dice,
    /// The cube with pairs of links to choose from
    Pairs,
    /// Two records with as many links as fit, which share all links except those of one input
    Twins,
    /// Records that share a thousand links in one input and none in the other
    Crowd,
    /// Links from far descendants of a record to the record: each would close a cycle
    Cycles,
    /// Records of few digests with links to any earlier records, which are merged over and over
    Tangle,
    /// A record with many dependents that gets links to new roots
    Late,
    /// Records at the end of a long chain that are merged with a record at its start
    Folds,
    /// Two long chains that are merged once their first records are
    Cascade,
    /// Records that are merged with a record with many dependents
    Merges,
    /// A record with many dependents that is merged with older, small records, the youngest of them first
    Heirs,
    /// A long stack of layers with a result at each layer
    Layers,
    /// A record with as many results as fit, at one instant, on a long stack of layers
    Results,
    /// Two records that are merged, with as many results as fit, at one instant
    Alike,
    /// Lists of layers that differ only at their ends
    Lists,
}

/// The config of a shape, with a length of about `bytes`.
pub(crate) fn config(shape: Shape, bytes: usize) -> Vec<u8> {
    let mut to = Writer::new(bytes);
    match shape {
        Shape::Empty => while to.record(1.0, format_args!("")) {},
        Shape::Chain => {
            to.record(1.0, format_args!(""));
            while to.linked_to_last() {}
        }
        Shape::Dense => dense(&mut to),
        Shape::Equal => tangle(&mut to, 1),
        Shape::Tangle => tangle(&mut to, 40),
        Shape::Wide => wide(&mut to),
        Shape::Long => long(&mut to, bytes),
        Shape::Grid => grid(&mut to, bytes),
        Shape::Cube => cube(&mut to, bytes, 2, false),
        Shape::Dice => cube(&mut to, bytes, 20, false),
        Shape::Pairs => cube(&mut to, bytes, 2, true),
        Shape::Twins => crowd(&mut to, 2),
        Shape::Crowd => crowd(&mut to, bytes / 2 / 14 / 1000),
        Shape::Cycles => cycles(&mut to),
        Shape::Late => hub(&mut to, false),
        Shape::Folds => folds(&mut to),
        Shape::Cascade => cascade(&mut to),
        Shape::Merges => hub(&mut to, true),
        Shape::Heirs => heirs(&mut to, bytes),
        Shape::Layers => layers(&mut to),
        Shape::Results => results(&mut to),
        Shape::Alike => alike(&mut to),
        Shape::Lists => lists(&mut to),
    }
    to.finish()
}

fn dense(to: &mut Writer) {
    loop {
        let links: Vec<String> = (0..to.count).map(|at| format!(r#"{{"link":{at}}}"#)).collect();
        let digest = to.count;
        let written = if links.is_empty() {
            to.record(1.0, format_args!(r#""digest":"0""#))
        } else {
            to.record(1.0, format_args!(r#""digest":"{digest}","inputs":[[{}]]"#, links.join(",")))
        };
        if !written {
            return;
        }
    }
}

/// Records of a few digests, with one or two inputs of one to three links each to any earlier records.
fn tangle(to: &mut Writer, digests: usize) {
    to.record(1.0, format_args!(""));
    tangle_on(to, digests, 0);
}

/// A tangle of records that depend on a record, which may come after others.
pub(super) fn tangle_on(to: &mut Writer, digests: usize, first: usize) {
    let mut random = Random(1);
    loop {
        let mut inputs = String::new();
        for input in 0..1 + random.below(2) {
            inputs.push_str(if input == 0 { "[" } else { ",[" });
            for link in 0..1 + random.below(3) {
                let comma = if link == 0 { "" } else { "," };
                let _ = write!(inputs, r#"{comma}{{"link":{}}}"#, first + random.below(to.count - first));
            }
            inputs.push(']');
        }
        let digest = random.below(digests);
        if !to.record(1.0, format_args!(r#""digest":"{digest}","inputs":[{inputs}]"#)) {
            return;
        }
    }
}

fn wide(to: &mut Writer) {
    let mut digest = 0;
    while to.record(0.3, format_args!(r#""digest":"{digest}""#)) {
        digest += 1;
    }
    let mut links = String::new();
    let mut at = 0;
    while to.has_room(1.0, links.len() + 40) {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(links, r#"{comma}{{"selector":"{at}","link":{}}}"#, at % to.count);
        at += 1;
    }
    to.record(2.0, format_args!(r#""digest":"wide","inputs":[[{links}]]"#));
}

fn long(to: &mut Writer, bytes: usize) {
    to.record(1.0, format_args!(r#""digest":"{}""#, "x".repeat(bytes / 2)));
    let mut selector = 0;
    while to.record(0.75, format_args!(r#""inputs":[[{{"selector":"{selector}","link":0}}]]"#)) {
        selector += 1;
    }
    let mut links = String::from(r#"{"link":0}"#);
    while to.has_room(1.0, links.len() + 40) {
        let _ = write!(links, r#",{{"selector":"{}","link":0}}"#, links.len());
    }
    to.record(2.0, format_args!(r#""inputs":[[{links}]]"#));
}

fn grid(to: &mut Writer, bytes: usize) {
    let side = (1..).find(|side: &usize| side * side * 44 > bytes).unwrap_or(1);
    for root in 0..2 * side {
        to.record(1.0, format_args!(r#""digest":"{root}""#));
    }
    for n in 0..side * side {
        let (row, column) = (n / side, side + n % side);
        to.record(1.0, format_args!(r#""inputs":[[{{"link":{row}}}],[{{"link":{column}}}]]"#));
    }
}

/// Records of one digest that choose one of `choice` roots in each input; no two make all the same choices. With `pairs`
/// each choice is a pair of roots.
fn cube(to: &mut Writer, bytes: usize, choice: usize, pairs: bool) {
    let links = if pairs { 2 } else { 1 };
    let inputs = (1u32..).find(|inputs| {
        let record = 17 + *inputs as usize * (3 + 12 * links);
        choice.saturating_pow(*inputs) >= bytes / record
    });
    for root in 0..choice * links {
        to.record(1.0, format_args!(r#""digest":"{root}""#));
    }
    for n in 0.. {
        let mut rest: usize = n;
        let mut text = String::new();
        for _ in 0..inputs.unwrap_or(1) {
            let comma = if text.is_empty() { "" } else { "," };
            let (first, second) = (rest % choice, rest % choice + choice);
            rest /= choice;
            let _ = match pairs {
                false => write!(text, r#"{comma}[{{"link":{first}}}]"#),
                true => write!(text, r#"{comma}[{{"link":{first}}},{{"link":{second}}}]"#),
            };
        }
        if !to.record(1.0, format_args!(r#""inputs":[{text}]"#)) {
            return;
        }
    }
}

/// Records of one digest that share all links in one input, and none in the other.
fn crowd(to: &mut Writer, records: usize) {
    for root in 0..records {
        to.record(1.0, format_args!(r#""digest":"own {root}""#));
    }
    let room = to.room.saturating_sub(to.records.len() + 40 * records);
    let digits = (room / (15 * records + 19)).to_string().len();
    let links = room / ((10 + digits) * records + 14 + digits);
    let shared: Vec<String> =
        (records..records + links).map(|root| format!(r#"{{"link":{root}}}"#)).collect();
    let shared = shared.join(",");
    for root in 0..links {
        to.record(1.0, format_args!(r#""digest":"{root}""#));
    }
    for own in 0..records {
        to.record(1.0, format_args!(r#""inputs":[[{shared}],[{{"link":{own}}}]]"#));
    }
}

/// A long chain, then adds of its records, each with another link to a record far down the chain. No two records share
/// such a link, so it does not merge them.
fn cycles(to: &mut Writer) {
    to.record(1.0, format_args!(""));
    while to.has_room(0.4, 0) && to.linked_to_last() {}
    let end = to.count;
    let (mut random, mut source) = (Random(2), 0);
    loop {
        // Each link comes from further down, so that no two searches are the same.
        source = (source + 1) % (end / 2);
        let far = end / 2 + random.below(end / 2);
        let written = to.record(
            1.0,
            format_args!(r#""inputs":[[{{"link":{source}}},{{"selector":"far","link":{far}}}]]"#),
        );
        if !written {
            return;
        }
    }
}

/// A record with many dependents that gets links to new roots. With `merges` another record of its digest has such a link
/// first, so that the two are merged.
fn hub(to: &mut Writer, merges: bool) {
    to.record(1.0, format_args!(r#""digest":"root""#));
    to.record(1.0, format_args!(r#""digest":"hub","inputs":[[{{"link":0}}]]"#));
    let mut digest = to.count;
    while to.record(0.4, format_args!(r#""digest":"{digest}","inputs":[[{{"link":1}}]]"#)) {
        digest += 1;
    }
    loop {
        let root = to.count;
        to.record(1.0, format_args!(r#""digest":"{root}""#));
        if merges {
            to.record(1.0, format_args!(r#""digest":"hub","inputs":[[{{"link":{root}}}]]"#));
        }
        if !to.record(1.0, format_args!(r#""digest":"hub","inputs":[[{{"link":0}},{{"link":{root}}}]]"#)) {
            return;
        }
    }
}

fn heirs(to: &mut Writer, bytes: usize) {
    // A small record takes about 130 bytes, with its root and the add that merges it.
    let small = bytes / 2 / 130;
    for root in 0..=small {
        to.record(1.0, format_args!(r#""digest":"{root}""#));
    }
    for root in 0..=small {
        to.record(1.0, format_args!(r#""digest":"heir","inputs":[[{{"link":{root}}}]]"#));
    }
    let heavy = to.count - 1;
    let mut digest = to.count;
    while to.record(0.7, format_args!(r#""digest":"{digest}","inputs":[[{{"link":{heavy}}}]]"#)) {
        digest += 1;
    }
    for root in (0..small).rev() {
        to.record(1.0, format_args!(r#""digest":"heir","inputs":[[{{"link":{root}}},{{"link":{small}}}]]"#));
    }
}

fn folds(to: &mut Writer) {
    to.record(1.0, format_args!(r#""digest":"root""#));
    to.record(1.0, format_args!(r#""digest":"fold","inputs":[[{{"link":0}}]]"#));
    while to.linked_to_last() && to.has_room(0.4, 0) {}
    let end = to.count - 1;
    loop {
        // A record of the same digest at the end of the chain, and an add that shares a link with both.
        let root = to.count;
        to.record(1.0, format_args!(r#""digest":"{root}""#));
        to.record(1.0, format_args!(r#""digest":"fold","inputs":[[{{"link":{root}}},{{"link":{end}}}]]"#));
        if !to.record(1.0, format_args!(r#""digest":"fold","inputs":[[{{"link":0}},{{"link":{root}}}]]"#)) {
            return;
        }
    }
}

fn cascade(to: &mut Writer) {
    for root in ["a", "b"] {
        to.record(1.0, format_args!(r#""digest":"{root}""#));
    }
    for root in 0..2 {
        to.record(1.0, format_args!(r#""digest":"first","inputs":[[{{"link":{root}}}]]"#));
    }
    for (first, share) in [(2, 0.5), (3, 1.0)] {
        let (mut last, mut step) = (first, 0);
        while to.record(share, format_args!(r#""digest":"{step}","inputs":[[{{"link":{last}}}]]"#)) {
            (last, step) = (to.count - 1, step + 1);
        }
    }
    to.record(2.0, format_args!(r#""digest":"first","inputs":[[{{"link":0}},{{"link":1}}]]"#));
}

fn layers(to: &mut Writer) {
    while to.layer_on_last(0.7) {}
    let layers = to.layers_count;
    let mut at = 0;
    while to
        .record(1.0, format_args!(r#""layers":[{{"layer":{at},"createdAt":"{INSTANT}"}}],"digest":"{at}""#))
    {
        at = (at + 1) % layers;
    }
}

fn results(to: &mut Writer) {
    while to.layer_on_last(0.5) {}
    let layers = to.layers_count;
    let mut results = String::new();
    let mut at = 0;
    while to.has_room(1.0, results.len() + 80) {
        let comma = if results.is_empty() { "" } else { "," };
        let _ = write!(results, r#"{comma}{{"layer":{},"createdAt":"{INSTANT}"}}"#, at % layers);
        at += 1;
    }
    to.record(2.0, format_args!(r#""layers":[{results}],"digest":"one""#));
}

fn alike(to: &mut Writer) {
    while to.layer_on_last(0.5) {}
    let layers = to.layers_count;
    to.record(1.0, format_args!(r#""digest":"a""#));
    to.record(1.0, format_args!(r#""digest":"b""#));
    for half in 0..2 {
        to.record(1.0, format_args!(r#""digest":"first","inputs":[[{{"link":{half}}}]]"#));
    }
    for (half, share) in [(0, 0.75), (1, 1.0)] {
        let mut results = String::new();
        let mut at = 0;
        while to.has_room(share, results.len() + 80) {
            let comma = if results.is_empty() { "" } else { "," };
            let _ = write!(results, r#"{comma}{{"layer":{},"createdAt":"{INSTANT}"}}"#, at % layers);
            at += 1;
        }
        let first = half + 2;
        to.record(
            2.0,
            format_args!(r#""layers":[{results}],"digest":"second","inputs":[[{{"link":{first}}}]]"#),
        );
    }
    to.record(2.0, format_args!(r#""digest":"first","inputs":[[{{"link":0}},{{"link":1}}]]"#));
}

fn lists(to: &mut Writer) {
    for _ in 0..2000 {
        to.layer_on_last(1.0);
    }
    let common: Vec<String> = (0..1000).map(|at: usize| at.to_string()).collect();
    let common = common.join(",");
    let mut at = 0;
    while to.record(
        1.0,
        format_args!(
            r#""chains":[{{"layers":[{common},{}],"createdAt":"{INSTANT}"}}],"digest":"{}""#,
            1000 + at % 1000,
            at % 7,
        ),
    ) {
        at += 1;
    }
}
