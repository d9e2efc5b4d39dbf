//! Tokens: requested at the server that the registry names, and kept until they expire.
//!
//! Docker's token specification, and OAuth 2 where the credentials are an identity token. A registry never decides that
//! credentials go over plain HTTP.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::auth::identity::{Identity, Refusal};
use crate::credentials::{Credentials, authorization};
use crate::error::{Operation, RequestFailure};
use crate::error_response::{ErrorResponse, is_transient};
use crate::http::body::read_all;
use crate::http::transport::{Answer, Request, Transport};
use crate::lock::lock;
use crate::shared_attempt::SharedAttempt;
use crate::text::printable;

/// The largest answer of a token server, in bytes.
const LIMIT: u64 = 1 << 20;
/// The life of a token that states none, in seconds (Docker's token specification).
const DEFAULT_LIFE: f64 = 60.0;
/// The longest life that is believed, in seconds.
const LONGEST_LIFE: u64 = 24 * 60 * 60;
/// How long before its end a token is no longer used.
const EARLY: Duration = Duration::from_secs(10);
const CLIENT_ID: &str = "bkcache";

/// A token, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Token {
    header: HeaderValue,
    renew_at: Instant,
}

/// The token of one owner for some scopes, and the requests that wait for it.
#[derive(Debug, Default)]
pub(super) struct TokenSlot {
    token: Mutex<Option<Token>>,
    fetching: SharedAttempt,
}

impl TokenSlot {
    /// The token, unless it has expired.
    pub(super) fn live(&self) -> Option<HeaderValue> {
        let token = lock(&self.token);
        token.as_ref().filter(|token| Instant::now() < token.renew_at).map(|token| token.header.clone())
    }

    /// The live token, or the one that is fetched, once for all that wait.
    pub(super) async fn get<F>(&self, operation: &Operation, fetch: F) -> Result<HeaderValue, RequestFailure>
    where
        F: Future<Output = Result<Token, RequestFailure>>,
    {
        let fetch = async { fetch.await.map(|token| self.keep(token)) };
        self.fetching.get(operation, || self.live(), fetch).await
    }

    fn keep(&self, token: Token) -> HeaderValue {
        let header = token.header.clone();
        *lock(&self.token) = Some(token);
        header
    }

    /// Drops the token if it is this one.
    pub(super) fn forget(&self, header: &HeaderValue) {
        lock(&self.token).take_if(|token| token.header == *header);
    }
}

/// An error unless tokens may be requested at the realm that a registry names.
pub(super) fn check_realm(
    realm: &str,
    registry: &Url,
    transport: &Transport,
    operation: &Operation,
) -> Result<(), Error> {
    let reason = match Url::parse(realm) {
        Ok(url) if url.scheme() == "https" && url.has_host() => return Ok(()),
        Ok(url) if url.scheme() == "http" && url.has_host() => {
            // An answer that came over TLS must not lead to where others can listen, not even on this machine.
            if registry.scheme() == "http" && transport.is_safe(&url) {
                return Ok(());
            }
            // The path and query may hold a signature, so they are not shown.
            let host = printable(url.host_str().unwrap_or_default());
            format!("the registry names a token server over plain HTTP, which is not safe: http://{host}")
        }
        _ => "the registry names a token server by a URL that is not HTTP".to_owned(),
    };
    Err(operation.error(ErrorKind::Denied, reason))
}

/// A request for a token.
#[derive(Debug)]
pub(super) struct TokenRequest<'a> {
    /// The URL of the token server.
    pub(super) realm: &'a str,
    /// The registry's name at the token server.
    pub(super) service: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) identity: &'a Identity,
}

impl TokenRequest<'_> {
    /// Requests the token.
    pub(super) async fn send(
        &self,
        transport: &Transport,
        operation: &Operation,
    ) -> Result<Token, RequestFailure> {
        let url = Url::parse(self.realm).map_err(|cause| {
            operation.error(ErrorKind::Other, "its token server has no URL").with_cause(cause)
        })?;
        let server = url.host_str().unwrap_or_default().to_owned();
        let authorization = self.identity.credentials.basic();
        let answer = transport.exchange(&self.to_http(url), authorization.as_ref(), operation).await?;
        self.read_token(answer, &server, transport, operation).await
    }

    /// A GET, or a POST with a form for an identity token, which must not be part of a URL.
    fn to_http(&self, mut url: Url) -> Request {
        if let Credentials::IdentityToken(secret) = &self.identity.credentials {
            let mut form = Url::parse("form:").unwrap_or_else(|_| url.clone());
            form.query_pairs_mut()
                .clear()
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", self.service)
                .append_pair("client_id", CLIENT_ID)
                .append_pair("scope", &self.scopes.join(" "))
                .append_pair("refresh_token", secret.reveal());
            let mut request = Request::new(Method::POST, url);
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers.insert(CONTENT_TYPE, form_type);
            request.body = Bytes::from(form.query().unwrap_or_default().to_owned());
            return request;
        }
        {
            let mut query = url.query_pairs_mut();
            if !self.service.is_empty() {
                query.append_pair("service", self.service);
            }
            for scope in self.scopes {
                query.append_pair("scope", scope);
            }
            query.append_pair("client_id", CLIENT_ID);
            if let Credentials::Password { username, .. } = &self.identity.credentials {
                query.append_pair("account", username);
            }
        }
        let mut request = Request::new(Method::GET, url);
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
    }

    async fn read_token(
        &self,
        answer: Answer,
        server: &str,
        transport: &Transport,
        operation: &Operation,
    ) -> Result<Token, RequestFailure> {
        let (status, retry_after) = (answer.status(), answer.retry_after());
        let body = read_all(answer.response, LIMIT, transport.silence(), operation).await?;
        if !status.is_success() {
            let advice = |_| self.identity.advice(operation.repository.host(), Refusal::Credentials);
            let response = ErrorResponse::new(status, &body);
            let error =
                operation.refused_by(&format!("the token server {}", printable(server)), &response, advice);
            let kind = if is_transient(status) { ErrorKind::Unavailable } else { ErrorKind::Denied };
            return Err(RequestFailure { error: operation.error(kind, error.reason()), retry_after });
        }
        let unusable = |what: &str| {
            operation
                .error(ErrorKind::Other, format_args!("the token server {} gives {what}", printable(server)))
        };
        // The cause may quote the token, so it is dropped.
        let response: TokenResponse = serde_json::from_slice(&body).map_err(|_| unusable("no token"))?;
        let texts = [response.token, response.access_token];
        let text = texts.into_iter().flatten().find(|text| !text.is_empty());
        let text = text.ok_or_else(|| unusable("no token"))?;
        let header = authorization("Bearer", &text).ok_or_else(|| unusable("a token that cannot be sent"))?;
        Ok(Token { header, renew_at: Instant::now() + life(response.expires_in) })
    }
}

