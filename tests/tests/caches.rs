//! The fixtures through the library: imported and exported again, converted to each form and back, compared by digest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_export::{Destination, ExistingCache, Exported, METADATA_MANIFEST, export, republish};
use cache_format::{Form, decode_config, encode_config};
use cache_import::{OpenedCache, open};
use cache_ingest::{
    Expect, Job, LayoutOptions, LayoutStore, MemoryStore, Name, Provider, ProviderExt, Publisher,
};
use cache_model::{CacheChains, CacheConfig, Descriptor, Digest, MediaType, Rule};
use tests::{fixture, fixtures, manifest, standalone_fixtures};

const FORMS: [Form; 3] = [Form::Manifest, Form::Index, Form::DockerList];
/// A cache as an OCI image manifest.
const IMAGE_MANIFEST: &str = "app-max-manifest-oci-gzip";
/// The canonical config of `matrix-two`, for which BuildKit has several outputs.
const MATRIX_TWO: &str = "sha256:708eb13b6c65e9dabffeb8d74457d96f79d43a9498c46b03522965e7c0a4de40";

async fn open_fixture(name: &str) -> (LayoutStore, OpenedCache) {
    let store = LayoutStore::open(fixture(name), LayoutOptions::default()).await.unwrap();
    let opened = open(&store, &Name::Unspecified, &Job::default()).await.unwrap();
    (store, opened)
}

fn to<'a>(store: &'a MemoryStore, name: &'a Name) -> Destination<'a> {
    Destination::new(store, name)
}

/// Copies an opened cache into a memory store, in its own form or another.
async fn copy(from: &dyn Provider, opened: &OpenedCache, form: Option<Form>) -> (MemoryStore, Exported) {
    let config_bytes = opened.config_bytes(from, &Job::default()).await.unwrap().unwrap();
    let manifest = opened.manifest().unwrap();
    let existing = ExistingCache::new(&opened.descriptor, &opened.bytes, manifest, &config_bytes);
    let store = MemoryStore::new();
    let name = Name::Tag("latest".into());
    let to = to(&store, &name);
    let exported = republish(&existing, from, &to.with_form(form), &Job::default()).await.unwrap();
    (store, exported)
}

/// Copies the cache of a memory store into another, in a form.
async fn convert(from: &MemoryStore, form: Form) -> (MemoryStore, Exported) {
    let opened = open(from, &Name::Unspecified, &Job::default()).await.unwrap();
    copy(from, &opened, Some(form)).await
}

#[tokio::test]
async fn every_form_and_back_gives_the_original_manifest_and_config() {
    let mut conversions = 0;
    for name in standalone_fixtures() {
        let (layout, opened) = open_fixture(&name).await;
        let (original, _) = copy(&layout, &opened, None).await;
        let form = opened.manifest().unwrap().form;
        let config = opened.manifest().unwrap().config.digest;
        for other in FORMS {
            let (converted, exported) = convert(&original, other).await;
            assert_eq!(exported.config.as_ref().unwrap().digest, config, "{name}: the config is kept");
            assert!(exported.warnings.is_empty(), "{name}: {:?}", exported.warnings);
            let (_, back) = convert(&converted, form).await;
            assert_eq!(back.manifest.unwrap().digest, manifest(&name).0, "{name} to {other} and back");
            assert_eq!(back.config.unwrap().digest, config);
            conversions += 1;
        }
    }
    assert_eq!(conversions, 17 * 3);
}

#[tokio::test]
async fn a_manifest_that_is_kept_keeps_dockers_media_type() {
    let (layout, opened) = open_fixture(IMAGE_MANIFEST).await;
    let (from, exported) = copy(&layout, &opened, None).await;
    assert_eq!(exported.manifest.unwrap().media_type, MediaType::OCI_MANIFEST);
    let text = String::from_utf8(opened.bytes.to_vec()).unwrap();
    let docker = text.replace(MediaType::OCI_MANIFEST.as_str(), MediaType::DOCKER_MANIFEST.as_str());
    assert_ne!(docker, text);
    let root = Descriptor::of(MediaType::DOCKER_MANIFEST, &docker);
    let latest = Name::Tag("latest".into());
    from.publish(&latest, &root, docker.clone().into(), Expect::Any).await.unwrap();
    let opened = open(&from, &latest, &Job::default()).await.unwrap();
    let (kept, exported) = copy(&from, &opened, None).await;
    assert_eq!(exported.manifest, Some(root.clone()));
    assert_eq!(kept.read(&root, &Job::default()).await.unwrap(), docker);
}

#[tokio::test]
async fn a_change_of_form_uses_the_config_that_it_is_given() {
    let (layout, opened) = open_fixture(IMAGE_MANIFEST).await;
    let imported = opened.import(&layout, &Job::default()).await.unwrap();
    let (cache, manifest) = (&imported.caches[0], opened.manifest().unwrap());
    let existing = ExistingCache::new(&opened.descriptor, &opened.bytes, manifest, &cache.config_bytes);
    let mut layers = Vec::new();
    for existing in
        [existing, existing.with_config(&cache.config), existing.with_config(&CacheConfig::default())]
    {
        let (store, name) = (MemoryStore::new(), Name::Tag("latest".into()));
        let to = to(&store, &name).with_form(Form::Index);
        republish(&existing, &layout, &to, &Job::default()).await.unwrap();
        layers.push(open(&store, &name, &Job::default()).await.unwrap().manifest().unwrap().layers.len());
    }
    assert_eq!(layers, [manifest.layers.len(), manifest.layers.len(), 0]);
}

