//! What a command works with: the stores that it can open, and its job.
//!
//! Built from the options alone; nothing is opened here.

use std::path::Path;
use std::sync::Arc;

use cache_ingest::{Job, LayoutOptions, Progress, RetryBudget, RetryPolicy};
use cache_registry::{ClientCertificate, ClientOptions, RegistryScheme};
use cache_target::{Attributes, LocalScheme, Role, Targets};

use crate::cli::{GlobalArgs, RegistryArgs, WriteArgs};
use crate::credentials::credentials;
use crate::failure::{CHECK_THE_PATH, Doing, Failure};
use crate::progress::{Relay, reporter};

/// The stores and the job of one command. Dropping it takes its progress bar away.
pub(crate) struct Stores {
    pub(crate) targets: Targets,
    /// The registries among the targets.
    pub(crate) registries: RegistryScheme,
    pub(crate) job: Job,
    /// Whether a blob that a destination has is read and hashed.
    pub(crate) rehashes: bool,
    /// The annotations that a manifest gets when it is written.
    pub(crate) annotations: Vec<(String, String)>,
}

impl Stores {
    /// For a command that only reads.
    pub(crate) fn for_reading(
        global: &GlobalArgs,
        registry: &RegistryArgs,
        sources: &[&str],
    ) -> Result<Self, Failure> {
        let sources: Vec<_> = sources.iter().map(|source| (*source, Role::Source)).collect();
        let client = client_options(registry, &sources)?;
        let job = job(global, registry);
        Ok(Self::new(LayoutOptions::default(), client, job, reporter(global)))
    }

    /// For a command that writes to one of these targets, and may read from the others.
    pub(crate) fn for_writing(
        global: &GlobalArgs,
        registry: &RegistryArgs,
        write: &WriteArgs,
        targets: &[(&str, Role)],
    ) -> Result<Self, Failure> {
        let client =
            client_options(registry, targets)?.with_chunk_size(write.chunk_size).with_rehash(write.rehash);
        let folders = LayoutOptions::default().with_sync(!write.no_sync).with_rehash(write.rehash);
        let job = job(global, registry).with_concurrency(usize::from(write.jobs));
        let annotations = write.annotations.clone();
        Ok(Self { rehashes: write.rehash, annotations, ..Self::new(folders, client, job, reporter(global)) })
    }

    /// The same stores, which make no folder for a destination. Nothing may be written to them.
    pub(crate) fn for_dry_run(mut self) -> Self {
        let folders = LayoutOptions::default().with_dry_run(true).with_max_metadata(self.job.max_metadata);
        self.targets.register(Box::new(LocalScheme::new(folders)));
        self
    }

    fn new(folders: LayoutOptions, client: ClientOptions, job: Job, progress: Arc<dyn Progress>) -> Self {
        // Connections may outlive the command, and must not keep its progress bar.
        let relayed = job.clone().with_progress(Relay::to(&progress));
        let mut targets = Targets::new();
        targets.register(Box::new(LocalScheme::new(folders.with_max_metadata(job.max_metadata))));
        let registries = RegistryScheme::new(client.with_job(relayed));
        targets.register(Box::new(registries.clone()));
        Self {
            targets,
            registries,
            job: job.with_progress(progress),
            rehashes: false,
            annotations: Vec::new(),
        }
    }
}

/// How many requests of one command may use up all their retries.
const REQUESTS_OF_A_BUDGET: u32 = 16;

fn job(global: &GlobalArgs, registry: &RegistryArgs) -> Job {
    let retry = RetryPolicy::default().with_retries(registry.retries);
    let budget = RetryBudget::new(registry.retries.saturating_mul(REQUESTS_OF_A_BUDGET));
    Job::default().with_retry(retry).with_budget(budget).with_max_metadata(global.max_metadata_size)
}

fn client_options(registry: &RegistryArgs, targets: &[(&str, Role)]) -> Result<ClientOptions, Failure> {
    // A mistake in a destination is found before its source is read, and before a password is asked for.
    for (text, role) in targets {
        Attributes::parse(text, *role).doing(|| opening(text, *role))?;
    }
    for file in registry.ca.iter().chain(&registry.cert).chain(&registry.key) {
        check_file(file)?;
    }
    let mut options = ClientOptions::default().with_stall(registry.timeout).with_insecure(registry.insecure);
    options.ca.clone_from(&registry.ca);
    let files = registry.cert.as_ref().zip(registry.key.as_ref());
    options.certificate = files.map(|(certificate, key)| ClientCertificate::new(certificate, key));
    options.credentials = credentials(registry, targets)?;
    Ok(options)
}

/// The clause that an error of opening a target begins with. Its text is visible also if it is empty.
pub(crate) fn opening(text: &str, role: Role) -> String {
    let text = if text.is_empty() { "\"\"" } else { text };
    match role {
        Role::Source => format!("cannot open {text}"),
        Role::Destination => format!("cannot write to {text}"),
    }
}

/// Finds out whether a file can be read, before anything else is done.
fn check_file(path: &Path) -> Result<(), Failure> {
    let read = std::fs::read(path).map(drop);
    let read = read.map_err(|cause| cache_ingest::Error::io("read", path.display(), cause));
    let read = read.doing(|| format!("cannot read {}", path.display()));
    read.map_err(|failure| failure.advise_if_not_found(CHECK_THE_PATH))
}
