//! Adds records by BuildKit's rule.
//!
//! The position of its first add names a record.

use std::collections::BTreeSet;

use crate::add::{Add, Link};
use crate::closed;
use crate::record::{Record, Records};

/// Why an add is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The input at this position has no links.
    EmptyInput(usize),
}

/// The records of all adds so far.
#[derive(Debug, Default)]
pub struct Reference<'a> {
    records: Records<'a>,
    /// The record of each add that is part of one.
    record_of: Vec<Option<usize>>,
    /// Each add that is part of a record, as a record of its own. Links name adds.
    adds: Records<'a>,
}

impl<'a> Reference<'a> {
    /// Adds a record. False if it is skipped, as for a `random:` digest. Links to skipped adds panic.
    ///
    /// # Errors
    /// [`Refused::EmptyInput`] for an input without links.
    pub fn add(&mut self, add: &Add<'a>) -> Result<bool, Refused> {
        let at = self.record_of.len();
        self.record_of.push(None);
        if add.digest.starts_with("random:") {
            return Ok(false);
        }
        if let Some(input) = add.inputs.iter().position(Vec::is_empty) {
            return Err(Refused::EmptyInput(input));
        }
        let record = if add.inputs.is_empty() { self.root(at, add) } else { self.with_inputs(at, add) };
        self.record_of[at] = Some(record);
        let record = self.records.get_mut(&record).unwrap();
        add.results.iter().for_each(|result| record.merge_result(result));
        self.adds.insert(at, Record::of(add));
        Ok(true)
    }

    /// The record that an add is part of.
    pub fn record_of(&self, add: usize) -> Option<usize> {
        self.record_of.get(add).copied().flatten()
    }

    /// The records by BuildKit's rule.
    pub fn by_order(&self) -> Records<'a> {
        self.records.clone()
    }

    /// The records by the closed rule.
    pub fn closed(&self) -> Records<'a> {
        closed::close(&self.adds).records
    }

    /// The root of the add's digest. Each digest has one root.
    fn root(&mut self, at: usize, add: &Add<'a>) -> usize {
        let is_root = |record: &Record<'_>| record.digest == add.digest && record.inputs.is_empty();
        let root = self.records.iter().find(|(_, record)| is_root(record)).map(|(root, _)| *root);
        root.unwrap_or_else(|| {
            self.records.insert(at, Record { digest: add.digest, ..Record::default() });
            at
        })
    }

    fn with_inputs(&mut self, at: usize, add: &Add<'a>) -> usize {
        let candidates = self.candidates(add);
        let Some((oldest, others)) = candidates.split_first() else {
            let inputs = self.links(add).into_iter().map(BTreeSet::from_iter).collect();
            self.records.insert(at, Record { digest: add.digest, inputs, ..Record::default() });
            return at;
        };
        others.iter().for_each(|other| self.merge(*oldest, *other));
        for (input, links) in self.links(add).into_iter().enumerate() {
            links.into_iter().for_each(|link| self.link(*oldest, input, link));
        }
        *oldest
    }

    /// The records that share a link with the add in every input of the add; oldest first.
    fn candidates(&self, add: &Add<'a>) -> Vec<usize> {
        let links = self.links(add);
        let is_candidate = |record: &Record<'_>| {
            record.digest == add.digest
                && links.iter().enumerate().all(|(input, given)| {
                    let known = record.inputs.get(input);
                    known.is_some_and(|known| given.iter().any(|link| known.contains(link)))
                })
        };
        self.records.iter().filter(|(_, record)| is_candidate(record)).map(|(at, _)| *at).collect()
    }

    /// The add's links, to the records that its sources are part of now.
    fn links(&self, add: &Add<'a>) -> Vec<Vec<Link<'a>>> {
        let link = |(source, selector): &Link<'a>| (self.record_of[*source].unwrap(), *selector);
        add.inputs.iter().map(|links| links.iter().map(link).collect()).collect()
    }

    /// Adds a link, unless it would close a cycle.
    fn link(&mut self, record: usize, input: usize, link: Link<'a>) {
        if !self.depends(link.0, record) {
            let inputs = &mut self.records.get_mut(&record).unwrap().inputs;
            inputs.resize(inputs.len().max(input + 1), BTreeSet::new());
            inputs[input].insert(link);
        }
    }

    /// Whether a record is another, or depends on it.
    fn depends(&self, record: usize, on: usize) -> bool {
        let mut found = BTreeSet::from([record]);
        let mut next = vec![record];
        while let Some(at) = next.pop() {
            for (source, _) in self.records[&at].inputs.iter().flatten() {
                if found.insert(*source) {
                    next.push(*source);
                }
            }
        }
        found.contains(&on)
    }

    /// Merges a younger record into an older one: results, links from it, links to it.
    fn merge(&mut self, older: usize, younger: usize) {
        let gone = self.records.remove(&younger).unwrap();
        let mut links_to: Vec<(usize, usize, &'a str)> = Vec::new();
        for (target, record) in &mut self.records {
            for (input, links) in record.inputs.iter_mut().enumerate() {
                let to = links.iter().filter(|(source, _)| *source == younger);
                links_to.extend(to.map(|(_, selector)| (*target, input, *selector)));
                links.retain(|(source, _)| *source != younger);
            }
        }
        for of in self.record_of.iter_mut().filter(|of| **of == Some(younger)) {
            *of = Some(older);
        }
        let record = self.records.get_mut(&older).unwrap();
        record.inputs.resize(record.inputs.len().max(gone.inputs.len()), BTreeSet::new());
        for (key, details) in gone.results {
            record.merge_details(key, details);
        }
        for (input, links) in gone.inputs.into_iter().enumerate() {
            links.into_iter().for_each(|link| self.link(older, input, link));
        }
        for (target, input, selector) in links_to {
            self.link(target, input, (older, selector));
        }
    }
}
