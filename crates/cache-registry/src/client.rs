//! The client: its connections, and what is known of each registry; requests with authorization and retries.
//!
//! It repeats only what may be repeated. It knows no endpoint but the one that tells whether there is a registry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_ingest::{Error, ErrorKind, Event, Retries};
use cache_target::Repository;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode, Url, Version};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::sleep;

use crate::auth::{Auth, Scopes};
use crate::error::{About, Answered, Failure, is_certificate_failure, is_passing};
use crate::http::body::read_error;
use crate::http::transport::{Answer, Request, Transport, is_loopback};
use crate::lock::lock;
use crate::options::ClientOptions;

/// How often a request is made again with other credentials: others that wait for the same connections may use up a
/// short-lived token before it is this one's turn.
pub(crate) const MOST_REFUSALS: u32 = 3;
/// The longest wait that a registry may ask for.
const LONGEST_PATIENCE: Duration = Duration::from_secs(120);

/// Talks to registries. Clones share connections, tokens, and the limit of requests.
///
/// Plain HTTP is for hosts of this machine (unless certificates are named: then HTTPS is tried first) and for
/// [`insecure`](ClientOptions::insecure) clients; HTTP/2 where a registry offers it. Proxies are those of
/// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (`http://`, `https://`, `socks5://` or `socks5h://`), never for
/// this machine.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    transport: Transport,
    uploads: Semaphore,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// What is known of one registry.
#[derive(Debug, Default)]
pub(crate) struct Host {
    base: OnceCell<Url>,
    auth: Auth,
}

/// Where and as whom a request is made.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) scopes: Scopes,
    pub(crate) about: About,
}

impl Client {
    /// A client.
    ///
    /// Errors: a file of certificates that cannot be read or used. No registry is asked yet.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        let transport = Transport::new(&options)?;
        let uploads = Semaphore::new(options.job.concurrency.max(1));
        Ok(Self(Arc::new(Inner { options, transport, uploads, hosts: Mutex::default() })))
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Bounds the uploads under way. Whoever holds a permit may wait for requests and for a source, never for another
    /// permit.
    pub(crate) fn uploads(&self) -> &Semaphore {
        &self.0.uploads
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = lock(&self.0.hosts);
        hosts.entry(name.to_owned()).or_default().clone()
    }

    /// The URL of a path of the registry, as in `v2/app/tags/list`.
    pub(crate) async fn url(&self, call: &Call<'_>, path: &str) -> Result<Url, Error> {
        let base = self.repeat(&call.about, || self.base(call)).await?;
        base.join(path)
            .map_err(|cause| call.about.error(ErrorKind::Invalid, "it makes no URL").with_cause(cause))
    }

