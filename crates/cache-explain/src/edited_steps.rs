//! Which steps of a build come from instructions that its Dockerfile no longer has.
//!
//! It compares texts and errs on one side: a step that may be another one is called edited.

use std::collections::BTreeSet;

use crate::Build;
use crate::dockerfile::{Dockerfile, Instruction};

/// The instructions of a stage, or those in front of the first stage.
struct Stage<'d> {
    instructions: &'d [Instruction],
    /// The lines of each instruction.
    texts: Vec<&'d [&'d str]>,
}

/// What became of a stage.
struct StageEdit<'d> {
    name: Option<&'d str>,
    /// Nothing changed, and nothing was added.
    is_same: bool,
    /// It has another number.
    is_moved: bool,
}

/// The steps of a build whose instructions changed since it was made. `now` is the text of the Dockerfile, `source` the position of
/// the older text in [`Build::sources`].
///
/// An instruction counts as changed if any before it in its stage did, or if it takes something from a stage in which any did.
/// Instructions that were added give steps that the build does not have, so nothing is said about them.
pub fn edited_steps(build: &Build, source: usize, now: &str) -> BTreeSet<usize> {
    let Some(before) = build.sources.get(source).map(|source| source.text.as_str()) else {
        return BTreeSet::new();
    };
    if before == now {
        return BTreeSet::new();
    }
    let lines = edited_lines(before, now);
    let steps = build.locations.iter().enumerate();
    // Equal instructions are one step, which is the same if one of them is.
    let edited = steps.filter(|(_, locations)| {
        let mut of_source = locations.iter().filter(|location| location.source == source).peekable();
        of_source.peek().is_some() && of_source.all(|location| lines.contains(&location.first_line))
    });
    edited.map(|(step, _)| step).collect()
}

/// The first lines of the changed instructions, as they were numbered before.
fn edited_lines(before: &str, now: &str) -> BTreeSet<usize> {
    let (before_lines, now_lines) = (lines(before), lines(now));
    let (before, now) = (Dockerfile::parse(before), Dockerfile::parse(now));
    let (before, now) = (stages(&before, &before_lines), stages(&now, &now_lines));
    let has_same_start = before.first().map(|start| &start.texts) == now.first().map(|start| &start.texts);
    let mut edits: Vec<StageEdit<'_>> = Vec::new();
    let mut edited = BTreeSet::new();
    for (position, stage) in before.iter().enumerate() {
        let name = stage.name();
        let counterpart = match name {
            Some(_) => now.iter().position(|stage| stage.name() == name),
            None => Some(position),
        };
        let texts =
            counterpart.filter(|_| has_same_start).and_then(|at| now.get(at)).map(|stage| &stage.texts);
        let pairs = stage.texts.iter().zip(texts.into_iter().flatten());
        let same = stage.instructions.iter().zip(pairs);
        let same =
            same.take_while(|(instruction, (a, b))| a == b && !takes_edited(instruction, &edits)).count();
        let is_same = same == stage.texts.len() && texts.is_some_and(|texts| texts.len() == same);
        edits.push(StageEdit { name, is_same, is_moved: counterpart != Some(position) });
        edited.extend(stage.instructions.iter().skip(same).map(|instruction| instruction.first_line));
    }
    edited
}

/// Whether an instruction takes something from a stage that is not the same.
fn takes_edited(instruction: &Instruction, edits: &[StageEdit<'_>]) -> bool {
    // The first are the instructions in front of the stages.
    edits.iter().skip(1).enumerate().any(|(number, edit)| {
        let number = number.to_string();
        let takes = |from: &str| {
            // A variable may name any stage.
            let is_named =
                from.contains('$') || edit.name.is_some_and(|name| name.eq_ignore_ascii_case(from));
            !edit.is_same && (is_named || from == number) || edit.is_moved && from == number
        };
        instruction.takes_from().any(takes)
    })
}

fn lines(text: &str) -> Vec<&str> {
    let text = text.trim_start_matches('\u{feff}');
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect()
}

/// The instructions in front of the first stage, and the stages.
fn stages<'d>(dockerfile: &'d Dockerfile, lines: &'d [&'d str]) -> Vec<Stage<'d>> {
    let text = |instruction: &Instruction| {
        lines.get(instruction.first_line.saturating_sub(1)..instruction.last_line).unwrap_or_default()
    };
    let stages = dockerfile.stages().into_iter();
    stages
        .map(|instructions| Stage { instructions, texts: instructions.iter().map(text).collect() })
        .collect()
}

impl<'d> Stage<'d> {
    fn name(&self) -> Option<&'d str> {
        self.instructions.first()?.stage_names().1
    }
}
