//! The keys of sources: hashes of texts that stand here as BuildKit makes them.

use std::collections::BTreeMap;

use cache_keys::{
    ContentRule, ContentSelector, Entry, EntryHasher, EntryKind, Header, HttpFacts, ImageSource, SourceKind,
    SourceOp, Tree,
};
use cache_model::{Digest, Platform, RecordDigest};

fn source(identifier: &str, attributes: &[(&str, &str)]) -> SourceOp {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    SourceOp { identifier: identifier.to_owned(), attributes: attributes.collect::<BTreeMap<_, _>>() }
}

fn key(text: &str) -> Digest {
    Digest::of(format!("buildkit.source.v0:{text}"))
}

fn json_key(json: &str) -> Digest {
    key(&Digest::of(json).to_string())
}

#[test]
fn a_source_is_known_by_its_scheme() {
    assert_eq!(source("local://context", &[]).kind(), SourceKind::Local("context"));
    for other in ["", "context", "blob://x", "docker-image+blob://x@sha256:0"] {
        assert_eq!(source(other, &[]).kind(), SourceKind::Other, "{other}");
    }
    let digest = Digest::of("manifest");
    for scheme in ["docker-image", "oci-layout"] {
        let pinned = source(&format!("{scheme}://example.com/app:1@{digest}"), &[]);
        let SourceKind::Image(image) = pinned.kind() else { panic!("an image") };
        assert_eq!(
            (image.reference, image.digest()),
            (format!("example.com/app:1@{digest}").as_str(), Some(digest))
        );
    }
    let tag = source("docker-image://example.com/app:1", &[]);
    let SourceKind::Image(image) = tag.kind() else { panic!("an image") };
    assert_eq!(image.digest(), None);
}

