//! Attribute strings: `type=local,dest=/cache,tag=main`.
//!
//! They are read as buildx reads them, and can be written again. What they mean is not known here: a
//! [`Scheme`](crate::Scheme) says which attributes it takes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cache_model::Digest;

use crate::{Role, TargetError, bare, csv, value};

/// A type of store, and values by key.
///
/// Displays as the string that [`Attributes::parse`] reads, the type first, then the keys in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    kind: String,
    values: BTreeMap<String, String>,
}

impl Attributes {
    /// No attributes, of a type.
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), values: BTreeMap::new() }
    }

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
        let mut values = BTreeMap::new();
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
                kind = Some(value.to_owned());
            } else {
                values.insert(key, value.to_owned());
            }
        }
        match kind {
            Some(kind) if !kind.is_empty() => Ok(Self { kind, values }),
            Some(_) => Err(TargetError::malformed("type", "", "the name of a store, such as local")),
            None => Err(TargetError::usage(format_args!("`{text}` has no type: put type=local, in front"))),
        }
    }

    /// The value of `type`: which store.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Sets a value, in the place of a former one. The key is taken in lower case, as in a string.
    pub fn set(&mut self, key: &str, value: &str) {
        self.values.insert(key.trim().to_lowercase(), value.to_owned());
    }

    /// The value of a key, as it was typed.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The value of a key that has to be there; `example` shows the attribute, for the error.
    pub fn required(&self, key: &str, example: &str) -> Result<&str, TargetError> {
        self.get(key).ok_or_else(|| TargetError::missing(&self.kind, key, example))
    }

    /// The value of a key as a boolean, in Go's spellings.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, TargetError> {
        self.get(key).map(|text| value::boolean(key, text)).transpose()
    }

    /// The value of a key as a boolean that is true when it is empty, as `force-compression=` is.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, TargetError> {
        self.get(key)
            .map(|text| if text.is_empty() { Ok(true) } else { value::boolean(key, text) })
            .transpose()
    }

    /// The value of a key as a whole number.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, TargetError> {
        self.get(key).map(|text| value::integer(key, text)).transpose()
    }

    /// The value of a key as a digest.
    pub fn digest(&self, key: &str) -> Result<Option<Digest>, TargetError> {
        self.get(key).map(|text| value::digest(key, text)).transpose()
    }

    /// All keys but `type`, in order, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&csv::quote(&format!("type={}", self.kind)))?;
        for (key, value) in self.iter() {
            write!(f, ",{}", csv::quote(&format!("{key}={value}")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
