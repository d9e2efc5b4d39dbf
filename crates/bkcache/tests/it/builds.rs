//! Real builds that start from caches which the program has copied, merged, pruned or repaired. They run in Docker's daemon
//! with its BuildKit. The one in Docker 20.10 exports inline caches only, and imports only these and indexes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_registries::{Docker, DockerRegistry, Guard, Step, run_command};

use crate::support::{bkcache, bkcache_with_input, copy_of, sha256};

/// Five steps, two of which all legs share. The second has a different result each time. No layer of one leg's own steps
/// is one of another leg, even if both are built within a second.
const MATRIX: &str = r#"FROM scratch
SHELL ["/bin/busybox", "sh", "-c"]
COPY busybox /bin/busybox
RUN /bin/busybox mkdir /made && /bin/busybox cat /proc/sys/kernel/random/uuid > /made/stamp
ARG LEG
RUN echo $LEG > /made/leg
COPY greeting /made/greeting-$LEG
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

/// The limit of BuildKit for the config of a cache that it imports.
const CONFIG_LIMIT: u64 = 1 << 20;

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

    /// What `inspect` prints of the only cache under a name.
    fn inspect(&self, name: &str) -> Value {
        bkcache(["inspect", "--json", &self.at(name)]).ok().json()["caches"][0].clone()
    }
}

fn cached(steps: &[Step]) -> Vec<bool> {
    steps.iter().map(|step| step.cached).collect()
}

