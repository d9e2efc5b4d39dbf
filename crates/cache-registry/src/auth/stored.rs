//! Credentials where Docker and Podman store them.
//!
//! They are never printed. A source without credentials for a registry is skipped; one that cannot be read is an error.

use std::path::{Path, PathBuf};
use std::{env, io};

use cache_ingest::{Error, ErrorKind};

use crate::auth::docker_config::{DockerConfig, RegistryNames};
use crate::auth::identity::{Identity, IdentitySource};
use crate::credentials::Credentials;
use crate::docker_folder::{docker_folder, variable_path};
use crate::error::Operation;

/// The stored credentials for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredCredentials {
    /// Those for a path and all below it, the longest path first. Podman stores them under `host/path`.
    paths: Vec<PathCredentials>,
    /// Those for all other repositories.
    host: Identity,
}

/// A path with its credentials, or with the reason why they cannot be used.
type PathCredentials = (String, Result<Identity, String>);

impl StoredCredentials {
    fn new(mut paths: Vec<PathCredentials>, host: Identity) -> Self {
        paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { paths, host }
    }

    /// The credentials for a repository of the registry, with the path under which they are stored; else the reason why
    /// they cannot be used.
    pub(super) fn pick(&self, repository: &str) -> Result<(&str, &Identity), &str> {
        let is_within = |path: &str| {
            repository.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.paths.iter().find(|(path, _)| is_within(path)) {
            Some((path, Ok(identity))) => Ok((path, identity)),
            Some((_, Err(reason))) => Err(reason),
            None => Ok(("", &self.host)),
        }
    }
}

/// Searches the credentials for the registry of an operation.
pub(super) async fn find(operation: &Operation) -> Result<StoredCredentials, Error> {
    let found = search(operation.repository.host(), &sources()).await;
    found.map_err(|reason| operation.error(ErrorKind::Denied, reason))
}

/// A place where credentials may be stored.
enum CredentialSource {
    /// The text of a config.json, and the variable that holds it.
    Variable(String, &'static str),
    File(PathBuf),
}

impl CredentialSource {
    /// The name for messages.
    fn name(&self) -> String {
        match self {
            Self::Variable(_, name) => (*name).to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The config; `None` if there is no such file.
    fn read(&self) -> Result<Option<DockerConfig>, String> {
        let text = match self {
            Self::Variable(text, _) => text.clone().into_bytes(),
            Self::File(path) => match std::fs::read(path) {
                Ok(text) => text,
                Err(_) if !exists(path) => return Ok(None),
                Err(cause) => return Err(format!("cannot read {}: {cause}", path.display())),
            },
        };
        DockerConfig::parse(self.name(), &text).map(Some)
    }
}

/// All sources, in the order in which they are searched.
fn sources() -> Vec<CredentialSource> {
    let mut sources = Vec::new();
    if let Ok(text) = env::var("DOCKER_AUTH_CONFIG")
        && !text.is_empty()
    {
        sources.push(CredentialSource::Variable(text, "DOCKER_AUTH_CONFIG"));
    }
    sources.extend(variable_path("REGISTRY_AUTH_FILE").map(CredentialSource::File));
    sources.extend(docker_folder().map(|folder| CredentialSource::File(folder.join("config.json"))));
    // In CI there may be no session; then Podman has a folder for each user.
    let run = variable_path("XDG_RUNTIME_DIR")
        .map(|folder| folder.join("containers/auth.json"))
        .or_else(without_session);
    let config = env::home_dir().map(|home| home.join(".config/containers/auth.json"));
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
async fn search(host: &str, sources: &[CredentialSource]) -> Result<StoredCredentials, String> {
    let registry = RegistryNames::of(host);
    let mut paths: Vec<PathCredentials> = Vec::new();
    for source in sources {
        let Some(config) = source.read()? else { continue };
        for (path, entry) in config.paths(&registry) {
            if paths.iter().all(|(known, _)| known != path)
                && let Some(identity) = config.entry_identity(entry).transpose()
            {
                paths.push((path.to_owned(), identity));
            }
        }
        if let Some(identity) = config.identity(&registry).await? {
            return Ok(StoredCredentials::new(paths, identity));
        }
    }
    let source = IdentitySource::Nowhere(sources.iter().map(CredentialSource::name).collect());
    Ok(StoredCredentials::new(paths, Identity { credentials: Credentials::Anonymous, source }))
}

fn exists(path: &Path) -> bool {
    // Below something that is no folder, such as a home of /dev/null, nothing exists.
    path.try_exists().unwrap_or_else(|error| error.kind() != io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use crate::credentials::Secret;

    use super::*;

    fn variable(text: &str) -> CredentialSource {
        CredentialSource::Variable(text.to_owned(), "the text")
    }

    async fn found(host: &str, config: &str) -> Result<Credentials, String> {
        search(host, &[variable(config)]).await.map(|found| found.host.credentials)
    }

    fn auth(user: &str) -> String {
        data_encoding::BASE64.encode(user.as_bytes())
    }

    /// A config.json with the credentials of `me`, whose password is `hunter2`.
    fn config(key: &str) -> String {
        format!(r#"{{"auths":{{"{key}":{{"auth":"{}"}}}}}}"#, auth("me:hunter2"))
    }

    fn me() -> Result<Credentials, String> {
        Ok(Credentials::password("me", "hunter2"))
    }

    #[tokio::test]
    async fn a_registry_is_found_under_each_of_its_names() {
        for key in [
            "https://index.docker.io/v1/",
            "docker.io",
            "index.docker.io",
            "https://index.docker.io/v2/",
            "registry-1.docker.io",
        ] {
            for host in ["docker.io", "registry-1.docker.io"] {
                assert_eq!(found(host, &config(key)).await, me(), "{host} {key}");
            }
        }
        for key in [
            "r.example:1",
            "r.example:1/",
            "R.example:1",
            "r.example:1/v1/",
            "r.example:1/v2",
            "https://r.example:1",
            "https://r.example:1/",
            "http://r.example:1/v1/",
            "https://r.example:1/any/path",
        ] {
            assert_eq!(found("r.example:1", &config(key)).await, me(), "{key}");
        }
        for (host, key) in [
            ("docker.io", "r.example"),
            ("r.example", "docker.io"),
            ("r.example:1", "r.example:2"),
            ("r.example", "r.example.com"),
            ("r.example", "https://r.example.com/r.example"),
        ] {
            assert_eq!(found(host, &config(key)).await, Ok(Credentials::Anonymous), "{host} {key}");
        }
    }

    #[tokio::test]
    async fn the_usual_name_of_a_registry_comes_first_unless_its_entry_is_empty() {
        let of = |entries: &[(&str, &str)]| {
            let entries = entries.iter().map(|(key, user)| match *user {
                "" => format!(r#""{key}":{{}}"#),
                user => format!(r#""{key}":{{"auth":"{}"}}"#, auth(&format!("{user}:hunter2"))),
            });
            format!(r#"{{"auths":{{{}}}}}"#, entries.collect::<Vec<_>>().join(","))
        };
        for (host, entries, user) in [
            ("r.example", [("https://r.example", "url"), ("r.example", "host")], "host"),
            ("r.example", [("https://r.example/v1/", "url"), ("r.example", "")], "url"),
            ("docker.io", [("docker.io", "short"), ("https://index.docker.io/v1/", "docker")], "docker"),
            (
                "docker.io",
                [("https://index.docker.io/v1/access-token", "token"), ("https://index.docker.io/v1/", "me")],
                "me",
            ),
        ] {
            let password = Credentials::password(user, "hunter2");
            assert_eq!(found(host, &of(&entries)).await, Ok(password), "{entries:?}");
        }
    }

    #[tokio::test]
    async fn credentials_of_the_longest_path_come_before_those_of_the_host() {
        let config = format!(
            r#"{{"auths":{{"r.example/team":{{"auth":"{}"}},"r.example/team/app/":{{"auth":"{}"}},"r.example":{{"auth":"{}"}},"r.example.com/team":{{"auth":"{}"}},"r.example/v2/":{{"auth":"{}"}}}}}}"#,
            auth("team:hunter2"),
            auth("app:hunter2"),
            auth("host:hunter2"),
            auth("other:hunter2"),
            auth("version:hunter2")
        );
        let later = r#"{"auths":{"r.example/team":{"auth":"eDp5"},"r.example/else":{"auth":"eDp5"}}}"#;
        let found = search("r.example", &[variable(&config), variable(later)]).await.unwrap();
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
            assert_eq!(picked.1.credentials, Credentials::password(user, "hunter2"), "{repository}");
        }
        assert_eq!(
            found.pick("team/x").unwrap().1.to_string(),
            "user team (entry r.example/team of the text)"
        );
        let hub = [variable(r#"{"auths":{"docker.io/me":{"auth":"eDp5"}}}"#)];
        let found = search("docker.io", &hub).await.unwrap();
        let (path, identity) = found.pick("me/app").unwrap();
        assert_eq!((path, &identity.credentials), ("me", &Credentials::password("x", "y")));
        assert_eq!(found.pick("library/app").unwrap().1.credentials, Credentials::Anonymous);
        // Unusable credentials are an error only for the repositories that need them.
        let text = r#"{"auths":{"r.example/odd":{"auth":"!"},"r.example/none":{}}}"#;
        let found = search("r.example", &[variable(text)]).await.unwrap();
        assert_eq!(
            found.pick("odd/app"),
            Err("cannot use the text: entry r.example/odd: its auth is not base64; correct it, or remove it")
        );
        for path in ["none", "app"] {
            assert_eq!(found.pick(path).unwrap().1.credentials, Credentials::Anonymous);
        }
    }

    #[tokio::test]
    async fn an_entry_is_read_as_docker_reads_it() {
        for (entry, expected) in [
            (r#"{"auth":"bWU6aHVud\nGVyMg==\r\n"}"#, Credentials::password("me", "hunter2")),
            (r#"{"auth":"bWU6aHVudGVyMg"}"#, Credentials::password("me", "hunter2")),
            (r#"{"auth":"bWU6aHVudGVyMgAA"}"#, Credentials::password("me", "hunter2")),
            (r#"{"auth":"bWU6YTpi"}"#, Credentials::password("me", "a:b")),
            (r#"{"auth":"bWU6"}"#, Credentials::password("me", "")),
            (
                r#"{"auth":"bWU6aHVudGVyMg==","username":"me","password":"old"}"#,
                Credentials::password("me", "hunter2"),
            ),
            (r#"{"username":"me","password":"hunter2","auth":""}"#, Credentials::password("me", "hunter2")),
            (r#"{"Username":"me","Password":"hunter2"}"#, Credentials::password("me", "hunter2")),
            (r#"{"username":"me"}"#, Credentials::password("me", "")),
            (r#"{"auth":"bWU6","identitytoken":"kept"}"#, Credentials::IdentityToken(Secret::new("kept"))),
            (
                r#"{"auth":"bWU6","identitytoken":"kept","registrytoken":"sent"}"#,
                Credentials::RegistryToken(Secret::new("sent")),
            ),
        ] {
            let text = format!(
                r#"{{"auths":{{"other":null,"third":7,"r.example":{entry}}},"credHelpers":{{"x":null}},"credsStore":null}}"#
            );
            assert_eq!(found("r.example", &text).await, Ok(expected), "{entry}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_named_and_not_quoted() {
        for (text, reason) in [
            ("hunter2", "cannot use the text: it is not JSON (line 1, column 1)"),
            (r#"["hunter2"]"#, "cannot use the text: it is not a JSON object"),
            (
                r#"{"auths":{"r.example":{"auth":"hunter2!"}}}"#,
                "cannot use the text: entry r.example: its auth is not base64; correct it, or remove it",
            ),
            (
                r#"{"auths":{"https://r.example":{"auth":"aHVudGVyMg=="}}}"#,
                "cannot use the text: entry https://r.example: its auth is not USER:PASSWORD in base64; correct it, or remove it",
            ),
            (
                r#"{"auths":{"r.example":{"auth":"Omh1bnRlcjI="}}}"#,
                "cannot use the text: entry r.example: its auth is not USER:PASSWORD in base64; correct it, or remove it",
            ),
            (
                r#"{"auths":{"r.example":{"auth":"bWU6/w=="}}}"#,
                "cannot use the text: entry r.example: its auth is not UTF-8 in base64; correct it, or remove it",
            ),
        ] {
            assert_eq!(found("r.example", text).await, Err(reason.to_owned()), "{text}");
        }
    }

    #[tokio::test]
    async fn empty_entries_count_as_absent() {
        for text in [
            "{}",
            "null",
            "",
            " \n",
            r#"{"auths":null,"credHelpers":null}"#,
            r#"{"auths":{"r.example":{}}}"#,
            r#"{"auths":{"r.example":null}}"#,
            r#"{"auths":{"r.example":{"auth":"","identitytoken":""}}}"#,
            r#"{"auths":{"r.example":{"username":"","password":""}}}"#,
            r#"{"credsStore":"","credHelpers":{"r.example":""}}"#,
            r#"{"credsStore":"no-such","credHelpers":{"r.example":""}}"#,
        ] {
            assert_eq!(found("r.example", text).await, Ok(Credentials::Anonymous), "{text}");
        }
        let text = r#"{"auths":{"r.example":{"auth":"bWU6aHVudGVyMg==","identitytoken":""}}}"#;
        assert_eq!(found("r.example", text).await, me());
    }

    #[tokio::test]
    async fn a_helper_that_is_missing_is_named_unless_the_config_has_credentials_itself() {
        for text in
            [r#"{"credsStore":"no-such"}"#, r#"{"credsStore":"other","credHelpers":{"r.example":"no-such"}}"#]
        {
            let error = found("r.example", text).await.unwrap_err();
            assert_eq!(
                error,
                "the text names the program docker-credential-no-such, which is not installed: install it, or remove its name from the text"
            );
        }
        for entry in [r#"{"auth":"bWU6aHVudGVyMg=="}"#, r#"{"username":"me","password":"hunter2"}"#] {
            let text = format!(r#"{{"credsStore":"no-such","auths":{{"r.example":{entry}}}}}"#);
            assert_eq!(found("r.example", &text).await, me(), "{entry}");
        }
    }

    #[tokio::test]
    async fn the_first_source_that_has_some_is_taken_and_all_are_named_if_none_has() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        std::fs::write(&file, config("r.example")).unwrap();
        let absent = folder.path().join("absent/auth.json");
        let sources = [
            CredentialSource::File(absent.clone()),
            CredentialSource::File(file.join("config.json")),
            variable("{}"),
            CredentialSource::File(file.clone()),
            variable("nonsense"),
        ];
        let found = search("r.example", &sources).await.unwrap().host;
        assert_eq!(Ok(found.credentials.clone()), me());
        assert_eq!(found.to_string(), format!("user me (entry r.example of {})", file.display()));
        let found = search("s.example", sources.get(..3).unwrap()).await.unwrap().host;
        let names = [absent, file.join("config.json")].map(|path| path.display().to_string());
        let names = names.into_iter().chain(["the text".to_owned()]).collect();
        assert_eq!(found.source, IdentitySource::Nowhere(names));
    }
}
