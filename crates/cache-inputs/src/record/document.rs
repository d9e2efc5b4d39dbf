//! A JSON object whose members are not read before they are asked for: a record is large, and its form is seen by a few names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::RecordError;

/// An object, with the texts of its members.
pub(crate) struct Document<'a> {
    text: &'a str,
    members: BTreeMap<String, &'a RawValue>,
}

impl<'a> Document<'a> {
    /// # Errors
    /// [`RecordError::Json`] if the bytes are no JSON, [`RecordError::Unknown`] if they are no object.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let raw: &RawValue = serde_json::from_slice(bytes).map_err(RecordError::not_json)?;
        Self::of(raw).ok_or(RecordError::Unknown)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The names of all members, with their values.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Member<'a>)> {
        self.members.iter().map(|(name, raw)| (name.as_str(), Member(raw)))
    }

    /// The value of a member.
    pub(crate) fn member(&self, name: &str) -> Option<Member<'a>> {
        self.members.get(name).map(|raw| Member(raw))
    }

    /// The object that a member is.
    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        self.member(name)?.object()
    }

    /// Reads the whole object.
    pub(crate) fn read<T: Deserialize<'a>>(&self) -> Result<T, RecordError> {
        serde_json::from_str(self.text).map_err(|error| {
            let error = error.to_string();
            // The line would be counted from the beginning of this object.
            RecordError::damaged(error.rsplit_once(" at line ").map_or(error.as_str(), |(fault, _)| fault))
        })
    }

    fn of(raw: &'a RawValue) -> Option<Self> {
        Some(Self { text: raw.get(), members: serde_json::from_str(raw.get()).ok()? })
    }
}

/// The value of a member.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a>(&'a RawValue);

impl<'a> Member<'a> {
    pub(crate) fn object(self) -> Option<Document<'a>> {
        Document::of(self.0)
    }

    /// The value if it has this type.
    pub(crate) fn read<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }
}
