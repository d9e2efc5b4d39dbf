//! As whom the client appears at a registry: the credentials, and where they were found.
//!
//! Messages name the user and the source, never a secret.

use std::fmt;

use crate::credentials::Credentials;
use crate::text::printable;

/// Credentials with their source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    pub(crate) source: IdentitySource,
}

/// Where credentials come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdentitySource {
    /// The options of the client.
    Options,
    /// An entry of a config.
    Entry {
        /// The name of the config's file, or of the variable that holds its text.
        config: String,
        /// The name of the entry.
        entry: String,
    },
    /// A credential helper.
    Helper {
        /// The name of the program.
        helper: String,
        /// The config that names it.
        config: String,
    },
    /// None were found in these configs.
    Nowhere(Vec<String>),
}

impl fmt::Display for Identity {
    /// The user, and where the credentials come from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.credentials {
            Credentials::Anonymous => f.write_str("an anonymous user")?,
            Credentials::Password { username, .. } => write!(f, "user {}", printable(username))?,
            Credentials::IdentityToken(_) => f.write_str("the identity token")?,
            Credentials::RegistryToken(_) => f.write_str("the registry token")?,
        }
        match &self.source {
            IdentitySource::Options => f.write_str(" (--username)"),
            IdentitySource::Entry { config, entry } => {
                write!(f, " (entry {} of {})", printable(entry), printable(config))
            }
            IdentitySource::Helper { helper, config } => {
                write!(f, " ({}, which {} names)", printable(helper), printable(config))
            }
            IdentitySource::Nowhere(_) => Ok(()),
        }
    }
}
