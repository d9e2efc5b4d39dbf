//! The signals that ask the program to end: Ctrl-C, and on Unix SIGTERM.
//!
//! Only what they are and how to die of them; `interrupt` listens for them.

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Interrupt,
    #[cfg_attr(not(unix), expect(dead_code, reason = "Windows has no SIGTERM"))]
    Terminate,
}

impl Signal {
    /// The exit code that a shell reports for a program that the signal killed.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// Ends the program as the signal would have, so that a shell that runs several programs ends as well.
    pub(crate) fn die(self) -> ! {
        #[cfg(unix)]
        {
            let number = match self {
                Self::Interrupt => signal_hook::consts::SIGINT,
                Self::Terminate => signal_hook::consts::SIGTERM,
            };
            let _ = signal_hook::low_level::emulate_default_handler(number);
        }
        std::process::exit(self.exit_code().into())
    }
}
