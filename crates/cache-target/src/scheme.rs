//! What a kind of store has to say of itself to be opened by its `type=`.
//!
//! The seam between this table and the crates that bring stores; it names none of them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{Ingester, Lister, Name, Provider, Publisher, Resolver};

use crate::{Attribute, Attributes, ExportAttributes, TargetError};

/// What a target is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A cache is read from it.
    Source,
    /// A cache is written to it.
    Destination,
}

impl Role {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }

    /// The attribute that holds the path of a local folder.
    pub(crate) fn path_key(self) -> &'static str {
        match self {
            Self::Source => "src",
            Self::Destination => "dest",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}

/// A kind of store, as a line of the table from `type=` to stores.
#[async_trait]
pub trait Scheme: Send + Sync {
    /// The value of `type=` that selects it.
    fn kind(&self) -> &'static str;

    /// The attributes that it takes in a role, those that it refuses included. None, where it cannot take the role.
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
    /// Gives its blobs.
    pub provider: Arc<dyn Provider>,
    /// Finds its manifests.
    pub resolver: Arc<dyn Resolver>,
    /// Tells what else there is, where the store can.
    pub lister: Option<Arc<dyn Lister>>,
    /// Takes blobs, where it is a destination.
    pub ingester: Option<Arc<dyn Ingester>>,
    /// Names manifests, where it is a destination.
    pub publisher: Option<Arc<dyn Publisher>>,
    /// How a cache is to be written to it.
    pub export: ExportAttributes,
}

impl Opened {
    /// A store that caches are read from.
    pub fn source<S>(location: impl Into<String>, name: Name, store: Arc<S>) -> Self
    where
        S: Provider + Resolver + 'static,
    {
        Self {
            location: location.into(),
            is_named: name != Name::Unspecified,
            name,
            provider: Arc::<S>::clone(&store),
            resolver: store,
            lister: None,
            ingester: None,
            publisher: None,
            export: ExportAttributes::default(),
        }
    }

    /// A store that caches are written to.
    pub fn destination<S>(
        location: impl Into<String>,
        name: Name,
        store: Arc<S>,
        export: ExportAttributes,
    ) -> Self
    where
        S: Provider + Resolver + Ingester + Publisher + 'static,
    {
        let source = Self::source(location, name, Arc::clone(&store));
        Self { ingester: Some(Arc::<S>::clone(&store)), publisher: Some(store), export, ..source }
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
            .field("writable", &self.publisher.is_some())
            .field("export", &self.export)
            .finish_non_exhaustive()
    }
}
