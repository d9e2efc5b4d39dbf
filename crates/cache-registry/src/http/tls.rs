//! TLS: which certificates are trusted, and which one the client shows.
//!
//! rustls runs on ring, which is chosen for these connections and not for the whole process. The system's own verifier is
//! used if it has one.

use std::path::Path;
use std::sync::Arc;

use cache_ingest::{Error, ErrorKind};
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

use crate::options::ClientOptions;

/// The certificates and keys that the options name, and how strictly servers are verified.
#[derive(Debug)]
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    insecure: bool,
}

impl Tls {
    /// Reads the files that the options name.
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, Error> {
        let mut authorities = Vec::new();
        for path in &options.ca {
            authorities.extend(certificates(path)?);
        }
        let identity = match &options.certificate {
            Some(files) => {
                let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| unreadable(&files.key, e))?;
                Some((certificates(&files.certificate)?, key))
            }
            None => None,
        };
        let provider = Arc::new(ring::default_provider());
        let tls = Self { provider, authorities, identity, insecure: options.insecure };
        if tls.identity.is_some() {
            // So a key that does not fit its certificate is reported now, not at the first request.
            tls.without_roots()?;
        }
        Ok(tls)
    }

    /// Whether the options name certificates, which makes sense with TLS only.
    pub(crate) fn is_asked_for(&self) -> bool {
        !self.authorities.is_empty() || self.identity.is_some()
    }

    /// The configuration for connections.
    pub(crate) fn config(&self) -> Result<ClientConfig, Error> {
        let trust = Arc::new(self.trust()?);
        self.finish(|versions| versions.dangerous().with_custom_certificate_verifier(trust))
    }

    fn trust(&self) -> Result<ServerTrust, Error> {
        let provider = self.provider.clone();
        if self.insecure {
            return Ok(ServerTrust { provider, authorities: None });
        }
        let named = self.authorities.clone();
        let verifier = Verifier::new_with_extra_roots(named.iter().cloned(), provider.clone());
        let verifier = verifier.map_err(|cause| {
            failed(format_args!("the system's certificates cannot be used: {cause}")).with_cause(cause)
        })?;
        Ok(ServerTrust { provider, authorities: Some(Authorities { verifier, named }) })
    }

    /// A configuration that trusts no one, for connections without TLS.
    pub(crate) fn without_roots(&self) -> Result<ClientConfig, Error> {
        self.finish(|versions| versions.with_root_certificates(RootCertStore::empty()))
    }

    fn finish(
        &self,
        trust: impl FnOnce(
            rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
        ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>,
    ) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|cause| failed(&cause).with_cause(cause))?;
        let mut config = match &self.identity {
            Some((chain, key)) => {
                trust(builder).with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|cause| {
                    failed(format_args!("the client's certificate: {cause}")).with_cause(cause)
                })?
            }
            None => trust(builder).with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).map_err(|cause| unreadable(path, cause))?;
    let read: Vec<_> = read.collect::<Result<_, _>>().map_err(|cause| unreadable(path, cause))?;
    if read.is_empty() { Err(unreadable(path, pem::Error::NoItemsFound)) } else { Ok(read) }
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
        let Some(Authorities { verifier, named }) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // By then the dates have been verified; the key usage has not.
            Err(error) if is_authority_as_server(&error) && named.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

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
            let mut tls = Tls::new(&ClientOptions::default()).unwrap();
            tls.authorities.push(named.clone());
            let name = ServerName::try_from(name.to_owned()).unwrap();
            tls.trust().unwrap().verify_server_cert(shown, &[], &name, &[], now).is_ok()
        };
        assert!(is_trusted(&shown, &shown, "r.example"));
        assert!(!is_trusted(&shown, &shown, "s.example"));
        assert!(!is_trusted(&other, &shown, "r.example"));
        assert!(!is_trusted(&expired, &expired, "r.example"));
        let plain = certificate(IsCa::ExplicitNoCa, 2090);
        assert!(is_trusted(&plain, &plain, "r.example"));
    }
}