#[test]
fn an_image_has_a_key_by_its_manifest_for_a_platform() {
    let digest = Digest::of("manifest");
    let check = |attributes: &[(&str, &str)], platform: &str, rest: &str| {
        let op = source("docker-image://app", attributes);
        let SourceKind::Image(image) = op.kind() else { panic!("an image") };
        let platform: Platform = platform.parse().unwrap();
        assert_eq!(
            image.manifest_key(&digest, &platform),
            json_key(&format!(r#"{{"Digest":"{digest}",{rest}}}"#))
        );
    };
    check(&[], "linux/amd64", r#""OS":"linux","Arch":"amd64""#);
    check(&[], "linux/arm", r#""OS":"linux","Arch":"arm","Variant":"v7""#);
    check(&[("image.layerlimit", "2")], "linux/amd64", r#""OS":"linux","Arch":"amd64","Limit":2"#);
    check(&[("oci.layerlimit", "1")], "linux/arm64/v8", r#""OS":"linux","Arch":"arm64","Limit":1"#);
}

#[test]
fn an_image_has_a_key_by_its_layers() {
    let [a, b, c] = ["a", "b", "c"].map(Digest::of);
    assert_eq!(ImageSource::layers_key(&[]), None);
    assert_eq!(ImageSource::layers_key(&[a]), Some(key(&a.to_string())));
    let two = Digest::of(format!("{a} {b}"));
    assert_eq!(ImageSource::layers_key(&[a, b]), Some(key(&two.to_string())));
    let three = Digest::of(format!("{two} {c}"));
    assert_eq!(ImageSource::layers_key(&[a, b, c]), Some(ImageSource::chain_key(&three)));
}

#[test]
fn a_repository_has_a_key_by_its_commit_and_options() {
    let commit = "0123456789012345678901234567890123456789";
    let check = |identifier: &str, attributes: &[(&str, &str)], texts: &[&str]| {
        let op = source(identifier, attributes);
        let SourceKind::Git(git) = op.kind() else { panic!("a repository") };
        let expected: Vec<Digest> = texts.iter().map(|text| key(&text.replace("COMMIT", commit))).collect();
        assert_eq!(git.keys(commit), expected, "{op:?}");
    };
    check("git://example.com/x.git", &[], &["COMMIT"]);
    check("git://example.com/x.git#main", &[("git.fullurl", "https://example.com/x.git")], &["COMMIT"]);
    check("git://example.com/x.git#main:docs", &[], &["COMMIT:docs"]);
    let all = [("git.skipsubmodules", "true"), ("git.mtime", "commit")];
    check("git://example.com/x.git#:docs", &all, &["COMMIT:docs(skip-submodules)(mtime=commit)"]);
    check(
        "git://example.com/x.git",
        &[("git.mtime", "checkout"), ("git.skipsubmodules", "false")],
        &["COMMIT"],
    );
    let keep = [("git.keepgitdir", "true")];
    let names = ["COMMIT.git#refs/heads/v1:d", "COMMIT.git#refs/tags/v1:d"];
    check("git://example.com/x.git#v1:d", &keep, &names);
    check("git://example.com/x.git#refs/heads/v1", &keep, &["COMMIT.git#refs/heads/v1"]);
    check(&format!("git://example.com/x.git#{commit}"), &keep, &["COMMIT.git#COMMIT"]);
    check("git://example.com/x.git", &keep, &[]);
    check("git://example.com/x.git", &[("git.bundle", "x")], &[]);

    let op = source("git://example.com/x.git#v1:d", &[]);
    let SourceKind::Git(git) = op.kind() else { panic!("a repository") };
    assert_eq!((git.remote, git.reference, git.subdir), ("example.com/x.git", "v1", "d"));
}

#[test]
fn a_download_has_a_key_by_its_bytes_and_what_the_server_said() {
    let checksum = Digest::of("bytes");
    let check = |url: &str, attributes: &[(&str, &str)], facts: HttpFacts<'_>, start: &str, rest: &str| {
        let op = source(url, attributes);
        let SourceKind::Http(http) = op.kind() else { panic!("a download") };
        let json = format!(r#"{{{start},"Checksum":"{checksum}"{rest}}}"#);
        assert_eq!(http.key(&facts), json_key(&json), "{json}");
    };
    let plain = HttpFacts { checksum, filename: None, last_modified: None };
    let named = |name: &str| format!(r#""Filename":"{name}","Perm":0,"UID":0,"GID":0"#);
    for (url, name) in [
        ("https://example.com/a/b.tgz?x=/y#z", "b.tgz"),
        ("http://example.com/a%20b", "a b"),
        ("http://example.com/x/", "x"),
        ("http://example.com/", "download"),
        ("http://example.com", "download"),
        ("http://example.com/%zz", "download"),
        ("http://example.com/%f", "download"),
        ("http://example.com/%ff", "download"),
    ] {
        check(url, &[], plain, &named(name), "");
    }
    let url = "https://example.com/f";
    let said =
        HttpFacts { checksum, filename: Some("g"), last_modified: Some("Mon, 02 Jan 2006 15:04:05 GMT") };
    check(url, &[], said, &named("g"), r#","LastModTime":"Mon, 02 Jan 2006 15:04:05 GMT""#);
    let pin = checksum.to_string();
    check(url, &[("http.checksum", &pin), ("http.filename", "h")], said, &named("h"), "");
    let all = [
        ("http.perm", "0644"),
        ("http.uid", "7"),
        ("http.gid", "8"),
        ("http.authheadersecret", "s"),
        ("http.header.accept", "a/b"),
        ("http.header.user-agent", "me"),
    ];
    let start = r#""Filename":"f","Perm":420,"UID":7,"GID":8"#;
    let header = r#","AuthHeaderSecret":"s","Header":[{"Name":"Accept","Value":"a/b"},{"Name":"User-Agent","Value":"me"}]"#;
    check(url, &all, plain, start, header);
}
/// The digests are those of the records of real builds by Docker 20.10: `ADD` of a URL that serves 1,000 zero bytes, and a Git context.
#[test]
fn real_builders_have_these_records_of_sources() {
    let url = source("http://127.0.0.1:18999/f.txt", &[]);
    let SourceKind::Http(http) = url.kind() else { panic!("a download") };
    let bytes = [0; 1000];
    let last_modified = Some("Tue, 02 Jan 2024 03:04:05 GMT");
    let key = http.key(&HttpFacts { checksum: Digest::of(bytes), filename: None, last_modified });
    let record = RecordDigest::of_output(key, 0).to_string();
    assert_eq!(record, "sha256:c13223fc62bbe7a8e271949771c885d8c2aa6cf18811ff09cdf0a56becc5f3c5");

    let (header, kind) = (Header::new(0o600, 0, 0), EntryKind::File { size: 1000 });
    let mut hasher = EntryHasher::new(&header, &kind);
    hasher.update(&bytes);
    let mut tree = Tree::rooted(Header::new(0o755, 0, 0));
    tree.insert(b"/f.txt", Entry::file(header, 1000, hasher.finish()));
    let content = tree.content(&ContentRule::new(vec![ContentSelector::new("/f.txt")])).unwrap().to_string();
    assert_eq!(content, "sha256:a52b641376eb6fe7e058ca765ab13e9edb5a34e6ee3ce84e241e037e58a38d68");

    let context = source("git://127.0.0.1:19418/x.git#main", &[]);
    let SourceKind::Git(git) = context.kind() else { panic!("a repository") };
    let keys = git.keys("bb18d96c6a61d56252386c0dcf0b1cc7da51a7a7");
    let records: Vec<String> = keys.iter().map(|key| RecordDigest::of_output(key, 0).to_string()).collect();
    assert_eq!(records, ["sha256:d5a83a2a01cb030c1ab3f023019ae75a6a9ea6c40cb4e8944310aa86e976258b"]);
}
