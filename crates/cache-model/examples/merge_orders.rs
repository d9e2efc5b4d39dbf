//! Unites two caches in both orders, and shows that the outcome is the same.
//!
//! BuildKit's own rule gives an outcome that depends on the order of the adds. It needs no argument.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_model::{CacheChains, Descriptor, Link, MediaType, NewResult, RecordDigest, Rule, Timestamp};

/// A cache of one step that reads some sources.
fn cache(sources: &[&str], layer: &str) -> Result<CacheChains, Box<dyn Error>> {
    let mut chains = CacheChains::new();
    let mut ids = Vec::new();
    for source in sources {
        ids.extend(chains.add(&RecordDigest::of_output(source, 0), &[], &[])?);
    }
    let links: Vec<Link<'_>> = ids.into_iter().map(|source| Link::new(source, "/src")).collect();
    let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, layer);
    let result = NewResult::new(chains.layers([&layer])?, Timestamp::now());
    chains.add(&RecordDigest::of_output("sha256:build", 0), &[&links], &[result])?;
    Ok(chains)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (a, b) = (cache(&["sha256:tag", "sha256:content"], "one")?, cache(&["sha256:content"], "two")?);
    let (mut ab, mut ba) = (a.clone(), b.clone());
    ab.unite(&b)?;
    ba.unite(&a)?;
    for (order, chains) in [("a, b", &mut ab), ("b, a", &mut ba)] {
        for rule in [Rule::BuildKit, Rule::Closed] {
            chains.set_rule(rule);
            let graph = chains.graph()?;
            let records = graph.with_digest(&RecordDigest::of_output("sha256:build", 0)).count();
            println!("{order}: {rule:?}: {} records, {records} of the step", graph.len());
        }
    }
    let same = ab.marshal(&|_| true)?.config == ba.marshal(&|_| true)?.config;
    println!("both orders give {} config", if same { "the same" } else { "another" });
    Ok(())
}
