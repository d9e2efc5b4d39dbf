//! `bkcache why`: the first causes for which a build missed an older cache.

use std::collections::HashMap;
use std::sync::Arc;

use cache_explain::{
    BuildInputs, Cache, CachesExplanation, Cause, CauseKind, Explanation, FilesUnknown, NewSide, OldSide,
    StepOutcome, comparison_header, explain, explain_caches,
};
use cache_ingest::{Event, Provider};
use cache_inputs::LayerOptions;
use cache_keys::LayerTree;
use cache_model::{Digest, Graph, grouped};

use crate::cli::{GlobalArgs, WhyArgs};
use crate::dockerfile_edits::note_edits;
use crate::failure::{Doing, Failure};
use crate::inputs::{Builds, LayerTrees, images_of};
use crate::interrupt::unless_interrupted;
use crate::labels::read_labels;
use crate::output::{report_then, write_text};
use crate::sources::{CacheSource, blobs_of, open_sources};
use crate::stores::Stores;
use crate::why::{
    CacheName, CachesReport, Compared, ShownTexts, SourceFiles, WhyReport, write_json, write_lines,
    write_sarif,
};

/// What would tell more, where no record was given.
const NO_RECORD: &str = "--record, with the record of the newer build, adds the lines of its Dockerfile";

pub(crate) async fn run(args: &WhyArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let texts: Vec<String> = [Some(&args.was), args.new.as_ref()].into_iter().flatten().cloned().collect();
    let records = [&args.build.records, &args.old_build.old_records];
    let images = records.into_iter().flat_map(|records| images_of(records));
    let targets: Vec<&str> = texts.iter().map(String::as_str).chain(images).collect();
    let stores = Stores::for_reading(global, &args.registry, &targets)?;
    let answered = async move {
        let question = Question::read(&stores, &texts, args).await?;
        let answer = question.answer(&stores).await?;
        if let Answer::OfBuilds(explanation) = &answer
            && let Some(message) = another_build(explanation)
        {
            stores.job.event(&Event::Warning { message: &message });
        }
        Ok((question, answer))
    };
    let (question, answer) = unless_interrupted(answered, None, global).await?;
    let (written, is_cached) = match answer {
        Answer::OfBuilds(explanation) => {
            let is_cached = explanation.ran() == 0 && explanation.absent.count() == 0;
            (question.write(&explanation, global), is_cached)
        }
        Answer::OfCaches(explanation) => (question.write_records(&explanation, global), explanation.ran == 0),
    };
    report_then(written, (args.exit_code && !is_cached).then_some(Failure::Negative))
}

/// What is compared, read.
struct Question<'a> {
    args: &'a WhyArgs,
    /// The older cache, and the newer one if there is one.
    caches: Vec<CacheSource>,
    new: Builds,
    old: Builds,
    /// The layers that the label of the older cache has.
    labelled: HashMap<Digest, LayerTree>,
    options: LayerOptions,
}

enum Answer {
    OfBuilds(Explanation),
    /// No record of the newer build was given.
    OfCaches(CachesExplanation),
}

impl<'a> Question<'a> {
    async fn read(stores: &Stores, caches: &[String], args: &'a WhyArgs) -> Result<Self, Failure> {
        let mut options = LayerOptions::default();
        // Under this header too, files of different modes and owners can be compared.
        options.also = Arc::new(|_, _, _| vec![comparison_header()]);
        let caches = open_sources(stores, caches).await?;
        let new = Builds::read(stores, &args.build, &options.also).await?;
        let mut old = Builds::read_like(stores, &args.old_build.as_build(), &options.also, &new).await?;
        let mut labelled = HashMap::new();
        if let (true, Some(was)) = (old.builds.is_empty() && !new.builds.is_empty(), caches.first()) {
            let (label, layers) = read_labels(stores, &was.opened).await;
            old.builds = label.builds;
            labelled = layers.trees;
            for (name, tree) in label.contexts {
                old.contexts.entry(name).or_insert(tree);
            }
        }
        old.prefer(args.build.platform.as_ref());
        Ok(Self { args, caches, new, old, labelled, options })
    }

