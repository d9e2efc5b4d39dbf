//! Laws of reading and writing, on generated input.

use std::sync::Arc;

use cache_format::{
    CacheManifest, Form, ImageConfig, ImageIndex, ImageManifest, ManifestOrIndex, decode_config,
    decode_record_line, encode_config, read_inline,
};
use cache_model::{
    Annotations, CacheConfig, CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, DescriptorExtra,
    Dialect, Digest, LayerAnnotations, MediaType, Platform, RecordDigest, Timestamp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::data::Fixture;

const LAYER_TYPES: [&str; 14] = [
    "",
    "application/x-unknown",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.config.v1+json",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z/.:]{1,12}", "[<>&\"\\\\\u{2028}\u{1}é😀]{1,4}", ".{0,8}"]
}

fn any_digest() -> impl Strategy<Value = Digest> {
    prop_oneof![
        9 => any::<[u8; 32]>().prop_map(Digest::sha256),
        1 => any::<([u8; 32], [u8; 32])>().prop_map(|(a, b)| Digest::sha512([a, b].concat().try_into().unwrap())),
    ]
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    let offset = prop_oneof![Just("Z".to_owned()), "[+-](0[0-9]|1[0-3]):[0-5][0-9]"];
    let fraction = prop_oneof![Just(String::new()), "\\.[0-9]{1,9}"];
    let text =
        ("(19|20)[0-9][0-9]-(0[1-9]|1[0-2])-[01][1-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9]", fraction, offset);
    prop_oneof![Just(Timestamp::ZERO), text.prop_map(|(a, b, c)| format!("{a}{b}{c}").parse().unwrap())]
}

fn any_layer_annotations() -> impl Strategy<Value = LayerAnnotations> {
    (any_text(), any_text(), any::<i64>(), any_time()).prop_map(|(media_type, diff_id, size, created_at)| {
        LayerAnnotations { media_type, diff_id, size, created_at }
    })
}

fn any_config() -> impl Strategy<Value = CacheConfig> {
    let layer = (option::of(any_digest()), any::<i32>(), option::weighted(0.2, any_layer_annotations()));
    let digest =
        prop_oneof![any_text().prop_map(|text| RecordDigest::new(&text)), any_digest().prop_map(Into::into)];
    let record = (
        digest,
        vec((any::<i32>(), any_time()), 0..3),
        vec((vec(any::<i32>(), 0..3), any_time()), 0..3),
        vec(vec((any_text(), any::<i32>()), 0..3), 0..3),
    );
    (vec(layer, 0..5), vec(record, 0..5)).prop_map(|(layers, records)| {
        let mut builder = CacheConfigBuilder::new();
        for (blob, parent, annotations) in layers {
            builder.layer(ConfigLayer { blob, parent, annotations: annotations.map(Box::new) });
        }
        for (digest, results, chains, inputs) in records {
            let mut built = builder.record(digest);
            for (layer, created_at) in results {
                built.result(ConfigResult { layer, created_at });
            }
            for (layers, created_at) in chains {
                built.chain(&layers, created_at);
            }
            for links in inputs {
                let mut input = built.input();
                for (selector, record) in links {
                    input.link(&selector, record);
                }
            }
        }
        builder.finish()
    })
}

fn any_annotations() -> impl Strategy<Value = Annotations> {
    vec((any_text(), any_text()), 0..3).prop_map(|pairs| pairs.into_iter().collect())
}

fn any_platform() -> impl Strategy<Value = Platform> {
    let architecture = prop_oneof![Just("amd64".to_owned()), Just("armbe".to_owned()), any_text()];
    (architecture, any_text(), any_text(), vec(any_text(), 0..2), any_text()).prop_map(
        |(architecture, os, os_version, os_features, variant)| Platform {
            architecture,
            os,
            os_version,
            os_features,
            variant,
        },
    )
}

fn any_extra() -> impl Strategy<Value = Option<Arc<DescriptorExtra>>> {
    (vec(any_text(), 0..2), any_text(), option::of(any_platform()), any_text()).prop_map(
        |(urls, data, platform, artifact_type)| {
            let extra = DescriptorExtra { urls, data, platform, artifact_type };
            (extra != DescriptorExtra::default()).then(|| Arc::new(extra))
        },
    )
}

pub(crate) fn any_descriptor() -> impl Strategy<Value = Descriptor> {
    let media_type =
        prop_oneof![proptest::sample::select(&LAYER_TYPES[..]).prop_map(str::to_owned), any_text()];
    let size = 0..=i64::MAX.unsigned_abs();
    let extra = prop_oneof![4 => Just(None), 1 => any_extra()];
    (media_type, any_digest(), size, any_annotations(), extra).prop_map(
        |(media_type, digest, size, annotations, extra)| Descriptor {
            media_type: MediaType::new(&media_type),
            digest,
            size,
            annotations,
            extra,
        },
    )
}

