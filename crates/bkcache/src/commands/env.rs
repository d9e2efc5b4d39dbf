//! What a command works with: the stores that can be named, and who is told of progress.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Arc;

use cache_import::OpenedCache;
use cache_ingest::{Job, LayoutOptions, Progress};
use cache_registry::{ClientCertificate, ClientOptions, Credentials, RegistryScheme};
use cache_target::{Attributes, LocalScheme, Opened, Reference, Role, Targets};

use crate::cli::{self, Global};
use crate::commands::place;
use crate::failure::{CHECK_THE_PATH, Doing, Failure};
use crate::progress::{Relay, quiet_reporter, reporter};

/// The longest password that is read, in bytes.
const LONGEST_PASSWORD: u64 = 64 * 1024;

/// The stores of a command, and its progress.
pub(crate) struct Env<'g> {
    pub(crate) global: &'g Global,
    pub(crate) targets: Targets,
    /// The job of the command: its bounds, and who hears of progress.
    pub(crate) job: Job,
}

/// A source that the user named, and the manifest in it.
pub(crate) struct Read {
    pub(crate) target: Opened,
    pub(crate) cache: OpenedCache,
}

impl Read {
    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        place(&self.target)
    }
}

impl<'g> Env<'g> {
    /// For a command that reads from one source.
    pub(crate) fn to_read(
        global: &'g Global,
        registry: &cli::Registry,
        source: &str,
    ) -> Result<Self, Failure> {
        let options = client_options(registry, &[(source, Role::Source)])?;
        Ok(Self::new(global, options, LayoutOptions::default(), Job::default(), quiet_reporter(global)))
    }

    /// For a command that writes, and may read from elsewhere.
    pub(crate) fn to_write(
        global: &'g Global,
        registry: &cli::Registry,
        write: &cli::Write,
        source: Option<&str>,
        destination: &str,
    ) -> Result<Self, Failure> {
        let source = source.map(|source| (source, Role::Source));
        let named: Vec<_> = source.into_iter().chain([(destination, Role::Destination)]).collect();
        let options = ClientOptions { chunk_size: write.chunk_size, ..client_options(registry, &named)? };
        let folders = LayoutOptions::default().with_sync(!write.no_sync).with_rehash(write.rehash);
        let job = Job::default().with_concurrency(usize::from(write.jobs));
        Ok(Self::new(global, options, folders, job, reporter(global)))
    }

    fn new(
        global: &'g Global,
        options: ClientOptions,
        folders: LayoutOptions,
        job: Job,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let job = job.with_max_metadata(global.max_metadata_size);
        let mut targets = Targets::new();
        targets.register(Box::new(LocalScheme::new(folders.with_max_metadata(job.max_metadata))));
        // The client outlives the command by a moment, and must not keep the bar.
        let relayed = job.clone().with_progress(Relay::to(&progress));
        targets.register(Box::new(RegistryScheme::new(ClientOptions { job: relayed, ..options })));
        Self { global, targets, job: job.with_progress(progress) }
    }

    /// Opens a source.
    pub(crate) async fn open_source(&self, text: &str) -> Result<Opened, Failure> {
        let opened = self.targets.open(text, Role::Source).await.doing(|| format!("cannot open {text}"));
        opened.map_err(|failure| match failure {
            Failure::Failed { doing, error, hint: Some(CHECK_THE_PATH) }
                if may_be_an_image(text) && !names_its_host(text) =>
            {
                let hint = Some(
                    "check the path; what is in a registry is named with its host, as in docker.io/user/app",
                );
                Failure::Failed { doing, error, hint }
            }
            failure => failure,
        })
    }

    /// Opens a source and reads the manifest that it names.
    pub(crate) async fn read_source(&self, text: &str) -> Result<Read, Failure> {
        let target = self.open_source(text).await?;
        let cache = cache_import::open(&*target.store, &target.name, &self.job)
            .await
            .doing(|| format!("cannot read {}", place(&target)))?;
        Ok(Read { target, cache })
    }
}

/// Whether a text is read as a registry's reference.
fn names_its_host(text: &str) -> bool {
    Attributes::parse(text, Role::Source).is_ok_and(|attributes| attributes.kind() != "local")
}

/// Whether a text could be meant as the name of an image at Docker Hub.
pub(crate) fn may_be_an_image(text: &str) -> bool {
    !text.contains('=') && text.parse::<Reference>().is_ok()
}

fn client_options(registry: &cli::Registry, named: &[(&str, Role)]) -> Result<ClientOptions, Failure> {
    let certificate = registry.cert.clone().zip(registry.key.clone());
    let certificate = certificate.map(|(certificate, key)| ClientCertificate { certificate, key });
    Ok(ClientOptions {
        ca: registry.ca.clone(),
        certificate,
        credentials: credentials(registry, named)?,
        ..ClientOptions::default()
    })
}

/// The credentials that the options give, for the one registry that the command names: one registry's password is
/// nothing for another.
fn credentials(
    registry: &cli::Registry,
    named: &[(&str, Role)],
) -> Result<BTreeMap<String, Credentials>, Failure> {
    let Some(username) = &registry.username else { return Ok(BTreeMap::new()) };
    let hosts: BTreeSet<String> = named.iter().filter_map(|(text, role)| host(text, *role)).collect();
    let mut hosts = hosts.into_iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        (None, _) => {
            return Err(Failure::Usage("--username is for a registry, and none is named".to_owned()));
        }
        (Some(one), Some(other)) => {
            return Err(Failure::Usage(format!(
                "--username is for one registry, and both {one} and {other} are named: docker login to them"
            )));
        }
    };
    let mut password = String::new();
    let read = std::io::stdin().take(LONGEST_PASSWORD).read_to_string(&mut password);
    read.doing(|| "cannot read the password from standard input".to_owned())?;
    let password = password.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Failure::Usage("there is no password on standard input".to_owned()));
    }
    Ok(BTreeMap::from([(host, Credentials::password(username, password))]))
}

/// The registry that a target names; nothing where it names none, or makes no sense, which is said when it is opened.
fn host(text: &str, role: Role) -> Option<String> {
    let attributes = Attributes::parse(text, role).ok().filter(|named| named.kind() == "registry")?;
    let reference = RegistryScheme::reference(&attributes).ok()?;
    Some(reference.repository().host().to_owned())
}
