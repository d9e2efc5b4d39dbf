//! Targets that open, and targets that are refused before anything is created.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{ErrorKind, Job, LayoutOptions, MemoryStore, Name, Source};
use cache_model::Compression;
use cache_model::{Descriptor, Digest, MediaType};
use cache_target::{
    Attribute, Attributes, ExportAttributes, LocalScheme, Mode, Opened, Role, Scheme, TargetError, Targets,
    ValueKind,
};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name).display().to_string()
}

/// The error of a target that has to be refused; an empty text if it opens.
async fn refused(text: &str, role: Role) -> String {
    let opened = Targets::with_local().open(text, role).await;
    opened.err().map_or_else(String::new, |error| error.to_string())
}

#[tokio::test]
async fn a_real_cache_opens_and_resolves_by_string_and_by_bare_path() {
    let path = fixture("app-max-manifest-oci-gzip");
    let targets = Targets::with_local();
    let mut found = Vec::new();
    for text in [path.clone(), format!("{path}:latest"), format!("type=local,src={path}")] {
        let opened = targets.open(&text, Role::Source).await.unwrap();
        assert_eq!(opened.location, path);
        assert!(opened.writer.is_none());
        assert_eq!(opened.is_named, text.ends_with(":latest"));
        found.push(opened.store.resolve(&opened.name).await.unwrap().descriptor);
    }
    found.dedup();
    let [descriptor] = found.as_slice() else { panic!("one cache, not {found:?}") };
    let by_digest = format!("{path}@{}", descriptor.digest);
    let opened = targets.open(&by_digest, Role::Source).await.unwrap();
    assert_eq!(opened.name, Name::Digest(descriptor.digest));
    assert_eq!(opened.store.resolve(&opened.name).await.unwrap().descriptor.digest, descriptor.digest);
    assert_eq!(opened.store.info(descriptor).await.unwrap().size, descriptor.size);
}

#[tokio::test]
async fn a_destination_is_made_and_its_attributes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let text = format!(
        "type=local,dest={},image-manifest=0,oci-mediatypes=F,ignore-error=TRUE,mode=max,reset=false,force-compression=0",
        path.display()
    );
    let opened = Targets::with_local().open(&text, Role::Destination).await.unwrap();
    assert_eq!(opened.name, Name::Tag("latest".to_owned()));
    assert_eq!(opened.export.image_manifest, Some(false));
    assert_eq!(opened.export.oci_mediatypes, Some(false));
    assert!(opened.export.ignore_error);
    assert!(opened.writer.is_some());
    assert!(path.join("oci-layout").is_file());

    let bare = format!("{}:main", path.display());
    let opened = Targets::with_local().open(&bare, Role::Destination).await.unwrap();
    assert_eq!(opened.name, Name::Tag("main".to_owned()));
    assert_eq!(opened.export, ExportAttributes::default());
}

#[tokio::test]
async fn the_options_of_the_scheme_hold_for_its_destinations() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let digest: Digest = DIGEST.parse().unwrap();
    // The digest is that of an empty blob, but the file has one byte, and no source has the right content.
    let empty = MemoryStore::new();
    let blob = Descriptor::new(MediaType::default(), digest, 1);
    let file = folder.path().join("blobs/sha256").join(digest.hex());
    for (rehash, is_trusted) in [(false, true), (true, false)] {
        let mut targets = Targets::new();
        targets.register(Box::new(LocalScheme::new(
            LayoutOptions::default().with_sync(false).with_rehash(rehash),
        )));
        let opened = targets.open(&path, Role::Destination).await.unwrap();
        std::fs::write(&file, "x").unwrap();
        let put =
            opened.writer.unwrap().put(&blob, &Source::new(&empty, blob.clone(), &Job::default())).await;
        assert_eq!(put.is_ok(), is_trusted, "{put:?}");
    }
}

#[tokio::test]
async fn a_missing_source_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent");
    let error = Targets::with_local().open(&path.display().to_string(), Role::Source).await.unwrap_err();
    let TargetError::Store(error) = error else { panic!("not the store's error: {error}") };
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!path.exists());
}

#[tokio::test]
async fn an_attribute_that_cannot_be_honoured_is_refused_with_a_reason() {
    for (attribute, expected) in [
        ("compression=zstd", "compression=zstd cannot be honoured: layers are copied as they are"),
        ("compression-level=3", "compression-level=3 cannot be honoured: layers are copied as they are"),
        ("force-compression=", "force-compression= cannot be honoured: layers are copied as they are"),
        ("force-compression=1", "force-compression=1 cannot be honoured: layers are copied as they are"),
        (
            "mode=min",
            "mode=min cannot be honoured: a cache is copied whole; its steps were chosen when it was built",
        ),
        ("reset=true", "reset=true cannot be honoured: caches without a tag are never removed from a folder"),
    ] {
        let text = format!("type=local,dest=never-made,{attribute}");
        let error = Targets::with_local().open(&text, Role::Destination).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(matches!(error, TargetError::Unsupported { .. }), "{error:?}");
        assert_eq!(error.attribute(), attribute.split('=').next());
    }
    assert!(!Path::new("never-made").exists());
}

