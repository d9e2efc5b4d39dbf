//! How registries are talked to: limits, trust, credentials, retries.
//!
//! Data only. Files that are named here are read when the client is made.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use cache_ingest::Job;

use crate::credentials::Credentials;

/// How a [`Client`](crate::Client) talks to registries.
#[derive(Clone)]
pub struct ClientOptions {
    /// The job that the requests are part of: its retries bound how often a request is repeated and a broken upload
    /// continued, its limit bounds manifests and lists of tags, and its progress hears of each repeated request. Its
    /// concurrency is how many requests wait for their answers at once, and how many uploads are under way at once, over
    /// all stores of a client.
    pub job: Job,
    /// Files with certificates (PEM) of authorities that are trusted besides those of the system.
    pub ca: Vec<PathBuf>,
    /// The certificate that the client shows to whoever asks for one.
    pub certificate: Option<ClientCertificate>,
    /// Trust any certificate, and talk plain HTTP to a host that does not speak TLS, credentials included.
    pub insecure: bool,
    /// The credentials for a host, which is written as in [`Repository::host`](cache_target::Repository::host). They come
    /// before all that is found elsewhere.
    pub credentials: BTreeMap<String, Credentials>,
    /// Whether credentials are looked for where Docker and Podman keep them; yes by default. In this order:
    /// `DOCKER_AUTH_CONFIG` (the text of a config.json), `REGISTRY_AUTH_FILE`, Docker's config.json (in the folder
    /// `DOCKER_CONFIG`) with its credential helpers, Podman's auth.json. Those for a path (`r.example/team`, as Podman
    /// keeps them) come before those for a host.
    pub find_credentials: bool,
    /// How long an answer, 16 KiB of a body that is read, or 128 KiB of one that is sent may take; 30 seconds by
    /// default. The answer to the end of an upload may take ten times as long, as the registry checks and moves the blob.
    pub stall: Duration,
    /// The size in bytes of the pieces that blobs are sent in. By default each is sent whole, in one request; a proxy
    /// may allow only less. A broken upload is continued where the registry can, either way.
    pub chunk_size: Option<u64>,
}

/// Where a client's certificate lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate with those that lead to its authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM), not encrypted.
    pub key: PathBuf,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            job: Job::default(),
            ca: Vec::new(),
            certificate: None,
            insecure: false,
            credentials: BTreeMap::new(),
            find_credentials: true,
            stall: Duration::from_secs(30),
            chunk_size: None,
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("job", &self.job)
            .field("ca", &self.ca)
            .field("certificate", &self.certificate)
            .field("insecure", &self.insecure)
            .field("credentials", &self.credentials)
            .field("find_credentials", &self.find_credentials)
            .field("stall", &self.stall)
            .field("chunk_size", &self.chunk_size)
            .finish()
    }
}
