//! A cache goes to the types of `oci-spec` and back, and nothing of it is lost.

use cache_format::{Form, descriptor_from_oci, descriptor_to_oci, pack};
use cache_model::{CacheConfigBuilder, ConfigLayer, Descriptor, MediaType, RecordDigest};
use oci_types::Root;

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

#[test]
fn a_cache_is_the_same_after_a_round_trip() -> Result {
    let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, "a layer");
    let mut config = CacheConfigBuilder::new();
    let position = config.layer(ConfigLayer::new(layer.digest, None));
    config
        .record(RecordDigest::of_output("sha256:step", 0))
        .chain(&[position], "2026-11-27T10:00:00Z".parse()?);
    let config = config.finish();

    for form in [Form::Manifest, Form::Index] {
        let packed = pack(form, &config, std::slice::from_ref(&layer))?;
        let root = Root::of(&packed)?;
        assert_eq!(matches!(root, Root::Manifest(_)), form == Form::Manifest);
        assert_eq!(root.cache()?, Some((form, vec![layer.clone()])));
    }
    Ok(())
}

#[test]
fn a_descriptor_is_the_same_after_a_round_trip() -> Result {
    let layer = Descriptor::of(MediaType::OCI_LAYER_ZSTD, "a layer");
    let theirs = descriptor_to_oci(&layer)?;
    assert_eq!(theirs.size(), 7);
    assert_eq!(descriptor_from_oci(&theirs)?, layer);
    Ok(())
}
