//! `bkcache diff`.

use serde_json::{Value, json};

use super::builds::{BUILD, Step, export, record};
use crate::support::{bkcache, fixture};

#[test]
fn a_real_cache_is_compared_with_others() {
    let path = |name: &str| fixture(name).display().to_string();
    let app = path("app-max-manifest-oci-gzip");
    for other in ["changed-source", "app-max-manifest-oci-zstd", "app-max-index-docker-gzip"] {
        let ran = bkcache(["diff", &app, &path(other)]).ok();
        insta::assert_snapshot!(format!("diff_{other}"), ran.shown(&fixture("")));
    }
}

#[test]
fn json_has_each_record_with_its_results_and_each_blob_largest_first() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name).display().to_string());
    export(folder.path(), &a, &BUILD[..3]);
    let app = Step("app", &[1], "2026-11-21T00:00:00Z", &["base", "another app"]);
    let [source, base, _, tool, _] = BUILD else { panic!("five steps") };
    export(folder.path(), &b, &[*source, *base, app, *tool]);
    let shown = bkcache(["diff", "--json", &a, &b]).ok().json();
    assert_eq!(shown["differ"], true);
    assert_eq!(shown["onlyA"], json!({"records": 0, "results": 0, "blobs": 1, "bytes": 7}));
    assert_eq!(shown["onlyB"], json!({"records": 1, "results": 1, "blobs": 2, "bytes": 20}));
    let both = json!({"records": 3, "same": 1, "recompressed": 0, "changed": 1, "blobs": 1, "bytes": 4});
    assert_eq!(shown["both"], both);
    let of = |step: &str| {
        let records = shown["records"].as_array().unwrap();
        records.iter().find(|row| row["digest"] == record(step)).unwrap().clone()
    };
    let result = |created_at: &str, bytes: u64| json!({"createdAt": created_at, "layers": 2, "bytes": bytes});
    let changed = json!({
        "digest": record("app"), "in": "ab", "result": "changed",
        "a": result("2026-11-20T00:00:00Z", 11), "b": result("2026-11-21T00:00:00Z", 15),
    });
    assert_eq!(of("app"), changed);
    assert_eq!((&of("tool")["in"], &of("tool")["result"]), (&json!("b"), &json!("only-b")));
    assert_eq!((&of("source")["result"], &of("source")["a"]), (&json!("none"), &Value::Null));
    let blobs: Vec<_> =
        shown["blobs"].as_array().unwrap().iter().map(|blob| (&blob["size"], &blob["in"])).collect();
    assert_eq!(blobs, [(&json!(11), &json!("b")), (&json!(9), &json!("b")), (&json!(7), &json!("a"))]);
}

#[test]
fn the_exit_code_says_whether_they_differ_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name).display().to_string());
    export(folder.path(), &a, BUILD);
    export(folder.path(), &b, &BUILD[..3]);
    export(folder.path(), &c, BUILD);
    for (other, code) in [(&b, 1), (&c, 0)] {
        for json in [false, true] {
            let args: &[&str] = if json { &["diff", "--json"] } else { &["diff"] };
            let plain = bkcache([args, &[&a, other]].concat()).ok();
            let ran = bkcache([args, &["--exit-code", &a, other]].concat());
            assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout), (code, "", plain.stdout), "{other}");
        }
    }
    // With JSON on standard error, too, a difference is no error.
    let ran = bkcache(["diff", "--exit-code", "--progress", "json", &a, &b]);
    assert!(ran.code == 1 && !ran.stderr.contains("\"error\""), "{}", ran.stderr);
    let failed = bkcache(["diff", "--exit-code", &a, &format!("{b}:absent")]);
    assert!(failed.code == 1 && failed.text().is_empty(), "{}", failed.text());
    assert!(failed.stderr.starts_with("bkcache: cannot read "), "{}", failed.stderr);
}

#[test]
fn a_long_list_is_cut_unless_all_of_it_is_asked_for() {
    let path = |name: &str| fixture(name).display().to_string();
    let args = ["diff", &path("deep-100"), &path("wide-40")];
    let cut = bkcache(args).ok().text();
    let last = cut.lines().last().unwrap().trim_start();
    let more: usize = last
        .strip_prefix("… and ")
        .and_then(|rest| rest.strip_suffix(" more blobs (-v lists all)"))
        .unwrap()
        .parse()
        .unwrap();
    let all = bkcache(["-v"].into_iter().chain(args)).ok().text();
    assert_eq!(all.lines().count(), cut.lines().count() - 1 + more, "{all}");
}

#[test]
fn caches_that_disagree_about_a_size_cannot_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let digest = crate::support::sha256(b"x");
    let place = |name: &str, size: u64| {
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        let layer = json!({"mediaType": media_type, "digest": digest, "size": size});
        let result = json!({"layer": 0, "createdAt": "2026-01-02T03:04:05Z"});
        let config = json!({
            "layers": [{"blob": digest, "parent": -1}],
            "records": [{"digest": record("step"), "layers": [result]}],
        });
        crate::support::layout(folder.path(), name, config.to_string().as_bytes(), &[layer])
    };
    let ran = bkcache(["diff", &place("a", 5), &place("b", 6)]);
    insta::assert_snapshot!("sizes_disagree", ran.shown(folder.path()));
}
