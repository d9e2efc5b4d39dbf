//! The program with Docker's registry under each kind of authentication, and with other programs that use its output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use test_registries::{
    Auth, Authority, Behavior, DockerRegistry, Guard, Registry, Server, SlowProxy, TokenBehavior, Tokens,
    has_program, sha256,
};

use crate::support::{Ran, bkcache, bkcache_with_input, fixture, only_manifest, program, run};

const PASSWORD: &str = "correct horse";
const CACHE: &str = "app-max-manifest-oci-gzip";
/// A layer of it.
const LAYER: &str = "sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

/// Environment variables and further arguments of each run of the program.
#[derive(Clone, Default)]
struct Way {
    variables: Vec<(&'static str, PathBuf)>,
    arguments: Vec<String>,
    input: String,
}

impl Way {
    fn with(arguments: &[&str]) -> Self {
        Self { arguments: arguments.iter().map(|text| (*text).to_owned()).collect(), ..Self::default() }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = program();
        command.args(args).args(&self.arguments).envs(self.variables.iter().cloned());
        run(&mut command, self.input.as_bytes())
    }

    fn outcome(&self, args: &[&str]) -> String {
        let ran = self.run(args).ok();
        ran.text().lines().nth(1).unwrap_or_default().to_owned()
    }
}

/// A folder with a config.json of Docker, with the credentials of one user of one registry.
fn docker_config(folder: &Path, host: &str) -> PathBuf {
    let auth = data_encoding::BASE64.encode(format!("user:{PASSWORD}").as_bytes());
    let config = json!({"auths": {host: {"auth": auth}}});
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    folder.to_owned()
}

/// Pushes a real cache, pushes it again, copies it within the registry, and brings it back to a folder.
fn there_and_back(host: &str, way: &Way) {
    let folder = tempfile::tempdir().unwrap();
    let (app, other) = (format!("{host}/team/app:main"), format!("{host}/other:x"));
    let copy = |from: &str, to: &str| way.outcome(&["copy", "--progress", "none", from, to]);
    assert_eq!(copy(&path(CACHE), &app), "10 blobs (16.17 KiB), 1 config, 1 manifest written");
    let there = "10 blobs (16.17 KiB), 1 config, 1 manifest already there (trusted; --rehash checks)";
    assert_eq!(copy(&path(CACHE), &app), there);
    let within = copy(&app, &other);
    assert_eq!(within, "1 config, 1 manifest written; 10 blobs (16.17 KiB) mounted");
    let back = folder.path().join("back");
    copy(&other, back.to_str().unwrap());
    assert_eq!(only_manifest(&back), only_manifest(&fixture(CACHE)), "every byte is kept");
    let verified = way.run(&["verify", &app]).ok().text();
    assert!(verified.contains(": sound; 10 blobs, 1 config and 1 manifest read"), "{verified}");
    let listed = way.run(&["ls", "--json", &format!("{host}/team/app")]).ok().json();
    assert_eq!((&listed[0]["name"], &listed[0]["form"]), (&json!("main"), &json!("manifest")));
}

/// Checks that a run failed with one line that contains `part` and not the password.
fn fails_with(ran: &Ran, part: &str) {
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(part) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_registry() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    there_and_back(&registry.host(), &Way::default());
    let in_pieces = Way::with(&["--chunk-size", "64KiB"]);
    let to = format!("type=registry,ref={}/pieces:v1,image-manifest=false", registry.host());
    let folder = tempfile::tempdir().unwrap();
    let layout = of_layers(folder.path(), ["x".repeat(200_000)]);
    let copied = in_pieces.outcome(&["copy", "--progress", "none", &layout, &to]);
    assert!(
        copied.starts_with("1 blob (195.") && copied.ends_with(", 1 config, 1 manifest written"),
        "{copied}"
    );
    assert_eq!(registry.log().matches("\"PATCH /v2/pieces/").count(), 4, "in pieces");
}

/// The file of a blob in the storage of Docker's registry.
fn stored_blob(registry: &DockerRegistry, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    let blobs = registry.folder().join("data/docker/registry/v2/blobs/sha256");
    blobs.join(hex.get(..2).unwrap()).join(hex).join("data")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moves_is_reported_with_the_manifest_that_it_pointed_at() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let places = [
        format!("{}/team/app:main", registry.host()),
        format!("{}:main", folder.path().join("to").display()),
    ];
    let digest = |cache: &str| only_manifest(&fixture(cache));
    for place in places {
        let copy = |cache: &str| {
            let ran = Way::default().run(&["copy", "--progress", "none", &path(cache), &place]);
            ran.ok().text().lines().nth(2).map(str::to_owned)
        };
        let moved_from = |cache: &str| Some(format!("{place} pointed at {} before", digest(cache)));
        assert_eq!(copy(CACHE), None, "the tag was free");
        assert_eq!(copy(CACHE), None, "it points at this cache");
        assert_eq!(copy("app-min-manifest-oci-gzip"), moved_from(CACHE));
        assert_eq!(copy(CACHE), moved_from("app-min-manifest-oci-gzip"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_a_registry_lacks_is_answered_with_the_command_that_lists_them() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let app = format!("{}/team/app", registry.host());
    let way = Way::default();
    way.run(&["copy", "--progress", "none", &path(CACHE), &format!("{app}:main")]).ok();
    let command = format!("; `bkcache ls {app}` lists the tags\n");
    for args in [&["inspect"][..], &["verify"], &["ls"], &["copy", "-q"]] {
        let named = format!("{app}:mian");
        let to = if args.len() > 1 { &["/nowhere"][..] } else { &[] };
        let ran = way.run(&[args, &[&named], to].concat());
        fails_with(&ran, &format!("{named}: there is no such tag: "));
        assert!(ran.stderr.ends_with(&command) && !ran.stderr.contains("latest"), "{}", ran.stderr);
    }
    let unnamed = way.run(&["inspect", &app]);
    fails_with(&unnamed, &format!("{app}:latest: there is no such tag: "));
    assert!(unnamed.stderr.contains("; without a tag, latest is read; `bkcache ls "), "{}", unnamed.stderr);
    way.run(&["ls", &app]).ok();
}

/// A registry whose storage has lost a blob behind its back, and one that keeps its descriptors in memory as well, so that
/// it says that it has the blob. What a push says is there, `verify` finds.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_blob_is_pushed_again() {
    for keeps_descriptors in [false, true] {
        let started = match keeps_descriptors {
            false => DockerRegistry::start(Guard::Open).await,
            true => DockerRegistry::start_with_descriptors_in_memory().await,
        };
        let Some(registry) = started else { return };
        let app = format!("{}/app:v1", registry.host());
        let copy = |options: &[&str]| {
            let from = path(CACHE);
            let args = [&["copy", "--progress", "none", from.as_str(), app.as_str()], options].concat();
            bkcache(args).ok().text().lines().nth(1).unwrap().to_owned()
        };
        copy(&[]);
        std::fs::remove_file(stored_blob(&registry, LAYER)).unwrap();
        assert_eq!(bkcache(["verify", &app]).code, 3);
        if keeps_descriptors {
            let trusted = copy(&[]);
            assert_eq!(
                trusted,
                "10 blobs (16.17 KiB), 1 config, 1 manifest already there (trusted; --rehash checks)",
                "the registry says so"
            );
        }
        let again = copy(if keeps_descriptors { &["--rehash"] } else { &[] });
        assert!(again.starts_with("1 blob (") && again.contains("written; 9 blobs ("), "{again}");
        bkcache(["verify", &app]).ok();
        let none = copy(&["--rehash"]);
        assert_eq!(none, "10 blobs (16.17 KiB), 1 config, 1 manifest already there");
    }
}

/// Docker's registry keeps the file that it has under a digest, whatever is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_stays_damaged_is_an_error() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let app = format!("{}/app:v1", registry.host());
    let from = path(CACHE);
    let copy = |options: &[&str]| {
        bkcache([&["copy", "--progress", "none", from.as_str(), app.as_str()], options].concat())
    };
    copy(&[]).ok();
    let file = stored_blob(&registry, LAYER);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    copy(&[]).ok();
    fails_with(&copy(&["--rehash"]), "remove the blob from its storage");
    // Without the file the blob is stored anew.
    std::fs::write(&file, &bytes[1..]).unwrap();
    fails_with(&copy(&[]), "remove the blob from its storage");
    std::fs::remove_file(&file).unwrap();
    copy(&[]).ok();
    bkcache(["verify", &app]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_passwords() {
    let Some(registry) = DockerRegistry::start(Guard::Passwords(&[("user", PASSWORD)])).await else { return };
    let host = registry.host();
    let folder = tempfile::tempdir().unwrap();
    let kept = docker_config(folder.path(), &host);
    there_and_back(&host, &Way { variables: vec![("DOCKER_CONFIG", kept.clone())], ..Way::default() });

    let app = format!("{host}/team/app:main");
    let mut typed = Way::with(&["--username", "user", "--password-stdin"]);
    typed.input = format!("{PASSWORD}\n");
    typed.run(&["verify", &app]).ok();
    let text = std::fs::read_to_string(kept.join("config.json")).unwrap();
    let variable = Way { variables: vec![("DOCKER_AUTH_CONFIG", text.into())], ..Way::default() };
    variable.run(&["verify", &app]).ok();
    let podman = Way { variables: vec![("REGISTRY_AUTH_FILE", kept.join("config.json"))], ..Way::default() };
    podman.run(&["verify", &app]).ok();

    typed.input = format!("not the {PASSWORD}");
    let wrong = tempfile::tempdir().unwrap();
    std::fs::write(
        wrong.path().join("config.json"),
        json!({"auths": {format!("https://{host}"): {"username": "user", "password": "x"}}}).to_string(),
    )
    .unwrap();
    let file = wrong.path().join("config.json").display().to_string();
    let stale = Way { variables: vec![("DOCKER_CONFIG", wrong.path().to_owned())], ..Way::default() };
    for (way, advice) in [
        (Way::default(), format!("; there are no credentials for {host} in /nonexistent/config.json, ")),
        (typed.clone(), "; it refuses user user (--username): check the name and the password\n".to_owned()),
        (
            stale,
            format!(
                "; it refuses user user (entry https://{host} of {file}): correct it there, or log in again: docker login {host}\n"
            ),
        ),
    ] {
        fails_with(
            &way.run(&["copy", "--progress", "none", &path(CACHE), &format!("{host}/new:v1")]),
            &advice,
        );
    }
    typed.input.clear();
    let ran = typed.run(&["verify", &app]);
    assert_eq!((ran.code, ran.stderr.trim_end()), (2, "bkcache: there is no password on standard input"));
    let ran = typed.run(&["copy", &app, "registry.invalid/app"]);
    assert!(ran.code == 2 && ran.stderr.contains("use docker login instead"), "{}", ran.stderr);
    let ran = typed.run(&["verify", &path(CACHE)]);
    assert!(ran.code == 2 && ran.stderr.contains("none is named"), "{}", ran.stderr);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_a_credential_helper() {
    let Some(registry) = DockerRegistry::start(Guard::Passwords(&[("user", PASSWORD)])).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let answer = json!({"ServerURL": registry.host(), "Username": "user", "Secret": PASSWORD});
    std::fs::write(&script, format!("#!/bin/sh\ncat > /dev/null\necho '{answer}'\n")).unwrap();
    // Another process makes it executable: a file that this process holds open for writing cannot be run.
    let helper = folder.path().join("docker-credential-test");
    let (script, helper) = (script.display().to_string(), helper.display().to_string());
    run(Command::new("install").args(["-m", "755", &script, &helper]), &[]).ok();
    let config = json!({"credHelpers": {registry.host(): "test"}});
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let programs = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let variables = vec![("DOCKER_CONFIG", folder.path().to_owned()), ("PATH", programs.into())];
    there_and_back(&registry.host(), &Way { variables, ..Way::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_tls() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    authority.identity("client").write(folder.path(), "client");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let Some(registry) = DockerRegistry::start(Guard::Tls(&authority, false)).await else { return };
    there_and_back(&registry.host(), &Way::with(&["--ca", &file("ca.pem")]));
    let app = format!("{}/team/app:main", registry.host());
    Way::default().run(&["verify", &format!("type=registry,ref={app},registry.insecure=true")]).ok();
    Way::with(&["--insecure"]).run(&["verify", &app]).ok();
    let config = tempfile::tempdir().unwrap();
    let kept = config.path().join("docker/certs.d").join(registry.host());
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("ca.crt"), authority.pem()).unwrap();
    let variables = vec![("XDG_CONFIG_HOME", config.path().to_owned())];
    Way { variables, ..Way::default() }.run(&["verify", &app]).ok();
    fails_with(&Way::default().run(&["inspect", &app]), "if it speaks TLS");
    std::fs::write(folder.path().join("other.pem"), Authority::new().pem()).unwrap();
    fails_with(&Way::with(&["--ca", &file("other.pem")]).run(&["inspect", &app]), "nor by one in ");
    let ran = Way::with(&["--ca", &file("none.pem")]).run(&["inspect", &app]);
    fails_with(&ran, "none.pem");
    assert!(ran.stderr.trim_end().ends_with("; check the path"), "{}", ran.stderr);

    let registry = DockerRegistry::start(Guard::Tls(&authority, true)).await.unwrap();
    let (certificate, key) = (file("client.crt"), file("client.key"));
    let known = Way::with(&["--ca", &file("ca.pem"), "--cert", &certificate, "--key", &key]);
    there_and_back(&registry.host(), &known);
    let app = format!("{}/team/app:main", registry.host());
    assert_eq!(Way::with(&["--ca", &file("ca.pem")]).run(&["inspect", &app]).code, 1);
}

/// A request to a proxy in plain HTTP names the host, and Docker's registry answers it like one to itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_elsewhere_in_plain_http_and_behind_a_proxy() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let proxied = |proxy: &str| Way {
        variables: ["HTTP_PROXY", "HTTPS_PROXY"].map(|name| (name, proxy.into())).into(),
        ..Way::default()
    };
    let way = proxied(&format!("http://{}", registry.host()));
    let app = "type=registry,ref=registry.invalid/team/app:main,registry.insecure=true";
    let copied = way.outcome(&["copy", "--progress", "none", &path(CACHE), app]);
    assert_eq!(copied, "10 blobs (16.17 KiB), 1 config, 1 manifest written");
    way.run(&["verify", app]).ok();
    way.run(&["verify", "--insecure", "registry.invalid/team/app:main"]).ok();
    fails_with(&way.run(&["verify", "--retries", "0", "registry.invalid/team/app:main"]), "registry.invalid");

    // Requests to this machine and to the hosts in NO_PROXY bypass the proxy.
    let here = format!("{}/team/app:main", registry.host());
    let nowhere = "http://127.0.0.1:1";
    proxied(nowhere).run(&["verify", &here]).ok();
    let mut except = way;
    except.variables.push(("NO_PROXY", "registry.invalid".into()));
    assert_eq!(except.run(&["verify", app]).code, 1);
}

/// A server that answers each connection with these bytes and closes it, and its address.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            let mut line = String::new();
            let _ = BufReader::new(&connection).read_line(&mut line);
            let _ = connection.write_all(bytes);
        }
    });
    address
}

