//! Docker's registry as a program (Debian's `docker-registry`), on a free port and with a temporary folder.
//!
//! It is the real program, so it never fails on purpose.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::client::Client;
use crate::peer::{Daemon, has_program};
use crate::tokens::Tokens;

/// How a registry restricts access.
#[derive(Clone, Copy, Debug)]
pub enum Guard<'a> {
    /// Not at all.
    Open,
    /// By names and passwords.
    Passwords(&'a [(&'a str, &'a str)]),
    /// By TLS. If the flag is set, clients have to show an identity of the authority.
    Tls(&'a Authority, bool),
    /// By tokens that are signed below an authority.
    Tokens {
        /// The address of the token server.
        realm: &'a str,
        /// The registry's name at the token server.
        service: &'a str,
        /// The authority that certified the signer.
        authority: &'a Authority,
    },
}

/// A registry that runs until it is dropped.
#[derive(Debug)]
pub struct DockerRegistry {
    // In this order, so that the process has ended when its folder is removed.
    process: Daemon,
    folder: TempDir,
    address: SocketAddr,
    tls: bool,
}

impl DockerRegistry {
    /// The program.
    pub const PROGRAM: &'static str = "docker-registry";

    /// Starts one; `None` if the program is missing.
    pub async fn start(guard: Guard<'_>) -> Option<Self> {
        Self::launch(guard, false).await
    }

    /// Starts one that keeps the descriptors of blobs in memory, as its default configuration says; `None` if the program
    /// is missing.
    pub async fn start_with_descriptors_in_memory() -> Option<Self> {
        Self::launch(Guard::Open, true).await
    }

    async fn launch(guard: Guard<'_>, keeps_descriptors: bool) -> Option<Self> {
        if !has_program(Self::PROGRAM, "docker-registry") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        // JSON is YAML. Port 0 is replaced by a free one, which the log names.
        let config = path.join("config.yml");
        let mut configured = configuration(path, guard);
        if keeps_descriptors {
            configured["storage"]["cache"] = json!({"blobdescriptor": "inmemory"});
        }
        fs::write(&config, configured.to_string()).unwrap();
        let log = path.join("log");
        let mut command = Command::new(Self::PROGRAM);
        command.arg("serve").arg(&config).env_clear();
        let mut process = Daemon::start(&mut command, &log, Duration::from_secs(2));
        let address = process.until(&log, async || listening(&log)).await;
        Some(Self { process, folder, address, tls: matches!(guard, Guard::Tls(..)) })
    }

    /// Host and port, as in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scheme, host and port, without a trailing slash.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// A client for it. For TLS it still needs the authority.
    pub fn client(&self) -> Client {
        Client::new(&self.host())
    }

    /// The folder with all its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The ID of its process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

/// The address that the log names.
fn listening(log: &Path) -> Option<SocketAddr> {
    let log = fs::read_to_string(log).ok()?;
    let (_, rest) = log.split_once("listening on ")?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))?;
    rest[..end].parse().ok()
}

fn configuration(folder: &Path, guard: Guard<'_>) -> Value {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let mut config = json!({
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": folder.join("data")}, "delete": {"enabled": true}},
        "http": {"addr": "127.0.0.1:0", "secret": "of a test"},
    });
    match guard {
        Guard::Open => {}
        Guard::Passwords(users) => {
            // Four is the lowest cost of bcrypt. These passwords protect nothing.
            let line =
                |(user, password): &(&str, &str)| format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap());
            let path = file("htpasswd", &users.iter().map(line).collect::<String>());
            config["auth"] = json!({"htpasswd": {"realm": "registry of a test", "path": path}});
        }
        Guard::Tls(authority, requires_identity) => {
            authority.identity("registry").write(folder, "server");
            let certificate = folder.join("server.crt");
            config["http"]["tls"] = json!({"certificate": certificate, "key": folder.join("server.key")});
            if requires_identity {
                config["http"]["tls"]["clientcas"] = json!([file("ca.crt", &authority.pem())]);
            }
        }
        Guard::Tokens { realm, service, authority } => {
            let bundle = file("ca.crt", &authority.pem());
            config["auth"] = json!({"token": {
                "realm": realm, "service": service, "issuer": Tokens::ISSUER, "rootcertbundle": bundle,
            }});
        }
    }
    config
}
