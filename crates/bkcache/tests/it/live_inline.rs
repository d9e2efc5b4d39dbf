//! Caches as images in Docker's registry, imported by Docker's BuildKit and copied by skopeo.

use std::path::Path;

use cache_export::{Destination, export};
use cache_format::Form;
use cache_import::open;
use cache_ingest::{Job, Name};
use cache_model::RecordDigest;
use cache_registry::{Client, ClientOptions, RegistryStore};
use test_registries::{Docker, DockerRegistry, Guard, Step, has_program, run};

use crate::support::bkcache;

/// Docker with a registry.
struct Scene {
    docker: Docker,
    registry: DockerRegistry,
}

impl Scene {
    /// `None` if a program is missing.
    async fn start() -> Option<Self> {
        let (docker, registry) = (Docker::start().await, DockerRegistry::start(Guard::Open).await);
        Some(Self { docker: docker?, registry: registry? })
    }

    /// A reference in the repository of the test.
    fn at(&self, tag: &str) -> String {
        format!("{}/app:{tag}", self.registry.host())
    }

    /// Builds an image with an inline cache, as Docker writes it, and pushes it.
    async fn push_image(&self, context: &Path, tag: &str, args: &[&str]) {
        let image = self.at(tag);
        let fixed = ["--build-arg", "BUILDKIT_INLINE_CACHE=1", "--tag", &image];
        let built = self.docker.build(context, &[&fixed, args].concat()).await;
        assert!(!built.is_empty());
        self.docker.run(&["push", &image]).await;
    }

    /// Builds on an empty builder from a cache, and returns which steps were cached.
    async fn cached_steps(&self, context: &Path, tag: &str, args: &[&str]) -> Vec<bool> {
        self.docker.prune().await;
        let from = self.at(tag);
        let steps = self.docker.build(context, &[&["--cache-from", &from], args].concat()).await;
        steps.into_iter().map(|Step { cached, .. }| cached).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buildkit_builds_from_a_cache_that_is_an_image() {
    let Some(scene) = Scene::start().await else { return };
    let context = tempfile::tempdir().unwrap();
    Docker::write_context(context.path());
    scene.push_image(context.path(), "image", &[]).await;
    assert_eq!(scene.cached_steps(context.path(), "absent", &[]).await, [false; 5]);

    let (folder, at) = (tempfile::tempdir().unwrap(), |tag| scene.at(tag));
    let local = folder.path().join("index").display().to_string();
    bkcache(["copy", "--form", "index", &at("image"), &local]).ok();
    bkcache(["copy", "--form", "inline", &local, &at("inline")]).ok();
    assert_eq!(scene.cached_steps(context.path(), "inline", &[]).await, [true; 5]);
    bkcache(["verify", &at("inline")]).ok();

    // Skopeo takes it for an image, and keeps every byte.
    if has_program("skopeo", "skopeo") {
        let copy = folder.path().join("copy").display().to_string();
        let source = format!("docker://{}", at("inline"));
        let insecure = "--src-tls-verify=false";
        run("skopeo", &["--insecure-policy", "copy", insecure, &source, &format!("oci:{copy}:latest")]).await;
        let manifest = |place: &str| bkcache(["manifest", place]).ok().stdout;
        assert_eq!(manifest(&copy), manifest(&at("inline")));
        bkcache(["verify", &copy]).ok();
    }
}

/// Two targets on one base. BuildKit in Docker 20.10 reads no lists of layers (moby/buildkit#2501).
#[tokio::test(flavor = "multi_thread")]
async fn old_versions_of_buildkit_read_the_results_on_one_stack_of_layers() {
    let Some(scene) = Scene::start().await else { return };
    let context = tempfile::tempdir().unwrap();
    Docker::write_context(context.path());
    let dockerfile = r#"FROM scratch AS base
COPY busybox /bin/busybox
FROM base AS long
RUN ["/bin/busybox", "touch", "/one"]
RUN ["/bin/busybox", "touch", "/two"]
FROM base AS short
RUN ["/bin/busybox", "touch", "/three"]
"#;
    std::fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
    let targets = [("long", 3), ("short", 2)];
    for (target, _) in targets {
        scene.push_image(context.path(), target, &["--target", target]).await;
    }
    for form in ["index", "inline"] {
        bkcache(["merge", "--form", form, &scene.at("long"), &scene.at("short"), &scene.at(form)]).ok();
    }
    let mut cached = Vec::new();
    for form in ["index", "inline"] {
        for (target, steps) in targets {
            let found = scene.cached_steps(context.path(), form, &["--target", target]).await;
            assert_eq!(found.len(), steps);
            cached.push((form, target, found));
        }
    }
    assert_eq!(
        cached,
        [
            ("index", "long", vec![true, true, true]),
            ("index", "short", vec![true, true]),
            ("inline", "long", vec![true, true, true]),
            // The base is a beginning of the image, this step is not.
            ("inline", "short", vec![true, false]),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn buildkit_refuses_a_large_config_of_its_own_and_imports_it_in_an_image() {
    let Some(scene) = Scene::start().await else { return };
    let context = tempfile::tempdir().unwrap();
    Docker::write_context(context.path());
    scene.push_image(context.path(), "image", &[]).await;

    let client = Client::new(ClientOptions::default()).unwrap();
    let repository = format!("{}/app", scene.registry.host()).parse().unwrap();
    let store = RegistryStore::new(&client, &repository).for_push();
    let (tag, job) = (|tag: &str| Name::Tag(tag.to_owned()), Job::default());
    let imported = open(&store, &tag("image"), &job).await.unwrap().import(&store, &job).await.unwrap();
    let mut chains = imported.into_chains().unwrap();
    for n in 0..14_000 {
        chains.add(&RecordDigest::of_output(format!("sha256:{n}"), 0), &[], &[]).unwrap();
    }
    for form in [Form::Index, Form::Inline] {
        let name = tag(form.name());
        let exported = export(&chains, &store, &Destination::new(&store, &name).with_form(form), &job).await;
        let exported = exported.unwrap();
        assert!(exported.config.unwrap().size > 1 << 20);
        assert_eq!(exported.warnings.is_empty(), form.is_inline());
    }
    assert_eq!(scene.cached_steps(context.path(), "index", &[]).await, [false; 5]);
    assert_eq!(scene.cached_steps(context.path(), "inline", &[]).await, [true; 5]);
}