#[test]
fn a_proxy_that_cannot_be_used_is_named_with_its_variable_and_without_its_password() {
    let refusing = answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    let advice = |variable| {
        format!(
            "; check {variable}, or name registry.invalid in NO_PROXY to connect without a proxy; try again later\n"
        )
    };
    let plain = "type=registry,ref=registry.invalid/app:v1,registry.insecure=true";
    for (variable, proxy, registry, reason) in [
        ("HTTPS_PROXY", "127.0.0.1:1", "registry.invalid/app:v1", "refuses connections"),
        ("all_proxy", "127.0.0.1:1", plain, "refuses connections"),
        ("https_proxy", "proxy.invalid:3128", "registry.invalid/app:v1", "cannot be looked up"),
        ("HTTPS_PROXY", &refusing, "registry.invalid/app:v1", "does not connect to the registry"),
    ] {
        let url = format!("http://user:{}@{proxy}", PASSWORD.replace(' ', ""));
        let way = Way { variables: vec![(variable, url.into())], ..Way::with(&["--retries", "0"]) };
        let ran = way.run(&["inspect", registry]);
        let named = format!(": the proxy {proxy} of {variable} {reason}{}", advice(variable));
        assert!(ran.code == 1 && ran.stderr.ends_with(&named), "{}", ran.stderr);
        let verbose = way.run(&["inspect", registry, "-v"]).stderr;
        assert!(verbose.contains("caused by: error sending request\n"), "{verbose}");
        assert!(!verbose.contains("horse"), "{verbose}");
    }
}

