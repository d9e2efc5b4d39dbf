//! Merges, prunes, repairs and compares BuildKit remote caches.
//!
//! [`merge`] makes one cache of several, in any order. Two runs of one build step can differ, and a cache that mixes them
//! gives images that no run would have made. So merging is *coherent* by default: where the sources disagree about a
//! result and a build could mix them, one run wins, and the others give up what would let a build mix them. The
//! [`MergeReport`] says what was contested, who won, and what each source lost.
//!
//! ```
//! use cache_edit::{MergeOptions, Source, merge};
//! use cache_model::{CacheChains, Descriptor, MediaType, NewResult, RecordDigest};
//!
//! // Two jobs ran the same step; its output differs.
//! let run = |layer: &str, at: &str| -> Result<CacheChains, Box<dyn std::error::Error>> {
//!     let mut chains = CacheChains::new();
//!     let layer = chains.layers([&Descriptor::of(MediaType::OCI_LAYER_GZIP, layer)])?;
//!     chains.add(&RecordDigest::of_output("build", 0), &[], &[NewResult::new(layer, at.parse()?)])?;
//!     Ok(chains)
//! };
//! let older = run("one", "2026-11-27T10:00:00Z")?;
//! let newer = run("two", "2026-11-28T10:00:00Z")?;
//!
//! let merged = merge(&[Source::new(&older), Source::new(&newer)], MergeOptions::default())?;
//! let [contested] = merged.report.contested.as_slice() else { panic!("one record is contested") };
//! assert_eq!((contested.winner, contested.losers.as_slice()), (1, [0].as_slice()));
//! // No build can mix the two, so the older cache has lost nothing but this result.
//! assert_eq!(merged.report.sources[0].lost, 0);
//! assert_eq!(merged.report.sources[0].replaced, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Selection`] says which results a cache keeps, and [`keep`] makes a cache of them. To prune a cache is to keep what its
//! [`Limits`] allow: [`Selection::limited`]. To repair it is to keep the results that need no bad blob:
//! [`Selection::complete`]. A [`PruneReport`] and a [`RepairReport`] say what went. [`diff`] compares two caches.
//!
//! Pure: no I/O, no async. It knows nothing of where a cache is stored or of how a config is written.

mod bad_layers;
mod budget;
mod by_position;
mod comparing;
mod contest;
mod copying;
mod diff;
mod error;
mod fit;
mod freshness;
mod harm;
mod index;
mod keep;
mod layer_table;
mod limiting;
mod limits;
mod merge;
mod merge_options;
mod merge_report;
mod merged_chains;
mod new_bytes;
mod order;
mod parts;
mod prune_report;
mod repair_report;
mod retreat;
mod selection;
mod source;
mod union;
mod used_on;

pub use comparing::diff;
pub use diff::{BlobDiff, BlobTotals, ComparedResult, Diff, Presence, RecordDiff, ResultChange};
pub use error::EditError;
pub use keep::keep;
pub use limits::Limits;
pub use merge::{Merged, merge};
pub use merge_options::{Coherence, MergeOptions, Prefer};
pub use merge_report::{Contested, MergeReport, SourceOutcome};
pub use prune_report::{KeepReason, KeptOld, PruneReport, PrunedResult};
pub use repair_report::{BrokenResult, RepairReport};
pub use selection::Selection;
pub use source::Source;
pub use used_on::{ANNOTATION_USED, UsedOn, UsedOnError};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
