//! What the losers of a round give up.

use std::collections::{BTreeMap, BTreeSet};

use super::round::Round;
use super::sources::Sources;
use crate::record::{Record, Records};

/// What is left of the sources after each loser gave up the records that harm it, and what stands on them alone.
///
/// `lost` has, for each record that is given up, the sources that it harms.
pub(crate) fn cut<'a>(round: &Round<'_, 'a>, lost: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<Records<'a>> {
    let losers: BTreeSet<usize> = lost.values().flatten().copied().collect();
    let mut left = round.sources.records.clone();
    for loser in &losers {
        let lost = lost.iter().filter(|(_, losers)| losers.contains(loser)).map(|(record, _)| *record);
        let mut stale: BTreeSet<usize> =
            lost.flat_map(|record| round.parts(*loser, record).into_keys()).collect();
        for record in &stale {
            left[*loser].get_mut(record).unwrap().results.clear();
        }
        while cut_once(round.sources, &losers, &mut left[*loser], &mut stale) {}
    }
    left
}

/// Cuts the first input that links to a stale record. False if there is none.
fn cut_once<'a>(
    sources: &Sources<'a>,
    losers: &BTreeSet<usize>,
    left: &mut Records<'a>,
    stale: &mut BTreeSet<usize>,
) -> bool {
    let is_stale = |record: &Record<'_>| {
        record.inputs.iter().position(|links| links.iter().any(|(source, _)| stale.contains(source)))
    };
    let Some((at, input)) = left.iter().find_map(|(at, record)| Some((*at, is_stale(record)?))) else {
        return false;
    };
    let record = &left[&at];
    let counting = record.inputs[input].iter().copied().filter(|(source, selector)| {
        let is_content = selector.is_empty() && sources.contents.contains(source);
        is_content && !is_held(sources, losers, record, input, left[source].digest)
    });
    let counting: BTreeSet<_> = counting.collect();
    if counting.is_empty() {
        left.remove(&at);
        stale.insert(at);
    } else {
        left.get_mut(&at).unwrap().inputs[input] = counting;
    }
    true
}

/// Whether a source that is no loser has a record with a result that fits this content.
fn is_held(
    sources: &Sources<'_>,
    losers: &BTreeSet<usize>,
    like: &Record<'_>,
    input: usize,
    content: &str,
) -> bool {
    let others = sources.records.iter().enumerate().filter(|(source, _)| !losers.contains(source));
    others.flat_map(|(_, records)| records.values().map(move |record| (records, record))).any(
        |(records, record)| {
            let is_content = |(source, selector): &(usize, &str)| {
                let source = &records[source];
                selector.is_empty() && source.inputs.is_empty() && source.digest == content
            };
            record.digest == like.digest
                && record.inputs.len() == like.inputs.len()
                && !record.results.is_empty()
                && record.inputs[input].iter().any(is_content)
        },
    )
}
