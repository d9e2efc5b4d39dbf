//! One HTTP request and its answer: connections, time limits, redirects.
//!
//! It knows nothing of registries and requests no credentials. The authorization and the body of a request go to the host
//! of that request and to no other, and never from HTTPS to HTTP.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url, redirect};
use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use crate::error::{Operation, RequestFailure, RetryAfter};
use crate::http::loopback::is_loopback;
use crate::http::peer::Peer;
use crate::http::silence::SilenceWatch;
use crate::http::tls::Tls;
use crate::lock::lock;
use crate::options::ClientOptions;

/// The most redirects that one request may follow.
const MOST_REDIRECTS: usize = 5;
/// How many times longer than usual the answer may take if the registry has to store something first.
pub(crate) const STORING: u32 = 10;
const CONNECT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("bkcache/", env!("CARGO_PKG_VERSION"));

/// A request that can be sent more than once.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How many times longer than usual the answer may take.
    pub(crate) patience_factor: u32,
}

impl Request {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), patience_factor: 1 }
    }

    /// Whether it changes nothing on the server.
    pub(crate) fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

/// The sending end of a body that is streamed.
pub(crate) type BodySender = mpsc::Sender<Bytes>;

/// The head of an answer. Its body has not been read yet.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// The URL that answered, after redirects.
    pub(crate) url: Url,
    /// Whether it answered for another host than the request was for.
    pub(crate) elsewhere: bool,
    /// Dropping it would break off the request's body, and with it the connection, before the answer is read.
    pub(crate) _body: Option<BodySender>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The value of a header, if it is text.
    pub(crate) fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The digest that the registry states, if it states one. Some registries send an empty header.
    pub(crate) fn content_digest(&self) -> Option<&str> {
        self.header("docker-content-digest").map(str::trim).filter(|digest| !digest.is_empty())
    }

    /// When the server may be asked again; `None` if it says nothing of that.
    pub(crate) fn retry_after(&self) -> Option<RetryAfter> {
        let wait = self.header(RETRY_AFTER).and_then(retry_after).filter(|wait| !wait.is_zero());
        let is_rate_limit = self.status() == StatusCode::TOO_MANY_REQUESTS;
        (wait.is_some() || is_rate_limit).then_some(RetryAfter { wait, is_rate_limit })
    }

    /// `Content-Length`, of an answer to HEAD too.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }
}

/// Connections, and the limit of requests that use them at once.
#[derive(Debug)]
pub(crate) struct Transport {
    tls: Tls,
    /// One for HTTP and one for HTTPS, each to other hosts and to this machine, which is never reached by a proxy.
    shared_clients: [OnceLock<reqwest::Client>; 4],
    /// The client for each origin: a shared one, or one with certificates of its own.
    clients: Mutex<HashMap<String, reqwest::Client>>,
    insecure: bool,
    silence: SilenceWatch,
    /// Bounds the requests that wait for the head of their answer. The holder of a permit waits for nothing else;
    /// otherwise a copy from a registry to itself could block itself.
    requests: Semaphore,
}

