//! Real builds that start from caches which the program has copied or merged. They run in Docker's daemon with its
//! BuildKit. The one in Docker 20.10 exports inline caches only, and imports only these and indexes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::fs;
use std::path::Path;

use support::bkcache;
use tempfile::TempDir;
use test_registries::{Docker, DockerRegistry, Guard, Step};

/// Five steps, two of which all legs share. The second has a different result each time.
const MATRIX: &str = r#"FROM scratch
SHELL ["/bin/busybox", "sh", "-c"]
COPY busybox /bin/busybox
RUN /bin/busybox mkdir /made && /bin/busybox cat /proc/sys/kernel/random/uuid > /made/stamp
ARG LEG
RUN echo $LEG > /made/leg
COPY greeting /made/greeting
RUN /bin/busybox cat /made/* > /made/all
"#;

/// A step that is not reproducible, and two files that are copied out of it, each in a layer of its own.
const TWO_FILES: &str = r#"FROM scratch AS base
SHELL ["/bin/busybox", "sh", "-c"]
COPY busybox /bin/busybox
FROM base AS made
RUN /bin/busybox mkdir /made && cd /made && /bin/busybox cat /proc/sys/kernel/random/uuid | /bin/busybox tee page > assets
FROM made
COPY --from=made /made/page /page
COPY --from=made /made/assets /assets
"#;

/// A registry, and a context whose builds push to it and start from what it has.
struct Project {
    registry: DockerRegistry,
    context: TempDir,
}

impl Project {
    /// `None` if the registry is not installed.
    async fn start(dockerfile: &str) -> Option<Self> {
        let registry = DockerRegistry::start(Guard::Open).await?;
        let context = tempfile::tempdir().unwrap();
        Docker::write_context(context.path());
        fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
        Some(Self { registry, context })
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.registry.host())
    }

    /// Builds with what the builder has, and pushes the image with its cache inside.
    async fn export(&self, docker: &Docker, name: &str, args: &[&str]) -> Vec<Step> {
        let name = self.at(name);
        let fixed = ["--build-arg", "BUILDKIT_INLINE_CACHE=1", "--tag", &name];
        let steps = docker.build(self.context.path(), &[&fixed, args].concat()).await;
        docker.run(&["push", &name]).await;
        steps
    }

    /// Removes what the builder has, and builds from a cache.
    async fn try_import(&self, docker: &Docker, name: &str, args: &[&str]) -> Result<String, String> {
        docker.prune().await;
        docker.try_build(self.context.path(), &[&["--cache-from", &self.at(name)], args].concat()).await
    }

    /// The steps of such a build, from the first: whether each is cached.
    async fn import(&self, docker: &Docker, name: &str, args: &[&str]) -> Vec<bool> {
        cached(&Step::all_of(&self.try_import(docker, name, args).await.unwrap()))
    }

    /// Merges caches into an index, which this BuildKit can import.
    fn merge(&self, options: &[&str], sources: &[&str], to: &str) {
        let names = sources.iter().chain([&to]).map(|name| self.at(name));
        let fixed = ["merge", "--quiet", "--form", "index"];
        let args = fixed.iter().chain(options).map(|&arg| arg.to_owned());
        bkcache(args.chain(names)).ok();
    }
}

fn cached(steps: &[Step]) -> Vec<bool> {
    steps.iter().map(|step| step.cached).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_comes_from_a_cache_that_was_copied() {
    let Some(docker) = Docker::start().await else { return };
    let Some(project) = Project::start(MATRIX).await else { return };
    project.export(&docker, "app:image", &[]).await;
    let (index, again) = (project.at("cache:index"), project.at("cache:again"));
    let folder = tempfile::tempdir().unwrap();
    let between = folder.path().join("between").display().to_string();
    bkcache(["copy", "--quiet", "--form", "index", &project.at("app:image"), &index]).ok();
    bkcache(["copy", "--quiet", &index, &between]).ok();
    bkcache(["copy", "--quiet", &between, &again]).ok();
    for name in ["cache:index", "cache:again"] {
        assert_eq!(project.import(&docker, name, &[]).await, [true; 5], "{name}");
    }
    // The control: without a cache it runs every step, and reports no error either.
    assert_eq!(project.import(&docker, "cache:none", &[]).await, [false; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_legs_of_a_matrix_take_every_step_from_their_merged_cache() {
    let Some(docker) = Docker::start().await else { return };
    let Some(project) = Project::start(MATRIX).await else { return };
    let legs = ["LEG=one", "LEG=two"].map(|leg| ["--build-arg", leg]);
    for (leg, name) in legs.iter().zip(["leg:one", "leg:two"]) {
        docker.prune().await;
        let steps = project.export(&docker, name, leg).await;
        assert_eq!(cached(&steps), [false; 5], "{name}: {steps:?}");
    }
    project.merge(&[], &["leg:one", "leg:two"], "leg:merged");
    for leg in &legs {
        assert_eq!(project.import(&docker, "leg:merged", leg).await, [true; 5], "{leg:?}");
    }
    // The control: the cache of one leg has two steps of the other.
    assert_eq!(project.import(&docker, "leg:one", &legs[1]).await, [true, true, false, false, false]);
}

/// Builds from a cache, and returns the files that stem from the step that is not reproducible: in the step's own
/// layer, and in those of the two copies.
async fn files(
    project: &Project,
    docker: &Docker,
    name: &str,
    dockerfile: &Path,
) -> (Vec<bool>, [String; 3]) {
    let out = tempfile::tempdir().unwrap();
    let arguments = [dockerfile, out.path()].map(|path| path.display().to_string());
    let args = ["--file", &arguments[0], "--output", &arguments[1]];
    let steps = project.import(docker, name, &args).await;
    let read = |file: &str| fs::read_to_string(out.path().join(file)).unwrap();
    (steps, [read("made/page"), read("page"), read("assets")])
}

/// Two builders run the step. The first goes on from its own run only after the second has built everything, as happens
/// where legs run side by side. So the step's newest result is the second's, and those of the copies are the first's.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_has_the_files_of_one_run_of_a_step_that_is_not_reproducible() {
    let (Some(first), Some(second)) = (Docker::start().await, Docker::start().await) else { return };
    let Some(project) = Project::start(TWO_FILES).await else { return };
    let (same, changed) = (project.context.path().join("Dockerfile"), project.context.path().join("changed"));
    // The last step has to run, so it reads the result of the step that the cache gives.
    let text = TWO_FILES.replace("COPY --from=made /made/assets", "COPY --from=made --chown=1 /made/assets");
    fs::write(&changed, text).unwrap();
    for attempt in 1..=5 {
        for docker in [&first, &second] {
            docker.prune().await;
        }
        first.build(project.context.path(), &["--target", "made"]).await;
        let steps = project.export(&second, "app:second", &[]).await;
        assert_eq!(cached(&steps), [false; 4]);
        let steps = project.export(&first, "app:first", &[]).await;
        assert_eq!(cached(&steps), [true, true, false, false]);
        let names = ["app:first", "app:second"];
        project.merge(&[], &names, "app:merged");
        project.merge(&["--keep-all"], &names, "app:united");

        let (steps, [step, page, assets]) = files(&project, &first, "app:merged", &same).await;
        assert_eq!(steps, [true; 4], "attempt {attempt}");
        assert!(step == page && page == assets, "attempt {attempt}: {step} {page} {assets}");
        let (steps, [step, page, assets]) = files(&project, &first, "app:merged", &changed).await;
        assert_eq!(steps, [true, true, true, false], "attempt {attempt}");
        assert!(step == page && page == assets, "attempt {attempt}: {step} {page} {assets}");
        // The control: the union of both caches gives the page of one run and the assets of the other.
        let (steps, [step, page, assets]) = files(&project, &first, "app:united", &changed).await;
        assert_eq!(steps, [true, true, true, false], "attempt {attempt}");
        assert!(step == page && page != assets, "attempt {attempt}: {step} {page} {assets}");
    }
}
