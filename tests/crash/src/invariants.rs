//! What must be true of a cache's folder whenever its program or its machine stops.
//!
//! No blob has wrong content; the index names only complete caches; a copy that was reported done is there. Checking
//! changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cache_ingest::{Hasher, Job, LayoutOptions, LayoutStore, Name, Resolver};
use cache_model::Digest;
use cache_verify::{Severity, VerifyOptions, verify};

/// The file `oci-layout` of every layout.
const OCI_LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// The beginning of the names of blobs that a collection has taken out of their place.
const WITHDRAWN: &str = "bkcache-gc-";

/// The manifests that each tag may name whose copy was reported done. More than one while a copy to the tag is under way.
pub(crate) type Claims = BTreeMap<String, Vec<Digest>>;

/// One line for each breach.
pub(crate) async fn check(cache: &Path, claims: &Claims) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    check_blobs(cache, &mut breaches)?;
    if cache.join("index.json").exists()
        && let Err(error) = check_entries(cache, &mut breaches).await
    {
        breaches.push(format!("the layout cannot be read: {error:#}"));
    }
    if !claims.is_empty() && fs::read_to_string(cache.join("oci-layout")).ok().as_deref() != Some(OCI_LAYOUT)
    {
        breaches.push("oci-layout is absent or not whole, and other programs need it".to_owned());
    }
    for (tag, digests) in claims {
        match resolve(cache, tag).await {
            Ok(found) if digests.contains(&found) => {}
            Ok(found) => breaches.push(format!("{tag} was reported done and is {found}, an older one")),
            Err(error) => breaches.push(format!("{tag} was reported done and is not there: {error}")),
        }
    }
    Ok(breaches)
}

/// The digest of the manifest that a tag names.
pub(crate) async fn resolve(cache: &Path, tag: &str) -> Result<Digest, cache_ingest::Error> {
    let store = LayoutStore::open(cache, LayoutOptions::default()).await?;
    Ok(store.resolve(&Name::Tag(tag.to_owned())).await?.descriptor.digest)
}

/// Every file under `blobs/` that is named by a digest has the content of that digest.
fn check_blobs(cache: &Path, breaches: &mut Vec<String>) -> Result<()> {
    for algorithm in names(&cache.join("blobs"))? {
        for name in names(&cache.join("blobs").join(&algorithm))? {
            let Ok(digest) = format!("{algorithm}:{name}").parse::<Digest>() else { continue };
            let bytes =
                fs::read(cache.join("blobs").join(&algorithm).join(&name)).context("cannot read a blob")?;
            if Hasher::digest(digest.algorithm(), &bytes) != digest {
                breaches.push(format!("{digest} has other content, {} bytes", bytes.len()));
            }
        }
    }
    Ok(())
}

/// The manifest, config and layers of every entry exist. [`check_blobs`] checks their content.
async fn check_entries(cache: &Path, breaches: &mut Vec<String>) -> Result<()> {
    let store = LayoutStore::open(cache, LayoutOptions::default()).await?;
    let options = VerifyOptions::default().with_blobs(false);
    for entry in store.entries().await? {
        let name = Name::Digest(entry.descriptor()?.digest);
        let report = verify(&store, &name, &options, &Job::default()).await;
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                breaches.push(format!("{:?} is named and cannot be read: {error}", entry.tag()));
                continue;
            }
        };
        let wrong = report.findings.iter().filter(|finding| finding.severity() == Severity::Error);
        breaches
            .extend(wrong.map(|finding| format!("{:?} is named and not complete: {finding}", entry.tag())));
    }
    Ok(())
}

/// The number of staged files of bkcache that a copy should have cleared. Blobs that a collection has taken out of their place
/// wait for the next one, and a part of a blob that is not stored may be continued.
pub(crate) fn staged(cache: &Path) -> Result<usize> {
    let is_to_continue = |name: &str| {
        let part = name.strip_prefix("bkcache-part-").and_then(|part| part.split_once('-'));
        part.is_some_and(|(algorithm, hex)| !cache.join("blobs").join(algorithm).join(hex).exists())
    };
    let is_staged = |name: &&String| {
        name.starts_with("bkcache-") && !name.starts_with(WITHDRAWN) && !is_to_continue(name)
    };
    Ok(names(&cache.join("ingest"))?.iter().filter(is_staged).count())
}

/// The number of blobs that a collection has taken out of their place.
pub(crate) fn withdrawn(cache: &Path) -> Result<usize> {
    Ok(names(&cache.join("ingest"))?.iter().filter(|name| name.starts_with(WITHDRAWN)).count())
}

/// The names in a folder; none where it is absent.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    entries
        .map(|entry| Ok(entry.context("cannot read a folder")?.file_name().to_string_lossy().into_owned()))
        .collect()
}
