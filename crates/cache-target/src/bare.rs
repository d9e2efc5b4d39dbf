//! Bare paths: a folder without `type=` in front, with a tag or a digest behind it where one is wanted.
//!
//! `PATH`, `PATH:TAG`, `PATH@DIGEST`, `PATH:TAG@DIGEST`. A path that exists as it was typed is that path, whatever
//! colons it has; this is the one question asked to the file system, and the caller answers it.

use std::path::Path;

use crate::{Attributes, Role, TargetError};

/// Whether a text is a bare path rather than attributes: it has no `=`, or it starts as only a path does.
pub(crate) fn is_bare(text: &str) -> bool {
    let starts = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    starts || !text.contains('=') || (cfg!(windows) && starts_as_on_windows(text))
}

/// The attributes that a bare path stands for.
pub(crate) fn attributes(
    text: &str,
    role: Role,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Attributes, TargetError> {
    if text == "-" {
        return Err(TargetError::usage("`-` is no cache: name a folder (./- is one of that name)"));
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(TargetError::usage(format_args!(
            "`{text}` is not a folder: a place that is no folder is named by type=, not by {scheme}://"
        )));
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