#[test]
fn a_server_that_cannot_be_used_is_named_with_its_port() {
    let closes = answering(b"");
    let breaks = answering(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: 9\r\n\r\n{",
    );
    let other = answering(b"SSH-2.0-server\r\n");
    let way = Way::with(&["--retries", "0"]);
    for (server, reason) in [
        ("127.0.0.1:1", "127.0.0.1:1 refuses connections; check the port, and that the registry runs"),
        (&closes, &format!("{closes} closed the connection before its answer was complete")),
        (&breaks, "the server closed the connection before its answer was complete"),
        (&other, &format!("{other} does not answer in HTTP; if it speaks TLS")),
    ] {
        let ran = way.run(&["inspect", &format!("{server}/app:v1")]);
        fails_with(&ran, &format!(": {reason}"));
        assert!(!ran.stderr.contains("error sending request"), "{}", ran.stderr);
    }
    let unknown = way.run(&["inspect", "registry.invalid/app:v1"]);
    fails_with(&unknown, ": registry.invalid cannot be looked up; check the name of the registry");
}

/// As in an image without files.
#[cfg(target_os = "linux")]
#[test]
fn a_system_without_certificates_is_told_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "").unwrap();
    let variables = vec![("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folder.path().to_owned())];
    let way = Way { variables, ..Way::with(&[]) };
    let ran = way.run(&["inspect", "registry.invalid/app:v1"]);
    fails_with(
        &ran,
        ": no authority's certificate is found on this system; install them (in Debian the package ca-certificates)",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_with_authentication() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut connection, _) = proxy.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line).unwrap();
        connection
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        line
    });
    let way = Way { variables: vec![("HTTPS_PROXY", address.into())], ..Way::default() };
    fails_with(&way.run(&["inspect", "registry.invalid/app:v1"]), "HTTPS_PROXY=http://USER:PASSWORD@PROXY");
    assert_eq!(asked.join().unwrap(), "CONNECT registry.invalid:443 HTTP/1.1\r\n");
}

