//! The options of every command that may talk to a registry.

use std::path::PathBuf;
use std::time::Duration;

use cache_ingest::RetryPolicy;
use clap::{Args, ValueHint};

use crate::cli::values::parse_duration;

/// The heading of options for registries.
pub(crate) const REGISTRIES: &str = "Registries";

/// The options of every command that may talk to a registry.
#[derive(Args, Clone, Debug)]
pub(crate) struct RegistryArgs {
    /// Also trust this authority (PEM file)
    ///
    /// May be given several times. A server's own certificate is trusted too. Docker's files for the registry, such as
    /// `/etc/docker/certs.d/HOST:PORT/ca.crt`, are used in any case.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = REGISTRIES)]
    pub(crate) ca: Vec<PathBuf>,

    /// Present this certificate to a registry (PEM file)
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "key", help_heading = REGISTRIES,
    )]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert (PEM file, not encrypted)
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "cert", help_heading = REGISTRIES,
    )]
    pub(crate) key: Option<PathBuf>,

    /// Accept any certificate, and plain HTTP
    ///
    /// HTTPS is tried first. Credentials are sent over plain HTTP too. For one registry of several, write
    /// `registry.insecure=true` among the attributes.
    #[arg(long, help_heading = REGISTRIES)]
    pub(crate) insecure: bool,

    /// Log in as this user, with --password-stdin
    ///
    /// It is used instead of the credentials of docker login.
    #[arg(long, value_name = "NAME", requires = "password_stdin", help_heading = REGISTRIES)]
    pub(crate) username: Option<String>,

    /// Read the password or token from standard input
    #[arg(long, requires = "username", help_heading = REGISTRIES)]
    pub(crate) password_stdin: bool,

    /// How often a failed request is repeated
    ///
    /// A request is repeated if the registry cannot be reached, is silent, or answers that it cannot serve now.
    #[arg(
        long, value_name = "N", default_value_t = RetryPolicy::default().retries,
        value_parser = clap::value_parser!(u32).range(..=1000), help_heading = REGISTRIES,
    )]
    pub(crate) retries: u32,

    /// How long to wait for an answer
    ///
    /// Such as 30s or 2m. The answer to an upload may take ten times as long.
    #[arg(
        long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration,
        help_heading = REGISTRIES,
    )]
    pub(crate) timeout: Duration,
}

impl RegistryArgs {
    /// The options that say how to reach a registry, as words of a command line. The numbers are no part of it.
    pub(crate) fn words(&self) -> Vec<String> {
        let path = |option: &str, path: &PathBuf| [option.to_owned(), path.display().to_string()];
        let mut words: Vec<String> = self.ca.iter().flat_map(|ca| path("--ca", ca)).collect();
        words.extend(self.cert.iter().flat_map(|cert| path("--cert", cert)));
        words.extend(self.key.iter().flat_map(|key| path("--key", key)));
        words.extend(self.insecure.then(|| "--insecure".to_owned()));
        words.extend(self.username.iter().flat_map(|name| ["--username".to_owned(), name.clone()]));
        words.extend(self.password_stdin.then(|| "--password-stdin".to_owned()));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_registries_have_their_heading() {
        let command = RegistryArgs::augment_args(clap::Command::new("a command"));
        for option in command.get_arguments() {
            assert_eq!(option.get_help_heading(), Some(REGISTRIES), "{}", option.get_id());
        }
    }
}
