//! Which servers are trusted over TLS, which certificate the client shows, and what is said where one side refuses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache_conformance::Blob;
use cache_ingest::{Error, ErrorKind};
use cache_model::Algorithm;
use cache_registry::{ClientCertificate, ClientOptions};
use rustls::ServerConfig;
use test_registries::{Authority, Registry, Server};

use crate::scene::{APP, assert_clear, options, pull, store_with};

/// A registry with TLS, with a blob, and a folder for files.
struct Secured {
    server: Server<Registry>,
    layer: Blob,
    folder: tempfile::TempDir,
}

impl Secured {
    async fn start(tls: Arc<ServerConfig>) -> Self {
        let server = Server::start_tls(Registry::default(), tls).await;
        let layer = Blob::layer(Algorithm::Sha256, 1000);
        server.service.content.insert_blob(APP, layer.bytes.clone());
        Self { server, layer, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn pull(&self, options: ClientOptions) -> Result<(), Error> {
        let bytes = pull(&self.layer, &store_with(options, &self.server.host(), APP)).await?;
        assert_eq!(bytes, self.layer.bytes);
        Ok(())
    }
}

/// Options that find no certificates but these.
fn with_folder(folder: &Path) -> ClientOptions {
    options().with_certificate_folders([folder.to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_refused_with_the_reason_and_accepted_by_an_insecure_client() {
    let (authority, other) = (Authority::new(), Authority::new());
    let wrong_name = authority.identity_for("server", &["r.example", "127.0.0.2"], 4000);
    let expired = authority.identity_for("server", &["127.0.0.1"], 2021);
    for (identity, ca, reason) in [
        (
            wrong_name,
            authority.pem(),
            "the certificate of 127.0.0.1 is for r.example, 127.0.0.2, not for 127.0.0.1; use a name that it has, or allow any certificate with --insecure",
        ),
        (
            expired,
            authority.pem(),
            "the certificate of 127.0.0.1 expired on Fri, 01 Jan 2021 00:00:00 GMT; check the clock of this machine, or allow any certificate with --insecure",
        ),
        (
            authority.identity("server"),
            other.pem(),
            "the certificate of 127.0.0.1 is signed by no authority that this system trusts, nor by one in DIR/ca.pem; allow any certificate with --insecure",
        ),
    ] {
        let secured = Secured::start(authority.server_as(&identity, false)).await;
        let ca = secured.file("ca.pem", &ca);
        let strict = with_folder(secured.folder.path()).with_ca(&ca);
        let error = secured.pull(strict.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");
        let shown = error.reason().replace(&secured.folder.path().display().to_string(), "DIR");
        assert_eq!(shown, reason);
        assert_clear(&error);
        secured.pull(strict.with_insecure(true)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_that_docker_keeps_for_a_registry_are_used_for_it_alone() {
    let authority = Authority::new();
    let secured = Secured::start(authority.server(true)).await;
    let (folder, host) = (secured.folder.path(), secured.server.host());
    let without = secured.pull(with_folder(folder)).await.unwrap_err();
    assert!(without.to_string().contains("if it speaks TLS"), "{without}");

    secured.file(&format!("{host}/ca.crt"), &authority.pem());
    let error = secured.pull(with_folder(folder)).await.unwrap_err();
    assert!(error.to_string().contains("client certificate"), "{error}");
    let me = authority.identity("me");
    secured.file(&format!("{host}/me.key"), &me.key_pem());
    let error = secured.pull(with_folder(folder)).await.unwrap_err();
    assert!(error.to_string().contains("me.key: it has no certificate beside it"), "{error}");
    secured.file(&format!("{host}/me.cert"), &me.certificate_pem());
    // Docker passes over a file without certificates.
    secured.file(&format!("{host}/empty.crt"), "");
    secured.pull(with_folder(folder)).await.unwrap();

    let another = Secured::start(authority.server(true)).await;
    let error = another.pull(with_folder(folder)).await.unwrap_err();
    assert!(error.to_string().contains("if it speaks TLS"), "{error}");

    // The certificate that the options name precedes Docker's.
    let unknown = Authority::new().identity("unknown");
    let wrong =
        [secured.file("x.crt", &unknown.certificate_pem()), secured.file("x.key", &unknown.key_pem())];
    let [wrong_certificate, wrong_key] = wrong;
    let named = with_folder(folder).with_certificate(ClientCertificate::new(wrong_certificate, wrong_key));
    assert!(secured.pull(named).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_client_that_cannot_be_used_is_named() {
    let authority = Authority::new();
    let secured = Secured::start(authority.server(true)).await;
    let (folder, host) = (secured.folder.path(), secured.server.host());
    let (me, other) = (authority.identity("me"), authority.identity("other"));
    secured.file(&format!("{host}/me.cert"), &me.certificate_pem());
    secured.file(&format!("{host}/me.key"), &other.key_pem());
    let error = secured.pull(with_folder(folder)).await.unwrap_err();
    assert!(error.to_string().contains("me.cert: keys may not be consistent"), "{error}");
    secured.file(&format!("{host}/me.key"), "nonsense");
    let error = secured.pull(with_folder(folder)).await.unwrap_err();
    assert!(error.to_string().contains("me.key: it has no PEM certificate or key to use"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insecure_client_speaks_plain_http_to_a_registry_without_tls_and_shows_its_certificate() {
    let open = Server::start(Registry::default()).await;
    let layer = Blob::layer(Algorithm::Sha256, 1000);
    open.service.content.insert_blob(APP, layer.bytes.clone());
    let store = store_with(options().with_insecure(true), &open.host(), APP);
    assert_eq!(pull(&layer, &store).await.unwrap(), layer.bytes);

    let authority = Authority::new();
    let secured = Secured::start(authority.server(true)).await;
    let (folder, host) = (secured.folder.path(), secured.server.host());
    authority.identity("me").write(folder, "me");
    let insecure = with_folder(folder).with_insecure(true);
    let error = secured.pull(insecure.clone()).await.unwrap_err();
    assert!(error.to_string().contains("client certificate"), "{error}");
    std::fs::create_dir(folder.join(&host)).unwrap();
    for (from, to) in [("me.crt", "me.cert"), ("me.key", "me.key")] {
        std::fs::rename(folder.join(from), folder.join(&host).join(to)).unwrap();
    }
    secured.pull(insecure).await.unwrap();
}