#[tokio::test]
async fn a_build_tool_gets_the_values_that_a_copy_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let targets = Targets::with_local().with_export_attributes(ExportAttributes::BUILD);
    let open = async |attributes: &str| {
        let text = format!("type=local,dest={},{attributes}", folder.path().display());
        targets.open(&text, Role::Destination).await.map(|opened| opened.export)
    };
    let export = open("mode=min,compression=zstd,compression-level=19,force-compression=").await.unwrap();
    assert_eq!((export.mode, export.compression), (Some(Mode::Min), Some(Compression::Zstd)));
    assert_eq!((export.compression_level, export.force_compression), (Some(19), Some(true)));
    let export = open("mode=max").await.unwrap();
    assert_eq!((export.mode, export.compression, export.force_compression), (Some(Mode::Max), None, None));
    for (attributes, expected) in [
        ("mode=mxa", "mode=mxa: expected one of min, max"),
        ("compression-level=high", "compression-level=high: expected a whole number"),
        ("reset=true", "reset=true cannot be honoured: caches without a tag are never removed from a folder"),
    ] {
        assert_eq!(open(attributes).await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn a_malformed_value_is_an_error_even_of_a_refused_attribute() {
    for (attribute, expected) in [
        ("image-manifest=yes", "image-manifest=yes: expected true or false"),
        ("oci-mediatypes=", "oci-mediatypes=: expected true or false"),
        ("ignore-error=maybe", "ignore-error=maybe: expected true or false"),
        ("mode=mxa", "mode=mxa: expected one of min, max"),
        ("mode=maxx", "mode=maxx: expected one of min, max; did you mean max?"),
        (
            "compression=gzp",
            "compression=gzp: expected one of uncompressed, gzip, estargz, zstd; did you mean gzip?",
        ),
        ("compression-level=high", "compression-level=high: expected a whole number"),
        ("reset=", "reset=: expected true or false"),
        ("tag=", "tag=: expected a value"),
    ] {
        let text = format!("type=local,dest=never-made,{attribute}");
        assert_eq!(refused(&text, Role::Destination).await, expected);
    }
    assert_eq!(
        refused("type=local,src=x,digest=12", Role::Source).await,
        "digest=12: expected a digest, sha256: and 64 lower-case hexadecimal digits"
    );
}

#[tokio::test]
async fn an_unknown_attribute_is_an_error_that_says_what_was_meant() {
    for (text, role, expected) in [
        (
            "type=local,dest=x,imagemanifest=1",
            Role::Destination,
            "type=local has no attribute imagemanifest as a destination; did you mean image-manifest?",
        ),
        (
            "type=local,src=x,ref=y",
            Role::Source,
            "type=local has no attribute ref as a source; it takes src, digest, tag",
        ),
        (
            "type=local,dest=x",
            Role::Source,
            "dest is an attribute of a destination; a source of type=local takes src, digest, tag",
        ),
        ("type=local,tag=x", Role::Source, "type=local needs the attribute src, as in type=local,src=FOLDER"),
    ] {
        assert_eq!(refused(text, role).await, expected);
    }
}

#[tokio::test]
async fn a_type_of_buildkit_without_a_store_is_absent_and_not_unknown() {
    for kind in ["registry", "inline", "s3", "azblob", "gha"] {
        let error = Targets::with_local().open(&format!("type={kind}"), Role::Source).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("type={kind} cannot be honoured: this build has no such store; it has local")
        );
        assert!(matches!(error, TargetError::Unsupported { .. }));
    }
    assert_eq!(
        refused("type=regsitry,ref=x", Role::Source).await,
        "type=regsitry is unknown; did you mean registry?"
    );
    assert_eq!(
        refused("type=ftp,src=x", Role::Source).await,
        "type=ftp is unknown; known are azblob, gha, inline, local, registry, s3"
    );
}

/// A store of another crate.
struct Memory(Arc<MemoryStore>);

#[async_trait]
impl Scheme for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn attributes(&self, _: Role) -> &'static [Attribute] {
        const { &[Attribute::new("digest", ValueKind::Digest)] }
    }

    async fn open(&self, attributes: &Attributes, _: Role) -> Result<Opened, TargetError> {
        let name = attributes.digest("digest")?.map_or(Name::Unspecified, Name::Digest);
        Ok(Opened::source("memory", name, self.0.clone()))
    }
}

#[tokio::test]
async fn another_crate_can_add_its_store() {
    let mut targets = Targets::with_local();
    targets.register(Box::new(Memory(Arc::new(MemoryStore::new()))));
    targets.register(Box::new(Memory(Arc::new(MemoryStore::new()))));
    assert_eq!(targets.kinds().collect::<Vec<_>>(), ["local", "memory"]);
    let opened = targets.open(&format!("type=memory,digest={DIGEST}"), Role::Source).await.unwrap();
    assert_eq!(opened.name, Name::Digest(DIGEST.parse().unwrap()));
    assert_eq!(
        targets.open("type=memroy", Role::Source).await.unwrap_err().to_string(),
        "type=memroy is unknown; did you mean memory?"
    );
}

/// A store that holds one kind of manifest only.
struct ManifestsOnly;

#[async_trait]
impl Scheme for ManifestsOnly {
    fn kind(&self) -> &'static str {
        "manifests"
    }

    fn attributes(&self, _: Role) -> &'static [Attribute] {
        const { &[Attribute::only("image-manifest", ValueKind::Bool, "true", "it holds no index")] }
    }

    async fn open(&self, _: &Attributes, _: Role) -> Result<Opened, TargetError> {
        Ok(Opened::source("here", Name::Unspecified, Arc::new(MemoryStore::new())))
    }
}

#[tokio::test]
async fn a_scheme_may_refuse_what_other_destinations_honour() {
    let mut targets = Targets::new();
    targets.register(Box::new(ManifestsOnly));
    let open = async |text: &str| targets.open(text, Role::Destination).await.map(|opened| opened.export);
    assert_eq!(open("type=manifests,image-manifest=true").await.unwrap().image_manifest, Some(true));
    assert_eq!(
        open("type=manifests,image-manifest=0").await.unwrap_err().to_string(),
        "image-manifest=0 cannot be honoured: it holds no index"
    );
}
