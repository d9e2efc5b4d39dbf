//! A script of adds, through the model and through the slow reference: the same answers and the same bytes.
//!
//! In both readings: BuildKit's, and the closed one, which must also be what it becomes when it is closed again.

use cache_format::encode_config;
use cache_model::{
    AddError, CacheChains, Digest, Graph, Link, Marshalled, NewResult, RecordDigest, RecordId,
};

use crate::reference::{Exported, Records, Reference, Refused, marshal};
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
        // What is no record cannot be linked to.
        let mut add = add.clone();
        add.inputs.iter_mut().for_each(|links| links.retain(|link| ids[link.source].is_some()));
        let added = add_to(&mut chains, &add, &ids);
        let expected = reference.add(&add);
        match (&added, &expected) {
            (Ok(id), Ok(is_record)) => assert_eq!(id.is_some(), *is_record, "{add:?}"),
            (Err(AddError::EmptyInput { input, .. }), Err(Refused::EmptyInput(expected))) => {
                assert_eq!(input, expected, "{add:?}");
            }
            _ => panic!("{added:?} rather than {expected:?}: {add:?}"),
        }
        ids.push(added.ok().flatten());
    }

    let by_order = compare("by order", &chains.graph(), reference.by_order(), script);
    let closed = compare("closed", &chains.close(), reference.closed(), script);
    let united = unite(&chains, &chains).close().marshal(&|blob| !is_absent(script, blob));
    assert_eq!(text(&united), text(&closed), "united with itself and closed: {script:#?}");

    reload(&by_order, script);
    let again = reload(&closed, script).close().marshal(&|_| true);
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

/// Marshals the graph and the reference's records, which must give the same bytes.
fn compare(reading: &str, graph: &Graph<'_>, records: Records, script: &Script) -> Marshalled {
    let marshalled = graph.marshal(&|blob| !is_absent(script, blob));
    let descriptors = marshalled.descriptors.iter().map(|descriptor| lossy(&descriptor.json()));
    let found = Exported { config: text(&marshalled), descriptors: descriptors.collect() };
    let expected = marshal(records, &script.absent);
    assert!(found == expected, "{reading}: {found:#?}\nrather than {expected:#?}\nof {script:#?}");
    marshalled
}

/// What a marshalled cache loads as: without an error, and with nothing dropped.
fn reload(marshalled: &Marshalled, script: &Script) -> CacheChains {
    let mut chains = CacheChains::new();
    match chains.load(&marshalled.config, &marshalled.descriptors) {
        Ok(loaded) => assert_eq!(loaded.dropped, [], "{script:#?}"),
        Err(error) => panic!("what was marshalled does not load: {error}: {script:#?}"),
    }
    chains
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
