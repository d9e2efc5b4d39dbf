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
    /// None are searched for a host to which a registry redirects.
    Redirect,
}

/// What a registry has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The credentials, or the lack of them.
    Credentials,
    /// What the request is to do.
    Permission,
}

impl Identity {
    /// What to do about a refusal by a registry, to append to a message.
    pub(crate) fn advice(&self, host: &str, refusal: Refusal) -> String {
        match (&self.source, &self.credentials, refusal) {
            (IdentitySource::Redirect, ..) => {
                "; the registry redirects there, and no credentials are sent to such a host".to_owned()
            }
            (IdentitySource::Nowhere(configs), ..) => {
                let configs = configs.join(", ");
                format!("; there are no credentials for {host} in {configs}: docker login {host}")
            }
            (_, Credentials::Anonymous, _) => format!("; it requires credentials: docker login {host}"),
            (IdentitySource::Options, _, Refusal::Credentials) => {
                format!("; it refuses {self}: check the name and the password")
            }
            (_, _, Refusal::Credentials) => {
                format!("; it refuses {self}: correct it there, or log in again: docker login {host}")
            }
            (IdentitySource::Options, _, Refusal::Permission) => {
                format!("; {self} may not do this: name a user who may")
            }
            (_, _, Refusal::Permission) => {
                format!("; {self} may not do this: log in as a user who may: docker login {host}")
            }
        }
    }
}

impl Refusal {
    /// What to do about it, where it is not known who was refused: the registry has asked for no credentials.
    pub(crate) fn advice(self, host: &str) -> String {
        match self {
            Self::Credentials => format!("; log in: docker login {host}"),
            Self::Permission => format!("; log in as a user who may do this: docker login {host}"),
        }
    }
}

impl fmt::Display for Identity {
    /// The user, and where the credentials come from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.credentials {
            Credentials::Anonymous => f.write_str("nobody")?,
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
            IdentitySource::Nowhere(_) | IdentitySource::Redirect => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::credentials::Secret;

    use super::*;

    #[test]
    fn advice_names_who_was_refused_and_by_which_source_and_no_secret() {
        let (me, token) = (Credentials::password("me\n", "hunter2"), Secret::new("hunter2"));
        let config = || "/c.json".to_owned();
        let entry = || IdentitySource::Entry { config: config(), entry: "r".to_owned() };
        let helper = IdentitySource::Helper { helper: "docker-credential-x".to_owned(), config: config() };
        let nowhere = IdentitySource::Nowhere(vec!["A".to_owned(), config()]);
        for (credentials, source, refused, forbidden) in [
            (
                me.clone(),
                IdentitySource::Options,
                "; it refuses user me (--username): check the name and the password",
                "; user me (--username) may not do this: name a user who may",
            ),
            (
                me.clone(),
                entry(),
                "; it refuses user me (entry r of /c.json): correct it there, or log in again: docker login r",
                "; user me (entry r of /c.json) may not do this: log in as a user who may: docker login r",
            ),
            (
                me,
                helper,
                "; it refuses user me (docker-credential-x, which /c.json names): correct it there, or log in again: docker login r",
                "; user me (docker-credential-x, which /c.json names) may not do this: log in as a user who may: docker login r",
            ),
            (
                Credentials::IdentityToken(token.clone()),
                entry(),
                "; it refuses the identity token (entry r of /c.json): correct it there, or log in again: docker login r",
                "; the identity token (entry r of /c.json) may not do this: log in as a user who may: docker login r",
            ),
            (
                Credentials::RegistryToken(token),
                entry(),
                "; it refuses the registry token (entry r of /c.json): correct it there, or log in again: docker login r",
                "; the registry token (entry r of /c.json) may not do this: log in as a user who may: docker login r",
            ),
            (
                Credentials::Anonymous,
                nowhere,
                "; there are no credentials for r in A, /c.json: docker login r",
                "; there are no credentials for r in A, /c.json: docker login r",
            ),
            (
                Credentials::Anonymous,
                IdentitySource::Options,
                "; it requires credentials: docker login r",
                "; it requires credentials: docker login r",
            ),
        ] {
            let identity = Identity { credentials, source };
            assert_eq!(identity.advice("r", Refusal::Credentials), refused);
            assert_eq!(identity.advice("r", Refusal::Permission), forbidden);
        }
    }
}
