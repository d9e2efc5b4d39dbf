//! Caches of one project, of which one disagrees with the others in some places.
//!
//! In each place a step runs that is not reproducible, two files are copied out of it one after the other, and further steps
//! follow. So the runs of the odd cache and of the others would meet in the second copy.

use std::fmt;

use anyhow::{Context, Result};
use cache_model::{
    ANNOTATION_DIFF_ID, CacheChains, Descriptor, Digest, Link, MediaType, NewResult, RecordDigest, RecordId,
    Timestamp,
};
use clap::ValueEnum;

/// The records of each cache.
pub(crate) const RECORDS: usize = 1000;
/// The places in which the odd cache disagrees.
pub(crate) const PLACES: usize = 10;
/// Every step with such a number is one that only its cache has.
const OWN: usize = 25;
/// Two hours after the oldest of the caches.
const BASE: i64 = 1_767_323_045;

/// How the places stand to each other, and which run is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Side by side; the odd cache is the oldest, so it alone loses
    ApartOdd,
    /// Side by side; the odd cache is the newest, so all others lose
    ApartOthers,
    /// Each made from the one before; the odd cache is the oldest
    StackedOdd,
    /// Each made from the one before; the odd cache is the newest
    StackedOthers,
}

impl Shape {
    pub(crate) fn is_odd_newest(self) -> bool {
        matches!(self, Self::ApartOthers | Self::StackedOthers)
    }

    fn is_stacked(self) -> bool {
        matches!(self, Self::StackedOdd | Self::StackedOthers)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ApartOdd => "apart-odd",
            Self::ApartOthers => "apart-others",
            Self::StackedOdd => "stacked-odd",
            Self::StackedOthers => "stacked-others",
        })
    }
}

/// The caches; the first is the odd one.
pub(crate) fn make(shape: Shape, caches: u32) -> Result<Vec<CacheChains>> {
    (0..caches).map(|number| Cache::make(shape, number)).collect()
}

/// A cache while it is made.
struct Cache {
    chains: CacheChains,
    number: u32,
    /// What differs between the odd cache and the others.
    run: &'static str,
    created_at: Timestamp,
}

impl Cache {
    fn make(shape: Shape, number: u32) -> Result<CacheChains> {
        let is_odd = number == 0;
        let hours = if is_odd && !shape.is_odd_newest() {
            -2
        } else if is_odd {
            2
        } else {
            0
        };
        let seconds = BASE + hours * 3600 + i64::from(number);
        let created_at = Timestamp::from_unix(seconds, 0).context("a time out of range")?;
        let run = if is_odd { "odd" } else { "usual" };
        let mut cache = Self { chains: CacheChains::new(), number, run, created_at };
        let base = cache.add("base", &[], None)?;
        let mut last = base;
        let steps = RECORDS - 1;
        for place in 0..PLACES {
            // What a place is made from is also known by its content, which the caches agree about. So the places stay
            // contested when what they stand on was cut.
            let from = if shape.is_stacked() { [last, base] } else { [base, base] };
            let (first, end) = (place * steps / PLACES, (place + 1) * steps / PLACES);
            last = cache.place(place, end - first, from)?;
        }
        Ok(cache.chains)
    }

    /// Adds this many records of a place; the last of them.
    fn place(&mut self, place: usize, records: usize, from: [RecordId; 2]) -> Result<RecordId> {
        let run = self.run;
        let built = format!("{place} run {run}");
        let build =
            self.add(&format!("{place} run"), &[&from.map(|from| Link::new(from, ""))], Some(&built))?;
        let page = self.add(&format!("{place} page {run}"), &[], None)?;
        let assets = self.add(&format!("{place} assets {run}"), &[], None)?;
        let (copied, also) = (format!("{place} copy page"), format!("{place} copy assets"));
        let page = &[Link::new(build, "/page"), Link::new(page, "")];
        let first = self.add(&copied, &[page], Some(&copied))?;
        let assets = &[Link::new(build, "/assets"), Link::new(assets, "")];
        let mut last = self.add(&also, &[&[Link::new(first, "")], assets], Some(&also))?;
        let (mut before, [_, base]) = (first, from);
        for step in 5..records {
            let name = match step % OWN {
                0 => format!("{place} step {step} of {}", self.number),
                _ => format!("{place} step {step}"),
            };
            let input = [Link::new(last, "")];
            let second = [Link::new(before, "/out"), Link::new(base, "/src")];
            let inputs: &[&[Link<'_>]] = if step % 3 == 0 { &[&input, &second] } else { &[&input] };
            // A step of its own ends there, so that the steps after it are shared.
            let added = self.add(&name, inputs, Some(&name))?;
            if step % OWN != 0 {
                (before, last) = (last, added);
            }
        }
        Ok(last)
    }

    fn add(&mut self, step: &str, inputs: &[&[Link<'_>]], layer: Option<&str>) -> Result<RecordId> {
        let result = layer.map(|layer| self.result(layer)).transpose()?;
        let digest = RecordDigest::of_output(step, 0);
        self.chains.add(&digest, inputs, result.as_slice())?.context("a digest that is not random")
    }

    /// A result of two layers, the lower of which all results share.
    fn result(&mut self, name: &str) -> Result<NewResult> {
        let descriptor = |name: &str| {
            Descriptor::of(MediaType::OCI_LAYER_GZIP, name)
                .with_annotation(ANNOTATION_DIFF_ID, &Digest::of(format!("{name}, unpacked")).to_string())
                .with_annotation("buildkit/createdat", "2026-01-02T03:04:05Z")
        };
        let layers = self.chains.layers([&descriptor("base"), &descriptor(name)])?;
        Ok(NewResult::new(layers, self.created_at))
    }
}
