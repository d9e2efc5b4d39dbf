//! A command, and what of it is in its key (BuildKit: `solver/llbsolver/ops/exec.go`).

use cache_model::Platform;

use crate::ops::hashed::{Object, Value};
use crate::ops::platform::with_platform;

/// Runs a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOp {
    /// The command and its surroundings.
    pub meta: ExecMeta,
    /// The mounts, the root's first.
    pub mounts: Vec<Mount>,
    /// The network: 0 the default, 1 the host's, 2 none.
    pub network: u32,
    /// The security mode: 0 sandbox, 1 insecure.
    pub security: u32,
    /// Secrets that are given as environment variables.
    pub secret_env: Vec<SecretEnv>,
    /// Devices by the Container Device Interface.
    pub cdi_devices: Vec<CdiDevice>,
}

/// A command and its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecMeta {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// The environment, as `NAME=value`.
    pub env: Vec<String>,
    /// The working folder.
    pub cwd: String,
    /// The user.
    pub user: String,
    /// The names of further hosts. Their addresses are not in the key.
    pub extra_hosts: Vec<String>,
    /// The name of the host.
    pub hostname: String,
    /// Limits of resources.
    pub ulimits: Vec<Ulimit>,
    /// The parent of the control group.
    pub cgroup_parent: String,
    /// Whether empty folders and files that a mount needed are removed, with their parents.
    pub remove_mount_stubs_recursive: bool,
    /// The exit codes that count as success.
    pub valid_exit_codes: Vec<i64>,
}

/// A limit of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ulimit {
    /// The name of the resource.
    pub name: String,
    /// The soft limit.
    pub soft: i64,
    /// The hard limit.
    pub hard: i64,
}

/// One mount of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// The position of the input that is mounted; `None` for an empty file system.
    pub input: Option<usize>,
    /// The part of the input that is mounted; empty for the whole.
    pub selector: String,
    /// Where it is mounted.
    pub dest: String,
    /// The output of the step that the mount gives; `None` if it gives none.
    pub output: Option<usize>,
    /// Whether the command cannot write to it.
    pub readonly: bool,
    /// What is mounted.
    pub kind: MountKind,
    /// Of a file system in memory: its largest size in bytes, 0 for no limit.
    pub tmpfs_size: Option<i64>,
    /// Of a cache mount: which cache.
    pub cache: Option<CacheMount>,
    /// Of a secret: which, and the file that it becomes.
    pub secret: Option<FileSecret>,
    /// Of an SSH agent: which, and the socket that it becomes.
    pub ssh: Option<FileSecret>,
    /// An identity of the result.
    pub result_id: String,
    /// Whether the input counts by its content.
    pub content_cache: ContentCache,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// An input, or an empty file system.
    #[default]
    Bind,
    /// A secret.
    Secret,
    /// The socket of an SSH agent.
    Ssh,
    /// A cache that stays between builds.
    Cache,
    /// A file system in memory.
    Tmpfs,
}

/// Whether the input of a mount counts by its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentCache {
    /// If the mount is not the root.
    #[default]
    Default,
    /// Yes.
    On,
    /// No.
    Off,
}

/// The cache of a cache mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheMount {
    /// The identity of the cache.
    pub id: String,
    /// Who may use it at the same time.
    pub sharing: CacheSharing,
}

/// Which commands may use a cache mount at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CacheSharing {
    /// All.
    #[default]
    Shared,
    /// Each command gets a cache of its own.
    Private,
    /// One after the other.
    Locked,
}

/// The identity of a secret or of an SSH agent, and the file that it becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSecret {
    /// The identity.
    pub id: String,
    /// The user who owns the file.
    pub uid: u32,
    /// The group that owns the file.
    pub gid: u32,
    /// The permission bits of the file.
    pub mode: u32,
    /// Whether the command runs without it, too.
    pub optional: bool,
}

/// A secret that is given as an environment variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretEnv {
    /// The identity of the secret.
    pub id: String,
    /// The name of the variable.
    pub name: String,
    /// Whether the command runs without it, too.
    pub optional: bool,
}

/// A device by the Container Device Interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CdiDevice {
    /// The name of the device.
    pub name: String,
    /// Whether the command runs without it, too.
    pub optional: bool,
}

