//! BuildKit's rule for records that overlap, as its definition says it, with no index and no care for cost.

use std::collections::{BTreeMap, BTreeSet};

use super::Add;

type Links = BTreeSet<(usize, String)>;

#[derive(Clone)]
struct Record {
    digest: String,
    inputs: Vec<Links>,
}

/// What a script of adds comes to: for each record that stays, the adds that it is made of and, for each input, the
/// links: the first add of the source, and the selector.
pub type Outcome = BTreeMap<BTreeSet<usize>, Vec<Links>>;

#[derive(Default)]
struct Definition {
    records: BTreeMap<usize, Record>,
    record_of: Vec<usize>,
}

pub fn by_order(script: &[Add]) -> Outcome {
    let mut definition = Definition::default();
    for add in script {
        definition.add(add);
    }
    definition.outcome()
}

impl Definition {
    /// Whether `to` depends on `from`, or is it.
    fn reaches(&self, from: usize, to: usize) -> bool {
        from == to || self.records[&to].inputs.iter().flatten().any(|(source, _)| self.reaches(from, *source))
    }

    fn add(&mut self, add: &Add) {
        let new = self.record_of.len();
        if add.inputs.is_empty() {
            let root = self.records.iter().find(|(_, r)| r.digest == add.digest && r.inputs.is_empty());
            let root = root.map_or(new, |(at, _)| *at);
            self.records
                .entry(root)
                .or_insert_with(|| Record { digest: add.digest.clone(), inputs: Vec::new() });
            self.record_of.push(root);
            return;
        }
        let resolve = |definition: &Self, (source, selector): &(usize, String)| {
            (definition.record_of[*source], selector.clone())
        };
        let is_candidate = |record: &Record| {
            record.digest == add.digest
                && record.inputs.len() >= add.inputs.len()
                && add
                    .inputs
                    .iter()
                    .zip(&record.inputs)
                    .all(|(given, links)| given.iter().any(|link| links.contains(&resolve(self, link))))
        };
        let candidates: Vec<usize> =
            self.records.iter().filter(|(_, record)| is_candidate(record)).map(|(at, _)| *at).collect();
        let Some((&oldest, others)) = candidates.split_first() else {
            let inputs =
                add.inputs.iter().map(|links| links.iter().map(|link| resolve(self, link)).collect());
            let record = Record { digest: add.digest.clone(), inputs: inputs.collect() };
            self.records.insert(new, record);
            self.record_of.push(new);
            return;
        };
        others.iter().for_each(|other| self.merge(oldest, *other));
        self.record_of.push(oldest);
        for (input, links) in add.inputs.iter().enumerate() {
            for link in links {
                self.link(oldest, input, resolve(self, link));
            }
        }
    }

    /// Adds a link, unless it would close a cycle.
    fn link(&mut self, record: usize, input: usize, link: (usize, String)) {
        let is_circle = self.reaches(record, link.0);
        let inputs = &mut self.records.get_mut(&record).unwrap().inputs;
        while inputs.len() <= input {
            inputs.push(Links::new());
        }
        if !is_circle {
            inputs[input].insert(link);
        }
    }

    fn merge(&mut self, oldest: usize, other: usize) {
        let gone = self.records.remove(&other).unwrap();
        let mut links_to = Vec::new();
        for (at, record) in &mut self.records {
            for (input, links) in record.inputs.iter_mut().enumerate() {
                links_to.extend(
                    links.iter().filter(|(s, _)| *s == other).map(|(_, sel)| (*at, input, sel.clone())),
                );
                links.retain(|(source, _)| *source != other);
            }
        }
        self.record_of.iter_mut().filter(|of| **of == other).for_each(|of| *of = oldest);
        for (input, links) in gone.inputs.into_iter().enumerate() {
            links.into_iter().for_each(|link| self.link(oldest, input, link));
        }
        for (target, input, selector) in links_to {
            self.link(target, input, (oldest, selector));
        }
    }

    fn outcome(mut self) -> Outcome {
        while let Some(husk) =
            self.records.iter().find(|(_, r)| r.inputs.iter().any(BTreeSet::is_empty)).map(|(at, _)| *at)
        {
            self.records.remove(&husk);
            for links in self.records.values_mut().flat_map(|record| &mut record.inputs) {
                links.retain(|(source, _)| *source != husk);
            }
        }
        let record_of = &self.record_of;
        let adds = |record: usize| (0..record_of.len()).filter(move |n| record_of[*n] == record);
        let first = &|record: usize| adds(record).next().unwrap();
        let renamed =
            |links: &Links| links.iter().map(|(source, s)| (first(*source), s.to_owned())).collect::<Links>();
        let records = self.records.iter();
        records
            .map(|(at, record)| (adds(*at).collect(), record.inputs.iter().map(renamed).collect()))
            .collect()
    }
}
