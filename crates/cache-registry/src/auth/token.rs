//! Tokens: asked for at the server that the registry names, and kept until they expire.
//!
//! Docker's token specification, and OAuth 2 where the credentials are an identity token. A registry never decides
//! that credentials go over plain HTTP.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::credentials::Credentials;
use crate::error::{About, After, Answered, Failure, is_passing, printable};
use crate::http::body::read_all;
use crate::http::transport::{Answer, Request, Transport};
use crate::lock::lock;

/// The largest answer of a token server, in bytes.
const LIMIT: u64 = 1 << 20;
/// How many seconds a token lives that does not say (Docker's token specification).
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

/// The place of the token for some scopes.
#[derive(Debug, Default)]
pub(super) struct Slot {
    token: Mutex<Option<Token>>,
    /// How often it was asked for in vain, and what came of it last.
    failures: Mutex<(u64, Option<Outcome>)>,
    /// Held by the one who asks for a token.
    fetching: tokio::sync::Mutex<()>,
}

/// A failure in the words that are the same for whoever waited for the token.
type Outcome = (ErrorKind, String, Option<After>);

impl Slot {
    /// The token, where there is one that has not expired.
    pub(super) fn live(&self) -> Option<HeaderValue> {
        let token = lock(&self.token);
        token.as_ref().filter(|token| Instant::now() < token.renew_at).map(|token| token.header.clone())
    }

    /// The token that is there, or the one that is fetched, once for all who wait. They share a failure, too: a
    /// token server that is silent is not waited for by one after the other.
    pub(super) async fn get<F>(&self, about: &About, fetch: F) -> Result<HeaderValue, Failure>
    where
        F: Future<Output = Result<Token, Failure>>,
    {
        if let Some(header) = self.live() {
            return Ok(header);
        }
        let before = lock(&self.failures).0;
        let _one_at_a_time = self.fetching.lock().await;
        if let Some(header) = self.live() {
            return Ok(header);
        }
        if let (now, Some((kind, reason, after))) = lock(&self.failures).clone()
            && now != before
        {
            return Err(Failure { error: about.error(kind, reason), after });
        }
        match fetch.await {
            Ok(token) => Ok(self.keep(token)),
            Err(failure) => {
                let outcome = (failure.error.kind(), failure.error.reason().to_owned(), failure.after);
                let mut failures = lock(&self.failures);
                *failures = (failures.0.wrapping_add(1), Some(outcome));
                Err(failure)
            }
        }
    }

    fn keep(&self, token: Token) -> HeaderValue {
        let header = token.header.clone();
        *lock(&self.token) = Some(token);
        header
    }

    /// Throws the token away, if it is this one.
    pub(super) fn forget(&self, header: &HeaderValue) {
        lock(&self.token).take_if(|token| token.header == *header);
    }
}

/// Whether tokens may be asked for where a registry says.
pub(super) fn check_realm(
    realm: &str,
    registry: &Url,
    transport: &Transport,
    about: &About,
) -> Result<(), Error> {
    let parsed = Url::parse(realm);
    // Not the whole of it: the rest may be signed.
    let shown = match &parsed {
        Ok(url) if url.has_host() => format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()),
        _ => "nowhere".to_owned(),
    };
    let reason = match parsed {
        Ok(url) if url.scheme() == "https" && url.has_host() => return Ok(()),
        Ok(url) if url.scheme() == "http" && url.has_host() => {
            // What came over TLS must not lead to where anyone can listen, not even on this machine.
            if registry.scheme() == "http" && transport.is_safe(&url) {
                return Ok(());
            }
            "over plain HTTP, which is not safe"
        }
        _ => "by what is no URL of HTTP",
    };
    let reason = format_args!("the registry sends for a token to {}, {reason}", printable(&shown));
    Err(about.error(ErrorKind::Denied, reason))
}

