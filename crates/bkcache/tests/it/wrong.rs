//! The program on bad input: one clear line, the right exit code, and nothing published.

use std::path::Path;

use serde_json::json;

use crate::support::{self, Ran, bkcache, bkcache_with_input, blob, copy_of, fixture, layout, store};

const APP: &str = "app-max-manifest-oci-gzip";
const LAYER: &str = "sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";

/// The output and the exit code of runs, each after its name.
struct Lines<'a> {
    folder: &'a Path,
    text: String,
}

impl<'a> Lines<'a> {
    fn new(folder: &'a Path) -> Self {
        Self { folder, text: String::new() }
    }

    fn add(&mut self, what: &str, ran: &Ran) {
        assert_ne!(ran.code, 101, "a panic: {}", ran.stderr);
        let shown = ran.shown(self.folder);
        let lines: Vec<&str> =
            shown.lines().filter(|line| !line.starts_with("writing ") && !line.is_empty()).collect();
        self.text.push_str(&format!("{what}\n  {}\n", lines.join("\n  ")));
    }
}

#[test]
fn sources_that_are_no_cache() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let at = |name: &str| folder.join(name).display().to_string();
    let mut lines = Lines::new(folder);
    std::fs::create_dir(folder.join("plain")).unwrap();
    std::fs::write(folder.join("file"), "x").unwrap();
    lines.add("a folder that is no layout", &bkcache(["inspect", &at("plain")]));
    lines.add("a file", &bkcache(["inspect", &at("file")]));
    let index = fixture(APP).join("index.json").display().to_string();
    lines.add("a file of a layout", &bkcache(["inspect", &index]));
    lines.add("nothing", &bkcache(["inspect", &at("absent")]));
    let empty = copy_of(APP, &folder.join("empty"));
    std::fs::write(empty.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    lines.add("an empty index", &bkcache(["inspect", &at("empty")]));
    std::fs::write(empty.join("index.json"), "{").unwrap();
    lines.add("an index that is cut short", &bkcache(["inspect", &at("empty")]));
    lines.add("a tag that is not there", &bkcache(["inspect", &format!("{}:v2", fixture(APP).display())]));
    let absent = format!("{}@sha256:{}", fixture(APP).display(), "0".repeat(64));
    lines.add("a digest that is not there", &bkcache(["inspect", &absent]));
    let dots = format!("{}@sha256:../../etc/passwd", fixture(APP).display());
    lines.add("a digest with ../", &bkcache(["inspect", &dots]));
    lines.add("an image without a cache", &bkcache(["inspect", &image_without_cache(folder)]));
    lines.add(
        "the config of an image",
        &bkcache(["config", &fixture("inline-oci-true").display().to_string()]),
    );
    insta::assert_snapshot!(lines.text);
}

#[test]
fn what_is_no_cache_at_all_fails_alike_in_every_command() {
    let temp = tempfile::tempdir().unwrap();
    let image = image_without_cache(temp.path());
    let chart = temp.path().join("chart");
    let (config, size) = store(&chart, b"{}");
    let config =
        json!({"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": config, "size": size});
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []}).to_string();
    let (digest, size) = store(&chart, manifest.as_bytes());
    let entry =
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size});
    std::fs::write(chart.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string())
        .unwrap();
    std::fs::write(chart.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let chart = chart.display().to_string();
    let to = temp.path().join("to").display().to_string();
    for (source, line) in [
        (
            &image,
            "it is an image, not a cache; an image has a cache inside if it is built with --cache-to type=inline",
        ),
        (
            &chart,
            "it is a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache; check the tag; `bkcache ls` lists the tags and what each is",
        ),
    ] {
        let digest = support::only_manifest(Path::new(source));
        let named = format!("{source}@{digest}");
        for command in [
            vec!["inspect", source],
            vec!["inspect", "--json", source],
            vec!["verify", source],
            vec!["verify", "--no-read", "--json", source],
            vec!["copy", "--progress", "none", source, &to],
            vec!["config", source],
            vec!["config", "--canonical", source],
            vec!["manifest", source],
            vec!["ls", "--caches", &named],
        ] {
            let ran = bkcache(&command);
            assert_eq!((ran.code, ran.text().as_str()), (1, ""), "{command:?}: {}", ran.stderr);
            assert!(ran.stderr.ends_with(&format!(": {line}\n")), "{command:?}: {}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), 1, "{command:?}: {}", ran.stderr);
        }
        bkcache(["ls", source]).ok();
    }
    assert!(!Path::new(&to).exists(), "no folder is made for nothing");
}

fn image_without_cache(folder: &Path) -> String {
    let image = layout(folder, "image", b"{}", &[]);
    let path = Path::new(&image);
    let (config, config_size) = store(path, br#"{"rootfs":{"diff_ids":[]}}"#);
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size});
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []}).to_string();
    let (digest, size) = store(path, manifest.as_bytes());
    let entry =
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size});
    std::fs::write(path.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string())
        .unwrap();
    image
}

