//! Signals that ask the program to end: Ctrl-C, and on Unix SIGTERM.
//!
//! A command that is asked to end is dropped, and with it all that it has begun and not stored. The program never waits
//! for that for long, and not at all when it is asked twice.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::failure::Failure;

/// How long what a command has begun may take to end: threads that clear away their files.
pub(crate) const CLEARING: Duration = Duration::from_secs(2);
/// How long the program may take to end, whatever it is doing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What asks the program to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Interrupt,
    #[cfg_attr(not(unix), expect(dead_code, reason = "it is of Unix"))]
    Terminate,
}

impl Signal {
    /// What a shell says of a program that the signal killed.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Runs a command to its end, or until the program is asked to end; `hint` says then what became of it.
///
/// It has to give way soon whenever it is waiting: whoever waits for a user should do so before.
pub(crate) async fn unless_interrupted<T>(
    command: impl Future<Output = Result<T, Failure>>,
    hint: Option<&'static str>,
) -> Result<T, Failure> {
    let (tell, told) = oneshot::channel();
    if listen(tell).is_err() {
        // Then a signal kills, as it does any program.
        return command.await;
    }
    match select(pin!(command), told).await {
        Either::Left((done, _)) => done,
        Either::Right((Ok(signal), _)) => Err(Failure::Interrupted { signal, hint }),
        Either::Right((Err(_), command)) => command.await,
    }
}

/// Tells of the first signal, and sees to it that the program ends. It does so on a thread of its own, which goes on
/// when the command's runtime does not.
fn listen(tell: oneshot::Sender<Signal>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    let listening = async move {
        let signal = signals.next().await;
        // Nobody is told any more when the command is done: then there is nothing to clear away.
        if tell.send(signal).is_ok() {
            let _ = tokio::time::timeout(PATIENCE, signals.next()).await;
        }
        std::process::exit(signal.exit_code().into())
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(listening)).map(drop)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        match select(pin!(self.interrupt.recv()), pin!(self.terminate.recv())).await {
            Either::Left(_) => Signal::Interrupt,
            Either::Right(_) => Signal::Terminate,
        }
    }
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
