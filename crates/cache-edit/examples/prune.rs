//! Keeps the newest results of a cache within a limit of bytes, and says what went.
//!
//! The cache is made here, in memory: one step a day, each with a layer of 1000 bytes. `prune [BYTES]`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_edit::{Limits, PruneReport, Selection, keep};
use cache_model::{CacheChains, Descriptor, MediaType, NewResult, RecordDigest};

fn main() -> Result<(), Box<dyn Error>> {
    let limit = std::env::args().nth(1).map_or(Ok(2500), |text| text.parse())?;
    let mut chains = CacheChains::new();
    for day in 1..=5 {
        let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, vec![day; 1000]);
        let result = NewResult::new(chains.layers([&layer])?, format!("2026-11-0{day}T00:00:00Z").parse()?);
        chains.add(&RecordDigest::of_output(format!("sha256:day-{day}"), 0), &[], &[result])?;
    }

    let graph = chains.graph()?;
    let limits = Limits::default().with_keep_bytes(limit);
    // Only a limit on the size of the config asks for its size.
    let kept = Selection::newest(&graph).limited(&limits, &|_| 0)?;
    let report = PruneReport::of(&Selection::newest(&graph), &kept, &limits);
    for result in &report.dropped {
        println!("dropped {} of {}: {} bytes", result.record, result.created_at, result.bytes);
    }
    println!("kept {} of {} records", keep(&kept)?.len(), chains.len());
    Ok(())
}
