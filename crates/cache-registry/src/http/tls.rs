//! TLS: which certificates are trusted, and which one the client shows.
//!
//! rustls runs on ring, which is chosen for these connections and not for the whole process. The system's own verifier is
//! used if it has one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache_ingest::{Error, ErrorKind};
use reqwest::Url;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::http::certificate_error::UnknownAuthority;
use crate::http::certs_d::RegistryFiles;
use crate::options::ClientOptions;

const NO_AUTHORITIES: &str = "no authority's certificate is found on this system; install them (in Debian the package ca-certificates), or name the registry's authority with --ca";

/// Which certificates are trusted and shown, and how strictly servers are verified.
#[derive(Debug)]
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    /// Those that the options name, for all servers.
    named: Certificates,
    /// Folders in which Docker keeps those for one registry.
    folders: Vec<PathBuf>,
    insecure: bool,
}

/// Certificates beyond those of the system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    authorities: Vec<CertificateDer<'static>>,
    /// The files that the authorities are from.
    files: Vec<PathBuf>,
    identity: Option<Arc<ClientIdentity>>,
}

/// The client's certificate with the chain to its authority, and its key.
#[derive(Debug)]
struct ClientIdentity {
    /// The file of the certificate.
    file: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// Reads the files that the options name.
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, Error> {
        let mut named = Certificates::default();
        for path in &options.ca {
            named.add_authorities(path, some_certificates(path)?);
        }
        if let Some(files) = &options.certificate {
            named.identity = Some(ClientIdentity::read(&files.certificate, &files.key)?);
        }
        let provider = Arc::new(ring::default_provider());
        let folders = options.certificate_folders.clone();
        let tls = Self { provider, named, folders, insecure: options.insecure };
        if tls.named.identity.is_some() {
            // So a key that does not fit its certificate is reported now, not at the first request.
            tls.without_roots()?;
        }
        Ok(tls)
    }

    /// Whether there are certificates for a server, which makes sense with TLS only.
    pub(crate) fn is_asked_for(&self, url: &Url) -> Result<bool, Error> {
        let is_named = !self.named.authorities.is_empty() || self.named.identity.is_some();
        Ok(is_named || self.certificates_of(url)?.is_some())
    }

    /// The certificates for a server for which Docker keeps some, with those that the options name.
    pub(crate) fn certificates_of(&self, url: &Url) -> Result<Option<Certificates>, Error> {
        let files = RegistryFiles::find(&self.folders, url)?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut certificates = self.named.clone();
        for path in &files.authorities {
            // Docker passes over a file without certificates.
            if let Some(authorities) = if_permitted(read_certificates(path))? {
                certificates.add_authorities(path, authorities);
            }
        }
        if let (None, Some((certificate, key))) = (&certificates.identity, &files.identity) {
            certificates.identity = if_permitted(ClientIdentity::read(certificate, key))?;
        }
        Ok(Some(certificates))
    }

    /// The configuration for connections to servers without certificates of their own.
    pub(crate) fn config(&self) -> Result<ClientConfig, Error> {
        self.config_with(&self.named)
    }

    /// The configuration for connections with these certificates.
    pub(crate) fn config_with(&self, certificates: &Certificates) -> Result<ClientConfig, Error> {
        let trust = Arc::new(self.trust(certificates)?);
        let identity = certificates.identity.as_deref();
        self.finish(identity, |versions| versions.dangerous().with_custom_certificate_verifier(trust))
    }

    fn trust(&self, certificates: &Certificates) -> Result<ServerTrust, Error> {
        let provider = self.provider.clone();
        if self.insecure {
            return Ok(ServerTrust { provider, authorities: None });
        }
        let (named, files) = (certificates.authorities.clone(), certificates.files.clone());
        let verifier = Verifier::new_with_extra_roots(named.iter().cloned(), provider.clone());
        let verifier = verifier.map_err(|cause| failed(NO_AUTHORITIES).with_cause(cause))?;
        Ok(ServerTrust { provider, authorities: Some(Authorities { verifier, named, files }) })
    }

    /// A configuration that trusts no one, for connections without TLS.
    pub(crate) fn without_roots(&self) -> Result<ClientConfig, Error> {
        let identity = self.named.identity.as_deref();
        self.finish(identity, |versions| versions.with_root_certificates(RootCertStore::empty()))
    }

    fn finish(
        &self,
        identity: Option<&ClientIdentity>,
        trust: impl FnOnce(
            rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
        ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>,
    ) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|cause| failed(&cause).with_cause(cause))?;
        let mut config = match identity {
            Some(ClientIdentity { file, chain, key }) => {
                trust(builder).with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|cause| {
                    failed(format_args!("the client's certificate {}: {cause}", file.display()))
                        .with_cause(cause)
                })?
            }
            None => trust(builder).with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl Certificates {
    fn add_authorities(&mut self, file: &Path, authorities: Vec<CertificateDer<'static>>) {
        self.authorities.extend(authorities);
        self.files.push(file.to_owned());
    }
}

impl ClientIdentity {
    fn read(certificate: &Path, key: &Path) -> Result<Arc<Self>, Error> {
        let chain = some_certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| unreadable(key, cause))?;
        Ok(Arc::new(Self { file: certificate.to_owned(), chain, key }))
    }
}

