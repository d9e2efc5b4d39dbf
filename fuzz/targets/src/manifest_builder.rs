//! Any descriptors packed in each form and read back: the same descriptors in the same order and form.
//!
//! An inline cache for an image of the layers is written and read back, too.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use cache_format::{
    CacheManifest, Form, ImageManifest, InlineOutcome, ManifestOrIndex, Unpacked, read_inline, unpack,
    write_inline,
};
use cache_model::{
    Annotations, CacheChains, Descriptor, DescriptorExtra, Digest, MediaType, NewResult, Platform,
    RecordDigest, Timestamp,
};

const MEDIA_TYPES: [&str; 12] = [
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "",
    CACHE_CONFIG,
];
const CACHE_CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";
const KEYS: [&str; 5] = [
    "containerd.io/uncompressed",
    "buildkit/createdat",
    "org.opencontainers.image.ref.name",
    "containerd.io/snapshot/stargz/toc.digest",
    "",
];
/// The most layers; more would find no more.
const MOST_LAYERS: usize = 12;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    layers: Vec<RawDescriptor<'a>>,
    /// A wrong media type for the config.
    config_type: Option<Text<'a>>,
    config: RawDescriptor<'a>,
    artifact_type: &'a str,
    subject: Option<RawDescriptor<'a>>,
    annotations: Vec<(Text<'a>, &'a str)>,
    /// The positions of the layers of a result.
    result: Vec<u8>,
}

#[derive(Debug, Arbitrary)]
struct RawDescriptor<'a> {
    media_type: Text<'a>,
    digest: u8,
    size: u64,
    annotations: Vec<(Text<'a>, &'a str)>,
    extra: Option<RawExtra<'a>>,
}

#[derive(Debug, Arbitrary)]
struct RawExtra<'a> {
    urls: Vec<&'a str>,
    data: &'a str,
    platform: Option<RawPlatform<'a>>,
    artifact_type: &'a str,
}

#[derive(Debug, Arbitrary)]
struct RawPlatform<'a> {
    architecture: &'a str,
    os: &'a str,
    os_version: &'a str,
    os_features: Vec<&'a str>,
    variant: &'a str,
}

/// A known text or any text.
#[derive(Debug, Arbitrary)]
struct Text<'a> {
    known: u8,
    free: &'a str,
}