impl Transport {
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, Error> {
        Ok(Self {
            tls: Tls::new(options)?,
            shared_clients: Default::default(),
            clients: Mutex::default(),
            insecure: options.insecure,
            silence: SilenceWatch::new(options),
            requests: Semaphore::new(options.job.concurrency.max(1)),
        })
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// How long a server may be silent, and who hears of it.
    pub(crate) fn silence(&self) -> &SilenceWatch {
        &self.silence
    }

    /// Whether credentials may be sent to a URL.
    pub(crate) fn is_safe(&self, url: &Url) -> bool {
        url.scheme() == "https" || is_loopback(url) || self.insecure
    }

    /// The client with the connections for a URL.
    pub(crate) fn client(&self, url: &Url) -> Result<reqwest::Client, Error> {
        let origin = url.origin().ascii_serialization();
        if let Some(client) = lock(&self.clients).get(&origin) {
            return Ok(client.clone());
        }
        let own = if url.scheme() == "https" { self.tls.certificates_of(url)? } else { None };
        let client = match own {
            Some(certificates) => build(self.tls.config_with(&certificates)?, is_loopback(url))?,
            None => self.shared_client(url)?.clone(),
        };
        Ok(lock(&self.clients).entry(origin).or_insert(client).clone())
    }

    /// The client for hosts without certificates of their own.
    fn shared_client(&self, url: &Url) -> Result<&reqwest::Client, Error> {
        let (secure, loopback) = (url.scheme() == "https", is_loopback(url));
        let [plain, plain_loopback, tls, tls_loopback] = &self.shared_clients;
        let cell = match (secure, loopback) {
            (false, false) => plain,
            (false, true) => plain_loopback,
            (true, false) => tls,
            (true, true) => tls_loopback,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        // Without TLS the system's certificates are not read: that is slow, and fails if there are none.
        let config = if secure { self.tls.config()? } else { self.tls.without_roots()? };
        let client = build(config, loopback)?;
        Ok(cell.get_or_init(|| client))
    }

    /// Sends a request and follows its redirects.
    pub(crate) async fn exchange(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
        operation: &Operation,
    ) -> Result<Answer, RequestFailure> {
        if Handle::try_current().is_err() {
            return Err(Error::no_runtime(operation.verb, &operation.subject).into());
        }
        let mut url = request.url.clone();
        let mut elsewhere = false;
        for _ in 0..=MOST_REDIRECTS {
            // After a redirect to another host, credentials are never sent again, wherever that host redirects to.
            elsewhere |= url.origin() != request.url.origin();
            let mut sent = self.client(&url)?.request(request.method.clone(), url.clone());
            sent = sent.headers(request.headers.clone());
            if let Some(authorization) = authorization.filter(|_| !elsewhere && self.is_safe(&url)) {
                sent = sent.header(AUTHORIZATION, authorization);
            }
            if !request.body.is_empty() || has_body(&request.method) {
                sent = sent.header(CONTENT_LENGTH, request.body.len()).body(request.body.clone());
            }
            let response = self.head(sent, &url, request.patience_factor, operation).await?;
            let answer = Answer { response, url, elsewhere, _body: None };
            match self.redirect(request, &answer, operation)? {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        let reason = format_args!("the registry redirects more than {MOST_REDIRECTS} times");
        Err(operation.error(ErrorKind::Other, reason).into())
    }

    async fn head(
        &self,
        sent: reqwest::RequestBuilder,
        url: &Url,
        patience_factor: u32,
        operation: &Operation,
    ) -> Result<Response, RequestFailure> {
        // The semaphore is never closed.
        let _permit = self.requests.acquire().await;
        let patience = self.silence.limit().saturating_mul(patience_factor);
        match self.silence.bound(patience, url, operation, sent.send()).await {
            Some(Ok(response)) => {
                self.silence.heard(url);
                Ok(response)
            }
            Some(Err(cause)) => Err(operation.connection_failed(cause).into()),
            None => Err(operation.no_answer(patience).into()),
        }
    }

    /// The URL to which an answer redirects the request, if it does.
    fn redirect(
        &self,
        request: &Request,
        answer: &Answer,
        operation: &Operation,
    ) -> Result<Option<Url>, RequestFailure> {
        let status = answer.status();
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        if !request.reads() && !matches!(status.as_u16(), 307 | 308) {
            return Err(operation
                .error(
                    ErrorKind::Unsupported,
                    format_args!("the registry redirects it with {}", status.as_u16()),
                )
                .into());
        }
        match answer.response.headers().get(LOCATION) {
            Some(location) => {
                let to = follow(&answer.url, location, operation)?;
                // Another host gets no credentials, so it would refuse the next request, or store a part of a cache. And a
                // body may hold a secret for that host, such as an identity token.
                if !request.reads() && to.origin() != request.url.origin() {
                    let host = Peer::of(Some(&to)).server;
                    let reason = format_args!(
                        "the registry redirects it to another host, {host}, which must not receive it; if that is the \
                         registry to write to, name it instead"
                    );
                    return Err(operation.error(ErrorKind::Denied, reason).into());
                }
                Ok(Some(to))
            }
            None => {
                Err(operation.error(ErrorKind::Other, "the registry redirects it without a Location").into())
            }
        }
    }
}

fn build(config: ClientConfig, loopback: bool) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .tls_backend_preconfigured(config);
    if loopback {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|cause| {
        Error::new(ErrorKind::Other, "set up", "HTTP", &cause).with_cause(cause.without_url())
    })
}

/// Resolves a `Location` against the URL of its answer.
pub(crate) fn follow(from: &Url, location: &HeaderValue, operation: &Operation) -> Result<Url, Error> {
    let wrong = |reason: &str| operation.error(ErrorKind::Other, reason);
    let text = location.to_str().map_err(|_| wrong("the registry leads to a malformed URL"))?;
    let to = from.join(text).map_err(|_| wrong("the registry leads to a malformed URL"))?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") if to.has_host() => Ok(to),
        ("https", "http") => Err(wrong(
            "the registry leads from HTTPS to plain HTTP, which is not safe; a proxy in front of the registry may have to set X-Forwarded-Proto",
        )),
        _ => Err(wrong("the registry leads to a URL that is not HTTP")),
    }
}

/// The wait of a `Retry-After`: seconds, or the time until a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:10 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(retry_after(&soon).is_some_and(|wait| wait > Duration::from_secs(50)));
        assert_eq!((retry_after("soon"), retry_after("-1"), retry_after("")), (None, None, None));
    }

    #[test]
    fn a_location_is_relative_or_absolute_and_never_leads_from_https_to_http() {
        let operation = Operation::new("put", "r/app", &"r.example/app".parse().unwrap());
        let at = |from: &str, to: &str| {
            follow(&url(from), &HeaderValue::from_bytes(to.as_bytes()).unwrap(), &operation).map(String::from)
        };
        assert_eq!(at("https://r/v2/a?x=1", "/b?_state=c%3D").unwrap(), "https://r/b?_state=c%3D");
        assert_eq!(at("https://r/v2/a", "b").unwrap(), "https://r/v2/b");
        assert_eq!(at("http://r/v2/a", "https://s:1/b").unwrap(), "https://s:1/b");
        assert_eq!(at("http://r/v2/a", "http://s/b").unwrap(), "http://s/b");
        assert_eq!(at("https://r/v2/a", "//s/b").unwrap(), "https://s/b");
        for (from, to) in [
            ("https://r/", "http://r/"),
            ("http://r/", "file:///etc/passwd"),
            ("http://r/", "data:,x"),
            ("http://r/", "http://"),
            ("http://r/", "\u{e4}"),
        ] {
            assert!(at(from, to).is_err(), "{to}");
        }
    }
}
