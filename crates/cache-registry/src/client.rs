//! The client: connections, tokens and limits for all registries, and requests with authorization and retries.
//!
//! Every request that is repeated here can be repeated safely. It knows no operation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cache_ingest::{Error, ErrorKind, Event, Retries};
use cache_target::Repository;
use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url, Version};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::auth::Auth;
use crate::auth::scopes::Scopes;
use crate::call::Call;
use crate::endpoint::find_endpoint;
use crate::error::{Operation, RequestFailure};
use crate::error_response::{ErrorResponse, is_transient};
use crate::http::body::read_error;
use crate::http::connection_error::is_unknown_name;
use crate::http::pending_answer::PendingAnswer;
use crate::http::transport::{Answer, Request, Transport, follow};
use crate::lock::lock;
use crate::options::ClientOptions;
use crate::shared_attempt::SharedAttempt;

/// How often a request is authorized anew after a 401. A short-lived token may expire while the request waits for a
/// connection.
pub(crate) const MOST_REAUTHORIZATIONS: u32 = 3;
/// How often in a row the name of a host is looked up. It is more often mistyped than missing for a while.
const MOST_LOOKUPS: u32 = 3;
/// The most large blobs that are uploaded at once. An interrupted upload is lost, so some are finished before others begin.
/// BuildKit and Docker upload four or five layers at once.
const MOST_LARGE_UPLOADS: usize = 4;
/// How long the last request of an upload that is given up may take to end in good order.
const LAST_REQUEST: Duration = Duration::from_secs(1);
/// How long a registry may take to notice that a request has been broken off. It refuses to end an upload that it still
/// receives.
const BROKEN_OFF: Duration = Duration::from_millis(200);
/// The longest `Retry-After` that is heeded.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// A client of registries. Clones share connections, tokens, and the limit of requests.
///
/// It uses HTTPS, with HTTP/2 if the registry supports it. Plain HTTP is used for hosts of this machine (if the options
/// name certificates, HTTPS is tried first), and as a fallback by [`insecure`](ClientOptions::insecure) clients. Proxies
/// are read from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (`http://`, `https://`, `socks5://` or
/// `socks5h://`), and never used for this machine.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    transport: Arc<Transport>,
    uploads: Semaphore,
    large_uploads: Semaphore,
    /// The requests that end uploads which were given up.
    cancellations: Mutex<JoinSet<()>>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    /// The authorization at hosts to which registries redirect, by their origin and the path of the repository.
    elsewhere: Mutex<HashMap<(String, String), Arc<Auth>>>,
}

/// The endpoint and the authorization of one registry.
#[derive(Debug)]
struct Host {
    /// Its scheme, host and port.
    endpoint: OnceLock<Url>,
    finding: SharedAttempt,
    auth: Auth,
}

/// Where an upload is after its last request.
enum LastLocation {
    /// It is stored.
    Stored,
    /// At the URL in the answer.
    Moved(Url),
    /// Where it was before, as far as is known.
    Unknown,
}