pub(crate) fn any_document() -> impl Strategy<Value = ManifestOrIndex> {
    let own_type = proptest::sample::select(&[0usize, 1, 2, 3][..]);
    let parts = (any::<u32>(), own_type, any_text(), any_annotations());
    let entries = (any_descriptor(), vec(any_descriptor(), 0..4), option::weighted(0.2, any_descriptor()));
    (any::<bool>(), parts, entries).prop_map(|(is_index, parts, (config, list, subject))| {
        let (schema_version, own_type, artifact_type, annotations) = parts;
        let own_type = |types: [MediaType; 2]| match own_type {
            0 => MediaType::default(),
            1 => MediaType::new("application/x-unknown"),
            n => types[n - 2].clone(),
        };
        if is_index {
            let media_type = own_type([MediaType::OCI_INDEX, MediaType::DOCKER_LIST]);
            let manifests = list;
            ManifestOrIndex::Index(ImageIndex {
                schema_version,
                media_type,
                artifact_type,
                manifests,
                subject,
                annotations,
            })
        } else {
            let media_type = own_type([MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST]);
            let layers = list;
            ManifestOrIndex::Manifest(ImageManifest {
                schema_version,
                media_type,
                artifact_type,
                config,
                layers,
                subject,
                annotations,
            })
        }
    })
}

/// Gives the bytes to every reader, to check that none panics.
fn read_all(bytes: &[u8]) {
    let _ = decode_config(bytes).map(|config| encode_config(&config));
    let _ = ManifestOrIndex::decode(bytes)
        .map(|document| CacheManifest::from_document(&document).map(|m| m.pack(Vec::new())));
    let _ = ImageConfig::decode(bytes);
    let _ = decode_record_line(bytes);
    let manifest = ManifestOrIndex::decode(&Fixture::named("inline-oci-true").manifest()).unwrap();
    if let ManifestOrIndex::Manifest(manifest) = manifest {
        let _ = read_inline(&manifest, bytes);
    }
}

/// A document of a real cache: a manifest, an index, a cache config, an image config.
fn seed() -> impl Strategy<Value = Vec<u8>> {
    let of = |name: &str| {
        let fixture = Fixture::named(name);
        let text = fixture.manifest();
        let config = match ManifestOrIndex::decode(&text).unwrap() {
            ManifestOrIndex::Manifest(manifest) => manifest.config,
            ManifestOrIndex::Index(index) => index.manifests.last().unwrap().clone(),
        };
        let config = fixture.blob(&config.digest);
        [text, config]
    };
    let names = ["app-min-manifest-oci-gzip", "app-max-index-docker-gzip", "inline-oci-true"];
    proptest::sample::select(names.into_iter().flat_map(of).collect::<Vec<_>>())
}

proptest! {
    /// Law: a config that is written and read is the same config, and writes the same text.
    #[test]
    fn a_config_comes_back_as_it_was(config in any_config()) {
        let text = encode_config(&config);
        let back = decode_config(&text).unwrap();
        prop_assert_eq!(encode_config(&back), text);
        prop_assert!(back == config);
    }

    /// Law: a document that is written and read is the same document, compact or indented.
    #[test]
    fn a_document_comes_back_as_it_was(document in any_document()) {
        prop_assert_eq!(&ManifestOrIndex::decode(&document.encode()).unwrap(), &document);
        prop_assert_eq!(&ManifestOrIndex::decode(&document.encode_indented()).unwrap(), &document);
    }

    /// Law: no bytes make a reader panic.
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    /// Law: no damage to a real document makes a reader panic.
    #[test]
    fn no_damage_makes_a_reader_panic(
        mut text in seed(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        for (at, byte, kind) in damage {
            let at = at.index(text.len());
            match kind {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
            if text.is_empty() {
                break;
            }
        }
        read_all(&text);
    }

    /// Law: converting to a form twice is converting once, and a manifest whose layers have twins in both dialects
    /// comes back from another form to the same bytes.
    #[test]
    fn forms_convert_and_come_back(layers in vec(any_descriptor(), 0..5), mut config in any_descriptor()) {
        config.media_type = MediaType::CACHE_CONFIG;
        let (subject, annotations) = (layers.first().cloned(), config.annotations.clone());
        let artifact_type = "a/b".to_owned();
        let forms = [Form::Manifest, Form::Index, Form::DockerList];
        let own = CacheManifest { form: Form::Manifest, layers, config, artifact_type, subject, annotations };
        let lossless = own.layers.iter().all(|layer| {
            let oci = layer.in_dialect(Dialect::Oci);
            oci.in_dialect(Dialect::Docker).in_dialect(Dialect::Oci) == oci
        });
        for form in forms {
            let built = CacheManifest { form, ..own.clone() }.pack(Vec::new()).unwrap();
            let read = CacheManifest::from_document(&ManifestOrIndex::decode(&built.root.bytes).unwrap()).unwrap();
            let unknown = own.layers.iter().filter(|l| l.media_type.in_dialect(form.dialect()).is_none());
            prop_assert_eq!(built.warnings.len(), unknown.count());
            prop_assert_eq!(read.clone().pack(Vec::new()).unwrap().root, built.root);
            let back = CacheManifest { form: Form::Manifest, ..read }.pack(Vec::new()).unwrap();
            prop_assert!(!lossless || back.root == own.clone().pack(Vec::new()).unwrap().root);
        }
    }
}
