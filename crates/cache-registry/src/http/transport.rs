//! One HTTP request and its answer: connections, time limits, redirects.
//!
//! It knows nothing of registries and asks for no credentials. What it is given to authorize a request, or to send
//! with it, goes to the host of that request and to no other, and never from HTTPS to HTTP.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url, redirect};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::error::{About, After, Failure};
use crate::http::tls::Tls;
use crate::options::ClientOptions;

/// The most redirects that one request may lead to.
const MOST_REDIRECTS: usize = 5;
/// How many times as long as for another answer is waited for that to what is to be stored.
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
    /// How many times as long as for another answer is waited for this one's.
    pub(crate) patience: u32,
}

impl Request {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), patience: 1 }
    }
}

/// The end of the queue that is filled.
pub(crate) type Sending = mpsc::Sender<Bytes>;

/// The head of an answer, its body still to come.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// Where it came from, after redirects.
    pub(crate) url: Url,
    /// Whether that is another host than the one that was asked.
    pub(crate) elsewhere: bool,
    /// Keeps the request's body from breaking off, and the connection with it, while the answer is read.
    pub(crate) _sending: Option<Sending>,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header's text, where there is one that is text.
    pub(crate) fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// How long the server wants to be left alone; `None` where it does not say.
    pub(crate) fn retry_after(&self) -> Option<After> {
        let wait = self.header(RETRY_AFTER).and_then(retry_after).filter(|wait| !wait.is_zero())?;
        Some(After { wait, is_limit: self.status() == StatusCode::TOO_MANY_REQUESTS })
    }

    /// The length that the header tells, for a HEAD too.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }
}

/// Connections, and how many requests may use them at once.
#[derive(Debug)]
pub(crate) struct Transport {
    tls: Tls,
    /// For HTTP and HTTPS, each to loopback and to other hosts: a request to loopback never goes to a proxy.
    clients: [OnceLock<reqwest::Client>; 4],
    insecure: bool,
    stall: Duration,
    /// Bounds the requests that wait for the head of their answer. Whoever holds one waits for nothing else, so that
    /// a copy from a registry to itself cannot lock itself out.
    requests: Semaphore,
}