impl ExecOp {
    /// The object that is hashed. Left out are the addresses of hosts, proxy settings, and of mounts the selector and all but the
    /// plainest identities of caches.
    pub(crate) fn hashed(&self, platform: &Platform) -> Value {
        let mounts: &[Mount] = match self.mounts.as_slice() {
            [root] if root.is_plain_root() => &[],
            mounts => mounts,
        };
        let exec = Object::default()
            .with("meta", self.meta.hashed())
            .with_set("mounts", Value::list(mounts.iter().map(Mount::hashed)))
            .with_set("network", self.network)
            .with_set("security", self.security)
            .with_set("secretenv", Value::list(self.secret_env.iter().map(SecretEnv::hashed)))
            .with_set("cdiDevices", Value::list(self.cdi_devices.iter().map(CdiDevice::hashed)));
        with_platform(Object::default().with("Type", "buildkit.exec.v0").with("Exec", exec), platform).into()
    }
}

impl ExecMeta {
    fn hashed(&self) -> Object {
        let host = |name: &String| Object::default().with_set("Host", name);
        let ulimit = |limit: &Ulimit| {
            Object::default()
                .with_set("Name", &limit.name)
                .with_set("Soft", limit.soft)
                .with_set("Hard", limit.hard)
        };
        Object::default()
            .with_set("args", Value::list(&self.args))
            .with_set("env", Value::Env(self.env.clone()))
            .with_set("cwd", &self.cwd)
            .with_set("user", &self.user)
            .with_set("extraHosts", Value::list(self.extra_hosts.iter().map(host)))
            .with_set("hostname", &self.hostname)
            .with_set("ulimit", Value::list(self.ulimits.iter().map(ulimit)))
            .with_set("cgroupParent", &self.cgroup_parent)
            .with_set("removeMountStubsRecursive", self.remove_mount_stubs_recursive)
            .with_set("validExitCodes", Value::list(self.valid_exit_codes.iter().copied()))
    }
}

impl Mount {
    /// Whether this is what a command without further mounts has.
    fn is_plain_root(&self) -> bool {
        let has_options = self.cache.is_some() || self.ssh.is_some() || self.secret.is_some();
        self.dest == "/"
            && !self.readonly
            && self.kind == MountKind::Bind
            && !has_options
            && self.result_id.is_empty()
    }

    fn hashed(&self) -> Object {
        let kind = match self.kind {
            MountKind::Bind => 0_u32,
            MountKind::Secret => 1,
            MountKind::Ssh => 2,
            MountKind::Cache => 3,
            MountKind::Tmpfs => 4,
        };
        let content_cache = match self.content_cache {
            ContentCache::Default => 0_u32,
            ContentCache::On => 1,
            ContentCache::Off => 2,
        };
        Object::default()
            .with_set("input", Value::index(self.input))
            .with_set("dest", &self.dest)
            .with_set("output", Value::index(self.output))
            .with_set("readonly", self.readonly)
            .with_set("mountType", kind)
            .with_some("TmpfsOpt", self.tmpfs_size.map(|size| Object::default().with_set("size", size)))
            .with_some("cacheOpt", self.cache.as_ref().map(|cache| cache.hashed(&self.dest)))
            .with_some("secretOpt", self.secret.as_ref().map(FileSecret::hashed))
            .with_some("SSHOpt", self.ssh.as_ref().map(FileSecret::hashed))
            .with_set("resultID", &self.result_id)
            .with_set("contentCache", content_cache)
    }
}

impl CacheMount {
    /// The identity counts only where it is that of the mount's own path, perhaps in a namespace.
    fn hashed(&self, dest: &str) -> Object {
        let namespace = self.id.strip_suffix(dest);
        let is_plain = match namespace {
            Some("") => true,
            Some(namespace) => namespace.strip_suffix('/').is_some_and(|name| !name.contains('/')),
            None => false,
        };
        if is_plain && self.sharing == CacheSharing::Shared {
            Object::default().with_set("ID", &self.id)
        } else {
            Object::default()
        }
    }
}

impl FileSecret {
    fn hashed(&self) -> Object {
        Object::default()
            .with_set("ID", &self.id)
            .with_set("uid", self.uid)
            .with_set("gid", self.gid)
            .with_set("mode", self.mode)
            .with_set("optional", self.optional)
    }
}

impl SecretEnv {
    fn hashed(&self) -> Object {
        Object::default()
            .with_set("ID", &self.id)
            .with_set("name", &self.name)
            .with_set("optional", self.optional)
    }
}

impl CdiDevice {
    fn hashed(&self) -> Object {
        Object::default().with_set("name", &self.name).with_set("optional", self.optional)
    }
}
