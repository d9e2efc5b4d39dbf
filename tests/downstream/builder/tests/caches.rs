//! Caches of every form are written, read again, and need no async runtime.

use std::process::Command;

use builder::{Error, Folder};
use cache_format::{Form, ManifestOrIndex, Unpacked, decode_config, encode_config, unpack};
use cache_model::{CacheChains, Descriptor, Link, MediaType, NewResult, RecordDigest};

fn chains() -> Result<CacheChains, Error> {
    let mut chains = CacheChains::new();
    let source = chains.add(&RecordDigest::of_output("sha256:source", 0), &[], &[])?.ok_or("random")?;
    let layer = Descriptor::of(MediaType::OCI_LAYER_TAR, "a layer");
    let result = NewResult::new(chains.layers([&layer])?, "2026-11-27T10:00:00Z".parse()?);
    chains.add(&RecordDigest::of_output("sha256:step", 0), &[&[Link::new(source, "/src")]], &[result])?;
    Ok(chains)
}

#[test]
fn a_cache_of_each_form_is_written_and_read_again() -> Result<(), Error> {
    let chains = chains()?;
    let config = chains.marshal(&|_| true)?.config;
    for form in [Form::Manifest, Form::Index, Form::DockerList] {
        let temporary = tempfile::tempdir()?;
        let folder = Folder::create(temporary.path())?;
        folder.write(&chains, form, |_| Ok(b"a layer".to_vec()))?;

        let ManifestOrIndex::Index(index) = ManifestOrIndex::decode(&std::fs::read(folder.index())?)? else {
            return Err("index.json is no index".into());
        };
        let root = &index.manifests[0];
        let Unpacked::Cache(cache) = unpack(root, &std::fs::read(folder.blob(root))?)? else {
            return Err("no cache".into());
        };
        assert_eq!(cache.form, form);
        assert_eq!(std::fs::read(folder.blob(&cache.layers[0]))?, b"a layer");
        let bytes = std::fs::read(folder.blob(&cache.config))?;
        assert_eq!(decode_config(&bytes)?, config);
        assert_eq!(bytes, encode_config(&config));
    }
    Ok(())
}

#[test]
fn nothing_of_async_is_in_its_dependencies() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--package",
            "builder",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("cache-format"), "{tree}");
    for never in ["tokio", "futures", "async", "reqwest", "oci-spec"] {
        assert!(!tree.lines().any(|line| line.starts_with(never)), "{never} is in\n{tree}");
    }
}