/// A token server, and the certificate with which a registry trusts it.
struct Issuer {
    authority: Authority,
    tokens: Server<Tokens>,
}

impl Issuer {
    async fn start() -> Self {
        let authority = Authority::new();
        let users = vec![("user".to_owned(), PASSWORD.to_owned())];
        let behavior = TokenBehavior { users, ..TokenBehavior::default() };
        let tokens = Server::start(Tokens::signing(behavior, authority.identity("signer"))).await;
        Self { authority, tokens }
    }

    async fn registry(&self, realm: &str) -> Option<DockerRegistry> {
        DockerRegistry::start(Guard::Tokens { realm, service: "registry", authority: &self.authority }).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_tokens() {
    let issuer = Issuer::start().await;
    let realm = format!("{}{}", issuer.tokens.url(), Tokens::PATH);
    let Some(registry) = issuer.registry(&realm).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let kept = docker_config(folder.path(), &registry.host());
    there_and_back(&registry.host(), &Way { variables: vec![("DOCKER_CONFIG", kept)], ..Way::default() });
    let ran = bkcache(["copy", "--progress", "none", &path(CACHE), &format!("{}/new:v1", registry.host())]);
    fails_with(&ran, &format!("docker login {}", registry.host()));
}

/// A cache of these layers in a folder, made by `bkcache export`.
fn of_layers(folder: &Path, layers: impl IntoIterator<Item = String>) -> String {
    let blobs = folder.join("layers");
    std::fs::create_dir(&blobs).unwrap();
    let records = layers.into_iter().enumerate().map(|(n, layer)| {
        let digest = sha256(layer.as_bytes());
        std::fs::write(blobs.join(digest.strip_prefix("sha256:").unwrap()), &layer).unwrap();
        let inputs = if n == 0 { json!([]) } else { json!([[{"record": n - 1}]]) };
        let layer = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": layer.len(),
        });
        let result = json!({"createdAt": "2026-01-02T03:04:05Z", "layers": [layer]});
        format!(
            "{}\n",
            json!({"digest": sha256(n.to_string().as_bytes()), "inputs": inputs, "results": [result]})
        )
    });
    let records: String = records.collect();
    let layout = folder.join("layout").display().to_string();
    let args = ["export", "--records", "-", "--blobs", blobs.to_str().unwrap(), "--to", &layout, "--quiet"];
    bkcache_with_input(args, records.as_bytes()).ok();
    layout
}

