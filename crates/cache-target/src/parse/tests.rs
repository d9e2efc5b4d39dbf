//! Texts of users, and the attributes that they are read as.

use std::path::Path;

use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Reads a text. Only the paths in `there` exist. Returns the canonical string, or the error.
fn read(text: &str, role: Role, there: &[&str]) -> Result<String, String> {
    let exists = |path: &Path| there.iter().any(|other| path == Path::new(other));
    let read = Attributes::parse_with(text, role, &exists);
    read.map(|attributes| attributes.to_string()).map_err(|error| error.to_string())
}

fn good(text: &str, expected: &str) {
    assert_eq!(read(text, Role::Source, &[]), Ok(expected.to_owned()), "{text:?}");
}

fn bad(text: &str, expected: &str) {
    assert_eq!(read(text, Role::Source, &[]), Err(expected.to_owned()), "{text:?}");
}

#[test]
fn an_attribute_string_is_one_csv_record_of_keys_and_values() {
    good("type=local,src=/x", "type=local,src=/x");
    good("src=/x,type=local", "type=local,src=/x");
    good("type=local,src=/x\n", "type=local,src=/x");
    good(r#"type=local,"src=/a,b",tag=c"#, r#"type=local,"src=/a,b",tag=c"#);
    good(r#""type=local","src=/x""#, "type=local,src=/x");
    good(r#"type=local,"src=/a""b""#, r#"type=local,"src=/a""b""#);
    good("TYPE=local, Src =/x", "type=local,src=/x");
    good("type=local,src= /x ", "type=local,src= /x ");
    good("type=local,src=/a=b", "type=local,src=/a=b");
    good("type=local,tag=", "type=local,tag=");
    good("type=Local", "type=Local");
}

#[test]
fn the_last_value_of_a_repeated_key_counts() {
    good("type=local,src=/a,SRC=/b", "type=local,src=/b");
    good("type=s3,type=local", "type=local");
}

#[test]
fn a_malformed_attribute_string_is_an_error_that_says_what_to_write() {
    bad(
        "",
        "no source is given: name a folder or a registry's HOST/REPOSITORY:TAG, or write type=local,src=FOLDER",
    );
    bad(
        " ",
        "no source is given: name a folder or a registry's HOST/REPOSITORY:TAG, or write type=local,src=FOLDER",
    );
    bad("src=/x", "`src=/x` has no type: put type=local, in front");
    bad("type=,src=/x", "type=: expected the name of a store, such as local");
    bad("type=local,src", "`src` is not an attribute: write key=value");
    bad("type=local,", "`` is not an attribute: write key=value");
    bad("type=local,=x", "`=x` is not an attribute: there is no key before the =");
    bad(
        r#"type=local,src="/a,b""#,
        r#"`type=local,src="/a,b"`: the quote at column 16 is inside of a field: quote the whole field, as in "dest=a,b""#,
    );
    bad(r#"type=local,"src=/x"#, r#"`type=local,"src=/x`: the quote at column 12 is never closed"#);
    bad(
        r#""type"=local"#,
        r#"`"type"=local`: there is text after the closing quote at column 6: a quote within quotes is written twice"#,
    );
}

#[test]
fn a_bare_path_is_a_local_folder() {
    good("cache", "type=local,src=cache");
    good("./cache", "type=local,src=./cache");
    good("../a,b", r#"type=local,"src=../a,b""#);
    good("/a=b,c", r#"type=local,"src=/a=b,c""#);
    good("~/x=y", "type=local,src=~/x=y");
    assert_eq!(read("cache", Role::Destination, &[]), Ok("type=local,dest=cache".to_owned()));
}

#[test]
fn a_bare_path_may_end_in_a_tag_or_a_digest() {
    good("./cache:main", "type=local,src=./cache,tag=main");
    good("./a:b:c", "type=local,src=./a:b,tag=c");
    good("./a:b/c", "type=local,src=./a:b/c");
    good("user@host", "type=local,src=user@host");
    let there = |text: &str, role| read(text, role, &["cache"]).unwrap();
    assert_eq!(there("cache:main", Role::Source), "type=local,src=cache,tag=main");
    assert_eq!(there("cache:main", Role::Destination), "type=local,dest=cache,tag=main");
    let digest = format!("cache@{DIGEST}");
    assert_eq!(there(&digest, Role::Source), format!("type=local,digest={DIGEST},src=cache"));
    let both = format!("cache:main@{DIGEST}");
    assert_eq!(there(&both, Role::Source), format!("type=local,digest={DIGEST},src=cache,tag=main"));
}

#[test]
fn a_path_that_exists_is_that_path_whatever_colons_it_has() {
    let there = ["cache:main", &format!("cache@{DIGEST}")];
    for text in there {
        assert_eq!(read(text, Role::Source, &there), Ok(format!("type=local,src={text}")));
    }
    assert_eq!(
        read("cache:main:v1", Role::Source, &there),
        Ok("type=local,src=cache:main,tag=v1".to_owned())
    );
    assert_eq!(
        read(&format!("cache:main@{DIGEST}"), Role::Source, &there),
        Ok(format!("type=local,digest={DIGEST},src=cache:main"))
    );
}

#[test]
fn a_bare_word_that_begins_with_a_host_is_a_reference() {
    for text in [
        "registry.example.com/app",
        "registry.example.com/team/app:v1",
        "localhost/app",
        "localhost:5000/app:v1",
        "[::1]:5000/app",
        "127.0.0.1:5000/app",
        "reg:5000/App",
        &format!("ghcr.io/org/app@{DIGEST}"),
        &format!("ghcr.io/org/app:v1@{DIGEST}"),
    ] {
        good(text, &format!("type=registry,ref={text}"));
    }
    // Without a host, or with an existing folder in its place, it is a path.
    for text in [".cache/app", "./ghcr.io/app", "../ghcr.io/app", "/ghcr.io/app", "C:/x", "user/a b"] {
        good(text, &format!("type=local,src={text}"));
    }
    for (text, there) in [("out.d/app", "out.d"), ("localhost/app", "localhost"), ("reg:5000/app", "reg")] {
        let path = read(text, Role::Destination, &[there]).unwrap();
        assert!(path.starts_with("type=local,dest="), "{text}: {path}");
        let reference = read(text, Role::Destination, &[]).unwrap();
        assert_eq!(reference, format!("type=registry,ref={text}"));
    }
}

#[test]
fn a_host_without_a_repository_is_an_error_and_no_folder() {
    for text in [
        "localhost",
        "localhost:5917",
        "docker.io",
        "index.docker.io",
        "registry.example.com:443",
        "127.0.0.1:5000",
        "[::1]",
        "[::1]:5000",
    ] {
        let error = format!("the repository is missing: {text}/NAME; ./{text} names a folder");
        assert_eq!(read(text, Role::Destination, &[]), Err(error.clone()));
        bad(text, &error);
        // An existing folder of this name is that folder.
        assert_eq!(read(text, Role::Source, &[text]), Ok(format!("type=local,src={text}")));
        let inside = format!("./{text}");
        assert!(read(&inside, Role::Destination, &[]).unwrap().starts_with("type=local,dest=./"), "{inside}");
    }
    good("my.cache", "type=local,src=my.cache");
    good("registry.example.com", "type=local,src=registry.example.com");
    good(".cache:5000", "type=local,src=.cache,tag=5000");
    for (text, there, path) in [
        ("localhost:5917", "localhost", "type=local,src=localhost,tag=5917"),
        ("cache:5917", "cache", "type=local,src=cache,tag=5917"),
        ("my.cache:5917", "my.cache", "type=local,src=my.cache,tag=5917"),
        ("out.d/cache:5917", "out.d", "type=local,src=out.d/cache,tag=5917"),
    ] {
        assert_eq!(read(text, Role::Source, &[there]), Ok(path.to_owned()));
    }
}

#[test]
fn a_bare_word_that_docker_reads_as_a_reference_is_no_new_folder() {
    let with_digest = format!("user/app@{DIGEST}");
    for (text, path, reference) in [
        ("user/app", "user/app", "docker.io/user/app"),
        ("user/app:cache", "user/app", "docker.io/user/app:cache"),
        ("User/App:V1", "User/App", "docker.io/user/app:V1"),
        ("a/b/c", "a/b/c", "docker.io/a/b/c"),
        ("app:cache", "app", "docker.io/library/app:cache"),
        ("my.cache:20260102", "my.cache", "docker.io/library/my.cache:20260102"),
        (&with_digest, "user/app", &format!("docker.io/{with_digest}")),
    ] {
        let error =
            format!("there is no folder {path}: write ./{text} for a folder, or {reference} for Docker Hub");
        bad(text, &error);
        // Both spellings mean what the error says.
        assert_eq!(read(reference, Role::Source, &[]), Ok(format!("type=registry,ref={reference}")));
        let folder = read(&format!("./{text}"), Role::Source, &[]).unwrap();
        assert!(folder.contains(&format!("src=./{path}")), "{folder}");
        if text != with_digest {
            assert_eq!(read(text, Role::Destination, &[]), Err(error));
        }
        let there = read(text, Role::Source, &[path]).unwrap();
        assert!(there.starts_with("type=local,") && there.contains(&format!("src={path}")), "{there}");
        // A folder with the user's name is often there by chance, so it does not make a folder of a name with a tag.
        let first = text.split(['/', ':']).next().unwrap();
        if first != path {
            let there = read(text, Role::Source, &[first]);
            assert_eq!(there.is_ok(), text == path, "{text}: {there:?}");
        }
    }
}

#[test]
fn a_malformed_bare_path_is_an_error() {
    bad("-", "`-` is not a cache: name a folder, such as ./-");
    bad("cache:", "`cache:`: there is no tag after the colon");
    bad(":main", "`:main`: there is no path before the tag or digest");
    bad(&format!("@{DIGEST}"), &format!("`@{DIGEST}`: there is no path before the tag or digest"));
    bad(
        "./cache@sha256:12",
        "digest=sha256:12: expected a digest, sha256: and 64 lower-case hexadecimal digits",
    );
    assert_eq!(
        read(&format!("cache@{DIGEST}"), Role::Destination, &[]),
        Err(format!(
            "`cache@{DIGEST}`: a destination takes a tag and no digest, since its content is not written yet"
        ))
    );
}

#[test]
fn a_prefix_of_another_tool_is_an_error_with_the_spelling_without_it() {
    for (text, instead) in [
        ("docker://r.example/app:cache", "a registry is named without docker://, as in r.example/app:cache"),
        ("docker://app", "a registry is named without docker://, as in docker.io/library/app:latest"),
        ("https://r.example/app/", "a registry is named without https://, as in r.example/app:latest"),
        ("http://r.example/?q", "a registry is named without http://, as in registry.example.com/app"),
        ("oci://r.example/app", "a registry is named without oci://, as in r.example/app:latest"),
        ("registry:r.example/app", "a registry is named without registry:, as in r.example/app:latest"),
        ("oci:./cache:main", "a folder is named without oci:, as in ./cache:main"),
        ("oci:cache:main", "a folder is named without oci:, as in ./cache:main"),
        ("oci-layout://./cache", "a folder is named without oci-layout://, as in ./cache"),
        ("file:///cache", "a folder is named without file://, as in /cache"),
        ("dir:", "a folder is named without dir:, as in ./cache"),
        ("docker-daemon:app:v1", "a cache is read from a folder or a registry, not from docker-daemon:"),
        ("s3://bucket/cache", "use type= to name a store, not s3://"),
    ] {
        let error = format!("`{text}`: {instead}");
        bad(text, &error);
        assert_eq!(read(text, Role::Destination, &[]), Err(error));
        if let Some((_, spelling)) = instead.split_once("as in ") {
            assert!(read(spelling, Role::Source, &[]).is_ok(), "{spelling}");
        }
        // A path that exists is that path.
        assert!(read(text, Role::Source, &[text]).is_ok() || text.contains("//"), "{text}");
    }
    // The host of a service in Compose, and that of Docker's image in GitLab.
    for host in ["registry:5000", "docker:5000", "oci:5000", "file:80", "https:443"] {
        let text = format!("{host}/app:cache");
        for role in [Role::Source, Role::Destination] {
            assert_eq!(read(&text, role, &[]), Ok(format!("type=registry,ref={text}")));
        }
    }
    let tagged = read("oci:main", Role::Source, &["oci"]);
    assert_eq!(tagged, Ok("type=local,src=oci,tag=main".to_owned()));
    bad(
        "registry:2",
        "there is no folder registry: write ./registry:2 for a folder, or docker.io/library/registry:2 for Docker Hub",
    );
}

#[test]
fn typed_values_are_read_and_malformed_ones_named() {
    let text = "type=x,a=T,b=yes,c=,d=12,e=1x";
    let attributes = Attributes::parse(text, Role::Destination).unwrap();
    assert_eq!(attributes.boolean("a").unwrap(), Some(true));
    assert_eq!(attributes.boolean("none").unwrap(), None);
    assert_eq!(attributes.boolean("b").unwrap_err().to_string(), "b=yes: expected true or false");
    assert_eq!(attributes.boolean("c").unwrap_err().attribute(), Some("c"));
    assert_eq!(attributes.flag("c").unwrap(), Some(true));
    assert_eq!(attributes.flag("none").unwrap(), None);
    assert_eq!(attributes.integer("d").unwrap(), Some(12));
    assert_eq!(attributes.integer("e").unwrap_err().to_string(), "e=1x: expected a whole number");
    assert_eq!(
        attributes.required("ref", "ref=example.com/app:cache").unwrap_err().to_string(),
        "type=x needs the attribute ref, as in type=x,ref=example.com/app:cache"
    );
}

proptest! {
    /// Law: attributes with any values are written and read back unchanged.
    #[test]
    fn written_attributes_read_back(
        kind in "[a-z,\"]{1,4}",
        values in prop::collection::btree_map("[a-z-]{1,4}", "\\PC{0,8}|[,\"\n\r= ]{0,4}", 0..5),
    ) {
        let mut attributes = Attributes::new(&kind);
        for (key, value) in values.iter().filter(|(key, _)| *key != "type") {
            attributes.set(key, value);
        }
        let read = Attributes::parse_with(&attributes.to_string(), Role::Source, &|_| false);
        prop_assert_eq!(read.unwrap(), attributes);
    }

    /// Law: any text is read or refused, in either role, whatever exists.
    #[test]
    fn no_text_panics(text in "\\PC{0,16}|[a:=,@\"/. \n-]{0,16}|(sha256:|a@|type=)*", there: bool) {
        for role in [Role::Source, Role::Destination] {
            if let Err(error) = Attributes::parse_with(&text, role, &|_| there) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn an_error_stays_on_one_line_whatever_it_quotes() {
    bad("a\nb=1", r"`a\nb=1` has no type: put type=local, in front");
    let attributes = Attributes::parse("type=local,reset=a\r\nb", Role::Destination).unwrap();
    let error = attributes.boolean("reset").unwrap_err();
    assert_eq!(error.to_string(), r"reset=a\r\nb: expected true or false");
}