#[test]
fn blobs_that_are_not_what_they_should_be() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let mut lines = Lines::new(folder);
    type Fault = (&'static str, fn(&Path));
    let faults: [Fault; 4] = [
        ("missing", |file| std::fs::remove_file(file).unwrap()),
        ("truncated", |file| std::fs::write(file, &std::fs::read(file).unwrap()[..100]).unwrap()),
        ("swapped", |file| std::fs::write(file, vec![7; 3051]).unwrap()),
        ("over-long", |file| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes.push(0);
            std::fs::write(file, bytes).unwrap();
        }),
    ];
    for (name, spoil) in faults {
        let source = copy_of(APP, &folder.join(name));
        spoil(&blob(&source, LAYER));
        let source = source.display().to_string();
        let to = folder.join(format!("{name}-copy"));
        let copied = bkcache(["copy", "--progress", "none", &source, &to.display().to_string()]);
        assert!(!blob(&to, LAYER).exists(), "{name}: nothing unverified is visible");
        assert!(!to.join("index.json").exists(), "{name}: nothing is named");
        assert!(
            std::fs::read_dir(to.join("ingest")).unwrap().next().is_none(),
            "{name}: nothing is left staged"
        );
        lines.add(&format!("copy, {name}"), &copied);
        lines.add(&format!("verify, {name}"), &bkcache(["verify", &source]));
        let report = bkcache(["verify", "--json", &source]);
        let report_json = report.json();
        assert_eq!((report.code, &report_json["sound"]), (3, &json!(false)));
        let blobs = (&report_json["blobs"], &report_json["configs"], &report_json["manifests"]);
        assert_eq!(blobs, (&json!(10), &json!(1), &json!(1)));
        // Layers and records have the numbers that `inspect` gives them.
        let finding = &report_json["findings"][0];
        let shown = bkcache(["inspect", "--json", &source]).ok().json()["caches"][0].take();
        for layer in finding["layers"].as_array().unwrap() {
            let at = usize::try_from(layer.as_u64().unwrap()).unwrap();
            assert_eq!(shown["layers"][at]["blob"], LAYER);
        }
        assert_eq!(finding["records"], json!(records_on(&shown, LAYER)), "{name}");
    }
    insta::assert_snapshot!(lines.text);
}

/// The positions of the records of an inspected cache with a result that has a layer of this blob.
fn records_on(cache: &serde_json::Value, blob: &str) -> Vec<usize> {
    let needs = |result: &serde_json::Value| {
        let mut at = result["layer"].as_u64();
        while let Some(layer) = at.map(|at| &cache["layers"][usize::try_from(at).unwrap()]) {
            if layer["blob"] == blob {
                return true;
            }
            at = layer["parent"].as_u64();
        }
        false
    };
    let records = cache["records"].as_array().unwrap().iter().enumerate();
    let needing = records.filter(|(_, record)| record["results"].as_array().unwrap().iter().any(needs));
    needing.map(|(position, _)| position).collect()
}

