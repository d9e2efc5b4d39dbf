//! Running a command until it is done, or until Ctrl-C or SIGTERM asks the program to end.
//!
//! An interrupted command is dropped, and with it everything that it has begun and not stored yet. The program waits a
//! few seconds at most for that, and not at all after a second signal.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
#[cfg(unix)]
use futures_util::future::pending;
use futures_util::future::{Either, select};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::cli::GlobalArgs;
use crate::failure::Failure;
use crate::messages::Messages;
use crate::signal::Signal;

/// How long registries may take to end the uploads of a command that failed or was interrupted.
pub(crate) const CANCELLING: Duration = Duration::from_secs(2);
/// How long threads may take to end the work of an interrupted command, and to remove or keep its files.
pub(crate) const CLEARING: Duration = Duration::from_secs(2);
/// How long the program may take to end after the first signal.
const PATIENCE: Duration = Duration::from_secs(5);
/// A second signal within this time counts as the first: some senders signal the program and then its group.
const ECHO: Duration = Duration::from_millis(500);

/// Runs a command until it is done or a signal comes; `hint` is then the end of the message.
///
/// The command must never block its thread, for example to wait for input of a user.
pub(crate) async fn unless_interrupted<T>(
    command: impl Future<Output = Result<T, Failure>>,
    hint: Option<&'static str>,
    global: &GlobalArgs,
) -> Result<T, Failure> {
    let (sender, signalled) = oneshot::channel();
    // A thread of its own, since the runtime of the command may hang. Without the thread, a signal kills the program.
    let messages = Messages::of(global);
    let say = move |signal| messages.error(&Failure::Interrupted { signal, hint });
    let listening = thread::Builder::new().name("signals".to_owned()).spawn(move || listen(sender, say));
    if listening.is_err() {
        return command.await;
    }
    match select(pin!(command), signalled).await {
        Either::Left((done, _)) => done,
        Either::Right((Ok(signal), _)) => Err(Failure::Interrupted { signal, hint }),
        Either::Right((Err(_), command)) => command.await,
    }
}

/// Sends the first signal, and makes sure that the program ends after it. `say` is for a command that hangs or
/// writes its output, whose end nobody else reports.
fn listen(sender: oneshot::Sender<Signal>, say: impl Fn(Signal)) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let mut signals = Signals::new()?;
        let signal = signals.next().await;
        // Sending fails once there is nothing to clean up, while the output is written.
        if sender.send(signal).is_ok() {
            sleep(ECHO).await;
            while signals.next().now_or_never().is_some() {}
            let _ = timeout(PATIENCE, signals.next()).await;
        }
        say(signal);
        signal.die()
    })
}

/// The signals that this process does not ignore. A shell starts background jobs of a script with Ctrl-C ignored.
#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ignored = ignored();
        let listen = |kind: SignalKind| {
            let is_ignored = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
            (!is_ignored).then(|| signal(kind)).transpose()
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => pending().await,
            }
        }
        match select(pin!(one(&mut self.interrupt)), pin!(one(&mut self.terminate))).await {
            Either::Left(_) => Signal::Interrupt,
            Either::Right(_) => Signal::Terminate,
        }
    }
}

/// The signals that this process ignores, as a mask whose lowest bit is signal 1 (proc(5)). Linux only; 0 elsewhere.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> Signal {
        self.0.recv().await;
        Signal::Interrupt
    }
}
