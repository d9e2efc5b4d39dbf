//! `bkcache merge`: several caches as one, without mixing their runs.

use std::collections::BTreeMap;

use cache_edit::{Coherence, Contested, MergeOptions, MergeReport, Merged, Prefer, Source, UsedOn, merge};
use cache_model::count;
use serde_json::{Map, Value, json};

use crate::cli::{GlobalArgs, MergeArgs, PreferredSource};
use crate::clock::now;
use crate::edit::{Base, EditTask, Edited, print_config, run as run_edit};
use crate::edit_report::EditReport;
use crate::failure::Failure;
use crate::sources::{CacheSource, edit_failure};

pub(crate) async fn run(args: &MergeArgs, global: &GlobalArgs) -> Result<(), Failure> {
    // A mark is a day, so a job that runs past midnight has one day too.
    let today = if args.append { Some(UsedOn::of(now()?)) } else { None };
    let edit = async |caches: &[CacheSource], _: &_| merge_caches(caches, args, today);
    if args.edit.print_config {
        return print_config(&args.edit, global, edit).await;
    }
    let Some((destination, sources)) =
        args.edit.caches.split_last().filter(|(_, sources)| !sources.is_empty())
    else {
        return Err(Failure::Usage(format!(
            "nothing to merge: {} is the only cache given; name the sources and then the destination, or use --print-config",
            args.edit.caches.join(" ")
        )));
    };
    let base = if args.append { Base::Optional } else { Base::Ignored };
    run_edit(&EditTask { sources, destination, base, args: &args.edit, global }, edit).await
}

fn merge_caches(caches: &[CacheSource], args: &MergeArgs, today: Option<UsedOn>) -> Result<Edited, Failure> {
    let sources = caches.iter().map(|cache| {
        let source = Source::new(&cache.chains);
        match today.filter(|_| !cache.is_base) {
            Some(today) => source.marked(today),
            None => source,
        }
    });
    let sources: Vec<Source<'_>> = sources.collect();
    let Merged { chains, report, .. } =
        merge(&sources, options(args)).map_err(|error| edit_failure(error, caches))?;
    let texts: Vec<&str> = caches.iter().map(|cache| cache.text.as_str()).collect();
    let mut report = report_of(&report, &texts);
    if let ([source], [_, destination], false) = (texts.as_slice(), args.edit.caches.as_slice(), args.append)
    {
        // Who forgets the destination names the last source in its place.
        report.lines.push(format!(
            "only {source} was merged: what {destination} had before is not kept; --append keeps it"
        ));
    }
    Ok(Edited { chains, report })
}

fn options(args: &MergeArgs) -> MergeOptions {
    let mut options = MergeOptions::default();
    if args.keep_all {
        options.coherence = Coherence::KeepAll;
    }
    options.prefer = match args.prefer {
        PreferredSource::Newest => Prefer::Newest,
        PreferredSource::First => Prefer::First,
    };
    options
}

/// What the merge says: who won how often, and how many results each source lost.
fn report_of(report: &MergeReport, texts: &[&str]) -> EditReport {
    let text = |position: &usize| texts.get(*position).copied().unwrap_or("a source");
    let mut lines = Vec::new();
    if !report.contested.is_empty() {
        let mut wins: BTreeMap<usize, u64> = BTreeMap::new();
        report.contested.iter().for_each(|contested| *wins.entry(contested.winner).or_default() += 1);
        let wins = wins.iter().map(|(winner, wins)| format!("{wins} won by {}", text(winner)));
        let wins = wins.collect::<Vec<_>>().join(", ");
        lines.push(format!("{} contested: {wins}", count(report.contested.len() as u64, "record")));
    }
    let losses = report.sources.iter().enumerate().filter(|(_, outcome)| outcome.lost > 0);
    lines.extend(losses.map(|(position, outcome)| {
        let (lost, results) = (outcome.lost, count(outcome.results as u64, "result"));
        let advice =
            if lost * 2 > outcome.results { "; --prefer first lets the first source win" } else { "" };
        format!("{} lost {lost} of {results}, which clash with those of a winner{advice}", text(&position))
    }));
    let names = |positions: &[usize]| positions.iter().map(text).collect::<Vec<_>>().join(" and ");
    let details = report.contested.iter().map(|contested| {
        let Contested { record, winner, losers, cut, .. } = contested;
        let mut detail = format!("record {}: {} won, {} lost", record.excerpt(), text(winner), names(losers));
        if !cut.is_empty() {
            detail.push_str(&format!("; what clashes in {} is left out", names(cut)));
        }
        detail
    });
    EditReport { lines, details: details.collect(), json: report_json(report) }
}

/// Sources are numbered by their positions in `sources`.
fn report_json(report: &MergeReport) -> Map<String, Value> {
    let contested = report.contested.iter().map(|contested| {
        let Contested { record, winner, losers, cut, .. } = contested;
        json!({"record": record.to_string(), "winner": winner, "losers": losers, "cut": cut})
    });
    let lost = report.sources.iter().map(|outcome| outcome.lost);
    let members = [
        ("contested".to_owned(), json!(contested.collect::<Vec<_>>())),
        ("lost".to_owned(), json!(lost.collect::<Vec<_>>())),
    ];
    members.into_iter().collect()
}