#[test]
fn metadata_that_makes_no_sense() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let mut lines = Lines::new(folder);
    let a_loop = br#"{"records":[{"digest":"sha256:a","inputs":[[{"link":1}]]},{"digest":"sha256:b","inputs":[[{"link":0}]]}]}"#;
    let dots = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:../../../etc/passwd", "size": 5});
    let huge = [br#"{"x":""#.as_slice(), &vec![b'x'; 100 << 20], br#""}"#].concat();
    for source in [
        layout(folder, "loop", a_loop, &[]),
        layout(folder, "dots", b"{}", &[dots]),
        layout(folder, "huge", &huge, &[]),
        layout(folder, "not-json", b"records: []", &[]),
        layout(folder, "deep", "[".repeat(1_000_000).as_bytes(), &[]),
    ] {
        let name = Path::new(&source).file_name().unwrap().to_str().unwrap().to_owned();
        lines.add(&format!("inspect, {name}"), &bkcache(["inspect", &source]));
        lines.add(&format!("verify, {name}"), &bkcache(["verify", &source]));
        let to = folder.join("copy");
        lines.add(&format!("copy, {name}"), &bkcache(["copy", &source, &to.display().to_string()]));
        assert!(!to.exists(), "{name}: no folder is made for nothing");
    }
    bkcache(["inspect", "--max-metadata-size", "200MiB", &folder.join("huge").display().to_string()]).ok();
    insta::assert_snapshot!(lines.text);
}

#[test]
fn the_output_for_a_deep_cache_is_linear_in_its_records() {
    let temp = tempfile::tempdir().unwrap();
    let depth = 4000;
    let digest = |kind: &str, n: usize| format!("sha256:{kind}{n:063x}");
    let mut layers = Vec::new();
    let mut descriptors = Vec::new();
    let mut records = Vec::new();
    for n in 0..depth {
        let parent = i64::try_from(n).unwrap() - 1;
        layers.push(json!({"blob": digest("a", n), "parent": parent}));
        descriptors.push(json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest("a", n), "size": 1}));
        // Each record forks: it depends on the previous record and on the first.
        let inputs = if n == 0 { json!([]) } else { json!([[{"link": n - 1}], [{"link": 0}]]) };
        let results = json!([{"layer": n, "createdAt": "2026-01-02T03:04:05Z"}]);
        records.push(json!({"layers": results, "digest": digest("b", n), "inputs": inputs}));
    }
    let config = json!({"layers": layers, "records": records}).to_string();
    let source = layout(temp.path(), "deep", config.as_bytes(), &descriptors);
    let shown = bkcache(["inspect", "--json", &source]).ok();
    assert!(shown.stdout.len() < 1000 * depth, "{} bytes", shown.stdout.len());
    assert_eq!(shown.json()["caches"][0]["layers"].as_array().unwrap().len(), depth);
    let tree = bkcache(["inspect", "--tree", &source]).ok();
    assert!(tree.stdout.len() < 1000 * depth, "{} bytes", tree.stdout.len());
}

#[test]
fn destinations_and_options_that_cannot_be() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let source = fixture(APP).display().to_string();
    let mut lines = Lines::new(folder);
    let dest = |rest: &str| format!("type=local,dest={}/out{rest}", folder.display());
    for (what, rest) in [
        ("an unknown attribute", ",imagemanifest=false"),
        ("a malformed value", ",image-manifest=maybe"),
        ("an attribute without a value", ",tag"),
        ("an attribute that cannot be honoured", ",compression=zstd"),
        ("a form that there is not", ",image-manifest=true,oci-mediatypes=false"),
    ] {
        lines.add(what, &bkcache(["copy", &source, &dest(rest)]));
    }
    lines.add("two forms", &bkcache(["copy", "--form", "index", &source, &dest(",image-manifest=true")]));
    assert!(!folder.join("out").exists(), "no folder is made for nothing");
    lines.add("an unknown type", &bkcache(["copy", &source, "type=locla,dest=x"]));
    lines.add("a type that is not there yet", &bkcache(["copy", &source, "type=s3,bucket=x"]));
    lines.add("an unknown form", &bkcache(["copy", "--form", "tar", &source, "x"]));
    for host in ["localhost", "localhost:5917", "docker.io"] {
        let copied = support::run(support::program().current_dir(folder).args(["copy", &source, host]), b"");
        lines.add(&format!("a host alone, {host}"), &copied);
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "nor is one named like a host");
    std::fs::write(folder.join("file"), "x").unwrap();
    lines.add(
        "a file as destination",
        &bkcache(["copy", &source, &folder.join("file").display().to_string()]),
    );
    std::fs::create_dir(folder.join("full")).unwrap();
    std::fs::write(folder.join("full/photo.jpg"), "x").unwrap();
    lines.add(
        "a folder of something else",
        &bkcache(["copy", &source, &folder.join("full").display().to_string()]),
    );
    if cfg!(target_os = "linux") {
        lines.add("a place that cannot be written", &bkcache(["copy", &source, "/proc/cache"]));
        let ignored = bkcache(["copy", &source, "type=local,dest=/dev/full/x,ignore-error=true"]);
        assert_eq!(ignored.code, 1, "ignore-error is about the export, not about what was typed");
    }
    insta::assert_snapshot!(lines.text);
}