impl<'a> Text<'a> {
    fn of(&self, known: &[&'a str]) -> &'a str {
        known.get(usize::from(self.known)).copied().unwrap_or(self.free)
    }
}

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let layers: Vec<Descriptor> =
        input.layers.iter().take(MOST_LAYERS).map(RawDescriptor::descriptor).collect();
    let mut config = input.config.descriptor();
    let config_type = input.config_type.as_ref().map_or(CACHE_CONFIG, |text| text.of(&MEDIA_TYPES));
    config.media_type = MediaType::new(config_type);
    for form in [Form::Manifest, Form::Index, Form::DockerList] {
        build(&CacheManifest {
            form,
            layers: layers.clone(),
            config: config.clone(),
            artifact_type: input.artifact_type.to_owned(),
            subject: input.subject.as_ref().map(RawDescriptor::descriptor),
            annotations: annotations(&input.annotations),
        });
    }
    let result: Vec<usize> = match layers.len() {
        0 => Vec::new(),
        len => input.result.iter().take(MOST_LAYERS).map(|at| usize::from(*at) % len).collect(),
    };
    inline(&layers, &result);
}

fn build(manifest: &CacheManifest) {
    let is_config = |descriptor: &Descriptor| descriptor.media_type == MediaType::CACHE_CONFIG;
    let mut all = manifest.layers.iter().chain([&manifest.config]).chain(&manifest.subject);
    let is_refused = !is_config(&manifest.config)
        || manifest.layers.iter().any(is_config)
        || all.any(|descriptor| i64::try_from(descriptor.size).is_err());
    let packed = match manifest.clone().pack(b"config".to_vec()) {
        Ok(packed) => packed,
        Err(error) => {
            assert!(is_refused, "{error}: {manifest:?}");
            return crate::check::assert_one_line(&error);
        }
    };
    assert!(!is_refused, "a cache that nobody could read: {manifest:?}");
    assert_eq!(packed.layers, manifest.layers);
    assert_eq!(packed.config(), &manifest.config);
    assert_eq!(packed.metadata.first().map(|blob| &*blob.bytes), Some(&b"config"[..]));
    let built = packed.root;
    assert_eq!(built.descriptor.media_type, manifest.form.media_type());
    assert_eq!(built.descriptor.size, built.bytes.len() as u64);
    let hash = cache_ingest::Hasher::digest(built.descriptor.digest.algorithm(), &built.bytes);
    assert_eq!(built.descriptor.digest, hash);

    let dialect = manifest.form.dialect();
    let unknown = |layer: &&Descriptor| layer.media_type.in_dialect(dialect).is_none();
    assert_eq!(packed.warnings.len(), manifest.layers.iter().filter(unknown).count());
    packed.warnings.iter().for_each(crate::check::assert_says_something);

    let document = ManifestOrIndex::decode(&built.bytes).expect("a packed manifest can be read");
    assert_eq!(document.media_type(), manifest.form.media_type());
    assert_eq!(ManifestOrIndex::decode(&document.encode_indented()).as_ref(), Ok(&document), "indented");
    if let ManifestOrIndex::Index(index) = &document {
        assert_eq!(index.manifests.last(), Some(&manifest.config), "the config stands last");
    }
    let Ok(Unpacked::Cache(read)) = unpack(&built.descriptor, &built.bytes) else { panic!("it is a cache") };
    let layers = manifest.layers.iter().map(|layer| layer.in_dialect(dialect)).collect();
    assert_eq!(read, CacheManifest { layers, ..manifest.clone() });
    assert_eq!(read.pack(Vec::new()).map(|again| again.root), Ok(built), "built twice");
}

/// Writes a cache of one record, with a result of some of the layers, into an image of all layers, and reads it back.
fn inline(layers: &[Descriptor], result: &[usize]) {
    let picked: Vec<&Descriptor> = result.iter().map(|at| &layers[*at]).collect();
    let mut chains = CacheChains::new();
    let Ok(layer) = chains.layers(picked.iter().copied()) else { return };
    let created_at: Timestamp = "2026-01-02T03:04:05Z".parse().expect("it is a time");
    let digest = RecordDigest::new("sha256:a");
    chains.add(&digest, &[], &[NewResult { created_at, layer }]).expect("a root can be added");

    let image: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
    let Some(text) = write_inline(&chains.graph().expect("one record is not tangled"), &image) else {
        return assert!(picked.is_empty(), "nothing was written for a result with all layers in the image");
    };
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", layer.digest)).collect();
    let config =
        format!(r#"{{"rootfs":{{"diff_ids":[{}]}},"moby.buildkit.cache.v0":"{text}"}}"#, diff_ids.join(","));
    let manifest = ImageManifest::new(
        Descriptor::new(MediaType::OCI_IMAGE_CONFIG, Digest::sha256([0; 32]), 0),
        layers.to_vec(),
    );
    let outcome = read_inline(&manifest, config.as_bytes()).expect("a written inline cache can be read");
    let InlineOutcome::Cache(cache) = outcome else { panic!("there is a cache: {outcome:?}") };
    let read =
        CacheChains::from_config(&cache.config, &cache.layers).expect("a written inline cache can be loaded");
    let graph = read.chains.graph().expect("one record is not tangled");
    let record = graph.records().next().expect("there is a record");
    let found = record.results().next().expect("it has a result");
    let blobs: Vec<Digest> = found.layers().iter().map(|layer| layer.digest).collect();
    assert_eq!(blobs, picked.iter().map(|layer| layer.digest).collect::<Vec<_>>());
    // A list of layers has no time of its own.
    assert!(found.created_at() == created_at || found.created_at().is_zero());
}

impl RawDescriptor<'_> {
    fn descriptor(&self) -> Descriptor {
        let digest = match self.digest % 8 {
            7 => Digest::sha512([self.digest; 64]),
            byte => Digest::sha256([byte; 32]),
        };
        // A blob has one size; a quarter of the inputs gets a size that may contradict it.
        let size = if self.size.is_multiple_of(4) { self.size } else { u64::from(self.digest % 8) };
        let media_type = MediaType::new(self.media_type.of(&MEDIA_TYPES));
        let mut descriptor = Descriptor::new(media_type, digest, size);
        descriptor.annotations = annotations(&self.annotations);
        let extra = self.extra.as_ref().map(RawExtra::extra);
        descriptor.extra = extra.filter(|extra| *extra != DescriptorExtra::default()).map(Arc::new);
        descriptor
    }
}

impl RawExtra<'_> {
    fn extra(&self) -> DescriptorExtra {
        DescriptorExtra {
            urls: owned(&self.urls),
            data: self.data.to_owned(),
            platform: self.platform.as_ref().map(|platform| Platform {
                architecture: platform.architecture.to_owned(),
                os: platform.os.to_owned(),
                os_version: platform.os_version.to_owned(),
                os_features: owned(&platform.os_features),
                variant: platform.variant.to_owned(),
            }),
            artifact_type: self.artifact_type.to_owned(),
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn annotations(pairs: &[(Text<'_>, &str)]) -> Annotations {
    pairs.iter().map(|(key, value)| (key.of(&KEYS), *value)).collect()
}
