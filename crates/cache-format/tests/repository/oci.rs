//! To `oci-spec` and back.

use cache_format::{ImageIndex, ImageManifest, ManifestOrIndex, descriptor_from_oci, descriptor_to_oci};
use oci_spec::image as oci;
use proptest::prelude::*;

use crate::data::Fixture;
use crate::properties::{any_descriptor, any_document};

fn round_trip(document: &ManifestOrIndex) -> ManifestOrIndex {
    match document {
        ManifestOrIndex::Manifest(ours) => {
            let theirs = oci::ImageManifest::try_from(ours).unwrap();
            ManifestOrIndex::Manifest(ImageManifest::try_from(&theirs).unwrap())
        }
        ManifestOrIndex::Index(ours) => {
            let theirs = oci::ImageIndex::try_from(ours).unwrap();
            ManifestOrIndex::Index(ImageIndex::try_from(&theirs).unwrap())
        }
    }
}

#[test]
fn every_fixture_comes_back_from_oci_spec_to_the_byte() {
    for fixture in Fixture::all() {
        let document = ManifestOrIndex::decode(&fixture.manifest()).unwrap();
        assert_eq!(round_trip(&document).encode(), document.encode(), "{}", fixture.name);
    }
}

#[test]
fn documents_that_oci_spec_reads_are_read_the_same() {
    for fixture in Fixture::all() {
        match ManifestOrIndex::decode(&fixture.manifest()).unwrap() {
            ManifestOrIndex::Manifest(ours) => {
                let theirs = oci::ImageManifest::from_reader(fixture.manifest().as_slice()).unwrap();
                assert_eq!(oci::ImageManifest::try_from(&ours).unwrap(), theirs, "{}", fixture.name);
            }
            ManifestOrIndex::Index(ours) => {
                let theirs = oci::ImageIndex::from_reader(fixture.manifest().as_slice()).unwrap();
                assert_eq!(oci::ImageIndex::try_from(&ours).unwrap(), theirs, "{}", fixture.name);
            }
        }
    }
}

#[test]
fn a_digest_that_we_do_not_know_is_refused_and_its_layer_named() {
    let theirs = oci::Descriptor::new(
        oci::MediaType::ImageLayer,
        1,
        "sha384:00"
            .parse::<oci::Digest>()
            .unwrap_or_else(|_| format!("sha384:{}", "0".repeat(96)).parse().unwrap()),
    );
    assert!(descriptor_from_oci(&theirs).is_err());
    let config = oci::Descriptor::new(
        oci::MediaType::ImageConfig,
        1,
        format!("sha256:{}", "0".repeat(64)).parse::<oci::Digest>().unwrap(),
    );
    let manifest = oci::ImageManifestBuilder::default()
        .schema_version(2u32)
        .config(config.clone())
        .layers(vec![config, theirs])
        .build()
        .unwrap();
    let error = ImageManifest::try_from(&manifest).unwrap_err();
    assert_eq!(error.place(), Some("layer 1"));
}

proptest! {
    /// Law: a descriptor and a document come back from `oci-spec` as they were.
    #[test]
    fn values_come_back_from_oci_spec(descriptor in any_descriptor(), document in any_document()) {
        prop_assert_eq!(&descriptor_from_oci(&descriptor_to_oci(&descriptor).unwrap()).unwrap(), &descriptor);
        prop_assert_eq!(&round_trip(&document), &document);
    }
}
