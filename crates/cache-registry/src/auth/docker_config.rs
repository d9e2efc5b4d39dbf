//! One `config.json` of Docker, or `auth.json` of Podman: the credentials in it, and its credential helpers.
//!
//! Errors never quote the text, nor what a helper prints: either may hold a secret.

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use serde_json::Value;

use crate::credentials::{Credentials, Secret};
use crate::text::printable;

/// The names of Docker Hub: in Docker's config.json, and in those of Podman and others.
pub(super) const DOCKER_HUB: [&str; 4] =
    ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"];

/// A config, as JSON in its normal form.
///
/// Docker treats empty texts as absent, so they are removed. Names of registries that end in a slash are listed without
/// it, too.
pub(super) struct DockerConfig(Value);

impl DockerConfig {
    /// Reads a config.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map(normalize).map(Self).map_err(|_| "it is not JSON".to_owned())
    }

    /// The paths of a host that have credentials of their own, each with the whole name that it has in the config.
    pub(super) fn paths(&self, host: &str) -> Vec<(&str, &str)> {
        let auths = self.0.get("auths").and_then(Value::as_object);
        let names = auths.into_iter().flat_map(|auths| auths.keys());
        names.filter_map(|name| Some((name.as_str(), self.path(name, host)?))).collect()
    }

    /// The path of a host that a name stands for.
    ///
    /// Ignored: names that end in `/` (they are listed without it, too), `/v1` and `/v2` (the registry itself), and empty
    /// entries (their credentials are kept by a helper, which knows no paths).
    fn path<'c>(&'c self, name: &'c str, host: &str) -> Option<&'c str> {
        let path = name.strip_prefix(host)?.strip_prefix('/')?;
        let is_path = !path.is_empty() && !path.ends_with('/') && !matches!(path, "v1" | "v2");
        let entry = self.0.get("auths")?.get(name)?.as_object()?;
        (is_path && !entry.is_empty()).then_some(path)
    }

    /// The credentials for a server, by the name that it has in the config. A helper may be run for them.
    pub(super) fn credentials(&self, server: &str) -> Result<Option<Credentials>, String> {
        use CredentialRetrievalError as E;
        match get_credential_from_reader(self.0.to_string().as_bytes(), server) {
            Ok(DockerCredential::IdentityToken(token)) => {
                Ok(Some(Credentials::IdentityToken(Secret::new(token))))
            }
            Ok(DockerCredential::UsernamePassword(username, _)) if username.is_empty() => Ok(None),
            Ok(DockerCredential::UsernamePassword(username, password)) => {
                Ok(Some(Credentials::password(username, password)))
            }
            Err(E::NoCredentialConfigured | E::ConfigNotFound) => Ok(None),
            // Every helper says in these words that it has none (docker-credential-helpers, credentials/error.go).
            Err(E::HelperFailure { ref stdout, ref stderr, .. })
                if [stdout, stderr].iter().any(|output| output.contains("credentials not found")) =>
            {
                Ok(None)
            }
            Err(E::HelperFailure { helper, .. }) => Err(format!("{} fails", printable(&helper))),
            Err(E::HelperCommunicationError) => Err(format!(
                "docker-credential-{}, which it names, cannot be run: install it, or remove it there",
                printable(self.helper(server))
            )),
            Err(cause) => Err(cause.to_string()),
        }
    }

    /// The name of the helper for a server.
    fn helper(&self, server: &str) -> &str {
        let own = self.0.pointer("/credHelpers").and_then(|helpers| helpers.get(server));
        own.or(self.0.get("credsStore")).and_then(Value::as_str).unwrap_or_default()
    }
}

fn normalize(mut config: Value) -> Value {
    let is_empty = |value: &Value| value.as_str() == Some("");
    let Some(members) = config.as_object_mut() else { return config };
    members.retain(|_, member| !is_empty(member));
    for key in ["auths", "credHelpers"] {
        let Some(servers) = members.get_mut(key).and_then(Value::as_object_mut) else { continue };
        servers.retain(|_, server| !is_empty(server));
        for auth in servers.values_mut().filter_map(Value::as_object_mut) {
            auth.retain(|_, member| !is_empty(member));
        }
        let ended: Vec<String> = servers.keys().filter(|name| name.ends_with('/')).cloned().collect();
        for name in ended.iter().filter(|name| !DOCKER_HUB.contains(&name.as_str())) {
            let bare = name.trim_end_matches('/');
            if !servers.contains_key(bare)
                && let Some(server) = servers.get(name).cloned()
            {
                servers.insert(bare.to_owned(), server);
            }
        }
    }
    config
}
