//! `why` on caches of builders that run here: Docker's daemon, whose BuildKit (20.10) exports inline caches only and keeps
//! no record of a build; and a current BuildKit, where one is installed.

use std::fs;

use test_registries::{Docker, DockerRegistry, Guard, Step};

use crate::support::bkcache;

const DOCKERFILE: &str = r#"FROM scratch
SHELL ["/bin/busybox", "sh", "-c"]
COPY busybox /bin/busybox
COPY greeting /greeting
RUN /bin/busybox cp /greeting /copy
RUN /bin/busybox wc /copy > /count
"#;

/// Without a record there are no lines and no instructions. But the first record that missed, the files in its layer, and
/// how many steps follow are in the two caches.
#[tokio::test(flavor = "multi_thread")]
async fn two_inline_caches_of_docker_say_which_file_changed_and_how_many_steps_follow() {
    let Some(docker) = Docker::start().await else { return };
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let context = tempfile::tempdir().unwrap();
    Docker::write_context(context.path());
    fs::write(context.path().join("Dockerfile"), DOCKERFILE).unwrap();
    let at = |tag: &str| format!("{}/app:{tag}", registry.host());
    let (old, new) = (at("old"), at("new"));
    for (tag, greeting) in [(&old, "hello\n"), (&new, "hello again\n")] {
        fs::write(context.path().join("greeting"), greeting).unwrap();
        docker.prune().await;
        docker.build(context.path(), &["--build-arg", "BUILDKIT_INLINE_CACHE=1", "--tag", tag]).await;
        docker.run(&["push", tag]).await;
    }
    // BuildKit says how many steps of the new build the old cache has.
    docker.prune().await;
    let steps = docker.build(context.path(), &["--cache-from", &old]).await;
    let cached: Vec<bool> = steps.iter().map(|step: &Step| step.cached).collect();
    assert_eq!(cached, [true, false, false, false]);
    let answer = bkcache(["why", "--json", &new, "--was", &old]).ok().json();
    assert_eq!((&answer["cached"], &answer["ran"]), (&1.into(), &3.into()), "{answer}");
    let causes = answer["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{answer}");
    assert_eq!((&causes[0]["kind"], &causes[0]["follow"]), (&"content".into(), &2.into()));
    let files = causes[0]["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{answer}");
    assert_eq!((&files[0]["path"], &files[0]["change"]), (&"greeting".into(), &"modified".into()));
    assert_eq!((&files[0]["old_size"], &files[0]["new_size"]), (&6.into(), &12.into()));
    // Nothing missed.
    let same = bkcache(["why", "--json", "--exit-code", &new, "--was", &new]).ok().json();
    assert_eq!((&same["ran"], &same["causes"]), (&0.into(), &serde_json::json!([])), "{same}");
}

/// It is skipped where no buildkitd is on the path.
#[cfg(unix)]
#[test]
fn a_current_buildkit_agrees_with_why_and_predict() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/live/why.sh");
    let output = std::process::Command::new(script).arg(env!("CARGO_BIN_EXE_bkcache")).output().unwrap();
    let text =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    eprintln!("{text}");
}
