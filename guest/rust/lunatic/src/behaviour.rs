//! What all behaviours are made of: sending and receiving of whole messages, synchronous starts,
//! and calls, as `guest/wire.md` writes them.
//!
//! What must stay true: nothing here is left behind by a call or a start that fails (no monitor, no
//! alias, no message); whoever ends a process here gives it the reason that its links shall hear.

use std::fmt;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::call::{CallError, call_tagged};
use crate::format::{Bytes, Postcard};
use crate::mailbox::Mailbox;
use crate::message::{self, Destination, Down, Envelope, Exit, Pattern, tag};
use crate::process::{MonitorOptions, register, unregister, whereis};
use crate::spawn::Spawn;
use crate::{ExitReason, Pid, Ref};

/// What was received.
pub(crate) enum Received {
    Message(Envelope),
    Exit(Exit),
    Down(Down),
}

/// Receives the oldest that one of the patterns takes; without patterns, the oldest of all. `None`
/// after the timeout.
pub(crate) fn receive(patterns: &[Pattern], timeout: Option<Duration>) -> Option<Received> {
    let envelope = message::receive(patterns, timeout)?;
    Some(match (envelope.exit(), envelope.down()) {
        (Some(exit), _) => Received::Exit(exit),
        (None, Some(down)) => Received::Down(down),
        (None, None) => Received::Message(envelope),
    })
}

/// Sends; waits while the mailbox of the receiver is full. To nobody is no error, and what cannot
/// be written is logged.
pub(crate) fn send<T>(to: Destination<'_>, tag: i64, body: &T)
where
    T: Serialize + DeserializeOwned,
{
    if let Err(error) = message::send::<T, Postcard>(to, tag, body, None) {
        log::error!("a message of tag {tag} was not sent: {error}");
    }
}

/// Removes the link with a process, and takes its exit out of the mailbox if it lies there.
pub(crate) fn unlink_flush(pid: Pid) -> Option<ExitReason> {
    pid.unlink();
    let exit = message::receive(&[Pattern::EXIT.and_sender(pid)], Some(Duration::ZERO))?;
    exit.exit().map(|exit| exit.reason)
}

/// A call of a behaviour. One that calls itself would wait for ever, and gets an error.
pub(crate) fn call<C, R>(
    pid: Pid,
    tag: i64,
    request: &C,
    timeout: Option<Duration>,
) -> Result<R, CallError>
where
    C: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    if pid == Pid::this() {
        return Err(CallError::Down("calling_self: a process cannot wait for itself".into()));
    }
    call_tagged::<C, R, Postcard>(Destination::Pid(pid), tag, request, timeout)
}

/// A process could not be started. Nothing is left of it.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Picky;
/// impl Server for Picky {
/// #   type Argument = u8;
/// #   type Call = ();
/// #   type Cast = ();
/// #   type Message = ();
///     fn init(number: u8) -> Init<Self> {
///         match number {
///             0 => Init::ignore(),
///             1 => Init::stop("one is too few".into()),
///             _ => Init::ok(Picky),
///         }
///     }
/// #   fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// }
///
/// use lunatic::ExitReason;
/// use lunatic::server::StartError;
///
/// assert_eq!(Picky::start(0).unwrap_err(), StartError::Ignored);
/// let reason = ExitReason::Error("one is too few".into());
/// assert_eq!(Picky::start(1).unwrap_err(), StartError::Exit(reason));
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartError {
    /// It did not want to start, which a supervisor takes as no error.
    Ignored,
    /// The name that it should have belongs to this process.
    AlreadyStarted(Pid),
    /// It ended in its start, or gave this reason.
    Exit(ExitReason),
    /// It did not start in time, and was killed.
    Timeout,
    /// The runtime could not make the process: why, for people.
    Spawn(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored => write!(f, "the process did not want to start"),
            Self::AlreadyStarted(pid) => write!(f, "the name belongs to {pid} already"),
            Self::Exit(reason) => write!(f, "the process ended in its start: {reason}"),
            Self::Timeout => write!(f, "the process did not start in time, and was killed"),
            Self::Spawn(cause) => write!(f, "the process cannot be made: {cause}"),
        }
    }
}

impl std::error::Error for StartError {}

