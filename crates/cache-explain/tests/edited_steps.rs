//! Which steps are still those of a Dockerfile that changed after its build.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeSet;

use cache_explain::{Build, Location, SourceText, edited_steps};
use cache_keys::{Definition, Op, Step};
use cache_model::Platform;

const BEFORE: &str = "\
ARG BASE=alpine
FROM $BASE AS build
COPY a .
RUN make \\
  all
FROM build AS test
RUN test
FROM alpine
COPY --from=build /out /out
RUN --mount=type=bind,from=1,source=/x,target=/x cat /x
COPY b .";

/// The lines of the instructions that are edited, if each line of the older text gave a step.
fn edited(now: &str) -> Vec<usize> {
    let lines = BEFORE.lines().count();
    let steps = (0..=lines).map(|_| Step { op: Op::End, platform: None, inputs: Vec::new() });
    let mut build = Build::new(Definition::new(steps.collect()).unwrap(), Platform::new("linux", "amd64"));
    build.sources = vec![SourceText { text: BEFORE.to_owned(), ..SourceText::default() }];
    for line in 1..=lines {
        build.locations[line] = vec![Location { source: 0, first_line: line, last_line: line }];
    }
    let steps: BTreeSet<usize> = edited_steps(&build, 0, now);
    // No instruction begins in line 5.
    assert!(!steps.contains(&0) && !steps.contains(&5));
    steps.into_iter().collect()
}

#[test]
fn what_stands_above_a_change_and_in_other_stages_is_the_same() {
    let same: [usize; 0] = [];
    assert_eq!(edited(BEFORE), same);
    for (what, from, to, expected) in [
        ("comments and empty lines", "FROM alpine", "# a comment\n\nFROM alpine", &[][..]),
        ("ends of lines", "\n", "\r\n", &[]),
        ("the last line", "COPY b .", "COPY c .", &[11]),
        ("a line with others below", "--from=build /out /out", "--from=build /out /in", &[9, 10, 11]),
        ("a line that continues another", "  all", "  some", &[4, 6, 7, 9, 10, 11]),
        ("spaces within a line", "COPY a .", "COPY a  .", &[3, 4, 6, 7, 9, 10, 11]),
        ("a stage that others number", "RUN test", "RUN test it", &[7, 10, 11]),
        (
            "a stage that others copy from",
            "FROM build AS test",
            "RUN more\nFROM build AS test",
            &[6, 7, 9, 10, 11],
        ),
        ("a value for all stages", "BASE=alpine", "BASE=debian", &[1, 2, 3, 4, 6, 7, 8, 9, 10, 11]),
        ("the order of stages", "FROM $BASE AS build", "FROM x AS new\nFROM $BASE AS build", &[8, 9, 10, 11]),
        ("a name of a stage", "AS test", "AS tests", &[6, 7, 10, 11]),
    ] {
        assert!(BEFORE.contains(from), "{what}");
        assert_eq!(edited(&BEFORE.replace(from, to)), expected, "{what}");
    }
    assert_eq!(edited(""), [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn a_step_that_two_instructions_give_is_the_same_if_one_of_them_is() {
    let steps = (0..2).map(|_| Step { op: Op::End, platform: None, inputs: Vec::new() });
    let mut build = Build::new(Definition::new(steps.collect()).unwrap(), Platform::new("linux", "amd64"));
    let text = "FROM a\nWORKDIR /x\nFROM b\nWORKDIR /x";
    build.sources = vec![SourceText { text: text.to_owned(), ..SourceText::default() }];
    let at = |line| Location { source: 0, first_line: line, last_line: line };
    build.locations = vec![vec![at(2), at(4)], vec![at(4)]];
    assert_eq!(edited_steps(&build, 0, &text.replace("FROM b", "FROM c")), BTreeSet::from([1]));
    assert_eq!(edited_steps(&build, 1, ""), BTreeSet::new());
}
