//! The manual pages: which there are, and how one reads.

use std::fs;

use crate::support::bkcache;

#[test]
fn every_command_of_the_help_has_a_manual_page_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    bkcache(["man".as_ref(), folder.path().as_os_str()]).ok();
    let mut pages: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();

    let help = bkcache(["--help"]).ok().text();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter_map(|line| line.split_whitespace().next());
    let mut expected: Vec<String> = commands.map(|command| format!("bkcache-{command}.1")).collect();
    expected.push("bkcache.1".to_owned());
    expected.sort();
    expected.retain(|page| page != "bkcache-help.1");
    assert_eq!(pages, expected);
}

#[test]
fn a_manual_page_keeps_the_lines_of_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    bkcache(["man".as_ref(), folder.path().join("man1").as_os_str()]).ok();
    let page = fs::read_to_string(folder.path().join("man1/bkcache-rm.1")).unwrap();
    // So that a release does not change the snapshot.
    insta::assert_snapshot!(page.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let ran = bkcache(["man".as_ref(), file.join("man1").as_os_str()]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cannot make the folder") && ran.stderr.contains("man1"), "{}", ran.stderr);
}
