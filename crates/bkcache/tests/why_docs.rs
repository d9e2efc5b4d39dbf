//! The page that explains why builds miss: its commands print what it says.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::Path;

use support::{program, run};
use tests::why::WhyCase;

#[test]
fn each_example_of_the_page_prints_what_it_says() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/why");
    let page = std::fs::read_to_string(tests.join("../../docs/why-builds-miss.md")).unwrap();
    let examples: Vec<&str> = page.split("```console\n").skip(1).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let (example, _) = example.split_once("```").unwrap();
        let (command, output) = example.split_once('\n').unwrap();
        // Git keeps no modes, so the folder is one that has them.
        let case = WhyCase::load("stamp-note");
        let folder = case.context().display().to_string();
        let command_line = command.replace("stamp-note/context", &folder);
        let words = command_line.strip_prefix("$ bkcache ").unwrap().split(' ');
        let ran = run(program().current_dir(&tests).args(words), b"").ok();
        assert_eq!(ran.text(), output, "{command}");
    }
}
