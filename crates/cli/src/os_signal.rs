//! Ctrl-C and SIGTERM, as values. The only file of the command that differs between platforms.
//!
//! Until [`OsSignals::listen`] is called the operating system's default holds: such a signal ends
//! the program at once. From then on the caller decides.

use std::io;

/// A request of the operating system to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OsSignal {
    /// Ctrl-C at the terminal.
    Interrupt,
    /// SIGTERM, or Ctrl-Break on Windows.
    Terminate,
}

/// The stream of such requests.
pub struct OsSignals {
    interrupt: imp::Interrupt,
    terminate: imp::Terminate,
}

impl OsSignals {
    /// Takes over the signals for the rest of the program's life. Must be called within a Tokio
    /// runtime; an error means that the operating system refused.
    pub fn listen() -> io::Result<OsSignals> {
        let (interrupt, terminate) = imp::listen()?;
        Ok(OsSignals { interrupt, terminate })
    }

    /// Waits for the next one. Dropping the future loses none.
    pub async fn next(&mut self) -> OsSignal {
        tokio::select! {
            _ = self.interrupt.recv() => OsSignal::Interrupt,
            _ = self.terminate.recv() => OsSignal::Terminate,
        }
    }
}

#[cfg(unix)]
mod imp {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub type Interrupt = Signal;
    pub type Terminate = Signal;

    pub fn listen() -> std::io::Result<(Interrupt, Terminate)> {
        Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }
}

#[cfg(windows)]
mod imp {
    use tokio::signal::windows;

    pub type Interrupt = windows::CtrlC;
    pub type Terminate = windows::CtrlBreak;

    pub fn listen() -> std::io::Result<(Interrupt, Terminate)> {
        Ok((windows::ctrl_c()?, windows::ctrl_break()?))
    }
}
