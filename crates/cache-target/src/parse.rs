//! From what a user typed to attributes: an attribute string, a bare path, or a bare reference.
//!
//! Attribute strings are read as buildx reads them. Besides the text, only the existence of paths matters.

use std::path::Path;

use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::role::Role;
use crate::{bare, csv};

impl Attributes {
    /// Reads a target: an attribute string, a bare path, or a bare reference.
    ///
    /// An **attribute string** is one CSV record of fields `key=value`, one of which is `type`. A field with a comma or a
    /// quote is quoted whole, and a quote inside is doubled (`"dest=a,b"`). Keys are converted to lower case and trimmed.
    /// Values are kept as they are, and may hold further `=`. If a key is repeated, its last value counts. All this is as in
    /// buildx, with one exception: buildx reads every word without `=` as a registry reference; here it has to begin with
    /// a host, else it is a path.
    ///
    /// A **bare reference** is a text without `=` that begins with a registry's host and a slash
    /// (`registry.example.com/app:main`, `localhost/app`, `[::1]:5000/app@sha256:…`). The host has a dot or a port or is
    /// `localhost`, and no folder of its name exists. It means `type=registry` with `ref`. A host without a repository is
    /// an error if it is hardly meant as a path: `localhost`, `docker.io`, or a port behind `localhost`, a name with a dot
    /// or an address (`localhost:5000`, `registry.example.com:443`).
    ///
    /// A **bare path** is any other text without `=`, and every text that starts with `/`, `./`, `../` or `~/` (which is
    /// not expanded). It means `type=local` with `src` or `dest`, depending on `role`. A text that Docker would read as a
    /// reference is an error, however, unless it is one word or its first part exists: `user/app` and `app:main` name
    /// a folder as `./user/app` and `./app:main`, and a repository with its host. A path that exists as it was typed
    /// is taken whole: `./cache:main` is the folder of that name if there is one. Otherwise, `@sha256:…` at its end is the
    /// digest (of a source), and the text behind the last colon is the tag, unless it contains a slash or, on Windows, the
    /// colon is a drive's. A name with a slash, such as the full name of an image, is the text behind the first colon
    /// before which a path exists.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] if the text is none of these.
    pub fn parse(text: &str, role: Role) -> Result<Self, TargetError> {
        Self::parse_with(text, role, &|path| path.exists())
    }

    pub(crate) fn parse_with(
        text: &str,
        role: Role,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Result<Self, TargetError> {
        if text.trim().is_empty() {
            let key = role.path_key();
            return Err(TargetError::usage(format_args!(
                "no {role} is given: name a folder or a registry's HOST/REPOSITORY:TAG, or write type=local,{key}=FOLDER"
            )));
        }
        if bare::is_bare(text) {
            return bare::attributes(text, role, exists);
        }
        let fields = csv::fields(text)
            .map_err(|error| TargetError::usage(format_args!("`{text}`: {}", error.explain())))?;
        let mut kind = None;
        let mut values = Vec::new();
        for field in &fields {
            let Some((key, value)) = field.split_once('=') else {
                return Err(TargetError::usage(format_args!(
                    "`{field}` is not an attribute: write key=value"
                )));
            };
            let key = key.trim().to_lowercase();
            if key.is_empty() {
                return Err(TargetError::usage(format_args!(
                    "`{field}` is not an attribute: there is no key before the ="
                )));
            }
            if key == "type" {
                kind = Some(value);
            } else {
                values.push((key, value));
            }
        }
        match kind {
            Some(kind) if !kind.is_empty() => {
                let mut attributes = Self::new(kind);
                values.iter().for_each(|(key, value)| attributes.set(key, value));
                Ok(attributes)
            }
            Some(_) => Err(TargetError::malformed("type", "", "the name of a store, such as local")),
            None => Err(TargetError::usage(format_args!("`{text}` has no type: put type=local, in front"))),
        }
    }
}

#[cfg(test)]
mod tests;
