//! `type=registry`: a cache in a registry, under a reference.
//!
//! It reads the attributes and names the repository; what a registry is, [`RegistryStore`] knows. No registry is asked
//! before the store is used.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use cache_ingest::Name;
use cache_target::{
    Attribute, Attributes, Opened, Reference, Repository, Role, Scheme, TargetError, ValueKind,
};

use crate::client::Client;
use crate::options::ClientOptions;
use crate::store::RegistryStore;

/// How the attribute looks, for errors.
const EXAMPLE: &str = "ref=registry.example.com/team/app:cache";

const ATTRIBUTES: &[Attribute] =
    &[Attribute::new("ref", ValueKind::Text), Attribute::new("registry.insecure", ValueKind::Bool)];

/// Registries.
///
/// A source and a destination take `ref`, a reference as Docker reads it (`user/app` is
/// `docker.io/user/app:latest`; the digest decides where there is one, and only a source may have it), and
/// `registry.insecure`, which trusts any certificate and allows plain HTTP.
///
/// All that it opens shares connections, tokens, and the limit of requests.
#[derive(Debug, Default)]
pub struct RegistryScheme {
    options: ClientOptions,
    secure: OnceLock<Client>,
    insecure: OnceLock<Client>,
}

impl RegistryScheme {
    /// Registries that are talked to in this way; `registry.insecure` overrides that of the options.
    pub fn new(options: ClientOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The reference that attributes of this kind name.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`], where there is none, or a text that is no reference.
    pub fn reference(attributes: &Attributes) -> Result<Reference, TargetError> {
        let text = attributes.required("ref", EXAMPLE)?;
        text.parse::<Reference>().map_err(|error| TargetError::malformed_by("ref", error))
    }

    fn client(&self, insecure: bool) -> Result<Client, TargetError> {
        let place = if insecure { &self.insecure } else { &self.secure };
        if let Some(client) = place.get() {
            return Ok(client.clone());
        }
        let options = ClientOptions { insecure, ..self.options.clone() };
        let client = Client::new(options).map_err(TargetError::Store)?;
        Ok(place.get_or_init(|| client).clone())
    }
}

#[async_trait]
impl Scheme for RegistryScheme {
    fn kind(&self) -> &'static str {
        "registry"
    }

    fn attributes(&self, _: Role) -> &'static [Attribute] {
        ATTRIBUTES
    }

    async fn open(&self, attributes: &Attributes, role: Role) -> Result<Opened, TargetError> {
        let reference = Self::reference(attributes)?;
        let insecure = attributes.boolean("registry.insecure")?.unwrap_or(self.options.insecure);
        let store = RegistryStore::new(&self.client(insecure)?, reference.repository());
        let location = reference.repository().to_string();
        let opened = match role {
            Role::Source => {
                let is_named = attributes.required("ref", EXAMPLE)?.parse::<Repository>().is_err();
                let mut opened = Opened::source(location, reference.name(), Arc::new(store.clone()));
                opened.is_named = is_named;
                opened
            }
            Role::Destination => {
                if reference.digest().is_some() {
                    return Err(TargetError::usage(format_args!(
                        "{reference}: a destination is named by a tag; its digest is that of what is written"
                    )));
                }
                let name = Name::Tag(reference.tag().unwrap_or(Name::LATEST).to_owned());
                Opened::destination(location, name, Arc::new(store.clone().for_push()))
            }
        };
        Ok(opened.with_lister(Arc::new(store)))
    }
}
