//! HTTP below the registry's protocol: one request and its answer, TLS, and bodies in both directions.
//!
//! Nothing here knows an endpoint, a repository or a token.

pub(crate) mod body;
mod certificate_error;
pub(crate) mod certs_d;
pub(crate) mod connection_error;
pub(crate) mod loopback;
mod peer;
pub(crate) mod pending_answer;
pub(crate) mod sending;
pub(crate) mod silence;
pub(crate) mod tls;
pub(crate) mod transport;