/// The names of the blobs in a folder.
fn blobs(folder: &Path) -> BTreeSet<OsString> {
    fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_comes_from_a_cache_that_was_copied_through_a_folder_that_was_collected() {
    let Some(docker) = Docker::start().await else { return };
    let Some(project) = Project::start(MATRIX).await else { return };
    project.export(&docker, "app:image", &[]).await;
    let (index, again) = (project.at("cache:index"), project.at("cache:again"));
    bkcache(["copy", "--quiet", "--form", "index", &project.at("app:image"), &index]).ok();
    // BuildKit wrote the folder, with a cache of another build.
    let outside = tempfile::tempdir().unwrap();
    let folder = copy_of("app-max-index-oci-gzip", &outside.path().join("between"));
    let of_buildkit = blobs(&folder);
    let place = folder.display().to_string();
    let (latest, between) = (format!("{place}:latest"), format!("{place}:between"));
    bkcache(["copy", "--quiet", &index, &between]).ok();
    let both = blobs(&folder);
    let collect = || bkcache(["gc", "--quiet", "--yes", "--older-than", "0s", &place]).ok();
    collect();
    assert_eq!(blobs(&folder), both, "a tag leads to each blob");
    bkcache(["rm", "--quiet", &latest]).ok();
    collect();
    assert_eq!(blobs(&folder), both.difference(&of_buildkit).cloned().collect());

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

/// The file of a blob in the storage of Docker's registry.
fn stored_blob(registry: &DockerRegistry, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    let blobs = registry.folder().join("data/docker/registry/v2/blobs/sha256");
    blobs.join(hex.get(..2).unwrap()).join(hex).join("data")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_has_lost_a_blob_is_imported_again_after_its_repair() {
    let Some(docker) = Docker::start().await else { return };
    let Some(project) = Project::start(MATRIX).await else { return };
    project.export(&docker, "app:image", &[]).await;
    let cache = project.at("app:cache");
    bkcache(["copy", "--quiet", "--form", "index", &project.at("app:image"), &cache]).ok();
    let layers = project.inspect("app:cache")["layers"].clone();
    let below = |layer: &Value| layer["parent"].as_u64().map(|n| layers[usize::try_from(n).unwrap()].clone());
    let third = layers.as_array().unwrap().iter().find(|&layer| {
        let second = below(layer);
        second.as_ref().and_then(below).is_some_and(|first| below(&first).is_none())
    });
    fs::remove_file(stored_blob(&project.registry, third.unwrap()["blob"].as_str().unwrap())).unwrap();

    // Docker 20.10 prints errors, and runs the steps whose layers it cannot load. Others fail.
    let (Ok(output) | Err(output)) = project.try_import(&docker, "app:cache", &[]).await;
    assert!(output.contains(": not found"), "{output}");
    bkcache(["repair", "--quiet", "--in-place", &cache]).ok();
    let output = project.try_import(&docker, "app:cache", &[]).await.unwrap();
    assert!(!output.contains("ERROR"), "{output}");
    assert_eq!(cached(&Step::all_of(&output)), [true, true, false, false, false]);
    bkcache(["verify", "--quiet", &cache]).ok();
}

/// A cache in a folder whose config is too large for BuildKit: a chain of old steps, all with the same layer.
fn large_cache(folder: &Path) -> String {
    let (layer, blobs) = ("a layer", folder.join("blobs"));
    let digest = sha256(layer.as_bytes());
    fs::create_dir(&blobs).unwrap();
    fs::write(blobs.join(digest.strip_prefix("sha256:").unwrap()), layer).unwrap();
    let descriptor = json!({
        "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": layer.len(),
    });
    let result = json!({"createdAt": "2020-01-02T03:04:05Z", "layers": [descriptor]});
    let mut records = String::new();
    for n in 0..6500_u32 {
        let inputs = n.checked_sub(1).map_or(json!([]), |below| json!([[{"record": below}]]));
        let digest = sha256(&n.to_be_bytes());
        let record = json!({"digest": digest, "inputs": inputs, "results": [result]});
        writeln!(records, "{record}").unwrap();
    }
    let layout = folder.join("large").display().to_string();
    let args = ["export", "--records", "-", "--blobs", blobs.to_str().unwrap(), "--to", &layout, "--quiet"];
    bkcache_with_input(args, records.as_bytes()).ok();
    layout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_buildkit_refuses_fits_after_a_prune() {
    let Some(docker) = Docker::start().await else { return };
    let Some(project) = Project::start(MATRIX).await else { return };
    let folder = tempfile::tempdir().unwrap();
    project.export(&docker, "app:image", &[]).await;
    let cache = project.at("app:cache");
    let sources = [large_cache(folder.path()), project.at("app:image")];
    bkcache(["merge", "--quiet", "--form", "index", &sources[0], &sources[1], &cache]).ok();
    let size = |cache: &Value| cache["config"]["size"].as_u64().unwrap();
    let large = project.inspect("app:cache");
    assert!(size(&large) > CONFIG_LIMIT, "{}", large["config"]);

    let output = project.try_import(&docker, "app:cache", &[]).await.unwrap();
    assert!(output.contains(" is too large ("), "{output}");
    assert_eq!(cached(&Step::all_of(&output)), [false; 5]);
    bkcache(["prune", "--quiet", "--in-place", "--fit", "1MiB", &cache]).ok();
    assert_eq!(project.import(&docker, "app:cache", &[]).await, [true; 5]);
    let fitting = project.inspect("app:cache");
    assert!((CONFIG_LIMIT - 1000..=CONFIG_LIMIT).contains(&size(&fitting)), "{}", fitting["config"]);
}

/// The jobs of `tests/recipes/fan-in.sh`, each on a builder that has nothing.
struct Recipe<'a> {
    docker: &'a Docker,
    project: &'a Project,
}

impl Recipe<'_> {
    async fn job(&self, name: &str, args: &[&str], variables: &[(&str, &str)]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recipes/fan-in.sh");
        let programs = Path::new(env!("CARGO_BIN_EXE_bkcache")).parent().unwrap();
        let mut command = self.docker.script(&script, programs);
        command.arg(name).arg(self.project.at("team/app")).args(args).envs(variables.iter().copied());
        run_command(&mut command).await
    }

    /// Builds and pushes a leg. Returns for each step whether it is cached.
    async fn leg(&self, leg: &str) -> Vec<bool> {
        self.docker.prune().await;
        let context = self.project.context.path().to_str().unwrap();
        let args = [leg, "--progress=plain", "--network=none", context];
        cached(&Step::all_of(&self.job("leg", &args, &[]).await))
    }

    async fn merge(&self, legs: &[&str], variables: &[(&str, &str)]) {
        let output = self.job("merge", legs, variables).await;
        assert!(output.contains(": nothing is missing; "), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_of_a_matrix_that_fans_in_keeps_every_step_that_is_of_use() {
    let Some(docker) = Docker::start().await else { return };
    let Some(project) = Project::start(MATRIX).await else { return };
    let recipe = Recipe { docker: &docker, project: &project };
    // Without a cache, and from the merged one. Then it is merged with caches that lack the steps that came from it.
    for hit in [false, true] {
        for leg in ["one", "two"] {
            assert_eq!(recipe.leg(leg).await, [hit; 5], "{leg}");
        }
        recipe.merge(&["one", "two"], &[]).await;
    }
    // Twenty days later, one leg was built and merged. The last step that they share is of use, the others' are not.
    assert_eq!(recipe.leg("one").await, [true; 5]);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let later = (now + 20 * 24 * 60 * 60).to_string();
    recipe.merge(&["one"], &[("SOURCE_DATE_EPOCH", &later)]).await;
    assert_eq!(recipe.leg("one").await, [true; 5]);
    assert_eq!(recipe.leg("two").await, [true, true, false, false, false]);
}
