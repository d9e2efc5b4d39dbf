//! Credentials where Docker and Podman keep them.
//!
//! They are never printed. A place that has none for a registry is passed over; one that cannot be read is an error.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, io};

use cache_ingest::{Error, ErrorKind};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::credentials::{Credentials, Secret};
use crate::error::{About, printable};

/// How long a credential helper may take: a user may have to unlock something.
const PATIENCE: Duration = Duration::from_secs(120);
/// The names of Docker Hub: in Docker's config.json, and as Podman and others have it.
const DOCKER_HUB: [&str; 4] =
    ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"];

/// What was found for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// For paths and all below them, the longest first: Podman keeps them by `host/path`.
    paths: Vec<(String, Result<Credentials, String>)>,
    /// For all else.
    host: Credentials,
}

impl Found {
    /// The credentials for a repository of the registry, and the path that they are kept for; why they cannot be used.
    pub(super) fn pick(&self, repository: &str) -> Result<(&str, &Credentials), &str> {
        let is_within = |path: &str| {
            repository.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.paths.iter().find(|(path, _)| is_within(path)) {
            Some((path, Ok(credentials))) => Ok((path, credentials)),
            Some((_, Err(reason))) => Err(reason),
            None => Ok(("", &self.host)),
        }
    }
}

/// Looks for the credentials of a registry.
pub(super) async fn find(about: &About) -> Result<Found, Error> {
    let host = about.host.clone();
    let (sender, receiver) = oneshot::channel();
    // A credential helper is another program, which may never answer. The end of the process waits for no thread of
    // this kind.
    std::thread::spawn(move || {
        // Who asked may have given up.
        let _ = sender.send(look(&host, &places()));
    });
    match timeout(PATIENCE, receiver).await {
        Ok(Ok(found)) => found.map_err(|reason| about.error(ErrorKind::Denied, reason)),
        Ok(Err(_)) => Err(about.error(ErrorKind::Other, "the look for credentials was given up")),
        Err(_) => {
            let reason = format_args!("no credential helper answers within {PATIENCE:?}");
            Err(about.error(ErrorKind::Denied, reason))
        }
    }
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
    // Where there is no session, as in CI, Podman has a folder for each user.
    let run =
        path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")).or_else(without_session);
    let config = home.map(|home| home.join(".config/containers/auth.json"));
    places.extend(run.into_iter().chain(config).map(Place::File));
    places
}

#[cfg(target_os = "linux")]
fn without_session() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let own = std::fs::metadata("/proc/self").ok()?;
    Some(PathBuf::from(format!("/run/containers/{}/auth.json", own.uid())))
}

#[cfg(not(target_os = "linux"))]
fn without_session() -> Option<PathBuf> {
    None
}

/// The first credentials for a host, and for each path of it.
fn look(host: &str, places: &[Place]) -> Result<Found, String> {
    let servers = if host == "docker.io" { DOCKER_HUB.as_slice() } else { &[host] };
    let mut paths: Vec<(String, Result<Credentials, String>)> = Vec::new();
    let found = |mut paths: Vec<(String, Result<Credentials, String>)>, host| {
        paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Ok(Found { paths, host })
    };
    for place in places {
        let (name, text) = match place {
            Place::Text(text, name) => ((*name).to_owned(), text.clone().into_bytes()),
            Place::File(path) => match std::fs::read(path) {
                Ok(text) => (path.display().to_string(), text),
                Err(_) if !exists(path) => continue,
                Err(cause) => return Err(format!("cannot read {}: {cause}", path.display())),
            },
        };
        if text.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |reason: String| format!("cannot use {name}: {reason}");
        let config =
            serde_json::from_slice(&text).map(tidy).map_err(|_| wrong("it is not JSON".to_owned()))?;
        for (server, path) in paths_of(&config, host) {
            if paths.iter().all(|(known, _)| known != path)
                && let Some(credentials) = read(&config, server).map_err(wrong).transpose()
            {
                paths.push((path.to_owned(), credentials));
            }
        }
        for server in servers {
            if let Some(credentials) = read(&config, server).map_err(wrong)? {
                return found(paths, credentials);
            }
        }
    }
    found(paths, Credentials::Anonymous)
}