    /// Explains, and reads the layers that tell more, until no more is to be read.
    async fn answer(&self, stores: &Stores) -> Result<Answer, Failure> {
        let graphs = self.graphs()?;
        let (mut new, old, contexts) = (self.new.inputs(), self.old.inputs(), self.old.trees());
        self.note_edits(&mut new);
        let provider = blobs_of(&self.caches);
        let mut layers = LayerTrees::default();
        layers.trees.clone_from(&self.labelled);
        loop {
            let caches: Vec<Cache<'_>> =
                graphs.iter().map(|graph| Cache::new(graph, &layers.trees)).collect();
            let (answer, wanted) = match caches.as_slice() {
                [was, newer] if new.is_empty() => {
                    let mut explanation = explain_caches(newer, was);
                    let wanted = std::mem::take(&mut explanation.wanted_layers);
                    (Answer::OfCaches(explanation), wanted)
                }
                [was, newer @ ..] => {
                    let newer = NewSide { builds: &new, cache: newer.first() };
                    let old = OldSide { builds: &old, contexts: &contexts, cache: was };
                    let mut explanation = explain(&newer, &old);
                    let mut wanted = std::mem::take(&mut explanation.wanted_layers);
                    wanted.append(&mut explanation.wanted_for_notes);
                    (Answer::OfBuilds(explanation), wanted)
                }
                [] => return Ok(Answer::OfBuilds(Explanation::default())),
            };
            let blobs = self.caches.iter().flat_map(|cache| cache.chains.blobs());
            let stored = (&provider as &dyn Provider, blobs);
            if self.args.no_read || !layers.read(stores, stored, &wanted, &self.options).await {
                return Ok(answer);
            }
        }
    }

    /// Leaves open what changed in the Dockerfile since the record, of a build that is still to be made.
    fn note_edits(&self, new: &mut [BuildInputs<'_>]) -> Vec<String> {
        if self.args.new.is_some() { Vec::new() } else { note_edits(new, &self.new) }
    }

    /// The records of the caches.
    fn graphs(&self) -> Result<Vec<Graph<'_>>, Failure> {
        let caches = self.caches.iter();
        caches.map(|cache| cache.chains.graph().doing(|| cache.opened.reading())).collect()
    }

    fn write(&self, explanation: &Explanation, global: &GlobalArgs) -> Result<(), Failure> {
        let args = self.args;
        let builds = self.new.builds.iter().chain(&self.old.builds);
        let shown = ShownTexts::of(args.values.show_values, builds);
        let mut hints = Vec::new();
        hints.extend(self::hints(explanation, args, &self.new, &self.old));
        hints.extend(self.note_edits(&mut self.new.inputs()));
        if shown.hides_any(explanation) {
            hints.push("--show-values shows the values that changed".to_owned());
        }
        let compared = self.compared(hints);
        let report = WhyReport { explanation, shown, compared };
        let files = SourceFiles::of(&self.new.builds, &args.build.contexts);
        write_text(|out| match (args.json, args.sarif) {
            (true, _) => write_json(out, &report),
            (_, true) => write_sarif(out, &report, &files),
            _ => write_lines(out, &report, global),
        })
    }

    fn write_records(&self, explanation: &CachesExplanation, global: &GlobalArgs) -> Result<(), Failure> {
        let graphs = self.graphs()?;
        let Some(new) = graphs.last() else { return Ok(()) };
        let compared = self.compared(vec![NO_RECORD.to_owned()]);
        let report = CachesReport { explanation, new, compared };
        write_text(|out| match self.args.json {
            true => report.write_json(out),
            false => report.write_lines(out, global),
        })
    }

    fn compared(&self, hints: Vec<String>) -> Compared {
        let name = |cache: &CacheSource| CacheName {
            place: cache.opened.place(),
            manifest: cache.opened.cache.descriptor.digest.to_string(),
        };
        Compared { was: self.caches.first().map(name), new: self.caches.get(1).map(name), hints }
    }
}

/// That the newer cache seems to be that of another build than `--record`.
fn another_build(explanation: &Explanation) -> Option<String> {
    let absent = explanation.absent;
    let (number, build, caches) = match absent.in_old {
        0 => (absent.in_neither, "another build", "not in the newer cache"),
        in_old => (in_old, "the older build", "in the older cache and not in the newer one"),
    };
    let all = grouped((explanation.steps.len() - explanation.count(StepOutcome::Always)) as u64);
    let steps = match number {
        0 => return None,
        1 => format!("1 of its {all} steps is"),
        many => format!("{} of its {all} steps are", grouped(many as u64)),
    };
    Some(format!(
        "--record seems to be of {build}: {steps} {caches}; give the record of the build that wrote the newer cache"
    ))
}

/// What would tell more.
fn hints(explanation: &Explanation, args: &WhyArgs, new: &Builds, old: &Builds) -> Vec<String> {
    let mut hints = Vec::new();
    if args.build.records.is_empty() {
        hints.push(
            "--record, with the record of the newer build, adds the lines of its Dockerfile".to_owned(),
        );
        return hints;
    }
    let is_any = |wanted: &dyn Fn(&Cause) -> bool| explanation.causes.iter().any(wanted);
    if old.builds.is_empty() && is_any(&|cause| cause.kind == CauseKind::Definition) {
        hints.push(
            "--was-record, with the record of the older build, adds what changed in a definition".to_owned(),
        );
    }
    let are_unknown = |reason| is_any(&|cause| cause.files_unknown == Some(reason));
    if args.no_read && (are_unknown(FilesUnknown::NoOldFiles) || are_unknown(FilesUnknown::NoNewFiles)) {
        hints.push("without --no-read, layers may tell which files changed".to_owned());
    }
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
