//! A script of adds, through the model and through the slow reference: both give the same answers and the same bytes.
//!
//! By BuildKit's rule and by the closed rule. A closed graph, marshalled, loaded and closed again, must stay the same.

use cache_format::encode_config;
use cache_model::{
    AddError, CacheChains, Digest, Graph, Link, Marshalled, NewResult, RecordDigest, RecordId, Rule,
};
use reference::{Exported, Records, Reference, Refused, marshal};

use crate::script::{Add, Script};

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    if let Some(script) = Script::read(bytes) {
        check(&script);
    }
}

fn check(script: &Script) {
    let mut chains = CacheChains::new();
    let mut reference = Reference::default();
    let mut ids: Vec<Option<RecordId>> = Vec::new();
    for add in &script.adds {
        // Drop links to skipped and refused adds.
        let mut add = add.clone();
        add.inputs.iter_mut().for_each(|links| links.retain(|link| ids[link.source].is_some()));
        let added = add_to(&mut chains, &add, &ids);
        let expected = reference.add(&add.as_text());
        match (&added, &expected) {
            (Ok(id), Ok(is_record)) => assert_eq!(id.is_some(), *is_record, "{add:?}"),
            (Err(AddError::EmptyInput { input, .. }), Err(Refused::EmptyInput(expected))) => {
                assert_eq!(input, expected, "{add:?}");
            }
            _ => panic!("{added:?} rather than {expected:?}: {add:?}"),
        }
        ids.push(added.ok().flatten());
    }

    let by_order = compare("by order", &graph(&chains), reference.by_order(), script);
    let closed = compare("closed", &graph(&close(&chains)), reference.closed(), script);
    let united = graph(&unite(&chains, &chains)).marshal(&|blob| !is_absent(script, blob));
    assert_eq!(text(&united), text(&closed), "united with itself and closed: {script:#?}");

    reload(&by_order, script);
    let again = graph(&close(&reload(&closed, script))).marshal(&|_| true);
    assert_eq!(text(&again), text(&closed), "closed again: {script:#?}");
}

fn add_to(
    chains: &mut CacheChains,
    add: &Add,
    ids: &[Option<RecordId>],
) -> Result<Option<RecordId>, AddError> {
    let mut results = Vec::new();
    for result in &add.results {
        let layers: Vec<_> = result.layers.iter().map(|layer| layer.descriptor()).collect();
        results.push(NewResult { created_at: result.created_at(), layer: chains.layers(&layers)? });
    }
    let source = |at: usize| ids[at].expect("only records are linked to");
    let inputs: Vec<Vec<Link<'_>>> = add
        .inputs
        .iter()
        .map(|links| {
            links.iter().map(|link| Link { source: source(link.source), selector: link.selector }).collect()
        })
        .collect();
    let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
    chains.add(&RecordDigest::new(add.digest), &inputs, &results)
}

/// Marshals the graph and the reference's records, and checks that both give the same bytes.
fn compare(reading: &str, graph: &Graph<'_>, records: Records<'_>, script: &Script) -> Marshalled {
    let marshalled = graph.marshal(&|blob| !is_absent(script, blob));
    let descriptors = marshalled.descriptors.iter().map(|descriptor| lossy(&descriptor.json()));
    let found = Exported { config: text(&marshalled), descriptors: descriptors.collect() };
    let expected = marshal(records, &script.absent);
    assert!(found == expected, "{reading}: {found:#?}\nrather than {expected:#?}\nof {script:#?}");
    marshalled
}

/// Loads a marshalled cache, and checks that no result is dropped.
fn reload(marshalled: &Marshalled, script: &Script) -> CacheChains {
    match CacheChains::from_config(&marshalled.config, &marshalled.descriptors) {
        Ok(loaded) => {
            assert_eq!(loaded.dropped, [], "{script:#?}");
            loaded.chains
        }
        Err(error) => panic!("the marshalled cache does not load: {error}: {script:#?}"),
    }
}

/// The same chains under the closed rule.
fn close(chains: &CacheChains) -> CacheChains {
    let mut closed = chains.clone();
    closed.set_rule(Rule::Closed);
    closed
}

fn graph(chains: &CacheChains) -> Graph<'_> {
    chains.graph().expect("a script is too small to exceed the budget")
}

fn unite(a: &CacheChains, b: &CacheChains) -> CacheChains {
    let mut united = a.clone();
    united.unite(b).expect("every blob has one size");
    united
}

fn is_absent(script: &Script, blob: &Digest) -> bool {
    script.absent.contains(&blob.to_string())
}

fn text(marshalled: &Marshalled) -> String {
    lossy(&encode_config(&marshalled.config))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Link;

    /// Records of one digest with ten inputs, each linked to one of two roots or to both. Each link has so many records
    /// that comparing them is deferred, and some records overlap.
    #[test]
    fn records_that_share_each_link_with_many_are_kept_apart() {
        for (seed, both) in [(1, 1000), (2, 60), (3, 12)] {
            let mut state: u64 = seed;
            let mut random = |below: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(state >> 33).unwrap() % below
            };
            let add = |digest, inputs| Add { digest, inputs, results: Vec::new() };
            let mut adds = vec![add("root a", Vec::new()), add("root b", Vec::new())];
            for at in 0..400 {
                // Some records depend on others, so that merging replaces sources, too.
                let low = if at > 350 { 2 + random(300) } else { 0 };
                let link = |source| Link { source, selector: "" };
                let inputs = (0..10).map(|_| match random(both) {
                    0 => vec![link(low), link(1)],
                    n if n % 2 == 0 => vec![link(low)],
                    _ => vec![link(1)],
                });
                adds.push(add("shared", inputs.collect()));
            }
            check(&Script { adds, absent: Default::default() });
        }
    }
}
