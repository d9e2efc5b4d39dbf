//! The key of a step is the SHA-256 of a JSON text, which stands here as BuildKit writes it.

use cache_keys::{
    CacheMount, CacheSharing, CdiDevice, ContentCache, CopyAction, DiffOp, ExecMeta, ExecOp, FileAction,
    FileActionKind, FileOp, FileSecret, MergeOp, MkdirAction, MkfileAction, Mount, MountKind, NoKey, Op,
    Owner, OwnerPart, RmAction, SecretEnv, SourceOp, Step, StepOutput, Ulimit, normalized,
};
use cache_model::{Digest, Platform};
use proptest::prelude::*;

fn step(op: Op, inputs: usize) -> Step {
    let inputs = (0..inputs).map(|step| StepOutput { step, output: 0 }).collect();
    Step { op, platform: None, inputs }
}

fn exec(op: ExecOp) -> Step {
    step(Op::Exec(Box::new(op)), 1)
}

fn file(actions: Vec<FileAction>, inputs: usize) -> Step {
    step(Op::File(FileOp { actions }), inputs)
}

/// An action on the first input that gives the first output.
fn action(kind: FileActionKind) -> FileAction {
    FileAction { input: Some(0), secondary_input: None, output: Some(0), kind }
}

fn copy(src: &str) -> CopyAction {
    CopyAction {
        src: src.to_owned(),
        dest: "/to".to_owned(),
        mode: -1,
        timestamp: -1,
        ..CopyAction::default()
    }
}

fn root() -> Mount {
    Mount { input: Some(0), output: Some(0), dest: "/".to_owned(), ..Mount::default() }
}

fn linux() -> Platform {
    Platform::new("linux", "amd64")
}

#[track_caller]
fn check(step: &Step, json: &str) {
    let key = step.key(&linux()).unwrap();
    assert_eq!(key.digest(), Digest::of(json), "{:#?}\n{json}", key.fields());
}

