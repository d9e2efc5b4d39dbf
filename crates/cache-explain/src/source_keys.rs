//! The keys of a build's sources, as far as the build's record and the layers of caches tell what they resolved to.

use std::collections::HashMap;

use cache_keys::{FileActionKind, HttpFacts, Op, SourceKind, SourceOp, Step, StepOutput};
use cache_model::{Descriptor, Digest};

use crate::{Build, Cache, SourceIdentity};

/// The keys of a source, each with what it is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceKeys {
    pub(crate) keys: Vec<(Digest, SourceIdentity)>,
    /// Whether no key is missing.
    pub(crate) is_complete: bool,
}

/// The diff IDs of layers, by the digests of their blobs.
pub(crate) struct DiffIds(HashMap<Digest, Digest, foldhash::fast::RandomState>);

impl DiffIds {
    /// Those that the layers of some caches name.
    pub(crate) fn of<'a>(caches: impl IntoIterator<Item = &'a Cache<'a>>) -> Self {
        let layers = caches.into_iter().flat_map(|cache| cache.graph().chains().all_layers());
        let known = layers.filter_map(|layer| {
            let descriptor = layer.descriptor();
            Some((descriptor.digest, descriptor.diff_id()?))
        });
        Self(known.collect())
    }

    /// The diff IDs of all of these layers.
    fn of_layers(&self, layers: &[Descriptor]) -> Option<Vec<Digest>> {
        let diff_id = |layer: &Descriptor| layer.diff_id().or_else(|| self.0.get(&layer.digest).copied());
        layers.iter().map(diff_id).collect()
    }
}

impl SourceKeys {
    /// The keys of the source that is the step at this position.
    pub(crate) fn of(
        build: &Build,
        position: usize,
        step: &Step,
        source: &SourceOp,
        known: &DiffIds,
    ) -> Self {
        match source.kind() {
            SourceKind::Image(image) => {
                let platform = step.platform.as_ref().unwrap_or(&build.platform);
                let digest = image.digest().or_else(|| resolved_image(build, image.reference));
                let mut keys = Vec::new();
                if let Some(digest) = digest {
                    keys.push((image.manifest_key(&digest, platform), SourceIdentity::Manifest(digest)));
                }
                let diff_ids = diff_ids(build, position, known);
                let is_complete = digest.is_some() && diff_ids.is_some();
                if let Some((key, count)) =
                    diff_ids.and_then(|ids| Some((cache_keys::ImageSource::layers_key(&ids)?, ids.len())))
                {
                    keys.push((key, SourceIdentity::Layers(count)));
                }
                Self { keys, is_complete }
            }
            SourceKind::Git(git) => {
                let commit = commit(build, source);
                let keys = commit.iter().flat_map(|commit| {
                    git.keys(commit)
                        .into_iter()
                        .map(|key| (key, SourceIdentity::Commit((*commit).to_owned())))
                });
                let keys: Vec<_> = keys.collect();
                Self { is_complete: !keys.is_empty(), keys }
            }
            SourceKind::Http(http) => {
                let pinned = source.attributes.get("http.checksum").and_then(|text| text.parse().ok());
                let checksum = pinned.or_else(|| {
                    format!("sha256:{}", resolved(build, "sha256", |uri| uri == http.url)?).parse().ok()
                });
                let facts =
                    checksum.map(|checksum| HttpFacts { checksum, filename: None, last_modified: None });
                let keys = facts.iter().map(|facts| (http.key(facts), SourceIdentity::File(facts.checksum)));
                // The date that a server sent is in no record.
                Self { keys: keys.collect(), is_complete: pinned.is_some() }
            }
            _ => Self::default(),
        }
    }
}

/// The diff IDs of an image, if its layers are known.
fn diff_ids(build: &Build, source: usize, known: &DiffIds) -> Option<Vec<Digest>> {
    let lists = build.layers.get(&StepOutput { step: source, output: 0 });
    let mut lists = lists.into_iter().flatten();
    lists.find_map(|layers| known.of_layers(layers)).or_else(|| {
        let is_base = !build.base_diff_ids.is_empty() && base(build) == Some(source);
        is_base.then(|| build.base_diff_ids.clone())
    })
}

/// The source on which the last stage stands.
fn base(build: &Build) -> Option<usize> {
    let last = build.definition.steps().last()?;
    let mut at = last.inputs.first()?.step;
    loop {
        let step = build.definition.step(at)?;
        let input = match &step.op {
            Op::Source(_) => return Some(at),
            Op::Exec(exec) => exec.mounts.iter().find(|mount| mount.dest == "/")?.input?,
            Op::File(file) => {
                // An action that removes or makes files stands on the stage, too.
                let first = file.actions.first()?;
                if matches!(first.kind, FileActionKind::Unrecorded) {
                    return None;
                }
                first.input?
            }
            Op::Merge(_) => 0,
            _ => return None,
        };
        // Every input comes earlier, so this ends.
        at = step.inputs.get(input)?.step;
    }
}

/// A digest of what a dependency of the build resolved to.
fn resolved<'b>(build: &'b Build, algorithm: &str, is_it: impl Fn(&str) -> bool) -> Option<&'b str> {
    let found = build.resolved.iter().find(|dependency| is_it(&dependency.uri))?;
    found.digests.get(algorithm).map(String::as_str)
}

/// The commit that a Git source resolved to: that of the dependency with the same reference, else of the only one of the same
/// repository.
fn commit<'b>(build: &'b Build, source: &SourceOp) -> Option<&'b str> {
    let address = without_scheme(&source.identifier);
    resolved(build, "sha1", |uri| without_scheme(uri) == address).or_else(|| {
        let uris = build.resolved.iter().map(|dependency| dependency.uri.as_str());
        let mut same = uris.filter(|uri| repository(uri) == repository(address));
        let only = same.next().filter(|_| same.next().is_none())?;
        resolved(build, "sha1", |uri| uri == only)
    })
}

/// The manifest of an image whose reference has no digest, from a package URL such as
/// `pkg:docker/example.com/app@1?platform=linux%2Famd64`.
fn resolved_image(build: &Build, reference: &str) -> Option<Digest> {
    let is_it = |uri: &str| {
        let package = uri.strip_prefix("pkg:docker/").or_else(|| uri.strip_prefix("pkg:oci/"));
        let package = package.map(|package| package.split(['?', '#']).next().unwrap_or_default());
        let Some((name, version)) = package.and_then(|package| package.rsplit_once('@')) else {
            return false;
        };
        let (wanted, tag) = match reference.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (reference, "latest"),
        };
        short_name(name) == short_name(wanted) && version == tag
    };
    format!("sha256:{}", resolved(build, "sha256", is_it)?).parse().ok()
}

/// A name as Docker shows it, without its own registry.
fn short_name(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

fn without_scheme(uri: &str) -> &str {
    uri.split_once("://").map_or(uri, |(_, rest)| rest)
}

/// The repository that a URL names, without the reference.
fn repository(uri: &str) -> &str {
    without_scheme(uri).split('#').next().unwrap_or_default()
}
