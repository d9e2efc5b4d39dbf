//! BuildKit remote caches in registries: the seams of `cache-ingest` over the OCI distribution API.

mod auth;
mod body;
mod client;
mod error;
mod options;
mod publish;
mod pull;
mod push;
mod reference;
mod resolve;
mod secret;
mod sending;
mod store;
mod tags;
mod tls;
mod transport;
mod upload;

pub use auth::Credentials;
pub use client::Client;
pub use options::{ClientCertificate, ClientOptions};
pub use reference::{Reference, ReferenceError, Repository};
pub use secret::Secret;
pub use store::RegistryStore;
