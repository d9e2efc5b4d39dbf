//! The scripted registry keeps to the OCI distribution specification as long as no fault is set.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;

use serde_json::json;
use test_registries::{
    Auth, Authority, Behavior, Client, Registry, Scope, Server, TokenBehavior, Tokens, UploadLocation, sha256,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

async fn registry(behavior: Behavior) -> (Server<Registry>, Client) {
    let server = Server::start(Registry::new(behavior)).await;
    let client = Client::new(&server.host());
    (server, client)
}

fn code(response: &test_registries::Response) -> String {
    response.json()["errors"][0]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_blob_is_uploaded_in_chunks_and_read_in_parts() {
    for locations in [UploadLocation::Absolute, UploadLocation::Relative, UploadLocation::Query] {
        let (server, client) = registry(Behavior { locations, ..Behavior::default() }).await;
        let blob = b"0123456789";
        let digest = sha256(blob);
        assert_eq!(client.send("HEAD", &format!("/v2/a/b/blobs/{digest}"), b"").await.unwrap().status, 404);

        let begun = client.send("POST", "/v2/a/b/blobs/uploads/", b"").await.unwrap();
        assert_eq!(begun.status, 202);
        let location = begun.header("Location").unwrap();
        let chunk = client.clone().with("Content-Range", "0-3");
        assert_eq!(chunk.send("PATCH", location, &blob[..4]).await.unwrap().header("Range"), Some("0-3"));
        let wrong = chunk.send("PATCH", location, &blob[..4]).await.unwrap();
        assert_eq!((wrong.status, wrong.header("Range")), (416, Some("0-3")), "not where the upload is");
        let state = client.get(location).await.unwrap();
        assert_eq!((state.status, state.header("Range")), (204, Some("0-3")));

        let mark = if location.contains('?') { '&' } else { '?' };
        let end = client.send("PUT", &format!("{location}{mark}digest={digest}"), &blob[4..]).await.unwrap();
        assert_eq!((end.status, end.header("Docker-Content-Digest")), (201, Some(digest.as_str())));
        assert_eq!(server.service.content.blobs("a/b"), [digest.as_str()]);
        assert_eq!(server.service.content.uploads(), 0);

        let target = format!("/v2/a/b/blobs/{digest}");
        assert_eq!(client.get(&target).await.unwrap().body, blob.as_slice());
        let part = client.clone().with("Range", "bytes=4-6").get(&target).await.unwrap();
        assert_eq!((part.status, part.header("Content-Range")), (206, Some("bytes 4-6/10")));
        assert_eq!(part.body, "456");
        let open = client.clone().with("Range", "bytes=8-").get(&target).await.unwrap();
        assert_eq!(open.body, "89");
        assert_eq!(client.clone().with("Range", "bytes=10-").get(&target).await.unwrap().status, 416);
    }
}

#[tokio::test]
async fn an_upload_may_go_on_at_another_server_and_may_be_forgotten() {
    let (server, client) = registry(Behavior { min_chunk: Some(4096), ..Behavior::default() }).await;
    let other = server.sibling().await;
    server.service.behavior().locations = UploadLocation::Elsewhere(other.url());
    let begun = client.send("POST", "/v2/a/blobs/uploads/", b"").await.unwrap();
    assert_eq!(begun.header("OCI-Chunk-Min-Length"), Some("4096"));
    let location = begun.header("Location").unwrap();
    assert!(location.starts_with(&other.url()), "{location}");
    let there = Client::new(&other.host());
    assert_eq!(there.send("PATCH", location, b"blob").await.unwrap().status, 202);
    server.service.content.lose_uploads();
    let lost = there.send("PUT", &format!("{location}?digest={}", sha256(b"blob")), b"").await.unwrap();
    assert_eq!((lost.status, code(&lost).as_str()), (404, "BLOB_UPLOAD_UNKNOWN"));
}

#[tokio::test]
async fn a_blob_with_another_digest_is_refused() {
    let (server, client) = registry(Behavior::default()).await;
    let digest = sha256(b"right");
    let whole =
        client.send("POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), b"wrong").await.unwrap();
    assert_eq!((whole.status, code(&whole).as_str()), (400, "DIGEST_INVALID"));
    assert_eq!(server.service.content.blobs("a"), Vec::<String>::new());
    let whole =
        client.send("POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), b"right").await.unwrap();
    assert_eq!(whole.status, 201, "at once");
}

#[tokio::test]
async fn a_mount_is_taken_or_declined_with_an_upload() {
    let (server, client) = registry(Behavior::default()).await;
    let digest = server.service.content.insert_blob("from", "blob");
    let target = format!("/v2/to/blobs/uploads/?mount={digest}&from=from");
    assert_eq!(client.send("POST", &target, b"").await.unwrap().status, 201);
    assert_eq!(server.service.content.blobs("to"), [digest.as_str()]);
    server.service.content.lose_blob("to", &digest);
    server.service.behavior().declines_mounts = true;
    let declined = client.send("POST", &target, b"").await.unwrap();
    assert_eq!(declined.status, 202);
    assert!(declined.header("Location").unwrap().contains("/v2/to/blobs/uploads/"));
    assert_eq!(server.service.content.blobs("to"), Vec::<String>::new());
}

#[tokio::test]
async fn a_manifest_is_kept_byte_for_byte_once_all_that_it_names_is_there() {
    let (server, client) = registry(Behavior::default()).await;
    let (config, layer) = (sha256(b"config"), sha256(b"layer"));
    let text = json!({"mediaType": MANIFEST, "config": {"digest": config}, "layers": [{"digest": layer}]});
    let bytes = format!("  {text}\n").into_bytes();
    let put = client.clone().with("Content-Type", MANIFEST);
    server.service.content.insert_blob("a", "config");
    let lacking = put.send("PUT", "/v2/a/manifests/main", &bytes).await.unwrap();
    assert_eq!((lacking.status, code(&lacking).as_str()), (404, "MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(lacking.json()["errors"][0]["detail"]["digest"], layer.as_str());
    server.service.content.insert_blob("a", "layer");

    // The registry forgets a blob just then, once.
    server.service.content.doom_blob("a", &config);
    assert_eq!(client.send("HEAD", &format!("/v2/a/blobs/{config}"), b"").await.unwrap().status, 200);
    assert_eq!(
        code(&put.send("PUT", "/v2/a/manifests/main", &bytes).await.unwrap()),
        "MANIFEST_BLOB_UNKNOWN"
    );
    server.service.content.insert_blob("a", "config");
    let done = put.send("PUT", "/v2/a/manifests/main", &bytes).await.unwrap();
    assert_eq!((done.status, done.header("Docker-Content-Digest")), (201, Some(sha256(&bytes).as_str())));

    for reference in ["main", &sha256(&bytes)] {
        let target = format!("/v2/a/manifests/{reference}");
        let got = client.get(&target).await.unwrap();
        assert_eq!((got.header("Content-Type"), got.body.as_ref()), (Some(MANIFEST), bytes.as_slice()));
        let head = client.send("HEAD", &target, b"").await.unwrap();
        assert_eq!(head.header("Content-Length"), Some(bytes.len().to_string().as_str()));
        assert!(head.rest.is_empty(), "HEAD has no body");
    }
    assert_eq!(code(&client.get("/v2/a/manifests/none").await.unwrap()), "MANIFEST_UNKNOWN");
    assert_eq!(code(&client.get("/v2/none/manifests/main").await.unwrap()), "NAME_UNKNOWN");
    let other = format!("/v2/a/manifests/{config}");
    assert_eq!(code(&put.send("PUT", &other, &bytes).await.unwrap()), "DIGEST_INVALID");
}

#[tokio::test]
async fn an_index_is_refused_by_a_registry_that_refuses_them() {
    let (server, client) = registry(Behavior { refuses_indexes: true, ..Behavior::default() }).await;
    let layer = server.service.content.insert_blob("a", "layer");
    let text = json!({"mediaType": INDEX, "manifests": [{"digest": layer}]}).to_string();
    let put = client.with("Content-Type", INDEX);
    let refused = put.send("PUT", "/v2/a/manifests/main", text.as_bytes()).await.unwrap();
    assert_eq!((refused.status, code(&refused).as_str()), (400, "MANIFEST_INVALID"));
    server.service.behavior().refuses_indexes = false;
    assert_eq!(put.send("PUT", "/v2/a/manifests/main", text.as_bytes()).await.unwrap().status, 201);
}

#[tokio::test]
async fn tags_come_in_pages() {
    let (server, client) = registry(Behavior { page: Some(2), ..Behavior::default() }).await;
    for tag in ["c", "a", "b"] {
        server.service.content.insert_manifest("r", Some(tag), MANIFEST, "{}");
    }
    let first = client.get("/v2/r/tags/list").await.unwrap();
    assert_eq!(first.json()["tags"], json!(["a", "b"]));
    assert_eq!(first.header("Link"), Some("</v2/r/tags/list?last=b&n=2>; rel=\"next\""));
    let second = client.get("/v2/r/tags/list?last=b&n=2").await.unwrap();
    assert_eq!((second.json()["tags"].clone(), second.header("Link")), (json!(["c"]), None));
    assert_eq!(client.get("/v2/none/tags/list").await.unwrap().status, 404);
}

#[tokio::test]
async fn blobs_may_lie_on_another_server_which_sees_what_it_is_told() {
    let (server, client) = registry(Behavior::default()).await;
    let storage = server.sibling().await;
    server.service.behavior().blobs_elsewhere = Some(storage.url());
    let digest = server.service.content.insert_blob("a", "blob");
    let sent = client.get(&format!("/v2/a/blobs/{digest}")).await.unwrap();
    assert_eq!(sent.status, 307);
    let location = sent.header("Location").unwrap();
    let followed =
        Client::new(&storage.host()).with("Authorization", "Bearer stray").get(location).await.unwrap();
    assert_eq!(followed.body, "blob");
    assert_eq!(storage.seen()[0].header("authorization"), Some("Bearer stray"));
    assert_eq!(server.seen().len(), 1, "each remembers its own");
}

#[tokio::test]
async fn a_password_is_asked_for() {
    let auth = Auth::Basic { user: "user".to_owned(), password: "pass:word".to_owned() };
    let (_server, client) = registry(Behavior { auth, ..Behavior::default() }).await;
    let refused = client.get("/v2/").await.unwrap();
    assert_eq!((refused.status, code(&refused).as_str()), (401, "UNAUTHORIZED"));
    assert!(refused.header("WWW-Authenticate").unwrap().starts_with("Basic "));
    let known = client.with("Authorization", "Basic dXNlcjpwYXNzOndvcmQ=");
    assert_eq!(known.get("/v2/").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_token_is_good_for_its_scope_and_its_number_of_requests() {
    let users = vec![("user".to_owned(), "word".to_owned())];
    let tokens =
        Server::start(Tokens::new(TokenBehavior { users, uses: 2, ..TokenBehavior::default() })).await;
    let auth = Auth::Bearer {
        realm: format!("{}{}", tokens.url(), Tokens::PATH),
        service: "registry".to_owned(),
        grants: Arc::clone(&tokens.service.grants),
    };
    let (server, client) = registry(Behavior { auth, ..Behavior::default() }).await;
    let upload = "/v2/a/blobs/uploads/?mount=sha256:0&from=b";
    let challenge = client.send("POST", upload, b"").await.unwrap();
    let challenge = challenge.header("WWW-Authenticate").unwrap();
    let wanted = format!(
        "Bearer realm=\"{}/token\",service=\"registry\",scope=\"repository:a:pull,push repository:b:pull\"",
        tokens.url()
    );
    assert_eq!(challenge, wanted);

    let ask = async |client: &Client, scope: &str| {
        let answer = client.get(&format!("/token?service=registry&scope={scope}")).await.unwrap();
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    };
    let anonymous = Client::new(&tokens.host());
    let token = ask(&anonymous, "repository:a:pull,push").await;
    let holder = client.clone().with("Authorization", &token);
    let refused = holder.send("POST", "/v2/a/blobs/uploads/", b"").await.unwrap();
    assert!(refused.header("WWW-Authenticate").unwrap().ends_with("error=\"insufficient_scope\""));

    let user = anonymous.clone().with("Authorization", "Basic dXNlcjp3b3Jk");
    let token = ask(&user, "repository:a:pull,push&scope=repository:b:pull").await;
    let holder = client.clone().with("Authorization", &token);
    for status in [202, 202, 401] {
        assert_eq!(holder.send("POST", upload, b"").await.unwrap().status, status);
    }
    assert_eq!(server.seen().len(), 5);
    let asked = tokens.service.requests();
    assert_eq!((asked[0].user.as_deref(), asked[1].user.as_deref()), (None, Some("user")));
    assert_eq!(asked[1].scopes, ["repository:a:pull,push", "repository:b:pull"]);
    let stranger = anonymous.with("Authorization", "Basic dXNlcjp3cm9uZw==");
    assert_eq!(stranger.get("/token?service=registry").await.unwrap().status, 401);

    tokens.service.behavior().other_scope = Some(Scope("repository:other:pull".to_owned()));
    let token = ask(&user, "repository:a:pull,push&scope=repository:b:pull").await;
    assert_eq!(client.with("Authorization", &token).send("POST", upload, b"").await.unwrap().status, 401);
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_and_tokens_can_tell_less_than_they_should() {
    let behavior = TokenBehavior {
        users: vec![("user".to_owned(), "word".to_owned())],
        members: vec!["access_token".to_owned()],
        expires_in: None,
        ..TokenBehavior::default()
    };
    let tokens = Server::start(Tokens::new(behavior)).await;
    let client = Client::new(&tokens.host()).with("Content-Type", "application/x-www-form-urlencoded");
    let form = format!(
        "grant_type=refresh_token&service=s&scope=repository%3Aa%3Apull%20repository%3Ab%3Apull&refresh_token={}",
        Tokens::refresh_token("user")
    );
    let answer = client.send("POST", "/token", form.as_bytes()).await.unwrap();
    assert_eq!(answer.json(), json!({"access_token": "token-1"}));
    assert_eq!(tokens.service.requests()[0].scopes, ["repository:a:pull", "repository:b:pull"]);
    let wrong = form.replace("refresh-user", "refresh-other");
    assert_eq!(client.send("POST", "/token", wrong.as_bytes()).await.unwrap().status, 401);
    tokens.service.behavior().members.clear();
    tokens.service.behavior().expires_in = Some(0);
    let answer = client.send("POST", "/token", form.as_bytes()).await.unwrap();
    assert_eq!(answer.json(), json!({"expires_in": 0}));
}

#[tokio::test]
async fn over_tls_only_who_trusts_the_authority_is_served_and_only_who_shows_an_identity() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start_tls(Registry::default(), authority.server(false)).await;
    let client = Client::new(&server.host());
    assert_eq!(client.clone().with_tls(&authority, None).get("/v2/").await.unwrap().status, 200);
    assert!(client.clone().with_tls(&other, None).get("/v2/").await.is_err());
    assert!(client.get("/v2/").await.is_err(), "plain HTTP is not TLS");

    let server = Server::start_tls(Registry::default(), authority.server(true)).await;
    let client = Client::new(&server.host());
    let identity = authority.identity("client");
    assert_eq!(client.clone().with_tls(&authority, Some(&identity)).get("/v2/").await.unwrap().status, 200);
    assert!(client.with_tls(&authority, None).get("/v2/").await.is_err());
}
