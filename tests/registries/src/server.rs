//! A server on a free port of loopback, with a script of faults and a record of requests.
//!
//! It knows no service by name. It stops when it is dropped.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::fault::{Fault, On, Script};
use crate::message::{Answer, Request, Seen};
use crate::wire::{Delivery, Head, Wire};

/// Answers requests.
pub trait Service: Send + Sync + 'static {
    /// The answer to a request. The base is the URL by which the client addressed the server, such as `http://127.0.0.1:5000`.
    fn answer(&self, request: &Request, base: &str) -> Answer;
}

/// A service on a port.
#[derive(Debug)]
pub struct Server<S> {
    /// The service, which may be inspected and changed at any time.
    pub service: Arc<S>,
    address: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Script>,
    record: Mutex<Record>,
    connections: Mutex<usize>,
}

#[derive(Debug, Default)]
struct Record {
    /// How many requests were removed from the record.
    forgotten: usize,
    seen: Vec<Seen>,
    /// The bytes sent to each so far. They are counted before they are sent, so no client has received more.
    sent: Vec<Arc<AtomicU64>>,
}

impl<S: Service + fmt::Debug> Server<S> {
    /// Listens for plain HTTP.
    pub async fn start(service: S) -> Self {
        Self::listen(Arc::new(service), None).await
    }

    /// Listens for TLS.
    pub async fn start_tls(service: S, config: Arc<ServerConfig>) -> Self {
        Self::listen(Arc::new(service), Some(config)).await
    }

    /// Another plain server for the same service, with a script and record of its own.
    pub async fn sibling(&self) -> Self {
        Self::listen(Arc::clone(&self.service), None).await
    }

    async fn listen(service: Arc<S>, config: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let tls = config.is_some();
        let acceptor = config.map(TlsAcceptor::from);
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&service), Arc::clone(&shared)));
        Self { service, address, tls, shared, accepting }
    }

    /// Host and port, as in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scheme, host and port, without a trailing slash.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// Sets a fault for future requests. Several may affect one request.
    pub fn fault(&self, on: On, fault: Fault) {
        self.shared.script.lock().unwrap().push(on, fault);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.shared.script.lock().unwrap().clear();
    }

    /// The requests so far, in the order of their heads.
    pub fn seen(&self) -> Vec<Seen> {
        let record = self.shared.record.lock().unwrap();
        let sent = record.sent.iter().map(|sent| sent.load(Relaxed));
        record.seen.iter().cloned().zip(sent).map(|(seen, sent)| Seen { sent, ..seen }).collect()
    }

    /// The requests so far with this method whose target contains the part.
    pub fn seen_with(&self, method: &str, part: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.is(method, part)).collect()
    }

    /// Clears the record.
    pub fn forget_seen(&self) {
        let mut record = self.shared.record.lock().unwrap();
        record.forgotten += record.seen.len();
        record.seen.clear();
        record.sent.clear();
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }
}

