//! The instructions that gave the steps of a build: their lines, texts and keywords.
//!
//! Equal instructions become one step. Such a step is named by the first of them.

use crate::dockerfile::{Declaration, Dockerfile, lines_on_one};
use crate::{Build, Location, SourceText};

/// The instructions of a build's steps, read from its source texts. Make it once for a build: it reads them all.
#[derive(Clone, Debug)]
pub struct Instructions {
    /// By source; `None` for a text that is no Dockerfile.
    files: Vec<Option<Dockerfile>>,
    steps: Vec<Option<StepInstruction>>,
}

/// The first instruction of one step.
#[derive(Clone, Debug)]
struct StepInstruction {
    source: usize,
    line: usize,
    text: String,
    keyword: String,
}

impl Instructions {
    /// Reads the instructions of a build.
    pub fn of(build: &Build) -> Self {
        let dockerfile = |source: &SourceText| {
            let is_dockerfile = source.language.eq_ignore_ascii_case("Dockerfile");
            is_dockerfile.then(|| Dockerfile::parse(&source.text))
        };
        let files: Vec<Option<Dockerfile>> = build.sources.iter().map(dockerfile).collect();
        let first = |locations: &Vec<Location>| {
            let location = locations.iter().min()?;
            let file = files.get(location.source)?.as_ref();
            let found = file.and_then(|file| file.at(location.first_line));
            let (text, keyword) = match found {
                Some(instruction) => (instruction.text.clone(), instruction.keyword.clone()),
                None => (text_at(build, location), String::new()),
            };
            Some(StepInstruction { source: location.source, line: location.first_line, text, keyword })
        };
        let steps = build.locations.iter().map(first).collect();
        Self { files, steps }
    }

    /// The first line of the step's instruction, from 1; `None` for a step that no instruction gave.
    pub fn line(&self, step: usize) -> Option<usize> {
        Some(self.step(step)?.line)
    }

    /// The text of the step's instruction on one line, with single spaces and without comments.
    pub fn text(&self, step: usize) -> Option<&str> {
        Some(&self.step(step)?.text)
    }

    /// The keyword of the step's instruction in capitals, such as `COPY`; empty if the source is no Dockerfile.
    pub fn keyword(&self, step: usize) -> Option<&str> {
        Some(&self.step(step)?.keyword)
    }

    /// The ARG or ENV that gives a variable its value in a step.
    pub(crate) fn declaration(&self, step: usize, name: &str) -> Option<Declaration> {
        let step = self.step(step)?;
        self.files.get(step.source)?.as_ref()?.declaration(step.line, name)
    }

    /// Whether the text of a step's instruction names a variable, or that of any WORKDIR or USER, which other steps inherit.
    pub(crate) fn names_variables(&self, step: usize) -> bool {
        let Some(step) = self.step(step) else { return false };
        let file = self.files.get(step.source).and_then(Option::as_ref);
        step.text.contains('$') || file.is_some_and(|file| file.inherits_variables())
    }

    fn step(&self, step: usize) -> Option<&StepInstruction> {
        self.steps.get(step)?.as_ref()
    }
}

/// The text of the lines themselves.
fn text_at(build: &Build, location: &Location) -> String {
    let text = build.sources.get(location.source).map_or("", |source| &source.text);
    lines_on_one(text, location.first_line, location.last_line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use cache_keys::{Definition, Op, Step};
    use cache_model::Platform;

    use super::*;

    fn location(source: usize, lines: std::ops::RangeInclusive<usize>) -> Location {
        Location { source, first_line: *lines.start(), last_line: *lines.end() }
    }

    #[test]
    fn a_step_is_named_by_the_first_of_its_instructions() {
        let step = || Step { op: Op::End, platform: None, inputs: Vec::new() };
        let definition = Definition::new((0..5).map(|_| step()).collect()).unwrap();
        let mut build = Build::new(definition, Platform::new("linux", "amd64"));
        let text = "FROM a\nARG A\nRUN  one \\\n two\nRUN three".to_owned();
        let source = |language: &str| SourceText {
            language: language.to_owned(),
            text: text.clone(),
            ..SourceText::default()
        };
        build.sources = vec![source("Dockerfile"), source("HCL")];
        build.locations[1] = vec![location(0, 5..=5), location(0, 3..=4)];
        build.locations[2] = vec![location(1, 2..=3)];
        build.locations[3] = vec![location(0, 50..=60)];
        build.locations[4] = vec![location(2, 1..=1)];

        let instructions = Instructions::of(&build);
        let named =
            |step| Some((instructions.line(step)?, instructions.text(step)?, instructions.keyword(step)?));
        assert_eq!(named(0), None);
        assert_eq!(named(1), Some((3, "RUN one two", "RUN")));
        assert_eq!(named(2), Some((2, "ARG A RUN one \\", "")));
        assert_eq!(named(3), Some((50, "", "")), "the line is not in the text");
        assert_eq!(named(4), None, "there is no such text");
        assert_eq!(instructions.declaration(1, "A"), Some(Declaration::Arg(2)));
        assert_eq!(instructions.declaration(2, "A"), None);
    }
}