/// How a start went, as the new process tells it.
#[derive(Serialize, Deserialize)]
enum StartedBody {
    Ok,
    Ignore,
    Error(ExitReason),
    /// Beyond `guest/wire.md`: who has the name that was asked for.
    AlreadyStarted(Pid),
}

/// What a behaviour that starts is told: whom to tell how it went, who its parent is, its name, and
/// the argument of its own.
#[derive(Serialize, Deserialize)]
pub(crate) struct Argument {
    pub(crate) starter: Ref,
    pub(crate) parent: Pid,
    pub(crate) name: Option<String>,
    pub(crate) body: Bytes,
}

impl Argument {
    /// Tells the starter that it runs.
    pub(crate) fn started(&self) {
        self.tell(&StartedBody::Ok);
    }

    /// Tells the starter that this process does not start, and ends.
    pub(crate) fn failed(&self, error: StartError) -> ExitReason {
        if let Some(name) = &self.name {
            // Whoever hears of the failure must find the name free.
            if whereis(name) == Some(Pid::this()) {
                unregister(name);
            }
        }
        let (body, reason) = match error {
            StartError::Ignored => (StartedBody::Ignore, ExitReason::Normal),
            StartError::AlreadyStarted(pid) => {
                (StartedBody::AlreadyStarted(pid), ExitReason::Normal)
            }
            StartError::Exit(reason) => (StartedBody::Error(reason.clone()), reason),
            StartError::Timeout | StartError::Spawn(_) => {
                unreachable!("only the starter knows of these")
            }
        };
        self.tell(&body);
        reason
    }

    fn tell(&self, body: &StartedBody) {
        if !self.starter.is_none() {
            send(Destination::Alias(self.starter), tag::STARTED, body);
        }
    }

    /// Takes the name that was asked for.
    pub(crate) fn take_name(&self) -> Result<(), StartError> {
        let Some(name) = &self.name else { return Ok(()) };
        register(name, Pid::this())
            .map_err(|_| StartError::AlreadyStarted(whereis(name).unwrap_or(Pid::NONE)))
    }
}

/// How a process is started.
pub(crate) struct StartOptions<'a> {
    pub(crate) link: bool,
    pub(crate) name: Option<&'a str>,
    pub(crate) timeout: Option<Duration>,
}

/// The function of a behaviour's process.
pub(crate) type Entry = fn(Argument, Mailbox<()>) -> ExitReason;

/// Spawns a behaviour and waits until it has said how its start went.
pub(crate) fn start(
    entry: Entry,
    body: Bytes,
    options: &StartOptions<'_>,
) -> Result<Pid, StartError> {
    // As in OTP, no process is made only to find the name taken, whose end would be heard of.
    if let Some(owner) = options.name.and_then(whereis) {
        return Err(StartError::AlreadyStarted(owner));
    }
    let mut spawn = Spawn::new().monitor_options(MonitorOptions::CALL);
    if options.link {
        spawn = spawn.link();
    }
    let argument = |starter| Argument {
        starter,
        parent: Pid::this(),
        name: options.name.map(str::to_owned),
        body,
    };
    let (process, monitor) = spawn
        .spawn_reporting(argument, entry)
        .map_err(|error| StartError::Spawn(error.to_string()))?;
    let pid = process.pid();
    match receive(&[Pattern::reference(monitor.reference())], options.timeout) {
        Some(Received::Message(envelope)) => match envelope.decode::<_, Postcard>() {
            Ok(StartedBody::Ok) => Ok(pid),
            Ok(StartedBody::Ignore) => Err(StartError::Ignored),
            Ok(StartedBody::Error(reason)) => Err(StartError::Exit(reason)),
            Ok(StartedBody::AlreadyStarted(pid)) => Err(StartError::AlreadyStarted(pid)),
            Err(cause) => Err(StartError::Exit(ExitReason::Error(cause.to_string()))),
        },
        Some(Received::Down(Down { reason, .. }) | Received::Exit(Exit { reason, .. })) => {
            Err(StartError::Exit(reason))
        }
        None => {
            pid.unlink();
            pid.kill();
            monitor.demonitor();
            unlink_flush(pid);
            // What it said in the meantime.
            let pattern = Pattern::reference(monitor.reference());
            let _ = message::receive(&[pattern], Some(Duration::ZERO));
            Err(StartError::Timeout)
        }
    }
}

/// The time that is left until a deadline.
pub(crate) fn left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}