/// The same cache again costs one request for each blob, 16 at a time, and one for the tag: a tag that names the manifest
/// does not prove that the registry still has the blobs.
#[tokio::test(flavor = "multi_thread")]
async fn copying_an_existing_cache_costs_almost_nothing() {
    let issuer = Issuer::start().await;
    let slow = Duration::from_millis(50);
    let slow_tokens = SlowProxy::start(issuer.tokens.address(), slow).await;
    let realm = format!("http://{}{}", slow_tokens.host(), Tokens::PATH);
    let Some(registry) = issuer.registry(&realm).await else { return };
    let proxy = SlowProxy::start(registry.address(), slow).await;
    let folder = tempfile::tempdir().unwrap();
    let layout = of_layers(folder.path(), (0..127).map(|n| format!("layer {n}")));
    let kept = docker_config(folder.path(), &proxy.host());
    let way = Way { variables: vec![("DOCKER_CONFIG", kept)], ..Way::default() };
    let copy = |tag: &str| {
        proxy.forget();
        let outcome =
            way.outcome(&["copy", "--progress", "none", &layout, &format!("{}/app:{tag}", proxy.host())]);
        (outcome, proxy.requests())
    };
    let (outcome, _) = copy("main");
    assert!(outcome.contains("127 blobs"), "{outcome}");
    let there = |outcome: &str| {
        outcome.split("; ").any(|part| part.starts_with("127 blobs ") && part.contains(" already there"))
    };

    // HEAD of the tag: refused, then again with a token; one for each blob.
    let (outcome, requests) = copy("main");
    assert!(there(&outcome) && requests == 2 + 128, "{outcome}, {requests} requests");

    let (outcome, requests) = copy("other");
    assert!(there(&outcome), "{outcome}");
    // And the manifest.
    assert_eq!(requests, 2 + 128 + 1);
    // One after the other would take 128 round trips. The time itself depends on how busy the machine is.
    assert!((12..=16).contains(&proxy.most_at_once()), "{} requests at once", proxy.most_at_once());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_tells_caches_images_and_unreadable_manifests_apart() {
    let server = Server::start(Registry::new(Behavior { page: Some(2), ..Behavior::default() })).await;
    let app = |tag: &str| format!("{}/team/app:{tag}", server.host());
    for (fixture, tag) in
        [(CACHE, "manifest"), ("app-max-index-oci-gzip", "index"), ("app-max-index-docker-gzip", "docker")]
    {
        bkcache(["copy", "--quiet", &path(fixture), &app(tag)]).ok();
    }
    let content = &server.service.content;
    let add = |tag: &str, config_type: &str, config: &str, layer: &str| {
        let blob = |media_type: &str, text: &str| {
            content.insert_blob("team/app", text.to_owned());
            json!({"mediaType": media_type, "digest": sha256(text.as_bytes()), "size": text.len()})
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob(config_type, config),
            "layers": [blob("application/vnd.oci.image.layer.v1.tar", layer)],
        });
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        content.insert_manifest("team/app", Some(tag), &media_type, manifest.to_string());
    };
    let image_config = "application/vnd.oci.image.config.v1+json";
    add(
        "image",
        image_config,
        r#"{"history":[{"created":"2020-01-01T00:00:00Z"}],"rootfs":{"diff_ids":[]}}"#,
        "l",
    );
    add("chart", "application/vnd.cncf.helm.config.v1+json", "{}", "chart");
    let place = format!("{}/team/app", server.host());
    let list = bkcache(["ls", "--json", &place]).ok().json();
    let rows: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{} {} {} {}", line["name"], line["kind"], line["form"], line["records"]))
        .map(|line| line.replace('"', ""))
        .collect();
    assert_eq!(
        rows,
        [
            "chart other null 0",
            "docker cache docker 22",
            "image image null 0",
            "index cache index 22",
            "manifest cache manifest 22"
        ]
    );
    assert_eq!(list[2]["newest"], json!("2020-01-01T00:00:00Z"));
    let one = bkcache(["ls", "--json", &app("index")]).ok().json();
    assert_eq!(one, json!([list[3]]));
    let digest = list[3]["digest"].as_str().unwrap();
    let one = bkcache(["ls", "--json", &format!("{place}@{digest}")]).ok().json();
    assert_eq!((one[0]["name"].as_str(), &one[0]["records"]), (Some(digest), &list[3]["records"]));
    for absent in [app("absent"), app("latest"), format!("{place}@sha256:{}", "a".repeat(64))] {
        fails_with(&bkcache(["ls", &absent]), &format!("cannot read {absent}: "));
    }
    let lines = bkcache(["ls", "--caches", &place]).ok().text();
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert!(lines.starts_with("NAME "), "{lines}");
    assert!(lines.lines().last().unwrap().starts_with("3 names, 3 caches: "), "{lines}");
    for (tag, is) in
        [("image", "an image"), ("chart", "a Helm chart (application/vnd.cncf.helm.config.v1+json)")]
    {
        let ran = bkcache(["ls", "--caches", &app(tag)]);
        fails_with(&ran, &format!("{}: it is {is}, not a cache; ", app(tag)));
    }

    add("broken", image_config, "{", "l");
    let ran = bkcache(["ls", &place]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.ends_with("1 of 6 names cannot be read\n"), "{}", ran.stderr);
    let shown = ran.text();
    assert!(shown.lines().any(|line| line.starts_with("broken    error: sha256:")), "{shown}");
    let ran = bkcache(["ls", &format!("{}/nothing", server.host())]);
    fails_with(&ran, "NAME_UNKNOWN");
    let list = bkcache(["ls", "--json", &path("inline-oci-true")]).ok().json();
    assert_eq!(list[0]["kind"], json!("image-with-cache"));
}