/// The answer of a token server. `access_token` is OAuth 2's name for the same member.
#[derive(Deserialize)]
struct TokenResponse {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<f64>,
}

/// How long a token is used, by the life in seconds that its server states.
fn life(seconds: Option<f64>) -> Duration {
    let believed = seconds.filter(|seconds| *seconds >= 1.0).unwrap_or(DEFAULT_LIFE);
    let life = Duration::try_from_secs_f64(believed).unwrap_or(Duration::MAX);
    let life = life.min(Duration::from_secs(LONGEST_LIFE));
    life.saturating_sub(EARLY.min(life / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::identity::IdentitySource;
    use crate::credentials::Secret;
    use crate::options::ClientOptions;

    #[test]
    fn a_token_is_renewed_before_it_ends_whatever_it_says() {
        for (says, lives) in [
            (None, 50),
            (Some(300.0), 290),
            (Some(10.0), 5),
            (Some(0.0), 50),
            (Some(-5.0), 50),
            (Some(f64::NAN), 50),
            (Some(1e300), LONGEST_LIFE - 10),
        ] {
            assert_eq!(life(says), Duration::from_secs(lives), "{says:?}");
        }
    }

    #[test]
    fn a_password_goes_into_no_url_and_an_identity_token_into_a_form() {
        let url = Url::parse("https://auth.example/token?x=y").unwrap();
        let scopes = ["repository:a:pull,push".to_owned(), "repository:b:pull".to_owned()];
        let password = Credentials::Password { username: "me".into(), password: Secret::new("hunter2") };
        let request = |url, service, credentials| {
            let identity = &Identity { credentials, source: IdentitySource::Options };
            TokenRequest { realm: "", service, scopes: &scopes, identity }.to_http(url)
        };
        let asked = request(url.clone(), "the registry", password);
        assert_eq!(
            asked.url.as_str(),
            "https://auth.example/token?x=y&service=the+registry&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull&client_id=bkcache&account=me"
        );
        let identity = Credentials::IdentityToken(Secret::new("a&b"));
        let asked = request(url, "s", identity);
        assert_eq!((asked.method, asked.url.query()), (Method::POST, Some("x=y")));
        assert_eq!(
            asked.body,
            "grant_type=refresh_token&service=s&client_id=bkcache&scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull&refresh_token=a%26b"
        );
    }

    #[test]
    fn a_registry_never_decides_that_tokens_go_over_plain_http() {
        let operation = Operation::new("resolve", "r/app", &"r.example/app".parse().unwrap());
        let check = |realm: &str, registry: &str, insecure: bool| {
            let transport = Transport::new(&ClientOptions { insecure, ..ClientOptions::default() }).unwrap();
            let checked = check_realm(realm, &Url::parse(registry).unwrap(), &transport, &operation);
            assert!(
                !checked.as_ref().is_err_and(|error| error.to_string().contains("secret")),
                "{checked:?}"
            );
            checked.is_ok()
        };
        let (tls, local) = ("https://r.example", "http://127.0.0.1:5000");
        assert!(check("https://auth.example/token", tls, false));
        assert!(check("http://127.0.0.1:5001/token", local, false));
        assert!(check("https://auth.example/token", local, false));
        assert!(!check("http://auth.example/token", tls, false));
        assert!(!check("http://127.0.0.1:5001/token", tls, false));
        assert!(!check("http://auth.example/token", local, false));
        assert!(!check("http://auth.example/token", tls, true));
        assert!(check("http://auth.example/token", "http://r.example", true));
        for realm in
            ["", "token", "http://me:secret@r/?sig=secret", "secret", "file:///etc/passwd", "data:,x"]
        {
            assert!(!check(realm, tls, true), "{realm}");
        }
    }
}
