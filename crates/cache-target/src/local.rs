//! `type=local`: a cache in a folder, an OCI image layout.
//!
//! It reads the attributes and opens the folder as a [`LayoutStore`].

use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{LayoutOptions, LayoutStore, Name};

use crate::attribute::Attribute;
use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::role::Role;
use crate::scheme::{Opened, Scheme};
use crate::value::ValueKind;

const SOURCE: &[Attribute] = &[
    Attribute::new("src", ValueKind::Text),
    Attribute::new("digest", ValueKind::Digest),
    Attribute::new("tag", ValueKind::Text),
];

const DESTINATION: &[Attribute] = &[
    Attribute::new("dest", ValueKind::Text),
    Attribute::new("tag", ValueKind::Text),
    Attribute::only(
        "reset",
        ValueKind::Bool,
        "false",
        "caches without a tag are never removed from a folder",
    ),
];

/// Local folders.
///
/// A source takes `src`, and `digest` or `tag` to choose one of several caches. As in BuildKit, the digest takes precedence
/// over the tag; without both it is the cache tagged `latest`, else the only one. The folder has to exist. A destination
/// takes `dest` and `tag` (`latest` by default), and creates the folder if necessary.
///
/// Options of the folder, such as whether to sync it, are not attributes. They are given to the scheme before it is
/// [registered](crate::Targets::register).
#[derive(Clone, Debug, Default)]
pub struct LocalScheme {
    options: LayoutOptions,
}

impl LocalScheme {
    /// Folders that are opened with these options. Whether a folder is created depends on its role only.
    pub fn new(options: LayoutOptions) -> Self {
        Self { options }
    }

    async fn open_folder(&self, path: &str, create: bool) -> Result<LayoutStore, TargetError> {
        let options = self.options.clone().with_create(create);
        LayoutStore::open(path, options).await.map_err(TargetError::from)
    }
}

#[async_trait]
impl Scheme for LocalScheme {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn attributes(&self, role: Role) -> &'static [Attribute] {
        match role {
            Role::Source => SOURCE,
            Role::Destination => DESTINATION,
        }
    }

    async fn open(&self, attributes: &Attributes, role: Role) -> Result<Opened, TargetError> {
        let key = role.path_key();
        let path = attributes.required(key, &format!("{key}=FOLDER"))?;
        let tag = attributes.get("tag");
        match role {
            Role::Source => {
                let name = match (attributes.digest("digest")?, tag) {
                    (Some(digest), _) => Name::Digest(digest),
                    (None, Some(tag)) => Name::Tag(tag.to_owned()),
                    (None, None) => Name::Unspecified,
                };
                let store = self.open_folder(path, false).await?;
                let opened = Opened::source(path, name, Arc::new(store.clone()));
                Ok(opened.with_names(Arc::new(store.clone())).with_referrers(Arc::new(store)))
            }
            Role::Destination => {
                let name = Name::Tag(tag.unwrap_or(Name::LATEST).to_owned());
                let store = self.open_folder(path, true).await?;
                Ok(Opened::destination(path, name, Arc::new(store.clone())).with_referrers(Arc::new(store)))
            }
        }
    }
}
