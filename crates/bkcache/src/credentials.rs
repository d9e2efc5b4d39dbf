//! The credentials of `--username` and `--password-stdin`.
//!
//! All others (docker login, Podman, the environment) are found by cache-registry.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use cache_registry::{Credentials, RegistryScheme};
use cache_target::{Attributes, Role};

use crate::cli::RegistryArgs;
use crate::failure::{Doing, Failure};

/// The greatest length of a password, in bytes.
const LONGEST_PASSWORD: u64 = 64 * 1024;

/// The credentials that the options give, by host. They are for the only registry among the targets, since one
/// registry's password must not be sent to another.
pub(crate) fn credentials(
    registry: &RegistryArgs,
    targets: &[(&str, Role)],
) -> Result<BTreeMap<String, Credentials>, Failure> {
    let Some(username) = &registry.username else { return Ok(BTreeMap::new()) };
    let host = only_host(targets)?;
    let mut password = String::new();
    let read = std::io::stdin().take(LONGEST_PASSWORD).read_to_string(&mut password);
    read.doing(|| "cannot read the password from standard input".to_owned())?;
    let password = password.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Failure::Usage("there is no password on standard input".to_owned()));
    }
    Ok(BTreeMap::from([(host, Credentials::password(username, password))]))
}

fn only_host(targets: &[(&str, Role)]) -> Result<String, Failure> {
    let hosts: BTreeSet<String> = targets.iter().filter_map(|(text, role)| host(text, *role)).collect();
    let mut hosts = hosts.into_iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Ok(host),
        (None, _) => Err(Failure::Usage("--username needs a registry, but none is named".to_owned())),
        (Some(one), Some(other)) => Err(Failure::Usage(format!(
            "--username is for one registry, but both {one} and {other} are named; use docker login instead"
        ))),
    }
}

/// The host of a target in a registry. `None` also for a malformed reference, which opening it reports.
fn host(text: &str, role: Role) -> Option<String> {
    let attributes = Attributes::parse(text, role).ok().filter(|target| target.kind() == "registry")?;
    let reference = RegistryScheme::reference(&attributes).ok()?;
    Some(reference.repository().host().to_owned())
}
