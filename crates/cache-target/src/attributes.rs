//! Attributes as data: a type of store, and values by key. They are written as an attribute string.
//!
//! Nothing here knows what they mean: a [`Scheme`](crate::Scheme) says which attributes it takes.

use std::collections::BTreeMap;
use std::fmt;

use cache_model::Digest;

use crate::csv;
use crate::error::TargetError;
use crate::value;

/// A type of store, and values by key.
///
/// Displays as the string that [`Attributes::parse`] reads, the type first, then the keys in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attributes {
    kind: String,
    values: BTreeMap<String, String>,
}

impl Attributes {
    /// A type without any attributes.
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), values: BTreeMap::new() }
    }

    /// The value of `type`, which selects the store.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Sets a value, which replaces a former one. The key is converted to lower case, as in a string.
    pub fn set(&mut self, key: &str, value: &str) {
        self.values.insert(key.trim().to_lowercase(), value.to_owned());
    }

    /// The value of a key, as it was typed.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The value of a required key. `example` shows the attribute in the error, as in `"src=FOLDER"`.
    pub fn required(&self, key: &str, example: &str) -> Result<&str, TargetError> {
        self.get(key).ok_or_else(|| TargetError::missing(&self.kind, key, example))
    }

    /// The value of a key as a boolean, in Go's spellings.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, TargetError> {
        self.get(key).map(|text| value::boolean(key, text)).transpose()
    }

    /// The value of a key as a boolean. An empty value is true, as in `force-compression=`.
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