impl Client {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// A file of certificates cannot be read or used.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        let transport = Arc::new(Transport::new(&options)?);
        let concurrency = options.job.concurrency.max(1);
        Ok(Self(Arc::new(Inner {
            options,
            transport,
            uploads: Semaphore::new(concurrency),
            large_uploads: Semaphore::new(concurrency.min(MOST_LARGE_UPLOADS)),
            cancellations: Mutex::default(),
            hosts: Mutex::default(),
            elsewhere: Mutex::default(),
        })))
    }

    /// Waits until the registries have ended the uploads that were given up, for `limit` at most.
    ///
    /// An upload is given up when its future is dropped or fails. The registry is then asked to end it, as it would
    /// otherwise keep its bytes for days. That happens on the runtime of the upload, which should not end before.
    pub async fn settle(&self, limit: Duration) {
        if Handle::try_current().is_err() {
            return;
        }
        let ended = async {
            loop {
                // More uploads may be given up meanwhile.
                let mut cancellations = std::mem::take(&mut *lock(&self.0.cancellations));
                if cancellations.is_empty() {
                    return;
                }
                while cancellations.join_next().await.is_some() {}
            }
        };
        // What is not ended by then is given up, too.
        let _ = timeout(limit, ended).await;
    }

    /// Asks a registry to end an upload, after its last request and without waiting for either. A refusal is ignored:
    /// docker-registry removes an upload after a week.
    pub(crate) fn cancel_upload(&self, call: &Call<'_>, location: Url, last: Option<PendingAnswer>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (client, repository) = (self.clone(), call.repository.clone());
        let (scopes, operation) = (call.scopes.clone(), call.operation.clone());
        let cancelling = async move {
            let call = Call { repository: &repository, scopes, operation };
            let location = match last_location(last, &call.operation).await {
                LastLocation::Stored => return,
                LastLocation::Moved(location) => location,
                LastLocation::Unknown => {
                    sleep(BROKEN_OFF).await;
                    location
                }
            };
            if let Ok(true) = client.is_registry(&call, &location).await
                && let Ok(authorization) = client.authorization(&call, &location).await
            {
                let request = Request::new(Method::DELETE, location);
                let transport = client.transport();
                let _ = transport.exchange(&request, authorization.as_ref(), &call.operation).await;
            }
        };
        self.spawn_cancellation(cancelling, &runtime);
    }

    fn spawn_cancellation(&self, cancelling: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
        let mut cancellations = lock(&self.0.cancellations);
        // Those that have ended are dropped here, since a client may live for long without `settle`.
        while cancellations.try_join_next().is_some() {}
        cancellations.spawn_on(cancelling, runtime);
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Bounds the uploads under way. The holder of a permit may wait for requests and for a source, never for another
    /// permit.
    pub(crate) fn uploads(&self) -> &Semaphore {
        &self.0.uploads
    }

    /// Bounds the uploads of large blobs. Its permit is acquired before that of [`uploads`](Self::uploads).
    pub(crate) fn large_uploads(&self) -> &Semaphore {
        &self.0.large_uploads
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = lock(&self.0.hosts);
        let new = || {
            let auth = Auth::new(name, &self.0.options, self.0.transport.clone());
            Arc::new(Host { endpoint: OnceLock::new(), finding: SharedAttempt::default(), auth })
        };
        hosts.entry(name.to_owned()).or_insert_with(new).clone()
    }

    /// The authorization at a host to which a registry redirects: anonymous, as no credentials are for it. Each repository has
    /// its own, since the scopes are those that the host names.
    fn elsewhere(&self, url: &Url, repository: &Repository) -> Arc<Auth> {
        let key = (url.origin().ascii_serialization(), repository.path().to_owned());
        let new = || Arc::new(Auth::elsewhere(self.0.transport.clone()));
        lock(&self.0.elsewhere).entry(key).or_insert_with(new).clone()
    }

    /// The URL of a path of the registry, such as `v2/app/tags/list`.
    pub(crate) async fn url(&self, call: &Call<'_>, path: &str) -> Result<Url, Error> {
        let endpoint = self.repeat(&call.operation, || self.endpoint(call)).await?;
        endpoint.join(path).map_err(|cause| {
            call.operation.error(ErrorKind::Invalid, "its URL is malformed").with_cause(cause)
        })
    }

    /// Sends a request, and again as often as the options allow if the failure or the answer is transient.
    ///
    /// An answer of any other status is returned.
    pub(crate) async fn send(&self, call: &Call<'_>, request: &Request) -> Result<Answer, Error> {
        self.repeat(&call.operation, || self.attempt(call, request)).await
    }

    /// Repeats an attempt as long as its failure is transient and the job allows it.
    pub(crate) async fn repeat<T, F>(
        &self,
        operation: &Operation,
        attempt: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, RequestFailure>>,
    {
        let mut retries = self.0.options.job.retries();
        loop {
            let failure = match attempt().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            self.wait(operation, &mut retries, failure).await?;
        }
    }

    /// Waits before the next attempt; an error if there is none.
    pub(crate) async fn wait(
        &self,
        operation: &Operation,
        retries: &mut Retries,
        failure: RequestFailure,
    ) -> Result<(), Error> {
        let RequestFailure { error, retry_after } = failure;
        let asked = retry_after.and_then(|after| after.wait);
        if let Some(asked) = asked.filter(|asked| *asked > LONGEST_WAIT) {
            let reason = format_args!("{}; it asks to wait {} s", error.reason(), asked.as_secs());
            return Err(operation.error(error.kind(), reason).tried_enough());
        }
        let wait = if retry_after.is_some_and(|after| after.is_rate_limit) {
            retries.limited_wait(&error, asked)
        } else if is_unknown_name(&error) {
            retries.next_wait_of_few(&error, MOST_LOOKUPS)
        } else {
            retries.next_wait(&error).map(|wait| wait.max(asked.unwrap_or_default()))
        };
        let Some(wait) = wait else {
            return Err(if error.kind() == ErrorKind::Unavailable { error.tried_enough() } else { error });
        };
        let request = format!("{} {}", operation.verb, operation.subject);
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

    /// Sends a request once, and again after each 401 that has taught how to authorize it.
    pub(crate) async fn attempt(&self, call: &Call<'_>, request: &Request) -> Result<Answer, RequestFailure> {
        let (transport, operation) = (&self.0.transport, &call.operation);
        let mut reauthorizations = 0;
        loop {
            let authorization = self.authorization(call, &request.url).await?;
            let answer = transport.exchange(request, authorization.as_ref(), operation).await?;
            if answer.status() == StatusCode::UNAUTHORIZED
                && reauthorizations < MOST_REAUTHORIZATIONS
                && self.learn(call, authorization.as_ref(), &answer).await?
            {
                reauthorizations += 1;
                continue;
            }
            let answer = self.authorize_elsewhere(call, request, answer).await?;
            if is_transient(answer.status()) {
                return Err(self.transient_failure(answer, operation).await);
            }
            return Ok(answer);
        }
    }

    /// Sends a request as [`attempt`](Self::attempt) does. It goes on to its end if its answer is no longer waited for.
    pub(crate) fn attempt_to_its_end(
        &self,
        call: &Call<'_>,
        request: Request,
    ) -> Result<PendingAnswer, Error> {
        let (client, repository) = (self.clone(), call.repository.clone());
        let (scopes, operation) = (call.scopes.clone(), call.operation.clone());
        PendingAnswer::spawn(&call.operation, async move {
            let call = Call { repository: &repository, scopes, operation };
            client.attempt(&call, &request).await
        })
    }

    /// The answer to a request for reading that was redirected, after the other host has got the token that it wants.
    ///
    /// Its token server is asked for an anonymous token: the credentials are for the registry alone.
    async fn authorize_elsewhere(
        &self,
        call: &Call<'_>,
        request: &Request,
        mut answer: Answer,
    ) -> Result<Answer, RequestFailure> {
        let operation = call.operation.clone();
        let call = Call { repository: call.repository, scopes: Scopes::default(), operation };
        let mut used = None;
        for _ in 0..MOST_REAUTHORIZATIONS {
            if !request.reads() || !answer.elsewhere || answer.status() != StatusCode::UNAUTHORIZED {
                break;
            }
            let auth = self.elsewhere(&answer.url, call.repository);
            if !auth.learn(&call, used.as_ref(), &answer).await? {
                break;
            }
            used = auth.authorization(&call).await?;
            let there = Request { url: answer.url.clone(), ..request.clone() };
            let again = self.0.transport.exchange(&there, used.as_ref(), &call.operation).await?;
            answer = Answer { elsewhere: true, ..again };
        }
        Ok(answer)
    }

    /// Whether a URL belongs to the registry itself, and not to a host to which it redirects.
    pub(crate) async fn is_registry(&self, call: &Call<'_>, url: &Url) -> Result<bool, RequestFailure> {
        Ok(self.endpoint(call).await?.origin() == url.origin())
    }

    /// The value of `Authorization` for a request to a URL.
    pub(crate) async fn authorization(
        &self,
        call: &Call<'_>,
        url: &Url,
    ) -> Result<Option<HeaderValue>, RequestFailure> {
        if !self.is_registry(call, url).await? {
            return Ok(None);
        }
        self.host(call.repository.host()).auth.authorization(call).await
    }

    /// Learns from a 401. Returns whether to try again.
    pub(crate) async fn learn(
        &self,
        call: &Call<'_>,
        used: Option<&HeaderValue>,
        answer: &Answer,
    ) -> Result<bool, RequestFailure> {
        if answer.elsewhere || !self.is_registry(call, &answer.url).await? {
            return Ok(false);
        }
        self.host(call.repository.host()).auth.learn(call, used, answer).await
    }

    /// The failure of an answer with a transient status.
    pub(crate) async fn transient_failure(&self, answer: Answer, operation: &Operation) -> RequestFailure {
        let retry_after = answer.retry_after();
        RequestFailure { error: self.read_refusal(answer, operation).await.1, retry_after }
    }

    /// Reads an answer that is no success. Returns what it reports, and the error for it.
    pub(crate) async fn read_refusal(&self, answer: Answer, operation: &Operation) -> (ErrorResponse, Error) {
        let (status, elsewhere) = (answer.status(), answer.elsewhere);
        let server = answer.url.host_str().unwrap_or_default().to_owned();
        // So servers with TLS answer plain HTTP: Go's with HTTP/1.0, others with a text.
        let may_expect_tls = status == StatusCode::BAD_REQUEST && answer.url.scheme() == "http";
        let is_http_1_0 = answer.response.version() == Version::HTTP_10;
        let body = read_error(answer.response, self.0.transport.silence(), operation).await;
        let has_https = String::from_utf8_lossy(&body).contains("HTTPS");
        let response = ErrorResponse::new(status, &body);
        let error = if elsewhere {
            operation.refused_elsewhere(&response, &server)
        } else if may_expect_tls && !response.has_codes() && (is_http_1_0 || has_https) {
            operation.wants_tls(&response)
        } else {
            let repository = &operation.repository;
            let host = self.host(repository.host());
            operation.refused(&response, |refusal| host.auth.advice(repository, refusal))
        };
        (response, error)
    }

    /// The scheme, host and port of a registry. If there is a choice, it is found out once.
    async fn endpoint(&self, call: &Call<'_>) -> Result<Url, RequestFailure> {
        let host = self.host(call.repository.host());
        let find = async {
            let found = find_endpoint(call, &self.0.transport, self.0.options.insecure).await?;
            Ok(host.endpoint.get_or_init(|| found).clone())
        };
        host.finding.get(&call.operation, || host.endpoint.get().cloned(), find).await
    }
}

/// Waits for a while until the last request of an upload has ended, and breaks it off then.
async fn last_location(last: Option<PendingAnswer>, operation: &Operation) -> LastLocation {
    let Some(mut last) = last else { return LastLocation::Unknown };
    let Ok(answer) = timeout(LAST_REQUEST, last.answer()).await else {
        last.break_off();
        return LastLocation::Unknown;
    };
    let Ok(answer) = answer else { return LastLocation::Unknown };
    match (answer.status(), answer.response.headers().get(LOCATION)) {
        // Its `Location` is that of the blob.
        (StatusCode::CREATED, _) => LastLocation::Stored,
        (StatusCode::ACCEPTED, Some(location)) => {
            follow(&answer.url, location, operation).map_or(LastLocation::Unknown, LastLocation::Moved)
        }
        _ => LastLocation::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancellations_are_forgotten_when_they_have_ended_and_waited_for_when_they_come_late() {
        let client = Client::new(ClientOptions::default()).unwrap();
        let (runtime, count) = (Handle::current(), |client: &Client| lock(&client.0.cancellations).len());
        for _ in 0..10 {
            client.spawn_cancellation(async {}, &runtime);
            tokio::task::yield_now().await;
        }
        assert_eq!(count(&client), 1);
        let (late, ended) = (client.clone(), Arc::new(Semaphore::new(0)));
        let done = ended.clone();
        let first = async move {
            let last = async move {
                sleep(Duration::from_millis(50)).await;
                done.add_permits(1);
            };
            late.spawn_cancellation(last, &Handle::current());
        };
        client.spawn_cancellation(first, &runtime);
        client.settle(Duration::from_secs(60)).await;
        assert_eq!((ended.available_permits(), count(&client)), (1, 0));
    }

    #[test]
    fn outside_of_a_runtime_nothing_is_waited_for() {
        let client = Client::new(ClientOptions::default()).unwrap();
        let mut settling = Box::pin(client.settle(Duration::from_secs(60)));
        let poll = settling.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert!(poll.is_ready());
    }
}