#[tokio::test]
async fn importing_and_exporting_gives_the_original_config_and_manifest() {
    for name in standalone_fixtures() {
        let (layout, opened) = open_fixture(&name).await;
        let imported = opened.import(&layout, &Job::default()).await.unwrap();
        assert!(imported.warnings.is_empty(), "{name}: {:?}", imported.warnings);
        let cache_manifest = opened.manifest().unwrap().clone();
        for rule in [Rule::BuildKit, Rule::Closed] {
            let mut chains = imported.clone().into_chains().unwrap();
            chains.set_rule(rule);
            let store = MemoryStore::new();
            let tag = Name::Tag("latest".into());
            let to = to(&store, &tag).with_form(cache_manifest.form);
            let exported = export(&chains, &layout, &to, &Job::default()).await.unwrap();
            assert!(exported.warnings.is_empty(), "{name}: {:?}", exported.warnings);
            let config = exported.config.clone().unwrap().digest;
            if name == "matrix-two" {
                assert_eq!(config, MATRIX_TWO.parse::<Digest>().unwrap());
            } else {
                assert_eq!(config, cache_manifest.config.digest, "{name}");
                assert_eq!(exported.manifest.clone().unwrap().digest, manifest(&name).0, "{name}");
            }
            let metadata = exported.metadata();
            let described: serde_json::Value = serde_json::from_str(&metadata[METADATA_MANIFEST]).unwrap();
            assert_eq!(described["digest"], exported.manifest.unwrap().digest.to_string());
            // Every layer that the manifest names exists and has the right content.
            let again = open(&store, &Name::Unspecified, &Job::default()).await.unwrap();
            for layer in &again.manifest().unwrap().layers {
                store.read(layer, &Job::default()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn inline_caches_are_imported_and_become_caches_of_their_own() {
    let mut configs = Vec::new();
    for name in fixtures().into_iter().filter(|name| name.starts_with("inline-")) {
        let (layout, opened) = open_fixture(&name).await;
        assert!(opened.manifest().is_none(), "{name} is an image");
        let imported = opened.import(&layout, &Job::default()).await.unwrap();
        assert!(imported.warnings.is_empty(), "{name}: {:?}", imported.warnings);
        let store = MemoryStore::new();
        let tag = Name::Tag("latest".into());
        let chains = imported.into_chains().unwrap();
        let exported = export(&chains, &layout, &to(&store, &tag), &Job::default()).await.unwrap();
        assert!(exported.warnings.is_empty(), "{name}: {:?}", exported.warnings);
        let again = open(&store, &Name::Unspecified, &Job::default()).await.unwrap();
        let imported = again.import(&store, &Job::default()).await.unwrap();
        let graph_len = imported.caches[0].chains.graph().unwrap().len();
        assert!(graph_len > 5, "{name} has {graph_len} records");
        assert!(!imported.caches[0].config.layers().is_empty());
        configs.push(exported.config.unwrap().digest);
    }
    assert_eq!(configs.len(), 2);
}

#[test]
fn closing_changes_nothing_about_real_caches() {
    for name in standalone_fixtures() {
        let (_, bytes) = manifest(&name);
        let document = cache_format::ManifestOrIndex::decode(&bytes).unwrap();
        let cache_manifest = cache_format::CacheManifest::from_document(&document).unwrap();
        let config = decode_config(&tests::blob(&name, &cache_manifest.config.digest)).unwrap();
        let mut chains = CacheChains::from_config(&config, &cache_manifest.layers).unwrap().chains;
        let by_order = encode_config(&chains.marshal(&|_| true).unwrap().config);
        chains.set_rule(Rule::Closed);
        let closed = encode_config(&chains.marshal(&|_| true).unwrap().config);
        assert_eq!(Digest::of(&by_order), Digest::of(&closed), "{name}");
    }
}

#[test]
fn the_inline_caches_of_images_are_written_again_with_the_same_meaning() {
    use cache_format::{ImageConfig, InlineOutcome, ManifestOrIndex, read_inline, write_inline};
    for name in fixtures().into_iter().filter(|name| name.starts_with("inline-")) {
        let (_, bytes) = manifest(&name);
        let ManifestOrIndex::Manifest(image) = ManifestOrIndex::decode(&bytes).unwrap() else {
            panic!("{name}")
        };
        let config_bytes = tests::blob(&name, &image.config.digest);
        let InlineOutcome::Cache(inline) = read_inline(&image, &config_bytes).unwrap() else {
            panic!("{name}")
        };
        let chains = CacheChains::from_config(&inline.config, &inline.layers).unwrap().chains;
        let layers: Vec<Digest> = image.layers.iter().map(|layer| layer.digest).collect();
        let written = write_inline(&chains.graph().unwrap(), &layers).unwrap();

        // In the image in the place of the old cache, it reads back to the same graph.
        let old = ImageConfig::decode(&config_bytes).unwrap().inline_cache.unwrap();
        let text = String::from_utf8(config_bytes).unwrap().replace(&old, &written);
        let InlineOutcome::Cache(again) = read_inline(&image, text.as_bytes()).unwrap() else {
            panic!("{name}")
        };
        let reread = CacheChains::from_config(&again.config, &again.layers).unwrap().chains;
        let canonical = |chains: &CacheChains| encode_config(&chains.marshal(&|_| true).unwrap().config);
        assert_eq!(canonical(&reread), canonical(&chains), "{name}");
        assert_eq!(written.len(), old.len(), "{name}: as long as the text that BuildKit wrote");

        // Named by the layers' diff IDs, the cache is the same.
        let diff_ids = ImageConfig::decode(text.as_bytes()).unwrap().diff_ids;
        assert_eq!(write_inline(&chains.graph().unwrap(), &diff_ids).unwrap(), written, "{name}");
        assert_eq!(write_inline(&chains.graph().unwrap(), &[]), None);
    }
}