impl Transport {
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, Error> {
        Ok(Self {
            tls: Tls::new(options)?,
            clients: Default::default(),
            insecure: options.insecure,
            stall: options.stall,
            requests: Semaphore::new(options.job.concurrency.max(1)),
        })
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// How long an answer may take.
    pub(crate) fn stall(&self) -> Duration {
        self.stall
    }

    /// Whether credentials may be sent to a URL.
    pub(crate) fn is_safe(&self, url: &Url) -> bool {
        url.scheme() == "https" || is_loopback(url) || self.insecure
    }

    /// The connections for a URL.
    pub(crate) fn client(&self, url: &Url) -> Result<&reqwest::Client, Error> {
        let (secure, loopback) = (url.scheme() == "https", is_loopback(url));
        let [plain, plain_loopback, tls, tls_loopback] = &self.clients;
        let place = match (secure, loopback) {
            (false, false) => plain,
            (false, true) => plain_loopback,
            (true, false) => tls,
            (true, true) => tls_loopback,
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        // Reading the system's certificates takes a while, and fails where there are none.
        let config = if secure { self.tls.config()? } else { self.tls.without_roots()? };
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .tls_backend_preconfigured(config);
        if loopback {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|cause| {
            Error::new(ErrorKind::Other, "set up", "HTTP", &cause).with_cause(cause.without_url())
        })?;
        Ok(place.get_or_init(|| client))
    }

    /// Sends a request and follows its redirects.
    pub(crate) async fn exchange(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
        about: &About,
    ) -> Result<Answer, Failure> {
        let mut url = request.url.clone();
        let mut elsewhere = false;
        for _ in 0..=MOST_REDIRECTS {
            // Who was sent away does not come back with credentials, to wherever another host says.
            elsewhere |= url.origin() != request.url.origin();
            let mut sent = self.client(&url)?.request(request.method.clone(), url.clone());
            sent = sent.headers(request.headers.clone());
            if let Some(authorization) = authorization.filter(|_| !elsewhere && self.is_safe(&url)) {
                sent = sent.header(AUTHORIZATION, authorization);
            }
            if !request.body.is_empty() || has_body(&request.method) {
                sent = sent.header(CONTENT_LENGTH, request.body.len()).body(request.body.clone());
            }
            let response = self.head(sent, request.patience, about).await?;
            let answer = Answer { response, url, elsewhere, _sending: None };
            match self.redirect(request, &answer, about)? {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        let reason = format_args!("the registry redirects more than {MOST_REDIRECTS} times");
        Err(about.error(ErrorKind::Other, reason).into())
    }

    async fn head(
        &self,
        sent: reqwest::RequestBuilder,
        patience: u32,
        about: &About,
    ) -> Result<Response, Failure> {
        // The semaphore is never closed.
        let _permit = self.requests.acquire().await;
        let patience = self.stall.saturating_mul(patience);
        match timeout(patience, sent.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) => Err(about.broken(cause).into()),
            Err(_) => Err(about.silence(patience).into()),
        }
    }

    /// Where an answer sends the request, if anywhere.
    fn redirect(&self, request: &Request, answer: &Answer, about: &About) -> Result<Option<Url>, Failure> {
        let status = answer.status();
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let reads = request.method == Method::GET || request.method == Method::HEAD;
        if !reads && !matches!(status.as_u16(), 307 | 308) {
            return Err(about
                .error(ErrorKind::Unsupported, format_args!("it is redirected with {}", status.as_u16()))
                .into());
        }
        match answer.response.headers().get(LOCATION) {
            Some(location) => {
                let to = follow(&answer.url, location, about)?;
                // A body may hold what only that host may know, as a token that is kept for the next login.
                if !request.body.is_empty() && to.origin() != request.url.origin() {
                    let reason = "it is redirected to another host, which may not get what is sent";
                    return Err(about.error(ErrorKind::Denied, reason).into());
                }
                Ok(Some(to))
            }
            None => Err(about.error(ErrorKind::Other, "it is redirected to nowhere").into()),
        }
    }
}

/// Where a `Location` leads from a URL.
pub(crate) fn follow(from: &Url, location: &HeaderValue, about: &About) -> Result<Url, Error> {
    let wrong = |reason: &str| about.error(ErrorKind::Other, reason);
    let text = location.to_str().map_err(|_| wrong("it is sent to what is no URL"))?;
    let to = from.join(text).map_err(|_| wrong("it is sent to what is no URL"))?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") if to.has_host() => Ok(to),
        ("https", "http") => Err(wrong(
            "it is sent from HTTPS to plain HTTP, which is not safe; a proxy before the registry may have to set X-Forwarded-Proto",
        )),
        _ => Err(wrong("it is sent to what is no URL of HTTP")),
    }
}

/// What `Retry-After` says: seconds, or a date.
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

/// Whether a URL is one of this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
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
    fn loopback_is_this_machine_by_any_of_its_addresses() {
        for text in
            ["http://localhost:1/", "http://127.0.0.1/", "http://127.9.8.7:5/", "https://[::1]:5000/x"]
        {
            assert!(is_loopback(&url(text)), "{text}");
        }
        for text in [
            "http://localhost.example.com/",
            "http://128.0.0.1/",
            "http://[::2]/",
            "http://127.0.0.1.nip.io/",
        ] {
            assert!(!is_loopback(&url(text)), "{text}");
        }
    }

    #[test]
    fn a_location_is_relative_or_absolute_and_never_leads_from_https_to_http() {
        let about = About { operation: "put", subject: "r/app".into(), host: "r".into() };
        let at = |from: &str, to: &str| {
            follow(&url(from), &HeaderValue::from_bytes(to.as_bytes()).unwrap(), &about).map(String::from)
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
