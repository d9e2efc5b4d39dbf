//! One `config.json` of Docker, or `auth.json` of Podman: the credentials in it, and its credential helpers.
//!
//! It is read as Docker reads it (docker/cli, cli/config). Errors never quote the text: it may hold a secret.

use data_encoding::BASE64_NOPAD;
use serde_json::Value;

use crate::auth::helper::CredentialHelper;
use crate::auth::identity::{Identity, IdentitySource};
use crate::auth::members::{member, object, text};
use crate::credentials::{Credentials, Secret};
use crate::text::printable;

/// The names of Docker Hub: in Docker's config.json, and in those of Podman and others.
const DOCKER_HUB: [&str; 4] =
    ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"];

/// A config.
pub(super) struct DockerConfig {
    /// Its file, or the variable that holds its text.
    name: String,
    json: Value,
}

/// A registry, by the names that configs have for it, the most usual one first.
pub(super) struct RegistryNames(Vec<String>);

/// What the name of an entry stands for.
#[derive(Debug, PartialEq, Eq)]
struct EntryScope<'n> {
    host: &'n str,
    /// Empty for the whole registry.
    path: &'n str,
}

impl DockerConfig {
    /// Reads a config. An empty one has no credentials.
    pub(super) fn parse(name: String, text: &[u8]) -> Result<Self, String> {
        if text.trim_ascii().is_empty() {
            return Ok(Self { name, json: Value::Null });
        }
        match serde_json::from_slice::<Value>(text) {
            Ok(json) if json.is_object() || json.is_null() => Ok(Self { name, json }),
            Ok(_) => Err(format!("cannot use {name}: it is not a JSON object")),
            Err(cause) => {
                let (line, column) = (cause.line(), cause.column());
                Err(format!("cannot use {name}: it is not JSON (line {line}, column {column})"))
            }
        }
    }

    /// The paths of a registry that have an entry of their own, each with the name of that entry.
    ///
    /// Podman stores such entries. Empty ones are left out: their credentials are kept by a helper, which knows no paths.
    pub(super) fn paths(&self, registry: &RegistryNames) -> Vec<(&str, &str)> {
        let entries = self.entries(registry).into_iter();
        entries.map(|name| (EntryScope::of(name).path, name)).filter(|(path, _)| !path.is_empty()).collect()
    }

    /// The identity for a whole registry. A helper may be run for it, and precedes entries, as in Docker; but not those
    /// with a token for the registry, which no helper keeps.
    pub(super) async fn identity(&self, registry: &RegistryNames) -> Result<Option<Identity>, String> {
        let entries = self.entries(registry);
        let mut entries = entries.into_iter().filter(|name| EntryScope::of(name).path.is_empty());
        let own = entries.find_map(|name| self.entry_identity(name).transpose()).transpose();
        let is_token = |own: &Identity| matches!(own.credentials, Credentials::RegistryToken(_));
        let Some((helper, server)) = self.helper(registry) else { return own };
        if own.as_ref().is_ok_and(|own| own.as_ref().is_some_and(is_token)) {
            return own;
        }
        match helper.get(server).await {
            Ok(Some(credentials)) => {
                let source = IdentitySource::Helper { helper: helper.name(), config: self.name.clone() };
                Ok(Some(Identity { credentials, source }))
            }
            Ok(None) => own,
            Err(reason) => match own {
                Ok(Some(own)) => Ok(Some(own)),
                _ => Err(reason),
            },
        }
    }

    /// The identity in an entry.
    pub(super) fn entry_identity(&self, name: &str) -> Result<Option<Identity>, String> {
        let Some(entry) = object(&self.json, "auths").and_then(|auths| auths.get(name)) else {
            return Ok(None);
        };
        let identity = |credentials| {
            let source = IdentitySource::Entry { config: self.name.clone(), entry: name.to_owned() };
            Some(Identity { credentials, source })
        };
        credentials(entry).map(|found| found.and_then(identity)).map_err(|reason| {
            format!("cannot use {}: entry {}: {reason}; correct it, or remove it", self.name, printable(name))
        })
    }