/// A registry may count each manifest that it gives as a pull, and no HEAD. Of an artifact's config nothing is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_reads_each_distinct_manifest_once() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let place = format!("{}/team/app", server.host());
    let cache = path("app-max-manifest-oci-gzip");
    for tag in ["a", "b", "c"] {
        bkcache(["copy", "-q", &cache, &format!("{place}:{tag}")]).ok();
    }
    let signed = bkcache(["ls", "--json", &format!("{place}:a")]).ok().json()[0]["digest"].clone();
    let signature_tag = format!("{}.sig", signed.as_str().unwrap().replace(':', "-"));
    let config_digest = {
        let content = &server.service.content;
        let blob = |media_type: &str, text: &str| {
            content.insert_blob("team/app", text.to_owned());
            json!({"mediaType": media_type, "digest": sha256(text.as_bytes()), "size": text.len()})
        };
        let config = blob("application/vnd.oci.image.config.v1+json", "no JSON");
        let signature = blob("application/vnd.dev.cosign.simplesigning.v1+json", "a signature");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [signature]});
        let manifest = manifest.to_string();
        let entry =
            json!({"mediaType": media_type, "digest": sha256(manifest.as_bytes()), "size": manifest.len()});
        content.insert_manifest("team/app", Some(&signature_tag), media_type, manifest);
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]}).to_string();
        let referrers = signed.as_str().unwrap().replace(':', "-");
        content.insert_manifest("team/app", Some(&referrers), media_type, index);
        config["digest"].as_str().unwrap().to_owned()
    };
    server.forget_seen();
    let list = bkcache(["ls", "--json", &place]).ok().json();
    let kinds: Vec<&str> =
        list.as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["cache", "cache", "cache", "other", "other"], "{list}");
    let signature = json!("application/vnd.dev.cosign.simplesigning.v1+json");
    assert_eq!((&list[3]["artifact"], &list[4]["artifact"]), (&signature, &signature));
    let mut read: Vec<String> =
        server.seen_with("GET", "/manifests/").iter().map(|seen| seen.target.clone()).collect();
    // The cache, the signature, the index.
    assert_eq!(read.len(), 3, "{read:?}");
    read.retain(|path| path.ends_with(signed.as_str().unwrap()));
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(server.seen_with("GET", "/blobs/").len(), 1, "the config of the cache");
    assert!(
        server.seen_with("GET", &config_digest).is_empty(),
        "the config of a signature is not an image's"
    );
}

