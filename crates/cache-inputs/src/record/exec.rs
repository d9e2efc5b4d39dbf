//! A command, from the JSON form of its protocol buffer (BuildKit: `solver/pb/ops.proto`, `ExecOp`).

use cache_keys::{
    CacheMount, CacheSharing, CdiDevice, ContentCache, ExecMeta, ExecOp, FileSecret, Mount, MountKind,
    SecretEnv, Ulimit,
};
use serde_json::Value;

use crate::record::members::{MemberFault, Members, Numbers, flag, position_or_first, text, unsigned};

pub(crate) fn exec(value: &Value, numbers: Numbers) -> Result<ExecOp, MemberFault> {
    let mut members = Members::of(value)?;
    let exec = ExecOp {
        meta: members.get("meta", |value| meta(value, numbers))?,
        mounts: members.list("mounts", |value| mount(value, numbers))?,
        network: members.get("network", unsigned)?,
        security: members.get("security", unsigned)?,
        secret_env: members.list("secretenv", secret_env)?,
        cdi_devices: members.list("cdiDevices", cdi_device)?,
    };
    members.end()?;
    Ok(exec)
}

fn meta(value: &Value, numbers: Numbers) -> Result<ExecMeta, MemberFault> {
    let mut members = Members::of(value)?;
    members.skip("proxy_env");
    let meta = ExecMeta {
        args: members.list("args", text)?,
        env: members.list("env", text)?,
        cwd: members.get("cwd", text)?,
        user: members.get("user", text)?,
        extra_hosts: members.list("extraHosts", host_name)?,
        hostname: members.get("hostname", text)?,
        ulimits: members.list("ulimit", |value| ulimit(value, numbers))?,
        cgroup_parent: members.get("cgroupParent", text)?,
        remove_mount_stubs_recursive: members.get("removeMountStubsRecursive", flag)?,
        valid_exit_codes: members.list("validExitCodes", |value| numbers.integer(value))?,
    };
    members.end()?;
    Ok(meta)
}

fn host_name(value: &Value) -> Result<String, MemberFault> {
    let mut members = Members::of(value)?;
    members.skip("IP");
    let name = members.get("Host", text)?;
    members.end()?;
    Ok(name)
}

fn ulimit(value: &Value, numbers: Numbers) -> Result<Ulimit, MemberFault> {
    let mut members = Members::of(value)?;
    let ulimit = Ulimit {
        name: members.get("Name", text)?,
        soft: members.get("Soft", |value| numbers.integer(value))?,
        hard: members.get("Hard", |value| numbers.integer(value))?,
    };
    members.end()?;
    Ok(ulimit)
}

fn mount(value: &Value, numbers: Numbers) -> Result<Mount, MemberFault> {
    let mut members = Members::of(value)?;
    let mount = Mount {
        input: position_or_first(&mut members, "input")?,
        selector: members.get("selector", text)?,
        dest: members.get("dest", text)?,
        output: position_or_first(&mut members, "output")?,
        readonly: members.get("readonly", flag)?,
        kind: members.get("mountType", mount_kind)?,
        tmpfs_size: members.some("TmpfsOpt", |value| tmpfs_size(value, numbers))?,
        cache: members.some("cacheOpt", cache_mount)?,
        secret: members.some("secretOpt", file_secret)?,
        ssh: members.some("SSHOpt", file_secret)?,
        result_id: members.get("resultID", text)?,
        content_cache: members.get("contentCache", content_cache)?,
    };
    members.end()?;
    Ok(mount)
}

fn mount_kind(value: &Value) -> Result<MountKind, MemberFault> {
    match unsigned(value)? {
        0 => Ok(MountKind::Bind),
        1 => Ok(MountKind::Secret),
        2 => Ok(MountKind::Ssh),
        3 => Ok(MountKind::Cache),
        4 => Ok(MountKind::Tmpfs),
        _ => Err(MemberFault::unknown()),
    }
}

fn content_cache(value: &Value) -> Result<ContentCache, MemberFault> {
    match unsigned(value)? {
        0 => Ok(ContentCache::Default),
        1 => Ok(ContentCache::On),
        2 => Ok(ContentCache::Off),
        _ => Err(MemberFault::unknown()),
    }
}

fn tmpfs_size(value: &Value, numbers: Numbers) -> Result<i64, MemberFault> {
    let mut members = Members::of(value)?;
    let size = members.get("size", |value| numbers.integer(value))?;
    members.end()?;
    Ok(size)
}

fn cache_mount(value: &Value) -> Result<CacheMount, MemberFault> {
    let mut members = Members::of(value)?;
    let cache = CacheMount { id: members.get("ID", text)?, sharing: members.get("sharing", sharing)? };
    members.end()?;
    Ok(cache)
}

fn sharing(value: &Value) -> Result<CacheSharing, MemberFault> {
    match unsigned(value)? {
        0 => Ok(CacheSharing::Shared),
        1 => Ok(CacheSharing::Private),
        2 => Ok(CacheSharing::Locked),
        _ => Err(MemberFault::unknown()),
    }
}

fn file_secret(value: &Value) -> Result<FileSecret, MemberFault> {
    let mut members = Members::of(value)?;
    let secret = FileSecret {
        id: members.get("ID", text)?,
        uid: members.get("uid", unsigned)?,
        gid: members.get("gid", unsigned)?,
        mode: members.get("mode", unsigned)?,
        optional: members.get("optional", flag)?,
    };
    members.end()?;
    Ok(secret)
}

fn secret_env(value: &Value) -> Result<SecretEnv, MemberFault> {
    let mut members = Members::of(value)?;
    let secret = SecretEnv {
        id: members.get("ID", text)?,
        name: members.get("name", text)?,
        optional: members.get("optional", flag)?,
    };
    members.end()?;
    Ok(secret)
}

fn cdi_device(value: &Value) -> Result<CdiDevice, MemberFault> {
    let mut members = Members::of(value)?;
    let device = CdiDevice { name: members.get("name", text)?, optional: members.get("optional", flag)? };
    members.end()?;
    Ok(device)
}