#[test]
fn records_that_cannot_be_taken() {
    let temp = tempfile::tempdir().unwrap();
    let mut lines = Lines::new(temp.path());
    for (what, input) in [
        ("no records", ""),
        ("no JSON", "digest: a"),
        ("an unknown member", r#"{"digest":"a","input":[]}"#),
        ("a link to a later line", r#"{"digest":"a","inputs":[[{"record":1}]]}"#),
        ("an empty input", r#"{"digest":"a","inputs":[[]]}"#),
    ] {
        let ran = bkcache_with_input(["export", "--records", "-", "--print-config"], input.as_bytes());
        lines.add(what, &ran);
    }
    let record = r#"{"digest":"a"}"#;
    let utf16 = |text: &str| {
        text.encode_utf16().fold(vec![0xff, 0xfe], |all, unit| [all, unit.to_le_bytes().to_vec()].concat())
    };
    for (what, input) in [
        ("a comma after a record", format!("{record}\n{record},\n").into_bytes()),
        ("UTF-16", utf16(record)),
        ("gzip", b"\x1f\x8b\x08\0".to_vec()),
        ("no end of the first line", vec![b'a'; (64 << 20) + 1]),
    ] {
        lines.add(what, &bkcache_with_input(["export", "--records", "-", "--print-config"], &input));
    }
    let marked = format!("\u{feff}{record}\r\n\r\n");
    let taken = bkcache_with_input(["export", "--records", "-", "--print-config"], marked.as_bytes()).ok();
    assert_eq!(taken.text().trim_end(), r#"{"records":[{"digest":"a"}]}"#);
    lines.add("neither blobs nor destination", &bkcache(["export", "--records", "x"]));
    lines.add("a file that is not there", &bkcache(["export", "--records", "/absent/x", "--print-config"]));
    let folder = temp.path().display().to_string();
    lines.add("a folder", &bkcache(["export", "--records", &folder, "--print-config"]));
    insta::assert_snapshot!(lines.text);
}

#[test]
fn metadata_above_the_limit_is_said_with_the_option_that_raises_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture(APP).display().to_string();
    let to = folder.path().join("copy").display().to_string();
    let commands: [&[&str]; 5] = [
        &["ls", &source],
        &["inspect", &source],
        &["manifest", &source],
        &["verify", &source],
        &["copy", &source, &to],
    ];
    for command in commands {
        let ran = bkcache(command.iter().copied().chain(["--max-metadata-size", "300"]));
        assert_eq!(ran.code, 1, "{command:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("limit of 300 bytes for metadata"), "{command:?}: {}", ran.stderr);
        assert!(
            ran.stderr.trim_end().ends_with("; --max-metadata-size raises it"),
            "{command:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn causes_are_shown_on_request() {
    let temp = tempfile::tempdir().unwrap();
    let to = temp.path().join("to").display().to_string();
    // The line says how the blob differs, so no cause repeats it.
    let source = copy_of(APP, &temp.path().join("truncated"));
    std::fs::write(blob(&source, LAYER), "short").unwrap();
    let copy = |flag: &str| bkcache(["copy", flag, &source.display().to_string(), &to]);
    assert!(copy("-q").stderr.contains("the blob is too short"));
    assert!(!copy("-v").stderr.contains("caused by: "));
    // A missing blob has a cause, from the operating system.
    std::fs::remove_file(blob(&source, LAYER)).unwrap();
    assert_eq!(copy("-q").stderr.lines().count(), 1);
    let verbose = copy("-v").stderr;
    assert!(verbose.lines().skip(1).any(|line| line.starts_with("  caused by: No such file")), "{verbose}");
}

/// Nothing is copied, and no folder is made, before everything that the options name was looked at.
#[test]
fn files_that_the_options_name_are_looked_at_before_the_copy() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).display().to_string();
    let (source, to) = (fixture(APP).display().to_string(), at("to"));
    let copy = |more: &[&str]| bkcache(["copy", "-q", &source, &to].iter().chain(more));
    for more in [
        &["--metadata-file", &at("absent/metadata")] as &[&str],
        &["--metadata-file", &at("")],
        &["--ca", &at("absent.pem")],
        &["--ca", &at("")],
        &["--cert", &format!("{source}/oci-layout"), "--key", &at("absent.key")],
    ] {
        let ran = copy(more);
        assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(more.last().unwrap()), "{more:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains(".bkcache-"), "{more:?}: {}", ran.stderr);
        let is_absent = more.last().unwrap().contains("absent");
        assert_eq!(ran.stderr.ends_with("; check the path\n"), is_absent, "{more:?}: {}", ran.stderr);
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "{more:?}");
    }
    // A copy that fails leaves no metadata, and none of what was prepared for it.
    let ran = bkcache(["copy", "-q", &at("absent"), &to, "--metadata-file", &at("metadata")]);
    assert_eq!((ran.code, std::fs::read_dir(temp.path()).unwrap().count()), (1, 0), "{}", ran.stderr);
    copy(&["--metadata-file", &at("metadata")]).ok();
    assert!(std::fs::read_to_string(at("metadata")).unwrap().contains("cache.manifest"));
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 2);
    // The folder of the destination may be made by the copy, or be empty.
    std::fs::create_dir(at("empty")).unwrap();
    for folder in ["new", "empty"] {
        let metadata = at(&format!("{folder}/metadata"));
        bkcache(["copy", "-q", &source, &at(folder), "--metadata-file", &metadata]).ok();
        assert!(std::fs::read_to_string(metadata).unwrap().contains("cache.manifest"), "{folder}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_limit_of_open_files_is_said_with_what_helps() {
    let temp = tempfile::tempdir().unwrap();
    // One blob at a time, so that the files that are open do not depend on timing. How many the start needs does depend on
    // the machine.
    let run = |limit: u32| {
        let to = temp.path().join(limit.to_string()).display().to_string();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]);
        shell.arg(support::program().get_program());
        shell.args(["copy", "-q", "--jobs", "1", &fixture(APP).display().to_string(), &to]);
        support::run(&mut shell, b"")
    };
    let advice = "; raise the limit of open files (ulimit -n), or copy fewer blobs at once (--jobs)\n";
    let failed: Vec<Ran> = (8..100).map(run).take_while(|ran| ran.code != 0).collect();
    let said: Vec<&str> = failed.iter().map(|ran| ran.stderr.as_str()).collect();
    assert!(said.iter().any(|line| line.ends_with(advice)), "{said:?}");
    assert!(failed.len() < 92, "a sufficient limit ends it: {said:?}");
}

/// What is full at the end does not hide that the cache is written.
#[test]
#[cfg(target_os = "linux")]
fn a_copy_whose_outcome_cannot_be_told_says_that_it_is_written() {
    let temp = tempfile::tempdir().unwrap();
    let (source, to) = (fixture(APP).display().to_string(), temp.path().join("to").display().to_string());
    let ran = bkcache(["copy", "-q", &source, &to, "--metadata-file", "/dev/full"]);
    let line = format!(
        "bkcache: {to}:latest is written, but its metadata cannot be written to /dev/full: No space left on device (os error 28)\n"
    );
    assert_eq!((ran.code, ran.stderr), (1, line));
    // Ignored errors are those of the export alone.
    let ignoring = format!("type=local,dest={to},ignore-error=true");
    let ran = bkcache(["copy", "-q", &source, &ignoring, "--metadata-file", "/dev/full"]);
    assert!(ran.code == 1 && ran.stderr.contains("/dev/full: No space left"), "{}", ran.stderr);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = support::program();
    command.args(["copy", "--progress", "none", &source, &to]).stdout(full);
    let output = command.output().unwrap();
    let line = format!(
        "bkcache: {to}:latest is written, but cannot write to standard output: No space left on device (os error 28)\n"
    );
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(1), line));
}

