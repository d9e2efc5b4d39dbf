//! Credentials for a registry, as a caller gives them or as they were found.
//!
//! Secrets are never shown: they have no `Display`, and their `Debug` prints stars.

use std::fmt;

use reqwest::header::HeaderValue;

/// How the client identifies itself to a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credentials {
    /// Not at all.
    Anonymous,
    /// By a user's name and password, or a token in place of the password.
    Password {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// By an OAuth 2 refresh token, which `docker login` may store. Only the registry's token server takes it.
    IdentityToken(Secret),
    /// By a token that the registry itself takes, `registrytoken` of a config.json. No token server is asked.
    RegistryToken(Secret),
}

impl Credentials {
    /// A user with a password.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Password { username: username.into(), password: Secret::new(password) }
    }

    /// The value of `Authorization` for a password; `None` for other credentials.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password { username, password } = self else { return None };
        let text = data_encoding::BASE64.encode(format!("{username}:{}", password.reveal()).as_bytes());
        authorization("Basic", &text)
    }

    /// The value of `Authorization` for a token of the registry; `None` for other credentials.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        let Self::RegistryToken(token) = self else { return None };
        authorization("Bearer", token.reveal())
    }
}

/// A password or token.
///
/// ```
/// let secret = cache_registry::Secret::new("hunter2");
/// assert_eq!(format!("{secret:?}"), "***");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to be sent.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

/// A value of `Authorization`, which no log shows; `None` if it cannot be sent.
pub(crate) fn authorization(scheme: &str, text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {text}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