/// Parts of a manifest that only its author understands survive a copy, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn artifact_type_subject_and_annotations_survive() {
    let server = Server::start(Registry::default()).await;
    let app = |tag: &str| format!("{}/app:{tag}", server.host());
    bkcache(["copy", "--quiet", &path(CACHE), &app("plain")]).ok();
    let content = &server.service.content;
    let (plain, media_type, bytes) = content.manifest("app", "plain").unwrap();
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    manifest["artifactType"] = json!("application/vnd.example+cache");
    manifest["subject"] = json!({"mediaType": media_type, "digest": plain, "size": bytes.len()});
    manifest["annotations"] = json!({"com.example.branch": "main", "a": ""});
    // Hand-written, with a layout that no serializer gives.
    let odd = serde_json::to_string_pretty(&manifest).unwrap();
    content.insert_manifest("app", Some("odd"), &media_type, odd.clone());
    let folder = tempfile::tempdir().unwrap();
    let between = folder.path().join("between").display().to_string();
    bkcache(["copy", "--quiet", &app("odd"), &between]).ok();
    bkcache(["copy", "--quiet", &between, &app("back")]).ok();
    assert_eq!(content.manifest("app", "back").unwrap().2, odd.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_are_printed_with_v_and_the_failure_is_one_line() {
    use test_registries::{Fault, On};
    let server = Server::start(Registry::default()).await;
    server.fault(On::new("HEAD", "/manifests/").times(2), Fault::too_many("0"));
    let to = format!("{}/app:v1", server.host());
    let ran = bkcache(["copy", "--verbose", "--progress", "none", &path(CACHE), &to]).ok();
    let attempts: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("attempt ")).collect();
    assert_eq!(attempts.len(), 2, "{}", ran.stderr);
    assert!(attempts[1].starts_with("attempt 3 in ") && attempts[1].contains(&to), "{}", ran.stderr);
    assert!(attempts[0].contains("429 Too Many Requests"), "{}", ran.stderr);
    server.fault(On::new("HEAD", "/manifests/").times(2), Fault::too_many("0"));
    let ran = bkcache(["copy", "--progress", "none", &path(CACHE), &to]).ok();
    assert_eq!(ran.stderr, "", "and not without");

    server.fault(On::new("HEAD", "/manifests/").always(), Fault::status(500));
    let ran = bkcache(["copy", "--retries", "0", "--progress", "none", &path(CACHE), &to]);
    fails_with(&ran, "500 Internal Server Error; try again later");
    server.heal();
    server.service.behavior().refuses_indexes = true;
    let ran = bkcache(["copy", "--progress", "none", "--form", "index", &path(CACHE), &to]);
    fails_with(&ran, "--form manifest");
}

/// A silent registry is reported to those who wait, and given up when the options say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_registry_is_mentioned_and_given_up() {
    use test_registries::{Fault, On};
    let server = Server::start(Registry::default()).await;
    let app = format!("{}/app:v1", server.host());
    bkcache(["copy", "--quiet", &path(CACHE), &app]).ok();
    server.fault(On::new("GET", "/manifests/").always(), Fault::Silence);
    let inspect = |args: &[&str]| {
        let ran = run(program().args(["inspect", "--retries", "0", &app]).args(args), &[]);
        assert_eq!(ran.code, 1);
        // A line of progress may come at the same second.
        let lines = ran.stderr.lines().filter(|line| !line.starts_with("importing "));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let waiting = format!("waiting for {}, silent for 5 s: resolve {app}\n", server.host());
    let failure = format!("bkcache: cannot read {app}: there is no answer within");
    let said = inspect(&["--timeout", "6s"]);
    assert!(said.starts_with(&format!("{waiting}{failure} 6s")), "{said}");
    let said = inspect(&["--timeout", "5200ms", "--quiet"]);
    assert!(said.starts_with(&failure), "{said}");
    let said = inspect(&["--timeout", "5200ms", "--progress", "json"]);
    let event: Value = serde_json::from_str(said.lines().nth(1).unwrap()).unwrap();
    let request = format!("resolve {app}");
    let expected = json!({"event": "waiting", "host": server.host(), "request": request, "silentMs": 5000});
    assert_eq!(event, expected, "{said}");
    let began = std::time::Instant::now();
    let said = inspect(&["--timeout", "100ms"]);
    assert!(said.starts_with(&format!("{failure} 100ms")) && began.elapsed().as_secs() < 4, "{said}");
}

