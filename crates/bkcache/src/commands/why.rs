//! `bkcache why`: the first causes for which a build missed an older cache.

use cache_explain::{
    Cache, Cause, CauseKind, Explanation, FilesUnknown, NewSide, OldSide, StepOutcome, explain,
};
use cache_ingest::Provider;
use cache_inputs::{AlsoHeaders, LayerOptions};
use cache_keys::Header;

use crate::cli::{GlobalArgs, WhyArgs};
use crate::failure::{Doing, Failure};
use crate::inputs::{Builds, LayerTrees, images_of};
use crate::interrupt::unless_interrupted;
use crate::output::{report_then, write_text};
use crate::sources::{CacheSource, blobs_of, open_sources};
use crate::stores::Stores;
use crate::why::{CacheName, ShownTexts, SourceFiles, WhyReport, write_json, write_lines, write_sarif};

pub(crate) async fn run(args: &WhyArgs, global: &GlobalArgs) -> Result<(), Failure> {
    if args.build.records.is_empty() {
        return Err(Failure::Usage("name the record of the newer build with --record".to_owned()));
    }
    let texts: Vec<String> = [Some(&args.was), args.new.as_ref()].into_iter().flatten().cloned().collect();
    let targets = texts.iter().map(String::as_str);
    let records = [&args.build.records, &args.old_build.old_records];
    let targets: Vec<&str> =
        targets.chain(records.into_iter().flat_map(|records| images_of(records))).collect();
    let stores = Stores::for_reading(global, &args.registry, &targets)?;
    let answered = async move {
        let caches = open_sources(&stores, &texts).await?;
        let also = with_common_header();
        let new = Builds::read(&stores, &args.build, &also).await?;
        let old = args.old_build.of_platform(args.build.platform.as_ref());
        let old = Builds::read_like(&stores, &old, &also, &new).await?;
        let question = Question { stores: &stores, caches: &caches, new: &new, old: &old, args };
        let explanation = question.answer(also).await?;
        Ok((caches, new, old, explanation))
    };
    let (caches, new, old, explanation) = unless_interrupted(answered, None, global).await?;
    let name = |cache: &CacheSource| CacheName {
        place: cache.opened.place(),
        manifest: cache.opened.cache.descriptor.digest.to_string(),
    };
    let Some(was) = caches.first().map(name) else {
        return Err(Failure::Usage("--was names no cache".to_owned()));
    };
    let builds = new.builds.iter().chain(&old.builds);
    let report = WhyReport {
        shown: ShownTexts::of(args.values.show_values, builds),
        new: caches.get(1).map(name),
        was,
        hints: hints(&explanation, args, &new),
        explanation,
    };
    let files = SourceFiles::of(&new.builds, &args.build.contexts);
    let written = write_text(|out| match (args.json, args.sarif) {
        (true, _) => write_json(out, &report),
        (_, true) => write_sarif(out, &report, &files),
        _ => write_lines(out, &report, global),
    });
    let has_missed = report.explanation.ran() > 0;
    report_then(written, (args.exit_code && has_missed).then_some(Failure::Negative))
}

/// Both sides of a comparison, and how their layers are read.
struct Question<'a> {
    stores: &'a Stores,
    /// The older cache, and the newer one if there is one.
    caches: &'a [CacheSource],
    new: &'a Builds,
    old: &'a Builds,
    args: &'a WhyArgs,
}

impl Question<'_> {
    /// Explains, and reads the layers that tell more, until no more is to be read.
    async fn answer(&self, also: AlsoHeaders) -> Result<Explanation, Failure> {
        let mut options = LayerOptions::default();
        options.also = also;
        let graphs = self.caches.iter().map(|cache| cache.chains.graph().doing(|| cache.opened.reading()));
        let graphs: Vec<_> = graphs.collect::<Result<_, Failure>>()?;
        let (new, old, contexts) = (self.new.inputs(), self.old.inputs(), self.old.trees());
        let provider = blobs_of(self.caches);
        let mut layers = LayerTrees::default();
        loop {
            let caches: Vec<Cache<'_>> =
                graphs.iter().map(|graph| Cache::new(graph, &layers.trees)).collect();
            let Some(was) = caches.first() else { return Ok(Explanation::default()) };
            let newer = NewSide { builds: &new, cache: caches.get(1) };
            let explanation = explain(&newer, &OldSide { builds: &old, contexts: &contexts, cache: was });
            let mut wanted = explanation.wanted_layers.clone();
            wanted.extend(&explanation.wanted_for_notes);
            let blobs = self.caches.iter().flat_map(|cache| cache.chains.blobs());
            let stored = (&provider as &dyn Provider, blobs);
            if self.args.no_read || !layers.read(self.stores, stored, &wanted, &options).await {
                return Ok(explanation);
            }
        }
    }
}

/// Every file is also hashed under this header, so that files of different modes and owners can be compared.
fn with_common_header() -> AlsoHeaders {
    let common = Header::new(0o644, 0, 0);
    std::sync::Arc::new(move |_, _, _| vec![common.clone()])
}

/// What would tell more than was told.
fn hints(explanation: &Explanation, args: &WhyArgs, new: &Builds) -> Vec<String> {
    let mut hints = Vec::new();
    if args.build.records.is_empty() {
        hints.push(
            "--record, with the record of the newer build, adds the lines of its Dockerfile".to_owned(),
        );
        return hints;
    }
    let is_any = |wanted: &dyn Fn(&Cause) -> bool| explanation.causes.iter().any(wanted);
    if args.old_build.old_records.is_empty() && is_any(&|cause| cause.kind == CauseKind::Definition) {
        hints.push(
            "--was-record, with the record of the older build, adds what changed in a definition".to_owned(),
        );
    }
    let are_unknown = |reason| is_any(&|cause| cause.files_unknown == Some(reason));
    if are_unknown(FilesUnknown::OnlyMounted) || are_unknown(FilesUnknown::NoOldFiles) {
        hints.push("--was-context, with the folder of the older build, adds which files changed".to_owned());
    }
    let missing: Vec<&str> = new.missing_contexts().into_iter().collect();
    let is_unknown = explanation.count(StepOutcome::Unknown) > 0;
    if (is_unknown && args.new.is_none() || are_unknown(FilesUnknown::NoNewFiles)) && !missing.is_empty() {
        hints.push(format!("--context, with {}, adds what their files say", contexts(&missing)));
    }
    hints
}

/// The options that name contexts.
fn contexts(names: &[&str]) -> String {
    let name = |name: &&str| if *name == "context" { "DIR".to_owned() } else { format!("{name}=DIR") };
    names.iter().map(name).collect::<Vec<_>>().join(" and ")
}