/// The paths of a host that a config has credentials for, each behind the whole of its name.
fn paths_of<'c>(config: &'c Value, host: &str) -> Vec<(&'c str, &'c str)> {
    let auths = config.get("auths").and_then(Value::as_object);
    let names = auths.into_iter().flat_map(|auths| auths.keys());
    let path = |name: &'c String| {
        let path = name.strip_prefix(host)?.strip_prefix('/')?;
        // What ends with a slash stands there without it, too; `/v2/` behind a host is the registry itself; and where
        // there is nothing a helper has it, which knows no paths.
        let is_path = !path.is_empty() && !path.ends_with('/') && !matches!(path, "v1" | "v2");
        let has_some = auths?.get(name)?.as_object().is_some_and(|auth| !auth.is_empty());
        (is_path && has_some).then_some((name.as_str(), path))
    };
    names.filter_map(path).collect()
}

fn exists(path: &Path) -> bool {
    // In what is no folder, as a home of /dev/null, there is nothing.
    path.try_exists().unwrap_or_else(|error| error.kind() != io::ErrorKind::NotADirectory)
}

/// The credentials for a server in a config.json.
fn read(config: &Value, server: &str) -> Result<Option<Credentials>, String> {
    use CredentialRetrievalError as E;
    match get_credential_from_reader(config.to_string().as_bytes(), server) {
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
        Err(E::HelperCommunicationError) => {
            let named = config.pointer("/credHelpers").and_then(|helpers| helpers.get(server));
            let name = named.or(config.get("credsStore")).and_then(Value::as_str).unwrap_or_default();
            Err(format!(
                "docker-credential-{}, which it names, cannot be run: install it, or take it out there",
                printable(name)
            ))
        }
        Err(cause) => Err(cause.to_string()),
    }
}