    /// Makes a request as often as it takes. The answer may be any but one that another try may change.
    pub(crate) async fn send(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Error> {
        self.repeat(&call.about, || self.attempt(call, request)).await
    }

    /// Does something again as long as that may help and the options allow it.
    pub(crate) async fn repeat<T, F>(&self, about: &About, attempt: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut retries = self.0.options.job.retries();
        loop {
            let failure = match attempt().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            self.wait(about, &mut retries, failure).await?;
        }
    }

    /// Waits before the next attempt; the error where there is none.
    pub(crate) async fn wait(
        &self,
        about: &About,
        retries: &mut Retries,
        failure: Failure,
    ) -> Result<(), Error> {
        let Failure { error, after } = failure;
        let asked = after.map_or(Duration::ZERO, |after| after.wait);
        if asked > LONGEST_PATIENCE {
            let reason = format_args!("{}; it asks to come back in {} s", error.reason(), asked.as_secs());
            return Err(about.error(error.kind(), reason).tried_enough());
        }
        let wait = if after.is_some_and(|after| after.is_limit) {
            retries.asked_to_wait(&error, asked)
        } else {
            retries.next_wait(&error).map(|wait| wait.max(asked))
        };
        let Some(wait) = wait else {
            return Err(if error.kind() == ErrorKind::Unavailable { error.tried_enough() } else { error });
        };
        let request = format!("{} {}", about.operation, about.subject);
        let (restarted, attempt) = (None, retries.attempt());
        self.0.options.job.event(&Event::Retrying {
            request: &request,
            restarted,
            attempt,
            wait,
            error: &error,
        });
        sleep(wait).await;
        Ok(())
    }

    /// One try, with the few more that a 401 may be worth.
    pub(crate) async fn attempt(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Failure> {
        let (transport, about) = (&self.0.transport, &call.about);
        let mut refusals = 0;
        loop {
            let authorization = self.authorization(call, &request.url).await?;
            let answer = transport.exchange(request, authorization.as_ref(), about).await?;
            if answer.status() == StatusCode::UNAUTHORIZED
                && refusals < MOST_REFUSALS
                && self.refused(call, authorization.as_ref(), &answer).await?
            {
                refusals += 1;
                continue;
            }
            if is_passing(answer.status()) {
                return Err(self.failure(answer, about).await);
            }
            return Ok(answer);
        }
    }

    /// Whether a URL is one of the registry, and not of a host that it sends to.
    pub(crate) async fn is_registry(&self, call: &Call<'_>, url: &Url) -> Result<bool, Failure> {
        Ok(self.base(call).await?.origin() == url.origin())
    }

    /// What to authorize a request to a URL with.
    pub(crate) async fn authorization(
        &self,
        call: &Call<'_>,
        url: &Url,
    ) -> Result<Option<HeaderValue>, Failure> {
        if !self.is_registry(call, url).await? {
            return Ok(None);
        }
        let host = self.host(call.repository.host());
        host.auth
            .authorization(
                (call.repository.path(), &call.scopes),
                &self.0.transport,
                &self.0.options,
                &call.about,
            )
            .await
    }

    /// Takes note of a 401; whether another try makes sense.
    pub(crate) async fn refused(
        &self,
        call: &Call<'_>,
        used: Option<&HeaderValue>,
        answer: &Answer,
    ) -> Result<bool, Failure> {
        if answer.elsewhere || !self.is_registry(call, &answer.url).await? {
            return Ok(false);
        }
        let host = self.host(call.repository.host());
        let from = (&answer.url, &self.0.transport);
        host.auth
            .refused(
                used,
                (call.repository.path(), &call.scopes),
                answer.response.headers(),
                from,
                &self.0.options,
                &call.about,
            )
            .await
    }

    /// An answer that another try may change.
    pub(crate) async fn failure(&self, answer: Answer, about: &About) -> Failure {
        let after = answer.retry_after();
        Failure { error: self.refusal(answer, about).await.1, after }
    }

    /// An answer that is not the one that is needed, and what was read of it.
    pub(crate) async fn refusal(&self, answer: Answer, about: &About) -> (Answered, Error) {
        let (status, elsewhere) = (answer.status(), answer.elsewhere);
        let server = answer.url.host_str().unwrap_or_default().to_owned();
        // How servers answer who does not speak TLS to them: Go's before it knows the version, others in words.
        let may_want_tls = status == StatusCode::BAD_REQUEST && answer.url.scheme() == "http";
        let is_bare = answer.response.version() == Version::HTTP_10;
        let body = read_error(answer.response, self.0.transport.stall(), about).await;
        let answered = Answered::new(status, &body);
        let error = if elsewhere {
            about.refused_elsewhere(&answered, &server)
        } else if may_want_tls && (is_bare || String::from_utf8_lossy(&body).contains("HTTPS")) {
            about.wants_tls(&answered)
        } else {
            about.refused(&answered)
        };
        (answered, error)
    }

    /// Where a registry answers: found out once, where there is a choice.
    async fn base(&self, call: &Call<'_>) -> Result<Url, Failure> {
        let host = self.host(call.repository.host());
        host.base.get_or_try_init(|| self.find_base(call)).await.cloned()
    }

    async fn find_base(&self, call: &Call<'_>) -> Result<Url, Failure> {
        let (transport, about, address) = (&self.0.transport, &call.about, address(call.repository.host()));
        let parse = |scheme: &str| {
            let url = Url::parse(&format!("{scheme}://{address}/"));
            url.map_err(|cause| about.error(ErrorKind::Invalid, "its host makes no URL").with_cause(cause))
        };
        let (https, http) = (parse("https")?, parse("http")?);
        if is_loopback(&http) && !transport.tls().is_asked_for() && !self.0.options.insecure {
            return Ok(http);
        }
        if !is_loopback(&http) && !self.0.options.insecure {
            return Ok(https);
        }
        let mut ping = Request::new(Method::GET, https.clone());
        ping.url.set_path("v2/");
        let failure = match transport.exchange(&ping, None, about).await {
            Ok(_) => return Ok(https),
            // It speaks TLS, and not with whom it should.
            Err(failure) if is_certificate_failure(&failure.error) => return Err(failure),
            Err(failure) => failure,
        };
        ping.url = http.clone();
        ping.url.set_path("v2/");
        // Where nothing answers to plain HTTP either, what was wrong with TLS says more.
        let Ok(answer) = transport.exchange(&ping, None, about).await else { return Err(failure) };
        // What sends to HTTPS, or understands no plain HTTP, is a registry with TLS that was not there just now.
        let speaks_http = !answer.elsewhere && answer.status() != StatusCode::BAD_REQUEST;
        if speaks_http { Ok(http) } else { Err(failure) }
    }
}

/// The name of the host that answers for a registry. Docker Hub is called `docker.io` and answers elsewhere.
fn address(host: &str) -> &str {
    if host == "docker.io" { "registry-1.docker.io" } else { host }
}
