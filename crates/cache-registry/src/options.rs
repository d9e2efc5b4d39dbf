//! The options of a client: the job, trust, credentials, time limits.
//!
//! Data only. The files that they name are read when the client is made.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cache_ingest::Job;

use crate::credentials::Credentials;
use crate::http::certs_d::docker_folders;

/// The options of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The job of the requests. Its retries bound how often a request is repeated and a broken upload continued. Its
    /// limit of metadata bounds manifests and lists of tags. Its progress receives each repeated request. Its concurrency
    /// bounds the requests that wait for an answer, and the uploads under way, over all stores of the client.
    pub job: Job,
    /// Files with certificates (PEM) of authorities that are trusted besides those of the system.
    pub ca: Vec<PathBuf>,
    /// The certificate of the client, for servers that request one.
    pub certificate: Option<ClientCertificate>,
    /// Folders with the certificates for single registries, in the form of Docker's `certs.d`: in `HOST:PORT` (`HOST` for
    /// the default port), `*.crt` are authorities, and `NAME.cert` with `NAME.key` is the certificate of the client. By
    /// default those of Docker Desktop (`certs.d` in `DOCKER_CONFIG`), of rootless Docker (`docker/certs.d` in
    /// `XDG_CONFIG_HOME`), and `/etc/docker/certs.d`. A folder that this user may not list is passed over.
    pub certificate_folders: Vec<PathBuf>,
    /// Trust any certificate, and talk plain HTTP to a host that does not speak TLS, credentials included.
    pub insecure: bool,
    /// The credentials for hosts, which are written as in [`Repository::host`](cache_target::Repository::host). They
    /// precede stored ones.
    pub credentials: BTreeMap<String, Credentials>,
    /// Whether to use the credentials that Docker and Podman store; true by default. They are searched in this order:
    /// `DOCKER_AUTH_CONFIG` (the text of a config.json), `REGISTRY_AUTH_FILE`, Docker's config.json (in the folder
    /// `DOCKER_CONFIG`) with its credential helpers, Podman's auth.json. Those for a path (`r.example/team`, as Podman
    /// stores them) precede those for a host.
    pub find_credentials: bool,
    /// How long an answer, 16 KiB of a body that is read, or 128 KiB of one that is sent may take; 30 seconds by
    /// default. The answer to the end of an upload may take ten times as long, as the registry checks and moves the blob.
    pub stall: Duration,
    /// The size, in bytes, of the chunks in which blobs are sent. By default the bytes of each blob are sent in one request,
    /// which may be too large for a proxy. A broken upload is continued in both cases, if the registry supports it.
    pub chunk_size: Option<u64>,
    /// Whether a blob that the registry has is read and hashed, and uploaded again if it is wrong. By default a blob is
    /// present if the registry says so, with the right size. A registry that keeps descriptors in memory may say so of a
    /// blob that its storage has lost.
    pub rehash: bool,
}

/// The files of a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The certificate, followed by the chain to its authority (PEM).
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
            certificate_folders: docker_folders(),
            insecure: false,
            credentials: BTreeMap::new(),
            find_credentials: true,
            stall: Duration::from_secs(30),
            chunk_size: None,
            rehash: false,
        }
    }
}

impl ClientOptions {
    /// Sets the [`job`](Self::job).
    #[must_use]
    pub fn with_job(self, job: Job) -> Self {
        Self { job, ..self }
    }

    /// Adds a file with certificates of authorities to [`ca`](Self::ca).
    #[must_use]
    pub fn with_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca.push(file.into());
        self
    }

    /// Sets the [`certificate`](Self::certificate) of the client.
    #[must_use]
    pub fn with_certificate(self, certificate: ClientCertificate) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// Sets the [`certificate_folders`](Self::certificate_folders).
    #[must_use]
    pub fn with_certificate_folders(self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { certificate_folders: folders.into_iter().collect(), ..self }
    }

    /// Sets whether the client is [`insecure`](Self::insecure).
    #[must_use]
    pub fn with_insecure(self, insecure: bool) -> Self {
        Self { insecure, ..self }
    }

    /// Adds the [`credentials`](Self::credentials) for a host.
    #[must_use]
    pub fn with_credentials(mut self, host: impl Into<String>, credentials: Credentials) -> Self {
        self.credentials.insert(host.into(), credentials);
        self
    }

    /// Sets whether to [find credentials](Self::find_credentials).
    #[must_use]
    pub fn with_find_credentials(self, find_credentials: bool) -> Self {
        Self { find_credentials, ..self }
    }

    /// Sets the time for a [`stall`](Self::stall).
    #[must_use]
    pub fn with_stall(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    /// Sets the [`chunk_size`](Self::chunk_size), in bytes.
    #[must_use]
    pub fn with_chunk_size(self, chunk_size: impl Into<Option<u64>>) -> Self {
        Self { chunk_size: chunk_size.into(), ..self }
    }

    /// Sets whether blobs that the registry has are [hashed](Self::rehash).
    #[must_use]
    pub fn with_rehash(self, rehash: bool) -> Self {
        Self { rehash, ..self }
    }
}

impl ClientCertificate {
    /// The certificate and the key in these files.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into() }
    }
}