    /// The names of the entries for a registry or a path of it that are not empty, the most usual ones first.
    fn entries(&self, registry: &RegistryNames) -> Vec<&str> {
        let has_member = |entry: &Value| {
            let members = ["auth", "username", "identitytoken", "registrytoken"];
            members.iter().any(|name| member(entry, name).is_some_and(|member| member.as_str() != Some("")))
        };
        let auths = object(&self.json, "auths").into_iter().flatten();
        let named = auths.filter(|(_, entry)| has_member(entry)).map(|(name, _)| name.as_str());
        let mut names: Vec<&str> = named.filter(|name| registry.has(EntryScope::of(name).host)).collect();
        let usual = |name: &str| registry.0.iter().position(|usual| *usual == name);
        names.sort_by_key(|name| (usual(name).unwrap_or(usize::MAX), name.len(), *name));
        names
    }

    /// The helper for a registry, and the helper's name of that registry.
    fn helper<'r>(&self, registry: &'r RegistryNames) -> Option<(CredentialHelper, &'r str)> {
        let helpers = object(&self.json, "credHelpers");
        let own = registry.0.iter().find_map(|name| Some((helpers?.get(name)?.as_str(), name)));
        let (helper, name) = match own {
            // An empty name means that this registry has no helper, not even the one of `credsStore`.
            Some((helper, name)) => (helper.filter(|helper| !helper.is_empty())?, name),
            None => (text(&self.json, "credsStore")?, registry.0.first()?),
        };
        Some((CredentialHelper::named(helper, &self.name), name))
    }
}

impl RegistryNames {
    /// The names of the registry that users call `host`.
    pub(super) fn of(host: &str) -> Self {
        let names = if DOCKER_HUB.contains(&host) { DOCKER_HUB.as_slice() } else { &[host] };
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn has(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

impl<'n> EntryScope<'n> {
    fn of(name: &'n str) -> Self {
        // Of a URL Docker reads the host only.
        if let Some((_, bare)) = name.split_once("://") {
            return Self { host: bare.split('/').next().unwrap_or_default(), path: "" };
        }
        let (host, path) = name.split_once('/').unwrap_or((name, ""));
        let path = path.trim_end_matches('/');
        Self { host, path: if matches!(path, "v1" | "v2") { "" } else { path } }
    }
}

/// The credentials in an entry; else the reason why they cannot be used.
fn credentials(entry: &Value) -> Result<Option<Credentials>, String> {
    if let Some(token) = text(entry, "registrytoken") {
        return Ok(Some(Credentials::RegistryToken(Secret::new(token))));
    }
    if let Some(token) = text(entry, "identitytoken") {
        return Ok(Some(Credentials::IdentityToken(Secret::new(token))));
    }
    if let Some(auth) = text(entry, "auth") {
        return decode_auth(auth).map(Some);
    }
    let password = text(entry, "password").unwrap_or_default();
    Ok(text(entry, "username").map(|username| Credentials::password(username, password)))
}

/// The user and the password in an `auth`: base64, in which Go passes over line breaks.
fn decode_auth(auth: &str) -> Result<Credentials, String> {
    let mut lenient = BASE64_NOPAD.specification();
    lenient.ignore.push_str("\r\n");
    lenient.check_trailing_bits = false;
    let lenient = lenient.encoding().map_err(|cause| cause.to_string())?;
    let bytes = lenient
        .decode(auth.trim_end_matches(['=', '\r', '\n']).as_bytes())
        .map_err(|_| "its auth is not base64".to_owned())?;
    let decoded = String::from_utf8(bytes).map_err(|_| "its auth is not UTF-8 in base64".to_owned())?;
    match decoded.split_once(':') {
        Some((username, password)) if !username.is_empty() => {
            Ok(Credentials::password(username, password.trim_matches('\0')))
        }
        _ => Err("its auth is not USER:PASSWORD in base64".to_owned()),
    }
}