/// Asks for a token.
pub(super) async fn fetch(
    realm: &str,
    service: &str,
    scopes: &[String],
    credentials: &Credentials,
    transport: &Transport,
    about: &About,
) -> Result<Token, Failure> {
    let url = Url::parse(realm)
        .map_err(|cause| about.error(ErrorKind::Other, "its token server has no URL").with_cause(cause))?;
    let server = url.host_str().unwrap_or_default().to_owned();
    let request = request(url, service, scopes, credentials);
    let authorization = credentials.basic();
    let answer = transport.exchange(&request, authorization.as_ref(), about).await?;
    understand(answer, &server, transport, about).await
}

fn request(mut url: Url, service: &str, scopes: &[String], credentials: &Credentials) -> Request {
    if let Credentials::IdentityToken(secret) = credentials {
        let mut form = Url::parse("form:").unwrap_or_else(|_| url.clone());
        form.query_pairs_mut()
            .clear()
            .append_pair("grant_type", "refresh_token")
            .append_pair("service", service)
            .append_pair("client_id", CLIENT_ID)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("refresh_token", secret.reveal());
        let mut request = Request::new(Method::POST, url);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.body = Bytes::from(form.query().unwrap_or_default().to_owned());
        return request;
    }
    {
        let mut query = url.query_pairs_mut();
        if !service.is_empty() {
            query.append_pair("service", service);
        }
        for scope in scopes {
            query.append_pair("scope", scope);
        }
        query.append_pair("client_id", CLIENT_ID);
        if let Credentials::Password { username, .. } = credentials {
            query.append_pair("account", username);
        }
    }
    let mut request = Request::new(Method::GET, url);
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
}

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<f64>,
}

async fn understand(
    answer: Answer,
    server: &str,
    transport: &Transport,
    about: &About,
) -> Result<Token, Failure> {
    let (status, after) = (answer.status(), answer.retry_after());
    let body = read_all(answer.response, LIMIT, transport.stall(), about).await?;
    if !status.is_success() {
        let answered = Answered::new(status, &body);
        let error = about.refused(&answered);
        let reason = format_args!("at the token server {}: {}", printable(server), error.reason());
        let kind = if is_passing(status) { ErrorKind::Unavailable } else { ErrorKind::Denied };
        return Err(Failure { error: about.error(kind, reason), after });
    }
    let lies = |what: &str| {
        about.error(ErrorKind::Other, format_args!("the token server {} gives {what}", printable(server)))
    };
    // The cause may quote the token.
    let given: Given = serde_json::from_slice(&body).map_err(|_| lies("no token"))?;
    let text = [given.token, given.access_token].into_iter().flatten().find(|text| !text.is_empty());
    let text = text.ok_or_else(|| lies("no token"))?;
    let mut header =
        HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| lies("a token that cannot be sent"))?;
    header.set_sensitive(true);
    let life = life(given.expires_in);
    Ok(Token { header, renew_at: Instant::now() + life })
}

/// How long a token is used that says it lives so many seconds.
fn life(seconds: Option<f64>) -> Duration {
    let believed = seconds.filter(|seconds| *seconds >= 1.0).unwrap_or(DEFAULT_LIFE);
    let life = Duration::try_from_secs_f64(believed).unwrap_or(Duration::MAX);
    let life = life.min(Duration::from_secs(LONGEST_LIFE));
    life.saturating_sub(EARLY.min(life / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let asked = request(url.clone(), "the registry", &scopes, &password);
        assert_eq!(
            asked.url.as_str(),
            "https://auth.example/token?x=y&service=the+registry&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull&client_id=bkcache&account=me"
        );
        let identity = Credentials::IdentityToken(Secret::new("a&b"));
        let asked = request(url, "s", &scopes, &identity);
        assert_eq!((asked.method, asked.url.query()), (Method::POST, Some("x=y")));
        assert_eq!(
            asked.body,
            "grant_type=refresh_token&service=s&client_id=bkcache&scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull&refresh_token=a%26b"
        );
    }

    #[test]
    fn a_registry_never_decides_that_tokens_go_over_plain_http() {
        let about = About { operation: "resolve", subject: "r/app".into(), host: "r".into() };
        let check = |realm: &str, registry: &str, insecure: bool| {
            let transport = Transport::new(&ClientOptions { insecure, ..ClientOptions::default() }).unwrap();
            let checked = check_realm(realm, &Url::parse(registry).unwrap(), &transport, &about);
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
