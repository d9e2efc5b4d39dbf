//! `cargo xtask release` on a small repository with a remote and a registry: each step fails once, and the release is
//! continued to its end.
//!
//! After each failure the remote and the registry are looked at.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test support"
)]

mod bench;
mod registry;

use test_registries::{Answer, Fault, On};

use bench::Bench;
use registry::refusal;

/// All crates of the repository in one version.
fn all(version: &str) -> Vec<String> {
    ["alpha", "beta", "gamma", "tool"].map(|name| format!("{name} {version}")).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_names_the_bytes_that_are_published() {
    let Some(bench) = Bench::new().await else { return };
    let before = bench.everything();
    let dry = bench.dry("0.1.0").done();
    assert_eq!(bench.everything(), before);
    assert_eq!(bench.registry.seen_with("PUT", "").len(), 0);
    assert!(dry.contains("there is nothing to compare with"), "{dry}");
    let next = dry.lines().find(|line| line.starts_with("the same command with --execute pushes ")).unwrap();
    assert!(next.ends_with(" to main, publishes these crates, and pushes v0.1.0"), "{next}");

    let done = bench.execute("0.1.0").done();
    assert_eq!(bench.checks(), 1, "the proof of the dry run counts: {done}");
    let checksums = bench.registry.service.checksums();
    assert_eq!(checksums.keys().cloned().collect::<Vec<_>>(), all("0.1.0"));
    for (id, checksum) in checksums {
        let line = dry.lines().find(|line| line.starts_with(&format!("{id}: to publish, ")));
        assert!(line.unwrap().ends_with(&format!(" bytes, sha256 {checksum}")), "{dry}");
    }
    assert!(bench.remote_main().ends_with(" release: 0.1.0"));
    assert_eq!(bench.remote_tags(), "v0.1.0 tag release: 0.1.0");
    let head = bench.git("checkout", &["log", "-1", "--format=%H %s"]);
    assert_eq!(head, bench.remote_main());
    assert_eq!(bench.git("checkout", &["status", "--porcelain"]), "");
    assert_eq!(bench.git("checkout", &["worktree", "list"]).lines().count(), 1);

    let released = bench.everything();
    assert!(bench.execute("0.1.0").done().contains("v0.1.0 is released: nothing to do"));
    assert_eq!(
        bench.execute("minor").error(),
        "`## Unreleased` of CHANGELOG.md is empty; write what users notice, or release nothing"
    );
    assert_eq!(bench.everything(), released);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_starts_from_what_the_remote_has_and_changes_every_file_that_has_the_version() {
    let Some(bench) = Bench::new().await else { return };
    let refused = |expected: &str| {
        let before = bench.everything();
        let error = bench.execute("minor").error();
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(bench.everything(), before);
    };

    bench.write("notes.txt", "a note\n");
    refused("files that are not committed: 1; commit or remove them");
    bench.commit("all: add a note");
    bench.git("checkout", &["switch", "--quiet", "--create", "other"]);
    refused("the checkout is on other; a release is made from main");
    bench.git("checkout", &["switch", "--quiet", "--detach"]);
    refused("the checkout is on no branch; a release is made from main");
    bench.git("checkout", &["switch", "--quiet", "main"]);
    refused("commits that are not on origin/main: 1; push them first");
    bench.git("checkout", &["push", "--quiet"]);
    bench.git("checkout", &["remote", "rename", "origin", "other"]);
    // The error has more lines, which are git's.
    let run = bench.execute("minor");
    assert!(!run.success, "{}", run.text);
    assert!(
        run.text.contains("\nerror: cannot fetch main and the tags of origin: git fetch "),
        "{}",
        run.text
    );
    bench.git("checkout", &["remote", "rename", "other", "origin"]);
    // A fetch changes what the checkout knows of the remote.
    bench.git("colleague", &["pull", "--quiet"]);
    bench.git("colleague", &["commit", "--quiet", "--allow-empty", "--message", "all: wait"]);
    bench.git("colleague", &["push", "--quiet"]);
    bench.git("checkout", &["fetch", "--quiet"]);
    refused("commits of origin/main that are not here: 1; pull them first");
    bench.git("checkout", &["pull", "--quiet", "--ff-only"]);
    assert_eq!(bench.checks(), 0);

    bench.execute("minor").done();
    assert_eq!(bench.registry.service.crates(), all("0.2.0"));
    assert_eq!(bench.remote_tags(), "v0.2.0 tag release: 0.2.0");
    assert_eq!(bench.read("docs/commands.md"), "tool 0.2.0\n");
    assert_eq!(
        bench.read("README.md"),
        "Get https://example.com/download/v0.2.0/tool, which needs sh 0.1.0.\n"
    );
    let today = bench.git("checkout", &["show", "--no-patch", "--date=short", "--format=%cd"]);
    assert_eq!(
        bench.read("CHANGELOG.md"),
        format!("# Changelog\n\n## Unreleased\n\n## 0.2.0 - {today}\n\n- Everything.\n")
    );
    for file in ["Cargo.toml", "Cargo.lock"] {
        let text = bench.read(file);
        assert!(text.contains("version = \"0.2.0\"") && !text.contains("0.1.0"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_the_machine_before_every_check_has_passed() {
    let Some(mut bench) = Bench::new().await else { return };
    let start = bench.everything();

    bench.during_ci = "exit 1".to_owned();
    let error = bench.execute("0.1.0").error();
    assert_eq!(error, "bash .ci/run failed; mend it on main, push, and run the release again");
    assert_eq!(bench.everything(), start);
    bench.during_ci = String::new();
    for task in ["docs", "minimal-versions", "package"] {
        bench.failing_task = Some(task);
        let error = bench.execute("0.1.0").error();
        let expected = format!("cargo xtask {task} failed; mend it on main, push, and run the release again");
        assert_eq!(error, expected);
        assert_eq!(bench.everything(), start);
    }
    bench.failing_task = None;
    assert_eq!(bench.checks(), 2, "checks that have passed are not repeated");

    let good = bench.read("crates/beta/src/lib.rs");
    bench.write(
        "crates/beta/src/lib.rs",
        &format!("pub const IGNORED: &str = include_str!(\"../../../.gitignore\");\n{good}"),
    );
    bench.push("beta: use a file of the workspace");
    let before = bench.everything();
    let error = bench.execute("0.1.0").error();
    assert!(error.starts_with("cargo package "), "{error}");
    assert!(error.ends_with("; mend it on main, push, and run the release again"), "{error}");
    assert_eq!(bench.everything(), before);
    // The crates change together. Cargo keeps a package that it has unpacked, so beta could be built with the old alpha.
    for file in ["crates/alpha/src/lib.rs", "crates/beta/src/lib.rs"] {
        let text = if file.contains("beta") { good.clone() } else { bench.read(file) };
        bench.write(file, &text.replace("one", "a"));
    }
    bench.push("alpha, beta: rename one, use no file of the workspace");

    let before = bench.everything();
    // No crate depends on the program, so cargo does not ask for it. curl tries again after 500, and not after 403.
    bench.registry.fault(On::new("GET", "/index/to/ol/tool"), Fault::Answer(Answer::new(403)));
    let error = bench.execute("0.1.0").error();
    assert!(error.ends_with("/index/to/ol/tool answers 403; run the release again later"), "{error}");
    assert_eq!(bench.everything(), before);
    bench.registry.heal();

    bench.registry.service.plant("gamma", "0.1.0", b"another");
    let before = bench.everything();
    let error = bench.execute("0.1.0").error();
    assert!(error.starts_with("the registry has another gamma 0.1.0, with checksum "), "{error}");
    assert_eq!(bench.everything(), before);
    bench.registry.service.remove("gamma 0.1.0");

    bench.git("colleague", &["tag", "v0.1.0"]);
    bench.git("colleague", &["push", "--quiet", "origin", "v0.1.0"]);
    let error = bench.execute("0.1.0").error();
    assert!(error.starts_with("v0.1.0 is the tag of another commit, "), "{error}");
    assert!(bench.execute("0.0.9").error().starts_with("0.0.9 is not greater than 0.1.0, the last release"));
    for repository in ["checkout", "remote.git"] {
        bench.git(repository, &["tag", "--delete", "v0.1.0"]);
    }

    // The tree is the one that the checks have passed on, so another file makes them run.
    bench.write("notes.txt", "a note\n");
    bench.push("all: add a note");
    bench.during_ci = bench.push_by_a_colleague();
    let error = bench.execute("0.1.0").error();
    assert!(error.starts_with("commits of origin/main that are not here: 1; pull them first"), "{error}");
    assert!(bench.remote_main().ends_with(" other"));
    assert_eq!(bench.registry.service.crates(), [""; 0]);
    bench.during_ci = String::new();
    bench.git("checkout", &["pull", "--quiet", "--ff-only"]);

    bench.refuse_push(Some("refs/heads/"));
    let before = bench.everything();
    let error = bench.execute("0.1.0").error();
    assert!(
        error.ends_with("; nothing was published; see what the remote says, and run the release again"),
        "{error}"
    );
    assert_eq!(bench.everything(), before);
    bench.refuse_push(None);

    bench.execute("0.1.0").done();
    assert_eq!(bench.registry.service.crates(), all("0.1.0"));
    assert_eq!(bench.remote_tags(), "v0.1.0 tag release: 0.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_continued_where_it_stopped() {
    let Some(bench) = Bench::new().await else { return };
    let all = all("0.2.0");

    // The packages that are uploaded would be of another commit than those that were verified.
    bench.before_push(
        "cd target/xtask-release/tree; env --unset=GIT_DIR git commit --quiet --allow-empty --message other",
    );
    let error = bench.execute("minor").error();
    assert!(error.starts_with("the package of alpha has SHA-256 "), "{error}");
    let main = bench.remote_main();
    assert!(main.ends_with(" release: 0.2.0"));
    assert_eq!(bench.registry.service.crates(), [""; 0]);
    bench.before_push("");

    let busy = "come back later";
    // What crates.io answers after five new crates.
    let limit = "You have published too many new crates in a short period of time. Please try again after \
                 Tue, 03 Mar 2026 10:20:00 GMT and see https://crates.io/docs/rate-limits for more details.";
    let refused = |status, detail| Fault::Answer(refusal(status, detail));
    for (nth, fault, shown, published) in [
        (1, refused(503, busy), busy, 0),
        (2, refused(429, limit), limit, 1),
        // The registry takes this crate, and cargo does not learn of it.
        (2, Fault::LoseAnswer, "failed to publish", 3),
        (1, refused(503, busy), busy, 3),
    ] {
        bench.registry.heal();
        bench.registry.fault(On::new("PUT", "/api/v1/crates/new").nth(nth), fault);
        let run = bench.execute("minor");
        assert!(run.text.contains(shown), "{}", run.text);
        let error = run.error();
        assert!(
            error.ends_with(
                "; do what the registry says above, then run the same command again: it skips what is published"
            ),
            "{error}"
        );
        assert_eq!(bench.registry.service.crates(), all[..published]);
        assert_eq!((bench.remote_main(), bench.remote_tags()), (main.clone(), String::new()));
    }
    bench.registry.heal();

    // Main goes on; the release stays what it was.
    bench.shell(&bench.push_by_a_colleague());
    bench.git("checkout", &["pull", "--quiet", "--ff-only"]);
    bench.refuse_push(Some("refs/tags/"));
    let error = bench.execute("minor").error();
    assert!(
        error.ends_with("; all crates are published; see what the remote says, and run the release again"),
        "{error}"
    );
    assert_eq!((bench.registry.service.crates(), bench.remote_tags()), (all, String::new()));
    bench.refuse_push(None);

    let uploads = bench.registry.seen_with("PUT", "").len();
    bench.execute("minor").done();
    assert_eq!(bench.registry.seen_with("PUT", "").len(), uploads, "nothing is uploaded again");
    assert_eq!(bench.remote_tags(), "v0.2.0 tag release: 0.2.0");
    assert!(bench.remote_main().ends_with(" other"));
    assert_eq!(bench.checks(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_libraries_of_the_last_tag_are_compared_and_the_answer_counts() {
    let Some(bench) = Bench::new().await else { return };
    bench.plant_semver_checks();
    bench.git("checkout", &["tag", "v0.1.0"]);
    bench.git("checkout", &["push", "--quiet", "origin", "v0.1.0"]);
    let manifest = bench.read("crates/alpha/Cargo.toml");
    bench.write("crates/delta/Cargo.toml", &manifest.replace("alpha", "delta"));
    bench.write("crates/delta/src/lib.rs", "");
    bench.push("delta: begin");

    let before = bench.everything();
    let run = bench.execute("patch");
    assert!(run.text.contains("\ndelta is new since v0.1.0\n"), "{}", run.text);
    let compared = "semver-checks --baseline-rev v0.1.0 --package alpha --package beta --package gamma";
    assert!(run.text.contains(&format!("\ncompare: {compared}\n")), "{}", run.text);
    let advice = "release a greater version, or mend what breaks users";
    assert_eq!(run.error(), format!("cargo {compared} failed; {advice}"));
    assert_eq!(bench.everything(), before);
    assert_eq!(bench.checks(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_promises_too_much_is_refused() {
    let Some(bench) = Bench::new().await else { return };
    if !bench.has_semver_checks() {
        return;
    }
    bench.git("checkout", &["tag", "v0.1.0"]);
    bench.git("checkout", &["push", "--quiet", "origin", "v0.1.0"]);
    bench.write("crates/alpha/src/lib.rs", "pub fn one() -> u8 {\n    1\n}\n");
    bench.push("alpha: count no further than one");

    let before = bench.everything();
    let run = bench.execute("patch");
    assert!(run.text.contains("function_missing"), "{}", run.text);
    let error = run.error();
    assert!(error.starts_with("cargo semver-checks "), "{error}");
    assert!(error.ends_with("; release a greater version, or mend what breaks users"), "{error}");
    assert_eq!(bench.everything(), before);
    assert_eq!(bench.checks(), 0);

    bench.execute("minor").done();
    assert_eq!(bench.registry.service.crates(), all("0.2.0"));
}
