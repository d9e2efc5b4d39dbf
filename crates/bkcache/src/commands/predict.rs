//! `bkcache predict`: which steps of a build will be in caches, before it is made.

use std::collections::BTreeSet;

use cache_explain::{Cache, Matching, match_build};
use cache_ingest::Provider;
use cache_inputs::LayerOptions;

use crate::cli::{BuildArgs, GlobalArgs, PredictArgs};
use crate::dockerfile_edits::note_edits;
use crate::failure::{Doing, Failure};
use crate::inputs::{Builds, LayerTrees, images_of};
use crate::interrupt::unless_interrupted;
use crate::output::{report_then, write_text};
use crate::predict::{PredictedCache, PredictedOutcome, PredictedStep, Prediction, write_json, write_lines};
use crate::shell::quoted;
use crate::sources::{CacheSource, blobs_of, open_sources};
use crate::stores::Stores;

pub(crate) async fn run(args: &PredictArgs, global: &GlobalArgs) -> Result<(), Failure> {
    if args.build.records.is_empty() {
        return Err(Failure::Usage("name the record of an earlier build with --record".to_owned()));
    }
    let targets = args.caches.iter().map(String::as_str);
    let targets: Vec<&str> = targets.chain(images_of(&args.build.records)).collect();
    let stores = Stores::for_reading(global, &args.registry, &targets)?;
    let predicted = async move {
        let caches = open_sources(&stores, &args.caches).await?;
        let builds = Builds::read(&stores, &args.build, &LayerOptions::default().also).await?;
        predict(&stores, &caches, &builds, args).await
    };
    let prediction = unless_interrupted(predicted, None, global).await?;
    let misses = misses_of(&prediction, args)?;
    let written = write_text(|out| match args.json {
        true => write_json(out, &prediction),
        false => write_lines(out, &prediction, global),
    });
    report_then(written, misses.then_some(Failure::Negative))
}

/// Whether a step will miss that is to fail the command.
fn misses_of(prediction: &Prediction, args: &PredictArgs) -> Result<bool, Failure> {
    let steps = &prediction.steps;
    for line in &args.fail_on {
        if !steps.iter().any(|step| step.line == Some(line.0)) {
            let lines: BTreeSet<usize> = steps.iter().filter_map(|step| step.line).collect();
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            return Err(Failure::Usage(format!(
                "--fail-on 'line {}': no step begins there; steps begin in the lines {}",
                line.0,
                lines.join(", ")
            )));
        }
    }
    let is_watched =
        |step: &PredictedStep| args.fail_on.iter().any(|line| step.line == Some(line.0)) || args.exit_code;
    Ok(steps.iter().any(|step| step.outcome == PredictedOutcome::Miss && is_watched(step)))
}

/// Predicts, and reads the layers that tell more, until no more is to be read.
async fn predict(
    stores: &Stores,
    sources: &[CacheSource],
    builds: &Builds,
    args: &PredictArgs,
) -> Result<Prediction, Failure> {
    let graphs = sources.iter().map(|source| source.chains.graph().doing(|| source.opened.reading()));
    let graphs: Vec<_> = graphs.collect::<Result<_, Failure>>()?;
    let mut inputs = builds.inputs();
    let mut hints = note_edits(&mut inputs, builds);
    let provider = blobs_of(sources);
    let mut layers = LayerTrees::default();
    let matchings = loop {
        let caches: Vec<Cache<'_>> = graphs.iter().map(|graph| Cache::new(graph, &layers.trees)).collect();
        let matchings: Vec<Matching> =
            inputs.iter().map(|inputs| match_build(inputs, &caches, None)).collect();
        let wanted: Vec<_> = matchings.iter().flat_map(Matching::wanted_layers).collect();
        let blobs = sources.iter().flat_map(|source| source.chains.blobs());
        let stored = (&provider as &dyn Provider, blobs);
        if args.no_read || !layers.read(stores, stored, &wanted, &LayerOptions::default()).await {
            break matchings;
        }
    };
    let is_one = inputs.len() == 1;
    let steps = inputs.iter().zip(&matchings);
    let steps = steps.flat_map(|(inputs, matching)| PredictedStep::all(inputs, matching, is_one));
    let steps: Vec<PredictedStep> = steps.collect();
    hints.extend(names_of_files(&steps, args));
    let missing: Vec<&str> = builds.missing_contexts().into_iter().collect();
    if !missing.is_empty() {
        hints.push(format!("--context tells more: the build reads {}", missing.join(", ")));
    }
    let cache = |source: &CacheSource| PredictedCache {
        place: source.opened.place(),
        manifest: source.opened.cache.descriptor.digest.to_string(),
    };
    Ok(Prediction { caches: sources.iter().map(cache).collect(), steps, hints })
}

/// The command that names the files because of which the first such step will miss.
fn names_of_files(steps: &[PredictedStep], args: &PredictArgs) -> Option<String> {
    let cache = args.caches.get(steps.iter().find_map(|step| step.other_files_of)?)?;
    let BuildArgs { records, contexts, ignore_file, platform } = &args.build;
    let records = records.iter().map(|record| ("--record", record.clone()));
    let contexts = contexts.iter().map(|context| ("--context", context.to_string()));
    let ignore_file = ignore_file.iter().map(|file| ("--ignore-file", file.display().to_string()));
    let platform = platform.iter().map(|platform| ("--platform", platform.to_string()));
    let options = [("--was", cache.clone())].into_iter().chain(records).chain(contexts);
    let options = options.chain(ignore_file).chain(platform);
    let options: String = options.map(|(name, value)| format!(" {name} {}", quoted(&value))).collect();
    Some(format!("`bkcache why{options}` says which files changed, or only their modes or owners"))
}
