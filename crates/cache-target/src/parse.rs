//! From what a user typed to attributes: an attribute string, a bare path, or a bare reference.
//!
//! Attribute strings are read as buildx reads them. The one question that is asked outside of the text is whether a path
//! exists.

use std::path::Path;

use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::role::Role;
use crate::{bare, csv};

impl Attributes {
    /// Reads what a user typed: an attribute string, a bare path, or a bare reference.
    ///
    /// An **attribute string** is one CSV record of fields `key=value`. A field with a comma or a quote in it is
    /// quoted whole, a quote within quotes is doubled (`"dest=a,b"`). Keys are taken in lower case, without the
    /// space around them; values as they are, whatever further `=` they hold. Of a key that comes twice, the last
    /// value counts. `type` has to be there. All this is buildx's reading, but for one thing: where buildx takes any
    /// word without `=` for a registry reference, here it has to begin with a host, and is a path otherwise.
    ///
    /// A **bare reference** is a text without `=` that begins with a registry's host and a slash
    /// (`registry.example.com/app:main`, `localhost/app`, `[::1]:5000/app@sha256:…`): one with a dot or a port, or
    /// `localhost`, and not the name of a folder that exists. It means `type=registry` with `ref`. A host without a
    /// repository is an error rather than a path, where it can hardly be meant as one: `localhost`, `docker.io`, or a
    /// port behind `localhost`, a name with a dot or an address (`localhost:5000`, `registry.example.com:443`).
    ///
    /// A **bare path** is any other text without `=`, or one that starts with `/`, `./`, `../` or `~/` (which is not
    /// expanded). It means `type=local` with `src` or `dest`, after `role`. If nothing exists at the path as it
    /// was typed, `@sha256:…` at its end is a digest (of a source), and what follows the last colon is a tag,
    /// unless there is a slash in it or, on Windows, the colon is a drive's. A name with a slash in it, an image's full
    /// name, is what follows the first colon before which there is something. Nothing but that existence is looked
    /// up here; `./cache:main` names the folder of that name as long as there is one.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`], for a text that is neither.
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
