//! The real programs start, guard themselves as told, stop, and leave nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use test_registries::{
    Auth, Authority, Behavior, Client, Docker, DockerRegistry, Guard, Registry, Server, TokenBehavior,
    Tokens, has_program, run, sha256,
};

/// That a process is gone, its folder, and every mount in it.
fn nothing_is_left(process: u32, folder: &Path) {
    assert!(!PathBuf::from(format!("/proc/{process}")).exists(), "the process is gone");
    assert!(!folder.exists(), "the folder is gone");
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
}

/// Uploads a blob, and reads it back.
async fn round_trip(client: &Client) {
    let digest = sha256(b"blob");
    let begun = client.send("POST", "/v2/a/b/blobs/uploads/", b"").await.unwrap();
    assert_eq!(begun.status, 202);
    let location = format!("{}&digest={digest}", begun.header("Location").unwrap());
    assert_eq!(client.send("PUT", &location, b"blob").await.unwrap().status, 201);
    assert_eq!(client.get(&format!("/v2/a/b/blobs/{digest}")).await.unwrap().body, "blob");
}

#[tokio::test]
async fn an_open_registry_serves_and_leaves_nothing() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    assert_eq!(registry.url(), format!("http://{}", registry.host()));
    assert_eq!(registry.client().get("/v2/").await.unwrap().status, 200);
    round_trip(&registry.client()).await;
    assert!(registry.log().contains("/v2/a/b/blobs/uploads/"));
    let (process, folder) = (registry.process(), registry.folder().to_owned());
    drop(registry);
    nothing_is_left(process, &folder);
}

#[tokio::test]
async fn a_registry_with_passwords_asks_for_one() {
    let users = [("user", "word"), ("other", "pass:word")];
    let Some(registry) = DockerRegistry::start(Guard::Passwords(&users)).await else { return };
    let refused = registry.client().get("/v2/").await.unwrap();
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("WWW-Authenticate"), Some("Basic realm=\"registry of a test\""));
    let wrong = registry.client().with("Authorization", "Basic dXNlcjp3cm9uZw==");
    assert_eq!(wrong.get("/v2/").await.unwrap().status, 401);
    round_trip(&registry.client().with("Authorization", "Basic dXNlcjp3b3Jk")).await;
    round_trip(&registry.client().with("Authorization", "Basic b3RoZXI6cGFzczp3b3Jk")).await;
}

#[tokio::test]
async fn a_registry_with_tls_is_trusted_through_its_authority() {
    let authority = Authority::new();
    let Some(registry) = DockerRegistry::start(Guard::Tls(&authority, false)).await else { return };
    assert_eq!(registry.url(), format!("https://{}", registry.host()));
    round_trip(&registry.client().with_tls(&authority, None)).await;
    assert!(registry.client().with_tls(&Authority::new(), None).get("/v2/").await.is_err());

    let registry = DockerRegistry::start(Guard::Tls(&authority, true)).await.unwrap();
    assert!(registry.client().with_tls(&authority, None).get("/v2/").await.is_err());
    round_trip(&registry.client().with_tls(&authority, Some(&authority.identity("client")))).await;
}

#[tokio::test]
async fn a_registry_with_tokens_takes_those_of_our_server() {
    let authority = Authority::new();
    let behavior = TokenBehavior { users: vec![("user".into(), "word".into())], ..TokenBehavior::default() };
    let tokens = Server::start(Tokens::signing(behavior, authority.identity("signer"))).await;
    let realm = format!("{}{}", tokens.url(), Tokens::PATH);
    let guard = Guard::Tokens { realm: &realm, service: "registry", authority: &authority };
    let Some(registry) = DockerRegistry::start(guard).await else { return };

    let refused = registry.client().send("POST", "/v2/a/b/blobs/uploads/", b"").await.unwrap();
    assert_eq!(refused.status, 401);
    let challenge = refused.header("WWW-Authenticate").unwrap();
    // The registry keeps the actions in a map, so their order is random.
    let wanted = ["pull,push", "push,pull"].map(|actions| {
        format!("Bearer realm=\"{realm}\",service=\"registry\",scope=\"repository:a/b:{actions}\"")
    });
    assert!(wanted.contains(&challenge.to_owned()), "{challenge}");

    let ask = async |client: Client| {
        let target = "/token?service=registry&scope=repository:a/b:pull,push";
        let answer = client.get(target).await.unwrap();
        registry
            .client()
            .with("Authorization", &format!("Bearer {}", answer.json()["token"].as_str().unwrap()))
    };
    let anonymous = Client::new(&tokens.host());
    round_trip(&ask(anonymous.clone().with("Authorization", "Basic dXNlcjp3b3Jk")).await).await;
    let guest = ask(anonymous.clone()).await;
    assert_eq!(guest.get(&format!("/v2/a/b/blobs/{}", sha256(b"blob"))).await.unwrap().body, "blob");
    let refused = guest.send("POST", "/v2/a/b/blobs/uploads/", b"").await.unwrap();
    assert!(refused.header("WWW-Authenticate").unwrap().ends_with("error=\"insufficient_scope\""));

    let stranger = Tokens::signing(TokenBehavior::default(), Authority::new().identity("signer"));
    let stranger = Server::start(stranger).await;
    let forged = ask(Client::new(&stranger.host())).await.get("/v2/").await.unwrap();
    assert_eq!(forged.status, 401, "not below the authority");
}