#[test]
fn an_empty_name_is_visible_in_the_error() {
    for (args, line) in [
        (&["inspect", ""] as &[&str], "bkcache: cannot open \"\": no source is given"),
        (&["copy", "x", ""], "bkcache: cannot write to \"\": no destination is given"),
    ] {
        let source = fixture(APP).display().to_string();
        let args: Vec<&str> =
            args.iter().map(|arg| if *arg == "x" { source.as_str() } else { arg }).collect();
        let ran = bkcache(&args);
        assert!(ran.code == 2 && ran.stderr.starts_with(line), "{}", ran.stderr);
    }
}

#[test]
fn the_exit_code_of_an_unsound_cache_is_3_even_with_a_closed_pipe() {
    use std::process::{Command, Stdio};
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(APP, &temp.path().join("missing"));
    std::fs::remove_file(blob(&source, LAYER)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bkcache"))
        .args(["verify", &source.display().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn a_closed_pipe_does_not_hide_that_a_tag_cannot_be_read() {
    use std::process::{Command, Stdio};
    let temp = tempfile::tempdir().unwrap();
    let source = copy_of(APP, &temp.path().join("cache"));
    std::fs::remove_file(blob(&source, &support::only_manifest(&source))).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bkcache"))
        .args(["ls", &source.display().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("1 of 1 name cannot be read"), "{stderr}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_bkcache"))
        .args(["inspect", "--json", &fixture("wide-40").display().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the user may not look into is not called something else: a folder of root's, for example, that a container wrote.
#[test]
#[cfg(unix)]
fn a_folder_that_is_not_readable_is_said_to_be_that() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(folder, 0o755);
    let program = folder.join("bkcache");
    std::fs::copy(env!("CARGO_BIN_EXE_bkcache"), &program).unwrap();
    let closed = copy_of(APP, &folder.join("closed"));
    mode(&closed, 0);
    let is_root = std::fs::metadata(folder).unwrap().uid() == 0;
    let given = closed.display().to_string();
    for args in
        [&["inspect", &given][..], &["ls", &given], &["verify", &given], &["copy", &given, "/nowhere/x"]]
    {
        let mut command = std::process::Command::new(&program);
        if is_root {
            // Nothing is closed to root.
            command.uid(65534).gid(65534);
        }
        let ran = support::run(command.args(args), b"");
        let line =
            "bkcache: cannot open DIR/closed: Permission denied (os error 13); check the permissions\n";
        assert_eq!(
            (ran.code, ran.stderr.replace(&folder.display().to_string(), "DIR")),
            (1, line.to_owned())
        );
    }
    mode(&closed, 0o755);
}

/// A folder on a read-only file system, until this is dropped.
#[cfg(target_os = "linux")]
struct ReadOnly<'a>(&'a Path);

#[cfg(target_os = "linux")]
impl<'a> ReadOnly<'a> {
    /// Mounts the folder read-only over itself; `None`, with the reason on standard error, if that is not allowed.
    fn mount(folder: &'a Path) -> Option<Self> {
        let mount = |args: &[&str]| {
            let mut mount = std::process::Command::new("mount");
            match mount.args(args).arg(folder).output() {
                Ok(output) if output.status.success() => Ok(()),
                Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
                Err(cause) => Err(cause.to_string()),
            }
        };
        let bind = folder.display().to_string();
        let mounted = mount(&["--bind", &bind]).map(|()| Self(folder)).and_then(|mounted| {
            mount(&["-o", "remount,bind,ro"])?;
            Ok(mounted)
        });
        match mounted {
            Ok(mounted) => Some(mounted),
            Err(cause) => {
                let message = format!("nothing can be mounted read-only: {cause}");
                assert!(std::env::var_os("BKCACHE_REQUIRE_PEERS").is_none(), "{message}");
                eprintln!("skipped: {message}");
                None
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_destination_that_cannot_be_written_to() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    copy_of(APP, &folder.join("layout"));
    std::fs::create_dir(folder.join("empty")).unwrap();
    let Some(mounted) = ReadOnly::mount(folder) else { return };
    let mut lines = Lines::new(folder);
    let mut copy = |what: &str, from: &str, to: &str| {
        let to = folder.join(to).display().to_string();
        lines.add(what, &bkcache(["copy", "--progress", "none", &fixture(from).display().to_string(), &to]));
    };
    copy("no folder", APP, "new/cache:a");
    copy("an empty folder", APP, "empty:a");
    copy("a layout", "platforms-2", "layout:a");
    copy("a layout that has all the blobs", APP, "layout:a");
    bkcache(["verify", &folder.join("layout").display().to_string()]).ok();
    drop(mounted);
    insta::assert_snapshot!(lines.text);
}
