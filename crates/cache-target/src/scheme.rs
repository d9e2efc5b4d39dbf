//! A kind of store, which is opened by its `type=`, and the target that it opens.
//!
//! Crates with stores implement [`Scheme`]. None of them is named here.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{Lister, Name, NameStore, ReadStore, ReferrerStore, WriteStore};

use crate::attribute::Attribute;
use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::export_attributes::ExportAttributes;
use crate::role::Role;

/// A kind of store: one entry of the table from `type=` to stores.
#[async_trait]
pub trait Scheme: Send + Sync {
    /// The value of `type=` that selects it.
    fn kind(&self) -> &'static str;

    /// The attributes that it knows in a role, including those that it refuses.
    ///
    /// [`Targets`](crate::Targets) adds those of [`ExportAttributes`] for destinations. A scheme lists one of them only to
    /// treat it differently, for example to refuse it.
    fn attributes(&self, role: Role) -> &'static [Attribute];

    /// Opens the store. The attributes are of this kind, and each has been checked against [`Scheme::attributes`].
    async fn open(&self, attributes: &Attributes, role: Role) -> Result<Opened, TargetError>;
}

/// An opened target.
#[derive(Clone)]
#[non_exhaustive]
pub struct Opened {
    /// Its path or reference, for messages.
    pub location: String,
    /// The name of the manifest in the store.
    pub name: Name,
    /// Whether the user gave this name to a source; false if it is the default.
    pub is_named: bool,
    /// Reads its manifests and blobs.
    pub store: Arc<dyn ReadStore>,
    /// Lists its manifests, if the store can.
    pub lister: Option<Arc<dyn Lister>>,
    /// Lists and removes the names of its manifests, if the store can.
    pub names: Option<Arc<dyn NameStore>>,
    /// Finds the manifests that refer to its manifests, and adds some, if the store can.
    pub referrers: Option<Arc<dyn ReferrerStore>>,
    /// Writes blobs and manifests, if it is a destination.
    pub writer: Option<Arc<dyn WriteStore>>,
    /// How a cache is to be written to it. [`Targets`](crate::Targets) reads it from the attributes.
    pub export: ExportAttributes,
}

impl Opened {
    /// A store from which caches are read.
    pub fn source(location: impl Into<String>, name: Name, store: Arc<dyn ReadStore>) -> Self {
        Self {
            location: location.into(),
            is_named: name != Name::Unspecified,
            name,
            store,
            lister: None,
            names: None,
            referrers: None,
            writer: None,
            export: ExportAttributes::default(),
        }
    }

    /// A store to which caches are written.
    pub fn destination<S>(location: impl Into<String>, name: Name, store: Arc<S>) -> Self
    where
        S: ReadStore + WriteStore + 'static,
    {
        let source = Self::source(location, name, Arc::<S>::clone(&store));
        Self { writer: Some(store), ..source }
    }

    /// Adds the list of manifests.
    #[must_use]
    pub fn with_lister(self, lister: Arc<dyn Lister>) -> Self {
        Self { lister: Some(lister), ..self }
    }

    /// Adds the list of manifests, and the removal of their names.
    #[must_use]
    pub fn with_names<S: NameStore + 'static>(self, store: Arc<S>) -> Self {
        let names: Arc<dyn NameStore> = store.clone();
        Self { names: Some(names), ..self.with_lister(store) }
    }

    /// Adds the manifests that refer to others.
    #[must_use]
    pub fn with_referrers(self, referrers: Arc<dyn ReferrerStore>) -> Self {
        Self { referrers: Some(referrers), ..self }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("location", &self.location)
            .field("name", &self.name)
            .field("writable", &self.writer.is_some())
            .field("export", &self.export)
            .finish_non_exhaustive()
    }
}
