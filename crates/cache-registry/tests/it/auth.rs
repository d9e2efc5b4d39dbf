//! Who the client is to a registry, and what it tells to whom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_conformance::Blob;
use cache_ingest::{
    Error, ErrorKind, Expect, Lister, MemoryStore, Name, Publisher, Remover, Resolver, Step, Stored, copy_all,
};
use cache_model::Algorithm;
use cache_registry::{Client, ClientOptions, Credentials, RegistryStore, Secret};
use test_registries::{
    Answer, Auth, Behavior, Fault, On, Registry, Request, Scope, Server, Service, TokenBehavior, Tokens,
};

use crate::scene::{
    APP, PASSWORD, SIZE, as_user, assert_clear, copying, options, options_for, store_with, transfer,
};

struct Guarded {
    tokens: Server<Tokens>,
    registry: Server<Registry>,
}

async fn guarded(behavior: TokenBehavior) -> Guarded {
    let users = vec![("user".to_owned(), PASSWORD.to_owned())];
    let tokens = Server::start(Tokens::new(TokenBehavior { users, ..behavior })).await;
    let auth = Auth::Bearer {
        realm: format!("{}{}", tokens.url(), Tokens::PATH),
        service: "the registry".to_owned(),
        grants: Arc::clone(&tokens.service.grants),
    };
    let registry = Server::start(Registry::new(Behavior { auth, ..Behavior::default() })).await;
    Guarded { tokens, registry }
}

impl Guarded {
    fn user(&self) -> ClientOptions {
        as_user(&self.registry.host(), "user", PASSWORD)
    }

    fn store(&self, options: ClientOptions) -> RegistryStore {
        store_with(options, &self.registry.host(), APP)
    }
}

fn layers() -> (MemoryStore, Vec<Blob>) {
    let memory = MemoryStore::new();
    let layers: Vec<Blob> = (0..30).map(|n| Blob::layer(Algorithm::Sha256, 10_000 + n)).collect();
    for layer in &layers {
        memory.insert(layer.descriptor.media_type.clone(), layer.bytes.clone());
    }
    (memory, layers)
}

