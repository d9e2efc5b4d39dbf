//! An operation in the JSON form of its protocol buffer, as BuildKit's provenance has it (`solver/pb/json.go`).
//!
//! Members that are zero or empty are left out. [`record`](crate::record) reads it.

use cache_keys::{
    CacheSharing, ContentCache, DiffOp, ExecOp, FileAction, FileActionKind, FileOp, FileSecret, Mount,
    MountKind, Op, Owner, OwnerPart, SourceOp,
};
use cache_model::Platform;
use data_encoding::BASE64;
use serde_json::{Map, Value, json};

/// An object without the members that are zero or empty.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let is_set = match &value {
            Value::Null | Value::Bool(false) => false,
            Value::Bool(true) | Value::Object(_) => true,
            Value::Number(number) => number.as_i64() != Some(0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
        };
        if is_set {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    fn some<T: Into<Value>>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::Object(members.0)
    }
}

/// The operation of a step. One that is not fully known is an object that no reader knows either.
pub(crate) fn op_text(op: &Op) -> Value {
    match op {
        Op::Exec(exec) => json!({"exec": exec_text(exec)}),
        Op::File(file) => json!({"file": file_text(file)}),
        Op::Source(source) => json!({"source": source_text(source)}),
        Op::Merge(merge) => {
            let inputs: Vec<Value> = merge.inputs.iter().map(|input| side(Some(*input))).collect();
            json!({"merge": {"inputs": inputs}})
        }
        Op::Diff(DiffOp { lower, upper }) => json!({"diff": {"lower": side(*lower), "upper": side(*upper)}}),
        Op::End => json!({}),
        _ => json!({"unknown": {}}),
    }
}

pub(crate) fn platform_text(platform: &Platform) -> Value {
    Members::default()
        .set("OS", platform.os.as_str())
        .set("Architecture", platform.architecture.as_str())
        .set("Variant", platform.variant.as_str())
        .set("OSVersion", platform.os_version.as_str())
        .set("OSFeatures", platform.os_features.clone())
        .into()
}

/// A position; -1 for none.
fn position(position: Option<usize>) -> Value {
    position.map_or(json!(-1), |position| json!(position))
}

fn side(input: Option<usize>) -> Value {
    Members::default().set("input", position(input)).into()
}

fn source_text(source: &SourceOp) -> Value {
    let attributes: Map<String, Value> =
        source.attributes.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    Members::default().set("identifier", source.identifier.as_str()).set("attrs", attributes).into()
}

fn exec_text(exec: &ExecOp) -> Value {
    let meta = &exec.meta;
    let hosts: Vec<Value> = meta.extra_hosts.iter().map(|host| json!({"Host": host})).collect();
    let limit = |limit: &cache_keys::Ulimit| -> Value {
        Members::default()
            .set("Name", limit.name.as_str())
            .set("Soft", limit.soft)
            .set("Hard", limit.hard)
            .into()
    };
    let meta_text = Members::default()
        .set("args", meta.args.clone())
        .set("env", meta.env.clone())
        .set("cwd", meta.cwd.as_str())
        .set("user", meta.user.as_str())
        .set("extraHosts", hosts)
        .set("hostname", meta.hostname.as_str())
        .set("ulimit", meta.ulimits.iter().map(limit).collect::<Vec<_>>())
        .set("cgroupParent", meta.cgroup_parent.as_str())
        .set("removeMountStubsRecursive", meta.remove_mount_stubs_recursive)
        .set("validExitCodes", meta.valid_exit_codes.clone());
    let secret_env = exec.secret_env.iter().map(|secret| -> Value {
        Members::default()
            .set("ID", secret.id.as_str())
            .set("name", secret.name.as_str())
            .set("optional", secret.optional)
            .into()
    });
    let devices = exec.cdi_devices.iter().map(|device| -> Value {
        Members::default().set("name", device.name.as_str()).set("optional", device.optional).into()
    });
    Members::default()
        .set("meta", meta_text)
        .set("mounts", exec.mounts.iter().map(mount_text).collect::<Vec<_>>())
        .set("network", exec.network)
        .set("security", exec.security)
        .set("secretenv", secret_env.collect::<Vec<_>>())
        .set("cdiDevices", devices.collect::<Vec<_>>())
        .into()
}

