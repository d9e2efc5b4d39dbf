//! Bare words: a folder or a registry's reference without `type=` in front, with a tag or a digest behind it where one
//! is wanted.
//!
//! `PATH`, `PATH:TAG`, `PATH@DIGEST`, `PATH:TAG@DIGEST`; `HOST/REPOSITORY` with the same endings. A path that exists as it
//! was typed is that path, whatever colons it has, and so is one whose first folder exists, whatever host it looks like;
//! this is the one question asked to the file system, and the caller answers it.

use std::net::Ipv6Addr;
use std::path::Path;

use crate::{Attributes, Role, TargetError};

/// Whether a text is a bare word rather than attributes: it has no `=`, or it starts as only a path does.
pub(crate) fn is_bare(text: &str) -> bool {
    starts_as_a_path(text) || !text.contains('=')
}

fn starts_as_a_path(text: &str) -> bool {
    let starts = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    starts || (cfg!(windows) && starts_as_on_windows(text))
}

/// Whether a bare word names a registry: it begins with a host, which has a dot or a port or is `localhost`, and not
/// with a folder that exists.
fn is_reference(text: &str, exists: &dyn Fn(&Path) -> bool) -> bool {
    let Some((host, _)) = text.split_once('/').filter(|(host, _)| !host.starts_with('.')) else {
        return false;
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let is_host = match port {
        _ if host.starts_with('[') => true,
        Some(port) => !name.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
        None => host.contains('.') || host == "localhost",
    };
    is_host && !starts_as_a_path(text) && !exists(Path::new(host)) && !exists(Path::new(name))
}

/// Whether a bare word is a registry's host and no more: `localhost`, Docker Hub's, or one that has a port, too. A word
/// with nothing but a dot in it is a folder's name as likely, and so is one without a dot whose tag is a number.
fn is_host_alone(text: &str, exists: &dyn Fn(&Path) -> bool) -> bool {
    let is_v6 = |name: &str| {
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    };
    let (name, port) = match text.rsplit_once(':').filter(|_| !text.ends_with(']')) {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let has_dot = || name.contains('.') && !name.starts_with('.') && !name.contains(['/', '\\', ':', '@']);
    let is_host = match port {
        Some(port) => port.parse::<u16>().is_ok() && (name == "localhost" || has_dot() || is_v6(name)),
        None => ["localhost", "docker.io", "index.docker.io"].contains(&name) || is_v6(name),
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
        return Err(TargetError::usage("`-` is no cache: name a folder (./- is one of that name)"));
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(TargetError::usage(match scheme {
            "docker" | "http" | "https" => format!(
                "`{text}` is not a folder: a registry's name has no {scheme}://, as in registry.example.com/app"
            ),
            _ => format!(
                "`{text}` is not a folder: a place that is no folder is named by type=, not by {scheme}://"
            ),
        }));
    }
    if is_host_alone(text, exists) {
        return Err(TargetError::usage(format_args!(
            "the repository is missing: {text}/NAME; ./{text} names a folder"
        )));
    }
    if is_reference(text, exists) {
        let mut attributes = Attributes::new("registry");
        attributes.set("ref", text);
        return Ok(attributes);
    }
    let mut path = text;
    let mut attributes = Attributes::new("local");
    if !exists(Path::new(path))
        && let Some((before, digest)) = digest_of(path)
    {
        if role == Role::Destination {
            return Err(TargetError::usage(format_args!(
                "`{text}`: a destination is named by a tag; its digest is that of what is written"
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
    attributes.set(role.path_key(), path);
    Ok(attributes)
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

/// The path and the name of `PATH:NAME`, where the name has a slash, as the full name of an image does: then the path is
/// the shortest one that exists.
fn image_name_of<'t>(text: &'t str, exists: &dyn Fn(&Path) -> bool) -> Option<(&'t str, &'t str)> {
    let colons = text.match_indices(':').map(|(at, _)| at);
    let mut splits = colons.filter_map(|at| Some((text.get(..at)?, text.get(at + 1..)?)));
    splits.find(|(path, name)| name.contains('/') && !path.is_empty() && exists(Path::new(path)))
}

/// `.\`, `..\`, `\` or a drive.
fn starts_as_on_windows(text: &str) -> bool {
    let drive = text.split_once(':').is_some_and(|(drive, _)| {
        drive.chars().count() == 1 && drive.chars().all(|letter| letter.is_ascii_alphabetic())
    });
    drive || ["\\", ".\\", "..\\"].iter().any(|start| text.starts_with(start))
}
