//! Credentials where Docker and Podman store them.
//!
//! They are never printed. A source without credentials for a registry is skipped; one that cannot be read is an error.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, io};

use cache_ingest::{Error, ErrorKind};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::auth::docker_config::{DOCKER_HUB, DockerConfig};
use crate::credentials::Credentials;
use crate::error::Operation;

/// How long a credential helper may take: a user may have to unlock something.
const PATIENCE: Duration = Duration::from_secs(120);

/// The stored credentials for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredCredentials {
    /// Those for a path and all below it, the longest path first. Podman stores them under `host/path`.
    paths: Vec<PathCredentials>,
    /// Those for all other repositories.
    host: Credentials,
}

/// A path with its credentials, or with the reason why they cannot be used.
type PathCredentials = (String, Result<Credentials, String>);

impl StoredCredentials {
    fn new(mut paths: Vec<PathCredentials>, host: Credentials) -> Self {
        paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { paths, host }
    }

    /// The credentials for a repository of the registry, with the path under which they are stored; else the reason why
    /// they cannot be used.
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

/// Searches the credentials for the registry of an operation.
pub(super) async fn find(operation: &Operation) -> Result<StoredCredentials, Error> {
    let host = operation.host.clone();
    let (sender, receiver) = oneshot::channel();
    // A credential helper is another program, which may never return. So it runs in a plain thread, for which the end of
    // the process does not wait.
    std::thread::spawn(move || {
        // The operation may have been dropped meanwhile.
        let _ = sender.send(search(&host, &sources()));
    });
    match timeout(PATIENCE, receiver).await {
        Ok(Ok(found)) => found.map_err(|reason| operation.error(ErrorKind::Denied, reason)),
        Ok(Err(_)) => Err(operation.error(ErrorKind::Other, "the search for credentials broke off")),
        Err(_) => {
            let reason = format_args!("no credential helper answers within {PATIENCE:?}");
            Err(operation.error(ErrorKind::Denied, reason))
        }
    }
}

/// A place where credentials may be stored.
enum CredentialSource {
    /// The text of a config.json, and its name for messages.
    Text(String, &'static str),
    File(PathBuf),
}

impl CredentialSource {
    /// The name for messages, and the text; `None` if there is no such file.
    fn read(&self) -> Result<Option<(String, Vec<u8>)>, String> {
        match self {
            Self::Text(text, name) => Ok(Some(((*name).to_owned(), text.clone().into_bytes()))),
            Self::File(path) => match std::fs::read(path) {
                Ok(text) => Ok(Some((path.display().to_string(), text))),
                Err(_) if !exists(path) => Ok(None),
                Err(cause) => Err(format!("cannot read {}: {cause}", path.display())),
            },
        }
    }
}

/// All sources, in the order in which they are searched.
fn sources() -> Vec<CredentialSource> {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut sources = Vec::new();
    if let Ok(text) = env::var("DOCKER_AUTH_CONFIG")
        && !text.is_empty()
    {
        sources.push(CredentialSource::Text(text, "DOCKER_AUTH_CONFIG"));
    }
    sources.extend(path("REGISTRY_AUTH_FILE").map(CredentialSource::File));
    let home = env::home_dir();
    let docker = path("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    sources.extend(docker.map(|folder| CredentialSource::File(folder.join("config.json"))));
    // In CI there may be no session; then Podman has a folder for each user.
    let run =
        path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")).or_else(without_session);
    let config = home.map(|home| home.join(".config/containers/auth.json"));
    sources.extend(run.into_iter().chain(config).map(CredentialSource::File));
    sources
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

/// The first credentials for a host, and the first for each path of it. Sources behind the host's are not read.
fn search(host: &str, sources: &[CredentialSource]) -> Result<StoredCredentials, String> {
    let servers = if host == "docker.io" { DOCKER_HUB.as_slice() } else { &[host] };
    let mut paths: Vec<PathCredentials> = Vec::new();
    for source in sources {
        let Some((name, text)) = source.read()? else { continue };
        if text.trim_ascii().is_empty() {
            continue;
        }
        let unusable = |reason: String| format!("cannot use {name}: {reason}");
        let config = DockerConfig::parse(&text).map_err(unusable)?;
        for (server, path) in config.paths(host) {
            if paths.iter().all(|(known, _)| known != path)
                && let Some(credentials) = config.credentials(server).map_err(unusable).transpose()
            {
                paths.push((path.to_owned(), credentials));
            }
        }
        for server in servers {
            if let Some(credentials) = config.credentials(server).map_err(unusable)? {
                return Ok(StoredCredentials::new(paths, credentials));
            }
        }
    }
    Ok(StoredCredentials::new(paths, Credentials::Anonymous))
}

fn exists(path: &Path) -> bool {
    // Below something that is no folder, such as a home of /dev/null, nothing exists.
    path.try_exists().unwrap_or_else(|error| error.kind() != io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use crate::credentials::Secret;

    use super::*;

    fn found(host: &str, config: &str) -> Result<Credentials, String> {
        search(host, &[CredentialSource::Text(config.to_owned(), "the text")]).map(|found| found.host)
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
    fn credentials_of_the_longest_path_come_before_those_of_the_host() {
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
        let sources = [
            CredentialSource::Text(config, "first"),
            CredentialSource::Text(later.to_owned(), "not looked at"),
        ];
        let found = search("r.example", &sources).unwrap();
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
        let found = search(
            "docker.io",
            &[CredentialSource::Text(r#"{"auths":{"docker.io/me":{"auth":"eDp5"}}}"#.to_owned(), "it")],
        );
        assert_eq!(found.as_ref().unwrap().pick("me/app"), Ok(("me", &Credentials::password("x", "y"))));
        assert_eq!(found.unwrap().pick("library/app"), Ok(("", &Credentials::Anonymous)));
        // Unusable credentials are an error only for the repositories that need them.
        let text = r#"{"auths":{"r.example/odd":{"auth":"!"},"r.example/none":{}}}"#;
        let found = search("r.example", &[CredentialSource::Text(text.to_owned(), "the text")]).unwrap();
        assert!(found.pick("odd/app").is_err_and(|reason| reason.starts_with("cannot use the text: ")));
        for path in ["none", "app"] {
            assert_eq!(found.pick(path), Ok(("", &Credentials::Anonymous)));
        }
    }

    #[test]
    fn an_identity_token_comes_before_a_password_and_a_broken_config_is_an_error() {
        let text = r#"{"auths":{"r.example":{"auth":"bWU6","identitytoken":"kept"}}}"#;
        assert_eq!(found("r.example", text), Ok(Credentials::IdentityToken(Secret::new("kept"))));
        let error = found("r.example", r#"{"auths":{"r.example":{"auth":"hunter2!"}}}"#).unwrap_err();
        assert!(error.starts_with("cannot use the text: ") && !error.contains("hunter2"), "{error}");
        assert!(found("r.example", "hunter2").is_err_and(|error| !error.contains("hunter2")));
        assert_eq!(found("r.example", "{}"), Ok(Credentials::Anonymous));
    }

    #[test]
    fn empty_entries_count_as_absent() {
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
    fn the_first_source_that_has_some_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        std::fs::write(&file, config("r.example")).unwrap();
        let absent = CredentialSource::File(folder.path().join("absent/auth.json"));
        let in_a_file = CredentialSource::File(file.join("config.json"));
        let empty = CredentialSource::Text("{}".to_owned(), "empty");
        let sources = [
            absent,
            in_a_file,
            empty,
            CredentialSource::File(file),
            CredentialSource::Text("nonsense".to_owned(), "not looked at"),
        ];
        assert_eq!(search("r.example", &sources).unwrap().host, Credentials::password("me", "hunter2"));
    }
}
