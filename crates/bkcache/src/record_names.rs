//! The names of a cache's records, as the views show them.
//!
//! What a record stands for is found out by `cache-explain`.

use cache_explain::{
    Build, Cache, Dictionary, Instructions, Meaning, Name, NameSource, SourceIdentity, name_records,
};
use cache_model::{Graph, count};
use cache_report::text::short;
use cache_report::{RecordKind, RecordName, RecordNames};

use crate::inputs::{Builds, LayerTrees, platform_of};

/// Names the records of caches by the builds that made them. `layers` are those that were read.
pub(crate) fn record_names(graphs: &[Graph<'_>], builds: &Builds, layers: &LayerTrees) -> RecordNames {
    let mut names = RecordNames::default();
    for graph in graphs {
        let cache = Cache::new(graph, &layers.trees);
        add_names(&mut names, &name_records(&cache, &builds.inputs()), &builds.builds);
    }
    names
}

/// Whether a cache has no step of the builds whose records it was named by. Then they are not the records of its builds.
pub(crate) fn has_no_step(names: &Dictionary) -> bool {
    let is_step = |name: &Name| matches!(name.meaning, Meaning::Step { .. });
    !names.digests().any(|digest| names.names(digest).iter().any(is_step))
}

/// Puts the names of a dictionary into words. `builds` are those that it was made of.
fn add_names(names: &mut RecordNames, dictionary: &Dictionary, builds: &[Build]) {
    let instructions: Vec<Instructions> = builds.iter().map(Instructions::of).collect();
    for digest in dictionary.digests() {
        for name in dictionary.names(digest) {
            let build = builds.get(name.build).zip(instructions.get(name.build));
            let Some((build, instructions)) = build else { continue };
            let platform = (builds.len() > 1).then(|| platform_of(build).to_string());
            if let Some(name) = record_name(name, build, instructions, platform) {
                names.add(digest, name);
            }
        }
    }
}

fn record_name(
    name: &Name,
    build: &Build,
    instructions: &Instructions,
    platform: Option<String>,
) -> Option<RecordName> {
    let (step, kind) = match &name.meaning {
        Meaning::Content { step, input, paths } => {
            (*step, RecordKind::Content { input: *input, paths: paths.clone() })
        }
        Meaning::Source { step, identity } => {
            (*step, RecordKind::Source { identity: identity_text(identity) })
        }
        Meaning::Step { step, output } => (*step, RecordKind::Step { output: *output }),
        _ => return None,
    };
    let is_used_only = instructions.line(step).is_none();
    let shown = if is_used_only { user_of(step, build, instructions).unwrap_or(step) } else { step };
    Some(RecordName {
        kind,
        platform,
        line: instructions.line(shown),
        instruction: instructions.text(shown).map(str::to_owned),
        is_used_only: is_used_only && shown != step,
        is_computed: name.found == NameSource::Computed,
    })
}

/// The first step with an instruction that takes an output of this step.
fn user_of(step: usize, build: &Build, instructions: &Instructions) -> Option<usize> {
    let steps = build.definition.steps().iter().enumerate();
    let mut users = steps.filter(|(_, user)| user.inputs.iter().any(|input| input.step == step));
    users.find_map(|(position, _)| instructions.line(position).map(|_| position))
}

fn identity_text(identity: &SourceIdentity) -> String {
    match identity {
        SourceIdentity::Manifest(digest) => format!("manifest {}", short(digest)),
        SourceIdentity::Layers(number) => count(*number as u64, "layer"),
        SourceIdentity::Commit(commit) => format!("commit {}", commit.get(..12).unwrap_or(commit)),
        SourceIdentity::File(digest) => format!("file {}", short(digest)),
        _ => "source".to_owned(),
    }
}
