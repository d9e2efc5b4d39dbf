//! The runner of examples itself: it fails where a page is wrong.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::example::check;
use crate::world::World;

/// A page, and a part of the error that it has to give; none if it is right.
type Case = (&'static str, &'static str, Option<&'static str>);

const CASES: &[Case] = &[
    ("the_output_is_compared", "# T\n\n```console\n$ echo a; echo b >&2\na\nb\n```\n", None),
    ("another_output_fails", "\n```console\n$ echo a\nb\n```\n", Some("page.md:3: $ echo a\n")),
    ("a_line_more_fails", "```console\n$ printf 'a\\nb\\n'\na\n```\n", Some("page.md:2:")),
    ("a_line_less_fails", "```console\n$ echo a\na\nb\n```\n", Some("page.md:2:")),
    ("no_output_is_any_output", "```console\n$ echo a\n\n$ echo b\n```\n", None),
    ("a_failure_fails", "```console\n$ false\n```\n", Some("exit code 1 instead of 0")),
    ("a_failure_in_a_pipe_fails", "```console\n$ false | cat\n```\n", Some("exit code 1 instead of 0")),
    ("an_exit_code_is_of_the_last_command", "<!-- exit: 3 -->\n```console\n$ true\n$ exit 3\n```\n", None),
    (
        "another_exit_code_fails",
        "<!-- exit: 3 -->\n```console\n$ exit 4\n```\n",
        Some("exit code 4 instead of 3"),
    ),
    (
        "success_in_the_place_of_a_failure_fails",
        "<!-- exit: 1 -->\n```console\n$ true\n```\n",
        Some("0 instead of 1"),
    ),
    ("a_comment_is_for_the_next_block_alone", "<!-- exit: 1 -->\n\nT.\n\n```console\n$ true\n```\n", None),
    (
        "wildcards_stand_for_lines_and_text",
        "```console\n$ seq 9\n1\n...\n9\n$ echo a b c\na [..] c\n```\n",
        None,
    ),
    ("a_wildcard_does_not_stand_for_all", "```console\n$ echo a b c\na [..] d\n```\n", Some("page.md:2:")),
    ("a_backslash_is_no_slash", "```console\n$ echo 'a\\b'\na/b\n```\n", Some("page.md:2:")),
    (
        "a_page_is_one_session",
        "```console\n$ mkdir d && cd d\n$ export A=1\n```\n\n```console\n$ echo $A > f; cat ../d/f\n1\n```\n",
        None,
    ),
    ("a_command_goes_on", "```console\n$ echo a \\\n    b |\n    cat\na b\n```\n", None),
    ("a_command_has_a_document", "```console\n$ cat <<'END'\n$ a\nEND\n$ a\n```\n", Some("page.md:5:")),
    ("the_program_is_the_built_one", "```console\n$ bkcache --version\nbkcache [..]\n```\n", None),
    ("an_unknown_variable_fails", "```console\n$ echo $NOT_SET\n```\n", Some("unbound")),
    ("blocks_that_escape_are_refused", "```sh\nls\n```\n", Some("line 1: a block tagged sh")),
    ("a_block_without_a_tag_is_refused", "```\n$ ls\n```\n", Some("tag it console")),
    ("a_console_block_without_a_command_is_refused", "```console\nls\n```\n", Some("begins with `$ `")),
    (
        "the_registry_is_named_as_the_page_names_it",
        "```console\n$ echo registry.example.com/a\nregistry.example.com/a\n$ test registry.example.com = registry.example.c'om'\n```\n",
        Some("page.md:4:"),
    ),
    (
        "docker_refuses_what_it_does_not_know",
        "```console\n$ docker buildx build --cache-too x .\n```\n",
        Some("--cache-too"),
    ),
    ("cargo_refuses_what_it_does_not_know", "```console\n$ cargo run -p nothing\n```\n", Some("cargo")),
    (
        "steps_are_run",
        "```yaml\n- run: echo 1 > f\n- uses: a/b@v1\n- run: |\n    test \"$(cat f)\" = 2\n```\n",
        Some("page.md:1: exit code 1"),
    ),
    (
        "jobs_are_run_for_each_combination",
        "```yaml\nenv: { A: 1 }\njobs:\n  j:\n    strategy: { matrix: { x: [1, 2], y: [3] } }\n    steps:\n      - run: echo $A$B ${{ matrix.x }}${{ matrix.y }} >> f\n        env: { B: b }\n```\n\n```console\n$ cat f\n1b 13\n1b 23\n```\n",
        None,
    ),
    (
        "an_expression_without_a_value_fails",
        "```yaml\n- run: echo ${{ none.such }}\n```\n",
        Some("no value for none.such"),
    ),
    (
        "scripts_of_gitlab_are_run",
        "```yaml\nvariables: { A: 1 }\n.t:\n  variables: { B: $A$A }\n  before_script: [C=2]\n```\n\n```yaml\nj:\n  extends: .t\n  script:\n    - echo $B$C > f\n```\n\n```console\n$ cat f\n112\n```\n",
        None,
    ),
    (
        "blocks_of_gitlab_are_one_file",
        "```yaml\nvariables: { A: 1 }\n```\n\n```yaml\nvariables: { B: 1 }\n```\n",
        Some("page.md:5: no YAML"),
    ),
    (
        "a_stage_of_gitlab_is_listed",
        "```yaml\nstages: [build]\nj: { script: ['true'] }\n```\n",
        Some("j: its stage test"),
    ),
    (
        "a_needed_job_of_gitlab_has_the_same_rules",
        "```yaml\na: { script: ['true'] }\nb: { needs: [a], rules: [{ if: $X }], script: ['true'] }\n```\n",
        Some("b: it needs a"),
    ),
    (
        "a_step_that_may_fail_has_to_work_here",
        "```yaml\n- run: exit 1\n  continue-on-error: true\n```\n",
        Some("page.md:1: exit code 1"),
    ),
    (
        "an_action_that_builds_is_run",
        "```yaml\njobs:\n  j:\n    env: { A: b }\n    steps:\n      - uses: docker/build-push-action@v6\n        with: { context: ., cache-to: 'type=local,dest=${{ env.A }}' }\n```\n\n```console\n$ bkcache ls ./b\n```\n",
        None,
    ),
    (
        "an_action_that_builds_refuses_what_it_does_not_know",
        "```yaml\n- uses: docker/build-push-action@v6\n  with: { context: ., cache-too: a }\n```\n",
        Some("cache-too"),
    ),
    ("yaml_that_is_none_is_refused", "```yaml\n- a: b: c\n```\n", Some("no YAML")),
];

pub fn trials(world: &Arc<World>) -> Vec<Trial> {
    let trial = |&(name, text, expected): &'static Case| {
        let world = world.clone();
        Trial::test(format!("runner::{name}"), move || {
            let result = check(&world, "none", "page.md", text);
            match (&result, expected) {
                (Ok(()), None) => Ok(()),
                (Err(why), Some(part)) if why.contains(part) => Ok(()),
                _ => Err(Failed::from(format!("{result:?} instead of {expected:?}"))),
            }
        })
    };
    CASES.iter().map(trial).collect()
}