/// Bytes that do not have the stated digest are a finding, as in a folder, and not a failure to verify.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_wrong_bytes_is_a_finding() {
    use test_registries::{Fault, On};
    let server = Server::start(Registry::default()).await;
    let app = format!("{}/app:v1", server.host());
    bkcache(["copy", "--quiet", &path(CACHE), &app]).ok();
    let (digest, ..) = server.service.content.manifest("app", "v1").unwrap();
    for name in [app, format!("{}/app@{digest}", server.host())] {
        server.fault(On::new("GET", "/manifests/"), Fault::FlipByte(20));
        let ran = bkcache(["verify", "--json", &name]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(ran.text().contains("wrong-digest"), "{}", ran.text());
    }
}

/// An interrupted download is reported too, and a missing repository is not taken for a missing layer.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_transfers_are_reported() {
    use test_registries::{Answer, Fault, On};
    let server = Server::start(Registry::default()).await;
    let app = format!("{}/app:v1", server.host());
    bkcache(["copy", "--quiet", &path(CACHE), &app]).ok();
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name).display().to_string();
    server.fault(On::new("GET", "/blobs/").nth(2), Fault::CutBody(50));
    let ran = bkcache(["copy", "-v", "--progress", "none", &app, &to("one")]).ok();
    assert!(ran.stderr.starts_with("attempt 2 in ") && ran.stderr.lines().count() == 1, "{}", ran.stderr);

    let unknown = Answer::error(404, "NAME_UNKNOWN", "the repository does not exist");
    server.fault(On::new("POST", "").always(), Fault::Answer(unknown));
    let ran = bkcache(["copy", "--progress", "none", &path(CACHE), &format!("{}/new:v1", server.host())]);
    fails_with(&ran, "check the name of the repository");
    assert!(!ran.stderr.contains("--canonical"), "{}", ran.stderr);
}

/// The identity token that `docker login` stores for registries that issue one.
#[tokio::test(flavor = "multi_thread")]
async fn an_identity_token_is_found_and_exchanged() {
    let users = vec![("user".to_owned(), PASSWORD.to_owned())];
    let tokens = Server::start(Tokens::new(TokenBehavior { users, ..TokenBehavior::default() })).await;
    let auth = Auth::Bearer {
        realm: format!("{}{}", tokens.url(), Tokens::PATH),
        service: "registry".to_owned(),
        grants: tokens.service.grants.clone(),
    };
    let server = Server::start(Registry::new(Behavior { auth, ..Behavior::default() })).await;
    let folder = tempfile::tempdir().unwrap();
    let kept = json!({"auth": "dXNlcjo=", "identitytoken": Tokens::refresh_token("user")});
    let config = json!({"auths": {server.host(): kept}});
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let way = Way { variables: vec![("DOCKER_CONFIG", folder.path().to_owned())], ..Way::default() };
    way.run(&["copy", "--quiet", &path(CACHE), &format!("{}/app:v1", server.host())]).ok();
    assert!(tokens.seen().iter().all(|seen| seen.method == "POST"));
}

/// Podman's auth.json, if neither Docker's config nor a variable has credentials.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_found_in_podmans_file() {
    let Some(registry) = DockerRegistry::start(Guard::Passwords(&[("user", PASSWORD)])).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let containers = folder.path().join("containers");
    std::fs::create_dir(&containers).unwrap();
    docker_config(&containers, &registry.host());
    std::fs::rename(containers.join("config.json"), containers.join("auth.json")).unwrap();
    let variables = vec![("XDG_RUNTIME_DIR", folder.path().to_owned())];
    let way = Way { variables, ..Way::default() };
    way.run(&["copy", "--quiet", &path(CACHE), &format!("{}/app:v1", registry.host())]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_what_was_pushed_and_its_copy_verifies() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    if !has_program("skopeo", "skopeo") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs").display().to_string();
    let app = format!("{}/app:main", registry.host());
    bkcache(["copy", "--quiet", "--form", "manifest", &path("app-max-index-oci-zstd"), &app]).ok();
    let copied = Command::new("skopeo")
        .args(["--insecure-policy", "copy", "--src-tls-verify=false", &format!("docker://{app}")])
        .arg(format!("oci:{theirs}:latest"))
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
    let verified = bkcache(["verify", &theirs]).ok().text();
    assert!(verified.contains(": sound"), "{verified}");
}