impl<S> Drop for Server<S> {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept<S: Service>(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    service: Arc<S>,
    shared: Arc<Shared>,
) {
    // Dropping the set drops its tasks, so no connection outlives the server.
    let mut tasks = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            Some(_) = tasks.join_next() => continue,
        };
        stream.set_nodelay(true).unwrap();
        let connection = {
            let mut connections = shared.connections.lock().unwrap();
            *connections += 1;
            *connections - 1
        };
        let (service, shared, acceptor) = (Arc::clone(&service), Arc::clone(&shared), acceptor.clone());
        tasks.spawn(async move {
            // An error is normal: the client may close the connection first.
            let _ = match acceptor {
                None => serve(Wire::new(stream), &*service, &shared, connection, "http").await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => serve(Wire::new(stream), &*service, &shared, connection, "https").await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

/// Answers the requests of a connection, until it ends or a fault ends it. Returning cuts it: a client that still sends
/// gets a reset.
async fn serve<C: AsyncRead + AsyncWrite + Unpin>(
    mut wire: Wire<C>,
    service: &impl Service,
    shared: &Shared,
    connection: usize,
    scheme: &str,
) -> io::Result<()> {
    loop {
        let head = wire.head().await?;
        let faults = shared.script.lock().unwrap().next(&head.method, &head.target);
        let (note, sent) = shared.note(connection, &head);
        let mut plan = Plan::new(&faults);

        if let Some(answer) = plan.early {
            shared.update(note, |seen| seen.status = Some(answer.status));
            wire.send(&answer, head.method == "HEAD", &plan.delivery, &sent).await?;
            wire.close().await?;
            return Ok(());
        }
        let body = wire.body(&head, plan.request_limit).await?;
        shared.update(note, |seen| seen.received = body.len());
        let complete = plan.request_limit == usize::MAX;
        let base = format!("{scheme}://{}", head.header("Host").unwrap_or_default());
        let bodiless = head.method == "HEAD";
        let closes = head.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let mut request =
            Request { method: head.method, target: head.target, headers: head.headers, body, complete };
        if plan.ignore_range {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Range"));
        }
        let mut answer = match plan.instead.take() {
            Some(answer) => answer,
            None if plan.unanswered => Answer::new(0),
            None => service.answer(&request, &base),
        };
        match plan.ending {
            Ending::CutNow => return Ok(()),
            Ending::Silent => std::future::pending().await,
            Ending::KeepAlive | Ending::CutAfter | Ending::SilentAfter => {}
        }
        for fault in &faults {
            apply(&mut answer, fault);
        }
        if let Some(delay) = plan.delay {
            tokio::time::sleep(delay).await;
        }
        shared.update(note, |seen| seen.status = Some(answer.status));
        wire.send(&answer, bodiless, &plan.delivery, &sent).await?;
        match plan.ending {
            Ending::SilentAfter => std::future::pending().await,
            Ending::KeepAlive if !closes => {}
            _ => return wire.close().await,
        }
    }
}

/// The combined faults of one request.
struct Plan {
    early: Option<Answer>,
    instead: Option<Answer>,
    unanswered: bool,
    request_limit: usize,
    ignore_range: bool,
    delay: Option<std::time::Duration>,
    delivery: Delivery,
    ending: Ending,
}

/// How a connection continues after a request.
#[derive(Clone, Copy)]
enum Ending {
    KeepAlive,
    CutNow,
    CutAfter,
    Silent,
    SilentAfter,
}

impl Plan {
    fn new(faults: &[Fault]) -> Self {
        let mut plan = Self {
            early: None,
            instead: None,
            unanswered: faults.iter().any(Fault::replaces_service),
            request_limit: usize::MAX,
            ignore_range: false,
            delay: None,
            delivery: Delivery::default(),
            ending: Ending::KeepAlive,
        };
        for fault in faults {
            match fault {
                Fault::CutBeforeStatus | Fault::LoseAnswer => plan.ending = Ending::CutNow,
                Fault::CutRequestBody(after) => {
                    plan.request_limit = *after;
                    plan.ending = Ending::CutNow;
                }
                Fault::Silence => plan.ending = Ending::Silent,
                Fault::CutInHeaders => {
                    plan.delivery.cut_in_headers = true;
                    plan.ending = Ending::CutAfter;
                }
                Fault::CutBody(after) => {
                    plan.delivery.at_most = *after;
                    plan.ending = Ending::CutAfter;
                }
                Fault::StallBody(after) => {
                    plan.delivery.at_most = *after;
                    plan.ending = Ending::SilentAfter;
                }
                Fault::Delay(delay) => plan.delay = Some(*delay),
                Fault::Answer(answer) => plan.instead = Some(answer.clone()),
                Fault::AnswerEarly(answer) => plan.early = Some(answer.clone()),
                Fault::Overrun(bytes) => plan.delivery.overrun = *bytes,
                Fault::Chunked => plan.delivery.chunked = true,
                Fault::IgnoreRange => plan.ignore_range = true,
                Fault::Trickle(pause) => plan.delivery.pause = Some(*pause),
                Fault::Endless(length) => plan.delivery.endless = Some(*length),
                Fault::Header(..) | Fault::FlipByte(_) | Fault::Shorten(_) | Fault::Lengthen(_) => {}
            }
        }
        plan
    }
}

/// Applies a fault to an honest answer.
fn apply(answer: &mut Answer, fault: &Fault) {
    match fault {
        Fault::Header(name, value) => answer.set(name, value.as_deref()),
        Fault::FlipByte(at) => {
            let mut body = answer.body.to_vec();
            body[*at] ^= 1;
            answer.body = body.into();
        }
        Fault::Shorten(by) => {
            answer.body.truncate(answer.body.len() - by);
        }
        Fault::Lengthen(by) => {
            let mut body = answer.body.to_vec();
            body.resize(body.len() + by, b' ');
            answer.body = body.into();
        }
        _ => {}
    }
}

impl Shared {
    /// Records a request. Returns its number, and the counter for the bytes of its answer.
    fn note(&self, connection: usize, head: &Head) -> (usize, Arc<AtomicU64>) {
        let mut record = self.record.lock().unwrap();
        record.seen.push(Seen {
            at: Instant::now(),
            connection,
            method: head.method.clone(),
            target: head.target.clone(),
            headers: head.headers.clone(),
            received: 0,
            status: None,
            sent: 0,
        });
        let sent = Arc::new(AtomicU64::new(0));
        record.sent.push(Arc::clone(&sent));
        (record.forgotten + record.seen.len() - 1, sent)
    }

    /// Changes the record of a request, unless it has been removed.
    fn update(&self, note: usize, change: impl FnOnce(&mut Seen)) {
        let mut record = self.record.lock().unwrap();
        if let Some(index) = note.checked_sub(record.forgotten) {
            change(&mut record.seen[index]);
        }
    }
}
