//! Redirections: what a process writes, reads or asks the system for goes elsewhere or comes from
//! elsewhere, without its knowing; also to a process. `abi/redirect.md` and `docs/redirection.md`
//! of the runtime have the rules and all that can be redirected.
//!
//! ```
//! use lunatic::redirect::{Redirect, Written};
//! use lunatic::{Config, Mailbox, Spawn};
//!
//! let mailbox = Mailbox::<Written>::new();
//! let config = Config::new()
//!     .unwrap()
//!     .allow("stdout")
//!     .unwrap()
//!     .redirect(&Redirect::tell("stdout", mailbox.this()))
//!     .unwrap();
//! Spawn::new().config(&config).spawn((), |(), _: Mailbox<()>| println!("hello")).unwrap();
//! let written = mailbox.receive().unwrap();
//! assert_eq!((written.source.as_str(), &written.data[..]), ("stdout", &b"hello\n"[..]));
//! ```

mod served;

use serde::{Deserialize, Serialize};

use crate::abi;
use crate::config::Config;
use crate::format::Bytes;
use crate::host_error::HostError;
use crate::mailbox::Process;
use crate::pid::Pid;
use crate::server::{Server, ServerRef};

pub use served::{Answer, Connected, Entry, Errno, Metadata, Opened, Request, Shown, Time, Times};

/// What is redirected, and where to.
///
/// ```
/// use lunatic::redirect::Redirect;
/// use lunatic::{Config, ExitReason, Mailbox, Spawn};
///
/// let frozen = Redirect::new("clock", "fixed:2001-09-09T01:46:40Z").alone();
/// let config = Config::new().unwrap().allow("clocks").unwrap().redirect(&frozen).unwrap();
/// let (_, monitor) = Spawn::new()
///     .config(&config)
///     .spawn_monitor((), |(), _: Mailbox<()>| {
///         let now = std::time::UNIX_EPOCH.elapsed().unwrap();
///         assert_eq!(now.as_secs(), 1_000_000_000);
///     })
///     .unwrap();
/// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Redirect<'a> {
    what: &'a str,
    target: Target<'a>,
    alone: bool,
}

#[derive(Clone, Copy, Debug)]
enum Target<'a> {
    Where(&'a str),
    Told(Pid),
    Asked(Pid),
}

const ALONE: u32 = 1;
const ANSWER: u32 = 2;

impl<'a> Redirect<'a> {
    /// To what the runtime has, such as `stdout` to `file:log.txt`, or `clock` to a script.
    pub const fn new(what: &'a str, target: &'a str) -> Self {
        Self { what, target: Target::Where(target), alone: false }
    }

    /// Tells a process what is written: each write is one message.
    pub const fn tell(what: &'a str, process: Process<Written>) -> Self {
        Self { what, target: Target::Told(process.pid()), alone: false }
    }

    /// Asks a server, which gets a [`Request`] for each thing that the process wants.
    pub fn ask<S>(what: &'a str, server: ServerRef<S>) -> Self
    where
        S: Server<Call = Request, Cast = Request>,
    {
        Self { what, target: Target::Asked(server.pid()), alone: false }
    }

    /// For the process alone; its descendants have what they would have without it.
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    fn flags(&self) -> u32 {
        let answer = if let Target::Asked(_) = self.target { ANSWER } else { 0 };
        answer | if self.alone { ALONE } else { 0 }
    }
}

impl Config {
    /// Redirects something for children that are spawned with this configuration.
    ///
    /// # Errors
    ///
    /// If the process may not, the texts make no sense, the process that is to be told or asked
    /// does not exist, or there are 64 already. What cannot be had is an error of the spawn.
    pub fn redirect(self, redirect: &Redirect<'_>) -> Result<Config, HostError> {
        let (what, flags, mut error) = (redirect.what, redirect.flags(), 0);
        // SAFETY: the texts live during the call; the place has eight bytes.
        let result = unsafe {
            match redirect.target {
                Target::Where(to) => abi::process::config_redirect(
                    self.id(),
                    what.as_ptr(),
                    what.len(),
                    to.as_ptr(),
                    to.len(),
                    flags,
                    &raw mut error,
                ),
                Target::Told(pid) | Target::Asked(pid) => abi::process::config_redirect_to_process(
                    self.id(),
                    what.as_ptr(),
                    what.len(),
                    pid.node(),
                    pid.id(),
                    crate::message::tag::NONE,
                    flags,
                    &raw mut error,
                ),
            }
        };
        HostError::check(result, error)?;
        Ok(self)
    }
}

impl Pid {
    /// Redirects something for this process, which is the one that runs or a descendant of it, from
    /// its next call of the system on.
    ///
    /// # Errors
    ///
    /// If the process that runs may not, the texts make no sense, what is to be reached cannot be,
    /// or the process is no descendant.
    ///
    /// ```
    /// use lunatic::{Pid, redirect::Redirect};
    ///
    /// Pid::this().redirect(&Redirect::new("stderr", "null")).unwrap();
    /// eprintln!("nobody sees this");
    /// Pid::this().redirect(&Redirect::new("stderr", "nonsense")).unwrap_err();
    /// # Pid::this().redirect(&Redirect::new("stderr", "own")).unwrap();
    /// ```
    pub fn redirect(self, redirect: &Redirect<'_>) -> Result<(), HostError> {
        let (what, flags, mut error) = (redirect.what, redirect.flags(), 0);
        // SAFETY: the texts live during the call; the place has eight bytes.
        let result = unsafe {
            match redirect.target {
                Target::Where(to) => abi::process::redirect(
                    self.node(),
                    self.id(),
                    what.as_ptr(),
                    what.len(),
                    to.as_ptr(),
                    to.len(),
                    flags,
                    &raw mut error,
                ),
                Target::Told(pid) | Target::Asked(pid) => abi::process::redirect_to_process(
                    self.node(),
                    self.id(),
                    what.as_ptr(),
                    what.len(),
                    pid.node(),
                    pid.id(),
                    crate::message::tag::NONE,
                    flags,
                    &raw mut error,
                ),
            }
        };
        HostError::check(result, error)
    }
}

/// What was written, as a process is told.
///
/// ```
/// use lunatic::redirect::Written;
///
/// let written = Written { source: "log/a.txt".into(), data: b"one line\n".to_vec().into() };
/// let text = String::from_utf8_lossy(&written.data);
/// assert_eq!(format!("{}: {}", written.source, text.trim_end()), "log/a.txt: one line");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// `stdout`, `stderr`, or the path of the file.
    pub source: String,
    /// The bytes of one write.
    pub data: Bytes,
}
