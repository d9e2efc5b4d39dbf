//! Who the client is to a registry: no one, a user with a password, or the holder of an identity token.
//!
//! Secrets are never shown: they have no `Display`, and their `Debug` prints stars.

use std::fmt;

use reqwest::header::HeaderValue;

/// Who the client is to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// No one.
    Anonymous,
    /// A user with a password, or a token in the place of one.
    Password {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that only the registry's token server takes (an OAuth 2 refresh token), as `docker login` may keep one.
    IdentityToken(Secret),
}

impl Credentials {
    /// A user with a password.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Password { username: username.into(), password: Secret::new(password) }
    }

    /// The header that shows a password; nothing for others.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password { username, password } = self else { return None };
        let text = data_encoding::BASE64.encode(format!("{username}:{}", password.reveal()).as_bytes());
        let mut header = HeaderValue::from_str(&format!("Basic {text}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// A password or token.
///
/// ```
/// let secret = cache_registry::Secret::new("hunter2");
/// assert_eq!(format!("{secret:?}"), "***");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
