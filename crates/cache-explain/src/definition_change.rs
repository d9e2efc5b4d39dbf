//! What differs between the definitions of one step in two builds, and what kind of cause that is.

use std::collections::{BTreeMap, HashSet};

use crate::dockerfile::Declaration;
use crate::keyed_build::KeyedBuild;
use crate::{CauseKind, Change};

/// The fields that say for which platform a step is.
const PLATFORM: [&str; 5] = ["OS", "Arch", "Variant", "OSVersion", "OSFeatures"];
const ARGS: &str = "Exec.meta.args";
const ENV: &str = "Exec.meta.env";
const MOUNTS: &str = "Exec.mounts";
/// The text of a part that is present and empty.
const EMPTY: &str = "{}";

/// What differs between two definitions of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DefinitionChange {
    pub(crate) kind: CauseKind,
    pub(crate) changes: Vec<Change>,
    /// The line that declares the first changed variable in the newer build.
    pub(crate) declared: Option<usize>,
}

/// A step of a build.
#[derive(Clone, Copy)]
pub(crate) struct StepOf<'k> {
    pub(crate) build: &'k KeyedBuild<'k>,
    pub(crate) step: usize,
}

/// What differs between a step and what it was.
pub(crate) fn definition_change(old: StepOf<'_>, new: StepOf<'_>) -> DefinitionChange {
    let mut changes = changed_fields(old.fields(), new.fields());
    if changes.is_empty() {
        changes.extend(changed_order(old.fields(), new.fields()));
    }
    for change in &mut changes {
        change.is_secret = may_be_secret(&change.at, new) || may_be_secret(&change.at, old);
    }
    let (kind, declared) = kind_of(&changes, old, new);
    DefinitionChange { kind, changes, declared }
}

/// The fields that differ, in the order in which they are hashed; those that are gone come last. That an empty part came or went is
/// said only if nothing else differs.
fn changed_fields(old: &[(String, String)], new: &[(String, String)]) -> Vec<Change> {
    let (old_values, new_values) = (by_name(old), by_name(new));
    let mut changes = Vec::new();
    let mut seen = HashSet::new();
    for (name, _) in new.iter().chain(old) {
        let (old, new) = (old_values.get(&**name).copied(), new_values.get(&**name).copied());
        if old != new && seen.insert(name) {
            let (at, old, new) = (name.clone(), old.map(str::to_owned), new.map(str::to_owned));
            changes.push(Change { at, old, new, is_secret: false });
        }
    }
    let has_text =
        |change: &Change| [&change.old, &change.new].into_iter().flatten().any(|text| text != EMPTY);
    if changes.iter().any(has_text) {
        changes.retain(has_text);
    }
    changes
}

/// The texts by the paths of their fields.
pub(crate) fn by_name(fields: &[(String, String)]) -> BTreeMap<&str, &str> {
    fields.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// The order of the environment, where nothing else differs. Only names are in it.
fn changed_order(old: &[(String, String)], new: &[(String, String)]) -> Option<Change> {
    let names = |fields: &[(String, String)]| {
        let names = fields.iter().filter_map(|(name, _)| variable(name));
        names.collect::<Vec<_>>().join(" ")
    };
    let (old, new) = (names(old), names(new));
    (old != new).then(|| Change { at: ENV.to_owned(), old: Some(old), new: Some(new), is_secret: false })
}

fn kind_of(changes: &[Change], old: StepOf<'_>, new: StepOf<'_>) -> (CauseKind, Option<usize>) {
    let all = |is_so: fn(&str) -> bool| !changes.is_empty() && changes.iter().all(|change| is_so(&change.at));
    let is_below = |name: &str, field: &str| {
        name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    if all(|name| PLATFORM.contains(&name.split('[').next().unwrap_or(name))) {
        (CauseKind::Platform, None)
    } else if changes.iter().all(|change| is_below(&change.at, ENV)) {
        let names = || changes.iter().filter_map(|change| variable(&change.at));
        let declaration =
            |at: StepOf<'_>| names().find_map(|name| at.build.instructions.declaration(at.step, name));
        match declaration(new) {
            Some(Declaration::Arg(line)) => (CauseKind::Arg, Some(line)),
            Some(Declaration::Env(line)) => (CauseKind::Env, Some(line)),
            None if matches!(declaration(old), Some(Declaration::Arg(_))) => (CauseKind::Arg, None),
            None => (CauseKind::Env, None),
        }
    } else if changes.iter().all(|change| is_below(&change.at, ARGS)) {
        (CauseKind::Command, None)
    } else if changes.iter().all(|change| is_below(&change.at, MOUNTS)) {
        (CauseKind::Mount, None)
    } else {
        (CauseKind::Instruction, None)
    }
}

/// The name of the environment variable that a field is.
fn variable(field: &str) -> Option<&str> {
    field.strip_prefix(ENV)?.strip_prefix('.')
}

/// Whether the values of a field can be secrets: those of variables, and documents. A command is hashed as it is
/// written. Any other text can have values of variables in it, if the instruction names one, or one that gives a folder or a user.
fn may_be_secret(field: &str, at: StepOf<'_>) -> bool {
    let is_expanded = || !field.starts_with(ARGS) && at.build.instructions.names_variables(at.step);
    variable(field).is_some() || field.ends_with("].data") || is_expanded()
}

impl<'k> StepOf<'k> {
    pub(crate) fn fields(self) -> &'k [(String, String)] {
        self.build.fields(self.step)
    }
}
