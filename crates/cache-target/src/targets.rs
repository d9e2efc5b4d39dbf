//! The table from `type=` to stores, to which any crate can add its own.
//!
//! It finds the scheme, checks the attributes against it, and lets it open the store. It knows the names of BuildKit's
//! types, so that a type without a store here is reported as absent and not as unknown.

use std::fmt;

use crate::attribute::Attribute;
use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::export_attributes::ExportAttributes;
use crate::local::LocalScheme;
use crate::nearest::nearest;
use crate::role::Role;
use crate::scheme::{Opened, Scheme};

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
/// assert!(opened.writer.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Targets {
    schemes: Vec<Box<dyn Scheme>>,
    /// The attributes of each destination besides those of its scheme.
    export: &'static [Attribute],
}

impl Default for Targets {
    fn default() -> Self {
        Self { schemes: Vec::new(), export: ExportAttributes::COPY }
    }
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

    /// Chooses the attributes of [`ExportAttributes`] that are honoured: [`ExportAttributes::COPY`] unless this is
    /// called.
    ///
    /// Attributes that are not in the table are unknown to users.
    #[must_use]
    pub fn with_export_attributes(self, table: &'static [Attribute]) -> Self {
        Self { export: table, ..self }
    }

    /// Adds a kind of store. It replaces one of the same type.
    pub fn register(&mut self, scheme: Box<dyn Scheme>) {
        self.schemes.retain(|other| other.kind() != scheme.kind());
        self.schemes.push(scheme);
    }

    /// The types that can be opened, in the order in which they were registered.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.schemes.iter().map(|scheme| scheme.kind())
    }

    /// Reads a target, and opens its store.
    ///
    /// # Errors
    ///
    /// As [`Attributes::parse`] and [`Targets::open_attributes`].
    pub async fn open(&self, text: &str, role: Role) -> Result<Opened, TargetError> {
        self.open_attributes(&Attributes::parse(text, role)?, role).await
    }

    /// Opens the store that attributes name.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] for an unknown type or attribute, or a malformed value; [`TargetError::Unsupported`] for a
    /// type of BuildKit's without a store here, or an attribute that cannot be honoured; [`TargetError::Store`] if the store
    /// does not open.
    pub async fn open_attributes(&self, attributes: &Attributes, role: Role) -> Result<Opened, TargetError> {
        let scheme = self.scheme(attributes.kind())?;
        self.check(attributes, role, scheme)?;
        let export = ExportAttributes::of(attributes)?;
        let opened = scheme.open(attributes, role).await?;
        Ok(Opened { export, ..opened })
    }

    /// An error unless each of the attributes is honoured in this role.
    fn check(&self, attributes: &Attributes, role: Role, scheme: &dyn Scheme) -> Result<(), TargetError> {
        for (key, value) in attributes.iter() {
            match self.known(role, scheme).find(|attribute| attribute.key == key) {
                Some(attribute) => attribute.check(value)?,
                None => return Err(self.unknown(key, role, scheme)),
            }
        }
        Ok(())
    }

    /// The attributes of a scheme in a role, then those of all destinations. If both have a key, the scheme's is found
    /// first.
    fn known(&self, role: Role, scheme: &dyn Scheme) -> impl Iterator<Item = &'static Attribute> {
        let export = match role {
            Role::Source => &[],
            Role::Destination => self.export,
        };
        scheme.attributes(role).iter().chain(export)
    }

    fn unknown(&self, key: &str, role: Role, scheme: &dyn Scheme) -> TargetError {
        let keys = || self.known(role, scheme).map(|attribute| attribute.key);
        let kind = scheme.kind();
        let list = || keys().collect::<Vec<_>>().join(", ");
        let other = role.other();
        let message = if self.known(other, scheme).any(|attribute| attribute.key == key) {
            format!("{key} is an attribute of a {other}; a {role} of type={kind} takes {}", list())
        } else if let Some(near) = nearest(key, keys()) {
            format!("type={kind} has no attribute {key} as a {role}; did you mean {near}?")
        } else {
            format!("type={kind} has no attribute {key} as a {role}; it takes {}", list())
        };
        TargetError::Usage { attribute: Some(key.to_owned()), message }
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
