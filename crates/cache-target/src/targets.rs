//! The table from `type=` to stores, open to those of other crates.
//!
//! It finds the scheme, checks the attributes against it, and lets it open the store. It knows by name the types
//! that BuildKit has, so as to say of one that is absent that it is absent rather than unknown.

use std::fmt;

use crate::check::check;
use crate::nearest::nearest;
use crate::{Attributes, LocalScheme, Opened, RegistryScheme, Role, Scheme, TargetError};

/// The types of cache that BuildKit has.
const BUILDKIT: [&str; 6] = ["azblob", "gha", "inline", "local", "registry", "s3"];

/// The kinds of store that can be opened.
///
/// ```
/// use cache_target::{Role, Targets};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let targets = Targets::with_local();
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cache");
/// let opened = targets.open(&format!("type=local,dest={}", path.display()), Role::Destination).await?;
/// assert!(opened.publisher.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Targets {
    schemes: Vec<Box<dyn Scheme>>,
}

impl Targets {
    /// A table without any store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A table with local folders, `type=local`.
    pub fn with_local() -> Self {
        let mut targets = Self::new();
        targets.register(Box::new(LocalScheme::default()));
        targets
    }

    /// A table with local folders, and with registries, `type=registry`, that are talked to by default options.
    pub fn standard() -> Self {
        let mut targets = Self::with_local();
        targets.register(Box::new(RegistryScheme::default()));
        targets
    }

    /// Adds a kind of store, in the place of one with the same type.
    pub fn register(&mut self, scheme: Box<dyn Scheme>) {
        self.schemes.retain(|other| other.kind() != scheme.kind());
        self.schemes.push(scheme);
    }

    /// The types that can be opened, in the order in which they were added.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.schemes.iter().map(|scheme| scheme.kind())
    }

    /// Reads what a user typed and opens what it names.
    ///
    /// # Errors
    ///
    /// As [`Attributes::parse`] and [`Targets::open_attributes`].
    pub async fn open(&self, text: &str, role: Role) -> Result<Opened, TargetError> {
        self.open_attributes(&Attributes::parse(text, role)?, role).await
    }

    /// Opens what attributes name.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] for an unknown type or attribute, or a malformed value; [`TargetError::Unsupported`] for a
    /// type that this table has not, or an attribute that cannot be honoured; [`TargetError::Store`] where the
    /// store does not open.
    pub async fn open_attributes(&self, attributes: &Attributes, role: Role) -> Result<Opened, TargetError> {
        let scheme = self.scheme(attributes.kind())?;
        check(attributes, role, scheme)?;
        scheme.open(attributes, role).await
    }

    fn scheme(&self, kind: &str) -> Result<&dyn Scheme, TargetError> {
        if let Some(scheme) = self.schemes.iter().find(|scheme| scheme.kind() == kind) {
            return Ok(scheme.as_ref());
        }
        if BUILDKIT.contains(&kind) {
            let mut present: Vec<&str> = self.kinds().collect();
            present.sort_unstable();
            let present = if present.is_empty() { "none at all".to_owned() } else { present.join(", ") };
            let reason = format!("this build has no such store; it has {present}");
            return Err(TargetError::refused("type", kind, reason));
        }
        let mut known: Vec<&str> = self.kinds().chain(BUILDKIT).collect();
        known.sort_unstable();
        known.dedup();
        let message = match nearest(kind, known.iter().copied()) {
            Some(near) => format!("type={kind} is unknown; did you mean {near}?"),
            None => format!("type={kind} is unknown; known are {}", known.join(", ")),
        };
        Err(TargetError::Usage { attribute: Some("type".to_owned()), message })
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}