async fn push_all(store: &RegistryStore) -> Result<u64, Error> {
    let (memory, layers) = layers();
    let steps = layers.iter().map(|layer| (Step::Layer, layer.descriptor.clone()));
    let options = copying().with_concurrency(8);
    copy_all(steps, &memory, store, &options).await.map(|summary| summary.stored.blobs)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_serves_all_requests_and_names_all_scopes() {
    let all = guarded(TokenBehavior::default()).await;
    assert_eq!(push_all(&all.store(all.user()).for_push()).await.unwrap(), 30);
    let asked = all.tokens.service.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].user.as_deref(), Some("user"));
    assert_eq!(asked[0].service, "the registry");
    assert_eq!(asked[0].scopes, [format!("repository:{APP}:pull,push")]);

    // A store for reading stays one, though a clone of it was prepared for pushes.
    let reading = all.store(all.user());
    let _pushing = reading.clone().for_push();
    assert!(reading.tags().await.unwrap().is_empty());
    let scopes = all.tokens.service.requests().last().unwrap().scopes.clone();
    assert_eq!(scopes, [format!("repository:{APP}:pull")]);

    // A mount also needs to pull from the origin.
    let client = Client::new(all.user()).unwrap();
    let store =
        |path: &str| RegistryStore::new(&client, &format!("{}/{path}", all.registry.host()).parse().unwrap());
    let layer = Blob::layer(Algorithm::Sha256, 10_000);
    let mounted = transfer(&layer, &store(APP), &store("other").for_push()).await.unwrap();
    assert_eq!(mounted, Stored::Mounted);
    let scopes = all.tokens.service.requests().last().unwrap().scopes.clone();
    assert_eq!(scopes, ["repository:other:pull,push".to_owned(), format!("repository:{APP}:pull")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_and_nothing_else_asks_for_the_right_to_delete() {
    let all = guarded(TokenBehavior::default()).await;
    let store = all.store(all.user());
    let index = Blob::index("one");
    let name = Name::Tag("main".into());
    store.publish(&name, &index.descriptor, index.bytes.clone(), Expect::Any).await.unwrap();
    store.remove_name(&name).await.unwrap();
    assert_eq!(store.resolve(&name).await.unwrap_err().kind(), ErrorKind::NotFound);
    let asked: Vec<_> = all.tokens.service.requests().into_iter().flat_map(|asked| asked.scopes).collect();
    let scopes = ["pull,push", "pull,push,delete"].map(|actions| format!("repository:{APP}:{actions}"));
    assert_eq!(asked, scopes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_during_an_export_is_replaced() {
    for chunk_size in [None, Some(4000)] {
        let all = guarded(TokenBehavior { uses: 25, ..TokenBehavior::default() }).await;
        let store = all.store(all.user().with_chunk_size(chunk_size));
        let pushed = push_all(&store).await;
        assert!(pushed.is_ok(), "{chunk_size:?}: {pushed:?}");
        // Three requests for each blob: HEAD, the beginning of the upload, the bytes.
        let asked = all.tokens.service.requests().len();
        assert!(asked >= 30 * 3 / 25, "{chunk_size:?}: {asked}");
    }
}

/// A registry that requires a new token for every upload, and whose offset goes back and forth.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_never_authorized_ends() {
    let all = guarded(TokenBehavior::default()).await;
    let layer = Blob::layer(Algorithm::Sha256, SIZE);
    let memory = MemoryStore::new();
    memory.insert(layer.descriptor.media_type.clone(), layer.bytes.clone());
    let realm = format!("Bearer realm=\"{}{}\",service=\"the registry\"", all.tokens.url(), Tokens::PATH);
    let no = Answer::error(401, "UNAUTHORIZED", "not with that one").with("WWW-Authenticate", &realm);
    all.registry.fault(On::new("PUT", "").always(), Fault::Answer(no));
    for n in (1..100).step_by(2) {
        let some = Fault::Header("Range", Some("0-99".to_owned()));
        all.registry.fault(On::new("GET", "/uploads/").nth(n), some);
    }
    let error = transfer(&layer, &memory, &all.store(all.user())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(all.registry.seen_with("PUT", "").len() < 10, "{}", all.registry.seen_with("PUT", "").len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_have_either_name_and_no_stated_life() {
    for member in ["token", "access_token"] {
        for expires_in in [None, Some(0), Some(u64::MAX)] {
            let members = vec![member.to_owned()];
            let all = guarded(TokenBehavior { members, expires_in, ..TokenBehavior::default() }).await;
            assert_eq!(push_all(&all.store(all.user()).for_push()).await.unwrap(), 30);
            assert!(all.tokens.service.requests().len() < 5, "{member} {expires_in:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_token_goes_into_a_form() {
    let all = guarded(TokenBehavior::default()).await;
    let identity = Credentials::IdentityToken(Secret::new(Tokens::refresh_token("user")));
    push_all(&all.store(options().with_credentials(all.registry.host(), identity))).await.unwrap();
    let seen = all.tokens.seen();
    assert!(seen.iter().all(|seen| seen.method == "POST" && !seen.target.contains("refresh")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_the_registry_goes_to_the_registry_and_to_no_token_server() {
    let all = guarded(TokenBehavior::default()).await;
    // The token server calls its first token so.
    push_all(&all.store(all.user()).for_push()).await.unwrap();
    let with = |token: &str| {
        let token = Credentials::RegistryToken(Secret::new(token));
        all.store(options().with_credentials(all.registry.host(), token))
    };
    all.tokens.forget_seen();
    all.registry.forget_seen();
    assert_eq!(push_all(&with("token-1")).await.unwrap(), 0, "all of it is there");
    assert!(all.registry.seen()[0].header("authorization").is_none(), "not before a challenge");
    let error = push_all(&with("token-x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_clear(&error);
    assert!(all.tokens.seen().is_empty(), "{:?}", all.tokens.seen());
    assert!(all.registry.seen().len() < 100, "nobody asks for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_token_does_not_follow_a_redirect_to_another_host() {
    let (all, other) = (guarded(TokenBehavior::default()).await, Server::start(Registry::default()).await);
    let identity = Credentials::IdentityToken(Secret::new(Tokens::refresh_token("user")));
    let store = all.store(options().with_credentials(all.registry.host(), identity));
    for status in [307, 308] {
        all.tokens.heal();
        let away = Fault::Answer(Answer::redirect(status, format!("{}/token", other.url())));
        all.tokens.fault(On::any("").always(), away);
        let error = push_all(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert_clear(&error);
        assert!(other.seen().is_empty(), "{:?}", other.seen());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_user_pulls_and_has_to_log_in_to_push() {
    let all = guarded(TokenBehavior::default()).await;
    let layer = Blob::layer(Algorithm::Sha256, 1000);
    all.registry.service.content.insert_blob(APP, layer.bytes.clone());
    assert_eq!(crate::scene::pull(&layer, &all.store(options())).await.unwrap(), layer.bytes);
    for (options, advice) in [
        (options(), format!("; it requires credentials: docker login {}", all.registry.host())),
        (
            as_user(&all.registry.host(), "user", "wrong"),
            "; it refuses user user (--username): check the name and the password".to_owned(),
        ),
    ] {
        let error = push_all(&all.store(options)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().ends_with(&advice), "{error}");
        assert_clear(&error);
    }
    let wrong = push_all(&all.store(as_user(&all.registry.host(), "user", "wrong"))).await.unwrap_err();
    assert!(wrong.reason().starts_with("the token server 127.0.0.1 answers 401 Unauthorized"), "{wrong}");
    assert!(all.registry.seen().len() < 200, "nobody asks for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_of_a_token_server_is_one_error() {
    let other = Server::start(Registry::default()).await;
    let html = Answer::new(200).with("Content-Type", "text/html").body("<html>log in</html>");
    for (fault, kind) in [
        (Fault::Answer(html), ErrorKind::Other),
        (Fault::Answer(Answer::new(200).body("")), ErrorKind::Other),
        (Fault::Answer(Answer::new(200).body(r#"{"token": ""}"#)), ErrorKind::Other),
        (Fault::Answer(Answer::new(200).body(r#"{"token": 7}"#)), ErrorKind::Other),
        (Fault::Answer(Answer::new(200).body(r#"{"token": "a\nb: c"}"#)), ErrorKind::Other),
        (Fault::Endless(None), ErrorKind::TooLarge),
        (Fault::Endless(Some(1 << 30)), ErrorKind::TooLarge),
        (Fault::status(500), ErrorKind::Unavailable),
        (Fault::status(404), ErrorKind::Denied),
        (Fault::CutBeforeStatus, ErrorKind::Unavailable),
        (Fault::CutBody(5), ErrorKind::Unavailable),
        (Fault::Silence, ErrorKind::Unavailable),
        (Fault::Answer(Answer::redirect(307, "/token")), ErrorKind::Other),
        (Fault::Answer(Answer::redirect(307, format!("{}/token", other.url()))), ErrorKind::Denied),
    ] {
        let all = guarded(TokenBehavior::default()).await;
        all.tokens.fault(On::any("").always(), fault.clone());
        let options = all.user().with_stall(options_for(&fault).stall);
        let error = push_all(&all.store(options)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert!(!error.to_string().contains("a\nb"), "{error}");
        assert_clear(&error);
        let sent: u64 = all.tokens.seen().iter().map(|seen| seen.sent).sum();
        assert!(sent < 300 << 20, "{fault:?}: {sent}");
    }
    assert!(!other.seen().is_empty());
    assert!(other.seen().iter().all(|seen| seen.header("authorization").is_none()), "not to another host");

    for scope in ["repository:other:pull,push", "", "registry:catalog:*"] {
        let other_scope = Some(Scope(scope.to_owned()));
        let all = guarded(TokenBehavior { other_scope, ..TokenBehavior::default() }).await;
        let error = push_all(&all.store(all.user())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{scope}: {error}");
        assert_clear(&error);
        assert!(all.tokens.seen().len() < 100, "nobody asks for ever");
    }
}

/// A token server that grants only part of the scopes of a mount: then the blob is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_mount_that_the_token_server_denies_is_an_upload() {
    let all = guarded(TokenBehavior::default()).await;
    let client = Client::new(all.user()).unwrap();
    let store =
        |path: &str| RegistryStore::new(&client, &format!("{}/{path}", all.registry.host()).parse().unwrap());
    let layer = Blob::layer(Algorithm::Sha256, 10_000);
    all.registry.service.content.insert_blob("other", layer.bytes.clone());
    let no = Answer::error(403, "DENIED", "not that one");
    all.tokens.fault(On::any("repository%3Aother%3Apull&").always(), Fault::Answer(no));
    let from = MemoryStore::new();
    from.insert(layer.descriptor.media_type.clone(), layer.bytes.clone());
    let second = Blob::layer(Algorithm::Sha256, 20_000);
    from.insert(second.descriptor.media_type.clone(), second.bytes.clone());
    let (lying, to) = (crate::scene::Elsewhere(from, store("other")), store(APP).for_push());
    assert_eq!(transfer(&layer, &lying, &to).await.unwrap(), Stored::Stored);
    // After the first denial, no further mount from there is requested.
    all.tokens.forget_seen();
    assert_eq!(transfer(&second, &lying, &to).await.unwrap(), Stored::Stored);
    assert!(all.tokens.seen().is_empty());
    assert!(all.registry.seen_with("POST", &second.descriptor.digest.to_string()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_failure_of_a_token_server_is_retried() {
    for fault in [Fault::status(503), Fault::CutBeforeStatus, Fault::CutBody(5), Fault::too_many("0")] {
        let all = guarded(TokenBehavior::default()).await;
        all.tokens.fault(On::any("").times(2), fault);
        assert_eq!(push_all(&all.store(all.user()).for_push()).await.unwrap(), 30);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_that_a_token_server_asks_for_is_kept() {
    let all = guarded(TokenBehavior::default()).await;
    all.tokens.fault(On::any(""), Fault::too_many("1"));
    let start = Instant::now();
    assert_eq!(push_all(&all.store(all.user()).for_push()).await.unwrap(), 30);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

/// Some registries let anyone begin an upload, and require authorization for the bytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_be_required_for_the_bytes_only() {
    for (chunk_size, method) in [(None, "PATCH"), (None, "PUT"), (Some(600_000), "PATCH")] {
        let all = guarded(TokenBehavior::default()).await;
        let open = Server::start(Registry::default()).await;
        let challenge = format!("Bearer realm=\"{}{}\",service=\"s\"", all.tokens.url(), Tokens::PATH);
        let no = Answer::error(401, "UNAUTHORIZED", "who is it?").with("WWW-Authenticate", &challenge);
        open.fault(On::new(method, ""), Fault::Answer(no));
        let layer = Blob::layer(Algorithm::Sha256, SIZE);
        let memory = MemoryStore::new();
        memory.insert(layer.descriptor.media_type.clone(), layer.bytes.clone());
        let options = as_user(&open.host(), "user", PASSWORD).with_chunk_size(chunk_size);
        let store = store_with(options, &open.host(), APP).for_push();
        assert_eq!(transfer(&layer, &memory, &store).await.unwrap(), Stored::Stored, "{method}");
        assert_eq!(all.tokens.service.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_for_reading_that_the_registry_names_is_requested() {
    let all = guarded(TokenBehavior::default()).await;
    let store = all.store(all.user()).for_push();
    assert_eq!(push_all(&store).await.unwrap(), 30);
    let challenge = format!(
        "Bearer realm=\"{}{}\",service=\"the registry\",scope=\"repository:{APP}:metadata_read\"",
        all.tokens.url(),
        Tokens::PATH
    );
    let no = Answer::error(401, "UNAUTHORIZED", "").with("WWW-Authenticate", &challenge);
    all.registry.fault(On::new("GET", "/tags/list"), Fault::Answer(no));
    store.list().await.unwrap();
    let scopes = all.tokens.service.requests().last().unwrap().scopes.clone();
    assert_eq!(scopes, [format!("repository:{APP}:pull,push,metadata_read")]);

    // A store for reading has learnt that, too, and keeps its token beside that for pushing.
    for _ in 0..10 {
        let reading = all.store(all.user());
        let pushing = reading.clone().for_push();
        let no = Answer::error(401, "UNAUTHORIZED", "").with("WWW-Authenticate", &challenge);
        all.registry.fault(On::new("GET", "/tags/list"), Fault::Answer(no));
        reading.list().await.unwrap();
        assert_eq!(push_all(&pushing).await.unwrap(), 0, "all of it is there");
        all.registry.forget_seen();
        reading.list().await.unwrap();
        let sent = all.registry.seen()[0].header("authorization").map(str::to_owned);
        let asked = all.tokens.service.requests();
        let of_reading =
            asked.iter().rposition(|asked| asked.scopes == [format!("repository:{APP}:pull,metadata_read")]);
        assert_eq!(sent, of_reading.map(|n| format!("Bearer token-{}", n + 1)));
    }
}

/// A user whom the token server knows, and who has no right to push.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_right_is_named_and_not_told_to_check_the_password() {
    let pull_only = Some(Scope(format!("repository:{APP}:pull")));
    let all = guarded(TokenBehavior { other_scope: pull_only, ..TokenBehavior::default() }).await;
    let by_token = push_all(&all.store(all.user())).await.unwrap_err();
    let open = Server::start(Registry::default()).await;
    let challenge = Answer::error(401, "UNAUTHORIZED", "").with("WWW-Authenticate", "Basic realm=\"r\"");
    open.fault(On::any(""), Fault::Answer(challenge));
    open.fault(On::any("").nth(2).always(), Fault::Answer(Answer::error(403, "DENIED", "read only")));
    let by_status = push_all(&store_with(as_user(&open.host(), "user", PASSWORD), &open.host(), APP)).await;
    for error in [by_token, by_status.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        let advice = "; user user (--username) may not do this: name a user who may";
        assert!(error.to_string().ends_with(advice), "{error}");
        assert_clear(&error);
    }
}

/// A proxy before a registry that has the repository under another path.
#[derive(Debug)]
struct Rewriting(Registry);

impl Service for Rewriting {
    fn answer(&self, request: &Request, base: &str) -> Answer {
        let target = request.target.replace("/v2/team/app/", "/v2/real/app/");
        self.0.answer(&Request { target, ..request.clone() }, base)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_of_a_registry_behind_a_proxy_that_rewrites_paths_is_requested() {
    let all = guarded(TokenBehavior::default()).await;
    let auth = all.registry.service.behavior().auth.clone();
    let proxy = Server::start(Rewriting(Registry::new(Behavior { auth, ..Behavior::default() }))).await;
    let store = || store_with(as_user(&proxy.host(), "user", PASSWORD), &proxy.host(), APP);
    assert_eq!(push_all(&store().for_push()).await.unwrap(), 30);
    let scopes = |path: &str, actions: &str| format!("repository:{path}:{actions}");
    let pushing = all.tokens.service.requests().last().unwrap().scopes.clone();
    assert_eq!(pushing, [scopes("real/app", "pull,push"), scopes(APP, "pull,push")]);
    let layer = Blob::layer(Algorithm::Sha256, 10_000);
    assert_eq!(crate::scene::pull(&layer, &store()).await.unwrap(), layer.bytes);
    let reading = all.tokens.service.requests().last().unwrap().scopes.clone();
    assert_eq!(reading, [scopes("real/app", "pull"), scopes(APP, "pull")]);
}

/// A gateway that leaves reading to another registry, whose tokens are free for anyone.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_to_which_another_redirects_gets_an_anonymous_token() {
    let (there, layer) = (guarded(TokenBehavior::default()).await, Blob::layer(Algorithm::Sha256, 10_000));
    there.registry.service.content.insert_blob(APP, layer.bytes.clone());
    let auth = Auth::Basic { user: "user".to_owned(), password: PASSWORD.to_owned() };
    let gateway = Server::start(Registry::new(Behavior { auth, ..Behavior::default() })).await;
    let challenge = Answer::error(401, "UNAUTHORIZED", "").with("WWW-Authenticate", "Basic realm=\"r\"");
    gateway.fault(On::any(""), Fault::Answer(challenge));
    let path = format!("/v2/{APP}/blobs/{}", layer.descriptor.digest);
    let away = Answer::redirect(307, format!("{}{path}", there.registry.url()));
    gateway.fault(On::new("GET", "/blobs/").nth(2).always(), Fault::Answer(away));
    let client = Client::new(as_user(&gateway.host(), "user", PASSWORD)).unwrap();
    let at = |path: &str| RegistryStore::new(&client, &format!("{}/{path}", gateway.host()).parse().unwrap());
    let store = at(APP);
    for _ in 0..3 {
        assert_eq!(crate::scene::pull(&layer, &store).await.unwrap(), layer.bytes);
    }
    assert!(gateway.seen().last().unwrap().header("authorization").is_some());
    let asked = there.tokens.service.requests();
    assert_eq!(asked.len(), 1, "one token serves all: {asked:?}");
    assert_eq!((&asked[0].user, &asked[0].scopes), (&None, &vec![format!("repository:{APP}:pull")]));
    for seen in [there.tokens.seen(), there.registry.seen()].concat() {
        let sent = seen.header("authorization").unwrap_or("Bearer ");
        assert!(sent.starts_with("Bearer ") && !seen.target.contains("user"), "{seen:?}");
    }

    // Each repository has a token of its own there.
    let other = Blob::layer(Algorithm::Sha256, 20_000);
    there.registry.service.content.insert_blob("team/other", other.bytes.clone());
    let path = format!("/v2/team/other/blobs/{}", other.descriptor.digest);
    let away = Answer::redirect(307, format!("{}{path}", there.registry.url()));
    gateway.heal();
    gateway.fault(On::new("GET", &path).always(), Fault::Answer(away));
    assert_eq!(crate::scene::pull(&other, &at("team/other")).await.unwrap(), other.bytes);
    let scopes = there.tokens.service.requests().last().unwrap().scopes.clone();
    assert_eq!(scopes, ["repository:team/other:pull"]);
    let path = format!("/v2/{APP}/blobs/{}", layer.descriptor.digest);
    let away = Answer::redirect(307, format!("{}{path}", there.registry.url()));
    gateway.fault(On::new("GET", &path).always(), Fault::Answer(away));

    // Where anyone gets no token, the refusal of that registry is the error.
    there.tokens.service.behavior().anonymous.clear();
    there.tokens.service.grants.revoke_all();
    let error = crate::scene::pull(&layer, &store).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1, to which the registry redirects, answers 401"), "{error}");
    assert_clear(&error);
    assert!(there.registry.seen().len() < 100, "nobody asks for ever");
    there.tokens.fault(On::any("").always(), Fault::Answer(Answer::error(401, "UNAUTHORIZED", "who is it?")));
    let error = crate::scene::pull(&layer, &store).await.unwrap_err();
    assert!(error.to_string().ends_with("no credentials are sent to such a host"), "{error}");
    assert_clear(&error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_challenge_is_a_refusal() {
    for challenge in [
        None,
        Some(""),
        Some(","),
        Some("Bearer"),
        Some("Bearer realm="),
        Some("Bearer realm=\"\""),
        Some("Bearer realm=\"nonsense\""),
        Some("Bearer realm=\"http://127.0.0.1:1"),
        Some("Bearer realm=\"http://registry.invalid/token\",service=\"s\""),
        Some("Negotiate"),
        Some("Digest realm=\"a\", nonce=\"\u{1}"),
    ] {
        let all = guarded(TokenBehavior::default()).await;
        let fault = Fault::Header("WWW-Authenticate", challenge.map(str::to_owned));
        all.registry.fault(On::any("").always(), fault);
        let error = push_all(&all.store(all.user())).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable | ErrorKind::Other),
            "{challenge:?}: {error}"
        );
        assert_clear(&error);
        assert!(all.registry.seen().len() < 100, "{challenge:?}: nobody asks for ever");
        assert!(all.tokens.seen().is_empty(), "{challenge:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_sent_only_after_a_challenge() {
    let auth = Auth::Basic { user: "user".to_owned(), password: PASSWORD.to_owned() };
    let server = Server::start(Registry::new(Behavior { auth, ..Behavior::default() })).await;
    let store = store_with(as_user(&server.host(), "user", PASSWORD), &server.host(), APP);
    assert_eq!(push_all(&store).await.unwrap(), 30);
    assert!(server.seen()[0].header("authorization").is_none());
    let error = push_all(&store_with(options(), &server.host(), APP)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    server.forget_seen();
    let wrong = store_with(as_user(&server.host(), "user", &format!("not {PASSWORD}")), &server.host(), APP);
    let error = push_all(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let advice = "; it refuses user user (--username): check the name and the password";
    assert!(error.to_string().ends_with(advice), "{error}");
    assert_clear(&error);
    assert!(!format!("{wrong:?}{:?}", as_user(&server.host(), "user", PASSWORD)).contains(PASSWORD));
}