/// A config without its empty texts, which are for Docker as if they were not there, and with its registries' names
/// without the slash that may end them.
fn tidy(mut config: Value) -> Value {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str, config: &str) -> Result<Credentials, String> {
        look(host, &[Place::Text(config.to_owned(), "the text")]).map(|found| found.host)
    }

    /// A config.json with the credentials of `me`, whose password is `hunter2`.
    fn config(key: &str) -> String {
        format!(r#"{{"auths":{{"{key}":{{"auth":"bWU6aHVudGVyMg=="}}}}}}"#)
    }

    #[test]
    fn docker_hub_is_found_under_each_of_its_names_and_others_under_theirs() {
        let me = Ok(Credentials::password("me", "hunter2"));
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io"] {
            assert_eq!(found("docker.io", &config(key)), me, "{key}");
        }
        assert_eq!(found("localhost:5000", &config("localhost:5000")), me);
        assert_eq!(found("r.example", &config("https://r.example")), me);
        assert_eq!(found("r.example", &config("r.example/")), me);
        assert_eq!(found("r.example:1", &config("https://r.example:1/")), me);
        for (host, key) in
            [("docker.io", "r.example"), ("r.example", "docker.io"), ("r.example:1", "r.example:2")]
        {
            assert_eq!(found(host, &config(key)), Ok(Credentials::Anonymous), "{host} {key}");
        }
    }

    #[test]
    fn the_longest_path_that_has_credentials_comes_before_the_host() {
        let of = |user: &str| data_encoding::BASE64.encode(format!("{user}:hunter2").as_bytes());
        let config = format!(
            r#"{{"auths":{{"r.example/team":{{"auth":"{}"}},"r.example/team/app":{{"auth":"{}"}},"r.example":{{"auth":"{}"}},"r.example.com/team":{{"auth":"{}"}},"r.example/v2/":{{"auth":"{}"}}}}}}"#,
            of("team"),
            of("app"),
            of("host"),
            of("other"),
            of("version")
        );
        let later = r#"{"auths":{"r.example/team":{"auth":"eDp5"},"r.example/else":{"auth":"eDp5"}}}"#;
        let places = [Place::Text(config, "first"), Place::Text(later.to_owned(), "not looked at")];
        let found = look("r.example", &places).unwrap();
        for (repository, user) in [
            ("team", "team"),
            ("team/other", "team"),
            ("team/app", "app"),
            ("team/app/part", "app"),
            ("teams", "host"),
            ("v2", "host"),
            ("else", "host"),
        ] {
            let picked = found.pick(repository).unwrap();
            assert_eq!(picked.1, &Credentials::password(user, "hunter2"), "{repository}");
        }
        let found = look(
            "docker.io",
            &[Place::Text(r#"{"auths":{"docker.io/me":{"auth":"eDp5"}}}"#.to_owned(), "it")],
        );
        assert_eq!(found.as_ref().unwrap().pick("me/app"), Ok(("me", &Credentials::password("x", "y"))));
        assert_eq!(found.unwrap().pick("library/app"), Ok(("", &Credentials::Anonymous)));
        // What cannot be used is an error for whoever needs it.
        let text = r#"{"auths":{"r.example/odd":{"auth":"!"},"r.example/none":{}}}"#;
        let found = look("r.example", &[Place::Text(text.to_owned(), "the text")]).unwrap();
        assert!(found.pick("odd/app").is_err_and(|reason| reason.starts_with("cannot use the text: ")));
        for path in ["none", "app"] {
            assert_eq!(found.pick(path), Ok(("", &Credentials::Anonymous)));
        }
    }

    #[test]
    fn an_identity_token_comes_before_a_password_and_what_is_no_config_is_an_error() {
        let text = r#"{"auths":{"r.example":{"auth":"bWU6","identitytoken":"kept"}}}"#;
        assert_eq!(found("r.example", text), Ok(Credentials::IdentityToken(Secret::new("kept"))));
        let error = found("r.example", r#"{"auths":{"r.example":{"auth":"hunter2!"}}}"#).unwrap_err();
        assert!(error.starts_with("cannot use the text: ") && !error.contains("hunter2"), "{error}");
        assert!(found("r.example", "hunter2").is_err_and(|error| !error.contains("hunter2")));
        assert_eq!(found("r.example", "{}"), Ok(Credentials::Anonymous));
    }

    #[test]
    fn what_is_empty_is_not_there() {
        for text in [
            r#"{"auths":{"r.example":{}}}"#,
            r#"{"auths":{"r.example":{"auth":"","identitytoken":""}}}"#,
            r#"{"auths":{"r.example":{"username":"","password":""}}}"#,
            "",
            " \n",
            r#"{"credsStore":"","credHelpers":{"r.example":""}}"#,
        ] {
            assert_eq!(found("r.example", text), Ok(Credentials::Anonymous), "{text}");
        }
        let text = r#"{"auths":{"r.example":{"auth":"bWU6aHVudGVyMg==","identitytoken":""}}}"#;
        assert_eq!(found("r.example", text), Ok(Credentials::password("me", "hunter2")));
    }

    #[test]
    fn a_helper_that_is_missing_is_named() {
        for text in
            [r#"{"credsStore":"no-such"}"#, r#"{"credsStore":"other","credHelpers":{"r.example":"no-such"}}"#]
        {
            let error = found("r.example", text).unwrap_err();
            assert!(
                error.starts_with(
                    "cannot use the text: docker-credential-no-such, which it names, cannot be run"
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn the_first_place_that_has_some_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        std::fs::write(&file, config("r.example")).unwrap();
        let absent = Place::File(folder.path().join("absent/auth.json"));
        let in_a_file = Place::File(file.join("config.json"));
        let empty = Place::Text("{}".to_owned(), "empty");
        let places = [
            absent,
            in_a_file,
            empty,
            Place::File(file),
            Place::Text("nonsense".to_owned(), "not looked at"),
        ];
        assert_eq!(look("r.example", &places).unwrap().host, Credentials::password("me", "hunter2"));
    }
}
