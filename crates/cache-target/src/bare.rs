//! Bare words: a folder or a registry reference without `type=`, optionally with a tag and a digest.
//!
//! `PATH`, `PATH:TAG`, `PATH@DIGEST`, `PATH:TAG@DIGEST`; `HOST/REPOSITORY` with the same endings. A word that exists as a
//! path is that path, and a word whose first part exists as a folder does not begin with a host. A word that is no folder and
//! could be a reference without its host is refused, as guessing wrong would make a folder instead of a push. The caller answers
//! which paths exist; the file system is not touched here.

use std::path::Path;

use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::host::Host;
use crate::prefix;
use crate::reference::Reference;
use crate::role::Role;

/// Whether a text is a bare word and no attribute string: it has no `=`, or starts as only a path does.
pub(crate) fn is_bare(text: &str) -> bool {
    starts_as_a_path(text) || !text.contains('=')
}

fn starts_as_a_path(text: &str) -> bool {
    let starts = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    starts || (cfg!(windows) && starts_as_on_windows(text))
}

/// Whether a bare word names a registry: it begins with a host and a slash, and not with a folder that exists.
fn is_reference(text: &str, exists: &dyn Fn(&Path) -> bool) -> bool {
    let Some((first, _)) = text.split_once('/').filter(|(first, _)| !first.starts_with('.')) else {
        return false;
    };
    let host = Host::split(first);
    let is_host = host.is_recognizable()
        && !host.name.is_empty()
        && (host.port.is_none() || host.name.starts_with('[') || host.has_digits_as_port());
    is_host && !starts_as_a_path(text) && !exists(Path::new(first)) && !exists(Path::new(host.name))
}

/// Whether a bare word is a registry's host without a repository: `localhost`, Docker Hub's, or one with a port.
///
/// `my.cache` is not, as it is just as likely the name of a folder. `cache:2024` is not, as it may be a folder with a
/// tag.
fn is_host_alone(text: &str, exists: &dyn Fn(&Path) -> bool) -> bool {
    let host = Host::split(text);
    let name = host.name;
    let has_dot = || name.contains('.') && !name.starts_with('.') && !name.contains(['/', '\\', ':', '@']);
    let is_host = match host.port {
        Some(port) => port.parse::<u16>().is_ok() && (name == "localhost" || has_dot() || host.is_ipv6()),
        None => name == "localhost" || host.is_docker_hub() || host.is_ipv6(),
    };
    is_host && !starts_as_a_path(text) && !exists(Path::new(text)) && !exists(Path::new(name))
}

/// The attributes that a bare word stands for.
pub(crate) fn attributes(
    text: &str,
    role: Role,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Attributes, TargetError> {
    if text == "-" {
        return Err(TargetError::usage("`-` is not a cache: name a folder, such as ./-"));
    }
    // `registry:5000/app` is a host with a port.
    if is_reference(text, exists) {
        let mut attributes = Attributes::new("registry");
        attributes.set("ref", text);
        return Ok(attributes);
    }
    if let Some(refusal) = prefix::refusal(text, exists) {
        return Err(refusal);
    }
    if is_host_alone(text, exists) {
        return Err(TargetError::usage(format_args!(
            "the repository is missing: {text}/NAME; ./{text} names a folder"
        )));
    }
    let mut path = text;
    let mut attributes = Attributes::new("local");
    if !exists(Path::new(path))
        && let Some((before, digest)) = digest_of(path)
    {
        if role == Role::Destination {
            return Err(TargetError::usage(format_args!(
                "`{text}`: a destination takes a tag and no digest, since its content is not written yet"
            )));
        }
        crate::value::digest("digest", digest)?;
        attributes.set("digest", digest);
        path = before;
    }
    if !exists(Path::new(path))
        && let Some((before, tag)) = image_name_of(path, exists).or_else(|| tag_of(path))
    {
        if tag.is_empty() {
            return Err(TargetError::usage(format_args!("`{text}`: there is no tag after the colon")));
        }
        attributes.set("tag", tag);
        path = before;
    }
    if path.is_empty() {
        return Err(TargetError::usage(format_args!("`{text}`: there is no path before the tag or digest")));
    }
    if let Some(reference) = docker_hub_reference(text, path, exists) {
        return Err(TargetError::usage(format_args!(
            "there is no folder {path}: write ./{text} for a folder, or {reference} for Docker Hub"
        )));
    }
    attributes.set(role.path_key(), path);
    Ok(attributes)
}

/// The reference that a bare word is to Docker, with its host; `None` for a word that can only be meant as a path.
///
/// It has a slash, a tag or a digest, and its path does not exist. Without a tag and a digest, a first part that exists as a
/// folder makes it a path. With one it does not: a project may have a folder with its user's name. Upper case counts as
/// mistyped: a repository has none.
fn docker_hub_reference(text: &str, path: &str, exists: &dyn Fn(&Path) -> bool) -> Option<String> {
    let first = path.split_once('/').map_or(path, |(first, _)| first);
    let is_in_a_folder = exists(Path::new(first)) && (text == path || Host::split(first).is_recognizable());
    if text == first || starts_as_a_path(text) || is_in_a_folder || exists(Path::new(path)) {
        return None;
    }
    let ending = text.find([':', '@']).and_then(|at| text.split_at_checked(at));
    let (repository, ending) = ending.unwrap_or((text, ""));
    let reference: Reference = format!("{}{ending}", repository.to_ascii_lowercase()).parse().ok()?;
    Some(format!("{}{ending}", reference.repository()))
}

/// The path and the digest of `PATH@DIGEST`.
fn digest_of(text: &str) -> Option<(&str, &str)> {
    let (path, digest) = text.rsplit_once('@')?;
    (digest.starts_with("sha256:") || digest.starts_with("sha512:")).then_some((path, digest))
}

/// The path and the tag of `PATH:TAG`.
fn tag_of(text: &str) -> Option<(&str, &str)> {
    let (path, tag) = text.rsplit_once(':')?;
    let a_drive = cfg!(windows) && path.chars().count() == 1;
    (!a_drive && !tag.contains(['/', '\\'])).then_some((path, tag))
}

/// The path and the name of `PATH:NAME`, if the name has a slash, as the full name of an image has. The path is the
/// shortest one that exists.
fn image_name_of<'t>(text: &'t str, exists: &dyn Fn(&Path) -> bool) -> Option<(&'t str, &'t str)> {
    let colons = text.match_indices(':').map(|(at, _)| at);
    let mut splits = colons.filter_map(|at| Some((text.get(..at)?, text.get(at + 1..)?)));
    splits.find(|(path, name)| name.contains('/') && !path.is_empty() && exists(Path::new(path)))
}

/// Whether a text starts with `.\`, `..\`, `\` or a drive.
fn starts_as_on_windows(text: &str) -> bool {
    let drive = text.split_once(':').is_some_and(|(drive, _)| {
        drive.chars().count() == 1 && drive.chars().all(|letter| letter.is_ascii_alphabetic())
    });
    drive || ["\\", ".\\", "..\\"].iter().any(|start| text.starts_with(start))
}
