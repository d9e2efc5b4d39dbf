//! A credential helper: a program that keeps credentials, by the protocol of docker/docker-credential-helpers.
//!
//! `docker-credential-NAME get` reads the name of a server from its standard input, and writes JSON. What it writes is
//! never shown, as it may hold a secret.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::auth::members::text;
use crate::credentials::{Credentials, Secret};
use crate::text::printable;

/// How long a helper may take: a user may have to unlock something.
const PATIENCE: Duration = Duration::from_secs(120);
/// The user's name that stands for an identity token.
const IDENTITY_TOKEN: &str = "<token>";

/// A credential helper.
#[derive(Debug)]
pub(super) struct CredentialHelper {
    program: PathBuf,
    /// The name of the config that names it.
    config: String,
    patience: Duration,
}

impl CredentialHelper {
    /// The helper that a config calls `name`.
    pub(super) fn named(name: &str, config: &str) -> Self {
        let program = PathBuf::from(format!("docker-credential-{name}"));
        Self { program, config: config.to_owned(), patience: PATIENCE }
    }

    /// The name of the program, for messages.
    pub(super) fn name(&self) -> String {
        let name = self.program.file_name().map(OsStr::to_string_lossy);
        printable(&name.unwrap_or_default())
    }

    /// The credentials for a server, if the helper has any.
    pub(super) async fn get(&self, server: &str) -> Result<Option<Credentials>, String> {
        let (name, config) = (self.name(), &self.config);
        let to_see = format!("run it to see why: echo {} | {name} get", printable(server));
        let output = match timeout(self.patience, run(&self.program, server)).await {
            Ok(Ok(output)) => output,
            Ok(Err(cause)) if cause.kind() == ErrorKind::NotFound => {
                return Err(format!(
                    "{config} names the program {name}, which is not installed: install it, or remove its name from {config}"
                ));
            }
            Ok(Err(cause)) => {
                return Err(format!("{config} names the program {name}, which cannot be run: {cause}"));
            }
            Err(_) => {
                return Err(
                    self.unusable(format_args!("does not answer within {:?}; {to_see}", self.patience))
                );
            }
        };
        if output.status.success() {
            let answer = serde_json::from_slice(&output.stdout).ok().filter(Value::is_object);
            return match answer {
                Some(answer) => Ok(credentials(&answer)),
                None => {
                    Err(self.unusable(format_args!("answers with something else than credentials; {to_see}")))
                }
            };
        }
        // Helpers say in these words that they have none (docker-credential-helpers, credentials/error.go).
        let has_none = [&output.stdout, &output.stderr]
            .iter()
            .any(|output| String::from_utf8_lossy(output).contains("credentials not found"));
        if has_none {
            return Ok(None);
        }
        Err(self.unusable(format_args!("fails ({}); {to_see}", output.status)))
    }

    /// The error of a helper that ran.
    fn unusable(&self, reason: std::fmt::Arguments<'_>) -> String {
        format!("cannot use {}: {} {reason}", self.config, self.name())
    }
}

/// Runs a helper to its end. It ends with the future.
async fn run(program: &Path, server: &str) -> std::io::Result<std::process::Output> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper for a single server need not read it.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    child.wait_with_output().await
}

fn credentials(answer: &Value) -> Option<Credentials> {
    let (username, secret) = (text(answer, "Username")?, text(answer, "Secret").unwrap_or_default());
    Some(match username {
        IDENTITY_TOKEN => Credentials::IdentityToken(Secret::new(secret)),
        username => Credentials::password(username, secret),
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// The answer of a helper that is this shell script.
    async fn answer(script: &str, patience: Duration) -> Result<Option<Credentials>, String> {
        let folder = tempfile::tempdir().unwrap();
        let (text, program) = (folder.path().join("text"), folder.path().join("docker-credential-test"));
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Another process makes it executable: a file that this process holds open for writing cannot be run.
        let mut install = std::process::Command::new("install");
        assert!(install.args(["-m", "755"]).args([&text, &program]).status().unwrap().success());
        CredentialHelper { program, config: "c.json".to_owned(), patience }.get("r.example").await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_helper_gets_the_server_and_gives_credentials() {
        let echoes = r#"read -r server; echo "{\"Username\":\"$1 $server\",\"Secret\":\"hunter2\"}""#;
        assert_eq!(answer(echoes, LONG).await, Ok(Some(Credentials::password("get r.example", "hunter2"))));
        let token = r#"cat > /dev/null; echo '{"ServerURL":"x","username":"<token>","secret":"kept"}'"#;
        assert_eq!(answer(token, LONG).await, Ok(Some(Credentials::IdentityToken(Secret::new("kept")))));
        let nobody = r#"cat > /dev/null; echo '{"Username":"","Secret":""}'"#;
        assert_eq!(answer(nobody, LONG).await, Ok(None));
    }

    #[tokio::test]
    async fn a_helper_need_not_read_the_server() {
        let deaf = r#"exec 0<&-; sleep 0.2; echo '{"Username":"me","Secret":"hunter2"}'"#;
        assert_eq!(answer(deaf, LONG).await, Ok(Some(Credentials::password("me", "hunter2"))));
    }

    #[tokio::test]
    async fn a_helper_without_credentials_says_so_on_either_output() {
        for script in [
            "cat > /dev/null; echo credentials not found in native keychain; exit 1",
            "cat > /dev/null; echo 'Error: credentials not found' >&2; exit 2",
        ] {
            assert_eq!(answer(script, LONG).await, Ok(None), "{script}");
        }
    }

    #[tokio::test]
    async fn a_helper_that_fails_is_named_and_not_quoted() {
        let see = "run it to see why: echo r.example | docker-credential-test get";
        for (script, reason) in [
            ("echo hunter2; echo hunter2 >&2; exit 3", "fails (exit status: 3)"),
            ("kill -9 $$", "fails (signal: 9 (SIGKILL))"),
            ("echo hunter2", "answers with something else than credentials"),
            ("echo '[\"hunter2\"]'", "answers with something else than credentials"),
        ] {
            assert_eq!(
                answer(script, LONG).await,
                Err(format!("cannot use c.json: docker-credential-test {reason}; {see}")),
                "{script}"
            );
        }
        let error = CredentialHelper::named("no-such", "c.json").get("r.example").await.unwrap_err();
        assert!(
            error.starts_with("c.json names the program docker-credential-no-such, which is not"),
            "{error}"
        );
        let (program, patience) = (PathBuf::from("/dev/null"), LONG);
        let helper = CredentialHelper { program, config: "c.json".to_owned(), patience };
        let error = helper.get("r.example").await.unwrap_err();
        assert!(error.contains("cannot be run: Permission denied"), "{error}");
    }

    #[tokio::test]
    async fn a_helper_that_hangs_is_ended_and_named() {
        let start = Instant::now();
        let error = answer("exec sleep 600", Duration::from_millis(300)).await.unwrap_err();
        assert!(
            error.starts_with(
                "cannot use c.json: docker-credential-test does not answer within 300ms; run it"
            ),
            "{error}"
        );
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }
}