/// The JSON text of a file operation with these actions.
fn file_json(actions: &[&str], rest: &str) -> String {
    let encoded =
        actions.iter().map(|action| format!("\"{}\"", data_encoding::BASE64.encode(action.as_bytes())));
    let encoded: Vec<String> = encoded.collect();
    format!(r#"{{"Type":"buildkit.file.v0","Actions":[{}]{rest}}}"#, encoded.join(","))
}

#[test]
fn a_command_without_further_mounts_has_no_mounts_in_its_key() {
    let meta = ExecMeta {
        args: vec!["/bin/sh".into(), "-c".into(), "a < b && c".into()],
        env: vec!["PATH=/bin".into()],
        cwd: "/".into(),
        remove_mount_stubs_recursive: true,
        ..ExecMeta::default()
    };
    let run = exec(ExecOp { meta, mounts: vec![root()], ..ExecOp::default() });
    check(
        &run,
        concat!(
            r#"{"Type":"buildkit.exec.v0","Exec":{"meta":{"args":["/bin/sh","-c","a \u003c b \u0026\u0026 c"],"#,
            r#""env":["PATH=/bin"],"cwd":"/","removeMountStubsRecursive":true}},"OS":"linux","Arch":"amd64"}"#
        ),
    );
}

#[test]
fn every_part_of_a_command_has_its_place_in_the_key() {
    let secret = FileSecret { id: "s".into(), uid: 1, gid: 2, mode: 0o400, optional: true };
    let op = ExecOp {
        meta: ExecMeta {
            args: vec!["make".into()],
            env: vec!["A=1".into()],
            cwd: "/w".into(),
            user: "app".into(),
            extra_hosts: vec!["db".into()],
            hostname: "h".into(),
            ulimits: vec![Ulimit { name: "nofile".into(), soft: 1, hard: -1 }],
            cgroup_parent: "/c".into(),
            remove_mount_stubs_recursive: true,
            valid_exit_codes: vec![0, 3],
        },
        mounts: vec![
            root(),
            Mount {
                input: None,
                dest: "/t".into(),
                output: None,
                kind: MountKind::Tmpfs,
                tmpfs_size: Some(0),
                ..Mount::default()
            },
            Mount {
                input: None,
                dest: "/var/cache".into(),
                output: None,
                kind: MountKind::Cache,
                cache: Some(CacheMount { id: "ns//var/cache".into(), sharing: CacheSharing::Shared }),
                ..Mount::default()
            },
            Mount {
                input: None,
                dest: "/run/secrets/s".into(),
                output: None,
                kind: MountKind::Secret,
                secret: Some(secret),
                ..Mount::default()
            },
            Mount {
                input: None,
                dest: "/ssh".into(),
                output: None,
                kind: MountKind::Ssh,
                ssh: Some(FileSecret { id: "default".into(), ..FileSecret::default() }),
                ..Mount::default()
            },
            Mount {
                input: Some(1),
                selector: "/src".into(),
                dest: "/src".into(),
                output: Some(1),
                readonly: true,
                result_id: "r".into(),
                content_cache: ContentCache::Off,
                ..Mount::default()
            },
        ],
        network: 2,
        security: 1,
        secret_env: vec![SecretEnv { id: "s".into(), name: "S".into(), optional: true }],
        cdi_devices: vec![CdiDevice { name: "gpu".into(), optional: true }],
    };
    let mut run = exec(op);
    let mut platform = Platform::new("Linux", "ARM64").with_variant("v9");
    platform.os_version = "1".into();
    platform.os_features = vec!["f".into()];
    run.platform = Some(platform);
    check(
        &run,
        concat!(
            r#"{"Type":"buildkit.exec.v0","Exec":{"meta":{"args":["make"],"env":["A=1"],"cwd":"/w","user":"app","#,
            r#""extraHosts":[{"Host":"db"}],"hostname":"h","ulimit":[{"Name":"nofile","Soft":1,"Hard":-1}],"#,
            r#""cgroupParent":"/c","removeMountStubsRecursive":true,"validExitCodes":[0,3]},"mounts":[{"dest":"/"},"#,
            r#"{"input":-1,"dest":"/t","output":-1,"mountType":4,"TmpfsOpt":{}},"#,
            r#"{"input":-1,"dest":"/var/cache","output":-1,"mountType":3,"cacheOpt":{"ID":"ns//var/cache"}},"#,
            r#"{"input":-1,"dest":"/run/secrets/s","output":-1,"mountType":1,"#,
            r#""secretOpt":{"ID":"s","uid":1,"gid":2,"mode":256,"optional":true}},"#,
            r#"{"input":-1,"dest":"/ssh","output":-1,"mountType":2,"SSHOpt":{"ID":"default"}},"#,
            r#"{"input":1,"dest":"/src","output":1,"readonly":true,"resultID":"r","contentCache":2}],"#,
            r#""network":2,"security":1,"secretenv":[{"ID":"s","name":"S","optional":true}],"#,
            r#""cdiDevices":[{"name":"gpu","optional":true}]},"OS":"linux","Arch":"arm64","Variant":"v9","#,
            r#""OSVersion":"1","OSFeatures":["f"]}"#
        ),
    );
}

#[test]
fn a_root_with_any_option_is_in_the_key() {
    let plain = exec(ExecOp { mounts: vec![root()], ..ExecOp::default() }).key(&linux()).unwrap().digest();
    let with = |change: fn(&mut Mount)| {
        let mut mount = root();
        change(&mut mount);
        exec(ExecOp { mounts: vec![mount], ..ExecOp::default() }).key(&linux()).unwrap().digest()
    };
    let same: [fn(&mut Mount); 2] =
        [|mount| mount.selector = "/sub".into(), |mount| mount.content_cache = ContentCache::On];
    for change in same {
        assert_eq!(with(change), plain);
    }
    let others: [fn(&mut Mount); 7] = [
        |mount| mount.readonly = true,
        |mount| mount.kind = MountKind::Cache,
        |mount| mount.cache = Some(CacheMount::default()),
        |mount| mount.secret = Some(FileSecret::default()),
        |mount| mount.ssh = Some(FileSecret::default()),
        |mount| mount.result_id = "r".into(),
        |mount| mount.dest = "/x".into(),
    ];
    for change in others {
        assert_ne!(with(change), plain);
    }
    let two = exec(ExecOp { mounts: vec![root(), root()], ..ExecOp::default() });
    assert_ne!(two.key(&linux()).unwrap().digest(), plain);
}

#[test]
fn the_id_of_a_cache_is_in_the_key_only_if_it_is_that_of_its_path() {
    let fields = |id: &str, sharing: CacheSharing| {
        let cache = Some(CacheMount { id: id.into(), sharing });
        let mount = Mount { dest: "/c/d".into(), cache, kind: MountKind::Cache, ..Mount::default() };
        let key = exec(ExecOp { mounts: vec![root(), mount], ..ExecOp::default() }).key(&linux()).unwrap();
        let fields = key.fields();
        let found = fields.iter().find(|(path, _)| path.starts_with("Exec.mounts[1].cacheOpt"));
        found.map(|(path, value)| (path.trim_start_matches("Exec.mounts[1].").to_owned(), value.clone()))
    };
    let own = |id: &str| Some(("cacheOpt.ID".to_owned(), id.to_owned()));
    let none = Some(("cacheOpt".to_owned(), "{}".to_owned()));
    for id in ["/c/d", "//c/d", "ns//c/d"] {
        assert_eq!(fields(id, CacheSharing::Shared), own(id), "{id}");
        assert_eq!(fields(id, CacheSharing::Locked), none, "{id}");
        assert_eq!(fields(id, CacheSharing::Private), none, "{id}");
    }
    for id in ["", "own", "c/d", "a/b//c/d", "ns/c/d", "x/c/d"] {
        assert_eq!(fields(id, CacheSharing::Shared), none, "{id}");
    }
}

#[test]
fn platforms_have_the_names_of_containerd() {
    for (given, expected) in [
        ("linux/amd64", "linux/amd64"),
        ("Linux/x86_64/v1", "linux/amd64"),
        ("linux/x86-64/v2", "linux/amd64/v2"),
        ("linux/i386/x", "linux/386"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/arm/v5", "linux/arm/v5"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/riscv64", "linux/riscv64"),
        ("windows/amd64", "windows/amd64"),
    ] {
        assert_eq!(normalized(&given.parse().unwrap()).to_string(), expected, "{given}");
    }
}

#[test]
fn actions_are_texts_in_base64() {
    let owner =
        Owner { user: Some(OwnerPart::Name { name: "app".into(), input: 2 }), group: Some(OwnerPart::Id(0)) };
    let full = CopyAction {
        src: "/a/b/*.c".into(),
        dest: "/to".into(),
        owner: Some(owner),
        mode: 0o644,
        follow_symlink: true,
        dir_copy_contents: true,
        attempt_unpack: true,
        create_dest_path: true,
        allow_wildcard: true,
        allow_empty_wildcard: true,
        timestamp: 1_700_000_000_000_000_000,
        include_patterns: vec!["i".into()],
        exclude_patterns: vec!["e".into()],
        always_replace_existing_dest_paths: true,
        mode_str: "u=rw".into(),
        required_paths: vec!["/r".into()],
    };
    let mut copy = action(FileActionKind::Copy(full));
    copy.secondary_input = Some(1);
    let json = concat!(
        r#"{"src":"*.c","dest":"/to","owner":{"user":{"User":{"byName":{"name":"app","input":2}}},"group":{"User":{}}},"#,
        r#""mode":420,"followSymlink":true,"dirCopyContents":true,"attemptUnpackDockerCompatibility":true,"#,
        r#""createDestPath":true,"allowWildcard":true,"allowEmptyWildcard":true,"timestamp":1700000000000000000,"#,
        r#""include_patterns":["i"],"exclude_patterns":["e"],"alwaysReplaceExistingDestPaths":true,"modeStr":"u=rw","#,
        r#""required_paths":["/r"]}"#
    );
    check(&file(vec![copy], 3), &file_json(&[json], ""));

    let mkfile = MkfileAction {
        path: "/f".into(),
        mode: 0o644,
        data: b"hello\n".to_vec(),
        owner: None,
        timestamp: -1,
    };
    let json = r#"{"path":"/f","mode":420,"data":"aGVsbG8K","timestamp":-1}"#;
    check(&file(vec![action(FileActionKind::Mkfile(mkfile))], 1), &file_json(&[json], ""));

    let owner = Owner { user: Some(OwnerPart::Id(7)), group: None };
    let mkdir =
        MkdirAction { path: "/d".into(), mode: 0o755, make_parents: true, owner: Some(owner), timestamp: -1 };
    let json =
        r#"{"path":"/d","mode":493,"makeParents":true,"owner":{"user":{"User":{"byId":7}}},"timestamp":-1}"#;
    check(&file(vec![action(FileActionKind::Mkdir(mkdir))], 1), &file_json(&[json], ""));

    let rm = RmAction { path: "/x*".into(), allow_not_found: true, allow_wildcard: true };
    let json = r#"{"path":"/x*","allowNotFound":true,"allowWildcard":true}"#;
    check(&file(vec![action(FileActionKind::Rm(rm))], 1), &file_json(&[json], ""));
    check(&file(Vec::new(), 1), r#"{"Type":"buildkit.file.v0","Actions":[]}"#);
}

#[test]
fn the_folder_of_a_source_counts_only_if_it_is_no_input() {
    for (src, base) in [("/a/b", "b"), ("/a/b/", "b"), ("/", "/"), ("//", "/"), ("", "."), ("name", "name")] {
        let mut from = action(FileActionKind::Copy(copy(src)));
        from.secondary_input = Some(1);
        let json = |src: &str| match src {
            "" => r#"{"dest":"/to","mode":-1,"timestamp":-1}"#.to_owned(),
            src => format!(r#"{{"src":"{src}","dest":"/to","mode":-1,"timestamp":-1}}"#),
        };
        check(&file(vec![from.clone()], 2), &file_json(&[&json(base)], ""));
        // The result of the action itself, or nothing.
        check(&file(vec![from.clone()], 1), &file_json(&[&json(src)], ""));
        from.secondary_input = None;
        check(&file(vec![from], 2), &file_json(&[&json(src)], ""));
    }
}

#[test]
fn positions_are_in_the_key_unless_actions_follow_one_another() {
    let json = r#"{"src":"x","dest":"/to","mode":-1,"timestamp":-1}"#;
    let check = |positions: &[[i64; 3]], inputs: usize, indexes: &str| {
        let position = |position: i64| usize::try_from(position).ok();
        let actions = positions.iter().map(|[input, secondary, output]| FileAction {
            input: position(*input),
            secondary_input: position(*secondary),
            output: position(*output),
            kind: FileActionKind::Copy(copy("x")),
        });
        let texts = vec![json; positions.len()];
        check(&file(actions.collect(), inputs), &file_json(&texts, indexes));
    };
    check(&[[0, 1, 0]], 2, "");
    check(&[[0, -1, 0]], 1, "");
    // Positions of actions are counted from the number of the actions, not of the inputs.
    check(&[[0, 1, -1], [2, 1, 0]], 2, "");
    check(&[[0, 1, -1], [3, 1, -1], [4, -1, 0]], 2, "");
    check(&[[0, 1, -1], [3, 1, -1], [4, 1, 0]], 3, "");
    check(&[[0, 1, -1], [3, 1, 0]], 3, r#","indexes":[[0,1,-1],[3,1,0]]"#);
    check(&[[-1, 0, 0]], 1, r#","indexes":[[-1,0,0]]"#);
    check(&[[1, 1, 0]], 2, r#","indexes":[[1,1,0]]"#);
    check(&[[0, 2, 0]], 3, r#","indexes":[[0,2,0]]"#);
    check(&[[0, 1, 1]], 2, r#","indexes":[[0,1,1]]"#);
    check(&[[0, 1, 0], [2, 1, 1]], 2, r#","indexes":[[0,1,0],[2,1,1]]"#);
}

#[test]
fn merges_and_differences_name_their_inputs() {
    let merge = MergeOp { inputs: vec![0, 1, 2] };
    let json = r#"{"Type":"buildkit.merge.v0","Merge":{"inputs":[{},{"input":1},{"input":2}]}}"#;
    check(&step(Op::Merge(merge), 3), json);
    let diff = |lower, upper| step(Op::Diff(DiffOp { lower, upper }), 2);
    let json = r#"{"Type":"buildkit.diff.v0","Diff":{"lower":{},"upper":{"input":1}}}"#;
    check(&diff(Some(0), Some(1)), json);
    let json = r#"{"Type":"buildkit.diff.v0","Diff":{"lower":{"input":-1},"upper":{}}}"#;
    check(&diff(None, Some(0)), json);
}

#[test]
fn a_step_without_a_key_says_why() {
    let reason = |op| step(op, 1).key(&linux()).unwrap_err();
    assert_eq!(reason(Op::Source(SourceOp::default())), NoKey::Source);
    assert_eq!(reason(Op::End), NoKey::End);
    let unknown = NoKey::UnknownPart { part: "build".into() };
    assert_eq!(reason(Op::Unknown(unknown.clone())), unknown);
    let actions = vec![action(FileActionKind::Rm(RmAction::default())), action(FileActionKind::Unrecorded)];
    assert_eq!(reason(Op::File(FileOp { actions })), NoKey::UnrecordedAction { action: 1 });
}

#[test]
fn hashed_parts_are_named_by_their_paths() {
    let meta = ExecMeta {
        args: vec!["a".into(), "b".into()],
        env: vec!["X=1=2".into(), "EMPTY=".into(), "BARE".into()],
        ..ExecMeta::default()
    };
    let mount = Mount { cache: Some(CacheMount::default()), kind: MountKind::Cache, ..Mount::default() };
    let key = exec(ExecOp { meta, mounts: vec![mount], ..ExecOp::default() }).key(&linux()).unwrap();
    let fields = [
        ("Type", "buildkit.exec.v0"),
        ("Exec.meta.args[0]", "a"),
        ("Exec.meta.args[1]", "b"),
        ("Exec.meta.env.X", "1=2"),
        ("Exec.meta.env.EMPTY", ""),
        ("Exec.meta.env.BARE", ""),
        ("Exec.mounts[0].input", "-1"),
        ("Exec.mounts[0].output", "-1"),
        ("Exec.mounts[0].mountType", "3"),
        ("Exec.mounts[0].cacheOpt", "{}"),
        ("OS", "linux"),
        ("Arch", "amd64"),
    ];
    assert_eq!(key.fields(), fields.map(|(path, text)| (path.to_owned(), text.to_owned())));

    let mut copy = copy("/a");
    copy.follow_symlink = true;
    let first = FileAction { output: None, ..action(FileActionKind::Copy(copy)) };
    let second = action(FileActionKind::Mkdir(MkdirAction { path: "/d".into(), ..MkdirAction::default() }));
    let key = file(vec![first, second], 1).key(&linux()).unwrap();
    let fields = [
        ("Type", "buildkit.file.v0"),
        ("Actions[0].src", "/a"),
        ("Actions[0].dest", "/to"),
        ("Actions[0].mode", "-1"),
        ("Actions[0].followSymlink", "true"),
        ("Actions[0].timestamp", "-1"),
        ("Actions[1].path", "/d"),
        ("indexes[0][0]", "0"),
        ("indexes[0][1]", "-1"),
        ("indexes[0][2]", "-1"),
        ("indexes[1][0]", "0"),
        ("indexes[1][1]", "-1"),
        ("indexes[1][2]", "0"),
    ];
    assert_eq!(key.fields(), fields.map(|(path, text)| (path.to_owned(), text.to_owned())));
}

fn env() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[A-Z]{1,3}=[ -~é]{0,4}", 0..4)
}

proptest! {
    /// Law: two commands have one key exactly if they have the same fields in the same order.
    #[test]
    fn keys_are_equal_where_the_fields_are(a in env(), b in env(), user in "[a-c]{0,1}", platform in 0..2_usize) {
        let key = |env: &[String], user: &str, platform: &Platform| {
            let meta = ExecMeta { env: env.to_vec(), user: user.to_owned(), ..ExecMeta::default() };
            exec(ExecOp { meta, ..ExecOp::default() }).key(platform).unwrap()
        };
        let other = [linux(), Platform::new("linux", "386")];
        let (a, b) = (key(&a, "a", &linux()), key(&b, &user, &other[platform]));
        prop_assert_eq!(a.digest() == b.digest(), a.fields() == b.fields());
    }

    /// Law: what the command takes from its inputs is in no key, as it is in the links.
    #[test]
    fn selectors_of_mounts_are_in_no_key(selectors in prop::collection::vec("[a-z/.]{0,5}", 1..4)) {
        let key = |selectors: Vec<String>| {
            let mount = |selector| Mount { selector, dest: "/m".to_owned(), ..Mount::default() };
            let mounts = selectors.into_iter().map(mount).collect();
            exec(ExecOp { mounts, ..ExecOp::default() }).key(&linux()).unwrap()
        };
        let without = vec![String::new(); selectors.len()];
        prop_assert_eq!(key(selectors), key(without));
    }
}
