//! The destination of an export: a store, a name, and a form.
//!
//! It never writes anything itself.

use std::fmt;

use cache_format::{Form, FormatError};
use cache_ingest::{Expect, Name, WriteStore};
use cache_target::{ExportAttributes, Opened};

use crate::ExportError;

/// The destination of an export.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Destination<'a> {
    /// The store.
    pub store: &'a dyn WriteStore,
    /// The name that the cache gets.
    pub name: &'a Name,
    /// The manifest that the name must point at before the export.
    pub expect: Expect,
    /// The form. `None` keeps the form of an existing cache, and takes the default for a new one.
    pub form: Option<Form>,
    /// The annotations, by key and value, that the manifest gets beside those that it has.
    pub annotations: &'a [(String, String)],
}

impl<'a> Destination<'a> {
    /// A name in a store. It may point at anything, and the form is not given.
    pub fn new(store: &'a dyn WriteStore, name: &'a Name) -> Self {
        Self { store, name, expect: Expect::Any, form: None, annotations: &[] }
    }

    /// The destination that a user named, in the form that its attributes ask for.
    ///
    /// # Errors
    /// [`ExportError::ReadOnly`] for a target that was opened as a source; [`ExportError::Format`] for
    /// `image-manifest=true` with `oci-mediatypes=false`.
    pub fn of(target: &'a Opened) -> Result<Self, ExportError> {
        let read_only = || ExportError::ReadOnly { location: target.location.clone() };
        let store = target.writer.as_deref().ok_or_else(read_only)?;
        let form = form_of(&target.export).map_err(ExportError::Format)?;
        Ok(Self::new(store, &target.name).with_form(form))
    }

    /// The same destination with another form.
    #[must_use]
    pub fn with_form(self, form: impl Into<Option<Form>>) -> Self {
        Self { form: form.into(), ..self }
    }

    /// The same destination, whose manifest gets these annotations.
    #[must_use]
    pub fn with_annotations(self, annotations: &'a [(String, String)]) -> Self {
        Self { annotations, ..self }
    }

    /// The same destination, which is written only if its name meets the expectation.
    #[must_use]
    pub fn with_expect(self, expect: Expect) -> Self {
        Self { expect, ..self }
    }
}

impl fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("name", &self.name)
            .field("expect", &self.expect)
            .field("form", &self.form)
            .field("annotations", &self.annotations)
            .finish_non_exhaustive()
    }
}

/// The form that the attributes `image-manifest` and `oci-mediatypes` ask for; `None` if neither is given.
///
/// # Errors
/// Those of [`Form::from_attributes`].
pub fn form_of(attributes: &ExportAttributes) -> Result<Option<Form>, FormatError> {
    match (attributes.image_manifest, attributes.oci_mediatypes) {
        (None, None) => Ok(None),
        (image_manifest, oci_mediatypes) => Form::from_attributes(image_manifest, oci_mediatypes).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use cache_ingest::MemoryStore;

    use super::*;

    #[test]
    fn a_destination_shows_its_name_and_form() {
        let (store, name) = (MemoryStore::new(), Name::Tag("main".to_owned()));
        let destination = Destination::new(&store, &name).with_form(Form::Index).with_expect(Expect::Absent);
        let shown = format!("{destination:?}");
        assert!(shown.contains("main") && shown.contains("Index") && shown.contains("Absent"), "{shown}");
    }
}