/// The certificates in a file, at least one.
fn some_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = read_certificates(path)?;
    if read.is_empty() { Err(unreadable(path, pem::Error::NoItemsFound)) } else { Ok(read) }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).map_err(|cause| unreadable(path, cause))?;
    read.collect::<Result<_, _>>().map_err(|cause| unreadable(path, cause))
}

/// What was read of Docker's files; `None` of one that this user may not read. Such a file is for root only, as are those of a
/// folder that this user may not list.
fn if_permitted<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(error) if error.kind() == ErrorKind::Denied => Ok(None),
        read => read.map(Some),
    }
}

fn unreadable(path: &Path, cause: pem::Error) -> Error {
    match cause {
        pem::Error::Io(cause) => Error::io("read", path.display(), cause),
        cause => {
            let reason = format_args!("it has no PEM certificate or key to use: {cause}");
            Error::new(ErrorKind::Invalid, "read", path.display(), reason).with_cause(cause)
        }
    }
}

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, "set up", "TLS", reason)
}

/// Decides which servers are trusted. In every case the server has to hold the key of its certificate.
#[derive(Debug)]
struct ServerTrust {
    provider: Arc<CryptoProvider>,
    /// `None` trusts any certificate.
    authorities: Option<Authorities>,
}

/// Trusts what the authorities have signed, and a server whose own certificate is listed.
///
/// The second is needed as `openssl req -x509` marks self-signed certificates as those of authorities, which rustls rejects
/// from servers.
#[derive(Debug)]
struct Authorities {
    verifier: Verifier,
    named: Vec<CertificateDer<'static>>,
    /// The files that these are from.
    files: Vec<PathBuf>,
}

impl ServerCertVerifier for ServerTrust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(Authorities { verifier, named, files }) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // By then the dates have been verified; the key usage has not.
            Err(error) if is_authority_as_server(&error) && named.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            Err(error) if is_authority_as_server(&error) || is_unknown_issuer(&error) => {
                let unknown = UnknownAuthority { files: files.clone() };
                Err(CertificateError::Other(OtherError(Arc::new(unknown))).into())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a certificate was rejected because it is an authority's.
fn is_authority_as_server(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error else {
        return false;
    };
    cause.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
}

/// Whether no authority has signed a certificate. The signature is bad if one that is trusted has the same name and another
/// key.
fn is_unknown_issuer(error: &rustls::Error) -> bool {
    use CertificateError as E;
    matches!(error, rustls::Error::InvalidCertificate(E::UnknownIssuer | E::BadSignature))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_file_of_docker_that_only_root_may_read_is_passed_over_and_any_other_failure_is_an_error() {
        let read = |kind: std::io::ErrorKind| {
            let cause = pem::Error::Io(kind.into());
            if_permitted::<()>(Err(unreadable(Path::new("r.example/client.key"), cause)))
        };
        assert_eq!(read(std::io::ErrorKind::PermissionDenied).unwrap(), None);
        assert!(read(std::io::ErrorKind::NotFound).is_err());
        assert_eq!(if_permitted(Ok(7)).unwrap(), Some(7));
        let nothing = if_permitted::<()>(Err(unreadable(Path::new("client.key"), pem::Error::NoItemsFound)));
        assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Invalid);
    }

    fn certificate(is_ca: IsCa, last_year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["r.example".to_owned()]).unwrap();
        params.is_ca = is_ca;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_server_may_show_the_certificate_that_was_named_and_no_other_that_signs_itself() {
        let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
        let (shown, other, expired) =
            (certificate(ca(), 2090), certificate(ca(), 2090), certificate(ca(), 2021));
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let is_trusted = |named: &CertificateDer<'static>, shown: &CertificateDer<'static>, name: &str| {
            let tls = Tls::new(&ClientOptions::default()).unwrap();
            let mut certificates = Certificates::default();
            certificates.add_authorities(Path::new("ca.pem"), vec![named.clone()]);
            let name = ServerName::try_from(name.to_owned()).unwrap();
            tls.trust(&certificates).unwrap().verify_server_cert(shown, &[], &name, &[], now).is_ok()
        };
        assert!(is_trusted(&shown, &shown, "r.example"));
        assert!(!is_trusted(&shown, &shown, "s.example"));
        assert!(!is_trusted(&other, &shown, "r.example"));
        assert!(!is_trusted(&expired, &expired, "r.example"));
        let plain = certificate(IsCa::ExplicitNoCa, 2090);
        assert!(is_trusted(&plain, &plain, "r.example"));
    }
}
