//! Operations in records: each member is read into its place, and one that is not known makes the operation unknown.

use cache_keys::{
    CacheMount, CacheSharing, CdiDevice, ContentCache, CopyAction, DiffOp, ExecMeta, ExecOp, FileAction,
    FileActionKind, FileOp, FileSecret, MergeOp, MkdirAction, MkfileAction, Mount, MountKind, NoKey, Op,
    Owner, OwnerPart, RmAction, SecretEnv, SourceOp, Step, Ulimit,
};
use serde_json::{Value, json};

use crate::records::{read, version_1, version_02};

fn steps(op: &Value) -> Value {
    json!([
        { "id": "a", "op": { "Op": { "source": { "identifier": "local://context" } } } },
        { "id": "b", "op": op, "inputs": ["a:0"] },
        { "id": "c", "op": { "Op": {} }, "inputs": ["b:0"] },
    ])
}

fn read_step(op: &Value) -> Step {
    read(&version_1(steps(op), Value::Null)).unwrap().definition.steps()[1].clone()
}

#[track_caller]
fn check(op: &Value, expected: &Op) {
    assert_eq!(&read_step(&json!({ "Op": op })).op, expected);
}

#[track_caller]
fn check_unknown(op: &Value, part: &str) {
    check(op, &Op::Unknown(NoKey::UnknownPart { part: part.to_owned() }));
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_command_is_read() {
    let secret = |id: &str| FileSecret { id: text(id), uid: 1, gid: 2, mode: 0o400, optional: true };
    let mounts = vec![
        Mount { input: Some(0), output: Some(0), dest: text("/"), ..Mount::default() },
        Mount {
            input: Some(1),
            selector: text("/s"),
            dest: text("/m"),
            output: None,
            readonly: true,
            result_id: text("r"),
            content_cache: ContentCache::On,
            ..Mount::default()
        },
        Mount { output: Some(0), kind: MountKind::Secret, secret: Some(secret("s")), ..Mount::default() },
        Mount { output: Some(0), kind: MountKind::Ssh, ssh: Some(secret("t")), ..Mount::default() },
        Mount {
            output: Some(0),
            kind: MountKind::Cache,
            cache: Some(CacheMount { id: text("k"), sharing: CacheSharing::Private }),
            content_cache: ContentCache::Off,
            ..Mount::default()
        },
        Mount { output: Some(0), kind: MountKind::Tmpfs, tmpfs_size: Some(64), ..Mount::default() },
    ];
    let exec = ExecOp {
        meta: ExecMeta {
            args: vec![text("a")],
            env: vec![text("A=1")],
            cwd: text("/w"),
            user: text("u"),
            extra_hosts: vec![text("db")],
            hostname: text("h"),
            ulimits: vec![Ulimit { name: text("n"), soft: 1, hard: -1 }],
            cgroup_parent: text("/c"),
            remove_mount_stubs_recursive: true,
            valid_exit_codes: vec![0, 1],
        },
        mounts,
        network: 2,
        security: 1,
        secret_env: vec![SecretEnv { id: text("s"), name: text("S"), optional: true }],
        cdi_devices: vec![CdiDevice { name: text("gpu"), optional: true }],
    };
    let secret = |id: &str| json!({ "ID": id, "uid": 1, "gid": 2, "mode": 256, "optional": true });
    let op = json!({ "exec": {
        "meta": {
            "args": ["a"], "env": ["A=1"], "cwd": "/w", "user": "u", "proxy_env": { "http_proxy": "x" },
            "extraHosts": [{ "Host": "db", "IP": "1.2.3.4" }], "hostname": "h",
            "ulimit": [{ "Name": "n", "Soft": 1, "Hard": -1 }], "cgroupParent": "/c",
            "removeMountStubsRecursive": true, "validExitCodes": [0, 1],
        },
        "mounts": [
            { "dest": "/" },
            { "input": 1, "selector": "/s", "dest": "/m", "output": -1, "readonly": true, "resultID": "r", "contentCache": 1 },
            { "input": -1, "mountType": 1, "secretOpt": secret("s") },
            { "input": -1, "mountType": 2, "SSHOpt": secret("t") },
            { "input": -1, "mountType": 3, "cacheOpt": { "ID": "k", "sharing": 1 }, "contentCache": 2 },
            { "input": -1, "mountType": 4, "TmpfsOpt": { "size": 64 } },
        ],
        "network": 2, "security": 1,
        "secretenv": [{ "ID": "s", "name": "S", "optional": true }],
        "cdiDevices": [{ "name": "gpu", "optional": true }],
    } });
    check(&op, &Op::Exec(Box::new(exec)));
    check(&json!({ "exec": {} }), &Op::Exec(Box::default()));
    // Older builders write what is absent as null.
    check(
        &json!({ "exec": { "meta": { "env": null, "moon": null }, "mounts": null } }),
        &Op::Exec(Box::default()),
    );
}

#[test]
fn actions_on_files_are_read() {
    let copy = CopyAction {
        src: text("/a"),
        dest: text("/b"),
        owner: Some(Owner {
            user: Some(OwnerPart::Name { name: text("app"), input: 0 }),
            group: Some(OwnerPart::Name { name: text("app"), input: 1 }),
        }),
        mode: -1,
        follow_symlink: true,
        dir_copy_contents: true,
        attempt_unpack: true,
        create_dest_path: true,
        allow_wildcard: true,
        allow_empty_wildcard: true,
        timestamp: -1,
        include_patterns: vec![text("i")],
        exclude_patterns: vec![text("e")],
        always_replace_existing_dest_paths: true,
        mode_str: text("u=r"),
        required_paths: vec![text("/r")],
    };
    let mkfile = MkfileAction {
        path: text("/f"),
        mode: 0o644,
        data: b"hi".to_vec(),
        owner: Some(Owner { user: Some(OwnerPart::Id(0)), group: Some(OwnerPart::Id(7)) }),
        timestamp: 1_700_000_000_000_000_000,
    };
    let mkdir = MkdirAction {
        path: text("/d"),
        mode: 0o755,
        make_parents: true,
        owner: Some(Owner { user: Some(OwnerPart::Id(0)), group: None }),
        timestamp: 0,
    };
    let rm = RmAction { path: text("/x"), allow_not_found: true, allow_wildcard: true };
    let action = |input, secondary_input, output, kind| FileAction { input, secondary_input, output, kind };
    let actions = vec![
        action(Some(0), Some(1), Some(0), FileActionKind::Copy(copy)),
        action(None, None, None, FileActionKind::Mkfile(mkfile)),
        action(Some(0), Some(0), Some(0), FileActionKind::Mkdir(mkdir)),
        action(Some(0), Some(0), Some(0), FileActionKind::Rm(rm)),
        action(Some(0), Some(0), Some(0), FileActionKind::Unrecorded),
        action(Some(0), Some(0), Some(0), FileActionKind::Unrecorded),
    ];
    let op = json!({ "file": { "actions": [
        { "input": 0, "secondaryInput": 1, "output": 0, "Action": { "copy": {
            "src": "/a", "dest": "/b", "mode": -1, "followSymlink": true, "dirCopyContents": true,
            "owner": {
                "user": { "User": { "byName": { "name": "app" } } },
                "group": { "User": { "byName": { "name": "app", "input": 1 } } },
            },
            "attemptUnpackDockerCompatibility": true, "createDestPath": true, "allowWildcard": true,
            "allowEmptyWildcard": true, "timestamp": -1, "include_patterns": ["i"], "exclude_patterns": ["e"],
            "alwaysReplaceExistingDestPaths": true, "modeStr": "u=r", "required_paths": ["/r"],
        } } },
        { "input": -1, "secondaryInput": -1, "output": -1, "Action": { "mkfile": {
            "path": "/f", "mode": 420, "data": "aGk=", "timestamp": 1_700_000_000_000_000_000_i64,
            "owner": { "user": { "User": {} }, "group": { "User": { "byId": 7 } } },
        } } },
        { "Action": { "mkdir": { "path": "/d", "mode": 493, "makeParents": true, "owner": { "user": {} } } } },
        { "Action": { "rm": { "path": "/x", "allowNotFound": true, "allowWildcard": true } } },
        { "Action": {} },
        {},
    ] } });
    let expected = Op::File(FileOp { actions });
    check(&op, &expected);
    let reason = read_step(&json!({ "Op": op })).key(&"linux/amd64".parse().unwrap()).unwrap_err();
    assert_eq!(
        reason.to_string(),
        "the build record does not hold the data of action 4, such as that of a symlink"
    );
}

#[test]
fn sources_merges_and_differences_are_read() {
    let source = SourceOp {
        identifier: text("git://x"),
        attributes: [(text("git.keepgitdir"), text("true"))].into_iter().collect(),
    };
    check(
        &json!({ "source": { "identifier": "git://x", "attrs": { "git.keepgitdir": "true" } } }),
        &Op::Source(source),
    );
    check(
        &json!({ "merge": { "inputs": [{}, { "input": 2 }] } }),
        &Op::Merge(MergeOp { inputs: vec![0, 2] }),
    );
    check(
        &json!({ "diff": { "lower": { "input": -1 }, "upper": {} } }),
        &Op::Diff(DiffOp { lower: None, upper: Some(0) }),
    );
}

#[test]
fn the_platform_of_a_step_is_read() {
    let platform = json!({ "OS": "windows", "Architecture": "arm64", "Variant": "v9", "OSVersion": "10", "OSFeatures": ["x"] });
    let step = read_step(&json!({ "Op": { "exec": {} }, "platform": platform }));
    let platform = step.platform.unwrap();
    assert_eq!(platform.to_string(), "windows/arm64/v9");
    assert_eq!((platform.os_version, platform.os_features), (text("10"), vec![text("x")]));
    let unknown = read_step(&json!({ "Op": { "exec": {} }, "platform": { "OS": "linux", "Moon": 1 } }));
    assert_eq!(unknown.op, Op::Unknown(NoKey::UnknownPart { part: text("platform.Moon") }));
}

#[test]
fn what_is_not_known_has_no_key() {
    check_unknown(&json!({ "build": { "builder": 0 } }), "build");
    check_unknown(&json!({ "passthrough": {} }), "passthrough");
    check_unknown(&json!({ "exec": { "meta": { "args": ["a"], "moon": true } } }), "exec.meta.moon");
    check_unknown(&json!({ "exec": { "mounts": [{}, { "newOpt": {} }] } }), "exec.mounts[1].newOpt");
    check_unknown(&json!({ "exec": { "mounts": [{ "mountType": 5 }] } }), "exec.mounts[0].mountType");
    check_unknown(&json!({ "exec": { "mounts": [{ "contentCache": 3 }] } }), "exec.mounts[0].contentCache");
    check_unknown(&json!({ "exec": { "mounts": [{ "input": -2 }] } }), "exec.mounts[0].input");
    check_unknown(&json!({ "exec": { "mounts": [{ "output": "0" }] } }), "exec.mounts[0].output");
    let cache = json!({ "exec": { "mounts": [{ "cacheOpt": { "sharing": 3 } }] } });
    check_unknown(&cache, "exec.mounts[0].cacheOpt.sharing");
    check_unknown(&json!({ "exec": { "network": -1 } }), "exec.network");
    check_unknown(&json!({ "exec": { "meta": { "args": [1] } } }), "exec.meta.args[0]");
    check_unknown(&json!({ "exec": { "meta": { "cwd": [] } } }), "exec.meta.cwd");
    check_unknown(&json!({ "exec": [] }), "exec");
    check_unknown(&json!({ "file": { "actions": {} } }), "file.actions");
    let mkfile =
        |data: Value| json!({ "file": { "actions": [{ "Action": { "mkfile": { "data": data } } }] } });
    check_unknown(&mkfile(json!("?")), "file.actions[0].Action.mkfile.data");
    check_unknown(&mkfile(json!(1)), "file.actions[0].Action.mkfile.data");
    let link = json!({ "file": { "actions": [{ "Action": { "hardlink": {} } }] } });
    check_unknown(&link, "file.actions[0].Action.hardlink");
    let owner = json!({ "user": { "User": { "byName": { "input": -1 } } } });
    let owned = json!({ "file": { "actions": [{ "Action": { "mkdir": { "owner": owner } } }] } });
    check_unknown(&owned, "file.actions[0].Action.mkdir.owner.user.User.byName");
    check_unknown(&json!({ "merge": { "inputs": [{ "input": -1 }] } }), "merge.inputs[0]");
    check_unknown(&json!({ "diff": { "lower": {} } }), "diff");
    check_unknown(&json!({ "source": { "attrs": { "a": 1 } } }), "source.attrs");
    // Only the last step does nothing.
    check_unknown(&json!({}), "Op");
    check_unknown(&json!({ "exec": {}, "file": {} }), "Op");
}

#[test]
fn a_number_that_may_be_rounded_has_no_key_in_version_1() {
    let op = |timestamp: Value| json!({ "Op": { "file": { "actions": [{ "Action": { "mkdir": { "timestamp": timestamp } } }] } } });
    let known = |record: &Value| {
        let build = read(record).unwrap();
        let step = &build.definition.steps()[1];
        step.key(&build.platform).map(|_| ())
    };
    let rounded = NoKey::RoundedNumber { field: text("file.actions[0].Action.mkdir.timestamp") };
    for (timestamp, version_1_has_it, version_02_has_it) in [
        (json!(-1), true, true),
        (json!(9_007_199_254_740_992_i64), true, true),
        (json!(1_700_000_001_000_000_000_i64), true, true),
        (json!(1_700_000_001_500_000_000_i64), false, true),
        (json!(9_223_372_036_854_776_000_u64), false, false),
        (json!(1.5), false, false),
        (json!(1e300), false, false),
    ] {
        let steps = steps(&op(timestamp.clone()));
        let expected = |has_it| if has_it { Ok(()) } else { Err(rounded.clone()) };
        assert_eq!(known(&version_1(steps.clone(), Value::Null)), expected(version_1_has_it), "{timestamp}");
        assert_eq!(known(&version_02(steps)), expected(version_02_has_it), "{timestamp}");
    }
    assert_eq!(
        rounded.to_string(),
        "the build record has rounded the number file.actions[0].Action.mkdir.timestamp: a record in the form SLSA v0.2 has it exactly"
    );
}