fn mount_text(mount: &Mount) -> Value {
    let kind = match mount.kind {
        MountKind::Bind => 0,
        MountKind::Secret => 1,
        MountKind::Ssh => 2,
        MountKind::Cache => 3,
        MountKind::Tmpfs => 4,
    };
    let content_cache = match mount.content_cache {
        ContentCache::Default => 0,
        ContentCache::On => 1,
        ContentCache::Off => 2,
    };
    let cache = mount.cache.as_ref().map(|cache| {
        let sharing = match cache.sharing {
            CacheSharing::Shared => 0,
            CacheSharing::Private => 1,
            CacheSharing::Locked => 2,
        };
        Members::default().set("ID", cache.id.as_str()).set("sharing", sharing)
    });
    Members::default()
        .set("input", position(mount.input))
        .set("selector", mount.selector.as_str())
        .set("dest", mount.dest.as_str())
        .set("output", position(mount.output))
        .set("readonly", mount.readonly)
        .set("mountType", kind)
        .some("TmpfsOpt", mount.tmpfs_size.map(|size| Members::default().set("size", size)))
        .some("cacheOpt", cache)
        .some("secretOpt", mount.secret.as_ref().map(secret_text))
        .some("SSHOpt", mount.ssh.as_ref().map(secret_text))
        .set("resultID", mount.result_id.as_str())
        .set("contentCache", content_cache)
        .into()
}

fn secret_text(secret: &FileSecret) -> Members {
    Members::default()
        .set("ID", secret.id.as_str())
        .set("uid", secret.uid)
        .set("gid", secret.gid)
        .set("mode", secret.mode)
        .set("optional", secret.optional)
}

fn file_text(file: &FileOp) -> Value {
    json!({"actions": file.actions.iter().map(action_text).collect::<Vec<_>>()})
}

fn action_text(action: &FileAction) -> Value {
    Members::default()
        .set("input", position(action.input))
        .set("secondaryInput", position(action.secondary_input))
        .set("output", position(action.output))
        .set("Action", kind_text(&action.kind))
        .into()
}

fn kind_text(kind: &FileActionKind) -> Value {
    let owner = |owner: &Option<Owner>| owner.as_ref().map(owner_text);
    match kind {
        FileActionKind::Copy(copy) => {
            let copy = Members::default()
                .set("src", copy.src.as_str())
                .set("dest", copy.dest.as_str())
                .some("owner", owner(&copy.owner))
                .set("mode", copy.mode)
                .set("followSymlink", copy.follow_symlink)
                .set("dirCopyContents", copy.dir_copy_contents)
                .set("attemptUnpackDockerCompatibility", copy.attempt_unpack)
                .set("createDestPath", copy.create_dest_path)
                .set("allowWildcard", copy.allow_wildcard)
                .set("allowEmptyWildcard", copy.allow_empty_wildcard)
                .set("timestamp", copy.timestamp)
                .set("include_patterns", copy.include_patterns.clone())
                .set("exclude_patterns", copy.exclude_patterns.clone())
                .set("alwaysReplaceExistingDestPaths", copy.always_replace_existing_dest_paths)
                .set("modeStr", copy.mode_str.as_str())
                .set("required_paths", copy.required_paths.clone());
            json!({"copy": Value::from(copy)})
        }
        FileActionKind::Mkfile(mkfile) => {
            let mkfile = Members::default()
                .set("path", mkfile.path.as_str())
                .set("mode", mkfile.mode)
                .set("data", BASE64.encode(&mkfile.data))
                .some("owner", owner(&mkfile.owner))
                .set("timestamp", mkfile.timestamp);
            json!({"mkfile": Value::from(mkfile)})
        }
        FileActionKind::Mkdir(mkdir) => {
            let mkdir = Members::default()
                .set("path", mkdir.path.as_str())
                .set("mode", mkdir.mode)
                .set("makeParents", mkdir.make_parents)
                .some("owner", owner(&mkdir.owner))
                .set("timestamp", mkdir.timestamp);
            json!({"mkdir": Value::from(mkdir)})
        }
        FileActionKind::Rm(rm) => {
            let rm = Members::default()
                .set("path", rm.path.as_str())
                .set("allowNotFound", rm.allow_not_found)
                .set("allowWildcard", rm.allow_wildcard);
            json!({"rm": Value::from(rm)})
        }
        _ => json!({}),
    }
}

fn owner_text(owner: &Owner) -> Value {
    let part = |part: &OwnerPart| match part {
        OwnerPart::Name { name, input } => json!({"User": {"byName": {"name": name, "input": input}}}),
        OwnerPart::Id(id) => json!({"User": {"byId": id}}),
    };
    Members::default()
        .some("user", owner.user.as_ref().map(part))
        .some("group", owner.group.as_ref().map(part))
        .into()
}
