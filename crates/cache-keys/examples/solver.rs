//! A solver in small: it builds three steps twice, and the second time they come from the cache.
//!
//! It needs no argument, and shows what a build tool asks an index of keys.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_keys::{CacheKeys, KeyLink, StepMatch};
use cache_model::{CacheChains, Descriptor, Link, MediaType, NewResult, RecordDigest, RecordId, Timestamp};

/// The steps, each on the one before it: the digest of the definition, and what it reads of the step before.
const STEPS: [(&str, &str); 3] = [("sha256:source", ""), ("sha256:copy", "/src"), ("sha256:make", "")];

/// Builds the steps, with an old cache. Gives the cache to export.
fn build(old: &CacheKeys) -> Result<CacheChains, Box<dyn Error>> {
    let mut new = CacheChains::new();
    let mut before: Option<(RecordId, StepMatch<'_>)> = None;
    for (digest, reads) in STEPS {
        let questions: Vec<Vec<KeyLink<'_>>> = before.iter().map(|(_, found)| found.links(reads)).collect();
        let links: Vec<[Link<'_>; 1]> = before.iter().map(|(id, _)| [Link::new(*id, reads)]).collect();

        let found = old.find(digest, 0, &questions.iter().map(Vec::as_slice).collect::<Vec<_>>());
        println!("{digest:14} {}", if found.is_cached() { "cached" } else { "run" });
        let (layers, created_at) = match found.results().next() {
            Some(result) => (result.layers().into_iter().cloned().collect(), result.created_at()),
            None => (vec![Descriptor::of(MediaType::OCI_LAYER_GZIP, digest)], Timestamp::now()),
        };
        let result = NewResult::new(new.layers(&layers)?, created_at);
        let inputs: Vec<&[Link<'_>]> = links.iter().map(<[_; 1]>::as_slice).collect();
        let record = new.add(&RecordDigest::of_output(digest, 0), &inputs, &[result])?;
        before = Some((record.ok_or("a random step is never cached")?, found));
    }
    Ok(new)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("the first build:");
    let exported = build(&CacheKeys::new(CacheChains::new())?)?;
    println!("the second build, with the cache of the first:");
    build(&CacheKeys::new(exported)?)?;
    Ok(())
}
