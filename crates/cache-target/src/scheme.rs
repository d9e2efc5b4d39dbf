//! What a kind of store has to say of itself to be opened by its `type=`.
//!
//! The seam between this table and the crates that bring stores; it names none of them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{Lister, Name, ReadStore, WriteStore};

use crate::attribute::Attribute;
use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::export_attributes::ExportAttributes;
use crate::role::Role;

/// A kind of store, as a line of the table from `type=` to stores.
#[async_trait]
pub trait Scheme: Send + Sync {
    /// The value of `type=` that selects it.
    fn kind(&self) -> &'static str;

    /// The attributes that it takes in a role, those that it refuses included.
    ///
    /// Those of [`ExportAttributes`] are no store's own: [`Targets`](crate::Targets) adds them for destinations. A
    /// scheme lists one of them only to treat it otherwise, as one that it refuses.
    fn attributes(&self, role: Role) -> &'static [Attribute];

    /// Opens the store. The attributes are of this kind, and each has been checked against [`Scheme::attributes`].
    async fn open(&self, attributes: &Attributes, role: Role) -> Result<Opened, TargetError>;
}

/// An opened target.
#[derive(Clone)]
#[non_exhaustive]
pub struct Opened {
    /// Where it is, for messages: a path, a reference.
    pub location: String,
    /// Which manifest of the store is meant.
    pub name: Name,
    /// Whether the user said so, of a source, or the name is the default.
    pub is_named: bool,
    /// Finds its manifests and gives its blobs.
    pub store: Arc<dyn ReadStore>,
    /// Lists its manifests, where the store can.
    pub lister: Option<Arc<dyn Lister>>,
    /// Takes blobs and manifests, where it is a destination.
    pub writer: Option<Arc<dyn WriteStore>>,
    /// How a cache is to be written to it. [`Targets`](crate::Targets) reads it from the attributes.
    pub export: ExportAttributes,
}

impl Opened {
    /// A store that caches are read from.
    pub fn source(location: impl Into<String>, name: Name, store: Arc<dyn ReadStore>) -> Self {
        Self {
            location: location.into(),
            is_named: name != Name::Unspecified,
            name,
            store,
            lister: None,
            writer: None,
            export: ExportAttributes::default(),
        }
    }

    /// A store that caches are written to.
    pub fn destination<S>(location: impl Into<String>, name: Name, store: Arc<S>) -> Self
    where
        S: ReadStore + WriteStore + 'static,
    {
        let source = Self::source(location, name, Arc::<S>::clone(&store));
        Self { writer: Some(store), ..source }
    }

    /// The same, and this tells what else there is in the store.
    #[must_use]
    pub fn with_lister(self, lister: Arc<dyn Lister>) -> Self {
        Self { lister: Some(lister), ..self }
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
