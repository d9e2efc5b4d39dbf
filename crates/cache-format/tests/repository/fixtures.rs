//! Every document of every real cache comes back to the byte.

use cache_format::{CacheManifest, Form, ManifestOrIndex, decode_config, encode_config, pack};
use cache_model::{Descriptor, Digest, MediaType};

use crate::data::Fixture;

fn cache(fixture: &Fixture) -> CacheManifest {
    let document = ManifestOrIndex::decode(&fixture.manifest()).unwrap();
    CacheManifest::from_document(&document).unwrap_or_else(|| panic!("{} is a cache", fixture.name))
}

#[test]
fn every_manifest_and_index_is_reproduced_to_the_byte() {
    for fixture in Fixture::all() {
        for text in [fixture.index(), fixture.manifest()] {
            let document = ManifestOrIndex::decode(&text).unwrap();
            let written = if text.contains(&b'\n') { document.encode_indented() } else { document.encode() };
            assert_eq!(
                written.escape_ascii().to_string(),
                text.escape_ascii().to_string(),
                "{}",
                fixture.name
            );
        }
    }
}

#[test]
fn every_config_is_reproduced_to_the_byte() {
    for fixture in Fixture::caches() {
        let manifest = cache(&fixture);
        let text = fixture.blob(&manifest.config.digest);
        let config = decode_config(&text).unwrap();
        assert_eq!(config.layers().len(), manifest.layers.len(), "{}", fixture.name);
        assert_eq!(encode_config(&config), text, "{}", fixture.name);
    }
}

#[test]
fn every_manifest_is_built_again_from_its_config_and_descriptors() {
    for fixture in Fixture::caches() {
        let found = cache(&fixture);
        let config = decode_config(&fixture.blob(&found.config.digest)).unwrap();
        // One descriptor for each layer of the config, whatever dialect the manifest had.
        let layers: Vec<Descriptor> = config
            .layers()
            .iter()
            .map(|layer| found.layers.iter().find(|d| Some(d.digest) == layer.blob).unwrap())
            .map(|descriptor| descriptor.in_dialect(cache_model::Dialect::Oci))
            .collect();
        let packed = pack(found.form, &config, &layers).unwrap();
        assert_eq!(packed.config(), &found.config, "{}", fixture.name);
        assert_eq!(packed.layers, layers);
        assert_eq!(packed.warnings, []);
        let built = packed.root;
        assert_eq!(built.bytes, fixture.manifest(), "{}", fixture.name);
        assert_eq!(built.descriptor.digest, fixture.manifest_digest());
        assert_eq!(built.descriptor.digest, Digest::of(&built.bytes));
        assert_eq!(built.descriptor.size, built.bytes.len() as u64);
    }
}

#[test]
fn every_manifest_comes_back_from_every_other_form() {
    for fixture in Fixture::caches() {
        let own = cache(&fixture);
        for form in [Form::Manifest, Form::Index, Form::DockerList] {
            let other = CacheManifest { form, ..own.clone() }.pack(Vec::new()).unwrap().root;
            assert_eq!(other.descriptor.media_type, form.media_type());
            let mut back =
                CacheManifest::from_document(&ManifestOrIndex::decode(&other.bytes).unwrap()).unwrap();
            assert_eq!(back.form, form);
            back.form = own.form;
            assert_eq!(
                back.pack(Vec::new()).unwrap().root.descriptor.digest,
                fixture.manifest_digest(),
                "{}",
                fixture.name
            );
        }
    }
}

#[test]
fn the_manifest_of_one_build_converts_to_the_index_that_buildkit_wrote_of_it() {
    for (from, to) in [
        ("app-max-manifest-oci-gzip", "app-max-index-oci-gzip"),
        ("app-max-manifest-oci-gzip", "app-max-index-docker-gzip"),
        ("app-max-manifest-oci-zstd", "app-max-index-oci-zstd"),
        ("app-max-manifest-oci-uncompressed", "app-max-index-docker-uncompressed"),
        ("app-min-manifest-oci-gzip", "app-min-index-oci-gzip"),
    ] {
        let (from, to) = (Fixture::named(from), Fixture::named(to));
        let converted =
            CacheManifest { form: cache(&to).form, ..cache(&from) }.pack(Vec::new()).unwrap().root;
        assert_eq!(converted.bytes.escape_ascii().to_string(), to.manifest().escape_ascii().to_string());
    }
}

#[test]
fn the_form_is_the_one_requested_of_buildkit() {
    for fixture in Fixture::caches() {
        let want = match &fixture.name {
            name if name.contains("index-docker") => Form::DockerList,
            name if name.contains("index-oci") => Form::Index,
            _ => Form::Manifest,
        };
        assert_eq!(cache(&fixture).form, want, "{}", fixture.name);
    }
}

#[test]
fn an_image_with_an_inline_cache_is_no_cache_of_its_own() {
    for name in ["inline-oci-true", "inline-oci-false"] {
        let document = ManifestOrIndex::decode(&Fixture::named(name).manifest()).unwrap();
        assert_eq!(CacheManifest::from_document(&document), None);
        assert!(document.media_type().is_manifest());
    }
    let index = ManifestOrIndex::decode(&Fixture::named("inline-oci-true").index()).unwrap();
    assert_eq!(CacheManifest::from_document(&index), None);
    assert_eq!(index.media_type(), MediaType::OCI_INDEX);
}
