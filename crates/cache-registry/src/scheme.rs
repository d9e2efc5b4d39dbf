//! `type=registry`: a cache in a registry, named by a reference.
//!
//! It reads the attributes and makes a [`RegistryStore`]. No registry is contacted before the store is used.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use cache_ingest::Name;
use cache_target::{
    Attribute, Attributes, Opened, Reference, Repository, Role, Scheme, TargetError, ValueKind,
};
use futures_util::future::join;

use crate::client::Client;
use crate::options::ClientOptions;
use crate::store::RegistryStore;

/// The attribute in error messages.
const EXAMPLE: &str = "ref=registry.example.com/team/app:cache";

const ATTRIBUTES: &[Attribute] =
    &[Attribute::new("ref", ValueKind::Text), Attribute::new("registry.insecure", ValueKind::Bool)];

/// Registries.
///
/// A source and a destination take `ref`, a reference as Docker reads it (`user/app` is
/// `docker.io/user/app:latest`; a digest takes precedence over the tag, and only a source may have one), and
/// `registry.insecure`, which trusts any certificate and allows plain HTTP.
///
/// All stores that it and its clones open share connections, tokens, and the limit of requests.
///
/// ```
/// use cache_registry::RegistryScheme;
/// use cache_target::{Role, Targets};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut targets = Targets::with_local();
/// targets.register(Box::new(RegistryScheme::default()));
/// let opened = targets.open("type=registry,ref=registry.example.com/app:main", Role::Source).await?;
/// assert_eq!(opened.location, "registry.example.com/app");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RegistryScheme {
    options: ClientOptions,
    clients: Arc<SchemeClients>,
}

/// The clients of a scheme and its clones, by whether they are insecure.
#[derive(Debug, Default)]
struct SchemeClients {
    secure: OnceLock<Client>,
    insecure: OnceLock<Client>,
}

impl RegistryScheme {
    /// Registries by these options. The attribute `registry.insecure` overrides
    /// [`insecure`](ClientOptions::insecure).
    pub fn new(options: ClientOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The reference that attributes of this kind name.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] if there is none, or a malformed one.
    pub fn reference(attributes: &Attributes) -> Result<Reference, TargetError> {
        let text = attributes.required("ref", EXAMPLE)?;
        text.parse::<Reference>().map_err(|error| TargetError::malformed_by("ref", error))
    }

    /// Waits until the registries have ended the uploads that were given up, as [`Client::settle`] does.
    pub async fn settle(&self, limit: Duration) {
        let settle = async |client: &OnceLock<Client>| {
            if let Some(client) = client.get() {
                client.settle(limit).await;
            }
        };
        join(settle(&self.clients.secure), settle(&self.clients.insecure)).await;
    }

    fn client(&self, insecure: bool) -> Result<Client, TargetError> {
        let cell = if insecure { &self.clients.insecure } else { &self.clients.secure };
        if let Some(client) = cell.get() {
            return Ok(client.clone());
        }
        let options = ClientOptions { insecure, ..self.options.clone() };
        let client = Client::new(options)?;
        Ok(cell.get_or_init(|| client).clone())
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
                        "{reference}: a destination takes a tag and no digest, since its content is not written yet"
                    )));
                }
                let name = Name::Tag(reference.tag().unwrap_or(Name::LATEST).to_owned());
                Opened::destination(location, name, Arc::new(store.clone().for_push()))
            }
        };
        Ok(opened.with_names(Arc::new(store.clone())).with_referrers(Arc::new(store)))
    }
}