/// Another program's view of the scripted registry and of the token server: it pushes and pulls as it does elsewhere.
#[tokio::test]
async fn skopeo_takes_the_scripted_registry_for_a_real_one() {
    if !has_program("skopeo", "skopeo") {
        return;
    }
    let behavior = TokenBehavior { users: vec![("user".into(), "word".into())], ..TokenBehavior::default() };
    let tokens = Server::start(Tokens::new(behavior)).await;
    let auth = Auth::Bearer {
        realm: format!("{}{}", tokens.url(), Tokens::PATH),
        service: "registry".to_owned(),
        grants: Arc::clone(&tokens.service.grants),
    };
    let server = Server::start(Registry::new(Behavior { auth, ..Behavior::default() })).await;
    let manifest = std::fs::read(layout().join("index.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let digest = manifest["manifests"][0]["digest"].as_str().unwrap();

    let (ours, folder) = (format!("oci:{}", layout().display()), tempfile::tempdir().unwrap());
    let (there, back) = (format!("docker://{}/a/b:tag", server.host()), folder.path().display().to_string());
    let copy = ["--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-creds=user:word"];
    run("skopeo", &[&copy[..], &[&ours, &there]].concat()).await;
    assert_eq!(server.service.content.manifest("a/b", "tag").unwrap().0, digest);
    let copy = ["--insecure-policy", "copy", "--src-tls-verify=false"];
    run("skopeo", &[&copy[..], &[&there, &format!("oci:{back}:tag")]].concat()).await;
    let index = std::fs::read_to_string(folder.path().join("index.json")).unwrap();
    assert!(index.contains(digest), "{index}");
    let users: Vec<Option<String>> = tokens.service.requests().into_iter().map(|asked| asked.user).collect();
    assert!(users.contains(&None) && users.contains(&Some("user".to_owned())), "{users:?}");
}

/// A real cache, in the form of an image manifest.
fn layout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/app-max-manifest-oci-gzip")
}

#[tokio::test]
async fn docker_builds_with_buildkit_tells_what_was_cached_and_leaves_nothing() {
    let Some(docker) = Docker::start().await else { return };
    let context = tempfile::tempdir().unwrap();
    Docker::write_context(context.path());
    let first = docker.build(context.path(), &[]).await;
    let names: Vec<String> = first.iter().map(|step| step.name.chars().take(9).collect()).collect();
    assert_eq!(names, ["[1/5] COP", "[2/5] RUN", "[3/5] COP", "[4/5] RUN", "[5/5] RUN"]);
    assert!(first.iter().all(|step| !step.cached), "{first:?}");
    let again = docker.build(context.path(), &[]).await;
    assert!(again.len() == 5 && again.iter().all(|step| step.cached), "{again:?}");
    docker.prune().await;
    let pruned = docker.build(context.path(), &[]).await;
    assert!(pruned.len() == 5 && pruned.iter().all(|step| !step.cached), "{pruned:?}");

    // One file changes, and with it what comes after.
    std::fs::write(context.path().join("greeting"), "good day\n").unwrap();
    let changed = docker.build(context.path(), &[]).await;
    let cached: Vec<bool> = changed.iter().map(|step| step.cached).collect();
    assert_eq!(cached, [true, true, false, false, false]);

    let (process, folder) = (docker.process(), docker.folder().to_owned());
    drop(docker);
    nothing_is_left(process, &folder);
}
