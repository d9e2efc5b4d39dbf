//! `bkcache predict` on builds with known truth, and what it says when something is not known.
#![cfg(unix)]

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::why::WhyCase;

use crate::support::{Ran, bkcache};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Predicts a build from a cache and the folders of the build.
fn predict(cache: &WhyCase, build: &WhyCase, further: &[&str]) -> Ran {
    let mut args = vec!["predict".to_owned(), text(&cache.cache_folder())];
    args.extend(["--record".to_owned(), text(&build.folder.join("provenance.json"))]);
    for (name, folder) in build.contexts() {
        args.extend(["--context".to_owned(), format!("{name}={}", text(&folder))]);
    }
    args.extend(further.iter().map(|arg| (*arg).to_owned()));
    bkcache(args)
}

/// The steps of an answer in JSON: lines and outcomes.
fn outcomes(answer: &Value) -> Vec<(u64, &str)> {
    let steps = answer["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["line"].as_u64().unwrap_or(0), step["outcome"].as_str().unwrap())).collect()
}

#[test]
fn every_known_answer_is_what_buildkit_did() {
    let (mut right, mut unknown) = (0, 0);
    for build in WhyCase::all() {
        let Some(older) = build.older() else { continue };
        let answer = predict(&older, &build, &["--json"]).ok().json();
        for truth in build.truth["against"]["steps"].as_array().unwrap() {
            let is_it = |step: &&Value| {
                step["step"] == truth["step"]
                    && (step["platform"] == truth["platform"] || truth["platform"].is_null())
            };
            let step = answer["steps"].as_array().unwrap().iter().find(is_it);
            let step = step.unwrap_or_else(|| panic!("{}: {truth}", build.name));
            let at = format!("{}: {step}", build.name);
            assert_eq!(
                (&step["line"], &step["instruction"]),
                (&truth["line"], &truth["instruction"]),
                "{at}"
            );
            assert!(!step["reason"].as_str().unwrap().is_empty(), "{at}");
            match step["outcome"].as_str().unwrap() {
                "unknown" => unknown += 1,
                outcome => {
                    assert_eq!(outcome, if truth["cached"] == true { "hit" } else { "miss" }, "{at}");
                    right += 1;
                }
            }
        }
    }
    assert_eq!((right, unknown), (222, 94));
}

#[test]
fn a_changed_file_is_a_miss_of_its_step_and_of_those_on_it() {
    let (web, changed) = (WhyCase::load("web"), WhyCase::load("web-file"));
    let ran = predict(&web, &changed, &[]).ok();
    let text = ran.text();
    let (steps, hint) = text.split_once("hint: ").unwrap();
    insta::assert_snapshot!(steps);
    assert!(hint.starts_with("`bkcache why --was "), "{hint}");
    let quiet = predict(&web, &changed, &["-q"]).ok();
    assert!(quiet.text().lines().all(|line| line.starts_with("   miss  line 1")), "{}", quiet.text());
}

#[test]
fn the_exit_code_tells_misses_only_where_it_is_asked_to() {
    let (web, changed) = (WhyCase::load("web"), WhyCase::load("web-file"));
    for (further, code) in [
        (&["--exit-code"][..], 1),
        (&["--fail-on", "line 10"], 1),
        (&["--fail-on", "line 4", "--fail-on", "11"], 1),
        (&["--fail-on", "line 4"], 0),
        // It is unknown.
        (&["--fail-on", "line 17"], 0),
    ] {
        assert_eq!(predict(&web, &changed, further).code, code, "{further:?}");
    }
    assert_eq!(predict(&web, &web, &["--exit-code"]).code, 0);
    let ran = predict(&web, &changed, &["--fail-on", "line 5"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("no step begins there; steps begin in the lines 2, 3, 4, 9"),
        "{}",
        ran.stderr
    );
    let ran = predict(&web, &changed, &["--fail-on", "step 5"]);
    assert!(ran.code == 2 && ran.stderr.contains("it should look like 'line 4'"), "{}", ran.stderr);
    let ran = bkcache(["predict", &text(&web.cache_folder())]);
    assert!(ran.code == 2 && ran.stderr.contains("--record"), "{}", ran.stderr);
}

#[test]
fn a_step_hits_if_any_of_the_caches_has_it() {
    let (web, changed) = (WhyCase::load("web"), WhyCase::load("web-file"));
    let newer = text(&changed.cache_folder());
    let answer = predict(&web, &changed, &[&newer, "--json"]).ok().json();
    assert_eq!((&answer["hit"], &answer["miss"], &answer["unknown"]), (&12.into(), &0.into(), &0.into()));
    assert_eq!(answer["caches"].as_array().unwrap().len(), 2);
}

#[test]
fn what_a_changed_dockerfile_touches_is_unknown() {
    let web = WhyCase::load("web");
    let dockerfile = fs::read_to_string(web.folder.join("Dockerfile")).unwrap();
    let place = web.context().join("Dockerfile");
    let predicted = || {
        // The context has one more file, which no step reads.
        let answer = predict(&web, &web, &["--json"]).ok().json();
        let hints = answer["hints"].to_string();
        (
            outcomes(&answer)
                .into_iter()
                .map(|(line, outcome)| (line, outcome.to_owned()))
                .collect::<Vec<_>>(),
            hints,
        )
    };
    fs::write(&place, &dockerfile).unwrap();
    let (same, hints) = predicted();
    assert!(same.iter().all(|(_, outcome)| outcome == "hit") && hints == "[]", "{same:?} {hints}");

    fs::write(&place, dockerfile.replace("COPY public ./public", "COPY public ./other")).unwrap();
    let (edited, hints) = predicted();
    assert!(hints.contains("Dockerfile changed after the record was written"), "{hints}");
    for (line, outcome) in edited {
        let expected = if line < 11 { "hit" } else { "unknown" };
        // The last stage copies from the changed one.
        assert_eq!(outcome, expected, "line {line}");
    }
}

#[test]
fn without_the_folders_steps_that_read_them_are_unknown() {
    let kitchen = WhyCase::load("kitchen");
    let record = text(&kitchen.folder.join("provenance.json"));
    let ran = bkcache(["predict", &text(&kitchen.cache_folder()), "--record", &record]).ok();
    assert!(ran.text().contains("the folder of the build decides, and was not given"), "{}", ran.text());
    assert!(
        ran.text().contains("hint: --context tells more: the build reads context, extra"),
        "{}",
        ran.text()
    );
    let answer = predict(&kitchen, &kitchen, &["--json"]).ok().json();
    assert_eq!((&answer["miss"], &answer["unknown"]), (&0.into(), &0.into()), "{answer:#}");
    assert!(outcomes(&answer).iter().any(|(_, outcome)| *outcome == "always"));
}

#[test]
fn platforms_of_one_record_are_told_apart() {
    let (plat, two) = (WhyCase::load("plat"), WhyCase::load("plat-two"));
    let answer = predict(&plat, &two, &["--json"]).ok().json();
    let platforms = |answer: &Value| {
        let steps = answer["steps"].as_array().unwrap().iter();
        steps.map(|step| step["platform"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert!(platforms(&answer).contains(&Some("linux/386".to_owned())));
    let answer = predict(&plat, &two, &["--json", "--platform", "linux/amd64"]).ok().json();
    assert_eq!((platforms(&answer), &answer["hit"]), (vec![None, None], &2.into()));
}

#[test]
fn the_hint_is_a_command_that_says_what_of_the_files_changed() {
    let (web, mode) = (WhyCase::load("web"), WhyCase::load("web-mode"));
    let answer = predict(&web, &mode, &["--json"]).ok().json();
    let hints = answer["hints"].as_array().unwrap();
    assert_eq!(hints.len(), 1, "{hints:?}");
    let mut parts = hints[0].as_str().unwrap().split('`');
    let command = parts.nth(1).unwrap().strip_prefix("bkcache ").unwrap();
    assert_eq!(parts.next().unwrap(), " says which files changed, or only their modes or owners");
    let why = bkcache(command.split(' ')).ok().text();
    assert!(why.starts_with("line 10, COPY src ./src: src/index.js has another mode (644 -> 755)"), "{why}");
    let answer = predict(&web, &WhyCase::load("web-mtime"), &["--json"]).ok().json();
    assert_eq!(answer["hints"].as_array().unwrap().len(), 0);
}
