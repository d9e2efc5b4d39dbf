//! Credentials: given, or found where Docker and Podman keep them.
//!
//! They are never printed. A place that has none for a registry is passed over; one that cannot be read is an error.

use std::env;
use std::path::{Path, PathBuf};

use cache_ingest::{Error, ErrorKind};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use reqwest::header::HeaderValue;

use crate::Secret;
use crate::error::{About, printable};

/// The name of Docker Hub in config.json.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

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

/// Looks for the credentials of a registry.
pub(super) async fn find(about: &About) -> Result<Credentials, Error> {
    let host = about.host.clone();
    // A credential helper is another program.
    let found = tokio::task::spawn_blocking(move || look(&host, &places())).await;
    let found = found.map_err(|cause| {
        about.error(ErrorKind::Other, "the look for credentials was given up").with_cause(cause)
    })?;
    found.map_err(|reason| about.error(ErrorKind::Denied, reason))
}

/// Where credentials may be.
enum Place {
    /// The text of a config.json, and what it is called.
    Text(String, &'static str),
    File(PathBuf),
}

/// In the order in which they are looked through.
fn places() -> Vec<Place> {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut places = Vec::new();
    if let Ok(text) = env::var("DOCKER_AUTH_CONFIG")
        && !text.is_empty()
    {
        places.push(Place::Text(text, "DOCKER_AUTH_CONFIG"));
    }
    places.extend(path("REGISTRY_AUTH_FILE").map(Place::File));
    let home = env::home_dir();
    let docker = path("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    places.extend(docker.map(|folder| Place::File(folder.join("config.json"))));
    let run = path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
    let config = home.map(|home| home.join(".config/containers/auth.json"));
    places.extend(run.into_iter().chain(config).map(Place::File));
    places
}

/// The first credentials for a host.
fn look(host: &str, places: &[Place]) -> Result<Credentials, String> {
    let server = if host == "docker.io" { DOCKER_HUB } else { host };
    for place in places {
        let (name, found) = match place {
            Place::Text(text, name) => ((*name).to_owned(), read(text.as_bytes(), server)),
            Place::File(path) => match std::fs::read(path) {
                Ok(text) => (path.display().to_string(), read(&text, server)),
                Err(_) if !exists(path) => continue,
                Err(cause) => return Err(format!("cannot read {}: {cause}", path.display())),
            },
        };
        if let Some(credentials) = found.map_err(|reason| format!("cannot use {name}: {reason}"))? {
            return Ok(credentials);
        }
    }
    Ok(Credentials::Anonymous)
}

fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// The credentials for a server in the text of a config.json.
fn read(text: &[u8], server: &str) -> Result<Option<Credentials>, String> {
    use CredentialRetrievalError as E;
    match get_credential_from_reader(text, server) {
        Ok(DockerCredential::IdentityToken(token)) => {
            Ok(Some(Credentials::IdentityToken(Secret::new(token))))
        }
        Ok(DockerCredential::UsernamePassword(username, _)) if username.is_empty() => Ok(None),
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credentials::password(username, password)))
        }
        Err(E::NoCredentialConfigured | E::ConfigNotFound) => Ok(None),
        // How every helper says that it has none (docker-credential-helpers, credentials/error.go).
        Err(E::HelperFailure { ref stdout, ref stderr, .. })
            if [stdout, stderr].iter().any(|said| said.contains("credentials not found")) =>
        {
            Ok(None)
        }
        // What a helper prints may be a secret.
        Err(E::HelperFailure { helper, .. }) => Err(format!("{} fails", printable(&helper))),
        Err(cause) => Err(cause.to_string()),
    }
}
